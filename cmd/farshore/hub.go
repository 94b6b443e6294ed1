package main

import (
	"net/http"

	"github.com/spf13/cobra"

	"github.com/farshore/farshore/hub/api/resource"
)

func (a *app) logLevelCommand() *cobra.Command {
	return &cobra.Command{
		Use: "log-level [LEVEL]", Short: "show or change from which level on the hub writes its log",
		Long: "Show or change from which level on the hub writes its log: debug, info, warn or error.\n\n" +
			"It changes at once, and until the hub is started again, which goes by its own --log-level.",
		Args: cobra.MaximumNArgs(1), ValidArgs: []string{"debug", "info", "warn", "error"},
		RunE: func(cmd *cobra.Command, args []string) error {
			var now resource.LogSettings
			var err error
			if len(args) == 0 {
				err = a.get(cmd.Context(), "/settings/log", nil, &now)
			} else {
				err = a.call(cmd.Context(), http.MethodPut, "/settings/log", resource.LogSettings{Level: args[0]}, &now)
			}
			if err != nil {
				return err
			}
			return a.print(now, func() *table {
				return &table{head: []string{"LOG LEVEL"}, rows: [][]string{{now.Level}}}
			})
		},
	}
}
