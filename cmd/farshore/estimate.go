package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/farshore/farshore/hub/api/resource"
)

// estimateCommand is one place for what `stacks apply --estimate` and `updates estimate` say.
func (a *app) estimateCommand() *cobra.Command {
	var spec applyFlags
	stack := &cobra.Command{
		Use: "stack NAME|PATH", Short: "see what a stack would cost devices in bytes, money and time", Args: cobra.ExactArgs(1), ValidArgsFunction: atFirst(a.completeStacks),
		Long: `Says what a stack would cost each device that gets it: what the device lacks of files and images, by its link profile. Devices that
would pass their budget are named first. Nothing is changed. A PATH is a compose file or a folder, and has a slash in it or ends in
.yml or .yaml; the stack is the one that --name names, or else has the name of its folder. With NAME alone, the latest version is
looked at for devices that lack it; -f says what it would become.`,
		Example: `  farshore estimate stack web -f ./web
  farshore estimate stack ./web --select site=oslo
  farshore estimate stack web --group norway -o json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := spec.named(cmd, args[0]); err != nil {
				return err
			}
			apply, err := spec.read(cmd, a)
			if err != nil {
				return err
			}
			return a.estimate(cmd.Context(), "/stacks/"+seg(spec.name), apply)
		},
	}
	spec.flags(stack)
	stack.Flags().StringVar(&spec.name, "name", "", "name of the stack, where a PATH is given (default: that of its folder)")
	update := a.startUpdateCommand("estimate")
	update.Use = "update RELEASE"
	update.Example = strings.ReplaceAll(update.Example, "farshore updates estimate", "farshore estimate update")
	return parent("estimate", "what a change would cost devices, before it is made", stack, update)
}

// named takes a NAME or a PATH.
func (s *applyFlags) named(cmd *cobra.Command, arg string) error {
	path := arg == "." || arg == ".." || strings.ContainsRune(arg, os.PathSeparator) || slices.Contains([]string{".yml", ".yaml"}, filepath.Ext(arg))
	switch {
	case !path && s.name != "":
		return usage(cmd, fmt.Errorf("--name %s beside %s, which is a name already: give one, or a path such as ./%s", s.name, arg, arg))
	case !path:
		s.name = arg
		return nil
	case s.source != "":
		return usage(cmd, fmt.Errorf("-f %s beside %s, which is a path already: give one", s.source, arg))
	}
	s.source = arg
	if s.name != "" {
		return nil
	}
	folder, err := filepath.Abs(arg)
	if err != nil {
		return fmt.Errorf("path of the stack: %w", err)
	}
	if info, err := os.Stat(folder); err != nil {
		return fmt.Errorf("path of the stack: %w", err)
	} else if !info.IsDir() {
		folder = filepath.Dir(folder)
	}
	s.name = strings.ToLower(filepath.Base(folder))
	return nil
}

// estimate asks what a change would cost, and says it.
func (a *app) estimate(ctx context.Context, path string, body any) error {
	var e resource.Estimate
	if err := a.call(ctx, http.MethodPost, path+"/estimate", body, &e); err != nil {
		return err
	}
	return a.printEstimate(e)
}

func (a *app) printEstimate(e resource.Estimate) error {
	if a.format != formatTable {
		return a.print(e, nil)
	}
	cost := ""
	for _, m := range e.Cost {
		cost += fmt.Sprintf(", %s %s", plain(m.Amount), plain(m.Currency))
	}
	more := ""
	if slices.ContainsFunc(e.PerDevice, func(d resource.EstimateDevice) bool { return d.Unknown > 0 }) {
		more = " and more"
	}
	say(a.out, "Devices: %d. Bytes: %s%s (files %s, images %s, overhead %s)%s.\n", e.Devices, size(e.Total), more, size(e.Parts.Files), size(e.Parts.Images), size(e.Parts.Overhead), cost)
	say(a.out, "Of one device: %s at most, %s in the middle.\n", size(e.Largest), size(e.Median))
	if e.Seconds.Largest > 0 {
		say(a.out, "The last has all after %s", time.Duration(e.Seconds.Largest)*time.Second)
		if e.Seconds.Unknown > 0 {
			say(a.out, "; of %d devices that is not known", e.Seconds.Unknown)
		}
		say(a.out, ".\n")
	} else if e.Seconds.Unknown > 0 {
		say(a.out, "How long it takes is not known: no rate was measured on their links yet, there is no contact any more, or the budget does not allow it.\n")
	}
	for _, o := range e.Over {
		say(a.out, "Over its budget: %s needs %s, and %s are left.\n", plain(o.Name), size(o.Need), size(o.Left))
	}
	for _, n := range e.Notes {
		say(a.out, "%s\n", plain(n))
	}
	if len(e.Images) > 0 {
		t := &table{head: []string{"\nIMAGE", "PLATFORM", "BYTES", "SOURCE", ""}}
		for _, i := range e.Images {
			weight := size(i.Bytes)
			if i.Source == "unknown" {
				weight = "?"
			}
			t.add(i.Image, dash(i.Platform), weight, i.Source, i.Why)
		}
		if err := t.write(a.out); err != nil {
			return err
		}
	}
	t := &table{head: []string{"\nDEVICE", "   BYTES", "COST", "TIME", ""}}
	for _, d := range e.PerDevice {
		weight, price, long, over := column(d.Bytes), "-", "?", ""
		if d.Unknown > 0 {
			weight += " and more"
		}
		if d.Cost != nil {
			price = d.Cost.Amount + " " + d.Cost.Currency
		}
		if d.Seconds != nil {
			long = exactly(time.Duration(*d.Seconds) * time.Second)
		}
		if d.Over {
			over = "passes its budget"
		}
		t.add(d.Name, weight, price, long, over)
	}
	return t.write(a.out)
}
