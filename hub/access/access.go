// Package access knows who may do what on the hub: accounts with passwords, their sessions and API tokens, teams, the
// roles that they are granted on groups and devices, and the one-time link by which the first administrator comes in.
// The table in roles.go says which role may do what, and Authorize is the one place where a right is granted.
//
// It never keeps a secret as it is (passwords as argon2id, all others as SHA-256) and knows no HTTP; routes hand it
// the secret they were given and ask Authorize.
//
// An Access is safe for concurrent use. Accounts, tokens and sessions are in memory; changes are durable before they
// hold.
package access

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// SessionLife is how long a session lasts after sign-in, used or not.
const SessionLife = 8 * time.Hour

// LinkLife is how long a one-time link for an administrator is good.
const LinkLife = 5 * time.Minute

// maxSessions is the most live sessions of one account; a new one ends the oldest.
const maxSessions = 100

// Errors that callers tell apart.
var (
	// ErrUnauthenticated says that nobody is signed in: the secret is missing, unknown, expired or wrong.
	ErrUnauthenticated = errors.New("not signed in")
	// ErrForbidden says that somebody is, and may not do this.
	ErrForbidden = errors.New("not allowed")
	ErrNotFound  = errors.New("not found")
	ErrExists    = errors.New("exists already")
	ErrInvalid   = errors.New("not valid")
)

// Kind is what a principal signed in with.
type Kind string

// Kinds of principals.
const (
	KindUser   Kind = "user"   // a person with a session
	KindToken  Kind = "token"  // a program with an API token
	KindLink   Kind = "link"   // the bearer of a one-time link
	KindSystem Kind = "system" // the hub itself
)

// Principal is who asks. The zero value is nobody.
type Principal struct {
	// Name of the account, or of the token.
	Name  string `json:"name"`
	Kind  Kind   `json:"kind"`
	Admin bool   `json:"admin"`
	// Owner is the account that a token belongs to; the account itself for a user.
	Owner string `json:"owner,omitempty"`
	// BreakGlass: it is the account of last resort, which the audit trail marks.
	BreakGlass bool `json:"break_glass,omitempty"`
	// Limit bounds a token. Nil: it may what its owner may.
	Limit *Limit `json:"-"`
}

// System is the hub itself, for what it does on its own.
func System() Principal { return Principal{Name: "hub", Kind: KindSystem, Admin: true} }

// String names the principal in the audit trail: "anna", "token ci", "system".
func (p Principal) String() string {
	switch p.Kind {
	case "":
		return "nobody"
	case KindUser:
		return p.Name
	case KindSystem:
		return "system"
	}
	return string(p.Kind) + " " + p.Name
}

// Account is a person who can sign in with a password.
type Account struct {
	Name string `cbor:"1,keyasint" json:"name"`
	// Password in the PHC string form of argon2id.
	Password string `cbor:"2,keyasint" json:"-"`
	Admin    bool   `cbor:"3,keyasint,omitempty" json:"admin"`
	// Created and Changed (the password) in Unix seconds.
	Created int64 `cbor:"4,keyasint" json:"created"`
	Changed int64 `cbor:"5,keyasint" json:"changed"`
	// BreakGlass: the first administrator, which stays when all others sign in elsewhere.
	BreakGlass bool `cbor:"6,keyasint,omitempty" json:"break_glass,omitempty"`
	// Disabled: it cannot sign in, and its sessions and tokens are of no use.
	Disabled bool `cbor:"7,keyasint,omitempty" json:"disabled,omitempty"`
}

// Session is one sign-in of a browser or the CLI.
type Session struct {
	Hash    Hash   `cbor:"1,keyasint"`
	Account string `cbor:"2,keyasint"`
	Remote  string `cbor:"3,keyasint,omitempty"`
	// Created and Expires in Unix seconds.
	Created int64 `cbor:"4,keyasint"`
	Expires int64 `cbor:"5,keyasint"`
}

// Token lets a program in.
type Token struct {
	// ID names the token for ever; it is no secret.
	ID    string `cbor:"1,keyasint" json:"id"`
	Name  string `cbor:"2,keyasint" json:"name"`
	Owner string `cbor:"3,keyasint,omitempty" json:"owner"`
	Hash  Hash   `cbor:"4,keyasint" json:"-"`
	// Created and Expires in Unix seconds. Expires 0: never.
	Created int64 `cbor:"5,keyasint" json:"created"`
	Expires int64 `cbor:"6,keyasint,omitempty" json:"expires,omitempty"`
	// Limit of what it may. Nil: what its owner may.
	Limit *Limit `cbor:"7,keyasint,omitempty" json:"limit,omitempty"`
	// LastUsed in Unix seconds, since the hub started. 0: not used since then.
	LastUsed int64 `cbor:"-" json:"last_used,omitempty"`
}

// Hash is the SHA-256 of a secret of 32 random bytes; such a secret needs no slow hash.
type Hash [sha256.Size]byte

// Prefixes of the secrets, so that scanners and people know them by sight.
const (
	tokenPrefix   = "fst_"
	sessionPrefix = "fss_"
	linkPrefix    = "fsl_"
)

// secret draws 32 random bytes and gives their text form behind prefix.
func secret(prefix string) (string, Hash) {
	var b [32]byte
	_, _ = rand.Read(b[:]) // crypto/rand.Read never fails (Go 1.24)
	s := prefix + base64.RawURLEncoding.EncodeToString(b[:])
	return s, sha256.Sum256([]byte(s))
}

// Saved is what a Store holds.
type Saved struct {
	Accounts []Account
	Tokens   []Token
	Sessions []Session
	Teams    []Team
	Grants   []Grant
}

// Store keeps accounts, tokens and sessions. Each method is one transaction.
type Store interface {
	LoadAccess() (Saved, error)
	// PutAccount writes the account and removes the ended sessions.
	PutAccount(a Account, ended []Hash) error
	// PutSession writes the session and removes the ended ones.
	PutSession(s Session, ended []Hash) error
	RemoveSession(Hash) error
	PutToken(Token) error
	RemoveToken(id string) error
	PutGrant(Grant) error
	RemoveGrants(ids []string) error
	// PutTeam writes the team.
	PutTeam(Team) error
	// RemoveTeam removes the team and the grants it had.
	RemoveTeam(name string, grants []string) error
	// Views returns the saved views of an account, and none where none were saved.
	Views(account string) ([]View, error)
	PutViews(account string, views []View) error
}

// Config of an Access.
type Config struct {
	Store Store
	Log   *slog.Logger
}

// Access decides who comes in. Create it with New.
type Access struct {
	store  Store
	log    *slog.Logger
	delays *delays
	hasher *hasher

	write sync.Mutex // held while a change is made durable; taken before mu

	mu       sync.RWMutex
	accounts map[string]Account // by name; these are guarded by mu, and changed under write too
	tokens   map[Hash]*token
	sessions map[Hash]Session
	teams    map[string]Team  // by name
	grants   map[string]Grant // by id
	link     link

	rules atomic.Pointer[rules] // made of accounts, teams and grants whenever they change
}

type token struct {
	Token
	used atomic.Int64
}

// New loads what is stored. It starts nothing, and there is nothing to run.
func New(c Config) (*Access, error) {
	saved, err := c.Store.LoadAccess()
	if err != nil {
		return nil, fmt.Errorf("load accounts: %w", err)
	}
	a := &Access{
		store: c.Store, log: c.Log, delays: newDelays(), hasher: newHasher(),
		accounts: map[string]Account{}, tokens: map[Hash]*token{}, sessions: map[Hash]Session{},
		teams: map[string]Team{}, grants: map[string]Grant{},
	}
	if a.log == nil {
		a.log = slog.New(slog.DiscardHandler)
	}
	for _, x := range saved.Accounts {
		a.accounts[x.Name] = x
	}
	for _, x := range saved.Tokens {
		a.tokens[x.Hash] = &token{Token: x}
	}
	for _, x := range saved.Sessions {
		a.sessions[x.Hash] = x
	}
	for _, x := range saved.Teams {
		a.teams[x.Name] = x
	}
	for _, x := range saved.Grants {
		a.grants[x.ID] = x
	}
	a.rearrange()
	return a, nil
}

// HasAdmin reports whether an administrator exists.
func (a *Access) HasAdmin() bool {
	a.mu.RLock()
	defer a.mu.RUnlock()
	for _, x := range a.accounts {
		if x.Admin {
			return true
		}
	}
	return false
}

// SetAdmin makes an administrator, or gives one another password and ends its sessions. The same password again
// changes nothing. Errors wrap ErrInvalid and say what is wrong with name or password.
func (a *Access) SetAdmin(name, password string) error {
	if err := checkAccount(name, password); err != nil {
		return err
	}
	a.mu.RLock()
	old, had := a.accounts[name]
	a.mu.RUnlock()
	if had && old.Admin {
		if same, err := a.hasher.verify(old.Password, password); err == nil && same {
			return nil
		}
	}
	hash, err := a.hasher.hash(password)
	if err != nil {
		return err
	}
	now := time.Now().Unix()
	x := Account{Name: name, Password: hash, Admin: true, Created: now, Changed: now}

	a.write.Lock()
	defer a.write.Unlock()
	if had {
		x.Created, x.BreakGlass = old.Created, old.BreakGlass
	} else {
		x.BreakGlass = len(a.accounts) == 0
	}
	ended := a.sessionsWhere(func(s Session) bool { return s.Account == name })
	if err := a.store.PutAccount(x, ended); err != nil {
		return fmt.Errorf("save administrator %q: %w", name, err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.accounts[name] = x
	a.rearrange()
	a.end(ended)
	return nil
}

// AddAccount makes an account that may nothing yet. Errors wrap ErrInvalid or ErrExists.
func (a *Access) AddAccount(name, password string) error {
	if err := checkAccount(name, password); err != nil {
		return err
	}
	hash, err := a.hasher.hash(password)
	if err != nil {
		return err
	}
	now := time.Now().Unix()
	x := Account{Name: name, Password: hash, Created: now, Changed: now}
	a.write.Lock()
	defer a.write.Unlock()
	if _, ok := a.accounts[name]; ok {
		return fmt.Errorf("account %q: %w", name, ErrExists)
	}
	if err := a.store.PutAccount(x, nil); err != nil {
		return fmt.Errorf("save account %q: %w", name, err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.accounts[name] = x
	a.rearrange()
	return nil
}

func (a *Access) sessionsWhere(is func(Session) bool) (out []Hash) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	for h, s := range a.sessions {
		if is(s) {
			out = append(out, h)
		}
	}
	return out
}

func (a *Access) end(ended []Hash) {
	for _, h := range ended {
		delete(a.sessions, h)
	}
}

// Login opens a session and gives its secret. remote is the caller's address, with or without a port. A wrong name
// and a wrong password give the same ErrUnauthenticated; after some failures the next attempt has to wait, and gets a
// *DelayError at once.
func (a *Access) Login(name, password, remote string) (string, Principal, error) {
	attempt, err := a.delays.begin(name, remote)
	if err != nil {
		return "", Principal{}, err
	}
	a.mu.RLock()
	account, ok := a.accounts[name]
	a.mu.RUnlock()
	stored := account.Password
	if !ok {
		stored = a.hasher.decoy() // costs as much as a real one
	}
	fits, err := a.hasher.verify(stored, password)
	if err != nil {
		a.delays.undo(attempt)
		return "", Principal{}, err
	}
	if !ok || !fits {
		return "", Principal{}, fmt.Errorf("%w: name or password is wrong", ErrUnauthenticated)
	}
	a.delays.succeeded(attempt)
	s, err := a.open(account, remote)
	if err != nil {
		return "", Principal{}, err
	}
	return s, account.principal(), nil
}

func (x Account) principal() Principal {
	return Principal{Name: x.Name, Kind: KindUser, Admin: x.Admin, Owner: x.Name, BreakGlass: x.BreakGlass}
}

// open makes a session, and ends those that are expired or too many.
func (a *Access) open(account Account, remote string) (string, error) {
	text, hash := secret(sessionPrefix)
	now := time.Now()
	s := Session{Hash: hash, Account: account.Name, Remote: remote, Created: now.Unix(), Expires: now.Add(SessionLife).Unix()}

	a.write.Lock()
	defer a.write.Unlock()
	if current, ok := a.accounts[account.Name]; !ok || current.Password != account.Password {
		return "", fmt.Errorf("%w: the password was changed meanwhile: sign in again", ErrUnauthenticated)
	}
	ended := a.sessionsWhere(func(s Session) bool { return s.Expires <= now.Unix() })
	mine := a.sessionsWhere(func(x Session) bool { return x.Account == s.Account && x.Expires > now.Unix() })
	if len(mine) >= maxSessions {
		oldest := mine[0]
		for _, h := range mine {
			if a.sessions[h].Created < a.sessions[oldest].Created {
				oldest = h
			}
		}
		ended = append(ended, oldest)
	}
	if err := a.store.PutSession(s, ended); err != nil {
		return "", fmt.Errorf("save session of %q: %w", account.Name, err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.end(ended)
	a.sessions[hash] = s
	return text, nil
}

// Logout ends the session. One that is not there is no error.
func (a *Access) Logout(session string) error {
	hash := Hash(sha256.Sum256([]byte(session)))
	a.write.Lock()
	defer a.write.Unlock()
	if _, ok := a.sessions[hash]; !ok {
		return nil
	}
	if err := a.store.RemoveSession(hash); err != nil {
		return fmt.Errorf("end session: %w", err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.sessions, hash)
	return nil
}

// Authenticate tells who a secret belongs to: a session from a cookie, or a session or API token from an
// Authorization header without its "Bearer ". Errors wrap ErrUnauthenticated.
func (a *Access) Authenticate(bearerOrCookie string) (Principal, error) {
	hash := Hash(sha256.Sum256([]byte(bearerOrCookie)))
	now := time.Now().Unix()
	a.mu.RLock()
	defer a.mu.RUnlock()
	switch {
	case strings.HasPrefix(bearerOrCookie, sessionPrefix):
		s, ok := a.sessions[hash]
		account, known := a.accounts[s.Account]
		switch {
		case !ok || !known || account.Disabled:
			return Principal{}, fmt.Errorf("%w: the session is not known, or was ended: sign in again", ErrUnauthenticated)
		case now >= s.Expires:
			return Principal{}, fmt.Errorf("%w: the session has expired: sign in again", ErrUnauthenticated)
		}
		return account.principal(), nil
	case strings.HasPrefix(bearerOrCookie, tokenPrefix):
		t, ok := a.tokens[hash]
		switch {
		case !ok:
			return Principal{}, fmt.Errorf("%w: the API token is not known, or was removed: make another", ErrUnauthenticated)
		case t.Expires != 0 && now >= t.Expires:
			return Principal{}, fmt.Errorf("%w: API token %q has expired: make another", ErrUnauthenticated, t.Name)
		}
		owner, ok := a.accounts[t.Owner]
		if !ok || owner.Disabled {
			return Principal{}, fmt.Errorf("%w: the account that API token %q belongs to is gone or disabled", ErrUnauthenticated, t.Name)
		}
		t.used.Store(now)
		return Principal{
			Name: t.Name, Kind: KindToken, Admin: owner.Admin && t.Limit == nil, Owner: t.Owner, BreakGlass: owner.BreakGlass, Limit: t.Limit,
		}, nil
	case bearerOrCookie == "":
		return Principal{}, fmt.Errorf("%w: sign in, or give an API token", ErrUnauthenticated)
	}
	return Principal{}, fmt.Errorf("%w: this is neither a session nor an API token", ErrUnauthenticated)
}
