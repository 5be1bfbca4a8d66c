/* SPDX-License-Identifier: MIT */
/*
 * SIGSYS stays ours. A thread that is trapped while the signal is blocked is killed, and so is one
 * whose process has no handler for it. Programs do both without meaning it: they block every signal
 * in their I/O threads, and reset every disposition in a child before exec. So whatever sets a mask
 * sets it without SIGSYS, and what the program arranges for SIGSYS is only noted (trap.c calls it
 * for a SIGSYS that is not ours).
 *
 * Each function here is libc's but for that. They may be called in signal handlers and in a vfork's
 * child, as libc's may.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>

#include "preload.h"

const sigset_t *signals_unblocked(const sigset_t *mask, sigset_t *copy)
{
	if (!mask || !sigismember(mask, SIGSYS))
		return mask;
	*copy = *mask;
	sigdelset(copy, SIGSYS);
	return copy;
}

/* ---- masks ---- */

INTERPOSED int pthread_sigmask(int how, const sigset_t *set, sigset_t *old)
{
	sigset_t copy;

	if (how != SIG_UNBLOCK)
		set = signals_unblocked(set, &copy);
	return NEXT(pthread_sigmask)(how, set, old);
}

INTERPOSED int sigprocmask(int how, const sigset_t *set, sigset_t *old)
{
	sigset_t copy;

	if (how != SIG_UNBLOCK)
		set = signals_unblocked(set, &copy);
	return NEXT(sigprocmask)(how, set, old);
}

INTERPOSED int sigsuspend(const sigset_t *mask)
{
	sigset_t copy;

	return NEXT(sigsuspend)(signals_unblocked(mask, &copy));
}

INTERPOSED int ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout,
		     const sigset_t *mask)
{
	sigset_t copy;

	descriptors_settle();
	return NEXT(ppoll)(fds, count, timeout, signals_unblocked(mask, &copy));
}

INTERPOSED int pselect(int count, fd_set *in, fd_set *out, fd_set *except,
		       const struct timespec *timeout, const sigset_t *mask)
{
	sigset_t copy;

	descriptors_settle();
	return NEXT(pselect)(count, in, out, except, timeout, signals_unblocked(mask, &copy));
}

INTERPOSED int epoll_pwait(int fd, struct epoll_event *events, int count, int timeout,
			   const sigset_t *mask)
{
	sigset_t copy;

	descriptors_settle();
	return NEXT(epoll_pwait)(fd, events, count, timeout, signals_unblocked(mask, &copy));
}

#ifdef __GLIBC__

INTERPOSED int epoll_pwait2(int fd, struct epoll_event *events, int count,
			    const struct timespec *timeout, const sigset_t *mask)
{
	sigset_t copy;

	descriptors_settle();
	if (!NEXT(epoll_pwait2)) {
		errno = ENOSYS; /* libc is older than the call */
		return -1;
	}
	return NEXT(epoll_pwait2)(fd, events, count, timeout, signals_unblocked(mask, &copy));
}

INTERPOSED int __ppoll_chk(struct pollfd *fds, nfds_t count, const struct timespec *timeout,
			   const sigset_t *mask, size_t size)
{
	sigset_t copy;

	descriptors_settle();
	return NEXT(__ppoll_chk)(fds, count, timeout, signals_unblocked(mask, &copy), size);
}

INTERPOSED int pthread_attr_setsigmask_np(pthread_attr_t *attributes, const sigset_t *mask)
{
	sigset_t copy;

	if (!NEXT(pthread_attr_setsigmask_np))
		return ENOSYS;
	return NEXT(pthread_attr_setsigmask_np)(attributes, signals_unblocked(mask, &copy));
}

/* BSD's masks, which are words. These are old, which nobody needs to be told by the compiler. */
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
#define WITHOUT_SIGSYS(mask) ((mask) & ~(1 << (SIGSYS - 1)))

INTERPOSED int sigblock(int mask)
{
	return NEXT(sigblock)(WITHOUT_SIGSYS(mask));
}

INTERPOSED int sigsetmask(int mask)
{
	return NEXT(sigsetmask)(WITHOUT_SIGSYS(mask));
}

#endif

/* System V's, one signal each. */

INTERPOSED int sighold(int signal)
{
	return signal == SIGSYS ? 0 : NEXT(sighold)(signal);
}

INTERPOSED int sigignore(int signal)
{
	const struct sigaction ignore = {.sa_handler = SIG_IGN};

	if (signal != SIGSYS)
		return NEXT(sigignore)(signal);
	trap_set_action(&ignore, NULL);
	return 0;
}

/* ---- dispositions ---- */

int signals_real_sigaction(int signal, const struct sigaction *action, struct sigaction *old)
{
	return NEXT(sigaction)(signal, action, old);
}

INTERPOSED int sigaction(int signal, const struct sigaction *restrict action,
			 struct sigaction *restrict old)
{
	struct sigaction copy;

	if (signal == SIGSYS) {
		trap_set_action(action, old);
		return 0;
	}
	/* While its handler runs SIGSYS must not be blocked either. */
	if (action && sigismember(&action->sa_mask, SIGSYS)) {
		copy = *action;
		sigdelset(&copy.sa_mask, SIGSYS);
		action = &copy;
	}
	return signals_real_sigaction(signal, action, old);
}

/* As signal(3) in its several forms would do it. */
static sighandler_t set_handler(sighandler_t handler)
{
	struct sigaction action = {.sa_handler = handler}, old;

	trap_set_action(&action, &old);
	return old.sa_flags & SA_SIGINFO ? SIG_DFL : old.sa_handler;
}

INTERPOSED sighandler_t signal(int signum, sighandler_t handler)
{
	return signum == SIGSYS ? set_handler(handler) : NEXT(signal)(signum, handler);
}

INTERPOSED sighandler_t sigset(int signum, sighandler_t handler)
{
	if (signum != SIGSYS)
		return NEXT(sigset)(signum, handler);
	return handler == SIG_HOLD ? SIG_DFL : set_handler(handler);
}

#ifdef __GLIBC__

INTERPOSED sighandler_t bsd_signal(int signum, sighandler_t handler)
{
	return signum == SIGSYS ? set_handler(handler) : NEXT(bsd_signal)(signum, handler);
}

INTERPOSED sighandler_t sysv_signal(int signum, sighandler_t handler)
{
	return signum == SIGSYS ? set_handler(handler) : NEXT(sysv_signal)(signum, handler);
}

INTERPOSED sighandler_t __sysv_signal(int signum, sighandler_t handler)
{
	return signum == SIGSYS ? set_handler(handler) : NEXT(__sysv_signal)(signum, handler);
}

#endif
