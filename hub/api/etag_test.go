package api_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/waitingroom"
	"github.com/farshore/farshore/waitingroom/admission"
)

// send sends a request with headers and gives its status.
func (w *world) send(method, path string, body any, headers ...string) int {
	w.t.Helper()
	resp := w.request(method, path, body, headers...)
	_, _ = io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	return resp.StatusCode
}

// Two people edit one thing: the second is told, and nothing of the first is lost.
func TestTheSecondEditorIsTold(t *testing.T) {
	w := newWorld(t)
	d := w.join(1, admission.KeySpec{AutoApprove: &waitingroom.Rule{}})
	device := "/devices/" + string(d.ID)
	bundle := func(image string) resource.Apply {
		return resource.Apply{Files: map[string][]byte{"compose.yml": []byte("services:\n  web:\n    image: " + image + "\n")}, Selector: ptr("site=nowhere")}
	}
	var detail resource.DeviceDetail
	var group resource.Group
	var profile resource.Profile
	var stack resource.Stack
	w.ask(http.MethodGet, device, nil, &detail)
	w.ask(http.MethodPut, "/groups", resource.PutGroup{Path: "norway"}, &group)
	w.ask(http.MethodPut, "/profiles/barge", resource.PutProfile{Settings: resource.Settings{Ping: 900}}, &profile)
	w.ask(http.MethodPut, "/stacks/web", bundle("acme/web:1"), &stack)

	for name, c := range map[string]struct {
		method, path, etag string
		first, second      any
		again              func() string // reads the etag
	}{
		"device": {
			"PATCH", device, detail.Etag,
			map[string]any{"group": "oslo"},
			map[string]any{"name": "crane"},
			func() string { w.ask("GET", device, nil, &detail); return detail.Etag },
		},
		"group": {
			"PUT", "/groups", group.Etag,
			resource.PutGroup{Path: "norway", Labels: map[string]string{"a": "1"}},
			resource.PutGroup{Path: "norway"},
			func() string {
				var all resource.List[resource.Group]
				w.ask("GET", "/groups", nil, &all)
				for _, g := range all.Items {
					if g.Path == "norway" {
						return g.Etag
					}
				}
				return ""
			},
		},
		"profile": {
			"PUT", "/profiles/barge", profile.Etag,
			resource.PutProfile{Settings: resource.Settings{Ping: 60}},
			resource.PutProfile{Settings: resource.Settings{Ping: 120}},
			func() string {
				var all resource.List[resource.Profile]
				w.ask("GET", "/profiles", nil, &all)
				for _, p := range all.Items {
					if p.Name == "barge" {
						return p.Etag
					}
				}
				return ""
			},
		},
		"stack": {
			"PUT", "/stacks/web", stack.Etag, bundle("acme/web:2"), bundle("acme/web:3"),
			func() string { w.ask("GET", "/stacks/web", nil, &stack); return stack.Etag },
		},
	} {
		if c.etag == "" || c.etag != c.again() {
			t.Errorf("%s: etag %q, and when it is read again %q", name, c.etag, c.again())
		}
		if status := w.send(c.method, c.path, c.first, "If-Match", `"`+c.etag+`"`); status != 200 {
			t.Errorf("%s: the first gets %d", name, status)
		}
		p := w.refused(c.method, c.path, c.second, "If-Match", c.etag)
		if p.Status != 412 || p.Code != "changed" || !strings.Contains(p.Detail, "by admin at") {
			t.Errorf("%s: the second gets %+v", name, p)
		}
		now := c.again()
		if now == c.etag {
			t.Errorf("%s: the etag is what it was", name)
		}
		if status := w.send(c.method, c.path, c.second, "If-Match", `W/"x", "`+now+`"`); status != 200 {
			t.Errorf("%s: who has read it again gets %d", name, status)
		}
		if status := w.send(c.method, c.path, c.second, "If-Match", "*"); status != 200 {
			t.Errorf("%s: any that is there: %d", name, status)
		}
		if c.method == "PUT" {
			if p := w.refused(c.method, c.path, c.second, "If-None-Match", "*"); p.Status != 412 || p.Code != "exists" {
				t.Errorf("%s: one that is there is made anew: %+v", name, p)
			}
		}
	}
	if w.ask("GET", "/stacks/web", nil, &stack); stack.Version != 3 {
		t.Errorf("the stack is at version %d: a refused one was stored", stack.Version)
	}
	for path, body := range map[string]any{
		"/groups": resource.PutGroup{Path: "sweden"}, "/profiles/new": resource.PutProfile{}, "/stacks/new": bundle("acme/web:1"),
	} {
		for _, match := range []string{"*", "abc"} {
			if p := w.refused("PUT", path, body, "If-Match", match); p.Status != 412 || p.Code != "changed" {
				t.Errorf("%s is not there, and If-Match %s gives %+v", path, match, p)
			}
		}
	}
	var groups resource.List[resource.Group]
	if w.ask("GET", "/groups", nil, &groups); len(groups.Items) != 3 {
		t.Errorf("a refused request made a group: %+v", groups.Items)
	}
}

// What a device does, and what others inherit to it, is no edit of it.
func TestTheEtagIsOfWhatPeopleEdit(t *testing.T) {
	w := newWorld(t)
	d := w.join(1, admission.KeySpec{AutoApprove: &waitingroom.Rule{}, Group: "norway"})
	device := "/devices/" + string(d.ID)
	var before, after resource.DeviceDetail
	w.ask("GET", device, nil, &before)
	w.ask("PUT", "/groups", resource.PutGroup{Path: "norway", Labels: map[string]string{"a": "1"}}, nil)
	w.ask("POST", device+"/commands", resource.NewCommand{Kind: protocol.CommandSnapshot}, nil)
	w.ask("PATCH", device, map[string]any{"labels": map[string]any{"x": nil}}, nil)
	w.ask("GET", device, nil, &after)
	if before.Etag != after.Etag || after.Labels["a"] != "1" {
		t.Errorf("etag %q, then %q", before.Etag, after.Etag)
	}
}

// Of many that make one thing at once, one does.
func TestOneOfManyMakesIt(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{"/groups", "/profiles/new", "/stacks/new"} {
		var mu sync.Mutex
		got := map[int]int{}
		var all sync.WaitGroup
		for n := range 8 {
			all.Go(func() {
				body := map[string]any{
					"/groups":       resource.PutGroup{Path: "norway", Labels: map[string]string{"n": fmt.Sprint(n)}},
					"/profiles/new": resource.PutProfile{Settings: resource.Settings{Ping: protocol.Frequency(60 + n)}},
					"/stacks/new":   resource.Apply{Files: map[string][]byte{"compose.yml": []byte(compose)}, Env: map[string]string{"N": fmt.Sprint(n)}},
				}[path]
				status := w.send("PUT", path, body, "If-None-Match", "*")
				mu.Lock()
				defer mu.Unlock()
				got[status]++
			})
		}
		all.Wait()
		if got[200] != 1 || got[412] != 7 {
			t.Errorf("%s: %v", path, got)
		}
	}
}

func TestGroupsCountWhatIsBelowThem(t *testing.T) {
	w := newWorld(t)
	for n, group := range []string{"norway/oslo", "norway/oslo", "norway/bergen", "norwayish"} {
		w.join(uint64(n+1), admission.KeySpec{AutoApprove: &waitingroom.Rule{}, Group: group})
	}
	w.ask("POST", "/devices/gw-0002/revoke", nil, nil)
	var all resource.List[resource.Group]
	w.ask("GET", "/groups", nil, &all)
	got := map[string][3]int{}
	for _, g := range all.Items {
		got[g.Path] = [3]int{g.Devices, g.DevicesBelow, g.States["on-time"]}
	}
	for path, want := range map[string][3]int{
		"": {0, 3, 3}, "norway": {0, 2, 2}, "norway/oslo": {1, 1, 1}, "norway/bergen": {1, 1, 1}, "norwayish": {1, 1, 1},
	} {
		if got[path] != want {
			t.Errorf("group %q: %v, want %v", path, got[path], want)
		}
	}
}
