/* SPDX-License-Identifier: MIT */
/*
 * SOCKET, BIND, LISTEN and SHUTDOWN, none of which waits, and what the operations on sockets share
 * (socket.h).
 *
 * connect(2) and accept4(2) have no MSG_DONTWAIT. To make one without sleeping on a blocking socket
 * O_NONBLOCK is set for the time of the call, under a lock, because a socket may serve several
 * rings at once, and one thread would take the flag away under another's call. A listener may be
 * shared with other processes, too, and with accept(2) of the application's own. Those would fail
 * for the flag if they begin in this moment, so it is only set when there is a connection to be
 * had. And a process that does the same may take the flag away, so that the call sleeps. That takes
 * another acceptor who is as fast; so as soon as one has been, that is, a connection that was there
 * was gone a moment later, this process leaves flags alone and has workers accept, who may sleep.
 */
#include "socket.h"

#include <netinet/in.h>
#include <sys/ioctl.h>

#include "../core/core.h"
#include "../core/lock.h"
#include "families.h"
#include "slot.h"

/* Held from the look at a socket to the restoration of its flags. No lock is taken under it. */
static struct lock flags_lock;

/* Others accept from blocking listeners of this process. Set under flags_lock, for good. */
static bool listeners_are_shared;

/* ---- shared ---- */

int asyncring__address_check(int64_t length)
{
	return length < 0 || length > (int64_t)sizeof(struct sockaddr_storage) ? -EINVAL : 0;
}

int asyncring__address_copy(struct request *request, const void **address, unsigned length)
{
	void *copy;

	if (!length)
		return 0;
	copy = asyncring__alloc(sizeof(struct sockaddr_storage));
	if (!copy)
		return -ENOMEM;
	request->async_data = copy;
	if (asyncring__copy_in(copy, (uintptr_t)*address, length))
		return -EFAULT;
	*address = copy;
	return 0;
}

/* Set O_NONBLOCK. The flags there were, to be restored, or a negative errno. */
static int nonblock_begin(int fd)
{
	int status = sys_fcntl(fd, F_GETFL, 0);

	if (status >= 0 && !(status & O_NONBLOCK))
		sys_fcntl(fd, F_SETFL, status | O_NONBLOCK);
	return status;
}

static void nonblock_end(int fd, int status)
{
	if (!(status & O_NONBLOCK))
		sys_fcntl(fd, F_SETFL, status);
}

int asyncring__connect_now(int fd, const void *address, unsigned length)
{
	int status, result;

	lock_acquire(&flags_lock);
	result = status = nonblock_begin(fd);
	if (status >= 0) {
		result = (int)sys(SYS_connect, fd, address, length);
		nonblock_end(fd, status);
	}
	lock_release(&flags_lock);
	return result;
}

/* Is @fd a listener with nobody to accept? What is no listener at all has its error at once. */
static bool nobody_waits(int fd)
{
	struct pollfd poll = {.fd = fd, .events = POLLIN};
	struct timespec now = {0};

	return !sys_ppoll(&poll, 1, &now, NULL) && asyncring__socket_option(fd, SO_ACCEPTCONN) == 1;
}

/*
 * An AF_UNIX listener that was shut down is readable for ever, but only an accept(2) that may sleep
 * says what is the matter with it.
 */
static bool was_shut_down(int fd)
{
	struct pollfd poll = {.fd = fd, .events = POLLRDHUP};
	struct timespec now = {0};

	return sys_ppoll(&poll, 1, &now, NULL) == 1 && poll.revents & POLLRDHUP;
}

/* With O_NONBLOCK set for the moment, if need be. flags_lock held. */
static int accept_nonblock(int fd, void *address, void *length, unsigned flags, int status)
{
	int result;

	if (!(status & O_NONBLOCK))
		sys_fcntl(fd, F_SETFL, status | O_NONBLOCK);
	result = (int)sys(SYS_accept4, fd, address, length, flags);
	nonblock_end(fd, status);
	if (result == -EAGAIN && was_shut_down(fd))
		return -EINVAL;
	if (result == -EAGAIN && !(status & O_NONBLOCK))
		listeners_are_shared = true;
	return result;
}

int asyncring__accept_now(int fd, void *address, void *length, unsigned flags, enum accept_how how)
{
	int status, result;
	bool sleep = false;

	lock_acquire(&flags_lock);
	result = status = sys_fcntl(fd, F_GETFL, 0);
	/*
	 * Asked of a blocking one although its readiness may just have been told: of several
	 * requests that were told so, one has taken the connection.
	 */
	if (status >= 0 && !(status & O_NONBLOCK)) {
		if (nobody_waits(fd))
			result = -EAGAIN;
		else
			sleep = listeners_are_shared && how != ACCEPT_AT_ONCE;
	}
	if (result >= 0 && !sleep)
		result = accept_nonblock(fd, address, length, flags, status);
	lock_release(&flags_lock);
	if (!sleep)
		return result;
	return how == ACCEPT_ASLEEP ? (int)sys(SYS_accept4, fd, address, length, flags)
				    : ACCEPT_MAY_SLEEP;
}

int asyncring__socket_option(int fd, int name)
{
	int value = 0;
	socklen_t length = sizeof(value);
	int error = (int)sys(SYS_getsockopt, fd, SOL_SOCKET, name, &value, &length);

	return error < 0 ? error : value;
}

int asyncring__socket_first(const struct request *request, int error)
{
	int type = asyncring__socket_option(request_fd(request), SO_TYPE);

	return type < 0 ? type : error;
}

enum issue_result asyncring__socket_poll_first(struct request *request, bool socket)
{
	int error = request->flags & REQ_NOWAIT ? -EAGAIN : 0;

	request->flags &= ~(uint32_t)REQ_POLL_FIRST;
	if (socket)
		error = asyncring__socket_first(request, error);
	else if (sys_fcntl(request_fd(request), F_GETFD, 0) < 0)
		error = -EBADF;
	if (error)
		request_set_result(request, error);
	return error ? ISSUE_DONE : ISSUE_NEED_POLL;
}

bool asyncring__socket_streams(int fd)
{
	int type = asyncring__socket_option(fd, SO_TYPE);

	return type == SOCK_STREAM || type == SOCK_SEQPACKET;
}

bool asyncring__socket_nonempty(int fd)
{
	int bytes = 0;

	return sys(SYS_ioctl, fd, FIONREAD, &bytes) == 0 && bytes > 0 &&
	       asyncring__socket_option(fd, SO_TYPE) == SOCK_STREAM;
}

void asyncring__sockets_before_fork(void)
{
	lock_acquire(&flags_lock);
}

void asyncring__sockets_after_fork(void)
{
	lock_release(&flags_lock);
}

/* ---- SOCKET ---- */

struct new_socket {
	int domain, type, protocol;
	uint32_t file_index; /* 0: an ordinary descriptor; see slot.h */
};

/* The part of the type that says what kind of socket; the rest are flags. */
enum { TYPE_MASK = 0xf };

int asyncring__socket_prep(struct request *request, const struct asyncring_sqe *sqe)
{
	struct new_socket *new = request_data(request, struct new_socket);
	int flags;

	if (sqe->addr || sqe->rw_flags || sqe->buf_index)
		return -EINVAL;
	new->domain = sqe->fd;
	new->type = (int)sqe->off;
	new->protocol = (int)sqe->len;
	new->file_index = sqe->file_index;
	flags = new->type & ~TYPE_MASK;
	if (flags & ~(SOCK_CLOEXEC | SOCK_NONBLOCK))
		return -EINVAL;
	return new->file_index &&flags &SOCK_CLOEXEC ? -EINVAL : 0;
}

enum issue_result asyncring__socket_issue(struct request *request, unsigned flags)
{
	struct new_socket *new = request_data(request, struct new_socket);
	/* A descriptor on its way into a slot must not slip through an exec. */
	int type = new->file_index ? new->type | SOCK_CLOEXEC : new->type;
	int result = (int)sys(SYS_socket, new->domain, type, new->protocol);

	if (result >= 0)
		result = asyncring__socket_install(request, new->file_index, result, flags);
	request_set_result(request, result);
	return ISSUE_DONE;
}

int asyncring__socket_install(struct request *request, uint32_t file_index, int fd, unsigned flags)
{
	int installed;

	if (!file_index) {
		asyncring__hint_forget(fd);
		return fd;
	}
	issue_lock(request->ring, flags);
	installed = asyncring__file_table_install(request->ring, fd, slot_of_index(file_index));
	issue_unlock(request->ring, flags);
	return slot_result(file_index, installed);
}

/* ---- BIND ---- */

struct bind {
	const void *address; /* the application's, or a copy in request->async_data */
	unsigned length;
};

int asyncring__bind_prep(struct request *request, const struct asyncring_sqe *sqe)
{
	struct bind *bind = request_data(request, struct bind);

	if (sqe->len || sqe->buf_index || sqe->rw_flags || sqe->splice_fd_in)
		return -EINVAL;
	bind->address = (const void *)(uintptr_t)sqe->addr;
	bind->length = (unsigned)sqe->addr2;
	return asyncring__address_check((int)sqe->addr2);
}

int asyncring__bind_copy_args(struct request *request)
{
	struct bind *bind = request_data(request, struct bind);

	return asyncring__address_copy(request, &bind->address, bind->length);
}

enum issue_result asyncring__bind_issue(struct request *request, unsigned flags)
{
	struct bind *bind = request_data(request, struct bind);

	(void)flags;
	request_set_result(request,
			   (int)sys(SYS_bind, request_fd(request), bind->address, bind->length));
	return ISSUE_DONE;
}

/* ---- LISTEN ---- */

int asyncring__listen_prep(struct request *request, const struct asyncring_sqe *sqe)
{
	int *backlog = request_data(request, int);

	if (sqe->addr || sqe->buf_index || sqe->rw_flags || sqe->splice_fd_in || sqe->addr2)
		return -EINVAL;
	*backlog = (int)sqe->len;
	return 0;
}

enum issue_result asyncring__listen_issue(struct request *request, unsigned flags)
{
	int *backlog = request_data(request, int);

	(void)flags;
	request_set_result(request, (int)sys(SYS_listen, request_fd(request), *backlog));
	return ISSUE_DONE;
}

/* ---- SHUTDOWN ---- */

int asyncring__shutdown_prep(struct request *request, const struct asyncring_sqe *sqe)
{
	int *how = request_data(request, int);

	if (sqe->off || sqe->addr || sqe->rw_flags || sqe->buf_index || sqe->splice_fd_in)
		return -EINVAL;
	*how = (int)sqe->len;
	return 0;
}

enum issue_result asyncring__shutdown_issue(struct request *request, unsigned flags)
{
	int *how = request_data(request, int);
	int result = (int)sys(SYS_shutdown, request_fd(request), *how);

	(void)flags;
	/* What a socket has against it breaks no chain; that there is no socket does. */
	if (result == -ENOTSOCK || result == -EBADF)
		request_set_result(request, result);
	else
		request_set_answer(request, result);
	return ISSUE_DONE;
}
