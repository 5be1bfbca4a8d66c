/* SPDX-License-Identifier: MIT */
/*
 * What stands in for <asyncring.h> where arhttpd is built against liburing, and what the liburing
 * of Debian 12 (2.3) lacks of what it uses.
 */
#ifndef HTTPD_ORACLE_H
#define HTTPD_ORACLE_H

#include <errno.h>
#include <liburing.h>
#include <sys/mman.h>

#ifndef IORING_TIMEOUT_MULTISHOT
#define IORING_TIMEOUT_MULTISHOT (1U << 6)
#endif

/* Some versions do not mind what stands for "any slot", and none is as careful with const. */
static inline void oracle_prep_accept_direct(struct io_uring_sqe *sqe, int fd,
					     struct sockaddr *address, socklen_t *length, int flags,
					     unsigned file_index)
{
	io_uring_prep_accept(sqe, fd, address, length, flags);
	sqe->file_index = file_index == IORING_FILE_INDEX_ALLOC ? file_index : file_index + 1;
}

static inline void oracle_prep_openat2(struct io_uring_sqe *sqe, int dfd, const char *path,
				       const struct open_how *how)
{
	io_uring_prep_openat2(sqe, dfd, path, (struct open_how *)how);
}

static inline struct io_uring_buf_ring *oracle_setup_buf_ring(struct io_uring *ring,
							      unsigned entries, int group,
							      unsigned flags, int *error)
{
	const size_t size = entries * sizeof(struct io_uring_buf);
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct io_uring_buf_reg reg = {.ring_addr = (__u64)(uintptr_t)memory,
				       .ring_entries = entries,
				       .bgid = (__u16)group};

	*error = memory == MAP_FAILED ? -errno : io_uring_register_buf_ring(ring, &reg, flags);
	return *error ? NULL : memory;
}

#define io_uring_prep_accept_direct oracle_prep_accept_direct
#define io_uring_prep_openat2	    oracle_prep_openat2
#define io_uring_setup_buf_ring	    oracle_setup_buf_ring

#endif
