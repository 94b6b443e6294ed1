package registries

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/distribution/reference"
)

// Bounds of a registry's record.
const (
	maxText     = 1024
	maxPassword = 8 << 10 // tokens of clouds are long
	maxCA       = 64 << 10
)

// DockerHub is the address that images without one are from.
const DockerHub = "docker.io"

var validHost = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$`)

// ParseAddress gives a registry's address in its one form: host, and port where it is not 443, in lower case. A scheme
// https, a slash at the end, and the other names of Docker Hub are understood. Errors wrap ErrInvalid.
func ParseAddress(text string) (string, error) {
	bad := func(why string) (string, error) {
		return "", fmt.Errorf("registry address %.200q: %w: %s", text, ErrInvalid, why)
	}
	rest := strings.ToLower(strings.TrimSpace(text))
	if strings.HasPrefix(rest, "http://") {
		return bad("a registry without TLS would get the password in clear; give one that speaks HTTPS")
	}
	rest = strings.TrimPrefix(rest, "https://")
	if strings.Contains(rest, "@") {
		return bad("leave user and password out of it; they have fields of their own")
	}
	host, path, _ := strings.Cut(rest, "/")
	if path = strings.Trim(path, "/"); path != "" && path != "v1" && path != "v2" {
		return bad("give the host alone, such as registry.example.com:5000, without the name of an image")
	}
	name, port := host, ""
	if strings.Contains(host, ":") {
		var err error
		if name, port, err = net.SplitHostPort(host); err != nil {
			return bad("want HOST or HOST:PORT, such as registry.example.com:5000")
		}
		if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
			return bad("the port is a number from 1 to 65535")
		}
	}
	switch {
	case slices.Contains([]string{DockerHub, "index.docker.io", "registry-1.docker.io", "hub.docker.com"}, name) && (port == "" || port == "443"):
		return DockerHub, nil
	case len(name) > 253 || !validHost.MatchString(name):
		return bad("want a host name or an IPv4 address, with a port where it is not 443: names of images know no other")
	case port == "" && !strings.Contains(name, ".") && name != "localhost":
		return bad("in the name of an image, a host without a dot needs a port, such as registry:443")
	case port == "" || port == "443" && strings.Contains(name, "."):
		return name, nil
	}
	return name + ":" + port, nil
}

// addressOf is the address of the registry that an image is from; false where that cannot be said.
func addressOf(image string) (string, bool) {
	named, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return "", false
	}
	address, err := ParseAddress(reference.Domain(named))
	return address, err == nil
}

func checkCA(text string) error {
	if text == "" {
		return nil
	}
	if len(text) > maxCA {
		return fmt.Errorf("%w: the authority's certificates have more than %d bytes", ErrInvalid, maxCA)
	}
	found := 0
	for rest := []byte(text); ; found++ {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			return fmt.Errorf("%w: want certificates in PEM alone, and there is a %.40q: never give a key here", ErrInvalid, block.Type)
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return fmt.Errorf("%w: a certificate of the authority cannot be read: %w", ErrInvalid, err)
		}
	}
	if found == 0 {
		return fmt.Errorf("%w: the authority's certificate is not in PEM: want -----BEGIN CERTIFICATE-----", ErrInvalid)
	}
	return nil
}
