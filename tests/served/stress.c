/* SPDX-License-Identifier: MIT */
/*
 * Description: threads that have rings each, and close, duplicate, replace, unmap and abandon them
 * in every way there is while requests are on their way and others fork. What has to hold in the
 * end is that everything still works, and that no ring has heard of another's requests.
 *
 * An argument multiplies the number of rounds.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* A test that fails in a thread has nowhere to return to. */
#define CHECK(a, b)                                                                                \
	do {                                                                                       \
		long a_ = (long)(a), b_ = (long)(b);                                               \
		if (a_ != b_) {                                                                    \
			fprintf(stderr, "%s:%d: %s: %ld, not %ld (errno %d)\n", __FILE__,          \
				__LINE__, #a, a_, b_, errno);                                      \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

#undef assert_true
#undef assert_false
#undef assert_int_equal
#undef assert_non_null
#define assert_true(condition)	 CHECK(!!(condition), 1)
#define assert_false(condition)	 CHECK(!!(condition), 0)
#define assert_int_equal(a, b)	 CHECK(a, b)
#define assert_non_null(pointer) CHECK(!!(pointer), 1)

#include "raw.h"

enum { THREADS = 6, ROUNDS = 60 };

static unsigned rounds = ROUNDS;

struct worker {
	pthread_t thread;
	unsigned number;
	uint32_t seed;
	struct raw_ring ring;
	int fds[2];
	char bytes[8];
};

static unsigned draw(struct worker *worker, unsigned below)
{
	worker->seed = worker->seed * 1664525u + 1013904223u;
	return (worker->seed >> 16) % below;
}

/* Marks which ring a request was for. */
static uint64_t mark(const struct worker *worker, unsigned round)
{
	return (uint64_t)worker->number << 32 | round;
}

static void start_something(struct worker *worker, unsigned round)
{
	struct __kernel_timespec ages = {.tv_sec = 1000};
	struct asyncring_sqe *sqe;

	for (unsigned i = 0; i < 4; i++) {
		switch (draw(worker, 4)) {
		case 0:
			raw_sqe(&worker->ring, ASYNCRING_OP_NOP, -1, mark(worker, round))->flags =
				ASYNCRING_SQE_ASYNC;
			break;
		case 1:
			sqe = raw_sqe(&worker->ring, ASYNCRING_OP_TIMEOUT, -1, mark(worker, round));
			sqe->addr = (uintptr_t)&ages;
			sqe->len = 1;
			break;
		default:
			sqe = raw_sqe(&worker->ring, ASYNCRING_OP_READ, worker->fds[0],
				      mark(worker, round));
			sqe->addr = (uintptr_t)&worker->bytes[i];
			sqe->len = 1;
			sqe->off = (uint64_t)-1;
			break;
		}
	}
	assert_int_equal(raw_enter(worker->ring.fd, 4, 0, 0), 4);
}

static void look(struct worker *worker, unsigned round)
{
	struct asyncring_cqe cqe;

	while (raw_cqe(&worker->ring, &cqe))
		assert_int_equal(cqe.user_data, mark(worker, round));
}

static void child(struct worker *worker)
{
	struct raw_ring own;

	if (draw(worker, 2))
		closefrom(3);
	else
		close(worker->ring.fd);
	raw_open(&own, 0);
	raw_check(&own);
	raw_close_ring(&own);
	_exit(0);
}

static void fork_one(struct worker *worker)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (!pid)
		child(worker);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void end(struct worker *worker)
{
	int fd = worker->ring.fd, copy;

	switch (draw(worker, 6)) {
	case 0:
		assert_int_equal(raw_close(fd), 0);
		break;
	case 1:
		copy = dup(fd);
		assert_true(copy >= 0);
		assert_int_equal(close(fd), 0);
		assert_int_equal(raw_enter(copy, 0, 0, 0), 0);
		assert_int_equal(close(copy), 0);
		break;
	case 2:
		assert_int_equal(dup2(worker->fds[1], fd), fd);
		assert_int_equal(close(fd), 0);
		break;
	case 3:
		assert_int_equal(raw_call(SYS_dup3, worker->fds[1], fd, 0, 0, 0, 0), fd);
		assert_int_equal(close(fd), 0);
		break;
	case 4:
		assert_int_equal(close_range((unsigned)fd, (unsigned)fd, 0), 0);
		break;
	default:
		assert_int_equal(close(fd), 0);
		break;
	}
}

static void *work(void *argument)
{
	/* Completions come by themselves, or when they are asked for. */
	static const unsigned flags[] = {0, ASYNCRING_SETUP_SINGLE_ISSUER |
						    ASYNCRING_SETUP_DEFER_TASKRUN};
	struct worker *worker = argument;

	for (unsigned round = 0; round < rounds; round++) {
		bool unmap_first = draw(worker, 2);

		assert_int_equal(pipe2(worker->fds, O_CLOEXEC), 0);
		raw_open(&worker->ring, flags[draw(worker, 2)]);
		raw_check(&worker->ring);
		start_something(worker, round);
		if (draw(worker, 2))
			assert_int_equal(write(worker->fds[1], "ab", 2), 2);
		raw_readable(worker->ring.fd, 0);
		look(worker, round);
		if (!draw(worker, 8))
			fork_one(worker);
		if (unmap_first)
			raw_unmap_rings(&worker->ring);
		end(worker);
		if (!unmap_first)
			raw_unmap_rings(&worker->ring);
		close(worker->fds[0]);
		close(worker->fds[1]);
	}
	return NULL;
}

static void all_at_once(void **state)
{
	static struct worker workers[THREADS];
	struct raw_ring ring;

	(void)state;
	raw_open(&ring, 0);
	for (unsigned i = 0; i < THREADS; i++) {
		workers[i].number = i + 1;
		workers[i].seed = i * 7919 + 1;
		assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
	raw_check(&ring);
	raw_close_ring(&ring);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_at_once),
	};

	raw_begin();
	if (argc > 1) {
		rounds *= (unsigned)atoi(argv[1]);
		alarm(0);
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
