/* SPDX-License-Identifier: MIT */
/*
 * Description: ASYNC_CANCEL: how requests are found, how many, and what both sides answer. What
 * runs in a worker at the time is the business of cancel-running.c.
 */
#include "ops_helpers.h"

enum { CANCEL = 1000 }; /* user_data of cancellations */

/* What to cancel; members that the flags do not ask for are ignored. */
struct key {
	unsigned flags;
	uint64_t user_data;
	int fd;
	unsigned opcode;
};

static void queue_cancel(struct io_uring *ring, uint64_t user_data, struct key key)
{
	struct io_uring_sqe *sqe = harness_sqe(ring);

	sqe->opcode = IORING_OP_ASYNC_CANCEL;
	sqe->fd = key.fd;
	sqe->addr = key.user_data;
	sqe->len = key.opcode;
	sqe->cancel_flags = key.flags;
	sqe->user_data = user_data;
}

/*
 * Cancel, and take the answer together with the completions of the count requests, with user_data
 * from 0 on, that must end because of it. They must all be -ECANCELED.
 */
static int cancel_at(struct io_uring *ring, struct key key, unsigned count, int line)
{
	int answer = 0;
	unsigned seen = 0;

	queue_cancel(ring, CANCEL, key);
	assert_int_equal(io_uring_submit(ring), 1);
	for (unsigned i = 0; i < count + 1; i++) {
		struct harness_cqe cqe = harness_next_at(ring, __FILE__, line);

		if (cqe.user_data == CANCEL) {
			answer = cqe.res;
			continue;
		}
		_assert_int_equal(cast_to_largest_integral_type(cqe.res),
				  cast_to_largest_integral_type(-ECANCELED), __FILE__, line);
		seen++;
	}
	_assert_int_equal(seen, count, __FILE__, line);
	harness_assert_empty_at(ring, __FILE__, line);
	return answer;
}

#define cancel(ring, count, ...) cancel_at(ring, (struct key){__VA_ARGS__}, count, __LINE__)

static char sink[64];

static void start_read(struct io_uring *ring, int fd, uint64_t user_data, unsigned flags)
{
	ops_prep(ring, user_data, flags, read, fd, sink, 1, 0);
	harness_submit(ring, 1);
}

static void a_pending_read_is_cancelled(void **state)
{
	struct ops *ops = *state;
	int fds[2];

	harness_pipe(fds);
	start_read(&ops->ring, fds[0], 5, 0);
	assert_int_equal(cancel(&ops->ring, 1, .user_data = 5), 0);
	/* The pipe has been let go: the data stays in it. */
	assert_int_equal(write(fds[1], "x", 1), 1);
	harness_assert_empty(&ops->ring);
	assert_int_equal(read(fds[0], sink, 1), 1);
	harness_close_pipe(fds);
}

static void a_pending_write_is_cancelled(void **state)
{
	struct ops *ops = *state;
	char block[4096] = "";
	int fds[2];

	assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
	while (write(fds[1], block, sizeof(block)) > 0)
		;
	ops_prep(&ops->ring, 5, 0, write, fds[1], block, 1, 0);
	harness_submit(&ops->ring, 1);
	assert_int_equal(cancel(&ops->ring, 1, .user_data = 5), 0);
	harness_close_pipe(fds);
}

/* Nobody there: an error, but for those flags that ask for a number. */
static void nothing_found(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int fds[2];
	unsigned all = IORING_ASYNC_CANCEL_ALL, fd = IORING_ASYNC_CANCEL_FD;

	harness_pipe(fds);
	assert_int_equal(cancel(ring, 0, .user_data = 5), -ENOENT);
	assert_int_equal(cancel(ring, 0, .user_data = 5, .flags = all), 0);
	assert_int_equal(cancel(ring, 0, .flags = IORING_ASYNC_CANCEL_ANY), 0);
	assert_int_equal(cancel(ring, 0, .fd = fds[0], .flags = fd), -ENOENT);
	assert_int_equal(cancel(ring, 0, .fd = fds[0], .flags = fd | all), 0);
	/* A cancellation does not find itself. */
	assert_int_equal(cancel(ring, 0, .user_data = CANCEL), -ENOENT);
	/* What has completed is not there any more. */
	ops_prep(ring, 5, 0, nop);
	harness_submit(ring, 1);
	assert_int_equal(harness_next(ring).res, 0);
	assert_int_equal(cancel(ring, 0, .user_data = 5), -ENOENT);
	harness_close_pipe(fds);
}

/* Of several with one key one is cancelled, and with ALL all the others. */
static void all_counts(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int fds[2];

	harness_pipe(fds);
	for (unsigned i = 0; i < 4; i++)
		start_read(ring, fds[0], 5, 0);
	start_read(ring, fds[0], 6, 0);
	assert_int_equal(cancel(ring, 1, .user_data = 5), 0);
	assert_int_equal(cancel(ring, 3, .user_data = 5, .flags = IORING_ASYNC_CANCEL_ALL), 3);
	assert_int_equal(cancel(ring, 1, .user_data = 6, .flags = IORING_ASYNC_CANCEL_ALL), 1);
	harness_close_pipe(fds);
}

/* ANY means all of them, whether ALL is said or not. */
static void any_cancels_everything(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	unsigned any = IORING_ASYNC_CANCEL_ANY, all = IORING_ASYNC_CANCEL_ALL;
	int a[2], b[2];

	harness_pipe(a);
	harness_pipe(b);
	for (unsigned round = 0; round < 2; round++) {
		unsigned flags = round ? any | all : any;

		start_read(ring, a[0], 0, 0);
		start_read(ring, b[0], 1, 0);
		start_read(ring, b[0], 2, 0);
		assert_int_equal(cancel(ring, 3, .flags = flags, .user_data = 9), 3);
	}
	harness_close_pipe(a);
	harness_close_pipe(b);
}

static void by_descriptor(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	unsigned fd = IORING_ASYNC_CANCEL_FD, all = IORING_ASYNC_CANCEL_ALL;
	int a[2], b[2];
	int copy;

	harness_pipe(a);
	harness_pipe(b);
	copy = dup(a[0]);
	start_read(ring, a[0], 5, 0);
	start_read(ring, a[0], 6, 0);
	start_read(ring, b[0], 7, 0);
	/* user_data does not count here. */
	assert_int_equal(cancel(ring, 1, .flags = fd, .fd = a[0], .user_data = 99), 0);
	/* The file is meant, not the number. */
	assert_int_equal(cancel(ring, 1, .flags = fd, .fd = copy), 0);
	assert_int_equal(cancel(ring, 0, .flags = fd, .fd = a[0]), -ENOENT);
	assert_int_equal(cancel(ring, 1, .flags = fd | all, .fd = b[0]), 1);
	assert_int_equal(cancel(ring, 0, .flags = fd, .fd = -1), -EBADF);
	assert_int_equal(cancel(ring, 0, .flags = fd | all, .fd = 100000), -EBADF);
	close(copy);
	harness_close_pipe(a);
	harness_close_pipe(b);
}

/* The same pipe opened twice is two files. */
static void another_opening_is_another_file(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	char path[64];
	int fds[2];
	int other;

	harness_pipe(fds);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fds[0]);
	other = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(other >= 0);
	start_read(ring, fds[0], 5, 0);
	assert_int_equal(cancel(ring, 0, .flags = IORING_ASYNC_CANCEL_FD, .fd = other), -ENOENT);
	assert_int_equal(cancel(ring, 1, .flags = IORING_ASYNC_CANCEL_FD, .fd = fds[0]), 0);
	close(other);
	harness_close_pipe(fds);
}

static void by_registered_descriptor(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	unsigned fixed = IORING_ASYNC_CANCEL_FD | IORING_ASYNC_CANCEL_FD_FIXED;
	int files[2], a[2], b[2];

	harness_pipe(a);
	harness_pipe(b);
	assert_int_equal(cancel(ring, 0, .flags = fixed, .fd = 0), -EBADF);
	files[0] = a[0];
	files[1] = b[0];
	assert_int_equal(io_uring_register_files(ring, files, 2), 0);
	start_read(ring, 1, 5, IOSQE_FIXED_FILE);
	start_read(ring, a[0], 6, 0);
	assert_int_equal(cancel(ring, 0, .flags = fixed, .fd = 2), -EBADF);
	/* The file is meant again, whichever way the request came to it. */
	assert_int_equal(cancel(ring, 1, .flags = fixed, .fd = 0), 0);
	assert_int_equal(cancel(ring, 1, .flags = IORING_ASYNC_CANCEL_FD, .fd = b[0]), 0);
	/* Alone the flag FIXED means nothing. */
	start_read(ring, 1, 5, IOSQE_FIXED_FILE);
	assert_int_equal(cancel(ring, 1, .flags = IORING_ASYNC_CANCEL_FD_FIXED, .user_data = 5), 0);
	harness_close_pipe(a);
	harness_close_pipe(b);
}

static void by_opcode(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	unsigned op = IORING_ASYNC_CANCEL_OP, all = IORING_ASYNC_CANCEL_ALL;
	struct iovec vector = {sink, 1};
	int fds[2];

	harness_pipe(fds);
	start_read(ring, fds[0], 5, 0);
	start_read(ring, fds[0], 6, 0);
	ops_prep(ring, 5, 0, readv, fds[0], &vector, 1, 0);
	harness_submit(ring, 1);
	assert_int_equal(cancel(ring, 0, .flags = op, .opcode = IORING_OP_WRITE), -ENOENT);
	assert_int_equal(cancel(ring, 1, .flags = op, .opcode = IORING_OP_READV), 0);
	assert_int_equal(cancel(ring, 2, .flags = op | all, .opcode = IORING_OP_READ), 2);
	harness_close_pipe(fds);
}

/* Keys are combined with "and". */
static void keys_are_combined(void **state)
{
	enum {
		FD = IORING_ASYNC_CANCEL_FD,
		OP = IORING_ASYNC_CANCEL_OP,
		USER = IORING_ASYNC_CANCEL_USERDATA,
	};
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int a[2], b[2];
	unsigned read = IORING_OP_READ;

	harness_pipe(a);
	harness_pipe(b);
	start_read(ring, a[0], 5, 0);
	start_read(ring, b[0], 6, 0);
	assert_int_equal(cancel(ring, 0, .flags = FD | USER, .fd = a[0], .user_data = 6), -ENOENT);
	assert_int_equal(cancel(ring, 0, .flags = FD | OP, .fd = a[0], .opcode = 1), -ENOENT);
	assert_int_equal(cancel(ring, 0, .flags = OP | USER, .opcode = read, .user_data = 7),
			 -ENOENT);
	assert_int_equal(cancel(ring, 0, .flags = FD | OP | USER, .fd = b[0], .opcode = read,
				.user_data = 5),
			 -ENOENT);
	assert_int_equal(cancel(ring, 1, .flags = FD | OP | USER, .fd = b[0], .opcode = read,
				.user_data = 6),
			 0);
	assert_int_equal(cancel(ring, 1, .flags = USER, .user_data = 5), 0);
	harness_close_pipe(a);
	harness_close_pipe(b);
}

static void flags_are_checked(void **state)
{
	enum {
		FD = IORING_ASYNC_CANCEL_FD,
		OP = IORING_ASYNC_CANCEL_OP,
		ANY = IORING_ASYNC_CANCEL_ANY,
	};
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int fds[2];

	harness_pipe(fds);
	for (unsigned bit = 6; bit < 32; bit++)
		assert_int_equal(cancel(ring, 0, .flags = 1u << bit), -EINVAL);
	assert_int_equal(cancel(ring, 0, .flags = ANY | FD, .fd = fds[0]), -EINVAL);
	assert_int_equal(cancel(ring, 0, .flags = ANY | OP, .opcode = IORING_OP_READ), -EINVAL);
	harness_close_pipe(fds);
}

static void other_rings_are_not_touched(void **state)
{
	struct ops *ops = *state;
	struct io_uring other;
	unsigned fd = IORING_ASYNC_CANCEL_FD;
	int fds[2];

	harness_pipe(fds);
	harness_init(&other, 4, 0);
	start_read(&ops->ring, fds[0], 0, 0);
	assert_int_equal(cancel(&other, 0, .user_data = 0), -ENOENT);
	assert_int_equal(cancel(&other, 0, .flags = fd, .fd = fds[0]), -ENOENT);
	assert_int_equal(cancel(&other, 0, .flags = IORING_ASYNC_CANCEL_ANY), 0);
	assert_int_equal(cancel(&ops->ring, 1, .user_data = 0), 0);
	io_uring_queue_exit(&other);
	harness_close_pipe(fds);
}

/* ---- chains and drains --------------------------------------------------------------------- */

/* Only the member at work can be cancelled; the others go down with it. */
static void waiting_members_are_not_found(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int fds[2];

	harness_pipe(fds);
	for (unsigned i = 0; i < 4; i++)
		ops_prep(ring, i, i < 3 ? IOSQE_IO_LINK : 0, read, fds[0], sink + i, 1, 0);
	harness_submit(ring, 4);
	assert_int_equal(cancel(ring, 0, .user_data = 1), -ENOENT);
	assert_int_equal(cancel(ring, 0, .user_data = 3), -ENOENT);
	/* The number is that of the requests found, not of those that end because of it. */
	assert_int_equal(cancel(ring, 4, .flags = IORING_ASYNC_CANCEL_ANY), 1);
	harness_close_pipe(fds);
}

static void a_hard_link_starts_the_next(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int fds[2];

	harness_pipe(fds);
	ops_prep(ring, 0, IOSQE_IO_HARDLINK, read, fds[0], sink, 1, 0);
	ops_prep(ring, 1, 0, read, fds[0], sink + 1, 1, 0);
	harness_submit(ring, 2);
	assert_int_equal(cancel(ring, 1, .user_data = 0), 0);
	assert_int_equal(write(fds[1], "x", 1), 1);
	ops_expect(ring, 1, 1);
	harness_close_pipe(fds);
}

/* A cancellation that finds nothing is a failure, and breaks its own chain. */
static void a_failing_cancellation_breaks_its_chain(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int results[2];

	ops_prep(ring, 0, IOSQE_IO_LINK, cancel64, 4711, 0);
	ops_prep(ring, 1, 0, nop);
	harness_submit(ring, 2);
	ops_collect(ring, results, 2);
	ops_assert_results(results, -ENOENT, -ECANCELED);

	ops_prep(ring, 0, IOSQE_IO_LINK, cancel64, 4711, IORING_ASYNC_CANCEL_ALL);
	ops_prep(ring, 1, 0, nop);
	harness_submit(ring, 2);
	ops_collect(ring, results, 2);
	ops_assert_results(results, 0, 0);
}

/* A request held back by a drain is not found; what holds it back is, and then it goes on. */
static void drained_requests_are_not_found(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct io_uring_sync_cancel_reg reg = {.addr = 1, .timeout = {-1, -1}};
	int fds[2];

	harness_pipe(fds);
	ops_prep(ring, 0, 0, read, fds[0], sink, 1, 0);
	ops_prep(ring, 1, IOSQE_IO_DRAIN, nop);
	harness_submit(ring, 2);
	assert_int_equal(io_uring_register_sync_cancel(ring, &reg), -ENOENT);
	reg.addr = 0;
	assert_int_equal(io_uring_register_sync_cancel(ring, &reg), 0);
	ops_expect(ring, 0, -ECANCELED);
	ops_expect(ring, 1, 0);
	harness_close_pipe(fds);
}

/* And a cancellation behind a drain waits like any other request. */
static void a_cancellation_is_drained_as_well(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int fds[2];

	harness_pipe(fds);
	ops_prep(ring, 0, 0, read, fds[0], sink, 1, 0);
	ops_prep(ring, 1, IOSQE_IO_DRAIN, nop);
	queue_cancel(ring, CANCEL, (struct key){.user_data = 0});
	harness_submit(ring, 3);
	harness_assert_empty(ring);
	assert_int_equal(write(fds[1], "x", 1), 1);
	ops_expect(ring, 0, 1);
	ops_expect(ring, 1, 0);
	ops_expect(ring, CANCEL, -ENOENT);
	harness_close_pipe(fds);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ops_test(a_pending_read_is_cancelled),
		ops_test(a_pending_write_is_cancelled),
		ops_test(nothing_found),
		ops_test(all_counts),
		ops_test(any_cancels_everything),
		ops_test(by_descriptor),
		ops_test(another_opening_is_another_file),
		ops_test(by_registered_descriptor),
		ops_test(by_opcode),
		ops_test(keys_are_combined),
		ops_test(flags_are_checked),
		ops_test(other_rings_are_not_touched),
		ops_test(waiting_members_are_not_found),
		ops_test(a_hard_link_starts_the_next),
		ops_test(a_failing_cancellation_breaks_its_chain),
		ops_test(drained_requests_are_not_found),
		ops_test(a_cancellation_is_drained_as_well),
	};

	return harness_run(tests);
}
