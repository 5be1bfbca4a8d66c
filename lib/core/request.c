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

static struct request *refill(struct ring *ring)
{
	/* Acquire, pairs with the release in asyncring__request_free. */
	struct request *returned =
		atomic_exchange_explicit(&ring->returned_requests, NULL, memory_order_acquire);
	struct block *block;
	size_t bytes, count;

	if (returned)
		return returned;
	bytes = list_empty(&ring->request_blocks) ? BLOCK_BYTES_FIRST : BLOCK_BYTES;
	count = (bytes - sizeof(*block)) / sizeof(struct request);
	block = asyncring__alloc_zeroed(1, bytes);
	if (!block)
		return NULL;
	list_append(&ring->request_blocks, &block->node);
	for (size_t i = 0; i < count; i++) {
		struct request *request = &block->requests[i];

		request->ring = ring;
		request->completion.of_request = true;
		request->link = i + 1 < count ? request + 1 : NULL;
	}
	return block->requests;
}

struct request *asyncring__request_alloc(struct ring *ring)
{
	struct request *request = ring->free_requests;

	if (!request) {
		request = refill(ring);
		if (!request)
			return NULL;
	}
	ring->free_requests = request->link;
	request->link = NULL;
	return request;
}

void asyncring__request_free_locked(struct request *request)
{
	struct ring *ring = request->ring;

	request->link = ring->free_requests;
	ring->free_requests = request;
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
	atomic_store_explicit(&ring->returned_requests, NULL, memory_order_relaxed);
}
