/* SPDX-License-Identifier: MIT */
/*
 * Counts heap allocations of the whole process, in the program and in the libraries it uses, by
 * standing in for the C library's malloc and its kin. Any thread.
 */
#ifndef BENCH_HEAP_H
#define BENCH_HEAP_H

#include <stdbool.h>
#include <stdint.h>

/* Calls so far of malloc, calloc, realloc, aligned_alloc and posix_memalign. */
uint64_t bench_heap_allocations(void);

/* Whether it works: not under a sanitizer, which has its own stand-ins, nor linked statically. */
bool bench_heap_counts(void);

#endif
