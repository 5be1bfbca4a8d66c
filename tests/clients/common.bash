# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034
#
# What the scripts that run strangers' programs have in common; each sources it with its own
# arguments, BUILD-TREE and the folder with `deny` in it.
#
# Everything is run where io_uring is denied, once as it is (`denied`), to see that the program has
# its io_uring calls refused, and then under asyncring-run (`served`, `start_served`), whose report
# must tell that it was served (`was_served`). Files lie in a folder of the script's own, $work,
# which goes in the end, as do the processes that were started.
set -euo pipefail
export LC_ALL=C
# Nothing here may hang on to a terminal, or be led astray by the settings of who runs the tests.
exec </dev/null
unset LD_PRELOAD ASYNCRING_RUN UV_USE_IO_URING

build=$(realpath "$1")
deny=$(realpath "$2")/deny
asyncring_run=$build/lib/compat/asyncring-run
source_dir=$(realpath "$(dirname "${BASH_SOURCE[0]}")/../..")
slower=${ASYNCRING_TEST_TIMEOUT_MULT:-1}

# As most systems have it, and as few descriptors as a program can count on.
ulimit -S -n 1024

work=$(mktemp -d "${TMPDIR:-/var/tmp}/asyncring-client.XXXXXXXX")
started=()
clean_up() {
	local pid
	for pid in "${started[@]}"; do
		kill -KILL "$pid" 2>/dev/null && { wait "$pid" 2>/dev/null || true; }
	done
	rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 143' HUP INT TERM
cd "$work"

say() {
	printf '== %s\n' "$*"
}

# With what the last command wrote, to see why.
fail() {
	printf 'FAILED: %s\n' "$*"
	tail -n 40 "$work/output" "$work/errors" 2>/dev/null || true
	exit 1
}

skip() {
	printf 'skipped: %s\n' "$*"
	exit 77
}

# needs PROGRAM PACKAGE...: installs Debian's packages if the program is not there yet.
needs() {
	local program=$1
	shift
	PATH=$PATH:/usr/sbin:/sbin
	command -v "$program" >/dev/null ||
		"$source_dir/tests/install-deps" "$@" >"$work/install" 2>&1 || true
	command -v "$program" >/dev/null || skip "$program is not here, and $* cannot be installed"
}

# limited COMMAND...: its output goes to the files output and errors, its exit status to $status;
# in $seconds at most, or it has failed.
seconds=60
limited() {
	status=0
	timeout --kill-after=5 $((seconds * slower)) "$@" >"$work/output" 2>"$work/errors" ||
		status=$?
	[[ $status -ne 124 && $status -ne 137 ]] || fail "$*: not done in time"
}

denied() {
	limited "$deny" "$@"
}

# served ERRNO COMMAND...
served() {
	local answer=$1
	shift
	limited "$deny" "$answer" "$asyncring_run" --stats -- "$@"
}

# served_well ERRNO COMMAND...: and its exit status must be 0.
served_well() {
	served "$@"
	[[ $status -eq 0 ]] || fail "$*: exit status $status"
}

# was_served OPERATIONS [NAME...]: by the report in the file errors at least so many requests were
# carried out, in all processes together, and some of each operation named.
was_served() {
	local least=$1 report=${report:-$work/errors} name count
	shift
	grep -qE '^asyncring-run: .*: [1-9][0-9]* rings$' "$report" || fail "no ring was served"
	count=$(awk '$1 ~ /^[A-Z][A-Z0-9_]*$/ && $2 ~ /^[0-9]+$/ && NF == 2 { sum += $2 }
		END { print sum + 0 }' "$report")
	[[ $count -ge $least ]] || fail "only $count requests were served, not $least"
	for name in "$@"; do
		grep -qE "^  $name +[1-9]" "$report" || fail "no $name was served"
	done
}

# start LOG COMMAND...: in the background; its process is $started_pid.
start() {
	local log=$1
	shift
	"$@" >"$log" 2>&1 &
	started_pid=$!
	started+=("$started_pid")
}

# ended PID: it is waited for, and its exit status goes to $status.
ended() {
	local pid=$1 tries=$((seconds * slower * 10))
	while kill -0 "$pid" 2>/dev/null; do
		((tries-- > 0)) || fail "process $pid does not end"
		read -rt 0.1 <> <(:) || true
	done
	status=0
	wait "$pid" || status=$?
}

# until_true COMMAND...: tried again and again, within the time limit.
until_true() {
	local tries=$((seconds * slower * 10))
	until "$@" >/dev/null 2>&1; do
		((tries-- > 0)) || fail "$*: does not come true"
		read -rt 0.1 <> <(:) || true
	done
}

# What cannot be asked for by name has to be run by two errnos, as by Docker and by an old kernel.
answers=(EPERM ENOSYS)

[[ -x $deny && -x $asyncring_run ]] || skip "asyncring-run has not been built"
"$deny" EPERM true || skip "a seccomp filter cannot be set here"
