package hub

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/farshore/farshore/hub/certificate"
	"github.com/farshore/farshore/hub/deviceca"
	"github.com/farshore/farshore/hub/events"
	"github.com/farshore/farshore/hub/gate"
	"github.com/farshore/farshore/hub/identity"
	"github.com/farshore/farshore/hub/vault"
)

// protect makes what guards the ports: who may come from where, and with which certificates on both sides.
func (h *Hub) protect(secrets *vault.Vault) (err error) {
	guard := gate.Config{Store: h.store, Log: h.log}
	if h.cfg.DeviceCA != "" {
		h.deviceCA, err = deviceca.Open(deviceca.Config{
			CAFile: h.cfg.DeviceCA, CRLFile: h.cfg.DeviceCRL, Changed: h.recheck, Log: h.log,
		})
		if err != nil {
			return err
		}
		guard.Certificates = h.deviceCA
	}
	if h.gate, err = gate.New(guard); err != nil {
		return err
	}
	h.certificate, err = certificate.New(certificate.Config{
		Store: h.store, Vault: secrets, Generated: h.identity.Web(), CertFile: h.cfg.TLSCert, KeyFile: h.cfg.TLSKey,
		Ending: h.certificateEnds, Log: h.log,
	})
	if err != nil {
		return err
	}
	h.addresses.Fingerprint = h.certificate.Status().Fingerprint
	return nil
}

// recheck ends connections of devices whose certificates do not hold any more.
func (h *Hub) recheck() {
	if h.gate != nil { // asked while the hub is being assembled
		h.gate.Recheck()
	}
}

// extras is what TLS has beyond the hub's identity.
func (h *Hub) extras() identity.Extras {
	x := identity.Extras{Web: h.certificate.Get}
	if h.deviceCA != nil {
		x.Agents = func(c *tls.Config) *tls.Config { return h.deviceCA.Agents(c) }
	}
	return x
}

func (h *Hub) certificateEnds(s certificate.Status) {
	text := fmt.Sprintf("the certificate of the console and API (%s) ends on %s: renew it", s.Subject, s.Until.UTC().Format(time.DateOnly))
	if time.Now().After(s.Until) {
		text = fmt.Sprintf("the certificate of the console and API (%s) ended on %s: browsers and the CLI refuse it; renew it", s.Subject, s.Until.UTC().Format(time.DateOnly))
	}
	h.log.Warn(text)
	h.events.Publish(events.Event{Kind: "hub.certificate-ends", Text: text})
}

// guarded is the way of people's requests: by address, and over HTTPS for ever where that is safe to say.
func (h *Hub) guarded(web http.Handler) http.Handler {
	return h.gate.People(h.certificate.Strict(web))
}

// watchFiles looks at the files of certificates until ctx ends, and when it is asked to.
func (h *Hub) watchFiles(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return h.certificate.Run(ctx) })
	if h.deviceCA != nil {
		g.Go(func() error { return h.deviceCA.Run(ctx) })
	}
	g.Go(func() error {
		for {
			select {
			case <-ctx.Done():
				return nil
			case <-h.cfg.Reload:
				h.reload()
			}
		}
	})
	return g.Wait()
}

func (h *Hub) reload() {
	if err := h.certificate.Reload(); err != nil {
		h.log.Error("the certificate's files cannot be used: browsers see the one before", "error", err)
	}
	if h.deviceCA == nil {
		return
	}
	if err := h.deviceCA.Reload(); err != nil {
		h.log.Error("files about devices' certificates cannot be used: the former hold", "error", err)
	}
}
