package access

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Reason is one role that somebody has on something, and by what.
type Reason struct {
	Role Role
	// Grant is its id. "": the account is an administrator.
	Grant string
	// Team that it was granted to. "": the account itself.
	Team string
	// Group or Device that it was granted on; a role on a group above is inherited.
	Group, Device string
	Inherited     bool
	// Until it ends, Unix seconds. 0: never.
	Until int64
}

// Effective is what somebody may do on something, and why.
type Effective struct {
	Reasons []Reason
	// All are the operations on everything there, Own those on what is their own, their team's, or public.
	All, Own []Operation
}

// Explain says what an account may do on a group or a device, and why. With r.Any it says what the account may do
// anywhere. Nothing is said of a limit that a token has.
func (a *Access) Explain(account string, r Resource) Effective {
	a.mu.RLock()
	disabled := a.accounts[account].Disabled
	a.mu.RUnlock()
	out := Effective{}
	if disabled {
		return out
	}
	for g := range a.rules.Load().of(account, time.Now().Unix()) {
		if !r.Any && (g.Device != "" && g.Device != r.Device || g.Device == "" && !within(r.Group, g.Group)) {
			continue
		}
		x := Reason{Role: g.Role, Grant: g.ID, Team: g.Team, Group: g.Group, Device: g.Device, Until: g.Until}
		x.Inherited = !r.Any && g.Device == "" && (r.Device != "" || g.Group != r.Group)
		out.Reasons = append(out.Reasons, x)
	}
	slices.SortFunc(out.Reasons, func(x, y Reason) int {
		return cmp.Or(
			cmp.Compare(slices.Index(column[:], x.Role), slices.Index(column[:], y.Role)),
			strings.Compare(x.Device+"\x00"+x.Group+"\x00"+x.Team+"\x00"+x.Grant, y.Device+"\x00"+y.Group+"\x00"+y.Team+"\x00"+y.Grant),
		)
	})
	for _, row := range table {
		most := none
		for _, x := range out.Reasons {
			most = max(most, x.Role.reach(row.op))
		}
		switch most {
		case every:
			out.All = append(out.All, row.op)
		case shared:
			out.Own = append(out.Own, row.op)
		}
	}
	return out
}

// May gives the operations that p may do on anything at all, and of those on the hub as a whole the ones that p may do
// there.
func (a *Access) May(p Principal) (out []Operation) {
	for _, op := range Operations() {
		if a.Scope(p, op).Covers(Resource{Any: !op.ofHub()}) {
			out = append(out, op)
		}
	}
	return out
}

// ofHub: the operation is about the hub as a whole, so that a role on a group below the root gives it nothing.
func (op Operation) ofHub() bool {
	return slices.Contains([]Operation{PeopleChange, AuditRead, HubRead, HubChange, ProfilesChange}, op)
}
