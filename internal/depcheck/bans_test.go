package depcheck

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// The sides of the project. Packages of a feature that are in no list serve both sides.
var (
	hubHalves   = []string{"./snapshot/fold/...", "./stacks/planner/...", "./stacks/rollout/...", "./jobs/dispatch/...", "./waitingroom/admission/...", "./economy/ledger/...", "./economy/estimate/..."}
	agentHalves = []string{"./snapshot/capture/...", "./stacks/reconciler/...", "./jobs/runner/...", "./waitingroom/knock/...", "./economy/spending/..."}
	composer    = []string{"./stacks/composer"} // its messages, in ./stacks/composer/ipc, are for everybody
	hubSide     = join([]string{"./hub/...", "./cmd/hub/..."}, hubHalves)
	agentSide   = join([]string{"./edgeagent/...", "./cmd/edgeagent/..."}, agentHalves)
	wholeSystem = []string{"./internal/fleettest/...", "./internal/benchwire/..."}
	forTests    = join(wholeSystem, []string{"./internal/testengine/...", "./internal/wirelab/..."})
	roots       = []string{"./snapshot", "./stacks", "./jobs", "./waitingroom", "./economy"}
	common      = []string{"./protocol/...", "./internal/..."}
	adapters    = []string{"./hub/store/...", "./hub/vault/...", "./edgeagent/state/...", "./edgeagent/engine/..."} // for tests on the real thing
	doesIO      = []string{"net", "net/http", "os", "os/exec"}
)

func join[T any](lists ...[]T) []T { return slices.Concat(lists...) }

// ban forbids packages to import others.
type ban struct {
	from     []string // who
	except   []string // but not these of them
	to       []string // what
	unless   []string // but these of it are allowed
	own      bool     // packages of one's own folder are allowed too
	tests    bool     // test files are bound too
	testsMay []string // what test files may import all the same
	why      string
}

// direct are bans on import statements. The numbers are those of "Who may import whom" in docs/architecture.md.
var direct = []ban{
	{
		from: []string{"./protocol/..."}, to: []string{"./..."}, unless: []string{"./protocol/..."}, tests: true,
		why: "rule 1: both sides and every tool import the protocol, so it stands on nothing of the project",
	},
	{
		from: []string{"./internal/..."}, except: wholeSystem, to: []string{"./..."}, own: true, tests: true,
		testsMay: []string{"./internal/certtest"},
		why:      "rule 1: a helper that knows the project is no helper; give the word to the caller",
	},
	{
		from: []string{"./..."}, except: join(forTests, []string{"./cmd/fleetsim/..."}), to: wholeSystem,
		why: "rule 1: the simulator holds hub and agent in one process; only tests and cmd/fleetsim may",
	},
	{
		from: []string{"./..."}, except: forTests, to: []string{"./internal/testengine/...", "./internal/wirelab/..."},
		why: "rule 1: test engines, test images and test wires are for tests",
	},
	{
		from: join([]string{"./protocol"}, roots), to: doesIO,
		why: "the protocol and the core of a feature are pure: no files, no network, so that they run in virtual time",
	},
	feature("snapshot"), feature("stacks"), feature("jobs"), feature("waitingroom"), feature("economy"),
	core("snapshot"), core("stacks"), core("jobs"), core("waitingroom"), core("economy"),
	{
		from: hubSide, to: join(agentSide, composer), tests: true, testsMay: join(hubHalves, agentHalves),
		why: "rule 4: the hub never knows the agent's half; tests of both together are in internal/fleettest",
	},
	{
		from: agentSide, to: join(hubSide, composer), tests: true, testsMay: join(hubHalves, agentHalves),
		why: "rule 4: the agent never carries the hub's half, and the Compose library runs in a process of its own",
	},
	{
		from: []string{"./stacks/composer/..."}, to: join(hubSide, agentSide), tests: true,
		why: "rule 4: the composer is told what to do by messages; it knows neither side",
	},
	{
		from: []string{"./hub/api/..."}, to: []string{"./hub/store/..."}, testsMay: []string{"./hub/store/..."},
		why: "rule 5: handlers ask small interfaces that they declare themselves; one method is one use case",
	},
	{
		from: []string{"./web/..."}, to: []string{"./..."}, own: true, tests: true,
		why: "the embedded console is files, nothing else",
	},
}

// feature bans what rules 2 and 3 do not allow to a feature's packages.
func feature(name string) ban {
	return ban{
		from: []string{"./" + name + "/..."}, to: []string{"./..."},
		unless: join([]string{"./" + name + "/..."}, common), tests: true,
		testsMay: adapters,
		why:      "rules 2 and 3: a feature imports protocol and helpers; other features' words come through the assembly",
	}
}

// core bans a feature's root from importing its halves.
func core(name string) ban {
	return ban{
		from: []string{"./" + name}, to: []string{"./" + name + "/..."}, unless: []string{"./" + name},
		why: "rule 2: the halves stand on the core, not the core on them",
	}
}

// onlyImporters names the few packages that may import a library.
var onlyImporters = []struct {
	library   []string
	importers []string
	tests     []string // whose test files may too
	why       string
}{
	{
		library: []string{"github.com/mochi-mqtt/server/v2/..."}, importers: []string{"./hub/broker/..."},
		tests: []string{"./edgeagent/link/..."}, // which need a broker to talk to and may not know hub/broker
		why:   "the broker can be replaced by an external one only if one package knows it",
	},
	{
		library: []string{"go.etcd.io/bbolt/..."}, importers: []string{"./hub/store/...", "./edgeagent/state/..."},
		// The first make a data folder one of a newer version, the second open what they let through.
		tests: []string{"./internal/e2e/...", "./internal/boltfile/..."},
		why:   "one package a side decides what a transaction is; a shared database may take its place on the hub",
	},
	{
		library: []string{"github.com/eclipse/paho.mqtt.golang/..."}, importers: []string{"./edgeagent/link/..."},
		tests: []string{"./..."},
		why:   "the two carriers look the same to everything else; tests use it as the foreign client",
	},
	{
		library: []string{"github.com/docker/docker/..."}, importers: []string{"./edgeagent/engine/...", "./stacks/composer/..."},
		tests: []string{"./..."},
		why:   "what is shared about the engine are protocol payloads, so that another engine can take its place",
	},
	{
		library:   []string{"github.com/docker/compose/v2/...", "github.com/docker/cli/...", "github.com/docker/buildx/..."},
		importers: []string{"./stacks/composer/..."},
		why:       "it adds 50 MB to a binary, and so has one of its own",
	},
	{
		library: []string{"github.com/compose-spec/compose-go/v2/..."}, importers: []string{"./stacks/compose/...", "./stacks/composer/..."},
		why: "a bundle is judged in one place, the same on the hub and on the device",
	},
	{
		library: []string{"k8s.io/apimachinery/..."}, importers: hubSide,
		why: "selectors are resolved on the hub; the agent has no use for them",
	},
	{
		library: []string{"github.com/go-git/..."}, importers: []string{"./hub/gitsource/..."},
		why: "what a repository sends is hostile, and is bounded in one place",
	},
	{
		library: []string{"github.com/danielgtaylor/huma/v2/..."}, importers: []string{"./hub/api/..."},
		why: "the HTTP API is described in one place",
	},
	{
		library: []string{"github.com/spf13/cobra/..."}, importers: []string{"./cmd/farshore/..."},
		why: "hub and agent have flags; only the operator's CLI has a tree of commands",
	},
}

// linked are bans on what a binary may contain, through whatever path.
var linked = []ban{
	{
		from: []string{"./cmd/edgeagent"},
		to: join(hubSide, composer, forTests, []string{
			"./stacks/compose/...", "./web/...", "testing", "github.com/mochi-mqtt/...", "github.com/danielgtaylor/huma/...",
			"github.com/compose-spec/...", "github.com/docker/compose/...", "github.com/docker/cli/...", "k8s.io/...",
			"github.com/spf13/...", "github.com/prometheus/...",
		}),
		why: "the agent lives on small devices: no hub half, no Compose, nothing for tests",
	},
	{
		from: []string{"./cmd/hub"},
		to: join(agentSide, composer, forTests, []string{
			"testing", "github.com/eclipse/...", "github.com/docker/docker/...", "github.com/docker/compose/...", "github.com/docker/cli/...",
		}),
		why: "the hub speaks to agents, never to an engine",
	},
	{
		from: []string{"./cmd/composer"},
		to: join(hubSide, agentSide, forTests, []string{
			"github.com/mochi-mqtt/...", "github.com/eclipse/...", "go.etcd.io/bbolt/...",
		}),
		why: "the composer applies one project and ends; it has no state and no link",
	},
	{
		from: []string{"./cmd/farshore"},
		to: join(agentSide, composer, forTests, []string{
			"./hub/store/...", "./hub/broker/...", "testing", "github.com/mochi-mqtt/...", "github.com/eclipse/...",
			"go.etcd.io/bbolt/...", "github.com/docker/docker/...", "github.com/docker/compose/...",
		}),
		why: "the operator's CLI speaks to the API like any client",
	},
}

func TestWhoImportsWhom(t *testing.T) {
	for _, problem := range directProblems(load(t)) {
		t.Error(problem)
	}
}

func TestLibrariesHaveOneImporter(t *testing.T) {
	for _, problem := range importerProblems(load(t)) {
		t.Error(problem)
	}
}

func TestWhatBinariesLink(t *testing.T) {
	for _, problem := range linkedProblems(load(t)) {
		t.Error(problem)
	}
}

func directProblems(all []pkg) []string {
	var problems []string
	for _, p := range all {
		for _, b := range direct {
			if !matches(p.ImportPath, b.from) || matches(p.ImportPath, b.except) {
				continue
			}
			problems = append(problems, b.broken(p.ImportPath, p.Imports)...)
			if b.tests {
				inTests := b
				inTests.unless = join(b.unless, b.testsMay, forTests)
				problems = append(problems, inTests.broken(p.ImportPath+" (tests)", join(p.TestImports, p.XTestImports))...)
			}
		}
	}
	return problems
}

func (b ban) broken(who string, imports []string) []string {
	var problems []string
	path := strings.TrimSuffix(who, " (tests)")
	for _, imported := range imports {
		allowed := matches(imported, b.unless) || imported == path || b.own && folder(imported) == folder(path)
		if matches(imported, b.to) && !allowed {
			problems = append(problems, fmt.Sprintf("%s imports %s: %s", who, imported, b.why))
		}
	}
	return problems
}

func importerProblems(all []pkg) []string {
	var problems []string
	for _, p := range all {
		for _, row := range onlyImporters {
			check := ban{to: row.library, why: fmt.Sprintf("only %s may: %s", strings.Join(row.importers, ", "), row.why)}
			if matches(p.ImportPath, row.importers) {
				continue
			}
			problems = append(problems, check.broken(p.ImportPath, p.Imports)...)
			if !matches(p.ImportPath, row.tests) {
				problems = append(problems, check.broken(p.ImportPath+" (tests)", join(p.TestImports, p.XTestImports))...)
			}
		}
	}
	return problems
}

func linkedProblems(all []pkg) []string {
	var problems []string
	for _, p := range all {
		for _, b := range linked {
			if matches(p.ImportPath, b.from) {
				problems = append(problems, b.broken(p.ImportPath, p.Deps)...)
			}
		}
	}
	return problems
}
