package fleettest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farshore/farshore/internal/meter"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks/planner"
)

// text is about n bytes that compress as configuration does.
func text(r *rand.Rand, n int) []byte {
	var b bytes.Buffer
	for b.Len() < n {
		fmt.Fprintf(&b, "sensor-%03d:\n  address: 10.%d.%d.%d\n  interval: %ds\n  key: %016x\n", r.IntN(1000), r.IntN(256), r.IntN(256), r.IntN(256), r.IntN(60), r.Uint64())
	}
	return b.Bytes()
}

// fixed is by how many bytes an estimate may be off whatever the change: how many frames carry what a device says of it
// depends on how long its engine takes.
const fixed = 500

// What a change of files is estimated to cost is what it does cost, by the hub's meter, within a twentieth. Bare
// acknowledgements are of the session.
func TestFilesCostWhatWasEstimated(t *testing.T) { filesCost(t) }

func filesCost(t *testing.T) {
	for _, chunk := range []uint32{4 << 10, 0, 1 << 10}[:chunkSizes] {
		t.Run(fmt.Sprint(chunk), func(t *testing.T) { synctest.Test(t, func(t *testing.T) { estimateFiles(t, chunk) }) })
	}
}

func estimateFiles(t *testing.T, chunk uint32) {
	r := rand.New(rand.NewPCG(1, 2))
	f := New(t)
	d := f.Device(DeviceSpec{Seed: 1, Mode: protocol.ModeStandard, Settings: protocol.Settings{Chunk: chunk}})
	files := map[string][]byte{"compose.yml": []byte("services:\n  app:\n    image: acme/app:1\n")}
	for i := range 12 {
		files[fmt.Sprintf("sensors/%d.yml", i)] = text(r, 700<<(i%4))
	}
	large, noise := text(r, 900_000), make([]byte, 300_000)
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	changes := []struct {
		what string
		do   func()
	}{
		{"small files", func() {}},
		{"a line of a large file that is new", func() { files["sensors/large.yml"] = large }},
		{"a line", func() {
			files["sensors/large.yml"] = bytes.Replace(large, []byte("interval: 7s"), []byte("interval: 8s"), 1)
		}},
		{"what does not compress", func() { files["sensors/noise.bin"] = noise }},
		{"a variable alone", func() { files["compose.yml"] = append(files["compose.yml"], "    environment: {LEVEL: \"2\"}\n"...) }},
	}
	for i, c := range changes {
		c.do()
		spec := planner.ApplySpec{Name: "plant", Files: files, Author: "test"}
		got, err := f.Hub().API.Estimates.EstimateStack(t.Context(), spec)
		if err != nil || len(got.Devices) != 1 {
			t.Fatalf("%s: %+v, %v", c.what, got, err)
		}
		before := f.Hub().Sessions.Spent(d.ID)
		if _, _, err := f.Hub().Planner.Apply(spec); err != nil {
			t.Fatal(err)
		}
		f.Until("version runs", 20*time.Minute, func() bool {
			s := f.Hub().Planner.DeviceStacks(d.ID)
			return len(s) == 1 && s[0].State == protocol.StackRunning && s[0].Version == uint64(i+1)
		})
		time.Sleep(time.Second)
		after := f.Hub().Sessions.Spent(d.ID)
		actual := spentOn(before, after, protocol.ClassDesired, protocol.ClassBlob, protocol.ClassResults, protocol.ClassSession)
		e := &got.Devices[0]
		// Images are of no registry here, and the estimate says so.
		off := max(e.Bytes(), actual) - min(e.Bytes(), actual)
		if want := e.Bytes(); off*20 > actual && off > fixed {
			t.Errorf("%s: %d bytes were estimated (%d files, %d else), and %d spent: %.1f %%", c.what, want, e.Files, e.Overhead, actual, 100*float64(want)/float64(actual)-100)
		}
		if e.Unknown != 1 && i == 0 {
			t.Errorf("an image that no registry has is not called unknown: %+v", e)
		}
	}
}

func spentOn(before, after meter.Counts, classes ...protocol.Class) (n uint64) {
	for _, c := range classes {
		n += after[c].Up + after[c].Down - before[c].Up - before[c].Down
	}
	return n
}
