/* SPDX-License-Identifier: MIT */
/*
 * Picking provided buffers and taking them: what operations do with groups (provided.h).
 *
 * A ring's tail and entries are the application's to write at any time. The tail is read with
 * acquire, which pairs with the application's release, so the entries before it are there; each
 * field of an entry is then read once, because data received into a buffer may overwrite the ring
 * itself. A tail that is nonsense makes at most as many buffers as the ring has entries.
 */
#include "provided.h"

#include "buffer_group.h"
#include "core.h"

/* The tail lies over the reserved field of the first entry. */
static uint16_t ring_tail(const struct buffer_group *group)
{
	return __atomic_load_n(&group->entries[0].resv, __ATOMIC_ACQUIRE);
}

static struct asyncring_buf *ring_entry(const struct buffer_group *group, unsigned index)
{
	return &group->entries[(group->head + index) & group->mask];
}

static unsigned ring_available(const struct buffer_group *group)
{
	unsigned available = (uint16_t)(ring_tail(group) - group->head);

	return available <= group->mask ? available : group->mask + 1u;
}

/* How many vectors were filled in; see asyncring__buffers_pick. */
static unsigned peek_ring(const struct buffer_group *group, unsigned available,
			  struct iovec *vectors, unsigned max, uint32_t wanted, uint16_t *first_id)
{
	uint32_t left = wanted ? wanted : INT32_MAX;
	unsigned count = 0;

	if (max > available)
		max = available;
	while (count < max) {
		const struct asyncring_buf *entry = ring_entry(group, count);
		uint64_t address = __atomic_load_n(&entry->addr, __ATOMIC_RELAXED);
		uint32_t length = __atomic_load_n(&entry->len, __ATOMIC_RELAXED);

		/* A buffer that would not be filled is left for the next, unless it is shared. */
		if (!address || (count && length > left && !group->incremental))
			break;
		/* What a transfer into no room at all gives would be taken for the end. */
		if (!length)
			break;
		if (!count)
			*first_id = __atomic_load_n(&entry->bid, __ATOMIC_RELAXED);
		if (length > left)
			length = left;
		vectors[count].iov_base = (void *)(uintptr_t)address;
		vectors[count++].iov_len = length;
		left -= length;
		if (!left)
			break;
	}
	return count;
}

/* The same for one, where there is one. */
static inline bool peek_ring_once(const struct buffer_group *group, struct iovec *vector,
				  uint32_t wanted, uint16_t *id)
{
	const struct asyncring_buf *entry = ring_entry(group, 0);
	uint32_t length, most = wanted ? wanted : INT32_MAX;

	vector->iov_base = (void *)(uintptr_t)__atomic_load_n(&entry->addr, __ATOMIC_RELAXED);
	length = __atomic_load_n(&entry->len, __ATOMIC_RELAXED);
	*id = __atomic_load_n(&entry->bid, __ATOMIC_RELAXED);
	vector->iov_len = length < most ? length : most;
	return vector->iov_base != NULL;
}

/* The same from a queue. */
static inline bool peek_queue(const struct buffer_group *group, struct iovec *vector,
			      uint32_t wanted, uint16_t *id)
{
	const struct provided_buffer *buffer = &group->queue[group->first & (group->capacity - 1)];

	vector->iov_base = (void *)(uintptr_t)buffer->address;
	vector->iov_len = wanted && wanted < buffer->length ? wanted : buffer->length;
	*id = buffer->id;
	return true;
}

/*
 * @bytes of the incremental buffers at the head are used. True if the last of them is used up, as
 * one is that has no more than an unusable rest.
 */
static bool advance_incremental(struct buffer_group *group, uint64_t bytes)
{
	while (bytes) {
		struct asyncring_buf *entry = ring_entry(group, 0);
		uint32_t length = __atomic_load_n(&entry->len, __ATOMIC_RELAXED);
		uint32_t used = bytes < length ? (uint32_t)bytes : length;
		uint32_t left = length - used;

		/* The length was changed behind our back. */
		if (!used)
			return false;
		if (left && left >= group->min_left) {
			uint64_t address = __atomic_load_n(&entry->addr, __ATOMIC_RELAXED);

			__atomic_store_n(&entry->addr, address + used, __ATOMIC_RELAXED);
			__atomic_store_n(&entry->len, left, __ATOMIC_RELAXED);
			return false;
		}
		__atomic_store_n(&entry->len, 0, __ATOMIC_RELAXED);
		group->head++;
		bytes -= used;
		if (!bytes)
			return true;
	}
	return false;
}

/* How many of the buffers picked @bytes have gone into. */
static unsigned buffers_used(const struct picked_buffers *picked, uint64_t bytes)
{
	unsigned used = 0;

	if (!picked->bundle)
		return picked->count;
	while (bytes && used < picked->count) {
		uint64_t length = picked->vectors[used++].iov_len;

		bytes -= bytes < length ? bytes : length;
	}
	return used;
}

/* Take what is used of @picked, and say it in the flags of a CQE. */
static uint32_t consume(struct buffer_group *group, const struct picked_buffers *picked,
			uint64_t bytes)
{
	uint32_t flags = ASYNCRING_CQE_F_BUFFER | (uint32_t)picked->first_id
							  << ASYNCRING_CQE_BUFFER_SHIFT;

	if (!picked->from_ring) {
		group->first++;
		group->count--;
	} else if (!group->incremental) {
		group->head = (uint16_t)(group->head + buffers_used(picked, bytes));
	} else if (!advance_incremental(group, bytes)) {
		flags |= ASYNCRING_CQE_F_BUF_MORE;
	}
	return flags;
}

/* Is there a buffer to be had? submit_lock held. */
static inline bool peek_one(struct buffer_group *group, struct iovec *vector, uint32_t wanted,
			    struct picked_buffers *picked)
{
	picked->group = group;
	picked->count = 1;
	picked->bundle = false;
	picked->from_ring = group->entries;
	if (group->entries)
		return ring_tail(group) != group->head &&
		       peek_ring_once(group, vector, wanted, &picked->first_id);
	return group->count && peek_queue(group, vector, wanted, &picked->first_id);
}

/* The number of vectors filled in, 0 if there is no buffer to be had. submit_lock held. */
static unsigned peek(struct buffer_group *group, struct iovec *vectors, unsigned max,
		     uint32_t wanted, struct picked_buffers *picked)
{
	picked->available = group->entries ? ring_available(group) : group->count;
	if (max == 1 || !group->entries)
		return peek_one(group, vectors, wanted, picked);
	picked->group = group;
	picked->vectors = vectors;
	picked->from_ring = picked->bundle = true;
	picked->first_id = 0;
	picked->count =
		peek_ring(group, picked->available, vectors, max, wanted, &picked->first_id);
	return picked->count;
}

int asyncring__buffers_pick(struct request *request, unsigned issue_flags, struct iovec *vectors,
			    unsigned max, uint32_t wanted, struct picked_buffers *picked)
{
	struct ring *ring = request->ring;
	struct buffer_group *group;
	unsigned count;

	issue_lock(ring, issue_flags);
	picked->locked = !(issue_flags & ISSUE_LOCKED);
	group = asyncring__buffer_group(ring, request->buf_index);
	count = group ? peek(group, vectors, max, wanted, picked) : 0;
	if (count)
		return (int)count;
	issue_unlock(ring, issue_flags);
	return group ? -ENOBUFS : -ENOENT;
}

/* submit_lock held. */
static inline int pick_one(struct request *request, struct iovec *vector, uint32_t wanted,
			   struct picked_buffers *picked)
{
	struct buffer_group *group = asyncring__buffer_group(request->ring, request->buf_index);

	return group && peek_one(group, vector, wanted, picked) ? 1 : -ENOBUFS;
}

__attribute__((noinline)) static int lock_and_pick_one(struct request *request,
						       struct iovec *vector, uint32_t wanted,
						       struct picked_buffers *picked)
{
	int count;

	ring_lock(request->ring);
	picked->locked = true;
	count = pick_one(request, vector, wanted, picked);
	if (count < 0)
		ring_unlock(request->ring);
	return count;
}

int asyncring__buffers_pick_one(struct request *request, unsigned issue_flags, struct iovec *vector,
				uint32_t wanted, struct picked_buffers *picked)
{
	if (!(issue_flags & ISSUE_LOCKED))
		return lock_and_pick_one(request, vector, wanted, picked);
	picked->locked = false;
	return pick_one(request, vector, wanted, picked);
}

uint32_t asyncring__buffers_commit(struct request *request, struct picked_buffers *picked,
				   uint64_t bytes)
{
	uint32_t flags = consume(picked->group, picked, bytes);

	if (picked->locked)
		ring_unlock(request->ring);
	return flags;
}

void asyncring__buffers_return(struct request *request, struct picked_buffers *picked)
{
	if (picked->locked)
		ring_unlock(request->ring);
}

int asyncring__buffers_take(struct request *request, unsigned issue_flags, struct iovec *vector,
			    uint32_t wanted)
{
	struct picked_buffers picked;
	int count = asyncring__buffers_pick_one(request, issue_flags, vector, wanted, &picked);

	if (count < 0)
		return count;
	request->completion.flags |= asyncring__buffers_commit(request, &picked, vector->iov_len);
	return 0;
}
