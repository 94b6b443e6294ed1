// Command farshore-agent keeps one device as its hub desires.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"

	"github.com/farshore/farshore/edgeagent"
	"github.com/farshore/farshore/internal/program"
	"github.com/farshore/farshore/protocol"
)

const usage = `farshore-agent keeps this device as its hub desires.

  farshore-agent run     run the agent
  farshore-agent status  how the running agent stands: pairing code, hub, stacks
  farshore-agent knock   ask the hub at once to be let in
  farshore-agent version

Each command has --help. Every flag can be set by the environment: --data is FARSHORE_DATA.
`

func main() {
	os.Exit(program.Exit(os.Stderr, "farshore-agent", run(os.Args[1:])))
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
		return runAgent(ctx, args[1:])
	case "status":
		return status(ctx, args[1:], os.Stdout)
	case "knock":
		return knock(ctx, args[1:])
	case "version", "--version":
		fmt.Println("farshore-agent", program.Version(), edgeagent.Platform(), "protocol", protocol.Capability)
		return nil
	case "help", "--help", "-h":
		fmt.Print(usage)
		return nil
	}
	return fmt.Errorf("%w: unknown command %q: want run, status, knock or version", program.ErrUsage, args[0])
}

// settings are the flags of run.
type settings struct {
	data, edgeKey, edgeKeyFile, carrier, mode, engine, composer, logLevel, logFormat string
	labels                                                                           labelFlag
}

func (s *settings) flags() *flag.FlagSet {
	fs := newFlags("run")
	fs.StringVar(&s.data, "data", defaultData(), "folder of everything the agent keeps")
	fs.StringVar(&s.edgeKey, "edge-key", "", "edge key that joins this device to a hub; seen in the process list, so better by file or environment")
	fs.StringVar(&s.edgeKeyFile, "edge-key-file", "", "file with the edge key")
	fs.StringVar(&s.carrier, "carrier", "auto", "how to reach the hub: auto, mqtt or https")
	fs.StringVar(&s.mode, "mode", "async", "async (snapshots and queued commands) or standard (a tunnel on demand as well)")
	fs.StringVar(&s.engine, "engine", "", "address of the container engine (default: Docker's socket)")
	fs.StringVar(&s.composer, "composer", "", "path of farshore-composer (default: beside the agent, or in PATH)")
	fs.Var(&s.labels, "label", "label the device wishes for, key=value; may be repeated")
	fs.StringVar(&s.logLevel, "log-level", "info", "debug, info, warn or error")
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
	log, err := program.Logger(os.Stderr, s.logFormat, s.logLevel)
	if err != nil {
		return err
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
	key, err := s.key()
	if err != nil {
		return err
	}
	agent, err := edgeagent.New(edgeagent.Config{
		Data: s.data, EdgeKey: key, Carrier: protocol.Carrier(s.carrier), Mode: mode, EngineHost: s.engineHost(),
		Composer: s.composer, Labels: s.labels.values, Version: program.Version(), Log: log,
	})
	if err != nil {
		return err
	}
	log.Info("agent started", "device", agent.ID(), "version", program.Version(), "data", s.data)
	return agent.Run(ctx)
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

func knock(ctx context.Context, args []string) error {
	fs := newFlags("knock")
	data := fs.String("data", defaultData(), "data folder of the running agent")
	if err := program.Parse(fs, args, program.Source{Prefix: "FARSHORE"}); err != nil {
		return err
	}
	return edgeagent.AskToKnock(ctx, *data)
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
