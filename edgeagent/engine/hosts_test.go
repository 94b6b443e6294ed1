package engine_test

// app is a service of a host that the numbers are measured on.
type app struct {
	project, service, image string
	volume, bind, port      string
	health                  bool
	labels                  map[string]string
}

// own names an image of the plant's own registry.
func own(name, tag string) string { return "registry.works.example:5000/" + name + ":" + tag }

// ociLabels are such as build tools put into images; they are those of the containers too.
func ociLabels() map[string]string {
	return map[string]string{
		"org.opencontainers.image.source": "https://git.works.example/line/edge", "org.opencontainers.image.revision": "5f0c2ab91d",
	}
}

// mixed are 25 services of a plant's gateway, in six Compose projects, of 18 images: half of it is software that many
// devices run, half is the plant's own, with names that no dictionary knows.
func mixed() []app {
	oci := ociLabels()
	return []app{
		{project: "press-line", service: "plc-reader", image: own("line/plc", "3.2.1"), labels: oci},
		{project: "press-line", service: "plc-writer", image: own("line/plc", "3.2.1"), labels: oci},
		{project: "press-line", service: "historian", image: own("line/historian", "1.14.0"), volume: "history", health: true},
		{project: "press-line", service: "alarms", image: own("line/alarms", "0.9.7")},
		{project: "paint-shop", service: "plc-reader", image: own("line/plc", "3.2.1"), labels: oci},
		{project: "paint-shop", service: "humidity", image: own("line/sensors", "2.0.3")},
		{project: "paint-shop", service: "temperature", image: own("line/sensors", "2.0.3")},
		{project: "paint-shop", service: "alarms", image: own("line/alarms", "0.9.7")},
		{project: "energy", service: "meter-a", image: own("energy/meter", "7.1")},
		{project: "energy", service: "meter-b", image: own("energy/meter", "7.1")},
		{project: "energy", service: "meter-c", image: own("energy/meter", "7.1")},
		{project: "energy", service: "ledger", image: own("energy/ledger", "7.1"), volume: "ledger", health: true},
		{project: "paint-shop", service: "ingest", image: own("camera/ingest", "2026.11"), bind: "/dev/shm"},
		{project: "paint-shop", service: "detect", image: own("camera/detect", "2026.11"), health: true},
		{project: "web", service: "proxy", image: "nginx:1.27.5-alpine", port: "443/tcp", health: true},
		{project: "web", service: "frontend", image: own("web/pages", "88"), port: "8080/tcp"},
		{project: "web", service: "sessions", image: "redis:7.4-alpine", volume: "sessions"},
		{project: "web", service: "db", image: "postgres:16.10", volume: "db_data", health: true},
		{project: "gateway", service: "mosquitto", image: "eclipse-mosquitto:2.0.22", volume: "mosquitto", port: "1883/tcp"},
		{project: "gateway", service: "nodered", image: "nodered/node-red:4.1.0", volume: "nodered_data"},
		{project: "gateway", service: "bridge", image: "eclipse-mosquitto:2.0.22"},
		{project: "monitoring", service: "grafana", image: "grafana/grafana:12.1.1", volume: "grafana_data", port: "3000/tcp"},
		{project: "monitoring", service: "influxdb", image: "influxdb:2.7.12", volume: "influxdb_data"},
		{project: "monitoring", service: "telegraf", image: "telegraf:1.36", bind: "/var/log"},
		{project: "monitoring", service: "node-exporter", image: "prom/node-exporter:v1.9.1", bind: "/proc"},
	}
}

// foreign are 25 services in eight projects, of 13 images, and no word of them is in the built-in dictionary.
func foreign() []app {
	oci := ociLabels()
	return []app{
		{project: "press-line", service: "plc-reader", image: own("line/plc-reader", "3.2.1"), labels: oci},
		{project: "press-line", service: "plc-writer", image: own("line/plc-reader", "3.2.1"), labels: oci},
		{project: "press-line", service: "historian", image: own("line/historian", "1.14.0"), volume: "history", health: true},
		{project: "press-line", service: "alarms", image: own("line/alarms", "0.9.7")},
		{project: "paint-shop", service: "plc-reader", image: own("line/plc-reader", "3.2.1"), labels: oci},
		{project: "paint-shop", service: "humidity", image: own("line/sensors", "2.0.3")},
		{project: "paint-shop", service: "temperature", image: own("line/sensors", "2.0.3")},
		{project: "paint-shop", service: "alarms", image: own("line/alarms", "0.9.7")},
		{project: "energy", service: "meter-a", image: own("energy/meter", "7.1")},
		{project: "energy", service: "meter-b", image: own("energy/meter", "7.1")},
		{project: "energy", service: "meter-c", image: own("energy/meter", "7.1")},
		{project: "energy", service: "ledger", image: own("energy/ledger", "7.1"), volume: "ledger", health: true},
		{project: "camera", service: "ingest", image: own("camera/ingest", "2024.11"), bind: "/dev/shm"},
		{project: "camera", service: "detect", image: own("camera/detect", "2024.11"), health: true},
		{project: "camera", service: "archive", image: own("camera/ingest", "2024.11"), volume: "clips"},
		{project: "front", service: "door", image: own("front/door", "1.3"), port: "8443/tcp", health: true},
		{project: "front", service: "page", image: own("front/page", "88"), port: "8080/tcp"},
		{project: "front", service: "session", image: own("front/page", "88")},
		{project: "queue", service: "bus", image: own("queue/bus", "5.5"), volume: "bus", port: "1883/tcp"},
		{project: "queue", service: "bridge", image: own("queue/bus", "5.5")},
		{project: "watch", service: "metrics", image: own("watch/metrics", "4"), volume: "metrics", port: "9090/tcp"},
		{project: "watch", service: "shipper", image: own("watch/metrics", "4"), bind: "/var/log"},
		{project: "watch", service: "probe", image: own("watch/metrics", "4")},
		{project: "tools", service: "clock", image: own("tools/clock", "1")},
		{project: "tools", service: "backup", image: own("tools/clock", "1"), bind: "/srv"},
	}
}
