// Package state keeps what an edge agent must not forget: its identity, the orders it accepted, the journal of
// commands, the outbox of what the hub has not acknowledged yet, the reconciler's journal, what was spent on the
// link, and the blobs of bundles.
//
// It is the only importer of bbolt on the agent. It never talks to a hub or an engine and decides nothing about
// stacks or commands; it only makes their steps durable.
//
// A Store has two backings with one behaviour: a data folder (OpenDisk) and plain maps (NewMemory, for simulated
// devices). Both keep a mirror in memory, so that reading never touches the disk; every method that changes something
// is one transaction, written before the mirror is seen by anybody. Nothing is written when nothing changes: an idle
// device does not wear its flash. DESIGN.md has the crash cases.
//
// A Store is safe for concurrent use. What it returns is shared and must not be modified.
package state
