#!/bin/bash
# images.sh    makes the images farshore/agent and farshore/hub of the programs in bin/, each with the tags latest and
#              the version. The engine is the one of `docker`; nothing is downloaded.
. "$(dirname "$0")/lib.sh"

command -v docker >/dev/null || die 'There is no docker command here: install one (Debian: docker.io), or build from deploy/*.Dockerfile.'
version=$(version)
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
mkdir "$stage/data"

# image NAME PROGRAM… makes one image; its build context is the programs it names and an empty folder.
image() {
	local name=$1 program
	shift
	for program in "$@"; do
		cp "bin/$program" "$stage/"
	done
	docker build --quiet -f "deploy/$name.Dockerfile" --build-arg "VERSION=$version" \
		-t "farshore/$name:$version" -t "farshore/$name:latest" "$stage" >/dev/null
	rm -f "$stage"/farshore*
	echo "  farshore/$name:$version"
}

image agent farshore-agent farshore-composer
image hub farshore-hub
