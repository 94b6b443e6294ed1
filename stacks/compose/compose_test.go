package compose

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Each file of testdata is one case: a bundle as sections "-- name --", an optional section "env" of NAME=value lines,
// and a last section "want": the summary as JSON, or the code and the sentence of the error.
func TestValidateSaysWhatIsWrong(t *testing.T) {
	cases, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(cases) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, file := range cases {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			files := readCase(t, file)
			want := strings.TrimSpace(string(files["want"]))
			env := map[string]string{}
			for line := range strings.Lines(string(files["env"])) {
				k, v, _ := strings.Cut(strings.TrimSpace(line), "=")
				env[k] = v
			}
			delete(files, "want")
			delete(files, "env")
			sum, err := Validate(files, env)
			if got := outcome(t, sum, err); got != want {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

func outcome(t *testing.T, sum Summary, err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Code + "\n" + e.Error()
	}
	if err != nil {
		t.Fatalf("not a bundle error: %v", err)
	}
	out, err := json.MarshalIndent(sum, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func readCase(t *testing.T, file string) map[string][]byte {
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	files, name := map[string][]byte{}, ""
	for line := range strings.Lines(string(data)) {
		if n, ok := strings.CutPrefix(strings.TrimSpace(line), "-- "); ok && strings.HasSuffix(n, " --") {
			name = strings.TrimSuffix(n, " --")
			files[name] = []byte{}
			continue
		}
		if name != "" {
			files[name] = append(files[name], line...)
		}
	}
	return files
}

func TestValidateIgnoresTheEnvironmentOfTheProcess(t *testing.T) {
	t.Setenv("FARSHORE_TEST_TAG", "from-process")
	sum, err := Validate(map[string][]byte{
		"compose.yml": []byte("services: {a: {image: 'x:${FARSHORE_TEST_TAG:-none}', environment: [FARSHORE_TEST_TAG]}}"),
	}, nil)
	if err != nil || sum.Services[0].Image != "x:none" {
		t.Fatalf("got %+v, %v; want image x:none", sum, err)
	}
}

func TestLoadRefusesSymbolicLinks(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "compose.yml"), []byte("services: {a: {image: x, env_file: link}}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc/hostname", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	_, err := Load(t.Context(), Source{Dir: dir})
	var e *Error
	if !errors.As(err, &e) || e.Code != "path-outside-bundle" {
		t.Fatalf("got %v, want path-outside-bundle", err)
	}
}

// A file that many services mount is read once, and each of them differs when it changes.
func TestMountedFilesTellServicesApart(t *testing.T) {
	var services strings.Builder
	services.WriteString("services:\n")
	for i := range 50 {
		fmt.Fprintf(&services, "  s%d:\n    image: a\n    volumes: [\"./data:/data\", \"./data/one:/one\"]\n", i)
	}
	digests := func(one string) map[string]string {
		t.Helper()
		sum, err := Validate(map[string][]byte{"compose.yml": []byte(services.String()), "data/one": []byte(one)}, nil)
		if err != nil {
			t.Fatal(err)
		}
		out := map[string]string{}
		for _, s := range sum.Services {
			out[s.Name] = s.Digest
		}
		return out
	}
	first, again, other := digests("a"), digests("a"), digests("b")
	if len(first) != 50 || !maps.Equal(first, again) {
		t.Error("the same bundle has other digests")
	}
	for name, d := range other {
		if d == first[name] {
			t.Errorf("service %s is the same with another file", name)
		}
	}
}
