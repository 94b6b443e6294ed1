package api

import (
	"context"
	"encoding/csv"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/protocol"
)

// columns are the headings of an export.
func columns() []string {
	return []string{
		"id", "name", "group", "state", "connected", "last_contact", "next_contact", "mode", "carrier", "version", "profile",
		"confirmed", "containers", "containers_running", "stacks", "stacks_ok", "stacks_failed", "labels", "lat", "lon",
	}
}

func (s *server) export(_ context.Context, c *call, in *filterInput) (*huma.StreamResponse, error) {
	w, err := s.wanted(c, resource.DeviceFilter(in.DeviceFilter), "query.")
	if err != nil {
		return nil, err
	}
	var ids []protocol.DeviceID
	for x := range s.find(w) {
		ids = append(ids, x.Device.ID)
	}
	return &huma.StreamResponse{Body: func(ctx huma.Context) {
		ctx.SetHeader("Content-Type", "text/csv; charset=utf-8; header=present")
		ctx.SetHeader("Content-Disposition", `attachment; filename="devices-`+time.Now().UTC().Format("2006-01-02")+`.csv"`)
		// Who has gone needs no rows.
		_ = s.writeTable(ctx.Context(), w.eyes, ctx.BodyWriter(), ids)
	}}, nil
}

// writeTable writes the devices that are still there.
func (s *server) writeTable(ctx context.Context, y *eyes, to io.Writer, ids []protocol.DeviceID) error {
	table := csv.NewWriter(to)
	if err := table.Write(columns()); err != nil {
		return err
	}
	for _, id := range ids {
		d, ok := s.Devices.Device(id)
		if !ok {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		effective, _ := s.Devices.Effective(id)
		if err := table.Write(cells(s.deviceOf(y, &d, s.Devices.Liveness(id, time.Now())), effective.Settings.Profile)); err != nil {
			return err
		}
	}
	table.Flush()
	return table.Error()
}

func cells(d resource.Device, profile string) []string {
	var all, running, lat, lon string
	if n := d.Containers; n != nil {
		all, running = strconv.Itoa(n.All), strconv.Itoa(n.Running)
	}
	if p := d.Position; p != nil {
		lat, lon = strconv.FormatFloat(p.Lat, 'f', -1, 64), strconv.FormatFloat(p.Lon, 'f', -1, 64)
	}
	labels := make([]string, 0, len(d.Labels))
	for _, k := range slices.Sorted(maps.Keys(d.Labels)) {
		labels = append(labels, k+"="+d.Labels[k])
	}
	out := []string{
		string(d.ID), d.Name, d.Group, d.Liveness.State, strconv.FormatBool(d.Liveness.Connected), stamp(d.Liveness.LastContact),
		stamp(d.Liveness.NextContact), d.Mode.String(), string(d.Carrier), d.Version, profile, strconv.FormatBool(d.Confirmed),
		all, running, strconv.Itoa(d.Stacks.All), strconv.Itoa(d.Stacks.OK), strconv.Itoa(d.Stacks.Failed), strings.Join(labels, " "),
	}
	for i, cell := range out {
		out[i] = harmless(cell)
	}
	return append(out, lat, lon) // numbers, which may begin with a minus
}

// formula finds where a spreadsheet could take a part of a cell for a formula: some begin a cell anew at these separators.
var formula = regexp.MustCompile("(^|[;|\t\r\n])([=+@-])")

// harmless keeps a spreadsheet from taking a cell, or a part of it, for a formula.
func harmless(cell string) string {
	cell = formula.ReplaceAllString(cell, "$1'$2")
	if strings.HasPrefix(cell, "\t") || strings.HasPrefix(cell, "\r") {
		return "'" + cell
	}
	return cell
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.RFC3339)
}
