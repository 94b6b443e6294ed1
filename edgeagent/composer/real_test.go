package composer_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/farshore/farshore/edgeagent/commands"
	"github.com/farshore/farshore/edgeagent/composer"
	"github.com/farshore/farshore/edgeagent/engine"
	"github.com/farshore/farshore/edgeagent/state"
	"github.com/farshore/farshore/internal/testengine"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks/composer/ipc"
	"github.com/farshore/farshore/stacks/reconciler"
)

// counted counts the runs of the composer.
type counted struct {
	*composer.Runner
	runs int
}

func (c *counted) Run(ctx context.Context, req ipc.Request, progress func(ipc.Event)) (ipc.Event, error) {
	c.runs++
	return c.Runner.Run(ctx, req, progress)
}

// real is a device with a real engine and a real composer.
type real struct {
	t       *testing.T
	host    string
	project string
	dir     string
	store   *state.Store
	engine  *engine.Engine
	run     counted
	blobs   map[protocol.Hash][]byte
	rec     *reconciler.Reconciler
	stop    func()
	mark    uint64
	verify  uint32            // for how many seconds versions are watched
	images  reconciler.Images // nil: the engine pulls
}

func (d *real) Fetch(_ context.Context, files []reconciler.FetchFile) error {
	for _, f := range files {
		if err := d.store.PutBlob(f.File.Hash, d.blobs[f.File.Hash]); err != nil {
			return err
		}
	}
	return nil
}

// boot opens the data folder and runs what acts on it, for the first time or again.
func (d *real) boot() {
	store, err := state.OpenDisk(filepath.Join(d.dir, "agent"))
	if err != nil {
		d.t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	d.store = store
	d.rec = reconciler.New(reconciler.Config{
		State: store, Fetcher: d, Composer: &d.run, Dir: filepath.Join(d.dir, "stacks"), Host: d.host,
		Images: d.images, ImagesByAgent: func() bool { return true },
		RetryFirst: 100 * time.Millisecond, Settle: 100 * time.Millisecond, Wait: time.Minute, Log: log,
		Tail: func(ctx context.Context, container string) (string, error) {
			out, _, err := d.engine.ContainerLogs(ctx, container, 50, 2<<10)
			return string(out), err
		},
	})
	run := commands.New(commands.Config{
		Journal: store, Engine: d.engine, Stacks: d.rec, Snapshot: func(context.Context) error { return nil },
		HubTime: func() (time.Time, bool) { return time.Now(), true }, Log: log,
	})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 3)
	go func() { ended <- d.rec.Run(ctx) }()
	go func() { ended <- run.Run(ctx) }()
	go func() { ended <- d.observe(ctx, run) }()
	d.stop = func() {
		cancel()
		for range 3 {
			if err := <-ended; err != nil {
				d.t.Error(err)
			}
		}
		if err := store.Close(); err != nil {
			d.t.Error(err)
		}
	}
}

// observe looks at the engine again and again, as the capture does on events.
func (d *real) observe(ctx context.Context, run *commands.Runner) error {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		obs, err := d.engine.Observe(ctx)
		if err != nil && ctx.Err() == nil {
			return err
		}
		if err == nil {
			d.rec.Observed(protocol.Snapshot{Engine: obs.Engine, Containers: obs.Containers})
		}
		run.Wake()
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// order desires one version of the stack, or with version 0 none, and gives commands.
func (d *real) order(version uint64, files map[string]string, list ...protocol.Command) {
	var set []protocol.Entry
	if version != 0 {
		e := protocol.Entry{EntryKey: protocol.EntryKey{Kind: protocol.EntryStack, ID: 1}, Version: version, Name: d.project, RemoveVolumes: true, Verify: d.verify}
		for _, name := range []string{"compose.yml", "web.conf"} {
			h := protocol.HashOf([]byte(files[name]))
			d.blobs[h] = []byte(files[name])
			e.Files = append(e.Files, protocol.File{Path: name, Hash: h, Size: int64(len(files[name]))})
		}
		set = append(set, e)
	}
	d.mark++
	if err := d.store.AcceptOrders(state.Accept{Mark: protocol.OrderMark{Seq: d.mark}, Desired: &set, Commands: list}); err != nil {
		d.t.Fatal(err)
	}
	d.rec.Wake()
}

// status waits until the device says of the stack what it should.
func (d *real) status(want string) {
	d.t.Helper()
	got, detail := "", ""
	for deadline := time.Now().Add(90 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		for _, st := range d.store.Statuses() {
			got = strings.TrimSpace(fmt.Sprintf("%s v%d %s", st.State, st.Version, st.Code))
			detail = st.Detail
		}
		if got == want {
			return
		}
		if time.Now().After(deadline) {
			d.t.Fatalf("the stack is %q (%s), want %q", got, detail, want)
		}
	}
}

// containers gives the ids of the stack's containers by service.
func (d *real) containers() map[string]protocol.ContainerID {
	d.t.Helper()
	obs, err := d.engine.Observe(d.t.Context())
	if err != nil {
		d.t.Fatal(err)
	}
	out := map[string]protocol.ContainerID{}
	for _, c := range obs.Containers {
		if c.Project == d.project {
			out[c.Service] = c.ID
		}
	}
	return out
}

func newReal(t *testing.T) *real {
	host := testengine.Host(t)
	program := filepath.Join(t.TempDir(), composer.Name)
	if out, err := exec.Command("go", "build", "-o", program, "github.com/farshore/farshore/cmd/composer").CombinedOutput(); err != nil {
		t.Fatalf("build the composer: %v\n%s", err, out)
	}
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	d := &real{
		t: t, host: host, dir: t.TempDir(), project: fmt.Sprintf("agent-%d", time.Now().UnixNano()), blobs: map[protocol.Hash][]byte{},
		engine: engine.New(engine.Config{Host: host, Log: log}), run: counted{Runner: runner(program)},
	}
	t.Cleanup(func() {
		_, err := d.run.Runner.Run(context.Background(), ipc.Request{Action: ipc.ActionDown, Project: d.project, Host: host, Volumes: ipc.VolumesRemove}, nil)
		if err != nil {
			t.Error(err)
		}
		if err := d.engine.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func TestStackOnARealEngine(t *testing.T) {
	image := testengine.Busybox(t)
	d := newReal(t)
	bundle := func(web, conf string) map[string]string {
		return map[string]string{"web.conf": conf, "compose.yml": `services:
  web:
    image: ` + web + `
    configs: [web]
    depends_on: {db: {condition: service_started}}
  db:
    image: ` + image + `
    volumes: [data:/data]
volumes: {data: {}}
configs: {web: {file: ./web.conf}}
`}
	}
	d.boot()
	defer func() { d.stop() }()

	d.order(1, bundle(image, "one"))
	d.status("running v1")
	first := d.containers()
	d.order(2, bundle(image, "two"))
	d.status("running v2")
	second := d.containers()
	if len(second) != 2 || second["db"] != first["db"] || second["web"] == first["web"] {
		t.Errorf("a changed config file turned %v into %v: want a new web and the same db", first, second)
	}

	d.order(3, bundle("farshore-test/nowhere:1", "two"))
	d.status("failed v3 image-unavailable")
	if now := d.containers(); fmt.Sprint(now) != fmt.Sprint(second) {
		t.Errorf("a version that cannot be had turned %v into %v", second, now)
	}
	d.order(4, bundle(image, "two"))
	d.status("running v4")

	// A version that runs at first, and ends while it is watched, gives way to the one before; its last words are told.
	d.verify = 60
	leaks := bundle(image, "two")
	leaks["compose.yml"] = strings.Replace(leaks["compose.yml"], "    configs: [web]\n",
		"    configs: [web]\n    restart: always\n    stop_grace_period: 1s\n    command: [sh, -c, 'sleep 5; echo the pump leaks; exit 1']\n", 1)
	d.order(5, leaks)
	d.status("verifying v5")
	d.status("rolled-back v5 service-down")
	if st := d.store.Statuses()[0]; st.Running != 4 || !strings.Contains(st.Detail, "the pump leaks") {
		t.Errorf("it says %+v", st)
	}
	d.verify = 0
	d.order(4, bundle(image, "two"))
	d.status("running v4")

	runs := d.run.runs
	d.stop()
	d.boot()
	d.status("running v4")
	web := d.project + "-web-1"
	d.order(4, bundle(image, "two"), protocol.Command{ID: 1, Kind: protocol.CommandContainerStop, Target: web, NotAfter: 1 << 40, Timeout: 1})
	d.status("degraded v4 service-stopped")
	d.stop()
	d.boot()
	d.status("degraded v4 service-stopped")
	d.order(4, bundle(image, "two"), protocol.Command{ID: 2, Kind: protocol.CommandContainerStart, Target: web, NotAfter: 1 << 40})
	d.status("running v4")
	if d.run.runs != runs {
		t.Errorf("restarts of the agent ran the composer %d times", d.run.runs-runs)
	}

	if err := d.engine.ContainerRemove(t.Context(), web, true); err != nil { // somebody on the device
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); len(d.containers()) != 2; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("a container that somebody removed did not come back")
		}
	}
	d.status("running v4")

	d.order(0, nil)
	d.status("removed v4")
	obs, err := d.engine.Observe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range obs.Volumes {
		if v.Project == d.project {
			t.Errorf("volume %s was left behind", v.Name)
		}
	}
	if left := d.containers(); len(left) != 0 {
		t.Errorf("containers were left behind: %v", left)
	}
}
