#!/bin/bash
# SPDX-License-Identifier: MIT
#
# fio, which makes io_uring's system calls with instructions of its own: random reads and writes
# that verify themselves, buffered and direct, one at a time and many, in processes and threads,
# with registered buffers and files, and with an SQ thread.
# shellcheck source=common.bash
source "$(dirname "$0")/common.bash"
needs fio fio

kilobytes=1024
common=(--size="${kilobytes}k" --bs=4k --randrepeat=1 --group_reporting --allow_file_create=1
	--directory="$work" --verify=crc32c --verify_fatal=1)

# jobs RW OPTION...: one for each depth, buffered and direct.
jobs() {
	local rw=$1 depth direct
	shift
	job_list=()
	for depth in 1 32 128; do
		for direct in 0 1; do
			job_list+=(--name="job-$depth-$direct" --ioengine=io_uring --rw="$rw"
				--iodepth="$depth" --direct="$direct" "$@")
		done
	done
}
blocks=$((6 * kilobytes / 4)) # that all jobs together read or write

say "without asyncring-run fio fails"
jobs randrw
for answer in "${answers[@]}"; do
	denied "$answer" fio "${common[@]}" "${job_list[@]}"
	[[ $status -ne 0 ]] || fail "io_uring was not denied"
	grep -qE 'Operation not permitted|Function not implemented|not implemented' \
		"$work/output" "$work/errors" || fail "fio fails for another reason"
done

direct_is_possible() {
	dd if=/dev/zero of="$work/direct" bs=4k count=1 oflag=direct status=none 2>/dev/null
}
direct_is_possible || skip "no O_DIRECT in $work"

turn=0
for options in "" "--fixedbufs=1" "--registerfiles=1" "--fixedbufs=1 --registerfiles=1" \
	"--sqthread_poll=1 --registerfiles=1" "--force_async=3 --iodepth_batch_submit=8"; do
	for way in "" "--thread"; do
		answer=${answers[turn++ % 2]}
		say "$answer: randrw $options $way"
		rm -f "$work"/job-*
		# shellcheck disable=SC2086
		jobs randrw $options $way
		served_well "$answer" fio "${common[@]}" --do_verify=1 "${job_list[@]}"
		was_served "$blocks"
		[[ $options != *force_async* ]] ||
			grep -qE 'threads started: [1-9]' "$work/errors" || fail "no thread was counted"
	done
done

say "what it has written others can read, and the other way round"
rm -f "$work"/job-*
jobs randwrite
served_well EPERM fio "${common[@]}" --do_verify=0 "${job_list[@]}"
was_served "$blocks" WRITE
limited fio "${common[@]}" --verify_only "${job_list[@]//io_uring/psync}"
[[ $status -eq 0 ]] || fail "fio's psync finds other data"
rm -f "$work"/job-*
limited fio "${common[@]}" --do_verify=0 "${job_list[@]//io_uring/psync}"
[[ $status -eq 0 ]] || fail "fio's psync cannot write"
jobs randread
served_well ENOSYS fio "${common[@]}" "${job_list[@]}"
was_served "$blocks" READ

say "with few descriptors"
jobs randrw --fixedbufs=1
(
	ulimit -S -n 64
	served_well EPERM fio "${common[@]}" --do_verify=1 "${job_list[@]}"
	was_served "$blocks"
)

say "interrupted with requests in flight, many times"
# Reads past the page cache are the kernel's, whose context is in the maps; where it takes none, they
# are carried out by threads of ours, which are known by their name.
has_begun() {
	grep -qF '[aio]' "/proc/$started_pid/maps" ||
		grep -q iou-wrk "/proc/$started_pid/task"/*/comm
}
for _ in {1..20}; do
	start "$work/errors" "$deny" EPERM "$asyncring_run" --stats -- fio --name=endless --size=1m \
		--directory="$work" --ioengine=io_uring --rw=randread --direct=1 --iodepth=64 \
		--time_based --runtime=600 --output="$work/output" --thread
	until_true has_begun
	kill -INT "$started_pid"
	ended "$started_pid"
	[[ $status -eq 0 || $status -eq 128 ]] || fail "fio ended with $status"
	was_served 1 READ
done
