package testengine

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// Made is an image that was made for a test, without an engine.
type Made struct {
	// Platform such as linux/arm/v7.
	Platform string
	// Layers as they travel, the lowest first. They need not be archives where no engine gets them.
	Layers [][]byte
}

// Uploaded says how a registry knows an image.
type Uploaded struct {
	// Digest of what the tag leads to: the index where there is one, else the manifest. Configs are the digests of the
	// configurations, one for each image. All are as in sha256:…
	Digest  string
	Configs []string
}

// Upload puts an image into the registry as name and tag: with several made for several platforms, an index.
func (r *RegistryServer) Upload(t testing.TB, name, tag string, made ...Made) Uploaded {
	t.Helper()
	u := &uploader{t: t, r: r, name: name, client: &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}}
	defer u.client.CloseIdleConnections()
	var out Uploaded
	var manifests []map[string]any
	for i, m := range made {
		parts := strings.SplitN(m.Platform+"//", "/", 4)
		platform := map[string]any{"os": parts[0], "architecture": parts[1]}
		if parts[2] != "" {
			platform["variant"] = parts[2]
		}
		config, err := json.Marshal(map[string]any{"os": parts[0], "architecture": parts[1], "variant": parts[2], "rootfs": map[string]any{"type": "layers"}})
		if err != nil {
			t.Fatal(err)
		}
		doc := map[string]any{
			"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
			"config": u.blob("application/vnd.oci.image.config.v1+json", config),
		}
		layers := []any{}
		for _, l := range m.Layers {
			layers = append(layers, u.blob("application/vnd.oci.image.layer.v1.tar+gzip", l))
		}
		doc["layers"] = layers
		ref := tag
		if len(made) > 1 {
			ref = fmt.Sprintf("%s-%d", tag, i)
		}
		digest, size := u.manifest(ref, "application/vnd.oci.image.manifest.v1+json", doc)
		out.Digest, out.Configs = digest, append(out.Configs, digestOf(config))
		manifests = append(manifests, map[string]any{
			"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest, "size": size, "platform": platform,
		})
	}
	if len(made) > 1 {
		out.Digest, _ = u.manifest(tag, "application/vnd.oci.image.index.v1+json", map[string]any{
			"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": manifests,
		})
	}
	return out
}

type uploader struct {
	t      testing.TB
	r      *RegistryServer
	name   string
	client *http.Client
}

func digestOf(b []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(b)) }

func (u *uploader) blob(kind string, b []byte) map[string]any {
	u.t.Helper()
	at := u.do(http.MethodPost, "/v2/"+u.name+"/blobs/uploads/", "", nil)
	join := "?"
	if strings.Contains(at, "?") {
		join = "&"
	}
	u.do(http.MethodPut, at+join+"digest="+digestOf(b), "application/octet-stream", b)
	return map[string]any{"mediaType": kind, "digest": digestOf(b), "size": len(b)}
}

func (u *uploader) manifest(ref, kind string, doc any) (digest string, size int) {
	u.t.Helper()
	b, err := json.Marshal(doc)
	if err != nil {
		u.t.Fatal(err)
	}
	u.do(http.MethodPut, "/v2/"+u.name+"/manifests/"+ref, kind, b)
	return digestOf(b), len(b)
}

// do gives where the answer says that it goes on.
func (u *uploader) do(method, at, kind string, body []byte) string {
	u.t.Helper()
	if !strings.Contains(at, "://") {
		scheme := "http://"
		if u.r.spec.Chain != nil {
			scheme = "https://"
		}
		at = scheme + u.r.Addr + at
	}
	req, err := http.NewRequestWithContext(u.t.Context(), method, at, bytes.NewReader(body))
	if err != nil {
		u.t.Fatal(err)
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	if u.r.spec.User != "" {
		req.SetBasicAuth(u.r.spec.User, u.r.spec.Password)
	}
	resp, err := u.client.Do(req)
	if err != nil {
		u.t.Fatal(err)
	}
	defer resp.Body.Close()
	said, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode/100 != 2 {
		u.t.Fatalf("%s %s: %s: %s, %v", method, at, resp.Status, said, err)
	}
	return resp.Header.Get("Location")
}
