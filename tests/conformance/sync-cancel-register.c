/* SPDX-License-Identifier: MIT */
/*
 * Description: the register call SYNC_CANCEL: what it answers for each key, and what it refuses.
 */
#include "rsrc_helpers.h"

static struct io_uring ring;
static int fds[2];
static char data[8];

static int setup(void **state)
{
	(void)state;
	harness_init(&ring, 8, 0);
	harness_pipe(fds);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	io_uring_queue_exit(&ring);
	harness_close_pipe(fds);
	return 0;
}

/* A cancellation that waits as long as it takes. */
static struct io_uring_sync_cancel_reg by(uint64_t user_data, int fd, unsigned flags)
{
	return (struct io_uring_sync_cancel_reg){
		.addr = user_data,
		.fd = fd,
		.flags = flags,
		.timeout = {-1, -1},
	};
}

static int cancel(struct io_uring_sync_cancel_reg reg)
{
	return io_uring_register_sync_cancel(&ring, &reg);
}

/* The member for it is padding in old headers: the byte behind the timeout. */
static void set_opcode(struct io_uring_sync_cancel_reg *reg, uint8_t opcode)
{
	size_t offset = offsetof(struct io_uring_sync_cancel_reg, timeout) + sizeof(reg->timeout);

	memcpy((char *)reg + offset, &opcode, sizeof(opcode));
}

static void start_read(uint64_t user_data)
{
	rsrc_start_read(&ring, fds[0], 0, data, sizeof(data), user_data);
}

/* The next count completions are cancellations. */
static void assert_cancelled(unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		assert_int_equal(harness_next(&ring).res, -ECANCELED);
	harness_assert_empty(&ring);
}

static void nothing_to_cancel(void **state)
{
	(void)state;
	assert_int_equal(cancel(by(5, -1, 0)), -ENOENT);
	assert_int_equal(cancel(by(0, fds[0], IORING_ASYNC_CANCEL_FD)), -ENOENT);
	/* What counts answers with a count. */
	assert_int_equal(cancel(by(5, -1, IORING_ASYNC_CANCEL_ALL)), 0);
	assert_int_equal(cancel(by(0, -1, IORING_ASYNC_CANCEL_ANY)), 0);
}

static void one_by_user_data(void **state)
{
	struct harness_cqe cqe;

	(void)state;
	start_read(5);
	start_read(6);
	assert_int_equal(cancel(by(7, -1, 0)), -ENOENT);
	assert_int_equal(cancel(by(5, -1, 0)), 0);
	/* It has ended when the call returns. */
	assert_true(harness_peek(&ring, &cqe));
	harness_assert_cqe(cqe, 5, -ECANCELED);
	assert_int_equal(cancel(by(5, -1, 0)), -ENOENT);
	assert_int_equal(cancel(by(6, -1, 0)), 0);
	assert_cancelled(1);
}

static void all_by_user_data(void **state)
{
	(void)state;
	start_read(5);
	start_read(5);
	start_read(6);
	assert_int_equal(cancel(by(5, -1, IORING_ASYNC_CANCEL_ALL)), 2);
	assert_cancelled(2);
	assert_int_equal(cancel(by(6, -1, 0)), 0);
	assert_cancelled(1);
}

static void by_descriptor(void **state)
{
	int copy = dup(fds[0]);

	(void)state;
	start_read(5);
	assert_int_equal(cancel(by(0, fds[1], IORING_ASYNC_CANCEL_FD)), -ENOENT);
	assert_int_equal(cancel(by(0, 9999, IORING_ASYNC_CANCEL_FD)), -EBADF);
	assert_int_equal(cancel(by(0, -1, IORING_ASYNC_CANCEL_FD)), -EBADF);
	/* The file is meant, not the number. */
	assert_int_equal(cancel(by(0, copy, IORING_ASYNC_CANCEL_FD)), 0);
	assert_cancelled(1);
	start_read(5);
	start_read(6);
	assert_int_equal(cancel(by(0, fds[0], IORING_ASYNC_CANCEL_FD | IORING_ASYNC_CANCEL_ALL)),
			 2);
	assert_cancelled(2);
	close(copy);
}

static void by_slot(void **state)
{
	unsigned flags = IORING_ASYNC_CANCEL_FD | IORING_ASYNC_CANCEL_FD_FIXED;

	(void)state;
	assert_int_equal(cancel(by(0, 0, flags)), -EBADF);
	assert_int_equal(io_uring_register_files(&ring, fds, 1), 0);
	start_read(5);
	assert_int_equal(cancel(by(0, 1, flags)), -EBADF);
	assert_int_equal(cancel(by(0, 0, flags)), 0);
	assert_cancelled(1);
}

static void user_data_and_descriptor_both(void **state)
{
	unsigned flags = IORING_ASYNC_CANCEL_FD | IORING_ASYNC_CANCEL_USERDATA;

	(void)state;
	start_read(5);
	assert_int_equal(cancel(by(6, fds[0], flags)), -ENOENT);
	assert_int_equal(cancel(by(5, fds[1], flags)), -ENOENT);
	assert_int_equal(cancel(by(5, fds[0], flags)), 0);
	assert_cancelled(1);
}

static void by_opcode(void **state)
{
	struct io_uring_sync_cancel_reg reg = by(0, -1, IORING_ASYNC_CANCEL_OP);

	(void)state;
	start_read(5);
	set_opcode(&reg, IORING_OP_WRITE);
	assert_int_equal(cancel(reg), -ENOENT);
	set_opcode(&reg, IORING_OP_READ);
	assert_int_equal(cancel(reg), 0);
	assert_cancelled(1);
}

static void anything(void **state)
{
	(void)state;
	start_read(5);
	start_read(6);
	start_read(7);
	assert_int_equal(cancel(by(0, -1, IORING_ASYNC_CANCEL_ANY)), 3);
	assert_cancelled(3);
}

/* Not found is known at once, whatever time there would have been, sensible or not. */
static void timeouts_do_not_matter_when_nothing_is_found(void **state)
{
	const struct __kernel_timespec timeouts[] = {
		{-1, -1}, {0, 0}, {1, 0}, {0, -2}, {0, 2000000000}, {-2, 0},
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(timeouts); i++) {
		struct io_uring_sync_cancel_reg reg = by(5, -1, 0);

		reg.timeout = timeouts[i];
		assert_int_equal(cancel(reg), -ENOENT);
	}
}

static void unknown_flags(void **state)
{
	(void)state;
	for (unsigned bit = 6; bit < 32; bit++)
		assert_int_equal(cancel(by(5, -1, 1u << bit)), -EINVAL);
	start_read(5);
	assert_int_equal(cancel(by(5, -1, IORING_ASYNC_CANCEL_ALL | 1u << 6)), -EINVAL);
	assert_int_equal(cancel(by(5, -1, 0)), 0);
	assert_cancelled(1);
}

/* Everything behind the opcode must be zero. */
static void reserved_bytes(void **state)
{
	size_t opcode = offsetof(struct io_uring_sync_cancel_reg, timeout) +
			sizeof(struct __kernel_timespec);

	(void)state;
	assert_int_equal(sizeof(struct io_uring_sync_cancel_reg), 64);
	for (size_t i = opcode + 1; i < sizeof(struct io_uring_sync_cancel_reg); i++) {
		struct io_uring_sync_cancel_reg reg = by(5, -1, 0);

		memset((char *)&reg + i, 1, 1);
		assert_int_equal(cancel(reg), -EINVAL);
	}
}

static void arguments(void **state)
{
	struct io_uring_sync_cancel_reg reg = by(5, -1, 0);
	unsigned fd = (unsigned)ring.ring_fd;
	unsigned opcode = IORING_REGISTER_SYNC_CANCEL;

	(void)state;
	assert_int_equal(io_uring_register(fd, opcode, NULL, 1), -EINVAL);
	assert_int_equal(io_uring_register(fd, opcode, &reg, 0), -EINVAL);
	assert_int_equal(io_uring_register(fd, opcode, &reg, 2), -EINVAL);
	assert_int_equal(io_uring_register(fd, opcode, RSRC_BAD_POINTER, 1), -EFAULT);
}

static void other_rings_are_not_touched(void **state)
{
	struct io_uring other;
	struct io_uring_sync_cancel_reg reg = by(5, -1, 0);

	(void)state;
	harness_init(&other, 4, 0);
	start_read(5);
	assert_int_equal(io_uring_register_sync_cancel(&other, &reg), -ENOENT);
	reg.flags = IORING_ASYNC_CANCEL_ANY;
	assert_int_equal(io_uring_register_sync_cancel(&other, &reg), 0);
	harness_assert_empty(&ring);
	assert_int_equal(cancel(by(5, -1, 0)), 0);
	assert_cancelled(1);
	io_uring_queue_exit(&other);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nothing_to_cancel),
		TEST(one_by_user_data),
		TEST(all_by_user_data),
		TEST(by_descriptor),
		TEST(by_slot),
		TEST(user_data_and_descriptor_both),
		TEST(by_opcode),
		TEST(anything),
		TEST(timeouts_do_not_matter_when_nothing_is_found),
		TEST(unknown_flags),
		TEST(reserved_bytes),
		TEST(arguments),
		TEST(other_rings_are_not_touched),
	};

	return harness_run(tests);
}
