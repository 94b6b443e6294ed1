package compose

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzValidate holds that whatever people paste is accepted or refused in one sentence, and that what is accepted is
// bounded.
func FuzzValidate(f *testing.F) {
	for _, pattern := range []string{"testdata/corpus/*/compose.yml", "testdata/corpus/*/docker-compose.*"} {
		names, err := filepath.Glob(pattern)
		if err != nil || len(names) == 0 {
			f.Fatalf("no seeds: %v", err)
		}
		for _, name := range names {
			content, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			if len(content) < 2000 {
				f.Add(content, []byte("TAG=1\n"))
			}
		}
	}
	f.Add([]byte("services: {a: {image: 'x:${A}', ports: ['1-65535:1-65535']}}"), []byte("A=$B\nB=\"$A$A\"\n"))
	f.Fuzz(func(t *testing.T, file, env []byte) {
		bundle := map[string][]byte{"compose.yml": file, ".env": env, "other.yml": file}
		sum, err := Validate(bundle, map[string]string{"SET": "value"})
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Code == "" || e.Text == "" || strings.Contains(err.Error(), os.TempDir()+"/farshore") {
				t.Errorf("not a sentence for people: %v", err)
			}
			return
		}
		if len(sum.Services) == 0 || len(sum.Takes) > maxTakes {
			t.Errorf("%d services take %d things", len(sum.Services), len(sum.Takes))
		}
		for _, take := range sum.Takes {
			if take.String() == "" || take.Container == "" && (take.Port == 0 || take.Protocol == "") {
				t.Errorf("nothing is taken: %+v", take)
			}
		}
	})
}
