/* SPDX-License-Identifier: MIT */
/*
 * Description: READ, WRITE, READV and WRITEV on regular files: data, offsets, the file position,
 * end of file, short transfers, and what bad arguments are answered with.
 */
#include "ops_helpers.h"

#include <sys/epoll.h>
#include <sys/resource.h>

static void read_and_write_at_an_offset(void **state)
{
	struct ops *ops = *state;
	int fd = harness_temp_file(8192);
	char buffer[256];

	assert_int_equal(ops_run(&ops->ring, read, fd, buffer, 256, 4000), 256);
	ops_assert_pattern(buffer, 256, 4000);

	assert_int_equal(ops_run(&ops->ring, write, fd, "twelve bytes", 12, 100), 12);
	assert_int_equal(pread(fd, buffer, 14, 99), 14);
	assert_memory_equal(buffer + 1, "twelve bytes", 12);
	assert_int_equal(lseek(fd, 0, SEEK_CUR), 0);
	close(fd);
}

static void a_write_behind_the_end_leaves_a_hole(void **state)
{
	struct ops *ops = *state;
	int fd = harness_temp_file(0);
	char buffer[4];

	assert_int_equal(ops_run(&ops->ring, write, fd, "x", 1, 1 << 20), 1);
	assert_int_equal(ops_file_size(fd), (1 << 20) + 1);
	assert_int_equal(ops_run(&ops->ring, read, fd, buffer, 4, (1 << 20) - 3), 4);
	assert_memory_equal(buffer, "\0\0\0x", 4);
	close(fd);
}

static void vectors_are_filled_and_written_in_order(void **state)
{
	struct ops *ops = *state;
	int fd = harness_temp_file(4096);
	char a[3], b[100], c[1];
	struct iovec in[] = {{a, 3}, {NULL, 0}, {b, 100}, {c, 1}};
	struct iovec out[] = {{"one", 3}, {"two", 0}, {"three", 5}};

	assert_int_equal(ops_run(&ops->ring, readv, fd, in, 4, 50), 104);
	ops_assert_pattern(a, 3, 50);
	ops_assert_pattern(b, 100, 53);
	ops_assert_pattern(c, 1, 153);

	assert_int_equal(ops_run(&ops->ring, writev, fd, out, 3, 0), 8);
	assert_int_equal(pread(fd, b, 8, 0), 8);
	assert_memory_equal(b, "onethree", 8);
	close(fd);
}

static void offset_minus_one_uses_and_moves_the_position(void **state)
{
	struct ops *ops = *state;
	int fd = harness_temp_file(4096);
	char buffer[64];
	struct iovec vector = {buffer, 10};

	lseek(fd, 1000, SEEK_SET);
	assert_int_equal(ops_run(&ops->ring, read, fd, buffer, 64, -1), 64);
	ops_assert_pattern(buffer, 64, 1000);
	assert_int_equal(lseek(fd, 0, SEEK_CUR), 1064);

	assert_int_equal(ops_run(&ops->ring, readv, fd, &vector, 1, -1), 10);
	ops_assert_pattern(buffer, 10, 1064);
	assert_int_equal(lseek(fd, 0, SEEK_CUR), 1074);

	assert_int_equal(ops_run(&ops->ring, write, fd, "abc", 3, -1), 3);
	assert_int_equal(lseek(fd, 0, SEEK_CUR), 1077);
	assert_int_equal(ops_run(&ops->ring, writev, fd, &vector, 1, -1), 10);
	assert_int_equal(lseek(fd, 0, SEEK_CUR), 1087);
	assert_int_equal(pread(fd, buffer, 3, 1074), 3);
	assert_memory_equal(buffer, "abc", 3);
	close(fd);
}

/* An explicit offset leaves the position alone, also one given in between. */
static void an_offset_does_not_move_the_position(void **state)
{
	struct ops *ops = *state;
	int fd = harness_temp_file(4096);
	char buffer[64];

	lseek(fd, 10, SEEK_SET);
	assert_int_equal(ops_run(&ops->ring, read, fd, buffer, 64, 2000), 64);
	assert_int_equal(ops_run(&ops->ring, write, fd, buffer, 64, 3000), 64);
	assert_int_equal(lseek(fd, 0, SEEK_CUR), 10);
	close(fd);
}

/* The position belongs to the open file: a duplicate of the descriptor shares it. */
static void the_position_is_shared_with_a_duplicate(void **state)
{
	struct ops *ops = *state;
	int fd = harness_temp_file(4096);
	int duplicate = dup(fd);
	char buffer[64];

	assert_int_equal(ops_run(&ops->ring, read, fd, buffer, 64, -1), 64);
	assert_int_equal(ops_run(&ops->ring, read, duplicate, buffer, 32, -1), 32);
	ops_assert_pattern(buffer, 32, 64);
	assert_int_equal(lseek(fd, 0, SEEK_CUR), 96);
	close(duplicate);
	close(fd);
}

/* In a chain each read begins where the one before ended, with and without workers. */
static void check_chain_at_the_position(unsigned count, unsigned flags)
{
	enum { SIZE = 16 };
	unsigned char *buffers = malloc((size_t)count * SIZE);
	int *results = calloc(count, sizeof(*results));
	int fd = harness_temp_file((size_t)count * SIZE);
	struct io_uring ring;

	assert_non_null(buffers);
	assert_non_null(results);
	harness_init(&ring, count, 0);
	lseek(fd, 0, SEEK_SET);
	for (unsigned i = 0; i < count; i++) {
		unsigned link = i + 1 < count ? IOSQE_IO_LINK : 0;

		ops_prep(&ring, i, link | flags, read, fd, buffers + i * SIZE, SIZE, -1);
	}
	harness_submit(&ring, count);
	ops_collect(&ring, results, count);
	for (unsigned i = 0; i < count; i++)
		assert_int_equal(results[i], SIZE);
	ops_assert_pattern(buffers, (size_t)count * SIZE, 0);
	assert_int_equal(lseek(fd, 0, SEEK_CUR), count * SIZE);
	io_uring_queue_exit(&ring);
	close(fd);
	free(results);
	free(buffers);
}

static void linked_reads_follow_the_position(void **state)
{
	(void)state;
	check_chain_at_the_position(2048, 0);
}

static void linked_reads_in_workers_follow_the_position(void **state)
{
	(void)state;
	check_chain_at_the_position(64, IOSQE_ASYNC);
}

static void linked_writes_follow_the_position(void **state)
{
	struct ops *ops = *state;
	int fd = harness_temp_file(0);
	char text[32 * 4 + 1], back[32 * 4];
	int results[32];

	for (unsigned i = 0; i < 32; i++) {
		unsigned link = i + 1 < 32 ? IOSQE_IO_LINK : 0;

		snprintf(text + 4 * i, 5, "%03u,", i);
		ops_prep(&ops->ring, i, link, write, fd, text + 4 * i, 4, -1);
	}
	harness_submit(&ops->ring, 32);
	ops_collect(&ops->ring, results, 32);
	for (unsigned i = 0; i < 32; i++)
		assert_int_equal(results[i], 4);
	assert_int_equal(pread(fd, back, sizeof(back), 0), sizeof(back));
	assert_memory_equal(back, text, sizeof(back));
	close(fd);
}

static void reads_end_at_the_end_of_the_file(void **state)
{
	struct ops *ops = *state;
	int fd = harness_temp_file(1000);
	char buffer[256];
	struct iovec vector[] = {{buffer, 128}, {buffer + 128, 128}};

	assert_int_equal(ops_run(&ops->ring, read, fd, buffer, 256, 900), 100);
	ops_assert_pattern(buffer, 100, 900);
	assert_int_equal(ops_run(&ops->ring, readv, fd, vector, 2, 850), 150);
	ops_assert_pattern(buffer, 150, 850);
	assert_int_equal(ops_run(&ops->ring, read, fd, buffer, 256, 1000), 0);
	assert_int_equal(ops_run(&ops->ring, readv, fd, vector, 2, 1 << 30), 0);
	lseek(fd, 0, SEEK_END);
	assert_int_equal(ops_run(&ops->ring, read, fd, buffer, 256, -1), 0);
	assert_int_equal(lseek(fd, 0, SEEK_CUR), 1000);
	close(fd);
}

/* Only the first half of the range is in the page cache: the request still brings all of it. */
static void a_partly_cached_read_is_continued(void **state)
{
	enum { SIZE = 1 << 20 };
	struct ops *ops = *state;
	int fd = harness_temp_file(SIZE);
	unsigned char *buffer = malloc(SIZE);

	assert_non_null(buffer);
	for (unsigned round = 0; round < 4; round++) {
		assert_int_equal(fsync(fd), 0);
		assert_int_equal(posix_fadvise(fd, SIZE / 2, SIZE / 2, POSIX_FADV_DONTNEED), 0);
		memset(buffer, 0, SIZE);
		assert_int_equal(ops_run(&ops->ring, read, fd, buffer, SIZE, 0), SIZE);
		ops_assert_pattern(buffer, SIZE, 0);
	}
	free(buffer);
	close(fd);
}

static void append_ignores_the_offset(void **state)
{
	struct ops *ops = *state;
	int fd = ops_create(ops, "log", "12345");
	int append = openat(ops->dir, "log", O_RDWR | O_APPEND | O_CLOEXEC);
	char buffer[16];

	assert_true(append >= 0);
	assert_int_equal(ops_run(&ops->ring, write, append, "ab", 2, 0), 2);
	assert_int_equal(lseek(append, 0, SEEK_CUR), 0);
	assert_int_equal(ops_run(&ops->ring, write, append, "cd", 2, -1), 2);
	assert_int_equal(lseek(append, 0, SEEK_CUR), 9);
	assert_int_equal(pread(fd, buffer, 16, 0), 9);
	assert_memory_equal(buffer, "12345abcd", 9);
	close(append);
	close(fd);
}

static void zero_bytes_are_a_valid_request(void **state)
{
	struct ops *ops = *state;
	int fd = harness_temp_file(100);
	char buffer[4];
	struct iovec empty[] = {{NULL, 0}, {buffer, 0}};

	assert_int_equal(ops_run(&ops->ring, read, fd, buffer, 0, 0), 0);
	assert_int_equal(ops_run(&ops->ring, read, fd, NULL, 0, 0), 0);
	assert_int_equal(ops_run(&ops->ring, write, fd, NULL, 0, 50), 0);
	assert_int_equal(ops_run(&ops->ring, readv, fd, empty, 2, 0), 0);
	assert_int_equal(ops_run(&ops->ring, writev, fd, empty, 2, 50), 0);
	assert_int_equal(ops_file_size(fd), 100);
	close(fd);
}

/* A length beyond what one call may move is cut, not refused. */
static void an_overlong_length_is_cut(void **state)
{
	struct ops *ops = *state;
	int fd = harness_temp_file(5000);
	size_t room = (size_t)1 << 33;
	char *buffer = mmap(NULL, room, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	struct iovec vector = {buffer, room};

	assert_ptr_not_equal(buffer, MAP_FAILED);
	assert_int_equal(ops_run(&ops->ring, read, fd, buffer, UINT_MAX, 0), 5000);
	ops_assert_pattern(buffer, 5000, 0);
	assert_int_equal(ops_run(&ops->ring, readv, fd, &vector, 1, 0), 5000);
	munmap(buffer, room);
	close(fd);
}

static void bad_vectors_are_refused(void **state)
{
	struct ops *ops = *state;
	int fd = harness_temp_file(5000);
	char buffer[16];
	struct iovec many[IOV_MAX + 1];
	struct iovec negative = {buffer, (size_t)-1};

	for (unsigned i = 0; i < ARRAY_SIZE(many); i++)
		many[i] = (struct iovec){buffer, 1};
	assert_int_equal(ops_run(&ops->ring, readv, fd, many, IOV_MAX, 0), IOV_MAX);
	assert_int_equal(ops_run(&ops->ring, readv, fd, many, IOV_MAX + 1, 0), -EINVAL);
	assert_int_equal(ops_run(&ops->ring, writev, fd, many, UINT_MAX, 0), -EINVAL);
	assert_int_equal(ops_run(&ops->ring, readv, fd, many, 0, 0), 0);
	assert_int_equal(ops_run(&ops->ring, writev, fd, NULL, 0, 0), 0);
	assert_int_equal(ops_run(&ops->ring, readv, fd, NULL, 1, 0), -EFAULT);
	assert_int_equal(ops_run(&ops->ring, writev, fd, ops_bad_address(), 2, 0), -EFAULT);
	assert_int_equal(ops_run(&ops->ring, readv, fd, &negative, 1, 0), -EINVAL);
	close(fd);
}

/* A bad data pointer fails the transfer; what was moved before it counts. */
static void bad_data_pointers_give_efault(void **state)
{
	struct ops *ops = *state;
	int fd = harness_temp_file(20000);
	long page = sysconf(_SC_PAGESIZE);
	char *bad = ops_bad_address();
	char *edge =
		mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct iovec half[] = {{edge, 16}, {bad, 16}};

	assert_ptr_not_equal(edge, MAP_FAILED);
	assert_int_equal(ops_run(&ops->ring, read, fd, bad, 16, 0), -EFAULT);
	assert_int_equal(ops_run(&ops->ring, write, fd, bad, 16, 0), -EFAULT);
	assert_int_equal(ops_run(&ops->ring, read, fd, NULL, 16, 0), -EFAULT);
	assert_int_equal(ops_run(&ops->ring, read, fd, (void *)-4096l, 16, 0), -EFAULT);
	assert_int_equal(ops_run(&ops->ring, readv, fd, half, 2, 0), 16);
	assert_int_equal(ops_run(&ops->ring, writev, fd, half, 2, 0), 16);
	munmap(edge + page, page);
	assert_int_equal(ops_run(&ops->ring, read, fd, edge, 2 * page, 0), page);
	munmap(edge, page);
	assert_int_equal(ops_file_size(fd), 20000);
	close(fd);
}

/* A bad descriptor is that request's answer; the rest of the batch is not touched by it. */
static void a_bad_descriptor_does_not_stop_the_batch(void **state)
{
	struct ops *ops = *state;
	int fd = harness_temp_file(100);
	char buffer[10];
	struct iovec vector = {buffer, 10};
	int results[5];

	ops_prep(&ops->ring, 0, 0, read, fd, buffer, 10, 0);
	ops_prep(&ops->ring, 1, 0, read, -1, buffer, 10, 0);
	ops_prep(&ops->ring, 2, 0, write, 100000, buffer, 10, 0);
	ops_prep(&ops->ring, 3, 0, readv, INT_MIN, &vector, 1, 0);
	ops_prep(&ops->ring, 4, 0, read, fd, buffer, 10, 50);
	harness_submit(&ops->ring, 5);
	ops_collect(&ops->ring, results, 5);
	assert_int_equal(results[0], 10);
	assert_int_equal(results[1], -EBADF);
	assert_int_equal(results[2], -EBADF);
	assert_int_equal(results[3], -EBADF);
	assert_int_equal(results[4], 10);
	close(fd);
}

static void the_wrong_kind_of_descriptor_is_refused(void **state)
{
	struct ops *ops = *state;
	char buffer[10] = "";
	int fd = ops_create(ops, "file", "0123456789");
	int only_read = openat(ops->dir, "file", O_RDONLY | O_CLOEXEC);
	int only_write = openat(ops->dir, "file", O_WRONLY | O_CLOEXEC);
	int path = openat(ops->dir, "file", O_PATH | O_CLOEXEC);

	assert_int_equal(ops_run(&ops->ring, write, only_read, buffer, 10, 0), -EBADF);
	assert_int_equal(ops_run(&ops->ring, read, only_write, buffer, 10, 0), -EBADF);
	assert_int_equal(ops_run(&ops->ring, read, path, buffer, 10, 0), -EBADF);
	assert_int_equal(ops_run(&ops->ring, read, ops->dir, buffer, 10, 0), -EISDIR);
	assert_int_equal(ops_run(&ops->ring, write, ops->dir, buffer, 10, 0), -EBADF);
	close(path);
	close(only_write);
	close(only_read);
	close(fd);
}

/* An epoll descriptor cannot be read, which shows only when it is ready: until then it is polled.
 */
static void a_descriptor_without_data_is_refused(void **state)
{
	struct ops *ops = *state;
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	int event = eventfd(0, EFD_CLOEXEC);
	struct epoll_event interest = {.events = EPOLLIN};
	char buffer[8];

	assert_int_equal(epoll_ctl(epoll, EPOLL_CTL_ADD, event, &interest), 0);
	ops_prep(&ops->ring, 0, 0, read, epoll, buffer, 8, 0);
	harness_submit(&ops->ring, 1);
	assert_int_equal(eventfd_write(event, 1), 0);
	assert_int_equal(harness_next(&ops->ring).res, -EINVAL);
	close(event);
	close(epoll);
}

static void negative_offsets_are_refused(void **state)
{
	struct ops *ops = *state;
	int fd = harness_temp_file(100);
	char buffer[10] = "";

	assert_int_equal(ops_run(&ops->ring, read, fd, buffer, 10, -2), -EINVAL);
	assert_int_equal(ops_run(&ops->ring, write, fd, buffer, 10, -2), -EINVAL);
	assert_int_equal(ops_run(&ops->ring, write, fd, buffer, 10, LLONG_MIN), -EINVAL);
	assert_int_equal(ops_run(&ops->ring, read, fd, buffer, 10, LLONG_MAX), -EINVAL);
	assert_int_equal(ops_run(&ops->ring, write, fd, buffer, 10, LLONG_MAX), -EINVAL);
	close(fd);
}

static int run_with_priority(struct io_uring *ring, int fd, unsigned priority)
{
	char buffer[10];
	struct io_uring_sqe *sqe = ops_prep(ring, 0, 0, read, fd, buffer, 10, 0);

	sqe->ioprio = (uint16_t)priority;
	return harness_result(ring);
}

/* ioprio is an I/O priority here: class in the upper three bits, level below. */
static void the_priority_is_checked(void **state)
{
	enum { REALTIME = 1, BEST_EFFORT = 2, IDLE = 3, SHIFT = 13 };
	struct ops *ops = *state;
	int fd = harness_temp_file(100);

	assert_int_equal(run_with_priority(&ops->ring, fd, BEST_EFFORT << SHIFT | 4), 10);
	assert_int_equal(run_with_priority(&ops->ring, fd, IDLE << SHIFT), 10);
	assert_int_equal(run_with_priority(&ops->ring, fd, 1), -EINVAL);
	assert_int_equal(run_with_priority(&ops->ring, fd, BEST_EFFORT << SHIFT | 8), 10);
	assert_int_equal(run_with_priority(&ops->ring, fd, 4 << SHIFT), -EINVAL);
	assert_int_equal(run_with_priority(&ops->ring, fd, 7 << SHIFT), -EINVAL);
	close(fd);
}

/* buf_index means something with a registered or a selected buffer only. */
static void the_buffer_index_is_ignored(void **state)
{
	struct ops *ops = *state;
	int fd = harness_temp_file(100);
	char buffer[10];
	struct io_uring_sqe *sqe = ops_prep(&ops->ring, 0, 0, read, fd, buffer, 10, 0);

	sqe->buf_index = 7;
	assert_int_equal(harness_result(&ops->ring), 10);
	close(fd);
}

/* The file size limit: a write across it is short, one behind it fails, and no signal kills. */
static void the_file_size_limit_gives_efbig(void **state)
{
	struct ops *ops = *state;
	struct rlimit saved, limit;
	int fd = harness_temp_file(1000);
	char buffer[200] = "";
	int across, behind, behind_async;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &saved), 0);
	limit = (struct rlimit){.rlim_cur = 1000, .rlim_max = saved.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	across = ops_run(&ops->ring, write, fd, buffer, 200, 900);
	behind = ops_run(&ops->ring, write, fd, buffer, 200, 1000);
	behind_async = ops_run_flags(&ops->ring, IOSQE_ASYNC, write, fd, buffer, 200, 2000);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &saved), 0);

	assert_int_equal(across, 100);
	assert_int_equal(behind, -EFBIG);
	assert_int_equal(behind_async, -EFBIG);
	assert_int_equal(ops_file_size(fd), 1000);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ops_test(read_and_write_at_an_offset),
		ops_test(a_write_behind_the_end_leaves_a_hole),
		ops_test(vectors_are_filled_and_written_in_order),
		ops_test(offset_minus_one_uses_and_moves_the_position),
		ops_test(an_offset_does_not_move_the_position),
		ops_test(the_position_is_shared_with_a_duplicate),
		ops_test(linked_reads_follow_the_position),
		ops_test(linked_reads_in_workers_follow_the_position),
		ops_test(linked_writes_follow_the_position),
		ops_test(reads_end_at_the_end_of_the_file),
		ops_test(a_partly_cached_read_is_continued),
		ops_dir_test(append_ignores_the_offset),
		ops_test(zero_bytes_are_a_valid_request),
		ops_test(an_overlong_length_is_cut),
		ops_test(bad_vectors_are_refused),
		ops_test(bad_data_pointers_give_efault),
		ops_test(a_bad_descriptor_does_not_stop_the_batch),
		ops_dir_test(the_wrong_kind_of_descriptor_is_refused),
		ops_test(a_descriptor_without_data_is_refused),
		ops_test(negative_offsets_are_refused),
		ops_test(the_priority_is_checked),
		ops_test(the_buffer_index_is_ignored),
		ops_test(the_file_size_limit_gives_efbig),
	};

	return harness_run(tests);
}
