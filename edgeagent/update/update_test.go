package update_test

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/farshore/farshore/edgeagent/state"
	"github.com/farshore/farshore/edgeagent/update"
	"github.com/farshore/farshore/internal/transfer"
	"github.com/farshore/farshore/protocol"
)

func releaseKey() ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))
}

func trusted() []ed25519.PublicKey {
	return []ed25519.PublicKey{releaseKey().Public().(ed25519.PublicKey)}
}

// pieces packs a program once for all tests that want it.
func pieces(t *testing.T, program, base []byte) []transfer.Piece {
	t.Helper()
	type pair struct{ program, base protocol.Hash }
	key := pair{protocol.HashOf(program), protocol.HashOf(base)}
	pack := func() ([]transfer.Piece, error) {
		var out []transfer.Piece
		err := transfer.PackProgram(program, base, func(p transfer.Piece) error {
			out = append(out, p)
			return nil
		})
		return out, err
	}
	once, _ := packed.LoadOrStore(key, sync.OnceValues(pack))
	out, err := once.(func() ([]transfer.Piece, error))()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

var packed sync.Map

// rig is a device with an installed agent v1.0.0, and what a hub would hand out.
type rig struct {
	*testing.T
	dir, data, installed string
	old                  []byte
	seq                  uint64
}

func newRig(t *testing.T) *rig {
	t.Helper()
	dir := t.TempDir()
	r := &rig{T: t, dir: dir, data: filepath.Join(dir, "data"), installed: filepath.Join(dir, "bin", "farshore-agent")}
	r.old = r.program("v1.0.0")
	r.must(os.MkdirAll(filepath.Dir(r.installed), 0o700), os.Mkdir(filepath.Join(dir, "hub"), 0o700))
	r.must(os.WriteFile(r.installed, r.old, 0o700))
	return r
}

func (r *rig) must(errs ...error) {
	r.Helper()
	for _, err := range errs {
		if err != nil {
			r.Fatal(err)
		}
	}
}

// program is the test binary as an agent of a version.
func (r *rig) program(version string) []byte {
	r.Helper()
	self, err := os.ReadFile("/proc/self/exe")
	r.must(err)
	return append(self, fmt.Sprintf("%-*s", versionSize, version)...)
}

// command makes an update to a version, as a patch of the installed agent, and puts its pieces where the device finds them.
func (r *rig) command(id protocol.CommandID, version string) protocol.Command {
	r.Helper()
	next := r.program(version)
	signed, err := protocol.SignRelease(releaseKey(), protocol.Release{Version: version, Programs: []protocol.Program{
		{Name: protocol.ProgramAgent, OS: "linux", Arch: "test", Hash: protocol.HashOf(next), Size: uint64(len(next))},
	}})
	r.must(err)
	u := protocol.UpdateProgram{Name: protocol.ProgramAgent, Hash: protocol.HashOf(next), Base: protocol.HashOf(r.old)}
	for _, p := range pieces(r.T, next, r.old) {
		h := protocol.HashOf(p.Frame)
		u.Parts = append(u.Parts, protocol.UpdatePart{
			Blob: h, BlobSize: uint32(len(p.Frame)), Size: uint32(p.Size), BaseFrom: uint32(p.BaseFrom), BaseSize: uint32(p.BaseSize),
		})
		r.must(os.WriteFile(filepath.Join(r.dir, "hub", h.String()), p.Frame, 0o600))
	}
	return protocol.Command{
		ID: id, Kind: protocol.CommandUpdate, NotAfter: time.Now().Add(time.Hour).Unix(),
		Update: &protocol.Update{Release: signed, Programs: []protocol.UpdateProgram{u}, Trial: 120},
	}
}

// give puts commands into the journal of the device, which must not run.
func (r *rig) give(commands ...protocol.Command) {
	r.Helper()
	s, err := state.OpenDisk(r.data)
	r.must(err)
	r.seq++
	r.must(s.AcceptOrders(state.Accept{Mark: protocol.OrderMark{Epoch: 1, Seq: r.seq}, Commands: commands}), s.Close())
}

// behaves says how a version behaves; killAt where the power goes.
func (r *rig) behaves(version, how string) {
	r.must(os.WriteFile(filepath.Join(r.dir, "behaviour "+version), []byte(how), 0o600))
}

func (r *rig) killAt(moment string) {
	r.must(os.WriteFile(filepath.Join(r.dir, "kill at"), []byte(moment), 0o600))
}

func (r *rig) said() string {
	b, _ := os.ReadFile(filepath.Join(r.dir, "said"))
	return string(b)
}

// service runs the installed agent and starts it again whenever it ends, until it says what is awaited.
func (r *rig) service(until string) {
	r.Helper()
	r.must(os.RemoveAll(filepath.Join(r.dir, "said")))
	var printed bytes.Buffer
	for deadline := time.Now().Add(time.Minute); ; {
		cmd := exec.Command(r.installed, "run")
		cmd.Env = append(os.Environ(), roleVariable+"="+r.dir)
		cmd.Stdout, cmd.Stderr = &printed, &printed
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		cmd.WaitDelay = 20 * time.Second
		r.must(cmd.Start())
		ended := make(chan struct{})
		go func() { _ = cmd.Wait(); close(ended) }()
		for running := true; running; {
			select {
			case <-ended:
				running = false
			case <-time.After(20 * time.Millisecond):
			}
			if strings.Contains(r.said(), until) {
				_ = cmd.Process.Signal(syscall.SIGTERM)
				<-ended
				return
			}
			if time.Now().After(deadline) {
				_ = cmd.Process.Kill()
				<-ended
				r.Fatalf("it never said %q; it said\n%s\nand printed\n%s", until, r.said(), printed.String())
			}
		}
	}
}

// results are those in the outbox.
func (r *rig) results() (out []protocol.CommandResult) {
	r.Helper()
	s, err := state.OpenDisk(r.data)
	r.must(err)
	defer s.Close()
	for _, item := range s.Outbox(1 << 20) {
		if item.Kind == protocol.KindResult {
			var res protocol.CommandResult
			r.must(protocol.Unmarshal(item.Body, &res))
			out = append(out, res)
		}
	}
	return out
}

// theResult is the one result that there must be.
func (r *rig) theResult() protocol.CommandResult {
	r.Helper()
	all := r.results()
	if len(all) != 1 {
		r.Fatalf("%d results: %+v\n%s", len(all), all, r.said())
	}
	return all[0]
}

func (r *rig) record() update.Record {
	r.Helper()
	rec, err := update.In(r.data).Read()
	r.must(err)
	return rec
}

func TestUpdateThatProvesItselfStays(t *testing.T) {
	r := newRig(t)
	r.give(r.command(1, "v1.1.0"))
	r.service("result")
	if res := r.theResult(); res.State != protocol.CommandDone || res.Text != "v1.0.0 → v1.1.0" {
		t.Errorf("result %+v", res)
	}
	r.service("runs v1.1.0") // at the next boot too, without the installed one in between
	if strings.Contains(r.said(), "runs v1.0.0") {
		t.Errorf("the old one ran:\n%s", r.said())
	}
	// The next update goes into the other slot, and its base is what is installed no more.
	r.old = r.program("v1.1.0")
	r.give(r.command(2, "v1.2.0"))
	r.service("result")
	rec := r.record()
	if rec.Current != update.SlotB || rec.Previous != update.SlotA || rec.Trial != nil {
		t.Errorf("record %+v", rec)
	}
	// Back at the box.
	if _, err := update.In(r.data).Rollback(); err != nil {
		t.Fatal(err)
	}
	r.service("runs v1.1.0")
	// Whoever installs another agent means it.
	r.must(os.Rename(r.installed, r.installed+".old"), os.WriteFile(r.installed, r.program("v1.0.5"), 0o700))
	r.service("runs v1.0.5")
	if rec := r.record(); len(rec.Slots) != 0 || rec.Current != update.Installed {
		t.Errorf("record after an install %+v", rec)
	}
}

// A trial lasts until there was contact, whether it is known before the switch that there is none or only after it.
func TestTrialWaitsForContact(t *testing.T) {
	for name, knows := range map[string][]string{"known before": {"v1.0.0", "v1.1.0"}, "known after": {"v1.1.0"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.behaves("v1.1.0", "late")
			for _, version := range knows {
				r.must(os.WriteFile(filepath.Join(r.dir, "gap "+version), []byte("4s"), 0o600))
			}
			c := r.command(1, "v1.1.0")
			c.Update.Trial = 2
			r.give(c)
			r.service("result")
			if res := r.theResult(); res.State != protocol.CommandDone {
				t.Errorf("result %+v", res)
			}
			if n := strings.Count(r.said(), "runs v1.1.0"); n != 1 {
				t.Errorf("it was started %d times:\n%s", n, r.said())
			}
		})
	}
}

func TestUpdateThatDoesNotProveItselfIsUndone(t *testing.T) {
	for behaviour, reason := range map[string]string{
		"exits":        "it ended 3 times before it was in session with the hub, the last time with code 3",
		"out of reach": "it was not in session with the hub within 2 s",
		"hangs":        "it was not in session with the hub within 2 s",
	} {
		t.Run(behaviour, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.behaves("v1.1.0", behaviour)
			c := r.command(1, "v1.1.0")
			c.Update.Trial = 2
			r.give(c)
			r.service("result")
			res := r.theResult()
			if res.State != protocol.CommandFailed || res.Code != protocol.UpdateReverted || !strings.Contains(res.Text, reason) {
				t.Errorf("result %+v", res)
			}
			rec := r.record()
			if rec.Current != update.Installed || len(rec.Slots) != 0 {
				t.Errorf("record %+v", rec)
			}
			if behaviour == "exits" && !strings.Contains(rec.Ended.Output, "this build is no good") {
				t.Errorf("its last words are lost: %q", rec.Ended.Output)
			}
			r.service("runs v1.0.0")
			if strings.Contains(r.said(), "v1.1.0") {
				t.Errorf("it was tried again:\n%s", r.said())
			}
		})
	}
}

// Wherever the power goes, the update ends once, and well.
func TestPowerCut(t *testing.T) {
	for _, moment := range []string{
		"fetch 1", "fetch 2", "drop", "switch", "start v1.1.0", "start v1.1.0, launcher", "before session v1.1.0",
		"before session v1.1.0, launcher", "after session v1.1.0", "after session v1.1.0, launcher", "before result", "after result",
	} {
		t.Run(moment, func(t *testing.T) {
			r := newRig(t)
			r.give(r.command(1, "v1.1.0"))
			r.killAt(moment)
			until := "\nresult"
			if moment == "after result" {
				until = "killed at"
			}
			r.service(until)
			said := r.said()
			if !strings.Contains(said, "killed at "+moment) {
				t.Fatalf("it was never killed:\n%s", said)
			}
			if res := r.theResult(); res.State != protocol.CommandDone {
				t.Errorf("result %+v", res)
			}
			if rec := r.record(); rec.Current != update.SlotA || rec.Trial != nil {
				t.Errorf("record %+v", rec)
			}
			if moment == "fetch 2" {
				for line := range strings.Lines(said) {
					if strings.HasPrefix(line, "fetches") && strings.Count(said, line) > 1 {
						t.Errorf("twice: %s", line)
					}
				}
			}
			r.service("runs v1.1.0")
		})
	}
}

func TestUpdateIsRefused(t *testing.T) {
	other := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{8}, ed25519.SeedSize))
	for name, c := range map[string]struct {
		change     func(r *rig, c *protocol.Command)
		code, says string
	}{
		"wrong key": {func(r *rig, c *protocol.Command) {
			release, err := protocol.OpenRelease(c.Update.Release, trusted())
			r.must(err)
			c.Update.Release, err = protocol.SignRelease(other, release)
			r.must(err)
		}, protocol.UpdateRefused, "not trusted"},
		"forged": {func(_ *rig, c *protocol.Command) {
			c.Update.Release[len(c.Update.Release)/3] ^= 1
		}, protocol.UpdateRefused, "altered"},
		"no release": {func(_ *rig, c *protocol.Command) { c.Update = nil }, protocol.UpdateRefused, "names no release"},
		"downgrade":  {func(r *rig, c *protocol.Command) { *c = r.command(1, "v0.9.0") }, protocol.UpdateRefused, "older than v1.0.0"},
		"altered piece": {func(r *rig, c *protocol.Command) { // by a hub that was taken over: all hashes of the command fit
			p := &c.Update.Programs[0].Parts[0]
			evil := []byte("\x7fELF")
			piece := make([]byte, p.Size)
			copy(piece, evil)
			r.must(transfer.PackProgram(piece, nil, func(made transfer.Piece) error {
				p.Blob, p.BlobSize, p.BaseFrom, p.BaseSize = protocol.HashOf(made.Frame), uint32(len(made.Frame)), 0, 0
				return os.WriteFile(filepath.Join(r.dir, "hub", p.Blob.String()), made.Frame, 0o600)
			}))
		}, protocol.UpdateFetch, "did not come as it was signed"},
		"bomb": {func(_ *rig, c *protocol.Command) {
			c.Update.Programs[0].Parts[0].Size = protocol.MaxProgramPart + 1
		}, protocol.UpdateFetch, "larger than allowed"},
		"base beyond": {func(_ *rig, c *protocol.Command) {
			c.Update.Programs[0].Parts[0].BaseFrom = 1 << 31
		}, protocol.UpdateFetch, "beyond the base"},
		"other base": {func(_ *rig, c *protocol.Command) {
			c.Update.Programs[0].Base[0] ^= 1
		}, protocol.UpdateFetch, "does not run"},
		"piece is gone": {func(r *rig, c *protocol.Command) {
			r.must(os.Remove(filepath.Join(r.dir, "hub", c.Update.Programs[0].Parts[1].Blob.String())))
		}, protocol.UpdateFetch, "could not be fetched"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			command := r.command(1, "v1.1.0")
			c.change(r, &command)
			command.ID = 1
			r.give(command)
			r.service("result")
			res := r.theResult()
			if res.State != protocol.CommandFailed || res.Code != c.code || !strings.Contains(res.Text, c.says) {
				t.Errorf("result %+v", res)
			}
			if rec := r.record(); rec.Current != update.Installed || rec.Trial != nil {
				t.Errorf("record %+v", rec)
			}
		})
	}
}

func TestDowngradeOnPurpose(t *testing.T) {
	r := newRig(t)
	c := r.command(1, "v0.9.0")
	c.Update.Downgrade = true
	r.give(c)
	r.service("result")
	if res := r.theResult(); res.State != protocol.CommandDone || res.Text != "v1.0.0 → v0.9.0" {
		t.Errorf("result %+v", res)
	}
}

func TestFullDisk(t *testing.T) {
	r := newRig(t)
	r.must(os.Mkdir(r.data, 0o700))
	if err := syscall.Mount("farshore-test", r.data, "tmpfs", 0, "size=16m"); err != nil {
		t.Skipf("a small file system cannot be mounted: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(r.data, 0); err != nil {
			t.Error(err)
		}
	})
	r.give(r.command(1, "v1.1.0"))
	r.service("result")
	res := r.theResult()
	if res.Code != protocol.UpdateDisk || !strings.Contains(res.Text, "make room") || !strings.Contains(res.Text, " MB are free") {
		t.Errorf("result %+v", res)
	}
}

// A slot that the disk has spoilt does not keep the device from running.
func TestSpoiltSlot(t *testing.T) {
	r := newRig(t)
	r.give(r.command(1, "v1.1.0"))
	r.service("result")
	path := update.In(r.data).Path(update.SlotA, protocol.ProgramAgent)
	b, err := os.ReadFile(path)
	r.must(err)
	b[len(b)/2] ^= 1
	r.must(os.WriteFile(path, b, 0o700))
	r.service("runs v1.0.0")
	// Neither does a record that was.
	r.must(os.WriteFile(filepath.Join(r.data, update.FolderName, "record.json"), []byte("{"), 0o600))
	r.service("runs v1.0.0")
}
