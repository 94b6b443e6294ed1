package main

import (
	"cmp"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// contents are what an archive is made of.
type contents struct {
	goVersion string
	programs  []program
	modules   []module // of all programs, by path
	packages  []npmPackage
	lockfile  string
}

type program struct {
	name, hash string
	modules    []module
}

type module struct{ path, version string }

func (m module) purl() string { return "pkg:golang/" + m.path + "@" + m.version }

// npmPackage is a package that the console is built with.
type npmPackage struct {
	path string // below the folder of the lock file
	name string

	Version   string `json:"version"`
	Integrity string `json:"integrity"`
	License   string `json:"license"`
	Dev       bool   `json:"dev"`
	Peer      bool   `json:"peer"`
}

func (p npmPackage) purl() string {
	return "pkg:npm/" + strings.Replace(p.name, "@", "%40", 1) + "@" + p.Version
}

// sha512 is the package's hash in hexadecimal digits, or nothing.
func (p npmPackage) sha512() string {
	raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(p.Integrity, "sha512-"))
	if err != nil || !strings.HasPrefix(p.Integrity, "sha512-") {
		return ""
	}
	return hex.EncodeToString(raw)
}

// read finds out what programs are made of; lockfile "-" means that there is no console in them.
func read(lockfile string, files []string) (c contents, err error) {
	modules := map[module]bool{}
	for _, file := range files {
		info, err := buildinfo.ReadFile(file)
		if err != nil {
			return c, fmt.Errorf("read what %q is made of: %w", file, err)
		}
		raw, err := os.ReadFile(file)
		if err != nil {
			return c, err
		}
		hash := sha256.Sum256(raw)
		p := program{name: filepath.Base(file), hash: hex.EncodeToString(hash[:])}
		for _, d := range info.Deps {
			if d.Replace != nil {
				d = d.Replace
			}
			m := module{d.Path, d.Version}
			modules[m] = true
			p.modules = append(p.modules, m)
		}
		c.programs = append(c.programs, p)
		c.goVersion = strings.TrimPrefix(info.GoVersion, "go")
	}
	c.modules = slices.SortedFunc(maps.Keys(modules), func(a, b module) int {
		return cmp.Or(strings.Compare(a.path, b.path), strings.Compare(a.version, b.version))
	})
	if lockfile == "-" {
		return c, nil
	}
	c.lockfile = lockfile
	c.packages, err = readLock(lockfile)
	return c, err
}

// readLock gives the packages that are there for more than development.
func readLock(file string) ([]npmPackage, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var lock struct {
		Packages map[string]npmPackage `json:"packages"`
	}
	if err := json.Unmarshal(raw, &lock); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	var out []npmPackage
	for _, path := range slices.Sorted(maps.Keys(lock.Packages)) {
		p := lock.Packages[path]
		if at := strings.LastIndex(path, "node_modules/"); at >= 0 && !p.Dev && !p.Peer {
			p.path, p.name = path, path[at+len("node_modules/"):]
			out = append(out, p)
		}
	}
	return out, nil
}
