package main

import (
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/waitingroom"
)

func (a *app) keysCommand() *cobra.Command {
	ls := &cobra.Command{
		Use: "ls", Short: "list enrolment keys", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var all resource.List[resource.Key]
			if err := a.get(cmd.Context(), "/keys", nil, &all); err != nil {
				return err
			}
			return a.print(all.Items, func() *table { return keyTable(all.Items) })
		},
	}
	rm := &cobra.Command{
		Use: "rm KEY…", Short: "remove enrolment keys, by id or name", Args: cobra.MinimumNArgs(1),
		Long: "Removes enrolment keys. Devices that wait by them leave the waiting room; devices that are in stay in.",
		RunE: func(cmd *cobra.Command, args []string) error { return a.eachDelete(cmd, "/keys/", args) },
	}
	return parent("keys", "enrolment keys, by which devices join", a.createKeyCommand(), ls, a.inspectKeyCommand(), rm)
}

// keyTable has a last column only where a key cannot be used.
func keyTable(all []resource.Key) *table {
	t := &table{head: []string{"ID", "NAME", "USED", "EXPIRES", "APPROVAL", "GROUP", "LABELS"}}
	broken := slices.ContainsFunc(all, func(k resource.Key) bool { return k.Unusable != "" })
	if broken {
		t.head = append(t.head, "UNUSABLE")
	}
	for _, k := range all {
		row := []string{k.ID, k.Name, used(k), expiry(k.Expires), approval(k), dash(k.Group), pairs(k.Labels)}
		if broken {
			row = append(row, dash(k.Unusable))
		}
		t.add(row...)
	}
	return t
}

func used(k resource.Key) string {
	if k.Uses == 0 {
		return fmt.Sprintf("%d", k.Used)
	}
	return fmt.Sprintf("%d of %d", k.Used, k.Uses)
}

func expiry(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return ago(t)
}

func approval(k resource.Key) string {
	if k.AutoApprove == nil {
		return "by hand"
	}
	var rule []string
	for what, list := range map[string][]string{"serial": k.AutoApprove.Serials, "host": k.AutoApprove.Hostnames, "from": k.AutoApprove.Networks} {
		if len(list) > 0 {
			rule = append(rule, what+" "+strings.Join(list, " or "))
		}
	}
	if len(rule) == 0 {
		return "automatic"
	}
	return "automatic: " + strings.Join(rule, ", ")
}

func (a *app) createKeyCommand() *cobra.Command {
	var k resource.NewKey
	var expires, install string
	var auto bool
	var rule resource.Rule
	var labels []string
	cmd := &cobra.Command{
		Use: "create --name NAME", Short: "make an enrolment key; its edge key is shown once", Args: cobra.NoArgs,
		Long: `Makes an enrolment key and shows the edge key that is given to devices. The edge key is not kept by the hub: when it
is lost, make another.

Without --auto-approve each device that joins by it waits in the waiting room until somebody approves it.`,
		Example: "  farshore keys create --name plant-oslo --uses 20 --expires 720h --group norway/oslo --label site=oslo",
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if k.Labels, err = labelsOf(cmd, labels); err != nil {
				return err
			}
			if k.Expires, err = deadline(expires); err != nil {
				return usage(cmd, err)
			}
			if !slices.Contains([]string{"", "container", "service"}, install) {
				return usage(cmd, fmt.Errorf("--install %q: want container or service", install))
			}
			if auto || len(rule.Serials)+len(rule.Hostnames)+len(rule.Networks) > 0 {
				k.AutoApprove = &rule
			}
			var made resource.Key
			if err := a.call(cmd.Context(), http.MethodPost, "/keys", k, &made); err != nil {
				return err
			}
			return a.print(made, func() *table {
				t := &table{}
				t.add("Enrolment key " + made.Name + " (" + made.ID + ") is made. Its edge key is shown this once:")
				t.add("")
				t.add(made.EdgeKey)
				t.add("")
				switch {
				case install == "container" && made.RunCommands != nil:
					t.add("On a device with Docker, these commands start the agent as a container:")
					t.lines(made.RunCommands.Container)
				case install == "service" && made.RunCommands != nil:
					t.add("On a device with systemd and the agent in /usr/local/bin, these commands start it as a service:")
					t.lines(made.RunCommands.Service)
				default:
					t.add("Start the agent on a device with it (--install container and --install service print more):")
					t.add("  " + made.RunCommand)
				}
				return t
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&k.Name, "name", "", "name of the enrolment key")
	f.Uint32Var(&k.Uses, "uses", 0, "how many devices may join (default: any number)")
	f.StringVar(&expires, "expires", "", "how long devices may join, such as 720h or 30d, or until when: a date, or a time in RFC 3339 (default: for ever)")
	f.StringVar(&install, "install", "", "show the commands that install the agent on a device: container or service")
	f.BoolVar(&auto, "auto-approve", false, "let devices in without asking anybody")
	f.StringSliceVar(&rule.Serials, "auto-approve-serial", nil, "only those whose serial number fits this pattern")
	f.StringSliceVar(&rule.Hostnames, "auto-approve-host", nil, "only those whose host name fits this pattern")
	f.StringSliceVar(&rule.Networks, "auto-approve-from", nil, "only those that knock from this network")
	f.StringVar(&k.Group, "group", "", "group of the devices, such as norway/oslo; it is made when it does not exist")
	f.StringArrayVar(&labels, "label", nil, "label for each device, KEY=VALUE; may be repeated")
	f.Uint32Var(&k.MaxWaiting, "max-waiting", 0, "how many may wait at once (default 100)")
	f.StringVar(&k.DeviceName, "device-name", "", "make the key good for one device of this name")
	must(cmd.MarkFlagRequired("name"))
	return cmd
}

// deadline reads a time to come: a duration (days too), a date, which is its first minute here, or RFC 3339. "" is the zero time.
func deadline(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if d, err := duration(s); err == nil && d > 0 {
		return time.Now().Add(d).Truncate(time.Second), nil
	}
	if day, err := time.ParseInLocation(time.DateOnly, s, time.Local); err == nil {
		return day, nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return t, fmt.Errorf("time %q: want a duration such as 72h or 30d, a date such as 2027-01-31, or a time such as 2027-01-31T12:00:00Z", s)
	}
	return t, nil
}

// duration reads what time.ParseDuration does, and days.
func duration(s string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		var n uint32
		if _, err := fmt.Sscanf(days+" ", "%d ", &n); err == nil && fmt.Sprint(n) == days && n <= 36500 {
			return time.Duration(n) * 24 * time.Hour, nil
		}
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, fmt.Errorf("duration %q: want such as 90s, 15m, 2h or 30d", s)
	}
	return d, nil
}

// keyContent is what is inside an edge key, but for its secret.
type keyContent struct {
	HTTPS  string `json:"https"`
	MQTT   string `json:"mqtt,omitempty"`
	Tunnel string `json:"tunnel,omitempty"`
	HubKey string `json:"hub_key"`
	KeyID  string `json:"key_id"`
	Name   string `json:"device_name,omitempty"`
}

func (a *app) inspectKeyCommand() *cobra.Command {
	return &cobra.Command{
		Use: "inspect KEY", Short: "show what is inside an edge key, or what the hub knows of an enrolment key", Args: cobra.ExactArgs(1),
		Long: `Shows what is inside an edge key (fsk1_…, or a file that holds one), without its secret and without asking a hub; or what the hub
knows of an enrolment key, given by id or name.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if text, ok := edgeKeyText(args[0]); ok {
				return a.inspectEdgeKey(text)
			}
			var k resource.Key
			if err := a.get(cmd.Context(), "/keys/"+seg(args[0]), nil, &k); err != nil {
				return err
			}
			return a.print(k, func() *table {
				t := &table{}
				t.add("id", k.ID)
				t.add("name", k.Name)
				t.add("used", used(k))
				t.add("expires", expiry(k.Expires))
				t.add("approval", approval(k))
				t.add("group", dash(k.Group))
				t.add("labels", pairs(k.Labels))
				t.add("for the device", dash(k.DeviceName))
				t.add("made", ago(k.Created)+" by "+dash(k.CreatedBy))
				if k.Unusable != "" {
					t.add("unusable", k.Unusable)
				}
				return t
			})
		},
	}
}

// edgeKeyText gives the text of an edge key that was given itself, or as the file that holds it.
func edgeKeyText(arg string) (string, bool) {
	if strings.HasPrefix(strings.ToLower(arg), "fsk") && strings.Contains(arg, "_") {
		return arg, true
	}
	if info, err := os.Stat(arg); err != nil || !info.Mode().IsRegular() || info.Size() > 64<<10 {
		return "", false
	}
	raw, err := os.ReadFile(arg)
	return string(raw), err == nil
}

func (a *app) inspectEdgeKey(text string) error {
	k, err := waitingroom.Parse(text)
	if err != nil {
		return err
	}
	c := keyContent{HTTPS: k.HTTPS, MQTT: k.MQTT, Tunnel: k.Tunnel, HubKey: fmt.Sprintf("%x", []byte(k.HubKey)), KeyID: k.KeyID, Name: k.Name}
	return a.print(c, func() *table {
		t := &table{}
		t.add("hub", c.HTTPS)
		t.add("MQTT", dash(c.MQTT))
		if c.Tunnel != "" {
			t.add("tunnel", c.Tunnel)
		}
		t.add("hub's public key", c.HubKey)
		t.add("enrolment key", c.KeyID)
		t.add("for the device", dash(c.Name))
		return t
	})
}
