/* SPDX-License-Identifier: MIT */
/* Looking up what next.h lists. */
#include "next.h"

#include <dlfcn.h>

struct next_functions next_functions;

#define LOOK_UP(name)                                                                              \
	{                                                                                          \
		void *found = dlsym(RTLD_NEXT, #name);                                             \
		__builtin_memcpy(&next_functions.name##_, &found, sizeof(found));                  \
	}

void next_look_up(void)
{
	NEXT_OF_EVERY_LIBC(LOOK_UP)
	NEXT_OF_GLIBC(LOOK_UP)
	atomic_store_explicit(&next_functions.known, true, memory_order_release);
}
