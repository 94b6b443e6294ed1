package depot_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/farshore/farshore/edgeagent/depot"
	"github.com/farshore/farshore/edgeagent/engine"
	"github.com/farshore/farshore/internal/testengine"
	"github.com/farshore/farshore/stacks/composer/ipc"
	"github.com/farshore/farshore/stacks/reconciler"
)

const envHelper = "FARSHORE_DEPOT_HELPER"

// TestMain lets a test run this binary as a process that brings an image and may be killed.
func TestMain(m *testing.M) {
	if os.Getenv(envHelper) == "" {
		os.Exit(m.Run())
	}
	dir, host, ref := os.Args[1], os.Args[2], os.Args[3]
	d, err := depot.New(depot.Config{
		Dir: dir, Engine: engine.New(engine.Config{Host: host}), Pause: 10 * time.Millisecond, Log: slog.New(slog.DiscardHandler),
	})
	if err == nil {
		_, err = d.Bring(context.Background(), reconciler.ImageOrder{
			Stack: 7, Version: 1, Images: []ipc.Image{{Ref: ref, Policy: ipc.PullMissing, Service: "web"}},
		})
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

// arrived stops the link, and waits until the agent has read what was on its way: on a thin link that is next to nothing,
// here it would be what fits the kernel's buffers.
func arrived(r *rig, l layer) {
	at := r.front.pause()
	path := filepath.Join(r.cfg.Dir, "blobs", strings.Replace(digestOf(l.packed), ":", "-", 1)+".part")
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		if info, err := os.Stat(path); err == nil && int(info.Size()) >= at || time.Now().After(deadline) {
			return
		}
	}
}

// overTenOpenings brings an image of one layer in ten openings. In the middle of each the link is cut, at its end the
// agent is killed. At most a hundredth is fetched again.
func overTenOpenings(t *testing.T, size int) {
	r := newRig(t)
	l := newLayer(t, "x", size)
	put(t, r.registry.Addr, "app", "1", "", l)
	ref := r.ref("app:1")
	r.front.rate = size / 5
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	tenth := len(l.packed) / 10
	for opening := range 10 {
		agent := exec.Command(program, r.cfg.Dir, testengine.Host(t), ref)
		agent.Env = append(os.Environ(), envHelper+"=1")
		agent.Stdout = os.Stderr
		if err := agent.Start(); err != nil {
			t.Fatal(err)
		}
		r.front.await(opening*tenth + tenth/2)
		arrived(r, l)
		r.front.cut()
		r.front.resume()
		if opening == 9 {
			err = agent.Wait()
			break
		}
		r.front.await((opening + 1) * tenth)
		arrived(r, l)
		if err := agent.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		r.front.cut()
		r.front.resume()
		_ = agent.Wait() // it was killed, and says so
	}
	if err != nil {
		t.Fatalf("the last opening: %v", err)
	}
	r.image(ref)
	r.clean()
	again := r.front.of(l) - len(l.packed)
	t.Logf("%d bytes over ten openings with ten cuts and nine kills: %d fetched again, %.2f%%", len(l.packed), again, 100*float64(again)/float64(len(l.packed)))
	r.restart()
	for _, one := range r.depot.List()[0].Layers { // the processes that were killed have told nobody
		if off := int64(r.front.of(l)) - one.Fetched; one.Digest == digestOf(l.packed) && (off > one.Size/100 || -off > one.Size/100) {
			t.Errorf("%d bytes were sent, and %d are noted as fetched", r.front.of(l), one.Fetched)
		}
	}
	if again*100 > len(l.packed) {
		t.Errorf("%d bytes of %d were fetched again", again, len(l.packed))
	}
}

func TestAnImageOverTenOpeningsWithCutsAndKills(t *testing.T) { overTenOpenings(t, 20<<20) }
