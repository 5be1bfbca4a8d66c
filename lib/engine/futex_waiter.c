/* SPDX-License-Identifier: MIT */
/*
 * Requests that wait on futexes: starting to wait, waking, taking back. The threads that sleep for
 * them, and all there is to be said of locks and order, are in futex_thread.c.
 */
#include "futex_state.h"

/* ---- starting ---- */

static bool needs_plain_call(const struct futex_waiter *waiter)
{
	return waiter->mask != FUTEX_BITSET_MATCH_ANY || waiter->count > ROOM ||
	       !asyncring__futex_vectors_work();
}

/* The thread with the fewest words that has room, or a new one. Lock held. */
static struct futex_thread *choose_thread(const struct futex_waiter *waiter, bool single)
{
	struct futex_thread *best = NULL, *fresh;
	struct list *node;

	list_for_each (node, &futex.threads) {
		struct futex_thread *thread = container_of(node, struct futex_thread, node);

		if (thread->words + (single ? 0 : waiter->count) > (single ? 0 : ROOM) ||
		    (thread->single && thread->words))
			continue;
		/* It may be held up by the lock that the caller holds. */
		if (thread->completing && futex.count < SHARED_FROM)
			continue;
		if (!best || thread->words < best->words)
			best = thread;
	}
	if (best && (!best->words || futex.count >= SHARED_FROM))
		return best;
	fresh = asyncring__futex_start_thread();
	return fresh ? fresh : best;
}

/*
 * Wait until the waiter sleeps, or need not any more. Not for ever: its thread may complete others
 * of a ring whose lock the caller holds. Lock held, but released meanwhile.
 */
static void wait_until_asleep(const struct futex_waiter *waiter)
{
	enum { ROUNDS = 2000, ROUNDS_COMPLETING = 50 };

	for (unsigned round = 0; round < ROUNDS; round++) {
		if (waiter->over || (waiter->armed && asyncring__futex_asleep(waiter->thread)) ||
		    (waiter->thread->completing && round > ROUNDS_COMPLETING))
			return;
		asyncring__futex_pause(round);
	}
}

bool asyncring__futex_wait(struct futex_waiter *waiter, unsigned issue_flags)
{
	bool single = needs_plain_call(waiter);
	struct futex_thread *thread;

	lock();
	thread = choose_thread(waiter, single);
	if (!thread) {
		unlock();
		return false;
	}
	asyncring__request_detach(waiter->request, issue_flags);
	waiter->thread = thread;
	waiter->armed = waiter->over = false;
	thread->single = single;
	thread->words += waiter->count;
	list_append(&futex.waiters, &waiter->node);
	list_append(&thread->waiters, &waiter->place);
	asyncring__futex_call(thread);
	/* The submitter's reference keeps the request, and with it the waiter. */
	if (issue_flags & ISSUE_NONBLOCK)
		wait_until_asleep(waiter);
	unlock();
	return true;
}

/* ---- waking ---- */

/* Until all who wait on the word sleep, or are seen not to. Lock held, but released meanwhile. */
static void settle(const struct futex_waitv *word)
{
	enum { ROUNDS = 2000 };

	for (unsigned round = 0; round < ROUNDS; round++) {
		bool settled = true;
		struct list *node;

		list_for_each (node, &futex.waiters) {
			struct futex_waiter *waiter = container_of(node, struct futex_waiter, node);

			if (waiter->armed && find_word(waiter, word) >= 0 &&
			    !asyncring__futex_asleep(waiter->thread)) {
				settled = false;
				break;
			}
		}
		if (settled)
			return;
		asyncring__futex_pause(round);
	}
}

/* Those whose thread is not in the kernel at the moment, in order. Lock held. */
static int wake_unarmed(const struct futex_waitv *word, int count, uint32_t mask)
{
	struct list *node, *following;
	int done = 0;

	list_for_each_safe (node, following, &futex.waiters) {
		struct futex_waiter *waiter = container_of(node, struct futex_waiter, node);
		int index = find_word(waiter, word);

		if (done >= count)
			break;
		if (waiter->armed || index < 0 || !(waiter->mask & mask))
			continue;
		asyncring__futex_finish(waiter, waiter->kind == FUTEX_WAIT_ONE ? 0 : index);
		asyncring__futex_call(waiter->thread);
		done++;
	}
	return done;
}

int asyncring__futex_wake(uint64_t address, bool private, uint32_t count, uint32_t mask)
{
	const struct futex_waitv word = {
		.uaddr = address,
		.flags = FUTEX_SIZE_32 | (private ? FUTEX_IS_PRIVATE : 0),
	};
	int result;

	/* Waking nobody, which the older call would take for one, still looks at the address. */
	if (!count)
		return (int)sys(SYS_futex, address, operation(FUTEX_REQUEUE, private), 0, 0,
				address);
	/* As the kernel takes it: it counts up, and compares too late. */
	if (count > INT_MAX)
		count = 1;
	lock();
	settle(&word);
	result = (int)sys(SYS_futex, address, operation(FUTEX_WAKE_BITSET, private), count, NULL,
			  NULL, mask);
	if (result >= 0 && (uint32_t)result < count)
		result += wake_unarmed(&word, (int)count - result, mask);
	unlock();
	return result;
}

/* ---- taking back ---- */

static struct futex_waiter *find_match(const struct cancel_match *match)
{
	struct list *node;

	list_for_each (node, &futex.waiters) {
		struct futex_waiter *waiter = container_of(node, struct futex_waiter, node);

		if (waiter->request->ring == match->ring &&
		    asyncring__cancel_matches(match, waiter->request))
			return waiter;
	}
	return NULL;
}

/* Get @thread out of the kernel, and keep it out: what it was woken for is known then. */
static void recall(struct futex_thread *thread)
{
	thread->recalls++;
	for (unsigned round = 0; thread->armed; round++) {
		if (!round)
			asyncring__futex_call(thread);
		asyncring__futex_pause(round);
	}
}

static void release(struct futex_thread *thread)
{
	if (!--thread->recalls)
		asyncring__futex_call(thread);
}

unsigned asyncring__futex_cancel(const struct cancel_match *match, bool all, struct list *taken)
{
	struct futex_waiter *waiter;
	unsigned count = 0;

	lock();
	while ((all || !count) && (waiter = find_match(match))) {
		struct futex_thread *thread = waiter->thread;
		bool was_armed = waiter->armed;

		if (was_armed)
			recall(thread);
		/* It may have been woken at the last moment, or taken the place of another. */
		waiter = was_armed ? find_match(match) : waiter;
		if (waiter && !waiter->armed) {
			list_remove(&waiter->node);
			list_remove(&waiter->place);
			waiter->thread->words -= waiter->count;
			waiter->request->state = STATE_SUBMITTER;
			list_append(taken, &waiter->request->node);
			count++;
		}
		if (was_armed)
			release(thread);
	}
	unlock();
	return count;
}

/* ---- the end, fork ---- */

void asyncring__futex_retire(void)
{
	struct list left, *node;

	list_init(&left);
	lock();
	futex.retiring++;
	for (;;) {
		uint32_t gone = atomic_load_explicit(&futex.gone, memory_order_relaxed);

		list_for_each (node, &futex.threads)
			asyncring__futex_call(container_of(node, struct futex_thread, node));
		list_move_all(&left, &futex.left);
		/* A ring made in the meantime keeps its threads. */
		if (!futex.count || asyncring__rings_live())
			break;
		unlock();
		sys_futex_wait(&futex.gone, gone, NULL);
		lock();
	}
	futex.retiring--;
	unlock();
	asyncring__futex_join(&left);
}

void asyncring__futex_before_fork(void)
{
	lock();
}

void asyncring__futex_after_fork_parent(void)
{
	unlock();
}

/* The child has no threads, and who waits are the parent's requests. */
void asyncring__futex_after_fork_child(void)
{
	struct list *node;

	list_move_all(&futex.threads, &futex.left);
	while ((node = list_take_first(&futex.threads)))
		asyncring__free(container_of(node, struct futex_thread, node));
	list_init(&futex.waiters);
	futex.count = 0;
	futex.retiring = 0;
	unlock();
}
