package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/farshore/farshore/hub/audit"
	"github.com/farshore/farshore/hub/backup"
	"github.com/farshore/farshore/hub/certificate"
	"github.com/farshore/farshore/hub/doctor"
	"github.com/farshore/farshore/hub/identity"
	"github.com/farshore/farshore/hub/store"
	"github.com/farshore/farshore/hub/vault"
)

// examineTimeout bounds what a running hub is waited for: it reads its whole database and audit trail.
const examineTimeout = 30 * time.Minute

// errNoHubKey: what is wrong with the key is said elsewhere.
var errNoHubKey = errors.New("it was not looked at, since without the hub's keys it cannot be judged: mend these first")

// Examine says how sound the hub of a configuration is. It changes nothing. Where the hub runs, it is asked what it
// alone can say; where none does, the data folder is read. The clock is held against the web server at the URL against
// too, unless that is "".
func Examine(ctx context.Context, c Config, against string) ([]doctor.Finding, error) {
	if err := c.setDefaults(); err != nil {
		return nil, err
	}
	findings := doctor.Run(ctx, []doctor.Check{
		{Thing: "keys", Look: func(context.Context) []doctor.Finding { return lookAtFiles(c.Data) }},
		{Thing: "disk", Look: func(context.Context) []doctor.Finding { return doctor.Disk(c.Data, databaseSize(c.Data)) }},
	})
	inside, err := examineInside(ctx, c)
	if err != nil {
		return nil, err
	}
	findings = append(findings, inside...)
	if against != "" {
		findings = append(findings, doctor.Run(ctx, []doctor.Check{
			{Thing: "clock", Look: func(ctx context.Context) []doctor.Finding { return doctor.ClockAgainst(ctx, against) }},
		})...)
	}
	return findings, nil
}

// examineInside gives the findings of the running hub, or of the folder of one that does not run.
func examineInside(ctx context.Context, c Config) ([]doctor.Finding, error) {
	asked, cancel := context.WithTimeout(ctx, examineTimeout)
	defer cancel()
	answer, err := ask(asked, c.Data, http.MethodGet, "/doctor")
	if errors.Is(err, ErrNotRunning) {
		return examineFolder(ctx, c), nil
	}
	var findings []doctor.Finding
	if err == nil {
		err = json.Unmarshal([]byte(answer), &findings)
	}
	if err != nil {
		return nil, fmt.Errorf("ask the running hub: %w: look into its log, or stop it and try again", err)
	}
	return findings, nil
}

func lookAtFiles(data string) []doctor.Finding {
	return doctor.Secrets(data, store.FileName, identity.HubKeyFile, vault.FileName, identity.WebKeyFile, audit.Folder)
}

func databaseSize(data string) int64 {
	info, err := os.Stat(filepath.Join(data, store.FileName))
	if err != nil {
		return 0
	}
	return info.Size()
}

// inside are the parts that the checks ask.
type inside struct {
	survey      func(context.Context) (store.Survey, error)
	trail       func(context.Context) (audit.Report, error)
	certificate func() (certificate.Status, error)
	backups     func() (backup.State, error)
	devices     func() (int, error)
	ports       func(context.Context) []doctor.Finding
	host        string // by what name people reach the hub; "": it is not known
}

// checks is the table of what needs the database, in the order in which it is shown.
func (p inside) checks() []doctor.Check {
	var newest time.Time
	return []doctor.Check{
		{Thing: "store", Look: func(ctx context.Context) []doctor.Finding {
			s, err := p.survey(ctx)
			if err != nil {
				return doctor.Say(doctor.Fail, "%v: stop the hub, and put back the data folder from a backup, on a disk that is sound", err)
			}
			newest = s.Newest
			return doctor.Store(s.Size, s.Live)
		}},
		{Thing: "audit trail", Look: func(ctx context.Context) []doctor.Finding {
			r, err := p.trail(ctx)
			if errors.Is(err, errNoHubKey) {
				return doctor.Say(doctor.Warn, "%v", err)
			}
			if r.Last.At.After(newest) {
				newest = r.Last.At
			}
			return doctor.Trail(r, err)
		}},
		{Thing: "certificate", Look: func(context.Context) []doctor.Finding {
			s, err := p.certificate()
			if err != nil {
				return doctor.Say(doctor.Fail, "%v", err)
			}
			return doctor.Certificate(s, p.host, time.Now())
		}},
		{Thing: "ports", Look: p.ports},
		{Thing: "open files", Look: func(context.Context) []doctor.Finding {
			n, err := p.devices()
			if err != nil {
				return doctor.Say(doctor.Warn, "it is not known how many devices there are: %v", err)
			}
			return doctor.OpenFiles(n)
		}},
		{Thing: "clock", Look: func(context.Context) []doctor.Finding { return doctor.Clock(newest, time.Now()) }},
		{Thing: "backup", Look: func(context.Context) []doctor.Finding {
			s, err := p.backups()
			if err != nil {
				return doctor.Say(doctor.Fail, "%v", err)
			}
			return doctor.Backups(s, time.Now())
		}},
	}
}

// checks of this hub while it runs.
func (h *Hub) checks() []doctor.Check {
	p := inside{
		survey:      h.store.Survey,
		trail:       h.audit.Verify,
		certificate: func() (certificate.Status, error) { return h.certificate.Status(), nil },
		backups:     func() (backup.State, error) { return h.backups.State(), nil },
		devices:     func() (int, error) { return h.fleet.Size(), nil },
		host:        hostOf(h.addresses.URL),
		ports: func(context.Context) []doctor.Finding {
			out := doctor.Say(doctor.OK, "%s is held by the running hub (process %d)", h.addresses.Public, os.Getpid())
			if h.addresses.MQTT != nil {
				out = append(out, doctor.Say(doctor.OK, "%s is held by the running hub", h.addresses.MQTT)...)
			}
			return out
		},
	}
	return append(p.checks(), doctor.Check{Thing: "hub", Look: func(ctx context.Context) []doctor.Finding {
		if err := h.ready(ctx); err != nil {
			return doctor.Say(doctor.Fail, "it runs and cannot do its work: %v", err)
		}
		return doctor.Say(doctor.OK, "it runs, as version %s; what needs its database it has looked at itself", h.cfg.Version)
	}})
}

// examineFolder reads the data folder of a hub that does not run.
func examineFolder(ctx context.Context, c Config) []doctor.Finding {
	ports := func(ctx context.Context) []doctor.Finding {
		out := doctor.Port(ctx, "--listen", c.Listen)
		if c.MQTTListen != "off" {
			out = append(out, doctor.Port(ctx, "--mqtt-listen", c.MQTTListen)...)
		}
		return out
	}
	s, err := store.OpenToRead(c.Data)
	if err != nil {
		return doctor.Run(ctx, []doctor.Check{
			{Thing: "store", Look: func(context.Context) []doctor.Finding { return notOpened(err) }},
			{Thing: "ports", Look: ports},
		})
	}
	defer s.Close() // only read
	p := inside{
		survey: func(ctx context.Context) (store.Survey, error) {
			if err := s.Check(ctx); err != nil {
				return store.Survey{}, err
			}
			return s.Survey(ctx)
		},
		trail:       func(ctx context.Context) (audit.Report, error) { return verifyTrail(ctx, s, c.Data) },
		certificate: func() (certificate.Status, error) { return certificateOf(s, c) },
		backups: func() (backup.State, error) {
			k, err := backup.New(backup.Config{Store: s})
			if err != nil {
				return backup.State{}, err
			}
			return k.State(), nil
		},
		devices: func() (int, error) {
			saved, err := s.LoadFleet()
			return len(saved.Devices), err
		},
		ports: ports,
		host:  hostOf(c.PublicURL),
	}
	return doctor.Run(ctx, p.checks())
}

// notOpened says what could not be looked at.
func notOpened(err error) []doctor.Finding {
	if errors.Is(err, store.ErrLocked) {
		return doctor.Say(doctor.Fail, "a process has it open and does not answer on %s, so neither it nor audit trail, certificate, clock and backups were looked at: %v", SocketName, err)
	}
	return doctor.Say(doctor.Fail, "%v; audit trail, certificate, clock and backups were not looked at", err)
}

func verifyTrail(ctx context.Context, s *store.Store, data string) (audit.Report, error) {
	id, err := identity.Read(data)
	if err != nil {
		return audit.Report{}, errNoHubKey
	}
	saved, err := s.LoadTrail()
	if err != nil {
		return audit.Report{}, err
	}
	return audit.Verify(ctx, filepath.Join(data, audit.Folder), audit.VerifyConfig{HubKey: id.Public(), Saved: saved})
}

// certificateOf is what browsers would see.
func certificateOf(s *store.Store, c Config) (certificate.Status, error) {
	if missing(filepath.Join(c.Data, vault.FileName)) {
		return certificate.Status{}, fmt.Errorf("without %s it is not known which one would be used", vault.FileName)
	}
	id, err := identity.Read(c.Data)
	if err != nil {
		return certificate.Status{}, err
	}
	secrets, err := vault.Open(c.Data)
	if err != nil {
		return certificate.Status{}, err
	}
	k, err := certificate.New(certificate.Config{
		Store: s, Vault: secrets, Generated: id.Web(), CertFile: c.TLSCert, KeyFile: c.TLSKey,
	})
	if err != nil {
		return certificate.Status{}, err
	}
	return k.Status(), nil
}

func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Hostname()
}
