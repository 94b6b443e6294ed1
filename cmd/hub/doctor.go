package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/farshore/farshore/hub"
	"github.com/farshore/farshore/hub/doctor"
	"github.com/farshore/farshore/hub/store"
	"github.com/farshore/farshore/internal/program"
)

// errUnsound: a check has failed; the report says which.
var errUnsound = errors.New("not all is well: see the lines that begin with fail")

// examine prints what is well and what is not. It takes the settings of serve, so that it sees the hub that they make.
func examine(ctx context.Context, args []string) error {
	var s settings
	fs := s.flags("doctor")
	against := fs.String("against", "", "URL of a web server whose clock to compare with")
	asJSON := fs.Bool("json", false, "print JSON: an array of level (ok, warn, fail), thing and text")
	if err := program.Parse(fs, args, program.Source{Prefix: "FARSHORE_HUB", FileFlag: "config"}); err != nil {
		return err
	}
	if fs.NArg() > 0 {
		return fmt.Errorf("%w: unexpected %q", program.ErrUsage, fs.Arg(0))
	}
	if s.hub.Data == "" {
		return fmt.Errorf("%w: give the hub's data folder with --data, or its --config", program.ErrUsage)
	}
	s.hub.Version = program.Version()
	findings, err := hub.Examine(ctx, s.hub, *against)
	if err != nil {
		return err
	}
	if *asJSON {
		out := json.NewEncoder(os.Stdout)
		out.SetEscapeHTML(false)
		out.SetIndent("", "  ")
		if err := out.Encode(findings); err != nil {
			return err
		}
	} else {
		for _, f := range findings {
			fmt.Printf("%-5s%s: %s\n", f.Level, f.Thing, f.Text)
		}
	}
	if !doctor.Sound(findings) {
		return errUnsound
	}
	return nil
}

// compact makes the database smaller, or removes the one that an earlier compaction kept.
func compact(ctx context.Context, args []string) error {
	flags := newFlags("compact")
	data := flags.String("data", "", "data folder of a hub that does not run (required)")
	drop := flags.Bool("drop-old", false, "only remove the database from before the last compaction")
	if err := program.Parse(flags, args, program.Source{Prefix: "FARSHORE_HUB"}); err != nil {
		return err
	}
	switch {
	case flags.NArg() > 0:
		return fmt.Errorf("%w: unexpected %q", program.ErrUsage, flags.Arg(0))
	case *data == "":
		return fmt.Errorf("%w: give the hub's data folder with --data", program.ErrUsage)
	}
	if *drop {
		freed, err := store.DropOld(ctx, *data)
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("there is no database from before a compaction in %q", *data)
		}
		if err != nil {
			return err
		}
		fmt.Printf("freed: %d bytes\n", freed)
		return nil
	}
	before, after, err := store.Compact(ctx, *data)
	if err != nil {
		return err
	}
	fmt.Printf("before: %d bytes\nafter: %d bytes\n", before, after)
	fmt.Printf("The database from before is kept as %s. Start the hub; when it has run well, farshore-hub compact --drop-old removes that.\n", store.BeforeCompaction)
	return nil
}
