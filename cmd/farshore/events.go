package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/internal/apiclient"
)

func (a *app) eventsCommand() *cobra.Command {
	var follow bool
	var since, device, stack string
	cmd := &cobra.Command{
		Use: "events", Short: "show what happened; with --follow also what happens", Args: cobra.NoArgs,
		Long:    "Shows what happened, the oldest first, one event a line; with --follow in JSON one object a line, in YAML one document each.",
		Example: "  farshore events --since 2h\n  farshore events --follow --since 1m -o json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			h, err := a.hub()
			if err != nil {
				return err
			}
			q := url.Values{"follow": {fmt.Sprint(follow)}}
			for name, value := range map[string]string{"since": daysToHours(since), "device": device, "stack": stack} {
				if value != "" {
					q.Set(name, value)
				}
			}
			r := apiclient.Request{Method: http.MethodGet, Path: "/events", Query: q}
			if follow {
				return h.Stream(cmd.Context(), r, apiclient.UntilDone, func(e apiclient.Event) error { return a.showEvent(e.Data) })
			}
			if a.format == formatTable {
				return h.Stream(cmd.Context(), r, apiclient.AtItsEnd, func(e apiclient.Event) error { return a.showEvent(e.Data) })
			}
			all := []json.RawMessage{}
			err = h.Stream(cmd.Context(), r, apiclient.AtItsEnd, func(e apiclient.Event) error {
				all = append(all, bytes.Clone(e.Data))
				return nil
			})
			if err != nil {
				return err
			}
			return a.print(all, nil)
		},
	}
	f := cmd.Flags()
	f.BoolVarP(&follow, "follow", "f", false, "go on with what happens, until Ctrl-C")
	f.StringVar(&since, "since", "", "begin there: how long ago, such as 2h or 3d, or a time in RFC 3339 (default: the oldest that is kept; with --follow: now)")
	f.StringVar(&device, "device", "", "only events about this device")
	f.StringVar(&stack, "stack", "", "only events about this stack")
	return cmd
}

// daysToHours writes a duration in days as the hub reads it; other texts stay.
func daysToHours(s string) string {
	if d, err := duration(s); err == nil && strings.HasSuffix(s, "d") {
		return d.String()
	}
	return s
}

func (a *app) showEvent(data []byte) error {
	var e resource.Event
	if err := json.Unmarshal(data, &e); err != nil {
		return fmt.Errorf("an event cannot be read: is this farshore older than the hub? %w", err)
	}
	switch a.format {
	case formatJSON:
		say(a.out, "%s\n", plainJSON(string(data)))
		return nil
	case formatYAML:
		text, err := toYAML(data)
		say(a.out, "---\n%s", text)
		return err
	}
	about := strings.TrimSpace(string(e.Device) + " " + e.Stack)
	say(a.out, "%s  %-22s %-18s %s\n", e.At.Local().Format("2006-01-02 15:04:05"), plain(e.Kind), dash(plain(about)), plain(e.Text))
	return nil
}

func (a *app) openapiCommand() *cobra.Command {
	return &cobra.Command{
		Use: "openapi", Short: "print the hub's API document (OpenAPI 3.1); with -o yaml in YAML", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.loadConfig()
			if err != nil {
				return err
			}
			if c.URL == "" {
				return errNotSignedIn
			}
			c.Token = "" // the document is for everybody
			h, err := apiclient.New(apiclient.Config{URL: c.URL, Fingerprint: c.Fingerprint, CAFile: c.CAFile})
			if err != nil {
				return err
			}
			path := "/api/openapi.json"
			if a.format == formatYAML {
				path = "/api/openapi.yaml"
			}
			var doc []byte
			if err := h.Do(cmd.Context(), apiclient.Request{Method: http.MethodGet, Path: path}, &doc); err != nil {
				return err
			}
			say(a.out, "%s", doc)
			return nil
		},
	}
}
