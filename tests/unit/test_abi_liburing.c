/* SPDX-License-Identifier: MIT */
/*
 * Description: asyncring.h and the installed <liburing.h> in one translation unit, as the
 * benchmark has them; and struct asyncring is laid out as liburing's struct io_uring.
 */
#include <asyncring.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#if __has_include(<liburing.h>)
#include <liburing.h>

#define assert_same_place(ours, theirs, field)                                                     \
	assert_int_equal(offsetof(struct ours, field), offsetof(struct theirs, field))

static void test_ring(void **state)
{
	(void)state;
	assert_int_equal(sizeof(struct asyncring), sizeof(struct io_uring));
	assert_same_place(asyncring, io_uring, sq);
	assert_same_place(asyncring, io_uring, cq);
	assert_same_place(asyncring, io_uring, flags);
	assert_same_place(asyncring, io_uring, ring_fd);
	assert_same_place(asyncring, io_uring, features);
	assert_same_place(asyncring, io_uring, enter_ring_fd);
	assert_same_place(asyncring, io_uring, int_flags);
}

static void test_submission_queue(void **state)
{
	(void)state;
	assert_int_equal(sizeof(struct asyncring_sq), sizeof(struct io_uring_sq));
	assert_same_place(asyncring_sq, io_uring_sq, khead);
	assert_same_place(asyncring_sq, io_uring_sq, ktail);
	assert_same_place(asyncring_sq, io_uring_sq, kring_mask);
	assert_same_place(asyncring_sq, io_uring_sq, kring_entries);
	assert_same_place(asyncring_sq, io_uring_sq, kflags);
	assert_same_place(asyncring_sq, io_uring_sq, kdropped);
	assert_same_place(asyncring_sq, io_uring_sq, array);
	assert_same_place(asyncring_sq, io_uring_sq, sqes);
	assert_same_place(asyncring_sq, io_uring_sq, sqe_head);
	assert_same_place(asyncring_sq, io_uring_sq, sqe_tail);
	assert_same_place(asyncring_sq, io_uring_sq, ring_sz);
	assert_same_place(asyncring_sq, io_uring_sq, ring_ptr);
	assert_same_place(asyncring_sq, io_uring_sq, ring_mask);
	assert_same_place(asyncring_sq, io_uring_sq, ring_entries);
}

static void test_completion_queue(void **state)
{
	(void)state;
	assert_int_equal(sizeof(struct asyncring_cq), sizeof(struct io_uring_cq));
	assert_same_place(asyncring_cq, io_uring_cq, khead);
	assert_same_place(asyncring_cq, io_uring_cq, ktail);
	assert_same_place(asyncring_cq, io_uring_cq, kring_mask);
	assert_same_place(asyncring_cq, io_uring_cq, kring_entries);
	assert_same_place(asyncring_cq, io_uring_cq, kflags);
	assert_same_place(asyncring_cq, io_uring_cq, koverflow);
	assert_same_place(asyncring_cq, io_uring_cq, cqes);
	assert_same_place(asyncring_cq, io_uring_cq, ring_sz);
	assert_same_place(asyncring_cq, io_uring_cq, ring_ptr);
	assert_same_place(asyncring_cq, io_uring_cq, ring_mask);
	assert_same_place(asyncring_cq, io_uring_cq, ring_entries);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ring),
		cmocka_unit_test(test_submission_queue),
		cmocka_unit_test(test_completion_queue),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

int main(void)
{
	return 77; /* skipped: liburing is not installed */
}

#endif
