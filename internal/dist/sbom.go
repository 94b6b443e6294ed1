package main

import (
	"encoding/json"
	"io"
)

// The parts of CycloneDX 1.5 that are used (https://cyclonedx.org/docs/1.5/json).
type bom struct {
	Format       string       `json:"bomFormat"`
	SpecVersion  string       `json:"specVersion"`
	Version      int          `json:"version"`
	Metadata     metadata     `json:"metadata"`
	Components   []component  `json:"components"`
	Dependencies []dependency `json:"dependencies"`
}

type metadata struct {
	Component component `json:"component"`
}

type component struct {
	Type     string          `json:"type"`
	Ref      string          `json:"bom-ref"`
	Name     string          `json:"name"`
	Version  string          `json:"version"`
	Hashes   []hash          `json:"hashes,omitempty"`
	Licenses []licenseChoice `json:"licenses,omitempty"`
	PURL     string          `json:"purl,omitempty"`
}

type hash struct {
	Algorithm string `json:"alg"`
	Content   string `json:"content"`
}

type licenseChoice struct {
	Expression string `json:"expression"`
}

type dependency struct {
	Ref       string   `json:"ref"`
	DependsOn []string `json:"dependsOn"`
}

func writeSBOM(out io.Writer, version string, c contents) error {
	own := []licenseChoice{{"Apache-2.0"}}
	b := bom{
		Format: "CycloneDX", SpecVersion: "1.5", Version: 1,
		Metadata: metadata{component{Type: "application", Ref: "farshore", Name: "farshore", Version: version, Licenses: own}},
	}
	std := module{"std", c.goVersion}
	all := dependency{Ref: "farshore"}
	var each []dependency
	for _, p := range c.programs {
		b.Components = append(b.Components, component{
			Type: "application", Ref: p.name, Name: p.name, Version: version, Licenses: own, Hashes: []hash{{"SHA-256", p.hash}},
		})
		all.DependsOn = append(all.DependsOn, p.name)
		d := dependency{Ref: p.name, DependsOn: []string{std.purl()}}
		for _, m := range p.modules {
			d.DependsOn = append(d.DependsOn, m.purl())
		}
		if p.name == "farshore-hub" { // the console is in the hub
			for _, n := range c.packages {
				d.DependsOn = append(d.DependsOn, n.purl())
			}
		}
		each = append(each, d)
	}
	for _, m := range append([]module{std}, c.modules...) {
		b.Components = append(b.Components, component{Type: "library", Ref: m.purl(), Name: m.path, Version: m.version, PURL: m.purl()})
	}
	seen := map[string]bool{}
	for _, n := range c.packages {
		if seen[n.purl()] {
			continue
		}
		seen[n.purl()] = true
		lib := component{Type: "library", Ref: n.purl(), Name: n.name, Version: n.Version, PURL: n.purl()}
		if h := n.sha512(); h != "" {
			lib.Hashes = []hash{{"SHA-512", h}}
		}
		if n.License != "" {
			lib.Licenses = []licenseChoice{{n.License}}
		}
		b.Components = append(b.Components, lib)
	}
	b.Dependencies = append([]dependency{all}, each...)
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	return enc.Encode(b)
}
