/* SPDX-License-Identifier: MIT */
/*
 * io_uring without any library: system calls by the machine's own instruction, rings mapped as the
 * kernel documents it. Only the structures and numbers come from <asyncring/abi.h>, which are the
 * kernel's. On a machine whose kernel has no io_uring the programs end as skipped.
 */
#ifndef TEST_SERVED_RAW_H
#define TEST_SERVED_RAW_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <asyncring/abi.h>

enum { RAW_SECONDS = 30, RAW_SKIPPED = 77 };

#if defined(__x86_64__)

static inline long raw_call(long number, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}

#elif defined(__aarch64__)

static inline long raw_call(long number, long a, long b, long c, long d, long e, long f)
{
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;

	__asm__ volatile("svc 0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
			 : "memory");
	return x0;
}

#endif

static inline int raw_setup(unsigned entries, struct asyncring_params *params)
{
	return (int)raw_call(SYS_io_uring_setup, entries, (long)params, 0, 0, 0, 0);
}

static inline int raw_enter(int fd, unsigned submit, unsigned wait, unsigned flags)
{
	return (int)raw_call(SYS_io_uring_enter, fd, submit, wait, flags, 0, 0);
}

static inline int raw_register(int fd, unsigned opcode, void *arg, unsigned count)
{
	return (int)raw_call(SYS_io_uring_register, fd, opcode, (long)arg, count, 0, 0);
}

static inline int raw_close(int fd)
{
	return (int)raw_call(SYS_close, fd, 0, 0, 0, 0, 0);
}

static inline void *raw_map(int fd, size_t size, uint64_t offset)
{
	long address = raw_call(SYS_mmap, 0, (long)size, PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_POPULATE, fd, (long)offset);

	return address < 0 && address > -4096 ? NULL : (void *)address;
}

static inline void raw_unmap(void *address, size_t size)
{
	assert_int_equal(raw_call(SYS_munmap, (long)address, (long)size, 0, 0, 0, 0), 0);
}

struct raw_ring {
	int fd;
	struct asyncring_params params;
	char *sq, *cq; /* two mappings, although one would do */
	size_t sq_size, cq_size;
	struct asyncring_sqe *sqes;
	size_t sqes_size;
};

static inline _Atomic(unsigned) *raw_word(char *ring, uint32_t offset)
{
	return (_Atomic(unsigned) *)(void *)(ring + offset);
}

static inline void raw_map_rings(struct raw_ring *ring)
{
	const struct asyncring_params *p = &ring->params;

	ring->sq_size = p->sq_off.array + p->sq_entries * sizeof(unsigned);
	ring->cq_size = p->cq_off.cqes + p->cq_entries * sizeof(struct asyncring_cqe);
	ring->sqes_size = p->sq_entries * sizeof(struct asyncring_sqe);
	ring->sq = raw_map(ring->fd, ring->sq_size, ASYNCRING_OFF_SQ_RING);
	ring->cq = raw_map(ring->fd, ring->cq_size, ASYNCRING_OFF_CQ_RING);
	ring->sqes = raw_map(ring->fd, ring->sqes_size, ASYNCRING_OFF_SQES);
	assert_non_null(ring->sq);
	assert_non_null(ring->cq);
	assert_non_null(ring->sqes);
}

static inline void raw_unmap_rings(struct raw_ring *ring)
{
	raw_unmap(ring->sq, ring->sq_size);
	raw_unmap(ring->cq, ring->cq_size);
	raw_unmap(ring->sqes, ring->sqes_size);
}

static inline void raw_open(struct raw_ring *ring, unsigned flags)
{
	memset(ring, 0, sizeof(*ring));
	ring->params.flags = flags;
	ring->fd = raw_setup(8, &ring->params);
	assert_true(ring->fd >= 0);
	raw_map_rings(ring);
}

/* The next entry, in the queue with the next submission of one more. */
static inline struct asyncring_sqe *raw_sqe(struct raw_ring *ring, uint8_t opcode, int fd,
					    uint64_t user_data)
{
	_Atomic(unsigned) *tail = raw_word(ring->sq, ring->params.sq_off.tail);
	unsigned index = *tail & (ring->params.sq_entries - 1);
	struct asyncring_sqe *sqe = &ring->sqes[index];

	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = opcode;
	sqe->fd = fd;
	sqe->user_data = user_data;
	*raw_word(ring->sq, ring->params.sq_off.array + index * (uint32_t)sizeof(unsigned)) = index;
	atomic_fetch_add(tail, 1);
	return sqe;
}

/* The oldest completion; false: there is none. */
static inline bool raw_cqe(struct raw_ring *ring, struct asyncring_cqe *cqe)
{
	_Atomic(unsigned) *head = raw_word(ring->cq, ring->params.cq_off.head);
	const struct asyncring_cqe *cqes = (const void *)(ring->cq + ring->params.cq_off.cqes);

	if (*head == *raw_word(ring->cq, ring->params.cq_off.tail))
		return false;
	*cqe = cqes[*head & (ring->params.cq_entries - 1)];
	atomic_fetch_add(head, 1);
	return true;
}

/* A NOP there and back. */
static inline void raw_check(struct raw_ring *ring)
{
	struct asyncring_cqe cqe;

	raw_sqe(ring, ASYNCRING_OP_NOP, -1, 77);
	assert_int_equal(raw_enter(ring->fd, 1, 1, ASYNCRING_ENTER_GETEVENTS), 1);
	assert_true(raw_cqe(ring, &cqe));
	assert_int_equal(cqe.user_data, 77);
	assert_int_equal(cqe.res, 0);
	assert_false(raw_cqe(ring, &cqe));
}

/* A read that will wait, submitted. */
static inline void raw_start_read(struct raw_ring *ring, int fd, char *byte, uint64_t user_data)
{
	struct asyncring_sqe *sqe = raw_sqe(ring, ASYNCRING_OP_READ, fd, user_data);

	sqe->addr = (uintptr_t)byte;
	sqe->len = 1;
	sqe->off = (uint64_t)-1;
	assert_int_equal(raw_enter(ring->fd, 1, 0, 0), 1);
}

static inline bool raw_readable(int fd, int timeout_ms)
{
	struct pollfd entry = {.fd = fd, .events = POLLIN};

	return poll(&entry, 1, timeout_ms) == 1;
}

static inline void raw_close_ring(struct raw_ring *ring)
{
	raw_unmap_rings(ring);
	assert_int_equal(close(ring->fd), 0);
}

/* The exit status of a child that runs @body. */
static inline int raw_in_child(void (*body)(void))
{
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (!child) {
		body();
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

/* First of all in main(): a bound for everything, and is there something to test? */
static inline void raw_begin(void)
{
	struct asyncring_params params = {0};
	int fd;

	alarm(RAW_SECONDS);
	fd = raw_setup(1, &params);
	if (fd == -ENOSYS || fd == -EPERM) {
		fprintf(stderr, "skipped: no io_uring here\n");
		exit(RAW_SKIPPED);
	}
	close(fd);
}

#endif
