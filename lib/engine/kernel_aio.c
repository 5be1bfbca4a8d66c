/* SPDX-License-Identifier: MIT */
/*
 * Requests in the kernel's hands: submitted in batches, their events taken from memory.
 *
 * Submission. Requests are queued in the ring and submitted together, AT_ONCE by one io_submit(2),
 * as many as the context has room for; the rest stays in line until events come. All are submitted
 * with RWF_NOWAIT, so that the submitter does not sleep for what has to be done before the device
 * is asked (allocation of blocks, an inode's lock, tags): such a request comes back with -EAGAIN,
 * mostly from within io_submit, and is a worker's. One that io_submit refuses is a worker's, too:
 * the plain call says what is wrong with it.
 *
 * Completion. Each event is signalled to the eventfd with which the poller is woken, which stands
 * edge-triggered in the poller's set and is never read: so whoever drives the poller wakes up and
 * takes all events there are. They are taken from the context's ring, which the kernel maps into
 * the process, without a system call; io_getevents(2) does it where that memory is not of the
 * layout known here. Events that came before are taken along when something is submitted.
 *
 * Ownership (rule 3). A request is STATE_IN_KERNEL from the time it is queued until its event has
 * been taken. Both are done under submit_lock, and nothing else ends it: io_uring does not take
 * back what the device has been asked for either, and a cancellation does not find it.
 *
 * Contexts. Their sizes together are limited for the whole system (fs.aio-max-nr), so they are
 * small, smaller where little is left, and a ring that gets none leaves its requests to the pool.
 * Taking one down takes the kernel tens of milliseconds: some that are not in use any more are kept
 * for the next rings.
 *
 * fork(). A child has the memory of its parent's contexts, but not the contexts. It can only unmap
 * it, and must not look into it: when the parent takes a context down, or ends, the kernel takes
 * away what is mapped there.
 */
#include "kernel_aio.h"

#include <linux/aio_abi.h>
#include <pthread.h>

#include "../core/core.h"
#include "../core/fork.h"
#include "../core/statistics.h"
#include "poller.h"

enum {
	AT_ONCE = 64,
	/* Requests in flight in one context, all of them together, and the least worth having. */
	CAPACITY_MAX = 256,
	CAPACITY_MIN = 16,
	SPARES_MAX = 16,
	/* Refused in a way that has nothing to do with the request, so often without a success. */
	REFUSALS_MAX = 16,
};

/* What a context's address points to. The kernel writes the tail and events, we the head. */
struct event_ring {
	uint32_t id;
	uint32_t count; /* of events */
	uint32_t head;
	_Atomic uint32_t tail;
	uint32_t magic;
	uint32_t compatible, incompatible; /* features */
	uint32_t header_size;
	struct io_event events[];
};

#define EVENT_RING_MAGIC 0xa10a10a1u

struct context {
	aio_context_t id; /* and the address of its memory; 0: none is to be had */
	unsigned capacity;
	size_t size; /* of its memory, 0: that is not of the known layout */
};

/* Everything: submit_lock. */
struct kernel_aio {
	struct context context;
	unsigned in_flight, queued_count;
	struct list queued; /* request.node */
	bool full;	    /* io_submit had no room, and no event has come since */
	bool works;	    /* a request was taken, ever */
	unsigned refusals;
	bool pending; /* counted in poller.pending */
};

/* The process has no use for trying: a sandbox, or a kernel without. Only ever set; relaxed. */
static _Atomic bool unavailable;

static struct {
	pthread_mutex_t lock;
	struct context contexts[SPARES_MAX];
	unsigned count;
} spares = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- contexts ---- */

static struct event_ring *event_ring(const struct context *context)
{
	return (struct event_ring *)(uintptr_t)context->id;
}

static size_t known_size(const struct context *context)
{
	const struct event_ring *events = event_ring(context);

	if (events->magic != EVENT_RING_MAGIC || events->incompatible ||
	    events->header_size != sizeof(*events) || !events->count)
		return 0;
	return sizeof(*events) + events->count * sizeof(struct io_event);
}

/* In a child, which has nothing but the memory of it. */
static void unmap(const struct context *context)
{
	if (context->size)
		sys_munmap(event_ring(context), context->size);
}

static bool take_spare(struct context *context)
{
	bool found;

	pthread_mutex_lock(&spares.lock);
	found = spares.count;
	if (found)
		*context = spares.contexts[--spares.count];
	pthread_mutex_unlock(&spares.lock);
	return found;
}

static bool keep_as_spare(const struct context *context)
{
	bool kept;

	pthread_mutex_lock(&spares.lock);
	kept = spares.count < SPARES_MAX;
	if (kept)
		spares.contexts[spares.count++] = *context;
	pthread_mutex_unlock(&spares.lock);
	return kept;
}

static void set_up(struct context *context, unsigned wanted)
{
	unsigned capacity = wanted;
	long error;

	do {
		context->capacity = capacity;
		error = sys(SYS_io_setup, capacity, &context->id);
		capacity /= 4;
	} while (error == -EAGAIN && capacity >= CAPACITY_MIN);
	if (!error) {
		context->size = known_size(context);
		return;
	}
	context->id = 0;
	if (error == -EPERM || error == -EACCES || error == -ENOSYS)
		atomic_store_explicit(&unavailable, true, memory_order_relaxed);
}

static struct kernel_aio *make(struct ring *ring)
{
	unsigned wanted = ring->cq_entries < CAPACITY_MAX ? ring->cq_entries : CAPACITY_MAX;
	struct kernel_aio *aio;
	int error = 0;

	if (!asyncring__poller_get(ring, &error))
		return NULL;
	aio = asyncring__alloc_zeroed(1, sizeof(*aio));
	if (!aio)
		return NULL;
	list_init(&aio->queued);
	if (!take_spare(&aio->context))
		set_up(&aio->context, wanted > CAPACITY_MIN ? wanted : CAPACITY_MIN);
	ring->kernel_aio = aio;
	return aio;
}

bool asyncring__kernel_aio_ready(struct ring *ring)
{
	struct kernel_aio *aio = ring->kernel_aio;

	/* Relaxed: what is begun while the ring is being closed is waited for. */
	if (atomic_load_explicit(&ring->closing, memory_order_relaxed) ||
	    atomic_load_explicit(&unavailable, memory_order_relaxed))
		return false;
	if (!aio)
		aio = make(ring);
	return aio && aio->context.id;
}

void asyncring__kernel_aio_release(struct ring *ring)
{
	struct kernel_aio *aio = ring->kernel_aio;

	if (!aio)
		return;
	ring->kernel_aio = NULL;
	if (ring->inherited)
		unmap(&aio->context);
	else if (aio->context.id && !keep_as_spare(&aio->context))
		sys(SYS_io_destroy, aio->context.id);
	asyncring__free(aio);
}

/* ---- submitting ---- */

/* While anything is under way somebody has to drive. */
static void count_pending(struct ring *ring, struct kernel_aio *aio)
{
	bool pending = aio->in_flight || aio->queued_count;

	if (pending == aio->pending)
		return;
	aio->pending = pending;
	if (pending)
		atomic_fetch_add_explicit(&ring_poller(ring)->pending, 1, memory_order_seq_cst);
	else
		atomic_fetch_sub_explicit(&ring_poller(ring)->pending, 1, memory_order_seq_cst);
}

static struct request *take_queued(struct kernel_aio *aio)
{
	struct list *node = list_take_first(&aio->queued);

	if (!node)
		return NULL;
	aio->queued_count--;
	return container_of(node, struct request, node);
}

struct submission {
	struct iocb iocbs[AT_ONCE];
	struct iocb *pointers[AT_ONCE];
	unsigned count;
};

/* The first requests in line. One that is not for the kernel any more, meanwhile, ends it. */
static void describe(const struct ring *ring, const struct kernel_aio *aio,
		     struct submission *submission)
{
	unsigned room = aio->context.capacity - aio->in_flight;
	struct list *node;

	submission->count = 0;
	list_for_each (node, &aio->queued) {
		const struct request *request = container_of(node, struct request, node);
		struct iocb *iocb = &submission->iocbs[submission->count];

		if (submission->count == AT_ONCE || submission->count == room ||
		    !request->op->describe(request, iocb))
			break;
		iocb->aio_data = (uintptr_t)request;
		iocb->aio_fildes = (uint32_t)request_fd(request);
		iocb->aio_flags |= IOCB_FLAG_RESFD;
		iocb->aio_resfd = (uint32_t)ring_poller((struct ring *)ring)->wake_fd;
		submission->pointers[submission->count++] = iocb;
	}
}

/* The first one in line is not the kernel's, which has said @error: somebody else is to do it. */
static void pass_on(struct kernel_aio *aio, long error)
{
	struct request *request = take_queued(aio);

	if (!aio->works && (error == -EINVAL || error == -EPERM || error == -ENOSYS) &&
	    ++aio->refusals >= REFUSALS_MAX)
		atomic_store_explicit(&unavailable, true, memory_order_relaxed);
	asyncring__request_not_taken(request, (int)error);
}

/* As many as one call takes. False: no room is left. */
static bool submit_some(struct ring *ring, struct kernel_aio *aio)
{
	struct submission submission;
	long taken = -EBUSY;

	describe(ring, aio, &submission);
	if (submission.count && !atomic_load_explicit(&unavailable, memory_order_relaxed))
		taken = sys(SYS_io_submit, aio->context.id, submission.count, submission.pointers);
	for (long i = 0; i < taken; i++) {
		take_queued(aio);
		aio->in_flight++;
		aio->works = true;
		statistics_count(STATISTIC_KERNEL_AIO);
	}
	if (taken > 0)
		return true;
	aio->full = taken == -EAGAIN && aio->in_flight;
	if (!aio->full)
		pass_on(aio, taken);
	return !aio->full;
}

static bool has_room(const struct kernel_aio *aio)
{
	return !aio->full && aio->in_flight < aio->context.capacity;
}

static bool closing(const struct ring *ring)
{
	/* Relaxed: who closes the ring comes by here after that, under submit_lock. */
	return atomic_load_explicit(&ring->closing, memory_order_relaxed);
}

bool asyncring__kernel_aio_waiting(const struct ring *ring)
{
	const struct kernel_aio *aio = ring->kernel_aio;

	return aio && aio->queued_count && (has_room(aio) || closing(ring));
}

static void submit_queued(struct ring *ring, struct kernel_aio *aio)
{
	struct request *request;

	if (closing(ring))
		while ((request = take_queued(aio)))
			asyncring__request_abandon(request, -ECANCELED);
	while (aio->queued_count && has_room(aio) && submit_some(ring, aio))
		;
}

void asyncring__kernel_aio_submit(struct ring *ring)
{
	submit_queued(ring, ring->kernel_aio);
	asyncring__kernel_aio_reap(ring, false);
	count_pending(ring, ring->kernel_aio);
}

void asyncring__kernel_aio_queue(struct request *request)
{
	struct ring *ring = request->ring;
	struct kernel_aio *aio = ring->kernel_aio;

	request->state = STATE_IN_KERNEL;
	list_append(&aio->queued, &request->node);
	aio->queued_count++;
	/* The device need not wait for the rest of a large submission. */
	if (aio->queued_count >= AT_ONCE)
		submit_queued(ring, aio);
	/* Perhaps nothing is under way any more: all of it may have been passed on. */
	count_pending(ring, aio);
}

/* ---- events ---- */

static void finish(struct ring *ring, struct kernel_aio *aio, const struct io_event *event,
		   bool asked)
{
	struct request *request = (struct request *)(uintptr_t)event->data;

	aio->in_flight--;
	aio->full = false;
	if (!asked && ring_defers(ring))
		request->flags |= REQ_DEFERRED;
	asyncring__request_transferred(request, event->res);
}

static bool take_from_memory(struct ring *ring, struct kernel_aio *aio, bool asked)
{
	struct event_ring *events = event_ring(&aio->context);
	uint32_t head = events->head, first = head;
	/* Acquire, pairs with the kernel's barrier: the events before the tail are there. */
	uint32_t tail = atomic_load_explicit(&events->tail, memory_order_acquire);

	ring->told_file = NULL;
	while (head != tail) {
		struct io_event event = events->events[head];

		head = head + 1 == events->count ? 0 : head + 1;
		/* Release: the kernel may overwrite the event from now on. */
		__atomic_store_n(&events->head, head, __ATOMIC_RELEASE);
		finish(ring, aio, &event, asked);
	}
	return head != first;
}

static bool take_by_call(struct ring *ring, struct kernel_aio *aio, bool asked)
{
	struct io_event events[AT_ONCE];
	struct timespec at_once = {0};
	long count = sys(SYS_io_getevents, aio->context.id, 0, AT_ONCE, events, &at_once);

	ring->told_file = NULL;
	for (long i = 0; i < count; i++)
		finish(ring, aio, &events[i], asked);
	return count > 0;
}

bool asyncring__kernel_aio_reap(struct ring *ring, bool asked)
{
	struct kernel_aio *aio = ring->kernel_aio;
	bool some = false;

	if (!aio || !aio->in_flight)
		return false;
	if (aio->context.size)
		some = take_from_memory(ring, aio, asked);
	else
		while (take_by_call(ring, aio, asked))
			some = true;
	count_pending(ring, aio);
	return some;
}

/* ---- fork ---- */

void asyncring__kernel_aio_before_fork(void)
{
	pthread_mutex_lock(&spares.lock);
}

void asyncring__kernel_aio_after_fork_parent(void)
{
	pthread_mutex_unlock(&spares.lock);
}

void asyncring__kernel_aio_after_fork_child(void)
{
	while (spares.count)
		unmap(&spares.contexts[--spares.count]);
	pthread_mutex_unlock(&spares.lock);
}
