package main

import (
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/spf13/cobra"

	"github.com/farshore/farshore/hub/api/resource"
)

func (a *app) profilesCommand() *cobra.Command {
	ls := &cobra.Command{
		Use: "ls", Short: "list link profiles, and what an idle device costs with each", Args: cobra.NoArgs,
		Long: "Lists link profiles, and what an idle device costs with each. `farshore profiles show` says all of one, -o json all of all.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			all, err := a.profiles(cmd)
			if err != nil {
				return err
			}
			return a.print(all, func() *table {
				t := &table{head: []string{"NAME", "DEVICES", "IDLE A MONTH", right("SOFT"), right("HARD"), "CONTACT"}}
				for _, p := range all {
					soft, hard := capColumns(p.Link)
					t.add(cut(p.Name, 24), fmt.Sprint(p.Devices), idleText(&p), soft, hard, cut(contactText(p.Link), 32))
				}
				return t
			})
		},
	}
	show := &cobra.Command{
		Use: "show PROFILE", Short: "look at a link profile", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := a.profile(cmd, args[0])
			if err != nil {
				return err
			}
			return a.print(p, func() *table { return profileTable(p) })
		},
	}
	rm := &cobra.Command{
		Use: "rm PROFILE…", Short: "remove link profiles that nobody goes by", Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return a.eachDelete(cmd, "/profiles/", args) },
	}
	return parent("profiles", "link profiles: frequencies, budgets, times of contact, tariffs", ls, show, a.setProfileCommand(), rm)
}

func (a *app) setProfileCommand() *cobra.Command {
	var s settingFlags
	var l linkFlags
	set := &cobra.Command{
		Use: "set PROFILE", Short: "make a link profile, or change it for all that go by it", Args: cobra.ExactArgs(1),
		Long: `Makes a link profile, or changes what is given and leaves the rest. Sizes are decimal: 5MB are 5,000,000 bytes on the wire, headers
included, both directions together. Caps below what the device's own pings cost are refused, with the arithmetic.`,
		Example: "  farshore profiles set barge --from satellite --soft 15MB --hard 20MB --cycle-day 15 --daily-ping --price 4.20 --currency EUR\n" +
			"  farshore profiles set barge --contact '0 */6 * * * for 10m' --zone Europe/Oslo",
		RunE: func(cmd *cobra.Command, args []string) error {
			if args[0] == "" {
				return usage(cmd, errors.New("want the name of a PROFILE"))
			}
			if err := l.into(cmd, &resource.PutProfile{}); err != nil {
				return err // said before the hub is asked
			}
			all, err := a.profiles(cmd)
			if err != nil {
				return err
			}
			var put resource.PutProfile
			found, origin := false, args[0]
			if cmd.Flags().Changed("from") {
				origin = l.from
			}
			for _, p := range all {
				if p.Name == origin {
					put.Settings, put.Link, put.Tariff, found = p.Settings, p.Link, p.Tariff, true
				}
			}
			if l.from != "" && slices.ContainsFunc(all, func(p resource.Profile) bool { return p.Name == args[0] }) {
				return fmt.Errorf("link profile %s: it is there already, and --from is for a new one: leave it out, or give another name", args[0])
			}
			if l.from != "" && !found {
				return fmt.Errorf("link profile %s: there is none of this name to begin with", l.from)
			}
			if err := s.into(cmd, &put.Settings); err != nil {
				return err
			}
			if err := l.into(cmd, &put); err != nil {
				return err
			}
			var p resource.Profile
			if err := a.call(cmd.Context(), http.MethodPut, "/profiles/"+seg(args[0]), put, &p); err != nil {
				return err
			}
			return a.print(p, func() *table { return profileTable(&p) })
		},
	}
	s.flags(set)
	l.flags(set)
	return set
}

func profileTable(p *resource.Profile) *table {
	t := &table{}
	t.add("profile", p.Name)
	t.add("built in", yesNo(p.BuiltIn))
	t.add("settings", settingsText(p.Settings))
	t.add("caps", budgetText(p.Link))
	if p.Link != nil && p.Link.Budget != nil {
		for _, line := range budgetLines(p.Link.Budget) {
			t.add(line[:]...)
		}
	}
	t.add("contact", contactText(p.Link))
	if p.Link != nil {
		t.add("images", dash(p.Link.Images.String()))
		t.add("connection", dash(p.Link.Connection.String()))
	}
	if p.Tariff != nil {
		t.add("tariff", fmt.Sprintf("%s %s a MB, %s included", dash(p.Tariff.PricePerMB), p.Tariff.Currency, size(p.Tariff.Included)))
	}
	t.add("idle", fmt.Sprintf("%s a day, %s a month", size(p.Idle.BytesPerDay), idleText(p)))
	t.add("used by", fmt.Sprintf("%s; named by %s", counted(p.Devices, "device"), counted(p.Groups, "group")))
	for _, w := range p.Warnings {
		t.add("mind", w)
	}
	return t
}

func (a *app) profile(cmd *cobra.Command, name string) (*resource.Profile, error) {
	all, err := a.profiles(cmd)
	if err != nil {
		return nil, err
	}
	for i := range all {
		if all[i].Name == name {
			return &all[i], nil
		}
	}
	return nil, fmt.Errorf("link profile %s: there is none of this name: see farshore profiles ls", name)
}

func (a *app) profiles(cmd *cobra.Command) ([]resource.Profile, error) {
	var all resource.List[resource.Profile]
	err := a.get(cmd.Context(), "/profiles", nil, &all)
	return all.Items, err
}
