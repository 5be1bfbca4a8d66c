/* SPDX-License-Identifier: MIT */
/* Allocation: one place, so that a test build can make the n-th one fail. */
#include <stdlib.h>

#include "core.h"

#ifdef ASYNCRING_TESTING
/* Returns false to make the allocation fail. */
bool (*asyncring__alloc_hook)(size_t size);

static bool allowed(size_t size)
{
	return !asyncring__alloc_hook || asyncring__alloc_hook(size);
}
#else
static bool allowed(size_t size)
{
	(void)size;
	return true;
}
#endif

/* malloc sets errno when it fails; the application's must survive. */
void *asyncring__alloc(size_t size)
{
	int saved = errno;
	void *memory = allowed(size) ? malloc(size) : NULL;

	errno = saved;
	return memory;
}

void *asyncring__alloc_zeroed(size_t count, size_t size)
{
	int saved = errno;
	void *memory = allowed(count * size) ? calloc(count, size) : NULL;

	errno = saved;
	return memory;
}

void asyncring__free(void *memory)
{
	int saved = errno;

	free(memory);
	errno = saved;
}
