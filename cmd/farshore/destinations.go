package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/farshore/farshore/hub/api/resource"
)

func (a *app) destinationsCommand() *cobra.Command {
	return parent("destinations", "forward the audit trail to syslog receivers and webhooks",
		a.destinationsListCommand(), a.destinationsSetCommand(), a.destinationsTestCommand(), a.destinationsRemoveCommand())
}

func (a *app) destinationsListCommand() *cobra.Command {
	return &cobra.Command{
		Use: "ls", Short: "list where the audit trail is forwarded to, and how that stands", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var all resource.List[resource.AuditDestination]
			if err := a.get(cmd.Context(), "/audit/destinations", nil, &all); err != nil {
				return err
			}
			return a.print(all.Items, func() *table {
				t := &table{head: []string{"NAME", "KIND", "TO", "SENT", "BACKLOG", "LOST", "PROBLEM"}}
				for _, d := range all.Items {
					t.add(d.Name, d.Kind, d.URL, strconv.FormatUint(d.Sent, 10), strconv.FormatUint(d.Backlog, 10), strconv.FormatUint(d.Lost, 10), dash(d.Problem))
				}
				return t
			})
		},
	}
}

func (a *app) destinationsSetCommand() *cobra.Command {
	var body resource.PutAuditDestination
	var caFile, secretFile string
	cmd := &cobra.Command{
		Use: "set NAME URL", Short: "forward the audit trail there, or change how", Args: cobra.ExactArgs(2),
		Long: `URL is tls://HOST:PORT or tcp://HOST:PORT for syslog (RFC 5424), or https://HOST/PATH for a webhook, which gets JSON lines.
A webhook's secret signs each request, or is sent in the header that --header names.`,
		Example: "  farshore audit destinations set siem tls://log.example.com:6514 --ca-file log-ca.pem\n" +
			"  farshore audit destinations set hook https://in.example.com/farshore --header Authorization --secret-file token",
		RunE: func(cmd *cobra.Command, args []string) error {
			body.URL = args[1]
			if caFile != "" {
				raw, err := os.ReadFile(caFile)
				if err != nil {
					return fmt.Errorf("read the authority: %w", err)
				}
				body.CA = string(raw)
			}
			if secretFile != "" {
				secret, err := a.password(secretFile)
				if err != nil {
					return err
				}
				body.Secret = &secret
			}
			var d resource.AuditDestination
			if err := a.call(cmd.Context(), http.MethodPut, "/audit/destinations/"+seg(args[0]), body, &d); err != nil {
				return err
			}
			a.done("the audit trail goes to %s; try it with: farshore audit destinations test %s", d.URL, d.Name)
			if a.format != formatTable {
				return a.print(d, nil)
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&caFile, "ca-file", "", "PEM file of the authority, in place of the system's")
	f.StringVar(&body.Pin, "pin", "", "SHA256:… of the only certificate that is accepted, in place of an authority")
	f.StringVar(&body.ServerName, "server-name", "", "expected in the receiver's certificate, in place of the host")
	f.StringVar(&body.Header, "header", "", "webhook: send the secret in this header; without it, the secret signs")
	f.StringVar(&secretFile, "secret-file", "", "webhook: file with the secret, or - for standard input; without it, the one there is stays")
	f.BoolVar(&body.FromNow, "from-now", false, "a new destination begins with what comes, not with all that is kept")
	return cmd
}

func (a *app) destinationsTestCommand() *cobra.Command {
	return &cobra.Command{
		Use: "test NAME", Short: "send a message that says that it is a test", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var t resource.AuditTest
			if err := a.call(cmd.Context(), http.MethodPost, "/audit/destinations/"+seg(args[0])+"/test", nil, &t); err != nil {
				return err
			}
			if !t.OK {
				return errors.New(t.Text)
			}
			a.done("%s", t.Text)
			return nil
		},
	}
}

func (a *app) destinationsRemoveCommand() *cobra.Command {
	return &cobra.Command{
		Use: "rm NAME", Short: "forward the audit trail there no longer", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := a.call(cmd.Context(), http.MethodDelete, "/audit/destinations/"+seg(args[0]), nil, nil); err != nil {
				return err
			}
			a.done("the audit trail goes to %s no longer", args[0])
			return nil
		},
	}
}
