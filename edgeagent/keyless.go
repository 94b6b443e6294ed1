package edgeagent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/farshore/farshore/edgeagent/keypage"
	"github.com/farshore/farshore/waitingroom/knock"
)

// lookForKey is how often an agent without an edge key looks whether one has come.
const lookForKey = 2 * time.Second

// KeyPage says where an agent without an edge key serves the page that takes one.
type KeyPage struct {
	// Address to listen on, HOST:PORT. Empty: there is no page.
	Address string
	// Host is a name by which browsers may ask for the page, beside IP addresses and localhost. Empty: none.
	Host string
	// Console is where the PIN is printed beside the log. Nil: nowhere.
	Console io.Writer
}

// errKeyCame: the agent was given a key in another way.
var errKeyCame = errors.New("the agent has been given an edge key meanwhile")

// offer is an edge key from the page, and the way to say whether it was kept.
type offer struct {
	key  string
	kept chan error
}

// awaitKey waits until the agent is given an edge key, by its page or by Config.LateKey, and makes the parts that need
// one. The page lives on as a part of its own, to show how the device stands.
func (a *Agent) awaitKey(ctx context.Context, part func(string, func(context.Context) error)) error {
	offers := make(chan offer)
	pageCtx, closePage := context.WithCancel(ctx)
	if err := a.openPage(pageCtx, offers); err != nil {
		closePage()
		err = fmt.Errorf("no page can be opened to take an edge key: %w", err)
		if a.cfg.LateKey == nil {
			return fmt.Errorf("%w, and %w", err, ErrNoEdgeKey)
		}
		a.log.Warn("waiting for the file with the edge key alone", "error", err)
	} else {
		part("key page", func(context.Context) error {
			defer closePage()
			a.servePage(pageCtx)
			return nil
		})
	}
	look := time.NewTicker(lookForKey)
	defer look.Stop()
	said := ""
	for {
		select {
		case <-ctx.Done():
			closePage()
			return ctx.Err()
		case o := <-offers:
			err := a.join(o.key)
			o.kept <- err
			if err == nil {
				return a.assemble()
			}
		case <-look.C:
			found, err := a.lateKey()
			if err == nil && found {
				closePage()
				return a.assemble()
			}
			if err != nil && err.Error() != said {
				said = err.Error()
				a.log.Warn("this edge key cannot be used, still waiting", "error", err)
			}
		}
	}
}

// lateKey takes over an edge key that has come since the start.
func (a *Agent) lateKey() (bool, error) {
	if a.cfg.LateKey == nil {
		return false, nil
	}
	key, err := a.cfg.LateKey()
	if err != nil || key == "" {
		return false, err
	}
	return true, a.join(key)
}

func (a *Agent) openPage(ctx context.Context, offers chan<- offer) error {
	var page *keypage.Page
	page, err := keypage.New(keypage.Config{
		Address: a.cfg.KeyPage.Address,
		Host:    a.cfg.KeyPage.Host,
		Take: func(key string) error {
			o := offer{key, make(chan error, 1)}
			select {
			case offers <- o:
				return <-o.kept
			case <-ctx.Done():
				return errKeyCame
			}
		},
		Standing: a.standing,
		Announce: func(pin string) {
			a.log.Info("this device has no edge key yet: open the page and enter the PIN, or give the agent a key with --edge-key-file",
				"page", page.URL(), "pin", pin)
			if a.cfg.KeyPage.Console != nil {
				fmt.Fprintf(a.cfg.KeyPage.Console, "\n  To connect this device, open %s and enter the PIN %s\n\n", page.URL(), pin)
			}
		},
		Log: a.log,
	})
	if err == nil {
		a.page.Store(page)
	}
	return err
}

// servePage serves the page until its time is over. Nothing else depends on it.
func (a *Agent) servePage(ctx context.Context) {
	page := a.page.Load()
	err := page.Run(ctx)
	a.page.Store(nil)
	switch {
	case err != nil:
		a.log.Warn("the key page has failed: restart the agent to open it again", "error", err)
	case ctx.Err() == nil && !a.assembled.Load():
		a.log.Warn("no edge key came, and the key page is closed: restart the agent to open it again with a new PIN, " +
			"or give the agent a key with --edge-key-file")
	}
}

// standing is what the page shows.
func (a *Agent) standing() keypage.Standing {
	s := a.Status()
	out := keypage.Standing{State: "starting", PairingCode: s.PairingCode, ApproveURL: s.ApproveURL}
	switch {
	case s.Approved:
		out.State = keypage.StateApproved
	case s.Waiting != nil:
		out.State, out.Reason = string(s.Waiting.State), s.Waiting.Reason
		if s.Waiting.State == knock.StateApproved {
			out.State = keypage.StateApproved
		}
	}
	return out
}
