// Package depcheck holds the project's import rules, as tests: who may import whom (bans_test.go), which libraries have
// one importer, what a binary must not link, and that nothing runs before main (source_test.go).
//
// It owns the tables and their reasons and never anything that other code could call. A ban that stands in the way of a
// good change is changed together with its reason. It has no state.
package depcheck
