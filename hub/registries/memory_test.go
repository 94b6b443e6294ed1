package registries

import (
	"runtime"
	"strings"
	"testing"
)

// A list of nothing is small as it travels and would be large in memory, and many are read at once.
func TestADocumentTakesLittleMoreMemoryThanBytes(t *testing.T) {
	for _, list := range []string{"manifests", "layers"} {
		doc := []byte(`{"schemaVersion":2,"` + list + `":[` + strings.Repeat("{},", 1<<20) + `{}]}`)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := parseDocument(doc)
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; err == nil || n > 1<<20 {
			t.Errorf("%d bytes of %s take %d bytes of memory: %v", len(doc), list, n, err)
		}
	}
}
