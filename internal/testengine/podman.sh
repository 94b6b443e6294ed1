#!/bin/bash
# Process 1 of a private Podman; DESIGN.md says why. It starts Podman's service on a socket in ENGINE_DIR and answers "ok".
# The end of its input ends everything and removes the folder.
set -uo pipefail

dir=$ENGINE_DIR

# mount_private hides what Podman shares with the machine's own by fixed paths: locks, addresses, caches, run-time state.
mount_private() {
	mount --make-rprivate / && mount -t proc proc /proc || return
	local path
	for path in /run /dev/shm /var/lib/cni /var/lib/containers; do
		mkdir -p "$path" && mount -t tmpfs -o mode=755 tmpfs "$path" || return
	done
	ip link set lo up
}

start() {
	mkdir "$dir/net" "$dir/tmp" || return
	TMPDIR=$dir/tmp podman --root "$dir/data" --runroot "$dir/run" --tmpdir "$dir/lib" --network-config-dir "$dir/net" \
		--storage-driver overlay --runtime runc --cgroup-manager cgroupfs --events-backend file \
		system service --time 0 "unix://$dir/d.sock" >"$dir/podman.log" 2>&1 </dev/null &
	local podman=$!
	until [ -S "$dir/d.sock" ]; do
		kill -0 $podman 2>/dev/null || return
		read -rt 0.02 -u 9
	done
	return 0
}

clear_all() {
	local id path
	while kill -KILL -1 2>/dev/null && [ -n "$(jobs -r)" ]; do
		read -rt 0.02 -u 9
	done
	for id in "$dir"/data/overlay-containers/*/; do
		find /sys/fs/cgroup -depth -type d -path "*/libpod-*$(basename "$id")*" -exec rmdir {} + 2>/dev/null
	done
	rmdir /sys/fs/cgroup/{,*/}libpod_parent/conmon /sys/fs/cgroup/{,*/}libpod_parent 2>/dev/null
	for path in /sys/fs/cgroup/*/libpod_parent; do # files where no controller is mounted
		mountpoint -q "${path%/*}" || { rm -rf "$path" && rmdir "${path%/*}"; }
	done
	while read -r path; do
		umount -l "$path" 2>/dev/null
	done < <(awk -v p="$dir/" 'index($5, p) == 1 { print $5 }' /proc/self/mountinfo | sort -r)
	rm -rf --one-file-system "$dir"
}

exec 9<> <(:) 2>/dev/null
if mount_private && start; then
	echo ok
	read -r _
else
	echo "error: podman does not start: $(tail -n 3 "$dir/podman.log" 2>/dev/null | tr '\n' ' ')"
fi
clear_all
