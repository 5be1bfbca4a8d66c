/* SPDX-License-Identifier: MIT */
/*
 * What the stress programs share: a seed, random numbers, a limit of time, threads, checks that
 * any thread may make, and short ways to rings and completions.
 *
 * A run is bounded twice: in the number of rounds, and by STRESS_SECONDS, after which no new round
 * begins. The seed is printed; ASYNCRING_SEED=n in the environment runs the same choices again, as
 * far as the threads' own choices go: how they interleave is the machine's.
 */
#ifndef STRESS_H
#define STRESS_H

#include <asyncring.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum {
	STRESS_SECONDS = 2,	   /* no new round of a test after that */
	STRESS_LIMIT_SECONDS = 50, /* the whole program, stretched under sanitizers */
};

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

static uint64_t stress_seed;

/* ---- checks ---- */

/* In any thread, unlike CMocka's: says what was found and ends the program. */
__attribute__((format(printf, 3, 4), noreturn)) static inline void
stress_fail(const char *file, int line, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fprintf(stderr, "%s:%d: ", file, line);
	vfprintf(stderr, format, arguments);
	fprintf(stderr, " (ASYNCRING_SEED=%llu)\n", (unsigned long long)stress_seed);
	va_end(arguments);
	fflush(NULL);
	_exit(1);
}

#define check(condition)                                                                           \
	do {                                                                                       \
		if (!(condition))                                                                  \
			stress_fail(__FILE__, __LINE__, "%s is not so", #condition);               \
	} while (0)

#define check_equal(found, expected)                                                               \
	do {                                                                                       \
		long long found_ = (long long)(found), expected_ = (long long)(expected);          \
		if (found_ != expected_)                                                           \
			stress_fail(__FILE__, __LINE__, "%s is %lld, not %lld", #found, found_,    \
				    expected_);                                                    \
	} while (0)

/* ---- time ---- */

static inline uint64_t stress_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* May a test that began at @start begin another round? */
static inline bool stress_time_left(uint64_t start)
{
	return stress_now_ns() - start < STRESS_SECONDS * 1000000000ull;
}

static inline void stress_out_of_time(int signal_number)
{
	char text[96];
	int length = snprintf(text, sizeof(text), "out of time (ASYNCRING_SEED=%llu)\n",
			      (unsigned long long)stress_seed);

	(void)signal_number;
	if (write(STDERR_FILENO, text, (size_t)length) < 0)
		_exit(125);
	_exit(124);
}

/* ---- random numbers ---- */

struct random {
	uint64_t state;
};

/* The @stream-th of the independent sequences that the seed stands for. */
static inline struct random random_stream(uint64_t stream)
{
	return (struct random){stress_seed * 0x9e3779b97f4a7c15ull +
			       stream * 0xd1342543de82ef95ull + 1};
}

/* splitmix64 (Steele, Lea, Flood 2014). */
static inline uint64_t random_next(struct random *random)
{
	uint64_t mixed = random->state += 0x9e3779b97f4a7c15ull;

	mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9ull;
	mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111ebull;
	return mixed ^ mixed >> 31;
}

/* 0 ... @limit - 1 */
static inline unsigned random_below(struct random *random, unsigned limit)
{
	return (unsigned)(random_next(random) % limit);
}

static inline bool random_chance(struct random *random, unsigned percent)
{
	return random_below(random, 100) < percent;
}

/* ---- set-up ---- */

/* Group setup of every stress program. */
static inline int stress_setup(void **state)
{
	const char *seed = getenv("ASYNCRING_SEED");
	const char *factor = getenv("ASYNCRING_TEST_TIMEOUT_MULT");
	long slowness = factor ? strtol(factor, NULL, 10) : 1;

	(void)state;
	stress_seed = seed ? strtoull(seed, NULL, 10) : stress_now_ns() % 1000000007;
	print_message("ASYNCRING_SEED=%llu\n", (unsigned long long)stress_seed);
	signal(SIGALRM, stress_out_of_time);
	alarm((unsigned)(STRESS_LIMIT_SECONDS * (slowness > 0 ? slowness : 1)));
	return 0;
}

#define stress_run(tests) cmocka_run_group_tests(tests, stress_setup, NULL)

static inline void stress_thread(pthread_t *thread, void *(*body)(void *), void *argument)
{
	check_equal(pthread_create(thread, NULL, body, argument), 0);
}

static inline void stress_join(pthread_t thread)
{
	check_equal(pthread_join(thread, NULL), 0);
}

/* An open file that is already unlinked, with the @size bytes at @data in it. */
static inline int stress_file(const void *data, size_t size)
{
	char name[] = "/tmp/asyncring-stress-XXXXXX";
	int fd = mkstemp(name);

	check(fd >= 0);
	unlink(name);
	check_equal(write(fd, data, size), size);
	return fd;
}

static inline void stress_pipe(int ends[2])
{
	check_equal(pipe2(ends, O_CLOEXEC), 0);
}

static inline void stress_close_pipe(const int ends[2])
{
	close(ends[0]);
	close(ends[1]);
}

/* ---- rings ---- */

static inline void stress_ring(struct asyncring *ring, unsigned entries, unsigned flags)
{
	check_equal(asyncring_queue_init(entries, ring, flags), 0);
}

static inline struct asyncring_sqe *stress_sqe(struct asyncring *ring, uint64_t user_data)
{
	struct asyncring_sqe *sqe = asyncring_get_sqe(ring);

	/* An SQ thread may be slower than we are. */
	while (!sqe && ring->flags & ASYNCRING_SETUP_SQPOLL) {
		check(asyncring_sqring_wait(ring) >= 0);
		sqe = asyncring_get_sqe(ring);
	}
	check(sqe);
	memset(sqe, 0, sizeof(*sqe));
	sqe->user_data = user_data;
	return sqe;
}

/* The prep functions clear user_data. */
static inline void stress_name(struct asyncring_sqe *sqe, uint64_t user_data, unsigned flags)
{
	sqe->user_data = user_data;
	sqe->flags |= (uint8_t)flags;
}

/* Submit the @count entries that were prepared since the last time. */
static inline void stress_submit(struct asyncring *ring, unsigned count)
{
	int submitted = asyncring_submit(ring);

	/* With an SQ thread: all that it has not taken yet. */
	if (ring->flags & ASYNCRING_SETUP_SQPOLL)
		check(submitted >= 0);
	else
		check_equal(submitted, count);
}

/* What a CQE says; struct asyncring_cqe itself cannot be handed around by value. */
struct completion {
	uint64_t user_data;
	int32_t res;
	uint32_t flags;
};

/* Wait for a completion and take it out. */
static inline struct completion stress_next(struct asyncring *ring)
{
	struct asyncring_cqe *cqe = NULL;
	struct completion copy;
	int error;

	do
		error = asyncring_wait_cqe(ring, &cqe);
	while (error == -EINTR);
	check_equal(error, 0);
	copy = (struct completion){cqe->user_data, cqe->res, cqe->flags};
	asyncring_cqe_seen(ring, cqe);
	return copy;
}

#endif
