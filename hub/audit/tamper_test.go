package audit_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/farshore/farshore/hub/audit"
)

// rewrite makes lines a chain again, as somebody does who knows the format and has not the hub key: signatures stay as
// they are, or are left out.
func rewrite(t *testing.T, in []string, prev string, seq int, keepSignatures bool) []string {
	var out []string
	for _, text := range in {
		if strings.HasPrefix(text, `{"checkpoint"`) {
			if keepSignatures || len(out) == 0 {
				out = append(out, text)
			}
			continue
		}
		var l audit.Line
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			t.Fatal(err)
		}
		seq++
		l.Seq, l.Prev, l.Hash = uint64(seq), prev, ""
		raw, err := json.Marshal(l)
		if err != nil {
			t.Fatal(err)
		}
		body := strings.TrimSuffix(string(raw), "}")
		sum := sha256.Sum256([]byte(body))
		prev = hex.EncodeToString(sum[:])
		out = append(out, body+`,"hash":"`+prev+`"}`)
	}
	return out
}

var zero = strings.Repeat("0", 64)

// Each way to tamper is found, with the trail closed or open, and stays found when the hub goes on writing.
func TestTamperingIsFound(t *testing.T) {
	all := func(w *trail, change func([]string) []string) {
		f := w.files()[1]
		write(w.t, f, change(lines(w.t, f)))
	}
	last := func(w *trail, change func([]string) []string) {
		f := w.files()[len(w.files())-1]
		write(w.t, f, change(lines(w.t, f)))
	}
	for name, tamper := range map[string]func(w *trail){
		"a changed field": func(w *trail) {
			all(w, func(l []string) []string { l[3] = strings.Replace(l[3], "anna", "olga", 1); return l })
		},
		"a changed field, with its hash made to fit": func(w *trail) {
			all(w, func(l []string) []string {
				var e audit.Line
				_ = json.Unmarshal([]byte(l[2]), &e)
				return append(l[:3:3], append(rewrite(t, []string{strings.Replace(l[3], "anna", "olga", 1)}, e.Hash, int(e.Seq), false), l[4:]...)...)
			})
		},
		"a removed line": func(w *trail) { all(w, func(l []string) []string { return slices.Delete(l, 3, 4) }) },
		"lines in another order": func(w *trail) {
			all(w, func(l []string) []string { l[3], l[4] = l[4], l[3]; return l })
		},
		"a line twice":            func(w *trail) { all(w, func(l []string) []string { return slices.Insert(l, 3, l[3]) }) },
		"a line that is none":     func(w *trail) { all(w, func(l []string) []string { l[3] = "{}"; return l }) },
		"an empty line":           func(w *trail) { all(w, func(l []string) []string { return slices.Insert(l, 3, "") }) },
		"no signature at the end": func(w *trail) { all(w, func(l []string) []string { return l[:len(l)-1] }) },
		"the end cut off":         func(w *trail) { last(w, func(l []string) []string { return l[:2] }) },
		"the end cut off within a line": func(w *trail) {
			f := w.files()[len(w.files())-1]
			info, _ := os.Stat(f)
			if err := os.Truncate(f, info.Size()*2/3); err != nil {
				w.t.Fatal(err)
			}
		},
		"the last line hidden as a torn one": func(w *trail) {
			last(w, func(l []string) []string { l[2] = l[2][:40]; return l })
		},
		"a removed file":       func(w *trail) { remove(w.t, w.files()[1]) },
		"a removed first file": func(w *trail) { remove(w.t, w.files()[0]) },
		"a removed last file":  func(w *trail) { remove(w.t, w.files()[len(w.files())-1]) },
		"an emptied last file": func(w *trail) { last(w, func([]string) []string { return nil }) },
		"all files removed":    func(w *trail) { remove(w.t, w.files()...) },
		"a file in place of another": func(w *trail) {
			raw, _ := os.ReadFile(w.files()[0])
			if err := os.WriteFile(w.files()[1], raw, 0o600); err != nil {
				w.t.Fatal(err)
			}
		},
		"the last file written anew, without the key": func(w *trail) {
			last(w, func(l []string) []string {
				var c struct{ Checkpoint audit.Checkpoint }
				_ = json.Unmarshal([]byte(l[0]), &c)
				l[2] = strings.Replace(l[2], "anna", "olga", 1)
				return rewrite(t, l, c.Checkpoint.Hash, int(c.Checkpoint.Seq), false)
			})
		},
		"all written anew, with the old signatures": func(w *trail) {
			prev, seq := zero, 0
			for _, f := range w.files() {
				l := lines(w.t, f)
				l[2] = strings.Replace(l[2], "anna", "olga", 1)
				out := rewrite(t, l, prev, seq, true)
				var e audit.Line
				for _, text := range out {
					if !strings.HasPrefix(text, `{"checkpoint"`) {
						_ = json.Unmarshal([]byte(text), &e)
					}
				}
				prev, seq = e.Hash, int(e.Seq)
				write(w.t, f, out)
			}
		},
		"a whole trail of another hub": func(w *trail) {
			other := newTrail(w.t)
			other.key = ed25519.NewKeyFromSeed([]byte(strings.Repeat("x", ed25519.SeedSize)))
			other.again(func() { remove(w.t, other.files()...); remove(w.t, other.dir+"/farshore.db") })
			other.fill(100)
			other.again(func() {})
			remove(w.t, w.files()...)
			raw, _ := os.ReadFile(other.files()[0])
			if err := os.WriteFile(w.folder()+"/audit-000000000001.jsonl", raw, 0o600); err != nil {
				w.t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newTrail(t)
			w.small = 4 << 10
			w.again(func() {})
			w.fill(40)
			w.again(func() {})
			w.holds(40)
			if n := len(w.files()); n < 3 {
				t.Fatalf("%d files, want at least three", n)
			}
			w.again(func() { tamper(w) })
			r := w.verify()
			if r.Problem == nil {
				t.Fatalf("it was not found: %s", r.String())
			}
			t.Log(r.Problem)
			if r, err := w.log.Verify(t.Context()); err != nil || r.Problem == nil {
				t.Errorf("the hub itself did not find it: %v, %s", err, r.String())
			}
			w.fill(40)
			w.again(func() {})
			w.again(func() {})
			if r := w.verify(); r.Problem == nil {
				t.Errorf("it was forgotten: %s", r.String())
			}
		})
	}
}

func TestTamperingBelowARunningHubIsFound(t *testing.T) {
	w := newTrail(t)
	w.fill(5)
	l := lines(t, w.files()[0])
	write(t, w.files()[0], rewrite(t, append(l[:3:3], strings.Replace(l[3], "anna", "olga", 1), l[4], l[5]), zero, 0, true))
	r, err := w.log.Verify(t.Context())
	if err != nil || r.Problem == nil {
		t.Fatalf("%v, %s", err, r.String())
	}
}

func TestAForgedDatabaseIsFound(t *testing.T) {
	w := newTrail(t)
	w.fill(5)
	w.again(func() {})
	if err := w.db.PutTrailStart(audit.Checkpoint{Seq: 3, Hash: zero}); err != nil {
		t.Fatal(err)
	}
	if r := w.verify(); r.Problem == nil {
		t.Error(r.String())
	}
}

func remove(t testing.TB, files ...string) {
	t.Helper()
	for _, f := range files {
		if err := os.Remove(f); err != nil {
			t.Fatal(err)
		}
	}
}

// What a hub leaves behind that stops within a line is no damage, and stays told apart from it.
func TestATornLineIsNoDamage(t *testing.T) {
	for name, left := range map[string]string{
		"half a line": `{"seq":6,"at":"2026-`, "zeros": strings.Repeat("\x00", 4096), "zeros with line ends": "\x00\x00\n\x00", "a line end": "\n",
	} {
		t.Run(name, func(t *testing.T) {
			w := newTrail(t)
			w.fill(5)
			w.again(func() {
				f, err := os.OpenFile(w.files()[0], os.O_APPEND|os.O_WRONLY, 0)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := f.WriteString(left); err != nil {
					t.Fatal(err)
				}
				_ = f.Close()
			})
			if r := w.holds(6); r.Torn != 1 {
				t.Errorf("%d torn places, want 1", r.Torn)
			}
			w.fill(2)
			w.again(func() {})
			w.holds(8)
			p, err := w.log.Page(t.Context(), audit.Query{Filter: audit.Filter{Operation: audit.OpTorn}})
			if err != nil || len(p.Lines) != 1 || p.Lines[0].Seq != 6 {
				t.Errorf("%v %+v", err, p.Lines)
			}
			l := lines(t, w.files()[0])
			for i, text := range l {
				if strings.Contains(text, `"torn"`) {
					l[i-1] += "x"
				}
			}
			write(t, w.files()[0], l)
			if r := w.verify(); r.Problem == nil {
				t.Error("what is before the mark was changed, and nobody noticed")
			}
		})
	}
}

// A line of which only the end is missing is kept.
func TestALineWithoutItsEnd(t *testing.T) {
	w := newTrail(t)
	w.fill(5)
	for _, off := range []int64{1, 1} {
		w.again(func() {
			f := w.files()[0]
			info, _ := os.Stat(f)
			if err := os.Truncate(f, info.Size()-off); err != nil {
				t.Fatal(err)
			}
		})
		w.holds(5)
	}
}
