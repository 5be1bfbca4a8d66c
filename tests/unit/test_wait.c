/* SPDX-License-Identifier: MIT */
/*
 * Description: what of waiting only the library's insides can show: a CQ that cannot become fuller,
 * the clock that tests can set, room in the SQ while the SQ thread is in the middle of it.
 */
#include "support.h"

#include "clock.h"

enum { SIZE = 4096 };

static struct support_gate gate = {.number = -1};

static bool pass_gate(long number, const long arguments[6], long *result)
{
	(void)arguments;
	(void)result;
	support_gate_pass(&gate, number);
	return false;
}

/* ---- a full CQ ---- */

static void queue_nop(struct asyncring *ring, bool large)
{
	struct asyncring_sqe *sqe = support_sqe(ring);

	asyncring_prep_nop(sqe);
	if (large)
		sqe->nop_flags = ASYNCRING_NOP_CQE32;
	assert_int_equal(asyncring_submit(ring), 1);
}

/* One slot is free, and the next completion needs two: nothing can be gained by waiting. */
static void wait_a_cq_with_an_odd_slot_is_full(void **state)
{
	struct asyncring ring;

	(void)state;
	assert_int_equal(asyncring_queue_init(4, &ring, ASYNCRING_SETUP_CQE_MIXED), 0);
	queue_nop(&ring, true);
	asyncring_cq_advance(&ring, 2);
	for (int i = 0; i < 7; i++)
		queue_nop(&ring, false);
	queue_nop(&ring, true);
	assert_int_equal(
		asyncring_enter((unsigned)ring.ring_fd, 0, 8, ASYNCRING_ENTER_GETEVENTS, NULL), 0);
	assert_int_equal(asyncring_cq_ready(&ring), 7);
	asyncring_queue_exit(&ring);
}

struct full_waiter {
	struct asyncring *ring;
	_Atomic int tid;
};

static void *wait_for_eight(void *argument)
{
	struct full_waiter *waiter = argument;

	atomic_store(&waiter->tid, support_thread_id());
	return (void *)(intptr_t)asyncring_enter((unsigned)waiter->ring->ring_fd, 0, 8,
						 ASYNCRING_ENTER_GETEVENTS, NULL);
}

static bool has_tid(void *argument)
{
	return atomic_load(&((struct full_waiter *)argument)->tid) != 0;
}

/* The same for one who sleeps already when it comes to that. */
static void wait_a_backlog_wakes_who_waits_for_a_full_cq(void **state)
{
	struct full_waiter waiter = {0};
	struct asyncring ring;
	pthread_t thread;
	void *result;

	(void)state;
	assert_int_equal(asyncring_queue_init(4, &ring, ASYNCRING_SETUP_CQE_MIXED), 0);
	queue_nop(&ring, true);
	asyncring_cq_advance(&ring, 2);
	for (int i = 0; i < 7; i++)
		queue_nop(&ring, false);
	waiter.ring = &ring;
	assert_int_equal(pthread_create(&thread, NULL, wait_for_eight, &waiter), 0);
	assert_true(support_eventually(has_tid, &waiter));
	assert_true(support_asleep(atomic_load(&waiter.tid)));
	queue_nop(&ring, true);
	pthread_join(thread, &result);
	assert_int_equal((intptr_t)result, 0);
	asyncring_queue_exit(&ring);
}

/* ---- the clock ---- */

static int64_t fake_now;

/* An hour passes between each two looks. */
static int64_t an_hour_later(void)
{
	fake_now += 3600 * NSEC_PER_SEC;
	return fake_now;
}

static void wait_goes_by_the_clock_of_the_test(void **state)
{
	struct __kernel_timespec hour = {.tv_sec = 3600};
	struct asyncring_cqe *cqe;
	struct asyncring ring;

	(void)state;
	assert_int_equal(asyncring_queue_init(4, &ring, 0), 0);
	fake_now = 0;
	asyncring__clock_hook = an_hour_later;
	assert_int_equal(asyncring_wait_cqe_timeout(&ring, &cqe, &hour), -ETIME);
	asyncring__clock_hook = NULL;
	assert_int_equal(fake_now, 2 * 3600 * NSEC_PER_SEC);
	asyncring_queue_exit(&ring);
}

static void wait_times_saturate(void **state)
{
	static const struct {
		struct __kernel_timespec time;
		int64_t ns;
	} cases[] = {
		{{0, 0}, 0},
		{{1, 1}, 1000000001},
		{{-1, 2000000000}, 1000000000},
		{{1, -2000000000}, -1000000000},
		{{INT64_MAX, 0}, INT64_MAX},
		{{0, INT64_MAX}, INT64_MAX},
		{{9223372036, INT64_MAX}, INT64_MAX},
		{{INT64_MIN, 0}, INT64_MIN},
		{{-9223372036, INT64_MIN}, INT64_MIN},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(clock_from_timespec(&cases[i].time), cases[i].ns);
	assert_int_equal(clock_add(1, CLOCK_NEVER), CLOCK_NEVER);
	assert_int_equal(clock_add(-1, INT64_MIN), INT64_MIN);
	assert_int_equal(clock_left(INT64_MIN).tv_sec, 0);
	assert_int_equal(clock_left(INT64_MIN).tv_nsec, 0);
}

/* ---- room in the SQ ---- */

struct space_waiter {
	struct asyncring *ring;
	_Atomic int tid;
	unsigned left; /* in the SQ as the application sees it, after the wait */
};

static void *wait_for_room(void *argument)
{
	struct space_waiter *waiter = argument;
	struct asyncring *ring = waiter->ring;
	int result;

	atomic_store(&waiter->tid, support_thread_id());
	result = asyncring_enter((unsigned)ring->ring_fd, 0, 0, ASYNCRING_ENTER_SQ_WAIT, NULL);
	waiter->left = asyncring_sq_ready(ring);
	return (void *)(intptr_t)result;
}

static bool room_has_tid(void *argument)
{
	return atomic_load(&((struct space_waiter *)argument)->tid) != 0;
}

struct room_test {
	struct asyncring ring;
	struct space_waiter waiter;
	pthread_t thread;
	int fd;
	unsigned char buffer[SIZE];
};

/* The SQ thread has taken the first of two entries and is held up with it; a waiter sleeps. */
static void hold_up_the_sq_thread(struct room_test *test)
{
	memset(test, 0, sizeof(*test));
	test->fd = support_file("/dev/shm", SIZE);
	assert_int_equal(asyncring_queue_init(2, &test->ring, ASYNCRING_SETUP_SQPOLL), 0);
	support_gate_close(&gate, SYS_preadv2);
	asyncring_prep_read(support_sqe(&test->ring), test->fd, test->buffer, SIZE, 0);
	asyncring_prep_nop(support_sqe(&test->ring));
	assert_int_equal(asyncring_submit(&test->ring), 2);
	assert_true(support_gate_held(&gate, 1));
	test->waiter.ring = &test->ring;
	assert_int_equal(pthread_create(&test->thread, NULL, wait_for_room, &test->waiter), 0);
	assert_true(support_eventually(room_has_tid, &test->waiter));
	assert_true(support_asleep(atomic_load(&test->waiter.tid)));
}

static void expect_room(struct room_test *test, unsigned left)
{
	void *result;

	pthread_join(test->thread, &result);
	assert_int_equal((intptr_t)result, 0);
	assert_int_equal(test->waiter.left, left);
}

static void end_room_test(struct room_test *test)
{
	assert_int_equal(support_result(&test->ring, NULL), SIZE);
	assert_int_equal(support_result(&test->ring, NULL), 0);
	asyncring_queue_exit(&test->ring);
	close(test->fd);
}

static void wait_for_room_ends_when_the_application_sees_room(void **state)
{
	static struct room_test test;

	(void)state;
	hold_up_the_sq_thread(&test);
	support_gate_open(&gate);
	expect_room(&test, 0);
	end_room_test(&test);
}

static void do_nothing(int signal)
{
	(void)signal;
}

/* As in the kernel a signal ends the wait, even one whose handler asks for calls to go on. */
static void wait_for_room_ends_with_a_signal(void **state)
{
	struct sigaction action = {.sa_handler = do_nothing, .sa_flags = SA_RESTART};
	static struct room_test test;

	(void)state;
	assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
	hold_up_the_sq_thread(&test);
	pthread_kill(test.thread, SIGUSR1);
	expect_room(&test, 2);
	support_gate_open(&gate);
	end_room_test(&test);
	signal(SIGUSR1, SIG_DFL);
}

static int setup(void **state)
{
	(void)state;
	support_bound(60);
	asyncring__sys_hook = pass_gate;
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wait_a_cq_with_an_odd_slot_is_full),
		cmocka_unit_test(wait_a_backlog_wakes_who_waits_for_a_full_cq),
		cmocka_unit_test(wait_goes_by_the_clock_of_the_test),
		cmocka_unit_test(wait_times_saturate),
		cmocka_unit_test(wait_for_room_ends_when_the_application_sees_room),
		cmocka_unit_test(wait_for_room_ends_with_a_signal),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
