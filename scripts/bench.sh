#!/bin/bash
# Runs all benchmarks and writes docs/bench/: go.txt, the Go benchmarks of all packages, and data.md, the numbers of the
# protocol beside their targets, with bytes counted on the wire (internal/benchwire; needs Linux and root). SKIP_ENGINE=1
# does without a Docker Engine; jobs.md, what the runs of a job cost; update.md, what an update of agent and composer costs;
# backup.md, backup and restore of a hub of 1,000 devices; stacks.md, stacks and rollouts of 5,000 devices; and console.md,
# the console with 10,000 devices in a browser. bench.sh go, bench.sh wire, bench.sh jobs, bench.sh update, bench.sh backup,
# bench.sh stacks and bench.sh ui do one of them; bench.sh profiles measures the ready-made profiles alone, a section of
# data.md, bench.sh jobs-hub what jobs cost a hub, a section of jobs.md, and bench.sh economy the benchmarks of the ledger and of estimates alone, economy.txt.
. "$(dirname "$0")/lib.sh"

# go_benchmarks FILE PACKAGE…
go_benchmarks() {
	local out file=$1
	shift
	out=$(mktemp)
	{
		echo "date:    $(date -u +%F)"
		echo "commit:  $(version)"
		echo "machine: $(nproc) × $(awk -F ': ' '/^model name/ { print $2; exit }' /proc/cpuinfo 2>/dev/null || uname -m)"
		echo "system:  $(uname -srm), $("$GO" version | cut -d' ' -f3)"
		echo "load:    $(cut -d' ' -f1-3 /proc/loadavg 2>/dev/null || echo unknown)"
		echo
	} | tee "$out"
	"$GO" test -run '^$' -bench . -benchmem "$@" | grep -v -e 'no test files' -e '^PASS$' | tee -a "$out"
	mv "$out" "$file"
	chmod 644 "$file"
}

# economy takes about a minute.
economy() { go_benchmarks docs/bench/economy.txt ./economy/...; }

# wire takes about ten minutes: real pings are waited for.
wire() {
	local run=("$GO" test -tags bench -count 1 -timeout 30m -v -run TestNumbers ./internal/benchwire -args -out "$PWD/docs/bench/data.md")
	if [ -n "${SKIP_ENGINE:-}" ]; then
		"${run[@]}"
	else
		"$GO" run ./internal/testengine/withengine "${run[@]}"
	fi
}

# profiles takes about five minutes and writes the section of data.md about the ready-made profiles anew. It needs no engine.
profiles() {
	"$GO" test -tags bench -count 1 -timeout 15m -v -run 'TestNumbers/profiles' ./internal/benchwire -args -out "$PWD/docs/bench/data.md"
}

# jobs takes about ten minutes: runs are a minute apart. It needs no engine.
jobs() {
	"$GO" test -tags bench -count 1 -timeout 15m -v -run '^TestJobs$' ./internal/benchwire -args -out "$PWD/docs/bench/jobs.md"
	jobs_hub
}

# jobs_hub writes the section of jobs.md about the hub anew.
jobs_hub() {
	"$GO" test -tags bench -count 1 -timeout 20m -run '^TestJobFigures$' ./hub/api -args -out "$PWD/docs/bench/jobs.md"
}

# ui takes about ten minutes the first time, in which the fleet is made that is kept in .cache for the next.
ui() {
	scripts/build.sh
	[ -e web/dist/index.html ] || die 'There is no console to measure: run `make console`, which needs Node.'
	node web/ui/e2e/bench.mjs docs/bench/console.md
}

# update builds agent and composer several times.
update() {
	"$GO" test -tags bench -count 1 -timeout 30m -run '^TestFigures$' ./edgeagent/update -args -out "$PWD/docs/bench/update.md"
}

# backup takes some minutes: 1,000 devices join and come back.
backup() {
	FARSHORE_E2E_FIGURES="$PWD/docs/bench/backup.md" "$GO" test -tags soak -count 1 -timeout 30m -v -run '^TestSoakBackupUnderLoad$' ./internal/e2e
}

# stacks takes about a minute.
stacks() {
	"$GO" test -tags bench -count 1 -timeout 10m -run '^TestFigures$' ./stacks/planner -args -out "$PWD/docs/bench/stacks.md"
}

mkdir -p docs/bench
case ${1:-} in
'')
	go_benchmarks docs/bench/go.txt ./...
	economy
	wire
	jobs
	update
	backup
	stacks
	ui
	;;
go) go_benchmarks docs/bench/go.txt ./... ;;
economy) economy ;;
wire) wire ;;
jobs) jobs ;;
jobs-hub) jobs_hub ;;
profiles) profiles ;;
update) update ;;
backup) backup ;;
stacks) stacks ;;
ui) ui ;;
*) die "usage: bench.sh [go | economy | wire | jobs | jobs-hub | profiles | update | backup | stacks | ui]" ;;
esac
