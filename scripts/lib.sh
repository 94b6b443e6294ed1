# Shared by the scripts beside it, which source it first: . "$(dirname "$0")/lib.sh"
# It enters the top folder of the repository.
# shellcheck shell=bash
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
GO=${GO:-go}

say() { printf '\n== %s\n' "$*"; }

die() {
	printf '%s\n' "$*" >&2
	exit 1
}

# binary_name says what the binary of a folder below cmd/ is called.
binary_name() {
	case $1 in
	hub) echo farshore-hub ;;
	edgeagent) echo farshore-agent ;;
	composer) echo farshore-composer ;;
	*) echo "$1" ;;
	esac
}

# version is the tag or commit that is built, with "-dirty" for a changed tree.
version() { git describe --tags --always --dirty 2>/dev/null || echo unknown; }

# go_build FOLDER OUTPUT builds one static, stripped binary for GOOS, GOARCH and GOARM. FARSHORE_RELEASE_KEYS holds the
# public release keys that an agent trusts, separated by commas.
go_build() {
	local program=github.com/farshore/farshore/internal/program
	CGO_ENABLED=0 "$GO" build -trimpath -buildvcs=false -ldflags "-s -w -X $program.version=$(version) -X $program.releaseKeys=${FARSHORE_RELEASE_KEYS:-}" -o "$2" "./cmd/$1"
}

# commands lists the folders below cmd/ that hold a main.
commands() {
	local main
	for main in cmd/*/main.go; do
		if [ -e "$main" ]; then
			basename "$(dirname "$main")"
		fi
	done
}
