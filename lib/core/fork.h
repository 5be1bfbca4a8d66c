/* SPDX-License-Identifier: MIT */
/* What each part of the library with process-wide state does around fork() (fork.c). */
#ifndef ASYNCRING__FORK_H
#define ASYNCRING__FORK_H

/* Install the fork handlers; once, from the first setup. 0 or -ENOMEM. */
int asyncring__fork_handlers_install(void);

/* Before: take the part's locks. After, in parent and child: make its state right, release. */
void asyncring__rings_before_fork(void);
void asyncring__rings_after_fork_parent(void);
void asyncring__rings_after_fork_child(void);
void asyncring__files_before_fork(void);
void asyncring__files_after_fork_parent(void);
void asyncring__files_after_fork_child(void);
void asyncring__pool_before_fork(void);
void asyncring__pool_after_fork_parent(void);
void asyncring__pool_after_fork_child(void);
void asyncring__attendant_before_fork(void);
void asyncring__attendant_after_fork_parent(void);
void asyncring__attendant_after_fork_child(void);
void asyncring__kernel_aio_before_fork(void);
void asyncring__kernel_aio_after_fork_parent(void);
void asyncring__kernel_aio_after_fork_child(void);

#endif
