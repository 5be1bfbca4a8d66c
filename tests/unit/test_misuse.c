/* SPDX-License-Identifier: MIT */
/*
 * Description: an application that does what it must not. It gets an error, or a result that makes
 * no more sense than what it did; never a crash, a hang or somebody else's ring.
 */
#include "support.h"

enum { ENTRIES = 8 };

static struct asyncring ring;

static void null_pointers(void **state)
{
	struct asyncring_params params = {0};
	unsigned fd = (unsigned)ring.ring_fd;
	struct asyncring other;

	(void)state;
	assert_int_equal(asyncring_setup(4, NULL), -EFAULT);
	assert_int_equal(asyncring_setup(4, (struct asyncring_params *)16), -EFAULT);
	assert_int_equal(asyncring_queue_init(4, NULL, 0), -EFAULT);
	assert_int_equal(asyncring_queue_init_params(4, &other, NULL), -EFAULT);
	assert_int_equal(asyncring_queue_mmap(3, NULL, &other), -EFAULT);
	assert_int_equal(asyncring_queue_mmap(3, &params, &other), -EFAULT);
	asyncring_queue_exit(NULL);
	for (unsigned opcode = 0; opcode < 40; opcode++)
		for (unsigned count = 0; count < 3; count++) {
			/* Those that take nothing may well succeed. */
			(void)asyncring_register(fd, opcode, NULL, count);
			(void)asyncring_register(fd, opcode, (void *)16, count);
		}
	(void)asyncring_unregister_files(&ring);
	assert_int_equal(asyncring_enter2(fd, 0, 1,
					  ASYNCRING_ENTER_GETEVENTS | ASYNCRING_ENTER_EXT_ARG,
					  (void *)16, sizeof(struct asyncring_getevents_arg)),
			 -EFAULT);
}

static void null_pointers_in_entries(void **state)
{
	(void)state;
	/* All zeros but for the opcode, and all ones but for the opcode and flags. */
	for (unsigned opcode = 0; opcode < 256; opcode++) {
		for (int ones = 0; ones < 2; ones++) {
			struct asyncring_sqe *sqe = support_sqe(&ring);

			memset(sqe, ones ? 0xff : 0, sizeof(*sqe));
			sqe->opcode = (unsigned char)opcode;
			sqe->flags = 0;
			if (!ones)
				sqe->fd = 9999;
			(void)support_run(&ring);
			/* A zero-copy send says one thing more. */
			asyncring_cq_advance(&ring, asyncring_cq_ready(&ring));
		}
	}
}

static void not_a_ring(void **state)
{
	int pipe_ends[2], epoll = epoll_create1(EPOLL_CLOEXEC);

	(void)state;
	assert_int_equal(pipe2(pipe_ends, O_CLOEXEC), 0);
	assert_int_equal(asyncring_enter((unsigned)pipe_ends[0], 0, 0, 0, NULL), -EOPNOTSUPP);
	assert_int_equal(asyncring_enter((unsigned)epoll, 0, 0, 0, NULL), -EOPNOTSUPP);
	assert_int_equal(asyncring_register((unsigned)epoll, ASYNCRING_UNREGISTER_FILES, NULL, 0),
			 -EOPNOTSUPP);
	assert_true(asyncring_close(epoll) < 0);
	assert_true(asyncring_close(pipe_ends[0]) < 0);
	assert_int_equal(fcntl(epoll, F_GETFD), FD_CLOEXEC); /* left alone */
	assert_int_equal(asyncring_enter(9999, 0, 0, 0, NULL), -EBADF);
	assert_int_equal(asyncring_enter(~0u, 0, 0, 0, NULL), -EBADF);
	assert_int_equal(asyncring_close(-1), -EBADF);
	assert_int_equal(asyncring_close(INT_MAX), -EBADF);
	close(epoll);
	close(pipe_ends[0]);
	close(pipe_ends[1]);
}

static void closed_rings(void **state)
{
	struct asyncring_params params = {0};
	int fd = asyncring_setup(ENTRIES, &params);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(asyncring_close(fd), 0);
	assert_int_equal(asyncring_close(fd), -EBADF);
	assert_int_equal(asyncring_enter((unsigned)fd, 1, 1, ASYNCRING_ENTER_GETEVENTS, NULL),
			 -EBADF);
	assert_int_equal(asyncring_register((unsigned)fd, ASYNCRING_UNREGISTER_FILES, NULL, 0),
			 -EBADF);
}

/* close(2) where asyncring_close() was to be called, and the number used for something else. */
static void closed_behind_the_back(void **state)
{
	struct support_census before = support_census();

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct asyncring_params params = {0};
		int fd = asyncring_setup(ENTRIES, &params), other;

		assert_true(fd >= 0);
		close(fd);
		other = fcntl(0, F_DUPFD_CLOEXEC, fd);
		assert_int_equal(other, fd);
		/* Whatever it says about a descriptor that is not its own any more. */
		(void)asyncring_enter((unsigned)fd, 0, 0, 0, NULL);
		(void)asyncring_close(fd);
		close(fd);
	}
	assert_in_range(support_descriptors(), before.descriptors, before.descriptors + 3);
}

/* ---- corrupt words ---- */

static void run_nops(unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		asyncring_prep_nop(support_sqe(&ring));
	assert_int_equal(asyncring_submit(&ring), count);
	for (unsigned i = 0; i < count; i++)
		assert_int_equal(support_result(&ring, NULL), 0);
}

static void corrupt_submission_tail(void **state)
{
	struct asyncring_params params = {0};
	int fd = asyncring_setup(ENTRIES, &params);
	char *words = (char *)(uintptr_t)params.cq_off.user_addr;
	unsigned *tail = (unsigned *)(void *)(words + params.sq_off.tail);

	(void)state;
	assert_true(fd >= 0);
	/* Never more than there is room for, all of them NOPs. */
	*tail = 0x80000000u;
	assert_int_equal(asyncring_enter((unsigned)fd, ~0u, 0, 0, NULL), ENTRIES);
	*tail = 3;
	assert_in_range(asyncring_enter((unsigned)fd, ENTRIES, 0, 0, NULL), 0, ENTRIES);
	assert_int_equal(asyncring_close(fd), 0);
}

static void corrupt_completion_head(void **state)
{
	static const unsigned heads[] = {1, 1000, 0x7fffffff, 0x80000000u, ~0u};
	struct __kernel_timespec soon = {.tv_nsec = 1000};

	(void)state;
	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
		struct asyncring bad;
		struct asyncring_cqe *cqe;

		assert_int_equal(asyncring_queue_init(ENTRIES, &bad, 0), 0);
		for (int round = 0; round < 4; round++) {
			for (int k = 0; k < ENTRIES; k++) {
				struct asyncring_sqe *sqe = support_sqe(&bad);

				asyncring_prep_nop(sqe);
				sqe->flags |= k % 2 ? ASYNCRING_SQE_ASYNC : 0;
			}
			__atomic_store_n(bad.cq.khead, heads[i], __ATOMIC_RELEASE);
			assert_int_equal(asyncring_submit(&bad), ENTRIES);
			(void)asyncring_wait_cqes(&bad, &cqe, 3, &soon, NULL);
			(void)asyncring_get_events(&bad);
		}
		asyncring_queue_exit(&bad);
	}
	run_nops(ENTRIES);
}

static void corrupt_index_array(void **state)
{
	struct asyncring_params params = {0};
	int fd = asyncring_setup(ENTRIES, &params);
	char *words = (char *)(uintptr_t)params.cq_off.user_addr;
	unsigned *tail = (unsigned *)(void *)(words + params.sq_off.tail);
	unsigned *dropped = (unsigned *)(void *)(words + params.sq_off.dropped);
	unsigned *array = (unsigned *)(void *)(words + params.sq_off.array);

	(void)state;
	assert_true(fd >= 0);
	for (unsigned i = 0; i < 1000; i++) {
		array[i % ENTRIES] = ENTRIES + i * 0x01010101u % 0x7fffffff;
		++*tail;
		assert_int_equal(asyncring_enter((unsigned)fd, 1, 0, 0, NULL), 0);
		assert_int_equal(*dropped, i + 1);
	}
	assert_int_equal(asyncring_close(fd), 0);
}

static int setup(void **state)
{
	(void)state;
	support_bound(30);
	return asyncring_queue_init(ENTRIES, &ring, 0);
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
		cmocka_unit_test(null_pointers),
		cmocka_unit_test(null_pointers_in_entries),
		cmocka_unit_test(not_a_ring),
		cmocka_unit_test(closed_rings),
		cmocka_unit_test(closed_behind_the_back),
		cmocka_unit_test(corrupt_submission_tail),
		cmocka_unit_test(corrupt_completion_head),
		cmocka_unit_test(corrupt_index_array),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
