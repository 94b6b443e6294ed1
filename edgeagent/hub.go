package edgeagent

import (
	"context"
	"crypto/ed25519"
	"errors"

	"github.com/farshore/farshore/edgeagent/state"
	"github.com/farshore/farshore/protocol"
)

// stayWithHub knocks until the device is approved and then stays in session, for ever. When the hub no longer knows
// the device it knocks again; nothing else changes on the device.
func (a *Agent) stayWithHub(ctx context.Context) error {
	if a.state.Approved() {
		a.log.Info("let in before: connecting to the hub", "device", a.ID(), "hub", a.edgeKey.HTTPS)
	}
	for {
		if !a.state.Approved() {
			a.log.Info("asking the hub to be let in", "device", a.ID(), "hub", a.edgeKey.HTTPS)
			if err := a.knocker.Run(ctx); err != nil {
				return err
			}
			if err := a.knockLink.Close(); err != nil {
				a.log.Debug("close knocking connection", "error", err)
			}
			if err := a.state.SetApproved(state.Approved); err != nil {
				return err
			}
			for _, st := range a.state.Statuses() { // a hub that forgot the device has forgotten them
				if err := a.state.PutStatus(st); err != nil {
					return err
				}
			}
			a.log.Info("approved", "device", a.ID())
		}
		err := a.exchange.Run(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var refused *protocol.Error
		if !errors.As(err, &refused) {
			return err
		}
		a.log.Warn("the hub no longer admits this device: knocking again, stacks stay as they are", "error", err)
		if err := a.state.SetApproved(state.Unapproved); err != nil {
			return err
		}
	}
}

func (a *Agent) publicKey() ed25519.PublicKey {
	return a.state.Identity().Key.Public().(ed25519.PublicKey)
}
