/* SPDX-License-Identifier: MIT */
/*
 * Timers of the kernel's io_uring, and by the mechanical rename of libasyncring: TIMEOUT requests
 * with an absolute time, TIMEOUT_REMOVE whose own completion is skipped.
 */
#include <errno.h>
#include <liburing.h>
#include <stdlib.h>

#include "service.h"

#define SQ_ENTRIES 1024U
#define CQ_ENTRIES 65536U

/* Of a removal, which completes only if it fails. */
#define REMOVAL UINT64_MAX

struct ring_timers {
	struct io_uring ring;
	unsigned queued; /* SQEs, and how many of them have to end before long */
	unsigned cancelled;
	unsigned ended;
	const struct lateness *lateness;	    /* or NULL */
	struct __kernel_timespec times[SQ_ENTRIES]; /* of the SQEs that are queued */
};

static int timers_open(void **state, unsigned count, const struct lateness *lateness)
{
	struct io_uring_params params = {
		.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
			 IORING_SETUP_CQSIZE,
		.cq_entries = CQ_ENTRIES,
	};
	struct ring_timers *timers = calloc(1, sizeof(*timers));
	int error;

	(void)count;
	if (!timers)
		return -ENOMEM;
	error = io_uring_queue_init_params(SQ_ENTRIES, &timers->ring, &params);
	if (error) {
		free(timers);
		return error;
	}
	timers->lateness = lateness;
	*state = timers;
	return 0;
}

/* Submits what is queued, waits for so many completions, and counts all there are. */
static int turn(struct ring_timers *timers, unsigned wait)
{
	struct io_uring_cqe *cqe;
	unsigned head, seen = 0;
	int result = io_uring_submit_and_wait(&timers->ring, wait);

	if (result < 0 && result != -EINTR)
		return result;
	timers->queued = timers->cancelled = 0;
	io_uring_for_each_cqe (&timers->ring, head, cqe) {
		if (cqe->user_data == REMOVAL || (cqe->res != -ETIME && cqe->res != -ECANCELED))
			return cqe->res < 0 ? cqe->res : -EIO;
		if (timers->lateness)
			bench_timer_note(timers->lateness, cqe->user_data);
		seen++;
	}
	io_uring_cq_advance(&timers->ring, seen);
	timers->ended += seen;
	return 0;
}

static struct io_uring_sqe *next_sqe(struct ring_timers *timers, int *error)
{
	if (timers->queued == SQ_ENTRIES)
		*error = turn(timers, timers->cancelled);
	if (*error)
		return NULL;
	timers->queued++;
	return io_uring_get_sqe(&timers->ring);
}

static int timers_arm(void *state, unsigned number, uint64_t expiry)
{
	struct ring_timers *timers = state;
	int error = 0;
	struct io_uring_sqe *sqe = next_sqe(timers, &error);
	struct __kernel_timespec *time;

	if (!sqe)
		return error ? error : -EBUSY;
	time = &timers->times[timers->queued - 1];
	time->tv_sec = (long long)(expiry / NANOSECONDS);
	time->tv_nsec = (long long)(expiry % NANOSECONDS);
	io_uring_prep_timeout(sqe, time, 0, IORING_TIMEOUT_ABS);
	io_uring_sqe_set_data64(sqe, number);
	return 0;
}

static int timers_cancel(void *state, unsigned number)
{
	struct ring_timers *timers = state;
	int error = 0;
	struct io_uring_sqe *sqe = next_sqe(timers, &error);

	if (!sqe)
		return error ? error : -EBUSY;
	io_uring_prep_timeout_remove(sqe, number, 0);
	io_uring_sqe_set_data64(sqe, REMOVAL);
	sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
	timers->cancelled++;
	return 0;
}

static int timers_await(void *state, unsigned ended)
{
	struct ring_timers *timers = state;
	int error = timers->queued ? turn(timers, timers->cancelled) : 0;

	while (!error && timers->ended < ended)
		error = turn(timers, 1);
	return error;
}

static void timers_close(void *state)
{
	struct ring_timers *timers = state;

	io_uring_queue_exit(&timers->ring);
	free(timers);
}

const struct timer_service bench_timers_io_uring = {
	.open = timers_open,
	.arm = timers_arm,
	.cancel = timers_cancel,
	.await = timers_await,
	.close = timers_close,
};
