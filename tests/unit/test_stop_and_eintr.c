/* SPDX-License-Identifier: MIT */
/*
 * Description: signals. Stopping and continuing the process, which ends many system calls with
 * EINTR, shows nowhere but in the time it takes; a storm of signals ends waits with -EINTR and
 * nothing else, and no completion is lost.
 */
#include "support.h"

enum { SIZE = 4096, ROUNDS = 300 };

static struct asyncring ring;
static unsigned char buffer[SIZE];
static int file, ends[2];
static _Atomic unsigned storms;

static void count_storm(int signal)
{
	(void)signal;
	atomic_fetch_add(&storms, 1);
}

/* Requests of all kinds, while signals come all the time. */
static void work(unsigned rounds)
{
	unsigned interrupted = 0;

	for (unsigned round = 0; round < rounds; round++) {
		struct asyncring_sqe *sqe = support_sqe(&ring);
		unsigned seen = 0;

		asyncring_prep_read(sqe, ends[0], buffer, 1, 0);
		sqe->user_data = 1;
		sqe = support_sqe(&ring);
		asyncring_prep_read(sqe, file, buffer, SIZE, 0);
		sqe->flags |= round % 2 ? ASYNCRING_SQE_ASYNC : 0;
		sqe->user_data = SIZE;
		sqe = support_sqe(&ring);
		asyncring_prep_fsync(sqe, file, 0);
		sqe->user_data = 0;
		assert_int_equal(asyncring_submit(&ring), 3);
		assert_int_equal(write(ends[1], "x", 1), 1);
		while (seen < 3) {
			struct asyncring_cqe *cqe;
			int error = asyncring_wait_cqe(&ring, &cqe);

			if (error) {
				assert_int_equal(error, -EINTR);
				interrupted++;
				continue;
			}
			assert_int_equal(cqe->res, cqe->user_data);
			asyncring_cqe_seen(&ring, cqe);
			seen++;
		}
	}
	print_message("%u waits interrupted\n", interrupted);
}

static void a_storm_of_signals_loses_nothing(void **state)
{
	const struct itimerspec often = {{0, 100000}, {0, 100000}};
	struct sigaction action = {.sa_handler = count_storm, .sa_flags = SA_RESTART};
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2};
	timer_t timer;

	(void)state;
	assert_int_equal(sigaction(SIGUSR2, &action, NULL), 0);
	assert_int_equal(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
	assert_int_equal(timer_settime(timer, 0, &often, NULL), 0);
	work(ROUNDS / support_slowness() + 10);
	assert_int_equal(timer_delete(timer), 0);
	assert_true(atomic_load(&storms) > 0);
}

/* Whatever the handler's flags say of restarting. */
static void a_wait_ends_with_eintr(void **state)
{
	struct sigaction action = {.sa_handler = count_storm};
	pid_t parent = getpid();
	struct asyncring_cqe *cqe;

	(void)state;
	assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
	for (int i = 0; i < 50; i++) {
		pid_t child = fork();
		int status;

		assert_true(child >= 0);
		/* Signals until told that one has arrived while its target was asleep. */
		if (!child) {
			while (getppid() == parent) {
				kill(parent, SIGUSR1);
				sched_yield();
			}
			_exit(0);
		}
		action.sa_flags = i % 2 ? SA_RESTART : 0;
		assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
		assert_int_equal(asyncring_wait_cqe(&ring, &cqe), -EINTR);
		kill(child, SIGKILL);
		while (waitpid(child, &status, 0) < 0)
			assert_int_equal(errno, EINTR);
	}
}

/* A child works, the parent stops and continues it. */
static void stopping_and_continuing_shows_nowhere(void **state)
{
	int status, started[2];
	char byte;
	pid_t child;

	(void)state;
	assert_int_equal(pipe2(started, O_CLOEXEC), 0);
	child = fork();
	assert_true(child >= 0);
	if (!child) {
		support_bound(60);
		if (asyncring_queue_init(8, &ring, 0) || pipe2(ends, O_CLOEXEC))
			_exit(2);
		if (write(started[1], "s", 1) != 1)
			_exit(3);
		for (int i = 0; i < ROUNDS; i++) {
			struct asyncring_cqe *cqe;
			struct asyncring_sqe *sqe = asyncring_get_sqe(&ring);
			int error;

			asyncring_prep_read(sqe, ends[0], buffer, 1, 0);
			sqe = asyncring_get_sqe(&ring);
			asyncring_prep_read(sqe, file, buffer, 1, 0);
			sqe->flags |= ASYNCRING_SQE_ASYNC;
			if (asyncring_submit(&ring) != 2 || write(ends[1], "x", 1) != 1)
				_exit(4);
			for (int seen = 0; seen < 2; seen++) {
				/* A futex that is interrupted by a stop goes on by itself. */
				while ((error = asyncring_wait_cqe(&ring, &cqe)) == -EINTR)
					;
				if (error || cqe->res != 1)
					_exit(5);
				asyncring_cqe_seen(&ring, cqe);
			}
		}
		asyncring_queue_exit(&ring);
		_exit(0);
	}
	assert_int_equal(read(started[0], &byte, 1), 1);
	for (int i = 0; i < 200; i++) {
		if (kill(child, SIGSTOP))
			break;
		assert_int_equal(waitpid(child, &status, WUNTRACED), child);
		if (!WIFSTOPPED(status))
			break;
		assert_int_equal(kill(child, SIGCONT), 0);
		sched_yield();
	}
	if (WIFSTOPPED(status))
		assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	close(started[0]);
	close(started[1]);
}

static int setup(void **state)
{
	(void)state;
	support_bound(90);
	file = support_file("/tmp", SIZE);
	if (pipe2(ends, O_CLOEXEC))
		return -1;
	return asyncring_queue_init(8, &ring, 0);
}

static int teardown(void **state)
{
	(void)state;
	asyncring_queue_exit(&ring);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_storm_of_signals_loses_nothing),
		cmocka_unit_test(a_wait_ends_with_eintr),
		cmocka_unit_test(stopping_and_continuing_shows_nowhere),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
