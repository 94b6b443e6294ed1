package program

import (
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestPrecedence(t *testing.T) {
	file := filepath.Join(t.TempDir(), "hub.yml")
	if err := os.WriteFile(file, []byte("listen: from-file\nmqtt-listen: from-file\ndata: from-file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	fs := flag.NewFlagSet("hub", flag.ContinueOnError)
	listen, mqtt, data := fs.String("listen", "", ""), fs.String("mqtt-listen", "", ""), fs.String("data", "", "")
	fs.String("config", "", "")
	env := map[string]string{"FARSHORE_HUB_MQTT_LISTEN": "from-env", "FARSHORE_HUB_LISTEN": "from-env", "FARSHORE_HUB_CONFIG": file}
	err := Parse(fs, []string{"--listen", "from-flag", "rest"}, Source{
		Prefix:   "FARSHORE_HUB",
		Lookup:   func(k string) (string, bool) { v, ok := env[k]; return v, ok },
		FileFlag: "config",
	})
	if err != nil {
		t.Fatal(err)
	}
	if *listen != "from-flag" || *mqtt != "from-env" || *data != "from-file" || fs.Arg(0) != "rest" {
		t.Errorf("got %q %q %q %q", *listen, *mqtt, *data, fs.Args())
	}
}

func TestBadSettings(t *testing.T) {
	for name, tc := range map[string]struct{ yaml, env, says string }{
		"unknown key":     {yaml: "listn: x\n", says: `line 1: there is no setting "listn"`},
		"not a map":       {yaml: "- a\n", says: "want a YAML map"},
		"list as value":   {yaml: "n: [1]\n", says: "n wants one value"},
		"bad value":       {yaml: "\nn: many\n", says: "line 2: n"},
		"bad environment": {env: "many", says: "environment variable P_N"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "c.yml")
			if err := os.WriteFile(file, []byte(tc.yaml), 0o600); err != nil {
				t.Fatal(err)
			}
			fs := flag.NewFlagSet("x", flag.ContinueOnError)
			fs.SetOutput(io.Discard)
			fs.Int("n", 0, "")
			fs.String("config", file, "")
			err := Parse(fs, nil, Source{Prefix: "P", FileFlag: "config", Lookup: func(k string) (string, bool) {
				return tc.env, k == "P_N" && tc.env != ""
			}})
			if !errors.Is(err, ErrUsage) || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("got %v, want %q", err, tc.says)
			}
		})
	}
}
