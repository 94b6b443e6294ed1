package main

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/internal/apiclient"
)

func (a *app) edgeGroupsCommand() *cobra.Command {
	ls := &cobra.Command{
		Use: "ls", Short: "list edge groups", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var all resource.List[resource.EdgeGroup]
			if err := a.get(cmd.Context(), "/edge-groups", nil, &all); err != nil {
				return err
			}
			return a.print(all.Items, func() *table {
				t := &table{head: []string{"NAME", "DEVICES", "LISTED", "SELECTOR", "HOME", "OWNER", "DESCRIPTION"}}
				for _, g := range all.Items {
					t.add(g.Name, fmt.Sprint(g.Members), fmt.Sprint(g.Listed), dash(g.Selector), "/"+g.Group, ownerText(g.Owner), dash(g.Description))
				}
				return t
			})
		},
	}
	show := &cobra.Command{
		Use: "show NAME", Short: "show an edge group", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			g, err := a.edgeGroup(cmd, args[0])
			if err != nil {
				return err
			}
			return a.print(g, func() *table {
				t := &table{}
				t.add("name", g.Name)
				t.add("description", dash(g.Description))
				t.add("home", "/"+g.Group)
				t.add("owner", ownerText(g.Owner))
				t.add("selector", dash(g.Selector))
				t.add("listed", fmt.Sprint(g.Listed))
				t.add("devices", fmt.Sprint(g.Members))
				t.add("changed", ago(g.Updated)+" by "+dash(g.By))
				return t
			})
		},
	}
	rm := &cobra.Command{
		Use: "rm NAME", Short: "remove an edge group that no stack uses", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			h, err := a.hub()
			if err != nil {
				return err
			}
			if err := h.Do(cmd.Context(), apiclient.Request{Method: http.MethodDelete, Path: edgeGroupPath(args[0])}, nil); err != nil {
				return err
			}
			a.done("Edge group %s is removed.", args[0])
			return nil
		},
	}
	devices := &cobra.Command{
		Use: "devices NAME", Short: "list the devices of an edge group, and why they are in it", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var all resource.List[resource.EdgeGroupDevice]
			if err := a.get(cmd.Context(), edgeGroupPath(args[0])+"/devices", nil, &all); err != nil {
				return err
			}
			return a.print(all.Items, func() *table {
				t := &table{head: []string{"DEVICE", "ID", "GROUP", "STATE", "IN IT"}}
				for _, d := range all.Items {
					t.add(d.Name, string(d.ID), "/"+d.Group, d.State, whyMember(d))
				}
				return t
			})
		},
	}
	return parent("edge-groups", "named sets of devices that stacks are meant for", ls, show, a.createEdgeGroupCommand(), a.editEdgeGroupCommand(), rm, devices)
}

func edgeGroupPath(name string) string { return "/edge-groups/" + seg(name) }

func (a *app) edgeGroup(cmd *cobra.Command, name string) (g resource.EdgeGroup, err error) {
	err = a.get(cmd.Context(), edgeGroupPath(name), nil, &g)
	return g, err
}

func whyMember(d resource.EdgeGroupDevice) string {
	switch {
	case d.Reason != "":
		return "no: " + d.Reason
	case d.Listed && d.Selected:
		return "listed, selected"
	case d.Listed:
		return "listed"
	}
	return "selected"
}

// edgeGroupFlags are what an edge group can be made of.
type edgeGroupFlags struct {
	description, selector, group string
	devices                      []string
}

func (f *edgeGroupFlags) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.description, "description", "", "what it is for")
	cmd.Flags().StringVar(&f.selector, "selector", "", "devices with these labels, such as 'site in (oslo,bergen),env=prod,!canary'")
	cmd.Flags().StringArrayVar(&f.devices, "device", nil, "a device that is in it by itself; can be given again")
	cmd.Flags().StringVar(&f.group, "group", "", "its home: only devices of this group, and of those below it")
}

func (a *app) createEdgeGroupCommand() *cobra.Command {
	var f edgeGroupFlags
	cmd := &cobra.Command{
		Use: "create NAME", Short: "make an edge group", Args: cobra.ExactArgs(1),
		Long:    "Makes an edge group of the devices that are listed, and of those that the selector names.",
		Example: "  farshore edge-groups create canaries --selector 'ring=canary' --device crane-1 --group norway",
		RunE: func(cmd *cobra.Command, args []string) error {
			home := strings.Trim(f.group, "/")
			put := resource.PutEdgeGroup{Description: f.description, Selector: f.selector, Devices: f.devices, Group: &home}
			return a.putEdgeGroup(cmd, args[0], put, http.Header{"If-None-Match": {"*"}})
		},
	}
	f.flags(cmd)
	return cmd
}

func (a *app) editEdgeGroupCommand() *cobra.Command {
	var f edgeGroupFlags
	cmd := &cobra.Command{
		Use: "edit NAME", Short: "change an edge group", Args: cobra.ExactArgs(1),
		Long: "Changes what is given and leaves the rest. A list replaces the one before; --device '' empties it.",
		RunE: func(cmd *cobra.Command, args []string) error {
			g, err := a.edgeGroup(cmd, args[0])
			if err != nil {
				return err
			}
			put := resource.PutEdgeGroup{Description: g.Description, Selector: g.Selector}
			changed := cmd.Flags().Changed
			if changed("description") {
				put.Description = f.description
			}
			if changed("selector") {
				put.Selector = f.selector
			}
			if changed("group") {
				home := strings.Trim(f.group, "/")
				put.Group = &home
			}
			if !changed("device") {
				for _, id := range g.Devices {
					put.Devices = append(put.Devices, string(id))
				}
			}
			for _, ref := range f.devices {
				if ref != "" {
					put.Devices = append(put.Devices, ref)
				}
			}
			return a.putEdgeGroup(cmd, args[0], put, http.Header{"If-Match": {`"` + g.Etag + `"`}})
		},
	}
	f.flags(cmd)
	return cmd
}

func (a *app) putEdgeGroup(cmd *cobra.Command, name string, put resource.PutEdgeGroup, header http.Header) error {
	h, err := a.hub()
	if err != nil {
		return err
	}
	var now resource.EdgeGroup
	r := apiclient.Request{Method: http.MethodPut, Path: edgeGroupPath(name), Body: put, Header: header}
	if err := h.Do(cmd.Context(), r, &now); err != nil {
		return err
	}
	what := "devices"
	if now.Members == 1 {
		what = "device"
	}
	a.done("Edge group %s has %d %s now.", now.Name, now.Members, what)
	return nil
}
