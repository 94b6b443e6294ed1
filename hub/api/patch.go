package api

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/farshore/farshore/hub/api/resource"
)

// patchText says what a patch of a device sets, for the audit trail and the device's timeline.
func patchText(p *resource.DevicePatch) string {
	var said []string
	say := func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) }
	if p.Name != nil {
		say("name %q", *p.Name)
	}
	if p.Group != nil {
		say("group /%s", *p.Group)
	}
	if p.Profile != nil {
		say("link profile %s", orInherited(*p.Profile))
	}
	switch {
	case p.Confirm == nil:
	case p.PairingCode != nil:
		say("identity confirmed by its pairing code")
	default:
		say("identity %s", map[bool]string{true: "confirmed", false: "unconfirmed"}[*p.Confirm])
	}
	for _, k := range slices.Sorted(maps.Keys(p.Labels)) {
		if v := p.Labels[k]; v != nil {
			say("label %s=%s", k, *v)
		} else {
			say("without label %s", k)
		}
	}
	if p.Settings != nil {
		said = append(said, settingsText(p.Settings)...)
	}
	return strings.Join(said, ", ")
}

func settingsText(p *resource.SettingsPatch) (said []string) {
	note(&said, "ping", p.Ping)
	note(&said, "snapshot", p.Snapshot)
	note(&said, "command", p.Command)
	note(&said, "chunk bytes", p.ChunkBytes)
	note(&said, "connect timeout seconds", p.ConnectTimeoutSeconds)
	note(&said, "exchange timeout seconds", p.ExchangeTimeoutSeconds)
	note(&said, "key exchange", p.KeyExchange)
	return said
}

func note[T comparable](said *[]string, what string, v *T) {
	var none T
	switch {
	case v == nil:
	case *v == none:
		*said = append(*said, what+" inherited")
	default:
		*said = append(*said, fmt.Sprintf("%s %v", what, *v))
	}
}

func orInherited(s string) string {
	if s == "" {
		return "inherited"
	}
	return s
}
