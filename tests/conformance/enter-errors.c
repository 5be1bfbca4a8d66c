/* SPDX-License-Identifier: MIT */
/*
 * Description: what io_uring_enter refuses, and what it takes as good: flags, descriptors, state of
 * the ring, the issuing task, the extended argument.
 */
#include "harness.h"

#define BAD_POINTER ((void *)(uintptr_t)8)

static void unknown_flags_are_refused(void **state)
{
	struct io_uring ring;

	(void)state;
	harness_init(&ring, 4, 0);
	for (unsigned bit = 8; bit < 32; bit++)
		assert_int_equal(io_uring_enter((unsigned)ring.ring_fd, 0, 0, 1U << bit, NULL),
				 -EINVAL);
	/* The flags are looked at before the descriptor. */
	assert_int_equal(io_uring_enter((unsigned)-1, 0, 0, 1U << 31, NULL), -EINVAL);
	io_uring_queue_exit(&ring);
}

static void descriptor_must_be_a_ring(void **state)
{
	int pipe_fds[2];
	int file = harness_temp_file(10);

	(void)state;
	harness_pipe(pipe_fds);
	assert_int_equal(io_uring_enter((unsigned)-1, 0, 0, 0, NULL), -EBADF);
	assert_int_equal(io_uring_enter(100000, 1, 1, IORING_ENTER_GETEVENTS, NULL), -EBADF);
	assert_int_equal(io_uring_enter((unsigned)pipe_fds[0], 0, 0, 0, NULL), -EOPNOTSUPP);
	assert_int_equal(io_uring_enter((unsigned)file, 1, 1, 0, NULL), -EOPNOTSUPP);
	close(file);
	harness_close_pipe(pipe_fds);
}

static void register_wants_a_ring_and_a_known_opcode(void **state)
{
	struct io_uring ring;
	int pipe_fds[2];

	(void)state;
	harness_init(&ring, 4, 0);
	harness_pipe(pipe_fds);
	assert_int_equal(io_uring_register(100000, IORING_UNREGISTER_FILES, NULL, 0), -EBADF);
	assert_int_equal(io_uring_register((unsigned)pipe_fds[0], IORING_UNREGISTER_FILES, NULL, 0),
			 -EOPNOTSUPP);
	assert_int_equal(io_uring_register((unsigned)ring.ring_fd, 1000, NULL, 0), -EINVAL);
	assert_int_equal(io_uring_register((unsigned)ring.ring_fd, UINT_MAX, NULL, 0), -EINVAL);
	/* The opcode is looked at before the descriptor. */
	assert_int_equal(io_uring_register(100000, 1000, NULL, 0), -EINVAL);
	harness_close_pipe(pipe_fds);
	io_uring_queue_exit(&ring);
}

static void nothing_to_do_is_no_error(void **state)
{
	struct io_uring ring;

	(void)state;
	harness_init(&ring, 4, 0);
	assert_int_equal(io_uring_enter((unsigned)ring.ring_fd, 0, 0, 0, NULL), 0);
	assert_int_equal(io_uring_enter((unsigned)ring.ring_fd, 5, 0, 0, NULL), 0);
	assert_int_equal(io_uring_enter((unsigned)ring.ring_fd, 0, 5, 0, NULL), 0);
	assert_int_equal(io_uring_enter((unsigned)ring.ring_fd, 0, 0, IORING_ENTER_GETEVENTS, NULL),
			 0);
	io_uring_queue_exit(&ring);
}

static void sq_thread_flags_mean_nothing_without_one(void **state)
{
	struct io_uring ring;

	(void)state;
	harness_init(&ring, 4, 0);
	assert_int_equal(io_uring_enter((unsigned)ring.ring_fd, 0, 0,
					IORING_ENTER_SQ_WAKEUP | IORING_ENTER_SQ_WAIT, NULL),
			 0);
	io_uring_queue_exit(&ring);
}

static void a_disabled_ring_does_nothing(void **state)
{
	struct io_uring ring;

	(void)state;
	harness_init(&ring, 4, IORING_SETUP_R_DISABLED);
	assert_int_equal(io_uring_enter((unsigned)ring.ring_fd, 0, 0, 0, NULL), -EBADFD);
	assert_int_equal(io_uring_enter((unsigned)ring.ring_fd, 0, 1, IORING_ENTER_GETEVENTS, NULL),
			 -EBADFD);
	harness_nop(&ring, 1);
	assert_int_equal(io_uring_submit(&ring), -EBADFD);
	/* The SQE is still there when the ring has been enabled. */
	assert_int_equal(io_uring_enable_rings(&ring), 0);
	assert_int_equal(io_uring_enter((unsigned)ring.ring_fd, 1, 0, 0, NULL), 1);
	harness_assert_cqe(harness_next(&ring), 1, 0);
	io_uring_queue_exit(&ring);
}

/* ---- SINGLE_ISSUER ------------------------------------------------------------------------- */

struct foreign_call {
	int fd;
	unsigned to_submit, min_complete, flags;
	int ret;
};

static void *enter_in_thread(void *argument)
{
	struct foreign_call *call = argument;

	call->ret = io_uring_enter((unsigned)call->fd, call->to_submit, call->min_complete,
				   call->flags, NULL);
	return NULL;
}

static int enter_from_another_thread(int fd, unsigned to_submit, unsigned min_complete,
				     unsigned flags)
{
	struct foreign_call call = {
		.fd = fd,
		.to_submit = to_submit,
		.min_complete = min_complete,
		.flags = flags,
	};
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, enter_in_thread, &call), 0);
	pthread_join(thread, NULL);
	return call.ret;
}

static void single_issuer_refuses_other_threads(void **state)
{
	struct io_uring ring;

	(void)state;
	harness_init(&ring, 4, IORING_SETUP_SINGLE_ISSUER);
	harness_nop(&ring, 1);
	assert_int_equal(io_uring_submit(&ring), 1);
	harness_nop(&ring, 2);
	/* Make the SQE visible without submitting it: liburing's flush is part of submit. */
	__atomic_store_n(ring.sq.ktail, ring.sq.sqe_tail, __ATOMIC_RELEASE);
	assert_int_equal(enter_from_another_thread(ring.ring_fd, 1, 0, 0), -EEXIST);
	assert_int_equal(enter_from_another_thread(ring.ring_fd, 1, 1, IORING_ENTER_GETEVENTS),
			 -EEXIST);
	harness_assert_cqe(harness_next(&ring), 1, 0);
	harness_assert_empty(&ring);
	assert_int_equal(io_uring_enter((unsigned)ring.ring_fd, 1, 0, 0, NULL), 1);
	harness_assert_cqe(harness_next(&ring), 2, 0);
	io_uring_queue_exit(&ring);
}

/* Collecting events is the owner's alone only where the owner has to run the work. */
static void who_may_get_events(void **state)
{
	struct io_uring ring;

	(void)state;
	harness_init(&ring, 4, IORING_SETUP_SINGLE_ISSUER);
	assert_int_equal(enter_from_another_thread(ring.ring_fd, 0, 0, IORING_ENTER_GETEVENTS), 0);
	io_uring_queue_exit(&ring);

	harness_init(&ring, 4, IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN);
	assert_int_equal(enter_from_another_thread(ring.ring_fd, 0, 0, IORING_ENTER_GETEVENTS),
			 -EEXIST);
	assert_int_equal(enter_from_another_thread(ring.ring_fd, 0, 1, IORING_ENTER_GETEVENTS),
			 -EEXIST);
	assert_int_equal(enter_from_another_thread(ring.ring_fd, 0, 0, 0), 0);
	io_uring_queue_exit(&ring);
}

static void *register_in_thread(void *argument)
{
	struct foreign_call *call = argument;
	int no_files[2] = {-1, -1};

	call->ret = io_uring_register((unsigned)call->fd, IORING_REGISTER_FILES, no_files, 2);
	return NULL;
}

static void single_issuer_refuses_foreign_registration(void **state)
{
	struct foreign_call call;
	struct io_uring ring;
	pthread_t thread;

	(void)state;
	harness_init(&ring, 4, IORING_SETUP_SINGLE_ISSUER);
	call.fd = ring.ring_fd;
	assert_int_equal(pthread_create(&thread, NULL, register_in_thread, &call), 0);
	pthread_join(thread, NULL);
	assert_int_equal(call.ret, -EEXIST);
	io_uring_queue_exit(&ring);
}

/* The task that enables a disabled ring owns it, whoever made it. */
static void *enable_in_thread(void *argument)
{
	struct io_uring *ring = argument;
	int ret = io_uring_enable_rings(ring);

	if (!ret)
		ret = io_uring_enter((unsigned)ring->ring_fd, 0, 0, 0, NULL);
	if (!ret) {
		io_uring_prep_nop(io_uring_get_sqe(ring));
		ret = io_uring_submit(ring);
	}
	return (void *)(intptr_t)ret;
}

static void the_enabler_owns_the_ring(void **state)
{
	struct io_uring ring;
	pthread_t thread;
	void *ret;

	(void)state;
	harness_init(&ring, 4, IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_R_DISABLED);
	assert_int_equal(pthread_create(&thread, NULL, enable_in_thread, &ring), 0);
	pthread_join(thread, &ret);
	assert_int_equal((intptr_t)ret, 1);
	harness_nop(&ring, 1);
	assert_int_equal(io_uring_submit(&ring), -EEXIST);
	io_uring_queue_exit(&ring);
}

/* ---- the extended argument ----------------------------------------------------------------- */

static int enter_ext(struct io_uring *ring, const void *argument, size_t size)
{
	return io_uring_enter2((unsigned)ring->ring_fd, 0, 1,
			       IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG, (void *)argument,
			       size);
}

static void extended_argument_has_one_size(void **state)
{
	struct io_uring_getevents_arg argument[2];
	struct io_uring ring;

	(void)state;
	memset(argument, 0, sizeof(argument));
	harness_init(&ring, 4, 0);
	assert_int_equal(enter_ext(&ring, argument, 0), -EINVAL);
	assert_int_equal(enter_ext(&ring, argument, sizeof(argument[0]) - 1), -EINVAL);
	assert_int_equal(enter_ext(&ring, argument, sizeof(argument[0]) + 1), -EINVAL);
	assert_int_equal(enter_ext(&ring, argument, 2 * sizeof(argument[0])), -EINVAL);
	assert_int_equal(enter_ext(&ring, argument, sizeof(sigset_t)), -EINVAL);
	io_uring_queue_exit(&ring);
}

static void extended_argument_must_be_readable(void **state)
{
	struct io_uring_getevents_arg argument;
	struct io_uring ring;

	(void)state;
	harness_init(&ring, 4, 0);
	assert_int_equal(enter_ext(&ring, NULL, sizeof(argument)), -EFAULT);
	assert_int_equal(enter_ext(&ring, BAD_POINTER, sizeof(argument)), -EFAULT);

	memset(&argument, 0, sizeof(argument));
	argument.ts = (uintptr_t)BAD_POINTER;
	assert_int_equal(enter_ext(&ring, &argument, sizeof(argument)), -EFAULT);

	memset(&argument, 0, sizeof(argument));
	argument.sigmask = (uintptr_t)BAD_POINTER;
	argument.sigmask_sz = _NSIG / 8;
	assert_int_equal(enter_ext(&ring, &argument, sizeof(argument)), -EFAULT);
	io_uring_queue_exit(&ring);
}

static void signal_mask_has_one_size(void **state)
{
	static const unsigned sizes[] = {0, 1, 4, 7, 9, 16, sizeof(sigset_t), UINT_MAX};
	struct io_uring_getevents_arg argument;
	struct io_uring ring;
	sigset_t mask;

	(void)state;
	sigemptyset(&mask);
	harness_init(&ring, 4, 0);
	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
		memset(&argument, 0, sizeof(argument));
		argument.sigmask = (uintptr_t)&mask;
		argument.sigmask_sz = sizes[i];
		assert_int_equal(enter_ext(&ring, &argument, sizeof(argument)), -EINVAL);
	}
	/* The same for the plain form. */
	assert_int_equal(io_uring_enter2((unsigned)ring.ring_fd, 0, 1, IORING_ENTER_GETEVENTS,
					 (void *)&mask, 3),
			 -EINVAL);
	assert_int_equal(io_uring_enter2((unsigned)ring.ring_fd, 0, 1, IORING_ENTER_GETEVENTS,
					 (void *)BAD_POINTER, 8),
			 -EFAULT);
	io_uring_queue_exit(&ring);
}

/* Nobody looks at the argument of a call that will not wait. */
static void argument_is_read_only_to_get_events(void **state)
{
	struct io_uring ring;

	(void)state;
	harness_init(&ring, 4, 0);
	assert_int_equal(io_uring_enter2((unsigned)ring.ring_fd, 0, 0, IORING_ENTER_EXT_ARG,
					 (void *)BAD_POINTER, 1),
			 0);
	assert_int_equal(io_uring_enter2((unsigned)ring.ring_fd, 0, 0, 0, (void *)BAD_POINTER, 1),
			 0);
	io_uring_queue_exit(&ring);
}

/* SQEs consumed before the argument is found bad stay consumed and count more than the error. */
static void submission_counts_more_than_a_bad_argument(void **state)
{
	struct io_uring ring;

	(void)state;
	harness_init(&ring, 4, 0);
	harness_nop(&ring, 1);
	__atomic_store_n(ring.sq.ktail, ring.sq.sqe_tail, __ATOMIC_RELEASE);
	assert_int_equal(io_uring_enter2((unsigned)ring.ring_fd, 1, 1,
					 IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG, NULL, 3),
			 1);
	harness_assert_cqe(harness_next(&ring), 1, 0);
	io_uring_queue_exit(&ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unknown_flags_are_refused),
		cmocka_unit_test(descriptor_must_be_a_ring),
		cmocka_unit_test(register_wants_a_ring_and_a_known_opcode),
		cmocka_unit_test(nothing_to_do_is_no_error),
		cmocka_unit_test(sq_thread_flags_mean_nothing_without_one),
		cmocka_unit_test(a_disabled_ring_does_nothing),
		cmocka_unit_test(single_issuer_refuses_other_threads),
		cmocka_unit_test(who_may_get_events),
		cmocka_unit_test(single_issuer_refuses_foreign_registration),
		cmocka_unit_test(the_enabler_owns_the_ring),
		cmocka_unit_test(extended_argument_has_one_size),
		cmocka_unit_test(extended_argument_must_be_readable),
		cmocka_unit_test(signal_mask_has_one_size),
		cmocka_unit_test(argument_is_read_only_to_get_events),
		cmocka_unit_test(submission_counts_more_than_a_bad_argument),
	};

	return harness_run(tests);
}
