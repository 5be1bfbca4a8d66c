/* SPDX-License-Identifier: MIT */
/*
 * asyncring_setup() and asyncring_close(): a ring's birth and end.
 *
 * Closing with work outstanding is a normal path (rule 5). What can be taken back is, what runs is
 * interrupted until it ends, calls in progress on the ring are woken and leave; only then the
 * memory goes. Nothing of the application's is touched after asyncring_close() returns.
 */
#include <string.h>

#include <asyncring.h>

#include "../engine/futex_waiter.h"
#include "../engine/kernel_aio.h"
#include "../engine/poller.h"
#include "../engine/pool.h"
#include "../engine/sq_thread.h"
#include "core.h"
#include "credentials.h"
#include "fork.h"
#include "registered_ring.h"
#include "resources.h"
#include "setup.h"
#include "statistics.h"
#include "wait.h"

enum {
	SETUP_FLAGS = ASYNCRING_SETUP_IOPOLL | ASYNCRING_SETUP_SQPOLL | ASYNCRING_SETUP_SQ_AFF |
		      ASYNCRING_SETUP_CQSIZE | ASYNCRING_SETUP_CLAMP | ASYNCRING_SETUP_ATTACH_WQ |
		      ASYNCRING_SETUP_R_DISABLED | ASYNCRING_SETUP_SUBMIT_ALL |
		      ASYNCRING_SETUP_COOP_TASKRUN | ASYNCRING_SETUP_TASKRUN_FLAG |
		      ASYNCRING_SETUP_SQE128 | ASYNCRING_SETUP_CQE32 |
		      ASYNCRING_SETUP_SINGLE_ISSUER | ASYNCRING_SETUP_DEFER_TASKRUN |
		      ASYNCRING_SETUP_NO_MMAP | ASYNCRING_SETUP_REGISTERED_FD_ONLY |
		      ASYNCRING_SETUP_NO_SQARRAY | ASYNCRING_SETUP_HYBRID_IOPOLL |
		      ASYNCRING_SETUP_CQE_MIXED | ASYNCRING_SETUP_SQE_MIXED,
};

/* No bit that a test does not prove. */
#define FEATURES                                                                                   \
	(ASYNCRING_FEAT_SINGLE_MMAP | ASYNCRING_FEAT_NODROP | ASYNCRING_FEAT_SUBMIT_STABLE |       \
	 ASYNCRING_FEAT_RW_CUR_POS | ASYNCRING_FEAT_CUR_PERSONALITY | ASYNCRING_FEAT_FAST_POLL |   \
	 ASYNCRING_FEAT_POLL_32BITS | ASYNCRING_FEAT_SQPOLL_NONFIXED | ASYNCRING_FEAT_EXT_ARG |    \
	 ASYNCRING_FEAT_NATIVE_WORKERS | ASYNCRING_FEAT_RSRC_TAGS | ASYNCRING_FEAT_CQE_SKIP |      \
	 ASYNCRING_FEAT_LINKED_FILE | ASYNCRING_FEAT_REG_REG_RING |                                \
	 ASYNCRING_FEAT_RECVSEND_BUNDLE | ASYNCRING_FEAT_MIN_TIMEOUT | ASYNCRING_FEAT_NO_IOWAIT |  \
	 ASYNCRING_FEAT_USERSPACE)

uint32_t asyncring__setup_features(void)
{
	return FEATURES;
}

uint32_t asyncring__setup_flags(void)
{
	return SETUP_FLAGS;
}

static bool all_set(uint32_t flags, uint32_t wanted)
{
	return (flags & wanted) == wanted;
}

/* Which flags go together. */
static int check_flags(uint32_t flags)
{
	if (flags & ~(uint32_t)SETUP_FLAGS)
		return -EINVAL;
	if (flags & ASYNCRING_SETUP_REGISTERED_FD_ONLY && !(flags & ASYNCRING_SETUP_NO_MMAP))
		return -EINVAL;
	/* An SQ thread completes by itself: nothing is left for the application's thread to run. */
	if (flags & ASYNCRING_SETUP_SQPOLL &&
	    flags & (ASYNCRING_SETUP_COOP_TASKRUN | ASYNCRING_SETUP_TASKRUN_FLAG |
		     ASYNCRING_SETUP_DEFER_TASKRUN))
		return -EINVAL;
	if (flags & ASYNCRING_SETUP_TASKRUN_FLAG &&
	    !(flags & (ASYNCRING_SETUP_COOP_TASKRUN | ASYNCRING_SETUP_DEFER_TASKRUN)))
		return -EINVAL;
	if (flags & ASYNCRING_SETUP_HYBRID_IOPOLL && !(flags & ASYNCRING_SETUP_IOPOLL))
		return -EINVAL;
	if (flags & ASYNCRING_SETUP_DEFER_TASKRUN && !(flags & ASYNCRING_SETUP_SINGLE_ISSUER))
		return -EINVAL;
	if (all_set(flags, ASYNCRING_SETUP_CQE32 | ASYNCRING_SETUP_CQE_MIXED) ||
	    all_set(flags, ASYNCRING_SETUP_SQE128 | ASYNCRING_SETUP_SQE_MIXED))
		return -EINVAL;
	return 0;
}

static int check_params(const struct asyncring_params *params)
{
	for (size_t i = 0; i < sizeof(params->resv) / sizeof(params->resv[0]); i++)
		if (params->resv[i])
			return -EINVAL;
	return check_flags(params->flags);
}

/* Without an SQ thread to share, ATTACH_WQ only has to name a ring: the pool is everyone's. */
static int check_attach(const struct asyncring_params *params)
{
	struct ring *other;
	int error;

	if (!(params->flags & ASYNCRING_SETUP_ATTACH_WQ))
		return 0;
	other = asyncring__ring_get(params->wq_fd, &error);
	if (!other)
		return error == -EBADF ? -ENXIO : -EINVAL;
	asyncring__ring_put(other);
	return 0;
}

/* An epoll set; its number is at least @lowest_fd, if there is such a one to be had. */
static int open_set(int lowest_fd)
{
	int fd = (int)sys(SYS_epoll_create1, EPOLL_CLOEXEC);
	int moved;

	if (fd < 0 || fd >= lowest_fd)
		return fd;
	moved = sys_fcntl(fd, F_DUPFD_CLOEXEC, lowest_fd);
	if (moved < 0)
		return fd;
	sys_close(fd);
	return moved;
}

/* The epoll set with an eventfd inside that notify.c speaks of. */
static int open_descriptors(struct ring *ring, int lowest_fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = ring->cookie};
	int error;

	ring->event_fd =
		asyncring__file_move_up((int)sys(SYS_eventfd2, 0, EFD_CLOEXEC | EFD_NONBLOCK));
	if (ring->event_fd < 0)
		return ring->event_fd;
	if (ring->flags & ASYNCRING_SETUP_REGISTERED_FD_ONLY)
		return 0;
	ring->fd = open_set(lowest_fd);
	if (ring->fd < 0)
		return ring->fd;
	error = (int)sys(SYS_epoll_ctl, ring->fd, EPOLL_CTL_ADD, ring->event_fd, &event);
	return error;
}

/*
 * The last reference goes, unless somebody else has one: from then on nobody gets any. Counted down
 * and not stored, because a reader with a stale pointer may have one for a moment at any time.
 */
static bool take_last_reference(struct ring *ring)
{
	uint32_t one = 1;

	/* Acquire, pairs with the release in asyncring__ring_put: what the others did is over. */
	return atomic_compare_exchange_strong_explicit(&ring->references, &one, 0,
						       memory_order_seq_cst, memory_order_relaxed);
}

/* Undo whatever of a ring there is, and give the structure back; no reference is left. */
static void destroy(struct ring *ring)
{
	bool last;

	if (ring->sq_thread)
		asyncring__sq_thread_release(ring);
	asyncring__resources_release(ring);
	asyncring__files_sweep();
	if (ring->memory)
		asyncring__cq_discard(ring);
	asyncring__pending_release(&ring->pending);
	asyncring__kernel_aio_release(ring);
	asyncring__poller_destroy(ring);
	asyncring__request_free_all(ring);
	asyncring__ring_unmap(ring);
	if (ring->event_fd >= 0)
		sys_close(ring->event_fd);
	asyncring__wait_release(ring);
	last = asyncring__ring_free(ring);
	if (last) {
		asyncring__pool_retire();
		asyncring__attendant_retire();
		asyncring__futex_retire();
	}
}

/* Everything but making the ring known; on failure the caller destroys it. */
static int build(struct ring *ring, unsigned entries, struct asyncring_params *params,
		 int lowest_fd)
{
	int error = asyncring__ring_configure(ring, entries, params);

	if (error)
		return error;
	atomic_store_explicit(&ring->disabled, params->flags & ASYNCRING_SETUP_R_DISABLED,
			      memory_order_relaxed);
	error = check_attach(params);
	if (error)
		return error;
	error = asyncring__ring_map(ring, params);
	if (error)
		return error;
	error = open_descriptors(ring, lowest_fd);
	if (error)
		return error;
	if (ring->flags & ASYNCRING_SETUP_SINGLE_ISSUER &&
	    !(ring->flags & ASYNCRING_SETUP_R_DISABLED))
		ring->owner_thread = asyncring__thread_number();
	/* Relaxed: publishing the ring publishes it. */
	atomic_store_explicit(&ring->direct, !(ring->flags & ASYNCRING_SETUP_SQPOLL),
			      memory_order_relaxed);
	if (ring->flags & ASYNCRING_SETUP_SQPOLL)
		return asyncring__sq_thread_attach(ring, params);
	if (params->flags & ASYNCRING_SETUP_SQ_AFF)
		return -EINVAL;
	return 0;
}

/* The ring gets its number: a descriptor, or an index of the thread's registered rings. */
static int announce(struct ring *ring)
{
	int error;

	if (ring->flags & ASYNCRING_SETUP_REGISTERED_FD_ONLY)
		return asyncring__registered_ring_add(ring);
	error = asyncring__ring_publish(ring, ring->fd);
	/* A ring that was closed unseen may have had the number. */
	asyncring__rings_release_lost();
	return error ? error : ring->fd;
}

int asyncring__setup(unsigned entries, struct asyncring_params *p, int lowest_fd)
{
	struct asyncring_params params;
	struct ring *ring;
	int result;

	if (asyncring__copy_in(&params, (uintptr_t)p, sizeof(params)))
		return -EFAULT;
	result = check_params(&params);
	if (result)
		return result;
	if (!entries)
		return -EINVAL;
	result = asyncring__fork_handlers_install();
	if (result)
		return result;
	ring = asyncring__ring_alloc();
	if (!ring)
		return -ENOMEM;
	result = build(ring, entries, &params, lowest_fd);
	params.features = FEATURES;
	if (!result && asyncring__copy_out((uintptr_t)p, &params, sizeof(params)))
		result = -EFAULT;
	if (!result)
		result = announce(ring);
	if (result >= 0) {
		statistics_count(STATISTIC_RINGS);
		return result;
	}
	if (ring->sq_thread)
		asyncring__sq_thread_detach(ring);
	if (ring->fd >= 0)
		sys_close(ring->fd);
	while (!take_last_reference(ring))
		sys(SYS_sched_yield);
	destroy(ring);
	return result;
}

int asyncring_setup(unsigned entries, struct asyncring_params *p)
{
	return asyncring__setup(entries, p, 0);
}

/* Take back or interrupt everything that is still on its way. */
static void cancel_everything(struct ring *ring)
{
	struct cancel_match everything = {.ring = ring, .flags = CANCEL_EVERYTHING};
	struct list *node;

	ring_lock(ring);
	while ((node = list_take_first(&ring->drained)))
		asyncring__request_abandon(container_of(node, struct request, node), -ECANCELED);
	ring->drained_count = 0;
	asyncring__cancel(&everything);
	asyncring__batch_finish(ring);
	ring_unlock(ring);
}

/* Nobody but the caller knows the ring any more when this returns. */
static void wait_until_alone(struct ring *ring)
{
	/* In case an interruption was lost on its way into a system call: ask again. */
	const struct timespec again = {.tv_nsec = 10000000};
	bool alone = false;

	for (;;) {
		uint32_t sequence =
			atomic_load_explicit(&ring->active_sequence, memory_order_seq_cst);

		/* The calls first: one that is still in progress may yet submit something. */
		alone = alone || take_last_reference(ring);
		if (alone && !atomic_load_explicit(&ring->active, memory_order_seq_cst))
			return;
		/* What the kernel carries out by itself is not taken back, and nobody else drives.
		 */
		if (alone && asyncring__driver_needed(ring))
			asyncring__poller_drive(ring, again.tv_nsec, NULL);
		else if (sys_futex_wait(&ring->active_sequence, sequence, &again) != -ETIMEDOUT)
			continue;
		asyncring__wake_all(ring);
		cancel_everything(ring);
	}
}

/* The child's copies of a parent's ring go; the parent's requests are not touched. */
static void let_go_of_inherited(struct ring *ring)
{
	sys_close(ring->event_fd);
	asyncring__wait_release(ring);
	asyncring__kernel_aio_release(ring);
	asyncring__poller_destroy(ring);
	asyncring__ring_unmap(ring);
}

void asyncring__ring_release_name(struct ring *ring)
{
	if (!asyncring__ring_drop_name(ring))
		return;
	if (ring->inherited) {
		let_go_of_inherited(ring);
		return;
	}
	asyncring__attend_forget(ring);
	asyncring__wake_all(ring);
	if (ring->sq_thread)
		asyncring__sq_thread_detach(ring);
	cancel_everything(ring);
	wait_until_alone(ring);
	destroy(ring);
}

int asyncring_close(int fd)
{
	int error = 0;
	struct ring *ring = asyncring__ring_close_fd(fd, &error);

	if (!ring)
		return error;
	asyncring__ring_release_name(ring);
	return 0;
}
