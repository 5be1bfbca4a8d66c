/* SPDX-License-Identifier: MIT */
/*
 * SPLICE and TEE: data from one open file to another without passing through user space; at least
 * one side is a pipe, for TEE both are.
 *
 * They may wait for either side, so they run on workers, where cancellation interrupts the wait.
 * The request's own file is the output. The submitter looks the input up and pins it before it
 * passes the request on; where a request starts on a worker, the worker does so.
 */
#include "../core/core.h"
#include "families.h"

#define SPLICE_FLAGS                                                                               \
	(ASYNCRING_SPLICE_F_FD_IN_FIXED | SPLICE_F_MOVE | SPLICE_F_NONBLOCK | SPLICE_F_MORE |      \
	 SPLICE_F_GIFT)

struct splice {
	int64_t offset_in, offset_out; /* -1: the file's position, or a pipe */
	struct file *in;	       /* a reference, or NULL: fd_in itself */
	int32_t fd_in;		       /* as in the SQE: a descriptor or a slot */
	uint32_t length;
	uint32_t flags;
};

static int prepare(struct request *request, const struct asyncring_sqe *sqe)
{
	struct splice *splice = request_data(request, struct splice);

	splice->in = NULL;
	splice->fd_in = sqe->splice_fd_in;
	splice->length = sqe->len;
	splice->flags = sqe->splice_flags;
	return splice->flags & ~SPLICE_FLAGS ? -EINVAL : 0;
}

int asyncring__splice_prep(struct request *request, const struct asyncring_sqe *sqe)
{
	struct splice *splice = request_data(request, struct splice);

	splice->offset_in = (int64_t)sqe->splice_off_in;
	splice->offset_out = (int64_t)sqe->off;
	if (splice->offset_out == -1)
		request->flags |= REQ_POSITION;
	return prepare(request, sqe);
}

int asyncring__tee_prep(struct request *request, const struct asyncring_sqe *sqe)
{
	struct splice *splice = request_data(request, struct splice);

	if (sqe->splice_off_in || sqe->off)
		return -EINVAL;
	splice->offset_in = splice->offset_out = -1;
	return prepare(request, sqe);
}

static int take_registered_input(struct request *request, struct splice *splice, unsigned flags)
{
	struct file *file;

	issue_lock(request->ring, flags);
	file = asyncring__file_table_get(request->ring, (unsigned)splice->fd_in);
	if (file)
		splice->in = file_get(file);
	issue_unlock(request->ring, flags);
	return file ? 0 : -EBADF;
}

/*
 * Find the input and, where the system call does not follow at once, keep hold of it. Without a
 * descriptor left for that the application's own has to do.
 */
static int take_input(struct request *request, struct splice *splice, unsigned flags)
{
	int error = 0;

	if (splice->flags & ASYNCRING_SPLICE_F_FD_IN_FIXED)
		error = take_registered_input(request, splice, flags);
	else if (flags & ISSUE_NONBLOCK)
		splice->in = asyncring__file_pin(splice->fd_in, splice->offset_in == -1, &error);
	else
		error = sys_fcntl(splice->fd_in, F_GETFD, 0) < 0 ? -EBADF : 0;
	if (splice->in)
		request->flags |= REQ_CLEANUP;
	return error == -EMFILE || error == -ENFILE ? 0 : error;
}

/* True if the system call is to be made now; otherwise *issued says how issue() ends. */
static bool ready_to_run(struct request *request, struct splice *splice, unsigned flags,
			 enum issue_result *issued)
{
	int error = splice->in ? 0 : take_input(request, splice, flags);

	*issued = ISSUE_DONE;
	if (error) {
		request_set_result(request, error);
		return false;
	}
	*issued = flags & ISSUE_NONBLOCK ? ISSUE_NEED_WORKER : ISSUE_DONE;
	return !(flags & ISSUE_NONBLOCK);
}

static int input_fd(const struct splice *splice)
{
	return splice->in ? splice->in->fd : splice->fd_in;
}

static unsigned call_flags(const struct splice *splice)
{
	return splice->flags & ~ASYNCRING_SPLICE_F_FD_IN_FIXED;
}

enum issue_result asyncring__splice_issue(struct request *request, unsigned flags)
{
	struct splice *splice = request_data(request, struct splice);
	int64_t *offset_in = splice->offset_in == -1 ? NULL : &splice->offset_in;
	int64_t *offset_out = splice->offset_out == -1 ? NULL : &splice->offset_out;
	enum issue_result issued;

	if (ready_to_run(request, splice, flags, &issued))
		request_set_transfer(request,
				     sys(SYS_splice, input_fd(splice), offset_in,
					 request_fd(request), offset_out, splice->length,
					 call_flags(splice)),
				     splice->length);
	return issued;
}

enum issue_result asyncring__tee_issue(struct request *request, unsigned flags)
{
	struct splice *splice = request_data(request, struct splice);
	enum issue_result issued;

	if (ready_to_run(request, splice, flags, &issued))
		request_set_transfer(request,
				     sys(SYS_tee, input_fd(splice), request_fd(request),
					 splice->length, call_flags(splice)),
				     splice->length);
	return issued;
}

void asyncring__splice_cleanup(struct request *request)
{
	struct splice *splice = request_data(request, struct splice);

	if (splice->in)
		asyncring__file_put(splice->in);
	splice->in = NULL;
}
