/* SPDX-License-Identifier: MIT */
/*
 * Description: the attendant of rings that nobody waits on does nothing while there is nothing to
 * do, and is not there when nothing needs it.
 */
#include "support.h"

#include <poll.h>
#include <sys/eventfd.h>

static int main_thread;
/* How often another thread went to sleep until something happens, however long that takes. */
static _Atomic unsigned endless_sleeps;

static bool see_sleep(long number, const long arguments[6], long *result)
{
	(void)result;
	if (number == SYS_ppoll && !arguments[2] && support_thread_id() != main_thread)
		atomic_fetch_add(&endless_sleeps, 1);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(attendant_sleeps_until_there_is_an_event, setup,
						teardown),
		cmocka_unit_test_setup_teardown(attendant_goes_when_the_last_poll_is_cancelled,
						setup, teardown),
		cmocka_unit_test_setup_teardown(attendant_goes_with_the_ring_it_was_needed_for,
						setup, teardown),
	};

	support_bound(60);
	return cmocka_run_group_tests_name("attendant", tests, NULL, NULL);
}
