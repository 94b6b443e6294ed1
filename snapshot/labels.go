package snapshot

import (
	"regexp"
	"strconv"
	"strings"
)

// Labels of containers, volumes and networks whose meaning has a field of its own.
const (
	LabelProject = "com.docker.compose.project"
	LabelService = "com.docker.compose.service"
	// LabelStack has the decimal id of the Farshore stack that a container belongs to.
	LabelStack = "farshore.io/stack"
	// LabelRun has the decimal id of the run of a job that a container was made for.
	LabelRun = "farshore.run"
)

// OfRun reports whether a container with these labels was made for the run of a job: it comes and goes with the run, which is
// told of by itself, and no snapshot shows it. One of a Compose project never is, whatever else it is labelled.
func OfRun(raw map[string]string) bool {
	_, composed := raw[LabelProject]
	_, err := strconv.ParseUint(raw[LabelRun], 10, 64)
	return err == nil && !composed
}

// Masked stands for a value that must not leave the device.
const Masked = "***"

// LabelSet is what the labels of one thing say.
type LabelSet struct {
	// Labels are those without a field of their own, with secrets masked. Nil: none.
	Labels map[string]string
	// Project and Service of Compose. Empty: not made by Compose.
	Project, Service string
	// Stack of Farshore. 0: none.
	Stack uint64
}

// SplitLabels sorts out what an engine gives as labels. Values that look like secrets, by their key or by a password
// in a URL, are replaced by Masked: labels may hold anything, and a snapshot leaves the device.
func SplitLabels(raw map[string]string) LabelSet {
	var set LabelSet
	for key, value := range raw {
		switch {
		case key == LabelProject:
			set.Project = value
		case key == LabelService:
			set.Service = value
		case key == LabelStack:
			set.Stack, _ = strconv.ParseUint(value, 10, 64) // anything else is not a stack of ours
		case strings.HasPrefix(key, "com.docker.compose."), strings.HasPrefix(key, "farshore.io/"):
		default:
			if set.Labels == nil {
				set.Labels = make(map[string]string, len(raw))
			}
			set.Labels[key] = maskValue(key, value)
		}
	}
	return set
}

// urlPassword finds the password in scheme://user:password@host.
var urlPassword = regexp.MustCompile(`(://[^/\s:@]*:)[^/\s@]+@`)

func maskValue(key, value string) string {
	if value != "" && secretKey(key) {
		return Masked
	}
	if strings.Contains(value, "://") {
		return urlPassword.ReplaceAllString(value, "${1}"+Masked+"@")
	}
	return value
}

// secretKey tells whether a label's key names a secret. Separators do not count: api-key, api_key and apiKey are one.
func secretKey(key string) bool {
	plain := strings.ToLower(strings.NewReplacer("-", "", "_", "", ".", "", "/", "").Replace(key))
	for _, word := range [...]string{
		"password", "passwd", "passphrase", "pwd", "secret", "token", "credential", "apikey", "accesskey", "privatekey",
		"basicauth", "digestauth",
	} {
		if strings.Contains(plain, word) {
			return true
		}
	}
	return false
}
