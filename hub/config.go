package hub

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/farshore/farshore/deploy"
	"github.com/farshore/farshore/economy/estimate"
)

// Defaults of Config.
const (
	DefaultListen     = ":9443"
	DefaultMQTTListen = ":8883"
	// StopTimeout bounds a graceful stop.
	StopTimeout = 10 * time.Second
)

// Config of a Hub. Data is required; zero values of the others mean what their comments say.
type Config struct {
	// Data is the folder of everything the hub keeps. It is made when missing.
	Data string
	// Listen is the address of the public port: console, API, agents. "": DefaultListen.
	Listen string
	// MQTTListen is the address of the plain MQTT port. "": DefaultMQTTListen; "off": none, agents use the public port.
	MQTTListen string
	// PublicURL and PublicMQTTURL are written into edge keys: how devices reach the two ports. "": made of the listening
	// addresses and, where those name no host, this machine's host name.
	PublicURL, PublicMQTTURL string
	// TLSCert and TLSKey are files, PEM, of the certificate for browsers and the CLI, which win over one that is uploaded.
	// "": none.
	TLSCert, TLSKey string
	// DeviceCA is a file with the authorities of which devices must show a certificate, and DeviceCRL one with what these
	// have revoked. "": devices need no certificate; nothing is revoked.
	DeviceCA, DeviceCRL string
	// Reload makes the hub look at these files at once; it does by itself within a minute. Nil: nobody asks.
	Reload <-chan os.Signal
	// AdminName and AdminPasswordFile make the first administrator, or change its password. "": "admin", and nobody.
	AdminName, AdminPasswordFile string
	// Zone is the time zone of jobs that name none. "": UTC.
	Zone string
	// AgentImage is the image that commands name which start an agent in a container. "": the one that `make images`
	// makes of this version.
	AgentImage string
	// GitAllowLocal lets repositories that stacks come from be on this machine, and at link-local addresses.
	GitAllowLocal bool
	// OpenRegistries are registries that estimates of everybody may ask although no user is known for them.
	OpenRegistries []string
	// Images says what images weigh, for estimates. Nil: their registries are asked.
	Images estimate.Images
	// ReleaseKeys are the public keys that may have signed a release for devices. None: no release is accepted.
	ReleaseKeys []ed25519.PublicKey
	// Console serves what is neither API nor for agents. Nil: nothing.
	Console http.Handler
	// Version of the build.
	Version string
	Log     *slog.Logger
	// LogLevel is the level of Log, which people change while the hub runs. Nil: what they set has no effect.
	LogLevel *slog.LevelVar
	// Listening is called when both ports are open, with their addresses. Nil: nobody is told.
	Listening func(Addresses)
	// ListenFunc opens listeners in place of net.Listen. Nil: TCP without keep-alive.
	ListenFunc func(address string) (net.Listener, error)
}

// Addresses are where a running hub is.
type Addresses struct {
	// Public and MQTT are the listeners' addresses; MQTT is nil when it is off.
	Public, MQTT net.Addr
	// URL and MQTTURL are what edge keys say.
	URL, MQTTURL string
	// Fingerprint of the certificate that browsers and the CLI see.
	Fingerprint string
	// AdminLink makes the first administrator, once, within five minutes. "": there is one.
	AdminLink string
}

func (c *Config) setDefaults() error {
	if c.Data == "" {
		return errors.New("no data folder: give one with --data")
	}
	if c.Listen == "" {
		c.Listen = DefaultListen
	}
	if c.MQTTListen == "" {
		c.MQTTListen = DefaultMQTTListen
	}
	if c.DeviceCRL != "" && c.DeviceCA == "" {
		return errors.New("--device-crl says what authorities have revoked: give these with --device-ca")
	}
	if c.AdminName == "" {
		c.AdminName = "admin"
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.LogLevel == nil {
		c.LogLevel = new(slog.LevelVar)
	}
	if c.AgentImage == "" {
		c.AgentImage = deploy.Image(c.Version)
	}
	if err := deploy.CheckImage(c.AgentImage); err != nil {
		return fmt.Errorf("image of the agent (--agent-image): %w", err)
	}
	if c.PublicURL != "" {
		u, err := url.Parse(c.PublicURL)
		if err != nil || u.Scheme != "https" || u.Host == "" {
			return fmt.Errorf("public address %q: want https://HOST:PORT", c.PublicURL)
		}
	}
	if c.PublicMQTTURL != "" {
		u, err := url.Parse(c.PublicMQTTURL)
		if err != nil || u.Scheme != "mqtts" || u.Host == "" {
			return fmt.Errorf("public MQTT address %q: want mqtts://HOST:PORT", c.PublicMQTTURL)
		}
	}
	return nil
}

// publicHost is what devices are told to dial for a listener: its own address, or this machine's name where it
// listens on all.
func publicHost(a net.Addr) string {
	host, port, err := net.SplitHostPort(a.String())
	if err != nil {
		return a.String()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() || host == "" {
		if name, err := os.Hostname(); err == nil && name != "" {
			host = name
		}
	}
	return net.JoinHostPort(host, port)
}
