// Package jobs is the vocabulary of edge jobs: scripts that devices run by a schedule, whether or not their hub can be
// reached. It has what hub and agent must compute alike: when a job is due on a device.
//
// It keeps no state and starts nothing. The hub's half is jobs/dispatch, the agent's jobs/runner; DESIGN.md says what is
// kept where, and why a run happens once.
package jobs
