/* SPDX-License-Identifier: MIT */
/*
 * CONNECT. What is in progress waits until the socket is writable; then its pending error says how
 * it ended, or, if there is none, a second connect(2). AF_UNIX has no "in progress": where the
 * listener's queue is full nothing but a blocking call waits for it, so that goes to a worker.
 */
#include "../core/core.h"
#include "families.h"
#include "socket.h"

struct connect {
	const void *address; /* the application's, or a copy in request->async_data */
	unsigned length;
	bool in_progress;
};

int asyncring__connect_prep(struct request *request, const struct asyncring_sqe *sqe)
{
	struct connect *connect = request_data(request, struct connect);

	if (sqe->len || sqe->buf_index || sqe->rw_flags || sqe->splice_fd_in)
		return -EINVAL;
	socket_waits_for(request, EPOLLOUT);
	connect->address = (const void *)(uintptr_t)sqe->addr;
	connect->length = (unsigned)sqe->addr2;
	connect->in_progress = false;
	return asyncring__address_check((int)sqe->addr2);
}

int asyncring__connect_copy_args(struct request *request)
{
	struct connect *connect = request_data(request, struct connect);

	return asyncring__address_copy(request, &connect->address, connect->length);
}

/* 0 or a negative errno; asking takes it off the socket. */
static int pending_error(int fd)
{
	int error = asyncring__socket_option(fd, SO_ERROR);

	return error > 0 ? -error : error;
}

/*
 * -ECONNABORTED may be left over: the last attempt on this socket has failed, and its error was
 * asked for, but not by connect(2), which only now forgets it. Then this is the first attempt.
 */
static int attempt(const struct connect *connect, int fd)
{
	int result = asyncring__connect_now(fd, connect->address, connect->length);

	if (result == -ECONNABORTED && !connect->in_progress)
		result = asyncring__connect_now(fd, connect->address, connect->length);
	return result;
}

enum issue_result asyncring__connect_issue(struct request *request, unsigned flags)
{
	struct connect *connect = request_data(request, struct connect);
	int fd = request_fd(request);
	int result = connect->in_progress ? pending_error(fd) : 0;

	if (!result)
		result = attempt(connect, fd);
	switch (result) {
	case -EAGAIN:
		if (flags & ISSUE_NONBLOCK)
			return ISSUE_NEED_WORKER;
		result = (int)sys(SYS_connect, fd, connect->address, connect->length);
		break;
	case -EINPROGRESS:
		connect->in_progress = true;
		return ISSUE_NEED_POLL;
	case -EALREADY:
		/* Ours, or one that the application had begun itself: that is an error. */
		if (connect->in_progress)
			return ISSUE_NEED_POLL;
		break;
	case -EISCONN:
	case -EBADFD:
		/* Some families answer so where the first attempt has come through. */
		if (connect->in_progress)
			result = pending_error(fd);
		break;
	}
	request_set_result(request, result);
	return ISSUE_DONE;
}
