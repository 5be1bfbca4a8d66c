/* SPDX-License-Identifier: MIT */
/*
 * Description: the attendant of rings that nobody waits on does nothing while there is nothing to
 * do, and is not there when nothing needs it.
 */
#include "support.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

static int main_thread;
/* How often another thread went to sleep until something happens, however long that takes. */
static _Atomic unsigned endless_sleeps;
static _Atomic int sleeper; /* that thread */

static bool see_sleep(long number, const long arguments[6], long *result)
{
	(void)result;
	if (number == SYS_ppoll && !arguments[2] && support_thread_id() != main_thread) {
		atomic_store(&sleeper, support_thread_id());
		atomic_fetch_add(&endless_sleeps, 1);
	}
	return false;
}

static bool sleeps(void *argument)
{
	(void)argument;
	return atomic_load(&endless_sleeps);
}

static void start_poll(struct asyncring *ring, int fd)
{
	struct asyncring_sqe *sqe = support_sqe(ring);

	asyncring_prep_poll_add(sqe, fd, POLLIN);
	sqe->user_data = 1;
	assert_int_equal(asyncring_submit(ring), 1);
}

static bool has_completion(void *argument)
{
	return asyncring_cq_ready(argument);
}

static bool is_alone(void *argument)
{
	(void)argument;
	return support_threads() == 1;
}

static int setup(void **state)
{
	struct asyncring *ring = calloc(1, sizeof(*ring));

	assert_non_null(ring);
	assert_int_equal(asyncring_queue_init(8, ring, 0), 0);
	main_thread = support_thread_id();
	atomic_store(&endless_sleeps, 0);
	asyncring__sys_hook = see_sleep;
	*state = ring;
	return 0;
}

static int teardown(void **state)
{
	asyncring_queue_exit(*state);
	asyncring__sys_hook = NULL;
	free(*state);
	return 0;
}

static void attendant_sleeps_until_there_is_an_event(void **state)
{
	struct asyncring *ring = *state;
	int fd = eventfd(0, EFD_CLOEXEC);

	assert_true(fd >= 0);
	start_poll(ring, fd);
	assert_true(support_eventually(sleeps, NULL));
	assert_int_equal(eventfd_write(fd, 1), 0);
	assert_true(support_eventually(has_completion, ring));
	assert_int_equal(support_result(ring, NULL), POLLIN);
	/* That was all. */
	assert_true(support_eventually(is_alone, NULL));
	close(fd);
}

static void attendant_goes_when_the_last_poll_is_cancelled(void **state)
{
	struct asyncring *ring = *state;
	struct asyncring_sqe *sqe;
	int fd = eventfd(0, EFD_CLOEXEC);

	assert_true(fd >= 0);
	start_poll(ring, fd);
	assert_true(support_eventually(sleeps, NULL));
	sqe = support_sqe(ring);
	asyncring_prep_cancel64(sqe, 1, 0);
	assert_int_equal(asyncring_submit(ring), 1);
	assert_true(support_eventually(is_alone, NULL));
	assert_int_equal(asyncring_cq_ready(ring), 2);
	close(fd);
}

static void attendant_goes_with_the_ring_it_was_needed_for(void **state)
{
	struct asyncring other;
	int fd = eventfd(0, EFD_CLOEXEC);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(asyncring_queue_init(8, &other, 0), 0);
	start_poll(&other, fd);
	assert_true(support_eventually(sleeps, NULL));
	asyncring_queue_exit(&other);
	assert_true(support_eventually(is_alone, NULL));
	close(fd);
}

/* ---- what happens between two steps of the attendant's ---- */

/* The attendant comes to a gate in front of a call, or behind it, and waits there. */
static struct gate {
	_Atomic bool closed, held;
} adopting = {false, false}, looking = {false, false}, told = {false, false};
static _Atomic int waiter;
static _Atomic bool let_go;
static _Atomic int told_by = -1; /* the eventfd of the owner */

static void pass(struct gate *gate)
{
	if (!atomic_load(&gate->closed))
		return;
	atomic_store(&gate->held, true);
	while (atomic_load(&gate->closed))
		sched_yield();
}

static bool is_held(void *argument)
{
	return atomic_load(&((struct gate *)argument)->held);
}

static bool is_told(void *argument)
{
	struct pollfd poll_fd = {.fd = told_by, .events = POLLIN};

	(void)argument;
	return poll(&poll_fd, 1, 0) == 1;
}

static bool step(long number, const long arguments[6], long *result)
{
	int self = support_thread_id();

	if (self == main_thread || self == atomic_load(&waiter))
		return false;
	see_sleep(number, arguments, result);
	if (number == SYS_epoll_ctl && arguments[1] == EPOLL_CTL_ADD)
		pass(&adopting);
	if (number == SYS_epoll_ctl && arguments[1] == EPOLL_CTL_DEL)
		atomic_store(&let_go, true);
	if (number == SYS_epoll_pwait)
		pass(&looking);
	if (number != SYS_write || told_by < 0)
		return false;
	*result = write((int)arguments[0], (const void *)arguments[1], (size_t)arguments[2]);
	if (is_told(NULL))
		pass(&told);
	return true;
}

static void *wait_for_one(void *argument)
{
	struct asyncring *ring = argument;

	atomic_store(&waiter, support_thread_id());
	return (void *)(intptr_t)asyncring_enter((unsigned)ring->ring_fd, 0, 1,
						 ASYNCRING_ENTER_GETEVENTS, NULL);
}

static bool is_waiting(void *argument)
{
	(void)argument;
	return atomic_load(&waiter) != 0;
}

static void begin_to_wait(pthread_t *thread, struct asyncring *ring)
{
	atomic_store(&waiter, 0);
	assert_int_equal(pthread_create(thread, NULL, wait_for_one, ring), 0);
	assert_true(support_eventually(is_waiting, NULL));
	assert_true(support_asleep(atomic_load(&waiter)));
}

static void end_to_wait(pthread_t thread, struct asyncring *ring, int expected)
{
	void *result;

	pthread_join(thread, &result);
	assert_int_equal((intptr_t)result, 0);
	assert_int_equal(support_result(ring, NULL), expected);
}

static bool has_let_go(void *argument)
{
	(void)argument;
	return atomic_load(&let_go);
}

/*
 * Somebody begins to drive at the moment the attendant adopts the ring: then it is not the
 * attendant's, or it would sleep beside the driver, who alone hears of earlier timers.
 */
static void attendant_lets_go_of_a_ring_that_is_driven(void **state)
{
	struct asyncring *ring = *state;
	int fd = eventfd(0, EFD_CLOEXEC);
	pthread_t thread;

	assert_true(fd >= 0);
	asyncring__sys_hook = step;
	start_poll(ring, fd);
	assert_true(support_eventually(sleeps, NULL));
	/* It takes the ring back from somebody who has driven: for that nobody rouses it. */
	begin_to_wait(&thread, ring);
	atomic_store(&adopting.closed, true);
	asyncring_prep_nop(support_sqe(ring));
	assert_int_equal(asyncring_submit(ring), 1);
	end_to_wait(thread, ring, 0);
	assert_true(support_eventually(is_held, &adopting));
	begin_to_wait(&thread, ring);
	atomic_store(&let_go, false);
	atomic_store(&adopting.closed, false);
	assert_true(support_eventually(has_let_go, NULL));
	assert_int_equal(eventfd_write(fd, 1), 0);
	end_to_wait(thread, ring, POLLIN);
	close(fd);
}

/*
 * More is ready than the owner is given at a time, and it has come and gone before the attendant
 * could note that it was told: it is told again, though nothing new happens.
 */
static void attendant_tells_of_what_the_owner_has_left(void **state)
{
	enum { FILES = 270, AT_A_TIME = 256 };
	static int files[FILES];
	struct asyncring ring;
	eventfd_t count;

	(void)state;
	asyncring__sys_hook = step;
	assert_int_equal(
		asyncring_queue_init(512, &ring,
				     ASYNCRING_SETUP_SINGLE_ISSUER | ASYNCRING_SETUP_DEFER_TASKRUN),
		0);
	told_by = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	assert_true(told_by >= 0);
	assert_int_equal(asyncring_register_eventfd(&ring, told_by), 0);
	for (int i = 0; i < FILES; i++) {
		files[i] = eventfd(0, EFD_CLOEXEC);
		assert_true(files[i] >= 0);
		asyncring_prep_poll_add(support_sqe(&ring), files[i], POLLIN);
	}
	assert_int_equal(asyncring_submit(&ring), FILES);
	assert_true(support_eventually(sleeps, NULL));
	assert_true(support_asleep(atomic_load(&sleeper)));
	atomic_store(&looking.closed, true);
	atomic_store(&told.closed, true);
	for (int i = 0; i < FILES; i++)
		assert_int_equal(eventfd_write(files[i], 1), 0);
	assert_true(support_eventually(is_held, &looking));
	atomic_store(&looking.closed, false);
	assert_true(support_eventually(is_held, &told));
	assert_int_equal(
		asyncring_enter((unsigned)ring.ring_fd, 0, 0, ASYNCRING_ENTER_GETEVENTS, NULL), 0);
	assert_int_equal(asyncring_cq_ready(&ring), AT_A_TIME);
	assert_int_equal(eventfd_read(told_by, &count), 0);
	atomic_store(&told.closed, false);
	assert_true(support_eventually(is_told, NULL));
	for (int i = 0; i < FILES; i++)
		assert_int_equal(support_result(&ring, NULL), POLLIN);
	asyncring_queue_exit(&ring);
	for (int i = 0; i < FILES; i++)
		close(files[i]);
	close(told_by);
	told_by = -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(attendant_sleeps_until_there_is_an_event, setup,
						teardown),
		cmocka_unit_test_setup_teardown(attendant_goes_when_the_last_poll_is_cancelled,
						setup, teardown),
		cmocka_unit_test_setup_teardown(attendant_goes_with_the_ring_it_was_needed_for,
						setup, teardown),
		cmocka_unit_test_setup_teardown(attendant_lets_go_of_a_ring_that_is_driven, setup,
						teardown),
		cmocka_unit_test_setup_teardown(attendant_tells_of_what_the_owner_has_left, setup,
						teardown),
	};

	support_bound(60);
	return cmocka_run_group_tests_name("attendant", tests, NULL, NULL);
}
