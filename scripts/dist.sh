#!/bin/bash
# dist.sh          makes a release in dist/: an archive for each kind of machine, with what is in it (CycloneDX) and the
#                  licences of that, and SHA256SUMS. The same commit gives the same bytes, wherever it is built.
#                  FARSHORE_RELEASE_KEY=FILE also makes the signed bundle by which hubs update their agents.
# dist.sh check    says whether a program built in another folder has the same bytes
. "$(dirname "$0")/lib.sh"

# Nothing that a person has set for himself may change what is built.
unset GOFLAGS GOEXPERIMENT GODEBUG
export GOAMD64=v1 GOARM64=v8.0 GOARM=7 LC_ALL=C TZ=UTC

lock=web/ui/package-lock.json

check() {
	local dir
	dir=$(mktemp -d)
	# shellcheck disable=SC2064
	trap "rm -rf '$dir'" EXIT
	git ls-files -co --exclude-standard | while read -r file; do [ ! -e "$file" ] || echo "$file"; done | tar -cf - -T - | tar -xf - -C "$dir"
	go_build edgeagent "$dir/here"
	(
		local version
		version=$(version)
		version() { echo "$version"; }
		cd "$dir" && go_build edgeagent there
	)
	cmp "$dir/here" "$dir/there" || die 'The agent built in another folder has other bytes: what is built depends on where.'
}

# archive ARCH packs one archive of the programs in .cache/dist/linux-ARCH.
archive() {
	local arch=$1 name programs root lockfile=-
	name=farshore_${version}_linux_$arch
	programs=".cache/dist/linux-$arch"
	root=".cache/dist/$name"
	mkdir -p "$root/deploy"
	cp "$programs"/* "$root/"
	cp LICENSE "$root/"
	cp deploy/RELEASE.md "$root/README.md"
	cp deploy/*.service deploy/*.conf deploy/*.yaml deploy/*.Dockerfile "$root/deploy/"
	if [ -e "$root/farshore-hub" ]; then
		lockfile=$lock
		cp -r deploy/prometheus deploy/grafana "$root/deploy/"
	else
		rm "$root"/deploy/*hub* "$root/deploy/compose.yaml"
	fi
	"$GO" run ./internal/dist sbom "$version" "$lockfile" "$programs"/* >"$root/sbom.cdx.json"
	"$GO" run ./internal/dist notices "$lockfile" "$programs"/* >"$root/THIRD-PARTY.txt"
	cp "$root/sbom.cdx.json" "dist/$name.cdx.json"
	chmod -R u=rwX,go=rX "$root"
	tar --sort=name --format=gnu --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner -C .cache/dist -cf - "$name" |
		gzip -9n >"dist/$name.tar.gz"
	printf '  %-44s %s\n' "$name.tar.gz" "$(du -h --apparent-size "dist/$name.tar.gz" | cut -f1)"
}

case ${1:-} in
check)
	check
	exit
	;;
'') ;;
*) die 'usage: dist.sh [check]' ;;
esac

version=$(version)
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
case $version in
*-dirty) echo "The tree has changes that are not committed: nobody else can build version $version." >&2 ;;
esac
if [ -n "${FARSHORE_RELEASE_KEY:-}" ] && [[ ! $version =~ ^v[0-9]+\.[0-9]+\.[0-9]+ ]]; then
	die "A signed bundle needs a version such as v1.2.0, and this commit has $version: tag it, or leave FARSHORE_RELEASE_KEY out."
fi
FARSHORE_REQUIRE_NODE=1 scripts/console.sh build
rm -rf dist .cache/dist
mkdir -p dist
for arch in amd64 arm64 armv7; do
	for command in edgeagent composer farshore hub; do
		if [ "$command-$arch" != hub-armv7 ]; then
			GOOS=linux GOARCH=${arch%v7} go_build "$command" ".cache/dist/linux-$arch/$(binary_name "$command")"
		fi
	done
	archive "$arch"
done
if [ -n "${FARSHORE_RELEASE_KEY:-}" ]; then
	"$GO" run ./cmd/farshore release make --key "$FARSHORE_RELEASE_KEY" --version "$version" --out "dist/farshore_$version.release" .cache/dist
fi
(cd dist && sha256sum -- * >.sums && mv .sums SHA256SUMS)
rm -rf .cache/dist
