package fakeengine

import (
	"context"
	"fmt"
	"time"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/snapshot"
)

// DefaultChurn is the mean time between two things that happen by themselves on a device.
const DefaultChurn = 10 * time.Minute

// Live adds at most maxExtra containers to a device, numbered from firstExtra.
const (
	maxExtra   = 5
	firstExtra = 100
)

// catalogue is what devices in the field run.
func catalogue() []Spec {
	return []Spec{
		{Name: "gateway/modbus", Image: "registry.plant.example/gateway/modbus:2.4.1", Ports: []protocol.Port{{Private: 5020, Public: 5020}}},
		{Name: "gateway/opcua", Image: "registry.plant.example/gateway/opcua:1.9.0", Ports: []protocol.Port{{Private: 4840, Public: 4840}}},
		{Name: "gateway/broker", Image: "eclipse-mosquitto:2.0", Volumes: map[string]string{"/mosquitto/data": "gateway_broker"}},
		{Name: "metrics/store", Image: "influxdb:2.7", Volumes: map[string]string{"/var/lib/influxdb2": "metrics_store"}},
		{Name: "metrics/collect", Image: "telegraf:1.34"},
		{Name: "metrics/view", Image: "grafana/grafana:11.6.0", Ports: []protocol.Port{{Private: 3000, Public: 3000}}, Fate: Healthy},
		{Name: "vision/infer", Image: "registry.plant.example/vision/infer:0.8.3", Fate: Healthy},
		{Name: "vision/capture", Image: "registry.plant.example/vision/capture:0.8.3"},
		{Name: "web/proxy", Image: "nginx:1.27-alpine", Ports: []protocol.Port{{Private: 80, Public: 80}, {Private: 443, Public: 443}}, Fate: Healthy},
		{Name: "web/app", Image: "registry.plant.example/web/app:5.2.0", Fate: Healthy},
		{Name: "web/database", Image: "postgres:16-alpine", Volumes: map[string]string{"/var/lib/postgresql/data": "web_database"}, Fate: Healthy},
	}
}

// Populate creates and starts n containers of what devices in the field run, as Compose would have.
func (e *Engine) Populate(n int) {
	items := catalogue()
	e.mu.Lock()
	for i := range n {
		e.addFrom(items[i%len(items)], i/len(items)+1)
	}
	e.mu.Unlock()
	if n > 0 {
		e.notify()
	}
}

// addFrom starts the nr-th container of an item of the catalogue. One that is there stays.
func (e *Engine) addFrom(item Spec, nr int) {
	var project, service string
	for i, r := range item.Name {
		if r == '/' {
			project, service = item.Name[:i], item.Name[i+1:]
		}
	}
	item.Name = fmt.Sprintf("%s-%s-%d", project, service, nr)
	item.Labels = map[string]string{snapshot.LabelProject: project, snapshot.LabelService: service}
	item.Networks = []string{project + "_default"}
	if nr > 1 {
		item.Ports = nil
	}
	b, err := e.create(item)
	if err != nil {
		return // it is there
	}
	b.extra = nr >= firstExtra
	e.start(b)
}

// Live lets things happen to the containers, driven by the seed, until ctx is done: they crash and are restarted, are
// restarted by somebody, lose and regain their health, and some are added and removed again.
func (e *Engine) Live(ctx context.Context) error {
	for {
		e.mu.Lock()
		wait := time.Duration(e.rnd.ExpFloat64() * float64(e.cfg.Churn))
		e.mu.Unlock()
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
		e.mu.Lock()
		if e.presence == Present {
			e.happen()
		}
		e.mu.Unlock()
		e.notify()
	}
}

// happen does one thing.
func (e *Engine) happen() {
	var running, extra []*box
	for _, b := range e.containers {
		if b.State == protocol.ContainerRunning {
			running = append(running, b)
		}
		if b.extra {
			extra = append(extra, b)
		}
	}
	what := e.rnd.IntN(10)
	switch {
	case what == 0 && len(extra) < maxExtra:
		items := catalogue()
		e.addFrom(items[e.rnd.IntN(len(items))], firstExtra+e.rnd.IntN(firstExtra))
		return
	case what == 1 && len(extra) > 0:
		e.remove(extra[e.rnd.IntN(len(extra))])
		return
	case len(running) == 0:
		return
	}
	b := running[e.rnd.IntN(len(running))]
	switch {
	case what < 6:
		e.crash(b)
	case what < 8:
		e.end(b, 0)
		e.start(b)
	case b.Health == protocol.HealthHealthy:
		b.Health = protocol.HealthUnhealthy
		e.later(b, 2*e.cfg.HealthDelay, func(b *box) { b.Health = protocol.HealthHealthy })
	}
}
