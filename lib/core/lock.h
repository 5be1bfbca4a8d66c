/* SPDX-License-Identifier: MIT */
/*
 * A mutex of one word that may lie in memory shared between processes (no pointers, not private).
 * It guards a ring's submission, locked once for each call, and its completion queue, locked once
 * for each batch of completions: its uncontended cost is one exchange on either side.
 *
 * Word: 0 free, 1 held, 2 held and somebody may sleep (Drepper, "Futexes are tricky", third mutex).
 *
 * In a process that has one thread not even that: plain loads and stores will do, as they do for
 * the C library's own mutexes, which ask the same variable. It changes in pthread_create(), before
 * there is another thread, and perhaps back when there is none any more; either may happen while
 * the lock is held, and whoever comes then sees the word that the only thread has stored. (Were a
 * lock really shared with another process, this would have to go.)
 */
#ifndef ASYNCRING__LOCK_H
#define ASYNCRING__LOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#ifdef __GLIBC__
#if __GLIBC_PREREQ(2, 32)
#include <sys/single_threaded.h>
#define LOCK_KNOWS_SINGLE_THREAD
#endif
#endif

#include "../sys.h"

struct lock {
	_Atomic uint32_t word;
};

static inline void lock_init(struct lock *lock)
{
	atomic_store_explicit(&lock->word, 0, memory_order_relaxed);
}

static inline bool lock_is_unrivalled(void)
{
#ifdef LOCK_KNOWS_SINGLE_THREAD
	return __libc_single_threaded;
#else
	return false;
#endif
}

static inline bool lock_try(struct lock *lock)
{
	uint32_t seen = 0;

	if (lock_is_unrivalled()) {
		if (atomic_load_explicit(&lock->word, memory_order_relaxed))
			return false;
		atomic_store_explicit(&lock->word, 1, memory_order_relaxed);
		return true;
	}
	/* Acquire, pairs with the release in lock_release. */
	return atomic_compare_exchange_strong_explicit(&lock->word, &seen, 1, memory_order_acquire,
						       memory_order_relaxed);
}

static inline void lock_acquire(struct lock *lock)
{
	if (__builtin_expect(lock_try(lock), true))
		return;
	while (atomic_exchange_explicit(&lock->word, 2, memory_order_acquire) != 0)
		sys_futex_wait(&lock->word, 2, NULL);
}

static inline void lock_release(struct lock *lock)
{
	if (lock_is_unrivalled()) {
		/* Release, as below: for threads that are yet to come. */
		atomic_store_explicit(&lock->word, 0, memory_order_release);
		return;
	}
	/* Release, pairs with the acquires in lock_acquire. */
	if (atomic_exchange_explicit(&lock->word, 0, memory_order_release) == 2)
		sys_futex_wake(&lock->word, 1);
}

#endif
