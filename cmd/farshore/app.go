package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/farshore/farshore/internal/apiclient"
	"github.com/farshore/farshore/internal/program"
)

// apiBase is the path of the API below the hub's address.
const apiBase = "/api/v1"

// app is one run of the program: its streams, its flags, and the hub it speaks to.
type app struct {
	in          io.Reader
	out, errOut io.Writer
	getenv      func(string) string

	format string // --output
	client *apiclient.Client
}

func newClient(c config) (*apiclient.Client, error) {
	return apiclient.New(apiclient.Config{
		URL: c.URL, Base: apiBase, Token: c.Token, Fingerprint: c.Fingerprint, CAFile: c.CAFile, Agent: "farshore/" + program.Version(),
	})
}

// hub is the client of the hub that one is signed in to.
func (a *app) hub() (*apiclient.Client, error) {
	if a.client != nil {
		return a.client, nil
	}
	c, err := a.loadConfig()
	if err != nil {
		return nil, err
	}
	if c.URL == "" || c.Token == "" {
		return nil, errNotSignedIn
	}
	a.client, err = newClient(c)
	return a.client, err
}

// call sends a request to the hub and reads the answer into out, where it is not nil.
func (a *app) call(ctx context.Context, method, path string, body, out any) error {
	h, err := a.hub()
	if err != nil {
		return err
	}
	return h.Do(ctx, apiclient.Request{Method: method, Path: path, Body: body}, out)
}

// get reads from the hub.
func (a *app) get(ctx context.Context, path string, query url.Values, out any) error {
	h, err := a.hub()
	if err != nil {
		return err
	}
	return h.Do(ctx, apiclient.Request{Method: http.MethodGet, Path: path, Query: query}, out)
}

// seg escapes a part of a path.
func seg(s string) string { return url.PathEscape(s) }

// password reads a password from a file, from standard input for "-", or from the terminal.
func (a *app) password(file string) (string, error) { return a.secret("Password: ", file) }

// secret is the same for any secret; question is what is asked on a terminal.
func (a *app) secret(question, file string) (string, error) {
	switch {
	case file == "-":
		line, err := bufio.NewReader(io.LimitReader(a.in, 64<<10)).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return "", fmt.Errorf("read password: %w", err)
		}
		return notEmpty(line, "standard input")
	case file != "":
		raw, err := os.ReadFile(file)
		if err != nil {
			return "", fmt.Errorf("read password: %w", err)
		}
		return notEmpty(string(raw), file)
	}
	f, ok := a.terminal()
	if !ok {
		return "", fmt.Errorf("%w: there is no terminal to ask on: give it by a file, such as --password-file FILE, or - for standard input", errUsage)
	}
	say(a.errOut, "%s", question)
	raw, err := term.ReadPassword(int(f.Fd()))
	say(a.errOut, "\n")
	if err != nil {
		return "", fmt.Errorf("read password: %w", err)
	}
	return string(raw), nil
}

// notEmpty is a secret without the end of its line. One that is empty would be taken for none at all.
func notEmpty(secret, from string) (string, error) {
	secret = strings.TrimRight(secret, "\r\n")
	if secret == "" {
		return "", fmt.Errorf("read password: %s is empty: put the password into its first line", from)
	}
	return secret, nil
}

func (a *app) terminal() (*os.File, bool) {
	f, ok := a.in.(*os.File)
	return f, ok && term.IsTerminal(int(f.Fd()))
}

// sure asks before something is lost. Where nobody can answer, --yes has to be given.
func (a *app) sure(question string) error {
	if _, ok := a.terminal(); !ok {
		return fmt.Errorf("%w: %s give --yes to do it", errUsage, question)
	}
	say(a.errOut, "%s [y/N] ", question)
	answer, err := bufio.NewReader(a.in).ReadString('\n')
	if err != nil || !strings.EqualFold(strings.TrimSpace(answer), "y") {
		return errors.New("nothing was done")
	}
	return nil
}
