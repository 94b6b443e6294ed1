package update

import (
	"fmt"
	"path/filepath"

	"github.com/farshore/farshore/protocol"
)

// plan is an update that was judged: what has to come into which slot.
type plan struct {
	release protocol.Release
	slot    Place
	targets []*target
}

// target is one program of the slot.
type target struct {
	program protocol.Program
	// have is a program on the device that is the same. Empty: it is fetched.
	have string
	// parts to fetch, patched from the program at base where they name bytes of it.
	parts []protocol.UpdatePart
	base  string
}

func (p *plan) hashes() map[string]protocol.Hash {
	out := map[string]protocol.Hash{}
	for _, t := range p.targets {
		out[t.program.Name] = t.program.Hash
	}
	return out
}

// path of a program in the slot that is being filled. The file is named by what it is to be, so that what another update left
// is not taken for it.
func (p *plan) path(f Folder, t *target) string {
	return filepath.Join(f.dir, string(p.slot), t.program.Name+"."+t.program.Hash.Short().String())
}

// size is how many bytes the plan takes on the disk at most.
func (p *plan) size() (n uint64) {
	for _, t := range p.targets {
		n += t.program.Size
	}
	return n + 2*protocol.MaxBlob // what comes in between
}

// plan judges a command. Nil without an error: what it brings runs already.
func (u *Updater) plan(c protocol.Command) (*plan, error) {
	f := u.facts()
	switch {
	case c.Update == nil:
		return nil, fail(protocol.UpdateRefused, "the command names no release: give it again")
	case f.cannot != "":
		return nil, fail(protocol.UpdateRefused, "this device cannot update itself: %s", f.cannot)
	}
	release, err := protocol.OpenRelease(c.Update.Release, u.cfg.Keys)
	if err != nil {
		return nil, fail(protocol.UpdateRefused, "%v", err)
	}
	agent, ok := release.For(protocol.ProgramAgent, u.cfg.Platform)
	if !ok {
		return nil, fail(protocol.UpdateRefused, "release %s has no agent for %s", release.Version, u.cfg.Platform)
	}
	p := &plan{release: release}
	known := map[protocol.Hash]string{}
	running := map[string]protocol.Hash{}
	for _, have := range f.programs {
		known[have.hash], running[have.name] = have.path, have.hash
	}
	composer, ok := release.For(protocol.ProgramComposer, u.cfg.Platform)
	if !ok { // the one that is there stays
		composer = protocol.Program{Name: protocol.ProgramComposer, Hash: running[protocol.ProgramComposer]}
	}
	if agent.Hash == running[protocol.ProgramAgent] && composer.Hash == running[protocol.ProgramComposer] {
		return nil, nil
	}
	if !c.Update.Downgrade && protocol.CompareVersions(release.Version, u.cfg.Version) < 0 {
		return nil, fail(protocol.UpdateRefused, "release %s is older than %s, which runs: ask for a downgrade if that is meant", release.Version, u.cfg.Version)
	}
	r, err := u.read()
	if err != nil {
		return nil, fail(protocol.UpdateDisk, "%v", err)
	}
	p.slot = SlotA
	if u.own == SlotA || r.Current == SlotA {
		p.slot = SlotB
	}
	for _, want := range []protocol.Program{agent, composer} {
		if want.Hash == (protocol.Hash{}) {
			continue // there is no composer, neither here nor in the release
		}
		t := &target{program: want, have: known[want.Hash]}
		if t.have == "" {
			if err := t.find(c.Update.Programs, known); err != nil {
				return nil, err
			}
		}
		p.targets = append(p.targets, t)
	}
	return p, nil
}

// find takes over from the command how a program comes.
func (t *target) find(offers []protocol.UpdateProgram, known map[protocol.Hash]string) error {
	name := t.program.Name
	for _, o := range offers {
		if o.Name != name || o.Hash != t.program.Hash {
			continue
		}
		t.parts = o.Parts
		if o.Base != (protocol.Hash{}) {
			if t.base = known[o.Base]; t.base == "" {
				return fail(protocol.UpdateFetch, "%s comes as a patch of a program that this device does not run: give the update again", name)
			}
		}
		var sum uint64
		for _, part := range t.parts {
			if part.Size == 0 || part.Size > protocol.MaxProgramPart || part.BlobSize > protocol.MaxBlob {
				return fail(protocol.UpdateFetch, "a piece of %s is larger than allowed", name)
			}
			if part.BaseSize > 0 && t.base == "" {
				return fail(protocol.UpdateFetch, "a piece of %s is a patch of nothing", name)
			}
			sum += uint64(part.Size)
		}
		if sum != t.program.Size {
			return fail(protocol.UpdateFetch, "the pieces of %s give %d bytes, the release says %d", name, sum, t.program.Size)
		}
		return nil
	}
	return fail(protocol.UpdateFetch, "the command does not bring %s, and this device has no such program: give the update again", name)
}

// noRoom says how much is missing.
func noRoom(need, free uint64, where string) error {
	return fail(protocol.UpdateDisk, "the update needs %s in %s, where %s are free: make room and give it again", megabytes(need), where, megabytes(free))
}

func megabytes(n uint64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }
