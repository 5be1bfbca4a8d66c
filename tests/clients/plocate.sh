#!/bin/bash
# SPDX-License-Identifier: MIT
#
# plocate, which searches its database by reads through a ring of a shared liburing, and with
# pread(2) where it cannot have one. (updatedb, which makes the database, has no ring in Debian 12;
# it is run under asyncring-run all the same.) The program as installed gains the rights of a group
# when it is run, which a process without new privileges does not; so a copy of it is run.
# shellcheck source=common.bash
source "$(dirname "$0")/common.bash"
needs plocate plocate
needs updatedb.plocate plocate

cp --no-preserve=mode "$(command -v plocate)" locate
chmod 755 locate
for ((i = 0; i < 40; i++)); do
	mkdir -p "tree/folder-$((i % 7))/sub-$i"
	for ((j = 0; j < 100; j++)); do
		: >"tree/folder-$((i % 7))/sub-$i/file-$((i * j))-$j.txt"
	done
done
find "$work/tree" | sort >all

say "as it is installed it is refused, with a reason"
if [[ -g $(command -v plocate) && $(id -u) -eq 0 ]]; then
	served EPERM plocate --version
	[[ $status -eq 126 ]] || fail "exit status $status"
	grep -q 'gains privileges' errors || fail "no reason is told"
fi

say "EPERM: a database is built"
served_well EPERM updatedb.plocate --require-visibility no --database-root "$work/tree" \
	--output "$work/database" --prunepaths '' --prunefs '' --prune-bind-mounts no

# search PATTERN: the paths that hold it, in order.
search() {
	grep -F -- "$1" all || true
}
for pattern in file-39 file-1- sub-3 txt folder-6/sub-13/file nothing-of-the-kind; do
	search "$pattern" >wanted
	denied EPERM ./locate -d database "$pattern"
	sort output | cmp - wanted || fail "$pattern: plocate by itself finds other files"
	for answer in "${answers[@]}"; do
		say "$answer: $pattern, $(wc -l <wanted) files"
		served "$answer" ./locate -d database "$pattern"
		sort output | cmp - wanted || fail "$pattern: other files are found"
		[[ $status -eq $([[ -s wanted ]] && echo 0 || echo 1) ]] || fail "exit status $status"
		[[ ! -s wanted ]] || was_served 1 READV
	done
done
