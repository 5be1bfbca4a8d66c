/* SPDX-License-Identifier: MIT */
/*
 * asyncring_register(): a table of the register calls, and what is too small for a file of its own:
 * eventfd, probe, enabling, limits of the workers.
 *
 * Each handler checks its own `arg` and `nr_args`; the answers to senseless ones are the kernel's,
 * which are not the same from one call to the next.
 */
#include <asyncring.h>

#include <stdio.h>
#include <string.h>

#include "../engine/pool.h"
#include "../engine/sq_thread.h"
#include "../ops/families.h"
#include "core.h"
#include "region.h"
#include "registered_ring.h"
#include "resources.h"

/* ---- files and buffers ---- */

static int register_buffers(struct ring *ring, uint64_t arg, unsigned count)
{
	return arg ? asyncring__buffers_register(ring, arg, 0, count, false) : -EFAULT;
}

static int unregister_buffers(struct ring *ring, uint64_t arg, unsigned count)
{
	return arg || count ? -EINVAL : asyncring__buffers_unregister(ring);
}

static int register_files(struct ring *ring, uint64_t arg, unsigned count)
{
	return arg ? asyncring__files_register(ring, arg, 0, count, false) : -EFAULT;
}

static int unregister_files(struct ring *ring, uint64_t arg, unsigned count)
{
	return arg || count ? -EINVAL : asyncring__files_unregister(ring);
}

static int files_update(struct ring *ring, uint64_t arg, unsigned count)
{
	struct asyncring_files_update update;
	unsigned end;

	if (!count)
		return -EINVAL;
	if (asyncring__copy_in(&update, arg, sizeof(update)))
		return -EFAULT;
	if (update.resv)
		return -EINVAL;
	if (__builtin_add_overflow(update.offset, count, &end))
		return -EOVERFLOW;
	return asyncring__file_table_update(ring, update.offset, update.fds, 0, count);
}

static int read_rsrc_register(struct asyncring_rsrc_register *rsrc, uint64_t arg, unsigned size)
{
	if (size != sizeof(*rsrc))
		return -EINVAL;
	if (asyncring__copy_in(rsrc, arg, sizeof(*rsrc)))
		return -EFAULT;
	if (!rsrc->nr || rsrc->resv2 || rsrc->flags & ~ASYNCRING_RSRC_REGISTER_SPARSE)
		return -EINVAL;
	if (rsrc->flags & ASYNCRING_RSRC_REGISTER_SPARSE && rsrc->data)
		return -EINVAL;
	return 0;
}

static int register_files2(struct ring *ring, uint64_t arg, unsigned size)
{
	struct asyncring_rsrc_register rsrc;
	int error = read_rsrc_register(&rsrc, arg, size);

	return error ? error
		     : asyncring__files_register(ring, rsrc.data, rsrc.tags, rsrc.nr, !rsrc.data);
}

static int register_buffers2(struct ring *ring, uint64_t arg, unsigned size)
{
	struct asyncring_rsrc_register rsrc;
	int error = read_rsrc_register(&rsrc, arg, size);

	return error ? error
		     : asyncring__buffers_register(ring, rsrc.data, rsrc.tags, rsrc.nr, !rsrc.data);
}

static int read_rsrc_update(struct asyncring_rsrc_update2 *update, uint64_t arg, unsigned size)
{
	unsigned end;

	if (size != sizeof(*update))
		return -EINVAL;
	if (asyncring__copy_in(update, arg, sizeof(*update)))
		return -EFAULT;
	if (!update->nr || update->resv || update->resv2)
		return -EINVAL;
	return __builtin_add_overflow(update->offset, update->nr, &end) ? -EOVERFLOW : 0;
}

static int files_update2(struct ring *ring, uint64_t arg, unsigned size)
{
	struct asyncring_rsrc_update2 update;
	int error = read_rsrc_update(&update, arg, size);

	return error ? error
		     : asyncring__file_table_update(ring, update.offset, update.data, update.tags,
						    update.nr);
}

static int buffers_update(struct ring *ring, uint64_t arg, unsigned size)
{
	struct asyncring_rsrc_update2 update;
	int error = read_rsrc_update(&update, arg, size);

	return error ? error
		     : asyncring__buffers_update(ring, update.offset, update.data, update.tags,
						 update.nr);
}

static int file_alloc_range(struct ring *ring, uint64_t arg, unsigned count)
{
	return !arg || count ? -EINVAL : asyncring__files_alloc_range(ring, arg);
}

static int clone_buffers(struct ring *ring, uint64_t arg, unsigned count)
{
	return !arg || count != 1 ? -EINVAL : asyncring__buffers_clone(ring, arg);
}

static int register_buffer_ring(struct ring *ring, uint64_t arg, unsigned count)
{
	return !arg || count != 1 ? -EINVAL : asyncring__buffer_ring_register(ring, arg);
}

static int unregister_buffer_ring(struct ring *ring, uint64_t arg, unsigned count)
{
	return !arg || count != 1 ? -EINVAL : asyncring__buffer_ring_unregister(ring, arg);
}

static int buffer_ring_status(struct ring *ring, uint64_t arg, unsigned count)
{
	return !arg || count != 1 ? -EINVAL : asyncring__buffer_ring_status(ring, arg);
}

/* ---- eventfd ---- */

static bool is_eventfd(int fd)
{
	char path[48], target[64];
	long length;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	length = sys(SYS_readlinkat, AT_FDCWD, path, target, sizeof(target) - 1);
	/* Without /proc there is no telling; what is no eventfd will refuse the writes. */
	if (length < 0)
		return true;
	target[length] = '\0';
	return strcmp(target, "anon_inode:[eventfd]") == 0;
}

static void set_eventfd(struct ring *ring, struct file *eventfd, bool async)
{
	lock_acquire(&ring->control->cq_lock);
	ring->eventfd = eventfd;
	ring->eventfd_async = async;
	lock_release(&ring->control->cq_lock);
}

static int add_eventfd(struct ring *ring, uint64_t arg, unsigned count, bool async)
{
	struct file *eventfd;
	int fd, error;

	if (count != 1)
		return -EINVAL;
	if (ring->eventfd)
		return -EBUSY;
	if (asyncring__copy_in(&fd, arg, sizeof(fd)))
		return -EFAULT;
	eventfd = asyncring__file_register(fd, &error);
	if (!eventfd)
		return error;
	if (!is_eventfd(eventfd->fd)) {
		asyncring__file_put(eventfd);
		return -EINVAL;
	}
	set_eventfd(ring, eventfd, async);
	return 0;
}

static int register_eventfd(struct ring *ring, uint64_t arg, unsigned count)
{
	return add_eventfd(ring, arg, count, false);
}

static int register_eventfd_async(struct ring *ring, uint64_t arg, unsigned count)
{
	return add_eventfd(ring, arg, count, true);
}

static int unregister_eventfd(struct ring *ring, uint64_t arg, unsigned count)
{
	struct file *eventfd = ring->eventfd;

	if (arg || count)
		return -EINVAL;
	if (!eventfd)
		return -ENXIO;
	set_eventfd(ring, NULL, false);
	/* A poster who is about to signal it has a reference of its own (struct wake). */
	asyncring__file_put(eventfd);
	return 0;
}

/* ---- probe, personality, restrictions, enabling ---- */

static int probe(struct ring *ring, uint64_t arg, unsigned count)
{
	enum { OPS_MAX = 256 };
	union {
		struct asyncring_probe probe;
		unsigned char bytes[sizeof(struct asyncring_probe) +
				    OPS_MAX * sizeof(struct asyncring_probe_op)];
	} answer;
	unsigned known = asyncring__op_count();
	size_t size;

	(void)ring;
	if (!arg || count > OPS_MAX)
		return -EINVAL;
	if (count > known)
		count = known;
	size = sizeof(answer.probe) + count * sizeof(struct asyncring_probe_op);
	if (asyncring__copy_in(&answer, arg, size))
		return -EFAULT;
	for (size_t i = 0; i < size; i++)
		if (answer.bytes[i])
			return -EINVAL;
	answer.probe.last_op = (uint8_t)(known - 1);
	answer.probe.ops_len = (uint8_t)count;
	for (unsigned i = 0; i < count; i++) {
		answer.probe.ops[i].op = (uint8_t)i;
		if (asyncring__op(i))
			answer.probe.ops[i].flags = ASYNCRING_OP_SUPPORTED;
	}
	return asyncring__copy_out(arg, &answer, size);
}

static int register_personality(struct ring *ring, uint64_t arg, unsigned count)
{
	return arg || count ? -EINVAL : asyncring__personality_register(ring);
}

static int unregister_personality(struct ring *ring, uint64_t arg, unsigned id)
{
	return arg ? -EINVAL : asyncring__personality_unregister(ring, id);
}

static int enable_rings(struct ring *ring, uint64_t arg, unsigned count)
{
	if (arg || count)
		return -EINVAL;
	/* Relaxed: written under submit_lock only. */
	if (!atomic_load_explicit(&ring->disabled, memory_order_relaxed))
		return -EBADFD;
	if (ring->flags & ASYNCRING_SETUP_SINGLE_ISSUER && !ring->owner_thread)
		ring->owner_thread = asyncring__thread_number();
	/* Release, pairs with the acquires in enter.c and sq_thread.c. */
	atomic_store_explicit(&ring->disabled, false, memory_order_release);
	if (ring->sq_thread)
		asyncring__sq_thread_wake(ring);
	return 0;
}

/* ---- workers, cancellation, ring descriptors ---- */

/*
 * Which processors the process may use at all (its cpuset) only the kernel knows, and tells only
 * threads that ask for them. So no processor is refused here: workers use those of the mask that
 * they get.
 */
static int iowq_aff(struct ring *ring, uint64_t arg, unsigned size)
{
	unsigned char mask[1024] = {0};

	(void)ring;
	if (!arg || !size)
		return -EINVAL;
	if (size > sizeof(mask))
		size = sizeof(mask);
	if (asyncring__copy_in(mask, arg, size))
		return -EFAULT;
	return asyncring__pool_affinity(mask, sizeof(mask));
}

static int unregister_iowq_aff(struct ring *ring, uint64_t arg, unsigned count)
{
	(void)ring;
	return arg || count ? -EINVAL : asyncring__pool_affinity(NULL, 0);
}

static int iowq_max_workers(struct ring *ring, uint64_t arg, unsigned count)
{
	uint32_t limits[2];

	(void)ring;
	if (!arg || count != 2)
		return -EINVAL;
	if (asyncring__copy_in(limits, arg, sizeof(limits)))
		return -EFAULT;
	if (limits[0] > INT_MAX || limits[1] > INT_MAX)
		return -EINVAL;
	asyncring__pool_limits(limits);
	return asyncring__copy_out(arg, limits, sizeof(limits));
}

static int sync_cancel(struct ring *ring, uint64_t arg, unsigned count)
{
	return !arg || count != 1 ? -EINVAL : asyncring__sync_cancel(ring, arg);
}

static int register_clock(struct ring *ring, uint64_t arg, unsigned count)
{
	struct asyncring_clock_register reg;

	if (!arg || count)
		return -EINVAL;
	if (asyncring__copy_in(&reg, arg, sizeof(reg)))
		return -EFAULT;
	if (reg.__resv[0] || reg.__resv[1] || reg.__resv[2])
		return -EINVAL;
	if (reg.clockid != CLOCK_MONOTONIC && reg.clockid != CLOCK_BOOTTIME)
		return -EINVAL;
	atomic_store_explicit(&ring->boottime, reg.clockid == CLOCK_BOOTTIME, memory_order_relaxed);
	return 0;
}

/* These two are called without a ring. */
static int register_ring_fds(struct ring *ring, uint64_t arg, unsigned count)
{
	(void)ring;
	return asyncring__registered_rings_register(arg, count);
}

static int unregister_ring_fds(struct ring *ring, uint64_t arg, unsigned count)
{
	(void)ring;
	return asyncring__registered_rings_unregister(arg, count);
}

/* ---- the table ---- */

/* How a call is made. */
enum setting {
	LOCKED,	    /* submit_lock is held */
	UNLOCKED,   /* it takes the locks it needs itself */
	STANDALONE, /* without any ring, and without a reference to one: it may close rings */
};

struct registration {
	int (*call)(struct ring *ring, uint64_t arg, unsigned nr_args);
	enum setting setting;
};

static const struct registration registrations[ASYNCRING_REGISTER_LAST] = {
	[ASYNCRING_REGISTER_BUFFERS] = {.call = register_buffers},
	[ASYNCRING_UNREGISTER_BUFFERS] = {.call = unregister_buffers},
	[ASYNCRING_REGISTER_FILES] = {.call = register_files},
	[ASYNCRING_UNREGISTER_FILES] = {.call = unregister_files},
	[ASYNCRING_REGISTER_EVENTFD] = {.call = register_eventfd},
	[ASYNCRING_UNREGISTER_EVENTFD] = {.call = unregister_eventfd},
	[ASYNCRING_REGISTER_FILES_UPDATE] = {.call = files_update},
	[ASYNCRING_REGISTER_EVENTFD_ASYNC] = {.call = register_eventfd_async},
	[ASYNCRING_REGISTER_PROBE] = {.call = probe},
	[ASYNCRING_REGISTER_PERSONALITY] = {.call = register_personality},
	[ASYNCRING_UNREGISTER_PERSONALITY] = {.call = unregister_personality},
	[ASYNCRING_REGISTER_RESTRICTIONS] = {.call = asyncring__restrictions_register},
	[ASYNCRING_REGISTER_ENABLE_RINGS] = {.call = enable_rings},
	[ASYNCRING_REGISTER_FILES2] = {.call = register_files2},
	[ASYNCRING_REGISTER_FILES_UPDATE2] = {.call = files_update2},
	[ASYNCRING_REGISTER_BUFFERS2] = {.call = register_buffers2},
	[ASYNCRING_REGISTER_BUFFERS_UPDATE] = {.call = buffers_update},
	[ASYNCRING_REGISTER_IOWQ_AFF] = {.call = iowq_aff},
	[ASYNCRING_UNREGISTER_IOWQ_AFF] = {.call = unregister_iowq_aff},
	[ASYNCRING_REGISTER_IOWQ_MAX_WORKERS] = {.call = iowq_max_workers},
	[ASYNCRING_REGISTER_RING_FDS] = {.call = register_ring_fds, .setting = STANDALONE},
	[ASYNCRING_UNREGISTER_RING_FDS] = {.call = unregister_ring_fds, .setting = STANDALONE},
	[ASYNCRING_REGISTER_PBUF_RING] = {.call = register_buffer_ring},
	[ASYNCRING_UNREGISTER_PBUF_RING] = {.call = unregister_buffer_ring},
	[ASYNCRING_REGISTER_PBUF_STATUS] = {.call = buffer_ring_status},
	[ASYNCRING_REGISTER_SYNC_CANCEL] = {.call = sync_cancel, .setting = UNLOCKED},
	[ASYNCRING_REGISTER_FILE_ALLOC_RANGE] = {.call = file_alloc_range},
	[ASYNCRING_REGISTER_CLOCK] = {.call = register_clock},
	[ASYNCRING_REGISTER_CLONE_BUFFERS] = {.call = clone_buffers, .setting = UNLOCKED},
	[ASYNCRING_REGISTER_RESIZE_RINGS] = {.call = asyncring__resize},
	[ASYNCRING_REGISTER_MEM_REGION] = {.call = asyncring__region_register},
	[ASYNCRING_REGISTER_QUERY] = {.call = asyncring__query, .setting = STANDALONE},
};

static int check_caller(const struct ring *ring, unsigned opcode)
{
	if (ring->owner_thread && ring->owner_thread != asyncring__thread_number())
		return -EEXIST;
	/* Restrictions hold from the moment the ring is enabled. */
	if (ring->restrictions.registered &&
	    !atomic_load_explicit(&ring->disabled, memory_order_relaxed) &&
	    !(ring->restrictions.register_opcodes & (1ull << opcode)))
		return -EACCES;
	return 0;
}

/* The reference to @ring is put. */
static int call(struct ring *ring, unsigned opcode, uint64_t arg, unsigned nr_args)
{
	const struct registration *registration = &registrations[opcode];
	enum setting setting = registration->setting;
	int result;

	ring_lock(ring);
	result = check_caller(ring, opcode);
	if (!result && !registration->call)
		result = -EINVAL;
	if (!result && setting == LOCKED)
		result = registration->call(ring, arg, nr_args);
	ring_unlock(ring);
	if (!result && setting == UNLOCKED)
		result = registration->call(ring, arg, nr_args);
	asyncring__drive_wanted(ring);
	asyncring__ring_put(ring);
	if (!result && setting == STANDALONE)
		result = registration->call(NULL, arg, nr_args);
	return result;
}

/* A message that comes from no ring. */
static int send_message(uint64_t arg, unsigned count)
{
	struct asyncring_sqe sqe;

	if (!arg || count != 1)
		return -EINVAL;
	if (asyncring__copy_in(&sqe, arg, sizeof(sqe)))
		return -EFAULT;
	return asyncring__msg_ring_send(&sqe);
}

/* The calls that name no ring. */
static int call_without_ring(unsigned opcode, uint64_t arg, unsigned count)
{
	if (opcode == ASYNCRING_REGISTER_SEND_MSG_RING)
		return send_message(arg, count);
	return opcode == ASYNCRING_REGISTER_QUERY ? asyncring__query(NULL, arg, count) : -EINVAL;
}

int asyncring_register(unsigned fd, unsigned opcode, const void *arg, unsigned nr_args)
{
	bool registered = opcode & ASYNCRING_REGISTER_USE_REGISTERED_RING;
	struct ring *ring;
	int result = 0;

	opcode &= ~ASYNCRING_REGISTER_USE_REGISTERED_RING;
	if (opcode >= ASYNCRING_REGISTER_LAST)
		return -EINVAL;
	if (fd == ~0u)
		return call_without_ring(opcode, (uintptr_t)arg, nr_args);
	if (registered)
		ring = asyncring__registered_ring_get(fd, &result);
	else
		ring = asyncring__ring_get(fd, &result);
	if (!ring)
		return result;
	return call(ring, opcode, (uintptr_t)arg, nr_args);
}

void asyncring__resources_release(struct ring *ring)
{
	if (ring->eventfd)
		asyncring__file_put(ring->eventfd);
	ring->eventfd = NULL;
	asyncring__region_release(ring);
	asyncring__files_unregister(ring);
	asyncring__buffers_unregister(ring);
	asyncring__buffer_groups_release(ring);
	for (unsigned i = 0; i < PERSONALITIES_MAX; i++)
		if (ring->personalities[i])
			asyncring__personality_unregister(ring, i + 1);
}
