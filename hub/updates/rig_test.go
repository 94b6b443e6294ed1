package updates_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farshore/farshore/hub/commands"
	"github.com/farshore/farshore/hub/releases"
	"github.com/farshore/farshore/hub/releases/releasefile"
	"github.com/farshore/farshore/hub/store"
	"github.com/farshore/farshore/hub/updates"
	"github.com/farshore/farshore/internal/transfer"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks/rollout"
)

const platform = "linux/arm64"

// device is a machine that does what an agent does with an update, without being one.
type device struct {
	updates.Target
	quiet, broken bool
	files         map[string][]byte // programs it runs
	commands      int               // updates that it took
	lost          bool              // it takes commands and says no more
}

// rig is a hub's desk of updates on the real store, book and shelf, with devices.
type rig struct {
	mu       sync.Mutex // held while the desk looks at the devices
	t        *testing.T
	dir      string
	devices  map[protocol.DeviceID]*device
	notices  []string
	programs map[string]map[string][]byte // by version and name

	db    *store.Store
	book  *commands.Book
	shelf *releases.Shelf
	desk  *updates.Desk
	stop  func()
}

// hub runs a test in virtual time.
func hub(t *testing.T, n int, test func(r *rig)) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)))
		r := &rig{t: t, dir: t.TempDir(), devices: map[protocol.DeviceID]*device{}, programs: map[string]map[string][]byte{}}
		r.start()
		defer func() { r.stop() }()
		for _, v := range []string{"v1.0.0", "v1.1.0"} {
			r.release(v)
		}
		for i := range n {
			r.add(i, "v1.0.0")
		}
		test(r)
	})
}

func key() ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, ed25519.SeedSize))
}

func (r *rig) start() {
	r.t.Helper()
	log := slog.New(slog.DiscardHandler)
	var err error
	check := func() {
		r.t.Helper()
		if err != nil {
			r.t.Fatal(err)
		}
	}
	r.db, err = store.Open(filepath.Join(r.dir, "db"))
	check()
	var desk *updates.Desk
	r.book, err = commands.New(commands.Config{Store: r.db, Log: log, Events: func(n commands.Notice) {
		if n.Kind == commands.KindEnded && desk != nil {
			desk.Ended(n.Record)
		}
	}})
	check()
	r.shelf, err = releases.Open(releases.Config{
		Dir: filepath.Join(r.dir, "releases"), Keys: []ed25519.PublicKey{key().Public().(ed25519.PublicKey)}, Log: log,
		InUse: func(v string) error { return desk.InUse(v) }, Ready: func() { desk.Nudge() },
	})
	check()
	desk, err = updates.New(updates.Config{
		Store: r.db, Fleet: r, Shelf: r.shelf, Commands: r.book, Log: log,
		Events: func(n updates.Notice) { r.notices = append(r.notices, n.Kind+" "+string(n.Device)+" "+n.Text) },
	})
	check()
	r.desk = desk
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 2)
	go func() { done <- r.shelf.Run(ctx) }()
	go func() { done <- desk.Run(ctx) }()
	r.stop = func() {
		cancel()
		<-done
		<-done
		if err := r.db.Close(); err != nil {
			r.t.Error(err)
		}
	}
}

// release makes a release and brings it to the hub.
func (r *rig) release(version string) {
	r.t.Helper()
	dir := filepath.Join(r.t.TempDir(), "linux-arm64")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		r.t.Fatal(err)
	}
	r.programs[version] = map[string][]byte{}
	for i, name := range []string{protocol.ProgramAgent, protocol.ProgramComposer} {
		random := rand.New(rand.NewPCG(uint64(i), 5))
		b := make([]byte, 100<<10)
		for at := range b {
			b[at] = byte(random.Uint32())
		}
		if name == protocol.ProgramAgent || version >= "v1.2" { // the composer stays as it is
			b = append([]byte(version), b...)
		}
		r.programs[version][name] = b
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o755); err != nil {
			r.t.Fatal(err)
		}
	}
	var file bytes.Buffer
	if _, err := releasefile.Make(&file, releasefile.Spec{Key: key(), Version: version, Created: time.Now(), Dir: filepath.Dir(dir)}); err != nil {
		r.t.Fatal(err)
	}
	if _, err := r.shelf.Add(r.t.Context(), &file); err != nil {
		r.t.Fatal(err)
	}
}

func name(i int) protocol.DeviceID { return protocol.DeviceID(fmt.Sprintf("device%010d", i)) }

func (r *rig) add(i int, version string) *device {
	d := &device{Target: updates.Target{
		ID: name(i), Name: fmt.Sprintf("crane-%d", i), Platform: platform, Capability: protocol.Capability, Labels: map[string]string{},
	}}
	d.install(version, r.programs[version])
	r.devices[d.ID] = d
	return d
}

func (d *device) install(version string, files map[string][]byte) {
	d.Version, d.files, d.Programs = version, files, nil
	for n, b := range files {
		d.Programs = append(d.Programs, protocol.ProgramFact{Name: n, Hash: protocol.HashOf(b).Short()})
	}
}

// Targets implements updates.Fleet.
func (r *rig) Targets(selector, group string) (out []updates.Target, _ error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, d := range r.devices {
		t := d.Target
		t.Reachable = !d.quiet
		if selector == "" || t.Labels["site"] == selector {
			out = append(out, t)
		}
	}
	return out, nil
}

// sleep lets time pass in which no device makes contact.
func (r *rig) sleep(long time.Duration) {
	r.changed()
	time.Sleep(long)
	synctest.Wait()
}

// changed lets the desk see what the test has changed of the devices.
func (r *rig) changed() {
	r.mu.Lock()
	defer r.mu.Unlock()
}

// pass lets time pass, in which devices do what they are told.
func (r *rig) pass(long time.Duration) {
	r.t.Helper()
	synctest.Wait()
	for end := time.Now().Add(long); time.Now().Before(end); {
		r.sleep(500 * time.Millisecond)
		for _, d := range r.devices {
			if !d.quiet {
				r.visit(d)
			}
		}
		synctest.Wait()
	}
}

// visit is one contact of a device.
func (r *rig) visit(d *device) {
	r.t.Helper()
	var repealed []protocol.CommandID
	for _, id := range r.book.Repealed(d.ID) {
		repealed = append(repealed, id)
		if rec, err := r.book.Get(id); err == nil && rec.State == protocol.CommandQueued {
			r.result(d, protocol.CommandResult{ID: id, State: protocol.CommandWithdrawn})
		}
	}
	for _, c := range r.book.Pending(d.ID, time.Now()) {
		if slices.Contains(repealed, c.ID) {
			continue
		}
		if err := r.book.Sent(d.ID, []protocol.CommandID{c.ID}); err != nil {
			r.t.Fatal(err)
		}
		d.commands++
		if d.lost {
			continue
		}
		res := protocol.CommandResult{ID: c.ID, State: protocol.CommandDone}
		if version := r.apply(d, c.Update); d.broken && version == "v1.1.0" {
			res.State, res.Code, res.Text = protocol.CommandFailed, protocol.UpdateReverted, "it did not start"
		} else {
			d.install(version, r.programs[version])
		}
		r.result(d, res)
	}
}

func (r *rig) result(d *device, res protocol.CommandResult) {
	if err := r.book.Result(d.ID, res); err != nil {
		r.t.Fatal(err)
	}
}

// apply fetches and puts together what an update brings, as a device does.
func (r *rig) apply(d *device, u *protocol.Update) string {
	r.t.Helper()
	rel, err := protocol.OpenRelease(u.Release, []ed25519.PublicKey{key().Public().(ed25519.PublicKey)})
	if err != nil {
		r.t.Fatal(err)
	}
	if protocol.CompareVersions(rel.Version, d.Version) < 0 && !u.Downgrade {
		r.t.Errorf("%s is told to go back from %s to %s by mistake", d.ID, d.Version, rel.Version)
	}
	for _, p := range u.Programs {
		var got []byte
		for _, part := range p.Parts {
			h, ok := r.desk.Readable(d.ID, part.Blob.Short())
			if !ok || h != part.Blob {
				r.t.Fatalf("%s may not read piece %s of its update", d.ID, part.Blob)
			}
			frame, err := r.shelf.Blob(h)
			if err != nil {
				r.t.Fatal(err)
			}
			base := d.files[p.Name]
			if p.Base != (protocol.Hash{}) && protocol.HashOf(base) != p.Base {
				r.t.Fatalf("%s is sent a patch of what it does not run", d.ID)
			}
			piece, err := transfer.UnpackPiece(frame, base[part.BaseFrom:part.BaseFrom+part.BaseSize], int(part.Size))
			if err != nil {
				r.t.Fatal(err)
			}
			got = append(got, piece...)
		}
		if protocol.HashOf(got) != p.Hash {
			r.t.Fatalf("%s puts another %s together", d.ID, p.Name)
		}
	}
	return rel.Version
}

// begin starts an update.
func (r *rig) begin(s updates.Spec) string {
	r.t.Helper()
	if s.Release == "" {
		s.Release = "v1.1.0"
	}
	v, err := r.desk.Start(s, "anna")
	if err != nil {
		r.t.Fatal(err)
	}
	return v.ID
}

func (r *rig) view(id string) updates.View {
	r.t.Helper()
	v, err := r.desk.Get(id)
	if err != nil {
		r.t.Fatal(err)
	}
	return v
}

// wants holds an update to a phase and its devices to versions; "" stands for any.
func (r *rig) wants(id string, phase rollout.Phase, versions ...string) {
	r.t.Helper()
	synctest.Wait() // nobody is looking
	if v := r.view(id); v.Rollout.Phase != phase {
		r.t.Errorf("the update is %s (%s), want %s", v.Rollout.Phase, v.Why, phase)
	}
	for i, want := range versions {
		if got := r.devices[name(i)].Version; want != "" && got != want {
			r.t.Errorf("device %d runs %s, want %s", i, got, want)
		}
	}
}

func (r *rig) status(id string, i int) updates.Status {
	r.t.Helper()
	list, err := r.desk.Devices(id)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, s := range list {
		if s.Device == name(i) {
			return s
		}
	}
	return updates.Status{}
}
