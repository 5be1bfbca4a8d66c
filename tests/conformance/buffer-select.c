/* SPDX-License-Identifier: MIT */
/*
 * Description: which operations take a provided buffer (BUFFER_SELECT) and in what form: READV with
 * its one vector, short transfers in chains, registered files, other kinds of rings, and the
 * operations that refuse.
 */
#include "buffers_helpers.h"

#include <sys/socket.h>

static struct io_uring_sqe *select_readv(const struct iovec *vector, unsigned count)
{
	struct io_uring_sqe *sqe = harness_sqe(&ring);

	io_uring_prep_readv(sqe, file, vector, count, 0);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = BUFFERS_GROUP;
	return sqe;
}

static void vectors(void **state)
{
	/* Only the length of the vector counts. */
	struct iovec vector[2] = {{(void *)8, 100}, {(void *)8, 100}};

	(void)state;
	buffers_fresh_ring(0);
	for (unsigned i = 0; i < 4; i++)
		buffers_add(1000, i);
	select_readv(vector, 1);
	buffers_assert(harness_complete(&ring), 100, 0, 0);
	vector[0].iov_len = 0;
	select_readv(vector, 1);
	buffers_assert(harness_complete(&ring), 1000, 1, 0);
	vector[0].iov_len = 5000;
	select_readv(vector, 1);
	buffers_assert(harness_complete(&ring), 1000, 2, 0);
	select_readv(vector, 1)->flags |= IOSQE_ASYNC;
	buffers_assert(harness_complete(&ring), 1000, 3, 0);
	assert_int_equal((unsigned char)buffers_at(3)[999], harness_byte(999));
}

static void vectors_that_are_refused(void **state)
{
	const struct iovec vector[2] = {{NULL, 10}, {NULL, 10}};

	(void)state;
	buffers_fresh_ring(0);
	buffers_add(1000, 0);
	select_readv(vector, 0);
	buffers_assert_none(harness_complete(&ring), -EINVAL);
	select_readv(vector, 2);
	buffers_assert_none(harness_complete(&ring), -EINVAL);
	select_readv((const void *)8, 1);
	buffers_assert_none(harness_complete(&ring), -EFAULT);
	select_readv(NULL, 1);
	buffers_assert_none(harness_complete(&ring), -EFAULT);
	assert_int_equal(buffers_head(BUFFERS_GROUP), 0);
}

/* The vector may change once the request is submitted. */
static void vector_is_read_once(void **state)
{
	struct iovec vector = {NULL, 3};
	struct io_uring_sqe *sqe;

	(void)state;
	buffers_fresh_ring(0);
	buffers_add(1000, 0);
	sqe = select_readv(&vector, 1);
	sqe->fd = pipe_fds[0];
	harness_submit(&ring, 1);
	vector.iov_len = 10;
	buffers_write("abcdef");
	buffers_assert(harness_next(&ring), 3, 0, 0);
	assert_int_equal(buffers_left_in_pipe(), 3);
}

/* A buffer smaller than what was asked for does not make the transfer a short one. */
static void short_transfers_in_chains(void **state)
{
	static const struct {
		unsigned length;
		uint64_t offset;
		int res, next;
	} cases[] = {
		{1000, 0, 100, 0},
		{1000, BUFFERS_FILE - 10, 10, -ECANCELED},
		{10, BUFFERS_FILE - 10, 10, 0},
		{10, BUFFERS_FILE, 0, -ECANCELED},
	};
	struct harness_cqe cqes[2];

	(void)state;
	buffers_fresh_ring(0);
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		buffers_add(100, i);
		buffers_read(file, cases[i].length, cases[i].offset)->flags |= IOSQE_IO_LINK;
		harness_nop(&ring, 1);
		harness_submit(&ring, 2);
		harness_reap(&ring, cqes, 2);
		buffers_assert(cqes[0], cases[i].res, i, 0);
		harness_assert_cqe(cqes[1], 1, cases[i].next);
	}
	buffers_read(file, 10, 0)->flags |= IOSQE_IO_LINK;
	harness_nop(&ring, 1);
	harness_submit(&ring, 2);
	harness_reap(&ring, cqes, 2);
	buffers_assert_none(cqes[0], -ENOBUFS);
	harness_assert_cqe(cqes[1], 1, -ECANCELED);
}

/* The group is looked at when the request starts. */
static void behind_others_in_a_chain(void **state)
{
	struct harness_cqe cqes[3];

	(void)state;
	buffers_fresh_ring(0);
	buffers_add(100, 0);
	buffers_read(pipe_fds[0], 3, 0)->flags |= IOSQE_IO_LINK;
	buffers_read(file, 10, 0)->flags |= IOSQE_IO_LINK;
	buffers_read(file, 20, 0);
	harness_submit(&ring, 3);
	buffers_add(100, 1);
	buffers_add(100, 2);
	buffers_write("abc");
	harness_reap(&ring, cqes, 3);
	buffers_assert(cqes[0], 3, 0, 0);
	buffers_assert(cqes[1], 10, 1, 0);
	buffers_assert(cqes[2], 20, 2, 0);
}

static void own_position(void **state)
{
	(void)state;
	buffers_fresh_ring(0);
	buffers_add(100, 0);
	buffers_add(100, 1);
	assert_int_equal(lseek(file, 0, SEEK_SET), 0);
	for (unsigned i = 0; i < 2; i++) {
		buffers_read(file, 0, (uint64_t)-1);
		buffers_assert(harness_complete(&ring), 100, i, 0);
		assert_int_equal((unsigned char)buffers_at(i)[0], harness_byte(i * 100));
	}
	assert_int_equal(lseek(file, 0, SEEK_CUR), 200);
}

static void registered_files(void **state)
{
	const int fds[2] = {file, pipe_fds[0]};

	(void)state;
	assert_int_equal(io_uring_register_files(&ring, fds, 2), 0);
	buffers_fresh_ring(0);
	buffers_add(100, 0);
	buffers_add(100, 1);
	buffers_read(0, 10, 0)->flags |= IOSQE_FIXED_FILE;
	buffers_assert(harness_complete(&ring), 10, 0, 0);
	buffers_read(1, 10, 0)->flags |= IOSQE_FIXED_FILE;
	harness_submit(&ring, 1);
	harness_assert_empty(&ring);
	assert_int_equal(buffers_head(BUFFERS_GROUP), 1);
	buffers_write("ab");
	buffers_assert(harness_next(&ring), 2, 1, 0);
	buffers_add(100, 2);
	buffers_read(2, 10, 0)->flags |= IOSQE_FIXED_FILE;
	buffers_assert_none(harness_complete(&ring), -EBADF);
	assert_int_equal(buffers_head(BUFFERS_GROUP), 2);
}

static void other_kinds_of_streams(void **state)
{
	int sockets[2], event = eventfd(7, EFD_CLOEXEC);
	uint64_t value;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, sockets), 0);
	buffers_fresh_ring(0);
	for (unsigned i = 0; i < 4; i++)
		buffers_add(100, i);
	buffers_read(event, 0, 0);
	buffers_assert(harness_complete(&ring), 8, 0, 0);
	memcpy(&value, buffers_at(0), sizeof(value));
	assert_int_equal(value, 7);
	buffers_read(sockets[0], 0, 0);
	harness_submit(&ring, 1);
	assert_int_equal(buffers_head(BUFFERS_GROUP), 1);
	assert_int_equal(write(sockets[1], "xyz", 3), 3);
	buffers_assert(harness_next(&ring), 3, 1, 0);
	/* An empty message is no end. */
	assert_int_equal(send(sockets[1], "", 0, 0), 0);
	buffers_read(sockets[0], 0, 0);
	buffers_assert(harness_complete(&ring), 0, 2, 0);
	/* O_NONBLOCK does not keep a request from waiting. */
	assert_int_equal(fcntl(event, F_SETFL, O_NONBLOCK), 0);
	buffers_read(event, 0, 0);
	harness_submit(&ring, 1);
	harness_assert_empty(&ring);
	value = 9;
	assert_int_equal(write(event, &value, sizeof(value)), sizeof(value));
	buffers_assert(harness_next(&ring), 8, 3, 0);
	close(event);
	close(sockets[0]);
	close(sockets[1]);
}

static void descriptor_that_changes_its_kind(void **state)
{
	int number = dup(file);

	(void)state;
	buffers_fresh_ring(0);
	for (unsigned i = 0; i < 3; i++)
		buffers_add(100, i);
	buffers_read(number, 10, 0);
	buffers_assert(harness_complete(&ring), 10, 0, 0);
	assert_int_equal(dup2(pipe_fds[0], number), number);
	buffers_read(number, 10, 0);
	harness_submit(&ring, 1);
	assert_int_equal(buffers_head(BUFFERS_GROUP), 1);
	buffers_write("ab");
	buffers_assert(harness_next(&ring), 2, 1, 0);
	assert_int_equal(dup2(file, number), number);
	buffers_read(number, 0, 0);
	buffers_assert(harness_complete(&ring), 100, 2, 0);
	close(number);
}

static void refused(void **state)
{
	static const int opcodes[] = {
		IORING_OP_NOP,	 IORING_OP_WRITE, IORING_OP_WRITEV,	 IORING_OP_READ_FIXED,
		IORING_OP_FSYNC, IORING_OP_CLOSE, IORING_OP_WRITE_FIXED,
	};

	(void)state;
	buffers_fresh_ring(0);
	buffers_add(100, 0);
	for (unsigned i = 0; i < ARRAY_SIZE(opcodes); i++) {
		struct io_uring_sqe *sqe = harness_sqe(&ring);

		sqe->opcode = (uint8_t)opcodes[i];
		sqe->fd = file;
		sqe->flags = IOSQE_BUFFER_SELECT;
		sqe->buf_group = BUFFERS_GROUP;
		buffers_assert_none(harness_complete(&ring), -EOPNOTSUPP);
	}
	assert_int_equal(buffers_head(BUFFERS_GROUP), 0);
}

static void other_kinds_of_rings(void **state)
{
	static const unsigned kinds[] = {
		IORING_SETUP_SQE128 | IORING_SETUP_CQE32,
		IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
		IORING_SETUP_SQPOLL,
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++) {
		io_uring_queue_exit(&ring);
		harness_init(&ring, 8, kinds[i]);
		buffers_fresh_ring(0);
		buffers_add(100, 0);
		buffers_add(100, 1);
		buffers_read(file, 10, 0);
		buffers_assert(harness_complete(&ring), 10, 0, 0);
		buffers_read(pipe_fds[0], 10, 0);
		harness_submit(&ring, 1);
		buffers_write("abc");
		buffers_assert(harness_next(&ring), 3, 1, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BUFFERS_TEST(vectors),
		BUFFERS_TEST(vectors_that_are_refused),
		BUFFERS_TEST(vector_is_read_once),
		BUFFERS_TEST(short_transfers_in_chains),
		BUFFERS_TEST(behind_others_in_a_chain),
		BUFFERS_TEST(own_position),
		BUFFERS_TEST(registered_files),
		BUFFERS_TEST(other_kinds_of_streams),
		BUFFERS_TEST(descriptor_that_changes_its_kind),
		BUFFERS_TEST(refused),
		BUFFERS_TEST(other_kinds_of_rings),
	};

	return harness_run(tests);
}
