/* SPDX-License-Identifier: MIT */
/*
 * Interrupting a thread in a blocking system call (hazard H5): it gets a signal whose handler does
 * nothing, installed without SA_RESTART, so that the call returns -EINTR.
 *
 * A signal that arrives just before the thread enters the call is lost. So it is not sent once but
 * by an interval timer of the kernel's, every millisecond, until the thread has seen that it is to
 * stop and the timer is deleted.
 *
 * The signal is the highest real-time signal that the application has left alone (SIG_DFL) when
 * the library first needs it. All other threads keep it at their own mask; it is only ever sent to
 * threads of the library, and to waiting ones while they do a worker's work (pool_guest.c).
 */
#include "interrupt.h"

#include <pthread.h>
#include <string.h>

#include "../sys.h"

static int interrupt_signal; /* written once, under `once` */
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void do_nothing(int signal)
{
	(void)signal;
}

static void choose_signal(void)
{
	struct sigaction action;

	for (int candidate = SIGRTMAX - 1; candidate > SIGRTMIN; candidate--) {
		if (sigaction(candidate, NULL, &action) || action.sa_flags & SA_SIGINFO ||
		    action.sa_handler != SIG_DFL)
			continue;
		memset(&action, 0, sizeof(action));
		action.sa_handler = do_nothing;
		sigfillset(&action.sa_mask);
		if (!sigaction(candidate, &action, NULL)) {
			interrupt_signal = candidate;
			return;
		}
	}
}

void asyncring__interrupt_mask(sigset_t *mask)
{
	pthread_once(&once, choose_signal);
	sigfillset(mask);
	if (interrupt_signal)
		sigdelset(mask, interrupt_signal);
}

void asyncring__interrupt_start(struct interrupt_timer *timer, int tid)
{
	const struct itimerspec every_millisecond = {.it_interval.tv_nsec = 1000000,
						     .it_value.tv_nsec = 1};
	struct sigevent event;

	if (!interrupt_signal || timer->id >= 0)
		return;
	memset(&event, 0, sizeof(event));
	event.sigev_notify = SIGEV_THREAD_ID;
	event.sigev_signo = interrupt_signal;
#ifdef sigev_notify_thread_id
	event.sigev_notify_thread_id = tid;
#else
	event._sigev_un._tid = tid;
#endif
	if (sys(SYS_timer_create, CLOCK_MONOTONIC, &event, &timer->id) < 0) {
		/* No timer to be had: once is better than never; a closing ring asks again. */
		timer->id = -1;
		sys(SYS_tgkill, sys(SYS_getpid), tid, interrupt_signal);
		return;
	}
	sys(SYS_timer_settime, timer->id, 0, &every_millisecond, NULL);
}

void asyncring__interrupt_stop(struct interrupt_timer *timer)
{
	if (timer->id < 0)
		return;
	sys(SYS_timer_delete, timer->id);
	timer->id = -1;
}
