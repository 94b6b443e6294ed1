package api

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/farshore/farshore/hub/access"
	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/hub/tunnel"
	"github.com/farshore/farshore/protocol"
)

// Tunnels open channels to devices; *tunnel.Keeper is one.
type Tunnels interface {
	Dial(context.Context, tunnel.Ask) (net.Conn, error)
	State(protocol.DeviceID) (tunnel.State, tunnel.Session)
	Close(id protocol.DeviceID, why string) bool
}

type engineInput struct {
	DeviceRef
	Path    string `path:"path" doc:"Path of the Engine API, with or without its version"`
	Timeout int    `header:"X-Farshore-Timeout" minimum:"1" maximum:"600" default:"30" doc:"Seconds that the device may take to open a tunnel"`
}

func (s *server) tunnelRoutes() {
	const tag = "Live"
	add(s, route[DeviceRef, reply[resource.Tunnel]]{
		Method: http.MethodGet, Path: "/devices/{device}/tunnel", ID: "get-tunnel", Tag: tag, Summary: "See whether a tunnel to a device is open",
		Does: access.DevicesRead, On: s.onDevice,
		Run: func(_ context.Context, c *call, _ *DeviceRef) (*reply[resource.Tunnel], error) {
			return replyWith(s.tunnelOf(protocol.DeviceID(c.on.ID))), nil
		},
	})
	add(s, route[DeviceRef, none]{
		Method: http.MethodDelete, Path: "/devices/{device}/tunnel", ID: "close-tunnel", Tag: tag, Status: http.StatusNoContent,
		Summary: "Close the tunnel to a device", Description: "The device takes a snapshot first. Where there is none, nothing is done.",
		Does: access.LiveEngine, On: s.onDevice, Records: "live.close",
		Run: func(_ context.Context, c *call, _ *DeviceRef) (*none, error) {
			s.Tunnels.Close(protocol.DeviceID(c.on.ID), "closed by "+c.by())
			return nil, nil
		},
	})
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete} {
		add(s, route[engineInput, huma.StreamResponse]{
			Method: method, Path: "/devices/{device}/docker/{path...}", ID: "engine-" + strings.ToLower(method), Tag: tag,
			Summary: "Call the Engine API of a device as it is, through the tunnel",
			Description: "Requests, streams, upgrades, uploads and downloads pass as they are (see the Docker Engine API). Policies do not bind such calls, and what " +
				"they show is not masked: the right is for those who may all that.",
			Does: access.LiveEngine, On: func(c *call, in *engineInput) (access.Resource, error) { return s.onDevice(c, &in.DeviceRef) },
			Records: recordsOf(method), Streams: "application/octet-stream", AsItIs: true,
			Run: func(ctx context.Context, c *call, in *engineInput) (*huma.StreamResponse, error) {
				return s.engine(ctx, c, in, method)
			},
		})
	}
}

// recordsOf names calls in the audit trail; those that only look have one entry an hour, see engine.
func recordsOf(method string) string {
	if changes(method) {
		return "live.engine"
	}
	return ""
}

func (s *server) tunnelOf(id protocol.DeviceID) resource.Tunnel {
	state, t := s.Tunnels.State(id)
	return resource.Tunnel{State: string(state), Since: t.Opened.UTC(), By: t.By, Up: t.Up, Down: t.Down, Channels: t.Channels, Served: t.Served}
}

// engine passes a call on. That a tunnel cannot be had is told as a problem; all else is the engine's own answer.
func (s *server) engine(ctx context.Context, c *call, in *engineInput, method string) (*huma.StreamResponse, error) {
	id := protocol.DeviceID(c.on.ID)
	if in.Timeout < 1 || in.Timeout > maxTunnelWait { // parameters of what is passed on are not checked before
		return nil, invalid("header.X-Farshore-Timeout", "%d seconds: want 1 to %d", in.Timeout, maxTunnelWait)
	}
	if err := s.recordSecrets(c, c.on, "calls of the Engine API"); err != nil {
		return nil, err
	}
	waiting, cancel := context.WithTimeout(ctx, time.Duration(in.Timeout)*time.Second)
	defer cancel()
	conn, err := s.Tunnels.Dial(waiting, tunnel.Ask{Device: id, Channel: protocol.TunnelDocker, By: c.by()})
	if err != nil {
		return nil, fmt.Errorf("device %s: %w", id, err)
	}
	c.detail = method + " /" + protocol.Printable(in.Path, protocol.MaxText)
	return &huma.StreamResponse{Body: func(ctx huma.Context) {
		r, w := humago.Unwrap(ctx)
		defer conn.Close()
		defer context.AfterFunc(r.Context(), func() { _ = conn.Close() })()
		s.passOn(w, r, conn)
	}}, nil
}

// engineHeaders are those of an engine's answer that are passed on: it may be in the hands of somebody hostile.
var engineHeaders = []string{
	"Api-Version", "Connection", "Content-Disposition", "Content-Encoding", "Content-Length", "Content-Range", "Content-Type", "Date",
	"Docker-Experimental", "Builder-Version", "Ostype", "Server", "Swarm", "Trailer", "Transfer-Encoding", "Upgrade",
	"X-Docker-Container-Path-Stat", "Libpod-Api-Version",
}

// maxTunnelWait is the most seconds that a caller waits for a tunnel.
const maxTunnelWait = 600

// maxEngineHeader is the most bytes of an answer's header.
const maxEngineHeader = 64 << 10

// passOn sends a request over a connection to an engine, and its answer back.
func (s *server) passOn(w http.ResponseWriter, r *http.Request, conn net.Conn) {
	rc := http.NewResponseController(w)
	_ = rc.SetReadDeadline(time.Time{}) // uploads take their time; a test recorder has none
	var once sync.Once
	transport := &http.Transport{
		DisableKeepAlives: true, DisableCompression: true, MaxResponseHeaderBytes: maxEngineHeader,
		DialContext: func(context.Context, string, string) (given net.Conn, err error) {
			err = errors.New("a second connection was asked for")
			once.Do(func() { given, err = conn, nil })
			return given, err
		},
	}
	defer transport.CloseIdleConnections()
	proxy := &httputil.ReverseProxy{
		Transport: transport, FlushInterval: -1, ErrorLog: nil,
		Rewrite: func(p *httputil.ProxyRequest) {
			p.Out.URL = enginePath(p.In.URL)
			p.Out.Host = "docker"
			for _, private := range []string{"Authorization", "Cookie", "X-Farshore", "X-Farshore-Timeout", "Origin", "Referer", "If-Match"} {
				p.Out.Header.Del(private)
			}
		},
		ModifyResponse: func(resp *http.Response) error {
			for name := range resp.Header {
				if !slices.Contains(engineHeaders, http.CanonicalHeaderKey(name)) {
					resp.Header.Del(name)
				}
			}
			// A 1xx answer took away what stood there for all answers of the API.
			resp.Header.Set("X-Content-Type-Options", "nosniff")
			resp.Header.Set("Content-Security-Policy", "sandbox; default-src 'none'; frame-ancestors 'none'")
			resp.Header.Set("Cache-Control", "no-store")
			return nil
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			if r.Context().Err() != nil {
				return // who asked has gone
			}
			s.Log.Debug("a call of the Engine API failed", "error", err)
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusBadGateway)
			writeJSON(w, newProblem(http.StatusBadGateway, "engine-lost", "the connection to the device's engine ended before its answer: try again"))
		},
	}
	proxy.ServeHTTP(&patientWriter{w, rc}, r)
}

// enginePath is what of a request's address is the engine's: all behind /devices/{device}/docker, as it came.
func enginePath(u *url.URL) *url.URL {
	_, rest, _ := strings.Cut(u.EscapedPath(), Base+"/devices/")
	_, rest, _ = strings.Cut(rest, "/")
	rest = strings.TrimPrefix(rest, "docker")
	out := &url.URL{Scheme: "http", Host: "docker", RawQuery: u.RawQuery, Path: rest}
	if plain, err := url.PathUnescape(rest); err == nil && plain != rest {
		out.Path, out.RawPath = plain, rest
	}
	return out
}

// patientWriter lets an answer take as long as each part of it is taken in time.
type patientWriter struct {
	http.ResponseWriter
	rc *http.ResponseController
}

// WriteHeader implements http.ResponseWriter. What an engine says before its answer is nobody's to read.
func (p *patientWriter) WriteHeader(code int) {
	if code >= 200 || code == http.StatusSwitchingProtocols {
		p.ResponseWriter.WriteHeader(code)
	}
}

// Write implements http.ResponseWriter.
func (p *patientWriter) Write(b []byte) (int, error) {
	_ = p.rc.SetWriteDeadline(time.Now().Add(writeTimeout)) // a test recorder has none
	return p.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach what is below.
func (p *patientWriter) Unwrap() http.ResponseWriter { return p.ResponseWriter }
