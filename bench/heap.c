/* SPDX-License-Identifier: MIT */
/*
 * The stand-ins find the real functions with dlsym, which may itself allocate: whatever is asked
 * for until they are found comes from a small static area, and is never freed.
 *
 * Finding them happens before the program's second thread exists (the loader's or main's first
 * allocation at the latest), so the pointers need no lock; the counter is a relaxed atomic.
 */
#include "heap.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static atomic_uint_fast64_t allocations;

uint64_t bench_heap_allocations(void)
{
	return atomic_load_explicit(&allocations, memory_order_relaxed);
}

bool bench_heap_counts(void)
{
	uint64_t before = bench_heap_allocations();

	/* An allocation made inside the C library, so that it proves that libraries' count too. */
	free(strdup("x"));
	return bench_heap_allocations() == before + 1;
}

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED
#endif

#ifndef SANITIZED

/* The program may be built with hidden visibility; these must be found by every library. */
#define STAND_IN __attribute__((visibility("default")))

static struct {
	void *(*malloc)(size_t size);
	void *(*calloc)(size_t count, size_t size);
	void *(*realloc)(void *memory, size_t size);
	void *(*aligned_alloc)(size_t alignment, size_t size);
	int (*posix_memalign)(void **memory, size_t alignment, size_t size);
	void (*free)(void *memory);
} real;

static _Alignas(max_align_t) char early[8192];
static size_t early_used;

static bool is_early(const void *memory)
{
	uintptr_t address = (uintptr_t)memory;

	return address >= (uintptr_t)early && address < (uintptr_t)early + sizeof(early);
}

static void *allocate_early(size_t size)
{
	void *memory = early + early_used;

	size = (size + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
	if (size > sizeof(early) - early_used)
		return NULL;
	early_used += size;
	return memory;
}

/* False while, further up the stack, it is at work. */
static bool found(void)
{
	static bool looking;

	if (real.free)
		return true;
	if (looking)
		return false;
	looking = true;
	*(void **)&real.malloc = dlsym(RTLD_NEXT, "malloc");
	*(void **)&real.calloc = dlsym(RTLD_NEXT, "calloc");
	*(void **)&real.realloc = dlsym(RTLD_NEXT, "realloc");
	*(void **)&real.aligned_alloc = dlsym(RTLD_NEXT, "aligned_alloc");
	*(void **)&real.posix_memalign = dlsym(RTLD_NEXT, "posix_memalign");
	*(void **)&real.free = dlsym(RTLD_NEXT, "free");
	looking = false;
	return true;
}

static void count(void)
{
	atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed);
}

STAND_IN void *malloc(size_t size)
{
	count();
	return found() ? real.malloc(size) : allocate_early(size);
}

STAND_IN void *calloc(size_t number, size_t size)
{
	count();
	/* The early area is zeroed, and what is asked of it does not overflow. */
	return found() ? real.calloc(number, size) : allocate_early(number * size);
}

STAND_IN void *realloc(void *memory, size_t size)
{
	void *moved;

	if (!is_early(memory)) {
		count();
		return found() ? real.realloc(memory, size) : allocate_early(size);
	}
	moved = malloc(size);
	if (moved) {
		size_t rest = (size_t)(early + sizeof(early) - (char *)memory);

		memcpy(moved, memory, size < rest ? size : rest);
	}
	return moved;
}

STAND_IN void *aligned_alloc(size_t alignment, size_t size)
{
	count();
	return found() ? real.aligned_alloc(alignment, size) : NULL;
}

STAND_IN int posix_memalign(void **memory, size_t alignment, size_t size)
{
	count();
	return found() ? real.posix_memalign(memory, alignment, size) : ENOMEM;
}

STAND_IN void free(void *memory)
{
	if (!is_early(memory) && found())
		real.free(memory);
}

#endif
