/* SPDX-License-Identifier: MIT */
/*
 * RECV and RECVMSG into the application's own memory; into provided buffers and again and again:
 * recv_provided.c.
 *
 * Every attempt is made with MSG_DONTWAIT, on workers too: where nothing is there the request waits
 * for the socket to be readable, with MSG_WAITALL until all that was wanted is there.
 */
#include "recv.h"

#include <limits.h>

#include "../core/core.h"
#include "families.h"
#include "socket.h"

enum {
	RECV_FLAGS = ASYNCRING_RECVSEND_POLL_FIRST | ASYNCRING_RECV_MULTISHOT |
		     ASYNCRING_RECVSEND_BUNDLE,
};

/* ---- preparation ---- */

static int prep_multishot(struct request *request, const struct asyncring_sqe *sqe)
{
	struct recv *recv = request_data(request, struct recv);

	if (!recv->select || recv->flags & MSG_WAITALL)
		return -EINVAL;
	if (recv->whole && sqe->optlen)
		return -EINVAL;
	recv->total = sqe->optlen;
	request->flags |= REQ_MULTISHOT;
	/* With what is there to be received comes the news that there is nothing behind it. */
	if (request->poll_events & EPOLLIN)
		request->poll_events |= EPOLLRDHUP;
	return 0;
}

int asyncring__recv_copy_args(struct request *request)
{
	struct recv *recv = request_data(request, struct recv);
	enum message_purpose purpose = MESSAGE_RECEIVE;
	int error;

	if (!recv->whole || recv->message)
		return 0;
	if (request->flags & REQ_MULTISHOT)
		purpose = MESSAGE_RECEIVE_LAYOUT;
	else if (recv->select)
		purpose = MESSAGE_RECEIVE_SELECT;
	error = asyncring__message_copy(request, recv->address, purpose);
	if (error)
		return error;
	recv->message = request->async_data;
	if (request->flags & REQ_MULTISHOT)
		return asyncring__recv_check_layout(recv->message);
	return 0;
}

static int prep(struct request *request, const struct asyncring_sqe *sqe, bool whole)
{
	struct recv *recv = request_data(request, struct recv);
	int error = 0;

	*recv = (struct recv){
		.address = sqe->addr,
		.length = sqe->len,
		.flags = sqe->msg_flags,
		.whole = whole,
		.select = request->flags & ASYNCRING_SQE_BUFFER_SELECT,
	};
	if (sqe->addr2 || sqe->len > INT_MAX || sqe->ioprio & ~RECV_FLAGS)
		return -EINVAL;
	if (recv->flags & MSG_DONTWAIT)
		request->flags |= REQ_NOWAIT;
	/* Errors and urgent data are reported by themselves, whether or not there is data. */
	socket_waits_for(request, recv->flags & MSG_ERRQUEUE ? EPOLLERR | EPOLLPRI : EPOLLIN);
	if (sqe->ioprio & ASYNCRING_RECVSEND_POLL_FIRST)
		request->flags |= REQ_POLL_FIRST;
	if (sqe->ioprio & ASYNCRING_RECV_MULTISHOT)
		error = prep_multishot(request, sqe);
	else if (sqe->optlen)
		error = -EINVAL;
	if (!error && whole && sqe->ioprio & ASYNCRING_RECVSEND_BUNDLE)
		error = -EINVAL;
	/* What has to be known before the first attempt is copied at once. */
	if (error || !whole || !(recv->select || recv->flags & MSG_WAITALL))
		return error;
	request->flags |= REQ_ARGS_COPIED;
	return asyncring__recv_copy_args(request);
}

int asyncring__recv_prep(struct request *request, const struct asyncring_sqe *sqe)
{
	return prep(request, sqe, false);
}

int asyncring__recvmsg_prep(struct request *request, const struct asyncring_sqe *sqe)
{
	return prep(request, sqe, true);
}

/* ---- the end ---- */

/* What was received before the request was cancelled, or failed, is its result. */
void asyncring__recv_cleanup(struct request *request)
{
	struct recv *recv = request_data(request, struct recv);

	if (request->completion.res < 0)
		request->completion.res = (int32_t)recv->done;
}

enum issue_result asyncring__recv_finish(struct request *request, int64_t result, bool failed)
{
	struct recv *recv = request_data(request, struct recv);

	if (result >= 0)
		result += recv->done;
	else if (recv->done)
		result = recv->done;
	request->completion.res = (int32_t)result;
	if (failed)
		request->flags |= REQ_FAILED;
	return ISSUE_DONE;
}

enum issue_result asyncring__recv_wait_for_rest(struct request *request, int64_t received)
{
	struct recv *recv = request_data(request, struct recv);

	recv->done += (uint32_t)received;
	request->flags |= REQ_CLEANUP;
	if (request->flags & REQ_NOWAIT)
		return asyncring__recv_finish(request, 0, true);
	return ISSUE_NEED_POLL;
}

/* ---- receiving ---- */

static void advance(struct recv *recv, uint64_t bytes)
{
	if (recv->message) {
		asyncring__message_advance(recv->message, bytes);
	} else {
		recv->address += bytes;
		recv->length -= (uint32_t)bytes;
	}
}

/* One attempt; *header receives what recvmsg(2) says, if that was needed. */
static int64_t attempt(struct request *request, struct message_header *header)
{
	struct recv *recv = request_data(request, struct recv);
	struct iovec data = {(void *)(uintptr_t)recv->address, recv->length};
	unsigned flags = recv->flags | MSG_DONTWAIT;
	int fd = request_fd(request);

	if (recv->message)
		*header = recv->message->header;
	else if (recv->whole)
		return sys(SYS_recvmsg, fd, recv->address, flags);
	else if (recv->flags & MSG_WAITALL)
		*header = (struct message_header){.vector = &data, .count = 1};
	else
		return sys(SYS_recvfrom, fd, recv->address, recv->length, flags, NULL, NULL);
	return sys(SYS_recvmsg, fd, header, flags);
}

/* How many bytes have to come for the request to be a success: all of them with MSG_WAITALL. */
static uint64_t least(const struct recv *recv)
{
	if (!(recv->flags & MSG_WAITALL))
		return 0;
	if (!recv->message)
		return recv->length;
	/* Control data belongs to what it came with: there is no second attempt. */
	return recv->message->header.control_length ? 0 : recv->message->left;
}

/* Into the application's memory. */
__attribute__((noinline)) static enum issue_result issue(struct request *request)
{
	struct recv *recv = request_data(request, struct recv);
	struct message_header header = {.flags = 0};
	uint64_t wanted = least(recv);
	int64_t received;
	bool failed;

	received = attempt(request, &header);
	if (received == -EAGAIN && !(request->flags & REQ_NOWAIT))
		return ISSUE_NEED_POLL;
	if (received >= 0 && recv->message && recv->message->original &&
	    asyncring__message_answer(recv->message, &header))
		received = -EFAULT;
	failed = received < 0 || (uint64_t)received < wanted;
	if (failed && received > 0 && asyncring__socket_streams(request_fd(request))) {
		advance(recv, (uint64_t)received);
		return asyncring__recv_wait_for_rest(request, received);
	}
	if (recv->flags & MSG_WAITALL && header.flags & (MSG_TRUNC | MSG_CTRUNC))
		failed = true;
	/* Asked only where there may be more: a stream that gave less than it could is empty. */
	if (received > 0 && (recv->whole || (uint64_t)received >= recv->length) &&
	    asyncring__socket_nonempty(request_fd(request)))
		request->completion.flags |= ASYNCRING_CQE_F_SOCK_NONEMPTY;
	return asyncring__recv_finish(request, received, failed);
}

enum issue_result asyncring__recv_issue(struct request *request, unsigned flags)
{
	const struct recv *recv = request_data(request, const struct recv);

	if (request->flags & REQ_POLL_FIRST)
		return asyncring__socket_poll_first(request, recv->whole);
	if (!recv->select)
		return issue(request);
	return recv->whole ? asyncring__recvmsg_provided(request, flags)
			   : asyncring__recv_provided(request, flags);
}
