/* SPDX-License-Identifier: MIT */
/*
 * Description: rule 2. When an application sees a CQE the library has finished with the request's
 * descriptors, buffers and vectors: the peer of a pipe sees its end, a file has no writer any more,
 * memory can be unmapped. The CQE is watched for without a call, so as to see it at once.
 */
#include "support.h"

enum { ROUNDS = 500, SIZE = 4096 };

static struct asyncring ring;
static unsigned char buffer[SIZE];

static int next_result(void)
{
	struct asyncring_cqe *cqe;
	int result;

	while (!asyncring_cq_ready(&ring))
		sched_yield();
	assert_int_equal(asyncring_peek_cqe(&ring, &cqe), 0);
	result = cqe->res;
	asyncring_cqe_seen(&ring, cqe);
	return result;
}

static void rule_2_peer_sees_the_end(void **state)
{
	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		struct asyncring_sqe *sqe = support_sqe(&ring);
		int ends[2];

		assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
		asyncring_prep_write(sqe, ends[1], "abc", 3, 0);
		sqe->flags |= ASYNCRING_SQE_ASYNC;
		assert_int_equal(asyncring_submit(&ring), 1);
		close(ends[1]);
		assert_int_equal(next_result(), 3);
		assert_int_equal(read(ends[0], buffer, SIZE), 3);
		assert_int_equal(read(ends[0], buffer, SIZE), 0);
		close(ends[0]);
	}
}

static void rule_2_both_files_of_a_splice_are_released(void **state)
{
	struct support_census before = support_census();

	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		int from[2], to[2];

		assert_int_equal(pipe2(from, O_CLOEXEC | O_NONBLOCK), 0);
		assert_int_equal(pipe2(to, O_CLOEXEC | O_NONBLOCK), 0);
		assert_int_equal(write(from[1], "abc", 3), 3);
		asyncring_prep_splice(support_sqe(&ring), from[0], -1, to[1], -1, 3, 0);
		assert_int_equal(asyncring_submit(&ring), 1);
		close(from[0]);
		close(to[1]);
		assert_int_equal(next_result(), 3);
		assert_int_equal(read(to[0], buffer, SIZE), 3);
		assert_int_equal(read(to[0], buffer, SIZE), 0);
		assert_int_equal(write(from[1], "x", 1), -1);
		assert_int_equal(errno, EPIPE);
		close(from[1]);
		close(to[0]);
	}
	assert_int_equal(support_descriptors(), before.descriptors);
}

/* While a file is open for writing it cannot be executed, nor have a read lease. */
static void rule_2_file_has_no_writer(void **state)
{
	char path[] = "/tmp/asyncring-rule2-XXXXXX";
	int fd = mkostemp(path, O_CLOEXEC), reader = open(path, O_RDONLY | O_CLOEXEC);

	(void)state;
	assert_true(fd >= 0 && reader >= 0);
	assert_int_equal(fcntl(reader, F_SETLEASE, F_RDLCK), -1);
	assert_int_equal(errno, EAGAIN);
	for (int round = 0; round < ROUNDS; round++) {
		struct asyncring_sqe *sqe = support_sqe(&ring);

		asyncring_prep_write(sqe, fd, "abc", 3, 0);
		sqe->flags |= ASYNCRING_SQE_ASYNC;
		assert_int_equal(asyncring_submit(&ring), 1);
		close(fd);
		assert_int_equal(next_result(), 3);
		assert_int_equal(fcntl(reader, F_SETLEASE, F_RDLCK), 0);
		assert_int_equal(fcntl(reader, F_SETLEASE, F_UNLCK), 0);
		fd = open(path, O_WRONLY | O_CLOEXEC);
		assert_true(fd >= 0);
	}
	close(fd);
	close(reader);
	unlink(path);
}

static void rule_2_memory_may_go(void **state)
{
	int fd = support_file("/tmp", SIZE), unregistered = 0;

	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		unsigned char *page = mmap(NULL, SIZE, PROT_READ | PROT_WRITE,
					   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		struct iovec *vector = (struct iovec *)(void *)page;
		struct asyncring_sqe *sqe = support_sqe(&ring);

		assert_ptr_not_equal(page, MAP_FAILED);
		vector[0] = (struct iovec){page + 256, 256};
		vector[1] = (struct iovec){page + 1024, 1024};
		if (round % 2) {
			struct iovec all = {page, SIZE};

			assert_int_equal(asyncring_register_buffers(&ring, &all, 1), 0);
			asyncring_prep_read_fixed(sqe, fd, page + 256, 1280, 0, 0);
		} else
			asyncring_prep_readv(sqe, fd, vector, 2, 0);
		sqe->flags |= ASYNCRING_SQE_ASYNC;
		assert_int_equal(asyncring_submit(&ring), 1);
		assert_int_equal(next_result(), 1280);
		assert_true(support_content(page + 256, 256, 0));
		assert_int_equal(munmap(page, SIZE), 0);
		if (round % 2)
			unregistered += !asyncring_unregister_buffers(&ring);
	}
	assert_int_equal(unregistered, ROUNDS / 2);
	close(fd);
}

static int setup(void **state)
{
	(void)state;
	support_bound(120);
	signal(SIGPIPE, SIG_IGN);
	return asyncring_queue_init(8, &ring, 0);
}

static int teardown(void **state)
{
	(void)state;
	asyncring_queue_exit(&ring);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rule_2_peer_sees_the_end),
		cmocka_unit_test(rule_2_both_files_of_a_splice_are_released),
		cmocka_unit_test(rule_2_file_has_no_writer),
		cmocka_unit_test(rule_2_memory_may_go),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
