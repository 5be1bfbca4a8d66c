/* SPDX-License-Identifier: MIT */
/*
 * A thread's registered rings: small numbers that stand for rings (registered_ring.c). All calls
 * are about the calling thread's own table.
 */
#ifndef ASYNCRING__REGISTERED_RING_H
#define ASYNCRING__REGISTERED_RING_H

#include <stdint.h>

struct ring;

/*
 * The ring at @index with a reference, or NULL with the reason in *error: -EINVAL (no such index),
 * -EBADF (nothing there).
 */
struct ring *asyncring__registered_ring_get(unsigned index, int *error);

/*
 * The same with submit_lock held in place of a reference: the index keeps the ring as long as its
 * thread does not give it up. NULL also if there is an SQ thread: registered_ring_get tells.
 */
struct ring *asyncring__registered_ring_lock(unsigned index);

/* Put @ring, with a name of its own, at a free index: the index or -EBUSY, -ENOMEM. */
int asyncring__registered_ring_add(struct ring *ring);

/*
 * REGISTER_RING_FDS, UNREGISTER_RING_FDS: @arg is an array of @count struct asyncring_rsrc_update.
 * The number done, or the errno of the first that failed. The caller holds no reference to a ring:
 * dropping a ring's last name closes it.
 */
int asyncring__registered_rings_register(uint64_t arg, unsigned count);
int asyncring__registered_rings_unregister(uint64_t arg, unsigned count);

#endif
