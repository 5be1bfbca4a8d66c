/* SPDX-License-Identifier: MIT */
/*
 * Description: register calls that are refused: numbers that stand for none, and without a ring
 * all but those that need none. Calls that depend on the network device are for this library alone
 * to refuse.
 */
#include "harness.h"

static void numbers_beyond_the_last(void **state)
{
	static const unsigned far[] = {100, 255, 0x7fffffff};
	static char argument[256];
	struct io_uring ring;

	(void)state;
	harness_init(&ring, 4, 0);
	for (unsigned i = 0; i < ARRAY_SIZE(far); i++) {
		for (unsigned count = 0; count < 2; count++) {
			assert_int_equal(
				io_uring_register((unsigned)ring.ring_fd, far[i], argument, count),
				-EINVAL);
			assert_int_equal(io_uring_register((unsigned)-1, far[i], argument, count),
					 -EINVAL);
		}
	}
	io_uring_queue_exit(&ring);
}

static void most_calls_need_a_ring(void **state)
{
	static char argument[256];

	(void)state;
	for (unsigned call = 0; call < IORING_REGISTER_QUERY; call++)
		for (unsigned count = 0; count < 2; count++)
			assert_int_equal(io_uring_register((unsigned)-1, call, argument, count),
					 -EINVAL);
}

static void devices_of_the_kernel(void **state)
{
#ifndef TEST_ORACLE
	static char argument[256];
	struct io_uring ring;

	harness_init(&ring, 4, 0);
	for (unsigned count = 0; count < 2; count++) {
		assert_int_equal(io_uring_register((unsigned)ring.ring_fd, IORING_REGISTER_NAPI,
						   argument, count),
				 -EINVAL);
		assert_int_equal(io_uring_register((unsigned)ring.ring_fd, IORING_UNREGISTER_NAPI,
						   argument, count),
				 -EINVAL);
		assert_int_equal(io_uring_register((unsigned)ring.ring_fd, IORING_REGISTER_ZCRX_IFQ,
						   argument, count),
				 -EINVAL);
	}
	io_uring_queue_exit(&ring);
#endif
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_beyond_the_last),
		cmocka_unit_test(most_calls_need_a_ring),
		cmocka_unit_test(devices_of_the_kernel),
	};

	return harness_run(tests);
}
