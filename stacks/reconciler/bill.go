package reconciler

import "sync/atomic"

// billStep is after how many bytes what files have cost is journaled: so many at most are forgotten by a power cut.
const billStep = 32 << 10

// bill is what the files of a job's entry cost on the link. What they cost before a restart is in the journal.
type bill struct {
	r     *Reconciler
	j     *job
	bytes atomic.Uint64 // since the job began
	was   uint64        // before it
	noted atomic.Uint64 // of bytes, in the journal
	due   chan struct{} // receives when more is to be noted
}

// bill begins one. Only files of an entry that is prepared cost its version something.
func (r *Reconciler) bill(j *job) *bill {
	b := &bill{r: r, j: j, due: make(chan struct{}, 1)}
	if j.why == prepare {
		b.was = j.was.toward(j.entry, PhaseFetching).Cost
		j.stack.spent.of(j.entry.Version).files = b.was
	}
	return b
}

// add is FetchFile.Spent.
func (b *bill) add(n uint64) {
	if b.bytes.Add(n)-b.noted.Load() < billStep {
		return
	}
	select {
	case b.due <- struct{}{}:
	default:
	}
}

// note makes durable what is on the bill.
func (b *bill) note() error {
	bytes := b.bytes.Load()
	if b.j.why != prepare || bytes == b.noted.Load() {
		return nil
	}
	b.j.stack.spent.of(b.j.entry.Version).files = b.was + bytes
	b.noted.Store(bytes)
	return b.r.cfg.State.PutApplied(b.j.toward(PhaseFetching))
}

// toward is the line of the journal for a phase of preparing the job's entry, with what its files have cost.
func (j *job) toward(phase Phase) Applied {
	line := j.was.toward(j.entry, phase)
	line.Cost = j.stack.spent.of(j.entry.Version).files
	return line
}
