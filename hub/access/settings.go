package access

import (
	"cmp"
	"fmt"
	"time"
)

// Needed says who needs a second factor.
type Needed string

// Who needs a second factor.
const (
	NeededByNobody         Needed = "nobody"
	NeededByAdministrators Needed = "administrators" // whoever has that role anywhere
	NeededByEverybody      Needed = "everybody"
)

// Settings of signing in. What is zero is as in DefaultSettings.
type Settings struct {
	// SessionLife is how long a session lasts after sign-in, used or not, in seconds.
	SessionLife int64 `cbor:"1,keyasint,omitempty"`
	// MinPassword is the fewest characters of a password that is set from now on.
	MinPassword  int    `cbor:"2,keyasint,omitempty"`
	SecondFactor Needed `cbor:"3,keyasint,omitempty"`
}

// Bounds of Settings.
const (
	minSessionLife = 15 * time.Minute
	maxSessionLife = 30 * 24 * time.Hour
	minMinPassword = 12
	maxMinPassword = 128
)

// DefaultSettings are those of a new hub.
func DefaultSettings() Settings {
	return Settings{SessionLife: int64(8 * time.Hour / time.Second), MinPassword: minMinPassword, SecondFactor: NeededByNobody}
}

func (s Settings) whole() Settings {
	d := DefaultSettings()
	return Settings{
		SessionLife: cmp.Or(s.SessionLife, d.SessionLife), MinPassword: cmp.Or(s.MinPassword, d.MinPassword),
		SecondFactor: cmp.Or(s.SecondFactor, d.SecondFactor),
	}
}

func (s Settings) check() error {
	life := time.Duration(s.SessionLife) * time.Second
	switch {
	case s.SessionLife > int64(maxSessionLife/time.Second) || life < minSessionLife:
		return fmt.Errorf("life of a session: %w: want 15 minutes to 30 days", ErrInvalid)
	case s.MinPassword < minMinPassword || s.MinPassword > maxMinPassword:
		return fmt.Errorf("least length of a password: %w: want %d to %d characters", ErrInvalid, minMinPassword, maxMinPassword)
	}
	switch s.SecondFactor {
	case NeededByNobody, NeededByAdministrators, NeededByEverybody:
		return nil
	}
	return fmt.Errorf("second factor for %.40q: %w: want nobody, administrators or everybody", string(s.SecondFactor), ErrInvalid)
}

// Settings gives the settings as they are.
func (a *Access) Settings() Settings {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.settings
}

// SetSettings replaces the settings. Sessions that are open last as long as they were given. expect looks at them as
// they are; what it returns ends SetSettings. It may be nil. Other errors wrap ErrInvalid.
func (a *Access) SetSettings(s Settings, expect func(Settings) error) (Settings, error) {
	s = s.whole()
	if err := s.check(); err != nil {
		return Settings{}, err
	}
	a.write.Lock()
	defer a.write.Unlock()
	if expect != nil {
		if err := expect(a.settings); err != nil {
			return Settings{}, err
		}
	}
	if err := a.store.PutAccessSettings(s); err != nil {
		return Settings{}, fmt.Errorf("save the settings of signing in: %w", err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.settings = s
	return s, nil
}

// needsFactor reports whether the account must have a second factor. It needs mu.
func (a *Access) needsFactor(x Account, now int64) bool {
	switch a.settings.SecondFactor {
	case NeededByEverybody:
		return true
	case NeededByAdministrators:
		for g := range a.rules.Load().of(x.Name, now) {
			if g.Role == RoleAdministrator {
				return true
			}
		}
	}
	return false
}
