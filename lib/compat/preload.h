/* SPDX-License-Identifier: MIT */
/*
 * libasyncring-run.so: what asyncring-run loads into a program so that its io_uring system calls
 * are served in user space. This is a third application side: it knows the calls of asyncring.h
 * and a handful of the core's, for descriptors, mappings and the program's memory.
 *
 * A program's calls come in by three ways, which all end in serve.c:
 *   - functions of a shared liburing (liburing_names.c), the fast way;
 *   - syscall(2) and the other wrappers of libc that are interposed here;
 *   - its own system-call instructions, which a seccomp filter turns into SIGSYS (trap.c), and
 *     which are rewritten if they do so again and again (rewrite.c).
 *
 * Everything here runs in threads of the program, at any time after the constructor (preload.c),
 * some of it in signal handlers and in the child of a fork or vfork: so nothing allocates, nothing
 * prints but the report at the end, and what is shared is atomic or constant after the constructor.
 */
#ifndef ASYNCRING_COMPAT_PRELOAD_H
#define ASYNCRING_COMPAT_PRELOAD_H

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <asyncring.h>

#include "next.h"

/* A function of ours that stands before libc's of the same name. */
#define INTERPOSED __attribute__((visibility("default")))

/* ---- serve.c: the system calls as the kernel has them; negative errno, nothing else touched ----
 */

long serve_setup(unsigned entries, struct asyncring_params *params);
long serve_enter(unsigned fd, unsigned to_submit, unsigned min_complete, unsigned flags,
		 const void *arg, size_t size);
long serve_register(unsigned fd, unsigned opcode, void *arg, unsigned count);
/*
 * After a successful register call of the library's own: what it told in @arg of addresses is taken
 * back, for a program that maps memory itself.
 */
void serve_hide_addresses(unsigned opcode, void *arg);
/* mmap(2), of a ring's descriptor or of anything. */
long serve_mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset);

/* The io_uring call @number with @arguments. */
long serve_ring_call(long number, const long arguments[6]);
static inline bool is_ring_call(long number)
{
	return number >= 425 && number <= 427; /* the same on every machine */
}

/* ---- descriptors.c ---- */

/*
 * Descriptors of rings get numbers from here on, as long as there are any: by them, too, the filter
 * recognises what may be an mmap(2) of a ring.
 */
enum { RING_FD_FIRST = 896, RING_FD_END = 1024 };

/* @fd is a ring's from now on. */
void descriptors_add_ring(int fd);
/*
 * close(2) of @fd if it is a ring's: true, and what close(2) would answer in *result. False: it is
 * not closed.
 */
bool descriptors_close_ring(int fd, int *result);
/* close_range(2). */
long descriptors_close_range(unsigned first, unsigned last, unsigned flags);
/*
 * The program is about to sleep until some descriptor is ready: those of rings whose completions it
 * has taken must not be.
 */
void descriptors_settle(void);

/* ---- watch.c ---- */

/* A ring was set up by a program that may close it where nobody sees that. */
void watch_rings(void);
/* Is one of the process's threads that which watches? It may be about to end. */
bool watch_is_thread(void);
void watch_after_fork_in_child(void);

/* ---- trap.c ---- */

/* Catch io_uring's system calls of this process and all it starts: 0 or a negative errno. */
int trap_install(void);
/* mmap(2) that is not caught, whatever the filter says. */
long trap_pass_mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset);
/* What the program has arranged for SIGSYS, which it may have traps of its own for. */
void trap_set_action(const struct sigaction *new_action, struct sigaction *old_action);

/* ---- rewrite.c ---- */

/* Are calls to be rewritten? By the constructor. */
void rewrite_init(bool wanted);
/* A call of enter has trapped, which ends at @behind. Is it worth to be rewritten? */
void rewrite_consider(uintptr_t behind);

/* ---- signals.c ---- */

/* @mask without SIGSYS: a thread that is trapped with that blocked is killed. NULL stays NULL. */
const sigset_t *signals_unblocked(const sigset_t *mask, sigset_t *copy);
/* sigaction(2) without the protection of SIGSYS. */
int signals_real_sigaction(int signal, const struct sigaction *action, struct sigaction *old);

/* ---- preload.c ---- */

/* The process this is, as of the constructor or the last fork(3). */
int preload_pid(void);
/*
 * Is this a child that was made by a bare clone(2)? It has none of the library's threads, and locks
 * as they were: it gets no rings, and has no say in its parent's.
 */
bool preload_forked_unseen(void);
/* Where this library lies; false if that cannot be told. */
bool preload_path(char *path, size_t size);

/* ---- exec.c ---- */

/* The environment that children have to get is noted. */
void exec_init(void);
/* execve(2) or execveat(2) by its @number: a negative errno, if it comes back. */
long exec_call(long number, const long arguments[6]);

/* ---- report.c: what has been served ---- */

enum served_by { BY_SYSCALL, BY_TRAP, BY_JUMP, SERVED_BY };

/* Relaxed: they order nothing. */
extern _Atomic uint64_t served_calls[SERVED_BY];

static inline void count_served(enum served_by way)
{
	atomic_fetch_add_explicit(&served_calls[way], 1, memory_order_relaxed);
}

void report_init(void);
/* What a forked child has inherited is not its own doing. */
void report_begin_anew(void);
void report_print(void);

#endif
