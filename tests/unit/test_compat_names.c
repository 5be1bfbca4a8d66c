/* SPDX-License-Identifier: MIT */
/*
 * Description: our <liburing.h> offers every function of liburing's application side, under
 * structures of that very name, and gets on with whatever else a program includes or declares.
 */

/* A header that must not need <liburing.h> declares the structure and goes on. */
struct io_uring;
int entries_of(struct io_uring *ring);

#include <asyncring/compat/liburing.h>

/* Has nothing to say any more, and must not quarrel. */
#include <linux/io_uring.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

int entries_of(struct io_uring *ring)
{
	return (int)ring->sq.ring_entries;
}

struct name {
	const char *name;
	void (*function)(void);
};

/* clang-format takes the braces of an initialiser for those of a block. */
/* clang-format off */
#define NAME(name) {#name, (void (*)(void))(name)}
/* clang-format on */

/* That this compiles is the better half of the test; the other that each has code to run. */
static void test_functions_of_liburing(void **state)
{
	static const struct name names[] = {
		/* liburing 2.3 */
		NAME(io_uring_buf_ring_add),
		NAME(io_uring_buf_ring_advance),
		NAME(io_uring_buf_ring_cq_advance),
		NAME(io_uring_buf_ring_init),
		NAME(io_uring_buf_ring_mask),
		NAME(io_uring_cq_advance),
		NAME(io_uring_cq_eventfd_enabled),
		NAME(io_uring_cq_eventfd_toggle),
		NAME(io_uring_cq_has_overflow),
		NAME(io_uring_cq_ready),
		NAME(io_uring_cqe_get_data),
		NAME(io_uring_cqe_get_data64),
		NAME(io_uring_cqe_seen),
		NAME(io_uring_enable_rings),
		NAME(io_uring_enter),
		NAME(io_uring_enter2),
		NAME(io_uring_free_probe),
		NAME(io_uring_get_events),
		NAME(io_uring_get_probe),
		NAME(io_uring_get_probe_ring),
		NAME(io_uring_get_sqe),
		NAME(io_uring_mlock_size),
		NAME(io_uring_mlock_size_params),
		NAME(io_uring_opcode_supported),
		NAME(io_uring_peek_batch_cqe),
		NAME(io_uring_peek_cqe),
		NAME(io_uring_prep_accept),
		NAME(io_uring_prep_accept_direct),
		NAME(io_uring_prep_cancel),
		NAME(io_uring_prep_cancel64),
		NAME(io_uring_prep_cancel_fd),
		NAME(io_uring_prep_close),
		NAME(io_uring_prep_close_direct),
		NAME(io_uring_prep_connect),
		NAME(io_uring_prep_epoll_ctl),
		NAME(io_uring_prep_fadvise),
		NAME(io_uring_prep_fallocate),
		NAME(io_uring_prep_fgetxattr),
		NAME(io_uring_prep_files_update),
		NAME(io_uring_prep_fsetxattr),
		NAME(io_uring_prep_fsync),
		NAME(io_uring_prep_getxattr),
		NAME(io_uring_prep_link),
		NAME(io_uring_prep_link_timeout),
		NAME(io_uring_prep_linkat),
		NAME(io_uring_prep_madvise),
		NAME(io_uring_prep_mkdir),
		NAME(io_uring_prep_mkdirat),
		NAME(io_uring_prep_msg_ring),
		NAME(io_uring_prep_multishot_accept),
		NAME(io_uring_prep_multishot_accept_direct),
		NAME(io_uring_prep_nop),
		NAME(io_uring_prep_openat),
		NAME(io_uring_prep_openat2),
		NAME(io_uring_prep_openat2_direct),
		NAME(io_uring_prep_openat_direct),
		NAME(io_uring_prep_poll_add),
		NAME(io_uring_prep_poll_multishot),
		NAME(io_uring_prep_poll_remove),
		NAME(io_uring_prep_poll_update),
		NAME(io_uring_prep_provide_buffers),
		NAME(io_uring_prep_read),
		NAME(io_uring_prep_read_fixed),
		NAME(io_uring_prep_readv),
		NAME(io_uring_prep_readv2),
		NAME(io_uring_prep_recv),
		NAME(io_uring_prep_recv_multishot),
		NAME(io_uring_prep_recvmsg),
		NAME(io_uring_prep_recvmsg_multishot),
		NAME(io_uring_prep_remove_buffers),
		NAME(io_uring_prep_rename),
		NAME(io_uring_prep_renameat),
		NAME(io_uring_prep_rw),
		NAME(io_uring_prep_send),
		NAME(io_uring_prep_send_set_addr),
		NAME(io_uring_prep_send_zc),
		NAME(io_uring_prep_send_zc_fixed),
		NAME(io_uring_prep_sendmsg),
		NAME(io_uring_prep_sendmsg_zc),
		NAME(io_uring_prep_setxattr),
		NAME(io_uring_prep_shutdown),
		NAME(io_uring_prep_socket),
		NAME(io_uring_prep_socket_direct),
		NAME(io_uring_prep_socket_direct_alloc),
		NAME(io_uring_prep_splice),
		NAME(io_uring_prep_statx),
		NAME(io_uring_prep_symlink),
		NAME(io_uring_prep_symlinkat),
		NAME(io_uring_prep_sync_file_range),
		NAME(io_uring_prep_tee),
		NAME(io_uring_prep_timeout),
		NAME(io_uring_prep_timeout_remove),
		NAME(io_uring_prep_timeout_update),
		NAME(io_uring_prep_unlink),
		NAME(io_uring_prep_unlinkat),
		NAME(io_uring_prep_write),
		NAME(io_uring_prep_write_fixed),
		NAME(io_uring_prep_writev),
		NAME(io_uring_prep_writev2),
		NAME(io_uring_queue_exit),
		NAME(io_uring_queue_init),
		NAME(io_uring_queue_init_params),
		NAME(io_uring_queue_mmap),
		NAME(io_uring_recvmsg_cmsg_firsthdr),
		NAME(io_uring_recvmsg_cmsg_nexthdr),
		NAME(io_uring_recvmsg_name),
		NAME(io_uring_recvmsg_payload),
		NAME(io_uring_recvmsg_payload_length),
		NAME(io_uring_recvmsg_validate),
		NAME(io_uring_register),
		NAME(io_uring_register_buf_ring),
		NAME(io_uring_register_buffers),
		NAME(io_uring_register_buffers_sparse),
		NAME(io_uring_register_buffers_tags),
		NAME(io_uring_register_buffers_update_tag),
		NAME(io_uring_register_eventfd),
		NAME(io_uring_register_eventfd_async),
		NAME(io_uring_register_file_alloc_range),
		NAME(io_uring_register_files),
		NAME(io_uring_register_files_sparse),
		NAME(io_uring_register_files_tags),
		NAME(io_uring_register_files_update),
		NAME(io_uring_register_files_update_tag),
		NAME(io_uring_register_iowq_aff),
		NAME(io_uring_register_iowq_max_workers),
		NAME(io_uring_register_personality),
		NAME(io_uring_register_probe),
		NAME(io_uring_register_restrictions),
		NAME(io_uring_register_ring_fd),
		NAME(io_uring_register_sync_cancel),
		NAME(io_uring_ring_dontfork),
		NAME(io_uring_setup),
		NAME(io_uring_sq_ready),
		NAME(io_uring_sq_space_left),
		NAME(io_uring_sqe_set_data),
		NAME(io_uring_sqe_set_data64),
		NAME(io_uring_sqe_set_flags),
		NAME(io_uring_sqring_wait),
		NAME(io_uring_submit),
		NAME(io_uring_submit_and_get_events),
		NAME(io_uring_submit_and_wait),
		NAME(io_uring_submit_and_wait_timeout),
		NAME(io_uring_unregister_buf_ring),
		NAME(io_uring_unregister_buffers),
		NAME(io_uring_unregister_eventfd),
		NAME(io_uring_unregister_files),
		NAME(io_uring_unregister_iowq_aff),
		NAME(io_uring_unregister_personality),
		NAME(io_uring_unregister_ring_fd),
		NAME(io_uring_wait_cqe),
		NAME(io_uring_wait_cqe_nr),
		NAME(io_uring_wait_cqe_timeout),
		NAME(io_uring_wait_cqes),

		/* up to liburing 2.13 */
		NAME(io_uring_buf_ring_available),
		NAME(io_uring_buf_ring_head),
		NAME(io_uring_check_version),
		NAME(io_uring_clone_buffers),
		NAME(io_uring_clone_buffers_offset),
		NAME(io_uring_close_ring_fd),
		NAME(io_uring_cqe_iter_init),
		NAME(io_uring_cqe_iter_next),
		NAME(io_uring_cqe_nr),
		NAME(io_uring_cqe_shift),
		NAME(io_uring_cqe_shift_from_flags),
		NAME(io_uring_free_buf_ring),
		NAME(io_uring_get_sqe128),
		NAME(io_uring_initialize_sqe),
		NAME(io_uring_load_sq_head),
		NAME(io_uring_major_version),
		NAME(io_uring_memory_size),
		NAME(io_uring_memory_size_params),
		NAME(io_uring_minor_version),
		NAME(io_uring_prep_bind),
		NAME(io_uring_prep_cmd_discard),
		NAME(io_uring_prep_cmd_sock),
		NAME(io_uring_prep_epoll_wait),
		NAME(io_uring_prep_fadvise64),
		NAME(io_uring_prep_fixed_fd_install),
		NAME(io_uring_prep_ftruncate),
		NAME(io_uring_prep_futex_wait),
		NAME(io_uring_prep_futex_waitv),
		NAME(io_uring_prep_futex_wake),
		NAME(io_uring_prep_listen),
		NAME(io_uring_prep_madvise64),
		NAME(io_uring_prep_msg_ring_cqe_flags),
		NAME(io_uring_prep_msg_ring_fd),
		NAME(io_uring_prep_msg_ring_fd_alloc),
		NAME(io_uring_prep_nop128),
		NAME(io_uring_prep_open),
		NAME(io_uring_prep_open_direct),
		NAME(io_uring_prep_pipe),
		NAME(io_uring_prep_pipe_direct),
		NAME(io_uring_prep_read_multishot),
		NAME(io_uring_prep_readv_fixed),
		NAME(io_uring_prep_send_bundle),
		NAME(io_uring_prep_sendmsg_zc_fixed),
		NAME(io_uring_prep_sendto),
		NAME(io_uring_prep_uring_cmd),
		NAME(io_uring_prep_uring_cmd128),
		NAME(io_uring_prep_waitid),
		NAME(io_uring_prep_writev_fixed),
		NAME(io_uring_queue_init_mem),
		NAME(io_uring_register_clock),
		NAME(io_uring_register_ifq),
		NAME(io_uring_register_napi),
		NAME(io_uring_register_region),
		NAME(io_uring_register_sync_msg),
		NAME(io_uring_register_wait_reg),
		NAME(io_uring_resize_rings),
		NAME(io_uring_set_iowait),
		NAME(io_uring_setup_buf_ring),
		NAME(io_uring_sqe_set_buf_group),
		NAME(io_uring_sqe_shift),
		NAME(io_uring_sqe_shift_from_flags),
		NAME(io_uring_submit_and_wait_min_timeout),
		NAME(io_uring_submit_and_wait_reg),
		NAME(io_uring_unregister_napi),
		NAME(io_uring_wait_cqes_min_timeout),

		/* up to liburing 2.15 */
		NAME(io_uring_prep_cmd_getsockname),
		NAME(io_uring_register_bpf_filter),
		NAME(io_uring_register_bpf_filter_task),
		NAME(io_uring_register_query),
		NAME(io_uring_register_zcrx_ctrl),
	};

	(void)state;
	for (size_t index = 0; index < sizeof(names) / sizeof(names[0]); index++) {
		if (!names[index].function)
			print_error("%s is not there\n", names[index].name);
		assert_non_null(names[index].function);
	}
}

/* A few of each kind; test_abi.c has compared what they stand for. */
static void test_constants_of_liburing(void **state)
{
	(void)state;
	assert_int_equal(IORING_OP_NOP, 0);
	assert_int_equal(IORING_OP_SENDMSG_ZC, 48);
	assert_int_equal(IOSQE_CQE_SKIP_SUCCESS, 1 << 6);
	assert_int_equal(IORING_SETUP_CQE_MIXED, 1 << 18);
	assert_int_equal(IORING_REGISTER_PBUF_STATUS, 26);
	assert_int_equal(IO_URING_OP_SUPPORTED, 1);
	assert_int_equal(IOU_PBUF_RING_INC, 2);
	assert_int_equal(IO_WQ_UNBOUND, 1);
	assert_int_equal(SPLICE_F_FD_IN_FIXED, 1u << 31);
	assert_int_equal(SOCKET_URING_OP_SETSOCKOPT, 3);
}

static void test_versions(void **state)
{
	(void)state;
	assert_int_equal(io_uring_major_version(), IO_URING_VERSION_MAJOR);
	assert_int_equal(io_uring_minor_version(), IO_URING_VERSION_MINOR);
	assert_false(IO_URING_CHECK_VERSION(IO_URING_VERSION_MAJOR, IO_URING_VERSION_MINOR));
	assert_true(IO_URING_CHECK_VERSION(IO_URING_VERSION_MAJOR, IO_URING_VERSION_MINOR + 1));
	assert_true(io_uring_check_version(IO_URING_VERSION_MAJOR + 1, 0));
	assert_false(io_uring_check_version(IO_URING_VERSION_MAJOR - 1, 99));
}

/* Programs call variables and members what they like. */
static void test_names_of_a_program(void **state)
{
	struct {
		struct io_uring io_uring;
		struct io_uring_sqe *io_uring_sqe;
	} program = {.io_uring.sq.ring_entries = 8};
	struct io_uring *io_uring = &program.io_uring;

	(void)state;
	program.io_uring_sqe = NULL;
	assert_int_equal(entries_of(io_uring), 8);
	assert_null(program.io_uring_sqe);
}

/* Both sets of names are there, and speak of the same types. */
static void test_both_names(void **state)
{
	struct io_uring_sqe sqe = {.optval = 7};
	struct asyncring_sqe *same = &sqe;

	(void)state;
	assert_int_equal(same->addr3, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_functions_of_liburing),
		cmocka_unit_test(test_constants_of_liburing),
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_names_of_a_program),
		cmocka_unit_test(test_both_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
