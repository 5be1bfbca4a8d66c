/* SPDX-License-Identifier: MIT */
#include "fork_allocator.h"

#ifdef WITH_SANITIZER

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * The sanitizer's, of which the plain names are weak aliases. What calls them here is not
 * instrumented itself: sanitizers allocate before they are ready for that.
 */
void *__interceptor_malloc(size_t size);
void *__interceptor_calloc(size_t count, size_t size);
void *__interceptor_realloc(void *memory, size_t size);
int __interceptor_posix_memalign(void **memory, size_t alignment, size_t size);
void __interceptor_free(void *memory);

/*
 * Threads inside the allocator, and whether a fork is under way. Sequentially consistent: a thread
 * counts itself and then looks, who forks says so and then counts.
 */
static _Atomic unsigned inside;
static _Atomic bool closed;
/* The thread that forks allocates while it does: nobody else is inside then. */
static _Thread_local bool forks;

static void enter(void)
{
	if (forks)
		return;
	for (;;) {
		atomic_fetch_add(&inside, 1);
		if (!atomic_load(&closed))
			return;
		atomic_fetch_sub(&inside, 1);
		while (atomic_load(&closed))
			sched_yield();
	}
}

static void leave(void)
{
	if (!forks)
		atomic_fetch_sub(&inside, 1);
}

void *malloc(size_t size)
{
	void *memory;

	enter();
	memory = __interceptor_malloc(size);
	leave();
	return memory;
}

void *calloc(size_t count, size_t size)
{
	void *memory;

	enter();
	memory = __interceptor_calloc(count, size);
	leave();
	return memory;
}

void *realloc(void *memory, size_t size)
{
	enter();
	memory = __interceptor_realloc(memory, size);
	leave();
	return memory;
}

int posix_memalign(void **memory, size_t alignment, size_t size)
{
	int error;

	enter();
	error = __interceptor_posix_memalign(memory, alignment, size);
	leave();
	return error;
}

void free(void *memory)
{
	int error = errno;

	enter();
	__interceptor_free(memory);
	leave();
	errno = error;
}

static void close_gate(void)
{
	forks = true;
	atomic_store(&closed, true);
	while (atomic_load(&inside))
		sched_yield();
}

static void open_gate(void)
{
	atomic_store(&closed, false);
	forks = false;
}

void fork_allocator_take_part(void)
{
	pthread_atfork(close_gate, open_gate, open_gate);
}

#else

void fork_allocator_take_part(void)
{
}

#endif
