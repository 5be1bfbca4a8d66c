/* SPDX-License-Identifier: MIT */
/*
 * arhttpd: what takes too long. All deadlines of one kind are equally long, so those that begin
 * later end later: a list for each kind, oldest first, is all it takes. One timeout that repeats
 * has somebody look at the heads of the lists; a deadline is met up to one such period late.
 */
#include "arhttpd.h"

#include <time.h>

static struct link lists[DEADLINES];

void deadline_open(void)
{
	for (unsigned i = 0; i < DEADLINES; i++)
		link_clear(&lists[i]);
}

uint64_t now_milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void deadline_set(struct connection *connection, enum deadline_kind kind)
{
	link_remove(&connection->timed);
	link_append(&lists[kind], &connection->timed);
	connection->timed_since = now_milliseconds();
}

void deadline_clear(struct connection *connection)
{
	link_remove(&connection->timed);
}

static uint64_t duration(enum deadline_kind kind)
{
	switch (kind) {
	case DEADLINE_HEADER:
		return options.header_seconds * UINT64_C(1000);
	case DEADLINE_IDLE:
		return options.idle_seconds * UINT64_C(1000);
	case DEADLINE_STALL:
		return options.stall_seconds * UINT64_C(1000);
	default:
		return 2000; /* time enough to read the last bytes of an answer */
	}
}

void deadline_look(void)
{
	uint64_t now = now_milliseconds();

	for (unsigned kind = 0; kind < DEADLINES; kind++) {
		while (lists[kind].next != &lists[kind]) {
			struct connection *oldest =
				container_of(lists[kind].next, struct connection, timed);

			if (now - oldest->timed_since < duration(kind))
				break;
			deadline_clear(oldest);
			connection_expired(oldest, kind);
		}
	}
}
