/* SPDX-License-Identifier: MIT */
/* Description: PIPE makes pipes: as descriptors or in slots, with pipe2(2)'s flags and errors. */
#include "ops_helpers.h"

#include <sys/resource.h>

/* A byte goes through the pipe. */
static void assert_works(int fds[2])
{
	char byte = 0;

	assert_int_equal(write(fds[1], "y", 1), 1);
	assert_int_equal(read(fds[0], &byte, 1), 1);
	assert_int_equal(byte, 'y');
}

static void register_empty(struct io_uring *ring, unsigned count)
{
	int files[16];

	for (unsigned i = 0; i < 16; i++)
		files[i] = -1;
	assert_int_equal(io_uring_register_files(ring, files, count), 0);
}

/* What a one-byte write into the slot gives. */
static int write_slot(struct io_uring *ring, int slot)
{
	return ops_run_flags(ring, IOSQE_FIXED_FILE, write, slot, "z", 1, 0);
}

static int read_slot(struct io_uring *ring, int slot)
{
	char byte = 0;
	int ret = ops_run_flags(ring, IOSQE_FIXED_FILE, read, slot, &byte, 1, 0);

	return ret == 1 ? byte : ret;
}

static void it_makes_a_pipe(void **state)
{
	struct ops *ops = *state;
	struct harness_cqe cqe;
	int fds[2] = {-1, -1};

	ops_prep(&ops->ring, 4, 0, pipe, fds, 0);
	harness_submit(&ops->ring, 1);
	assert_true(harness_peek(&ops->ring, &cqe));
	harness_assert_cqe(cqe, 4, 0);
	assert_int_equal(cqe.flags, 0);
	assert_works(fds);
	assert_int_equal(fcntl(fds[0], F_GETFD), 0);
	assert_int_equal(fcntl(fds[0], F_GETFL) & O_NONBLOCK, 0);
	harness_close_pipe(fds);
}

static void flags_are_those_of_pipe2(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int fds[2];

	assert_int_equal(ops_run(ring, pipe, fds, O_CLOEXEC | O_NONBLOCK), 0);
	assert_works(fds);
	assert_int_equal(fcntl(fds[0], F_GETFD), FD_CLOEXEC);
	assert_int_equal(fcntl(fds[1], F_GETFD), FD_CLOEXEC);
	assert_true(fcntl(fds[0], F_GETFL) & O_NONBLOCK);
	harness_close_pipe(fds);
	assert_int_equal(ops_run(ring, pipe, fds, O_DIRECT), 0);
	assert_true(fcntl(fds[1], F_GETFL) & O_DIRECT);
	harness_close_pipe(fds);
	assert_int_equal(ops_run(ring, pipe, fds, O_APPEND), -EINVAL);
	assert_int_equal(ops_run(ring, pipe, fds, O_RDWR), -EINVAL);
}

static void stray_fields_are_refused(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct io_uring_sqe *sqe;
	int fds[2];

	sqe = ops_prep(ring, 0, 0, pipe, fds, 0);
	sqe->fd = 1;
	assert_int_equal(harness_result(ring), -EINVAL);
	sqe = ops_prep(ring, 0, 0, pipe, fds, 0);
	sqe->off = 1;
	assert_int_equal(harness_result(ring), -EINVAL);
	sqe = ops_prep(ring, 0, 0, pipe, fds, 0);
	sqe->addr3 = 1;
	assert_int_equal(harness_result(ring), -EINVAL);
	sqe = ops_prep(ring, 0, 0, pipe, fds, 0);
	sqe->ioprio = 1;
	assert_int_equal(harness_result(ring), -EINVAL);
	/* These are not looked at. */
	sqe = ops_prep(ring, 0, 0, pipe, fds, 0);
	sqe->len = 1;
	sqe->buf_index = 1;
	assert_int_equal(harness_result(ring), 0);
	harness_close_pipe(fds);
}

/* Nothing stays open when the numbers cannot be told. */
static void unreadable_result(void **state)
{
	struct ops *ops = *state;
	unsigned before = harness_fd_count();

	assert_int_equal(ops_run(&ops->ring, pipe, NULL, 0), -EFAULT);
	assert_int_equal(ops_run(&ops->ring, pipe, (int *)8, 0), -EFAULT);
	assert_int_equal(harness_fd_count(), before);
}

static void no_descriptors_left(void **state)
{
	struct ops *ops = *state;
	struct rlimit saved, none;
	int fds[2] = {-1, -1}, result;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &saved), 0);
	none = saved;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	result = ops_run(&ops->ring, pipe, fds, 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &saved), 0);
	assert_int_equal(result, -EMFILE);
	assert_int_equal(fds[0], -1);
}

static void named_slots_are_filled(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int fds[2] = {-7, -7};
	unsigned before;

	register_empty(ring, 4);
	before = harness_fd_count();
	assert_int_equal(ops_run(ring, pipe_direct, fds, 0, 1), 0);
	assert_int_equal(fds[0], 1);
	assert_int_equal(fds[1], 2);
	assert_int_equal(write_slot(ring, 2), 1);
	assert_int_equal(read_slot(ring, 1), 'z');
	assert_int_equal(write_slot(ring, 3), -EBADF);
	/* In user space a registered file is a descriptor. */
	if (harness_kernel())
		assert_int_equal(harness_fd_count(), before);
	/* What is in the slots is replaced. */
	assert_int_equal(ops_run(ring, pipe_direct, fds, 0, 2), 0);
	assert_int_equal(write_slot(ring, 3), 1);
	assert_int_equal(read_slot(ring, 2), 'z');
	assert_int_equal(read_slot(ring, 1), 0);
}

static void any_slots_are_told(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int fds[2] = {-7, -7};

	register_empty(ring, 4);
	assert_int_equal(ops_run(ring, pipe_direct, fds, 0, IORING_FILE_INDEX_ALLOC), 0);
	assert_int_equal(fds[0], 0);
	assert_int_equal(fds[1], 1);
	assert_int_equal(ops_run(ring, pipe_direct, fds, 0, IORING_FILE_INDEX_ALLOC), 0);
	assert_int_equal(fds[0], 2);
	assert_int_equal(fds[1], 3);
	assert_int_equal(write_slot(ring, 3), 1);
	assert_int_equal(read_slot(ring, 2), 'z');
	assert_int_equal(ops_run(ring, pipe_direct, fds, 0, IORING_FILE_INDEX_ALLOC), -ENFILE);
}

static void bad_slots(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int fds[2];

	assert_int_equal(ops_run(ring, pipe_direct, fds, 0, 0), -ENXIO);
	register_empty(ring, 2);
	assert_int_equal(ops_run(ring, pipe_direct, fds, 0, 2), -EINVAL);
	/* The first end fits, the second does not: then the first one goes again. */
	assert_int_equal(ops_run(ring, pipe_direct, fds, 0, 1), -EINVAL);
	assert_int_equal(ops_run(ring, pipe_direct, fds, O_CLOEXEC, 0), -EINVAL);
	assert_int_equal(ops_run(ring, pipe_direct, NULL, 0, 0), -EFAULT);
	assert_int_equal(read_slot(ring, 0), -EBADF);
}

static void a_chain_uses_the_pipe(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int fds[2], results[3];
	char byte = 0;

	register_empty(ring, 2);
	ops_prep(ring, 0, IOSQE_IO_LINK, pipe_direct, fds, 0, 0);
	ops_prep(ring, 1, IOSQE_IO_LINK | IOSQE_FIXED_FILE, write, 1, "q", 1, 0);
	ops_prep(ring, 2, IOSQE_FIXED_FILE, read, 0, &byte, 1, 0);
	harness_submit(ring, 3);
	ops_collect(ring, results, 3);
	ops_assert_results(results, 0, 1, 1);
	assert_int_equal(byte, 'q');
	ops_prep(ring, 0, IOSQE_IO_LINK, pipe, NULL, 0);
	ops_prep(ring, 1, 0, nop);
	harness_submit(ring, 2);
	ops_collect(ring, results, 2);
	ops_assert_results(results, -EFAULT, -ECANCELED);
}

static void it_runs_in_a_worker_too(void **state)
{
	struct ops *ops = *state;
	int fds[2];

	assert_int_equal(ops_run_flags(&ops->ring, IOSQE_ASYNC, pipe, fds, 0), 0);
	assert_works(fds);
	harness_close_pipe(fds);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ops_test(it_makes_a_pipe),	    ops_test(flags_are_those_of_pipe2),
		ops_test(stray_fields_are_refused), ops_test(unreadable_result),
		ops_test(no_descriptors_left),	    ops_test(named_slots_are_filled),
		ops_test(any_slots_are_told),	    ops_test(bad_slots),
		ops_test(a_chain_uses_the_pipe),    ops_test(it_runs_in_a_worker_too),
	};

	return harness_run(tests);
}
