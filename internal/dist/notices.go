package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// licenceFile is what projects call the files that have to go with their code.
var licenceFile = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice|patents)([.-].*)?$`)

// writeNotices gives each licence text once, below the names of all that it is of.
func writeNotices(out io.Writer, c contents) error {
	var order []string
	names := map[string][]string{}
	add := func(name string, texts []string) {
		text := strings.Join(texts, "\n\n")
		if names[text] == nil {
			order = append(order, text)
		}
		names[text] = append(names[text], name)
	}
	folders, err := moduleFolders(c.modules)
	if err != nil {
		return err
	}
	var errs []error
	for _, m := range c.modules {
		texts, err := licencesIn(folders[m])
		if err == nil && len(texts) == 0 {
			err = fmt.Errorf("%s has no licence in %q: look for it, and say here where it is", m.path, folders[m])
		}
		errs = append(errs, err)
		add(m.path+" "+m.version, texts)
	}
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return fmt.Errorf("look for Go's own licence: %w", err)
	}
	texts, err := licencesIn(strings.TrimSpace(string(root)))
	errs = append(errs, err)
	add("Go "+c.goVersion, texts)
	for _, p := range c.packages {
		texts, err := licencesIn(filepath.Join(filepath.Dir(c.lockfile), p.path))
		errs = append(errs, err)
		if len(texts) == 0 {
			texts = []string{"Licence: " + p.License}
		}
		add(p.name+" "+p.Version, texts)
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	fmt.Fprintln(out, "The programs in this archive contain the following, under these licences.")
	for _, text := range order {
		fmt.Fprintf(out, "\n%s\n\n%s\n\n%s\n", strings.Repeat("=", 78), strings.Join(names[text], "\n"), strings.TrimSpace(text))
	}
	return nil
}

// licencesIn are the texts of the licence files of a folder.
func licencesIn(dir string) (texts []string, err error) {
	list, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("look for licences: %w", err)
	}
	for _, f := range list {
		if f.IsDir() || !licenceFile.MatchString(f.Name()) {
			continue
		}
		raw, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			return nil, err
		}
		texts = append(texts, strings.TrimSpace(string(raw)))
	}
	return texts, nil
}

// moduleFolders are where the sources of modules are, for the programs were built from them.
func moduleFolders(modules []module) (map[module]string, error) {
	args := []string{"list", "-m", "-json"}
	for _, m := range modules {
		args = append(args, m.path+"@"+m.version)
	}
	raw, err := exec.Command("go", args...).Output()
	if err != nil {
		return nil, fmt.Errorf("look for the sources of modules: %w", err)
	}
	out := map[module]string{}
	for dec := json.NewDecoder(bytes.NewReader(raw)); ; {
		var m struct{ Path, Version, Dir string }
		if err := dec.Decode(&m); errors.Is(err, io.EOF) {
			return out, nil
		} else if err != nil {
			return nil, err
		}
		out[module{m.Path, m.Version}] = m.Dir
	}
}
