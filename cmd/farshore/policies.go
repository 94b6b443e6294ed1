package main

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/internal/apiclient"
)

func (a *app) policies(cmd *cobra.Command, query url.Values) ([]resource.Policy, error) {
	var all resource.List[resource.Policy]
	err := a.get(cmd.Context(), "/policies", query, &all)
	return all.Items, err
}

func (a *app) policiesCommand() *cobra.Command {
	var group string
	ls := &cobra.Command{
		Use: "ls", Short: "list what groups forbid stacks and live calls to ask of an engine", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			query := url.Values{}
			if cmd.Flags().Changed("group") {
				query.Set("group", "/"+strings.Trim(group, "/"))
			}
			all, err := a.policies(cmd, query)
			if err != nil {
				return err
			}
			return a.print(all, func() *table {
				t := &table{head: []string{"GROUP", "FORBIDS", "IMAGES", "NOTE"}}
				for _, p := range all {
					t.add("/"+p.Group, dash(strings.Join(p.Forbid, ", ")), dash(strings.Join(p.Images, ", ")), dash(p.Note))
				}
				return t
			})
		},
	}
	ls.Flags().StringVar(&group, "group", "", "only what holds in this group: its own, and that of the groups above it")
	return parent("policies", "what groups forbid stacks and live calls to ask of an engine", ls, a.setPolicyCommand())
}

func (a *app) setPolicyCommand() *cobra.Command {
	var forbid, images []string
	var note string
	cmd := &cobra.Command{
		Use: "set GROUP", Short: "say what a group forbids", Args: cobra.ExactArgs(1),
		Long: "Changes what is given and leaves the rest; --forbid '' and --image '' empty a list. What a group forbids is forbidden in every\n" +
			"group below it. Administrators and device administrators of a group are exempt there.\n\n" +
			"Rules: privileged, host-pid, host-ipc, host-network, host-user-namespace, host-devices, capabilities, bind-mounts, sysctls,\n" +
			"security-options, other-containers.",
		Example: "  farshore policies set / --forbid privileged,host-pid,bind-mounts --image 'registry.example.com/**'",
		RunE: func(cmd *cobra.Command, args []string) error {
			put := resource.PutPolicy{Group: strings.Trim(args[0], "/")}
			all, err := a.policies(cmd, nil)
			if err != nil {
				return err
			}
			for _, p := range all {
				if p.Group == put.Group {
					put.Forbid, put.Images, put.Note = p.Forbid, p.Images, p.Note
				}
			}
			changed := cmd.Flags().Changed
			if changed("forbid") {
				put.Forbid = forbid
			}
			if changed("image") {
				put.Images = images
			}
			if changed("note") {
				put.Note = note
			}
			h, err := a.hub()
			if err != nil {
				return err
			}
			var now resource.Policy
			if err := h.Do(cmd.Context(), apiclient.Request{Method: http.MethodPut, Path: "/policies", Body: put}, &now); err != nil {
				return err
			}
			a.done("/%s forbids: %s; images: %s.", now.Group, dash(strings.Join(now.Forbid, ", ")), dash(strings.Join(now.Images, ", ")))
			return nil
		},
	}
	f := cmd.Flags()
	f.StringSliceVar(&forbid, "forbid", nil, "rules, separated by commas or given again")
	f.StringSliceVar(&images, "image", nil, "images that may be used, such as registry.example.com/plant/**; none: any")
	f.StringVar(&note, "note", "", "why, for people who run into it")
	return cmd
}
