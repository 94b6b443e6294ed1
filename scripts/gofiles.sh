#!/bin/bash
# Prints the project's Go files, also those that are not committed yet.
. "$(dirname "$0")/lib.sh"

git ls-files -co --exclude-standard -- '*.go' | while read -r file; do
	if [ -e "$file" ]; then
		echo "$file"
	fi
done
