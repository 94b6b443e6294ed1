package policy_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/farshore/farshore/hub/policy"
	"github.com/farshore/farshore/hub/store"
	"github.com/farshore/farshore/stacks"
)

func open(t *testing.T, dir string) (*policy.Book, func()) {
	t.Helper()
	s, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	b, err := policy.New(s)
	if err != nil {
		t.Fatal(err)
	}
	return b, func() { _ = s.Close() }
}

func TestWhatAGroupForbidsHoldsBelowItAndAfterARestart(t *testing.T) {
	dir := t.TempDir()
	b, stop := open(t, dir)
	for _, p := range []policy.Policy{
		{Group: "norway", Forbid: []stacks.Rule{stacks.RulePrivileged}, Note: "rule 12"},
		{Group: "norway/oslo", Images: []string{"registry.example.com/**", "busybox"}},
	} {
		if err := b.Put(p, nil); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	b, _ = open(t, dir)
	privileged := []stacks.Asks{{Service: "web", Image: "busybox:1.37", Wants: []stacks.Want{{Rule: stacks.RulePrivileged}}}}
	foreign := []stacks.Asks{{Service: "web", Image: "quay.io/x/y@sha256:" + strings.Repeat("a", 64)}}
	for _, x := range []struct {
		group string
		asks  []stacks.Asks
		want  string // "": allowed
	}{
		{"", privileged, ""},
		{"sweden", privileged, ""},
		{"norwayx", privileged, ""},
		{"norway", privileged, "web asks for privileged: the policy does not allow it: rule privileged of group /norway (rule 12)"},
		{"norway/oslo/line", privileged, "rule privileged of group /norway "},
		{"norway", foreign, ""},
		{"norway/oslo", foreign, "rule images of group /norway/oslo allows registry.example.com/**, busybox"},
		{"norway/oslo", []stacks.Asks{{Image: "busybox"}, {Image: "docker.io/library/busybox:2"}, {Image: "registry.example.com/a/b/c:1"}}, ""},
		{"norway/oslo", []stacks.Asks{{Image: "evil/busybox"}}, "rule images"},
		{"norway/oslo", []stacks.Asks{{Image: "registry.example.com.evil.org/a"}}, "rule images"},
		{"norway/oslo", []stacks.Asks{{Image: "UPPER/is not one"}}, "rule images"},
	} {
		err := b.Allows(x.group, x.asks)
		if (err == nil) != (x.want == "") || err != nil && (!errors.Is(err, policy.ErrRefused) || !strings.Contains(err.Error(), x.want)) {
			t.Errorf("in %q, %+v: %v, want %q", x.group, x.asks, err, x.want)
		}
	}
	if err := b.Put(policy.Policy{Group: "norway"}, nil); err != nil || b.Allows("norway", privileged) != nil {
		t.Errorf("a policy that was taken back still holds (%v)", err)
	}
}

func TestPoliciesThatCannotHoldAreRefused(t *testing.T) {
	b, _ := open(t, t.TempDir())
	for _, p := range []policy.Policy{
		{Forbid: []stacks.Rule{"everything"}},
		{Images: []string{""}},
		{Images: []string{"a b"}},
		{Images: make([]string, 201)},
		{Note: strings.Repeat("x", 2000)},
	} {
		if err := b.Put(p, nil); !errors.Is(err, policy.ErrInvalid) {
			t.Errorf("%+v: %v", p, err)
		}
	}
}

// What the Engine API takes is read as the engine reads it, whatever the spelling.
func TestCallsOfTheEngineAPIAreUnderstood(t *testing.T) {
	for body, want := range map[string]string{
		`{"Image":"x","HostConfig":{"Binds":["data:/x","/etc/x:ro"]}}`:                "bind-mounts /etc/x",
		`{"hostconfig":{"PRIVILEGED":true}}`:                                          "privileged ",
		`{"HostConfig":{"Privileged":false},"HostConfig":{"Privileged":true}}`:        "privileged ",
		`{"HostConfig":{"Binds":["vol-1.x:/x","/anonymous"]}}`:                        "",
		`{"HostConfig":{"Binds":["../x:/x"]}}`:                                        "bind-mounts ../x",
		`{"HostConfig":{"Mounts":[{"Type":"bind","Source":"/"}]}}`:                    "bind-mounts /",
		`{"HostConfig":{"Mounts":[{"Type":"npipe","Source":"p"}]}}`:                   "bind-mounts p",
		`{"HostConfig":{"Mounts":[{"Type":"volume","Source":"v"},{"Type":"tmpfs"}]}}`: "",
		`{"HostConfig":{"Mounts":[{"Type":"volume","Source":"v","VolumeOptions":{"DriverConfig":{"Options":{"type":"none","o":"bind","device":"/etc"}}}}]}}`: "bind-mounts volume v on /etc",
		`{"HostConfig":{"PidMode":"host","IpcMode":"container:a","NetworkMode":"host","UsernsMode":"host"}}`:                                                 "host-pid |other-containers container:a|host-network |host-user-namespace ",
		`{"NetworkingConfig":{"EndpointsConfig":{"host":{}}}}`:                                                                                               "host-network ",
		`{"HostConfig":{"Devices":[{"PathOnHost":"/dev/mem"}],"DeviceRequests":[{}],"DeviceCgroupRules":["a"]}}`:                                             "host-devices /dev/mem|host-devices a|host-devices device requests",
		`{"HostConfig":{"CapAdd":["ALL"],"Sysctls":{"a":"1"},"SecurityOpt":["apparmor=unconfined"],"MaskedPaths":[],"Runtime":"r","Annotations":{"x":"y"}}}`: "capabilities ALL|sysctls a|security-options apparmor=unconfined|security-options paths that are not masked|security-options annotation x|security-options r",
		`{"HostConfig":{"VolumesFrom":["other"]}}`:                                                                                                           "other-containers volumes of other",
	} {
		a, err := policy.OfContainer([]byte(body))
		var got []string
		for _, w := range a.Wants {
			got = append(got, string(w.Rule)+" "+w.What)
		}
		if err != nil || strings.Join(got, "|") != want {
			t.Errorf("%s: %q, %v; want %q", body, strings.Join(got, "|"), err, want)
		}
	}
	if v, err := policy.OfVolume([]byte(`{"Driver":"local","DriverOpts":{"type":"ext4","device":"/dev/sda1"}}`)); err != nil || len(v.Wants) != 1 {
		t.Errorf("a volume on the host's disk: %+v, %v", v, err)
	}
	if x, err := policy.OfExec([]byte(`{"Cmd":["sh"],"Privileged":true}`)); err != nil || len(x.Wants) != 1 {
		t.Errorf("a privileged process: %+v, %v", x, err)
	}
	for _, f := range []func([]byte) (stacks.Asks, error){policy.OfContainer, policy.OfVolume, policy.OfExec} {
		if _, err := f([]byte(`{"HostConfig":[]`)); !errors.Is(err, policy.ErrInvalid) {
			t.Errorf("rubbish: %v", err)
		}
	}
}
