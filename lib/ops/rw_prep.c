/* SPDX-License-Identifier: MIT */
/*
 * Preparation of READ, WRITE and all their forms: fields are checked, vectors copied. On the
 * submitting thread, or with the request's owner, and without a lock of its own.
 */
#include <string.h>

#include "../core/core.h"
#include "families.h"
#include "rw.h"

#ifndef RWF_NOWAIT
#define RWF_NOWAIT 0x00000008
#endif

static int check_ioprio(uint16_t ioprio)
{
	enum { NONE, REALTIME, BEST_EFFORT, IDLE };
	unsigned level = ioprio & 7;

	switch (ioprio >> 13) {
	case NONE:
		return level ? -EINVAL : 0;
	case REALTIME:
	case BEST_EFFORT:
	case IDLE:
		return 0;
	}
	return -EINVAL;
}

static inline int prep(struct request *request, const struct asyncring_sqe *sqe, bool write)
{
	struct rw *rw = request_data(request, struct rw);

	memset(rw, 0, sizeof(*rw));
	rw->write = write;
	rw->flags = sqe->rw_flags;
	rw->offset = (int64_t)sqe->off;
	if (rw->offset == -1)
		request->flags |= REQ_POSITION;
	if (rw->flags & RWF_NOWAIT)
		request->flags |= REQ_NOWAIT;
	if (sqe->ioprio && check_ioprio(sqe->ioprio))
		return -EINVAL;
	/* Protection information of block devices is not for user space to give. */
	if (sqe->attr_type_mask)
		return -EINVAL;
	return 0;
}

static inline __attribute__((always_inline)) int
prep_buffer(struct request *request, const struct asyncring_sqe *sqe, bool write, bool fixed)
{
	struct rw *rw = request_data(request, struct rw);
	int error = prep(request, sqe, write);

	rw->single.iov_base = (void *)(uintptr_t)sqe->addr;
	rw->single.iov_len = sqe->len < TRANSFER_MAX ? sqe->len : TRANSFER_MAX;
	rw->vector = &rw->single;
	rw->count = 1;
	rw->fixed = fixed;
	rw->length = sqe->len;
	return error;
}

static int prep_vector(struct request *request, const struct asyncring_sqe *sqe, bool write,
		       bool fixed)
{
	struct rw *rw = request_data(request, struct rw);
	int error = prep(request, sqe, write);

	if (!error && sqe->len > VECTOR_MAX)
		error = -EINVAL;
	rw->vector = (const struct iovec *)(uintptr_t)sqe->addr;
	rw->count = sqe->len;
	rw->vectored = true;
	rw->fixed = fixed;
	if (!error && request->flags & ASYNCRING_SQE_BUFFER_SELECT)
		return asyncring__rw_prep_select(request);
	/* Each vector is checked against the buffer, so they must be ours before they are used. */
	if (!error && fixed) {
		request->flags |= REQ_ARGS_COPIED;
		error = asyncring__rw_copy_args(request);
	}
	return error;
}

int asyncring__rw_prep_read(struct request *request, const struct asyncring_sqe *sqe)
{
	return prep_buffer(request, sqe, false, false);
}

int asyncring__rw_prep_write(struct request *request, const struct asyncring_sqe *sqe)
{
	return prep_buffer(request, sqe, true, false);
}

int asyncring__rw_prep_read_fixed(struct request *request, const struct asyncring_sqe *sqe)
{
	return prep_buffer(request, sqe, false, true);
}

int asyncring__rw_prep_write_fixed(struct request *request, const struct asyncring_sqe *sqe)
{
	return prep_buffer(request, sqe, true, true);
}

int asyncring__rw_prep_readv(struct request *request, const struct asyncring_sqe *sqe)
{
	return prep_vector(request, sqe, false, false);
}

int asyncring__rw_prep_writev(struct request *request, const struct asyncring_sqe *sqe)
{
	return prep_vector(request, sqe, true, false);
}

int asyncring__rw_prep_readv_fixed(struct request *request, const struct asyncring_sqe *sqe)
{
	return prep_vector(request, sqe, false, true);
}

int asyncring__rw_prep_writev_fixed(struct request *request, const struct asyncring_sqe *sqe)
{
	return prep_vector(request, sqe, true, true);
}

int asyncring__rw_copy_args(struct request *request)
{
	struct rw *rw = request_data(request, struct rw);
	size_t size = rw->count * sizeof(struct iovec);
	struct iovec *copy = &rw->single;
	int error;

	if (!rw->vectored || !rw->count)
		return 0;
	if (rw->count > 1) {
		copy = asyncring__alloc(size);
		if (!copy)
			return -ENOMEM;
		request->async_data = copy;
	}
	error = asyncring__copy_in(copy, (uintptr_t)rw->vector, size);
	rw->vector = copy;
	for (uint32_t i = 0; !error && i < rw->count; i++)
		if ((int64_t)copy[i].iov_len < 0)
			error = -EINVAL;
	return error;
}
