#!/bin/bash
# SPDX-License-Identifier: MIT
#
# QEMU's block layer with aio=io_uring, through the functions of a shared liburing: it watches the
# ring's descriptor with ppoll and epoll and never waits in enter(), aborts if a submission is not
# taken whole, and blocks every signal in its I/O threads. Images are converted, written and read,
# in the programs' own loop and by a server with I/O threads.
#
# Sizes are whole sectors: QEMU 7.2 loses the rest of a read that ends short at the end of the file
# and at once, and waits for it for ever, also on the kernel's io_uring.
# shellcheck source=common.bash
source "$(dirname "$0")/common.bash"
needs qemu-img qemu-utils
needs qemu-storage-daemon qemu-system-common

head -c 24M /dev/urandom >raw
head -c 8M /dev/zero >>raw
head -c 8M /dev/urandom >>raw

say "without asyncring-run the ring cannot be had"
for answer in "${answers[@]}"; do
	denied "$answer" qemu-img bench -i io_uring -c 10 -f raw raw
	[[ $status -ne 0 ]] || fail "io_uring was not denied"
	grep -q io_uring errors || fail "qemu-img fails for another reason"
done

# image FILE FORMAT CACHE: the options that open it with io_uring.
image() {
	local cache=driver=$2,file.driver=file,file.filename=$1,file.aio=io_uring
	case $3 in
	direct) cache+=,cache.direct=on,file.cache.direct=on ;;
	buffered) cache+=,cache.direct=off ;;
	esac
	echo "$cache"
}

same() {
	limited qemu-img compare -f "$2" -F "$4" "$1" "$3"
	[[ $status -eq 0 ]] || fail "$1 and $3 differ"
}

turn=0
for cache in buffered direct; do
	for format in raw qcow2; do
		answer=${answers[turn++ % 2]}
		say "$answer: qemu-img convert, $cache, to $format"
		rm -f copy
		qemu-img create -q -f "$format" copy 40M
		served_well "$answer" qemu-img convert -n --image-opts --target-image-opts \
			"$(image raw raw $cache)" "$(image copy $format $cache)"
		was_served 20 READV WRITEV
		same raw raw copy "$format"
		rm -f back
		truncate -s 40M back
		served_well "$answer" qemu-img convert -n -W -m 16 --image-opts \
			--target-image-opts "$(image copy $format $cache)" "$(image back raw $cache)"
		was_served 20 READV WRITEV
		cmp raw back || fail "what was converted to $format and back differs"
	done

	say "EPERM: qemu-img bench, $cache"
	cp raw scratch
	[[ $cache == direct ]] && mode=none || mode=writeback
	served_well EPERM qemu-img bench -i io_uring -t $mode -f raw -c 3000 -d 64 scratch
	was_served 3000 READV
	served_well EPERM qemu-img bench -i io_uring -t $mode -f raw -w -c 3000 -d 64 \
		--flush-interval=500 --pattern=90 scratch
	was_served 3000 WRITEV FSYNC
	tr -d Z <scratch | cmp - <(tail -c +$((3000 * 4096 + 1)) raw | tr -d Z) ||
		fail "qemu-img bench has not written what it was told to"
done

say "KILL: who uses a shared liburing is served even where io_uring calls are deadly"
served_well KILL qemu-img bench -i io_uring -t none -f raw -c 1000 -d 64 scratch
was_served 1000 READV

say "ENOSYS: qemu-io, many requests at once"
rm -f copy
qemu-img create -q -f qcow2 copy 64M
commands=()
for ((i = 0; i < 64; i++)); do
	commands+=(-c "aio_write -q -P $((i + 1)) $((i * 512))k 300k")
done
commands+=(-c aio_flush)
for ((i = 0; i < 64; i++)); do
	commands+=(-c "read -q -P $((i + 1)) $((i * 512))k 300k")
	commands+=(-c "read -q -P 0 $((i * 512 + 300))k 212k")
done
served_well ENOSYS qemu-io -f qcow2 -i io_uring -n "${commands[@]}" copy
was_served 128 READV WRITEV
! grep -q 'Pattern verification failed' output errors || fail "qemu-io reads other data"

say "EPERM: qemu-storage-daemon, a copy made by an I/O thread"
truncate -s 40M target
report=$work/daemon
disk() {
	echo "driver=file,node-name=$1,filename=$1,aio=io_uring,cache.direct=on"
}
mkfifo commands events
exec {commands}<>commands {events}<>events
timeout $((60 * slower)) "$deny" EPERM "$asyncring_run" --stats -- qemu-storage-daemon \
	--object iothread,id=thread --blockdev "$(disk raw)" --blockdev "$(disk target)" \
	--chardev stdio,id=monitor --monitor chardev=monitor \
	<commands >events 2>"$report" {commands}>&- {events}>&- &
started+=($!)
# command NAME ARGUMENTS AWAITED: the answer comes, and the line that is awaited.
command() {
	local line
	printf '{"execute":"%s","arguments":{%s}}\n' "$1" "$2" >&$commands
	while read -rt $((60 * slower)) line <&$events; do
		[[ $line != *'"error"'* ]] || fail "$1: $line"
		[[ $line != *"$3"* ]] || return 0
	done
	fail "$1: no answer: $(tail -n 5 "$report")"
}
command qmp_capabilities '' return
command x-blockdev-set-iothread '"node-name":"raw","iothread":"thread"' return
command x-blockdev-set-iothread '"node-name":"target","iothread":"thread"' return
command blockdev-backup '"job-id":"j","device":"raw","target":"target","sync":"full"' BLOCK_JOB_COMPLETED
command quit '' return
ended "${started[-1]}"
[[ $status -eq 0 ]] || fail "qemu-storage-daemon: $(tail -n 5 "$report")"
report=$report was_served 20 READV WRITEV
cmp raw target || fail "the copy differs"

say "ENOSYS: qemu-nbd, and several clients"
cp raw disk
report=$work/server
start "$report" timeout $((60 * slower)) "$deny" ENOSYS "$asyncring_run" --stats -- qemu-nbd \
	--socket="$work/socket" --shared=4 --persistent --aio=io_uring --cache=none -f raw disk
server=$started_pid
until_true test -S socket
clients=()
for i in 0 1; do
	timeout $((60 * slower)) qemu-img convert -W -m 8 -f raw -O raw "nbd+unix:///?socket=$work/socket" \
		"read-$i" &
	clients+=($!)
	offset=$((32 + i))
	timeout $((60 * slower)) qemu-io -f raw "nbd+unix:///?socket=$work/socket" \
		-c "write -q -P $((i + 1)) ${offset}M 1M" -c flush -c "read -q -P $((i + 1)) ${offset}M 1M" \
		>"client-$i" 2>&1 &
	clients+=($!)
done
for pid in "${clients[@]}"; do
	wait "$pid" || fail "a client of qemu-nbd failed: $(tail -n 5 "$report")"
done
kill -TERM "$server"
ended "$server"
report=$report was_served 40 READV WRITEV
cp raw wanted
for i in 0 1; do
	[[ ! -s client-$i ]] || fail "$(cat "client-$i")"
	cmp -n $((32 << 20)) raw "read-$i" || fail "the disk was read wrongly"
	head -c 1M /dev/zero | tr '\0' "\\00$((i + 1))" |
		dd of=wanted bs=1M seek=$((32 + i)) conv=notrunc status=none
done
cmp wanted disk || fail "the disk is not what was written"
