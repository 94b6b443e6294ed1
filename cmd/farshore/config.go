package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/farshore/farshore/internal/apiclient"
)

// config is what is kept between runs, in a file that only its owner can read.
type config struct {
	URL string `json:"url"`
	// Fingerprint or CAFile say who is trusted. Both empty: whom the system's authorities vouch for.
	Fingerprint string `json:"fingerprint,omitempty"`
	CAFile      string `json:"ca_file,omitempty"`
	Token       string `json:"token,omitempty"`
}

func (a *app) configPath() (string, error) {
	if p := a.getenv("FARSHORE_CONFIG"); p != "" {
		return p, nil
	}
	dir := a.getenv("XDG_CONFIG_HOME")
	if dir == "" {
		home := a.getenv("HOME")
		if home == "" {
			return "", errors.New("no home folder for the configuration: set FARSHORE_CONFIG to a file")
		}
		dir = filepath.Join(home, ".config")
	}
	return filepath.Join(dir, "farshore", "config.json"), nil
}

// savedConfig reads the file. Where there is none it gives the zero config.
func (a *app) savedConfig() (c config, err error) {
	path, err := a.configPath()
	if err != nil {
		return c, err
	}
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return c, fmt.Errorf("read configuration: %w", err)
	}
	if err := json.Unmarshal(raw, &c); err != nil {
		return c, fmt.Errorf("configuration %q is damaged: remove it and sign in again: %w", path, err)
	}
	return c, nil
}

// loadConfig reads the file and puts the environment before it.
func (a *app) loadConfig() (config, error) {
	c, err := a.savedConfig()
	if err != nil {
		return c, err
	}
	if u := a.getenv("FARSHORE_URL"); u != "" && !sameHub(u, c.URL) {
		c = config{URL: u} // the file's session is for another hub
	}
	for name, to := range map[string]*string{
		"FARSHORE_TOKEN": &c.Token, "FARSHORE_FINGERPRINT": &c.Fingerprint, "FARSHORE_CA_FILE": &c.CAFile,
	} {
		if v := a.getenv(name); v != "" {
			*to = v
		}
	}
	return c, nil
}

func sameHub(x, y string) bool {
	a, errA := apiclient.ParseURL(x)
	b, errB := apiclient.ParseURL(y)
	return errA == nil && errB == nil && a.String() == b.String()
}

// saveConfig replaces the file as a whole.
func (a *app) saveConfig(c config) error {
	path, err := a.configPath()
	if err != nil {
		return err
	}
	raw, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return fmt.Errorf("encode configuration: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("save configuration: %w", err)
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".farshore*") // mode 0600
	if err != nil {
		return fmt.Errorf("save configuration: %w", err)
	}
	defer os.Remove(tmp.Name()) // not there any more when all went well
	_, err = tmp.Write(append(raw, '\n'))
	if err := errors.Join(err, tmp.Close()); err != nil {
		return fmt.Errorf("save configuration: %w", err)
	}
	if err := os.Rename(tmp.Name(), path); err != nil {
		return fmt.Errorf("save configuration: %w", err)
	}
	return nil
}
