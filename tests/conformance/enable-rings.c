/* SPDX-License-Identifier: MIT */
/*
 * Description: rings that start disabled (R_DISABLED): what works before, and the enabling itself.
 */
#include "harness.h"

static int enable(struct io_uring *ring, const void *argument, unsigned count)
{
	return io_uring_register((unsigned)ring->ring_fd, IORING_REGISTER_ENABLE_RINGS, argument,
				 count);
}

static void a_ring_is_enabled_once(void **state)
{
	struct io_uring ring;

	(void)state;
	harness_init(&ring, 4, 0);
	assert_int_equal(io_uring_enable_rings(&ring), -EBADFD);
	io_uring_queue_exit(&ring);

	harness_init(&ring, 4, IORING_SETUP_R_DISABLED);
	assert_int_equal(io_uring_enable_rings(&ring), 0);
	assert_int_equal(io_uring_enable_rings(&ring), -EBADFD);
	harness_nop(&ring, 1);
	harness_assert_cqe(harness_complete(&ring), 1, 0);
	io_uring_queue_exit(&ring);
}

static void the_call_takes_no_argument(void **state)
{
	struct io_uring ring;
	int something = 0;

	(void)state;
	harness_init(&ring, 4, IORING_SETUP_R_DISABLED);
	assert_int_equal(enable(&ring, &something, 0), -EINVAL);
	assert_int_equal(enable(&ring, NULL, 1), -EINVAL);
	assert_int_equal(enable(&ring, NULL, 0), 0);
	io_uring_queue_exit(&ring);
}

static void registration_works_before(void **state)
{
	static char memory[16];
	struct iovec iovec = {.iov_base = memory, .iov_len = sizeof(memory)};
	int event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), file = harness_temp_file(16);
	struct io_uring_sqe *sqe;
	struct io_uring ring;

	(void)state;
	harness_init(&ring, 4, IORING_SETUP_R_DISABLED);
	assert_int_equal(io_uring_register_files(&ring, &file, 1), 0);
	assert_int_equal(io_uring_register_buffers(&ring, &iovec, 1), 0);
	assert_int_equal(io_uring_register_eventfd(&ring, event_fd), 0);
	assert_int_equal(io_uring_enable_rings(&ring), 0);
	sqe = harness_sqe(&ring);
	io_uring_prep_read_fixed(sqe, 0, memory, sizeof(memory), 0, 0);
	sqe->flags = IOSQE_FIXED_FILE;
	assert_int_equal(harness_result(&ring), 16);
	assert_true(harness_readable(event_fd));
	close(event_fd);
	close(file);
	io_uring_queue_exit(&ring);
}

static void sqes_queued_before_run_after(void **state)
{
	struct io_uring ring;

	(void)state;
	harness_init(&ring, 4, IORING_SETUP_R_DISABLED);
	for (unsigned i = 0; i < 3; i++)
		harness_nop(&ring, i);
	__atomic_store_n(ring.sq.ktail, ring.sq.sqe_tail, __ATOMIC_RELEASE);
	assert_int_equal(io_uring_enter((unsigned)ring.ring_fd, 3, 0, 0, NULL), -EBADFD);
	assert_int_equal(io_uring_cq_ready(&ring), 0);
	assert_int_equal(io_uring_enable_rings(&ring), 0);
	assert_int_equal(io_uring_cq_ready(&ring), 0);
	assert_int_equal(io_uring_enter((unsigned)ring.ring_fd, 3, 0, 0, NULL), 3);
	for (unsigned i = 0; i < 3; i++)
		harness_assert_cqe(harness_next(&ring), i, 0);
	io_uring_queue_exit(&ring);
}

static void it_may_go_without_ever_being_enabled(void **state)
{
	static const unsigned flags[] = {
		0,
		IORING_SETUP_SQPOLL,
		IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(flags); i++) {
		struct io_uring ring;

		harness_init(&ring, 4, flags[i] | IORING_SETUP_R_DISABLED);
		harness_nop(&ring, 1);
		io_uring_queue_exit(&ring);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_ring_is_enabled_once),
		cmocka_unit_test(the_call_takes_no_argument),
		cmocka_unit_test(registration_works_before),
		cmocka_unit_test(sqes_queued_before_run_after),
		cmocka_unit_test(it_may_go_without_ever_being_enabled),
	};

	return harness_run(tests);
}
