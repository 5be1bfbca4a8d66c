/* SPDX-License-Identifier: MIT */
/*
 * CLOSE, of a descriptor or of a slot of the file table.
 *
 * A descriptor is closed by the submitter: what close(2) may have to do at length (write back over
 * a network) it rarely has, and sending each one to a worker would cost far more than most closes.
 * A ring is never closed this way: the request itself would have to be waited for.
 */
#include "../core/core.h"
#include "families.h"
#include "slot.h"

struct close {
	uint32_t file_index; /* 0: the descriptor */
};

int asyncring__close_prep(struct request *request, const struct asyncring_sqe *sqe)
{
	struct close *close = request_data(request, struct close);

	if (sqe->off || sqe->addr || sqe->len || sqe->rw_flags || sqe->buf_index)
		return -EINVAL;
	if (request->flags & ASYNCRING_SQE_FIXED_FILE)
		return -EBADF;
	close->file_index = sqe->file_index;
	if (close->file_index && sqe->fd)
		return -EINVAL;
	return 0;
}

enum issue_result asyncring__close_issue(struct request *request, unsigned flags)
{
	const struct close *close = request_data(request, struct close);
	int result;

	if (close->file_index) {
		issue_lock(request->ring, flags);
		result = asyncring__file_table_remove(request->ring, close->file_index - 1);
		issue_unlock(request->ring, flags);
	} else if (asyncring__ring_is_ring(request->fd)) {
		result = -EBADF;
	} else {
		/* What comes after it in the submission must not find the file behind the number.
		 */
		if (flags & ISSUE_LOCKED)
			asyncring__batch_forget_pin(request->ring, request->fd);
		asyncring__hint_forget(request->fd);
		result = sys_close(request->fd);
	}
	request_set_result(request, result);
	return ISSUE_DONE;
}
