/* SPDX-License-Identifier: MIT */
/* Telling threads apart: thread ids and pthread_t are used again, these numbers are not. */
#include "core.h"

uint64_t asyncring__thread_number(void)
{
	static _Atomic uint64_t last;
	/* Found without a call: it is asked with each message. */
	static __thread uint64_t number __attribute__((tls_model("initial-exec")));

	if (!number)
		/* Relaxed: only that each gets another one matters. */
		number = 1 + atomic_fetch_add_explicit(&last, 1, memory_order_relaxed);
	return number;
}
