package access

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
)

// maxTokens is the most API tokens of one hub.
const maxTokens = 10_000

// CreateToken makes an API token that may what the account behind p may. The secret is given this once. A zero
// expires means never. Errors wrap ErrInvalid, ErrExists (the name is taken) or ErrForbidden (p is no account's, or is a
// token itself: with another one it would outlive its expiry and its removal).
func (a *Access) CreateToken(p Principal, name string, expires time.Time) (string, Token, error) {
	switch {
	case p.Kind == KindToken:
		return "", Token{}, fmt.Errorf("token %.160q: %w: an API token cannot make another: sign in with a password", name, ErrForbidden)
	case name == "" || len(name) > 128 || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }):
		return "", Token{}, fmt.Errorf("token name %.160q: %w: want 1 to 128 bytes of printable text", name, ErrInvalid)
	case !expires.IsZero() && !expires.After(time.Now()):
		return "", Token{}, fmt.Errorf("token %q: %w: its expiry lies in the past", name, ErrInvalid)
	}
	text, hash := secret(tokenPrefix)
	t := Token{ID: strings.ToLower(rand.Text()[:10]), Name: name, Owner: p.Owner, Hash: hash, Created: time.Now().Unix()}
	if !expires.IsZero() {
		t.Expires = expires.Unix()
	}

	a.write.Lock()
	defer a.write.Unlock()
	if _, ok := a.accounts[p.Owner]; !ok {
		return "", Token{}, fmt.Errorf("token %q: %w: a token belongs to an account: sign in with one", name, ErrForbidden)
	}
	if len(a.tokens) >= maxTokens {
		return "", Token{}, fmt.Errorf("token %q: %w: there are %d tokens: remove some", name, ErrInvalid, maxTokens)
	}
	for _, x := range a.tokens {
		if x.Name == name {
			return "", Token{}, fmt.Errorf("token %q: %w: remove it first, or give another name", name, ErrExists)
		}
	}
	if err := a.store.PutToken(t); err != nil {
		return "", Token{}, fmt.Errorf("save token %q: %w", name, err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.tokens[hash] = &token{Token: t}
	return text, t, nil
}

// Tokens gives the API tokens of p's account sorted by name, without their secrets.
func (a *Access) Tokens(p Principal) []Token {
	a.mu.RLock()
	defer a.mu.RUnlock()
	out := []Token{}
	for _, x := range a.tokens {
		if x.Owner != p.Owner {
			continue
		}
		t := x.Token
		t.LastUsed = x.used.Load()
		out = append(out, t)
	}
	slices.SortFunc(out, func(x, y Token) int { return strings.Compare(x.Name, y.Name) })
	return out
}

// RemoveToken makes a token of p's account, or of any where p may change people, useless at once. id is its id or name.
// Errors wrap ErrNotFound.
func (a *Access) RemoveToken(p Principal, id string) error {
	anyones := a.Authorize(p, PeopleChange, Resource{Kind: "token", ID: id}) == nil
	a.write.Lock()
	defer a.write.Unlock()
	for hash, x := range a.tokens {
		if x.ID != id && x.Name != id || x.Owner != p.Owner && !anyones {
			continue
		}
		if err := a.store.RemoveToken(x.ID); err != nil {
			return fmt.Errorf("remove token %q: %w", x.Name, err)
		}
		a.mu.Lock()
		defer a.mu.Unlock()
		delete(a.tokens, hash)
		return nil
	}
	return fmt.Errorf("token %.160q: %w", id, ErrNotFound)
}

// link is the one-time link that is open. The zero value fits nothing.
type link struct {
	hash    Hash
	expires time.Time
}

// AdminLink opens a one-time link, good for LinkLife, and gives its secret; an earlier one ends. Whoever calls this
// has shown that they control the hub's machine.
func (a *Access) AdminLink() string {
	text, hash := secret(linkPrefix)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.link = link{hash, time.Now().Add(LinkLife)}
	return text
}

// RedeemLink makes an administrator, or gives one another password, and closes the link. Errors wrap
// ErrUnauthenticated, or ErrInvalid: then the link stays open.
func (a *Access) RedeemLink(secret, name, password string) error {
	open, err := a.takeLink(secret, func() error { return checkAccount(name, password) })
	if err != nil {
		return err
	}
	if err := a.SetAdmin(name, password); err != nil {
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.link == (link{}) {
			a.link = open
		}
		return err
	}
	return nil
}

// takeLink closes the link if the secret fits and check agrees.
func (a *Access) takeLink(secret string, check func() error) (link, error) {
	hash := Hash(sha256.Sum256([]byte(secret)))
	a.mu.Lock()
	defer a.mu.Unlock()
	open := a.link
	if open == (link{}) || subtle.ConstantTimeCompare(hash[:], open.hash[:]) != 1 || !time.Now().Before(open.expires) {
		return link{}, fmt.Errorf("%w: the link was used, replaced, or is older than %s: make another with farshore-hub admin-link",
			ErrUnauthenticated, LinkLife)
	}
	if err := check(); err != nil {
		return link{}, err
	}
	a.link = link{}
	return open, nil
}
