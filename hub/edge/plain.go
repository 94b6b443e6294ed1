package edge

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/farshore/farshore/internal/proxyline"
)

// errPlain: somebody spoke HTTP where TLS is spoken.
var errPlain = errors.New("plain HTTP on the TLS port")

// maxPlain is the most bytes of a plain request that are looked at.
const maxPlain = 4 << 10

// encrypted looks whether the connection begins like TLS. A plain HTTP request is answered, and is errPlain.
func (s *Server) encrypted(c *proxyline.Conn) error {
	first, err := c.Peek()
	if err != nil || first < 'A' || first > 'Z' { // TLS begins with 22, a method with a letter
		return err
	}
	r, err := http.ReadRequest(bufio.NewReader(io.LimitReader(c, maxPlain)))
	if err != nil {
		return err
	}
	_, _ = io.WriteString(c, plainAnswer(r)) // whoever has gone needs no answer
	// What is unread would tear the answer from the client.
	if c.SetReadDeadline(time.Now().Add(time.Second)) == nil {
		_, _ = io.CopyN(io.Discard, c, maxPlain)
	}
	return errPlain
}

// plainAnswer leads pages to HTTPS. What else was sent is refused: a program that got through would go on sending its
// token in clear.
func plainAnswer(r *http.Request) string {
	status, where := http.StatusBadRequest, ""
	text := "This port speaks HTTPS: use https:// in its address. What was sent just now crossed the network in clear: if a password or token was in it, change it.\n"
	if (r.Method == http.MethodGet || r.Method == http.MethodHead) && r.Header.Get("Authorization") == "" && nameable(r.Host) {
		status, text = http.StatusPermanentRedirect, ""
		where = "Location: https://" + r.Host + r.URL.RequestURI() + "\r\n"
	}
	return fmt.Sprintf("HTTP/1.1 %d %s\r\n%sContent-Type: text/plain\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s",
		status, http.StatusText(status), where, len(text), text)
}

// nameable reports whether a request's host can be written into an answer as it is.
func nameable(host string) bool {
	return host != "" && strings.Trim(strings.ToLower(host), "abcdefghijklmnopqrstuvwxyz0123456789.-_:[]") == ""
}
