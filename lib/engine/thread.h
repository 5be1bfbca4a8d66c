/* SPDX-License-Identifier: MIT */
/* The library's own threads: none of the application's signals, a small stack, a name. */
#ifndef ASYNCRING__THREAD_H
#define ASYNCRING__THREAD_H

#include <pthread.h>

/*
 * Start a thread with every signal blocked (hazard H6); 0 or an errno. The caller's errno and
 * signal mask stay as they are.
 */
int asyncring__thread_start(pthread_t *thread, void *(*run)(void *), void *argument);

/* Not a cancellation point, unlike pthread_join. */
void asyncring__thread_join(pthread_t thread);

/* Name the calling thread, for people who look at /proc. */
void asyncring__thread_name(const char *name);

#endif
