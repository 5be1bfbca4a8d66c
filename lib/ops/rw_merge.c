/* SPDX-License-Identifier: MIT */
/*
 * Reads, and writes, that continue each other, made with one call. engine/pool_merge.c (writes, on
 * a worker) and core/submit.c (inline) have what becomes of their results.
 *
 * A read that ends short may have found only a part in the cache, or the end of the file, or a bad
 * buffer: the request in which it ended is carried out by itself as if it had not been tried.
 *
 * Of a write it must be known that a call that fails has written nothing, and that one that ends
 * short has written just what it says, from the first request's first byte on. That is not so where
 * a write is followed by a wait for the device: then the data may be there although the call fails,
 * and the error is told but once. Nor is it known of file systems that send the data elsewhere. So
 * the file has to be one of those that hint.c names for this, and that must be certain: a worker's
 * file was looked at when it was pinned; inline, a descriptor is looked at once more for each call.
 *
 * The forms with vectors are not taken together inline: their arrays are the application's, to be
 * read by nobody but the kernel.
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
	/* Fewer writes inline are not worth looking at the file for. */
	WRITES_MIN = 4,
};

/* In a submission, as opposed to on a worker. submit_lock is held then. */
static bool is_inline(const struct request *request)
{
	return request->state == STATE_SUBMITTER;
}

/* Is it written inline, and can that be one call? Where it is not known for sure, only probably. */
static bool writes_merge_inline(const struct request *request)
{
	struct hint hint;

	if (request->fixed_file) {
		const struct file *file =
			asyncring__file_table_get(request->ring, (unsigned)request->fd);

		return file && file->hint.kind == FILE_MEMORY && file->hint.merges;
	}
	hint = asyncring__hint(request->fd, &request->ring->hint_questions);
	return hint.kind == FILE_MEMORY && hint.merges;
}

static bool may_begin(const struct request *request)
{
	const struct rw *rw = request_data(request, const struct rw);

	if (rw->flags || rw->done || rw->offset < 0 ||
	    request->ring->flags & ASYNCRING_SETUP_IOPOLL)
		return false;
	if (is_inline(request))
		return !rw->vectored;
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
	if (!merge->vectors && rw->write && is_inline(request) && !writes_merge_inline(request))
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

/* The requests' buffers one after another; those that adjoin in memory are one vector. */
struct whole {
	struct iovec vectors[MERGE_VECTORS];
	unsigned count;
	uint64_t bytes;
};

/*
 * The kernel does not see by itself that buffers adjoin: a file that extends is written in 0.8 of
 * the time from one vector of 128 KiB.
 */
static void add(struct whole *whole, const struct iovec *piece)
{
	struct iovec *last = whole->count ? &whole->vectors[whole->count - 1] : NULL;

	whole->bytes += piece->iov_len;
	if (last && (uintptr_t)last->iov_base + last->iov_len == (uintptr_t)piece->iov_base)
		last->iov_len += piece->iov_len;
	else
		whole->vectors[whole->count++] = *piece;
}

static void add_up(struct whole *whole, struct request *const requests[], unsigned count)
{
	whole->count = 0;
	whole->bytes = 0;
	for (unsigned i = 0; i < count; i++) {
		const struct rw *rw = request_data(requests[i], const struct rw);

		for (uint32_t j = 0; j < rw->count; j++)
			add(whole, &rw->vector[j]);
	}
}

/* 0: it is not known not to block (hazard H3), or there is nothing. */
static long read_inline(const struct request *first, const struct whole *whole)
{
	const struct rw *rw = request_data(first, const struct rw);
	struct hint hint = asyncring__rw_hint(first, false);
	int flags = 0;

	if (hint.kind == FILE_CACHED && hint.nowait_reads)
		flags = RWF_NOWAIT;
	else if (hint.kind != FILE_MEMORY)
		return 0;
	return sys_preadv2(request_fd(first), whole->vectors, whole->count, rw->offset, flags);
}

/* 0: it is not known what would come of it. */
static long write_inline(const struct request *first, unsigned count, const struct whole *whole)
{
	const struct rw *rw = request_data(first, const struct rw);
	struct hint hint;

	if (!asyncring__rw_file_size_unlimited(first->ring))
		return 0;
	if (!first->fixed_file && (count < WRITES_MIN || asyncring__hint_learn(first->fd, &hint) ||
				   hint.kind != FILE_MEMORY || !hint.merges))
		return 0;
	return sys_pwritev2(request_fd(first), whole->vectors, whole->count, rw->offset, 0);
}

/* How many of them have the registered buffers they need. */
static unsigned check_buffers(struct request *const requests[], unsigned count, unsigned flags)
{
	for (unsigned i = 0; i < count; i++)
		if (asyncring__rw_check_fixed(requests[i], flags))
			return i;
	return count;
}

static long transfer_inline(struct request *const requests[], unsigned count, unsigned flags)
{
	struct request *first = requests[0];
	struct rw *rw = request_data(first, struct rw);
	struct whole whole;
	long result;

	if (rw->fixed)
		count = check_buffers(requests, count, flags);
	if (count < 2)
		return 0;
	add_up(&whole, requests, count);
	if (asyncring__rw_too_much(first->ring, whole.bytes / count, whole.bytes))
		return 0;
	result = rw->write ? write_inline(first, count, &whole) : read_inline(first, &whole);
	if (result > 0)
		asyncring__rw_moved(first->ring, (uint64_t)result);
	/* The first need not be tried once more to be told so. */
	rw->waits = result == -EAGAIN;
	return result;
}

static long write_on_worker(struct request *const requests[], unsigned count)
{
	const struct rw *rw = request_data(requests[0], const struct rw);
	struct whole whole;

	add_up(&whole, requests, count);
	return sys_pwritev2(request_fd(requests[0]), whole.vectors, whole.count, rw->offset, 0);
}

unsigned asyncring__rw_issue_merged(struct request *const requests[], unsigned count,
				    unsigned flags)
{
	long result = flags & ISSUE_NONBLOCK ? transfer_inline(requests, count, flags)
					     : write_on_worker(requests, count);
	uint64_t moved = result > 0 ? (uint64_t)result : 0;
	unsigned finished = 0;

	while (finished < count && moved) {
		struct rw *rw = request_data(requests[finished], struct rw);
		uint64_t length = asyncring__rw_wanted(rw);

		if (moved < length) {
			rw->done = rw->write ? moved : 0;
			break;
		}
		rw->done = length;
		moved -= length;
		request_set_result(requests[finished++], (int32_t)length);
	}
	return finished;
}
