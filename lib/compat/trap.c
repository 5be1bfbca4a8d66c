/* SPDX-License-Identifier: MIT */
/*
 * System calls that a program makes with its own instructions: a seccomp filter answers io_uring's
 * with SIGSYS, whose handler serves them and puts the result where the kernel would have put it.
 *
 * Where io_uring is forbidden a filter does that, too; of several filters' answers the kernel takes
 * the strongest, and a trap is stronger than an errno. Filters are inherited for good, by children
 * as well as over exec. So each program that is started looks whether it is caught already.
 *
 * The filter cannot tell one descriptor from another. So mmap(2) is caught if it may well be a
 * ring's, and made for the program if it is not: by a flag that the kernel ignores that call is let
 * pass (trap_pass_mmap). It may be a ring's if it fills the pages in at once, as nearly every
 * program has it with rings and few with files; if its offset is one of a ring's own; or by the
 * number of the descriptor (preload.h), which is out of reach where there are few.
 *
 * The handler runs in the thread that made the call, at the call: what it does may take as long and
 * sleep as a system call may. SIGSYS is not blocked meanwhile (SA_NODEFER), because a signal that
 * interrupts a wait may have a handler that submits.
 */
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <ucontext.h>

#include "../sys.h"
#include "preload.h"

#ifndef SYS_SECCOMP
#define SYS_SECCOMP 1 /* si_code of a trap */
#endif

/* Once said that nobody might write to the file; the kernel has ignored it for long. */
#define PASSES MAP_DENYWRITE

/* ---- the registers of a caught call ---- */

#if defined(__x86_64__)

#define AUDIT_ARCH_OURS AUDIT_ARCH_X86_64

static void call_arguments(const ucontext_t *context, long arguments[6])
{
	static const int registers[6] = {REG_RDI, REG_RSI, REG_RDX, REG_R10, REG_R8, REG_R9};

	for (int i = 0; i < 6; i++)
		arguments[i] = context->uc_mcontext.gregs[registers[i]];
}

static void set_result(ucontext_t *context, long result)
{
	context->uc_mcontext.gregs[REG_RAX] = result;
}

#elif defined(__aarch64__)

#define AUDIT_ARCH_OURS AUDIT_ARCH_AARCH64

static void call_arguments(const ucontext_t *context, long arguments[6])
{
	for (int i = 0; i < 6; i++)
		arguments[i] = (long)context->uc_mcontext.regs[i];
}

static void set_result(ucontext_t *context, long result)
{
	context->uc_mcontext.regs[0] = (unsigned long)result;
}

#else
#error "asyncring-run knows x86_64 and aarch64"
#endif

long trap_pass_mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset)
{
	return sys(SYS_mmap, address, length, protection, flags | PASSES, fd, offset);
}

/* ---- the handler ---- */

/*
 * What the program has arranged for SIGSYS. Whoever is about to change or read it sets `busy`;
 * a handler that finds it set takes what is there as it is, for it may have interrupted the change.
 */
static struct {
	atomic_flag busy;
	struct sigaction action;
} program = {.busy = ATOMIC_FLAG_INIT};

/* Set by the handler when it has caught the constructor's question. */
static _Atomic bool answered;

/*
 * The address of a mapping of no length that asks the handler whether it is called. (An io_uring
 * call would be caught also by a sandbox's filter, and die of one that kills.)
 */
#define QUESTION 0x5c0ff000L

void trap_set_action(const struct sigaction *new_action, struct sigaction *old_action)
{
	struct sigaction old;

	/* Acquire and release: one change after the other. */
	while (atomic_flag_test_and_set_explicit(&program.busy, memory_order_acquire))
		sys(SYS_sched_yield);
	old = program.action;
	if (new_action)
		program.action = *new_action;
	atomic_flag_clear_explicit(&program.busy, memory_order_release);
	if (old_action)
		*old_action = old;
}

/* The signal's default, which is the end of the process; only a signal sent by kill(2) returns. */
static void die(void)
{
	struct {
		void (*handler)(int);
		unsigned long flags;
		void *restorer;
		uint64_t mask;
	} by_default = {0};

	sys(SYS_rt_sigaction, SIGSYS, &by_default, NULL, _NSIG / 8);
	sys(SYS_tgkill, sys(SYS_getpid), sys(SYS_gettid), SIGSYS);
}

/* A SIGSYS that is not ours: the program has filters of its own, or sends itself the signal. */
static void pass_on(int signal, siginfo_t *info, void *context)
{
	struct sigaction action;
	bool was_busy = atomic_flag_test_and_set_explicit(&program.busy, memory_order_acquire);

	action = program.action;
	if (!was_busy)
		atomic_flag_clear_explicit(&program.busy, memory_order_release);
	if (action.sa_flags & SA_SIGINFO)
		action.sa_sigaction(signal, info, context);
	else if (action.sa_handler == SIG_DFL ||
		 (action.sa_handler == SIG_IGN && info->si_code == SYS_SECCOMP))
		die();
	else if (action.sa_handler != SIG_IGN)
		action.sa_handler(signal);
}

static long handle_mmap(const long arguments[6])
{
	if (arguments[0] == QUESTION && !arguments[1]) {
		/* Relaxed: it is this thread that has asked. */
		atomic_store_explicit(&answered, true, memory_order_relaxed);
		return 0;
	}
	return serve_mmap((void *)arguments[0], (size_t)arguments[1], (int)arguments[2],
			  (int)arguments[3], (int)arguments[4], arguments[5]);
}

/* An mmap(2) that our filter lets pass has been caught by one of the program's. */
static bool is_our_mmap(const siginfo_t *info, const long arguments[6])
{
	return info->si_syscall == SYS_mmap && !(arguments[3] & (MAP_ANONYMOUS | PASSES));
}

static void handle(int signal, siginfo_t *info, void *context)
{
	bool trapped = info->si_code == SYS_SECCOMP && info->si_arch == AUDIT_ARCH_OURS;
	int saved_errno = errno;
	long arguments[6];

	call_arguments(context, arguments);
	if (trapped && is_ring_call(info->si_syscall)) {
		count_served(BY_TRAP);
		set_result(context, serve_ring_call(info->si_syscall, arguments));
		if (info->si_syscall == SYS_io_uring_enter)
			rewrite_consider((uintptr_t)info->si_call_addr);
	} else if (trapped && is_our_mmap(info, arguments)) {
		set_result(context, handle_mmap(arguments));
	} else {
		pass_on(signal, info, context);
	}
	errno = saved_errno;
}

static int install_handler(void)
{
	struct sigaction action;
	sigset_t ours;

	memset(&action, 0, sizeof(action));
	action.sa_sigaction = handle;
	action.sa_flags = SA_SIGINFO | SA_NODEFER | SA_RESTART;
	sigemptyset(&action.sa_mask);
	if (signals_real_sigaction(SIGSYS, &action, &program.action))
		return -errno;
	/* A parent may have left it blocked. */
	sigemptyset(&ours);
	sigaddset(&ours, SIGSYS);
	sys(SYS_rt_sigprocmask, SIG_UNBLOCK, &ours, NULL, _NSIG / 8);
	return 0;
}

/* ---- the filter ---- */

/* Offsets of the low halves of 64-bit words, on machines that put these first. */
#define ARGUMENT(i) (offsetof(struct seccomp_data, args) + (i) * sizeof(uint64_t))
#define HIGH	    sizeof(uint32_t)

#define LOAD(offset)	       BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (offset))
#define JUMP(test, k, yes, no) BPF_JUMP(BPF_JMP | BPF_K | (test), (k), (yes), (no))
#define ANSWER(action)	       BPF_STMT(BPF_RET | BPF_K, (action))

static int load_filter(void)
{
	/* The last two instructions are the answers; the distances to them are counted by hand. */
	struct sock_filter program_text[] = {
		LOAD(offsetof(struct seccomp_data, arch)),
		JUMP(BPF_JEQ, AUDIT_ARCH_OURS, 0, 16),
		LOAD(offsetof(struct seccomp_data, nr)),
		JUMP(BPF_JEQ, SYS_mmap, 2, 0),
		JUMP(BPF_JGE, SYS_io_uring_setup, 0, 13),
		JUMP(BPF_JGT, SYS_io_uring_register, 12, 13),
		/* mmap */
		LOAD(ARGUMENT(3)),
		JUMP(BPF_JSET, MAP_ANONYMOUS | PASSES, 10, 0),
		JUMP(BPF_JSET, MAP_SHARED, 0, 4),
		JUMP(BPF_JSET, MAP_POPULATE, 9, 0),
		LOAD(ARGUMENT(5)),
		JUMP(BPF_JEQ, (uint32_t)ASYNCRING_OFF_CQ_RING, 7, 0),
		JUMP(BPF_JEQ, (uint32_t)ASYNCRING_OFF_SQES, 6, 0),
		LOAD(ARGUMENT(4)),
		JUMP(BPF_JGE, RING_FD_FIRST, 0, 3),
		JUMP(BPF_JGE, RING_FD_END, 2, 0),
		LOAD(ARGUMENT(5) + HIGH),
		JUMP(BPF_JEQ, 0, 1, 0),
		ANSWER(SECCOMP_RET_ALLOW),
		ANSWER(SECCOMP_RET_TRAP),
	};
	struct sock_fprog filter = {
		.len = sizeof(program_text) / sizeof(program_text[0]),
		.filter = program_text,
	};
	long result = sys(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &filter);

	/* Without privileges it is for those who give up the right to gain any. */
	if (result == -EACCES) {
		result = sys(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		if (!result)
			result = sys(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
				     SECCOMP_FILTER_FLAG_TSYNC, &filter);
	}
	/* Not negative but positive: a thread that has filters of its own, which cannot be had. */
	return result > 0 ? -EBUSY : (int)result;
}

static bool caught_already(void)
{
	sys(SYS_mmap, QUESTION, 0, PROT_NONE, MAP_SHARED, RING_FD_FIRST, 0);
	return atomic_load_explicit(&answered, memory_order_relaxed);
}

int trap_install(void)
{
	int error = install_handler();

	if (error || caught_already())
		return error;
	return load_filter();
}
