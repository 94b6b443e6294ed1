package store

import (
	"go.etcd.io/bbolt"

	"github.com/farshore/farshore/hub/variables"
)

// variablesAt has a letter before what the scope is named by, which tells groups and devices apart.
func variablesAt(s variables.Scope) place {
	key := "g" + s.Group
	if s.Device != "" {
		key = "d" + string(s.Device)
	}
	return place{"variables", 1, []byte(key)}
}

// LoadVariables implements variables.Store.
func (s *Store) LoadVariables() (out []variables.Saved, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error { return all(tx, place{"variables", 1, nil}, &out) })
	return out, err
}

// PutVariables implements variables.Store.
func (s *Store) PutVariables(scopes []variables.Saved) error {
	return s.update(func(tx *bbolt.Tx) error {
		w := writer{tx: tx}
		for _, v := range scopes {
			if len(v.Variables) == 0 {
				w.remove(variablesAt(v.Scope))
			} else {
				w.put(variablesAt(v.Scope), v)
			}
		}
		return w.err
	})
}
