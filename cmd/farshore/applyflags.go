package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/farshore/farshore/hub/api/resource"
)

// applyFlags say what a stack shall be.
type applyFlags struct {
	name string // given by the command

	apply                                              resource.Apply
	source, selector, envFile, group, visibility, team string
	env, include, exclude, secret                      []string
	how                                                howFlags
	rules                                              ruleFlags
	removeVolumes, keepEnv                             bool
}

func (s *applyFlags) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVarP(&s.source, "file", "f", "", "compose file, or folder with compose.yml (default: the latest version stays)")
	f.StringVar(&s.selector, "select", "", "devices that shall have it, by labels (default: as it is; all devices for a new stack)")
	f.StringSliceVar(&s.include, "include", nil, "edge groups: only devices in one of them get it; '' for any device (default: as it is)")
	f.StringSliceVar(&s.exclude, "exclude", nil, "edge groups: devices in one of them do not get it; '' for none (default: as it is)")
	f.StringVar(&s.group, "group", "", "home of the stack: only devices in this group or below it get it (default: as it is; the root for a new stack)")
	f.StringVar(&s.visibility, "visibility", "", "whose it is: private (yours), team, public or administrators (default: as it is)")
	f.StringVar(&s.team, "team", "", "the team that it belongs to, with --visibility team")
	f.StringArrayVar(&s.env, "env", nil, "variable for Compose, NAME=VALUE; may be repeated")
	f.StringVar(&s.envFile, "env-file", "", "file with variables for Compose, one NAME=VALUE a line")
	f.StringSliceVar(&s.secret, "secret", nil, "variables that are secret: sealed for each device, and given back to nobody (default: those that were)")
	f.BoolVar(&s.keepEnv, "keep-env", false, "variables that are not given keep the values of the latest version")
	f.StringVar(&s.apply.Pull, "pull", "", "when images are asked of a registry: missing, always or never (default missing)")
	f.StringVarP(&s.apply.Message, "message", "m", "", "why, for people")
	f.BoolVar(&s.removeVolumes, "remove-volumes", false, "named volumes go with the stack when it is removed")
	s.how.flags(cmd)
	s.rules.flags(cmd)
}

// read asks the hub only for what is kept of the stack that is there.
func (s *applyFlags) read(cmd *cobra.Command, a *app) (resource.Apply, error) {
	apply := s.apply
	var err error
	if s.source != "" {
		if apply.Files, err = readBundle(s.source); err != nil {
			return apply, err
		}
	}
	if apply.How, apply.Plan, err = s.how.read(cmd); err != nil {
		return apply, err
	}
	now := func(ctx context.Context) (resource.Stack, error) { return a.stackOrNone(ctx, s.name) }
	if err := s.rules.put(cmd, now, &apply); err != nil {
		return apply, err
	}
	changed := cmd.Flags().Changed
	given(changed("include"), &apply.Include, append([]string{}, s.include...))
	given(changed("exclude"), &apply.Exclude, append([]string{}, s.exclude...))
	given(changed("secret"), &apply.Secret, append([]string{}, s.secret...))
	if apply.Env, err = readEnv(cmd, s.envFile, s.env); err != nil {
		return apply, err
	}
	if s.keepEnv {
		var now resource.Stack
		if err := a.call(cmd.Context(), http.MethodGet, "/stacks/"+seg(s.name), nil, &now); err != nil {
			return apply, err
		}
		apply.KeepEnv = &resource.KeepEnv{Version: now.Version, Names: append([]string{}, now.Current.Env...)}
	}
	given(changed("select"), &apply.Selector, s.selector)
	given(changed("group"), &apply.Group, s.group)
	apply.Owner = ownerFrom(s.visibility, s.team)
	given(changed("remove-volumes"), &apply.RemoveVolumes, s.removeVolumes)
	return apply, nil
}

// stackOrNone is a stack, or the zero one where there is none of the name.
func (a *app) stackOrNone(ctx context.Context, name string) (s resource.Stack, err error) {
	err = a.call(ctx, http.MethodGet, "/stacks/"+seg(name), nil, &s)
	if err != nil && exitCode(ctx, err) == exitNotFound {
		err = nil
	}
	return s, err
}

func readEnv(cmd *cobra.Command, file string, list []string) (map[string]string, error) {
	out := map[string]string{}
	if file != "" {
		raw, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read variables: %w", err)
		}
		lines := bufio.NewScanner(bytes.NewReader(raw))
		for n := 1; lines.Scan(); n++ {
			line := strings.TrimSpace(lines.Text())
			if line == "" || strings.HasPrefix(line, "#") {
				continue
			}
			k, v, ok := strings.Cut(line, "=")
			if !ok {
				return nil, fmt.Errorf("variables in %q, line %d: want NAME=VALUE", file, n)
			}
			out[strings.TrimSpace(k)] = v
		}
	}
	for _, e := range list {
		k, v, ok := strings.Cut(e, "=")
		if !ok || k == "" {
			return nil, usage(cmd, errors.New("--env: want NAME=VALUE"))
		}
		out[k] = v
	}
	return out, nil
}
