/* SPDX-License-Identifier: MIT */
/*
 * Where requests come from and go to: blocks of them, never returned before the ring closes, so
 * that the steady state allocates nothing.
 *
 * The submitter takes from and gives to free_requests under submit_lock. Other threads give back
 * through returned_requests, a stack that is only ever popped as a whole, so that the usual hazard
 * of such stacks (a node popped and pushed again in between) cannot arise.
 */
#include "core.h"

/* And behind it, from the next cache line on, as many requests as the rest has room for. */
struct block {
	struct list node; /* ring->request_blocks: submit_lock */
};

enum { BLOCK_BYTES = 16384 };
#define BLOCK_REQUESTS                                                                             \
	((BLOCK_BYTES - sizeof(struct block) - _Alignof(struct request) + 1) /                     \
	 sizeof(struct request))

static struct request *first_of(struct block *block)
{
	uintptr_t end = (uintptr_t)(block + 1), line = _Alignof(struct request);

	return (struct request *)((end + line - 1) & ~(line - 1));
}

/* What other threads have given back goes to the free list, or a new block. */
static void refill(struct ring *ring)
{
	/* Acquire, pairs with the release in asyncring__request_free. */
	struct request *returned =
		atomic_exchange_explicit(&ring->returned_requests, NULL, memory_order_acquire);
	struct request *first;
	struct block *block;

	if (returned) {
		struct request *last = returned;

		for (ring->free_count++; last->link; last = last->link)
			ring->free_count++;
		last->link = ring->free_requests;
		ring->free_requests = returned;
		if (ring->free_count > ring->batch.result_count)
			return;
	}
	block = asyncring__alloc_zeroed(1, BLOCK_BYTES);
	if (!block)
		return;
	list_append(&ring->request_blocks, &block->node);
	first = first_of(block);
	for (size_t i = 0; i < BLOCK_REQUESTS; i++) {
		struct request *request = &first[i];

		request->ring = ring;
		request->completion.of_request = true;
		list_init(&request->node);
		list_init(&request->key_node);
		request->link = i + 1 < BLOCK_REQUESTS ? request + 1 : ring->free_requests;
	}
	ring->free_requests = first;
	ring->free_count += BLOCK_REQUESTS;
}

struct request *asyncring__request_alloc(struct ring *ring)
{
	struct request *request;

	/* One for each result that has none any more stays here: asyncring__request_of_result. */
	if (ring->free_count <= ring->batch.result_count) {
		refill(ring);
		if (ring->free_count <= ring->batch.result_count)
			return NULL;
	}
	request = ring->free_requests;
	ring->free_requests = request->link;
	ring->free_count--;
	request->link = NULL;
	request->completion.flags = 0;
	request->completion.extra[0] = request->completion.extra[1] = 0;
	request->completion.extended = false;
	request->completion.timeout = false;
	request->state = STATE_SUBMITTER;
	request->file = NULL;
	request->buffer = NULL;
	request->credentials = NULL;
	request->async_data = NULL;
	request->ready_events = 0;
	return request;
}

struct request *asyncring__request_of_result(struct ring *ring, const struct result *result)
{
	struct request *request;

	ring->batch.result_count--;
	request = asyncring__request_alloc(ring);
	request->flags = 0;
	request->completion.user_data = result->user_data;
	request->completion.res = result->res;
	request->completion.flags = result->flags;
	return request;
}

void asyncring__request_free_locked(struct request *request)
{
	struct ring *ring = request->ring;

	request->link = ring->free_requests;
	ring->free_requests = request;
	ring->free_count++;
}

void asyncring__request_free(struct request *request)
{
	struct ring *ring = request->ring;
	struct request *top = atomic_load_explicit(&ring->returned_requests, memory_order_relaxed);

	do {
		request->link = top;
		/* Release, pairs with the acquire in refill. */
	} while (!atomic_compare_exchange_weak_explicit(&ring->returned_requests, &top, request,
							memory_order_release,
							memory_order_relaxed));
}

void asyncring__request_free_all(struct ring *ring)
{
	struct list *node;

	while ((node = list_take_first(&ring->request_blocks)))
		asyncring__free(container_of(node, struct block, node));
	ring->free_requests = ring->spare_request = NULL;
	ring->free_count = 0;
	atomic_store_explicit(&ring->returned_requests, NULL, memory_order_relaxed);
}
