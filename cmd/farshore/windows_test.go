package main

import (
	"strings"
	"testing"
	"time"

	"github.com/farshore/farshore/hub/api/resource"
)

func TestSizesAreExact(t *testing.T) {
	for text, want := range map[string]uint64{
		"5MB": 5_000_000, "200kB": 200_000, "1.5GB": 1_500_000_000, "5000000": 5_000_000, "2 TB": 2_000_000_000_000, "12B": 12, "0": 0,
		"5mb": 5_000_000, "5Mb": 5_000_000, "200KB": 200_000, "1.5 gb": 1_500_000_000, "5M": 5_000_000,
	} {
		if got, err := parseSize(text); err != nil || got != want {
			t.Errorf("%s is %d, %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "MB", "-1", "1.5", "5MiB", "5 bits", "MB5", "1e6", "1.0005kB", "5.MB", ".5MB", "99999999TB", "5 M B"} {
		if got, err := parseSize(text); err == nil {
			t.Errorf("%q is read as %d", text, got)
		}
	}
}

func TestSettingUpALinkThatCostsMoney(t *testing.T) {
	d := newDesk(t)
	d.login()
	d.fails(exitFailed, "ping less often, or raise the cap", "profiles", "set", "barge", "--from", "lan", "--hard", "200kB")
	d.fails(exitUsage, "want whole bytes such as", "profiles", "set", "barge", "--hard", "5MiB")
	d.fails(exitUsage, "how long it lasts", "profiles", "set", "barge", "--contact", "noon")
	d.fails(exitFailed, "none of this name to begin with", "profiles", "set", "barge", "--from", "nothing")
	d.ok("profiles", "set", "barge", "--from", "satellite", "--soft", "15MB", "--hard", "20MB", "--cycle-day", "31", "--daily-ping", "--price", "4.20", "--currency", "EUR")
	var p resource.Profile
	d.read(&p, "profiles", "set", "barge", "--contact", "0 */6 * * * for 10m", "--zone", "Europe/Oslo")
	if p.Link == nil || p.Link.Budget == nil || p.Link.Budget.Hard != 20_000_000 || p.Link.Budget.CycleDay != 31 || !p.Link.Budget.DailyPing ||
		len(p.Link.Contact.Windows) != 1 || p.Link.Contact.Windows[0].Seconds != 600 || p.Tariff.PricePerMB != "4.20" || p.Settings.Ping != 1200 {
		t.Errorf("the profile is %+v, %+v, %+v", p, p.Link, p.Tariff)
	}
	d.fails(exitFailed, "--from is for a new one", "profiles", "set", "barge", "--from", "lte")
	d.fails(exitUsage, "1 to 31", "profiles", "set", "barge", "--cycle-day", "32")
	if out := d.ok("profiles", "ls"); !strings.Contains(out, "15.0 MB   20.0 MB  ") || !strings.Contains(out, "0 */6 * * * for 10m Europe/Oslo") || !strings.Contains(out, "vessel-windowed") {
		t.Errorf("profiles:\n%s", out)
	}
	for line := range strings.Lines(d.ok("profiles", "ls")) {
		if n := len([]rune(strings.TrimRight(line, "\n"))); n > 100 {
			t.Errorf("a line of profiles has %d columns: %s", n, line)
		}
	}
	d.ok("groups", "set", "ships", "--profile", "barge")
	if out := d.ok("profiles", "show", "barge"); !strings.Contains(out, "0 devices; named by 1 group\n") || !strings.Contains(out, "from day 31 of each month, UTC") || !strings.Contains(out, "one ping a day") {
		t.Errorf("the profile:\n%s", out)
	}
	start := time.Now().UTC().Add(48 * time.Hour).Truncate(time.Second)
	file := d.write("passes.csv", "start,end,bytes\n"+start.Format(time.RFC3339)+","+start.Add(9*time.Minute).Format(time.RFC3339)+",2000000\n")
	if out := d.ok("windows", "passes", "--group", "ships", "--csv", file, "--after", "silent"); !strings.Contains(out, "9m") || !strings.Contains(out, "2.0 MB") {
		t.Errorf("the table:\n%s", out)
	}
	d.fails(exitFailed, "line 1", "windows", "passes", "--group", "ships", "--csv", d.write("bad.csv", "x\n"))
	d.fails(exitUsage, "it is empty", "windows", "passes", "--group", "ships", "--csv", d.write("empty.csv", ""))
	d.fails(exitUsage, "want daily, silent or open", "windows", "passes", "--group", "ships", "--csv", file, "--after", "never")
	d.fails(exitUsage, "want a DEVICE, or --group", "windows", "passes")
	was := d.ok("windows", "passes", "--group", "ships", "-o", "json")
	if out := d.ok("windows", "clear", "--group", "ships"); !strings.Contains(out, "is taken away. None counts there") {
		t.Errorf("taken away: %s", out)
	}
	if out := d.ok("windows", "clear", "--group", "ships"); !strings.Contains(out, "There is no table of passes of group /ships itself") {
		t.Errorf("taken away again: %s", out)
	}
	d.ok("windows", "passes", "--group", "ships", "--json", d.write("passes.json", was))
	if again := d.ok("windows", "passes", "--group", "ships", "-o", "json"); again != was {
		t.Errorf("written and read again it is\n%swas\n%s", again, was)
	}
	d.ok("groups", "set", "ships/north")
	if out := d.ok("windows", "clear", "--group", "ships/north"); !strings.Contains(out, "no table of passes of group /ships/north itself. That of group ships counts there") {
		t.Errorf("of the group above: %s", out)
	}
	d.fails(exitFailed, "it is no JSON such as", "windows", "passes", "--group", "ships", "--json", file)
	d.fails(exitUsage, "csv json", "windows", "passes", "--group", "ships", "--json", file, "--csv", file)
	d.ok("windows", "clear", "--group", "ships")
	if out := d.ok("windows", "passes", "--group", "ships"); !strings.Contains(out, "no table of passes") {
		t.Errorf("without a table:\n%s", out)
	}
	d.fails(exitNotFound, "nobody", "windows", "show", "nobody")
	d.fails(exitNotFound, "nobody", "lift", "nobody", "--extra", "5MB")
	d.fails(exitUsage, "at least one byte", "lift", "nobody", "--extra", "0")
	d.ok("profiles", "set", "barge", "--contact", "none", "--hard", "0", "--soft", "0")
	p = resource.Profile{}
	d.read(&p, "profiles", "show", "barge")
	if p.Link.Contact != nil || p.Link.Budget == nil || p.Link.Budget.Hard != 0 {
		t.Errorf("without caps and windows it is %+v", p.Link)
	}
}
