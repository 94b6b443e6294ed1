// Package deploy is how the programs are installed: the files to make images and services of, and the shell commands,
// made of the same files, by which an operator starts an agent on a device.
//
// The commands are meant to be pasted into a root shell, or behind `sudo`. Whatever is put into them is quoted or
// refused, and an edge key is given by a here-document: in no argument that a process list shows. Nothing here keeps
// state or does anything by itself.
package deploy

import (
	_ "embed"
	"errors"
	"fmt"
	"path"
	"regexp"
	"strings"
)

// service is the systemd unit of the agent.
//
//go:embed farshore-agent.service
var service string

// HostScripts is what loosens the unit so far that jobs can run scripts on the host: a file in the folder of the unit's
// name with .d behind it.
//
//go:embed host-scripts.conf
var HostScripts string

// HostScriptsFile is where HostScripts goes for a unit in a file.
func HostScriptsFile(unit string) string { return unit + ".d/host-scripts.conf" }

// DataFolder is where an agent that was started by the commands keeps everything, in a container and outside. In a
// container it is mounted at the path that it has on the device, since the engine mounts the files of stacks from there.
const DataFolder = "/var/lib/farshore-agent"

// unitFile is where the command puts the unit.
const unitFile = "/etc/systemd/system/farshore-agent.service"

// UnitSpec is what differs between units.
type UnitSpec struct {
	// Bin has the programs, Data is the data folder, Key the file of the edge key.
	Bin, Data, Key string
	// Jobs are the kinds that run without HostScripts: containers or off. Empty: containers.
	Jobs string
}

// Unit is the systemd unit of an agent.
func Unit(u UnitSpec) string {
	unit, data := service, u.Data
	if u.Jobs != "" {
		unit = strings.Replace(unit, "FARSHORE_JOBS=containers\n", "FARSHORE_JOBS="+u.Jobs+"\n", 1)
	}
	if data != DataFolder { // systemd makes and opens the other one by itself
		unit = strings.Replace(unit, "StateDirectory=farshore-agent\nStateDirectoryMode=0700\n", "ReadWritePaths="+data+"\n", 1)
	}
	return strings.NewReplacer("/usr/local/bin", u.Bin, DataFolder, data, "/etc/farshore/edge.key", u.Key).Replace(unit)
}

// ErrEdgeKey: the text cannot be an edge key, and no command is made with it.
var ErrEdgeKey = errors.New("not an edge key")

// ErrImage: the text cannot name an image.
var ErrImage = errors.New("not the name of an image")

var (
	edgeKeyForm = regexp.MustCompile(`^fsk[0-9]+_[A-Za-z0-9_-]+$`)
	imageForm   = regexp.MustCompile(`^[a-z0-9]([A-Za-z0-9._:/@-]{0,254}[A-Za-z0-9])?$`)
	tagForm     = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$`)
)

// Image is the name under which `make images` makes the image of the agent of a version; of a build without a version
// it is the latest.
func Image(version string) string {
	if version == "dev" || version == "unknown" || !tagForm.MatchString(version) {
		version = "latest"
	}
	return "farshore/agent:" + version
}

// CheckImage says with ErrImage that a text cannot name an image.
func CheckImage(image string) error {
	if !imageForm.MatchString(image) {
		return fmt.Errorf("%w: %.300q: want NAME:TAG, such as registry.example.com/farshore/agent:1.4", ErrImage, image)
	}
	return nil
}

// Commands start an agent on a device.
type Commands struct {
	// Container runs it in a container of the device's Docker Engine, which it manages.
	Container string
	// Service runs it as a systemd service. Both programs have to be in /usr/local/bin.
	Service string
}

// For makes the commands for an edge key and an image. The errors are ErrEdgeKey and ErrImage.
func For(edgeKey, image string) (Commands, error) {
	if !edgeKeyForm.MatchString(edgeKey) {
		return Commands{}, ErrEdgeKey // without its text, which may be a secret all the same
	}
	if err := CheckImage(image); err != nil {
		return Commands{}, err
	}
	return Commands{Container: container(edgeKey, image), Service: serviceCommand(edgeKey)}, nil
}

// container shares the device's network and host name: the agent only calls out, and goes the device's own ways. What
// is mounted below /host tells which machine it is.
func container(edgeKey, image string) string {
	return `docker run -d --name farshore-agent --restart unless-stopped \
  --network host --uts host \
  -v /var/run/docker.sock:/var/run/docker.sock \
  -v ` + DataFolder + `:` + DataFolder + ` \
  -v /etc:/host/etc:ro -v /usr/lib:/host/usr/lib:ro -v /sys:/host/sys:ro \
  --env-file /dev/stdin ` + image + ` <<'FARSHORE'
FARSHORE_EDGE_KEY=` + edgeKey + `
FARSHORE
`
}

// serviceCommand is one command, so that a word before it (sudo) is good for all of it.
func serviceCommand(edgeKey string) string {
	return `sh -eu <<'FARSHORE'
umask 077
mkdir -p /etc/farshore
cat >/etc/farshore/edge.key <<'KEY'
` + edgeKey + `
KEY
chmod 600 /etc/farshore/edge.key
umask 022
cat >` + unitFile + ` <<'UNIT'
` + strings.TrimSuffix(service, "\n") + `
UNIT
mkdir -p ` + path.Dir(HostScriptsFile(unitFile)) + `
cat >` + HostScriptsFile(unitFile) + ` <<'UNIT'
` + strings.TrimSuffix(HostScripts, "\n") + `
UNIT
systemctl daemon-reload
systemctl enable farshore-agent
systemctl restart farshore-agent
FARSHORE
`
}
