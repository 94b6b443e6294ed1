package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/internal/apiclient"
	"github.com/farshore/farshore/protocol"
)

// settingFlags are the settings that groups and profiles can have.
type settingFlags struct {
	ping, snapshot, command, keyExchange string
	chunk, connect, exchange             uint32
}

func (s *settingFlags) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&s.ping, "ping", "", "how often devices show that they live, such as 60s or 20m, or off")
	f.StringVar(&s.snapshot, "snapshot", "", "how often they report their state, or push: when something changed")
	f.StringVar(&s.command, "command", "", "how often they collect commands, or push: at once")
	f.Uint32Var(&s.chunk, "chunk-bytes", 0, "most bytes of file data in one message")
	f.Uint32Var(&s.connect, "connect-timeout", 0, "seconds a connection may take to be made")
	f.Uint32Var(&s.exchange, "exchange-timeout", 0, "seconds an answer may take")
	f.StringVar(&s.keyExchange, "key-exchange", "", "hybrid or classic")
}

// into changes those settings of to whose flags were given.
func (s *settingFlags) into(cmd *cobra.Command, to *resource.Settings) error {
	changed := cmd.Flags().Changed
	var errs []error
	for name, f := range map[string]struct {
		text string
		to   *protocol.Frequency
	}{"ping": {s.ping, &to.Ping}, "snapshot": {s.snapshot, &to.Snapshot}, "command": {s.command, &to.Command}} {
		if changed(name) {
			errs = append(errs, f.to.UnmarshalText([]byte(f.text)))
		}
	}
	for name, n := range map[string]struct {
		from uint32
		to   *uint32
	}{
		"chunk-bytes": {s.chunk, &to.ChunkBytes}, "connect-timeout": {s.connect, &to.ConnectTimeoutSeconds},
		"exchange-timeout": {s.exchange, &to.ExchangeTimeoutSeconds},
	} {
		if changed(name) {
			*n.to = n.from
		}
	}
	if changed("key-exchange") {
		errs = append(errs, to.KeyExchange.UnmarshalText([]byte(s.keyExchange)))
	}
	return usage(cmd, errors.Join(errs...))
}

func settingsText(s resource.Settings) string {
	var out []string
	for _, x := range []struct{ name, value string }{
		{"ping", s.Ping.String()}, {"snapshot", s.Snapshot.String()}, {"command", s.Command.String()}, {"key exchange", s.KeyExchange.String()},
	} {
		if x.value != "" {
			out = append(out, x.name+" "+x.value)
		}
	}
	for _, x := range []struct {
		name  string
		value uint32
		unit  string
	}{{"chunk", s.ChunkBytes, "B"}, {"connect timeout", s.ConnectTimeoutSeconds, "s"}, {"exchange timeout", s.ExchangeTimeoutSeconds, "s"}} {
		if x.value != 0 {
			out = append(out, fmt.Sprintf("%s %d %s", x.name, x.value, x.unit))
		}
	}
	return dash(strings.Join(out, ", "))
}

func (a *app) groups(cmd *cobra.Command) ([]resource.Group, error) {
	var all resource.List[resource.Group]
	err := a.get(cmd.Context(), "/groups", nil, &all)
	return all.Items, err
}

func (a *app) groupsCommand() *cobra.Command {
	ls := &cobra.Command{
		Use: "ls", Short: "list groups; what a group says holds for all below it", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			all, err := a.groups(cmd)
			if err != nil {
				return err
			}
			return a.print(all, func() *table {
				t := &table{head: []string{"GROUP", "DEVICES", "PROFILE", "SETTINGS", "LABELS"}}
				for _, g := range all {
					t.add("/"+g.Path, fmt.Sprint(g.Devices), dash(g.Profile), settingsText(g.Settings), pairs(g.Labels))
				}
				return t
			})
		},
	}
	rm := &cobra.Command{
		Use: "rm GROUP", Short: "remove a group that holds no device and no other group", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			h, err := a.hub()
			if err != nil {
				return err
			}
			r := apiclient.Request{Method: http.MethodDelete, Path: "/groups", Query: url.Values{"path": {args[0]}}}
			if err := h.Do(cmd.Context(), r, nil); err != nil {
				return err
			}
			a.done("%s is removed.", args[0])
			return nil
		},
	}
	return parent("groups", "the tree of devices, with what is inherited down it", ls, a.setGroupCommand(), rm)
}

func (a *app) setGroupCommand() *cobra.Command {
	var s settingFlags
	var profile string
	var labels []string
	cmd := &cobra.Command{
		Use: "set GROUP", Short: "make a group, or change what it says", Args: cobra.ExactArgs(1),
		Long:    "Makes a group, or changes what is given and leaves the rest. GROUP is a path such as norway/oslo; / is the root, which holds all devices.",
		Example: "  farshore groups set norway/oslo --profile satellite --label site=oslo",
		RunE: func(cmd *cobra.Command, args []string) error {
			put := resource.PutGroup{Path: strings.Trim(args[0], "/")}
			changes, err := labelChanges(cmd, labels)
			if err = errors.Join(err, s.into(cmd, &resource.Settings{})); err != nil {
				return err // said before the hub is asked
			}
			all, err := a.groups(cmd)
			if err != nil {
				return err
			}
			for _, g := range all {
				if g.Path == put.Path {
					put.Labels, put.Settings, put.Profile = g.Labels, g.Settings, g.Profile
				}
			}
			if err := s.into(cmd, &put.Settings); err != nil {
				return err
			}
			if cmd.Flags().Changed("profile") {
				put.Profile = profile
			}
			for k, v := range changes {
				if put.Labels == nil {
					put.Labels = map[string]string{}
				}
				if v == nil {
					delete(put.Labels, k)
				} else {
					put.Labels[k] = *v
				}
			}
			var g resource.Group
			if err := a.call(cmd.Context(), http.MethodPut, "/groups", put, &g); err != nil {
				return err
			}
			return a.print(g, func() *table {
				t := &table{}
				t.add("group", "/"+g.Path)
				t.add("profile", dash(g.Profile))
				t.add("settings", settingsText(g.Settings))
				t.add("labels", pairs(g.Labels))
				return t
			})
		},
	}
	s.flags(cmd)
	cmd.Flags().StringVar(&profile, "profile", "", "link profile; empty: inherited")
	cmd.Flags().StringArrayVar(&labels, "label", nil, "set a label, KEY=VALUE, or take it away, KEY-; may be repeated")
	return cmd
}
