package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/internal/apiclient"
)

// maxTable is more than the hub takes of a table of passes.
const maxTable = 1 << 20

// tableOf is a request about the table of passes of a device, or of a group where one is given.
func tableOf(cmd *cobra.Command, method string, args []string) (apiclient.Request, string, error) {
	group, err := cmd.Flags().GetString("group")
	given := cmd.Flags().Changed("group")
	if err != nil || given == (len(args) == 1) {
		return apiclient.Request{}, "", usage(cmd, errors.New("want a DEVICE, or --group GROUP"))
	}
	if given {
		group = strings.Trim(group, "/")
		return apiclient.Request{Method: method, Path: "/groups/passes", Query: url.Values{"path": {group}}}, "group /" + group, nil
	}
	return apiclient.Request{Method: method, Path: "/devices/" + seg(args[0]) + "/passes", Query: url.Values{}}, "device " + args[0], nil
}

func (a *app) windowsCommand() *cobra.Command {
	show := &cobra.Command{
		Use: "show DEVICE", Short: "show when a device may use its link next", Args: cobra.ExactArgs(1), ValidArgsFunction: a.completeDevices,
		RunE: func(cmd *cobra.Command, args []string) error {
			var c resource.DeviceContact
			if err := a.get(cmd.Context(), "/devices/"+seg(args[0])+"/contact", nil, &c); err != nil {
				return err
			}
			return a.print(c, func() *table { return contactTable(&c) })
		},
	}
	clearTable := &cobra.Command{
		Use: "clear [DEVICE]", Short: "take the table of passes of a device or a group away", Args: cobra.MaximumNArgs(1), ValidArgsFunction: a.completeDevices,
		RunE: func(cmd *cobra.Command, args []string) error {
			r, whose, err := tableOf(cmd, http.MethodDelete, args)
			if err != nil {
				return err
			}
			return a.clearPasses(cmd.Context(), r, whose)
		},
	}
	clearTable.Flags().String("group", "", "of this group; / is the root")
	return parent("windows", "when devices may use their links: windows and passes", show, a.passesCommand(), clearTable)
}

// clearPasses says what was there, and what counts afterwards.
func (a *app) clearPasses(ctx context.Context, r apiclient.Request, whose string) error {
	h, err := a.hub()
	if err != nil {
		return err
	}
	look := r
	look.Method = http.MethodGet
	var before, now resource.Passes
	if err := h.Do(ctx, look, &before); err != nil {
		return err
	}
	if !before.Own {
		a.done("There is no table of passes of %s itself. %s", whose, tableThatCounts(&before))
		return nil
	}
	if err := h.Do(ctx, r, nil); err != nil {
		return err
	}
	if err := h.Do(ctx, look, &now); err != nil {
		return err
	}
	a.done("The table of passes of %s is taken away. %s", whose, tableThatCounts(&now))
	return nil
}

// tableThatCounts says by which table of passes a device or group goes.
func tableThatCounts(p *resource.Passes) string {
	if p.From == "" {
		return "None counts there: contact is as the link profile says, see `farshore windows show DEVICE`."
	}
	return fmt.Sprintf("That of %s counts there.", p.From)
}

func contactTable(c *resource.DeviceContact) *table {
	t := &table{head: []string{"OPENS", "CLOSES", "BYTES"}}
	for _, o := range c.Openings {
		if c.Always {
			t.add("now", "never", "-")
			continue
		}
		t.add(exact(o.Start), exact(o.End), bytesOrDash(o.Bytes))
	}
	if len(c.Openings) == 0 {
		t.add("never again", "-", "-")
	}
	t.add("from", c.From)
	for _, w := range c.Warnings {
		t.add("mind", w)
	}
	return t
}

func bytesOrDash(n uint64) string {
	if n == 0 {
		return "-"
	}
	return size(n)
}

func (a *app) passesCommand() *cobra.Command {
	var csv, jsonFile, after string
	cmd := &cobra.Command{
		Use: "passes [DEVICE]", Short: "show, or replace, the table of passes of a device or a group", Args: cobra.MaximumNArgs(1), ValidArgsFunction: a.completeDevices,
		Long: `Shows the table that counts. With --csv it is replaced by that of a file: a head line start,end,bytes, and a line for each pass, with times like
2026-11-22T14:00:00Z; bytes, how many are expected to fit, may be empty: estimates go by them, and nothing is held back. The nearest
table counts alone. Windows of the link profile go on beside it. With --json the file is as -o json writes a table.`,
		Example: `  farshore windows passes --group ships --csv passes.csv --after silent
  farshore windows passes crane-1 -o json > passes.json
  farshore windows passes crane-2 --json passes.json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			r, _, err := tableOf(cmd, http.MethodGet, args)
			if err != nil {
				return err
			}
			if csv != "" || jsonFile != "" {
				if err := a.newTable(cmd, &r, tableFile{csv: csv, json: jsonFile, after: after}); err != nil {
					return err
				}
			} else if after != "" {
				return usage(cmd, errors.New("--after needs --csv or --json: it belongs to a table"))
			}
			h, err := a.hub()
			if err != nil {
				return err
			}
			var p resource.Passes
			if err := h.Do(cmd.Context(), r, &p); err != nil {
				return err
			}
			return a.print(p, func() *table {
				if len(p.Passes) == 0 {
					t := &table{}
					t.add("There is no table of passes.")
					return t
				}
				t := &table{head: []string{"START", "LASTS", right("BYTES")}}
				for _, x := range p.Passes {
					t.add(exact(x.Start), exactly(time.Duration(x.Seconds)*time.Second), fmt.Sprintf("%8s", bytesOrDash(x.Bytes)))
				}
				t.add("from", dash(p.From))
				t.add("afterwards", dash(p.Afterwards))
				for _, w := range p.Warnings {
					t.add("mind", w)
				}
				return t
			})
		},
	}
	cmd.Flags().String("group", "", "of this group; / is the root")
	cmd.Flags().StringVar(&csv, "csv", "", "replace the table by that of this CSV file, or - for standard input")
	cmd.Flags().StringVar(&jsonFile, "json", "", "replace the table by that of this JSON file, or - for standard input")
	cmd.MarkFlagsMutuallyExclusive("csv", "json")
	cmd.Flags().StringVar(&after, "after", "", "what holds after the last pass where there are no windows: daily (five minutes a day), silent or open")
	return cmd
}

// tableFile names the file of a new table: CSV or JSON.
type tableFile struct{ csv, json, after string }

// newTable makes r the request that replaces the table by that of a file.
func (a *app) newTable(cmd *cobra.Command, r *apiclient.Request, from tableFile) error {
	if from.after != "" && !slices.Contains([]string{"daily", "silent", "open"}, from.after) {
		return usage(cmd, fmt.Errorf("--after %.40q: want daily, silent or open", from.after))
	}
	file := or(from.csv, from.json)
	raw, err := a.readTable(file)
	if err != nil {
		return err
	}
	if len(bytes.TrimSpace(raw)) == 0 {
		return usage(cmd, fmt.Errorf("table of passes %s: it is empty: `farshore windows clear` takes a table away", file))
	}
	kind := "text/csv"
	if from.json != "" {
		kind = "application/json"
		var table resource.PutPasses // without what -o json says beside it
		if err := json.Unmarshal(raw, &table); err != nil {
			return fmt.Errorf("table of passes %s: it is no JSON such as `farshore windows passes -o json` writes: %w", file, err)
		}
		if err := table.After.UnmarshalText([]byte(or(from.after, table.After.String()))); err != nil {
			return err
		}
		if raw, err = json.Marshal(table); err != nil {
			return err
		}
	} else if from.after != "" {
		r.Query.Set("after", from.after)
	}
	r.Method, r.Body, r.Header = http.MethodPut, bytes.NewReader(raw), http.Header{"Content-Type": {kind}}
	return nil
}

func (a *app) readTable(file string) ([]byte, error) {
	from := a.in
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, fmt.Errorf("read the table of passes: %w", err)
		}
		defer f.Close() // only read
		from = f
	}
	raw, err := io.ReadAll(io.LimitReader(from, maxTable))
	if err != nil {
		return nil, fmt.Errorf("read the table of passes: %w", err)
	}
	return raw, nil
}

func (a *app) liftCommand() *cobra.Command {
	var extra bytesFlag
	var note string
	var drop, yes bool
	cmd := &cobra.Command{
		Use: "lift DEVICE", Short: "add to the budget of a device's present billing cycle", Args: cobra.ExactArgs(1), ValidArgsFunction: a.completeDevices,
		Long: `Adds to the soft and the hard cap of the present cycle, beside what was added to it before. A device that is silent at its hard cap hears of it by
its ping a day, where its link profile allows that, or when the cycle ends; every other device at its next contact. --drop that makes
a device silent says so, and asks first. farshore usage shows the caps with the lift within a minute.`,
		Example: "  farshore lift crane-1 --extra 5MB --note 'port call'\n  farshore lift crane-1 --drop",
		RunE: func(cmd *cobra.Command, args []string) error {
			if !drop && extra == 0 {
				return usage(cmd, errors.New("--extra: want at least one byte; --drop takes back what was added"))
			}
			path := "/devices/" + seg(args[0]) + "/lift"
			if drop {
				return a.dropLift(cmd, args[0], yes)
			}
			var l resource.Lift
			if err := a.call(cmd.Context(), http.MethodPost, path, resource.PutLift{Extra: uint64(extra), Note: note}, &l); err != nil {
				return err
			}
			return a.print(l, func() *table {
				t := &table{}
				t.add("added", size(l.Extra))
				t.add("soft cap", bytesOrDash(l.Soft))
				t.add("hard cap", bytesOrDash(l.Hard))
				t.add("until", exact(l.End))
				return t
			})
		},
	}
	cmd.Flags().Var(&extra, "extra", "how much, such as 5MB")
	cmd.Flags().StringVar(&note, "note", "", "why, for those who pay")
	cmd.Flags().BoolVar(&drop, "drop", false, "take back what was added to this cycle")
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask where --drop makes the device silent")
	cmd.MarkFlagsOneRequired("extra", "drop")
	cmd.MarkFlagsMutuallyExclusive("extra", "drop")
	return cmd
}

// dropLift takes back what was added, and asks first where that makes the device silent.
func (a *app) dropLift(cmd *cobra.Command, device string, yes bool) error {
	h, err := a.hub()
	if err != nil {
		return err
	}
	r := apiclient.Request{Method: http.MethodDelete, Path: "/devices/" + seg(device) + "/lift", Query: url.Values{"check": {"true"}}}
	var was resource.DroppedLift
	if err := h.Do(cmd.Context(), r, &was); err != nil {
		return err
	}
	if was.Silences && !yes {
		question := fmt.Sprintf("Without it the hard cap of %s is %s, of which %s are spent: it falls silent until %s.", device, size(was.Hard), size(was.Spent), exact(was.End))
		if err := a.sure(question); err != nil {
			return err
		}
	}
	r.Query = nil
	if err := h.Do(cmd.Context(), r, &was); err != nil {
		return err
	}
	return a.print(was, func() *table {
		t := &table{}
		if was.Extra == 0 {
			t.add("There was none: nothing was added to this cycle of " + device + ".")
			return t
		}
		t.add("taken back", size(was.Extra))
		t.add("soft cap", bytesOrDash(was.Soft))
		t.add("hard cap", bytesOrDash(was.Hard))
		if was.Silences {
			t.add("mind", "it falls silent as soon as it has heard of this, until "+exact(was.End))
		}
		return t
	})
}
