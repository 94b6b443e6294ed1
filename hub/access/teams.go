package access

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Bounds of teams.
const (
	maxTeams   = 1000
	maxInTeam  = 2000
	maxNoteLen = 1024
)

// Teams gives all teams by name.
func (a *Access) Teams() []Team {
	a.mu.RLock()
	defer a.mu.RUnlock()
	out := make([]Team, 0, len(a.teams))
	for _, t := range a.teams {
		out = append(out, t)
	}
	slices.SortFunc(out, func(x, y Team) int { return strings.Compare(x.Name, y.Name) })
	return out
}

// PutTeam makes a team, or replaces what it says. expect looks at it as it is, nil where there is none; what it returns
// ends PutTeam. It may be nil. Other errors wrap ErrInvalid, or ErrNotFound for an account that is not there.
func (a *Access) PutTeam(t Team, expect func(*Team) error) (Team, error) {
	if err := checkName(t.Name); err != nil {
		return Team{}, fmt.Errorf("team: %w", err)
	}
	t.Leaders, t.Members = sorted(t.Leaders), sorted(t.Members)
	if len(t.Leaders)+len(t.Members) > maxInTeam || len(t.Note) > maxNoteLen {
		return Team{}, fmt.Errorf("team %q: %w: at most %d people, and a note of %d bytes", t.Name, ErrInvalid, maxInTeam, maxNoteLen)
	}
	a.write.Lock()
	defer a.write.Unlock()
	old, ok := a.teams[t.Name]
	var now *Team
	if ok {
		now = &old
	}
	if expect != nil {
		if err := expect(now); err != nil {
			return Team{}, err
		}
	}
	if !ok && len(a.teams) >= maxTeams {
		return Team{}, fmt.Errorf("team %q: %w: there are %d: remove some", t.Name, ErrInvalid, maxTeams)
	}
	t.Created = cmp.Or(old.Created, time.Now().Unix())
	for _, name := range slices.Concat(t.Leaders, t.Members) {
		if _, ok := a.accounts[name]; !ok {
			return Team{}, unknown(name)
		}
	}
	return t, a.putTeam(t)
}

func sorted(names []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(names)))
}

// putTeam writes a team. It needs write.
func (a *Access) putTeam(t Team) error {
	if err := a.store.PutTeam(t); err != nil {
		return fmt.Errorf("save team %q: %w", t.Name, err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.teams[t.Name] = t
	a.rearrange()
	return nil
}

// RemoveTeam removes a team with the grants it had. Errors wrap ErrNotFound.
func (a *Access) RemoveTeam(name string) error {
	a.write.Lock()
	defer a.write.Unlock()
	if _, ok := a.teams[name]; !ok {
		return fmt.Errorf("team %.160q: %w", name, ErrNotFound)
	}
	var e Ended
	for _, g := range a.grants {
		if g.Team == name {
			e.Grants = append(e.Grants, g.ID)
		}
	}
	if err := a.store.RemoveTeam(name, e.Grants); err != nil {
		return fmt.Errorf("remove team %q: %w", name, err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.teams, name)
	a.drop(e)
	return nil
}

// AddMember puts an account into a team. Who may change people may, and who leads the team. Errors wrap ErrForbidden,
// ErrNotFound or ErrInvalid.
func (a *Access) AddMember(p Principal, team, account string) (Team, error) {
	return a.changeTeam(p, team, func(t Team) (Team, error) {
		if _, ok := a.accounts[account]; !ok {
			return t, unknown(account)
		}
		if len(t.Members) >= maxInTeam {
			return t, fmt.Errorf("team %q: %w: at most %d people", team, ErrInvalid, maxInTeam)
		}
		t.Members = sorted(append(slices.Clone(t.Members), account))
		return t, nil
	})
}

// RemoveMember takes an account out of a team, and out of its leaders where p may change people. Errors are as of
// AddMember.
func (a *Access) RemoveMember(p Principal, team, account string) (Team, error) {
	return a.changeTeam(p, team, func(t Team) (Team, error) {
		switch {
		case !t.Has(account):
			return t, fmt.Errorf("user %.160q in team %q: %w", account, team, ErrNotFound)
		case slices.Contains(t.Leaders, account) && a.Authorize(p, PeopleChange, Resource{}) != nil:
			return t, fmt.Errorf("%w: %q leads team %q: only administrators change that", ErrForbidden, account, team)
		}
		return t.without(account), nil
	})
}

func (a *Access) changeTeam(p Principal, name string, change func(Team) (Team, error)) (Team, error) {
	may := a.Authorize(p, PeopleChange, Resource{Kind: "team", ID: name})
	a.write.Lock()
	defer a.write.Unlock()
	t, ok := a.teams[name]
	leads := p.Kind == KindUser && !p.Setup && slices.Contains(t.Leaders, p.Owner)
	if may != nil && !leads {
		return Team{}, may
	}
	if !ok {
		return Team{}, fmt.Errorf("team %.160q: %w", name, ErrNotFound)
	}
	t, err := change(t)
	if err != nil {
		return Team{}, err
	}
	return t, a.putTeam(t)
}

func (t Team) without(account string) Team {
	drop := func(from []string) []string {
		return slices.DeleteFunc(slices.Clone(from), func(x string) bool { return x == account })
	}
	t.Leaders, t.Members = drop(t.Leaders), drop(t.Members)
	return t
}
