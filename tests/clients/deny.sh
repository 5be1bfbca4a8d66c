#!/bin/bash
# SPDX-License-Identifier: MIT
#
# deny denies: a program that makes io_uring's system calls itself is answered as it was told to,
# and so is what it starts; other calls are left alone. Under asyncring-run it is served, unless the
# filter kills, which is stronger than any other: then asyncring-run says that it cannot be, and all
# else works.
#
# Usage: deny.sh FOLDER-OF-PROGRAMS ASYNCRING-RUN
set -euo pipefail

deny=$1/deny
raw_ring=$1/raw_ring
asyncring_run=$2

# answers WANTED STATUS COMMAND...
answers() {
	local wanted=$1 expected=$2 said status=0
	shift 2
	said=$("$@" 2>&1) || status=$?
	[[ $said == "$wanted" && $status -eq $expected ]] && return
	printf 'FAILED: %s: "%s", %d instead of "%s", %d\n' "$*" "$said" "$status" "$wanted" "$expected"
	exit 1
}

"$deny" EPERM true || { echo "skipped: a seccomp filter cannot be set here"; exit 77; }
answers EPERM 1 "$deny" EPERM "$raw_ring"
answers ENOSYS 1 "$deny" ENOSYS "$raw_ring"
answers EPERM 1 "$deny" EPERM bash -c "exec '$raw_ring'"
# The stricter of two answers holds.
answers "" 159 "$deny" EPERM "$deny" KILL "$raw_ring"
answers ok 0 "$deny" EPERM "$asyncring_run" "$raw_ring"
answers ok 0 "$deny" ENOSYS "$asyncring_run" bash -c "exec '$raw_ring'"
note='asyncring-run: io_uring calls that programs make with instructions of their own cannot be'
note+=$'\ncaught here, only those through liburing\'s functions or syscall()'
answers "$note" 159 "$deny" KILL "$asyncring_run" "$raw_ring"
answers "$note"$'\nfine' 0 "$deny" KILL "$asyncring_run" echo fine
check=$("$deny" KILL "$asyncring_run" --check) && { echo "FAILED: --check is content"; exit 1; }
[[ $check == *'overruled by one that kills'* ]] || { echo "FAILED: --check: $check"; exit 1; }
check=$("$deny" EPERM "$asyncring_run" --check)
[[ $check == *'would be served as well'* ]] || { echo "FAILED: --check: $check"; exit 1; }
answers fine 0 "$deny" KILL echo fine
answers $'usage: deny EPERM|ENOSYS|KILL COMMAND [ARGUMENT...]' 125 "$deny" EBUSY true
"$deny" EPERM "$1/there-is-no-such-program" 2>/dev/null || [[ $? -eq 127 ]]
