#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Description: asyncring-run itself: what it runs, what it refuses and how it says so.
set -euo pipefail

run=$1
programs=$2
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

fail() {
	echo "FAILED: $*" >&2
	exit 1
}

# expect STATUS PATTERN COMMAND...: exit status, and what standard output and error together say.
expect() {
	local status=$1 pattern=$2 got=0 said
	shift 2
	said=$("$@" 2>&1 </dev/null) || got=$?
	[[ $got -eq $status ]] || fail "$*: status $got, not $status: $said"
	grep -qE -- "$pattern" <<<"$said" || fail "$*: no '$pattern' in: $said"
}

# ---- usage

expect 125 'no program given' "$run"
expect 125 'no program given' "$run" --force
expect 125 "Try 'asyncring-run --help'" "$run" --no-such-option
expect 125 'runs no program' "$run" --check true
expect 0 '^usage:' "$run" -h
expect 0 '^usage:' "$run" --help
expect 0 '^asyncring-run [0-9.]+$' "$run" --version
expect 0 'would be served' "$run" --check

# ---- what a program ends with, and what it is given

expect 7 '' "$run" --force sh -c 'exit 7'
expect 0 '^-f --stats$' "$run" -f echo -f --stats
expect 0 '^x$' "$run" --force -- echo x
expect 0 'served in user space' "$run" -fv true
printf '#!/bin/sh\necho "a script: $1"\n' >"$scratch/script"
chmod +x "$scratch/script"
expect 0 '^a script: 1$' "$run" -f "$scratch/script" 1

# A folder by that name is not what execvp(3) looks for.
mkdir -p "$scratch/folders/script"
PATH=$scratch/folders:$scratch:$PATH expect 0 '^a script: 1$' "$run" -f script 1

# ---- what cannot be run

expect 127 'no-such-program: not found' "$run" -f no-such-program
expect 127 'No such file' "$run" -f "$scratch/none"
expect 126 'Is a directory' "$run" -f "$scratch"
echo text >"$scratch/text"
expect 126 'Permission denied' "$run" -f "$scratch/text"
chmod +x "$scratch/text"
expect 127 'text: not found' "$run" -f "$scratch/text"
printf 'echo "said nothing of itself: $1"\n' >"$scratch/plain"
chmod +x "$scratch/plain"
expect 0 '^said nothing of itself: 1$' "$run" -f "$scratch/plain" 1
printf '#!/no/such/interpreter\n' >"$scratch/lost"
chmod +x "$scratch/lost"
expect 127 'lost: its interpreter /no/such/interpreter: No such file' "$run" -f "$scratch/lost"
printf '#!%s/loop\n' "$scratch" >"$scratch/loop"
chmod +x "$scratch/loop"
expect 126 'scripts that run one another' "$run" -f "$scratch/loop"

# ---- what cannot be served

echo 'int main(void) { return 0; }' >"$scratch/empty.c"
cc=$(command -v cc || command -v gcc || command -v clang)
if "$cc" -static "$scratch/empty.c" -o "$scratch/static" 2>/dev/null; then
	expect 126 'statically linked' "$run" -f "$scratch/static"
fi
# A program for a machine that is not this one: the two bytes that say so are changed.
"$cc" "$scratch/empty.c" -o "$scratch/foreign"
printf '\x28\x00' | dd of="$scratch/foreign" bs=1 seek=18 conv=notrunc status=none
expect 126 'for another machine' "$run" -f "$scratch/foreign"
# Headers that are said to lie in front of the file.
"$cc" "$scratch/empty.c" -o "$scratch/outside"
printf '\xc8\xff\xff\xff\xff\xff\xff\xff' |
	dd of="$scratch/outside" bs=1 seek=32 conv=notrunc status=none
expect 126 'statically linked' "$run" -f "$scratch/outside"
# A dynamic linker by another name.
"$cc" "$scratch/empty.c" -Wl,--dynamic-linker=/lib/ld-other.so.1 -o "$scratch/other"
expect 126 'another C library' "$run" -f "$scratch/other"
if [[ $(id -u) -eq 0 ]]; then
	"$cc" "$scratch/empty.c" -o "$scratch/privileged"
	chown 1 "$scratch/privileged"
	chmod 4755 "$scratch/privileged"
	expect 126 'gains privileges' "$run" -f "$scratch/privileged"
fi

# ---- where a sandbox catches io_uring's calls itself

cat >"$scratch/sandbox.c" <<'END'
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct sock_filter text[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, SYS_io_uring_setup, 0, 2),
		BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, SYS_io_uring_register, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = {.len = 5, .filter = text};

	(void)argc;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter))
		return 77;
	execv(argv[1], argv + 1);
	return 1;
}
END
"$cc" "$scratch/sandbox.c" -o "$scratch/sandbox"
if "$scratch/sandbox" /bin/true; then
	expect 0 'io_uring does not work here: forbidden' "$scratch/sandbox" "$run" --check
	expect 0 'PASSED' "$scratch/sandbox" "$run" "$programs/served-trap-program"
	expect 0 'PASSED' "$scratch/sandbox" "$run" "$programs/served-children-program"
fi

# ---- the report

if "$programs/served-trap-program" >/dev/null 2>&1; then
	expect 0 'served-trap-pro.*: [0-9]+ rings' "$run" -fs "$programs/served-trap-program"
	expect 0 'trapped: [1-9]' "$run" -fs "$programs/served-trap-program"
	expect 0 '^ +NOP +[1-9]' "$run" -fs "$programs/served-trap-program"
fi
said=$("$run" -fs true 2>&1)
[[ -z $said ]] || fail "a program without a ring has nothing to report, but: $said"
