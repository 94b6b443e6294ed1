package main

import (
	"net/http"

	"github.com/spf13/cobra"

	"github.com/farshore/farshore/hub/api/resource"
)

func (a *app) deployCommand() *cobra.Command {
	var d resource.Deploy
	cmd := &cobra.Command{
		Use: "deploy NAME", Short: "bring a version that is kept to the devices of a stack, also once more", Args: cobra.ExactArgs(1),
		ValidArgsFunction: atFirst(a.completeStacks),
		RunE: func(cmd *cobra.Command, args []string) error {
			var r resource.Rollout
			if err := a.call(cmd.Context(), http.MethodPost, "/stacks/"+seg(args[0])+"/deploy", d, &r); err != nil {
				return err
			}
			return a.print(r, func() *table { return &table{} })
		},
	}
	cmd.Flags().Uint64Var(&d.Version, "version", 0, "number of a version that is kept (default: the one that its devices shall have already)")
	cmd.Flags().BoolVar(&d.Force, "force", false, "devices that have the version apply it again")
	return cmd
}
