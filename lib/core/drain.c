/* SPDX-License-Identifier: MIT */
/*
 * ASYNCRING_SQE_IO_DRAIN: a request that starts only when all submitted before it are complete,
 * and holds back all submitted after it.
 *
 * While a drain is going on, every new chain head goes to the end of ring->drained. The first one
 * there starts when no request is active but those on the list; those behind it follow at once, up
 * to the next that asked for a drain itself. submit_lock guards all of it.
 *
 * A worker that completes the last request a drain waits for must not miss the drain, nor the
 * submitter the completion. Both sides write first and look afterwards, with sequentially
 * consistent operations: the submitter sets drain_active and then reads ring->active, the worker
 * decrements ring->active and then reads drain_active; at least one sees the other.
 */
#include "core.h"

static unsigned chain_length(const struct request *request)
{
	unsigned length = 0;

	for (; request; request = request->link)
		length++;
	return length;
}

bool asyncring__drain_hold(struct request *head)
{
	struct ring *ring = head->ring;

	/* Relaxed: only written under submit_lock, which is held. */
	if (!atomic_load_explicit(&ring->drain_active, memory_order_relaxed))
		return false;
	asyncring__activate_chain(head);
	list_append(&ring->drained, &head->node);
	ring->drained_count += chain_length(head);
	return true;
}

/* Is every active request of @ring on the list of drained ones? */
static bool all_others_complete(struct ring *ring)
{
	return atomic_load_explicit(&ring->active, memory_order_seq_cst) == ring->drained_count &&
	       batch_ended_none(&ring->batch) && list_empty(&ring->batch.released);
}

void asyncring__drain_resume(struct ring *ring)
{
	bool first = true, drain_seen = false;

	while (!list_empty(&ring->drained)) {
		struct request *head = container_of(ring->drained.next, struct request, node);

		drain_seen |= (head->flags & ASYNCRING_SQE_IO_DRAIN) != 0;
		if ((first || drain_seen) && !all_others_complete(ring))
			return;
		list_remove(&head->node);
		ring->drained_count -= chain_length(head);
		first = false;
		/*
		 * What it has waited for may be among the completions that the owner has yet to
		 * ask for, and so may what was held back with it: it comes behind them.
		 */
		if (ring_defers(ring))
			head->flags |= REQ_DEFERRED;
		asyncring__issue_inline(head);
	}
	/* The drained requests themselves still hold back what comes after them. */
	if (all_others_complete(ring))
		atomic_store_explicit(&ring->drain_active, false, memory_order_seq_cst);
}
