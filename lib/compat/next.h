/* SPDX-License-Identifier: MIT */
/*
 * The next definition of each function that we stand before, which is libc's.
 *
 * All are looked up at once, by the constructor or by whoever comes before it, so that no signal
 * handler of the program's comes to dlsym(3).
 */
#ifndef ASYNCRING_COMPAT_NEXT_H
#define ASYNCRING_COMPAT_NEXT_H

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <unistd.h>

#define NEXT_OF_EVERY_LIBC(X)                                                                      \
	X(close)                                                                                   \
	X(dup)                                                                                     \
	X(dup2)                                                                                    \
	X(dup3)                                                                                    \
	X(epoll_ctl)                                                                               \
	X(epoll_pwait)                                                                             \
	X(epoll_wait)                                                                              \
	X(execve)                                                                                  \
	X(execvpe)                                                                                 \
	X(fcntl)                                                                                   \
	X(fexecve)                                                                                 \
	X(poll)                                                                                    \
	X(posix_spawn)                                                                             \
	X(posix_spawnp)                                                                            \
	X(ppoll)                                                                                   \
	X(pselect)                                                                                 \
	X(pthread_sigmask)                                                                         \
	X(select)                                                                                  \
	X(sigaction)                                                                               \
	X(sighold)                                                                                 \
	X(sigignore)                                                                               \
	X(signal)                                                                                  \
	X(sigprocmask)                                                                             \
	X(sigset)                                                                                  \
	X(sigsuspend)

#ifdef __GLIBC__

/* What some of the others become with _FORTIFY_SOURCE, and old forms of signal(3). */
int __poll_chk(struct pollfd *fds, nfds_t count, int timeout, size_t size);
int __ppoll_chk(struct pollfd *fds, nfds_t count, const struct timespec *timeout,
		const sigset_t *mask, size_t size);
sighandler_t bsd_signal(int signum, sighandler_t handler);

#define NEXT_OF_GLIBC(X)                                                                           \
	X(__poll_chk)                                                                              \
	X(__ppoll_chk)                                                                             \
	X(__sysv_signal)                                                                           \
	X(bsd_signal)                                                                              \
	X(closefrom)                                                                               \
	X(epoll_pwait2)                                                                            \
	X(pthread_attr_setsigmask_np)                                                              \
	X(sigblock)                                                                                \
	X(sigsetmask)                                                                              \
	X(sysv_signal)
#else
#define NEXT_OF_GLIBC(X)
#endif

/* Some of these are old, which the compiler need not tell us. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
#define NEXT_MEMBER(name) __typeof__(&(name)) name##_;

struct next_functions {
	/* Set when the others are. Release, pairs with the acquire in NEXT: from then constant. */
	_Atomic bool known;
	NEXT_OF_EVERY_LIBC(NEXT_MEMBER)
	NEXT_OF_GLIBC(NEXT_MEMBER)
};

#pragma GCC diagnostic pop

extern struct next_functions next_functions;

/* Whoever comes first; if several do, they find the same. A function libc lacks stays NULL. */
void next_look_up(void);

static inline const struct next_functions *next_known(void)
{
	if (__builtin_expect(!atomic_load_explicit(&next_functions.known, memory_order_acquire), 0))
		next_look_up();
	return &next_functions;
}

#define NEXT(name) (next_known()->name##_)

#endif
