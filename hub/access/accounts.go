package access

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// maxAccounts is the most accounts of one hub.
const maxAccounts = 10_000

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

// SetAdmin makes an administrator, or gives one another password, enables it, and ends its sessions. The same password
// again changes nothing. Errors wrap ErrInvalid and say what is wrong with name or password.
func (a *Access) SetAdmin(name, password string) error {
	return a.setAdmin(name, password, func(*Account) {})
}

func (a *Access) setAdmin(name, password string, also func(*Account)) error {
	if err := a.checkNew(name, password); err != nil {
		return err
	}
	a.mu.RLock()
	old, had := a.accounts[name]
	a.mu.RUnlock()
	hash := old.Password
	same := false
	if had && old.Admin && hash != "" {
		same, _ = a.hasher.verify(hash, password)
	}
	if !same {
		var err error
		if hash, err = a.hasher.hash(password); err != nil {
			return err
		}
	}
	now := time.Now().Unix()
	a.write.Lock()
	defer a.write.Unlock()
	x, had := a.accounts[name]
	if !had {
		x = Account{Name: name, Created: now, BreakGlass: len(a.accounts) == 0}
	}
	e := Ended{}
	if !same {
		x.Password, x.Changed, x.Link = hash, now, nil
		e = a.ended(name, keepTokens)
	}
	x.Admin, x.Disabled = true, false
	also(&x)
	return a.put(x, e)
}

// NewAccount is what an account begins as.
type NewAccount struct {
	Name string
	// Password. "": the account sets it by a link.
	Password string
	Admin    bool
}

// AddAccount makes an account. Where it was given no password, link is the secret by which it sets one, within InviteLife.
// Errors wrap ErrInvalid or ErrExists.
func (a *Access) AddAccount(n NewAccount) (x Account, link string, err error) {
	now := time.Now()
	x = Account{Name: n.Name, Admin: n.Admin, Created: now.Unix()}
	if n.Password != "" {
		if err := a.checkNew(n.Name, n.Password); err != nil {
			return x, "", err
		}
		if x.Password, err = a.hasher.hash(n.Password); err != nil {
			return x, "", err
		}
		x.Changed = now.Unix()
	} else {
		if err := checkName(n.Name); err != nil {
			return x, "", err
		}
		link, x.Link = invite(now)
	}
	a.write.Lock()
	defer a.write.Unlock()
	if _, ok := a.accounts[n.Name]; ok {
		return x, "", fmt.Errorf("account %q: %w", n.Name, ErrExists)
	}
	if len(a.accounts) >= maxAccounts {
		return x, "", fmt.Errorf("account %q: %w: there are %d: remove some", n.Name, ErrInvalid, maxAccounts)
	}
	x.BreakGlass = len(a.accounts) == 0 && x.Admin
	return x, link, a.put(x, Ended{})
}

// Accounts gives all accounts by name.
func (a *Access) Accounts() []Account {
	a.mu.RLock()
	defer a.mu.RUnlock()
	out := make([]Account, 0, len(a.accounts))
	for _, x := range a.accounts {
		out = append(out, x)
	}
	slices.SortFunc(out, func(x, y Account) int { return strings.Compare(x.Name, y.Name) })
	return out
}

// Account gives one. Errors wrap ErrNotFound.
func (a *Access) Account(name string) (Account, error) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	x, ok := a.accounts[name]
	if !ok {
		return Account{}, unknown(name)
	}
	return x, nil
}

func unknown(name string) error { return fmt.Errorf("user %.160q: %w", name, ErrNotFound) }

// AccountChange says what to change of an account. What is nil stays.
type AccountChange struct{ Admin, Disabled *bool }

// ChangeAccount makes an account an administrator or no more one, disables or enables it. Disabling ends its sessions
// and removes its tokens. Errors wrap ErrNotFound or ErrInvalid: the account of last resort and the last administrator
// stay as they are.
func (a *Access) ChangeAccount(name string, c AccountChange) (Account, error) {
	a.write.Lock()
	defer a.write.Unlock()
	x, ok := a.accounts[name]
	if !ok {
		return Account{}, unknown(name)
	}
	if c.Admin != nil {
		x.Admin = *c.Admin
	}
	if c.Disabled != nil {
		x.Disabled = *c.Disabled
	}
	if err := a.keepAdmin(name, x.Admin && !x.Disabled); err != nil {
		return Account{}, err
	}
	var e Ended
	if x.Disabled {
		e = a.ended(name, endTokens)
		x.Link = nil
	}
	return x, a.put(x, e)
}

// RemoveAccount removes an account with its sessions, tokens, grants, saved views and places in teams. Errors are as of
// ChangeAccount.
func (a *Access) RemoveAccount(name string) error {
	a.write.Lock()
	defer a.write.Unlock()
	if _, ok := a.accounts[name]; !ok {
		return unknown(name)
	}
	if err := a.keepAdmin(name, false); err != nil {
		return err
	}
	e := a.ended(name, endTokens)
	for _, g := range a.grants {
		if g.User == name {
			e.Grants = append(e.Grants, g.ID)
		}
	}
	for _, t := range a.teams {
		if t.Has(name) {
			e.Teams = append(e.Teams, t.without(name))
		}
	}
	if err := a.store.RemoveAccount(name, e); err != nil {
		return fmt.Errorf("remove user %q: %w", name, err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.accounts, name)
	a.drop(e)
	return nil
}

// keepAdmin refuses what would leave nobody to come in. It needs write.
func (a *Access) keepAdmin(name string, admin bool) error {
	x := a.accounts[name]
	if admin || !x.Admin || x.Disabled {
		return nil
	}
	if x.BreakGlass {
		return fmt.Errorf("user %q: %w: it is the account of last resort, and stays an administrator that can sign in", name, ErrInvalid)
	}
	for _, other := range a.accounts {
		if other.Name != name && other.Admin && !other.Disabled {
			return nil
		}
	}
	return fmt.Errorf("user %q: %w: it is the last administrator: make another first", name, ErrInvalid)
}

// tokensToo says whether an account loses its tokens too.
type tokensToo int

const (
	keepTokens tokensToo = iota
	endTokens
)

// ended gives the sessions, and the tokens where asked, of an account. It needs write.
func (a *Access) ended(name string, too tokensToo) Ended {
	e := Ended{Sessions: a.sessionsWhere(func(s Session) bool { return s.Account == name })}
	for _, t := range a.tokens {
		if t.Owner == name && too == endTokens {
			e.Tokens = append(e.Tokens, t.ID)
		}
	}
	return e
}

// put writes an account. It needs write.
func (a *Access) put(x Account, e Ended) error {
	if err := a.store.PutAccount(x, e); err != nil {
		return fmt.Errorf("save user %q: %w", x.Name, err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.accounts[x.Name] = x
	a.drop(e)
	return nil
}

// drop forgets what ended. It needs mu.
func (a *Access) drop(e Ended) {
	a.end(e.Sessions)
	for hash, t := range a.tokens {
		if slices.Contains(e.Tokens, t.ID) {
			delete(a.tokens, hash)
		}
	}
	for _, id := range e.Grants {
		delete(a.grants, id)
	}
	for _, t := range e.Teams {
		a.teams[t.Name] = t
	}
	a.rearrange()
}

// SetPassword sets the password of the account behind p, which gives the old one, and ends its other sessions. Errors
// wrap ErrInvalid, or ErrForbidden for a wrong old password; too many of those: a *DelayError.
func (a *Access) SetPassword(p Principal, old, password string) error {
	x, err := a.prove(p, old)
	if err != nil {
		return err
	}
	if err := a.checkNew(x.Name, password); err != nil {
		return err
	}
	hash, err := a.hasher.hash(password)
	if err != nil {
		return err
	}
	return a.update(x.Name, func(now *Account) (Ended, error) {
		if now.Password != x.Password {
			return Ended{}, fmt.Errorf("%w: the password was changed meanwhile", ErrForbidden)
		}
		now.Password, now.Changed, now.Link = hash, time.Now().Unix(), nil
		return Ended{Sessions: a.othersThan(p)}, nil
	})
}

// othersThan gives the sessions of p's account but its own.
func (a *Access) othersThan(p Principal) []Hash {
	return a.sessionsWhere(func(s Session) bool { return s.Account == p.Owner && s.ID() != p.Session })
}

// prove checks the password of the account behind p once more, before something that a session alone may not do.
func (a *Access) prove(p Principal, password string) (Account, error) {
	if p.Kind != KindUser {
		return Account{}, fmt.Errorf("%w: sign in with a password", ErrForbidden)
	}
	x, err := a.Account(p.Owner)
	if err != nil {
		return x, err
	}
	attempt, err := a.delays.beginProof(x.Name, p.Session)
	if err != nil {
		return x, err
	}
	fits, err := a.hasher.verify(x.Password, password)
	if err != nil {
		a.delays.undo(attempt)
		return x, err
	}
	if !fits {
		return x, fmt.Errorf("%w: the password is wrong", ErrForbidden)
	}
	a.delays.succeeded(attempt)
	return x, nil
}

// update changes an account as it is now.
func (a *Access) update(name string, change func(*Account) (Ended, error)) error {
	a.write.Lock()
	defer a.write.Unlock()
	x, ok := a.accounts[name]
	if !ok {
		return unknown(name)
	}
	e, err := change(&x)
	if err != nil {
		return err
	}
	return a.put(x, e)
}

// teamNames gives the teams of an account, sorted.
func (a *Access) teamNames(account string) []string {
	return slices.Sorted(slices.Values(a.rules.Load().teamsOf[account]))
}

// Belongings are what an account has.
type Belongings struct {
	Sessions, Tokens int
	Teams            []string
	// NeedsFactor: it has to have a second factor.
	NeedsFactor bool
}

// Belongings counts what an account has.
func (a *Access) Belongings(account string) Belongings {
	a.mu.RLock()
	defer a.mu.RUnlock()
	now := time.Now().Unix()
	b := Belongings{Teams: a.teamNames(account), NeedsFactor: a.needsFactor(a.accounts[account], now)}
	for _, s := range a.sessions {
		if s.Account == account && now < s.Expires {
			b.Sessions++
		}
	}
	for _, t := range a.tokens {
		if t.Owner == account {
			b.Tokens++
		}
	}
	return b
}
