/* SPDX-License-Identifier: MIT */
/*
 * Description: READ_MULTISHOT: a completion with a buffer for each read, as long as there are
 * buffers, room in the CQ and data to come; everything that ends it; what it refuses.
 */
#include "buffers_helpers.h"

#include <sys/socket.h>

#define MORE IORING_CQE_F_MORE

static struct io_uring_sqe *multishot(int fd)
{
	struct io_uring_sqe *sqe = harness_sqe(&ring);

	io_uring_prep_read_multishot(sqe, fd, 0, (uint64_t)-1, BUFFERS_GROUP);
	sqe->user_data = 1;
	return sqe;
}

static void start(int fd)
{
	multishot(fd);
	harness_submit(&ring, 1);
	harness_assert_empty(&ring);
}

static void add_buffers(unsigned length, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		buffers_add(length, i);
}

static void expect(int res, unsigned id, unsigned flags)
{
	struct harness_cqe cqe = harness_next(&ring);

	assert_int_equal(cqe.user_data, 1);
	buffers_assert(cqe, res, id, flags);
}

static void expect_end(int res)
{
	struct harness_cqe cqe = harness_next(&ring);

	assert_int_equal(cqe.user_data, 1);
	buffers_assert_none(cqe, res);
	harness_assert_empty(&ring);
}

static void as_data_comes(void **state)
{
	(void)state;
	buffers_fresh_ring(0);
	add_buffers(100, BUFFERS_ENTRIES);
	start(pipe_fds[0]);
	assert_int_equal(buffers_head(BUFFERS_GROUP), 0);
	for (unsigned i = 0; i < 5; i++) {
		buffers_write("hello");
		expect(5, i, MORE);
		assert_memory_equal(buffers_at(i), "hello", 5);
	}
	assert_int_equal(buffers_head(BUFFERS_GROUP), 5);
	close(pipe_fds[1]);
	pipe_fds[1] = -1;
	expect_end(0);
	assert_int_equal(buffers_head(BUFFERS_GROUP), 5);
}

/* What is there already comes at once, as much in each as the buffer holds. */
static void data_that_waits(void **state)
{
	(void)state;
	buffers_fresh_ring(0);
	buffers_add(4, 3);
	buffers_add(100, 1);
	buffers_add(100, 2);
	buffers_write("abcdefgh");
	multishot(pipe_fds[0]);
	harness_submit(&ring, 1);
	expect(4, 3, MORE);
	expect(4, 1, MORE);
	assert_memory_equal(buffers_at(3), "abcd", 4);
	assert_memory_equal(buffers_at(1), "efgh", 4);
	harness_assert_empty(&ring);
	buffers_write("i");
	expect(1, 2, MORE);
}

static void out_of_buffers(void **state)
{
	(void)state;
	buffers_fresh_ring(0);
	add_buffers(1, 2);
	start(pipe_fds[0]);
	buffers_write("a");
	expect(1, 0, MORE);
	buffers_write("b");
	expect(1, 1, MORE);
	harness_assert_empty(&ring);
	buffers_write("c");
	expect_end(-ENOBUFS);
	assert_int_equal(buffers_left_in_pipe(), 1);
	/* From the start. */
	multishot(pipe_fds[0]);
	harness_submit(&ring, 1);
	expect_end(-ENOBUFS);
}

/* Buffers that come in time keep it going. */
static void replenished(void **state)
{
	(void)state;
	buffers_fresh_ring(0);
	add_buffers(100, 1);
	start(pipe_fds[0]);
	for (unsigned i = 0; i < 200; i++) {
		buffers_write("xyz");
		expect(3, i % BUFFERS_ENTRIES, MORE);
		buffers_add(100, (i + 1) % BUFFERS_ENTRIES);
	}
}

static void single_buffers(void **state)
{
	(void)state;
	assert_int_equal(buffers_provide(4, 2, 3), 0);
	start(pipe_fds[0]);
	buffers_write("abcdef");
	expect(4, 3, MORE);
	expect(2, 4, MORE);
	buffers_write("g");
	expect_end(-ENOBUFS);
	assert_int_equal(buffers_left_in_pipe(), 1);
}

static void incrementally(void **state)
{
	(void)state;
	buffers_fresh_ring(IOU_PBUF_RING_INC);
	add_buffers(10, 2);
	start(pipe_fds[0]);
	buffers_write("abcd");
	expect(4, 0, MORE | IORING_CQE_F_BUF_MORE);
	buffers_write("efghijkl");
	expect(6, 0, MORE);
	expect(2, 1, MORE | IORING_CQE_F_BUF_MORE);
	assert_memory_equal(buffers_at(0), "abcdefghij", 10);
	assert_memory_equal(buffers_at(1), "kl", 2);
}

/* A CQE that finds no room is the last. */
static void completion_queue_full(void **state)
{
	const unsigned room = ring.cq.ring_entries;

	(void)state;
	buffers_fresh_ring(0);
	add_buffers(1, 4);
	for (unsigned i = 0; i + 2 < room; i += 2) {
		harness_nop(&ring, 100);
		harness_nop(&ring, 100);
		harness_submit(&ring, 2);
	}
	buffers_write("abcd");
	multishot(pipe_fds[0]);
	harness_submit(&ring, 1);
	for (unsigned i = 0; i + 2 < room; i++)
		harness_assert_cqe(harness_next(&ring), 100, 0);
	expect(1, 0, MORE);
	expect(1, 1, MORE);
	expect(1, 2, 0);
	harness_assert_empty(&ring);
	assert_int_equal(buffers_left_in_pipe(), 1);
	assert_int_equal(buffers_head(BUFFERS_GROUP), 3);
}

/* In user space the request may just be on its way back to waiting, which counts as running. */
static bool cancel_answer(int res)
{
	return res == 0 || (res == -EALREADY && !harness_kernel());
}

static void cancelled(void **state)
{
	struct harness_cqe cqes[2];
	struct io_uring_sqe *sqe;

	(void)state;
	buffers_fresh_ring(0);
	add_buffers(100, 2);
	start(pipe_fds[0]);
	buffers_write("a");
	expect(1, 0, MORE);
	sqe = harness_sqe(&ring);
	io_uring_prep_cancel64(sqe, 1, 0);
	sqe->user_data = 2;
	harness_submit(&ring, 1);
	harness_reap(&ring, cqes, 2);
	for (unsigned i = 0; i < 2; i++) {
		if (cqes[i].user_data == 1)
			buffers_assert_none(cqes[i], -ECANCELED);
		else
			assert_true(cancel_answer(cqes[i].res));
	}
	buffers_write("b");
	assert_int_equal(buffers_left_in_pipe(), 1);
	assert_int_equal(buffers_head(BUFFERS_GROUP), 1);
}

static void group_gone(void **state)
{
	(void)state;
	buffers_fresh_ring(0);
	add_buffers(100, 2);
	start(pipe_fds[0]);
	buffers_write("a");
	expect(1, 0, MORE);
	assert_int_equal(buffers_unregister(BUFFERS_GROUP), 0);
	buffers_write("b");
	expect_end(-ENOBUFS);
}

static void started_by_a_worker(void **state)
{
	(void)state;
	buffers_fresh_ring(0);
	add_buffers(2, 4);
	buffers_write("abc");
	multishot(pipe_fds[0])->flags |= IOSQE_ASYNC;
	harness_submit(&ring, 1);
	expect(2, 0, MORE);
	expect(1, 1, MORE);
	buffers_write("d");
	expect(1, 2, MORE);
}

static void registered_file(void **state)
{
	(void)state;
	assert_int_equal(io_uring_register_files(&ring, pipe_fds, 1), 0);
	buffers_fresh_ring(0);
	add_buffers(100, 2);
	multishot(0)->flags |= IOSQE_FIXED_FILE;
	harness_submit(&ring, 1);
	assert_int_equal(io_uring_unregister_files(&ring), 0);
	buffers_write("abc");
	expect(3, 0, MORE);
}

static void other_kinds_of_streams(void **state)
{
	int sockets[2], event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	uint64_t value = 3;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, sockets), 0);
	buffers_fresh_ring(0);
	add_buffers(100, 5);
	start(event);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(write(event, &value, sizeof(value)), sizeof(value));
		expect(8, i, MORE);
		assert_memory_equal(buffers_at(i), &value, sizeof(value));
	}
	start(sockets[0]);
	assert_int_equal(send(sockets[1], "abc", 3, 0), 3);
	expect(3, 2, MORE);
	/* An empty message reads as the end. */
	assert_int_equal(send(sockets[1], "", 0, 0), 0);
	expect_end(0);
	close(sockets[0]);
	close(sockets[1]);
	close(event);
}

/* The application's descriptor may go, the file is read on. */
static void descriptor_closed(void **state)
{
	(void)state;
	buffers_fresh_ring(0);
	add_buffers(100, 2);
	start(pipe_fds[0]);
	close(pipe_fds[0]);
	pipe_fds[0] = -1;
	buffers_write("abc");
	expect(3, 0, MORE);
	close(pipe_fds[1]);
	pipe_fds[1] = -1;
	expect_end(0);
}

static void refused(void **state)
{
	int null = open("/dev/zero", O_RDONLY | O_CLOEXEC);

	(void)state;
	buffers_fresh_ring(0);
	add_buffers(100, 2);
	/* A file that cannot be waited for. */
	multishot(file);
	buffers_assert_none(harness_complete(&ring), -EBADFD);
	multishot(file)->flags |= IOSQE_ASYNC;
	buffers_assert_none(harness_complete(&ring), -EBADFD);
	multishot(null);
	buffers_assert_none(harness_complete(&ring), -EBADFD);
	multishot(-1);
	buffers_assert_none(harness_complete(&ring), -EBADF);
	multishot(pipe_fds[1]);
	buffers_assert_none(harness_complete(&ring), -EBADF);
	multishot(pipe_fds[0])->flags = 0;
	buffers_assert_none(harness_complete(&ring), -EINVAL);
	multishot(pipe_fds[0])->len = 10;
	buffers_assert_none(harness_complete(&ring), -EINVAL);
	multishot(pipe_fds[0])->addr = (uintptr_t)memory;
	buffers_assert_none(harness_complete(&ring), -EINVAL);
	multishot(pipe_fds[0])->ioprio = 1;
	buffers_assert_none(harness_complete(&ring), -EINVAL);
	multishot(pipe_fds[0])->rw_flags = 1 << 20;
	buffers_assert_none(harness_complete(&ring), -EOPNOTSUPP);
	multishot(pipe_fds[0])->rw_flags = RWF_NOWAIT;
	buffers_assert_none(harness_complete(&ring), -EAGAIN);
	assert_int_equal(buffers_head(BUFFERS_GROUP), 0);
	close(null);
}

/* Address that is not there: an error like any other. */
static void bad_memory(void **state)
{
	(void)state;
	buffers_fresh_ring(0);
	buffers_add(100, 0);
	buffers_add_at((void *)8, 100, 1);
	start(pipe_fds[0]);
	buffers_write("a");
	expect(1, 0, MORE);
	buffers_write("b");
	expect_end(-EFAULT);
	assert_int_equal(buffers_left_in_pipe(), 1);
	assert_int_equal(buffers_head(BUFFERS_GROUP), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BUFFERS_TEST(as_data_comes),
		BUFFERS_TEST(data_that_waits),
		BUFFERS_TEST(out_of_buffers),
		BUFFERS_TEST(replenished),
		BUFFERS_TEST(single_buffers),
		BUFFERS_TEST(incrementally),
		BUFFERS_TEST(completion_queue_full),
		BUFFERS_TEST(cancelled),
		BUFFERS_TEST(group_gone),
		BUFFERS_TEST(started_by_a_worker),
		BUFFERS_TEST(registered_file),
		BUFFERS_TEST(other_kinds_of_streams),
		BUFFERS_TEST(descriptor_closed),
		BUFFERS_TEST(refused),
		BUFFERS_TEST(bad_memory),
	};

	return harness_run(tests);
}
