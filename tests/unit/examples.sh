#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The example programs on small trees made for the purpose: arcat, arcp, arsum and aruv against cat,
# cp, sha256sum and wc, and what they say and answer when something is wrong. (arecho: arecho.sh)
#
# Usage: examples.sh BUILD-TREE (or the folder that the programs are in)

set -u
export LC_ALL=C

source_dir=$(cd "$(dirname "$0")/../.." && pwd)
programs=$1
[ -x "$programs/examples/arcp" ] && programs=$programs/examples
programs=$(cd "$programs" && pwd)
arcat=$programs/arcat arcp=$programs/arcp arsum=$programs/arsum aruv=$programs/aruv
if [ ! -x "$arcp" ]; then
	echo "skipped: the examples have not been built"
	exit 77
fi
"$arcp" --help >/dev/null || exit 1

work=$(mktemp -d)
mounted=
cleanup() {
	[ -n "$mounted" ] && umount "$mounted"
	chmod -R u+rwx "$work" 2>/dev/null
	rm -rf "$work"
}
trap cleanup EXIT
chmod 755 "$work"
cd "$work" || exit 1

failures=0
fail() {
	echo "FAILED: $test: $*" | head -c 1000
	echo
	failures=$((failures + 1))
}
skip() {
	echo "skipped: $test: $*"
}

# run COMMAND...: its exit status is in $status, what it wrote in the files output and errors.
run() {
	"$@" >"$work/output" 2>"$work/errors" </dev/null
	status=$?
}
succeeds() {
	run "$@"
	[ $status -eq 0 ] || fail "$*: exit status $status: $(head -c 1000 "$work/errors")"
	[ -s "$work/errors" ] && fail "$*: $(head -c 1000 "$work/errors")"
}
# complains STATUS TEXT COMMAND...: ends with STATUS and says TEXT on standard error.
complains() {
	local wanted=$1 text=$2
	shift 2
	run "$@"
	[ $status -eq "$wanted" ] || fail "$*: exit status $status instead of $wanted"
	grep -qF -- "$text" "$work/errors" || fail "$*: '$(head -c 1000 "$work/errors")' lacks '$text'"
}

# Everything about a tree but the contents and the sizes of directories.
describe() {
	(cd "$1" && {
		find . -type d -printf '%P|%y|%m|%U|%G|%T@\n'
		find . ! -type d -printf '%P|%y|%m|%U|%G|%T@|%s|%l|%n\n'
	} | sort)
}
same_tree() {
	describe "$1" >"$work/left"
	describe "$2" >"$work/right"
	diff "$work/left" "$work/right" >"$work/difference" ||
		fail "$1 and $2 differ: $(head -c 1000 "$work/difference")"
	same_contents "$1" "$2"
}
same_contents() {
	# diff takes a FIFO for different from any other.
	diff -r --no-dereference -x fifo "$1" "$2" >"$work/difference" 2>&1 ||
		fail "$1 and $2 differ: $(head -c 1000 "$work/difference")"
}

# as_user COMMAND...: as somebody without privileges, who has the folder "theirs".
if [ "$(id -u)" -eq 0 ]; then
	as_user() {
		setpriv --reuid=65534 --regid=65534 --clear-groups -- "$@"
	}
	mkdir theirs && chown 65534:65534 theirs
else
	as_user() {
		"$@"
	}
	mkdir theirs
fi
have_user=true
as_user "$arcp" --help >/dev/null 2>&1 || have_user=false

make_tree() {
	mkdir -p "$1/a/b/c" "$1/empty directory" "$1/closed"
	: >"$1/empty"
	echo small >"$1/a/small"
	head -c 262144 /dev/urandom >"$1/a/one chunk"
	head -c 262145 /dev/urandom >"$1/a/one chunk and a byte"
	head -c 3000001 /dev/urandom >"$1/a/b/several chunks"
	ln "$1/a/small" "$1/a/b/c/same as small"
	ln "$1/a/small" "$1/another name of small"
	ln -s ../nowhere "$1/a/dangling"
	ln -s small "$1/a/link"
	ln "$1/a/link" "$1/a/link of a link" 2>/dev/null
	mkfifo "$1/fifo"
	echo 1 >"$1/"$'line\nbreak'
	echo 2 >"$1/"$'not\xffUTF-8'
	echo 3 >"$1/it's *quoted*"
	echo 4 >"$1/-v"
	echo 5 >"$1/back\\slash"
	echo 6 >"$1/$(printf '%0255d' 0)"
	echo 7 >"$1/closed/file"
	chmod 4711 "$1/a/one chunk"
	chmod 2755 "$1/a/b"
	chmod 640 "$1/a/small"
	chmod 400 "$1/closed/file"
	touch -d '2001-02-03 04:05:06.123456789' "$1/a/small" "$1/empty"
	touch -h -d '1999-12-31 23:59:59.987654321' "$1/a/link"
	touch -d '2030-01-01 00:00:00.000000001' "$1/a/b" "$1/closed"
	chmod 555 "$1/closed"
}

test="arcat"
head -c 700000 /dev/urandom >first
echo second >second
succeeds "$arcat" first second
cat first second | cmp - output || fail "output differs"
"$arcat" <first | cmp - first || fail "standard input differs"
cat first | "$arcat" second - second | cmp - <(cat second first second) || fail "- differs"
(echo before && "$arcat" second && echo after) >output
printf 'before\nsecond\nafter\n' | cmp - output || fail "does not write where the file stands"
succeeds "$arcat" /proc/version
cmp /proc/version output || fail "/proc/version differs"
complains 1 "arcat: missing: No such file or directory" "$arcat" missing second
cmp second output || fail "a missing file ends it"
complains 1 "Is a directory" "$arcat" .
"$arcat" first >/dev/full 2>errors && fail "/dev/full is no error"
grep -q "No space left" errors || fail "/dev/full: $(cat errors)"

test="arcp copies a tree"
make_tree tree
succeeds "$arcp" tree copy
same_tree tree copy
succeeds "$arcp" --verify tree verified
same_tree tree verified
succeeds "$arcp" -j 1 tree one-at-a-time
same_tree tree one-at-a-time
succeeds "$arcp" -v tree told
[ "$(grep -c -- "-> 'told" output)" -eq "$(find tree -printf x | wc -c)" ] || fail "-v: $(cat output)"
grep -qF "'tree/line'$'\\n''break' -> " output || fail "-v does not quote: $(cat output)"

test="arcp copies over a copy"
succeeds "$arcp" --verify tree/. copy
same_tree tree copy
succeeds "$arcp" tree copy
same_tree tree copy/tree

test="arcp keeps holes"
truncate -s 40M sparse
printf data | dd of=sparse bs=1 seek=20000000 conv=notrunc status=none
truncate -s 5M "all hole"
mkdir holes
succeeds "$arcp" --verify sparse "all hole" holes
cmp sparse holes/sparse || fail "differs"
cmp "all hole" "holes/all hole" || fail "differs"
if [ "$(du -k sparse | cut -f1)" -lt 1024 ]; then
	[ "$(du -k holes | cut -f1)" -lt 1024 ] || fail "$(du -k holes/*)"
else
	skip "this file system has no holes"
fi

test="arcp keeps extended attributes"
if command -v setfattr >/dev/null && setfattr -n user.colour -v blue first 2>/dev/null; then
	mkdir attributed
	setfattr -n user.shape -v round attributed
	cp --preserve=xattr first attributed
	succeeds "$arcp" attributed attributed-copy
	diff <(cd attributed && getfattr -R -d .) <(cd attributed-copy && getfattr -R -d .) ||
		fail "attributes differ"
else
	skip "no extended attributes here"
fi

test="arcp copies devices"
if mknod null c 1 3 2>/dev/null; then
	succeeds "$arcp" null null-copy
	[ "$(stat -c '%F %t %T' null-copy)" = "character special file 1 3" ] ||
		fail "$(stat null-copy)"
	complains 1 "cannot overwrite special file 'null-copy'" "$arcp" second null-copy
else
	skip "no devices to be made here"
fi

test="arcp reads files that say they are empty"
succeeds "$arcp" /proc/version version
cmp /proc/version version || fail "differs"

test="arcp --verify finds differences"
if [ -r /proc/sys/kernel/random/uuid ]; then
	complains 1 "differ" "$arcp" --verify /proc/sys/kernel/random/uuid uuid
	[ -e uuid ] && fail "the bad copy stays"
else
	skip "no file that changes with each reading"
fi

test="arcp destinations"
mkdir into
succeeds "$arcp" first second into
cmp first into/first || fail "differs"
succeeds "$arcp" second into/first
cmp second into/first || fail "not overwritten"
succeeds "$arcp" tree/ into/
same_tree tree into/tree
complains 1 "target 'nowhere': No such file or directory" "$arcp" first second nowhere
complains 1 "target 'second': Not a directory" "$arcp" first tree second
complains 1 "cannot create regular file 'no/where': No such file" "$arcp" first no/where
complains 1 "cannot stat 'missing': No such file or directory" "$arcp" missing second into
cmp second into/second || fail "a missing source ends it"
mkdir -p clash/first
complains 1 "cannot overwrite directory 'clash/first' with non-directory 'first'" \
	"$arcp" first clash
complains 1 "cannot overwrite non-directory 'second' with directory 'tree'" "$arcp" tree second
complains 1 "'first' and 'first' are the same file" "$arcp" first first
ln first first-again
complains 1 "are the same file" "$arcp" first first-again
complains 1 "cannot copy a directory, 'tree', into itself, 'tree/a/tree'" "$arcp" tree tree/a
complains 1 "cannot copy a directory, 'tree', into itself, 'tree/new'" "$arcp" tree tree/new
complains 1 "cannot copy a directory, 'tree/.', into itself, 'tree'" "$arcp" tree/. tree
mkdir -p nest/x/nest
complains 1 "which contains it" "$arcp" nest/x/nest .
complains 1 "will not overwrite just-created 'into/first'" "$arcp" first copy/../first into
complains 1 "missing destination" "$arcp" first
complains 1 "invalid number of jobs: '0'" "$arcp" -j 0 first into
[ ! -s errors ] && fail "nothing said"

test="arcp does not write through links"
echo old >old
ln -s old link-to-old
ln old name-of-old
succeeds "$arcp" second link-to-old
succeeds "$arcp" second name-of-old
[ "$(cat old)" = old ] || fail "written through"
cmp second link-to-old && cmp second name-of-old || fail "not copied"
[ -L link-to-old ] && fail "the link is still there"

test="arcp with few descriptors"
(ulimit -n 40 && exec "$arcp" -j 64 tree few) 2>errors || fail "$(head -c 1000 errors)"
same_tree tree few

test="arcp goes deep"
mkdir deep
(cd deep && for _ in $(seq 500); do mkdir d && cd d || exit; done && echo bottom >file)
succeeds "$arcp" deep deep-copy
same_tree deep deep-copy

# Standard output is a pipe that is not read from, so the program stands still after some
# hundred lines, with all names of the directory read: what happens to the last file then, happens
# before it is opened.
start_stalled() {
	local name
	mkdir -p many
	for ((i = 0; i < 400; i++)); do
		printf -v name '%0200d' $i
		echo $i >"many/$name"
	done
	last=many/$(ls -i many | sort -n | tail -n 1 | sed 's/.* //')
	rm -f stall && mkfifo stall
	"$arcp" -v -j 1 many "$1" >stall 2>errors &
	stalled=$!
	exec 3<stall
	head -c 1 <&3 >/dev/null
}

test="arcp with a file that vanishes"
start_stalled vanished
rm "$last"
cat <&3 >/dev/null
wait $stalled
status=$?
exec 3<&-
[ $status -eq 1 ] || fail "exit status $status"
grep -q "cannot open '$last' for reading: No such file or directory" errors || fail "$(cat errors)"
[ "$(wc -l <errors)" -eq 1 ] || fail "$(cat errors)"
same_contents many vanished

test="arcp interrupted"
start_stalled interrupted
kill -TERM $stalled
cat <&3 >/dev/null
wait $stalled
status=$?
exec 3<&-
[ $status -eq 143 ] || fail "exit status $status"
grep -q "interrupted: .* done" errors || fail "$(cat errors)"
for file in interrupted/*; do
	cmp "$file" "many/${file#*/}" || fail "half a file"
done
[ "$(ls interrupted | wc -l)" -lt 400 ] || fail "not interrupted"

test="arcp -v with nobody listening"
start_stalled unheard
exec 3<&-
wait $stalled
status=$?
[ $status -eq 1 ] || fail "exit status $status"
grep -q "write error" errors || fail "$(cat errors)"
same_contents many unheard

test="arcp without privileges"
if $have_user; then
	make_tree theirs/tree
	[ "$(id -u)" -eq 0 ] && chown -R -h 65534:65534 theirs/tree
	chmod u+s "theirs/tree/a/one chunk"
	succeeds as_user "$arcp" --verify theirs/tree theirs/copy
	same_tree theirs/tree theirs/copy
	chmod 0 theirs/tree/empty "theirs/tree/empty directory"
	run as_user "$arcp" theirs/tree theirs/partial
	[ $status -eq 1 ] || fail "exit status $status"
	grep -qF "cannot open 'theirs/tree/empty' for reading: Permission denied" errors ||
		fail "$(cat errors)"
	grep -qF "cannot access 'theirs/tree/empty directory': Permission denied" errors ||
		fail "$(cat errors)"
	[ "$(wc -l <errors)" -eq 2 ] || fail "$(cat errors)"
	chmod 700 "theirs/tree/empty directory"
	rm theirs/tree/empty
	same_contents theirs/tree theirs/partial
	chmod 555 theirs/copy
	complains 1 "cannot create regular file 'theirs/copy/first': Permission denied" \
		as_user "$arcp" first theirs/copy
	if [ "$(id -u)" -eq 0 ]; then
		chmod 4755 second
		succeeds as_user "$arcp" second theirs/second
		[ "$(stat -c '%a %u' theirs/second)" = "755 65534" ] ||
			fail "set-user-ID for somebody else: $(stat theirs/second)"
		chmod 644 second
	fi
else
	skip "another user cannot run the programs where they are"
fi

test="arcp on a full disk"
mkdir small
if [ "$(id -u)" -eq 0 ] && mount -t tmpfs -o size=1m tmpfs small 2>/dev/null; then
	mounted=$work/small
	complains 1 "No space left on device" "$arcp" tree second small
	find small/tree -type f -printf '%P\n' | while read -r file; do
		[ -e "tree/$file" ] || continue # names with line breaks
		cmp "small/tree/$file" "tree/$file"
	done >difference 2>&1
	[ -s difference ] && fail "half a file: $(cat difference)"
	umount small && mounted=
else
	skip "no file system to be mounted here"
fi

test="arsum"
if [ -x "$arsum" ]; then
	find tree -type f -print0 | sort -z | xargs -0 sha256sum >expected
	succeeds "$arsum" -a sha256 tree
	diff expected output || fail "differs from sha256sum"
	cp output sums
	sha256sum --quiet --strict -c sums || fail "sha256sum does not accept it"
	succeeds "$arsum" -c expected
	[ "$(grep -c ': OK$' output)" -eq "$(wc -l <expected)" ] || fail "$(cat output)"
	"$arsum" -a sha256 -c - <expected >output || fail "does not check standard input"
	succeeds "$arsum" tree first first second
	cp output sums
	succeeds "$arsum" -c sums
	echo "99aa06d3014798d86001c324468d497f  known" >known-sum
	: >known
	succeeds "$arsum" -c known-sum # the checksum of nothing, from the algorithm's reference
	cp -a tree changed
	(cd changed && "$arsum" . >../sums && printf X | dd of="a/b/several chunks" bs=1 \
		seek=1500000 conv=notrunc status=none && rm a/dangling empty)
	run bash -c 'cd changed && exec "$0" -c ../sums' "$arsum"
	[ $status -eq 1 ] || fail "exit status $status"
	grep -qx "./a/b/several chunks: FAILED" output || fail "$(cat output)"
	grep -qx "./empty: FAILED open or read" output || fail "$(cat output)"
	[ "$(grep -c FAILED output)" -eq 2 ] || fail "$(cat output)"
	grep -q "WARNING: 1 computed checksum did NOT match" errors || fail "$(cat errors)"
	complains 1 "No such file or directory" "$arsum" missing second
	[ "$(wc -l <output)" -eq 1 ] || fail "a missing file ends it"
	complains 1 "no properly formatted checksum lines" "$arsum" -c second
	complains 1 "unknown algorithm 'md5'" "$arsum" -a md5 second
	[ "$(cat first | "$arsum" -a sha256 /dev/stdin | cut -c -64)" = \
		"$(sha256sum first | cut -c -64)" ] || fail "a pipe differs"
else
	skip "it has not been built"
fi

test="aruv"
if [ -x "$aruv" ]; then
	mapfile -d '' -t names < <(find tree many deep -type f ! -name $'*\n*' -print0)
	succeeds "$aruv" "${names[@]}"
	wc -lc "${names[@]}" | sed 's/^ *//; s/  */ /' >expected
	diff expected output || fail "differs from wc"
	complains 1 "'missing': No such file or directory" "$aruv" missing second
	[ "$(head -n 1 output)" = "1 7 second" ] || fail "$(cat output)"
	complains 1 "'tree': Is a directory" "$aruv" tree
	complains 1 Usage "$aruv"
	# While the ring waits for a file the loop's timer runs, and the other way round: here the
	# file ends when the timer has been seen five times.
	mkfifo slow-file progress
	"$aruv" -p slow-file second >output 2>progress &
	reader=$!
	exec 4<progress 3>slow-file
	for _ in 1 2 3 4 5; do
		read -r -t 10 -u 4 line || break
		echo "$line" >&3
	done
	[[ $line = "aruv: 1 of 2 files"* ]] || fail "says '$line'"
	exec 3>&-
	cat <&4 >/dev/null
	exec 4<&-
	wait $reader || fail "exit status $?"
	grep -q "^5 [0-9]* slow-file$" output || fail "$(cat output)"
else
	skip "it has not been built"
fi

test="programs tell their usage"
for program in arcat arcp arsum arecho aruv arhttpd; do
	[ -x "$programs/$program" ] || continue
	succeeds "$programs/$program" --help
	head -n 1 output | grep -q "^Usage: $program" || fail "$program: $(head -n 1 output)"
done

test="scripts tell their usage"
for script in examples/demo docs/render; do
	succeeds "$source_dir/$script" --help
	grep -q "^usage: $script" output || fail "$script --help: $(cat output)"
	complains 2 "usage: $script" "$source_dir/$script" --nonsense
	complains 2 "usage: $script" "$source_dir/$script" one two
done
complains 2 "usage: tests/run-clients" "$source_dir/tests/run-clients" --preset
[ -e "$source_dir/--help" ] || [ -e --help ] && fail "a directory of that name is made"

if [ $failures -gt 0 ]; then
	echo "$failures checks failed"
	exit 1
fi
echo "all checks passed"
