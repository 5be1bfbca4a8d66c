/* SPDX-License-Identifier: MIT */
/*
 * Included before everything else when liburing's own test programs are compiled against
 * libasyncring: some of them make the system calls through liburing's internal wrappers, which are
 * no part of its interface. Those go to the functions that stand for the system calls here.
 *
 * <syscall.h> is liburing's src/syscall.h, which finds our <liburing.h>; what it says is said
 * before the names are taken, so that a program that includes it finds that done.
 */
#include <syscall.h>

#define __sys_io_uring_setup	asyncring_setup
#define __sys_io_uring_enter	asyncring_enter
#define __sys_io_uring_enter2	asyncring_enter2
#define __sys_io_uring_register asyncring_register

/* Further internal functions of liburing's that are called, by their meaning */

/* A ring with the array of the submission queue, which liburing's public function does without. */
static inline int __io_uring_queue_init_params(unsigned entries, struct io_uring *ring,
					       struct io_uring_params *params, void *memory,
					       size_t size)
{
	int fd = memory || size ? -EINVAL : asyncring_setup(entries, params);

	return fd < 0 ? fd : asyncring_queue_mmap(fd, params, ring);
}

/* What asyncring_queue_mmap() gives is the ring's own memory, which stays. */
static inline void io_uring_unmap_rings(struct io_uring_sq *sq, struct io_uring_cq *cq)
{
	(void)sq;
	(void)cq;
}
