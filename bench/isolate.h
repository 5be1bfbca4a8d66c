/* SPDX-License-Identifier: MIT */
/*
 * Runs a function in a child process: each measurement starts with no threads, no rings and an
 * empty thread pool, whatever the engine before it has left behind, its CPU time is its own, and a
 * crash or a hang costs one cell of the table. The parent has one thread and no engine open.
 */
#ifndef BENCH_ISOLATE_H
#define BENCH_ISOLATE_H

#include <stddef.h>

/*
 * Calls function(argument, outcome) in a child; outcome is size bytes that the child may write and
 * the parent sees afterwards. The child is killed after limit seconds, and when the parent dies.
 *
 * Returns 0 when the function returned, the signal's number when one ended the child, or a
 * negative errno when there was no child.
 */
int bench_isolate(void (*function)(const void *argument, void *outcome), const void *argument,
		  void *outcome, size_t size, unsigned limit);

#endif
