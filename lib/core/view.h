/* SPDX-License-Identifier: MIT */
/* mmap(2) of a ring's descriptor, for programs that take the kernel's way to its memory (view.c).
 */
#ifndef ASYNCRING__VIEW_H
#define ASYNCRING__VIEW_H

#include <stddef.h>
#include <stdint.h>

/*
 * Where the memory region of a ring (region.c) is mapped: the kernel tells the number in the
 * region's descriptor, so it is in no public header.
 */
#define VIEW_REGION_OFFSET 0x20000000ULL

/* The arguments of mmap(2) that matter. */
struct view {
	uint64_t address; /* where the caller would like to have it */
	size_t length;
	int protection;
	int flags;
	uint64_t offset; /* one of ASYNCRING_OFF_* */
};

/*
 * One more mapping of the memory that the ring @fd has at view->offset: its address, or a negative
 * errno (-EBADF, -EOPNOTSUPP: no ring). It is the caller's from then on, to be unmapped when it
 * likes, before or after the ring is closed. No lock held.
 */
long asyncring__view_map(unsigned fd, const struct view *view);

#endif
