# shellcheck shell=bash
# SPDX-License-Identifier: MIT
#
# What the tests of arhttpd share: sourced with the server, the folder of the test programs and the
# source tree as arguments. If the server is one for the kernel's io_uring, a fourth argument is
# "oracle", or asyncring-run, which is to run it.

set -u
export LC_ALL=C

arhttpd=("$1") programs=$2 source=$3 oracle=
case ${4:-} in
'') ;;
oracle) oracle=yes ;;
*) arhttpd=("$4" --force -- "$1") ;;
esac
client=$programs/helper_client
patience=$((20 * ${ASYNCRING_TEST_TIMEOUT_MULT:-1})) # seconds
work=$(mktemp -d)
server=
failures=0

cleanup() {
	stop_server KILL
	rm -rf "$work"
}
trap cleanup EXIT

fail() {
	echo "FAILED: $test: $*" | head -c 1000
	echo
	failures=$((failures + 1))
}
skip_all() {
	echo "skipped: $*"
	exit 77
}
finish() {
	if [ $failures -gt 0 ]; then
		echo "$failures checks failed"
		exit 1
	fi
	echo "all checks passed"
}

# needs COMMAND PACKAGE: installs the package if need be, or skips the test.
needs() {
	command -v "$1" >/dev/null && return
	"$source/tests/install-deps" "$2" >"$work/install" 2>&1 && command -v "$1" >/dev/null && return
	tail -n 2 "$work/install"
	skip_all "there is no $1 here, and it cannot be installed"
}

# within CONDITION...: true as soon as the command is; false if that takes too long.
within() {
	local end=$((SECONDS + patience))
	until "$@"; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.02
	done
}

# start_server ARGUMENT...: sets $server, $port and $url.
start_server() {
	: >"$work/log"
	"${arhttpd[@]}" --listen 127.0.0.1:0 "$@" >"$work/log" 2>"$work/errors" &
	server=$!
	within started && grep -q '^serving' "$work/log" || {
		cat "$work/errors"
		[ "$oracle" ] && grep -q 'set up the ring' "$work/errors" &&
			skip_all "this kernel offers no io_uring, or one that is too old"
		echo "the server does not start"
		exit 1
	}
	port=$(sed -n '1s/.*://p' "$work/log")
	url=http://127.0.0.1:$port
}

# Or has given up.
started() {
	grep -q '^serving' "$work/log" || ! kill -0 "$server" 2>/dev/null
}

# stop_server [SIGNAL]: sets $status to its exit status.
stop_server() {
	status=0
	[ -n "$server" ] || return 0
	kill -s "${1:-TERM}" "$server" 2>/dev/null
	wait "$server" 2>/dev/null
	status=$?
	server=
}

# stops_well: the server ends when it is asked to, without a complaint.
stops_well() {
	stop_server TERM
	[ $status -eq 0 ] || fail "exit status $status"
	[ -s "$work/errors" ] && fail "$(head -c 1000 "$work/errors")"
}

descriptors() {
	find "/proc/$server/fd" -mindepth 1 2>/dev/null | wc -l
}
threads() {
	sed -n 's/^Threads:[[:space:]]*//p' "/proc/$server/status"
}
