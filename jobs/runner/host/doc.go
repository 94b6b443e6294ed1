// Package host runs jobs' scripts on the device itself, as processes of the agent's.
//
// It owns a folder for each run, and the processes that the run has started, also those that became daemons: they are known
// by the variables FARSHORE_RUN and FARSHORE_DEVICE that they inherit, by their session, and by their parents (processes.go),
// so that also an agent that was killed finds them when it is back. When a run ends, what is left of it is ended. A process
// that clears its environment, begins a session of its own and outlives its parent is not found.
//
// It decides nothing about when and how often a script runs. An Executor's methods may be called from anywhere.
package host
