#!/bin/bash
# SPDX-License-Identifier: MIT
#
# stress-ng's io-uring stressor, which makes its calls through syscall(2): every operation it knows,
# in several processes.
# shellcheck source=common.bash
source "$(dirname "$0")/common.bash"
needs stress-ng stress-ng

# A relative path, for with another it fails on the kernel, too: it asks for a file that it has removed.
run=(stress-ng --io-uring 2 --temp-path . --verify --metrics-brief)

say "without asyncring-run the stressor cannot run"
denied EPERM "${run[@]}" --io-uring-ops 100
[[ $status -ne 0 ]] || fail "io_uring was not denied"
denied ENOSYS "${run[@]}" --io-uring-ops 100
grep -q 'not supported by the kernel' output errors || fail "io_uring was not denied"

for answer in "${answers[@]}"; do
	say "$answer: every operation"
	served_well "$answer" "${run[@]}" --io-uring-ops 6000
	was_served 5000 NOP READV WRITEV FSYNC SYNC_FILE_RANGE FALLOCATE CLOSE STATX READ WRITE \
		FADVISE MADVISE
	! grep -qE '(fail|error):' errors output || fail "the stressor complains"
done

