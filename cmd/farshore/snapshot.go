package main

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/protocol"
)

func (a *app) snapshotCommand() *cobra.Command {
	var asOf string
	show := &cobra.Command{
		Use: "show DEVICE", Short: "show a device as it was last observed, or as of a time", Args: cobra.ExactArgs(1), ValidArgsFunction: atFirst(a.completeDevices),
		Example: "  farshore snapshot show crane-1 --as-of 2h\n  farshore snapshot show crane-1 --as-of 2026-05-01T12:00:00Z -o json",
		RunE: func(cmd *cobra.Command, args []string) error {
			q := url.Values{}
			if asOf != "" {
				if d, err := duration(asOf); err == nil {
					asOf = time.Now().Add(-d).UTC().Format(time.RFC3339)
				}
				q.Set("as_of", asOf)
			}
			var s resource.Snapshot
			if err := a.get(cmd.Context(), "/devices/"+seg(args[0])+"/snapshot", q, &s); err != nil {
				return err
			}
			if a.format != formatTable {
				return a.print(s, nil)
			}
			return a.showSnapshot(s)
		},
	}
	show.Flags().StringVar(&asOf, "as-of", "", "a time in RFC 3339 or Unix seconds, or how long ago, such as 2h or 3d")
	ls := &cobra.Command{
		Use: "ls DEVICE", Short: "list the times of which a device's state is known", Args: cobra.ExactArgs(1), ValidArgsFunction: atFirst(a.completeDevices),
		RunE: func(cmd *cobra.Command, args []string) error {
			var s resource.SnapshotTimes
			if err := a.get(cmd.Context(), "/devices/"+seg(args[0])+"/snapshots", nil, &s); err != nil {
				return err
			}
			return a.print(s.Times, func() *table {
				t := &table{}
				for _, at := range s.Times {
					t.add(at.Format(time.RFC3339), ago(at))
				}
				return t
			})
		},
	}
	return parent("snapshot", "what devices look like", show, ls)
}

func (a *app) showSnapshot(s resource.Snapshot) error {
	h, e := s.Snapshot.Host, s.Snapshot.Engine
	top := &table{}
	top.add("device", string(s.Device))
	top.add("as of", exact(s.AsOf)+" ("+ago(s.AsOf)+")")
	if !s.AsOf.Equal(s.At) {
		top.add("unchanged", "since "+exact(s.At))
	}
	if !s.OverdueSince.IsZero() {
		top.add("overdue", "since "+exact(s.OverdueSince)+": "+s.OverdueReason)
	}
	top.add("host", fmt.Sprintf("%s, %s, kernel %s, %s", h.Name, h.OS, h.Kernel, h.Arch))
	top.add("hardware", fmt.Sprintf("%d CPUs, %s memory, %s disk, %d %% used", h.CPUs, size(h.Memory), size(h.DiskTotal), h.DiskUsed))
	if h.Booted > 0 {
		top.add("started", exact(time.Unix(h.Booted, 0)))
	}
	engine := fmt.Sprintf("%s %s, API %s, %s", e.Kind, e.Version, e.API, e.State)
	if e.Reason != "" {
		engine += ": " + e.Reason
	}
	top.add("engine", engine)

	containers := &table{head: []string{"CONTAINER", "STATE", "IMAGE", "PROJECT", "SERVICE", "RESTARTS", "PORTS"}}
	for _, c := range s.Snapshot.Containers {
		containers.add(c.Name, containerState(c), imageOf(s.Snapshot, c), dash(c.Project), dash(c.Service), fmt.Sprint(c.Restarts), ports(c.Ports))
	}
	images := &table{head: []string{"IMAGE", "TAGS", "SIZE", "CREATED"}}
	for _, i := range s.Snapshot.Images {
		images.add(i.ID.String()[:12], dash(strings.Join(i.Tags, ", ")), size(i.Size), exact(secondsAt(i.Created)))
	}
	volumes := &table{head: []string{"VOLUME", "DRIVER", "PROJECT"}}
	for _, v := range s.Snapshot.Volumes {
		volumes.add(v.Name, or(v.Driver, "local"), dash(v.Project))
	}
	networks := &table{head: []string{"NETWORK", "DRIVER", "SUBNETS", "PROJECT"}}
	for _, n := range s.Snapshot.Networks {
		networks.add(n.Name, dash(n.Driver), dash(strings.Join(n.Subnets, ", ")), dash(n.Project))
	}
	for i, t := range []*table{top, containers, images, volumes, networks} {
		if i > 0 && len(t.rows) == 0 {
			continue
		}
		if i > 0 {
			say(a.out, "\n")
		}
		if err := t.write(a.out); err != nil {
			return err
		}
	}
	return nil
}

func containerState(c protocol.Container) string {
	out := c.State.String()
	if c.Health != protocol.HealthNone {
		out += " (" + c.Health.String() + ")"
	}
	if c.State == protocol.ContainerExited {
		out += fmt.Sprintf(" (%d)", c.ExitCode)
	}
	return out
}

// imageOf names a container's image: as it was told, or by the image's first tag.
func imageOf(s protocol.Snapshot, c protocol.Container) string {
	if c.ImageRef != "" {
		return c.ImageRef
	}
	if c.Image == 0 || int(c.Image) > len(s.Images) {
		return "-"
	}
	i := s.Images[c.Image-1]
	if len(i.Tags) > 0 {
		return i.Tags[0]
	}
	return i.ID.String()[:12]
}

func ports(list []protocol.Port) string {
	var out []string
	for _, p := range list {
		text := fmt.Sprintf("%d/%s", p.Private, or(p.Proto, "tcp"))
		if p.Public != 0 {
			text = fmt.Sprintf("%s:%d->%s", or(p.IP, "*"), p.Public, text)
		}
		out = append(out, text)
	}
	return dash(strings.Join(out, ", "))
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func secondsAt(seconds int64) time.Time {
	if seconds == 0 {
		return time.Time{}
	}
	return time.Unix(seconds, 0)
}
