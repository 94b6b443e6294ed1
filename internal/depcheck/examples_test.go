package depcheck

import (
	"slices"
	"strings"
	"testing"
)

// wrong are imports that the tables must refuse; each row of each table has at least one here.
var wrong = []pkg{
	{ImportPath: "./protocol", Imports: []string{"./internal/meter"}},
	{ImportPath: "./protocol/window", XTestImports: []string{"./snapshot"}},
	{ImportPath: "./protocol", Imports: []string{"net/http"}},
	{ImportPath: "./snapshot", Imports: []string{"os"}},
	{ImportPath: "./internal/meter", Imports: []string{"./protocol"}},
	{ImportPath: "./internal/meter", TestImports: []string{"./internal/faultnet"}},
	{ImportPath: "./hub/session", Imports: []string{"./internal/fleettest"}},
	{ImportPath: "./cmd/hub", Imports: []string{"./internal/testengine"}},
	{ImportPath: "./snapshot/fold", Imports: []string{"./hub/store"}},
	{ImportPath: "./snapshot/fold", TestImports: []string{"./stacks"}},
	{ImportPath: "./stacks/planner", Imports: []string{"./jobs"}},
	{ImportPath: "./jobs", Imports: []string{"./stacks"}},
	{ImportPath: "./waitingroom/knock", Imports: []string{"./edgeagent/link"}},
	{ImportPath: "./snapshot", Imports: []string{"./snapshot/fold"}},
	{ImportPath: "./stacks", Imports: []string{"./stacks/compose"}},
	{ImportPath: "./jobs", Imports: []string{"./jobs/runner"}},
	{ImportPath: "./waitingroom", Imports: []string{"./waitingroom/admission"}},
	{ImportPath: "./hub", Imports: []string{"./edgeagent"}},
	{ImportPath: "./hub/session", TestImports: []string{"./edgeagent/link"}},
	{ImportPath: "./stacks/planner", Imports: []string{"./stacks/reconciler"}},
	{ImportPath: "./edgeagent/link", Imports: []string{"./hub/session"}},
	{ImportPath: "./stacks/reconciler", Imports: []string{"./stacks/composer"}},
	{ImportPath: "./stacks/composer", Imports: []string{"./stacks/planner"}},
	{ImportPath: "./hub/api", Imports: []string{"./hub/store"}},
	{ImportPath: "./web", Imports: []string{"./hub/api"}},

	{ImportPath: "./hub", Imports: []string{"github.com/mochi-mqtt/server/v2"}},
	{ImportPath: "./hub/api", TestImports: []string{"go.etcd.io/bbolt"}},
	{ImportPath: "./edgeagent", Imports: []string{"github.com/eclipse/paho.mqtt.golang"}},
	{ImportPath: "./stacks/reconciler", Imports: []string{"github.com/docker/docker/api/types/container"}},
	{ImportPath: "./cmd/composer", Imports: []string{"github.com/docker/compose/v2/pkg/api"}},
	{ImportPath: "./hub/api", Imports: []string{"github.com/compose-spec/compose-go/v2/loader"}},
	{ImportPath: "./edgeagent", Imports: []string{"k8s.io/apimachinery/pkg/labels"}},
	{ImportPath: "./hub/api", Imports: []string{"github.com/go-git/go-git/v5"}},
	{ImportPath: "./hub/access", Imports: []string{"github.com/danielgtaylor/huma/v2"}},
	{ImportPath: "./cmd/hub", Imports: []string{"github.com/spf13/cobra"}},

	{ImportPath: "./cmd/edgeagent", Deps: []string{"./stacks/compose"}},
	{ImportPath: "./cmd/hub", Deps: []string{"github.com/docker/docker/client"}},
	{ImportPath: "./cmd/composer", Deps: []string{"./edgeagent/engine"}},
	{ImportPath: "./cmd/farshore", Deps: []string{"go.etcd.io/bbolt"}},
}

// right are imports that the tables must leave alone.
var right = []pkg{
	{ImportPath: "./protocol", Imports: []string{"embed"}, TestImports: []string{"os"}},
	{ImportPath: "./protocol/window", Imports: []string{"./protocol"}},
	{ImportPath: "./internal/testengine/withengine", Imports: []string{"./internal/testengine"}},
	{ImportPath: "./internal/fleettest", Imports: []string{"./hub", "./edgeagent", "./internal/faultnet"}},
	{ImportPath: "./cmd/fleetsim", Imports: []string{"./internal/fleettest"}},
	{ImportPath: "./stacks/compose", Imports: []string{"./stacks", "./stacks/composer/ipc", "./stacks/staging", "./protocol"}},
	{ImportPath: "./stacks/planner", Imports: []string{"./stacks", "./internal/meter"}, TestImports: []string{"./hub/store"}},
	{ImportPath: "./snapshot/capture", TestImports: []string{"./snapshot/fold", "./internal/testengine"}},
	{ImportPath: "./hub/store", Imports: []string{"./stacks/planner", "./snapshot/fold", "go.etcd.io/bbolt"}},
	{ImportPath: "./hub/api", Imports: []string{"./stacks/compose"}, TestImports: []string{"./hub/store"}},
	{ImportPath: "./edgeagent/state", Imports: []string{"./stacks/reconciler", "go.etcd.io/bbolt"}},
	{ImportPath: "./edgeagent/engine", Imports: []string{"github.com/docker/docker/client"}},
	{ImportPath: "./hub/broker", TestImports: []string{"github.com/eclipse/paho.mqtt.golang"}},
	{ImportPath: "./hub", Imports: []string{"./hub/store", "./hub/broker", "./web", "./waitingroom/admission"}},
}

func problems(all []pkg) []string {
	return slices.Concat(directProblems(all), importerProblems(all), linkedProblems(all))
}

func TestWrongImportsAreRefused(t *testing.T) {
	for _, example := range wrong {
		if len(problems([]pkg{example})) == 0 {
			t.Errorf("allowed: %+v", example)
		}
	}
}

func TestRightImportsAreAllowed(t *testing.T) {
	for _, example := range right {
		for _, problem := range problems([]pkg{example}) {
			t.Error(problem)
		}
	}
}

// TestEveryBanHasAnExample keeps a row with a slip of the pen from passing everything for ever.
func TestEveryBanHasAnExample(t *testing.T) {
	said := strings.Join(problems(wrong), "\n")
	var reasons []string
	for _, b := range join(direct, linked) {
		reasons = append(reasons, b.why)
	}
	for _, row := range onlyImporters {
		reasons = append(reasons, row.why)
	}
	for _, why := range reasons {
		if !strings.Contains(said, why) {
			t.Errorf("no example in wrong breaks the ban %q", why)
		}
	}
}
