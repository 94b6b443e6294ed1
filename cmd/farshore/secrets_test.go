package main

import (
	"strings"
	"testing"

	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/hub/variables"
)

func TestVariablesOfAGroup(t *testing.T) {
	d := newDesk(t)
	d.login()
	d.ok("groups", "set", "norway/oslo")
	d.ok("variables", "set", "SITE", "everywhere", "--group", "/")
	d.ok("variables", "set", "SITE", "oslo", "--group", "norway/oslo")
	file := d.write("secret", "hunter2\nsecond line\n")
	if out := d.ok("variables", "set", "TOKEN", "--secret", "--group", "norway/oslo", "--from-file", file); strings.Contains(out, "hunter2") {
		t.Errorf("said %s", out)
	}
	out := d.ok("variables", "ls", "--group", "norway/oslo")
	if !strings.Contains(out, "oslo") || !strings.Contains(out, "(set, hidden)") || strings.Contains(out, "hunter2") || strings.Contains(out, "everywhere") {
		t.Errorf("listed\n%s", out)
	}
	if v := d.Hub().Variables.Of("", "norway/oslo")["TOKEN"]; v.Text != "hunter2\nsecond line" || v.From != (variables.Scope{Group: "norway/oslo"}) {
		t.Errorf("devices get %d bytes from %s", len(v.Text), v.From)
	}
	d.fails(exitUsage, "not given on the command line", "variables", "set", "TOKEN", "hunter2", "--secret", "--group", "norway/oslo")
	d.fails(exitUsage, "group", "variables", "ls")
	d.fails(exitFailed, "FARSHORE_", "variables", "set", "FARSHORE_X", "1", "--group", "/")
	d.ok("variables", "unset", "SITE", "--group", "norway/oslo")
	if out := d.ok("variables", "ls", "--group", "norway/oslo"); !strings.Contains(out, "everywhere") {
		t.Errorf("listed\n%s", out)
	}
	d.fails(exitNotFound, "SITE", "variables", "unset", "SITE", "--group", "norway/oslo")
	d.fails(exitNotFound, "nobody", "variables", "ls", "--device", "nobody")
}

func TestRegistriesByCommand(t *testing.T) {
	d := newDesk(t)
	d.login()
	token := d.write("token", "hunter2\n")
	d.ok("registries", "add", "https://Registry.example.com:5000", "--user", "fleet", "--name", "plant", "--password-file", token)
	var r resource.Registry
	d.read(&r, "registries", "edit", "plant", "--note", "ticket 7")
	if r.Address != "registry.example.com:5000" || r.User != "fleet" || r.Note != "ticket 7" {
		t.Errorf("%+v", r)
	}
	auth := d.Hub().Registries.For("", []string{"registry.example.com:5000/app"})
	if len(auth) != 1 || auth[0].Password != "hunter2" {
		t.Error("the password did not stay")
	}
	d.fails(exitFailed, "password again", "registries", "edit", "plant", "--address", "elsewhere.example.com")
	d.ok("registries", "add", "127.0.0.1:1", "--user", "fleet", "--password-file", token)
	d.fails(exitFailed, "the hub does not ask", "registries", "check", "127.0.0.1:1")
	if out := d.ok("registries", "ls"); !strings.Contains(out, "plant") || strings.Contains(out, "hunter2") {
		t.Errorf("listed\n%s", out)
	}
	d.ok("registries", "rm", "plant", "127.0.0.1:1")
	d.fails(exitNotFound, "plant", "registries", "check", "plant")
}
