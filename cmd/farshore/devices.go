package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/protocol"
)

// chooser chooses devices by what they have in common.
type chooser struct {
	selector, search, group, stage string
	states                         []string
}

func (ch *chooser) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&ch.selector, "select", "", "only devices whose labels fit, such as 'site=oslo,farshore.io/arch in (amd64, arm64)'")
	f.StringSliceVar(&ch.states, "state", nil, "only devices in this state: on-time, late, overdue, quiet, never-seen or revoked")
	f.StringVar(&ch.group, "group", "", "only devices in this group or below it")
	f.StringVar(&ch.stage, "stage", "", "only devices at this stage of spending: free, saving, last or silent")
	must(cmd.RegisterFlagCompletionFunc("stage", cobra.FixedCompletions([]string{"free", "saving", "last", "silent"}, cobra.ShellCompDirectiveNoFileComp)))
	must(cmd.RegisterFlagCompletionFunc("state", cobra.FixedCompletions(
		[]string{"on-time", "late", "overdue", "quiet", "never-seen", "revoked"}, cobra.ShellCompDirectiveNoFileComp)))
}

// choose reads all pages.
func (a *app) choose(ctx context.Context, ch chooser) ([]resource.Device, error) {
	q := url.Values{"limit": {"1000"}}
	for name, value := range map[string]string{"selector": ch.selector, "q": strings.TrimSpace(ch.search), "group": ch.group, "stage": ch.stage, "state": strings.Join(ch.states, ",")} {
		if value != "" {
			q.Set(name, value)
		}
	}
	out := []resource.Device{}
	for {
		var page resource.DevicePage
		if err := a.get(ctx, "/devices", q, &page); err != nil {
			return nil, err
		}
		out = append(out, page.Items...)
		if page.Next == "" {
			return out, nil
		}
		q.Set("cursor", page.Next)
	}
}

func (a *app) devicesCommand() *cobra.Command {
	var ch chooser
	var search string
	ls := &cobra.Command{
		Use: "ls [TEXT]", Short: "list devices; with TEXT those in which it is found, as with --search", Args: cobra.MaximumNArgs(1),
		Example: `  farshore devices ls --search 'nginx oslo'
  farshore devices ls --search sha256:4bcff63911fc`,
		RunE: func(cmd *cobra.Command, args []string) error {
			ch.search = strings.Join(append(args, search), " ") // all words have to be found
			all, err := a.choose(cmd.Context(), ch)
			if err != nil {
				return err
			}
			return a.print(all, func() *table { return deviceTable(all) })
		},
	}
	ch.flags(ls)
	ls.Flags().StringVar(&search, "search", "", "only devices in which each of these words is found: in name, id, host name, group or labels, "+
		"or in the last snapshot as part of a container's name or an image, or as the beginning of an image's id")
	show := &cobra.Command{
		Use: "show DEVICE", Short: "show all that is known of a device", Args: cobra.ExactArgs(1), ValidArgsFunction: atFirst(a.completeDevices),
		RunE: func(cmd *cobra.Command, args []string) error {
			var d resource.DeviceDetail
			if err := a.get(cmd.Context(), "/devices/"+seg(args[0]), nil, &d); err != nil {
				return err
			}
			return a.print(d, func() *table { return detailTable(d) })
		},
	}
	replace := &cobra.Command{
		Use: "replace OLD NEW", Short: "give a device's name, group, labels and settings to another, and shut the old one out",
		Args: cobra.ExactArgs(2), ValidArgsFunction: a.completeDevices,
		RunE: func(cmd *cobra.Command, args []string) error {
			var d resource.DeviceDetail
			err := a.call(cmd.Context(), http.MethodPost, "/devices/"+seg(args[0])+"/replace", resource.Replace{By: args[1]}, &d)
			if err != nil {
				return err
			}
			return a.print(d, func() *table { return detailTable(d) })
		},
	}
	return parent("devices", "devices", ls, show, a.timelineCommand(), a.setDeviceCommand(), a.removeDeviceCommand(), a.revokeDeviceCommand(), replace)
}

func deviceTable(all []resource.Device) *table {
	t := &table{head: []string{"STATE", "NAME", "GROUP", "MODE", "CARRIER", "STACKS", "CONTAINERS", "LAST CONTACT", "VERSION"}}
	for _, d := range all {
		containers := "-"
		if d.Containers != nil {
			containers = fmt.Sprintf("%d/%d", d.Containers.Running, d.Containers.All)
		}
		t.add(liveness(d.Liveness), d.Name, dash(d.Group), d.Mode.String(), dash(string(d.Carrier)), stackCounts(d.Stacks), containers,
			ago(d.Liveness.LastContact), dash(d.Version))
	}
	return t
}

// liveness says how a device is heard of, and when the hub expects it.
func liveness(l resource.Liveness) string {
	state := strings.ReplaceAll(l.State, "-", " ")
	switch {
	case l.NextContact.IsZero():
		return state
	case l.NextContact.Before(time.Now()):
		return state + ", due " + ago(l.NextContact)
	}
	return state + ", next " + ago(l.NextContact)
}

func stackCounts(s resource.StackCounts) string {
	out := fmt.Sprintf("%d/%d", s.OK, s.All)
	if s.Failed > 0 {
		out += fmt.Sprintf(", %d failed", s.Failed)
	}
	return out
}

func detailTable(d resource.DeviceDetail) *table {
	t := &table{}
	t.add("name", d.Name)
	t.add("id", string(d.ID))
	t.add("state", d.Liveness.State+" since "+exact(d.Liveness.Since))
	t.add("last contact", exact(d.Liveness.LastContact)+" ("+ago(d.Liveness.LastContact)+")")
	t.add("next contact", exact(d.Liveness.NextContact))
	t.add("because", dash(d.Liveness.Reason))
	t.add("connected", strings.TrimSpace(yesNo(d.Liveness.Connected)+" "+string(d.Carrier)))
	t.add("group", dash(d.Group))
	t.add("mode", d.Mode.String())
	t.add("agent", dash(d.Version))
	if d.ClockOffsetMS != 0 {
		t.add("clock", clockOffset(time.Duration(d.ClockOffsetMS)*time.Millisecond))
	}
	t.add("identity", map[bool]string{true: "confirmed", false: "unconfirmed"}[d.Confirmed])
	if d.Containers != nil {
		t.add("containers", fmt.Sprintf("%d running of %d", d.Containers.Running, d.Containers.All))
	}
	e := d.Effective
	for _, s := range []struct{ name, value string }{
		{"ping", e.Settings.Ping.String()},
		{"snapshot", e.Settings.Snapshot.String()},
		{"command", e.Settings.Command.String()},
		{"profile", e.Profile},
		{"chunk_bytes", strconv.Itoa(int(e.Settings.ChunkBytes))},
		{"connect_timeout_seconds", strconv.Itoa(int(e.Settings.ConnectTimeoutSeconds))},
		{"exchange_timeout_seconds", strconv.Itoa(int(e.Settings.ExchangeTimeoutSeconds))},
		{"key_exchange", e.Settings.KeyExchange.String()},
	} {
		t.add(strings.ReplaceAll(s.name, "_", " "), dash(s.value)+" ("+e.From[s.name]+")")
	}
	t.add("labels", pairs(d.Labels))
	t.add("wishes for", pairs(d.Wishes))
	t.add("approved", exact(d.Approved)+" by "+dash(d.ApprovedBy))
	if !d.Revoked.IsZero() {
		t.add("revoked", exact(d.Revoked))
	}
	if d.Replaces != "" {
		t.add("replaces", string(d.Replaces))
	}
	if d.ReplacedBy != "" {
		t.add("replaced by", string(d.ReplacedBy))
	}
	t.add("open commands", strconv.Itoa(d.OpenCommands))
	for _, s := range d.StackStates {
		t.add("stack "+s.Stack, stackOnDevice(s))
	}
	return t
}

// stackOnDevice says how a stack is on a device, which shall have no version of it any more while it is removed there.
func stackOnDevice(s resource.DeviceStack) string {
	text := s.State
	if s.Version != 0 {
		text += fmt.Sprintf(", version %d", s.Version)
	}
	return strings.TrimSpace(text + " " + s.Code + " " + s.Detail)
}

func (a *app) setDeviceCommand() *cobra.Command {
	var name, group, profile, ping, snapshot, command, keyExchange string
	var chunk, connect, exchange uint32
	var labels []string
	var confirm bool
	var code string
	var selector string
	cmd := &cobra.Command{
		Use: "set DEVICE…", Short: "change devices", ValidArgsFunction: a.completeDevices,
		Long: `Changes devices: those that are named, or those that --select names. Frequencies are durations such as 60s or 5m, off, or push
(commands at once; snapshots when something changed). An empty value, or 0, lets a setting be inherited from the groups.`,
		Example: `  farshore devices set crane-1 --group norway/oslo --label line=3 --label spare-
  farshore devices set --select site=oslo --profile satellite --ping ""`,
		RunE: func(cmd *cobra.Command, args []string) error {
			var p resource.DevicePatch
			var s resource.SettingsPatch
			changed := cmd.Flags().Changed
			given(changed("name"), &p.Name, name)
			given(changed("group"), &p.Group, strings.Trim(group, "/"))
			given(changed("profile"), &p.Profile, profile)
			given(changed("confirm"), &p.Confirm, confirm)
			given(changed("code"), &p.PairingCode, code)
			given(changed("chunk-bytes"), &s.ChunkBytes, chunk)
			given(changed("connect-timeout"), &s.ConnectTimeoutSeconds, connect)
			given(changed("exchange-timeout"), &s.ExchangeTimeoutSeconds, exchange)
			if err := usage(cmd, errors.Join(
				frequency(changed("ping"), &s.Ping, ping), frequency(changed("snapshot"), &s.Snapshot, snapshot),
				frequency(changed("command"), &s.Command, command), exchangeKind(changed("key-exchange"), &s.KeyExchange, keyExchange),
			)); err != nil {
				return err
			}
			if s != (resource.SettingsPatch{}) {
				p.Settings = &s
			}
			var err error
			if p.Labels, err = labelChanges(cmd, labels); err != nil {
				return err
			}
			return a.setDevices(cmd, args, selector, p)
		},
	}
	f := cmd.Flags()
	f.StringVar(&name, "name", "", "name")
	f.StringVar(&group, "group", "", "group, such as norway/oslo; it is made when it does not exist")
	f.StringArrayVar(&labels, "label", nil, "set a label, KEY=VALUE, or take it away, KEY-; may be repeated")
	f.StringVar(&profile, "profile", "", "link profile")
	f.StringVar(&ping, "ping", "", "how often it shows that it lives")
	f.StringVar(&snapshot, "snapshot", "", "how often it reports its state")
	f.StringVar(&command, "command", "", "how often it collects commands")
	f.Uint32Var(&chunk, "chunk-bytes", 0, "most bytes of file data in one message")
	f.Uint32Var(&connect, "connect-timeout", 0, "seconds a connection may take to be made")
	f.Uint32Var(&exchange, "exchange-timeout", 0, "seconds an answer may take")
	f.StringVar(&keyExchange, "key-exchange", "", "hybrid or classic")
	f.BoolVar(&confirm, "confirm", false, "note that the identity of the device was checked; it gets secrets from then on")
	f.StringVar(&code, "code", "", "confirm the device by the pairing code that it shows")
	f.StringVar(&selector, "select", "", "devices whose labels fit")
	return cmd
}

func given[T any](is bool, to **T, value T) {
	if is {
		*to = &value
	}
}

func frequency(is bool, to **protocol.Frequency, text string) error {
	if !is {
		return nil
	}
	f, err := protocol.ParseFrequency(text)
	*to = &f
	return err
}

func exchangeKind(is bool, to **protocol.KeyExchange, text string) error {
	if !is {
		return nil
	}
	k := new(protocol.KeyExchange)
	*to = k
	return k.UnmarshalText([]byte(text))
}

// labelChanges reads KEY=VALUE and KEY-.
func labelChanges(cmd *cobra.Command, list []string) (map[string]*string, error) {
	out := map[string]*string{}
	for _, l := range list {
		k, v, ok := strings.Cut(l, "=")
		gone, away := strings.CutSuffix(l, "-")
		switch {
		case ok && k != "":
			out[k] = &v
		case !ok && away && gone != "":
			out[gone] = nil
		default:
			return nil, usage(cmd, fmt.Errorf("label %q: want KEY=VALUE, or KEY- to take it away", l))
		}
	}
	return out, nil
}

func (a *app) setDevices(cmd *cobra.Command, refs []string, selector string, p resource.DevicePatch) error {
	ids := refs
	switch {
	case len(refs) == 0 && selector == "":
		return usage(cmd, errors.New("give the DEVICE, or --select"))
	case len(refs) > 0 && selector != "":
		return usage(cmd, errors.New("give either DEVICE or --select"))
	case selector != "":
		chosen, err := a.choose(cmd.Context(), chooser{selector: selector})
		if err != nil {
			return err
		}
		for _, d := range chosen {
			ids = append(ids, string(d.ID))
		}
	}
	if len(ids) > 1 && p.Name != nil {
		return usage(cmd, errors.New("--name is for one device"))
	}
	changed := []resource.DeviceDetail{}
	var errs []error
	for _, id := range ids {
		var d resource.DeviceDetail
		if err := a.call(cmd.Context(), http.MethodPatch, "/devices/"+seg(id), p, &d); err != nil {
			errs = append(errs, err)
			continue
		}
		changed = append(changed, d)
	}
	err := a.print(changed, func() *table {
		t := &table{}
		for _, d := range changed {
			t.add(d.Name + " (" + string(d.ID) + ") is changed.")
		}
		return t
	})
	return errors.Join(append(errs, err)...)
}

func (a *app) removeDeviceCommand() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use: "rm DEVICE… --yes", Short: "revoke devices and forget them", Args: cobra.MinimumNArgs(1), ValidArgsFunction: a.completeDevices,
		Long: `Revokes devices and forgets them, with their snapshots and commands. What runs on them goes on running. A device that knocks
again does not come in by rule: somebody has to approve it.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.endDevices(cmd, args, ending{yes: yes, question: "Forget " + strings.Join(args, ", ") + "?", verb: "removed", forget: true})
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}

func (a *app) revokeDeviceCommand() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use: "revoke DEVICE… --yes", Short: "shut devices out until they are approved again; what is known of them stays", Args: cobra.MinimumNArgs(1), ValidArgsFunction: a.completeDevices,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.endDevices(cmd, args, ending{yes: yes, question: "Shut out " + strings.Join(args, ", ") + "?", verb: "revoked"})
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}

// ending is how devices are let go.
type ending struct {
	yes            bool
	question, verb string
	forget         bool
}

func (a *app) endDevices(cmd *cobra.Command, refs []string, e ending) error {
	if !e.yes {
		if err := a.sure(e.question); err != nil {
			return err
		}
	}
	var errs []error
	for _, ref := range refs {
		var d resource.DeviceDetail
		err := a.get(cmd.Context(), "/devices/"+seg(ref), nil, &d)
		path := "/devices/" + string(d.ID)
		if err == nil && d.Revoked.IsZero() {
			err = a.call(cmd.Context(), http.MethodPost, path+"/revoke", nil, nil)
		}
		if err == nil && e.forget {
			err = a.call(cmd.Context(), http.MethodDelete, path, nil, nil)
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		a.done("%s (%s) is %s.", d.Name, d.ID, e.verb)
	}
	return errors.Join(errs...)
}

// clockOffset says how far a device's clock was from the hub's.
func clockOffset(d time.Duration) string {
	if d < 0 {
		return (-d).String() + " behind the hub's at its last hello"
	}
	return d.String() + " ahead of the hub's at its last hello"
}
