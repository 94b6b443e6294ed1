package snapshot

import (
	"reflect"
	"strings"
	"testing"

	"github.com/farshore/farshore/protocol"
)

// TestComposeNamesAreLeftOut checks that what follows from project and service is not in the encoding, that all of it
// comes back, and that names which only look so are left alone.
func TestComposeNamesAreLeftOut(t *testing.T) {
	in := protocol.Snapshot{
		Containers: []protocol.Container{
			{Name: "by-hand-1", Created: 50, Started: 50, Networks: []protocol.Endpoint{{Network: "bridge", IP: "172.17.0.2"}}},
			{
				Name: "line-plc-1", Project: "line", Service: "plc", Created: 100, Started: 161,
				Networks: []protocol.Endpoint{{Network: "line_", IP: "10.1.2.3"}, {Network: "line_back", IP: "10.1.2.3"}, {Network: "line_default", IP: "172.18.0.2"}, {Network: "other"}},
				Mounts:   []protocol.Mount{{Source: "line_data", Target: "/a"}, {Source: "liner", Target: "/b"}, {Type: "bind", Source: "line_x", Target: "/c"}},
			},
			{Name: "line-plc-2", Project: "line", Service: "plc", Created: 100, Networks: []protocol.Endpoint{{Network: "line_default", IP: "192.168.0.2"}}},
			{Name: "line-plc-run-5f", Project: "line", Service: "plc"},
			{Name: "line_default", Project: "line", Service: "", Created: 100, Started: 90},
			{Name: "my-plc", Project: "line", Service: "plc"},
		},
		Volumes:  []protocol.Volume{{Name: "line_data", Project: "line"}, {Name: "line_other"}},
		Networks: []protocol.Network{{Name: "line_back", Project: "line", Subnets: []string{"10.0.0.0/8"}}, {Name: "line_default", Project: "line", Subnets: []string{"172.18.0.0/16"}}},
	}
	b, _ := Canonical(in)
	got, err := Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, in) {
		t.Errorf("got  %+v\nwant %+v", got, in)
	}
	for _, gone := range []string{"line-plc", "line_data", "line_back", "172.18.0.2"} {
		if strings.Contains(string(b), gone) {
			t.Errorf("%q is in the encoding", gone)
		}
	}
}
