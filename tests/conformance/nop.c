/* SPDX-License-Identifier: MIT */
/*
 * Description: the NOP request: its flags, injected results, and what it refuses.
 */
#include "harness.h"

struct nop {
	unsigned nop_flags;
	int fd;
	unsigned len;
	unsigned buffer;
};

static struct harness_cqe run(struct io_uring *ring, const struct nop *nop)
{
	struct io_uring_sqe *sqe = harness_sqe(ring);

	io_uring_prep_nop(sqe);
	sqe->nop_flags = nop->nop_flags;
	sqe->fd = nop->fd;
	sqe->len = nop->len;
	sqe->buf_index = (uint16_t)nop->buffer;
	sqe->user_data = 5;
	return harness_complete(ring);
}

static void expect(struct io_uring *ring, struct nop nop, int res)
{
	struct harness_cqe cqe = run(ring, &nop);

	harness_assert_cqe(cqe, 5, res);
	assert_int_equal(cqe.flags, 0);
}

static void a_plain_nop_gives_zero(void **state)
{
	struct io_uring ring;

	(void)state;
	harness_init(&ring, 4, 0);
	expect(&ring, (struct nop){.fd = -1}, 0);
	/* Without a flag that gives them a meaning, the other fields have none. */
	expect(&ring, (struct nop){.fd = 9999, .len = 77, .buffer = 12}, 0);
	harness_assert_empty(&ring);
	io_uring_queue_exit(&ring);
}

static void user_data_comes_back_whole(void **state)
{
	static const uint64_t values[] = {0, 1, UINT32_MAX, 1ull << 63, UINT64_MAX};
	struct io_uring ring;

	(void)state;
	harness_init(&ring, 4, 0);
	for (unsigned i = 0; i < ARRAY_SIZE(values); i++) {
		harness_nop(&ring, values[i]);
		harness_assert_cqe(harness_complete(&ring), values[i], 0);
	}
	io_uring_queue_exit(&ring);
}

static void results_can_be_injected(void **state)
{
	struct io_uring ring;

	(void)state;
	harness_init(&ring, 4, 0);
	for (int res = -5; res <= 5; res++)
		expect(&ring,
		       (struct nop){.nop_flags = IORING_NOP_INJECT_RESULT, .len = (unsigned)res},
		       res);
	expect(&ring, (struct nop){.nop_flags = IORING_NOP_INJECT_RESULT, .len = INT_MAX}, INT_MAX);
	io_uring_queue_exit(&ring);
}

/* A negative result is a failure as any other, a positive one is a success. */
static void an_injected_failure_breaks_a_link(void **state)
{
	static const struct {
		int first, second;
	} cases[] = {{0, 0}, {3, 0}, {-5, -ECANCELED}};
	struct io_uring ring;

	(void)state;
	harness_init(&ring, 4, 0);
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct io_uring_sqe *sqe = harness_nop_flags(&ring, 1, IOSQE_IO_LINK);

		sqe->nop_flags = IORING_NOP_INJECT_RESULT;
		sqe->len = (unsigned)cases[i].first;
		harness_nop(&ring, 2);
		harness_submit(&ring, 2);
		harness_assert_cqe(harness_next(&ring), 1, cases[i].first);
		harness_assert_cqe(harness_next(&ring), 2, cases[i].second);
	}
	io_uring_queue_exit(&ring);
}

static void unknown_flags_are_refused(void **state)
{
	struct io_uring ring;

	(void)state;
	harness_init(&ring, 4, 0);
	for (unsigned bit = 6; bit < 32; bit++)
		expect(&ring, (struct nop){.nop_flags = 1U << bit}, -EINVAL);
	io_uring_queue_exit(&ring);
}

static void a_file_is_looked_up(void **state)
{
	struct io_uring ring;
	int file = harness_temp_file(1);
	int table[2] = {file, -1};

	(void)state;
	harness_init(&ring, 4, 0);
	expect(&ring, (struct nop){.nop_flags = IORING_NOP_FILE, .fd = file}, 0);
	expect(&ring, (struct nop){.nop_flags = IORING_NOP_FILE, .fd = 9999}, -EBADF);
	expect(&ring, (struct nop){.nop_flags = IORING_NOP_FILE, .fd = -1}, -EBADF);
	expect(&ring,
	       (struct nop){.nop_flags = IORING_NOP_FILE | IORING_NOP_INJECT_RESULT,
			    .fd = 9999,
			    .len = 11},
	       -EBADF);
	expect(&ring,
	       (struct nop){.nop_flags = IORING_NOP_FILE | IORING_NOP_INJECT_RESULT,
			    .fd = file,
			    .len = 11},
	       11);

	/* The same in the table of registered files. */
	expect(&ring, (struct nop){.nop_flags = IORING_NOP_FILE | IORING_NOP_FIXED_FILE}, -EBADF);
	assert_int_equal(io_uring_register_files(&ring, table, 2), 0);
	expect(&ring, (struct nop){.nop_flags = IORING_NOP_FILE | IORING_NOP_FIXED_FILE}, 0);
	expect(&ring, (struct nop){.nop_flags = IORING_NOP_FILE | IORING_NOP_FIXED_FILE, .fd = 1},
	       -EBADF);
	expect(&ring, (struct nop){.nop_flags = IORING_NOP_FILE | IORING_NOP_FIXED_FILE, .fd = 2},
	       -EBADF);
	/* FIXED_FILE only says where FILE is to look. */
	expect(&ring, (struct nop){.nop_flags = IORING_NOP_FIXED_FILE, .fd = 9999}, 0);
	close(file);
	io_uring_queue_exit(&ring);
}

static void a_buffer_is_looked_up(void **state)
{
	static char memory[64];
	struct iovec iovecs[2] = {{.iov_base = memory, .iov_len = sizeof(memory)}, {0}};
	struct io_uring ring;

	(void)state;
	harness_init(&ring, 4, 0);
	expect(&ring, (struct nop){.nop_flags = IORING_NOP_FIXED_BUFFER}, -EFAULT);
	assert_int_equal(io_uring_register_buffers(&ring, iovecs, 2), 0);
	expect(&ring, (struct nop){.nop_flags = IORING_NOP_FIXED_BUFFER}, 0);
	expect(&ring, (struct nop){.nop_flags = IORING_NOP_FIXED_BUFFER, .buffer = 2}, -EFAULT);
	io_uring_queue_exit(&ring);
}

/* Completion by way of the task, as after an asynchronous end. */
static void completion_can_be_deferred_to_the_task(void **state)
{
	struct io_uring ring;

	(void)state;
	harness_init(&ring, 4, 0);
	expect(&ring, (struct nop){.nop_flags = IORING_NOP_TW}, 0);
	expect(&ring, (struct nop){.nop_flags = IORING_NOP_TW | IORING_NOP_INJECT_RESULT, .len = 9},
	       9);
	harness_assert_empty(&ring);
	io_uring_queue_exit(&ring);
}

static void a_big_cqe_carries_two_words(void **state)
{
	struct io_uring_sqe *sqe;
	struct harness_cqe cqe;
	struct io_uring ring;

	(void)state;
	harness_init(&ring, 4, 0);
	expect(&ring, (struct nop){.nop_flags = IORING_NOP_CQE32}, -EINVAL);
	io_uring_queue_exit(&ring);

	harness_init(&ring, 4, IORING_SETUP_CQE32);
	sqe = harness_nop(&ring, 5);
	sqe->nop_flags = IORING_NOP_CQE32;
	sqe->off = 0x1122334455667788;
	sqe->addr = 0x99aabbccddeeff00;
	cqe = harness_complete(&ring);
	harness_assert_cqe(cqe, 5, 0);
	assert_int_equal(cqe.extra[0], 0x1122334455667788);
	assert_int_equal(cqe.extra[1], 0x99aabbccddeeff00);

	/* What is not asked for is zero, not what stood there before. */
	for (unsigned i = 0; i < 16; i++) {
		sqe = harness_nop(&ring, 6);
		sqe->off = 1;
		sqe->addr = 2;
		cqe = harness_complete(&ring);
		harness_assert_cqe(cqe, 6, 0);
		assert_int_equal(cqe.extra[0], 0);
		assert_int_equal(cqe.extra[1], 0);
	}
	io_uring_queue_exit(&ring);
}

static void a_nop_in_a_worker(void **state)
{
	struct io_uring ring;

	(void)state;
	harness_init(&ring, 4, 0);
	for (unsigned i = 0; i < 50; i++) {
		harness_nop_flags(&ring, i, IOSQE_ASYNC);
		harness_assert_cqe(harness_complete(&ring), i, 0);
	}
	io_uring_queue_exit(&ring);
}

static void an_sqe_of_128_bytes(void **state)
{
	struct io_uring ring;

	(void)state;
	harness_init(&ring, 4, IORING_SETUP_SQE128 | IORING_SETUP_CQE32);
	for (unsigned i = 0; i < 10; i++) {
		struct io_uring_sqe *sqe = harness_nop(&ring, i);

		memset((char *)sqe + 64, 0xff, 64);
		harness_assert_cqe(harness_complete(&ring), i, 0);
	}
	io_uring_queue_exit(&ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_plain_nop_gives_zero),
		cmocka_unit_test(user_data_comes_back_whole),
		cmocka_unit_test(results_can_be_injected),
		cmocka_unit_test(an_injected_failure_breaks_a_link),
		cmocka_unit_test(unknown_flags_are_refused),
		cmocka_unit_test(a_file_is_looked_up),
		cmocka_unit_test(a_buffer_is_looked_up),
		cmocka_unit_test(completion_can_be_deferred_to_the_task),
		cmocka_unit_test(a_big_cqe_carries_two_words),
		cmocka_unit_test(a_nop_in_a_worker),
		cmocka_unit_test(an_sqe_of_128_bytes),
	};

	return harness_run(tests);
}
