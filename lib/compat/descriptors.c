/* SPDX-License-Identifier: MIT */
/*
 * Descriptors of rings: closing them, and sleeping for them.
 *
 * A ring ends with its last descriptor, so closing one through libc is followed. What a program
 * closes with an instruction of its own is noticed when the number is used again. A vfork's child
 * shares the memory but not the descriptors: what it closes is closed for itself alone.
 *
 * The library makes a ring's descriptor unreadable when an application has found the queue empty
 * and says so. Programs written for the kernel do not say so. But before they sleep for descriptors
 * they have taken what there was, and that is when it is looked at.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <unistd.h>

#include "../core/core.h"
#include "../core/wait.h"
#include "preload.h"

/* ---- which are rings' ---- */

enum { WORD_BITS = 64, RINGS_MAX = 65536 };

/*
 * A bit for each descriptor that may be a ring's; a hint, which the core's table decides on. Rings
 * with larger numbers are served as well, only that nobody looks after their readability.
 * Looks are relaxed: whoever has the number of a descriptor has got it in an orderly way. Setting
 * releases and clearing acquires, so that who clears a bit sees the ring it was set for.
 */
static _Atomic uint64_t may_be_ring[RINGS_MAX / WORD_BITS];
/* From 0 to here there may be one; never goes down. Relaxed, as above. */
static _Atomic unsigned words_used;

void descriptors_add_ring(int fd)
{
	unsigned word = (unsigned)fd / WORD_BITS, used;

	if ((unsigned)fd >= RINGS_MAX)
		return;
	atomic_fetch_or_explicit(&may_be_ring[word], UINT64_C(1) << fd % WORD_BITS,
				 memory_order_release);
	used = atomic_load_explicit(&words_used, memory_order_relaxed);
	while (used <= word &&
	       !atomic_compare_exchange_weak_explicit(&words_used, &used, word + 1,
						      memory_order_relaxed, memory_order_relaxed))
		;
}

static void forget(int fd)
{
	if ((unsigned)fd < RINGS_MAX)
		atomic_fetch_and_explicit(&may_be_ring[fd / WORD_BITS],
					  ~(UINT64_C(1) << fd % WORD_BITS), memory_order_acquire);
}

/* Call @visit for each descriptor from @first to @last that may be a ring's. */
static void for_each_ring(unsigned first, unsigned last, void (*visit)(int fd))
{
	unsigned used = atomic_load_explicit(&words_used, memory_order_relaxed);

	for (unsigned word = first / WORD_BITS; word < used && word <= last / WORD_BITS; word++) {
		uint64_t bits = atomic_load_explicit(&may_be_ring[word], memory_order_relaxed);

		for (; bits; bits &= bits - 1) {
			unsigned fd = word * WORD_BITS + (unsigned)__builtin_ctzll(bits);

			if (fd >= first && fd <= last)
				visit((int)fd);
		}
	}
}

/* ---- closing ---- */

/* The child of a vfork has the parent's memory, but is another process. */
static bool in_vforked_child(void)
{
	return sys(SYS_getpid) != preload_pid();
}

bool descriptors_close_ring(int fd, int *result)
{
	if (fd < 0 || !asyncring__ring_is_ring(fd) || in_vforked_child())
		return false;
	forget(fd);
	*result = asyncring_close(fd);
	return true;
}

static void close_quietly(int fd)
{
	int result;

	descriptors_close_ring(fd, &result);
}

void descriptors_close_rings(unsigned first, unsigned last)
{
	for_each_ring(first, last, close_quietly);
}

static int answer(int result)
{
	if (result >= 0)
		return result;
	errno = -result;
	return -1;
}

INTERPOSED int close(int fd)
{
	int result;

	if (descriptors_close_ring(fd, &result))
		return answer(result);
	return NEXT(close)(fd);
}

#ifdef __GLIBC__

INTERPOSED int close_range(unsigned first, unsigned last, int flags)
{
	if (!(flags & (int)CLOSE_RANGE_CLOEXEC))
		descriptors_close_rings(first, last);
	return answer((int)sys(SYS_close_range, first, last, flags));
}

INTERPOSED void closefrom(int first)
{
	descriptors_close_rings(first < 0 ? 0 : (unsigned)first, ~0u);
	NEXT(closefrom)(first);
}

#endif

/* ---- duplicates ---- */

/* @to is about to stand for @from; if it was a ring's it is closed first. */
static void make_room(int from, int to)
{
	int result;

	if (from != to && sys_fcntl(from, F_GETFD, 0) >= 0)
		descriptors_close_ring(to, &result);
}

static int note_duplicate(int from, int to)
{
	if (to >= 0 && asyncring__ring_is_ring(from))
		descriptors_add_ring(to);
	return to;
}

INTERPOSED int dup(int fd)
{
	return note_duplicate(fd, NEXT(dup)(fd));
}

INTERPOSED int dup2(int from, int to)
{
	make_room(from, to);
	return note_duplicate(from, NEXT(dup2)(from, to));
}

INTERPOSED int dup3(int from, int to, int flags)
{
	make_room(from, to);
	return note_duplicate(from, NEXT(dup3)(from, to, flags));
}

/* ---- sleeping ---- */

/*
 * @fd is a ring's no more: liburing's functions close rings without a word to this file. Should it
 * just have become another's, that one is entered after this, or seen by the second look.
 */
static void forget_closed(int fd)
{
	forget(fd);
	if (asyncring__ring_is_ring(fd))
		descriptors_add_ring(fd);
}

static void settle(int fd)
{
	struct ring *ring;
	int error;

	if (!asyncring__ring_is_ring(fd)) {
		forget_closed(fd);
		return;
	}
	ring = asyncring__ring_get((unsigned)fd, &error);
	if (!ring)
		return;
	asyncring__notify_settle(ring);
	asyncring__ring_put(ring);
}

void descriptors_settle(void)
{
	if (atomic_load_explicit(&words_used, memory_order_relaxed))
		for_each_ring(0, RINGS_MAX, settle);
}

/* An edge is something to be told of each time, not only when the descriptor becomes readable. */
INTERPOSED int epoll_ctl(int set, int operation, int fd, struct epoll_event *event)
{
	int result = NEXT(epoll_ctl)(set, operation, fd, event);

	if (!result && operation != EPOLL_CTL_DEL && event->events & EPOLLET &&
	    asyncring__ring_is_ring(fd))
		asyncring__notify_edges(fd);
	return result;
}

INTERPOSED int epoll_wait(int fd, struct epoll_event *events, int count, int timeout)
{
	descriptors_settle();
	return NEXT(epoll_wait)(fd, events, count, timeout);
}

INTERPOSED int poll(struct pollfd *fds, nfds_t count, int timeout)
{
	descriptors_settle();
	return NEXT(poll)(fds, count, timeout);
}

INTERPOSED int select(int count, fd_set *in, fd_set *out, fd_set *except, struct timeval *timeout)
{
	descriptors_settle();
	return NEXT(select)(count, in, out, except, timeout);
}

#ifdef __GLIBC__

INTERPOSED int __poll_chk(struct pollfd *fds, nfds_t count, int timeout, size_t size)
{
	descriptors_settle();
	return NEXT(__poll_chk)(fds, count, timeout, size);
}

#endif
