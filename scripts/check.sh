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

check_vet() {
	"$GO" vet ./... && "$GO" vet -tags soak,bench ./...
}

check_staticcheck() { "$GO" tool staticcheck -tags soak,bench ./...; }

check_imports() { "$GO" test -count=1 ./internal/depcheck; }

check_cross() {
	local dir status=0
	dir=$(mktemp -d)
	scripts/build.sh all "$dir" >/dev/null || status=1
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

part 'format' check_format
part 'scripts' check_scripts
part 'vet' check_vet
part 'staticcheck' check_staticcheck
part 'import rules' check_imports
part 'deps.txt' scripts/deps.sh check
part 'cross-compilation' check_cross
[ ${#failed[@]} = 0 ] || die "make check failed: ${failed[*]}"
