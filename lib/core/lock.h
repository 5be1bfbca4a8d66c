/* SPDX-License-Identifier: MIT */
/*
 * A mutex of one word that may lie in memory shared between processes (no pointers, not private).
 * It guards the completion queue, which is locked once for each batch of completions: its
 * uncontended cost is one exchange on either side.
 *
 * Word: 0 free, 1 held, 2 held and somebody may sleep (Drepper, "Futexes are tricky", third mutex).
 */
#ifndef ASYNCRING__LOCK_H
#define ASYNCRING__LOCK_H

#include <stdatomic.h>

#include "../sys.h"

struct lock {
	_Atomic uint32_t word;
};

static inline bool lock_try(struct lock *lock)
{
	uint32_t seen = 0;

	/* Acquire, pairs with the release in lock_release. */
	return atomic_compare_exchange_strong_explicit(&lock->word, &seen, 1, memory_order_acquire,
						       memory_order_relaxed);
}

static inline void lock_acquire(struct lock *lock)
{
	if (lock_try(lock))
		return;
	while (atomic_exchange_explicit(&lock->word, 2, memory_order_acquire) != 0)
		sys_futex_wait(&lock->word, 2, NULL);
}

static inline void lock_release(struct lock *lock)
{
	/* Release, pairs with the acquires in lock_acquire. */
	if (atomic_exchange_explicit(&lock->word, 0, memory_order_release) == 2)
		sys_futex_wake(&lock->word, 1);
}

#endif
