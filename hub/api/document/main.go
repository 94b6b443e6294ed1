// Command document prints the hub's OpenAPI document, from which the console's client is generated (make api).
package main

import (
	"fmt"
	"os"

	"github.com/farshore/farshore/hub/api"
)

func main() {
	doc, err := api.Document()
	if err == nil {
		_, err = os.Stdout.Write(append(doc, '\n'))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "document:", err)
		os.Exit(1)
	}
}
