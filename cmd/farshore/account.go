package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/internal/qrcode"
)

func (a *app) sessionsCommand() *cobra.Command {
	ls := &cobra.Command{
		Use: "ls", Short: "list your open sessions", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var all resource.List[resource.SignInSession]
			if err := a.get(cmd.Context(), "/session/sessions", nil, &all); err != nil {
				return err
			}
			return a.print(all.Items, func() *table {
				t := &table{head: []string{"ID", "FROM", "CLIENT", "SINCE", "LAST USED", "ENDS", "THIS ONE"}}
				for i := range all.Items {
					x := &all.Items[i]
					t.add(x.ID, dash(x.Remote), dash(x.Agent), ago(x.Created), ago(x.LastUsed), ago(x.Expires), yesNo(x.Current))
				}
				return t
			})
		},
	}
	var others bool
	rm := &cobra.Command{
		Use: "rm [SESSION…]", Short: "end sessions by the ids that ls shows, or with --others all but this one",
		RunE: func(cmd *cobra.Command, args []string) error {
			if others == (len(args) > 0) {
				return usage(cmd, errors.New("give ids, or --others"))
			}
			if !others {
				return a.eachDelete(cmd, "/session/sessions/", args)
			}
			var ended resource.EndedSessions
			if err := a.call(cmd.Context(), http.MethodDelete, "/session/sessions", nil, &ended); err != nil {
				return err
			}
			a.done("%d other sessions are ended.", ended.Ended)
			return nil
		},
	}
	rm.Flags().BoolVar(&others, "others", false, "end all but this one")
	return parent("sessions", "your open sessions", ls, rm)
}

func (a *app) passwordCommand() *cobra.Command {
	var oldFile, newFile string
	cmd := &cobra.Command{
		Use: "password", Short: "change your password, which ends your other sessions", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if oldFile == "-" && newFile == "-" {
				return usage(cmd, errors.New("only one of both can come from standard input"))
			}
			var body resource.NewPassword
			var err error
			if body.Old, err = a.secret("Password of now: ", oldFile); err != nil {
				return err
			}
			if body.Password, err = a.secret("New password: ", newFile); err != nil {
				return err
			}
			if newFile == "" {
				again, err := a.secret("New password again: ", "")
				if err != nil {
					return err
				}
				if again != body.Password {
					return errors.New("the new passwords differ: nothing was changed")
				}
			}
			if err := a.call(cmd.Context(), http.MethodPost, "/session/password", body, nil); err != nil {
				return err
			}
			a.done("Your password is changed, and your other sessions are ended.")
			return nil
		},
	}
	cmd.Flags().StringVar(&oldFile, "old-file", "", "file with the password of now, or - for standard input (default: ask)")
	cmd.Flags().StringVar(&newFile, "new-file", "", "file with the new one, or - for standard input (default: ask)")
	return cmd
}

func (a *app) secondFactorCommand() *cobra.Command {
	var passwordFile string
	on := &cobra.Command{
		Use: "on", Short: "set up a second factor: shows a QR code for your authenticator, and asks for its code", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			proof, err := a.proof(passwordFile)
			if err != nil {
				return err
			}
			var e resource.FactorEnrolment
			if err := a.call(cmd.Context(), http.MethodPost, "/session/second-factor", proof, &e); err != nil {
				return err
			}
			code, err := qrcode.New(e.URL)
			if err != nil {
				return fmt.Errorf("draw the QR code: %w", err)
			}
			paint := qrcode.Plain
			if f, ok := a.errOut.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
				paint = qrcode.Coloured
			}
			say(a.errOut, "%s\nScan this with your authenticator, or type in: %s\n", code.Terminal(paint), e.Secret)
			shown, err := a.ask("The code that it shows: ")
			if err != nil {
				return err
			}
			var codes resource.RecoveryCodes
			if err := a.call(cmd.Context(), http.MethodPost, "/session/second-factor/confirm", resource.FactorCode{Code: shown}, &codes); err != nil {
				return err
			}
			return a.print(codes, func() *table { return recoveryTable(codes) })
		},
	}
	codes := &cobra.Command{
		Use: "codes", Short: "get new recovery codes in place of those that you have", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			proof, err := a.proof(passwordFile)
			if err != nil {
				return err
			}
			var codes resource.RecoveryCodes
			if err := a.call(cmd.Context(), http.MethodPost, "/session/second-factor/recovery-codes", proof, &codes); err != nil {
				return err
			}
			return a.print(codes, func() *table { return recoveryTable(codes) })
		},
	}
	off := &cobra.Command{
		Use: "off", Short: "turn your second factor off", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			proof, err := a.proof(passwordFile)
			if err != nil {
				return err
			}
			if err := a.call(cmd.Context(), http.MethodPost, "/session/second-factor/off", proof, nil); err != nil {
				return err
			}
			a.done("Your second factor is off.")
			return nil
		},
	}
	for _, c := range []*cobra.Command{on, codes, off} {
		c.Flags().StringVar(&passwordFile, "password-file", "", "file with your password, or - for standard input (default: ask)")
	}
	return parent("second-factor", "codes of an authenticator, besides your password", on, codes, off)
}

// proof asks for the password once more.
func (a *app) proof(file string) (p resource.PasswordProof, err error) {
	p.Password, err = a.secret("Password: ", file)
	return p, err
}

func recoveryTable(c resource.RecoveryCodes) *table {
	t := &table{}
	t.add("Your second factor is on. Keep these recovery codes: each lets you in once without the authenticator.")
	for _, code := range c.Codes {
		t.add(code)
	}
	return t
}

// ask reads a line that is no lasting secret, such as a code, from standard input.
func (a *app) ask(question string) (string, error) {
	say(a.errOut, "%s", question)
	line, err := bufio.NewReader(io.LimitReader(a.in, 4<<10)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read the answer: %w", err)
	}
	if line = strings.TrimSpace(line); line == "" {
		return "", errors.New("nothing was typed: nothing was changed")
	}
	return line, nil
}
