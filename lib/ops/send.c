/* SPDX-License-Identifier: MIT */
/*
 * SEND and SENDMSG, with a provided buffer or a bundle of them, and their zero-copy forms.
 *
 * Every attempt is made with MSG_DONTWAIT, on workers too: what does not fit waits for the socket
 * to be writable. With MSG_WAITALL so does the rest of what was sent in part. None raises SIGPIPE.
 *
 * User space cannot learn when the network has done with memory it was given. So the zero-copy
 * forms copy, and the notification that follows the result comes at once; it says that there was a
 * copy if the application wants to know.
 */
#include <limits.h>
#include <netinet/in.h>

#include "../core/core.h"
#include "../core/provided.h"
#include "families.h"
#include "message.h"
#include "socket.h"

enum {
	SEND_FLAGS = ASYNCRING_RECVSEND_POLL_FIRST | ASYNCRING_RECVSEND_BUNDLE |
		     ASYNCRING_SEND_VECTORIZED,
	ZERO_COPY_FLAGS = ASYNCRING_RECVSEND_POLL_FIRST | ASYNCRING_RECVSEND_FIXED_BUF |
			  ASYNCRING_SEND_ZC_REPORT_USAGE | ASYNCRING_SEND_VECTORIZED,
	/* So many buffers go into one call. */
	BUNDLE_MAX = 256,
};

struct send {
	uint64_t address; /* of the data, of an array of vectors, or of a msghdr */
	uint64_t name;	  /* SEND: the address to send to, or 0; the application's */
	/*
	 * Our copy of what these two point to, and what is left of it: request->async_data. NULL:
	 * not copied yet, or nothing to copy.
	 */
	struct message *message;
	uint32_t length; /* SEND: bytes left, or vectors; with provided buffers 0: all there are */
	uint32_t done;	 /* bytes sent by earlier attempts */
	uint32_t flags;	 /* MSG_* */
	uint16_t name_length;
	bool whole;	/* a msghdr */
	bool zero_copy; /* two completions */
	bool select;	/* takes provided buffers */
	bool plain;	/* one call with what is here already, and whatever it says is the end */
};

/* ---- preparation ---- */

/* Not in line, for most need none of it. */
__attribute__((noinline)) int asyncring__send_copy_args(struct request *request)
{
	struct send *send = request_data(request, struct send);
	struct iovec data = {(void *)(uintptr_t)send->address, send->length};
	int error;

	if (send->message)
		return 0;
	if (send->whole)
		error = asyncring__message_copy(request, send->address, MESSAGE_SEND);
	else if (request->ioprio & ASYNCRING_SEND_VECTORIZED)
		error = asyncring__message_copy_vector(request, send->address, send->length);
	else if (send->name)
		error = asyncring__message_make(request, &data, 1, 0);
	else
		return 0;
	if (error)
		return error;
	send->message = request->async_data;
	if (send->name)
		error = asyncring__message_address(send->message, send->name, send->name_length);
	return error;
}

/* What has to be known in full before the first attempt is copied at once. */
static bool copied_at_once(const struct request *request, const struct send *send)
{
	if (send->whole)
		return send->zero_copy || send->flags & MSG_WAITALL;
	return request->ioprio & ASYNCRING_SEND_VECTORIZED || (send->zero_copy && send->name);
}

static inline __attribute__((always_inline)) int
prep(struct request *request, const struct asyncring_sqe *sqe, bool whole, bool zero_copy)
{
	struct send *send = request_data(request, struct send);

	*send = (struct send){
		.address = sqe->addr,
		.length = sqe->len,
		.flags = sqe->msg_flags | MSG_NOSIGNAL,
		.whole = whole,
		.zero_copy = zero_copy,
		.select = request->flags & ASYNCRING_SQE_BUFFER_SELECT,
	};
	socket_waits_for(request, EPOLLOUT);
	if (sqe->len > INT_MAX)
		return -EINVAL;
	if (sqe->ioprio & ASYNCRING_RECVSEND_BUNDLE) {
		if (whole)
			return -EINVAL;
		send->flags |= MSG_WAITALL;
	}
	if (send->flags & MSG_DONTWAIT)
		request->flags |= REQ_NOWAIT;
	if (sqe->ioprio & ASYNCRING_RECVSEND_POLL_FIRST)
		request->flags |= REQ_POLL_FIRST;
	if (whole) {
		if (sqe->addr2 || sqe->file_index)
			return -EINVAL;
	} else {
		if (sqe->__pad3[0])
			return -EINVAL;
		send->name = sqe->addr2;
		send->name_length = sqe->addr_len;
		if (send->name && asyncring__address_check(send->name_length))
			return -EINVAL;
	}
	send->plain = !whole && !zero_copy && !send->select && !send->name && !sqe->ioprio &&
		      !(send->flags & MSG_WAITALL);
	if (send->plain || !copied_at_once(request, send))
		return 0;
	request->flags |= REQ_ARGS_COPIED;
	return asyncring__send_copy_args(request);
}

static int prep_zero_copy(struct request *request, const struct asyncring_sqe *sqe, bool whole)
{
	if (sqe->__pad2[0] || sqe->addr3 || sqe->ioprio & ~ZERO_COPY_FLAGS)
		return -EINVAL;
	/* One of two completions cannot be skipped. */
	if (request->flags & ASYNCRING_SQE_CQE_SKIP_SUCCESS)
		return -EINVAL;
	return prep(request, sqe, whole, true);
}

int asyncring__send_prep(struct request *request, const struct asyncring_sqe *sqe)
{
	return sqe->ioprio & ~SEND_FLAGS ? -EINVAL : prep(request, sqe, false, false);
}

int asyncring__sendmsg_prep(struct request *request, const struct asyncring_sqe *sqe)
{
	return sqe->ioprio & ~SEND_FLAGS ? -EINVAL : prep(request, sqe, true, false);
}

int asyncring__send_zc_prep(struct request *request, const struct asyncring_sqe *sqe)
{
	return prep_zero_copy(request, sqe, false);
}

int asyncring__sendmsg_zc_prep(struct request *request, const struct asyncring_sqe *sqe)
{
	return prep_zero_copy(request, sqe, true);
}

/* ---- the end ---- */

/* The result is posted now; what is left of the request is its notification. */
static void notify(struct request *request, unsigned issue_flags)
{
	bool report = request->ioprio & ASYNCRING_SEND_ZC_REPORT_USAGE;

	if (!asyncring__request_post(request, issue_flags, request->completion.res, 0))
		return;
	request->completion.res = report ? (int32_t)ASYNCRING_NOTIF_USAGE_ZC_COPIED : 0;
	request->completion.flags = ASYNCRING_CQE_F_NOTIF;
}

/*
 * It was cancelled while it waited: what was sent before is its result, and of a zero-copy send,
 * which has begun, there are two completions.
 */
void asyncring__send_cleanup(struct request *request)
{
	struct send *send = request_data(request, struct send);

	if (request->completion.res >= 0 || request->completion.flags & ASYNCRING_CQE_F_NOTIF)
		return;
	if (send->done)
		request->completion.res = (int32_t)send->done;
	if (send->zero_copy)
		notify(request, 0);
}

/* @result is that of the last attempt; @failed breaks the chain. */
static enum issue_result finish(struct request *request, int64_t result, bool failed)
{
	struct send *send = request_data(request, struct send);

	if (result >= 0)
		result += send->done;
	else if (send->done)
		result = send->done;
	request->completion.res = (int32_t)result;
	if (failed)
		request->flags |= REQ_FAILED;
	return ISSUE_DONE;
}

/* The result is @result, but there is more to send: wait for room. */
static enum issue_result wait_for_room(struct request *request, int64_t result)
{
	struct send *send = request_data(request, struct send);

	send->done += (uint32_t)result;
	request->flags |= REQ_CLEANUP;
	if (request->flags & REQ_NOWAIT)
		return finish(request, 0, true);
	return ISSUE_NEED_POLL;
}

/* ---- provided buffers ---- */

/*
 * @sent bytes of what was taken are sent, and there is no room for the rest: from now on it is a
 * message of the request's own, to the same address.
 */
static enum issue_result keep_rest(struct request *request, const struct iovec *vectors,
				   unsigned count, int64_t sent)
{
	struct send *send = request_data(request, struct send);
	uint64_t name = send->name;
	struct sockaddr_storage copy;
	int error;

	if (send->message) {
		copy = send->message->name;
		name = (uintptr_t)&copy;
	}
	send->message = NULL;
	error = asyncring__message_make(request, vectors, count, (uint64_t)sent);
	if (!error && send->name)
		error = asyncring__message_address(request->async_data, name, send->name_length);
	if (error)
		return finish(request, sent ? sent : error, true);
	send->message = request->async_data;
	send->select = false;
	return wait_for_room(request, sent);
}

/* As many buffers as make a message; their number or a negative errno. */
static int pick(struct request *request, unsigned issue_flags, struct iovec *vectors,
		struct picked_buffers *picked)
{
	struct send *send = request_data(request, struct send);
	unsigned max = request->ioprio & ASYNCRING_RECVSEND_BUNDLE ? BUNDLE_MAX : 1;
	int count =
		asyncring__buffers_pick(request, issue_flags, vectors, max, send->length, picked);

	if (count < 0 || picked->from_ring || !send->length)
		return count;
	/* Of single buffers, and only here, the kernel sends all, whatever length was asked for. */
	asyncring__buffers_return(request, picked);
	return asyncring__buffers_pick(request, issue_flags, vectors, max, 0, picked);
}

static int64_t send_vectors(struct request *request, struct iovec *vectors, unsigned count)
{
	struct send *send = request_data(request, struct send);
	struct message_header header = {.vector = vectors, .count = count};

	if (send->message) {
		header.name = send->message->header.name;
		header.name_length = send->message->header.name_length;
	} else if (send->name) {
		header.name = (void *)(uintptr_t)send->name;
		header.name_length = send->name_length;
	}
	return sys(SYS_sendmsg, request_fd(request), &header, send->flags | MSG_DONTWAIT);
}

/*
 * As many buffers as have room; those of the calls before the last are posted on the way. What is
 * picked is the request's at once, also if it has to wait, fails or is cancelled: so its CQE names
 * the first buffer in any case.
 */
static enum issue_result send_provided(struct request *request, unsigned issue_flags)
{
	struct send *send = request_data(request, struct send);
	struct iovec vectors[BUNDLE_MAX];
	struct picked_buffers picked;
	int64_t sent = -1;

	for (;;) {
		int count = pick(request, issue_flags, vectors, &picked);
		uint64_t wanted = 0;

		/* None left: what was sent last is the end. */
		if (count < 0 && sent < 0)
			sent = asyncring__socket_first(request, count);
		if (count < 0)
			return finish(request, sent, sent < 0);
		if (sent >= 0 && !asyncring__request_post(request, issue_flags, (int32_t)sent,
							  request->completion.flags)) {
			asyncring__buffers_return(request, &picked);
			return finish(request, sent, false);
		}
		for (int i = 0; i < count; i++)
			wanted += vectors[i].iov_len;
		sent = send_vectors(request, vectors, (unsigned)count);
		if (sent == -EBADF || sent == -ENOTSOCK) {
			asyncring__buffers_return(request, &picked);
			return finish(request, sent, true);
		}
		request->completion.flags = asyncring__buffers_commit(request, &picked, wanted);
		if (sent == -EAGAIN && !(request->flags & REQ_NOWAIT))
			return keep_rest(request, vectors, (unsigned)count, 0);
		if (sent < 0)
			return finish(request, sent, true);
		if ((uint64_t)sent < wanted) {
			bool all = send->flags & MSG_WAITALL;

			if (all && asyncring__socket_streams(request_fd(request)))
				return keep_rest(request, vectors, (unsigned)count, sent);
			return finish(request, sent, all);
		}
		if (!(request->ioprio & ASYNCRING_RECVSEND_BUNDLE))
			return finish(request, sent, false);
	}
}

/* ---- the application's own memory ---- */

static int check_vectors(struct request *request, const struct message *message)
{
	for (size_t i = 0; i < message->header.count; i++) {
		const struct iovec *vector = &message->header.vector[i];

		if (!vector->iov_len ||
		    asyncring__buffer_contains(request->buffer, (uintptr_t)vector->iov_base,
					       vector->iov_len))
			return -EFAULT;
	}
	return 0;
}

/* All of it has to lie in the registered buffer. */
static int take_buffer(struct request *request, unsigned issue_flags)
{
	struct send *send = request_data(request, struct send);

	if (!(request->ioprio & ASYNCRING_RECVSEND_FIXED_BUF) || request->buffer)
		return 0;
	issue_lock(request->ring, issue_flags);
	request->buffer = asyncring__buffer_get(request->ring, request->buf_index);
	issue_unlock(request->ring, issue_flags);
	if (!request->buffer)
		return -EFAULT;
	if (send->message && (send->whole || request->ioprio & ASYNCRING_SEND_VECTORIZED))
		return check_vectors(request, send->message);
	return asyncring__buffer_contains(request->buffer, send->address, send->length);
}

/*
 * Can the kernel send without a copy there? Where it cannot, the application is told so, as
 * io_uring would tell it. 0 or a negative errno.
 */
static int check_zero_copy(int fd)
{
	int protocol = asyncring__socket_option(fd, SO_PROTOCOL);

	if (protocol < 0 || protocol == IPPROTO_TCP || protocol == IPPROTO_UDP)
		return protocol < 0 ? protocol : 0;
	return asyncring__socket_option(fd, SO_DOMAIN) == AF_VSOCK ? 0 : -EOPNOTSUPP;
}

static int64_t attempt(struct request *request)
{
	struct send *send = request_data(request, struct send);
	int fd = request_fd(request);
	unsigned flags = send->flags | MSG_DONTWAIT;

	if (send->message)
		return sys(SYS_sendmsg, fd, &send->message->header, flags);
	if (send->whole)
		return sys(SYS_sendmsg, fd, send->address, flags);
	return sys(SYS_sendto, fd, send->address, send->length, flags, send->name,
		   send->name ? send->name_length : 0);
}

/* What it takes besides the call. 0 or a negative errno. */
static int begin(struct request *request, unsigned flags)
{
	struct send *send = request_data(request, struct send);
	int error = send->zero_copy ? check_zero_copy(request_fd(request)) : 0;

	return error ? error : take_buffer(request, flags);
}

static enum issue_result issue(struct request *request, unsigned flags)
{
	struct send *send = request_data(request, struct send);
	uint64_t wanted = 0;
	int64_t sent = 0;

	if (send->select)
		return send_provided(request, flags);
	if (send->zero_copy)
		sent = begin(request, flags);
	if (!sent)
		sent = attempt(request);
	if (sent == -EAGAIN && !(request->flags & REQ_NOWAIT))
		return ISSUE_NEED_POLL;
	if (send->flags & MSG_WAITALL)
		wanted = send->message ? send->message->left : send->length;
	if (sent > 0 && (uint64_t)sent < wanted && asyncring__socket_streams(request_fd(request))) {
		if (send->message)
			asyncring__message_advance(send->message, (uint64_t)sent);
		send->address += send->message ? 0 : (uint64_t)sent;
		send->length -= send->message ? 0 : (uint32_t)sent;
		return wait_for_room(request, sent);
	}
	return finish(request, sent, sent < 0 || (uint64_t)sent < wanted);
}

static inline enum issue_result issue_plain(struct request *request, const struct send *send)
{
	int64_t sent = sys(SYS_sendto, request_fd(request), send->address, send->length,
			   send->flags | MSG_DONTWAIT, NULL, 0);

	if (sent == -EAGAIN && !(request->flags & REQ_NOWAIT))
		return ISSUE_NEED_POLL;
	request_set_result(request, (int32_t)sent);
	return ISSUE_DONE;
}

enum issue_result asyncring__send_issue(struct request *request, unsigned flags)
{
	const struct send *send = request_data(request, const struct send);
	enum issue_result result;

	if (send->plain)
		return issue_plain(request, send);
	if (request->flags & REQ_POLL_FIRST)
		result = asyncring__socket_poll_first(request, true);
	else
		result = issue(request, flags);
	if (!send->zero_copy)
		return result;
	if (result == ISSUE_DONE)
		notify(request, flags);
	else
		request->flags |= REQ_CLEANUP;
	return result;
}
