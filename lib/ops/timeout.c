/* SPDX-License-Identifier: MIT */
/*
 * TIMEOUT, LINK_TIMEOUT and TIMEOUT_REMOVE.
 *
 * All three work on the ring's timers, under submit_lock. A TIMEOUT that has started is parked
 * until its time or its number of completions has come, a LINK_TIMEOUT until its time has come or
 * the request it bounds has ended (complete.c takes it back then).
 */
#include "../clock.h"
#include "../core/core.h"
#include "../core/pending.h"
#include "../engine/timers.h"
#include "families.h"

struct timeout {
	struct timer timer; /* first: how a timer's request is found */
	int64_t interval;   /* or the point in time, with TIMEOUT_ABS */
	uint32_t count;	    /* completions to wait for, or answers to give; 0: none, for ever */
	uint32_t flags;	    /* ASYNCRING_TIMEOUT_* */
};

struct timeout_remove {
	uint64_t user_data;
	int64_t time;
	uint32_t flags;
};

enum { CLOCKS = ASYNCRING_TIMEOUT_BOOTTIME | ASYNCRING_TIMEOUT_REALTIME };

/* ---- preparation ---- */

/* @value: where the time is, or with TIMEOUT_IMMEDIATE_ARG the time. */
static int read_time(struct ring *ring, uint64_t value, uint32_t flags, int64_t *ns)
{
	struct __kernel_timespec time;

	if (flags & ASYNCRING_TIMEOUT_IMMEDIATE_ARG) {
		*ns = (int64_t)value;
		return *ns < 0 ? -EINVAL : 0;
	}
	if (asyncring__copy_in_ahead(ring, &time, value, sizeof(time)))
		return -EFAULT;
	if (time.tv_sec < 0 || time.tv_nsec < 0)
		return -EINVAL;
	*ns = clock_from_timespec(&time);
	return 0;
}

static int prep(struct request *request, const struct asyncring_sqe *sqe)
{
	enum {
		FLAGS = CLOCKS | ASYNCRING_TIMEOUT_ABS | ASYNCRING_TIMEOUT_ETIME_SUCCESS |
			ASYNCRING_TIMEOUT_MULTISHOT | ASYNCRING_TIMEOUT_IMMEDIATE_ARG,
	};
	struct timeout *timeout = request_data(request, struct timeout);
	uint32_t flags = sqe->timeout_flags;

	*timeout = (struct timeout){.flags = flags};
	if (sqe->buf_index || sqe->splice_fd_in || sqe->addr3 || sqe->__pad2[0] || sqe->len != 1)
		return -EINVAL;
	if (flags & ~(uint32_t)FLAGS || (flags & CLOCKS) == CLOCKS)
		return -EINVAL;
	if (flags & ASYNCRING_TIMEOUT_MULTISHOT && flags & ASYNCRING_TIMEOUT_ABS)
		return -EINVAL;
	timeout->timer.clock = flags & ASYNCRING_TIMEOUT_BOOTTIME   ? TIMER_BOOTTIME
			       : flags & ASYNCRING_TIMEOUT_REALTIME ? TIMER_REALTIME
								    : TIMER_MONOTONIC;
	return read_time(request->ring, sqe->addr, flags, &timeout->interval);
}

int asyncring__timeout_prep(struct request *request, const struct asyncring_sqe *sqe)
{
	int error = prep(request, sqe);

	request_data(request, struct timeout)->count = (uint32_t)sqe->off;
	return error;
}

int asyncring__link_timeout_prep(struct request *request, const struct asyncring_sqe *sqe)
{
	struct ring *ring = request->ring;
	int error = sqe->off ? -EINVAL : prep(request, sqe);

	if (error)
		return error;
	if (!ring->chain_head || !ring->chain_tail->op ||
	    ring->chain_tail->op->properties & OP_LINK_TIMEOUT)
		return -EINVAL;
	ring->chain_tail->flags |= REQ_TIMED;
	return 0;
}

/* ---- time ---- */

static int start_timer(struct request *request, int64_t time, bool absolute)
{
	struct timer *timer = &request_data(request, struct timeout)->timer;

	timer->expiry =
		absolute ? time
			 : clock_add(asyncring__timer_now((enum timer_clock)timer->clock), time);
	return asyncring__timer_start(request->ring, timer);
}

static enum issue_result fail(struct request *request, int error)
{
	request_set_result(request, error);
	return ISSUE_DONE;
}

static enum issue_result start(struct request *request)
{
	struct timeout *timeout = request_data(request, struct timeout);
	int error = start_timer(request, timeout->interval, timeout->flags & ASYNCRING_TIMEOUT_ABS);

	return error ? fail(request, error) : ISSUE_PARKED;
}

void asyncring__timeout_unpark(struct request *request)
{
	struct timeout *timeout = request_data(request, struct timeout);

	asyncring__timer_stop(request->ring, &timeout->timer);
	if (timeout->count && !(timeout->flags & ASYNCRING_TIMEOUT_MULTISHOT))
		asyncring__count_remove(request);
}

/* ---- TIMEOUT ---- */

/* One answer of several; true if there are more to come. */
static bool again(struct request *request, unsigned flags)
{
	struct timeout *timeout = request_data(request, struct timeout);

	if (timeout->count == 1 || !asyncring__request_post(request, flags, -ETIME, 0))
		return false;
	if (timeout->count)
		timeout->count--;
	return !start_timer(request, timeout->interval, false);
}

enum issue_result asyncring__timeout_issue(struct request *request, unsigned flags)
{
	struct timeout *timeout = request_data(request, struct timeout);
	bool multishot = timeout->flags & ASYNCRING_TIMEOUT_MULTISHOT;

	if (request->state != STATE_PARKED) {
		enum issue_result result = start(request);

		if (result == ISSUE_PARKED && timeout->count && !multishot)
			asyncring__count_add(request, timeout->count);
		return result;
	}
	request->completion.timeout = true;
	if (timer_started(&timeout->timer)) {
		request_set_result(request, 0);
		return ISSUE_DONE;
	}
	if (multishot && again(request, flags))
		return ISSUE_PARKED;
	if (timeout->flags & ASYNCRING_TIMEOUT_ETIME_SUCCESS)
		request_set_answer(request, -ETIME);
	else
		request_set_result(request, -ETIME);
	return ISSUE_DONE;
}

/* ---- LINK_TIMEOUT ---- */

/* The time is over: the request that was to be done by now is taken back, if it can be. */
static void stop_bounded(struct request *request)
{
	struct request *bounded = request->timed;
	struct cancel_match match = {
		.ring = request->ring,
		.user_data = bounded->completion.user_data,
		.only = bounded,
	};
	int result;

	bounded->link = request->link;
	request->link = NULL;
	result = asyncring__cancel(&match);
	request_set_answer(request, result ? result : -ETIME);
}

enum issue_result asyncring__link_timeout_issue(struct request *request, unsigned flags)
{
	(void)flags;
	if (request->state != STATE_PARKED)
		return start(request);
	stop_bounded(request);
	return ISSUE_DONE;
}

/* ---- TIMEOUT_REMOVE ---- */

int asyncring__timeout_remove_prep(struct request *request, const struct asyncring_sqe *sqe)
{
	enum { UPDATES = ASYNCRING_TIMEOUT_UPDATE | ASYNCRING_LINK_TIMEOUT_UPDATE };
	struct timeout_remove *remove = request_data(request, struct timeout_remove);

	if (request->flags & (ASYNCRING_SQE_FIXED_FILE | ASYNCRING_SQE_BUFFER_SELECT))
		return -EINVAL;
	if (sqe->buf_index || sqe->len || sqe->splice_fd_in || sqe->addr3 || sqe->__pad2[0])
		return -EINVAL;
	remove->user_data = sqe->addr;
	remove->flags = sqe->timeout_flags;
	if (!(remove->flags & UPDATES))
		return remove->flags ? -EINVAL : 0;
	if (remove->flags &
	    ~(uint32_t)(UPDATES | ASYNCRING_TIMEOUT_ABS | ASYNCRING_TIMEOUT_IMMEDIATE_ARG))
		return -EINVAL;
	return read_time(request->ring, sqe->addr2, remove->flags, &remove->time);
}

/* The timer starts again, and waits for its time alone. */
static int update(struct request *found, const struct timeout_remove *remove)
{
	struct timeout *timeout = request_data(found, struct timeout);

	asyncring__timer_stop(found->ring, &timeout->timer);
	if (timeout->count && !(timeout->flags & ASYNCRING_TIMEOUT_MULTISHOT))
		asyncring__count_remove(found);
	timeout->count = 0;
	if (!(remove->flags & ASYNCRING_TIMEOUT_ABS))
		timeout->interval = remove->time;
	return start_timer(found, remove->time, remove->flags & ASYNCRING_TIMEOUT_ABS);
}

enum issue_result asyncring__timeout_remove_issue(struct request *request, unsigned flags)
{
	const struct timeout_remove *remove = request_data(request, const struct timeout_remove);
	bool linked = remove->flags & ASYNCRING_LINK_TIMEOUT_UPDATE;
	struct request *found = asyncring__pending_find(
		request->ring, linked ? ASYNCRING_OP_LINK_TIMEOUT : ASYNCRING_OP_TIMEOUT,
		remove->user_data);
	int result = 0;

	(void)flags;
	if (!found)
		result = -ENOENT;
	else if (remove->flags)
		result = update(found, remove);
	else
		asyncring__pending_take_back(found);
	request_set_result(request, result);
	return ISSUE_DONE;
}
