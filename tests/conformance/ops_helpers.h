/* SPDX-License-Identifier: MIT */
/*
 * What several tests of single operations share, on top of harness.h: a fixture with a ring and a
 * scratch directory, requests in one line, and answers sorted by request.
 *
 * The fixture is released by CMocka's teardown also when a test fails, so the tests themselves
 * close only what they opened. All helpers here belong to the main thread.
 */
#ifndef CONFORMANCE_OPS_HELPERS_H
#define CONFORMANCE_OPS_HELPERS_H

#include "harness.h"

/* What a test function finds in *state. */
struct ops {
	struct io_uring ring;
	int dir;	     /* a scratch directory, opened, or -1 */
	char path[PATH_MAX]; /* and its name */
};

static inline int ops_setup(void **state)
{
	struct ops *ops = calloc(1, sizeof(*ops));

	assert_non_null(ops);
	ops->dir = -1;
	harness_init(&ops->ring, 64, 0);
	*state = ops;
	return 0;
}

static inline int ops_setup_dir(void **state)
{
	struct ops *ops;

	ops_setup(state);
	ops = *state;
	harness_temp_dir(ops->path);
	ops->dir = open(ops->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(ops->dir >= 0);
	return 0;
}

static inline int ops_teardown(void **state)
{
	struct ops *ops = *state;

	io_uring_queue_exit(&ops->ring);
	if (ops->dir >= 0) {
		close(ops->dir);
		harness_remove_tree(ops->path);
	}
	free(ops);
	return 0;
}

/* Entries of the test table: a test with a ring of 64 entries, and one with a directory as well. */
#define ops_test(function) cmocka_unit_test_setup_teardown(function, ops_setup, ops_teardown)
#define ops_dir_test(function)                                                                     \
	cmocka_unit_test_setup_teardown(function, ops_setup_dir, ops_teardown)

/* ---- requests ------------------------------------------------------------------------------ */

/*
 * Prepare a request: ops_prep(ring, 7, IOSQE_IO_LINK, read, fd, buffer, 8, 0) is
 * io_uring_prep_read() in a new SQE with these flags and user_data 7. Its value is the SQE. No
 * compound literals among the arguments: they would be gone before the submit.
 */
#define ops_prep(ring, data, more_flags, prep, ...)                                                \
	({                                                                                         \
		struct io_uring_sqe *ops_sqe = harness_sqe(ring);                                  \
                                                                                                   \
		io_uring_prep_##prep(ops_sqe, ##__VA_ARGS__);                                      \
		ops_sqe->flags |= (more_flags);                                                    \
		ops_sqe->user_data = (data);                                                       \
		ops_sqe;                                                                           \
	})

/* Prepare, submit and wait: the value is the result. ops_run(ring, read, fd, buffer, 8, 0) */
#define ops_run(ring, prep, ...) ops_run_flags(ring, 0, prep, ##__VA_ARGS__)

/* The same with SQE flags. */
#define ops_run_flags(ring, more_flags, prep, ...)                                                 \
	({                                                                                         \
		ops_prep(ring, 0, more_flags, prep, ##__VA_ARGS__);                                \
		harness_result(ring);                                                              \
	})

/* A nop that completes with this result. */
static inline struct io_uring_sqe *ops_nop(struct io_uring *ring, uint64_t user_data,
					   unsigned flags, int result)
{
	struct io_uring_sqe *sqe = ops_prep(ring, user_data, flags, nop);

	sqe->nop_flags = IORING_NOP_INJECT_RESULT;
	sqe->len = (unsigned)result;
	return sqe;
}

/* A request that is refused when it is prepared: a nop with a priority. */
static inline struct io_uring_sqe *ops_bad_nop(struct io_uring *ring, uint64_t user_data,
					       unsigned flags)
{
	struct io_uring_sqe *sqe = ops_prep(ring, user_data, flags, nop);

	sqe->ioprio = 1;
	return sqe;
}

/* ---- answers ------------------------------------------------------------------------------- */

static inline void ops_collect_at(struct io_uring *ring, int *results, unsigned count,
				  const char *file, int line)
{
	bool seen[4096] = {false};

	_assert_true(count <= ARRAY_SIZE(seen), "count", file, line);
	for (unsigned i = 0; i < count; i++) {
		struct harness_cqe cqe = harness_next_at(ring, file, line);

		if (cqe.user_data >= count || seen[cqe.user_data]) {
			print_error("unexpected completion: user_data %llu res %d\n",
				    (unsigned long long)cqe.user_data, cqe.res);
			_fail(file, line);
		}
		seen[cqe.user_data] = true;
		results[cqe.user_data] = cqe.res;
	}
}

/*
 * Wait for the completions of the requests with user_data 0 to count - 1, in any order but each
 * exactly once; results[i] is that of request i.
 */
#define ops_collect(ring, results, count) ops_collect_at(ring, results, count, __FILE__, __LINE__)

static inline void ops_assert_results_at(const int *results, const int *want, unsigned count,
					 const char *file, int line)
{
	for (unsigned i = 0; i < count; i++) {
		if (results[i] == want[i])
			continue;
		print_error("request %u gave %d, not %d\n", i, results[i], want[i]);
		_fail(file, line);
	}
}

/* The results are these, one after the other: ops_assert_results(results, 0, -EIO, -ECANCELED) */
#define ops_assert_results(results, ...)                                                           \
	do {                                                                                       \
		const int ops_want[] = {__VA_ARGS__};                                              \
		ops_assert_results_at(results, ops_want, ARRAY_SIZE(ops_want), __FILE__,           \
				      __LINE__);                                                   \
	} while (0)

static inline void ops_expect_at(struct io_uring *ring, uint64_t user_data, int res,
				 const char *file, int line)
{
	struct harness_cqe cqe = harness_next_at(ring, file, line);

	_assert_int_equal(cqe.user_data, user_data, file, line);
	_assert_int_equal(cast_to_largest_integral_type(cqe.res),
			  cast_to_largest_integral_type(res), file, line);
}

/* Wait for the next completion: it must be that of user_data with this result. */
#define ops_expect(ring, user_data, res) ops_expect_at(ring, user_data, res, __FILE__, __LINE__)

/* ---- data ---------------------------------------------------------------------------------- */

static inline void ops_assert_pattern_at(const void *data, size_t size, size_t offset,
					 const char *file, int line)
{
	const unsigned char *bytes = data;

	for (size_t i = 0; i < size; i++) {
		if (bytes[i] == harness_byte(offset + i))
			continue;
		print_error("byte %zu is 0x%02x, not 0x%02x\n", i, bytes[i],
			    harness_byte(offset + i));
		_fail(file, line);
	}
}

/* The data is what harness_temp_file() put at this offset of its file. */
#define ops_assert_pattern(data, size, offset)                                                     \
	ops_assert_pattern_at(data, size, offset, __FILE__, __LINE__)

static inline off_t ops_file_size(int fd)
{
	struct stat status;

	assert_int_equal(fstat(fd, &status), 0);
	return status.st_size;
}

/* Create a file in the scratch directory; returns a descriptor open for reading and writing. */
static inline int ops_create(const struct ops *ops, const char *name, const char *content)
{
	int fd = openat(ops->dir, name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, content, strlen(content)), strlen(content));
	return fd;
}

static inline bool ops_exists(const struct ops *ops, const char *name)
{
	return faccessat(ops->dir, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* An address at which nothing is mapped, page-aligned. */
static inline void *ops_bad_address(void)
{
	long page = sysconf(_SC_PAGESIZE);
	void *address = mmap(NULL, (size_t)page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	/* It stays reserved, so that nothing else is ever mapped there. */
	assert_ptr_not_equal(address, MAP_FAILED);
	return address;
}

#endif /* CONFORMANCE_OPS_HELPERS_H */
