package e2e

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// working is a hub with a device that runs jobs.
type working struct {
	t      *testing.T
	h      *hub
	a      *agent
	e      *engine
	device string
	token  string
	http   *http.Client
	dir    string // that scripts write to
}

// newWorking makes one; with no engine it runs jobs on the host alone.
func newWorking(t *testing.T, e *engine) *working {
	t.Helper()
	h := newHub(t, hubConfig{})
	a := newAgent(t, "mqtt", e)
	a.join(h.key("field"))
	w := &working{t: t, h: h, a: a, e: e, device: h.admit(a, "crane"), token: h.token(), dir: workDir(t)}
	w.http = insecure()
	h.connected(w.device, "mqtt")
	return w
}

// insecure is a client for the test's own hub, on the loopback.
func insecure() *http.Client {
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}}
}

// ask makes a request, and gives the answer's body with its code; 0: there was none.
func (w *working) ask(method, path string, body any) ([]byte, int) {
	w.t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		w.t.Fatal(err)
	}
	req, err := http.NewRequest(method, w.h.url()+"/api/v1"+path, bytes.NewReader(b))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+w.token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := w.http.Do(req)
	if err != nil {
		return []byte(err.Error()), 0
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return []byte(err.Error()), 0
	}
	return text, resp.StatusCode
}

// must is ask where the answer is good.
func (w *working) must(method, path string, body any) []byte {
	w.t.Helper()
	text, code := w.ask(method, path, body)
	if code < 200 || code > 299 {
		w.t.Fatalf("%s %s: %d %s", method, path, code, text)
	}
	return text
}

// spec is the body of a job.
type spec map[string]any

// put makes a job that runs when it is asked for, unless the spec says otherwise, and waits until the device has it.
func (w *working) put(name string, s spec) {
	w.t.Helper()
	if _, ok := s["schedule"]; !ok {
		s["schedule"] = spec{"kind": "manual"}
	}
	s["devices"] = []string{w.device}
	w.must(http.MethodPut, "/jobs/"+name, s)
	until(w.t, "the device has the job "+name, func() error {
		text, err := w.a.box("jobs")
		if err == nil && !strings.Contains(text, name) {
			err = fmt.Errorf("it has:\n%s", text)
		}
		return err
	})
}

func (w *working) run(name string) {
	w.t.Helper()
	w.must(http.MethodPost, "/jobs/"+name+"/run", spec{"devices": []string{w.device}})
}

// ran is a run as the API shows it.
type ran struct {
	Run        uint64
	State      string
	Final      bool
	Attempt    int
	Code       int
	Signal     string
	Text       string
	Count      int
	Started    time.Time
	TookMS     int `json:"took_ms"`
	Stdout     *streamed
	Stderr     *streamed
	Version    int
	Due, Until time.Time
}

type streamed struct {
	Size     int
	Kept     int
	HaveFrom int  `json:"have_from"`
	HaveTo   int  `json:"have_to"`
	Coming   bool `json:"coming"`
}

// runs are those that the hub knows of, the latest first.
func (w *working) runs(name string) (out []ran) {
	w.t.Helper()
	var page struct{ Items []ran }
	text, code := w.ask(http.MethodGet, "/jobs/"+name+"/runs", nil)
	if code == http.StatusOK {
		decode(w.t, string(text), &page)
	}
	return page.Items
}

func (w *working) output(name string, run uint64, stream string) []byte {
	w.t.Helper()
	return w.must(http.MethodGet, fmt.Sprintf("/jobs/%s/runs/%s/%d/output?stream=%s", name, w.device, run, stream), nil)
}

// stand waits until the runs of a job are in these states, the latest first, and all output that is to come is there.
func (w *working) stand(name string, states ...string) []ran {
	w.t.Helper()
	var runs []ran
	until(w.t, fmt.Sprintf("runs of %s are %v", name, states), func() error {
		runs = w.runs(name)
		var got []string
		for _, r := range runs {
			got = append(got, r.State)
			for _, s := range []*streamed{r.Stdout, r.Stderr} {
				if s != nil && s.Coming {
					return fmt.Errorf("output of run %d still comes", r.Run)
				}
			}
		}
		return wanted("states", fmt.Sprint(got), fmt.Sprint(states))
	})
	return runs
}

// script is one of sh.
func script(lines string) string { return "#!/bin/sh\n" + lines + "\n" }

// alive are processes whose arguments have the text.
func alive(text string) (out []string) {
	all, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range all {
		if b, err := os.ReadFile(path); err == nil && strings.Contains(string(bytes.ReplaceAll(b, []byte{0}, []byte(" "))), text) {
			out = append(out, path)
		}
	}
	return out
}

// gone waits until no process has the text in its arguments, and no container of a run is there.
func (w *working) gone(text string) {
	w.t.Helper()
	until(w.t, "nothing of "+text+" is left", func() error {
		if left := alive(text); len(left) > 0 {
			return fmt.Errorf("processes: %v", left)
		}
		if w.e == nil {
			return nil
		}
		all, err := w.e.containers()
		if err == nil && len(all) > 0 {
			err = fmt.Errorf("containers: %v", all)
		}
		return err
	})
}

// nap is a sleep of a length that no other script has, by which its process is found.
func nap() string { return fmt.Sprintf("sleep 9%d.%d", rand.IntN(1000), 1+rand.IntN(1_000_000_000)) }

// changed waits until the device has a version.
func (w *working) changed(name string, version int) {
	w.t.Helper()
	until(w.t, "the device has the new version", func() error {
		var list []struct {
			Name    string
			Version int
		}
		text, err := w.a.box("jobs", "--json")
		if err == nil {
			err = json.Unmarshal([]byte(text), &list)
		}
		for _, j := range list {
			if j.Name == name {
				return wanted("version", j.Version, version)
			}
		}
		return fmt.Errorf("%v: %s", err, text)
	})
}

func sizeOf(t *testing.T, dir string) (n int64) {
	t.Helper()
	_ = filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err == nil {
			if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
				n += info.Size()
			}
		}
		return nil
	})
	return n
}
