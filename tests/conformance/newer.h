/* SPDX-License-Identifier: MIT */
/*
 * What Linux 6.18 has and the installed liburing may not know yet.
 *
 * Only the oracle build (conformance tests against the real kernel) includes this, and only through
 * harness.h, after <liburing.h>. Debian 12 ships liburing 2.3, which stops at Linux 6.0; the tests
 * are written in the names of the newest liburing, so the gap is filled here. Constants are macros,
 * which may shadow an enumerator of a newer liburing without harm; structures, fields and functions
 * appear only where HARNESS_LIBURING_BEFORE() says that the installed one lacks them.
 */
#ifndef CONFORMANCE_NEWER_H
#define CONFORMANCE_NEWER_H

#include <liburing.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>

#ifdef IO_URING_VERSION_MAJOR
#define HARNESS_LIBURING_BEFORE(major, minor)                                                      \
	(IO_URING_VERSION_MAJOR < (major) ||                                                       \
	 (IO_URING_VERSION_MAJOR == (major) && IO_URING_VERSION_MINOR < (minor)))
#else
/* liburing tells its version from 2.4 on. */
#define HARNESS_LIBURING_BEFORE(major, minor) 1
#endif

/* Opcodes. */
#ifndef IORING_OP_READ_MULTISHOT
#define IORING_OP_READ_MULTISHOT   49
#define IORING_OP_WAITID	   50
#define IORING_OP_FUTEX_WAIT	   51
#define IORING_OP_FUTEX_WAKE	   52
#define IORING_OP_FUTEX_WAITV	   53
#define IORING_OP_FIXED_FD_INSTALL 54
#define IORING_OP_FTRUNCATE	   55
#define IORING_OP_BIND		   56
#define IORING_OP_LISTEN	   57
#define IORING_OP_RECV_ZC	   58
#define IORING_OP_EPOLL_WAIT	   59
#define IORING_OP_READV_FIXED	   60
#define IORING_OP_WRITEV_FIXED	   61
#define IORING_OP_PIPE		   62
#endif

/* Register opcodes. */
#ifndef IORING_REGISTER_PBUF_STATUS
#define IORING_REGISTER_PBUF_STATUS   26
#define IORING_REGISTER_NAPI	      27
#define IORING_UNREGISTER_NAPI	      28
#define IORING_REGISTER_CLOCK	      29
#define IORING_REGISTER_CLONE_BUFFERS 30
#define IORING_REGISTER_SEND_MSG_RING 31
#define IORING_REGISTER_ZCRX_IFQ      32
#define IORING_REGISTER_RESIZE_RINGS  33
#define IORING_REGISTER_MEM_REGION    34
#define IORING_REGISTER_QUERY	      35
#endif
#ifndef IORING_REGISTER_USE_REGISTERED_RING
#define IORING_REGISTER_USE_REGISTERED_RING (1U << 31)
#endif

/* Setup flags. */
#ifndef IORING_SETUP_NO_MMAP
#define IORING_SETUP_NO_MMAP (1U << 14)
#endif
#ifndef IORING_SETUP_REGISTERED_FD_ONLY
#define IORING_SETUP_REGISTERED_FD_ONLY (1U << 15)
#endif
#ifndef IORING_SETUP_NO_SQARRAY
#define IORING_SETUP_NO_SQARRAY (1U << 16)
#endif
#ifndef IORING_SETUP_HYBRID_IOPOLL
#define IORING_SETUP_HYBRID_IOPOLL (1U << 17)
#endif
#ifndef IORING_SETUP_CQE_MIXED
#define IORING_SETUP_CQE_MIXED (1U << 18)
#endif

/* Feature bits. */
#ifndef IORING_FEAT_REG_REG_RING
#define IORING_FEAT_REG_REG_RING (1U << 13)
#endif
#ifndef IORING_FEAT_RECVSEND_BUNDLE
#define IORING_FEAT_RECVSEND_BUNDLE (1U << 14)
#endif
#ifndef IORING_FEAT_MIN_TIMEOUT
#define IORING_FEAT_MIN_TIMEOUT (1U << 15)
#endif
#ifndef IORING_FEAT_RW_ATTR
#define IORING_FEAT_RW_ATTR (1U << 16)
#endif
#ifndef IORING_FEAT_NO_IOWAIT
#define IORING_FEAT_NO_IOWAIT (1U << 17)
#endif

/* Enter flags. */
#ifndef IORING_ENTER_ABS_TIMER
#define IORING_ENTER_ABS_TIMER (1U << 5)
#endif
#ifndef IORING_ENTER_EXT_ARG_REG
#define IORING_ENTER_EXT_ARG_REG (1U << 6)
#endif
#ifndef IORING_ENTER_NO_IOWAIT
#define IORING_ENTER_NO_IOWAIT (1U << 7)
#endif

/* CQE flags. */
#ifndef IORING_CQE_F_BUF_MORE
#define IORING_CQE_F_BUF_MORE (1U << 4)
#endif
#ifndef IORING_CQE_F_SKIP
#define IORING_CQE_F_SKIP (1U << 5)
#endif
#ifndef IORING_CQE_F_32
#define IORING_CQE_F_32 (1U << 15)
#endif

/* Flags of single operations. */
#ifndef IORING_NOP_INJECT_RESULT
#define IORING_NOP_INJECT_RESULT (1U << 0)
#endif
#ifndef IORING_NOP_FILE
#define IORING_NOP_FILE (1U << 1)
#endif
#ifndef IORING_NOP_FIXED_FILE
#define IORING_NOP_FIXED_FILE (1U << 2)
#endif
#ifndef IORING_NOP_FIXED_BUFFER
#define IORING_NOP_FIXED_BUFFER (1U << 3)
#endif
#ifndef IORING_NOP_TW
#define IORING_NOP_TW (1U << 4)
#endif
#ifndef IORING_NOP_CQE32
#define IORING_NOP_CQE32 (1U << 5)
#endif
#ifndef IORING_ASYNC_CANCEL_USERDATA
#define IORING_ASYNC_CANCEL_USERDATA (1U << 4)
#endif
#ifndef IORING_ASYNC_CANCEL_OP
#define IORING_ASYNC_CANCEL_OP (1U << 5)
#endif
#ifndef IORING_MSG_RING_FLAGS_PASS
#define IORING_MSG_RING_FLAGS_PASS (1U << 1)
#endif
#ifndef IORING_FIXED_FD_NO_CLOEXEC
#define IORING_FIXED_FD_NO_CLOEXEC (1U << 0)
#endif
#ifndef IORING_TIMEOUT_MULTISHOT
#define IORING_TIMEOUT_MULTISHOT (1U << 6)
#endif
#ifndef RWF_ATOMIC
#define RWF_ATOMIC 0x00000040
#endif
#ifndef RWF_DONTCACHE
#define RWF_DONTCACHE 0x00000080
#endif

/* Cloning of registered buffers. */
#if HARNESS_LIBURING_BEFORE(2, 8)
#define IORING_REGISTER_SRC_REGISTERED (1U << 0)
#endif
#if HARNESS_LIBURING_BEFORE(2, 9)
#define IORING_REGISTER_DST_REPLACE (1U << 1)

struct io_uring_clone_buffers {
	__u32 src_fd;
	__u32 flags;
	__u32 src_off;
	__u32 dst_off;
	__u32 nr;
	__u32 pad[3];
};
#endif

/* Waiting for processes, futexes and epoll sets; pipes. */
#if HARNESS_LIBURING_BEFORE(2, 5)
struct futex_waitv;

static inline void io_uring_prep_futex_wake(struct io_uring_sqe *sqe, const uint32_t *futex,
					    uint64_t value, uint64_t mask, uint32_t futex_flags,
					    unsigned flags)
{
	io_uring_prep_rw(IORING_OP_FUTEX_WAKE, sqe, (int)futex_flags, futex, 0, value);
	sqe->rw_flags = (int)flags; /* futex_flags */
	sqe->addr3 = mask;
}

static inline void io_uring_prep_futex_wait(struct io_uring_sqe *sqe, const uint32_t *futex,
					    uint64_t value, uint64_t mask, uint32_t futex_flags,
					    unsigned flags)
{
	io_uring_prep_rw(IORING_OP_FUTEX_WAIT, sqe, (int)futex_flags, futex, 0, value);
	sqe->rw_flags = (int)flags; /* futex_flags */
	sqe->addr3 = mask;
}

static inline void io_uring_prep_futex_waitv(struct io_uring_sqe *sqe,
					     const struct futex_waitv *vector, uint32_t count,
					     unsigned flags)
{
	io_uring_prep_rw(IORING_OP_FUTEX_WAITV, sqe, 0, vector, count, 0);
	sqe->rw_flags = (int)flags; /* futex_flags */
}

static inline void io_uring_prep_waitid(struct io_uring_sqe *sqe, idtype_t kind, id_t id,
					siginfo_t *info, int options, unsigned flags)
{
	io_uring_prep_rw(IORING_OP_WAITID, sqe, (int)id, NULL, (unsigned)kind, 0);
	sqe->rw_flags = (int)flags; /* waitid_flags */
	sqe->file_index = (unsigned)options;
	sqe->addr2 = (uintptr_t)info;
}
#endif

#if HARNESS_LIBURING_BEFORE(2, 10)
static inline void io_uring_prep_epoll_wait(struct io_uring_sqe *sqe, int fd,
					    struct epoll_event *events, int count, unsigned flags)
{
	io_uring_prep_rw(IORING_OP_EPOLL_WAIT, sqe, fd, events, (unsigned)count, 0);
	sqe->rw_flags = (int)flags;
}
#endif

#if HARNESS_LIBURING_BEFORE(2, 12)
static inline void io_uring_prep_pipe(struct io_uring_sqe *sqe, int *fds, int flags)
{
	io_uring_prep_rw(IORING_OP_PIPE, sqe, 0, fds, 0, 0);
	sqe->rw_flags = flags; /* pipe_flags */
}

static inline void io_uring_prep_pipe_direct(struct io_uring_sqe *sqe, int *fds, int flags,
					     unsigned slot)
{
	io_uring_prep_pipe(sqe, fds, flags);
	/* The slot plus one; "any" is the highest number already. */
	sqe->file_index = slot == IORING_FILE_INDEX_ALLOC ? slot : slot + 1;
}
#endif

/* Clocks, regions, sizes, queries. */
#if HARNESS_LIBURING_BEFORE(2, 8)
struct io_uring_clock_register {
	__u32 clockid;
	__u32 __resv[3];
};
#endif

#if HARNESS_LIBURING_BEFORE(2, 13)
enum { IO_URING_QUERY_OPCODES = 0 };

struct io_uring_query_hdr {
	__u64 next_entry;
	__u64 query_data;
	__u32 query_op;
	__u32 size;
	__s32 result;
	__u32 __resv[3];
};

struct io_uring_query_opcode {
	__u32 nr_request_opcodes;
	__u32 nr_register_opcodes;
	__u64 feature_flags;
	__u64 ring_setup_flags;
	__u64 enter_flags;
	__u64 sqe_flags;
	__u32 nr_query_opcodes;
	__u32 __pad;
};
#endif

/*
 * New members that took the place of padding. The macro gives the old member its new name, so that
 * a test reads as it does with a current header.
 */
#if HARNESS_LIBURING_BEFORE(2, 5)
#define user_addr resv2 /* sq_off.user_addr, cq_off.user_addr */
#endif
#if HARNESS_LIBURING_BEFORE(2, 6)
#define install_fd_flags rw_flags
#endif
#if HARNESS_LIBURING_BEFORE(2, 7)
#define nop_flags rw_flags
#endif
#if HARNESS_LIBURING_BEFORE(2, 8)
#define min_wait_usec pad /* of struct io_uring_getevents_arg */
#endif

/* After these macros, which name its members too. */
#if HARNESS_LIBURING_BEFORE(2, 9)
enum { IORING_MEM_REGION_TYPE_USER = 1, IORING_MEM_REGION_REG_WAIT_ARG = 1 };
enum { IORING_REG_WAIT_TS = 1 };

struct io_uring_region_desc {
	__u64 user_addr;
	__u64 size;
	__u32 flags;
	__u32 id;
	__u64 mmap_offset;
	__u64 __resv[4];
};

struct io_uring_mem_region_reg {
	__u64 region_uptr;
	__u64 flags;
	__u64 __resv[2];
};

struct io_uring_reg_wait {
	struct __kernel_timespec ts;
	__u32 min_wait_usec;
	__u32 flags;
	__u64 sigmask;
	__u32 sigmask_sz;
	__u32 __reserved[3];
	__u64 pad2[2];
};
#endif

/* Declared by liburing 2.3, but missing from its shared library's symbol map. */
#if HARNESS_LIBURING_BEFORE(2, 4)
static inline int harness_enable_rings(struct io_uring *ring)
{
	return io_uring_register(ring->ring_fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
}
#define io_uring_enable_rings(ring) harness_enable_rings(ring)

static inline int harness_register_restrictions(struct io_uring *ring,
						struct io_uring_restriction *restrictions,
						unsigned count)
{
	return io_uring_register(ring->ring_fd, IORING_REGISTER_RESTRICTIONS, restrictions, count);
}
#define io_uring_register_restrictions(ring, restrictions, count)                                  \
	harness_register_restrictions(ring, restrictions, count)
#endif

/* The key "opcode" of a synchronous cancel is the byte behind the timeout, padding in old headers.
 */
static inline void harness_sync_cancel_set_opcode(struct io_uring_sync_cancel_reg *reg,
						  unsigned char opcode)
{
	size_t offset = offsetof(struct io_uring_sync_cancel_reg, timeout) + sizeof(reg->timeout);

	memcpy((char *)reg + offset, &opcode, 1);
}

#if HARNESS_LIBURING_BEFORE(2, 4)
static inline void io_uring_prep_msg_ring_cqe_flags(struct io_uring_sqe *sqe, int fd, unsigned len,
						    __u64 data, unsigned flags, unsigned cqe_flags)
{
	io_uring_prep_msg_ring(sqe, fd, len, data, flags);
	sqe->msg_ring_flags = IORING_MSG_RING_FLAGS_PASS | flags;
	sqe->file_index = cqe_flags;
}

static inline void io_uring_prep_msg_ring_fd(struct io_uring_sqe *sqe, int fd, int source_fd,
					     int target_fd, __u64 data, unsigned flags)
{
	io_uring_prep_rw(IORING_OP_MSG_RING, sqe, fd, (void *)(uintptr_t)IORING_MSG_SEND_FD, 0,
			 data);
	sqe->addr3 = (unsigned)source_fd;
	/* As everywhere, the slot number travels as number + 1 unless the kernel is to choose it.
	 */
	if ((unsigned)target_fd == IORING_FILE_INDEX_ALLOC)
		target_fd--;
	__io_uring_set_target_fixed_file(sqe, target_fd);
	sqe->msg_ring_flags = flags;
}

static inline void io_uring_prep_msg_ring_fd_alloc(struct io_uring_sqe *sqe, int fd, int source_fd,
						   __u64 data, unsigned flags)
{
	io_uring_prep_msg_ring_fd(sqe, fd, source_fd, (int)IORING_FILE_INDEX_ALLOC, data, flags);
}
#endif

#if HARNESS_LIBURING_BEFORE(2, 6)
static inline void io_uring_prep_fixed_fd_install(struct io_uring_sqe *sqe, int slot,
						  unsigned flags)
{
	io_uring_prep_rw(IORING_OP_FIXED_FD_INSTALL, sqe, slot, NULL, 0, 0);
	sqe->flags = IOSQE_FIXED_FILE;
	sqe->install_fd_flags = (int)flags;
}

static inline void io_uring_prep_ftruncate(struct io_uring_sqe *sqe, int fd, loff_t length)
{
	io_uring_prep_rw(IORING_OP_FTRUNCATE, sqe, fd, NULL, 0, (__u64)length);
}
#endif

#if HARNESS_LIBURING_BEFORE(2, 7)
/* A 64-bit length: where the narrow forms have "len", these use "addr" and "off". */
static inline void io_uring_prep_fadvise64(struct io_uring_sqe *sqe, int fd, __u64 offset,
					   off_t length, int advice)
{
	io_uring_prep_rw(IORING_OP_FADVISE, sqe, fd, NULL, 0, offset);
	sqe->addr = (__u64)length;
	sqe->fadvise_advice = (__u32)advice;
}

static inline void io_uring_prep_madvise64(struct io_uring_sqe *sqe, void *addr, off_t length,
					   int advice)
{
	io_uring_prep_rw(IORING_OP_MADVISE, sqe, -1, addr, 0, (__u64)length);
	sqe->fadvise_advice = (__u32)advice;
}
#endif

#if HARNESS_LIBURING_BEFORE(2, 9)
static inline int io_uring_clone_buffers_offset(struct io_uring *target, struct io_uring *source,
						unsigned target_offset, unsigned source_offset,
						unsigned count, unsigned flags)
{
	struct io_uring_clone_buffers clone = {
		.src_fd = (__u32)source->ring_fd,
		.flags = flags,
		.src_off = source_offset,
		.dst_off = target_offset,
		.nr = count,
	};

	return io_uring_register(target->ring_fd, IORING_REGISTER_CLONE_BUFFERS, &clone, 1);
}
#endif

#if HARNESS_LIBURING_BEFORE(2, 8)
static inline int io_uring_clone_buffers(struct io_uring *target, struct io_uring *source)
{
	return io_uring_clone_buffers_offset(target, source, 0, 0, 0, 0);
}
#endif

#if HARNESS_LIBURING_BEFORE(2, 10)
static inline void io_uring_prep_readv_fixed(struct io_uring_sqe *sqe, int fd,
					     const struct iovec *iovecs, unsigned count,
					     __u64 offset, int flags, int buffer_index)
{
	io_uring_prep_readv2(sqe, fd, iovecs, count, offset, flags);
	sqe->opcode = IORING_OP_READV_FIXED;
	sqe->buf_index = (__u16)buffer_index;
}

static inline void io_uring_prep_writev_fixed(struct io_uring_sqe *sqe, int fd,
					      const struct iovec *iovecs, unsigned count,
					      __u64 offset, int flags, int buffer_index)
{
	io_uring_prep_writev2(sqe, fd, iovecs, count, offset, flags);
	sqe->opcode = IORING_OP_WRITEV_FIXED;
	sqe->buf_index = (__u16)buffer_index;
}
#endif

/* Rings of provided buffers. */
#if HARNESS_LIBURING_BEFORE(2, 4)
#define IOU_PBUF_RING_MMAP    1
#define IORING_OFF_PBUF_RING  0x80000000ull
#define IORING_OFF_PBUF_SHIFT 16
#endif
#if HARNESS_LIBURING_BEFORE(2, 6)
struct io_uring_buf_status {
	__u32 buf_group;
	__u32 head;
	__u32 resv[8];
};

static inline int io_uring_buf_ring_head(struct io_uring *ring, int group, uint16_t *head)
{
	struct io_uring_buf_status status = {.buf_group = (__u32)group};
	int ret =
		io_uring_register((unsigned)ring->ring_fd, IORING_REGISTER_PBUF_STATUS, &status, 1);

	if (!ret)
		*head = (uint16_t)status.head;
	return ret;
}

static inline void io_uring_prep_read_multishot(struct io_uring_sqe *sqe, int fd, unsigned bytes,
						__u64 offset, int group)
{
	io_uring_prep_rw(IORING_OP_READ_MULTISHOT, sqe, fd, NULL, bytes, offset);
	sqe->buf_group = (__u16)group;
	sqe->flags = IOSQE_BUFFER_SELECT;
}
#endif
#if HARNESS_LIBURING_BEFORE(2, 8)
#define IOU_PBUF_RING_INC 2
#endif

#endif /* CONFORMANCE_NEWER_H */
