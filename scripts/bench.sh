#!/bin/bash
# Runs all benchmarks and writes docs/bench/go.txt; then, where it is there, internal/benchwire, which counts bytes on
# the wire and writes the table of the protocol's numbers beside their targets.
. "$(dirname "$0")/lib.sh"

mkdir -p docs/bench
out=$(mktemp)
trap 'rm -f "$out"' EXIT
{
	echo "date:    $(date -u +%F)"
	echo "commit:  $(version)"
	echo "machine: $(nproc) × $(awk -F ': ' '/^model name/ { print $2; exit }' /proc/cpuinfo 2>/dev/null || uname -m)"
	echo "system:  $(uname -srm), $("$GO" version | cut -d' ' -f3)"
	echo
} | tee "$out"
"$GO" test -run '^$' -bench . -benchmem ./... | grep -v -e 'no test files' -e '^PASS$' | tee -a "$out"
cp "$out" docs/bench/go.txt
if [ -d internal/benchwire ]; then
	"$GO" test -tags bench -timeout 30m -v ./internal/benchwire
fi
