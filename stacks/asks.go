package stacks

import (
	"slices"
	"strings"
)

// Asks is what a service, a container or a volume asks of an engine beyond what any container may have: the things by
// which it could reach the host. The zero value asks for nothing.
type Asks struct {
	// Service is the compose service, or what else asks, as people know it.
	Service string `cbor:"1,keyasint"`
	// Image reference as it will be used. "": none is.
	Image string `cbor:"2,keyasint,omitempty"`
	// Wants are the sensitive things that are asked for.
	Wants []Want `cbor:"3,keyasint,omitempty"`
}

// Want is one sensitive thing that is asked for.
type Want struct {
	Rule Rule `cbor:"1,keyasint"`
	// What is it, as written: a path, a capability. "": the rule says all.
	What string `cbor:"2,keyasint,omitempty"`
}

// Rule is a stable word for a kind of sensitive thing.
type Rule string

// The rules.
const (
	RulePrivileged    Rule = "privileged"          // all of the host's devices and capabilities
	RuleHostPID       Rule = "host-pid"            // the host's processes
	RuleHostIPC       Rule = "host-ipc"            // the host's shared memory
	RuleHostNetwork   Rule = "host-network"        // the host's network as it is; its UTS namespace too
	RuleHostUsers     Rule = "host-user-namespace" // root in the container is root on the host
	RuleHostDevices   Rule = "host-devices"        // devices, device rules, GPUs
	RuleCapabilities  Rule = "capabilities"        // more capabilities than the engine's default
	RuleBindMounts    Rule = "bind-mounts"         // the host's files, by whatever way
	RuleSysctls       Rule = "sysctls"
	RuleSecurity      Rule = "security-options" // AppArmor, SELinux, seccomp, other runtimes, the host's cgroups
	RuleOtherContents Rule = "other-containers" // namespaces and volumes of containers that are not of the same stack
)

// RuleHostScripts is for jobs whose script runs on the host itself, outside of any container.
const RuleHostScripts Rule = "host-scripts"

// RuleVariables is for what cannot be judged because it differs from device to device. Nobody forbids it by itself: every
// policy does.
const RuleVariables Rule = "variables"

// Rules gives all rules that a policy can forbid.
func Rules() []Rule {
	return []Rule{
		RulePrivileged, RuleHostPID, RuleHostIPC, RuleHostNetwork, RuleHostUsers, RuleHostDevices, RuleCapabilities, RuleBindMounts,
		RuleSysctls, RuleSecurity, RuleOtherContents, RuleHostScripts,
	}
}

// Add notes a want once.
func (a *Asks) Add(rule Rule, what string) {
	for _, w := range a.Wants {
		if w == (Want{rule, what}) {
			return
		}
	}
	a.Wants = append(a.Wants, Want{rule, what})
}

// AddMode notes what sharing a namespace asks for. mode is as Compose and the engine write it: "host",
// "container:NAME", or one of the container's own. host is the rule for the host's.
func (a *Asks) AddMode(host Rule, mode string) {
	switch {
	case mode == "host":
		a.Add(host, "")
	case len(mode) > len("container:") && mode[:len("container:")] == "container:":
		a.Add(RuleOtherContents, mode)
	}
}

// AddVolume notes what a named volume asks for. The engine's own driver mounts nothing of the host's when it is given
// no options, or those of a memory or network file system; every other way may be one to the host's files. A mount that
// binds or moves ignores its type.
func (a *Asks) AddVolume(name, driver string, options map[string]string) {
	binds := slices.ContainsFunc(strings.Split(options["o"], ","), func(o string) bool {
		return slices.Contains([]string{"bind", "rbind", "remount", "move"}, strings.ToLower(strings.TrimSpace(o)))
	})
	switch {
	case driver != "" && driver != "local":
		a.Add(RuleBindMounts, "volume "+name+" by driver "+driver)
	case binds:
		a.Add(RuleBindMounts, "volume "+name+" on "+options["device"])
	case options["type"] == "tmpfs", options["type"] == "nfs", options["type"] == "nfs4", options["type"] == "cifs":
	case options["type"] != "" || options["device"] != "" || options["o"] != "":
		a.Add(RuleBindMounts, "volume "+name+" on "+options["device"])
	}
}
