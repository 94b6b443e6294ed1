package edge

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"path"
	"strconv"
	"time"

	"github.com/coder/websocket"

	"github.com/farshore/farshore/hub/broker"
	"github.com/farshore/farshore/hub/session"
	"github.com/farshore/farshore/hub/tunnel"
	"github.com/farshore/farshore/protocol"
)

// agentHandler routes by the last part of the path, so that a hub can be reached below any prefix.
func (s *Server) agentHandler(ctx context.Context) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v, _ := r.Context().Value(visitKey{}).(*visit)
		if v == nil {
			http.Error(w, "not found", http.StatusNotFound)
			return
		}
		w.Header()["Date"] = nil // the fewest headers: each costs its bytes with every exchange
		switch "/" + path.Base(r.URL.Path) {
		case protocol.PathFrames:
			s.frames(w, r, v)
		case protocol.PathKnock:
			s.knock(w, r, v)
		case protocol.PathMQTT:
			s.stream(ctx, w, r, v)
		case protocol.PathTunnel:
			s.tunnel(ctx, w, r, v)
		default:
			s.refuse(w, v, http.StatusNotFound, &protocol.Error{Code: protocol.CodeMalformed, Text: "nothing is served at this path: check the edge key's URL"})
		}
	})
}

// frames is the HTTPS carrier: a frame in, a frame or nothing out.
func (s *Server) frames(w http.ResponseWriter, r *http.Request, v *visit) {
	if r.Method != http.MethodPost {
		s.refuse(w, v, http.StatusMethodNotAllowed, &protocol.Error{Code: protocol.CodeMalformed, Text: "frames are sent by POST"})
		return
	}
	if err := s.authenticate(r, v); err != nil {
		s.refuse(w, v, statusOf(err), err)
		return
	}
	frame, err := body(w, r, protocol.MaxFrame)
	if err != nil {
		s.refuse(w, v, statusOf(err), err)
		return
	}
	reply, err := s.c.Sessions.Exchange(r.Context(), session.Request{Device: v.device, Boot: v.boot, Frame: frame, Spent: v.spent})
	if err != nil {
		s.refuse(w, v, statusOf(err), err)
		return
	}
	if len(reply) == 0 {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	answer(w, http.StatusOK, reply)
}

// authenticate makes sure that the connection is a device's. A connection that is known needs no header; one that
// sends it again has it checked again.
func (s *Server) authenticate(r *http.Request, v *visit) error {
	header := r.Header.Get("Authorization")
	if header == "" && v.device != "" {
		return nil
	}
	if header == "" {
		return &protocol.Error{Code: protocol.CodeBadSignature, Text: "the first request on a connection has to be signed"}
	}
	id, boot, sig, err := protocol.ParseAuthorization(header)
	if err != nil {
		return err
	}
	if v.device != "" && v.device != id {
		return &protocol.Error{Code: protocol.CodeBadSignature, Text: "this connection belongs to another device"}
	}
	exporter, err := protocol.Exporter(&v.state)
	if err != nil {
		return err
	}
	proof := session.Proof{Device: id, Boot: boot, Exporter: exporter, Signature: sig}
	if err := s.c.Sessions.Authenticate(protocol.PurposeHTTPS, proof); err != nil {
		return err
	}
	first := v.device == ""
	v.device, v.boot = id, boot
	v.guest.Leave()
	if first {
		s.began(v)
	}
	return nil
}

// knock hands a knock to the waiting room. While it is held the connection is no stranger; after the answer it is one
// again, so that it ends soon unless the device knocks on.
func (s *Server) knock(w http.ResponseWriter, r *http.Request, v *visit) {
	if r.Method != http.MethodPost {
		s.refuse(w, v, http.StatusMethodNotAllowed, &protocol.Error{Code: protocol.CodeMalformed, Text: "knocks are sent by POST"})
		return
	}
	raw, err := body(w, r, maxKnock)
	if err != nil {
		s.refuseKnock(w, statusOf(err), err)
		return
	}
	req := KnockRequest{Remote: remote(r)}
	if err := protocol.Unmarshal(raw, &req.Signed); err != nil {
		s.refuseKnock(w, http.StatusBadRequest, err)
		return
	}
	if req.Exporter, err = protocol.Exporter(&v.state); err != nil {
		s.refuseKnock(w, http.StatusBadRequest, &protocol.Error{Code: protocol.CodeBadSignature, Text: "a knock needs TLS 1.3 from end to end"})
		return
	}
	v.guest.Leave()
	ans, err := s.c.Knocker.Knock(r.Context(), req)
	if v.device == "" {
		v.guest.Return()
	}
	if err != nil {
		s.refuseKnock(w, statusOf(err), err)
		return
	}
	encoded, err := protocol.Marshal(ans)
	if err != nil {
		s.refuseKnock(w, http.StatusInternalServerError, err)
		return
	}
	if ans.State == protocol.KnockRefused {
		w.Header().Set("Connection", "close")
	}
	answer(w, http.StatusOK, encoded)
}

// refuseKnock answers a knock that was not even looked at, or could not be.
func (s *Server) refuseKnock(w http.ResponseWriter, status int, err error) {
	ans := protocol.KnockAnswer{State: protocol.KnockRefused, Code: protocol.CodeOf(err), Time: time.Now().UnixMilli()}
	var e *protocol.Error
	switch {
	case errors.As(err, &e):
		ans.Text, ans.RetryAfter = e.Text, e.RetryAfter
	case ans.Code == protocol.CodeInternal:
		s.c.Log.Error("knock could not be answered", "error", err)
		ans.Text = "a fault in the hub, nothing was changed: try again later"
	default:
		ans.Text = err.Error() // of package protocol, about what the device sent
	}
	encoded, merr := protocol.Marshal(ans)
	if merr != nil {
		panic(merr) // a KnockAnswer has no field that can fail to encode
	}
	w.Header().Set("Connection", "close")
	answer(w, status, encoded)
}

// stream is MQTT over WebSocket (MQTT 3.1.1, section 6).
func (s *Server) stream(ctx context.Context, w http.ResponseWriter, r *http.Request, v *visit) {
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{
		Subprotocols:    []string{"mqtt"},
		CompressionMode: websocket.CompressionDisabled,
	})
	if err != nil {
		return // Accept has answered
	}
	s.hijacked.Add(1)
	defer s.hijacked.Done()
	defer ws.CloseNow()
	if ws.Subprotocol() != "mqtt" {
		v.guest.Leave()
		_ = v.raw.Close() // it wants something else
		return
	}
	s.c.Streams.ServeStream(ctx, broker.Stream{
		Conn: websocket.NetConn(ctx, ws, websocket.MessageBinary), State: v.state, Raw: v.raw, Tally: v.tally, Guest: v.guest,
	})
}

// tunnel is SSH in a WebSocket.
func (s *Server) tunnel(ctx context.Context, w http.ResponseWriter, r *http.Request, v *visit) {
	if s.c.Tunnels == nil {
		s.refuse(w, v, http.StatusNotFound, &protocol.Error{Code: protocol.CodeMalformed, Text: "this hub has no tunnels"})
		return
	}
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{
		Subprotocols:    []string{protocol.TunnelProtocol},
		CompressionMode: websocket.CompressionDisabled,
	})
	if err != nil {
		return // Accept has answered
	}
	s.hijacked.Add(1)
	defer s.hijacked.Done()
	defer ws.CloseNow()
	defer v.raw.Close()
	defer v.guest.Leave()
	if ws.Subprotocol() != protocol.TunnelProtocol {
		return // it wants something else
	}
	ws.SetReadLimit(-1) // SSH bounds what it keeps
	defer context.AfterFunc(ctx, func() { _ = v.raw.Close() })()
	err = s.c.Tunnels.Serve(ctx, tunnel.Stream{
		Conn: websocket.NetConn(ctx, ws, websocket.MessageBinary),
		Known: func(id protocol.DeviceID) func() {
			v.guest.Leave()
			ended := s.c.Sessions.Meter(id, v.tally)
			release := s.c.Sessions.Bound(id, v.raw)
			return func() {
				v.tally.Up(uint8(protocol.ClassTunnel))
				v.tally.Down(uint8(protocol.ClassTunnel))
				release()
				ended()
			}
		},
	})
	if err != nil {
		s.c.Log.Debug("no tunnel", "remote", r.RemoteAddr, "error", err)
	}
}

// refuse answers with an Error frame and ends the connection. A fault inside is logged, not told.
func (s *Server) refuse(w http.ResponseWriter, v *visit, status int, err error) {
	if status == http.StatusInternalServerError {
		s.c.Log.Error("exchange failed", "device", v.device, "error", err)
	}
	w.Header().Set("Connection", "close")
	answer(w, status, s.c.Sessions.ErrorFrame(err))
}

// answer writes the whole answer at once.
func answer(w http.ResponseWriter, status int, b []byte) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(answerTimeout)) // TLS connections can do it
	h := w.Header()
	h["Content-Type"] = nil
	h.Set("Content-Length", strconv.Itoa(len(b)))
	w.WriteHeader(status)
	_, _ = w.Write(b) // an agent that is gone asks again
}

// body reads a request's body of at most limit bytes.
func body(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	tooLarge := &protocol.Error{Code: protocol.CodeTooLarge, Text: "the body has more than " + strconv.FormatInt(limit, 10) + " bytes"}
	if r.ContentLength > limit {
		return nil, tooLarge
	}
	deadline := http.NewResponseController(w).SetReadDeadline
	if err := deadline(time.Now().Add(bodyTimeout)); err != nil {
		return nil, err
	}
	defer deadline(time.Time{}) // or it would cut short what is held back
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	var max *http.MaxBytesError
	switch {
	case errors.As(err, &max):
		return nil, tooLarge
	case err != nil:
		return nil, &protocol.Error{Code: protocol.CodeMalformed, Text: "the body ended early"}
	}
	return b, nil
}

// statusOf is the HTTP status of a refusal.
func statusOf(err error) int {
	switch protocol.CodeOf(err) {
	case protocol.CodeTooLarge:
		return http.StatusRequestEntityTooLarge
	case protocol.CodeMalformed:
		return http.StatusBadRequest
	case protocol.CodeBadSignature:
		return http.StatusUnauthorized
	case protocol.CodeUnknown, protocol.CodeRevoked:
		return http.StatusForbidden
	case protocol.CodeCopy:
		return http.StatusConflict
	case protocol.CodeBusy, protocol.CodeTooMany:
		return http.StatusServiceUnavailable
	}
	if errors.Is(err, session.ErrStopped) {
		return http.StatusServiceUnavailable
	}
	var e *protocol.Error
	if errors.As(err, &e) && e.Code != protocol.CodeInternal {
		return http.StatusForbidden
	}
	return http.StatusInternalServerError
}

// remote is the address the request came from.
func remote(r *http.Request) netip.Addr {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{} // a connection in memory
	}
	return ap.Addr().Unmap()
}
