package main

import (
	"strings"
	"testing"

	"github.com/farshore/farshore/hub/api/resource"
)

func TestEdgeGroups(t *testing.T) {
	d := newDesk(t)
	d.login()
	d.ok("groups", "set", "norway/oslo")
	if out := d.ok("edge-groups", "create", "canaries", "--selector", "ring=canary,!spare", "--group", "/norway/", "--description", "first"); !strings.Contains(out, "canaries has 0 devices") {
		t.Error(out)
	}
	d.fails(exitFailed, "is there already", "edge-groups", "create", "canaries")
	d.fails(exitFailed, "character 8", "edge-groups", "create", "other", "--selector", "site=a,line in b")
	d.fails(exitNotFound, "nobody", "edge-groups", "edit", "canaries", "--device", "nobody")
	d.ok("edge-groups", "edit", "canaries", "--selector", "ring=blue")
	var g resource.EdgeGroup
	if d.read(&g, "edge-groups", "show", "canaries"); g.Selector != "ring=blue" || g.Description != "first" || g.Group != "norway" {
		t.Errorf("what was not given did not stay: %+v", g)
	}
	if out := d.ok("edge-groups", "ls"); !strings.Contains(out, "ring=blue") || !strings.Contains(out, "/norway") {
		t.Errorf("list:\n%s", out)
	}
	d.ok("edge-groups", "devices", "canaries")
	d.ok("edge-groups", "rm", "canaries")
	d.fails(exitNotFound, "canaries", "edge-groups", "show", "canaries")
}
