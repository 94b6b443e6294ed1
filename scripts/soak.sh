#!/bin/bash
# Runs the tests that take too long for `make test`: files with the constraint `//go:build soak`, functions TestSoak….
. "$(dirname "$0")/lib.sh"

if [ "${1:-}" != with-engine ]; then
	scripts/test-setup.sh
	if [ -n "${SKIP_ENGINE:-}" ]; then
		exec scripts/soak.sh with-engine
	fi
	export PATH=$PATH:/usr/sbin:/sbin
	"$GO" build -buildvcs=false -o .cache/withengine ./internal/testengine/withengine
	exec .cache/withengine scripts/soak.sh with-engine
fi

# shellcheck disable=SC2206
args=(${ARGS:-}) packages=(${PKG:-./...})
say 'soak tests'
"$GO" test -tags soak -run Soak -timeout 4h -v "${args[@]}" "${packages[@]}"
