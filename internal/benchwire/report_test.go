//go:build bench && linux

package benchwire

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// row is one line of the table.
type row struct {
	what, where string
	target      string // as the design says it; empty: none is set
	got         string
	verdict     verdict
	how         string // what was measured, and what was reckoned from it
}

type verdict string

const (
	reached verdict = "reached"
	missed  verdict = "**missed**"
	noGoal  verdict = ""
)

// atMost and atLeast judge a figure.
func atMost[T int | float64](got, target T) verdict {
	if got <= target {
		return reached
	}
	return missed
}

func atLeast[T int | float64](got, target T) verdict { return atMost(target, got) }

// report gathers rows and details.
type report struct {
	mu     sync.Mutex
	rows   []row
	memory []row
	// profiles have a section of their own, with its own date: it can be made alone.
	profiles []row
	load     string // of the machine, before anything was measured
	details  strings.Builder
}

func (r *report) add(t *testing.T, x row) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rows = append(r.rows, x)
	note(t, x)
}

func (r *report) addProfile(t *testing.T, x row) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.profiles = append(r.profiles, x)
	note(t, x)
}

func (r *report) addMemory(t *testing.T, x row) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.memory = append(r.memory, x)
	note(t, x)
}

// note prints a row, and fails the test where the target is missed, so that it cannot be overlooked.
func note(t *testing.T, x row) {
	t.Helper()
	t.Logf("%s (%s): %s, target %s: %s", x.what, x.where, x.got, x.target, x.how)
	if x.verdict == missed {
		t.Errorf("%s: %s, but the target is %s", x.what, x.got, x.target)
	}
}

// detail adds what a figure is made of.
func (r *report) detail(title, text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fmt.Fprintf(&r.details, "### %s\n\n```\n%s\n```\n\n", title, strings.TrimRight(text, "\n"))
}

// write writes docs/bench/data.md.
func (r *report) write(path string) error {
	var b strings.Builder
	b.WriteString("# Numbers\n\nMade by `make bench`; do not edit. How each is measured is in [README.md](README.md).\n\n")
	r.made(&b)
	b.WriteString("*Wire* is IP packets in both directions, headers included; *frame* is what the carrier is handed.\n\n")
	b.WriteString("## The protocol\n\n")
	table(&b, r.rows)
	b.WriteString("\n")
	b.WriteString(r.profileSection())
	b.WriteString(afterProfiles + "\n\n")
	table(&b, r.memory)
	b.WriteString("\n## What the figures are made of\n\n")
	b.WriteString(r.details.String())
	return os.WriteFile(path, []byte(strings.TrimRight(b.String(), "\n")+"\n"), 0o644)
}

// Headings between which the section of the profiles stands.
const (
	profilesHeading = "## The ready-made profiles"
	afterProfiles   = "## Memory and binaries"
)

func (r *report) profileSection() string {
	var b strings.Builder
	b.WriteString(profilesHeading + "\n\nMade on its own too, by `scripts/bench.sh profiles`:\n\n")
	r.made(&b)
	table(&b, r.profiles)
	b.WriteString(peers + "\n")
	return b.String()
}

// peers are what others say or were measured to cost, reckoned per day of a month of 30 days.
const peers = `
Beside them, an idle device of others: Portainer async 47 MB a month with timers of 60 s (about 1,570 kB a day) and 2 MB a
month with timers of 1 h (about 67 kB a day); balena 33 kB a day with one poll a day, and 196 MB a month as it comes (about
6,530 kB a day); KubeEdge about 150 MB a day.
`

// replaceProfiles writes the section of the profiles anew into a file that is there, and leaves the others as they are.
func (r *report) replaceProfiles(path string) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, after, ok := strings.Cut(string(raw), afterProfiles)
	if !ok {
		return fmt.Errorf("%s has no heading %q: make all of it with scripts/bench.sh wire", path, afterProfiles)
	}
	before, _, _ = strings.Cut(before, profilesHeading)
	return os.WriteFile(path, []byte(before+r.profileSection()+afterProfiles+after), 0o644)
}

// made says when, of what and where the figures below it were made.
func (r *report) made(b *strings.Builder) {
	fmt.Fprintf(b, "- date: %s\n- commit: %s\n- machine: %s\n- %s\n- load before, which slows whatever is measured by the clock: %s\n\n",
		time.Now().UTC().Format("2006-01-02 15:04 UTC"), commit(), machine(), runtime.Version(), r.load)
}

func table(b *strings.Builder, rows []row) {
	b.WriteString("| what | where | target | measured | | how |\n|---|---|---|---|---|---|\n")
	for _, x := range rows {
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s | %s |\n", x.what, x.where, x.target, x.got, x.verdict, x.how)
	}
}

func commit() string {
	out, err := exec.Command("git", "describe", "--tags", "--always", "--dirty").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}

func machine() string {
	model := runtime.GOARCH
	if raw, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(raw)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				model = strings.TrimSpace(value)
				break
			}
		}
	}
	kernel, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	return fmt.Sprintf("%d × %s, Linux %s", runtime.NumCPU(), model, strings.TrimSpace(string(kernel)))
}

// load is how many programs wanted a processor in the last 1, 5 and 15 minutes.
func load() string {
	raw, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Join(strings.Fields(string(raw))[:3], " ")
}

// kB writes bytes as the design's table does: thousands.
func kB(n int) string { return fmt.Sprintf("%.1f kB", float64(n)/1000) }

// thousands writes a number with separators.
func thousands(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
