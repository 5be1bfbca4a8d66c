/* SPDX-License-Identifier: MIT */
/*
 * REGISTER_RESIZE_RINGS: other sizes for a ring in use. What is in the queues moves into the new
 * memory under submit_lock and cq_lock, at the same heads and tails.
 *
 * The words (heads, tails, flags) are not moved: the first page of the new memory is the first page
 * of the old, mapped once more. So whoever stores into them at this moment, the application or one
 * of our threads without a lock, needs not be waited for, and ring->words stays what it is.
 */
#include <string.h>

#include <asyncring.h>

#include "core.h"
#include "resources.h"
#include "setup.h"

enum {
	FLAGS_ALLOWED = ASYNCRING_SETUP_CQSIZE | ASYNCRING_SETUP_CLAMP,
	FLAGS_KEPT = ASYNCRING_SETUP_NO_SQARRAY | ASYNCRING_SETUP_SQE128 | ASYNCRING_SETUP_CQE32 |
		     ASYNCRING_SETUP_CQE_MIXED | ASYNCRING_SETUP_SQE_MIXED,
};

/* Entries submitted by the application and not taken yet. They stand in the same order. */
static int carry_entries(const struct ring *ring, struct ring *resized)
{
	uint32_t head = atomic_load_explicit(&ring->sq_head, memory_order_relaxed);
	/* Acquire, pairs with the application's release: what it has written is there. */
	uint32_t tail = atomic_load_explicit(&ring->words->sq_tail, memory_order_acquire);
	uint32_t mask = ring->sq_entries - 1, new_mask = resized->sq_entries - 1;
	size_t size = (size_t)1 << ring->sqe_shift;

	if (tail - head > ring->sq_entries || tail - head > resized->sq_entries)
		return -EOVERFLOW;
	for (uint32_t i = 0; resized->sq_array && i < resized->sq_entries; i++)
		resized->sq_array[i] = i;
	for (uint32_t i = head; i != tail; i++) {
		uint32_t index = i & mask;

		/* Read once: the application may change it at any time. */
		if (ring->sq_array)
			index = __atomic_load_n(&ring->sq_array[index], __ATOMIC_RELAXED);
		/* An index out of range is to be found as that later. */
		if (index <= mask)
			memcpy(resized->sqes + (i & new_mask) * size, ring->sqes + index * size,
			       size);
		else if (resized->sq_array)
			resized->sq_array[i & new_mask] = UINT32_MAX;
	}
	return 0;
}

/*
 * Completions not taken yet, by way of @copy, because the first of both queues lie in the page they
 * share. From here on nothing fails. cq_lock held.
 */
static int carry_completions(const struct ring *ring, struct ring *resized, unsigned char *copy)
{
	uint32_t head = atomic_load_explicit(&ring->words->cq_head, memory_order_acquire);
	uint32_t count = atomic_load_explicit(&ring->cq_tail, memory_order_relaxed) - head;
	uint32_t mask = ring->cq_entries - 1, new_mask = resized->cq_entries - 1;
	size_t size = (size_t)1 << ring->cqe_shift;

	if (count > ring->cq_entries || count > resized->cq_entries)
		return -EOVERFLOW;
	for (uint32_t i = 0; i < count; i++)
		memcpy(copy + i * size, ring->cqes + ((head + i) & mask) * size, size);
	for (uint32_t i = 0; i < count; i++)
		memcpy(resized->cqes + ((head + i) & new_mask) * size, copy + i * size, size);
	return 0;
}

static void adopt(struct ring *ring, const struct ring *resized)
{
	ring->sq_entries = resized->sq_entries;
	ring->cq_entries = resized->cq_entries;
	ring->sqes = resized->sqes;
	ring->sq_array = resized->sq_array;
	ring->cqes = resized->cqes;
	ring->words->sq_entries = resized->sq_entries;
	ring->words->cq_entries = resized->cq_entries;
	ring->words->sq_mask = resized->sq_entries - 1;
	ring->words->cq_mask = resized->cq_entries - 1;
}

/* What of the old memory goes with the change: all but the words, which are older still. */
static void exchange_memory(struct ring *ring, struct ring *resized)
{
	void *memory = ring->resized_memory;
	size_t size = ring->resized_size;

	ring->resized_memory = resized->resized_memory;
	ring->resized_size = resized->resized_size;
	resized->resized_memory = memory;
	resized->resized_size = size;
}

static int change(struct ring *ring, struct ring *resized, struct asyncring_params *params,
		  uint64_t arg)
{
	unsigned char *copy;
	int error;

	error = asyncring__ring_configure(resized, params->sq_entries, params);
	if (!error)
		error = asyncring__ring_map_resized(ring, resized, params);
	if (!error)
		error = carry_entries(ring, resized);
	if (error)
		return error;
	copy = asyncring__alloc((size_t)ring->cq_entries << ring->cqe_shift);
	if (!copy)
		return -ENOMEM;
	error = asyncring__copy_out(arg, params, sizeof(*params));
	if (!error) {
		lock_acquire(&ring->control->cq_lock);
		error = carry_completions(ring, resized, copy);
		if (!error)
			adopt(ring, resized);
		lock_release(&ring->control->cq_lock);
	}
	asyncring__free(copy);
	if (!error)
		exchange_memory(ring, resized);
	return error;
}

int asyncring__resize(struct ring *ring, uint64_t arg, unsigned count)
{
	struct asyncring_params params;
	struct ring *resized;
	int error;

	if (!arg || count != 1 || !ring_defers(ring))
		return -EINVAL;
	if (asyncring__copy_in(&params, arg, sizeof(params)))
		return -EFAULT;
	/* Memory of the application's own holds the words as well. */
	if (params.flags & ~(uint32_t)FLAGS_ALLOWED || ring->flags & ASYNCRING_SETUP_NO_MMAP)
		return -EINVAL;
	params.flags |= ring->flags & FLAGS_KEPT;
	/* Only what speaks of memory and sizes is used of it. */
	resized = asyncring__alloc_zeroed(1, sizeof(*resized));
	if (!resized)
		return -ENOMEM;
	error = change(ring, resized, &params, arg);
	if (resized->resized_memory)
		sys_munmap(resized->resized_memory, resized->resized_size);
	asyncring__free(resized);
	return error;
}
