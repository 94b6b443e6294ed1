#!/bin/bash
# Makes pictures of the console, of a simulated fleet that is always the same: a few for the README in docs/pictures, and
# every page, on a desk and on a phone, light and dark, in .cache/screenshots to look at. `make screenshots` builds first.
. "$(dirname "$0")/lib.sh"

[ -e web/dist/index.html ] || die 'There is no console to make pictures of: run `make console`, which needs Node.'
command -v "${FARSHORE_CHROMIUM:-chromium}" >/dev/null || die 'Chromium is missing (Debian: apt-get install chromium).'
node web/ui/e2e/pictures.mjs docs/pictures .cache/screenshots
