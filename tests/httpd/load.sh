#!/bin/bash
# SPDX-License-Identifier: MIT
#
# arhttpd under wrk, with 1, 64, 1,000 and 10,000 connections: no error, and no thread but the one
# that serves. How fast it is, is printed and decides nothing. Where descriptors are too few for so
# many connections there are fewer, and that is said.
#
# Files on a disk may be thrown out of the cache by whatever else the machine does, and are read in
# again by workers; never by one for each connection. Files in tmpfs are always in memory; still, a
# lookup that a mount(2) anywhere on the machine comes in the way of is repeated by a worker, so one
# thread is what has to be seen in one of a few runs.

# shellcheck source=tests/httpd/lib.sh disable=SC2154
. "$(dirname "$0")/lib.sh"

needs wrk wrk

# The library's limits for workers that read files, and the thread that serves.
most_threads=65

make_files() {
	mkdir "$1"
	head -c 4096 /dev/urandom >"$1/4k.bin"
	head -c 1048576 /dev/urandom >"$1/1m.bin"
}
in_memory=
trap 'cleanup; [ -z "$in_memory" ] || rm -rf "$in_memory"' EXIT
if [ "$(stat -f -c %T /dev/shm 2>/dev/null)" = tmpfs ] && in_memory=$(mktemp -d -p /dev/shm); then
	make_files "$in_memory/root" || skip_all "/dev/shm is full"
else
	echo "there is no /dev/shm here: only from the disk"
fi
make_files "$work/root"

ulimit -n "$(ulimit -Hn)"
descriptors=$(ulimit -n)
[ "$descriptors" = unlimited ] && descriptors=1000000

# Both ends are on this machine, so they also share the local ports.
read -r first_port last_port </proc/sys/net/ipv4/ip_local_port_range 2>/dev/null ||
	first_port=32768 last_port=60999
most=$((descriptors - 1000))
[ $most -gt $((last_port - first_port - 1000)) ] && most=$((last_port - first_port - 1000))
most_served=$(((descriptors - 64) / 4 * 3))
[ $most -gt $most_served ] && most=$most_served

# run CONNECTIONS FILE SECONDS: no error; sets $seen to how many threads there were.
run() {
	local connections=$1 file=$2 seconds=$3
	test="$connections connections, $file"
	if [ "$connections" -gt $most ]; then
		echo "$test: there are descriptors or ports for $most only"
		connections=$most
	fi
	timeout $((seconds + 4 * patience)) wrk --threads 1 --connections "$connections" \
		--duration "${seconds}s" --timeout "${patience}s" "$url/$file" >"$work/wrk" 2>&1 ||
		fail "wrk: $(cat "$work/wrk")"
	grep -qE 'Socket errors|Non-2xx' "$work/wrk" && fail "$(cat "$work/wrk")"
	grep -q 'Requests/sec' "$work/wrk" || fail "$(cat "$work/wrk")"
	seen=$(threads)
	echo "$test: $(sed -n 's/^Requests.sec: *//p' "$work/wrk") requests/s, $seen thread(s)"
	kill -0 "$server" || fail "the server is gone"
}

# load CONNECTIONS FILE SECONDS: no more than $threads_allowed threads, either.
load() {
	local attempt
	for attempt in 1 2 3 4 5; do
		run "$@"
		[ "$seen" -gt "$threads_allowed" ] || return 0
		[ "$seen" -le $most_threads ] || break
		within alone
	done
	fail "$attempt runs, each with more threads than $threads_allowed"
}
alone() {
	[ "$(threads)" -eq 1 ]
}

idle() {
	[ "$(descriptors)" -lt 64 ]
}
start() {
	start_server --verbose --idle-timeout=300 --header-timeout=300 --stall-timeout=300 "$1"
}
stop() {
	within idle || fail "descriptors are left"
	stops_well
	tail -n 1 "$work/log"
}

threads_allowed=$most_threads
start "$work/root"
load 64 4k.bin 2
load 64 1m.bin 2
if [ -n "$in_memory" ]; then
	stop
	start "$in_memory/root"
	threads_allowed=1
fi
load 1 4k.bin 2
load 64 4k.bin 2
load 64 1m.bin 2
load 1000 4k.bin 2
load 10000 4k.bin 3
stop

finish
