/* SPDX-License-Identifier: MIT */
/*
 * Description: the ring's descriptor as a descriptor: poll, epoll, read, dup, close-on-exec.
 *
 * A program that has seen the last completion and wants to know that there is no more looks at the
 * CQ before it polls: so do these tests (harness_assert_empty).
 */
#include "harness.h"

#include <sys/epoll.h>

static void poll_tells_whether_completions_wait(void **state)
{
	struct io_uring ring;

	(void)state;
	harness_init(&ring, 4, 0);
	for (unsigned round = 0; round < 3; round++) {
		assert_false(harness_readable(ring.ring_fd));
		harness_nop(&ring, 1);
		harness_nop(&ring, 2);
		assert_false(harness_readable(ring.ring_fd));
		harness_submit(&ring, 2);
		assert_true(harness_readable(ring.ring_fd));
		harness_reap(&ring, NULL, 1);
		assert_true(harness_readable(ring.ring_fd));
		harness_reap(&ring, NULL, 1);
		harness_assert_empty(&ring);
	}
	assert_false(harness_readable(ring.ring_fd));
	io_uring_queue_exit(&ring);
}

static void poll_tells_about_the_backlog(void **state)
{
	struct io_uring ring;

	(void)state;
	harness_init(&ring, 1, 0);
	for (unsigned i = 0; i < 5; i++) {
		harness_nop(&ring, i);
		harness_submit(&ring, 1);
	}
	assert_true(io_uring_cq_has_overflow(&ring));
	for (unsigned i = 0; i < 5; i++) {
		assert_true(harness_readable(ring.ring_fd));
		harness_reap(&ring, NULL, 1);
	}
	harness_assert_empty(&ring);
	assert_false(harness_readable(ring.ring_fd));
	io_uring_queue_exit(&ring);
}

struct poller {
	int fd;
	sem_t started;
	pid_t tid;
	bool readable;
};

static void *poll_in_thread(void *argument)
{
	struct poller *poller = argument;

	poller->tid = harness_thread_id();
	sem_post(&poller->started);
	poller->readable = harness_wait_readable(poller->fd);
	return NULL;
}

/* Start a thread that sleeps in poll(fd), complete a read of the ring, and the thread must wake. */
static void check_sleeping_poller(struct io_uring *ring, int fd)
{
	struct poller poller = {.fd = fd};
	struct harness_cqe cqe;
	pthread_t thread;
	char byte;
	int pipe_fds[2];

	harness_pipe(pipe_fds);
	io_uring_prep_read(harness_sqe(ring), pipe_fds[0], &byte, 1, 0);
	harness_submit(ring, 1);
	sem_init(&poller.started, 0, 0);
	assert_int_equal(pthread_create(&thread, NULL, poll_in_thread, &poller), 0);
	sem_wait(&poller.started);
	assert_true(harness_wait_asleep(poller.tid));
	assert_int_equal(write(pipe_fds[1], "x", 1), 1);
	pthread_join(thread, NULL);
	assert_true(poller.readable);
	cqe = harness_next(ring);
	assert_int_equal(cqe.res, 1);
	assert_true(harness_wait_quiet(ring, fd));
	sem_destroy(&poller.started);
	harness_close_pipe(pipe_fds);
}

static void a_completion_wakes_a_sleeping_poll(void **state)
{
	struct io_uring ring;

	(void)state;
	harness_init(&ring, 4, 0);
	check_sleeping_poller(&ring, ring.ring_fd);
	check_sleeping_poller(&ring, ring.ring_fd);
	io_uring_queue_exit(&ring);
}

static void add_to_epoll(int epoll_fd, int fd, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.u64 = 77};

	assert_int_equal(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event), 0);
}

static void epoll_level_and_edge(void **state)
{
	struct epoll_event event;
	struct io_uring ring;
	int level, edge;

	(void)state;
	harness_init(&ring, 4, 0);
	level = epoll_create1(EPOLL_CLOEXEC);
	edge = epoll_create1(EPOLL_CLOEXEC);
	add_to_epoll(level, ring.ring_fd, EPOLLIN);
	add_to_epoll(edge, ring.ring_fd, EPOLLIN | EPOLLET);
	for (unsigned round = 0; round < 3; round++) {
		assert_int_equal(epoll_wait(level, &event, 1, 0), 0);
		assert_int_equal(epoll_wait(edge, &event, 1, 0), 0);
		harness_nop(&ring, round);
		harness_submit(&ring, 1);
		for (unsigned i = 0; i < 2; i++) {
			assert_int_equal(epoll_wait(level, &event, 1, 0), 1);
			assert_true(event.events & EPOLLIN);
			assert_int_equal(event.data.u64, 77);
		}
		assert_int_equal(epoll_wait(edge, &event, 1, 0), 1);
		assert_int_equal(epoll_wait(edge, &event, 1, 0), 0);
		harness_reap(&ring, NULL, 1);
		harness_assert_empty(&ring);
	}
	assert_int_equal(epoll_wait(level, &event, 1, 0), 0);
	close(level);
	close(edge);
	io_uring_queue_exit(&ring);
}

static void epoll_set_in_an_epoll_set(void **state)
{
	struct io_uring ring;
	int inner, outer;

	(void)state;
	harness_init(&ring, 4, 0);
	inner = epoll_create1(EPOLL_CLOEXEC);
	outer = epoll_create1(EPOLL_CLOEXEC);
	add_to_epoll(inner, ring.ring_fd, EPOLLIN);
	add_to_epoll(outer, inner, EPOLLIN);
	assert_false(harness_readable(outer));
	check_sleeping_poller(&ring, outer);
	harness_nop(&ring, 1);
	harness_submit(&ring, 1);
	assert_true(harness_readable(outer));
	close(outer);
	close(inner);
	io_uring_queue_exit(&ring);
}

static void read_and_write_are_refused_at_once(void **state)
{
	struct iovec iov;
	struct io_uring ring;
	uint64_t word = 1;

	(void)state;
	iov.iov_base = &word;
	iov.iov_len = sizeof(word);
	harness_init(&ring, 4, 0);
	for (unsigned round = 0; round < 2; round++) {
		/* With and without a waiting completion. */
		assert_int_equal(read(ring.ring_fd, &word, sizeof(word)), -1);
		assert_int_equal(errno, EINVAL);
		assert_int_equal(write(ring.ring_fd, &word, sizeof(word)), -1);
		assert_int_equal(errno, EINVAL);
		assert_int_equal(readv(ring.ring_fd, &iov, 1), -1);
		assert_int_equal(errno, EINVAL);
		assert_int_equal(harness_readable(ring.ring_fd), round);
		harness_nop(&ring, 1);
		harness_submit(&ring, 1);
	}
	io_uring_queue_exit(&ring);
}

static void descriptor_is_close_on_exec(void **state)
{
	struct io_uring ring;

	(void)state;
	harness_init(&ring, 4, 0);
	assert_int_equal(fcntl(ring.ring_fd, F_GETFD), FD_CLOEXEC);
	io_uring_queue_exit(&ring);
}

static void nop_through(struct harness_raw *raw, int fd, uint64_t user_data)
{
	struct io_uring_sqe *sqe = harness_raw_sqe(raw, 0);
	struct io_uring_cqe *cqe;

	sqe->opcode = IORING_OP_NOP;
	sqe->user_data = user_data;
	harness_raw_queue(raw, 0);
	assert_int_equal(io_uring_enter((unsigned)fd, 1, 1, IORING_ENTER_GETEVENTS, NULL), 1);
	assert_int_equal(harness_raw_ready(raw), 1);
	cqe = harness_raw_cqe(raw, *raw->cq_head);
	harness_assert_cqe(*cqe, user_data, 0);
	assert_true(harness_readable(fd));
	harness_store(raw->cq_head, *raw->cq_head + 1);
	assert_int_equal(io_uring_enter((unsigned)fd, 0, 0, IORING_ENTER_GETEVENTS, NULL), 0);
	assert_false(harness_readable(fd));
}

static void a_dup_is_the_same_ring(void **state)
{
	struct harness_raw raw;
	int copy, event_fd, far_copy;

	(void)state;
	harness_raw_setup(&raw, 4, NULL);
	copy = fcntl(raw.fd, F_DUPFD_CLOEXEC, 0);
	assert_true(copy >= 0);
	far_copy = fcntl(raw.fd, F_DUPFD_CLOEXEC, 700);
	assert_true(far_copy >= 700);
	nop_through(&raw, raw.fd, 1);
	nop_through(&raw, copy, 2);
	nop_through(&raw, far_copy, 3);
	close(far_copy);

	event_fd = eventfd(0, EFD_CLOEXEC);
	assert_int_equal(io_uring_register((unsigned)copy, IORING_REGISTER_EVENTFD, &event_fd, 1),
			 0);
	assert_int_equal(io_uring_register((unsigned)raw.fd, IORING_UNREGISTER_EVENTFD, NULL, 0),
			 0);
	close(event_fd);
	close(copy);
	nop_through(&raw, raw.fd, 4);
	harness_raw_close(&raw);
}

static void a_dup_keeps_the_ring_alive(void **state)
{
	struct harness_raw raw;
	int copy;

	(void)state;
	harness_raw_setup(&raw, 4, NULL);
	copy = fcntl(raw.fd, F_DUPFD_CLOEXEC, 0);
	assert_true(copy >= 0);
	harness_close_ring(raw.fd);
	nop_through(&raw, copy, 2);
	raw.fd = copy;
	harness_raw_close(&raw);
}

static void a_closed_ring_is_gone(void **state)
{
	struct harness_raw raw;

	(void)state;
	harness_raw_setup(&raw, 4, NULL);
	harness_raw_close(&raw);
	assert_int_equal(io_uring_enter((unsigned)raw.fd, 0, 0, IORING_ENTER_GETEVENTS, NULL),
			 -EBADF);
	assert_int_equal(io_uring_register((unsigned)raw.fd, IORING_UNREGISTER_FILES, NULL, 0),
			 -EBADF);
}

/* The number of a ring that is gone, taken by some other file, is not a ring. */
static void a_reused_number_is_no_ring(void **state)
{
	struct harness_raw raw;
	int pipe_fds[2];

	(void)state;
	harness_raw_setup(&raw, 4, NULL);
	harness_pipe(pipe_fds);
	harness_raw_close(&raw);
	assert_int_equal(dup2(pipe_fds[0], raw.fd), raw.fd);
	assert_int_equal(io_uring_enter((unsigned)raw.fd, 0, 0, IORING_ENTER_GETEVENTS, NULL),
			 -EOPNOTSUPP);
	close(raw.fd);
	harness_close_pipe(pipe_fds);
}

/* The same for a duplicate of a ring that lives on. */
static void a_reused_number_of_a_dup_is_no_ring(void **state)
{
	struct harness_raw raw, other;
	int pipe_fds[2], copy;

	(void)state;
	harness_raw_setup(&raw, 4, NULL);
	harness_raw_setup(&other, 4, NULL);
	copy = fcntl(raw.fd, F_DUPFD_CLOEXEC, 0);
	assert_true(copy >= 0);
	nop_through(&raw, copy, 1);
	close(copy);
	assert_int_equal(io_uring_enter((unsigned)copy, 0, 0, IORING_ENTER_GETEVENTS, NULL),
			 -EBADF);
	assert_int_equal(dup2(raw.fd, copy), copy);
	nop_through(&raw, copy, 2);
	close(copy);
	harness_pipe(pipe_fds);
	assert_int_equal(dup2(pipe_fds[0], copy), copy);
	assert_int_equal(io_uring_enter((unsigned)copy, 0, 0, IORING_ENTER_GETEVENTS, NULL),
			 -EOPNOTSUPP);
	assert_int_equal(io_uring_register((unsigned)copy, IORING_UNREGISTER_FILES, NULL, 0),
			 -EOPNOTSUPP);
	nop_through(&raw, raw.fd, 3);
	assert_int_equal(dup2(other.fd, copy), copy);
	nop_through(&other, copy, 4);
	nop_through(&raw, raw.fd, 5);
	close(copy);
	harness_close_pipe(pipe_fds);
	harness_raw_close(&other);
	harness_raw_close(&raw);
}

/* What was opened under the number of a dup can be closed by a request, sent to or registered. */
static void a_reused_number_of_a_dup_is_an_ordinary_file(void **state)
{
	struct io_uring ring;
	struct harness_cqe cqe;
	int pipe_fds[2], copy;

	(void)state;
	harness_init(&ring, 4, 0);
	copy = fcntl(ring.ring_fd, F_DUPFD_CLOEXEC, 0);
	assert_true(copy >= 0);
	assert_int_equal(io_uring_enter((unsigned)copy, 0, 0, IORING_ENTER_GETEVENTS, NULL), 0);
	close(copy);
	harness_pipe(pipe_fds);
	assert_int_equal(dup2(pipe_fds[0], copy), copy);
	assert_int_equal(io_uring_register_files(&ring, &copy, 1), 0);
	assert_int_equal(io_uring_unregister_files(&ring), 0);
	io_uring_prep_msg_ring(harness_sqe(&ring), copy, 0, 0, 0);
	harness_submit(&ring, 1);
	cqe = harness_next(&ring);
	assert_int_equal(cqe.res, -EBADFD);
	io_uring_prep_close(harness_sqe(&ring), copy);
	harness_submit(&ring, 1);
	cqe = harness_next(&ring);
	assert_int_equal(cqe.res, 0);
	assert_int_equal(fcntl(copy, F_GETFD), -1);
	harness_close_pipe(pipe_fds);
	io_uring_queue_exit(&ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(poll_tells_whether_completions_wait),
		cmocka_unit_test(poll_tells_about_the_backlog),
		cmocka_unit_test(a_completion_wakes_a_sleeping_poll),
		cmocka_unit_test(epoll_level_and_edge),
		cmocka_unit_test(epoll_set_in_an_epoll_set),
		cmocka_unit_test(read_and_write_are_refused_at_once),
		cmocka_unit_test(descriptor_is_close_on_exec),
		cmocka_unit_test(a_dup_is_the_same_ring),
		cmocka_unit_test(a_dup_keeps_the_ring_alive),
		cmocka_unit_test(a_closed_ring_is_gone),
		cmocka_unit_test(a_reused_number_is_no_ring),
		cmocka_unit_test(a_reused_number_of_a_dup_is_no_ring),
		cmocka_unit_test(a_reused_number_of_a_dup_is_an_ordinary_file),
	};

	return harness_run(tests);
}
