package stacks

import (
	"strings"
	"testing"

	"github.com/farshore/farshore/protocol"
)

// The whole table, one line for each state: what may follow beside fetching, removing, pending, offered and deferred,
// which may follow all but a state that there is not.
const transitions = `
pending:
offered:            applying running failed waiting fetched waiting-for-window rolling-back
deferred:
fetching:           applying running failed waiting fetched waiting-for-window rolling-back
fetched:            applying failed waiting fetched waiting-for-window rolling-back
waiting-for-window: applying failed waiting fetched waiting-for-window rolling-back
applying:           verifying running failed waiting rolling-back
verifying:          running degraded failed waiting rolling-back
running:            degraded applying waiting failed fetched waiting-for-window rolling-back
degraded:           running applying waiting failed fetched waiting-for-window rolling-back
failed:             applying waiting running degraded rolling-back rolled-back fetched waiting-for-window
waiting:            applying failed running degraded rolling-back fetched waiting-for-window verifying
rolling-back:       rolled-back failed waiting applying
rolled-back:        applying waiting failed fetched waiting-for-window rolling-back
removing:           removed waiting failed
removed:
`

func TestTransitions(t *testing.T) {
	table := map[protocol.StackState]map[protocol.StackState]bool{}
	for line := range strings.Lines(transitions) {
		name, next, ok := strings.Cut(line, ":")
		if !ok {
			continue
		}
		var from protocol.StackState
		if err := from.UnmarshalText([]byte(name)); err != nil {
			t.Fatal(err)
		}
		table[from] = map[protocol.StackState]bool{}
		for _, word := range append(strings.Fields(next), "fetching", "removing", "pending", "offered", "deferred", name) {
			var to protocol.StackState
			if err := to.UnmarshalText([]byte(word)); err != nil {
				t.Fatal(err)
			}
			table[from][to] = true
		}
	}
	for from := protocol.StackPending; from <= protocol.StackRolledBack; from++ {
		for to := protocol.StackState(0); to <= protocol.StackRolledBack+1; to++ {
			if got, want := Legal(from, to), table[from][to]; got != want {
				t.Errorf("%s to %s: legal %v, want %v", from, to, got, want)
			}
		}
		hub := from == protocol.StackPending || from == protocol.StackOffered || from == protocol.StackDeferred
		if Reported(from) == hub {
			t.Errorf("%s: a device may report it: %v", from, Reported(from))
		}
	}
}
