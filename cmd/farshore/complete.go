package main

import (
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/farshore/farshore/hub/api/resource"
)

// What the shell completes comes from the hub. Where that does not answer, nothing is completed and nothing is said.

type completion = func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective)

// atFirst completes the first argument only.
func atFirst(complete completion) completion {
	return func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return complete(cmd, args, begun)
	}
}

func (a *app) completeDevices(cmd *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
	var page resource.DevicePage
	if err := a.get(cmd.Context(), "/devices", url.Values{"q": {begun}, "limit": {"100"}}, &page); err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var names []string
	for _, d := range page.Items {
		names = append(names, d.Name)
	}
	return fitting(names, begun)
}

func (a *app) completeStacks(cmd *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
	var all resource.List[resource.Stack]
	if err := a.get(cmd.Context(), "/stacks", nil, &all); err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var names []string
	for _, s := range all.Items {
		names = append(names, s.Name)
	}
	return fitting(names, begun)
}

// completeTarget completes a device, and then what a command of this kind is about, as the device's last snapshot has it.
func (a *app) completeTarget(v verb) completion {
	return func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		switch {
		case len(args) == 0:
			return a.completeDevices(cmd, args, begun)
		case len(args) > 1 || v.target == "":
			return nil, cobra.ShellCompDirectiveNoFileComp
		case v.target == "STACK":
			return a.completeStacks(cmd, args, begun)
		}
		var s resource.Snapshot
		if err := a.get(cmd.Context(), "/devices/"+seg(args[0])+"/snapshot", nil, &s); err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		var names []string
		switch v.target {
		case "CONTAINER":
			for _, c := range s.Snapshot.Containers {
				names = append(names, c.Name)
			}
		case "IMAGE":
			for _, i := range s.Snapshot.Images {
				names = append(names, i.Tags...)
			}
		case "VOLUME":
			for _, o := range s.Snapshot.Volumes {
				names = append(names, o.Name)
			}
		}
		return fitting(names, begun)
	}
}

// fitting keeps what begins so. Names that would do something else in a shell or on a terminal are not offered.
func fitting(names []string, begun string) ([]string, cobra.ShellCompDirective) {
	var out []string
	for _, n := range names {
		if strings.HasPrefix(n, begun) && n == plain(n) && !strings.ContainsAny(n, "`$\"'\\;&|<>(){}*?!#~") {
			out = append(out, n)
		}
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}
