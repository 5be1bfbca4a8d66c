/* SPDX-License-Identifier: MIT */
/*
 * Description: IORING_REGISTER_IOWQ_MAX_WORKERS: reading and setting the two limits, what they
 * belong to, refusals, and that a limit is kept.
 */
#include "rsrc_helpers.h"

enum { BOUNDED, UNBOUNDED };

static struct io_uring ring;
static unsigned before[2];

/* The limits belong to the thread, not to the ring: put them back after each test. */
static int setup(void **state)
{
	(void)state;
	harness_init(&ring, 8, 0);
	before[0] = before[1] = 0;
	return io_uring_register_iowq_max_workers(&ring, before);
}

static int teardown(void **state)
{
	(void)state;
	io_uring_register_iowq_max_workers(&ring, before);
	io_uring_queue_exit(&ring);
	return 0;
}

/* Set (0: leave) and check what was there. */
static void swap_limits(struct io_uring *which, unsigned bounded, unsigned unbounded,
			unsigned old_bounded, unsigned old_unbounded)
{
	unsigned values[2] = {bounded, unbounded};

	assert_int_equal(io_uring_register_iowq_max_workers(which, values), 0);
	assert_int_equal(values[BOUNDED], old_bounded);
	assert_int_equal(values[UNBOUNDED], old_unbounded);
}

static void there_are_limits_from_the_start(void **state)
{
	(void)state;
	assert_int_not_equal(before[BOUNDED], 0);
	assert_int_not_equal(before[UNBOUNDED], 0);
	swap_limits(&ring, 0, 0, before[BOUNDED], before[UNBOUNDED]);
}

static void zero_leaves_a_limit(void **state)
{
	(void)state;
	swap_limits(&ring, 3, 0, before[BOUNDED], before[UNBOUNDED]);
	swap_limits(&ring, 0, 5, 3, before[UNBOUNDED]);
	swap_limits(&ring, 0, 0, 3, 5);
	swap_limits(&ring, 7, 9, 3, 5);
	swap_limits(&ring, 0, 0, 7, 9);
}

/*
 * The next ring of the thread finds what was set through the one before. (How two rings of
 * different limits get on is left open: the kernel has whichever ring is called last impose its own
 * again, even if it is only asked.)
 */
static void next_ring_finds_the_limits(void **state)
{
	struct io_uring other;

	(void)state;
	swap_limits(&ring, 3, 5, before[BOUNDED], before[UNBOUNDED]);
	harness_init(&other, 4, 0);
	swap_limits(&other, 4, 6, 3, 5);
	swap_limits(&other, 0, 0, 4, 6);
	io_uring_queue_exit(&other);
}

/*
 * An SQ thread has limits of its own, because the kernel keeps workers for each task. asyncring has
 * one pool for the process, and so one pair of limits.
 */
static void sq_thread_has_its_own_limits(void **state)
{
	unsigned values[2] = {11, 13};
	struct io_uring other;

	(void)state;
	if (!harness_kernel())
		skip();
	swap_limits(&ring, 3, 5, before[BOUNDED], before[UNBOUNDED]);
	harness_init(&other, 4, IORING_SETUP_SQPOLL);
	assert_int_equal(io_uring_register_iowq_max_workers(&other, values), 0);
	swap_limits(&other, 0, 0, 11, 13);
	swap_limits(&ring, 0, 0, 3, 5);
	io_uring_queue_exit(&other);
}

static void beyond_an_int(void **state)
{
	unsigned values[2] = {1u << 31, 0};

	(void)state;
	assert_int_equal(io_uring_register_iowq_max_workers(&ring, values), -EINVAL);
	values[0] = 2;
	values[1] = UINT_MAX;
	assert_int_equal(io_uring_register_iowq_max_workers(&ring, values), -EINVAL);
	/* Neither of the two has been set. */
	swap_limits(&ring, 0, 0, before[BOUNDED], before[UNBOUNDED]);
}

/* More than the user may have of processes is cut down to that, silently. */
static void bounded_by_the_process_limit(void **state)
{
	struct rlimit limit, lowered;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NPROC, &limit), 0);
	if (limit.rlim_max < 4000)
		skip();
	lowered = limit;
	lowered.rlim_cur = 4000;
	assert_int_equal(setrlimit(RLIMIT_NPROC, &lowered), 0);
	swap_limits(&ring, 4001, INT_MAX, before[BOUNDED], before[UNBOUNDED]);
	swap_limits(&ring, 0, 0, 4000, 4000);
	assert_int_equal(setrlimit(RLIMIT_NPROC, &limit), 0);
	swap_limits(&ring, 0, 0, 4000, 4000);
}

static void arguments(void **state)
{
	unsigned fd = (unsigned)ring.ring_fd;
	unsigned opcode = IORING_REGISTER_IOWQ_MAX_WORKERS;
	unsigned values[3] = {0};

	(void)state;
	assert_int_equal(io_uring_register(fd, opcode, NULL, 2), -EINVAL);
	assert_int_equal(io_uring_register(fd, opcode, values, 0), -EINVAL);
	assert_int_equal(io_uring_register(fd, opcode, values, 1), -EINVAL);
	assert_int_equal(io_uring_register(fd, opcode, values, 3), -EINVAL);
	assert_int_equal(io_uring_register(fd, opcode, RSRC_BAD_POINTER, 2), -EFAULT);
	assert_int_equal(io_uring_register(fd, opcode, values, 2), 0);
}

static void disabled_ring_takes_limits(void **state)
{
	struct io_uring other;

	(void)state;
	harness_init(&other, 4, IORING_SETUP_R_DISABLED);
	swap_limits(&other, 3, 5, before[BOUNDED], before[UNBOUNDED]);
	swap_limits(&ring, 0, 0, 3, 5);
	io_uring_queue_exit(&other);
}

/* ---- is the limit kept? ---- */

/* Splices from two empty pipes into a third: each of them blocks a worker until data comes. */
struct splices {
	int input[2][2];
	int output[2];
};

static void start_splices(struct splices *splices)
{
	harness_pipe(splices->output);
	for (unsigned i = 0; i < 2; i++) {
		struct io_uring_sqe *sqe = harness_sqe(&ring);

		harness_pipe(splices->input[i]);
		io_uring_prep_splice(sqe, splices->input[i][0], -1, splices->output[1], -1, 8, 0);
		sqe->user_data = i;
	}
	harness_submit(&ring, 2);
	harness_assert_empty(&ring);
}

static void close_splices(struct splices *splices)
{
	harness_close_pipe(splices->input[0]);
	harness_close_pipe(splices->input[1]);
	harness_close_pipe(splices->output);
}

/* With one worker the second splice, whose data is there, waits for the first. */
static void one_worker_takes_one_at_a_time(void **state)
{
	struct harness_cqe cqes[2];
	struct splices splices;

	(void)state;
	swap_limits(&ring, 1, 1, before[BOUNDED], before[UNBOUNDED]);
	start_splices(&splices);
	assert_int_equal(write(splices.input[1][1], "b", 1), 1);
	assert_int_equal(write(splices.input[0][1], "a", 1), 1);
	harness_reap(&ring, cqes, 2);
	harness_assert_cqe(cqes[0], 0, 1);
	harness_assert_cqe(cqes[1], 1, 1);
	close_splices(&splices);
}

/* With two it does not. */
static void two_workers_take_two(void **state)
{
	struct harness_cqe cqe;
	struct splices splices;

	(void)state;
	swap_limits(&ring, 1, 2, before[BOUNDED], before[UNBOUNDED]);
	start_splices(&splices);
	assert_int_equal(write(splices.input[1][1], "b", 1), 1);
	cqe = harness_next(&ring);
	harness_assert_cqe(cqe, 1, 1);
	assert_int_equal(write(splices.input[0][1], "a", 1), 1);
	cqe = harness_next(&ring);
	harness_assert_cqe(cqe, 0, 1);
	close_splices(&splices);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(there_are_limits_from_the_start),
		TEST(zero_leaves_a_limit),
		TEST(next_ring_finds_the_limits),
		TEST(sq_thread_has_its_own_limits),
		TEST(beyond_an_int),
		TEST(bounded_by_the_process_limit),
		TEST(arguments),
		TEST(disabled_ring_takes_limits),
		TEST(one_worker_takes_one_at_a_time),
		TEST(two_workers_take_two),
	};

	return harness_run(tests);
}
