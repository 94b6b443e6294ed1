// Package access knows who may do what on the hub: accounts with passwords, their sessions and API tokens, teams, the
// roles that they are granted on groups and devices, and the one-time links by which people come in for the first time.
// The table in roles.go says which role may do what, and Authorize is the one place where a right is granted.
//
// It never keeps a secret as it is (passwords as argon2id, those of second factors sealed by the vault, all others as
// SHA-256) and knows no HTTP; routes hand it the secret they were given and ask Authorize. Methods that take a Principal
// look themselves at what it may; those that take the name of an account leave that to their caller.
//
// An Access is safe for concurrent use. Accounts, tokens and sessions are in memory; changes are durable before they
// hold. When sessions and tokens were last used is kept in memory, and saved for tokens now and then by Run.
package access

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
)

// Errors that callers tell apart.
var (
	// ErrUnauthenticated says that nobody is signed in: the secret is missing, unknown, expired or wrong.
	ErrUnauthenticated = errors.New("not signed in")
	// ErrForbidden says that somebody is, and may not do this.
	ErrForbidden = errors.New("not allowed")
	// ErrSetup says that an account has to set up a second factor before it may do anything else.
	ErrSetup    = fmt.Errorf("%w: this account needs a second factor: set one up first", ErrForbidden)
	ErrNotFound = errors.New("not found")
	ErrExists   = errors.New("exists already")
	ErrInvalid  = errors.New("not valid")
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
	// Session is the id of the session of a user.
	Session string `json:"-"`
	// Setup: the account needs a second factor and has none. The session may only set one up.
	Setup bool `json:"-"`
}

// System is the hub itself, for what it does on its own.
func System() Principal { return Principal{Name: "hub", Kind: KindSystem, Admin: true} }

// String names the principal in the audit trail: "anna", "token ci of anna", "system".
func (p Principal) String() string {
	switch p.Kind {
	case "":
		return "nobody"
	case KindUser:
		return p.Name
	case KindSystem:
		return "system"
	case KindToken: // tokens of two accounts can have one name
		return "token " + p.Name + " of " + p.Owner
	}
	return string(p.Kind) + " " + p.Name
}

// Account is a person who can sign in with a password.
type Account struct {
	Name string `cbor:"1,keyasint" json:"name"`
	// Password in the PHC string form of argon2id. "": none was set yet.
	Password string `cbor:"2,keyasint" json:"-"`
	Admin    bool   `cbor:"3,keyasint,omitempty" json:"admin"`
	// Created and Changed (the password) in Unix seconds.
	Created int64 `cbor:"4,keyasint" json:"created"`
	Changed int64 `cbor:"5,keyasint" json:"changed"`
	// BreakGlass: the first administrator, which stays when all others sign in elsewhere.
	BreakGlass bool `cbor:"6,keyasint,omitempty" json:"break_glass,omitempty"`
	// Disabled: it cannot sign in, and its sessions and tokens are of no use.
	Disabled bool `cbor:"7,keyasint,omitempty" json:"disabled,omitempty"`
	// LastSignIn in Unix seconds. 0: never.
	LastSignIn int64 `cbor:"8,keyasint,omitempty" json:"last_sign_in,omitempty"`
	// Link sets its password, once. Nil: none is open.
	Link *Link `cbor:"9,keyasint,omitempty" json:"-"`
	// Factor is its second factor. Nil: none.
	Factor *Factor `cbor:"10,keyasint,omitempty" json:"-"`
}

// Guarded reports whether signing in needs a second factor.
func (x Account) Guarded() bool { return x.Factor != nil && x.Factor.Since != 0 }

// Link is a one-time link by which somebody sets a password.
type Link struct {
	Hash Hash `cbor:"1,keyasint"`
	// Expires in Unix seconds.
	Expires int64 `cbor:"2,keyasint"`
}

// Factor is a second factor: codes of an authenticator app, and recovery codes.
type Factor struct {
	// Sealed is the secret that the app shares, sealed by the vault.
	Sealed []byte `cbor:"1,keyasint"`
	// Since when it counts, Unix seconds. 0: it was not confirmed by a code yet.
	Since int64 `cbor:"2,keyasint,omitempty"`
	// Step is that of the last code that was used: it and those before are of no use any more.
	Step int64 `cbor:"3,keyasint,omitempty"`
	// Recovery are the recovery codes that are left.
	Recovery []Hash `cbor:"4,keyasint,omitempty"`
}

// Session is one sign-in of a browser or the CLI.
type Session struct {
	Hash    Hash   `cbor:"1,keyasint"`
	Account string `cbor:"2,keyasint"`
	Remote  string `cbor:"3,keyasint,omitempty"`
	// Created and Expires in Unix seconds.
	Created int64 `cbor:"4,keyasint"`
	Expires int64 `cbor:"5,keyasint"`
	// Agent is what the client calls itself: a claim, cut to printable text.
	Agent string `cbor:"6,keyasint,omitempty"`
}

// ID names the session in lists; it is no secret, and good for nothing else.
func (s Session) ID() string {
	sum := sha256.Sum256(append([]byte("farshore session id\x00"), s.Hash[:]...))
	return hex.EncodeToString(sum[:8])
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
	// LastUsed in Unix seconds. 0: never.
	LastUsed int64 `cbor:"8,keyasint,omitempty" json:"last_used,omitempty"`
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
	Settings Settings
}

// Ended is what goes, or becomes something else, with a change of an account.
type Ended struct {
	Sessions []Hash
	Tokens   []string // ids
	Grants   []string // ids
	Teams    []Team   // as they are without it
}

// Store keeps accounts, tokens and sessions. Each method is one transaction.
type Store interface {
	LoadAccess() (Saved, error)
	// PutAccount writes the account and ends what it lost.
	PutAccount(Account, Ended) error
	// RemoveAccount removes the account with its saved views, and ends what it had.
	RemoveAccount(name string, e Ended) error
	// PutSession writes a new session with its account, and removes the ended ones.
	PutSession(Session, Account, []Hash) error
	RemoveSessions([]Hash) error
	PutTokens([]Token) error
	RemoveToken(id string) error
	PutAccessSettings(Settings) error
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

// Vault seals secrets that have to be known again.
type Vault interface {
	Seal(purpose string, plain []byte) []byte
	Open(purpose string, sealed []byte) ([]byte, error)
}

// Places are the groups and devices that there are.
type Places interface {
	HasGroup(path string) bool
	// GroupOf gives the path of the group that a device is in.
	GroupOf(device string) (string, bool)
}

// Config of an Access.
type Config struct {
	Store Store
	// Vault seals the secrets of second factors. Nil: nobody can set one up.
	Vault Vault
	Log   *slog.Logger
}

// Access decides who comes in. Create it with New.
type Access struct {
	store  Store
	vault  Vault
	log    *slog.Logger
	delays *delays
	hasher *hasher

	write sync.Mutex // held while a change is made durable; taken before mu

	mu       sync.RWMutex
	accounts map[string]Account // by name; these are guarded by mu, and changed under write too
	tokens   map[Hash]*token
	sessions map[Hash]*session
	teams    map[string]Team  // by name
	grants   map[string]Grant // by id
	settings Settings
	link     Link // for an administrator; the zero value fits nothing
	places   Places

	rules atomic.Pointer[rules] // made of accounts, teams and grants whenever they change
}

type token struct {
	Token
	used atomic.Int64 // Unix seconds
}

type session struct {
	Session
	used atomic.Int64 // Unix seconds; 0: not since the hub started
}

// New loads what is stored. It starts nothing, and there is nothing to run.
func New(c Config) (*Access, error) {
	saved, err := c.Store.LoadAccess()
	if err != nil {
		return nil, fmt.Errorf("load accounts: %w", err)
	}
	a := &Access{
		store: c.Store, vault: c.Vault, log: cmp.Or(c.Log, slog.New(slog.DiscardHandler)), delays: newDelays(), hasher: newHasher(),
		accounts: map[string]Account{}, tokens: map[Hash]*token{}, sessions: map[Hash]*session{},
		teams: map[string]Team{}, grants: map[string]Grant{}, settings: saved.Settings.whole(),
	}
	for _, x := range saved.Accounts {
		a.accounts[x.Name] = x
	}
	for _, x := range saved.Tokens {
		t := &token{Token: x}
		t.used.Store(x.LastUsed)
		a.tokens[x.Hash] = t
	}
	for _, x := range saved.Sessions {
		a.sessions[x.Hash] = &session{Session: x}
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
