package web

import (
	"bytes"
	"compress/gzip"
	"io"
	"io/fs"
	"strconv"
	"strings"
)

// The content codings that are spoken here, as RFC 9110 (8.4.1) and RFC 7932 name them.
const (
	brotli   = "br"
	gzipped  = "gzip"
	identity = "identity"
)

// read reads a file in the form that whoever asks likes best, the smallest of equals. Where the file is kept only in
// fewer bytes than they can read, it is unpacked for them.
func (h handler) read(name, accepted string) (content []byte, encoding string, err error) {
	br, gz, plain := quality(accepted, brotli), quality(accepted, gzipped), quality(accepted, identity)
	if br > 0 && br >= gz && br >= plain {
		if content, err = fs.ReadFile(h.files, name+".br"); err == nil {
			return content, brotli, nil
		}
	}
	packed, err := fs.ReadFile(h.files, name+".gz")
	if err != nil {
		content, err = fs.ReadFile(h.files, name)
		return content, identity, err
	}
	if gz > 0 && gz >= plain {
		return packed, gzipped, nil
	}
	unpacker, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, "", err
	}
	content, err = io.ReadAll(unpacker)
	return content, identity, err
}

// quality is how well a coding suits whoever sent this Accept-Encoding, from 0, not at all, to 1. The file as it is
// always suits: 406 would help nobody. It comes last where it is not named.
func quality(accepted, coding string) float64 {
	others := 0.0
	for part := range strings.SplitSeq(accepted, ",") {
		name, parameter, _ := strings.Cut(part, ";")
		name = strings.ToLower(strings.TrimSpace(name))
		q := 1.0
		if key, value, ok := strings.Cut(parameter, "="); ok && strings.EqualFold(strings.TrimSpace(key), "q") {
			var err error
			if q, err = strconv.ParseFloat(strings.TrimSpace(value), 64); err != nil || !(q >= 0 && q <= 1) {
				q = 0
			}
		}
		switch name {
		case coding:
			return q
		case "*":
			others = q
		}
	}
	if coding == identity {
		return 0
	}
	return others
}
