package main

import (
	"context"
	"errors"
	"net/url"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/farshore/farshore/hub/api/resource"
)

// timelinePage is the most entries that the hub gives at once.
const timelinePage = 500

func (a *app) timelineCommand() *cobra.Command {
	var limit int
	var kinds []string
	cmd := &cobra.Command{
		Use: "timeline DEVICE", Short: "show what happened to a device, the latest first", Args: cobra.ExactArgs(1),
		ValidArgsFunction: atFirst(a.completeDevices),
		Long: `Shows contacts, how the device was heard of, who changed its record, stacks and commands. The newest 500 entries of the last
90 days are kept.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if limit < 1 {
				return usage(cmd, errors.New("--limit: want 1 or more"))
			}
			entries, err := a.timeline(cmd.Context(), args[0], limit, kinds)
			if err != nil {
				return err
			}
			return a.print(entries, func() *table {
				t := &table{head: []string{"AT", "KIND", "BY", "WHAT"}}
				for _, e := range entries {
					t.add(exact(e.At), e.Kind, dash(e.By), e.Text)
				}
				return t
			})
		},
	}
	cmd.Flags().IntVar(&limit, "limit", 50, "at most so many")
	cmd.Flags().StringSliceVar(&kinds, "kind", nil, "only these: contact, liveness, approval, change, stack, command, identity, told, left-out")
	must(cmd.RegisterFlagCompletionFunc("kind", cobra.FixedCompletions(
		[]string{"contact", "liveness", "approval", "change", "stack", "command", "identity", "told", "left-out"}, cobra.ShellCompDirectiveNoFileComp)))
	return cmd
}

// timeline reads pages until there are enough entries.
func (a *app) timeline(ctx context.Context, device string, limit int, kinds []string) ([]resource.TimelineEntry, error) {
	out := []resource.TimelineEntry{}
	q := url.Values{}
	if len(kinds) > 0 {
		q.Set("kind", strings.Join(kinds, ","))
	}
	for {
		q.Set("limit", strconv.Itoa(min(limit-len(out), timelinePage)))
		var page resource.TimelinePage
		if err := a.get(ctx, "/devices/"+seg(device)+"/timeline", q, &page); err != nil {
			return nil, err
		}
		out = append(out, page.Items...)
		if page.Next == "" || len(out) >= limit {
			return out, nil
		}
		q.Set("before", page.Next)
	}
}
