package access

import (
	"crypto/rand"
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"
	"time"
)

// maxGrants is the most grants of one hub.
const maxGrants = 100_000

// Grant gives a role on a group or a device to an account or a team. What it gives holds for everything below the group
// too; of several grants each adds what it allows.
type Grant struct {
	ID string `cbor:"1,keyasint" json:"id"`
	// User or Team is whom it is for; one of them.
	User string `cbor:"2,keyasint,omitempty" json:"user,omitempty"`
	Team string `cbor:"3,keyasint,omitempty" json:"team,omitempty"`
	Role Role   `cbor:"4,keyasint" json:"role"`
	// Group is a path; "" is the root: all devices, and for administrators the hub itself. Ignored with Device.
	Group string `cbor:"5,keyasint,omitempty" json:"group"`
	// Device is the id of the only device it is for. "": it is for the group.
	Device string `cbor:"6,keyasint,omitempty" json:"device,omitempty"`
	// Until is when it ends, Unix seconds. 0: never.
	Until int64 `cbor:"7,keyasint,omitempty" json:"until,omitempty"`
	// By is who made it, and Created when, Unix seconds. Note says why.
	By      string `cbor:"8,keyasint,omitempty" json:"by,omitempty"`
	Created int64  `cbor:"9,keyasint,omitempty" json:"created,omitempty"`
	Note    string `cbor:"10,keyasint,omitempty" json:"note,omitempty"`
}

func (g Grant) area() Resource {
	if g.Device != "" {
		return Resource{Kind: "device", ID: g.Device, Device: g.Device, Group: g.Group}
	}
	return Resource{Kind: "group", ID: "/" + g.Group, Group: g.Group}
}

// Team is a set of accounts that are granted roles, and own things, together.
type Team struct {
	Name string `cbor:"1,keyasint" json:"name"`
	// Leaders and Members are names of accounts; a leader is in no need to be a member too. Leaders may say who is in it.
	Leaders []string `cbor:"2,keyasint,omitempty" json:"leaders"`
	Members []string `cbor:"3,keyasint,omitempty" json:"members"`
	Note    string   `cbor:"4,keyasint,omitempty" json:"note,omitempty"`
	Created int64    `cbor:"5,keyasint,omitempty" json:"created,omitempty"`
}

// Has reports whether the account is in the team.
func (t Team) Has(account string) bool {
	return slices.Contains(t.Leaders, account) || slices.Contains(t.Members, account)
}

// Limit bounds what an API token may, to less than its owner.
type Limit struct {
	// Role that it has at most. "": that of its owner.
	Role Role `cbor:"1,keyasint,omitempty" json:"role,omitempty"`
	// Groups that it is for, with what is below them. Empty: all of its owner's.
	Groups []string `cbor:"2,keyasint,omitempty" json:"groups,omitempty"`
}

func (l *Limit) reach(op Operation) reach {
	if l == nil || l.Role == "" {
		return every
	}
	return l.Role.reach(op)
}

// narrow gives the parts of an area that lie within the limit. A device that was granted by itself, whose group is not
// known here, lies in no group but the root.
func (l *Limit) narrow(x area) (out []area) {
	if l == nil || len(l.Groups) == 0 || slices.Contains(l.Groups, "") {
		return []area{x}
	}
	if x.device != "" {
		return nil
	}
	for _, g := range l.Groups {
		switch {
		case within(x.group, g):
			return []area{x}
		case within(g, x.group):
			out = append(out, area{group: g, reach: x.reach})
		}
	}
	return out
}

// rules are all grants, arranged for asking. They never change: a change makes new ones.
type rules struct {
	byUser, byTeam map[string][]Grant
	teamsOf        map[string][]string // names of teams by account
}

// arrange makes rules. Accounts that are administrators have that role on the root group.
func arrange(accounts map[string]Account, teams map[string]Team, grants map[string]Grant) *rules {
	r := &rules{byUser: map[string][]Grant{}, byTeam: map[string][]Grant{}, teamsOf: map[string][]string{}}
	for _, x := range accounts {
		if x.Admin {
			r.byUser[x.Name] = append(r.byUser[x.Name], Grant{User: x.Name, Role: RoleAdministrator})
		}
	}
	for _, t := range teams {
		for _, name := range slices.Concat(t.Leaders, t.Members) {
			if !slices.Contains(r.teamsOf[name], t.Name) {
				r.teamsOf[name] = append(r.teamsOf[name], t.Name)
			}
		}
	}
	for _, g := range grants {
		if g.User != "" {
			r.byUser[g.User] = append(r.byUser[g.User], g)
		} else {
			r.byTeam[g.Team] = append(r.byTeam[g.Team], g)
		}
	}
	return r
}

// of gives the grants that an account has now, its own and those of its teams.
func (r *rules) of(account string, now int64) iter.Seq[Grant] {
	return func(yield func(Grant) bool) {
		lists := [][]Grant{r.byUser[account]}
		for _, t := range r.teamsOf[account] {
			lists = append(lists, r.byTeam[t])
		}
		for _, list := range lists {
			for _, g := range list {
				if (g.Until == 0 || now < g.Until) && !yield(g) {
					return
				}
			}
		}
	}
}

// Grants gives all grants, by group, device, and whom they are for.
func (a *Access) Grants() []Grant {
	a.mu.RLock()
	defer a.mu.RUnlock()
	out := make([]Grant, 0, len(a.grants))
	for _, g := range a.grants {
		out = append(out, g)
	}
	slices.SortFunc(out, func(x, y Grant) int {
		return strings.Compare(x.Group+"\x00"+x.Device+"\x00"+x.Team+"\x00"+x.User+"\x00"+x.ID, y.Group+"\x00"+y.Device+"\x00"+y.Team+"\x00"+y.User+"\x00"+y.ID)
	})
	return out
}

// Grant gives g; its ID, By and Created are set here. Nobody gives more than they have themselves, nor for longer: p needs
// AccessChange where the grant holds, and a role there that allows all that g's role does until g ends. Errors wrap ErrInvalid,
// ErrNotFound (no such account or team), ErrExists (the same grant is there) or ErrForbidden.
func (a *Access) Grant(p Principal, g Grant) (Grant, error) {
	switch {
	case (g.User == "") == (g.Team == ""):
		return Grant{}, fmt.Errorf("grant: %w: it is for a user or for a team: give one of them", ErrInvalid)
	case !g.Role.Known():
		return Grant{}, fmt.Errorf("role %.40q: %w: want one of %s", string(g.Role), ErrInvalid, roleNames())
	case g.Until != 0 && g.Until <= time.Now().Unix():
		return Grant{}, fmt.Errorf("grant: %w: its end lies in the past", ErrInvalid)
	case len(g.Note) > 1024:
		return Grant{}, fmt.Errorf("grant: %w: its note has %d bytes, at most 1024", ErrInvalid, len(g.Note))
	}
	a.write.Lock()
	defer a.write.Unlock()
	g, err := a.placed(g)
	// Who may not give it is not told either whether the place is there.
	if refused := a.mayGive(p, g, lasting(g)); refused != nil {
		return Grant{}, refused
	}
	if err != nil {
		return Grant{}, err
	}
	g.ID, g.By, g.Created = strings.ToLower(rand.Text()[:10]), p.String(), time.Now().Unix()
	if _, ok := a.accounts[g.User]; g.User != "" && !ok {
		return Grant{}, fmt.Errorf("user %.160q: %w", g.User, ErrNotFound)
	}
	if _, ok := a.teams[g.Team]; g.Team != "" && !ok {
		return Grant{}, fmt.Errorf("team %.160q: %w", g.Team, ErrNotFound)
	}
	if len(a.grants) >= maxGrants {
		return Grant{}, fmt.Errorf("grant: %w: there are %d: remove some, or grant to teams and groups higher up", ErrInvalid, maxGrants)
	}
	for _, x := range a.grants {
		if x.User == g.User && x.Team == g.Team && x.Role == g.Role && x.Group == g.Group && x.Device == g.Device && x.Until == g.Until {
			return Grant{}, fmt.Errorf("this grant: %w: it is %s", ErrExists, x.ID)
		}
	}
	if err := a.store.PutGrant(g); err != nil {
		return Grant{}, fmt.Errorf("save grant: %w", err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.grants[g.ID] = g
	a.rearrange()
	return g, nil
}

// lasting is the last moment at which g holds.
func lasting(g Grant) int64 {
	if g.Until == 0 {
		return math.MaxInt64
	}
	return g.Until - 1
}

// mayGive: p has AccessChange where g holds, and at the moment all that g's role allows.
func (a *Access) mayGive(p Principal, g Grant, moment int64) error {
	if err := a.Authorize(p, AccessChange, g.area()); err != nil {
		return err
	}
	for _, row := range table {
		if g.Role.reach(row.op) != none && !a.scopeAt(p, row.op, moment).coversAll(g.area()) {
			return fmt.Errorf("role %s: %w: %s may not %s there as long, and nobody gives more than they have", g.Role, ErrForbidden, p, row.op)
		}
	}
	return nil
}

// coversAll: r is covered, and all things in it, whoever owns them.
func (s Scope) coversAll(r Resource) bool {
	r.Owner = &Owner{Visibility: ForAdministrators}
	return s.Covers(r)
}

// RevokeGrant takes a grant back. Errors wrap ErrNotFound or ErrForbidden.
func (a *Access) RevokeGrant(p Principal, id string) (Grant, error) {
	a.write.Lock()
	defer a.write.Unlock()
	g, ok := a.grants[id]
	if !ok {
		return Grant{}, fmt.Errorf("grant %.40q: %w", id, ErrNotFound)
	}
	here, _ := a.placed(g) // where a device is now; one that is gone is in the root
	if err := a.mayGive(p, here, time.Now().Unix()); err != nil {
		return Grant{}, err
	}
	if err := a.store.RemoveGrants([]string{id}); err != nil {
		return Grant{}, fmt.Errorf("remove grant %s: %w", id, err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.grants, id)
	a.rearrange()
	return g, nil
}

// placed gives g with the group that its device is in. Errors wrap ErrNotFound.
func (a *Access) placed(g Grant) (Grant, error) {
	if a.places == nil {
		return g, nil
	}
	if g.Device == "" {
		if !a.places.HasGroup(g.Group) {
			return g, fmt.Errorf("group %.160q: %w: make it first", g.Group, ErrNotFound)
		}
		return g, nil
	}
	group, ok := a.places.GroupOf(g.Device)
	g.Group = group
	if !ok {
		return g, fmt.Errorf("device %.80q: %w", g.Device, ErrNotFound)
	}
	return g, nil
}

// Settle tells which groups and devices there are, from now on, and removes grants on others. It is called once, before
// anybody is let in.
func (a *Access) Settle(p Places) error {
	a.write.Lock()
	defer a.write.Unlock()
	a.places = p
	return a.sweep()
}

// Removing runs remove, which takes a group or a device away, and removes the grants on it: they never hold for another
// that is made in its place. Nothing is granted meanwhile.
func (a *Access) Removing(remove func() error) error {
	a.write.Lock()
	defer a.write.Unlock()
	if err := remove(); err != nil {
		return err
	}
	return a.sweep()
}

// sweep removes the grants on what is not there. It needs write.
func (a *Access) sweep() error {
	var e Ended
	for _, g := range a.grants {
		if _, err := a.placed(g); err != nil {
			e.Grants = append(e.Grants, g.ID)
		}
	}
	if len(e.Grants) == 0 {
		return nil
	}
	err := a.store.RemoveGrants(e.Grants)
	if err != nil {
		err = fmt.Errorf("remove the grants on what is gone: %w: they hold for nobody, and are removed when the hub starts again", err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.drop(e)
	return err
}

// rearrange makes the rules anew. It needs mu.
func (a *Access) rearrange() { a.rules.Store(arrange(a.accounts, a.teams, a.grants)) }

func roleNames() string {
	var names []string
	for _, r := range column {
		names = append(names, string(r))
	}
	return strings.Join(names, ", ")
}
