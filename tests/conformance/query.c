/* SPDX-License-Identifier: MIT */
/* Description: REGISTER_QUERY tells what there is: the answer, chains of questions, bad input. */
#include "harness.h"

static int query(int fd, void *header)
{
	return io_uring_register((unsigned)fd, IORING_REGISTER_QUERY, header, 0);
}

/* A question about opcodes whose answer goes to *answer. */
static struct io_uring_query_hdr question(struct io_uring_query_opcode *answer)
{
	memset(answer, 0xee, sizeof(*answer));
	return (struct io_uring_query_hdr){
		.query_data = (uintptr_t)answer,
		.query_op = IO_URING_QUERY_OPCODES,
		.size = sizeof(*answer),
	};
}

static void it_needs_no_ring(void **state)
{
	struct io_uring_query_opcode answer, other;
	struct io_uring_query_hdr header = question(&answer);
	struct io_uring_params params = {0};
	struct io_uring ring;

	(void)state;
	assert_int_equal(query(-1, &header), 0);
	assert_int_equal(header.result, 0);
	assert_int_equal(header.size, sizeof(answer));
	assert_true(answer.nr_request_opcodes > IORING_OP_PIPE);
	assert_true(answer.nr_register_opcodes > IORING_REGISTER_QUERY);
	assert_true(answer.ring_setup_flags & IORING_SETUP_DEFER_TASKRUN);
	assert_true(answer.enter_flags & IORING_ENTER_EXT_ARG_REG);
	assert_int_equal(answer.sqe_flags, 0x7f);
	assert_int_equal(answer.nr_query_opcodes, 1);
	assert_int_equal(answer.__pad, 0);
	harness_init_params(&ring, 4, &params);
	assert_int_equal(answer.feature_flags, params.features);
	header = question(&other);
	assert_int_equal(query(ring.ring_fd, &header), 0);
	assert_memory_equal(&answer, &other, sizeof(answer));
	io_uring_queue_exit(&ring);
}

/* Who knows less gets less, who expects more gets zeros. */
static void other_sizes(void **state)
{
	static const unsigned larger[] = {sizeof(struct io_uring_query_opcode) + 8, 1024, 8192};
	static union {
		struct io_uring_query_opcode answer;
		unsigned char bytes[8192];
	} room;
	struct io_uring_query_hdr header;

	(void)state;
	header = question(&room.answer);
	header.size = 8;
	assert_int_equal(query(-1, &header), 0);
	assert_int_equal(header.result, 0);
	assert_int_equal(header.size, 8);
	assert_true(room.answer.nr_request_opcodes > IORING_OP_PIPE);
	assert_int_equal(room.bytes[8], 0xee);
	for (unsigned i = 0; i < ARRAY_SIZE(larger); i++) {
		header = question(&room.answer);
		memset(room.bytes, 0xee, sizeof(room));
		header.size = larger[i];
		assert_int_equal(query(-1, &header), 0);
		assert_int_equal(header.result, 0);
		assert_int_equal(header.size, sizeof(room.answer));
		for (unsigned j = sizeof(room.answer); j < larger[i]; j++)
			assert_int_equal(room.bytes[j], 0);
	}
	header = question(&room.answer);
	header.size = 0;
	assert_int_equal(query(-1, &header), 0);
	assert_int_equal(header.result, -EINVAL);
}

static void what_is_not_known(void **state)
{
	struct io_uring_query_opcode answer;
	struct io_uring_query_hdr header = question(&answer);

	(void)state;
	header.query_op = 9999;
	assert_int_equal(query(-1, &header), 0);
	assert_int_equal(header.result, -EOPNOTSUPP);
	assert_int_equal(header.size, 0);
	for (unsigned i = 0; i < 4; i++) {
		header = question(&answer);
		if (i == 3)
			header.result = 1;
		else
			header.__resv[i] = 1;
		assert_int_equal(query(-1, &header), 0);
		assert_int_equal(header.result, -EINVAL);
	}
}

static void chains(void **state)
{
	enum { LONG = 1000 };
	static struct io_uring_query_opcode answers[LONG];
	static struct io_uring_query_hdr headers[LONG];

	(void)state;
	for (unsigned i = 0; i < LONG; i++) {
		headers[i] = question(&answers[i]);
		if (i)
			headers[i - 1].next_entry = (uintptr_t)&headers[i];
	}
	/* One that is not known does not end it. */
	headers[LONG - 3].query_op = 9999;
	assert_int_equal(query(-1, &headers[LONG - 3]), 0);
	assert_int_equal(headers[LONG - 3].result, -EOPNOTSUPP);
	assert_true(answers[LONG - 1].nr_request_opcodes > IORING_OP_PIPE);
	/* There is an end to everything, even to a circle. */
	assert_int_equal(query(-1, &headers[0]), -ERANGE);
	headers[0] = question(&answers[0]);
	headers[0].next_entry = (uintptr_t)&headers[0];
	assert_int_equal(query(-1, &headers[0]), -ERANGE);
	headers[0].next_entry = 8;
	headers[0].result = 0;
	assert_int_equal(query(-1, &headers[0]), -EFAULT);
}

static void bad_calls(void **state)
{
	struct io_uring_query_opcode answer;
	struct io_uring_query_hdr header = question(&answer);
	struct io_uring ring;
	int fds[2];

	(void)state;
	harness_init(&ring, 4, 0);
	harness_pipe(fds);
	assert_int_equal(
		io_uring_register((unsigned)ring.ring_fd, IORING_REGISTER_QUERY, &header, 1),
		-EINVAL);
	assert_int_equal(query(ring.ring_fd, NULL), 0);
	assert_int_equal(query(-1, (void *)8), -EFAULT);
	header.query_data = 8;
	assert_int_equal(query(-1, &header), -EFAULT);
	assert_int_equal(query(-2, &header), -EBADF);
	assert_int_equal(query(fds[0], &header), -EOPNOTSUPP);
	harness_close_pipe(fds);
	io_uring_queue_exit(&ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_needs_no_ring),  cmocka_unit_test(other_sizes),
		cmocka_unit_test(what_is_not_known), cmocka_unit_test(chains),
		cmocka_unit_test(bad_calls),
	};

	return harness_run(tests);
}
