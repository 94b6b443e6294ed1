// Package reconciler is the device's half of edge stacks: it compares the desired set with what was applied, and takes
// the steps between: files are fetched, staged, and handed to the composer; what is no longer desired is taken down;
// what came of it is reported.
//
// It owns the order of those steps, the journal that makes them safe to repeat after a crash, back-off, and the
// judgement whether an applied stack still runs as it should. It never talks to a hub or an engine itself, and never
// touches what already runs as desired. It needs no hub: what is desired and present is applied.
//
// One goroutine (Run) owns all decisions; each stack has at most one job at a time, which owns the stack until it
// ends. The methods of a Reconciler may be called from anywhere. DESIGN.md has the journal and the crash cases.
package reconciler
