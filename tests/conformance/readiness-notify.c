/* SPDX-License-Identifier: MIT */
/*
 * Description: who hears of readiness and of time running out: waiters, the registered eventfd, the
 * ring's descriptor, the TASKRUN flag; and what stays invisible until asked for.
 */
#include "harness-wait.h"
#include "readiness_helpers.h"

static const unsigned modes[] = {
	0,
	IORING_SETUP_COOP_TASKRUN,
	IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
	DEFER,
	DEFER | IORING_SETUP_TASKRUN_FLAG,
};

static bool taskrun_flag(struct io_uring *ring)
{
	return __atomic_load_n(ring->sq.kflags, __ATOMIC_ACQUIRE) & IORING_SQ_TASKRUN;
}

static uint64_t take_count(int fd)
{
	uint64_t value = 0;

	return read(fd, &value, sizeof(value)) == sizeof(value) ? value : 0;
}

static int new_eventfd(void)
{
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

/* ---- deferred ------------------------------------------------------------------------------ */

/* From here on the ring's descriptor turns readable for what comes. */
static void look_in_vain(struct io_uring *ring)
{
	assert_int_equal(io_uring_get_events(ring), 0);
	assert_true(harness_wait_quiet(ring, ring->ring_fd));
}

/* Make the one SQE visible without liburing's own call. */
static unsigned flush(struct io_uring *ring)
{
	__atomic_store_n(ring->sq.ktail, ring->sq.sqe_tail, __ATOMIC_RELEASE);
	ring->sq.sqe_head = ring->sq.sqe_tail;
	return 1;
}

static void deferred_until_asked_for_in(unsigned flags)
{
	struct io_uring ring;
	int fds[2];

	harness_pipe(fds);
	harness_init(&ring, 8, flags);
	start_multishot(&ring, 1, fds[0], POLLIN);
	for (unsigned i = 0; i < 3; i++) {
		look_in_vain(&ring);
		assert_false(taskrun_flag(&ring));
		put_byte(fds[1]);
		assert_true(harness_wait_readable(ring.ring_fd));
		assert_int_equal(io_uring_cq_ready(&ring), 0);
		if (flags & IORING_SETUP_TASKRUN_FLAG)
			assert_true(taskrun_flag(&ring));
		/* A submission does not post it, asking does: liburing, where it sees the flag. */
		ops_prep(&ring, 2, 0, nop);
		assert_int_equal(io_uring_enter((unsigned)ring.ring_fd, flush(&ring), 0, 0, NULL),
				 1);
		assert_int_equal(io_uring_cq_ready(&ring), 1);
		io_uring_cq_advance(&ring, 1);
		assert_int_equal(io_uring_get_events(&ring), 0);
		assert_int_equal(io_uring_cq_ready(&ring), 1);
		assert_false(taskrun_flag(&ring));
		expect_flags(&ring, 1, POLLIN, MORE);
	}
	look_in_vain(&ring);
	ops_prep(&ring, 3, 0, timeout, &at_once, 0, 0);
	harness_submit(&ring, 1);
	assert_true(harness_wait_readable(ring.ring_fd));
	assert_int_equal(io_uring_cq_ready(&ring), 0);
	assert_int_equal(io_uring_get_events(&ring), 0);
	expect(&ring, 3, -ETIME);
	expect_pending(&ring, 1);
	io_uring_queue_exit(&ring);
	harness_close_pipe(fds);
}

static void deferred_until_asked_for(void **state)
{
	(void)state;
	deferred_until_asked_for_in(DEFER);
	deferred_until_asked_for_in(DEFER | IORING_SETUP_TASKRUN_FLAG);
}

/* Where nothing is deferred it comes while the application does nothing at all. */
static void posted_unasked(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	uint64_t end = harness_now_ns() + HARNESS_WAIT_MS * MSEC * harness_timeout_factor();
	int fds[2];

	harness_pipe(fds);
	start_poll(ring, 1, fds[0], POLLIN);
	put_byte(fds[1]);
	while (!io_uring_cq_ready(ring) && harness_now_ns() < end)
		;
	assert_int_equal(io_uring_cq_ready(ring), 1);
	expect(ring, 1, POLLIN);
	ops_prep(ring, 2, 0, timeout, &at_once, 0, 0);
	harness_submit(ring, 1);
	while (!io_uring_cq_ready(ring) && harness_now_ns() < end)
		;
	assert_int_equal(io_uring_cq_ready(ring), 1);
	expect(ring, 2, -ETIME);
	harness_close_pipe(fds);
}

/* ---- waiters ------------------------------------------------------------------------------- */

/* A thread that waits in a ring is woken by another's write. */
static void a_sleeping_waiter_is_woken(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int fds[2];

	harness_pipe(fds);
	for (unsigned i = 0; i < 10; i++) {
		struct waiter waiter;

		start_poll(ring, 1, fds[0], POLLIN);
		start_waiter(&waiter, ring, 1, NULL);
		put_byte(fds[1]);
		assert_int_equal(join_waiter(&waiter), 0);
		assert_int_equal(io_uring_cq_ready(ring), 1);
		expect(ring, 1, POLLIN);
		take_byte(fds[0]);
	}
	harness_close_pipe(fds);
}

/* One for more goes on waiting, until the last, and gets them all. */
static void a_waiter_for_several(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct waiter waiter;
	int fds[3][2];

	for (unsigned i = 0; i < 3; i++) {
		harness_pipe(fds[i]);
		start_poll(ring, i, fds[i][0], POLLIN);
	}
	start_waiter(&waiter, ring, 3, NULL);
	put_byte(fds[0][1]);
	put_byte(fds[1][1]);
	assert_false(has_returned(&waiter));
	put_byte(fds[2][1]);
	assert_int_equal(join_waiter(&waiter), 0);
	assert_int_equal(io_uring_cq_ready(ring), 3);
	harness_reap(ring, NULL, 3);
	for (unsigned i = 0; i < 3; i++)
		harness_close_pipe(fds[i]);
}

/* A timed wait for two that sees one leaves it there. */
static void a_timed_wait_leaves_what_came(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(modes); i++) {
		struct __kernel_timespec soon = harness_msec(20);
		struct wait_argument wait = {.count = 2, .timeout = &soon};
		struct io_uring ring;
		int fds[2];

		harness_pipe(fds);
		harness_init(&ring, 8, modes[i]);
		start_poll(&ring, 1, fds[0], POLLIN);
		put_byte(fds[1]);
		assert_int_equal(enter_wait(&ring, &wait), 0);
		assert_int_equal(io_uring_cq_ready(&ring), 1);
		expect(&ring, 1, POLLIN);
		/* And one that sees none says so. */
		assert_int_equal(enter_wait(&ring, &wait), -ETIME);
		io_uring_queue_exit(&ring);
		harness_close_pipe(fds);
	}
}

/* What an SQ thread has submitted waits for the same things, and is told of by it. */
static void an_sq_thread(void **state)
{
	struct io_uring ring;
	int fds[2];

	(void)state;
	harness_pipe(fds);
	harness_init(&ring, 8, IORING_SETUP_SQPOLL);
	start_multishot(&ring, 1, fds[0], POLLIN);
	for (unsigned i = 0; i < 5; i++) {
		put_byte(fds[1]);
		expect_flags(&ring, 1, POLLIN, MORE);
		take_byte(fds[0]);
	}
	ops_prep(&ring, 2, 0, timeout, &at_once, 0, 0);
	harness_submit(&ring, 1);
	expect(&ring, 2, -ETIME);
	ops_prep(&ring, 3, IOSQE_IO_LINK, poll_add, fds[0], POLLPRI);
	ops_prep(&ring, 4, 0, link_timeout, &at_once, 0);
	harness_submit(&ring, 2);
	expect(&ring, 4, -ETIME);
	expect(&ring, 3, -ECANCELED);
	ops_prep(&ring, 5, 0, poll_remove, 1);
	harness_submit(&ring, 1);
	expect_both(&ring, 5, 0, 1, -ECANCELED);
	io_uring_queue_exit(&ring);
	harness_close_pipe(fds);
}

/* ---- the eventfd --------------------------------------------------------------------------- */

static void the_eventfd_is_signalled(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(modes); i++) {
		struct io_uring ring;
		int fds[2], event = new_eventfd();

		harness_pipe(fds);
		harness_init(&ring, 8, modes[i]);
		assert_int_equal(io_uring_register_eventfd(&ring, event), 0);
		start_poll(&ring, 1, fds[0], POLLIN);
		assert_int_equal(take_count(event), 0);
		put_byte(fds[1]);
		assert_true(harness_wait_readable(event));
		expect(&ring, 1, POLLIN);
		take_count(event);
		ops_prep(&ring, 2, 0, timeout, &at_once, 0, 0);
		harness_submit(&ring, 1);
		assert_true(harness_wait_readable(event));
		expect(&ring, 2, -ETIME);
		/* A cancellation and its victim. */
		start_poll(&ring, 1, fds[0], POLLPRI);
		take_count(event);
		expect_pending(&ring, 1);
		assert_true(harness_wait_readable(event));
		io_uring_queue_exit(&ring);
		harness_close_pipe(fds);
		close(event);
	}
}

/*
 * A multishot poll of the very eventfd that its completions signal would feed itself for ever: it
 * ends instead.
 */
static void a_poll_of_the_own_eventfd(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct harness_cqe cqe;
	uint64_t one = 1;
	int event = new_eventfd();

	assert_int_equal(io_uring_register_eventfd(ring, event), 0);
	start_multishot(ring, 1, event, POLLIN);
	harness_assert_empty(ring);
	assert_int_equal(write(event, &one, sizeof(one)), sizeof(one));
	/* Its own signal may be a shot more before that. */
	for (unsigned i = 0; i < 8; i++) {
		cqe = harness_next(ring);
		harness_assert_cqe(cqe, 1, POLLIN);
		if (!(cqe.flags & MORE))
			break;
	}
	assert_int_equal(cqe.flags, 0);
	take_count(event);
	expect_idle(ring);
	close(event);
}

/* And if it is another completion that has signalled it, it ends with that. */
static void a_poll_of_the_own_eventfd_ends_at_once(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct harness_cqe cqe;
	int event = new_eventfd();

	assert_int_equal(io_uring_register_eventfd(ring, event), 0);
	start_multishot(ring, 1, event, POLLIN);
	harness_assert_empty(ring);
	ops_prep(ring, 2, 0, nop);
	harness_submit(ring, 1);
	cqe = harness_next(ring);
	harness_assert_cqe(cqe, 2, 0);
	cqe = harness_next(ring);
	harness_assert_cqe(cqe, 1, POLLIN);
	assert_int_equal(cqe.flags, 0);
	take_count(event);
	expect_idle(ring);
	close(event);
}

static void the_ring_is_readable(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(modes); i++) {
		struct io_uring ring;
		int fds[2];

		harness_pipe(fds);
		harness_init(&ring, 8, modes[i]);
		start_poll(&ring, 1, fds[0], POLLIN);
		assert_false(harness_readable(ring.ring_fd));
		put_byte(fds[1]);
		assert_true(harness_wait_readable(ring.ring_fd));
		expect(&ring, 1, POLLIN);
		assert_true(harness_wait_quiet(&ring, ring.ring_fd));
		ops_prep(&ring, 2, 0, timeout, &at_once, 0, 0);
		harness_submit(&ring, 1);
		assert_true(harness_wait_readable(ring.ring_fd));
		expect(&ring, 2, -ETIME);
		io_uring_queue_exit(&ring);
		harness_close_pipe(fds);
	}
}

/*
 * A ring that is polled by another: its poll's completion is passed on. (Not in time where it is
 * deferred: the kernel wakes nobody for work that waits to be asked for.)
 */
static void from_ring_to_ring(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(modes); i++) {
		struct io_uring inner, outer;
		int fds[2];

		if (modes[i] & IORING_SETUP_DEFER_TASKRUN)
			continue;
		harness_pipe(fds);
		harness_init(&inner, 8, modes[i]);
		harness_init(&outer, 8, 0);
		start_poll(&inner, 1, fds[0], POLLIN);
		start_poll(&outer, 2, inner.ring_fd, POLLIN);
		put_byte(fds[1]);
		expect(&outer, 2, POLLIN);
		expect(&inner, 1, POLLIN);
		io_uring_queue_exit(&outer);
		io_uring_queue_exit(&inner);
		harness_close_pipe(fds);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(deferred_until_asked_for),
		ops_test(posted_unasked),
		ops_test(a_sleeping_waiter_is_woken),
		cmocka_unit_test(an_sq_thread),
		ops_test(a_waiter_for_several),
		cmocka_unit_test(a_timed_wait_leaves_what_came),
		cmocka_unit_test(the_eventfd_is_signalled),
		ops_test(a_poll_of_the_own_eventfd),
		ops_test(a_poll_of_the_own_eventfd_ends_at_once),
		cmocka_unit_test(the_ring_is_readable),
		cmocka_unit_test(from_ring_to_ring),
	};

	return harness_run(tests);
}
