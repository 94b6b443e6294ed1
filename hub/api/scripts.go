package api

import (
	"context"
	"encoding/hex"
	"fmt"
	"net/http"
	"time"

	"github.com/farshore/farshore/hub/access"
	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/jobs/dispatch"
	"github.com/farshore/farshore/protocol"
)

type runScriptInput struct {
	DeviceRef
	Body resource.RunScript
}

func (s *server) scriptRoutes() {
	add(s, route[runScriptInput, reply[resource.ScriptRun]]{
		Method: http.MethodPost, Path: "/devices/{device}/script", ID: "run-script", Tag: "Jobs", Status: http.StatusCreated,
		Summary: "Run a script once on a device, and keep what it writes",
		Description: "A job is made of it, which goes by itself: its run and output are kept for 7 days. On the host it also needs the right jobs.host. " +
			"The audit trail has the script's size and hash, never its text.",
		Does: access.ScriptsRun, On: func(c *call, in *runScriptInput) (access.Resource, error) { return s.onDevice(c, &in.DeviceRef) },
		Run: s.runScript,
	})
}

func (s *server) runScript(_ context.Context, c *call, in *runScriptInput) (*reply[resource.ScriptRun], error) {
	b := &in.Body
	if err := s.mayHost(c, c.on, b.Container); err != nil {
		return nil, err
	}
	wait := time.Duration(b.WaitSeconds) * time.Second
	if wait == 0 {
		wait = dispatch.DefaultWait
	}
	x, err := containerIn(b.Container)
	if err != nil {
		return nil, err
	}
	spec := dispatch.OneShotSpec{
		Device: protocol.DeviceID(c.on.ID), Env: b.Env, Secret: b.Secret, By: c.by(), Wait: wait, Exempt: s.exempt(c, c.on.Group),
		Job: protocol.Job{Container: x, Args: b.Args, Dir: b.Dir, User: b.User, Timeout: b.TimeoutSeconds},
	}
	if b.Script != "" {
		spec.Script = []byte(b.Script)
	}
	hash := protocol.HashOf(spec.Script)
	c.detail = fmt.Sprintf("script of %d bytes, SHA-256 %s", len(b.Script), hex.EncodeToString(hash[:]))
	until := time.Now().Add(wait)
	rec, err := s.Jobs.OneShot(spec)
	if err != nil {
		return nil, jobFault(err)
	}
	c.detail += ", as job " + rec.Name
	return replyWith(resource.ScriptRun{Job: rec.Name, Device: spec.Device, Expires: until.UTC().Truncate(time.Second)}), nil
}
