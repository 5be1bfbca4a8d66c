/* SPDX-License-Identifier: MIT */
/*
 * Description: futex operations where futex_waitv(2) is missing (kernels before 5.16, emulators) or
 * forbidden: a single word is waited for all the same, woken, and cancelled; a vector is refused.
 *
 * The library asks once in a process whether the call is there, so the program takes it away from
 * the start.
 */
#include "support.h"

#include <linux/futex.h>

enum { PRIVATE_32 = 0x82, FUTEX_WAITV_NUMBER = 449 };

static bool refuse_waitv(long number, const long arguments[6], long *result)
{
	(void)arguments;
	if (number != FUTEX_WAITV_NUMBER)
		return false;
	*result = -ENOSYS;
	return true;
}

static void start_wait(struct asyncring *ring, uint32_t *word, uint64_t name)
{
	struct asyncring_sqe *sqe = support_sqe(ring);

	asyncring_prep_futex_wait(sqe, word, *word, FUTEX_BITSET_MATCH_ANY, PRIVATE_32, 0);
	sqe->user_data = name;
	assert_int_equal(asyncring_submit(ring), 1);
}

static long plain_wake(uint32_t *word, int count)
{
	return syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count, NULL, NULL, 0);
}

static void words_are_waited_for(void **state)
{
	enum { COUNT = 40 };
	struct asyncring ring;
	uint32_t words[COUNT] = {0};
	uint64_t name;

	(void)state;
	assert_int_equal(asyncring_queue_init(64, &ring, 0), 0);
	for (unsigned i = 0; i < COUNT; i++)
		start_wait(&ring, &words[i], i);
	for (unsigned i = COUNT; i-- > 0;) {
		assert_int_equal(plain_wake(&words[i], 1), 1);
		assert_int_equal(support_result(&ring, &name), 0);
		assert_int_equal(name, i);
	}
	asyncring_queue_exit(&ring);
}

static void waiters_are_cancelled(void **state)
{
	struct asyncring_sync_cancel_reg reg = {.addr = 4, .timeout = {-1, -1}};
	struct asyncring ring;
	uint32_t word = 0;

	(void)state;
	assert_int_equal(asyncring_queue_init(8, &ring, 0), 0);
	start_wait(&ring, &word, 4);
	assert_int_equal(asyncring_register_sync_cancel(&ring, &reg), 1);
	assert_int_equal(support_result(&ring, NULL), -ECANCELED);
	assert_int_equal(plain_wake(&word, 1), 0);
	/* And by the end of the ring. */
	start_wait(&ring, &word, 5);
	asyncring_queue_exit(&ring);
	assert_int_equal(plain_wake(&word, 1), 0);
}

static void vectors_are_refused(void **state)
{
	struct futex_waitv vector;
	struct asyncring ring;
	uint32_t word = 0;

	(void)state;
	vector = (struct futex_waitv){.uaddr = (uintptr_t)&word, .flags = PRIVATE_32};
	assert_int_equal(asyncring_queue_init(8, &ring, 0), 0);
	asyncring_prep_futex_waitv(support_sqe(&ring), &vector, 1, 0);
	assert_int_equal(support_run(&ring), -ENOSYS);
	asyncring_queue_exit(&ring);
}

static int take_away(void **state)
{
	(void)state;
	support_bound(30);
	asyncring__sys_hook = refuse_waitv;
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_are_waited_for),
		cmocka_unit_test(waiters_are_cancelled),
		cmocka_unit_test(vectors_are_refused),
	};

	return cmocka_run_group_tests(tests, take_away, NULL);
}
