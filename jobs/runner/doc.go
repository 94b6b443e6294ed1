// Package runner is the agent's half of jobs: it runs each job of the desired set when it is due, whether or not the hub
// can be reached, and says what came of each due time, once.
//
// It owns the rules: what is due, what is skipped, what is made up for, how often a run is tried, and what of its output
// goes to the hub. How a script is run is an Executor's. It never talks to the hub: reports and output go into the outbox of
// the state. DESIGN.md says why a run happens once.
//
// A Runner's methods may be called from anywhere; Run is called once.
package runner
