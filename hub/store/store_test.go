package store

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/farshore/farshore/hub/fleet"
)

// role tells a copy of the test binary which part of a test it plays; see TestMain.
const role = "FARSHORE_STORE_TEST_ROLE"

func TestMain(m *testing.M) {
	switch dir := os.Getenv("FARSHORE_STORE_TEST_DIR"); os.Getenv(role) {
	case "":
		os.Exit(m.Run())
	case "writer":
		fmt.Println("end:", writeUntilKilled(dir))
	case "small disk":
		if err := fillSmallDisk(dir); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println("ok")
	}
}

func play(t *testing.T, part, dir string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe)
	cmd.Env = append(os.Environ(), role+"="+part, "FARSHORE_STORE_TEST_DIR="+dir)
	return cmd
}

func TestAnotherProcessHoldsTheFolder(t *testing.T) {
	dir := t.TempDir()
	cmd := play(t, "writer", dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if !bufio.NewScanner(out).Scan() {
		t.Fatal("the writer wrote nothing")
	}
	_, err = Open(dir)
	if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "--data") {
		t.Errorf("%v, want the folder and the remedy", err)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	s, err := Open(dir)
	if err != nil {
		t.Fatalf("after the other was killed: %v", err)
	}
	_ = s.Close()
}

func TestANewerSchemaIsRefusedAndLeftUntouched(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(s.db.Update(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucketMeta).Put(keySchema, number(SchemaVersion+1))
	}), s.Close())
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, FileName)
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = Open(dir)
	if !errors.Is(err, ErrNewer) || !strings.Contains(err.Error(), "backup") {
		t.Errorf("%v, want a remedy", err)
	}
	if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
		t.Error("the file was changed")
	}
}

func TestAFolderThatCannotBeUsedIsNamed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(file); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("a file in place of the folder: %v", err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, FileName), bytes.Repeat([]byte("rubbish "), 4096), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), FileName) {
		t.Errorf("rubbish in place of the database: %v", err)
	}
}

// writeUntilKilled stores, in each transaction, the same number in a profile's name, in many devices and as the
// moment the hub ran, and prints it once it is durable.
func writeUntilKilled(dir string) error {
	s, err := Open(dir)
	if err != nil {
		return err
	}
	saved, err := s.LoadFleet()
	if err != nil {
		return err
	}
	last := 0
	for _, p := range saved.Profiles {
		last, _ = strconv.Atoi(p.Name)
	}
	for n := last + 1; ; n++ {
		d := fleet.Delta{Profiles: []fleet.Profile{{Name: strconv.Itoa(n)}}, RemoveProfiles: []string{strconv.Itoa(n - 1)}}
		for i := range 40 {
			x := testDevice(i)
			x.Group = fmt.Sprintf("%s%d", strings.Repeat("filler/", n%20), n)
			d.Devices = append(d.Devices, x)
		}
		if err := s.SaveFleet(d); err != nil {
			return err
		}
		fmt.Println(n)
	}
}

func TestKillInTheMiddleLosesNothingAndLeavesNothingHalf(t *testing.T) {
	dir := t.TempDir()
	for round := range 5 {
		cmd := play(t, "writer", dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		durable, lines := 0, bufio.NewScanner(out)
		for i := 0; lines.Scan(); i++ {
			if durable, err = strconv.Atoi(lines.Text()); err != nil {
				t.Fatalf("the writer says %q", lines.Text())
			}
			if i == 10+7*round {
				_ = cmd.Process.Signal(syscall.SIGKILL)
			}
		}
		_ = cmd.Wait()

		s, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Check(t.Context()); err != nil {
			t.Error(err)
		}
		saved, err := s.LoadFleet()
		if err != nil || len(saved.Profiles) != 1 || len(saved.Devices) != 40 {
			t.Fatalf("%d profiles, %d devices, %v", len(saved.Profiles), len(saved.Devices), err)
		}
		n, _ := strconv.Atoi(saved.Profiles[0].Name)
		if n < durable || n > durable+1 || durable < 10 {
			t.Errorf("%d is stored, %d was told to be durable", n, durable)
		}
		for _, d := range saved.Devices {
			if !strings.HasSuffix(d.Group, strconv.Itoa(n)) {
				t.Fatalf("transaction %d is half there: %s", n, d.Group)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// fillSmallDisk runs in a mount namespace of its own: it fills a file system of 1 MB until the store says that it is
// full, makes room, and goes on.
func fillSmallDisk(dir string) error {
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		return fmt.Errorf("no mount: %w", err)
	}
	s, err := Open(dir)
	if err != nil {
		return err
	}
	defer s.Close()
	if err := s.SaveFleet(fleet.Delta{Devices: []fleet.Device{testDevice(0)}}); err != nil {
		return err
	}
	ballast := filepath.Join(dir, "ballast")
	for f, err := os.Create(ballast); ; {
		if err != nil {
			return err
		}
		if _, err := f.Write(make([]byte, 4096)); err != nil {
			_ = f.Close()
			break
		}
	}
	many := fleet.Delta{}
	for i := range 2000 {
		many.Devices = append(many.Devices, testDevice(i+1))
	}
	if err := s.Broken(); err != nil {
		return fmt.Errorf("before a write has failed: %w", err)
	}
	err = s.SaveFleet(many)
	if !errors.Is(err, ErrDiskFull) || !strings.Contains(err.Error(), "free some space") || !strings.Contains(err.Error(), dir) {
		return fmt.Errorf("on a full disk: %w", err)
	}
	refused := s.batch(func(*bbolt.Tx) error { return ErrConflict }) // which is no news of the disk
	if err := s.Broken(); !errors.Is(err, ErrDiskFull) || !errors.Is(refused, ErrConflict) {
		return fmt.Errorf("on a full disk the store is broken because of: %w", err)
	}
	saved, err := s.LoadFleet()
	if err != nil || len(saved.Devices) != 1 {
		return fmt.Errorf("on a full disk %d devices are stored: %w", len(saved.Devices), err)
	}
	if err := os.Remove(ballast); err != nil {
		return err
	}
	if err := s.SaveFleet(fleet.Delta{Devices: many.Devices[:100]}); err != nil {
		return fmt.Errorf("after room was made: %w", err)
	}
	if err := s.Broken(); err != nil {
		return fmt.Errorf("after a write has succeeded: %w", err)
	}
	if saved, err = s.LoadFleet(); err != nil || len(saved.Devices) != 101 {
		return fmt.Errorf("after room was made %d devices are stored: %w", len(saved.Devices), err)
	}
	return s.Check(context.Background())
}

func TestAFullDiskIsSaidAndSurvived(t *testing.T) {
	cmd := play(t, "small disk", t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	out, err := cmd.CombinedOutput()
	if err != nil && (strings.Contains(string(out), "no mount") || errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSPC)) {
		t.Skipf("this machine allows no file system of a test's own: %v %s", err, out)
	}
	if err != nil || string(out) != "ok\n" {
		t.Errorf("%v: %s", err, out)
	}
}
