/* SPDX-License-Identifier: MIT */
/*
 * Requests of a ring that wait for an event - readiness, a timer, a wake-up - and so sit in no
 * thread: found by their user data, for cancellation and updates. Everything needs submit_lock.
 */
#ifndef ASYNCRING__PENDING_H
#define ASYNCRING__PENDING_H

#include <stdbool.h>
#include <stdint.h>

#include "list.h"

struct cancel_match;
struct op;
struct request;
struct ring;

enum { PENDING_FIRST_BUCKETS = 16 };

struct pending {
	/* Of each the oldest request's key_node, in a circle with the others', or NULL. */
	struct list **buckets; /* `few`, or a table that grows with their number */
	uint32_t bucket_count, count;
	struct list *few[PENDING_FIRST_BUCKETS];
};

void asyncring__pending_init(struct pending *pending);
void asyncring__pending_release(struct pending *pending);

void asyncring__pending_add(struct request *request);
void asyncring__pending_remove(struct request *request);

/* The one of opcode @opcode with this user data that came first, or NULL. */
struct request *asyncring__pending_find(struct ring *ring, unsigned opcode, uint64_t user_data);

/* Take @request back and end it with -ECANCELED, after what is under way. Within a batch. */
void asyncring__pending_take_back(struct request *request);

/*
 * Take back what matches, one or @all, and end it with -ECANCELED. How many; those of them with
 * OP_CANCEL_COUNTED are added to *counted. Within a batch.
 */
unsigned asyncring__pending_cancel(const struct cancel_match *match, bool all, unsigned *counted);

#endif
