package main

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/farshore/farshore/hub/api/resource"
)

func (a *app) deployCommand() *cobra.Command {
	var d resource.Deploy
	var h howFlags
	var w wait
	cmd := &cobra.Command{
		Use: "deploy NAME", Short: "bring a version that is kept to the devices of a stack, also once more", Args: cobra.ExactArgs(1),
		ValidArgsFunction: atFirst(a.completeStacks),
		Long: `Brings any version that is kept to the devices of a stack, as the stack's plan says, or, for this once, as the flags say.
With --force, devices that have the version apply it again.`,
		Example: "  farshore stacks deploy web --version 3 --message 'four leaks memory' --wait\n  farshore stacks deploy web --force",
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			if d.How, d.Plan, err = h.read(cmd); err != nil {
				return err
			}
			var r resource.Rollout
			if err := a.call(cmd.Context(), http.MethodPost, "/stacks/"+seg(args[0])+"/deploy", d, &r); err != nil {
				return err
			}
			if w.on {
				return a.waitForRollout(cmd.Context(), w, r)
			}
			return a.printRollout(r)
		},
	}
	f := cmd.Flags()
	f.Uint64Var(&d.Version, "version", 0, "number of a version that is kept (default: the one that its devices shall have already)")
	f.BoolVar(&d.Force, "force", false, "devices that have the version apply it again")
	f.StringVarP(&d.Message, "message", "m", "", "why, for people")
	h.flags(cmd)
	w.flags(cmd, "the rollout is over or paused, and fail when it is not done, or the version does not run")
	return cmd
}

func (a *app) diffCommand() *cobra.Command {
	return &cobra.Command{
		Use: "diff NAME VERSION VERSION", Short: "show what differs between two versions of a stack", Args: cobra.ExactArgs(3), ValidArgsFunction: atFirst(a.completeStacks),
		RunE: func(cmd *cobra.Command, args []string) error {
			var d resource.VersionDiff
			if err := a.get(cmd.Context(), "/stacks/"+seg(args[0])+"/versions/"+seg(args[1])+"/diff/"+seg(args[2]), nil, &d); err != nil {
				return err
			}
			if a.format != formatTable {
				return a.print(d, nil)
			}
			if d.Same {
				say(a.out, "Versions %d and %d have the same content.\n", d.From, d.To)
			}
			for _, f := range d.Files {
				switch {
				case f.Masked:
					say(a.out, "%s: %s, in what is hidden from you\n", plain(f.Path), f.Change)
				case f.Text == "":
					say(a.out, "%s: %s%s\n", plain(f.Path), f.Change, map[bool]string{true: ", not text"}[f.Binary])
				default:
					say(a.out, "%s%s", plainLines(f.Text), map[bool]string{true: "…\n"}[f.Cut])
				}
			}
			for _, v := range d.Env {
				say(a.out, "variable %s: %s\n", plain(v.Name), v.Change)
			}
			for _, o := range d.Options {
				say(a.out, "%s: %s → %s\n", o.Name, plain(dash(o.From)), plain(dash(o.To)))
			}
			return nil
		},
	}
}

func (a *app) bundleCommand() *cobra.Command {
	var device string
	var version uint64
	cmd := &cobra.Command{
		Use: "bundle NAME --device DEVICE", Short: "show what one device is given of a stack, file by file", Args: cobra.ExactArgs(1), ValidArgsFunction: atFirst(a.completeStacks),
		RunE: func(cmd *cobra.Command, args []string) error {
			q := url.Values{}
			if version != 0 {
				q.Set("version", fmt.Sprint(version))
			}
			var b resource.DeviceBundle
			if err := a.get(cmd.Context(), "/stacks/"+seg(args[0])+"/devices/"+seg(device)+"/bundle", q, &b); err != nil {
				return err
			}
			if a.format != formatTable {
				return a.print(b, nil)
			}
			t := &table{}
			t.add("version", fmt.Sprint(b.Version))
			if !b.Meant {
				t.add("", "the stack is not meant for this device: this is what it would be given")
			}
			if b.Why != "" {
				t.add("not given", b.Code+": "+b.Why)
			}
			for _, name := range sortedKeys(b.Env) {
				t.add("variable", name+"="+b.Env[name])
			}
			if len(b.Secret) > 0 {
				t.add("secret", strings.Join(b.Secret, ", "))
			}
			if err := t.write(a.out); err != nil {
				return err
			}
			for _, path := range sortedKeys(b.Files) {
				say(a.out, "\n== %s\n%s", plain(path), plainLines(string(b.Files[path])))
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&device, "device", "", "the device: its id, its name, or the beginning of either")
	cmd.Flags().Uint64Var(&version, "version", 0, "number of a version (default: the one that the device shall have)")
	must(cmd.MarkFlagRequired("device"))
	return cmd
}

func sortedKeys[T any](m map[string]T) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
