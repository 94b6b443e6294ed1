// Package fleettest runs the real hub and real agents in one process, over a network in memory or over real sockets,
// with engines that are fake but behave. Tests speak in its verbs: Disconnect, Reboot, PowerCut, CrashHub, Settle. It may be used
// inside testing/synctest; then a day passes in seconds.
//
// Only tests and cmd/fleetsim may import it. A Fleet belongs to one test; its methods are called from one goroutine.
package fleettest

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farshore/farshore/hub"
	"github.com/farshore/farshore/internal/faultnet"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/snapshot"
	"github.com/farshore/farshore/waitingroom/admission"
)

// Addresses of the hub in the network in memory.
const (
	publicAddress = "127.0.0.1:9443"
	mqttAddress   = "127.0.0.1:8883"
)

// epoch is when tests take place at the earliest: ids of commands count from 2020, and bubbles begin in 2000.
var epoch = time.Date(2025, 1, 1, 12, 0, 0, 0, time.UTC)

// Fleet is a hub and its devices.
type Fleet struct {
	Network *faultnet.Network
	t       testing.TB
	data    string
	log     *slog.Logger
	hub     *running[*hub.Hub]
	codec   *protocol.Codec
	patcher *snapshot.Patcher
	keys    int
	edgeKey string // of devices that are known from the beginning
	devices []*Device
	given   []given // commands
}

// running is a part that runs until stop.
type running[T any] struct {
	part T
	stop context.CancelFunc
	done chan error
}

func start[T interface{ Run(context.Context) error }](part T) *running[T] {
	ctx, cancel := context.WithCancel(context.Background())
	r := &running[T]{part: part, stop: cancel, done: make(chan error, 1)}
	go func() { r.done <- part.Run(ctx) }()
	return r
}

// end stops the part and waits for it.
func (r *running[T]) end() error {
	r.stop()
	err := <-r.done
	r.done <- err // for whoever asks again
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// New starts a hub with an empty data folder. It ends with the test.
func New(t testing.TB) *Fleet {
	t.Helper()
	if wait := time.Until(epoch); wait > 0 { // in a bubble of testing/synctest, where it takes no time
		time.Sleep(wait)
	}
	f := &Fleet{
		Network: &faultnet.Network{}, t: t, data: folder(t), log: slog.New(slog.NewTextHandler(testWriter(t), &slog.HandlerOptions{Level: slog.LevelDebug})),
		codec: protocol.NewCodec(), patcher: snapshot.NewPatcher(),
	}
	f.StartHub()
	t.Cleanup(f.StopHub)
	return f
}

// StartHub starts the hub on its data folder.
func (f *Fleet) StartHub() {
	f.t.Helper()
	h, err := hub.New(hub.Config{
		Data: f.data, Listen: publicAddress, MQTTListen: mqttAddress, Log: f.log,
		GitAllowLocal: true, // repositories of tests are on this machine
		Images:        noRegistry{},
		ReleaseKeys:   []ed25519.PublicKey{ReleaseKey().Public().(ed25519.PublicKey)},
		ListenFunc:    func(address string) (net.Listener, error) { return f.Network.Listen(address) },
	})
	if err != nil {
		f.t.Fatal(err)
	}
	f.hub = start(h)
}

// ReleaseKey is the key whose releases hubs accept here.
func ReleaseKey() ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed([]byte("a release key that is for tests!"))
}

// StopHub stops the hub. A second time does nothing.
func (f *Fleet) StopHub() {
	f.t.Helper()
	if err := f.hub.end(); err != nil {
		f.t.Errorf("hub: %v", err)
	}
}

// CrashHub takes the power from the hub's machine: connections break, and what was not on disk at that moment is lost.
// StartHub starts it again. It can only be used inside testing/synctest.
func (f *Fleet) CrashHub() {
	f.t.Helper()
	for _, address := range []string{publicAddress, mqttAddress} {
		f.Network.Block(address, faultnet.Refuse)
	}
	synctest.Wait() // nobody is writing
	left := folder(f.t)
	copyFolder(f.t, f.data, left)
	f.StopHub()
	f.data = left
	for _, address := range []string{publicAddress, mqttAddress} {
		f.Network.Block(address, faultnet.Open)
	}
}

// RestartHub stops and starts the hub.
func (f *Fleet) RestartHub() {
	f.t.Helper()
	f.StopHub()
	f.StartHub()
}

// Hub gives the parts of the running hub.
func (f *Fleet) Hub() hub.Services { return f.hub.part.Services() }

// EdgeKey makes an edge key.
func (f *Fleet) EdgeKey(spec admission.KeySpec) string {
	f.t.Helper()
	if spec.Name == "" {
		f.keys++
		spec.Name = fmt.Sprintf("key-%d", f.keys)
	}
	_, key, err := f.Hub().Waiting.CreateKey(spec)
	if err != nil {
		f.t.Fatal(err)
	}
	return key
}

// Until waits until cond holds, looking every step, and fails the test when it does not within limit.
func (f *Fleet) Until(what string, limit time.Duration, cond func() bool) {
	f.t.Helper()
	step := min(max(limit/2000, 5*time.Millisecond), time.Minute)
	deadline := time.Now().Add(limit)
	for !cond() {
		if time.Now().After(deadline) {
			f.t.Fatalf("%s: not within %s", what, limit)
		}
		time.Sleep(step)
	}
}

// folder is a temporary folder, in memory where the system has such: what is tested here is not the disk.
func folder(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "fleettest")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}
