package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/internal/apiclient"
)

func (a *app) loginCommand() *cobra.Command {
	var c config
	var username, passwordFile, codeFile string
	cmd := &cobra.Command{
		Use: "login URL", Short: "sign in to a hub", Args: cobra.ExactArgs(1),
		Long: `Signs in to a hub and keeps the session, which ends after some hours, in a file that only you can read.

The hub's certificate is trusted by its fingerprint, which the hub prints when it starts, or by a file of authorities. Without
either it must be right for its address; when it is not, its fingerprint is shown, and on a terminal you are asked.
For programs, make an API token with ` + "`farshore tokens create`" + ` and give it in FARSHORE_TOKEN, or here with --token.`,
		Example: "  farshore login https://hub.example:9443 --username admin --fingerprint SHA256:…",
		RunE: func(cmd *cobra.Command, args []string) error {
			u, err := apiclient.ParseURL(args[0])
			if err != nil {
				return usage(cmd, err)
			}
			c.URL = u.String()
			if c.Fingerprint == "" && c.CAFile == "" {
				c.Fingerprint, c.CAFile = a.getenv("FARSHORE_FINGERPRINT"), a.getenv("FARSHORE_CA_FILE")
			}
			if c.CAFile != "" {
				if c.CAFile, err = filepath.Abs(c.CAFile); err != nil {
					return fmt.Errorf("file of authorities: %w", err)
				}
			}
			if c.Token == "" && username == "" {
				return usage(cmd, errors.New("give --username"))
			}
			return a.login(cmd, c, resource.Login{Username: username}, secretFiles{passwordFile, codeFile})
		},
	}
	f := cmd.Flags()
	f.StringVarP(&username, "username", "u", "", "name of the account")
	f.StringVar(&passwordFile, "password-file", "", "file with the password, or - for standard input (default: ask)")
	f.StringVar(&codeFile, "code-file", "", "file with a code of the second factor or a recovery code (default: ask, where the account has one)")
	f.StringVar(&c.Fingerprint, "fingerprint", "", "trust the hub that shows this fingerprint, SHA256:…")
	f.StringVar(&c.CAFile, "ca-file", "", "trust hubs certified by these authorities, in PEM form")
	f.StringVar(&c.Token, "token", "", "use this API token instead of a name and password")
	cmd.MarkFlagsMutuallyExclusive("fingerprint", "ca-file")
	cmd.MarkFlagsMutuallyExclusive("token", "username")
	return cmd
}

// secretFiles say where a password and a code come from.
type secretFiles struct{ password, code string }

func (a *app) login(cmd *cobra.Command, c config, who resource.Login, from secretFiles) error {
	c, err := a.trust(cmd.Context(), c)
	if err != nil {
		return err
	}
	client, err := newClient(c)
	if err != nil {
		return err
	}
	var session resource.Session
	if c.Token != "" {
		err = client.Do(cmd.Context(), apiclient.Request{Method: http.MethodGet, Path: "/session"}, &session)
	} else {
		if who.Password, err = a.password(from.password); err != nil {
			return err
		}
		if from.code != "" {
			if who.Code, err = a.secret("", from.code); err != nil {
				return err
			}
		}
		sign := func() error {
			return client.Do(cmd.Context(), apiclient.Request{Method: http.MethodPost, Path: "/session", Body: who}, &session)
		}
		err = sign()
		if _, asks := a.terminal(); asks && who.Code == "" && needsCode(err) {
			if who.Code, err = a.ask("Code of your authenticator, or a recovery code: "); err == nil {
				err = sign()
			}
		}
		c.Token = session.Token
	}
	if err != nil {
		return err
	}
	if err := a.saveConfig(c); err != nil {
		return err
	}
	session.Token = "" // it is in the file, and need not be on a screen
	return a.print(session, func() *table {
		t := &table{}
		t.add(fmt.Sprintf("Signed in to %s as %s.", c.URL, session.Name))
		if session.SetupNeeded {
			t.add("Your account needs a second factor before it may do anything: farshore second-factor on")
		}
		if !session.Expires.IsZero() {
			t.add("The session lasts until " + session.Expires.Local().Format("2006-01-02 15:04") + ".")
		}
		return t
	})
}

// needsCode reports whether the password was right and a code is missing.
func needsCode(err error) bool {
	p, ok := errors.AsType[*apiclient.Problem](err)
	return ok && p.Code == "second-factor"
}

// trust makes sure, before anything secret is sent, that the hub is the one that is meant. Where nothing was given to
// tell it by, and the system's authorities do not know it, somebody is asked.
func (a *app) trust(ctx context.Context, c config) (config, error) {
	if c.Fingerprint != "" || c.CAFile != "" {
		return c, nil
	}
	nobody, err := newClient(config{URL: c.URL})
	if err != nil {
		return c, err
	}
	err = nobody.Do(ctx, apiclient.Request{Method: http.MethodGet, Path: "/session"}, nil)
	if _, answered := errors.AsType[*apiclient.Problem](err); answered {
		return c, nil // it may be asked; that nobody is signed in is so
	}
	u, ok := errors.AsType[*apiclient.UntrustedError](err)
	if _, asks := a.terminal(); !ok || !asks {
		return c, err
	}
	say(a.errOut, "%s shows a certificate that is not known here. Its fingerprint is\n\n  %s\n\n", plain(c.URL), u.Got)
	if err := a.sure("Is that what the hub printed at its start?"); err != nil {
		return c, err
	}
	c.Fingerprint = u.Got
	return c, nil
}

func (a *app) logoutCommand() *cobra.Command {
	return &cobra.Command{
		Use: "logout", Short: "end the session", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.savedConfig() // not what the environment says: that is not ended by this
			if err != nil {
				return err
			}
			if c.Token == "" {
				a.done("You were not signed in.")
				return nil
			}
			client, err := newClient(c)
			if err != nil {
				return err
			}
			// The session is forgotten here also when the hub does not know it any more.
			err = client.Do(cmd.Context(), apiclient.Request{Method: http.MethodDelete, Path: "/session"}, nil)
			if exitCode(cmd.Context(), err) == exitNotAllowed {
				err = nil
			}
			c.Token = ""
			if err := errors.Join(a.saveConfig(c), err); err != nil {
				return err
			}
			a.done("Signed out of %s.", c.URL)
			return nil
		},
	}
}

func (a *app) whoamiCommand() *cobra.Command {
	return &cobra.Command{
		Use: "whoami", Short: "show who is signed in, and to which hub", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var s resource.Session
			if err := a.get(cmd.Context(), "/session", nil, &s); err != nil {
				return err
			}
			return a.print(s, func() *table {
				t := &table{}
				t.add("name", s.Name)
				t.add("kind", s.Kind)
				t.add("administrator", yesNo(s.Admin))
				t.add("hub", s.Hub.URL)
				t.add("version", s.Hub.Version)
				t.add("fingerprint", dash(s.Hub.Fingerprint))
				return t
			})
		},
	}
}

func (a *app) tokensCommand() *cobra.Command {
	var expires string
	var body resource.NewToken
	create := &cobra.Command{
		Use: "create --name NAME", Short: "make an API token with your rights; its secret is shown once", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if body.Expires, err = deadline(expires); err != nil {
				return usage(cmd, err)
			}
			var t resource.Token
			if err := a.call(cmd.Context(), http.MethodPost, "/tokens", body, &t); err != nil {
				return err
			}
			return a.print(t, func() *table { return &table{rows: [][]string{{t.Secret}}} })
		},
	}
	create.Flags().StringVar(&body.Name, "name", "", "name of the token")
	create.Flags().StringVar(&expires, "expires", "", "how long it works, such as 720h or 30d, or until when: a date, or a time in RFC 3339 (default: for ever)")
	create.Flags().StringVar(&body.Role, "role", "", "it may at most what this role may, of those that 'farshore roles' lists (default: what you may)")
	create.Flags().StringSliceVar(&body.Groups, "group", nil, "it is for this group and what is below (may be given again; default: wherever you may something)")
	must(create.MarkFlagRequired("name"))
	ls := &cobra.Command{
		Use: "ls", Short: "list API tokens", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var all resource.List[resource.Token]
			if err := a.get(cmd.Context(), "/tokens", nil, &all); err != nil {
				return err
			}
			return a.print(all.Items, func() *table {
				t := &table{head: []string{"ID", "NAME", "OWNER", "ROLE", "GROUPS", "CREATED", "EXPIRES", "LAST USED"}}
				for _, x := range all.Items {
					expires := "never"
					if !x.Expires.IsZero() {
						expires = ago(x.Expires)
					}
					t.add(x.ID, x.Name, x.Owner, dash(x.Role), dash(strings.Join(x.Groups, ", ")), ago(x.Created), expires, ago(x.LastUsed))
				}
				return t
			})
		},
	}
	rm := &cobra.Command{
		Use: "rm TOKEN…", Short: "make API tokens useless, by id or name", Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.eachDelete(cmd, "/tokens/", args)
		},
	}
	return parent("tokens", "API tokens for programs", create, ls, rm)
}

// eachDelete removes things by name, and goes on after one that fails.
func (a *app) eachDelete(cmd *cobra.Command, path string, names []string) error {
	var errs []error
	for _, name := range names {
		if err := a.call(cmd.Context(), http.MethodDelete, path+seg(name), nil, nil); err != nil {
			errs = append(errs, err)
			continue
		}
		a.done("%s is removed.", name)
	}
	return errors.Join(errs...)
}
