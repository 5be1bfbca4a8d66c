/* SPDX-License-Identifier: MIT */
/*
 * Description: READ and WRITE on what has no offset: pipes, eventfd and timerfd. A request waits
 * for readiness even on an O_NONBLOCK descriptor, and a short result is final.
 */
#include "ops_helpers.h"

#include <sys/ioctl.h>
#include <sys/timerfd.h>

static void a_read_waits_for_the_writer(void **state)
{
	struct ops *ops = *state;
	int fds[2];
	char buffer[16];

	harness_pipe(fds);
	ops_prep(&ops->ring, 7, 0, read, fds[0], buffer, 16, 0);
	harness_submit(&ops->ring, 1);
	harness_assert_empty(&ops->ring);
	assert_int_equal(write(fds[1], "hello", 5), 5);
	ops_expect(&ops->ring, 7, 5);
	assert_memory_equal(buffer, "hello", 5);
	harness_close_pipe(fds);
}

/* Neither 0, nor -1, nor any other offset means anything on a pipe. */
static void the_offset_is_ignored(void **state)
{
	static const int64_t offsets[] = {0, -1, 12345};
	struct ops *ops = *state;
	int fds[2];
	char buffer[16];

	harness_pipe(fds);
	for (unsigned i = 0; i < ARRAY_SIZE(offsets); i++) {
		uint64_t offset = (uint64_t)offsets[i];

		assert_int_equal(ops_run(&ops->ring, write, fds[1], "abc", 3, offset), 3);
		assert_int_equal(ops_run(&ops->ring, read, fds[0], buffer, 16, offset), 3);
		assert_memory_equal(buffer, "abc", 3);
	}
	harness_close_pipe(fds);
}

static void nonblocking_descriptors_wait_as_well(void **state)
{
	struct ops *ops = *state;
	int fds[2];
	char buffer[16];

	assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
	ops_prep(&ops->ring, 0, 0, read, fds[0], buffer, 16, 0);
	ops_prep(&ops->ring, 1, IOSQE_ASYNC, read, fds[0], buffer, 1, 0);
	harness_submit(&ops->ring, 2);
	harness_assert_empty(&ops->ring);
	assert_int_equal(write(fds[1], "x", 1), 1);
	assert_int_equal(harness_next(&ops->ring).res, 1);
	assert_int_equal(write(fds[1], "y", 1), 1);
	assert_int_equal(harness_next(&ops->ring).res, 1);
	harness_close_pipe(fds);
}

static void a_vector_is_filled_as_far_as_the_data_goes(void **state)
{
	struct ops *ops = *state;
	int fds[2];
	char a[2], b[8];
	struct iovec vector[] = {{a, 2}, {b, 8}};

	harness_pipe(fds);
	ops_prep(&ops->ring, 0, 0, readv, fds[0], vector, 2, 0);
	harness_submit(&ops->ring, 1);
	assert_int_equal(write(fds[1], "hello", 5), 5);
	assert_int_equal(harness_next(&ops->ring).res, 5);
	assert_memory_equal(a, "he", 2);
	assert_memory_equal(b, "llo", 3);
	harness_close_pipe(fds);
}

static void the_end_of_a_pipe_is_zero(void **state)
{
	struct ops *ops = *state;
	int fds[2];
	char buffer[16];

	harness_pipe(fds);
	ops_prep(&ops->ring, 1, 0, read, fds[0], buffer, 16, 0);
	harness_submit(&ops->ring, 1);
	close(fds[1]);
	ops_expect(&ops->ring, 1, 0);
	assert_int_equal(ops_run(&ops->ring, read, fds[0], buffer, 16, 0), 0);
	close(fds[0]);
}

static void writing_without_a_reader_is_epipe(void **state)
{
	struct ops *ops = *state;
	sighandler_t saved = signal(SIGPIPE, SIG_IGN);
	int fds[2];

	harness_pipe(fds);
	close(fds[0]);
	assert_int_equal(ops_run(&ops->ring, write, fds[1], "abc", 3, 0), -EPIPE);
	assert_int_equal(ops_run_flags(&ops->ring, IOSQE_ASYNC, write, fds[1], "abc", 3, 0),
			 -EPIPE);
	close(fds[1]);
	signal(SIGPIPE, saved);
}

/* Returns the bytes that fit. */
static int fill(int fd)
{
	char block[4096] = "";
	int flags = fcntl(fd, F_GETFL);
	int total = 0;
	ssize_t done;

	fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	while ((done = write(fd, block, sizeof(block))) > 0)
		total += (int)done;
	fcntl(fd, F_SETFL, flags);
	return total;
}

static void check_write_to_a_full_pipe(struct io_uring *ring, int pipe_flags, unsigned sqe_flags)
{
	int fds[2];
	int total, left;
	char block[4096];

	assert_int_equal(pipe2(fds, O_CLOEXEC | pipe_flags), 0);
	total = fill(fds[1]);
	ops_prep(ring, 3, sqe_flags, write, fds[1], "end", 3, 0);
	harness_submit(ring, 1);
	harness_assert_empty(ring);
	for (left = total; left > 0; left -= (int)sizeof(block))
		assert_int_equal(read(fds[0], block, sizeof(block)), sizeof(block));
	ops_expect(ring, 3, 3);
	assert_int_equal(read(fds[0], block, sizeof(block)), 3);
	assert_memory_equal(block, "end", 3);
	harness_close_pipe(fds);
}

static void a_write_waits_for_room(void **state)
{
	struct ops *ops = *state;

	check_write_to_a_full_pipe(&ops->ring, 0, 0);
	check_write_to_a_full_pipe(&ops->ring, O_NONBLOCK, 0);
	check_write_to_a_full_pipe(&ops->ring, 0, IOSQE_ASYNC);
	check_write_to_a_full_pipe(&ops->ring, O_NONBLOCK, IOSQE_ASYNC);
}

/* What fits is written and reported; the rest is the application's to send again. */
static void a_write_larger_than_the_pipe_is_short(void **state)
{
	struct ops *ops = *state;
	int fds[2];
	int capacity, waiting;
	char *block;

	harness_pipe(fds);
	capacity = fcntl(fds[1], F_GETPIPE_SZ);
	assert_true(capacity > 0);
	block = calloc(2, (size_t)capacity);
	assert_non_null(block);
	assert_int_equal(ops_run(&ops->ring, write, fds[1], block, 2 * (unsigned)capacity, 0),
			 capacity);
	assert_int_equal(ioctl(fds[0], FIONREAD, &waiting), 0);
	assert_int_equal(waiting, capacity);
	free(block);
	harness_close_pipe(fds);
}

/* Which of them gets it is not promised (the kernel serves the latest first), but one does. */
static void each_byte_goes_to_one_waiting_read(void **state)
{
	struct ops *ops = *state;
	int fds[2];
	char buffers[8] = "";
	bool done[8] = {false};

	harness_pipe(fds);
	for (unsigned i = 0; i < 8; i++)
		ops_prep(&ops->ring, i, i % 2 ? IOSQE_ASYNC : 0, read, fds[0], buffers + i, 1, 0);
	harness_submit(&ops->ring, 8);
	for (unsigned i = 0; i < 8; i++) {
		char byte = (char)('a' + i);
		struct harness_cqe cqe;

		assert_int_equal(write(fds[1], &byte, 1), 1);
		cqe = harness_next(&ops->ring);
		assert_int_equal(cqe.res, 1);
		assert_in_range(cqe.user_data, 0, 7);
		assert_false(done[cqe.user_data]);
		assert_int_equal(buffers[cqe.user_data], byte);
		done[cqe.user_data] = true;
	}
	harness_assert_empty(&ops->ring);
	harness_close_pipe(fds);
}

static void an_eventfd_gives_its_count(void **state)
{
	struct ops *ops = *state;
	int event = eventfd(0, EFD_CLOEXEC);
	uint64_t values[4] = {0};
	uint64_t one = 1;

	assert_int_equal(ops_run(&ops->ring, write, event, &one, 8, 0), 8);
	assert_int_equal(ops_run(&ops->ring, write, event, &one, 8, 0), 8);
	/* More room than it needs: still one value. */
	assert_int_equal(ops_run(&ops->ring, read, event, values, sizeof(values), 0), 8);
	assert_int_equal(values[0], 2);

	ops_prep(&ops->ring, 5, 0, read, event, values, 8, 0);
	harness_submit(&ops->ring, 1);
	harness_assert_empty(&ops->ring);
	assert_int_equal(eventfd_write(event, 9), 0);
	ops_expect(&ops->ring, 5, 8);
	assert_int_equal(values[0], 9);
	close(event);
}

static void an_eventfd_wants_eight_bytes(void **state)
{
	struct ops *ops = *state;
	int event = eventfd(1, EFD_CLOEXEC);
	uint64_t value = 0;

	assert_int_equal(ops_run(&ops->ring, read, event, &value, 4, 0), -EINVAL);
	assert_int_equal(ops_run(&ops->ring, write, event, &value, 4, 0), -EINVAL);
	value = UINT64_MAX;
	assert_int_equal(ops_run(&ops->ring, write, event, &value, 8, 0), -EINVAL);
	close(event);
}

static void a_nonblocking_eventfd_waits_as_well(void **state)
{
	struct ops *ops = *state;
	int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	uint64_t value;

	ops_prep(&ops->ring, 5, 0, read, event, &value, 8, 0);
	harness_submit(&ops->ring, 1);
	harness_assert_empty(&ops->ring);
	assert_int_equal(eventfd_write(event, 1), 0);
	ops_expect(&ops->ring, 5, 8);
	close(event);
}

static void a_timerfd_gives_its_expirations(void **state)
{
	struct ops *ops = *state;
	int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	struct itimerspec soon = {.it_value = {.tv_nsec = 1000000}};
	uint64_t values[2] = {0};

	ops_prep(&ops->ring, 6, 0, read, timer, values, sizeof(values), 0);
	harness_submit(&ops->ring, 1);
	harness_assert_empty(&ops->ring);
	assert_int_equal(timerfd_settime(timer, 0, &soon, NULL), 0);
	ops_expect(&ops->ring, 6, 8);
	assert_int_equal(values[0], 1);
	close(timer);
}

/* Neither at once, nor with ASYNC, nor behind another request, is there anything to wait for. */
static void the_wrong_end_of_a_pipe_is_refused(void **state)
{
	static const unsigned flags[] = {0, IOSQE_ASYNC};
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int fds[2], results[3];
	char byte = 'x';

	harness_pipe(fds);
	for (unsigned i = 0; i < ARRAY_SIZE(flags); i++) {
		assert_int_equal(ops_run_flags(ring, flags[i], write, fds[0], &byte, 1, 0), -EBADF);
		assert_int_equal(ops_run_flags(ring, flags[i], read, fds[1], &byte, 1, 0), -EBADF);
		ops_prep(ring, 0, IOSQE_IO_HARDLINK | IOSQE_ASYNC, nop);
		ops_prep(ring, 1, IOSQE_IO_HARDLINK | flags[i], write, fds[0], &byte, 1, 0);
		ops_prep(ring, 2, flags[i], read, fds[1], &byte, 1, 0);
		harness_submit(ring, 3);
		ops_collect(ring, results, 3);
		ops_assert_results(results, 0, -EBADF, -EBADF);
	}
	harness_close_pipe(fds);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ops_test(a_read_waits_for_the_writer),
		ops_test(the_offset_is_ignored),
		ops_test(nonblocking_descriptors_wait_as_well),
		ops_test(a_vector_is_filled_as_far_as_the_data_goes),
		ops_test(the_end_of_a_pipe_is_zero),
		ops_test(writing_without_a_reader_is_epipe),
		ops_test(the_wrong_end_of_a_pipe_is_refused),
		ops_test(a_write_waits_for_room),
		ops_test(a_write_larger_than_the_pipe_is_short),
		ops_test(each_byte_goes_to_one_waiting_read),
		ops_test(an_eventfd_gives_its_count),
		ops_test(an_eventfd_wants_eight_bytes),
		ops_test(a_nonblocking_eventfd_waits_as_well),
		ops_test(a_timerfd_gives_its_expirations),
	};

	return harness_run(tests);
}
