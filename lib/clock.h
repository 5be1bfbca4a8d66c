/* SPDX-License-Identifier: MIT */
/*
 * The clock, in one place: CLOCK_MONOTONIC in nanoseconds, and arithmetic with points in time that
 * saturates, so that no time an application gives can overflow into another.
 *
 * In a build with ASYNCRING_TESTING, asyncring__clock_hook is asked instead if it is set; sleeping
 * goes through sys.h, which has a hook of its own. Any thread, no lock.
 */
#ifndef ASYNCRING__CLOCK_H
#define ASYNCRING__CLOCK_H

#include <stdint.h>
#include <time.h>

#include <asyncring/abi.h>

#define NSEC_PER_SEC  INT64_C(1000000000)
#define NSEC_PER_MSEC INT64_C(1000000)
#define NSEC_PER_USEC INT64_C(1000)

/* A point in time that never comes. */
#define CLOCK_NEVER INT64_MAX

#ifdef ASYNCRING_TESTING
extern int64_t (*asyncring__clock_hook)(void);
#endif

static inline int64_t clock_now(void)
{
	struct timespec now;

#ifdef ASYNCRING_TESTING
	if (asyncring__clock_hook)
		return asyncring__clock_hook();
#endif
	/* Through libc, which asks the vDSO; it neither fails nor is it a cancellation point. */
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * NSEC_PER_SEC + now.tv_nsec;
}

/* Now on any of the kernel's clocks. */
static inline int64_t clock_now_of(clockid_t id)
{
	struct timespec now;

	if (id == CLOCK_MONOTONIC)
		return clock_now();
	clock_gettime(id, &now);
	return (int64_t)now.tv_sec * NSEC_PER_SEC + now.tv_nsec;
}

static inline int64_t clock_add(int64_t a, int64_t b)
{
	int64_t sum;

	if (!__builtin_add_overflow(a, b, &sum))
		return sum;
	return b < 0 ? INT64_MIN : INT64_MAX;
}

/*
 * As the kernel reads the timespec of a wait: whatever the parts are, it is their sum that counts.
 * Nanoseconds may be more than a second, and either part negative.
 */
static inline int64_t clock_from_timespec(const struct __kernel_timespec *time)
{
	int64_t ns;

	if (__builtin_mul_overflow((int64_t)time->tv_sec, NSEC_PER_SEC, &ns))
		ns = time->tv_sec < 0 ? INT64_MIN : INT64_MAX;
	return clock_add(ns, time->tv_nsec);
}

/* From now to @deadline, which is not CLOCK_NEVER; nothing if it is over. */
static inline struct timespec clock_left(int64_t deadline)
{
	int64_t now = clock_now();
	int64_t left = deadline > now ? deadline - now : 0;

	return (struct timespec){.tv_sec = left / NSEC_PER_SEC, .tv_nsec = left % NSEC_PER_SEC};
}

#endif
