package edgeagent

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/farshore/farshore/edgeagent/composer"
	"github.com/farshore/farshore/edgeagent/state"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks/reconciler"
)

// RemoveStacks takes down all stacks of a device whose agent does not run, as if the hub wanted none. Of cfg it uses
// data folder, engine, composer and log. Volumes stay, but for stacks that were to be removed with theirs.
func RemoveStacks(ctx context.Context, cfg Config) error {
	s, err := state.OpenDisk(cfg.Data)
	if err != nil {
		return err
	}
	mark := s.Orders().Mark
	mark.Seq++ // older than anything that a hub will order
	none := []protocol.Entry{}
	err = errors.Join(s.AcceptOrders(state.Accept{Mark: mark, Desired: &none}), reconciler.Release(s))
	if err == nil {
		err = removeAll(ctx, cfg, s)
	}
	return errors.Join(err, s.Close())
}

// lookAgain is how often it is looked whether all is gone, should no status tell.
const lookAgain = 5 * time.Second

func removeAll(ctx context.Context, cfg Config, s *state.Store) error {
	told := make(chan struct{}, 1)
	s.OnOutbox(func() {
		select {
		case told <- struct{}{}:
		default:
		}
	})
	r := reconciler.New(reconciler.Config{
		State: s, Fetcher: nothingToFetch{}, Composer: composer.New(composer.Config{Path: cfg.Composer, Log: cfg.Log}),
		Dir: stagingFolder(cfg.Data), Host: cfg.EngineHost, Log: cfg.Log,
	})
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	defer func() { cancel(); <-ended }()
	look := time.NewTicker(lookAgain)
	defer look.Stop()
	for {
		left := s.Applied()
		if len(left) == 0 {
			return nil
		}
		if why := stuck(left, s.Statuses()); why != "" {
			return errors.New(why)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-told:
		case <-look.C:
		}
	}
}

// stuck says why none of the stacks that are left can be removed; "" while one may be.
func stuck(left []state.Applied, statuses []protocol.StackStatus) string {
	failed := map[uint64]string{}
	for _, st := range statuses {
		if st.State == protocol.StackFailed || st.State == protocol.StackWaiting {
			failed[st.Stack] = st.Detail
		}
	}
	var why []string
	for _, a := range left {
		detail, ok := failed[a.Entry.ID]
		if !ok || a.Phase != reconciler.PhaseRemoving {
			return ""
		}
		why = append(why, fmt.Sprintf("stack %s: %s", a.Entry.Name, detail))
	}
	return strings.Join(why, "; ")
}

// nothingToFetch is for a device without a hub.
type nothingToFetch struct{}

// Fetch implements reconciler.Fetcher.
func (nothingToFetch) Fetch(context.Context, []reconciler.FetchFile) error {
	return errors.New("no hub is asked for files now")
}
