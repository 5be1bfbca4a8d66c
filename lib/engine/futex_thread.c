/* SPDX-License-Identifier: MIT */
/*
 * Waiting on futexes. To be woken by futex(2) somebody has to sleep in the kernel, so threads sleep
 * there on behalf of requests: futex_waitv(2) lets one of them wait on many words.
 *
 * Sharing. When one word is woken the thread leaves the queues of all its words, and is back only
 * some microseconds later. So the first SHARED_FROM requests get a thread each, which is exact:
 * nobody ever leaves a queue but to complete. Only more of them share threads. Then a word whose
 * value has changed by the time its thread is back is taken to have been woken, because it may have
 * been: waiters on futexes have to bear with wake-ups that mean nothing (futex(2)), but not with
 * losing one that does.
 *
 * Order. Requests that wait on the same word are woken in the order they came, whichever thread
 * the kernel happened to wake: the oldest is completed, and the one whose place in the kernel's
 * queue it was takes over the place of the oldest.
 *
 * A thread's vector:   control | words of its waiters | proof
 * `control` gets it out of its sleep. `proof` is never woken; but requeueing it onto itself tells
 * whether anybody sleeps on it, and as the kernel queues the words in order, whether all are
 * queued. What does not fit in there (a full vector, a mask, a kernel without futex_waitv) has a
 * thread of its own in a plain call, which is interrupted by a signal instead.
 *
 * Locks. futex.lock guards everything; it comes after a ring's submit_lock and before all others.
 * Nothing is completed under it: what is over goes on its thread's list, and the thread completes
 * it with no lock held. Those who wait for a thread, maybe with a submit_lock, therefore never wait
 * for one that is completing.
 */
#include "futex_state.h"
#include "../core/statistics.h"

#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif

struct futex_state futex = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.waiters = {&futex.waiters, &futex.waiters},
	.threads = {&futex.threads, &futex.threads},
	.left = {&futex.left, &futex.left},
};

static long wait_one(const struct futex_waiter *waiter, const struct timespec *until)
{
	const struct futex_waitv *word = &waiter->words[0];

	return sys(SYS_futex, word->uaddr, operation(FUTEX_WAIT_BITSET, is_private(word)),
		   word->val, until, NULL, waiter->mask);
}

static long wait_vector(const struct futex_waitv *vector, unsigned count,
			const struct timespec *until)
{
	return sys(SYS_futex_waitv, vector, count, 0, until, CLOCK_MONOTONIC);
}

/* Kernels before 5.16, emulators and sandboxes lack it. */
bool asyncring__futex_vectors_work(void)
{
	/* Relaxed: nothing but the value itself is handed over; all who ask get the same answer. */
	static _Atomic int known;
	int works = atomic_load_explicit(&known, memory_order_relaxed);

	if (!works) {
		works = wait_vector(NULL, 0, NULL) == -EINVAL ? 1 : -1;
		atomic_store_explicit(&known, works, memory_order_relaxed);
	}
	return works > 0;
}

int asyncring__futex_probe(const struct futex_waiter *waiter)
{
	/* A time that is over: the kernel looks at everything, and does not sleep. */
	const struct timespec past = {0};
	long result;

	do {
		result = waiter->kind == FUTEX_WAIT_ONE
				 ? wait_one(waiter, &past)
				 : wait_vector(waiter->words, waiter->count, &past);
	} while (result == -EINTR);
	return (int)result;
}

/* How many sleep on the word, for one process or all. */
static long sleepers(const struct futex_waitv *word)
{
	return sys(SYS_futex, word->uaddr, operation(FUTEX_REQUEUE, is_private(word)), 0, INT_MAX,
		   word->uaddr);
}

/*
 * In a plain call there is no word of our own to tell: then all of ours who wait on the same word
 * have to sleep. (Others who do may be taken for one of ours.)
 */
bool asyncring__futex_asleep(const struct futex_thread *thread)
{
	const struct futex_waitv *last;
	struct list *node;
	long expected = 0;

	if (!thread->armed)
		return false;
	last = &thread->vector[thread->entries - 1];
	if (!thread->single)
		return sleepers(last) > 0;
	list_for_each (node, &futex.waiters) {
		const struct futex_waiter *waiter = container_of(node, struct futex_waiter, node);

		expected += waiter->armed && find_word(waiter, last) >= 0;
	}
	return sleepers(last) >= expected;
}

/* For those who wait for a thread on its way in or out of the kernel: a little, without the lock.
 */
void asyncring__futex_pause(unsigned round)
{
	const struct timespec moment = {.tv_nsec = 50000};

	unlock();
	if (round < 16)
		sys(SYS_sched_yield);
	else
		sys_ppoll(NULL, 0, &moment, NULL);
	lock();
}

/* ---- waiters; futex.lock held ---- */

/* @thread is to look around. */
void asyncring__futex_call(struct futex_thread *thread)
{
	/* Relaxed: the futex call orders it, and the lock. */
	atomic_fetch_add_explicit(&thread->control, 1, memory_order_relaxed);
	if (thread->single && thread->armed)
		asyncring__interrupt_start(&thread->timer, thread->tid);
	else
		sys(SYS_futex, &thread->control, FUTEX_WAKE_PRIVATE, 1);
}

void asyncring__futex_finish(struct futex_waiter *waiter, int result)
{
	struct futex_thread *thread = waiter->thread;

	list_remove(&waiter->node);
	list_remove(&waiter->place);
	thread->words -= waiter->count;
	waiter->over = true;
	request_set_result(waiter->request, result);
	list_append(&thread->done, &waiter->place);
}

/* Does it make no difference to anybody outside which of the two is woken? */
static bool alike(const struct futex_waiter *one, const struct futex_waiter *other)
{
	return one->kind == FUTEX_WAIT_ONE && other->kind == FUTEX_WAIT_ONE &&
	       one->mask == other->mask && same_word(&one->words[0], &other->words[0]);
}

/* @younger, which is not armed any more, takes the place of @older in the thread and the kernel. */
static void take_place(struct futex_waiter *younger, struct futex_waiter *older)
{
	struct futex_thread *thread = older->thread, *mine = younger->thread;

	list_remove(&younger->place);
	list_append(&older->place, &younger->place); /* before it, in its list */
	list_remove(&older->place);
	/* Also if it is not armed any more: its thread may be going through what was woken. */
	for (unsigned i = 0; i < thread->entries; i++)
		if (thread->owners[i] == older)
			thread->owners[i] = younger;
	younger->thread = thread;
	younger->armed = older->armed;
	older->thread = mine;
	older->armed = false;
	list_append(&mine->waiters, &older->place);
}

/* The word of @waiter was woken for it, and it has left the kernel's queue. */
static void woken(struct futex_waiter *waiter, unsigned index)
{
	struct list *node;

	list_for_each (node, &futex.waiters) {
		struct futex_waiter *oldest = container_of(node, struct futex_waiter, node);

		if (oldest == waiter)
			break;
		if (alike(oldest, waiter)) {
			take_place(waiter, oldest);
			waiter = oldest;
			break;
		}
	}
	asyncring__futex_finish(waiter, waiter->kind == FUTEX_WAIT_ONE ? 0 : (int)index);
}

/* ---- the threads ---- */

/* The next member of a chain starts in the submitter's place: it may wait, or block, elsewhere. */
static void complete(struct request *request)
{
	struct request *next = asyncring__request_put_worker(request);

	if (next)
		asyncring__issue_for_worker(next);
}

/* Lock held, but released meanwhile. */
static void complete_done(struct futex_thread *thread)
{
	struct list done, *node;

	list_init(&done);
	while (!list_empty(&thread->done)) {
		list_move_all(&done, &thread->done);
		thread->completing = true;
		unlock();
		while ((node = list_take_first(&done)))
			complete(container_of(node, struct futex_waiter, place)->request);
		lock();
		thread->completing = false;
	}
}

static void add_entry(struct futex_thread *thread, const struct futex_waitv *word,
		      struct futex_waiter *owner)
{
	thread->owners[thread->entries] = owner;
	thread->vector[thread->entries++] = *word;
}

static void add_own_entry(struct futex_thread *thread, _Atomic uint32_t *word)
{
	const struct futex_waitv entry = {
		.val = atomic_load_explicit(word, memory_order_relaxed),
		.uaddr = (uintptr_t)word,
		.flags = FUTEX_SIZE_32 | FUTEX_IS_PRIVATE,
	};

	add_entry(thread, &entry, NULL);
}

static void arm(struct futex_thread *thread)
{
	struct list *node;

	thread->entries = 0;
	thread->armed = true;
	if (!thread->single)
		add_own_entry(thread, &thread->control);
	list_for_each (node, &thread->waiters) {
		struct futex_waiter *waiter = container_of(node, struct futex_waiter, place);

		waiter->armed = true;
		for (unsigned i = 0; i < waiter->count; i++)
			add_entry(thread, &waiter->words[i], waiter);
	}
	if (!thread->single)
		add_own_entry(thread, &thread->proof);
}

static void disarm(struct futex_thread *thread)
{
	struct list *node;

	asyncring__interrupt_stop(&thread->timer);
	thread->armed = false;
	list_for_each (node, &thread->waiters)
		container_of(node, struct futex_waiter, place)->armed = false;
}

/* Which entry of @waiter's own @entry is; they stand one behind the other. */
static unsigned index_of(const struct futex_thread *thread, unsigned entry)
{
	unsigned first = entry;

	while (first && thread->owners[first - 1] == thread->owners[entry])
		first--;
	return entry - first;
}

/*
 * The kernel tells the last entry of the vector that was woken. Of the same word those before it
 * were woken too, as they were queued earlier.
 */
static void woken_until(struct futex_thread *thread, unsigned entry)
{
	const struct futex_waitv *word = &thread->vector[entry];

	for (unsigned i = 0; i <= entry; i++) {
		struct futex_waiter *waiter = thread->owners[i];

		if (!waiter || waiter->over || !same_word(&thread->vector[i], word))
			continue;
		if (i == entry || waiter->kind == FUTEX_WAIT_ONE)
			woken(waiter, index_of(thread, i));
	}
}

/* The first word that has another value than the waiter expects, or the first of all. */
static int changed_word(const struct futex_waiter *waiter)
{
	for (unsigned i = 0; i < waiter->count; i++) {
		uint32_t value;

		if (!asyncring__copy_in(&value, waiter->words[i].uaddr, sizeof(value)) &&
		    value != waiter->words[i].val)
			return (int)i;
	}
	return 0;
}

/* Something has changed, but the kernel does not tell what. */
static void look_at_all(struct futex_thread *thread)
{
	struct list *node, *following;

	list_for_each_safe (node, following, &thread->waiters) {
		struct futex_waiter *waiter = container_of(node, struct futex_waiter, place);
		int result = asyncring__futex_probe(waiter);

		if (result == -EAGAIN)
			result = changed_word(waiter);
		if (result != -ETIMEDOUT)
			asyncring__futex_finish(waiter, result);
	}
}

/* Lock held, but released while asleep. */
static void wait_armed(struct futex_thread *thread)
{
	const struct futex_waiter *sole;
	bool single = thread->single;
	long result;

	arm(thread);
	sole = container_of(thread->waiters.next, struct futex_waiter, place);
	unlock();
	if (single && sole->kind == FUTEX_WAIT_ONE)
		result = wait_one(sole, NULL);
	else
		result = wait_vector(thread->vector, thread->entries, NULL);
	lock();
	disarm(thread);
	if (result == -EINTR)
		return;
	if (result < 0)
		look_at_all(thread);
	else
		woken_until(thread, (unsigned)result);
}

/* False: it has been idle for long. Lock held, but released while asleep. */
static bool wait_for_work(struct futex_thread *thread)
{
	const struct timespec idle_time = {.tv_sec = IDLE_SECONDS};
	uint32_t seen = atomic_load_explicit(&thread->control, memory_order_relaxed);
	bool idle = list_empty(&thread->waiters) && !thread->recalls;
	int error;

	if (idle && futex.retiring)
		return false;
	unlock();
	error = (int)sys(SYS_futex, &thread->control, FUTEX_WAIT_PRIVATE, seen,
			 idle ? &idle_time : NULL);
	lock();
	return error != -ETIMEDOUT || !list_empty(&thread->waiters) || thread->recalls ||
	       !list_empty(&thread->done);
}

void asyncring__futex_join(struct list *threads)
{
	struct list *node;
	int state;

	/* The application's threads join too, and are not to be cancelled here (hazard H6). */
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	while ((node = list_take_first(threads))) {
		struct futex_thread *thread = container_of(node, struct futex_thread, node);

		pthread_join(thread->handle, NULL);
		asyncring__free(thread);
	}
	pthread_setcancelstate(state, NULL);
}

static void *thread_main(void *argument)
{
	struct futex_thread *thread = argument;
	bool stay = true;
	struct list left;
	char name[16];

	snprintf(name, sizeof(name), "iou-ftx-%d", (int)sys(SYS_getpid));
	sys(SYS_prctl, PR_SET_NAME, name);
	list_init(&left);
	lock();
	thread->tid = (int)sys(SYS_gettid);
	while (stay) {
		if (!list_empty(&thread->done))
			complete_done(thread);
		else if (list_empty(&thread->waiters) || thread->recalls)
			stay = wait_for_work(thread);
		else
			wait_armed(thread);
	}
	/* Its memory and handle are the next one's to clear away. */
	list_remove(&thread->node);
	futex.count--;
	list_move_all(&left, &futex.left);
	list_append(&futex.left, &thread->node);
	atomic_fetch_add_explicit(&futex.gone, 1, memory_order_relaxed);
	unlock();
	sys_futex_wake(&futex.gone, INT_MAX);
	asyncring__futex_join(&left);
	return NULL;
}

/* Lock held. The thread waits for it before it does anything. */
struct futex_thread *asyncring__futex_start_thread(void)
{
	struct futex_thread *thread = asyncring__alloc_zeroed(1, sizeof(*thread));
	sigset_t blocked, saved;
	pthread_attr_t attributes;
	int error, saved_errno = errno;

	if (!thread)
		return NULL;
	thread->timer.id = -1;
	list_init(&thread->waiters);
	list_init(&thread->done);
	asyncring__interrupt_mask(&blocked);
	pthread_sigmask(SIG_SETMASK, &blocked, &saved);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_BYTES);
	error = pthread_create(&thread->handle, &attributes, thread_main, thread);
	/* A program with much thread-local storage needs more stack than that. */
	if (error == EINVAL)
		error = pthread_create(&thread->handle, NULL, thread_main, thread);
	pthread_attr_destroy(&attributes);
	pthread_sigmask(SIG_SETMASK, &saved, NULL);
	errno = saved_errno;
	if (error) {
		asyncring__free(thread);
		return NULL;
	}
	statistics_count(STATISTIC_THREADS);
	list_append(&futex.threads, &thread->node);
	futex.count++;
	return thread;
}
