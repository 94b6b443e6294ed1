package main

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/farshore/farshore/hub/api/resource"
)

func (a *app) usersCommand() *cobra.Command {
	ls := &cobra.Command{
		Use: "ls", Short: "list users", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var all resource.List[resource.User]
			if err := a.get(cmd.Context(), "/users", nil, &all); err != nil {
				return err
			}
			return a.print(all.Items, func() *table {
				t := &table{head: []string{"NAME", "STATE", "SECOND FACTOR", "LAST SIGN-IN", "TOKENS", "TEAMS"}}
				for i := range all.Items {
					x := &all.Items[i]
					t.add(x.Name, userState(x), yesNo(x.SecondFactor), ago(x.LastSignIn), strconv.Itoa(x.Tokens), dash(strings.Join(x.Teams, ", ")))
				}
				return t
			})
		},
	}
	show := &cobra.Command{
		Use: "show USER", Short: "show a user, with open sessions and API tokens", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return a.showUser(cmd, args[0]) },
	}
	rm := &cobra.Command{
		Use: "rm USER…", Short: "remove users, with sessions, tokens, grants and places in teams", Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return a.eachDelete(cmd, "/users/", args) },
	}
	reset := &cobra.Command{
		Use: "reset-second-factor USER", Short: "take away the second factor of a user who has lost it", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := a.call(cmd.Context(), http.MethodDelete, "/users/"+seg(args[0])+"/second-factor", nil, nil); err != nil {
				return err
			}
			a.done("%s has no second factor any more.", args[0])
			return nil
		},
	}
	end := &cobra.Command{
		Use: "end-sessions USER", Short: "end all sessions of a user, who has to sign in again; API tokens stay", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var ended resource.EndedSessions
			if err := a.call(cmd.Context(), http.MethodDelete, "/users/"+seg(args[0])+"/sessions", nil, &ended); err != nil {
				return err
			}
			a.done("Sessions of %s that ended: %d", args[0], ended.Ended)
			return nil
		},
	}
	return parent("users", "people who can sign in", ls, show, a.addUserCommand(), a.linkUserCommand(),
		a.patchUserCommand("disable", "end a user's sessions and tokens, and let nobody sign in as them", "disabled", true),
		a.patchUserCommand("enable", "let a user sign in again", "enabled", false), a.adminCommand(), rm, reset, end)
}

func userState(x *resource.User) string {
	switch {
	case !x.Detailed:
		return "-"
	case x.Disabled:
		return "disabled"
	case !x.LinkExpires.IsZero() && x.PasswordSet.IsZero():
		return "invited"
	case x.PasswordSet.IsZero():
		return "no password"
	case x.BreakGlass:
		return "last resort"
	case x.Admin:
		return "administrator"
	}
	return "active"
}

func (a *app) showUser(cmd *cobra.Command, name string) error {
	var out struct {
		resource.User
		OpenSessions []resource.SignInSession `json:"open_sessions"`
		APITokens    []resource.Token         `json:"api_tokens"`
	}
	if err := a.get(cmd.Context(), "/users/"+seg(name), nil, &out.User); err != nil {
		return err
	}
	var sessions resource.List[resource.SignInSession]
	if err := a.get(cmd.Context(), "/users/"+seg(name)+"/sessions", nil, &sessions); err != nil {
		return err
	}
	var tokens resource.List[resource.Token]
	if err := a.get(cmd.Context(), "/users/"+seg(name)+"/tokens", nil, &tokens); err != nil {
		return err
	}
	out.OpenSessions, out.APITokens = sessions.Items, tokens.Items
	return a.print(out, func() *table {
		t := &table{}
		t.add("name", out.Name)
		t.add("state", userState(&out.User))
		t.add("second factor", yesNo(out.SecondFactor))
		t.add("last sign-in", ago(out.LastSignIn))
		t.add("teams", dash(strings.Join(out.Teams, ", ")))
		for _, s := range out.OpenSessions {
			t.add("session", s.ID+" from "+dash(s.Remote)+", "+dash(s.Agent)+", since "+ago(s.Created))
		}
		for _, k := range out.APITokens {
			t.add("token", k.Name+", last used "+ago(k.LastUsed))
		}
		return t
	})
}

func (a *app) addUserCommand() *cobra.Command {
	var passwordFile string
	var body resource.NewUser
	cmd := &cobra.Command{
		Use: "add USER", Short: "make a user, who may nothing yet", Args: cobra.ExactArgs(1),
		Long: "Makes a user and shows a link, good once and for 72 hours, by which the person sets a password. With --password-file there is no link.",
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			body.Name = args[0]
			if passwordFile != "" {
				if body.Password, err = a.password(passwordFile); err != nil {
					return err
				}
			}
			var made resource.MadeUser
			if err := a.call(cmd.Context(), http.MethodPost, "/users", body, &made); err != nil {
				return err
			}
			return a.print(made, func() *table {
				if made.Link == nil {
					return &table{rows: [][]string{{made.User.Name + " is made."}}}
				}
				return &table{rows: [][]string{{made.Link.URL}}}
			})
		},
	}
	cmd.Flags().StringVar(&passwordFile, "password-file", "", "file with the password, or - for standard input (default: a link is made)")
	cmd.Flags().BoolVar(&body.Admin, "admin", false, "make an administrator, who may do everything")
	return cmd
}

func (a *app) linkUserCommand() *cobra.Command {
	var body resource.NewLink
	cmd := &cobra.Command{
		Use: "link USER", Short: "take a user's password, and make a link to set another", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var link resource.InviteLink
			if err := a.call(cmd.Context(), http.MethodPost, "/users/"+seg(args[0])+"/link", body, &link); err != nil {
				return err
			}
			if link.Tokens > 0 {
				say(a.errOut, "The user has %d API tokens still: --remove-tokens removes them.\n", link.Tokens)
			}
			return a.print(link, func() *table { return &table{rows: [][]string{{link.URL}}} })
		},
	}
	cmd.Flags().BoolVar(&body.RemoveTokens, "remove-tokens", false, "remove the user's API tokens too")
	return cmd
}

func (a *app) patchUserCommand(use, short, done string, disabled bool) *cobra.Command {
	return &cobra.Command{
		Use: use + " USER", Short: short, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			body := resource.PatchUser{Disabled: &disabled}
			if err := a.call(cmd.Context(), http.MethodPatch, "/users/"+seg(args[0]), body, nil); err != nil {
				return err
			}
			a.done("%s is %s.", args[0], done)
			return nil
		},
	}
}

func (a *app) adminCommand() *cobra.Command {
	var off bool
	cmd := &cobra.Command{
		Use: "admin USER", Short: "make a user an administrator, or with --off no more one", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			admin := !off
			if err := a.call(cmd.Context(), http.MethodPatch, "/users/"+seg(args[0]), resource.PatchUser{Admin: &admin}, nil); err != nil {
				return err
			}
			a.done("%s: administrator: %s.", args[0], yesNo(admin))
			return nil
		},
	}
	cmd.Flags().BoolVar(&off, "off", false, "take it back")
	return cmd
}

func (a *app) teamsCommand() *cobra.Command {
	ls := &cobra.Command{
		Use: "ls", Short: "list teams", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var all resource.List[resource.Team]
			if err := a.get(cmd.Context(), "/teams", nil, &all); err != nil {
				return err
			}
			return a.print(all.Items, func() *table {
				t := &table{head: []string{"NAME", "LEADERS", "MEMBERS", "NOTE"}}
				for _, x := range all.Items {
					t.add(x.Name, dash(strings.Join(x.Leaders, ", ")), dash(strings.Join(x.Members, ", ")), dash(x.Note))
				}
				return t
			})
		},
	}
	var body resource.PutTeam
	set := &cobra.Command{
		Use: "set TEAM", Short: "make a team, or replace who is in it", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := a.call(cmd.Context(), http.MethodPut, "/teams/"+seg(args[0]), body, nil); err != nil {
				return err
			}
			a.done("team %s is set.", args[0])
			return nil
		},
	}
	set.Flags().StringSliceVar(&body.Leaders, "leader", nil, "a user who says who is in it (may be given again)")
	set.Flags().StringSliceVar(&body.Members, "member", nil, "a user (may be given again)")
	set.Flags().StringVar(&body.Note, "note", "", "what the team is for")
	rm := &cobra.Command{
		Use: "rm TEAM…", Short: "remove teams with their grants", Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return a.eachDelete(cmd, "/teams/", args) },
	}
	return parent("teams", "users who are granted roles together", ls, set, rm,
		a.memberCommand("add", "put a user into a team", http.MethodPut), a.memberCommand("drop", "take a user out of a team", http.MethodDelete))
}

func (a *app) memberCommand(use, short, method string) *cobra.Command {
	return &cobra.Command{
		Use: use + " TEAM USER", Short: short, Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			var t resource.Team
			if err := a.call(cmd.Context(), method, "/teams/"+seg(args[0])+"/members/"+seg(args[1]), nil, &t); err != nil {
				return err
			}
			a.done("team %s: %s.", t.Name, dash(strings.Join(append(t.Leaders, t.Members...), ", ")))
			return nil
		},
	}
}
