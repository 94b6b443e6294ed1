package access_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farshore/farshore/hub/access"
)

func TestRolesHoldBelowTheirGroupAndNowhereElse(t *testing.T) {
	a, _ := open(t, t.TempDir())
	_, anna := admin(t, a)
	add(t, a, "olav")
	_, olav, err := login(a, "olav", password, remote)
	if err != nil {
		t.Fatal(err)
	}
	in := func(group string) access.Resource {
		return access.Resource{Kind: "device", ID: "d", Device: "d", Group: group}
	}
	may := func(op access.Operation, r access.Resource) bool { return a.Authorize(olav, op, r) == nil }

	if may(access.DevicesRead, in("norway")) || may(access.DevicesRead, access.Resource{Any: true}) {
		t.Error("somebody without a role sees something")
	}
	g, err := a.Grant(anna, access.Grant{User: "olav", Role: access.RoleOperator, Group: "norway/oslo"})
	if err != nil {
		t.Fatal(err)
	}
	for r, want := range map[string]bool{"norway/oslo": true, "norway/oslo/line 1": true, "norway": false, "norway/oslo2": false, "": false} {
		if got := may(access.DevicesRead, in(r)); got != want {
			t.Errorf("an operator of norway/oslo sees a device in %q: %t", r, got)
		}
	}
	if may(access.StacksApply, in("norway/oslo")) || may(access.HubRead, access.Resource{}) || !may(access.CommandsGive, in("norway/oslo")) {
		t.Error("an operator gives commands, makes nothing new, and has no say on the hub")
	}
	s := a.Scope(olav, access.DevicesRead)
	if s.All() || s.Empty() || !s.Leads("norway") || !s.Leads("norway/oslo/a") || s.Leads("sweden") || !s.Leads("") {
		t.Error("the way to the group is shown, and no other")
	}
	if _, err := a.RevokeGrant(olav, g.ID); !errors.Is(err, access.ErrForbidden) {
		t.Errorf("an operator takes grants back: %v", err)
	}
	if _, err := a.RevokeGrant(anna, g.ID); err != nil || may(access.DevicesRead, in("norway/oslo")) {
		t.Errorf("a grant outlives its end: %v", err)
	}
}

func TestNobodyGivesMoreThanTheyHave(t *testing.T) {
	a, _ := open(t, t.TempDir())
	_, anna := admin(t, a)
	add(t, a, "lead", "new")
	if _, err := a.Grant(anna, access.Grant{User: "lead", Role: access.RoleDeviceAdministrator, Group: "oslo"}); err != nil {
		t.Fatal(err)
	}
	_, lead, err := login(a, "lead", password, remote)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		role  access.Role
		group string
		fine  bool
	}{
		{access.RoleOperator, "oslo/line", true},
		{access.RoleDeviceAdministrator, "oslo", true},
		{access.RoleInstaller, "oslo", true},
		{access.RoleAdministrator, "oslo", false},
		{access.RoleEdgeAdministrator, "oslo", false},
		{access.RoleOperator, "bergen", false},
		{access.RoleOperator, "", false},
	} {
		_, err := a.Grant(lead, access.Grant{User: "new", Role: x.role, Group: x.group})
		if (err == nil) != x.fine || err != nil && !errors.Is(err, access.ErrForbidden) {
			t.Errorf("the lead of oslo grants %s on %q: %v", x.role, x.group, err)
		}
	}
}

func TestGrantsEnd(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		a, stop := open(t, dir)
		defer stop()
		_, anna := admin(t, a)
		add(t, a, "temp")
		if _, err := a.Grant(anna, access.Grant{User: "temp", Role: access.RoleHelpdesk, Until: time.Now().Add(-time.Hour).Unix()}); !errors.Is(err, access.ErrInvalid) {
			t.Errorf("a grant that has ended already: %v", err)
		}
		if _, err := a.Grant(anna, access.Grant{User: "temp", Role: access.RoleHelpdesk, Until: time.Now().Add(time.Hour).Unix()}); err != nil {
			t.Fatal(err)
		}
		session, temp, err := login(a, "temp", password, remote)
		if err != nil {
			t.Fatal(err)
		}
		may := func() bool { return a.Authorize(temp, access.DevicesRead, access.Resource{Group: "oslo"}) == nil }
		if !may() {
			t.Error("a grant does not hold before its end")
		}
		time.Sleep(time.Hour)
		if _, err := a.Authenticate(session); err != nil || may() || !a.Scope(temp, access.DevicesRead).Empty() {
			t.Errorf("a grant outlives its end, within one session (%v)", err)
		}
	})
}

// Who has a role for some time cannot make it, or another's, last longer.
func TestNobodyGivesForLongerThanTheyHave(t *testing.T) {
	a, _ := open(t, t.TempDir())
	_, anna := admin(t, a)
	add(t, a, "temp", "new")
	end := time.Now().Add(time.Hour).Unix()
	if _, err := a.Grant(anna, access.Grant{User: "temp", Role: access.RoleDeviceAdministrator, Group: "oslo", Until: end}); err != nil {
		t.Fatal(err)
	}
	_, temp, err := login(a, "temp", password, remote)
	if err != nil {
		t.Fatal(err)
	}
	for until, fine := range map[int64]bool{0: false, end + 1: false, end: true, end - 60: true} {
		g, err := a.Grant(temp, access.Grant{User: "new", Role: access.RoleOperator, Group: "oslo", Until: until})
		if (err == nil) != fine || err != nil && !errors.Is(err, access.ErrForbidden) {
			t.Errorf("until %d, of %d: %v", until, end, err)
		}
		if err == nil {
			if _, err := a.RevokeGrant(temp, g.ID); err != nil {
				t.Errorf("taken back by who gave it: %v", err)
			}
		}
	}
}

// A limited token changes nothing of its owner's that its limit does not name.
func TestALimitedTokenLeavesItsOwnersThingsAlone(t *testing.T) {
	a, _ := open(t, t.TempDir())
	_, anna := admin(t, a)
	secret, small, err := a.CreateToken(anna, access.NewToken{Name: "small", Limit: &access.Limit{Role: access.RoleReadOnlyUser}})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := a.CreateToken(anna, access.NewToken{Name: "backup"}); err != nil {
		t.Fatal(err)
	}
	p, err := a.Authenticate(secret)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.RemoveToken(p, "backup"); !errors.Is(err, access.ErrNotFound) {
		t.Errorf("it removes another token: %v", err)
	}
	if err := a.SetViews(p, nil); !errors.Is(err, access.ErrForbidden) {
		t.Errorf("it replaces the saved views: %v", err)
	}
	if err := a.RemoveToken(p, small.ID); err != nil {
		t.Errorf("it cannot end itself: %v", err)
	}
}

// What Scope covers is compared with a naive reading of the rules, for random grants, tokens and things.
func TestScopesAgreeWithTheRulesReadPlainly(t *testing.T) {
	a, _ := open(t, t.TempDir())
	_, anna := admin(t, a)
	add(t, a, "bo")
	r := rand.New(rand.NewPCG(8, 1))
	groups := []string{"", "a", "a/b", "a/b/c", "ab", "b"}
	pick := func(from []string) string { return from[r.IntN(len(from))] }
	var grants []access.Grant
	for range 6 {
		g := access.Grant{User: "bo", Role: access.Roles()[r.IntN(len(access.Roles()))], Group: pick(groups[1:])}
		if r.IntN(4) == 0 {
			g.Device = fmt.Sprint("dev", r.IntN(3))
		}
		if _, err := a.Grant(anna, g); err == nil {
			grants = append(grants, g)
		} else if !errors.Is(err, access.ErrExists) {
			t.Fatal(err)
		}
	}
	below := func(path, top string) bool { return top == "" || strings.HasPrefix(path+"/", top+"/") }
	for range 20_000 {
		p := access.Principal{Name: "bo", Kind: access.KindUser, Owner: "bo"}
		var limit access.Limit
		if r.IntN(2) == 0 {
			p.Kind, p.Limit = access.KindToken, &limit
			if r.IntN(2) == 0 {
				limit.Role = access.Roles()[r.IntN(len(access.Roles()))]
			}
			for range r.IntN(3) {
				limit.Groups = append(limit.Groups, pick(groups))
			}
		}
		op := access.Operations()[r.IntN(len(access.Operations()))]
		x := access.Resource{Kind: "thing", ID: "x", Group: pick(groups)}
		if r.IntN(2) == 0 {
			x.Device = fmt.Sprint("dev", r.IntN(3))
		}
		if r.IntN(2) == 0 {
			x.Owner = &access.Owner{Visibility: access.ForOwner, Account: pick([]string{"bo", "eva"})}
		}
		want := false
		for _, g := range grants {
			roles := []access.Role{g.Role}
			if limit.Role != "" {
				roles = append(roles, limit.Role)
			}
			ok := x.Device == g.Device
			if g.Device == "" {
				ok = below(x.Group, g.Group)
			}
			if len(limit.Groups) > 0 && !slices.Contains(limit.Groups, "") {
				ok = ok && g.Device == "" && slices.ContainsFunc(limit.Groups, func(l string) bool { return below(x.Group, l) })
			}
			for _, role := range roles {
				all, own := role.May()
				ok = ok && (slices.Contains(all, op) || slices.Contains(own, op) && (x.Owner == nil || x.Owner.Account == "bo"))
			}
			want = want || ok
		}
		if got := a.Scope(p, op).Covers(x); got != want {
			t.Fatalf("%s on %+v (owner %+v), limit %+v: %t, want %t\ngrants %+v", op, x, x.Owner, p.Limit, got, want, grants)
		}
	}
}
