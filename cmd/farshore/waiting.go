package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/protocol"
)

func (a *app) waitingCommand() *cobra.Command {
	var state string
	ls := &cobra.Command{
		Use: "ls", Short: "list the devices that ask to be let in", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			all, err := a.waiting(cmd, state)
			if err != nil {
				return err
			}
			return a.print(all, func() *table {
				t := &table{head: []string{"ID", "CODE", "HOST", "OS", "ARCH", "KEY", "WAITS", "FROM", "STATE", "LOOK"}}
				for _, w := range all {
					t.add(string(w.ID), w.PairingCode, dash(w.Facts.Hostname), dash(w.Facts.OS), dash(w.Facts.Arch), w.Key,
						strings.TrimSuffix(ago(w.FirstKnock), " ago"), dash(w.Remote), w.State, dash(strings.Join(append(w.Marks, w.Notes...), "; ")))
				}
				return t
			})
		},
	}
	ls.Flags().StringVar(&state, "state", "waiting", "waiting, rejected, blocked or all")
	return parent("waiting", "the waiting room: devices that ask to be let in", ls, a.approveCommand(), a.rejectCommand())
}

func (a *app) waiting(cmd *cobra.Command, state string) ([]resource.Waiting, error) {
	var all resource.List[resource.Waiting]
	err := a.get(cmd.Context(), "/waiting", url.Values{"state": {state}}, &all)
	return all.Items, err
}

// whoWaits finds the devices that are meant by ids, beginnings of ids, or host names.
func (a *app) whoWaits(cmd *cobra.Command, refs []string) ([]protocol.DeviceID, error) {
	all, err := a.waiting(cmd, "all")
	if err != nil {
		return nil, err
	}
	var out []protocol.DeviceID
	for _, ref := range refs {
		var fit []protocol.DeviceID
		for _, w := range all {
			if strings.HasPrefix(string(w.ID), ref) || w.Facts.Hostname == ref {
				fit = append(fit, w.ID)
			}
		}
		switch len(fit) {
		case 0:
			return nil, fmt.Errorf("device %q: %w in the waiting room: `farshore waiting ls --state all` lists all", ref, errNotFound)
		case 1:
			out = append(out, fit[0])
		default:
			return nil, fmt.Errorf("device %q: %d in the waiting room fit: give the whole id", ref, len(fit))
		}
	}
	return out, nil
}

func (a *app) approveCommand() *cobra.Command {
	var yes resource.Approval
	var labels []string
	var all bool
	cmd := &cobra.Command{
		Use: "approve ID…", Short: "let devices in",
		Long: `Lets devices in. Each is named by its id, the beginning of it, or its host name.

Compare the pairing code with the display of the device, or with what ` + "`farshore-agent status`" + ` shows on it, and give it with
--code: only then is it certain that the device is the one in front of you. With --code alone no ID is needed.`,
		Example: "  farshore waiting approve qz3m --code 7ZK4-M0QD --name crane-1 --group norway/oslo --label line=3",
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			if yes.Labels, err = labelsOf(cmd, labels); err != nil {
				return err
			}
			switch n := len(args); {
			case n == 0 && yes.Code == "" && !all:
				return usage(cmd, errors.New("give the ID of a device, --code CODE, or --all"))
			case all && (n > 0 || yes.Code != "" || yes.Name != ""):
				return usage(cmd, errors.New("--all goes with neither ID, nor --code, nor --name"))
			case n > 1 && (yes.Code != "" || yes.Name != ""):
				return usage(cmd, errors.New("--code and --name are for one device"))
			}
			approvals, err := a.approvals(cmd, args, yes)
			if err != nil {
				return err
			}
			if len(approvals) == 0 {
				a.done("No device is waiting.")
				return nil
			}
			var out resource.List[resource.Outcome]
			if err := a.call(cmd.Context(), http.MethodPost, "/waiting/approve", resource.Approve{Approvals: approvals}, &out); err != nil {
				return err
			}
			if err := a.outcomes(out.Items, "is in"); err != nil {
				return err
			}
			if yes.Code == "" && a.format == formatTable {
				say(a.errOut, "Without --code nobody knows which device this is: it gets no secret variables and no access to registries, until: "+
					"farshore devices set DEVICE --code CODE\n")
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&yes.Code, "code", "", "pairing code, as the device shows it")
	f.StringVar(&yes.Name, "name", "", "name for the device (default: that of the key, or its host name)")
	f.StringVar(&yes.Group, "group", "", "group for it (default: that of the key)")
	f.StringVar(&yes.Profile, "profile", "", "link profile for it")
	f.StringArrayVar(&labels, "label", nil, "label for it, KEY=VALUE; may be repeated")
	f.BoolVar(&all, "all", false, "all devices that wait now")
	return cmd
}

func (a *app) approvals(cmd *cobra.Command, args []string, yes resource.Approval) (out []resource.Approval, err error) {
	var ids []protocol.DeviceID
	switch {
	case len(args) > 0:
		if ids, err = a.whoWaits(cmd, args); err != nil {
			return nil, err
		}
	case yes.Code != "":
		return []resource.Approval{yes}, nil
	default:
		all, err := a.waiting(cmd, "waiting")
		if err != nil {
			return nil, err
		}
		for _, w := range all {
			ids = append(ids, w.ID)
		}
	}
	for _, id := range ids {
		yes.ID = id
		out = append(out, yes)
	}
	return out, nil
}

// outcomes says what became of each of many, and fails when one did not work.
func (a *app) outcomes(all []resource.Outcome, verb string) error {
	failed := 0
	for _, o := range all {
		if o.Error != "" {
			failed++
			say(a.errOut, "%s: %s\n", o.ID, plain(o.Error))
		}
	}
	err := a.print(all, func() *table {
		t := &table{}
		for _, o := range all {
			if o.Error == "" {
				t.add(strings.TrimSpace(string(o.ID)+" "+o.Name) + " " + verb + ".")
			}
		}
		return t
	})
	if err == nil && failed > 0 {
		err = fmt.Errorf("%d of %d did not work", failed, len(all))
	}
	return err
}

func (a *app) rejectCommand() *cobra.Command {
	var no resource.Reject
	cmd := &cobra.Command{
		Use: "reject ID…", Short: "say no to devices; they can still be approved", Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			if no.IDs, err = a.whoWaits(cmd, args); err != nil {
				return err
			}
			var out resource.List[resource.Outcome]
			if err := a.call(cmd.Context(), http.MethodPost, "/waiting/reject", no, &out); err != nil {
				return err
			}
			switch {
			case no.Undo:
				return a.outcomes(out.Items, "waits again")
			case no.Block:
				return a.outcomes(out.Items, "is blocked")
			}
			return a.outcomes(out.Items, "is rejected")
		},
	}
	cmd.Flags().BoolVar(&no.Block, "block", false, "for good: its knocks are not shown again")
	cmd.Flags().BoolVar(&no.Undo, "undo", false, "take an earlier no back: the devices wait again")
	cmd.MarkFlagsMutuallyExclusive("block", "undo")
	return cmd
}
