package e2e

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/farshore/farshore/internal/wirelab"
)

// agent is a farshore-agent with its data and its engine.
type agent struct {
	data    string
	carrier string
	engine  string
	keyFile string   // empty: no edge key is given
	more    []string // arguments
	env     []string
	in      *wirelab.Namespace
	*daemon
}

// newAgent makes an agent that was never started. Without an engine it has one that is absent.
func newAgent(t *testing.T, carrier string, e *engine) *agent {
	t.Helper()
	dir := workDir(t)
	a := &agent{data: filepath.Join(dir, "agent"), carrier: carrier, engine: "unix://" + filepath.Join(dir, "no-engine.sock")}
	if e != nil {
		a.engine = e.Host()
	}
	a.daemon = &daemon{t: t, log: newOutput(t, "agent"), command: func() command {
		return command{name: "farshore-agent", args: a.runArgs(), env: a.env, in: a.in}
	}}
	return a
}

func (a *agent) runArgs() []string {
	args := []string{"run", "--data", a.data, "--carrier", a.carrier, "--engine", a.engine}
	if a.keyFile != "" {
		args = append(args, "--edge-key-file", a.keyFile)
	}
	return append(args, a.more...)
}

// join starts the agent for the first time, with an edge key; it is given again at each start, as a service would.
func (a *agent) join(edgeKey string) {
	a.t.Helper()
	a.give(edgeKey)
	a.start()
}

func (a *agent) give(edgeKey string) {
	a.t.Helper()
	a.keyFile = filepath.Join(filepath.Dir(a.data), "edge-key")
	write(a.t, a.keyFile, edgeKey+"\n")
}

// agentStatus is `farshore-agent status -o json`.
type agentStatus struct {
	ID          string `json:"id"`
	PairingCode string `json:"pairing_code"`
	KeyPage     string `json:"key_page"`
	Approved    bool   `json:"approved"`
	Waiting     *struct {
		State  string `json:"state"`
		Reason string `json:"reason"`
	} `json:"waiting"`
	Session struct {
		Connected bool   `json:"connected"`
		Carrier   string `json:"carrier"`
		LastError string `json:"last_error"`
	} `json:"session"`
	Engine struct {
		State  string `json:"state"`
		Reason string `json:"reason"`
	} `json:"engine"`
	Stacks []struct {
		Stack   uint64 `json:"stack"`
		Version uint64 `json:"version"`
		State   string `json:"state"`
		Code    string `json:"code"`
		Detail  string `json:"detail"`
	} `json:"stacks"`
	OutboxItems int `json:"outbox_items"`
}

// status asks the running agent how it stands.
func (a *agent) status() (s agentStatus, err error) {
	cmd := exec.Command(program("farshore-agent"), "status", "--data", a.data, "-o", "json")
	cmd.Env = bareEnv()
	text, err := cmd.CombinedOutput()
	if err != nil {
		return s, fmt.Errorf("farshore-agent status: %w: %s", err, text)
	}
	return s, json.Unmarshal(text, &s)
}

// waits waits until the agent says that it stands at the waiting room in the given state, and returns its status.
func (a *agent) waits(state string) agentStatus {
	a.t.Helper()
	var s agentStatus
	until(a.t, "the agent is "+state, func() (err error) {
		if s, err = a.status(); err != nil {
			return err
		}
		if s.Waiting == nil {
			return fmt.Errorf("it is not waiting: %+v", s.Session)
		}
		if s.Waiting.State != state {
			return fmt.Errorf("it is %+v", *s.Waiting)
		}
		return nil
	})
	return s
}

// inSession waits until the agent says that it is in session with its hub.
func (a *agent) inSession() {
	a.t.Helper()
	until(a.t, "the agent is in session", func() error {
		s, err := a.status()
		if err == nil && !s.Session.Connected {
			err = fmt.Errorf("it says %+v", s.Session)
		}
		return err
	})
}

// admit waits for the device in the waiting room, compares the pairing code, and approves it by that.
func (h *hub) admit(a *agent, name string) (id string) {
	h.t.Helper()
	s := a.waits("waiting")
	until(h.t, "the device is in the waiting room with its pairing code", func() error {
		var list []struct {
			ID          string `json:"id"`
			PairingCode string `json:"pairing_code"`
		}
		if err := h.ask(&list, "waiting", "ls"); err != nil {
			return err
		}
		for _, w := range list {
			if w.ID == s.ID {
				return wanted("the pairing code", w.PairingCode, s.PairingCode)
			}
		}
		return fmt.Errorf("the waiting room has %+v", list)
	})
	h.cli("waiting", "approve", s.ID, "--code", s.PairingCode, "--name", name)
	return s.ID
}
