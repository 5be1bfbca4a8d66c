/* SPDX-License-Identifier: MIT */
/*
 * FALLOCATE and FTRUNCATE: change how much room a file has. They take the inode's lock for as long
 * as the file system needs, so they run on workers only, in the inode's lane.
 */
#include "../core/core.h"
#include "families.h"

struct range {
	uint64_t offset;
	uint64_t length;
	uint32_t mode;
};

int asyncring__fallocate_prep(struct request *request, const struct asyncring_sqe *sqe)
{
	struct range *range = request_data(request, struct range);

	if (sqe->buf_index || sqe->rw_flags || sqe->splice_fd_in)
		return -EINVAL;
	range->offset = sqe->off;
	range->length = sqe->addr;
	range->mode = sqe->len;
	return 0;
}

enum issue_result asyncring__fallocate_issue(struct request *request, unsigned flags)
{
	const struct range *range = request_data(request, struct range);

	(void)flags;
	request_set_answer(request, (int32_t)sys(SYS_fallocate, request_fd(request), range->mode,
						 range->offset, range->length));
	return ISSUE_DONE;
}

int asyncring__ftruncate_prep(struct request *request, const struct asyncring_sqe *sqe)
{
	struct range *range = request_data(request, struct range);

	if (sqe->rw_flags || sqe->addr || sqe->len || sqe->buf_index || sqe->splice_fd_in ||
	    sqe->addr3)
		return -EINVAL;
	range->length = sqe->off;
	return 0;
}

enum issue_result asyncring__ftruncate_issue(struct request *request, unsigned flags)
{
	const struct range *range = request_data(request, struct range);

	(void)flags;
	request_set_answer(request,
			   (int32_t)sys(SYS_ftruncate, request_fd(request), range->length));
	return ISSUE_DONE;
}
