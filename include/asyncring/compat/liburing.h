/* SPDX-License-Identifier: MIT */
/*
 * <liburing.h> for programs written for liburing that are compiled against libasyncring: with
 * pkg-config asyncring-liburing on the command line not a line of them changes, in C or in C++.
 * Every name of liburing's application side is here; what each does is told in asyncring.h. See
 * liburing/io_uring.h for how structures and constants get their names.
 *
 * What differs from liburing: a descriptor from io_uring_setup() is closed with asyncring_close(),
 * where a program does not leave that to io_uring_queue_exit(). Programs that make the io_uring
 * system calls themselves are not served this way.
 */
#ifndef LIB_URING_H
#define LIB_URING_H

#ifndef _XOPEN_SOURCE
#define _XOPEN_SOURCE 700
#endif
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

/* First, as it names the structures that asyncring.h is to declare. */
#include "liburing/io_uring.h"

#include <inttypes.h>

#include <asyncring.h>
#include "liburing/barrier.h"
#include "liburing/io_uring_version.h"

#ifndef uring_likely
#define uring_likely(condition) __builtin_expect(!!(condition), 1)
#endif
#ifndef uring_unlikely
#define uring_unlikely(condition) __builtin_expect(!!(condition), 0)
#endif

/* The user_data that liburing once gave to timeouts of its own; here there are none. */
#define LIBURING_UDATA_TIMEOUT ((__u64)-1)
#define LIBURING_HAVE_DATA64

#ifndef LIBURING_NOEXCEPT
#define LIBURING_NOEXCEPT
#endif

#ifndef __NR_io_uring_setup
#define __NR_io_uring_setup 425
#endif
#ifndef __NR_io_uring_enter
#define __NR_io_uring_enter 426
#endif
#ifndef __NR_io_uring_register
#define __NR_io_uring_register 427
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* An address as it stands in an entry */
static inline __u64 uring_ptr_to_u64(const void *pointer)
{
	return (__u64)(unsigned long)pointer;
}

/* The calls that stand for system calls */
#define io_uring_enter	  asyncring_enter
#define io_uring_enter2	  asyncring_enter2
#define io_uring_register asyncring_register
#define io_uring_setup	  asyncring_setup

/* A ring's life */
#define io_uring_memory_size	    asyncring_memory_size
#define io_uring_memory_size_params asyncring_memory_size_params
#define io_uring_mlock_size	    asyncring_mlock_size
#define io_uring_mlock_size_params  asyncring_mlock_size_params
#define io_uring_queue_exit	    asyncring_queue_exit
#define io_uring_queue_init	    asyncring_queue_init
#define io_uring_queue_init_mem	    asyncring_queue_init_mem
#define io_uring_queue_init_params  asyncring_queue_init_params
#define io_uring_queue_mmap	    asyncring_queue_mmap
#define io_uring_resize_rings	    asyncring_resize_rings
#define io_uring_ring_dofork	    asyncring_ring_dofork
#define io_uring_ring_dontfork	    asyncring_ring_dontfork

/* Submitting */
#define io_uring_get_events		     asyncring_get_events
#define io_uring_get_sqe		     asyncring_get_sqe
#define io_uring_get_sqe128		     asyncring_get_sqe128
#define io_uring_initialize_sqe		     asyncring_initialize_sqe
#define io_uring_load_sq_head		     asyncring_load_sq_head
#define io_uring_sq_ready		     asyncring_sq_ready
#define io_uring_sq_space_left		     asyncring_sq_space_left
#define io_uring_sqe_set_buf_group	     asyncring_sqe_set_buf_group
#define io_uring_sqe_set_data		     asyncring_sqe_set_data
#define io_uring_sqe_set_data64		     asyncring_sqe_set_data64
#define io_uring_sqe_set_flags		     asyncring_sqe_set_flags
#define io_uring_sqe_shift		     asyncring_sqe_shift
#define io_uring_sqe_shift_from_flags	     asyncring_sqe_shift_from_flags
#define io_uring_sqring_wait		     asyncring_sqring_wait
#define io_uring_submit			     asyncring_submit
#define io_uring_submit_and_get_events	     asyncring_submit_and_get_events
#define io_uring_submit_and_wait	     asyncring_submit_and_wait
#define io_uring_submit_and_wait_min_timeout asyncring_submit_and_wait_min_timeout
#define io_uring_submit_and_wait_reg	     asyncring_submit_and_wait_reg
#define io_uring_submit_and_wait_timeout     asyncring_submit_and_wait_timeout

/* Completions */
#define io_uring_cq_advance	       asyncring_cq_advance
#define io_uring_cq_eventfd_enabled    asyncring_cq_eventfd_enabled
#define io_uring_cq_eventfd_toggle     asyncring_cq_eventfd_toggle
#define io_uring_cq_has_overflow       asyncring_cq_has_overflow
#define io_uring_cq_ready	       asyncring_cq_ready
#define io_uring_cqe_get_data	       asyncring_cqe_get_data
#define io_uring_cqe_get_data64	       asyncring_cqe_get_data64
#define io_uring_cqe_iter_init	       asyncring_cqe_iter_init
#define io_uring_cqe_iter_next	       asyncring_cqe_iter_next
#define io_uring_cqe_nr		       asyncring_cqe_nr
#define io_uring_cqe_seen	       asyncring_cqe_seen
#define io_uring_cqe_shift	       asyncring_cqe_shift
#define io_uring_cqe_shift_from_flags  asyncring_cqe_shift_from_flags
#define io_uring_for_each_cqe	       asyncring_for_each_cqe
#define io_uring_peek_batch_cqe	       asyncring_peek_batch_cqe
#define io_uring_peek_cqe	       asyncring_peek_cqe
#define io_uring_set_iowait	       asyncring_set_iowait
#define io_uring_wait_cqe	       asyncring_wait_cqe
#define io_uring_wait_cqe_nr	       asyncring_wait_cqe_nr
#define io_uring_wait_cqe_timeout      asyncring_wait_cqe_timeout
#define io_uring_wait_cqes	       asyncring_wait_cqes
#define io_uring_wait_cqes_min_timeout asyncring_wait_cqes_min_timeout

/* Registering */
#define io_uring_clone_buffers		     asyncring_clone_buffers
#define io_uring_clone_buffers_offset	     asyncring_clone_buffers_offset
#define io_uring_close_ring_fd		     asyncring_close_ring_fd
#define io_uring_enable_rings		     asyncring_enable_rings
#define io_uring_register_buf_ring	     asyncring_register_buf_ring
#define io_uring_register_buffers	     asyncring_register_buffers
#define io_uring_register_buffers_sparse     asyncring_register_buffers_sparse
#define io_uring_register_buffers_tags	     asyncring_register_buffers_tags
#define io_uring_register_buffers_update_tag asyncring_register_buffers_update_tag
#define io_uring_register_clock		     asyncring_register_clock
#define io_uring_register_eventfd	     asyncring_register_eventfd
#define io_uring_register_eventfd_async	     asyncring_register_eventfd_async
#define io_uring_register_file_alloc_range   asyncring_register_file_alloc_range
#define io_uring_register_files		     asyncring_register_files
#define io_uring_register_files_sparse	     asyncring_register_files_sparse
#define io_uring_register_files_tags	     asyncring_register_files_tags
#define io_uring_register_files_update	     asyncring_register_files_update
#define io_uring_register_files_update_tag   asyncring_register_files_update_tag
#define io_uring_register_ifq		     asyncring_register_ifq
#define io_uring_register_iowq_aff	     asyncring_register_iowq_aff
#define io_uring_register_iowq_max_workers   asyncring_register_iowq_max_workers
#define io_uring_register_napi		     asyncring_register_napi
#define io_uring_register_personality	     asyncring_register_personality
#define io_uring_register_probe		     asyncring_register_probe
#define io_uring_register_query		     asyncring_register_query
#define io_uring_register_region	     asyncring_register_region
#define io_uring_register_restrictions	     asyncring_register_restrictions
#define io_uring_register_ring_fd	     asyncring_register_ring_fd
#define io_uring_register_sync_cancel	     asyncring_register_sync_cancel
#define io_uring_register_sync_msg	     asyncring_register_sync_msg
#define io_uring_register_wait_reg	     asyncring_register_wait_reg
#define io_uring_unregister_buf_ring	     asyncring_unregister_buf_ring
#define io_uring_unregister_buffers	     asyncring_unregister_buffers
#define io_uring_unregister_eventfd	     asyncring_unregister_eventfd
#define io_uring_unregister_files	     asyncring_unregister_files
#define io_uring_unregister_iowq_aff	     asyncring_unregister_iowq_aff
#define io_uring_unregister_napi	     asyncring_unregister_napi
#define io_uring_unregister_personality	     asyncring_unregister_personality
#define io_uring_unregister_ring_fd	     asyncring_unregister_ring_fd

/* Probing */
#define io_uring_free_probe	  asyncring_free_probe
#define io_uring_get_probe	  asyncring_get_probe
#define io_uring_get_probe_ring	  asyncring_get_probe_ring
#define io_uring_opcode_supported asyncring_opcode_supported

/* Buffer rings */
#define io_uring_buf_ring_add	     asyncring_buf_ring_add
#define io_uring_buf_ring_advance    asyncring_buf_ring_advance
#define io_uring_buf_ring_available  asyncring_buf_ring_available
#define io_uring_buf_ring_cq_advance asyncring_buf_ring_cq_advance
#define io_uring_buf_ring_head	     asyncring_buf_ring_head
#define io_uring_buf_ring_init	     asyncring_buf_ring_init
#define io_uring_buf_ring_mask	     asyncring_buf_ring_mask
#define io_uring_free_buf_ring	     asyncring_free_buf_ring
#define io_uring_setup_buf_ring	     asyncring_setup_buf_ring

/* Received messages */
#define io_uring_recvmsg_cmsg_firsthdr	asyncring_recvmsg_cmsg_firsthdr
#define io_uring_recvmsg_cmsg_nexthdr	asyncring_recvmsg_cmsg_nexthdr
#define io_uring_recvmsg_name		asyncring_recvmsg_name
#define io_uring_recvmsg_payload	asyncring_recvmsg_payload
#define io_uring_recvmsg_payload_length asyncring_recvmsg_payload_length
#define io_uring_recvmsg_validate	asyncring_recvmsg_validate

/* Requests */
#define io_uring_prep_accept		      asyncring_prep_accept
#define io_uring_prep_accept_direct	      asyncring_prep_accept_direct
#define io_uring_prep_bind		      asyncring_prep_bind
#define io_uring_prep_cancel		      asyncring_prep_cancel
#define io_uring_prep_cancel64		      asyncring_prep_cancel64
#define io_uring_prep_cancel_fd		      asyncring_prep_cancel_fd
#define io_uring_prep_close		      asyncring_prep_close
#define io_uring_prep_close_direct	      asyncring_prep_close_direct
#define io_uring_prep_cmd_discard	      asyncring_prep_cmd_discard
#define io_uring_prep_cmd_getsockname	      asyncring_prep_cmd_getsockname
#define io_uring_prep_cmd_sock		      asyncring_prep_cmd_sock
#define io_uring_prep_connect		      asyncring_prep_connect
#define io_uring_prep_epoll_ctl		      asyncring_prep_epoll_ctl
#define io_uring_prep_epoll_wait	      asyncring_prep_epoll_wait
#define io_uring_prep_fadvise		      asyncring_prep_fadvise
#define io_uring_prep_fadvise64		      asyncring_prep_fadvise64
#define io_uring_prep_fallocate		      asyncring_prep_fallocate
#define io_uring_prep_fgetxattr		      asyncring_prep_fgetxattr
#define io_uring_prep_files_update	      asyncring_prep_files_update
#define io_uring_prep_fixed_fd_install	      asyncring_prep_fixed_fd_install
#define io_uring_prep_fsetxattr		      asyncring_prep_fsetxattr
#define io_uring_prep_fsync		      asyncring_prep_fsync
#define io_uring_prep_ftruncate		      asyncring_prep_ftruncate
#define io_uring_prep_futex_wait	      asyncring_prep_futex_wait
#define io_uring_prep_futex_waitv	      asyncring_prep_futex_waitv
#define io_uring_prep_futex_wake	      asyncring_prep_futex_wake
#define io_uring_prep_getxattr		      asyncring_prep_getxattr
#define io_uring_prep_link		      asyncring_prep_link
#define io_uring_prep_link_timeout	      asyncring_prep_link_timeout
#define io_uring_prep_linkat		      asyncring_prep_linkat
#define io_uring_prep_listen		      asyncring_prep_listen
#define io_uring_prep_madvise		      asyncring_prep_madvise
#define io_uring_prep_madvise64		      asyncring_prep_madvise64
#define io_uring_prep_mkdir		      asyncring_prep_mkdir
#define io_uring_prep_mkdirat		      asyncring_prep_mkdirat
#define io_uring_prep_msg_ring		      asyncring_prep_msg_ring
#define io_uring_prep_msg_ring_cqe_flags      asyncring_prep_msg_ring_cqe_flags
#define io_uring_prep_msg_ring_fd	      asyncring_prep_msg_ring_fd
#define io_uring_prep_msg_ring_fd_alloc	      asyncring_prep_msg_ring_fd_alloc
#define io_uring_prep_multishot_accept	      asyncring_prep_multishot_accept
#define io_uring_prep_multishot_accept_direct asyncring_prep_multishot_accept_direct
#define io_uring_prep_nop		      asyncring_prep_nop
#define io_uring_prep_nop128		      asyncring_prep_nop128
#define io_uring_prep_open		      asyncring_prep_open
#define io_uring_prep_open_direct	      asyncring_prep_open_direct
#define io_uring_prep_openat		      asyncring_prep_openat
#define io_uring_prep_openat2		      asyncring_prep_openat2
#define io_uring_prep_openat2_direct	      asyncring_prep_openat2_direct
#define io_uring_prep_openat_direct	      asyncring_prep_openat_direct
#define io_uring_prep_pipe		      asyncring_prep_pipe
#define io_uring_prep_pipe_direct	      asyncring_prep_pipe_direct
#define io_uring_prep_poll_add		      asyncring_prep_poll_add
#define io_uring_prep_poll_multishot	      asyncring_prep_poll_multishot
#define io_uring_prep_poll_remove	      asyncring_prep_poll_remove
#define io_uring_prep_poll_update	      asyncring_prep_poll_update
#define io_uring_prep_provide_buffers	      asyncring_prep_provide_buffers
#define io_uring_prep_read		      asyncring_prep_read
#define io_uring_prep_read_fixed	      asyncring_prep_read_fixed
#define io_uring_prep_read_multishot	      asyncring_prep_read_multishot
#define io_uring_prep_readv		      asyncring_prep_readv
#define io_uring_prep_readv2		      asyncring_prep_readv2
#define io_uring_prep_readv_fixed	      asyncring_prep_readv_fixed
#define io_uring_prep_recv		      asyncring_prep_recv
#define io_uring_prep_recv_multishot	      asyncring_prep_recv_multishot
#define io_uring_prep_recvmsg		      asyncring_prep_recvmsg
#define io_uring_prep_recvmsg_multishot	      asyncring_prep_recvmsg_multishot
#define io_uring_prep_remove_buffers	      asyncring_prep_remove_buffers
#define io_uring_prep_rename		      asyncring_prep_rename
#define io_uring_prep_renameat		      asyncring_prep_renameat
#define io_uring_prep_rw		      asyncring_prep_rw
#define io_uring_prep_send		      asyncring_prep_send
#define io_uring_prep_send_bundle	      asyncring_prep_send_bundle
#define io_uring_prep_send_set_addr	      asyncring_prep_send_set_addr
#define io_uring_prep_send_zc		      asyncring_prep_send_zc
#define io_uring_prep_send_zc_fixed	      asyncring_prep_send_zc_fixed
#define io_uring_prep_sendmsg		      asyncring_prep_sendmsg
#define io_uring_prep_sendmsg_zc	      asyncring_prep_sendmsg_zc
#define io_uring_prep_sendmsg_zc_fixed	      asyncring_prep_sendmsg_zc_fixed
#define io_uring_prep_sendto		      asyncring_prep_sendto
#define io_uring_prep_setxattr		      asyncring_prep_setxattr
#define io_uring_prep_shutdown		      asyncring_prep_shutdown
#define io_uring_prep_socket		      asyncring_prep_socket
#define io_uring_prep_socket_direct	      asyncring_prep_socket_direct
#define io_uring_prep_socket_direct_alloc     asyncring_prep_socket_direct_alloc
#define io_uring_prep_splice		      asyncring_prep_splice
#define io_uring_prep_statx		      asyncring_prep_statx
#define io_uring_prep_symlink		      asyncring_prep_symlink
#define io_uring_prep_symlinkat		      asyncring_prep_symlinkat
#define io_uring_prep_sync_file_range	      asyncring_prep_sync_file_range
#define io_uring_prep_tee		      asyncring_prep_tee
#define io_uring_prep_timeout		      asyncring_prep_timeout
#define io_uring_prep_timeout_remove	      asyncring_prep_timeout_remove
#define io_uring_prep_timeout_update	      asyncring_prep_timeout_update
#define io_uring_prep_unlink		      asyncring_prep_unlink
#define io_uring_prep_unlinkat		      asyncring_prep_unlinkat
#define io_uring_prep_uring_cmd		      asyncring_prep_uring_cmd
#define io_uring_prep_uring_cmd128	      asyncring_prep_uring_cmd128
#define io_uring_prep_waitid		      asyncring_prep_waitid
#define io_uring_prep_write		      asyncring_prep_write
#define io_uring_prep_write_fixed	      asyncring_prep_write_fixed
#define io_uring_prep_writev		      asyncring_prep_writev
#define io_uring_prep_writev2		      asyncring_prep_writev2
#define io_uring_prep_writev_fixed	      asyncring_prep_writev_fixed

/* Of later kernels: refused as this one refuses what it does not know. */
static inline int io_uring_register_bpf_filter(struct io_uring *ring, struct io_uring_bpf *filter)
{
	return asyncring_register((unsigned)ring->ring_fd, IORING_REGISTER_BPF_FILTER, filter, 1);
}

static inline int io_uring_register_bpf_filter_task(struct io_uring_bpf *filter)
{
	return asyncring_register((unsigned)-1, IORING_REGISTER_BPF_FILTER, filter, 1);
}

static inline int io_uring_register_zcrx_ctrl(struct io_uring *ring, struct zcrx_ctrl *control)
{
	return asyncring_register((unsigned)ring->ring_fd, IORING_REGISTER_ZCRX_CTRL, control, 0);
}

/* liburing's own helpers that programs are known to use nevertheless */
#define __io_uring_buf_ring_cq_advance	 asyncring__buf_ring_cq_advance
#define __io_uring_prep_poll_mask	 asyncring__prep_poll_mask
#define __io_uring_set_target_fixed_file asyncring__set_target_fixed_file
#define __io_uring_clone_buffers_offset	 asyncring_clone_buffers_offset

static inline int __io_uring_clone_buffers(struct io_uring *dst, struct io_uring *src,
					   unsigned int flags)
{
	return asyncring_clone_buffers_offset(dst, src, 0, 0, 0, flags);
}

static inline int __io_uring_peek_cqe(struct io_uring *ring, struct io_uring_cqe **cqe_ptr,
				      unsigned *nr_available)
{
	unsigned available;

	*cqe_ptr = asyncring__first_cqe(ring, nr_available ? nr_available : &available);
	return 0;
}

/* The version of liburing whose names these are, not that of libasyncring. */
static inline int io_uring_major_version(void)
{
	return IO_URING_VERSION_MAJOR;
}

static inline int io_uring_minor_version(void)
{
	return IO_URING_VERSION_MINOR;
}

static inline bool io_uring_check_version(int major, int minor)
{
	return IO_URING_CHECK_VERSION(major, minor);
}

#ifdef __cplusplus
}
#endif

#endif
