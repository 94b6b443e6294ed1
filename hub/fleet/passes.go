package fleet

import (
	"fmt"
	"slices"
	"time"

	"github.com/farshore/farshore/economy"
	"github.com/farshore/farshore/protocol"
)

// TableEnd is how near the end of a table of passes is.
type TableEnd uint8

// Ends of tables.
const (
	TableFar   TableEnd = 0
	TableSoon  TableEnd = 1 // within economy.TableEndsSoon
	TableEnded TableEnd = 2
)

// TableNotice tells that a table of passes ends soon, or has ended.
type TableNotice struct {
	// Device that the table is of, or "": it is of Group. Group of a device is the one that it is in.
	Device protocol.DeviceID
	Group  string
	Is     TableEnd
	// Text says it to people, with what holds afterwards.
	Text string
}

// Holder is who has a table of passes: a device, or where Device is "" a group.
type Holder struct {
	Device protocol.DeviceID
	Group  string
}

// tableOf gives the table of a holder as the change sees it. Errors wrap ErrNotFound.
func (t *tx) tableOf(h Holder) (*Passes, error) {
	if h.Device != "" {
		d := t.device(h.Device)
		if d == nil {
			return nil, unknown(h.Device)
		}
		return d.Passes, nil
	}
	g := t.groupAt(h.Group)
	if g == nil {
		return nil, fmt.Errorf("group %.160q: %w: make it first", h.Group, ErrNotFound)
	}
	return g.Passes, nil
}

func (t *tx) setTable(h Holder, p *Passes) error {
	if h.Device != "" {
		d := t.device(h.Device).clone()
		d.Passes = p
		return t.write(d)
	}
	g := *t.groupAt(h.Group)
	g.Passes = p
	t.mine.groups[h.Group] = &g
	return nil
}

// SetPasses gives a group or a device a table of passes; nil takes it away, and those of the groups above count. expect
// looks at the table as it is, nil where there is none, as in PutGroup. Other errors wrap ErrNotFound or ErrInvalid.
func (r *Registry) SetPasses(h Holder, p *Passes, expect func(*Passes) error) error {
	if p != nil {
		sorted := slices.Clone(p.Passes)
		slices.SortFunc(sorted, func(a, b protocol.Pass) int { return int(min(max(a.Start-b.Start, -1), 1)) })
		p = &Passes{Passes: sorted, After: p.After}
		if err := checkPasses(p); err != nil {
			return err
		}
	}
	return r.commit(func(t *tx) error {
		old, err := t.tableOf(h)
		if err != nil {
			return err
		}
		if expect != nil {
			if err := expect(old); err != nil {
				return err
			}
		}
		return t.setTable(h, p)
	})
}

func checkPasses(p *Passes) error {
	if len(p.Passes) == 0 {
		return fmt.Errorf("table of passes: %w: it is empty: give passes, or remove the table", ErrInvalid)
	}
	if p.After > protocol.AfterOpen {
		return fmt.Errorf("table of passes: %w: what holds after it: want daily, silent or open", ErrInvalid)
	}
	if err := economy.CheckContact(&protocol.Contact{Passes: p.Passes}, time.Now()); err != nil {
		return fmt.Errorf("table of passes: %w: %w", ErrInvalid, err)
	}
	return nil
}

// GroupEffective gives the settings that hold for an async device of a group that says nothing itself. False: there is
// no such group.
func (r *Registry) GroupEffective(path string) (Effective, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.now.groups[path] == nil {
		return Effective{}, false
	}
	return *effective(&r.now, &Device{Group: path, Mode: protocol.ModeAsync}, r.now.inherited[path]), true
}

// Passes is the table that counts, the device's own or that of the nearest group that has one. Nil: there is none.
func (e Effective) Passes() *Passes { return e.passes }

// tablesEvery is how often the ends of tables are looked at.
const tablesEvery = time.Minute

// watchTables tells once of each table that ends soon, and once of each that has ended.
func (r *Registry) watchTables(now time.Time) {
	var notices []TableNotice
	look := func(t *tx, h Holder, n TableNotice) error {
		p, err := t.tableOf(h)
		if err != nil || p == nil || endOf(p, now) <= p.Told {
			return nil
		}
		told := *p
		told.Told = endOf(p, now)
		n.Is, n.Text = told.Told, endText(p, told.Told)
		notices = append(notices, n)
		return t.setTable(h, &told)
	}
	if !r.tablesToTell(now) {
		return
	}
	err := r.commit(func(t *tx) error {
		notices = nil
		for _, g := range t.groups() {
			if g == nil {
				continue
			}
			if err := look(t, Holder{Group: g.Path}, TableNotice{Group: g.Path}); err != nil {
				return err
			}
		}
		var tables []*Device
		t.each(func(d *Device) bool {
			if d.Passes != nil && d.Revoked == 0 {
				tables = append(tables, d)
			}
			return true
		})
		for _, d := range tables {
			if err := look(t, Holder{Device: d.ID}, TableNotice{Device: d.ID, Group: d.Group}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		r.log.Error("that tables of passes end could not be noted, it is tried again", "err", err)
		return
	}
	for _, n := range notices {
		if r.tables != nil {
			r.tables(n)
		}
	}
}

// tablesToTell looks whether there is something to tell, without a change.
func (r *Registry) tablesToTell(now time.Time) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	untold := func(p *Passes) bool { return p != nil && endOf(p, now) > p.Told }
	for _, g := range r.now.groups {
		if untold(g.Passes) {
			return true
		}
	}
	for _, e := range r.now.devices {
		if e.dev.Revoked == 0 && untold(e.dev.Passes) {
			return true
		}
	}
	return false
}

func endOf(p *Passes, now time.Time) TableEnd {
	switch left := p.End().Sub(now); {
	case left <= 0:
		return TableEnded
	case left < economy.TableEndsSoon:
		return TableSoon
	}
	return TableFar
}

func endText(p *Passes, is TableEnd) string {
	when := p.End().UTC().Format("2 January 2006, 15:04 UTC")
	then := economy.AfterWords(p.After)
	if p.After == 0 {
		then = "what the profile says holds; where it says nothing, devices are in contact five minutes a day."
	}
	if is == TableEnded {
		return fmt.Sprintf("The table of passes ended at %s: where the link profile has no contact windows, %s", when, then)
	}
	return fmt.Sprintf("The table of passes ends at %s: give the next one before; where the link profile has no contact windows, %s", when, then)
}
