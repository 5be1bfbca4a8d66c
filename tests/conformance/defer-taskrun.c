/* SPDX-License-Identifier: MIT */
/*
 * Description: DEFER_TASKRUN and the TASKRUN flag: asynchronous completions are posted when the
 * owner asks for events, not before; what completes in submit is there at once.
 */
#include "harness.h"

#define DEFER (IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN)

static void submit_plain_nop(struct io_uring *ring, uint64_t user_data)
{
	harness_nop(ring, user_data);
	harness_submit(ring, 1);
}

static void submit_read(struct io_uring *ring, int fd, char *byte, uint64_t user_data,
			unsigned flags)
{
	struct io_uring_sqe *sqe = harness_sqe(ring);

	io_uring_prep_read(sqe, fd, byte, 1, 0);
	sqe->flags = (uint8_t)flags;
	sqe->user_data = user_data;
	harness_submit(ring, 1);
}

static int raw_enter(struct io_uring *ring, unsigned flags)
{
	return io_uring_enter((unsigned)ring->ring_fd, 0, 0, flags, NULL);
}

static bool taskrun_flag(struct io_uring *ring)
{
	return __atomic_load_n(ring->sq.kflags, __ATOMIC_ACQUIRE) & IORING_SQ_TASKRUN;
}

/*
 * Write the byte that a pending read waits for, and wait until the ring has heard of it: its
 * descriptor turns readable when there is something to run.
 */
static void complete_read(struct io_uring *ring, int fd)
{
	/* A look that finds nothing: from here on the descriptor is readable for what comes. */
	assert_int_equal(raw_enter(ring, IORING_ENTER_GETEVENTS), 0);
	assert_true(harness_wait_quiet(ring, ring->ring_fd));
	assert_int_equal(write(fd, "x", 1), 1);
	assert_true(harness_wait_readable(ring->ring_fd));
}

static void inline_completions_are_visible_at_once(void **state)
{
	struct io_uring ring;
	char bytes[16];

	(void)state;
	harness_init(&ring, 4, DEFER);
	submit_plain_nop(&ring, 1);
	assert_int_equal(io_uring_cq_ready(&ring), 1);
	io_uring_prep_read(harness_sqe(&ring), 9999, bytes, 16, 0);
	harness_submit(&ring, 1);
	assert_int_equal(io_uring_cq_ready(&ring), 2);
	harness_assert_cqe(harness_next(&ring), 1, 0);
	harness_assert_cqe(harness_next(&ring), 0, -EBADF);
	io_uring_queue_exit(&ring);
}

static void asynchronous_ones_wait_for_get_events(void **state)
{
	struct io_uring ring;
	int pipe_fds[2];
	char byte;

	(void)state;
	harness_init(&ring, 4, DEFER);
	harness_pipe(pipe_fds);
	for (unsigned i = 0; i < 3; i++) {
		submit_read(&ring, pipe_fds[0], &byte, 7, 0);
		complete_read(&ring, pipe_fds[1]);
		assert_int_equal(io_uring_cq_ready(&ring), 0);
		/* Neither a call that asks for nothing nor a submission posts it. */
		assert_int_equal(raw_enter(&ring, 0), 0);
		assert_int_equal(io_uring_cq_ready(&ring), 0);
		submit_plain_nop(&ring, 1);
		assert_int_equal(io_uring_cq_ready(&ring), 1);

		assert_int_equal(raw_enter(&ring, IORING_ENTER_GETEVENTS), 0);
		assert_int_equal(io_uring_cq_ready(&ring), 2);
		harness_assert_cqe(harness_next(&ring), 1, 0);
		harness_assert_cqe(harness_next(&ring), 7, 1);
	}
	harness_close_pipe(pipe_fds);
	io_uring_queue_exit(&ring);
}

/*
 * A request forced into a worker may go there and back more than once, with a stop at the owner
 * each time; but without the owner asking, nothing of it shows.
 */
static void forced_ones_wait_for_get_events(void **state)
{
	struct io_uring ring;
	int pipe_fds[2];
	char byte;

	(void)state;
	harness_init(&ring, 4, DEFER);
	harness_pipe(pipe_fds);
	for (unsigned i = 0; i < 3; i++) {
		submit_read(&ring, pipe_fds[0], &byte, 7, IOSQE_ASYNC);
		complete_read(&ring, pipe_fds[1]);
		assert_int_equal(raw_enter(&ring, 0), 0);
		assert_int_equal(io_uring_cq_ready(&ring), 0);
		harness_assert_cqe(harness_next(&ring), 7, 1);
	}
	harness_close_pipe(pipe_fds);
	io_uring_queue_exit(&ring);
}

static void a_deferred_nop_waits_too(void **state)
{
	struct io_uring ring;

	(void)state;
	harness_init(&ring, 4, DEFER);
	harness_nop(&ring, 3)->nop_flags = IORING_NOP_TW;
	harness_submit(&ring, 1);
	assert_int_equal(io_uring_cq_ready(&ring), 0);
	assert_int_equal(io_uring_get_events(&ring), 0);
	assert_int_equal(io_uring_cq_ready(&ring), 1);
	harness_assert_cqe(harness_next(&ring), 3, 0);
	io_uring_queue_exit(&ring);
}

static void the_taskrun_flag_shows_and_clears(void **state)
{
	struct io_uring ring;
	int pipe_fds[2];
	char byte;

	(void)state;
	harness_init(&ring, 4, DEFER | IORING_SETUP_TASKRUN_FLAG);
	harness_pipe(pipe_fds);
	for (unsigned i = 0; i < 3; i++) {
		assert_false(taskrun_flag(&ring));
		submit_read(&ring, pipe_fds[0], &byte, i, 0);
		assert_false(taskrun_flag(&ring));
		complete_read(&ring, pipe_fds[1]);
		assert_true(taskrun_flag(&ring));
		assert_int_equal(io_uring_cq_ready(&ring), 0);
		assert_int_equal(io_uring_get_events(&ring), 0);
		assert_false(taskrun_flag(&ring));
		assert_int_equal(io_uring_cq_ready(&ring), 1);
		harness_assert_cqe(harness_next(&ring), i, 1);
	}
	harness_close_pipe(pipe_fds);
	io_uring_queue_exit(&ring);
}

/* liburing looks at the flag: then an ordinary peek finds what is pending. */
static void peek_follows_the_flag(void **state)
{
	struct harness_cqe cqe;
	struct io_uring ring;
	int pipe_fds[2];
	char byte;

	(void)state;
	harness_init(&ring, 4, DEFER | IORING_SETUP_TASKRUN_FLAG);
	harness_pipe(pipe_fds);
	submit_read(&ring, pipe_fds[0], &byte, 5, 0);
	harness_assert_empty(&ring);
	complete_read(&ring, pipe_fds[1]);
	assert_true(harness_peek(&ring, &cqe));
	harness_assert_cqe(cqe, 5, 1);
	harness_close_pipe(pipe_fds);
	io_uring_queue_exit(&ring);
}

static void without_the_setup_flag_no_flag_is_shown(void **state)
{
	struct io_uring ring;
	int pipe_fds[2];
	char byte;

	(void)state;
	harness_init(&ring, 4, DEFER);
	harness_pipe(pipe_fds);
	submit_read(&ring, pipe_fds[0], &byte, 5, 0);
	complete_read(&ring, pipe_fds[1]);
	assert_false(taskrun_flag(&ring));
	harness_assert_cqe(harness_next(&ring), 5, 1);
	harness_close_pipe(pipe_fds);
	io_uring_queue_exit(&ring);
}

static uint64_t take_count(int fd)
{
	uint64_t value = 0;

	if (read(fd, &value, sizeof(value)) != sizeof(value))
		return 0;
	return value;
}

/* The eventfd tells that there is something to ask for, while the CQ is still empty. */
static void the_eventfd_fires_when_work_is_queued(void **state)
{
	struct io_uring ring;
	int pipe_fds[2], fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	char byte;

	(void)state;
	harness_init(&ring, 4, DEFER);
	harness_pipe(pipe_fds);
	assert_int_equal(io_uring_register_eventfd(&ring, fd), 0);
	submit_plain_nop(&ring, 1);
	assert_int_equal(take_count(fd), 1);
	harness_reap(&ring, NULL, 1);

	submit_read(&ring, pipe_fds[0], &byte, 5, 0);
	assert_int_equal(take_count(fd), 0);
	assert_int_equal(write(pipe_fds[1], "x", 1), 1);
	assert_true(harness_wait_readable(fd));
	assert_true(take_count(fd) >= 1);
	assert_int_equal(io_uring_cq_ready(&ring), 0);
	assert_int_equal(io_uring_get_events(&ring), 0);
	assert_int_equal(io_uring_cq_ready(&ring), 1);
	harness_assert_cqe(harness_next(&ring), 5, 1);
	close(fd);
	harness_close_pipe(pipe_fds);
	io_uring_queue_exit(&ring);
}

static void too_few_for_a_timed_wait_stay_reapable(void **state)
{
	struct __kernel_timespec soon = harness_msec(5);
	struct io_uring_cqe *cqe = NULL;
	struct io_uring ring;
	int pipe_fds[2];
	char byte;

	(void)state;
	harness_init(&ring, 4, DEFER);
	harness_pipe(pipe_fds);
	submit_read(&ring, pipe_fds[0], &byte, 5, 0);
	complete_read(&ring, pipe_fds[1]);
	/* Whatever the call says, the one completion is in the CQ afterwards. */
	io_uring_wait_cqes(&ring, &cqe, 2, &soon, NULL);
	assert_int_equal(io_uring_cq_ready(&ring), 1);
	harness_assert_cqe(harness_next(&ring), 5, 1);
	harness_close_pipe(pipe_fds);
	io_uring_queue_exit(&ring);
}

struct writer {
	int fd;
	unsigned count;
	bool failed;
};

static void *write_bytes(void *argument)
{
	struct writer *writer = argument;

	for (unsigned i = 0; i < writer->count; i++)
		writer->failed |= write(writer->fd, "x", 1) != 1;
	return NULL;
}

/* The owner sleeps in the wait while another thread makes its requests complete, one by one. */
static void the_owner_waits_for_many(void **state)
{
	struct writer writer = {.count = 16};
	struct io_uring_cqe *cqe = NULL;
	struct io_uring ring;
	pthread_t thread;
	int pipe_fds[2];
	char bytes[16];

	(void)state;
	harness_init(&ring, 16, DEFER);
	harness_pipe(pipe_fds);
	writer.fd = pipe_fds[1];
	for (unsigned i = 0; i < 16; i++)
		io_uring_prep_read(harness_sqe(&ring), pipe_fds[0], &bytes[i], 1, 0);
	harness_submit(&ring, 16);
	assert_int_equal(pthread_create(&thread, NULL, write_bytes, &writer), 0);
	assert_int_equal(io_uring_wait_cqe_nr(&ring, &cqe, 16), 0);
	assert_int_equal(io_uring_cq_ready(&ring), 16);
	pthread_join(thread, NULL);
	assert_false(writer.failed);
	for (unsigned i = 0; i < 16; i++)
		assert_int_equal(harness_next(&ring).res, 1);
	harness_close_pipe(pipe_fds);
	io_uring_queue_exit(&ring);
}

/* COOP_TASKRUN only saves an interruption; the application need not ask. */
static void cooperative_rings_post_at_the_next_call(void **state)
{
	static const unsigned flags[] = {
		IORING_SETUP_COOP_TASKRUN,
		IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(flags); i++) {
		struct io_uring ring;
		int pipe_fds[2];
		char byte;

		harness_init(&ring, 4, flags[i]);
		harness_pipe(pipe_fds);
		submit_read(&ring, pipe_fds[0], &byte, 5, 0);
		assert_int_equal(write(pipe_fds[1], "x", 1), 1);
		harness_assert_cqe(harness_next(&ring), 5, 1);
		assert_false(taskrun_flag(&ring));
		harness_close_pipe(pipe_fds);
		io_uring_queue_exit(&ring);
	}
}

static void queue_nop(struct io_uring *ring, uint64_t user_data, unsigned flags)
{
	struct io_uring_sqe *sqe = harness_sqe(ring);

	io_uring_prep_nop(sqe);
	sqe->flags = (uint8_t)flags;
	sqe->user_data = user_data;
}

/*
 * What follows a completion that the owner has not seen yet, in a chain or behind a drain, is not
 * seen before it, whoever was faster.
 */
static void the_order_is_kept(void **state)
{
	enum { ROUNDS = 300, MEMBERS = 9 };
	struct io_uring ring;

	(void)state;
	harness_init(&ring, 16, DEFER);
	for (unsigned round = 0; round < ROUNDS; round++) {
		queue_nop(&ring, 0, IOSQE_ASYNC);
		queue_nop(&ring, 1, IOSQE_IO_LINK);
		queue_nop(&ring, 2, IOSQE_IO_LINK | IOSQE_IO_DRAIN);
		queue_nop(&ring, 3, 0);
		queue_nop(&ring, 4, IOSQE_IO_LINK);
		queue_nop(&ring, 5, IOSQE_IO_LINK);
		queue_nop(&ring, 6, IOSQE_IO_LINK | IOSQE_IO_DRAIN | IOSQE_ASYNC);
		queue_nop(&ring, 7, 0);
		queue_nop(&ring, 8, 0);
		harness_submit(&ring, MEMBERS);
		for (unsigned i = 0; i < MEMBERS; i++)
			harness_assert_cqe(harness_next(&ring), i, 0);

		queue_nop(&ring, 0, IOSQE_IO_LINK | IOSQE_ASYNC);
		queue_nop(&ring, 1, IOSQE_IO_LINK);
		queue_nop(&ring, 2, 0);
		harness_submit(&ring, 3);
		for (unsigned i = 0; i < 3; i++)
			harness_assert_cqe(harness_next(&ring), i, 0);
	}
	harness_assert_empty(&ring);
	io_uring_queue_exit(&ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(inline_completions_are_visible_at_once),
		cmocka_unit_test(asynchronous_ones_wait_for_get_events),
		cmocka_unit_test(forced_ones_wait_for_get_events),
		cmocka_unit_test(a_deferred_nop_waits_too),
		cmocka_unit_test(the_taskrun_flag_shows_and_clears),
		cmocka_unit_test(peek_follows_the_flag),
		cmocka_unit_test(without_the_setup_flag_no_flag_is_shown),
		cmocka_unit_test(the_eventfd_fires_when_work_is_queued),
		cmocka_unit_test(too_few_for_a_timed_wait_stay_reapable),
		cmocka_unit_test(the_owner_waits_for_many),
		cmocka_unit_test(cooperative_rings_post_at_the_next_call),
		cmocka_unit_test(the_order_is_kept),
	};

	return harness_run(tests);
}
