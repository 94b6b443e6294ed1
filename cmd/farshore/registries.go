package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/farshore/farshore/hub/api/resource"
)

func (a *app) registriesCommand() *cobra.Command {
	return parent("registries", "how registries of images let devices in",
		a.registriesListCommand(), a.registriesAddCommand(), a.registriesEditCommand(), a.registriesCheckCommand(), a.registriesRemoveCommand())
}

func (a *app) registriesListCommand() *cobra.Command {
	return &cobra.Command{
		Use: "ls", Short: "list registries", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var all resource.List[resource.Registry]
			if err := a.get(cmd.Context(), "/registries", nil, &all); err != nil {
				return err
			}
			return a.print(all.Items, func() *table {
				t := &table{head: []string{"ID", "NAME", "ADDRESS", "USER", "GROUP", "NOTE"}}
				for _, r := range all.Items {
					note := r.Note
					if r.Lost {
						note = "its password is lost: set it again"
					}
					t.add(r.ID, r.Name, r.Address, r.User, "/"+r.Group, dash(note))
				}
				return t
			})
		},
	}
}

// registryFlags are what add and edit can be given.
type registryFlags struct {
	put                  resource.PutRegistry
	caFile, passwordFile string
}

func (r *registryFlags) add(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&r.put.Name, "name", "", "what people call it; the address, unless given")
	f.StringVar(&r.put.User, "user", "", "as whom devices sign in")
	f.StringVar(&r.passwordFile, "password-file", "", "file with the password or token, or - for standard input")
	f.StringVar(&r.put.Group, "group", "", "it is for the devices of this group and below; / is the root")
	f.StringVar(&r.put.Note, "note", "", "for people")
	f.StringVar(&r.caFile, "ca-file", "", "PEM file of the authority of its certificate; the engines of devices have to be given it too")
}

// readCA reads the authority, where one is named.
func (r *registryFlags) readCA() error {
	if r.caFile == "" {
		return nil
	}
	raw, err := os.ReadFile(r.caFile)
	if err != nil {
		return fmt.Errorf("read the authority: %w", err)
	}
	r.put.CA = string(raw)
	return nil
}

func (a *app) registriesAddCommand() *cobra.Command {
	var r registryFlags
	cmd := &cobra.Command{
		Use: "add ADDRESS", Short: "say how a registry lets devices in", Args: cobra.ExactArgs(1),
		Long: `ADDRESS is the host of the registry, with the port where it is not 443; docker.io is Docker Hub.

A device with a stack whose images are from there is given user and password, sealed to its key; of several registries of one
address that of the nearest group. Without --password-file the password is asked for. Nobody is shown it again.`,
		Example: "  farshore registries add registry.example.com:5000 --user fleet --group norway --password-file token",
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			r.put.Address = args[0]
			if err := r.readCA(); err != nil {
				return err
			}
			if r.put.Password, err = a.password(r.passwordFile); err != nil {
				return err
			}
			var made resource.Registry
			if err := a.call(cmd.Context(), http.MethodPost, "/registries", r.put, &made); err != nil {
				return err
			}
			if a.format != formatTable {
				return a.print(made, nil)
			}
			a.done("Devices in /%s have access to %s; try it with: farshore registries check %s", made.Group, made.Address, made.ID)
			return nil
		},
	}
	r.add(cmd)
	must(cmd.MarkFlagRequired("user"))
	return cmd
}

func (a *app) registriesEditCommand() *cobra.Command {
	var r registryFlags
	var address string
	var ask bool
	cmd := &cobra.Command{
		Use: "edit REGISTRY", Short: "change a registry, named by its id or name", Args: cobra.ExactArgs(1),
		Long: "Changes what is given and leaves the rest. The password stays, unless another is given; for another address it has to be.",
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			var now resource.Registry
			if err := a.get(cmd.Context(), "/registries/"+seg(args[0]), nil, &now); err != nil {
				return err
			}
			if err := r.readCA(); err != nil {
				return err
			}
			put := resource.PutRegistry{Name: now.Name, Address: now.Address, User: now.User, Group: now.Group, Note: now.Note, CA: now.CA}
			take := func(flag string, to *string, value string) {
				if cmd.Flags().Changed(flag) {
					*to = value
				}
			}
			take("name", &put.Name, r.put.Name)
			take("address", &put.Address, address)
			take("user", &put.User, r.put.User)
			take("group", &put.Group, strings.Trim(r.put.Group, "/"))
			take("note", &put.Note, r.put.Note)
			take("ca-file", &put.CA, r.put.CA)
			if ask || r.passwordFile != "" {
				if put.Password, err = a.password(r.passwordFile); err != nil {
					return err
				}
			}
			if err := a.call(cmd.Context(), http.MethodPut, "/registries/"+seg(now.ID), put, &now); err != nil {
				return err
			}
			if a.format != formatTable {
				return a.print(now, nil)
			}
			a.done("%s is changed.", now.Name)
			return nil
		},
	}
	r.add(cmd)
	cmd.Flags().StringVar(&address, "address", "", "another address; the password has to be given again")
	cmd.Flags().BoolVar(&ask, "new-password", false, "ask for another password")
	return cmd
}

func (a *app) registriesCheckCommand() *cobra.Command {
	return &cobra.Command{
		Use: "check REGISTRY", Short: "have the hub ask a registry whether it lets its user in", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var found resource.RegistryCheck
			if err := a.call(cmd.Context(), http.MethodPost, "/registries/"+seg(args[0])+"/check", nil, &found); err != nil {
				return err
			}
			if a.format != formatTable {
				return a.print(found, nil)
			}
			if !found.OK {
				return errors.New(found.Text)
			}
			a.done("%s", found.Text)
			return nil
		},
	}
}

func (a *app) registriesRemoveCommand() *cobra.Command {
	return &cobra.Command{
		Use: "rm REGISTRY…", Short: "remove registries; devices keep the images that they have", Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return a.eachDelete(cmd, "/registries/", args) },
	}
}
