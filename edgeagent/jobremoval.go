package edgeagent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/farshore/farshore/edgeagent/engine"
	"github.com/farshore/farshore/edgeagent/state"
	"github.com/farshore/farshore/jobs/runner"
	"github.com/farshore/farshore/jobs/runner/host"
	"github.com/farshore/farshore/protocol"
)

// Folders of jobs in the data folder.
const (
	runsFolder    = "runs"
	outputsFolder = "outputs"
)

// RemoveJobs ends what jobs have under way on a device whose agent does not run, and removes all that is left of them, as if
// the hub wanted none: processes, containers, folders, output, scripts and journal. It returns what it did in a sentence; ""
// where there was nothing. Of cfg it uses data folder, engine and log.
func RemoveJobs(ctx context.Context, cfg Config) (done string, err error) {
	s, err := state.OpenDisk(cfg.Data)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	device, book := s.Identity().ID, s.Jobs()
	dir := filepath.Join(cfg.Data, runsFolder)
	left := runsLeft(dir, book.Runs)
	x := host.New(host.Config{Dir: dir, Device: device, Log: cfg.Log})
	for _, run := range left {
		if err := x.Clear(ctx, run); err != nil {
			return "", err
		}
	}
	e := engine.New(engine.Config{Host: cfg.EngineHost, Log: cfg.Log})
	containers, err := e.JobExecutor(device).ClearAll(ctx)
	if err = errors.Join(err, e.Close()); err != nil {
		return "", err
	}
	for _, name := range []string{runsFolder, outputsFolder} {
		if err := os.RemoveAll(filepath.Join(cfg.Data, name)); err != nil {
			return "", fmt.Errorf("remove what jobs have left: %w", err)
		}
	}
	if err := forgetJobs(s, book); err != nil {
		return "", err
	}
	if len(book.Cursors)+len(book.Runs)+len(left)+containers == 0 {
		return "", nil
	}
	return fmt.Sprintf("The jobs of this device are removed, with their scripts and output (jobs: %d, runs: %d, containers: %d).",
		len(book.Cursors), len(book.Runs), containers), nil
}

// forgetJobs has nothing of jobs in the state any more.
func forgetJobs(s *state.Store, book runner.Book) error {
	var c runner.Change
	for _, cursor := range book.Cursors {
		c.DropCursors = append(c.DropCursors, cursor.Job)
	}
	for _, run := range book.Runs {
		c.DropRuns = append(c.DropRuns, run.ID)
	}
	var wanted []protocol.Entry
	for _, e := range s.Desired() {
		if e.Kind != protocol.EntryJob {
			wanted = append(wanted, e)
		}
	}
	mark := s.Orders().Mark
	mark.Seq++ // older than anything that a hub will order
	return errors.Join(s.AcceptOrders(state.Accept{Mark: mark, Desired: &wanted}), s.PutJobs(c), s.CollectBlobs())
}

// runsLeft are the runs of which something may be left on the host: those that had begun, and those that have a folder.
func runsLeft(dir string, journal []runner.Run) (left []uint64) {
	seen := map[uint64]bool{}
	add := func(run uint64) {
		if !seen[run] {
			seen[run] = true
			left = append(left, run)
		}
	}
	for _, run := range journal {
		if run.Stage == runner.Started {
			add(run.ID)
		}
	}
	list, _ := os.ReadDir(dir) // not there: no script has run
	for _, f := range list {
		if run, err := strconv.ParseUint(f.Name(), 10, 64); err == nil {
			add(run)
		}
	}
	return left
}
