package enginetest

import (
	"fmt"
	"strings"
	"time"

	"github.com/farshore/farshore/snapshot"
)

func (s *suite) logs() {
	ctx := s.t.Context()
	name := s.make("logs", Chatters)
	s.must(s.Engine.ContainerStart(ctx, name))
	var all strings.Builder
	for i := 1; i <= 100; i++ {
		fmt.Fprintf(&all, "line %d\n", i)
	}
	var out []byte
	for deadline := time.Now().Add(wait); len(out) < all.Len() && time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		var dropped uint64
		var err error
		out, dropped, err = s.Engine.ContainerLogs(ctx, name, 0, 0)
		s.must(err)
		if dropped != 0 {
			s.t.Fatalf("%d bytes were cut", dropped)
		}
	}
	if string(out) != all.String() {
		s.t.Errorf("all lines: got %q", out)
	}
	out, dropped, err := s.Engine.ContainerLogs(ctx, name, 3, 0)
	if s.must(err); string(out) != "line 98\nline 99\nline 100\n" || dropped != 0 {
		s.t.Errorf("last three: got %q, %d cut", out, dropped)
	}
	out, dropped, err = s.Engine.ContainerLogs(ctx, name, 3, 12)
	if s.must(err); string(out) != "99\nline 100\n" || dropped != uint64(len("line 98\nline ")) {
		s.t.Errorf("last 12 bytes of three: got %q, %d cut", out, dropped)
	}
	out, _, err = s.Engine.ContainerLogs(ctx, name, 1000, 0)
	if s.must(err); string(out) != all.String() {
		s.t.Errorf("more lines than there are: got %q", out)
	}
}

func (s *suite) volumes() {
	ctx := s.t.Context()
	name := s.name("volumes")
	volume := name + "-data"
	s.Create(s.t, Spec{Name: name, Image: s.name("image") + ":1", Behaviour: Runs, Volume: volume})
	s.want(s.Engine.VolumeRemove(ctx, volume, snapshot.Gently), snapshot.ErrInUse)
	s.want(s.Engine.VolumeRemove(ctx, volume, snapshot.Forcibly), snapshot.ErrInUse)
	s.must(s.Engine.ContainerRemove(ctx, name, snapshot.Gently))
	s.must(s.Engine.VolumeRemove(ctx, volume, snapshot.Gently))
	for _, v := range s.observe().Volumes {
		if v.Name == volume {
			s.t.Error("removed, and still seen")
		}
	}
	s.want(s.Engine.VolumeRemove(ctx, volume, snapshot.Gently), snapshot.ErrNoSuch)
	s.want(s.Engine.VolumeRemove(ctx, volume, snapshot.Forcibly), snapshot.ErrNoSuch)
}

func (s *suite) images() {
	ctx := s.t.Context()
	name, image, second := s.name("images"), s.name("own")+":1", s.name("own")+":2"
	s.Create(s.t, Spec{Name: name, Image: image, Behaviour: Runs})
	s.must(s.Engine.ContainerStart(ctx, name))
	s.want(s.Engine.ImageRemove(ctx, image, snapshot.Gently), snapshot.ErrInUse)
	s.Tag(s.t, image, second)
	s.must(s.Engine.ImageRemove(ctx, second, snapshot.Gently)) // the tag only
	obs := s.observe()
	c, _ := find(obs, name)
	if c.Image == 0 || len(obs.Images[c.Image-1].Tags) != 1 || obs.Images[c.Image-1].Tags[0] != image {
		s.t.Fatalf("after a second tag was removed: %+v", c)
	}
	id := obs.Images[c.Image-1].ID
	s.must(s.Engine.ContainerStop(ctx, name, time.Second))
	s.want(s.Engine.ImageRemove(ctx, image, snapshot.Gently), snapshot.ErrInUse)
	s.must(s.Engine.ContainerRemove(ctx, name, snapshot.Gently))
	s.Tag(s.t, image, second)
	s.want(s.Engine.ImageRemove(ctx, "sha256:"+id.String(), snapshot.Gently), snapshot.ErrInUse)
	s.must(s.Engine.ImageRemove(ctx, "sha256:"+id.String(), snapshot.Forcibly))
	for _, i := range s.observe().Images {
		if i.ID == id {
			s.t.Error("removed, and still seen")
		}
	}
	s.want(s.Engine.ImageRemove(ctx, image, snapshot.Forcibly), snapshot.ErrNoSuch)
}
