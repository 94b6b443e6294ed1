// Package update replaces the agent and its composer by those of another release, and goes back by itself when they do
// not prove themselves.
//
// It owns the folder "update" in the data folder: two slots for programs, and the record that says which of them runs.
// The Updater prepares a slot in the running agent; Launch, which is the installed program at its start, puts it on trial
// and decides what runs. It never touches stacks, the journal of the agent, or the installed programs. DESIGN.md has the
// states and what a power cut does to each.
//
// The record has one writer at a time: the launcher before it starts a program and after that has ended, the agent in
// between. An Updater may be used from anywhere; Launch is called once, before anything else.
package update
