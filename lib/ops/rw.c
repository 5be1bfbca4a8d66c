/* SPDX-License-Identifier: MIT */
/*
 * READ, WRITE, READV, WRITEV and their forms with registered buffers; rw_prep.c has prepared them.
 *
 * Inline, a transfer is tried in the way that cannot block: RWF_NOWAIT where the file honours it, a
 * plain call where the data is in memory by definition (hint.h has the table). What comes back
 * short from a regular file may only be the part that was cached, so the rest is fetched by a
 * worker until the end of the file: the application sees what a blocking call would have given.
 * Streams (pipes, sockets, ...) are final with whatever they give, and wait for readiness if that
 * is nothing, O_NONBLOCK or not.
 *
 * A write must not raise a signal in the application's thread, with locks held: on streams it is
 * made with RWF_NOSIGNAL (Linux 6.18) or as a send(2) with MSG_NOSIGNAL, else by a worker, which
 * has SIGPIPE blocked; a plain one is not made inline while RLIMIT_FSIZE is set (SIGXFSZ).
 */
#include <limits.h>
#include <string.h>

#include "../core/core.h"
#include "../engine/pool.h"
#include "families.h"
#include "message.h"
#include "rw.h"

#ifndef RWF_NOWAIT
#define RWF_NOWAIT 0x00000008
#endif
#ifndef RWF_NOSIGNAL
#define RWF_NOSIGNAL 0x00000100
#endif
#ifndef RWF_HIPRI
#define RWF_HIPRI 0x00000001
#endif

enum {
	RWF_KNOWN = 0x1ff, /* HIPRI to NOSIGNAL: all of Linux 6.18 */
	/* What a worker copies while it has something to tell, in one go. */
	BRIEF_BYTES = 32 * 1024,
	/* After a vectored request of more than that so many are summed up before they are tried.
	 */
	SUMMED_UP = 64,
	/* Nor more than this in the time of one who waits for something. */
	SOON_MAX = 1024 * 1024,
	/* A rest that is described by more vectors than this is left to a worker. */
	REST_MAX = 8,
};

/* ---- the pieces of a transfer ---- */

uint64_t asyncring__rw_wanted(const struct rw *rw)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < rw->count && sum < TRANSFER_MAX; i++)
		sum += rw->vector[i].iov_len;
	return sum < TRANSFER_MAX ? sum : TRANSFER_MAX;
}

/*
 * What is left to do after rw->done bytes, described in @rest (room for @room vectors); the number
 * of vectors, or -1 if they are too many. All calls together move no more than one may.
 */
static int remaining(const struct rw *rw, struct iovec *rest, unsigned room)
{
	uint64_t skip = rw->done, left = TRANSFER_MAX - rw->done;
	unsigned count = 0;

	for (uint32_t i = 0; i < rw->count && left; i++) {
		struct iovec vector = rw->vector[i];

		if (skip >= vector.iov_len) {
			skip -= vector.iov_len;
			continue;
		}
		if (count == room)
			return -1;
		rest[count].iov_base = (char *)vector.iov_base + skip;
		rest[count].iov_len = vector.iov_len - skip < left ? vector.iov_len - skip : left;
		left -= rest[count++].iov_len;
		skip = 0;
	}
	return (int)count;
}

static long transfer(const struct rw *rw, int fd, const struct iovec *vector, unsigned count,
		     bool stream, unsigned more_flags)
{
	int64_t offset = stream || rw->offset == -1 ? -1 : rw->offset + (int64_t)rw->done;
	int flags = (int)(rw->flags | more_flags);

	if (rw->write)
		return sys_pwritev2(fd, vector, count, offset, flags);
	return sys_preadv2(fd, vector, count, offset, flags);
}

/*
 * The same on a regular file, where the calls for one buffer do what those for vectors do and cost
 * less. (Of devices some tell the two apart.) They look into a file even if there is nothing to
 * move, though.
 */
static long transfer_regular(const struct rw *rw, int fd, const struct iovec *vector,
			     unsigned count)
{
	int64_t offset = rw->offset + (int64_t)rw->done;

	if (rw->vectored || rw->flags || rw->offset < 0 || !vector->iov_len)
		return transfer(rw, fd, vector, count, false, 0);
	if (rw->write)
		return sys_pwrite(fd, vector->iov_base, vector->iov_len, offset);
	return sys_pread(fd, vector->iov_base, vector->iov_len, offset);
}

/* Is the file open for this direction at all? */
static bool mode_allows(const struct request *request)
{
	const struct rw *rw = request_data(request, const struct rw);
	int flags = sys_fcntl(request_fd(request), F_GETFL, 0);

	if (flags < 0 || flags & O_PATH)
		return false;
	return (flags & O_ACCMODE) != (rw->write ? O_RDONLY : O_WRONLY);
}

/*
 * io_uring looks at the file's mode, the flags and the offset, in this order, and at all of them
 * even if there is nothing to move. The plain calls look at the offset first, and at an empty
 * transfer no further than the mode.
 */
static long in_order(const struct request *request, long result)
{
	const struct rw *rw = request_data(request, const struct rw);
	bool empty = !result && !asyncring__rw_wanted(rw);
	bool unknown = rw->flags & ~(uint32_t)RWF_KNOWN;

	if (!empty && (result != -EINVAL || (rw->offset >= -1 && !unknown)))
		return result;
	if (!mode_allows(request))
		return -EBADF;
	if (unknown)
		return -EOPNOTSUPP;
	return rw->offset < -1 ? -EINVAL : result;
}

enum issue_result asyncring__rw_finish(struct request *request, long result)
{
	struct rw *rw = request_data(request, struct rw);

	if (!rw->done)
		result = in_order(request, result);

	/* A file system that cannot write without waiting would have to wait. */
	if (result == -EOPNOTSUPP && rw->write && rw->flags & RWF_NOWAIT &&
	    !(rw->flags & ~(uint32_t)RWF_KNOWN))
		result = -EAGAIN;
	/* What was moved before an error is the result. */
	if (rw->done || result >= 0)
		request_set_transfer(request, (int64_t)rw->done, asyncring__rw_wanted(rw));
	else
		request_set_result(request, (int32_t)result);
	return ISSUE_DONE;
}

bool asyncring__rw_refused(const struct rw *rw, long result)
{
	return !(rw->flags & ~(uint32_t)RWF_KNOWN) &&
	       (result == -EOPNOTSUPP || result == -ENOSYS || result == -EPERM);
}

/* Every vector must lie within its registered buffer, and not be empty. */
int asyncring__rw_check_fixed(struct request *request, unsigned issue_flags)
{
	struct rw *rw = request_data(request, struct rw);
	int error = 0;

	if (!request->buffer) {
		issue_lock(request->ring, issue_flags);
		request->buffer = asyncring__buffer_get(request->ring, request->buf_index);
		issue_unlock(request->ring, issue_flags);
	}
	if (!request->buffer)
		return -EFAULT;
	for (uint32_t i = 0; !error && i < rw->count; i++) {
		const struct iovec *vector = &rw->vector[i];

		if (rw->vectored && !vector->iov_len)
			return -EFAULT;
		error = asyncring__buffer_contains(request->buffer, (uintptr_t)vector->iov_base,
						   vector->iov_len);
	}
	return error;
}

/* The rules of a ring with SETUP_IOPOLL, and of RWF_HIPRI without. A file's mode comes first. */
static int check_polled(const struct request *request, const struct hint *hint)
{
	const struct rw *rw = request_data(request, const struct rw);
	int error = 0;

	if (request->ring->flags & ASYNCRING_SETUP_IOPOLL && hint->kind != FILE_UNKNOWN)
		error = hint->kind == FILE_DIRECT ? 0 : -EOPNOTSUPP;
	/* Of flags that nobody knows the call itself complains, and it would come first. */
	else if (rw->flags & RWF_HIPRI && !(rw->flags & ~(uint32_t)RWF_KNOWN))
		error = -EINVAL;
	return error && !mode_allows(request) ? -EBADF : error;
}

/* ---- inline ---- */

/*
 * An array of the application's cannot be looked at without a system call that copies it, which
 * would cost a small request a tenth of its time. So it is copied only where large ones have been
 * seen lately. If that fails the request has its result.
 */
static bool vectors_too_much(struct request *request)
{
	struct ring *ring = request->ring;
	uint64_t length;
	int error;

	if (!(request->flags & REQ_ARGS_COPIED)) {
		if (!ring->large_vectors)
			return false;
		ring->large_vectors--;
		error = asyncring__request_stabilise(request);
		if (error) {
			request_set_result(request, error);
			request->flags |= REQ_PREP_FAILED;
			return true;
		}
	}
	length = asyncring__rw_wanted(request_data(request, const struct rw));
	if (length > INLINE_MAX)
		ring->large_vectors = SUMMED_UP;
	return asyncring__rw_too_much(ring, length, length);
}

static bool too_much(struct request *request)
{
	const struct rw *rw = request_data(request, const struct rw);

	return rw->vectored ? vectors_too_much(request)
			    : asyncring__rw_too_much(request->ring, rw->single.iov_len,
						     rw->single.iov_len);
}

/* Whether a plain write may be made in the application's thread; asked once per submission. */
bool asyncring__rw_file_size_unlimited(struct ring *ring)
{
	struct rlimit limit;

	if (ring->batch.file_size == FILE_SIZE_UNKNOWN) {
		bool unlimited = !sys(SYS_prlimit64, 0, RLIMIT_FSIZE, NULL, &limit) &&
				 limit.rlim_cur == RLIM_INFINITY;

		ring->batch.file_size = unlimited ? FILE_SIZE_UNLIMITED : FILE_SIZE_LIMITED;
	}
	return ring->batch.file_size == FILE_SIZE_UNLIMITED;
}

/* How may this be tried without blocking? */
static enum inline_way inline_way(struct request *request, const struct hint *hint)
{
	const struct rw *rw = request_data(request, const struct rw);

	if ((hint->kind == FILE_MEMORY || hint->kind == FILE_CACHED) &&
	    (rw->waits || too_much(request)))
		return WAY_NONE;
	switch (hint->kind) {
	case FILE_MEMORY:
		return !rw->write || asyncring__rw_file_size_unlimited(request->ring) ? WAY_PLAIN
										      : WAY_NONE;
	case FILE_CACHED:
	case FILE_POLLABLE:
		if (!rw->write)
			return hint->nowait_reads ? WAY_NOWAIT : WAY_NONE;
		return hint->nowait_writes && asyncring__rw_file_size_unlimited(request->ring)
			       ? WAY_NOWAIT
			       : WAY_NONE;
	case FILE_UNKNOWN:
		/* Only a bad descriptor has no hint: let the kernel say so. */
		return WAY_NOWAIT;
	}
	return WAY_NONE;
}

static long try_regular(const struct rw *rw, int fd, const struct iovec *vector, unsigned count,
			enum inline_way way)
{
	if (way == WAY_PLAIN)
		return transfer_regular(rw, fd, vector, count);
	return transfer(rw, fd, vector, count, false, RWF_NOWAIT);
}

/* A short transfer of a regular file: is there more that is cached, or was that all? */
static enum issue_result finish_short(struct request *request, int fd, enum inline_way way)
{
	struct rw *rw = request_data(request, struct rw);
	uint64_t total = asyncring__rw_wanted(rw);

	while (rw->done < total) {
		struct iovec rest[REST_MAX];
		int count = remaining(rw, rest, REST_MAX);
		long result;

		if (count < 0)
			return ISSUE_NEED_WORKER;
		result = try_regular(rw, fd, rest, (unsigned)count, way);
		if (result == -EAGAIN && !(rw->flags & RWF_NOWAIT))
			return ISSUE_NEED_WORKER;
		if (result <= 0)
			break;
		rw->done += (uint64_t)result;
	}
	return asyncring__rw_finish(request, 0);
}

struct hint asyncring__rw_hint(const struct request *request, bool blocking)
{
	const struct rw *rw = request_data(request, const struct rw);
	struct hint hint;

	if (request->file)
		return asyncring__file_hint(request->file);
	if (!blocking) {
		hint = asyncring__hint(request->fd, &request->ring->hint_questions);
		if (rw->offset != -1 || hint.kind == FILE_UNKNOWN)
			return hint;
	}
	if (asyncring__hint_learn(request->fd, &hint))
		hint.kind = FILE_UNKNOWN;
	return hint;
}

void asyncring__rw_remember_refusal(const struct request *request)
{
	bool write = request_data(request, const struct rw)->write;

	if (request->file)
		atomic_store_explicit(&request->file->nowait_refused[write], true,
				      memory_order_relaxed);
	if (!request->fixed_file)
		asyncring__hint_no_nowait(request->fd, write);
}

/* As send(2): -ENOTSOCK if the file is no socket, or the request wants what send(2) cannot. */
static long send_vectors(const struct rw *rw, int fd)
{
	struct message_header message = {.vector = (struct iovec *)rw->vector, .count = rw->count};

	if (rw->flags & ~(uint32_t)RWF_NOWAIT)
		return -ENOTSOCK;
	return sys(SYS_sendmsg, fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Write to what is, or is taken for, a stream. */
static enum issue_result write_stream(struct request *request, const struct hint *hint)
{
	struct rw *rw = request_data(request, struct rw);
	bool stream = request->file && !request->file->character;
	unsigned how = RWF_NOWAIT | RWF_NOSIGNAL;
	int fd = request_fd(request);
	long result = -EOPNOTSUPP, sent;

	if (hint->nowait_writes) {
		result = transfer(rw, fd, rw->vector, rw->count, stream, how);
		if (result == -ESPIPE && !stream)
			result = transfer(rw, fd, rw->vector, rw->count, true, how);
		if (asyncring__rw_refused(rw, result))
			asyncring__rw_remember_refusal(request);
	}
	/* A write of nothing, which writev(2) ends at once, is a message to a socket. */
	if (asyncring__rw_refused(rw, result) || !result) {
		sent = send_vectors(rw, fd);
		if (sent != -ENOTSOCK)
			result = sent;
	}
	if (asyncring__rw_refused(rw, result))
		return ISSUE_NEED_WORKER;
	if (result == -EAGAIN && !(rw->flags & RWF_NOWAIT))
		return ISSUE_NEED_POLL;
	if (result > 0)
		rw->done = (uint64_t)result;
	return asyncring__rw_finish(request, result);
}

enum issue_result asyncring__rw_conclude(struct request *request, const struct hint *hint,
					 enum inline_way way, bool stream, long result)
{
	struct rw *rw = request_data(request, struct rw);
	int fd = request_fd(request);

	if (result == -ESPIPE && !stream) {
		stream = true;
		if (rw->write)
			return ISSUE_NEED_WORKER;
		result = transfer(rw, fd, rw->vector, rw->count, true, RWF_NOWAIT);
	}
	if ((way == WAY_NOWAIT || stream) && !(rw->flags & RWF_NOWAIT) &&
	    asyncring__rw_refused(rw, result)) {
		asyncring__rw_remember_refusal(request);
		return ISSUE_NEED_WORKER;
	}
	if (result == -EAGAIN && !(rw->flags & RWF_NOWAIT))
		return stream ? ISSUE_NEED_POLL : ISSUE_NEED_WORKER;
	if (result <= 0)
		return asyncring__rw_finish(request, result);
	rw->done = (uint64_t)result;
	asyncring__rw_moved(request->ring, rw->done);
	if (rw->vectored && rw->done > INLINE_MAX)
		request->ring->large_vectors = SUMMED_UP;
	stream |= hint->kind == FILE_POLLABLE && (request->file || rw->offset == -1);
	if (stream || rw->done == asyncring__rw_wanted(rw))
		return asyncring__rw_finish(request, 0);
	return finish_short(request, fd, way);
}

static enum issue_result issue_inline(struct request *request)
{
	struct rw *rw = request_data(request, struct rw);
	struct hint hint = asyncring__rw_hint(request, false);
	int error = check_polled(request, &hint);
	int fd = request_fd(request);
	enum inline_way way;
	bool stream;
	long result;

	if (error)
		return asyncring__rw_finish(request, error);
	way = rw->flags & RWF_NOWAIT && hint.kind != FILE_DIRECT ? WAY_PLAIN
								 : inline_way(request, &hint);
	/* There is no such thing as the priority of a stream. */
	if (request->ioprio && hint.kind != FILE_POLLABLE)
		return ISSUE_NEED_WORKER;
	/* A hint may be wrong, and the file one that RLIMIT_FSIZE is about. */
	if (rw->write && hint.kind == FILE_POLLABLE)
		return request->file || asyncring__rw_file_size_unlimited(request->ring)
			       ? write_stream(request, &hint)
			       : ISSUE_NEED_WORKER;
	if (way == WAY_NONE)
		return request->flags & REQ_PREP_FAILED ? ISSUE_DONE : ISSUE_NEED_WORKER;
	/* A call that carried it with others has ended within it. */
	if (rw->done)
		return finish_short(request, fd, way);
	/* Only a pinned file is known to be a stream; of others the call itself tells. */
	stream = request->file && hint.kind == FILE_POLLABLE && !request->file->character;
	if (stream)
		result = transfer(rw, fd, rw->vector, rw->count, true, RWF_NOWAIT);
	else
		result = try_regular(rw, fd, rw->vector, rw->count, way);
	return asyncring__rw_conclude(request, &hint, way, stream, result);
}

/* ---- on a worker ---- */

/* Most streams have no positions, but a device may: then the offset counts. */
static long transfer_stream(const struct request *request, unsigned more_flags)
{
	const struct rw *rw = request_data(request, const struct rw);
	bool stream = request->file && !request->file->character;
	int fd = request_fd(request);
	long result = transfer(rw, fd, rw->vector, rw->count, stream, more_flags);

	if (result == -ESPIPE && !stream)
		result = transfer(rw, fd, rw->vector, rw->count, true, more_flags);
	return result;
}

/* One attempt on a stream: never sleeps longer than it takes to find out. */
static enum issue_result issue_stream(struct request *request, const struct hint *hint)
{
	struct rw *rw = request_data(request, struct rw);
	bool asked = rw->flags & RWF_NOWAIT;
	bool nowait = asked || (rw->write ? hint->nowait_writes : hint->nowait_reads);
	long result;

	/* The submitter took it for a regular file: what that gave is final. */
	if (rw->done)
		return asyncring__rw_finish(request, 0);
	if (nowait) {
		result = transfer_stream(request, RWF_NOWAIT);
		if (!asked && asyncring__rw_refused(rw, result)) {
			/* Then as the others, which are told apart when it starts anew. */
			asyncring__rw_remember_refusal(request);
			return ISSUE_NEED_POLL;
		}
	} else {
		/* Without NOWAIT a call may only be made when the file says that it is ready. */
		if (!mode_allows(request))
			return asyncring__rw_finish(request, -EBADF);
		if (!(request->flags & REQ_READY))
			return ISSUE_NEED_POLL;
		request->flags &= ~REQ_READY;
		result = transfer_stream(request, 0);
	}
	if (result == -EAGAIN && !asked)
		return ISSUE_NEED_POLL;
	if (result > 0)
		rw->done = (uint64_t)result;
	return asyncring__rw_finish(request, result);
}

static enum issue_result issue_file(struct request *request)
{
	struct rw *rw = request_data(request, struct rw);
	bool regular = !request->file || request->file->regular;
	bool known = request->file && request->file->regular;
	uint64_t total = asyncring__rw_wanted(rw);
	int fd = request_fd(request);
	long result = 0;

	if (!rw->count || !total)
		return asyncring__rw_finish(request,
					    transfer(rw, fd, rw->vector, rw->count, false, 0));
	while (rw->done < total) {
		struct iovec rest[VECTOR_MAX];
		const struct iovec *vector = rw->vector;
		unsigned count = rw->count;

		if (rw->done) {
			vector = rest;
			count = (unsigned)remaining(rw, rest, VECTOR_MAX);
		}
		result = known ? transfer_regular(rw, fd, vector, count)
			       : transfer(rw, fd, vector, count, false, 0);
		if (result == -EINTR && !asyncring__pool_interrupted())
			continue;
		if (result <= 0)
			break;
		rw->done += (uint64_t)result;
		if (!regular)
			break;
	}
	return asyncring__rw_finish(request, result);
}

/* The request's I/O priority, for the time of its transfer. */
static int set_ioprio(unsigned ioprio)
{
	enum { WHO_PROCESS = 1 };

	return (int)sys(SYS_ioprio_set, WHO_PROCESS, 0, ioprio);
}

static enum issue_result issue_blocking(struct request *request, unsigned issue_flags)
{
	struct hint hint = asyncring__rw_hint(request, true);
	int error = check_polled(request, &hint);
	enum issue_result result;

	/* The priority of a thread that is not the library's is left alone. */
	if (!error && request->ioprio && !(issue_flags & ISSUE_LOCKED))
		error = set_ioprio(request->ioprio);
	if (error)
		return asyncring__rw_finish(request, error);
	result = hint.kind == FILE_POLLABLE ? issue_stream(request, &hint) : issue_file(request);
	if (request->ioprio && !(issue_flags & ISSUE_LOCKED))
		set_ioprio(0);
	return result;
}

enum issue_result asyncring__rw_attempt(struct request *request, unsigned flags)
{
	return flags & ISSUE_NONBLOCK ? issue_inline(request) : issue_blocking(request, flags);
}

bool asyncring__rw_brief(const struct request *request)
{
	const struct rw *rw = request_data(request, const struct rw);
	const struct file *file = request->file;

	if (rw->flags || rw->offset < 0 || !rw->single.iov_len ||
	    rw->single.iov_len > BRIEF_BYTES || request->ring->flags & ASYNCRING_SETUP_IOPOLL)
		return false;
	/* Inline its file is not known yet, and issue() tells. */
	return !file || (file->regular && file->hint.local &&
			 (file->hint.kind == FILE_MEMORY || file->hint.kind == FILE_CACHED));
}

/*
 * On a worker, of a brief one. All of it or nothing: what else there may be the worker's own call
 * finds out from the start.
 */
static enum issue_result issue_brief(struct request *request)
{
	struct rw *rw = request_data(request, struct rw);
	enum inline_way way = WAY_NOWAIT;
	struct hint hint;
	long result;

	if (!request->file)
		return ISSUE_NEED_WORKER;
	hint = asyncring__rw_hint(request, true);
	if (hint.kind == FILE_MEMORY)
		way = WAY_PLAIN;
	else if (!hint.nowait_reads)
		return ISSUE_NEED_WORKER;
	result = try_regular(rw, request->file->fd, &rw->single, 1, way);
	if (result == (long)rw->single.iov_len) {
		request_set_result(request, (int32_t)result);
		return ISSUE_DONE;
	}
	if (asyncring__rw_refused(rw, result))
		asyncring__rw_remember_refusal(request);
	return ISSUE_NEED_WORKER;
}

bool asyncring__rw_ends_soon(const struct request *request)
{
	return !(request->flags & ASYNCRING_SQE_BUFFER_SELECT) &&
	       asyncring__rw_wanted(request_data(request, const struct rw)) <= SOON_MAX;
}

int asyncring__rw_file_first(const struct request *request, int error)
{
	return sys_fcntl(request_fd(request), F_GETFD, 0) < 0 ? -EBADF : error;
}

enum issue_result asyncring__rw_issue(struct request *request, unsigned flags)
{
	if (!(flags & ISSUE_LOCKED) && flags & ISSUE_NONBLOCK)
		return issue_brief(request);
	if (request_data(request, const struct rw)->fixed) {
		int error = asyncring__rw_check_fixed(request, flags);

		if (error)
			return asyncring__rw_finish(request,
						    asyncring__rw_file_first(request, error));
	}
	if (request->flags & ASYNCRING_SQE_BUFFER_SELECT)
		return asyncring__rw_issue_selected(request, flags);
	return asyncring__rw_attempt(request, flags);
}
