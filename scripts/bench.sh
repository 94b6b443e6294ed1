#!/bin/bash
# Runs all benchmarks and writes docs/bench/: go.txt, the Go benchmarks of all packages, and data.md, the numbers of the
# protocol beside their targets, with bytes counted on the wire (internal/benchwire; needs Linux and root). SKIP_ENGINE=1
# does without a Docker Engine. bench.sh go and bench.sh wire do one half.
. "$(dirname "$0")/lib.sh"

go_benchmarks() {
	local out
	out=$(mktemp)
	{
		echo "date:    $(date -u +%F)"
		echo "commit:  $(version)"
		echo "machine: $(nproc) × $(awk -F ': ' '/^model name/ { print $2; exit }' /proc/cpuinfo 2>/dev/null || uname -m)"
		echo "system:  $(uname -srm), $("$GO" version | cut -d' ' -f3)"
		echo "load:    $(cut -d' ' -f1-3 /proc/loadavg 2>/dev/null || echo unknown)"
		echo
	} | tee "$out"
	"$GO" test -run '^$' -bench . -benchmem ./... | grep -v -e 'no test files' -e '^PASS$' | tee -a "$out"
	mv "$out" docs/bench/go.txt
	chmod 644 docs/bench/go.txt
}

# wire takes about ten minutes: real pings are waited for.
wire() {
	local run=("$GO" test -tags bench -count 1 -timeout 30m -v -run TestNumbers ./internal/benchwire -args -out "$PWD/docs/bench/data.md")
	if [ -n "${SKIP_ENGINE:-}" ]; then
		"${run[@]}"
	else
		"$GO" run ./internal/testengine/withengine "${run[@]}"
	fi
}

mkdir -p docs/bench
case ${1:-} in
'')
	go_benchmarks
	wire
	;;
go) go_benchmarks ;;
wire) wire ;;
*) die "usage: bench.sh [go | wire]" ;;
esac
