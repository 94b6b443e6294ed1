// Package uitest runs the console's scenarios, which are in web/ui/e2e: a browser, on the real programs as processes.
//
// It builds the programs with the console that is in web/dist, gives the scenarios a Docker Engine, runs each of them by
// Node, and ends what they started. What is tested, and how, the scenarios say. It has no code but tests.
//
// FARSHORE_E2E_BIN names a folder with ready-made programs, in place of those that a run builds for itself.
package uitest
