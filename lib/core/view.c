/* SPDX-License-Identifier: MIT */
/*
 * mmap(2) of a ring's descriptor, as programs do that make io_uring's system calls themselves.
 *
 * The library keeps its own mapping and gives out further ones of the same pages (mremap(2) makes
 * one when the old size is zero and the memory shared). So a program may unmap its own, or give
 * advice about it, whenever it likes, and the library never stumbles over it. A private mapping is
 * shared like any other, as the kernel's are.
 *
 * Concurrency: what is mapped is looked up with the ring's submit_lock held, because a change of
 * sizes replaces it.
 */
#include "view.h"

#include <asyncring.h>

#include "buffer_group.h"
#include "core.h"

/* Memory to be seen, in at most two pieces: after a change of sizes (resize.c) there are two. */
struct area {
	struct {
		void *start;
		size_t size;
	} pieces[2];
};

enum view_kind { VIEW_RINGS, VIEW_SQES, VIEW_BUFFERS, VIEW_REGION, VIEW_NOTHING };

static enum view_kind kind_of(uint64_t offset)
{
	switch (offset & ASYNCRING_OFF_MMAP_MASK) {
	case ASYNCRING_OFF_SQ_RING:
	case ASYNCRING_OFF_CQ_RING:
		return VIEW_RINGS;
	case ASYNCRING_OFF_SQES:
		return VIEW_SQES;
	case ASYNCRING_OFF_PBUF_RING:
		return VIEW_BUFFERS;
	case VIEW_REGION_OFFSET:
		return VIEW_REGION;
	default:
		return VIEW_NOTHING;
	}
}

static size_t whole_pages(size_t size)
{
	size_t page = asyncring__page_size();

	return (size + page - 1) / page * page;
}

static int rings_area(const struct ring *ring, struct area *area)
{
	size_t page = asyncring__page_size();

	if (ring->flags & ASYNCRING_SETUP_NO_MMAP)
		return -EINVAL;
	area->pieces[0].start = ring->words;
	if (!ring->resized_memory) {
		area->pieces[0].size = (size_t)((char *)ring->sqes - (char *)ring->words);
		return 0;
	}
	/* The page with the words is of the old memory. */
	area->pieces[0].size = page;
	area->pieces[1].start = (char *)ring->resized_memory + page;
	area->pieces[1].size = (size_t)((char *)ring->sqes - (char *)ring->resized_memory) - page;
	return 0;
}

static int sqes_area(const struct ring *ring, struct area *area)
{
	if (ring->flags & ASYNCRING_SETUP_NO_MMAP)
		return -EINVAL;
	area->pieces[0].start = ring->sqes;
	area->pieces[0].size = whole_pages((size_t)ring->sq_entries << ring->sqe_shift);
	return 0;
}

static int buffers_area(struct ring *ring, uint64_t offset, struct area *area)
{
	uint64_t id = (offset & ~ASYNCRING_OFF_MMAP_MASK) >> ASYNCRING_OFF_PBUF_SHIFT;
	const struct buffer_group *group = asyncring__buffer_group(ring, (uint16_t)id);

	if (!group || !group->mapped_size)
		return -EINVAL;
	area->pieces[0].start = group->entries;
	area->pieces[0].size = whole_pages(group->mapped_size);
	return 0;
}

static int region_area(const struct ring *ring, struct area *area)
{
	if (!ring->region_memory)
		return -EINVAL;
	area->pieces[0].start = ring->region_memory;
	area->pieces[0].size = ring->region_size;
	return 0;
}

/* submit_lock held. */
static int find_area(struct ring *ring, uint64_t offset, struct area *area)
{
	switch (kind_of(offset)) {
	case VIEW_RINGS:
		return rings_area(ring, area);
	case VIEW_SQES:
		return sqes_area(ring, area);
	case VIEW_BUFFERS:
		return buffers_area(ring, offset, area);
	case VIEW_REGION:
		return region_area(ring, area);
	default:
		return -EINVAL;
	}
}

/* Over what is at @address now: one more mapping of as much of @area as goes into @length. */
static int map_area(char *address, size_t length, const struct area *area)
{
	size_t done = 0;

	for (int i = 0; i < 2 && done < length; i++) {
		size_t size = area->pieces[i].size;
		long mapped;

		if (size > length - done)
			size = length - done;
		if (!size)
			continue;
		mapped = sys(SYS_mremap, area->pieces[i].start, 0, size,
			     MREMAP_MAYMOVE | MREMAP_FIXED, address + done);
		if (mapped != (long)(address + done))
			return -ENOMEM;
		done += size;
	}
	return 0;
}

/* submit_lock held. */
static long map(struct ring *ring, const struct view *view)
{
	const int placement = view->flags & (MAP_FIXED | MAP_FIXED_NOREPLACE);
	size_t length = whole_pages(view->length);
	struct area area = {0};
	long address;
	int error;

	if (!length)
		return -EINVAL;
	if (view->protection & PROT_EXEC)
		return -EPERM;
	/* The kernel looks for an address first, and that is where it finds nothing to map. */
	if (find_area(ring, view->offset, &area))
		return -ENOMEM;
	/* A place first, of which all that the ring does not fill stays out of bounds. */
	address = sys(SYS_mmap, view->address, length, PROT_NONE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | placement, -1, 0);
	if (address < 0 && address > -4096)
		return address;
	error = map_area((char *)address, length, &area);
	if (!error && view->protection != (PROT_READ | PROT_WRITE))
		error = (int)sys(SYS_mprotect, address, length, view->protection);
	if (!error)
		return address;
	sys_munmap((void *)address, length);
	return error;
}

long asyncring__view_map(unsigned fd, const struct view *view)
{
	struct ring *ring;
	int error = 0;
	long result;

	ring = asyncring__ring_get(fd, &error);
	if (!ring)
		return error;
	ring_lock(ring);
	result = map(ring, view);
	ring_unlock(ring);
	asyncring__ring_put(ring);
	return result;
}
