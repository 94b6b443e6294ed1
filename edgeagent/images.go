package edgeagent

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/farshore/farshore/economy"
	"github.com/farshore/farshore/economy/spending"
	"github.com/farshore/farshore/edgeagent/depot"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks/reconciler"
)

// openingsEnd is how long a link that does not close is thought to stay open.
const openingsEnd = 365 * 24 * time.Hour

// assembleDepot makes what gets images in the engine's stead. Agents without a folder, or with an engine that takes no
// images, have none.
func (a *Agent) assembleDepot() (reconciler.Images, error) {
	engine, ok := a.cfg.Engine.(depot.Engine)
	if !ok || a.cfg.Data == "" {
		return nil, nil
	}
	var proxy func(*http.Request) (*url.URL, error)
	if a.cfg.Proxy != nil {
		proxy = func(r *http.Request) (*url.URL, error) { return a.cfg.Proxy(r.URL) }
	}
	root := cmp.Or(a.cfg.HostRoot, "/")
	d, err := depot.New(depot.Config{
		Dir: filepath.Join(a.cfg.Data, "depot"), Engine: engine, Proxy: proxy, Log: a.log,
		Authorities: []string{filepath.Join(root, "etc/docker/certs.d"), filepath.Join(root, "etc/containers/certs.d")},
		Await:       func(ctx context.Context, n uint64) error { return a.spending.Await(ctx, protocol.ClassPull, n) },
		Left: func() time.Duration {
			rules := a.exchange.Settings().Link
			now, _ := a.exchange.Clock().Now()
			o, ok := a.spending.Opening()
			if rules == nil || rules.Contact == nil || !ok {
				return openingsEnd
			}
			return o.End.Sub(now)
		},
		Lanes: func() int {
			if rules := a.exchange.Settings().Link; rules != nil && (rules.Budget != nil || rules.Contact != nil) {
				return 1 // what is whole is worth more than two halves
			}
			return depot.DefaultLanes
		},
		NotNow: spending.ErrNotNow, Brought: a.brought,
		Dial:  depot.Dial(a.spending.Dial(protocol.ClassPull, a.dial)),
		Slice: func() int64 { return economy.PullSlice(a.exchange.Settings().Link) },
	})
	if err != nil {
		return nil, err
	}
	a.depot, a.images = d, &images{Depot: d, jobs: a.jobIDs}
	return a.images, nil
}

// imagesByAgent reports whether images come through the agent now.
func (a *Agent) imagesByAgent() bool { return economy.ByAgent(a.exchange.Settings().Link) }

// ofJob marks the number of a job where the depot takes that of a stack: both are counted from 1.
const ofJob = 1 << 63

// images is the depot for stacks, which keeps what is on its way for jobs too.
type images struct {
	*depot.Depot
	jobs func() []uint64

	mu     sync.Mutex
	stacks []uint64 // guarded by mu: those of the last Keep
	known  bool     // guarded by mu: there was one
}

// Keep implements reconciler.Images.
func (i *images) Keep(stacks []uint64) error {
	i.mu.Lock()
	i.stacks, i.known = slices.Clone(stacks), true
	i.mu.Unlock()
	return i.keep()
}

// keep removes what is kept for stacks and jobs that are gone.
func (i *images) keep() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if !i.known { // the stacks are not known yet
		return nil
	}
	all := slices.Clone(i.stacks)
	for _, id := range i.jobs() {
		all = append(all, id|ofJob)
	}
	return i.Depot.Keep(all)
}
