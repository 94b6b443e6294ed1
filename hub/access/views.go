package access

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// Bounds of an account's saved views.
const (
	maxViews     = 50
	maxViewName  = 128
	maxViewQuery = 4096
)

// View is a saved view of the console.
type View struct {
	Name string `cbor:"1,keyasint"`
	// Query is what the console puts behind the ? of its address.
	Query string `cbor:"2,keyasint,omitempty"`
}

// Views returns the saved views of the principal's account, in the order in which they were saved.
func (a *Access) Views(p Principal) ([]View, error) {
	if p.Owner == "" {
		return nil, nil
	}
	views, err := a.store.Views(p.Owner)
	if err != nil {
		return nil, fmt.Errorf("read the saved views of %q: %w", p.Owner, err)
	}
	return views, nil
}

// SetViews replaces the saved views of the principal's account. Errors wrap ErrInvalid or ErrForbidden.
func (a *Access) SetViews(p Principal, views []View) error {
	if p.Owner == "" {
		return fmt.Errorf("saved views: %w: they belong to an account: sign in with one", ErrForbidden)
	}
	if p.Limit != nil {
		return fmt.Errorf("saved views: %w: this API token is limited to other things", ErrForbidden)
	}
	if len(views) > maxViews {
		return fmt.Errorf("saved views: %w: %d, at most %d: remove some", ErrInvalid, len(views), maxViews)
	}
	for i, v := range views {
		printable := !strings.ContainsFunc(v.Name+v.Query, func(r rune) bool { return !unicode.IsPrint(r) })
		switch {
		case strings.TrimSpace(v.Name) == "" || len(v.Name) > maxViewName || len(v.Query) > maxViewQuery || !printable:
			return fmt.Errorf("saved view %.160q: %w: want a name of 1 to %d and a query of at most %d bytes of printable text",
				v.Name, ErrInvalid, maxViewName, maxViewQuery)
		case slices.ContainsFunc(views[:i], func(o View) bool { return o.Name == v.Name }):
			return fmt.Errorf("saved view %.160q: %w: there are two of this name: give one another", v.Name, ErrInvalid)
		}
	}
	if err := a.store.PutViews(p.Owner, views); err != nil {
		return fmt.Errorf("save the views of %q: %w", p.Owner, err)
	}
	return nil
}
