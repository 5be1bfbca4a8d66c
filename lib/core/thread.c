/* SPDX-License-Identifier: MIT */
/* Telling threads apart: thread ids and pthread_t are used again, these numbers are not. */
#include "core.h"

__thread uint64_t asyncring__thread_own __attribute__((tls_model("initial-exec")));

uint64_t asyncring__thread_count(void)
{
	static _Atomic uint64_t last;

	/* Relaxed: only that each gets another one matters. */
	asyncring__thread_own = 1 + atomic_fetch_add_explicit(&last, 1, memory_order_relaxed);
	return asyncring__thread_own;
}
