package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/farshore/farshore/protocol"
)

const (
	// maxField is the most bytes kept of one field; longer ones are cut, and end in "…".
	maxField = 2 << 10
	// maxLine is longer than any line can be, however its fields are escaped.
	maxLine = 128 << 10
)

// zeroHash stands before the first entry.
var zeroHash = strings.Repeat("0", 2*sha256.Size)

// Line is one line of a segment: an entry with its place in the chain, or a checkpoint alone.
type Line struct {
	// Seq counts entries, from 1.
	Seq uint64 `json:"seq"`
	Entry
	// Torn is what lies before this line and is none.
	Torn *Torn `json:"torn,omitempty"`
	// Prev is the hash of the entry before it. Hash is the SHA-256, in hexadecimal, of the bytes of its own line that
	// stand before `,"hash"`.
	Prev string `json:"prev"`
	Hash string `json:"hash,omitempty"`
	// Checkpoint: the line is this, and nothing else.
	Checkpoint *Checkpoint `json:"checkpoint,omitempty"`
}

// Torn is what a hub left behind that stopped within a line.
type Torn struct {
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// Errors of a line by itself.
var (
	errNoLine  = errors.New("it is not a line of an audit trail")
	errAltered = errors.New("it is not as it was written: its hash does not fit")
)

const hashMark = `,"hash":"`

// hashTail is the length of what follows the bytes that are hashed.
const hashTail = len(hashMark) + 2*sha256.Size + len(`"}`)

// encode gives the line, with its end, and its hash.
func (l *Line) encode() (raw []byte, hash string, err error) {
	l.Hash = ""
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(l); err != nil {
		return nil, "", fmt.Errorf("encode an audit entry: %w", err)
	}
	raw = bytes.TrimSuffix(b.Bytes(), []byte("}\n"))
	hash = hashOf(raw)
	return append(raw, hashMark+hash+"\"}\n"...), hash, nil
}

func hashOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// parse reads a line without its end. Where the error is errAltered, the line says something all the same.
func parse(raw []byte) (Line, error) {
	l, err := read(raw)
	if err == nil && l.Checkpoint == nil && hashOf(raw[:len(raw)-hashTail]) != l.Hash {
		return l, errAltered
	}
	return l, err
}

// read is parse without a look at the hash, which costs more than the rest and is for those who judge the trail.
func read(raw []byte) (Line, error) {
	var l Line
	if bytes.HasPrefix(raw, []byte(`{"checkpoint":`)) {
		var only struct {
			Checkpoint *Checkpoint `json:"checkpoint"`
		}
		if json.Unmarshal(raw, &only) != nil || only.Checkpoint == nil {
			return l, errNoLine
		}
		l.Checkpoint = only.Checkpoint
		return l, nil
	}
	at := len(raw) - hashTail
	if at < 0 || !bytes.HasPrefix(raw[at:], []byte(hashMark)) || json.Unmarshal(raw, &l) != nil || l.Checkpoint != nil {
		return Line{}, errNoLine
	}
	return l, nil
}

// clean makes an entry fit to be kept: bounded, UTF-8, and with nothing in it that a terminal obeys.
func (l *Line) clean(now time.Time) {
	if l.At.IsZero() {
		l.At = now
	}
	l.At = l.At.UTC().Round(0)
	for _, f := range []*string{&l.Principal, &l.Remote, &l.Operation, &l.Resource, &l.Group, &l.Result, &l.Detail} {
		*f = cut(strings.Map(harmless, *f))
	}
}

// harmless replaces control characters, and those that turn the direction of text; line ends are escaped in JSON.
func harmless(r rune) rune {
	if r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)) {
		return unicode.ReplacementChar
	}
	return r
}

func cut(s string) string {
	if len(s) <= maxField {
		return s
	}
	return protocol.Cut(s, maxField) + "…"
}
