//go:build !(linux || darwin || freebsd || netbsd || openbsd || dragonfly)

package boltfile

import (
	"errors"
	"os"
)

// tryLock cannot: a lock taken here would keep bbolt out.
func tryLock(*os.File) (bool, error) { return false, errors.ErrUnsupported }
