#!/bin/bash
# images.sh    makes the images farshore/agent and farshore/hub of the programs in bin/, each with the tags latest and
#              the version. The engine is the one of `docker`; nothing is downloaded.
#              ARCH=arm64 (or armv7, without the hub) makes them of what `make build-all` built, with the tag VERSION-ARCH.
#              That takes Docker's buildx, or Podman, in whose store they are then: its older builder knows one ARCH.
. "$(dirname "$0")/lib.sh"

version=$(version)
from=bin build=(docker build) tags=("$version" latest)
if [ -n "${ARCH:-}" ]; then
	from=bin/linux-$ARCH tags=("$version-$ARCH")
	build=(podman build --format docker)
	docker buildx version >/dev/null 2>&1 && build=(docker buildx build --load)
	build+=(--platform "linux/${ARCH/armv7/arm/v7}")
	[ -e "$from/farshore-agent" ] || die "There are no programs in $from: run \`make build-all\` first. ARCH is amd64, arm64 or armv7."
fi
command -v "${build[0]}" >/dev/null || die "There is no ${build[0]} command here: install one (Debian: docker.io, podman), or build from deploy/*.Dockerfile."
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
mkdir "$stage/data"

# image NAME PROGRAM… makes one image; its build context is the programs it names and an empty folder.
image() {
	local name=$1 program
	shift
	for program in "$@"; do
		cp "$from/$program" "$stage/"
	done
	"${build[@]}" --quiet -f "deploy/$name.Dockerfile" --build-arg "VERSION=$version" \
		"${tags[@]/#/-tfarshore/$name:}" "$stage" >/dev/null
	rm -f "$stage"/farshore*
	echo "  farshore/$name:${tags[0]}"
}

image agent farshore-agent farshore-composer
[ "${ARCH:-}" = armv7 ] || image hub farshore-hub
