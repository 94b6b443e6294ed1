package snapshot

import (
	"net/netip"
	"strings"

	"github.com/farshore/farshore/protocol"
)

// Most containers are made by Compose, so much of what is told of them follows from the rest. The canonical form
// leaves it out, in ways that nothing real can have:
//
//	container name    ""      project-service-1          "-2"     project-service-2
//	container start   -n-1    n seconds after creation
//	endpoint network  ""      project_default            "_x"     project_x
//	endpoint address  ".0.5"  what the network's first subnet begins with, then .0.5
//	mount of a volume "_x"    project_x
//	volume, network   "_x"    project_x                           (network "": project_default)
//
// compact and expand are inverse to each other on what is in canonical form otherwise.

// defaultNetwork is the rest of the name of the network that Compose makes for a project.
const defaultNetwork = "_default"

// without returns name without its project, or all of it where it does not begin with that.
func without(project, name string) string {
	if rest, ok := strings.CutPrefix(name, project); ok && project != "" && len(rest) > 1 && rest[0] == '_' {
		return rest
	}
	return name
}

// with is the inverse of without.
func with(project, name string) string {
	if project != "" && len(name) > 1 && name[0] == '_' {
		return project + name
	}
	return name
}

func withoutNetwork(project, name string) string {
	if rest := without(project, name); rest != defaultNetwork || project == "" {
		return rest
	}
	return ""
}

func withNetwork(project, name string) string {
	if name == "" && project != "" {
		return project + defaultNetwork
	}
	return with(project, name)
}

// prefixes gives, for each network by name, the whole bytes that all IPv4 addresses in its first subnet begin with.
func prefixes(networks []protocol.Network) map[string]string {
	out := make(map[string]string, len(networks))
	for _, n := range networks {
		if len(n.Subnets) == 0 {
			continue
		}
		subnet, err := netip.ParsePrefix(n.Subnets[0])
		if err != nil || !subnet.Addr().Is4() || subnet.Bits() < 8 {
			continue
		}
		bytes := strings.Split(subnet.Addr().String(), ".")
		out[n.Name] = strings.Join(bytes[:min(subnet.Bits()/8, 3)], ".")
	}
	return out
}

// compact changes s, whose lists are its own.
func compact(s *protocol.Snapshot) {
	prefix := prefixes(s.Networks)
	for i := range s.Containers {
		c := &s.Containers[i]
		if rest, ok := strings.CutPrefix(c.Name, c.Project+"-"+c.Service+"-"); ok && c.Project != "" && c.Service != "" && rest != "" {
			c.Name = "-" + rest
			if rest == "1" {
				c.Name = ""
			}
		}
		if c.Started > 0 && c.Created > 0 && c.Started >= c.Created {
			c.Started = c.Created - c.Started - 1
		}
		for j := range c.Networks {
			n := &c.Networks[j]
			if rest, ok := strings.CutPrefix(n.IP, prefix[n.Network]); ok && len(rest) > 1 && rest[0] == '.' {
				n.IP = rest
			}
			n.Network = withoutNetwork(c.Project, n.Network)
		}
		for j := range c.Mounts {
			if m := &c.Mounts[j]; m.Type == "" {
				m.Source = without(c.Project, m.Source)
			}
		}
	}
	for i := range s.Volumes {
		s.Volumes[i].Name = without(s.Volumes[i].Project, s.Volumes[i].Name)
	}
	for i := range s.Networks {
		s.Networks[i].Name = withoutNetwork(s.Networks[i].Project, s.Networks[i].Name)
	}
}

// expand is the inverse of compact.
func expand(s *protocol.Snapshot) {
	for i := range s.Networks {
		s.Networks[i].Name = withNetwork(s.Networks[i].Project, s.Networks[i].Name)
	}
	prefix := prefixes(s.Networks)
	for i := range s.Containers {
		c := &s.Containers[i]
		if c.Project != "" && c.Service != "" {
			switch {
			case c.Name == "":
				c.Name = c.Project + "-" + c.Service + "-1"
			case c.Name[0] == '-':
				c.Name = c.Project + "-" + c.Service + c.Name
			}
		}
		if c.Started < 0 {
			c.Started = c.Created - c.Started - 1
		}
		for j := range c.Networks {
			n := &c.Networks[j]
			n.Network = withNetwork(c.Project, n.Network)
			if n.IP != "" && n.IP[0] == '.' {
				n.IP = prefix[n.Network] + n.IP
			}
		}
		for j := range c.Mounts {
			if m := &c.Mounts[j]; m.Type == "" {
				m.Source = with(c.Project, m.Source)
			}
		}
	}
	for i := range s.Volumes {
		s.Volumes[i].Name = with(s.Volumes[i].Project, s.Volumes[i].Name)
	}
}
