package depot_test

import (
	"context"
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/farshore/farshore/economy/spending"
	"github.com/farshore/farshore/edgeagent/depot"
	"github.com/farshore/farshore/edgeagent/state"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks/composer/ipc"
)

// An image that is larger than what is left of the budget waits where the reserve begins, and comes when the budget is lifted,
// without what has come already being fetched again.
func TestAnImageKeepsToTheBudget(t *testing.T) {
	const hard, most = 2 << 20, 2<<20 - 2<<20/20 // the last twentieth is for urgent work
	r := newRig(t)
	l := newLayer(t, "x", 3<<20)
	put(t, r.registry.Addr, "app", "1", "", l)
	log := slog.New(slog.DiscardHandler)
	keeper := spending.New(spending.Config{Store: state.NewMemory(1), Log: log})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- keeper.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	budget := protocol.Budget{Day: 1, Hard: hard}
	keeper.Rules(&protocol.LinkRules{Budget: &budget})
	waits := make(chan struct{}, 1)
	r.cfg.Await = func(ctx context.Context, n uint64) error {
		if !keeper.May(protocol.ClassPull, n, false) {
			select {
			case waits <- struct{}{}:
			default:
			}
		}
		return keeper.Await(ctx, protocol.ClassPull, n)
	}
	r.cfg.NotNow = spending.ErrNotNow
	r.cfg.Dial = depot.Dial(keeper.Dial(protocol.ClassPull, func(ctx context.Context, network, address string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, address)
	}))
	r.cfg.Slice = func() int64 { return 64 << 10 }
	r.restart()
	ref := r.ref("app:1")
	type result struct {
		spent int64
		err   error
	}
	done := make(chan result, 1)
	go func() {
		spent, err := r.try(1, ipc.PullMissing, ref)
		done <- result{spent, err}
	}()
	select {
	case <-waits:
	case got := <-done:
		t.Fatalf("it did not wait: %d bytes, %v", got.spent, got.err)
	}
	usage, _ := keeper.Usage()
	if usage.Spent > most || usage.Spent < most*8/10 || r.front.total() > most {
		t.Errorf("where it waits, at %d, %d bytes are spent and %d of blobs were sent", most, usage.Spent, r.front.total())
	}
	r.lacks(ref)
	today := uint32(time.Now().Unix() / 86400)
	lifted := budget // the keeper still reads the other one
	lifted.Lift = &protocol.Lift{Cycle: today - uint32(time.Now().UTC().Day()) + 1, Extra: 10 << 20}
	keeper.Rules(&protocol.LinkRules{Budget: &lifted})
	got := <-done
	if got.err != nil {
		t.Fatal(got.err)
	}
	r.image(ref)
	if sent := r.front.of(l); sent != len(l.packed) {
		t.Errorf("%d bytes were sent of a layer of %d", sent, len(l.packed))
	}
	usage, _ = keeper.Usage()
	if counted := int64(usage.Spent); got.spent > counted || got.spent < counted*8/10 {
		t.Errorf("the stack has cost %d, and the device has spent %d", got.spent, counted)
	}
}
