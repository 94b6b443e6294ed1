package access

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"time"
)

// How long one-time links are good: one for an administrator, made on the hub's machine, and one by which somebody sets
// the password of an account.
const (
	LinkLife   = 5 * time.Minute
	InviteLife = 72 * time.Hour
)

// invite makes a link for an account.
func invite(now time.Time) (string, *Link) {
	text, hash := secret(linkPrefix)
	return text, &Link{Hash: hash, Expires: now.Add(InviteLife).Unix()}
}

func (l Link) fits(secret string, now time.Time) bool {
	hash := sha256.Sum256([]byte(secret))
	return l != (Link{}) && now.Unix() < l.Expires && subtle.ConstantTimeCompare(hash[:], l.Hash[:]) == 1
}

// Reset is what a new link for an account comes with.
type Reset struct {
	// Link is its secret, good once and until Expires, Unix seconds.
	Link    string
	Expires int64
	// Tokens is how many API tokens the account has still.
	Tokens int
}

// ResetPassword takes an account's password, ends its sessions, and gives a link by which it sets another. also names
// what else ends; those of a disabled account have ended already. Errors wrap ErrNotFound, or ErrInvalid for the account of last
// resort.
func (a *Access) ResetPassword(name string, also Also) (out Reset, err error) {
	err = a.update(name, func(x *Account) (Ended, error) {
		if x.BreakGlass {
			return Ended{}, fmt.Errorf("user %q: %w: the password of the account of last resort is set by itself, or by farshore-hub admin-link on the hub's machine",
				name, ErrInvalid)
		}
		x.Password, x.Changed = "", 0
		out.Link, x.Link = invite(time.Now())
		out.Expires = x.Link.Expires
		if also == AlsoTokens {
			return a.ended(name, endTokens), nil
		}
		return a.ended(name, keepTokens), nil
	})
	if err == nil {
		out.Tokens = a.Belongings(name).Tokens
	}
	return out, err
}

// Also is what ends with a password besides the sessions.
type Also int

// What ends with a password.
const (
	AlsoNothing Also = iota
	AlsoTokens
)

// RedeemInvite sets the password of the account that a link is for, ends its sessions, and gives its name. Errors wrap
// ErrUnauthenticated, or ErrInvalid: then the link stays open.
func (a *Access) RedeemInvite(secret, password string) (string, error) {
	gone := fmt.Errorf("%w: the link was used, replaced, or is older than %d hours: ask an administrator for another", ErrUnauthenticated, InviteLife/time.Hour)
	name := a.invited(secret)
	if name == "" {
		return "", gone
	}
	if err := a.checkNew(name, password); err != nil {
		return "", err
	}
	hash, err := a.hasher.hash(password)
	if err != nil {
		return "", err
	}
	return name, a.update(name, func(x *Account) (Ended, error) {
		if x.Link == nil || x.Disabled || !x.Link.fits(secret, time.Now()) {
			return Ended{}, gone
		}
		x.Password, x.Changed, x.Link = hash, time.Now().Unix(), nil
		return a.ended(name, keepTokens), nil
	})
}

func (a *Access) invited(secret string) string {
	a.mu.RLock()
	defer a.mu.RUnlock()
	now := time.Now()
	for _, x := range a.accounts {
		if x.Link != nil && !x.Disabled && x.Link.fits(secret, now) {
			return x.Name
		}
	}
	return ""
}

// AdminLink opens a one-time link, good for LinkLife, and gives its secret; an earlier one ends. Whoever calls this
// has shown that they control the hub's machine.
func (a *Access) AdminLink() string {
	text, hash := secret(linkPrefix)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.link = Link{hash, time.Now().Add(LinkLife).Unix()}
	return text
}

// RedeemLink makes an administrator, or gives one another password and takes its second factor away, and closes the
// link. Errors wrap ErrUnauthenticated, or ErrInvalid: then the link stays open.
func (a *Access) RedeemLink(secret, name, password string) error {
	open, err := a.takeLink(secret, func() error { return checkName(name) })
	if err != nil {
		return err
	}
	if err := a.setAdmin(name, password, func(x *Account) { x.Factor = nil }); err != nil {
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.link == (Link{}) {
			a.link = open
		}
		return err
	}
	return nil
}

// takeLink closes the link if the secret fits and check agrees.
func (a *Access) takeLink(secret string, check func() error) (Link, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	open := a.link
	if !open.fits(secret, time.Now()) {
		return Link{}, fmt.Errorf("%w: the link was used, replaced, or is older than %s: make another with farshore-hub admin-link",
			ErrUnauthenticated, LinkLife)
	}
	if err := check(); err != nil {
		return Link{}, err
	}
	a.link = Link{}
	return open, nil
}
