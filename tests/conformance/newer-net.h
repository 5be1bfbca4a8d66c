/* SPDX-License-Identifier: MIT */
/*
 * What Linux 6.18 has for sockets and the installed liburing may not know yet; see newer.h, whose
 * rules hold here too. Only the oracle build includes this, through net_helpers.h.
 */
#ifndef CONFORMANCE_NEWER_NET_H
#define CONFORMANCE_NEWER_NET_H

#include "newer.h"

#ifndef IORING_ACCEPT_DONTWAIT
#define IORING_ACCEPT_DONTWAIT	 (1U << 1)
#define IORING_ACCEPT_POLL_FIRST (1U << 2)
#endif
#ifndef IORING_SEND_ZC_REPORT_USAGE
#define IORING_SEND_ZC_REPORT_USAGE (1U << 3)
#endif
#ifndef IORING_NOTIF_USAGE_ZC_COPIED
#define IORING_NOTIF_USAGE_ZC_COPIED (1U << 31)
#endif
#ifndef IORING_RECVSEND_BUNDLE
#define IORING_RECVSEND_BUNDLE (1U << 4)
#endif
#ifndef IORING_SEND_VECTORIZED
#define IORING_SEND_VECTORIZED (1U << 5)
#endif

#if HARNESS_LIBURING_BEFORE(2, 5)
enum {
	SOCKET_URING_OP_SIOCINQ,
	SOCKET_URING_OP_SIOCOUTQ,
};
#endif
#if HARNESS_LIBURING_BEFORE(2, 6)
enum {
	SOCKET_URING_OP_GETSOCKOPT = 2,
	SOCKET_URING_OP_SETSOCKOPT,
};

static inline void io_uring_prep_cmd_sock(struct io_uring_sqe *sqe, int cmd_op, int fd, int level,
					  int optname, void *optval, int optlen)
{
	io_uring_prep_rw(IORING_OP_URING_CMD, sqe, fd, NULL, 0, (__u32)cmd_op);
	sqe->addr = (__u32)level | (__u64)(__u32)optname << 32;
	sqe->file_index = (__u32)optlen;
	sqe->addr3 = (__u64)(uintptr_t)optval;
}
#endif

#if HARNESS_LIBURING_BEFORE(2, 7)
static inline void io_uring_prep_send_bundle(struct io_uring_sqe *sqe, int fd, size_t len,
					     int flags)
{
	io_uring_prep_send(sqe, fd, NULL, len, flags);
	sqe->ioprio |= IORING_RECVSEND_BUNDLE;
}
#endif

#if HARNESS_LIBURING_BEFORE(2, 8)
static inline void io_uring_prep_bind(struct io_uring_sqe *sqe, int fd, const struct sockaddr *addr,
				      socklen_t addrlen)
{
	io_uring_prep_rw(IORING_OP_BIND, sqe, fd, addr, 0, addrlen);
}

static inline void io_uring_prep_listen(struct io_uring_sqe *sqe, int fd, int backlog)
{
	io_uring_prep_rw(IORING_OP_LISTEN, sqe, fd, NULL, (__u32)backlog, 0);
}
#endif

#if HARNESS_LIBURING_BEFORE(2, 10)
static inline void io_uring_prep_sendmsg_zc_fixed(struct io_uring_sqe *sqe, int fd,
						  const struct msghdr *msg, unsigned flags,
						  unsigned buf_index)
{
	io_uring_prep_sendmsg_zc(sqe, fd, msg, flags);
	sqe->ioprio |= IORING_RECVSEND_FIXED_BUF;
	sqe->buf_index = (__u16)buf_index;
}
#endif

#endif /* CONFORMANCE_NEWER_NET_H */
