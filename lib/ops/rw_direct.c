/* SPDX-License-Identifier: MIT */
/*
 * Reads and writes past the page cache (O_DIRECT), as the kernel's own asynchronous I/O takes them.
 *
 * RWF_NOWAIT keeps the submitter from sleeping, and asks nothing more of the request: what would
 * have to wait comes back with -EAGAIN and is a worker's. So are all that are not plain transfers
 * at an offset, so that their refusals and odd cases stay in one place (rw.c); what is described
 * here has been checked by issue(), or has nothing to be checked.
 */
#include <linux/aio_abi.h>
#include <linux/fs.h>

#include "../core/core.h"
#include "families.h"
#include "rw.h"

enum { FLAGS = RWF_DSYNC | RWF_SYNC | RWF_NOWAIT | RWF_APPEND };

/* Not those with SQE_ASYNC, which issue() has not seen yet. */
static bool knows_its_memory(const struct request *request, const struct rw *rw)
{
	if (rw->fixed && !request->buffer)
		return false;
	return rw->taken || !(request->flags & ASYNCRING_SQE_BUFFER_SELECT);
}

static bool fits_file(const struct request *request, const struct rw *rw)
{
	struct hint hint = asyncring__rw_hint(request, false);

	if (hint.kind != FILE_DIRECT)
		return false;
	if (!rw->write)
		return hint.nowait_reads;
	return hint.nowait_writes && asyncring__rw_file_size_unlimited(request->ring);
}

bool asyncring__rw_describe(const struct request *request, struct iocb *iocb)
{
	const struct rw *rw = request_data(request, const struct rw);

	if (rw->done || rw->offset < 0 || rw->flags & ~(uint32_t)FLAGS ||
	    !asyncring__rw_wanted(rw) || !knows_its_memory(request, rw) || !fits_file(request, rw))
		return false;
	*iocb = (struct iocb){
		.aio_offset = rw->offset,
		.aio_rw_flags = (__kernel_rwf_t)(rw->flags | RWF_NOWAIT),
	};
	if (rw->vectored) {
		iocb->aio_lio_opcode = rw->write ? IOCB_CMD_PWRITEV : IOCB_CMD_PREADV;
		iocb->aio_buf = (uintptr_t)rw->vector;
		iocb->aio_nbytes = rw->count;
	} else {
		iocb->aio_lio_opcode = rw->write ? IOCB_CMD_PWRITE : IOCB_CMD_PREAD;
		iocb->aio_buf = (uintptr_t)rw->single.iov_base;
		iocb->aio_nbytes = rw->single.iov_len;
	}
	if (request->ioprio) {
		iocb->aio_flags = IOCB_FLAG_IOPRIO;
		iocb->aio_reqprio = (__s16)request->ioprio;
	}
	return true;
}

/* Has a read that came back short reached the end of its file? A worker need not look then. */
static bool ends_there(const struct request *request, const struct rw *rw)
{
	struct stat status;

	return !rw->write && request->file->regular && !sys_fstat(request->file->fd, &status) &&
	       rw->offset + (int64_t)rw->done >= status.st_size;
}

/*
 * io_submit tells inotify and fanotify of nothing. A read of no vectors tells them that the file
 * was read, and does nothing else. Of several in a row they would make one event, so one is enough.
 * For writes there is no such call: one of nothing tells of nothing, and what does tell
 * (fallocate(2), ftruncate(2), utimensat(2)) waits for the inode and changes it.
 */
static void tell_watchers(const struct request *request)
{
	if (request->ring->told_file == request->file)
		return;
	request->ring->told_file = request->file;
	sys_preadv2(request->file->fd, NULL, 0, 0, 0);
}

enum issue_result asyncring__rw_transferred(struct request *request, int64_t result)
{
	struct rw *rw = request_data(request, struct rw);

	if (result == -EINTR || (result == -EAGAIN && !(rw->flags & RWF_NOWAIT)))
		return ISSUE_NEED_WORKER;
	if (asyncring__rw_refused(rw, result)) {
		asyncring__rw_remember_refusal(request);
		return ISSUE_NEED_WORKER;
	}
	if (result <= 0)
		return asyncring__rw_finish(request, result);
	rw->done = (uint64_t)result;
	if (!rw->write)
		tell_watchers(request);
	if (rw->done < asyncring__rw_wanted(rw) && !ends_there(request, rw))
		return ISSUE_NEED_WORKER;
	return asyncring__rw_finish(request, 0);
}
