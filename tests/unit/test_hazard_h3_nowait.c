/* SPDX-License-Identifier: MIT */
/*
 * Description: hazard H3. RWF_NOWAIT is not always there, not always non-blocking, not always
 * right. A test for each line of the table in core/hint.c, with the answers of other kernels and
 * file systems given by a hook. test_hazard_h3_stale_hints.c is about descriptors used again,
 * test_hazard_h3_premature_zero.c about Linux 5.9 and 5.10.
 */
#include "support.h"

#include "core/hint.h"

#ifndef RWF_NOWAIT
#define RWF_NOWAIT 0x00000008
#endif

enum { SIZE = 64 * 1024, NOT_FAKED = 1, HALF = 2 };

static struct asyncring ring;
static unsigned char buffer[SIZE] __attribute__((aligned(4096)));

/* What a NOWAIT read or write of the main thread answers: an errno, NOT_FAKED or HALF. */
static _Atomic int answer = NOT_FAKED;
/* Calls since counting began: by the main thread and by others, with NOWAIT and without. */
static _Atomic unsigned tries, inline_calls, worker_calls, all_inline;

static bool answer_transfer(long number, const long arguments[6], long *result)
{
	struct support_transfer seen;
	bool transfer = support_transfer(number, arguments, &seen);
	int fake = atomic_load(&answer);

	if (support_thread_id() != getpid()) {
		if (transfer)
			atomic_fetch_add(&worker_calls, 1);
		return false;
	}
	atomic_fetch_add(&all_inline, 1);
	if (!transfer)
		return false;
	if (!(seen.flags & RWF_NOWAIT)) {
		atomic_fetch_add(&inline_calls, 1);
		return false;
	}
	atomic_fetch_add(&tries, 1);
	if (fake == NOT_FAKED)
		return false;
	if (fake == HALF && seen.vector->iov_len > 1) {
		*result = support_transfer_part(&seen, seen.vector->iov_len / 2);
		return true;
	}
	*result = fake == HALF ? -EAGAIN : fake;
	return true;
}

static void count_from_here(void)
{
	tries = inline_calls = worker_calls = all_inline = 0;
}

/* A file behind a number of which nothing is known yet. */
static int fresh_file(const char *directory, size_t size)
{
	int fd = support_file(directory, size);

	asyncring__hint_forget(fd);
	return fd;
}

static void read_all(int fd)
{
	memset(buffer, 0, SIZE);
	asyncring_prep_read(support_sqe(&ring), fd, buffer, SIZE, 0);
	assert_int_equal(support_run(&ring), SIZE);
	assert_true(support_content(buffer, SIZE, 0));
}

static void write_all(int fd)
{
	for (size_t i = 0; i < SIZE; i++)
		buffer[i] = support_byte(i);
	asyncring_prep_write(support_sqe(&ring), fd, buffer, SIZE, 0);
	assert_int_equal(support_run(&ring), SIZE);
}

/* Refused: done otherwise, remembered for this file and not for another. */
static void check_refusal(int errno_value)
{
	int fd = fresh_file("/tmp", SIZE), other = fresh_file("/tmp", SIZE);

	for (int write = 0; write < 2; write++) {
		void (*transfer)(int) = write ? write_all : read_all;

		atomic_store(&answer, -errno_value);
		count_from_here();
		transfer(fd);
		assert_int_equal(tries, 1);
		assert_int_equal(inline_calls, 0);
		assert_int_equal(worker_calls, 1);
		transfer(fd);
		assert_int_equal(tries, 1);
		assert_int_equal(worker_calls, 2);
		transfer(other);
		assert_int_equal(tries, 2);
	}
	atomic_store(&answer, NOT_FAKED);
	read_all(fd);
	close(fd);
	close(other);
}

static void hazard_h3_nowait_not_supported(void **state)
{
	(void)state;
	check_refusal(EOPNOTSUPP);
}

static void hazard_h3_nowait_forbidden_by_a_sandbox(void **state)
{
	(void)state;
	check_refusal(EPERM);
	check_refusal(ENOSYS);
}

static void hazard_h3_refusal_is_not_remembered_for_ever(void **state)
{
	enum { ENOUGH = 5000 };
	int fd = fresh_file("/tmp", SIZE);

	(void)state;
	atomic_store(&answer, -EOPNOTSUPP);
	count_from_here();
	read_all(fd);
	assert_int_equal(tries, 1);
	atomic_store(&answer, NOT_FAKED);
	for (int i = 0; i < ENOUGH && tries == 1; i++) {
		asyncring_prep_read(support_sqe(&ring), fd, buffer, 1, 0);
		assert_int_equal(support_run(&ring), 1);
	}
	assert_int_equal(tries, 2);
	count_from_here();
	read_all(fd);
	assert_int_equal(tries, 1);
	assert_int_equal(worker_calls, 0);
	close(fd);
}

static void hazard_h3_not_cached_goes_to_a_worker(void **state)
{
	int fd = fresh_file("/tmp", SIZE);

	(void)state;
	atomic_store(&answer, -EAGAIN);
	count_from_here();
	for (unsigned i = 1; i <= 3; i++) {
		read_all(fd);
		/* A cold file may be warm the next time: it is tried again. */
		assert_int_equal(tries, i);
		assert_int_equal(worker_calls, i);
	}
	assert_int_equal(inline_calls, 0);
	atomic_store(&answer, NOT_FAKED);
	close(fd);
}

static void hazard_h3_half_cached_is_read_in_full(void **state)
{
	int fd = fresh_file("/tmp", SIZE);
	struct iovec vector[3] = {{buffer, 1000}, {buffer + 1000, 0}, {buffer + 1000, SIZE - 1000}};

	(void)state;
	atomic_store(&answer, HALF);
	count_from_here();
	read_all(fd);
	assert_true(tries >= 1);
	assert_int_equal(inline_calls, 0);
	memset(buffer, 0, SIZE);
	asyncring_prep_readv(support_sqe(&ring), fd, vector, 3, 0);
	assert_int_equal(support_run(&ring), SIZE);
	assert_true(support_content(buffer, SIZE, 0));
	/* The end of the file is still the end. */
	asyncring_prep_read(support_sqe(&ring), fd, buffer, SIZE, 100);
	assert_int_equal(support_run(&ring), SIZE - 100);
	assert_true(support_content(buffer, SIZE - 100, 100));
	atomic_store(&answer, NOT_FAKED);
	asyncring_prep_read(support_sqe(&ring), fd, buffer, SIZE, SIZE - 10);
	assert_int_equal(support_run(&ring), 10);
	asyncring_prep_read(support_sqe(&ring), fd, buffer, SIZE, 2 * SIZE);
	assert_int_equal(support_run(&ring), 0);
	close(fd);
}

static void hazard_h3_direct_io_is_never_tried_inline(void **state)
{
	int plain, fd;
	char path[64];

	(void)state;
	if (support_on_tmpfs("/tmp"))
		skip();
	plain = fresh_file("/tmp", SIZE);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", plain);
	fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
	if (fd < 0) {
		close(plain);
		skip();
	}
	asyncring__hint_forget(fd);
	count_from_here();
	read_all(fd);
	write_all(fd);
	read_all(fd);
	/* By workers or by the kernel itself (test_kernel_aio.c). */
	assert_int_equal(tries + inline_calls, 0);
	close(fd);
	close(plain);
}

static void hazard_h3_tmpfs_is_read_and_written_inline(void **state)
{
	int fd;

	(void)state;
	if (!support_on_tmpfs("/dev/shm"))
		skip();
	fd = fresh_file("/dev/shm", SIZE);
	count_from_here();
	read_all(fd);
	write_all(fd);
	read_all(fd);
	assert_int_equal(inline_calls, 3);
	assert_int_equal(tries + worker_calls, 0);
	close(fd);
}

static void hazard_h3_tmpfs_knows_no_direct_io(void **state)
{
	int plain, fd;
	char path[64];

	(void)state;
	if (!support_on_tmpfs("/dev/shm"))
		skip();
	plain = fresh_file("/dev/shm", SIZE);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", plain);
	fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
	close(plain);
	/* Not before Linux 6.6. */
	if (fd < 0)
		skip();
	asyncring__hint_forget(fd);
	count_from_here();
	read_all(fd);
	write_all(fd);
	assert_int_equal(inline_calls, 2);
	assert_int_equal(tries + worker_calls, 0);
	close(fd);
}

static void hazard_h3_procfs_goes_to_a_worker(void **state)
{
	int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);

	(void)state;
	assert_true(fd >= 0);
	asyncring__hint_forget(fd);
	count_from_here();
	asyncring_prep_read(support_sqe(&ring), fd, buffer, 100, 0);
	assert_true(support_run(&ring) > 0);
	assert_int_equal(tries + inline_calls, 0);
	assert_true(worker_calls > 0);
	close(fd);
}

static void hazard_h3_pipe_waits_for_readiness(void **state)
{
	int ends[2];

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	asyncring_prep_read(support_sqe(&ring), ends[0], buffer, SIZE, 0);
	assert_int_equal(asyncring_submit(&ring), 1);
	assert_int_equal(asyncring_cq_ready(&ring), 0);
	assert_int_equal(write(ends[1], "abc", 3), 3);
	assert_int_equal(support_result(&ring, NULL), 3);
	assert_memory_equal(buffer, "abc", 3);
	close(ends[0]);
	close(ends[1]);
}

/* ---- what is large is not copied in the submitter's time ---- */

enum {
	INLINE_MAX = 512 * 1024, /* of a submission, as in ops/rw.c */
	PIECE = 128 * 1024,	 /* the smallest that is worth a worker's while */
	LARGE = 4 << 20,
};

static unsigned char large[LARGE];

static void assert_carried_out(unsigned inline_expected, unsigned by_workers)
{
	assert_int_equal(tries + inline_calls, inline_expected);
	assert_int_equal(worker_calls, by_workers);
}

/* @count transfers of @length bytes, of which none continues another. */
static void transfer_pieces(int fd, bool write, unsigned count, unsigned length)
{
	for (unsigned i = count; i--;) {
		uint64_t offset = (uint64_t)i * length;

		if (write)
			asyncring_prep_write(support_sqe(&ring), fd, large + offset, length,
					     offset);
		else
			asyncring_prep_read(support_sqe(&ring), fd, large + offset, length, offset);
	}
	count_from_here();
	assert_int_equal(asyncring_submit(&ring), count);
	for (unsigned i = 0; i < count; i++)
		assert_int_equal(support_result(&ring, NULL), length);
	assert_true(support_content(large, (size_t)count * length, 0));
}

static void check_bounds(int fd, bool write)
{
	if (!write)
		memset(large, 0, LARGE);
	transfer_pieces(fd, write, 1, INLINE_MAX);
	assert_carried_out(1, 0);
	transfer_pieces(fd, write, 1, INLINE_MAX + 1);
	assert_carried_out(0, 1);
	/* All of one submission together, and then anew. */
	for (unsigned round = 0; round < 3; round++) {
		transfer_pieces(fd, write, 20, PIECE);
		assert_carried_out(INLINE_MAX / PIECE, 20 - INLINE_MAX / PIECE);
	}
	/* A worker would not be faster with these. */
	transfer_pieces(fd, write, 32, PIECE - 1);
	assert_carried_out(32, 0);
}

static void hazard_h3_large_copies_do_not_stall_the_submitter(void **state)
{
	int cached = fresh_file("/tmp", LARGE), memory = fresh_file("/dev/shm", LARGE);

	(void)state;
	check_bounds(cached, false);
	if (support_on_tmpfs("/dev/shm")) {
		check_bounds(memory, false);
		check_bounds(memory, true);
	}
	close(cached);
	close(memory);
}

static void read_vectors(int fd, const struct iovec *vectors, unsigned count, int expected)
{
	memset(large, 0, LARGE);
	asyncring_prep_readv(support_sqe(&ring), fd, vectors, count, 0);
	count_from_here();
	assert_int_equal(support_run(&ring), expected);
	if (expected > 0)
		assert_true(support_content(large, (size_t)expected, 0));
}

/* What an array comes to is found out by the first; the next are summed up beforehand. */
static void hazard_h3_large_vectors_stall_the_submitter_once(void **state)
{
	static const struct iovec much[3] = {{large, PIECE},
					     {large + PIECE, INLINE_MAX},
					     {large + PIECE + INLINE_MAX, PIECE}},
				  little[2] = {{large, 100}, {large + 100, PIECE}};
	enum { MUCH = INLINE_MAX + 2 * PIECE, LITTLE = PIECE + 100, FORGOTTEN = 64 };
	int fd = fresh_file("/tmp", LARGE);

	(void)state;
	read_vectors(fd, much, 3, MUCH);
	assert_carried_out(1, 0);
	for (unsigned i = 0; i < 3; i++) {
		read_vectors(fd, much, 3, MUCH);
		assert_carried_out(0, 1);
		read_vectors(fd, little, 2, LITTLE);
		assert_carried_out(1, 0);
	}
	/* An array that cannot be read is refused then as ever. */
	read_vectors(fd, (const struct iovec *)8, 3, -EFAULT);
	assert_carried_out(0, 0);
	for (unsigned i = 0; i < FORGOTTEN; i++)
		read_vectors(fd, little, 2, LITTLE);
	read_vectors(fd, (const struct iovec *)8, 3, -EFAULT);
	assert_carried_out(1, 0);
	read_vectors(fd, much, 3, MUCH);
	assert_carried_out(1, 0);
	close(fd);
}

static void hazard_h3_one_system_call_for_a_cached_read(void **state)
{
	enum { READS = 32 };
	int fd = fresh_file("/tmp", SIZE);

	(void)state;
	/* The first time the file is looked at and the ring's descriptor is made readable. */
	for (int round = 0; round < 3; round++) {
		/* From the back: those that continue each other would be one. */
		for (int i = READS; i--;)
			asyncring_prep_read(support_sqe(&ring), fd, buffer, 512, (uint64_t)i * 512);
		count_from_here();
		assert_int_equal(asyncring_submit(&ring), READS);
		if (round)
			assert_int_equal(all_inline, READS);
		assert_int_equal(asyncring_cq_ready(&ring), READS);
		asyncring_cq_advance(&ring, READS);
	}
	for (int i = 0; i < READS; i++)
		asyncring_prep_nop(support_sqe(&ring));
	count_from_here();
	assert_int_equal(asyncring_submit(&ring), READS);
	assert_int_equal(all_inline, 0);
	asyncring_cq_advance(&ring, READS);
	close(fd);
}

static int setup(void **state)
{
	(void)state;
	support_bound(60);
	atomic_store(&asyncring__waiters_only_wait, true);
	asyncring__sys_hook = answer_transfer;
	return asyncring_queue_init(32, &ring, 0);
}

static int teardown(void **state)
{
	(void)state;
	asyncring_queue_exit(&ring);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hazard_h3_nowait_not_supported),
		cmocka_unit_test(hazard_h3_nowait_forbidden_by_a_sandbox),
		cmocka_unit_test(hazard_h3_refusal_is_not_remembered_for_ever),
		cmocka_unit_test(hazard_h3_not_cached_goes_to_a_worker),
		cmocka_unit_test(hazard_h3_half_cached_is_read_in_full),
		cmocka_unit_test(hazard_h3_direct_io_is_never_tried_inline),
		cmocka_unit_test(hazard_h3_tmpfs_is_read_and_written_inline),
		cmocka_unit_test(hazard_h3_tmpfs_knows_no_direct_io),
		cmocka_unit_test(hazard_h3_procfs_goes_to_a_worker),
		cmocka_unit_test(hazard_h3_pipe_waits_for_readiness),
		cmocka_unit_test(hazard_h3_large_copies_do_not_stall_the_submitter),
		cmocka_unit_test(hazard_h3_large_vectors_stall_the_submitter_once),
		cmocka_unit_test(hazard_h3_one_system_call_for_a_cached_read),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
