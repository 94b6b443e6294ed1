// Package spending is the agent's half of the economy: it counts every byte that the agent's connections cost, and keeps
// the device within its budget and its times of contact, whatever the hub asks for.
//
// It owns the connections' outermost layer below TLS (Wrap, Dial), the sums of days and of the billing cycle, and their
// durable record. Spending is reserved in the record before it happens, so that a power cut counts a little too much and
// never too little. It decides nothing about what is sent: others ask May or Await first; what does not ask is refused by
// the connection itself. See DESIGN.md.
//
// A Keeper is safe for concurrent use. Its durable writes happen in reading and writing of connections, in Run and in
// Close; everything else touches memory alone.
package spending
