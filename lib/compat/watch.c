/* SPDX-License-Identifier: MIT */
/*
 * Rings that are closed without a word: a liburing that is linked into the program closes them with
 * an instruction of its own. The filter does not catch close(2), for a child that has inherited the
 * filter and not this library would be killed by it. So a thread looks a few times a second whether
 * what were rings' descriptors still are, and ends those that are gone: their requests are taken
 * back, their files closed, and the pool ends with the last of them, as after a close that is seen.
 *
 * Only a program whose ring was set up by a trap has the thread, from then on until it has no ring
 * any more. It may be started by any thread, in the trap's handler, too; `running` is taken by who
 * starts it and given back by itself. It executes nothing of the program's.
 */
#include <pthread.h>
#include <time.h>

#include "../core/core.h"
#include "../core/wait.h"
#include "../engine/thread.h"
#include "preload.h"

enum { LOOK_NS = 200000000 };

/* Sequentially consistent: who sets up a ring does that before it reads this, see nothing_left. */
static _Atomic bool running;
/*
 * The thread is among those of the process. Said by itself, after it has begun (release, pairs with
 * the acquire in watch_is_thread) and until it is about to end (relaxed: too early does not
 * matter).
 */
static _Atomic bool present;

/*
 * No ring is left. One that was set up meanwhile, when the thread still seemed to run, is seen by
 * the second look.
 */
static bool nothing_left(void)
{
	if (asyncring__rings_live())
		return false;
	atomic_store_explicit(&present, false, memory_order_relaxed);
	atomic_store_explicit(&running, false, memory_order_seq_cst);
	if (!asyncring__rings_live() ||
	    atomic_exchange_explicit(&running, true, memory_order_seq_cst))
		return true;
	atomic_store_explicit(&present, true, memory_order_release);
	return false;
}

static void *run(void *argument)
{
	static const struct timespec pause = {.tv_nsec = LOOK_NS};

	(void)argument;
	pthread_detach(pthread_self());
	asyncring__thread_name("iou-watch");
	atomic_store_explicit(&present, true, memory_order_release);
	do {
		sys(SYS_nanosleep, &pause, NULL);
		asyncring__rings_end_closed();
	} while (!nothing_left());
	return NULL;
}

void watch_rings(void)
{
	pthread_t thread;

	asyncring__buffer_rings_unpinned();
	if (atomic_exchange_explicit(&running, true, memory_order_seq_cst))
		return;
	/* Without the thread a closed ring is noticed when its number is used again. */
	if (asyncring__thread_start(&thread, run, NULL))
		atomic_store_explicit(&running, false, memory_order_seq_cst);
}

bool watch_is_thread(void)
{
	return atomic_load_explicit(&present, memory_order_acquire);
}

void watch_after_fork_in_child(void)
{
	atomic_store_explicit(&running, false, memory_order_relaxed);
	atomic_store_explicit(&present, false, memory_order_relaxed);
}
