package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/farshore/farshore/internal/program"
)

const rootHelp = `farshore works with a fleet of edge devices through their hub.

Begin with:
  farshore login https://HUB:9443 --username admin --fingerprint SHA256:…
  farshore keys create --name first        make an edge key, and give it to a device
  farshore waiting ls                      see who asks to be let in
  farshore waiting approve ID --code CODE  let a device in
  farshore devices ls

A DEVICE is named by its id, its name, or the beginning of either.

Exit codes:
  0  it worked
  1  it failed
  2  a mistake in the command line
  3  what was named does not exist
  4  not signed in, or not allowed
  5  the hub cannot be reached, or is not trusted
  6  what was waited for (--wait) ended otherwise than wanted, or not in time

Environment:
  FARSHORE_URL, FARSHORE_TOKEN              the hub and an API token, in place of ` + "`farshore login`" + `
  FARSHORE_FINGERPRINT, FARSHORE_CA_FILE    how the hub is trusted
  FARSHORE_CONFIG                           the file of ` + "`farshore login`" + `; else ~/.config/farshore/config.json`

func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use: "farshore", Short: "work with a fleet of edge devices", Long: rootHelp, Version: program.Version(),
		SilenceErrors: true, SilenceUsage: true,
		PersistentPreRunE: func(c *cobra.Command, _ []string) error {
			if err := usage(c, errors.Join(c.ValidateRequiredFlags(), c.ValidateFlagGroups())); err != nil {
				return err
			}
			switch a.format {
			case formatTable, formatJSON, formatYAML:
				return nil
			}
			return usage(c, fmt.Errorf("output %q: want table, json or yaml", a.format))
		},
	}
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.errOut)
	root.PersistentFlags().StringVarP(&a.format, "output", "o", formatTable, "form of the output: table, json or yaml")
	must(root.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{formatTable, formatJSON, formatYAML}, cobra.ShellCompDirectiveNoFileComp)))
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error { return usage(c, err) })
	root.AddCommand(
		a.loginCommand(), a.logoutCommand(), a.whoamiCommand(), a.passwordCommand(), a.secondFactorCommand(), a.sessionsCommand(), a.tokensCommand(),
		a.usersCommand(), a.teamsCommand(), a.grantsCommand(), a.rolesCommand(), a.accessCommand(),
		a.keysCommand(), a.waitingCommand(), a.devicesCommand(), a.snapshotCommand(), a.stacksCommand(), a.rolloutsCommand(), a.jobsCommand(), a.scriptCommand(), a.commandCommand(),
		a.groupsCommand(), a.edgeGroupsCommand(), a.profilesCommand(), a.windowsCommand(), a.usageCommand(), a.estimateCommand(), a.liftCommand(), a.policiesCommand(), a.variablesCommand(), a.registriesCommand(), a.eventsCommand(), a.auditCommand(), a.openapiCommand(),
		a.releaseCommand(), a.releasesCommand(), a.updatesCommand(), a.dockerCommand(), a.logLevelCommand(), a.certificateCommand(), a.backupCommand(),
		parent("settings", "settings of the hub", a.protectionCommand(), a.signInCommand()),
	)
	strict(root)
	return root
}

// strict makes mistakes of arguments usage errors, and a command that needs a subcommand say so.
func strict(c *cobra.Command) {
	if check := c.Args; check != nil {
		c.Args = func(c *cobra.Command, args []string) error { return usage(c, check(c, args)) }
	}
	if c.HasSubCommands() && c.Run == nil && c.RunE == nil {
		c.Args = func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			err := fmt.Errorf("unknown command %q", args[0])
			if like := c.SuggestionsFor(args[0]); len(like) > 0 {
				err = fmt.Errorf("%w: did you mean %s?", err, strings.Join(like, " or "))
			}
			return usage(c, err)
		}
		c.RunE = func(c *cobra.Command, _ []string) error {
			must(c.Help())
			return usage(c, fmt.Errorf("%s needs a command", c.CommandPath()))
		}
	}
	for _, sub := range c.Commands() {
		strict(sub)
	}
}

// usage marks a mistake in the command line; nil stays nil.
func usage(c *cobra.Command, err error) error {
	if err == nil {
		return nil
	}
	return &usageError{command: c.CommandPath(), err: err}
}

// must is for what only a mistake in this program can make fail.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

// labelsOf reads k=v pairs.
func labelsOf(c *cobra.Command, list []string) (map[string]string, error) {
	if len(list) == 0 {
		return nil, nil
	}
	out := make(map[string]string, len(list))
	for _, l := range list {
		k, v, ok := strings.Cut(l, "=")
		if !ok || k == "" {
			return nil, usage(c, fmt.Errorf("label %q: want KEY=VALUE", l))
		}
		out[k] = v
	}
	return out, nil
}

// parent is a command that only holds others.
func parent(use, short string, children ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short}
	c.AddCommand(children...)
	return c
}
