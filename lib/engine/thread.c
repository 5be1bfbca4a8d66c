/* SPDX-License-Identifier: MIT */
/* Starting and joining threads from threads of the application, without leaving a mark there. */
#include "thread.h"

#include <sys/prctl.h>

#include "../core/statistics.h"
#include "../sys.h"

enum { STACK_BYTES = 128 * 1024 };

int asyncring__thread_start(pthread_t *thread, void *(*run)(void *), void *argument)
{
	sigset_t blocked, saved;
	pthread_attr_t attributes;
	int error, saved_errno = errno;

	sigfillset(&blocked);
	pthread_sigmask(SIG_SETMASK, &blocked, &saved);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_BYTES);
	error = pthread_create(thread, &attributes, run, argument);
	/* A program with much thread-local storage needs more stack than that. */
	if (error == EINVAL)
		error = pthread_create(thread, NULL, run, argument);
	pthread_attr_destroy(&attributes);
	pthread_sigmask(SIG_SETMASK, &saved, NULL);
	errno = saved_errno;
	if (!error)
		statistics_count(STATISTIC_THREADS);
	return error;
}

void asyncring__thread_join(pthread_t thread)
{
	int state;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	pthread_join(thread, NULL);
	pthread_setcancelstate(state, NULL);
}

void asyncring__thread_name(const char *name)
{
	sys(SYS_prctl, PR_SET_NAME, name, 0, 0, 0);
}
