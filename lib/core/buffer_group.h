/* SPDX-License-Identifier: MIT */
/*
 * Groups of provided buffers: what provided.c picks from and buffer_group.c sets up. Everything
 * here needs the ring's submit_lock.
 *
 * A group is either a ring in memory shared with the application or, with PROVIDE_BUFFERS, a queue
 * of the library's own. Nothing read from shared memory is trusted: indices are masked, counts
 * bounded, each field read once.
 */
#ifndef ASYNCRING__BUFFER_GROUP_H
#define ASYNCRING__BUFFER_GROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <asyncring/abi.h>

#include "ring.h"

/* A buffer given with PROVIDE_BUFFERS. */
struct provided_buffer {
	uint64_t address;
	uint32_t length;
	uint16_t id;
};

struct buffer_group {
	/* The ring; entries is NULL if the group is a queue. Constant while it is registered. */
	struct asyncring_buf *entries;
	uint16_t mask;
	bool incremental;
	bool unpinned;	    /* may be unmapped while it is registered (provided.c); constant */
	uint32_t min_left;  /* incremental: with less than this left a buffer is used up */
	size_t mapped_size; /* of the library's own view of memory it has allocated, or 0 */
	uint16_t head;	    /* the next entry; free-running */

	/* The queue: circular, its capacity a power of two or 0. */
	struct provided_buffer *queue;
	uint32_t capacity, first, count;
};

enum {
	BUFFER_GROUP_PAGE = 256,
	BUFFER_GROUP_PAGES = 65536 / BUFFER_GROUP_PAGE,
};

/* id -> group, in pages that are made when they are first needed and stay until the ring closes. */
struct buffer_groups {
	struct buffer_group **pages[BUFFER_GROUP_PAGES];
};

/* The group @id of @ring, or NULL. */
static inline struct buffer_group *asyncring__buffer_group(struct ring *ring, uint16_t id)
{
	const struct buffer_groups *groups = ring->buffer_groups;
	struct buffer_group **page = groups ? groups->pages[id / BUFFER_GROUP_PAGE] : NULL;

	return page ? page[id % BUFFER_GROUP_PAGE] : NULL;
}

/*
 * PROVIDE_BUFFERS: @count buffers of @length bytes one after the other from @address, with
 * ids counting from @first_id, as far as there is room in the group @id, which is made if need be.
 * 0, -EINVAL (it is a ring), -EOVERFLOW (no room at all), -ENOMEM.
 */
int asyncring__buffers_provide(struct ring *ring, uint16_t id, uint64_t address, uint32_t length,
			       uint32_t count, uint16_t first_id);

/* REMOVE_BUFFERS: how many there were of @count; -ENOENT, -EINVAL (it is a ring). */
int asyncring__buffers_remove(struct ring *ring, uint16_t id, uint32_t count);

#endif
