/* SPDX-License-Identifier: MIT */
/*
 * Description: the eventfd a ring signals when completions are posted.
 */
#include "harness.h"

static int new_eventfd(void)
{
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

/* Take the count; 0 when it has not been signalled. */
static uint64_t take_count(int fd)
{
	uint64_t value = 0;

	if (read(fd, &value, sizeof(value)) != sizeof(value))
		return 0;
	return value;
}

static void submit_nop(struct io_uring *ring, unsigned flags)
{
	harness_nop_flags(ring, 1, flags);
	harness_submit(ring, 1);
}

static void it_is_registered_once(void **state)
{
	struct io_uring ring;
	int fd = new_eventfd(), other = new_eventfd();

	(void)state;
	harness_init(&ring, 4, 0);
	assert_int_equal(io_uring_unregister_eventfd(&ring), -ENXIO);
	assert_int_equal(io_uring_register_eventfd(&ring, fd), 0);
	assert_int_equal(io_uring_register_eventfd(&ring, fd), -EBUSY);
	assert_int_equal(io_uring_register_eventfd(&ring, other), -EBUSY);
	assert_int_equal(io_uring_register_eventfd_async(&ring, other), -EBUSY);
	assert_int_equal(io_uring_unregister_eventfd(&ring), 0);
	assert_int_equal(io_uring_unregister_eventfd(&ring), -ENXIO);
	assert_int_equal(io_uring_register_eventfd_async(&ring, other), 0);
	assert_int_equal(io_uring_register_eventfd(&ring, fd), -EBUSY);
	assert_int_equal(io_uring_unregister_eventfd(&ring), 0);
	close(fd);
	close(other);
	io_uring_queue_exit(&ring);
}

static int try_register(struct io_uring *ring, const void *argument, unsigned count)
{
	return io_uring_register((unsigned)ring->ring_fd, IORING_REGISTER_EVENTFD, argument, count);
}

static void it_must_be_an_eventfd(void **state)
{
	struct io_uring ring;
	int fd = new_eventfd(), pipe_fds[2];

	(void)state;
	harness_init(&ring, 4, 0);
	harness_pipe(pipe_fds);
	assert_int_equal(io_uring_register_eventfd(&ring, -1), -EBADF);
	assert_int_equal(io_uring_register_eventfd(&ring, 9999), -EBADF);
	assert_int_equal(io_uring_register_eventfd(&ring, pipe_fds[0]), -EINVAL);
	assert_int_equal(io_uring_register_eventfd(&ring, ring.ring_fd), -EINVAL);
	assert_int_equal(try_register(&ring, &fd, 0), -EINVAL);
	assert_int_equal(try_register(&ring, &fd, 2), -EINVAL);
	assert_int_equal(try_register(&ring, NULL, 1), -EFAULT);
	/* None of this has left anything registered. */
	assert_int_equal(io_uring_unregister_eventfd(&ring), -ENXIO);
	assert_int_equal(
		io_uring_register((unsigned)ring.ring_fd, IORING_UNREGISTER_EVENTFD, &fd, 0),
		-EINVAL);
	assert_int_equal(
		io_uring_register((unsigned)ring.ring_fd, IORING_UNREGISTER_EVENTFD, NULL, 1),
		-EINVAL);
	harness_close_pipe(pipe_fds);
	close(fd);
	io_uring_queue_exit(&ring);
}

/* One signal for what one call posts, however much that is. */
static void each_posting_signals_once(void **state)
{
	struct io_uring ring;
	int fd = new_eventfd();

	(void)state;
	harness_init(&ring, 8, 0);
	assert_int_equal(io_uring_register_eventfd(&ring, fd), 0);
	assert_int_equal(take_count(fd), 0);
	submit_nop(&ring, 0);
	assert_int_equal(take_count(fd), 1);
	for (unsigned i = 0; i < 3; i++)
		submit_nop(&ring, 0);
	assert_int_equal(take_count(fd), 3);
	for (unsigned i = 0; i < 5; i++)
		harness_nop(&ring, i);
	harness_submit(&ring, 5);
	assert_int_equal(take_count(fd), 1);
	/* Reaping is no event. */
	harness_reap(&ring, NULL, 9);
	harness_assert_empty(&ring);
	assert_int_equal(take_count(fd), 0);

	assert_int_equal(io_uring_unregister_eventfd(&ring), 0);
	submit_nop(&ring, 0);
	assert_int_equal(take_count(fd), 0);
	close(fd);
	io_uring_queue_exit(&ring);
}

static void an_asynchronous_completion_signals(void **state)
{
	static const unsigned flags[] = {0, IOSQE_ASYNC};
	struct io_uring ring;
	int fd = new_eventfd(), pipe_fds[2];
	char byte;

	(void)state;
	harness_init(&ring, 4, 0);
	harness_pipe(pipe_fds);
	assert_int_equal(io_uring_register_eventfd(&ring, fd), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(flags); i++) {
		struct io_uring_sqe *sqe = harness_sqe(&ring);
		struct harness_cqe cqe;

		io_uring_prep_read(sqe, pipe_fds[0], &byte, 1, 0);
		sqe->flags = (uint8_t)flags[i];
		harness_submit(&ring, 1);
		assert_int_equal(take_count(fd), 0);
		assert_int_equal(write(pipe_fds[1], "x", 1), 1);
		assert_true(harness_wait_readable(fd));
		/* The completion is there when the signal is. */
		assert_true(harness_peek(&ring, &cqe));
		assert_int_equal(cqe.res, 1);
		assert_int_equal(take_count(fd), 1);
	}
	harness_close_pipe(pipe_fds);
	close(fd);
	io_uring_queue_exit(&ring);
}

struct late_writer {
	pid_t reader;
	int fd;
	bool ok;
};

static void *write_to_sleeper(void *argument)
{
	struct late_writer *writer = argument;

	writer->ok = harness_wait_asleep(writer->reader) && write(writer->fd, "x", 1) == 1;
	return NULL;
}

/* The application sleeps in read(2) of its eventfd and never enters the ring. */
static void a_sleeping_read_is_woken(void **state)
{
	struct late_writer writer = {.reader = harness_thread_id()};
	int fd = eventfd(0, EFD_CLOEXEC), pipe_fds[2];
	struct harness_cqe cqe;
	struct io_uring ring;
	pthread_t thread;
	uint64_t count = 0;
	char byte;

	(void)state;
	harness_init(&ring, 4, 0);
	harness_pipe(pipe_fds);
	writer.fd = pipe_fds[1];
	assert_int_equal(io_uring_register_eventfd(&ring, fd), 0);
	io_uring_prep_read(harness_sqe(&ring), pipe_fds[0], &byte, 1, 0);
	harness_submit(&ring, 1);
	assert_int_equal(pthread_create(&thread, NULL, write_to_sleeper, &writer), 0);
	/* The completion may need this very task on the kernel: then the read ends with EINTR. */
	while (read(fd, &count, sizeof(count)) != sizeof(count))
		assert_int_equal(errno, EINTR);
	assert_int_equal(count, 1);
	pthread_join(thread, NULL);
	assert_true(writer.ok);
	assert_true(harness_peek(&ring, &cqe));
	assert_int_equal(cqe.res, 1);
	harness_close_pipe(pipe_fds);
	close(fd);
	io_uring_queue_exit(&ring);
}

/* The asynchronous kind is for completions that a worker posts, not for those of submit. */
static void the_asynchronous_kind(void **state)
{
	struct io_uring ring;
	int fd = new_eventfd();

	(void)state;
	harness_init(&ring, 4, 0);
	assert_int_equal(io_uring_register_eventfd_async(&ring, fd), 0);
	submit_nop(&ring, 0);
	harness_reap(&ring, NULL, 1);
	assert_int_equal(take_count(fd), 0);
	submit_nop(&ring, IOSQE_ASYNC);
	assert_true(harness_wait_readable(fd));
	assert_int_equal(take_count(fd), 1);
	harness_reap(&ring, NULL, 1);
	close(fd);
	io_uring_queue_exit(&ring);
}

static void a_flag_of_the_cq_mutes_it(void **state)
{
	struct io_uring ring;
	int fd = new_eventfd();

	(void)state;
	harness_init(&ring, 8, 0);
	assert_int_equal(io_uring_register_eventfd(&ring, fd), 0);
	assert_true(io_uring_cq_eventfd_enabled(&ring));
	assert_int_equal(io_uring_cq_eventfd_toggle(&ring, false), 0);
	assert_false(io_uring_cq_eventfd_enabled(&ring));
	for (unsigned i = 0; i < 3; i++)
		submit_nop(&ring, 0);
	assert_int_equal(take_count(fd), 0);
	assert_int_equal(io_uring_cq_eventfd_toggle(&ring, true), 0);
	assert_int_equal(take_count(fd), 0);
	submit_nop(&ring, 0);
	assert_int_equal(take_count(fd), 1);
	harness_reap(&ring, NULL, 4);
	close(fd);
	io_uring_queue_exit(&ring);
}

/* The ring has its own reference: the number may be closed and given to something else. */
static void the_registration_outlives_the_descriptor(void **state)
{
	struct io_uring ring;
	int fd = new_eventfd(), kept = fcntl(fd, F_DUPFD_CLOEXEC, 0), pipe_fds[2];

	(void)state;
	harness_init(&ring, 4, 0);
	harness_pipe(pipe_fds);
	assert_int_equal(io_uring_register_eventfd(&ring, fd), 0);
	assert_int_equal(dup3(pipe_fds[1], fd, O_CLOEXEC), fd);
	submit_nop(&ring, 0);
	assert_int_equal(take_count(kept), 1);
	assert_false(harness_readable(pipe_fds[0]));
	close(fd);
	submit_nop(&ring, 0);
	assert_int_equal(take_count(kept), 1);
	harness_close_pipe(pipe_fds);
	close(kept);
	io_uring_queue_exit(&ring);
}

static void two_rings_share_one(void **state)
{
	struct io_uring rings[2];
	int fd = new_eventfd();

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		harness_init(&rings[i], 4, 0);
		assert_int_equal(io_uring_register_eventfd(&rings[i], fd), 0);
	}
	submit_nop(&rings[0], 0);
	submit_nop(&rings[1], 0);
	assert_int_equal(take_count(fd), 2);
	io_uring_queue_exit(&rings[0]);
	submit_nop(&rings[1], 0);
	assert_int_equal(take_count(fd), 1);
	io_uring_queue_exit(&rings[1]);
	close(fd);
}

static void a_backlog_signals_too(void **state)
{
	struct io_uring ring;
	int fd = new_eventfd();

	(void)state;
	harness_init(&ring, 1, 0);
	assert_int_equal(io_uring_register_eventfd(&ring, fd), 0);
	submit_nop(&ring, 0);
	submit_nop(&ring, 0);
	assert_int_equal(take_count(fd), 2);
	submit_nop(&ring, 0);
	assert_true(io_uring_cq_has_overflow(&ring));
	/* At the latest when the backlog moves into the CQ. */
	harness_reap(&ring, NULL, 3);
	assert_in_range(take_count(fd), 1, 2);
	close(fd);
	io_uring_queue_exit(&ring);
}

static void a_saturated_counter_blocks_nothing(void **state)
{
	const uint64_t full = UINT64_MAX - 1;
	struct io_uring ring;
	int fd = new_eventfd();

	(void)state;
	harness_init(&ring, 4, 0);
	assert_int_equal(io_uring_register_eventfd(&ring, fd), 0);
	assert_int_equal(write(fd, &full, sizeof(full)), sizeof(full));
	submit_nop(&ring, 0);
	submit_nop(&ring, 0);
	harness_reap(&ring, NULL, 2);
	assert_true(take_count(fd) >= full);
	submit_nop(&ring, 0);
	assert_int_equal(take_count(fd), 1);
	close(fd);
	io_uring_queue_exit(&ring);
}

/* Not even an eventfd without O_NONBLOCK. */
static void a_saturated_blocking_counter_blocks_nothing(void **state)
{
	const uint64_t full = UINT64_MAX - 1;
	struct io_uring ring;
	int fd = eventfd(0, EFD_CLOEXEC);

	(void)state;
	harness_init(&ring, 4, 0);
	assert_int_equal(io_uring_register_eventfd(&ring, fd), 0);
	assert_int_equal(write(fd, &full, sizeof(full)), sizeof(full));
	submit_nop(&ring, 0);
	submit_nop(&ring, 0);
	harness_reap(&ring, NULL, 2);
	close(fd);
	io_uring_queue_exit(&ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_registered_once),
		cmocka_unit_test(it_must_be_an_eventfd),
		cmocka_unit_test(each_posting_signals_once),
		cmocka_unit_test(an_asynchronous_completion_signals),
		cmocka_unit_test(a_sleeping_read_is_woken),
		cmocka_unit_test(the_asynchronous_kind),
		cmocka_unit_test(a_flag_of_the_cq_mutes_it),
		cmocka_unit_test(the_registration_outlives_the_descriptor),
		cmocka_unit_test(two_rings_share_one),
		cmocka_unit_test(a_backlog_signals_too),
		cmocka_unit_test(a_saturated_counter_blocks_nothing),
		cmocka_unit_test(a_saturated_blocking_counter_blocks_nothing),
	};

	return harness_run(tests);
}
