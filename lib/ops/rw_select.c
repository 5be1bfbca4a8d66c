/* SPDX-License-Identifier: MIT */
/*
 * READ and READV with BUFFER_SELECT: the memory comes from a group of provided buffers. On a
 * stream, where nothing blocks, a buffer of a ring is taken only when something was read into it;
 * single buffers, and both on other files, are taken for good by the first attempt. What a request
 * has taken its CQE says, also if it fails or is cancelled.
 */
#include "../core/core.h"
#include "../core/provided.h"
#include "rw.h"

int asyncring__rw_prep_select(struct request *request)
{
	struct rw *rw = request_data(request, struct rw);

	if (rw->count != 1)
		return -EINVAL;
	if (asyncring__copy_in(&rw->single, (uintptr_t)rw->vector, sizeof(rw->single)))
		return -EFAULT;
	rw->length = (uint32_t)rw->single.iov_len;
	rw->vector = &rw->single;
	rw->vectored = false;
	return 0;
}

static void clamp(struct rw *rw)
{
	if (rw->single.iov_len > TRANSFER_MAX)
		rw->single.iov_len = TRANSFER_MAX;
}

/* With a buffer that the request has for good. */
static enum issue_result issue_taken(struct request *request, unsigned flags)
{
	struct rw *rw = request_data(request, struct rw);
	int error = asyncring__buffers_take(request, flags, &rw->single, rw->length);

	if (error)
		return asyncring__rw_finish(request, asyncring__rw_file_first(request, error));
	rw->taken = true;
	clamp(rw);
	return asyncring__rw_attempt(request, flags);
}

/* What the file is, and not only what its number was when it was last looked at. */
static struct hint certain_hint(const struct request *request)
{
	struct hint hint = {.kind = FILE_UNKNOWN};

	if (request->file)
		return request->file->hint;
	asyncring__hint_learn(request->fd, &hint);
	return hint;
}

/* How many bytes of the buffer count as used; -1: it stays in the group. */
static int64_t bytes_to_commit(const struct request *request, const struct picked_buffers *picked,
			       enum issue_result result)
{
	const struct rw *rw = request_data(request, const struct rw);
	int64_t length = (int64_t)rw->single.iov_len;
	int32_t res = request->completion.res;

	if (result == ISSUE_DONE && length && res == length)
		return length;
	/*
	 * A buffer of a ring is taken when there is something in it, a single one at once; with
	 * ASYNC both, and with what was asked for.
	 */
	if (result == ISSUE_NEED_POLL && request->flags & ASYNCRING_SQE_ASYNC)
		return length;
	if (result == ISSUE_NEED_POLL)
		return picked->from_ring ? -1 : 0;
	switch (certain_hint(request).kind) {
	case FILE_UNKNOWN:
		return -1;
	case FILE_POLLABLE:
		if (picked->from_ring && (result != ISSUE_DONE || res < 0))
			return -1;
		return res >= 0 ? res : 0;
	}
	/* Taken at the first attempt, and with what was asked for, whatever came of it. */
	return length;
}

/* With a buffer that is the request's only if it is used. Nothing in here blocks. */
static enum issue_result issue_picked(struct request *request, unsigned flags)
{
	struct rw *rw = request_data(request, struct rw);
	struct picked_buffers picked;
	enum issue_result result;
	int64_t bytes;
	int count = asyncring__buffers_pick_one(request, flags, &rw->single, rw->length, &picked);

	if (count < 0)
		return asyncring__rw_finish(request, asyncring__rw_file_first(request, count));
	clamp(rw);
	result = asyncring__rw_attempt(request, flags);
	bytes = bytes_to_commit(request, &picked, result);
	if (bytes < 0) {
		asyncring__buffers_return(request, &picked);
		return result;
	}
	rw->taken = true;
	request->completion.flags |= asyncring__buffers_commit(request, &picked, (uint64_t)bytes);
	return result;
}

enum issue_result asyncring__rw_issue_selected(struct request *request, unsigned flags)
{
	const struct rw *rw = request_data(request, const struct rw);
	struct hint hint;

	if (rw->taken)
		return asyncring__rw_attempt(request, flags);
	if (flags & ISSUE_NONBLOCK)
		return issue_picked(request, flags);
	hint = asyncring__rw_hint(request, true);
	if (hint.kind == FILE_UNKNOWN)
		return issue_picked(request, flags);
	/* What knows no NOWAIT is read when it is ready, in a way that may block all the same. */
	if (hint.kind == FILE_POLLABLE && (hint.nowait_reads || !(request->flags & REQ_READY)))
		return issue_picked(request, flags);
	return issue_taken(request, flags);
}
