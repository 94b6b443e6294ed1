#!/bin/bash
# Builds and runs as `make run` does, and again whenever a source file changes. A build that fails leaves the running
# one alone.
. "$(dirname "$0")/lib.sh"

mkdir -p .cache
stamp=.cache/dev-stamp
runner=''

stop() {
	if [ -n "$runner" ]; then
		kill -TERM "$runner" 2>/dev/null || true
		wait "$runner" || true
		runner=''
	fi
}
trap 'stop; exit 0' INT TERM

changed() {
	[ -n "$(find . -path ./.git -prune -o -path ./data -prune -o -path ./bin -prune -o -path ./.cache -prune \
		-o -path ./web/dist -prune -o -name node_modules -prune -o -type f \( -name '*.go' -o -name 'go.*' -o -name '*.sh' -o -path './web/*' \) \
		-newer "$stamp" -print -quit)" ]
}

while :; do
	touch "$stamp"
	if scripts/build.sh; then
		stop
		scripts/run.sh &
		runner=$!
	else
		echo 'The build failed; waiting for the next change.'
	fi
	until changed; do
		sleep 1
	done
done
