package backup

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/klauspost/compress/zstd"
	"golang.org/x/crypto/ssh"
)

var update = flag.Bool("update", false, "write the golden backup anew")

const passphrase = "correct horse battery"

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// quick is a lock that costs little to try.
func quick(t *testing.T) (Lock, Key) {
	t.Helper()
	l, err := passphraseLock(passphrase, 4)
	must(t, err)
	k, err := PassphraseKey(passphrase)
	must(t, err)
	return l, k
}

// content is what the data folders of these tests have in them.
func content() map[string]string {
	return map[string]string{
		"farshore.db": "the database as it was", "hub.key": "the hub key", "secrets.key": strings.Repeat("k", 32),
		"audit/000001.log": strings.Repeat("one line\n", 9000), "audit/000002.log": "",
	}
}

func source(t *testing.T) Source {
	t.Helper()
	dir := t.TempDir()
	put := func(name, text string) {
		must(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700))
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	for name, text := range content() {
		put(name, text)
	}
	put("farshore.db", "the database as it is now, in the middle of a change")
	put(".backup-1", "what is being written")
	put(".restore-1/hub.key", "what was left behind")
	put("farshore.db.before-compaction", "what was set aside")
	must(t, syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600))
	return Source{
		Dir: dir, Database: "farshore.db", Version: "1.2.3", Schema: 1, Fingerprint: "AB:CD",
		Snapshot: func(fn func(int64, func(io.Writer) error) error) error {
			db := content()["farshore.db"]
			return fn(int64(len(db)), func(w io.Writer) error { _, err := io.WriteString(w, db); return err })
		},
	}
}

func written(t *testing.T, src Source) []byte {
	t.Helper()
	l, _ := quick(t)
	var out bytes.Buffer
	_, err := Write(t.Context(), &out, l, src)
	must(t, err)
	return out.Bytes()
}

// files reads a folder.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	must(t, filepath.WalkDir(dir, func(name string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %o", name, info.Mode().Perm())
		}
		raw, err := os.ReadFile(name)
		rel, _ := filepath.Rel(dir, name)
		out[rel] = string(raw)
		return err
	}))
	return out
}

func TestWhatIsRestoredIsWhatWasThere(t *testing.T) {
	_, key := quick(t)
	backup := written(t, source(t))
	for secret := range maps.Values(content()) {
		if secret != "" && bytes.Contains(backup, []byte(secret)) {
			t.Errorf("%.20q is in the backup in clear", secret)
		}
	}
	for name, data := range map[string]string{"missing": filepath.Join(t.TempDir(), "a", "b"), "empty": t.TempDir()} {
		t.Run(name, func(t *testing.T) {
			if name == "empty" { // and a restore was interrupted there
				must(t, os.MkdirAll(filepath.Join(data, restoring+"9", "audit"), 0o700))
			}
			m, err := Restore(t.Context(), Restoration{Data: data, From: bytes.NewReader(backup), Key: key, First: "farshore.db", Last: "hub.key"})
			must(t, err)
			if got := files(t, data); !maps.Equal(got, content()) {
				t.Errorf("restored %v", slices.Sorted(maps.Keys(got)))
			}
			if m.Hub != "1.2.3" || m.Schema != 1 || m.Fingerprint != "AB:CD" || time.Since(m.Created) > time.Minute || len(m.Files) != len(content()) {
				t.Errorf("the manifest says %+v", m)
			}
		})
	}
}

func TestFilesThatGrowAreCopiedAsTheyWere(t *testing.T) {
	src := source(t)
	log := filepath.Join(src.Dir, "audit/000002.log")
	snapshot := src.Snapshot
	src.Snapshot = func(fn func(int64, func(io.Writer) error) error) error {
		must(t, os.WriteFile(log, []byte("at the start\n"), 0o600))
		err := snapshot(fn)
		f, openErr := os.OpenFile(log, os.O_APPEND|os.O_WRONLY, 0)
		must(t, openErr)
		_, writeErr := f.WriteString("while it was read\n")
		must(t, errors.Join(writeErr, f.Close(), os.Remove(filepath.Join(src.Dir, "audit/000001.log"))))
		return err
	}
	_, key := quick(t)
	data := filepath.Join(t.TempDir(), "data")
	_, err := Restore(t.Context(), Restoration{Data: data, From: bytes.NewReader(written(t, src)), Key: key})
	must(t, err)
	got := files(t, data)
	if got["audit/000002.log"] != "at the start\n" || got["audit/000001.log"] != content()["audit/000001.log"] {
		t.Errorf("restored %q and %d bytes", got["audit/000002.log"], len(got["audit/000001.log"]))
	}
}

// sshKey makes a pair as ssh-keygen writes it.
func sshKey(t *testing.T) (public, private string) {
	t.Helper()
	pub, key, err := ed25519.GenerateKey(nil)
	must(t, err)
	p, err := ssh.NewPublicKey(pub)
	must(t, err)
	block, err := ssh.MarshalPrivateKey(key, "")
	must(t, err)
	return string(ssh.MarshalAuthorizedKey(p)), string(pem.EncodeToMemory(block))
}

func TestKeys(t *testing.T) {
	own, err := age.GenerateX25519Identity()
	must(t, err)
	other, err := age.GenerateX25519Identity()
	must(t, err)
	sshPublic, sshPrivate := sshKey(t)
	l, err := RecipientsLock([]string{own.Recipient().String(), sshPublic})
	must(t, err)
	var backup bytes.Buffer
	_, err = Write(t.Context(), &backup, l, source(t))
	must(t, err)
	for name, c := range map[string]struct {
		key  string
		want error
	}{
		"age": {"# made yesterday\n" + own.String() + "\n", nil}, "ssh": {sshPrivate, nil}, "another": {other.String(), ErrWrongKey},
	} {
		key, err := IdentityKey(strings.NewReader(c.key))
		must(t, err)
		if _, err := Check(t.Context(), bytes.NewReader(backup.Bytes()), key); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, bad := range [][]string{nil, {""}, {"age1abc"}, {own.String()}, {"ssh-rsa AAAA"}, {own.Recipient().String() + "\n" + other.Recipient().String()}, slices.Repeat([]string{own.Recipient().String()}, 21)} {
		if _, err := RecipientsLock(bad); !errors.Is(err, ErrInvalid) || strings.Contains(err.Error(), "AGE-SECRET") {
			t.Errorf("recipients %.20q: %v", bad, err)
		}
	}
	for _, bad := range []string{"", "eleven char", strings.Repeat("x", 1025), "a passphrase\nof two lines", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"} {
		if _, err := PassphraseLock(bad); !errors.Is(err, ErrInvalid) || bad != "" && strings.Contains(err.Error(), bad) {
			t.Errorf("passphrase %.20q: %v", bad, err)
		}
	}
	if _, err := PassphraseLock("zwölf Zeichen"); err != nil {
		t.Error(err)
	}
}

// refused wants a backup to be refused, with nothing left of it.
func refused(t *testing.T, backup []byte, wants ...error) {
	t.Helper()
	_, key := quick(t)
	parent := t.TempDir()
	for _, data := range []string{filepath.Join(parent, "data"), t.TempDir()} {
		_, err := Restore(context.Background(), Restoration{Data: data, From: bytes.NewReader(backup), Key: key, Prepare: func(string, Manifest) error {
			t.Error("it was taken for a whole one")
			return nil
		}})
		if !slices.ContainsFunc(wants, func(want error) bool { return errors.Is(err, want) }) {
			t.Errorf("the error is %v", err)
		}
		for _, dir := range []string{parent, data} {
			if left, err := os.ReadDir(dir); err == nil && len(left) != 0 {
				t.Errorf("left behind: %v", left)
			}
		}
	}
}

func TestTamperedAndCutBackupsAreRefused(t *testing.T) {
	whole := written(t, source(t))
	step := max(len(whole)/150, 1)
	for i := 0; i < len(whole); i += step {
		spoilt := bytes.Clone(whole)
		spoilt[i] ^= 0x40
		refused(t, spoilt, ErrDamaged, ErrWrongKey)
		refused(t, whole[:i], ErrDamaged)
	}
	refused(t, whole[:len(whole)-1], ErrDamaged)
	refused(t, append(bytes.Clone(whole), "more"...), ErrDamaged)
	refused(t, []byte("PK\x03\x04 something else"), ErrDamaged)

	l, _ := quick(t)
	var other bytes.Buffer
	w, err := age.Encrypt(&other, l.recipients...)
	must(t, err)
	_, err = io.WriteString(w, "some other file of the same owner")
	must(t, errors.Join(err, w.Close()))
	refused(t, other.Bytes(), ErrNoBackup)
}

func TestWrongPassphrase(t *testing.T) {
	key, err := PassphraseKey("wrong horse battery")
	must(t, err)
	_, err = Check(t.Context(), bytes.NewReader(written(t, source(t))), key)
	if !errors.Is(err, ErrWrongKey) || strings.Contains(err.Error(), "horse") {
		t.Errorf("got %v", err)
	}
}

// A backup that would take gigabytes of memory to be opened is refused before.
func TestTooCostlyPassphraseIsRefused(t *testing.T) {
	whole := written(t, source(t))
	dear := bytes.Replace(whole, []byte(" 4\n"), []byte(" 22\n"), 1)
	if bytes.Equal(dear, whole) {
		t.Fatal("the header is not as expected")
	}
	_, key := quick(t)
	if _, err := Check(t.Context(), bytes.NewReader(dear), key); !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrWrongKey) {
		t.Errorf("got %v", err)
	}
}

// forged makes a backup that is locked as it should be, and holds whatever entries it is given.
type entry struct {
	tar.Header
	body string
}

func forged(t *testing.T, entries ...entry) []byte {
	t.Helper()
	l, _ := quick(t)
	var out bytes.Buffer
	w, err := age.Encrypt(&out, l.recipients...)
	must(t, err)
	z, err := zstd.NewWriter(w)
	must(t, err)
	a := tar.NewWriter(z)
	for _, e := range entries {
		if e.Size == 0 {
			e.Size = int64(len(e.body))
		}
		e.Typeflag = max(e.Typeflag, tar.TypeReg)
		if e.Typeflag != tar.TypeReg {
			e.Size = 0
		}
		must(t, a.WriteHeader(&e.Header))
		if e.Typeflag == tar.TypeReg {
			_, err := io.WriteString(a, e.body)
			must(t, err)
		}
	}
	must(t, errors.Join(a.Close(), z.Close(), w.Close()))
	return out.Bytes()
}

func manifestOf(t *testing.T, files ...File) entry {
	t.Helper()
	raw, err := json.Marshal(Manifest{Format: Format, Files: files})
	must(t, err)
	return entry{tar.Header{Name: manifestName}, string(raw)}
}

func TestHostileBackupsAreRefused(t *testing.T) {
	for _, p := range []string{
		"../x", "/etc/passwd", "a/../../x", "a//b", "./a", "..", ".", "", "a/", `a\b`, "C:x", ".hidden", "a/.ssh/key", "a\x00b", "a\nb",
		strings.Repeat("a/", 12) + "a", strings.Repeat("a", 201), "a\xff",
	} {
		t.Run(fmt.Sprintf("%.30q", p), func(t *testing.T) {
			refused(t, forged(t, manifestOf(t, File{p, 1}), entry{tar.Header{Name: "data/a"}, "x"}), ErrUnsafe)
		})
	}
	one := manifestOf(t, File{"a", 1})
	for name, entries := range map[string][]entry{
		"link":                   {one, {tar.Header{Name: "data/a", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"}, ""}},
		"hard link":              {one, {tar.Header{Name: "data/a", Typeflag: tar.TypeLink, Linkname: "../hub.key"}, ""}},
		"device":                 {one, {tar.Header{Name: "data/a", Typeflag: tar.TypeBlock, Devmajor: 8}, ""}},
		"folder":                 {one, {tar.Header{Name: "data/a", Typeflag: tar.TypeDir}, ""}},
		"other than said":        {one, {tar.Header{Name: "data/../../a"}, "x"}},
		"larger than said":       {one, {tar.Header{Name: "data/a"}, "xx"}},
		"twice in the manifest":  {manifestOf(t, File{"a", 1}, File{"A", 1}), {tar.Header{Name: "data/a"}, "x"}},
		"file and folder":        {manifestOf(t, File{"a", 1}, File{"a/b", 1}), {tar.Header{Name: "data/a"}, "x"}},
		"negative":               {manifestOf(t, File{"a", -1}), {tar.Header{Name: "data/a"}, "x"}},
		"sum overflows":          {manifestOf(t, File{"a", 1 << 62}, File{"b", 1 << 62}), {tar.Header{Name: "data/a"}, "x"}},
		"too many":               {manifestOf(t, make([]File, maxFiles+1)...)},
		"no end":                 {one, {tar.Header{Name: "data/a"}, "x"}},
		"wrong hashes":           {one, {tar.Header{Name: "data/a"}, "x"}, {tar.Header{Name: hashesName}, `{"manifest":"","files":[""]}`}},
		"no manifest":            {{tar.Header{Name: "data/a"}, "x"}},
		"a huge manifest":        {{tar.Header{Name: manifestName, Size: maxIndex + 1}, strings.Repeat(" ", maxIndex+1)}},
		"a newer format":         {{tar.Header{Name: manifestName}, `{"format":2,"hub_version":"9\u001b[31m"}`}},
		"more than the disk has": {manifestOf(t, File{"a", 1 << 61}), {tar.Header{Name: "data/a"}, "x"}},
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, forged(t, entries...), ErrUnsafe, ErrDamaged, ErrNoBackup, ErrNewer, ErrNoRoom)
		})
	}
}

// What decompresses to much more than it says fills neither memory nor disk.
func TestBombIsRefused(t *testing.T) {
	l, key := quick(t)
	var out bytes.Buffer
	w, err := age.Encrypt(&out, l.recipients...)
	must(t, err)
	z, err := zstd.NewWriter(w)
	must(t, err)
	a := tar.NewWriter(z)
	first := manifestOf(t, File{"a", 1})
	first.Size = int64(len(first.body))
	must(t, a.WriteHeader(&first.Header))
	_, err = io.WriteString(a, first.body)
	must(t, err)
	must(t, a.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "data/a", Size: 256 << 20}))
	zeros := make([]byte, 1<<20)
	for range 256 {
		_, err := a.Write(zeros)
		must(t, err)
	}
	must(t, errors.Join(a.Close(), z.Close(), w.Close()))
	if out.Len() > 1<<20 {
		t.Fatalf("the bomb has %d bytes", out.Len())
	}
	if _, err := Check(t.Context(), &out, key); !errors.Is(err, ErrUnsafe) {
		t.Errorf("got %v", err)
	}
}

func TestRestoreOverSomethingIsRefused(t *testing.T) {
	_, key := quick(t)
	data := t.TempDir()
	must(t, os.WriteFile(filepath.Join(data, "hub.key"), []byte("of another hub"), 0o600))
	_, err := Restore(t.Context(), Restoration{Data: data, From: bytes.NewReader(written(t, source(t))), Key: key})
	if !errors.Is(err, ErrNotEmpty) || !strings.Contains(err.Error(), "hub.key") {
		t.Errorf("got %v", err)
	}
	if got := files(t, data); len(got) != 1 || got["hub.key"] != "of another hub" {
		t.Errorf("the folder has %v", got)
	}
}

func TestNothingIsPutInPlaceThatCannotBeMadeReady(t *testing.T) {
	_, key := quick(t)
	backup := written(t, source(t))
	no := errors.New("it does not fit")
	for _, r := range []Restoration{
		{Fits: func(Manifest) error { return no }}, {Prepare: func(string, Manifest) error { return no }},
	} {
		r.Data, r.From, r.Key = filepath.Join(t.TempDir(), "data"), bytes.NewReader(backup), key
		if _, err := Restore(t.Context(), r); !errors.Is(err, no) {
			t.Errorf("got %v", err)
		}
		if left, _ := os.ReadDir(filepath.Dir(r.Data)); len(left) != 0 {
			t.Errorf("left behind: %v", left)
		}
	}
}

// fullAfter fails as a full disk does.
type fullAfter int

func (f *fullAfter) Write(b []byte) (int, error) {
	if *f -= fullAfter(len(b)); *f < 0 {
		return 0, &os.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}
	}
	return len(b), nil
}

func TestFullDiskIsSaid(t *testing.T) {
	l, _ := quick(t)
	for _, room := range []fullAfter{0, 300, 500} {
		if _, err := Write(t.Context(), &room, l, source(t)); !errors.Is(err, ErrNoRoom) {
			t.Errorf("got %v", err)
		}
	}
}

func TestLinksAreFollowedToFilesOnly(t *testing.T) {
	src := source(t)
	elsewhere := filepath.Join(t.TempDir(), "key")
	must(t, os.WriteFile(elsewhere, []byte("kept elsewhere"), 0o600))
	must(t, os.Symlink(elsewhere, filepath.Join(src.Dir, "linked.key")))
	_, key := quick(t)
	data := filepath.Join(t.TempDir(), "data")
	_, err := Restore(t.Context(), Restoration{Data: data, From: bytes.NewReader(written(t, src)), Key: key})
	must(t, err)
	if got := files(t, data)["linked.key"]; got != "kept elsewhere" {
		t.Errorf("the key is %q", got)
	}
	must(t, os.Symlink(t.TempDir(), filepath.Join(src.Dir, "folder")))
	l, _ := quick(t)
	if _, err := Write(t.Context(), io.Discard, l, src); err == nil || !strings.Contains(err.Error(), "link") {
		t.Errorf("a link to a folder: %v", err)
	}
}

// The golden backup is read for ever: it is never written anew for a format that was released.
func TestGolden(t *testing.T) {
	const file = "testdata/v1" + Extension
	_, key := quick(t)
	if *update {
		must(t, os.MkdirAll("testdata", 0o755))
		must(t, os.WriteFile(file, written(t, source(t)), 0o644))
	}
	f, err := os.Open(file)
	must(t, err)
	defer f.Close()
	data := filepath.Join(t.TempDir(), "data")
	m, err := Restore(t.Context(), Restoration{Data: data, From: f, Key: key})
	must(t, err)
	if got := files(t, data); !maps.Equal(got, content()) || m.Format != 1 || m.Hub != "1.2.3" {
		t.Errorf("restored %v by %+v", slices.Sorted(maps.Keys(got)), m)
	}
}
