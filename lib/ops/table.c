/* SPDX-License-Identifier: MIT */
/*
 * The table of operations. A row with a name alone is an operation that is known but not served:
 * to the core it does not exist, and the application's probe says so.
 */
#include "families.h"

/* clang-format off: it would give every brace a line of its own. */
const struct op asyncring__ops[] = {
	[ASYNCRING_OP_NOP] =
		{
			.name = "NOP",
			.prep = asyncring__nop_prep,
			.issue = asyncring__nop_issue,
			.at_once = asyncring__nop_at_once,
			.brief = asyncring__nop_brief,
			.properties = OP_IOPOLL,
		},
	[ASYNCRING_OP_READV] =
		{
			.name = "READV",
			.prep = asyncring__rw_prep_readv,
			.issue = asyncring__rw_issue,
			.ends_soon = asyncring__rw_ends_soon,
			.describe = asyncring__rw_describe,
			.transferred = asyncring__rw_transferred,
			.copy_args = asyncring__rw_copy_args,
			.properties =
				OP_FILE | OP_IOPRIO | OP_POLL_IN | OP_IOPOLL | OP_BUFFER_SELECT,
		},
	[ASYNCRING_OP_WRITEV] =
		{
			.name = "WRITEV",
			.prep = asyncring__rw_prep_writev,
			.issue = asyncring__rw_issue,
			.ends_soon = asyncring__rw_ends_soon,
			.describe = asyncring__rw_describe,
			.transferred = asyncring__rw_transferred,
			.merge = asyncring__rw_merge,
			.issue_merged = asyncring__rw_issue_merged,
			.copy_args = asyncring__rw_copy_args,
			.properties =
				OP_FILE | OP_IOPRIO | OP_POLL_OUT | OP_IOPOLL | OP_SERIAL_INODE,
		},
	[ASYNCRING_OP_FSYNC] =
		{
			.name = "FSYNC",
			.prep = asyncring__fsync_prep,
			.issue = asyncring__fsync_issue,
			.ends_soon = asyncring__sync_ends_soon,
			.properties = OP_FILE | OP_WORKER,
		},
	[ASYNCRING_OP_READ_FIXED] =
		{
			.name = "READ_FIXED",
			.prep = asyncring__rw_prep_read_fixed,
			.issue = asyncring__rw_issue,
			.merge = asyncring__rw_merge,
			.issue_merged = asyncring__rw_issue_merged,
			.ends_soon = asyncring__rw_ends_soon,
			.describe = asyncring__rw_describe,
			.transferred = asyncring__rw_transferred,
			.properties = OP_FILE | OP_IOPRIO | OP_POLL_IN | OP_IOPOLL |
				      OP_FIXED_BUFFER | OP_RUNS,
		},
	[ASYNCRING_OP_WRITE_FIXED] =
		{
			.name = "WRITE_FIXED",
			.prep = asyncring__rw_prep_write_fixed,
			.issue = asyncring__rw_issue,
			.ends_soon = asyncring__rw_ends_soon,
			.describe = asyncring__rw_describe,
			.transferred = asyncring__rw_transferred,
			.merge = asyncring__rw_merge,
			.issue_merged = asyncring__rw_issue_merged,
			.properties = OP_FILE | OP_IOPRIO | OP_POLL_OUT | OP_IOPOLL |
				      OP_SERIAL_INODE | OP_FIXED_BUFFER | OP_RUNS,
		},
	[ASYNCRING_OP_POLL_ADD] =
		{
			.name = "POLL_ADD",
			.prep = asyncring__poll_add_prep,
			.issue = asyncring__poll_add_issue,
			.properties = OP_FILE | OP_SUBMITTER,
		},
	[ASYNCRING_OP_POLL_REMOVE] =
		{
			.name = "POLL_REMOVE",
			.prep = asyncring__poll_remove_prep,
			.issue = asyncring__poll_remove_issue,
			.properties = OP_SUBMITTER,
		},
	[ASYNCRING_OP_SYNC_FILE_RANGE] =
		{
			.name = "SYNC_FILE_RANGE",
			.prep = asyncring__sync_file_range_prep,
			.issue = asyncring__sync_file_range_issue,
			.ends_soon = asyncring__sync_ends_soon,
			.properties = OP_FILE | OP_WORKER,
		},
	[ASYNCRING_OP_SENDMSG] =
		{
			.name = "SENDMSG",
			.prep = asyncring__sendmsg_prep,
			.issue = asyncring__send_issue,
			.copy_args = asyncring__send_copy_args,
			.cleanup = asyncring__send_cleanup,
			.properties = OP_FILE | OP_IOPRIO,
		},
	[ASYNCRING_OP_RECVMSG] =
		{
			.name = "RECVMSG",
			.prep = asyncring__recvmsg_prep,
			.issue = asyncring__recv_issue,
			.copy_args = asyncring__recv_copy_args,
			.cleanup = asyncring__recv_cleanup,
			.properties = OP_FILE | OP_IOPRIO | OP_BUFFER_SELECT,
		},
	[ASYNCRING_OP_ACCEPT] =
		{
			.name = "ACCEPT",
			.prep = asyncring__accept_prep,
			.issue = asyncring__accept_issue,
			.properties = OP_FILE | OP_IOPRIO,
		},
	[ASYNCRING_OP_TIMEOUT] =
		{
			.name = "TIMEOUT",
			.prep = asyncring__timeout_prep,
			.issue = asyncring__timeout_issue,
			.unpark = asyncring__timeout_unpark,
			.properties = OP_SUBMITTER,
		},
	[ASYNCRING_OP_TIMEOUT_REMOVE] =
		{
			.name = "TIMEOUT_REMOVE",
			.prep = asyncring__timeout_remove_prep,
			.issue = asyncring__timeout_remove_issue,
			.properties = OP_SUBMITTER,
		},
	[ASYNCRING_OP_ASYNC_CANCEL] =
		{
			.name = "ASYNC_CANCEL",
			.prep = asyncring__cancel_prep,
			.issue = asyncring__cancel_issue,
		},
	[ASYNCRING_OP_CONNECT] =
		{
			.name = "CONNECT",
			.prep = asyncring__connect_prep,
			.issue = asyncring__connect_issue,
			.copy_args = asyncring__connect_copy_args,
			.properties = OP_FILE,
		},
	[ASYNCRING_OP_LINK_TIMEOUT] =
		{
			.name = "LINK_TIMEOUT",
			.prep = asyncring__link_timeout_prep,
			.issue = asyncring__link_timeout_issue,
			.unpark = asyncring__timeout_unpark,
			.properties = OP_SUBMITTER | OP_LINK_TIMEOUT,
		},
	[ASYNCRING_OP_FALLOCATE] =
		{
			.name = "FALLOCATE",
			.prep = asyncring__fallocate_prep,
			.issue = asyncring__fallocate_issue,
			.properties = OP_FILE | OP_WORKER | OP_SERIAL_INODE,
		},
	[ASYNCRING_OP_OPENAT] =
		{
			.name = "OPENAT",
			.prep = asyncring__openat_prep,
			.issue = asyncring__open_issue,
			.copy_args = asyncring__open_copy_args,
		},
	[ASYNCRING_OP_CLOSE] =
		{
			.name = "CLOSE",
			.prep = asyncring__close_prep,
			.issue = asyncring__close_issue,
			/* After an interrupted close(2) the number may be another file's already.
			 */
			.properties = OP_NO_RESTART,
		},
	[ASYNCRING_OP_FILES_UPDATE] =
		{
			.name = "FILES_UPDATE",
			.prep = asyncring__files_update_prep,
			.issue = asyncring__files_update_issue,
			.properties = OP_IOPOLL,
		},
	[ASYNCRING_OP_STATX] =
		{
			.name = "STATX",
			.prep = asyncring__statx_prep,
			.issue = asyncring__statx_issue,
			.properties = OP_WORKER,
		},
	[ASYNCRING_OP_READ] =
		{
			.name = "READ",
			.prep = asyncring__rw_prep_read,
			.issue = asyncring__rw_issue,
			.at_once = asyncring__rw_read_at_once,
			.resume = asyncring__rw_resume,
			.ends_soon = asyncring__rw_ends_soon,
			.brief = asyncring__rw_brief,
			.describe = asyncring__rw_describe,
			.transferred = asyncring__rw_transferred,
			.merge = asyncring__rw_merge,
			.issue_merged = asyncring__rw_issue_merged,
			.properties = OP_FILE | OP_IOPRIO | OP_POLL_IN | OP_IOPOLL |
				      OP_BUFFER_SELECT | OP_RUNS,
		},
	[ASYNCRING_OP_WRITE] =
		{
			.name = "WRITE",
			.prep = asyncring__rw_prep_write,
			.issue = asyncring__rw_issue,
			.at_once = asyncring__rw_write_at_once,
			.resume = asyncring__rw_resume,
			.ends_soon = asyncring__rw_ends_soon,
			.describe = asyncring__rw_describe,
			.transferred = asyncring__rw_transferred,
			.merge = asyncring__rw_merge,
			.issue_merged = asyncring__rw_issue_merged,
			.properties = OP_FILE | OP_IOPRIO | OP_POLL_OUT | OP_IOPOLL |
				      OP_SERIAL_INODE | OP_RUNS,
		},
	[ASYNCRING_OP_FADVISE] =
		{
			.name = "FADVISE",
			.prep = asyncring__fadvise_prep,
			.issue = asyncring__fadvise_issue,
			.properties = OP_FILE,
		},
	[ASYNCRING_OP_MADVISE] =
		{
			.name = "MADVISE",
			.prep = asyncring__madvise_prep,
			.issue = asyncring__madvise_issue,
			.properties = OP_WORKER,
		},
	[ASYNCRING_OP_SEND] =
		{
			.name = "SEND",
			.prep = asyncring__send_prep,
			.issue = asyncring__send_issue,
			.copy_args = asyncring__send_copy_args,
			.cleanup = asyncring__send_cleanup,
			.properties = OP_FILE | OP_IOPRIO | OP_BUFFER_SELECT,
		},
	[ASYNCRING_OP_RECV] =
		{
			.name = "RECV",
			.prep = asyncring__recv_prep,
			.issue = asyncring__recv_issue,
			.copy_args = asyncring__recv_copy_args,
			.cleanup = asyncring__recv_cleanup,
			.properties = OP_FILE | OP_IOPRIO | OP_BUFFER_SELECT,
		},
	[ASYNCRING_OP_OPENAT2] =
		{
			.name = "OPENAT2",
			.prep = asyncring__openat2_prep,
			.issue = asyncring__open_issue,
			.copy_args = asyncring__open_copy_args,
		},
	[ASYNCRING_OP_EPOLL_CTL] =
		{
			.name = "EPOLL_CTL",
			.prep = asyncring__epoll_ctl_prep,
			.issue = asyncring__epoll_ctl_issue,
		},
	[ASYNCRING_OP_SPLICE] =
		{
			.name = "SPLICE",
			.prep = asyncring__splice_prep,
			.issue = asyncring__splice_issue,
			.cleanup = asyncring__splice_cleanup,
			/* Not serial: waiting for a pipe would hold up all writes to the file. */
			.properties = OP_FILE | OP_UNBOUNDED,
		},
	[ASYNCRING_OP_PROVIDE_BUFFERS] =
		{
			.name = "PROVIDE_BUFFERS",
			.prep = asyncring__provide_buffers_prep,
			.issue = asyncring__provide_buffers_issue,
			.properties = OP_IOPOLL,
		},
	[ASYNCRING_OP_REMOVE_BUFFERS] =
		{
			.name = "REMOVE_BUFFERS",
			.prep = asyncring__remove_buffers_prep,
			.issue = asyncring__remove_buffers_issue,
			.properties = OP_IOPOLL,
		},
	[ASYNCRING_OP_TEE] =
		{
			.name = "TEE",
			.prep = asyncring__tee_prep,
			.issue = asyncring__tee_issue,
			.cleanup = asyncring__splice_cleanup,
			.properties = OP_FILE | OP_UNBOUNDED,
		},
	[ASYNCRING_OP_SHUTDOWN] =
		{
			.name = "SHUTDOWN",
			.prep = asyncring__shutdown_prep,
			.issue = asyncring__shutdown_issue,
			.properties = OP_FILE,
		},
	[ASYNCRING_OP_RENAMEAT] =
		{
			.name = "RENAMEAT",
			.prep = asyncring__renameat_prep,
			.issue = asyncring__renameat_issue,
			.properties = OP_WORKER,
		},
	[ASYNCRING_OP_UNLINKAT] =
		{
			.name = "UNLINKAT",
			.prep = asyncring__unlinkat_prep,
			.issue = asyncring__unlinkat_issue,
			.properties = OP_WORKER,
		},
	[ASYNCRING_OP_MKDIRAT] =
		{
			.name = "MKDIRAT",
			.prep = asyncring__mkdirat_prep,
			.issue = asyncring__mkdirat_issue,
			.properties = OP_WORKER,
		},
	[ASYNCRING_OP_SYMLINKAT] =
		{
			.name = "SYMLINKAT",
			.prep = asyncring__symlinkat_prep,
			.issue = asyncring__symlinkat_issue,
			.properties = OP_WORKER,
		},
	[ASYNCRING_OP_LINKAT] =
		{
			.name = "LINKAT",
			.prep = asyncring__linkat_prep,
			.issue = asyncring__linkat_issue,
			.properties = OP_WORKER,
		},
	[ASYNCRING_OP_MSG_RING] =
		{
			.name = "MSG_RING",
			.prep = asyncring__msg_ring_prep,
			.issue = asyncring__msg_ring_issue,
			.cleanup = asyncring__msg_ring_cleanup,
			/* Not OP_FILE: `fd` is a ring, which is found and held in another way than
			   files. */
			.properties = OP_IOPOLL,
		},
	[ASYNCRING_OP_FSETXATTR] =
		{
			.name = "FSETXATTR",
			.prep = asyncring__fsetxattr_prep,
			.issue = asyncring__fsetxattr_issue,
			.properties = OP_FILE | OP_WORKER,
		},
	[ASYNCRING_OP_SETXATTR] =
		{
			.name = "SETXATTR",
			.prep = asyncring__setxattr_prep,
			.issue = asyncring__setxattr_issue,
			.properties = OP_WORKER,
		},
	[ASYNCRING_OP_FGETXATTR] =
		{
			.name = "FGETXATTR",
			.prep = asyncring__fgetxattr_prep,
			.issue = asyncring__fgetxattr_issue,
			.properties = OP_FILE | OP_WORKER,
		},
	[ASYNCRING_OP_GETXATTR] =
		{
			.name = "GETXATTR",
			.prep = asyncring__getxattr_prep,
			.issue = asyncring__getxattr_issue,
			.properties = OP_WORKER,
		},
	[ASYNCRING_OP_SOCKET] =
		{
			.name = "SOCKET",
			.prep = asyncring__socket_prep,
			.issue = asyncring__socket_issue,
		},
	[ASYNCRING_OP_URING_CMD] =
		{
			.name = "URING_CMD",
			.prep = asyncring__uring_cmd_prep,
			.issue = asyncring__uring_cmd_issue,
			.properties = OP_FILE | OP_BUFFER_SELECT,
		},
	[ASYNCRING_OP_SEND_ZC] =
		{
			.name = "SEND_ZC",
			.prep = asyncring__send_zc_prep,
			.issue = asyncring__send_issue,
			.copy_args = asyncring__send_copy_args,
			.cleanup = asyncring__send_cleanup,
			.properties = OP_FILE | OP_IOPRIO | OP_FIXED_BUFFER,
		},
	[ASYNCRING_OP_SENDMSG_ZC] =
		{
			.name = "SENDMSG_ZC",
			.prep = asyncring__sendmsg_zc_prep,
			.issue = asyncring__send_issue,
			.copy_args = asyncring__send_copy_args,
			.cleanup = asyncring__send_cleanup,
			.properties = OP_FILE | OP_IOPRIO | OP_FIXED_BUFFER,
		},
	[ASYNCRING_OP_READ_MULTISHOT] =
		{
			.name = "READ_MULTISHOT",
			.prep = asyncring__read_multishot_prep,
			.issue = asyncring__read_multishot_issue,
			.properties = OP_FILE | OP_POLL_IN | OP_BUFFER_SELECT,
		},
	[ASYNCRING_OP_WAITID] =
		{
			.name = "WAITID",
			.prep = asyncring__waitid_prep,
			.issue = asyncring__waitid_issue,
			/* Not OP_FILE: the file is a descriptor of the child, once there is one. */
			.properties = OP_UNBOUNDED | OP_CANCEL_COUNTED,
		},
	[ASYNCRING_OP_FUTEX_WAIT] =
		{
			.name = "FUTEX_WAIT",
			.prep = asyncring__futex_wait_prep,
			.issue = asyncring__futex_wait_issue,
			.properties = OP_UNBOUNDED,
		},
	[ASYNCRING_OP_FUTEX_WAKE] =
		{
			.name = "FUTEX_WAKE",
			.prep = asyncring__futex_wake_prep,
			.issue = asyncring__futex_wake_issue,
		},
	[ASYNCRING_OP_FUTEX_WAITV] =
		{
			.name = "FUTEX_WAITV",
			.prep = asyncring__futex_waitv_prep,
			.issue = asyncring__futex_wait_issue,
			.properties = OP_UNBOUNDED,
		},
	[ASYNCRING_OP_FIXED_FD_INSTALL] =
		{
			.name = "FIXED_FD_INSTALL",
			.prep = asyncring__fd_install_prep,
			.issue = asyncring__fd_install_issue,
			.properties = OP_FILE,
		},
	[ASYNCRING_OP_FTRUNCATE] =
		{
			.name = "FTRUNCATE",
			.prep = asyncring__ftruncate_prep,
			.issue = asyncring__ftruncate_issue,
			.properties = OP_FILE | OP_WORKER | OP_SERIAL_INODE,
		},
	[ASYNCRING_OP_BIND] =
		{
			.name = "BIND",
			.prep = asyncring__bind_prep,
			.issue = asyncring__bind_issue,
			.copy_args = asyncring__bind_copy_args,
			.properties = OP_FILE,
		},
	[ASYNCRING_OP_LISTEN] =
		{
			.name = "LISTEN",
			.prep = asyncring__listen_prep,
			.issue = asyncring__listen_issue,
			.properties = OP_FILE,
		},
	[ASYNCRING_OP_RECV_ZC] = {.name = "RECV_ZC"},
	[ASYNCRING_OP_EPOLL_WAIT] =
		{
			.name = "EPOLL_WAIT",
			.prep = asyncring__epoll_wait_prep,
			.issue = asyncring__epoll_wait_issue,
			.properties = OP_FILE | OP_POLL_IN,
		},
	[ASYNCRING_OP_READV_FIXED] =
		{
			.name = "READV_FIXED",
			.prep = asyncring__rw_prep_readv_fixed,
			.issue = asyncring__rw_issue,
			.ends_soon = asyncring__rw_ends_soon,
			.describe = asyncring__rw_describe,
			.transferred = asyncring__rw_transferred,
			.copy_args = asyncring__rw_copy_args,
			.properties =
				OP_FILE | OP_IOPRIO | OP_POLL_IN | OP_IOPOLL | OP_FIXED_BUFFER,
		},
	[ASYNCRING_OP_WRITEV_FIXED] =
		{
			.name = "WRITEV_FIXED",
			.prep = asyncring__rw_prep_writev_fixed,
			.issue = asyncring__rw_issue,
			.ends_soon = asyncring__rw_ends_soon,
			.describe = asyncring__rw_describe,
			.transferred = asyncring__rw_transferred,
			.merge = asyncring__rw_merge,
			.issue_merged = asyncring__rw_issue_merged,
			.copy_args = asyncring__rw_copy_args,
			.properties = OP_FILE | OP_IOPRIO | OP_POLL_OUT | OP_IOPOLL |
				      OP_SERIAL_INODE | OP_FIXED_BUFFER,
		},
	[ASYNCRING_OP_PIPE] =
		{
			.name = "PIPE",
			.prep = asyncring__pipe_prep,
			.issue = asyncring__pipe_issue,
		},
	[ASYNCRING_OP_NOP128] =
		{
			.name = "NOP128",
			.prep = asyncring__nop_prep,
			.issue = asyncring__nop_issue,
			.brief = asyncring__nop_brief,
			.properties = OP_IOPOLL | OP_SQE128,
		},
	[ASYNCRING_OP_URING_CMD128] = {.name = "URING_CMD128"},
};
/* clang-format on */

#define TABLE_LENGTH (sizeof(asyncring__ops) / sizeof(asyncring__ops[0]))

_Static_assert(TABLE_LENGTH == ASYNCRING_OP_LAST, "each opcode of abi.h has a row");

unsigned asyncring__op_count(void)
{
	return TABLE_LENGTH;
}
