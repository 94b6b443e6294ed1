package access

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/farshore/farshore/protocol"
)

// Resource is what an operation is about. The zero value is the hub as a whole: it needs a role on the root group.
type Resource struct {
	// Kind is device, group, profile, stack, key, command, account … Empty: the hub.
	Kind string
	// ID names it.
	ID string
	// Group is the path of the group it belongs to; "" is the root.
	Group string
	// Device is the id of the device that it is, or is on. "": none.
	Device string
	// Owner says whose it is, where things of its kind have owners. Nil: they have none.
	Owner *Owner
	// Any asks whether the operation may be done on any such thing at all. Who is let in by it asks again for each thing
	// before showing or changing it: see Scope.
	Any bool
}

// String names the resource in the audit trail, such as "device qz3…"; "" for the hub.
func (r Resource) String() string {
	if r.ID == "" {
		return r.Kind
	}
	return r.Kind + " " + r.ID
}

// Owner says whose a thing is. It bounds those roles that reach only what is shared with them.
type Owner = protocol.Owner

// Visibilities of an Owner.
const (
	ForAdministrators = protocol.ForAdministrators
	ForOwner          = protocol.ForOwner
	ForTeam           = protocol.ForTeam
	ForAll            = protocol.ForAll
)

// Authorize is the one function that every route asks before it does anything. Errors are ErrUnauthenticated for
// nobody and wrap ErrForbidden for somebody. An operation that is not in Operations is never allowed.
func (a *Access) Authorize(p Principal, op Operation, r Resource) error {
	if p.Kind == "" || p.Name == "" {
		return ErrUnauthenticated
	}
	if a.Scope(p, op).Covers(r) {
		return nil
	}
	if p.Setup {
		return ErrSetup
	}
	what := r.String()
	if what == "" {
		what = "the hub"
	}
	if r.Group != "" && r.Kind != "group" {
		what += " in group /" + r.Group
	}
	return fmt.Errorf("%w: %s may not %s on %s", ErrForbidden, p, op, what)
}

// Scope is all that a principal may do one operation on, as of when it was asked for. The zero Scope is nothing. It is
// for lists: ask for it once, and for each thing whether it is covered.
type Scope struct {
	areas   []area
	account string
	teams   []string
}

// area is one group or device on which a role was granted.
type area struct {
	group  string
	device string // "": the group
	reach  reach
}

// Scope gives what p may do op on.
func (a *Access) Scope(p Principal, op Operation) Scope { return a.scopeAt(p, op, time.Now().Unix()) }

// scopeAt is Scope as of a moment, Unix seconds, if nothing is granted or taken back.
func (a *Access) scopeAt(p Principal, op Operation, moment int64) Scope {
	if !slices.Contains(Operations(), op) {
		return Scope{}
	}
	if p.Kind == KindSystem {
		return Scope{areas: []area{{reach: every}}}
	}
	if p.Kind != KindUser && p.Kind != KindToken || p.Setup {
		return Scope{}
	}
	rules := a.rules.Load()
	out := Scope{account: p.Owner, teams: rules.teamsOf[p.Owner]}
	for g := range rules.of(p.Owner, moment) {
		if r := min(g.Role.reach(op), p.Limit.reach(op)); r != none {
			out.areas = append(out.areas, p.Limit.narrow(area{g.Group, g.Device, r})...)
		}
	}
	return out
}

// Empty: there is nothing that it covers.
func (s Scope) Empty() bool { return len(s.areas) == 0 }

// All: it covers every thing of the whole hub, so that lists need not be looked through.
func (s Scope) All() bool {
	return slices.ContainsFunc(s.areas, func(x area) bool { return x.group == "" && x.device == "" && x.reach == every })
}

// Covers reports whether the operation may be done on r.
func (s Scope) Covers(r Resource) bool {
	for _, x := range s.areas {
		if r.Any {
			return true
		}
		in := within(r.Group, x.group)
		if x.device != "" {
			in = r.Device == x.device
		}
		if in && (x.reach == every || r.Owner == nil || s.shares(*r.Owner)) {
			return true
		}
	}
	return false
}

// Leads reports whether something that is covered may lie in the group at path or below it, so that the group has to
// be shown on the way to it. Devices that were granted by themselves count nowhere: their groups are not known here.
func (s Scope) Leads(path string) bool {
	return slices.ContainsFunc(s.areas, func(x area) bool {
		return x.device == "" && (within(path, x.group) || within(x.group, path))
	})
}

func (s Scope) shares(o Owner) bool {
	switch o.Visibility {
	case ForAll:
		return true
	case ForOwner:
		return o.Account != "" && o.Account == s.account
	case ForTeam:
		return o.Team != "" && slices.Contains(s.teams, o.Team)
	}
	return false
}

// within reports whether the group at path is the group above or lies below it.
func within(path, above string) bool {
	return above == "" || path == above || strings.HasPrefix(path, above+"/")
}
