/* SPDX-License-Identifier: MIT */
/*
 * Description: what waits while its descriptor is closed or given another file, its submitter ends,
 * its process forks, or its ring goes away.
 */
#include "../settle.h"
#include "readiness_helpers.h"

#include <sys/socket.h>

/* ---- the descriptor goes ------------------------------------------------------------------- */

/* The file is waited for, not the number. */
static void another_file_under_the_number(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int old[2], new[2];

	harness_pipe(old);
	harness_pipe(new);
	start_multishot(ring, 1, old[0], POLLIN);
	start_poll(ring, 2, old[0], POLLIN);
	assert_int_equal(dup2(new[0], old[0]), old[0]);
	put_byte(new[1]);
	harness_assert_empty(ring);
	/* The number is the other file's now. */
	start_poll(ring, 3, old[0], POLLIN);
	expect(ring, 3, POLLIN);
	put_byte(old[1]);
	expect_both(ring, 1, POLLIN, 2, POLLIN);
	/* What still waits keeps the file: its other end does not see it go. */
	put_byte(old[1]);
	expect_flags(ring, 1, POLLIN, MORE);
	expect_pending(ring, 1);
	assert_int_equal(write(old[1], "x", 1), -1);
	assert_int_equal(errno, EPIPE);
	harness_close_pipe(old);
	harness_close_pipe(new);
}

/* A closed number is given out again while the old file is still waited for, over and over. */
static void numbers_are_used_again(void **state)
{
	enum { ROUNDS = 20 };
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int writers[ROUNDS];
	int number = -1;

	for (unsigned i = 0; i < ROUNDS; i++) {
		int fds[2];

		harness_pipe(fds);
		if (number < 0)
			number = fcntl(fds[0], F_DUPFD_CLOEXEC, 100);
		else
			assert_int_equal(dup2(fds[0], number), number);
		close(fds[0]);
		writers[i] = fds[1];
		start_poll(ring, i, number, POLLIN);
		close(number);
	}
	for (unsigned i = ROUNDS; i-- > 0;) {
		put_byte(writers[i]);
		expect(ring, i, POLLIN);
		close(writers[i]);
	}
	expect_idle(ring);
}

static void closed_by_a_request(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	char byte = 0;
	int fds[2];

	harness_pipe(fds);
	ops_prep(ring, 1, 0, read, fds[0], &byte, 1, 0);
	ops_prep(ring, 2, 0, close, fds[0]);
	harness_submit(ring, 2);
	expect(ring, 2, 0);
	put_byte(fds[1]);
	expect(ring, 1, 1);
	assert_int_equal(byte, 'x');
	close(fds[1]);
}

/* Cancelling by the descriptor's number needs it open; its user_data will do. */
static void a_closed_one_is_cancelled(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int fds[2];

	harness_pipe(fds);
	start_poll(ring, 1, fds[0], POLLIN);
	close(fds[0]);
	ops_prep(ring, 2, 0, cancel64, 1, 0);
	harness_submit(ring, 1);
	expect_both(ring, 2, 0, 1, -ECANCELED);
	assert_int_equal(write(fds[1], "x", 1), -1);
	close(fds[1]);
}

static void a_shutdown_is_seen(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	char byte;
	int pair[2];

	harness_skip_unless_opcode(IORING_OP_RECV);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	start_poll(ring, 1, pair[0], POLLIN);
	ops_prep(ring, 2, 0, recv, pair[0], &byte, 1, 0);
	harness_submit(ring, 1);
	/* One's own end, too. */
	assert_int_equal(shutdown(pair[0], SHUT_RD), 0);
	expect_both(ring, 1, POLLIN | POLLRDHUP, 2, 0);
	close(pair[0]);
	close(pair[1]);
}

/* ---- the submitter goes -------------------------------------------------------------------- */

struct submitter {
	struct io_uring *ring;
	int fd;
	int submitted;
};

static void *submit_and_leave(void *argument)
{
	struct submitter *submitter = argument;
	struct io_uring_sqe *sqe = io_uring_get_sqe(submitter->ring);

	io_uring_prep_poll_add(sqe, submitter->fd, POLLIN);
	sqe->user_data = 1;
	sqe = io_uring_get_sqe(submitter->ring);
	io_uring_prep_timeout(sqe, &never, 0, 0);
	sqe->user_data = 2;
	submitter->submitted = io_uring_submit(submitter->ring);
	return NULL;
}

/* Its requests stay; the kernel ends a poll without its submitter as cancelled when it is due. */
static void a_thread_that_ends(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct submitter submitter = {.ring = ring};
	struct harness_cqe cqe;
	pthread_t thread;
	int fds[2];

	harness_pipe(fds);
	submitter.fd = fds[0];
	assert_int_equal(pthread_create(&thread, NULL, submit_and_leave, &submitter), 0);
	pthread_join(thread, NULL);
	assert_int_equal(submitter.submitted, 2);
	harness_assert_empty(ring);
	put_byte(fds[1]);
	cqe = harness_next(ring);
	assert_int_equal(cqe.user_data, 1);
	assert_true(cqe.res == POLLIN || cqe.res == -ECANCELED);
	ops_prep(ring, 3, 0, timeout_remove, 2, 0);
	harness_submit(ring, 1);
	expect_both(ring, 3, 0, 2, -ECANCELED);
	harness_close_pipe(fds);
}

/* ---- a child ------------------------------------------------------------------------------- */

static int leave_at_once(struct io_uring *ring)
{
	(void)ring;
	return 0;
}

/* A child that has nothing to do with the ring but its memory and descriptors. */
static void in_child(int (*body)(struct io_uring *), struct io_uring *ring)
{
	int status = 0;
	pid_t child;

	assert_true(settle_threads());
	child = fork();
	assert_true(child >= 0);
	if (!child) {
		alarm(HARNESS_SECONDS * harness_timeout_factor()); /* not inherited */
		_exit(body(ring));
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void a_child_comes_and_goes(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct __kernel_timespec soon = harness_msec(30);
	char byte = 0;
	int fds[2], other[2];

	harness_pipe(fds);
	harness_pipe(other);
	start_multishot(ring, 1, fds[0], POLLIN);
	ops_prep(ring, 2, 0, timeout, &soon, 0, 0);
	ops_prep(ring, 3, 0, read, other[0], &byte, 1, 0);
	harness_submit(ring, 2);
	in_child(leave_at_once, ring);
	put_byte(fds[1]);
	put_byte(other[1]);
	for (unsigned i = 0, seen = 0; i < 3; i++) {
		struct harness_cqe cqe = harness_next(ring);

		assert_false(seen & 1u << cqe.user_data);
		seen |= 1u << cqe.user_data;
		assert_int_equal(cqe.res, cqe.user_data == 1   ? POLLIN
					  : cqe.user_data == 2 ? -ETIME
							       : 1);
	}
	assert_int_equal(byte, 'x');
	put_byte(fds[1]);
	expect_flags(ring, 1, POLLIN, MORE);
	expect_pending(ring, 1);
	harness_close_pipe(fds);
	harness_close_pipe(other);
}

static int wait_in_a_ring_of_its_own(struct io_uring *parents)
{
	struct __kernel_timespec soon = harness_msec(5);
	struct io_uring_cqe *cqe;
	struct io_uring_sqe *sqe;
	struct io_uring ring;
	int fds[2];

	(void)parents;
	if (pipe(fds) || io_uring_queue_init(8, &ring, 0))
		return 1;
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_poll_multishot(sqe, fds[0], POLLIN);
	if (io_uring_submit(&ring) != 1 || write(fds[1], "x", 1) != 1)
		return 2;
	if (io_uring_wait_cqe(&ring, &cqe) || cqe->res != POLLIN || !(cqe->flags & MORE))
		return 3;
	io_uring_cqe_seen(&ring, cqe);
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_timeout(sqe, &soon, 0, 0);
	if (io_uring_submit(&ring) != 1)
		return 4;
	if (io_uring_wait_cqe(&ring, &cqe) || cqe->res != -ETIME)
		return 5;
	io_uring_cqe_seen(&ring, cqe);
	io_uring_queue_exit(&ring);
	return 0;
}

/* The parent's engine at work is no obstacle to the child's. */
static void a_child_waits_itself(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int fds[2];

	harness_pipe(fds);
	start_poll(ring, 1, fds[0], POLLIN);
	ops_prep(ring, 2, 0, timeout, &never, 0, 0);
	harness_submit(ring, 1);
	in_child(wait_in_a_ring_of_its_own, ring);
	harness_assert_empty(ring);
	put_byte(fds[1]);
	expect(ring, 1, POLLIN);
	expect_pending(ring, 1);
	harness_close_pipe(fds);
}

enum { DESCRIPTORS = 1024 };

static bool was_open[DESCRIPTORS]; /* before any test */

/* Descriptors that the engine made for what waits must not outlive an exec, which does no harm. */
static int become_another_program(struct io_uring *ring)
{
	(void)ring;
	for (int fd = 3; fd < DESCRIPTORS; fd++) {
		int flags = fcntl(fd, F_GETFD);

		if (flags >= 0 && !(flags & FD_CLOEXEC) && !was_open[fd])
			return 1;
	}
	execl("/bin/true", "true", NULL);
	return 2;
}

static void a_child_executes(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int fds[2];

	harness_pipe(fds);
	start_multishot(ring, 1, fds[0], POLLIN);
	ops_prep(ring, 2, 0, timeout, &never, 0, 0);
	harness_submit(ring, 1);
	in_child(become_another_program, ring);
	put_byte(fds[1]);
	expect_flags(ring, 1, POLLIN, MORE);
	expect_pending(ring, 2);
	harness_close_pipe(fds);
}

/* ---- the ring goes ------------------------------------------------------------------------- */

/* Files that were waited for are let go with the ring: their other ends notice. */
static void a_ring_that_is_closed(void **state)
{
	static const unsigned flags[] = {0, DEFER, IORING_SETUP_SQPOLL};
	struct pollfd end;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(flags); i++) {
		struct io_uring ring;
		char byte;
		int fds[2];

		harness_pipe(fds);
		harness_init(&ring, 8, flags[i]);
		ops_prep(&ring, 1, 0, poll_add, fds[0], POLLIN);
		ops_prep(&ring, 2, 0, poll_multishot, fds[0], POLLIN);
		ops_prep(&ring, 3, IOSQE_IO_LINK, read, fds[0], &byte, 1, 0);
		ops_prep(&ring, 4, 0, link_timeout, &never, 0);
		ops_prep(&ring, 5, 0, timeout, &never, 3, 0);
		ops_prep(&ring, 6, 0, nop);
		harness_submit(&ring, 6);
		/* With an SQ thread only this says that they all have started. */
		expect(&ring, 6, 0);
		close(fds[0]);
		io_uring_queue_exit(&ring);
		end = (struct pollfd){.fd = fds[1]};
		assert_int_equal(poll(&end, 1, (int)HARNESS_WAIT_MS), 1);
		assert_int_equal(end.revents, POLLERR);
		close(fds[1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ops_test(another_file_under_the_number),
		ops_test(numbers_are_used_again),
		ops_test(closed_by_a_request),
		ops_test(a_closed_one_is_cancelled),
		ops_test(a_shutdown_is_seen),
		ops_test(a_thread_that_ends),
		ops_test(a_child_comes_and_goes),
		ops_test(a_child_waits_itself),
		ops_test(a_child_executes),
		cmocka_unit_test(a_ring_that_is_closed),
	};

	for (int fd = 0; fd < DESCRIPTORS; fd++)
		was_open[fd] = fcntl(fd, F_GETFD) >= 0;
	signal(SIGPIPE, SIG_IGN);
	return harness_run(tests);
}
