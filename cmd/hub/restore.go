package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/farshore/farshore/hub"
	"github.com/farshore/farshore/hub/backup"
	"github.com/farshore/farshore/internal/program"
)

// restore puts a backup into an empty data folder, or only says what is in it.
func restore(ctx context.Context, args []string) (err error) {
	fs := newFlags("restore")
	data := fs.String("data", "", "data folder to be made: one that is missing or empty (required without --check)")
	from := fs.String("from", "", "backup file, or - for standard input (required)")
	passphrase := fs.String("passphrase-file", "", "file with the passphrase of the backup")
	identity := fs.String("identity", "", "file with the private key of the backup: age keys, or an SSH key without a passphrase")
	check := fs.Bool("check", false, "only read the whole backup and say what is in it")
	if err := program.Parse(fs, args, program.Source{Prefix: "FARSHORE_HUB"}); err != nil {
		return err
	}
	switch {
	case fs.NArg() > 0:
		return fmt.Errorf("%w: unexpected %q", program.ErrUsage, fs.Arg(0))
	case *from == "":
		return fmt.Errorf("%w: give the backup with --from", program.ErrUsage)
	case *data == "" && !*check:
		return fmt.Errorf("%w: give the data folder to be made with --data, or --check", program.ErrUsage)
	}
	key, err := backupKey(*passphrase, *identity)
	if err != nil {
		return err
	}
	in := io.Reader(os.Stdin)
	if *from != "-" {
		f, err := os.Open(*from)
		if err != nil {
			return fmt.Errorf("open backup: %w", err)
		}
		defer f.Close()
		in = f
	}
	if *check {
		m, err := backup.Check(ctx, in, key)
		if err != nil {
			return err
		}
		fmt.Println("The backup is whole.")
		describe(m)
		return nil
	}
	m, err := hub.Restore(ctx, hub.RestoreConfig{Data: *data, From: in, Key: key, Version: program.Version()})
	if err != nil {
		return err
	}
	fmt.Printf("Restored into %s.\n", *data)
	describe(m)
	fmt.Printf("Make sure that the hub of which this is a backup does not run any more, then start this one: farshore-hub serve --data %s\n", *data)
	return nil
}

// backupKey reads what opens a backup from one of two files.
func backupKey(passphraseFile, identityFile string) (backup.Key, error) {
	switch {
	case (passphraseFile == "") == (identityFile == ""):
		return backup.Key{}, fmt.Errorf("%w: give what opens the backup: --passphrase-file or --identity", program.ErrUsage)
	case passphraseFile != "":
		raw, err := os.ReadFile(passphraseFile)
		if err != nil {
			return backup.Key{}, fmt.Errorf("read passphrase: %w", err)
		}
		return backup.PassphraseKey(strings.TrimRight(string(raw), "\r\n"))
	}
	f, err := os.Open(identityFile)
	if err != nil {
		return backup.Key{}, fmt.Errorf("read key: %w", err)
	}
	key, err := backup.IdentityKey(f)
	return key, errors.Join(err, f.Close())
}

// describe prints what a backup holds, one `name: value` a line.
func describe(m backup.Manifest) {
	fmt.Printf("made: %s\n", m.Created.Format(time.RFC3339))
	fmt.Printf("hub: %q, schema %d\n", m.Hub, m.Schema)
	fmt.Printf("fingerprint: %q\n", m.Fingerprint)
	fmt.Printf("files: %d, %d bytes\n", len(m.Files), m.Size())
}
