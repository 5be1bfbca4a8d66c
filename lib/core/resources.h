/* SPDX-License-Identifier: MIT */
/*
 * What an application registers with a ring (register.c and the files named here), besides files
 * (file_table.h) and rings (registered_ring.h). Unless said otherwise the caller holds
 * ring->submit_lock and results are those of the register system call.
 */
#ifndef ASYNCRING__RESOURCES_H
#define ASYNCRING__RESOURCES_H

#include <stdbool.h>
#include <stdint.h>

struct request;
struct restrictions;
struct ring;

/* Let go of everything registered; the ring is closing and nobody else uses it. No lock. */
void asyncring__resources_release(struct ring *ring);

/*
 * buffer.c. @iovecs and @tags are the application's arrays of @count entries, @tags 0 if there are
 * none; @sparse: nor is there an array of vectors. An update gives the number done, or the errno of
 * the first that failed; a registration that fails leaves nothing behind.
 */
int asyncring__buffers_register(struct ring *ring, uint64_t iovecs, uint64_t tags, unsigned count,
				bool sparse);
int asyncring__buffers_unregister(struct ring *ring);
int asyncring__buffers_update(struct ring *ring, unsigned offset, uint64_t iovecs, uint64_t tags,
			      unsigned count);
/* CLONE_BUFFERS into @ring; no lock held: it takes those of both rings, one after the other. */
int asyncring__buffers_clone(struct ring *ring, uint64_t arg);

/*
 * buffer_group.c: REGISTER_PBUF_RING, UNREGISTER_PBUF_RING, REGISTER_PBUF_STATUS; @arg is the
 * address of the call's structure.
 */
int asyncring__buffer_ring_register(struct ring *ring, uint64_t arg);
int asyncring__buffer_ring_unregister(struct ring *ring, uint64_t arg);
int asyncring__buffer_ring_status(struct ring *ring, uint64_t arg);
/* Of a ring that is going away; no lock. */
void asyncring__buffer_groups_release(struct ring *ring);

/* restrictions.c: all of the list counts, or none. */
int asyncring__restrictions_register(struct ring *ring, uint64_t arg, unsigned count);
/* Do they allow @request, which is being prepared? */
bool asyncring__restrictions_allow(const struct restrictions *restrictions,
				   const struct request *request);

/* credentials.c: the new personality's number, or -ENOMEM, -EBUSY (there are PERSONALITIES_MAX). */
int asyncring__personality_register(struct ring *ring);
int asyncring__personality_unregister(struct ring *ring, unsigned id);

/* query.c: REGISTER_QUERY, with or without a ring. No lock. */
int asyncring__query(struct ring *ring, uint64_t arg, unsigned count);

/* resize.c: REGISTER_RESIZE_RINGS. */
int asyncring__resize(struct ring *ring, uint64_t arg, unsigned count);

#endif
