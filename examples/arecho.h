/* SPDX-License-Identifier: MIT */
/*
 * arecho: what its parts know of each other. One thread, one ring (loop.h).
 *
 * Memory is bounded, whatever the peers do. What is received goes to provided buffers
 * (arecho_buffers.c). They are sent back as they are, without waiting for room, so that a buffer is
 * away for one turn of the loop and no more. Of a peer that does not take its data the rest is
 * copied, and nothing is received any more until it has been taken: so each slow peer costs no
 * more than what one turn brings in, and costs the others nothing (arecho_connection.c). How many
 * connections there are is bounded at the door (arecho_accept.c).
 */
#ifndef EXAMPLES_ARECHO_H
#define EXAMPLES_ARECHO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Requests in a batch. */
#define RING_ENTRIES 1024

struct options {
	unsigned buffers;     /* a power of two */
	unsigned buffer_size; /* bytes */
	unsigned connections; /* at most at once */
	unsigned grace;	      /* seconds until connections that do not end are cut off */
	bool quiet;
};

extern struct options options;

/* ---- arecho_buffers.c ---- */

/* A buffer that is not in the ring. */
struct buffer {
	struct buffer *next; /* its owner's */
	unsigned length;     /* bytes received */
};

/* Makes the buffers and gives all of them to the ring. 0 or a negative errno. */
int buffers_open(unsigned count, unsigned size);
void buffers_close(void);

/* What a receive request selects its buffers from. */
unsigned short buffers_group(void);

/* A completion names the buffer: it is the caller's now, until it is given back. */
struct buffer *buffer_take(unsigned id, unsigned length);
char *buffer_data(const struct buffer *buffer);
/* The ring has it from the next buffers_show() on. */
void buffer_give_back(struct buffer *buffer);
void buffers_show(void);

/* How many buffers the ring has, as far as completions tell. */
unsigned buffers_left(void);

/* ---- arecho_connection.c ---- */

/* Makes room for slots (registered files) up to COUNT. 0 or a negative errno. */
int connections_open(unsigned count);
void connections_close(void);

/* There is a new connection in this slot. */
void connection_open(unsigned slot);
/* Closes a connection that cannot be served. */
void connection_refuse(unsigned slot);

/*
 * The end of a turn of the loop: prepares what its completions have called for. False if that
 * cannot wait: then the loop must not sleep for the next turn.
 */
bool connections_advance(void);

/* Each connection ends once what it has sent until now has been sent back. */
void connections_finish(void);
/* Each connection ends. */
void connections_abort(void);

unsigned connections_count(void);

struct statistics {
	uint64_t connections, messages, bytes;
	unsigned most; /* connections at once */
};
const struct statistics *connections_statistics(void);

/* ---- arecho_accept.c ---- */

/* Listens there and accepts connections. False, and a message, if that cannot be done. */
bool doors_open(char **specs, int count);
/* No more connections. Done when doors_count() is 0. */
void doors_close(void);
unsigned doors_count(void);
void doors_free(void);

#endif
