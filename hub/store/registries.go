package store

import (
	"go.etcd.io/bbolt"

	"github.com/farshore/farshore/hub/registries"
)

func registryAt(id string) place { return place{"registries", 1, []byte(id)} }

// LoadRegistries implements registries.Store.
func (s *Store) LoadRegistries() (out []registries.Registry, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error { return all(tx, registryAt(""), &out) })
	return out, err
}

// PutRegistry implements registries.Store.
func (s *Store) PutRegistry(r registries.Registry) error {
	return s.update(func(tx *bbolt.Tx) error { return put(tx, registryAt(r.ID), r) })
}

// RemoveRegistry implements registries.Store.
func (s *Store) RemoveRegistry(id string) error {
	return s.update(func(tx *bbolt.Tx) error { return remove(tx, registryAt(id)) })
}
