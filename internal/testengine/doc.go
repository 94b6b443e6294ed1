// Package testengine gives tests a real Docker Engine, a real Podman, images made on the spot, and a registry, on a machine without
// access to any other registry.
//
// It owns: the private engines (DESIGN.md), the images built from the machine's static busybox, and the registry process.
// It never touches the machine's own engine, its data, its bridges or its firewall chains, and it is imported by tests
// and by its own command only.
//
// `make test` starts one engine for all packages and names it in FARSHORE_TEST_ENGINE; Host returns it. Tests share it,
// package beside package, so they give containers, networks and stacks names of their own, and never prune or count
// what others may have made. A test that stops, kills or inspects a whole engine starts its own with Start.
//
// An Engine may be used from several goroutines; its methods wait for each other. Everything else is stateless.
package testengine
