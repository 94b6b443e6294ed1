// Package registries keeps how registries of images let devices in: an address with a user and a password, for the devices
// of a group and those below it.
//
// A password is given to the planner, which seals it to devices, and to the registry itself by Check and Image; it is in no
// list, answer, error or log. The vault seals it in the store. Which device needs which is not decided here.
//
// A Book is safe for concurrent use. Asking, but for Check and Image, takes no lock and touches neither disk
// nor network.
package registries

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/farshore/farshore/protocol"
)

// Errors that callers tell apart.
var (
	ErrInvalid  = errors.New("not valid")
	ErrNotFound = errors.New("not found")
	// ErrExists: the group has a registry of this name or address already.
	ErrExists = errors.New("is there already")
	// ErrPassword: the password has to be given again.
	ErrPassword = errors.New("needs its password again")
)

// Registry is the stored record of one.
type Registry struct {
	// ID is never used again.
	ID   string `cbor:"1,keyasint"`
	Name string `cbor:"2,keyasint"`
	// Address is its host, with the port where it is not 443. That of Docker Hub is docker.io.
	Address string `cbor:"3,keyasint"`
	User    string `cbor:"4,keyasint"`
	// Sealed is the password as the vault keeps it.
	Sealed []byte `cbor:"5,keyasint"`
	// Group is its home: it is for the devices in it and below; "" is the root.
	Group string `cbor:"6,keyasint,omitempty"`
	Note  string `cbor:"7,keyasint,omitempty"`
	// CA has the certificates, in PEM, of the authority that the registry's own is from. It is public. The hub goes by it
	// in Check; engines have to be given it by who administers the machine. "": an authority that everybody knows.
	CA string `cbor:"8,keyasint,omitempty"`
	// Created and Updated in Unix seconds; By is who changed it last.
	Created int64  `cbor:"9,keyasint"`
	Updated int64  `cbor:"10,keyasint"`
	By      string `cbor:"11,keyasint,omitempty"`
}

// Store keeps registries. Each method is one transaction.
type Store interface {
	LoadRegistries() ([]Registry, error)
	PutRegistry(Registry) error
	RemoveRegistry(id string) error
}

// Vault seals passwords; *vault.Vault is one.
type Vault interface {
	Seal(purpose string, plain []byte) []byte
	Open(purpose string, sealed []byte) ([]byte, error)
}

// Config of a Book. Store and Vault are required.
type Config struct {
	Store Store
	Vault Vault
	// Changed is told of the groups of whose devices the access may have changed, after it did. Nil: nobody.
	Changed func(groups ...string)
	// Reaches says why Check and Image may not connect to an address. Nil: it may not where only the hub's own machine or link is.
	Reaches func(netip.Addr) error
	// Open are addresses of registries that Image asks for everybody although they are not in the book.
	Open []string
	Log  *slog.Logger
}

// Book knows all registries. Create it with New.
type Book struct {
	cfg   Config
	write sync.Mutex // held while a change is made
	now   atomic.Pointer[map[string]entry]
	open  map[string]bool // Config.Open in their one form; immutable
	reads reads           // guards itself
	turns turns           // guards itself
	// patience is how long reading about one image may take.
	patience time.Duration
}

type entry struct {
	Registry
	password string
	lost     bool
}

// known reports whether it is in the book.
func (e *entry) known() bool { return e.ID != "" }

// New loads what is stored. It starts nothing.
func New(cfg Config) (*Book, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Reaches == nil {
		cfg.Reaches = reaches
	}
	open := make(map[string]bool, len(cfg.Open))
	for _, text := range cfg.Open {
		address, err := ParseAddress(text)
		if err != nil {
			return nil, err
		}
		open[address] = true
	}
	saved, err := cfg.Store.LoadRegistries()
	if err != nil {
		return nil, fmt.Errorf("load registries: %w", err)
	}
	all := make(map[string]entry, len(saved))
	for _, r := range saved {
		password, err := cfg.Vault.Open(purpose(r.ID), r.Sealed)
		if err != nil {
			cfg.Log.Error("the password of a registry cannot be opened: set it again", "registry", r.Name, "error", err)
		}
		all[r.ID] = entry{Registry: r, password: string(password), lost: err != nil}
	}
	b := &Book{cfg: cfg, open: open, patience: readTimeout}
	b.now.Store(&all)
	return b, nil
}

// purpose keeps a sealed password from being taken for another's.
func purpose(id string) string { return "registry " + id }

// Listed is a registry as people see it.
type Listed struct {
	Registry
	// Lost: its password cannot be opened, because the vault's key is another. It has to be set again.
	Lost bool
}

// List gives all registries by name.
func (b *Book) List() []Listed {
	all := *b.now.Load()
	out := make([]Listed, 0, len(all))
	for _, e := range all {
		out = append(out, Listed{e.Registry, e.lost})
	}
	slices.SortFunc(out, func(x, y Listed) int {
		return strings.Compare(x.Name+"\x00"+x.ID, y.Name+"\x00"+y.ID)
	})
	return out
}

// Get gives the registry with an id.
func (b *Book) Get(id string) (Listed, bool) {
	e, ok := (*b.now.Load())[id]
	return Listed{e.Registry, e.lost}, ok
}

// For gives how the registries of these images let devices of a group in: of each registry the one whose home is nearest.
// Registries of which nothing is known let them in, or not, without.
func (b *Book) For(group string, images []string) []protocol.RegistryAuth {
	all, nearest := *b.now.Load(), map[string]entry{}
	if len(all) == 0 {
		return nil
	}
	for _, image := range images {
		address, ok := addressOf(image)
		if _, done := nearest[address]; !ok || done {
			continue
		}
		for _, e := range all {
			if e.Address != address || e.lost || !within(group, e.Group) {
				continue
			}
			if best, have := nearest[address]; !have || len(e.Group) > len(best.Group) {
				nearest[address] = e
			}
		}
	}
	var out []protocol.RegistryAuth
	for _, address := range slices.Sorted(maps.Keys(nearest)) {
		e := nearest[address]
		out = append(out, protocol.RegistryAuth{Registry: address, User: e.User, Password: e.password})
	}
	return out
}

// Change says what a registry shall be.
type Change struct {
	Name, Address, User, Group, Note, CA string
	// Password that is set. "": it stays, which it cannot where there is none yet or where it would go to another address.
	Password string
	By       string
	// Expect looks at the registry as it is, nil where there is none, and may end the change. It may be nil.
	Expect func(*Registry) error
}

// Create makes a registry. Errors wrap ErrInvalid, ErrExists, ErrPassword, or are those of Expect.
func (b *Book) Create(c Change) (Listed, error) {
	return b.put(strings.ToLower(rand.Text()[:10]), false, c)
}

// Edit changes the registry with an id. Errors wrap ErrNotFound too.
func (b *Book) Edit(id string, c Change) (Listed, error) { return b.put(id, true, c) }

func (b *Book) put(id string, there bool, c Change) (Listed, error) {
	e, before, err := b.store(id, there, c)
	if err != nil {
		return Listed{}, err
	}
	groups := []string{e.Group}
	if there && before != e.Group {
		groups = append(groups, before)
	}
	b.changed(groups...)
	return Listed{e.Registry, e.lost}, nil
}

func (b *Book) store(id string, there bool, c Change) (e entry, before string, err error) {
	b.write.Lock()
	defer b.write.Unlock()
	all := maps.Clone(*b.now.Load())
	was, ok := all[id]
	if there && !ok {
		return e, "", unknown(id)
	}
	if c.Expect != nil {
		var now *Registry
		if ok {
			now = &was.Registry
		}
		if err := c.Expect(now); err != nil {
			return e, "", err
		}
	}
	e, err = c.entry(id)
	if err != nil {
		return e, "", err
	}
	e.Created = was.Created
	if !ok {
		e.Created = e.Updated
	}
	switch {
	case c.Password != "":
		e.Sealed = b.cfg.Vault.Seal(purpose(id), []byte(c.Password))
	case !ok:
		return e, "", fmt.Errorf("registry %q: %w: give one", e.Name, ErrPassword)
	case e.Address != was.Address:
		// Else who may edit a registry, but not see its password, could have it sent to a machine of theirs.
		return e, "", fmt.Errorf("registry %q: %w: it was given for %s and would be sent to %s", e.Name, ErrPassword, was.Address, e.Address)
	default:
		e.Sealed, e.password, e.lost = was.Sealed, was.password, was.lost
	}
	for _, other := range all {
		switch {
		case other.ID == id:
		case other.Group == e.Group && other.Address == e.Address:
			return e, "", fmt.Errorf("registry %s of group /%s: %w, as %q: change that one", e.Address, e.Group, ErrExists, other.Name)
		case other.Name == e.Name:
			return e, "", fmt.Errorf("registry %q: %w: give another name", e.Name, ErrExists)
		}
	}
	if err := b.cfg.Store.PutRegistry(e.Registry); err != nil {
		return e, "", fmt.Errorf("store registry %q: %w", e.Name, err)
	}
	all[id] = e
	b.now.Store(&all)
	return e, was.Group, nil
}

// Remove removes a registry. Devices have its password no longer when they next get their orders. expect is as in Change.
func (b *Book) Remove(id string, expect func(*Registry) error) error {
	e, err := b.remove(id, expect)
	if err == nil {
		b.changed(e.Group)
	}
	return err
}

func (b *Book) remove(id string, expect func(*Registry) error) (entry, error) {
	b.write.Lock()
	defer b.write.Unlock()
	all := maps.Clone(*b.now.Load())
	e, ok := all[id]
	if !ok {
		return e, unknown(id)
	}
	if expect != nil {
		if err := expect(&e.Registry); err != nil {
			return e, err
		}
	}
	if err := b.cfg.Store.RemoveRegistry(id); err != nil {
		return e, fmt.Errorf("remove registry %q: %w", e.Name, err)
	}
	delete(all, id)
	b.now.Store(&all)
	return e, nil
}

func (b *Book) changed(groups ...string) {
	if b.cfg.Changed != nil {
		b.cfg.Changed(groups...)
	}
}

func unknown(id string) error {
	return fmt.Errorf("registry %.40q: %w: it was removed, or never added", id, ErrNotFound)
}

// entry checks what a registry shall be.
func (c Change) entry(id string) (entry, error) {
	address, err := ParseAddress(c.Address)
	if err != nil {
		return entry{}, err
	}
	name := strings.TrimSpace(c.Name)
	if name == "" {
		name = address
	}
	for what, text := range map[string]string{"name": name, "user": c.User, "note": c.Note} {
		if len(text) > maxText || protocol.Printable(text, maxText) != text {
			return entry{}, fmt.Errorf("registry %.80q: %w: its %s has to be a line of at most %d bytes", name, ErrInvalid, what, maxText)
		}
	}
	if c.User == "" {
		return entry{}, fmt.Errorf("registry %q: %w: give its user: where a token is the password, the registry says which user goes with it", name, ErrInvalid)
	}
	if len(c.Password) > maxPassword || strings.ContainsAny(c.Password, "\x00\r\n") {
		return entry{}, fmt.Errorf("registry %q: %w: the password has to be a line of at most %d bytes", name, ErrInvalid, maxPassword)
	}
	if strings.Contains(c.User, ":") {
		return entry{}, fmt.Errorf("registry %q: %w: a user has no colon in it", name, ErrInvalid)
	}
	if err := checkCA(c.CA); err != nil {
		return entry{}, fmt.Errorf("registry %q: %w", name, err)
	}
	return entry{Registry: Registry{
		ID: id, Name: name, Address: address, User: c.User, Group: c.Group, Note: c.Note, CA: c.CA, Updated: time.Now().Unix(), By: c.By,
	}, password: c.Password}, nil
}

// within reports whether the group at path is the group above or lies below it.
func within(path, above string) bool {
	return above == "" || path == above || strings.HasPrefix(path, above+"/")
}
