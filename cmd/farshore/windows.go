package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"

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
			h, err := a.hub()
			if err != nil {
				return err
			}
			if err := h.Do(cmd.Context(), r, nil); err != nil {
				return err
			}
			a.done("The table of passes of %s is taken away.", whose)
			return nil
		},
	}
	clearTable.Flags().String("group", "", "of this group; / is the root")
	return parent("windows", "when devices may use their links: windows and passes", show, a.passesCommand(), clearTable)
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
	var file, after string
	cmd := &cobra.Command{
		Use: "passes [DEVICE]", Short: "show, or replace, the table of passes of a device or a group", Args: cobra.MaximumNArgs(1), ValidArgsFunction: a.completeDevices,
		Long: `Shows the table that counts. With --csv it is replaced by that of a file: a head line start,end,bytes, and a line for each pass, with times like
2026-11-22T14:00:00Z; bytes, how many are expected to fit, may be empty: estimates go by them, and nothing is held back. The nearest
table counts alone. Windows of the link profile go on beside it.`,
		Example: "  farshore windows passes --group ships --csv passes.csv --after silent",
		RunE: func(cmd *cobra.Command, args []string) error {
			r, _, err := tableOf(cmd, http.MethodGet, args)
			if err != nil {
				return err
			}
			if file != "" {
				if after != "" && !slices.Contains([]string{"daily", "silent", "open"}, after) {
					return usage(cmd, fmt.Errorf("--after %.40q: want daily, silent or open", after))
				}
				raw, err := a.readTable(file)
				if err != nil {
					return err
				}
				if len(bytes.TrimSpace(raw)) == 0 {
					return usage(cmd, fmt.Errorf("table of passes %s: it is empty: `farshore windows clear` takes a table away", file))
				}
				r.Method, r.Body, r.Header = http.MethodPut, bytes.NewReader(raw), http.Header{"Content-Type": {"text/csv"}}
				if after != "" {
					r.Query.Set("after", after)
				}
			} else if after != "" {
				return usage(cmd, errors.New("--after needs --csv: it belongs to a table"))
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
				t := &table{head: []string{"START", "SECONDS", "BYTES"}}
				for _, x := range p.Passes {
					t.add(exact(x.Start), fmt.Sprint(x.Seconds), bytesOrDash(x.Bytes))
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
	cmd.Flags().StringVar(&file, "csv", "", "replace the table by that of this file, or - for standard input")
	cmd.Flags().StringVar(&after, "after", "", "what holds after the last pass where there are no windows: daily (five minutes a day), silent or open")
	return cmd
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
	var drop bool
	cmd := &cobra.Command{
		Use: "lift DEVICE", Short: "add to the budget of a device's present billing cycle", Args: cobra.ExactArgs(1), ValidArgsFunction: a.completeDevices,
		Long: `Adds to the soft and the hard cap of the present cycle, beside what was added to it before. A device that is silent at its hard cap hears of it by
its ping a day, where its link profile allows that, or when the cycle ends; every other device at its next contact. What is taken back can make
a device silent at once. farshore usage shows the caps with the lift within a minute.`,
		Example: "  farshore lift crane-1 --extra 5MB --note 'port call'\n  farshore lift crane-1 --drop",
		RunE: func(cmd *cobra.Command, args []string) error {
			if !drop && extra == 0 {
				return usage(cmd, errors.New("--extra: want at least one byte; --drop takes back what was added"))
			}
			path := "/devices/" + seg(args[0]) + "/lift"
			if drop {
				if err := a.call(cmd.Context(), http.MethodDelete, path, nil, nil); err != nil {
					return err
				}
				a.done("What was added to the budget of %s is taken back.", args[0])
				return nil
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
	cmd.MarkFlagsOneRequired("extra", "drop")
	cmd.MarkFlagsMutuallyExclusive("extra", "drop")
	return cmd
}
