/* SPDX-License-Identifier: MIT */
/*
 * Reads, and writes, that continue each other, made with one call. engine/pool_merge.c (writes, on
 * a worker) and core/submit.c (reads, inline) have what becomes of their results.
 *
 * A read that ends short may have found only a part in the cache, or the end of the file, or a bad
 * buffer: the request in which it ended is carried out by itself as if it had not been tried.
 *
 * Of a write it must be known that a call that fails has written nothing, and that one that ends
 * short has written just what it says, from the first request's first byte on. That is not so where
 * a write is followed by a wait for the device: then the data may be there although the call fails,
 * and the error is told but once. Nor is it known of file systems that send the data elsewhere. So
 * the file has to be one of those that hint.c names for this.
 */
#include "families.h"
#include "rw.h"

#include "../core/core.h"

#ifndef RWF_NOWAIT
#define RWF_NOWAIT 0x00000008
#endif

enum {
	MERGE_VECTORS = 64,
	/* Who is behind them, and who waits for the first, waits for all of it. */
	MERGE_BYTES = 1024 * 1024,
};

static bool may_begin(const struct request *request)
{
	const struct rw *rw = request_data(request, const struct rw);

	if (rw->flags || rw->done || rw->offset < 0 ||
	    request->ring->flags & ASYNCRING_SETUP_IOPOLL)
		return false;
	/* With its buffer a request has also been told whether it lies in there. */
	if (rw->fixed && !request->buffer)
		return false;
	return !rw->write || (request->file && request->file->hint.merges);
}

bool asyncring__rw_merge(struct merge *merge, const struct request *request)
{
	const struct rw *rw = request_data(request, const struct rw);
	uint64_t length;

	if (!may_begin(request))
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

/*
 * Inline only where that is known not to block (hazard H3), and if the @bytes in there are not too
 * many; 0: not so, or there is nothing.
 */
static long read_cached(struct request *request, const struct iovec *vectors, unsigned count,
			uint64_t bytes)
{
	struct rw *rw = request_data(request, struct rw);
	struct hint hint = asyncring__rw_hint(request, false);
	int flags = 0;
	long result;

	if (asyncring__rw_too_much(request, bytes / count, bytes))
		return 0;
	if (hint.kind == FILE_CACHED && hint.nowait_reads)
		flags = RWF_NOWAIT;
	else if (hint.kind != FILE_MEMORY)
		return 0;
	result = sys_preadv2(request_fd(request), vectors, count, rw->offset, flags);
	if (result > 0)
		asyncring__rw_moved(request, (uint64_t)result);
	/* The first need not be tried once more to be told so. */
	rw->missing = result == -EAGAIN;
	return result;
}

unsigned asyncring__rw_issue_merged(struct request *const requests[], unsigned count,
				    unsigned flags)
{
	struct request *first = requests[0];
	const struct rw *first_rw = request_data(first, const struct rw);
	struct iovec vectors[MERGE_VECTORS];
	unsigned used = 0, finished = 0;
	uint64_t moved, bytes = 0;
	long result;

	for (unsigned i = 0; i < count; i++) {
		const struct rw *rw = request_data(requests[i], const struct rw);

		for (uint32_t j = 0; j < rw->count; j++)
			vectors[used++] = rw->vector[j];
		bytes += asyncring__rw_wanted(rw);
	}
	if (flags & ISSUE_NONBLOCK)
		result = read_cached(first, vectors, used, bytes);
	else
		result = sys_pwritev2(request_fd(first), vectors, used, first_rw->offset, 0);
	moved = result > 0 ? (uint64_t)result : 0;
	while (finished < count && moved) {
		struct rw *rw = request_data(requests[finished], struct rw);
		uint64_t length = asyncring__rw_wanted(rw);

		if (moved < length) {
			rw->done = rw->write ? moved : 0;
			break;
		}
		rw->done = length;
		moved -= length;
		asyncring__rw_finish(requests[finished++], 0);
	}
	return finished;
}
