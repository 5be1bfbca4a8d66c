/* SPDX-License-Identifier: MIT */
/*
 * What the tests of polls and timeouts share, on top of ops_helpers.h: exact completions, the proof
 * that nothing is left, time specifications that never or at once run out, and bytes in pipes.
 *
 * No test waits for time to pass to see that something does not happen. It cancels everything
 * instead: what comes out then is all that was there. All helpers belong to the main thread.
 */
#ifndef CONFORMANCE_READINESS_HELPERS_H
#define CONFORMANCE_READINESS_HELPERS_H

#include "ops_helpers.h"

#define DEFER (IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN)
#define MORE  IORING_CQE_F_MORE

/* user_data of the cancellations in here. */
#define READINESS_CANCEL 0xca9ce1u

/* Never within a test, and at once. They may be changed as soon as a submit has returned. */
static struct __kernel_timespec never __attribute__((unused)) = {.tv_sec = 100000};
static struct __kernel_timespec at_once __attribute__((unused)) = {.tv_sec = 0};

static inline void expect_at(struct io_uring *ring, uint64_t user_data, int res, unsigned flags,
			     int line)
{
	struct harness_cqe cqe = harness_next_at(ring, __BASE_FILE__, line);

	if (cqe.user_data == user_data && cqe.res == res && cqe.flags == flags)
		return;
	print_error("line %d: completion %llu res %d flags 0x%x, not %llu res %d flags 0x%x\n",
		    line, (unsigned long long)cqe.user_data, cqe.res, cqe.flags,
		    (unsigned long long)user_data, res, flags);
	_fail(__BASE_FILE__, line);
}

/* The next completion is this one, flags included. */
#define expect(ring, user_data, res)		  expect_at(ring, user_data, res, 0, __LINE__)
#define expect_flags(ring, user_data, res, flags) expect_at(ring, user_data, res, flags, __LINE__)

static inline void expect_both_at(struct io_uring *ring, uint64_t first, int first_res,
				  uint64_t second, int second_res, int line)
{
	struct harness_cqe cqes[2];

	harness_reap_at(ring, cqes, 2, __BASE_FILE__, line);
	if (cqes[0].user_data != first) {
		struct harness_cqe swap = cqes[0];

		cqes[0] = cqes[1];
		cqes[1] = swap;
	}
	if (cqes[0].user_data == first && cqes[0].res == first_res && cqes[1].user_data == second &&
	    cqes[1].res == second_res)
		return;
	print_error("line %d: completions %llu res %d and %llu res %d\n", line,
		    (unsigned long long)cqes[0].user_data, cqes[0].res,
		    (unsigned long long)cqes[1].user_data, cqes[1].res);
	_fail(__BASE_FILE__, line);
}

/* The next two completions are these, in either order. */
#define expect_both(ring, first, first_res, second, second_res)                                    \
	expect_both_at(ring, first, first_res, second, second_res, __LINE__)

static inline void expect_pending_at(struct io_uring *ring, unsigned count, int line)
{
	struct io_uring_sqe *sqe = harness_sqe_at(ring, __BASE_FILE__, line);
	int answer = -1;

	io_uring_prep_cancel64(sqe, 0, IORING_ASYNC_CANCEL_ANY);
	sqe->user_data = READINESS_CANCEL;
	harness_submit_at(ring, 1, __BASE_FILE__, line);
	for (unsigned i = 0; i < count + 1; i++) {
		struct harness_cqe cqe = harness_next_at(ring, __BASE_FILE__, line);

		if (cqe.user_data == READINESS_CANCEL) {
			answer = cqe.res;
		} else if (cqe.res != -ECANCELED || cqe.flags) {
			print_error("line %d: completion %llu res %d flags 0x%x, not a cancelled "
				    "one\n",
				    line, (unsigned long long)cqe.user_data, cqe.res, cqe.flags);
			_fail(__BASE_FILE__, line);
		}
	}
	if (answer < 0) {
		print_error("line %d: more than %u requests were pending\n", line, count);
		_fail(__BASE_FILE__, line);
	}
	_assert_int_equal(answer, count, __BASE_FILE__, line);
	harness_assert_empty_at(ring, __BASE_FILE__, line);
}

/* Exactly count requests were pending, and nothing else was on its way. They are cancelled. */
#define expect_pending(ring, count) expect_pending_at(ring, count, __LINE__)
/* Nothing is pending: what has not completed by now never will. */
#define expect_idle(ring) expect_pending_at(ring, 0, __LINE__)

static inline void put_byte_at(int fd, int line)
{
	_assert_int_equal(write(fd, "x", 1), 1, __BASE_FILE__, line);
}

static inline void take_byte_at(int fd, int line)
{
	char byte;

	_assert_int_equal(read(fd, &byte, 1), 1, __BASE_FILE__, line);
}

#define put_byte(fd)  put_byte_at(fd, __LINE__)
#define take_byte(fd) take_byte_at(fd, __LINE__)

/* Arm a poll and submit it. */
static inline void start_poll(struct io_uring *ring, uint64_t user_data, int fd, unsigned mask)
{
	ops_prep(ring, user_data, 0, poll_add, fd, mask);
	harness_submit(ring, 1);
}

static inline void start_multishot(struct io_uring *ring, uint64_t user_data, int fd, unsigned mask)
{
	ops_prep(ring, user_data, 0, poll_multishot, fd, mask);
	harness_submit(ring, 1);
}

#endif /* CONFORMANCE_READINESS_HELPERS_H */
