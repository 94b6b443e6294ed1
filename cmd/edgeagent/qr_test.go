package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/farshore/farshore/edgeagent"
	"github.com/farshore/farshore/waitingroom"
	"github.com/farshore/farshore/waitingroom/knock"
)

func TestEachLetterOfACodeLooksDifferent(t *testing.T) {
	seen := map[string]rune{}
	for _, r := range alphabet {
		drawn := large(string(r))
		if other, twice := seen[drawn]; twice || strings.Count(drawn, "\n") != letterHeight || strings.TrimSpace(drawn) == "" {
			t.Errorf("%c is drawn as\n%s\n(%c)", r, drawn, other)
		}
		seen[drawn] = r
	}
	for _, r := range "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ" {
		code, err := waitingroom.NormalizeCode("0000000" + string(r))
		if err == nil && !strings.ContainsRune(alphabet, rune(code[len(code)-1])) {
			t.Errorf("there is no large %c, which %s has", code[len(code)-1], code)
		}
	}
	if got := large("1-?"); !strings.HasPrefix(got, "  █\n ██\n  █     ███\n") {
		t.Errorf("1-? is drawn as\n%s", got)
	}
}

func TestQRTellsWhatToDo(t *testing.T) {
	const url = "https://hub.example/waiting?code=7ZK4-M0QD"
	for name, c := range map[string]struct {
		status edgeagent.Status
		says   []string
		code   bool
	}{
		"waits":    {edgeagent.Status{ApproveURL: url, Waiting: &knock.Status{State: knock.StateWaiting}}, []string{url, "approve the device"}, true},
		"refused":  {edgeagent.Status{ApproveURL: url, Waiting: &knock.Status{State: knock.StateRefused, Reason: "no uses left"}}, []string{"refused: no uses left"}, true},
		"approved": {edgeagent.Status{ApproveURL: url, Approved: true}, []string{"is approved"}, true},
		"no key":   {edgeagent.Status{NoEdgeKey: true, KeyPage: "http://127.0.0.1:9009"}, []string{"no edge key", "http://127.0.0.1:9009", "--edge-key-file"}, false},
		"closed":   {edgeagent.Status{NoEdgeKey: true}, []string{"no edge key", "restart the agent"}, false},
	} {
		c.status.PairingCode = "7ZK4-M0QD"
		var out bytes.Buffer
		if err := printQR(&out, c.status); err != nil {
			t.Fatal(err)
		}
		for _, part := range append(c.says, "7ZK4-M0QD") {
			if !strings.Contains(out.String(), part) {
				t.Errorf("%s: it does not say %q:\n%s", name, part, out.String())
			}
		}
		if strings.Contains(out.String(), "▄▄▄▄▄ █") != c.code || strings.Contains(out.String(), "\x1b") {
			t.Errorf("%s: a QR code is wanted: %v; and no colours where nobody looks:\n%s", name, c.code, out.String())
		}
	}
}
