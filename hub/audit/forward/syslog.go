package forward

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/farshore/farshore/hub/audit"
)

const (
	// patience is how long a receiver may take to take what it is sent.
	patience = 30 * time.Second
	// Syslog has no acknowledgement. An entry counts as arrived when the connection has lived on for doubtTime, or
	// doubtBytes were taken behind it, which is more than systems buffer.
	doubtTime  = 5 * time.Minute
	doubtBytes = 16 << 20
	// farewell is how long a receiver may take to close the connection when it was told that nothing more comes.
	farewell = 2 * time.Second
)

// syslog sends messages of RFC 5424, framed by octet counting (RFC 6587, RFC 5425).
type syslog struct {
	conn net.Conn
	host string
	left chan struct{} // closed when the receiver has closed its end, or the connection is broken
	err  error         // why; read after left is closed

	total int64 // bytes
	doubt []doubted
	sure  uint64
}

// doubted is an entry that may not have arrived.
type doubted struct {
	seq   uint64
	at    time.Time
	total int64
}

func newSyslog(conn net.Conn) *syslog {
	s := &syslog{conn: conn, host: hostname(), left: make(chan struct{})}
	go func() { // ends when the connection does, which close sees to
		_, s.err = io.Copy(io.Discard, conn)
		close(s.left)
	}()
	return s
}

func (s *syslog) gone() <-chan struct{} { return s.left }

func (s *syslog) send(ctx context.Context, lines []line) error {
	var out bytes.Buffer
	for _, l := range lines {
		entry, err := audit.ParseLine(l.text)
		if err != nil {
			return err
		}
		frame(&out, message(s.host, &entry))
	}
	if err := s.write(ctx, out.Bytes()); err != nil {
		return err
	}
	s.doubt = append(s.doubt, doubted{lines[len(lines)-1].seq, time.Now(), s.total})
	return nil
}

func (s *syslog) test(ctx context.Context) error {
	var out bytes.Buffer
	frame(&out, message(s.host, &audit.Line{Entry: audit.Entry{
		At: time.Now(), Principal: "system", Operation: "audit.test", Result: audit.ResultDone, Detail: "a test of this destination, and no entry",
	}}))
	return s.write(ctx, out.Bytes())
}

func (s *syslog) write(ctx context.Context, b []byte) error {
	select {
	case <-s.left:
		return errors.New("the receiver has closed the connection")
	default:
	}
	stop := context.AfterFunc(ctx, func() { _ = s.conn.SetWriteDeadline(time.Now().Add(farewell)) })
	defer stop()
	if err := s.conn.SetWriteDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	n, err := s.conn.Write(b)
	s.total += int64(n)
	return err
}

func (s *syslog) arrived(now time.Time) uint64 {
	for len(s.doubt) > 0 && (now.Sub(s.doubt[0].at) > doubtTime || s.total-s.doubt[0].total > doubtBytes) {
		s.sure, s.doubt = s.doubt[0].seq, s.doubt[1:]
	}
	return s.sure
}

func (s *syslog) close(all bool) bool {
	defer s.conn.Close()
	if !all {
		return false
	}
	half, ok := s.conn.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return false
	}
	select {
	case <-s.left:
		return s.err == nil // it has read to the end: else the connection is reset
	case <-time.After(farewell):
		return false
	}
}

// frame writes a message by octet counting.
func frame(out *bytes.Buffer, m []byte) {
	out.WriteString(strconv.Itoa(len(m)))
	out.WriteByte(' ')
	out.Write(m)
}

// facility is "log audit".
const facility = 13

func severity(l *audit.Line) int {
	switch {
	case l.Operation == audit.OpDamaged:
		return 2
	case l.Result == audit.ResultRefused, l.BreakGlass:
		return 4
	case l.Result == audit.ResultFailed:
		return 5
	}
	return 6
}

// message is one entry as in RFC 5424, with its fields as structured data. 32473 is the enterprise number that is
// nobody's (RFC 5612).
func message(host string, l *audit.Line) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "<%d>1 %s %s farshore-hub - %s [farshore@32473", facility*8+severity(l), l.At.UTC().Format("2006-01-02T15:04:05.000000Z"), host, token(l.Operation, 32))
	for _, p := range []struct{ name, value string }{
		{"seq", strconv.FormatUint(l.Seq, 10)},
		{"principal", l.Principal},
		{"breakGlass", strconv.FormatBool(l.BreakGlass)},
		{"remote", l.Remote},
		{"operation", l.Operation},
		{"resource", l.Resource},
		{"group", l.Group},
		{"result", l.Result},
		{"detail", l.Detail},
		{"prev", l.Prev},
		{"hash", l.Hash},
	} {
		if p.value != "" {
			fmt.Fprintf(&b, ` %s="%s"`, p.name, escape.Replace(p.value))
		}
	}
	b.WriteString("] \ufeff")
	what := oneLine.Replace(l.Principal + " " + l.Operation)
	if l.Resource != "" {
		what += " " + oneLine.Replace(l.Resource)
	}
	b.WriteString(what + ": " + oneLine.Replace(l.Result))
	if l.Detail != "" {
		b.WriteString(", " + oneLine.Replace(l.Detail))
	}
	return b.Bytes()
}

var (
	oneLine = strings.NewReplacer("\r", " ", "\n", " ", "\t", " ")
	escape  = strings.NewReplacer(`"`, `\"`, `\`, `\\`, "]", `\]`, "\r", " ", "\n", " ")
)

// token makes a text fit for the head of a message: printable ASCII without spaces.
func token(s string, most int) string {
	s = strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' {
			return '_'
		}
		return r
	}, s)
	if s == "" {
		return "-"
	}
	return s[:min(len(s), most)]
}

func hostname() string {
	name, err := os.Hostname()
	if err != nil {
		return "-"
	}
	return token(name, 255)
}
