#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Node.js, whose libuv has a ring with an SQ thread for work on files, if UV_USE_IO_URING says so,
# and one for changes to its epoll set; it makes the calls through syscall(2), and falls back to its
# threads where io_uring is denied. What is checked is in node.js.
# shellcheck source=common.bash
source "$(dirname "$0")/common.bash"
needs node nodejs

script=$source_dir/tests/clients/node.js
libuv=$(node -p process.versions.uv)
node -e "const [a, b] = '$libuv'.split('.'); process.exit(a > 1 || b >= 45 ? 0 : 1)" ||
	skip "libuv $libuv has no io_uring"
export UV_USE_IO_URING=1

say "without asyncring-run libuv uses its threads"
mkdir files
denied EPERM node "$script" files
[[ $status -eq 0 ]] || fail "node failed by itself"

for answer in "${answers[@]}"; do
	say "$answer: files and sockets (libuv $libuv)"
	rm -rf files
	mkdir files
	served_well "$answer" node "$script" files
	was_served 3000 OPENAT READV WRITEV STATX CLOSE
	grep -qx 'all is well' output || fail "it has not come to the end"
done

say "KILL: who uses syscall() is served even where io_uring calls are deadly"
rm -rf files
mkdir files
served_well KILL node "$script" files
was_served 3000 OPENAT READV

say "by a script, and through env, which knows nothing of it"
rm -rf files
mkdir files
printf '#!/bin/sh\nexec env -i PATH="$PATH" UV_USE_IO_URING=1 node "$@"\n' >wrapper
chmod +x wrapper
served_well EPERM ./wrapper "$script" files
was_served 3000 OPENAT READV

say "left with requests in flight, many times"
for _ in {1..20}; do
	rm -rf files
	mkdir files
	served EPERM node "$script" files exit
	[[ $status -eq 3 ]] || fail "node ended with $status"
	was_served 100 OPENAT
done
