/* SPDX-License-Identifier: MIT */
/*
 * Description: liburing's application side: counting, peeking, iterating and advancing, and what
 * the set-up calls answer.
 */
#include "harness.h"

static void queue_nops(struct io_uring *ring, unsigned first, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		harness_nop(ring, first + i);
}

static void set_up_reports_errors(void **state)
{
	struct io_uring_params params = {.flags = IORING_SETUP_SQ_AFF};
	struct io_uring ring;

	(void)state;
	assert_int_equal(io_uring_queue_init(0, &ring, 0), -EINVAL);
	assert_int_equal(io_uring_queue_init(40000, &ring, 0), -EINVAL);
	assert_int_equal(io_uring_queue_init(4, &ring, 1U << 30), -EINVAL);
	assert_int_equal(io_uring_queue_init_params(4, &ring, &params), -EINVAL);
}

static void set_up_fills_the_ring(void **state)
{
	struct io_uring_params params = {
		.flags = IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP,
		.cq_entries = 64,
	};
	struct io_uring ring;

	(void)state;
	harness_init_params(&ring, 5, &params);
	assert_true(ring.ring_fd >= 0);
	assert_int_equal(ring.enter_ring_fd, ring.ring_fd);
	assert_int_equal(ring.flags, params.flags);
	assert_int_equal(ring.features, params.features);
	assert_int_equal(ring.sq.ring_entries, 8);
	assert_int_equal(ring.sq.ring_mask, 7);
	assert_int_equal(ring.cq.ring_entries, 64);
	assert_int_equal(ring.cq.ring_mask, 63);
	assert_int_equal(*ring.sq.khead, 0);
	assert_int_equal(*ring.sq.ktail, 0);
	assert_int_equal(*ring.sq.kdropped, 0);
	assert_int_equal(*ring.cq.koverflow, 0);
	io_uring_queue_exit(&ring);
}

static void counts_follow_the_entries(void **state)
{
	struct io_uring ring;

	(void)state;
	harness_init(&ring, 8, 0);
	assert_int_equal(io_uring_sq_ready(&ring), 0);
	assert_int_equal(io_uring_sq_space_left(&ring), 8);
	queue_nops(&ring, 0, 3);
	assert_int_equal(io_uring_sq_ready(&ring), 3);
	assert_int_equal(io_uring_sq_space_left(&ring), 5);
	assert_int_equal(io_uring_cq_ready(&ring), 0);
	harness_submit(&ring, 3);
	assert_int_equal(io_uring_sq_ready(&ring), 0);
	assert_int_equal(io_uring_sq_space_left(&ring), 8);
	assert_int_equal(io_uring_cq_ready(&ring), 3);
	io_uring_cq_advance(&ring, 0);
	assert_int_equal(io_uring_cq_ready(&ring), 3);
	io_uring_cq_advance(&ring, 2);
	assert_int_equal(io_uring_cq_ready(&ring), 1);
	harness_assert_cqe(harness_next(&ring), 2, 0);
	assert_int_equal(io_uring_cq_ready(&ring), 0);
	io_uring_queue_exit(&ring);
}

static void peeking_takes_nothing(void **state)
{
	struct io_uring_cqe *cqe = NULL, *again = NULL;
	struct io_uring ring;

	(void)state;
	harness_init(&ring, 8, 0);
	assert_int_equal(io_uring_peek_cqe(&ring, &cqe), -EAGAIN);
	queue_nops(&ring, 7, 2);
	harness_submit(&ring, 2);
	assert_int_equal(io_uring_peek_cqe(&ring, &cqe), 0);
	assert_int_equal(io_uring_peek_cqe(&ring, &again), 0);
	assert_ptr_equal(cqe, again);
	assert_int_equal(cqe->user_data, 7);
	assert_int_equal(io_uring_wait_cqe(&ring, &again), 0);
	assert_ptr_equal(cqe, again);
	io_uring_cqe_seen(&ring, cqe);
	assert_int_equal(io_uring_peek_cqe(&ring, &cqe), 0);
	assert_int_equal(cqe->user_data, 8);
	io_uring_cqe_seen(&ring, cqe);
	assert_int_equal(io_uring_peek_cqe(&ring, &cqe), -EAGAIN);
	io_uring_queue_exit(&ring);
}

static void a_batch_can_be_peeked(unsigned flags)
{
	struct io_uring_cqe *cqes[16];
	struct io_uring ring;
	unsigned next = 0;

	harness_init(&ring, 8, flags);
	assert_int_equal(io_uring_peek_batch_cqe(&ring, cqes, 16), 0);
	/* Several rounds, so that the batch goes over the end of the queue as well. */
	for (unsigned round = 0; round < 5; round++) {
		queue_nops(&ring, next, 7);
		harness_submit(&ring, 7);
		assert_int_equal(io_uring_peek_batch_cqe(&ring, cqes, 3), 3);
		for (unsigned i = 0; i < 3; i++)
			assert_int_equal(cqes[i]->user_data, next + i);
		assert_int_equal(io_uring_peek_batch_cqe(&ring, cqes, 16), 7);
		for (unsigned i = 0; i < 7; i++)
			assert_int_equal(cqes[i]->user_data, next + i);
		io_uring_cq_advance(&ring, 7);
		next += 7;
	}
	/* With the CQ empty, the backlog is asked for. */
	for (unsigned i = 0; i < 3; i++) {
		queue_nops(&ring, next + 7 * i, 7);
		harness_submit(&ring, 7);
	}
	assert_true(io_uring_cq_has_overflow(&ring));
	assert_int_equal(io_uring_peek_batch_cqe(&ring, cqes, 16), 16);
	io_uring_cq_advance(&ring, 16);
	assert_int_equal(io_uring_peek_batch_cqe(&ring, cqes, 16), 5);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(cqes[i]->user_data, next + 16 + i);
	io_uring_cq_advance(&ring, 5);
	assert_int_equal(io_uring_peek_batch_cqe(&ring, cqes, 16), 0);
	io_uring_queue_exit(&ring);
}

static void batches_of_both_sizes(void **state)
{
	(void)state;
	a_batch_can_be_peeked(0);
	a_batch_can_be_peeked(IORING_SETUP_CQE32);
}

static void iteration_sees_what_is_there(void **state)
{
	static const unsigned flags[] = {0, IORING_SETUP_CQE32};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(flags); i++) {
		struct io_uring ring;

		harness_init(&ring, 4, flags[i]);
		for (unsigned round = 0; round < 6; round++) {
			struct io_uring_cqe *cqe;
			unsigned head, count = 0;

			queue_nops(&ring, 100 * round, 3);
			harness_submit(&ring, 3);
			io_uring_for_each_cqe (&ring, head, cqe) {
				assert_int_equal(cqe->user_data, 100 * round + count);
				count++;
			}
			assert_int_equal(count, 3);
			io_uring_cq_advance(&ring, count);
		}
		io_uring_queue_exit(&ring);
	}
}

static void waiting_for_a_number(void **state)
{
	struct io_uring_cqe *cqe = NULL;
	struct io_uring ring;

	(void)state;
	harness_init(&ring, 8, 0);
	queue_nops(&ring, 0, 4);
	assert_int_equal(io_uring_submit_and_wait(&ring, 4), 4);
	assert_int_equal(io_uring_wait_cqe_nr(&ring, &cqe, 4), 0);
	assert_int_equal(cqe->user_data, 0);
	assert_int_equal(io_uring_wait_cqes(&ring, &cqe, 4, NULL, NULL), 0);
	assert_int_equal(cqe->user_data, 0);
	io_uring_cq_advance(&ring, 4);
	queue_nops(&ring, 9, 1);
	assert_int_equal(io_uring_submit_and_get_events(&ring), 1);
	assert_int_equal(io_uring_get_events(&ring), 0);
	harness_assert_cqe(harness_next(&ring), 9, 0);
	io_uring_queue_exit(&ring);
}

static void data_travels_as_pointer_or_number(void **state)
{
	struct io_uring_cqe *cqe = NULL;
	struct io_uring ring;
	int something;

	(void)state;
	harness_init(&ring, 4, 0);
	io_uring_sqe_set_data(harness_nop(&ring, 0), &something);
	io_uring_sqe_set_data64(harness_nop(&ring, 0), UINT64_MAX - 1);
	harness_submit(&ring, 2);
	assert_int_equal(io_uring_wait_cqe(&ring, &cqe), 0);
	assert_ptr_equal(io_uring_cqe_get_data(cqe), &something);
	io_uring_cqe_seen(&ring, cqe);
	assert_int_equal(io_uring_wait_cqe(&ring, &cqe), 0);
	assert_int_equal(io_uring_cqe_get_data64(cqe), UINT64_MAX - 1);
	io_uring_cqe_seen(&ring, cqe);
	io_uring_queue_exit(&ring);
}

/* SQEs that were taken but not submitted go with the next submit, wherever that comes from. */
static void what_was_taken_is_submitted(void **state)
{
	struct io_uring ring;

	(void)state;
	harness_init(&ring, 8, 0);
	queue_nops(&ring, 0, 2);
	assert_int_equal(io_uring_submit_and_get_events(&ring), 2);
	queue_nops(&ring, 2, 3);
	assert_int_equal(io_uring_submit_and_wait(&ring, 5), 3);
	assert_int_equal(io_uring_cq_ready(&ring), 5);
	for (unsigned i = 0; i < 5; i++)
		harness_assert_cqe(harness_next(&ring), i, 0);
	assert_int_equal(io_uring_submit(&ring), 0);
	io_uring_queue_exit(&ring);
}

/* Enough for rings in locked memory; kernels that do not account rings need nothing. */
static void size_to_lock_is_told(void **state)
{
	(void)state;
	assert_true(io_uring_mlock_size(8, 0) >= 0);
	assert_true(io_uring_mlock_size(32768, IORING_SETUP_SQE128 | IORING_SETUP_CQE32) >= 0);
}

static void queue_exit_leaves_nothing(void **state)
{
	unsigned descriptors = harness_fd_count();

	(void)state;
	for (unsigned i = 0; i < 200; i++) {
		struct io_uring ring;

		harness_init(&ring, 8, i % 2 ? IORING_SETUP_CQE32 | IORING_SETUP_SQE128 : 0);
		queue_nops(&ring, 0, i % 8);
		if (i % 3)
			harness_submit(&ring, i % 8);
		io_uring_queue_exit(&ring);
	}
	assert_int_equal(harness_fd_count(), descriptors);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(set_up_reports_errors),
		cmocka_unit_test(set_up_fills_the_ring),
		cmocka_unit_test(counts_follow_the_entries),
		cmocka_unit_test(peeking_takes_nothing),
		cmocka_unit_test(batches_of_both_sizes),
		cmocka_unit_test(iteration_sees_what_is_there),
		cmocka_unit_test(waiting_for_a_number),
		cmocka_unit_test(data_travels_as_pointer_or_number),
		cmocka_unit_test(what_was_taken_is_submitted),
		cmocka_unit_test(size_to_lock_is_told),
		cmocka_unit_test(queue_exit_leaves_nothing),
	};

	return harness_run(tests);
}
