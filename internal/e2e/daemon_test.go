package e2e

import (
	"sync"
	"syscall"
	"testing"
)

// daemon is a program that is started again and again with the same data.
type daemon struct {
	t       *testing.T
	log     *output
	command func() command

	mu   sync.Mutex // held during a start and an end, so that crash sees neither half done
	proc *process   // guarded by mu; nil: it is meant to be down
}

func (d *daemon) start() {
	d.t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.proc != nil {
		d.t.Fatalf("%s is started twice", d.log.name)
	}
	d.proc = start(d.t, d.log, d.command())
}

// running tells whether it was started and has not ended.
func (d *daemon) running() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.proc != nil && d.proc.running()
}

// stop ends it in good order.
func (d *daemon) stop() {
	d.t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.proc.stop()
	d.proc = nil
}

// kill ends it as `kill -9` does.
func (d *daemon) kill() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.proc.kill()
	d.proc = nil
}

// mustEnd waits until a program that cannot work has ended by itself; it returns its exit code and what it printed.
func (d *daemon) mustEnd() (code int, text string) {
	d.t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	code = d.proc.mustEnd()
	d.proc = nil
	return code, d.log.text()
}

// crash kills it and starts it again at once, as a service manager does. While it is meant to be down it does nothing
// and reports false. Unlike the other methods it may be called from any goroutine.
func (d *daemon) crash() (bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.proc == nil {
		return false, nil
	}
	d.proc.kill()
	p, err := launch(d.t, d.log, d.command())
	if err != nil {
		return false, err
	}
	d.proc = p
	return true, nil
}

// signal sends it a signal, such as SIGHUP to have files read again.
func (d *daemon) signal(s syscall.Signal) {
	d.t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := syscall.Kill(d.proc.pid, s); err != nil {
		d.t.Errorf("send %v to %s: %v", s, d.log.name, err)
	}
}
