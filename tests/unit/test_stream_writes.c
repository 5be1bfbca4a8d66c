/* SPDX-License-Identifier: MIT */
/*
 * Description: plain writes to sockets and pipes are made by the thread that submits, wait without
 * a thread, and raise no SIGPIPE; also where the kernel has no RWF_NOSIGNAL, or refuses RWF_NOWAIT,
 * if only with the help of a worker for pipes.
 */
#include "support.h"

#include <sys/ioctl.h>
#include <sys/socket.h>

#ifndef RWF_NOWAIT
#define RWF_NOWAIT 0x08
#endif
#define NOSIGNAL 0x100

static struct asyncring ring;
static _Atomic int refused_flags; /* pwritev2(2) knows none of these */
static char block[4096];

static bool refuse(long number, const long arguments[6], long *result)
{
	*result = -EOPNOTSUPP;
	return number == SYS_pwritev2 && arguments[5] & atomic_load(&refused_flags);
}

static bool kernel_knows_nosignal(void)
{
	struct iovec vector = {block, 1};
	int ends[2], result;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	result = (int)sys(SYS_pwritev2, ends[1], &vector, 1, -1, -1, NOSIGNAL);
	close(ends[0]);
	close(ends[1]);
	return result == 1;
}

/* ends[0] to read, ends[1] to write. */
static void open_ends(bool socket, int ends[2])
{
	int ret = socket ? socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends)
			 : pipe2(ends, O_CLOEXEC);

	assert_int_equal(ret, 0);
}

static size_t fill(int fd)
{
	int flags = fcntl(fd, F_GETFL);
	size_t total = 0;
	ssize_t done;

	fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	while ((done = write(fd, block, sizeof(block))) > 0)
		total += (size_t)done;
	fcntl(fd, F_SETFL, flags);
	return total;
}

static void check(bool socket, bool without_worker)
{
	unsigned threads = support_threads();
	int ends[2];
	size_t filled;

	open_ends(socket, ends);
	asyncring_prep_write(support_sqe(&ring), ends[1], "abc", 3, 0);
	assert_int_equal(asyncring_submit(&ring), 1);
	if (without_worker)
		assert_int_equal(asyncring_cq_ready(&ring), 1);
	assert_int_equal(support_result(&ring, NULL), 3);
	assert_int_equal(read(ends[0], block, sizeof(block)), 3);
	assert_memory_equal(block, "abc", 3);
	/* One that has to wait for room, and is cut off where that ends. */
	filled = fill(ends[1]);
	asyncring_prep_write(support_sqe(&ring), ends[1], "end", 3, -1);
	assert_int_equal(asyncring_submit(&ring), 1);
	assert_int_equal(asyncring_cq_ready(&ring), 0);
	for (size_t left = filled; left;) {
		ssize_t got = read(ends[0], block, left < sizeof(block) ? left : sizeof(block));

		assert_true(got > 0);
		left -= (size_t)got;
	}
	assert_int_equal(support_result(&ring, NULL), 3);
	assert_int_equal(read(ends[0], block, sizeof(block)), 3);
	if (without_worker)
		assert_true(support_threads() <= threads + 1);
	/* SIGPIPE would be the end of the process. */
	close(ends[0]);
	asyncring_prep_write(support_sqe(&ring), ends[1], "abc", 3, 0);
	assert_int_equal(support_run(&ring), -EPIPE);
	close(ends[1]);
}

static void by_the_submitter(void **state)
{
	bool known = kernel_knows_nosignal();

	(void)state;
	check(true, true);
	check(false, known);
}

static void on_older_kernels(void **state)
{
	(void)state;
	atomic_store(&refused_flags, NOSIGNAL);
	check(true, true);
	check(false, false);
	atomic_store(&refused_flags, NOSIGNAL | RWF_NOWAIT);
	check(true, true);
	check(false, false);
	atomic_store(&refused_flags, 0);
}

/* Registered descriptors, which are known, and single vectors. */
static void registered_ones(void **state)
{
	struct iovec vector[2] = {{"ab", 2}, {"cd", 2}};
	struct asyncring_sqe *sqe;
	int ends[2];

	(void)state;
	for (int socket = 0; socket < 2; socket++) {
		open_ends(socket, ends);
		assert_int_equal(asyncring_register_files(&ring, ends, 2), 0);
		sqe = support_sqe(&ring);
		asyncring_prep_writev(sqe, 1, vector, 2, 0);
		sqe->flags |= ASYNCRING_SQE_FIXED_FILE;
		assert_int_equal(support_run(&ring), 4);
		assert_int_equal(read(ends[0], block, sizeof(block)), 4);
		assert_memory_equal(block, "abcd", 4);
		assert_int_equal(asyncring_unregister_files(&ring), 0);
		close(ends[0]);
		close(ends[1]);
	}
}

static int setup(void **state)
{
	(void)state;
	support_bound(60);
	asyncring__sys_hook = refuse;
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
		cmocka_unit_test(by_the_submitter),
		cmocka_unit_test(on_older_kernels),
		cmocka_unit_test(registered_ones),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
