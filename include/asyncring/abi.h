/* SPDX-License-Identifier: MIT */
/*
 * The binary interface: every structure and constant that travels between an application and a
 * ring, with the sizes, offsets and values of <linux/io_uring.h> of Linux 6.18 (and the few of
 * 6.19 that complete a family). Only the names are ours; see asyncring.h for the renaming rule.
 *
 * The header is self-contained: it needs no kernel headers newer than the C library's own, and it
 * may be included together with <linux/io_uring.h> or <liburing.h>. It declares no functions. That
 * a constant is listed here does not say that this library serves it; ASYNCRING_REGISTER_PROBE,
 * params.features and docs/compatibility.md do.
 *
 * All words are in the byte order of the machine. Pointers travel as 64-bit numbers. Fields named
 * resv or pad, and fields that an operation does not use, must be zero.
 */
#ifndef ASYNCRING_ABI_H
#define ASYNCRING_ABI_H

#include <stdint.h>

/*
 * The kernel's fixed-size names are used on purpose: __u64 is unsigned long long where uint64_t is
 * unsigned long, and a program that prints or points at such fields must go on compiling.
 */
#if __has_include(<linux/types.h>)
#include <linux/types.h>
#else
typedef uint8_t __u8;
typedef int8_t __s8;
typedef uint16_t __u16;
typedef int16_t __s16;
typedef uint32_t __u32;
typedef int32_t __s32;
typedef unsigned long long __u64;
typedef long long __s64;
#endif

#if __has_include(<linux/time_types.h>)
#include <linux/time_types.h>
#else
/* Seconds and nanoseconds, 64 bits each on every machine. */
struct __kernel_timespec {
	long long tv_sec;
	long long tv_nsec;
};
#endif

/* The kernel's anonymous structures and empty arrays are extensions in C++ and partly in C. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"

#ifdef __cplusplus
extern "C" {
#endif

/* --------------------------------------------------------------------------------------------
 * Submission queue entry
 */

/*
 * One request as the application writes it: 64 bytes, or 128 where the ring has
 * ASYNCRING_SETUP_SQE128 (then cmd[] has 80 bytes). The library reads an entry exactly once, while
 * it is being submitted; afterwards the entry may be overwritten.
 */
struct asyncring_sqe {
	__u8 opcode;  /* enum asyncring_op */
	__u8 flags;   /* ASYNCRING_SQE_* */
	__u16 ioprio; /* I/O priority; flags of accept, send, receive */
	__s32 fd;     /* file descriptor, or index of a registered file */
	union {
		__u64 off; /* file offset; -1 uses and moves the file position */
		__u64 addr2;
		struct {
			__u32 cmd_op;
			__u32 __pad1;
		};
	};
	union {
		__u64 addr; /* buffer, iovec array, path ... */
		__u64 splice_off_in;
		struct {
			__u32 level;
			__u32 optname;
		};
	};
	__u32 len; /* bytes of the buffer, or number of iovecs */
	union {
		__u32 rw_flags;
		__u32 fsync_flags;
		__u16 poll_events;   /* the first form of poll's mask */
		__u32 poll32_events; /* half-words swapped on big-endian machines */
		__u32 sync_range_flags;
		__u32 msg_flags;
		__u32 timeout_flags;
		__u32 accept_flags;
		__u32 cancel_flags;
		__u32 open_flags;
		__u32 statx_flags;
		__u32 fadvise_advice;
		__u32 splice_flags;
		__u32 rename_flags;
		__u32 unlink_flags;
		__u32 hardlink_flags;
		__u32 xattr_flags;
		__u32 msg_ring_flags;
		__u32 uring_cmd_flags;
		__u32 waitid_flags;
		__u32 futex_flags;
		__u32 install_fd_flags;
		__u32 nop_flags;
		__u32 pipe_flags;
	};
	__u64 user_data; /* handed back unchanged in the completion */
	/* Packed, because some 32-bit ARM conventions would pad a union of half-words. */
	union {
		__u16 buf_index; /* registered buffer */
		__u16 buf_group; /* group of provided buffers */
	} __attribute__((packed));
	__u16 personality; /* credentials registered before, or 0 */
	union {
		__s32 splice_fd_in;
		__u32 file_index; /* slot of the file table plus one, or 0 */
		__u32 zcrx_ifq_idx;
		__u32 optlen;
		struct {
			__u16 addr_len;
			__u16 __pad3[1];
		};
		struct {
			__u8 write_stream;
			__u8 __pad4[3];
		};
	};
	union {
		struct {
			__u64 addr3;
			__u64 __pad2[1];
		};
		struct {
			__u64 attr_ptr;
			__u64 attr_type_mask;
		};
		__u64 optval;
		/* 16 bytes of command data, 80 with 128-byte entries. */
		__u8 cmd[0];
	};
};

/* sqe->file_index: let the library choose a free slot, which it answers in cqe->res. */
#define ASYNCRING_FILE_INDEX_ALLOC (~0U)

/* sqe->flags: bit numbers, then bits */
enum asyncring_sqe_flags_bit {
	ASYNCRING_SQE_FIXED_FILE_BIT,	    /* fd is a slot of the file table */
	ASYNCRING_SQE_IO_DRAIN_BIT,	    /* starts when all before it have completed */
	ASYNCRING_SQE_IO_LINK_BIT,	    /* the next one starts when this has succeeded */
	ASYNCRING_SQE_IO_HARDLINK_BIT,	    /* ... when this has completed */
	ASYNCRING_SQE_ASYNC_BIT,	    /* is not tried at once, but given to a worker */
	ASYNCRING_SQE_BUFFER_SELECT_BIT,    /* takes a buffer of group buf_group */
	ASYNCRING_SQE_CQE_SKIP_SUCCESS_BIT, /* posts no completion unless it fails */
};

#define ASYNCRING_SQE_FIXED_FILE       (1U << ASYNCRING_SQE_FIXED_FILE_BIT)
#define ASYNCRING_SQE_IO_DRAIN	       (1U << ASYNCRING_SQE_IO_DRAIN_BIT)
#define ASYNCRING_SQE_IO_LINK	       (1U << ASYNCRING_SQE_IO_LINK_BIT)
#define ASYNCRING_SQE_IO_HARDLINK      (1U << ASYNCRING_SQE_IO_HARDLINK_BIT)
#define ASYNCRING_SQE_ASYNC	       (1U << ASYNCRING_SQE_ASYNC_BIT)
#define ASYNCRING_SQE_BUFFER_SELECT    (1U << ASYNCRING_SQE_BUFFER_SELECT_BIT)
#define ASYNCRING_SQE_CQE_SKIP_SUCCESS (1U << ASYNCRING_SQE_CQE_SKIP_SUCCESS_BIT)

/* sqe->opcode */
enum asyncring_op {
	ASYNCRING_OP_NOP,
	ASYNCRING_OP_READV,
	ASYNCRING_OP_WRITEV,
	ASYNCRING_OP_FSYNC,
	ASYNCRING_OP_READ_FIXED,
	ASYNCRING_OP_WRITE_FIXED,
	ASYNCRING_OP_POLL_ADD,
	ASYNCRING_OP_POLL_REMOVE,
	ASYNCRING_OP_SYNC_FILE_RANGE,
	ASYNCRING_OP_SENDMSG,
	ASYNCRING_OP_RECVMSG,
	ASYNCRING_OP_TIMEOUT,
	ASYNCRING_OP_TIMEOUT_REMOVE,
	ASYNCRING_OP_ACCEPT,
	ASYNCRING_OP_ASYNC_CANCEL,
	ASYNCRING_OP_LINK_TIMEOUT,
	ASYNCRING_OP_CONNECT,
	ASYNCRING_OP_FALLOCATE,
	ASYNCRING_OP_OPENAT,
	ASYNCRING_OP_CLOSE,
	ASYNCRING_OP_FILES_UPDATE,
	ASYNCRING_OP_STATX,
	ASYNCRING_OP_READ,
	ASYNCRING_OP_WRITE,
	ASYNCRING_OP_FADVISE,
	ASYNCRING_OP_MADVISE,
	ASYNCRING_OP_SEND,
	ASYNCRING_OP_RECV,
	ASYNCRING_OP_OPENAT2,
	ASYNCRING_OP_EPOLL_CTL,
	ASYNCRING_OP_SPLICE,
	ASYNCRING_OP_PROVIDE_BUFFERS,
	ASYNCRING_OP_REMOVE_BUFFERS,
	ASYNCRING_OP_TEE,
	ASYNCRING_OP_SHUTDOWN,
	ASYNCRING_OP_RENAMEAT,
	ASYNCRING_OP_UNLINKAT,
	ASYNCRING_OP_MKDIRAT,
	ASYNCRING_OP_SYMLINKAT,
	ASYNCRING_OP_LINKAT,
	ASYNCRING_OP_MSG_RING,
	ASYNCRING_OP_FSETXATTR,
	ASYNCRING_OP_SETXATTR,
	ASYNCRING_OP_FGETXATTR,
	ASYNCRING_OP_GETXATTR,
	ASYNCRING_OP_SOCKET,
	ASYNCRING_OP_URING_CMD,
	ASYNCRING_OP_SEND_ZC,
	ASYNCRING_OP_SENDMSG_ZC,
	ASYNCRING_OP_READ_MULTISHOT,
	ASYNCRING_OP_WAITID,
	ASYNCRING_OP_FUTEX_WAIT,
	ASYNCRING_OP_FUTEX_WAKE,
	ASYNCRING_OP_FUTEX_WAITV,
	ASYNCRING_OP_FIXED_FD_INSTALL,
	ASYNCRING_OP_FTRUNCATE,
	ASYNCRING_OP_BIND,
	ASYNCRING_OP_LISTEN,
	ASYNCRING_OP_RECV_ZC,
	ASYNCRING_OP_EPOLL_WAIT,
	ASYNCRING_OP_READV_FIXED,
	ASYNCRING_OP_WRITEV_FIXED,
	ASYNCRING_OP_PIPE,
	ASYNCRING_OP_NOP128,
	ASYNCRING_OP_URING_CMD128,

	ASYNCRING_OP_LAST /* one past the highest number named here */
};

/* sqe->uring_cmd_flags */
#define ASYNCRING_URING_CMD_FIXED     (1U << 0) /* buf_index names a registered buffer */
#define ASYNCRING_URING_CMD_MULTISHOT (1U << 1) /* needs BUFFER_SELECT */
#define ASYNCRING_URING_CMD_MASK      (ASYNCRING_URING_CMD_FIXED | ASYNCRING_URING_CMD_MULTISHOT)

/* sqe->fsync_flags */
#define ASYNCRING_FSYNC_DATASYNC (1U << 0) /* fdatasync(2) */

/* sqe->timeout_flags */
#define ASYNCRING_TIMEOUT_ABS		(1U << 0) /* a point in time, not a length of it */
#define ASYNCRING_TIMEOUT_UPDATE	(1U << 1)
#define ASYNCRING_TIMEOUT_BOOTTIME	(1U << 2)
#define ASYNCRING_TIMEOUT_REALTIME	(1U << 3)
#define ASYNCRING_LINK_TIMEOUT_UPDATE	(1U << 4)
#define ASYNCRING_TIMEOUT_ETIME_SUCCESS (1U << 5) /* expiry does not break a link */
#define ASYNCRING_TIMEOUT_MULTISHOT	(1U << 6)
#define ASYNCRING_TIMEOUT_IMMEDIATE_ARG (1U << 7) /* sqe->addr is nanoseconds (7.0) */
#define ASYNCRING_TIMEOUT_CLOCK_MASK	(ASYNCRING_TIMEOUT_BOOTTIME | ASYNCRING_TIMEOUT_REALTIME)
#define ASYNCRING_TIMEOUT_UPDATE_MASK	(ASYNCRING_TIMEOUT_UPDATE | ASYNCRING_LINK_TIMEOUT_UPDATE)

/* sqe->splice_flags, beside those of splice(2): splice_fd_in is a registered file. */
#define ASYNCRING_SPLICE_F_FD_IN_FIXED (1U << 31)

/* POLL_ADD and POLL_REMOVE: flags of the command, in sqe->len */
#define ASYNCRING_POLL_ADD_MULTI	(1U << 0)
#define ASYNCRING_POLL_UPDATE_EVENTS	(1U << 1)
#define ASYNCRING_POLL_UPDATE_USER_DATA (1U << 2)
#define ASYNCRING_POLL_ADD_LEVEL	(1U << 3)

/* sqe->cancel_flags: what identifies the requests to cancel */
#define ASYNCRING_ASYNC_CANCEL_ALL	(1U << 0) /* every match, not the first only */
#define ASYNCRING_ASYNC_CANCEL_FD	(1U << 1)
#define ASYNCRING_ASYNC_CANCEL_ANY	(1U << 2)
#define ASYNCRING_ASYNC_CANCEL_FD_FIXED (1U << 3) /* the descriptor is a registered file */
#define ASYNCRING_ASYNC_CANCEL_USERDATA (1U << 4) /* the default when no other key is given */
#define ASYNCRING_ASYNC_CANCEL_OP	(1U << 5)

/* sqe->ioprio of the send and receive operations */
#define ASYNCRING_RECVSEND_POLL_FIRST  (1U << 0) /* wait for readiness before the first attempt */
#define ASYNCRING_RECV_MULTISHOT       (1U << 1)
#define ASYNCRING_RECVSEND_FIXED_BUF   (1U << 2) /* buf_index names a registered buffer */
#define ASYNCRING_SEND_ZC_REPORT_USAGE (1U << 3) /* the notification tells if data was copied */
#define ASYNCRING_RECVSEND_BUNDLE      (1U << 4) /* several provided buffers in one go */
#define ASYNCRING_SEND_VECTORIZED      (1U << 5) /* addr and len are an iovec array */

/* cqe->res of a notification with SEND_ZC_REPORT_USAGE */
#define ASYNCRING_NOTIF_USAGE_ZC_COPIED (1U << 31)

/* sqe->ioprio of ACCEPT */
#define ASYNCRING_ACCEPT_MULTISHOT  (1U << 0)
#define ASYNCRING_ACCEPT_DONTWAIT   (1U << 1)
#define ASYNCRING_ACCEPT_POLL_FIRST (1U << 2)

/* sqe->addr of MSG_RING: the kind of message */
enum asyncring_msg_ring_flags {
	ASYNCRING_MSG_DATA,    /* len becomes res, off becomes user_data over there */
	ASYNCRING_MSG_SEND_FD, /* a registered file goes into the other ring's table */
};

/* sqe->msg_ring_flags */
#define ASYNCRING_MSG_RING_CQE_SKIP   (1U << 0) /* no completion at the target (SEND_FD) */
#define ASYNCRING_MSG_RING_FLAGS_PASS (1U << 1) /* file_index becomes cqe->flags */

/* sqe->install_fd_flags */
#define ASYNCRING_FIXED_FD_NO_CLOEXEC (1U << 0)

/* sqe->nop_flags */
#define ASYNCRING_NOP_INJECT_RESULT (1U << 0) /* len becomes cqe->res */
#define ASYNCRING_NOP_FILE	    (1U << 1) /* look fd up */
#define ASYNCRING_NOP_FIXED_FILE    (1U << 2)
#define ASYNCRING_NOP_FIXED_BUFFER  (1U << 3) /* look buf_index up */
#define ASYNCRING_NOP_TW	    (1U << 4) /* complete as deferred work */
#define ASYNCRING_NOP_CQE32	    (1U << 5) /* off and addr come back in big_cqe */

/* sqe->attr_type_mask of reads and writes, and what attr_ptr points to */
#define ASYNCRING_RW_ATTR_FLAG_PI (1U << 0)

/* Protection information of a read or write. */
struct asyncring_attr_pi {
	__u16 flags;
	__u16 app_tag;
	__u32 len;
	__u64 addr;
	__u64 seed;
	__u64 rsvd;
};

/* sqe->cmd_op of URING_CMD on a socket */
enum asyncring_socket_op {
	ASYNCRING_SOCKET_OP_SIOCINQ = 0,
	ASYNCRING_SOCKET_OP_SIOCOUTQ,
	ASYNCRING_SOCKET_OP_GETSOCKOPT,
	ASYNCRING_SOCKET_OP_SETSOCKOPT,
	ASYNCRING_SOCKET_OP_TX_TIMESTAMP,
	ASYNCRING_SOCKET_OP_GETSOCKNAME,
};

/* --------------------------------------------------------------------------------------------
 * Completion queue entry
 */

/*
 * One completion: 16 bytes, or 32 on a ring with ASYNCRING_SETUP_CQE32 and, on one with
 * ASYNCRING_SETUP_CQE_MIXED, where flags has ASYNCRING_CQE_F_32 (then big_cqe has two words).
 */
struct asyncring_cqe {
	__u64 user_data; /* that of the request */
	__s32 res;	 /* result, or a negative errno */
	__u32 flags;	 /* ASYNCRING_CQE_F_* */
	__u64 big_cqe[];
};

/* cqe->flags */
#define ASYNCRING_CQE_F_BUFFER	      (1U << 0)	 /* the upper 16 bits are a buffer's id */
#define ASYNCRING_CQE_F_MORE	      (1U << 1)	 /* the request is not over */
#define ASYNCRING_CQE_F_SOCK_NONEMPTY (1U << 2)	 /* there is more to receive */
#define ASYNCRING_CQE_F_NOTIF	      (1U << 3)	 /* a notification, not a result */
#define ASYNCRING_CQE_F_BUF_MORE      (1U << 4)	 /* the buffer will be used further */
#define ASYNCRING_CQE_F_SKIP	      (1U << 5)	 /* filler at the ring's end; means nothing */
#define ASYNCRING_CQE_F_32	      (1U << 15) /* a 32-byte entry of a mixed ring */

#define ASYNCRING_CQE_BUFFER_SHIFT 16

/* Completions of ASYNCRING_SOCKET_OP_TX_TIMESTAMP: kind of time stamp, and the stamp itself */
#define ASYNCRING_TIMESTAMP_HW_SHIFT   16
#define ASYNCRING_TIMESTAMP_TYPE_SHIFT (ASYNCRING_TIMESTAMP_HW_SHIFT + 1)
#define ASYNCRING_CQE_F_TSTAMP_HW      ((__u32)1 << ASYNCRING_TIMESTAMP_HW_SHIFT)

struct asyncring_timespec {
	__u64 tv_sec;
	__u64 tv_nsec;
};

/* What a multishot RECVMSG writes at the start of the buffer it picked. */
struct asyncring_recvmsg_out {
	__u32 namelen;
	__u32 controllen;
	__u32 payloadlen;
	__u32 flags; /* msg_flags of recvmsg(2) */
};

/* --------------------------------------------------------------------------------------------
 * Setting a ring up
 */

/* params.flags */
#define ASYNCRING_SETUP_IOPOLL		   (1U << 0)
#define ASYNCRING_SETUP_SQPOLL		   (1U << 1)  /* a thread consumes the SQ */
#define ASYNCRING_SETUP_SQ_AFF		   (1U << 2)  /* sq_thread_cpu is valid */
#define ASYNCRING_SETUP_CQSIZE		   (1U << 3)  /* cq_entries is valid */
#define ASYNCRING_SETUP_CLAMP		   (1U << 4)  /* reduce what is too large */
#define ASYNCRING_SETUP_ATTACH_WQ	   (1U << 5)  /* wq_fd names a ring to share with */
#define ASYNCRING_SETUP_R_DISABLED	   (1U << 6)  /* until REGISTER_ENABLE_RINGS */
#define ASYNCRING_SETUP_SUBMIT_ALL	   (1U << 7)  /* a bad entry does not end the batch */
#define ASYNCRING_SETUP_COOP_TASKRUN	   (1U << 8)  /* no interruption for completions */
#define ASYNCRING_SETUP_TASKRUN_FLAG	   (1U << 9)  /* show pending work in the SQ flags */
#define ASYNCRING_SETUP_SQE128		   (1U << 10) /* 128-byte entries */
#define ASYNCRING_SETUP_CQE32		   (1U << 11) /* 32-byte completions */
#define ASYNCRING_SETUP_SINGLE_ISSUER	   (1U << 12) /* one thread submits */
#define ASYNCRING_SETUP_DEFER_TASKRUN	   (1U << 13) /* completions when asked for */
#define ASYNCRING_SETUP_NO_MMAP		   (1U << 14) /* memory comes from the application */
#define ASYNCRING_SETUP_REGISTERED_FD_ONLY (1U << 15) /* an index instead of a descriptor */
#define ASYNCRING_SETUP_NO_SQARRAY	   (1U << 16) /* entries go in ring order */
#define ASYNCRING_SETUP_HYBRID_IOPOLL	   (1U << 17)
#define ASYNCRING_SETUP_CQE_MIXED	   (1U << 18) /* 16- and 32-byte completions */
#define ASYNCRING_SETUP_SQE_MIXED	   (1U << 19) /* 64- and 128-byte entries (6.19) */

/* Where the parts of the submission ring lie, in bytes from its start. */
struct asyncring_sqring_offsets {
	__u32 head;
	__u32 tail;
	__u32 ring_mask;
	__u32 ring_entries;
	__u32 flags;
	__u32 dropped;
	__u32 array;
	__u32 resv1;
	__u64 user_addr; /* of the entries: given with NO_MMAP, answered without */
};

/* Where the parts of the completion ring lie. */
struct asyncring_cqring_offsets {
	__u32 head;
	__u32 tail;
	__u32 ring_mask;
	__u32 ring_entries;
	__u32 overflow;
	__u32 cqes;
	__u32 flags;
	__u32 resv1;
	__u64 user_addr; /* of the rings: given with NO_MMAP, answered without */
};

/*
 * Argument of asyncring_setup(), filled in on success. Where the kernel expects mmap(2) to follow,
 * the two user_addr fields already tell where the memory is; it stays the library's and is valid
 * until asyncring_close().
 */
struct asyncring_params {
	__u32 sq_entries;
	__u32 cq_entries;
	__u32 flags;
	__u32 sq_thread_cpu;
	__u32 sq_thread_idle; /* milliseconds */
	__u32 features;
	__u32 wq_fd;
	__u32 resv[3];
	struct asyncring_sqring_offsets sq_off;
	struct asyncring_cqring_offsets cq_off;
};

/* params.features */
#define ASYNCRING_FEAT_SINGLE_MMAP     (1U << 0)
#define ASYNCRING_FEAT_NODROP	       (1U << 1)
#define ASYNCRING_FEAT_SUBMIT_STABLE   (1U << 2)
#define ASYNCRING_FEAT_RW_CUR_POS      (1U << 3)
#define ASYNCRING_FEAT_CUR_PERSONALITY (1U << 4)
#define ASYNCRING_FEAT_FAST_POLL       (1U << 5)
#define ASYNCRING_FEAT_POLL_32BITS     (1U << 6)
#define ASYNCRING_FEAT_SQPOLL_NONFIXED (1U << 7)
#define ASYNCRING_FEAT_EXT_ARG	       (1U << 8)
#define ASYNCRING_FEAT_NATIVE_WORKERS  (1U << 9)
#define ASYNCRING_FEAT_RSRC_TAGS       (1U << 10)
#define ASYNCRING_FEAT_CQE_SKIP	       (1U << 11)
#define ASYNCRING_FEAT_LINKED_FILE     (1U << 12)
#define ASYNCRING_FEAT_REG_REG_RING    (1U << 13)
#define ASYNCRING_FEAT_RECVSEND_BUNDLE (1U << 14)
#define ASYNCRING_FEAT_MIN_TIMEOUT     (1U << 15)
#define ASYNCRING_FEAT_RW_ATTR	       (1U << 16)
#define ASYNCRING_FEAT_NO_IOWAIT       (1U << 17)
/*
 * Ours, and never the kernel's: the ring is served in user space by this library. A program that
 * wants to choose differently then (fewer rings, other batch sizes) can ask for this bit.
 */
#define ASYNCRING_FEAT_USERSPACE (1U << 31)

/* The SQ's flags word; written by the library, read by the application. */
#define ASYNCRING_SQ_NEED_WAKEUP (1U << 0) /* the SQ thread sleeps */
#define ASYNCRING_SQ_CQ_OVERFLOW (1U << 1) /* completions wait outside the CQ */
#define ASYNCRING_SQ_TASKRUN	 (1U << 2) /* completions wait for an enter */
/*
 * Ours: the ring's descriptor has been made readable because completions came. The application
 * side (asyncring.h) takes that back with one asyncring_enter(fd, 0, 0, GETEVENTS, NULL) when it
 * looks at the CQ and finds it empty, so that a ring that nobody polls never pays for it; with
 * SETUP_SQPOLL only while SQ_NEED_WAKEUP is set, too. Nobody else needs to know.
 */
#define ASYNCRING_SQ_FD_READABLE (1U << 31)

/* The CQ's flags word; written by the application. */
#define ASYNCRING_CQ_EVENTFD_DISABLED (1U << 0)

/* mmap(2) offsets of the kernel's rings. This library needs no mmap; raw users know the numbers. */
#define ASYNCRING_OFF_SQ_RING	 0ULL
#define ASYNCRING_OFF_CQ_RING	 0x8000000ULL
#define ASYNCRING_OFF_SQES	 0x10000000ULL
#define ASYNCRING_OFF_PBUF_RING	 0x80000000ULL
#define ASYNCRING_OFF_PBUF_SHIFT 16
#define ASYNCRING_OFF_MMAP_MASK	 0xf8000000ULL

/* --------------------------------------------------------------------------------------------
 * Entering
 */

/* flags of asyncring_enter() */
#define ASYNCRING_ENTER_GETEVENTS	(1U << 0)
#define ASYNCRING_ENTER_SQ_WAKEUP	(1U << 1)
#define ASYNCRING_ENTER_SQ_WAIT		(1U << 2)
#define ASYNCRING_ENTER_EXT_ARG		(1U << 3) /* arg is an asyncring_getevents_arg */
#define ASYNCRING_ENTER_REGISTERED_RING (1U << 4) /* fd is an index */
#define ASYNCRING_ENTER_ABS_TIMER	(1U << 5) /* the timeout is a point in time */
#define ASYNCRING_ENTER_EXT_ARG_REG	(1U << 6) /* arg is an offset into the wait region */
#define ASYNCRING_ENTER_NO_IOWAIT	(1U << 7)

/* Argument of asyncring_enter2() with EXT_ARG. */
struct asyncring_getevents_arg {
	__u64 sigmask; /* address of a signal mask, or 0 */
	__u32 sigmask_sz;
	__u32 min_wait_usec; /* microseconds; 0 means no minimum */
	__u64 ts;	     /* address of a struct __kernel_timespec, or 0 */
};

/* Entry of a registered wait region, for EXT_ARG_REG. */
enum asyncring_reg_wait_flags {
	ASYNCRING_REG_WAIT_TS = (1U << 0), /* ts is valid */
};

struct asyncring_reg_wait {
	struct __kernel_timespec ts;
	__u32 min_wait_usec;
	__u32 flags;
	__u64 sigmask;
	__u32 sigmask_sz;
	__u32 pad[3];
	__u64 pad2[2];
};

/* --------------------------------------------------------------------------------------------
 * Registering
 */

/* opcode of asyncring_register() */
enum asyncring_register_op {
	ASYNCRING_REGISTER_BUFFERS = 0,
	ASYNCRING_UNREGISTER_BUFFERS = 1,
	ASYNCRING_REGISTER_FILES = 2,
	ASYNCRING_UNREGISTER_FILES = 3,
	ASYNCRING_REGISTER_EVENTFD = 4,
	ASYNCRING_UNREGISTER_EVENTFD = 5,
	ASYNCRING_REGISTER_FILES_UPDATE = 6,
	ASYNCRING_REGISTER_EVENTFD_ASYNC = 7,
	ASYNCRING_REGISTER_PROBE = 8,
	ASYNCRING_REGISTER_PERSONALITY = 9,
	ASYNCRING_UNREGISTER_PERSONALITY = 10,
	ASYNCRING_REGISTER_RESTRICTIONS = 11,
	ASYNCRING_REGISTER_ENABLE_RINGS = 12,
	ASYNCRING_REGISTER_FILES2 = 13,
	ASYNCRING_REGISTER_FILES_UPDATE2 = 14,
	ASYNCRING_REGISTER_BUFFERS2 = 15,
	ASYNCRING_REGISTER_BUFFERS_UPDATE = 16,
	ASYNCRING_REGISTER_IOWQ_AFF = 17,
	ASYNCRING_UNREGISTER_IOWQ_AFF = 18,
	ASYNCRING_REGISTER_IOWQ_MAX_WORKERS = 19,
	ASYNCRING_REGISTER_RING_FDS = 20,
	ASYNCRING_UNREGISTER_RING_FDS = 21,
	ASYNCRING_REGISTER_PBUF_RING = 22,
	ASYNCRING_UNREGISTER_PBUF_RING = 23,
	ASYNCRING_REGISTER_SYNC_CANCEL = 24,
	ASYNCRING_REGISTER_FILE_ALLOC_RANGE = 25,
	ASYNCRING_REGISTER_PBUF_STATUS = 26,
	ASYNCRING_REGISTER_NAPI = 27,
	ASYNCRING_UNREGISTER_NAPI = 28,
	ASYNCRING_REGISTER_CLOCK = 29,
	ASYNCRING_REGISTER_CLONE_BUFFERS = 30,
	ASYNCRING_REGISTER_SEND_MSG_RING = 31,
	ASYNCRING_REGISTER_ZCRX_IFQ = 32,
	ASYNCRING_REGISTER_RESIZE_RINGS = 33,
	ASYNCRING_REGISTER_MEM_REGION = 34,
	ASYNCRING_REGISTER_QUERY = 35,

	ASYNCRING_REGISTER_LAST, /* one past the highest number named here */

	/* Or'ed to the opcode: fd is an index of a registered ring. */
	ASYNCRING_REGISTER_USE_REGISTERED_RING = 1U << 31
};

/* Indices of the two values of REGISTER_IOWQ_MAX_WORKERS. */
enum asyncring_wq_type {
	ASYNCRING_WQ_BOUND,
	ASYNCRING_WQ_UNBOUND,
};

/* Argument of REGISTER_FILES_UPDATE; asyncring_rsrc_update has the same layout. */
struct asyncring_files_update {
	__u32 offset;
	__u32 resv;
	__u64 __attribute__((aligned(8))) fds; /* address of an array of int */
};

/* asyncring_rsrc_register.flags: nr empty slots, no array. */
#define ASYNCRING_RSRC_REGISTER_SPARSE (1U << 0)

/* Argument of REGISTER_FILES2 and REGISTER_BUFFERS2. */
struct asyncring_rsrc_register {
	__u32 nr;
	__u32 flags;
	__u64 resv2;
	__u64 __attribute__((aligned(8))) data; /* address of the descriptors or iovecs */
	__u64 __attribute__((aligned(8))) tags; /* address of as many 64-bit tags, or 0 */
};

/* Argument of the updates of one kind, and of REGISTER_RING_FDS. */
struct asyncring_rsrc_update {
	__u32 offset;
	__u32 resv;
	__u64 __attribute__((aligned(8))) data;
};

/* Argument of REGISTER_FILES_UPDATE2 and REGISTER_BUFFERS_UPDATE. */
struct asyncring_rsrc_update2 {
	__u32 offset;
	__u32 resv;
	__u64 __attribute__((aligned(8))) data;
	__u64 __attribute__((aligned(8))) tags;
	__u32 nr;
	__u32 resv2;
};

/* In the array of an update: leave this slot alone. */
#define ASYNCRING_REGISTER_FILES_SKIP (-2)

/* asyncring_probe_op.flags */
#define ASYNCRING_OP_SUPPORTED (1U << 0)

struct asyncring_probe_op {
	__u8 op;
	__u8 resv;
	__u16 flags; /* ASYNCRING_OP_SUPPORTED */
	__u32 resv2;
};

/* Argument of REGISTER_PROBE: nr_args operations follow the head. */
struct asyncring_probe {
	__u8 last_op; /* highest opcode known */
	__u8 ops_len; /* entries filled in */
	__u16 resv;
	__u32 resv2[3];
	struct asyncring_probe_op ops[];
};

/* asyncring_restriction.opcode */
enum asyncring_register_restriction_op {
	ASYNCRING_RESTRICTION_REGISTER_OP = 0,	      /* allow a register opcode */
	ASYNCRING_RESTRICTION_SQE_OP = 1,	      /* allow a request opcode */
	ASYNCRING_RESTRICTION_SQE_FLAGS_ALLOWED = 2,  /* allow these sqe->flags */
	ASYNCRING_RESTRICTION_SQE_FLAGS_REQUIRED = 3, /* demand these sqe->flags */

	ASYNCRING_RESTRICTION_LAST
};

/* Argument of REGISTER_RESTRICTIONS: an array of these. */
struct asyncring_restriction {
	__u16 opcode;
	union {
		__u8 register_op;
		__u8 sqe_op;
		__u8 sqe_flags;
	};
	__u8 resv;
	__u32 resv2[3];
};

/* A provided buffer in a buffer ring. */
struct asyncring_buf {
	__u64 addr;
	__u32 len;
	__u16 bid;
	__u16 resv;
};

/*
 * A ring of provided buffers, page-aligned. The application writes bufs and tail; the tail lies
 * over bufs[0].resv. There is no head: ASYNCRING_REGISTER_PBUF_STATUS tells it.
 */
struct asyncring_buf_ring {
	union {
		struct {
			__u64 resv1;
			__u32 resv2;
			__u16 resv3;
			__u16 tail;
		};
#ifdef __cplusplus
		/* An empty structure has a size in C++, so the C form would move bufs. */
		struct asyncring_buf bufs[0];
#else
		struct {
			struct {
			} __empty_bufs;
			struct asyncring_buf bufs[];
		};
#endif
	};
};

/* asyncring_buf_reg.flags */
enum asyncring_register_pbuf_ring_flags {
	ASYNCRING_PBUF_RING_MMAP = 1, /* the library allocates the ring's memory */
	ASYNCRING_PBUF_RING_INC = 2,  /* buffers are used up piece by piece */
};

/* Argument of REGISTER_PBUF_RING and UNREGISTER_PBUF_RING. */
struct asyncring_buf_reg {
	__u64 ring_addr;
	__u32 ring_entries;
	__u16 bgid;
	__u16 flags;
	__u32 min_left; /* with PBUF_RING_INC: bytes below which a buffer counts as used up */
	__u32 resv[5];
};

/* Argument of REGISTER_PBUF_STATUS. */
struct asyncring_buf_status {
	__u32 buf_group; /* in */
	__u32 head;	 /* out */
	__u32 resv[8];
};

/* Argument of REGISTER_SYNC_CANCEL. */
struct asyncring_sync_cancel_reg {
	__u64 addr; /* the user_data to look for */
	__s32 fd;
	__u32 flags;			  /* ASYNCRING_ASYNC_CANCEL_* */
	struct __kernel_timespec timeout; /* both -1: for as long as it takes */
	__u8 opcode;
	__u8 pad[7];
	__u64 pad2[3];
};

/* Argument of REGISTER_FILE_ALLOC_RANGE: slots off to off + len - 1. */
struct asyncring_file_index_range {
	__u32 off;
	__u32 len;
	__u64 resv;
};

/* Argument of REGISTER_CLOCK. */
struct asyncring_clock_register {
	__u32 clockid; /* CLOCK_MONOTONIC or CLOCK_BOOTTIME */
	__u32 __resv[3];
};

/* asyncring_clone_buffers.flags */
enum asyncring_clone_buffers_flags {
	ASYNCRING_REGISTER_SRC_REGISTERED = (1U << 0), /* src_fd is an index */
	ASYNCRING_REGISTER_DST_REPLACE = (1U << 1),
};

/* Argument of REGISTER_CLONE_BUFFERS. */
struct asyncring_clone_buffers {
	__u32 src_fd;
	__u32 flags;
	__u32 src_off;
	__u32 dst_off;
	__u32 nr; /* 0: all */
	__u32 pad[3];
};

/* asyncring_region_desc.flags */
enum asyncring_region_type {
	ASYNCRING_MEM_REGION_TYPE_USER = 1, /* user_addr is the application's memory */
};

struct asyncring_region_desc {
	__u64 user_addr;
	__u64 size;
	__u32 flags;
	__u32 id;
	__u64 mmap_offset;
	__u64 __resv[4];
};

/* asyncring_mem_region_reg.flags */
enum asyncring_mem_region_flags {
	ASYNCRING_MEM_REGION_REG_WAIT_ARG = 1, /* holds asyncring_reg_wait entries */
};

/* Argument of REGISTER_MEM_REGION. */
struct asyncring_mem_region_reg {
	__u64 region_uptr; /* address of a struct asyncring_region_desc */
	__u64 flags;
	__u64 __resv[2];
};

/* asyncring_napi.opcode */
enum asyncring_napi_op {
	ASYNCRING_NAPI_REGISTER_OP = 0,
	ASYNCRING_NAPI_STATIC_ADD_ID = 1,
	ASYNCRING_NAPI_STATIC_DEL_ID = 2,
};

/* asyncring_napi.op_param of NAPI_REGISTER_OP */
enum asyncring_napi_tracking_strategy {
	ASYNCRING_NAPI_TRACKING_DYNAMIC = 0,
	ASYNCRING_NAPI_TRACKING_STATIC = 1,
	ASYNCRING_NAPI_TRACKING_INACTIVE = 255,
};

/* Argument of REGISTER_NAPI and UNREGISTER_NAPI. */
struct asyncring_napi {
	__u32 busy_poll_to; /* microseconds */
	__u8 prefer_busy_poll;
	__u8 opcode;
	__u8 pad[2];
	__u32 op_param;
	__u32 resv;
};

/* --------------------------------------------------------------------------------------------
 * Asking what there is: ASYNCRING_REGISTER_QUERY
 */

enum asyncring_query_op {
	ASYNCRING_QUERY_OPCODES = 0,
};

/* A query; next_entry chains several, 0 ends the chain. */
struct asyncring_query_hdr {
	__u64 next_entry;
	__u64 query_data;
	__u32 query_op;
	__u32 size;
	__s32 result;
	__u32 __resv[3];
};

/* The answer to QUERY_OPCODES. */
struct asyncring_query_opcode {
	__u32 nr_request_opcodes;
	__u32 nr_register_opcodes;
	__u64 feature_flags;
	__u64 ring_setup_flags;
	__u64 enter_flags;
	__u64 sqe_flags;
	__u32 nr_query_opcodes;
	__u32 __pad;
};

/* --------------------------------------------------------------------------------------------
 * Zero-copy receive: the kernel's structures, for programs that ask whether it is there
 */

struct asyncring_zcrx_rqe {
	__u64 off;
	__u32 len;
	__u32 __pad;
};

struct asyncring_zcrx_cqe {
	__u64 off;
	__u64 __pad;
};

#define ASYNCRING_ZCRX_AREA_SHIFT 48
#define ASYNCRING_ZCRX_AREA_MASK  (~(((__u64)1 << ASYNCRING_ZCRX_AREA_SHIFT) - 1))

struct asyncring_zcrx_offsets {
	__u32 head;
	__u32 tail;
	__u32 rqes;
	__u32 __resv2;
	__u64 __resv[2];
};

enum asyncring_zcrx_area_flags {
	ASYNCRING_ZCRX_AREA_DMABUF = 1,
};

struct asyncring_zcrx_area_reg {
	__u64 addr;
	__u64 len;
	__u64 rq_area_token;
	__u32 flags;
	__u32 dmabuf_fd;
	__u64 __resv2[2];
};

struct asyncring_zcrx_ifq_reg {
	__u32 if_idx;
	__u32 if_rxq;
	__u32 rq_entries;
	__u32 flags;
	__u64 area_ptr;	  /* address of a struct asyncring_zcrx_area_reg */
	__u64 region_ptr; /* address of a struct asyncring_region_desc */
	struct asyncring_zcrx_offsets offsets;
	__u32 zcrx_id;
	__u32 rx_buf_len; /* of later kernels */
	__u64 __resv[3];
};

#ifdef __cplusplus
}
#endif

#pragma GCC diagnostic pop

#endif
