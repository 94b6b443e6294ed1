package gitsource_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/crypto/ssh"
)

// repository is a real one, bare, with a folder to work in.
type repository struct {
	t          testing.TB
	root, bare string
	work       string
}

func newRepository(t testing.TB) *repository {
	t.Helper()
	root := t.TempDir()
	r := &repository{t: t, root: root, bare: filepath.Join(root, "plant", "stacks.git"), work: t.TempDir()}
	r.git("init", "--quiet", "--bare", "--initial-branch=main", r.bare)
	r.git("init", "--quiet", "--initial-branch=main", r.work)
	return r
}

// git runs git in the folder to work in, with nothing of this machine's configuration.
func (r *repository) git(args ...string) string {
	r.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = r.work
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null", "HOME="+r.root,
		"GIT_AUTHOR_NAME=Anna", "GIT_AUTHOR_EMAIL=anna@example.com", "GIT_COMMITTER_NAME=Anna", "GIT_COMMITTER_EMAIL=anna@example.com")
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.t.Fatalf("git %v: %v: %s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func (r *repository) write(name, content string) {
	r.t.Helper()
	at := filepath.Join(r.work, name)
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(at, []byte(content), 0o644); err != nil {
		r.t.Fatal(err)
	}
}

// commit records all that is in the folder, pushes it to a branch, and returns its id.
func (r *repository) commit(message string) string {
	r.t.Helper()
	r.git("add", "--all")
	r.git("commit", "--quiet", "--allow-empty", "-m", message)
	r.push("HEAD:refs/heads/main")
	return r.git("rev-parse", "HEAD")
}

func (r *repository) push(what string) {
	r.t.Helper()
	r.git("push", "--quiet", "--force", r.bare, what)
}

const (
	user1, token1 = "deploy", "tok-5ec4e7-of-anna"
)

// server is a Git server over HTTPS with a certificate of its own, which asks for a user and a token.
type server struct {
	*httptest.Server
	mu    sync.Mutex
	token string // guarded by mu
	asked int    // guarded by mu: how many packs
}

func (s *server) set(token string) { s.mu.Lock(); s.token = token; s.mu.Unlock() }

func (s *server) packs() int { s.mu.Lock(); defer s.mu.Unlock(); return s.asked }

func (s *server) ca() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
}

func serveHTTP(t testing.TB, r *repository) *server {
	t.Helper()
	git, err := exec.LookPath("git")
	if err != nil {
		t.Fatal(err)
	}
	backend := &cgi.Handler{
		Path: git, Args: []string{"http-backend"}, Stderr: io.Discard,
		Env: []string{"GIT_PROJECT_ROOT=" + r.root, "GIT_HTTP_EXPORT_ALL=1", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null", "HOME=" + r.root},
	}
	s := &server{token: token1}
	s.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		name, password, _ := req.BasicAuth()
		s.mu.Lock()
		want := s.token
		if req.Method == http.MethodPost {
			s.asked++
		}
		s.mu.Unlock()
		if name != user1 || password != want {
			w.Header().Set("WWW-Authenticate", "Basic")
			http.Error(w, "no", http.StatusUnauthorized)
			return
		}
		backend.ServeHTTP(w, req)
	}))
	t.Cleanup(s.Close)
	return s
}

// sshServer is OpenSSH, started anew for each connection to a listener of this test.
type sshServer struct {
	address, user string
	hostKey       string // its fingerprint
	key           string // a private key that it lets in
	mu            sync.Mutex
	config        string // guarded by mu
}

func (s *sshServer) url(path string) string { return "ssh://" + s.user + "@" + s.address + path }

func sshKey(t testing.TB, passphrase string) (private string, public ssh.PublicKey) {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(key, "")
	if passphrase != "" {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(key, "", []byte(passphrase))
	}
	if err != nil {
		t.Fatal(err)
	}
	public, err = ssh.NewPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(block)), public
}

func serveSSH(t testing.TB, passphrase string) *sshServer {
	t.Helper()
	if _, err := os.Stat("/usr/sbin/sshd"); err != nil {
		t.Fatal("sshd is missing: scripts/test-setup.sh installs it")
	}
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	if me.Uid == "0" {
		if err := os.MkdirAll("/run/sshd", 0o755); err != nil { // where sshd puts its less trusted half
			t.Fatal(err)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &sshServer{address: l.Addr().String(), user: me.Username}
	private, public := sshKey(t, passphrase)
	s.key = private
	dir := t.TempDir()
	authorized := filepath.Join(dir, "authorized_keys")
	if err := os.WriteFile(authorized, ssh.MarshalAuthorizedKey(public), 0o600); err != nil {
		t.Fatal(err)
	}
	s.newHostKey(t, authorized)
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { s.serve(t, conn) })
		}
	})
	t.Cleanup(func() { l.Close(); all.Wait() })
	return s
}

// newHostKey gives the server another key.
func (s *sshServer) newHostKey(t testing.TB, authorized string) {
	t.Helper()
	dir := t.TempDir()
	private, public := sshKey(t, "")
	key, config := filepath.Join(dir, "host_key"), filepath.Join(dir, "sshd_config")
	text := "HostKey " + key + "\nAuthorizedKeysFile " + authorized + "\nStrictModes no\nUsePAM no\nPasswordAuthentication no\n" +
		"KbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\nPidFile none\nLogLevel QUIET\n"
	for name, content := range map[string]string{key: private, config: text} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.mu.Lock()
	s.config = config
	s.mu.Unlock()
	s.hostKey = ssh.FingerprintSHA256(public)
}

func (s *sshServer) authorized(t testing.TB) string {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	text, err := os.ReadFile(s.config)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "AuthorizedKeysFile ")
	name, _, _ := strings.Cut(rest, "\n")
	return name
}

func (s *sshServer) serve(t testing.TB, conn net.Conn) {
	defer conn.Close()
	f, err := conn.(*net.TCPConn).File()
	if err != nil {
		t.Error(err)
		return
	}
	defer f.Close()
	s.mu.Lock()
	config := s.config
	s.mu.Unlock()
	cmd := exec.Command("/usr/sbin/sshd", "-i", "-f", config)
	cmd.Stdin, cmd.Stdout = f, f
	_ = cmd.Run() // ends with the connection, which many tests break
}
