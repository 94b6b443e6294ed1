// Command farshore-hub is the server of a fleet of edge devices.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/farshore/farshore/hub"
	"github.com/farshore/farshore/internal/program"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/web"
)

const usage = `farshore-hub is the server of a fleet of edge devices.

  farshore-hub serve       run the hub
  farshore-hub health      say whether the running hub can do its work
  farshore-hub admin-link  print a new one-time link that makes an administrator, good for 5 minutes
  farshore-hub reset-access-lists  let in every address again, when the lists shut people out
  farshore-hub restore     put a backup into an empty data folder
  farshore-hub doctor      say whether all is well with a hub and its machine, and what to do where not
  farshore-hub compact     give back to the disk what the database does not need; the hub must not run
  farshore-hub version

Each command has --help. Every flag can be set by the environment: --mqtt-listen is FARSHORE_HUB_MQTT_LISTEN.
`

func main() {
	os.Exit(program.Exit(os.Stderr, "farshore-hub", run(os.Args[1:])))
}

func run(args []string) error {
	if len(args) == 0 {
		fmt.Fprint(os.Stderr, usage)
		return fmt.Errorf("%w: no command given", program.ErrUsage)
	}
	ctx, stop := program.Context()
	defer stop()
	switch args[0] {
	case "serve":
		return serve(ctx, args[1:])
	case "admin-link":
		return adminLink(ctx, args[1:])
	case "reset-access-lists":
		return resetAccessLists(ctx, args[1:])
	case "health":
		return health(ctx, args[1:])
	case "restore":
		return restore(ctx, args[1:])
	case "doctor":
		return examine(ctx, args[1:])
	case "compact":
		return compact(ctx, args[1:])
	case "version", "--version":
		fmt.Println("farshore-hub", program.Version(), "protocol", protocol.Capability)
		return nil
	case "help", "--help", "-h":
		fmt.Print(usage)
		return nil
	}
	return fmt.Errorf("%w: unknown command %q: farshore-hub --help lists them", program.ErrUsage, args[0])
}

func newFlags(name string) *flag.FlagSet {
	fs := flag.NewFlagSet("farshore-hub "+name, flag.ContinueOnError)
	fs.SetOutput(os.Stderr)
	return fs
}

func serve(ctx context.Context, args []string) error {
	var s settings
	fs := s.flags("serve")
	if err := program.Parse(fs, args, program.Source{Prefix: "FARSHORE_HUB", FileFlag: "config"}); err != nil {
		return err
	}
	if fs.NArg() > 0 {
		return fmt.Errorf("%w: unexpected %q", program.ErrUsage, fs.Arg(0))
	}
	log, level, err := program.Logger(os.Stderr, s.logFormat, s.logLevel)
	if err != nil {
		return err
	}
	if keys := program.ReleaseKeys(); keys != "" {
		if err := s.trustReleases(keys); err != nil {
			return fmt.Errorf("built in: %w", err)
		}
	}
	cfg := s.hub
	cfg.Log, cfg.LogLevel, cfg.Version, cfg.Listening, cfg.Console = log, level, program.Version(), announce, web.Handler()
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	cfg.Reload = hup
	h, err := hub.New(cfg)
	if err != nil {
		return err
	}
	return h.Run(ctx)
}

// settings are the flags of serve, and of what looks at the same hub.
type settings struct {
	hub                 hub.Config
	logLevel, logFormat string
}

func (s *settings) flags(command string) *flag.FlagSet {
	cfg := &s.hub
	fs := newFlags(command)
	fs.StringVar(&cfg.Data, "data", "", "folder of everything the hub keeps (required)")
	fs.StringVar(&cfg.Listen, "listen", hub.DefaultListen, "public port: console, API and agents")
	fs.StringVar(&cfg.MQTTListen, "mqtt-listen", hub.DefaultMQTTListen, "plain MQTT over TLS for agents, or off")
	fs.StringVar(&cfg.PublicURL, "public-url", "", "how devices reach the public port, https://HOST:PORT (default: from --listen and the host name)")
	fs.StringVar(&cfg.PublicMQTTURL, "public-mqtt-url", "", "how devices reach the MQTT port, mqtts://HOST:PORT (default: likewise)")
	fs.StringVar(&cfg.Zone, "zone", "UTC", "time zone of jobs that name none, such as Europe/Oslo")
	fs.StringVar(&cfg.TLSCert, "tls-cert", "", "file with the certificate (chain) for browsers and the CLI, PEM; read again when it changes, and on SIGHUP")
	fs.StringVar(&cfg.TLSKey, "tls-key", "", "file with its key, PEM")
	fs.StringVar(&cfg.DeviceCA, "device-ca", "", "file with authorities, PEM: devices must show a certificate of theirs, beside their device key")
	fs.StringVar(&cfg.DeviceCRL, "device-crl", "", "file with what these have revoked, PEM or DER")
	fs.StringVar(&cfg.AdminName, "admin-name", "admin", "name of the administrator that --admin-password-file is for")
	fs.StringVar(&cfg.AdminPasswordFile, "admin-password-file", "", "file with the administrator's password, 12 characters or more")
	fs.StringVar(&cfg.AgentImage, "agent-image", "", "image that commands name which start an agent in a container (default: farshore/agent:VERSION)")
	fs.BoolVar(&cfg.GitAllowLocal, "git-allow-local", false, "let Git repositories of stacks be on this machine and at link-local addresses")
	fs.Func("open-registries", "registries, such as docker.io, that the hub asks for everybody's estimates although no user is known for them; separated by commas", func(list string) error {
		cfg.OpenRegistries = append(cfg.OpenRegistries, strings.Split(list, ",")...)
		return nil
	})
	fs.Func("release-key", "public keys (fsrp1_...) that may have signed a release for devices, beside those built in; separated by commas, may be repeated", s.trustReleases)
	fs.StringVar(&s.logLevel, "log-level", "info", "debug, info, warn or error; farshore log-level changes it while the hub runs")
	fs.StringVar(&s.logFormat, "log-format", "text", "text or json")
	fs.String("config", "", "YAML file with any of these settings")
	return fs
}

// trustReleases adds public release keys, separated by commas.
func (s *settings) trustReleases(keys string) error {
	for one := range strings.SplitSeq(keys, ",") {
		key, err := protocol.ParseReleaseKey(one)
		if err != nil {
			return err
		}
		s.hub.ReleaseKeys = append(s.hub.ReleaseKeys, key)
	}
	return nil
}

// announce prints what a person needs to go on, one `name: value` a line.
func announce(a hub.Addresses) {
	fmt.Printf("farshore-hub %s\n", program.Version())
	fmt.Printf("address: %s\n", a.URL)
	if a.MQTT != nil {
		fmt.Printf("mqtt: %s\n", a.MQTTURL)
	}
	fmt.Printf("fingerprint: %s\n", a.Fingerprint)
	if a.AdminLink != "" {
		fmt.Printf("admin link: %s\n", a.AdminLink)
		fmt.Println("There is no administrator yet: open this link within 5 minutes to make one; `farshore-hub admin-link` prints another.")
	}
}

func adminLink(ctx context.Context, args []string) error {
	data, err := dataFolder("admin-link", args)
	if err != nil {
		return err
	}
	link, err := hub.AskAdminLink(ctx, data)
	if err != nil {
		return err
	}
	fmt.Println(link)
	return nil
}

// health is for supervisors of containers: it fails where the hub does not answer, or cannot do its work.
func health(ctx context.Context, args []string) error {
	data, err := dataFolder("health", args)
	if err != nil {
		return err
	}
	answer, err := hub.AskHealth(ctx, data)
	if err != nil {
		return err
	}
	fmt.Println(answer)
	return nil
}

func resetAccessLists(ctx context.Context, args []string) error {
	data, err := dataFolder("reset-access-lists", args)
	if err == nil {
		err = hub.ResetAccessLists(ctx, data)
	}
	if err != nil {
		return err
	}
	fmt.Println("The lists of addresses and of trusted proxies are empty: people and devices may come from everywhere.")
	return nil
}

// dataFolder reads the flags of a command that asks the running hub.
func dataFolder(command string, args []string) (string, error) {
	fs := newFlags(command)
	data := fs.String("data", "", "data folder of the running hub (required)")
	if err := program.Parse(fs, args, program.Source{Prefix: "FARSHORE_HUB"}); err != nil {
		return "", err
	}
	if *data == "" {
		return "", fmt.Errorf("%w: give the running hub's data folder with --data", program.ErrUsage)
	}
	return *data, nil
}
