/* SPDX-License-Identifier: MIT */
/*
 * Description: the NOP request: result injection, its flags and what they refuse.
 */
#include "harness.h"

static void nop_gives_zero(void **state)
{
	struct io_uring ring;
	struct harness_cqe cqe;

	(void)state;
	harness_init(&ring, 4, 0);
	harness_nop(&ring, 42);
	cqe = harness_complete(&ring);
	harness_assert_cqe(cqe, 42, 0);
	assert_int_equal(cqe.flags, 0);
	harness_assert_empty(&ring);
	io_uring_queue_exit(&ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nop_gives_zero),
	};

	return harness_run(tests);
}
