package access

import (
	"strconv"
	"strings"
	"testing"
)

func TestPasswordsAreHashedAtFullCost(t *testing.T) {
	h := newHasher()
	stored, err := h.hash("correct horse battery")
	if err != nil || !strings.HasPrefix(stored, "$argon2id$v=19$m=47104,t=2,p=1$") {
		t.Fatalf("%q, %v", stored, err)
	}
	if again, _ := h.hash("correct horse battery"); again == stored {
		t.Error("no salt")
	}
	for password, want := range map[string]bool{"correct horse battery": true, "correct horse batterx": false, "": false} {
		if got, err := h.verify(stored, password); err != nil || got != want {
			t.Errorf("%q: %v, %v", password, got, err)
		}
	}
	if got, err := h.verify(h.decoy(), ""); err != nil || got {
		t.Errorf("the decoy: %v, %v", got, err)
	}
	for _, bad := range []string{"", "$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHQ$", "$argon2id$v=19$m=64,t=0,p=1$c2FsdA$c2FsdA", "plain"} {
		if ok, err := h.verify(bad, ""); ok || err == nil {
			t.Errorf("stored as %q: %v, %v", bad, ok, err)
		}
	}
}

func TestAddressesCountByNetwork(t *testing.T) {
	for a, b := range map[string]string{
		"192.0.2.7:1":          "192.0.2.7",
		"[::ffff:1.2.3.4]:9":   "1.2.3.4",
		"[2001:db8::1%eth0]:1": "2001:db8::ffff",
		"nonsense":             "other nonsense",
	} {
		if network(a) != network(b) {
			t.Errorf("%s is %s, %s is %s", a, network(a), b, network(b))
		}
	}
	if network("2001:db8::1") == network("2001:db8:0:1::1") || network("192.0.2.7") == network("192.0.2.8") {
		t.Error("different networks count as one")
	}
}

func TestDelaysAreBounded(t *testing.T) {
	d := newDelays()
	for i := range maxRemembered + 100 {
		if _, err := d.begin("x", string(rune('a'+i%26))+".example", false); err == nil && i > 1000 && i < maxRemembered/2-100 {
			t.Fatal("addresses that cannot be read must count as one")
		}
		_, _ = d.begin("x", "10."+strconv.Itoa(i>>16)+"."+strconv.Itoa(i>>8&255)+"."+strconv.Itoa(i&255), false)
	}
	if len(d.count) > maxRemembered {
		t.Errorf("%d remembered, at most %d", len(d.count), maxRemembered)
	}
}
