/* SPDX-License-Identifier: MIT */
/*
 * The memory of a ring: sizes from the set-up parameters, one mapping, the kernel's layout.
 *
 *     control | words, CQEs, SQ array | SQEs          ours: one shared anonymous mapping
 *     control                                         with SETUP_NO_MMAP: the rest is the
 *                                                     application's own memory
 *
 * `control` is what the application must not know of; it comes first, a page of its own. After a
 * change of sizes (resize.c) CQEs, array and SQEs are in a mapping of their own, whose first page
 * is the one with the words.
 */
#include <string.h>
#include <sys/mman.h>

#include "core.h"
#include "setup.h"

_Static_assert(offsetof(struct ring_words, sq_head) == 0, "programs hard-code the layout");
_Static_assert(offsetof(struct ring_words, sq_tail) == 64, "programs hard-code the layout");
_Static_assert(offsetof(struct ring_words, cq_head) == 128, "programs hard-code the layout");
_Static_assert(offsetof(struct ring_words, cq_tail) == 192, "programs hard-code the layout");
_Static_assert(offsetof(struct ring_words, sq_mask) == 256, "programs hard-code the layout");
_Static_assert(offsetof(struct ring_words, sq_dropped) == 272, "programs hard-code the layout");
_Static_assert(offsetof(struct ring_words, cq_overflow) == 284, "programs hard-code the layout");
_Static_assert(offsetof(struct ring_words, cqes) == 320, "programs hard-code the layout");

#define HUGE_PAGE_MAX ((size_t)1 << 34)
#define POPULATED_MAX ((size_t)1 << 16)

static size_t round_up(size_t size, size_t to)
{
	return (size + to - 1) / to * to;
}

static uint32_t round_up_power2(uint32_t value)
{
	return value <= 1 ? 1 : 1u << (32 - __builtin_clz(value - 1));
}

static int clamp_entries(uint32_t *entries, uint32_t limit, bool clamp)
{
	if (!*entries)
		return -EINVAL;
	if (*entries > limit) {
		if (!clamp)
			return -EINVAL;
		*entries = limit;
	}
	*entries = round_up_power2(*entries);
	return 0;
}

int asyncring__ring_configure(struct ring *ring, unsigned entries, struct asyncring_params *params)
{
	bool clamp = params->flags & ASYNCRING_SETUP_CLAMP;
	int error;

	ring->flags = params->flags;
	ring->sq_entries = entries;
	error = clamp_entries(&ring->sq_entries, RING_SQ_ENTRIES_MAX, clamp);
	if (error)
		return error;
	ring->cq_entries = 2 * ring->sq_entries;
	if (params->flags & ASYNCRING_SETUP_CQSIZE) {
		ring->cq_entries = params->cq_entries;
		error = clamp_entries(&ring->cq_entries, RING_CQ_ENTRIES_MAX, clamp);
		if (error)
			return error;
		if (ring->cq_entries < ring->sq_entries)
			return -EINVAL;
	}
	ring->sqe_shift = params->flags & ASYNCRING_SETUP_SQE128 ? 7 : 6;
	ring->cqe_shift = params->flags & ASYNCRING_SETUP_CQE32 ? 5 : 4;
	params->sq_entries = ring->sq_entries;
	params->cq_entries = ring->cq_entries;
	return 0;
}

static size_t array_offset(const struct ring *ring)
{
	size_t end = sizeof(struct ring_words) + ((size_t)ring->cq_entries << ring->cqe_shift);

	return round_up(end, 64);
}

static size_t rings_size(const struct ring *ring)
{
	size_t size = array_offset(ring);

	if (!(ring->flags & ASYNCRING_SETUP_NO_SQARRAY))
		size += ring->sq_entries * sizeof(uint32_t);
	return size;
}

/*
 * Memory of the application's as the core uses it: where that is shared it is mapped once more, for
 * the application may unmap it before it closes the ring; the kernel has its pages then, too.
 */
static void *borrow(struct borrowed *borrowed, uint64_t address, size_t size)
{
	borrowed->size = round_up(size, asyncring__page_size());
	borrowed->memory = sys_map_again((void *)(uintptr_t)address, borrowed->size);
	return borrowed->memory ? borrowed->memory : (void *)(uintptr_t)address;
}

/* Of huge pages whole ones were mapped, of whatever size, and no part of one can be unmapped. */
static void give_back(struct borrowed *borrowed)
{
	size_t page = asyncring__page_size();

	while (borrowed->memory && page <= HUGE_PAGE_MAX &&
	       sys_munmap(borrowed->memory, round_up(borrowed->size, page)) == -EINVAL)
		page *= 2;
	borrowed->memory = NULL;
}

/* Ring words and SQEs in memory of the application's. */
static int use_application_memory(struct ring *ring, const struct asyncring_params *params)
{
	uint64_t rings = params->cq_off.user_addr, sqes = params->sq_off.user_addr;
	size_t sqes_size = (size_t)ring->sq_entries << ring->sqe_shift;
	int error;

	if (!rings || !sqes)
		return -EFAULT;
	if ((rings | sqes) % asyncring__page_size())
		return -EINVAL;
	error = asyncring__memory_check(rings, rings_size(ring));
	if (!error)
		error = asyncring__memory_check(sqes, sqes_size);
	if (error)
		return error;
	ring->words = borrow(&ring->borrowed[0], rings, rings_size(ring));
	ring->sqes = borrow(&ring->borrowed[1], sqes, sqes_size);
	return 0;
}

/* The words start from zero also in memory of the application's. */
static void initialise_words(struct ring *ring)
{
	struct ring_words *words = ring->words;

	memset(words, 0, sizeof(*words));
	words->sq_mask = ring->sq_entries - 1;
	words->cq_mask = ring->cq_entries - 1;
	words->sq_entries = ring->sq_entries;
	words->cq_entries = ring->cq_entries;
}

static void tell_offsets(const struct ring *ring, struct asyncring_params *params)
{
	memset(&params->sq_off, 0, sizeof(params->sq_off));
	memset(&params->cq_off, 0, sizeof(params->cq_off));
	params->sq_off.head = offsetof(struct ring_words, sq_head);
	params->sq_off.tail = offsetof(struct ring_words, sq_tail);
	params->sq_off.ring_mask = offsetof(struct ring_words, sq_mask);
	params->sq_off.ring_entries = offsetof(struct ring_words, sq_entries);
	params->sq_off.flags = offsetof(struct ring_words, sq_flags);
	params->sq_off.dropped = offsetof(struct ring_words, sq_dropped);
	if (ring->sq_array)
		params->sq_off.array = (uint32_t)array_offset(ring);
	params->sq_off.user_addr = (uintptr_t)ring->sqes;
	params->cq_off.head = offsetof(struct ring_words, cq_head);
	params->cq_off.tail = offsetof(struct ring_words, cq_tail);
	params->cq_off.ring_mask = offsetof(struct ring_words, cq_mask);
	params->cq_off.ring_entries = offsetof(struct ring_words, cq_entries);
	params->cq_off.overflow = offsetof(struct ring_words, cq_overflow);
	params->cq_off.cqes = offsetof(struct ring_words, cqes);
	params->cq_off.flags = offsetof(struct ring_words, cq_flags);
	params->cq_off.user_addr = (uintptr_t)ring->words;
}

int asyncring__ring_map(struct ring *ring, struct asyncring_params *params)
{
	const struct asyncring_params asked = *params;
	bool own = !(ring->flags & ASYNCRING_SETUP_NO_MMAP);
	size_t page = asyncring__page_size();
	size_t sqes_offset = page + round_up(rings_size(ring), page);
	size_t size = page;

	if (own) {
		size = sqes_offset + round_up((size_t)ring->sq_entries << ring->sqe_shift, page);
	} else {
		/* First, or the mapping made here might fill a gap in what is checked. */
		int error = use_application_memory(ring, params);

		if (error)
			return error;
	}
	/* Few pages are all used soon: at once they cost less than a fault each. */
	ring->memory =
		sys_mmap_anonymous(size, MAP_SHARED | (size <= POPULATED_MAX ? MAP_POPULATE : 0));
	if (!ring->memory)
		return -ENOMEM;
	ring->memory_size = size;
	ring->control = ring->memory;
	if (own) {
		ring->words = (struct ring_words *)(void *)((char *)ring->memory + page);
		ring->sqes = (unsigned char *)ring->memory + sqes_offset;
	}
	initialise_words(ring);
	ring->cqes = ring->words->cqes;
	if (!(ring->flags & ASYNCRING_SETUP_NO_SQARRAY))
		ring->sq_array = (uint32_t *)(void *)((char *)ring->words + array_offset(ring));
	tell_offsets(ring, params);
	if (!own) {
		params->sq_off.user_addr = asked.sq_off.user_addr;
		params->cq_off.user_addr = asked.cq_off.user_addr;
	}
	return 0;
}

int asyncring__ring_map_resized(const struct ring *ring, struct ring *resized,
				struct asyncring_params *params)
{
	size_t page = asyncring__page_size();
	size_t sqes_offset = round_up(rings_size(resized), page);
	size_t sqes_size = (size_t)resized->sq_entries << resized->sqe_shift;
	char *memory;
	long moved;

	resized->resized_size = sqes_offset + round_up(sqes_size, page);
	memory = sys_mmap_anonymous(resized->resized_size, MAP_SHARED);
	if (!memory)
		return -ENOMEM;
	resized->resized_memory = memory;
	/* An old size of 0 maps shared memory once more instead of moving it. */
	moved = sys(SYS_mremap, ring->words, 0, page, MREMAP_MAYMOVE | MREMAP_FIXED, memory);
	if (moved != (long)memory)
		return -ENOMEM;
	resized->words = (struct ring_words *)(void *)memory;
	resized->cqes = resized->words->cqes;
	if (!(resized->flags & ASYNCRING_SETUP_NO_SQARRAY))
		resized->sq_array = (uint32_t *)(void *)(memory + array_offset(resized));
	resized->sqes = (unsigned char *)memory + sqes_offset;
	tell_offsets(resized, params);
	return 0;
}

void asyncring__ring_unmap(struct ring *ring)
{
	if (ring->resized_memory)
		sys_munmap(ring->resized_memory, ring->resized_size);
	ring->resized_memory = NULL;
	if (ring->memory)
		sys_munmap(ring->memory, ring->memory_size);
	ring->memory = NULL;
	give_back(&ring->borrowed[0]);
	give_back(&ring->borrowed[1]);
}
