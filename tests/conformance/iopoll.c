/* SPDX-License-Identifier: MIT */
/*
 * Description: the rules of IOPOLL rings: which requests they take. (Whether a device can be polled
 * is its own affair: a request that needs it may be refused with -EOPNOTSUPP.)
 */
#include "harness.h"

static const unsigned kinds[] = {
	IORING_SETUP_IOPOLL,
	IORING_SETUP_IOPOLL | IORING_SETUP_HYBRID_IOPOLL,
};

/* The wait of such a ring may return early and empty, so it is repeated. */
static struct harness_cqe complete(struct io_uring *ring)
{
	uint64_t end = harness_now_ns() + HARNESS_WAIT_MS * 1000000ull * harness_timeout_factor();
	struct harness_cqe cqe = {0};

	harness_submit(ring, 1);
	while (!harness_peek(ring, &cqe)) {
		assert_true(harness_now_ns() < end);
		assert_int_equal(
			io_uring_enter((unsigned)ring->ring_fd, 0, 1, IORING_ENTER_GETEVENTS, NULL),
			0);
	}
	return cqe;
}

static void a_nop_is_taken(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct io_uring ring;

		harness_init(&ring, 4, kinds[i]);
		harness_nop(&ring, 3);
		harness_assert_cqe(complete(&ring), 3, 0);
		harness_assert_empty(&ring);
		io_uring_queue_exit(&ring);
	}
}

static void files_that_cannot_be_polled_are_refused(void **state)
{
	int file = harness_temp_file(8192), pipe_fds[2];
	char bytes[16];

	(void)state;
	harness_pipe(pipe_fds);
	for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct io_uring ring;

		harness_init(&ring, 4, kinds[i]);
		io_uring_prep_read(harness_sqe(&ring), file, bytes, sizeof(bytes), 0);
		assert_int_equal(complete(&ring).res, -EOPNOTSUPP);
		io_uring_prep_write(harness_sqe(&ring), file, bytes, sizeof(bytes), 0);
		assert_int_equal(complete(&ring).res, -EOPNOTSUPP);
		io_uring_prep_read(harness_sqe(&ring), pipe_fds[0], bytes, 1, 0);
		assert_int_equal(complete(&ring).res, -EOPNOTSUPP);
		io_uring_prep_read(harness_sqe(&ring), 9999, bytes, 1, 0);
		assert_int_equal(complete(&ring).res, -EBADF);
		io_uring_queue_exit(&ring);
	}
	harness_close_pipe(pipe_fds);
	close(file);
}

static void direct_transfers_are_done_or_refused(void **state)
{
	char path[64];
	int file = harness_temp_file(8192), direct;
	void *memory = NULL;

	(void)state;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	direct = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
	if (direct < 0)
		skip();
	assert_int_equal(posix_memalign(&memory, 4096, 4096), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct harness_cqe cqe;
		struct io_uring ring;

		harness_init(&ring, 4, kinds[i]);
		io_uring_prep_read(harness_sqe(&ring), direct, memory, 4096, 4096);
		cqe = complete(&ring);
		assert_true(cqe.res == 4096 || cqe.res == -EOPNOTSUPP);
		io_uring_queue_exit(&ring);
	}
	free(memory);
	close(direct);
	close(file);
}

static void other_operations_are_refused(void **state)
{
	int file = harness_temp_file(16), pipe_fds[2];
	struct io_uring_sqe *sqe;
	struct io_uring ring;
	struct statx status;

	(void)state;
	harness_pipe(pipe_fds);
	harness_init(&ring, 4, IORING_SETUP_IOPOLL);
	io_uring_prep_fsync(harness_sqe(&ring), file, 0);
	assert_int_equal(complete(&ring).res, -EINVAL);
	io_uring_prep_close(harness_sqe(&ring), 9999);
	assert_int_equal(complete(&ring).res, -EINVAL);
	io_uring_prep_openat(harness_sqe(&ring), AT_FDCWD, "/", O_RDONLY, 0);
	assert_int_equal(complete(&ring).res, -EINVAL);
	io_uring_prep_statx(harness_sqe(&ring), AT_FDCWD, "/", 0, STATX_BASIC_STATS, &status);
	assert_int_equal(complete(&ring).res, -EINVAL);
	io_uring_prep_splice(harness_sqe(&ring), pipe_fds[0], -1, pipe_fds[1], -1, 1, 0);
	assert_int_equal(complete(&ring).res, -EINVAL);
	io_uring_prep_fallocate(harness_sqe(&ring), file, 0, 0, 100);
	assert_int_equal(complete(&ring).res, -EINVAL);
	sqe = harness_sqe(&ring);
	io_uring_prep_cancel64(sqe, 12, 0);
	assert_int_equal(complete(&ring).res, -EINVAL);
	harness_close_pipe(pipe_fds);
	close(file);
	io_uring_queue_exit(&ring);
}

static void messages_pass_between_kinds(void **state)
{
	struct io_uring polled, plain;

	(void)state;
	harness_init(&polled, 4, IORING_SETUP_IOPOLL);
	harness_init(&plain, 4, 0);
	io_uring_prep_msg_ring(harness_sqe(&polled), plain.ring_fd, 11, 22, 0);
	assert_int_equal(complete(&polled).res, 0);
	harness_assert_cqe(harness_next(&plain), 22, 11);
	io_uring_queue_exit(&plain);
	io_uring_queue_exit(&polled);
}

/* Nothing is on its way: a wait must not go on for ever, however many it asks for. */
static void a_wait_with_nothing_outstanding_returns(void **state)
{
	struct io_uring ring;

	(void)state;
	harness_init(&ring, 4, IORING_SETUP_IOPOLL);
	assert_int_equal(io_uring_enter((unsigned)ring.ring_fd, 0, 0, IORING_ENTER_GETEVENTS, NULL),
			 0);
	harness_nop(&ring, 1);
	harness_submit(&ring, 1);
	assert_int_equal(io_uring_enter((unsigned)ring.ring_fd, 0, 1, IORING_ENTER_GETEVENTS, NULL),
			 0);
	assert_int_equal(
		io_uring_enter((unsigned)ring.ring_fd, 0, 100, IORING_ENTER_GETEVENTS, NULL), 0);
	assert_int_equal(io_uring_cq_ready(&ring), 1);
	io_uring_queue_exit(&ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_nop_is_taken),
		cmocka_unit_test(files_that_cannot_be_polled_are_refused),
		cmocka_unit_test(direct_transfers_are_done_or_refused),
		cmocka_unit_test(other_operations_are_refused),
		cmocka_unit_test(messages_pass_between_kinds),
		cmocka_unit_test(a_wait_with_nothing_outstanding_returns),
	};

	return harness_run(tests);
}
