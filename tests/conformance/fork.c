/* SPDX-License-Identifier: MIT */
/*
 * Description: forked children: rings of their own, the parent's requests, and exec.
 *
 * Calls of a child on an inherited ring are not judged here: the kernel carries them out, asyncring
 * may refuse them.
 */
#include "../settle.h"
#include "harness.h"

/* Run body in a child, which must leave with 0 within the time limit of the program. */
static void in_child(int (*body)(void *), void *argument)
{
	int status = 0;
	pid_t child = fork();

	assert_true(child >= 0);
	if (!child) {
		alarm(HARNESS_SECONDS * harness_timeout_factor()); /* not inherited */
		_exit(body(argument));
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static int use_ring_of_its_own(void *argument)
{
	unsigned flags = *(unsigned *)argument;
	struct io_uring_cqe *cqe = NULL;
	struct io_uring_sqe *sqe;
	struct io_uring ring;
	int pipe_fds[2];
	char byte = 0;

	if (io_uring_queue_init(8, &ring, flags) || pipe(pipe_fds))
		return 1;
	io_uring_prep_nop(io_uring_get_sqe(&ring));
	if (io_uring_submit(&ring) < 0 || io_uring_wait_cqe(&ring, &cqe) || cqe->res)
		return 2;
	io_uring_cqe_seen(&ring, cqe);
	/* One that needs threads of the engine: they must be the child's, too. */
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_read(sqe, pipe_fds[0], &byte, 1, 0);
	sqe->flags = IOSQE_ASYNC;
	if (io_uring_submit(&ring) < 0 || write(pipe_fds[1], "x", 1) != 1)
		return 3;
	if (io_uring_wait_cqe(&ring, &cqe) || cqe->res != 1 || byte != 'x')
		return 4;
	io_uring_cqe_seen(&ring, cqe);
	io_uring_queue_exit(&ring);
	return 0;
}

static void a_child_has_rings_of_its_own(void **state)
{
	static unsigned flags[] = {
		0,
		IORING_SETUP_SQPOLL,
		IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(flags); i++)
		in_child(use_ring_of_its_own, &flags[i]);
}

/* The same while the parent has rings, threads and requests in every state. */
static void a_child_of_a_busy_parent(void **state)
{
	static unsigned no_flags;
	struct io_uring ring, polled;
	char bytes[2] = {0};
	int pipe_fds[2][2];

	(void)state;
	harness_init(&ring, 8, 0);
	harness_init(&polled, 8, IORING_SETUP_SQPOLL);
	for (unsigned i = 0; i < 2; i++) {
		struct io_uring_sqe *sqe = harness_sqe(&ring);

		harness_pipe(pipe_fds[i]);
		io_uring_prep_read(sqe, pipe_fds[i][0], &bytes[i], 1, 0);
		sqe->flags = i ? IOSQE_ASYNC : 0;
		sqe->user_data = i;
	}
	harness_submit(&ring, 2);
	assert_true(settle_threads());
	for (unsigned i = 0; i < 5; i++)
		in_child(use_ring_of_its_own, &no_flags);

	/* Five children have come and gone: the requests have not noticed. */
	harness_assert_empty(&ring);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(write(pipe_fds[i][1], "x", 1), 1);
		harness_assert_cqe(harness_next(&ring), i, 1);
		assert_int_equal(bytes[i], 'x');
		harness_close_pipe(pipe_fds[i]);
	}
	harness_nop(&polled, 4);
	harness_submit(&polled, 1);
	harness_assert_cqe(harness_next(&polled), 4, 0);
	io_uring_queue_exit(&polled);
	io_uring_queue_exit(&ring);
}

static int close_inherited(void *argument)
{
	return close(*(int *)argument) ? 1 : 0;
}

static void a_child_may_close_the_descriptor(void **state)
{
	struct io_uring ring;
	int pipe_fds[2];
	char byte = 0;

	(void)state;
	harness_init(&ring, 8, 0);
	harness_pipe(pipe_fds);
	io_uring_prep_read(harness_sqe(&ring), pipe_fds[0], &byte, 1, 0);
	harness_submit(&ring, 1);
	in_child(close_inherited, &ring.ring_fd);
	harness_assert_empty(&ring);
	assert_int_equal(write(pipe_fds[1], "x", 1), 1);
	assert_int_equal(harness_next(&ring).res, 1);
	assert_true(harness_wait_quiet(&ring, ring.ring_fd));
	harness_close_pipe(pipe_fds);
	io_uring_queue_exit(&ring);
}

static int grandchild(void *argument)
{
	int status = 0;
	pid_t child = fork();

	if (child < 0)
		return 1;
	if (!child)
		_exit(use_ring_of_its_own(argument));
	if (waitpid(child, &status, 0) != child || !WIFEXITED(status))
		return 2;
	return WEXITSTATUS(status) ? 3 : use_ring_of_its_own(argument);
}

static void children_of_children(void **state)
{
	static unsigned no_flags;
	struct io_uring ring;

	(void)state;
	harness_init(&ring, 8, 0);
	in_child(grandchild, &no_flags);
	harness_nop(&ring, 1);
	harness_assert_cqe(harness_complete(&ring), 1, 0);
	io_uring_queue_exit(&ring);
}

/* Every descriptor that rings bring along must go at exec. */
static void exec_leaks_no_descriptor(void **state)
{
	struct io_uring ring, polled;
	bool known[1024] = {false};
	struct io_uring_sqe *sqe;
	int pipe_fds[2];
	char byte;

	(void)state;
	harness_pipe(pipe_fds);
	for (int fd = 0; fd < 1024; fd++)
		known[fd] = fcntl(fd, F_GETFD) >= 0;
	harness_init(&ring, 8, 0);
	harness_init(&polled, 8, IORING_SETUP_SQPOLL);
	sqe = harness_sqe(&ring);
	io_uring_prep_read(sqe, pipe_fds[0], &byte, 1, 0);
	io_uring_prep_read(harness_sqe(&ring), pipe_fds[0], &byte, 1, 0);
	sqe->flags = IOSQE_ASYNC;
	harness_submit(&ring, 2);
	for (int fd = 0; fd < 1024; fd++) {
		int flags = fcntl(fd, F_GETFD);

		if (flags < 0 || known[fd])
			continue;
		if (!(flags & FD_CLOEXEC))
			print_error("descriptor %d\n", fd);
		assert_true(flags & FD_CLOEXEC);
	}
	assert_int_equal(write(pipe_fds[1], "xx", 2), 2);
	harness_reap(&ring, NULL, 2);
	harness_close_pipe(pipe_fds);
	io_uring_queue_exit(&polled);
	io_uring_queue_exit(&ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_child_has_rings_of_its_own),
		cmocka_unit_test(a_child_of_a_busy_parent),
		cmocka_unit_test(a_child_may_close_the_descriptor),
		cmocka_unit_test(children_of_children),
		cmocka_unit_test(exec_leaks_no_descriptor),
	};

	return harness_run(tests);
}
