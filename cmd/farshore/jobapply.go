package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/internal/apiclient"
)

func (a *app) applyJobsCommand() *cobra.Command {
	var dryRun bool
	var message string
	var secrets []string
	cmd := &cobra.Command{
		Use: "apply FILE…", Short: "make jobs what their files say", Args: cobra.MinimumNArgs(1),
		Long: `Makes jobs what their files say: YAML with the words of the API, and name; - is standard input. A file may have several jobs with
--- between them. What a file does not say is not so any more, but for group, owner and paused, which stay, and for values of
secret variables. The same content makes no new version; a new one counts from the next run on.

Beside the words of the API there are script_file (a path beside the file's own), and timeout, retry_delay and jitter as
durations such as 10m.`,
		Example: `  farshore jobs apply backup.yml
  farshore jobs apply --dry-run jobs/*.yml
  farshore jobs apply backup.yml --secret-env TOKEN=token.txt    # the first time; later it keeps its value`,
		RunE: func(cmd *cobra.Command, args []string) error {
			var all []jobFile
			for _, file := range args {
				more, err := a.readJobs(file)
				if err != nil {
					return err
				}
				all = append(all, more...)
			}
			if len(secrets) > 0 && len(all) != 1 {
				return usage(cmd, errors.New("--secret-env is for one job: apply its file alone"))
			}
			for i := range all {
				if same := slices.IndexFunc(all[:i], func(f jobFile) bool { return f.name == all[i].name }); same >= 0 {
					return fmt.Errorf("job %q is there twice: %s and %s", all[i].name, &all[same], &all[i])
				}
				if message != "" {
					all[i].put.Message = message
				}
				var err error
				if all[i].put.Env, all[i].put.Secret, err = a.secretEnv(cmd, secrets, all[i].put.Env, all[i].put.Secret); err != nil {
					return err
				}
			}
			return a.putJobs(cmd.Context(), all, tried(dryRun))
		},
	}
	f := cmd.Flags()
	f.BoolVar(&dryRun, "dry-run", false, "say what would change and what is wrong, and change nothing")
	f.StringVarP(&message, "message", "m", "", "why, for people (default: the file's)")
	f.StringArrayVar(&secrets, "secret-env", nil, "secret variable: NAME=FILE has its value (- is standard input), NAME takes it from the environment; can be repeated")
	return cmd
}

// secretEnv adds secret variables to those that there are. Their values are never on the command line, where others could
// see them.
func (a *app) secretEnv(cmd *cobra.Command, list []string, env map[string]string, secret []string) (map[string]string, []string, error) {
	for _, s := range list {
		name, file, fromFile := strings.Cut(s, "=")
		value := a.getenv(name)
		switch {
		case name == "" || fromFile && file == "":
			return nil, nil, usage(cmd, errors.New("--secret-env: want NAME=FILE, or NAME for a variable of the environment"))
		case fromFile:
			var err error
			if value, err = a.value(name, file); err != nil {
				return nil, nil, fmt.Errorf("variable %s: %w: --secret-env wants the file that has the value", name, err)
			}
		case value == "":
			return nil, nil, fmt.Errorf("variable %s is not in the environment: set it there, or give --secret-env %s=FILE", name, name)
		}
		if env == nil {
			env = map[string]string{}
		}
		env[name] = value
		if !slices.Contains(secret, name) {
			secret = append(secret, name)
		}
	}
	return env, secret, nil
}

// jobOrNone is a job, or nil where there is none of the name.
func (a *app) jobOrNone(ctx context.Context, name string) (*resource.Job, error) {
	var j resource.Job
	err := a.get(ctx, jobPath(name), nil, &j)
	if err != nil && exitCode(ctx, err) == exitNotFound {
		return nil, nil
	}
	return &j, err
}

// putJobs applies the jobs of files, or only tries that, and says of each what changed.
func (a *app) putJobs(ctx context.Context, all []jobFile, try tried) error {
	h, err := a.hub()
	if err != nil {
		return err
	}
	out := []resource.Job{}
	for i := range all {
		f := &all[i]
		before, err := a.jobOrNone(ctx, f.name)
		if err != nil {
			return err
		}
		// What is said to have changed is what did.
		r := apiclient.Request{Method: http.MethodPut, Path: jobPath(f.name), Body: f.put, Header: http.Header{"If-None-Match": {"*"}}}
		if before != nil {
			r.Header = http.Header{"If-Match": {`"` + before.Etag + `"`}}
		}
		if try {
			r.Method, r.Path = http.MethodPost, r.Path+"/preview"
		}
		var now resource.Job
		if err := h.Do(ctx, r, &now); err != nil {
			return fmt.Errorf("job in %s: %w", f, err)
		}
		out = append(out, now)
		if a.format == formatTable {
			a.sayApplied(before, &now, try)
		}
	}
	if a.format == formatTable {
		return nil
	}
	return a.print(out, nil)
}

// tried: it is only tried.
type tried bool

func (a *app) sayApplied(before, now *resource.Job, try tried) {
	is, on := "is", fmt.Sprintf("version %d, for %s", now.Version, counted(now.Assigned, "device"))
	if try {
		is = "would be"
	}
	switch changed := changesOf(before, now); {
	case before == nil:
		a.done("%s %s made: %s.", now.Name, is, on)
	case len(changed) == 0:
		a.done("%s is so already: %s.", now.Name, on)
	default:
		a.done("%s %s changed: %s. What differs: %s.", now.Name, is, on, strings.Join(changed, "; "))
	}
	if now.Withheld > 0 {
		a.done("  %d of them are not given it: `farshore jobs status %s --state withheld` says why.", now.Withheld, now.Name)
	}
	if now.IsPaused {
		a.done("  It is paused: `farshore jobs resume %s` lets it go on.", now.Name)
	}
	a.sayNext(now.Words, now.Upcoming)
}

// sayNext says when a job runs.
func (a *app) sayNext(words string, next []time.Time) {
	a.done("  It runs %s.", words)
	for i, at := range next {
		a.done("  %-5s %s", map[bool]string{true: "Next:"}[i == 0], exact(at))
	}
}

// changesOf names what differs between a job before and now. Values of variables and scripts are not shown.
func changesOf(before, now *resource.Job) (changed []string) {
	if before == nil {
		return nil
	}
	old, fresh := wordsIn(before), wordsIn(now)
	if before.Words != now.Words {
		changed = append(changed, fmt.Sprintf("schedule (%s, was: %s)", now.Words, before.Words))
		delete(old, "schedule")
		delete(fresh, "schedule")
	}
	if before.IsPaused != now.IsPaused {
		changed = append(changed, map[bool]string{true: "paused", false: "not paused any more"}[now.IsPaused])
	}
	words := maps.Clone(old)
	maps.Copy(words, fresh)
	for _, word := range slices.Sorted(maps.Keys(words)) {
		was, is := old[word], fresh[word]
		if bytes.Equal(was, is) {
			continue
		}
		switch {
		case word == "env" || word == "secret" || word == "script" || len(was)+len(is) > 120:
			changed = append(changed, word)
		case was == nil:
			changed = append(changed, fmt.Sprintf("%s (%s)", word, is))
		case is == nil:
			changed = append(changed, fmt.Sprintf("%s (was: %s)", word, was))
		default:
			changed = append(changed, fmt.Sprintf("%s (%s, was: %s)", word, is, was))
		}
	}
	if len(changed) == 0 && before.Version != now.Version {
		changed = append(changed, "values of variables")
	}
	return changed
}

// wordsIn is what a job's definition says, by word.
func wordsIn(j *resource.Job) (out map[string]json.RawMessage) {
	raw, err := json.Marshal(j.JobDefinition)
	must(err)
	must(json.Unmarshal(raw, &out))
	return out
}
