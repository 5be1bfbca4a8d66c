/* SPDX-License-Identifier: MIT */
/* ASYNC_CANCEL: the operation; finding and taking back is the core's (core/cancel.c). */
#include "../core/core.h"
#include "families.h"

struct cancel {
	uint64_t user_data;
	uint32_t flags;
	int32_t fd;
	uint8_t opcode;
};

#define CANCEL_FLAGS                                                                               \
	(ASYNCRING_ASYNC_CANCEL_ALL | ASYNCRING_ASYNC_CANCEL_FD | ASYNCRING_ASYNC_CANCEL_ANY |     \
	 ASYNCRING_ASYNC_CANCEL_FD_FIXED | ASYNCRING_ASYNC_CANCEL_USERDATA |                       \
	 ASYNCRING_ASYNC_CANCEL_OP)

int asyncring__cancel_prep(struct request *request, const struct asyncring_sqe *sqe)
{
	struct cancel *cancel = request_data(request, struct cancel);

	if (request->flags & ASYNCRING_SQE_BUFFER_SELECT || sqe->off || sqe->splice_fd_in)
		return -EINVAL;
	cancel->user_data = sqe->addr;
	cancel->flags = sqe->cancel_flags;
	cancel->fd = sqe->fd;
	cancel->opcode = 0;
	if (cancel->flags & ~CANCEL_FLAGS)
		return -EINVAL;
	if (cancel->flags & ASYNCRING_ASYNC_CANCEL_FD && cancel->flags & ASYNCRING_ASYNC_CANCEL_ANY)
		return -EINVAL;
	if (cancel->flags & ASYNCRING_ASYNC_CANCEL_OP) {
		if (cancel->flags & ASYNCRING_ASYNC_CANCEL_ANY)
			return -EINVAL;
		cancel->opcode = (uint8_t)sqe->len;
	}
	return 0;
}

enum issue_result asyncring__cancel_issue(struct request *request, unsigned flags)
{
	const struct cancel *cancel = request_data(request, const struct cancel);
	struct cancel_match match = {.ring = request->ring,
				     .user_data = cancel->user_data,
				     .fd = cancel->fd,
				     .flags = cancel->flags,
				     .opcode = cancel->opcode};
	int result;

	if (request->flags & ASYNCRING_SQE_FIXED_FILE)
		match.flags |= ASYNCRING_ASYNC_CANCEL_FD_FIXED;
	issue_lock(request->ring, flags);
	result = asyncring__cancel(&match);
	if (!(flags & ISSUE_LOCKED))
		asyncring__batch_finish(request->ring);
	issue_unlock(request->ring, flags);
	request_set_result(request, result);
	return ISSUE_DONE;
}
