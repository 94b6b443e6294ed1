//go:build !linux

package composer

import "syscall"

// attributes leaves everything as it is.
func attributes() *syscall.SysProcAttr { return nil }
