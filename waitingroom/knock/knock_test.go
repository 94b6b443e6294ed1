package knock_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/waitingroom"
	"github.com/farshore/farshore/waitingroom/knock"
)

// door is a hub that answers by a function and notes when it was knocked at.
type door struct {
	t      *testing.T
	start  time.Time
	answer func(n int, k protocol.Knock) (protocol.KnockAnswer, error)

	mu     sync.Mutex
	at     []time.Duration
	closed int
}

func (d *door) Knock(ctx context.Context, build func([]byte) ([]byte, error)) (protocol.KnockAnswer, error) {
	exporter := make([]byte, 32)
	raw, err := build(exporter)
	if err != nil {
		d.t.Error(err)
	}
	var signed protocol.SignedKnock
	var k protocol.Knock
	if err := errors.Join(protocol.Unmarshal(raw, &signed), protocol.Unmarshal(signed.Knock, &k)); err != nil {
		d.t.Error(err)
	}
	if err := protocol.VerifyConnection(k.Key, protocol.ConnectionSignature{
		Purpose: protocol.PurposeKnock, Detail: string(signed.Knock), Exporter: exporter, Sig: signed.Sig,
	}); err != nil {
		d.t.Error(err)
	}
	if !waitingroom.VerifyProof(k.Proof, edgeKey.Secret, exporter, k.Key) || k.EnrolmentKey != edgeKey.KeyID {
		d.t.Error("the knock does not prove its enrolment key")
	}
	d.mu.Lock()
	n := len(d.at)
	d.at = append(d.at, time.Since(d.start))
	d.mu.Unlock()
	a, err := d.answer(n, k)
	if err == nil && a.State == protocol.KnockWaiting && k.Hold { // as a hub does
		select {
		case <-time.After(50 * time.Second):
		case <-ctx.Done():
			return a, ctx.Err()
		}
	}
	return a, err
}

func (d *door) Close() error {
	d.mu.Lock()
	d.closed++
	d.mu.Unlock()
	return nil
}

func (d *door) count(from, to time.Duration) (n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, at := range d.at {
		if at >= from && at < to {
			n++
		}
	}
	return n
}

var edgeKey = waitingroom.EdgeKey{KeyID: "k1", Secret: []byte("0123456789abcdef"), Name: "crane"}

func newKnocker(d *door, log *bytes.Buffer) *knock.Knocker {
	d.start = time.Now()
	return knock.New(knock.Config{
		Key: ed25519.NewKeyFromSeed(make([]byte, 32)), EdgeKey: edgeKey, Hub: d,
		Facts: func() protocol.Facts { return protocol.Facts{Hostname: "gw"} },
		Log:   slog.New(slog.NewTextHandler(log, nil)),
	})
}

func TestWaitsAttentivelyThenRarely(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &door{t: t, answer: func(_ int, k protocol.Knock) (protocol.KnockAnswer, error) {
			if k.Facts.Hostname != "gw" || k.Facts.Name != "crane" {
				t.Errorf("facts %+v", k.Facts)
			}
			a := protocol.KnockAnswer{State: protocol.KnockWaiting}
			if k.Hold {
				a.RetryAfter = 1
			}
			return a, nil
		}}
		var log bytes.Buffer
		k := newKnocker(d, &log)
		ctx, cancel := context.WithCancel(t.Context())
		ran := make(chan error)
		go func() { ran <- k.Run(ctx) }()
		synctest.Wait()
		if s := k.Status(); s.State != knock.StateWaiting || !strings.Contains(log.String(), s.PairingCode) {
			t.Errorf("at once after the first knock: status %+v, log:\n%s", s, log.String())
		}
		time.Sleep(25 * time.Hour)
		if n := d.count(0, time.Hour); n < 17 || n > 20 {
			t.Errorf("%d knocks in the first hour, want one per 50 s for a quarter of an hour", n)
		}
		if n := d.count(time.Hour, 25*time.Hour); n < 7 || n > 9 {
			t.Errorf("%d knocks in the day after, want 8", n)
		}
		if d.closed < 8 {
			t.Errorf("connection was closed %d times; it must not be kept between rare knocks", d.closed)
		}
		if s := k.Status(); s.State != knock.StateWaiting || s.PairingCode == "" || s.Next.Before(time.Now()) {
			t.Errorf("status %+v", s)
		}
		before := d.count(0, 100*time.Hour)
		k.Now()
		time.Sleep(5 * time.Minute)
		if n := d.count(0, 100*time.Hour) - before; n < 5 {
			t.Errorf("%d knocks in the five minutes after it was told to knock, want 6", n)
		}
		cancel()
		if err := <-ran; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if n := strings.Count(log.String(), "\n"); n != 1 {
			t.Errorf("%d lines of log, want 1:\n%s", n, log.String())
		}
	})
}

func TestFaultsOfTheHubChangeNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &door{t: t, answer: func(n int, _ protocol.Knock) (protocol.KnockAnswer, error) {
			if n < 200 {
				return protocol.KnockAnswer{}, errors.New("the proxy answered 502 Bad Gateway")
			}
			return protocol.KnockAnswer{State: protocol.KnockApproved}, nil
		}}
		var log bytes.Buffer
		k := newKnocker(d, &log)
		ran := make(chan error)
		go func() { ran <- k.Run(t.Context()) }()
		time.Sleep(time.Minute)
		synctest.Wait()
		if s := k.Status(); s.State != knock.StateUnreachable || !strings.Contains(s.Reason, "502") || s.PairingCode == "" {
			t.Errorf("status %+v", s)
		}
		if n := d.count(0, time.Minute); n < 4 {
			t.Errorf("%d knocks in the first minute of failures", n)
		}
		if err := <-ran; err != nil {
			t.Error(err)
		}
		took := time.Since(d.start)
		if took < 8*time.Hour || took > 30*time.Hour {
			t.Errorf("200 failures took %v, want about 5 min each", took)
		}
		for i := 1; i < len(d.at); i++ {
			if d.at[i]-d.at[i-1] > 10*time.Minute+time.Second {
				t.Errorf("waited %v", d.at[i]-d.at[i-1])
			}
		}
		if k.Status().State != knock.StateApproved || strings.Count(log.String(), "\n") != 2 {
			t.Errorf("status %+v, log:\n%s", k.Status(), log.String())
		}
	})
}

func TestRefusalsSayWhyAndAreTriedAgainSlowly(t *testing.T) {
	for name, a := range map[string]protocol.KnockAnswer{
		"refused":  {State: protocol.KnockRefused, Code: protocol.CodeKeyUsed, Text: "no uses left", RetryAfter: 1},
		"rejected": {State: protocol.KnockRejected, Code: protocol.CodeRejected, Text: "an operator rejected this device"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &door{t: t, answer: func(int, protocol.Knock) (protocol.KnockAnswer, error) { return a, nil }}
				var log bytes.Buffer
				k := newKnocker(d, &log)
				ctx, cancel := context.WithCancel(t.Context())
				ran := make(chan error)
				go func() { ran <- k.Run(ctx) }()
				time.Sleep(24 * time.Hour)
				if n := d.count(0, 24*time.Hour); n < 7 || n > 10 {
					t.Errorf("%d knocks a day, want 8", n)
				}
				if s := k.Status(); string(s.State) != name || !strings.Contains(s.Reason, a.Text) {
					t.Errorf("status %+v", s)
				}
				if strings.Count(log.String(), a.Text) != 1 {
					t.Errorf("want one line that says why:\n%s", log.String())
				}
				cancel()
				<-ran
			})
		})
	}
}

func TestMachineFacts(t *testing.T) {
	root := t.TempDir()
	for path, content := range map[string]string{
		"etc/hostname":                     "gw-oslo\n",
		"etc/machine-id":                   "0123456789abcdef0123456789abcdef\n",
		"etc/os-release":                   "NAME=x\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n",
		"proc/device-tree/serial-number":   "10000000deadbeef\x00",
		"sys/class/dmi/id/product_serial":  "Default string\n",
		"sys/class/dmi/id/chassis_serial":  "CH-1\n",
		"sys/class/dmi/id/not-looked-into": "x",
	} {
		p := filepath.Join(root, path)
		if err := errors.Join(os.MkdirAll(filepath.Dir(p), 0o755), os.WriteFile(p, []byte(content), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	f := knock.MachineFacts(root)
	if f.Hostname != "gw-oslo" || f.OS != "Debian GNU/Linux 12 (bookworm)" || f.Serial != "10000000deadbeef" ||
		len(f.MachineID) != 32 || strings.Contains(f.MachineID, "0123456789abcdef") || f.Arch == "" || f.Capability != protocol.Capability {
		t.Errorf("%+v", f)
	}
	if err := os.Remove(filepath.Join(root, "proc/device-tree/serial-number")); err != nil {
		t.Fatal(err)
	}
	if f := knock.MachineFacts(root); f.Serial != "CH-1" {
		t.Errorf("serial %q, want the one that is no placeholder", f.Serial)
	}
	if f := knock.MachineFacts(t.TempDir()); f.MachineID != "" || f.Serial != "" {
		t.Errorf("an empty machine has %+v", f)
	}
}
