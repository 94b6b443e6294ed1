// Package ipc is the contract between the resident agent and the short-lived composer process: one [Request] as a
// JSON object on the composer's stdin, [Event] values as JSON lines on its stdout, and its exit code.
//
// It owns those types and their stable codes. It imports the standard library only, so that the agent never links the
// Compose library, and it never starts a process or touches an engine. Values are plain data; nothing here is shared.
package ipc

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
)

// Exit codes of the composer process.
const (
	ExitDone       = 0 // the last event is KindDone
	ExitFailed     = 1 // the last event is KindFailed
	ExitBadRequest = 2 // stdin held no valid Request; the sentence is in a KindFailed event
)

// Actions of a Request.
const (
	ActionUp       = "up"       // make the engine run the bundle; needs Dir
	ActionDown     = "down"     // remove what belongs to Project; the bundle may be gone
	ActionValidate = "validate" // load the bundle only; no engine is asked
	ActionPlan     = "plan"     // say what up would do; changes nothing
	ActionFetch    = "fetch"    // make the images of the bundle present; changes nothing else
	ActionStop     = "stop"     // stop the containers of Project; the bundle may be gone
	ActionImages   = "images"   // say which images the bundle needs; no engine is asked
)

// StackLabel is on each container that is made for a stack; one of the project without it was made by somebody else, and
// is left alone.
const StackLabel = "farshore.io/stack"

// When images are pulled, for Request.Pull. A pull_policy of a service in the bundle goes before it, except that
// PullNever always holds.
const (
	PullMissing = "missing" // pull what the engine does not have; the default
	PullAlways  = "always"  // pull every image, so that a moved tag is noticed
	PullNever   = "never"   // use what is there
	PullFetched = "fetched" // use what is there, as an ActionFetch has just made it present; goes before all others
)

// What happens to data on ActionDown, for Request.Volumes.
const (
	VolumesKeep   = "keep"   // named volumes and the stack's data folder stay; the default
	VolumesRemove = "remove" // both are removed
)

// Kinds of Event.
const (
	KindStep   = "step"   // progress
	KindDone   = "done"   // the last line of a success
	KindFailed = "failed" // the last line of a failure
)

// Codes of a KindFailed event. They are stable: the hub and its users may match on them.
const (
	CodeComposeSyntax     = "compose-syntax"      // a file of the bundle is not well-formed
	CodeComposeUnknownKey = "compose-unknown-key" // a compose file has a key that Compose does not know
	CodeComposeInvalid    = "compose-invalid"     // well-formed, but it cannot be run: no services, wrong value, dangling reference
	CodePathOutside       = "path-outside-bundle" // a file is referred to that lies outside the bundle
	CodeMissingFile       = "missing-file"        // a file that is referred to is not in the bundle
	CodeImageUnavailable  = "image-unavailable"   // an image is neither on the device nor to be had; nothing was changed
	CodePortInUse         = "port-in-use"         // something else holds a published port
	CodeNameInUse         = "name-in-use"         // a container of something else has that name
	CodeUnhealthy         = "unhealthy"           // a container did not get healthy in time
	CodeExited            = "exited"              // a container could not start, or ended
	CodeEngineUnreachable = "engine-unreachable"  // no engine answers at Host
	CodeDiskFull          = "disk-full"           // no space left on the device
	CodeCancelled         = "cancelled"           // SIGTERM, or the agent that started the composer is gone
	CodeInternal          = "internal"            // anything else; Detail is what the engine or the library said
	CodeBadRequest        = "bad-request"         // the Request itself is wrong
)

// Actions of a ServiceState.
const (
	ServiceCreated   = "created"   // was not there (plan: would be created)
	ServiceRecreated = "recreated" // its definition, content or image changed (plan: would be recreated)
	ServiceStarted   = "started"   // was there and not running (plan: would be started)
	ServiceUnchanged = "unchanged" // was there and stays as it is
	ServiceRemoved   = "removed"   // is no longer in the bundle (plan: would be removed)
)

// Request is what the composer is asked to do. It is read as one JSON object from stdin.
type Request struct {
	// Action is one of the Action constants.
	Action string `json:"action"`
	// Project is the compose project name: lower-case letters, digits, '-' and '_', starting with a letter or digit.
	Project string `json:"project"`
	// Dir is the absolute folder that holds the files of one version of the bundle, and nothing else. ActionDown does
	// not need it.
	Dir string `json:"dir,omitempty"`
	// Root is the absolute folder of the stack that stays the same from version to version: below it the composer
	// keeps what containers mount (see package staging) and its lock. Empty means the parent of Dir.
	Root string `json:"root,omitempty"`
	// Files are the compose files, relative to Dir, later ones overriding earlier ones. Empty means the first that
	// exists of compose.yml, compose.yaml, docker-compose.yml, docker-compose.yaml.
	Files []string `json:"files,omitempty"`
	// Env holds the variables for interpolation. They go before those of a .env file in the bundle. The environment
	// of the composer process is not used.
	Env map[string]string `json:"env,omitempty"`
	// Secrets are variables for interpolation that go before Env. Their values are in no event.
	Secrets map[string]string `json:"secrets,omitempty"`
	// Registries is how registries let somebody in. For others the configuration of Docker's own tools counts.
	Registries []Auth `json:"registries,omitempty"`
	// Pull is one of the Pull constants; empty means PullMissing.
	Pull string `json:"pull,omitempty"`
	// Labels are put on each container that is created. They never cause a container to be recreated, so a container
	// that did not change keeps the labels it was created with.
	Labels map[string]string `json:"labels,omitempty"`
	// Host is the engine's address, for instance unix:///var/run/docker.sock; empty means the default socket.
	Host string `json:"host,omitempty"`
	// Volumes is one of the Volumes constants, for ActionDown; empty means VolumesKeep.
	Volumes string `json:"volumes,omitempty"`
	// Start names containers that ActionUp starts also where they have ended with 0 and nothing restarts them: they were
	// stopped, and have not done their work.
	Start []string `json:"start,omitempty"`
	// WaitSeconds is how long ActionUp waits for all containers to run, and to be healthy where they have a health
	// check. 0 means not to wait beyond what depends_on asks for.
	WaitSeconds int `json:"wait_seconds,omitempty"`
}

// Auth is how one registry lets somebody in.
type Auth struct {
	// Registry is its host, with the port where it is not 443.
	Registry string `json:"registry"`
	User     string `json:"user,omitempty"`
	Password string `json:"password,omitempty"`
}

// StackRoot is Root, or what stands for it when it is empty. It is empty when neither Root nor Dir is set.
func (r Request) StackRoot() string {
	if r.Root != "" || r.Dir == "" {
		return r.Root
	}
	return filepath.Dir(r.Dir)
}

// Event is one line of the composer's stdout.
type Event struct {
	// Kind is one of the Kind constants.
	Kind string `json:"kind"`
	// Service is the compose service that the event is about; empty when it is about the whole stack.
	Service string `json:"service,omitempty"`
	// Container is the name of the container that the event is about; empty when it is about none.
	Container string `json:"container,omitempty"`
	// Text is a few words for a person: what is being done, or what was done.
	Text string `json:"text,omitempty"`
	// Code is one of the Code constants, on KindFailed.
	Code string `json:"code,omitempty"`
	// Detail is one sentence that names the thing and the remedy, on KindFailed.
	Detail string `json:"detail,omitempty"`
	// Log is the end of the failing container's log (at most MaxLog bytes), with CodeUnhealthy and CodeExited. It is
	// the container's own output and may hold anything.
	Log string `json:"log,omitempty"`
	// Unchanged: nothing was changed on the engine, on KindFailed.
	Unchanged bool `json:"unchanged,omitempty"`
	// Away: what failed is a registry that did not answer, which may pass by itself, on KindFailed.
	Away bool `json:"away,omitempty"`
	// Waits: all changes are made, what follows is waiting for the containers, on KindStep.
	Waits bool `json:"waits,omitempty"`
	// Done of Total bytes of the images that are fetched are on the device, on KindStep. Total grows as the engine
	// gets to know of more. Both are 0 where nothing is known.
	Done  int64 `json:"done,omitempty"`
	Total int64 `json:"total,omitempty"`
	// Images are those that the bundle needs, each once, on KindDone of ActionImages.
	Images []Image `json:"images,omitempty"`
	// Warnings are sentences about things that work but are probably not meant, on KindDone.
	Warnings []string `json:"warnings,omitempty"`
	// Services is the state of each container (or planned change of each service), on KindDone, and on KindFailed
	// where the engine could be asked. Sorted by service, then container.
	Services []ServiceState `json:"services,omitempty"`
}

// MaxLog bounds Event.Log, in bytes.
const MaxLog = 2048

// ServiceState is the state of one container of a service, or of a service that has none.
type ServiceState struct {
	// Service is the compose service's name.
	Service string `json:"service"`
	// Container is the container's name; empty when there is none.
	Container string `json:"container,omitempty"`
	// ID is the container's full id; empty when there is none.
	ID string `json:"id,omitempty"`
	// Image is the image reference of the definition.
	Image string `json:"image,omitempty"`
	// State is the engine's word: created, running, restarting, exited, …; empty when there is no container.
	State string `json:"state,omitempty"`
	// Health is starting, healthy or unhealthy; empty when the container has no health check.
	Health string `json:"health,omitempty"`
	// ExitCode is the exit code of a container that ended.
	ExitCode int `json:"exit_code,omitempty"`
	// Action is one of the Service constants: what up did, or what plan says that it would do.
	Action string `json:"action,omitempty"`
	// Reason says in a few words why, where Action is not ServiceUnchanged.
	Reason string `json:"reason,omitempty"`
}

// ErrNoResult is returned by ReadEvents when the composer's output ends without a KindDone or KindFailed event: the
// process was killed.
var ErrNoResult = errors.New("the composer ended without a result")

// maxLine bounds one line of output, so that a broken composer cannot fill the agent's memory.
const maxLine = 1 << 20

// ReadEvents reads the composer's stdout to its end, hands each progress event to step (which may be nil) and returns
// the final event. Lines that are not events are skipped.
func ReadEvents(r io.Reader, step func(Event)) (Event, error) {
	var final Event
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 4096), maxLine)
	for lines.Scan() {
		var e Event
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			continue
		}
		switch e.Kind {
		case KindDone, KindFailed:
			final = e
		case KindStep:
			if step != nil {
				step(e)
			}
		}
	}
	if err := lines.Err(); err != nil {
		return final, fmt.Errorf("read the composer's output: %w", err)
	}
	if final.Kind == "" {
		return final, ErrNoResult
	}
	return final, nil
}
