/* SPDX-License-Identifier: MIT */
/*
 * The ground under every conformance test: one source, built against liburing (the kernel is the
 * oracle, -DTEST_ORACLE) and against asyncring through the compat header.
 *
 * What it gives, in this order: bounded time, rings, completions, raw rings (harness-raw.h), files
 * and pipes, threads. Everything a test says about a ring goes through liburing's names; what the
 * two builds do differently is here and in harness-raw.h.
 *
 * Rules for tests: helpers that assert belong to the main thread only (a CMocka assertion leaves by
 * longjmp), except those whose comment says otherwise. Nothing sleeps to let something happen: wait
 * for a completion, a semaphore, or harness_wait_asleep(). SIGALRM is the harness's.
 */
#ifndef CONFORMANCE_HARNESS_H
#define CONFORMANCE_HARNESS_H

#include <liburing.h>

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#ifdef TEST_ORACLE
#include "newer.h"
#else
#define HARNESS_LIBURING_BEFORE(major, minor) 0 /* asyncring has all there is */
#endif

#define HARNESS_SKIPPED 77    /* exit code that ctest takes for "skipped" */
#define HARNESS_SECONDS 30    /* for a whole test program */
#define HARNESS_WAIT_MS 10000 /* for completions that must come */

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* ---- time ---------------------------------------------------------------------------------- */

/* Sanitizers and slow machines stretch every limit by this factor. */
static inline unsigned harness_timeout_factor(void)
{
	const char *text = getenv("ASYNCRING_TEST_TIMEOUT_MULT");
	long factor = text ? strtol(text, NULL, 10) : 1;

	return factor >= 1 && factor <= 1000 ? (unsigned)factor : 1;
}

static inline uint64_t harness_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static inline struct __kernel_timespec harness_msec(unsigned msec)
{
	return (struct __kernel_timespec){
		.tv_sec = msec / 1000,
		.tv_nsec = (msec % 1000) * 1000000ll,
	};
}

static inline struct __kernel_timespec harness_deadline(void)
{
	return harness_msec(HARNESS_WAIT_MS * harness_timeout_factor());
}

static inline void harness_out_of_time(int signal_number)
{
	static const char message[] = "harness: the test program ran out of time\n";

	(void)signal_number;
	if (write(STDERR_FILENO, message, sizeof(message) - 1) < 0)
		_exit(125);
	_exit(124);
}

/* Start the clock of the whole program; a test that must live longer calls it again. */
static inline void harness_limit_time(unsigned seconds)
{
	struct sigaction action = {.sa_handler = harness_out_of_time};

	sigaction(SIGALRM, &action, NULL);
	alarm(seconds * harness_timeout_factor());
}

/* ---- group set-up -------------------------------------------------------------------------- */

/*
 * Group setup of every conformance test: starts the time limit, and in the oracle build leaves with
 * "skipped" on a kernel that has no io_uring or forbids it.
 */
static inline int harness_group_setup(void **state)
{
	(void)state;
	harness_limit_time(HARNESS_SECONDS);
#ifdef TEST_ORACLE
	struct io_uring_params params;
	int fd;

	memset(&params, 0, sizeof(params));
	fd = io_uring_setup(1, &params);
	if (fd == -ENOSYS || fd == -EPERM || fd == -EACCES) {
		fprintf(stderr, "skipped: this kernel offers no io_uring (%s)\n", strerror(-fd));
		exit(HARNESS_SKIPPED);
	}
	if (fd < 0) {
		fprintf(stderr, "io_uring_setup: %s\n", strerror(-fd));
		return -1;
	}
	close(fd);
#endif
	return 0;
}

#define harness_run(tests) cmocka_run_group_tests(tests, harness_group_setup, NULL)

/* ---- rings --------------------------------------------------------------------------------- */

/* What close(2) of a ring descriptor is in the kernel's case. */
static inline void harness_close_ring(int fd)
{
#ifdef TEST_ORACLE
	close(fd);
#else
	asyncring_close(fd);
#endif
}

/*
 * Is it the kernel that serves? The program built against liburing also runs under asyncring-run,
 * so what only the kernel does is asked for and not compiled in.
 */
static inline bool harness_kernel(void)
{
#ifdef TEST_ORACLE
	const unsigned in_user_space = 1u << 31; /* ASYNCRING_FEAT_USERSPACE */
	static struct io_uring_params params;
	int fd;

	if (!params.features) {
		fd = io_uring_setup(1, &params);
		assert_true(fd >= 0);
		harness_close_ring(fd);
	}
	return !(params.features & in_user_space);
#else
	return false;
#endif
}

static inline void harness_init_at(struct io_uring *ring, unsigned entries, unsigned flags,
				   const char *file, int line)
{
	int ret = io_uring_queue_init(entries, ring, flags);

	_assert_int_equal(cast_to_largest_integral_type(ret), 0, file, line);
}

/* A ring of the given flags, or the test fails. Release with io_uring_queue_exit(). */
#define harness_init(ring, entries, flags) harness_init_at(ring, entries, flags, __FILE__, __LINE__)

static inline void harness_init_params_at(struct io_uring *ring, unsigned entries,
					  struct io_uring_params *params, const char *file,
					  int line)
{
	int ret = io_uring_queue_init_params(entries, ring, params);

	_assert_int_equal(cast_to_largest_integral_type(ret), 0, file, line);
}

#define harness_init_params(ring, entries, params)                                                 \
	harness_init_params_at(ring, entries, params, __FILE__, __LINE__)

static inline bool harness_has_opcode(int opcode)
{
	struct io_uring_probe *probe = io_uring_get_probe();
	bool known = probe && io_uring_opcode_supported(probe, opcode);

	io_uring_free_probe(probe);
	return known;
}

/* For a test that cannot do without an operation of a later stage: skips where it is not there. */
#define harness_skip_unless_opcode(opcode)                                                         \
	do {                                                                                       \
		if (!harness_has_opcode(opcode))                                                   \
			skip();                                                                    \
	} while (0)

static inline struct io_uring_sqe *harness_sqe_at(struct io_uring *ring, const char *file, int line)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

	_assert_true(cast_ptr_to_largest_integral_type(sqe), "a free SQE", file, line);
	memset(sqe, 0, ring->flags & IORING_SETUP_SQE128 ? 128 : 64);
	return sqe;
}

/* The next SQE, zeroed; fails the test when the SQ is full. */
#define harness_sqe(ring) harness_sqe_at(ring, __FILE__, __LINE__)

/* A nop with user_data in the next SQE. */
#define harness_nop(ring, user_data) harness_nop_at(ring, user_data, 0, __FILE__, __LINE__)
/* The same with SQE flags. */
#define harness_nop_flags(ring, user_data, flags)                                                  \
	harness_nop_at(ring, user_data, flags, __FILE__, __LINE__)

static inline struct io_uring_sqe *harness_nop_at(struct io_uring *ring, uint64_t user_data,
						  unsigned flags, const char *file, int line)
{
	struct io_uring_sqe *sqe = harness_sqe_at(ring, file, line);

	io_uring_prep_nop(sqe);
	sqe->flags = (uint8_t)flags;
	sqe->user_data = user_data;
	return sqe;
}

static inline void harness_submit_at(struct io_uring *ring, unsigned count, const char *file,
				     int line)
{
	int ret = io_uring_submit(ring);

	/* What an SQ thread has taken by the time of the call's look, or not yet, is chance. */
	if (ring->flags & IORING_SETUP_SQPOLL)
		_assert_true(ret >= 0, "io_uring_submit(ring) >= 0", file, line);
	else
		_assert_int_equal(cast_to_largest_integral_type(ret), count, file, line);
}

/* Submit, and the call must have consumed exactly count SQEs (SQPOLL: taken over without error). */
#define harness_submit(ring, count) harness_submit_at(ring, count, __FILE__, __LINE__)

/* ---- completions --------------------------------------------------------------------------- */

/* A CQE taken out of the queue; extra[] is filled for CQE32 rings only. */
struct harness_cqe {
	uint64_t user_data;
	int32_t res;
	uint32_t flags;
	uint64_t extra[2];
};

static inline struct harness_cqe harness_copy_cqe(struct io_uring *ring,
						  const struct io_uring_cqe *cqe)
{
	struct harness_cqe copy = {
		.user_data = cqe->user_data,
		.res = cqe->res,
		.flags = cqe->flags,
	};

	if (ring->flags & IORING_SETUP_CQE32)
		memcpy(copy.extra, cqe->big_cqe, sizeof(copy.extra));
	return copy;
}

/*
 * Take the next completion if there is one, without waiting. Returns false when the CQ is empty.
 * May be called by any thread.
 */
static inline bool harness_peek(struct io_uring *ring, struct harness_cqe *out)
{
	struct io_uring_cqe *cqe = NULL;

	if (io_uring_peek_cqe(ring, &cqe) || !cqe)
		return false;
	*out = harness_copy_cqe(ring, cqe);
	io_uring_cqe_seen(ring, cqe);
	return true;
}

static inline void harness_reap_at(struct io_uring *ring, struct harness_cqe *out, unsigned count,
				   const char *file, int line)
{
	for (unsigned i = 0; i < count; i++) {
		struct __kernel_timespec limit = harness_deadline();
		struct io_uring_cqe *cqe = NULL;
		int ret;

		do {
			ret = io_uring_wait_cqe_timeout(ring, &cqe, &limit);
		} while (ret == -EINTR);
		if (ret) {
			print_error("waiting for completion %u of %u: %s\n", i + 1, count,
				    strerror(-ret));
			_fail(file, line);
		}
		if (out)
			out[i] = harness_copy_cqe(ring, cqe);
		io_uring_cqe_seen(ring, cqe);
	}
}

/* Wait for count completions and take them, in CQ order; out may be NULL. Fails, never hangs. */
#define harness_reap(ring, out, count) harness_reap_at(ring, out, count, __FILE__, __LINE__)

static inline struct harness_cqe harness_next_at(struct io_uring *ring, const char *file, int line)
{
	struct harness_cqe cqe;

	harness_reap_at(ring, &cqe, 1, file, line);
	return cqe;
}

/* Wait for the next completion and take it. */
#define harness_next(ring) harness_next_at(ring, __FILE__, __LINE__)

static inline struct harness_cqe harness_complete_at(struct io_uring *ring, const char *file,
						     int line)
{
	harness_submit_at(ring, 1, file, line);
	return harness_next_at(ring, file, line);
}

/* Submit the one prepared SQE, wait for its completion and take it. */
#define harness_complete(ring) harness_complete_at(ring, __FILE__, __LINE__)
/* The same, when only the result is of interest. */
#define harness_result(ring) (harness_complete_at(ring, __FILE__, __LINE__).res)

/* The completion must be the one of user_data with this result. */
#define harness_assert_cqe(cqe, want_user_data, want_res)                                          \
	do {                                                                                       \
		const __auto_type got_cqe = (cqe);                                                 \
                                                                                                   \
		assert_int_equal(got_cqe.user_data, want_user_data);                               \
		assert_int_equal(got_cqe.res, want_res);                                           \
	} while (0)

static inline void harness_assert_empty_at(struct io_uring *ring, const char *file, int line)
{
	struct harness_cqe cqe;

	if (harness_peek(ring, &cqe)) {
		print_error("unexpected completion: user_data %llu res %d flags 0x%x\n",
			    (unsigned long long)cqe.user_data, cqe.res, cqe.flags);
		_fail(file, line);
	}
}

/* No completion is waiting now. (It says nothing about one that is on its way.) */
#define harness_assert_empty(ring) harness_assert_empty_at(ring, __FILE__, __LINE__)

#include "harness-raw.h"

/* ---- files --------------------------------------------------------------------------------- */

/* Where test files go: a real disk, not /tmp, which is memory on many machines. */
static inline const char *harness_base_dir(void)
{
	const char *dir = getenv("ASYNCRING_TEST_DIR");

	return dir && *dir ? dir : "/var/tmp";
}

/* The byte that test files carry at this offset. */
static inline unsigned char harness_byte(size_t offset)
{
	return (unsigned char)(offset * 31 + (offset >> 8) * 7 + 3);
}

/* An open, already unlinked file of size bytes harness_byte(). Close it with close(2). */
static inline int harness_temp_file(size_t size)
{
	char path[PATH_MAX];
	unsigned char block[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/asyncring-test-XXXXXX", harness_base_dir());
	fd = mkostemp(path, O_CLOEXEC);
	assert_true(fd >= 0);
	unlink(path);
	for (size_t done = 0; done < size;) {
		size_t part = size - done < sizeof(block) ? size - done : sizeof(block);

		for (size_t i = 0; i < part; i++)
			block[i] = harness_byte(done + i);
		assert_int_equal(pwrite(fd, block, part, (off_t)done), part);
		done += part;
	}
	return fd;
}

/* An empty directory on the same disk; path must hold PATH_MAX bytes. */
static inline void harness_temp_dir(char *path)
{
	snprintf(path, PATH_MAX, "%s/asyncring-test-XXXXXX", harness_base_dir());
	assert_non_null(mkdtemp(path));
}

static inline int harness_remove_entry(const char *path, const struct stat *status, int kind,
				       struct FTW *where)
{
	(void)status;
	(void)kind;
	(void)where;
	return remove(path);
}

static inline void harness_remove_tree(const char *path)
{
	nftw(path, harness_remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* An empty pipe, close-on-exec: fds[0] to read, fds[1] to write. */
static inline void harness_pipe(int fds[2])
{
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
}

static inline void harness_close_pipe(int fds[2])
{
	close(fds[0]);
	close(fds[1]);
}

/* Is fd readable (POLLIN) right now? */
static inline bool harness_readable(int fd)
{
	struct pollfd entry = {.fd = fd, .events = POLLIN};

	return poll(&entry, 1, 0) == 1 && (entry.revents & POLLIN);
}

/*
 * Wait until fd is readable; false if it never becomes so. Safe in any thread. Asked again and
 * again, because the kernel does not wake who polls a ring with DEFER_TASKRUN.
 */
static inline bool harness_wait_readable(int fd)
{
	uint64_t end = harness_now_ns() + HARNESS_WAIT_MS * 1000000ull * harness_timeout_factor();
	struct pollfd entry = {.fd = fd, .events = POLLIN};

	do {
		if (poll(&entry, 1, 10) == 1)
			return entry.revents & POLLIN;
	} while (harness_now_ns() < end);
	return false;
}

/*
 * Look at the empty CQ until fd, the ring's or a set that holds it, is not readable. Needed after a
 * completion that another thread posted: in user space the word of it may arrive after the
 * completion has been taken, and looking again (asking for events, where they are deferred) puts
 * that right. False when it stays readable.
 */
static inline bool harness_wait_quiet(struct io_uring *ring, int fd)
{
	uint64_t end = harness_now_ns() + HARNESS_WAIT_MS * 1000000ull * harness_timeout_factor();
	struct io_uring_cqe *cqe;

	do {
		if (ring->flags & IORING_SETUP_DEFER_TASKRUN)
			io_uring_get_events(ring);
		if (io_uring_peek_cqe(ring, &cqe) == 0)
			return false;
		if (!harness_readable(fd))
			return true;
	} while (harness_now_ns() < end);
	return false;
}

static inline unsigned harness_count_entries(const char *path)
{
	DIR *dir = opendir(path);
	unsigned count = 0;
	struct dirent *entry;

	if (!dir)
		return 0;
	while ((entry = readdir(dir)))
		count += isdigit((unsigned char)entry->d_name[0]) != 0;
	closedir(dir);
	return count;
}

/* Open descriptors of this process. */
static inline unsigned harness_fd_count(void)
{
	return harness_count_entries("/proc/self/fd") - 1; /* opendir's own */
}

/* Threads of this process that belong to user space (and, on the kernel, io_uring's own too). */
static inline unsigned harness_thread_count(void)
{
	return harness_count_entries("/proc/self/task");
}

/* ---- threads ------------------------------------------------------------------------------- */

static inline pid_t harness_thread_id(void)
{
	return (pid_t)syscall(SYS_gettid);
}

/*
 * Wait until thread tid of this process sleeps in the kernel: the proof that a thread which said
 * "I am about to wait" does so. The thread must do nothing else that sleeps before. False when it
 * never falls asleep.
 */
static inline bool harness_wait_asleep(pid_t tid)
{
	uint64_t end = harness_now_ns() + HARNESS_WAIT_MS * 1000000ull * harness_timeout_factor();
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)tid);
	do {
		char text[512];
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
		const char *state;

		if (fd >= 0)
			close(fd);
		if (got <= 0)
			return false;
		text[got] = '\0';
		state = strrchr(text, ')'); /* the name in front may hold anything */
		if (state && state[1] == ' ' && state[2] == 'S')
			return true;
		sched_yield();
	} while (harness_now_ns() < end);
	return false;
}

#endif /* CONFORMANCE_HARNESS_H */
