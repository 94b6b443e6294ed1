package access

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/farshore/farshore/protocol"
)

// ErrSecondFactor says that name and password are right, and that a code of the second factor is missing or wrong.
var ErrSecondFactor = fmt.Errorf("%w: second factor", ErrUnauthenticated)

// SignIn is an attempt to sign in.
type SignIn struct {
	Name, Password string
	// Code of the second factor, or a recovery code. "": none was given.
	Code string
	// Remote is the caller's address, with or without a port. Agent is what the client calls itself.
	Remote, Agent string
}

// Opened is a session that was opened.
type Opened struct {
	// Secret of the session, given this once.
	Secret    string
	Expires   time.Time
	Principal Principal
}

// Login opens a session. A wrong name and a wrong password give the same ErrUnauthenticated; a code that is missing or
// wrong gives ErrSecondFactor, but only where the password was right. After some failures the next attempt has to wait,
// and gets a *DelayError at once.
func (a *Access) Login(in SignIn) (Opened, error) {
	a.mu.RLock()
	account, ok := a.accounts[in.Name]
	a.mu.RUnlock()
	attempt, err := a.delays.begin(in.Name, in.Remote, account.BreakGlass)
	if err != nil {
		return Opened{}, err
	}
	stored := account.Password
	if stored == "" {
		stored = a.hasher.decoy() // costs as much as a real one
	}
	fits, err := a.hasher.verify(stored, in.Password)
	if err != nil {
		a.delays.undo(attempt)
		return Opened{}, err
	}
	if !ok || !fits || account.Disabled {
		return Opened{}, fmt.Errorf("%w: name or password is wrong", ErrUnauthenticated)
	}
	used := func(x Account) (Account, error) { return x, nil }
	if account.Guarded() {
		if used, err = a.checkCode(account, in.Code); err != nil {
			if in.Code == "" || errors.As(err, new(*DelayError)) {
				a.delays.undo(attempt) // nothing was guessed
			}
			return Opened{}, err
		}
	}
	a.delays.succeeded(attempt)
	return a.open(account, in, used)
}

// checkCode looks at a code, and gives what uses it up when the session is opened.
func (a *Access) checkCode(x Account, code string) (func(Account) (Account, error), error) {
	if code == "" {
		return nil, fmt.Errorf("%w: give the code that your authenticator shows, or a recovery code", ErrSecondFactor)
	}
	wrong := fmt.Errorf("%w: the code is wrong, or was used already: give the one that your authenticator shows now, or a recovery code", ErrSecondFactor)
	// A recovery code cannot be guessed, so that nobody's guessing can keep its owner out.
	if isRecovery(code) {
		use := func(x Account) (Account, error) { return useRecovery(x, code, wrong) }
		_, err := use(x)
		return use, err
	}
	attempt, err := a.delays.beginCode(x.Name)
	if err != nil {
		return nil, err
	}
	secret, err := a.vault.Open(factorPurpose, x.Factor.Sealed)
	if err != nil {
		return nil, fmt.Errorf("second factor of %q: %w", x.Name, err)
	}
	use := func(x Account) (Account, error) { return useCode(x, secret, code, wrong) }
	if _, err := use(x); err != nil {
		return nil, err
	}
	a.delays.succeeded(attempt)
	return use, nil
}

// principal needs mu.
func (a *Access) principal(x Account, s Session) Principal {
	return Principal{
		Name: x.Name, Kind: KindUser, Admin: x.Admin, Owner: x.Name, BreakGlass: x.BreakGlass, Session: s.ID(),
		Setup: !x.Guarded() && a.needsFactor(x, time.Now().Unix()),
	}
}

// open makes a session of the account after used has used its code up, and ends those that are expired or too many.
func (a *Access) open(account Account, in SignIn, used func(Account) (Account, error)) (Opened, error) {
	text, hash := secret(sessionPrefix)
	now := time.Now()
	a.write.Lock()
	defer a.write.Unlock()
	current, ok := a.accounts[account.Name]
	if !ok || current.Password != account.Password || current.Disabled {
		return Opened{}, fmt.Errorf("%w: the password was changed meanwhile: sign in again", ErrUnauthenticated)
	}
	current, err := used(current)
	if err != nil {
		return Opened{}, err
	}
	current.LastSignIn = now.Unix()
	expires := now.Add(time.Duration(a.settings.SessionLife) * time.Second).Truncate(time.Second)
	s := Session{
		Hash: hash, Account: account.Name, Remote: in.Remote, Created: now.Unix(), Expires: expires.Unix(), Agent: protocol.Printable(in.Agent, 200),
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
	if err := a.store.PutSession(s, current, ended); err != nil {
		return Opened{}, fmt.Errorf("save session of %q: %w", account.Name, err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.end(ended)
	a.accounts[current.Name] = current
	a.sessions[hash] = &session{Session: s}
	return Opened{Secret: text, Expires: expires, Principal: a.principal(current, s)}, nil
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
		if !ok || a.accounts[s.Account].Name == "" || a.accounts[s.Account].Disabled {
			return Principal{}, fmt.Errorf("%w: the session is not known, or was ended: sign in again", ErrUnauthenticated)
		}
		if now >= s.Expires {
			return Principal{}, fmt.Errorf("%w: the session has expired: sign in again", ErrUnauthenticated)
		}
		s.used.Store(now)
		return a.principal(a.accounts[s.Account], s.Session), nil
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
