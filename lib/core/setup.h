/* SPDX-License-Identifier: MIT */
/* From the parameters of asyncring_setup() to a ring's memory (setup.c, ring_memory.c). */
#ifndef ASYNCRING__SETUP_H
#define ASYNCRING__SETUP_H

#include "ring.h"

/* asyncring_setup(); the descriptor's number is at least @lowest_fd if such a one is to be had. */
int asyncring__setup(unsigned entries, struct asyncring_params *p, int lowest_fd);

/* Check the numbers of entries and fill in sizes; 0 or a negative errno. */
int asyncring__ring_configure(struct ring *ring, unsigned entries, struct asyncring_params *params);
/* Allocate and lay out the memory of a configured ring; fills in the offsets of @params. */
int asyncring__ring_map(struct ring *ring, struct asyncring_params *params);
void asyncring__ring_unmap(struct ring *ring);
/*
 * Memory for @resized, which is configured: like @ring's but for the sizes, with @ring's words in
 * it. As ring_map; on failure the caller unmaps what there is.
 */
int asyncring__ring_map_resized(const struct ring *ring, struct ring *resized,
				struct asyncring_params *params);

/* What there is, for REGISTER_QUERY: setup.c, enter.c, submit.c. */
uint32_t asyncring__setup_features(void);
uint32_t asyncring__setup_flags(void);
uint32_t asyncring__enter_flags(void);
uint32_t asyncring__sqe_flags(void);

#endif
