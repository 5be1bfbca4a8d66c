/* SPDX-License-Identifier: MIT */
/*
 * RECV and RECVMSG into provided buffers, once or, as multishot requests, whenever something comes.
 *
 * A multishot request takes what there is, bounded so that others have their turn, and waits again.
 * On a stream a receive that did not fill its buffer has emptied the socket, so that no further
 * attempt is made in vain; the wait is for a level, so what has come in the meantime, an end of the
 * stream included, is found.
 */
#include <limits.h>

#include "../core/core.h"
#include "../core/provided.h"
#include "recv.h"
#include "socket.h"

enum {
	/* So many buffers are filled by one call. */
	BUNDLE_MAX = 64,
	/* After so many receives in a row the other requests have their turn. */
	TURN_MAX = 32,
};

/* One attempt with provided buffers. */
struct shot {
	struct iovec vectors[BUNDLE_MAX];
	unsigned count;
	uint64_t room;	      /* in all of them, for data */
	struct iovec payload; /* multishot RECVMSG: what the head leaves of the only one */
	struct picked_buffers picked;
	struct message_header header;
};

static inline bool stream(struct request *request)
{
	struct recv *recv = request_data(request, struct recv);

	if (!recv->asked) {
		recv->asked = true;
		recv->stream =
			asyncring__socket_option(request_fd(request), SO_TYPE) == SOCK_STREAM;
	}
	return recv->stream;
}

/* 0 or a negative errno. */
static int pick(struct request *request, unsigned issue_flags, unsigned max, uint32_t wanted,
		struct shot *shot)
{
	int count = asyncring__buffers_pick(request, issue_flags, shot->vectors, max, wanted,
					    &shot->picked);

	/* Only bundles tell a group that is not there from one that is empty. */
	if (count == -ENOENT && !(request->ioprio & ASYNCRING_RECVSEND_BUNDLE))
		count = -ENOBUFS;
	if (count < 0)
		return asyncring__socket_first(request, count);
	shot->count = (unsigned)count;
	shot->room = 0;
	for (unsigned i = 0; i < shot->count; i++)
		shot->room += shot->vectors[i].iov_len;
	return 0;
}

/* A header for nothing but what was picked. */
static void make_header(struct shot *shot)
{
	shot->header = (struct message_header){.vector = shot->vectors, .count = shot->count};
}

static int64_t receive(struct request *request, struct shot *shot)
{
	struct recv *recv = request_data(request, struct recv);

	return sys(SYS_recvmsg, request_fd(request), &shot->header, recv->flags | MSG_DONTWAIT);
}

/* Into one buffer without a header, which has less to be read, checked and written. */
static int64_t receive_data(struct request *request, struct shot *shot)
{
	struct recv *recv = request_data(request, struct recv);
	const struct iovec *only = &shot->vectors[0];

	/* Whether a whole message was cut off only the header tells. */
	if (shot->count > 1 || recv->flags & MSG_WAITALL) {
		make_header(shot);
		return receive(request, shot);
	}
	return sys(SYS_recvfrom, request_fd(request), only->iov_base, only->iov_len,
		   recv->flags | MSG_DONTWAIT, NULL, NULL);
}

/* Nothing came of the attempt: the buffers go back. */
static enum issue_result give_up(struct request *request, struct picked_buffers *picked,
				 int64_t result)
{
	struct recv *recv = request_data(request, struct recv);

	asyncring__buffers_return(request, picked);
	if (result == -EAGAIN && !(request->flags & REQ_NOWAIT))
		return ISSUE_NEED_POLL;
	return asyncring__recv_finish(request, result, result < 0 || recv->flags & MSG_WAITALL);
}

/* Part of what MSG_WAITALL wants is there: the buffers are the request's until the rest is. */
static enum issue_result keep_rest(struct request *request, struct shot *shot, int64_t received)
{
	struct recv *recv = request_data(request, struct recv);

	request->completion.flags = asyncring__buffers_commit(request, &shot->picked, shot->room);
	if (asyncring__message_make(request, shot->vectors, shot->count, (uint64_t)received))
		return asyncring__recv_finish(request, received, true);
	recv->message = request->async_data;
	recv->select = recv->whole = false;
	return asyncring__recv_wait_for_rest(request, received);
}

/*
 * A multishot bundle ends with the last buffer its group had when it was looked at, even if that
 * was before it had to wait, and if the application has given others since. With several it has to
 * have been full; and it is not the last if a length has kept from looking further.
 */
static void note_exhausted(struct recv *recv, const struct shot *shot, int64_t received)
{
	bool full = received >= (int64_t)shot->room;

	if (recv->length && shot->room >= recv->length)
		return;
	if (shot->picked.available == 1 || (full && shot->picked.available <= shot->count))
		recv->exhausted = true;
}

/* Are the bytes received after which a multishot request ends, if there is such a number? */
static inline bool has_total(struct recv *recv, int64_t received)
{
	if (!recv->total)
		return false;
	if (received >= (int64_t)recv->total)
		return true;
	recv->total -= (uint32_t)received;
	return false;
}

/* Is this the last of a multishot request? */
static bool last(const struct request *request, struct recv *recv, int64_t received)
{
	return has_total(recv, received) ||
	       (request->ioprio & ASYNCRING_RECVSEND_BUNDLE && recv->exhausted);
}

/*
 * @result is what a completion is to say, @cqe_flags with what flags. True if the request goes on
 * after it.
 */
static bool post(struct request *request, unsigned issue_flags, int64_t result, uint32_t cqe_flags)
{
	if (request->flags & REQ_MULTISHOT &&
	    asyncring__request_post(request, issue_flags, (int32_t)result, cqe_flags))
		return true;
	request->completion.flags = cqe_flags;
	return false;
}

static uint32_t nonempty(const struct request *request, bool full)
{
	return full && asyncring__socket_nonempty(request_fd(request))
		       ? ASYNCRING_CQE_F_SOCK_NONEMPTY
		       : 0;
}

/*
 * The length of a bundle is also what it may take before others have their turn. (That of a single
 * receive is no more than a buffer, and TURN_MAX of them are a turn.)
 */
static bool turn_is_over(const struct request *request)
{
	return !(request->flags & REQ_NOWAIT) && request->ioprio & ASYNCRING_RECVSEND_BUNDLE &&
	       request_data(request, const struct recv)->length;
}

static bool truncated(const struct recv *recv, const struct shot *shot)
{
	return recv->flags & MSG_WAITALL && shot->header.flags & (MSG_TRUNC | MSG_CTRUNC);
}

/*
 * After a shot: is there nothing left, so that another attempt would be in vain? Not if that is
 * what is to end it, nor if the poller has told that the peer has ended the stream: then the end is
 * there to be received.
 */
static inline bool emptied(struct request *request, uint32_t cqe_flags)
{
	return !(request->flags & REQ_NOWAIT) && stream(request) &&
	       !(cqe_flags & ASYNCRING_CQE_F_SOCK_NONEMPTY) &&
	       !(request->ready_events & EPOLLRDHUP);
}

/* A bundle, or with MSG_WAITALL. */
static enum issue_result receive_several(struct request *request, unsigned flags)
{
	struct recv *recv = request_data(request, struct recv);
	bool bundle = request->ioprio & ASYNCRING_RECVSEND_BUNDLE;
	struct shot shot;

	for (unsigned turn = 0; turn < TURN_MAX || request->flags & REQ_NOWAIT; turn++) {
		int64_t received;
		uint32_t cqe_flags;
		bool full;

		/* A message does not fill more than one. */
		unsigned max = bundle && stream(request) ? BUNDLE_MAX : 1;
		int error = pick(request, flags, max, recv->length, &shot);

		if (error)
			return asyncring__recv_finish(request, error, true);
		received = receive_data(request, &shot);
		if (bundle)
			note_exhausted(recv, &shot, received);
		if (received <= 0)
			return give_up(request, &shot.picked, received);
		full = (uint64_t)received >= shot.room;
		if (!full && recv->flags & MSG_WAITALL &&
		    asyncring__socket_streams(request_fd(request)))
			return keep_rest(request, &shot, received);
		/* MSG_TRUNC tells of more than there was room for. */
		cqe_flags = asyncring__buffers_commit(request, &shot.picked,
						      full ? shot.room : (uint64_t)received) |
			    nonempty(request, full);
		if (!(request->flags & REQ_MULTISHOT) || last(request, recv, received) ||
		    !post(request, flags, received, cqe_flags)) {
			request->completion.flags = cqe_flags;
			return asyncring__recv_finish(request, received,
						      truncated(recv, &shot) ||
							      (!full && recv->flags & MSG_WAITALL));
		}
		recv->exhausted = false;
		if (turn_is_over(request) || emptied(request, cqe_flags))
			break;
	}
	return ISSUE_NEED_POLL;
}

/* As a rule into one buffer each time, by a call without a header. */
enum issue_result asyncring__recv_provided(struct request *request, unsigned flags)
{
	struct recv *recv = request_data(request, struct recv);
	struct picked_buffers picked;
	struct iovec buffer;

	if (request->ioprio & ASYNCRING_RECVSEND_BUNDLE || recv->flags & MSG_WAITALL)
		return receive_several(request, flags);
	for (unsigned turn = 0; turn < TURN_MAX || request->flags & REQ_NOWAIT; turn++) {
		int64_t received;
		uint32_t cqe_flags;
		int count =
			asyncring__buffers_pick_one(request, flags, &buffer, recv->length, &picked);

		if (count < 0)
			return asyncring__recv_finish(
				request, asyncring__socket_first(request, count), true);
		received = sys(SYS_recvfrom, request_fd(request), buffer.iov_base, buffer.iov_len,
			       recv->flags | MSG_DONTWAIT, NULL, NULL);
		if (received <= 0)
			return give_up(request, &picked, received);
		/* MSG_TRUNC tells of more than there was room for. */
		if ((uint64_t)received < buffer.iov_len)
			cqe_flags = asyncring__buffers_commit(request, &picked, (uint64_t)received);
		else
			cqe_flags = asyncring__buffers_commit(request, &picked, buffer.iov_len) |
				    nonempty(request, true);
		if (has_total(recv, received) || !post(request, flags, received, cqe_flags)) {
			request->completion.flags = cqe_flags;
			return asyncring__recv_finish(request, received, false);
		}
		if (emptied(request, cqe_flags))
			break;
	}
	return ISSUE_NEED_POLL;
}

/* ---- messages ---- */

/* In front of the data: the head, the sender's address, control data. */
static uint64_t layout_size(const struct message *message)
{
	return sizeof(struct asyncring_recvmsg_out) + (uint64_t)message->header.name_length +
	       message->header.control_length;
}

int asyncring__recv_check_layout(const struct message *message)
{
	if (message->header.control_length > INT_MAX || layout_size(message) > INT_MAX)
		return -EOVERFLOW;
	return 0;
}

/* Divide the picked buffer up for the system call. 0, or -EFAULT if it is too small. */
static int lay_out(const struct message *message, struct shot *shot)
{
	uint64_t size = layout_size(message);
	char *at = shot->vectors[0].iov_base;
	struct message_header *header = &shot->header;

	make_header(shot);
	if (shot->room < size)
		return -EFAULT;
	at += sizeof(struct asyncring_recvmsg_out);
	header->name = message->header.name_length ? at : NULL;
	header->name_length = message->header.name_length;
	at += message->header.name_length;
	header->control = message->header.control_length ? at : NULL;
	header->control_length = message->header.control_length;
	shot->room -= size;
	shot->payload = (struct iovec){at + message->header.control_length, shot->room};
	header->vector = &shot->payload;
	return 0;
}

/* Write the head. How much of the buffer is used, or -EFAULT. */
static int64_t write_head(const struct message *message, const struct shot *shot, int64_t received)
{
	uint64_t size = layout_size(message);
	struct asyncring_recvmsg_out out = {
		.namelen = (uint32_t)shot->header.name_length,
		.controllen = (uint32_t)shot->header.control_length,
		.payloadlen = (uint32_t)received,
		.flags = shot->header.flags,
	};

	if (asyncring__copy_out((uintptr_t)shot->vectors[0].iov_base, &out, sizeof(out)))
		return -EFAULT;
	if ((uint64_t)received > shot->room)
		received = (int64_t)shot->room;
	return (int64_t)size + received;
}

/* Multishot: each message with its head into a buffer. */
static enum issue_result recvmsg_multishot(struct request *request, unsigned flags)
{
	struct recv *recv = request_data(request, struct recv);
	struct shot shot;

	for (unsigned turn = 0; turn < TURN_MAX || request->flags & REQ_NOWAIT; turn++) {
		int64_t received, used;
		uint32_t cqe_flags;

		/* Its vector says how much of the first buffer may be used. */
		int error = pick(request, flags, 1, recv->message->limit, &shot);

		if (error)
			return asyncring__recv_finish(request, error, true);
		if (lay_out(recv->message, &shot))
			return give_up(request, &shot.picked,
				       asyncring__socket_first(request, -EFAULT));
		received = receive(request, &shot);
		if (received < 0)
			return give_up(request, &shot.picked, received);
		used = write_head(recv->message, &shot, received);
		if (used < 0)
			return give_up(request, &shot.picked, used);
		cqe_flags = asyncring__buffers_commit(request, &shot.picked, (uint64_t)used) |
			    nonempty(request, received > 0 && (uint64_t)received >= shot.room);
		recv->message->limit = 0;
		if (!received || !post(request, flags, used, cqe_flags)) {
			request->completion.flags = cqe_flags;
			return asyncring__recv_finish(request, used, false);
		}
		if (emptied(request, cqe_flags))
			break;
	}
	return ISSUE_NEED_POLL;
}

enum issue_result asyncring__recvmsg_provided(struct request *request, unsigned flags)
{
	struct recv *recv = request_data(request, struct recv);
	const struct message_header *given = &recv->message->header;
	struct shot shot;
	int64_t received;
	int error;
	bool full;

	if (request->flags & REQ_MULTISHOT)
		return recvmsg_multishot(request, flags);
	error = pick(request, flags, 1, recv->message->limit, &shot);
	if (error)
		return asyncring__recv_finish(request, error, true);
	make_header(&shot);
	shot.header.name = given->name;
	shot.header.name_length = given->name_length;
	shot.header.control = given->control;
	shot.header.control_length = given->control_length;
	received = receive(request, &shot);
	if (received < 0)
		return give_up(request, &shot.picked, received);
	if (asyncring__message_answer(recv->message, &shot.header))
		return give_up(request, &shot.picked, -EFAULT);
	if (!received)
		return give_up(request, &shot.picked, 0);
	full = (uint64_t)received >= shot.room;
	if (!full && recv->flags & MSG_WAITALL && !given->control_length &&
	    asyncring__socket_streams(request_fd(request)))
		return keep_rest(request, &shot, received);
	request->completion.flags =
		asyncring__buffers_commit(request, &shot.picked,
					  full ? shot.room : (uint64_t)received) |
		nonempty(request, full);
	return asyncring__recv_finish(request, received, truncated(recv, &shot));
}
