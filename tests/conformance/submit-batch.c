/* SPDX-License-Identifier: MIT */
/*
 * Description: how many SQEs a submission takes, where a batch ends, and what corrupted indices do.
 */
#include "harness.h"

#define BAD_OPCODE 250

static void queue_bad_opcode(struct io_uring *ring, uint64_t user_data)
{
	struct io_uring_sqe *sqe = harness_sqe(ring);

	sqe->opcode = BAD_OPCODE;
	sqe->user_data = user_data;
}

static void queue_nops(struct io_uring *ring, unsigned first, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		harness_nop(ring, first + i);
}

static void expect_range(struct io_uring *ring, unsigned first, unsigned count, int res)
{
	for (unsigned i = 0; i < count; i++) {
		struct harness_cqe cqe;

		assert_true(harness_peek(ring, &cqe));
		harness_assert_cqe(cqe, first + i, res);
	}
}

static void a_preparation_error_ends_the_batch(void **state)
{
	struct io_uring ring;

	(void)state;
	harness_init(&ring, 32, 0);
	queue_nops(&ring, 0, 8);
	queue_bad_opcode(&ring, 8);
	queue_nops(&ring, 9, 8);
	assert_int_equal(io_uring_submit(&ring), 9);
	expect_range(&ring, 0, 8, 0);
	expect_range(&ring, 8, 1, -EINVAL);
	harness_assert_empty(&ring);
	assert_int_equal(io_uring_sq_ready(&ring), 8);

	/* The rest goes with the next call, together with what has been added since. */
	queue_nops(&ring, 17, 2);
	assert_int_equal(io_uring_submit(&ring), 10);
	expect_range(&ring, 9, 10, 0);
	harness_assert_empty(&ring);
	io_uring_queue_exit(&ring);
}

static void submit_all_goes_on(void **state)
{
	struct io_uring ring;

	(void)state;
	harness_init(&ring, 32, IORING_SETUP_SUBMIT_ALL);
	queue_nops(&ring, 0, 8);
	queue_bad_opcode(&ring, 8);
	queue_bad_opcode(&ring, 9);
	queue_nops(&ring, 10, 7);
	assert_int_equal(io_uring_submit(&ring), 17);
	expect_range(&ring, 0, 8, 0);
	expect_range(&ring, 8, 2, -EINVAL);
	expect_range(&ring, 10, 7, 0);
	harness_assert_empty(&ring);
	io_uring_queue_exit(&ring);
}

/* Put the SQE in question between two nops; returns what submit consumed, and its result in *res.
 */
static int submit_between_nops(const struct io_uring_sqe *middle, int *res)
{
	struct io_uring ring;
	struct harness_cqe cqe;
	int ret;

	harness_init(&ring, 8, 0);
	harness_nop(&ring, 1);
	*harness_sqe(&ring) = *middle;
	harness_nop(&ring, 3);
	ret = io_uring_submit(&ring);
	harness_assert_cqe(harness_next(&ring), 1, 0);
	if (ret == 3) {
		/* The last may overtake a request that had to go to a worker. */
		struct harness_cqe both[2];

		harness_reap(&ring, both, 2);
		cqe = both[0].user_data == 2 ? both[0] : both[1];
	} else {
		cqe = harness_next(&ring);
	}
	assert_int_equal(cqe.user_data, 2);
	*res = cqe.res;
	io_uring_queue_exit(&ring);
	return ret;
}

/* The prep functions of newer liburings leave the common fields to get_sqe, so start from zero. */
static struct io_uring_sqe *fresh(struct io_uring_sqe *sqe)
{
	memset(sqe, 0, sizeof(*sqe));
	sqe->user_data = 2;
	return sqe;
}

static void expect_to_end_the_batch(const struct io_uring_sqe *sqe, int want)
{
	int res;

	assert_int_equal(submit_between_nops(sqe, &res), 2);
	assert_int_equal(res, want);
}

static void expect_to_go_on(const struct io_uring_sqe *sqe, int want)
{
	int res;

	assert_int_equal(submit_between_nops(sqe, &res), 3);
	assert_int_equal(res, want);
}

static void errors_of_preparation(void **state)
{
	int file = harness_temp_file(100);
	struct io_uring_sqe sqe;

	(void)state;
	fresh(&sqe)->opcode = BAD_OPCODE;
	expect_to_end_the_batch(&sqe, -EINVAL);

	/* An SQE flag that does not exist, credentials that nobody registered. */
	io_uring_prep_nop(fresh(&sqe));
	sqe.flags = 1 << 7;
	expect_to_end_the_batch(&sqe, -EINVAL);
	io_uring_prep_nop(fresh(&sqe));
	sqe.personality = 999;
	expect_to_end_the_batch(&sqe, -EINVAL);

	/* A field or flag that the operation does not use, an ioprio it does not take. */
	io_uring_prep_fsync(fresh(&sqe), file, 0);
	sqe.addr = 1;
	expect_to_end_the_batch(&sqe, -EINVAL);
	io_uring_prep_fsync(fresh(&sqe), file, 0);
	sqe.ioprio = 1;
	expect_to_end_the_batch(&sqe, -EINVAL);
	io_uring_prep_fsync(fresh(&sqe), file, 0x80);
	expect_to_end_the_batch(&sqe, -EINVAL);

	/* Something to be copied that is not there. */
	io_uring_prep_readv(fresh(&sqe), file, (void *)(uintptr_t)8, 1, 0);
	expect_to_end_the_batch(&sqe, -EFAULT);
	sqe.flags = IOSQE_ASYNC;
	expect_to_end_the_batch(&sqe, -EFAULT);
	io_uring_prep_openat(fresh(&sqe), AT_FDCWD, (void *)(uintptr_t)8, O_RDONLY, 0);
	expect_to_end_the_batch(&sqe, -EFAULT);

	/* It comes before all that is wrong with the file. */
	io_uring_prep_readv(fresh(&sqe), 100000, (void *)(uintptr_t)8, 1, 0);
	expect_to_end_the_batch(&sqe, -EFAULT);
	io_uring_prep_writev(fresh(&sqe), file, (void *)(uintptr_t)8, 1, (uint64_t)-2);
	expect_to_end_the_batch(&sqe, -EFAULT);
	io_uring_prep_readv(fresh(&sqe), 7, (void *)(uintptr_t)8, 1, 0);
	sqe.flags = IOSQE_FIXED_FILE;
	expect_to_end_the_batch(&sqe, -EFAULT);
	io_uring_prep_openat(fresh(&sqe), 100000, (void *)(uintptr_t)8, O_RDONLY, 0);
	expect_to_end_the_batch(&sqe, -EFAULT);
	close(file);
}

/* What is found out only when the request runs. */
static void errors_of_the_run(void **state)
{
	char buffer[16];
	int file = harness_temp_file(100);
	struct io_uring_sqe sqe;

	(void)state;
	io_uring_prep_read(fresh(&sqe), 100000, buffer, sizeof(buffer), 0);
	expect_to_go_on(&sqe, -EBADF);
	io_uring_prep_read(fresh(&sqe), file, (void *)(uintptr_t)8, 16, 0);
	expect_to_go_on(&sqe, -EFAULT);
	io_uring_prep_read(fresh(&sqe), 7, buffer, sizeof(buffer), 0);
	sqe.flags = IOSQE_FIXED_FILE;
	expect_to_go_on(&sqe, -EBADF);
	close(file);
}

static unsigned raw_enter(struct harness_raw *raw, unsigned to_submit)
{
	return (unsigned)io_uring_enter((unsigned)raw->fd, to_submit, 0, 0, NULL);
}

static void queue_raw_nop(struct harness_raw *raw, unsigned slot, uint64_t user_data)
{
	struct io_uring_sqe *sqe = harness_raw_sqe(raw, slot);

	sqe->opcode = IORING_OP_NOP;
	sqe->user_data = user_data;
	harness_raw_queue(raw, slot);
}

static void expect_raw(struct harness_raw *raw, uint64_t user_data, int res)
{
	assert_true(harness_raw_ready(raw) > 0);
	harness_assert_cqe(*harness_raw_cqe(raw, *raw->cq_head), user_data, res);
	harness_store(raw->cq_head, *raw->cq_head + 1);
}

static void enter_takes_no_more_than_asked_and_queued(void **state)
{
	struct harness_raw raw;

	(void)state;
	harness_raw_setup(&raw, 8, NULL);
	for (unsigned i = 0; i < 6; i++)
		queue_raw_nop(&raw, i, i);
	assert_int_equal(raw_enter(&raw, 2), 2);
	assert_int_equal(*raw.sq_head, 2);
	assert_int_equal(harness_raw_ready(&raw), 2);
	assert_int_equal(raw_enter(&raw, UINT_MAX), 4);
	assert_int_equal(*raw.sq_head, 6);
	assert_int_equal(raw_enter(&raw, 1), 0);
	for (unsigned i = 0; i < 6; i++)
		expect_raw(&raw, i, 0);
	harness_raw_close(&raw);
}

static void the_array_gives_the_order(void **state)
{
	static const unsigned order[] = {3, 0, 2, 2, 1};
	struct harness_raw raw;

	(void)state;
	harness_raw_setup(&raw, 8, NULL);
	for (unsigned i = 0; i < 4; i++) {
		struct io_uring_sqe *sqe = harness_raw_sqe(&raw, i);

		sqe->opcode = IORING_OP_NOP;
		sqe->user_data = 10 + i;
	}
	for (unsigned i = 0; i < ARRAY_SIZE(order); i++)
		harness_raw_queue(&raw, order[i]);
	assert_int_equal(raw_enter(&raw, 5), 5);
	for (unsigned i = 0; i < ARRAY_SIZE(order); i++)
		expect_raw(&raw, 10 + order[i], 0);
	harness_raw_close(&raw);
}

static void an_invalid_array_index_is_dropped(void **state)
{
	struct harness_raw raw;

	(void)state;
	harness_raw_setup(&raw, 8, NULL);
	queue_raw_nop(&raw, 0, 1);
	harness_raw_queue(&raw, 8);
	harness_raw_queue(&raw, UINT_MAX);
	queue_raw_nop(&raw, 1, 2);

	/* Each drop ends a batch; it is consumed, but not counted. */
	assert_int_equal(raw_enter(&raw, 4), 1);
	assert_int_equal(*raw.sq_dropped, 1);
	assert_int_equal(*raw.sq_head, 2);
	assert_int_equal(raw_enter(&raw, 2), 0);
	assert_int_equal(*raw.sq_dropped, 2);
	assert_int_equal(*raw.sq_head, 3);
	assert_int_equal(raw_enter(&raw, 1), 1);
	expect_raw(&raw, 1, 0);
	expect_raw(&raw, 2, 0);
	assert_int_equal(harness_raw_ready(&raw), 0);
	assert_int_equal(*raw.sq_head, 4);

	/* The count lies in shared memory: whatever the application wrote there is counted on from.
	 */
	harness_store(raw.sq_dropped, 1000);
	harness_raw_queue(&raw, 8);
	assert_int_equal(raw_enter(&raw, 1), 0);
	assert_int_equal(*raw.sq_dropped, 1001);
	harness_raw_close(&raw);
}

static void without_array_slots_go_in_order(void **state)
{
	struct io_uring_params params = {.flags = IORING_SETUP_NO_SQARRAY};
	struct harness_raw raw;

	(void)state;
	harness_raw_setup(&raw, 4, &params);
	for (unsigned round = 0; round < 10; round++) {
		for (unsigned i = 0; i < 3; i++)
			queue_raw_nop(&raw, *raw.sq_tail & 3, round * 3 + i);
		assert_int_equal(raw_enter(&raw, 3), 3);
		for (unsigned i = 0; i < 3; i++)
			expect_raw(&raw, round * 3 + i, 0);
	}
	assert_int_equal(*raw.sq_dropped, 0);
	harness_raw_close(&raw);
}

static void a_tail_out_of_range_is_bounded(void **state)
{
	struct harness_raw raw;

	(void)state;
	harness_raw_setup(&raw, 4, NULL);
	for (unsigned i = 0; i < 4; i++) {
		struct io_uring_sqe *sqe = harness_raw_sqe(&raw, i);

		sqe->opcode = IORING_OP_NOP;
		sqe->user_data = i;
		raw.sq_array[i] = i;
	}
	harness_store(raw.sq_tail, 1000000);
	assert_int_equal(raw_enter(&raw, 1000), 4);
	assert_int_equal(*raw.sq_head, 4);
	for (unsigned i = 0; i < 4; i++)
		expect_raw(&raw, i, 0);

	/* A tail behind the head is as far away as one can be. */
	harness_store(raw.sq_tail, 3);
	assert_int_equal(raw_enter(&raw, 1000), 4);
	for (unsigned i = 0; i < 4; i++)
		expect_raw(&raw, i, 0);
	harness_store(raw.sq_tail, 8);
	assert_int_equal(raw_enter(&raw, 1000), 0);
	harness_raw_close(&raw);
}

static void words_of_the_kernel_side_are_never_read_back(void **state)
{
	struct harness_raw raw;

	(void)state;
	harness_raw_setup(&raw, 4, NULL);
	for (unsigned i = 0; i < 10; i++) {
		unsigned slot = i & 3;
		struct io_uring_cqe *cqe;

		*raw.sq_head = 0xdeadbeef;
		*raw.sq_mask = UINT_MAX;
		*raw.sq_entries = UINT_MAX;
		*raw.cq_mask = UINT_MAX;
		*raw.cq_entries = UINT_MAX;
		*raw.cq_tail = 0x55555555;
		/* By hand, since the harness uses the mask that has just been ruined. */
		harness_raw_sqe(&raw, slot)->user_data = i;
		raw.sq_array[slot] = slot;
		harness_store(raw.sq_tail, i + 1);
		assert_int_equal(raw_enter(&raw, 1), 1);
		assert_int_equal(*raw.sq_head, i + 1);
		assert_int_equal(*raw.cq_tail, i + 1);
		cqe = harness_raw_cqe(&raw, i);
		harness_assert_cqe(*cqe, i, 0);
		harness_store(raw.cq_head, i + 1);
	}
	harness_raw_close(&raw);
}

/* A CQ head that runs away makes the CQ look full: completions are kept until it comes back. */
static void a_cq_head_out_of_range_loses_nothing(void **state)
{
	struct harness_raw raw;

	(void)state;
	harness_raw_setup(&raw, 2, NULL);
	harness_store(raw.cq_head, 1000);
	for (unsigned i = 0; i < 3; i++) {
		queue_raw_nop(&raw, i & 1, i);
		assert_int_equal(raw_enter(&raw, 1), 1);
	}
	assert_int_equal(*raw.cq_tail, 0);
	assert_true(harness_load(raw.sq_flags) & IORING_SQ_CQ_OVERFLOW);
	harness_store(raw.cq_head, 0);
	assert_int_equal(io_uring_enter((unsigned)raw.fd, 0, 0, IORING_ENTER_GETEVENTS, NULL), 0);
	for (unsigned i = 0; i < 3; i++)
		expect_raw(&raw, i, 0);
	assert_int_equal(harness_raw_ready(&raw), 0);
	assert_int_equal(*raw.cq_overflow, 0);
	harness_raw_close(&raw);
}

/* Far enough to go round the queues thousands of times, in batches that never fit evenly. */
static void long_runs_keep_order(void **state)
{
	struct io_uring ring;
	unsigned next_in = 0, next_out = 0;

	(void)state;
	harness_init(&ring, 8, 0);
	while (next_in < 70000) {
		unsigned batch = 1 + next_in % 7;

		queue_nops(&ring, next_in, batch);
		assert_int_equal(io_uring_submit(&ring), batch);
		next_in += batch;
		expect_range(&ring, next_out, batch, 0);
		next_out += batch;
	}
	harness_assert_empty(&ring);
	io_uring_queue_exit(&ring);
}

static void full_sq_gives_no_sqe(void **state)
{
	struct io_uring ring;

	(void)state;
	harness_init(&ring, 4, 0);
	assert_int_equal(io_uring_sq_space_left(&ring), 4);
	queue_nops(&ring, 0, 4);
	assert_int_equal(io_uring_sq_space_left(&ring), 0);
	assert_int_equal(io_uring_sq_ready(&ring), 4);
	assert_null(io_uring_get_sqe(&ring));
	assert_int_equal(io_uring_submit(&ring), 4);
	assert_int_equal(io_uring_submit(&ring), 0);
	assert_non_null(io_uring_get_sqe(&ring));
	expect_range(&ring, 0, 4, 0);
	io_uring_queue_exit(&ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_preparation_error_ends_the_batch),
		cmocka_unit_test(submit_all_goes_on),
		cmocka_unit_test(errors_of_preparation),
		cmocka_unit_test(errors_of_the_run),
		cmocka_unit_test(enter_takes_no_more_than_asked_and_queued),
		cmocka_unit_test(the_array_gives_the_order),
		cmocka_unit_test(an_invalid_array_index_is_dropped),
		cmocka_unit_test(without_array_slots_go_in_order),
		cmocka_unit_test(a_tail_out_of_range_is_bounded),
		cmocka_unit_test(words_of_the_kernel_side_are_never_read_back),
		cmocka_unit_test(a_cq_head_out_of_range_loses_nothing),
		cmocka_unit_test(long_runs_keep_order),
		cmocka_unit_test(full_sq_gives_no_sqe),
	};

	return harness_run(tests);
}
