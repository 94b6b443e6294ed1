package composer

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/farshore/farshore/stacks/composer/ipc"
)

// maxRequest bounds the request, in bytes.
const maxRequest = 4 << 20

// parentPoll is how often the composer looks whether the agent that started it still lives.
const parentPoll = time.Second

// Main is the composer process: it reads a request from stdin, does it, writes events to stdout, and returns the exit
// code. SIGTERM, SIGINT and the death of the process that started it cancel.
func Main(stdin io.Reader, stdout, stderr io.Writer) int {
	// What the engine and we say tells what matters; of the library's log only errors are of use.
	logrus.SetOutput(stderr)
	logrus.SetLevel(logrus.ErrorLevel)

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	parent := os.Getppid()
	go func() {
		defer close(done)
		watchParent(ctx, parent, cancel)
	}()
	defer func() { cancel(); <-done }()

	var req ipc.Request
	if err := json.NewDecoder(io.LimitReader(stdin, maxRequest)).Decode(&req); err != nil {
		newOutput(Config{Events: stdout, Noise: stderr}).emit(ipc.Event{
			Kind: ipc.KindFailed, Code: ipc.CodeBadRequest,
			Detail: fmt.Sprintf("stdin holds no request (%v); this program is started by farshore-agent", err),
		})
		return ipc.ExitBadRequest
	}
	return Run(ctx, Config{Request: req, Events: stdout, Noise: stderr})
}

// watchParent cancels when the process that started this one dies: a new agent will start a new composer.
func watchParent(ctx context.Context, parent int, cancel context.CancelFunc) {
	tick := time.NewTicker(parentPoll)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if os.Getppid() != parent {
				cancel()
				return
			}
		}
	}
}
