/* SPDX-License-Identifier: MIT */
/*
 * Description: hazard H7. The library calls no code of the application's, so no lock of its is
 * ever held across that. What is left to show: no lock is held while a thread sleeps, be it the
 * application's in a wait or a worker in a system call. Everything here would hang otherwise.
 */
#include "support.h"

enum { OTHERS = 4, ROUNDS = 200, SIZE = 64 };

static struct asyncring ring;
static char directory[] = "/tmp/asyncring-h7-XXXXXX";
static char fifo[64];

static _Atomic int sleeper_tid;
static int sleeper_result;

static void *sleep_in_enter(void *argument)
{
	const unsigned *wanted = argument;

	atomic_store(&sleeper_tid, support_thread_id());
	sleeper_result = asyncring_enter((unsigned)ring.ring_fd, 0, *wanted,
					 ASYNCRING_ENTER_GETEVENTS, NULL);
	return NULL;
}

static bool sleeper_is_known(void *argument)
{
	(void)argument;
	return atomic_load(&sleeper_tid);
}

static void start_sleeper(pthread_t *thread, unsigned *wanted)
{
	atomic_store(&sleeper_tid, 0);
	assert_int_equal(pthread_create(thread, NULL, sleep_in_enter, wanted), 0);
	assert_true(support_eventually(sleeper_is_known, NULL));
	assert_true(support_asleep(atomic_load(&sleeper_tid)));
}

static void exercise(struct asyncring *mine, unsigned nops)
{
	struct iovec vector = {fifo, sizeof(fifo)};
	struct asyncring_cqe *cqe;
	unsigned reaped = 0, head;
	int files[1] = {0};

	assert_int_equal(asyncring_register_files(mine, files, 1), 0);
	assert_int_equal(asyncring_register_buffers(mine, &vector, 1), 0);
	for (unsigned i = 0; i < nops; i++)
		asyncring_prep_nop(support_sqe(mine));
	assert_int_equal(asyncring_submit(mine), nops);
	assert_int_equal(asyncring_get_events(mine), 0);
	asyncring_for_each_cqe (mine, head, cqe) {
		reaped++;
	}
	assert_true(reaped >= nops);
	assert_int_equal(asyncring_unregister_files(mine), 0);
	assert_int_equal(asyncring_unregister_buffers(mine), 0);
}

static void hazard_h7_no_lock_is_held_in_a_wait(void **state)
{
	unsigned wanted = 10;
	pthread_t sleeper;

	(void)state;
	start_sleeper(&sleeper, &wanted);
	exercise(&ring, 9);
	assert_true(support_asleep(atomic_load(&sleeper_tid)));
	asyncring_prep_nop(support_sqe(&ring));
	assert_int_equal(asyncring_submit(&ring), 1);
	assert_int_equal(pthread_join(sleeper, NULL), 0);
	assert_int_equal(sleeper_result, 0);
	assert_int_equal(asyncring_cq_ready(&ring), 10);
	asyncring_cq_advance(&ring, 10);
}

static void hazard_h7_no_lock_is_held_by_a_sleeping_worker(void **state)
{
	struct asyncring_sqe *sqe = support_sqe(&ring);
	struct asyncring other;
	int ends[2], writer;
	char bytes[SIZE];

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	asyncring_prep_openat(sqe, AT_FDCWD, fifo, O_RDONLY | O_CLOEXEC, 0);
	sqe->flags |= ASYNCRING_SQE_ASYNC;
	sqe->user_data = 1;
	sqe = support_sqe(&ring);
	asyncring_prep_read(sqe, ends[0], bytes, SIZE, 0);
	sqe->user_data = 2;
	assert_int_equal(asyncring_submit(&ring), 2);
	exercise(&ring, 4);
	asyncring_cq_advance(&ring, 4);
	assert_int_equal(asyncring_queue_init(8, &other, 0), 0);
	exercise(&other, 8);
	asyncring_prep_msg_ring(support_sqe(&other), ring.ring_fd, 5, 3, 0);
	asyncring_cq_advance(&other, 8);
	assert_int_equal(support_run(&other), 0);
	assert_int_equal(support_result(&ring, NULL), 5);
	asyncring_queue_exit(&other);
	assert_int_equal(write(ends[1], "x", 1), 1);
	assert_int_equal(support_result(&ring, NULL), 1);
	writer = open(fifo, O_WRONLY | O_CLOEXEC);
	assert_true(writer >= 0);
	close(support_result(&ring, NULL));
	close(writer);
	close(ends[0]);
	close(ends[1]);
}

static _Atomic unsigned unexpected;

/* The ring belongs to all threads: each submits by itself, whoever reaps. */
static void *submit_raw(void *argument)
{
	(void)argument;
	for (int i = 0; i < ROUNDS; i++) {
		int error = asyncring_enter((unsigned)ring.ring_fd, 0, 0, ASYNCRING_ENTER_GETEVENTS,
					    NULL);

		if (error || asyncring_register((unsigned)ring.ring_fd, 9999, NULL, 0) != -EINVAL)
			atomic_fetch_add(&unexpected, 1);
	}
	return NULL;
}

static void hazard_h7_many_threads_in_all_calls(void **state)
{
	unsigned wanted = ROUNDS;
	pthread_t sleeper, others[OTHERS];

	(void)state;
	start_sleeper(&sleeper, &wanted);
	for (int i = 0; i < OTHERS; i++)
		assert_int_equal(pthread_create(&others[i], NULL, submit_raw, NULL), 0);
	for (int i = 0; i < ROUNDS; i++) {
		struct asyncring_sqe *sqe = support_sqe(&ring);

		asyncring_prep_nop(sqe);
		sqe->flags |= i % 4 ? 0 : ASYNCRING_SQE_ASYNC;
		assert_int_equal(asyncring_submit(&ring), 1);
	}
	for (int i = 0; i < OTHERS; i++)
		assert_int_equal(pthread_join(others[i], NULL), 0);
	assert_int_equal(pthread_join(sleeper, NULL), 0);
	assert_int_equal(sleeper_result, 0);
	assert_int_equal(atomic_load(&unexpected), 0);
	assert_int_equal(asyncring_cq_ready(&ring), ROUNDS);
	asyncring_cq_advance(&ring, ROUNDS);
}

static int setup(void **state)
{
	struct asyncring_params params = {.flags = ASYNCRING_SETUP_CQSIZE, .cq_entries = 256};

	(void)state;
	support_bound(60);
	if (!mkdtemp(directory))
		return -1;
	snprintf(fifo, sizeof(fifo), "%s/fifo", directory);
	if (mkfifo(fifo, 0600))
		return -1;
	return asyncring_queue_init_params(16, &ring, &params);
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
		cmocka_unit_test(hazard_h7_no_lock_is_held_in_a_wait),
		cmocka_unit_test(hazard_h7_no_lock_is_held_by_a_sleeping_worker),
		cmocka_unit_test(hazard_h7_many_threads_in_all_calls),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
