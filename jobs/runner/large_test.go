//go:build !race

package runner_test

import "testing"

// A thousand devices live through a year; see TestYear.
func TestLargeYear(t *testing.T) { year(t, 1000) }
