package depot_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/farshore/farshore/stacks/composer/ipc"
)

// Whatever a registry says of itself, it fills neither memory nor disk, and sends the engine nowhere.
func TestHostileRegistries(t *testing.T) {
	r := newRig(t)
	small := newLayer(t, "x", 10<<10)
	putBlob(t, r.registry.Addr, "app", small.packed)
	config := marshal(t, map[string]any{"architecture": machine(t), "os": "linux", "rootfs": map[string]any{"type": "layers", "diff_ids": []string{small.diff}}})
	putBlob(t, r.registry.Addr, "app", config)
	const kind = "application/vnd.docker.distribution.manifest.v2+json"
	manifest := func(layer map[string]any) []byte {
		for k, v := range map[string]any{"mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip", "digest": digestOf(small.packed), "size": len(small.packed)} {
			if layer[k] == nil {
				layer[k] = v
			}
		}
		return marshal(t, map[string]any{
			"schemaVersion": 2, "mediaType": kind, "layers": []any{layer},
			"config": map[string]any{"mediaType": "application/vnd.docker.container.image.v1+json", "digest": digestOf(config), "size": len(config)},
		})
	}
	var many []any
	for range 600 {
		many = append(many, map[string]any{"digest": digestOf(small.packed), "size": 1})
	}
	for name, c := range map[string]struct {
		manifest []byte
		code     string
		says     string
	}{
		"huge manifest": {make([]byte, 5<<20), ipc.CodeImageUnavailable, "more than 4194304 bytes"},
		"no manifest":   {[]byte("<html>please sign in</html>"), ipc.CodeImageUnavailable, "cannot be read"},
		"a list of nothing, of which memory would be full": {
			[]byte(`{"schemaVersion":2,"manifests":[` + strings.Repeat("{},", 1<<20) + `{}]}`), ipc.CodeImageUnavailable, "more than 512",
		},
		"old manifest": {[]byte(`{"schemaVersion":1,"fsLayers":[]}`), ipc.CodeImageUnavailable, "too old"},
		"many layers": {
			marshal(t, map[string]any{"schemaVersion": 2, "config": map[string]any{"digest": digestOf(config), "size": 1}, "layers": many}),
			ipc.CodeImageUnavailable, "more than 512",
		},
		"larger than the disk": {manifest(map[string]any{"size": int64(1) << 39}), ipc.CodeDiskFull, "too full"},
		"larger than it is":    {manifest(map[string]any{"size": len(small.packed) + 100}), ipc.CodeImageUnavailable, "app:1"},
		"smaller than it is":   {manifest(map[string]any{"size": len(small.packed) - 100}), ipc.CodeImageUnavailable, "not what its digest says"},
		"no size":              {manifest(map[string]any{"size": -1}), ipc.CodeImageUnavailable, "impossible size"},
		"another hash":         {manifest(map[string]any{"digest": "md5:00"}), ipc.CodeImageUnavailable, "not sha256"},
		"out of the folder":    {manifest(map[string]any{"digest": "sha256:../../../../etc/passwd"}), ipc.CodeImageUnavailable, "not sha256"},
		"from elsewhere":       {manifest(map[string]any{"urls": []string{"http://169.254.169.254/"}}), ipc.CodeImageUnavailable, "elsewhere"},
	} {
		r.front.guarded(func(w http.ResponseWriter, req *http.Request) bool {
			if !strings.Contains(req.URL.Path, "/manifests/") {
				return false
			}
			w.Header().Set("Content-Type", kind)
			_, _ = w.Write(c.manifest)
			return true
		})
		if err := r.depot.Keep(nil); err != nil {
			t.Fatal(err)
		}
		ref := r.ref("app:1")
		if f := r.fails(ref); f.Code != c.code || !strings.Contains(f.Detail, c.says) {
			t.Errorf("%s: %+v", name, f)
		}
		r.lacks(ref)
	}
}
