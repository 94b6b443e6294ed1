//go:build !linux

package testengine

import "os/exec"

func isolatedCommand(string, ...string) (*exec.Cmd, error) { return nil, ErrUnsupported }

func ownNetwork(*exec.Cmd) {}
