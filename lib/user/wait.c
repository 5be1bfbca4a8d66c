/* SPDX-License-Identifier: MIT */
/*
 * Waiting for completions: the part of the completion side that is not inline. See user.h for what
 * this side may touch. One loop serves all forms, those that submit included.
 */
#include "user.h"

/* What a form of waiting asks for. */
struct wait {
	unsigned submit;  /* entries to submit on the way */
	unsigned wait_nr; /* completions to wait for */
	unsigned flags;	  /* ASYNCRING_ENTER_EXT_ARG ... */
	void *arg;
	size_t size;
	bool timed; /* the wait may end for lack of time */
};

/* The size of the kernel's signal mask, which is not that of sigset_t. */
#define SIGNAL_MASK_SIZE (_NSIG / 8)

static int enter(const struct asyncring *ring, const struct wait *wait, unsigned flags)
{
	flags |= user_enter_flags(ring) | wait->flags;
	return asyncring_enter2((unsigned)ring->enter_ring_fd, wait->submit, wait->wait_nr, flags,
				wait->arg, wait->size);
}

/*
 * Waits as @wait says. The first completion, or NULL, goes to @cqe_ptr. Returns the number of
 * entries submitted, or if that is 0 a negative errno; -EAGAIN when there was nothing to wait for.
 */
static int get_cqe(struct asyncring *ring, struct asyncring_cqe **cqe_ptr, struct wait *wait)
{
	struct asyncring_cqe *cqe;
	bool entered = false;
	int submitted = 0, result = 0;

	if (!ring || !cqe_ptr)
		return -EFAULT;

	for (;;) {
		unsigned available, flags = 0;
		bool look = false;

		cqe = asyncring__first_cqe(ring, &available);
		if (!cqe && !wait->wait_nr && !wait->submit) {
			/* Only looking: an enter may bring something, but only the first one. */
			if (entered ||
			    !(user_cq_needs_enter(ring) || asyncring__fd_readable(ring))) {
				result = -EAGAIN;
				break;
			}
			look = true;
		}
		if (wait->wait_nr > available || look)
			flags = ASYNCRING_ENTER_GETEVENTS;
		if (!asyncring__sq_needs_enter(ring, wait->submit, &flags)) {
			/* A submission thread that is awake takes them without us. */
			submitted += (int)wait->submit;
			wait->submit = 0;
			if (!flags)
				break;
		}
		if (entered && wait->timed) {
			/* The time is over, and told to nobody yet if entries were submitted. */
			if (!cqe)
				result = -ETIME;
			break;
		}

		result = enter(ring, wait, flags);
		if (result < 0)
			break;
		submitted += result;
		wait->submit -= (unsigned)result;
		result = 0;
		if (cqe)
			break;
		entered = true;
	}

	*cqe_ptr = cqe;
	return submitted ? submitted : result;
}

static struct asyncring_getevents_arg wait_arg(struct __kernel_timespec *ts, unsigned min_wait_usec,
					       sigset_t *sigmask)
{
	return (struct asyncring_getevents_arg){
		.sigmask = asyncring__pointer(sigmask),
		.sigmask_sz = SIGNAL_MASK_SIZE,
		.min_wait_usec = min_wait_usec,
		.ts = asyncring__pointer(ts),
	};
}

/* get_cqe() with a time limit, a minimal wait and a signal mask, each of which may be absent. */
static int get_cqe_limited(struct asyncring *ring, struct asyncring_cqe **cqe_ptr, unsigned submit,
			   unsigned wait_nr, struct asyncring_getevents_arg *arg)
{
	struct wait wait = {.submit = submit, .wait_nr = wait_nr};

	/* Without all of them it is a plain wait, which spares the other side to read of them. */
	if (arg->ts || arg->min_wait_usec || arg->sigmask) {
		wait.flags = ASYNCRING_ENTER_EXT_ARG;
		wait.arg = arg;
		wait.size = sizeof(*arg);
		wait.timed = arg->ts;
	}
	return get_cqe(ring, cqe_ptr, &wait);
}

int asyncring_wait_cqe_nr(struct asyncring *ring, struct asyncring_cqe **cqe_ptr, unsigned wait_nr)
{
	struct wait wait = {.wait_nr = wait_nr};

	return get_cqe(ring, cqe_ptr, &wait);
}

int asyncring_wait_cqes(struct asyncring *ring, struct asyncring_cqe **cqe_ptr, unsigned wait_nr,
			struct __kernel_timespec *ts, sigset_t *sigmask)
{
	struct asyncring_getevents_arg arg = wait_arg(ts, 0, sigmask);

	return get_cqe_limited(ring, cqe_ptr, 0, wait_nr, &arg);
}

int asyncring_wait_cqes_min_timeout(struct asyncring *ring, struct asyncring_cqe **cqe_ptr,
				    unsigned wait_nr, struct __kernel_timespec *ts,
				    unsigned int min_ts_usec, sigset_t *sigmask)
{
	struct asyncring_getevents_arg arg = wait_arg(ts, min_ts_usec, sigmask);

	if (ring && !(ring->features & ASYNCRING_FEAT_MIN_TIMEOUT))
		return -EINVAL;
	return get_cqe_limited(ring, cqe_ptr, 0, wait_nr, &arg);
}

int asyncring_wait_cqe_timeout(struct asyncring *ring, struct asyncring_cqe **cqe_ptr,
			       struct __kernel_timespec *ts)
{
	return asyncring_wait_cqes(ring, cqe_ptr, 1, ts, NULL);
}

int asyncring_submit_and_wait_timeout(struct asyncring *ring, struct asyncring_cqe **cqe_ptr,
				      unsigned wait_nr, struct __kernel_timespec *ts,
				      sigset_t *sigmask)
{
	struct asyncring_getevents_arg arg = wait_arg(ts, 0, sigmask);

	if (!ring || !cqe_ptr)
		return -EFAULT;
	return get_cqe_limited(ring, cqe_ptr, asyncring__flush_sq(ring), wait_nr, &arg);
}

int asyncring_submit_and_wait_min_timeout(struct asyncring *ring, struct asyncring_cqe **cqe_ptr,
					  unsigned wait_nr, struct __kernel_timespec *ts,
					  unsigned min_wait, sigset_t *sigmask)
{
	struct asyncring_getevents_arg arg = wait_arg(ts, min_wait, sigmask);

	if (!ring || !cqe_ptr)
		return -EFAULT;
	if (!(ring->features & ASYNCRING_FEAT_MIN_TIMEOUT))
		return -EINVAL;
	return get_cqe_limited(ring, cqe_ptr, asyncring__flush_sq(ring), wait_nr, &arg);
}

int asyncring_submit_and_wait_reg(struct asyncring *ring, struct asyncring_cqe **cqe_ptr,
				  unsigned wait_nr, int reg_index)
{
	struct wait wait = {
		.wait_nr = wait_nr,
		.flags = ASYNCRING_ENTER_EXT_ARG | ASYNCRING_ENTER_EXT_ARG_REG,
		/* An offset where others have an address. */
		.arg = (void *)((uintptr_t)reg_index * sizeof(struct asyncring_reg_wait)),
		.size = sizeof(struct asyncring_reg_wait),
		.timed = true,
	};

	if (!ring || !cqe_ptr)
		return -EFAULT;
	wait.submit = asyncring__flush_sq(ring);
	return get_cqe(ring, cqe_ptr, &wait);
}

/*
 * On mixed rings a filler is nothing to hand out, and can only be given back from the head: one
 * that comes first is, one further on ends the batch and comes first next time.
 */
static unsigned collect(struct asyncring *ring, struct asyncring_cqe **cqes, unsigned count)
{
	struct asyncring_cqe *cqe;
	unsigned found = 0, head;

	asyncring_for_each_cqe (ring, head, cqe) {
		bool filler = cqe->flags & ASYNCRING_CQE_F_SKIP;

		if (found == count || (filler && found))
			break;
		if (filler)
			asyncring_cq_advance(ring, asyncring_cqe_nr(cqe));
		else
			cqes[found++] = cqe;
	}
	return found;
}

unsigned asyncring_peek_batch_cqe(struct asyncring *ring, struct asyncring_cqe **cqes,
				  unsigned count)
{
	unsigned found;

	if (!ring || !cqes)
		return 0;
	found = collect(ring, cqes, count);
	if (found || !user_cq_needs_enter(ring))
		return found;
	asyncring_get_events(ring);
	return collect(ring, cqes, count);
}

int asyncring_set_iowait(struct asyncring *ring, bool enable_iowait)
{
	if (!ring)
		return -EFAULT;
	if (!(ring->features & ASYNCRING_FEAT_NO_IOWAIT))
		return -EOPNOTSUPP;
	if (enable_iowait)
		ring->int_flags &= (__u8)~USER_NO_IOWAIT;
	else
		ring->int_flags |= USER_NO_IOWAIT;
	return 0;
}
