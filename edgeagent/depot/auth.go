package depot

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"

	"github.com/farshore/farshore/protocol"
)

// challenge is what a registry wants of callers: RFC 7235.
type challenge struct {
	scheme string // lower-case
	params map[string]string
}

// readChallenges reads WWW-Authenticate headers, the first challenge of each.
func readChallenges(headers []string) []challenge {
	var out []challenge
	for _, h := range headers {
		scheme, rest, _ := strings.Cut(strings.TrimSpace(h), " ")
		c := challenge{scheme: strings.ToLower(scheme), params: map[string]string{}}
		for rest != "" {
			key, after, ok := strings.Cut(rest, "=")
			if !ok {
				break
			}
			key = strings.ToLower(strings.Trim(key, " ,"))
			var value string
			if quoted, ok := strings.CutPrefix(after, `"`); ok {
				value, rest, _ = strings.Cut(quoted, `"`)
			} else {
				value, rest, _ = strings.Cut(after, ",")
			}
			c.params[key] = strings.TrimSpace(value)
			rest = strings.TrimLeft(rest, " ,")
		}
		out = append(out, c)
	}
	return out
}

// authFor finds how a registry lets the device in: what came with the stack, or else what Docker's own tools have in
// their file. Programs that those call for passwords are not called.
func authFor(host string, access protocol.RegistryAccess) protocol.RegistryAuth {
	for _, a := range access.Registries {
		if registryOf(a.Registry) == host {
			return a
		}
	}
	dir := os.Getenv("DOCKER_CONFIG")
	if home, err := os.UserHomeDir(); dir == "" && err == nil {
		dir = filepath.Join(home, ".docker")
	}
	raw, err := os.ReadFile(filepath.Join(dir, "config.json"))
	if err != nil {
		return protocol.RegistryAuth{}
	}
	var file struct {
		Auths map[string]struct {
			Auth string `json:"auth"`
		} `json:"auths"`
	}
	if json.Unmarshal(raw, &file) != nil {
		return protocol.RegistryAuth{}
	}
	for registry, a := range file.Auths {
		plain, err := base64.StdEncoding.DecodeString(a.Auth)
		if user, password, ok := strings.Cut(string(plain), ":"); err == nil && ok && registryOf(registry) == host {
			return protocol.RegistryAuth{Registry: registry, User: user, Password: password}
		}
	}
	return protocol.RegistryAuth{}
}
