package main

import (
	"fmt"
	"net/http"
	"os"

	"github.com/spf13/cobra"

	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/internal/apiclient"
)

func (a *app) releasesCommand() *cobra.Command {
	ls := &cobra.Command{
		Use: "ls", Short: "list the releases on the hub, the newest first", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var all resource.List[resource.Release]
			if err := a.get(cmd.Context(), "/releases", nil, &all); err != nil {
				return err
			}
			return a.print(all.Items, func() *table {
				t := &table{head: []string{"VERSION", "MADE", "ADDED", "PROGRAMS", "SIZE"}}
				for _, r := range all.Items {
					var total uint64
					for _, p := range r.Programs {
						total += p.Size
					}
					t.add(r.Version, ago(r.Created), ago(r.Added), fmt.Sprint(len(r.Programs)), size(total))
				}
				return t
			})
		},
	}
	add := &cobra.Command{
		Use: "add FILE", Short: "bring a release bundle to the hub", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			f, err := os.Open(args[0])
			if err != nil {
				return fmt.Errorf("read release: %w", err)
			}
			defer f.Close()
			h, err := a.hub()
			if err != nil {
				return err
			}
			var r resource.Release
			if err := h.Do(cmd.Context(), apiclient.Request{Method: http.MethodPost, Path: "/releases", Body: f}, &r); err != nil {
				return err
			}
			return a.print(r, func() *table {
				t := &table{head: []string{"PROGRAM", "PLATFORM", "SIZE"}}
				for _, p := range r.Programs {
					t.add(p.Name, p.Platform, size(p.Size))
				}
				return t
			})
		},
	}
	var yes bool
	rm := &cobra.Command{
		Use: "rm VERSION", Short: "remove a release from the hub; devices that run it go on", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !yes {
				if err := a.sure("Remove release " + args[0] + "? Devices that run it cannot be patched from it any more."); err != nil {
					return err
				}
			}
			if err := a.call(cmd.Context(), http.MethodDelete, "/releases/"+seg(args[0]), nil, nil); err != nil {
				return err
			}
			a.done("release %s is removed", args[0])
			return nil
		},
	}
	rm.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return parent("releases", "releases of agent and composer on the hub", ls, add, rm)
}
