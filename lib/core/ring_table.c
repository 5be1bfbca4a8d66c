/* SPDX-License-Identifier: MIT */
/*
 * Which ring a descriptor stands for.
 *
 * Looking a ring up happens in every call and takes no lock: the slot of the descriptor's number is
 * read, a reference taken unless the count is already 0, and the slot read again. That is safe
 * because ring structures are never returned to the system: a stale pointer still points to a ring,
 * perhaps another one, and the second look at the slot finds that out.
 *
 * A call that submits takes the ring's submit_lock anyway, and with that it needs no reference, as
 * long as it does nothing else. Whoever tears a ring down clears `direct` first, then takes the
 * lock (to cancel what is on its way), and only then waits for references and requests:
 *
 *     enter                                   tear-down
 *     lock; slot, still direct?               slot empty; closing, not direct
 *     submit; a reference, if more is to do   lock; cancel; unlock
 *     unlock                                  wait for references and requests
 *
 * Who has the lock first is waited for: by the lock, and for what it has left by the counts. Who
 * has it later sees that and touches nothing but the lock. tests/models/enter_locked.pml
 *
 * A descriptor that is not in the table may still be a ring's, by dup(): /proc/self/fdinfo tells of
 * an epoll set what is registered in it and with which data, and each ring's set carries a number
 * of its own there. Such a duplicate is entered in the table once found.
 *
 * A duplicate closed with plain close(2) leaves its slot behind, and the number may stand for
 * anything. So whenever a duplicate is used its epoll set is asked whether the ring's eventfd is
 * inside, a system call that the name which setup gave does not pay; and when any name is closed
 * the ring's others are asked. One that is the ring's no more is dropped. If that was the last one,
 * the ring is lost: it may have been found in the middle of a submission, with locks held, so it is
 * torn down later, by the next setup or close. Who has a thread for it can look for such rings.
 */
#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core.h"
#include "fork.h"
#include "wait.h"

enum { CHUNK_SLOTS = 1024, CHUNKS = 4096 };

struct chunk {
	/* Written under table.lock; read by anybody (acquire, pairs with release in set_slot). */
	_Atomic(struct ring *) slots[CHUNK_SLOTS];
};

static struct {
	pthread_mutex_t lock;
	struct list unused;			/* ring.free_node: lock */
	struct list live;			/* ring.free_node: lock */
	unsigned live_count;			/* lock */
	uint64_t next_cookie;			/* lock */
	_Atomic unsigned lost_count;		/* rings that are lost; lock, a hint without */
	_Atomic(struct chunk *) chunks[CHUNKS]; /* as chunk.slots; never removed */
} table = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.unused = {&table.unused, &table.unused},
	.live = {&table.live, &table.live},
	/* Above any pointer or descriptor that another epoll set is likely to carry as data. */
	.next_cookie = 0xa51c000000000001ull,
};

static _Atomic(struct ring *) *slot_of(unsigned fd)
{
	struct chunk *chunk;

	if (fd >= CHUNK_SLOTS * CHUNKS)
		return NULL;
	chunk = atomic_load_explicit(&table.chunks[fd / CHUNK_SLOTS], memory_order_acquire);
	return chunk ? &chunk->slots[fd % CHUNK_SLOTS] : NULL;
}

/* table.lock held. */
static int set_slot(unsigned fd, struct ring *ring)
{
	_Atomic(struct ring *) *slot = slot_of(fd);

	if (!slot) {
		struct chunk *chunk;

		if (fd >= CHUNK_SLOTS * CHUNKS)
			return -ENOMEM;
		chunk = asyncring__alloc_zeroed(1, sizeof(*chunk));
		if (!chunk)
			return -ENOMEM;
		atomic_store_explicit(&table.chunks[fd / CHUNK_SLOTS], chunk, memory_order_release);
		slot = &chunk->slots[fd % CHUNK_SLOTS];
	}
	atomic_store_explicit(slot, ring, memory_order_release);
	return 0;
}

/* Everything but the lock and what readers of a stale pointer may look at. */
static void reset(struct ring *ring)
{
	/* The lock is for a thread that still comes with a stale pointer (complete.c). */
	ring_lock(ring);
	memset((char *)ring + offsetof(struct ring, flags), 0,
	       sizeof(*ring) - offsetof(struct ring, flags));
	atomic_store_explicit(&ring->active, 0, memory_order_relaxed);
	atomic_store_explicit(&ring->closing, false, memory_order_relaxed);
	atomic_store_explicit(&ring->direct, false, memory_order_relaxed);
	atomic_store_explicit(&ring->drain_active, false, memory_order_relaxed);
	list_init(&ring->request_blocks);
	list_init(&ring->drained);
	list_init(&ring->sq_node);
	list_init(&ring->attended.node);
	list_init(&ring->batch.done);
	list_init(&ring->batch.released);
	list_init(&ring->batch.cancelled);
	asyncring__pending_init(&ring->pending);
	asyncring__count_wait_init(&ring->count_wait);
	atomic_store_explicit(&ring->poller, NULL, memory_order_relaxed);
	list_init(&ring->backlog);
	list_init(&ring->deferred);
	list_init(&ring->fd_waiters);
	for (int i = 0; i < 2; i++) {
		list_init(&ring->queues[i].requests);
		list_init(&ring->queues[i].node);
		ring->queues[i].ring = ring;
	}
	ring->fd = ring->event_fd = -1;
	ring_unlock(ring);
}

/* ---- names that were closed without the library being told ---- */

/*
 * Is @fd a descriptor of @ring's epoll set? Only in that is the ring's eventfd, so only there is
 * there anything to modify, into what it is already. A failure of another kind says nothing.
 */
static bool stands_for(int fd, const struct ring *ring)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = ring->cookie};
	long error = sys(SYS_epoll_ctl, fd, EPOLL_CTL_MOD, ring->event_fd, &event);

	return error != -EBADF && error != -EINVAL && error != -ENOENT;
}

/* The descriptor that setup gave is no name any more: should it come back, it is a duplicate. */
static void forget_original(struct ring *ring, int fd)
{
	/* Relaxed: who compares with it has a reference, and looks at the slot as well. */
	if (atomic_load_explicit(&ring->fd, memory_order_relaxed) == fd)
		atomic_store_explicit(&ring->fd, -1, memory_order_relaxed);
}

/* table.lock held. @fd, whose slot names @ring, is not its any more. */
static void lose_name(int fd, struct ring *ring)
{
	set_slot((unsigned)fd, NULL);
	forget_original(ring, fd);
	if (ring->names > 1 || ring->inherited) {
		ring->names--;
		return;
	}
	ring->lost = true;
	atomic_fetch_add_explicit(&table.lost_count, 1, memory_order_relaxed);
}

/* table.lock held. All names of @ring but @fd. */
static void lose_stale_names(struct ring *ring, int fd)
{
	for (unsigned i = 0; ring->names > 1 && i < CHUNKS; i++) {
		struct chunk *chunk = atomic_load_explicit(&table.chunks[i], memory_order_relaxed);

		for (unsigned j = 0; chunk && j < CHUNK_SLOTS; j++) {
			int other = (int)(i * CHUNK_SLOTS + j);

			if (atomic_load_explicit(&chunk->slots[j], memory_order_relaxed) == ring &&
			    other != fd && !stands_for(other, ring))
				lose_name(other, ring);
		}
	}
}

/* A lost ring; its name is the caller's to drop. */
static struct ring *take_lost(void)
{
	struct ring *found = NULL;
	struct list *node;

	/* Relaxed: a ring that is lost at this moment is for the next call. */
	if (!atomic_load_explicit(&table.lost_count, memory_order_relaxed))
		return NULL;
	pthread_mutex_lock(&table.lock);
	list_for_each (node, &table.live) {
		struct ring *ring = container_of(node, struct ring, free_node);

		if (!ring->lost)
			continue;
		ring->lost = false;
		atomic_fetch_sub_explicit(&table.lost_count, 1, memory_order_relaxed);
		found = ring;
		break;
	}
	pthread_mutex_unlock(&table.lock);
	return found;
}

void asyncring__rings_release_lost(void)
{
	struct ring *ring;

	while ((ring = take_lost()))
		asyncring__ring_release_name(ring);
}

/* ---- rings come and go ---- */

struct ring *asyncring__ring_alloc(void)
{
	struct list *node;
	struct ring *ring;

	asyncring__rings_release_lost();
	pthread_mutex_lock(&table.lock);
	node = list_take_first(&table.unused);
	pthread_mutex_unlock(&table.lock);
	ring = node ? container_of(node, struct ring, free_node)
		    : asyncring__alloc_zeroed(1, sizeof(*ring));
	if (!ring)
		return NULL;
	reset(ring);
	pthread_mutex_lock(&table.lock);
	ring->cookie = table.next_cookie++;
	list_append(&table.live, &ring->free_node);
	table.live_count++;
	pthread_mutex_unlock(&table.lock);
	/* Release, pairs with the acquire in try_get: what was reset is seen with the count. */
	atomic_store_explicit(&ring->references, 1, memory_order_release);
	return ring;
}

bool asyncring__ring_free(struct ring *ring)
{
	bool last;

	pthread_mutex_lock(&table.lock);
	list_remove(&ring->free_node);
	list_append(&table.unused, &ring->free_node);
	last = --table.live_count == 0;
	pthread_mutex_unlock(&table.lock);
	return last;
}

int asyncring__ring_publish(struct ring *ring, int fd)
{
	_Atomic(struct ring *) *slot;
	struct ring *known;
	int error;

	pthread_mutex_lock(&table.lock);
	slot = slot_of((unsigned)fd);
	known = slot ? atomic_load_explicit(slot, memory_order_relaxed) : NULL;
	/* A new descriptor: whatever had the number was closed. */
	if (known)
		lose_name(fd, known);
	error = set_slot((unsigned)fd, ring);
	if (!error)
		ring->names++;
	pthread_mutex_unlock(&table.lock);
	return error;
}

static bool try_get(struct ring *ring)
{
	uint32_t count = atomic_load_explicit(&ring->references, memory_order_relaxed);

	do {
		if (!count)
			return false;
		/* Acquire, pairs with the release in asyncring__ring_alloc. */
	} while (!atomic_compare_exchange_weak_explicit(
		&ring->references, &count, count + 1, memory_order_acquire, memory_order_relaxed));
	return true;
}

void asyncring__ring_hold(struct ring *ring)
{
	/* Relaxed: the caller knows that the ring is there. */
	atomic_fetch_add_explicit(&ring->references, 1, memory_order_relaxed);
}

void asyncring__ring_put(struct ring *ring)
{
	/* Release, pairs with the acquire of the closing thread, which waits for a count of 1. */
	atomic_fetch_sub_explicit(&ring->references, 1, memory_order_seq_cst);
	if (atomic_load_explicit(&ring->closing, memory_order_seq_cst)) {
		atomic_fetch_add_explicit(&ring->active_sequence, 1, memory_order_seq_cst);
		sys_futex_wake(&ring->active_sequence, INT_MAX);
	}
}

/* The number a ring's epoll set carries, or 0 if @fd is no such set. */
static uint64_t cookie_of(unsigned fd)
{
	char path[48], text[512];
	const char *field;
	long length;
	int info;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%u", fd);
	info = (int)sys(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
	if (info < 0)
		return 0;
	length = sys_read(info, text, sizeof(text) - 1);
	sys_close(info);
	if (length <= 0)
		return 0;
	text[length] = '\0';
	field = strstr(text, "data:");
	return field && strstr(text, "tfd:") ? strtoull(field + 5, NULL, 16) : 0;
}

/* table.lock held. */
static struct ring *ring_with_cookie(uint64_t cookie)
{
	struct list *node;

	list_for_each (node, &table.live) {
		struct ring *ring = container_of(node, struct ring, free_node);

		if (ring->cookie == cookie)
			return ring;
	}
	return NULL;
}

/*
 * A duplicate made with dup() becomes a further name of its ring. Whose it is is asked under the
 * lock, which a close holds, too: a descriptor that is on its way out is not taken for a duplicate.
 * True if the slot of @fd is worth another look.
 */
static bool adopt_duplicate(unsigned fd)
{
	_Atomic(struct ring *) *slot;
	struct ring *ring, *known;
	uint64_t cookie;

	pthread_mutex_lock(&table.lock);
	slot = slot_of(fd);
	known = slot ? atomic_load_explicit(slot, memory_order_relaxed) : NULL;
	cookie = cookie_of(fd);
	ring = cookie ? ring_with_cookie(cookie) : NULL;
	/*
	 * Another thread may have been faster: one number is one name. But what is known may also
	 * be a ring whose duplicate was closed without the library being told.
	 */
	if (ring && ring != known && ring->names) {
		if (known)
			lose_name((int)fd, known);
		known = NULL;
		if (!set_slot(fd, ring)) {
			ring->names++;
			known = ring;
		}
	}
	pthread_mutex_unlock(&table.lock);
	return known;
}

/* Is the ring's epoll set still open somewhere, although @ring->fd is closed? */
static bool open_elsewhere(struct ring *ring, int watcher)
{
	struct epoll_event event;
	uint64_t one = 1;

	/* With the eventfd inside made readable the set is ready, if there still is one. */
	sys_write(ring->event_fd, &one, sizeof(one));
	return sys(SYS_epoll_pwait, watcher, &event, 1, 0, NULL, 0) == 1;
}

/* Look through the descriptors of this process for one of @ring. */
static bool adopt_any_duplicate(struct ring *ring)
{
	char entries[2048] __attribute__((aligned(8)));
	bool found = false;
	int directory;
	long length;

	directory = (int)sys(SYS_openat, AT_FDCWD, "/proc/self/fd",
			     O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	if (directory < 0)
		return false;
	while (!found && (length = sys(SYS_getdents64, directory, entries, sizeof(entries))) > 0) {
		for (long at = 0; at < length && !found;) {
			const struct dirent64 *entry = (void *)(entries + at);
			int fd;

			at += entry->d_reclen;
			fd = atoi(entry->d_name);
			/* A request that polls the ring must not keep it alive. */
			if (entry->d_name[0] != '.' && cookie_of((unsigned)fd) == ring->cookie &&
			    !asyncring__file_owns(fd))
				found = adopt_duplicate((unsigned)fd);
		}
	}
	sys_close(directory);
	return found;
}

/*
 * table.lock held. The ring whose name @fd is, closed and out of the table; @watcher, if that works
 * (*watching), has an eye on its epoll set. NULL: no ring's.
 */
static struct ring *close_name(int fd, int watcher, bool *watching)
{
	struct epoll_event event = {.events = EPOLLIN};
	_Atomic(struct ring *) *slot = slot_of((unsigned)fd);
	struct ring *ring = slot ? atomic_load_explicit(slot, memory_order_acquire) : NULL;

	if (!ring)
		return NULL;
	if (!ring->inherited) {
		if (!stands_for(fd, ring)) {
			lose_name(fd, ring);
			return NULL;
		}
		lose_stale_names(ring, fd);
		*watching = watcher >= 0 && !sys(SYS_epoll_ctl, watcher, EPOLL_CTL_ADD, fd, &event);
	}
	/* In one step with the slot: see adopt_duplicate. */
	sys_close(fd);
	set_slot((unsigned)fd, NULL);
	forget_original(ring, fd);
	return ring;
}

/*
 * Whether another process, to which the descriptor was handed down, has it open, does not matter:
 * the requests are this process's. So a set that is open elsewhere is looked for here.
 */
struct ring *asyncring__ring_close_fd(int fd, int *error)
{
	int watcher = (int)sys(SYS_epoll_create1, EPOLL_CLOEXEC);
	_Atomic(struct ring *) *slot = fd >= 0 ? slot_of((unsigned)fd) : NULL;
	struct ring *ring = NULL;
	bool watching = false;

	if (fd >= 0 && !(slot && atomic_load_explicit(slot, memory_order_acquire)))
		adopt_duplicate((unsigned)fd);
	if (fd >= 0) {
		pthread_mutex_lock(&table.lock);
		ring = close_name(fd, watcher, &watching);
		pthread_mutex_unlock(&table.lock);
	}
	/* What open_elsewhere has made readable is to be known as that, or it would stay so. */
	if (watching && open_elsewhere(ring, watcher) && adopt_any_duplicate(ring))
		asyncring__notify_readable(ring);
	if (watcher >= 0)
		sys_close(watcher);
	asyncring__rings_release_lost();
	if (!ring)
		*error = sys_fcntl(fd, F_GETFD, 0) < 0 ? -EBADF : -EOPNOTSUPP;
	return ring;
}

/* A reference to @ring is held: is @fd, whose slot names it, a descriptor of it still? */
static bool is_name(unsigned fd, const struct ring *ring)
{
	return atomic_load_explicit(&ring->fd, memory_order_relaxed) == (int)fd ||
	       stands_for((int)fd, ring);
}

/* As is_name has found out, it is not. But that may have changed without the lock. */
static void drop_stale_name(unsigned fd, struct ring *ring)
{
	pthread_mutex_lock(&table.lock);
	if (atomic_load_explicit(slot_of(fd), memory_order_relaxed) == ring &&
	    !stands_for((int)fd, ring))
		lose_name((int)fd, ring);
	pthread_mutex_unlock(&table.lock);
}

struct ring *asyncring__ring_get(unsigned fd, int *error)
{
	for (;;) {
		_Atomic(struct ring *) *slot = slot_of(fd);
		/* Acquire, pairs with the release in set_slot. */
		struct ring *ring = slot ? atomic_load_explicit(slot, memory_order_acquire) : NULL;

		if (!ring) {
			if (adopt_duplicate(fd))
				continue;
			*error = sys_fcntl((int)fd, F_GETFD, 0) < 0 ? -EBADF : -EOPNOTSUPP;
			return NULL;
		}
		if (ring->inherited) {
			*error = -EEXIST;
			return NULL;
		}
		if (!try_get(ring))
			continue;
		if (atomic_load_explicit(slot, memory_order_acquire) == ring) {
			if (is_name(fd, ring))
				return ring;
			drop_stale_name(fd, ring);
		}
		asyncring__ring_put(ring);
	}
}

struct ring *asyncring__ring_get_locked(unsigned fd)
{
	_Atomic(struct ring *) *slot = slot_of(fd);
	/* Acquire, pairs with the release in set_slot. */
	struct ring *ring = slot ? atomic_load_explicit(slot, memory_order_acquire) : NULL;

	if (!ring || !atomic_load_explicit(&ring->direct, memory_order_relaxed))
		return NULL;
	ring_lock(ring);
	/*
	 * The structure may have become another ring's since, which has got the same number: the
	 * slot again, as above. Relaxed, the others: what is found there was seen by who wrote it,
	 * or by the lock's last holder.
	 */
	if (__builtin_expect(atomic_load_explicit(slot, memory_order_acquire) == ring &&
				     atomic_load_explicit(&ring->fd, memory_order_relaxed) ==
					     (int)fd &&
				     atomic_load_explicit(&ring->direct, memory_order_relaxed),
			     true))
		return ring;
	ring_unlock(ring);
	return NULL;
}

/* A name, in *fd, that is closed, and a reference to its ring. NULL: there is none. */
static struct ring *find_stale_name(unsigned *fd)
{
	struct ring *found = NULL;

	pthread_mutex_lock(&table.lock);
	for (unsigned i = 0; i < CHUNKS && !found; i++) {
		struct chunk *chunk = atomic_load_explicit(&table.chunks[i], memory_order_relaxed);

		for (unsigned j = 0; chunk && j < CHUNK_SLOTS && !found; j++) {
			struct ring *ring =
				atomic_load_explicit(&chunk->slots[j], memory_order_relaxed);

			*fd = i * CHUNK_SLOTS + j;
			if (ring && !ring->inherited && !stands_for((int)*fd, ring) &&
			    try_get(ring))
				found = ring;
		}
	}
	pthread_mutex_unlock(&table.lock);
	return found;
}

void asyncring__rings_end_closed(void)
{
	struct ring *ring;
	unsigned fd;

	while ((ring = find_stale_name(&fd))) {
		/* As at a close that is seen: one that nobody has used yet keeps the ring. */
		adopt_any_duplicate(ring);
		drop_stale_name(fd, ring);
		asyncring__ring_put(ring);
	}
	asyncring__rings_release_lost();
}

void asyncring__ring_replaced(int fd)
{
	_Atomic(struct ring *) *slot = fd >= 0 ? slot_of((unsigned)fd) : NULL;
	struct ring *ring = slot ? atomic_load_explicit(slot, memory_order_acquire) : NULL;

	if (!ring)
		return;
	drop_stale_name((unsigned)fd, ring);
	asyncring__rings_release_lost();
}

bool asyncring__rings_live(void)
{
	bool live;

	pthread_mutex_lock(&table.lock);
	live = table.live_count != 0;
	pthread_mutex_unlock(&table.lock);
	return live;
}

/*
 * Does @fd name a ring; @surely: even if it is the name that setup gave? A name found stale is not
 * dropped here: the caller may be in the middle of a submission.
 */
static bool names_ring(int fd, bool surely)
{
	_Atomic(struct ring *) *slot = fd >= 0 ? slot_of((unsigned)fd) : NULL;
	struct ring *ring = slot ? atomic_load_explicit(slot, memory_order_acquire) : NULL;
	bool is_ring;

	if (!ring || ring->inherited)
		return ring;
	if (!try_get(ring))
		return false;
	is_ring = surely ? stands_for(fd, ring) : is_name((unsigned)fd, ring);
	asyncring__ring_put(ring);
	return is_ring;
}

bool asyncring__ring_is_ring(int fd)
{
	return names_ring(fd, false);
}

bool asyncring__ring_is_behind(int fd)
{
	struct stat status;
	uint64_t cookie;
	bool found;

	if (names_ring(fd, true))
		return true;
	/* An epoll set is a file of no type, as few are: the rest costs no look into /proc. */
	if (sys_fstat(fd, &status) || status.st_mode & S_IFMT)
		return false;
	cookie = cookie_of((unsigned)fd);
	if (!cookie)
		return false;
	pthread_mutex_lock(&table.lock);
	found = ring_with_cookie(cookie) != NULL;
	pthread_mutex_unlock(&table.lock);
	return found;
}

bool asyncring__ring_add_name(struct ring *ring)
{
	bool closing;

	pthread_mutex_lock(&table.lock);
	/* Relaxed: set under the lock. */
	closing = atomic_load_explicit(&ring->closing, memory_order_relaxed);
	if (!closing)
		ring->names++;
	pthread_mutex_unlock(&table.lock);
	return !closing;
}

bool asyncring__ring_drop_name(struct ring *ring)
{
	bool last;

	pthread_mutex_lock(&table.lock);
	last = --ring->names == 0;
	/*
	 * In one step with the last name, so that no new one can come; and before anybody is woken
	 * or cancelled, so that whoever looks afterwards sees it.
	 */
	if (last) {
		atomic_store_explicit(&ring->closing, true, memory_order_seq_cst);
		/* Relaxed: who finds it set waits for the lock, or is waited for. */
		atomic_store_explicit(&ring->direct, false, memory_order_relaxed);
	}
	pthread_mutex_unlock(&table.lock);
	return last;
}

/* ---- fork (fork.c) ---- */

void asyncring__rings_before_fork(void)
{
	pthread_mutex_lock(&table.lock);
}

void asyncring__rings_after_fork_parent(void)
{
	pthread_mutex_unlock(&table.lock);
}

/* In the child: what is inherited stands for the parent's rings and serves no call but close. */
void asyncring__rings_after_fork_child(void)
{
	struct list *node;

	list_for_each (node, &table.live) {
		struct ring *ring = container_of(node, struct ring, free_node);

		ring->inherited = true;
		atomic_store_explicit(&ring->direct, false, memory_order_relaxed);
	}
	/* A thread with a stale pointer (complete.c) may have held one: it is not in the child. */
	list_for_each (node, &table.unused)
		lock_init(&container_of(node, struct ring, free_node)->submit_lock);
	table.live_count = 0;
	atomic_store_explicit(&table.lost_count, 0, memory_order_relaxed);
	list_init(&table.live);
	pthread_mutex_unlock(&table.lock);
}
