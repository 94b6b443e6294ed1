package compose

import (
	"fmt"
	"strings"
	"testing"
)

// Each way to reach the host that Compose knows is found, however it is spelled.
func TestWhatReachesTheHostIsFound(t *testing.T) {
	for text, want := range map[string]string{
		"privileged: true":                              "privileged",
		`privileged: "${P:-true}"`:                      "privileged",
		"post_start: [{command: id, privileged: true}]": "privileged",
		"pid: host":                         "host-pid",
		"pid: container:db":                 "other-containers container:db",
		"ipc: host":                         "host-ipc",
		"ipc: shareable":                    "",
		"network_mode: host":                "host-network",
		"network_mode: bridge":              "",
		"networks: [out]":                   "host-network network out",
		"uts: host":                         "host-network",
		"userns_mode: host":                 "host-user-namespace",
		"cgroup: host":                      "security-options",
		"devices: ['/dev/sda:/dev/sda']":    "host-devices /dev/sda",
		"device_cgroup_rules: ['c 1:3 mr']": "host-devices c 1:3 mr",
		"gpus: all":                         "host-devices gpus",
		"deploy: {resources: {reservations: {devices: [{capabilities: [gpu]}]}}}": "host-devices devices of deploy",
		"cap_add: [SYS_ADMIN]":                            "capabilities SYS_ADMIN",
		"cap_drop: [ALL]":                                 "",
		"volumes: ['/etc:/x:ro']":                         "bind-mounts /etc",
		"volumes: ['~/x:/x']":                             "bind-mounts ",
		"volumes: [{type: bind, source: /, target: /x}]":  "bind-mounts /",
		"volumes: ['./conf:/x', 'data:/y', '/anonymous']": "",
		"volumes: ['sly:/x']":                             "volumes: bind-mounts volume sly on /etc",
		"volumes: ['plug:/x']":                            "volumes: bind-mounts volume plug by driver sshfs",
		"volumes: ['over:/x']":                            "volumes: bind-mounts volume over on overlay",
		"volumes: ['ram:/x', 'far:/y']":                   "",
		"volumes: ['far2:/x']":                            "volumes: bind-mounts volume far2 on /",
		"volumes: ['ram2:/x']":                            "volumes: bind-mounts volume ram2 on /etc",
		"volumes: ['theirs:/x']":                          "volumes: other-containers volume db_data",
		"volumes: ['theirs2:/x']":                         "volumes: other-containers volume db_data",
		"volumes: ['./data:/x', './data/in:/y']":          "bind-mounts ./data/in, a data folder within another",
		"volumes: ['./conf/app.ini:/y:ro']":               "",
		"annotations: {run.oci.handler: krun}":            "security-options annotation run.oci.handler",
		"volumes_from: ['container:db']":                  "other-containers container:db",
		"sysctls: {net.ipv4.ip_forward: 1}":               "sysctls net.ipv4.ip_forward",
		"security_opt: ['seccomp:unconfined']":            "security-options seccomp:unconfined",
		"security_opt: ['no-new-privileges:true']":        "",
		"runtime: other":                                  "security-options runtime other",
		"cgroup_parent: /":                                "security-options cgroup_parent /",
	} {
		file := "services:\n  app:\n    image: busybox:1.37\n    profiles: ['${WHEN:-never}']\n    " + text +
			"\n  plain:\n    image: busybox:1.37\nnetworks: {out: {external: true, name: host}}\nvolumes:\n  data: {}\n"
		for name, body := range map[string]string{
			"sly": "{driver: local, driver_opts: {type: none, o: bind, device: /etc}}", "plug": "{driver: sshfs}",
			"far2": "{driver_opts: {type: nfs, o: 'addr=10.0.0.1,bind', device: /}}", "ram2": "{driver_opts: {type: tmpfs, o: ' Rbind ', device: /etc}}",
			"theirs": "{name: db_data}", "theirs2": "{external: true, name: db_data}",
			"over": "{driver_opts: {type: overlay, o: 'lowerdir=/', device: overlay}}",
			"ram":  "{driver_opts: {type: tmpfs, device: tmpfs}}", "far": "{driver_opts: {type: nfs, o: 'addr=10.0.0.1', device: ':/x'}}",
		} {
			if strings.Contains(text, name+":") {
				file += "  " + name + ": " + body + "\n"
			}
		}
		if !strings.Contains(text, "out") {
			file = strings.Replace(file, "networks: {out: {external: true, name: host}}\n", "", 1)
		}
		sum, err := Validate(map[string][]byte{"compose.yml": []byte(file), "conf/app.ini": nil}, nil)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		var got []string
		for _, a := range sum.Asks {
			for _, w := range a.Wants {
				line := strings.TrimSpace(fmt.Sprintf("%s %s", w.Rule, w.What))
				if a.Service == "volumes" {
					line = "volumes: " + line
				}
				got = append(got, line)
			}
		}
		if found := strings.Join(got, ", "); found != want && (want == "" || !strings.HasPrefix(found, want)) {
			t.Errorf("%s: found %q, want %q", text, found, want)
		}
	}
}

// What a bundle reads can depend on a variable, and then what it asks for does.
func TestFilesThatAVariableChoosesAreNamed(t *testing.T) {
	files := map[string][]byte{
		"compose.yml": []byte("include: ['${FARSHORE_LABEL_F}.yml']\nservices: {app: {image: busybox, extends: {file: '${FARSHORE_LABEL_F}.yml', service: b}}}\n" +
			"volumes: {v: {name: '${FARSHORE_LABEL_F}'}}\n"),
		"good.yml": []byte("services: {b: {image: busybox}}"), "evil.yml": []byte("services: {b: {image: busybox, privileged: true}}"),
	}
	sum, err := Validate(files, map[string]string{"FARSHORE_LABEL_F": "good"})
	if err != nil {
		t.Fatal(err)
	}
	want := "compose.yml include (FARSHORE_LABEL_F), compose.yml services app extends file (FARSHORE_LABEL_F), compose.yml volumes v name (FARSHORE_LABEL_F)"
	if got := places(sum); got != want {
		t.Errorf("variables are named at %q, want %q", got, want)
	}
}

func TestVariablesInWhatReachesTheHostAreNamed(t *testing.T) {
	file := `
x-all: &all {privileged: "${FARSHORE_LABEL_P}"}
services:
  app:
    <<: *all
    image: "busybox:${TAG:-1}"
    command: "echo $$HOME ${FARSHORE_DEVICE_NAME}"
    environment: {A: "${B}"}
    entrypoint: "x$$y"
volumes: {data: {labels: {x: "$$y"}}}
`
	sum, err := Validate(map[string][]byte{"compose.yml": []byte(file)}, map[string]string{"FARSHORE_LABEL_P": "false"})
	if err != nil {
		t.Fatal(err)
	}
	want := "compose.yml services app image (TAG), compose.yml services app privileged (FARSHORE_LABEL_P), compose.yml x-all privileged (FARSHORE_LABEL_P)"
	if got := places(sum); got != want {
		t.Errorf("variables are named at %q, want %q", got, want)
	}
}

func places(sum Summary) string {
	var out []string
	for _, v := range sum.Varies {
		out = append(out, fmt.Sprintf("%s (%s)", v.Place, strings.Join(v.Names, ", ")))
	}
	return strings.Join(out, ", ")
}
