package compose

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/compose-spec/compose-go/v2/types"
)

// digests compares the services of one project. It belongs to one goroutine.
type digests struct {
	project *types.Project
	// trees are the sums of what was mounted already: a bundle may mount one file a thousand times.
	trees map[string][]byte
}

// of is a text that differs where containers of a service would be made anew: its own settings, what they refer to,
// and the content of what they mount from the bundle.
func (all *digests) of(svc types.ServiceConfig) (string, error) {
	project := all.project
	d := digester{digests: all, h: sha256.New()}
	d.value("service", svc)
	for _, v := range svc.Volumes {
		if rel, ok := Inside(project, v); ok {
			d.tree(rel)
		}
		if volume, ok := project.Volumes[v.Source]; ok && v.Type == types.VolumeTypeVolume {
			d.value("volume "+v.Source, volume)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(svc.Networks)) {
		d.value("network "+name, project.Networks[name])
	}
	for _, c := range svc.Configs {
		d.object("config "+c.Source, types.FileObjectConfig(project.Configs[c.Source]))
	}
	for _, s := range svc.Secrets {
		d.object("secret "+s.Source, types.FileObjectConfig(project.Secrets[s.Source]))
	}
	for _, opt := range svc.SecurityOpt {
		if file, ok := SeccompFile(opt); ok {
			d.tree(file)
		}
	}
	if d.err != nil {
		return "", fmt.Errorf("compare service %q: %w", svc.Name, d.err)
	}
	return hex.EncodeToString(d.h.Sum(nil)), nil
}

// digester hashes parts of a project and keeps the first error.
type digester struct {
	*digests
	h   hash.Hash
	err error
}

// value hashes v wherever the bundle lies.
func (d *digester) value(what string, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		d.fail(err)
		return
	}
	d.part(what, bytes.ReplaceAll(b, []byte(d.project.WorkingDir), []byte(".")))
}

func (d *digester) object(what string, o types.FileObjectConfig) {
	d.value(what, o)
	if o.Environment != "" {
		d.part("environment", []byte(d.project.Environment[o.Environment]))
	}
	if rel, ok := InsideDir(d.project.WorkingDir, o.File); ok && o.File != "" {
		d.tree(rel)
	}
}

// tree hashes a file or folder of the bundle; one that is not there is a folder for data.
func (d *digester) tree(rel string) {
	root := filepath.Join(d.project.WorkingDir, filepath.FromSlash(rel))
	sum, known := d.trees[root]
	if !known {
		var err error
		sum, err = d.treeSum(root)
		d.fail(err)
		d.trees[root] = sum
	}
	d.part("tree "+rel, sum)
}

func (d *digester) treeSum(root string) ([]byte, error) {
	h := sha256.New()
	if _, err := os.Lstat(root); err != nil {
		return nil, nil
	}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		name, _ := filepath.Rel(d.project.WorkingDir, path)
		fmt.Fprintf(h, "%q %x\n", name, sha256.Sum256(data)) // a hash never fails
		return err
	})
	return h.Sum(nil), err
}

func (d *digester) part(what string, data []byte) {
	sum := sha256.Sum256(data)
	fmt.Fprintf(d.h, "%q %x\n", what, sum) // a hash never fails
}

func (d *digester) fail(err error) {
	if d.err == nil {
		d.err = err
	}
}
