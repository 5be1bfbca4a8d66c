/* SPDX-License-Identifier: MIT */
/* PROVIDE_BUFFERS and REMOVE_BUFFERS: the older way to give buffers to a group. */
#include "../core/buffer_group.h"
#include "../core/core.h"
#include "families.h"

enum { IDS = 65536 };

/* No address of the application's reaches this far, on any machine; more the kernel does not ask.
 */
#define ADDRESSES (1ull << 56)

struct provide_buffers {
	uint64_t address;
	uint32_t length;
	uint32_t count;
	uint16_t id;
};

int asyncring__provide_buffers_prep(struct request *request, const struct asyncring_sqe *sqe)
{
	struct provide_buffers *provide = request_data(request, struct provide_buffers);
	uint64_t size, end;

	if (sqe->rw_flags || sqe->splice_fd_in)
		return -EINVAL;
	if (sqe->fd <= 0 || sqe->fd > IDS)
		return -E2BIG;
	provide->count = (uint32_t)sqe->fd;
	provide->address = sqe->addr;
	provide->length = sqe->len;
	if (!provide->length)
		return -EINVAL;
	size = (uint64_t)provide->length * provide->count;
	if (__builtin_add_overflow(provide->address, size, &end))
		return -EOVERFLOW;
	if (end > ADDRESSES)
		return -EFAULT;
	if (sqe->off >= IDS)
		return -E2BIG;
	if (sqe->off + provide->count > IDS)
		return -EINVAL;
	provide->id = (uint16_t)sqe->off;
	return 0;
}

enum issue_result asyncring__provide_buffers_issue(struct request *request, unsigned flags)
{
	const struct provide_buffers *provide = request_data(request, struct provide_buffers);
	struct ring *ring = request->ring;
	int result;

	issue_lock(ring, flags);
	result = asyncring__buffers_provide(ring, request->buf_index, provide->address,
					    provide->length, provide->count, provide->id);
	issue_unlock(ring, flags);
	request_set_result(request, result);
	return ISSUE_DONE;
}

int asyncring__remove_buffers_prep(struct request *request, const struct asyncring_sqe *sqe)
{
	struct provide_buffers *provide = request_data(request, struct provide_buffers);

	if (sqe->rw_flags || sqe->addr || sqe->len || sqe->off || sqe->splice_fd_in)
		return -EINVAL;
	if (sqe->fd <= 0 || sqe->fd > IDS)
		return -EINVAL;
	provide->count = (uint32_t)sqe->fd;
	return 0;
}

enum issue_result asyncring__remove_buffers_issue(struct request *request, unsigned flags)
{
	const struct provide_buffers *provide = request_data(request, struct provide_buffers);
	struct ring *ring = request->ring;
	int result;

	issue_lock(ring, flags);
	result = asyncring__buffers_remove(ring, request->buf_index, provide->count);
	issue_unlock(ring, flags);
	request_set_result(request, result);
	return ISSUE_DONE;
}
