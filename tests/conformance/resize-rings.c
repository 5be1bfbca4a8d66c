/* SPDX-License-Identifier: MIT */
/*
 * Description: REGISTER_RESIZE_RINGS: other sizes for a ring in use; what is in the queues is
 * carried over, what does not fit is refused and changes nothing.
 */
#include "harness.h"

#ifndef IORING_SETUP_NO_SQARRAY
#define IORING_SETUP_NO_SQARRAY (1U << 16)
#endif

#define DEFERRED (IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN)

static void open_raw(struct harness_raw *raw, unsigned entries, unsigned more_flags)
{
	struct io_uring_params params = {.flags = DEFERRED | IORING_SETUP_NO_SQARRAY | more_flags};

	harness_raw_setup(raw, entries, &params);
}

static int resize(struct harness_raw *raw, struct io_uring_params *params)
{
	return io_uring_register((unsigned)raw->fd, IORING_REGISTER_RESIZE_RINGS, params, 1);
}

/* The ring has these sizes from now on, and *raw points to its new memory. */
static int resize_to(struct harness_raw *raw, unsigned sq_entries, unsigned cq_entries)
{
	struct io_uring_params params = {.sq_entries = sq_entries};
	int ret;

	if (cq_entries) {
		params.flags = IORING_SETUP_CQSIZE;
		params.cq_entries = cq_entries;
	}
	ret = resize(raw, &params);
	if (ret)
		return ret;
#ifdef TEST_ORACLE
	munmap(raw->rings, raw->rings_size);
	munmap(raw->sqes, raw->sqes_size);
#endif
	raw->params = params;
	return harness_map(raw);
}

static void queue_nops(struct harness_raw *raw, unsigned count, uint64_t first)
{
	for (unsigned i = 0; i < count; i++) {
		struct io_uring_sqe *sqe =
			harness_raw_sqe(raw, *raw->sq_tail & (raw->params.sq_entries - 1));

		sqe->user_data = first + i;
		harness_store(raw->sq_tail, *raw->sq_tail + 1);
	}
}

static void submit(struct harness_raw *raw, unsigned count)
{
	assert_int_equal(io_uring_enter((unsigned)raw->fd, count, 0, IORING_ENTER_GETEVENTS, NULL),
			 count);
}

/* Take these many, numbered from @first. */
static void take(struct harness_raw *raw, unsigned count, uint64_t first)
{
	for (unsigned i = 0; i < count; i++) {
		unsigned head = *raw->cq_head;

		assert_true(harness_raw_ready(raw) > 0);
		assert_int_equal(harness_raw_cqe(raw, head)->user_data, first + i);
		assert_int_equal(harness_raw_cqe(raw, head)->res, 0);
		harness_store(raw->cq_head, head + 1);
	}
}

static void a_ring_grows_and_shrinks(void **state)
{
	static const unsigned sizes[] = {16, 64, 1, 4096, 8};
	struct harness_raw raw;
	uint64_t next = 0;

	(void)state;
	open_raw(&raw, 8, 0);
	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
		unsigned size = sizes[i], room = size < 64 ? size : 64;

		assert_int_equal(resize_to(&raw, size, 0), 0);
		assert_int_equal(raw.params.sq_entries, size);
		assert_int_equal(raw.params.cq_entries, 2 * size);
		assert_int_equal(*raw.sq_entries, size);
		assert_int_equal(*raw.cq_entries, 2 * size);
		assert_int_equal(*raw.sq_mask, size - 1);
		assert_int_equal(*raw.cq_mask, 2 * size - 1);
		for (unsigned round = 0; round < 3; round++) {
			queue_nops(&raw, room, next);
			submit(&raw, room);
			take(&raw, room, next);
			next += room;
		}
		assert_int_equal(harness_raw_ready(&raw), 0);
	}
	harness_raw_close(&raw);
}

static void what_is_pending_is_carried_over(void **state)
{
	static const unsigned setups[] = {0, IORING_SETUP_SQE128, IORING_SETUP_CQE32,
					  IORING_SETUP_SQE128 | IORING_SETUP_CQE32};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(setups); i++) {
		struct harness_raw raw;
		unsigned ready;

		open_raw(&raw, 8, setups[i]);
		/* Heads and tails are not at the beginning. */
		queue_nops(&raw, 5, 0);
		submit(&raw, 5);
		take(&raw, 5, 0);
		queue_nops(&raw, 8, 5);
		submit(&raw, 6);
		queue_nops(&raw, 3, 13);
		assert_int_equal(resize_to(&raw, 32, 128), 0);
		assert_int_equal(*raw.sq_head, 11);
		assert_int_equal(*raw.sq_tail, 16);
		assert_int_equal(*raw.cq_head, 5);
		ready = harness_raw_ready(&raw);
		assert_int_equal(ready, 6);
		assert_int_equal(raw.params.flags & setups[i], setups[i]);
		raw.params.flags |= setups[i];
		/* And back, to what is just enough. */
		assert_int_equal(resize_to(&raw, 5, 6), 0);
		assert_int_equal(raw.params.sq_entries, 8);
		assert_int_equal(raw.params.cq_entries, 8);
		take(&raw, 6, 5);
		submit(&raw, 5);
		take(&raw, 5, 11);
		harness_raw_close(&raw);
	}
}

static void too_small_for_what_is_pending(void **state)
{
	struct harness_raw raw;

	(void)state;
	open_raw(&raw, 8, 0);
	queue_nops(&raw, 8, 0);
	assert_int_equal(resize_to(&raw, 4, 0), -EOVERFLOW);
	submit(&raw, 5);
	assert_int_equal(resize_to(&raw, 2, 4), -EOVERFLOW);
	assert_int_equal(resize_to(&raw, 4, 4), -EOVERFLOW);
	/* It is as it was. */
	assert_int_equal(*raw.sq_entries, 8);
	assert_int_equal(*raw.cq_mask, 15);
	submit(&raw, 3);
	take(&raw, 8, 0);
	assert_int_equal(resize_to(&raw, 1, 0), 0);
	harness_raw_close(&raw);
}

static void overflowed_completions_stay(void **state)
{
	struct harness_raw raw;

	(void)state;
	open_raw(&raw, 4, 0);
	for (unsigned i = 0; i < 5; i++) {
		queue_nops(&raw, 4, 4 * i);
		assert_int_equal(io_uring_enter((unsigned)raw.fd, 4, 0, 0, NULL), 4);
	}
	assert_true(harness_load(raw.sq_flags) & IORING_SQ_CQ_OVERFLOW);
	assert_int_equal(resize_to(&raw, 16, 0), 0);
	assert_true(harness_load(raw.sq_flags) & IORING_SQ_CQ_OVERFLOW);
	assert_int_equal(harness_raw_ready(&raw), 8);
	submit(&raw, 0);
	assert_false(harness_load(raw.sq_flags) & IORING_SQ_CQ_OVERFLOW);
	take(&raw, 20, 0);
	harness_raw_close(&raw);
}

static int try(unsigned setup, unsigned entries, struct io_uring_params params)
{
	struct harness_raw raw;
	int ret;

	open_raw(&raw, entries, setup);
	ret = resize(&raw, &params);
	harness_raw_close(&raw);
	return ret;
}

#define attempt(...) try(0, 8, (struct io_uring_params){__VA_ARGS__})

static void bad_arguments(void **state)
{
	struct io_uring_params params = {.sq_entries = 16};
	struct harness_raw raw;
	const unsigned call = IORING_REGISTER_RESIZE_RINGS;

	(void)state;
	assert_int_equal(attempt(.sq_entries = 0), -EINVAL);
	assert_int_equal(attempt(.sq_entries = 1000000), -EINVAL);
	assert_int_equal(attempt(.sq_entries = 1000000, .flags = IORING_SETUP_CLAMP), 0);
	assert_int_equal(attempt(.sq_entries = 16, .flags = IORING_SETUP_CQSIZE), -EINVAL);
	assert_int_equal(attempt(.sq_entries = 16, .flags = IORING_SETUP_CQSIZE, .cq_entries = 8),
			 -EINVAL);
	assert_int_equal(attempt(.sq_entries = 16, .flags = IORING_SETUP_IOPOLL), -EINVAL);
	assert_int_equal(attempt(.sq_entries = 16, .flags = DEFERRED), -EINVAL);
	assert_int_equal(attempt(.sq_entries = 16, .sq_thread_idle = 1), 0);
	assert_int_equal(attempt(.sq_entries = 9), 0);
	assert_int_equal(try(IORING_SETUP_R_DISABLED, 8, params), 0);
	open_raw(&raw, 8, 0);
	assert_int_equal(io_uring_register((unsigned)raw.fd, call, &params, 0), -EINVAL);
	assert_int_equal(io_uring_register((unsigned)raw.fd, call, &params, 2), -EINVAL);
	assert_int_equal(io_uring_register((unsigned)raw.fd, call, NULL, 1), -EINVAL);
	assert_int_equal(io_uring_register((unsigned)raw.fd, call, (void *)8, 1), -EFAULT);
	harness_raw_close(&raw);
}

static void only_where_completions_are_deferred(void **state)
{
	static const unsigned setups[] = {0, IORING_SETUP_SINGLE_ISSUER, IORING_SETUP_SQPOLL};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(setups); i++) {
		struct io_uring_params params = {.sq_entries = 16};
		struct io_uring ring;

		harness_init(&ring, 8, setups[i]);
		assert_int_equal(io_uring_register((unsigned)ring.ring_fd,
						   IORING_REGISTER_RESIZE_RINGS, &params, 1),
				 -EINVAL);
		io_uring_queue_exit(&ring);
	}
}

static void requests_in_flight_complete(void **state)
{
	struct harness_raw raw;
	struct io_uring_sqe *sqe;
	char byte = 0;
	int fds[2];

	(void)state;
	harness_pipe(fds);
	open_raw(&raw, 4, 0);
	sqe = harness_raw_sqe(&raw, 0);
	io_uring_prep_read(sqe, fds[0], &byte, 1, 0);
	sqe->user_data = 42;
	harness_store(raw.sq_tail, 1);
	submit(&raw, 1);
	assert_int_equal(resize_to(&raw, 64, 0), 0);
	assert_int_equal(write(fds[1], "q", 1), 1);
	assert_int_equal(io_uring_enter((unsigned)raw.fd, 0, 1, IORING_ENTER_GETEVENTS, NULL), 0);
	assert_int_equal(harness_raw_ready(&raw), 1);
	assert_int_equal(harness_raw_cqe(&raw, 0)->user_data, 42);
	assert_int_equal(harness_raw_cqe(&raw, 0)->res, 1);
	assert_int_equal(byte, 'q');
	harness_raw_close(&raw);
	harness_close_pipe(fds);
}

/* The application side of newer versions has a function for it. */
static void the_function(void **state)
{
#ifndef TEST_ORACLE
	static const unsigned sizes[] = {2, 256, 16, 128};
	struct io_uring ring;
	uint64_t next = 0;

	harness_init(&ring, 8, DEFERRED);
	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct io_uring_params params = {.sq_entries = sizes[i]};

		/* One on either side of the change. */
		harness_nop(&ring, next);
		harness_submit(&ring, 1);
		assert_int_equal(io_uring_resize_rings(&ring, &params), 0);
		assert_int_equal(io_uring_sq_space_left(&ring), sizes[i]);
		for (unsigned j = 1; j < sizes[i]; j++)
			harness_nop(&ring, next + j);
		harness_submit(&ring, sizes[i] - 1);
		for (unsigned j = 0; j < sizes[i]; j++)
			harness_assert_cqe(harness_next(&ring), next + j, 0);
		next += sizes[i];
	}
	io_uring_queue_exit(&ring);
#endif
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_ring_grows_and_shrinks),
		cmocka_unit_test(what_is_pending_is_carried_over),
		cmocka_unit_test(too_small_for_what_is_pending),
		cmocka_unit_test(overflowed_completions_stay),
		cmocka_unit_test(bad_arguments),
		cmocka_unit_test(only_where_completions_are_deferred),
		cmocka_unit_test(requests_in_flight_complete),
		cmocka_unit_test(the_function),
	};

	return harness_run(tests);
}
