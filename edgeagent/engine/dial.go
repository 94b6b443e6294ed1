package engine

import (
	"cmp"
	"context"
	"fmt"
	"net"

	"github.com/docker/docker/client"
)

// Dialer makes bare connections to the engine at an address as in Config.Host, for who speaks its API as it is.
func Dialer(host string) func(context.Context) (net.Conn, error) {
	host = cmp.Or(host, DefaultHost)
	return func(ctx context.Context) (net.Conn, error) {
		u, err := client.ParseHostURL(host)
		if err != nil {
			return nil, fmt.Errorf("%q is not an engine's address (want unix:///path or tcp://host:port): %w", host, err)
		}
		return (&net.Dialer{}).DialContext(ctx, u.Scheme, u.Host)
	}
}
