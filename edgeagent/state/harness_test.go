package state

import (
	"fmt"
	"slices"
	"testing"

	"github.com/farshore/farshore/protocol"
)

// device opens the same device again and again, as a reboot does.
type device struct {
	open func(t *testing.T) *Store
}

// backings runs one test on both backings.
func backings(t *testing.T, test func(t *testing.T, d device)) {
	t.Run("disk", func(t *testing.T) {
		dir := t.TempDir()
		var last *Store
		closeLast := func() {
			if last != nil {
				if err := last.Close(); err != nil {
					t.Error(err)
				}
			}
		}
		t.Cleanup(closeLast)
		test(t, device{open: func(t *testing.T) *Store {
			closeLast()
			s, err := OpenDisk(dir)
			if err != nil {
				t.Fatal(err)
			}
			last = s
			return s
		}})
	})
	t.Run("memory", func(t *testing.T) {
		var last *Store
		test(t, device{open: func(*testing.T) *Store {
			if last == nil {
				last = NewMemory(7)
			} else {
				last = last.Reboot()
			}
			return last
		}})
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func entry(id, version uint64, content string) protocol.Entry {
	return protocol.Entry{
		EntryKey: protocol.EntryKey{Kind: protocol.EntryStack, ID: id}, Version: version, Name: fmt.Sprintf("stack%d", id),
		Files: []protocol.File{{Path: "compose.yml", Hash: protocol.HashOf([]byte(content)), Size: int64(len(content))}},
	}
}

func give(id uint64) protocol.Command {
	return protocol.Command{ID: protocol.CommandID(id), Kind: protocol.CommandContainerStop, NotAfter: 1 << 40, Target: "web"}
}

func mark(n uint64) protocol.OrderMark { return protocol.OrderMark{Epoch: 1, Seq: n} }

// sent decodes what waits in the outbox, as text, in the order in which it is sent.
func sent(t *testing.T, s *Store) (out []string) {
	t.Helper()
	for _, it := range s.Outbox(1 << 30) {
		var err error
		switch it.Kind {
		case protocol.KindResult:
			var r protocol.CommandResult
			err = protocol.Unmarshal(it.Body, &r)
			out = append(out, fmt.Sprintf("result %d %s", r.ID, r.State))
		case protocol.KindStatus:
			var st protocol.StackStatus
			err = protocol.Unmarshal(it.Body, &st)
			out = append(out, fmt.Sprintf("status %d %s", st.Stack, st.State))
		case protocol.KindEvent:
			var e protocol.DeviceEvent
			err = protocol.Unmarshal(it.Body, &e)
			out = append(out, "event "+e.Kind)
		case protocol.KindOutput:
			var o protocol.Output
			err = protocol.Unmarshal(it.Body, &o)
			out = append(out, fmt.Sprintf("output %d at %d len %d dropped %v", o.Command, o.Offset, len(o.Data), o.Dropped))
		}
		must(t, err)
		if it.Class != it.Kind.Class() {
			t.Errorf("%s has class %s", it.Kind, it.Class)
		}
	}
	return out
}

func expect(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("outbox:\n got %q\nwant %q", got, want)
	}
}

func ackAll(t *testing.T, s *Store) {
	t.Helper()
	var ids []uint64
	for _, it := range s.Outbox(1 << 30) {
		ids = append(ids, it.ID)
	}
	must(t, s.AckOutbox(ids))
}
