package fleettest

import (
	"context"
	"errors"

	"github.com/farshore/farshore/economy/estimate"
)

// noRegistry is what a hub finds that reaches no registry. In virtual time it could not ask one.
type noRegistry struct{}

// Image implements estimate.Images.
func (noRegistry) Image(context.Context, string, string, string) (estimate.Image, error) {
	return estimate.Image{}, errors.New("no registry is in reach here")
}
