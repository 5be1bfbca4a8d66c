/* SPDX-License-Identifier: MIT */
/*
 * <liburing/io_uring.h> for programs written for liburing that are compiled against libasyncring:
 * the kernel's structures and constants. <liburing.h> beside it adds the functions.
 *
 * Constants are macros for ours, which have the same values. For structures it is the other way
 * round: while our headers are read, their tags are macros for the kernel's, so that struct
 * io_uring_sqe is a type of that very name. A program may then declare "struct io_uring;" without
 * this header, give variables and members such names, and link C++ files that mention these types
 * with and without it.
 *
 * That cannot be done when <linux/io_uring.h> has come first and has taken the names, nor when
 * asyncring.h has come first under its own. Then the kernel's tags become macros for ours, which
 * serves all programs but those few that rely on the tags as said.
 *
 * <linux/io_uring.h> has nothing to add once this header was read, and its guard is set. Where it
 * came first its constants are defined over, which is what the next line is for.
 */
#pragma GCC system_header

#ifndef ASYNCRING_COMPAT_IO_URING_H
#define ASYNCRING_COMPAT_IO_URING_H

#if defined(LINUX_IO_URING_H) || defined(ASYNCRING_ABI_H)
#define io_uring			  asyncring
#define io_uring_attr_pi		  asyncring_attr_pi
#define io_uring_buf			  asyncring_buf
#define io_uring_buf_reg		  asyncring_buf_reg
#define io_uring_buf_ring		  asyncring_buf_ring
#define io_uring_buf_status		  asyncring_buf_status
#define io_uring_clock_register		  asyncring_clock_register
#define io_uring_clone_buffers_flags	  asyncring_clone_buffers_flags
#define io_uring_cq			  asyncring_cq
#define io_uring_cqe			  asyncring_cqe
#define io_uring_cqe_iter		  asyncring_cqe_iter
#define io_cqring_offsets		  asyncring_cqring_offsets
#define io_uring_file_index_range	  asyncring_file_index_range
#define io_uring_files_update		  asyncring_files_update
#define io_uring_getevents_arg		  asyncring_getevents_arg
#define io_uring_mem_region_flags	  asyncring_mem_region_flags
#define io_uring_mem_region_reg		  asyncring_mem_region_reg
#define io_uring_msg_ring_flags		  asyncring_msg_ring_flags
#define io_uring_napi			  asyncring_napi
#define io_uring_napi_op		  asyncring_napi_op
#define io_uring_napi_tracking_strategy	  asyncring_napi_tracking_strategy
#define io_uring_op			  asyncring_op
#define io_uring_params			  asyncring_params
#define io_uring_probe			  asyncring_probe
#define io_uring_probe_op		  asyncring_probe_op
#define io_uring_query_hdr		  asyncring_query_hdr
#define io_uring_query_op		  asyncring_query_op
#define io_uring_query_opcode		  asyncring_query_opcode
#define io_uring_recvmsg_out		  asyncring_recvmsg_out
#define io_uring_reg_wait		  asyncring_reg_wait
#define io_uring_reg_wait_flags		  asyncring_reg_wait_flags
#define io_uring_region_desc		  asyncring_region_desc
#define io_uring_region_type		  asyncring_region_type
#define io_uring_register_op		  asyncring_register_op
#define io_uring_register_pbuf_ring_flags asyncring_register_pbuf_ring_flags
#define io_uring_register_restriction_op  asyncring_register_restriction_op
#define io_uring_restriction		  asyncring_restriction
#define io_uring_rsrc_register		  asyncring_rsrc_register
#define io_uring_rsrc_update		  asyncring_rsrc_update
#define io_uring_rsrc_update2		  asyncring_rsrc_update2
#define io_uring_socket_op		  asyncring_socket_op
#define io_uring_sq			  asyncring_sq
#define io_uring_sqe			  asyncring_sqe
#define io_uring_sqe_flags_bit		  asyncring_sqe_flags_bit
#define io_sqring_offsets		  asyncring_sqring_offsets
#define io_uring_sync_cancel_reg	  asyncring_sync_cancel_reg
#define io_timespec			  asyncring_timespec
#define io_wq_type			  asyncring_wq_type
#define io_uring_zcrx_area_flags	  asyncring_zcrx_area_flags
#define io_uring_zcrx_area_reg		  asyncring_zcrx_area_reg
#define io_uring_zcrx_cqe		  asyncring_zcrx_cqe
#define io_uring_zcrx_ifq_reg		  asyncring_zcrx_ifq_reg
#define io_uring_zcrx_offsets		  asyncring_zcrx_offsets
#define io_uring_zcrx_rqe		  asyncring_zcrx_rqe
#else
#define LINUX_IO_URING_H
#define asyncring			   io_uring
#define asyncring_attr_pi		   io_uring_attr_pi
#define asyncring_buf			   io_uring_buf
#define asyncring_buf_reg		   io_uring_buf_reg
#define asyncring_buf_ring		   io_uring_buf_ring
#define asyncring_buf_status		   io_uring_buf_status
#define asyncring_clock_register	   io_uring_clock_register
#define asyncring_clone_buffers_flags	   io_uring_clone_buffers_flags
#define asyncring_cq			   io_uring_cq
#define asyncring_cqe			   io_uring_cqe
#define asyncring_cqe_iter		   io_uring_cqe_iter
#define asyncring_cqring_offsets	   io_cqring_offsets
#define asyncring_file_index_range	   io_uring_file_index_range
#define asyncring_files_update		   io_uring_files_update
#define asyncring_getevents_arg		   io_uring_getevents_arg
#define asyncring_mem_region_flags	   io_uring_mem_region_flags
#define asyncring_mem_region_reg	   io_uring_mem_region_reg
#define asyncring_msg_ring_flags	   io_uring_msg_ring_flags
#define asyncring_napi			   io_uring_napi
#define asyncring_napi_op		   io_uring_napi_op
#define asyncring_napi_tracking_strategy   io_uring_napi_tracking_strategy
#define asyncring_op			   io_uring_op
#define asyncring_params		   io_uring_params
#define asyncring_probe			   io_uring_probe
#define asyncring_probe_op		   io_uring_probe_op
#define asyncring_query_hdr		   io_uring_query_hdr
#define asyncring_query_op		   io_uring_query_op
#define asyncring_query_opcode		   io_uring_query_opcode
#define asyncring_recvmsg_out		   io_uring_recvmsg_out
#define asyncring_reg_wait		   io_uring_reg_wait
#define asyncring_reg_wait_flags	   io_uring_reg_wait_flags
#define asyncring_region_desc		   io_uring_region_desc
#define asyncring_region_type		   io_uring_region_type
#define asyncring_register_op		   io_uring_register_op
#define asyncring_register_pbuf_ring_flags io_uring_register_pbuf_ring_flags
#define asyncring_register_restriction_op  io_uring_register_restriction_op
#define asyncring_restriction		   io_uring_restriction
#define asyncring_rsrc_register		   io_uring_rsrc_register
#define asyncring_rsrc_update		   io_uring_rsrc_update
#define asyncring_rsrc_update2		   io_uring_rsrc_update2
#define asyncring_socket_op		   io_uring_socket_op
#define asyncring_sq			   io_uring_sq
#define asyncring_sqe			   io_uring_sqe
#define asyncring_sqe_flags_bit		   io_uring_sqe_flags_bit
#define asyncring_sqring_offsets	   io_sqring_offsets
#define asyncring_sync_cancel_reg	   io_uring_sync_cancel_reg
#define asyncring_timespec		   io_timespec
#define asyncring_wq_type		   io_wq_type
#define asyncring_zcrx_area_flags	   io_uring_zcrx_area_flags
#define asyncring_zcrx_area_reg		   io_uring_zcrx_area_reg
#define asyncring_zcrx_cqe		   io_uring_zcrx_cqe
#define asyncring_zcrx_ifq_reg		   io_uring_zcrx_ifq_reg
#define asyncring_zcrx_offsets		   io_uring_zcrx_offsets
#define asyncring_zcrx_rqe		   io_uring_zcrx_rqe
#endif

#include <asyncring/abi.h>

/* RWF_* and more: programs have come to expect it from here. */
#if __has_include(<linux/fs.h>)
#include <linux/fs.h>
#endif
#if __has_include(<linux/blkdev.h>)
#include <linux/blkdev.h>
#endif

/* The command of a block device; its older headers do not know it. */
#ifndef BLOCK_URING_CMD_DISCARD
#define BLOCK_URING_CMD_DISCARD _IO(0x12, 0)
#endif

/* sqe->flags */
#define IOSQE_ASYNC		   ASYNCRING_SQE_ASYNC
#define IOSQE_ASYNC_BIT		   ASYNCRING_SQE_ASYNC_BIT
#define IOSQE_BUFFER_SELECT	   ASYNCRING_SQE_BUFFER_SELECT
#define IOSQE_BUFFER_SELECT_BIT	   ASYNCRING_SQE_BUFFER_SELECT_BIT
#define IOSQE_CQE_SKIP_SUCCESS	   ASYNCRING_SQE_CQE_SKIP_SUCCESS
#define IOSQE_CQE_SKIP_SUCCESS_BIT ASYNCRING_SQE_CQE_SKIP_SUCCESS_BIT
#define IOSQE_FIXED_FILE	   ASYNCRING_SQE_FIXED_FILE
#define IOSQE_FIXED_FILE_BIT	   ASYNCRING_SQE_FIXED_FILE_BIT
#define IOSQE_IO_DRAIN		   ASYNCRING_SQE_IO_DRAIN
#define IOSQE_IO_DRAIN_BIT	   ASYNCRING_SQE_IO_DRAIN_BIT
#define IOSQE_IO_HARDLINK	   ASYNCRING_SQE_IO_HARDLINK
#define IOSQE_IO_HARDLINK_BIT	   ASYNCRING_SQE_IO_HARDLINK_BIT
#define IOSQE_IO_LINK		   ASYNCRING_SQE_IO_LINK
#define IOSQE_IO_LINK_BIT	   ASYNCRING_SQE_IO_LINK_BIT

/* params.flags */
#define IORING_SETUP_ATTACH_WQ		ASYNCRING_SETUP_ATTACH_WQ
#define IORING_SETUP_CLAMP		ASYNCRING_SETUP_CLAMP
#define IORING_SETUP_COOP_TASKRUN	ASYNCRING_SETUP_COOP_TASKRUN
#define IORING_SETUP_CQE32		ASYNCRING_SETUP_CQE32
#define IORING_SETUP_CQE_MIXED		ASYNCRING_SETUP_CQE_MIXED
#define IORING_SETUP_CQSIZE		ASYNCRING_SETUP_CQSIZE
#define IORING_SETUP_DEFER_TASKRUN	ASYNCRING_SETUP_DEFER_TASKRUN
#define IORING_SETUP_HYBRID_IOPOLL	ASYNCRING_SETUP_HYBRID_IOPOLL
#define IORING_SETUP_IOPOLL		ASYNCRING_SETUP_IOPOLL
#define IORING_SETUP_NO_MMAP		ASYNCRING_SETUP_NO_MMAP
#define IORING_SETUP_NO_SQARRAY		ASYNCRING_SETUP_NO_SQARRAY
#define IORING_SETUP_REGISTERED_FD_ONLY ASYNCRING_SETUP_REGISTERED_FD_ONLY
#define IORING_SETUP_R_DISABLED		ASYNCRING_SETUP_R_DISABLED
#define IORING_SETUP_SINGLE_ISSUER	ASYNCRING_SETUP_SINGLE_ISSUER
#define IORING_SETUP_SQE128		ASYNCRING_SETUP_SQE128
#define IORING_SETUP_SQE_MIXED		ASYNCRING_SETUP_SQE_MIXED
#define IORING_SETUP_SQPOLL		ASYNCRING_SETUP_SQPOLL
#define IORING_SETUP_SQ_AFF		ASYNCRING_SETUP_SQ_AFF
#define IORING_SETUP_SUBMIT_ALL		ASYNCRING_SETUP_SUBMIT_ALL
#define IORING_SETUP_TASKRUN_FLAG	ASYNCRING_SETUP_TASKRUN_FLAG

/* params.features */
#define IORING_FEAT_CQE_SKIP	    ASYNCRING_FEAT_CQE_SKIP
#define IORING_FEAT_CUR_PERSONALITY ASYNCRING_FEAT_CUR_PERSONALITY
#define IORING_FEAT_EXT_ARG	    ASYNCRING_FEAT_EXT_ARG
#define IORING_FEAT_FAST_POLL	    ASYNCRING_FEAT_FAST_POLL
#define IORING_FEAT_LINKED_FILE	    ASYNCRING_FEAT_LINKED_FILE
#define IORING_FEAT_MIN_TIMEOUT	    ASYNCRING_FEAT_MIN_TIMEOUT
#define IORING_FEAT_NATIVE_WORKERS  ASYNCRING_FEAT_NATIVE_WORKERS
#define IORING_FEAT_NODROP	    ASYNCRING_FEAT_NODROP
#define IORING_FEAT_NO_IOWAIT	    ASYNCRING_FEAT_NO_IOWAIT
#define IORING_FEAT_POLL_32BITS	    ASYNCRING_FEAT_POLL_32BITS
#define IORING_FEAT_RECVSEND_BUNDLE ASYNCRING_FEAT_RECVSEND_BUNDLE
#define IORING_FEAT_REG_REG_RING    ASYNCRING_FEAT_REG_REG_RING
#define IORING_FEAT_RSRC_TAGS	    ASYNCRING_FEAT_RSRC_TAGS
#define IORING_FEAT_RW_ATTR	    ASYNCRING_FEAT_RW_ATTR
#define IORING_FEAT_RW_CUR_POS	    ASYNCRING_FEAT_RW_CUR_POS
#define IORING_FEAT_SINGLE_MMAP	    ASYNCRING_FEAT_SINGLE_MMAP
#define IORING_FEAT_SQPOLL_NONFIXED ASYNCRING_FEAT_SQPOLL_NONFIXED
#define IORING_FEAT_SUBMIT_STABLE   ASYNCRING_FEAT_SUBMIT_STABLE

/* sqe->opcode */
#define IORING_OP_ACCEPT	   ASYNCRING_OP_ACCEPT
#define IORING_OP_ASYNC_CANCEL	   ASYNCRING_OP_ASYNC_CANCEL
#define IORING_OP_BIND		   ASYNCRING_OP_BIND
#define IORING_OP_CLOSE		   ASYNCRING_OP_CLOSE
#define IORING_OP_CONNECT	   ASYNCRING_OP_CONNECT
#define IORING_OP_EPOLL_CTL	   ASYNCRING_OP_EPOLL_CTL
#define IORING_OP_EPOLL_WAIT	   ASYNCRING_OP_EPOLL_WAIT
#define IORING_OP_FADVISE	   ASYNCRING_OP_FADVISE
#define IORING_OP_FALLOCATE	   ASYNCRING_OP_FALLOCATE
#define IORING_OP_FGETXATTR	   ASYNCRING_OP_FGETXATTR
#define IORING_OP_FILES_UPDATE	   ASYNCRING_OP_FILES_UPDATE
#define IORING_OP_FIXED_FD_INSTALL ASYNCRING_OP_FIXED_FD_INSTALL
#define IORING_OP_FSETXATTR	   ASYNCRING_OP_FSETXATTR
#define IORING_OP_FSYNC		   ASYNCRING_OP_FSYNC
#define IORING_OP_FTRUNCATE	   ASYNCRING_OP_FTRUNCATE
#define IORING_OP_FUTEX_WAIT	   ASYNCRING_OP_FUTEX_WAIT
#define IORING_OP_FUTEX_WAITV	   ASYNCRING_OP_FUTEX_WAITV
#define IORING_OP_FUTEX_WAKE	   ASYNCRING_OP_FUTEX_WAKE
#define IORING_OP_GETXATTR	   ASYNCRING_OP_GETXATTR
#define IORING_OP_LAST		   ASYNCRING_OP_LAST
#define IORING_OP_LINKAT	   ASYNCRING_OP_LINKAT
#define IORING_OP_LINK_TIMEOUT	   ASYNCRING_OP_LINK_TIMEOUT
#define IORING_OP_LISTEN	   ASYNCRING_OP_LISTEN
#define IORING_OP_MADVISE	   ASYNCRING_OP_MADVISE
#define IORING_OP_MKDIRAT	   ASYNCRING_OP_MKDIRAT
#define IORING_OP_MSG_RING	   ASYNCRING_OP_MSG_RING
#define IORING_OP_NOP		   ASYNCRING_OP_NOP
#define IORING_OP_NOP128	   ASYNCRING_OP_NOP128
#define IORING_OP_OPENAT	   ASYNCRING_OP_OPENAT
#define IORING_OP_OPENAT2	   ASYNCRING_OP_OPENAT2
#define IORING_OP_PIPE		   ASYNCRING_OP_PIPE
#define IORING_OP_POLL_ADD	   ASYNCRING_OP_POLL_ADD
#define IORING_OP_POLL_REMOVE	   ASYNCRING_OP_POLL_REMOVE
#define IORING_OP_PROVIDE_BUFFERS  ASYNCRING_OP_PROVIDE_BUFFERS
#define IORING_OP_READ		   ASYNCRING_OP_READ
#define IORING_OP_READV		   ASYNCRING_OP_READV
#define IORING_OP_READV_FIXED	   ASYNCRING_OP_READV_FIXED
#define IORING_OP_READ_FIXED	   ASYNCRING_OP_READ_FIXED
#define IORING_OP_READ_MULTISHOT   ASYNCRING_OP_READ_MULTISHOT
#define IORING_OP_RECV		   ASYNCRING_OP_RECV
#define IORING_OP_RECVMSG	   ASYNCRING_OP_RECVMSG
#define IORING_OP_RECV_ZC	   ASYNCRING_OP_RECV_ZC
#define IORING_OP_REMOVE_BUFFERS   ASYNCRING_OP_REMOVE_BUFFERS
#define IORING_OP_RENAMEAT	   ASYNCRING_OP_RENAMEAT
#define IORING_OP_SEND		   ASYNCRING_OP_SEND
#define IORING_OP_SENDMSG	   ASYNCRING_OP_SENDMSG
#define IORING_OP_SENDMSG_ZC	   ASYNCRING_OP_SENDMSG_ZC
#define IORING_OP_SEND_ZC	   ASYNCRING_OP_SEND_ZC
#define IORING_OP_SETXATTR	   ASYNCRING_OP_SETXATTR
#define IORING_OP_SHUTDOWN	   ASYNCRING_OP_SHUTDOWN
#define IORING_OP_SOCKET	   ASYNCRING_OP_SOCKET
#define IORING_OP_SPLICE	   ASYNCRING_OP_SPLICE
#define IORING_OP_STATX		   ASYNCRING_OP_STATX
#define IORING_OP_SYMLINKAT	   ASYNCRING_OP_SYMLINKAT
#define IORING_OP_SYNC_FILE_RANGE  ASYNCRING_OP_SYNC_FILE_RANGE
#define IORING_OP_TEE		   ASYNCRING_OP_TEE
#define IORING_OP_TIMEOUT	   ASYNCRING_OP_TIMEOUT
#define IORING_OP_TIMEOUT_REMOVE   ASYNCRING_OP_TIMEOUT_REMOVE
#define IORING_OP_UNLINKAT	   ASYNCRING_OP_UNLINKAT
#define IORING_OP_URING_CMD	   ASYNCRING_OP_URING_CMD
#define IORING_OP_URING_CMD128	   ASYNCRING_OP_URING_CMD128
#define IORING_OP_WAITID	   ASYNCRING_OP_WAITID
#define IORING_OP_WRITE		   ASYNCRING_OP_WRITE
#define IORING_OP_WRITEV	   ASYNCRING_OP_WRITEV
#define IORING_OP_WRITEV_FIXED	   ASYNCRING_OP_WRITEV_FIXED
#define IORING_OP_WRITE_FIXED	   ASYNCRING_OP_WRITE_FIXED

/* Entering */
#define IORING_ENTER_ABS_TIMER	     ASYNCRING_ENTER_ABS_TIMER
#define IORING_ENTER_EXT_ARG	     ASYNCRING_ENTER_EXT_ARG
#define IORING_ENTER_EXT_ARG_REG     ASYNCRING_ENTER_EXT_ARG_REG
#define IORING_ENTER_GETEVENTS	     ASYNCRING_ENTER_GETEVENTS
#define IORING_ENTER_NO_IOWAIT	     ASYNCRING_ENTER_NO_IOWAIT
#define IORING_ENTER_REGISTERED_RING ASYNCRING_ENTER_REGISTERED_RING
#define IORING_ENTER_SQ_WAIT	     ASYNCRING_ENTER_SQ_WAIT
#define IORING_ENTER_SQ_WAKEUP	     ASYNCRING_ENTER_SQ_WAKEUP

/* The flags words of the rings */
#define IORING_SQ_CQ_OVERFLOW	   ASYNCRING_SQ_CQ_OVERFLOW
#define IORING_SQ_NEED_WAKEUP	   ASYNCRING_SQ_NEED_WAKEUP
#define IORING_SQ_TASKRUN	   ASYNCRING_SQ_TASKRUN
#define IORING_CQ_EVENTFD_DISABLED ASYNCRING_CQ_EVENTFD_DISABLED

/* mmap(2) offsets, written as programs write them that define them once more */
#define IORING_OFF_CQ_RING    0x8000000ULL
#define IORING_OFF_MMAP_MASK  0xf8000000ULL
#define IORING_OFF_PBUF_RING  0x80000000ULL
#define IORING_OFF_PBUF_SHIFT 16
#define IORING_OFF_SQES	      0x10000000ULL
#define IORING_OFF_SQ_RING    0ULL

/* cqe->flags */
#define IORING_CQE_BUFFER_SHIFT	   ASYNCRING_CQE_BUFFER_SHIFT
#define IORING_CQE_F_32		   ASYNCRING_CQE_F_32
#define IORING_CQE_F_BUFFER	   ASYNCRING_CQE_F_BUFFER
#define IORING_CQE_F_BUF_MORE	   ASYNCRING_CQE_F_BUF_MORE
#define IORING_CQE_F_MORE	   ASYNCRING_CQE_F_MORE
#define IORING_CQE_F_NOTIF	   ASYNCRING_CQE_F_NOTIF
#define IORING_CQE_F_SKIP	   ASYNCRING_CQE_F_SKIP
#define IORING_CQE_F_SOCK_NONEMPTY ASYNCRING_CQE_F_SOCK_NONEMPTY
#define IORING_CQE_F_TSTAMP_HW	   ASYNCRING_CQE_F_TSTAMP_HW

/* Registering */
#define IORING_REGISTER_BUFFERS		    ASYNCRING_REGISTER_BUFFERS
#define IORING_REGISTER_BUFFERS2	    ASYNCRING_REGISTER_BUFFERS2
#define IORING_REGISTER_BUFFERS_UPDATE	    ASYNCRING_REGISTER_BUFFERS_UPDATE
#define IORING_REGISTER_CLOCK		    ASYNCRING_REGISTER_CLOCK
#define IORING_REGISTER_CLONE_BUFFERS	    ASYNCRING_REGISTER_CLONE_BUFFERS
#define IORING_REGISTER_DST_REPLACE	    ASYNCRING_REGISTER_DST_REPLACE
#define IORING_REGISTER_ENABLE_RINGS	    ASYNCRING_REGISTER_ENABLE_RINGS
#define IORING_REGISTER_EVENTFD		    ASYNCRING_REGISTER_EVENTFD
#define IORING_REGISTER_EVENTFD_ASYNC	    ASYNCRING_REGISTER_EVENTFD_ASYNC
#define IORING_REGISTER_FILES		    ASYNCRING_REGISTER_FILES
#define IORING_REGISTER_FILES2		    ASYNCRING_REGISTER_FILES2
#define IORING_REGISTER_FILES_SKIP	    ASYNCRING_REGISTER_FILES_SKIP
#define IORING_REGISTER_FILES_UPDATE	    ASYNCRING_REGISTER_FILES_UPDATE
#define IORING_REGISTER_FILES_UPDATE2	    ASYNCRING_REGISTER_FILES_UPDATE2
#define IORING_REGISTER_FILE_ALLOC_RANGE    ASYNCRING_REGISTER_FILE_ALLOC_RANGE
#define IORING_REGISTER_IOWQ_AFF	    ASYNCRING_REGISTER_IOWQ_AFF
#define IORING_REGISTER_IOWQ_MAX_WORKERS    ASYNCRING_REGISTER_IOWQ_MAX_WORKERS
#define IORING_REGISTER_LAST		    ASYNCRING_REGISTER_LAST
#define IORING_REGISTER_MEM_REGION	    ASYNCRING_REGISTER_MEM_REGION
#define IORING_REGISTER_NAPI		    ASYNCRING_REGISTER_NAPI
#define IORING_REGISTER_PBUF_RING	    ASYNCRING_REGISTER_PBUF_RING
#define IORING_REGISTER_PBUF_STATUS	    ASYNCRING_REGISTER_PBUF_STATUS
#define IORING_REGISTER_PERSONALITY	    ASYNCRING_REGISTER_PERSONALITY
#define IORING_REGISTER_PROBE		    ASYNCRING_REGISTER_PROBE
#define IORING_REGISTER_QUERY		    ASYNCRING_REGISTER_QUERY
#define IORING_REGISTER_RESIZE_RINGS	    ASYNCRING_REGISTER_RESIZE_RINGS
#define IORING_REGISTER_RESTRICTIONS	    ASYNCRING_REGISTER_RESTRICTIONS
#define IORING_REGISTER_RING_FDS	    ASYNCRING_REGISTER_RING_FDS
#define IORING_REGISTER_SEND_MSG_RING	    ASYNCRING_REGISTER_SEND_MSG_RING
#define IORING_REGISTER_SRC_REGISTERED	    ASYNCRING_REGISTER_SRC_REGISTERED
#define IORING_REGISTER_SYNC_CANCEL	    ASYNCRING_REGISTER_SYNC_CANCEL
#define IORING_REGISTER_USE_REGISTERED_RING ASYNCRING_REGISTER_USE_REGISTERED_RING
#define IORING_REGISTER_ZCRX_IFQ	    ASYNCRING_REGISTER_ZCRX_IFQ
#define IORING_RSRC_REGISTER_SPARSE	    ASYNCRING_RSRC_REGISTER_SPARSE
#define IORING_UNREGISTER_BUFFERS	    ASYNCRING_UNREGISTER_BUFFERS
#define IORING_UNREGISTER_EVENTFD	    ASYNCRING_UNREGISTER_EVENTFD
#define IORING_UNREGISTER_FILES		    ASYNCRING_UNREGISTER_FILES
#define IORING_UNREGISTER_IOWQ_AFF	    ASYNCRING_UNREGISTER_IOWQ_AFF
#define IORING_UNREGISTER_NAPI		    ASYNCRING_UNREGISTER_NAPI
#define IORING_UNREGISTER_PBUF_RING	    ASYNCRING_UNREGISTER_PBUF_RING
#define IORING_UNREGISTER_PERSONALITY	    ASYNCRING_UNREGISTER_PERSONALITY
#define IORING_UNREGISTER_RING_FDS	    ASYNCRING_UNREGISTER_RING_FDS

/* Restrictions */
#define IORING_RESTRICTION_LAST		      ASYNCRING_RESTRICTION_LAST
#define IORING_RESTRICTION_REGISTER_OP	      ASYNCRING_RESTRICTION_REGISTER_OP
#define IORING_RESTRICTION_SQE_FLAGS_ALLOWED  ASYNCRING_RESTRICTION_SQE_FLAGS_ALLOWED
#define IORING_RESTRICTION_SQE_FLAGS_REQUIRED ASYNCRING_RESTRICTION_SQE_FLAGS_REQUIRED
#define IORING_RESTRICTION_SQE_OP	      ASYNCRING_RESTRICTION_SQE_OP

/* Slots of the file table */
#define IORING_FILE_INDEX_ALLOC	   ASYNCRING_FILE_INDEX_ALLOC
#define IORING_FIXED_FD_NO_CLOEXEC ASYNCRING_FIXED_FD_NO_CLOEXEC
#define SPLICE_F_FD_IN_FIXED	   ASYNCRING_SPLICE_F_FD_IN_FIXED

/* fsync */
#define IORING_FSYNC_DATASYNC ASYNCRING_FSYNC_DATASYNC

/* nop */
#define IORING_NOP_CQE32	 ASYNCRING_NOP_CQE32
#define IORING_NOP_FILE		 ASYNCRING_NOP_FILE
#define IORING_NOP_FIXED_BUFFER	 ASYNCRING_NOP_FIXED_BUFFER
#define IORING_NOP_FIXED_FILE	 ASYNCRING_NOP_FIXED_FILE
#define IORING_NOP_INJECT_RESULT ASYNCRING_NOP_INJECT_RESULT
#define IORING_NOP_TW		 ASYNCRING_NOP_TW

/* Attributes of reads and writes */
#define IORING_RW_ATTR_FLAG_PI ASYNCRING_RW_ATTR_FLAG_PI

/* poll */
#define IORING_POLL_ADD_LEVEL	     ASYNCRING_POLL_ADD_LEVEL
#define IORING_POLL_ADD_MULTI	     ASYNCRING_POLL_ADD_MULTI
#define IORING_POLL_UPDATE_EVENTS    ASYNCRING_POLL_UPDATE_EVENTS
#define IORING_POLL_UPDATE_USER_DATA ASYNCRING_POLL_UPDATE_USER_DATA

/* Timeouts */
#define IORING_LINK_TIMEOUT_UPDATE   ASYNCRING_LINK_TIMEOUT_UPDATE
#define IORING_TIMEOUT_ABS	     ASYNCRING_TIMEOUT_ABS
#define IORING_TIMEOUT_BOOTTIME	     ASYNCRING_TIMEOUT_BOOTTIME
#define IORING_TIMEOUT_CLOCK_MASK    ASYNCRING_TIMEOUT_CLOCK_MASK
#define IORING_TIMEOUT_ETIME_SUCCESS ASYNCRING_TIMEOUT_ETIME_SUCCESS
#define IORING_TIMEOUT_IMMEDIATE_ARG ASYNCRING_TIMEOUT_IMMEDIATE_ARG
#define IORING_TIMEOUT_MULTISHOT     ASYNCRING_TIMEOUT_MULTISHOT
#define IORING_TIMEOUT_REALTIME	     ASYNCRING_TIMEOUT_REALTIME
#define IORING_TIMEOUT_UPDATE	     ASYNCRING_TIMEOUT_UPDATE
#define IORING_TIMEOUT_UPDATE_MASK   ASYNCRING_TIMEOUT_UPDATE_MASK

/* Cancelling */
#define IORING_ASYNC_CANCEL_ALL	     ASYNCRING_ASYNC_CANCEL_ALL
#define IORING_ASYNC_CANCEL_ANY	     ASYNCRING_ASYNC_CANCEL_ANY
#define IORING_ASYNC_CANCEL_FD	     ASYNCRING_ASYNC_CANCEL_FD
#define IORING_ASYNC_CANCEL_FD_FIXED ASYNCRING_ASYNC_CANCEL_FD_FIXED
#define IORING_ASYNC_CANCEL_OP	     ASYNCRING_ASYNC_CANCEL_OP
#define IORING_ASYNC_CANCEL_USERDATA ASYNCRING_ASYNC_CANCEL_USERDATA

/* accept */
#define IORING_ACCEPT_DONTWAIT	 ASYNCRING_ACCEPT_DONTWAIT
#define IORING_ACCEPT_MULTISHOT	 ASYNCRING_ACCEPT_MULTISHOT
#define IORING_ACCEPT_POLL_FIRST ASYNCRING_ACCEPT_POLL_FIRST

/* Sending and receiving */
#define IORING_NOTIF_USAGE_ZC_COPIED ASYNCRING_NOTIF_USAGE_ZC_COPIED
#define IORING_RECVSEND_BUNDLE	     ASYNCRING_RECVSEND_BUNDLE
#define IORING_RECVSEND_FIXED_BUF    ASYNCRING_RECVSEND_FIXED_BUF
#define IORING_RECVSEND_POLL_FIRST   ASYNCRING_RECVSEND_POLL_FIRST
#define IORING_RECV_MULTISHOT	     ASYNCRING_RECV_MULTISHOT
#define IORING_SEND_VECTORIZED	     ASYNCRING_SEND_VECTORIZED
#define IORING_SEND_ZC_REPORT_USAGE  ASYNCRING_SEND_ZC_REPORT_USAGE

/* Messages to rings */
#define IORING_MSG_DATA		   ASYNCRING_MSG_DATA
#define IORING_MSG_RING_CQE_SKIP   ASYNCRING_MSG_RING_CQE_SKIP
#define IORING_MSG_RING_FLAGS_PASS ASYNCRING_MSG_RING_FLAGS_PASS
#define IORING_MSG_SEND_FD	   ASYNCRING_MSG_SEND_FD

/* Commands */
#define IORING_URING_CMD_FIXED	     ASYNCRING_URING_CMD_FIXED
#define IORING_URING_CMD_MASK	     ASYNCRING_URING_CMD_MASK
#define IORING_URING_CMD_MULTISHOT   ASYNCRING_URING_CMD_MULTISHOT
#define SOCKET_URING_OP_GETSOCKNAME  ASYNCRING_SOCKET_OP_GETSOCKNAME
#define SOCKET_URING_OP_GETSOCKOPT   ASYNCRING_SOCKET_OP_GETSOCKOPT
#define SOCKET_URING_OP_SETSOCKOPT   ASYNCRING_SOCKET_OP_SETSOCKOPT
#define SOCKET_URING_OP_SIOCINQ	     ASYNCRING_SOCKET_OP_SIOCINQ
#define SOCKET_URING_OP_SIOCOUTQ     ASYNCRING_SOCKET_OP_SIOCOUTQ
#define SOCKET_URING_OP_TX_TIMESTAMP ASYNCRING_SOCKET_OP_TX_TIMESTAMP

/* Time stamps */
#define IORING_TIMESTAMP_HW_SHIFT   ASYNCRING_TIMESTAMP_HW_SHIFT
#define IORING_TIMESTAMP_TYPE_SHIFT ASYNCRING_TIMESTAMP_TYPE_SHIFT

/* Memory regions */
#define IORING_MEM_REGION_REG_WAIT_ARG ASYNCRING_MEM_REGION_REG_WAIT_ARG
#define IORING_MEM_REGION_TYPE_USER    ASYNCRING_MEM_REGION_TYPE_USER
#define IORING_REG_WAIT_TS	       ASYNCRING_REG_WAIT_TS

/* Zero-copy receive */
#define IORING_ZCRX_AREA_DMABUF ASYNCRING_ZCRX_AREA_DMABUF
#define IORING_ZCRX_AREA_MASK	ASYNCRING_ZCRX_AREA_MASK
#define IORING_ZCRX_AREA_SHIFT	ASYNCRING_ZCRX_AREA_SHIFT

/* Buffer rings */
#define IOU_PBUF_RING_INC  ASYNCRING_PBUF_RING_INC
#define IOU_PBUF_RING_MMAP ASYNCRING_PBUF_RING_MMAP

/* Probing, workers, busy polling, queries */
#define IO_URING_NAPI_REGISTER_OP	ASYNCRING_NAPI_REGISTER_OP
#define IO_URING_NAPI_STATIC_ADD_ID	ASYNCRING_NAPI_STATIC_ADD_ID
#define IO_URING_NAPI_STATIC_DEL_ID	ASYNCRING_NAPI_STATIC_DEL_ID
#define IO_URING_NAPI_TRACKING_DYNAMIC	ASYNCRING_NAPI_TRACKING_DYNAMIC
#define IO_URING_NAPI_TRACKING_INACTIVE ASYNCRING_NAPI_TRACKING_INACTIVE
#define IO_URING_NAPI_TRACKING_STATIC	ASYNCRING_NAPI_TRACKING_STATIC
#define IO_URING_OP_SUPPORTED		ASYNCRING_OP_SUPPORTED
#define IO_URING_QUERY_OPCODES		ASYNCRING_QUERY_OPCODES
#define IO_WQ_BOUND			ASYNCRING_WQ_BOUND
#define IO_WQ_UNBOUND			ASYNCRING_WQ_UNBOUND

#include "later.h"

#endif
