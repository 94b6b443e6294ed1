package compose

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"

	"github.com/farshore/farshore/stacks"
	"github.com/farshore/farshore/stacks/composer/ipc"
)

const (
	// maxTakes is the most things of a device that a bundle can take: ports that follow each other are one.
	maxTakes = 1000
	// maxPorts is the most ports in ranges of one bundle, on both sides together.
	maxPorts = 50_000
)

// takes says what the services of a project that are active take of a device. A port that the engine chooses, of all or of
// a range, is not taken from anybody.
func takes(project *types.Project) (out []stacks.Take) {
	for _, name := range sortedServices(project) {
		if svc := project.Services[name]; svc.GetScale() > 0 {
			out = append(out, serviceTakes(svc)...)
		}
	}
	return out
}

func serviceTakes(svc types.ServiceConfig) (out []stacks.Take) {
	if svc.ContainerName != "" {
		out = append(out, stacks.Take{Service: svc.Name, Container: svc.ContainerName})
	}
	var ports []stacks.Take
	for _, p := range svc.Ports {
		if t, fixed := portTake(svc.Name, p); fixed {
			ports = append(ports, t)
		}
	}
	slices.SortFunc(ports, func(a, b stacks.Take) int {
		if by := strings.Compare(a.Address+" "+a.Protocol, b.Address+" "+b.Protocol); by != 0 {
			return by
		}
		return int(a.Port) - int(b.Port)
	})
	for i, t := range slices.Compact(ports) {
		if i > 0 {
			before := &out[len(out)-1]
			if end := max(before.Port, before.Last); before.Address == t.Address && before.Protocol == t.Protocol && end+1 == t.Port {
				before.Last = t.Port
				continue
			}
		}
		out = append(out, t)
	}
	return out
}

func portTake(service string, p types.ServicePortConfig) (stacks.Take, bool) {
	number, err := strconv.ParseUint(p.Published, 10, 16)
	if err != nil || number == 0 {
		return stacks.Take{}, false
	}
	t := stacks.Take{Service: service, Port: uint16(number), Protocol: strings.ToLower(p.Protocol), Address: p.HostIP}
	if t.Protocol == "" {
		t.Protocol = "tcp"
	}
	if a, err := netip.ParseAddr(strings.Trim(p.HostIP, "[]")); err == nil {
		t.Address = a.Unmap().String()
	}
	return t, true
}

// checkTakes refuses a bundle whose services take something from each other, or from their own replicas.
func (b *bundle) checkTakes(project *types.Project) error {
	all := takes(project)
	if len(all) > maxTakes {
		return &Error{
			Code: ipc.CodeComposeInvalid, File: b.main, Text: fmt.Sprintf("it publishes more than %d ports that do not follow each other", maxTakes),
			Remedy: "publish ranges, or fewer ports",
		}
	}
	refuse := func(t stacks.Take, key, text, remedy string) error {
		at := b.find("services", t.Service, key)
		return &Error{Code: ipc.CodeComposeInvalid, File: at.file, Line: at.line, Text: fmt.Sprintf("service %s %s", t.Service, text), Remedy: remedy}
	}
	for i, t := range all {
		svc := project.Services[t.Service]
		if n := svc.GetScale(); n > 1 && svc.NetworkMode != "host" {
			return refuse(t, "ports", fmt.Sprintf("has %d replicas, and only one of them can have the %s", n, t),
				"publish a range of as many ports, or only the container's port")
		}
		for _, other := range all[:i] { // at most maxTakes
			both, clash := stacks.Clash([]stacks.Take{t}, []stacks.Take{other})
			if !clash || apart(t.Address, other.Address) {
				continue
			}
			if t.Container != "" {
				return refuse(t, "container_name", fmt.Sprintf("takes the %s, as service %s does", both, other.Service), "give them different names")
			}
			if t.Service != other.Service {
				return refuse(t, "ports", fmt.Sprintf("takes the %s, as service %s does", both, other.Service), "publish another port in one of them")
			}
			return refuse(t, "ports", fmt.Sprintf(twice, both), "publish it once")
		}
	}
	for _, name := range sortedServices(project) {
		targets := map[stacks.Take]uint32{}
		for _, p := range project.Services[name].Ports {
			t, fixed := portTake(name, p)
			if target, seen := targets[t]; fixed && seen && target != p.Target {
				return refuse(t, "ports", fmt.Sprintf(twice, t), "publish it once")
			}
			targets[t] = p.Target
		}
	}
	return nil
}

const twice = "takes the %s twice"

// rePorts is what may be a range of ports, which the loader makes as many ports of; reRange is a range in it.
var (
	rePorts = regexp.MustCompile(`^[0-9a-fA-F.:\[\]-]+(/[a-z]+)?$`)
	reRange = regexp.MustCompile(`([0-9]{1,5})-([0-9]{1,5})`)
)

// spread counts the ports that the loader may make of a text.
func (b *bundle) spread(text string) {
	if !strings.Contains(text, "-") || !rePorts.MatchString(text) {
		return
	}
	for _, m := range reRange.FindAllStringSubmatch(text, -1) {
		first, _ := strconv.Atoi(m[1])
		last, _ := strconv.Atoi(m[2])
		if last <= 65535 {
			b.ports += max(0, last-first)
		}
	}
}

// apart reports whether one address is of IPv4 and the other of IPv6: an engine can have both.
func apart(a, b string) bool {
	x, errX := netip.ParseAddr(a)
	y, errY := netip.ParseAddr(b)
	return errX == nil && errY == nil && x.Is4() != y.Is4()
}
