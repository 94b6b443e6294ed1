// Package gitsource keeps stacks as a folder of a Git repository says: it looks there now and then, or when a webhook
// asks for it, and makes a version of a stack of each commit that changes the folder.
//
// It owns the sources (repository, branch, folder, sign-in) and how each look went. It never writes to a repository,
// runs no program, keeps no clone, and makes no version itself: it hands a bundle to Stacks. What is wrong with a
// repository or a commit is told, and what runs stays. Everything a repository sends is hostile: bytes, objects and time
// are bounded before memory is taken, and a webhook is never believed, it only makes the hub look.
//
// A Desk is safe for concurrent use. Run has one goroutine for each look, at most lookAtOnce, and waits for all of them.
package gitsource

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks"
)

// Errors that callers tell apart.
var (
	ErrInvalid  = errors.New("source cannot be accepted")
	ErrNotFound = errors.New("it does not come from Git")
	// ErrFromGit: what is asked for would be undone by the next commit.
	ErrFromGit = errors.New("comes from Git")
	// ErrRefused is wrapped by Stacks where a bundle is sound, and cannot be taken as things are now.
	ErrRefused = errors.New("the stack cannot be changed so")
)

// Bounds.
const (
	// MaxSources is the most sources there can be.
	MaxSources = 1000
	// DefaultInterval and MinInterval are between two looks.
	DefaultInterval = 5 * time.Minute
	MinInterval     = time.Minute
	MaxInterval     = 7 * 24 * time.Hour
	lookAtOnce      = 2
)

// SignIn is how the hub signs in at a repository.
type SignIn string

// The ways to sign in.
const (
	SignInNone     SignIn = "none"
	SignInPassword SignIn = "password" // with a user and a password or token, over HTTPS
	SignInKey      SignIn = "key"      // with an SSH key
)

// Redeploy says when devices apply a stack again although its content is the same.
type Redeploy string

// When devices apply again.
const (
	RedeployNever   Redeploy = ""
	RedeployCommits Redeploy = "commits" // with each new commit
	RedeployLooks   Redeploy = "looks"   // with each look
)

// Source is where a stack comes from. It is the stored record, with how it went.
type Source struct {
	Stack string `cbor:"1,keyasint"`
	// URL is https://, http:// or ssh:// or user@host:path, and has no password in it.
	URL string `cbor:"2,keyasint"`
	// Ref is a branch, a tag, or a whole name such as refs/heads/main. "": what the repository's HEAD names.
	Ref string `cbor:"3,keyasint,omitempty"`
	// Path of a folder or of a compose file in the repository. "": all of it.
	Path   string `cbor:"4,keyasint,omitempty"`
	SignIn SignIn `cbor:"5,keyasint"`
	User   string `cbor:"6,keyasint,omitempty"`
	// HostKeys are the SHA-256 fingerprints of the SSH server's keys, SHA256:….
	HostKeys []string `cbor:"7,keyasint,omitempty"`
	// CA are authorities as PEM, beside the system's.
	CA string `cbor:"8,keyasint,omitempty"`
	// Interval between two looks, in seconds. 0: it looks when it is asked to.
	Interval int64    `cbor:"9,keyasint,omitempty"`
	Redeploy Redeploy `cbor:"10,keyasint,omitempty"`
	// Hook is the unguessable part of the webhook's address. "": there is none.
	Hook string `cbor:"11,keyasint,omitempty"`
	// Sealed are the Secrets as the vault keeps them. Has says of which there are some.
	Sealed []byte `cbor:"12,keyasint,omitempty"`
	Has    Has    `cbor:"13,keyasint"`
	// Pull is when images are asked of a registry.
	Pull protocol.PullPolicy `cbor:"14,keyasint,omitempty"`
	// Target is what the next good commit changes of the stack besides its content. Nil: nothing.
	Target *Target `cbor:"15,keyasint,omitempty"`
	// Rev grows when the source is changed: what was found before is then found out again.
	Rev     uint64 `cbor:"16,keyasint"`
	Created int64  `cbor:"17,keyasint"` // Unix seconds, as Changed
	Changed int64  `cbor:"18,keyasint"`
	// By changed it last.
	By       string   `cbor:"19,keyasint,omitempty"`
	Progress Progress `cbor:"20,keyasint"`
}

// Has says which secrets a source has.
type Has struct {
	Password   bool     `cbor:"1,keyasint,omitempty"`
	Key        bool     `cbor:"2,keyasint,omitempty"`
	HookSecret bool     `cbor:"3,keyasint,omitempty"`
	Env        []string `cbor:"4,keyasint,omitempty"` // names of the variables
	// OwnEnv: the source says the variables, and not the latest version.
	OwnEnv bool `cbor:"5,keyasint,omitempty"`
}

// Secrets of a source.
type Secrets struct {
	Password   string            `cbor:"1,keyasint,omitempty"`
	Key        string            `cbor:"2,keyasint,omitempty"`
	Passphrase string            `cbor:"3,keyasint,omitempty"`
	HookSecret string            `cbor:"4,keyasint,omitempty"`
	Env        map[string]string `cbor:"5,keyasint,omitempty"`
}

// Target is what a stack shall be besides its content. Nil: as it is, and for a stack that is new all devices, the
// root, administrators', and no.
type Target struct {
	Selector      *string         `cbor:"1,keyasint,omitempty"`
	Group         *string         `cbor:"2,keyasint,omitempty"`
	Owner         *protocol.Owner `cbor:"3,keyasint,omitempty"`
	RemoveVolumes *bool           `cbor:"4,keyasint,omitempty"`
}

// Progress is how looks at a source went.
type Progress struct {
	// Rev of the source that Commit, Content and Bad are about.
	Rev uint64 `cbor:"1,keyasint,omitempty"`
	// Commit that was good last, with its author and the first line of its message, and Content what the path had there.
	Commit  string `cbor:"2,keyasint,omitempty"`
	Author  string `cbor:"3,keyasint,omitempty"`
	Subject string `cbor:"4,keyasint,omitempty"`
	Content string `cbor:"5,keyasint,omitempty"`
	// Version that was made last, and when, Unix seconds. 0: none yet.
	Version uint64 `cbor:"6,keyasint,omitempty"`
	Applied int64  `cbor:"7,keyasint,omitempty"`
	// Bad is a commit that is not tried again.
	Bad string `cbor:"8,keyasint,omitempty"`
	// Code and Problem say why it does not work now, since Since. "": it works.
	Code    string `cbor:"9,keyasint,omitempty"`
	Problem string `cbor:"10,keyasint,omitempty"`
	Since   int64  `cbor:"11,keyasint,omitempty"`
}

// Store keeps sources by the name of their stack. Each method is one transaction.
type Store interface {
	LoadSources() ([]Source, error)
	PutSource(Source) error
	RemoveSource(stack string) error
}

// Vault seals secrets; *vault.Vault is one.
type Vault interface {
	Seal(purpose string, plain []byte) []byte
	Open(purpose string, sealed []byte) ([]byte, error)
}

// Stacks are what bundles are handed to. Errors of what is wrong with a bundle wrap stacks.ErrInvalid.
type Stacks interface {
	// Apply makes a version of a stack, and the stack where there is none, and returns the version's number.
	Apply(Bundle) (uint64, error)
	// Redeploy makes all devices apply the stack again.
	Redeploy(stack, by string) error
	// Named gives a stack; false: there is none.
	Named(name string) (stacks.Stack, bool)
}

// Bundle is what a commit says of a stack.
type Bundle struct {
	Stack string
	Files map[string][]byte
	// Env are the variables; nil: those of the latest version.
	Env    map[string]string
	Pull   protocol.PullPolicy
	Target Target
	// Author, Message and Source say whose commit it is, what it says, and which it is: "git abc… refs/heads/main".
	Author, Message, Source string
	// Expect looks at the stack as it is, nil where there is none; what it returns ends Apply before anything is changed.
	Expect func(*stacks.Stack) error
}

// Notice tells of a source that fails, or works again.
type Notice struct {
	Kind, Text string
	Source     Source
}

// Kinds of notices.
const (
	KindFailing = "stack.source-failing"
	KindWorks   = "stack.source-works"
)

// Config of a Desk. All is required but what says otherwise.
type Config struct {
	Store  Store
	Vault  Vault
	Stacks Stacks
	// Notice is told what changes. Nil: nobody is.
	Notice func(Notice)
	// Log. Nil: nothing is logged.
	Log *slog.Logger
	// AllowLocal lets repositories be on the hub's own machine, and at link-local addresses.
	AllowLocal bool
	// Limits of a look. The zero value: the defaults.
	Limits Limits
}

// Limits of one look. Zero: what the comments say.
type Limits struct {
	// Time that all of it may take. 0: 5 minutes.
	Time time.Duration
	// Bytes that may come, and that they may be unpacked, each. 0: 64 MiB.
	Bytes int64
	// Retry is the pause after the first failure; it doubles with each. 0: a minute, or the interval where that is less.
	Retry time.Duration
}

func (l Limits) withDefaults() Limits {
	if l.Time == 0 {
		l.Time = 5 * time.Minute
	}
	if l.Bytes == 0 {
		l.Bytes = 64 << 20
	}
	if l.Retry == 0 {
		l.Retry = time.Minute
	}
	return l
}

// State is a source with how it stands.
type State struct {
	Source
	// Looked is when the last look ended, and Next when the next is due. Zero: none since the hub was started, and none.
	Looked, Next time.Time
	// Looking: one is under way.
	Looking bool
}

// Desk knows the sources. Create it with New.
type Desk struct {
	cfg   Config
	wake  chan struct{}
	looks sync.WaitGroup

	mu      sync.Mutex
	sources map[string]*entry // by stack; guarded by mu
	hooks   map[string]*entry // by Source.Hook; guarded by mu
	looking int               // guarded by mu
}

// entry is one source at work. Its fields are guarded by Desk.mu.
type entry struct {
	src      Source
	failures int
	looked   time.Time
	due      time.Time // zero: never
	looking  bool
	stop     context.CancelFunc
	waiting  []chan<- Outcome // wait for the next look that begins
	removed  bool
	bucket   bucket
}

// New loads the sources. Nothing is looked at before Run.
func New(c Config) (*Desk, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Notice == nil {
		c.Notice = func(Notice) {}
	}
	c.Limits = c.Limits.withDefaults()
	saved, err := c.Store.LoadSources()
	if err != nil {
		return nil, fmt.Errorf("load where stacks come from: %w", err)
	}
	d := &Desk{cfg: c, wake: make(chan struct{}, 1), sources: map[string]*entry{}, hooks: map[string]*entry{}}
	for _, s := range saved {
		e := &entry{src: s}
		// Not all at once: the hub has other things to do when it starts.
		if s.Interval > 0 || s.Progress.Problem != "" {
			e.due = time.Now().Add(jitter(15*time.Second, 1))
		}
		d.sources[s.Stack] = e
		if s.Hook != "" {
			d.hooks[s.Hook] = e
		}
	}
	return d, nil
}

// Get returns the source of a stack; false: it has none.
func (d *Desk) Get(stack string) (State, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	e := d.sources[stack]
	if e == nil {
		return State{}, false
	}
	return e.state(), true
}

// List returns all sources by the names of their stacks.
func (d *Desk) List() []State {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := make([]State, 0, len(d.sources))
	for _, name := range slices.Sorted(maps.Keys(d.sources)) {
		out = append(out, d.sources[name].state())
	}
	return out
}

func (e *entry) state() State {
	return State{Source: e.src, Looked: e.looked, Next: e.due, Looking: e.looking}
}

func notFound(stack string) error { return fmt.Errorf("stack %q: %w", stack, ErrNotFound) }

// Home is the group and owner that a stack will have of which there is nothing yet but its source.
func (s *Source) Home() stacks.Stack {
	out := stacks.Stack{Name: s.Stack}
	if t := s.Target; t != nil {
		if t.Group != nil {
			out.Group = *t.Group
		}
		if t.Owner != nil {
			out.Owner = *t.Owner
		}
	}
	return out
}
