package gitsource_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/farshore/farshore/hub/gitsource"
)

const hookSecret = "a secret of the webhook"

func contextOf() (context.Context, context.CancelFunc) {
	return context.WithCancel(context.Background())
}

// lockedText is written by several goroutines.
type lockedText struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lockedText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lockedText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// both runs a test over HTTPS and over SSH.
func both(t *testing.T, fn func(t *testing.T, d *desk, r *repository, source func() gitsource.Change)) {
	t.Run("https", func(t *testing.T) {
		r := newRepository(t)
		s := serveHTTP(t, r)
		fn(t, newDesk(t), r, func() gitsource.Change { return s.source(r) })
	})
	t.Run("ssh", func(t *testing.T) {
		r := newRepository(t)
		s := serveSSH(t, "")
		fn(t, newDesk(t), r, func() gitsource.Change { return s.source(r) })
	})
}

// Each commit that changes the path becomes a version that says whose it is; others do not.
func TestCommitsBecomeVersions(t *testing.T) {
	both(t, func(t *testing.T, d *desk, r *repository, source func() gitsource.Change) {
		r.write("web/compose.yml", composeOf("web:1"))
		r.write("web/conf/app.conf", "a=1\n")
		r.write("other/readme", "x")
		first := r.commit("The first one\n\nWith more to say.")
		d.put(source())
		if out := d.sync(); out.Code != "" || d.version() != 1 {
			t.Fatalf("%+v, version %d", out, d.version())
		}
		versions, err := d.plan.Versions("web")
		d.must(err)
		v := versions[0]
		if v.Author != "git: Anna" || v.Message != "The first one" || v.Source != "git "+first+" refs/heads/main" || d.content("conf/app.conf") != "a=1\n" || len(v.Files) != 2 {
			t.Errorf("version %+v", v)
		}
		r.write("other/readme", "y")
		elsewhere := r.commit("Elsewhere")
		if out := d.sync(); out.Version != 0 || out.Commit != elsewhere || d.version() != 1 {
			t.Errorf("a commit that changes nothing at the path: %+v, version %d", out, d.version())
		}
		r.write("web/compose.yml", composeOf("web:2"))
		r.commit("The second one")
		d.sync()
		if d.version() != 2 || !strings.Contains(d.content("compose.yml"), "web:2") {
			t.Errorf("version %d: %s", d.version(), d.content("compose.yml"))
		}
		// What was found is known after a restart: nothing is fetched again.
		d.restart()
		if out := d.sync(); out.Version != 0 || d.version() != 2 || !strings.Contains(out.Text, "nothing new") {
			t.Errorf("after a restart: %+v", out)
		}
		// A branch whose history was replaced, back to what it was.
		r.git("reset", "--quiet", "--hard", first)
		r.commit("Rewritten")
		d.sync()
		if d.version() != 3 || !strings.Contains(d.content("compose.yml"), "web:1") {
			t.Errorf("after a forced push: version %d: %s", d.version(), d.content("compose.yml"))
		}
		r.git("push", "--quiet", r.bare, "HEAD:refs/heads/spare")
		r.git("--git-dir="+r.bare, "symbolic-ref", "HEAD", "refs/heads/spare")
		r.push(":refs/heads/main")
		c := source()
		c.Source.Ref = "main"
		d.put(c)
		d.fails("no-ref", "main", "stays")
		if d.version() != 3 {
			t.Error("the stack went with its branch")
		}
		if kinds := d.kinds(); !slices.Equal(kinds, []string{gitsource.KindFailing}) {
			t.Errorf("told: %v", kinds)
		}
		r.push("HEAD:refs/heads/main")
		if out := d.sync(); out.Code != "" {
			t.Errorf("the branch is back: %+v", out)
		}
	})
}

// Tags with and without a message of their own, one that is moved, and a file in place of a folder.
func TestTagsAndFiles(t *testing.T) {
	both(t, func(t *testing.T, d *desk, r *repository, source func() gitsource.Change) {
		r.write("prod.yml", composeOf("web:1"))
		one := r.commit("One")
		r.git("tag", "-a", "-m", "a release", "v1")
		r.push("refs/tags/v1")
		c := source()
		c.Source.Ref, c.Source.Path = "v1", "prod.yml"
		d.put(c)
		if out := d.sync(); out.Commit != one || d.version() != 1 || !strings.Contains(d.content("compose.yml"), "web:1") {
			t.Fatalf("%+v", out)
		}
		r.write("prod.yml", composeOf("web:2"))
		r.commit("Two")
		if out := d.sync(); out.Commit != one || d.version() != 1 {
			t.Errorf("the tag stays where it is: %+v", out)
		}
		r.git("tag", "-f", "v1")
		r.push("refs/tags/v1")
		if d.sync(); d.version() != 2 || !strings.Contains(d.content("compose.yml"), "web:2") {
			t.Errorf("the tag was moved: version %d", d.version())
		}
	})
}

// A commit that cannot be a version is told, is not tried again, and what was there stays.
func TestBrokenCommits(t *testing.T) {
	link := func(r *repository, at, to string) {
		path := filepath.Join(r.work, at)
		_ = os.MkdirAll(filepath.Dir(path), 0o755)
		if err := os.Symlink(to, path); err != nil {
			r.t.Fatal(err)
		}
	}
	for name, x := range map[string]struct {
		spoil func(*repository)
		says  string
	}{
		"no Compose":       {func(r *repository) { r.write("web/compose.yml", "services: [\n") }, "compose.yml"},
		"no compose file":  {func(r *repository) { r.git("mv", "web/compose.yml", "web/other.txt") }, "compose.yml"},
		"path gone":        {func(r *repository) { r.git("mv", "web", "elsewhere") }, `"web" is missing`},
		"link out":         {func(r *repository) { link(r, "web/conf", "../../secret") }, "leads out"},
		"link elsewhere":   {func(r *repository) { r.write("common/a", "x"); link(r, "web/a", "../common/a") }, "leads out"},
		"absolute link":    {func(r *repository) { link(r, "web/passwd", "/etc/passwd") }, "outside the repository"},
		"link to a folder": {func(r *repository) { r.write("web/d/x", "x"); link(r, "web/e", "d") }, "no file"},
		"links in a ring":  {func(r *repository) { link(r, "web/a", "b"); link(r, "web/b", "a") }, "link to a link"},
		"LFS": {func(r *repository) {
			r.write("web/model.bin", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
		}, "Git LFS"},
		"submodule": {func(r *repository) {
			r.git("update-index", "--add", "--cacheinfo", "160000,"+r.git("rev-parse", "HEAD")+",web/vendor")
		}, "submodule"},
		"large file": {func(r *repository) { r.write("web/large.bin", strings.Repeat("x", 9<<20)) }, "at most"},
		"too many files": {func(r *repository) {
			for i := range 1100 {
				r.write(fmt.Sprintf("web/many/%d", i), "")
			}
		}, "more than 1024 files"},
		"path with ..": {func(r *repository) { r.evil("..") }, "no stack may have"},
		"a .git in it": {func(r *repository) { r.evil(".GIT") }, "no stack may have"},
	} {
		t.Run(name, func(t *testing.T) {
			d, r := newDesk(t), newRepository(t)
			s := serveHTTP(t, r)
			r.write("web/compose.yml", composeOf("web:1"))
			r.commit("Good")
			d.put(s.source(r))
			if out := d.sync(); out.Code != "" {
				t.Fatalf("%+v", out)
			}
			x.spoil(r)
			if name == "submodule" {
				r.git("commit", "--quiet", "-m", "Bad")
				r.push("HEAD:refs/heads/main")
			} else if !strings.HasPrefix(x.says, "no stack") {
				r.commit("Bad")
			}
			d.fails("broken", x.says, "Bad", "Anna", "what was deployed before stays")
			packs := s.packs()
			d.fails("broken", x.says)
			if s.packs() != packs {
				t.Error("the broken commit was fetched again")
			}
			d.restart()
			d.fails("broken", x.says)
			if d.version() != 1 || s.packs() != packs {
				t.Errorf("version %d, %d packs", d.version(), s.packs()-packs)
			}
			r.git("checkout", "--quiet", "--force", "-B", "main", r.git("rev-list", "--max-parents=0", "HEAD"))
			r.git("clean", "-fdxq")
			r.write("web/compose.yml", composeOf("web:2"))
			r.commit("Good again")
			if out := d.sync(); out.Code != "" || d.version() != 2 {
				t.Errorf("%+v, version %d", out, d.version())
			}
			if kinds := d.kinds(); !slices.Equal(kinds, []string{gitsource.KindFailing, gitsource.KindWorks}) {
				t.Errorf("told: %v", kinds)
			}
		})
	}
}

// evil pushes a commit with an entry of a name that git itself would not make.
func (r *repository) evil(name string) {
	r.t.Helper()
	blob := r.git("hash-object", "-w", "web/compose.yml")
	raw := func(entries ...string) string {
		var tree strings.Builder
		for _, e := range entries {
			mode, rest, _ := strings.Cut(e, " ")
			file, hash, _ := strings.Cut(rest, " ")
			tree.WriteString(mode + " " + file + "\x00" + unhex(r.t, hash))
		}
		at := filepath.Join(r.t.TempDir(), "tree")
		if err := os.WriteFile(at, []byte(tree.String()), 0o600); err != nil {
			r.t.Fatal(err)
		}
		return r.git("hash-object", "-t", "tree", "-w", "--literally", at)
	}
	inner := raw("100644 x " + blob)
	web := raw("40000 "+name+" "+inner, "100644 compose.yml "+blob)
	id := r.git("commit-tree", "-p", "HEAD", "-m", "Bad", raw("40000 web "+web))
	r.push(id + ":refs/heads/main")
}

func TestLinksWithinThePathAreFollowed(t *testing.T) {
	d, r := newDesk(t), newRepository(t)
	s := serveHTTP(t, r)
	r.write("web/compose.yml", composeOf("web:1"))
	r.write("web/conf/real", "content")
	d.must(os.Symlink("conf/real", filepath.Join(r.work, "web/alias")))
	d.must(os.Symlink("../alias", filepath.Join(r.work, "web/conf/again")))
	r.commit("Links")
	d.put(s.source(r))
	if out := d.sync(); out.Code != "" || d.content("alias") != "content" || d.content("conf/again") != "content" {
		t.Errorf("%+v: %q, %q", out, d.content("alias"), d.content("conf/again"))
	}
}

// A stack that is removed takes its source along, and is not brought back.
func TestSourceGoesWithItsStack(t *testing.T) {
	d, r := newDesk(t), newRepository(t)
	s := serveHTTP(t, r)
	r.write("web/compose.yml", composeOf("web:1"))
	r.commit("Good")
	d.put(s.source(r))
	d.sync()
	d.must(d.plan.Remove("web", "anna"))
	d.must(d.StackRemoved("web"))
	if _, has := d.Get("web"); has || d.version() != 0 {
		t.Error("it is still there")
	}
	if _, err := d.Sync(t.Context(), "web"); !errors.Is(err, gitsource.ErrNotFound) {
		t.Errorf("looking all the same: %v", err)
	}
	d.restart()
	if len(d.List()) != 0 {
		t.Error("it is back after a restart")
	}
}

// Devices apply the stack again where that is asked for.
func TestForcedRedeploys(t *testing.T) {
	d, r := newDesk(t), newRepository(t)
	s := serveHTTP(t, r)
	r.write("web/compose.yml", composeOf("web:1"))
	r.commit("Good")
	nonce := func() uint64 { rec, _ := d.plan.Named("web"); return rec.Nonce >> 6 } // the rollout that was forced last
	c := s.source(r)
	d.put(c)
	d.sync()
	r.commit("Empty")
	if d.sync(); nonce() != 0 {
		t.Error("redeployed without being told to")
	}
	c.Source.Redeploy = gitsource.RedeployCommits
	d.put(c)
	d.until("the changed source was looked at", func() bool { s, _ := d.Get("web"); return s.Progress.Rev == 2 })
	before := nonce()
	r.commit("Empty too")
	if out := d.sync(); nonce() != before+1 || !out.Redeployed || d.version() != 1 {
		t.Errorf("with each commit: %d times, %+v", nonce()-before, out)
	}
	if out := d.sync(); nonce() != before+1 || out.Redeployed {
		t.Errorf("without a commit: %d times", nonce()-before)
	}
	c.Source.Redeploy = gitsource.RedeployLooks
	d.put(c)
	d.until("the changed source was looked at", func() bool { s, _ := d.Get("web"); return s.Progress.Rev == 3 })
	before = nonce()
	if out := d.sync(); nonce() != before+1 || !out.Redeployed {
		t.Errorf("with each look: %d times, %+v", nonce()-before, out)
	}
}

// What a policy refuses is tried again, since policies change.
func TestRefusedByAPolicy(t *testing.T) {
	d, r := newDesk(t), newRepository(t)
	s := serveHTTP(t, r)
	r.write("web/compose.yml", composeOf("web:1"))
	r.commit("Good")
	d.mu.Lock()
	d.forbid = true
	d.mu.Unlock()
	d.put(s.source(r))
	d.fails("refused", "policy")
	if s, _ := d.Get("web"); s.Next.IsZero() {
		t.Error("it is not tried again")
	}
	d.mu.Lock()
	d.forbid = false
	d.mu.Unlock()
	if out := d.sync(); out.Code != "" || d.version() != 1 {
		t.Errorf("%+v", out)
	}
}
