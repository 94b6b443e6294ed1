#!/bin/bash
# deps.sh write    writes cmd/*/deps.txt: what each binary links, as modules and packages of our own
# deps.sh check    says which of them are not up to date
. "$(dirname "$0")/lib.sh"

# linked prints one line for each module and each own package in the binary. Same on every machine: built for linux/amd64.
linked() {
	local format='{{if not .Standard}}{{with .Module}}{{if .Main}}{{$.ImportPath}}{{else}}{{.Path}}{{end}}{{end}}{{end}}'
	GOOS=linux GOARCH=amd64 CGO_ENABLED=0 "$GO" list -deps -f "$format" "./cmd/$1" | grep . | LC_ALL=C sort -u
}

stale=''
for command in $(commands); do
	file=cmd/$command/deps.txt
	case ${1:-} in
	write) linked "$command" >"$file" ;;
	check)
		now=$(linked "$command")
		if ! diff -u --label "$file" --label 'what it links now' <(cat "$file" 2>/dev/null) <(echo "$now"); then
			stale="$stale $file"
		fi
		;;
	*) die "usage: deps.sh write|check" ;;
	esac
done
[ -z "$stale" ] || die "Not up to date:$stale. If the new dependency is meant, run \`make deps\` and commit the files."
