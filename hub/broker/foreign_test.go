package broker_test

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/eclipse/paho.mqtt.golang/packets"

	"github.com/farshore/farshore/internal/doorway"
	"github.com/farshore/farshore/protocol"
)

const soon = 10 * time.Second

func wait[T any](t *testing.T, what string, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(soon):
		t.Fatalf("%s did not happen", what)
		panic("unreachable")
	}
}

func TestDeviceIsServed(t *testing.T) {
	h := start(t, doorway.Config{})
	d := h.enrol(t)
	cl := h.enter(t, d, nil)
	down := make(chan []byte, 10)
	if tok := cl.Subscribe(protocol.DownTopic(d.id), 0, func(_ paho.Client, m paho.Message) { down <- m.Payload() }); !tok.WaitTimeout(soon) || tok.Error() != nil {
		t.Fatal("subscribe:", tok.Error())
	}
	for _, qos := range []byte{0, 1} {
		if tok := cl.Publish(protocol.UpTopic(d.id), qos, false, d.hello(t)); !tok.WaitTimeout(soon) || tok.Error() != nil {
			t.Fatal("publish:", tok.Error())
		}
	}
	f, err := protocol.NewCodec().Decode(wait(t, "welcome", down))
	if err != nil || f.Session != 1 || f.Ack != 1 || len(f.Messages) == 0 || f.Messages[0].Kind != protocol.KindWelcome {
		t.Fatalf("got %+v, %v", f, err)
	}
	cl.Publish(protocol.UpTopic(d.id), 0, false, frame(t, 2, protocol.KindEvent, "hi"))
	wait(t, "event", h.arrived)
	if c, ok := h.Online(d.id); !ok || c != protocol.CarrierMQTT {
		t.Errorf("online %v by %q", ok, c)
	}
	waitFor(t, "its bytes are counted while it is connected", func() bool { return h.Spent(d.id)[protocol.ClassResults].Up > 0 })
	results := h.Spent(d.id)[protocol.ClassResults].Up
	cl.Disconnect(100)
	waitFor(t, "the device is gone", func() bool { return h.Connected() == 0 })
	waitFor(t, "the closing is counted", func() bool { return h.Spent(d.id)[protocol.ClassSession].Up > 0 })
	spent := h.Spent(d.id)
	if spent[protocol.ClassResults].Up != results {
		t.Errorf("the event cost %d bytes, and %d after the end", results, spent[protocol.ClassResults].Up)
	}
	if total := spent.Total(); total.Up < 800 || total.Up > 5000 || total.Down < 800 || total.Down > 5000 {
		t.Errorf("a short connection was counted as %+v", total)
	}
}

// waitFor waits for a condition that another goroutine brings about.
func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(soon); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within %s", what, soon)
		}
	}
}

func TestWhoMayNotConnect(t *testing.T) {
	h := start(t, doorway.Config{})
	a, b := h.enrol(t), h.enrol(t)
	stranger := h.enrol(t)
	revoked := h.enrol(t)
	h.mu.Lock()
	delete(h.keys, stranger.id)
	h.revoked[revoked.id] = true
	h.mu.Unlock()

	elsewhere := h.dialTLS(t)
	replayed := sign(t, elsewhere, a)
	cases := map[string]struct {
		as   device
		edit func(o *paho.ClientOptions, own string)
		want error
	}{
		"with another device's key": {as: device{id: b.id, key: a.key, boot: a.boot}, want: packets.ErrorRefusedBadUsernameOrPassword},
		"with no key":               {as: a, edit: func(o *paho.ClientOptions, _ string) { o.SetPassword("") }, want: packets.ErrorRefusedBadUsernameOrPassword},
		"with no user name":         {as: a, edit: func(o *paho.ClientOptions, _ string) { o.SetUsername("").SetPassword("") }, want: packets.ErrorRefusedNotAuthorised},
		"with a replayed password":  {as: a, edit: func(o *paho.ClientOptions, _ string) { o.SetPassword(replayed) }, want: packets.ErrorRefusedBadUsernameOrPassword},
		"with another boot than was signed": {as: a, edit: func(o *paho.ClientOptions, _ string) {
			o.SetUsername(protocol.Boot{ID: [8]byte{9}, Counter: 9}.String())
		}, want: packets.ErrorRefusedBadUsernameOrPassword},
		"unknown":                {as: stranger, want: packets.ErrorRefusedNotAuthorised},
		"revoked":                {as: revoked, want: packets.ErrorRefusedNotAuthorised},
		"with a made-up id":      {as: a, edit: func(o *paho.ClientOptions, _ string) { o.SetClientID("inline") }, want: packets.ErrorRefusedNotAuthorised},
		"with no id":             {as: a, edit: func(o *paho.ClientOptions, _ string) { o.SetClientID("") }, want: packets.ErrorRefusedNotAuthorised},
		"with a Will":            {as: a, edit: func(o *paho.ClientOptions, _ string) { o.SetWill(protocol.UpTopic(b.id), "x", 0, false) }, want: packets.ErrorRefusedNotAuthorised},
		"with a Will to itself":  {as: a, edit: func(o *paho.ClientOptions, _ string) { o.SetWill(protocol.UpTopic(a.id), "x", 1, true) }, want: packets.ErrorRefusedNotAuthorised},
		"with a keep-alive of 0": {as: a, edit: func(o *paho.ClientOptions, _ string) { o.SetKeepAlive(0) }, want: packets.ErrorRefusedNotAuthorised},
		"with MQTT 3.1":          {as: a, edit: func(o *paho.ClientOptions, _ string) { o.SetProtocolVersion(3) }, want: packets.ErrorRefusedBadProtocolVersion},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			conn := h.dialTLS(t)
			own := sign(t, conn, c.as)
			o := foreign(conn, c.as, own)
			if c.edit != nil {
				c.edit(o, own)
			}
			if _, err := connect(t, o); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
	if h.Connected() != 0 {
		t.Errorf("%d are connected", h.Connected())
	}
	waitFor(t, "the door is empty", func() bool { return h.door.Strangers() == 1 }) // elsewhere never said anything
}

func TestMQTT5IsRefused(t *testing.T) {
	h := start(t, doorway.Config{})
	c := h.dialTLS(t)
	if _, err := c.Write([]byte("\x10\x0f\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x02ab")); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(io.LimitReader(c, 4))
	if err != nil || !bytes.Equal(got, []byte{0x20, 2, 0, 1}) {
		t.Errorf("got % x, %v: want a CONNACK that refuses the version", got, err)
	}
}

func TestForeignClientReachesNobodyElse(t *testing.T) {
	h := start(t, doorway.Config{})
	a, b := h.enrol(t), h.enrol(t)
	victim := h.enter(t, b, nil)
	victimDown := make(chan []byte, 10)
	victim.Subscribe(protocol.DownTopic(b.id), 0, func(_ paho.Client, m paho.Message) { victimDown <- m.Payload() }).WaitTimeout(soon)

	t.Run("reading", func(t *testing.T) {
		seen := make(chan string, 10)
		cl := h.enter(t, a, func(o *paho.ClientOptions) {
			o.SetDefaultPublishHandler(func(_ paho.Client, m paho.Message) { seen <- m.Topic() })
		})
		for _, filter := range []string{"#", "+/+", "d/+", "d/#", protocol.DownTopic(b.id), protocol.UpTopic(b.id), protocol.UpTopic(a.id), "$SYS/#", "$share/g/" + protocol.DownTopic(b.id)} {
			tok := cl.Subscribe(filter, 1, nil)
			if !tok.WaitTimeout(soon) {
				t.Fatalf("%s: no answer", filter)
			}
			st := tok.(*paho.SubscribeToken)
			for _, code := range st.Result() {
				if code != 0x80 {
					t.Errorf("%s: granted with %d", filter, code)
				}
			}
			if tok.Error() == nil && len(st.Result()) == 0 {
				t.Errorf("%s: not refused", filter)
			}
		}
		// The hub talks to the victim; the other one must hear none of it.
		victim.Publish(protocol.UpTopic(b.id), 0, false, b.hello(t))
		wait(t, "welcome to the victim", victimDown)
		if tok := cl.Subscribe(protocol.DownTopic(a.id), 0, nil); !tok.WaitTimeout(soon) || tok.Error() != nil { // a round trip later
			t.Fatal(tok.Error())
		}
		select {
		case topic := <-seen:
			t.Errorf("read %s", topic)
		default:
		}
		cl.Disconnect(0)
	})

	writes := map[string]func(paho.Client){
		"to another's up topic": func(c paho.Client) {
			c.Publish(protocol.UpTopic(b.id), 0, false, frame(t, 2, protocol.KindEvent, "forged"))
		},
		"to another's up topic, QoS 1": func(c paho.Client) {
			c.Publish(protocol.UpTopic(b.id), 1, false, frame(t, 2, protocol.KindEvent, "forged"))
		},
		"to another's down topic":    func(c paho.Client) { c.Publish(protocol.DownTopic(b.id), 0, false, "forged") },
		"to its own down topic":      func(c paho.Client) { c.Publish(protocol.DownTopic(a.id), 0, false, "forged") },
		"retained, to another":       func(c paho.Client) { c.Publish(protocol.DownTopic(b.id), 1, true, "forged") },
		"retained, to itself":        func(c paho.Client) { c.Publish(protocol.UpTopic(a.id), 0, true, "forged") },
		"QoS 2":                      func(c paho.Client) { c.Publish(protocol.UpTopic(a.id), 2, false, "forged") },
		"to $SYS":                    func(c paho.Client) { c.Publish("$SYS/broker", 0, false, "forged") },
		"larger than a frame can be": func(c paho.Client) { c.Publish(protocol.UpTopic(a.id), 0, false, make([]byte, protocol.MaxFrame+100)) },
	}
	for name, write := range writes {
		t.Run("writing "+name, func(t *testing.T) {
			gone := make(chan error, 1)
			cl := h.enter(t, a, func(o *paho.ClientOptions) {
				o.SetConnectionLostHandler(func(_ paho.Client, err error) { gone <- err })
			})
			write(cl)
			wait(t, "the end of the connection", gone)
		})
	}
	if got := h.heard(b.id); got != "" {
		t.Errorf("the hub took %q for the victim's word", got)
	}
	select {
	case m := <-victimDown:
		t.Errorf("the victim was sent %q", m)
	default:
	}
	if !victim.IsConnectionOpen() {
		t.Error("the victim lost its connection")
	}
	// Nothing was retained for whoever comes next.
	next := make(chan []byte, 10)
	again := h.enter(t, a, nil)
	again.Subscribe(protocol.DownTopic(a.id), 0, func(_ paho.Client, m paho.Message) { next <- m.Payload() }).WaitTimeout(soon)
	again.Publish(protocol.UpTopic(a.id), 0, false, a.hello(t))
	if f, err := protocol.NewCodec().Decode(wait(t, "welcome", next)); err != nil || !slices.ContainsFunc(f.Messages, func(m protocol.Message) bool { return m.Kind == protocol.KindWelcome }) {
		t.Errorf("the first thing it got was %v, %v", f, err)
	}
}

func TestSecondConnectionOfTheSameRunReplacesTheFirst(t *testing.T) {
	h := start(t, doorway.Config{})
	d := h.enrol(t)
	gone := make(chan error, 1)
	h.enter(t, d, func(o *paho.ClientOptions) {
		o.SetConnectionLostHandler(func(_ paho.Client, err error) { gone <- err })
	})
	second := h.enter(t, d, nil)
	wait(t, "the end of the first connection", gone)
	if !second.IsConnectionOpen() || h.Connected() != 1 {
		t.Errorf("%d connected", h.Connected())
	}
}

func TestRevokingEndsTheConnectionAtOnce(t *testing.T) {
	h := start(t, doorway.Config{})
	d := h.enrol(t)
	gone := make(chan error, 1)
	told := make(chan []byte, 1)
	cl := h.enter(t, d, func(o *paho.ClientOptions) {
		o.SetConnectionLostHandler(func(_ paho.Client, err error) { gone <- err })
	})
	cl.Subscribe(protocol.DownTopic(d.id), 0, func(_ paho.Client, m paho.Message) { told <- m.Payload() }).WaitTimeout(soon)
	h.mu.Lock()
	h.revoked[d.id] = true
	h.mu.Unlock()
	h.Kick(d.id, &protocol.Error{Code: protocol.CodeRevoked, Text: "revoked"})
	f, err := protocol.NewCodec().Decode(wait(t, "the reason", told))
	if err != nil || len(f.Messages) != 1 || f.Messages[0].Kind != protocol.KindError {
		t.Errorf("told %v, %v", f, err)
	}
	wait(t, "the end of the connection", gone)
}
