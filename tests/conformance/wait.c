/* SPDX-License-Identifier: MIT */
/*
 * Description: waiting for completions: how many and how long.
 */
#include "harness-wait.h"

/* ---- how many ------------------------------------------------------------------------------ */

static void waiting_for_none_returns_at_once(void **state)
{
	struct io_uring ring;

	(void)state;
	harness_init(&ring, 4, 0);
	assert_int_equal(io_uring_enter((unsigned)ring.ring_fd, 0, 0, IORING_ENTER_GETEVENTS, NULL),
			 0);
	harness_nop(&ring, 1);
	assert_int_equal(io_uring_submit_and_wait(&ring, 0), 1);
	harness_reap(&ring, NULL, 1);
	io_uring_queue_exit(&ring);
}

static void what_is_there_already_counts(void **state)
{
	struct io_uring ring;

	(void)state;
	harness_init(&ring, 4, 0);
	for (unsigned i = 0; i < 3; i++)
		harness_nop(&ring, i);
	harness_submit(&ring, 3);
	for (unsigned count = 1; count <= 3; count++)
		assert_int_equal(io_uring_enter((unsigned)ring.ring_fd, 0, count,
						IORING_ENTER_GETEVENTS, NULL),
				 0);
	assert_int_equal(io_uring_cq_ready(&ring), 3);
	io_uring_queue_exit(&ring);
}

static void submit_and_wait_counts_what_it_submitted(void **state)
{
	struct io_uring ring;

	(void)state;
	harness_init(&ring, 4, 0);
	for (unsigned i = 0; i < 3; i++)
		harness_nop(&ring, i);
	assert_int_equal(io_uring_submit_and_wait(&ring, 3), 3);
	for (unsigned i = 0; i < 3; i++) {
		struct harness_cqe cqe;

		assert_true(harness_peek(&ring, &cqe));
		harness_assert_cqe(cqe, i, 0);
	}
	io_uring_queue_exit(&ring);
}

/* More than the CQ holds cannot be had at once: a full CQ is enough. */
static void more_than_the_cq_holds_means_a_full_cq(void **state)
{
	struct io_uring ring;

	(void)state;
	harness_init(&ring, 2, 0);
	for (unsigned i = 0; i < 6; i++) {
		harness_nop(&ring, i);
		harness_submit(&ring, 1);
	}
	assert_int_equal(
		io_uring_enter((unsigned)ring.ring_fd, 0, 100, IORING_ENTER_GETEVENTS, NULL), 0);
	assert_int_equal(io_uring_cq_ready(&ring), 4);
	for (unsigned i = 0; i < 6; i++)
		harness_assert_cqe(harness_next(&ring), i, 0);
	io_uring_queue_exit(&ring);
}

/* ---- how long ------------------------------------------------------------------------------ */

static void a_timeout_without_completion_is_an_error(void **state)
{
	static const struct __kernel_timespec at_once[] = {{0, 0}, {-1, 0}, {0, -1}};
	const struct __kernel_timespec soon = {.tv_nsec = 20 * MSEC};
	struct io_uring ring;
	uint64_t start;

	(void)state;
	harness_init(&ring, 4, 0);
	for (unsigned i = 0; i < ARRAY_SIZE(at_once); i++)
		assert_int_equal(enter_wait(&ring, &(struct wait_argument){.count = 1,
									   .timeout = &at_once[i]}),
				 -ETIME);
	start = harness_now_ns();
	assert_int_equal(enter_wait(&ring, &(struct wait_argument){.count = 1, .timeout = &soon}),
			 -ETIME);
	assert_true(harness_now_ns() - start >= 20 * MSEC);
	io_uring_queue_exit(&ring);
}

/* It is the sum of seconds and nanoseconds that counts, whatever the two are by themselves. */
static void a_timeout_is_the_sum_of_its_parts(void **state)
{
	static const struct __kernel_timespec soon[] = {
		{-1, 1020 * MSEC},
		{1, -980 * (long long)MSEC},
	};
	struct io_uring ring;

	(void)state;
	harness_init(&ring, 4, 0);
	for (unsigned i = 0; i < ARRAY_SIZE(soon); i++) {
		uint64_t start = harness_now_ns();

		assert_int_equal(
			enter_wait(&ring, &(struct wait_argument){.count = 1, .timeout = &soon[i]}),
			-ETIME);
		assert_true(harness_now_ns() - start >= 20 * MSEC);
	}
	io_uring_queue_exit(&ring);
}

static void a_timeout_with_too_few_is_none(void **state)
{
	const struct __kernel_timespec soon = {.tv_nsec = 5 * MSEC};
	struct io_uring ring;

	(void)state;
	harness_init(&ring, 4, 0);
	harness_nop(&ring, 7);
	harness_submit(&ring, 1);
	assert_int_equal(enter_wait(&ring, &(struct wait_argument){.count = 2, .timeout = &soon}),
			 0);
	harness_assert_cqe(harness_next(&ring), 7, 0);
	io_uring_queue_exit(&ring);
}

static void submission_counts_more_than_a_timeout(void **state)
{
	const struct __kernel_timespec soon = {.tv_nsec = 5 * MSEC};
	struct io_uring ring;
	int pipe_fds[2];
	char byte;

	(void)state;
	harness_init(&ring, 4, 0);
	harness_pipe(pipe_fds);
	queue_read(&ring, pipe_fds[0], &byte, 1);
	__atomic_store_n(ring.sq.ktail, ring.sq.sqe_tail, __ATOMIC_RELEASE);
	assert_int_equal(
		enter_wait(&ring,
			   &(struct wait_argument){.to_submit = 1, .count = 1, .timeout = &soon}),
		1);
	harness_assert_empty(&ring);
	assert_int_equal(write(pipe_fds[1], "x", 1), 1);
	harness_assert_cqe(harness_next(&ring), 1, 1);
	harness_close_pipe(pipe_fds);
	io_uring_queue_exit(&ring);
}

static struct __kernel_timespec absolute(uint64_t at_ns)
{
	return (struct __kernel_timespec){
		.tv_sec = (long long)(at_ns / 1000000000u),
		.tv_nsec = (long long)(at_ns % 1000000000u),
	};
}

static void an_absolute_timeout(void **state)
{
	struct __kernel_timespec at;
	struct io_uring ring;
	uint64_t end;

	(void)state;
	harness_init(&ring, 4, 0);
	at = absolute(1);
	assert_int_equal(
		enter_wait(&ring, &(struct wait_argument){.count = 1,
							  .timeout = &at,
							  .flags = IORING_ENTER_ABS_TIMER}),
		-ETIME);
	end = harness_now_ns() + 20 * MSEC;
	at = absolute(end);
	assert_int_equal(
		enter_wait(&ring, &(struct wait_argument){.count = 1,
							  .timeout = &at,
							  .flags = IORING_ENTER_ABS_TIMER}),
		-ETIME);
	assert_true(harness_now_ns() >= end);
	/* With a completion waiting, the past is as good as the future. */
	harness_nop(&ring, 1);
	harness_submit(&ring, 1);
	at = absolute(1);
	assert_int_equal(
		enter_wait(&ring, &(struct wait_argument){.count = 1,
							  .timeout = &at,
							  .flags = IORING_ENTER_ABS_TIMER}),
		0);
	io_uring_queue_exit(&ring);
}

static void liburing_waits_report_the_timeout(void **state)
{
	struct __kernel_timespec soon = harness_msec(2);
	struct io_uring_cqe *cqe = NULL;
	struct io_uring ring;

	(void)state;
	harness_init(&ring, 4, 0);
	assert_int_equal(io_uring_wait_cqe_timeout(&ring, &cqe, &soon), -ETIME);
	assert_int_equal(io_uring_wait_cqes(&ring, &cqe, 3, &soon, NULL), -ETIME);
	assert_int_equal(io_uring_peek_cqe(&ring, &cqe), -EAGAIN);
	harness_nop(&ring, 5);
	assert_int_equal(io_uring_submit_and_wait_timeout(&ring, &cqe, 1, &soon, NULL), 1);
	assert_int_equal(cqe->user_data, 5);
	io_uring_cqe_seen(&ring, cqe);
	io_uring_queue_exit(&ring);
}

/* ---- the minimal wait ---------------------------------------------------------------------- */

/*
 * The minimal wait gives a batch time to gather; when it runs out, anything is enough. Only lower
 * bounds of time are judged, and that the long timeout was not waited for.
 */
static const unsigned min_wait_kinds[] = {
	0,
	IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
	IORING_SETUP_SQPOLL,
};

/* A ring with this many completions in its CQ. */
static void init_with_completions(struct io_uring *ring, unsigned flags, unsigned count)
{
	harness_init(ring, 8, flags);
	for (unsigned i = 0; i < count; i++)
		harness_nop(ring, i);
	harness_submit(ring, count);
	assert_int_equal(
		io_uring_enter((unsigned)ring->ring_fd, 0, count, IORING_ENTER_GETEVENTS, NULL), 0);
	assert_int_equal(io_uring_cq_ready(ring), count);
}

static void min_wait_ends_with_what_has_come(void **state)
{
	const struct __kernel_timespec long_timeout = harness_deadline();
	const struct wait_argument wait = {
		.count = 4,
		.timeout = &long_timeout,
		.min_wait_usec = 20000,
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(min_wait_kinds); i++) {
		uint64_t start, spent;
		struct io_uring ring;

		init_with_completions(&ring, min_wait_kinds[i], 2);
		start = harness_now_ns();
		assert_int_equal(enter_wait(&ring, &wait), 0);
		spent = harness_now_ns() - start;
		assert_true(spent >= 20 * MSEC);
		assert_true(spent < HARNESS_WAIT_MS * MSEC * harness_timeout_factor());
		assert_int_equal(io_uring_cq_ready(&ring), 2);
		io_uring_queue_exit(&ring);
	}
}

static void min_wait_is_not_waited_for_when_all_are_there(void **state)
{
	const unsigned limit_ms = HARNESS_WAIT_MS * harness_timeout_factor();
	const struct __kernel_timespec long_timeout = harness_deadline();
	const struct wait_argument wait = {
		.count = 4,
		.timeout = &long_timeout,
		.min_wait_usec = limit_ms * 1000,
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(min_wait_kinds); i++) {
		struct io_uring ring;
		uint64_t start;

		init_with_completions(&ring, min_wait_kinds[i], 4);
		start = harness_now_ns();
		assert_int_equal(enter_wait(&ring, &wait), 0);
		assert_true(harness_now_ns() - start < limit_ms * MSEC);
		io_uring_queue_exit(&ring);
	}
}

/* With nothing there at its end, the whole timeout is spent: the minimal wait alone is no error. */
static void min_wait_with_nothing_waits_on(void **state)
{
	const struct __kernel_timespec timeout = {.tv_nsec = 40 * MSEC};
	const struct wait_argument wait = {
		.count = 4,
		.timeout = &timeout,
		.min_wait_usec = 10000,
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(min_wait_kinds); i++) {
		struct io_uring ring;
		uint64_t start;

		harness_init(&ring, 8, min_wait_kinds[i]);
		start = harness_now_ns();
		assert_int_equal(enter_wait(&ring, &wait), -ETIME);
		assert_true(harness_now_ns() - start >= 40 * MSEC);
		io_uring_queue_exit(&ring);
	}
}

/* Nor does a timeout end it, and without one it is all there is to wait. */
static void min_wait_is_the_least(void **state)
{
	static const struct __kernel_timespec shorter = {.tv_nsec = 5 * MSEC};
	const struct __kernel_timespec *const timeouts[] = {NULL, &shorter};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(min_wait_kinds); i++) {
		for (unsigned count = 0; count < 4; count++) {
			const struct wait_argument wait = {
				.count = 4,
				.timeout = timeouts[count % 2],
				.min_wait_usec = 30000,
			};
			unsigned there = count & 2;
			struct io_uring ring;
			uint64_t start;

			init_with_completions(&ring, min_wait_kinds[i], there);
			start = harness_now_ns();
			assert_int_equal(enter_wait(&ring, &wait), there ? 0 : -ETIME);
			assert_true(harness_now_ns() - start >= 30 * MSEC);
			assert_int_equal(io_uring_cq_ready(&ring), there);
			io_uring_queue_exit(&ring);
		}
	}
}

struct late_write {
	int fd;
	uint64_t at_ns;
	bool ok;
};

/* Real time has to pass here, since the passing of it is what is tested. */
static void *write_at(void *argument)
{
	struct late_write *late = argument;
	struct timespec at = {
		.tv_sec = (time_t)(late->at_ns / 1000000000u),
		.tv_nsec = (long)(late->at_ns % 1000000000u),
	};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR)
		;
	late->ok = write(late->fd, "x", 1) == 1;
	return NULL;
}

/* After a minimal wait that brought nothing, the first completion is enough. */
static void after_min_wait_the_first_one_is_enough(void **state)
{
	const struct __kernel_timespec long_timeout = harness_deadline();
	const struct wait_argument wait = {
		.count = 4,
		.timeout = &long_timeout,
		.min_wait_usec = 5000,
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(min_wait_kinds); i++) {
		struct late_write late;
		struct io_uring ring;
		pthread_t thread;
		int pipe_fds[2];
		char byte;

		harness_init(&ring, 8, min_wait_kinds[i]);
		harness_pipe(pipe_fds);
		queue_read(&ring, pipe_fds[0], &byte, 1);
		harness_submit(&ring, 1);
		late = (struct late_write){
			.fd = pipe_fds[1],
			.at_ns = harness_now_ns() + 30 * MSEC,
		};
		assert_int_equal(pthread_create(&thread, NULL, write_at, &late), 0);
		assert_int_equal(enter_wait(&ring, &wait), 0);
		assert_true(harness_now_ns() >= late.at_ns);
		assert_int_equal(io_uring_cq_ready(&ring), 1);
		pthread_join(thread, NULL);
		assert_true(late.ok);
		harness_assert_cqe(harness_next(&ring), 1, 1);
		harness_close_pipe(pipe_fds);
		io_uring_queue_exit(&ring);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(waiting_for_none_returns_at_once),
		cmocka_unit_test(what_is_there_already_counts),
		cmocka_unit_test(submit_and_wait_counts_what_it_submitted),
		cmocka_unit_test(more_than_the_cq_holds_means_a_full_cq),
		cmocka_unit_test(a_timeout_without_completion_is_an_error),
		cmocka_unit_test(a_timeout_is_the_sum_of_its_parts),
		cmocka_unit_test(a_timeout_with_too_few_is_none),
		cmocka_unit_test(submission_counts_more_than_a_timeout),
		cmocka_unit_test(an_absolute_timeout),
		cmocka_unit_test(liburing_waits_report_the_timeout),
		cmocka_unit_test(min_wait_ends_with_what_has_come),
		cmocka_unit_test(min_wait_is_not_waited_for_when_all_are_there),
		cmocka_unit_test(min_wait_is_the_least),
		cmocka_unit_test(min_wait_with_nothing_waits_on),
		cmocka_unit_test(after_min_wait_the_first_one_is_enough),
	};

	return harness_run(tests);
}
