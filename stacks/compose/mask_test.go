package compose

import (
	"bytes"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// Each secret below has hunter in it, and nothing else has.
var masked = map[string][]byte{
	"compose.yml": []byte(`# what people read
x-common: &common
  POOL: hunter0 # hunter00
  KEPT: ${POOL}
services:
  web:
    image: registry.example/shop:1.2
    command: ["serve", "--password=hunter1", "--port=80"]
    entrypoint: run --token hunter2
    environment:
      <<: *common
      PASSWORD: "hunter3"
      EMPTY:
      KEY: |
        hunter4
        hunter5

        }hunter6
      FOLDED: >-
        hunter7
      ÄTHER: hunter8   # says hunter9
    env_file:
      - conf/vars.txt
    labels:
      - traefik.http.auth.password=hunter10
      - "shown=yes"
    secrets: [db_password]
    volumes: ["data:/data"]
  db:
    image: postgres:16
    environment: {A: hunter11, B: "hunter12, }", C: $REF, D: [x, hunter13]}
    labels: {api_key: hunter14, tier: front}
    depends_on: [web]
  old:
    image: old:1
    environment:
      - ONE=hunter15
      - "TWO=hunter16"
      - PASSED
      - THREE=hunter17 # hunter18
    healthcheck:
      test: curl http://anna:hunter19@localhost/
    build:
      context: .
      args:
        - SECRET=hunter20
  token-service:
    image: token:1
secrets:
  db_password:
    file: ./keys/pw
  inline:
    content: hunter21
configs:
  nginx:
    content: |
      hunter22
  shown:
    file: nginx.conf
include: [more.txt]
`),
	"more.txt":      []byte("services:\n  more:\n    image: more:1\n    environment:\n      X: hunter23\n"),
	"conf/vars.txt": []byte("A=hunter24\n# what it is\n#OLD=hunter25\nexport B=\"hunter26\nhunter27\"\n\n"),
	".env":          []byte("TAG=hunter28\n"),
	"keys/pw":       []byte("hunter29\nhunter30"),
	"nginx.conf":    []byte("listen 80;\n"),
	"broken.yml":    []byte("a: [hunter31\n  b"),
}

func TestMaskHidesSecretsAndKeepsLines(t *testing.T) {
	out, some := Mask(masked)
	if !some || HasMasked(out) == "" || HasMasked(masked) != "" {
		t.Error("nothing is masked")
	}
	for name, was := range masked {
		is := out[name]
		if bytes.Contains(is, []byte("hunter")) {
			t.Errorf("%s shows a secret:\n%s", name, is)
		}
		if bytes.Count(is, []byte{'\n'}) != bytes.Count(was, []byte{'\n'}) {
			t.Errorf("%s has other lines", name)
		}
	}
	for _, want := range []string{
		"  POOL: " + Masked + "\n  KEPT: ${POOL}\n", "image: registry.example/shop:1.2\n", `["serve", `, `"--port=80"]`, "      EMPTY:\n",
		"      ÄTHER: " + Masked + "\n", "C: $REF,", "      - PASSED\n", "ONE=" + Masked + "\n", "tier: front}", `"shown=yes"`, "  token-service:\n    image: token:1\n",
		"      - conf/vars.txt\n", "    file: ./keys/pw\n", "secrets: [db_password]", `["data:/data"]`, "depends_on: [web]",
	} {
		if !strings.Contains(string(out["compose.yml"]), want) {
			t.Errorf("the compose file lacks %q:\n%s", want, out["compose.yml"])
		}
	}
	var doc map[string]any
	if err := yaml.Unmarshal(out["compose.yml"], &doc); err != nil {
		t.Errorf("what is masked cannot be read: %v\n%s", err, out["compose.yml"])
	}
	if string(out["nginx.conf"]) != "listen 80;\n" || !strings.Contains(string(out["conf/vars.txt"]), "A="+Masked+"\n# what it is\n") {
		t.Errorf("%s\n%s", out["nginx.conf"], out["conf/vars.txt"])
	}
}

// A file that is named by a variable could be any.
func TestMaskHidesWhatMayBeNamedByAVariable(t *testing.T) {
	out, _ := Mask(map[string][]byte{
		"compose.yml": []byte("services:\n  a:\n    image: x\n    env_file: ${SITE}.conf\n"), "oslo.conf": []byte("A=hunter2\n"),
	})
	if strings.Contains(string(out["oslo.conf"]), "hunter2") {
		t.Errorf("%s", out["oslo.conf"])
	}
}

func TestMaskEndsWhereAnAliasLeadsToItself(t *testing.T) {
	out, _ := Mask(map[string][]byte{"compose.yml": []byte("a:\n  environment: &e\n    - *e\n    - A=hunter2\n  env_file: &f [*f]\n")})
	if strings.Contains(string(out["compose.yml"]), "hunter2") {
		t.Errorf("%s", out["compose.yml"])
	}
}

func TestABundleWithoutSecretsIsShownAsItIs(t *testing.T) {
	in := map[string][]byte{"compose.yml": []byte("services:\n  a:\n    image: x\n    environment:\n      A: ${A}\n"), "b.txt": {0xff}}
	if out, some := Mask(in); some || !bytes.Equal(out["compose.yml"], in["compose.yml"]) || len(out) != 2 {
		t.Errorf("%t %q", some, out)
	}
}

func FuzzMaskKeepsLines(f *testing.F) {
	for _, content := range masked {
		f.Add(content)
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		out, _ := Mask(map[string][]byte{"compose.yml": content})
		if bytes.Count(out["compose.yml"], []byte{'\n'}) != bytes.Count(content, []byte{'\n'}) {
			t.Errorf("other lines:\n%q\n%q", content, out["compose.yml"])
		}
	})
}
