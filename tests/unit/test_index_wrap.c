/* SPDX-License-Identifier: MIT */
/*
 * Description: heads and tails run freely over 32 bits. They are planted shortly before the wrap,
 * right after set-up, and work goes across it: submission, completion, overflow, waiting.
 */
#include "support.h"

#include "core/core.h"

enum { ENTRIES = 8, BEFORE_WRAP = 5 };

static struct asyncring ring;

static void plant(uint32_t sq, uint32_t cq)
{
	int error = 0;
	struct ring *insides = asyncring__ring_get((unsigned)ring.ring_fd, &error);

	assert_non_null(insides);
	atomic_store(&insides->sq_head, sq);
	atomic_store(&insides->words->sq_head, sq);
	atomic_store(&insides->words->sq_tail, sq);
	ring.sq.sqe_head = ring.sq.sqe_tail = sq;
	insides->cq_tail = cq;
	atomic_store(&insides->words->cq_tail, cq);
	atomic_store(&insides->words->cq_head, cq);
	asyncring__ring_put(insides);
}

static void open_planted(unsigned flags)
{
	assert_int_equal(asyncring_queue_init(ENTRIES, &ring, flags), 0);
	plant(UINT32_MAX - BEFORE_WRAP, UINT32_MAX - 2 * BEFORE_WRAP);
}

static void queue_nops(unsigned count, uint64_t first, unsigned flags)
{
	for (unsigned i = 0; i < count; i++) {
		struct asyncring_sqe *sqe = support_sqe(&ring);

		asyncring_prep_nop(sqe);
		sqe->user_data = first + i;
		sqe->flags |= (unsigned char)flags;
	}
}

static void expect_in_order(uint64_t first, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		uint64_t user_data;

		assert_int_equal(support_result(&ring, &user_data), 0);
		assert_int_equal(user_data, first + i);
	}
	assert_int_equal(asyncring_cq_ready(&ring), 0);
}

static void wrap_one_by_one(void **state)
{
	(void)state;
	open_planted(0);
	for (uint64_t i = 0; i < 4 * ENTRIES; i++) {
		queue_nops(1, i, 0);
		assert_int_equal(asyncring_submit(&ring), 1);
		expect_in_order(i, 1);
	}
	assert_int_equal(ring.sq.sqe_tail, UINT32_MAX - BEFORE_WRAP + 4 * ENTRIES);
	asyncring_queue_exit(&ring);
}

static void wrap_full_queues(void **state)
{
	(void)state;
	open_planted(0);
	for (uint64_t i = 0; i < 4; i++) {
		queue_nops(ENTRIES, i * ENTRIES, 0);
		assert_null(asyncring_get_sqe(&ring));
		assert_int_equal(asyncring_sq_ready(&ring), ENTRIES);
		assert_int_equal(asyncring_submit(&ring), ENTRIES);
		assert_int_equal(asyncring_sq_space_left(&ring), ENTRIES);
		assert_int_equal(asyncring_cq_ready(&ring), ENTRIES);
		expect_in_order(i * ENTRIES, ENTRIES);
	}
	asyncring_queue_exit(&ring);
}

static void wrap_with_overflow(void **state)
{
	(void)state;
	open_planted(0);
	for (uint64_t i = 0; i < 10; i++) {
		queue_nops(ENTRIES, i * ENTRIES, 0);
		assert_int_equal(asyncring_submit(&ring), ENTRIES);
	}
	assert_true(asyncring_cq_has_overflow(&ring));
	expect_in_order(0, 10 * ENTRIES);
	asyncring_queue_exit(&ring);
}

static void wrap_while_waiting(void **state)
{
	struct __kernel_timespec soon = {.tv_nsec = 1000000};
	struct asyncring_cqe *cqes[2 * ENTRIES], *cqe;

	(void)state;
	open_planted(0);
	for (uint64_t i = 0; i < 4; i++) {
		/* Completions of workers; the wait is for a tail beyond the wrap. */
		queue_nops(ENTRIES, 0, ASYNCRING_SQE_ASYNC);
		assert_int_equal(asyncring_submit_and_wait(&ring, ENTRIES), ENTRIES);
		assert_int_equal(asyncring_cq_ready(&ring), ENTRIES);
		assert_int_equal(asyncring_wait_cqe_nr(&ring, &cqe, ENTRIES), 0);
		assert_int_equal(asyncring_peek_batch_cqe(&ring, cqes, 2 * ENTRIES), ENTRIES);
		asyncring_cq_advance(&ring, ENTRIES);
		assert_int_equal(asyncring_wait_cqes(&ring, &cqe, 1, &soon, NULL), -ETIME);
	}
	asyncring_queue_exit(&ring);
}

static void wrap_with_wide_entries(void **state)
{
	(void)state;
	open_planted(ASYNCRING_SETUP_SQE128 | ASYNCRING_SETUP_CQE32);
	for (uint64_t i = 0; i < 4; i++) {
		queue_nops(ENTRIES, i * ENTRIES, 0);
		assert_int_equal(asyncring_submit(&ring), ENTRIES);
		expect_in_order(i * ENTRIES, ENTRIES);
	}
	asyncring_queue_exit(&ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wrap_one_by_one),	  cmocka_unit_test(wrap_full_queues),
		cmocka_unit_test(wrap_with_overflow),	  cmocka_unit_test(wrap_while_waiting),
		cmocka_unit_test(wrap_with_wide_entries),
	};

	support_bound(60);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
