package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/internal/apiclient"
)

const certificatePath = "/settings/certificate"

func (a *app) certificateCommand() *cobra.Command {
	show := &cobra.Command{
		Use: "show", Short: "show the certificate that browsers and the CLI see", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var c resource.Certificate
			if err := a.get(cmd.Context(), certificatePath, nil, &c); err != nil {
				return err
			}
			return a.printCertificate(c)
		},
	}
	var yes bool
	remove := &cobra.Command{
		Use: "remove", Short: "go back to the certificate that the hub made itself", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !yes {
				if err := a.sure("Browsers will warn of the hub's own certificate. Go back to it?"); err != nil {
					return err
				}
			}
			return a.replaceCertificate(cmd.Context(), http.MethodDelete, nil)
		},
	}
	remove.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return parent("certificate", "the hub's certificate for browsers and this program", show, a.setCertificateCommand(), remove)
}

func (a *app) setCertificateCommand() *cobra.Command {
	var certFile, keyFile string
	cmd := &cobra.Command{
		Use: "set --cert FILE --key FILE", Short: "give the hub a certificate of your own", Args: cobra.NoArgs,
		Long: `Gives the hub a certificate for browsers and this program, which holds from the next connection on. The file has the hub's own
certificate first, then those between it and the root. The key is kept sealed and is never given back. Agents do not see
this certificate: they go by the hub key.

A certificate that is renewed by a program is better given as files: farshore-hub serve --tls-cert FILE --tls-key FILE.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			chain, err := os.ReadFile(certFile)
			if err != nil {
				return fmt.Errorf("read the certificate: %w", err)
			}
			key, err := os.ReadFile(keyFile)
			if err != nil {
				return fmt.Errorf("read its key: %w", err)
			}
			return a.replaceCertificate(cmd.Context(), http.MethodPut, resource.PutCertificate{Certificate: string(chain), Key: string(key)})
		},
	}
	cmd.Flags().StringVar(&certFile, "cert", "", "file with the certificate (chain), PEM")
	cmd.Flags().StringVar(&keyFile, "key", "", "file with its key, PEM, not encrypted")
	must(cmd.MarkFlagRequired("cert"))
	must(cmd.MarkFlagRequired("key"))
	return cmd
}

// replaceCertificate changes the certificate, and what this program trusts the hub by, where that was the one before.
func (a *app) replaceCertificate(ctx context.Context, method string, body any) error {
	h, err := a.hub()
	if err != nil {
		return err
	}
	var before, after resource.Certificate
	if err := a.get(ctx, certificatePath, nil, &before); err != nil {
		return err
	}
	if err := h.Do(ctx, apiclient.Request{Method: method, Path: certificatePath, Body: body, Header: http.Header{"If-Match": {`"` + before.Etag + `"`}}}, &after); err != nil {
		return err
	}
	saved, err := a.savedConfig()
	if err == nil && saved.Fingerprint == before.Fingerprint && before.Fingerprint != "" {
		saved.Fingerprint = after.Fingerprint
		err = a.saveConfig(saved)
	}
	if err != nil {
		return fmt.Errorf("the certificate is changed, but this program does not trust it yet: sign in again with --fingerprint %s: %w", after.Fingerprint, err)
	}
	return a.printCertificate(after)
}

func (a *app) printCertificate(c resource.Certificate) error {
	return a.print(c, func() *table {
		t := &table{}
		t.add("source", map[string]string{"generated": "made by the hub itself", "upload": "set by an administrator", "files": "files of the hub's machine"}[c.Source])
		t.add("subject", dash(c.Subject))
		t.add("names", dash(strings.Join(c.Names, ", ")))
		t.add("issuer", dash(c.Issuer))
		t.add("from", c.From.Local().Format(time.DateTime))
		t.add("until", c.Until.Local().Format(time.DateTime)+" ("+ago(c.Until)+")")
		t.add("fingerprint", c.Fingerprint)
		for _, w := range c.Warnings {
			t.add("warning", w)
		}
		return t
	})
}
