// Command farshore-composer does one thing for one stack on a Docker Engine and ends. The agent starts it: it writes
// a request to its stdin and reads events from its stdout, as package ipc describes.
package main

import (
	"os"

	"github.com/farshore/farshore/stacks/composer"
)

func main() {
	os.Exit(composer.Main(os.Stdin, os.Stdout, os.Stderr))
}
