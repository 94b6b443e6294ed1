package compose

import (
	"fmt"
	"strings"
	"testing"
)

func validate(t *testing.T, env map[string]string, files map[string]string) Summary {
	t.Helper()
	sum, err := Validate(bytesOf(files), env)
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

func takesText(sum Summary) string {
	var out []string
	for _, t := range sum.Takes {
		out = append(out, t.Service+": "+t.String())
	}
	return strings.Join(out, ", ")
}

func TestWhatOnlyOneCanHaveIsNamed(t *testing.T) {
	for _, c := range []struct{ service, want string }{
		{"ports: ['80']", ""},
		{"ports: ['8080:80']", "a: host port 8080/tcp"},
		{"ports: ['8080:80', '8080:80/udp']", "a: host port 8080/tcp, a: host port 8080/udp"},
		{"ports: ['127.0.0.1:8080:80', '[::1]:8080:80']", "a: host port 127.0.0.1:8080/tcp, a: host port [::1]:8080/tcp"},
		{"ports: ['0.0.0.0:8080:80', '[::]:8080:80']", "a: host port 8080/tcp, a: host port 8080/tcp"},
		{"ports: ['8080:80', '8080:80']", "a: host port 8080/tcp"},
		{"ports: ['3000-3003:3000-3003', '3005:3005']", "a: host ports 3000-3003/tcp, a: host port 3005/tcp"},
		{"ports: ['9000-9010:80']", ""}, // the engine takes one that is free
		{"ports: [{target: 80, published: '8080', protocol: udp, host_ip: 10.0.0.1}]", "a: host port 10.0.0.1:8080/udp"},
		{"ports: [{target: 80, published: '8080-8090'}]", ""},
		{"ports: ['${PORT:-81}:80']", "a: host port 82/tcp"},
		{"container_name: web", "a: container name web"},
		{"container_name: 'web-${FARSHORE_DEVICE_NAME}'", "a: container name web-oslo"},
		{"network_mode: host", ""},
		{"network_mode: host, ports: ['8080:80']", "a: host port 8080/tcp"},
		{"ports: ['8080:80'], scale: 0", ""},
		{"ports: ['8080-8082:80'], deploy: {replicas: 3}", ""},
		{"ports: ['8080:80'], profiles: [never]", ""},
	} {
		service := "{image: x, " + c.service + "}"
		sum := validate(t, map[string]string{"PORT": "82", "FARSHORE_DEVICE_NAME": "oslo"}, map[string]string{
			"compose.yml": "services:\n  a: " + service + "\n  b: {image: y}\n",
		})
		if got := takesText(sum); got != c.want {
			t.Errorf("%s: takes %q, want %q", c.service, got, c.want)
		}
	}
}

func TestServicesThatTakeFromEachOtherAreRefused(t *testing.T) {
	for services, want := range map[string]string{
		"a: {image: x, ports: ['80:1']}\n  b: {image: x, ports: ['127.0.0.1:80:1']}": "compose.yml, line 3: service b takes the host port 127.0.0.1:80/tcp, as service a does; publish another port in one of them",
		"a: {image: x, ports: ['80-90:80-90', '85:1']}":                              "compose.yml, line 2: service a takes the host port 85/tcp twice; publish it once",
		"a: {image: x, ports: ['80:1'], deploy: {replicas: 2}}":                      "compose.yml, line 2: service a has 2 replicas, and only one of them can have the host port 80/tcp; publish a range of as many ports, or only the container's port",
		"a: {image: x, container_name: db}\n  b: {image: x, container_name: db}":     "compose.yml, line 3: service b takes the container name db, as service a does; give them different names",
	} {
		_, err := Validate(bytesOf(map[string]string{"compose.yml": "services:\n  " + services + "\n"}), nil)
		if err == nil || err.Error() != want {
			t.Errorf("%s:\n got %v\nwant %s", services, err, want)
		}
	}
	for _, services := range []string{
		"a: {image: x, ports: ['80:1']}\n  b: {image: x, ports: ['80:1/udp']}",
		"a: {image: x, ports: ['80:1']}\n  b: {image: x, ports: ['80:1'], profiles: [never]}",
		"a: {image: x, ports: ['0.0.0.0:80:1', '[::]:80:1']}",
	} {
		if _, err := Validate(bytesOf(map[string]string{"compose.yml": "services:\n  " + services + "\n"}), nil); err != nil {
			t.Errorf("%s: %v", services, err)
		}
	}
}

// A few lines must not cost the hub gigabytes: each port of a range is a port.
func TestTooManyPortsAreRefused(t *testing.T) {
	var services strings.Builder
	services.WriteString("services:\n")
	for i := range 300 {
		fmt.Fprintf(&services, "  s%d: {image: x, ports: ['1-65535:1-65535']}\n", i)
	}
	var scattered strings.Builder
	for i := range 1200 {
		fmt.Fprintf(&scattered, "'%d:80',", 2*i+1)
	}
	for name, file := range map[string]string{
		"ranges": services.String(), "scattered": "services: {a: {image: x, ports: [" + scattered.String() + "]}}",
		"by a variable": "services: {a: {image: x, ports: ['1-${LAST:-65535}:1-${LAST:-65535}']}}",
	} {
		if _, err := Validate(bytesOf(map[string]string{"compose.yml": file}), nil); err == nil || !strings.Contains(err.Error(), "ports") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestVariablesThatABundleUsesAreNamed(t *testing.T) {
	for _, c := range []struct {
		files map[string]string
		want  string
	}{
		{map[string]string{"compose.yml": "services: {a: {image: 'x:$TAG'}}"}, "TAG"},
		{map[string]string{"compose.yml": "services: {a: {image: x, command: 'echo $$HOME $$$NAME'}}"}, "NAME"},
		{map[string]string{"compose.yml": "services: {a: {image: 'x:${A:-${B:-${C-1}}}', user: '${D:?say who, not $E}', domainname: '${F:+$G}'}}"}, "A B C D E F G"},
		{map[string]string{"compose.yml": "services: {a: {image: x}} # $COMMENT"}, ""},
		{map[string]string{"compose.yml": "services: {a: {image: x, labels: {'$KEY': 'v'}}}"}, ""},
		{map[string]string{"compose.yml": "services: {a: {image: x, environment: {GIVEN: 1, HANDED: }}, b: {image: x, environment: [ON, X=$Y]}}"}, "HANDED ON Y"},
		{map[string]string{"compose.yml": "services: {a: {image: x, secrets: [s]}}\nsecrets: {s: {environment: TOKEN}}"}, "TOKEN"},
		{map[string]string{"compose.yml": "services: {a: {image: x}, b: {image: y, profiles: [p]}}"}, "COMPOSE_PROFILES"},
		{map[string]string{"compose.yml": "x-a: &a {user: $U}\nservices: {a: {<<: *a, image: x}}"}, "U"},
		{map[string]string{
			"compose.yml": "services: {a: {image: '$IMAGE', env_file: [e.txt]}}",
			".env":        "IMAGE=x:${TAG:-1}\n#OLD=$OLD\nQ='$QUIET'\nD=\"\\$ESCAPED $LOUD\"\n",
			"e.txt":       "A=$SITE\nHANDED\nexport B=${FARSHORE_DEVICE_NAME}\n",
		}, "FARSHORE_DEVICE_NAME HANDED IMAGE LOUD SITE TAG"},
		{map[string]string{
			"compose.yml": "include: [in/c.yml]\nservices: {a: {extends: {file: base.yml, service: b}}}",
			"base.yml":    "services: {b: {image: 'x:$BASE'}}", "in/c.yml": "services: {c: {image: 'x:$INCLUDED'}}", "in/.env": "INCLUDED=$BESIDE\n",
			"unread.yml": "services: {d: {image: 'x:$UNREAD'}}", "prometheus.yml": "labels: ${1}$NOT",
		}, "BASE BESIDE INCLUDED"},
		{map[string]string{
			"compose.yml": "include: ['${WHICH:-a}.yml']\nservices: {z: {image: x}}", "a.yml": "services: {a: {image: 'x:$A'}}", "b.yml": "services: {b: {image: 'x:$B'}}",
		}, "A B WHICH"},
		{map[string]string{
			"compose.yml": "services: {a: {image: x, env_file: '${WHICH:-a}.env'}}", "a.env": "X=$A\n", "b.env": "X=$B\n",
		}, "A B WHICH"},
	} {
		sum := validate(t, map[string]string{"IMAGE": "x", "D": "d", "TAG": "1"}, c.files)
		if got := strings.Join(sum.Variables, " "); got != c.want {
			t.Errorf("%v:\n got %q\nwant %q", c.files, got, c.want)
		}
	}
}
