package gitsource

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"

	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
)

// overSSH speaks with a repository over SSH. The protocol is one conversation for each pack: the server begins with what
// it has.
type overSSH struct {
	host, path string
	client     *ssh.Client
}

// families are the kinds of keys that servers have, in the order in which they are asked for. A server has one of each.
func families() [][]string {
	return [][]string{
		{ssh.KeyAlgoED25519},
		{ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521},
		{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256},
	}
}

// newSSH connects. The server is asked for a key of each kind until one is among those that are known.
func (d *Desk) newSSH(ctx context.Context, src *Source, at address, secrets *Secrets) (*overSSH, error) {
	key, err := signer(secrets)
	if err != nil {
		return nil, faultf(codeSignIn, "%s", err)
	}
	var offered ssh.PublicKey // the first of those that did not do
	for _, algorithms := range families() {
		var saw ssh.PublicKey
		client, err := d.connect(ctx, at, &ssh.ClientConfig{
			User: at.user, Auth: []ssh.AuthMethod{ssh.PublicKeys(key)}, HostKeyAlgorithms: algorithms, ClientVersion: "SSH-2.0-farshore",
			HostKeyCallback: func(_ string, _ net.Addr, key ssh.PublicKey) error {
				if !slices.Contains(src.HostKeys, ssh.FingerprintSHA256(key)) {
					saw = key
					return errHostKey
				}
				return nil
			},
		})
		var negotiation *ssh.AlgorithmNegotiationError
		switch {
		case err == nil:
			return &overSSH{host: at.host, path: at.path, client: client}, nil
		case saw != nil:
			if offered == nil {
				offered = saw
			}
		case errors.As(err, &negotiation): // it has no key of this kind
		case strings.Contains(err.Error(), "unable to authenticate"):
			return nil, faultf(codeSignIn, "%s does not let the hub in as %q with the SSH key that it was given (%s): see whether this key may read the repository there",
				at.host, at.user, ssh.FingerprintSHA256(key.PublicKey()))
		default:
			return nil, reached(ctx, at.host, err)
		}
		if len(src.HostKeys) == 0 && offered != nil {
			break
		}
	}
	return nil, hostKeyFault(at.host, src.HostKeys, offered)
}

var errHostKey = errors.New("the server's key is not known")

func hostKeyFault(host string, known []string, offered ssh.PublicKey) error {
	if offered == nil {
		return faultf(codeServer, "%s has no key of a kind that the hub accepts (Ed25519, ECDSA, or RSA with SHA-2)", host)
	}
	shown := fmt.Sprintf("%s %s", offered.Type(), ssh.FingerprintSHA256(offered))
	if len(known) == 0 {
		return faultf(codeHostKey, "it is not known which key %s has; it shows %s: compare that with what those who run it say, and give it as the server's key", host, shown)
	}
	return faultf(codeHostKey, "%s shows another key than it should: %s, and not %s: either it was given a new one, which those who run it can confirm, or somebody stands between; the hub has told it nothing", host, shown, strings.Join(known, " or "))
}

// connect opens an SSH connection, which ends with ctx.
func (d *Desk) connect(ctx context.Context, at address, c *ssh.ClientConfig) (*ssh.Client, error) {
	conn, err := d.dialer().DialContext(ctx, "tcp", at.host)
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, func() { _ = conn.Close() }) // a closed one stays closed
	secured, channels, requests, err := ssh.NewClientConn(conn, at.host, c)
	if err != nil {
		_ = conn.Close() // it is of no use
		return nil, err
	}
	return ssh.NewClient(secured, channels, requests), nil
}

func (s *overSSH) Close() error { return s.client.Close() }

func (s *overSSH) refs(ctx context.Context) (*packp.AdvRefs, error) {
	t, err := s.talk(ctx)
	if err != nil {
		return nil, err
	}
	defer t.Close()
	return t.begin(ctx)
}

func (s *overSSH) pack(ctx context.Context, ask []byte) (io.ReadCloser, error) {
	t, err := s.talk(ctx)
	if err != nil {
		return nil, err
	}
	if _, err = t.begin(ctx); err == nil {
		if _, writeErr := t.in.Write(ask); writeErr != nil {
			err = reached(ctx, s.host, writeErr)
		}
	}
	if err != nil {
		return nil, errors.Join(err, t.Close())
	}
	return t, nil
}

// talk is one run of git-upload-pack.
type talk struct {
	io.Reader
	s    *overSSH
	run  *ssh.Session
	in   io.WriteCloser
	said *tail
}

func (s *overSSH) talk(ctx context.Context) (*talk, error) {
	run, err := s.client.NewSession()
	if err != nil {
		return nil, reached(ctx, s.host, err)
	}
	t := &talk{s: s, run: run, said: &tail{}}
	run.Stderr = t.said
	if t.in, err = run.StdinPipe(); err == nil {
		t.Reader, err = run.StdoutPipe()
	}
	if err == nil {
		err = run.Start(uploadPack + " '" + strings.ReplaceAll(s.path, "'", `'\''`) + "'")
	}
	if err != nil {
		return nil, errors.Join(reached(ctx, s.host, err), t.Close())
	}
	return t, nil
}

// begin reads what the server has.
func (t *talk) begin(ctx context.Context) (*packp.AdvRefs, error) {
	refs, err := advertised(ctx, t.s.host, t)
	if err == nil || ctx.Err() != nil {
		return refs, err
	}
	if f := new(fault); errors.As(err, &f) && f.code != codeServer {
		return nil, err
	}
	_ = t.in.Close()
	_ = t.run.Wait() // it has ended, and what it said has come
	if said := t.said.String(); said != "" {
		return nil, faultf(codeRepository, "%s does not give the repository: it says %q: see whether the address is right, and whether the key may read it", t.s.host, clean(said, 200))
	}
	return nil, err
}

func (t *talk) Close() error {
	if err := t.run.Close(); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

// tail keeps the beginning of what a program says. It is safe for concurrent use.
type tail struct {
	mu   sync.Mutex
	text []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p[:min(len(p), 1<<10-len(t.text))]...)
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.text)
}
