// Command farshore-agent keeps one device as its hub desires.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	_ "time/tzdata" // change windows are in the device's own zone, and devices often have no zones installed

	"golang.org/x/term"

	"github.com/farshore/farshore/edgeagent"
	"github.com/farshore/farshore/edgeagent/update"
	"github.com/farshore/farshore/internal/program"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks/reconciler"
)

const usage = `farshore-agent keeps this device as its hub desires.

  farshore-agent run          run the agent
  farshore-agent status       how the running agent stands: pairing code, hub, stacks
  farshore-agent status --qr  the pairing code in large letters, and a QR code that opens the hub's page to approve it
  farshore-agent knock        ask the hub at once to be let in
  farshore-agent log-level    show or change from which level on the running agent writes its log
  farshore-agent health       say whether the running agent does its work
  farshore-agent stacks       the stacks of this device, and who holds them
  farshore-agent hold NAME    keep a stack as it is, whatever the hub wants
  farshore-agent stop NAME    stop a stack's containers, and keep it so
  farshore-agent rollback NAME  go back to the version before, which is kept on the device, and stay there
  farshore-agent resume NAME  release a stack: back to what the hub wants, which is also tried anew if it had failed
  farshore-agent jobs         the jobs of this device: when they run next, and what came of their last runs
  farshore-agent usage        what this device has spent on its link, of which budget, and when it may use it
  farshore-agent images       the images that came through the agent, layer by layer: what each has cost, what it waits for
  farshore-agent contact --for 5m  be in contact with the hub now, outside of the times set for it
  farshore-agent install      put this program onto the machine as a service, and farshore-composer with it
  farshore-agent uninstall    take the service off the machine; stacks keep running unless --remove-stacks
  farshore-agent update-status    which of its programs runs, and how the last update ended
  farshore-agent rollback-update  go back to the programs that ran before the last update
  farshore-agent version

An agent without an edge key serves a page that takes one, on http://127.0.0.1:9009 unless --key-page says otherwise. It
asks for a PIN, which the agent prints here and in its log.

Each command has --help. Every flag can be set by the environment: --data is FARSHORE_DATA.
`

func main() {
	err := run(os.Args[1:])
	if errors.Is(err, edgeagent.ErrSwitch) {
		err = update.Relaunch(os.Args[1:])
	}
	var exit *update.ExitError
	if errors.As(err, &exit) {
		os.Exit(exit.Code) // the agent has said why
	}
	os.Exit(program.Exit(os.Stderr, "farshore-agent", err))
}

func run(args []string) error {
	if len(args) == 0 {
		fmt.Fprint(os.Stderr, usage)
		return fmt.Errorf("%w: no command given", program.ErrUsage)
	}
	ctx, stop := program.Context()
	defer stop()
	switch args[0] {
	case "run":
		if err := launch(ctx, args); !errors.Is(err, update.ErrSelf) {
			return err
		}
		return runAgent(ctx, args[1:])
	case "install":
		return installAgent(ctx, args[1:], os.Stdout)
	case "uninstall":
		return uninstallAgent(ctx, args[1:], os.Stdout)
	case "update-status":
		return updateStatus(ctx, args[1:], os.Stdout)
	case "rollback-update":
		return rollBack(ctx, args[1:], os.Stdout)
	case "status":
		return status(ctx, args[1:], os.Stdout)
	case "knock":
		return askToKnock(ctx, args[1:], os.Stdout)
	case "log-level":
		return logLevel(ctx, args[1:], os.Stdout)
	case "health":
		return health(ctx, args[1:], os.Stdout)
	case "stacks":
		return listStacks(ctx, args[1:], os.Stdout)
	case "hold", "resume", "rollback", "stop":
		return decide(ctx, os.Stdout, reconciler.Deed(args[0]), args[1:])
	case "images":
		return listImages(ctx, args[1:], os.Stdout)
	case "jobs":
		return listJobs(ctx, args[1:], os.Stdout)
	case "usage":
		return showUsage(ctx, args[1:], os.Stdout)
	case "contact":
		return openContact(ctx, args[1:], os.Stdout)
	case "version", "--version":
		fmt.Println("farshore-agent", program.Version(), edgeagent.Platform(), "protocol", protocol.Capability)
		return nil
	case "help", "--help", "-h":
		fmt.Print(usage)
		return nil
	}
	return fmt.Errorf("%w: unknown command %q: see farshore-agent help", program.ErrUsage, args[0])
}

// settings are the flags of run.
type settings struct {
	data, edgeKey, edgeKeyFile, carrier, mode, engine, composer, logLevel, logFormat string
	keyPage, keyPageHost, hostRoot, clientCert, clientKey, jobs                      string
	labels                                                                           labelFlag
	releaseKeys                                                                      keyFlag
}

// noKeyPage in place of an address means that there is no page.
const noKeyPage = "off"

func (s *settings) flags() *flag.FlagSet {
	fs := newFlags("run")
	fs.StringVar(&s.data, "data", defaultData(), "folder of everything the agent keeps")
	fs.StringVar(&s.edgeKey, "edge-key", "", "edge key that joins this device to a hub; seen in the process list, so better by file or environment")
	fs.StringVar(&s.edgeKeyFile, "edge-key-file", "", "file with the edge key")
	fs.StringVar(&s.keyPage, "key-page", "127.0.0.1:9009", "where a page takes the edge key as long as there is none, HOST:PORT; off: nowhere, and the agent does not start without a key")
	fs.StringVar(&s.keyPageHost, "key-page-host", "", "a name by which browsers may ask for that page, beside IP addresses and localhost")
	fs.StringVar(&s.clientCert, "client-cert", "", "file with a certificate for a hub that asks devices for one (--device-ca there), PEM; read for each connection")
	fs.StringVar(&s.clientKey, "client-key", "", "file with its key, PEM")
	fs.StringVar(&s.carrier, "carrier", "auto", "how to reach the hub: auto, mqtt or https")
	fs.StringVar(&s.mode, "mode", "async", "async (snapshots and queued commands) or standard (a tunnel on demand as well)")
	fs.StringVar(&s.engine, "engine", "", "address of the container engine (default: Docker's socket)")
	fs.StringVar(&s.composer, "composer", "", "path of farshore-composer (default: beside the agent, or in PATH)")
	fs.StringVar(&s.hostRoot, "host-root", "/", "for an agent in a container: where the device's own /etc, /usr/lib and /sys are mounted")
	fs.StringVar(&s.jobs, "jobs", "all", "which kinds of jobs this device runs for its hub: all, containers (none on the host) or off")
	fs.Var(&s.labels, "label", "label the device wishes for, key=value; may be repeated")
	fs.Var(&s.releaseKeys, "release-key", "public key (fsrp1_...) that signs releases the hub may update this agent to, beside those built in; may be repeated")
	fs.StringVar(&s.logLevel, "log-level", "info", "debug, info, warn or error; farshore-agent log-level changes it while the agent runs")
	fs.StringVar(&s.logFormat, "log-format", "text", "text or json")
	fs.String("config", "", "YAML file with any of these settings")
	return fs
}

func runAgent(ctx context.Context, args []string) error {
	var s settings
	fs := s.flags()
	if err := program.Parse(fs, args, program.Source{Prefix: "FARSHORE", FileFlag: "config"}); err != nil {
		return err
	}
	if fs.NArg() > 0 {
		return fmt.Errorf("%w: unexpected %q", program.ErrUsage, fs.Arg(0))
	}
	log, level, err := program.Logger(os.Stderr, s.logFormat, s.logLevel)
	if err != nil {
		return err
	}
	if s.data != "" {
		if s.data, err = filepath.Abs(s.data); err != nil { // stacks are laid out by whole paths
			return fmt.Errorf("data folder: %w", err)
		}
	}
	mode, err := protocol.ParseMode(s.mode)
	if err != nil {
		return fmt.Errorf("%w: %w", program.ErrUsage, err)
	}
	switch protocol.Carrier(s.carrier) {
	case "", protocol.CarrierAuto, protocol.CarrierMQTT, protocol.CarrierHTTPS:
	default:
		return fmt.Errorf("%w: carrier %.40q: want auto, mqtt or https", program.ErrUsage, s.carrier)
	}
	if (s.clientCert == "") != (s.clientKey == "") {
		return fmt.Errorf("%w: give both --client-cert and --client-key, or neither", program.ErrUsage)
	}
	cfg := edgeagent.Config{
		Data: s.data, Carrier: protocol.Carrier(s.carrier), Mode: mode, EngineHost: s.engineHost(), Composer: s.composer,
		HostRoot: s.hostRoot, ClientCert: s.clientCert, ClientKey: s.clientKey, Labels: s.labels.values, Version: program.Version(), Log: log, LogLevel: level,
	}
	if cfg.Jobs, err = edgeagent.ParseJobKinds(s.jobs); err != nil {
		return fmt.Errorf("%w: %w", program.ErrUsage, err)
	}
	if cfg.Update, err = s.update(); err != nil {
		return err
	}
	if err := s.keyInto(&cfg); err != nil {
		return err
	}
	agent, err := edgeagent.New(cfg)
	if err != nil {
		return err
	}
	log.Info("agent started", "device", agent.ID(), "version", program.Version(), "data", s.data)
	return agent.Run(ctx)
}

// keyInto gives the agent its edge key, or the ways in which one can still come.
func (s *settings) keyInto(cfg *edgeagent.Config) (err error) {
	cfg.EdgeKey, err = s.key()
	if s.keyPage == noKeyPage {
		return err
	}
	if _, _, err := net.SplitHostPort(s.keyPage); err != nil {
		return fmt.Errorf("%w: key page %q: want HOST:PORT or off: %w", program.ErrUsage, s.keyPage, err)
	}
	cfg.KeyPage = edgeagent.KeyPage{Address: s.keyPage, Host: s.keyPageHost}
	if term.IsTerminal(int(os.Stdout.Fd())) {
		cfg.KeyPage.Console = os.Stdout
	}
	if s.edgeKeyFile == "" {
		return err
	}
	cfg.LateKey = s.lateKey
	if errors.Is(err, fs.ErrNotExist) {
		cfg.Log.Warn("there is no file with an edge key", "path", s.edgeKeyFile)
		return nil
	}
	return err
}

// lateKey reads the edge key from a file that need not be there yet.
func (s *settings) lateKey() (string, error) {
	key, err := s.key()
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return key, err
}

func (s *settings) key() (string, error) {
	if s.edgeKey != "" && s.edgeKeyFile != "" {
		return "", fmt.Errorf("%w: give the edge key once: --edge-key or --edge-key-file", program.ErrUsage)
	}
	if s.edgeKeyFile == "" {
		return strings.TrimSpace(s.edgeKey), nil
	}
	raw, err := os.ReadFile(s.edgeKeyFile)
	if err != nil {
		return "", fmt.Errorf("read edge key: %w", err)
	}
	for field := range strings.FieldsSeq(string(raw)) {
		if strings.HasPrefix(field, "fsk1_") { // the file may be all that `farshore keys create` printed
			return field, nil
		}
	}
	return strings.TrimSpace(string(raw)), nil
}

// engineHost is the engine's address: the flag, or what Docker's own tools go by.
func (s *settings) engineHost() string {
	if s.engine != "" {
		return s.engine
	}
	return os.Getenv("DOCKER_HOST")
}

func defaultData() string {
	if os.Geteuid() == 0 {
		return "/var/lib/farshore-agent"
	}
	if home, err := os.UserHomeDir(); err == nil {
		return home + "/.local/share/farshore-agent"
	}
	return "farshore-agent"
}

func newFlags(name string) *flag.FlagSet {
	fs := flag.NewFlagSet("farshore-agent "+name, flag.ContinueOnError)
	fs.SetOutput(os.Stderr)
	return fs
}

func askToKnock(ctx context.Context, args []string, out io.Writer) error {
	fs := newFlags("knock")
	data := fs.String("data", defaultData(), "data folder of the running agent")
	if err := program.Parse(fs, args, program.Source{Prefix: "FARSHORE"}); err != nil {
		return err
	}
	s, err := edgeagent.AskToKnock(ctx, *data)
	switch {
	case err != nil:
		return err
	case s.NoEdgeKey:
		return errors.New("this device has " + noEdgeKey(s))
	case s.Approved:
		fmt.Fprintf(out, "This device is approved already: it need not knock at %s. `farshore-agent status` shows how it stands.\n", s.Hub)
	default:
		fmt.Fprintf(out, "Knocking at %s. The pairing code is %s; `farshore-agent status` shows what the hub answers.\n", s.Hub, s.PairingCode)
	}
	return nil
}

// labelFlag gathers key=value pairs; in the environment and the configuration file they are separated by commas.
type labelFlag struct{ values map[string]string }

// String implements flag.Value.
func (l *labelFlag) String() string { return "" }

// Set implements flag.Value.
func (l *labelFlag) Set(text string) error {
	if l.values == nil {
		l.values = map[string]string{}
	}
	for pair := range strings.SplitSeq(text, ",") {
		k, v, ok := strings.Cut(strings.TrimSpace(pair), "=")
		if !ok || k == "" {
			return fmt.Errorf("label %q: want key=value", pair)
		}
		l.values[k] = v
	}
	return nil
}
