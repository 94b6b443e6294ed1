package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
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
		a.applyCommand(), ls, show, a.statusCommand(), a.removeStackCommand(), a.deployCommand(), a.sourceCommand())
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

// wait is how long to wait for what was begun.
type wait struct {
	on      bool
	timeout time.Duration
}

func (w *wait) flags(cmd *cobra.Command, what string) {
	cmd.Flags().BoolVar(&w.on, "wait", false, "wait until "+what)
	cmd.Flags().DurationVar(&w.timeout, "wait-timeout", 10*time.Minute, "how long to wait; the work goes on all the same")
}

// until asks until done says so. Errors of done end it; a hub that is away for a while does not.
func (w *wait) until(ctx context.Context, what string, done func(context.Context) (bool, error)) error {
	late := fmt.Errorf("%w: %s has not come to its end within %s", errOutcome, what, w.timeout)
	ctx, cancel := context.WithTimeoutCause(ctx, w.timeout, late)
	defer cancel()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		ok, err := done(ctx)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case ok:
			return nil
		case err != nil && exitCode(ctx, err) != exitUnreachable:
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}

func (a *app) applyCommand() *cobra.Command {
	var apply resource.Apply
	var name, source, selector, envFile, group, visibility, team string
	var env []string
	var removeVolumes, dryRun, keepEnv bool
	var w wait
	cmd := &cobra.Command{
		Use: "apply --name NAME -f FILE|DIR", Short: "make a stack what it shall be", Args: cobra.NoArgs,
		Long: `Makes a stack of a compose file, or of a folder with a compose.yml and all files beside and below it (.git is left out), at most 32 MiB
together. Devices that fit the selector get it; devices that are away get it when they come back. The same content makes no
new version. Facts can be selected: farshore.io/id, name, group, arch, os, engine, mode, version.`,
		Example: `  farshore stacks apply --name web -f compose.yml --select site=oslo --wait
  farshore stacks apply --name web -f compose.yml --dry-run
  farshore stacks apply --name probe -f ./probe --select 'farshore.io/arch in (arm64, arm-v7)'`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if dryRun && w.on {
				return usage(cmd, errors.New("--dry-run changes nothing that --wait could wait for: give one of them"))
			}
			var err error
			if apply.Files, err = readBundle(source); err != nil {
				return err
			}
			if apply.Env, err = readEnv(cmd, envFile, env); err != nil {
				return err
			}
			if keepEnv {
				var now resource.Stack
				if err := a.call(cmd.Context(), http.MethodGet, "/stacks/"+seg(name), nil, &now); err != nil {
					return err
				}
				apply.KeepEnv = &resource.KeepEnv{Version: now.Version, Names: append([]string{}, now.Current.Env...)}
			}
			given(cmd.Flags().Changed("select"), &apply.Selector, selector)
			given(cmd.Flags().Changed("group"), &apply.Group, group)
			apply.Owner = ownerFrom(visibility, team)
			given(cmd.Flags().Changed("remove-volumes"), &apply.RemoveVolumes, removeVolumes)
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
	f := cmd.Flags()
	f.StringVar(&name, "name", "", "name of the stack")
	f.StringVarP(&source, "file", "f", "", "compose file, or folder with compose.yml")
	f.StringVar(&selector, "select", "", "devices that shall have it, by labels (default: as it is; all devices for a new stack)")
	f.StringVar(&group, "group", "", "home of the stack: only devices in this group or below it get it (default: as it is; the root for a new stack)")
	f.StringVar(&visibility, "visibility", "", "whose it is: private (yours), team, public or administrators (default: as it is)")
	f.StringVar(&team, "team", "", "the team that it belongs to, with --visibility team")
	f.StringArrayVar(&env, "env", nil, "variable for Compose, NAME=VALUE; may be repeated")
	f.StringVar(&envFile, "env-file", "", "file with variables for Compose, one NAME=VALUE a line")
	f.BoolVar(&keepEnv, "keep-env", false, "variables that are not given keep the values of the latest version")
	f.StringVar(&apply.Pull, "pull", "", "when images are asked of a registry: missing, always or never (default missing)")
	f.StringVarP(&apply.Message, "message", "m", "", "why, for people")
	f.BoolVar(&removeVolumes, "remove-volumes", false, "named volumes go with the stack when it is removed")
	f.BoolVar(&dryRun, "dry-run", false, "say what would change, and change nothing")
	w.flags(cmd, "it runs on all its devices, or cannot")
	must(cmd.MarkFlagRequired("name"))
	must(cmd.MarkFlagRequired("file"))
	return cmd
}

// waitForStack waits until the version that was applied runs, or cannot, on each device that shall have it, and fails
// when one of them could not. Devices that only have to give the stack up are not waited for.
func (a *app) waitForStack(ctx context.Context, w wait, s *resource.Stack) error {
	applied, shall, bad := s.Version, 0, 0
	err := w.until(ctx, "stack "+s.Name, func(ctx context.Context) (bool, error) {
		var all resource.List[resource.DeviceStack]
		if err := a.get(ctx, "/stacks/"+seg(s.Name)+"/devices", nil, &all); err != nil {
			return false, err
		}
		working := 0
		shall, bad = 0, 0
		for _, d := range all.Items {
			switch {
			case d.Version == 0:
				continue
			case d.Version != applied:
				return false, fmt.Errorf("%w: version %d of stack %s was replaced by version %d meanwhile", errOutcome, applied, s.Name, d.Version)
			case d.State == "failed", d.State == "degraded":
				bad++
			case d.State != "running":
				working++
			}
			shall++
		}
		return working == 0, nil
	})
	// What is printed is how it stands at the end; that it cannot be asked for changes nothing about that.
	var now resource.Stack
	if a.get(ctx, "/stacks/"+seg(s.Name), nil, &now) == nil {
		*s = now
	}
	if err != nil {
		return fmt.Errorf("%w: `farshore stacks status %s` says where it stands", err, s.Name)
	}
	if bad > 0 {
		return fmt.Errorf("%w: stack %s does not run on %d of %d devices: `farshore stacks status %s` says why", errOutcome, s.Name, bad, shall, s.Name)
	}
	return nil
}

func readEnv(cmd *cobra.Command, file string, list []string) (map[string]string, error) {
	out := map[string]string{}
	if file != "" {
		raw, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read variables: %w", err)
		}
		lines := bufio.NewScanner(bytes.NewReader(raw))
		for n := 1; lines.Scan(); n++ {
			line := strings.TrimSpace(lines.Text())
			if line == "" || strings.HasPrefix(line, "#") {
				continue
			}
			k, v, ok := strings.Cut(line, "=")
			if !ok {
				return nil, fmt.Errorf("variables in %q, line %d: want NAME=VALUE", file, n)
			}
			out[strings.TrimSpace(k)] = v
		}
	}
	for _, e := range list {
		k, v, ok := strings.Cut(e, "=")
		if !ok || k == "" {
			return nil, usage(cmd, errors.New("--env: want NAME=VALUE"))
		}
		out[k] = v
	}
	return out, nil
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
					t.add(dash(s.DeviceName), string(s.Device), s.State, fmt.Sprint(s.Version), fmt.Sprint(s.Running), ago(s.At), dash(strings.TrimSpace(s.Code+" "+s.Detail)))
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
