/* SPDX-License-Identifier: MIT */
/*
 * Cancellation: which requests are meant, and taking them back from wherever they are.
 *
 * A request is marked cancelled only by the path that really took it back (rule 4). The pool
 * decides that under its locks; what had not started is completed here, what waited for readiness
 * by its worker, and what sits in a system call completes with whatever that call answers.
 */
#include <asyncring.h>

#include "../clock.h"
#include "../engine/futex_waiter.h"
#include "../engine/pool.h"
#include "core.h"

enum {
	MATCH_KEYS = ASYNCRING_ASYNC_CANCEL_FD | ASYNCRING_ASYNC_CANCEL_OP |
		     ASYNCRING_ASYNC_CANCEL_USERDATA,
};

/* The open file is meant, not the number under which it goes. */
static bool same_file(const struct cancel_match *match, const struct request *request)
{
	if (!(request->op->properties & OP_FILE))
		return false;
	if (request->file)
		return asyncring__file_is(request->file, match->file_fd);
	return !request->fixed_file && request->fd == match->file_fd;
}

bool asyncring__cancel_matches(const struct cancel_match *match, const struct request *request)
{
	uint32_t flags = match->flags;

	if (match->only)
		return request == match->only;
	/* It goes with the request it bounds. */
	if (request->op->properties & OP_LINK_TIMEOUT)
		return false;
	if (flags & (CANCEL_EVERYTHING | ASYNCRING_ASYNC_CANCEL_ANY))
		return true;
	if (flags & ASYNCRING_ASYNC_CANCEL_FD && !same_file(match, request))
		return false;
	if (flags & ASYNCRING_ASYNC_CANCEL_OP && request->opcode != match->opcode)
		return false;
	/* The user data is the key if nothing else is, and one more if it is asked for. */
	if (!(flags & MATCH_KEYS) || flags & ASYNCRING_ASYNC_CANCEL_USERDATA)
		return request->completion.user_data == match->user_data;
	return true;
}

/* Does the descriptor or slot that is the key exist at all? */
static bool find_key(struct cancel_match *match)
{
	const struct file *file;

	if (!(match->flags & ASYNCRING_ASYNC_CANCEL_FD))
		return true;
	match->file_fd = match->fd;
	if (!(match->flags & ASYNCRING_ASYNC_CANCEL_FD_FIXED))
		return sys_fcntl(match->fd, F_GETFD, 0) >= 0;
	file = asyncring__file_table_get(match->ring, (unsigned)match->fd);
	if (file)
		match->file_fd = file->fd;
	return file;
}

/* One that was taken back from those that would have carried it out. */
static void end(struct request *request)
{
	request_set_result(request, -ECANCELED);
	/* The I/O side's reference; if the submission's is gone too, it completes here. */
	asyncring__request_put_submitter(request);
}

int asyncring__cancel(struct cancel_match *match)
{
	bool all = match->flags &
		   (CANCEL_EVERYTHING | ASYNCRING_ASYNC_CANCEL_ALL | ASYNCRING_ASYNC_CANCEL_ANY);
	struct pool_cancelled cancelled;
	struct list unstarted, sleeping, *node;
	unsigned waiters = 0, children = 0, pending;

	if (!find_key(match))
		return -EBADF;
	/* Those of the same submission have to be where they can be found. */
	asyncring__batch_hand_over(match->ring);
	pending = asyncring__pending_cancel(match, all, &children);
	if (pending && !all)
		return children ? 1 : 0;
	list_init(&unstarted);
	list_init(&sleeping);
	cancelled = asyncring__pool_cancel(match, all, &unstarted);
	if (all || !(cancelled.taken || cancelled.running))
		waiters = asyncring__futex_cancel(match, all, &sleeping);
	while ((node = list_take_first(&unstarted)))
		end(container_of(node, struct request, node));
	while ((node = list_take_first(&sleeping))) {
		struct request *request = container_of(node, struct request, node);

		/* What stands behind it goes on, as in the kernel, unless all is to end. */
		if (match->flags & CANCEL_EVERYTHING) {
			end(request);
			continue;
		}
		request_set_answer(request, -ECANCELED);
		asyncring__request_put_submitter(request);
	}
	children += cancelled.counted;
	if (!all && (waiters || children))
		return 1;
	/* Those that wait on futexes, or for children, the kernel counts as one of each kind. */
	if (match->flags & ASYNCRING_ASYNC_CANCEL_ALL) {
		pending -= children ? children - 1 : 0;
		waiters = waiters ? 1 : 0;
	}
	if (all)
		return (int)(pending + cancelled.taken + waiters);
	if (cancelled.taken)
		return 0;
	return cancelled.running ? -EALREADY : -ENOENT;
}

/* ---- REGISTER_SYNC_CANCEL ---- */

/* One attempt, complete with what it releases. */
static int cancel_now(struct ring *ring, struct cancel_match *match)
{
	int result;

	ring_lock(ring);
	result = asyncring__cancel(match);
	asyncring__batch_finish(ring);
	ring_unlock(ring);
	return result;
}

static int check_sync_cancel(const struct asyncring_sync_cancel_reg *reg)
{
	enum {
		FLAGS = ASYNCRING_ASYNC_CANCEL_ALL | ASYNCRING_ASYNC_CANCEL_FD |
			ASYNCRING_ASYNC_CANCEL_ANY | ASYNCRING_ASYNC_CANCEL_FD_FIXED |
			ASYNCRING_ASYNC_CANCEL_USERDATA | ASYNCRING_ASYNC_CANCEL_OP,
	};

	if (reg->flags & ~(uint32_t)FLAGS)
		return -EINVAL;
	for (size_t i = 0; i < sizeof(reg->pad) / sizeof(reg->pad[0]); i++)
		if (reg->pad[i])
			return -EINVAL;
	for (size_t i = 0; i < sizeof(reg->pad2) / sizeof(reg->pad2[0]); i++)
		if (reg->pad2[i])
			return -EINVAL;
	return 0;
}

/*
 * What is running is waited for: the call asks again each millisecond until it is gone or the time
 * is over.
 */
static int wait_until_gone(struct ring *ring, struct cancel_match *match, int64_t deadline)
{
	const struct timespec pause = {.tv_nsec = NSEC_PER_MSEC};
	int result;

	do {
		if (clock_now() >= deadline)
			return -ETIME;
		if (sys_ppoll(NULL, 0, &pause, NULL) == -EINTR)
			return -EINTR;
		result = cancel_now(ring, match);
	} while (result == -EALREADY);
	return result == -ENOENT || result > 0 ? 0 : result;
}

int asyncring__sync_cancel(struct ring *ring, uint64_t arg)
{
	struct asyncring_sync_cancel_reg reg;
	struct cancel_match match = {.ring = ring};
	int64_t deadline = CLOCK_NEVER;
	int result, error;

	if (asyncring__copy_in(&reg, arg, sizeof(reg)))
		return -EFAULT;
	error = check_sync_cancel(&reg);
	if (error)
		return error;
	match.user_data = reg.addr;
	match.fd = reg.fd;
	match.flags = reg.flags;
	match.opcode = reg.opcode;
	if (reg.timeout.tv_sec != -1 || reg.timeout.tv_nsec != -1)
		deadline = clock_add(clock_now(), clock_from_timespec(&reg.timeout));
	result = cancel_now(ring, &match);
	return result == -EALREADY ? wait_until_gone(ring, &match, deadline) : result;
}
