package store

import (
	"go.etcd.io/bbolt"

	"github.com/farshore/farshore/hub/certificate"
	"github.com/farshore/farshore/hub/gate"
)

// Places of the records of packages certificate and gate.
func certificateAt() place { return place{"protection", 1, []byte("certificate")} }

func gateAt() place { return place{"protection", 1, []byte("gate")} }

// LoadCertificate implements certificate.Store.
func (s *Store) LoadCertificate() (out certificate.Saved, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		out, err = optional[certificate.Saved](tx, certificateAt())
		return err
	})
	return out, err
}

// PutCertificate implements certificate.Store.
func (s *Store) PutCertificate(c certificate.Saved) error {
	return s.update(func(tx *bbolt.Tx) error { return put(tx, certificateAt(), c) })
}

// RemoveCertificate implements certificate.Store.
func (s *Store) RemoveCertificate() error {
	return s.update(func(tx *bbolt.Tx) error { return remove(tx, certificateAt()) })
}

// LoadProtection implements gate.Store.
func (s *Store) LoadProtection() (out gate.Settings, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		out, err = optional[gate.Settings](tx, gateAt())
		return err
	})
	return out, err
}

// PutProtection implements gate.Store.
func (s *Store) PutProtection(g gate.Settings) error {
	return s.update(func(tx *bbolt.Tx) error { return put(tx, gateAt(), g) })
}
