package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The command line, as a hub with a console, has what go.mod and package-lock.json say, each with its licence.
func TestWhatIsInAProgramIsListed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "farshore-hub")
	if out, err := exec.Command("go", "build", "-buildvcs=false", "-o", file, "../../cmd/farshore").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	const lock = "../../web/ui/package-lock.json"
	var first, again bytes.Buffer
	for _, out := range []*bytes.Buffer{&first, &again} {
		if err := run([]string{"sbom", "v1.2.3", lock, file}, out); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(first.Bytes(), again.Bytes()) {
		t.Error("twice the same gave different bytes")
	}
	var b bom
	if err := json.Unmarshal(first.Bytes(), &b); err != nil {
		t.Fatal(err)
	}
	have := map[string]component{}
	for _, c := range b.Components {
		if _, twice := have[c.Ref]; twice {
			t.Errorf("%s is listed twice", c.Ref)
		}
		have[c.Ref] = c
	}
	mod, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	_, cobra, _ := strings.Cut(string(mod), "github.com/spf13/cobra ")
	cobra, _, _ = strings.Cut(cobra, "\n")
	if _, ok := have["pkg:golang/github.com/spf13/cobra@"+cobra]; !ok {
		t.Errorf("cobra %s is not listed", cobra)
	}
	var react, dev bool
	for ref, c := range have {
		react = react || strings.HasPrefix(ref, "pkg:npm/react@") && len(c.Hashes) == 1 && len(c.Licenses) == 1
		dev = dev || strings.HasPrefix(ref, "pkg:npm/vitest@")
	}
	if !react || dev {
		t.Errorf("react with hash and licence: %v; what is for development only: %v", react, dev)
	}
	for _, d := range b.Dependencies {
		for _, on := range d.DependsOn {
			if _, ok := have[on]; !ok {
				t.Errorf("%s depends on %s, which is not listed", d.Ref, on)
			}
		}
	}

	var notices bytes.Buffer
	if err := run([]string{"notices", "-", file}, &notices); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"github.com/spf13/cobra " + cobra, "Apache License", "Go 1."} {
		if !strings.Contains(notices.String(), want) {
			t.Errorf("the licences lack %q", want)
		}
	}
}
