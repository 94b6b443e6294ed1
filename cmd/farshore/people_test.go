package main

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/farshore/farshore/hub/access"
	"github.com/farshore/farshore/hub/api/resource"
)

func TestPeopleFromTheCommandLine(t *testing.T) {
	d := newDesk(t)
	d.login()
	admin := d.env["FARSHORE_CONFIG"]
	file := d.write("anna", password+" of anna")
	d.ok("users", "add", "anna", "--password-file", file)
	link := strings.TrimSpace(d.ok("users", "add", "bo"))
	if !strings.HasPrefix(link, "https://hub.example/invited#fsl_") {
		t.Errorf("the link of bo is %q", link)
	}
	if out := d.ok("users", "ls"); !strings.Contains(out, "invited") || !strings.Contains(out, "last resort") {
		t.Errorf("users:\n%s", out)
	}
	d.ok("groups", "set", "oslo")
	d.ok("teams", "set", "field", "--leader", "anna")
	d.ok("teams", "add", "field", "bo")
	d.ok("grants", "add", "--team", "field", "--role", "operator", "--group", "oslo", "--until", "72h", "--note", "ticket 7")
	d.fails(exitNotFound, "group", "grants", "add", "--user", "anna", "--role", "operator", "--group", "nowhere")
	if out := d.ok("access", "--user", "bo", "--group", "oslo"); !strings.Contains(out, "team field") || !strings.Contains(out, "commands.give") {
		t.Errorf("access of bo:\n%s", out)
	}
	if out := d.ok("roles"); !strings.Contains(out, "installer") {
		t.Errorf("roles:\n%s", out)
	}

	d.env["FARSHORE_CONFIG"] = filepath.Join(d.dir, "anna.conf")
	d.ok("login", d.server.URL, "--username", "anna", "--password-file", file, "--fingerprint", d.fingerprint())
	d.fails(exitNotAllowed, "not allowed", "users", "ls")
	d.ok("groups", "ls")
	next := d.write("next", "another good long one")
	d.ok("password", "--old-file", file, "--new-file", next)
	var made resource.Token
	d.read(&made, "tokens", "create", "--name", "ci", "--role", "helpdesk", "--group", "oslo")
	d.fails(exitFailed, `no group "nowhere"`, "tokens", "create", "--name", "lost", "--group", "nowhere")
	if made.Role != "helpdesk" || len(made.Groups) != 1 {
		t.Errorf("token %+v", made)
	}
	if out := d.ok("sessions", "ls"); !strings.Contains(out, "farshore/") {
		t.Errorf("sessions:\n%s", out)
	}
	d.fails(exitUsage, "--others", "sessions", "rm")

	d.env["FARSHORE_CONFIG"] = admin
	if out := d.ok("users", "end-sessions", "anna"); !strings.Contains(out, "ended: 1") {
		t.Errorf("ending the sessions of anna:\n%s", out)
	}
	d.env["FARSHORE_CONFIG"] = filepath.Join(d.dir, "anna.conf")
	d.fails(exitNotAllowed, "session", "whoami")
	d.ok("login", d.server.URL, "--username", "anna", "--password-file", next, "--fingerprint", d.fingerprint())
	d.ok("whoami")
	d.env["FARSHORE_CONFIG"] = admin
	d.ok("users", "disable", "anna")
	d.env["FARSHORE_CONFIG"] = filepath.Join(d.dir, "anna.conf")
	d.fails(exitNotAllowed, "session", "whoami")
	d.env["FARSHORE_CONFIG"] = admin
	d.ok("users", "rm", "anna")
	d.fails(exitFailed, "last resort", "users", "rm", "admin")
}

// A hub that wants a second factor gives a session that may only set one up.
func TestLoginAsksForTheSecondFactor(t *testing.T) {
	d := newDesk(t)
	if _, err := d.Hub().Access.SetSettings(access.Settings{SecondFactor: access.NeededByEverybody}, nil); err != nil {
		t.Fatal(err)
	}
	right := filepath.Join(d.dir, "password")
	out := d.ok("login", d.server.URL, "--username", "admin", "--password-file", right, "--fingerprint", d.fingerprint())
	if !strings.Contains(out, "second-factor on") {
		t.Errorf("login says %q", out)
	}
	d.fails(exitNotAllowed, "second factor", "devices", "ls")
	_, p, err := signIn(d)
	if err != nil {
		t.Fatal(err)
	}
	e, err := d.Hub().Access.BeginFactor(p, password, "Farshore")
	if err != nil {
		t.Fatal(err)
	}
	codes, err := d.Hub().Access.ConfirmFactor(p, access.CodeOf(e.Secret, time.Now()))
	if err != nil {
		t.Fatal(err)
	}
	d.fails(exitNotAllowed, "code", "login", d.server.URL, "--username", "admin", "--password-file", right, "--fingerprint", d.fingerprint())
	code := d.write("code", codes[0]+"\n")
	d.ok("login", d.server.URL, "--username", "admin", "--password-file", right, "--code-file", code, "--fingerprint", d.fingerprint())
	d.ok("devices", "ls")
}

func signIn(d *desk) (string, access.Principal, error) {
	o, err := d.Hub().Access.Login(access.SignIn{Name: "admin", Password: password, Remote: "192.0.2.1"})
	return o.Secret, o.Principal, err
}
