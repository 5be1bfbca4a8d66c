/* SPDX-License-Identifier: MIT */
/*
 * POLL_ADD and POLL_REMOVE: readiness as such, once or each time it comes, and changes to it.
 *
 * A poll that is answered once asks poll(2) first: what is ready already is answered inline. One
 * with several answers counts wake-ups of its file and leaves also the first to the poller.
 *
 * Differs from the kernel: a readiness that is gone again before anybody looks is not reported,
 * because user space is not told of the wake-up itself.
 */
#include "../core/core.h"
#include "../core/pending.h"
#include "../engine/poller.h"
#include "families.h"

struct poll_add {
	/* Of a multishot one: the signals of the ring's eventfd when it last began to wait. */
	uint32_t signals;
	bool begun;
};

struct poll_remove {
	uint64_t user_data, new_user_data;
	uint32_t events;
	uint32_t flags; /* ASYNCRING_POLL_* */
};

enum {
	/* Reported whether asked for or not. */
	UNASKED = EPOLLERR | EPOLLHUP | EPOLLRDHUP,
	EVENTS = 0xffff,
};

/* Of the bits that say how to report, not what, only the flags of the request count. */
static uint32_t events_of(const struct asyncring_sqe *sqe)
{
	uint32_t events = sqe->poll32_events;

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	events = events << 16 | events >> 16;
#endif
	return (events & EVENTS) | UNASKED;
}

int asyncring__poll_add_prep(struct request *request, const struct asyncring_sqe *sqe)
{
	if (sqe->buf_index || sqe->off || sqe->addr)
		return -EINVAL;
	if (sqe->len & ~(uint32_t)ASYNCRING_POLL_ADD_MULTI)
		return -EINVAL;
	request->poll_events = events_of(sqe);
	request_data(request, struct poll_add)->begun = false;
	if (!(sqe->len & ASYNCRING_POLL_ADD_MULTI))
		return 0;
	if (request->flags & ASYNCRING_SQE_CQE_SKIP_SUCCESS)
		return -EINVAL;
	request->flags |= REQ_MULTISHOT | REQ_POLL_EDGE;
	return 0;
}

/* What the file is ready for now; 0: nothing, or a negative errno. */
static int look(const struct request *request)
{
	static const struct timespec no_time;
	struct pollfd poll = {.fd = request_fd(request), .events = (short)request->poll_events};
	int count = sys_ppoll(&poll, 1, &no_time, NULL);

	if (count < 0)
		return count;
	if (poll.revents & POLLNVAL)
		return -EBADF;
	return count ? (poll.revents & (int)request->poll_events & EVENTS) : 0;
}

static uint32_t signals_so_far(const struct request *request)
{
	/* Relaxed: see ring.h. */
	return atomic_load_explicit(&request->ring->eventfd_signals, memory_order_relaxed);
}

/*
 * A poll of the eventfd that its own answers are signalled with would answer itself for ever: it
 * ends with what the ring's own signal has brought, or may have.
 */
static bool answers_itself(struct request *request)
{
	struct poll_add *poll = request_data(request, struct poll_add);
	const struct file *eventfd = request->ring->eventfd;
	uint32_t before = poll->signals;

	poll->signals = signals_so_far(request);
	return eventfd && poll->signals != before &&
	       asyncring__file_is(eventfd, request_fd(request));
}

static void begin_multishot(struct request *request)
{
	struct poll_add *poll = request_data(request, struct poll_add);

	if (!poll->begun)
		poll->signals = signals_so_far(request);
	poll->begun = true;
}

enum issue_result asyncring__poll_add_issue(struct request *request, unsigned flags)
{
	bool multishot = request->flags & REQ_MULTISHOT;
	int events = (int)(request->ready_events & request->poll_events & EVENTS);

	if (multishot)
		begin_multishot(request);
	else if (!events)
		events = look(request);
	if (!events)
		return ISSUE_NEED_POLL;
	if (multishot && !answers_itself(request) &&
	    asyncring__request_post(request, flags, events, 0))
		return ISSUE_NEED_POLL;
	request_set_result(request, events);
	return ISSUE_DONE;
}

/* ---- POLL_REMOVE ---- */

int asyncring__poll_remove_prep(struct request *request, const struct asyncring_sqe *sqe)
{
	enum {
		UPDATES = ASYNCRING_POLL_UPDATE_EVENTS | ASYNCRING_POLL_UPDATE_USER_DATA,
		FLAGS = UPDATES | ASYNCRING_POLL_ADD_MULTI,
	};
	struct poll_remove *remove = request_data(request, struct poll_remove);

	if (sqe->buf_index || sqe->splice_fd_in || sqe->len & ~(uint32_t)FLAGS)
		return -EINVAL;
	remove->flags = sqe->len;
	/* It says something only of what is to be changed. */
	if (remove->flags == ASYNCRING_POLL_ADD_MULTI)
		return -EINVAL;
	if (sqe->off && !(remove->flags & ASYNCRING_POLL_UPDATE_USER_DATA))
		return -EINVAL;
	if (sqe->poll32_events && !(remove->flags & ASYNCRING_POLL_UPDATE_EVENTS))
		return -EINVAL;
	remove->user_data = sqe->addr;
	remove->new_user_data = sqe->off;
	remove->events = events_of(sqe);
	return 0;
}

/* Arm @poll anew, with what is to change. If that ends it, it completes after the request. */
static void update(struct request *poll, const struct poll_remove *remove)
{
	struct batch *batch = &poll->ring->batch;

	asyncring__poller_disarm(poll);
	if (remove->flags & ASYNCRING_POLL_UPDATE_EVENTS)
		poll->poll_events = remove->events;
	if (remove->flags & ASYNCRING_POLL_UPDATE_USER_DATA)
		poll->completion.user_data = remove->new_user_data;
	asyncring__request_ready(poll, 0);
	if (batch->done.prev == &poll->completion.node) {
		list_remove(&poll->completion.node);
		list_append(&batch->cancelled, &poll->completion.node);
	}
}

/*
 * There is no such poll in the poller. It may be in a worker, for want of descriptors, where it can
 * be cancelled, but not changed.
 */
static int not_armed(const struct request *request)
{
	const struct poll_remove *remove = request_data(request, const struct poll_remove);
	struct cancel_match match = {
		.ring = request->ring,
		.user_data = remove->user_data,
		.flags = ASYNCRING_ASYNC_CANCEL_USERDATA | ASYNCRING_ASYNC_CANCEL_OP,
		.opcode = ASYNCRING_OP_POLL_ADD,
	};

	if (remove->flags & (ASYNCRING_POLL_UPDATE_EVENTS | ASYNCRING_POLL_UPDATE_USER_DATA))
		return -ENOENT;
	return asyncring__cancel(&match);
}

enum issue_result asyncring__poll_remove_issue(struct request *request, unsigned flags)
{
	const struct poll_remove *remove = request_data(request, const struct poll_remove);
	struct request *poll =
		asyncring__pending_find(request->ring, ASYNCRING_OP_POLL_ADD, remove->user_data);

	(void)flags;
	if (!poll) {
		request_set_result(request, not_armed(request));
		return ISSUE_DONE;
	}
	if (remove->flags & (ASYNCRING_POLL_UPDATE_EVENTS | ASYNCRING_POLL_UPDATE_USER_DATA))
		update(poll, remove);
	else
		asyncring__pending_take_back(poll);
	request_set_result(request, 0);
	return ISSUE_DONE;
}
