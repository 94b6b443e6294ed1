package link

import (
	"cmp"
	"context"
	"fmt"
	"net/http"

	"github.com/farshore/farshore/protocol"
)

// Knocker carries knocks to the hub's public address. It keeps its connection until Close or until the hub ends it, and makes
// another one when needed. It is safe for concurrent use.
type Knocker struct {
	cfg Config
	err error
	p   *poster
}

// NewKnocker returns a Knocker. Of cfg, what concerns frames and boots is not used. The key exchange is X25519 alone unless cfg
// says otherwise: a device may wait for months on a thin link, and there is nothing in a knock that must stay secret for decades.
func NewKnocker(cfg Config) *Knocker {
	cfg = cfg.withDefaults()
	cfg.KeyExchange = cmp.Or(cfg.KeyExchange, protocol.KeyExchangeClassic)
	k := &Knocker{cfg: cfg, p: &poster{dial: cfg.dialer(), timeout: cfg.ExchangeTimeout}}
	k.p.base, k.err = endpoint(cfg.EdgeKey.HTTPS, "443")
	return k
}

// Knock sends the body that build makes for a connection's exporter (an encoded protocol.SignedKnock) and returns the hub's
// answer, which the hub may hold back. Errors wrap ErrUnreachable or ErrWrongHub, are a *protocol.Error, or come from build.
func (k *Knocker) Knock(ctx context.Context, build func(exporter []byte) ([]byte, error)) (protocol.KnockAnswer, error) {
	var answer protocol.KnockAnswer
	if k.err != nil {
		return answer, k.err
	}
	a, err := k.p.post(ctx, protocol.PathKnock, func(c *postConn) (string, []byte, error) {
		body, err := build(c.Exporter)
		return "", body, err
	})
	if err != nil {
		return answer, err
	}
	err = protocol.Unmarshal(a.body, &answer)
	known := err == nil && answer.State >= protocol.KnockWaiting && answer.State <= protocol.KnockRefused
	switch {
	case known && (a.status == http.StatusOK || a.status < 500 && answer.State == protocol.KnockRefused):
		return answer, nil
	case known: // a fault of the hub, in its own words
		return protocol.KnockAnswer{}, unreachable("the hub answered: %w", &protocol.Error{Code: answer.Code, Text: answer.Text})
	case a.status != http.StatusOK:
		return protocol.KnockAnswer{}, a.refusal(k.cfg.Codec)
	case err == nil:
		err = fmt.Errorf("unknown state %d", answer.State)
	}
	return protocol.KnockAnswer{}, unreachable("answer to the knock: %w", err)
}

// Close ends the connection; the next Knock makes another.
func (k *Knocker) Close() error {
	k.p.close()
	return nil
}
