package fakeengine

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/snapshot"
)

// AddImage makes an image present. Of a reference that is there already the image gets the further tags.
func (e *Engine) AddImage(ref string, more ...string) {
	e.mu.Lock()
	id, _ := e.imageFor(ref, canPull)
	for i := range e.images {
		if e.images[i].ID == id {
			e.images[i].Tags = append(slices.Clone(e.images[i].Tags), more...)
			slices.Sort(e.images[i].Tags)
		}
	}
	e.mu.Unlock()
	e.notify()
}

// ImageRemove removes a tag, and the image with its last one; Forcibly all tags of an image named by id, and also an
// image of stopped containers.
func (e *Engine) ImageRemove(ctx context.Context, target string, force snapshot.Force) error {
	return e.change(ctx, OpImage, func() error {
		id, ok := e.imageFor(target, noPull)
		if target == "" || !ok {
			return fmt.Errorf("remove image %.80q: %w: see the device's latest snapshot for what is there", target, snapshot.ErrNoSuch)
		}
		at := slices.IndexFunc(e.images, func(i protocol.Image) bool { return i.ID == id })
		img := &e.images[at]
		byID := strings.TrimPrefix(target, "sha256:") == id.String()
		if !byID && len(img.Tags) > 1 {
			img.Tags = slices.DeleteFunc(slices.Clone(img.Tags), func(tag string) bool { return tag == target || tag == target+":latest" })
			return nil
		}
		if byID && len(img.Tags) > 1 && force != snapshot.Forcibly {
			return fmt.Errorf("remove image %.80q: %w: it has several tags: remove them, or use force", target, snapshot.ErrInUse)
		}
		for _, b := range e.containers {
			if b.image == id && (b.running() || force != snapshot.Forcibly) {
				return fmt.Errorf("remove image %.80q: %w by container %s: remove that before", target, snapshot.ErrInUse, b.Name)
			}
		}
		e.images = slices.Delete(e.images, at, at+1)
		return nil
	})
}

// VolumeRemove removes a volume that no container has.
func (e *Engine) VolumeRemove(ctx context.Context, target string, _ snapshot.Force) error {
	return e.change(ctx, OpVolume, func() error {
		at := slices.IndexFunc(e.volumes, func(v protocol.Volume) bool { return v.Name == target })
		if at < 0 {
			return fmt.Errorf("remove volume %.80q: %w: see the device's latest snapshot for what is there", target, snapshot.ErrNoSuch)
		}
		for _, b := range e.containers {
			if slices.ContainsFunc(b.Mounts, func(m protocol.Mount) bool { return m.Type == "volume" && m.Source == target }) {
				return fmt.Errorf("remove volume %.80q: %w by container %s: remove that before", target, snapshot.ErrInUse, b.Name)
			}
		}
		e.volumes = slices.Delete(e.volumes, at, at+1)
		return nil
	})
}
