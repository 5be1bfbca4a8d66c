/* SPDX-License-Identifier: MIT */
/*
 * READ_MULTISHOT: reads from a stream again and again, as data comes, each time into a provided
 * buffer and with a completion of its own.
 */
#include "../core/core.h"
#include "../core/provided.h"
#include "families.h"

#ifndef RWF_NOWAIT
#define RWF_NOWAIT 0x00000008
#endif

/* A stream that is filled as fast as it is read must not keep the caller for ever. */
enum { ROUNDS_MAX = 32 };

struct read_multishot {
	int64_t offset; /* -1 once the file is known to have no positions */
	uint32_t flags; /* RWF_* */
	bool pollable;	/* that it is has been made sure of */
	bool nowait;	/* RWF_NOWAIT is worth trying */
};

int asyncring__read_multishot_prep(struct request *request, const struct asyncring_sqe *sqe)
{
	struct read_multishot *read = request_data(request, struct read_multishot);

	if (!(request->flags & ASYNCRING_SQE_BUFFER_SELECT))
		return -EINVAL;
	if (sqe->addr || sqe->len || sqe->attr_type_mask)
		return -EINVAL;
	*read = (struct read_multishot){
		.offset = (int64_t)sqe->off,
		.flags = sqe->rw_flags,
		.nowait = true,
	};
	request->flags |= REQ_MULTISHOT;
	if (read->offset == -1)
		request->flags |= REQ_POSITION;
	if (read->flags & RWF_NOWAIT)
		request->flags |= REQ_NOWAIT;
	return 0;
}

/* Does the file say when it is ready? What does not is refused by epoll. 0, -EBADFD, -EBADF. */
static int check_pollable(int fd)
{
	struct epoll_event event = {.events = 0};
	struct stat status;
	int error, set;

	if (sys_fstat(fd, &status))
		return -EBADF;
	if (S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode))
		return 0;
	set = (int)sys(SYS_epoll_create1, EPOLL_CLOEXEC);
	/* No descriptor to be had for asking: then what it is has to do. */
	if (set < 0)
		return S_ISREG(status.st_mode) || S_ISDIR(status.st_mode) ? -EBADFD : 0;
	error = (int)sys(SYS_epoll_ctl, set, EPOLL_CTL_ADD, fd, &event);
	sys_close(set);
	return error == -EPERM ? -EBADFD : 0;
}

static long transfer(struct read_multishot *read, int fd, const struct iovec *vector,
		     unsigned more_flags)
{
	int flags = (int)(read->flags | more_flags);
	long result = sys_preadv2(fd, vector, 1, read->offset, flags);

	if (result == -ESPIPE && read->offset != -1) {
		read->offset = -1;
		result = sys_preadv2(fd, vector, 1, read->offset, flags);
	}
	return result;
}

/*
 * One read that does not block; -EAGAIN: there is nothing now. After the first the file is asked:
 * an attempt in vain may have other errors than that (an eventfd's, if the buffer is too small).
 */
static long read_once(struct request *request, const struct iovec *vector, bool first)
{
	struct read_multishot *read = request_data(request, struct read_multishot);
	struct pollfd poll = {.fd = request_fd(request), .events = POLLIN};
	const struct timespec at_once = {0};
	long result;

	if (!first && sys_ppoll(&poll, 1, &at_once, NULL) == 0)
		return -EAGAIN;
	if (read->nowait) {
		result = transfer(read, poll.fd, vector, RWF_NOWAIT);
		if (read->flags || (result != -EOPNOTSUPP && result != -ENOSYS && result != -EPERM))
			return result;
		read->nowait = false;
	}
	if (first && sys_ppoll(&poll, 1, &at_once, NULL) == 0)
		return -EAGAIN;
	return transfer(read, poll.fd, vector, 0);
}

static enum issue_result end(struct request *request, long result)
{
	request_set_result(request, (int32_t)result);
	return ISSUE_DONE;
}

enum issue_result asyncring__read_multishot_issue(struct request *request, unsigned flags)
{
	struct read_multishot *read = request_data(request, struct read_multishot);

	if (!read->pollable) {
		int error = check_pollable(request_fd(request));

		if (error)
			return end(request, error);
		read->pollable = true;
	}
	for (unsigned round = 0; round < ROUNDS_MAX; round++) {
		struct picked_buffers picked;
		struct iovec vector;
		uint32_t cqe_flags;
		long result = asyncring__buffers_pick_one(request, flags, &vector, 0, &picked);

		/* The want of a buffer is an end only when there is something to read. */
		if (result < 0 && round)
			break;
		if (result < 0)
			return end(request, result);
		result = read_once(request, &vector, !round);
		if (result <= 0) {
			asyncring__buffers_return(request, &picked);
			if (result == -EAGAIN && !(read->flags & RWF_NOWAIT))
				return ISSUE_NEED_POLL;
			return end(request, result);
		}
		cqe_flags = asyncring__buffers_commit(request, &picked, (uint64_t)result);
		if (!asyncring__request_post(request, flags, (int32_t)result, cqe_flags)) {
			request->completion.flags |= cqe_flags;
			return end(request, result);
		}
	}
	return ISSUE_NEED_POLL;
}
