/* SPDX-License-Identifier: MIT */
/*
 * The table of buffer groups, the queues of those filled with PROVIDE_BUFFERS, and the register
 * calls for buffer rings. Everything here needs the ring's submit_lock.
 *
 * Memory.  A ring the application has allocated is read and written where it lies: the kernel pins
 * its pages, we can only check at registration that they are there, so the application must not
 * unmap them before the group is gone. A ring allocated by the library (PBUF_RING_MMAP) is mapped
 * twice. One view is the library's own, until the group is gone. The other is the application's
 * from the moment it is told (reg->ring_addr), to be unmapped when it likes, before or after that.
 */
#include "buffer_group.h"

#include <string.h>

#include <asyncring.h>

#include "core.h"
#include "resources.h"

enum {
	QUEUE_MAX = 65535,	 /* buffers provided to one group */
	QUEUE_START = 16,	 /* its first capacity */
	RING_MAX = 32768,	 /* entries, so that head and tail can tell full from empty */
	LENGTH_MAX = 0x7ffff000, /* what one call of the kernel's moves at most */
};

/* Where the pointer to group @id stands; NULL: out of memory. */
static struct buffer_group **make_place(struct ring *ring, uint16_t id)
{
	struct buffer_group ***page;

	if (!ring->buffer_groups)
		ring->buffer_groups = asyncring__alloc_zeroed(1, sizeof(*ring->buffer_groups));
	if (!ring->buffer_groups)
		return NULL;
	page = &ring->buffer_groups->pages[id / BUFFER_GROUP_PAGE];
	if (!*page)
		*page = asyncring__alloc_zeroed(BUFFER_GROUP_PAGE, sizeof(void *));
	return *page ? &(*page)[id % BUFFER_GROUP_PAGE] : NULL;
}

/* The group @id, an empty queue if it is new; NULL: out of memory. */
static struct buffer_group *make_group(struct ring *ring, uint16_t id)
{
	struct buffer_group **place = make_place(ring, id);

	if (place && !*place)
		*place = asyncring__alloc_zeroed(1, sizeof(**place));
	return place ? *place : NULL;
}

static void free_group(struct buffer_group *group)
{
	if (group->mapped_size)
		sys_munmap(group->entries, group->mapped_size);
	asyncring__free(group->queue);
	asyncring__free(group);
}

void asyncring__buffer_groups_release(struct ring *ring)
{
	struct buffer_groups *groups = ring->buffer_groups;

	for (unsigned i = 0; groups && i < BUFFER_GROUP_PAGES; i++) {
		for (unsigned j = 0; groups->pages[i] && j < BUFFER_GROUP_PAGE; j++)
			if (groups->pages[i][j])
				free_group(groups->pages[i][j]);
		asyncring__free(groups->pages[i]);
	}
	asyncring__free(groups);
	ring->buffer_groups = NULL;
}

/* ---- the queue of PROVIDE_BUFFERS ---- */

/* Room for @more buffers. */
static int reserve(struct buffer_group *group, uint32_t more)
{
	uint32_t capacity = group->capacity ? group->capacity : QUEUE_START;
	struct provided_buffer *larger;

	while (capacity < group->count + more)
		capacity *= 2;
	if (capacity == group->capacity)
		return 0;
	larger = asyncring__alloc(capacity * sizeof(*larger));
	if (!larger)
		return -ENOMEM;
	for (uint32_t i = 0; i < group->count; i++)
		larger[i] = group->queue[(group->first + i) & (group->capacity - 1)];
	asyncring__free(group->queue);
	group->queue = larger;
	group->capacity = capacity;
	group->first = 0;
	return 0;
}

int asyncring__buffers_provide(struct ring *ring, uint16_t id, uint64_t address, uint32_t length,
			       uint32_t count, uint16_t first_id)
{
	struct buffer_group *group = make_group(ring, id);

	if (!group)
		return -ENOMEM;
	if (group->entries)
		return -EINVAL;
	if (group->count == QUEUE_MAX)
		return -EOVERFLOW;
	if (count > QUEUE_MAX - group->count)
		count = QUEUE_MAX - group->count;
	if (reserve(group, count))
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t last = (group->first + group->count++) & (group->capacity - 1);

		group->queue[last] = (struct provided_buffer){
			.address = address + (uint64_t)i * length,
			.length = length < LENGTH_MAX ? length : LENGTH_MAX,
			.id = (uint16_t)(first_id + i),
		};
	}
	return 0;
}

int asyncring__buffers_remove(struct ring *ring, uint16_t id, uint32_t count)
{
	struct buffer_group *group = asyncring__buffer_group(ring, id);

	if (!group)
		return -ENOENT;
	if (group->entries)
		return -EINVAL;
	if (count > group->count)
		count = group->count;
	group->first += count;
	group->count -= count;
	return (int)count;
}

/* ---- buffer rings ---- */

static int read_registration(struct asyncring_buf_reg *reg, uint64_t arg)
{
	if (asyncring__copy_in(reg, arg, sizeof(*reg)))
		return -EFAULT;
	for (size_t i = 0; i < sizeof(reg->resv) / sizeof(reg->resv[0]); i++)
		if (reg->resv[i])
			return -EINVAL;
	return 0;
}

static int check_registration(const struct asyncring_buf_reg *reg)
{
	if (reg->flags & ~(ASYNCRING_PBUF_RING_MMAP | ASYNCRING_PBUF_RING_INC))
		return -EINVAL;
	if (reg->min_left && !(reg->flags & ASYNCRING_PBUF_RING_INC))
		return -EINVAL;
	if (!reg->ring_entries || reg->ring_entries & (reg->ring_entries - 1) ||
	    reg->ring_entries > RING_MAX)
		return -EINVAL;
	return 0;
}

/* Only ever set, before the first ring that it is about can have a group: relaxed. */
static _Atomic bool rings_unpinned;

void asyncring__buffer_rings_unpinned(void)
{
	atomic_store_explicit(&rings_unpinned, true, memory_order_relaxed);
}

/* The application's ring: it has to be there. */
static int use_application_ring(struct buffer_group *group, const struct asyncring_buf_reg *reg,
				size_t size)
{
	int error;

	if (!reg->ring_addr)
		return -EFAULT;
	if (reg->ring_addr % asyncring__page_size())
		return -EINVAL;
	error = asyncring__memory_check(reg->ring_addr, size);
	if (!error)
		group->entries = (struct asyncring_buf *)(uintptr_t)reg->ring_addr;
	group->unpinned = atomic_load_explicit(&rings_unpinned, memory_order_relaxed);
	return error;
}

/*
 * A ring of ours, with a second view of the same pages for the application (mremap(2) makes one
 * when the old size is zero and the mapping shared), whose address is told at @arg.
 */
static int allocate_ring(struct buffer_group *group, struct asyncring_buf_reg *reg, size_t size,
			 uint64_t arg)
{
	void *own = sys_mmap_anonymous(size, MAP_SHARED);
	long view;

	if (!own)
		return -ENOMEM;
	view = sys(SYS_mremap, own, 0, size, MREMAP_MAYMOVE);
	if (view < 0 && view > -4096) {
		sys_munmap(own, size);
		return -ENOMEM;
	}
	reg->ring_addr = (uint64_t)view;
	if (asyncring__copy_out(arg, reg, sizeof(*reg))) {
		sys_munmap((void *)view, size);
		sys_munmap(own, size);
		return -EFAULT;
	}
	group->entries = own;
	group->mapped_size = size;
	return 0;
}

static struct buffer_group *new_ring(struct asyncring_buf_reg *reg, uint64_t arg, int *error)
{
	size_t size = reg->ring_entries * sizeof(struct asyncring_buf);
	struct buffer_group *group = asyncring__alloc_zeroed(1, sizeof(*group));

	*error = -ENOMEM;
	if (!group)
		return NULL;
	if (reg->flags & ASYNCRING_PBUF_RING_MMAP)
		*error = allocate_ring(group, reg, size, arg);
	else
		*error = use_application_ring(group, reg, size);
	if (*error) {
		asyncring__free(group);
		return NULL;
	}
	group->mask = (uint16_t)(reg->ring_entries - 1);
	group->incremental = reg->flags & ASYNCRING_PBUF_RING_INC;
	group->min_left = reg->min_left;
	return group;
}

int asyncring__buffer_ring_register(struct ring *ring, uint64_t arg)
{
	struct buffer_group **place, *group;
	struct asyncring_buf_reg reg;
	int error = read_registration(&reg, arg);

	if (!error)
		error = check_registration(&reg);
	if (error)
		return error;
	place = make_place(ring, reg.bgid);
	if (!place)
		return -ENOMEM;
	/* Of a queue that has been emptied a ring can be made. */
	if (*place && ((*place)->entries || (*place)->count))
		return -EEXIST;
	group = new_ring(&reg, arg, &error);
	if (!group)
		return error;
	if (*place)
		free_group(*place);
	*place = group;
	return 0;
}

int asyncring__buffer_ring_unregister(struct ring *ring, uint64_t arg)
{
	struct asyncring_buf_reg reg;
	struct buffer_group *group;
	int error = read_registration(&reg, arg);

	if (error)
		return error;
	if (reg.flags)
		return -EINVAL;
	group = asyncring__buffer_group(ring, reg.bgid);
	if (!group)
		return -ENOENT;
	if (!group->entries)
		return -EINVAL;
	*make_place(ring, reg.bgid) = NULL;
	free_group(group);
	return 0;
}

int asyncring__buffer_ring_status(struct ring *ring, uint64_t arg)
{
	struct asyncring_buf_status status;
	const struct buffer_group *group;

	if (asyncring__copy_in(&status, arg, sizeof(status)))
		return -EFAULT;
	for (size_t i = 0; i < sizeof(status.resv) / sizeof(status.resv[0]); i++)
		if (status.resv[i])
			return -EINVAL;
	group = status.buf_group > UINT16_MAX
			? NULL
			: asyncring__buffer_group(ring, (uint16_t)status.buf_group);
	if (!group)
		return -ENOENT;
	if (!group->entries)
		return -EINVAL;
	status.head = group->head;
	return asyncring__copy_out(arg, &status, sizeof(status));
}
