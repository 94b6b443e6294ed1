package api

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/farshore/farshore/hub/access"
	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/hub/backup"
)

type (
	makeBackupInput struct{ Body resource.BackupLock }
	putBackupInput  struct{ Body resource.BackupPlan }
)

func (s *server) backupRoutes() {
	const tag = "Backup"
	add(s, route[makeBackupInput, huma.StreamResponse]{
		Method: http.MethodPost, Path: "/backup", ID: "make-backup", Tag: tag,
		Summary: "Make a backup of the whole hub and take it",
		Description: "The answer is a file in the age format. With what opens it, it is the hub: it holds the hub key, which every device obeys. " +
			"`farshore-hub restore` puts it back.",
		Does: access.BackupMake, On: onHub[makeBackupInput], Streams: "application/octet-stream", Slow: backupTimeout, Run: s.makeBackup,
	})
	add(s, route[struct{}, reply[resource.Backups]]{
		Method: http.MethodGet, Path: "/settings/backup", ID: "get-backup-plan", Tag: tag,
		Summary: "When and where the hub makes backups by itself, and how it went",
		Does:    access.HubRead, On: onHub[struct{}],
		Run: func(context.Context, *call, *struct{}) (*reply[resource.Backups], error) {
			return replyWith(s.backups()), nil
		},
	})
	add(s, route[putBackupInput, reply[resource.Backups]]{
		Method: http.MethodPut, Path: "/settings/backup", ID: "put-backup-plan", Tag: tag,
		Summary:     "Replace the plan of backups",
		Description: "Where neither passphrase nor recipients are given, the passphrase that is set stays. An empty folder ends the plan.",
		Does:        access.BackupMake, On: onHub[putBackupInput], Records: "backup.plan",
		Run: func(_ context.Context, c *call, in *putBackupInput) (*reply[resource.Backups], error) {
			p := backup.Plan{Folder: in.Body.Folder, Times: in.Body.Times, Keep: in.Body.Keep, Recipients: in.Body.Recipients}
			if err := s.Backups.SetPlan(p, in.Body.Passphrase); err != nil {
				return nil, err
			}
			c.detail = "no backups are made by themselves"
			if p.Folder != "" {
				c.detail = fmt.Sprintf("to %q at %q, keeping %d, locked with %s", p.Folder, p.Times, p.Keep, lockWords(in.Body.BackupLock))
			}
			return replyWith(s.backups()), nil
		},
	})
	add(s, route[struct{}, reply[resource.BackupRun]]{
		Method: http.MethodPost, Path: "/settings/backup/run", ID: "run-backup-plan", Tag: tag,
		Summary: "Make a backup now as the plan says",
		Does:    access.BackupMake, On: onHub[struct{}], Records: "backup.run", Slow: backupTimeout,
		Run: func(ctx context.Context, c *call, _ *struct{}) (*reply[resource.BackupRun], error) {
			run, err := s.Backups.RunNow(ctx)
			if err != nil && run.Error == "" {
				return nil, err
			}
			c.detail = run.File + run.Error
			return replyWith(backupRun(run)), nil // one that failed is told in the run
		},
	})
}

// backupTimeout is how long making a backup may take.
const backupTimeout = 30 * time.Minute

func lockWords(l resource.BackupLock) string {
	if n := len(l.Recipients); n > 0 {
		return fmt.Sprintf("%d public keys", n)
	}
	return "a passphrase"
}

func (s *server) makeBackup(ctx context.Context, c *call, in *makeBackupInput) (*huma.StreamResponse, error) {
	var lock backup.Lock
	var err error
	switch l := in.Body; {
	case l.Passphrase != "" && len(l.Recipients) > 0:
		return nil, invalid("body", "give a passphrase or recipients, not both")
	case len(l.Recipients) > 0:
		lock, err = backup.RecipientsLock(l.Recipients)
	default:
		lock, err = backup.PassphraseLock(l.Passphrase)
	}
	if err != nil {
		return nil, inField("body", err)
	}
	made, err := s.Backups.Make(ctx, lock)
	if err != nil {
		return nil, err
	}
	c.detail = fmt.Sprintf("%d bytes, locked with %s", made.Size, lockWords(in.Body))
	return &huma.StreamResponse{Body: func(ctx huma.Context) {
		defer made.Close()
		_, w := humago.Unwrap(ctx)
		ctx.SetHeader("Content-Type", "application/octet-stream")
		ctx.SetHeader("Content-Disposition", `attachment; filename="`+made.Name+`"`)
		ctx.SetHeader("Content-Length", strconv.FormatInt(made.Size, 10))
		ctx.SetStatus(http.StatusOK)
		_, _ = io.Copy(&patient{w: w, rc: http.NewResponseController(w)}, made.File) // who has gone needs no backup
	}}, nil
}

func (s *server) backups() resource.Backups {
	now := s.Backups.State()
	out := resource.Backups{
		Folder: now.Plan.Folder, Times: now.Plan.Times, Keep: now.Plan.Keep, Recipients: now.Plan.Recipients, HasPassphrase: now.Passphrase,
		Next: ofMilli(now.Next), LastSuccess: ofMilli(now.LastSuccess), Runs: make([]resource.BackupRun, len(now.Runs)),
	}
	for i, r := range now.Runs {
		out.Runs[i] = backupRun(r)
	}
	return out
}

func backupRun(r backup.Run) resource.BackupRun {
	return resource.BackupRun{
		Started: ofMilli(r.Started), Seconds: float64(r.Took) / 1000, Folder: r.Folder, File: r.File, Size: r.Size, Error: r.Error,
	}
}
