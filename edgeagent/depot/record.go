package depot

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/farshore/farshore/internal/durable"
)

// Folders of the depot.
const (
	blobsDir  = "blobs"  // sha256-… whole blobs; with .part the beginning of one, with .at how much of that is sure
	stacksDir = "stacks" // one record for each stack
)

// record is what is kept for one stack. It is written whole, before what it names is fetched.
type record struct {
	Stack   uint64             `json:"stack"`
	Version uint64             `json:"version"`
	Spent   int64              `json:"spent"` // bytes on the wire for this version
	Images  map[string]*picked `json:"images"`
}

// picked is which content a name stands for.
type picked struct {
	// Top is the digest that the registry has under the name: of an index, or of the manifest itself.
	Top string `json:"top,omitempty"`
	// Blobs are all digests that may be kept for it: documents and layers.
	Blobs []string `json:"blobs,omitempty"`
	// Image is its id on the engine once it is there; nothing is kept for it then.
	Image string `json:"image,omitempty"`
	// Found: the engine had it, and nothing was fetched.
	Found bool `json:"found,omitempty"`
	// Cost is, on the link, of all that was done for it; the rest is with its layers.
	Cost
	Layers []*layer `json:"layers,omitempty"`
}

func (d *Depot) recordPath(stack uint64) string {
	return filepath.Join(d.cfg.Dir, stacksDir, strconv.FormatUint(stack, 10)+".json")
}

// readRecords reads all records. One that cannot be read is forgotten: what it names is fetched again.
func (d *Depot) readRecords() error {
	files, err := os.ReadDir(filepath.Join(d.cfg.Dir, stacksDir))
	if err != nil {
		return err
	}
	for _, f := range files {
		path := filepath.Join(d.cfg.Dir, stacksDir, f.Name())
		raw, err := os.ReadFile(path)
		var r record
		if err == nil {
			err = json.Unmarshal(raw, &r)
		}
		if err == nil && d.recordPath(r.Stack) != path {
			err = errors.New("it has another name")
		}
		if err != nil {
			d.cfg.Log.Warn("a record of images cannot be read and is removed", "file", f.Name(), "error", err)
			if err := os.Remove(path); err != nil {
				return err
			}
			continue
		}
		for _, p := range r.Images {
			for _, l := range p.Layers {
				l.revived = true
			}
		}
		d.records[r.Stack] = &r
	}
	return nil
}

// begin gives the record of a stack for an order: names that are not wanted any more are dropped, and for another
// version a tag is asked for anew.
func (d *Depot) begin(stack, version uint64, keys []string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	r := &record{Stack: stack, Version: version, Images: map[string]*picked{}}
	old := d.records[stack]
	for _, key := range keys {
		r.Images[key] = &picked{}
		if old == nil || old.Images[key] == nil {
			continue
		}
		p := *old.Images[key]
		if old.Version != version && p.Image == "" && !strings.Contains(key, "@") {
			p.Top = "" // what was fetched is kept until it is known that it is not wanted
		}
		r.Images[key] = &p
	}
	if old != nil && old.Version == version {
		r.Spent = old.Spent
	}
	d.records[stack] = r
	return d.write(r)
}

// change changes what is kept for one image of a stack.
func (d *Depot) change(stack uint64, key string, do func(*picked)) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	r := d.records[stack]
	if r == nil || r.Images[key] == nil {
		return fmt.Errorf("stack %d no longer wants image %s", stack, key)
	}
	do(r.Images[key])
	return d.write(r)
}

func (d *Depot) picked(stack uint64, key string) picked {
	d.mu.Lock()
	defer d.mu.Unlock()
	if r := d.records[stack]; r != nil && r.Images[key] != nil {
		return *r.Images[key]
	}
	return picked{}
}

// spend adds to what an image and its stack have cost, and returns the sum of the stack.
func (d *Depot) spend(of imageOf, n int64) (int64, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	r := d.records[of.stack]
	if r == nil {
		return n, nil
	}
	if p := r.Images[of.key]; p != nil {
		p.Spent += n
	}
	if r.Spent += n; n == 0 {
		return r.Spent, nil
	}
	return r.Spent, d.write(r)
}

// write makes a record durable. Callers hold mu.
func (d *Depot) write(r *record) error {
	raw, err := json.Marshal(r)
	if err == nil {
		err = durable.Replace(d.recordPath(r.Stack), raw)
	}
	if err != nil {
		return fmt.Errorf("note what is fetched for stack %d: %w", r.Stack, err)
	}
	return nil
}

// Keep removes what is kept for other stacks than these.
func (d *Depot) Keep(stacks []uint64) error {
	kept := map[uint64]bool{}
	for _, s := range stacks {
		kept[s] = true
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for stack := range d.records {
		if kept[stack] {
			continue
		}
		if err := os.Remove(d.recordPath(stack)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("forget the images of stack %d: %w", stack, err)
		}
		delete(d.records, stack)
	}
	return d.collect()
}

// sweep removes blobs that no stack waits for.
func (d *Depot) sweep() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.collect()
}

// collect is sweep for callers that hold mu.
func (d *Depot) collect() error {
	needed := map[string]bool{}
	for _, r := range d.records {
		for _, p := range r.Images {
			if p.Image != "" {
				continue
			}
			for _, digest := range p.Blobs {
				needed[fileOf(digest)] = true
			}
		}
	}
	dir := filepath.Join(d.cfg.Dir, blobsDir)
	files, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, f := range files {
		if name, _, _ := strings.Cut(f.Name(), "."); needed[name] {
			continue
		}
		if err := os.Remove(filepath.Join(dir, f.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove a layer that is not needed any more: %w", err)
		}
	}
	return nil
}
