/* SPDX-License-Identifier: MIT */
/*
 * Description: IOSQE_ASYNC on every operation: the request goes to a worker straight away, and its
 * answer is the same.
 */
#include "ops_helpers.h"

#include <linux/openat2.h>
#include <sys/eventfd.h>
#include <sys/xattr.h>

/* ops_run() with the flag. */
#define run_async(ring, prep, ...) ops_run_flags(ring, IOSQE_ASYNC, prep, ##__VA_ARGS__)

static void reads_and_writes(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int fd = harness_temp_file(100);
	char buffer[16], second[4];
	struct iovec vector[] = {{buffer, 16}, {second, 4}};

	assert_int_equal(run_async(ring, read, fd, buffer, 16, 50), 16);
	ops_assert_pattern(buffer, 16, 50);
	assert_int_equal(run_async(ring, readv, fd, vector, 2, 10), 20);
	ops_assert_pattern(buffer, 16, 10);
	ops_assert_pattern(second, 4, 26);
	assert_int_equal(run_async(ring, write, fd, "sixteen bytes ..", 16, 100), 16);
	assert_int_equal(run_async(ring, writev, fd, vector, 2, 116), 20);
	assert_int_equal(ops_file_size(fd), 136);
	assert_int_equal(run_async(ring, read, fd, buffer, 16, 130), 6);
	assert_int_equal(run_async(ring, read, -1, buffer, 16, 0), -EBADF);
	close(fd);
}

static void reads_and_writes_of_registered_buffers(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int fd = harness_temp_file(100);
	char *buffer = malloc(4096);
	struct iovec whole = {buffer, 4096};
	struct iovec vector[] = {{buffer + 100, 10}, {buffer, 10}};

	assert_non_null(buffer);
	assert_int_equal(io_uring_register_buffers(ring, &whole, 1), 0);
	assert_int_equal(run_async(ring, read_fixed, fd, buffer + 8, 20, 30, 0), 20);
	ops_assert_pattern(buffer + 8, 20, 30);
	assert_int_equal(run_async(ring, write_fixed, fd, buffer + 8, 20, 100, 0), 20);
	assert_int_equal(run_async(ring, readv_fixed, fd, vector, 2, 0, 0, 0), 20);
	ops_assert_pattern(buffer + 100, 10, 0);
	ops_assert_pattern(buffer, 10, 10);
	assert_int_equal(run_async(ring, writev_fixed, fd, vector, 2, 120, 0, 0), 20);
	assert_int_equal(ops_file_size(fd), 140);
	assert_int_equal(run_async(ring, read_fixed, fd, buffer, 20, 0, 1), -EFAULT);
	assert_int_equal(io_uring_unregister_buffers(ring), 0);
	free(buffer);
	close(fd);
}

static void allocation_and_syncing(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int fd = harness_temp_file(100);
	long page = sysconf(_SC_PAGESIZE);
	char *memory = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_int_equal(run_async(ring, fsync, fd, 0), 0);
	assert_int_equal(run_async(ring, sync_file_range, fd, 0, 0, 0), 0);
	assert_int_equal(run_async(ring, fallocate, fd, 0, 0, 5000), 0);
	assert_int_equal(ops_file_size(fd), 5000);
	assert_int_equal(run_async(ring, ftruncate, fd, 10), 0);
	assert_int_equal(ops_file_size(fd), 10);
	assert_int_equal(run_async(ring, fadvise, fd, 0, 0, POSIX_FADV_WILLNEED), 0);
	memory[0] = 1;
	assert_int_equal(run_async(ring, madvise, memory, page, MADV_DONTNEED), 0);
	assert_int_equal(memory[0], 0);
	munmap(memory, page);
	close(fd);
}

static void opening_and_closing(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct open_how how = {.flags = O_RDONLY | O_CLOEXEC};
	struct open_how direct = {.flags = O_RDONLY};
	int empty[] = {-1, -1};
	int fd;

	close(ops_create(ops, "file", "data"));
	fd = run_async(ring, openat, ops->dir, "file", O_RDONLY | O_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(run_async(ring, close, fd), 0);
	fd = run_async(ring, openat2, ops->dir, "file", &how);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(run_async(ring, openat, ops->dir, "none", O_RDONLY, 0), -ENOENT);

	assert_int_equal(io_uring_register_files(ring, empty, 2), 0);
	assert_int_equal(run_async(ring, openat_direct, ops->dir, "file", O_RDONLY, 0, 0), 0);
	assert_int_equal(run_async(ring, openat2_direct, ops->dir, "file", &direct, 1), 0);
	fd = run_async(ring, fixed_fd_install, 1, 0);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(run_async(ring, close_direct, 0), 0);
	assert_int_equal(run_async(ring, close_direct, 0), -EBADF);
	fd = -1;
	assert_int_equal(run_async(ring, files_update, &fd, 1, 1), 1);
	assert_int_equal(run_async(ring, close_direct, 1), -EBADF);
}

static void names(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int dir = ops->dir;
	struct statx status;

	close(ops_create(ops, "file", "data"));
	assert_int_equal(run_async(ring, statx, dir, "file", 0, STATX_SIZE, &status), 0);
	assert_int_equal(status.stx_size, 4);
	assert_int_equal(run_async(ring, mkdirat, dir, "d", 0700), 0);
	assert_int_equal(run_async(ring, renameat, dir, "file", dir, "d/file", 0), 0);
	assert_int_equal(run_async(ring, symlinkat, "d/file", dir, "s"), 0);
	assert_int_equal(run_async(ring, linkat, dir, "d/file", dir, "l", 0), 0);
	assert_int_equal(run_async(ring, unlinkat, dir, "d", AT_REMOVEDIR), -ENOTEMPTY);
	assert_int_equal(run_async(ring, unlinkat, dir, "d/file", 0), 0);
	assert_int_equal(run_async(ring, unlinkat, dir, "d", AT_REMOVEDIR), 0);
	assert_true(ops_exists(ops, "l") && ops_exists(ops, "s"));
}

static void extended_attributes(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int fd = ops_create(ops, "file", "data");
	char path[PATH_MAX + 8];
	char value[8];

	snprintf(path, sizeof(path), "%s/file", ops->path);
	if (fsetxattr(fd, "user.probe", "", 0, 0) && errno == EOPNOTSUPP) {
		close(fd);
		skip();
	}
	assert_int_equal(run_async(ring, fsetxattr, fd, "user.a", "1", 0, 1), 0);
	assert_int_equal(run_async(ring, setxattr, "user.b", "22", path, 0, 2), 0);
	assert_int_equal(run_async(ring, getxattr, "user.a", value, path, 8), 1);
	assert_int_equal(run_async(ring, fgetxattr, fd, "user.b", value, 8), 2);
	assert_int_equal(run_async(ring, fgetxattr, fd, "user.c", value, 8), -ENODATA);
	close(fd);
}

static void splicing(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int in[2], out[2];
	char buffer[16];

	harness_pipe(in);
	harness_pipe(out);
	assert_int_equal(write(in[1], "abcd", 4), 4);
	assert_int_equal(run_async(ring, tee, in[0], out[1], 2, 0), 2);
	assert_int_equal(run_async(ring, splice, in[0], -1, out[1], -1, 16, 0), 4);
	assert_int_equal(read(out[0], buffer, 16), 6);
	assert_memory_equal(buffer, "ababcd", 6);
	harness_close_pipe(in);
	harness_close_pipe(out);
}

static void what_only_concerns_rings(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct io_uring target;

	harness_init(&target, 4, 0);
	assert_int_equal(run_async(ring, nop), 0);
	assert_int_equal(run_async(ring, cancel64, 4711, 0), -ENOENT);
	assert_int_equal(run_async(ring, msg_ring, target.ring_fd, 5, 6, 0), 0);
	ops_expect(&target, 6, 5);
	io_uring_queue_exit(&target);
}

/* A message from a worker to its own ring. */
static void a_message_to_the_own_ring(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int results[2];

	ops_prep(ring, 0, IOSQE_ASYNC, msg_ring, ring->ring_fd, 5, 1, 0);
	harness_submit(ring, 1);
	ops_collect(ring, results, 2);
	ops_assert_results(results, 0, 5);
}

/* The submit does not wait for a worker, nor do the requests beside it. */
static void the_submitter_does_not_wait(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int in[2], out[2];
	char byte;

	harness_pipe(in);
	harness_pipe(out);
	ops_prep(ring, 0, IOSQE_ASYNC, read, in[0], &byte, 1, 0);
	ops_prep(ring, 1, 0, nop);
	harness_submit(ring, 2);
	ops_expect(ring, 1, 0);
	ops_prep(ring, 2, IOSQE_ASYNC, splice, in[0], -1, out[1], -1, 1, 0);
	ops_prep(ring, 3, IOSQE_ASYNC, nop);
	harness_submit(ring, 2);
	ops_expect(ring, 3, 0);
	assert_int_equal(write(in[1], "ab", 2), 2);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(harness_next(ring).res, 1);
	harness_close_pipe(in);
	harness_close_pipe(out);
}

/* Also where the submitter waits for them at once: they are told of as what workers complete. */
static void completions_are_asynchronous(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int event = eventfd(0, EFD_CLOEXEC);
	int fd = harness_temp_file(100);
	eventfd_t count;
	char byte;

	assert_true(event >= 0);
	assert_int_equal(io_uring_register_eventfd_async(ring, event), 0);
	assert_int_equal(run_async(ring, nop), 0);
	assert_int_equal(eventfd_read(event, &count), 0);
	assert_int_equal(run_async(ring, read, fd, &byte, 1, 0), 1);
	assert_int_equal(eventfd_read(event, &count), 0);
	assert_int_equal(io_uring_unregister_eventfd(ring), 0);
	close(event);
	close(fd);
}

/* More blocked requests than any pool has workers to spare for files: pipes are no files. */
static void many_blocked_requests_stop_nobody(void **state)
{
	enum { COUNT = 200 };
	struct ops *ops = *state;
	struct io_uring ring;
	int fds[2];
	int fd = harness_temp_file(100);
	char byte, buffers[COUNT];
	int results[COUNT];

	(void)ops;
	harness_init(&ring, COUNT, 0);
	harness_pipe(fds);
	for (unsigned i = 0; i < COUNT; i++)
		ops_prep(&ring, i, IOSQE_ASYNC, read, fds[0], buffers + i, 1, 0);
	harness_submit(&ring, COUNT);
	assert_int_equal(run_async(&ring, read, fd, &byte, 1, 0), 1);
	for (unsigned i = 0; i < COUNT; i++)
		assert_int_equal(write(fds[1], "x", 1), 1);
	ops_collect(&ring, results, COUNT);
	for (unsigned i = 0; i < COUNT; i++)
		assert_int_equal(results[i], 1);
	io_uring_queue_exit(&ring);
	harness_close_pipe(fds);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ops_test(reads_and_writes),
		ops_test(reads_and_writes_of_registered_buffers),
		ops_test(allocation_and_syncing),
		ops_dir_test(opening_and_closing),
		ops_dir_test(names),
		ops_dir_test(extended_attributes),
		ops_test(splicing),
		ops_test(what_only_concerns_rings),
		ops_test(a_message_to_the_own_ring),
		ops_test(the_submitter_does_not_wait),
		ops_test(completions_are_asynchronous),
		ops_test(many_blocked_requests_stop_nobody),
	};

	return harness_run(tests);
}
