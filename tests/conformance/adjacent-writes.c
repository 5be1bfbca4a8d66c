/* SPDX-License-Identifier: MIT */
/*
 * Description: many writes in one submission that continue each other. Each ends with a result of
 * its own, whatever becomes of its neighbours: a bad buffer, the limit of file sizes, a descriptor
 * that is not open for writing, a registered buffer. With IOSQE_ASYNC, too, and to files in memory.
 */
#include "ops_helpers.h"

#include <sys/mman.h>
#include <sys/resource.h>

enum { COUNT = 16, PART = 1000, BAD = 7 };

static unsigned char data[COUNT * PART];

static void fill_data(void)
{
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = harness_byte(i);
}

static void take(struct io_uring *ring, int results[COUNT])
{
	for (unsigned i = 0; i < COUNT; i++) {
		struct harness_cqe cqe = harness_next(ring);

		assert_in_range(cqe.user_data, 0, COUNT - 1);
		results[cqe.user_data] = cqe.res;
	}
	harness_assert_empty(ring);
}

/* The results by the place of the write; with @bad the buffer of one of them does not exist. */
static void write_all(struct io_uring *ring, int fd, unsigned flags, bool bad, int results[COUNT])
{
	fill_data();
	for (unsigned i = 0; i < COUNT; i++) {
		const void *from = bad && i == BAD ? (const void *)8 : data + (size_t)i * PART;

		ops_prep(ring, i, flags, write, fd, from, PART, (uint64_t)i * PART);
	}
	harness_submit(ring, COUNT);
	take(ring, results);
}

static void assert_content(int fd, off_t at, const unsigned char *wanted, size_t length)
{
	static unsigned char found[sizeof(data)];

	assert_int_equal(pread(fd, found, length, at), length);
	assert_memory_equal(found, wanted, length);
}

static int memory_file(void)
{
	int fd = memfd_create("adjacent-writes", MFD_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static const unsigned ways[] = {0, IOSQE_ASYNC, 0, IOSQE_ASYNC};

/* An empty file: the last two ways are in memory. */
static int file_for(unsigned way)
{
	return way < 2 ? harness_temp_file(0) : memory_file();
}

static void all_are_written(void **state)
{
	struct ops *ops = *state;

	for (unsigned way = 0; way < ARRAY_SIZE(ways); way++) {
		int fd = file_for(way), results[COUNT];

		write_all(&ops->ring, fd, ways[way], false, results);
		for (unsigned i = 0; i < COUNT; i++)
			assert_int_equal(results[i], PART);
		assert_content(fd, 0, data, sizeof(data));
		close(fd);
	}
}

static void a_bad_buffer_is_its_own_affair(void **state)
{
	struct ops *ops = *state;

	for (unsigned way = 0; way < ARRAY_SIZE(ways); way++) {
		int fd = file_for(way), results[COUNT];

		write_all(&ops->ring, fd, ways[way], true, results);
		for (unsigned i = 0; i < COUNT; i++)
			assert_int_equal(results[i], i == BAD ? -EFAULT : PART);
		memset(data + (size_t)BAD * PART, 0, PART);
		assert_content(fd, 0, data, sizeof(data));
		close(fd);
	}
}

static void the_limit_of_file_sizes_cuts_one(void **state)
{
	enum { LIMIT = 5 * PART + 300 };
	struct ops *ops = *state;
	struct rlimit limit, limited;

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limited = (struct rlimit){LIMIT, limit.rlim_max};
	for (unsigned way = 0; way < ARRAY_SIZE(ways); way++) {
		int fd = file_for(way), results[COUNT];

		assert_int_equal(setrlimit(RLIMIT_FSIZE, &limited), 0);
		write_all(&ops->ring, fd, ways[way], false, results);
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
		for (unsigned i = 0; i < COUNT; i++)
			assert_int_equal(results[i], i < 5 ? PART : i == 5 ? 300 : -EFBIG);
		assert_int_equal(lseek(fd, 0, SEEK_END), LIMIT);
		assert_content(fd, 0, data, LIMIT);
		close(fd);
	}
}

static void a_file_for_reading_refuses_each(void **state)
{
	struct ops *ops = *state;
	char path[PATH_MAX];

	for (unsigned way = 0; way < ARRAY_SIZE(ways); way++) {
		int file = file_for(way), fd, results[COUNT];

		snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		assert_true(fd >= 0);
		write_all(&ops->ring, fd, ways[way], false, results);
		for (unsigned i = 0; i < COUNT; i++)
			assert_int_equal(results[i], -EBADF);
		close(fd);
		close(file);
	}
}

/* Each has its own: one that does not lie in it, or has none, fails alone. */
static void registered_buffers(void **state)
{
	enum { HALF = sizeof(data) / 2 };
	struct iovec halves[2] = {{data, HALF}, {data + HALF, HALF}};
	static unsigned char found[sizeof(data)];
	struct ops *ops = *state;

	fill_data();
	assert_int_equal(io_uring_register_buffers(&ops->ring, halves, 2), 0);
	for (unsigned way = 0; way < ARRAY_SIZE(ways); way++) {
		int fd = file_for(way), results[COUNT];

		for (unsigned i = 0; i < COUNT; i++) {
			int index = i == BAD ? 1 : i == BAD + 4 ? 9 : i >= COUNT / 2;

			ops_prep(&ops->ring, i, ways[way], write_fixed, fd, data + (size_t)i * PART,
				 PART, (uint64_t)i * PART, index);
		}
		harness_submit(&ops->ring, COUNT);
		take(&ops->ring, results);
		for (unsigned i = 0; i < COUNT; i++)
			assert_int_equal(results[i], i == BAD || i == BAD + 4 ? -EFAULT : PART);
		memcpy(found, data, sizeof(data));
		memset(found + (size_t)BAD * PART, 0, PART);
		memset(found + (size_t)(BAD + 4) * PART, 0, PART);
		assert_content(fd, 0, found, sizeof(found));
		close(fd);
	}
	assert_int_equal(io_uring_unregister_buffers(&ops->ring), 0);
}

/* Offsets mean nothing there, but on one worker after the other the order is that of submission. */
static void appended_in_order(void **state)
{
	struct ops *ops = *state;
	int fd = harness_temp_file(10), results[COUNT];

	assert_int_equal(fcntl(fd, F_SETFL, O_APPEND), 0);
	write_all(&ops->ring, fd, IOSQE_ASYNC, false, results);
	for (unsigned i = 0; i < COUNT; i++)
		assert_int_equal(results[i], PART);
	assert_int_equal(lseek(fd, 0, SEEK_END), 10 + sizeof(data));
	assert_content(fd, 10, data, sizeof(data));
	close(fd);
}

/* What overlaps is written in the order of submission, by workers of one inode. */
static void the_last_one_stays(void **state)
{
	struct ops *ops = *state;
	int fd = harness_temp_file(0);
	unsigned char wanted[30];

	fill_data();
	for (unsigned round = 0; round < 20; round++) {
		/* 0 to 9, 10 to 19, again 10 to 19, and 20 to 29. */
		for (unsigned i = 0; i < 4; i++)
			ops_prep(&ops->ring, i, IOSQE_ASYNC, write, fd,
				 data + (size_t)(round * 4 + i) * 10, 10,
				 (uint64_t)(i < 2 ? i : i - 1) * 10);
		harness_submit(&ops->ring, 4);
		for (unsigned i = 0; i < 4; i++)
			assert_int_equal(harness_next(&ops->ring).res, 10);
		memcpy(wanted, data + (size_t)round * 40, 10);
		memcpy(wanted + 10, data + (size_t)round * 40 + 20, 20);
		assert_content(fd, 0, wanted, sizeof(wanted));
	}
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ops_test(all_are_written),
		ops_test(a_bad_buffer_is_its_own_affair),
		ops_test(the_limit_of_file_sizes_cuts_one),
		ops_test(a_file_for_reading_refuses_each),
		ops_test(registered_buffers),
		ops_test(appended_in_order),
		ops_test(the_last_one_stays),
	};

	return harness_run(tests);
}
