#!/bin/bash
# Everything that can be said of the code without running it. All parts run, then the first failure decides.
. "$(dirname "$0")/lib.sh"

failed=()

# part NAME COMMAND… runs one part and keeps its failure for the end.
part() {
	local name=$1 began=$SECONDS
	shift
	if "$@"; then
		printf 'ok    %-24s %d s\n' "$name" $((SECONDS - began))
	else
		printf 'FAIL  %-24s %d s\n' "$name" $((SECONDS - began))
		failed+=("$name")
	fi
}

check_format() {
	local files
	files=$(scripts/gofiles.sh | xargs -r "$GO" tool gofumpt -l)
	[ -z "$files" ] || { printf 'Not formatted (make fmt):\n%s\n' "$files"; return 1; }
}

# Nothing has a constraint that asks for the absence of these tags.
check_vet() { "$GO" vet -tags soak,bench ./...; }

check_staticcheck() { "$GO" tool staticcheck -tags soak,bench ./...; }

check_imports() { "$GO" test -count=1 ./internal/depcheck; }

# check_cross builds what runs on devices for the other kinds of them. Flags that change nothing about whether it builds
# are left out, so that the compiler's cache is shared with the parts before.
check_cross() {
	local dir command arch status=0 packages=()
	for command in edgeagent composer; do
		[ ! -e "cmd/$command/main.go" ] || packages+=("./cmd/$command")
	done
	[ ${#packages[@]} -gt 0 ] || return 0
	dir=$(mktemp -d)
	for arch in arm64 arm; do
		CGO_ENABLED=0 GOOS=linux GOARCH=$arch GOARM=7 "$GO" build -buildvcs=false -ldflags '-s -w' -o "$dir/" "${packages[@]}" || status=1
	done
	rm -rf "$dir"
	return $status
}

# check_units has systemd judge the units, whose programs need not be installed here; where it cannot, nothing is said.
# The thresholds are what they expose now, in tenths.
check_units() {
	local dir unit limit status=0
	command -v systemd-analyze >/dev/null && systemd-analyze security --help | grep -q -- --offline || return 0
	dir=$(mktemp -d)
	while read -r unit limit; do
		sed -E 's,^ExecStart=\S+,ExecStart=/bin/true,' "deploy/$unit" >"$dir/$unit"
		systemd-analyze verify "$dir/$unit" || status=1
		systemd-analyze security --offline=true --threshold="$limit" "$dir/$unit" >"$dir/out" || { tail -n 1 "$dir/out"; status=1; }
	done <<-'UNITS'
		farshore-hub.service 20
		farshore-agent.service 31
	UNITS
	rm -rf "$dir"
	return $status
}

check_scripts() {
	local file status=0
	for file in .ci/run $(git ls-files -co --exclude-standard -- '*.sh'); do
		bash -n "$file" || status=1
	done
	return $status
}

# check_console waits for what was begun below, and shows what it said.
check_console() {
	local status=0
	wait "$console" || status=$?
	cat .cache/check-console
	return $status
}

# Half of the console's part waits for the network, so it goes on beside the others. It changes a file for a moment: no
# part that looks at the whole tree comes before its end.
mkdir -p .cache
scripts/console.sh check >.cache/check-console 2>&1 &
console=$!

part 'format' check_format
part 'scripts' check_scripts
part 'units' check_units
part 'vet' check_vet
part 'staticcheck' check_staticcheck
part 'import rules' check_imports
part 'deps.txt' scripts/deps.sh check
part 'cross-compilation' check_cross
part 'console' check_console
part 'reproducible build' scripts/dist.sh check
[ ${#failed[@]} = 0 ] || die "make check failed: ${failed[*]}"
