/* SPDX-License-Identifier: MIT */
/*
 * Description: lists of what a ring may be asked to do (REGISTER_RESTRICTIONS).
 */
#include "harness.h"

static const struct io_uring_restriction allow_nop = {
	.opcode = IORING_RESTRICTION_SQE_OP,
	.sqe_op = IORING_OP_NOP,
};

static const struct io_uring_restriction allow_eventfd = {
	.opcode = IORING_RESTRICTION_REGISTER_OP,
	.register_op = IORING_REGISTER_EVENTFD,
};

static struct io_uring_restriction allow_flags(unsigned flags)
{
	return (struct io_uring_restriction){
		.opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED,
		.sqe_flags = (uint8_t)flags,
	};
}

static struct io_uring_restriction require_flags(unsigned flags)
{
	return (struct io_uring_restriction){
		.opcode = IORING_RESTRICTION_SQE_FLAGS_REQUIRED,
		.sqe_flags = (uint8_t)flags,
	};
}

/* A ring that is enabled with these restrictions. */
static void init_restricted(struct io_uring *ring, const struct io_uring_restriction *list,
			    unsigned count)
{
	struct io_uring_restriction copy[4];

	assert_in_range(count, 0, 4);
	memcpy(copy, list, count * sizeof(*list));
	harness_init(ring, 8, IORING_SETUP_R_DISABLED);
	assert_int_equal(io_uring_register_restrictions(ring, copy, count), 0);
	assert_int_equal(io_uring_enable_rings(ring), 0);
}

static int run_nop(struct io_uring *ring, unsigned flags)
{
	harness_nop_flags(ring, 1, flags);
	return harness_result(ring);
}

static void only_listed_operations_run(void **state)
{
	struct io_uring ring;
	char byte;

	(void)state;
	init_restricted(&ring, &allow_nop, 1);
	assert_int_equal(run_nop(&ring, 0), 0);
	io_uring_prep_read(harness_sqe(&ring), 9999, &byte, 1, 0);
	assert_int_equal(harness_result(&ring), -EACCES);
	/* Unknown comes before forbidden. */
	harness_sqe(&ring)->opcode = 250;
	assert_int_equal(harness_result(&ring), -EINVAL);
	io_uring_queue_exit(&ring);
}

/* Like any error of preparation, a forbidden SQE ends its batch. */
static void a_forbidden_operation_ends_the_batch(void **state)
{
	struct io_uring ring;
	char byte;

	(void)state;
	init_restricted(&ring, &allow_nop, 1);
	harness_nop(&ring, 1);
	io_uring_prep_read(harness_sqe(&ring), 9999, &byte, 1, 0);
	harness_nop(&ring, 3);
	assert_int_equal(io_uring_submit(&ring), 2);
	harness_assert_cqe(harness_next(&ring), 1, 0);
	harness_assert_cqe(harness_next(&ring), 0, -EACCES);
	assert_int_equal(io_uring_submit(&ring), 1);
	harness_assert_cqe(harness_next(&ring), 3, 0);
	io_uring_queue_exit(&ring);
}

static void only_listed_registrations_work(void **state)
{
	struct io_uring ring;
	int event_fd = eventfd(0, EFD_CLOEXEC), file = harness_temp_file(1);

	(void)state;
	init_restricted(&ring, &allow_eventfd, 1);
	assert_int_equal(io_uring_register_files(&ring, &file, 1), -EACCES);
	assert_int_equal(io_uring_register_eventfd(&ring, event_fd), 0);
	assert_int_equal(io_uring_unregister_eventfd(&ring), -EACCES);
	assert_int_equal(io_uring_enable_rings(&ring), -EACCES);
	close(event_fd);
	close(file);
	io_uring_queue_exit(&ring);
}

static void flags_are_allowed_and_required(void **state)
{
	const unsigned async = IOSQE_ASYNC, skip_success = IOSQE_CQE_SKIP_SUCCESS;
	struct io_uring_restriction list[3] = {
		allow_nop,
		allow_flags(IOSQE_ASYNC | IOSQE_IO_LINK),
		require_flags(IOSQE_ASYNC),
	};
	struct io_uring ring;

	(void)state;
	init_restricted(&ring, list, 3);
	assert_int_equal(run_nop(&ring, async), 0);
	assert_int_equal(run_nop(&ring, async | IOSQE_IO_LINK), 0);
	assert_int_equal(run_nop(&ring, 0), -EACCES);
	assert_int_equal(run_nop(&ring, IOSQE_IO_LINK), -EACCES);
	assert_int_equal(run_nop(&ring, async | IOSQE_IO_DRAIN), -EACCES);
	assert_int_equal(run_nop(&ring, async | skip_success), -EACCES);
	io_uring_queue_exit(&ring);

	/* A list that allows no flag allows none. */
	init_restricted(&ring, list, 1);
	assert_int_equal(run_nop(&ring, 0), 0);
	assert_int_equal(run_nop(&ring, async), -EACCES);
	io_uring_queue_exit(&ring);
}

static void an_empty_list_denies_everything(void **state)
{
	struct io_uring ring;
	int event_fd = eventfd(0, EFD_CLOEXEC);

	(void)state;
	init_restricted(&ring, &allow_nop, 0);
	assert_int_equal(run_nop(&ring, 0), -EACCES);
	assert_int_equal(io_uring_register_eventfd(&ring, event_fd), -EACCES);
	close(event_fd);
	io_uring_queue_exit(&ring);
}

static void they_hold_from_enabling_on(void **state)
{
	struct io_uring_restriction list = allow_nop;
	struct io_uring ring;
	int file = harness_temp_file(1);

	(void)state;
	harness_init(&ring, 4, IORING_SETUP_R_DISABLED);
	assert_int_equal(io_uring_register_restrictions(&ring, &list, 1), 0);
	assert_int_equal(io_uring_register_files(&ring, &file, 1), 0);
	assert_int_equal(io_uring_enable_rings(&ring), 0);
	assert_int_equal(io_uring_unregister_files(&ring), -EACCES);
	close(file);
	io_uring_queue_exit(&ring);
}

static void only_a_disabled_ring_takes_them_and_once(void **state)
{
	struct io_uring_restriction list = allow_nop;
	struct io_uring ring;

	(void)state;
	harness_init(&ring, 4, 0);
	assert_int_equal(io_uring_register_restrictions(&ring, &list, 1), -EBADFD);
	io_uring_queue_exit(&ring);

	harness_init(&ring, 4, IORING_SETUP_R_DISABLED);
	assert_int_equal(io_uring_register_restrictions(&ring, &list, 1), 0);
	assert_int_equal(io_uring_register_restrictions(&ring, &list, 1), -EBUSY);
	io_uring_queue_exit(&ring);

	harness_init(&ring, 4, IORING_SETUP_R_DISABLED);
	assert_int_equal(io_uring_enable_rings(&ring), 0);
	assert_int_equal(io_uring_register_restrictions(&ring, &list, 1), -EBADFD);
	io_uring_queue_exit(&ring);
}

static int try_restriction(struct io_uring *ring, unsigned opcode, unsigned value)
{
	struct io_uring_restriction entry = {
		.opcode = (uint16_t)opcode,
		.sqe_op = (uint8_t)value,
	};

	return io_uring_register_restrictions(ring, &entry, 1);
}

static void bad_lists_are_refused(void **state)
{
	struct io_uring ring;

	(void)state;
	harness_init(&ring, 4, IORING_SETUP_R_DISABLED);
	assert_int_equal(io_uring_register_restrictions(&ring, NULL, 1), -EINVAL);
	assert_int_equal(io_uring_register_restrictions(&ring, (void *)(uintptr_t)8, 1), -EFAULT);
	assert_int_equal(try_restriction(&ring, 4, 0), -EINVAL);
	assert_int_equal(try_restriction(&ring, 1000, 0), -EINVAL);
	assert_int_equal(try_restriction(&ring, IORING_RESTRICTION_SQE_OP, 250), -EINVAL);
	assert_int_equal(try_restriction(&ring, IORING_RESTRICTION_REGISTER_OP, 250), -EINVAL);
	/* A refused list leaves nothing behind, and a good one may follow. */
	assert_int_equal(try_restriction(&ring, IORING_RESTRICTION_SQE_OP, IORING_OP_NOP), 0);
	assert_int_equal(io_uring_enable_rings(&ring), 0);
	assert_int_equal(run_nop(&ring, 0), 0);
	io_uring_queue_exit(&ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_listed_operations_run),
		cmocka_unit_test(a_forbidden_operation_ends_the_batch),
		cmocka_unit_test(only_listed_registrations_work),
		cmocka_unit_test(flags_are_allowed_and_required),
		cmocka_unit_test(an_empty_list_denies_everything),
		cmocka_unit_test(they_hold_from_enabling_on),
		cmocka_unit_test(only_a_disabled_ring_takes_them_and_once),
		cmocka_unit_test(bad_lists_are_refused),
	};

	return harness_run(tests);
}
