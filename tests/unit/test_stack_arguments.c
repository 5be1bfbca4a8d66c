/* SPDX-License-Identifier: MIT */
/*
 * Description: arguments on the caller's stack, wherever they lie there. What is in the same page
 * as the library's own variables is copied without asking the kernel: exactly what was given, as
 * AddressSanitizer sees, and no less where it reaches into the next page.
 */
#include "support.h"

enum { ENTRIES = 8, DEEPEST = 8192, STEP = 48 };

static struct asyncring ring;

static void open_a_path(void)
{
	char path[5] = "/dev";

	asyncring_prep_openat(support_sqe(&ring), AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
	close(support_run(&ring));
	path[1] = '-';
	asyncring_prep_openat(support_sqe(&ring), AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
	assert_int_equal(support_run(&ring), -ENOENT);
}

static void wait_for_a_time(void)
{
	struct __kernel_timespec nothing = {.tv_nsec = 1}, wrong = {.tv_nsec = -1}, other = nothing;
	struct asyncring_cqe *cqe;

	asyncring_prep_timeout(support_sqe(&ring), &nothing, 0, 0);
	asyncring_prep_timeout(support_sqe(&ring), &wrong, 0, 0);
	asyncring_prep_timeout(support_sqe(&ring), &other, 0, 0);
	assert_int_equal(asyncring_submit(&ring), 2);
	assert_int_equal(asyncring_submit(&ring), 1);
	for (int i = 0, results[2] = {0}; i < 3; i++) {
		int result = support_result(&ring, NULL);

		assert_true(result == -ETIME || result == -EINVAL);
		assert_true(results[result == -EINVAL]++ < (result == -EINVAL ? 1 : 2));
	}
	assert_int_equal(asyncring_wait_cqes(&ring, &cqe, 1, &nothing, NULL), -ETIME);
}

static __attribute__((noinline)) void at_depth(size_t depth, void (*act)(void))
{
	volatile char *room = __builtin_alloca(depth);

	room[0] = 1;
	act();
	room[depth - 1] = room[0];
}

static void paths_on_the_stack(void **state)
{
	(void)state;
	for (size_t depth = STEP; depth < DEEPEST; depth += STEP)
		at_depth(depth, open_a_path);
}

static void times_on_the_stack(void **state)
{
	(void)state;
	for (size_t depth = STEP; depth < DEEPEST; depth += STEP)
		at_depth(depth, wait_for_a_time);
}

static int setup(void **state)
{
	(void)state;
	support_bound(60);
	return asyncring_queue_init(ENTRIES, &ring, 0);
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
		cmocka_unit_test(paths_on_the_stack),
		cmocka_unit_test(times_on_the_stack),
	};

	return cmocka_run_group_tests_name("stack arguments", tests, setup, teardown);
}
