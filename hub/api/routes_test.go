package api_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/farshore/farshore/hub/access"
	"github.com/farshore/farshore/hub/api"
)

// open are the operations that need no right, and why.
var open = map[string]string{
	"login": "signing in", "first-admin": "signing in", "current-session": "signing in", "logout": "own session", "who-am-i": "own session",
	"use-link": "signing in", "change-password": "own account", "list-sessions": "own account", "end-sessions": "own account", "end-session": "own account",
	"get-second-factor": "own account", "begin-second-factor": "own account", "confirm-second-factor": "own account",
	"renew-recovery-codes": "own account", "drop-second-factor": "own account",
	"list-teams": "own session", "add-team-member": "own session", "remove-team-member": "own session",
	"effective-access": "own session", "list-roles": "own session",
	"list-views": "own session", "put-views": "own session",
	"list-tokens": "own session", "create-token": "own session", "remove-token": "own session",
}

// elsewhere are operations that no route declares: they are asked for within one, or away from the API.
var elsewhere = []access.Operation{
	access.PolicyExempt, access.CommandsGive, access.CommandsRemove, access.SecretsRead, access.JobsHost,
}

type documented struct {
	OperationID string `json:"operationId"`
	Right       string `json:"x-farshore-right"`
	Summary     string `json:"summary"`
	Parameters  []struct{ Name, In string }
	Responses   map[string]struct{ Content map[string]any }
	method      string
	path        string
}

func operations(t *testing.T, w *world) (out []documented) {
	t.Helper()
	resp, err := w.server.Client().Get(w.server.URL + "/api/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var doc struct {
		OpenAPI string
		Servers []struct{ URL string }
		Paths   map[string]map[string]documented
	}
	if err := json.NewDecoder(resp.Body).Decode(&doc); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(doc.OpenAPI, "3.1") || len(doc.Servers) != 1 || strings.HasPrefix(doc.Servers[0].URL, "/") {
		t.Errorf("the document is of OpenAPI %s, with servers %v; want 3.1 and a relative one", doc.OpenAPI, doc.Servers)
	}
	for path, methods := range doc.Paths {
		for method, o := range methods {
			o.method, o.path = strings.ToUpper(method), path
			out = append(out, o)
		}
	}
	return out
}

// Every operation in the document asks for the right that it declares, refuses strangers before it reads what they
// send, and describes its problems.
func TestEveryOperationAsksForItsRight(t *testing.T) {
	w := newWorld(t)
	asked := map[access.Operation]int{}
	c := w.config
	c.Accounts = noRights{c.Accounts, asked}
	handler, err := api.New(c)
	if err != nil {
		t.Fatal(err)
	}
	send := func(o documented, authorization string) *httptest.ResponseRecorder {
		path := o.path
		for _, p := range []string{"device", "stack", "key", "token", "profile", "user", "team", "grant", "destination", "edgegroup", "registry", "variable", "job"} {
			path = strings.ReplaceAll(path, "{"+p+"}", "x")
		}
		path = strings.ReplaceAll(strings.ReplaceAll(path, "{release}", "v1"), "{update}", "x")
		path = strings.ReplaceAll(strings.NewReplacer("{version}", "1", "{other}", "1", "{rollout}", "1", "{run}", "1", "{path...}", "_ping").Replace(path), "{command}", "abc")
		if o.OperationID == "remove-group" {
			path += "?path=x"
		}
		body := bodies[o.OperationID]
		r := httptest.NewRequest(o.method, path, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		if authorization != "" {
			r.Header.Set("Authorization", authorization)
		}
		rec := httptest.NewRecorder()
		handler.ServeHTTP(rec, r)
		return rec
	}
	used := map[string]bool{}
	for _, o := range operations(t, w) {
		if o.Summary == "" || o.Responses["default"].Content["application/problem+json"] == nil {
			t.Errorf("%s does not describe itself or its problems", o.OperationID)
		}
		if why := open[o.OperationID]; why != "" {
			if o.Right != "none: "+why {
				t.Errorf("%s has right %q, want none: %s", o.OperationID, o.Right, why)
			}
			continue
		}
		used[o.Right] = true
		if !slices.Contains(access.Operations(), access.Operation(o.Right)) {
			t.Errorf("%s declares the right %q, which is not one", o.OperationID, o.Right)
		}
		if rec := send(o, ""); rec.Code != http.StatusUnauthorized {
			t.Errorf("%s answers a stranger with %d %s", o.OperationID, rec.Code, rec.Body)
		}
		before := asked[access.Operation(o.Right)]
		if rec := send(o, "Bearer "+w.token); rec.Code != http.StatusForbidden || asked[access.Operation(o.Right)] != before+1 {
			t.Errorf("%s answers somebody without rights with %d %s", o.OperationID, rec.Code, rec.Body)
		}
	}
	for _, op := range access.Operations() {
		if !used[string(op)] && !slices.Contains(elsewhere, op) {
			t.Errorf("no operation of the API asks for %s", op)
		}
	}
}

// bodies are valid, so that what refuses is the right.
var bodies = map[string]string{
	"put-source":   `{"url":"https://git.example.com/x.git"}`,
	"start-update": `{"release":"v1"}`, "preview-update": `{"release":"v1"}`, "estimate-update": `{"release":"v1"}`,
	"create-user": `{"name":"x"}`, "change-user": `{"disabled":true}`, "link-user": `{}`, "put-team": `{}`, "create-grant": `{"user":"x","role":"operator"}`,
	"put-access-settings": `{"session_seconds":900,"min_password":12,"second_factor":"nobody"}`,
	"create-token":        `{"name":"x"}`, "create-key": `{"name":"x"}`, "approve": `{"approvals":[{"id":"x"}]}`, "reject": `{"ids":["x"]}`,
	"put-device-passes": onePass, "put-group-passes": onePass, "lift-device": `{"extra":1}`,
	"change-device": `{"name":"x"}`, "replace-device": `{"by":"y"}`, "apply-stack": `{"files":{}}`, "deploy-stack": `{}`, "preview-stack": `{"files":{}}`, "estimate-stack": `{"files":{}}`, "give-command": `{"kind":"snapshot"}`,
	"change-devices": `{"ids":["x"],"do":{"revoke":true}}`, "put-group": `{"path":"x"}`, "put-profile": `{"settings":{}}`, "preview-profile": `{"settings":{}}`, "put-policy": `{"group":"x"}`, "put-edge-group": `{}`, "preview-edge-group": `{}`,
	"put-group-variable": `{"value":"x"}`, "put-device-variable": `{"value":"x"}`, "create-registry": `{"address":"registry.example.com","user":"bot"}`,
	"put-registry": `{"address":"registry.example.com","user":"bot"}`, "make-backup": `{"passphrase":"correct horse battery"}`, "put-backup-plan": `{"folder":""}`,
	"put-job": oneJob, "try-job": oneJob, "run-job": `{"all":true}`, "cancel-job": `{"all":true}`, "ask-job-output": `{}`, "preview-job": `{"schedule":{"kind":"manual"}}`, "run-script": `{"script":"#!/bin/sh\n"}`,
	"put-protection": `{}`, "put-certificate": `{"certificate":"x","key":"x"}`, "put-log-settings": `{"level":"debug"}`,
	"put-audit-settings": `{"days":400,"megabytes":1024}`, "put-destination": `{"url":"tcp://127.0.0.1:1"}`,
}
