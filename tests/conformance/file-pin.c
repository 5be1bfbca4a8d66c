/* SPDX-License-Identifier: MIT */
/*
 * Description: a request that has begun keeps its file, whatever becomes of the descriptor; and
 * when nothing is pending any more, nothing hidden keeps a file either.
 *
 * "Begun" is meant: the kernel looks the descriptor up when it starts the request, and for one that
 * is drained, linked or meant for a worker that may be after submit has returned.
 */
#include "ops_helpers.h"

#include <spawn.h>

static char sink[64];

/* ---- kept while pending -------------------------------------------------------------------- */

static void a_pending_read_sees_data_and_end(void **state)
{
	struct ops *ops = *state;
	int fds[2];

	harness_pipe(fds);
	ops_prep(&ops->ring, 1, 0, read, fds[0], sink, 8, 0);
	harness_submit(&ops->ring, 1);
	ops_prep(&ops->ring, 2, 0, read, fds[0], sink + 8, 8, 0);
	harness_submit(&ops->ring, 1);
	close(fds[0]);
	harness_assert_empty(&ops->ring);
	assert_int_equal(write(fds[1], "abc", 3), 3);
	assert_int_equal(harness_next(&ops->ring).res, 3);
	close(fds[1]);
	assert_int_equal(harness_next(&ops->ring).res, 0);
}

static void a_reused_number_is_another_file(void **state)
{
	struct ops *ops = *state;
	int fds[2];
	int other;

	harness_pipe(fds);
	ops_prep(&ops->ring, 1, 0, read, fds[0], sink, 8, 0);
	harness_submit(&ops->ring, 1);
	other = ops_create(ops, "file", "wrong");
	lseek(other, 0, SEEK_SET);
	assert_int_equal(dup2(other, fds[0]), fds[0]);
	assert_int_equal(write(fds[1], "right", 5), 5);
	ops_expect(&ops->ring, 1, 5);
	assert_memory_equal(sink, "right", 5);
	assert_int_equal(lseek(other, 0, SEEK_CUR), 0);
	close(other);
	harness_close_pipe(fds);
}

static void a_pending_write_reaches_its_pipe(void **state)
{
	struct ops *ops = *state;
	char block[4096] = "";
	int fds[2];
	ssize_t got;

	assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
	while (write(fds[1], block, sizeof(block)) > 0)
		;
	ops_prep(&ops->ring, 1, 0, write, fds[1], "end", 3, 0);
	harness_submit(&ops->ring, 1);
	close(fds[1]);
	/* There is still a writer: the pending request. */
	while ((got = read(fds[0], block, sizeof(block))) == (ssize_t)sizeof(block))
		;
	ops_expect(&ops->ring, 1, 3);
	if (got < 0)
		got = read(fds[0], block, sizeof(block));
	assert_int_equal(got, 3);
	/* And now there is none. */
	assert_int_equal(read(fds[0], block, sizeof(block)), 0);
	close(fds[0]);
}

/* Closed by a request instead of a call: the same. */
static void a_close_request_does_not_disturb(void **state)
{
	struct ops *ops = *state;
	int fds[2];

	harness_pipe(fds);
	ops_prep(&ops->ring, 1, 0, read, fds[0], sink, 8, 0);
	harness_submit(&ops->ring, 1);
	assert_int_equal(ops_run(&ops->ring, close, fds[0]), 0);
	assert_int_equal(fcntl(fds[0], F_GETFD), -1);
	harness_assert_empty(&ops->ring);
	assert_int_equal(write(fds[1], "abc", 3), 3);
	ops_expect(&ops->ring, 1, 3);
	close(fds[1]);
}

/*
 * A buffered write often cannot be done on the spot and goes on elsewhere. It has begun with its
 * file all the same: closing the descriptor and giving its number to another changes nothing.
 */
static void a_write_under_way_reaches_its_file(void **state)
{
	struct ops *ops = *state;

	for (unsigned round = 0; round < 300; round++) {
		int fd = ops_create(ops, "right", "");
		int right = openat(ops->dir, "right", O_RDONLY | O_CLOEXEC);
		int wrong;

		ops_prep(&ops->ring, 1, 0, write, fd, "data", 4, 0);
		harness_submit(&ops->ring, 1);
		close(fd);
		wrong = ops_create(ops, "wrong", "");
		assert_int_equal(wrong, fd);
		ops_expect(&ops->ring, 1, 4);
		assert_int_equal(ops_file_size(right), 4);
		assert_int_equal(ops_file_size(wrong), 0);
		close(wrong);
		close(right);
	}
}

static void a_read_under_way_reads_its_file(void **state)
{
	enum { SIZE = 1 << 16 };
	struct ops *ops = *state;
	unsigned char *buffer = malloc(SIZE);

	assert_non_null(buffer);
	for (unsigned round = 0; round < 50; round++) {
		int fd = harness_temp_file(SIZE);
		int other;

		/* Out of the cache, where that is possible. */
		fsync(fd);
		posix_fadvise(fd, 0, SIZE, POSIX_FADV_DONTNEED);
		ops_prep(&ops->ring, 1, 0, read, fd, buffer, SIZE, 0);
		harness_submit(&ops->ring, 1);
		close(fd);
		other = harness_temp_file(0);
		assert_int_equal(other, fd);
		ops_expect(&ops->ring, 1, SIZE);
		ops_assert_pattern(buffer, SIZE, 0);
		close(other);
	}
	free(buffer);
}

/* A drained request looks for its file when its turn comes. */
static void a_drained_request_has_not_begun(void **state)
{
	struct ops *ops = *state;
	int gate[2];
	int fd = harness_temp_file(100);
	int results[2];

	harness_pipe(gate);
	ops_prep(&ops->ring, 0, 0, read, gate[0], sink, 1, 0);
	ops_prep(&ops->ring, 1, IOSQE_IO_DRAIN, read, fd, sink + 1, 8, 0);
	harness_submit(&ops->ring, 2);
	close(fd);
	assert_int_equal(write(gate[1], "x", 1), 1);
	ops_collect(&ops->ring, results, 2);
	ops_assert_results(results, 1, -EBADF);
	harness_close_pipe(gate);
}

/* What is registered stays, too, for a request that began with it. */
static void an_unregistered_file_is_kept(void **state)
{
	struct ops *ops = *state;
	int fds[2];

	harness_pipe(fds);
	assert_int_equal(io_uring_register_files(&ops->ring, &fds[0], 1), 0);
	ops_prep(&ops->ring, 1, IOSQE_FIXED_FILE, read, 0, sink, 8, 0);
	harness_submit(&ops->ring, 1);
	close(fds[0]);
	assert_int_equal(io_uring_unregister_files(&ops->ring), 0);
	harness_assert_empty(&ops->ring);
	assert_int_equal(write(fds[1], "abc", 3), 3);
	ops_expect(&ops->ring, 1, 3);
	close(fds[1]);
}

/* ---- nothing hidden ------------------------------------------------------------------------ */

/* The reader sees the end as soon as the writer's CLOSE has completed. */
static void the_peer_sees_the_end(void **state)
{
	struct ops *ops = *state;
	char byte;

	for (unsigned round = 0; round < 100; round++) {
		int fds[2];

		assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
		assert_int_equal(ops_run(&ops->ring, write, fds[1], "x", 1, 0), 1);
		assert_int_equal(ops_run(&ops->ring, close, fds[1]), 0);
		assert_int_equal(read(fds[0], &byte, 1), 1);
		assert_int_equal(read(fds[0], &byte, 1), 0);
		close(fds[0]);
	}
}

/* And so when a request that had to wait has completed after the close. */
static void the_last_completion_lets_go(void **state)
{
	struct ops *ops = *state;
	sighandler_t saved = signal(SIGPIPE, SIG_IGN);

	for (unsigned round = 0; round < 100; round++) {
		int fds[2];

		harness_pipe(fds);
		ops_prep(&ops->ring, 1, 0, read, fds[0], sink, 8, 0);
		harness_submit(&ops->ring, 1);
		close(fds[0]);
		assert_int_equal(write(fds[1], "abc", 3), 3);
		ops_expect(&ops->ring, 1, 3);
		assert_int_equal(write(fds[1], "abc", 3), -1);
		assert_int_equal(errno, EPIPE);
		close(fds[1]);
	}
	signal(SIGPIPE, saved);
}

static void a_cancelled_request_lets_go(void **state)
{
	struct ops *ops = *state;
	sighandler_t saved = signal(SIGPIPE, SIG_IGN);
	int results[2];
	int fds[2];

	harness_pipe(fds);
	ops_prep(&ops->ring, 0, 0, read, fds[0], sink, 8, 0);
	harness_submit(&ops->ring, 1);
	close(fds[0]);
	ops_prep(&ops->ring, 1, 0, cancel64, 0, 0);
	harness_submit(&ops->ring, 1);
	ops_collect(&ops->ring, results, 2);
	ops_assert_results(results, -ECANCELED, 0);
	assert_int_equal(write(fds[1], "abc", 3), -1);
	assert_int_equal(errno, EPIPE);
	close(fds[1]);
	signal(SIGPIPE, saved);
}

/*
 * A file that somebody still has open for writing cannot be executed: ETXTBSY. That holds for
 * scripts as for programs.
 */
static void a_written_program_can_be_executed(void **state)
{
	static const char script[] = "#!/bin/sh\nexit 7\n";
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	unsigned size = sizeof(script) - 1;

	for (unsigned round = 0; round < 10; round++) {
		char path[PATH_MAX + 16];
		char *arguments[] = {path, NULL};
		pid_t child;
		int fd, status;

		fd = ops_run(ring, openat, ops->dir, "program", O_WRONLY | O_CREAT | O_CLOEXEC,
			     0700);
		assert_true(fd >= 0);
		assert_int_equal(ops_run(ring, write, fd, script, size, 0), size);
		assert_int_equal(ops_run(ring, fsync, fd, 0), 0);
		assert_int_equal(ops_run(ring, close, fd), 0);

		snprintf(path, sizeof(path), "%s/program", ops->path);
		assert_int_equal(posix_spawn(&child, path, NULL, NULL, arguments, environ), 0);
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 7);
		assert_int_equal(unlinkat(ops->dir, "program", 0), 0);
	}
}

/* ---- locks and flags ----------------------------------------------------------------------- */

/* Does another process find the file locked? */
static bool locked_for_others(struct ops *ops, const char *name)
{
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0) {
		int fd = openat(ops->dir, name, O_RDWR | O_CLOEXEC);
		struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

		if (fd < 0 || fcntl(fd, F_GETLK, &lock) < 0)
			_exit(2);
		_exit(lock.l_type == F_UNLCK ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_in_range(WEXITSTATUS(status), 0, 1);
	return WEXITSTATUS(status) == 1;
}

/*
 * Closing any descriptor of a file drops the process's record locks on it. So no request may do so
 * behind the application's back, wherever it is carried out.
 */
static void record_locks_survive_requests(void **state)
{
	enum { SIZE = 1 << 16 };
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int fd = ops_create(ops, "database", "");
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	char *buffer = calloc(1, SIZE);

	assert_non_null(buffer);
	assert_false(locked_for_others(ops, "database"));
	assert_int_equal(fcntl(fd, F_SETLK, &lock), 0);
	assert_true(locked_for_others(ops, "database"));
	for (unsigned i = 0; i < 2; i++) {
		unsigned flags = i ? IOSQE_ASYNC : 0;

		assert_int_equal(ops_run_flags(ring, flags, write, fd, buffer, SIZE, 0), SIZE);
		assert_int_equal(ops_run_flags(ring, flags, fsync, fd, 0), 0);
		assert_int_equal(posix_fadvise(fd, 0, SIZE, POSIX_FADV_DONTNEED), 0);
		assert_int_equal(ops_run_flags(ring, flags, read, fd, buffer, SIZE, 0), SIZE);
		assert_int_equal(ops_run_flags(ring, flags, fallocate, fd, 0, 0, SIZE), 0);
		assert_int_equal(ops_run_flags(ring, flags, ftruncate, fd, SIZE), 0);
		assert_true(locked_for_others(ops, "database"));
	}
	assert_int_equal(io_uring_register_files(ring, &fd, 1), 0);
	assert_int_equal(ops_run_flags(ring, IOSQE_FIXED_FILE, read, 0, buffer, 8, 0), 8);
	assert_int_equal(io_uring_unregister_files(ring), 0);
	assert_true(locked_for_others(ops, "database"));
	free(buffer);
	close(fd);
	assert_false(locked_for_others(ops, "database"));
}

/* The flags of the application's open file are its own, also while requests wait. */
static void the_file_flags_are_not_touched(void **state)
{
	static const int flags[] = {0, O_NONBLOCK};
	struct ops *ops = *state;

	for (unsigned i = 0; i < ARRAY_SIZE(flags); i++) {
		int fds[2];

		assert_int_equal(pipe2(fds, O_CLOEXEC | flags[i]), 0);
		ops_prep(&ops->ring, 0, 0, read, fds[0], sink, 1, 0);
		ops_prep(&ops->ring, 1, IOSQE_ASYNC, read, fds[0], sink + 1, 1, 0);
		harness_submit(&ops->ring, 2);
		assert_int_equal(fcntl(fds[0], F_GETFL) & O_NONBLOCK, flags[i]);
		assert_int_equal(write(fds[1], "ab", 2), 2);
		harness_reap(&ops->ring, NULL, 2);
		assert_int_equal(fcntl(fds[0], F_GETFL) & O_NONBLOCK, flags[i]);
		harness_close_pipe(fds);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ops_test(a_pending_read_sees_data_and_end),
		ops_dir_test(a_reused_number_is_another_file),
		ops_test(a_pending_write_reaches_its_pipe),
		ops_test(a_close_request_does_not_disturb),
		ops_dir_test(a_write_under_way_reaches_its_file),
		ops_test(a_read_under_way_reads_its_file),
		ops_test(a_drained_request_has_not_begun),
		ops_test(an_unregistered_file_is_kept),
		ops_test(the_peer_sees_the_end),
		ops_test(the_last_completion_lets_go),
		ops_test(a_cancelled_request_lets_go),
		ops_dir_test(a_written_program_can_be_executed),
		ops_dir_test(record_locks_survive_requests),
		ops_test(the_file_flags_are_not_touched),
	};

	return harness_run(tests);
}
