// Package variables keeps the variables that groups and devices give to Compose interpolation: those of the device before
// those of its group, and these before those of the groups above.
//
// A secret one is given to the planner and to nobody else: it is in no list, answer, error or log. All values are sealed
// by the vault in the store. Which of them a stack uses, and on which devices, is not decided here.
//
// A Book is safe for concurrent use. Asking takes no lock and touches no disk.
package variables

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks"
)

// Errors that callers tell apart.
var (
	ErrInvalid = errors.New("variable cannot be set")
	// ErrNotFound: there is no such variable, group or device.
	ErrNotFound = errors.New("not found")
)

// Scope is where a variable is set: on a device, or on a group for all devices in it and below.
type Scope struct {
	// Group is a path; "" is the root.
	Group string `cbor:"1,keyasint,omitempty"`
	// Device, where it is set on one. Group is "" then.
	Device protocol.DeviceID `cbor:"2,keyasint,omitempty"`
}

// String names the scope for people.
func (s Scope) String() string {
	if s.Device != "" {
		return "device " + string(s.Device)
	}
	return "group /" + s.Group
}

// Variable is the stored record of one.
type Variable struct {
	Name string `cbor:"1,keyasint"`
	// Sealed is its value as the vault keeps it.
	Sealed []byte `cbor:"2,keyasint"`
	// Secret: its value is given out to devices alone.
	Secret bool `cbor:"3,keyasint,omitempty"`
	// Updated in Unix seconds, by whom.
	Updated int64  `cbor:"4,keyasint"`
	By      string `cbor:"5,keyasint,omitempty"`
}

// Saved are the variables of one scope, sorted by name.
type Saved struct {
	Scope     Scope      `cbor:"1,keyasint"`
	Variables []Variable `cbor:"2,keyasint"`
}

// Store keeps variables. Each method is one transaction.
type Store interface {
	LoadVariables() ([]Saved, error)
	// PutVariables stores what each scope has. One that has none goes.
	PutVariables([]Saved) error
}

// Vault seals values; *vault.Vault is one.
type Vault interface {
	Seal(purpose string, plain []byte) []byte
	Open(purpose string, sealed []byte) ([]byte, error)
}

// Config of a Book. Store, Vault and There are required.
type Config struct {
	Store Store
	Vault Vault
	// There reports whether the group or device is there. It must not call the Book.
	There func(Scope) bool
	// Allows says why a variable may not be set in a scope. It must not call the Book. Nil: each may.
	Allows func(s Scope, name string) error
	// Changed is told of each scope whose variables changed, after they did, on the goroutine of who changed them. Nil: nobody.
	Changed func(Scope)
	Log     *slog.Logger
}

// Value is a variable as a device gets it. Its text may be secret: never log it.
type Value struct {
	Text   string
	Secret bool
	// Scope that it comes from.
	From Scope
	// Lost: its sealed value cannot be opened, because the vault's key is another. It has no text, and has to be set again.
	Lost bool
}

// Listed is a variable as people see it.
type Listed struct {
	Variable
	// Text is its value. "": it is secret, or Lost.
	Text string
	// Lost is as in Value.
	Lost bool
	// From is the scope that it comes from.
	From Scope
}

// Book knows all variables. Create it with New.
type Book struct {
	cfg   Config
	write sync.Mutex // held while a change is made
	now   atomic.Pointer[state]
}

// state never changes: a change makes a new one.
type state struct {
	own map[Scope][]entry
	// groups has, for each group that sets something, all that holds there.
	groups map[string]map[string]Value
}

type entry struct {
	Variable
	text string
	lost bool
}

// New loads what is stored. It starts nothing.
func New(cfg Config) (*Book, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	saved, err := cfg.Store.LoadVariables()
	if err != nil {
		return nil, fmt.Errorf("load variables: %w", err)
	}
	b := &Book{cfg: cfg}
	own := map[Scope][]entry{}
	for _, s := range saved {
		for _, v := range s.Variables {
			e := entry{Variable: v}
			text, err := cfg.Vault.Open(purpose(s.Scope, v.Name), v.Sealed)
			if e.text, e.lost = string(text), err != nil; err != nil {
				cfg.Log.Error("the value of a variable cannot be opened: set it again", "scope", s.Scope, "variable", v.Name, "error", err)
			}
			own[s.Scope] = append(own[s.Scope], e)
		}
	}
	b.hold(own)
	return b, nil
}

// purpose keeps a sealed value from being taken for that of another variable.
func purpose(s Scope, name string) string { return "variable " + name + " of " + s.String() }

// hold makes own the state, with what follows for groups.
func (b *Book) hold(own map[Scope][]entry) {
	s := &state{own: own, groups: map[string]map[string]Value{}}
	for scope := range own {
		if scope.Device != "" {
			continue
		}
		all := map[string]Value{}
		for _, g := range chain(scope.Group) {
			s.into(all, Scope{Group: g})
		}
		s.groups[scope.Group] = all
	}
	b.now.Store(s)
}

func (s *state) into(all map[string]Value, scope Scope) {
	for _, e := range s.own[scope] {
		all[e.Name] = Value{Text: e.text, Secret: e.Secret, From: scope, Lost: e.lost}
	}
}

// Of gives the variables of a device in a group, a path, by name. The map is shared: it must not be changed.
func (b *Book) Of(device protocol.DeviceID, group string) map[string]Value {
	s := b.now.Load()
	var above map[string]Value
	chained := chain(group)
	for i := len(chained) - 1; i >= 0 && above == nil; i-- {
		above = s.groups[chained[i]]
	}
	scope := Scope{Device: device}
	if len(s.own[scope]) == 0 {
		return above
	}
	all := make(map[string]Value, len(above)+len(s.own[scope]))
	maps.Copy(all, above)
	s.into(all, scope)
	return all
}

// List gives what is set in a scope itself, by name, without the values of secret ones.
func (b *Book) List(scope Scope) []Listed {
	own := b.now.Load().own[scope]
	out := make([]Listed, len(own))
	for i, e := range own {
		out[i] = e.listed(scope)
	}
	return out
}

// Holding gives what holds on a device in a group by name, without the values of secret ones. With "" for the device
// it gives what holds in the group.
func (b *Book) Holding(device protocol.DeviceID, group string) []Listed {
	s, all := b.now.Load(), map[string]Listed{}
	scopes := []Scope{}
	for _, g := range chain(group) {
		scopes = append(scopes, Scope{Group: g})
	}
	if device != "" {
		scopes = append(scopes, Scope{Device: device})
	}
	for _, scope := range scopes {
		for _, e := range s.own[scope] {
			all[e.Name] = e.listed(scope)
		}
	}
	out := make([]Listed, 0, len(all))
	for _, name := range slices.Sorted(maps.Keys(all)) {
		out = append(out, all[name])
	}
	return out
}

func (e entry) listed(from Scope) Listed {
	out := Listed{Variable: e.Variable, Text: e.text, Lost: e.lost, From: from}
	if e.Secret {
		out.Text = ""
	}
	return out
}

// Change sets one variable.
type Change struct {
	Name string
	// Text is its value, and Secret whether it is one that nobody is shown.
	Text   string
	Secret bool
	By     string
	// Expect looks at the variable as it is, nil where it is not set, and may end the change. It may be nil.
	Expect func(*Variable) error
}

// Set sets a variable. Errors wrap ErrInvalid, ErrNotFound where there is no such group or device, or are those of
// Expect or Config.Allows. No error holds a value.
func (b *Book) Set(scope Scope, c Change) error {
	return b.edit(scope, c.Expect, c.Name, func(own []entry, at int, there bool) ([]entry, error) {
		e := entry{Variable: Variable{
			Name: c.Name, Sealed: b.cfg.Vault.Seal(purpose(scope, c.Name), []byte(c.Text)), Secret: c.Secret,
			Updated: time.Now().Unix(), By: c.By,
		}, text: c.Text}
		if there {
			own[at] = e
		} else {
			own = slices.Insert(own, at, e)
		}
		env := map[string]string{}
		for _, x := range own {
			env[x.Name] = x.text
		}
		if err := stacks.CheckEnv(env); err != nil {
			return nil, fmt.Errorf("%s: %w: %s", scope, ErrInvalid, strings.TrimPrefix(err.Error(), stacks.ErrInvalid.Error()+": "))
		}
		if b.cfg.Allows == nil {
			return own, nil
		}
		return own, b.cfg.Allows(scope, c.Name)
	})
}

// Unset removes a variable. expect is as in Change. Errors wrap ErrNotFound where it is not set, or are those of expect.
func (b *Book) Unset(scope Scope, name string, expect func(*Variable) error) error {
	return b.edit(scope, expect, name, func(own []entry, at int, there bool) ([]entry, error) {
		if !there {
			return nil, fmt.Errorf("variable %.80q of %s: %w", name, scope, ErrNotFound)
		}
		return slices.Delete(own, at, at+1), nil
	})
}

// edit changes a copy of what a scope has, and stores it.
func (b *Book) edit(scope Scope, expect func(*Variable) error, name string, change func(own []entry, at int, there bool) ([]entry, error)) error {
	err := b.locked(func(own map[Scope][]entry) ([]Scope, error) {
		if !b.cfg.There(scope) {
			return nil, fmt.Errorf("%s: %w", scope, ErrNotFound)
		}
		mine := slices.Clone(own[scope])
		at, there := slices.BinarySearchFunc(mine, name, func(e entry, name string) int { return strings.Compare(e.Name, name) })
		if expect != nil {
			var now *Variable
			if there {
				now = &mine[at].Variable
			}
			if err := expect(now); err != nil {
				return nil, err
			}
		}
		mine, err := change(mine, at, there)
		own[scope] = mine
		return []Scope{scope}, err
	})
	if err == nil {
		b.changed(scope)
	}
	return err
}

// locked stores what change makes of a copy of the state, in the scopes that it names.
func (b *Book) locked(change func(own map[Scope][]entry) ([]Scope, error)) error {
	b.write.Lock()
	defer b.write.Unlock()
	own := maps.Clone(b.now.Load().own)
	scopes, err := change(own)
	if err != nil || len(scopes) == 0 {
		return err
	}
	saved := make([]Saved, 0, len(scopes))
	for _, scope := range scopes {
		s := Saved{Scope: scope}
		for _, e := range own[scope] {
			s.Variables = append(s.Variables, e.Variable)
		}
		if len(s.Variables) == 0 {
			delete(own, scope)
		}
		saved = append(saved, s)
	}
	if err := b.cfg.Store.PutVariables(saved); err != nil {
		return fmt.Errorf("store variables: %w", err)
	}
	b.hold(own)
	return nil
}

func (b *Book) changed(scope Scope) {
	if b.cfg.Changed != nil {
		b.cfg.Changed(scope)
	}
}

// chain gives the groups from the root down to group.
func chain(group string) []string {
	out := []string{""}
	if group == "" {
		return out
	}
	for i, c := range group {
		if c == '/' {
			out = append(out, group[:i])
		}
	}
	return append(out, group)
}
