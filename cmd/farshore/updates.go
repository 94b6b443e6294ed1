package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/stacks/rollout"
)

func (a *app) updatesCommand() *cobra.Command {
	ls := &cobra.Command{
		Use: "ls", Short: "list updates, the latest first", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var all resource.List[resource.Update]
			if err := a.get(cmd.Context(), "/updates", nil, &all); err != nil {
				return err
			}
			return a.print(all.Items, func() *table {
				t := &table{head: []string{"ID", "RELEASE", "PHASE", "DEVICES", "STARTED", "BY", "WHY"}}
				for _, u := range all.Items {
					t.add(u.ID, u.Release, u.Phase, counts(u.Devices), ago(u.Created), u.By, dash(u.Why))
				}
				return t
			})
		},
	}
	children := []*cobra.Command{ls, a.startUpdateCommand("start"), a.startUpdateCommand("preview"), a.startUpdateCommand("estimate"), a.showUpdateCommand(), a.watchUpdateCommand()}
	for _, x := range []struct {
		action rollout.Action
		short  string
	}{
		{rollout.ActionPause, "start no more devices until it is continued"},
		{rollout.ActionContinue, "go on with a paused update; failures so far are waived"},
		{rollout.ActionAbort, "end an update; devices that have begun finish"},
		{rollout.ActionSkip, "go on without waiting for the batch"},
		{rollout.ActionRetry, "try again on devices that failed or were brought back"},
	} {
		children = append(children, &cobra.Command{
			Use: string(x.action) + " ID", Short: x.short, Args: cobra.ExactArgs(1),
			RunE: func(cmd *cobra.Command, args []string) error {
				var u resource.Update
				if err := a.call(cmd.Context(), http.MethodPost, "/updates/"+seg(args[0])+"/"+string(x.action), nil, &u); err != nil {
					return err
				}
				return a.printUpdate(u)
			},
		})
	}
	return parent("updates", "bring a release of agent and composer to devices", children...)
}

// startUpdateCommand is start, preview or estimate.
func (a *app) startUpdateCommand(use string) *cobra.Command {
	var s resource.UpdateSpec
	var trial time.Duration
	var windows []string
	var p planFlags
	var begin, zone string
	var w wait
	short := "bring a release to devices, in batches"
	if use == "preview" {
		short = "see which devices an update means, and how many bytes it takes"
	}
	if use == "estimate" {
		short = "see what an update would cost devices in bytes, money and time"
	}
	cmd := &cobra.Command{
		Use: use + " RELEASE", Short: short, Args: cobra.ExactArgs(1),
		Example: "  farshore updates " + use + " v1.3.0 --select site=oslo --batch 1 --double --soak 15m --failures 2%\n" +
			"  farshore updates " + use + " v1.3.0 --order-label ring --window '0 2 * * 6,7 for 2h' --zone Europe/Oslo",
		RunE: func(cmd *cobra.Command, args []string) error {
			s.Release = args[0]
			if trial < 0 || trial > 24*time.Hour {
				return usage(cmd, errors.New("--trial must be at most 24h"))
			}
			var err error
			if s.Plan, err = p.read(cmd); err != nil {
				return err
			}
			s.TrialSeconds, s.OrderLabel = uint32(trial.Seconds()), p.orderLabel
			for _, text := range windows {
				x, err := parseWindow(text, zone)
				if err != nil {
					return usage(cmd, err)
				}
				s.Windows = append(s.Windows, x)
			}
			if s.Begin, err = parseBegin(cmd, begin); err != nil {
				return err
			}
			if use == "estimate" {
				return a.estimate(cmd.Context(), "/updates", s)
			}
			if use == "preview" {
				return a.previewUpdate(cmd.Context(), s)
			}
			var u resource.Update
			if err := a.call(cmd.Context(), http.MethodPost, "/updates", s, &u); err != nil {
				return err
			}
			if w.on {
				return a.waitForUpdate(cmd.Context(), w, u)
			}
			return a.printUpdate(u)
		},
	}
	f := cmd.Flags()
	f.StringVar(&s.Selector, "select", "", "only devices that the selector matches")
	f.StringVar(&s.Group, "group", "", "only devices of the group and below it")
	p.flags(cmd)
	f.StringArrayVar(&windows, "window", nil, "when devices may change: five fields of cron, and how long, such as '0 2 * * 6,7 for 2h'; may be repeated")
	f.StringVar(&zone, "zone", "", "time zone of the windows (default: that of the device's label timezone, such as Europe.Oslo, else UTC)")
	f.StringVar(&begin, "begin", "", "when to begin, RFC 3339 (default: now)")
	f.DurationVar(&trial, "trial", 0, "within which time a new agent must be in session with the hub (default 5m)")
	f.BoolVar(&s.Downgrade, "allow-downgrade", false, "devices that run something newer get it too")
	f.StringVar(&s.Message, "message", "", "why")
	if use == "start" {
		w.flags(cmd, "it is over or paused, and fail when it is not done")
	}
	return cmd
}

func parseWindow(text, zone string) (resource.ChangeWindow, error) {
	start, long, ok := strings.Cut(text, " for ")
	d, err := time.ParseDuration(strings.TrimSpace(long))
	if !ok || err != nil || d < time.Minute || d > 7*24*time.Hour {
		return resource.ChangeWindow{}, fmt.Errorf("window %q: want five fields of cron, and how long (1m to 168h), such as '0 2 * * 6,7 for 2h'", text)
	}
	return resource.ChangeWindow{Start: start, Minutes: uint32(d.Minutes()), Zone: zone}, nil
}

// previewUpdate waits a little for the figures of programs that are being made ready.
func (a *app) previewUpdate(ctx context.Context, s resource.UpdateSpec) error {
	var e resource.UpdateEstimate
	w := wait{timeout: 30 * time.Second}
	err := w.until(ctx, "the estimate", func(ctx context.Context) (bool, error) {
		err := a.call(ctx, http.MethodPost, "/updates/preview", s, &e)
		return err == nil && e.Preparing == 0, err
	})
	if err != nil && (e.Words == "" || !errors.Is(err, errOutcome)) {
		return err
	}
	if a.format != formatTable {
		return a.print(e, nil)
	}
	more := ""
	if e.Preparing > 0 {
		more = "; more, since some programs are still being made ready: ask again"
	}
	say(a.out, "%s\nDevices: %d (%s). Bytes: %s%s.\n", plain(e.Words), e.Devices, counts(e.Codes), size(e.Bytes), more)
	t := &table{head: []string{"\nDEVICE", "RUNS", "FETCHES", ""}}
	for _, d := range e.Items {
		fetches := "?"
		switch {
		case d.Ready && d.Patch:
			fetches = size(d.Bytes) + ", a patch"
		case d.Ready:
			fetches = size(d.Bytes)
		}
		t.add(d.Name, dash(d.Version), fetches, d.Code)
	}
	return t.write(a.out)
}

func (a *app) printUpdate(u resource.Update) error {
	return a.print(u, func() *table {
		t := &table{}
		t.add("update", u.ID)
		t.add("release", u.Release)
		t.add("phase", u.Phase)
		if u.Why != "" {
			t.add("because", u.Why)
		}
		t.add("plan", u.Words)
		t.add("selector", or(u.Selector, "all devices")+map[bool]string{true: " in group " + u.Group}[u.Group != ""])
		t.add("devices", counts(u.Devices))
		t.add("batch", fmt.Sprint(u.Batch))
		t.add("bytes", size(u.Bytes))
		t.add("started", exact(u.Created)+" by "+u.By)
		if !u.Ended.IsZero() {
			t.add("ended", exact(u.Ended))
		}
		return t
	})
}

func (a *app) showUpdateCommand() *cobra.Command {
	var states []string
	cmd := &cobra.Command{
		Use: "show ID", Short: "show an update with its devices, first those that failed", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var out struct {
				resource.Update
				Items []resource.UpdateDevice `json:"items"`
			}
			var devices resource.List[resource.UpdateDevice]
			if err := a.get(cmd.Context(), "/updates/"+seg(args[0]), nil, &out.Update); err != nil {
				return err
			}
			q := url.Values{}
			if len(states) > 0 {
				q["state"] = states
			}
			if err := a.get(cmd.Context(), "/updates/"+seg(args[0])+"/devices", q, &devices); err != nil {
				return err
			}
			out.Items = devices.Items
			if a.format != formatTable {
				return a.print(out, nil)
			}
			if err := a.printUpdate(out.Update); err != nil {
				return err
			}
			t := &table{head: []string{"\nDEVICE", "STATE", "BATCH", "RUNS", "FETCHES", "CODE", "SAYS"}}
			for _, d := range out.Items {
				t.add(or(d.DeviceName, string(d.Device)), d.State, fmt.Sprint(d.Batch), dash(d.Version), size(d.Bytes), dash(d.Code), dash(d.Text))
			}
			return t.write(a.out)
		},
	}
	cmd.Flags().StringSliceVar(&states, "state", nil, "only devices that are waiting, chosen, started, succeeded, failed, returning, returned or stuck")
	return cmd
}

func (a *app) watchUpdateCommand() *cobra.Command {
	w := wait{on: true}
	cmd := &cobra.Command{
		Use: "watch ID", Short: "tell how an update goes on, until it is over or paused", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.waitForUpdate(cmd.Context(), w, resource.Update{ID: args[0]})
		},
	}
	w.timeoutFlag(cmd, 24*time.Hour, "how long to watch; the work goes on all the same")
	return cmd
}

// waitForUpdate tells of changes until the update is over or paused.
func (a *app) waitForUpdate(ctx context.Context, w wait, u resource.Update) error {
	id, last := u.ID, ""
	err := w.until(ctx, "update "+id, func(ctx context.Context) (bool, error) {
		var latest resource.Update // a new one: decoding adds to the counts that are there
		if err := a.get(ctx, "/updates/"+seg(id), nil, &latest); err != nil {
			return false, err
		}
		u = latest
		if now := fmt.Sprintf("%s: %s; %s", u.Phase, counts(u.Devices), dash(u.Why)); now != last && a.format == formatTable {
			say(a.errOut, "%s\n", plain(now))
			last = now
		}
		return u.Phase == "paused" || !u.Ended.IsZero(), nil
	})
	if err != nil {
		return fmt.Errorf("%w: `farshore updates show %s` says how it goes on", err, id)
	}
	if err := a.printUpdate(u); err != nil {
		return err
	}
	if u.Phase != "done" {
		return fmt.Errorf("%w: update %s is %s: %s", errOutcome, id, u.Phase, dash(u.Why))
	}
	return nil
}
