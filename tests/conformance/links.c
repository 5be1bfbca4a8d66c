/* SPDX-License-Identifier: MIT */
/*
 * Description: chains of requests: their order, what a failure does to soft and hard links, and
 * when the members look for their files.
 */
#include "ops_helpers.h"

static void a_chain_completes_in_order(void **state)
{
	static const unsigned kinds[] = {IOSQE_IO_LINK, IOSQE_IO_HARDLINK,
					 IOSQE_IO_LINK | IOSQE_IO_HARDLINK,
					 IOSQE_IO_LINK | IOSQE_ASYNC};
	struct ops *ops = *state;

	for (unsigned kind = 0; kind < ARRAY_SIZE(kinds); kind++) {
		for (unsigned i = 0; i < 20; i++)
			ops_nop(&ops->ring, i, i < 19 ? kinds[kind] : 0, (int)i);
		harness_submit(&ops->ring, 20);
		for (unsigned i = 0; i < 20; i++)
			ops_expect(&ops->ring, i, (int)i);
	}
}

/* A member starts only when the one before is done: here, when somebody writes into the pipe. */
static void a_member_waits_for_the_one_before(void **state)
{
	static const unsigned flags[] = {0, IOSQE_ASYNC};
	struct ops *ops = *state;
	int fds[2];
	char buffer[4];

	harness_pipe(fds);
	for (unsigned i = 0; i < ARRAY_SIZE(flags); i++) {
		int fd = harness_temp_file(0);

		ops_prep(&ops->ring, 0, IOSQE_IO_LINK | flags[i], read, fds[0], buffer, 4, 0);
		ops_prep(&ops->ring, 1, flags[i], write, fd, buffer, 4, 0);
		ops_prep(&ops->ring, 2, 0, nop); /* not of the chain: goes on */
		harness_submit(&ops->ring, 3);
		ops_expect(&ops->ring, 2, 0);
		harness_assert_empty(&ops->ring);
		assert_int_equal(ops_file_size(fd), 0);
		assert_int_equal(write(fds[1], "data", 4), 4);
		ops_expect(&ops->ring, 0, 4);
		ops_expect(&ops->ring, 1, 4);
		assert_int_equal(pread(fd, buffer, 4, 0), 4);
		assert_memory_equal(buffer, "data", 4);
		close(fd);
	}
	harness_close_pipe(fds);
}

/* Five members; the one at place fails. A request behind the chain is none of its business. */
static void run_chain_with_failure(struct io_uring *ring, unsigned link, unsigned place,
				   int *results)
{
	for (unsigned i = 0; i < 5; i++)
		ops_nop(ring, i, i < 4 ? link : 0, i == place ? -EIO : 0);
	ops_prep(ring, 5, 0, nop);
	harness_submit(ring, 6);
	ops_collect(ring, results, 6);
}

static void a_failure_cancels_the_rest_of_a_soft_chain(void **state)
{
	struct ops *ops = *state;
	int results[6];

	run_chain_with_failure(&ops->ring, IOSQE_IO_LINK, 0, results);
	ops_assert_results(results, -EIO, -ECANCELED, -ECANCELED, -ECANCELED, -ECANCELED, 0);
	run_chain_with_failure(&ops->ring, IOSQE_IO_LINK, 2, results);
	ops_assert_results(results, 0, 0, -EIO, -ECANCELED, -ECANCELED, 0);
	run_chain_with_failure(&ops->ring, IOSQE_IO_LINK, 4, results);
	ops_assert_results(results, 0, 0, 0, 0, -EIO, 0);
}

static void a_failure_does_not_break_a_hard_chain(void **state)
{
	struct ops *ops = *state;
	int results[6];

	run_chain_with_failure(&ops->ring, IOSQE_IO_HARDLINK, 0, results);
	ops_assert_results(results, -EIO, 0, 0, 0, 0, 0);
	run_chain_with_failure(&ops->ring, IOSQE_IO_HARDLINK, 2, results);
	ops_assert_results(results, 0, 0, -EIO, 0, 0, 0);
	run_chain_with_failure(&ops->ring, IOSQE_IO_HARDLINK, 4, results);
	ops_assert_results(results, 0, 0, 0, 0, -EIO, 0);
	/* With both flags the hard one counts. */
	run_chain_with_failure(&ops->ring, IOSQE_IO_LINK | IOSQE_IO_HARDLINK, 1, results);
	ops_assert_results(results, 0, -EIO, 0, 0, 0, 0);
}

/* What counts is the flag of the member that failed; a cancelled one takes all that follow along,
 * hard-linked or not.
 */
static void the_failing_members_link_decides(void **state)
{
	struct ops *ops = *state;
	int results[5];

	ops_nop(&ops->ring, 0, IOSQE_IO_HARDLINK, -EIO);
	ops_nop(&ops->ring, 1, IOSQE_IO_LINK, -EAGAIN);
	ops_nop(&ops->ring, 2, IOSQE_IO_HARDLINK, 0);
	ops_nop(&ops->ring, 3, IOSQE_IO_HARDLINK, 0);
	ops_nop(&ops->ring, 4, 0, 0);
	harness_submit(&ops->ring, 5);
	ops_collect(&ops->ring, results, 5);
	ops_assert_results(results, -EIO, -EAGAIN, -ECANCELED, -ECANCELED, -ECANCELED);
}

/* The cancelled ones follow in the order of the chain. */
static void cancelled_members_complete_in_order(void **state)
{
	struct ops *ops = *state;

	for (unsigned i = 0; i < 10; i++)
		ops_nop(&ops->ring, i, i < 9 ? IOSQE_IO_LINK : 0, i == 3 ? -EIO : 0);
	harness_submit(&ops->ring, 10);
	for (unsigned i = 0; i < 10; i++)
		ops_expect(&ops->ring, i, i < 3 ? 0 : i == 3 ? -EIO : -ECANCELED);
}

static void cancelled_members_do_nothing(void **state)
{
	static const unsigned flags[] = {0, IOSQE_ASYNC};
	struct ops *ops = *state;
	char byte;

	for (unsigned i = 0; i < ARRAY_SIZE(flags); i++) {
		int fd = harness_temp_file(0);
		int results[3];

		ops_prep(&ops->ring, 0, IOSQE_IO_LINK | flags[i], read, -1, &byte, 1, 0);
		ops_prep(&ops->ring, 1, IOSQE_IO_LINK | flags[i], write, fd, "x", 1, 0);
		ops_prep(&ops->ring, 2, flags[i], ftruncate, fd, 100);
		harness_submit(&ops->ring, 3);
		ops_collect(&ops->ring, results, 3);
		ops_assert_results(results, -EBADF, -ECANCELED, -ECANCELED);
		assert_int_equal(ops_file_size(fd), 0);
		close(fd);
	}
}

/* ---- preparation --------------------------------------------------------------------------- */

/*
 * Five members that write to the file, the one at place with an error that shows when it is
 * prepared, and a nop behind. consumed is what the submit returned.
 */
static int run_badly_prepared_chain(struct io_uring *ring, int fd, unsigned link, unsigned place,
				    int *results)
{
	int consumed;

	for (unsigned i = 0; i < 5; i++) {
		unsigned flags = i < 4 ? link : 0;

		if (i == place)
			ops_bad_nop(ring, i, flags);
		else
			ops_prep(ring, i, flags, write, fd, "x", 1, i);
	}
	ops_prep(ring, 5, 0, nop);
	consumed = io_uring_submit(ring);
	if (consumed == 5)
		harness_submit(ring, 1);
	ops_collect(ring, results, 6);
	return consumed;
}

/*
 * No member runs, and each but the bad one is cancelled. The chain is consumed as a whole; only
 * when the bad member is its last does the submit end there.
 */
static void a_badly_prepared_member_fails_the_whole_chain(void **state)
{
	static const unsigned links[] = {IOSQE_IO_LINK, IOSQE_IO_HARDLINK,
					 IOSQE_IO_LINK | IOSQE_ASYNC};
	struct ops *ops = *state;
	int fd = harness_temp_file(0);

	for (unsigned i = 0; i < ARRAY_SIZE(links); i++) {
		int results[6];

		for (unsigned place = 0; place < 5; place++) {
			int consumed =
				run_badly_prepared_chain(&ops->ring, fd, links[i], place, results);

			for (unsigned k = 0; k < 5; k++)
				assert_int_equal(results[k], k == place ? -EINVAL : -ECANCELED);
			assert_int_equal(results[5], 0);
			assert_int_equal(consumed, place == 4 ? 5 : 6);
			assert_int_equal(ops_file_size(fd), 0);
		}
	}
	close(fd);
}

static void submit_all_goes_on_behind_a_badly_prepared_chain(void **state)
{
	struct io_uring ring;
	int fd = harness_temp_file(0);
	int results[6];

	(void)state;
	harness_init(&ring, 16, IORING_SETUP_SUBMIT_ALL);
	assert_int_equal(run_badly_prepared_chain(&ring, fd, IOSQE_IO_LINK, 4, results), 6);
	ops_assert_results(results, -ECANCELED, -ECANCELED, -ECANCELED, -ECANCELED, -EINVAL, 0);
	io_uring_queue_exit(&ring);
	close(fd);
}

static void each_badly_prepared_member_has_its_own_error(void **state)
{
	struct ops *ops = *state;
	struct io_uring_sqe *sqe;
	int results[4];

	ops_prep(&ops->ring, 0, IOSQE_IO_LINK, nop);
	ops_bad_nop(&ops->ring, 1, IOSQE_IO_LINK);
	sqe = ops_prep(&ops->ring, 2, IOSQE_IO_LINK, openat, AT_FDCWD, NULL, O_RDONLY, 0);
	sqe->user_data = 2;
	ops_prep(&ops->ring, 3, 0, nop);
	harness_submit(&ops->ring, 4);
	ops_collect(&ops->ring, results, 4);
	ops_assert_results(results, -ECANCELED, -EINVAL, -EFAULT, -ECANCELED);
}

/* ---- short transfers ----------------------------------------------------------------------- */

static void a_short_read_breaks_a_soft_link(void **state)
{
	struct ops *ops = *state;
	int fd = harness_temp_file(10);
	char buffer[16];
	int results[3];

	ops_prep(&ops->ring, 0, IOSQE_IO_LINK, read, fd, buffer, 10, 0);
	ops_prep(&ops->ring, 1, IOSQE_IO_LINK, read, fd, buffer, 11, 0);
	ops_prep(&ops->ring, 2, 0, nop);
	harness_submit(&ops->ring, 3);
	ops_collect(&ops->ring, results, 3);
	ops_assert_results(results, 10, 10, -ECANCELED);

	ops_prep(&ops->ring, 0, IOSQE_IO_HARDLINK, read, fd, buffer, 11, 0);
	ops_prep(&ops->ring, 1, IOSQE_IO_HARDLINK, read, fd, buffer, 11, 10);
	ops_prep(&ops->ring, 2, 0, nop);
	harness_submit(&ops->ring, 3);
	ops_collect(&ops->ring, results, 3);
	ops_assert_results(results, 10, 0, 0);
	close(fd);
}

static void a_short_read_of_a_pipe_breaks_a_soft_link(void **state)
{
	static const unsigned flags[] = {0, IOSQE_ASYNC};
	struct ops *ops = *state;
	int fds[2];
	char buffer[16];
	struct iovec vector[] = {{buffer, 2}, {buffer + 2, 4}};

	harness_pipe(fds);
	for (unsigned i = 0; i < ARRAY_SIZE(flags); i++) {
		int results[2];

		ops_prep(&ops->ring, 0, IOSQE_IO_LINK | flags[i], readv, fds[0], vector, 2, 0);
		ops_prep(&ops->ring, 1, 0, nop);
		harness_submit(&ops->ring, 2);
		assert_int_equal(write(fds[1], "abcde", 5), 5);
		ops_collect(&ops->ring, results, 2);
		ops_assert_results(results, 5, -ECANCELED);
	}
	harness_close_pipe(fds);
}

static void a_short_write_breaks_a_soft_link(void **state)
{
	struct ops *ops = *state;
	int fds[2];
	int capacity, results[2];
	char *block;

	harness_pipe(fds);
	capacity = fcntl(fds[1], F_GETPIPE_SZ);
	assert_true(capacity > 0);
	block = calloc(2, (size_t)capacity);
	assert_non_null(block);
	ops_prep(&ops->ring, 0, IOSQE_IO_LINK, write, fds[1], block, 2 * (unsigned)capacity, 0);
	ops_prep(&ops->ring, 1, 0, nop);
	harness_submit(&ops->ring, 2);
	ops_collect(&ops->ring, results, 2);
	ops_assert_results(results, capacity, -ECANCELED);
	free(block);
	harness_close_pipe(fds);
}

/* ---- borders of a chain -------------------------------------------------------------------- */

/* A chain ends with its submit, whatever the last flag says. */
static void a_chain_does_not_reach_into_the_next_submit(void **state)
{
	struct ops *ops = *state;
	int results[2];

	ops_nop(&ops->ring, 0, IOSQE_IO_LINK, -EIO);
	harness_submit(&ops->ring, 1);
	ops_nop(&ops->ring, 1, 0, 0);
	harness_submit(&ops->ring, 1);
	ops_collect(&ops->ring, results, 2);
	ops_assert_results(results, -EIO, 0);
}

/* So it does when one call takes only a part of what lies in the queue. */
static void a_chain_cut_by_a_partial_submit_ends_there(void **state)
{
	struct harness_raw raw;
	struct io_uring_sqe *sqe;
	int fds[2];
	char byte;

	(void)state;
	harness_pipe(fds);
	harness_raw_setup(&raw, 4, NULL);
	sqe = harness_raw_sqe(&raw, 0);
	io_uring_prep_read(sqe, fds[0], &byte, 1, 0);
	sqe->flags = IOSQE_IO_LINK;
	sqe->user_data = 10;
	harness_raw_queue(&raw, 0);
	sqe = harness_raw_sqe(&raw, 1);
	io_uring_prep_nop(sqe);
	sqe->user_data = 11;
	harness_raw_queue(&raw, 1);

	assert_int_equal(io_uring_enter(raw.fd, 1, 0, 0, NULL), 1);
	assert_int_equal(io_uring_enter(raw.fd, 1, 1, IORING_ENTER_GETEVENTS, NULL), 1);
	assert_int_equal(harness_raw_ready(&raw), 1);
	assert_int_equal(harness_raw_cqe(&raw, 0)->user_data, 11);
	assert_int_equal(write(fds[1], "x", 1), 1);
	assert_int_equal(io_uring_enter(raw.fd, 0, 2, IORING_ENTER_GETEVENTS, NULL), 0);
	assert_int_equal(harness_raw_cqe(&raw, 1)->user_data, 10);
	assert_int_equal(harness_raw_cqe(&raw, 1)->res, 1);
	harness_raw_close(&raw);
	harness_close_pipe(fds);
}

static void chains_of_one_submit_are_independent(void **state)
{
	struct ops *ops = *state;
	int results[7];

	ops_nop(&ops->ring, 0, IOSQE_IO_LINK, -EIO);
	ops_nop(&ops->ring, 1, 0, 0);
	ops_nop(&ops->ring, 2, IOSQE_IO_LINK, 0);
	ops_nop(&ops->ring, 3, 0, -EIO);
	ops_nop(&ops->ring, 4, 0, 0);
	ops_nop(&ops->ring, 5, IOSQE_IO_HARDLINK, -EIO);
	ops_nop(&ops->ring, 6, 0, 0);
	harness_submit(&ops->ring, 7);
	ops_collect(&ops->ring, results, 7);
	ops_assert_results(results, -EIO, -ECANCELED, 0, -EIO, 0, -EIO, 0);
}

/* Many chains at once, members in workers and inline mixed, each in its own order. */
static void many_chains_keep_their_orders(void **state)
{
	enum { CHAINS = 64, LENGTH = 8 };
	struct io_uring ring;
	unsigned next[CHAINS] = {0};
	int fd = harness_temp_file(4096);
	char buffers[CHAINS][16];

	(void)state;
	harness_init(&ring, CHAINS * LENGTH, 0);
	for (unsigned chain = 0; chain < CHAINS; chain++) {
		for (unsigned i = 0; i < LENGTH; i++) {
			unsigned flags = i + 1 < LENGTH ? IOSQE_IO_LINK : 0;
			uint64_t data = (uint64_t)chain << 32 | i;

			if ((chain + i) % 3 == 0)
				flags |= IOSQE_ASYNC;
			if ((chain + i) % 2)
				ops_prep(&ring, data, flags, read, fd, buffers[chain], 16, 64 * i);
			else
				ops_nop(&ring, data, flags, 16);
		}
	}
	harness_submit(&ring, CHAINS * LENGTH);
	for (unsigned i = 0; i < CHAINS * LENGTH; i++) {
		struct harness_cqe cqe = harness_next(&ring);
		unsigned chain = (unsigned)(cqe.user_data >> 32);

		assert_in_range(chain, 0, CHAINS - 1);
		assert_int_equal(cqe.user_data & 0xffffffff, next[chain]);
		assert_int_equal(cqe.res, 16);
		next[chain]++;
	}
	io_uring_queue_exit(&ring);
	close(fd);
}

/* ---- files of a chain ---------------------------------------------------------------------- */

/* Direct descriptors are looked up when the member starts: the file is opened on the way. */
static void open_read_close_with_a_direct_descriptor(void **state)
{
	static const unsigned flags[] = {0, IOSQE_ASYNC};
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int empty = -1;
	unsigned before;

	close(ops_create(ops, "file", "content"));
	assert_int_equal(io_uring_register_files(ring, &empty, 1), 0);
	before = harness_fd_count();
	for (unsigned i = 0; i < 2 * ARRAY_SIZE(flags); i++) {
		unsigned flag = flags[i % ARRAY_SIZE(flags)];
		char buffer[8] = "";
		int results[4];

		ops_prep(ring, 0, flag | IOSQE_IO_LINK, openat_direct, ops->dir, "file", O_RDONLY,
			 0, 0);
		ops_prep(ring, 1, flag | IOSQE_IO_LINK | IOSQE_FIXED_FILE, read, 0, buffer, 7, 0);
		ops_prep(ring, 2, flag | IOSQE_IO_LINK, close_direct, 0);
		ops_prep(ring, 3, flag | IOSQE_FIXED_FILE, read, 0, buffer, 7, 0);
		harness_submit(ring, 4);
		ops_collect(ring, results, 4);
		ops_assert_results(results, 0, 7, 0, -EBADF);
		assert_memory_equal(buffer, "content", 7);
	}
	assert_int_equal(harness_fd_count(), before);
}

/* An ordinary descriptor is looked up when the member starts too. */
static void ordinary_descriptors_are_looked_up_at_the_start(void **state)
{
	struct ops *ops = *state;
	int gate[2];
	char byte, buffer[8] = "";
	int fd, results[2];

	harness_pipe(gate);
	fd = ops_create(ops, "file", "before");
	ops_prep(&ops->ring, 0, IOSQE_IO_LINK, read, gate[0], &byte, 1, 0);
	ops_prep(&ops->ring, 1, 0, read, fd, buffer, 6, 0);
	harness_submit(&ops->ring, 2);
	/* The number now means another file. */
	close(fd);
	assert_int_equal(ops_create(ops, "other", "after."), fd);
	assert_int_equal(write(gate[1], "x", 1), 1);
	ops_collect(&ops->ring, results, 2);
	ops_assert_results(results, 1, 6);
	assert_memory_equal(buffer, "after.", 6);
	close(fd);
	harness_close_pipe(gate);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ops_test(a_chain_completes_in_order),
		ops_test(a_member_waits_for_the_one_before),
		ops_test(a_failure_cancels_the_rest_of_a_soft_chain),
		ops_test(a_failure_does_not_break_a_hard_chain),
		ops_test(the_failing_members_link_decides),
		ops_test(cancelled_members_complete_in_order),
		ops_test(cancelled_members_do_nothing),
		ops_test(a_badly_prepared_member_fails_the_whole_chain),
		ops_test(submit_all_goes_on_behind_a_badly_prepared_chain),
		ops_test(each_badly_prepared_member_has_its_own_error),
		ops_test(a_short_read_breaks_a_soft_link),
		ops_test(a_short_read_of_a_pipe_breaks_a_soft_link),
		ops_test(a_short_write_breaks_a_soft_link),
		ops_test(a_chain_does_not_reach_into_the_next_submit),
		ops_test(a_chain_cut_by_a_partial_submit_ends_there),
		ops_test(chains_of_one_submit_are_independent),
		ops_test(many_chains_keep_their_orders),
		ops_dir_test(open_read_close_with_a_direct_descriptor),
		ops_dir_test(ordinary_descriptors_are_looked_up_at_the_start),
	};

	return harness_run(tests);
}
