// Package stacks is the core of edge stacks: what a stack and a version are, which bundle is acceptable, where a stack
// can stand on a device, and the stable words for the reasons.
//
// It is pure: no I/O, no clock, no state. The hub's half is package planner, the device's half package reconciler;
// neither is imported here. Everything may be used concurrently.
package stacks
