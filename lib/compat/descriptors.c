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
#include <stdarg.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <unistd.h>

#include "../core/core.h"
#include "../core/wait.h"
#include "preload.h"

#ifndef CLOSE_RANGE_UNSHARE
#define CLOSE_RANGE_UNSHARE (1u << 1)
#endif

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
	/* If the number has come to stand for something else, that is still to be closed. */
	return *result != -EOPNOTSUPP && *result != -EBADF;
}

/* Bits of those that were closed here: as soon as one is, its number may be somebody else's. */
struct closed {
	uint64_t bits[RINGS_MAX / WORD_BITS];
};

static unsigned close_rings(unsigned first, unsigned last, struct closed *closed)
{
	unsigned used = atomic_load_explicit(&words_used, memory_order_relaxed);

	for (unsigned word = 0; word < used; word++) {
		uint64_t bits = atomic_load_explicit(&may_be_ring[word], memory_order_relaxed);

		closed->bits[word] = 0;
		for (; bits; bits &= bits - 1) {
			unsigned fd = word * WORD_BITS + (unsigned)__builtin_ctzll(bits);
			int result;

			if (fd >= first && fd <= last && descriptors_close_ring((int)fd, &result))
				closed->bits[word] |= bits & -bits;
		}
	}
	return used * WORD_BITS;
}

/*
 * The rings first, as long as the library still has the descriptors that it serves them with; then
 * what is between their numbers.
 */
__attribute__((noinline)) static long close_around(unsigned first, unsigned last, unsigned flags)
{
	struct closed closed;
	unsigned end = close_rings(first, last, &closed);
	long result = 0;

	for (unsigned fd = first; fd < end && fd <= last; fd++) {
		if (!(closed.bits[fd / WORD_BITS] >> fd % WORD_BITS & 1))
			continue;
		if (fd > first)
			result = sys(SYS_close_range, first, fd - 1, flags);
		first = fd + 1;
	}
	return first <= last ? sys(SYS_close_range, first, last, flags) : result;
}

long descriptors_close_range(unsigned first, unsigned last, unsigned flags)
{
	/* Those that are refused close nothing, nor does CLOSE_RANGE_CLOEXEC. */
	if (first > last || flags & ~CLOSE_RANGE_UNSHARE || in_vforked_child() ||
	    !atomic_load_explicit(&words_used, memory_order_relaxed))
		return sys(SYS_close_range, first, last, flags);
	return close_around(first, last, flags);
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
	return answer((int)descriptors_close_range(first, last, (unsigned)flags));
}

INTERPOSED void closefrom(int first)
{
	if (descriptors_close_range(first < 0 ? 0 : (unsigned)first, ~0u, 0) < 0)
		NEXT(closefrom)(first); /* an old kernel: libc has another way */
}

#endif

/* ---- duplicates ---- */

/*
 * @to stands for @from from now on, and no more for what it stood for before. In this order: a
 * number that is free for a moment is somebody else's.
 */
static int note_duplicate(int from, int to)
{
	struct ring *ring;
	int error;

	if (to < 0 || from == to || in_vforked_child())
		return to;
	asyncring__ring_replaced(to);
	if (!asyncring__ring_is_ring(from))
		return to;
	/* So that it is known as a name of the ring when @from goes. */
	ring = asyncring__ring_get((unsigned)to, &error);
	if (ring)
		asyncring__ring_put(ring);
	descriptors_add_ring(to);
	return to;
}

INTERPOSED int dup(int fd)
{
	return note_duplicate(fd, NEXT(dup)(fd));
}

INTERPOSED int dup2(int from, int to)
{
	return note_duplicate(from, NEXT(dup2)(from, to));
}

INTERPOSED int dup3(int from, int to, int flags)
{
	return note_duplicate(from, NEXT(dup3)(from, to, flags));
}

INTERPOSED int fcntl(int fd, int command, ...)
{
	va_list list;
	long argument;
	int result;

	/* A word, which is a number or a pointer, or nothing that anybody looks at. */
	va_start(list, command);
	argument = va_arg(list, long);
	va_end(list);
	result = NEXT(fcntl)(fd, command, argument);
	if (command == F_DUPFD || command == F_DUPFD_CLOEXEC)
		note_duplicate(fd, result);
	return result;
}

#ifdef __GLIBC__

/* The same where file offsets have 64 bits anyway. */
INTERPOSED int fcntl64(int fd, int command, ...)
{
	va_list list;
	long argument;

	va_start(list, command);
	argument = va_arg(list, long);
	va_end(list);
	return fcntl(fd, command, argument);
}

#endif

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
	if (atomic_load_explicit(&words_used, memory_order_relaxed) && !preload_forked_unseen())
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
