/* SPDX-License-Identifier: MIT */
/* Description: REGISTER_SEND_MSG_RING: a message to a ring that comes from none. */
#include "ops_helpers.h"

static struct io_uring_sqe message(const struct io_uring *target)
{
	struct io_uring_sqe sqe;

	memset(&sqe, 0, sizeof(sqe));
	sqe.opcode = IORING_OP_MSG_RING;
	sqe.fd = target->ring_fd;
	sqe.len = 5;
	sqe.off = 77;
	return sqe;
}

static int send_message(struct io_uring_sqe *sqe)
{
	return io_uring_register((unsigned)-1, IORING_REGISTER_SEND_MSG_RING, sqe, 1);
}

static void a_message_arrives(void **state)
{
	struct ops *ops = *state;
	struct io_uring_sqe sqe = message(&ops->ring);
	struct harness_cqe cqe;

	assert_int_equal(send_message(&sqe), 0);
	cqe = harness_next(&ops->ring);
	harness_assert_cqe(cqe, 77, 5);
	assert_int_equal(cqe.flags, 0);
	sqe.msg_ring_flags = IORING_MSG_RING_FLAGS_PASS;
	sqe.file_index = 0x103;
	assert_int_equal(send_message(&sqe), 0);
	cqe = harness_next(&ops->ring);
	harness_assert_cqe(cqe, 77, 5);
	assert_int_equal(cqe.flags, 0x103);
}

static void one_that_defers_gets_it_when_it_asks(void **state)
{
	struct io_uring_sqe sqe;
	struct io_uring ring;

	(void)state;
	harness_init(&ring, 4, IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN);
	sqe = message(&ring);
	assert_int_equal(send_message(&sqe), 0);
	harness_assert_cqe(harness_next(&ring), 77, 5);
	io_uring_queue_exit(&ring);
}

static void bad_messages(void **state)
{
	struct ops *ops = *state;
	const struct io_uring_sqe good = message(&ops->ring);
	struct io_uring_sqe sqe;
	int fds[2];

#define refuse(error, ...)                                                                         \
	do {                                                                                       \
		sqe = good;                                                                        \
		__VA_ARGS__;                                                                       \
		assert_int_equal(send_message(&sqe), error);                                       \
	} while (0)
	refuse(-EINVAL, sqe.flags = IOSQE_IO_LINK);
	refuse(-EINVAL, sqe.flags = IOSQE_ASYNC);
	refuse(-EINVAL, sqe.opcode = IORING_OP_NOP);
	refuse(-EINVAL, sqe.buf_index = 1);
	refuse(-EINVAL, sqe.personality = 1);
	refuse(-EINVAL, sqe.addr3 = 1);
	refuse(-EINVAL, sqe.addr = IORING_MSG_SEND_FD);
	refuse(-EINVAL, sqe.addr = 2);
	refuse(-EINVAL, sqe.msg_ring_flags = IORING_MSG_RING_CQE_SKIP);
	refuse(-EINVAL, sqe.msg_ring_flags = 4);
	refuse(-EINVAL, sqe.file_index = 1);
	refuse(-EBADF, sqe.fd = -1);
	harness_pipe(fds);
	refuse(-EBADFD, sqe.fd = fds[0]);
	harness_close_pipe(fds);
	/* These are not looked at. */
	refuse(0, sqe.user_data = 9);
	refuse(0, sqe.ioprio = 1);
	for (unsigned i = 0; i < 2; i++)
		harness_assert_cqe(harness_next(&ops->ring), 77, 5);
	harness_assert_empty(&ops->ring);
}

static void a_disabled_ring_takes_none(void **state)
{
	struct io_uring_sqe sqe;
	struct io_uring ring;

	(void)state;
	harness_init(&ring, 4, IORING_SETUP_R_DISABLED);
	sqe = message(&ring);
	assert_int_equal(send_message(&sqe), -EBADFD);
	io_uring_queue_exit(&ring);
}

static void bad_calls(void **state)
{
	struct ops *ops = *state;
	struct io_uring_sqe sqe = message(&ops->ring);
	const unsigned call = IORING_REGISTER_SEND_MSG_RING;

	assert_int_equal(io_uring_register((unsigned)-1, call, &sqe, 0), -EINVAL);
	assert_int_equal(io_uring_register((unsigned)-1, call, &sqe, 2), -EINVAL);
	assert_int_equal(io_uring_register((unsigned)-1, call, NULL, 1), -EINVAL);
	assert_int_equal(io_uring_register((unsigned)-1, call, (void *)8, 1), -EFAULT);
	/* It is not a call of a ring. */
	assert_int_equal(io_uring_register((unsigned)ops->ring.ring_fd, call, &sqe, 1), -EINVAL);
	harness_assert_empty(&ops->ring);
}

static void a_full_queue_overflows(void **state)
{
	struct io_uring_sqe sqe;
	struct io_uring ring;

	(void)state;
	harness_init(&ring, 1, 0);
	sqe = message(&ring);
	for (unsigned i = 0; i < 4; i++) {
		sqe.off = i;
		assert_int_equal(send_message(&sqe), 0);
	}
	for (unsigned i = 0; i < 4; i++)
		harness_assert_cqe(harness_next(&ring), i, 5);
	io_uring_queue_exit(&ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ops_test(a_message_arrives), cmocka_unit_test(one_that_defers_gets_it_when_it_asks),
		ops_test(bad_messages),	     cmocka_unit_test(a_disabled_ring_takes_none),
		ops_test(bad_calls),	     cmocka_unit_test(a_full_queue_overflows),
	};

	return harness_run(tests);
}
