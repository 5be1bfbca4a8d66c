/* SPDX-License-Identifier: MIT */
/*
 * arhttpd: listeners. One request for each accepts connections, into direct descriptors, until it
 * is cancelled (multishot). It cannot be told how many to accept, and what finds no slot is lost,
 * so it is used only as long as there is room for all that may be waiting; after that connections
 * are accepted one by one. When there are as many as there may be, the others wait in the backlog.
 */
#include "arhttpd.h"

#include "listener.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>

enum { BACKLOG_MAX = 4096 };

static struct accepting {
	struct pending pending;
	struct listener listener;
	bool armed, multishot, cancelled;
	bool shortage; /* of descriptors or memory: wait for better times */
} listeners[LISTENERS_MAX];
static unsigned listener_count;

static unsigned backlog(void)
{
	unsigned most = options.connections / 4 + 1;

	return most < BACKLOG_MAX ? most : BACKLOG_MAX;
}

int accept_add(const char *spec)
{
	struct accepting *accepting = &listeners[listener_count];
	const int on = 1;
	int error;

	if (listener_count == LISTENERS_MAX)
		return -E2BIG;
	error = listener_open(&accepting->listener, spec);
	if (error)
		return error;
	listener_count++;
	/* Each response is sent in one piece, or in large ones. Connections inherit this. */
	if (!accepting->listener.path)
		setsockopt(accepting->listener.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return listen(accepting->listener.fd, (int)backlog()) < 0 ? -errno : 0;
}

const char *accept_name(unsigned index)
{
	return index < listener_count ? listeners[index].listener.name : NULL;
}

static void accepted(struct pending *pending, int result)
{
	struct accepting *accepting = container_of(pending, struct accepting, pending);

	if (!(loop_flags() & ASYNCRING_CQE_F_MORE))
		accepting->armed = accepting->cancelled = false;
	if (result >= 0)
		connection_open((unsigned)result);
	else
		accepting->shortage = result != -ECANCELED && result != -ECONNABORTED;
	/* What may come back at once with the same error is tried later; accept_more() is. */
	if (!accepting->shortage)
		accept_more();
}

static void arm(struct accepting *accepting, bool multishot)
{
	struct asyncring_sqe *sqe = loop_request();

	if (multishot)
		asyncring_prep_multishot_accept_direct(sqe, accepting->listener.fd, NULL, NULL, 0);
	else
		asyncring_prep_accept_direct(sqe, accepting->listener.fd, NULL, NULL, 0,
					     ASYNCRING_FILE_INDEX_ALLOC);
	loop_expect(sqe, &accepting->pending, accepted);
	accepting->armed = true;
	accepting->multishot = multishot;
}

static void disarm(struct accepting *accepting)
{
	struct asyncring_sqe *sqe;

	if (!accepting->armed || accepting->cancelled)
		return;
	accepting->cancelled = true;
	sqe = loop_request();
	asyncring_prep_cancel(sqe, &accepting->pending, 0);
	loop_forget(sqe);
}

void accept_more(void)
{
	unsigned count = connection_count();
	/* Accepted one by one, each listener may still bring one: there are slots for these. */
	unsigned room = count < options.connections ? options.connections - count : 0;
	bool multishot = room > backlog() * listener_count;

	for (unsigned i = 0; i < listener_count && !stopping; i++) {
		struct accepting *accepting = &listeners[i];

		accepting->shortage = false;
		if (accepting->armed && accepting->multishot && !multishot)
			disarm(accepting);
		else if (!accepting->armed && room)
			arm(accepting, multishot);
	}
}

void accept_stop(void)
{
	for (unsigned i = 0; i < listener_count; i++) {
		struct asyncring_sqe *sqe;

		disarm(&listeners[i]);
		/* Also resets those that are waiting, rather than have them wait in vain. */
		sqe = loop_request();
		asyncring_prep_close(sqe, listeners[i].listener.fd);
		loop_forget(sqe);
		listeners[i].listener.fd = -1;
	}
}

void accept_close(void)
{
	for (unsigned i = 0; i < listener_count; i++)
		listener_close(&listeners[i].listener);
}
