//go:build bench && linux

package benchwire

import (
	"testing"

	"github.com/farshore/farshore/internal/wirelab"
)

// lab is a device's side and a hub's side with a wire between them.
type lab struct {
	*wirelab.Lab
	counted int // place up to which connections were counted
}

func newLab(t *testing.T) *lab { return &lab{Lab: wirelab.New(t)} }

// frames returns the sizes of the frames in MQTT PUBLISH packets of quality of service 0, taken from the sizes of the
// TLS records, each of which holds one packet. Records as small as a ping are none.
func frames(tr wirelab.Traffic) (up, down []int) {
	for _, p := range tr {
		for _, n := range p.Records {
			if n <= mqttPing {
				continue
			}
			f := n - publishOverhead
			if n-2 >= 128 { // the remaining length takes a second byte
				f--
			}
			if p.Up {
				up = append(up, f)
			} else {
				down = append(down, f)
			}
		}
	}
	return up, down
}

const (
	// mqttPing is the size of PINGREQ and PINGRESP.
	mqttPing = 2
	// publishOverhead is the fixed header, the length of the topic, and the topic ("u/" and the id of 16 characters).
	publishOverhead = 2 + 2 + 18
)

func sum(numbers []int) (n int) {
	for _, x := range numbers {
		n += x
	}
	return n
}
