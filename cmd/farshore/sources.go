package main

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/farshore/farshore/hub/api/resource"
)

func (a *app) sourceCommand() *cobra.Command {
	return parent("source", "stacks that come from Git", a.sourceSetCommand(), a.sourceListCommand(), a.sourceShowCommand(), a.sourceSyncCommand(), a.sourceRemoveCommand())
}

// sourceFlags are those of source set that need more than a place in the body.
type sourceFlags struct {
	every                                           time.Duration
	passwordFile, keyFile, passphraseFile           string
	hookSecretFile, caFile, envFile, selector, home string
	visibility, team                                string
	env                                             []string
	wipeEnv, removeVolumes                          bool
}

func (a *app) sourceSetCommand() *cobra.Command {
	var body resource.PutSource
	var f sourceFlags
	cmd := &cobra.Command{
		Use: "set NAME URL", Short: "have a stack come from a Git repository, or change how", Args: cobra.ExactArgs(2), ValidArgsFunction: atFirst(a.completeStacks),
		Long: `URL is https://HOST/PATH, ssh://USER@HOST/PATH or USER@HOST:PATH. The hub looks there at once, and then now and then; each commit that
changes the path becomes a version. A stack that is not there is made of the first good commit. What is not given is as if it
were never set, but for passwords, keys and other secrets, variables, and which devices are meant: these stay.
Over SSH the server's key has to be known: without --host-key, the hub says which one the server shows.`,
		Example: `  farshore stacks source set web https://git.example.com/plant/stacks.git --path web --ref main --user deploy --password-file token
  farshore stacks source set web git@git.example.com:plant/stacks.git --path web --key-file id_ed25519 --host-key SHA256:…`,
		RunE: func(cmd *cobra.Command, args []string) error {
			body.URL = args[1]
			if err := f.fill(a, cmd, &body); err != nil {
				return err
			}
			var s resource.Source
			if err := a.call(cmd.Context(), http.MethodPut, "/stacks/"+seg(args[0])+"/source", body, &s); err != nil {
				return err
			}
			if s.Warning != "" {
				a.done("warning: %s", s.Warning)
			}
			return a.syncSource(cmd, args[0])
		},
	}
	fs := cmd.Flags()
	fs.StringVar(&body.Ref, "ref", "", "branch or tag; without it, what the repository's HEAD names")
	fs.StringVar(&body.Path, "path", "", "folder, or compose file, in the repository; without it, all of it")
	fs.StringVar(&body.User, "user", "", "user to sign in as over HTTPS")
	fs.StringVar(&f.passwordFile, "password-file", "", "file with the password or token, or - for standard input")
	fs.StringVar(&f.keyFile, "key-file", "", "file with the private SSH key")
	fs.StringVar(&f.passphraseFile, "passphrase-file", "", "file with the passphrase of that key, or - for standard input")
	fs.StringArrayVar(&body.HostKeys, "host-key", nil, "key of the SSH server: SHA256:…, or a line of known_hosts; may be repeated")
	fs.StringVar(&f.caFile, "ca-file", "", "PEM file of authorities beside the system's")
	fs.DurationVar(&f.every, "every", 5*time.Minute, "time between two looks, from 1m; 0: only when asked")
	fs.BoolVar(&body.Webhook, "webhook", false, "have an address that makes the hub look")
	fs.StringVar(&f.hookSecretFile, "webhook-secret-file", "", "file with the secret that signs its requests, or - for standard input")
	fs.StringVar(&body.Redeploy, "redeploy", "", "commits or looks: devices apply it again with each, although nothing has changed")
	fs.StringVar(&body.Pull, "pull", "", "when images are asked of a registry: missing, always or never")
	fs.StringArrayVar(&f.env, "env", nil, "NAME=VALUE for Compose; may be repeated, and replaces all that there are")
	fs.StringVar(&f.envFile, "env-file", "", "file of such lines")
	fs.BoolVar(&f.wipeEnv, "no-env", false, "no variables")
	fs.StringVar(&f.selector, "select", "", "selector of the devices")
	fs.StringVar(&f.home, "group", "", "home group of the stack")
	fs.StringVar(&f.visibility, "visibility", "", "whose it is: administrators, private, team or public")
	fs.StringVar(&f.team, "team", "", "of this team")
	fs.BoolVar(&f.removeVolumes, "remove-volumes", false, "named volumes go with the stack when it is removed")
	return cmd
}

// fill makes the body of what was given.
func (f *sourceFlags) fill(a *app, cmd *cobra.Command, body *resource.PutSource) error {
	given := cmd.Flags().Changed
	seconds := int64(f.every / time.Second)
	body.IntervalSeconds = &seconds
	for _, secret := range []struct {
		file string
		to   **string
	}{{f.passwordFile, &body.Password}, {f.hookSecretFile, &body.WebhookSecret}} {
		if secret.file == "" {
			continue
		}
		text, err := a.password(secret.file)
		if err != nil {
			return err
		}
		*secret.to = &text
	}
	if f.passphraseFile != "" {
		text, err := a.password(f.passphraseFile)
		if err != nil {
			return err
		}
		body.Passphrase = text
	}
	var key string
	for _, file := range []struct{ name, what string }{{f.keyFile, "key"}, {f.caFile, "authorities"}} {
		if file.name == "" {
			continue
		}
		raw, err := os.ReadFile(file.name)
		if err != nil {
			return fmt.Errorf("read the %s: %w", file.what, err)
		}
		if file.what == "key" {
			key = string(raw)
			body.Key = &key
		} else {
			body.CA = string(raw)
		}
	}
	body.SignIn = "none"
	switch {
	case !strings.Contains(body.URL, "://") || strings.HasPrefix(body.URL, "ssh://"):
		body.SignIn = "key"
	case body.User != "" || body.Password != nil:
		body.SignIn = "password"
	}
	if f.wipeEnv || f.envFile != "" || len(f.env) > 0 {
		env, err := readEnv(cmd, f.envFile, f.env)
		if err != nil {
			return err
		}
		if env == nil {
			env = map[string]string{}
		}
		body.Env = &env
	}
	if given("select") {
		body.Selector = &f.selector
	}
	if given("group") {
		body.Group = &f.home
	}
	if given("remove-volumes") {
		body.RemoveVolumes = &f.removeVolumes
	}
	body.Owner = ownerFrom(f.visibility, f.team)
	return nil
}

func (a *app) sourceListCommand() *cobra.Command {
	return &cobra.Command{
		Use: "ls", Short: "list the repositories that stacks come from", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var all resource.List[resource.Source]
			if err := a.get(cmd.Context(), "/sources", nil, &all); err != nil {
				return err
			}
			return a.print(all.Items, func() *table {
				t := &table{head: []string{"STACK", "URL", "REF", "PATH", "COMMIT", "VERSION", "PROBLEM"}}
				for _, s := range all.Items {
					t.add(s.Stack, s.URL, or(s.Ref, "HEAD"), "/"+s.Path, dash(short(s.Commit)), fmt.Sprint(s.Version), dash(s.Problem))
				}
				return t
			})
		},
	}
}

// short is the beginning of a commit's id.
func short(commit string) string { return commit[:min(len(commit), 12)] }

func (a *app) sourceShowCommand() *cobra.Command {
	return &cobra.Command{
		Use: "show NAME", Short: "show where a stack comes from, and how that stands", Args: cobra.ExactArgs(1), ValidArgsFunction: atFirst(a.completeStacks),
		RunE: func(cmd *cobra.Command, args []string) error {
			var s resource.Source
			if err := a.get(cmd.Context(), "/stacks/"+seg(args[0])+"/source", nil, &s); err != nil {
				return err
			}
			return a.print(s, func() *table { return sourceTable(s) })
		},
	}
}

func sourceTable(s resource.Source) *table {
	t := &table{}
	t.add("stack", s.Stack)
	if !s.Exists {
		t.add("", "not there yet: it waits for the first good commit")
	}
	t.add("repository", s.URL)
	t.add("branch or tag", or(s.Ref, "what HEAD names"))
	t.add("path", "/"+s.Path)
	t.add("signs in", s.SignIn+" "+s.User)
	if len(s.HostKeys) > 0 {
		t.add("server's keys", strings.Join(s.HostKeys, ", "))
	}
	if s.Commit != "" {
		t.add("commit", fmt.Sprintf("%s (%s, by %s): version %d, %s", short(s.Commit), s.Subject, s.Author, s.Version, ago(s.Applied)))
	}
	switch {
	case s.Looking:
		t.add("next look", "under way")
	case s.Next.IsZero():
		t.add("next look", "when asked")
	default:
		t.add("next look", s.Next.Local().Format(time.DateTime))
	}
	if s.Webhook {
		t.add("webhook", cmp.Or(s.WebhookURL, "yes"))
	}
	if s.Warning != "" {
		t.add("warning", s.Warning)
	}
	if s.Problem != "" {
		t.add("problem", s.Problem+" (since "+ago(s.Since)+")")
	}
	return t
}

func (a *app) sourceSyncCommand() *cobra.Command {
	return &cobra.Command{
		Use: "sync NAME", Short: "look into the repository now", Args: cobra.ExactArgs(1), ValidArgsFunction: atFirst(a.completeStacks),
		RunE: func(cmd *cobra.Command, args []string) error { return a.syncSource(cmd, args[0]) },
	}
}

// syncSource has the hub look, and says what that came to.
func (a *app) syncSource(cmd *cobra.Command, stack string) error {
	var look resource.SourceLook
	if err := a.call(cmd.Context(), http.MethodPost, "/stacks/"+seg(stack)+"/source/sync", nil, &look); err != nil {
		return err
	}
	if !look.OK {
		return errors.New(look.Text)
	}
	a.done("%s", look.Text)
	if a.format != formatTable {
		return a.print(look, nil)
	}
	return nil
}

func (a *app) sourceRemoveCommand() *cobra.Command {
	return &cobra.Command{
		Use: "rm NAME", Short: "have a stack come from its repository no longer; the stack stays", Args: cobra.ExactArgs(1), ValidArgsFunction: atFirst(a.completeStacks),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := a.call(cmd.Context(), http.MethodDelete, "/stacks/"+seg(args[0])+"/source", nil, nil); err != nil {
				return err
			}
			a.done("stack %s does not come from Git any more; it stays as it is", args[0])
			return nil
		},
	}
}
