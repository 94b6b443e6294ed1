package main

import (
	"encoding/binary"
	"fmt"

	"github.com/farshore/farshore/protocol"
)

// service is one container of a typical device.
type service struct {
	project, name, image string
	mounts               []protocol.Mount
	ports                []protocol.Port
	health               protocol.Health
	labels               map[string]string
}

// snapshots are typical devices, the one that is most like others last. They are in canonical form (package snapshot:
// what Compose lets follow from the rest is left out), but for the order of their lists, which does not matter here.
func snapshots() []protocol.Snapshot {
	return []protocol.Snapshot{words(), home(), plant()}
}

// at is a time like those of the coming years: the first byte of its encoding is what matters.
func at(n int) int64 { return 0x6b02_0000 + int64(n)*257 }

// id is as random as an id, and the same in each build. An id never matches another; short ones keep the dictionary small.
func id(n int) (out protocol.ShortHash) {
	binary.BigEndian.PutUint64(out[:], uint64(n+1)*0x9e37_79b9_7f4a_7c15)
	return out
}

func digest(n int) (out protocol.Hash) {
	for i := range 4 {
		part := id(n*4 + i)
		copy(out[8*i:], part[:])
	}
	return out
}

// device makes a snapshot of services, one image for each reference.
func device(s protocol.Snapshot, services []service) protocol.Snapshot {
	places, networks := map[string]uint32{}, map[string]int{}
	for i, in := range services {
		if places[in.image] == 0 {
			s.Images = append(s.Images, protocol.Image{ID: digest(len(s.Images)), Tags: []string{in.image}, Size: 0x0512_3456 + uint64(i)<<20, Created: at(-9 * i)})
			places[in.image] = uint32(len(s.Images))
		}
		network := in.project + "_default"
		if networks[network] == 0 {
			networks[network] = len(networks) + 1
			s.Networks = append(s.Networks, protocol.Network{
				ID: id(100 + len(networks)), Driver: "bridge", Project: in.project,
				Subnets: []string{fmt.Sprintf("172.%d.0.0/16", 17+len(networks))},
			})
		}
		for _, m := range in.mounts {
			if m.Type == "" {
				s.Volumes = append(s.Volumes, protocol.Volume{Name: m.Source, Created: at(i), Project: in.project})
			}
		}
		s.Containers = append(s.Containers, protocol.Container{
			ID: id(i), Image: places[in.image], Health: in.health,
			Created: at(i), Started: -2, Ports: in.ports, Labels: in.labels,
			Project: in.project, Service: in.name, Stack: uint64(networks[network]), Mounts: in.mounts,
			Networks: []protocol.Endpoint{{IP: fmt.Sprintf(".0.%d", 2+i%8)}},
		})
	}
	s.Networks = append(s.Networks,
		protocol.Network{ID: id(200), Name: "bridge", Driver: "bridge", Subnets: []string{"172.17.0.0/16"}},
		protocol.Network{Name: "host", Driver: "host"},
		protocol.Network{Name: "none", Driver: "null"},
	)
	return s
}

// words are names and values that devices have, without the rest of a device.
func words() protocol.Snapshot {
	exited := protocol.Container{
		Name: "worker", ImageRef: "registry.gitlab.com/", State: protocol.ContainerExited, ExitCode: 137, Created: at(0), Started: at(1), Finished: at(2), Restarts: 1,
		Ports: []protocol.Port{{Private: 53, Public: 53, Proto: "udp"}, {Private: 8883, Public: 8883, IP: "127.0.0.1"}},
		Labels: map[string]string{
			"maintainer": "NGINX Docker Maintainers <docker-maint@nginx.com>", "traefik.enable": "true",
			"traefik.http.routers.": "Host(`", "traefik.http.services.": "loadbalancer.server.port",
			"org.label-schema.name": "", "org.opencontainers.image.authors": "", "org.opencontainers.image.created": "2026-11-01T00:00:00Z",
			"org.opencontainers.image.description": "", "org.opencontainers.image.documentation": "", "org.opencontainers.image.licenses": "Apache-2.0",
			"org.opencontainers.image.revision": "", "org.opencontainers.image.source": "https://github.com/", "org.opencontainers.image.title": "",
			"org.opencontainers.image.url": "", "org.opencontainers.image.vendor": "", "org.opencontainers.image.version": "1.0.0",
			"org.opencontainers.image.base.name": "docker.io/library/", "org.opencontainers.image.ref.name": "ubuntu",
			"desktop.docker.io/": "", "io.balena.features.": "1", "com.centurylinklabs.watchtower.enable": "true",
		},
		Mounts: []protocol.Mount{
			{Type: "bind", Source: "/var/run/docker.sock", Target: "/var/run/docker.sock", ReadOnly: true},
			{Type: "bind", Source: "/etc/localtime", Target: "/etc/localtime", ReadOnly: true},
			{Type: "bind", Source: "/proc", Target: "/host/proc", ReadOnly: true},
			{Type: "bind", Source: "/var/lib/docker/volumes/", Target: "/var/log"},
			{Type: "bind", Source: "/dev/ttyUSB0", Target: "/dev/ttyUSB0"},
			{Type: "tmpfs", Target: "/run"},
		},
		Networks: []protocol.Endpoint{{Network: "host"}, {Network: "none"}},
	}
	created := protocol.Container{Name: "job", State: protocol.ContainerCreated, Created: at(3), Health: protocol.HealthUnhealthy}
	s := protocol.Snapshot{
		Host:       protocol.Host{Name: "raspberrypi", OS: "Ubuntu 24.04.3 LTS", Kernel: "6.6.51+rpt-rpi-v8", Arch: "arm/v7", CPUs: 4, Memory: 0x1_0000_0000, DiskTotal: 0x7_4000_0000, DiskUsed: 31, Booted: at(5)},
		Engine:     protocol.Engine{State: protocol.EngineAbsent, Reason: "nobody answers at unix:///var/run/docker.sock: start the engine, or give the agent its address", Kind: "podman", Version: "5.4.2", API: "1.41", Storage: "overlay", Cgroup: "cgroupfs/1"},
		Containers: []protocol.Container{exited, created},
	}
	for _, tag := range []string{
		"alpine:3.20", "busybox:latest", "debian:bookworm-slim", "ubuntu:24.04", "python:3.12-slim", "node:22-alpine", "mysql:8.4", "mariadb:11.4",
		"mongo:7.0", "rabbitmq:3.13-management", "traefik:v3.1", "caddy:2.8-alpine", "portainer/agent:2.27.1", "prom/node-exporter:v1.8.2",
		"timescale/timescaledb:latest-pg16", "ghcr.io/home-assistant/home-assistant:stable", "mcr.microsoft.com/azureiotedge-agent:1.5", "quay.io/",
		"registry.example.com:5000/", "localhost:5000/",
	} {
		s.Images = append(s.Images, protocol.Image{Tags: []string{tag}})
	}
	return s
}

// home is a small device.
func home() protocol.Snapshot {
	return device(protocol.Snapshot{
		Host: protocol.Host{
			Name: "gateway", OS: "Raspbian GNU/Linux 12 (bookworm)", Kernel: "6.12.25+rpt-rpi-v8", Arch: "arm64", CPUs: 4,
			Memory: 0x1_e000_0000, DiskTotal: 0xe_8000_0000, DiskUsed: 42, Booted: at(1),
		},
		Engine: protocol.Engine{Kind: "docker", Version: "27.5.1", API: "1.47", Storage: "overlay2", Cgroup: "systemd/2"},
	}, []service{
		{project: "home", name: "homeassistant", image: "homeassistant/home-assistant:2026.10", mounts: []protocol.Mount{{Type: "bind", Source: "/opt/home/config", Target: "/config"}}},
		{project: "home", name: "mosquitto", image: "eclipse-mosquitto:2.0", mounts: []protocol.Mount{{Source: "_mosquitto_data", Target: "/mosquitto/data"}}, ports: []protocol.Port{{Private: 1883, Public: 1883}}},
		{project: "home", name: "zigbee2mqtt", image: "koenkk/zigbee2mqtt:2.1", mounts: []protocol.Mount{{Source: "_zigbee_data", Target: "/app/data"}}},
	})
}

// plant is an industrial gateway.
func plant() protocol.Snapshot {
	tcp := func(port uint16) []protocol.Port { return []protocol.Port{{Private: port, Public: port}} }
	volume := func(name, target string) []protocol.Mount { return []protocol.Mount{{Source: name, Target: target}} }
	bind := func(source, target string) []protocol.Mount {
		return []protocol.Mount{{Type: "bind", Source: source, Target: target, ReadOnly: true}}
	}
	oci := map[string]string{"org.opencontainers.image.version": "2.1.0", "org.opencontainers.image.source": "https://git.example.com/"}
	return device(protocol.Snapshot{
		Host: protocol.Host{
			Name: "edge-gateway-01", OS: "Debian GNU/Linux 12 (bookworm)", Kernel: "6.1.0-28-amd64", Arch: "amd64", CPUs: 4,
			Memory: 0x1_f000_0000, DiskTotal: 0x3a_0000_0000, DiskUsed: 18, Booted: at(2),
		},
		Engine: protocol.Engine{Kind: "docker", Version: "28.5.2", API: "1.51", Storage: "overlay2", Cgroup: "systemd/2"},
	}, []service{
		{project: "monitoring", name: "prometheus", image: "prom/prometheus:v3.5.0", mounts: volume("_prometheus_data", "/prometheus"), ports: tcp(9090)},
		{project: "monitoring", name: "grafana", image: "grafana/grafana:12.2.0", mounts: volume("_grafana_data", "/var/lib/grafana"), ports: tcp(3000)},
		{project: "monitoring", name: "node-exporter", image: "prom/node-exporter:v1.9.1", mounts: bind("/sys", "/host/sys")},
		{project: "monitoring", name: "cadvisor", image: "gcr.io/cadvisor/cadvisor:v0.52.1", mounts: bind("/var/lib/docker", "/var/lib/docker")},
		{project: "monitoring", name: "loki", image: "grafana/loki:3.5", mounts: volume("_loki_data", "/loki")},
		{project: "monitoring", name: "promtail", image: "grafana/promtail:3.5", mounts: bind("/var/log", "/var/log")},
		{project: "monitoring", name: "alertmanager", image: "prom/alertmanager:v0.28.1"},
		{project: "storage", name: "minio", image: "minio/minio:latest", mounts: volume("_minio_data", "/data"), ports: tcp(9000)},
		{project: "storage", name: "adminer", image: "adminer:latest"},
		{project: "storage", name: "mariadb", image: "mariadb:11.8", mounts: volume("_mysql_data", "/var/lib/mysql")},
		{project: "database", name: "postgres", image: "postgres:16-alpine", mounts: volume("_postgres_data", "/var/lib/postgresql/data"), health: protocol.HealthHealthy},
		{project: "database", name: "redis", image: "redis:7-alpine", mounts: volume("_redis_data", "/data"), health: protocol.HealthHealthy},
		{project: "telemetry", name: "influxdb", image: "influxdb:2.7", mounts: volume("_influxdb_data", "/var/lib/influxdb2"), ports: tcp(8086)},
		{project: "telemetry", name: "telegraf", image: "telegraf:1.36", mounts: bind("/etc/telegraf", "/etc/telegraf")},
		{project: "flows", name: "node-red", image: "nodered/node-red:4.0", mounts: volume("_data", "/data"), ports: tcp(1880), health: protocol.HealthHealthy},
		{project: "web", name: "proxy", image: "nginx:1.29-alpine", ports: []protocol.Port{{Private: 80, Public: 80}, {Private: 443, Public: 443}}},
		{project: "web", name: "frontend", image: "registry.example.com/web/frontend:1.4.2", labels: oci, health: protocol.HealthHealthy},
		{project: "web", name: "api", image: "registry.example.com/web/backend:1.4.2", labels: oci, ports: []protocol.Port{{Private: 8080}}},
		{project: "gateway", name: "mqtt-broker", image: "eclipse-mosquitto:2.0", mounts: volume("_mqtt_data", "/mosquitto/data"), ports: tcp(1883)},
		{project: "gateway", name: "opcua", image: "registry.example.com/gateway/opcua:2.1.0"},
		{project: "gateway", name: "modbus", image: "registry.example.com/gateway/modbus:2.1.0"},
		{project: "gateway", name: "collector", image: "registry.example.com/gateway/collector:2.1.0", health: protocol.HealthHealthy},
		{project: "gateway", name: "worker", image: "registry.example.com/gateway/collector:2.1.0"},
	})
}
