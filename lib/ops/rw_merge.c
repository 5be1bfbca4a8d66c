/* SPDX-License-Identifier: MIT */
/*
 * Writes that continue each other, made with one call. engine/pool_merge.c has what becomes of
 * their results, and needs of this only that a call that fails has written nothing, and that one
 * that ends short has written just what it says, from the first request's first byte on.
 *
 * That is not so where a write is followed by a wait for the device: then the data may be there
 * although the call fails, and the error is told but once. Nor is it known of file systems that
 * send the data elsewhere. So the file has to be one of those that hint.c names for this.
 */
#include "families.h"
#include "rw.h"

#include "../core/core.h"

enum {
	MERGE_VECTORS = 64,
	/* Who is behind them in the lane, and who waits for the first, waits for all of it. */
	MERGE_BYTES = 1024 * 1024,
};

bool asyncring__rw_merge(struct merge *merge, const struct request *request)
{
	const struct rw *rw = request_data(request, const struct rw);
	uint64_t length;

	if (!rw->write || rw->flags || rw->done || rw->offset < 0 ||
	    request->ring->flags & ASYNCRING_SETUP_IOPOLL)
		return false;
	if (!request->file || !request->file->hint.merges)
		return false;
	/* With its buffer a request has also been told whether it lies in there. */
	if (rw->fixed && !request->buffer)
		return false;
	if (merge->vectors && rw->offset != merge->end)
		return false;
	if (rw->count > MERGE_VECTORS - merge->vectors)
		return false;
	length = asyncring__rw_wanted(rw);
	if (!length || length > MERGE_BYTES - merge->bytes || rw->offset > INT64_MAX - MERGE_BYTES)
		return false;
	merge->vectors += rw->count;
	merge->bytes += length;
	merge->end = rw->offset + (int64_t)length;
	return true;
}

unsigned asyncring__rw_issue_merged(struct request *const requests[], unsigned count)
{
	const struct rw *first = request_data(requests[0], const struct rw);
	struct iovec vectors[MERGE_VECTORS];
	unsigned used = 0, finished = 0;
	uint64_t written;
	long result;

	for (unsigned i = 0; i < count; i++) {
		const struct rw *rw = request_data(requests[i], const struct rw);

		for (uint32_t j = 0; j < rw->count; j++)
			vectors[used++] = rw->vector[j];
	}
	result = sys_pwritev2(request_fd(requests[0]), vectors, used, first->offset, 0);
	written = result > 0 ? (uint64_t)result : 0;
	while (finished < count && written) {
		struct rw *rw = request_data(requests[finished], struct rw);
		uint64_t length = asyncring__rw_wanted(rw);

		rw->done = written < length ? written : length;
		written -= rw->done;
		if (rw->done < length)
			break;
		asyncring__rw_finish(requests[finished++], 0);
	}
	return finished;
}
