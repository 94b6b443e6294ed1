package gitsource

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"io"
	"net/http"
	"strings"
	"time"
)

// HookPath is where webhooks are, below the hub's address; what follows is Source.Hook.
const HookPath = "/hooks/git/"

// Bounds of webhooks.
const (
	maxHookBody = 25 << 20 // as much as the largest sender sends; it is not kept
	hookTimeout = 30 * time.Second
	hookBurst   = 10
	hookEvery   = 6 * time.Second
	// hookPause is the least time between two looks that webhooks ask for.
	hookPause = 10 * time.Second
)

// bucket counts what a webhook may still be asked.
type bucket struct {
	left int
	at   time.Time
}

func (b *bucket) take(now time.Time) bool {
	if b.at.IsZero() {
		b.left, b.at = hookBurst, now
	}
	if n := int(min(now.Sub(b.at)/hookEvery, hookBurst)); n > 0 {
		b.left, b.at = min(b.left+n, hookBurst), now
	}
	if b.left == 0 {
		return false
	}
	b.left--
	return true
}

// ServeHTTP is asked by servers that have something new. What they say is not read, only whether they know the secret:
// GitHub and those like it sign the body with it (X-Hub-Signature-256), GitLab sends it (X-Gitlab-Token). Then the
// repository is looked at soon.
func (d *Desk) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	hook, below := strings.CutPrefix(r.URL.Path, HookPath)
	d.mu.Lock()
	e := d.hooks[hook]
	if !below || hook == "" || e == nil || r.Method != http.MethodPost {
		d.mu.Unlock()
		http.Error(w, "there is nothing here", http.StatusNotFound)
		return
	}
	allowed, src := e.bucket.take(time.Now()), e.src
	d.mu.Unlock()
	if !allowed {
		w.Header().Set("Retry-After", "60")
		http.Error(w, "too many requests", http.StatusTooManyRequests)
		return
	}
	// A test recorder has no deadlines.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(hookTimeout))
	switch secrets, err := d.open(&src); {
	case err != nil:
		d.cfg.Log.Error("a webhook cannot be judged", "stack", src.Stack, "error", err)
		http.Error(w, "the hub cannot open the secret of this webhook", http.StatusInternalServerError)
	case !genuine(r, []byte(secrets.HookSecret)):
		http.Error(w, "not signed with the secret of this webhook", http.StatusUnauthorized)
	default:
		d.asked(e)
		w.WriteHeader(http.StatusAccepted)
	}
}

// genuine reports whether a request comes of somebody who knows the secret.
func genuine(r *http.Request, secret []byte) bool {
	if len(secret) == 0 {
		return false
	}
	if r.Header.Get("X-Hub-Signature-256") == "" {
		// Hashes are compared, so that the time does not tell the length.
		said, is := sha256.Sum256([]byte(r.Header.Get("X-Gitlab-Token"))), sha256.Sum256(secret)
		return subtle.ConstantTimeCompare(said[:], is[:]) == 1
	}
	said, found := strings.CutPrefix(r.Header.Get("X-Hub-Signature-256"), "sha256=")
	sum, err := hex.DecodeString(said)
	if !found || err != nil {
		return false
	}
	mac := hmac.New(sha256.New, secret)
	n, err := io.Copy(mac, io.LimitReader(r.Body, maxHookBody+1))
	return err == nil && n <= maxHookBody && hmac.Equal(mac.Sum(nil), sum)
}

// asked has a source looked at soon, and not more often than hookPause.
func (d *Desk) asked(e *entry) {
	d.mu.Lock()
	due := time.Now()
	if next := e.looked.Add(hookPause); next.After(due) {
		due = next
	}
	if e.due.IsZero() || due.Before(e.due) {
		e.due = due
	}
	d.mu.Unlock()
	d.hurry()
}
