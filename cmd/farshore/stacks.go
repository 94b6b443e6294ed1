package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/protocol"
)

func (a *app) stacksCommand() *cobra.Command {
	var owner string
	ls := &cobra.Command{
		Use: "ls", Short: "list stacks", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var all resource.List[resource.Stack]
			q := map[string][]string{}
			if owner != "" {
				q["owner"] = []string{owner}
			}
			if err := a.get(cmd.Context(), "/stacks", q, &all); err != nil {
				return err
			}
			return a.print(all.Items, func() *table {
				t := &table{head: []string{"NAME", "VERSION", "GROUP", "OWNER", "SELECTOR", "DEVICES", "STATES", "UPDATED"}}
				for _, s := range all.Items {
					t.add(s.Name, fmt.Sprint(s.Version), "/"+s.Group, ownerText(s.Owner), or(s.Selector, "all devices"), fmt.Sprint(s.Devices), counts(s.States), ago(s.Updated)+removing(s))
				}
				return t
			})
		},
	}
	ls.Flags().StringVar(&owner, "owner", "", "only stacks of this owner: mine, public, administrators, user:NAME or team:NAME")
	show := &cobra.Command{
		Use: "show NAME", Short: "show a stack with its versions", Args: cobra.ExactArgs(1), ValidArgsFunction: atFirst(a.completeStacks),
		RunE: func(cmd *cobra.Command, args []string) error { return a.showStack(cmd.Context(), args[0]) },
	}
	return parent("stacks", "edge stacks: what shall run on which devices",
		a.applyCommand(), ls, show, a.statusCommand(), a.removeStackCommand(), a.deployCommand(), a.diffCommand(), a.bundleCommand(), a.sourceCommand())
}

// ownerText says whose a stack is: "administrators", "public", "anna", "team crew".
func ownerText(o resource.Owner) string {
	switch o.Visibility {
	case protocol.ForOwner:
		return o.Account
	case protocol.ForTeam:
		return "team " + o.Team
	}
	return string(o.Visibility)
}

// ownerFrom reads --visibility and --team. Nil: neither was given.
func ownerFrom(visibility, team string) *resource.Owner {
	if visibility == "" && team == "" {
		return nil
	}
	if visibility == "" {
		visibility = string(protocol.ForTeam)
	}
	return &resource.Owner{Visibility: protocol.Visibility(visibility), Team: team}
}

func removing(s resource.Stack) string {
	if s.Removed.IsZero() {
		return ""
	}
	return ", is being removed"
}

func (a *app) printStack(s resource.Stack) error {
	return a.print(s, func() *table {
		t := &table{}
		t.add("id", fmt.Sprint(s.ID))
		t.add("stack", s.Name+removing(s))
		t.add("version", fmt.Sprint(s.Version))
		t.add("group", "/"+s.Group)
		t.add("owner", ownerText(s.Owner))
		t.add("selector", or(s.Selector, "all devices"))
		if len(s.Include) > 0 {
			t.add("only in", strings.Join(s.Include, ", "))
		}
		if len(s.Exclude) > 0 {
			t.add("not in", strings.Join(s.Exclude, ", "))
		}
		t.add("plan", s.Words)
		for _, x := range s.Change.Windows {
			t.add("window", fmt.Sprintf("%s for %s%s", x.Start, time.Duration(x.Minutes)*time.Minute, map[bool]string{true: " in " + x.Zone}[x.Zone != ""]))
		}
		if s.Change.Approve {
			t.add("approval", "devices wait for it")
		}
		if r := s.Rollout; r != nil && (r.Phase != "done" || r.Why != "") {
			t.add("rollout", fmt.Sprintf("%d to version %d: %s%s", r.Number, r.Version, r.Phase, map[bool]string{true: ", " + r.Why}[r.Why != ""]))
		}
		if r := s.NextRollout; r != nil {
			t.add("next", fmt.Sprintf("rollout %d to version %d waits", r.Number, r.Version))
		}
		if s.Devices == 0 {
			t.add("devices", "0: no device fits now; those that come to fit get it")
		} else {
			t.add("devices", fmt.Sprintf("%d (%s)", s.Devices, counts(s.States)))
		}
		return t
	})
}

func (a *app) showStack(ctx context.Context, name string) error {
	var out struct {
		resource.Stack
		Versions []resource.Version `json:"versions"`
	}
	var versions resource.List[resource.Version]
	if err := a.get(ctx, "/stacks/"+seg(name), nil, &out.Stack); err != nil {
		return err
	}
	if err := a.get(ctx, "/stacks/"+seg(name)+"/versions", nil, &versions); err != nil {
		return err
	}
	out.Versions = versions.Items
	if a.format != formatTable {
		return a.print(out, nil)
	}
	if err := a.printStack(out.Stack); err != nil {
		return err
	}
	t := &table{head: []string{"\nVERSION", "MADE", "BY", "FILES", "PULL", "VARIABLES", "MESSAGE"}}
	for _, v := range out.Versions {
		t.add(fmt.Sprint(v.Number), ago(v.Created), dash(v.Author), fmt.Sprint(len(v.Files)), v.Pull, dash(strings.Join(v.Env, ", ")), dash(v.Message))
	}
	return t.write(a.out)
}

func (a *app) applyCommand() *cobra.Command {
	var spec applyFlags
	var dryRun, estimated bool
	var w wait
	cmd := &cobra.Command{
		Use: "apply --name NAME [-f FILE|DIR]", Short: "make a stack what it shall be", Args: cobra.NoArgs,
		Long: `Makes a stack of a compose file, or of a folder with a compose.yml and all files beside and below it (.git is left out), at most 32 MiB
together. Devices that fit the selector get it; devices that are away get it when they come back. The same content makes no
new version; without -f the latest version stays, and what is said of the stack changes. Facts can be selected: farshore.io/id,
name, group, arch, os, engine, mode, version.

A version goes to all devices at once, or in batches: --batch, --soak and so on are kept for later versions, until they are given
anew or --at-once is.`,
		Example: `  farshore stacks apply --name web -f compose.yml --select site=oslo --wait
  farshore stacks apply --name web -f compose.yml --dry-run
  farshore stacks apply --name web -f compose.yml --estimate
  farshore stacks apply --name web -f compose.yml --batch 10% --double --soak 15m --on-failure roll-back-all --wait
  farshore stacks apply --name web --include canaries --window '0 2 * * 6,7 for 2h' --approve
  farshore stacks apply --name probe -f ./probe --select 'farshore.io/arch in (arm64, arm-v7)'`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if (dryRun || estimated) && w.on {
				return usage(cmd, errors.New("--dry-run and --estimate change nothing that --wait could wait for: give one of them"))
			}
			apply, err := spec.read(cmd, a)
			if err != nil {
				return err
			}
			name := spec.name
			if estimated {
				return a.estimate(cmd.Context(), "/stacks/"+seg(name), apply)
			}
			if dryRun {
				var p resource.Preview
				if err := a.call(cmd.Context(), http.MethodPost, "/stacks/"+seg(name)+"/preview", apply, &p); err != nil {
					return err
				}
				return a.printPreview(name, p)
			}
			var s resource.Stack
			if err := a.call(cmd.Context(), http.MethodPut, "/stacks/"+seg(name), apply, &s); err != nil {
				return err
			}
			if w.on {
				if err := a.waitForStack(cmd.Context(), w, &s); err != nil {
					return errors.Join(a.printStack(s), err)
				}
			}
			return a.printStack(s)
		},
	}
	spec.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&spec.name, "name", "", "name of the stack")
	f.BoolVar(&dryRun, "dry-run", false, "say what would change, and change nothing")
	f.BoolVar(&estimated, "estimate", false, "say what it would cost devices in bytes, money and time, and change nothing")
	cmd.MarkFlagsMutuallyExclusive("dry-run", "estimate")
	w.flags(cmd, "it runs on all its devices, or cannot; with batches, until the rollout is over or paused")
	must(cmd.MarkFlagRequired("name"))
	return cmd
}

func (a *app) statusCommand() *cobra.Command {
	var states []string
	cmd := &cobra.Command{
		Use: "status NAME", Short: "show where a stack stands on each of its devices, and why", Args: cobra.ExactArgs(1), ValidArgsFunction: atFirst(a.completeStacks),
		RunE: func(cmd *cobra.Command, args []string) error {
			q := map[string][]string{}
			if len(states) > 0 {
				q["state"] = []string{strings.Join(states, ",")}
			}
			var all resource.List[resource.DeviceStack]
			if err := a.get(cmd.Context(), "/stacks/"+seg(args[0])+"/devices", q, &all); err != nil {
				return err
			}
			return a.print(all.Items, func() *table {
				t := &table{head: []string{"DEVICE", "ID", "STATE", "VERSION", "RUNS VERSION", "SINCE", "REASON"}}
				for _, s := range all.Items {
					t.add(dash(s.DeviceName), string(s.Device), stateOf(s), fmt.Sprint(s.Version), fmt.Sprint(s.Running), ago(s.At), dash(strings.TrimSpace(s.Code+" "+s.Detail)))
				}
				return t
			})
		},
	}
	cmd.Flags().StringSliceVar(&states, "state", nil, "only devices in this state, such as failed")
	return cmd
}

func (a *app) removeStackCommand() *cobra.Command {
	var yes bool
	var w wait
	cmd := &cobra.Command{
		Use: "rm NAME --yes", Short: "remove a stack from all devices, also those that are away now", Args: cobra.ExactArgs(1), ValidArgsFunction: atFirst(a.completeStacks),
		RunE: func(cmd *cobra.Command, args []string) error {
			name := args[0]
			if !yes {
				if err := a.sure("Remove the stack " + name + " from all its devices?"); err != nil {
					return err
				}
			}
			if err := a.call(cmd.Context(), http.MethodDelete, "/stacks/"+seg(name), nil, nil); err != nil {
				return err
			}
			if !w.on {
				a.done("%s is being removed; devices that are away give it up when they come back.", name)
				return nil
			}
			err := w.until(cmd.Context(), "removal of stack "+name, func(ctx context.Context) (bool, error) {
				err := a.get(ctx, "/stacks/"+seg(name), nil, nil)
				return err != nil && exitCode(ctx, err) == exitNotFound, err
			})
			if err == nil {
				a.done("%s is gone from all devices.", name)
			}
			return err
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	w.flags(cmd, "it is gone from all devices")
	return cmd
}

// absolute is for messages: which file was meant.
func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}
