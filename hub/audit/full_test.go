package audit_test

import (
	"errors"
	"strings"
	"syscall"
	"testing"

	"github.com/farshore/farshore/hub/audit"
)

// A trail that cannot be written says so for as long as that is, and then how much it lacks.
func TestTheTrailSaysWhatItLacks(t *testing.T) {
	w := newTrail(t)
	entry := audit.Entry{Principal: "anna", Operation: "stacks.apply", Result: audit.ResultDone}
	if err := errors.Join(w.log.Record(entry), w.log.Broken()); err != nil {
		t.Fatal(err)
	}
	free := w.log.FillDisk(t)
	for range 2 {
		if err := w.log.Record(entry); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("recorded on a full disk: %v", err)
		}
	}
	if err := w.log.Again(); !errors.Is(err, syscall.ENOSPC) || !errors.Is(w.log.Broken(), syscall.ENOSPC) {
		t.Errorf("on a full disk: %v, broken because of %v", err, w.log.Broken())
	}
	free()
	if err := errors.Join(w.log.Again(), w.log.Broken(), w.log.Again()); err != nil {
		t.Errorf("with room again: %v", err)
	}
	p, err := w.log.Page(t.Context(), audit.Query{})
	if err != nil || len(p.Lines) != 2 {
		t.Fatalf("the trail has %+v, %v", p.Lines, err)
	}
	if l := p.Lines[0]; l.Operation != audit.OpGap || !strings.Contains(l.Detail, "before this: 2") {
		t.Errorf("what is missing is told as %+v", l.Entry)
	}
}
