/* SPDX-License-Identifier: MIT */
/*
 * Registered ring descriptors: each thread has a table of its own, as each task has in the kernel.
 * An entry is a name of its ring and keeps it alive like an open descriptor; the names of a thread
 * that ends are dropped.
 *
 * A forked child starts with an empty table: what it has inherited is dropped at the first look.
 *
 * Nothing here may be called with a reference to a ring whose last name might go: the thread that
 * drops that name waits until all references are put.
 */
#include <pthread.h>

#include "core.h"
#include "registered_ring.h"

enum { SLOTS = 16 };

/* Only its own thread looks into it. */
struct ring_slots {
	struct ring *rings[SLOTS];
};

static pthread_key_t key;
static int key_error;

static void drop_all(void *argument)
{
	struct ring_slots *slots = argument;

	for (int i = 0; i < SLOTS; i++)
		if (slots->rings[i])
			asyncring__ring_release_name(slots->rings[i]);
	asyncring__free(slots);
}

static void create_key(void)
{
	key_error = -pthread_key_create(&key, drop_all);
}

/* The calling thread's table, made if @make; NULL if there is none. */
static struct ring_slots *own_slots(bool make)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct ring_slots *slots;

	pthread_once(&once, create_key);
	if (key_error)
		return NULL;
	slots = pthread_getspecific(key);
	if (slots || !make)
		return slots;
	slots = asyncring__alloc_zeroed(1, sizeof(*slots));
	if (slots && pthread_setspecific(key, slots)) {
		asyncring__free(slots);
		slots = NULL;
	}
	return slots;
}

static void forget(struct ring_slots *slots, unsigned index)
{
	struct ring *ring = slots->rings[index];

	slots->rings[index] = NULL;
	asyncring__ring_release_name(ring);
}

/* What the calling thread has at @index, or NULL. */
static struct ring *look_up(struct ring_slots *slots, unsigned index)
{
	struct ring *ring = slots ? slots->rings[index] : NULL;

	if (!ring || !ring->inherited)
		return ring;
	forget(slots, index);
	return NULL;
}

struct ring *asyncring__registered_ring_get(unsigned index, int *error)
{
	struct ring *ring;

	*error = -EINVAL;
	if (index >= SLOTS)
		return NULL;
	*error = -EBADF;
	ring = look_up(own_slots(false), index);
	if (!ring)
		return NULL;
	/* Relaxed: the slot's name keeps the table's reference alive. */
	atomic_fetch_add_explicit(&ring->references, 1, memory_order_relaxed);
	return ring;
}

struct ring *asyncring__registered_ring_lock(unsigned index)
{
	struct ring *ring = index < SLOTS ? look_up(own_slots(false), index) : NULL;

	/* Relaxed: written before the thread had the ring. */
	if (!ring || !atomic_load_explicit(&ring->direct, memory_order_relaxed))
		return NULL;
	ring_lock(ring);
	return ring;
}

static int add_between(struct ring *ring, unsigned first, unsigned end)
{
	struct ring_slots *slots = own_slots(true);

	if (!slots)
		return -ENOMEM;
	for (unsigned i = first; i < end; i++) {
		if (look_up(slots, i))
			continue;
		if (!asyncring__ring_add_name(ring))
			return -EBADF;
		slots->rings[i] = ring;
		return (int)i;
	}
	return -EBUSY;
}

int asyncring__registered_ring_add(struct ring *ring)
{
	return add_between(ring, 0, SLOTS);
}

static int register_one(struct asyncring_rsrc_update *update)
{
	unsigned first = 0, end = SLOTS;
	struct ring *ring;
	int index, error;

	if (update->resv)
		return -EINVAL;
	if (update->offset != ~0u) {
		if (update->offset >= SLOTS)
			return -EINVAL;
		first = update->offset;
		end = first + 1;
	}
	ring = asyncring__ring_get((unsigned)update->data, &error);
	if (!ring)
		return error;
	index = add_between(ring, first, end);
	asyncring__ring_put(ring);
	if (index < 0)
		return index;
	update->offset = (uint32_t)index;
	return 0;
}

int asyncring__registered_rings_register(uint64_t arg, unsigned count)
{
	struct asyncring_rsrc_update update;
	unsigned done;
	int error = 0;

	if (!count || count > SLOTS)
		return -EINVAL;
	for (done = 0; done < count; done++) {
		uint64_t place = arg + done * sizeof(update);

		error = asyncring__copy_in(&update, place, sizeof(update));
		if (!error)
			error = register_one(&update);
		if (error)
			break;
		error = asyncring__copy_out(place, &update, sizeof(update));
		if (error) {
			forget(own_slots(false), update.offset);
			break;
		}
	}
	return done ? (int)done : error;
}

int asyncring__registered_rings_unregister(uint64_t arg, unsigned count)
{
	struct ring_slots *slots = own_slots(false);
	struct asyncring_rsrc_update update;
	unsigned done;
	int error = 0;

	if (!count || count > SLOTS)
		return -EINVAL;
	for (done = 0; done < count; done++) {
		error = asyncring__copy_in(&update, arg + done * sizeof(update), sizeof(update));
		if (!error && (update.resv || update.data || update.offset >= SLOTS))
			error = -EINVAL;
		if (error)
			break;
		if (look_up(slots, update.offset))
			forget(slots, update.offset);
	}
	return done ? (int)done : error;
}
