#!/bin/bash
# The console, whose source is in web/ui.
#   console.sh build    builds it into web/dist, unless what is there was built from this source
#   console.sh check    format, lint and types, and whether its API client is that of the hub's API
#   console.sh test     its unit tests
#   console.sh api      generates its API client
# Without Node, or with SKIP_CONSOLE=1, it says so and does nothing: a hub without the console is a whole hub.
# FARSHORE_REQUIRE_NODE=1 makes that a failure.
. "$(dirname "$0")/lib.sh"

ui=web/ui

# node_is_there tells whether the console can be built here, and sets $why_not. Vite has the same bounds.
node_is_there() {
	why_not=''
	if [ -n "${SKIP_CONSOLE:-}" ]; then
		why_not='SKIP_CONSOLE is set'
	elif ! command -v node >/dev/null || ! command -v npm >/dev/null; then
		why_not='no Node here (20.19 or newer, with npm)'
	elif ! node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 22 || (a === 22 && b >= 12) || (a === 20 && b >= 19) ? 0 : 1)'; then
		why_not="Node $(node --version) is too old (20.19, 22.12 or newer is needed)"
	fi
	[ -z "$why_not" ]
}

# install brings node_modules to what package-lock.json says. None of the packages needs to run anything to be installed.
install() {
	if [ ! $ui/node_modules/.package-lock.json -nt $ui/package-lock.json ]; then
		npm --prefix $ui ci --no-audit --no-fund --ignore-scripts ||
			die 'The console needs packages that npm does not install. SKIP_CONSOLE=1 builds without the console.'
	fi
}

# source_hash stands for all that the console is built from.
source_hash() {
	find $ui -name node_modules -prune -o -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum | cut -d' ' -f1
}

build() {
	local stamp=web/dist/.built-from hash
	hash=$(source_hash)
	if [ -e web/dist/index.html ] && [ "$(cat $stamp 2>/dev/null)" = "$hash" ]; then
		return
	fi
	install
	rm -f $stamp
	npm --prefix $ui run --silent build
	echo "$hash" >$stamp
}

# check generates the API client in its place, and puts back what was there.
check() {
	local client=$ui/src/api/schema.d.ts before=.cache/schema.d.ts same
	install
	npm --prefix $ui run --silent check
	cp -p $client $before
	npm --prefix $ui run --silent api >/dev/null
	cmp -s $client $before && same=yes || same=no
	cp -p $before $client
	[ $same = yes ] || die "The console's API client is not that of the hub's API: run \`make api\` and commit $client."
}

case ${1:-} in
build | check | test | api) ;;
*) die 'usage: console.sh build|check|test|api' ;;
esac
if ! node_is_there; then
	[ -z "${FARSHORE_REQUIRE_NODE:-}" ] || die "console $1: $why_not"
	echo "console $1 skipped: $why_not"
	if [ "$1" = build ]; then
		[ -e web/dist/index.html ] && echo '  The hub gets the console that was built before.' || echo '  The hub gets a plain page in its place.'
	fi
	exit 0
fi

# Two at once, from two terminals, would install over each other.
mkdir -p .cache
exec 9>.cache/console.lock
if command -v flock >/dev/null; then
	flock 9
fi
case $1 in
build) build ;;
check) check ;;
test)
	install
	npm --prefix $ui test
	;;
api)
	install
	npm --prefix $ui run --silent api
	;;
esac
