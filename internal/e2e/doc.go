// Package e2e has the end-to-end tests: the real programs farshore-hub, farshore-agent, farshore-composer and farshore
// as processes, on real ports and data folders, with a real Docker Engine for each device.
//
// It sees the programs as an operator and his scripts do: flags, environment, exit codes, the JSON of the CLI, files and
// signals; and the engine by the engine's own API. It imports no part of what it tests, so that a change of a type
// cannot change test and program alike. It has no code but tests.
//
// Each scenario owns its processes, ports, folders and engine, and scenarios run at the same time; a process is ended by
// its id alone, and by the kernel when the test binary dies. Waiting is for a condition, never for a time.
//
// FARSHORE_E2E_BIN names a folder with ready-made programs, in place of those that a run builds for itself.
package e2e
