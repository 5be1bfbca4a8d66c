/* SPDX-License-Identifier: MIT */
/*
 * Description: rings nobody waits on: what is armed there goes on, whatever was armed or waited for
 * before, and who polls the ring's descriptor or its eventfd hears of it, once.
 */
#include "readiness_helpers.h"

#include <pthread.h>
#include <sys/eventfd.h>

enum { FAR = 1, NEAR, READ, MESSAGE };

static void start_timeout(struct io_uring *ring, uint64_t user_data, unsigned msec)
{
	struct __kernel_timespec time = harness_msec(msec);

	ops_prep(ring, user_data, 0, timeout, &time, 0, 0);
	harness_submit(ring, 1);
}

/* A poll and a far timeout, and one timeout that has run out while nobody waited. */
static void leave_alone(struct io_uring *ring, int fd)
{
	start_poll(ring, READ, fd, POLLIN);
	ops_prep(ring, FAR, 0, timeout, &never, 0, 0);
	harness_submit(ring, 1);
	start_timeout(ring, NEAR, 20);
	assert_true(harness_wait_readable(ring->ring_fd));
	expect(ring, NEAR, -ETIME);
	harness_assert_empty(ring);
}

static void an_earlier_timeout_is_noticed(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int pipe_fds[2];

	harness_pipe(pipe_fds);
	leave_alone(ring, pipe_fds[0]);
	start_timeout(ring, NEAR, 20);
	assert_true(harness_wait_readable(ring->ring_fd));
	expect(ring, NEAR, -ETIME);
	expect_pending(ring, 2);
	harness_close_pipe(pipe_fds);
}

static void a_wait_in_between(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct __kernel_timespec moment = harness_msec(1);
	struct io_uring_cqe *cqe;
	int pipe_fds[2];

	harness_pipe(pipe_fds);
	leave_alone(ring, pipe_fds[0]);
	assert_int_equal(io_uring_wait_cqe_timeout(ring, &cqe, &moment), -ETIME);
	put_byte(pipe_fds[1]);
	assert_true(harness_wait_readable(ring->ring_fd));
	expect(ring, READ, POLLIN);
	expect_pending(ring, 1);
	harness_close_pipe(pipe_fds);
}

struct sender {
	struct io_uring *ring;
	int target;
	pid_t sleeper;
};

static void *send_to_sleeper(void *argument)
{
	struct sender *sender = argument;

	harness_wait_asleep(sender->sleeper);
	ops_prep(sender->ring, 0, 0, msg_ring, sender->target, 5, MESSAGE, 0);
	io_uring_submit(sender->ring);
	return NULL;
}

static void wait_for_two(struct io_uring *ring)
{
	struct __kernel_timespec limit = harness_deadline();
	struct io_uring_cqe *cqe;

	assert_int_equal(io_uring_wait_cqes(ring, &cqe, 2, &limit, NULL), 0);
	assert_int_equal(io_uring_cq_ready(ring), 2);
}

/* On another ring, whose submitter has nothing to do with the timeout. */
static void a_message_is_counted(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring, other;
	struct sender sender;
	pthread_t thread;

	harness_init(&other, 4, 0);
	ops_prep(ring, FAR, 0, timeout, &never, 1, 0);
	harness_submit(ring, 1);
	sender = (struct sender){&other, ring->ring_fd, harness_thread_id()};
	assert_int_equal(pthread_create(&thread, NULL, send_to_sleeper, &sender), 0);
	wait_for_two(ring);
	expect_both(ring, MESSAGE, 5, FAR, 0);
	pthread_join(thread, NULL);
	expect_idle(ring);
	io_uring_queue_exit(&other);
}

/* What the owner of a deferring ring asks for is counted when it gets it. */
static void deferred_ones_are_counted(void **state)
{
	struct io_uring ring, other;

	(void)state;
	harness_init(&ring, 4, DEFER);
	harness_init(&other, 4, 0);
	ops_prep(&ring, FAR, 0, timeout, &never, 1, 0);
	harness_submit(&ring, 1);
	ops_prep(&other, 0, 0, msg_ring, ring.ring_fd, 5, MESSAGE, 0);
	harness_submit(&other, 1);
	expect(&other, 0, 0);
	wait_for_two(&ring);
	expect_both(&ring, MESSAGE, 5, FAR, 0);
	io_uring_queue_exit(&other);
	io_uring_queue_exit(&ring);
}

/* An owner that does not come is told once, not over and over. */
static void a_late_owner_is_told_once(void **state)
{
	struct io_uring ring;
	int eventfd_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	uint64_t count = 0;

	(void)state;
	harness_init(&ring, 4, DEFER);
	assert_int_equal(io_uring_register_eventfd(&ring, eventfd_fd), 0);
	start_timeout(&ring, NEAR, 1);
	assert_true(harness_wait_readable(eventfd_fd));
	assert_int_equal(read(eventfd_fd, &count, sizeof(count)), sizeof(count));
	assert_int_equal(count, 1);
	/* An owner that is busy for a while. */
	assert_int_equal(poll(NULL, 0, 30), 0);
	assert_int_equal(read(eventfd_fd, &count, sizeof(count)), -1);
	expect(&ring, NEAR, -ETIME);
	/* And again the next time. */
	start_timeout(&ring, NEAR, 5);
	read(eventfd_fd, &count, sizeof(count));
	assert_true(harness_wait_readable(eventfd_fd));
	expect(&ring, NEAR, -ETIME);
	io_uring_queue_exit(&ring);
	close(eventfd_fd);
}

/* An owner that came for the first of two, and only looked, is told of the second. */
static void an_owner_that_looked_is_told_again(void **state)
{
	struct io_uring ring;
	int eventfd_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct harness_cqe cqe;
	uint64_t count = 0;

	(void)state;
	harness_init(&ring, 4, DEFER);
	assert_int_equal(io_uring_register_eventfd(&ring, eventfd_fd), 0);
	start_timeout(&ring, FAR, 100);
	start_timeout(&ring, NEAR, 5);
	assert_true(harness_wait_readable(eventfd_fd));
	assert_int_equal(io_uring_get_events(&ring), 0);
	while (!harness_peek(&ring, &cqe))
		assert_int_equal(io_uring_get_events(&ring), 0);
	assert_int_equal(cqe.user_data, NEAR);
	read(eventfd_fd, &count, sizeof(count));
	assert_true(harness_wait_readable(eventfd_fd));
	expect(&ring, FAR, -ETIME);
	io_uring_queue_exit(&ring);
	close(eventfd_fd);
}

/* The timeout is started by whoever has finished the read, long after the submit. */
static void a_timeout_behind_a_silent_read(void **state)
{
	char byte;
	int file = harness_temp_file(1);
	struct io_uring ring;
	struct __kernel_timespec time = harness_msec(20);

	(void)state;
	harness_init(&ring, 4, DEFER);
	ops_prep(&ring, READ, IOSQE_ASYNC | IOSQE_IO_LINK | IOSQE_CQE_SKIP_SUCCESS, read, file,
		 &byte, 1, 0);
	ops_prep(&ring, NEAR, 0, timeout, &time, 0, 0);
	harness_submit(&ring, 2);
	assert_true(harness_wait_readable(ring.ring_fd));
	expect(&ring, NEAR, -ETIME);
	io_uring_queue_exit(&ring);
	close(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ops_test(an_earlier_timeout_is_noticed),
		ops_test(a_wait_in_between),
		ops_test(a_message_is_counted),
		cmocka_unit_test(deferred_ones_are_counted),
		cmocka_unit_test(a_late_owner_is_told_once),
		cmocka_unit_test(an_owner_that_looked_is_told_again),
		cmocka_unit_test(a_timeout_behind_a_silent_read),
	};

	return harness_run(tests);
}
