package commands_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/farshore/farshore/hub/commands"
	"github.com/farshore/farshore/hub/store"
	"github.com/farshore/farshore/protocol"
)

const (
	devA = protocol.DeviceID("aaaaaaaaaaaaaaaa")
	keep = 20 // final commands of each device
	devB = protocol.DeviceID("bbbbbbbbbbbbbbbb")
)

// hub is a Book on a real store, which can be stopped and started.
type hub struct {
	*commands.Book
	t      *testing.T
	dir    string
	db     *store.Store
	mu     sync.Mutex
	ends   []string
	notify map[protocol.DeviceID]int
}

func start(t *testing.T) *hub {
	h := &hub{t: t, dir: t.TempDir(), notify: map[protocol.DeviceID]int{}}
	h.open()
	t.Cleanup(func() { _ = h.db.Close() })
	return h
}

func (h *hub) open() {
	h.t.Helper()
	db, err := store.Open(h.dir)
	if err != nil {
		h.t.Fatal(err)
	}
	h.db = db
	h.Book, err = commands.New(commands.Config{
		Store: db, Log: slog.New(slog.DiscardHandler), Keep: keep,
		Notify: func(d protocol.DeviceID) { h.mu.Lock(); h.notify[d]++; h.mu.Unlock() },
		Events: func(n commands.Notice) {
			if n.Kind == commands.KindEnded {
				h.mu.Lock()
				h.ends = append(h.ends, n.Record.State.String())
				h.mu.Unlock()
			}
		},
	})
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *hub) restart() {
	h.t.Helper()
	if err := h.db.Close(); err != nil {
		h.t.Fatal(err)
	}
	h.open()
}

func (h *hub) give(dev protocol.DeviceID, c protocol.Command) commands.Record {
	h.t.Helper()
	r, err := h.Give(commands.Spec{Device: dev, Command: c, By: "ada"})
	if err != nil {
		h.t.Error(err)
	}
	return r
}

func (h *hub) state(id protocol.CommandID) protocol.CommandState {
	h.t.Helper()
	r, err := h.Get(id)
	if err != nil {
		h.t.Fatal(err)
	}
	return r.State
}

func (h *hub) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

func start1(target string) protocol.Command {
	return protocol.Command{Kind: protocol.CommandContainerStart, Target: target}
}

func result(id protocol.CommandID, s protocol.CommandState) protocol.CommandResult {
	return protocol.CommandResult{ID: id, State: s}
}

func TestCommandIsKeptThroughRestartsUntilItsResult(t *testing.T) {
	h := start(t)
	slow := h.give(devA, start1("web"))
	urgent := protocol.Command{Kind: protocol.CommandContainerStop, Target: "pump", Urgent: true}
	fast := h.give(devA, urgent)
	h.give(devB, start1("web"))
	h.restart()
	pending := h.Pending(devA, time.Now())
	if len(pending) != 2 || pending[0].ID != fast.ID || pending[1].ID != slow.ID {
		t.Fatalf("pending %v: want the urgent command first", pending)
	}
	h.must(h.Sent(devA, []protocol.CommandID{fast.ID}))
	h.restart()
	if p := h.Pending(devA, time.Now()); len(p) != 1 || p[0].ID != slow.ID {
		t.Fatalf("after one was taken: pending %v", p)
	}
	if s := h.state(fast.ID); s != protocol.CommandSent {
		t.Fatalf("state %s after it was taken", s)
	}
	h.must(h.Result(devB, result(fast.ID, protocol.CommandFailed)))
	if s := h.state(fast.ID); s != protocol.CommandSent {
		t.Fatal("another device's word on the command was taken")
	}
	h.must(h.Result(devA, result(fast.ID, protocol.CommandDone)))
	h.restart()
	h.must(h.Result(devA, result(fast.ID, protocol.CommandFailed)))
	h.must(h.Sent(devA, []protocol.CommandID{fast.ID}))
	h.must(h.Result(devA, result(12345, protocol.CommandDone)))
	if s := h.state(fast.ID); s != protocol.CommandDone {
		t.Errorf("state %s: the first result must stay", s)
	}
	if len(h.ends) != 1 {
		t.Errorf("ends told: %v", h.ends)
	}
	for _, s := range []protocol.CommandState{0, protocol.CommandQueued, protocol.CommandSent, 99} {
		if err := h.Result(devA, result(slow.ID, s)); !errors.Is(err, protocol.ErrMalformed) {
			t.Errorf("result %s: %v", s, err)
		}
	}
}

// A device that says that a command waits there is believed until it says how it ended, and no longer.
func TestCommandThatWaitsOnItsDevice(t *testing.T) {
	h := start(t)
	c, other := h.give(devA, start1("a")), h.give(devA, start1("b"))
	h.Pending(devA, time.Now())
	waits := result(c.ID, protocol.CommandWaiting)
	waits.Code, waits.Text = protocol.WaitsForBudget, "what the device says is not shown"
	h.must(h.Result(devA, waits)) // faster than the word that it was taken
	h.must(h.Sent(devA, []protocol.CommandID{c.ID, other.ID}))
	h.restart()
	r, err := h.Get(c.ID)
	if err != nil || r.State != protocol.CommandWaiting || r.SentAt == 0 || r.Ended != 0 || !strings.Contains(r.Result.Text, "near its hard cap") {
		t.Fatalf("%+v, %v", r, err)
	}
	if p := h.Pending(devA, time.Now()); len(p) != 0 || h.Open(devA) != 2 || len(h.ends) != 0 {
		t.Errorf("pending %v, %d open, ended %v", p, h.Open(devA), h.ends)
	}
	if r, err := h.Withdraw(c.ID, "bob"); err != nil || r.State.Final() {
		t.Errorf("the device has it, so its word decides: %s, %v", r.State, err)
	}
	h.must(h.Result(devA, result(c.ID, protocol.CommandDone)))
	h.must(h.Result(devA, waits))
	if s := h.state(c.ID); s != protocol.CommandDone || len(h.ends) != 1 {
		t.Errorf("state %s, ends told %v", s, h.ends)
	}
}

func TestWithdraw(t *testing.T) {
	h := start(t)
	early, late := h.give(devA, start1("a")), h.give(devA, start1("b"))
	if r, err := h.Withdraw(early.ID, "bob"); err != nil || r.State != protocol.CommandWithdrawn {
		t.Fatalf("before anybody could have it: %s, %v", r.State, err)
	}
	if p := h.Pending(devA, time.Now()); len(p) != 1 || p[0].ID != late.ID {
		t.Fatalf("pending %v", p)
	}
	// It is on its way now: only the device can say whether it ran.
	if r, err := h.Withdraw(late.ID, "bob"); err != nil || r.State.Final() {
		t.Fatalf("on its way: %s, %v", r.State, err)
	}
	h.restart()
	if r := h.Repealed(devA); len(r) != 1 || r[0] != late.ID {
		t.Fatalf("repeals %v", r)
	}
	if p := h.Pending(devA, time.Now()); len(p) != 0 {
		t.Fatalf("a withdrawn command is still handed out: %v", p)
	}
	h.must(h.Result(devA, result(late.ID, protocol.CommandDone)))
	if s := h.state(late.ID); s != protocol.CommandDone || len(h.Repealed(devA)) != 0 {
		t.Errorf("it had run: %s, repeals %v", s, h.Repealed(devA))
	}
	if _, err := h.Withdraw(late.ID, "bob"); !errors.Is(err, commands.ErrEnded) {
		t.Errorf("withdraw of an ended command: %v", err)
	}
	if _, err := h.Withdraw(1, "bob"); !errors.Is(err, commands.ErrNotFound) {
		t.Errorf("withdraw of an unknown command: %v", err)
	}
}

func TestExpiry(t *testing.T) {
	h := start(t)
	never, handed, taken := h.give(devA, start1("a")), h.give(devB, start1("b")), h.give(devB, start1("c"))
	h.Pending(devB, time.Now())
	h.must(h.Sent(devB, []protocol.CommandID{taken.ID}))
	soon := time.Now().Add(commands.DefaultTTL - time.Minute)
	h.must(h.Sweep(soon))
	if s := h.state(never.ID); s != protocol.CommandQueued {
		t.Fatalf("%s before its time", s)
	}
	after := time.Now().Add(commands.DefaultTTL + 2*time.Second)
	if p := h.Pending(devA, after); len(p) != 0 {
		t.Fatalf("handed out after its time: %v", p)
	}
	h.must(h.Sweep(after))
	for id, want := range map[protocol.CommandID]protocol.CommandState{
		never.ID: protocol.CommandExpired, handed.ID: protocol.CommandQueued, taken.ID: protocol.CommandSent,
	} {
		if s := h.state(id); s != want {
			t.Errorf("state %s, want %s", s, want)
		}
	}
	// The device had got it after all, in a frame whose acknowledgement was lost: its word goes before the hub's.
	h.must(h.Result(devA, result(never.ID, protocol.CommandDone)))
	if r, _ := h.Get(never.ID); r.State != protocol.CommandDone || r.HubsWord {
		t.Errorf("state %s, hub's word %v", r.State, r.HubsWord)
	}
	h.must(h.Sweep(after.Add(commands.SilentAfter)))
	if s := h.state(taken.ID); s != protocol.CommandInterrupted {
		t.Errorf("a device that never answers: %s", s)
	}
	gone := h.give(devB, start1("d"))
	h.must(h.DeviceGone(devB))
	if s := h.state(gone.ID); s != protocol.CommandWithdrawn || h.Open(devB) != 0 {
		t.Errorf("device gone: %s, %d open", s, h.Open(devB))
	}
}

func TestOutput(t *testing.T) {
	h := start(t)
	logs := protocol.Command{Kind: protocol.CommandContainerLogs, Target: "web", Tail: 10}
	r := h.give(devA, logs)
	h.must(h.Result(devA, result(r.ID, protocol.CommandDone))) // results travel before output
	send := func(dev protocol.DeviceID, offset uint64, data string, dropped bool) {
		h.must(h.Output(dev, protocol.Output{Command: r.ID, Offset: offset, Data: []byte(data), Dropped: dropped}))
	}
	send(devA, 0, "one ", false)
	send(devA, 0, "one ", false)     // repeated after a lost acknowledgement
	send(devB, 4, "forged", false)   // not its command
	send(devA, 2, "e two ", false)   // cut elsewhere after a restart
	send(devA, 20, "five ", false)   // the outbox dropped what was between
	send(devA, 10, "late", false)    // comes too late to be put in order
	send(devA, 25, "", true)         // and dropped the rest
	send(devA, 4, "different", true) // nothing new
	h.restart()
	out, err := h.ReadOutput(r.ID)
	if err != nil || string(out) != "one two five " {
		t.Errorf("output %q, error %v", out, err)
	}
	if got, _ := h.Get(r.ID); !got.OutputLost || got.OutputEnd != 25 || got.State != protocol.CommandDone {
		t.Errorf("lost %v, end %d, state %s", got.OutputLost, got.OutputEnd, got.State)
	}
	for _, o := range []protocol.Output{
		{Command: r.ID, Offset: protocol.MaxOutput, Data: []byte("x")},
		{Command: r.ID, Offset: 1<<64 - 1, Data: []byte("xx")},
		{Command: r.ID, Data: make([]byte, protocol.MaxOutput+1)},
	} {
		if err := h.Output(devA, o); !errors.Is(err, protocol.ErrTooLarge) {
			t.Errorf("offset %d and %d bytes: %v", o.Offset, len(o.Data), err)
		}
	}
}

func TestHistoryAndQueueAreBounded(t *testing.T) {
	h := start(t)
	other := h.give(devB, start1("x"))
	h.must(h.Result(devB, result(other.ID, protocol.CommandDone)))
	waiting := h.give(devA, start1("x"))
	ids := make([]protocol.CommandID, keep+20)
	var wg sync.WaitGroup
	for i := range ids {
		wg.Go(func() {
			r, err := h.Give(commands.Spec{Device: devA, Command: start1("x")})
			ids[i] = r.ID
			if err := errors.Join(
				err,
				h.Output(devA, protocol.Output{Command: r.ID, Data: []byte("hello")}),
				h.Result(devA, result(r.ID, protocol.CommandDone)),
			); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	all, err := h.List(commands.Filter{Device: devA, Limit: 1000})
	if err != nil || len(all) != keep+1 {
		t.Fatalf("%d records kept, error %v; want %d and the open one", len(all), err, keep)
	}
	if s := h.state(waiting.ID); s != protocol.CommandQueued {
		t.Errorf("the open command is %s", s)
	}
	open, err := h.List(commands.Filter{Device: devA, State: protocol.CommandQueued})
	if err != nil || len(open) != 1 || open[0].ID != waiting.ID {
		t.Errorf("open ones: %v, %v", open, err)
	}
	gone := 0
	for _, id := range ids {
		if _, err := h.ReadOutput(id); errors.Is(err, commands.ErrNotFound) {
			gone++
		}
	}
	if gone != 20 {
		t.Errorf("output of %d commands is gone, want 20", gone)
	}
	if s := h.state(other.ID); s != protocol.CommandDone {
		t.Errorf("another device's history was touched: %s", s)
	}
	for range commands.MaxOpen - 1 {
		wg.Go(func() { h.give(devA, start1("x")) })
	}
	wg.Wait()
	if _, err := h.Give(commands.Spec{Device: devA, Command: start1("x")}); !errors.Is(err, commands.ErrTooMany) {
		t.Errorf("one more than fits: %v", err)
	}
	if latest, err := h.List(commands.Filter{}); err != nil || len(latest) != commands.DefaultLimit {
		t.Errorf("list of all: %d, %v", len(latest), err)
	}
}

func TestRefusals(t *testing.T) {
	h := start(t)
	for says, c := range map[string]protocol.Command{
		"kind 0 is not known":   {},
		"kind 200":              {Kind: 200},
		"a container's name":    {Kind: protocol.CommandContainerStop, Target: "-rf"},
		"must be a container":   {Kind: protocol.CommandContainerStop},
		"a stack's id":          {Kind: protocol.CommandStackRedeploy, Target: "web"},
		"an image's id":         {Kind: protocol.CommandImageRemove, Target: "a b"},
		"has no target":         {Kind: protocol.CommandSnapshot, Target: "x"},
		`the option "force"`:    {Kind: protocol.CommandContainerStop, Target: "x", Force: true},
		`the option "signal"`:   {Kind: protocol.CommandContainerStop, Target: "x", Signal: "HUP"},
		"at most 10000 lines":   {Kind: protocol.CommandContainerLogs, Target: "x", Tail: 10001},
		"a name such as SIG":    {Kind: protocol.CommandContainerKill, Target: "x", Signal: "kill -9"},
		"a number from 1 to 64": {Kind: protocol.CommandContainerKill, Target: "x", Signal: "65"},
	} {
		_, err := h.Give(commands.Spec{Device: devA, Command: c})
		if !errors.Is(err, commands.ErrInvalid) || !strings.Contains(err.Error(), says) {
			t.Errorf("error %v, want one that says %q", err, says)
		}
	}
	for _, ttl := range []time.Duration{-time.Second, time.Millisecond, commands.MaxTTL + 1} {
		if _, err := h.Give(commands.Spec{Device: devA, Command: start1("x"), TTL: ttl}); !errors.Is(err, commands.ErrInvalid) {
			t.Errorf("ttl %s: %v", ttl, err)
		}
	}
	for _, c := range []protocol.Command{
		{Kind: protocol.CommandContainerKill, Target: "x", Signal: "SIGRTMIN+3"},
		{Kind: protocol.CommandContainerKill, Target: "x", Signal: "9"},
		{Kind: protocol.CommandImageRemove, Target: "registry.example:5000/a/b@sha256:0123", Force: true},
		{Kind: protocol.CommandStackRedeploy, Target: "7"},
		{Kind: protocol.CommandSnapshot},
	} {
		h.give(devA, c)
	}
}

func TestRecordKeepsEveryField(t *testing.T) {
	in := commands.Record{
		Command: protocol.Command{ID: 7, Kind: protocol.CommandContainerKill, NotAfter: 9, Urgent: true, Target: "x", Signal: "HUP"},
		Device:  devA, By: "ada", Given: 1, State: protocol.CommandDone, SentAt: 2, Ended: 3,
		Result: protocol.CommandResult{ID: 7, State: protocol.CommandDone, Text: "ok", Started: 4},
	}
	a, err := protocol.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	var out commands.Record
	if err := protocol.Unmarshal(a, &out); err != nil || out != in {
		t.Errorf("got %+v, error %v", out, err)
	}
	if b, _ := protocol.Marshal(out); !bytes.Equal(a, b) {
		t.Error("encodes to something else")
	}
}

func BenchmarkResults(b *testing.B) {
	db, err := store.Open(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	book, err := commands.New(commands.Config{Store: db, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	b.SetParallelism(500)
	var n int
	var mu sync.Mutex
	b.RunParallel(func(p *testing.PB) {
		mu.Lock()
		n++
		dev := protocol.DeviceID(fmt.Sprintf("device%010d", n))
		mu.Unlock()
		for p.Next() {
			r, err := book.Give(commands.Spec{Device: dev, Command: start1("x")})
			if err == nil {
				err = book.Result(dev, result(r.ID, protocol.CommandDone))
			}
			if err != nil {
				b.Error(err)
			}
		}
	})
}

func TestWhatNeverArrivedExpires(t *testing.T) {
	h := start(t)
	r := h.give(devA, start1("web"))
	h.Pending(devA, time.Now()) // on its way
	late := time.Now().Add(commands.DefaultTTL + time.Hour)
	h.must(h.Sweep(late))
	if s := h.state(r.ID); s != protocol.CommandQueued {
		t.Fatalf("a command that the device may have is %s", s)
	}
	h.NotTaken(devB, []protocol.CommandID{r.ID})
	h.must(h.Sweep(late))
	if s := h.state(r.ID); s != protocol.CommandQueued {
		t.Fatalf("after another device's word it is %s", s)
	}
	h.NotTaken(devA, []protocol.CommandID{r.ID})
	h.must(h.Sweep(late))
	if s := h.state(r.ID); s != protocol.CommandExpired {
		t.Fatalf("a command that never arrived is %s", s)
	}
}

func TestIDsFollowTheOrderOfGiving(t *testing.T) {
	h := start(t)
	last := protocol.CommandID(0)
	for range 50 { // many in a millisecond
		id := h.give(devA, start1("web")).ID
		if id <= last {
			t.Fatalf("command %d came after %d", id, last)
		}
		last = id
	}
}
