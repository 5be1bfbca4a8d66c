/* SPDX-License-Identifier: MIT */
/* Requests that wait for a number of completions; count_wait.h says how it works. */
#include "core.h"

void asyncring__count_wait_init(struct count_wait *wait)
{
	list_init(&wait->requests);
	atomic_store_explicit(&wait->any, false, memory_order_relaxed);
	atomic_store_explicit(&wait->posted, 0, memory_order_relaxed);
}

static uint64_t due_of(const struct list *node)
{
	return container_of(node, struct request, node)->count_due;
}

/* cq_lock held. */
static void publish(struct count_wait *wait)
{
	bool any = !list_empty(&wait->requests);

	if (any)
		atomic_store_explicit(&wait->due, due_of(wait->requests.next),
				      memory_order_relaxed);
	atomic_store_explicit(&wait->any, any, memory_order_relaxed);
}

void asyncring__count_add(struct request *request, uint32_t count)
{
	struct ring *ring = request->ring;
	struct count_wait *wait = &ring->count_wait;
	struct list *after = &wait->requests;
	uint64_t due;

	lock_acquire(&ring->control->cq_lock);
	due = atomic_load_explicit(&wait->posted, memory_order_relaxed) + count;
	request->count_due = due;
	/* Behind those that are due at the same time. */
	do
		after = after->prev;
	while (after != &wait->requests && due_of(after) > due);
	list_append(after->next, &request->node);
	publish(wait);
	lock_release(&ring->control->cq_lock);
}

static void take_out(struct ring *ring, struct list *node)
{
	lock_acquire(&ring->control->cq_lock);
	list_remove(node);
	publish(&ring->count_wait);
	lock_release(&ring->control->cq_lock);
}

void asyncring__count_remove(struct request *request)
{
	take_out(request->ring, &request->node);
}

void asyncring__count_release(struct ring *ring)
{
	struct count_wait *wait = &ring->count_wait;

	while (asyncring__count_reached(wait)) {
		struct list *node = wait->requests.next;

		take_out(ring, node);
		asyncring__request_ready(container_of(node, struct request, node), 1);
	}
}
