package access

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
)

// Bounds of API tokens.
const (
	maxTokens      = 10_000
	maxTokenGroups = 64
	// saveUses is how often it is saved when tokens were last used.
	saveUses = 5 * time.Minute
)

// NewToken is what an API token begins as.
type NewToken struct {
	Name string
	// Expires. Zero: never.
	Expires time.Time
	// Limit. Nil: it may what its owner may.
	Limit *Limit
}

// CreateToken makes an API token that may at most what the account behind p may, now and later. The secret is given
// this once. Errors wrap ErrInvalid, ErrExists (the account has one of that name) or ErrForbidden (p is no account's, or is
// a token itself: with another one it would outlive its expiry and its removal).
func (a *Access) CreateToken(p Principal, n NewToken) (string, Token, error) {
	switch {
	case p.Kind != KindUser:
		return "", Token{}, fmt.Errorf("token %.160q: %w: an API token is made by an account: sign in with a password", n.Name, ErrForbidden)
	case n.Name == "" || len(n.Name) > 128 || strings.ContainsFunc(n.Name, func(r rune) bool { return !unicode.IsPrint(r) }):
		return "", Token{}, fmt.Errorf("token name %.160q: %w: want 1 to 128 bytes of printable text", n.Name, ErrInvalid)
	case !n.Expires.IsZero() && !n.Expires.After(time.Now()):
		return "", Token{}, fmt.Errorf("token %q: %w: its expiry lies in the past", n.Name, ErrInvalid)
	}
	limit, err := n.Limit.clean()
	if err != nil {
		return "", Token{}, fmt.Errorf("token %q: %w", n.Name, err)
	}
	text, hash := secret(tokenPrefix)
	t := Token{ID: strings.ToLower(rand.Text()[:10]), Name: n.Name, Owner: p.Owner, Hash: hash, Created: time.Now().Unix(), Limit: limit}
	if !n.Expires.IsZero() {
		t.Expires = n.Expires.Unix()
	}

	a.write.Lock()
	defer a.write.Unlock()
	if x, ok := a.accounts[p.Owner]; !ok || x.Disabled {
		return "", Token{}, fmt.Errorf("token %q: %w: a token belongs to an account: sign in with one", n.Name, ErrForbidden)
	}
	if len(a.tokens) >= maxTokens {
		return "", Token{}, fmt.Errorf("token %q: %w: there are %d tokens: remove some", n.Name, ErrInvalid, maxTokens)
	}
	for _, x := range a.tokens {
		if x.Name == n.Name && x.Owner == p.Owner {
			return "", Token{}, fmt.Errorf("token %q: %w: remove it first, or give another name", n.Name, ErrExists)
		}
	}
	if err := a.store.PutTokens([]Token{t}); err != nil {
		return "", Token{}, fmt.Errorf("save token %q: %w", n.Name, err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.tokens[hash] = &token{Token: t}
	return text, t, nil
}

// clean checks a limit, and gives nil for one that limits nothing.
func (l *Limit) clean() (*Limit, error) {
	if l == nil || l.Role == "" && len(l.Groups) == 0 {
		return nil, nil
	}
	switch {
	case l.Role != "" && !l.Role.Known():
		return nil, fmt.Errorf("role %.40q: %w: want one of %s", string(l.Role), ErrInvalid, roleNames())
	case len(l.Groups) > maxTokenGroups:
		return nil, fmt.Errorf("%w: %d groups, at most %d: give one above them", ErrInvalid, len(l.Groups), maxTokenGroups)
	}
	out := Limit{Role: l.Role}
	for _, g := range l.Groups {
		if len(g) > 1024 {
			return nil, fmt.Errorf("group %.80q…: %w: it is too long", g, ErrInvalid)
		}
		out.Groups = append(out.Groups, strings.Trim(g, "/"))
	}
	return &out, nil
}

// Tokens gives the API tokens of an account sorted by name, without their secrets.
func (a *Access) Tokens(account string) []Token {
	a.mu.RLock()
	defer a.mu.RUnlock()
	out := []Token{}
	for _, x := range a.tokens {
		if x.Owner == account {
			out = append(out, x.now())
		}
	}
	slices.SortFunc(out, func(x, y Token) int { return strings.Compare(x.Name, y.Name) })
	return out
}

// now gives the token with when it was last used.
func (t *token) now() Token {
	out := t.Token
	out.LastUsed = t.used.Load()
	return out
}

// RemoveToken makes a token useless at once: one of p's account by id or name, or any by id where p may change people. A
// token that is limited removes no other of its account's. Errors wrap ErrNotFound.
func (a *Access) RemoveToken(p Principal, id string) error {
	anyones := a.Authorize(p, PeopleChange, Resource{Kind: "token", ID: id}) == nil
	a.write.Lock()
	defer a.write.Unlock()
	for hash, x := range a.tokens {
		mine := x.Owner == p.Owner && p.Owner != "" && (p.Limit == nil || x.Name == p.Name)
		if !(mine && (x.ID == id || x.Name == id) || anyones && x.ID == id) {
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

// Run saves now and then when tokens were last used, until ctx ends, and then once more.
func (a *Access) Run(ctx context.Context) error {
	tick := time.NewTicker(saveUses)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return a.saveUses()
		case <-tick.C:
			if err := a.saveUses(); err != nil {
				a.log.Error("save when API tokens were last used", "error", err)
			}
		}
	}
}

func (a *Access) saveUses() error {
	a.write.Lock()
	defer a.write.Unlock()
	var used []Token
	for _, t := range a.tokens {
		if now := t.now(); now.LastUsed != t.LastUsed {
			used = append(used, now)
		}
	}
	if len(used) == 0 {
		return nil
	}
	if err := a.store.PutTokens(used); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, t := range used {
		a.tokens[t.Hash].LastUsed = t.LastUsed
	}
	return nil
}
