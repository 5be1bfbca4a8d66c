/* SPDX-License-Identifier: MIT */
/*
 * ACCEPT, one connection or one after the other (multishot), to descriptors or into the file table.
 */
#include <netinet/in.h>

#include "../core/core.h"
#include "families.h"
#include "socket.h"

enum {
	ACCEPT_FLAGS = ASYNCRING_ACCEPT_MULTISHOT | ASYNCRING_ACCEPT_DONTWAIT |
		       ASYNCRING_ACCEPT_POLL_FIRST,
};

struct accept {
	void *address, *length; /* the application's, written until the request ends */
	uint32_t flags;		/* SOCK_* */
	uint32_t file_index;	/* 0: an ordinary descriptor; see slot.h */
	bool asked, tcp;	/* of the listener: the first tells whether the second is known */
};

int asyncring__accept_prep(struct request *request, const struct asyncring_sqe *sqe)
{
	struct accept *accept = request_data(request, struct accept);
	unsigned how = sqe->ioprio;

	if (sqe->len || sqe->buf_index || how & ~(unsigned)ACCEPT_FLAGS)
		return -EINVAL;
	socket_waits_for(request, EPOLLIN);
	accept->address = (void *)(uintptr_t)sqe->addr;
	accept->length = (void *)(uintptr_t)sqe->addr2;
	accept->flags = sqe->accept_flags;
	accept->file_index = sqe->file_index;
	accept->asked = false;
	if (accept->flags & ~(unsigned)(SOCK_CLOEXEC | SOCK_NONBLOCK))
		return -EINVAL;
	if (accept->file_index && accept->flags & SOCK_CLOEXEC)
		return -EINVAL;
	if (how & ASYNCRING_ACCEPT_MULTISHOT) {
		if (accept->file_index && accept->file_index != ASYNCRING_FILE_INDEX_ALLOC)
			return -EINVAL;
		request->flags |= REQ_MULTISHOT;
	}
	if (how & ASYNCRING_ACCEPT_DONTWAIT)
		request->flags |= REQ_NOWAIT;
	if (how & ASYNCRING_ACCEPT_POLL_FIRST)
		request->flags |= REQ_POLL_FIRST;
	return 0;
}

/*
 * Asked after each connection: that there is no other is then known without an attempt in vain. An
 * AF_UNIX listener, in the kernel's io_uring too, does not tell.
 */
static bool more_waiting(int fd)
{
	struct pollfd poll = {.fd = fd, .events = POLLIN};
	struct timespec now = {0};

	return sys_ppoll(&poll, 1, &now, NULL) == 1;
}

static uint32_t completion_flags(struct accept *accept, int fd, bool more)
{
	if (!more)
		return 0;
	if (!accept->asked) {
		accept->asked = true;
		accept->tcp = asyncring__socket_option(fd, SO_PROTOCOL) == IPPROTO_TCP;
	}
	return accept->tcp ? ASYNCRING_CQE_F_SOCK_NONEMPTY : 0;
}

enum issue_result asyncring__accept_issue(struct request *request, unsigned flags)
{
	struct accept *accept = request_data(request, struct accept);
	/* A descriptor on its way into a slot must not slip through an exec. */
	unsigned socket_flags = accept->flags | (accept->file_index ? SOCK_CLOEXEC : 0);
	int fd = request_fd(request);
	enum accept_how how = request->flags & REQ_NOWAIT ? ACCEPT_AT_ONCE
			      : flags			  ? ACCEPT_OR_ASK
							  : ACCEPT_ASLEEP;

	if (request->flags & REQ_POLL_FIRST)
		return asyncring__socket_poll_first(request, false);
	for (;;) {
		int result = asyncring__accept_now(fd, accept->address, accept->length,
						   socket_flags, how);
		bool more = false;

		if (result == ACCEPT_MAY_SLEEP)
			return ISSUE_NEED_WORKER;
		if (result == -EAGAIN && !(request->flags & REQ_NOWAIT))
			return ISSUE_NEED_POLL;
		request->completion.flags = 0;
		if (result >= 0) {
			more = more_waiting(fd);
			request->completion.flags = completion_flags(accept, fd, more);
			result = asyncring__socket_install(request, accept->file_index, result,
							   flags);
		}
		if (result < 0 || !(request->flags & REQ_MULTISHOT) ||
		    !asyncring__request_post(request, flags, result, request->completion.flags)) {
			request_set_result(request, result);
			return ISSUE_DONE;
		}
		if (!more && !(request->flags & REQ_NOWAIT))
			return ISSUE_NEED_POLL;
	}
}
