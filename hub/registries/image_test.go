package registries_test

import (
	"compress/gzip"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/farshore/farshore/hub/registries"
	"github.com/farshore/farshore/internal/certtest"
	"github.com/farshore/farshore/internal/testengine"
	"github.com/farshore/farshore/protocol"
)

// ask asks as somebody who may have any registry asked.
func (b *bench) ask(group, image, platform string) (registries.Image, error) {
	return b.Image(b.t.Context(), registries.Question{Group: group, Image: image, Platform: platform, By: "ada", Abroad: true})
}

func layers(sizes ...int) (out [][]byte) {
	for i, n := range sizes {
		out = append(out, []byte(strings.Repeat(fmt.Sprint(i%10), n)))
	}
	return out
}

func TestARegistrySaysWhatAnImageIs(t *testing.T) {
	authority := certtest.New(t, "plant")
	pair := authority.Server([]string{"127.0.0.1"})
	real := testengine.RegistryWith(t, testengine.RegistrySpec{Chain: pair.Chain, Key: pair.Key, User: "bot", Password: password})
	up := real.Upload(t, "plant/app", "1",
		testengine.Made{Platform: "linux/amd64", Layers: layers(1000, 20)}, testengine.Made{Platform: "linux/arm64", Layers: layers(1000, 30, 40)},
		testengine.Made{Platform: "linux/arm/v6", Layers: layers(6)}, testengine.Made{Platform: "linux/arm/v7", Layers: layers(7)})
	single := real.Upload(t, "plant/one", "latest", testengine.Made{Platform: "linux/amd64", Layers: layers(5, 6)})
	b := near(t)
	id := b.add(registries.Change{Address: real.Addr, User: "bot", Password: password, CA: string(authority.PEM), Group: "norway"})
	for _, c := range []struct {
		image, platform, config string
		layers                  []uint64
	}{
		{"/plant/app:1", "linux/amd64", up.Configs[0], []uint64{1000, 20}},
		{"/plant/app:1", "linux/arm64", up.Configs[1], []uint64{1000, 30, 40}},
		{"/plant/app:1", "linux/arm64/v8", up.Configs[1], []uint64{1000, 30, 40}},
		{"/plant/app:1", "linux/arm/v7", up.Configs[3], []uint64{7}},
		{"/plant/app:1", "linux/arm/v6", up.Configs[2], []uint64{6}},
		{"/plant/app@" + up.Digest, "linux/amd64", up.Configs[0], []uint64{1000, 20}},
		{"/plant/one", "linux/amd64", single.Configs[0], []uint64{5, 6}},
		{"/plant/one@" + single.Digest, "linux/riscv64", single.Configs[0], []uint64{5, 6}},
	} {
		got, err := b.ask("norway/oslo", real.Addr+c.image, c.platform)
		if err != nil {
			t.Errorf("%s for %s: %v", c.image, c.platform, err)
			continue
		}
		var sizes []uint64
		for _, l := range got.Layers {
			sizes = append(sizes, l.Size)
		}
		if fmt.Sprint(sizes) != fmt.Sprint(c.layers) || "sha256:"+got.Config.String() != c.config || got.Documents == 0 {
			t.Errorf("%s for %s: %+v, want layers of %v and configuration %s", c.image, c.platform, got, c.layers, c.config)
		}
	}
	for _, c := range []struct{ group, image, platform, says string }{
		{"norway", real.Addr + "/plant/app:1", "linux/s390x", "is not made for the platform linux/s390x"},
		{"norway", real.Addr + "/plant/app:1", "", "is not one such as"},
		{"norway", real.Addr + "/plant/app:2", "linux/amd64", "does not have it"},
		{"sweden", real.Addr + "/plant/app:1", "linux/amd64", "authority"}, // whose certificate is given with the registry
		{"norway", "no-such.invalid/app", "linux/amd64", "does not find no-such.invalid"},
		{"norway", "A b", "linux/amd64", "not one of an image"},
	} {
		_, err := b.ask(c.group, c.image, c.platform)
		if !errors.Is(err, registries.ErrUnread) || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), password) {
			t.Errorf("%s in %s: %v, want an error that says %q", c.image, c.group, err, c.says)
		}
	}
	real.Stop()
	if _, err := b.ask("norway", real.Addr+"/plant/app:1", "linux/amd64"); err != nil {
		t.Errorf("what was read before: %v", err)
	}
	if _, err := b.ask("norway", real.Addr+"/plant/app:3", "linux/amd64"); err == nil || !strings.Contains(err.Error(), "Nobody answers") {
		t.Errorf("of a registry that is away: %v", err)
	}
	if err := b.Remove(id, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := b.ask("norway", real.Addr+"/plant/app:1", "linux/amd64"); err == nil {
		t.Error("what was read with a password is told after the password was taken away")
	}
	// In the hub itself what is on its own machine is not asked.
	b.reaches = nil
	b.open(b.dir)
	if _, err := b.ask("", real.Addr+"/plant/app:1", "linux/amd64"); err == nil || !strings.Contains(err.Error(), "the hub does not ask") {
		t.Errorf("on the hub's own machine: %v", err)
	}
}

// TestWhateverARegistryAnswers: what answers may be anything; it is bounded, and followed nowhere.
func TestWhateverARegistryAnswers(t *testing.T) {
	authority := certtest.New(t, "plant")
	pair := authority.Server([]string{"127.0.0.1"})
	touched := false
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { touched = true }))
	defer other.Close()
	zeros := strings.Repeat("0", 64)
	nested := map[string][]byte{} // an index of an index of an index
	next := []byte(`{"schemaVersion":2,"config":{"digest":"sha256:` + zeros + `"}}`)
	for range 4 {
		digest := "sha256:" + protocol.HashOf(next).String()
		nested[digest] = next
		next = fmt.Appendf(nil, `{"schemaVersion":2,"manifests":[{"digest":"%s","platform":{"os":"linux","architecture":"amd64"}}]}`, digest)
	}
	nested["latest"] = next
	b := newBench(t)
	b.reaches = func(netip.Addr) error { return nil }
	b.open(b.dir)
	for says, handler := range map[string]http.HandlerFunc{
		"answers with 307": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
		},
		"more than": func(w http.ResponseWriter, _ *http.Request) {
			for range 1000 {
				if _, err := w.Write(make([]byte, 64<<10)); err != nil {
					return
				}
			}
		},
		"cannot be read": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) },
		"not known":      func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"schemaVersion":1}`)) },
		"is it an":       func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"schemaVersion":2}`)) },
		"which cannot": func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(w, `{"schemaVersion":2,"config":{"digest":"sha256:%s"},"layers":[{"digest":"sha256:%s","size":-1}]}`, zeros, zeros)
		},
		"cannot unmarshal": func(w http.ResponseWriter, _ *http.Request) { // 2^63
			fmt.Fprintf(w, `{"schemaVersion":2,"config":{"digest":"sha256:%s"},"layers":[{"digest":"sha256:%s","size":9223372036854775808}]}`, zeros, zeros)
		},
		"layer of 1099511627777 bytes": func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(w, `{"schemaVersion":2,"config":{"digest":"sha256:%s"},"layers":[{"digest":"sha256:%s","size":1099511627777}]}`, zeros, zeros)
		},
		"bytes together": func(w http.ResponseWriter, _ *http.Request) {
			one := fmt.Sprintf(`{"digest":"sha256:%s","size":1099511627776}`, zeros)
			fmt.Fprintf(w, `{"schemaVersion":2,"config":{"digest":"sha256:%s"},"layers":[%s,%s]}`, zeros, one, one)
		},
		"invalid character": func(w http.ResponseWriter, _ *http.Request) { // a little that would be much
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			_, _ = z.Write(make([]byte, 8<<20))
			_ = z.Close()
		},
		"did not answer the hub in time": func(w http.ResponseWriter, r *http.Request) { // byte by byte
			_, _ = w.Write([]byte(`{`))
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		},
		"gives no token": func(w http.ResponseWriter, r *http.Request) { // that ends
			if r.URL.Path != "/token" {
				w.Header().Set("WWW-Authenticate", `Bearer realm="https://`+r.Host+`/token"`)
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			fmt.Fprintf(w, `{"token":"%s"}`, strings.Repeat("x", 1<<20))
		},
		"is of a private network, and": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("WWW-Authenticate", `Bearer realm="https://10.0.0.5/token"`)
			w.WriteHeader(http.StatusUnauthorized)
		},
		"to an address that is none": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("WWW-Authenticate", `Bearer realm="https://`+strings.Repeat("x", 1000)+`/token"`)
			w.WriteHeader(http.StatusUnauthorized)
		},
		"names an index": func(w http.ResponseWriter, r *http.Request) {
			at := strings.LastIndexByte(r.URL.Path, '/')
			_, _ = w.Write(nested[r.URL.Path[at+1:]])
		},
		"64 digits": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"schemaVersion":2,"config":{"digest":"md5:x"}}`))
		},
		"more than 512": func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(w, `{"schemaVersion":2,"config":{},"layers":[%s{}]}`, strings.Repeat("{},", 5000))
		},
		"names more than": func(w http.ResponseWriter, _ *http.Request) { // within the bound of bytes
			fmt.Fprintf(w, `{"schemaVersion":2,"manifests":[%s{}]}`, strings.Repeat("{},", 1<<20))
		},
		"not the one it was asked for": func(w http.ResponseWriter, _ *http.Request) { // an index that leads to itself
			fmt.Fprintf(w, `{"schemaVersion":2,"manifests":[{"digest":"sha256:%s","platform":{"os":"linux","architecture":"amd64"}}]}`, zeros)
		},
		"an address that is not HTTPS": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("WWW-Authenticate", `Bearer realm="`+other.URL+`/token"`)
			w.WriteHeader(http.StatusUnauthorized)
		},
	} {
		s := httptest.NewUnstartedServer(handler)
		s.TLS = certtestConfig(t, pair)
		s.StartTLS()
		address := strings.TrimPrefix(s.URL, "https://")
		b.add(registries.Change{Address: address, User: "bot", CA: string(authority.PEM)})
		b.SetPatience(time.Minute)
		if says == "did not answer the hub in time" {
			b.SetPatience(time.Second)
		}
		_, err := b.ask("", address+"/app", "linux/amd64")
		if !errors.Is(err, registries.ErrUnread) || !strings.Contains(err.Error(), says) || len(err.Error()) > 600 {
			t.Errorf("%v, want an error that says %q", err, says)
		}
		s.Close()
	}
	if touched {
		t.Error("it was followed elsewhere")
	}
}
