#!/bin/bash
# build.sh        builds the console where Node is, and every command into bin/, for this machine
# build.sh all    builds agent, composer and hub for every kind of machine into bin/OS-ARCH/; the hub not for arm v7
. "$(dirname "$0")/lib.sh"

build_here() {
	local command
	for command in $(commands); do
		go_build "$command" "bin/$(binary_name "$command")"
	done
	ls -l --block-size=kB bin | awk 'NR > 1 { printf "  %-20s %s\n", $9, $5 }'
}

build_devices() {
	local target command arch
	for target in amd64 arm64 armv7; do
		arch=${target%v7}
		for command in edgeagent composer hub; do
			if [ -e "cmd/$command/main.go" ] && [ "$command-$target" != hub-armv7 ]; then
				GOOS=linux GOARCH=$arch GOARM=7 go_build "$command" "bin/linux-$target/$(binary_name "$command")"
				echo "  bin/linux-$target/$(binary_name "$command")"
			fi
		done
	done
}

case ${1:-} in
'')
	scripts/console.sh build
	build_here
	;;
all)
	scripts/console.sh build
	build_devices
	;;
*) die "usage: build.sh [all]" ;;
esac
