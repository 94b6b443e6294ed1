package registries

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// checkTimeout bounds a check from end to end.
const checkTimeout = 15 * time.Second

// Finding is what a check found.
type Finding struct {
	// OK: the registry has let the user in.
	OK bool
	// Text says in a sentence what was found.
	Text string
}

// Check asks the registry with an id whether it lets its user in. That the hub cannot reach it, or is refused, is a finding
// and no error: devices may be elsewhere. Errors wrap ErrNotFound.
func (b *Book) Check(ctx context.Context, id string) (Finding, error) {
	e, ok := (*b.now.Load())[id]
	if !ok {
		return Finding{}, unknown(id)
	}
	if e.lost {
		return Finding{Text: "The password cannot be opened, because the hub's secrets.key is another: set the password again."}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	client, err := b.client(e)
	if err != nil {
		return Finding{}, err
	}
	defer client.CloseIdleConnections()
	return (&asking{entry: e, client: client}).ask(ctx), nil
}

// client speaks TLS alone, follows nothing, and connects only to where it may for an entry.
func (b *Book) client(e entry) (*http.Client, error) {
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if e.CA != "" && !roots.AppendCertsFromPEM([]byte(e.CA)) {
		return nil, fmt.Errorf("%w: the authority's certificate cannot be read", ErrInvalid)
	}
	bounds := &bounds{reaches: b.cfg.Reaches}
	bounds.outside.Store(!e.known())
	dialer := &net.Dialer{
		Timeout: 5 * time.Second,
		Control: func(_, address string, _ syscall.RawConn) error { // the address as it was resolved
			at, err := netip.ParseAddrPort(address)
			if err != nil {
				return err
			}
			return bounds.check(at.Addr().Unmap())
		},
	}
	return &http.Client{
		Transport: &http.Transport{
			DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				conn, err := dialer.DialContext(ctx, network, address)
				if err == nil {
					bounds.met(conn.RemoteAddr())
				}
				return conn, err
			},
			DisableCompression:    true, // else a little that is sent is much to read
			TLSClientConfig:       &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
			ResponseHeaderTimeout: 10 * time.Second, MaxResponseHeaderBytes: 64 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}

// asking is one check.
type asking struct {
	entry
	client *http.Client
}

func (a *asking) ask(ctx context.Context) Finding {
	base := "https://" + a.host() + "/v2/"
	resp, _, err := a.get(ctx, base, "")
	if err != nil {
		return Finding{Text: a.unreached(a.Address, err)}
	}
	switch challenge := resp.Header.Get("WWW-Authenticate"); {
	case resp.StatusCode == http.StatusOK:
		return Finding{OK: true, Text: a.Address + " lets everybody in, so that its password was not tried: single images may still need it."}
	case resp.StatusCode != http.StatusUnauthorized:
		return Finding{Text: fmt.Sprintf("%s answers with %s in place of asking for a password: is it a registry?", a.Address, status(resp))}
	case strings.HasPrefix(strings.ToLower(challenge), "bearer "):
		return a.askForToken(ctx, parameters(challenge))
	default:
		resp, _, err = a.get(ctx, base, "basic")
		if err != nil {
			return Finding{Text: a.unreached(a.Address, err)}
		}
		return a.verdict(a.Address, resp)
	}
}

// askForToken asks the service that the registry names for a token. It is sent the password, as engines do too.
func (a *asking) askForToken(ctx context.Context, challenge map[string]string) Finding {
	realm, err := a.realm(challenge)
	if err != nil {
		return Finding{Text: err.Error() + "."}
	}
	resp, body, err := a.get(ctx, realm.String(), "basic")
	if err != nil {
		return Finding{Text: a.unreached(realm.Host, err)}
	}
	found := a.verdict(realm.Host, resp)
	if _, err := tokenOf(body); found.OK && err != nil {
		return Finding{Text: fmt.Sprintf("%s, which %s sends its callers to, gives no token: is it a registry?", realm.Host, a.Address)}
	}
	return found
}

// realm is where a challenge sends callers for a token, with what it asks for.
func (a *asking) realm(challenge map[string]string) (*url.URL, error) {
	realm, err := url.Parse(challenge["realm"])
	if err != nil || realm.Scheme != "https" || realm.Host == "" || realm.User != nil {
		return nil, fmt.Errorf("%s sends its callers for a token to an address that is not HTTPS: the password was not sent there", a.Address)
	}
	query := realm.Query()
	for name, value := range map[string]string{"service": challenge["service"], "account": a.User, "scope": challenge["scope"]} {
		if value != "" {
			query.Set(name, value)
		}
	}
	realm.RawQuery = query.Encode()
	if len(realm.Host) > 255 {
		return nil, fmt.Errorf("%s sends its callers for a token to an address that is none", a.Address)
	}
	return realm, nil
}

// host is where the registry is asked.
func (a *asking) host() string {
	if a.Address == DockerHub {
		return "registry-1.docker.io"
	}
	return a.Address
}

func (a *asking) verdict(host string, resp *http.Response) Finding {
	switch resp.StatusCode {
	case http.StatusOK:
		return Finding{OK: true, Text: fmt.Sprintf("%s lets %s in.", a.Address, a.User)}
	case http.StatusUnauthorized, http.StatusForbidden:
		return Finding{Text: fmt.Sprintf("%s does not let %s in (%s): the user or the password is wrong, or the token has ended.", a.Address, a.User, status(resp))}
	case http.StatusTooManyRequests:
		return Finding{Text: host + " was asked too often and says to wait: try again later."}
	}
	return Finding{Text: fmt.Sprintf("%s answers with %s: whether it lets %s in is not known.", host, status(resp), a.User)}
}

// get asks one address, and gives the beginning of the answer's body.
func (a *asking) get(ctx context.Context, address, with string) (*http.Response, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, nil, err
	}
	if with == "basic" {
		req.SetBasicAuth(a.User, a.password)
	}
	resp, err := a.client.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close() // only read
	body, err := io.ReadAll(io.LimitReader(resp.Body, 256<<10))
	return resp, body, err
}

// unreached says why the hub got no answer. What the error itself says is not repeated: an address may have a query.
func (a *asking) unreached(host string, err error) string {
	const perhaps = " Devices may still reach it."
	var unknownCA x509.UnknownAuthorityError
	var wrongName x509.HostnameError
	var ended x509.CertificateInvalidError
	var noTLS tls.RecordHeaderError
	var dns *net.DNSError
	var timeout net.Error
	switch {
	case errors.Is(err, errLocal):
		return fmt.Sprintf("%s is an address of the hub's own machine or link, where the hub does not ask: it means another machine on each device.", host)
	case errors.Is(err, errPrivate) && a.known():
		return fmt.Sprintf("%s is of a private network, and %s is not: the hub does not let itself be sent there.", host, a.Address)
	case errors.Is(err, errPrivate):
		return fmt.Sprintf("%s is of a private network, where the hub asks only registries that it knows for the devices' group: add it there.", host)
	case errors.As(err, &unknownCA):
		return fmt.Sprintf("The certificate of %s is from an authority that the hub does not know: give the authority's certificate with the registry, and to the engines of the devices.", host)
	case errors.As(err, &wrongName):
		return fmt.Sprintf("The certificate of %s is for another name: give the address that is in it, or have it made anew.", host)
	case errors.As(err, &ended):
		return fmt.Sprintf("The certificate of %s does not hold, perhaps because it has ended, or because a clock is wrong.", host)
	case errors.As(err, &noTLS), strings.Contains(err.Error(), "HTTP response to HTTPS client"):
		return fmt.Sprintf("%s does not speak TLS: the password was not sent, since all on the way could read it.", host)
	case errors.As(err, &dns):
		return fmt.Sprintf("The hub does not find %s by its name.", host) + perhaps
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Sprintf("Nobody answers the hub at %s.", host) + perhaps
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return fmt.Sprintf("%s did not answer the hub in time.", host) + perhaps
	}
	return fmt.Sprintf("The hub cannot reach %s.", host) + perhaps
}

func status(resp *http.Response) string {
	return fmt.Sprintf("%d %s", resp.StatusCode, http.StatusText(resp.StatusCode))
}

var parameter = regexp.MustCompile(`([a-zA-Z]+)="([^"]*)"`)

// parameters reads those of a challenge (RFC 9110, section 11.2), whose values registries put in quotes.
func parameters(challenge string) map[string]string {
	out := map[string]string{}
	for _, m := range parameter.FindAllStringSubmatch(challenge, 32) {
		out[strings.ToLower(m[1])] = m[2]
	}
	return out
}
