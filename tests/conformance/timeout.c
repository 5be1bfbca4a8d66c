/* SPDX-License-Identifier: MIT */
/*
 * Description: TIMEOUT: running out, what is refused, links, drains, and the wait it ends. Counts,
 * clocks, multishots, removal and update each have a file of their own.
 */
#include "harness-wait.h"
#include "readiness_helpers.h"

#include <sys/mman.h>

/* Of Linux 7.0: IORING_TIMEOUT_IMMEDIATE_ARG */
#define IMMEDIATE (1u << 7)

static void it_runs_out(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct __kernel_timespec soon = harness_msec(20);
	uint64_t start = harness_now_ns();

	ops_prep(ring, 1, 0, timeout, &soon, 0, 0);
	harness_submit(ring, 1);
	harness_assert_empty(ring);
	expect(ring, 1, -ETIME);
	assert_true(harness_now_ns() - start >= 20 * MSEC);
	expect_idle(ring);
}

/* Nothing to wait for is waited for all the same: not the submit completes it, the timer does. */
static void no_time_at_all(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;

	for (unsigned i = 0; i < 20; i++) {
		ops_prep(ring, 1, 0, timeout, &at_once, 0, 0);
		harness_submit(ring, 1);
		expect(ring, 1, -ETIME);
	}
	expect_idle(ring);
}

/* The time specification is read during the submit. */
static void the_time_is_copied(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct __kernel_timespec time = never;

	ops_prep(ring, 1, 0, timeout, &time, 0, 0);
	harness_submit(ring, 1);
	time = at_once;
	ops_prep(ring, 2, 0, timeout, &time, 0, 0);
	harness_submit(ring, 1);
	time = never;
	expect(ring, 2, -ETIME);
	expect_pending(ring, 1);
}

/* Times that lie side by side, up to where there is no memory any more. */
static void each_has_its_own_time(void **state)
{
	enum { TIMES = 80, BAD = 33, COUNT = TIMES + 1 };
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct __kernel_timespec *times, *last;
	struct io_uring ring;
	char *memory;

	(void)state;
	memory = mmap(NULL, 3 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(memory, MAP_FAILED);
	assert_int_equal(mprotect(memory + 2 * page, page, PROT_NONE), 0);
	/* They begin in the first page, one of them at its end and in the next. */
	times = (void *)(memory + page - 40 * sizeof(*times) - 8);
	last = (void *)(memory + 2 * page - sizeof(*last));
	harness_init(&ring, 128, IORING_SETUP_SUBMIT_ALL);
	for (unsigned i = 0; i < TIMES; i++) {
		times[i] = i % 2 ? never : at_once;
		ops_prep(&ring, i, 0, timeout, &times[i], 0, 0);
		if (i == BAD)
			times[i].tv_nsec = -1;
	}
	*last = at_once;
	ops_prep(&ring, TIMES, 0, timeout, last, 0, 0);
	ops_prep(&ring, COUNT, 0, timeout, (struct __kernel_timespec *)((char *)last + 8), 0, 0);
	ops_prep(&ring, COUNT + 1, 0, timeout, last + 1, 0, 0);
	harness_submit(&ring, COUNT + 2);
	for (unsigned i = 0; i < TIMES / 2 + 4; i++) {
		struct harness_cqe cqe = harness_next(&ring);

		if (cqe.user_data == BAD)
			assert_int_equal(cqe.res, -EINVAL);
		else if (cqe.user_data >= COUNT)
			assert_int_equal(cqe.res, -EFAULT);
		else
			assert_int_equal(cqe.res, -ETIME);
		assert_true(cqe.user_data >= TIMES || cqe.user_data % 2 == 0 ||
			    cqe.user_data == BAD);
	}
	harness_assert_empty(&ring);
	io_uring_queue_exit(&ring);
	munmap(memory, 3 * page);
}

/* What a request before it in the submission has written counts. */
static void a_time_may_come_from_a_read(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct __kernel_timespec times[2] = {never, never};
	int fds[2];

	harness_pipe(fds);
	assert_int_equal(write(fds[1], &at_once, sizeof(at_once)), sizeof(at_once));
	ops_prep(ring, 1, 0, timeout, &times[0], 0, 0);
	ops_prep(ring, 2, 0, read, fds[0], &times[1], sizeof(times[1]), 0);
	ops_prep(ring, 3, 0, timeout, &times[1], 0, 0);
	harness_submit(ring, 3);
	expect(ring, 2, sizeof(times[1]));
	expect(ring, 3, -ETIME);
	expect_pending(ring, 1);
	harness_close_pipe(fds);
}

static void several_run_out_in_order(void **state)
{
	static const unsigned order[] = {3, 0, 4, 1, 2};
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct __kernel_timespec times[ARRAY_SIZE(order)];

	for (unsigned i = 0; i < ARRAY_SIZE(order); i++) {
		times[i] = harness_msec(20 + 10 * order[i]);
		ops_prep(ring, order[i], 0, timeout, &times[i], 0, 0);
	}
	harness_submit(ring, ARRAY_SIZE(order));
	for (unsigned i = 0; i < ARRAY_SIZE(order); i++)
		expect(ring, i, -ETIME);
	expect_idle(ring);
}

static void hundreds_at_once(void **state)
{
	enum { TIMEOUTS = 512 };
	struct io_uring ring;
	struct __kernel_timespec soon = harness_msec(5);
	int results[TIMEOUTS];

	(void)state;
	harness_init(&ring, TIMEOUTS, 0);
	for (unsigned i = 0; i < TIMEOUTS; i++)
		ops_prep(&ring, i, 0, timeout, &soon, 0, 0);
	harness_submit(&ring, TIMEOUTS);
	ops_collect(&ring, results, TIMEOUTS);
	for (unsigned i = 0; i < TIMEOUTS; i++)
		assert_int_equal(results[i], -ETIME);
	expect_idle(&ring);
	io_uring_queue_exit(&ring);
}

static void pending_ones_do_not_hold_up_the_exit(void **state)
{
	static const unsigned flags[] = {0, IORING_SETUP_SQPOLL, DEFER};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(flags); i++) {
		struct io_uring ring;

		harness_init(&ring, 8, flags[i]);
		for (unsigned k = 0; k < 8; k++)
			ops_prep(&ring, k, 0, timeout, &never, k, 0);
		harness_submit(&ring, 8);
		io_uring_queue_exit(&ring);
	}
}

/* ---- the wait it ends ---------------------------------------------------------------------- */

/* Running out ends a wait for more completions than there are, whatever the ring. */
static void it_ends_a_wait(void **state)
{
	static const unsigned flags[] = {0, DEFER, IORING_SETUP_COOP_TASKRUN};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(flags); i++) {
		struct __kernel_timespec soon = harness_msec(5);
		struct io_uring ring;

		harness_init(&ring, 8, flags[i]);
		ops_prep(&ring, 1, 0, timeout, &soon, 0, 0);
		assert_int_equal(io_uring_submit_and_wait(&ring, 4), 1);
		assert_int_equal(io_uring_cq_ready(&ring), 1);
		expect(&ring, 1, -ETIME);
		io_uring_queue_exit(&ring);
	}
}

/* And so does reaching its count. */
static void its_count_ends_a_wait(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct waiter waiter;
	int fds[2];

	harness_pipe(fds);
	ops_prep(ring, 1, 0, timeout, &never, 1, 0);
	ops_prep(ring, 2, 0, poll_add, fds[0], POLLIN);
	harness_submit(ring, 2);
	start_waiter(&waiter, ring, 8, NULL);
	put_byte(fds[1]);
	assert_int_equal(join_waiter(&waiter), 0);
	assert_int_equal(io_uring_cq_ready(ring), 2);
	expect(ring, 2, POLLIN);
	expect(ring, 1, 0);
	harness_close_pipe(fds);
}

/* ---- links and drains ---------------------------------------------------------------------- */

static void running_out_breaks_a_soft_link(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;

	ops_prep(ring, 1, IOSQE_IO_LINK, timeout, &at_once, 0, 0);
	ops_prep(ring, 2, 0, nop);
	harness_submit(ring, 2);
	expect(ring, 1, -ETIME);
	expect(ring, 2, -ECANCELED);
	ops_prep(ring, 1, IOSQE_IO_HARDLINK, timeout, &at_once, 0, 0);
	ops_prep(ring, 2, 0, nop);
	harness_submit(ring, 2);
	expect(ring, 1, -ETIME);
	expect(ring, 2, 0);
}

static void unless_it_counts_as_success(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	unsigned success = IORING_TIMEOUT_ETIME_SUCCESS;

	ops_prep(ring, 1, IOSQE_IO_LINK, timeout, &at_once, 0, success);
	ops_prep(ring, 2, IOSQE_IO_LINK, timeout, &at_once, 0, success);
	ops_prep(ring, 3, 0, nop);
	harness_submit(ring, 3);
	expect(ring, 1, -ETIME);
	expect(ring, 2, -ETIME);
	expect(ring, 3, 0);
	/* A cancellation is none even so. */
	ops_prep(ring, 1, IOSQE_IO_LINK, timeout, &never, 0, success);
	ops_prep(ring, 2, 0, nop);
	harness_submit(ring, 2);
	ops_prep(ring, 3, 0, timeout_remove, 1, 0);
	harness_submit(ring, 1);
	expect_both(ring, 3, 0, 1, -ECANCELED);
	expect(ring, 2, -ECANCELED);
}

/* Success is silent with the flag; running out is success only if it is said to be. */
static void skipped_completions(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	unsigned skip = IOSQE_CQE_SKIP_SUCCESS, success = IORING_TIMEOUT_ETIME_SUCCESS;

	ops_prep(ring, 1, skip, timeout, &at_once, 0, 0);
	harness_submit(ring, 1);
	expect(ring, 1, -ETIME);
	ops_prep(ring, 1, skip | IOSQE_IO_LINK, timeout, &at_once, 0, success);
	ops_prep(ring, 2, 0, nop);
	harness_submit(ring, 2);
	expect(ring, 2, 0);
	/* The count reached is success. */
	ops_prep(ring, 1, skip, timeout, &never, 1, 0);
	ops_prep(ring, 2, 0, nop);
	harness_submit(ring, 2);
	expect(ring, 2, 0);
	expect_idle(ring);
	ops_prep(ring, 1, skip, timeout, &never, 0, 0);
	harness_submit(ring, 1);
	expect_pending(ring, 1);
}

static void its_turn_in_a_chain_starts_the_clock(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int fds[2];

	harness_pipe(fds);
	ops_prep(ring, 1, IOSQE_IO_LINK, poll_add, fds[0], POLLIN);
	ops_prep(ring, 2, 0, timeout, &at_once, 0, 0);
	harness_submit(ring, 2);
	ops_prep(ring, 3, 0, timeout, &at_once, 0, 0);
	harness_submit(ring, 1);
	expect(ring, 3, -ETIME);
	harness_assert_empty(ring);
	put_byte(fds[1]);
	expect(ring, 1, POLLIN);
	expect(ring, 2, -ETIME);
	harness_close_pipe(fds);
}

static void a_drain_waits_for_it(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct __kernel_timespec soon = harness_msec(5);

	ops_prep(ring, 1, 0, timeout, &soon, 0, 0);
	ops_prep(ring, 2, IOSQE_IO_DRAIN, nop);
	harness_submit(ring, 2);
	expect(ring, 1, -ETIME);
	expect(ring, 2, 0);
	ops_prep(ring, 1, 0, timeout, &soon, 0, 0);
	ops_prep(ring, 2, IOSQE_IO_DRAIN, timeout, &at_once, 0, 0);
	ops_prep(ring, 3, 0, nop);
	harness_submit(ring, 3);
	expect(ring, 1, -ETIME);
	expect_both(ring, 2, -ETIME, 3, 0);
}

/* ---- bad requests -------------------------------------------------------------------------- */

static void fields_are_checked(void **state)
{
	static const struct {
		unsigned offset, value, size;
		int res;
	} fields[] = {
		{offsetof(struct io_uring_sqe, ioprio), 1, 2, -EINVAL},
		{offsetof(struct io_uring_sqe, buf_index), 1, 2, -EINVAL},
		{offsetof(struct io_uring_sqe, personality), 77, 2, -EINVAL},
		{offsetof(struct io_uring_sqe, splice_fd_in), 1, 4, -EINVAL},
		{offsetof(struct io_uring_sqe, addr3), 1, 4, -EINVAL},
		{offsetof(struct io_uring_sqe, len), 0, 4, -EINVAL},
		{offsetof(struct io_uring_sqe, len), 2, 4, -EINVAL},
		{offsetof(struct io_uring_sqe, fd), 99999, 4, -ETIME},
		{offsetof(struct io_uring_sqe, flags), IOSQE_FIXED_FILE, 1, -ETIME},
		{offsetof(struct io_uring_sqe, flags), IOSQE_ASYNC, 1, -ETIME},
		{offsetof(struct io_uring_sqe, flags), IOSQE_BUFFER_SELECT, 1, -EOPNOTSUPP},
	};
	struct ops *ops = *state;

	for (unsigned i = 0; i < ARRAY_SIZE(fields); i++) {
		struct io_uring_sqe *sqe = ops_prep(&ops->ring, i, 0, timeout, &at_once, 0, 0);

		memcpy((char *)sqe + fields[i].offset, &fields[i].value, fields[i].size);
		harness_submit(&ops->ring, 1);
		expect(&ops->ring, i, fields[i].res);
	}
}

static void flags_are_checked(void **state)
{
	enum {
		KNOWN = IORING_TIMEOUT_ABS | IORING_TIMEOUT_CLOCK_MASK |
			IORING_TIMEOUT_ETIME_SUCCESS | IORING_TIMEOUT_MULTISHOT,
		BOTH = IORING_TIMEOUT_ABS | IORING_TIMEOUT_MULTISHOT,
	};
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct __kernel_timespec distant = {.tv_sec = INT64_MAX};

	/* The eighth has a test of its own. */
	for (unsigned flags = 0; flags < 128; flags++) {
		bool good = !(flags & ~(unsigned)KNOWN) && (flags & BOTH) != BOTH &&
			    (flags & IORING_TIMEOUT_CLOCK_MASK) != IORING_TIMEOUT_CLOCK_MASK;

		ops_prep(ring, 1, 0, timeout, &distant, 0, flags);
		harness_submit(ring, 1);
		if (good)
			expect_pending(ring, 1);
		else
			expect(ring, 1, -EINVAL);
	}
	for (unsigned bit = 8; bit < 32; bit++) {
		ops_prep(ring, 1, 0, timeout, &distant, 0, 1u << bit);
		harness_submit(ring, 1);
		expect(ring, 1, -EINVAL);
	}
}

static int run_immediate(struct io_uring *ring, uint64_t ns, unsigned flags)
{
	ops_prep(ring, 1, 0, timeout, NULL, 0, IMMEDIATE | flags)->addr = ns;
	harness_submit(ring, 1);
	return harness_next(ring).res;
}

/* The time itself in the place of its address. */
static void the_time_is_immediate(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	const uint64_t forever = INT64_MAX, long_ago = 1, negative = UINT64_MAX;
	uint64_t start;
	int fds[2];

	if (run_immediate(ring, 0, 0) == -EINVAL) {
		print_message("this kernel has no TIMEOUT_IMMEDIATE_ARG\n");
		skip();
	}
	start = harness_now_ns();
	assert_int_equal(run_immediate(ring, 20 * MSEC, 0), -ETIME);
	assert_true(harness_now_ns() - start >= 20 * MSEC);
	assert_int_equal(run_immediate(ring, long_ago, IORING_TIMEOUT_ABS), -ETIME);
	assert_int_equal(run_immediate(ring, negative, 0), -EINVAL);
	assert_int_equal(run_immediate(ring, negative, IORING_TIMEOUT_ABS), -EINVAL);

	ops_prep(ring, 2, 0, timeout, NULL, 0, IMMEDIATE)->addr = forever;
	harness_submit(ring, 1);
	ops_prep(ring, 3, 0, timeout_update, NULL, 2, IMMEDIATE)->addr2 = negative;
	harness_submit(ring, 1);
	expect(ring, 3, -EINVAL);
	harness_assert_empty(ring);
	ops_prep(ring, 3, 0, timeout_update, NULL, 2, IMMEDIATE)->addr2 = MSEC;
	harness_submit(ring, 1);
	expect(ring, 3, 0);
	expect(ring, 2, -ETIME);

	harness_pipe(fds);
	ops_prep(ring, 1, IOSQE_IO_LINK, poll_add, fds[0], POLLIN);
	ops_prep(ring, 2, 0, link_timeout, NULL, IMMEDIATE)->addr = MSEC;
	harness_submit(ring, 2);
	for (unsigned i = 0; i < 2; i++) {
		struct harness_cqe cqe = harness_next(ring);

		assert_int_equal(cqe.res, cqe.user_data == 1 ? -ECANCELED : -ETIME);
	}
	harness_close_pipe(fds);
	expect_idle(ring);
}

static void times_are_checked(void **state)
{
	static struct __kernel_timespec bad[] = {
		{.tv_sec = -1}, {.tv_nsec = -1}, {.tv_sec = 1, .tv_nsec = -1}, {INT64_MIN, 0}};
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	/* More nanoseconds than a second has are simply added. */
	struct __kernel_timespec carried = {.tv_sec = 50000, .tv_nsec = 3000000000};

	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		for (unsigned flags = 0; flags <= IORING_TIMEOUT_ABS; flags++) {
			ops_prep(ring, 1, 0, timeout, &bad[i], 0, flags);
			harness_submit(ring, 1);
			expect(ring, 1, -EINVAL);
		}
	}
	ops_prep(ring, 1, 0, timeout, NULL, 0, 0);
	harness_submit(ring, 1);
	expect(ring, 1, -EFAULT);
	ops_prep(ring, 1, 0, timeout, ops_bad_address(), 0, 0);
	harness_submit(ring, 1);
	expect(ring, 1, -EFAULT);
	ops_prep(ring, 1, 0, timeout, &carried, 0, 0);
	harness_submit(ring, 1);
	expect_pending(ring, 1);
	carried = (struct __kernel_timespec){.tv_nsec = INT64_MAX};
	ops_prep(ring, 1, 0, timeout, &carried, 0, 0);
	harness_submit(ring, 1);
	expect_pending(ring, 1);
}

/* All of this is found out when the request is prepared: the batch ends there. */
static void a_bad_one_ends_the_batch(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;

	ops_prep(ring, 1, 0, timeout, NULL, 0, 0);
	ops_prep(ring, 2, 0, nop);
	harness_submit(ring, 1);
	expect(ring, 1, -EFAULT);
	harness_submit(ring, 1);
	expect(ring, 2, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ops_test(it_runs_out),
		ops_test(no_time_at_all),
		ops_test(the_time_is_copied),
		cmocka_unit_test(each_has_its_own_time),
		ops_test(a_time_may_come_from_a_read),
		ops_test(several_run_out_in_order),
		cmocka_unit_test(hundreds_at_once),
		cmocka_unit_test(pending_ones_do_not_hold_up_the_exit),
		cmocka_unit_test(it_ends_a_wait),
		ops_test(its_count_ends_a_wait),
		ops_test(running_out_breaks_a_soft_link),
		ops_test(unless_it_counts_as_success),
		ops_test(skipped_completions),
		ops_test(its_turn_in_a_chain_starts_the_clock),
		ops_test(a_drain_waits_for_it),
		ops_test(fields_are_checked),
		ops_test(flags_are_checked),
		ops_test(the_time_is_immediate),
		ops_test(times_are_checked),
		ops_test(a_bad_one_ends_the_batch),
	};

	return harness_run(tests);
}
