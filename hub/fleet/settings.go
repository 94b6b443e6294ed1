package fleet

import (
	"fmt"

	"github.com/farshore/farshore/economy"
	"github.com/farshore/farshore/protocol"
)

// Names of the built-in link profiles.
const (
	ProfileLAN            = "lan"             // cheap and fast: everything at once
	ProfileLTE            = "lte"             // metered, and cut off now and then
	ProfileSatellite      = "satellite"       // each byte is paid for, and round trips are long
	ProfileVesselWindowed = "vessel-windowed" // a satellite that is switched on a few times a day
)

// builtIn gives the built-in profiles, sorted by name. None has caps: how much a link may spend is in a contract that
// the hub does not know, a device that falls silent by a guess is worse than a bill, and a soft cap that is a guess makes
// it slow for no reason that anybody gave. Who has a contract makes a profile of one of these, with its caps.
func builtIn() []Profile {
	byAgent := &protocol.LinkRules{Images: protocol.ImagesByAgent}
	return []Profile{
		{Name: ProfileLAN, BuiltIn: true, Settings: protocol.Settings{
			Ping: 30, Snapshot: protocol.FrequencyPush, Command: protocol.FrequencyPush,
			KeyExchange: protocol.KeyExchangeHybrid,
		}},
		{Name: ProfileLTE, BuiltIn: true, Settings: protocol.Settings{
			Ping: 5 * 60, Snapshot: 15 * 60, Command: protocol.FrequencyPush,
			Chunk: 16 << 10, ConnectTimeout: 30, ExchangeTimeout: 60, KeyExchange: protocol.KeyExchangeHybrid, Link: byAgent,
		}},
		// A push costs nothing while there is nothing to push; a ping every 20 min costs 17 kB a day.
		{Name: ProfileSatellite, BuiltIn: true, Settings: protocol.Settings{
			Ping: 20 * 60, Snapshot: 60 * 60, Command: protocol.FrequencyPush,
			Chunk: 4 << 10, ConnectTimeout: 60, ExchangeTimeout: 120, KeyExchange: protocol.KeyExchangeClassic, Link: byAgent,
		}},
		{Name: ProfileVesselWindowed, BuiltIn: true, Settings: protocol.Settings{
			Ping: 60 * 60, Snapshot: 6 * 60 * 60, Command: protocol.FrequencyPush,
			Chunk: 4 << 10, ConnectTimeout: 60, ExchangeTimeout: 120, KeyExchange: protocol.KeyExchangeClassic,
			Link: &protocol.LinkRules{
				Images: protocol.ImagesByAgent, Connection: protocol.ConnectionBrief,
				Contact: &protocol.Contact{Windows: []protocol.ContactWindow{{Start: "0 */6 * * *", Seconds: 600}}},
			},
		}},
	}
}

// Effective are the settings that hold for a device, and who says so.
type Effective struct {
	// Settings as they are sent to the device. Chunk, timeouts and key exchange stay zero where nobody set them; the
	// device then goes by the constants of package protocol.
	Settings protocol.Settings `json:"settings"`
	// From says for each JSON field of Settings where it comes from: "device", "group norway", "group /" for the root,
	// "profile satellite (device)", "profile satellite (group norway)", or "hub default". "passes" is where the table of
	// passes comes from, absent where there is none.
	From map[string]string `json:"from"`
	// Tariff of the profile. Zero: it is not known.
	Tariff economy.Tariff `json:"tariff,omitzero"`

	passes *Passes // the nearest table
}

// Explicit gives the settings with the protocol's constants in place of what nobody set, for people.
func (e Effective) Explicit() protocol.Settings {
	s := e.Settings
	orElse(&s.Chunk, protocol.MaxChunk)
	orElse(&s.ConnectTimeout, uint32(protocol.DefaultConnectTimeout.Seconds()))
	orElse(&s.ExchangeTimeout, uint32(protocol.DefaultExchangeTimeout.Seconds()))
	orElse(&s.KeyExchange, protocol.KeyExchangeHybrid)
	return s
}

func orElse[T comparable](v *T, other T) {
	var zero T
	if *v == zero {
		*v = other
	}
}

// effective computes the settings that hold for d: its own, then those of its groups from the nearest to the root,
// then the hub's defaults. The nearest profile named, and only that one, stands behind the settings of the place that
// names it and before all that is further away.
func effective(s view, d *Device, labels map[string]string) *Effective {
	e := &Effective{From: make(map[string]string, 8)}
	e.take(s, place{settings: &d.Settings, profile: d.Profile, passes: d.Passes, name: "device"})
	for path, ok := d.Group, true; ok; path, ok = parent(path) {
		if g := s.groupAt(path); g != nil {
			e.take(s, place{settings: &g.Settings, profile: g.Profile, passes: g.Passes, name: "group " + first(path, "/")})
		}
	}
	defaults := protocol.DefaultSettings(d.Mode)
	e.fill(&defaults, "hub default")
	for _, field := range [...]string{"profile", "chunk", "connect_timeout", "exchange_timeout", "key_exchange", "link"} {
		if e.From[field] == "" {
			e.From[field] = "hub default"
		}
	}
	e.link(d, labels)
	return e
}

// view is where groups and profiles are looked up: the state, or what a change is going to make of it.
type view interface {
	groupAt(path string) *Group
	profileNamed(name string) *Profile
}

func (s *state) groupAt(path string) *Group { return s.groups[path] }

func (s *state) profileNamed(name string) *Profile { return s.profiles[name] }

// place is where settings can be given.
type place struct {
	settings      *protocol.Settings
	passes        *Passes
	profile, name string
}

func (e *Effective) take(s view, p place) {
	e.fill(p.settings, p.name)
	if e.passes == nil && p.passes != nil {
		e.passes, e.From["passes"] = p.passes, p.name
	}
	if p.profile == "" || e.Settings.Profile != "" {
		return
	}
	if profile := s.profileNamed(p.profile); profile != nil {
		e.Settings.Profile, e.From["profile"], e.Tariff = p.profile, p.name, profile.Tariff
		e.fill(&profile.Settings, "profile "+p.profile+" ("+p.name+")")
	}
}

// fill takes over the fields that s sets and nobody nearer has.
func (e *Effective) fill(s *protocol.Settings, from string) {
	to := &e.Settings
	take(e, &to.Ping, s.Ping, source{"ping", from})
	take(e, &to.Snapshot, s.Snapshot, source{"snapshot", from})
	take(e, &to.Command, s.Command, source{"command", from})
	take(e, &to.Chunk, s.Chunk, source{"chunk", from})
	take(e, &to.ConnectTimeout, s.ConnectTimeout, source{"connect_timeout", from})
	take(e, &to.ExchangeTimeout, s.ExchangeTimeout, source{"exchange_timeout", from})
	take(e, &to.KeyExchange, s.KeyExchange, source{"key_exchange", from})
	take(e, &to.Link, s.Link, source{"link", from})
}

type source struct{ field, from string }

func take[T comparable](e *Effective, to *T, v T, s source) {
	var zero T
	if *to == zero && v != zero {
		*to, e.From[s.field] = v, s.from
	}
}

// Limits of settings.
const (
	minChunk   = 256
	maxTimeout = 3600 // seconds
	minTimeout = 5
)

// CheckSettings holds settings of a device or group to what a device can go by. Errors wrap ErrInvalid and name the
// field.
func CheckSettings(s protocol.Settings) error {
	if s.Link != nil {
		return fmt.Errorf("budget and times of contact: %w: they are given to a link profile", ErrInvalid)
	}
	frequencies := [...]struct {
		name string
		f    protocol.Frequency
		push bool
	}{{"ping", s.Ping, false}, {"snapshot", s.Snapshot, true}, {"command", s.Command, true}}
	for _, x := range frequencies {
		switch {
		case x.f == protocol.FrequencyPush && !x.push:
			return fmt.Errorf("%s frequency push: %w: want a duration such as 60s, or off", x.name, ErrInvalid)
		case x.f < protocol.FrequencyPush || x.f > 400*24*3600:
			return fmt.Errorf("%s frequency of %d s: %w: want 1s to 9600h, or off", x.name, x.f, ErrInvalid)
		}
	}
	if s.Profile != "" {
		return fmt.Errorf("settings with profile %q: %w: a profile is named beside the settings, not in them", s.Profile, ErrInvalid)
	}
	if s.Chunk != 0 && (s.Chunk < minChunk || s.Chunk > protocol.MaxChunk) {
		return fmt.Errorf("chunk of %d bytes: %w: want %d to %d", s.Chunk, ErrInvalid, minChunk, protocol.MaxChunk)
	}
	for i, t := range [...]uint32{s.ConnectTimeout, s.ExchangeTimeout} {
		if t != 0 && (t < minTimeout || t > maxTimeout) {
			return fmt.Errorf("%s timeout of %d s: %w: want %d to %d s",
				[...]string{"connect", "exchange"}[i], t, ErrInvalid, minTimeout, maxTimeout)
		}
	}
	if s.KeyExchange > protocol.KeyExchangeClassic {
		return fmt.Errorf("key exchange %d: %w: want hybrid or classic", s.KeyExchange, ErrInvalid)
	}
	return nil
}
