package snapshot

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/farshore/farshore/protocol"
)

// sample makes a host of n containers, three of each project, with one image for each five.
func sample(rnd *rand.Rand, n int) protocol.Snapshot {
	s := protocol.Snapshot{
		Host:   protocol.Host{Name: "gateway-7", OS: "Debian GNU/Linux 12 (bookworm)", Kernel: "6.1.0-28-amd64", Arch: "amd64", CPUs: 4, Memory: 8 << 30},
		Engine: protocol.Engine{Kind: "docker", Version: "28.5.2", API: "1.51", Storage: "overlay2", Cgroup: "systemd/2"},
	}
	random := func(b []byte) {
		for i := range b {
			b[i] = byte(rnd.Uint32())
		}
	}
	for i := range n/5 + 1 {
		img := protocol.Image{Tags: []string{fmt.Sprintf("registry.plant.example/line/app-%d:1.%d", i, rnd.IntN(30))}, Size: uint64(rnd.IntN(1 << 28)), Created: 1.7e9 + int64(rnd.IntN(1e7))}
		random(img.ID[:])
		s.Images = append(s.Images, img)
	}
	for i := range n {
		project, service := fmt.Sprintf("stack-%d", i/3), []string{"web", "db", "worker"}[i%3]
		k := protocol.Container{
			Name: project + "-" + service + "-1", Project: project, Service: service, Stack: uint64(i / 3),
			Image: uint32(rnd.IntN(len(s.Images)) + 1), Created: 1.72e9 + int64(rnd.IntN(1e6)),
			Networks: []protocol.Endpoint{{Network: project + "_default", IP: fmt.Sprintf("172.18.%d.%d", i/3, i%3+2)}},
		}
		random(k.ID[:])
		k.Started = k.Created + 1
		if i%3 == 0 {
			k.Ports = []protocol.Port{{Private: 80, Public: uint16(8000 + i)}}
			k.Labels = map[string]string{"org.opencontainers.image.version": "1.2", "team": "plant"}
		}
		s.Containers = append(s.Containers, k)
	}
	return s
}

func shuffle(rnd *rand.Rand, s protocol.Snapshot) protocol.Snapshot {
	perm := rnd.Perm(len(s.Images))
	images := make([]protocol.Image, len(perm))
	for from, to := range perm {
		images[to] = s.Images[from]
	}
	s.Images = images
	containers := append([]protocol.Container(nil), s.Containers...)
	for i := range containers {
		if containers[i].Image > 0 {
			containers[i].Image = uint32(perm[containers[i].Image-1] + 1)
		}
	}
	rnd.Shuffle(len(containers), func(i, j int) { containers[i], containers[j] = containers[j], containers[i] })
	s.Containers = containers
	return s
}

func TestCanonicalIsOneFormPerState(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for n := range 40 {
		s := sample(rnd, n)
		b, hash := Canonical(s)
		again, hash2 := Canonical(shuffle(rnd, s))
		if string(b) != string(again) || hash != hash2 {
			t.Fatalf("%d containers: the order of the lists changed the encoding", n)
		}
		back, err := Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		if third, _ := Canonical(back); string(third) != string(b) {
			t.Fatalf("%d containers: the canonical form of a decoded snapshot differs from it", n)
		}
		images := map[string]protocol.Hash{}
		for _, k := range s.Containers {
			images[k.Name] = s.Images[k.Image-1].ID
		}
		for _, k := range back.Containers {
			if back.Images[k.Image-1].ID != images[k.Name] {
				t.Fatalf("container %s points at another image after sorting", k.Name)
			}
		}
	}
}

func TestCanonicalLeavesOutWhatFollows(t *testing.T) {
	s := protocol.Snapshot{
		Images: []protocol.Image{{ID: protocol.Hash{1}, Tags: []string{"busybox:latest"}}},
		Containers: []protocol.Container{
			{Name: "a", Image: 1, ImageRef: "docker.io/library/busybox", Finished: 5, ExitCode: 3, Ports: []protocol.Port{{Private: 1, Proto: "tcp"}}},
			{Name: "b", Image: 1, ImageRef: "busybox:1", State: protocol.ContainerExited, ExitCode: 137},
			{Name: "c", Image: 9, ImageRef: "gone:1"},
		},
		Volumes: []protocol.Volume{{Name: "v", Driver: "local"}},
	}
	b, _ := Canonical(s)
	got, err := Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	want := protocol.Snapshot{
		Images: s.Images,
		Containers: []protocol.Container{
			{Name: "a", Image: 1, Ports: []protocol.Port{{Private: 1}}},
			{Name: "b", Image: 1, ImageRef: "busybox:1", State: protocol.ContainerExited, ExitCode: 137},
			{Name: "c", ImageRef: "gone:1"},
		},
		Volumes: []protocol.Volume{{Name: "v"}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("got  %+v\nwant %+v", got, want)
	}
	if s.Containers[0].ImageRef == "" || s.Containers[0].Ports[0].Proto == "" || s.Volumes[0].Driver == "" {
		t.Fatal("Canonical changed what it was given")
	}
}

func TestCanonicalBounds(t *testing.T) {
	s := protocol.Snapshot{Host: protocol.Host{Name: strings.Repeat("ü", 4000) + "\xff"}}
	labels := map[string]string{}
	for i := range 100 {
		labels[fmt.Sprintf("label-%03d", i)] = "\xff" + strings.Repeat("x", 1000)
	}
	for i := range 20000 {
		s.Containers = append(s.Containers, protocol.Container{Name: fmt.Sprintf("c-%05d", i), Labels: labels})
	}
	b, _ := Canonical(s)
	got, err := Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Containers) != MaxItems || got.Containers[0].Labels != nil || !strings.Contains(got.Engine.Reason, "left out") {
		t.Fatalf("%d containers, labels %v, reason %q", len(got.Containers), got.Containers[0].Labels, got.Engine.Reason)
	}
	if len(got.Host.Name) > maxString || !utf8.ValidString(got.Host.Name) {
		t.Fatalf("host name of %d bytes", len(got.Host.Name))
	}

	one := protocol.Snapshot{Containers: s.Containers[:1]}
	b, _ = Canonical(one)
	if got, err = Decode(b); err != nil {
		t.Fatal(err)
	}
	l := got.Containers[0].Labels
	if len(l) != MaxLabels || l["label-031"] == "" || len(l["label-000"]) > MaxLabelValue+4 || got.Engine.Reason != "" {
		t.Fatalf("%d labels, first of %d bytes, reason %q", len(l), len(l["label-000"]), got.Engine.Reason)
	}
}

func TestDecodeRefuses(t *testing.T) {
	dangling, err := protocol.Marshal(protocol.Snapshot{Containers: []protocol.Container{{Name: "x", Image: 1}}})
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		in   []byte
		want error
	}{
		"empty":      {nil, protocol.ErrMalformed},
		"rubbish":    {[]byte("\xff\xff"), protocol.ErrMalformed},
		"too large":  {make([]byte, protocol.MaxSnapshot+1), protocol.ErrTooLarge},
		"bad image":  {dangling, protocol.ErrMalformed},
		"wrong type": {[]byte{0xa1, 1, 2}, protocol.ErrMalformed},
	} {
		if _, err := Decode(tc.in); !errors.Is(err, tc.want) {
			t.Errorf("%s: got %v, want %v", name, err, tc.want)
		}
	}
}

func TestLabelsNeverLeakSecrets(t *testing.T) {
	got := SplitLabels(map[string]string{
		"com.docker.compose.project": "shop", "com.docker.compose.service": "web", "com.docker.compose.config-hash": "abc",
		"farshore.io/stack": "42", "farshore.io/version": "3", "team": "plant",
		"DB_PASSWORD": "hunter2", "my.api-key": "hunter2", "x.accessToken": "hunter2",
		"traefik.http.middlewares.a.basicauth.users": "u:hunter2", "empty.secret": "",
		"backend": "https://user:hunter2@host/path?x=1", "docs": "https://host:8080/path",
	})
	want := LabelSet{
		Project: "shop", Service: "web", Stack: 42,
		Labels: map[string]string{
			"team": "plant", "DB_PASSWORD": Masked, "my.api-key": Masked, "x.accessToken": Masked,
			"traefik.http.middlewares.a.basicauth.users": Masked, "empty.secret": "",
			"backend": "https://user:***@host/path?x=1", "docs": "https://host:8080/path",
		},
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("got  %+v\nwant %+v", got, want)
	}
}
