/* SPDX-License-Identifier: MIT */
/*
 * Description: rings that hold CQEs of 16 and of 32 bytes (CQE_MIXED). A large one takes two slots
 * and never wraps: where one slot is left at the end, an entry to be skipped fills it.
 */
#include "harness.h"

static void submit_nop(struct harness_raw *raw, uint64_t user_data, bool large)
{
	unsigned slot = *raw->sq_tail & *raw->sq_mask;
	struct io_uring_sqe *sqe = harness_raw_sqe(raw, slot);

	sqe->opcode = IORING_OP_NOP;
	sqe->user_data = user_data;
	if (large) {
		sqe->nop_flags = IORING_NOP_CQE32;
		sqe->off = user_data * 3;
		sqe->addr = user_data * 5;
	}
	harness_raw_queue(raw, slot);
	assert_int_equal(io_uring_enter((unsigned)raw->fd, 1, 0, 0, NULL), 1);
}

static void setup_mixed(struct harness_raw *raw)
{
	struct io_uring_params params = {.flags = IORING_SETUP_CQE_MIXED};

	/* Skips on a kernel before 6.18, which knows no such rings. */
	int fd = io_uring_setup(4, &params);

	if (fd == -EINVAL)
		skip();
	assert_true(fd >= 0);
	harness_close_ring(fd);
	params = (struct io_uring_params){.flags = IORING_SETUP_CQE_MIXED};
	harness_raw_setup(raw, 4, &params);
	assert_int_equal(raw->params.cq_entries, 8);
}

static void take_small(struct harness_raw *raw, uint64_t user_data)
{
	struct io_uring_cqe *cqe = harness_raw_cqe(raw, *raw->cq_head);

	assert_true(harness_raw_ready(raw) >= 1);
	harness_assert_cqe(*cqe, user_data, 0);
	assert_int_equal(cqe->flags, 0);
	harness_store(raw->cq_head, *raw->cq_head + 1);
}

static void take_large(struct harness_raw *raw, uint64_t user_data)
{
	struct io_uring_cqe *cqe = harness_raw_cqe(raw, *raw->cq_head);

	assert_true(harness_raw_ready(raw) >= 2);
	assert_int_not_equal(*raw->cq_head & 7, 7);
	harness_assert_cqe(*cqe, user_data, 0);
	assert_int_equal(cqe->flags, IORING_CQE_F_32);
	assert_int_equal(cqe->big_cqe[0], user_data * 3);
	assert_int_equal(cqe->big_cqe[1], user_data * 5);
	harness_store(raw->cq_head, *raw->cq_head + 2);
}

static void take_filler(struct harness_raw *raw)
{
	struct io_uring_cqe *cqe = harness_raw_cqe(raw, *raw->cq_head);

	assert_true(harness_raw_ready(raw) >= 1);
	assert_int_equal(*raw->cq_head & 7, 7);
	harness_assert_cqe(*cqe, 0, 0);
	assert_int_equal(cqe->flags, IORING_CQE_F_SKIP);
	harness_store(raw->cq_head, *raw->cq_head + 1);
}

static void a_large_one_takes_two_slots(void **state)
{
	struct harness_raw raw;

	(void)state;
	setup_mixed(&raw);
	submit_nop(&raw, 1, false);
	submit_nop(&raw, 2, true);
	submit_nop(&raw, 3, false);
	assert_int_equal(harness_raw_ready(&raw), 4);
	take_small(&raw, 1);
	take_large(&raw, 2);
	take_small(&raw, 3);
	harness_raw_close(&raw);
}

static void the_last_slot_is_filled_up(void **state)
{
	struct harness_raw raw;

	(void)state;
	setup_mixed(&raw);
	for (unsigned i = 0; i < 7; i++)
		submit_nop(&raw, i, false);
	for (unsigned i = 0; i < 7; i++)
		take_small(&raw, i);
	submit_nop(&raw, 7, true);
	assert_int_equal(harness_raw_ready(&raw), 3);
	take_filler(&raw);
	take_large(&raw, 7);
	assert_int_equal(harness_raw_ready(&raw), 0);
	assert_int_equal(*raw.cq_head, 10);
	harness_raw_close(&raw);
}

static void a_small_one_uses_the_last_slot(void **state)
{
	struct harness_raw raw;

	(void)state;
	setup_mixed(&raw);
	for (unsigned i = 0; i < 3; i++)
		submit_nop(&raw, i, true);
	for (unsigned i = 0; i < 3; i++)
		take_large(&raw, i);
	submit_nop(&raw, 3, false);
	submit_nop(&raw, 4, false);
	submit_nop(&raw, 5, true);
	take_small(&raw, 3);
	take_small(&raw, 4);
	take_large(&raw, 5);
	assert_int_equal(*raw.cq_head, 10);
	harness_raw_close(&raw);
}

/*
 * One slot free is no room for a large one: it goes to the backlog. (A small one that follows may
 * still take that slot in the kernel, before the large one; nobody should rely on either.)
 */
static void one_free_slot_is_no_room(void **state)
{
	struct harness_raw raw;

	(void)state;
	setup_mixed(&raw);
	submit_nop(&raw, 0, true);
	take_large(&raw, 0);
	for (unsigned i = 1; i <= 7; i++)
		submit_nop(&raw, i, false);
	/* The free slot is now the second one of the ring. */
	submit_nop(&raw, 8, true);
	assert_true(harness_load(raw.sq_flags) & IORING_SQ_CQ_OVERFLOW);
	assert_int_equal(harness_raw_ready(&raw), 7);
	for (unsigned i = 1; i <= 7; i++)
		take_small(&raw, i);
	assert_int_equal(io_uring_enter((unsigned)raw.fd, 0, 0, IORING_ENTER_GETEVENTS, NULL), 0);
	take_large(&raw, 8);
	assert_int_equal(harness_raw_ready(&raw), 0);
	assert_int_equal(*raw.cq_overflow, 0);
	harness_raw_close(&raw);
}

/* Read whatever comes, checking each entry's own rules. Returns the number of real completions. */
static unsigned drain(struct harness_raw *raw, uint64_t *next)
{
	unsigned count = 0;

	while (harness_raw_ready(raw)) {
		struct io_uring_cqe *cqe = harness_raw_cqe(raw, *raw->cq_head);

		if (cqe->flags & IORING_CQE_F_SKIP) {
			take_filler(raw);
			continue;
		}
		if (*next % 3 == 0)
			take_large(raw, *next);
		else
			take_small(raw, *next);
		++*next;
		count++;
	}
	return count;
}

static void order_and_shape_survive_the_backlog(void **state)
{
	uint64_t next_in = 0, next_out = 0;
	struct harness_raw raw;

	(void)state;
	setup_mixed(&raw);
	for (unsigned round = 0; round < 500; round++) {
		for (unsigned i = 0; i < 1 + round % 13; i++) {
			submit_nop(&raw, next_in, next_in % 3 == 0);
			next_in++;
		}
		if (round % 2) {
			assert_int_equal(io_uring_enter((unsigned)raw.fd, 0, 0,
							IORING_ENTER_GETEVENTS, NULL),
					 0);
			drain(&raw, &next_out);
		}
	}
	do {
		assert_int_equal(
			io_uring_enter((unsigned)raw.fd, 0, 0, IORING_ENTER_GETEVENTS, NULL), 0);
	} while (drain(&raw, &next_out));
	assert_int_equal(next_out, next_in);
	assert_false(harness_load(raw.sq_flags) & IORING_SQ_CQ_OVERFLOW);
	harness_raw_close(&raw);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_large_one_takes_two_slots),
		cmocka_unit_test(the_last_slot_is_filled_up),
		cmocka_unit_test(a_small_one_uses_the_last_slot),
		cmocka_unit_test(one_free_slot_is_no_room),
		cmocka_unit_test(order_and_shape_survive_the_backlog),
	};

	return harness_run(tests);
}
