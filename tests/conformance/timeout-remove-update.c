/* SPDX-License-Identifier: MIT */
/*
 * Description: TIMEOUT_REMOVE: taking a timeout away, and giving it another time; the same for link
 * timeouts.
 */
#include "harness-wait.h"
#include "readiness_helpers.h"

enum {
	ABS = IORING_TIMEOUT_ABS,
	UPDATE = IORING_TIMEOUT_UPDATE,
	LINK = IORING_LINK_TIMEOUT_UPDATE,
	CHANGE = 100, /* user_data of removals and updates */
};

static void start_timeout(struct io_uring *ring, uint64_t user_data)
{
	ops_prep(ring, user_data, 0, timeout, &never, 0, 0);
	harness_submit(ring, 1);
}

static void remove_timeout(struct io_uring *ring, uint64_t user_data)
{
	ops_prep(ring, CHANGE, 0, timeout_remove, user_data, 0);
	harness_submit(ring, 1);
}

static void update(struct io_uring *ring, uint64_t user_data, struct __kernel_timespec *time,
		   unsigned flags)
{
	ops_prep(ring, CHANGE, 0, timeout_update, time, user_data, flags);
	harness_submit(ring, 1);
}

/* A poll that never completes by itself, with a link timeout: user_data 1 and 2. */
static void start_limited(struct io_uring *ring, int fd)
{
	ops_prep(ring, 1, IOSQE_IO_LINK, poll_add, fd, POLLIN);
	ops_prep(ring, 2, 0, link_timeout, &never, 0);
	harness_submit(ring, 2);
}

static void a_timeout_is_removed(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;

	start_timeout(ring, 1);
	remove_timeout(ring, 2);
	expect(ring, CHANGE, -ENOENT);
	remove_timeout(ring, 1);
	expect_both(ring, CHANGE, 0, 1, -ECANCELED);
	remove_timeout(ring, 1);
	expect(ring, CHANGE, -ENOENT);
	expect_idle(ring);
}

static void one_of_several_is_removed(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;

	for (unsigned i = 0; i < 3; i++)
		start_timeout(ring, 1);
	remove_timeout(ring, 1);
	expect_both(ring, CHANGE, 0, 1, -ECANCELED);
	expect_pending(ring, 2);
}

/* Polls, link timeouts, members that have not started, other rings' timeouts. */
static void others_are_not_found(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct io_uring other;
	int fds[2];

	harness_pipe(fds);
	harness_init(&other, 4, 0);
	start_timeout(&other, 5);
	start_limited(ring, fds[0]);
	ops_prep(ring, 3, IOSQE_IO_LINK, poll_add, fds[0], POLLIN);
	ops_prep(ring, 4, 0, timeout, &never, 0, 0);
	harness_submit(ring, 2);
	for (uint64_t user_data = 0; user_data <= 5; user_data++) {
		remove_timeout(ring, user_data);
		expect(ring, CHANGE, -ENOENT);
		update(ring, user_data, &at_once, 0);
		expect(ring, CHANGE, -ENOENT);
		if (user_data == 2)
			continue;
		update(ring, user_data, &at_once, LINK);
		expect(ring, CHANGE, -ENOENT);
	}
	put_byte(fds[1]);
	for (unsigned i = 0; i < 3; i++)
		assert_int_not_equal(harness_next(ring).user_data, 4);
	expect_pending(ring, 1);
	expect_pending(&other, 1);
	io_uring_queue_exit(&other);
	harness_close_pipe(fds);
}

static void chains_go_with_it(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;

	ops_prep(ring, 1, IOSQE_IO_LINK, timeout, &never, 0, 0);
	ops_prep(ring, 2, 0, nop);
	harness_submit(ring, 2);
	remove_timeout(ring, 1);
	expect_both(ring, CHANGE, 0, 1, -ECANCELED);
	expect(ring, 2, -ECANCELED);
	/* A removal that finds nothing breaks its own chain. */
	ops_prep(ring, 1, IOSQE_IO_LINK, timeout_remove, 77, 0);
	ops_prep(ring, 2, 0, nop);
	harness_submit(ring, 2);
	expect(ring, 1, -ENOENT);
	expect(ring, 2, -ECANCELED);
	start_timeout(ring, 3);
	ops_prep(ring, 1, IOSQE_IO_LINK, timeout_remove, 3, 0);
	ops_prep(ring, 2, 0, nop);
	harness_submit(ring, 2);
	for (unsigned i = 0; i < 3; i++) {
		struct harness_cqe cqe = harness_next(ring);

		assert_int_equal(cqe.res, cqe.user_data == 3 ? -ECANCELED : 0);
	}
}

/* ---- updates ------------------------------------------------------------------------------- */

static void sooner_and_later(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct __kernel_timespec soon = harness_msec(10), time = {.tv_sec = 50000};
	uint64_t start;

	start_timeout(ring, 1);
	update(ring, 1, &time, 0);
	expect(ring, CHANGE, 0);
	harness_assert_empty(ring);
	start = harness_now_ns();
	update(ring, 1, &soon, 0);
	expect(ring, CHANGE, 0);
	expect(ring, 1, -ETIME);
	assert_true(harness_now_ns() - start >= 10 * MSEC);
	update(ring, 1, &soon, 0);
	expect(ring, CHANGE, -ENOENT);
	/* One that would run out in a while does not once it is put off. */
	soon = harness_msec(2000);
	ops_prep(ring, 1, 0, timeout, &soon, 0, 0);
	harness_submit(ring, 1);
	update(ring, 1, &never, 0);
	expect(ring, CHANGE, 0);
	expect_pending(ring, 1);
}

static void to_a_point_in_time(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct __kernel_timespec past = {.tv_sec = 0}, future = {.tv_sec = INT64_MAX};

	start_timeout(ring, 1);
	update(ring, 1, &past, ABS);
	expect_both(ring, CHANGE, 0, 1, -ETIME);
	start_timeout(ring, 1);
	update(ring, 1, &future, ABS);
	expect(ring, CHANGE, 0);
	update(ring, 1, &past, 0);
	expect_both(ring, CHANGE, 0, 1, -ETIME);
	expect_idle(ring);
}

/* The update makes a mere timer out of one that counts completions. */
static void the_count_is_forgotten(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;

	ops_prep(ring, 1, 0, timeout, &never, 1, 0);
	/* The update's own completion would reach the count. */
	ops_prep(ring, CHANGE, 0, timeout_update, &never, 1, 0);
	harness_submit(ring, 2);
	expect(ring, CHANGE, 0);
	ops_prep(ring, 2, 0, nop);
	harness_submit(ring, 1);
	expect(ring, 2, 0);
	expect_pending(ring, 1);
}

static void the_order_of_time_is_the_new_one(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct __kernel_timespec times[] = {harness_msec(40), harness_msec(20), harness_msec(60)};

	for (unsigned i = 0; i < 3; i++)
		start_timeout(ring, i);
	for (unsigned i = 0; i < 3; i++) {
		update(ring, i, &times[i], 0);
		expect(ring, CHANGE, 0);
	}
	expect(ring, 1, -ETIME);
	expect(ring, 0, -ETIME);
	expect(ring, 2, -ETIME);
}

/* ---- link timeouts ------------------------------------------------------------------------- */

static void a_link_timeout_is_updated(void **state)
{
	static const unsigned flags[] = {0, IOSQE_ASYNC};
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int fds[2];

	harness_pipe(fds);
	for (unsigned i = 0; i < ARRAY_SIZE(flags); i++) {
		start_limited(ring, fds[0]);
		ops_prep(ring, CHANGE, flags[i], timeout_update, &at_once, 2, LINK);
		harness_submit(ring, 1);
		for (unsigned k = 0; k < 3; k++) {
			struct harness_cqe cqe = harness_next(ring);

			assert_int_equal(cqe.res, cqe.user_data == 2   ? -ETIME
						  : cqe.user_data == 1 ? -ECANCELED
								       : 0);
		}
		expect_idle(ring);
	}
	/* Put off, it does not run out, and goes with its target. */
	start_limited(ring, fds[0]);
	update(ring, 2, &never, LINK);
	expect(ring, CHANGE, 0);
	put_byte(fds[1]);
	expect_both(ring, 1, POLLIN, 2, -ECANCELED);
	update(ring, 2, &never, LINK);
	expect(ring, CHANGE, -ENOENT);
	harness_close_pipe(fds);
}

/* An ordinary timeout is none, whatever its name. */
static void the_kinds_are_told_apart(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int fds[2];

	harness_pipe(fds);
	start_limited(ring, fds[0]);
	start_timeout(ring, 2);
	update(ring, 2, &at_once, 0);
	expect_both(ring, CHANGE, 0, 2, -ETIME);
	start_timeout(ring, 2);
	update(ring, 2, &at_once, LINK);
	for (unsigned k = 0; k < 3; k++) {
		struct harness_cqe cqe = harness_next(ring);

		assert_int_equal(cqe.res, cqe.user_data == 2   ? -ETIME
					  : cqe.user_data == 1 ? -ECANCELED
							       : 0);
	}
	expect_pending(ring, 1);
	/* A link timeout has not started before its target has. */
	ops_prep(ring, 3, IOSQE_IO_LINK, poll_add, fds[0], POLLIN);
	ops_prep(ring, 1, IOSQE_IO_LINK, poll_add, fds[0], POLLIN);
	ops_prep(ring, 2, 0, link_timeout, &never, 0);
	harness_submit(ring, 3);
	update(ring, 2, &at_once, LINK);
	expect(ring, CHANGE, -ENOENT);
	put_byte(fds[1]);
	expect(ring, 3, POLLIN);
	expect(ring, 1, POLLIN);
	expect(ring, 2, -ECANCELED);
	harness_close_pipe(fds);
}

/* ---- bad requests -------------------------------------------------------------------------- */

static void flags_are_checked(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;

	/* The eighth, TIMEOUT_IMMEDIATE_ARG, depends on the kernel: timeout.c. */
	for (unsigned flags = 0; flags < 128; flags++) {
		bool good =
			!flags || ((flags & (UPDATE | LINK)) && !(flags & ~(UPDATE | LINK | ABS)));

		ops_prep(ring, CHANGE, 0, timeout_update, &never, 77, 0)->timeout_flags = flags;
		harness_submit(ring, 1);
		expect(ring, CHANGE, good ? -ENOENT : -EINVAL);
	}
	for (unsigned bit = 8; bit < 32; bit++) {
		update(ring, 77, &never, 1u << bit);
		expect(ring, CHANGE, -EINVAL);
	}
}

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
		{offsetof(struct io_uring_sqe, len), 1, 4, -EINVAL},
		{offsetof(struct io_uring_sqe, addr3), 1, 4, -EINVAL},
		{offsetof(struct io_uring_sqe, fd), 99999, 4, -ENOENT},
		{offsetof(struct io_uring_sqe, flags), IOSQE_ASYNC, 1, -ENOENT},
		{offsetof(struct io_uring_sqe, flags), IOSQE_FIXED_FILE, 1, -EINVAL},
		{offsetof(struct io_uring_sqe, flags), IOSQE_BUFFER_SELECT, 1, -EOPNOTSUPP},
	};
	struct ops *ops = *state;

	for (unsigned i = 0; i < 2 * ARRAY_SIZE(fields); i++) {
		unsigned field = i / 2;
		struct io_uring_sqe *sqe =
			i % 2 ? ops_prep(&ops->ring, i, 0, timeout_remove, 77, 0)
			      : ops_prep(&ops->ring, i, 0, timeout_update, &never, 77, 0);

		memcpy((char *)sqe + fields[field].offset, &fields[field].value,
		       fields[field].size);
		harness_submit(&ops->ring, 1);
		expect(&ops->ring, i, fields[field].res);
	}
}

static void times_are_checked(void **state)
{
	static struct __kernel_timespec bad[] = {{.tv_sec = -1}, {.tv_nsec = -1}};
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;

	start_timeout(ring, 1);
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		update(ring, 1, &bad[i], 0);
		expect(ring, CHANGE, -EINVAL);
		update(ring, 1, &bad[i], ABS);
		expect(ring, CHANGE, -EINVAL);
		update(ring, 1, &bad[i], LINK);
		expect(ring, CHANGE, -EINVAL);
	}
	update(ring, 1, NULL, 0);
	expect(ring, CHANGE, -EFAULT);
	update(ring, 1, ops_bad_address(), LINK);
	expect(ring, CHANGE, -EFAULT);
	expect_pending(ring, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ops_test(a_timeout_is_removed),	     ops_test(one_of_several_is_removed),
		ops_test(others_are_not_found),	     ops_test(chains_go_with_it),
		ops_test(sooner_and_later),	     ops_test(to_a_point_in_time),
		ops_test(the_count_is_forgotten),    ops_test(the_order_of_time_is_the_new_one),
		ops_test(a_link_timeout_is_updated), ops_test(the_kinds_are_told_apart),
		ops_test(flags_are_checked),	     ops_test(fields_are_checked),
		ops_test(times_are_checked),
	};

	return harness_run(tests);
}
