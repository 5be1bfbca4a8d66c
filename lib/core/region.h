/* SPDX-License-Identifier: MIT */
/* The memory region of a ring, and registered waits (region.c). */
#ifndef ASYNCRING__REGION_H
#define ASYNCRING__REGION_H

#include <stdint.h>

#include <asyncring/abi.h>

struct ring;

/* REGISTER_MEM_REGION; submit_lock held. */
int asyncring__region_register(struct ring *ring, uint64_t arg, unsigned count);
/* The entry at @offset of the wait region: 0 or -EFAULT. Any caller of enter(). */
int asyncring__region_read_wait(const struct ring *ring, uint64_t offset,
				struct asyncring_reg_wait *wait);
/* The ring is going away. */
void asyncring__region_release(struct ring *ring);

#endif
