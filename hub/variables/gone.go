package variables

import (
	"errors"
	"slices"

	"github.com/farshore/farshore/protocol"
)

// Forget drops what a group or device had that was removed. It is called after the removal, and tells nobody.
func (b *Book) Forget(scope Scope) error {
	return b.locked(func(own map[Scope][]entry) ([]Scope, error) {
		if len(own[scope]) == 0 || b.cfg.There(scope) {
			return nil, nil
		}
		own[scope] = nil
		return []Scope{scope}, nil
	})
}

// Tidy drops what groups and devices had that are not there any more: the hub may have died while they were removed.
func (b *Book) Tidy() error {
	return b.locked(func(own map[Scope][]entry) (gone []Scope, err error) {
		for scope := range own {
			if !b.cfg.There(scope) {
				own[scope] = nil
				gone = append(gone, scope)
			}
		}
		return gone, nil
	})
}

// Replace gives the variables of old to its replacement while do makes it that. They are there before do, so that no
// stack is without them in between, and are taken back where it fails.
func (b *Book) Replace(old, replacement protocol.DeviceID, do func() error) error {
	from, to := Scope{Device: old}, Scope{Device: replacement}
	if len(b.now.Load().own[from]) == 0 || old == replacement {
		return do()
	}
	var before []entry
	if err := b.locked(func(own map[Scope][]entry) ([]Scope, error) {
		before = own[to]
		own[to] = b.resealed(own[from], to)
		return []Scope{to}, nil
	}); err != nil {
		return err
	}
	err := do()
	left := b.locked(func(own map[Scope][]entry) ([]Scope, error) {
		if err != nil {
			own[to] = before
			return []Scope{to}, nil
		}
		own[from] = nil
		return []Scope{from}, nil
	})
	b.changed(to)
	return errors.Join(err, left)
}

// resealed are variables for another scope. What is lost stays so.
func (b *Book) resealed(all []entry, to Scope) []entry {
	out := slices.Clone(all)
	for i, e := range out {
		if !e.lost {
			out[i].Sealed = b.cfg.Vault.Seal(purpose(to, e.Name), []byte(e.text))
		}
	}
	return out
}
