/* SPDX-License-Identifier: MIT */
/*
 * The completion queue. Everything here is done under control->cq_lock, with one exception
 * (writes_alone); completions come in lists so that a batch costs one round of the lock, one look
 * at the application's head and one store of the tail.
 *
 * No completion is ever lost (rule 10). What does not fit waits in ring->backlog, in order, and
 * while anything waits there newer completions join it. A completion embedded in a request waits
 * in its request, so nothing has to be allocated for it; SQ_CQ_OVERFLOW tells the application.
 *
 * Barriers. The tail is stored with release after the CQEs: pairs with the application's acquire.
 * The application's head is loaded with acquire: pairs with its release after reading a CQE, whose
 * slot may be overwritten from then on.
 */
#include <string.h>

#include "../engine/poller.h"
#include "core.h"
#include "statistics.h"
#include "wait.h"

/* CQEs from the last flush of the tail to now, not yet visible. */
struct cq_writer {
	struct ring *ring;
	uint32_t tail;
	uint32_t room; /* slots */
};

static uint32_t cq_used(const struct ring *ring)
{
	uint32_t head = atomic_load_explicit(&ring->words->cq_head, memory_order_acquire);
	uint32_t used = atomic_load_explicit(&ring->cq_tail, memory_order_relaxed) - head;

	/* A head that makes no sense is the application's own doing: the queue is then full. */
	return used < ring->cq_entries ? used : ring->cq_entries;
}

static inline void writer_begin(struct cq_writer *writer, struct ring *ring)
{
	writer->ring = ring;
	writer->tail = atomic_load_explicit(&ring->cq_tail, memory_order_relaxed);
	writer->room = ring->cq_entries - cq_used(ring);
}

static void writer_commit(struct cq_writer *writer)
{
	struct ring *ring = writer->ring;

	atomic_store_explicit(&ring->cq_tail, writer->tail, memory_order_relaxed);
	atomic_store_explicit(&ring->words->cq_tail, writer->tail, memory_order_release);
}

static struct asyncring_cqe *next_slot(struct cq_writer *writer)
{
	struct ring *ring = writer->ring;
	uint32_t index = writer->tail & (ring->cq_entries - 1);

	return (struct asyncring_cqe *)(void *)(ring->cqes + ((size_t)index << ring->cqe_shift));
}

static void write_cqe(struct asyncring_cqe *cqe, const struct completion *completion)
{
	cqe->user_data = completion->user_data;
	cqe->res = completion->res;
	cqe->flags = completion->flags;
}

static const uint64_t *extra_of(const struct completion *completion)
{
	static const uint64_t none[2];

	if (!completion->large)
		return none;
	if (completion->of_request)
		return request_extra(container_of(completion, struct request, completion));
	return container_of(completion, struct large_completion, completion)->extra;
}

static void write_extra(struct asyncring_cqe *cqe, const struct completion *completion)
{
	memcpy(cqe + 1, extra_of(completion), 2 * sizeof(uint64_t));
}

static void advance(struct cq_writer *writer, uint32_t slots)
{
	writer->tail += slots;
	writer->room -= slots;
}

/*
 * A 32-byte CQE in a ring of mixed sizes: two slots that never wrap around the end. One left there
 * is filled up as soon as it is free, as the kernel does, whether or not the CQE fits behind it.
 */
__attribute__((noinline)) static bool write_extended(struct cq_writer *writer,
						     const struct completion *completion)
{
	static const struct completion filler = {.flags = ASYNCRING_CQE_F_SKIP};
	struct ring *ring = writer->ring;
	struct asyncring_cqe *cqe;

	if (writer->room && (writer->tail & (ring->cq_entries - 1)) == ring->cq_entries - 1) {
		write_cqe(next_slot(writer), &filler);
		advance(writer, 1);
	}
	if (writer->room < 2)
		return false;
	cqe = next_slot(writer);
	write_cqe(cqe, completion);
	cqe->flags |= ASYNCRING_CQE_F_32;
	write_extra(cqe, completion);
	advance(writer, 2);
	return true;
}

/* False if there is no room. */
static inline __attribute__((always_inline)) bool
write_completion(struct cq_writer *writer, const struct completion *completion)
{
	struct asyncring_cqe *cqe;

	if (completion->extended)
		return write_extended(writer, completion);
	if (!writer->room)
		return false;
	cqe = next_slot(writer);
	write_cqe(cqe, completion);
	if (writer->ring->flags & ASYNCRING_SETUP_CQE32)
		write_extra(cqe, completion);
	advance(writer, 1);
	return true;
}

/* write_completion, counted. */
static inline __attribute__((always_inline)) bool write_counted(struct cq_writer *writer,
								const struct completion *completion)
{
	struct ring *ring = writer->ring;

	if (!write_completion(writer, completion))
		return false;
	if (completion->timeout)
		ring->timeouts++;
	else
		asyncring__count_posted(&ring->count_wait, 1);
	return true;
}

static void set_backlog_flag(struct ring *ring, bool on)
{
	/* Relaxed: written under cq_lock; enter() only looks whether there is something to do. */
	if (atomic_load_explicit(&ring->backlogged, memory_order_relaxed) == on)
		return;
	atomic_store_explicit(&ring->backlogged, on, memory_order_relaxed);
	if (on)
		atomic_fetch_or_explicit(&ring->words->sq_flags, ASYNCRING_SQ_CQ_OVERFLOW,
					 memory_order_relaxed);
	else
		atomic_fetch_and_explicit(&ring->words->sq_flags, ~ASYNCRING_SQ_CQ_OVERFLOW,
					  memory_order_relaxed);
}

/* Write what fits of @list; the rest moves to the backlog. cq_lock held. */
static void post_locked(struct ring *ring, struct list *list)
{
	struct list *node, *following;
	struct cq_writer writer;

	writer_begin(&writer, ring);
	if (!list_empty(&ring->backlog))
		writer.room = 0;
	for (node = list->next; node != list; node = following) {
		struct completion *completion = container_of(node, struct completion, node);

		following = node->next;
		if (write_counted(&writer, completion))
			continue;
		writer.room = 0;
		statistics_count(STATISTIC_OVERFLOWS);
		list_remove(node);
		list_append(&ring->backlog, node);
	}
	writer_commit(&writer);
	set_backlog_flag(ring, !list_empty(&ring->backlog));
}

/*
 * Write the results of the batch, in rings whose CQEs are all of one size and have nothing else.
 * How many there was no room for: they are still in the batch. cq_lock held.
 */
static inline __attribute__((always_inline)) unsigned
write_results(struct ring *ring, const struct result *results, unsigned count)
{
	uint32_t tail = atomic_load_explicit(&ring->cq_tail, memory_order_relaxed);
	uint32_t first = tail & (ring->cq_entries - 1);
	uint32_t room = list_empty(&ring->backlog) ? ring->cq_entries - cq_used(ring) : 0;
	uint32_t until_end = ring->cq_entries - first;
	struct result *slots = (struct result *)(void *)ring->cqes;
	unsigned fit = count < room ? count : room;

	if (fit <= until_end)
		memcpy(slots + first, results, fit * sizeof(*results));
	else {
		memcpy(slots + first, results, until_end * sizeof(*results));
		memcpy(slots, results + until_end, (fit - until_end) * sizeof(*results));
	}
	asyncring__count_posted(&ring->count_wait, fit);
	writer_commit(&(struct cq_writer){.ring = ring, .tail = tail + fit});
	return count - fit;
}

/*
 * There was no room for the last @count of @results: they become requests again, which wait for it.
 * Whether there is some by now is not asked, because what does not wait has to be given back.
 * cq_lock and submit_lock held.
 */
__attribute__((noinline)) static void revive(struct ring *ring, const struct result *results,
					     unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct request *request = asyncring__request_of_result(ring, &results[i]);

		statistics_count(STATISTIC_OVERFLOWS);
		list_append(&ring->backlog, &request->completion.node);
	}
	set_backlog_flag(ring, true);
}

/* The results of the batch; cq_lock and submit_lock held. */
static inline __attribute__((always_inline)) void post_results_locked(struct ring *ring)
{
	struct batch *batch = &ring->batch;
	unsigned count = batch->result_count;
	unsigned left = write_results(ring, batch->results, count);

	batch->result_count = left;
	if (__builtin_expect(left, 0))
		revive(ring, batch->results + (count - left), left);
}

/* Move what fits of the backlog into the CQ, and on to @written. cq_lock held. */
static void flush_locked(struct ring *ring, struct list *written)
{
	struct cq_writer writer;

	writer_begin(&writer, ring);
	while (!list_empty(&ring->backlog)) {
		struct list *node = ring->backlog.next;

		if (!write_counted(&writer, container_of(node, struct completion, node)))
			break;
		list_remove(node);
		list_append(written, node);
	}
	writer_commit(&writer);
	set_backlog_flag(ring, !list_empty(&ring->backlog));
}

static void defer_locked(struct ring *ring, struct list *list)
{
	struct list *node;

	while ((node = list_take_first(list))) {
		/* At most: two for a large one, and one to fill up the end of the CQ before it. */
		uint32_t slots = container_of(node, struct completion, node)->extended ? 3 : 1;

		list_append(&ring->deferred, node);
		atomic_fetch_add_explicit(&ring->deferred_slots, slots, memory_order_relaxed);
	}
	if (ring->flags & ASYNCRING_SETUP_TASKRUN_FLAG)
		atomic_fetch_or_explicit(&ring->words->sq_flags, ASYNCRING_SQ_TASKRUN,
					 memory_order_relaxed);
}

void asyncring__cq_post(struct ring *ring, struct list *list, bool async)
{
	struct wake wake;

	lock_acquire(&ring->control->cq_lock);
	if (async && ring_defers(ring))
		defer_locked(ring, list);
	else
		post_locked(ring, list);
	wake = asyncring__wake_prepare(ring);
	lock_release(&ring->control->cq_lock);
	asyncring__wake(ring, &wake);
	asyncring__notify(ring, &wake, async);
}

/* Is there nobody to be told of completions, but by the ring's descriptor? cq_lock held. */
static inline bool nobody_listens(const struct ring *ring)
{
	return !ring->control->waiters && !ring->driver.waits && !ring->eventfd &&
	       list_empty(&ring->fd_waiters) && ring->timeouts == ring->timeouts_told;
}

void asyncring__cq_post_results(struct ring *ring)
{
	struct wake wake;

	lock_acquire(&ring->control->cq_lock);
	post_results_locked(ring);
	if (__builtin_expect(nobody_listens(ring), true)) {
		lock_release(&ring->control->cq_lock);
		asyncring__notify_readable(ring);
		return;
	}
	wake = asyncring__wake_prepare(ring);
	lock_release(&ring->control->cq_lock);
	asyncring__wake(ring, &wake);
	asyncring__notify(ring, &wake, false);
}

void asyncring__cq_post_batch(struct ring *ring, struct list *list)
{
	struct wake wake;

	lock_acquire(&ring->control->cq_lock);
	if (ring->batch.result_count)
		post_results_locked(ring);
	post_locked(ring, list);
	wake = asyncring__wake_prepare(ring);
	lock_release(&ring->control->cq_lock);
	asyncring__wake(ring, &wake);
	asyncring__notify(ring, &wake, false);
}

/* Does what is posted now have to stand behind what the owner has not asked for yet? */
static bool comes_after_deferred(const struct ring *ring)
{
	/* Relaxed: what was deferred before in the same chain the locks in between have shown. */
	return ring_defers(ring) &&
	       (asyncring__thread_number() != ring->owner_thread ||
		atomic_load_explicit(&ring->deferred_slots, memory_order_relaxed));
}

void asyncring__cq_announce(struct ring *ring)
{
	struct wake wake;

	lock_acquire(&ring->control->cq_lock);
	wake = asyncring__wake_prepare(ring);
	lock_release(&ring->control->cq_lock);
	asyncring__wake(ring, &wake);
	asyncring__notify(ring, &wake, false);
}

/* Unless there is no room. cq_lock held, or as writes_alone() says. */
static inline __attribute__((always_inline)) bool post_at_once(struct ring *ring,
							       const struct completion *completion)
{
	struct cq_writer writer;

	if (!list_empty(&ring->backlog))
		return false;
	writer_begin(&writer, ring);
	if (!write_counted(&writer, completion))
		return false;
	writer_commit(&writer);
	return true;
}

/*
 * With DEFER_TASKRUN nobody but the owner writes CQEs, for what others complete is deferred, but
 * for a thread that closes the ring, and that holds submit_lock. So with submit_lock held the owner
 * needs no cq_lock to keep others off. Who else looks at the tail sleeps or is about to wake it,
 * and is told under the lock (cq_announce); timeouts, which end every wait, are counted under it.
 */
static inline bool writes_alone(const struct ring *ring, const struct request *request,
				unsigned issue_flags)
{
	return issue_flags & ISSUE_LOCKED && ring_defers(ring) && !comes_after_deferred(ring) &&
	       !request->completion.timeout;
}

static bool post_more(struct request *request, unsigned issue_flags,
		      const struct completion *completion)
{
	struct ring *ring = request->ring;
	bool posted;

	if (issue_flags & ISSUE_LOCKED && !batch_ended_none(&ring->batch))
		asyncring__batch_post(ring);
	if (comes_after_deferred(ring)) {
		/* And so does the end. */
		request->flags |= REQ_DEFERRED;
		return !asyncring__cq_post_extra(ring, completion, true);
	}
	lock_acquire(&ring->control->cq_lock);
	posted = post_at_once(ring, completion);
	lock_release(&ring->control->cq_lock);
	if (!posted)
		return false;
	if (issue_flags & ISSUE_LOCKED)
		ring->batch.announce = true;
	else
		asyncring__cq_announce(ring);
	return true;
}

/* Not in line: the other way takes a small part of it. */
__attribute__((noinline)) static bool
post_with_others(struct request *request, unsigned issue_flags, int32_t res, uint32_t cqe_flags)
{
	const struct completion completion = {
		.user_data = request->completion.user_data,
		.res = res,
		.flags = cqe_flags,
		.timeout = request->completion.timeout,
	};

	return post_more(request, issue_flags, &completion);
}

bool asyncring__request_post(struct request *request, unsigned issue_flags, int32_t res,
			     uint32_t cqe_flags)
{
	struct ring *ring = request->ring;
	const struct completion completion = {
		.user_data = request->completion.user_data,
		.res = res,
		.flags = cqe_flags | ASYNCRING_CQE_F_MORE,
	};

	if (!writes_alone(ring, request, issue_flags) || !batch_ended_none(&ring->batch))
		return post_with_others(request, issue_flags, res, completion.flags);
	if (!post_at_once(ring, &completion))
		return false;
	ring->batch.announce = true;
	return true;
}

bool asyncring__request_post_large(struct request *request, unsigned issue_flags)
{
	struct large_completion large = {.completion = request->completion};

	large.completion.flags |= ASYNCRING_CQE_F_MORE;
	large.completion.of_request = false;
	memcpy(large.extra, extra_of(&request->completion), sizeof(large.extra));
	return post_more(request, issue_flags, &large.completion);
}

/* An extra completion owns its memory; a request's goes back to the free list. */
static void recycle(struct completion *completion)
{
	if (completion->of_request)
		asyncring__request_free(request_of_completion(completion));
	else
		asyncring__free(completion);
}

/*
 * Completions were posted outside of the ring's own batches: those of its requests that count them
 * go on with the next batch, and if their number is reached that is the driver's (they have timers,
 * so there is one, or the owner will be).
 */
static void tell_counted(struct ring *ring)
{
	if (asyncring__count_reached(&ring->count_wait))
		asyncring__poller_wake(ring_poller(ring));
}

void asyncring__cq_post_owned(struct ring *ring, struct completion *completion, bool async)
{
	struct list list;

	completion->of_request = false;
	list_init(&list);
	list_append(&list, &completion->node);
	asyncring__cq_post(ring, &list, async);
	if (!list_empty(&list))
		asyncring__free(completion);
	tell_counted(ring);
}

struct completion *asyncring__tag_new(uint64_t user_data)
{
	struct completion *tag = asyncring__alloc_zeroed(1, sizeof(*tag));

	if (tag)
		tag->user_data = user_data;
	return tag;
}

int asyncring__cq_post_extra(struct ring *ring, const struct completion *from, bool async)
{
	size_t size = from->large ? sizeof(struct large_completion) : sizeof(*from);
	struct completion *completion = asyncring__alloc(size);

	if (!completion)
		return -ENOMEM;
	memcpy(completion, from, size);
	asyncring__cq_post_owned(ring, completion, async);
	return 0;
}

void asyncring__cq_flush(struct ring *ring, bool owner)
{
	struct list written, *node;
	struct wake wake = {0};

	list_init(&written);
	lock_acquire(&ring->control->cq_lock);
	if (owner && !list_empty(&ring->deferred)) {
		list_move_all(&ring->backlog, &ring->deferred);
		atomic_store_explicit(&ring->deferred_slots, 0, memory_order_relaxed);
		atomic_fetch_and_explicit(&ring->words->sq_flags, ~ASYNCRING_SQ_TASKRUN,
					  memory_order_relaxed);
	}
	flush_locked(ring, &written);
	if (!list_empty(&written))
		wake = asyncring__wake_prepare(ring);
	lock_release(&ring->control->cq_lock);
	if (list_empty(&written))
		return;
	asyncring__wake(ring, &wake);
	asyncring__notify(ring, &wake, false);
	while ((node = list_take_first(&written)))
		recycle(container_of(node, struct completion, node));
	/* What waited for room, or for the owner, is counted only now. */
	if (asyncring__count_reached(&ring->count_wait)) {
		ring_lock(ring);
		asyncring__batch_finish(ring);
		ring_unlock(ring);
	}
}

/* For a ring that is going away: nobody will see these. */
void asyncring__cq_discard(struct ring *ring)
{
	struct list dropped, *node;

	list_init(&dropped);
	lock_acquire(&ring->control->cq_lock);
	list_move_all(&dropped, &ring->backlog);
	list_move_all(&dropped, &ring->deferred);
	atomic_store_explicit(&ring->deferred_slots, 0, memory_order_relaxed);
	lock_release(&ring->control->cq_lock);
	while ((node = list_take_first(&dropped)))
		recycle(container_of(node, struct completion, node));
}
