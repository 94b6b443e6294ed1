#!/bin/bash
# Process 1 of a private Docker Engine; DESIGN.md says why. It reads orders, one a line, and answers each with one line,
# "ok" or "error: …":
#
#   start   start containerd and dockerd, whichever does not run
#   alive   say whether dockerd runs
#   term    stop dockerd in good order, with its containers
#   kill    SIGKILL to dockerd only: containerd and the containers stay, as when an engine crashes
#   cut     SIGKILL to everything and forget mounts and networks, as when power fails; the data stays
#
# End of input: cut, remove the data too, exit. So nothing outlives whoever holds the other end of the pipe.
#
# Environment: ENGINE_DIR, an empty folder with a short unique name.
set -uo pipefail

dir=$ENGINE_DIR
id=${dir##*/}
bridge=''
net=''
containerd_pid=''
dockerd_pid=''
forward_rule=(FORWARD -m physdev --physdev-is-bridged -j ACCEPT)
forwarding=''

# pause waits for $1 seconds without a process of its own.
pause() { read -rt "$1" -u 9; }

# mount_private gives this namespace its own view of the fixed paths that engines share.
mount_private() {
	mount --make-rprivate / && mount -t proc proc /proc || return
	local path
	for path in /run/containerd /run/docker /etc/docker; do
		mkdir -p "$path" && mount -t tmpfs -o mode=755 tmpfs "$path" || return
	done
}

# mount_cgroups mounts cgroups where the machine has none: version 2 if the kernel lends it controllers, else version 1.
mount_cgroups() {
	[ -e /sys/fs/cgroup/cgroup.controllers ] && { open_cgroup2; return; }
	if ! mountpoint -q /sys/fs/cgroup; then
		mount -t cgroup2 cgroup2 /sys/fs/cgroup 2>/dev/null
		[ -s /sys/fs/cgroup/cgroup.controllers ] && return
		umount /sys/fs/cgroup 2>/dev/null
		mount -t tmpfs -o mode=755 cgroup /sys/fs/cgroup || return
	fi
	local name enabled
	while read -r name _ _ enabled; do
		if [ "$enabled" = 1 ] && ! grep -qE "^\S+ \S+ cgroup \S*\b$name\b" /proc/mounts; then
			mkdir -p "/sys/fs/cgroup/$name"
			mount -t cgroup -o "$name" cgroup "/sys/fs/cgroup/$name" 2>/dev/null || rmdir "/sys/fs/cgroup/$name"
		fi
	done < <(grep -v '^#' /proc/cgroups)
	return 0
}

# open_cgroup2 makes room for containers where this is itself a container: a cgroup that holds processes cannot lend
# controllers to children, so the processes move one down. The machine's own root (it has no cgroup.type) is exempt.
open_cgroup2() {
	[ -e /sys/fs/cgroup/cgroup.type ] || return 0
	local pid
	mkdir -p /sys/fs/cgroup/init || return 0
	while read -r pid; do
		echo "$pid" >/sys/fs/cgroup/init/cgroup.procs
	done 2>/dev/null </sys/fs/cgroup/cgroup.procs
	return 0
}

# claim_network takes the first free one of 10.200.0.0/16 to 10.249.0.0/16. Making the bridge is the lock: of two engines
# that start at once only one can make it.
claim_network() {
	local slot
	for slot in {200..249}; do
		[ -z "$(ip -4 route show root "10.$slot.0.0/16")" ] || continue
		ip link add "fse$slot" type bridge 2>/dev/null || continue
		bridge=fse$slot net=10.$slot
		ip addr add "$net.0.1/24" dev "$bridge" && ip link set "$bridge" up
		return
	done
	return 1
}

# allow_forward lets containers on one bridge talk to each other on a host that filters bridged packets too. The rule
# touches nothing but packets that stay on their bridge; each engine adds one and takes one away.
allow_forward() {
	[ "$(cat /proc/sys/net/bridge/bridge-nf-call-iptables 2>/dev/null)" = 1 ] || return 0
	iptables -w 10 -I "${forward_rule[@]}" && forwarding=yes
	return 0
}

write_configs() {
	mkdir -p "$dir/c" "$dir/x" "$dir/data" && echo '{}' >"$dir/dockerd.json" && cat >"$dir/containerd.toml" <<-TOML
		version = 2
		root = "$dir/c/root"
		state = "$dir/c/state"
		disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt"]
		[grpc]
		  address = "$dir/c.sock"
	TOML
}

running() { [ -n "$1" ] && kill -0 "$1" 2>/dev/null; }

start() {
	start_containerd && start_dockerd && echo ok
}

start_containerd() {
	running "$containerd_pid" && return
	rm -f "$dir/c.sock" "$dir/c.sock.ttrpc"
	containerd --config "$dir/containerd.toml" >>"$dir/containerd.log" 2>&1 </dev/null &
	containerd_pid=$!
	until [ -S "$dir/c.sock" ]; do
		running "$containerd_pid" || { echo 'error: containerd ended at once'; return 1; }
		pause 0.02
	done
	return 0
}

# start_dockerd gives dockerd the claimed network for its own networks, so that two engines never pick the same one. Not
# so on a restart where the machine has a docker0: dockerd would delete that bridge, and it is not ours.
start_dockerd() {
	running "$dockerd_pid" && return
	local pool=(--default-address-pool "base=$net.128.0/17,size=24")
	[ -e "$dir/data/network" ] && ip link show docker0 >/dev/null 2>&1 && pool=()
	rm -f "$dir/d.sock" "$dir/d.pid"
	dockerd --config-file "$dir/dockerd.json" --data-root "$dir/data" --exec-root "$dir/x" --pidfile "$dir/d.pid" \
		--host "unix://$dir/d.sock" --group root --containerd "$dir/c.sock" --exec-opt native.cgroupdriver=cgroupfs \
		--cgroup-parent "/$id" --bridge "$bridge" "${pool[@]}" \
		--iptables=false --ip6tables=false --ip-masq=false --ip-forward=false \
		--shutdown-timeout 5 >>"$dir/dockerd.log" 2>&1 </dev/null &
	dockerd_pid=$!
}

# end sends the signal $1 to dockerd and waits until it has ended.
end() {
	running "$dockerd_pid" && kill -s "$1" "$dockerd_pid" && wait "$dockerd_pid" 2>/dev/null
	dockerd_pid=''
	echo ok
}

# others tells whether another process lives. One that has ended and was not waited for holds nothing any more, and bash
# does not always take notice of those that it did not start.
others() {
	local proc name state
	for proc in /proc/[0-9]*; do
		[ "$proc" != /proc/1 ] || continue
		state=Z # as good as one that is gone meanwhile
		{ while read -r name state _ && [ "$name" != State: ]; do state=Z; done <"$proc/status"; } 2>/dev/null
		[ "$state" = Z ] || return 0
	done
	return 1
}

cut() {
	while others; do
		kill -KILL -1 2>/dev/null
		pause 0.02
	done
	containerd_pid='' dockerd_pid=''
	local path link
	while read -r path; do
		umount -l "$path" 2>/dev/null
	done < <(awk -v p="$dir/" 'index($5, p) == 1 { print $5 }' /proc/self/mountinfo | sort -r)
	# The names of the bridges an engine made are in its network database, whatever state that is in.
	for link in $(grep -aohE 'br-[0-9a-f]{12}' "$dir/data/network/files/local-kv.db" 2>/dev/null | sort -u); do
		ip link del "$link" 2>/dev/null
	done
	find /sys/fs/cgroup -depth -type d -path "*/$id*" -exec rmdir {} + 2>/dev/null
	rm -rf "$dir/c/state" "$dir/x"
}

clear_all() {
	[ -z "$net" ] || cut
	[ -z "$bridge" ] || ip link del "$bridge"
	[ -z "$forwarding" ] || iptables -w 10 -D "${forward_rule[@]}"
	rm -rf --one-file-system "$dir"
}

exec 9<> <(:) 2>/dev/null
for step in mount_private mount_cgroups claim_network allow_forward write_configs; do
	$step || { echo "error: $step failed"; clear_all; exit 1; }
done
echo ok
while read -r order; do
	case $order in
	start) start ;;
	alive) running "$dockerd_pid" && echo ok || echo 'error: dockerd does not run' ;;
	term) end TERM ;;
	kill) end KILL ;;
	cut) cut && echo ok ;;
	*) echo "error: unknown order $order" ;;
	esac
done
clear_all
