package testengine

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// api speaks the few calls of the Engine API that setting up a test takes.
type api struct {
	http *http.Client
	auth string // X-Registry-Auth
}

// newAPI returns a client for a "unix://" address. Nothing is dialled before the first call.
func newAPI(host string) *api {
	path := strings.TrimPrefix(host, "unix://")
	return &api{auth: "e30=", http: &http.Client{Transport: &http.Transport{ // an empty object: no credentials
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var dialer net.Dialer
			return dialer.DialContext(ctx, "unix", path)
		},
	}}}
}

// as gives the engine what it says to registries.
func (a *api) as(user, password string) {
	raw, _ := json.Marshal(map[string]string{"username": user, "password": password}) // strings can always be encoded
	a.auth = base64.URLEncoding.EncodeToString(raw)
}

func (a *api) close() { a.http.CloseIdleConnections() }

func (a *api) ping(ctx context.Context) error {
	_, err := a.call(ctx, "GET", "/_ping", nil)
	return err
}

func (a *api) hasImage(ctx context.Context, name string) (bool, error) {
	status, err := a.call(ctx, "GET", "/images/"+url.PathEscape(name)+"/json", nil)
	if status == http.StatusNotFound {
		return false, nil
	}
	return err == nil, err
}

// importImage makes an image of a root file system in tar form. Changes are lines of a Dockerfile.
func (a *api) importImage(ctx context.Context, name string, changes []string, root io.Reader) error {
	// The tag is in the name: Podman takes no other for an import.
	query := url.Values{"fromSrc": {"-"}, "repo": {name}, "changes": changes}
	_, err := a.call(ctx, "POST", "/images/create?"+query.Encode(), root)
	return err
}

// buildImage makes an image of a Dockerfile and what it copies, in tar form.
func (a *api) buildImage(ctx context.Context, name string, files io.Reader) error {
	_, err := a.call(ctx, "POST", "/build?"+url.Values{"t": {name}, "rm": {"1"}}.Encode(), files)
	return err
}

func (a *api) tagImage(ctx context.Context, from, to string) error {
	repo, tag := splitName(to)
	query := url.Values{"repo": {repo}, "tag": {tag}}
	_, err := a.call(ctx, "POST", "/images/"+url.PathEscape(from)+"/tag?"+query.Encode(), nil)
	return err
}

func (a *api) untagImage(ctx context.Context, name string) error {
	_, err := a.call(ctx, "DELETE", "/images/"+url.PathEscape(name)+"?noprune=1", nil)
	return err
}

func (a *api) pushImage(ctx context.Context, name string) error {
	repo, tag := splitName(name)
	_, err := a.call(ctx, "POST", "/images/"+repo+"/push?tag="+url.QueryEscape(tag), nil)
	return err
}

// call returns the status, and an error for everything that did not succeed. Some calls answer 200 first and report
// failure in a stream of JSON objects, so the answer is read to its end.
func (a *api) call(ctx context.Context, method, path string, body io.Reader) (int, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://engine"+path, body)
	if err != nil {
		return 0, err
	}
	req.Header.Set("X-Registry-Auth", a.auth)
	resp, err := a.http.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return resp.StatusCode, fmt.Errorf("%s %s: %w", method, path, err)
	}
	if resp.StatusCode >= 300 {
		return resp.StatusCode, fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, strings.TrimSpace(string(text)))
	}
	if reason := streamError(string(text)); reason != "" {
		return resp.StatusCode, fmt.Errorf("%s %s: %s", method, path, reason)
	}
	return resp.StatusCode, nil
}

// streamError returns the first error that a stream of JSON objects reports, if the text is such a stream.
func streamError(text string) string {
	decoder := json.NewDecoder(strings.NewReader(text))
	for {
		var object struct {
			Error string `json:"error"`
		}
		if decoder.Decode(&object) != nil {
			return ""
		}
		if object.Error != "" {
			return object.Error
		}
	}
}

// splitName splits "registry:5000/name:tag" at the tag; without one it is "latest".
func splitName(name string) (repo, tag string) {
	if colon := strings.LastIndexByte(name, ':'); colon > strings.LastIndexByte(name, '/') {
		return name[:colon], name[colon+1:]
	}
	return name, "latest"
}
