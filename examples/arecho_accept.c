/* SPDX-License-Identifier: MIT */
/*
 * arecho's doors: listening sockets, each with a multishot accept that puts connections into slots
 * of the registered files. One takes all who wait at the door at once; so when a crowd could be too
 * many, connections are accepted one by one. When there are enough of them, or no descriptors for
 * more, the doors are shut and tried again a little later; who comes meanwhile waits in the
 * listening socket's queue.
 */
#include "arecho.h"
#include "listener.h"
#include "loop.h"
#include "report.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

/* Between two attempts. */
#define PAUSE_NANOSECONDS 100000000

/* Who waits at a door: not more than the listening socket's queue holds. */
#define CROWD 4096U

struct door {
	struct pending accept;
	struct listener listener;
	bool accepting; /* the request is in flight */
};

static struct door *doors;
static unsigned door_count;
static bool closing;

static struct pending pause_timer;
static bool pausing;
static bool reported; /* a shortage, once */

static void accept_more(void);

static void pause_over(struct pending *pending, int result)
{
	(void)pending;
	(void)result;
	pausing = false;
	if (!closing)
		accept_more();
}

static void start_pause(void)
{
	static struct __kernel_timespec duration = {.tv_nsec = PAUSE_NANOSECONDS};
	struct asyncring_sqe *sqe;

	if (pausing)
		return;
	sqe = loop_request();
	asyncring_prep_timeout(sqe, &duration, 0, 0);
	loop_expect(sqe, &pause_timer, pause_over);
	pausing = true;
}

static void shut(struct door *door)
{
	struct asyncring_sqe *sqe = loop_request();

	asyncring_prep_cancel(sqe, &door->accept, 0);
	loop_forget(sqe);
}

/* How many more connections there may be. */
static unsigned room(void)
{
	unsigned count = connections_count();

	return count < options.connections ? options.connections - count : 0;
}

/* Is there room for all who may wait at the doors? */
static bool room_for_crowds(void)
{
	return room() > CROWD * door_count;
}

static void accepted(struct pending *pending, int result)
{
	struct door *door = container_of(pending, struct door, accept);

	door->accepting = loop_flags() & ASYNCRING_CQE_F_MORE;
	if (result >= 0) {
		connection_open((unsigned)result);
		if (door->accepting && !room_for_crowds())
			shut(door);
	} else if (result != -ECANCELED && result != -ECONNABORTED) {
		/* There is a shortage, of descriptors most likely. */
		if (!reported)
			report(result, "cannot accept connections at %s", door->listener.name,
			       NULL);
		reported = true;
		start_pause();
	}
	if (!door->accepting && closing)
		listener_close(&door->listener);
	else if (!pausing)
		accept_more();
}

static void accept_more(void)
{
	/* Each request that is in flight may bring one. */
	unsigned left = room();

	for (unsigned i = 0; i < door_count; i++)
		if (doors[i].accepting)
			left -= left > 0;
	for (unsigned i = 0; i < door_count; i++) {
		struct asyncring_sqe *sqe;

		if (doors[i].accepting)
			continue;
		if (left == 0) {
			start_pause();
			return;
		}
		sqe = loop_request();
		if (room_for_crowds())
			asyncring_prep_multishot_accept_direct(sqe, doors[i].listener.fd, NULL,
							       NULL, 0);
		else
			asyncring_prep_accept_direct(sqe, doors[i].listener.fd, NULL, NULL, 0,
						     ASYNCRING_FILE_INDEX_ALLOC);
		loop_expect(sqe, &doors[i].accept, accepted);
		doors[i].accepting = true;
		left--;
	}
}

/* What is set here its connections inherit. UNIX sockets have no use for either. */
static void set_options(int fd)
{
	const int on = 1;

	/* The answer to a part of what the peer sends is not to wait for the rest. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	/* Peers that are gone without a word must not stay for ever. */
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
}

bool doors_open(char **specs, int count)
{
	doors = allocate((size_t)count * sizeof(*doors));
	for (int i = 0; i < count; i++) {
		struct door *door = &doors[door_count];
		int error = listener_open(&door->listener, specs[i]);

		if (error) {
			report(error, "cannot listen at %s", specs[i], NULL);
			return false;
		}
		door->accepting = false;
		door_count++;
		set_options(door->listener.fd);
		if (!options.quiet)
			printf("listening at %s\n", door->listener.name);
	}
	accept_more();
	return true;
}

void doors_close(void)
{
	closing = true;
	for (unsigned i = 0; i < door_count; i++) {
		if (doors[i].accepting)
			shut(&doors[i]);
		else
			listener_close(&doors[i].listener);
	}
}

unsigned doors_count(void)
{
	unsigned count = 0;

	for (unsigned i = 0; i < door_count; i++)
		count += doors[i].listener.fd >= 0;
	return count;
}

void doors_free(void)
{
	for (unsigned i = 0; i < door_count; i++)
		listener_close(&doors[i].listener);
	free(doors);
}
