/* SPDX-License-Identifier: MIT */
/*
 * Description: hazard H6. Library code runs in the application's threads: errno, cancellation and
 * the signal mask are the application's. The library's own threads take no signal of the
 * application's.
 */
#include "support.h"

enum { ODD_ERRNO = 77, SIZE = 4096 };

static struct asyncring ring;
static unsigned char buffer[SIZE];

/* ---- errno ---- */

#define KEEPS_ERRNO(call)                                                                          \
	do {                                                                                       \
		errno = ODD_ERRNO;                                                                 \
		(void)(call);                                                                      \
		if (errno != ODD_ERRNO)                                                            \
			print_error("%s: errno is %d\n", #call, errno);                            \
		assert_int_equal(errno, ODD_ERRNO);                                                \
	} while (0)

static void hazard_h6_errno_is_unchanged_by_the_system_calls(void **state)
{
	struct asyncring_params params = {0};
	struct asyncring_probe probe;
	sigset_t mask;
	int fd;

	(void)state;
	sigemptyset(&mask);
	KEEPS_ERRNO(asyncring_setup(0, &params));
	KEEPS_ERRNO(asyncring_setup(4, NULL));
	KEEPS_ERRNO(fd = asyncring_setup(4, &params));
	assert_true(fd >= 0);
	KEEPS_ERRNO(asyncring_enter((unsigned)fd, 1, 0, 0, NULL));
	KEEPS_ERRNO(asyncring_enter((unsigned)fd, 0, 0, ASYNCRING_ENTER_GETEVENTS, &mask));
	KEEPS_ERRNO(asyncring_enter(9999, 0, 0, 0, NULL));
	KEEPS_ERRNO(asyncring_enter(0, 0, 0, 0, NULL));
	KEEPS_ERRNO(asyncring_register((unsigned)fd, 9999, NULL, 0));
	KEEPS_ERRNO(asyncring_register((unsigned)fd, ASYNCRING_REGISTER_FILES, NULL, 5));
	KEEPS_ERRNO(asyncring_register((unsigned)fd, ASYNCRING_REGISTER_PROBE, &probe, 0));
	KEEPS_ERRNO(asyncring_close(9999));
	KEEPS_ERRNO(asyncring_close(0));
	KEEPS_ERRNO(asyncring_close(fd));
}

static void hazard_h6_errno_is_unchanged_by_the_rest(void **state)
{
	struct __kernel_timespec soon = {.tv_nsec = 1000};
	struct iovec vector = {buffer, SIZE};
	struct asyncring_probe *probe;
	struct asyncring_cqe *cqe;
	struct asyncring other;
	int fd = support_file("/tmp", SIZE), bad[2] = {0, 9999};

	(void)state;
	KEEPS_ERRNO(asyncring_queue_init(4, &other, ASYNCRING_SETUP_SQ_AFF));
	KEEPS_ERRNO(asyncring_queue_init(4, &other, 0));
	KEEPS_ERRNO(asyncring_submit(&other));
	KEEPS_ERRNO(asyncring_peek_cqe(&other, &cqe));
	KEEPS_ERRNO(asyncring_wait_cqe_timeout(&other, &cqe, &soon));
	KEEPS_ERRNO(probe = asyncring_get_probe_ring(&other));
	KEEPS_ERRNO(asyncring_free_probe(probe));
	KEEPS_ERRNO(asyncring_register_files(&other, bad, 2));
	KEEPS_ERRNO(asyncring_register_files(&other, bad, 1));
	KEEPS_ERRNO(asyncring_unregister_files(&other));
	KEEPS_ERRNO(asyncring_unregister_files(&other));
	KEEPS_ERRNO(asyncring_register_buffers(&other, NULL, 1));
	KEEPS_ERRNO(asyncring_register_buffers(&other, &vector, 1));
	KEEPS_ERRNO(asyncring_unregister_buffers(&other));
	for (unsigned flags = 0; flags <= ASYNCRING_SQE_ASYNC; flags += ASYNCRING_SQE_ASYNC) {
		struct asyncring_sqe *sqe = support_sqe(&other);

		asyncring_prep_read(sqe, fd, buffer, SIZE, 0);
		sqe->flags |= (unsigned char)flags;
		sqe = support_sqe(&other);
		asyncring_prep_openat(sqe, AT_FDCWD, "/nowhere/at/all", O_RDONLY, 0);
		sqe->flags |= (unsigned char)flags;
		sqe = support_sqe(&other);
		asyncring_prep_read(sqe, 9999, buffer, SIZE, 0);
		sqe->flags |= (unsigned char)flags;
		KEEPS_ERRNO(asyncring_submit(&other));
		for (int i = 0; i < 3; i++) {
			KEEPS_ERRNO(asyncring_wait_cqe(&other, &cqe));
			asyncring_cqe_seen(&other, cqe);
		}
	}
	KEEPS_ERRNO(asyncring_queue_exit(&other));
	KEEPS_ERRNO(asyncring_queue_init(1u << 20, &other, 0));
	close(fd);
}

/* ---- the signal mask ---- */

static void hazard_h6_signal_mask_is_unchanged(void **state)
{
	sigset_t before, now;
	struct asyncring_sqe *sqe;
	struct asyncring other;
	int fd = support_file("/tmp", SIZE);

	(void)state;
	/* A thread is started while we look at the mask. */
	sigemptyset(&now);
	sigaddset(&now, SIGUSR2);
	pthread_sigmask(SIG_SETMASK, &now, NULL);
	pthread_sigmask(SIG_SETMASK, NULL, &before);
	assert_int_equal(asyncring_queue_init(4, &other, 0), 0);
	sqe = support_sqe(&other);
	asyncring_prep_read(sqe, fd, buffer, SIZE, 0);
	sqe->flags |= ASYNCRING_SQE_ASYNC;
	assert_int_equal(support_run(&other), SIZE);
	asyncring_queue_exit(&other);
	pthread_sigmask(SIG_SETMASK, NULL, &now);
	for (int signal = 1; signal < NSIG; signal++)
		assert_int_equal(sigismember(&now, signal), sigismember(&before, signal));
	sigemptyset(&now);
	pthread_sigmask(SIG_SETMASK, &now, NULL);
	close(fd);
}

/* ---- workers and signals of the process ---- */

static _Atomic int handled_by;

static void note_thread(int signal)
{
	(void)signal;
	atomic_store(&handled_by, support_thread_id());
}

static void hazard_h6_workers_take_no_signals_of_the_application(void **state)
{
	struct sigaction action = {.sa_handler = note_thread};
	const struct timespec no_time = {0};
	int ends[2];
	sigset_t usr1;

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	asyncring_prep_read(support_sqe(&ring), ends[0], buffer, 1, 0);
	assert_int_equal(asyncring_submit(&ring), 1);
	assert_true(support_threads() >= 2);
	assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &usr1, NULL);
	for (int i = 0; i < 100; i++) {
		/* Nobody takes it: it is still there for the thread that asks. */
		assert_int_equal(kill(getpid(), SIGUSR1), 0);
		assert_int_equal(sigtimedwait(&usr1, NULL, &no_time), SIGUSR1);
	}
	assert_int_equal(atomic_load(&handled_by), 0);
	pthread_sigmask(SIG_UNBLOCK, &usr1, NULL);
	assert_int_equal(kill(getpid(), SIGUSR1), 0);
	assert_int_equal(atomic_load(&handled_by), getpid());
	assert_int_equal(write(ends[1], "x", 1), 1);
	assert_int_equal(support_result(&ring, NULL), 1);
	close(ends[0]);
	close(ends[1]);
}

/* ---- cancellation of threads ---- */

static _Atomic int stage;
static int cancel_file;
static unsigned cancel_flags; /* of the ring */

/* Every kind of call, by a thread that is to be cancelled at its next cancellation point. */
static void *work_while_cancelled(void *argument)
{
	struct __kernel_timespec soon = {.tv_nsec = 1000};
	unsigned char bytes[64];
	struct asyncring_cqe *cqe;
	struct asyncring own;

	(void)argument;
	pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, NULL);
	pthread_cancel(pthread_self());
	if (asyncring_queue_init(4, &own, cancel_flags))
		return NULL;
	atomic_store(&stage, 1);
	for (int i = 0; i < 4; i++) {
		struct asyncring_sqe *sqe = asyncring_get_sqe(&own);

		if (i < 2)
			asyncring_prep_read(sqe, cancel_file, bytes, sizeof(bytes), 0);
		else if (i == 2)
			asyncring_prep_fsync(sqe, cancel_file, 0);
		else
			asyncring_prep_openat(sqe, AT_FDCWD, "/nowhere/at/all", O_RDONLY, 0);
		sqe->flags |= i % 2 ? ASYNCRING_SQE_ASYNC : 0;
	}
	if (asyncring_submit(&own) != 4)
		return NULL;
	atomic_store(&stage, 2);
	for (int i = 0; i < 4; i++) {
		if (asyncring_wait_cqe(&own, &cqe))
			return NULL;
		asyncring_cqe_seen(&own, cqe);
	}
	atomic_store(&stage, 3);
	asyncring_wait_cqe_timeout(&own, &cqe, &soon);
	asyncring_register_files(&own, &cancel_file, 1);
	asyncring_unregister_files(&own);
	asyncring_enter(0, 0, 0, 0, NULL);
	atomic_store(&stage, 4);
	asyncring_queue_exit(&own);
	atomic_store(&stage, 5);
	pthread_testcancel();
	return NULL;
}

static void cancel_a_thread(unsigned flags)
{
	pthread_t thread;
	void *result;

	cancel_flags = flags;
	cancel_file = support_file("/tmp", SIZE);
	/* Without another ring: the last one's end waits for the workers. */
	asyncring_queue_exit(&ring);
	assert_int_equal(pthread_create(&thread, NULL, work_while_cancelled, NULL), 0);
	assert_int_equal(pthread_join(thread, &result), 0);
	assert_int_equal(atomic_load(&stage), 5);
	assert_ptr_equal(result, PTHREAD_CANCELED);
	assert_int_equal(asyncring_queue_init(8, &ring, 0), 0);
	close(cancel_file);
}

static void hazard_h6_no_cancellation_point_in_the_library(void **state)
{
	(void)state;
	cancel_a_thread(0);
}

static void hazard_h6_no_cancellation_point_with_an_sq_thread(void **state)
{
	(void)state;
	cancel_a_thread(ASYNCRING_SETUP_SQPOLL);
}

static int setup(void **state)
{
	(void)state;
	support_bound(60);
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
		cmocka_unit_test(hazard_h6_errno_is_unchanged_by_the_system_calls),
		cmocka_unit_test(hazard_h6_errno_is_unchanged_by_the_rest),
		cmocka_unit_test(hazard_h6_signal_mask_is_unchanged),
		cmocka_unit_test(hazard_h6_workers_take_no_signals_of_the_application),
		cmocka_unit_test(hazard_h6_no_cancellation_point_in_the_library),
		cmocka_unit_test(hazard_h6_no_cancellation_point_with_an_sq_thread),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
