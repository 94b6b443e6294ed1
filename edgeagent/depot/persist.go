package depot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	"github.com/farshore/farshore/snapshot"
	"github.com/farshore/farshore/stacks/composer/ipc"
	"github.com/farshore/farshore/stacks/reconciler"
)

// patience is how often in a row a link may fail without a byte in between.
const patience = 5

// persist does what needs the link again and again, for as long as it moves on or may only not do so now.
func (d *Depot) persist(ctx context.Context, do func() (moved bool, err error)) error {
	fails := 0
	for {
		moved, err := do()
		switch {
		case err == nil || ctx.Err() != nil:
			return errors.Join(err, ctx.Err())
		case moved:
			fails = 0
		}
		if !d.notNow(err) {
			if fails++; fails >= patience || !passing(err) {
				return err
			}
		}
		pause := time.NewTimer(d.cfg.Pause << max(fails-1, 0))
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return ctx.Err()
		}
	}
}

// passing reports whether an error of the link or the registry may go away by itself.
func passing(err error) bool {
	var network net.Error
	status := statusOf(err)
	switch {
	case full(err), errors.Is(err, errWrong):
		return false
	case status == http.StatusTooManyRequests, status == http.StatusRequestTimeout, status >= 500:
		return true
	case status != 0:
		return false
	}
	return errors.As(err, &network) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, errOther) ||
		errors.Is(err, context.Canceled) || // by the watch: who wants the image was asked before
		errors.Is(err, syscall.ECONNRESET) || strings.Contains(err.Error(), "server closed idle connection")
}

func full(err error) bool { return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) }

// explain makes the failure that is reported of an image.
func (d *Depot) explain(image ipc.Image, n name, err error) error {
	f := &reconciler.ImageFailure{Code: ipc.CodeImageUnavailable, Passing: passing(err)}
	say := func(format string, args ...any) error {
		f.Detail = fmt.Sprintf("service %s needs image %q, ", image.Service, image.Ref) + fmt.Sprintf(format, args...) + "; what was running runs on"
		return f
	}
	status := statusOf(err)
	switch {
	case full(err), errors.Is(err, errFullThere):
		f.Code, f.Passing = ipc.CodeDiskFull, false
		f.Detail = fmt.Sprintf("the device's disk is too full for image %q (%v); remove images or volumes that are not needed, it goes on by itself then", image.Ref, err)
		return f
	case errors.Is(err, snapshot.ErrEngineAbsent):
		f.Code, f.Detail = ipc.CodeEngineUnreachable, err.Error()
		return f
	case errors.Is(err, errAway):
		return say("which is not on the device, and pulling is off; load the image on the device, or allow pulling")
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return say("which %s gives to nobody with what the device shows (%v); check the name, and the registry's user and password", n.host, err)
	case status == http.StatusNotFound:
		return say("which %s does not have (%v); check its name", n.host, err)
	case f.Passing:
		return say("and %s cannot be reached or breaks off (%v); check the device's way to the registry; what has come is kept", n.host, err)
	}
	return say("which the agent cannot get from %s (%v); check the image and its registry", n.host, err)
}
