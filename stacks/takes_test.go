package stacks

import (
	"testing"

	"github.com/farshore/farshore/protocol"
)

func TestTakesClashWhereOnlyOneCanHaveThem(t *testing.T) {
	port := func(address string, first, last uint16, protocol string) Take {
		return Take{Service: "web", Address: address, Port: first, Last: last, Protocol: protocol}
	}
	for _, c := range []struct {
		a, b Take
		says string // "": they do not clash
	}{
		{port("", 8080, 0, "tcp"), port("", 8080, 0, "tcp"), "host port 8080/tcp"},
		{port("", 8080, 0, "tcp"), port("", 8080, 0, "udp"), ""},
		{port("", 8080, 0, "tcp"), port("", 8081, 0, "tcp"), ""},
		{port("", 8080, 0, "tcp"), port("127.0.0.1", 8080, 0, "tcp"), "host port 127.0.0.1:8080/tcp"},
		{port("127.0.0.1", 8080, 0, "tcp"), port("0.0.0.0", 8080, 0, "tcp"), "host port 127.0.0.1:8080/tcp"},
		{port("::", 8080, 0, "tcp"), port("0.0.0.0", 8080, 0, "tcp"), "host port 8080/tcp"},
		{port("::1", 53, 0, "udp"), port("::", 53, 0, "udp"), "host port [::1]:53/udp"},
		{port("127.0.0.1", 8080, 0, "tcp"), port("192.168.1.2", 8080, 0, "tcp"), ""},
		{port("", 8000, 8010, "tcp"), port("", 8005, 8020, "tcp"), "host ports 8005-8010/tcp"},
		{port("", 8000, 8010, "tcp"), port("", 8010, 0, "tcp"), "host port 8010/tcp"},
		{port("", 8000, 8010, "tcp"), port("", 8011, 8012, "tcp"), ""},
		{Take{Container: "db"}, Take{Container: "db"}, "container name db"},
		{Take{Container: "db"}, Take{Container: "DB"}, ""},
		{Take{Container: "db"}, port("", 80, 0, "tcp"), ""},
	} {
		for _, pair := range [][2]Take{{c.a, c.b}, {c.b, c.a}} {
			others := []Take{{Container: "other"}, port("10.0.0.1", 1, 0, "tcp")}
			got, clash := Clash(append(others[:1:1], pair[0]), append(others[1:2:2], pair[1]))
			if clash != (c.says != "") || clash && got.String() != c.says {
				t.Errorf("%v and %v: %t %v, want %q", pair[0], pair[1], clash, got, c.says)
			}
		}
	}
	if _, clash := Clash(nil, nil); clash {
		t.Error("nothing clashes with nothing")
	}
}

// Takes are stored with versions: their numbers are never changed.
func TestTakesAreStoredByNumber(t *testing.T) {
	b, err := protocol.Marshal(Take{Service: "a", Container: "b", Port: 1, Last: 2, Protocol: "tcp", Address: "::"})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(b), "\xa6\x01aa\x02ab\x03\x01\x04\x02\x05ctcp\x06b::"; got != want {
		t.Errorf("stored as %q, want %q", got, want)
	}
}
