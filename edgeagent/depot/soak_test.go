//go:build soak

package depot_test

import "testing"

// 200 MB, as an image of the field.
func TestSoakALargeImageOverTenOpenings(t *testing.T) { overTenOpenings(t, 200<<20) }
