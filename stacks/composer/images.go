package composer

import (
	"context"
	"fmt"
	"slices"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/containerd/errdefs"
	"github.com/docker/docker/client"

	"github.com/farshore/farshore/stacks/composer/ipc"
)

// need is an image that the bundle needs, and what it is needed for.
type need struct {
	ref, platform, policy, service string
}

// needs lists the images of a project, each once.
func needs(p *project, pull string) []need {
	var list []need
	add := func(n need) {
		if !slices.ContainsFunc(list, func(m need) bool { return m.ref == n.ref && m.platform == n.platform }) {
			list = append(list, n)
		}
	}
	for _, name := range p.ServiceNames() {
		svc := p.Services[name]
		if svc.GetScale() == 0 {
			continue
		}
		add(need{svc.Image, svc.Platform, policy(svc.PullPolicy, pull), name})
		for _, v := range svc.Volumes {
			if v.Type == types.VolumeTypeImage {
				add(need{v.Source, svc.Platform, policy(svc.PullPolicy, pull), name})
			}
		}
	}
	return list
}

// images says which images the bundle needs.
func (r *run) images(ctx context.Context) (ipc.Event, error) {
	p, err := r.load(ctx)
	if err != nil {
		return ipc.Event{}, err
	}
	done := ipc.Event{Text: "nothing was changed", Warnings: r.warnings}
	for _, n := range needs(p, r.req.Pull) {
		done.Images = append(done.Images, ipc.Image{Ref: n.ref, Platform: n.platform, Policy: n.policy, Service: n.service})
	}
	return done, nil
}

// pins lets the project name images as the engine does: one that is named by a digest and was brought by the agent has a
// tag in its place.
func (r *run) pins(ctx context.Context, p *project) error {
	var failed error
	local := func(service, ref string) string {
		if ipc.IsPinned(ref) {
			failed = &Failure{
				Code: ipc.CodeImageUnavailable, Service: service,
				Detail: fmt.Sprintf("service %s needs image %q, whose tag is kept for images that are named by a digest; name it by @sha256: as well", service, ref),
			}
		}
		tagged, ok := ipc.Pinned(ref)
		if !ok || failed != nil {
			return ref
		}
		switch _, err := r.eng.ImageInspect(ctx, tagged); {
		case err == nil:
			return tagged
		case !errdefs.IsNotFound(err) && !errdefs.IsInvalidArgument(err):
			failed = fmt.Errorf("look for image %q: %w", tagged, err)
		}
		return ref
	}
	for name, svc := range p.Services {
		svc.Image = local(name, svc.Image)
		for i, v := range svc.Volumes {
			if v.Type == types.VolumeTypeImage {
				svc.Volumes[i].Source = local(name, v.Source)
			}
		}
		p.Services[name] = svc
	}
	return failed
}

// policy is when to pull: the service's word before the request's, but PullNever and PullFetched of the request before all.
func policy(service, request string) string {
	switch {
	case request == ipc.PullNever, request == ipc.PullFetched:
		return request
	case service == types.PullPolicyAlways:
		return ipc.PullAlways
	case service == types.PullPolicyNever:
		return ipc.PullNever
	case service == types.PullPolicyMissing, service == types.PullPolicyIfNotPresent, service == types.PullPolicyBuild, request == "":
		return ipc.PullMissing
	}
	return request
}

// fetch makes the images present, and changes nothing that runs. What is present is not asked of a registry, unless
// pulling is demanded.
func (r *run) fetch(ctx context.Context, p *project) (ipc.Event, error) {
	if err := r.ensureImages(ctx, p); err != nil {
		return ipc.Event{}, err
	}
	return ipc.Event{Text: "the images are on the device", Warnings: r.warnings}, nil
}

// ensureImages makes sure that every image is on the engine, before anything else is changed.
func (r *run) ensureImages(ctx context.Context, p *project) error {
	for _, n := range needs(p, r.req.Pull) {
		if err := r.ensureImage(ctx, n); err != nil {
			return err
		}
	}
	// From here on the Compose library finds all it needs and must not pull by itself.
	for name, svc := range p.Services {
		svc.PullPolicy = types.PullPolicyNever
		p.Services[name] = svc
	}
	return nil
}

func (r *run) ensureImage(ctx context.Context, n need) error {
	_, err := r.eng.ImageInspect(ctx, n.ref)
	switch {
	case err == nil && n.policy != ipc.PullAlways:
		return nil
	case err != nil && !errdefs.IsNotFound(err) && !errdefs.IsInvalidArgument(err):
		return fmt.Errorf("look for image %q: %w", n.ref, err)
	case n.policy == ipc.PullFetched:
		return &Failure{
			Code: ipc.CodeImageUnavailable, Service: n.service,
			Detail: fmt.Sprintf("service %s needs image %q, which was removed from the device again; it is fetched once more", n.service, n.ref),
		}
	case n.policy == ipc.PullNever:
		return &Failure{
			Code: ipc.CodeImageUnavailable, Service: n.service,
			Detail: fmt.Sprintf("service %s needs image %q, which is not on the device, and pulling is off; load the image on the device, or allow pulling; what was running runs on",
				n.service, n.ref),
		}
	}
	r.out.step(n.service, "pulling image "+n.ref)
	if err := r.pull(ctx, n); err != nil {
		return r.pullFailure(ctx, n, err)
	}
	r.out.step(n.service, "pulled image "+n.ref)
	return nil
}

func (r *run) pullFailure(ctx context.Context, n need, err error) error {
	if ctx.Err() != nil || client.IsErrConnectionFailed(err) || saysDiskFull(err) {
		return fmt.Errorf("pull image %q: %w", n.ref, err)
	}
	return &Failure{
		Code: ipc.CodeImageUnavailable, Service: n.service, Away: reAway.MatchString(err.Error()),
		Detail: fmt.Sprintf("service %s needs image %q, which cannot be pulled (%s); check its name, the registry's credentials and the device's way to the registry; what was running runs on",
			n.service, n.ref, brief(err)),
	}
}

// imageIDs are the ids of the project's images by reference; those that are not on the engine are left out.
func (r *run) imageIDs(ctx context.Context, p *project) (map[string]string, error) {
	ids := map[string]string{}
	for _, svc := range p.Services {
		if _, ok := ids[svc.Image]; ok {
			continue
		}
		info, err := r.eng.ImageInspect(ctx, svc.Image)
		if errdefs.IsNotFound(err) || errdefs.IsInvalidArgument(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("look for image %q: %w", svc.Image, err)
		}
		ids[svc.Image] = info.ID
	}
	return ids, nil
}
