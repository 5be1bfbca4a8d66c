/* SPDX-License-Identifier: MIT */
/*
 * Picking provided buffers and taking them: what operations do with groups (provided.h).
 *
 * A ring's tail and entries are the application's to write at any time. The tail is read with
 * acquire, which pairs with the application's release, so the entries before it are there; each
 * field of an entry is then read once, because data received into a buffer may overwrite the ring
 * itself. A tail that is nonsense makes at most as many buffers as the ring has entries.
 *
 * Of a ring that is `unpinned` each access is a system call, which fails where the memory is gone:
 * then there is no buffer to be had.
 */
#include "provided.h"

#include "buffer_group.h"
#include "core.h"

static struct asyncring_buf *place_of(const struct buffer_group *group, unsigned index)
{
	return &group->entries[(group->head + index) & group->mask];
}

/* The tail lies over the reserved field of the first entry. False: its memory is gone. */
static inline bool read_tail(const struct buffer_group *group, uint16_t *tail)
{
	const uint16_t *place = &group->entries[0].resv;

	if (__builtin_expect(group->unpinned, false))
		return !asyncring__copy_in_unseen(tail, (uintptr_t)place, sizeof(*tail));
	*tail = __atomic_load_n(place, __ATOMIC_ACQUIRE);
	return true;
}

static inline bool read_entry(const struct buffer_group *group, unsigned index,
			      struct asyncring_buf *entry)
{
	const struct asyncring_buf *place = place_of(group, index);

	if (__builtin_expect(group->unpinned, false))
		return !asyncring__copy_in_unseen(entry, (uintptr_t)place, sizeof(*entry));
	entry->addr = __atomic_load_n(&place->addr, __ATOMIC_RELAXED);
	entry->len = __atomic_load_n(&place->len, __ATOMIC_RELAXED);
	entry->bid = __atomic_load_n(&place->bid, __ATOMIC_RELAXED);
	return true;
}

/* What is left of the buffer at the head; the entry's other fields are the application's. */
static void write_entry(const struct buffer_group *group, const struct asyncring_buf *entry)
{
	struct asyncring_buf *place = place_of(group, 0);

	if (group->unpinned) {
		asyncring__copy_out((uintptr_t)place, entry, offsetof(struct asyncring_buf, bid));
		return;
	}
	__atomic_store_n(&place->addr, entry->addr, __ATOMIC_RELAXED);
	__atomic_store_n(&place->len, entry->len, __ATOMIC_RELAXED);
}

static inline unsigned ring_available(const struct buffer_group *group)
{
	unsigned available;
	uint16_t tail;

	if (!read_tail(group, &tail))
		return 0;
	available = (uint16_t)(tail - group->head);
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
		struct asyncring_buf entry;
		uint32_t length;

		if (!read_entry(group, count, &entry))
			break;
		length = entry.len;
		/* A buffer that would not be filled is left for the next, unless it is shared. */
		if (!entry.addr || (count && length > left && !group->incremental))
			break;
		/* What a transfer into no room at all gives would be taken for the end. */
		if (!length)
			break;
		if (!count)
			*first_id = entry.bid;
		if (length > left)
			length = left;
		vectors[count].iov_base = (void *)(uintptr_t)entry.addr;
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
	uint32_t most = wanted ? wanted : INT32_MAX;
	struct asyncring_buf entry;

	if (!read_entry(group, 0, &entry))
		return false;
	vector->iov_base = (void *)(uintptr_t)entry.addr;
	vector->iov_len = entry.len < most ? entry.len : most;
	*id = entry.bid;
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
		struct asyncring_buf entry;
		uint32_t used, left;

		if (!read_entry(group, 0, &entry))
			return false;
		used = bytes < entry.len ? (uint32_t)bytes : entry.len;
		left = entry.len - used;
		/* The length was changed behind our back. */
		if (!used)
			return false;
		if (left && left >= group->min_left) {
			entry.addr += used;
			entry.len = left;
			write_entry(group, &entry);
			return false;
		}
		entry.len = 0;
		write_entry(group, &entry);
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
		return ring_available(group) &&
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
