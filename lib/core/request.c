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

struct block {
	struct list node; /* ring->request_blocks: submit_lock */
	struct request requests[];
};

/* The first is small: most rings never have many requests at a time. */
enum { BLOCK_BYTES_FIRST = 2048, BLOCK_BYTES = 16384 };

/* What other threads have given back goes to the free list, or a new block. */
static void refill(struct ring *ring)
{
	/* Acquire, pairs with the release in asyncring__request_free. */
	struct request *returned =
		atomic_exchange_explicit(&ring->returned_requests, NULL, memory_order_acquire);
	struct block *block;
	size_t bytes, count;

	if (returned) {
		struct request *last = returned;

		for (ring->free_count++; last->link; last = last->link)
			ring->free_count++;
		last->link = ring->free_requests;
		ring->free_requests = returned;
		if (ring->free_count > ring->batch.result_count)
			return;
	}
	bytes = list_empty(&ring->request_blocks) ? BLOCK_BYTES_FIRST : BLOCK_BYTES;
	count = (bytes - sizeof(*block)) / sizeof(struct request);
	block = asyncring__alloc_zeroed(1, bytes);
	if (!block)
		return;
	list_append(&ring->request_blocks, &block->node);
	for (size_t i = 0; i < count; i++) {
		struct request *request = &block->requests[i];

		request->ring = ring;
		request->completion.of_request = true;
		request->link = i + 1 < count ? request + 1 : ring->free_requests;
	}
	ring->free_requests = block->requests;
	ring->free_count += count;
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
	request->completion.extended = false;
	request->completion.large = false;
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
	ring->free_requests = NULL;
	ring->free_count = 0;
	atomic_store_explicit(&ring->returned_requests, NULL, memory_order_relaxed);
}
