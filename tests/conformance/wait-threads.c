/* SPDX-License-Identifier: MIT */
/*
 * Description: waiting for completions while other threads and signals come in between.
 */
#include "harness-wait.h"

static void one_completion_wakes_every_waiter(void **state)
{
	const struct __kernel_timespec limit = harness_deadline();
	struct waiter waiters[4];
	struct io_uring ring;
	int pipe_fds[2];
	char byte;

	(void)state;
	harness_init(&ring, 4, 0);
	harness_pipe(pipe_fds);
	queue_read(&ring, pipe_fds[0], &byte, 1);
	harness_submit(&ring, 1);
	for (unsigned i = 0; i < ARRAY_SIZE(waiters); i++)
		start_waiter(&waiters[i], &ring, 1, &limit);
	assert_int_equal(write(pipe_fds[1], "x", 1), 1);
	for (unsigned i = 0; i < ARRAY_SIZE(waiters); i++)
		assert_int_equal(join_waiter(&waiters[i]), 0);
	harness_assert_cqe(harness_next(&ring), 1, 1);
	harness_close_pipe(pipe_fds);
	io_uring_queue_exit(&ring);
}

static void a_nop_of_another_thread_wakes_the_waiter(void **state)
{
	const struct __kernel_timespec limit = harness_deadline();
	struct waiter waiter;
	struct io_uring ring;

	(void)state;
	harness_init(&ring, 4, 0);
	start_waiter(&waiter, &ring, 1, &limit);
	harness_nop(&ring, 1);
	harness_submit(&ring, 1);
	assert_int_equal(join_waiter(&waiter), 0);
	harness_assert_cqe(harness_next(&ring), 1, 0);
	io_uring_queue_exit(&ring);
}

static void too_few_completions_do_not_end_a_wait(void **state)
{
	const struct __kernel_timespec limit = harness_deadline();
	struct waiter waiter;
	struct io_uring ring;

	(void)state;
	harness_init(&ring, 4, 0);
	start_waiter(&waiter, &ring, 3, &limit);
	for (unsigned i = 0; i < 2; i++) {
		harness_nop(&ring, i);
		harness_submit(&ring, 1);
		assert_true(harness_wait_asleep(waiter.tid));
		assert_false(has_returned(&waiter));
	}
	harness_nop(&ring, 2);
	harness_submit(&ring, 1);
	assert_int_equal(join_waiter(&waiter), 0);
	assert_int_equal(io_uring_cq_ready(&ring), 3);
	io_uring_queue_exit(&ring);
}

/* Nobody enters: the completion of the read must turn up in the CQ all the same. */
static void completions_come_while_the_application_spins(void **state)
{
	struct io_uring ring;
	struct harness_cqe cqe;
	int pipe_fds[2];
	uint64_t end;
	char byte;

	(void)state;
	harness_init(&ring, 4, 0);
	harness_pipe(pipe_fds);
	queue_read(&ring, pipe_fds[0], &byte, 1);
	harness_submit(&ring, 1);
	assert_int_equal(write(pipe_fds[1], "x", 1), 1);
	end = harness_now_ns() + HARNESS_WAIT_MS * MSEC * harness_timeout_factor();
	while (!io_uring_cq_ready(&ring))
		assert_true(harness_now_ns() < end);
	assert_true(harness_peek(&ring, &cqe));
	harness_assert_cqe(cqe, 1, 1);
	harness_close_pipe(pipe_fds);
	io_uring_queue_exit(&ring);
}

static void *write_later(void *argument)
{
	int *fd = argument;

	return (void *)(intptr_t)write(*fd, "x", 1);
}

static void a_wait_with_work_outstanding(void **state)
{
	static const unsigned flags[] = {
		0,
		IORING_SETUP_COOP_TASKRUN,
		IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
		IORING_SETUP_SINGLE_ISSUER,
		IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
		IORING_SETUP_SQPOLL,
	};

	(void)state;
	for (unsigned i = 0; i < 2 * ARRAY_SIZE(flags); i++) {
		struct io_uring ring;
		struct io_uring_sqe *sqe;
		pthread_t thread;
		int pipe_fds[2];
		void *written;
		char byte = 0;

		harness_init(&ring, 4, flags[i / 2]);
		harness_pipe(pipe_fds);
		sqe = harness_sqe(&ring);
		io_uring_prep_read(sqe, pipe_fds[0], &byte, 1, 0);
		sqe->flags = i % 2 ? IOSQE_ASYNC : 0;
		sqe->user_data = 9;
		harness_submit(&ring, 1);
		assert_int_equal(pthread_create(&thread, NULL, write_later, &pipe_fds[1]), 0);
		harness_assert_cqe(harness_next(&ring), 9, 1);
		assert_int_equal(byte, 'x');
		pthread_join(thread, &written);
		assert_int_equal((intptr_t)written, 1);
		harness_close_pipe(pipe_fds);
		io_uring_queue_exit(&ring);
	}
}

/* ---- signals ------------------------------------------------------------------------------- */

static volatile sig_atomic_t handled;

static void count_signal(int number)
{
	(void)number;
	handled++;
}

static void handle_usr1(int flags, void (*handler)(int))
{
	struct sigaction action = {.sa_handler = handler, .sa_flags = flags};

	handled = 0;
	assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
}

static void a_handler_interrupts_the_wait(void **state)
{
	static const int flags[] = {0, SA_RESTART};
	const struct __kernel_timespec limit = harness_deadline();
	struct io_uring ring;

	(void)state;
	harness_init(&ring, 4, 0);
	for (unsigned i = 0; i < ARRAY_SIZE(flags); i++) {
		struct waiter waiter;

		handle_usr1(flags[i], count_signal);
		start_waiter(&waiter, &ring, 1, &limit);
		pthread_kill(waiter.thread, SIGUSR1);
		assert_int_equal(join_waiter(&waiter), -EINTR);
		assert_int_equal(handled, 1);
	}
	signal(SIGUSR1, SIG_DFL);
	io_uring_queue_exit(&ring);
}

static void the_mask_holds_for_the_wait_alone(void **state)
{
	struct wait_argument wait = {.count = 1};
	sigset_t usr1, none, now;
	struct io_uring ring;

	(void)state;
	harness_init(&ring, 4, 0);
	handle_usr1(0, count_signal);
	sigemptyset(&none);
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	assert_int_equal(pthread_sigmask(SIG_BLOCK, &usr1, NULL), 0);
	pthread_kill(pthread_self(), SIGUSR1);
	assert_int_equal(handled, 0);
	wait.mask = &none;
	assert_int_equal(enter_wait(&ring, &wait), -EINTR);
	assert_int_equal(handled, 1);
	assert_int_equal(pthread_sigmask(SIG_BLOCK, NULL, &now), 0);
	assert_int_equal(sigismember(&now, SIGUSR1), 1);

	/* The same through the plain form and through liburing. */
	pthread_kill(pthread_self(), SIGUSR1);
	assert_int_equal(
		io_uring_enter((unsigned)ring.ring_fd, 0, 1, IORING_ENTER_GETEVENTS, &none),
		-EINTR);
	assert_int_equal(handled, 2);
	assert_int_equal(pthread_sigmask(SIG_UNBLOCK, &usr1, NULL), 0);
	assert_int_equal(handled, 2);
	signal(SIGUSR1, SIG_DFL);
	io_uring_queue_exit(&ring);
}

static void a_masked_signal_waits_until_after(void **state)
{
	const struct __kernel_timespec soon = {.tv_nsec = 20 * MSEC};
	struct wait_argument wait = {.count = 1, .timeout = &soon};
	struct io_uring ring;
	sigset_t all, usr1;

	(void)state;
	harness_init(&ring, 4, 0);
	handle_usr1(0, count_signal);
	sigfillset(&all);
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	assert_int_equal(pthread_sigmask(SIG_BLOCK, &usr1, NULL), 0);
	pthread_kill(pthread_self(), SIGUSR1);
	wait.mask = &all;
	assert_int_equal(enter_wait(&ring, &wait), -ETIME);
	assert_int_equal(handled, 0);
	assert_int_equal(pthread_sigmask(SIG_UNBLOCK, &usr1, NULL), 0);
	assert_int_equal(handled, 1);
	signal(SIGUSR1, SIG_DFL);
	io_uring_queue_exit(&ring);
}

/* A pending signal does not keep a call from returning what is already there. */
static void completions_count_more_than_a_signal(void **state)
{
	struct wait_argument wait = {.count = 1};
	struct io_uring ring;
	sigset_t usr1, none;

	(void)state;
	harness_init(&ring, 4, 0);
	handle_usr1(0, count_signal);
	sigemptyset(&none);
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	assert_int_equal(pthread_sigmask(SIG_BLOCK, &usr1, NULL), 0);
	pthread_kill(pthread_self(), SIGUSR1);
	harness_nop(&ring, 1);
	harness_submit(&ring, 1);
	wait.mask = &none;
	assert_int_equal(enter_wait(&ring, &wait), 0);
	assert_int_equal(pthread_sigmask(SIG_UNBLOCK, &usr1, NULL), 0);
	assert_int_equal(handled, 1);
	signal(SIGUSR1, SIG_DFL);
	io_uring_queue_exit(&ring);
}

static void leave_the_process(int number)
{
	(void)number;
	_exit(42);
}

/* A handler that runs inside the wait may leave the process, with work outstanding. */
static void a_handler_may_exit(void **state)
{
	int status = 0;
	pid_t child;

	(void)state;
	child = fork();
	assert_true(child >= 0);
	if (!child) {
		struct io_uring ring;
		int pipe_fds[2];
		sigset_t usr1, none;
		char byte;

		sigemptyset(&none);
		sigemptyset(&usr1);
		sigaddset(&usr1, SIGUSR1);
		signal(SIGUSR1, leave_the_process);
		if (io_uring_queue_init(4, &ring, 0) || pipe(pipe_fds))
			_exit(1);
		io_uring_prep_read(io_uring_get_sqe(&ring), pipe_fds[0], &byte, 1, 0);
		if (io_uring_submit(&ring) != 1)
			_exit(2);
		pthread_sigmask(SIG_BLOCK, &usr1, NULL);
		raise(SIGUSR1);
		io_uring_enter((unsigned)ring.ring_fd, 0, 1, IORING_ENTER_GETEVENTS, &none);
		_exit(3);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 42);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_completion_wakes_every_waiter),
		cmocka_unit_test(a_nop_of_another_thread_wakes_the_waiter),
		cmocka_unit_test(too_few_completions_do_not_end_a_wait),
		cmocka_unit_test(completions_come_while_the_application_spins),
		cmocka_unit_test(a_wait_with_work_outstanding),
		cmocka_unit_test(a_handler_interrupts_the_wait),
		cmocka_unit_test(the_mask_holds_for_the_wait_alone),
		cmocka_unit_test(a_masked_signal_waits_until_after),
		cmocka_unit_test(completions_count_more_than_a_signal),
		cmocka_unit_test(a_handler_may_exit),
	};

	return harness_run(tests);
}
