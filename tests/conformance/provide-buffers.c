/* SPDX-License-Identifier: MIT */
/*
 * Description: PROVIDE_BUFFERS and REMOVE_BUFFERS: order, limits, bad input, links, and what a
 * failed or waiting request does with its buffer.
 */
#include "buffers_helpers.h"

enum { IDS = 65536, MOST = 65535 };

static int provide_at(uint64_t address, unsigned length, int count, uint64_t id, unsigned group)
{
	struct io_uring_sqe *sqe = harness_sqe(&ring);

	sqe->opcode = IORING_OP_PROVIDE_BUFFERS;
	sqe->fd = count;
	sqe->addr = address;
	sqe->len = length;
	sqe->off = id;
	sqe->buf_group = (uint16_t)group;
	return harness_result(&ring);
}

static void first_in_first_out(void **state)
{
	(void)state;
	assert_int_equal(buffers_provide(BUFFERS_PAGE, 2, 3), 0);
	assert_int_equal(buffers_provide(BUFFERS_PAGE, 1, 1), 0);
	for (unsigned i = 0; i < 3; i++) {
		static const unsigned ids[] = {3, 4, 1};

		buffers_read(file, 100, i);
		buffers_assert(harness_complete(&ring), 100, ids[i], 0);
		assert_int_equal((unsigned char)buffers_at(ids[i])[0], harness_byte(i));
	}
	buffers_read(file, 100, 0);
	buffers_assert_none(harness_complete(&ring), -ENOBUFS);
}

/* Given back as they are used, many times over. */
static void given_back(void **state)
{
	unsigned next = 0;

	(void)state;
	assert_int_equal(buffers_provide(BUFFERS_PAGE, 5, 0), 0);
	for (unsigned i = 0; i < 1000; i++) {
		buffers_read(file, 10, i);
		buffers_assert(harness_complete(&ring), 10, next, 0);
		assert_int_equal(buffers_provide(BUFFERS_PAGE, 1, next), 0);
		next = (next + 1) % 5;
	}
}

static void length_of_request_and_of_buffer(void **state)
{
	(void)state;
	assert_int_equal(buffers_provide(100, 3, 0), 0);
	buffers_read(file, 0, 0);
	buffers_assert(harness_complete(&ring), 100, 0, 0);
	buffers_read(file, 200, 0);
	buffers_assert(harness_complete(&ring), 100, 1, 0);
	buffers_read(file, 7, 0);
	buffers_assert(harness_complete(&ring), 7, 2, 0);
}

/* They lie one behind the other, as long as was said. */
static void addresses(void **state)
{
	(void)state;
	assert_int_equal(buffers_provide(100, 3, 0), 0);
	for (unsigned i = 0; i < 3; i++) {
		memset(memory, 0, 300);
		buffers_read(file, 100, 50);
		buffers_assert(harness_complete(&ring), 100, i, 0);
		for (unsigned j = 0; j < 300; j++)
			assert_int_equal((unsigned char)memory[j],
					 j / 100 == i ? harness_byte(50 + j % 100) : 0);
	}
}

/* Unlike with a ring, a read that waits has its buffer already. */
static void waiting_with_a_buffer(void **state)
{
	(void)state;
	assert_int_equal(buffers_provide(100, 1, 3), 0);
	buffers_read(pipe_fds[0], 50, 0);
	harness_submit(&ring, 1);
	harness_assert_empty(&ring);
	buffers_read(file, 10, 0);
	buffers_assert_none(harness_complete(&ring), -ENOBUFS);
	assert_int_equal(buffers_provide(100, 1, 6), 0);
	buffers_write("hello");
	buffers_assert(harness_next(&ring), 5, 3, 0);
	assert_memory_equal(buffers_at(3), "hello", 5);
	buffers_read(file, 10, 0);
	buffers_assert(harness_complete(&ring), 10, 6, 0);
}

/* One that is cancelled says which buffer it had. */
static void cancelled_with_a_buffer(void **state)
{
	struct harness_cqe cqes[2];
	struct io_uring_sqe *sqe;

	(void)state;
	assert_int_equal(buffers_provide(100, 1, 3), 0);
	buffers_read(pipe_fds[0], 0, 0)->user_data = 1;
	harness_submit(&ring, 1);
	sqe = harness_sqe(&ring);
	io_uring_prep_cancel64(sqe, 1, 0);
	sqe->user_data = 2;
	harness_submit(&ring, 1);
	harness_reap(&ring, cqes, 2);
	for (unsigned i = 0; i < 2; i++) {
		if (cqes[i].user_data == 1)
			buffers_assert(cqes[i], -ECANCELED, 3, 0);
		else
			buffers_assert_none(cqes[i], 0);
	}
	assert_int_equal(buffers_remove(1, BUFFERS_GROUP), 0);
}

static void by_a_worker(void **state)
{
	(void)state;
	assert_int_equal(buffers_provide(BUFFERS_PAGE, 2, 0), 0);
	buffers_read(file, 50, 500)->flags |= IOSQE_ASYNC;
	buffers_assert(harness_complete(&ring), 50, 0, 0);
	buffers_read(pipe_fds[0], 0, 0)->flags |= IOSQE_ASYNC;
	harness_submit(&ring, 1);
	buffers_write("defg");
	buffers_assert(harness_next(&ring), 4, 1, 0);
	assert_memory_equal(buffers_at(1), "defg", 4);
}

/* Unlike one in a ring, a single buffer is gone with a request that fails with it. */
static void failure_costs_the_buffer(void **state)
{
	(void)state;
	assert_int_equal(provide_at(8, 100, 2, 4, BUFFERS_GROUP), 0);
	buffers_read(file, 10, 0);
	buffers_assert(harness_complete(&ring), -EFAULT, 4, 0);
	buffers_write("abc");
	buffers_read(pipe_fds[0], 10, 0);
	buffers_assert(harness_complete(&ring), -EFAULT, 5, 0);
	assert_int_equal(buffers_left_in_pipe(), 3);
	assert_int_equal(buffers_provide(100, 3, 0), 0);
	buffers_read(pipe_fds[1], 10, 0);
	buffers_assert(harness_complete(&ring), -EBADF, 0, 0);
	buffers_read(pipe_fds[0], 10, 0)->rw_flags = RWF_NOWAIT;
	buffers_assert(harness_complete(&ring), -EAGAIN, 1, 0);
	/* Where there is no file at all none is taken. */
	buffers_read(-1, 10, 0);
	buffers_assert_none(harness_complete(&ring), -EBADF);
	buffers_read(file, 10, 0);
	buffers_assert(harness_complete(&ring), 10, 2, 0);
}

static void end_of_a_pipe(void **state)
{
	(void)state;
	assert_int_equal(buffers_provide(100, 1, 2), 0);
	close(pipe_fds[1]);
	pipe_fds[1] = -1;
	buffers_read(pipe_fds[0], 10, 0);
	buffers_assert(harness_complete(&ring), 0, 2, 0);
	buffers_read(pipe_fds[0], 10, 0);
	buffers_assert_none(harness_complete(&ring), -ENOBUFS);
}

static void removed(void **state)
{
	(void)state;
	assert_int_equal(buffers_remove(1, BUFFERS_GROUP), -ENOENT);
	assert_int_equal(buffers_provide(100, 5, 0), 0);
	assert_int_equal(buffers_remove(2, BUFFERS_GROUP), 2);
	buffers_read(file, 10, 0);
	buffers_assert(harness_complete(&ring), 10, 2, 0);
	assert_int_equal(buffers_remove(10, BUFFERS_GROUP), 2);
	assert_int_equal(buffers_remove(IDS, BUFFERS_GROUP), 0);
	buffers_read(file, 10, 0);
	buffers_assert_none(harness_complete(&ring), -ENOBUFS);
	assert_int_equal(buffers_remove(1, BUFFERS_GROUP + 1), -ENOENT);
}

static void bad_removals(void **state)
{
	struct io_uring_sqe *sqe;

	(void)state;
	assert_int_equal(buffers_provide(100, 1, 0), 0);
	assert_int_equal(buffers_remove(0, BUFFERS_GROUP), -EINVAL);
	assert_int_equal(buffers_remove(IDS + 1, BUFFERS_GROUP), -EINVAL);
	assert_int_equal(buffers_remove((unsigned)-1, BUFFERS_GROUP), -EINVAL);
	for (unsigned i = 0; i < 6; i++) {
		sqe = harness_sqe(&ring);
		io_uring_prep_remove_buffers(sqe, 1, BUFFERS_GROUP);
		sqe->rw_flags = i == 0;
		sqe->addr = i == 1;
		sqe->len = i == 2;
		sqe->off = i == 3;
		sqe->splice_fd_in = i == 4;
		sqe->ioprio = i == 5;
		assert_int_equal(harness_result(&ring), -EINVAL);
	}
	sqe = harness_sqe(&ring);
	io_uring_prep_remove_buffers(sqe, 1, BUFFERS_GROUP);
	sqe->flags = IOSQE_BUFFER_SELECT;
	assert_int_equal(harness_result(&ring), -EOPNOTSUPP);
	assert_int_equal(buffers_remove(1, BUFFERS_GROUP), 1);
}

static void bad_provisions(void **state)
{
	const uint64_t address = (uintptr_t)memory;
	struct io_uring_sqe *sqe;

	(void)state;
	assert_int_equal(provide_at(address, 1, 0, 0, 1), -E2BIG);
	assert_int_equal(provide_at(address, 1, -1, 0, 1), -E2BIG);
	assert_int_equal(provide_at(address, 1, IDS + 1, 0, 1), -E2BIG);
	assert_int_equal(provide_at(address, 0, 1, 0, 1), -EINVAL);
	assert_int_equal(provide_at(address, 1, 1, IDS, 1), -E2BIG);
	assert_int_equal(provide_at(address, 1, 2, MOST, 1), -EINVAL);
	assert_int_equal(provide_at(UINT64_MAX - 10, 10, 2, 0, 1), -EOVERFLOW);
	assert_int_equal(provide_at(0xffff800000000000, 10, 2, 0, 1), -EFAULT);
	for (unsigned i = 0; i < 3; i++) {
		sqe = harness_sqe(&ring);
		io_uring_prep_provide_buffers(sqe, memory, 1, 1, BUFFERS_GROUP, 0);
		sqe->rw_flags = i == 0;
		sqe->splice_fd_in = i == 1;
		sqe->ioprio = i == 2;
		assert_int_equal(harness_result(&ring), -EINVAL);
	}
	sqe = harness_sqe(&ring);
	io_uring_prep_provide_buffers(sqe, memory, 1, 1, BUFFERS_GROUP, 0);
	sqe->flags = IOSQE_BUFFER_SELECT;
	assert_int_equal(harness_result(&ring), -EOPNOTSUPP);
	/* Nothing of all this has made a group. */
	assert_int_equal(buffers_remove(1, 1), -ENOENT);
	assert_int_equal(provide_at(0, 1, 1, 0, 1), 0);
	assert_int_equal(provide_at(address, 1, 1, MOST, 1), 0);
	assert_int_equal(buffers_remove(10, 1), 2);
}

/* No group takes more than there are numbers, less one. */
static void as_many_as_there_are(void **state)
{
	const uint64_t address = (uintptr_t)memory;

	(void)state;
	assert_int_equal(provide_at(address, 1, MOST, 0, 1), 0);
	assert_int_equal(provide_at(address, 1, 1, 0, 1), -EOVERFLOW);
	assert_int_equal(provide_at(address, 1, 1, 0, 2), 0);
	buffers_read(file, 10, 0);
	buffers_assert(harness_complete(&ring), 1, 0, 0);
	assert_int_equal(provide_at(address, 1, 1, 77, 1), 0);
	assert_int_equal(buffers_remove(MOST - 1, 1), MOST - 1);
	buffers_read(file, 10, 0);
	buffers_assert(harness_complete(&ring), 1, 77, 0);
	/* What does not fit is left out without a word. */
	assert_int_equal(provide_at(address, 1, 40000, 0, 1), 0);
	assert_int_equal(provide_at(address, 1, 40000, 0, 1), 0);
	assert_int_equal(buffers_remove(IDS, 1), MOST);
}

static void in_a_chain(void **state)
{
	struct harness_cqe cqes[4];
	struct io_uring_sqe *sqe;

	(void)state;
	/* Provide, use, take the rest away, and fail for want of a buffer. */
	sqe = harness_sqe(&ring);
	io_uring_prep_provide_buffers(sqe, memory, 100, 3, BUFFERS_GROUP, 0);
	sqe->flags |= IOSQE_IO_LINK;
	sqe->user_data = 1;
	sqe = buffers_read(file, 100, 0);
	sqe->flags |= IOSQE_IO_LINK;
	sqe->user_data = 2;
	sqe = harness_sqe(&ring);
	io_uring_prep_remove_buffers(sqe, 100, BUFFERS_GROUP);
	sqe->flags |= IOSQE_IO_LINK;
	sqe->user_data = 3;
	buffers_read(file, 100, 0)->user_data = 4;
	harness_submit(&ring, 4);
	harness_reap(&ring, cqes, 4);
	harness_assert_cqe(cqes[0], 1, 0);
	harness_assert_cqe(cqes[1], 2, 100);
	harness_assert_cqe(cqes[2], 3, 2);
	harness_assert_cqe(cqes[3], 4, -ENOBUFS);

	sqe = harness_sqe(&ring);
	io_uring_prep_remove_buffers(sqe, 1, 99);
	sqe->flags |= IOSQE_IO_LINK;
	harness_nop(&ring, 5);
	harness_submit(&ring, 2);
	harness_reap(&ring, cqes, 2);
	assert_int_equal(cqes[0].res, -ENOENT);
	harness_assert_cqe(cqes[1], 5, -ECANCELED);
}

/* On a worker they find the same group. */
static void asynchronously(void **state)
{
	struct io_uring_sqe *sqe = harness_sqe(&ring);

	(void)state;
	io_uring_prep_provide_buffers(sqe, memory, 100, 3, BUFFERS_GROUP, 0);
	sqe->flags |= IOSQE_ASYNC;
	assert_int_equal(harness_result(&ring), 0);
	sqe = harness_sqe(&ring);
	io_uring_prep_remove_buffers(sqe, 2, BUFFERS_GROUP);
	sqe->flags |= IOSQE_ASYNC;
	assert_int_equal(harness_result(&ring), 2);
}

/* The group of a waiting request becomes a ring. */
static void turned_into_a_ring(void **state)
{
	(void)state;
	assert_int_equal(buffers_provide(100, 1, 0), 0);
	buffers_read(pipe_fds[0], 0, 0);
	harness_submit(&ring, 1);
	assert_int_equal(buffers_remove(1, BUFFERS_GROUP), 0);
	buffers_fresh_ring(0);
	buffers_add(100, 5);
	buffers_write("abc");
	buffers_assert(harness_next(&ring), 3, 0, 0);
	assert_int_equal(buffers_head(BUFFERS_GROUP), 0);
	buffers_read(file, 10, 0);
	buffers_assert(harness_complete(&ring), 10, 5, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BUFFERS_TEST(first_in_first_out),
		BUFFERS_TEST(given_back),
		BUFFERS_TEST(length_of_request_and_of_buffer),
		BUFFERS_TEST(addresses),
		BUFFERS_TEST(waiting_with_a_buffer),
		BUFFERS_TEST(cancelled_with_a_buffer),
		BUFFERS_TEST(by_a_worker),
		BUFFERS_TEST(failure_costs_the_buffer),
		BUFFERS_TEST(end_of_a_pipe),
		BUFFERS_TEST(removed),
		BUFFERS_TEST(bad_removals),
		BUFFERS_TEST(bad_provisions),
		BUFFERS_TEST(as_many_as_there_are),
		BUFFERS_TEST(in_a_chain),
		BUFFERS_TEST(asynchronously),
		BUFFERS_TEST(turned_into_a_ring),
	};

	return harness_run(tests);
}
