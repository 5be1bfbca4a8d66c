/* SPDX-License-Identifier: MIT */
/*
 * Description: many reads in one submission that continue each other. Each ends with a result of
 * its own, whatever becomes of its neighbours, and before what comes after it in the submission is
 * looked at.
 */
#include "ops_helpers.h"

enum { COUNT = 16, PART = 1000, BAD = 7 };

static unsigned char buffer[COUNT * PART];

static struct io_uring_sqe *queue_read(struct io_uring *ring, int fd, unsigned flags, unsigned i)
{
	return ops_prep(ring, i, flags, read, fd, buffer + (size_t)i * PART, PART,
			(uint64_t)i * PART);
}

static void take(struct io_uring *ring, unsigned count, int results[])
{
	for (unsigned i = 0; i < count; i++) {
		struct harness_cqe cqe = harness_next(ring);

		assert_in_range(cqe.user_data, 0, count - 1);
		results[cqe.user_data] = cqe.res;
	}
	harness_assert_empty(ring);
}

static void assert_read(size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		assert_int_equal(buffer[i], harness_byte(i));
}

static const unsigned ways[] = {0, IOSQE_ASYNC};

static void all_are_read(void **state)
{
	struct ops *ops = *state;
	int fd = harness_temp_file(sizeof(buffer)), results[COUNT];

	for (unsigned way = 0; way < ARRAY_SIZE(ways); way++) {
		memset(buffer, 0, sizeof(buffer));
		for (unsigned i = 0; i < COUNT; i++)
			queue_read(&ops->ring, fd, ways[way], i);
		harness_submit(&ops->ring, COUNT);
		take(&ops->ring, COUNT, results);
		for (unsigned i = 0; i < COUNT; i++)
			assert_int_equal(results[i], PART);
		assert_read(0, sizeof(buffer));
	}
	close(fd);
}

static void the_file_ends_in_one(void **state)
{
	enum { SIZE = 5 * PART + 300 };
	struct ops *ops = *state;
	int fd = harness_temp_file(SIZE), results[COUNT];

	for (unsigned way = 0; way < ARRAY_SIZE(ways); way++) {
		memset(buffer, 0, sizeof(buffer));
		for (unsigned i = 0; i < COUNT; i++)
			queue_read(&ops->ring, fd, ways[way], i);
		harness_submit(&ops->ring, COUNT);
		take(&ops->ring, COUNT, results);
		for (unsigned i = 0; i < COUNT; i++)
			assert_int_equal(results[i], i < 5 ? PART : i == 5 ? 300 : 0);
		assert_read(0, SIZE);
	}
	close(fd);
}

static void a_bad_buffer_is_its_own_affair(void **state)
{
	struct ops *ops = *state;
	int fd = harness_temp_file(sizeof(buffer)), results[COUNT];

	for (unsigned way = 0; way < ARRAY_SIZE(ways); way++) {
		memset(buffer, 0, sizeof(buffer));
		for (unsigned i = 0; i < COUNT; i++) {
			struct io_uring_sqe *sqe = queue_read(&ops->ring, fd, ways[way], i);

			if (i == BAD)
				sqe->addr = 8;
		}
		harness_submit(&ops->ring, COUNT);
		take(&ops->ring, COUNT, results);
		for (unsigned i = 0; i < COUNT; i++)
			assert_int_equal(results[i], i == BAD ? -EFAULT : PART);
		assert_read(0, (size_t)BAD * PART);
		assert_read((size_t)(BAD + 1) * PART, sizeof(buffer));
	}
	close(fd);
}

/* A descriptor that is not open for reading, or does not exist. */
static void each_is_refused(void **state)
{
	struct ops *ops = *state;
	int file = harness_temp_file(sizeof(buffer)), results[COUNT];
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < COUNT; i++)
			queue_read(&ops->ring, round ? -1 : fd, 0, i);
		harness_submit(&ops->ring, COUNT);
		take(&ops->ring, COUNT, results);
		for (unsigned i = 0; i < COUNT; i++)
			assert_int_equal(results[i], -EBADF);
	}
	close(fd);
	close(file);
}

/* A pipe has no offsets: what looks like a row of reads takes what there is, one after the other.
 */
static void pipes_know_no_offsets(void **state)
{
	struct ops *ops = *state;
	int ends[2], results[3];

	harness_pipe(ends);
	assert_int_equal(write(ends[1], "abcdefg", 7), 7);
	memset(buffer, 0, sizeof(buffer));
	for (unsigned i = 0; i < 3; i++)
		ops_prep(&ops->ring, i, 0, read, ends[0], buffer + (size_t)i * 3, 3,
			 (uint64_t)i * 3);
	harness_submit(&ops->ring, 3);
	take(&ops->ring, 3, results);
	assert_int_equal(results[0], 3);
	assert_int_equal(results[1], 3);
	assert_int_equal(results[2], 1);
	assert_memory_equal(buffer, "abcdefg", 7);
	harness_close_pipe(ends);
}

/* The one that is refused ends the submission; those before it have been carried out. */
static void refused_in_the_middle(void **state)
{
	struct ops *ops = *state;
	int fd = harness_temp_file(sizeof(buffer)), results[COUNT];

	for (unsigned i = 0; i < COUNT; i++)
		queue_read(&ops->ring, fd, 0, i)->personality = i == BAD ? 77 : 0;
	assert_int_equal(io_uring_submit(&ops->ring), BAD + 1);
	take(&ops->ring, BAD + 1, results);
	for (unsigned i = 0; i <= BAD; i++)
		assert_int_equal(results[i], i == BAD ? -EINVAL : PART);
	harness_submit(&ops->ring, COUNT - BAD - 1);
	for (unsigned i = BAD + 1; i < COUNT; i++)
		assert_int_equal(harness_next(&ops->ring).res, PART);
	close(fd);
}

/* What follows in the submission may depend on what was read: a time to wait for. */
static void read_before_the_next_is_looked_at(void **state)
{
	static struct __kernel_timespec times[2];
	struct __kernel_timespec stored[2] = {{0, 1}, {0, 2}};
	struct ops *ops = *state;
	int fd = harness_temp_file(0);

	assert_int_equal(pwrite(fd, stored, sizeof(stored), 0), sizeof(stored));
	times[0].tv_sec = times[1].tv_sec = 3600;
	ops_prep(&ops->ring, 0, 0, read, fd, &times[0], sizeof(times[0]), 0);
	ops_prep(&ops->ring, 1, 0, read, fd, &times[1], sizeof(times[1]), sizeof(times[0]));
	ops_prep(&ops->ring, 2, 0, timeout, &times[1], 0, 0);
	harness_submit(&ops->ring, 3);
	for (unsigned i = 0; i < 3; i++) {
		struct harness_cqe cqe = harness_next(&ops->ring);

		assert_int_equal(cqe.user_data, i);
		assert_int_equal(cqe.res, i < 2 ? (int)sizeof(times[0]) : -ETIME);
	}
	assert_memory_equal(times, stored, sizeof(stored));
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ops_test(all_are_read),
		ops_test(the_file_ends_in_one),
		ops_test(a_bad_buffer_is_its_own_affair),
		ops_test(each_is_refused),
		ops_test(pipes_know_no_offsets),
		ops_test(refused_in_the_middle),
		ops_test(read_before_the_next_is_looked_at),
	};

	return harness_run(tests);
}
