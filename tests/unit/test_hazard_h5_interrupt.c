/* SPDX-License-Identifier: MIT */
/*
 * Description: hazard H5. A signal that comes just before a worker enters its system call is lost,
 * so it is sent again until the worker has taken notice. And it is one that nobody else uses.
 */
#include "support.h"

enum { ROUNDS = 1000 };

static struct asyncring ring;
static char directory[] = "/tmp/asyncring-h5-XXXXXX";
static char fifo[64];

static _Atomic bool lose_a_signal;   /* sleep before the open, until a signal ends the sleep */
static _Atomic unsigned lost, opens; /* sleeps so ended; workers that came to open the FIFO */

static bool before_the_open(long number, const long arguments[6], long *result)
{
	const struct timespec long_time = {.tv_sec = 60};

	(void)arguments;
	(void)result;
	if ((number == SYS_openat || number == 437) && support_thread_id() != getpid()) {
		atomic_fetch_add(&opens, 1);
		if (atomic_load(&lose_a_signal) && nanosleep(&long_time, NULL) < 0)
			atomic_fetch_add(&lost, 1);
	}
	return false;
}

static void queue_open(uint64_t user_data)
{
	struct asyncring_sqe *sqe = support_sqe(&ring);

	asyncring_prep_openat(sqe, AT_FDCWD, fifo, O_RDONLY | O_CLOEXEC, 0);
	sqe->flags |= ASYNCRING_SQE_ASYNC;
	sqe->user_data = user_data;
}

static void queue_cancel(uint64_t target, uint64_t user_data)
{
	struct asyncring_sqe *sqe = support_sqe(&ring);

	asyncring_prep_cancel64(sqe, target, 0);
	sqe->user_data = user_data;
}

struct opens_wanted {
	unsigned count;
};

static bool opens_reached(void *argument)
{
	const struct opens_wanted *wanted = argument;

	return atomic_load(&opens) >= wanted->count;
}

static void see_opens(unsigned count)
{
	struct opens_wanted wanted = {count};

	assert_true(support_eventually(opens_reached, &wanted));
}

/* Cancel the open; what the two requests answer. */
static void cancel_and_collect(int *opened, int *cancelled)
{
	queue_cancel(1, 2);
	assert_int_equal(asyncring_submit(&ring), 1);
	for (int i = 0; i < 2; i++) {
		uint64_t user_data;
		int result = support_result(&ring, &user_data);

		*(user_data == 1 ? opened : cancelled) = result;
	}
}

/* The application has handlers of its own on the highest real-time signals. */
static _Atomic unsigned handler_calls;

static void application_handler(int signal)
{
	(void)signal;
	atomic_fetch_add(&handler_calls, 1);
}

static void hazard_h5_signals_of_the_application_are_left_alone(void **state)
{
	struct sigaction action = {.sa_handler = application_handler}, now;
	int opened = 0, cancelled = 0;

	(void)state;
	assert_int_equal(sigaction(SIGRTMAX, &action, NULL), 0);
	assert_int_equal(sigaction(SIGRTMAX - 1, &action, NULL), 0);
	action.sa_handler = SIG_IGN;
	assert_int_equal(sigaction(SIGRTMAX - 2, &action, NULL), 0);
	atomic_store(&opens, 0);
	queue_open(1);
	assert_int_equal(asyncring_submit(&ring), 1);
	see_opens(1);
	cancel_and_collect(&opened, &cancelled);
	assert_int_equal(cancelled, -EALREADY);
	assert_int_equal(opened, -EINTR);
	assert_int_equal(atomic_load(&handler_calls), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(sigaction(SIGRTMAX - i, NULL, &now), 0);
		assert_ptr_equal(now.sa_handler, application_handler);
	}
	assert_int_equal(sigaction(SIGRTMAX - 2, NULL, &now), 0);
	assert_ptr_equal(now.sa_handler, SIG_IGN);
}

static void hazard_h5_signal_before_the_call_is_not_lost(void **state)
{
	int opened = 0, cancelled = 0;

	(void)state;
	atomic_store(&lost, 0);
	atomic_store(&opens, 0);
	atomic_store(&lose_a_signal, true);
	queue_open(1);
	assert_int_equal(asyncring_submit(&ring), 1);
	see_opens(1);
	cancel_and_collect(&opened, &cancelled);
	atomic_store(&lose_a_signal, false);
	assert_int_equal(cancelled, -EALREADY);
	assert_int_equal(opened, -EINTR);
	assert_true(atomic_load(&lost) >= 1);
}

static void hazard_h5_open_of_a_fifo_is_cancelled_again_and_again(void **state)
{
	unsigned rounds = ROUNDS / support_slowness();

	(void)state;
	for (unsigned round = 0; round < rounds; round++) {
		int opened = 0, cancelled = 0;

		atomic_store(&opens, 0);
		queue_open(1);
		assert_int_equal(asyncring_submit(&ring), 1);
		if (round % 2)
			see_opens(1);
		cancel_and_collect(&opened, &cancelled);
		if (cancelled == 0)
			assert_int_equal(opened, -ECANCELED);
		else {
			assert_int_equal(cancelled, -EALREADY);
			assert_true(opened == -EINTR || opened == -ECANCELED);
		}
		if (round % 2)
			assert_int_equal(cancelled, -EALREADY);
	}
}

/* The worker that was interrupted carries out the next request undisturbed. */
static void hazard_h5_interruption_ends_with_its_request(void **state)
{
	static unsigned char buffer[4096];
	int fd = support_file("/tmp", sizeof(buffer));
	int opened = 0, cancelled = 0;

	(void)state;
	for (int round = 0; round < 50; round++) {
		struct asyncring_sqe *sqe;

		atomic_store(&opens, 0);
		queue_open(1);
		assert_int_equal(asyncring_submit(&ring), 1);
		see_opens(1);
		cancel_and_collect(&opened, &cancelled);
		assert_int_equal(opened, -EINTR);
		sqe = support_sqe(&ring);
		asyncring_prep_read(sqe, fd, buffer, sizeof(buffer), 0);
		sqe->flags |= ASYNCRING_SQE_ASYNC;
		assert_int_equal(support_run(&ring), sizeof(buffer));
	}
	close(fd);
}

static void hazard_h5_all_workers_are_interrupted_at_once(void **state)
{
	enum { MANY = 32 };
	struct asyncring_sqe *sqe;

	(void)state;
	atomic_store(&opens, 0);
	for (unsigned i = 0; i < MANY; i++)
		queue_open(100 + i);
	assert_int_equal(asyncring_submit(&ring), MANY);
	see_opens(MANY);
	sqe = support_sqe(&ring);
	asyncring_prep_cancel64(sqe, 0, ASYNCRING_ASYNC_CANCEL_ANY);
	sqe->user_data = 1;
	assert_int_equal(asyncring_submit(&ring), 1);
	for (unsigned i = 0; i <= MANY; i++) {
		uint64_t user_data;
		int result = support_result(&ring, &user_data);

		if (user_data >= 100)
			assert_int_equal(result, -EINTR);
	}
}

static int setup(void **state)
{
	(void)state;
	support_bound(120);
	asyncring__sys_hook = before_the_open;
	if (!mkdtemp(directory))
		return -1;
	snprintf(fifo, sizeof(fifo), "%s/fifo", directory);
	if (mkfifo(fifo, 0600))
		return -1;
	return asyncring_queue_init(32, &ring, 0);
}

static int teardown(void **state)
{
	(void)state;
	asyncring_queue_exit(&ring);
	unlink(fifo);
	rmdir(directory);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hazard_h5_signals_of_the_application_are_left_alone),
		cmocka_unit_test(hazard_h5_signal_before_the_call_is_not_lost),
		cmocka_unit_test(hazard_h5_open_of_a_fifo_is_cancelled_again_and_again),
		cmocka_unit_test(hazard_h5_interruption_ends_with_its_request),
		cmocka_unit_test(hazard_h5_all_workers_are_interrupted_at_once),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
