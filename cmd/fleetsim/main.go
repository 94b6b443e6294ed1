// Command fleetsim runs many simulated devices against a real hub: the real agent with fake engines.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"

	"github.com/farshore/farshore/internal/fleettest/simulator"
	"github.com/farshore/farshore/internal/program"
	"github.com/farshore/farshore/protocol"
)

func main() {
	os.Exit(program.Exit(os.Stderr, "fleetsim", run(os.Args[1:])))
}

func run(args []string) error {
	ctx, stop := program.Context()
	defer stop()
	return simulate(ctx, args)
}

func simulate(ctx context.Context, args []string) error {
	var cfg simulator.Config
	var carrier, mode, logLevel string
	fs := flag.NewFlagSet("fleetsim", flag.ContinueOnError)
	fs.Usage = func() {
		fmt.Fprint(fs.Output(), "fleetsim runs simulated devices against a real hub: the real agent with fake engines.\n\n")
		fs.PrintDefaults()
	}
	fs.StringVar(&cfg.EdgeKey, "edge-key", "", "edge key of the hub (required; or FARSHORE_SIM_EDGE_KEY)")
	fs.IntVar(&cfg.Devices, "devices", 20, "how many devices")
	fs.StringVar(&cfg.Name, "name", "sim", "beginning of the devices' host names")
	fs.Uint64Var(&cfg.Seed, "seed", 0, "a number that makes the devices the same in every fleet (default: others for each edge key)")
	fs.StringVar(&cfg.Data, "data", "", "folder that keeps the devices, so that they are the same the next time (default: in memory)")
	fs.StringVar(&carrier, "carrier", "auto", "auto, mqtt or https")
	fs.StringVar(&mode, "mode", "", "async or standard (default: every third is standard)")
	fs.IntVar(&cfg.Containers, "containers", 0, "containers of each device (default: 2 to 9)")
	fs.DurationVar(&cfg.Ramp, "ramp", 0, "time over which the devices are started")
	fs.BoolVar(&cfg.Life, "life", true, "let things happen to the containers")
	fs.BoolVar(&cfg.Trouble, "trouble", false, "let some devices lose their engine, and some be switched off for a while")
	fs.StringVar(&logLevel, "log-level", "warn", "debug, info, warn or error")
	if err := program.Parse(fs, args, program.Source{Prefix: "FARSHORE_SIM"}); err != nil {
		return err
	}
	log, _, err := program.Logger(os.Stderr, "text", logLevel)
	if err != nil {
		return err
	}
	if mode != "" {
		if cfg.Mode, err = protocol.ParseMode(mode); err != nil {
			return fmt.Errorf("%w: %w", program.ErrUsage, err)
		}
	}
	cfg.Carrier, cfg.Version, cfg.Log = protocol.Carrier(carrier), program.Version(), log
	s, err := simulator.New(cfg)
	if err != nil {
		return err
	}
	fmt.Printf("%d simulated devices, Ctrl-C ends them\n", cfg.Devices)
	return s.Run(ctx)
}
