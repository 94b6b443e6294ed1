// Command dist writes what goes with the programs of a release: a list of what is in them, and the licences of that.
// scripts/dist.sh calls it.
//
//	dist sbom VERSION LOCKFILE PROGRAM…    a bill of materials (CycloneDX 1.5, JSON) of programs in one archive
//	dist notices LOCKFILE PROGRAM…         the licences of all that is linked, as text
//
// It owns these two forms. What is linked it reads from the programs themselves and, where LOCKFILE is not "-", from the
// console's package-lock.json, so that nothing can be forgotten. The same programs give the same bytes: no time, no
// random number and no path of this machine is in them. It is one goroutine.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "dist:", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	switch {
	case len(args) >= 4 && args[0] == "sbom":
		c, err := read(args[2], args[3:])
		if err != nil {
			return err
		}
		return writeSBOM(out, args[1], c)
	case len(args) >= 3 && args[0] == "notices":
		c, err := read(args[1], args[2:])
		if err != nil {
			return err
		}
		return writeNotices(out, c)
	}
	return errors.New("usage: dist sbom VERSION LOCKFILE PROGRAM… | dist notices LOCKFILE PROGRAM…")
}
