package gitsource

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"syscall"
	"time"
	"unicode"

	"github.com/farshore/farshore/internal/ownaddr"
)

// address is where a repository is.
type address struct {
	ssh  bool
	url  *url.URL // of HTTP
	user string   // of SSH, as path
	host string   // host:port of SSH
	path string
}

var scpLike = regexp.MustCompile(`^([A-Za-z0-9._-]+)@([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):([^/].*|/.*)$`)

// parseAddress reads the address of a repository. Errors wrap ErrInvalid, and repeat nothing of it where there may be a
// password in it.
func parseAddress(text string) (address, error) {
	const want = "want https://HOST/PATH, ssh://USER@HOST/PATH or USER@HOST:PATH"
	if text == "" || len(text) > maxURL || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return address{}, fmt.Errorf("%w: the address of the repository is empty, too long, or has spaces in it: %s", ErrInvalid, want)
	}
	if m := scpLike.FindStringSubmatch(text); m != nil && !strings.Contains(text, "://") {
		return address{ssh: true, user: m[1], host: net.JoinHostPort(strings.Trim(m[2], "[]"), "22"), path: m[3]}, nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Hostname() == "" || strings.ContainsFunc(u.Path, unicode.IsControl) {
		return address{}, fmt.Errorf("%w: that is no address of a repository: %s", ErrInvalid, want)
	}
	if _, has := u.User.Password(); has {
		return address{}, fmt.Errorf("%w: the address has a password in it, which would be shown to whoever sees the stack: leave it out, and give it by itself", ErrInvalid)
	}
	if u.RawQuery != "" || u.Fragment != "" || u.ForceQuery {
		return address{}, fmt.Errorf("%w: the address has a ? or # in it: %s", ErrInvalid, want)
	}
	switch u.Scheme {
	case "https", "http":
		if u.User != nil {
			return address{}, fmt.Errorf("%w: the address has a user in it: leave it out, and give it by itself", ErrInvalid)
		}
		u.Path = strings.TrimRight(u.Path, "/")
		return address{url: u}, nil
	case "ssh":
		port := u.Port()
		if port == "" {
			port = "22"
		}
		if u.User.Username() == "" || strings.Trim(u.Path, "/") == "" {
			return address{}, fmt.Errorf("%w: %s", ErrInvalid, want)
		}
		// As ssh clients of Git have it: /~user is below a home, anything else begins at the root.
		path := u.Path
		if strings.HasPrefix(path, "/~") {
			path = path[1:]
		}
		return address{ssh: true, user: u.User.Username(), host: net.JoinHostPort(u.Hostname(), port), path: path}, nil
	}
	return address{}, fmt.Errorf("%w: repositories at %.20q addresses are not looked at: %s", ErrInvalid, u.Scheme, want)
}

// Warning is what is dangerous about a source's address. "": nothing.
func (s *Source) Warning() string {
	if strings.HasPrefix(strings.ToLower(s.URL), "http://") {
		return "http:// is not encrypted: whoever is on the way can read what the hub signs in with, and can put files of their own in place of those of the repository; use https://"
	}
	return ""
}

var errOtherServer = errors.New("another server")

// sameServer returns an error where two addresses are not of the same server, spoken with in the same way.
func sameServer(a, b string) error {
	x, err := parseAddress(a)
	if err != nil {
		return err
	}
	y, err := parseAddress(b)
	if err != nil {
		return err
	}
	if x.ssh != y.ssh || x.host != y.host || !x.ssh && (x.url.Scheme != y.url.Scheme || !strings.EqualFold(x.url.Host, y.url.Host)) {
		return errOtherServer
	}
	return nil
}

// errLocal is of an address that is not dialled.
var errLocal = errors.New("local address")

// dialer dials what may be dialled: what a name resolves to is judged when the connection is made, so that a name
// server cannot say one thing to a check and another to the connection.
func (d *Desk) dialer() *net.Dialer {
	return &net.Dialer{
		Timeout: 20 * time.Second,
		Control: func(_, to string, _ syscall.RawConn) error {
			at, err := netip.ParseAddrPort(to)
			if err != nil || !d.cfg.AllowLocal && ownaddr.Is(at.Addr()) {
				return errLocal
			}
			return nil
		},
	}
}
