/* SPDX-License-Identifier: MIT */
/* FSYNC and SYNC_FILE_RANGE: both wait for the device, so they run on workers only. */
#include "../core/core.h"
#include "families.h"

struct sync {
	uint64_t offset;
	uint32_t length;
	uint32_t flags;
};

static int prepare(struct request *request, const struct asyncring_sqe *sqe)
{
	struct sync *sync = request_data(request, struct sync);

	if (sqe->addr || sqe->buf_index || sqe->splice_fd_in)
		return -EINVAL;
	sync->offset = sqe->off;
	sync->length = sqe->len;
	sync->flags = sqe->fsync_flags;
	return 0;
}

int asyncring__fsync_prep(struct request *request, const struct asyncring_sqe *sqe)
{
	const struct sync *sync = request_data(request, struct sync);
	int error = prepare(request, sqe);

	if (error)
		return error;
	if (sync->flags & ~ASYNCRING_FSYNC_DATASYNC || (int64_t)sync->offset < 0)
		return -EINVAL;
	return 0;
}

/* What others have written to the device before is in its way as well, but that comes to an end. */
bool asyncring__sync_ends_soon(const struct request *request)
{
	(void)request;
	return true;
}

enum issue_result asyncring__fsync_issue(struct request *request, unsigned flags)
{
	const struct sync *sync = request_data(request, struct sync);
	bool data_only = sync->flags & ASYNCRING_FSYNC_DATASYNC;

	(void)flags;
	/* No system call syncs a range and the metadata: the whole file is more than was asked. */
	request_set_answer(
		request, (int32_t)sys(data_only ? SYS_fdatasync : SYS_fsync, request_fd(request)));
	return ISSUE_DONE;
}

int asyncring__sync_file_range_prep(struct request *request, const struct asyncring_sqe *sqe)
{
	return prepare(request, sqe);
}

enum issue_result asyncring__sync_file_range_issue(struct request *request, unsigned flags)
{
	const struct sync *sync = request_data(request, struct sync);

	(void)flags;
	request_set_answer(request, (int32_t)sys(SYS_sync_file_range, request_fd(request),
						 sync->offset, sync->length, sync->flags));
	return ISSUE_DONE;
}
