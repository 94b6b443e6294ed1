package store

import (
	"errors"

	"go.etcd.io/bbolt"
)

// writer puts and removes several records and keeps the first error.
type writer struct {
	tx  *bbolt.Tx
	err error
}

func (w *writer) put(at place, v any) {
	if w.err == nil {
		w.err = put(w.tx, at, v)
	}
}

func (w *writer) remove(at place) {
	if w.err == nil {
		w.err = remove(w.tx, at)
	}
}

func (w *writer) removeAll(at place) {
	if w.err == nil {
		w.err = removeAll(w.tx, at)
	}
}

// all appends every record whose key begins with at.key to out, in key order.
func all[T any](tx *bbolt.Tx, at place, out *[]T) error {
	return each(tx, at, func(_ []byte, v T) error {
		*out = append(*out, v)
		return nil
	})
}

// optional gets a record, and the zero T where there is none.
func optional[T any](tx *bbolt.Tx, at place) (T, error) {
	v, err := get[T](tx, at)
	if errors.Is(err, ErrNotFound) {
		err = nil
	}
	return v, err
}
