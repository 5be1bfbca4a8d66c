/* SPDX-License-Identifier: MIT */
/*
 * Names that liburing 2.15 has from kernels later than the one whose interface libasyncring has:
 * programs that know them compile, ask at run time, and are told what an older kernel tells them,
 * which is -EINVAL or, for an unknown query, -EOPNOTSUPP. Read through <liburing/io_uring.h>.
 */
#pragma GCC system_header

#ifndef ASYNCRING_COMPAT_LATER_H
#define ASYNCRING_COMPAT_LATER_H

#include <linux/types.h>

/* params.flags: the submission queue is taken from its beginning each time. */
#define IORING_SETUP_SQ_REWIND (1U << 20)

/* Register calls */
#define IORING_REGISTER_ZCRX_CTRL  36
#define IORING_REGISTER_BPF_FILTER 37

/* Restrictions of a task: those of a ring, with a head of their own. */
struct io_uring_task_restriction {
	__u16 flags;
	__u16 nr_res;
	__u32 resv[3];
	__extension__ struct io_uring_restriction restrictions[0];
};

/* Queries */
enum {
	IO_URING_QUERY_ZCRX = 1,
	IO_URING_QUERY_SCQ = 2,
};

struct io_uring_query_zcrx {
	__u64 register_flags;
	__u64 area_flags;
	__u32 nr_ctrl_opcodes;
	__u32 features;
	__u32 rq_hdr_size;
	__u32 rq_hdr_alignment;
	__u64 __resv2;
};

struct io_uring_query_scq {
	__u64 hdr_size;
	__u64 hdr_alignment;
};

/* Receiving without a copy */
enum zcrx_reg_flags {
	ZCRX_REG_IMPORT = 1,
	ZCRX_REG_NODEV = 2,
};

enum zcrx_features {
	ZCRX_FEATURE_RX_PAGE_SIZE = 1 << 0,
};

enum zcrx_ctrl_op {
	ZCRX_CTRL_FLUSH_RQ,
	ZCRX_CTRL_EXPORT,

	__ZCRX_CTRL_LAST,
};

/* A refill ring as a program keeps it */
struct io_uring_zcrx_rq {
	__u32 *khead;
	__u32 *ktail;
	__u32 rq_tail;
	unsigned ring_entries;
	struct io_uring_zcrx_rqe *rqes;
	void *ring_ptr;
};

struct zcrx_ctrl_flush_rq {
	__u64 __resv[6];
};

struct zcrx_ctrl_export {
	__u32 zcrx_fd;
	__u32 __resv1[11];
};

struct zcrx_ctrl {
	__u32 zcrx_id;
	__u32 op; /* enum zcrx_ctrl_op */
	__u64 __resv[2];
	union {
		struct zcrx_ctrl_export zc_export;
		struct zcrx_ctrl_flush_rq zc_flush;
	};
};

/* Filters in BPF: what they are given, how they are registered */
struct io_uring_bpf_ctx {
	__u64 user_data;
	__u8 opcode;
	__u8 sqe_flags;
	__u8 pdu_size;
	__u8 pad[5];
	union {
		struct {
			__u32 family;
			__u32 type;
			__u32 protocol;
		} socket;
		struct {
			__u64 flags;
			__u64 mode;
			__u64 resolve;
		} open;
	};
};

enum {
	IO_URING_BPF_FILTER_DENY_REST = 1,
	IO_URING_BPF_FILTER_SZ_STRICT = 2,
};

struct io_uring_bpf_filter {
	__u32 opcode;
	__u32 flags;
	__u32 filter_len; /* instructions */
	__u8 pdu_size;
	__u8 resv[3];
	__u64 filter_ptr;
	__u64 resv2[5];
};

enum {
	IO_URING_BPF_CMD_FILTER = 1,
};

struct io_uring_bpf {
	__u16 cmd_type;
	__u16 cmd_flags;
	__u32 resv;
	union {
		struct io_uring_bpf_filter filter;
	};
};

#endif
