package testengine

import (
	"archive/tar"
	"bytes"
	"context"
	"debug/elf"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// BusyboxImage is the image that Busybox makes.
const BusyboxImage = "farshore-test/busybox:1"

// ImageConfig describes an image for a test: the machine's static busybox with all applets under /bin, and what the
// fields say. The zero value is a busybox that sleeps until it is told to stop.
type ImageConfig struct {
	// Host is the engine's address; empty means the shared one.
	Host string
	// Cmd is the program and its arguments; empty means to sleep, and to end at once on SIGTERM.
	Cmd []string
	// Entrypoint is put before Cmd; empty means none.
	Entrypoint []string
	// Health is a shell command for the health check, tried every second; empty means none.
	Health string
	// Env are "NAME=value" pairs.
	Env []string
	// Labels are set on the image.
	Labels map[string]string
	// Files are added by absolute path, mode 0755. Different files make an image with different layers.
	Files map[string]string
}

// Busybox returns BusyboxImage, made if need be, on the shared engine. Of its applets wget is of no
// use, it crashes in Debian's static build; nc and httpd work.
func Busybox(t testing.TB) string {
	t.Helper()
	return Image(t, BusyboxImage, ImageConfig{})
}

// Image makes an image unless one of that name exists, and returns the name. Images stay for the life of the engine:
// different content takes a different name.
func Image(t testing.TB, name string, cfg ImageConfig) string {
	t.Helper()
	if cfg.Host == "" {
		cfg.Host = Host(t)
	}
	if err := MakeImage(context.Background(), name, cfg); err != nil {
		t.Fatalf("make the test image %s: %v", name, err)
	}
	return name
}

// MakeImage is Image for callers that are no test. The Host must be set.
func MakeImage(ctx context.Context, name string, cfg ImageConfig) error {
	unlock, err := lockImages(cfg.Host)
	if err != nil {
		return err
	}
	defer unlock()
	engine := newAPI(cfg.Host)
	defer engine.close()
	if found, err := engine.hasImage(ctx, name); err != nil || found {
		return err
	}
	root, err := rootFS(cfg.Files)
	if err != nil {
		return err
	}
	changes, err := cfg.changes()
	if err != nil {
		return err
	}
	return engine.importImage(ctx, name, changes, root)
}

// Layered makes an image of another one and a layer with files on top, by absolute path, and returns its name. What it is
// made of must be there.
func Layered(t testing.TB, name, base string, files map[string]string) string {
	t.Helper()
	a := &archive{}
	a.tar = tar.NewWriter(&a.out)
	a.add(&tar.Header{Name: "Dockerfile", Mode: 0o644}, []byte("FROM "+base+"\nCOPY root /\n"))
	for _, path := range slices.Sorted(maps.Keys(files)) {
		a.add(&tar.Header{Name: "root" + path, Mode: 0o644}, []byte(files[path]))
	}
	engine := newAPI(Host(t))
	defer engine.close()
	if err := errors.Join(a.err, a.tar.Close()); err != nil {
		t.Fatalf("make the test image %s: %v", name, err)
	}
	if err := engine.buildImage(context.Background(), name, &a.out); err != nil {
		t.Fatalf("make the test image %s: %v", name, err)
	}
	return name
}

// changes are the image's settings in the form that the engine's import takes.
func (cfg ImageConfig) changes() ([]string, error) {
	cmd := cfg.Cmd
	if len(cmd) == 0 {
		cmd = []string{"/bin/sh", "-c", "trap 'exit 0' TERM; while :; do sleep 3600 & wait $!; done"}
	}
	list, err := json.Marshal(cmd)
	if err != nil {
		return nil, err
	}
	changes := []string{"ENV PATH=/bin", "CMD " + string(list)}
	if len(cfg.Entrypoint) > 0 {
		entrypoint, err := json.Marshal(cfg.Entrypoint)
		if err != nil {
			return nil, err
		}
		changes = append(changes, "ENTRYPOINT "+string(entrypoint))
	}
	if cfg.Health != "" {
		changes = append(changes, "HEALTHCHECK --interval=1s --timeout=5s --retries=3 CMD "+cfg.Health)
	}
	for _, pair := range cfg.Env {
		name, value, _ := strings.Cut(pair, "=")
		changes = append(changes, "ENV "+name+"="+literal(value))
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.Labels)) {
		changes = append(changes, "LABEL "+literal(name)+"="+literal(cfg.Labels[name]))
	}
	return changes, nil
}

// rootFS returns a root file system as a tar archive, the same bytes for the same files.
func rootFS(files map[string]string) (*bytes.Buffer, error) {
	path, binary, err := staticBusybox()
	if err != nil {
		return nil, err
	}
	applets, err := exec.Command(path, "--list").Output()
	if err != nil {
		return nil, fmt.Errorf("list the applets of %q: %w", path, err)
	}
	archive := &archive{}
	archive.tar = tar.NewWriter(&archive.out)
	for _, dir := range []string{"bin", "etc", "tmp", "root", "data"} {
		archive.add(&tar.Header{Name: dir + "/", Typeflag: tar.TypeDir, Mode: 0o755}, nil)
	}
	archive.add(&tar.Header{Name: "bin/busybox", Mode: 0o755}, binary)
	for _, applet := range strings.Fields(string(applets)) {
		if applet != "busybox" {
			archive.add(&tar.Header{Name: "bin/" + applet, Typeflag: tar.TypeSymlink, Linkname: "busybox", Mode: 0o777}, nil)
		}
	}
	archive.add(&tar.Header{Name: "etc/passwd", Mode: 0o644}, []byte("root:x:0:0:root:/root:/bin/sh\n"))
	archive.add(&tar.Header{Name: "etc/group", Mode: 0o644}, []byte("root:x:0:\n"))
	for _, name := range slices.Sorted(maps.Keys(files)) {
		archive.add(&tar.Header{Name: strings.TrimPrefix(name, "/"), Mode: 0o755}, []byte(files[name]))
	}
	return &archive.out, errors.Join(archive.err, archive.tar.Close())
}

// archive is a tar writer that keeps its first error.
type archive struct {
	out bytes.Buffer
	tar *tar.Writer
	err error
}

func (a *archive) add(header *tar.Header, content []byte) {
	header.Size = int64(len(content))
	header.ModTime = time.Unix(0, 0)
	if a.err == nil {
		a.err = a.tar.WriteHeader(header)
	}
	if a.err == nil {
		_, a.err = a.tar.Write(content)
	}
}

// staticBusybox finds a busybox that needs no libraries, and so runs alone in an image.
func staticBusybox() (path string, content []byte, err error) {
	path, err = exec.LookPath("busybox")
	if err != nil {
		return "", nil, fmt.Errorf("images for tests are made of busybox, which is missing (Debian: apt-get install busybox-static): %w", err)
	}
	content, err = os.ReadFile(path)
	if err != nil {
		return "", nil, err
	}
	binary, err := elf.NewFile(bytes.NewReader(content))
	if err != nil {
		return "", nil, fmt.Errorf("read %q: %w", path, err)
	}
	for _, segment := range binary.Progs {
		if segment.Type == elf.PT_INTERP {
			return "", nil, fmt.Errorf("%q is not static (Debian: apt-get install busybox-static)", path)
		}
	}
	return path, content, nil
}

// lockImages lets one process at a time look for and make images of an engine. Without it two would make the same one,
// and the first would lose its name under a running container. The lock is on the folder of the engine's socket.
func lockImages(host string) (unlock func(), err error) {
	file, err := os.Open(filepath.Dir(strings.TrimPrefix(host, "unix://")))
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		file.Close()
		return nil, fmt.Errorf("lock %q: %w", file.Name(), err)
	}
	return func() { file.Close() }, nil
}

// literal quotes a value as a Dockerfile does, with nothing in it to be expanded.
func literal(value string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, `$`, `\$`).Replace(value) + `"`
}
