package state

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/farshore/farshore/economy/spending"
	"github.com/farshore/farshore/internal/durable"
	"github.com/farshore/farshore/protocol"
)

// standingName is the file with what a device needs to go on as itself when the database is lost.
const standingName = "identity.cbor"

// standingVersion is the version of the file's content that this build reads and writes.
const standingVersion = 1

// countersAhead is how far the counters in the file are ahead of those in the database, so that the file is written
// seldom and no number is ever given twice.
const countersAhead = 1024

// standing is the copy of what a device cannot get back from its hub.
type standing struct {
	Device   string             `cbor:"1,keyasint"`
	Boot     uint64             `cbor:"2,keyasint"`
	EdgeKey  string             `cbor:"3,keyasint,omitempty"`
	Approval Approval           `cbor:"4,keyasint,omitempty"`
	Mark     protocol.OrderMark `cbor:"5,keyasint"`
	// Taken is the highest command id that was ever accepted or repealed.
	Taken protocol.CommandID `cbor:"6,keyasint,omitempty"`
	// Counters are not yet reached.
	Counters counters `cbor:"7,keyasint"`
	// Spent on the link.
	Spent spentAhead `cbor:"8,keyasint,omitzero"`
}

// spentAhead is what was spent in a billing cycle, rounded up, so that the file is written seldom.
type spentAhead struct {
	Cycle uint32 `cbor:"1,keyasint"`
	Day   uint32 `cbor:"2,keyasint"`
	Bytes uint64 `cbor:"3,keyasint"`
}

// leastAhead is how far spentAhead is ahead at the least.
const leastAhead = 64 << 10

// aheadOf gives what to keep of a record: what is kept, while it is enough.
func (kept spentAhead) aheadOf(r spending.Record) spentAhead {
	spent := r.Spent + r.Reserved
	if spent == 0 || kept.Cycle == r.First && spent <= kept.Bytes {
		return kept
	}
	return spentAhead{Cycle: r.First, Day: r.Day, Bytes: spent + max(spent/16, leastAhead)}
}

// copied is the content of the file.
type copied struct {
	Standing standing `cbor:"1,keyasint"`
	// Open are the commands whose results the hub had not acknowledged when the standing changed last; it may have some
	// of them by now.
	Open []protocol.CommandID `cbor:"2,keyasint,omitempty"`
}

// sealed is the file: the content with its hash, which tells a file that was spoilt.
type sealed struct {
	_       struct{} `cbor:",toarray"`
	Version uint
	Body    []byte
	Sum     protocol.Hash
}

// readStanding reads the file; false when there is none or it was spoilt.
func readStanding(dir string) (c copied, ok bool, err error) {
	raw, err := os.ReadFile(filepath.Join(dir, standingName))
	var s sealed
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return c, false, nil
	case errors.Is(err, fs.ErrPermission):
		return c, false, fmt.Errorf("read %q: no permission: run as the folder's owner: %w", filepath.Join(dir, standingName), err)
	case err != nil, protocol.Unmarshal(raw, &s) != nil, protocol.HashOf(s.Body) != s.Sum:
		return c, false, nil // the database has all of it; it is written anew
	case s.Version > standingVersion:
		return c, false, fmt.Errorf("%w: %s of version %d, this build knows %d: start the newer farshore-agent again", ErrNewer, standingName, s.Version, standingVersion)
	}
	if err := protocol.Unmarshal(s.Body, &c); err != nil {
		return copied{}, false, nil
	}
	return c, true, nil
}

// keepStanding writes the file when the device's standing has changed. A command that is open is so by an order, which
// changes it.
func (d *disk) keepStanding(next standing, data *data) error {
	next.Counters, next.Spent = ahead(d.kept.Counters, next.Counters), d.kept.Spent.aheadOf(data.spending)
	if next == d.kept {
		return nil
	}
	c := copied{Standing: next}
	for id, known := range data.commands {
		if known.Stage != stageAcked {
			c.Open = append(c.Open, id)
		}
	}
	slices.Sort(c.Open)
	body, err := protocol.Marshal(c)
	if err != nil {
		return fmt.Errorf("encode %s: %w", standingName, err)
	}
	raw, err := protocol.Marshal(sealed{Version: standingVersion, Body: body, Sum: protocol.HashOf(body)})
	if err != nil {
		return fmt.Errorf("encode %s: %w", standingName, err)
	}
	if err := durable.Replace(filepath.Join(d.dir, standingName), raw); err != nil {
		return fmt.Errorf("write %s: %w", standingName, err)
	}
	d.kept = next
	return nil
}

// ahead returns the counters to keep: those kept, or new ones where they were reached.
func ahead(kept, now counters) counters {
	next := func(kept, now uint64) uint64 {
		if now >= kept || kept > now+2*countersAhead {
			return now + countersAhead
		}
		return kept
	}
	return counters{
		Outbox: next(kept.Outbox, now.Outbox), Rev: next(kept.Rev, now.Rev), Event: next(kept.Event, now.Event),
		Run: next(kept.Run, now.Run),
	}
}

// standing is what the copy has to say now.
func (s *Store) standing() standing {
	d := s.data
	return standing{
		Device: string(s.id.ID), Boot: d.boot, EdgeKey: d.edgeKey, Approval: d.approval, Mark: d.mark, Taken: d.taken,
		Counters: d.counters,
	}
}

// takeOver makes the mirror of an empty database what the copy says. Commands up to the last one that was accepted are
// as if they had been there and forgotten: they may have run, and must not run again.
func (d *data) takeOver(st standing) {
	d.boot, d.edgeKey, d.approval, d.mark = st.Boot, st.EdgeKey, st.Approval, st.Mark
	d.taken, d.floor, d.counters = st.Taken, st.Taken, st.Counters
	d.spending = spending.Lost(st.Spent.Day, st.Spent.Bytes)
}

// putStanding writes what was taken over into the database.
func (t *txn) putStanding() {
	t.put(keyEdgeKey, t.d.edgeKey)
	t.put(keyApproval, uint8(t.d.approval))
	t.put(keyMark, t.d.mark)
	t.put(keyFloor, t.d.floor)
	t.put(keyCounters, t.d.counters)
	t.put(keySpending, t.d.spending)
}

// interruptLost gives a result to the commands that were open when the database was lost.
func (t *txn) interruptLost(open []protocol.CommandID) {
	for _, id := range open {
		t.setCommand(command{Command: protocol.Command{ID: id}, Stage: stageAccepted})
		t.finish(id, protocol.CommandResult{
			ID: id, State: protocol.CommandInterrupted,
			Text: "the device lost its journal: the command may or may not have had its effect",
		})
	}
}
