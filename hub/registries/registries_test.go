package registries_test

import (
	"bytes"
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/farshore/farshore/hub/registries"
	"github.com/farshore/farshore/hub/store"
	"github.com/farshore/farshore/hub/vault"
	"github.com/farshore/farshore/internal/certtest"
	"github.com/farshore/farshore/protocol"
)

const password = "pass-word-9"

// bench is a book on a real store and vault.
type bench struct {
	*registries.Book
	t       *testing.T
	store   *store.Store
	dir     string
	changed []string
	log     bytes.Buffer
	reaches func(netip.Addr) error
	public  []string
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, dir: t.TempDir()}
	var err error
	if b.store, err = store.Open(b.dir); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.store.Close() })
	b.open(b.dir)
	return b
}

// open begins anew on what is stored, with the vault key in a folder.
func (b *bench) open(keys string) {
	b.t.Helper()
	v, err := vault.Open(keys)
	if err != nil {
		b.t.Fatal(err)
	}
	b.Book, err = registries.New(registries.Config{
		Store: b.store, Vault: v, Changed: func(groups ...string) { b.changed = append(b.changed, groups...) },
		Reaches: b.reaches, Open: b.public, Log: slog.New(slog.NewTextHandler(&b.log, nil)),
	})
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) add(c registries.Change) string {
	b.t.Helper()
	if c.Password == "" {
		c.Password = password
	}
	r, err := b.Create(c)
	if err != nil {
		b.t.Fatal(err)
	}
	return r.ID
}

func TestAddressesHaveOneForm(t *testing.T) {
	for text, want := range map[string]string{
		"registry.example.com": "registry.example.com", " Registry.Example.com:443/ ": "registry.example.com",
		"https://registry.example.com:5000/v2/": "registry.example.com:5000", "localhost": "localhost", "localhost:5000": "localhost:5000",
		"registry:5000": "registry:5000", "192.0.2.7:5000": "192.0.2.7:5000", "registry:443": "registry:443",
		"docker.io": "docker.io", "https://index.docker.io/v1/": "docker.io", "registry-1.docker.io": "docker.io", "ghcr.io": "ghcr.io",
	} {
		if got, err := registries.ParseAddress(text); err != nil || got != want {
			t.Errorf("%q gives %q, %v; want %q", text, got, err, want)
		}
	}
	for text, says := range map[string]string{
		"": "host name", "registry": "needs a port", "http://registry.example.com": "in clear", "user:pw@registry.example.com": "fields of their own",
		"registry.example.com/plant/app": "without the name of an image", "registry.example.com:0": "port is a number", "a b.example.com": "host name",
		"[::1]:5000": "IPv4", "registry.example.com:5000:1": "HOST:PORT", "-x.example.com": "host name",
	} {
		if _, err := registries.ParseAddress(text); !errors.Is(err, registries.ErrInvalid) || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, want one that says %q", text, err, says)
		}
	}
}

func TestADeviceGetsWhatItsImagesNeedFromTheNearestGroup(t *testing.T) {
	b := newBench(t)
	b.add(registries.Change{Name: "hub", Address: "index.docker.io", User: "root"})
	b.add(registries.Change{Name: "hub-oslo", Address: "docker.io", User: "oslo", Group: "norway/oslo"})
	b.add(registries.Change{Name: "plant", Address: "registry.example.com", User: "no", Group: "norway"})
	b.add(registries.Change{Name: "other", Address: "other.example.com:5000", User: "x"})
	for _, c := range []struct {
		group  string
		images string
		want   string
	}{
		{"norway/oslo", "redis:7 app registry.example.com/app:1 registry.example.com:443/b", "docker.io=oslo registry.example.com=no"},
		{"norway/oslo/line", "docker.io/library/redis", "docker.io=oslo"},
		{"norway/oslofjord", "redis registry.example.com/app@sha256:" + strings.Repeat("0", 64), "docker.io=root registry.example.com=no"},
		{"sweden", "registry.example.com/app elsewhere.example.com/app Not:An:Image", ""},
		{"", "other.example.com:5000/a other.example.com/a", "other.example.com:5000=x"},
		{"", "", ""},
	} {
		var got []string
		for _, r := range b.For(c.group, strings.Fields(c.images)) {
			got = append(got, r.Registry+"="+r.User)
			if r.Password != password {
				t.Errorf("%s is given the password %q", r.Registry, r.Password)
			}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("devices in /%s get for %s: %q, want %q", c.group, c.images, got, c.want)
		}
	}
}

func TestAPasswordIsNeverGivenOutAndGoesToItsAddressAlone(t *testing.T) {
	b := newBench(t)
	change := registries.Change{Name: "plant", Address: "registry.example.com", User: "bot", Group: "norway", By: "anna"}
	if _, err := b.Create(change); !errors.Is(err, registries.ErrPassword) {
		t.Errorf("without a password: %v", err)
	}
	id := b.add(change)
	change.Note, change.Group = "moved", "sweden"
	r, err := b.Edit(id, change)
	if err != nil || r.Note != "moved" || r.Created == 0 {
		t.Errorf("edited %+v, %v", r, err)
	}
	if want := []string{"norway", "sweden", "norway"}; !slices.Equal(b.changed, want) {
		t.Errorf("told of changes in %q, want %q", b.changed, want)
	}
	change.Address = "evil.example.com"
	if _, err := b.Edit(id, change); !errors.Is(err, registries.ErrPassword) || strings.Contains(err.Error(), password) {
		t.Errorf("the kept password for another address: %v", err)
	}
	change.Password = "another"
	if _, err := b.Edit(id, change); err != nil {
		t.Fatal(err)
	}
	b.open(b.dir)
	if got := b.For("sweden", []string{"evil.example.com/x"}); len(got) != 1 || got[0].Password != "another" {
		t.Errorf("after a restart: %+v", got)
	}
	if err := b.store.Close(); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join(b.dir, store.FileName))
	if err != nil || bytes.Contains(raw, []byte(password)) || bytes.Contains(raw, []byte("another")) || !bytes.Contains(raw, []byte("evil.example.com")) {
		t.Errorf("the database has a password in clear, or not the registry (%v)", err)
	}
}

func TestBadRegistriesAreRefused(t *testing.T) {
	b := newBench(t)
	authority := certtest.New(t, "plant")
	good := registries.Change{Name: "plant", Address: "registry.example.com", User: "bot", Password: password, CA: string(authority.PEM)}
	id := b.add(good)
	key := authority.Server([]string{"x.example.com"}).Key
	for what, change := range map[string]func(*registries.Change){
		"no user": func(c *registries.Change) { c.User = "" }, "a user with a colon": func(c *registries.Change) { c.User = "a:b" },
		"a password of lines": func(c *registries.Change) { c.Password = password + "\n" }, "a long note": func(c *registries.Change) { c.Note = strings.Repeat("x", 2000) },
		"no certificate": func(c *registries.Change) { c.CA = "hello" }, "a key": func(c *registries.Change) { c.CA = string(key) },
		"an escape": func(c *registries.Change) { c.Name = "a\x1b[2J" },
	} {
		c := good
		c.Address = "another.example.com"
		c.Name = "another"
		change(&c)
		if _, err := b.Create(c); !errors.Is(err, registries.ErrInvalid) || strings.Contains(err.Error(), password) {
			t.Errorf("%s: %v", what, err)
		}
	}
	again := good
	if _, err := b.Create(again); !errors.Is(err, registries.ErrExists) {
		t.Errorf("the same again: %v", err)
	}
	again.Name = "twice"
	if _, err := b.Create(again); !errors.Is(err, registries.ErrExists) {
		t.Errorf("the same address in the same group: %v", err)
	}
	again.Group = "norway"
	b.add(again)
	changed := errors.New("changed")
	if err := b.Remove(id, func(*registries.Registry) error { return changed }); !errors.Is(err, changed) {
		t.Error(err)
	}
	if err := b.Remove(id, nil); err != nil {
		t.Error(err)
	}
	if err := b.Remove(id, nil); !errors.Is(err, registries.ErrNotFound) {
		t.Errorf("removed twice: %v", err)
	}
	if _, err := b.Edit(id, good); !errors.Is(err, registries.ErrNotFound) {
		t.Errorf("edited after it was removed: %v", err)
	}
	if l := b.List(); len(l) != 1 || l[0].Name != "twice" {
		t.Errorf("left are %+v", l)
	}
}

func TestWithAnotherVaultKeyThePasswordHasToBeSetAgain(t *testing.T) {
	b := newBench(t)
	change := registries.Change{Name: "plant", Address: "registry.example.com", User: "bot"}
	id := b.add(change)
	b.open(t.TempDir())
	if got := b.For("", []string{"registry.example.com/a"}); got != nil {
		t.Errorf("devices get %+v", got)
	}
	if r, _ := b.Get(id); !r.Lost || !strings.Contains(b.log.String(), "set it again") {
		t.Errorf("%+v; the log says %s", r, &b.log)
	}
	if f, err := b.Check(t.Context(), id); err != nil || f.OK || !strings.Contains(f.Text, "set the password again") {
		t.Errorf("%+v, %v", f, err)
	}
	change.Password = "new"
	if r, err := b.Edit(id, change); err != nil || r.Lost {
		t.Errorf("%+v, %v", r, err)
	}
	want := []protocol.RegistryAuth{{Registry: "registry.example.com", User: "bot", Password: "new"}}
	if got := b.For("", []string{"registry.example.com/a"}); !slices.Equal(got, want) {
		t.Errorf("devices get %+v", got)
	}
}
