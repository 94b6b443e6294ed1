package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/internal/apiclient"
)

func (a *app) backupCommand() *cobra.Command {
	return parent("backup", "backups of the hub, always encrypted",
		a.makeBackupCommand(), a.backupPlanCommand(), a.showBackupsCommand(), a.runBackupCommand())
}

// lockFlags are what a backup is encrypted with.
type lockFlags struct {
	passphraseFile string
	recipients     []string
}

func (l *lockFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&l.passphraseFile, "passphrase-file", "", "file with the passphrase, 12 characters or more; - for standard input")
	cmd.Flags().StringArrayVar(&l.recipients, "recipient", nil, "public key whose holder can open it: age1… or an SSH public key; may be repeated")
	cmd.MarkFlagsMutuallyExclusive("passphrase-file", "recipient")
}

func (l *lockFlags) given() bool { return l.passphraseFile != "" || len(l.recipients) > 0 }

// lock is what the flags say, or a passphrase that is asked for twice.
func (a *app) lock(l lockFlags) (resource.BackupLock, error) {
	switch {
	case len(l.recipients) > 0:
		return resource.BackupLock{Recipients: l.recipients}, nil
	case l.passphraseFile != "":
		passphrase, err := a.password(l.passphraseFile)
		return resource.BackupLock{Passphrase: passphrase}, err
	}
	f, ok := a.terminal()
	if !ok {
		return resource.BackupLock{}, fmt.Errorf("%w: there is no terminal to ask for a passphrase on: give --passphrase-file or --recipient", errUsage)
	}
	var said [2]string
	for i, question := range []string{"Passphrase of the backup: ", "Once more: "} {
		say(a.errOut, "%s", question)
		raw, err := term.ReadPassword(int(f.Fd()))
		say(a.errOut, "\n")
		if err != nil {
			return resource.BackupLock{}, fmt.Errorf("read passphrase: %w", err)
		}
		said[i] = string(raw)
	}
	if said[0] != said[1] {
		return resource.BackupLock{}, errors.New("the two passphrases differ: nothing was done")
	}
	return resource.BackupLock{Passphrase: said[0]}, nil
}

func (a *app) makeBackupCommand() *cobra.Command {
	var l lockFlags
	cmd := &cobra.Command{
		Use: "make FILE", Short: "make a backup of the whole hub, and take it", Args: cobra.ExactArgs(1),
		Long: `Makes a backup of the whole hub while it runs, and writes it into FILE, which appears when it is whole. It is encrypted in the age format,
with a passphrase that is asked for twice, or for the holders of keys. Keep passphrase or key apart from it: together they are the hub, and
without them it is worth nothing. ` + "`farshore-hub restore`" + ` puts it back, and with --check only reads it.`,
		Example: "  farshore backup make hub.age --recipient age1…",
		RunE: func(cmd *cobra.Command, args []string) error {
			lock, err := a.lock(l)
			if err != nil {
				return err
			}
			n, err := a.takeBackup(cmd.Context(), args[0], lock)
			if err != nil {
				return err
			}
			a.done("Backup %s is made: %s.", args[0], size(uint64(n)))
			return nil
		},
	}
	l.add(cmd)
	return cmd
}

// takeBackup writes a backup beside its file, and gives it its name when it is whole.
func (a *app) takeBackup(ctx context.Context, file string, lock resource.BackupLock) (int64, error) {
	hub, err := a.hub()
	if err != nil {
		return 0, err
	}
	f, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+".*") // 0600
	if err != nil {
		return 0, fmt.Errorf("write backup: %w", err)
	}
	defer os.Remove(f.Name())
	err = hub.Copy(ctx, apiclient.Request{Method: http.MethodPost, Path: "/backup", Body: lock}, f)
	n, sizeErr := f.Seek(0, io.SeekCurrent)
	if err := errors.Join(err, sizeErr, f.Sync(), f.Close()); err != nil {
		return 0, err
	}
	return n, os.Rename(f.Name(), file)
}

func (a *app) backupPlanCommand() *cobra.Command {
	var l lockFlags
	var plan resource.BackupPlan
	var off bool
	cmd := &cobra.Command{
		Use: "plan", Short: "set when and where the hub makes backups by itself", Args: cobra.NoArgs,
		Long: `Sets a folder on the hub's machine, times, and how many backups are kept there. The hub removes none but its own. Without
--passphrase-file and --recipient the passphrase that is set stays, and where there is none one is asked for.`,
		Example: "  farshore backup plan --folder /var/backups/farshore --at 02:30 --keep 14 --passphrase-file secret\n  farshore backup plan --off",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if off {
				plan = resource.BackupPlan{}
			} else if err := a.planLock(cmd.Context(), l, &plan); err != nil {
				return err
			}
			var now resource.Backups
			if err := a.call(cmd.Context(), http.MethodPut, "/settings/backup", plan, &now); err != nil {
				return err
			}
			return a.print(now, func() *table { return backupTable(now) })
		},
	}
	l.add(cmd)
	cmd.Flags().StringVar(&plan.Folder, "folder", "", "folder on the hub's machine, outside its data folder")
	cmd.Flags().StringVar(&plan.Times, "at", "02:30", "time of day, or the five fields of a crontab, by the hub's clock")
	cmd.Flags().IntVar(&plan.Keep, "keep", 14, "how many are kept")
	cmd.Flags().BoolVar(&off, "off", false, "make none by itself any more")
	cmd.MarkFlagsOneRequired("folder", "off")
	cmd.MarkFlagsMutuallyExclusive("folder", "off")
	return cmd
}

// planLock fills in what the plan's backups are encrypted with; where a passphrase is set and none is given, it stays.
func (a *app) planLock(ctx context.Context, l lockFlags, plan *resource.BackupPlan) (err error) {
	if !l.given() {
		var now resource.Backups
		if err := a.get(ctx, "/settings/backup", nil, &now); err != nil || now.HasPassphrase {
			return err
		}
	}
	plan.BackupLock, err = a.lock(l)
	return err
}

func (a *app) showBackupsCommand() *cobra.Command {
	return &cobra.Command{
		Use: "show", Short: "show the plan, and the backups that were made by it", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var now resource.Backups
			if err := a.get(cmd.Context(), "/settings/backup", nil, &now); err != nil {
				return err
			}
			return a.print(now, func() *table { return backupTable(now) })
		},
	}
}

func (a *app) runBackupCommand() *cobra.Command {
	return &cobra.Command{
		Use: "run", Short: "make a backup now as the plan says", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var run resource.BackupRun
			if err := a.call(cmd.Context(), http.MethodPost, "/settings/backup/run", nil, &run); err != nil {
				return err
			}
			if run.Error != "" {
				return errors.New(run.Error)
			}
			return a.print(run, func() *table {
				return &table{head: []string{"FILE", "SIZE", "TOOK"}, rows: [][]string{{run.File, size(uint64(run.Size)), fmt.Sprintf("%.1f s", run.Seconds)}}}
			})
		},
	}
}

func backupTable(b resource.Backups) *table {
	t := &table{}
	if b.Folder == "" {
		t.add("The hub makes no backups by itself: see farshore backup plan --help.")
		return t
	}
	lock := "a passphrase"
	if n := len(b.Recipients); n > 0 {
		lock = fmt.Sprintf("%d public keys", n)
	}
	t.add("folder", b.Folder)
	t.add("times", b.Times)
	t.add("keep", fmt.Sprint(b.Keep))
	t.add("locked with", lock)
	t.add("next", exact(b.Next))
	t.add("last success", exact(b.LastSuccess))
	for _, r := range b.Runs {
		what := r.File + ", " + size(uint64(r.Size))
		if r.Error != "" {
			what = "failed: " + r.Error
		}
		t.add(exact(r.Started), what)
	}
	return t
}
