#!/bin/bash
# Runs all tests. Without SKIP_ENGINE=1 they get a private Docker Engine, which ends with them, however they end.
#   ARGS   further arguments of `go test`
#   PKG    the packages, ./... by default, and then the console's own tests too
. "$(dirname "$0")/lib.sh"

if [ "${1:-}" != with-engine ]; then
	scripts/test-setup.sh
	case ${PKG:-./...} in
	./... | *web* | *internal/uitest*)
		# What is tested in a browser, by Go, is the console that is built here.
		say 'tests of the console'
		scripts/console.sh test
		scripts/console.sh build
		;;
	esac
	if [ -n "${SKIP_ENGINE:-}" ]; then
		echo 'SKIP_ENGINE is set: tests that need a Docker Engine are skipped.'
		exec scripts/test.sh with-engine
	fi
	export PATH=$PATH:/usr/sbin:/sbin
	"$GO" build -buildvcs=false -o .cache/withengine ./internal/testengine/withengine
	exec .cache/withengine scripts/test.sh with-engine
fi

# `make check` vets all, so what go test would vet again for each kind of build is left out. Words of ARGS and PKG are
# separate arguments on purpose.
# shellcheck disable=SC2206
args=(-vet=off ${ARGS:-}) packages=(${PKG:-./...})

# A browser ends its requests when engines of other tests make network interfaces, so the console's scenarios come first
# and by themselves.
if [ "${packages[*]}" = ./... ]; then
	say "the console's scenarios, in a browser"
	"$GO" test -timeout 20m "${args[@]}" ./internal/uitest
	mapfile -t packages < <("$GO" list ./... | grep -v '/internal/uitest$')
fi

# Virtual fleets, a hub and agents in a bubble of testing/synctest, run without the race detector: that of Go 1.26 crashes when it
# runs the timers of such bubbles (in tsan_rtl.cpp, or by SIGSEGV), with more than 20 agents nearly always, with one sometimes.
fleet=./internal/fleettest
raced=() fleets=()
for p in "${packages[@]}"; do
	case $p in
	*internal/fleettest) fleets=("$fleet") ;;
	*) raced+=("$p") ;;
	esac
done

# The race detector watches all but these libraries. They compute, share nothing, and are many times slower when watched.
computing=()
for library in github.com/klauspost/compress golang.org/x/crypto/{argon2,scrypt} github.com/santhosh-tekuri/jsonschema; do
	computing+=("-gcflags=$library/...=-race=false")
done

if [ ${#raced[@]} -gt 0 ]; then
	say 'tests, with the race detector'
	"$GO" test -race "${computing[@]}" -timeout 20m "${args[@]}" "${raced[@]}"
fi
if [ ${#fleets[@]} -gt 0 ]; then
	say 'virtual fleets, without the race detector'
	"$GO" test -timeout 20m "${args[@]}" "${fleets[@]}"
fi

# Tests that are too large for the race detector are called TestLarge…, in files with the constraint `//go:build !race`, and run
# here.
mapfile -t large < <(git grep -l --untracked '^func TestLarge' -- '*_test.go' | xargs -r -n1 dirname | sort -u | sed 's,^,./,' | grep -vFx "$fleet")
if [ ${#large[@]} -gt 0 ]; then
	say 'large tests, without the race detector'
	"$GO" test -timeout 20m -run '^TestLarge' "${args[@]}" "${large[@]}"
fi
