package main

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/internal/apiclient"
)

func (a *app) protectionCommand() *cobra.Command {
	var put resource.PutProtection
	cmd := &cobra.Command{
		Use: "protection", Short: "show or change who may come from where, and how often accounts may ask", Args: cobra.NoArgs,
		Long: `Shows, or with flags changes, from which networks people and devices may come to the hub, which proxies are believed where
a caller is, and how many requests an account may send. A list that is given replaces the one before; an empty one ("") lets
in everybody. It holds at once: connections from outside end.

A list of people without your own address is refused, unless --force says that it is meant. The way back is
farshore-hub reset-access-lists on the hub's machine.`,
		Example: "  farshore settings protection --people 192.0.2.0/24,2001:db8::/32 --devices \"\"",
		RunE: func(cmd *cobra.Command, _ []string) error {
			var now resource.Protection
			if err := a.get(cmd.Context(), "/settings/protection", nil, &now); err != nil {
				return err
			}
			next, changed := put, false
			next.ProtectionSettings = now.ProtectionSettings
			for name, set := range map[string]func(){
				"people":              func() { next.People = put.People },
				"devices":             func() { next.Devices = put.Devices },
				"trusted-proxies":     func() { next.TrustedProxies = put.TrustedProxies },
				"requests-per-second": func() { next.RequestsPerSecond = put.RequestsPerSecond },
				"burst":               func() { next.Burst = put.Burst },
			} {
				if cmd.Flags().Changed(name) {
					set()
					changed = true
				}
			}
			if changed {
				h, err := a.hub()
				if err != nil {
					return err
				}
				err = h.Do(cmd.Context(), apiclient.Request{
					Method: http.MethodPut, Path: "/settings/protection", Body: next, Header: http.Header{"If-Match": {`"` + now.Etag + `"`}},
				}, &now)
				if err != nil {
					return err
				}
			}
			return a.print(now, func() *table { return protectionTable(now) })
		},
	}
	f := cmd.Flags()
	f.StringSliceVar(&put.People, "people", nil, "networks or addresses from which console and API may be used")
	f.StringSliceVar(&put.Devices, "devices", nil, "networks or addresses from which devices may come")
	f.StringSliceVar(&put.TrustedProxies, "trusted-proxies", nil, "networks or addresses of proxies that say where a caller is")
	f.Uint32Var(&put.RequestsPerSecond, "requests-per-second", 0, "of one account; 0: the default")
	f.Uint32Var(&put.Burst, "burst", 0, "how many requests an account may send at once before that counts; 0: the default")
	f.BoolVar(&put.Force, "force", false, "also when that shuts out this machine")
	return cmd
}

func protectionTable(p resource.Protection) *table {
	list := func(l []string, empty string) string {
		if len(l) == 0 {
			return empty
		}
		return strings.Join(l, ", ")
	}
	t := &table{}
	t.add("people from", list(p.People, "everywhere"))
	t.add("devices from", list(p.Devices, "everywhere"))
	t.add("trusted proxies", list(p.TrustedProxies, "none"))
	t.add("requests", fmt.Sprintf("%d a second for each account, %d at once", p.RequestsPerSecond, p.Burst))
	t.add("your address", dash(p.YourAddress))
	for _, why := range []string{"address", "people-address", "device-address", "device-certificate"} {
		if n := p.Refused[why]; n > 0 {
			t.add("turned away", fmt.Sprintf("%d (%s)", n, why))
		}
	}
	return t
}
