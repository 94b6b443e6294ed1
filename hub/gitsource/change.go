package gitsource

import (
	"cmp"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks"
)

// sealPurpose keeps sealed secrets from being taken for something else.
const sealPurpose = "secrets of a Git source"

// Bounds of a source's fields, in bytes.
const (
	maxURL     = 2 << 10
	maxRef     = 255
	maxSecret  = 16 << 10
	maxCA      = 64 << 10
	minSecret  = 16
	maxHostKey = 10
)

// Change is what a source shall be.
type Change struct {
	// Source is all of it but for what the Desk itself knows: Hook, Sealed, Has, Rev, Created, Changed, Progress. Each
	// of HostKeys is a fingerprint, a public key, or a line of known_hosts.
	Source Source
	// Password, Key with Passphrase, and HookSecret in place of those that are kept. Nil: these stay.
	Password, Key, HookSecret *string
	Passphrase                string
	// Webhook: there is one. It keeps its address while there is.
	Webhook bool
	// Env are the variables for Compose, all of them, in place of those that are kept. Nil: these stay, and where the
	// source has none of its own, those of the latest version.
	Env *map[string]string
	// Expect is asked with what is there, nil for nothing, before anything is changed. Nil: anything may be there.
	Expect func(*Source) error
}

// Put makes a source, or changes one, and has it looked at soon. Secrets that are kept are for the repository that they
// were given for: with another address they have to be given again. Errors wrap ErrInvalid, or are those of Expect.
func (d *Desk) Put(c Change) (State, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	e := d.sources[c.Source.Stack]
	var was *Source
	if e != nil {
		was = &e.src
	}
	if c.Expect != nil {
		if err := c.Expect(was); err != nil {
			return State{}, err
		}
	}
	if e == nil && len(d.sources) >= MaxSources {
		return State{}, fmt.Errorf("%w: there are %d sources, which is the most", ErrInvalid, MaxSources)
	}
	src, err := d.changed(was, &c)
	if err != nil {
		return State{}, err
	}
	if err := d.cfg.Store.PutSource(src); err != nil {
		return State{}, fmt.Errorf("store where stack %q comes from: %w", src.Stack, err)
	}
	if e == nil {
		e = &entry{}
		d.sources[src.Stack] = e
	} else {
		delete(d.hooks, e.src.Hook)
		if e.stop != nil {
			e.stop() // what it finds is of the source as it was
		}
	}
	e.src, e.failures, e.due = src, 0, time.Now()
	if src.Hook != "" {
		d.hooks[src.Hook] = e
	}
	d.hurry()
	return e.state(), nil
}

// changed is what a source becomes.
func (d *Desk) changed(was *Source, c *Change) (Source, error) {
	src, now := c.Source, time.Now().Unix()
	src.Created, src.Changed, src.Rev, src.Progress, src.Hook = now, now, 1, Progress{}, ""
	var kept Secrets
	if was != nil {
		var err error
		if kept, err = d.open(was); err != nil {
			return src, err
		}
		src.Created, src.Rev, src.Progress, src.Hook = was.Created, was.Rev+1, was.Progress, was.Hook
		src.Target = was.Target.with(src.Target)
	}
	secrets, err := c.secrets(kept)
	if err != nil {
		return src, err
	}
	if err := src.check(&secrets); err != nil {
		return src, err
	}
	switch {
	case !c.Webhook:
		src.Hook, secrets.HookSecret = "", ""
	case len(secrets.HookSecret) < minSecret:
		return src, fmt.Errorf("%w: a webhook needs a secret of %d characters or more, the same as its sender has", ErrInvalid, minSecret)
	case src.Hook == "":
		src.Hook = rand.Text()
	}
	if was != nil && sameServer(was.URL, src.URL) != nil &&
		(secrets.Password != "" && c.Password == nil || secrets.Key != "" && c.Key == nil) {
		return src, fmt.Errorf("%w: what is kept to sign in was given for another server: give it again", ErrInvalid)
	}
	src.Has = Has{
		Password: secrets.Password != "", Key: secrets.Key != "", HookSecret: secrets.HookSecret != "",
		Env: slices.Sorted(maps.Keys(secrets.Env)), OwnEnv: secrets.Env != nil,
	}
	plain, err := protocol.Marshal(secrets)
	if err != nil {
		return src, fmt.Errorf("encode secrets: %w", err)
	}
	src.Sealed = d.cfg.Vault.Seal(sealPurpose, plain)
	return src, nil
}

// with is a target with what is said anew.
func (t *Target) with(anew *Target) *Target {
	if t == nil || anew == nil {
		return cmp.Or(anew, t)
	}
	return &Target{
		Selector: cmp.Or(anew.Selector, t.Selector), Group: cmp.Or(anew.Group, t.Group), Owner: cmp.Or(anew.Owner, t.Owner),
		RemoveVolumes: cmp.Or(anew.RemoveVolumes, t.RemoveVolumes),
	}
}

// secrets are those that are kept with those that are given.
func (c *Change) secrets(kept Secrets) (Secrets, error) {
	for _, s := range []*string{c.Password, c.Key, c.HookSecret, &c.Passphrase} {
		if s != nil && len(*s) > maxSecret {
			return kept, fmt.Errorf("%w: a secret of more than %d bytes", ErrInvalid, maxSecret)
		}
	}
	if c.Password != nil {
		kept.Password = *c.Password
	}
	if c.Key != nil {
		kept.Key, kept.Passphrase = strings.TrimSpace(*c.Key)+"\n", c.Passphrase
		if *c.Key == "" {
			kept.Key = ""
		}
	}
	if c.HookSecret != nil {
		kept.HookSecret = *c.HookSecret
	}
	if c.Env != nil {
		if kept.Env = *c.Env; kept.Env == nil {
			kept.Env = map[string]string{}
		}
		if err := stacks.CheckEnv(kept.Env); err != nil {
			return kept, fmt.Errorf("%w: %w", ErrInvalid, err)
		}
	}
	switch c.Source.SignIn { // what is not used is not kept
	case SignInPassword:
		kept.Key, kept.Passphrase = "", ""
	case SignInKey:
		kept.Password = ""
	default:
		kept.Password, kept.Key, kept.Passphrase = "", "", ""
	}
	return kept, nil
}

// check says what is wrong with a source, and puts it into its canonical form. Errors wrap ErrInvalid.
func (s *Source) check(secrets *Secrets) error {
	if err := stacks.CheckName(s.Stack); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	at, err := parseAddress(s.URL)
	if err != nil {
		return err
	}
	if s.Ref = strings.TrimSpace(s.Ref); len(s.Ref) > maxRef || strings.ContainsFunc(s.Ref, func(r rune) bool { return r <= ' ' || r == 0x7f }) || strings.ContainsAny(s.Ref, "~^:?*[\\") {
		return fmt.Errorf("%w: %.80q is no branch or tag", ErrInvalid, s.Ref)
	}
	if s.Path = strings.Trim(strings.TrimPrefix(s.Path, "./"), "/"); s.Path == "." {
		s.Path = ""
	}
	if s.Path != "" {
		if err := protocol.ValidPath(s.Path); err != nil {
			return fmt.Errorf("%w: %w", ErrInvalid, err)
		}
	}
	if s.Interval != 0 && (s.Interval < int64(MinInterval/time.Second) || s.Interval > int64(MaxInterval/time.Second)) {
		return fmt.Errorf("%w: looking each %d s: want 0, which is never, or %s to 7 days", ErrInvalid, s.Interval, MinInterval)
	}
	if s.Redeploy != RedeployNever && s.Redeploy != RedeployCommits && s.Redeploy != RedeployLooks {
		return fmt.Errorf("%w: redeploy %.40q: want commits, looks, or nothing", ErrInvalid, string(s.Redeploy))
	}
	if s.Pull > protocol.PullNever {
		return fmt.Errorf("%w: pull policy %d is not known", ErrInvalid, s.Pull)
	}
	if len(s.CA) > maxCA || s.CA != "" && !x509.NewCertPool().AppendCertsFromPEM([]byte(s.CA)) {
		return fmt.Errorf("%w: the authorities are not PEM with certificates in it", ErrInvalid)
	}
	if strings.ContainsFunc(s.User, func(r rune) bool { return r <= ' ' || r == 0x7f || r == ':' }) || len(s.User) > maxRef {
		return fmt.Errorf("%w: %.80q is no name of a user", ErrInvalid, s.User)
	}
	return s.checkSignIn(at, secrets)
}

func (s *Source) checkSignIn(at address, secrets *Secrets) (err error) {
	switch s.SignIn {
	case SignInNone:
		if at.ssh {
			return fmt.Errorf("%w: SSH needs a key to sign in with", ErrInvalid)
		}
	case SignInPassword:
		if at.ssh {
			return fmt.Errorf("%w: over SSH the hub signs in with a key, not with a password", ErrInvalid)
		}
		if secrets.Password == "" {
			return fmt.Errorf("%w: give the password or token", ErrInvalid)
		}
	case SignInKey:
		if !at.ssh {
			return fmt.Errorf("%w: an SSH key signs in over SSH: give an address such as ssh://git@example.com/repository.git", ErrInvalid)
		}
		if _, err := signer(secrets); err != nil {
			return err
		}
	default:
		return fmt.Errorf("%w: signing in by %.40q: want none, password or key", ErrInvalid, string(s.SignIn))
	}
	s.HostKeys, err = fingerprints(s.HostKeys)
	return err
}

// signer reads the SSH key.
func signer(s *Secrets) (ssh.Signer, error) {
	if s.Key == "" {
		return nil, fmt.Errorf("%w: give the private SSH key", ErrInvalid)
	}
	var key ssh.Signer
	var err error
	if s.Passphrase != "" {
		key, err = ssh.ParsePrivateKeyWithPassphrase([]byte(s.Key), []byte(s.Passphrase))
	} else {
		key, err = ssh.ParsePrivateKey([]byte(s.Key))
	}
	var missing *ssh.PassphraseMissingError
	switch {
	case errors.As(err, &missing):
		return nil, fmt.Errorf("%w: the SSH key has a passphrase: give it too", ErrInvalid)
	case err != nil && s.Passphrase != "":
		return nil, fmt.Errorf("%w: the SSH key cannot be read with that passphrase", ErrInvalid)
	case err != nil:
		return nil, fmt.Errorf("%w: that is no private SSH key: want the whole file, with its first and last line", ErrInvalid)
	}
	return key, nil
}

// fingerprints reads fingerprints, public keys and lines of known_hosts.
func fingerprints(given []string) ([]string, error) {
	var out []string
	for _, text := range given {
		for line := range strings.Lines(text) {
			line = strings.TrimSpace(line)
			if line == "" || strings.HasPrefix(line, "#") {
				continue
			}
			print, err := fingerprint(line)
			if err != nil {
				return nil, err
			}
			out = append(out, print)
		}
	}
	slices.Sort(out)
	if out = slices.Compact(out); len(out) > maxHostKey {
		return nil, fmt.Errorf("%w: %d keys of the server, at most %d", ErrInvalid, len(out), maxHostKey)
	}
	return out, nil
}

func fingerprint(line string) (string, error) {
	if strings.HasPrefix(line, "SHA256:") && len(line) == len("SHA256:")+43 {
		return line, nil
	}
	if key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(line)); err == nil {
		return ssh.FingerprintSHA256(key), nil
	}
	if marker, _, key, _, _, err := ssh.ParseKnownHosts([]byte(line)); err == nil && marker == "" {
		return ssh.FingerprintSHA256(key), nil
	}
	return "", fmt.Errorf("%w: %.80q is no key of a server: want SHA256:… or a line of known_hosts", ErrInvalid, line)
}

// Remove ends that a stack comes from Git. The stack stays as it is.
func (d *Desk) Remove(stack string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	e := d.sources[stack]
	if e == nil {
		return notFound(stack)
	}
	if err := d.cfg.Store.RemoveSource(stack); err != nil {
		return fmt.Errorf("remove where stack %q comes from: %w", stack, err)
	}
	d.forget(e)
	return nil
}

// forget drops a source. mu is held.
func (d *Desk) forget(e *entry) {
	delete(d.sources, e.src.Stack)
	delete(d.hooks, e.src.Hook)
	e.removed = true
	if e.stop != nil {
		e.stop()
	}
	for _, w := range e.waiting {
		w <- Outcome{Code: codeStopped, Text: "it does not come from Git any more"}
	}
	e.waiting = nil
}

// StackRemoved is told that a stack was removed: its source goes with it.
func (d *Desk) StackRemoved(stack string) error {
	if err := d.Remove(stack); !errors.Is(err, ErrNotFound) {
		return err
	}
	return nil
}

func (d *Desk) open(s *Source) (out Secrets, err error) {
	if len(s.Sealed) == 0 {
		return out, nil
	}
	plain, err := d.cfg.Vault.Open(sealPurpose, s.Sealed)
	if err == nil {
		err = protocol.Unmarshal(plain, &out)
	}
	if err != nil {
		return out, fmt.Errorf("secrets of the source of stack %q: %w", s.Stack, err)
	}
	return out, nil
}
