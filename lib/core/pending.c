/* SPDX-License-Identifier: MIT */
/*
 * A hash table by user data. It grows with the number of requests; where there is no memory for
 * that it gets slower, nothing else.
 */
#include "pending.h"

#include "../engine/poller.h"
#include "core.h"

void asyncring__pending_init(struct pending *pending)
{
	pending->buckets = pending->few;
	pending->bucket_count = PENDING_FIRST_BUCKETS;
	pending->count = 0;
	for (unsigned i = 0; i < PENDING_FIRST_BUCKETS; i++)
		pending->few[i] = NULL;
}

void asyncring__pending_release(struct pending *pending)
{
	if (pending->buckets != pending->few)
		asyncring__free(pending->buckets);
	asyncring__pending_init(pending);
}

static struct request *request_of(struct list *node)
{
	return container_of(node, struct request, key_node);
}

static struct list **bucket_of(const struct pending *pending, uint64_t user_data)
{
	/* Fibonacci hashing: user data are pointers or small numbers. */
	uint64_t hash = user_data * 0x9e3779b97f4a7c15u;

	return &pending->buckets[(hash >> 32) & (pending->bucket_count - 1)];
}

static void append(struct list **bucket, struct list *node)
{
	if (*bucket) {
		list_append(*bucket, node);
	} else {
		list_init(node);
		*bucket = node;
	}
}

static void take(struct list **bucket, struct list *node)
{
	if (*bucket == node)
		*bucket = list_empty(node) ? NULL : node->next;
	list_remove(node);
}

/* The one behind @node, NULL: it is the last. */
static struct list *next_in(struct list *const *bucket, const struct list *node)
{
	return node->next == *bucket ? NULL : node->next;
}

static void grow(struct pending *pending)
{
	uint32_t old_count = pending->bucket_count;
	struct list **old = pending->buckets;
	struct list **buckets =
		asyncring__alloc_zeroed(2 * (size_t)old_count, sizeof(struct list *));

	if (!buckets)
		return;
	pending->buckets = buckets;
	pending->bucket_count = 2 * old_count;
	for (uint32_t i = 0; i < old_count; i++) {
		struct list *node;

		while ((node = old[i])) {
			take(&old[i], node);
			append(bucket_of(pending, request_of(node)->completion.user_data), node);
		}
	}
	if (old != pending->few)
		asyncring__free(old);
}

void asyncring__pending_add(struct request *request)
{
	struct pending *pending = &request->ring->pending;

	if (++pending->count > 2 * pending->bucket_count)
		grow(pending);
	append(bucket_of(pending, request->completion.user_data), &request->key_node);
}

void asyncring__pending_remove(struct request *request)
{
	struct pending *pending = &request->ring->pending;

	take(bucket_of(pending, request->completion.user_data), &request->key_node);
	pending->count--;
}

struct request *asyncring__pending_find(struct ring *ring, unsigned opcode, uint64_t user_data)
{
	struct list **bucket = bucket_of(&ring->pending, user_data);

	for (struct list *node = *bucket; node; node = next_in(bucket, node)) {
		struct request *request = request_of(node);

		if (request->completion.user_data == user_data && request->opcode == opcode)
			return request;
	}
	return NULL;
}

void asyncring__pending_take_back(struct request *request)
{
	if (request->state == STATE_ARMED)
		asyncring__poller_disarm(request);
	else
		asyncring__request_unpark(request);
	request_set_result(request, -ECANCELED);
	/* Whoever has it taken back completes first. */
	list_append(&request->ring->batch.cancelled, &request->completion.node);
}

static unsigned cancel_in(const struct cancel_match *match, bool all, struct list **bucket,
			  unsigned *counted)
{
	unsigned taken = 0;

	for (struct list *node = *bucket, *following; node; node = following) {
		struct request *request = request_of(node);

		following = next_in(bucket, node);
		if (!asyncring__cancel_matches(match, request))
			continue;
		asyncring__pending_take_back(request);
		if (request->op->properties & OP_CANCEL_COUNTED)
			++*counted;
		taken++;
		if (!all)
			break;
	}
	return taken;
}

unsigned asyncring__pending_cancel(const struct cancel_match *match, bool all, unsigned *counted)
{
	struct pending *pending = &match->ring->pending;
	unsigned taken = 0;

	if (!(match->flags & CANCEL_OTHER_KEYS))
		return cancel_in(match, all, bucket_of(pending, match->user_data), counted);
	for (uint32_t i = 0; i < pending->bucket_count && (all || !taken); i++)
		taken += cancel_in(match, all, &pending->buckets[i], counted);
	return taken;
}
