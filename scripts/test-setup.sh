#!/bin/bash
# Makes sure that the programs which tests run are there: installs them on Debian with root rights, and says elsewhere
# what is missing. SKIP_ENGINE=1 makes what belongs to the Docker Engine, and the browser, optional. Nothing is started
# here. Node is not installed: the console's tests are left out without it.
. "$(dirname "$0")/lib.sh"

# Program (or a file, from /), Debian packages, and whether tests that need it are skipped with SKIP_ENGINE=1.
needed=(
	'gcc gcc always'
	'git git always'
	'sshd openssh-server always'
	'dockerd docker.io engine'
	'docker docker.io engine'
	'containerd containerd engine'
	'runc runc engine'
	'docker-proxy docker.io engine'
	'podman podman engine'
	'docker-registry docker-registry engine'
	'busybox busybox-static engine'
	'ip iproute2 engine'
	'iptables iptables engine'
	'mountpoint util-linux engine'
	'tinyproxy tinyproxy engine'
	'mosquitto_sub mosquitto-clients engine'
	'chromium chromium,fonts-dejavu-core engine'
	'nginx nginx-light engine'
	'/usr/lib/nginx/modules/ngx_stream_module.so libnginx-mod-stream engine'
	'openssl openssl engine'
)
# Where the kernel enforces AppArmor, dockerd does not start containers without its parser.
if [ "$(cat /sys/module/apparmor/parameters/enabled 2>/dev/null)" = Y ]; then
	needed+=('apparmor_parser apparmor engine')
fi

PATH=$PATH:/usr/sbin:/sbin
missing=()
packages=()
look() {
	local program package kind
	missing=() packages=()
	for line in "${needed[@]}"; do
		read -r program package kind <<<"$line"
		if [ "$kind" = engine ] && [ -n "${SKIP_ENGINE:-}" ]; then
			continue
		fi
		if ! command -v "$program" >/dev/null && [[ $program != /* || ! -e $program ]]; then
			missing+=("$program")
			# shellcheck disable=SC2206
			packages+=(${package//,/ })
		fi
	done
	if [ "$(uname -s)" != Linux ] && [ -z "${SKIP_ENGINE:-}" ]; then
		die 'A private Docker Engine for tests needs Linux. SKIP_ENGINE=1 leaves out the tests that need an engine.'
	fi
	if [ "$(id -u)" != 0 ] && [ -z "${SKIP_ENGINE:-}" ]; then
		die 'A private Docker Engine for tests needs root rights. SKIP_ENGINE=1 leaves out the tests that need an engine.'
	fi
}

look
[ ${#missing[@]} = 0 ] && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
	say "installing ${packages[*]}"
	# Packages that would start a service are told not to: tests run their own.
	policy=/usr/sbin/policy-rc.d
	if [ ! -e "$policy" ]; then
		printf '#!/bin/sh\nexit 101\n' >"$policy"
		chmod 755 "$policy"
		trap 'rm -f "$policy"' EXIT
	fi
	export DEBIAN_FRONTEND=noninteractive
	apt-get update -q
	apt-get install -q -y --no-install-recommends "${packages[@]}" libc6-dev
	look
	[ ${#missing[@]} = 0 ] && exit 0
fi
die "Tests need programs that are missing: ${missing[*]}
On Debian: apt-get install ${packages[*]}
SKIP_ENGINE=1 leaves out the tests that need a Docker Engine, and makes the browser optional."
