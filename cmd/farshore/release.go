package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/farshore/farshore/hub/releases/releasefile"
	"github.com/farshore/farshore/protocol"
)

// releaseCommand makes releases. It needs no hub.
func (a *app) releaseCommand() *cobra.Command {
	return parent("release", "make signed releases of agent and composer; no hub is needed", a.keygenCommand(), a.makeReleaseCommand())
}

const keyBlock = "PRIVATE KEY"

func (a *app) keygenCommand() *cobra.Command {
	return &cobra.Command{
		Use: "keygen FILE", Short: "make a release key", Args: cobra.ExactArgs(1),
		Long: `Writes a new private release key into FILE (PEM, PKCS #8), which must not be there, and prints the public one. Hubs and agents trust
releases that are signed with it when they are given the public key: --release-key. Whoever has the private key can change every program of
the fleet: keep it off the hub.`,
		RunE: func(_ *cobra.Command, args []string) error {
			public, private, err := ed25519.GenerateKey(rand.Reader)
			if err != nil {
				return err
			}
			der, err := x509.MarshalPKCS8PrivateKey(private)
			if err != nil {
				return err
			}
			f, err := os.OpenFile(args[0], os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
			if errors.Is(err, os.ErrExist) {
				return fmt.Errorf("%q is there already: give another name, since devices may trust the key in it", args[0])
			}
			if err != nil {
				return fmt.Errorf("write release key: %w", err)
			}
			err = pem.Encode(f, &pem.Block{Type: keyBlock, Bytes: der})
			if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
				return fmt.Errorf("write release key: %w", err)
			}
			say(a.out, "%s\n", protocol.FormatReleaseKey(public))
			return nil
		},
	}
}

func readReleaseKey(file string) (ed25519.PrivateKey, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read release key: %w", err)
	}
	block, _ := pem.Decode(raw)
	if block == nil || block.Type != keyBlock {
		return nil, fmt.Errorf("%q holds no private release key: make one with `farshore release keygen`", file)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	key, ok := parsed.(ed25519.PrivateKey)
	if err != nil || !ok {
		return nil, fmt.Errorf("%q holds no Ed25519 key: make one with `farshore release keygen`", file)
	}
	return key, nil
}

func (a *app) makeReleaseCommand() *cobra.Command {
	var keyFile, version, out string
	cmd := &cobra.Command{
		Use: "make DIR", Aliases: []string{"sign"}, Short: "make a signed release bundle of the programs in a folder", Args: cobra.ExactArgs(1),
		Long: `Signs the programs in the folders below DIR that are named by their platform, such as linux-arm64/farshore-agent and
linux-armv7/farshore-composer, and writes them with the signature into one file for ` + "`farshore releases add`" + `.`,
		Example: "  farshore release make --key release.pem --version v1.3.0 --out farshore-v1.3.0.release bin",
		RunE: func(cmd *cobra.Command, args []string) error {
			if keyFile == "" || version == "" || out == "" {
				return usage(cmd, errors.New("give --key, --version and --out"))
			}
			key, err := readReleaseKey(keyFile)
			if err != nil {
				return err
			}
			r, err := writeBundle(out, releasefile.Spec{Key: key, Version: version, Created: time.Now(), Dir: args[0]})
			if err != nil {
				return err
			}
			return a.print(r, func() *table {
				t := &table{head: []string{"PROGRAM", "PLATFORM", "SIZE", "SHA-256"}}
				for _, p := range r.Programs {
					t.add(p.Name, p.Platform(), size(p.Size), p.Hash.String())
				}
				return t
			})
		},
	}
	cmd.Flags().StringVar(&keyFile, "key", "", "file of the private release key")
	cmd.Flags().StringVar(&version, "version", "", "version of the programs, such as v1.3.0")
	cmd.Flags().StringVar(&out, "out", "", "file to write")
	return cmd
}

// writeBundle puts a bundle under its name when it is whole.
func writeBundle(out string, s releasefile.Spec) (r protocol.Release, err error) {
	f, err := os.CreateTemp(filepath.Dir(out), ".release-")
	if err != nil {
		return r, fmt.Errorf("write release: %w", err)
	}
	defer func() { _ = os.Remove(f.Name()) }() // it is not there any more when all went well
	r, err = releasefile.Make(f, s)
	if err = errors.Join(err, f.Close()); err != nil {
		return r, fmt.Errorf("write release: %w", err)
	}
	if err := os.Chmod(f.Name(), 0o644); err != nil {
		return r, fmt.Errorf("write release: %w", err)
	}
	if err := os.Rename(f.Name(), out); err != nil {
		return r, fmt.Errorf("write release: %w", err)
	}
	return r, nil
}
