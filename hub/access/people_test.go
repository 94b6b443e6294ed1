package access_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farshore/farshore/hub/access"
)

func TestInvitedPeopleSetTheirOwnPassword(t *testing.T) {
	a, _ := open(t, t.TempDir())
	admin(t, a)
	x, link, err := a.AddAccount(access.NewAccount{Name: "bo"})
	if err != nil || link == "" || x.Link.Expires-x.Created != int64(72*time.Hour/time.Second) {
		t.Fatalf("%+v, %q, %v", x, link, err)
	}
	for _, guess := range []string{"", "wrong wrong wrong"} {
		if _, _, err := login(a, "bo", guess, remote); !errors.Is(err, access.ErrUnauthenticated) {
			t.Errorf("without a password %q gets %v", guess, err)
		}
	}
	if _, err := a.RedeemInvite(link, "short"); !errors.Is(err, access.ErrInvalid) {
		t.Errorf("a short password: %v", err)
	}
	if name, err := a.RedeemInvite(link, password); err != nil || name != "bo" {
		t.Errorf("%q, %v", name, err)
	}
	if _, err := a.RedeemInvite(link, other); !errors.Is(err, access.ErrUnauthenticated) {
		t.Errorf("the link again: %v", err)
	}
	session, bo, err := login(a, "bo", password, remote)
	if err != nil {
		t.Fatal(err)
	}
	tok, _, err := a.CreateToken(bo, access.NewToken{Name: "ci"})
	if err != nil {
		t.Fatal(err)
	}
	reset, err := a.ResetPassword("bo", access.AlsoNothing)
	if err != nil || reset.Tokens != 1 {
		t.Fatalf("%+v, %v", reset, err)
	}
	if _, err := a.Authenticate(session); err == nil {
		t.Error("the session outlives the password")
	}
	if _, err := a.Authenticate(tok); err != nil {
		t.Errorf("the token: %v", err)
	}
	if _, err := a.ResetPassword("bo", access.AlsoTokens); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Authenticate(tok); err == nil {
		t.Error("the token outlives its removal")
	}
	if _, err := a.ResetPassword("anna", access.AlsoNothing); !errors.Is(err, access.ErrInvalid) {
		t.Errorf("the account of last resort: %v", err)
	}
}

func TestDisabledAndRemovedAccountsLeaveNothing(t *testing.T) {
	dir := t.TempDir()
	a, stop := open(t, dir)
	_, anna := admin(t, a)
	add(t, a, "bo")
	session, bo, err := login(a, "bo", password, remote)
	if err != nil {
		t.Fatal(err)
	}
	tok, _, err := a.CreateToken(bo, access.NewToken{Name: "ci"})
	if err != nil {
		t.Fatal(err)
	}
	yes, no := true, false
	if _, err := a.ChangeAccount("bo", access.AccountChange{Disabled: &yes}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := login(a, "bo", password, remote); !errors.Is(err, access.ErrUnauthenticated) {
		t.Errorf("disabled: %v", err)
	}
	if _, err := a.ChangeAccount("bo", access.AccountChange{Disabled: &no}); err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{session, tok} {
		if _, err := a.Authenticate(s); err == nil {
			t.Errorf("%.4s… lives again", s)
		}
	}
	if _, err := a.Grant(anna, access.Grant{User: "bo", Role: access.RoleOperator}); err != nil {
		t.Fatal(err)
	}
	if _, err := a.PutTeam(access.Team{Name: "field", Leaders: []string{"bo"}, Members: []string{"anna"}}, nil); err != nil {
		t.Fatal(err)
	}
	if err := a.RemoveAccount("bo"); err != nil {
		t.Fatal(err)
	}
	stop()
	a, _ = open(t, dir)
	add(t, a, "bo")
	if len(a.Grants()) != 0 || a.Teams()[0].Has("bo") || !a.Teams()[0].Has("anna") {
		t.Errorf("another bo has the grants %+v and is in %+v", a.Grants(), a.Teams())
	}
	if err := a.RemoveAccount("anna"); !errors.Is(err, access.ErrInvalid) {
		t.Errorf("the account of last resort goes: %v", err)
	}
	if _, err := a.ChangeAccount("anna", access.AccountChange{Admin: &no}); !errors.Is(err, access.ErrInvalid) {
		t.Errorf("the account of last resort is no administrator any more: %v", err)
	}
}

func TestSecondFactor(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		a, stop := open(t, dir)
		defer stop()
		_, anna := admin(t, a)
		sign := func(code string) error {
			_, err := a.Login(access.SignIn{Name: "anna", Password: password, Code: code, Remote: remote})
			return err
		}
		if _, err := a.BeginFactor(anna, "a wrong password 1", "Farshore"); !errors.Is(err, access.ErrForbidden) {
			t.Errorf("begun with a wrong password: %v", err)
		}
		e, err := a.BeginFactor(anna, password, "Farshore")
		if err != nil || !strings.HasPrefix(e.URL, "otpauth://totp/Farshore:anna?secret="+e.Secret) {
			t.Fatalf("%+v, %v", e, err)
		}
		if err := sign(""); err != nil {
			t.Errorf("a factor that was not confirmed is asked for: %v", err)
		}
		if _, err := a.ConfirmFactor(anna, "000000"); !errors.Is(err, access.ErrInvalid) {
			t.Errorf("a wrong code confirms: %v", err)
		}
		codes, err := a.ConfirmFactor(anna, access.CodeOf(e.Secret, time.Now()))
		if err != nil || len(codes) != 10 {
			t.Fatalf("%v, %v", codes, err)
		}
		if err := sign(""); !errors.Is(err, access.ErrSecondFactor) {
			t.Errorf("without a code: %v", err)
		}
		if _, _, err := login(a, "anna", other, remote); errors.Is(err, access.ErrSecondFactor) {
			t.Error("a wrong password tells of the second factor")
		}
		if err := sign(access.CodeOf(e.Secret, time.Now())); !errors.Is(err, access.ErrSecondFactor) {
			t.Errorf("the code that confirmed it, again: %v", err)
		}
		time.Sleep(31 * time.Second)
		now := access.CodeOf(e.Secret, time.Now())
		if err := sign(now); err != nil {
			t.Errorf("the code of now: %v", err)
		}
		if err := sign(now); !errors.Is(err, access.ErrSecondFactor) {
			t.Errorf("the code a second time: %v", err)
		}
		if err := sign(strings.ToUpper(codes[3])); err != nil {
			t.Errorf("a recovery code: %v", err)
		}
		if err := sign(codes[3]); !errors.Is(err, access.ErrSecondFactor) {
			t.Errorf("a recovery code a second time: %v", err)
		}
		// Whoever knows the password cannot guess codes, wherever from; a recovery code gets its owner in meanwhile.
		guesses := 0
		for i := range 2000 {
			_, err := a.Login(access.SignIn{Name: "anna", Password: password, Code: fmt.Sprintf("%06d", i), Remote: fmt.Sprintf("10.0.%d.%d", i/250, i%250)})
			if err == nil {
				t.Fatal("guessed")
			}
			if !errors.As(err, new(*access.DelayError)) {
				guesses++
			}
		}
		if guesses > 12 {
			t.Errorf("%d codes were tried at once", guesses)
		}
		o, err := a.Login(access.SignIn{Name: "anna", Password: password, Code: codes[4], Remote: remote})
		if err != nil {
			t.Fatalf("a recovery code meanwhile: %v", err)
		}
		if err := a.DropFactor(o.Principal, other); !errors.Is(err, access.ErrForbidden) {
			t.Errorf("off with a wrong password: %v", err)
		}
		if err := a.DropFactor(o.Principal, password); err != nil {
			t.Fatal(err)
		}
		if err := sign(""); err != nil {
			t.Errorf("after it was turned off: %v", err)
		}
	})
}

// The example codes of RFC 6238, appendix B, cut to six digits.
func TestCodesAreThoseOfTheStandard(t *testing.T) {
	for at, want := range map[int64]string{59: "287082", 1111111109: "081804", 1234567890: "005924", 20000000000: "353130"} {
		if got := access.CodeOf("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", time.Unix(at, 0)); got != want {
			t.Errorf("at %d: %s, want %s", at, got, want)
		}
	}
}

func TestWhoNeedsASecondFactorMayOnlySetOneUp(t *testing.T) {
	a, _ := open(t, t.TempDir())
	session, _ := admin(t, a)
	add(t, a, "bo")
	if _, err := a.SetSettings(access.Settings{SecondFactor: access.NeededByAdministrators}, nil); err != nil {
		t.Fatal(err)
	}
	anna, err := a.Authenticate(session)
	if err != nil || !anna.Setup || len(a.May(anna)) != 0 {
		t.Fatalf("%+v, %v", anna, err)
	}
	if err := a.Authorize(anna, access.DevicesRead, access.Resource{Any: true}); !errors.Is(err, access.ErrSetup) {
		t.Errorf("before the set-up: %v", err)
	}
	if _, bo, err := login(a, "bo", password, remote); err != nil || bo.Setup {
		t.Errorf("who is no administrator: %+v, %v", bo, err)
	}
	e, err := a.BeginFactor(anna, password, "Farshore")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.ConfirmFactor(anna, access.CodeOf(e.Secret, time.Now())); err != nil {
		t.Fatal(err)
	}
	if anna, err = a.Authenticate(session); err != nil || a.Authorize(anna, access.HubChange, access.Resource{}) != nil {
		t.Errorf("after the set-up: %+v, %v", anna, err)
	}
}

func TestPasswordsThatEverybodyTriesAreRefused(t *testing.T) {
	a, _ := open(t, t.TempDir())
	for _, weak := range []string{
		"Password1234!", "P@ssw0rd2026!!", "passwordpassword", "qwertyuiop1234", "123456789012", "abcdefghijklmnop", "iloveyou123456", "Farshore-2026!",
		"farshore.admin", "Welcome2Farshore", "letmeinletmein", "xyxyxyxyxyxyxy", "hilde.sorensen1", "1q1q1q1q1q1q", "qwertzuiopasdf", "correcthorsebatterystaple",
		"adminadminadmin1", "Sommer2026!!!", "zyxwvutsrqponm",
	} {
		_, _, err := a.AddAccount(access.NewAccount{Name: "hilde.sorensen", Password: weak})
		if !errors.Is(err, access.ErrInvalid) || strings.Contains(err.Error(), weak) {
			t.Errorf("%q: %v", weak, err)
		}
	}
	for i, good := range []string{password, other, "rT7-kq0z-Xw2p", "blue lamp under nine tables", "Vinterstorm over fjellet", "gnu.zebra.kiosk.42"} {
		if _, _, err := a.AddAccount(access.NewAccount{Name: fmt.Sprint("user", i), Password: good}); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	if _, err := a.SetSettings(access.Settings{MinPassword: 30}, nil); err != nil {
		t.Fatal(err)
	}
	if _, _, err := a.AddAccount(access.NewAccount{Name: "late", Password: password}); err == nil || !strings.Contains(err.Error(), "30") {
		t.Errorf("after the least length was raised: %v", err)
	}
}

// One password over many accounts, and many addresses on one account.
func TestSprayingGainsLittleAndLocksNobodyOut(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		a, stop := open(t, dir)
		defer stop()
		admin(t, a)
		add(t, a, "bo")
		tried := func(name, remote string) bool {
			_, _, err := login(a, name, "wrong wrong wrong", remote)
			return !errors.As(err, new(*access.DelayError))
		}
		n := 0
		for i := range 1000 {
			if tried(fmt.Sprint("user", i), fmt.Sprintf("[2001:db8::%x]:1", i+1)) { // one /64
				n++
			}
		}
		if n > 51 {
			t.Errorf("%d of 1000 accounts were tried from one address", n)
		}
		if _, _, err := login(a, "anna", password, "[2001:db8::9]:1"); err != nil {
			t.Errorf("the account of last resort waits for what its address did to others: %v", err)
		}
		n = 0
		for range 15 * 60 / 20 { // every 20 s for 15 minutes, from a thousand addresses
			for i := range 1000 {
				if tried("bo", fmt.Sprintf("10.1.%d.%d", i/250, i%250)) {
					n++
				}
			}
			time.Sleep(20 * time.Second)
		}
		if n > 8000 {
			t.Errorf("%d passwords of one account were tried in 15 minutes from 1000 addresses", n)
		}
		if _, _, err := login(a, "bo", password, "192.0.2.77"); err != nil {
			t.Errorf("its owner is locked out: %v", err)
		}
		if !tried("bo", "192.0.2.78") {
			t.Error("the first attempt of an address waits for what others did")
		}
		_, _, err := login(a, "bo", password, "192.0.2.78")
		var delay *access.DelayError
		if !errors.As(err, &delay) || delay.After > 5*time.Minute {
			t.Errorf("after a mistake: %v", err)
		}
		time.Sleep(delay.After)
		if _, _, err := login(a, "bo", password, "192.0.2.78"); err != nil {
			t.Errorf("after the wait: %v", err)
		}
	})
}

func TestSessionsAreListedAndEnded(t *testing.T) {
	a, _ := open(t, t.TempDir())
	first, anna := admin(t, a)
	o, err := a.Login(access.SignIn{Name: "anna", Password: password, Remote: "192.0.2.9", Agent: "evil\x1b[2J\n" + strings.Repeat("x", 999)})
	if err != nil {
		t.Fatal(err)
	}
	list := a.Sessions("anna", time.Now().Unix())
	if len(list) != 2 || !slices.ContainsFunc(list, func(s access.SessionSeen) bool { return s.ID() == anna.Session }) {
		t.Fatalf("%+v", list)
	}
	for _, s := range list {
		if strings.ContainsAny(s.Agent, "\x1b\n") || len(s.Agent) > 200 {
			t.Errorf("agent %q", s.Agent)
		}
		if _, err := a.Authenticate("fss_" + s.ID()); err == nil {
			t.Error("an id lets somebody in")
		}
	}
	if err := a.EndSession("bo", anna.Session); !errors.Is(err, access.ErrNotFound) {
		t.Errorf("somebody else's session: %v", err)
	}
	if n, err := a.EndSessions("anna", o.Principal.Session); n != 1 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if _, err := a.Authenticate(first); err == nil {
		t.Error("an ended session lets somebody in")
	}
	if err := a.SetPassword(o.Principal, other, "yet another good one"); !errors.Is(err, access.ErrForbidden) {
		t.Errorf("a wrong old password: %v", err)
	}
	if err := a.SetPassword(o.Principal, password, other); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Authenticate(o.Secret); err != nil {
		t.Errorf("one's own session after changing the password: %v", err)
	}
}

func TestTokensRememberTheirUseAndStayWithinTheirOwner(t *testing.T) {
	dir := t.TempDir()
	a, stop := open(t, dir)
	_, anna := admin(t, a)
	add(t, a, "bo")
	if _, err := a.Grant(anna, access.Grant{User: "bo", Role: access.RoleHelpdesk, Group: "oslo"}); err != nil {
		t.Fatal(err)
	}
	_, bo, err := login(a, "bo", password, remote)
	if err != nil {
		t.Fatal(err)
	}
	tok, made, err := a.CreateToken(bo, access.NewToken{Name: "ci", Limit: &access.Limit{Role: access.RoleAdministrator}})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := a.CreateToken(anna, access.NewToken{Name: "ci"}); err != nil {
		t.Errorf("another account's token of the name: %v", err)
	}
	p, err := a.Authenticate(tok)
	if err != nil || a.Authorize(p, access.CommandsGive, access.Resource{Group: "oslo"}) == nil || a.Authorize(p, access.DevicesRead, access.Resource{Group: "oslo"}) != nil {
		t.Errorf("%+v may more or less than its owner: %v", p, err)
	}
	if err := a.RemoveToken(bo, a.Tokens("anna")[0].ID); !errors.Is(err, access.ErrNotFound) {
		t.Errorf("bo removes anna's token: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := a.Run(ctx); err != nil {
		t.Fatal(err)
	}
	stop()
	a, _ = open(t, dir)
	if list := a.Tokens("bo"); len(list) != 1 || list[0].LastUsed == 0 || list[0].ID != made.ID {
		t.Errorf("after a restart: %+v", list)
	}
	if err := a.RemoveToken(anna, made.ID); err != nil {
		t.Errorf("an administrator removes it: %v", err)
	}
}

func TestLeadersSayWhoIsInTheirTeam(t *testing.T) {
	a, _ := open(t, t.TempDir())
	admin(t, a)
	add(t, a, "lead", "bo", "eva")
	if _, err := a.PutTeam(access.Team{Name: "field", Leaders: []string{"lead"}, Members: []string{"eva"}}, nil); err != nil {
		t.Fatal(err)
	}
	_, lead, _ := login(a, "lead", password, remote)
	_, eva, _ := login(a, "eva", password, remote)
	if _, err := a.AddMember(lead, "field", "bo"); err != nil {
		t.Error(err)
	}
	if _, err := a.RemoveMember(eva, "field", "bo"); !errors.Is(err, access.ErrForbidden) {
		t.Errorf("a member: %v", err)
	}
	if _, err := a.RemoveMember(lead, "field", "lead"); !errors.Is(err, access.ErrForbidden) {
		t.Errorf("a leader takes out a leader: %v", err)
	}
	if _, err := a.RemoveMember(lead, "field", "eva"); err != nil || a.Teams()[0].Has("eva") {
		t.Errorf("%+v, %v", a.Teams(), err)
	}
}

// ground has the groups and devices that it names.
type ground map[string]string

func (g ground) HasGroup(path string) bool         { _, ok := g["/"+path]; return ok }
func (g ground) GroupOf(dev string) (string, bool) { at, ok := g[dev]; return at, ok }

func TestGrantsGoWithWhatTheyAreOn(t *testing.T) {
	a, _ := open(t, t.TempDir())
	_, anna := admin(t, a)
	add(t, a, "bo")
	g := ground{"/": "", "/oslo": "", "pump": "oslo"}
	if err := a.Settle(g); err != nil {
		t.Fatal(err)
	}
	for _, x := range []access.Grant{{Group: "oslo"}, {Device: "pump"}, {Group: ""}} {
		x.User, x.Role = "bo", access.RoleOperator
		if _, err := a.Grant(anna, x); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := a.Grant(anna, access.Grant{User: "bo", Role: access.RoleOperator, Group: "bergen"}); !errors.Is(err, access.ErrNotFound) {
		t.Errorf("a grant on a group that is not there: %v", err)
	}
	e := a.Explain("bo", access.Resource{Device: "pump", Group: "oslo"})
	if len(e.Reasons) != 3 || !slices.Contains(e.All, access.CommandsGive) || slices.Contains(e.All, access.StacksApply) {
		t.Errorf("%+v", e)
	}
	in := errors.New("in use")
	if err := a.Removing(func() error { return in }); !errors.Is(err, in) || len(a.Grants()) != 3 {
		t.Errorf("what was not removed loses its grants: %v", err)
	}
	if err := a.Removing(func() error { delete(g, "/oslo"); delete(g, "pump"); return nil }); err != nil {
		t.Fatal(err)
	}
	g["/oslo"], g["pump"] = "", "oslo"
	if left := a.Grants(); len(left) != 1 || left[0].Group != "" {
		t.Errorf("grants live again: %+v", left)
	}
}
