//go:build soak

package composer

import "testing"

func TestSoakCorpusRuns(t *testing.T) { runCorpus(t, "long") }
