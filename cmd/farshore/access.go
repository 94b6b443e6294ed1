package main

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/farshore/farshore/hub/api/resource"
)

func (a *app) grantsCommand() *cobra.Command {
	var user, team, group, device string
	ls := &cobra.Command{
		Use: "ls", Short: "list who has which role where", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var all resource.List[resource.Grant]
			q := parameters(map[string]string{"user": user, "team": team, "group": group, "device": device})
			if err := a.get(cmd.Context(), "/grants", q, &all); err != nil {
				return err
			}
			return a.print(all.Items, func() *table {
				t := &table{head: []string{"ID", "ROLE", "FOR", "ON", "UNTIL", "BY", "NOTE"}}
				for i := range all.Items {
					g := &all.Items[i]
					t.add(dash(g.ID), g.Role, whom(g.User, g.Team), where(g.Group, g.Device, g.DeviceName), until(g.Until), dash(g.By), dash(g.Note))
				}
				return t
			})
		},
	}
	f := ls.Flags()
	f.StringVar(&user, "user", "", "only those of this user and of the user's teams")
	f.StringVar(&team, "team", "", "only those of this team")
	f.StringVar(&group, "group", "", "only those that hold in this group; / is the root")
	f.StringVar(&device, "device", "", "only those that hold for this device")
	rm := &cobra.Command{
		Use: "rm GRANT…", Short: "take roles back, by the ids that ls shows", Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return a.eachDelete(cmd, "/grants/", args) },
	}
	return parent("grants", "who has which role where", ls, a.addGrantCommand(), rm)
}

func (a *app) addGrantCommand() *cobra.Command {
	var body resource.NewGrant
	var end string
	cmd := &cobra.Command{
		Use: "add --role ROLE", Short: "give a user or a team a role on a group or a device", Args: cobra.NoArgs,
		Example: "  farshore grants add --user anna --role operator --group plants/oslo --until 2027-01-31",
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if body.Until, err = deadline(end); err != nil {
				return usage(cmd, err)
			}
			body.Group = strings.Trim(body.Group, "/")
			var g resource.Grant
			if err := a.call(cmd.Context(), http.MethodPost, "/grants", body, &g); err != nil {
				return err
			}
			return a.print(g, func() *table {
				return &table{rows: [][]string{{g.Role + " for " + whom(g.User, g.Team) + " on " + where(g.Group, g.Device, g.DeviceName) + " is granted: " + g.ID}}}
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&body.User, "user", "", "the user that it is for")
	f.StringVar(&body.Team, "team", "", "the team that it is for")
	f.StringVar(&body.Role, "role", "", "what may be done there, one of those that 'farshore roles' lists")
	f.StringVar(&body.Group, "group", "", "the group that it holds in, with all below; / is the root")
	f.StringVar(&body.Device, "device", "", "the only device that it holds for")
	f.StringVar(&end, "until", "", "when it ends: from now such as 72h or 30d, a time in RFC 3339, or a date, with whose first minute it ends (default: it does not)")
	f.StringVar(&body.Note, "note", "", "why")
	must(cmd.MarkFlagRequired("role"))
	cmd.MarkFlagsOneRequired("user", "team")
	cmd.MarkFlagsMutuallyExclusive("user", "team")
	cmd.MarkFlagsOneRequired("group", "device")
	cmd.MarkFlagsMutuallyExclusive("group", "device")
	return cmd
}

func (a *app) rolesCommand() *cobra.Command {
	return &cobra.Command{
		Use: "roles", Short: "list the roles and what each is for", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var all resource.List[resource.Role]
			if err := a.get(cmd.Context(), "/roles", nil, &all); err != nil {
				return err
			}
			return a.print(all.Items, func() *table {
				t := &table{head: []string{"ROLE", "WHAT IT IS FOR"}}
				for _, r := range all.Items {
					t.add(r.Name, r.Says)
				}
				return t
			})
		},
	}
}

func (a *app) accessCommand() *cobra.Command {
	var user, group, device string
	cmd := &cobra.Command{
		Use: "access", Short: "show what somebody may do where, and why; by default yourself", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var e resource.EffectiveAccess
			if err := a.get(cmd.Context(), "/access", parameters(map[string]string{"user": user, "group": group, "device": device}), &e); err != nil {
				return err
			}
			return a.print(e, func() *table {
				t := &table{}
				for _, r := range e.Reasons {
					why := "granted to " + whom(e.User, r.Team) + " on " + where(r.Group, r.Device, r.DeviceName)
					switch {
					case r.Via == "administrator":
						why = "is an administrator of the hub"
					case !r.Until.IsZero():
						why += ", until " + until(r.Until)
					}
					t.add(r.Role, why)
				}
				if len(e.Reasons) == 0 {
					t.add("no role", "sees nothing there")
				}
				t.add("may", dash(strings.Join(e.All, " ")))
				t.add("may with own", dash(strings.Join(e.Own, " ")))
				return t
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&user, "user", "", "of this user")
	f.StringVar(&group, "group", "", "in this group; / is the root")
	f.StringVar(&device, "device", "", "on this device")
	cmd.MarkFlagsMutuallyExclusive("group", "device")
	return cmd
}

// parameters are those parameters that have a value.
func parameters(all map[string]string) url.Values {
	q := url.Values{}
	for k, v := range all {
		if v != "" {
			q.Set(k, v)
		}
	}
	return q
}

func whom(user, team string) string {
	if team != "" {
		return "team " + team
	}
	return dash(user)
}

func where(group, device, name string) string {
	if device == "" {
		return "/" + group
	}
	if name == "" {
		name = device
	}
	return "device " + name
}

func until(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format("2006-01-02 15:04")
}
