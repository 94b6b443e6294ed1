package compose

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// expected is what somebody who reads a bundle of the corpus says of it. It is written by hand.
type expected struct {
	Env map[string]string // what the stack's variables are set to
	Run string            // quick, long: package composer runs it with other images, long ones in soak tests only

	Services  map[string]string // name: image, and "xN" with other than one replica
	Networks  []string
	Volumes   []string
	Configs   []string
	Secrets   []string
	Profiles  []string
	Variables []string
	Takes     []string
	Asks      []string
	Warnings  []string
	Error     string
}

func TestCorpusIsReadAsPeopleReadIt(t *testing.T) {
	bundles, err := filepath.Glob("testdata/corpus/*/expect.yml")
	if err != nil || len(bundles) < 40 {
		t.Fatalf("%d bundles, %v; want 40 at least", len(bundles), err)
	}
	for _, file := range bundles {
		dir := filepath.Dir(file)
		t.Run(filepath.Base(dir), func(t *testing.T) {
			files, want := corpusBundle(t, dir)
			sum, err := Validate(files, want.Env)
			if err != nil {
				if want.Error == "" || err.Error() != want.Error {
					t.Fatalf("refused: %v\nwant %q", err, want.Error)
				}
				return
			}
			services := map[string]string{}
			for _, s := range sum.Services {
				services[s.Name] = s.Image
				if s.Replicas != 1 {
					services[s.Name] += fmt.Sprintf(" x%d", s.Replicas)
				}
			}
			var takes, asks []string
			for _, x := range sum.Takes {
				takes = append(takes, x.Service+": "+x.String())
			}
			for _, a := range sum.Asks {
				for _, w := range a.Wants {
					asks = append(asks, strings.TrimSpace(fmt.Sprintf("%s: %s %s", a.Service, w.Rule, w.What)))
				}
			}
			for _, x := range []struct{ what, got, want any }{
				{"services", services, want.Services},
				{"networks", sum.Networks, want.Networks},
				{"volumes", sum.Volumes, want.Volumes},
				{"configs", sum.Configs, want.Configs},
				{"secrets", sum.Secrets, want.Secrets},
				{"profiles", sum.Profiles, want.Profiles},
				{"variables", sum.Variables, want.Variables},
				{"takes", takes, want.Takes},
				{"asks", asks, want.Asks},
				{"warnings", sum.Warnings, want.Warnings},
				{"error", "", want.Error},
			} {
				if fmt.Sprint(x.got) != fmt.Sprint(x.want) {
					t.Errorf("%s:\n got %q\nwant %q", x.what, x.got, x.want)
				}
			}
		})
	}
}

func corpusBundle(t *testing.T, dir string) (map[string][]byte, expected) {
	t.Helper()
	files, want := map[string][]byte{}, expected{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		files[name], err = os.ReadFile(filepath.Join(dir, name))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	dec := yaml.NewDecoder(bytes.NewReader(files["expect.yml"]))
	dec.KnownFields(true)
	if err := dec.Decode(&want); err != nil {
		t.Fatal(err)
	}
	delete(files, "expect.yml")
	return files, want
}
