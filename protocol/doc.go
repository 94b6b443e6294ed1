// Package protocol owns everything that travels between a hub and an edge agent: identifiers, frames, message
// kinds, payload types, limits, topics, the codec and the capability history. Hub and agent use its types as they
// are; there is no second copy of any of them.
//
// It does no I/O, keeps no state of its own and knows neither side's code. All functions are safe for concurrent
// use unless their comment says otherwise.
//
// Every payload is a CBOR map with integer keys (RFC 8949, core deterministic encoding). A field that is absent has
// the meaning its comment gives; unless it says otherwise, absent and zero mean the same. Unknown fields and
// unknown message kinds are skipped, never fatal, so that neighbouring versions work together.
package protocol

// Capability is what this build understands of the protocol. A peer's capability is given in Hello and Welcome;
// each side uses only what both understand.
//
// History (a test holds the last entry to the constant):
//
//	1 (2026-11-22): first version: frames, hello, snapshot full and patch, orders, stacks, commands, blobs.
//	2 (2026-11-22): command "update" and its release; programs and "cannot update itself" in hello; codes of results.
//	3 (2026-11-22): stacks that are watched, retried, held back and sealed; holds at the device; progress of fetching.
//	4 (2026-11-22): link rules in settings: budgets, windows of contact, images through the agent; usage.
//	5 (2026-11-23): jobs: entries, runs, output, and commands about them.
//	6 (2026-11-23): tunnels: asked for in orders, refused by a message.
const Capability = 6

// OldestCapability is the lowest capability of a peer that this build still works with.
const OldestCapability = 1
