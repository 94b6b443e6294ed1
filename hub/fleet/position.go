package fleet

import (
	"fmt"
	"strconv"
	"strings"
)

// The labels of a position, in decimal degrees. They are the only ones below FactPrefix that people give. Their values
// may begin with a minus, which those of other labels may not; selectors can ask only whether they are there.
const (
	LabelLat = FactPrefix + "lat" // -90 to 90, north is positive
	LabelLon = FactPrefix + "lon" // -180 to 180, east is positive
)

// PositionOf gives the position that labels tell, in degrees. ok is false where one of the two is missing or wrong.
func PositionOf(labels map[string]string) (lat, lon float64, ok bool) {
	if lat, ok = degrees(labels[LabelLat], maxDegrees(LabelLat)); !ok {
		return 0, 0, false
	}
	if lon, ok = degrees(labels[LabelLon], maxDegrees(LabelLon)); !ok {
		return 0, 0, false
	}
	return lat, lon, true
}

// maxDegrees is how far from 0 the value of a label may be. 0: it is not of a position.
func maxDegrees(key string) float64 {
	switch key {
	case LabelLat:
		return 90
	case LabelLon:
		return 180
	}
	return 0
}

// degrees reads digits with at most one point between them, and a minus before them.
func degrees(s string, most float64) (float64, bool) {
	digits := strings.TrimPrefix(s, "-")
	whole, fraction, point := strings.Cut(digits, ".")
	if len(s) > 24 || whole == "" || point && fraction == "" || strings.Trim(whole+fraction, "0123456789") != "" {
		return 0, false
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || v < -most || v > most {
		return 0, false
	}
	return v + 0, true // no negative zero
}

func wantDegrees(key string) string {
	if key == LabelLat {
		return fmt.Sprintf("want degrees with a point, from -%[1]g (south) to %[1]g (north), such as 59.9139", maxDegrees(key))
	}
	return fmt.Sprintf("want degrees with a point, from -%[1]g (west) to %[1]g (east), such as -70.6483", maxDegrees(key))
}
