package compose

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A bundle must not make the hub read a file outside the bundle, however it spells the reference.
func TestNoSpellingReadsFilesOutside(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "other.yml")
	if err := os.WriteFile(outside, []byte("services: {s: {image: stolen}}"), 0o600); err != nil {
		t.Fatal(err)
	}
	extends := fmt.Sprintf("{file: %s, service: s}", outside)
	for name, files := range map[string]map[string]string{
		"extends merged into a service": {"compose.yml": "x-a: &a {extends: " + extends + "}\nservices: {b: {<<: *a}}"},
		"services merged":               {"compose.yml": "x-a: &a {b: {extends: " + extends + "}}\nservices: {<<: *a}"},
		"file merged into extends":      {"compose.yml": "x-a: &a {file: " + outside + "}\nservices: {b: {extends: {<<: *a, service: s}}}"},
		"include merged":                {"compose.yml": "x-a: &a {include: [" + outside + "]}\n<<: *a\nservices: {b: {image: x}}"},
		"include path merged":           {"compose.yml": "x-a: &a {path: " + outside + "}\ninclude: [{<<: *a}]\nservices: {b: {image: x}}"},
		"key by alias":                  {"compose.yml": "x-a: &a include\n*a : [" + outside + "]\nservices: {b: {image: x}}"},
		"key in base64":                 {"compose.yml": "!!binary aW5jbHVkZQ==: [" + outside + "]\nservices: {b: {image: x}}"},
		"key in another case":           {"compose.yml": "include: [{Path: " + outside + "}]\nservices: {b: {image: x}}"},
		"beside a file that is less deep": {
			"compose.yml": "include: [{path: [a.yml, x/y/z/b.yml]}]\nservices: {b: {image: x}}", "a.yml": "services: {a: {image: x}}",
			"x/y/z/b.yml": "include: [../../../../c.yml]", "c.yml": "services: {c: {image: x}}",
		},
		"variable of an included .env": {
			"compose.yml": "include: [sub/a.yml]", "sub/.env": "X=" + outside, "sub/ok.yml": "services: {s: {image: x}}",
			"sub/a.yml": "services: {b: {extends: {file: '${X:-ok.yml}', service: s}}}",
		},
		"variable of another .env, by way of a file that was seen": {
			"compose.yml": "include: [sub/a.yml]\nservices: {s: {extends: {file: '${X:-ok.yml}', service: s}}}",
			"ok.yml":      "services: {s: {image: x}}", "sub/.env": "X=" + outside,
			"sub/a.yml": "services: {b: {extends: {file: ../compose.yml, service: s}}}",
		},
	} {
		t.Run(name, func(t *testing.T) {
			sum, err := Validate(bytesOf(files), nil)
			if err == nil {
				t.Errorf("was accepted: %+v", sum)
			}
			for _, s := range sum.Services {
				if s.Image == "stolen" {
					t.Error("the file outside was read")
				}
			}
			if _, of := errors.AsType[*Error](err); err != nil && !of {
				t.Errorf("refused in the hub's own words: %v", err)
			}
		})
	}
}

// A few lines must not cost the hub gigabytes or hours.
func TestBundlesThatExplodeAreRefused(t *testing.T) {
	double := func(n int) string {
		var b strings.Builder
		b.WriteString("V0=0123456789\n")
		for i := 1; i <= n; i++ {
			fmt.Fprintf(&b, "V%d=$V%d$V%d\n", i, i-1, i-1)
		}
		return b.String()
	}
	const service = "services: {a: {image: x}}"
	includes := map[string]string{"compose.yml": "include: [i1.yml]\n" + service}
	for i := 1; i < 40; i++ {
		includes[fmt.Sprintf("i%d.yml", i)] = fmt.Sprintf("include: [i%d.yml, i%d.yml]", i+1, i+1)
	}
	includes["i40.yml"] = "services: {z: {image: x}}"
	for name, files := range map[string]map[string]string{
		".env":               {"compose.yml": service, ".env": double(40)},
		".env of an include": {"compose.yml": "include: [s/a.yml]\n" + service, "s/.env": double(40), "s/a.yml": "services: {b: {image: x}}"},
		"env_file":           {"compose.yml": "services: {a: {image: x, env_file: e}}", "e": double(40)},
		"label_file":         {"compose.yml": "services: {a: {image: x, label_file: e}}", "e": double(40)},
		"env_files in a chain": {
			"compose.yml": "services: {a: {image: x, env_file: [e, f]}}", "e": "A=" + strings.Repeat("x", 60_000),
			"f": "B=" + strings.Repeat("$A", 30_000),
		},
		"interpolation": {
			"compose.yml": "services: {a: {image: x, labels: {l: '" + strings.Repeat("$A", 40_000) + "'}}}",
			".env":        "A=" + strings.Repeat("x", 60_000),
		},
		"interpolation of little": {"compose.yml": "services: {a: {image: x, labels: {l: '" + strings.Repeat("$A", 400_000) + "'}}}", ".env": "A=x"},
		"includes":                includes,
		"include cycle beside another file": {
			"compose.yml": "include: [{path: [b.yml, c.yml]}]\n" + service, "b.yml": "services: {b: {image: x}}",
			"c.yml": "include: [{path: [b.yml, c.yml]}]",
		},
		"extends a number":      {"compose.yml": "services: {a: {extends: {file: 5, service: x}}}"},
		"extends over a number": {"compose.yml": "services: {a: {extends: {service: b}}, b: 5}"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Validate(bytesOf(files), nil)
			var e *Error
			if !errors.As(err, &e) {
				t.Errorf("got %v, want a refusal", err)
			}
		})
	}
}

func bytesOf(files map[string]string) map[string][]byte {
	out := map[string][]byte{}
	for name, text := range files {
		out[name] = []byte(text)
	}
	return out
}
