package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/farshore/farshore/hub/access"
	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/hub/certificate"
	"github.com/farshore/farshore/hub/gate"
)

type putProtectionInput struct {
	IfMatch
	Body resource.PutProtection
}

type putCertificateInput struct {
	IfMatch
	Body resource.PutCertificate
}

func (s *server) protectionRoutes() {
	const tag = "Protection"
	add(s, route[struct{}, reply[resource.Protection]]{
		Method: http.MethodGet, Path: "/settings/protection", ID: "get-protection", Tag: tag,
		Summary: "Who may come to the hub's ports from where, and how often accounts may ask",
		Does:    access.HubRead, On: onHub[struct{}],
		Run: func(ctx context.Context, _ *call, _ *struct{}) (*reply[resource.Protection], error) {
			return replyWith(s.protection(ctx)), nil
		},
	})
	add(s, route[putProtectionInput, reply[resource.Protection]]{
		Method: http.MethodPut, Path: "/settings/protection", ID: "put-protection", Tag: tag,
		Summary:     "Replace these settings",
		Description: "They hold at once, also for connections that are open. A list of people without the caller's own address is refused (409, code shut-out) unless force says that it is meant.",
		Does:        access.HubChange, On: onHub[putProtectionInput], Records: "hub.protection", Run: s.putProtection,
	})
	add(s, route[struct{}, reply[resource.Certificate]]{
		Method: http.MethodGet, Path: "/settings/certificate", ID: "get-certificate", Tag: tag,
		Summary: "The certificate that browsers and the CLI see",
		Does:    access.HubRead, On: onHub[struct{}],
		Run: func(context.Context, *call, *struct{}) (*reply[resource.Certificate], error) {
			return replyWith(s.certificate()), nil
		},
	})
	add(s, route[putCertificateInput, reply[resource.Certificate]]{
		Method: http.MethodPut, Path: "/settings/certificate", ID: "put-certificate", Tag: tag,
		Summary:     "Give the hub a certificate of your own",
		Description: "It holds from the next connection on. Agents do not see it: they go by the hub key.",
		Does:        access.HubChange, On: onHub[putCertificateInput], Records: "hub.certificate",
		Run: func(_ context.Context, c *call, in *putCertificateInput) (*reply[resource.Certificate], error) {
			err := s.Certificates.Put([]byte(in.Body.Certificate), []byte(in.Body.Key), s.seenCertificate(c, in.IfMatch))
			if errors.Is(err, certificate.ErrInvalid) {
				err = inField("body", err)
			}
			if err != nil {
				return nil, err
			}
			out := s.certificate()
			c.detail = fmt.Sprintf("%.200s until %s, %s", out.Subject, out.Until.UTC().Format(time.DateOnly), out.Fingerprint)
			return replyWith(out), nil
		},
	})
	add(s, route[IfMatch, reply[resource.Certificate]]{
		Method: http.MethodDelete, Path: "/settings/certificate", ID: "remove-certificate", Tag: tag,
		Summary: "Go back to the certificate that the hub made itself",
		Does:    access.HubChange, On: onHub[IfMatch], Records: "hub.certificate",
		Run: func(_ context.Context, c *call, in *IfMatch) (*reply[resource.Certificate], error) {
			if err := s.Certificates.Remove(s.seenCertificate(c, *in)); err != nil {
				return nil, err
			}
			c.detail = "the generated one is in use again"
			return replyWith(s.certificate()), nil
		},
	})
}

func (s *server) seenCertificate(c *call, m IfMatch) func(certificate.Status) error {
	want := s.expect(Expect{IfMatch: m}, c.on)
	return func(now certificate.Status) error { return want.meets(certificateEtag(now)) }
}

func (s *server) putProtection(ctx context.Context, c *call, in *putProtectionInput) (*reply[resource.Protection], error) {
	b, want := in.Body, s.expect(Expect{IfMatch: in.IfMatch}, c.on)
	err := s.Protection.Change(ctx, gate.Change{
		Settings: gate.Settings(b.ProtectionSettings), Force: b.Force,
		Check: func(now gate.Settings) error { return want.meets(protectionEtag(now)) },
	})
	var f *gate.FieldError
	if errors.As(err, &f) {
		err = inField("body."+f.Field, err)
	}
	if err != nil {
		return nil, err
	}
	now := s.Protection.Settings()
	c.detail = fmt.Sprintf("people %d networks, devices %d, trusted proxies %d, %d requests a second, %d at once",
		len(now.People), len(now.Devices), len(now.TrustedProxies), now.RequestsPerSecond, now.Burst)
	return replyWith(s.protection(ctx)), nil
}

func (s *server) protection(ctx context.Context) resource.Protection {
	now := s.Protection.Settings()
	out := resource.Protection{
		ProtectionSettings: resource.ProtectionSettings(now), Refused: s.Protection.Refused(), Etag: protectionEtag(now),
	}
	for _, list := range []*[]string{&out.People, &out.Devices, &out.TrustedProxies} {
		if *list == nil {
			*list = []string{}
		}
	}
	if addr := s.Protection.Caller(ctx); addr.IsValid() {
		out.YourAddress = addr.String()
	}
	return out
}

func protectionEtag(p gate.Settings) string { return etagOf(p) }

func certificateEtag(c certificate.Status) string { return etagOf([]any{c.Source, c.Fingerprint}) }

func (s *server) certificate() resource.Certificate {
	now := s.Certificates.Status()
	out := resource.Certificate{
		Source: now.Source, Subject: now.Subject, Issuer: now.Issuer, Names: now.Names, Chain: now.Chain,
		From: now.From.UTC(), Until: now.Until.UTC(), Fingerprint: now.Fingerprint, Warnings: []string{}, Etag: certificateEtag(now),
	}
	if out.Names == nil {
		out.Names = []string{}
	}
	if now.Problem != "" {
		out.Warnings = append(out.Warnings, "a newer one is not in use: "+now.Problem)
	}
	switch left := time.Until(now.Until); {
	case left <= 0:
		out.Warnings = append(out.Warnings, "it has ended: browsers and the CLI refuse it")
	case left < 30*24*time.Hour:
		out.Warnings = append(out.Warnings, fmt.Sprintf("it ends in %d days: renew it", int(left.Hours()/24)))
	}
	if u, err := url.Parse(s.Hub.URL); err == nil && now.Own() && !now.GoodFor(u.Hostname()) {
		out.Warnings = append(out.Warnings, fmt.Sprintf("it is not good for %s, the hub's own address (--public-url)", u.Hostname()))
	}
	return out
}

// wholeSeconds rounds a wait up to whole ones, as Retry-After has it.
func wholeSeconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }

// rateError: an account sends requests too quickly.
type rateError struct {
	account string
	after   time.Duration
}

// Error implements error.
func (e *rateError) Error() string {
	return fmt.Sprintf("account %q sends too many requests: wait %d s; the limit is in the settings, under protection", e.account, wholeSeconds(e.after))
}

// pace refuses a request of an account that sends too many.
func (s *server) pace(who access.Principal) error {
	if after := s.Protection.Take(who.Owner); after > 0 {
		return &rateError{who.Owner, after}
	}
	return nil
}
