package jobs_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/farshore/farshore/jobs"
	"github.com/farshore/farshore/protocol"
)

// what is a definition that is good until a case changes it.
type what struct {
	job  jobs.Job
	v    jobs.Version
	text []byte
}

func good() *what {
	return &what{
		job: jobs.Job{Name: "nightly", Reach: jobs.Reach{Devices: []protocol.DeviceID{"aaaaaaaaaaaaaaaa"}}},
		v: jobs.Version{
			Zone: jobs.ZoneDevice, Env: map[string]string{"LEVEL": "3"},
			Spec: protocol.Job{
				Schedule: protocol.JobSchedule{Cron: "0 2 * * *", Jitter: 600}, Args: []string{"-v", ""}, Dir: "/var/lib", User: "nobody:1000",
				Container: &protocol.JobContainer{
					Image: "ghcr.io/farshore/tool:1", Network: "host", CPUs: 500, Memory: 6 << 20,
					Mounts: []protocol.JobMount{{Source: "/etc", Target: "/host", ReadOnly: true}, {Source: "data", Target: "/data"}},
				},
			},
		},
		text: []byte("#!/bin/sh\necho \xff\r\n"),
	}
}

func TestCheckAcceptsWhatDevicesCanRun(t *testing.T) {
	for name, change := range map[string]func(w *what){
		"all there is":            func(*what) {},
		"on the host":             func(w *what) { w.v.Spec.Container = nil },
		"the image's own program": func(w *what) { w.text = nil },
		"once, long ago":          func(w *what) { w.v.Spec.Schedule = protocol.JobSchedule{At: 1} },
		"on demand":               func(w *what) { w.v.Spec.Schedule = protocol.JobSchedule{} },
		"on leap days":            func(w *what) { w.v.Spec.Schedule.Cron = "0 0 29 2 *" },
		"a digest": func(w *what) {
			w.v.Spec.Container.Image = "alpine@sha256:" + strings.Repeat("a1", 32)
		},
		"as root": func(w *what) { w.v.Spec.User = "0" },
		"the most": func(w *what) {
			s := &w.v.Spec
			s.Timeout, s.Retries, s.RetryDelay, s.Missed, s.OutputCap = jobs.MaxTimeout, jobs.MaxRetries, jobs.MaxRetryDelay, protocol.MaxJobMissed, protocol.MaxJobOutput
			s.Overlap, s.Output, s.Schedule.Jitter = protocol.OverlapKill, protocol.OutputNever, jobs.MaxJitter
			w.text = append(w.text, bytes.Repeat([]byte("#"), protocol.MaxScript-len(w.text))...)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := good()
			if change(w); jobs.Check(&w.job, &w.v, w.text) != nil {
				t.Error(jobs.Check(&w.job, &w.v, w.text))
			}
		})
	}
}

func TestCheckNamesFieldAndRemedy(t *testing.T) {
	spec := func(change func(s *protocol.Job)) func(*what) { return func(w *what) { change(&w.v.Spec) } }
	in := func(change func(x *protocol.JobContainer)) func(*what) {
		return func(w *what) { change(w.v.Spec.Container) }
	}
	when := func(s protocol.JobSchedule) func(*what) { return func(w *what) { w.v.Spec.Schedule = s } }
	text := func(text string) func(*what) { return func(w *what) { w.text = []byte(text) } }
	mount := func(source, target string) func(*what) {
		return in(func(x *protocol.JobContainer) {
			x.Mounts = append(x.Mounts, protocol.JobMount{Source: source, Target: target})
		})
	}
	for _, c := range []struct {
		change func(w *what)
		want   string
	}{
		{func(w *what) { w.job.Name = "Nightly" }, `name: "Nightly" is no name of a job: use 1 to 63 of a-z, 0-9, - and _, beginning with a letter or digit`},
		{func(w *what) { w.job.Reach.Devices = []protocol.DeviceID{"pump"} }, `devices: device id "pump": want 16 characters of a-z and 2-7: name a device that is there`},
		{func(w *what) { w.job.Reach.Devices = make([]protocol.DeviceID, 10_001) }, `devices: it names 10001 devices, at most 10000: use a selector or an edge group`},

		{func(w *what) { w.text, w.v.Spec.Container = nil, nil }, `script: there is none: give one that begins with a line such as #!/bin/sh, or a container whose own program is run`},
		{text(""), `script: it is empty: begin it with a line such as #!/bin/sh`},
		{text("#!/bin/sh\n" + strings.Repeat("#", protocol.MaxScript)), `script: it has 262154 bytes, at most 262144: put what is large into an image, or have the script fetch it`},
		{text("echo\n"), `script: it has no interpreter line: its first line must be one, such as #!/bin/sh`},
		{text("\x7fELF\x00"), `script: it is binary: it must be text that begins with an interpreter line, such as #!/bin/sh`},
		{text("#!/bin/sh\necho\x00"), `script: it is binary, with a zero byte at offset 14: it must be text; put programs into an image`},
		{text("#!/bin/sh\r\necho\r\n"), `script: its interpreter line ends as on Windows (CR LF), so the interpreter would not be found: save it with LF line ends`},
		{text("#!sh\n"), `script: its interpreter line names "sh", which is no full path: write one such as #!/bin/sh`},
		{text("#!\n"), `script: its interpreter line names no program: it must be one such as #!/bin/sh`},

		{spec(func(s *protocol.Job) { s.Args = make([]string, 1001) }), `args: there are 1001, at most 1000: put them into the script`},
		{spec(func(s *protocol.Job) { s.Args = []string{"a", "b\x00"} }), `args: argument 2 has a zero byte, which no program can be given: take it out`},
		{spec(func(s *protocol.Job) { s.Args = []string{strings.Repeat("a", 40_000)} }), `args: they have 40000 bytes, at most 32768: put what is long into the script`},
		{func(w *what) { w.v.Env = map[string]string{"A-B": "geheim"} }, `env: "A-B" is no name of a variable: use 1 to 128 of A-Z, a-z, 0-9 and _, not beginning with a digit`},
		{func(w *what) { w.v.Env = map[string]string{"FARSHORE_RUN": "geheim"} }, `env: the variable FARSHORE_RUN cannot be set: names that begin with FARSHORE_ are set by the device; choose another`},
		{func(w *what) { w.v.Env = map[string]string{"KEY": "geheim\x00"} }, `env: the value of the variable KEY has a zero byte, which no program can be given: take it out`},
		{func(w *what) { w.v.Env = map[string]string{"KEY": strings.Repeat("g", 20_000)} }, `env: the variables have 20003 bytes, at most 16384: put what is long into the script`},

		{spec(func(s *protocol.Job) { s.Dir = "data" }), `dir: "data" is no full path: begin it with /`},
		{spec(func(s *protocol.Job) { s.Dir = "/data/../etc" }), `dir: "/data/../etc" is not the plain form of the path: write /etc`},
		{spec(func(s *protocol.Job) { s.Dir = "/a\nb" }), `dir: "/a\nb" has control characters: take them out`},
		{spec(func(s *protocol.Job) { s.Dir = "/" + strings.Repeat("a", 5000) }), `dir: it has 5001 bytes, at most 4095: use a shorter path`},
		{spec(func(s *protocol.Job) { s.User = "-u" }), `user: "-u" is no user: give a name or number, and a group after a colon if need be, such as nobody or 1000:1000`},
		{spec(func(s *protocol.Job) { s.User = "a:" }), `user: "a:" is no user: give a name or number, and a group after a colon if need be, such as nobody or 1000:1000`},
		{spec(func(s *protocol.Job) { s.User = "0:4294967295" }), `user: 4294967295 is beyond the numbers of users and groups: use 0 to 4294967294`},

		{in(func(x *protocol.JobContainer) { x.Image = "" }), `container.image: it names no image: give one such as alpine:3.22`},
		{in(func(x *protocol.JobContainer) { x.Image = "Alpine" }), `container.image: "Alpine" cannot be the name of an image: write REGISTRY/NAME:TAG, the name in small letters`},
		{in(func(x *protocol.JobContainer) { x.Pull = 9 }), `container.pull: 9 is no rule: use missing, always or never`},
		{in(func(x *protocol.JobContainer) { x.Network = "container:db" }), `container.network: "container:db" is no network: use none, host, or the name of a network on the device`},
		{in(func(x *protocol.JobContainer) { x.CPUs = 9 }), `container.milli_cpus: 9 is out of bounds: use 10 to 1000000, thousandths of a processor, or leave it out`},
		{in(func(x *protocol.JobContainer) { x.Memory = 4096 }), `container.memory: 4096 bytes are too few for an engine: use at least 6291456 (6 MiB), or leave it out`},
		{in(func(x *protocol.JobContainer) { x.Memory = 1 << 63 }), `container.memory: 9223372036854775808 bytes are more than any device has: use at most 1125899906842624, or leave it out`},
		{in(func(x *protocol.JobContainer) { x.Mounts = make([]protocol.JobMount, 65) }), `container.mounts: there are 65, at most 64: mount a folder that holds several`},
		{mount("", "/x"), `container.mounts[2].source: it is missing: give a folder of the device, or the name of a volume`},
		{mount("/x", ""), `container.mounts[2].target: it is missing: give a folder in the container, such as /data`},
		{mount("../etc", "/x"), `container.mounts[2].source: "../etc" is neither a full path nor a volume: begin a path with /, name a volume by 2 to 255 of A-Z, a-z, 0-9, _, . and -`},
		{mount("/a/../etc", "/x"), `container.mounts[2].source: "/a/../etc" is not the plain form of the path: write /etc`},
		{mount("/etc", "x"), `container.mounts[2].target: "x" is no full path: begin it with /`},
		{mount("/etc", "/"), `container.mounts[2].target: nothing can be mounted over all of a container: use a folder in it, such as /data`},
		{mount("/etc", "/farshore-script"), `container.mounts[2].target: /farshore-script is where the script is: use another`},
		{mount("/etc", "/data"), `container.mounts[2].target: "/data" is mounted twice: give each mount a target of its own`},

		{when(protocol.JobSchedule{Cron: "0 25 * * *"}), `schedule.cron: "0 25 * * *": not a cron time: field 2 (hour): 25 is beyond 23: use *, a number from 0 to 23, a range such as 0-23, a list with commas, or a step such as */2`},
		{when(protocol.JobSchedule{Cron: "0 2 * *"}), `schedule.cron: "0 2 * *": not a cron time: it has 4 fields: want five: minute, hour, day of month, month, day of week, such as "0 2 * * 6,7"`},
		{when(protocol.JobSchedule{Cron: "0 0 31 2 *"}), `schedule.cron: "0 0 31 2 *" never comes, as there is no such day: choose a day that the month has`},
		{when(protocol.JobSchedule{Cron: "0 0 1 1 *", Start: 1796090400, End: 1796176800}), `schedule.cron: "0 0 1 1 *" never comes from 1 Dec 2026 at 02:00 UTC to 2 Dec 2026 at 02:00 UTC: choose a later end, or another time`},
		{when(protocol.JobSchedule{Cron: "0 2 * * *", At: 1796090400}), `schedule.at: it goes by cron already: leave out one of the two`},
		{when(protocol.JobSchedule{At: -1}), `schedule.at: it is no time from 1970 to 9999: give one to come`},
		{when(protocol.JobSchedule{Cron: "0 2 * * *", Start: 1 << 60}), `schedule.start: it is no time from 1970 to 9999: correct it, or leave it out`},
		{when(protocol.JobSchedule{Cron: "0 2 * * *", End: -5}), `schedule.end: it is no time from 1970 to 9999: correct it, or leave it out`},
		{when(protocol.JobSchedule{Cron: "0 2 * * *", Start: 1796176800, End: 1796090400}), `schedule.end: 1 Dec 2026 at 02:00 UTC is before the start, 2 Dec 2026 at 02:00 UTC: give a later one`},
		{when(protocol.JobSchedule{At: 1796090400, Start: 1796176800}), `schedule.at: 1 Dec 2026 at 02:00 UTC is before the start, 2 Dec 2026 at 02:00 UTC, so it would never run: leave the start out, or give a later time`},
		{when(protocol.JobSchedule{At: 1796176800, End: 1796090400}), `schedule.at: 2 Dec 2026 at 02:00 UTC is after the end, 1 Dec 2026 at 02:00 UTC, so it would never run: leave the end out, or give an earlier time`},
		{when(protocol.JobSchedule{Cron: "0 2 * * *", Jitter: 604801}), `schedule.jitter_seconds: 604801 is more than 7 days: use at most 604800`},
		{func(w *what) { w.v.Zone = "Europe/Atlantis" }, `schedule.zone: time zone "Europe/Atlantis" is not known: use a name such as Europe/Oslo, or hub or device`},
		{func(w *what) { w.v.Zone = "Local" }, `schedule.zone: time zone "Local" is not known: use a name such as Europe/Oslo, or hub or device`},
		{func(w *what) { w.v.Zone = "../../etc/passwd" }, `schedule.zone: time zone "../../etc/passwd" is not known: use a name such as Europe/Oslo, or hub or device`},

		{spec(func(s *protocol.Job) { s.Timeout = 1 << 30 }), `timeout_seconds: 1073741824 is more than 31 days: use at most 2678400`},
		{spec(func(s *protocol.Job) { s.Retries = 101 }), `retries: 101 are too many: use at most 100`},
		{spec(func(s *protocol.Job) { s.RetryDelay = 86401 }), `retry_delay_seconds: 86401 is more than a day: use at most 86400`},
		{spec(func(s *protocol.Job) { s.Overlap = 3 }), `overlap: 3 is no rule: use skip, queue or kill`},
		{spec(func(s *protocol.Job) { s.Missed = 1001 }), `missed_limit: 1001 are too many: use at most 1000`},
		{spec(func(s *protocol.Job) { s.Output = 4 }), `output: 4 is no policy: use on-failure, always, on-request or never`},
		{spec(func(s *protocol.Job) { s.OutputCap = 1<<20 + 1 }), `output_cap: 1048577 bytes are too many: use at most 1048576`},
	} {
		w := good()
		c.change(w)
		err := jobs.Check(&w.job, &w.v, w.text)
		var f *jobs.FieldError
		if !errors.As(err, &f) || !errors.Is(err, jobs.ErrInvalid) || err.Error() != "job cannot be accepted: "+c.want {
			t.Errorf("got\n%v, want\n%s", err, c.want)
			continue
		}
		if f.Field+": "+f.Reason != c.want || strings.Contains(err.Error(), "geheim") {
			t.Errorf("field %q, reason %q", f.Field, f.Reason)
		}
	}
}

func TestWarnings(t *testing.T) {
	now := moment(t, "2027-01-01T00:00:00Z")
	for _, c := range []struct {
		s    protocol.JobSchedule
		want []string
	}{
		{protocol.JobSchedule{Cron: "30 2 * * *", Zone: "Europe/Oslo", Jitter: 600}, []string{
			"On 28 Mar 2027 clocks of Europe/Oslo leave out 02:30: what is due then runs at 03:00, the first moment after.",
			"On 31 Oct 2027 clocks of Europe/Oslo show 02:30 twice: what is due then runs once, the first time.",
		}},
		{protocol.JobSchedule{Cron: "0 4 * * *", Zone: "Europe/Oslo"}, nil},
		{protocol.JobSchedule{Cron: "*/5 * * * *", Zone: "Europe/Oslo"}, nil},
		{protocol.JobSchedule{Cron: "0 8,9 * * *", Zone: "UTC", Jitter: 7200}, []string{
			"The jitter of 2 h is longer than the 1 h between two runs: a device may run it when others run the one after it.",
		}},
		{protocol.JobSchedule{At: 1796090400, Jitter: 7200}, nil},
	} {
		if got := jobs.Warnings(c.s, now); fmt.Sprintf("%q", got) != fmt.Sprintf("%q", c.want) {
			t.Errorf("%+v:\n%q, want\n%q", c.s, got, c.want)
		}
	}
}

func FuzzCheck(f *testing.F) {
	f.Add([]byte("#!/bin/sh\n"), "0 2 * * *", "device", "nobody", "/var", "alpine", "/etc", "NAME", int64(0), int64(0))
	f.Add([]byte("#!/usr/bin/env python\r\n"), "@daily", "Europe/Oslo", "-", "..", "a@b", "x", "1", int64(-1), int64(1<<62))
	f.Fuzz(func(t *testing.T, text []byte, cron, zone, user, dir, image, source, env string, start, end int64) {
		j := jobs.Job{Name: env, Reach: jobs.Reach{Devices: []protocol.DeviceID{protocol.DeviceID(user)}}}
		for _, j := range []jobs.Job{j, {Name: "a"}} {
			v := jobs.Version{Zone: zone, Env: map[string]string{env: dir}, Spec: protocol.Job{
				Schedule: protocol.JobSchedule{Cron: cron, Start: start, End: end}, Args: []string{user}, Dir: dir, User: user,
				Container: &protocol.JobContainer{Image: image, Network: env, Mounts: []protocol.JobMount{{Source: source, Target: dir}}},
			}}
			err := jobs.Check(&j, &v, text)
			if err == nil {
				if _, err := jobs.NewPlan(v.Zoned("UTC", "UTC"), 1, device); err != nil {
					t.Errorf("it was accepted, and a device refuses it: %v", err)
				}
				continue
			}
			var field *jobs.FieldError
			if !errors.As(err, &field) || field.Field == "" || field.Reason == "" || len(err.Error()) > 1000 {
				t.Errorf("%v", err)
			}
		}
	})
}

// Times ascend, and are as many counted as one by one, in whatever schedule is accepted.
func FuzzCron(f *testing.F) {
	f.Add("30 2 * * *", uint8(0), int64(1_806_000_000))
	f.Add("* 1-22 * * *", uint8(2), int64(1_790_000_000))
	f.Add("0 0 29 2 1", uint8(3), int64(4_000_000_000))
	f.Fuzz(func(t *testing.T, text string, place uint8, at int64) {
		if at < 0 || at > 1<<33 {
			return
		}
		s := protocol.JobSchedule{Cron: text, Zone: []string{"Europe/Oslo", "America/Santiago", "Australia/Lord_Howe", "UTC"}[place%4], Jitter: uint32(place) * 60}
		p, err := jobs.NewPlan(s, 9, device)
		if err != nil {
			return
		}
		from := time.Unix(at, 0)
		to := from.Add(60 * time.Hour)
		var one []time.Time
		for next, ok := p.Next(from); ok && !next.After(to); next, ok = p.Next(next) {
			if len(one) > 0 && !next.After(one[len(one)-1]) {
				t.Fatalf("%v follows %v", next, one[len(one)-1])
			}
			one = append(one, next)
		}
		if n := p.Count(from, to); n != uint64(len(one)) {
			t.Errorf("%d are counted, there are %d", n, len(one))
		}
		if newest := p.Newest(from, to, 3); len(newest) != min(3, len(one)) || len(newest) > 0 && !newest[len(newest)-1].Equal(one[len(one)-1]) {
			t.Errorf("the newest are %v", newest)
		}
		jobs.Warnings(s, from)
	})
}
