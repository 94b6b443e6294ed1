package api_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/farshore/farshore/hub/api/resource"
)

const gitToken, gitSecret = "tok-of-the-repository", "a secret of the webhook"

// gitServer is a repository behind Git's own HTTP server and a token. commit pushes the files of the stack.
func gitServer(t *testing.T) (address string, commit func(compose string)) {
	git, err := exec.LookPath("git")
	if err != nil {
		t.Fatal(err)
	}
	root, work := t.TempDir(), t.TempDir()
	env := []string{"GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null", "HOME=" + root}
	run := func(args ...string) {
		t.Helper()
		cmd := exec.Command(git, args...)
		cmd.Dir, cmd.Env = work, append(append(os.Environ(), env...), "GIT_AUTHOR_NAME=Anna", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=Anna", "GIT_COMMITTER_EMAIL=a@example.com")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v: %s", args, err, out)
		}
	}
	run("init", "--quiet", "--bare", "--initial-branch=main", root+"/plant.git")
	run("init", "--quiet", "--initial-branch=main")
	backend := &cgi.Handler{Path: git, Args: []string{"http-backend"}, Stderr: io.Discard, Env: append(env, "GIT_PROJECT_ROOT="+root, "GIT_HTTP_EXPORT_ALL=1")}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, password, _ := r.BasicAuth(); password != gitToken {
			http.Error(w, "no", http.StatusUnauthorized)
			return
		}
		backend.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s.URL + "/plant.git", func(compose string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(work, "compose.yml"), []byte(compose), 0o600); err != nil {
			t.Fatal(err)
		}
		run("add", "--all")
		run("commit", "--quiet", "-m", "A change")
		run("push", "--quiet", root+"/plant.git", "HEAD:refs/heads/main")
	}
}

// A stack comes of the first good commit, at home where it was said, follows the repository, and goes with its source.
func TestAStackFromGit(t *testing.T) {
	w := newWorld(t)
	url, commit := gitServer(t)
	commit("services: [\n")
	w.ask(http.MethodPut, "/groups", resource.PutGroup{Path: "norway/oslo"}, nil)
	group, selector, token, secret, off := "norway/oslo", "site=oslo", gitToken, gitSecret, int64(0)
	put := resource.PutSource{
		URL: url, SignIn: "password", Password: &token, Webhook: true, WebhookSecret: &secret, Group: &group, Selector: &selector, IntervalSeconds: &off,
		Env: &map[string]string{"TAG": "7"},
	}
	var src resource.Source
	w.ask(http.MethodPut, "/stacks/web/source", put, &src)
	if src.Exists || !src.Webhook || src.WebhookURL == "" || !strings.Contains(src.Warning, "http://") {
		t.Errorf("%+v", src)
	}
	var look resource.SourceLook
	w.ask(http.MethodPost, "/stacks/web/source/sync", nil, &look)
	if look.OK || look.Code != "broken" || w.refused(http.MethodGet, "/stacks/web", nil).Status != http.StatusNotFound {
		t.Errorf("a commit without a sound compose file: %+v", look)
	}
	var all resource.List[resource.Source]
	w.ask(http.MethodGet, "/sources", nil, &all)
	if len(all.Items) != 1 || all.Items[0].Problem != look.Text {
		t.Errorf("%+v", all.Items)
	}
	commit("services:\n  web:\n    image: web:${TAG}\n")
	w.ask(http.MethodPost, "/stacks/web/source/sync", nil, &look)
	var s resource.Stack
	w.ask(http.MethodGet, "/stacks/web", nil, &s)
	if look.Version != 1 || s.Group != group || s.Selector != selector || s.Current.Author != "git: Anna" || !strings.Contains(s.Current.Source, look.Commit) || len(s.Current.Env) != 1 {
		t.Errorf("%+v\n%+v", look, s)
	}
	// By hand it is not changed: the next commit would undo it.
	if p := w.refused(http.MethodPut, "/stacks/web", resource.Apply{Files: map[string][]byte{"compose.yml": []byte(compose)}}); p.Code != "from-git" || !strings.Contains(p.Detail, url) {
		t.Errorf("%+v", p)
	}
	// Its variables stay where the source says nothing of them, and its place too.
	put.Env, put.Password, put.WebhookSecret, put.Group, put.Selector = nil, nil, nil, nil, nil
	w.ask(http.MethodPut, "/stacks/web/source", put, &src)
	w.StopHub()
	w.StartHub()
	w.serve(w.Hub().API)
	commit("services:\n  web:\n    image: other:${TAG}\n")
	at := src.WebhookURL[strings.Index(src.WebhookURL, "/hooks/"):]
	post := func(secret string) int {
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write([]byte("{}"))
		r, err := http.NewRequest(http.MethodPost, w.server.URL+at, strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac.Sum(nil)))
		resp, err := w.server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	if got := post("wrong"); got != http.StatusUnauthorized {
		t.Errorf("a webhook with another secret: %d", got)
	}
	if got := post(gitSecret); got != http.StatusAccepted {
		t.Errorf("a webhook: %d", got)
	}
	w.Until("the webhook's commit is a version", 30*time.Second, func() bool {
		w.ask(http.MethodGet, "/stacks/web", nil, &s)
		return s.Version == 2
	})
	if len(s.Current.Env) != 1 || s.Group != group {
		t.Errorf("%+v", s)
	}
	// No secret is told, by whichever way.
	w.ask(http.MethodGet, "/sources", nil, &all)
	told, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	if text := string(told) + w.trail(); strings.Contains(text, gitToken) || strings.Contains(text, gitSecret) {
		t.Errorf("a secret is told: %s", text)
	}
	w.ask(http.MethodDelete, "/stacks/web", nil, nil)
	if p := w.refused(http.MethodGet, "/stacks/web/source", nil); p.Status != http.StatusNotFound {
		t.Errorf("the source outlives its stack: %+v", p)
	}
}

// Who may apply stacks of their own alone sets no source: the hub would connect to where they like.
func TestSourcesNeedARightOfTheirOwn(t *testing.T) {
	w := newWorld(t)
	w.ask(http.MethodPut, "/groups", resource.PutGroup{Path: "oslo"}, nil)
	w.person(person{"sam", "standard-user", ""})
	w.person(person{"eve", "edge-administrator", "oslo"})
	c := w.config
	c.Accounts = people{c.Accounts}
	w.serve(c)
	put := func(who, stack, body string) int {
		status, _ := w.asNamed(who, http.MethodPut, "/stacks/"+stack+"/source", json.RawMessage(body))
		return status
	}
	if got := put("sam", "web", `{"url":"https://git.invalid/x"}`); got != http.StatusForbidden {
		t.Errorf("a standard user: %d", got)
	}
	if got := put("eve", "web", `{"url":"https://git.invalid/x"}`); got != http.StatusForbidden {
		t.Errorf("away from her group: %d", got)
	}
	if got := put("eve", "web", `{"url":"https://git.invalid/x","group":"oslo"}`); got != http.StatusOK {
		t.Errorf("in her group: %d", got)
	}
	// The source that waits for its first commit is hers to change, and cannot be taken out of her group.
	if got := put("eve", "web", `{"url":"https://git.invalid/y"}`); got != http.StatusOK {
		t.Errorf("changed: %d", got)
	}
	if got := put("eve", "web", `{"url":"https://git.invalid/y","group":""}`); got != http.StatusForbidden {
		t.Errorf("moved to the root: %d", got)
	}
	w.person(person{"adam", "administrator", ""})
	if got := put("adam", "far", `{"url":"https://git.invalid/z"}`); got != http.StatusOK {
		t.Errorf("an administrator: %d", got)
	}
	if got := put("eve", "far", `{"url":"https://git.invalid/z","group":"oslo"}`); got != http.StatusConflict {
		t.Errorf("a name that is taken: %d", got)
	}
	if got, text := w.asNamed("eve", http.MethodGet, "/sources", nil); got != http.StatusOK || strings.Contains(text, "far") || !strings.Contains(text, "web") {
		t.Errorf("what she sees: %d %s", got, text)
	}
	if got, _ := w.asNamed("eve", http.MethodPost, "/stacks/far/source/sync", nil); got != http.StatusForbidden && got != http.StatusNotFound {
		t.Errorf("looking at another's: %d", got)
	}
}

// A commit that wants what another stack has on a device is refused with the device named, and is taken when that has gone:
// it is the same commit still. How it is rolled out can be said although the files come from Git.
func TestACommitThatClashesIsTakenLater(t *testing.T) {
	w := newWorld(t)
	w.three()
	const port = "services:\n  web:\n    image: web:1\n    ports: ['80:80']\n"
	w.ask(http.MethodPut, "/stacks/front", resource.Apply{Files: map[string][]byte{"compose.yml": []byte(port)}, Group: ptr("norway/bergen")}, nil)
	url, commit := gitServer(t)
	commit(port)
	token, off := gitToken, int64(0)
	var src resource.Source
	w.ask(http.MethodPut, "/stacks/web/source", resource.PutSource{URL: url, SignIn: "password", Password: &token, IntervalSeconds: &off}, &src)
	var look resource.SourceLook
	w.ask(http.MethodPost, "/stacks/web/source/sync", nil, &look)
	if look.OK || look.Code != "refused" || !strings.Contains(look.Text, "host port 80/tcp") || !strings.Contains(look.Text, `stack "front"`) {
		t.Fatalf("a commit that clashes: %+v", look)
	}
	w.ask(http.MethodDelete, "/stacks/front", nil, nil)
	w.Until("the other stack is gone", time.Minute, func() bool {
		resp := w.request(http.MethodGet, "/stacks/front", nil)
		resp.Body.Close()
		return resp.StatusCode == http.StatusNotFound
	})
	w.ask(http.MethodPost, "/stacks/web/source/sync", nil, &look)
	if !look.OK || look.Version != 1 {
		t.Errorf("after the other stack has gone: %+v", look)
	}
	w.ask(http.MethodPut, "/stacks/web", resource.Apply{Plan: byRing}, nil)
	if s := w.stack("web"); s.Version != 1 || s.Plan.Order == nil || !s.FromGit {
		t.Errorf("its plan: %+v", s)
	}
}
