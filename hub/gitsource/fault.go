package gitsource

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"unicode"
)

// Codes of what goes wrong: stable words.
const (
	codeUnreachable = "unreachable"
	codeLocal       = "local-address"
	codeTimeout     = "timeout"
	codeCertificate = "certificate"
	codeRedirect    = "redirect"
	codeSignIn      = "sign-in"
	codeHostKey     = "host-key"
	codeRepository  = "no-repository"
	codeRef         = "no-ref"
	codeServer      = "server" // it says something that is not understood, or that it cannot
	codeTooLarge    = "too-large"
	codeBroken      = "broken"  // the commit cannot be a version
	codeRefused     = "refused" // by a policy, or by what is done with the stack now
	codeHub         = "hub"     // the hub's own fault
	codeStopped     = "stopped" // the look was ended
)

// fault is why a look did not lead to anything: a sentence with a remedy.
type fault struct {
	code, text string
	// commit that is at fault by itself: it is not tried again. "": whatever there is may do the next time.
	commit string
}

func (f *fault) Error() string { return f.text }

func faultf(code, format string, args ...any) *fault {
	return &fault{code: code, text: fmt.Sprintf(format, args...)}
}

// reached makes a fault of an error of a connection to host.
func reached(ctx context.Context, host string, err error) error {
	var f *fault
	var op *net.OpError
	var dns *net.DNSError
	switch {
	case errors.As(err, &f):
		return f
	case errors.Is(context.Cause(ctx), errPatience):
		return faultf(codeTimeout, "%s did not send it all within the time that a look may take: see whether it hangs, or whether the repository is too large for its link", host)
	case ctx.Err() != nil:
		return faultf(codeStopped, "the look was ended")
	case errors.Is(err, errLocal):
		return faultf(codeLocal, "%s is an address of the hub's own machine, or a link-local one: the hub does not connect to these unless it is started with --git-allow-local", host)
	case errors.As(err, &dns):
		return faultf(codeUnreachable, "the name %s is not known to the hub's name server (%s): see whether it is spelled right", host, dns.Err)
	case errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &op) && op.Timeout():
		return faultf(codeUnreachable, "%s does not answer: see whether it is on, and whether the hub may reach it", host)
	case errors.As(err, &op):
		return faultf(codeUnreachable, "%s cannot be reached (%s): see whether it is on, and whether the hub may reach it", host, clean(op.Err.Error(), 200))
	}
	return faultf(codeServer, "%s and the hub do not understand each other: %s", host, clean(err.Error(), 300))
}

// errPatience ends a look that takes too long.
var errPatience = errors.New("a look took too long")

// clean makes one plain line of what others say, of at most n bytes.
func clean(text string, n int) string {
	text = strings.Join(strings.FieldsFunc(strings.ToValidUTF8(text, "?"), func(r rune) bool {
		return unicode.IsSpace(r) || !unicode.IsPrint(r)
	}), " ")
	if len(text) > n {
		text = strings.ToValidUTF8(text[:n], "") + "…"
	}
	return text
}

// scrub takes secrets out of a sentence, should something have put them in.
func (s *Secrets) scrub(text string) string {
	for _, secret := range []string{s.Password, s.Passphrase, s.HookSecret} {
		if len(secret) > 3 {
			text = strings.ReplaceAll(text, secret, "…")
		}
	}
	return text
}
