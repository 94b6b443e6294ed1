package keypage

import (
	"embed"
	"encoding/json"
	"errors"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/farshore/farshore/internal/qrcode"
)

//go:embed page
var files embed.FS

// policy lets the page load its own script and style, ask its own device, and nothing else.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; " +
	"form-action 'none'; frame-ancestors 'none'"

// Handler serves the page.
func (p *Page) Handler() http.Handler {
	mux := http.NewServeMux()
	for path, file := range map[string]struct{ name, kind string }{
		"GET /{$}":      {"page.html", "text/html; charset=utf-8"},
		"GET /page.css": {"page.css", "text/css; charset=utf-8"},
		"GET /page.js":  {"page.js", "text/javascript; charset=utf-8"},
		"GET /icon.svg": {"icon.svg", "image/svg+xml"},
	} {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			content, err := files.ReadFile("page/" + file.name)
			if err != nil {
				panic(err) // it is embedded
			}
			w.Header().Set("Content-Type", file.kind)
			_, _ = w.Write(content) // whoever has gone needs no page
		})
	}
	mux.HandleFunc("POST /standing", p.answer(func(in request) (any, *refusal) { return p.standing(in.PIN) }))
	mux.HandleFunc("POST /key", p.answer(func(in request) (any, *refusal) { return struct{}{}, p.take(in.PIN, in.Key) }))
	return p.guard(mux)
}

// guard keeps out what did not come from this page. Another site in the same browser can make it send requests here:
// its own name for this address (DNS rebinding) shows in Host, its page shows in Origin, and what needs no permission
// of ours to be sent is not JSON.
func (p *Page) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		if !p.known(r.Host) {
			http.Error(w, "This device does not go by that name. Ask for it by its IP address, or let the agent know the name with --key-page-host.", http.StatusMisdirectedRequest)
			return
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
			if r.Header.Get("Origin") != "http://"+r.Host || err != nil || kind != "application/json" {
				http.Error(w, "This request did not come from the device's own page.", http.StatusForbidden)
				return
			}
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		next.ServeHTTP(w, r)
	})
}

// known tells whether a Host header names this device in a way that no other site can: an IP address, a name that the
// installer gave, or localhost where only this machine can ask.
func (p *Page) known(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.ToLower(strings.TrimSuffix(strings.TrimPrefix(name, "["), "]"))
	if _, err := netip.ParseAddr(name); err == nil {
		return true
	}
	if name == "localhost" {
		at, err := netip.ParseAddrPort(p.listener.Addr().String())
		return err == nil && at.Addr().IsLoopback()
	}
	return name != "" && strings.EqualFold(name, p.cfg.Host)
}

// request is what the page sends.
type request struct {
	PIN string `json:"pin"`
	Key string `json:"key"`
}

// answer reads a request and writes what answer gives, or why it does not.
func (p *Page) answer(answer func(request) (any, *refusal)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var in request
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			status := http.StatusBadRequest
			if large := new(http.MaxBytesError); errors.As(err, &large) {
				status = http.StatusRequestEntityTooLarge
			}
			p.write(w, status, refusal{Field: "key", Text: "This is too long for an edge key, or came here damaged. Copy the key again."})
			return
		}
		out, no := answer(in)
		if no != nil {
			p.write(w, no.Status, no)
			return
		}
		p.write(w, http.StatusOK, out)
	}
}

func (p *Page) write(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(body); err != nil {
		p.cfg.Log.Debug("key page: an answer was not read to the end", "error", err)
	}
}

// shown is a Standing as the page gets it, with the address also as the path of a QR code.
type shown struct {
	State   string `json:"state"`
	Reason  string `json:"reason,omitempty"`
	Code    string `json:"code,omitempty"`
	Approve string `json:"approve,omitempty"`
	QR      string `json:"qr,omitempty"`
	QRSize  int    `json:"qr_size,omitempty"`
}

func (p *Page) standing(pin string) (any, *refusal) {
	p.mu.Lock()
	no, done := p.admit(pin), p.done
	p.mu.Unlock()
	if no != nil {
		return nil, no
	}
	if !done {
		return shown{State: StateNoKey}, nil
	}
	s := p.cfg.Standing()
	out := shown{State: s.State, Reason: s.Reason, Code: s.PairingCode, Approve: s.ApproveURL}
	if code, err := qrcode.New(s.ApproveURL); err == nil && s.ApproveURL != "" {
		out.QR, out.QRSize = code.Path(), code.Size()
	}
	return out, nil
}
