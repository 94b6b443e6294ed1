package composer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"syscall"

	"github.com/docker/compose/v2/pkg/api"
	"github.com/docker/docker/api/types/container"

	"github.com/farshore/farshore/stacks/composer/ipc"
)

// preflight refuses what is bound to fail after containers were stopped: external networks and volumes that are
// missing, names and ports that something else holds. What it cannot see still fails later, with the same codes.
func (r *run) preflight(ctx context.Context, d *diff) error {
	if err := checkExternal(d); err != nil {
		return err
	}
	all, err := r.eng.ContainerList(ctx, container.ListOptions{All: true})
	if err != nil {
		return fmt.Errorf("list containers: %w", err)
	}
	for _, c := range d.changes() {
		if c.action != ipc.ServiceCreated && c.action != ipc.ServiceRecreated && c.action != ipc.ServiceStarted {
			continue
		}
		if err := checkNames(d.project, c.service, all); err != nil {
			return err
		}
		if err := r.checkPorts(d.project, c.service, all); err != nil {
			return err
		}
	}
	return nil
}

func checkExternal(d *diff) error {
	for key, n := range d.project.Networks {
		if _, ok := d.networks[key]; bool(n.External) && !ok {
			return &Failure{Code: ipc.CodeComposeInvalid, Detail: fmt.Sprintf("the external network %q is not on the device; create it, or remove external from it", n.Name)}
		}
	}
	for key, v := range d.project.Volumes {
		if bool(v.External) && !d.volumes[key] {
			return &Failure{Code: ipc.CodeComposeInvalid, Detail: fmt.Sprintf("the external volume %q is not on the device; create it, or remove external from it", v.Name)}
		}
	}
	return nil
}

func checkNames(p *project, service string, all []container.Summary) error {
	for name := range expectedNames(p.Name, p.Services[service]) {
		for _, c := range all {
			if nameOf(c) == name && c.Labels[api.ProjectLabel] != p.Name {
				return &Failure{
					Code: ipc.CodeNameInUse, Service: service, Container: name,
					Detail: fmt.Sprintf("service %s needs the container name %q, which %s has; remove or rename that container, or change container_name", service, name, owner(c)),
				}
			}
		}
	}
	return nil
}

// checkPorts looks for published ports that another container or another program holds.
func (r *run) checkPorts(p *project, service string, all []container.Summary) error {
	ours := map[string]bool{}
	hostNetwork := false
	socket, local := strings.CutPrefix(r.eng.host, "unix://")
	local = local && sharesNetwork(socket)
	for _, c := range all {
		if c.Labels[api.ProjectLabel] != p.Name {
			continue
		}
		hostNetwork = hostNetwork || c.HostConfig.NetworkMode == "host"
		for _, port := range c.Ports {
			ours[fmt.Sprintf("%d/%s", port.PublicPort, port.Type)] = true
		}
	}
	for _, want := range p.Services[service].Ports {
		number, err := strconv.ParseUint(want.Published, 10, 16)
		if err != nil || number == 0 {
			continue // any free port, or one of a range
		}
		held := fmt.Sprintf("%d/%s", number, want.Protocol)
		if ours[held] {
			continue
		}
		if who := portOwner(want.HostIP, uint16(number), want.Protocol, p.Name, all); who != "" {
			return portFailure(service, held, who)
		}
		if !hostNetwork && local && listened(want.HostIP, want.Published, want.Protocol) {
			return portFailure(service, held, "another program on the device")
		}
	}
	return nil
}

func portFailure(service, port, who string) error {
	return &Failure{
		Code: ipc.CodePortInUse, Service: service,
		Detail: fmt.Sprintf("service %s publishes port %s, which %s holds; stop that, or publish another port", service, port, who),
	}
}

func portOwner(ip string, number uint16, protocol, project string, all []container.Summary) string {
	for _, c := range all {
		if c.Labels[api.ProjectLabel] == project {
			continue
		}
		for _, port := range c.Ports {
			if port.PublicPort == number && port.Type == protocol && (anyAddress(ip) || anyAddress(port.IP) || ip == port.IP) {
				return owner(c)
			}
		}
	}
	return ""
}

func anyAddress(ip string) bool {
	return ip == "" || net.ParseIP(ip).IsUnspecified()
}

func owner(c container.Summary) string {
	if project := c.Labels[api.ProjectLabel]; project != "" {
		return fmt.Sprintf("container %q of project %s", nameOf(c), project)
	}
	return fmt.Sprintf("container %q", nameOf(c))
}

// listened says whether a program listens at a port; not being allowed to find out counts as no.
func listened(ip, port, protocol string) bool {
	if ip == "" {
		ip = "0.0.0.0"
	}
	address := net.JoinHostPort(ip, port)
	var err error
	switch protocol {
	case "udp":
		var c net.PacketConn
		if c, err = net.ListenPacket("udp", address); err == nil {
			_ = c.Close()
		}
	case "tcp":
		var l net.Listener
		if l, err = net.Listen("tcp", address); err == nil {
			_ = l.Close()
		}
	}
	return errors.Is(err, syscall.EADDRINUSE)
}
