package compose

import "testing"

// What people paste and get wrong is told in one sentence: where, what, and what to do.
func TestBrokenFilesAreExplained(t *testing.T) {
	for _, c := range []struct{ file, want string }{
		{
			"services:\n  web:\n   image: x\n    ports: [\"80:80\"]\n",
			`line 4: this is not well-formed YAML: mapping values are not allowed in this context; check the indentation of this line and of the one above, and put texts with a colon in quotes`,
		},
		{
			"services:\n  web:\n    image: x\n    prots: [\"80:80\"]\n",
			`line 4: unknown key "prots" in services.web; correct its spelling or remove it`,
		},
		{
			"web:\n  image: x\n  ports: [\"80:80\"]\n",
			`line 1: service web is at the top of the file, as in the first version of Compose; put services: above it, and indent it below`,
		},
		{
			"version: \"3\"\nservices:\n  - web:\n      image: x\n",
			`line 2: services is not a mapping; write the name of each service with a colon below it, indented, without -`,
		},
		{
			"docker run -d -p 80:80 nginx\n",
			`line 1: this is not a compose file; begin with services:, and each service indented below it`,
		},
		{
			"services:\n  web server: {image: x}\n",
			`line 2: the name "web server" in services has characters that names cannot have; use letters of English, digits, and . _ -`,
		},
		{
			"services:\n  web:\n    image: 'x\n",
			`line 3: this is not well-formed YAML: found unexpected end of stream; close the quotes that are open`,
		},
		{
			"services:\n  web:\n    <<: *base\n    image: x\n",
			`line 3: the alias *base has no anchor; write &base where it is defined, above`,
		},
		{
			"services:\n  web:\n    image: @x\n",
			`line 3: this is not well-formed YAML: found character that cannot start any token; put the value in quotes`,
		},
		{
			"services:\n  web:\n    image: x\n    ports: [\"80:80:80\"]\n",
			`line 4: service web publishes "80:80:80", which is not a port; write "HOST:CONTAINER" in quotes, with an address of the host before it if need be, such as "127.0.0.1:8080:80/tcp"`,
		},
		{
			"services:\n  web:\n    image: x\n    ports: [\"${PORT:-http}:80\"]\n",
			`line 4: service web publishes "${PORT:-http}:80", which is not a port; write "HOST:CONTAINER" in quotes, with an address of the host before it if need be, such as "127.0.0.1:8080:80/tcp"`,
		},
		{
			"services:\n  web:\n    image: x\n    ports: 80:80\n",
			`line 4: services.web.ports must be a list; write each item on a line of its own, after -`,
		},
		{
			"services:\n  web:\n    image: x\n    volumes: [data:/data]\n",
			`line 4: service web uses the volume data, which is not declared; declare it below volumes at the top of the file, or correct its name`,
		},
		{
			"services:\n  web:\n    image: x\n    secrets: [token]\n",
			`line 4: service web uses the secret token, which is not declared; declare it below secrets at the top of the file, or correct its name`,
		},
		{
			"services:\n  web:\n    image: x\n    configs: [site]\n",
			`line 4: service web uses the config site, which is not declared; declare it below configs at the top of the file, or correct its name`,
		},
		{
			"services:\n  web:\n    image: x\n    depends_on: [db]\n",
			`line 4: service web depends on service db, which is not there; add it, or correct its name`,
		},
		{
			"services:\n  web:\n    image: x\n    depends_on: [db]\n  db: {image: y, profiles: [p]}\n",
			`line 4: service web depends on service db, whose profile is not active; give both the same profile, or write required: false`,
		},
		{
			"services:\n  web:\n    image: x\n    depends_on: {db: {condition: service_running}}\n  db: {image: y}\n",
			`line 4: services.web.depends_on.db.condition has a value that is not known; use one of service_started, service_healthy, service_completed_successfully`,
		},
		{
			"services:\n  a:\n    image: x\n    depends_on: [b]\n  b: {image: x, depends_on: [a]}\n",
			`line 4: the services wait for each other: a -> b -> a; take one of these dependencies away`,
		},
		{
			"services:\n  web:\n    image: x\n    env_file: app.env\n",
			`line 4: env_file "app.env" of service web: the bundle has no file "app.env"; add it to the bundle, or correct its name`,
		},
		{
			"services:\n  web:\n    image: x:${TAG:?}\n",
			`the variable TAG is required and not set; set it in the stack's environment variables or in the bundle's .env`,
		},
		{
			"services:\n  web:\n    image: \"x:${TAG\"\n",
			`line 3: invalid interpolation format for services.web.image; close the brace, or write $$ for a dollar sign`,
		},
		{
			"services:\n  web:\n    image: \"Not An Image\"\n",
			`line 3: service web has the image "Not An Image", which cannot be a name of one; write REGISTRY/NAME:TAG, the name in small letters`,
		},
		{
			"services:\n  web:\n    image: \"nginx:\"\n",
			`line 3: service web has the image "nginx:", which cannot be a name of one; write REGISTRY/NAME:TAG, the name in small letters`,
		},
		{
			"services:\n  web:\n    image: x\n    restart: allways\n",
			`line 4: service web has the restart policy "allways", which is none; write "no", always, unless-stopped, on-failure or on-failure:TIMES`,
		},
		{
			"services:\n  web:\n    image: x\n    volumes: [\"./a:b\"]\n",
			`line 4: service web mounts something at "b", which does not begin with /; write the whole path in the container`,
		},
		{
			"services:\n  web:\n    image: x\n    networks: {n: {ipv4_address: 10.0.0.300}}\nnetworks: {n: {}}\n",
			`line 4: service web has the address "10.0.0.300" in network n, which is none; correct it`,
		},
		{
			"services:\n  web:\n    image: x\n    networks: {n: {ipv4_address: 10.0.0.3}}\nnetworks: {n: {}}\n",
			`line 4: service web has an address of its own in network n, which has no subnet; give the network a subnet below ipam, config`,
		},
		{
			"services:\n  web:\n    image: x\n    networks: [n]\nnetworks:\n  n:\n    ipam: {config: [{subnet: 10.0.0.0/99}]}\n",
			`line 7: network n has the subnet "10.0.0.0/99", which is none; write ADDRESS/BITS, such as 10.20.0.0/24`,
		},
		{
			"services:\n  web:\n    image: x\n    privileged: \"yes please\"\n",
			`line 4: services.web.privileged is neither true nor false; write true or false`,
		},
		{
			"services:\n  web:\n    image: x\n    cpus: half\n",
			`line 4: services.web.cpus is not a number; write a number`,
		},
		{
			"services:\n  web:\n    image: x\n    mem_limit: lots\n",
			`line 4: services.web.mem_limit has a value of the wrong form; correct it`,
		},
		{
			"services:\n  web:\n    image: x\n    environment:\n      - A: b\n",
			`line 4: services.web.environment has a mapping where a text must be; write NAME=value after each -, or NAME: value without any`,
		},
		{
			"services:\n  web:\n    image: x\n    environment:\n      BUILT: 2024-01-02\n",
			`line 5: services.web.environment.BUILT is a date; put it in quotes`,
		},
		{
			"services:\n  web:\n    image: x\n    healthcheck:\n      interval: 30\n",
			`line 5: services.web.healthcheck.interval must be a text; write it in quotes`,
		},
		{
			"services:\n  web:\n    image: x\n    healthcheck: {test: [curl, localhost]}\n",
			`line 4: the list under test of a health check begins with neither CMD, CMD-SHELL nor NONE; write ["CMD", "program", "argument"], or one text`,
		},
		{
			"services:\n  web:\n    image: x\n    network_mode: host\n    networks: [default]\n",
			`line 5: service web has network_mode and networks; take one of them away`,
		},
		{
			"services:\n  web:\n    image: x\n    container_name: web\n    deploy: {replicas: 2}\n",
			`line 4: a service with several replicas has a container_name, which only one container can have; take container_name away`,
		},
		{
			"services:\n  web:\n    extends: {service: base}\n    image: x\n",
			`line 3: service web extends service base, which compose.yml does not have; add it there, or correct its name`,
		},
		{
			"services:\n  web:\n    image: x\n    env_file: [{path: compose.yml, format: raw}]\n",
			`line 4: a format of env_file is not supported; leave format out, and put values with a dollar sign in single quotes`,
		},
		{
			"services:\n  web:\n    image: x\n    pull_policy: sometimes\n",
			`line 4: services.web.pull_policy has a value that is not known; write what fits always|never|build|if_not_present|missing|refresh|daily|weekly|every_([0-9]+[wdhms])+`,
		},
	} {
		_, err := Validate(bytesOf(map[string]string{"compose.yml": c.file}), nil)
		if err == nil || err.Error() != "compose.yml, "+c.want && err.Error() != "compose.yml: "+c.want {
			t.Errorf("%s\n got %v\nwant %s", c.file, err, c.want)
		}
	}
}

// What a device sets may make right what is wrong without it.
func TestWhatUnsetVariablesMakeIsLeftToDevices(t *testing.T) {
	for _, service := range []string{
		"{image: 'x:${TAG}'}", "{image: x, restart: '${A}x'}", "{image: x, volumes: ['./a:${DIR}data']}", "{image: x, networks: {n: {ipv4_address: '10.0.0.${LAST}'}}}",
	} {
		file := "services: {web: " + service + "}\nnetworks: {n: {ipam: {config: [{subnet: '10.0.${NET}.0/24'}]}}}\n"
		if _, err := Validate(bytesOf(map[string]string{"compose.yml": file}), nil); err != nil {
			t.Errorf("%s: %v", service, err)
		}
	}
}
