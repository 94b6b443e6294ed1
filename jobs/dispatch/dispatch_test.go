package dispatch_test

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/farshore/farshore/hub/store"
	"github.com/farshore/farshore/jobs"
	"github.com/farshore/farshore/jobs/dispatch"
	"github.com/farshore/farshore/protocol"
)

const (
	kari protocol.DeviceID = "aaaaaaaaaaaaaaaa"
	knut protocol.DeviceID = "bbbbbbbbbbbbbbbb"
)

// fleet has devices in groups; a selector is a part of the name.
type fleet map[protocol.DeviceID]dispatch.Device

func (f fleet) Check(string) error { return nil }

func (f fleet) Matches(r jobs.Reach, id protocol.DeviceID) (bool, error) {
	x, there := f[id]
	within := r.Group == "" || x.Group == r.Group || strings.HasPrefix(x.Group, r.Group+"/")
	return there && within && (slices.Contains(r.Devices, id) || !r.ByNameOnly() && strings.Contains(x.Name, r.Selector)), nil
}

func (f fleet) Matching(r jobs.Reach) (out []protocol.DeviceID, err error) {
	for id := range f {
		if is, _ := f.Matches(r, id); is {
			out = append(out, id)
		}
	}
	return out, nil
}

func (f fleet) Device(id protocol.DeviceID) (dispatch.Device, bool) { x, ok := f[id]; return x, ok }

// vault and seal turn bytes over.
type vault struct{}

func (vault) Seal(_ string, b []byte) []byte {
	out := slices.Clone(b)
	for i := range out {
		out[i] ^= 0x55
	}
	return out
}

func (v vault) Open(p string, b []byte) ([]byte, error) { return v.Seal(p, b), nil }

type seal struct{}

func (seal) Secrets(_ protocol.DeviceID, _ protocol.EntryKey, s protocol.Secrets) ([]byte, error) {
	b, err := protocol.Marshal(s)
	return vault{}.Seal("", b), err
}

func (seal) Access(protocol.DeviceID, protocol.EntryKey, protocol.RegistryAccess) ([]byte, error) {
	return nil, errors.New("none here")
}

type rig struct {
	t     *testing.T
	store *store.Store
	fleet fleet
	now   time.Time
	desk  *dispatch.Desk
	told  []dispatch.Notice
	nudge []protocol.DeviceID // whose desired set may have changed
	asked []dispatch.Ask
	bans  map[string]bool // groups in which nothing is allowed

	most       int // runs that are kept in all; 0: as usual
	mostOutput uint64
}

func newRig(t *testing.T) *rig {
	t.Helper()
	s, err := store.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	r := &rig{t: t, store: s, now: time.Unix(1_790_000_000, 0), bans: map[string]bool{}, fleet: fleet{
		kari: {Name: "kari", Group: "oslo", Zone: "Europe/Oslo", Confirmed: true, Capability: 5},
		knut: {Name: "knut", Group: "bergen", Zone: "UTC", Capability: 5},
	}}
	r.open()
	return r
}

func (r *rig) open() {
	r.t.Helper()
	var err error
	r.desk, err = dispatch.New(dispatch.Config{
		Store: r.store, Fleet: r.fleet, Vault: vault{}, Seal: seal{}, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return r.now },
		MaxRuns: r.most, MaxOutput: r.mostOutput,
		Events: func(n dispatch.Notice) { r.told = append(r.told, n) },
		Notify: func(dev protocol.DeviceID) { r.nudge = append(r.nudge, dev) },
		Give:   func(a dispatch.Ask) (protocol.CommandID, error) { r.asked = append(r.asked, a); return 1, nil },
		Allows: func(group string, _ *jobs.Version) error {
			if r.bans[group] {
				return errors.New("the policy does not allow it")
			}
			return nil
		},
	})
	if err != nil {
		r.t.Fatal(err)
	}
}

func nightly() dispatch.Spec {
	return dispatch.Spec{
		Name: "nightly", Script: []byte("#!/bin/sh\n"), Job: protocol.Job{Schedule: protocol.JobSchedule{Cron: "0 2 * * *"}}, Zone: jobs.ZoneDevice,
	}
}

func (r *rig) put(s dispatch.Spec) jobs.Job {
	r.t.Helper()
	j, _, err := r.desk.Put(s)
	if err != nil {
		r.t.Fatal(err)
	}
	return j
}

func (r *rig) run(dev protocol.DeviceID, run protocol.JobRun) {
	r.t.Helper()
	if run.Due == 0 {
		run.Due = r.now.Unix()
	}
	if err := r.desk.Run(dev, run); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) runs(f dispatch.Filter) []jobs.RunRecord {
	r.t.Helper()
	out, err := r.desk.Runs(f)
	if err != nil {
		r.t.Fatal(err)
	}
	return out
}

func TestDevicesAreGivenTheirJobs(t *testing.T) {
	r := newRig(t)
	j := r.put(nightly())
	e := r.desk.Desired(kari)
	if len(e) != 1 || e[0].ID != j.ID || e[0].Job.Schedule.Zone != "Europe/Oslo" || e[0].Version != 1 || len(e[0].Files) != 1 {
		t.Fatalf("kari is given %+v", e)
	}
	if h, ok := r.desk.Readable(kari, e[0].Files[0].Hash.Short()); !ok || h != e[0].Files[0].Hash {
		t.Error("the script may not be read")
	}
	if again := r.put(nightly()); again.Latest != 1 {
		t.Errorf("the same again made version %d", again.Latest)
	}
	old := r.fleet[knut]
	old.Capability = 4
	r.fleet[knut] = old
	if err := r.desk.DeviceChanged(knut); err != nil {
		t.Fatal(err)
	}
	rows, n, err := r.desk.Devices("nightly", dispatch.DeviceFilter{Class: "withheld"})
	if err != nil || n != 1 || rows[0].Device != knut || rows[0].Withheld.Code != dispatch.CodeAgentTooOld || len(r.desk.Desired(knut)) != 0 {
		t.Errorf("an old agent: %+v, %v; given %v", rows, err, r.desk.Desired(knut))
	}
	if _, err := r.desk.Pause("nightly", "ada"); err != nil || len(r.desk.Desired(kari)) != 0 {
		t.Errorf("paused: %v, given %v", err, r.desk.Desired(kari))
	}
	if _, err := r.desk.Resume("nightly", "ada"); err != nil || len(r.desk.Desired(kari)) != 1 {
		t.Errorf("resumed: %v", err)
	}
	r.bans["oslo"] = true
	if len(r.desk.Desired(kari)) != 0 {
		t.Error("a device is given what its policy forbids")
	}
	if _, _, err := r.desk.Put(dispatch.Spec{Name: "other", Script: []byte("#!/bin/sh\n")}); err == nil {
		t.Error("a job is accepted that a policy forbids on one of its devices")
	}
}

func TestAPolicyThatChangesTakesJobsAwayAndGivesThemBack(t *testing.T) {
	r := newRig(t)
	r.put(nightly())
	for _, banned := range []bool{true, false} {
		r.bans["oslo"], r.nudge = banned, nil
		r.desk.PolicyChanged()
		if !slices.Equal(r.nudge, []protocol.DeviceID{kari}) {
			t.Errorf("banned %t: told were %v", banned, r.nudge)
		}
		rows, n, err := r.desk.Devices("nightly", dispatch.DeviceFilter{Class: "withheld"})
		if err != nil || banned != (n == 1) || banned && (rows[0].Device != kari || rows[0].Withheld.Code != dispatch.CodePolicy) {
			t.Errorf("banned %t: withheld %+v, %v", banned, rows, err)
		}
		if given := len(r.desk.Desired(kari)) == 1; given == banned {
			t.Errorf("banned %t: given %t", banned, given)
		}
	}
	r.nudge = nil
	if r.desk.PolicyChanged(); len(r.nudge) != 0 {
		t.Errorf("nothing changed, and told were %v", r.nudge)
	}
}

func TestAJobFollowsADeviceThatIsReplaced(t *testing.T) {
	r := newRig(t)
	s := nightly()
	s.Reach.Devices = []protocol.DeviceID{kari}
	j := r.put(s)
	once, err := r.desk.OneShot(dispatch.OneShotSpec{Device: kari, Script: []byte("#!/bin/sh\n"), By: "ada"})
	if err != nil {
		t.Fatal(err)
	}
	const karin protocol.DeviceID = "cccccccccccccccc"
	r.fleet[karin] = r.fleet[kari]
	delete(r.fleet, kari)
	r.nudge = nil
	for range 2 { // the hub may die between, and comes to it again
		if err := r.desk.Replaced(kari, karin); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Contains(r.nudge, karin) {
		t.Errorf("told were %v", r.nudge)
	}
	for _, opened := range []string{"at once", "after a restart"} {
		if e := r.desk.Desired(karin); len(e) != 1 || e[0].ID != j.ID {
			t.Errorf("%s: the replacement is given %+v", opened, e)
		}
		v, err := r.desk.Get("nightly")
		if err != nil || !slices.Equal(v.Job.Reach.Devices, []protocol.DeviceID{karin}) {
			t.Errorf("%s: it names %v, %v", opened, v.Job.Reach.Devices, err)
		}
		r.open()
	}
	if v, err := r.desk.Get(once.Name); err != nil || !slices.Equal(v.Job.Reach.Devices, []protocol.DeviceID{kari}) {
		t.Errorf("what was to run once on the old one names %v, %v", v.Job.Reach.Devices, err)
	}
}

func TestSecretsAreSealedAndForTheConfirmed(t *testing.T) {
	r := newRig(t)
	s := nightly()
	s.Env, s.Secret = map[string]string{"TOKEN": "hunter2", "LEVEL": "3"}, []string{"TOKEN"}
	r.put(s)
	e := r.desk.Desired(kari)
	if len(e) != 1 || len(e[0].Sealed) == 0 || e[0].Env["LEVEL"] != "3" || e[0].Env["TOKEN"] != "" {
		t.Errorf("kari is given %+v", e)
	}
	if e := r.desk.Desired(knut); len(e) != 0 {
		t.Errorf("one whom nobody has confirmed is given %+v", e)
	}
	saved, err := r.store.LoadJobs()
	if err != nil || len(saved.Versions) != 1 || strings.Contains(string(saved.Versions[0].SealedEnv), "hunter2") || saved.Versions[0].Env != nil {
		t.Errorf("stored: %+v, %v", saved.Versions, err)
	}
	s.Env, s.Secret, s.Keep = map[string]string{"LEVEL": "4"}, nil, []string{"TOKEN"}
	if j := r.put(s); j.Latest != 2 || len(r.desk.Desired(kari)[0].Sealed) == 0 {
		t.Error("a kept secret is lost")
	}
}

func TestRunsAreKeptWithinBoundsAndThroughARestart(t *testing.T) {
	r := newRig(t)
	j := r.put(nightly())
	for i := range uint64(60) {
		r.now = r.now.Add(time.Hour)
		state := protocol.JobDone
		if i%10 == 9 {
			state = protocol.JobFailed
		}
		r.run(kari, protocol.JobRun{ID: i + 1, Job: j.ID, Version: 1, State: state, Stderr: &protocol.JobStream{Size: 4, Kept: 4, Follow: 4}})
		if err := r.desk.Output(kari, protocol.JobOutput{Run: i + 1, Stream: protocol.StreamStderr, Data: []byte("oops and more")}); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		all := r.runs(dispatch.Filter{Job: "nightly"})
		if len(all) != dispatch.KeepRuns || all[0].ID != 60 || all[49].ID != 11 {
			t.Fatalf("%d runs are kept", len(all))
		}
		row := r.desk.List(dispatch.NoOneShots, nil)[0]
		if row.Last.Failed != 1 || row.Last.Never != 1 || len(row.Strip) != 20 || row.Strip[19].Failed != 1 || row.Strip[0].Done != 1 {
			t.Errorf("the list says %+v", row)
		}
		text, from, err := r.desk.ReadOutput("nightly", kari, dispatch.Place{Run: 60, Stream: protocol.StreamStderr})
		if err != nil || string(text) != "oops" || from != 0 {
			t.Errorf("output %q from %d, %v", text, from, err)
		}
		r.open()
	}
	if n := len(r.told); n != 1+6+5 { // applied; each failure, and each recovery but for the last
		t.Errorf("%d notices: %+v", n, r.told)
	}
	r.now = r.now.Add(dispatch.KeepFor + time.Hour)
	if err := r.desk.Sweep(); err != nil || len(r.runs(dispatch.Filter{})) != 0 {
		t.Errorf("old runs are kept: %v", err)
	}
}

func TestAHostileDevice(t *testing.T) {
	r := newRig(t)
	s := nightly()
	s.Reach = jobs.Reach{Devices: []protocol.DeviceID{kari}}
	j := r.put(s)
	for _, run := range []protocol.JobRun{
		{ID: 0, Job: j.ID, Version: 1, State: protocol.JobDone},
		{ID: 1, Job: j.ID, Version: 1, State: 77},
		{ID: 1, Job: j.ID, Version: 1, State: protocol.JobDone, Due: -5},
		{ID: 1, Job: j.ID, Version: 1, State: protocol.JobDone, Started: 1 << 62},
		{ID: 1, Job: j.ID, Version: 1, State: protocol.JobDone, Stdout: &protocol.JobStream{Size: 1, Kept: 2}},
	} {
		if err := r.desk.Run(kari, run); !errors.Is(err, protocol.ErrMalformed) {
			t.Errorf("%+v: %v", run, err)
		}
	}
	r.run(kari, protocol.JobRun{ID: 1, Job: 99, Version: 1, State: protocol.JobDone})   // a job that is not there
	r.run(kari, protocol.JobRun{ID: 1, Job: j.ID, Version: 9, State: protocol.JobDone}) // a version that is not there
	r.run(knut, protocol.JobRun{ID: 1, Job: j.ID, Version: 1, State: protocol.JobDone}) // a job of others
	if all := r.runs(dispatch.Filter{}); len(all) != 0 {
		t.Fatalf("kept: %+v", all)
	}
	r.run(kari, protocol.JobRun{ID: 5, Job: j.ID, Version: 1, State: protocol.JobDone, Due: 250_000_000_000, Stdout: &protocol.JobStream{Size: 3, Kept: 3}})
	if row := r.desk.List(dispatch.NoOneShots, nil)[0]; len(row.Strip) != 0 {
		t.Errorf("a time to come is in the strip: %+v", row.Strip)
	}
	for _, o := range []protocol.JobOutput{{Run: 5, Offset: 3, Data: []byte("beyond")}, {Run: 6, Data: []byte("no run")}, {Run: 5, Attempt: 9, Data: []byte("old")}} {
		if err := r.desk.Output(kari, o); err != nil {
			t.Error(err)
		}
	}
	if err := r.desk.Output(knut, protocol.JobOutput{Run: 5, Data: []byte("not mine")}); err != nil {
		t.Error(err)
	}
	if text, _, err := r.desk.ReadOutput("nightly", kari, dispatch.Place{Run: 5}); err != nil || len(text) != 0 {
		t.Errorf("output %q, %v", text, err)
	}
}

func TestAScriptRunsOnceAndGoes(t *testing.T) {
	r := newRig(t)
	j, err := r.desk.OneShot(dispatch.OneShotSpec{Device: kari, Script: []byte("#!/bin/sh\nuname -a\n"), By: "ada"})
	if err != nil {
		t.Fatal(err)
	}
	if e := r.desk.Desired(kari); len(e) != 1 || e[0].Job.Output != protocol.OutputAlways || e[0].Job.Missed != 1 {
		t.Fatalf("given %+v", e)
	}
	r.run(kari, protocol.JobRun{ID: 1, Job: j.ID, Version: 1, State: protocol.JobDone})
	if e := r.desk.Desired(kari); len(e) != 0 {
		t.Errorf("it is given again: %+v", e)
	}
	r.now = r.now.Add(dispatch.KeepOneShot + time.Hour)
	if err := r.desk.Sweep(); err != nil || len(r.desk.List(dispatch.OnlyOneShots, nil)) != 0 {
		t.Errorf("it is kept: %v", err)
	}
}

func TestRunNowTellsWhoDoesNot(t *testing.T) {
	r := newRig(t)
	s := nightly()
	s.Reach = jobs.Reach{Group: "oslo"}
	r.put(s)
	given, skipped, err := r.desk.RunNow(dispatch.RunSpec{Job: "nightly", On: dispatch.Selection{Devices: []protocol.DeviceID{kari, knut}}, By: "ada"})
	if err != nil || len(given) != 1 || given[0].Device != kari || len(skipped) != 1 || skipped[0].Device != knut {
		t.Errorf("given %v, skipped %v, %v", given, skipped, err)
	}
	if len(r.asked) != 1 || r.asked[0].Kind != protocol.CommandJobRun || r.asked[0].Job.Job == 0 {
		t.Errorf("asked %+v", r.asked)
	}
}

// Jobs, groups and devices come and go at random; who has what is what a look at all of it says, before and after a restart.
func TestWhoHasWhatIsWhatAModelSays(t *testing.T) {
	r := newRig(t)
	rnd := rand.New(rand.NewPCG(5, 7))
	groups := []string{"", "a", "a/b", "c"}
	pick := func() string { return groups[rnd.IntN(len(groups))] }
	for step := range 400 {
		id := protocol.DeviceID(strings.Repeat(string(rune('a'+rnd.IntN(12))), 16))
		name := fmt.Sprintf("job-%d", rnd.IntN(6))
		switch rnd.IntN(6) {
		case 0, 1:
			r.fleet[id] = dispatch.Device{Name: string('x' + rune(rnd.IntN(3))), Group: pick(), Confirmed: true, Capability: uint(4 + rnd.IntN(2))}
		case 2:
			delete(r.fleet, id)
			if err := r.desk.Forget(id); err != nil {
				t.Fatal(err)
			}
		case 3, 4:
			s := nightly()
			s.Name, s.Reach = name, jobs.Reach{Group: pick(), Selector: []string{"", "x", "y"}[rnd.IntN(3)]}
			if rnd.IntN(3) == 0 {
				s.Reach.Devices = []protocol.DeviceID{id}
			}
			r.put(s)
		case 5:
			if err := r.desk.Remove(name, "ada"); err != nil && !errors.Is(err, jobs.ErrNotFound) {
				t.Fatal(err)
			}
		}
		if err := r.desk.DeviceChanged(id); err != nil {
			t.Fatal(err)
		}
		if step%50 == 49 {
			r.open()
		}
		all := r.desk.List(dispatch.NoOneShots, nil)
		devices := map[string]int{}
		for dev, x := range r.fleet {
			var want, got []uint64
			for _, row := range all {
				is, _ := r.fleet.Matches(row.Job.Reach, dev)
				if is {
					devices[row.Job.Name]++
				}
				if is && x.Capability == 5 {
					want = append(want, row.Job.ID)
				}
			}
			for _, e := range r.desk.Desired(dev) {
				got = append(got, e.ID)
			}
			if slices.Sort(want); !slices.Equal(want, got) {
				t.Fatalf("step %d: %s has %v, want %v", step, dev, got, want)
			}
		}
		for _, row := range all {
			if row.Devices != devices[row.Job.Name] || row.Last.Never != row.Devices {
				t.Fatalf("step %d: %s counts %d devices and %+v, want %d", step, row.Job.Name, row.Devices, row.Last, devices[row.Job.Name])
			}
		}
	}
}

func TestPreviewSaysWhatIsWrongAndWhatPeopleMayNotExpect(t *testing.T) {
	r := newRig(t)
	p := r.desk.Preview(dispatch.PreviewSpec{Schedule: protocol.JobSchedule{Cron: "0 25 * * *"}, Script: []byte("#!/bin/sh\r\n")})
	if len(p.Problems) != 2 || !strings.HasPrefix(p.Problems[0], "script: its interpreter line ends as on Windows") ||
		!strings.Contains(p.Problems[1], "schedule.cron: ") || !strings.Contains(p.Problems[1], "field 2 (hour): 25 is beyond 23") {
		t.Errorf("problems: %q", p.Problems)
	}
	p = r.desk.Preview(dispatch.PreviewSpec{Schedule: protocol.JobSchedule{Cron: "30 2 * * *", Jitter: 600}, Zone: "Europe/Oslo", Script: []byte("#!/bin/sh\n")})
	if len(p.Problems) > 0 || len(p.Next) != 5 || len(p.Warnings) != 3 || !strings.Contains(p.Warnings[2], "up to 10 min") {
		t.Errorf("%+v", p)
	}
	p = r.desk.Preview(dispatch.PreviewSpec{Schedule: protocol.JobSchedule{Cron: "0 5 * * *"}, Zone: "Europe/Oslo"})
	if len(p.Problems)+len(p.Warnings) > 0 || len(p.Next) != 5 {
		t.Errorf("%+v", p)
	}
}
