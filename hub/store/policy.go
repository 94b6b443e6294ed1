package store

import (
	"go.etcd.io/bbolt"

	"github.com/farshore/farshore/hub/policy"
)

// policyAt has a letter before the path, because the root's is empty.
func policyAt(group string) place { return place{"policies", 1, []byte("g" + group)} }

// LoadPolicies implements policy.Store.
func (s *Store) LoadPolicies() (out []policy.Policy, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error { return all(tx, place{"policies", 1, nil}, &out) })
	return out, err
}

// PutPolicy implements policy.Store.
func (s *Store) PutPolicy(p policy.Policy) error {
	return s.update(func(tx *bbolt.Tx) error { return put(tx, policyAt(p.Group), p) })
}

// RemovePolicy implements policy.Store.
func (s *Store) RemovePolicy(group string) error {
	return s.update(func(tx *bbolt.Tx) error { return remove(tx, policyAt(group)) })
}
