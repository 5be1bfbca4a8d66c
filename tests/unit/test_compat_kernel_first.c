/* SPDX-License-Identifier: MIT */
/*
 * Description: our <liburing.h> after the kernel's own <linux/io_uring.h>, which has taken the
 * names of the structures then. The program must get ours all the same, without a warning.
 */
#include <linux/io_uring.h>

#include <asyncring/compat/liburing.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* An SQE that the functions take, with members and constants that old kernel headers lack. */
static void test_structures_are_ours(void **state)
{
	struct io_uring_sqe sqe;
	struct asyncring_sqe *same = &sqe;
	int value = 0;

	(void)state;
	io_uring_initialize_sqe(&sqe);
	io_uring_prep_cmd_sock(&sqe, SOCKET_URING_OP_GETSOCKOPT, 5, 1, 2, &value, sizeof(value));
	assert_int_equal(same->opcode, IORING_OP_URING_CMD);
	assert_int_equal(same->fd, 5);
	assert_int_equal(same->level, 1);
	assert_int_equal(same->optname, 2);
	assert_int_equal(same->optlen, sizeof(value));
	assert_ptr_equal((void *)(uintptr_t)sqe.optval, &value);
}

static void test_constants_are_complete(void **state)
{
	(void)state;
	assert_int_equal(IORING_OP_PIPE, 62);
	assert_int_equal(IORING_SETUP_NO_SQARRAY, 1 << 16);
	assert_int_equal(IORING_OP_LAST, ASYNCRING_OP_LAST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_structures_are_ours),
		cmocka_unit_test(test_constants_are_complete),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
