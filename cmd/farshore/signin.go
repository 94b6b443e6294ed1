package main

import (
	"net/http"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/internal/apiclient"
)

func (a *app) signInCommand() *cobra.Command {
	var life time.Duration
	var put resource.AccessSettings
	cmd := &cobra.Command{
		Use: "access", Short: "show or change how long sessions last, and what signing in takes", Args: cobra.NoArgs,
		Long: `Shows, or with flags changes, how long a session lasts, how many characters a password needs that is set from now on, and
who needs a second factor. Open sessions last as long as they were given. Who needs a second factor and has none can only
set one up.`,
		Example: "  farshore settings access --session-life 4h --second-factor administrators",
		RunE: func(cmd *cobra.Command, _ []string) error {
			var now resource.AccessSettingsNow
			if err := a.get(cmd.Context(), "/settings/access", nil, &now); err != nil {
				return err
			}
			next := now.AccessSettings
			given := cmd.Flags().Changed
			if given("session-life") {
				next.SessionSeconds = int64(life / time.Second)
			}
			if given("min-password") {
				next.MinPassword = put.MinPassword
			}
			if given("second-factor") {
				next.SecondFactor = put.SecondFactor
			}
			if next != now.AccessSettings {
				h, err := a.hub()
				if err != nil {
					return err
				}
				err = h.Do(cmd.Context(), apiclient.Request{
					Method: http.MethodPut, Path: "/settings/access", Body: next, Header: http.Header{"If-Match": {`"` + now.Etag + `"`}},
				}, &now)
				if err != nil {
					return err
				}
			}
			return a.print(now, func() *table {
				t := &table{}
				t.add("sessions last", (time.Duration(now.SessionSeconds) * time.Second).String())
				t.add("passwords have", strconv.Itoa(now.MinPassword)+" characters or more")
				t.add("second factor for", now.SecondFactor)
				return t
			})
		},
	}
	f := cmd.Flags()
	f.DurationVar(&life, "session-life", 0, "from 15m to 720h")
	f.IntVar(&put.MinPassword, "min-password", 0, "fewest characters of a password, from 12 to 128")
	f.StringVar(&put.SecondFactor, "second-factor", "", "nobody, administrators or everybody")
	must(cmd.RegisterFlagCompletionFunc("second-factor", cobra.FixedCompletions(
		[]string{"nobody", "administrators", "everybody"}, cobra.ShellCompDirectiveNoFileComp)))
	return cmd
}
