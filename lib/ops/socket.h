/* SPDX-License-Identifier: MIT */
/*
 * What the operations on sockets share: addresses taken over from the application, calls that must
 * not block on a socket whose owner wants it blocking, and what is asked about a socket.
 */
#ifndef ASYNCRING__SOCKET_H
#define ASYNCRING__SOCKET_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "ops.h"

/* What one system call moves at most. */
#define SOCKET_TRANSFER_MAX 0x7ffff000u

/*
 * For prep(): the operation, which is one on sockets only, waits for @events. It never blocks in a
 * call, so that it is tried before it waits for anything, and no worker is needed for that: with
 * ASYNC it only completes as if there had been one. (Hence no OP_POLL_* in the table, which make
 * ASYNC wait before the first attempt, and that on what need not be a socket.)
 */
static inline void socket_waits_for(struct request *request, uint32_t events)
{
	request->poll_events = events;
	request->flags |= REQ_SOCKET;
	if (request->flags & ASYNCRING_SQE_ASYNC) {
		request->flags &= ~(uint32_t)ASYNCRING_SQE_ASYNC;
		request->flags |= REQ_DEFERRED;
	}
}

/*
 * For issue() of a request with REQ_POLL_FIRST, which waits before its first attempt: what is to be
 * answered. The next call is the attempt. What is no file is refused at once; no socket, if @socket
 * is set.
 */
enum issue_result asyncring__socket_poll_first(struct request *request, bool socket);

/* 0, or -EINVAL if there is no address of @length bytes. */
int asyncring__address_check(int64_t length);

/*
 * Copy the @length bytes of the address at *address (the application's) into request->async_data,
 * and let *address point there. For copy_args(). 0, -EFAULT, -ENOMEM.
 */
int asyncring__address_copy(struct request *request, const void **address, unsigned length);

/*
 * connect(2) and accept4(2) that answer -EINPROGRESS or -EAGAIN rather than sleep, whether or not
 * the socket has O_NONBLOCK. Where others accept from the same listener the second would have to
 * sleep if they are faster: @how says whether it may.
 */
enum accept_how {
	ACCEPT_OR_ASK,	/* it may not: it answers ACCEPT_MAY_SLEEP */
	ACCEPT_ASLEEP,	/* it may, in a worker */
	ACCEPT_AT_ONCE, /* it must not, and there is nobody to ask: by O_NONBLOCK in any case */
};
enum { ACCEPT_MAY_SLEEP = -EDEADLK };
int asyncring__connect_now(int fd, const void *address, unsigned length);
int asyncring__accept_now(int fd, void *address, void *length, unsigned flags, enum accept_how how);

/*
 * A socket was made: into the slot that @file_index names (slot.h), or, if that is 0, to the
 * application as it is. What the request answers. @flags: those of issue().
 */
int asyncring__socket_install(struct request *request, uint32_t file_index, int fd, unsigned flags);

/* An option of level SOL_SOCKET that is an int, or a negative errno. */
int asyncring__socket_option(int fd, int name);

/* What a request fails with: that its file is no socket comes before @error. */
int asyncring__socket_first(const struct request *request, int error);

/* Do transfers of part of what was wanted go on (rather than being messages of their own)? */
bool asyncring__socket_streams(int fd);

/* Is there more to receive right now, on a socket that can tell (TCP, AF_UNIX streams)? */
bool asyncring__socket_nonempty(int fd);

/* Around fork(): nobody is between the two halves of asyncring__accept_now(). */
void asyncring__sockets_before_fork(void);
void asyncring__sockets_after_fork(void);

#endif
