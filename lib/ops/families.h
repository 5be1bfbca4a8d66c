/* SPDX-License-Identifier: MIT */
/*
 * What the families of operations offer the table, one group for each file. What the functions
 * have to do stands in ops.h, at the members of struct op.
 */
#ifndef ASYNCRING__FAMILIES_H
#define ASYNCRING__FAMILIES_H

#include "ops.h"

/* nop.c */
bool asyncring__nop_at_once(struct ring *ring, const struct asyncring_sqe *sqe, struct file *file,
			    struct attempt *attempt);
int asyncring__nop_prep(struct request *request, const struct asyncring_sqe *sqe);
enum issue_result asyncring__nop_issue(struct request *request, unsigned flags);
bool asyncring__nop_brief(const struct request *request);

/* rw.c */
int asyncring__rw_prep_read(struct request *request, const struct asyncring_sqe *sqe);
int asyncring__rw_prep_write(struct request *request, const struct asyncring_sqe *sqe);
int asyncring__rw_prep_readv(struct request *request, const struct asyncring_sqe *sqe);
int asyncring__rw_prep_writev(struct request *request, const struct asyncring_sqe *sqe);
int asyncring__rw_prep_read_fixed(struct request *request, const struct asyncring_sqe *sqe);
int asyncring__rw_prep_write_fixed(struct request *request, const struct asyncring_sqe *sqe);
int asyncring__rw_prep_readv_fixed(struct request *request, const struct asyncring_sqe *sqe);
int asyncring__rw_prep_writev_fixed(struct request *request, const struct asyncring_sqe *sqe);
enum issue_result asyncring__rw_issue(struct request *request, unsigned flags);
bool asyncring__rw_ends_soon(const struct request *request);
bool asyncring__rw_brief(const struct request *request);
int asyncring__rw_copy_args(struct request *request);

/* rw_at_once.c */
bool asyncring__rw_read_at_once(struct ring *ring, const struct asyncring_sqe *sqe,
				struct file *file, struct attempt *attempt);
bool asyncring__rw_write_at_once(struct ring *ring, const struct asyncring_sqe *sqe,
				 struct file *file, struct attempt *attempt);
enum issue_result asyncring__rw_resume(struct request *request, const struct attempt *attempt);

/* rw_direct.c */
bool asyncring__rw_describe(const struct request *request, struct iocb *iocb);
enum issue_result asyncring__rw_transferred(struct request *request, int64_t result);

/* rw_merge.c */
bool asyncring__rw_merge(struct merge *merge, const struct request *request);
unsigned asyncring__rw_issue_merged(struct request *const requests[], unsigned count,
				    unsigned flags);

/* read_multishot.c */
int asyncring__read_multishot_prep(struct request *request, const struct asyncring_sqe *sqe);
enum issue_result asyncring__read_multishot_issue(struct request *request, unsigned flags);

/* provide_buffers.c */
int asyncring__provide_buffers_prep(struct request *request, const struct asyncring_sqe *sqe);
enum issue_result asyncring__provide_buffers_issue(struct request *request, unsigned flags);
int asyncring__remove_buffers_prep(struct request *request, const struct asyncring_sqe *sqe);
enum issue_result asyncring__remove_buffers_issue(struct request *request, unsigned flags);

/* poll.c */
int asyncring__poll_add_prep(struct request *request, const struct asyncring_sqe *sqe);
enum issue_result asyncring__poll_add_issue(struct request *request, unsigned flags);
int asyncring__poll_remove_prep(struct request *request, const struct asyncring_sqe *sqe);
enum issue_result asyncring__poll_remove_issue(struct request *request, unsigned flags);

/* timeout.c */
int asyncring__timeout_prep(struct request *request, const struct asyncring_sqe *sqe);
enum issue_result asyncring__timeout_issue(struct request *request, unsigned flags);
int asyncring__link_timeout_prep(struct request *request, const struct asyncring_sqe *sqe);
enum issue_result asyncring__link_timeout_issue(struct request *request, unsigned flags);
void asyncring__timeout_unpark(struct request *request);
int asyncring__timeout_remove_prep(struct request *request, const struct asyncring_sqe *sqe);
enum issue_result asyncring__timeout_remove_issue(struct request *request, unsigned flags);

/* cancel_op.c */
int asyncring__cancel_prep(struct request *request, const struct asyncring_sqe *sqe);
enum issue_result asyncring__cancel_issue(struct request *request, unsigned flags);

/* sync.c */
int asyncring__fsync_prep(struct request *request, const struct asyncring_sqe *sqe);
enum issue_result asyncring__fsync_issue(struct request *request, unsigned flags);
bool asyncring__sync_ends_soon(const struct request *request);
int asyncring__sync_file_range_prep(struct request *request, const struct asyncring_sqe *sqe);
enum issue_result asyncring__sync_file_range_issue(struct request *request, unsigned flags);

/* truncate.c */
int asyncring__fallocate_prep(struct request *request, const struct asyncring_sqe *sqe);
enum issue_result asyncring__fallocate_issue(struct request *request, unsigned flags);
int asyncring__ftruncate_prep(struct request *request, const struct asyncring_sqe *sqe);
enum issue_result asyncring__ftruncate_issue(struct request *request, unsigned flags);

/* advise.c */
int asyncring__fadvise_prep(struct request *request, const struct asyncring_sqe *sqe);
enum issue_result asyncring__fadvise_issue(struct request *request, unsigned flags);
int asyncring__madvise_prep(struct request *request, const struct asyncring_sqe *sqe);
enum issue_result asyncring__madvise_issue(struct request *request, unsigned flags);

/* open.c */
int asyncring__openat_prep(struct request *request, const struct asyncring_sqe *sqe);
int asyncring__openat2_prep(struct request *request, const struct asyncring_sqe *sqe);
enum issue_result asyncring__open_issue(struct request *request, unsigned flags);
int asyncring__open_copy_args(struct request *request);

/* close.c */
int asyncring__close_prep(struct request *request, const struct asyncring_sqe *sqe);
enum issue_result asyncring__close_issue(struct request *request, unsigned flags);

/* files.c */
int asyncring__files_update_prep(struct request *request, const struct asyncring_sqe *sqe);
enum issue_result asyncring__files_update_issue(struct request *request, unsigned flags);
int asyncring__fd_install_prep(struct request *request, const struct asyncring_sqe *sqe);
enum issue_result asyncring__fd_install_issue(struct request *request, unsigned flags);

/* fs.c */
int asyncring__statx_prep(struct request *request, const struct asyncring_sqe *sqe);
enum issue_result asyncring__statx_issue(struct request *request, unsigned flags);
int asyncring__renameat_prep(struct request *request, const struct asyncring_sqe *sqe);
enum issue_result asyncring__renameat_issue(struct request *request, unsigned flags);
int asyncring__unlinkat_prep(struct request *request, const struct asyncring_sqe *sqe);
enum issue_result asyncring__unlinkat_issue(struct request *request, unsigned flags);
int asyncring__mkdirat_prep(struct request *request, const struct asyncring_sqe *sqe);
enum issue_result asyncring__mkdirat_issue(struct request *request, unsigned flags);
int asyncring__symlinkat_prep(struct request *request, const struct asyncring_sqe *sqe);
enum issue_result asyncring__symlinkat_issue(struct request *request, unsigned flags);
int asyncring__linkat_prep(struct request *request, const struct asyncring_sqe *sqe);
enum issue_result asyncring__linkat_issue(struct request *request, unsigned flags);

/* xattr.c */
int asyncring__fsetxattr_prep(struct request *request, const struct asyncring_sqe *sqe);
enum issue_result asyncring__fsetxattr_issue(struct request *request, unsigned flags);
int asyncring__setxattr_prep(struct request *request, const struct asyncring_sqe *sqe);
enum issue_result asyncring__setxattr_issue(struct request *request, unsigned flags);
int asyncring__fgetxattr_prep(struct request *request, const struct asyncring_sqe *sqe);
enum issue_result asyncring__fgetxattr_issue(struct request *request, unsigned flags);
int asyncring__getxattr_prep(struct request *request, const struct asyncring_sqe *sqe);
enum issue_result asyncring__getxattr_issue(struct request *request, unsigned flags);

/* splice.c */
int asyncring__splice_prep(struct request *request, const struct asyncring_sqe *sqe);
enum issue_result asyncring__splice_issue(struct request *request, unsigned flags);
int asyncring__tee_prep(struct request *request, const struct asyncring_sqe *sqe);
enum issue_result asyncring__tee_issue(struct request *request, unsigned flags);
void asyncring__splice_cleanup(struct request *request);

/* msg_ring.c */
int asyncring__msg_ring_prep(struct request *request, const struct asyncring_sqe *sqe);
enum issue_result asyncring__msg_ring_issue(struct request *request, unsigned flags);
void asyncring__msg_ring_cleanup(struct request *request);
/* A message without a request: what it would answer. No lock held. */
int asyncring__msg_ring_send(const struct asyncring_sqe *sqe);

/* epoll.c */
int asyncring__epoll_ctl_prep(struct request *request, const struct asyncring_sqe *sqe);
enum issue_result asyncring__epoll_ctl_issue(struct request *request, unsigned flags);
int asyncring__epoll_wait_prep(struct request *request, const struct asyncring_sqe *sqe);
enum issue_result asyncring__epoll_wait_issue(struct request *request, unsigned flags);

/* pipe.c */
int asyncring__pipe_prep(struct request *request, const struct asyncring_sqe *sqe);
enum issue_result asyncring__pipe_issue(struct request *request, unsigned flags);

/* futex.c */
int asyncring__futex_wait_prep(struct request *request, const struct asyncring_sqe *sqe);
enum issue_result asyncring__futex_wait_issue(struct request *request, unsigned flags);
int asyncring__futex_wake_prep(struct request *request, const struct asyncring_sqe *sqe);
enum issue_result asyncring__futex_wake_issue(struct request *request, unsigned flags);
int asyncring__futex_waitv_prep(struct request *request, const struct asyncring_sqe *sqe);

/* waitid.c */
int asyncring__waitid_prep(struct request *request, const struct asyncring_sqe *sqe);
enum issue_result asyncring__waitid_issue(struct request *request, unsigned flags);

/* socket.c */
int asyncring__socket_prep(struct request *request, const struct asyncring_sqe *sqe);
enum issue_result asyncring__socket_issue(struct request *request, unsigned flags);
int asyncring__bind_prep(struct request *request, const struct asyncring_sqe *sqe);
int asyncring__bind_copy_args(struct request *request);
enum issue_result asyncring__bind_issue(struct request *request, unsigned flags);
int asyncring__listen_prep(struct request *request, const struct asyncring_sqe *sqe);
enum issue_result asyncring__listen_issue(struct request *request, unsigned flags);
int asyncring__shutdown_prep(struct request *request, const struct asyncring_sqe *sqe);
enum issue_result asyncring__shutdown_issue(struct request *request, unsigned flags);

/* connect.c */
int asyncring__connect_prep(struct request *request, const struct asyncring_sqe *sqe);
int asyncring__connect_copy_args(struct request *request);
enum issue_result asyncring__connect_issue(struct request *request, unsigned flags);

/* accept.c */
int asyncring__accept_prep(struct request *request, const struct asyncring_sqe *sqe);
enum issue_result asyncring__accept_issue(struct request *request, unsigned flags);

/* send.c */
int asyncring__send_prep(struct request *request, const struct asyncring_sqe *sqe);
int asyncring__sendmsg_prep(struct request *request, const struct asyncring_sqe *sqe);
int asyncring__send_zc_prep(struct request *request, const struct asyncring_sqe *sqe);
int asyncring__sendmsg_zc_prep(struct request *request, const struct asyncring_sqe *sqe);
int asyncring__send_copy_args(struct request *request);
enum issue_result asyncring__send_issue(struct request *request, unsigned flags);
void asyncring__send_cleanup(struct request *request);

/* recv.c */
int asyncring__recv_prep(struct request *request, const struct asyncring_sqe *sqe);
int asyncring__recvmsg_prep(struct request *request, const struct asyncring_sqe *sqe);
int asyncring__recv_copy_args(struct request *request);
enum issue_result asyncring__recv_issue(struct request *request, unsigned flags);
void asyncring__recv_cleanup(struct request *request);

/* socket_cmd.c */
int asyncring__uring_cmd_prep(struct request *request, const struct asyncring_sqe *sqe);
enum issue_result asyncring__uring_cmd_issue(struct request *request, unsigned flags);

#endif
