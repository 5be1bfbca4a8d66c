/* SPDX-License-Identifier: MIT */
/*
 * Description: rings that hold CQEs of 16 and of 32 bytes (CQE_MIXED). A large one takes two slots
 * and never wraps: where one slot is left at the end, an entry to be skipped fills it.
 */
#include "harness.h"

/* Queue it and submit as many as are queued then. */
static void submit_nop_of(struct harness_raw *raw, uint64_t user_data, bool large, unsigned count)
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
	assert_int_equal(io_uring_enter((unsigned)raw->fd, count, 0, 0, NULL), count);
}

static void submit_nop(struct harness_raw *raw, uint64_t user_data, bool large)
{
	submit_nop_of(raw, user_data, large, 1);
}

static void setup_mixed_with(struct harness_raw *raw, unsigned flags)
{
	struct io_uring_params params = {.flags = IORING_SETUP_CQE_MIXED};

	/* Skips on a kernel before 6.18, which knows no such rings. */
	int fd = io_uring_setup(4, &params);

	if (fd == -EINVAL)
		skip();
	assert_true(fd >= 0);
	harness_close_ring(fd);
	params = (struct io_uring_params){.flags = IORING_SETUP_CQE_MIXED | flags};
	harness_raw_setup(raw, 4, &params);
	assert_int_equal(raw->params.cq_entries, 8);
}

static void setup_mixed(struct harness_raw *raw)
{
	setup_mixed_with(raw, 0);
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

/*
 * At the end of the CQ the one slot is filled up though there is no room behind it, and counts as a
 * CQE for those who wait.
 */
static void the_last_slot_is_filled_up_without_room_behind(void **state)
{
	struct harness_raw raw;

	(void)state;
	setup_mixed(&raw);
	for (unsigned i = 0; i < 7; i++)
		submit_nop(&raw, i, false);
	submit_nop(&raw, 7, true);
	assert_true(harness_load(raw.sq_flags) & IORING_SQ_CQ_OVERFLOW);
	assert_int_equal(harness_raw_ready(&raw), 8);
	assert_int_equal(io_uring_enter((unsigned)raw.fd, 0, 8, IORING_ENTER_GETEVENTS, NULL), 0);
	for (unsigned i = 0; i < 7; i++)
		take_small(&raw, i);
	assert_int_equal(io_uring_enter((unsigned)raw.fd, 0, 0, IORING_ENTER_GETEVENTS, NULL), 0);
	take_filler(&raw);
	take_large(&raw, 7);
	harness_raw_close(&raw);
}

static void *wait_for_a_full_cq(void *argument)
{
	struct harness_raw *raw = argument;

	return (void *)(intptr_t)io_uring_enter((unsigned)raw->fd, 0, 8, IORING_ENTER_GETEVENTS,
						NULL);
}

/*
 * The CQ cannot become fuller than it is, for the next one needs two slots and one is free. Where
 * room is made meanwhile the wait ends. (The kernel goes round in circles until then.)
 */
static void waiting_for_a_full_cq_with_an_odd_slot(void **state)
{
	struct harness_raw raw;
	pthread_t thread;
	void *result;

	(void)state;
	setup_mixed(&raw);
	submit_nop(&raw, 0, true);
	take_large(&raw, 0);
	for (unsigned i = 1; i <= 7; i++)
		submit_nop(&raw, i, false);
	submit_nop(&raw, 8, true);
	assert_int_equal(pthread_create(&thread, NULL, wait_for_a_full_cq, &raw), 0);
	take_small(&raw, 1);
	pthread_join(thread, &result);
	assert_int_equal((intptr_t)result, 0);
	for (unsigned i = 2; i <= 7; i++)
		take_small(&raw, i);
	assert_int_equal(io_uring_enter((unsigned)raw.fd, 0, 0, IORING_ENTER_GETEVENTS, NULL), 0);
	take_large(&raw, 8);
	harness_raw_close(&raw);
}

struct late_writer {
	pid_t waiter;
	int fd;
	bool ok;
};

static void *write_when_asleep(void *argument)
{
	struct late_writer *late = argument;

	late->ok = harness_wait_asleep(late->waiter);
	return (void *)(intptr_t)(write(late->fd, "x", 1) == 1);
}

/* Wait, for a bounded time, for this many slots. */
static int wait_for_slots(struct harness_raw *raw, unsigned slots)
{
	const struct __kernel_timespec limit = harness_deadline();
	struct io_uring_getevents_arg argument = {.ts = (uintptr_t)&limit};

	return io_uring_enter2((unsigned)raw->fd, 0, slots,
			       IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG, (void *)&argument,
			       sizeof(argument));
}

static void queue_read_and_large(struct harness_raw *raw, int fd, char *byte)
{
	struct io_uring_sqe *sqe;

	sqe = harness_raw_sqe(raw, *raw->sq_tail & *raw->sq_mask);
	io_uring_prep_read(sqe, fd, byte, 1, 0);
	sqe->flags = IOSQE_IO_LINK;
	sqe->user_data = 0;
	harness_raw_queue(raw, *raw->sq_tail & *raw->sq_mask);
	submit_nop_of(raw, 9, true, 2);
}

/* With and without a slot to fill up before it. */
static void a_deferred_large_one_counts_for_what_it_takes(void **state)
{
	(void)state;
	for (unsigned fill = 0; fill < 2; fill++) {
		struct harness_raw raw;
		struct late_writer late = {.waiter = harness_thread_id()};
		int pipe_fds[2];
		pthread_t thread;
		uint64_t start;
		void *written;
		char byte;

		setup_mixed_with(&raw, IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN);
		for (unsigned i = 0; i < 6 * fill; i++) {
			submit_nop(&raw, i, false);
			take_small(&raw, i);
		}
		harness_pipe(pipe_fds);
		late.fd = pipe_fds[1];
		queue_read_and_large(&raw, pipe_fds[0], &byte);
		start = harness_now_ns();
		assert_int_equal(pthread_create(&thread, NULL, write_when_asleep, &late), 0);
		assert_int_equal(wait_for_slots(&raw, 3 + fill), 0);
		assert_true(harness_now_ns() - start <
			    HARNESS_WAIT_MS * 1000000ull * harness_timeout_factor());
		assert_int_equal(harness_raw_ready(&raw), 3 + fill);
		pthread_join(thread, &written);
		assert_true(written && late.ok);
		harness_assert_cqe(*harness_raw_cqe(&raw, *raw.cq_head), 0, 1);
		harness_store(raw.cq_head, *raw.cq_head + 1);
		if (fill)
			take_filler(&raw);
		take_large(&raw, 9);
		harness_close_pipe(pipe_fds);
		harness_raw_close(&raw);
	}
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
		cmocka_unit_test(the_last_slot_is_filled_up_without_room_behind),
		cmocka_unit_test(waiting_for_a_full_cq_with_an_odd_slot),
		cmocka_unit_test(a_deferred_large_one_counts_for_what_it_takes),
		cmocka_unit_test(order_and_shape_survive_the_backlog),
	};

	return harness_run(tests);
}
