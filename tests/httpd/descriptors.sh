#!/bin/bash
# SPDX-License-Identifier: MIT
#
# arhttpd with no descriptor left for another connection, whether it accepts one after the other or
# many by one request: who is there stays, who comes waits without costing anything, and is served
# when somebody else has left.

# shellcheck source=tests/httpd/lib.sh disable=SC2154
. "$(dirname "$0")/lib.sh"

limit=64
root=$work/root
mkdir "$root"
head -c 4096 /dev/urandom >"$root/4k.bin"
printf 'GET /4k.bin HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n' >"$work/request"

# Those the limit is about. What the library had before may have higher numbers.
used() {
	find "/proc/$server/fd" -mindepth 1 2>/dev/null | awk -F/ -v "limit=$limit" '
		$NF < limit { count++ }
		END { print count + 0 }'
}
uses_more_than() {
	[ "$(used)" -gt "$1" ]
}
uses_at_most() {
	[ "$(used)" -le "$1" ]
}

# Each with a descriptor of its own, in $connections.
connections=()
connect() {
	exec {connection}<>"/dev/tcp/127.0.0.1/$port" || fail "no connection"
	connections+=("$connection")
}
# leave COUNT: the oldest go.
leave() {
	local left=$1
	while [ "$left" -gt 0 ]; do
		connection=${connections[0]}
		exec {connection}>&-
		connections=("${connections[@]:1}")
		left=$((left - 1))
	done
}

# The server is woken a few times a second; one that tries again and again never sleeps, so it
# would be seen asleep only by chance.
sleeps() {
	local asleep=0 state
	for _ in {1..50}; do
		read -r state <"/proc/$server/stat"
		state=${state##*) }
		[ "${state%% *}" = S ] && asleep=$((asleep + 1))
		sleep 0.02
	done
	[ $asleep -gt 25 ]
}

# served CONNECTION
served() {
	cat "$work/request" >&"$1"
	timeout "$patience" cat <&"$1" >"$work/answer" || fail "the server does not close"
	head -n 1 "$work/answer" | grep -aq '^HTTP/1.1 200 ' ||
		fail "$(head -c 300 "$work/answer")"
	tail -c 4096 "$work/answer" | cmp - "$root/4k.bin" || fail "differs"
}

# run CONNECTIONS: as many as it may have, that is.
run() {
	test="up to $1 connections, $limit descriptors"
	start_server --connections="$1" --header-timeout=900 --idle-timeout=900 "$root"
	prlimit --pid "$server" --nofile=$limit:$limit || skip_all "there is no prlimit here"
	local idle before
	idle=$(descriptors)
	while before=$(used) && [ "$before" -lt $limit ]; do
		connect
		within uses_more_than "$before" || {
			fail "not accepted, with $before descriptors"
			break
		}
	done
	for _ in 1 2 3; do
		connect
	done
	sleeps || fail "it does not sleep with connections waiting"
	[ "$(used)" -eq $limit ] || fail "$(used) descriptors of $limit"
	[ -s "$work/errors" ] && fail "it complains: $(head -c 300 "$work/errors")"
	# So many that there are some for files, too, when those that wait are there.
	leave 16
	within uses_at_most $((limit - 8)) || fail "$(used) descriptors, who left has kept them"
	served "${connections[-1]}"
	served "${connections[-2]}"
	served "${connections[-3]}"
	served "${connections[0]}"
	leave ${#connections[@]}
	settled() {
		[ "$(descriptors)" -le "$idle" ]
	}
	within settled || fail "descriptors are left: $(ls -l "/proc/$server/fd")"
	connect
	served "${connections[0]}"
	leave 1
	stops_well
}

run 1000
run 70

finish
