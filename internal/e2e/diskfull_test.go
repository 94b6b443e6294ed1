package e2e

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/farshore/farshore/internal/testengine"
)

// smallDisk mounts a disk of a few MB on a folder.
func smallDisk(t *testing.T, dir string, size int) *disk {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	err := syscall.Mount("farshore-e2e", dir, "tmpfs", 0, fmt.Sprintf("size=%d,mode=0700", size))
	if errors.Is(err, syscall.EPERM) && os.Getenv(testengine.EnvRequire) == "" {
		t.Skip("mounting a small disk takes root rights")
	}
	if err != nil {
		t.Fatalf("mount a small disk: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("unmount the small disk: %v", err)
		}
	})
	return &disk{t, filepath.Join(dir, "filler")}
}

type disk struct {
	t      *testing.T
	filler string
}

// fill takes all space that is left.
func (d *disk) fill() {
	d.t.Helper()
	f, err := os.OpenFile(d.filler, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		d.t.Fatal(err)
	}
	defer f.Close()
	for block := make([]byte, 4096); err == nil; {
		_, err = f.Write(block)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		d.t.Fatal(err)
	}
}

func (d *disk) free() {
	d.t.Helper()
	if err := os.Remove(d.filler); err != nil {
		d.t.Fatal(err)
	}
}

// bundle writes a stack of one service with a file that does not compress.
func bundle(t *testing.T, dir string, size int) {
	t.Helper()
	junk := make([]byte, size)
	_, _ = rand.Read(junk) // it never fails
	write(t, filepath.Join(dir, "compose.yml"),
		"services:\n  one:\n    image: "+testengine.BusyboxImage+"\n    stop_grace_period: 1s\n")
	write(t, filepath.Join(dir, "firmware.bin"), string(junk))
}

// TestDiskOfTheDeviceIsFull: the agent says so, keeps its contact, and goes on by itself when there is space.
func TestDiskOfTheDeviceIsFull(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	h := newHub(t, hubConfig{})
	a := newAgent(t, "mqtt", e)
	disk := smallDisk(t, a.data, 8<<20)
	a.join(h.key("field"))
	device := h.admit(a, "box")
	h.connected(device, "mqtt")
	disk.fill()

	dir := filepath.Join(h.dir, "one")
	bundle(t, dir, 1<<20)
	h.cli("stacks", "apply", "--name", "one", "-f", dir, "--select", "farshore.io/id="+device)
	until(t, "the operator is told that the device's disk is full", func() error {
		s, err := h.stackOn("one", device)
		if err == nil && (s.State != "waiting" || s.Code != "disk-full" || !strings.Contains(s.Detail, "free")) {
			err = fmt.Errorf("it says %+v", s)
		}
		return err
	})
	h.connected(device, "mqtt")
	disk.free()
	wait(t, 2*patience, "it goes on by itself", func() error {
		s, err := h.stackOn("one", device)
		if err == nil && s.State != "running" {
			err = fmt.Errorf("it says %+v", s)
		}
		return err
	})
}

// TestDiskOfTheHubIsFull: what cannot be stored is refused with a sentence, nothing that was stored is lost, and what
// devices have to say waits on the devices.
func TestDiskOfTheHubIsFull(t *testing.T) {
	t.Parallel()
	h := prepareHub(t, hubConfig{})
	disk := smallDisk(t, h.data, 16<<20)
	h.start()
	h.login()
	a := newAgent(t, "mqtt", nil)
	a.join(h.key("field"))
	device := h.admit(a, "box")
	h.connected(device, "mqtt")
	disk.fill()

	dir := filepath.Join(h.dir, "one")
	bundle(t, dir, 6<<20)
	args := []string{"stacks", "apply", "--name", "one", "-f", dir, "--select", "farshore.io/id=" + device}
	r := h.try(args...)
	if r.code != exitFailed {
		t.Errorf("a stack that has no room: %v", r)
	}
	says(t, r.err, "disk is full", "free some space")
	if s, err := h.device(device); err != nil || s.Name != "box" {
		t.Errorf("with a full disk the hub says of the device: %+v, %v", s, err)
	}
	disk.free()
	h.cli(args...)
	h.connected(device, "mqtt")
	h.kill()
	h.start()
	h.connected(device, "mqtt")
	if _, err := h.stackOn("one", device); err != nil {
		t.Errorf("what was stored after the disk had room again: %v", err)
	}
}
