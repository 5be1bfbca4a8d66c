/* SPDX-License-Identifier: MIT */
/*
 * The sanitizers' allocators take no part in fork() (gcc 12's and clang 14's at least): if another
 * thread is just inside one, the child's next allocation sleeps on its lock and never comes back.
 * Here all allocations of the process pass a gate on their way to the sanitizer, and fork() closes
 * it, as the C library's own allocator does it with its locks. Without a sanitizer: nothing.
 */
#ifndef STRESS_FORK_ALLOCATOR_H
#define STRESS_FORK_ALLOCATOR_H

/* Before anything of the library is used: the last to prepare a fork is who asks first. */
void fork_allocator_take_part(void);

#endif
