#!/bin/bash
# A Farshore to look at: a hub, one real agent where a Docker Engine can be reached, and 20 simulated devices at four
# sites. `make run` builds first. Everything is kept in data/; the next run goes on where this one was.
#   FARSHORE_RUN_DATA, FARSHORE_RUN_PORT, FARSHORE_RUN_MQTT_PORT   another folder and other ports
. "$(dirname "$0")/lib.sh"

data=${FARSHORE_RUN_DATA:-data}
port=${FARSHORE_RUN_PORT:-9443}
mqtt_port=${FARSHORE_RUN_MQTT_PORT:-8883}
url=https://127.0.0.1:$port

umask 077
mkdir -p "$data/keys" "$data/logs"
data=$(cd "$data" && pwd)
# The operator's own settings of the CLI stay as they are.
export XDG_CONFIG_HOME=$data/cli

hub=''
others=()

# start NAME COMMAND… runs a program in the background with its own log and sets $started to its process id.
start() {
	local name=$1
	shift
	"$@" >"$data/logs/$name.log" 2>&1 </dev/null &
	started=$!
}

stop_all() {
	trap '' INT TERM
	if [ ${#others[@]} -gt 0 ]; then
		kill "${others[@]}" 2>/dev/null || true
		wait "${others[@]}" || true
	fi
	if [ -n "$hub" ]; then
		kill "$hub" 2>/dev/null || true
		wait "$hub" || true
	fi
}
trap stop_all EXIT
trap 'echo; echo "Stopping …"; exit 0' INT TERM

# give_up NAME SENTENCE shows the end of a log and ends.
give_up() {
	tail -n 20 "$data/logs/$1.log" >&2
	die "$2 The whole log is $data/logs/$1.log."
}

need_free_port() {
	if (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; then
		die "Port $1 on 127.0.0.1 is in use, by another \`make run\` perhaps. End that, or choose another: $2=… make run"
	fi
}

start_hub() {
	if [ ! -e "$data/password" ]; then
		# 20 letters and digits, about 100 bits
		LC_ALL=C tr -dc 'a-km-z2-9' </dev/urandom 2>/dev/null | head -c 20 >"$data/password.new" || true
		mv "$data/password.new" "$data/password"
	fi
	start hub bin/farshore-hub serve --data "$data/hub" --listen "127.0.0.1:$port" --mqtt-listen "127.0.0.1:$mqtt_port" \
		--admin-password-file "$data/password"
	hub=$started
	local deadline=$((SECONDS + 60))
	fingerprint=''
	until [ -n "$fingerprint" ] && (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do
		kill -0 "$hub" 2>/dev/null || give_up hub 'The hub has ended.'
		[ $SECONDS -lt $deadline ] || give_up hub 'The hub has not started within 60 s.'
		sleep 0.1
		fingerprint=$(sed -n 's/.*fingerprint: *\([^ "]*\).*/\1/p' "$data/logs/hub.log" | head -n 1)
	done
}

# edge_key NAME OPTIONS… prints the edge key of that name; the first time it makes one.
edge_key() {
	local file=$data/keys/$1 name=$1 made
	shift
	if [ ! -s "$file" ]; then
		made=$(bin/farshore keys create --name "$name" "$@" -o json) || return
		sed -n 's/.*"edge_key": *"\([^"]*\)".*/\1/p' <<<"$made" >"$file"
		[ -s "$file" ] || { echo "farshore keys create printed no edge_key" >&2; return 1; }
	fi
	cat "$file"
}

# simulate SITE NUMBER OPTIONS… runs that many devices with an edge key of the site's own.
simulate() {
	local site=$1 number=$2 key
	shift 2
	key=$(edge_key "site-$site" --label "site=$site" "$@") || die "No edge key for the simulated site $site."
	FARSHORE_SIM_EDGE_KEY=$key start "site-$site" bin/fleetsim --devices "$number" --name "$site" --data "$data/sim" --trouble
	others+=("$started")
}

# engine_reachable tells whether the real agent has something to look at, and sets $engine to what or why not.
engine_reachable() {
	local address=${DOCKER_HOST:-unix:///var/run/docker.sock}
	engine=$address
	case $address in
	unix://*)
		local socket=${address#unix://}
		[ -S "$socket" ] || { engine="there is no $socket"; return 1; }
		[ -w "$socket" ] || { engine="no right to use $socket"; return 1; }
		if command -v curl >/dev/null && ! curl -s -m 5 -o /dev/null --unix-socket "$socket" http://engine/_ping; then
			engine="nothing answers at $socket"
			return 1
		fi
		;;
	esac
}

for program in farshore-hub farshore-agent farshore fleetsim; do
	[ -x "bin/$program" ] || die "bin/$program is missing: run \`make build\`."
done
need_free_port "$port" FARSHORE_RUN_PORT
need_free_port "$mqtt_port" FARSHORE_RUN_MQTT_PORT

start_hub
bin/farshore login "$url" --username admin --password-file "$data/password" --fingerprint "$fingerprint" >"$data/logs/login.log" 2>&1 ||
	give_up login 'The password in the data folder does not open this hub.'

key=$(edge_key field) || die 'No edge key could be made.'
simulate bremen 8 --auto-approve --group plants/bremen --label line=packing
simulate gdansk 5 --auto-approve --group plants/gdansk --label line=filling
simulate aurora 4 --auto-approve --group ships/aurora --label link=satellite
simulate wells 3 --group wells # these wait to be approved


if engine_reachable; then
	start agent bin/farshore-agent run --data "$data/agent" --edge-key-file "$data/keys/field" --mode standard
	others+=("$started")
	agent_line="$engine; waits in the waiting room until you approve it, once"
else
	agent_line="none, $engine (set DOCKER_HOST to use another engine)"
fi

cat <<TEXT

  Farshore is running.

  console       $url
  sign in       admin, password in $data/password
  fingerprint   $fingerprint
  edge key      $key
  this machine  $agent_line
  simulated     20 devices: 17 at bremen, gdansk and aurora come in by rule, 3 at wells when you approve them

  The CLI is signed in:
    export XDG_CONFIG_HOME=$XDG_CONFIG_HOME
    bin/farshore waiting ls
    bin/farshore devices ls

  Logs are in $data/logs. Ctrl-C ends everything.

TEXT

# The hub's end is the end; of the others it is told.
while kill -0 "$hub" 2>/dev/null; do
	wait -n "$hub" ${others[@]+"${others[@]}"} || true
	alive=()
	for pid in ${others[@]+"${others[@]}"}; do
		if kill -0 "$pid" 2>/dev/null; then
			alive+=("$pid")
		else
			echo "A simulated site or the agent has ended; see its log in $data/logs. The rest runs on." >&2
		fi
	done
	others=(${alive[@]+"${alive[@]}"})
done
give_up hub 'The hub has ended.'
