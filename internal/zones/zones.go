// Package zones reads the time zone of a device from its labels.
//
// It knows no device, keeps nothing, and is safe for concurrent use.
package zones

import (
	"strings"
	"time"
)

// Label is the one by which people say in which time zone a device is. Values of labels have no "/", so it has a "."
// in its place: Europe.Oslo.
const Label = "timezone"

// Of gives the time zone of a device with these labels; UTC where they name none that is known here. What a label says
// is not held to names of zones.
func Of(labels map[string]string) string {
	own := strings.ReplaceAll(labels[Label], ".", "/")
	if _, err := time.LoadLocation(own); err != nil || own == "" || own == "Local" {
		return "UTC"
	}
	return own
}
