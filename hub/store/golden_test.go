package store

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/farshore/farshore/economy"
	"github.com/farshore/farshore/economy/ledger"
	"github.com/farshore/farshore/hub/access"
	"github.com/farshore/farshore/hub/backup"
	"github.com/farshore/farshore/hub/certificate"
	"github.com/farshore/farshore/hub/edgegroups"
	"github.com/farshore/farshore/hub/events"
	"github.com/farshore/farshore/hub/fleet"
	"github.com/farshore/farshore/hub/gate"
	"github.com/farshore/farshore/hub/gitsource"
	"github.com/farshore/farshore/hub/policy"
	"github.com/farshore/farshore/hub/registries"
	"github.com/farshore/farshore/hub/timeline"
	"github.com/farshore/farshore/hub/updates"
	"github.com/farshore/farshore/hub/variables"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks"
	"github.com/farshore/farshore/stacks/rollout"
	"github.com/farshore/farshore/waitingroom"
)

// makeGolden writes files of testdata that are not there. It never touches one that is: a file stands for what a
// release has stored, and is decoded for ever. A record that changes its meaning gets a new record version, a file in
// a new folder, and its old file stays.
var makeGolden = flag.Bool("golden", false, "write golden files that are missing")

// golden holds a record to its file: it decodes to want, and want is stored as the file says.
func golden[T any](t *testing.T, at place, file string, want T) {
	t.Helper()
	path := filepath.Join("testdata", "v1", file+".cbor")
	now := stored(t, at, want)
	raw, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) && *makeGolden {
		raw, err = now, os.WriteFile(path, now, 0o644)
	}
	if err != nil {
		t.Errorf("%v (a new record type? go test ./hub/store -golden writes its file)", err)
		return
	}
	got, err := decode[T](at, raw)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%s gives\n%+v, %v\nwant\n%+v", file, got, err, want)
	}
	if at.version == 1 && !bytes.Equal(raw, now) {
		t.Errorf("%s is stored now as\n%x, in the file as\n%x", file, now, raw)
	}
	newer := at
	newer.version++
	if _, err := decode[T](at, stored(t, newer, want)); !errors.Is(err, ErrNewer) {
		t.Errorf("%s of a newer version: %v", file, err)
	}
}

func stored[T any](t *testing.T, at place, v T) []byte {
	t.Helper()
	body, err := protocol.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := protocol.Marshal(record{Version: at.version, Body: body})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestStoredFleetIsReadForEver(t *testing.T) {
	settings := protocol.Settings{
		Ping: 60, Snapshot: protocol.FrequencyPush, Command: protocol.FrequencyOff, Chunk: 4096,
		ConnectTimeout: 45, ExchangeTimeout: 90, KeyExchange: protocol.KeyExchangeClassic,
	}
	golden(t, deviceAt("qz3x4y5w6v7u2t3s"), "fleet-device", fleet.Device{
		ID: "qz3x4y5w6v7u2t3s", Key: bytes.Repeat([]byte{7}, 32), Name: "pump 7", Group: "norway/oslo",
		Labels: map[string]string{"line": "a"}, Wishes: map[string]string{"tier": "gold"}, Mode: protocol.ModeStandard,
		Facts: protocol.Facts{
			Hostname: "pump", OS: "linux", Arch: "arm/v7", Engine: "docker 20.10.24", Serial: "S-1", MachineID: "ab12",
			Version: "1.0", Capability: 1, Mode: protocol.ModeStandard, Name: "pump 7",
		},
		Observed: fleet.SnapshotFacts{Arch: "arm/v7", OS: "Debian GNU/Linux 12 (bookworm)", Engine: "docker", EngineVersion: "20.10.24"},
		Settings: settings, Profile: "satellite", Confirmed: true, ApprovedBy: "anna", Approved: 1_760_000_001,
		Revoked: 1_760_000_002, Created: 1_760_000_000, EnrolmentKey: "k1", Replaces: "aaaaaaaaaaaaaaaa", ReplacedBy: "bbbbbbbbbbbbbbbb",
	})
	passes := &fleet.Passes{
		Passes: []protocol.Pass{{Start: 1_760_000_100, Seconds: 540, Bytes: 2_000_000}, {Start: 1_760_006_100, Seconds: 600}},
		After:  protocol.AfterOpen, Told: fleet.TableSoon,
	}
	golden(t, deviceAt("qz3x4y5w6v7u2t3s"), "fleet-device-link", fleet.Device{
		ID: "qz3x4y5w6v7u2t3s", Key: bytes.Repeat([]byte{7}, 32), Name: "aurora", Passes: passes,
		Lift: &fleet.Lift{Cycle: 20_370, Extra: 5_000_000, Note: "port call", By: "anna", At: 1_760_000_050},
	})
	golden(t, groupAt("ships"), "fleet-group-passes", fleet.Group{Path: "ships", Passes: passes})
	metered := settings
	metered.Link = &protocol.LinkRules{
		Budget: &protocol.Budget{
			Day: 31, Zone: "Europe/Oslo", Soft: 15_000_000, Hard: 20_000_000, Reserve: 1_000_000, Floor: 21_600, DailyPing: true,
		},
		Contact: &protocol.Contact{Windows: []protocol.ContactWindow{{Start: "0 */6 * * *", Seconds: 600, Zone: "UTC"}}, After: protocol.AfterSilent},
		Images:  protocol.ImagesByAgent, Connection: protocol.ConnectionBrief,
	}
	golden(t, profileAt("vessel"), "fleet-profile-link", fleet.Profile{
		Name: "vessel", Settings: metered, Tariff: economy.Tariff{PerMB: 4_200_000, Currency: "EUR", Included: 10_000_000},
	})
	golden(t, groupAt("norway/oslo"), "fleet-group", fleet.Group{
		Path: "norway/oslo", Labels: map[string]string{"country": "no"}, Settings: settings, Profile: "lan",
	})
	golden(t, profileAt("ship"), "fleet-profile", fleet.Profile{Name: "ship", Settings: settings})
	golden(t, presenceAt("qz3x4y5w6v7u2t3s"), "fleet-presence", fleet.Presence{
		Device: "qz3x4y5w6v7u2t3s", LastContact: 1_760_000_003, Carrier: protocol.CarrierHTTPS,
		Boot: protocol.Boot{ID: [8]byte{1, 2, 3, 4, 5, 6, 7, 8}, Counter: 9}, Mark: protocol.OrderMark{Epoch: 2, Seq: 1_760_000_000_000_000},
		Version: "1.0", Capability: 1, OnTimeSince: 1_760_000_001, Interval: 60, Excused: 30,
		ClockOffset: -1500,
	})
	golden(t, presenceAt("qz3x4y5w6v7u2t3s"), "fleet-presence-build", fleet.Presence{
		Device: "qz3x4y5w6v7u2t3s", Version: "v1.2.0", Capability: 2, Build: fleet.Build{
			Platform: "linux/arm/v7", Agent: protocol.ShortHash{1, 7: 2}, Composer: protocol.ShortHash{3, 7: 4}, NoUpdate: "not installed as a service",
		},
	})
	golden(t, presenceAt("qz3x4y5w6v7u2t3s"), "fleet-presence-openings", windowed())
	golden(t, tombstoneAt("qz3x4y5w6v7u2t3s"), "fleet-revoked", fleet.Tombstone{
		Device: "qz3x4y5w6v7u2t3s", Serial: "S-1", MachineID: "ab12", Revoked: 1_760_000_002,
	})
	golden(t, aliveAt(), "fleet-alive", int64(1_760_000_004))
}

func TestStoredAccessIsReadForEver(t *testing.T) {
	hash := access.Hash{1, 2, 3, 30: 4, 31: 5}
	golden(t, accountAt("anna"), "access-account", access.Account{
		Name: "anna", Password: "$argon2id$v=19$m=47104,t=2,p=1$c2FsdA$c3Vt", Admin: true, Created: 1_760_000_000, Changed: 1_760_000_001,
	})
	golden(t, tokenAt("t1"), "access-token", access.Token{
		ID: "t1", Name: "ci", Owner: "anna", Hash: hash, Created: 1_760_000_000, Expires: 1_760_003_600,
	})
	golden(t, teamAt("oslo"), "access-team", access.Team{
		Name: "oslo", Leaders: []string{"anna"}, Members: []string{"bo"}, Note: "the plant", Created: 1_760_000_000,
	})
	golden(t, grantAt("g1"), "access-grant", access.Grant{
		ID: "g1", Team: "oslo", Role: access.RoleOperator, Group: "norway/oslo", Device: "qz3x4y5w6v7u2t3s", Until: 1_760_000_002, By: "anna",
		Created: 1_760_000_000, Note: "ticket 7",
	})
	golden(t, accountAt("bo"), "access-account-guarded", access.Account{
		Name: "bo", Created: 1_760_000_000, Changed: 1_760_000_001, BreakGlass: true, Disabled: true, LastSignIn: 1_760_000_002,
		Link:   &access.Link{Hash: hash, Expires: 1_760_000_003},
		Factor: &access.Factor{Sealed: []byte("sealed"), Since: 1_760_000_004, Step: 58_666_666, Recovery: []access.Hash{hash, {9}}},
	})
	golden(t, tokenAt("t2"), "access-token-limited", access.Token{
		ID: "t2", Name: "ci", Owner: "anna", Hash: hash, Created: 1_760_000_000, LastUsed: 1_760_000_001,
		Limit: &access.Limit{Role: access.RoleOperator, Groups: []string{"norway/oslo"}},
	})
	golden(t, sessionAt(hash), "access-session-agent", access.Session{
		Hash: hash, Account: "anna", Remote: "192.0.2.7", Created: 1_760_000_000, Expires: 1_760_028_800, Agent: "farshore/1.0",
	})
	golden(t, accessSettingsAt(), "access-settings", access.Settings{
		SessionLife: 28_800, MinPassword: 14, SecondFactor: access.NeededByAdministrators,
	})
	golden(t, viewsAt("anna"), "access-views", []access.View{{Name: "Late in Oslo", Query: "group=norway%2Foslo&state=late"}})
	golden(t, sessionAt(hash), "access-session", access.Session{
		Hash: hash, Account: "anna", Remote: "192.0.2.7:4711", Created: 1_760_000_000, Expires: 1_760_028_800,
	})
}

func TestStoredSecretsAreReadForEver(t *testing.T) {
	ofGroup := variables.Saved{Scope: variables.Scope{Group: "norway/oslo"}, Variables: []variables.Variable{
		{Name: "SITE", Sealed: []byte("sealed"), Updated: 1_760_000_000, By: "anna"},
		{Name: "TOKEN", Sealed: []byte("sealed too"), Secret: true, Updated: 1_760_000_001},
	}}
	golden(t, variablesAt(ofGroup.Scope), "variables-group", ofGroup)
	ofDevice := variables.Saved{Scope: variables.Scope{Device: "qz3x4y5w6v7u2t3s"}, Variables: []variables.Variable{
		{Name: "TOKEN", Sealed: []byte("sealed"), Secret: true, Updated: 1_760_000_000, By: "anna"},
	}}
	golden(t, variablesAt(ofDevice.Scope), "variables-device", ofDevice)
	golden(t, registryAt("r1"), "registry", registries.Registry{
		ID: "r1", Name: "plant", Address: "registry.example.com:5000", User: "bot", Sealed: []byte("sealed"), Group: "norway/oslo",
		Note: "ticket 7", CA: "-----BEGIN CERTIFICATE-----", Created: 1_760_000_000, Updated: 1_760_000_001, By: "anna",
	})
}

func TestStoredEventsAreReadForEver(t *testing.T) {
	golden(t, eventAt(1_760_000_000_000_000), "event", events.Stored{
		Event: events.Event{
			ID: 1_760_000_000_000_000, Kind: "stack.applied", Device: "qz3x4y5w6v7u2t3s", Group: "norway", Stack: "web",
			Text: "version 3 was applied",
		},
		At: time.Unix(1_760_000_000, 0).UnixMilli(), Data: []byte(`{"version":3}`),
	})
}

func TestStoredTimelinesAreReadForEver(t *testing.T) {
	golden(t, timelineAt("qz3x4y5w6v7u2t3s", 1_760_000_000_000_000), "timeline-contact", timeline.Entry{
		ID: 1_760_000_000_000_000, Kind: timeline.KindContact, At: 1_760_000_060_000, From: 1_760_000_000_000, Count: 12,
		Carrier: protocol.CarrierMQTT, Open: true,
	})
	golden(t, timelineAt("qz3x4y5w6v7u2t3s", 1_760_000_000_000_001), "timeline-change", timeline.Entry{
		ID: 1_760_000_000_000_001, Kind: timeline.KindChange, At: 1_760_000_000_000, Text: "name was pump", By: "anna",
		State: "late", Was: "on-time", Stack: "web", Version: 3, Command: 77,
	})
}

func TestStoredWaitingRoomIsReadForEver(t *testing.T) {
	golden(t, enrolmentKeyAt("k1"), "waitingroom-key", waitingroom.EnrolmentKey{
		ID: "k1", Name: "plant", SecretSealed: []byte("sealed"), Uses: 100, Used: 7, Expires: 1_760_003_600,
		AutoApprove: &waitingroom.Rule{Serials: []string{"S-*"}, Hostnames: []string{"gw-*"}, Networks: []string{"192.0.2.0/24"}},
		Group:       "norway/oslo", Labels: map[string]string{"line": "a"}, MaxWaiting: 50, SingleDevice: true, DeviceName: "pump 7",
		Created: 1_760_000_000, CreatedBy: "anna",
	})
	golden(t, waitingAt("qz3x4y5w6v7u2t3s"), "waitingroom-device", waitingroom.Waiting{
		ID: "qz3x4y5w6v7u2t3s", Key: bytes.Repeat([]byte{7}, 32), PairingCode: "ABCD-1234", EnrolmentKey: "k1",
		Facts: protocol.Facts{Hostname: "pump"}, Labels: map[string]string{"tier": "gold"}, State: waitingroom.StateRejected,
		First: 1_760_000_000, Last: 1_760_000_001, Count: 3, Remote: "192.0.2.7", Marks: []string{"this device was revoked before"},
		Notes: []string{"note"}, Decided: 1_760_000_002, By: "anna", Charged: true,
	})
}

func TestStoredPoliciesAreReadForEver(t *testing.T) {
	golden(t, policyAt("norway/oslo"), "policy", policy.Policy{
		Group: "norway/oslo", Forbid: []stacks.Rule{stacks.RuleBindMounts}, Images: []string{"registry.example.com/**"}, Note: "rule 12",
	})
}

func TestStoredEdgeGroupsAreReadForEver(t *testing.T) {
	golden(t, edgeGroupAt(7), "edge-group", edgegroups.Group{
		ID: 7, Name: "canaries", Description: "first to get what is new", Home: "norway/oslo", Devices: []protocol.DeviceID{"aaaaaaaaaaaaaaaa", "qz3x4y5w6v7u2t3s"},
		Selector: "ring=canary", Owner: protocol.Owner{Visibility: protocol.ForTeam, Team: "oslo"}, Created: 1_760_000_000, Updated: 1_760_000_001, By: "user anna",
	})
}

func TestStoredProtectionIsReadForEver(t *testing.T) {
	golden(t, certificateAt(), "certificate", certificate.Saved{Chain: []byte("PEM"), Key: []byte("sealed")})
	golden(t, gateAt(), "protection", gate.Settings{
		People: []string{"192.0.2.0/24"}, Devices: []string{"2001:db8::/32"}, TrustedProxies: []string{"127.0.0.1/32"},
		RequestsPerSecond: 10, Burst: 20,
	})
}

func TestStoredUpdatesAreReadForEver(t *testing.T) {
	golden(t, updateAt("abc123"), "update", updates.Update{
		ID: "abc123", Spec: updates.Spec{
			Release: "v1.3.0", Selector: "site=oslo", Group: "norway", Plan: rollout.Plan{Batch: rollout.Amount{Percent: 10}, ByOrder: true},
			OrderLabel: "ring", Windows: []updates.Window{{Start: "0 2 * * 6,7", Minutes: 120, Zone: "Europe/Oslo"}},
			Begin: 1_760_000_000, Trial: 600, Downgrade: true, Message: "monthly",
		},
		By: "anna", Created: 1_760_000_001, Ended: 1_760_000_002, Rollout: rollout.State{
			Plan: rollout.Plan{Batch: rollout.Amount{Percent: 10}, ByOrder: true}, Phase: rollout.Done, Batch: 1,
			Devices: map[protocol.DeviceID]rollout.Device{"qz3x4y5w6v7u2t3s": {Status: rollout.StatusSucceeded, Batch: 1}},
		},
	})
	golden(t, updateJobAt("abc123", "qz3x4y5w6v7u2t3s"), "update-job", updates.Job{
		Device: "qz3x4y5w6v7u2t3s", Attempt: 1, Command: 77, Back: true, From: "v1.2.0", State: protocol.CommandFailed, Code: "update-reverted",
		Text: "it did not start", Bytes: 184_000, Patch: true, Given: 1_760_000_000, Ended: 1_760_000_001,
	})
}

func TestStoredSourcesAreReadForEver(t *testing.T) {
	selector, group, remove := "site=oslo", "norway", true
	golden(t, sourceAt("web"), "git-source", gitsource.Source{
		Stack: "web", URL: "ssh://git@example.com/plant/stacks.git", Ref: "main", Path: "web", SignIn: gitsource.SignInKey, User: "git",
		HostKeys: []string{"SHA256:x"}, CA: "PEM", Interval: 300, Redeploy: gitsource.RedeployCommits, Hook: "unguessable",
		Sealed: []byte("sealed by the vault"), Has: gitsource.Has{Password: true, Key: true, HookSecret: true, Env: []string{"A"}, OwnEnv: true},
		Pull: protocol.PullAlways, Rev: 3, Created: 1_760_000_000, Changed: 1_760_000_001, By: "anna",
		Target: &gitsource.Target{Selector: &selector, Group: &group, Owner: &protocol.Owner{Visibility: protocol.ForTeam, Team: "crew"}, RemoveVolumes: &remove},
		Progress: gitsource.Progress{
			Rev: 3, Commit: "c0ffee", Author: "Anna", Subject: "The first", Content: "beef", Version: 2, Applied: 1_760_000_002, Bad: "bad",
			Code: "broken", Problem: "the commit is broken", Since: 1_760_000_003,
		},
	})
}

func TestStoredOrdersAreReadForEver(t *testing.T) {
	golden(t, acceptedAt("qz3x4y5w6v7u2t3s"), "orders", []byte("sealed by the vault"))
}

func TestStoredUsageIsReadForEver(t *testing.T) {
	some := []protocol.UsageCount{{Class: protocol.ClassSession, Up: 1_800, Down: 1_200}, {Class: protocol.ClassPull, Down: 5_000_000}}
	golden(t, usageAt(ledger.Slot{Step: ledger.Day, At: 20_370}, "qz3x4y5w6v7u2t3s"), "usage-day", ledger.Entry{
		Hub: some[:1], Device: some, Lost: some[:1],
	})
	golden(t, usageAt(ledger.Slot{Step: ledger.Day, At: 20_371}, "qz3x4y5w6v7u2t3s"), "usage-day-seen", ledger.Entry{
		Hub: some[:1], Device: some, Seen: some[:1],
	})
	golden(t, usageAt(ledger.Slot{Step: ledger.Day, At: 20_372}, "qz3x4y5w6v7u2t3s"), "usage-day-seen-nothing", ledger.Entry{
		Hub: some[:1], Device: some, Seen: []protocol.UsageCount{},
	})
	golden(t, usageStandingAt("qz3x4y5w6v7u2t3s"), "usage-device-counted", ledger.Standing{
		At: 1_760_000_000, Cycle: 20_362, Spent: 5_003_000, Stage: protocol.SpendingSaving, Counted: 3_000, Told: protocol.SpendingSilent,
	})
	golden(t, usageStandingAt("qz3x4y5w6v7u2t3s"), "usage-device", ledger.Standing{
		Boot: [8]byte{1, 2, 3, 4, 5, 6, 7, 8}, At: 1_760_000_000, Cycle: 20_362, Spent: 5_003_000, Stage: protocol.SpendingSaving, Rate: 12_000, First: 20_300,
		Alerts: []ledger.Alert{{Kind: ledger.Unusual, Class: protocol.ClassTunnel, Period: 20_370, Since: 1_760_000_000, Over: true, Text: "class tunnel"}},
	})
}

func TestStoredBackupsAreReadForEver(t *testing.T) {
	golden(t, restoredAt(), "backup-restored", Restored{
		Epoch: 1_760_000_003, At: 1_760_000_003, Backup: 1_760_000_000, Version: "1.2.3", Told: true,
	})
	golden(t, planAt(), "backup-plan", backup.Saved{
		Plan:   backup.Plan{Folder: "/var/backups/farshore", Times: "02:30", Keep: 14, Recipients: []string{"age1x"}},
		Sealed: []byte("sealed by the vault"), Changed: 1_760_000_000_000,
		Runs: []backup.Run{
			{Started: 1_760_000_002_000, Took: 1500, Error: "the folder is not there", Folder: "/var/backups/farshore"},
			{Started: 1_760_000_001_000, Took: 2500, File: "farshore-20251009T085321Z.age", Size: 4711, Folder: "/var/backups/farshore"},
		},
		LastSuccess: 1_760_000_001_000, Made: []string{"farshore-20251009T085321Z.age"},
	})
}

// TestEveryRecordHasAGoldenFile finds the functions that say where records live, and asks each for its file.
func TestEveryRecordHasAGoldenFile(t *testing.T) {
	sources, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var places []string
	var tests strings.Builder
	for _, name := range sources {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, "_test.go") {
			tests.Write(text)
			continue
		}
		for _, m := range regexp.MustCompile(`(?m)^func (\w+)\(.*\) place \{`).FindAllSubmatch(text, -1) {
			places = append(places, string(m[1]))
		}
	}
	if len(places) < 15 {
		t.Errorf("only %d places found: %v", len(places), places)
	}
	for _, p := range places {
		used := regexp.MustCompile(`(golden\(t, |decode\[[\w.]+\]\()` + p + `\(`)
		if !used.MatchString(tests.String()) {
			t.Errorf("records at %s have no golden file: see golden", p)
		}
	}
}

// windowed is the presence of a device with contact windows; what is expected of it is worked out by package fleet.
func windowed() fleet.Presence {
	p := fleet.Presence{
		Device: "qz3x4y5w6v7u2t3s", LastContact: 1_760_000_003, Carrier: protocol.CarrierMQTT, Interval: 3600, Open: 1_760_000_400,
		Stage: protocol.SpendingSaving,
	}
	for i := range p.Due {
		p.Due[i].Start = 1_760_021_600 + int64(i)*21_600
		p.Due[i].End = p.Due[i].Start + 600
	}
	return p
}
