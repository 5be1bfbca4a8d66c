/* SPDX-License-Identifier: MIT */
/*
 * Description: completions that do not fit the CQ: none is lost, none overtakes another, and the
 * flags and counters tell what is going on.
 */
#include "harness.h"

static bool overflown(struct harness_raw *raw)
{
	return harness_load(raw->sq_flags) & IORING_SQ_CQ_OVERFLOW;
}

static void submit_nop(struct harness_raw *raw, uint64_t user_data)
{
	unsigned slot = *raw->sq_tail & *raw->sq_mask;
	struct io_uring_sqe *sqe = harness_raw_sqe(raw, slot);

	sqe->opcode = IORING_OP_NOP;
	sqe->user_data = user_data;
	if (raw->params.flags & (IORING_SETUP_CQE32 | IORING_SETUP_CQE_MIXED)) {
		sqe->nop_flags = IORING_NOP_CQE32;
		sqe->off = user_data + 1000;
		sqe->addr = user_data + 2000;
	}
	harness_raw_queue(raw, slot);
	assert_int_equal(io_uring_enter((unsigned)raw->fd, 1, 0, 0, NULL), 1);
}

static void flush(struct harness_raw *raw)
{
	assert_int_equal(io_uring_enter((unsigned)raw->fd, 0, 0, IORING_ENTER_GETEVENTS, NULL), 0);
}

static void take(struct harness_raw *raw, uint64_t user_data)
{
	struct io_uring_cqe *cqe;

	assert_true(harness_raw_ready(raw) > 0);
	cqe = harness_raw_cqe(raw, *raw->cq_head);
	harness_assert_cqe(*cqe, user_data, 0);
	if (raw->params.flags & IORING_SETUP_CQE32) {
		assert_int_equal(cqe->big_cqe[0], user_data + 1000);
		assert_int_equal(cqe->big_cqe[1], user_data + 2000);
	}
	harness_store(raw->cq_head, *raw->cq_head + 1);
}

static void backlog_and_its_flag(unsigned flags)
{
	struct io_uring_params params = {.flags = flags};
	struct harness_raw raw;

	harness_raw_setup(&raw, 2, &params);
	for (unsigned i = 0; i < 4; i++) {
		assert_false(overflown(&raw));
		submit_nop(&raw, i);
	}
	assert_false(overflown(&raw));
	for (unsigned i = 4; i < 11; i++) {
		submit_nop(&raw, i);
		assert_true(overflown(&raw));
		assert_int_equal(harness_raw_ready(&raw), 4);
	}
	/* Nothing is flushed into a full CQ, and nothing without asking for events. */
	flush(&raw);
	assert_int_equal(harness_raw_ready(&raw), 4);
	take(&raw, 0);
	take(&raw, 1);
	assert_int_equal(io_uring_enter((unsigned)raw.fd, 0, 0, 0, NULL), 0);
	assert_int_equal(harness_raw_ready(&raw), 2);
	flush(&raw);
	assert_int_equal(harness_raw_ready(&raw), 4);
	assert_true(overflown(&raw));
	for (unsigned i = 2; i < 6; i++)
		take(&raw, i);
	flush(&raw);
	for (unsigned i = 6; i < 10; i++)
		take(&raw, i);
	assert_true(overflown(&raw));
	flush(&raw);
	assert_false(overflown(&raw));
	take(&raw, 10);
	assert_int_equal(harness_raw_ready(&raw), 0);
	assert_int_equal(*raw.cq_overflow, 0);
	assert_int_equal(*raw.sq_dropped, 0);
	harness_raw_close(&raw);
}

static void backlog_of_a_plain_ring(void **state)
{
	(void)state;
	backlog_and_its_flag(0);
}

static void backlog_of_big_cqes(void **state)
{
	(void)state;
	backlog_and_its_flag(IORING_SETUP_CQE32);
}

static void backlog_of_a_deferring_ring(void **state)
{
	(void)state;
	backlog_and_its_flag(IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN);
}

/* While a backlog stands, a newer completion joins it although the CQ has room again. */
static void newer_completions_queue_behind_the_backlog(void **state)
{
	struct harness_raw raw;

	(void)state;
	harness_raw_setup(&raw, 2, NULL);
	for (unsigned i = 0; i < 5; i++)
		submit_nop(&raw, i);
	for (unsigned i = 0; i < 4; i++)
		take(&raw, i);
	submit_nop(&raw, 5);
	assert_int_equal(harness_raw_ready(&raw), 0);
	assert_true(overflown(&raw));
	flush(&raw);
	take(&raw, 4);
	take(&raw, 5);
	assert_false(overflown(&raw));
	harness_raw_close(&raw);
}

static void order_holds_over_many_rounds(void **state)
{
	unsigned next_in = 0, next_out = 0;
	struct harness_raw raw;

	(void)state;
	harness_raw_setup(&raw, 2, NULL);
	for (unsigned round = 0; round < 2000; round++) {
		unsigned in = round % 4, out = (round * 7) % 5;

		for (unsigned i = 0; i < in; i++)
			submit_nop(&raw, next_in++);
		if (round % 3 == 0)
			flush(&raw);
		for (unsigned i = 0; i < out && harness_raw_ready(&raw); i++)
			take(&raw, next_out++);
	}
	while (next_out < next_in) {
		flush(&raw);
		while (harness_raw_ready(&raw))
			take(&raw, next_out++);
	}
	assert_int_equal(harness_raw_ready(&raw), 0);
	assert_false(overflown(&raw));
	assert_int_equal(*raw.cq_overflow, 0);
	harness_raw_close(&raw);
}

static void a_large_backlog(void **state)
{
	const unsigned count = 20000;
	struct io_uring ring;

	(void)state;
	harness_init(&ring, 1, 0);
	for (unsigned i = 0; i < count; i++) {
		harness_nop(&ring, i);
		assert_int_equal(io_uring_enter((unsigned)ring.ring_fd, 0, 0, 0, NULL), 0);
		harness_submit(&ring, 1);
	}
	assert_true(io_uring_cq_has_overflow(&ring));
	for (unsigned i = 0; i < count; i++) {
		struct harness_cqe cqe;

		assert_true(harness_peek(&ring, &cqe));
		harness_assert_cqe(cqe, i, 0);
	}
	harness_assert_empty(&ring);
	assert_false(io_uring_cq_has_overflow(&ring));
	io_uring_queue_exit(&ring);
}

/* The whole of a batch larger than the CQ completes within one submit. */
static void a_batch_larger_than_the_cq(void **state)
{
	struct io_uring_params params = {.flags = IORING_SETUP_CQSIZE, .cq_entries = 16};
	struct io_uring ring;

	(void)state;
	harness_init_params(&ring, 16, &params);
	for (unsigned batch = 0; batch < 3; batch++) {
		for (unsigned i = 0; i < 16; i++)
			harness_nop(&ring, 16 * batch + i);
		harness_submit(&ring, 16);
	}
	assert_int_equal(io_uring_cq_ready(&ring), 16);
	for (unsigned i = 0; i < 48; i++)
		harness_assert_cqe(harness_next(&ring), i, 0);
	harness_assert_empty(&ring);
	io_uring_queue_exit(&ring);
}

/* A wait counts what is in the CQ after the flush; the backlog wakes it like any completion. */
static void a_wait_flushes_first(void **state)
{
	struct harness_raw raw;

	(void)state;
	harness_raw_setup(&raw, 2, NULL);
	for (unsigned i = 0; i < 8; i++)
		submit_nop(&raw, i);
	for (unsigned i = 0; i < 4; i++)
		take(&raw, i);
	assert_int_equal(io_uring_enter((unsigned)raw.fd, 0, 4, IORING_ENTER_GETEVENTS, NULL), 0);
	assert_int_equal(harness_raw_ready(&raw), 4);
	for (unsigned i = 4; i < 8; i++)
		take(&raw, i);
	harness_raw_close(&raw);
}

/* Completions that come in their own time overflow just the same. */
static void asynchronous_completions_overflow(void **state)
{
	struct io_uring ring;
	char bytes[8], text[] = "abcdefgh";
	bool seen[8] = {false};
	int pipe_fds[2];

	(void)state;
	harness_init(&ring, 1, 0);
	harness_pipe(pipe_fds);
	for (unsigned i = 0; i < 8; i++) {
		struct io_uring_sqe *sqe = harness_sqe(&ring);

		io_uring_prep_read(sqe, pipe_fds[0], &bytes[i], 1, 0);
		sqe->user_data = i;
		harness_submit(&ring, 1);
	}
	harness_assert_empty(&ring);
	assert_int_equal(write(pipe_fds[1], text, 8), 8);
	for (unsigned i = 0; i < 8; i++) {
		struct harness_cqe cqe = harness_next(&ring);

		assert_int_equal(cqe.res, 1);
		assert_in_range(cqe.user_data, 0, 7);
		assert_false(seen[cqe.user_data]);
		seen[cqe.user_data] = true;
	}
	harness_assert_empty(&ring);
	assert_false(io_uring_cq_has_overflow(&ring));
	harness_close_pipe(pipe_fds);
	io_uring_queue_exit(&ring);
}

static void a_ring_may_go_with_a_backlog(void **state)
{
	struct harness_raw raw;

	(void)state;
	harness_raw_setup(&raw, 2, NULL);
	for (unsigned i = 0; i < 100; i++)
		submit_nop(&raw, i);
	assert_true(overflown(&raw));
	harness_raw_close(&raw);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(backlog_of_a_plain_ring),
		cmocka_unit_test(backlog_of_big_cqes),
		cmocka_unit_test(backlog_of_a_deferring_ring),
		cmocka_unit_test(newer_completions_queue_behind_the_backlog),
		cmocka_unit_test(order_holds_over_many_rounds),
		cmocka_unit_test(a_large_backlog),
		cmocka_unit_test(a_batch_larger_than_the_cq),
		cmocka_unit_test(a_wait_flushes_first),
		cmocka_unit_test(asynchronous_completions_overflow),
		cmocka_unit_test(a_ring_may_go_with_a_backlog),
	};

	return harness_run(tests);
}
