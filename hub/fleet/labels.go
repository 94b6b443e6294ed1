package fleet

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/farshore/farshore/protocol"
)

// FactPrefix begins the labels that the hub gives every device from what it knows of it. Operators cannot give such
// labels, but for LabelLat and LabelLon.
const FactPrefix = "farshore.io/"

// The labels below FactPrefix. A label is absent where the fact is not known. Values are brought to label syntax: at
// most 63 characters, others than letters, digits, "-", "_" and "." become "-", and "/" in a group becomes ".".
const (
	FactID            = FactPrefix + "id"
	FactName          = FactPrefix + "name"
	FactGroup         = FactPrefix + "group"          // norway.oslo; absent in the root
	FactArch          = FactPrefix + "arch"           // amd64, arm64, arm-v7
	FactOS            = FactPrefix + "os"             // first word in lower case: debian, ubuntu, alpine
	FactEngine        = FactPrefix + "engine"         // docker, podman
	FactEngineVersion = FactPrefix + "engine-version" // 20.10.24
	FactMode          = FactPrefix + "mode"           // async, standard
	FactVersion       = FactPrefix + "version"        // of the agent
	FactReplaces      = FactPrefix + "replaces"       // ids of the devices whose place it took, joined by "."
)

// CheckLabels holds labels to the syntax of Kubernetes labels, their number to protocol.MaxLabels, and keys outside
// FactPrefix, but for those of a position. Errors wrap ErrInvalid and name the label.
func CheckLabels(labels map[string]string) error {
	if len(labels) > protocol.MaxLabels {
		return fmt.Errorf("%d labels: %w: at most %d can be given", len(labels), ErrInvalid, protocol.MaxLabels)
	}
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		if most := maxDegrees(k); most != 0 {
			if _, ok := degrees(labels[k], most); !ok {
				return fmt.Errorf("label %s=%.60q: %w: %s", k, labels[k], ErrInvalid, wantDegrees(k))
			}
			continue
		}
		if strings.HasPrefix(k, FactPrefix) {
			return fmt.Errorf("label %q: %w: labels below %s are given by the hub", k, ErrInvalid, FactPrefix)
		}
		if len(validation.IsQualifiedName(k)) > 0 {
			return fmt.Errorf("label key %.200q: %w: %s", k, ErrInvalid, wantKey)
		}
		if v := labels[k]; len(validation.IsValidLabelValue(v)) > 0 {
			return fmt.Errorf("label %s=%.200q: %w: %s", k, v, ErrInvalid, wantValue)
		}
	}
	return nil
}

const (
	wantKey = "want at most 63 letters, digits, -, _ and ., beginning and ending with a letter or digit, " +
		"with an optional prefix such as example.com/"
	wantValue = "want at most 63 letters, digits, -, _ and ., beginning and ending with a letter or digit"
)

// allLabels computes what applies to a device: the labels of its groups, its own, and the facts.
func allLabels(d *Device, version string, inherited map[string]string) map[string]string {
	out := make(map[string]string, len(inherited)+len(d.Labels)+9)
	maps.Copy(out, inherited)
	maps.Copy(out, d.Labels)
	engine, engineVersion, _ := strings.Cut(d.Facts.Engine, " ")
	facts := [...]struct{ key, value string }{
		{FactID, string(d.ID)},
		{FactName, d.Name},
		{FactGroup, strings.ReplaceAll(d.Group, "/", ".")},
		{FactArch, first(d.Observed.Arch, d.Facts.Arch)},
		{FactOS, osWord(first(d.Observed.OS, d.Facts.OS))},
		{FactEngine, first(d.Observed.Engine, engine)},
		{FactEngineVersion, first(d.Observed.EngineVersion, engineVersion)},
		{FactMode, d.Mode.String()},
		{FactVersion, first(version, d.Facts.Version)},
		{FactReplaces, joinIDs(d.Former)},
	}
	for _, f := range facts {
		if v := toValue(f.value); v != "" {
			out[f.key] = v
		}
	}
	return out
}

// maxFormer is how many ids fit the value of a label.
const maxFormer = 3

func joinIDs(ids []protocol.DeviceID) string {
	var b strings.Builder
	for i, id := range ids {
		if i > 0 {
			b.WriteByte('.')
		}
		b.WriteString(string(id))
	}
	return b.String()
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// osWord makes "debian" of "Debian GNU/Linux 12 (bookworm)".
func osWord(pretty string) string {
	word, _, _ := strings.Cut(strings.TrimSpace(pretty), " ")
	return strings.ToLower(word)
}

// toValue brings any text to the syntax of a label's value.
func toValue(s string) string {
	valid := len(s) <= 63
	for i := 0; valid && i < len(s); i++ {
		valid = labelByte(s[i])
	}
	if !valid {
		b := make([]byte, 0, 64)
		for _, r := range s {
			switch {
			case r < 0x80 && labelByte(byte(r)):
				b = append(b, byte(r))
			case len(b) > 0 && b[len(b)-1] != '-':
				b = append(b, '-')
			}
			if len(b) == 63 {
				break
			}
		}
		s = string(b)
	}
	return strings.Trim(s, "-_.")
}

func labelByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_' || c == '.'
}
