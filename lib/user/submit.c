/* SPDX-License-Identifier: MIT */
/*
 * Handing entries over: the submission side of a ring. See user.h for what this side may touch.
 */
#include "user.h"

unsigned asyncring__flush_sq(struct asyncring *ring)
{
	struct asyncring_sq *sq = &ring->sq;

	sq->sqe_head = sq->sqe_tail;
	/*
	 * Publishes the entries below the tail; pairs with the acquire load of the tail by whoever
	 * reads them. With a submission thread the store must also come before the load of
	 * NEED_WAKEUP in asyncring__sq_needs_enter(): the thread stores that flag and then loads
	 * the tail, and in one total order of these four (all seq_cst) either it sees the tail or
	 * we see the flag.
	 */
	if (ring->flags & ASYNCRING_SETUP_SQPOLL)
		__atomic_store_n(sq->ktail, sq->sqe_tail, __ATOMIC_SEQ_CST);
	else
		__atomic_store_n(sq->ktail, sq->sqe_tail, __ATOMIC_RELEASE);
	return asyncring_sq_ready(ring);
}

bool asyncring__sq_needs_enter(const struct asyncring *ring, unsigned submit, unsigned *flags)
{
	if (!submit)
		return false;
	if (!(ring->flags & ASYNCRING_SETUP_SQPOLL))
		return true;
	/* Pairs with the store in asyncring__flush_sq(). */
	if (!(__atomic_load_n(ring->sq.kflags, __ATOMIC_SEQ_CST) & ASYNCRING_SQ_NEED_WAKEUP))
		return false;
	*flags |= ASYNCRING_ENTER_SQ_WAKEUP;
	return true;
}

static inline int submit(struct asyncring *ring, unsigned wait_nr, bool get_events)
{
	unsigned submitted, flags;
	bool enter;

	if (!ring)
		return -EFAULT;

	submitted = asyncring__flush_sq(ring);
	flags = user_enter_flags(ring);
	if (get_events || wait_nr || user_cq_needs_enter(ring))
		flags |= ASYNCRING_ENTER_GETEVENTS;
	enter = asyncring__sq_needs_enter(ring, submitted, &flags);
	if (!enter && !(flags & ASYNCRING_ENTER_GETEVENTS))
		return (int)submitted;
	return asyncring_enter((unsigned)ring->enter_ring_fd, submitted, wait_nr, flags, NULL);
}

int asyncring_submit(struct asyncring *ring)
{
	return submit(ring, 0, false);
}

int asyncring_submit_and_wait(struct asyncring *ring, unsigned wait_nr)
{
	return submit(ring, wait_nr, false);
}

int asyncring_submit_and_get_events(struct asyncring *ring)
{
	return submit(ring, 0, true);
}

int asyncring_get_events(const struct asyncring *ring)
{
	if (!ring)
		return -EFAULT;
	return asyncring_enter((unsigned)ring->enter_ring_fd, 0, 0,
			       user_enter_flags(ring) | ASYNCRING_ENTER_GETEVENTS, NULL);
}

int asyncring_sqring_wait(struct asyncring *ring)
{
	if (!ring)
		return -EFAULT;
	if (!(ring->flags & ASYNCRING_SETUP_SQPOLL) || asyncring_sq_space_left(ring))
		return 0;
	return asyncring_enter((unsigned)ring->enter_ring_fd, 0, 0,
			       user_enter_flags(ring) | ASYNCRING_ENTER_SQ_WAIT, NULL);
}
