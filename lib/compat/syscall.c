/* SPDX-License-Identifier: MIT */
/*
 * syscall(2) and mmap(2) of libc. Programs without a liburing make io_uring's calls through the
 * first, and nearly all map their rings with the second; served here they cost no trap.
 */
#include <errno.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../core/core.h"
#include "preload.h"

static long answer(long result)
{
	if (result >= 0 || result < -4095)
		return result;
	errno = (int)-result;
	return -1;
}

/* rt_sigprocmask, which a program may make without the wrapper that signals.c stands before. */
static long set_mask(const long a[6])
{
	const size_t size = _NSIG / 8;
	sigset_t mask, copy;
	const void *set = (const void *)a[1];

	sigemptyset(&mask);
	/* What cannot be read is for the kernel to refuse. */
	if (set && a[0] != SIG_UNBLOCK && (size_t)a[3] == size &&
	    !asyncring__copy_in(&mask, (uintptr_t)set, size))
		set = signals_unblocked(&mask, &copy);
	return answer(sys(SYS_rt_sigprocmask, a[0], set, a[2], a[3]));
}

/*
 * Allocators make their first calls this way, before any constructor: so nothing is looked up here,
 * which could come to allocate, and libc's own function is not needed.
 */
INTERPOSED long syscall(long number, ...)
{
	long a[6];
	va_list list;
	int closed;

	va_start(list, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(list, long);
	va_end(list);

	if (is_ring_call(number)) {
		count_served(BY_SYSCALL);
		return answer(serve_ring_call(number, a));
	}
	switch (number) {
	case SYS_mmap:
		return answer(serve_mmap((void *)a[0], (size_t)a[1], (int)a[2], (int)a[3],
					 (int)a[4], a[5]));
	case SYS_close:
		if (descriptors_close_ring((int)a[0], &closed))
			return answer(closed);
		break;
#ifdef SYS_close_range
	case SYS_close_range:
		return answer(
			descriptors_close_range((unsigned)a[0], (unsigned)a[1], (unsigned)a[2]));
#endif
	case SYS_execve:
	case SYS_execveat:
		return answer(exec_call(number, a));
	case SYS_rt_sigprocmask:
		return set_mask(a);
	default:
		break;
	}
	return answer(sys(number, a[0], a[1], a[2], a[3], a[4], a[5]));
}

INTERPOSED void *mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset)
{
	return (void *)answer(serve_mmap(address, length, protection, flags, fd, offset));
}

#ifdef __GLIBC__

INTERPOSED void *mmap64(void *address, size_t length, int protection, int flags, int fd,
			off64_t offset)
{
	return mmap(address, length, protection, flags, fd, offset);
}

#endif
