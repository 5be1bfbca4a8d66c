/* SPDX-License-Identifier: MIT */
/*
 * What the files of the application side share. This side knows the calls of asyncring.h that
 * stand for the system calls, and the ring memory; nothing else of the library. It makes no system
 * calls of its own but for memory.
 *
 * Concurrency: struct asyncring is used by one thread per side, as asyncring.h tells; there are no
 * locks here. Every access to a word that the other side writes is atomic.
 */
#ifndef ASYNCRING_USER_H
#define ASYNCRING_USER_H

#include <asyncring.h>

/*
 * ring->int_flags. The first two have the values of the flags they stand for in every
 * asyncring_enter() of the ring.
 */
enum user_flag {
	USER_REGISTERED = ASYNCRING_ENTER_REGISTERED_RING, /* enter_ring_fd is an index */
	USER_NO_IOWAIT = ASYNCRING_ENTER_NO_IOWAIT,
	USER_REGISTER_BY_INDEX = 1 << 0, /* register calls use the index, too */
	USER_OWN_MEMORY = 1 << 1,	 /* the NO_MMAP memory is ours to unmap */
	USER_POLL_BY_ENTER = 1 << 2,	 /* completions come only while somebody enters */
	USER_OWN_MAPPINGS = 1 << 3,	 /* made by mmap(2) of the descriptor (lib/compat/) */
};

static inline unsigned user_enter_flags(const struct asyncring *ring)
{
	return ring->int_flags & (USER_REGISTERED | USER_NO_IOWAIT);
}

static inline unsigned user_sq_flags(const struct asyncring *ring)
{
	return __atomic_load_n(ring->sq.kflags, __ATOMIC_RELAXED);
}

/* Are there completions that only an enter brings into the queue? */
static inline bool user_cq_needs_enter(const struct asyncring *ring)
{
	const unsigned reasons = ASYNCRING_SQ_CQ_OVERFLOW | ASYNCRING_SQ_TASKRUN;

	return (ring->int_flags & USER_POLL_BY_ENTER) || (user_sq_flags(ring) & reasons);
}

/* ---- submit.c ---- */

/* Shows the entries handed out so far to the library; returns how many it has not read yet. */
unsigned asyncring__flush_sq(struct asyncring *ring);
/*
 * Is an enter needed for @submit entries to be read? Adds the wake-up of a sleeping submission
 * thread to @flags.
 */
bool asyncring__sq_needs_enter(const struct asyncring *ring, unsigned submit, unsigned *flags);

/* ---- queue.c ---- */

/* Points *@ring, whose flags are set, into the memory that @p tells of; 0 or -EFAULT. */
int asyncring__point(struct asyncring *ring, const struct asyncring_params *p);

/* asyncring_register() for this ring, by whatever it is known. */
int asyncring__register(struct asyncring *ring, unsigned opcode, const void *arg, unsigned nr);

#endif
