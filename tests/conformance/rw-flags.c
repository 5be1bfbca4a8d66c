/* SPDX-License-Identifier: MIT */
/*
 * Description: the RWF_* flags of READ and WRITE: those that act, those that are refused, and what
 * RWF_NOWAIT means on files and pipes.
 */
#include "ops_helpers.h"

#ifndef RWF_NOAPPEND
#define RWF_NOAPPEND 0x00000020
#endif
#ifndef RWF_ATOMIC
#define RWF_ATOMIC 0x00000040
#endif
#ifndef RWF_DONTCACHE
#define RWF_DONTCACHE 0x00000080
#endif

static int read_with(struct io_uring *ring, int fd, unsigned flags)
{
	char buffer[16];
	struct io_uring_sqe *sqe = ops_prep(ring, 0, 0, read, fd, buffer, 16, 0);

	sqe->rw_flags = (int)flags;
	return harness_result(ring);
}

static int write_with(struct io_uring *ring, int fd, const char *text, int64_t offset,
		      unsigned flags)
{
	struct io_uring_sqe *sqe =
		ops_prep(ring, 0, 0, write, fd, text, (unsigned)strlen(text), (uint64_t)offset);

	sqe->rw_flags = (int)flags;
	return harness_result(ring);
}

static void sync_flags_are_taken(void **state)
{
	struct ops *ops = *state;
	int fd = harness_temp_file(100);

	assert_int_equal(write_with(&ops->ring, fd, "abc", 0, RWF_DSYNC), 3);
	assert_int_equal(write_with(&ops->ring, fd, "abc", 0, RWF_SYNC), 3);
	assert_int_equal(write_with(&ops->ring, fd, "abc", 0, RWF_SYNC | RWF_DSYNC), 3);
	assert_int_equal(read_with(&ops->ring, fd, RWF_DSYNC), 16);
	close(fd);
}

static void unknown_flags_are_refused(void **state)
{
	struct ops *ops = *state;
	int fd = harness_temp_file(100), read_only = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	for (unsigned bit = 9; bit < 32; bit++) {
		assert_int_equal(read_with(&ops->ring, fd, 1u << bit), -EOPNOTSUPP);
		assert_int_equal(write_with(&ops->ring, fd, "abc", 0, 1u << bit), -EOPNOTSUPP);
	}
	/* The flags come before the end of all offsets. */
	assert_int_equal(write_with(&ops->ring, fd, "abc", INT64_MAX, 1u << 20), -EOPNOTSUPP);
	assert_int_equal(write_with(&ops->ring, fd, "abc", INT64_MAX, 0), -EINVAL);
	assert_int_equal(write_with(&ops->ring, fd, "abc", 0, RWF_APPEND | RWF_NOAPPEND), -EINVAL);
	/* Polled I/O belongs to rings set up for it. */
	assert_int_equal(read_with(&ops->ring, fd, RWF_HIPRI), -EINVAL);
	assert_int_equal(read_with(&ops->ring, -1, RWF_HIPRI), -EBADF);
	assert_int_equal(write_with(&ops->ring, read_only, "abc", 0, RWF_HIPRI), -EBADF);
	assert_int_equal(write_with(&ops->ring, read_only, "", 0, RWF_HIPRI), -EBADF);
	assert_int_equal(read_with(&ops->ring, fd, RWF_ATOMIC), -EOPNOTSUPP);
	assert_int_equal(write_with(&ops->ring, fd, "abc", 0, RWF_ATOMIC), -EOPNOTSUPP);
	close(read_only);
	close(fd);
}

/* The order of the checks: the descriptor, its mode, the flags, the offset, the length. */
static void empty_transfers_are_checked_too(void **state)
{
	struct ops *ops = *state;
	int fd = harness_temp_file(100);
	struct iovec empty = {0};

	assert_int_equal(write_with(&ops->ring, fd, "", 0, 0), 0);
	assert_int_equal(write_with(&ops->ring, fd, "", 0, 1u << 20), -EOPNOTSUPP);
	assert_int_equal(write_with(&ops->ring, fd, "", -2, 1u << 20), -EOPNOTSUPP);
	assert_int_equal(write_with(&ops->ring, fd, "", -2, 0), -EINVAL);
	assert_int_equal(write_with(&ops->ring, 100000, "", -2, 1u << 20), -EBADF);
	assert_int_equal(write_with(&ops->ring, 100000, "abc", -2, 0), -EBADF);
	for (unsigned count = 0; count < 2; count++) {
		struct io_uring_sqe *sqe = ops_prep(&ops->ring, 0, 0, readv, fd, &empty, count, 0);

		sqe->rw_flags = 1 << 20;
		assert_int_equal(harness_result(&ops->ring), -EOPNOTSUPP);
	}
	close(fd);
}

static void append_flag_writes_at_the_end(void **state)
{
	struct ops *ops = *state;
	int fd = ops_create(ops, "log", "12345");
	char buffer[16];

	assert_int_equal(write_with(&ops->ring, fd, "ab", 0, RWF_APPEND), 2);
	assert_int_equal(lseek(fd, 0, SEEK_CUR), 5);
	assert_int_equal(pread(fd, buffer, 16, 0), 7);
	assert_memory_equal(buffer, "12345ab", 7);

	/* At the position it moves the position to the new end. */
	lseek(fd, 1, SEEK_SET);
	assert_int_equal(write_with(&ops->ring, fd, "cd", -1, RWF_APPEND), 2);
	assert_int_equal(lseek(fd, 0, SEEK_CUR), 9);
	assert_int_equal(pread(fd, buffer, 16, 0), 9);
	assert_memory_equal(buffer, "12345abcd", 9);
	close(fd);
}

static void noappend_flag_overrides_the_open_flag(void **state)
{
	struct ops *ops = *state;
	int fd = ops_create(ops, "log", "12345");
	int append = openat(ops->dir, "log", O_RDWR | O_APPEND | O_CLOEXEC);
	char buffer[16];

	assert_int_equal(write_with(&ops->ring, append, "ab", 1, RWF_NOAPPEND), 2);
	assert_int_equal(pread(fd, buffer, 16, 0), 5);
	assert_memory_equal(buffer, "1ab45", 5);
	close(append);
	close(fd);
}

/* Same answer as the system call's, whatever the file system knows of it. */
static void dontcache_answers_as_the_system_call(void **state)
{
	struct ops *ops = *state;
	int fd = harness_temp_file(100);
	char buffer[16] = "";
	struct iovec vector = {buffer, 16};
	ssize_t want = preadv2(fd, &vector, 1, 0, RWF_DONTCACHE);

	if (want < 0)
		want = -errno;
	assert_int_equal(read_with(&ops->ring, fd, RWF_DONTCACHE), want);
	want = pwritev2(fd, &vector, 1, 0, RWF_DONTCACHE);
	if (want < 0)
		want = -errno;
	assert_int_equal(write_with(&ops->ring, fd, "sixteen bytes :)", 0, RWF_DONTCACHE), want);
	close(fd);
}

static void nowait_reads_what_is_cached(void **state)
{
	struct ops *ops = *state;
	int fd = harness_temp_file(100);
	char buffer[16];
	struct iovec vector = {buffer, 16};
	ssize_t want = preadv2(fd, &vector, 1, 0, RWF_NOWAIT);

	if (want < 0)
		want = -errno;
	assert_int_equal(read_with(&ops->ring, fd, RWF_NOWAIT), want);
	close(fd);
}

/* A file whose data is on the disk alone, as far as that can be had. */
static int cold_file(void)
{
	enum { SIZE = 1 << 16 };
	int fd = harness_temp_file(SIZE);

	assert_int_equal(fsync(fd), 0);
	assert_int_equal(posix_fadvise(fd, 0, SIZE, POSIX_FADV_DONTNEED), 0);
	return fd;
}

/* Does the file system have data that is not in memory? Asked of a file of its own. */
static bool disk_can_be_cold(void)
{
	int fd = cold_file();
	char buffer[16];
	struct iovec vector = {buffer, 16};
	bool cold = preadv2(fd, &vector, 1, 0, RWF_NOWAIT) < 0 && errno == EAGAIN;

	close(fd);
	return cold;
}

/*
 * Nobody carries a NOWAIT request on: what is not there is -EAGAIN, visible when submit returns.
 * The kernel does not promise to forget a page, so that several files are tried.
 */
static void nowait_does_not_wait_for_the_disk(void **state)
{
	struct ops *ops = *state;
	struct harness_cqe cqe = {0};

	if (!disk_can_be_cold())
		skip();
	for (unsigned round = 0; round < 20 && cqe.res != -EAGAIN; round++) {
		int fd = cold_file();
		char buffer[16];
		struct io_uring_sqe *sqe = ops_prep(&ops->ring, 1, 0, read, fd, buffer, 16, 0);

		sqe->rw_flags = RWF_NOWAIT;
		harness_submit(&ops->ring, 1);
		assert_true(harness_peek(&ops->ring, &cqe));
		assert_true(cqe.res == -EAGAIN || cqe.res == 16);
		close(fd);
	}
	assert_int_equal(cqe.res, -EAGAIN);
}

static void nowait_on_an_empty_pipe_is_eagain(void **state)
{
	struct ops *ops = *state;
	int fds[2];
	struct harness_cqe cqe;
	struct io_uring_sqe *sqe;
	char buffer[16];

	harness_pipe(fds);
	sqe = ops_prep(&ops->ring, 1, 0, read, fds[0], buffer, 16, 0);
	sqe->rw_flags = RWF_NOWAIT;
	harness_submit(&ops->ring, 1);
	assert_true(harness_peek(&ops->ring, &cqe));
	assert_int_equal(cqe.res, -EAGAIN);

	assert_int_equal(write(fds[1], "abc", 3), 3);
	assert_int_equal(read_with(&ops->ring, fds[0], RWF_NOWAIT), 3);
	harness_close_pipe(fds);
}

/* A worker does not wait for it either. */
static void nowait_in_a_worker_is_eagain(void **state)
{
	struct ops *ops = *state;
	int fds[2];
	struct io_uring_sqe *sqe;
	char buffer[16];

	harness_pipe(fds);
	sqe = ops_prep(&ops->ring, 1, IOSQE_ASYNC, read, fds[0], buffer, 16, 0);
	sqe->rw_flags = RWF_NOWAIT;
	assert_int_equal(harness_result(&ops->ring), -EAGAIN);
	harness_close_pipe(fds);
}

static void nowait_on_a_full_pipe_is_eagain(void **state)
{
	struct ops *ops = *state;
	char block[4096] = "";
	int fds[2];

	assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
	while (write(fds[1], block, sizeof(block)) > 0)
		;
	assert_int_equal(write_with(&ops->ring, fds[1], "abc", 0, RWF_NOWAIT), -EAGAIN);
	harness_close_pipe(fds);
}

/* Files that cannot promise not to wait refuse the flag: eventfd can, timerfd and memory files
 * differ by kernel version, so the system call is asked first.
 */
static void nowait_is_refused_where_the_system_call_refuses_it(void **state)
{
	struct ops *ops = *state;
	int event = eventfd(1, EFD_CLOEXEC);
	int memory = memfd_create("asyncring-test", MFD_CLOEXEC);
	int status = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	int files[] = {memory, status, event};

	assert_int_equal(write(memory, "abc", 3), 3);
	for (unsigned i = 0; i < ARRAY_SIZE(files); i++) {
		char buffer[16];
		struct iovec vector = {buffer, 16};
		/* The eventfd has no offset, and is emptied by the first read. */
		bool stream = files[i] == event;
		ssize_t want = preadv2(files[i], &vector, 1, stream ? -1 : 0, RWF_NOWAIT);

		if (want < 0)
			want = -errno;
		if (stream && want > 0)
			assert_int_equal(eventfd_write(event, 1), 0);
		assert_int_equal(read_with(&ops->ring, files[i], RWF_NOWAIT), want);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(files); i++)
		close(files[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ops_test(sync_flags_are_taken),
		ops_test(unknown_flags_are_refused),
		ops_dir_test(empty_transfers_are_checked_too),
		ops_dir_test(append_flag_writes_at_the_end),
		ops_dir_test(noappend_flag_overrides_the_open_flag),
		ops_test(dontcache_answers_as_the_system_call),
		ops_test(nowait_reads_what_is_cached),
		ops_test(nowait_does_not_wait_for_the_disk),
		ops_test(nowait_on_an_empty_pipe_is_eagain),
		ops_test(nowait_in_a_worker_is_eagain),
		ops_test(nowait_on_a_full_pipe_is_eagain),
		ops_test(nowait_is_refused_where_the_system_call_refuses_it),
	};

	return harness_run(tests);
}
