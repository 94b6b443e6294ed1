package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/internal/apiclient"
)

// place is the group or device whose variables are meant.
type place struct{ group, device string }

func (p *place) flags(cmd *cobra.Command, a *app) {
	cmd.Flags().StringVar(&p.group, "group", "", "of this group; / is the root")
	cmd.Flags().StringVar(&p.device, "device", "", "of this device")
	cmd.MarkFlagsOneRequired("group", "device")
	cmd.MarkFlagsMutuallyExclusive("group", "device")
	must(cmd.RegisterFlagCompletionFunc("device", a.completeDevices))
}

// request is one about a variable of the place; "": about all.
func (p *place) request(method, name string, body any) apiclient.Request {
	r := apiclient.Request{Method: method, Path: "/groups/variables", Body: body}
	if p.device != "" {
		r.Path = "/devices/" + seg(p.device) + "/variables"
	} else {
		r.Query = url.Values{"path": {strings.Trim(p.group, "/")}}
	}
	if name != "" {
		r.Path += "/" + seg(name)
	}
	return r
}

func (p *place) String() string {
	if p.device != "" {
		return "device " + p.device
	}
	return "group /" + strings.Trim(p.group, "/")
}

func (a *app) variablesCommand() *cobra.Command {
	return parent("variables", "variables that groups and devices give to stacks",
		a.variablesListCommand(), a.variablesSetCommand(), a.variablesUnsetCommand())
}

func (a *app) variablesListCommand() *cobra.Command {
	var at place
	cmd := &cobra.Command{
		Use: "ls", Short: "list the variables that hold in a group or on a device", Args: cobra.NoArgs,
		Example: "  farshore variables ls --device crane-1",
		RunE: func(cmd *cobra.Command, _ []string) error {
			h, err := a.hub()
			if err != nil {
				return err
			}
			var all resource.List[resource.Variable]
			if err := h.Do(cmd.Context(), at.request(http.MethodGet, "", nil), &all); err != nil {
				return err
			}
			return a.print(all.Items, func() *table {
				t := &table{head: []string{"NAME", "VALUE", "FROM", "SET BY", "UPDATED"}}
				for _, v := range all.Items {
					from := "device"
					if v.Scope == "group" {
						from = "/" + v.Group
					}
					t.add(v.Name, valueOf(v), from, dash(v.By), ago(v.Updated))
				}
				return t
			})
		},
	}
	at.flags(cmd, a)
	return cmd
}

func valueOf(v resource.Variable) string {
	switch {
	case v.Lost:
		return "(lost: set it again)"
	case v.Secret:
		return "(set, hidden)"
	}
	return dash(v.Value)
}

func (a *app) variablesSetCommand() *cobra.Command {
	var at place
	var file string
	var put resource.PutVariable
	cmd := &cobra.Command{
		Use: "set NAME [VALUE]", Short: "set a variable of a group or a device", Args: cobra.RangeArgs(1, 2),
		Long: `Stacks whose Compose file uses the variable are changed on the devices. That of a device counts more than that of its group,
and that more than one of a group above; a stack's own count least.

A secret value is never given on the command line, where others on the machine could see it: it is asked for, or read from
--from-file. Nobody is shown it again; devices get it sealed to their keys.`,
		Example: "  farshore variables set SITE oslo --group norway/oslo\n" +
			"  farshore variables set DB_PASSWORD --secret --device crane-1 --from-file password.txt",
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			switch {
			case len(args) == 2 && put.Secret:
				return usage(cmd, errors.New("a secret value is not given on the command line: leave it out, and it is asked for, or give --from-file"))
			case len(args) == 2 && file != "":
				return usage(cmd, errors.New("the value is given twice: as an argument and by --from-file"))
			case len(args) == 2:
				put.Value = args[1]
			default:
				if put.Value, err = a.value(args[0], file); err != nil {
					return err
				}
			}
			h, err := a.hub()
			if err != nil {
				return err
			}
			var v resource.Variable
			if err := h.Do(cmd.Context(), at.request(http.MethodPut, args[0], put), &v); err != nil {
				return err
			}
			if a.format != formatTable {
				return a.print(v, nil)
			}
			a.done("%s of %s is set.", v.Name, &at)
			return nil
		},
	}
	at.flags(cmd, a)
	cmd.Flags().BoolVar(&put.Secret, "secret", false, "nobody is shown it again")
	cmd.Flags().StringVar(&file, "from-file", "", "file with the value, or - for standard input; the end of its last line is left out")
	return cmd
}

// maxValue is more than the hub takes.
const maxValue = 64 << 10

// value reads a variable's value, of any number of lines, from a file, standard input or the terminal.
func (a *app) value(name, file string) (string, error) {
	from := a.in
	switch file {
	case "":
		if _, ok := a.terminal(); !ok {
			return "", fmt.Errorf("%w: there is no terminal to ask for the value on: give it, or --from-file FILE, - for standard input", errUsage)
		}
		return a.secret("Value of "+name+": ", "")
	case "-":
	default:
		f, err := os.Open(file)
		if err != nil {
			return "", fmt.Errorf("read the value: %w", err)
		}
		defer f.Close() // only read
		from = f
	}
	raw, err := io.ReadAll(io.LimitReader(from, maxValue))
	if err != nil {
		return "", fmt.Errorf("read the value: %w", err)
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(raw), "\n"), "\r"), nil
}

func (a *app) variablesUnsetCommand() *cobra.Command {
	var at place
	cmd := &cobra.Command{
		Use: "unset NAME", Short: "remove a variable of a group or a device", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			h, err := a.hub()
			if err != nil {
				return err
			}
			if err := h.Do(cmd.Context(), at.request(http.MethodDelete, args[0], nil), nil); err != nil {
				return err
			}
			a.done("%s of %s is not set any more.", args[0], &at)
			return nil
		},
	}
	at.flags(cmd, a)
	return cmd
}
