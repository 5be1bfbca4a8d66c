/* SPDX-License-Identifier: MIT */
/*
 * Waiting with the extended argument, in this thread or in one that is known to sleep in the wait.
 */
#ifndef CONFORMANCE_HARNESS_WAIT_H
#define CONFORMANCE_HARNESS_WAIT_H

#include "harness.h"

#define MSEC 1000000ull

/* Enter to wait, with an extended argument of which zero members count as absent. */
struct wait_argument {
	unsigned to_submit, count, flags;
	const struct __kernel_timespec *timeout;
	unsigned min_wait_usec;
	const sigset_t *mask;
};

static inline int enter_wait(struct io_uring *ring, const struct wait_argument *wait)
{
	struct io_uring_getevents_arg argument;

	memset(&argument, 0, sizeof(argument));
	argument.ts = (uintptr_t)wait->timeout;
	argument.min_wait_usec = wait->min_wait_usec;
	argument.sigmask = (uintptr_t)wait->mask;
	argument.sigmask_sz = _NSIG / 8;
	return io_uring_enter2((unsigned)ring->ring_fd, wait->to_submit, wait->count,
			       IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG | wait->flags,
			       (void *)&argument, sizeof(argument));
}

static inline void queue_read(struct io_uring *ring, int fd, char *byte, uint64_t user_data)
{
	struct io_uring_sqe *sqe = harness_sqe(ring);

	io_uring_prep_read(sqe, fd, byte, 1, 0);
	sqe->user_data = user_data;
}

struct waiter {
	struct io_uring *ring;
	struct wait_argument wait;
	sem_t started;
	pthread_t thread;
	pid_t tid;
	int ret;
	bool returned; /* atomic */
};

static inline void *wait_in_thread(void *argument)
{
	struct waiter *waiter = argument;

	waiter->tid = harness_thread_id();
	sem_post(&waiter->started);
	waiter->ret = enter_wait(waiter->ring, &waiter->wait);
	__atomic_store_n(&waiter->returned, true, __ATOMIC_SEQ_CST);
	return NULL;
}

/* Start a thread that waits for count completions, and see it asleep. */
static inline void start_waiter(struct waiter *waiter, struct io_uring *ring, unsigned count,
				const struct __kernel_timespec *timeout)
{
	memset(waiter, 0, sizeof(*waiter));
	waiter->ring = ring;
	waiter->wait = (struct wait_argument){.count = count, .timeout = timeout};
	sem_init(&waiter->started, 0, 0);
	assert_int_equal(pthread_create(&waiter->thread, NULL, wait_in_thread, waiter), 0);
	sem_wait(&waiter->started);
	assert_true(harness_wait_asleep(waiter->tid));
}

static inline int join_waiter(struct waiter *waiter)
{
	pthread_join(waiter->thread, NULL);
	sem_destroy(&waiter->started);
	return waiter->ret;
}

static inline bool has_returned(struct waiter *waiter)
{
	return __atomic_load_n(&waiter->returned, __ATOMIC_SEQ_CST);
}

#endif /* CONFORMANCE_HARNESS_WAIT_H */
