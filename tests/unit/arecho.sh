#!/bin/bash
# SPDX-License-Identifier: MIT
#
# arecho under the hands of peers that behave and of such that do not: every byte comes back, memory
# stays bounded, nobody is starved, it ends in order, and in one thread.
#
# Usage: arecho.sh BUILD-TREE

set -u
export LC_ALL=C

arecho=$1/examples/arecho
peers=$1/tests/peers/echo_peers
if [ ! -x "$arecho" ]; then
	echo "skipped: the examples have not been built"
	exit 77
fi

work=$(mktemp -d)
server=
cleanup() {
	[ -n "$server" ] && kill -KILL "$server" 2>/dev/null
	rm -rf "$work"
}
trap cleanup EXIT
mkfifo "$work/said" "$work/word" "$work/answer"

failures=0
fail() {
	echo "FAILED: $test: $*" | head -c 1000
	echo
	failures=$((failures + 1))
}

# complains TEXT ARGUMENT...: arecho ends with status 1 and says TEXT on standard error.
complains() {
	local text=$1 status
	shift
	"$arecho" "$@" >"$work/output" 2>"$work/errors" </dev/null
	status=$?
	[ $status -eq 1 ] || fail "$*: exit status $status"
	grep -qF -- "$text" "$work/errors" || fail "$*: '$(cat "$work/errors")' lacks '$text'"
}

# start OPTION...: a server at a port and at a path, which are $tcp and $local. What else it says
# comes from descriptor 3, its errors go to the file "server errors".
start() {
	local=unix:$work/socket
	"$arecho" "$@" 127.0.0.1:0 "$local" >"$work/said" 2>"$work/server errors" &
	server=$!
	exec 3<"$work/said"
	read -r -t 10 -u 3 line
	tcp=${line#listening at }
	read -r -t 10 -u 3 line
	[ "$line" = "listening at $local" ] || fail "says '$line'"
}

# finish: it was told to end, or is told now; it does so in order. Its last words are in $words.
finish() {
	local status
	kill -TERM "$server"
	words=$(cat <&3)
	exec 3<&-
	wait "$server"
	status=$?
	server=
	[ $status -eq 0 ] || fail "exit status $status"
	[ -s "$work/server errors" ] && fail "$(cat "$work/server errors")"
	[ -e "$work/socket" ] && fail "the socket is still there"
	[[ $words = "stopping: "*", threads: 1" ]] || fail "says '$words'"
}

# with_peers ADDRESS COUNT WHAT...
with_peers() {
	"$peers" "$@" >"$work/output" 2>&1 || fail "$*: $(cat "$work/output")"
}

# start_peers ADDRESS COUNT WHAT...: up to where they say "ready". They go on when told.
start_peers() {
	start_peers_only "$@"
	line=
	while read -r -u 4 line && [ "$line" != ready ]; do
		peers_said=$line
	done
	[ "$line" = ready ] || fail "$*: $peers_said"
}
start_peers_only() {
	"$peers" "$@" <"$work/word" >"$work/answer" 2>&1 &
	peers_pid=$!
	exec 5>"$work/word" 4<"$work/answer"
}
# finish_peers: tells them to go on; they have to end well.
finish_peers() {
	exec 5>&-
	peers_said=$(cat <&4)
	exec 4<&-
	wait "$peers_pid" || fail "$peers_said"
}

threads() {
	sed -n 's/^Threads:\t//p' "/proc/$server/status"
}
memory() { # in KiB
	sed -n 's/^VmRSS:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$server/status"
}

test="the command line"
complains "Usage" # without arguments
complains "cannot listen at 'nowhere': Invalid argument" nowhere
complains "cannot listen at 'localhost:99999'" localhost:99999
complains "cannot listen at 'unix:$work/no/socket': No such file" "unix:$work/no/socket"
complains "cannot listen at '192.0.2.1:0': Cannot assign" 192.0.2.1:0
complains "'3' is no power of two" -b 3 127.0.0.1:0
complains "invalid number: '-1'" -s -1 127.0.0.1:0
complains "invalid number: '1x'" -c 1x 127.0.0.1:0
: >"$work/file"
complains "Address already in use" "unix:$work/file"
[ -e "$work/file" ] || fail "removes what is no socket"

test="echo"
start
for address in "$tcp" "$local"; do
	with_peers "$address" 1 echo 10000000
	with_peers "$address" 64 echo 300000
	with_peers "$address" 1000 echo 30000
done
complains "cannot listen at '$tcp': Address already in use" "$tcp"
complains "cannot listen at '$local': Address already in use" "$local"
finish
# One was to see whether anybody listens there.
[[ $words = *" 2131 served"* ]] || fail "says '$words'"

test="peers that are reset"
start
for address in "$tcp" "$local"; do
	with_peers "$address" 240 resets 50000
done
finish

test="a socket nobody listens at any more"
start
kill -KILL "$server"
wait "$server" 2>/dev/null
exec 3<&-
[ -e "$work/socket" ] || fail "it should be there"
start
with_peers "$local" 1 echo 1
finish

test="few buffers"
for options in "-b 1 -s 64" "-b 2 -s 1000" "-b 4 -s 1"; do
	# shellcheck disable=SC2086 # these are several
	start $options
	bytes=$((${options##* } * 300))
	for address in "$tcp" "$local"; do
		with_peers "$address" 1 echo $bytes
		with_peers "$address" 64 echo $bytes
	done
	finish
done

test="slow readers"
for options in "" "-b 4"; do
	# shellcheck disable=SC2086
	start $options
	before=$(memory)
	for address in "$tcp 9" "$local 101"; do
		# shellcheck disable=SC2086
		start_peers $address slow
		after=$(memory)
		echo "$peers_said; memory grew from $before to $after KiB"
		# What a turn brings in, 128 KiB, for each of them, and something for malloc. A
		# sanitizer's malloc keeps what was freed.
		most=$((before + 20000 * ${ASYNCRING_TEST_TIMEOUT_MULT:-1} ** 2))
		[ "$after" -lt "$most" ] || fail "memory grows from $before to $after KiB"
		finish_peers
	done
	finish
done

test="more connections than allowed"
start -c 10
for address in "$tcp" "$local"; do
	with_peers "$address" 64 echo 10000
done
finish

test="no descriptors left"
if command -v prlimit >/dev/null; then
	start
	with_peers "$tcp" 1 echo 1
	prlimit --pid "$server" --nofile=7:
	start_peers_only "$tcp" 64 echo 10000
	for ((i = 0; i < 1000; i++)); do
		[ -s "$work/server errors" ] && break
		read -r -t 0.01 -u 4 line
	done
	grep -q "cannot accept connections at '$tcp': Too many open files" \
		"$work/server errors" || fail "says '$(cat "$work/server errors")'"
	: >"$work/server errors"
	prlimit --pid "$server" --nofile=1000:
	finish_peers
	finish
else
	echo "skipped: $test: no prlimit"
fi

test="ending with open connections"
for kind in tcp local; do
	start
	start_peers "${!kind}" 500 hold 5000
	finish
	finish_peers
	[ "$peers_said" = "500 connections ended by the server" ] || fail "$peers_said"
	[[ $words = "stopping: 500 connections open"* ]] || fail "says '$words'"
	# What has been received, or waits to be, is sent back first.
	start -g 100
	start_peers "${!kind}" 100 unread 20000
	kill -TERM "$server"
	read -r -t 10 -u 3 line || fail "does not stop"
	finish_peers
	cat <&3 >/dev/null
	wait "$server" || fail "exit status $?"
	exec 3<&-
	server=
done

test="ending with peers that do not read"
for grace in 0 1000; do
	start -g $grace
	start_peers "$local" 10 slow
	kill -TERM "$server"
	read -r -t 10 -u 3 line || fail "does not stop"
	# It is either cut off by the time or by the second signal.
	[ $grace -eq 0 ] || kill -TERM "$server"
	cat <&3 >/dev/null
	wait "$server" || fail "exit status $?"
	exec 3<&- 5>&-
	server=
	cat <&4 >/dev/null
	exec 4<&-
	wait "$peers_pid" && fail "they got everything"
done

test="10,000 connections"
limit=$(ulimit -H -n)
[ "$limit" = unlimited ] && limit=100000
count=10000
[ $((limit - 200)) -lt $count ] && count=$((limit - 200))
if [ $count -ge 1000 ]; then
	[ $count -lt 10000 ] && echo "only $count: the limit of descriptors is $limit"
	for kind in tcp local; do
		start
		start_peers "${!kind}" $count hold 100
		echo "$count connections ($kind): threads: $(threads), memory: $(memory) KiB"
		[ "$(threads)" = 1 ] || fail "$(threads) threads"
		finish
		[[ $words = "stopping: $count connections open"* ]] || fail "says '$words'"
		finish_peers
		[ "$peers_said" = "$count connections ended by the server" ] || fail "$peers_said"
	done
else
	echo "skipped: $test: the limit of descriptors is $limit"
fi

if [ $failures -gt 0 ]; then
	echo "$failures checks failed"
	exit 1
fi
echo "all checks passed"
