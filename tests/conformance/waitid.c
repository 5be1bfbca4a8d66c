/* SPDX-License-Identifier: MIT */
/*
 * Description: WAITID is waitid(2): children are waited for by number, by pidfd, by group or any of
 * them; what is told of them; bad input; cancellation.
 */
#include "ops_helpers.h"

/* Of newer header packages. */
#define WHICH_PIDFD ((idtype_t)3)

/* A child that waits for the write end of a pipe to be closed before it exits with @status. */
struct child {
	pid_t pid;
	int gate;
};

static struct child new_child(int status)
{
	struct child child;
	int fds[2];

	harness_pipe(fds);
	child.pid = fork();
	assert_true(child.pid >= 0);
	if (!child.pid) {
		char byte;

		close(fds[1]);
		while (read(fds[0], &byte, 1) < 0 && errno == EINTR)
			;
		_exit(status);
	}
	close(fds[0]);
	child.gate = fds[1];
	return child;
}

static void let_exit(struct child *child)
{
	close(child->gate);
	child->gate = -1;
}

/* It has exited, and nobody has taken it yet. */
static void wait_zombie(pid_t pid)
{
	siginfo_t info;

	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
}

static void reap(pid_t pid)
{
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static int pidfd_of(pid_t pid, unsigned flags)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, flags);

	assert_true(fd >= 0);
	return fd;
}

static void assert_exited(const siginfo_t *info, pid_t pid, int status)
{
	assert_int_equal(info->si_signo, SIGCHLD);
	assert_int_equal(info->si_errno, 0);
	assert_int_equal(info->si_code, CLD_EXITED);
	assert_int_equal(info->si_pid, pid);
	assert_int_equal(info->si_uid, getuid());
	assert_int_equal(info->si_status, status);
}

static void one_that_has_exited_is_taken_at_once(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct child child = new_child(7);
	struct harness_cqe cqe;
	siginfo_t info = {0};

	let_exit(&child);
	wait_zombie(child.pid);
	ops_prep(ring, 3, 0, waitid, P_PID, (id_t)child.pid, &info, WEXITED, 0);
	harness_submit(ring, 1);
	assert_true(harness_peek(ring, &cqe));
	harness_assert_cqe(cqe, 3, 0);
	assert_int_equal(cqe.flags, 0);
	assert_exited(&info, child.pid, 7);
	/* It is gone. */
	assert_int_equal(waitpid(child.pid, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

static void one_is_waited_for(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct child child = new_child(8), other = new_child(9);
	siginfo_t info = {0};

	ops_prep(ring, 3, 0, waitid, P_PID, (id_t)child.pid, &info, WEXITED, 0);
	harness_submit(ring, 1);
	let_exit(&other);
	wait_zombie(other.pid);
	harness_assert_empty(ring);
	let_exit(&child);
	ops_expect(ring, 3, 0);
	assert_exited(&info, child.pid, 8);
	reap(other.pid);
}

static void by_pidfd(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct child child = new_child(4);
	int fd = pidfd_of(child.pid, 0);
	siginfo_t info = {0};

	ops_prep(ring, 3, 0, waitid, WHICH_PIDFD, (id_t)fd, &info, WEXITED, 0);
	harness_submit(ring, 1);
	harness_assert_empty(ring);
	/* The child is what is waited for, not the descriptor. */
	close(fd);
	let_exit(&child);
	ops_expect(ring, 3, 0);
	assert_exited(&info, child.pid, 4);
}

static void any_child(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct child children[2] = {new_child(1), new_child(2)};
	siginfo_t info = {0};

	for (unsigned i = 0; i < 2; i++) {
		ops_prep(ring, 3, 0, waitid, P_ALL, 0, &info, WEXITED, 0);
		harness_submit(ring, 1);
		harness_assert_empty(ring);
		let_exit(&children[1 - i]);
		ops_expect(ring, 3, 0);
		assert_exited(&info, children[1 - i].pid, 2 - (int)i);
	}
	assert_int_equal(ops_run(ring, waitid, P_ALL, 0, &info, WEXITED, 0), -ECHILD);
}

static void of_a_group(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct child child = new_child(5), other = new_child(6);
	siginfo_t info = {0};

	assert_int_equal(setpgid(child.pid, child.pid), 0);
	ops_prep(ring, 3, 0, waitid, P_PGID, (id_t)child.pid, &info, WEXITED, 0);
	harness_submit(ring, 1);
	let_exit(&other);
	wait_zombie(other.pid);
	harness_assert_empty(ring);
	let_exit(&child);
	ops_expect(ring, 3, 0);
	assert_exited(&info, child.pid, 5);
	reap(other.pid);
}

static void stops_and_continues(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct child child = new_child(0);
	siginfo_t info = {0};

	ops_prep(ring, 3, 0, waitid, P_PID, (id_t)child.pid, &info, WSTOPPED, 0);
	harness_submit(ring, 1);
	harness_assert_empty(ring);
	assert_int_equal(kill(child.pid, SIGSTOP), 0);
	ops_expect(ring, 3, 0);
	assert_int_equal(info.si_code, CLD_STOPPED);
	assert_int_equal(info.si_pid, child.pid);
	assert_int_equal(info.si_status, SIGSTOP);
	assert_int_equal(kill(child.pid, SIGCONT), 0);
	assert_int_equal(ops_run(ring, waitid, P_PID, (id_t)child.pid, &info, WCONTINUED, 0), 0);
	assert_int_equal(info.si_code, CLD_CONTINUED);
	assert_int_equal(kill(child.pid, SIGKILL), 0);
	assert_int_equal(ops_run(ring, waitid, P_PID, (id_t)child.pid, &info, WEXITED, 0), 0);
	assert_int_equal(info.si_code, CLD_KILLED);
	assert_int_equal(info.si_status, SIGKILL);
	let_exit(&child);
}

static void options(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct child child = new_child(3);
	siginfo_t info;

	/* There is none yet, and that is no failure. */
	memset(&info, 0xff, sizeof(info));
	assert_int_equal(ops_run(ring, waitid, P_PID, (id_t)child.pid, &info, WEXITED | WNOHANG, 0),
			 0);
	assert_int_equal(info.si_signo, 0);
	assert_int_equal(info.si_pid, 0);
	let_exit(&child);
	/* Looked at, but left. */
	for (unsigned i = 0; i < 2; i++) {
		memset(&info, 0, sizeof(info));
		assert_int_equal(
			ops_run(ring, waitid, P_PID, (id_t)child.pid, &info, WEXITED | WNOWAIT, 0),
			0);
		assert_exited(&info, child.pid, 3);
	}
	/* Nobody wants to know. */
	assert_int_equal(ops_run(ring, waitid, P_PID, (id_t)child.pid, NULL, WEXITED, 0), 0);
	assert_int_equal(waitpid(child.pid, NULL, WNOHANG), -1);
}

static void bad_arguments(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct child child = new_child(0);
	id_t id = (id_t)child.pid;
	struct io_uring_sqe *sqe;
	siginfo_t info;
	int fds[2];

	harness_pipe(fds);
	assert_int_equal(ops_run(ring, waitid, P_PID, id, &info, 0, 0), -EINVAL);
	assert_int_equal(ops_run(ring, waitid, P_PID, id, &info, WNOHANG, 0), -EINVAL);
	assert_int_equal(ops_run(ring, waitid, P_PID, id, &info, WEXITED | 0x100000, 0), -EINVAL);
	assert_int_equal(ops_run(ring, waitid, (idtype_t)9, id, &info, WEXITED, 0), -EINVAL);
	assert_int_equal(ops_run(ring, waitid, P_PID, 0, &info, WEXITED, 0), -EINVAL);
	assert_int_equal(ops_run(ring, waitid, P_PID, (id_t)-5, &info, WEXITED, 0), -EINVAL);
	assert_int_equal(ops_run(ring, waitid, P_PGID, (id_t)-5, &info, WEXITED, 0), -EINVAL);
	assert_int_equal(ops_run(ring, waitid, WHICH_PIDFD, (id_t)-5, &info, WEXITED, 0), -EINVAL);
	assert_int_equal(ops_run(ring, waitid, WHICH_PIDFD, 9999, &info, WEXITED, 0), -EBADF);
	assert_int_equal(ops_run(ring, waitid, WHICH_PIDFD, (id_t)fds[0], &info, WEXITED, 0),
			 -EBADF);
	assert_int_equal(ops_run(ring, waitid, P_PID, 1, &info, WEXITED, 0), -ECHILD);
	assert_int_equal(ops_run(ring, waitid, P_PID, id, &info, WEXITED, 1), -EINVAL);
	for (unsigned i = 0; i < 4; i++) {
		sqe = ops_prep(ring, 0, 0, waitid, P_PID, id, &info, WEXITED, 0);
		sqe->addr = i == 0;
		sqe->addr3 = i == 1;
		sqe->buf_index = i == 2;
		sqe->ioprio = i == 3;
		assert_int_equal(harness_result(ring), -EINVAL);
	}
	harness_close_pipe(fds);
	let_exit(&child);
	/* It is taken all the same. */
	assert_int_equal(ops_run(ring, waitid, P_PID, id, (siginfo_t *)8, WEXITED, 0), -EFAULT);
	assert_int_equal(waitpid(child.pid, NULL, WNOHANG), -1);
}

static void a_pidfd_that_does_not_block(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct child child = new_child(1);
	int fd = pidfd_of(child.pid, O_NONBLOCK);
	siginfo_t info = {0};

	assert_int_equal(ops_run(ring, waitid, WHICH_PIDFD, (id_t)fd, &info, WEXITED, 0), 0);
	assert_int_equal(info.si_pid, 0);
	let_exit(&child);
	wait_zombie(child.pid);
	assert_int_equal(ops_run(ring, waitid, WHICH_PIDFD, (id_t)fd, &info, WEXITED, 0), 0);
	assert_exited(&info, child.pid, 1);
	close(fd);
}

static void links(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct child child = new_child(1);
	siginfo_t info = {0};
	int results[3];

	ops_prep(ring, 0, IOSQE_IO_LINK, nop);
	ops_prep(ring, 1, IOSQE_IO_LINK, waitid, P_PID, (id_t)child.pid, &info, WEXITED, 0);
	ops_prep(ring, 2, 0, nop);
	harness_submit(ring, 3);
	ops_expect(ring, 0, 0);
	harness_assert_empty(ring);
	let_exit(&child);
	ops_expect(ring, 1, 0);
	ops_expect(ring, 2, 0);
	ops_prep(ring, 0, IOSQE_IO_LINK, waitid, P_PID, (id_t)child.pid, &info, WEXITED, 0);
	ops_prep(ring, 1, 0, nop);
	harness_submit(ring, 2);
	ops_collect(ring, results, 2);
	ops_assert_results(results, -ECHILD, -ECANCELED);
}

static void cancel_one(struct io_uring *ring, idtype_t which, id_t id, int option)
{
	siginfo_t info;
	int results[2];

	ops_prep(ring, 0, 0, waitid, which, id, &info, option, 0);
	harness_submit(ring, 1);
	harness_assert_empty(ring);
	ops_prep(ring, 1, 0, cancel64, 0, 0);
	harness_submit(ring, 1);
	ops_collect(ring, results, 2);
	ops_assert_results(results, -ECANCELED, 1);
}

static void cancelling_answers_one(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct child child = new_child(2);
	int fd = pidfd_of(child.pid, 0);
	siginfo_t info = {0};

	cancel_one(ring, P_PID, (id_t)child.pid, WEXITED);
	cancel_one(ring, WHICH_PIDFD, (id_t)fd, WEXITED);
	cancel_one(ring, P_ALL, 0, WEXITED);
	cancel_one(ring, P_PGID, 0, WEXITED);
	cancel_one(ring, P_PID, (id_t)child.pid, WSTOPPED);
	ops_prep(ring, 1, 0, cancel64, 0, 0);
	harness_submit(ring, 1);
	ops_expect(ring, 1, -ENOENT);
	close(fd);
	/* The child is still there to be waited for. */
	let_exit(&child);
	assert_int_equal(ops_run(ring, waitid, P_ALL, 0, &info, WEXITED, 0), 0);
	assert_exited(&info, child.pid, 2);
}

/* A time limit that takes a waiter back says so in the same way. */
static void a_time_limit(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	static const idtype_t kinds[] = {P_PID, P_ALL};
	struct __kernel_timespec limit = harness_msec(20);
	struct child child = new_child(2);
	siginfo_t info;
	int results[2];

	for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++) {
		ops_prep(ring, 0, IOSQE_IO_LINK, waitid, kinds[i], (id_t)child.pid, &info, WEXITED,
			 0);
		ops_prep(ring, 1, 0, link_timeout, &limit, 0);
		harness_submit(ring, 2);
		ops_collect(ring, results, 2);
		ops_assert_results(results, -ECANCELED, 1);
	}
	let_exit(&child);
	reap(child.pid);
}

/* All at once: the number is told, but that of one kind counts once. */
static void cancelling_all(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct child child = new_child(2);
	siginfo_t info;

	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < 3; i++)
			ops_prep(ring, 5, 0, waitid, P_PID, (id_t)child.pid, &info, WEXITED, 0);
		harness_submit(ring, 3);
		ops_prep(ring, 9, 0, cancel64, 5,
			 round ? IORING_ASYNC_CANCEL_ANY : IORING_ASYNC_CANCEL_ALL);
		harness_submit(ring, 1);
		for (unsigned i = 0; i < 4; i++) {
			struct harness_cqe cqe = harness_next(ring);
			int count = round ? 3 : 1;

			assert_int_equal(cqe.res, cqe.user_data == 9 ? count : -ECANCELED);
		}
	}
	let_exit(&child);
	reap(child.pid);
}

static void closing_the_ring_ends_waiters(void **state)
{
	struct child child = new_child(2);
	struct io_uring ring;
	siginfo_t info;

	(void)state;
	harness_init(&ring, 8, 0);
	ops_prep(&ring, 0, 0, waitid, P_PID, (id_t)child.pid, &info, WEXITED, 0);
	ops_prep(&ring, 0, 0, waitid, P_ALL, 0, &info, WEXITED, 0);
	harness_submit(&ring, 2);
	io_uring_queue_exit(&ring);
	let_exit(&child);
	reap(child.pid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ops_test(one_that_has_exited_is_taken_at_once),
		ops_test(one_is_waited_for),
		ops_test(by_pidfd),
		ops_test(any_child),
		ops_test(of_a_group),
		ops_test(stops_and_continues),
		ops_test(options),
		ops_test(bad_arguments),
		ops_test(a_pidfd_that_does_not_block),
		ops_test(links),
		ops_test(cancelling_answers_one),
		ops_test(a_time_limit),
		ops_test(cancelling_all),
		cmocka_unit_test(closing_the_ring_ends_waiters),
	};

	return harness_run(tests);
}
