/* SPDX-License-Identifier: MIT */
/*
 * Description: MSG_RING: completions and registered files sent from one ring to another.
 */
#include "ops_helpers.h"

/* Every test has a second ring, the target, beside that of the fixture. */
static void init_target(struct io_uring *target)
{
	harness_init(target, 8, 0);
}

static void data_arrives_as_a_completion(void **state)
{
	struct ops *ops = *state;
	struct io_uring target;
	struct harness_cqe cqe;

	init_target(&target);
	ops_prep(&ops->ring, 1, 0, msg_ring, target.ring_fd, 0x1234, 0xabcdef0123456789, 0);
	harness_submit(&ops->ring, 1);
	ops_expect(&ops->ring, 1, 0);
	cqe = harness_next(&target);
	assert_true(cqe.user_data == 0xabcdef0123456789);
	assert_int_equal(cqe.res, 0x1234);
	assert_int_equal(cqe.flags, 0);
	harness_assert_empty(&ops->ring);
	harness_assert_empty(&target);
	io_uring_queue_exit(&target);
}

/* The length is the result as it stands: it may be negative. */
static void any_result_can_be_sent(void **state)
{
	struct ops *ops = *state;
	struct io_uring target;

	init_target(&target);
	assert_int_equal(ops_run(&ops->ring, msg_ring, target.ring_fd, (unsigned)-EIO, 5, 0), 0);
	ops_expect(&target, 5, -EIO);
	io_uring_queue_exit(&target);
}

static void a_ring_can_write_to_itself(void **state)
{
	struct ops *ops = *state;
	struct harness_cqe cqes[2];

	ops_prep(&ops->ring, 1, 0, msg_ring, ops->ring.ring_fd, 77, 2, 0);
	harness_submit(&ops->ring, 1);
	harness_reap(&ops->ring, cqes, 2);
	/* The message is posted before the request is done. */
	assert_int_equal(cqes[0].user_data, 2);
	assert_int_equal(cqes[0].res, 77);
	assert_int_equal(cqes[1].user_data, 1);
	assert_int_equal(cqes[1].res, 0);
	harness_assert_empty(&ops->ring);
}

static void completion_flags_are_passed(void **state)
{
	struct ops *ops = *state;
	struct io_uring target;
	struct harness_cqe cqe;
	struct io_uring_sqe *sqe;

	init_target(&target);
	assert_int_equal(ops_run(&ops->ring, msg_ring_cqe_flags, target.ring_fd, 10, 3, 0, 0x0102),
			 0);
	cqe = harness_next(&target);
	assert_int_equal(cqe.user_data, 3);
	assert_int_equal(cqe.res, 10);
	assert_int_equal(cqe.flags, 0x0102);

	/* Without the flag that says so they are a mistake. */
	sqe = ops_prep(&ops->ring, 0, 0, msg_ring, target.ring_fd, 10, 3, 0);
	sqe->file_index = 1;
	assert_int_equal(harness_result(&ops->ring), -EINVAL);
	harness_assert_empty(&target);
	io_uring_queue_exit(&target);
}

static void data_cannot_be_skipped(void **state)
{
	struct ops *ops = *state;
	struct io_uring target;

	init_target(&target);
	assert_int_equal(
		ops_run(&ops->ring, msg_ring, target.ring_fd, 1, 2, IORING_MSG_RING_CQE_SKIP),
		-EINVAL);
	harness_assert_empty(&target);
	io_uring_queue_exit(&target);
}

/* The sender's side can be silent, as any request. */
static void the_sender_may_skip_its_completion(void **state)
{
	struct ops *ops = *state;
	struct io_uring target;

	init_target(&target);
	ops_prep(&ops->ring, 1, IOSQE_CQE_SKIP_SUCCESS, msg_ring, target.ring_fd, 1, 2, 0);
	ops_prep(&ops->ring, 3, 0, nop);
	harness_submit(&ops->ring, 2);
	ops_expect(&target, 2, 1);
	ops_expect(&ops->ring, 3, 0);
	harness_assert_empty(&ops->ring);
	io_uring_queue_exit(&target);
}

static void the_target_must_be_a_ring(void **state)
{
	struct ops *ops = *state;
	int fds[2];

	harness_pipe(fds);
	assert_int_equal(ops_run(&ops->ring, msg_ring, fds[1], 1, 2, 0), -EBADFD);
	assert_int_equal(ops_run(&ops->ring, msg_ring, -1, 1, 2, 0), -EBADF);
	assert_int_equal(ops_run(&ops->ring, msg_ring_fd, fds[1], 0, 0, 2, 0), -EBADFD);
	harness_close_pipe(fds);
}

static void a_disabled_target_refuses(void **state)
{
	struct ops *ops = *state;
	struct io_uring target;

	harness_init(&target, 8, IORING_SETUP_R_DISABLED);
	assert_int_equal(ops_run(&ops->ring, msg_ring, target.ring_fd, 1, 2, 0), -EBADFD);
	assert_int_equal(io_uring_enable_rings(&target), 0);
	assert_int_equal(ops_run(&ops->ring, msg_ring, target.ring_fd, 1, 2, 0), 0);
	ops_expect(&target, 2, 1);
	io_uring_queue_exit(&target);
}

static void commands_and_flags_are_checked(void **state)
{
	struct ops *ops = *state;
	struct io_uring target;
	struct io_uring_sqe *sqe;

	init_target(&target);
	for (unsigned bit = 2; bit < 32; bit++)
		assert_int_equal(ops_run(&ops->ring, msg_ring, target.ring_fd, 1, 2, 1u << bit),
				 -EINVAL);
	sqe = ops_prep(&ops->ring, 0, 0, msg_ring, target.ring_fd, 1, 2, 0);
	sqe->addr = 2; /* neither IORING_MSG_DATA nor IORING_MSG_SEND_FD */
	assert_int_equal(harness_result(&ops->ring), -EINVAL);
	sqe = ops_prep(&ops->ring, 0, 0, msg_ring, target.ring_fd, 1, 2, 0);
	sqe->addr3 = 1; /* a source belongs to IORING_MSG_SEND_FD */
	assert_int_equal(harness_result(&ops->ring), -EINVAL);
	harness_assert_empty(&target);
	io_uring_queue_exit(&target);
}

/* More messages than the target has room for: none is lost, and the sender does not notice. */
static void a_full_target_grows_a_backlog(void **state)
{
	struct ops *ops = *state;
	struct io_uring target;
	unsigned count;

	init_target(&target);
	count = 3 * *target.cq.kring_entries;
	for (unsigned i = 0; i < count; i++)
		assert_int_equal(ops_run(&ops->ring, msg_ring, target.ring_fd, i, i, 0), 0);
	assert_true(io_uring_cq_has_overflow(&target));
	for (unsigned i = 0; i < count; i++)
		ops_expect(&target, i, (int)i);
	harness_assert_empty(&target);
	assert_false(io_uring_cq_has_overflow(&target));
	io_uring_queue_exit(&target);
}

static void *wait_for_message(void *arg)
{
	struct io_uring *target = arg;
	struct __kernel_timespec limit = harness_deadline();
	struct io_uring_cqe *cqe;
	intptr_t result = io_uring_wait_cqe_timeout(target, &cqe, &limit);

	if (!result) {
		result = cqe->res;
		io_uring_cqe_seen(target, cqe);
	}
	return (void *)result;
}

static void a_waiting_thread_is_woken(void **state)
{
	struct ops *ops = *state;
	struct io_uring target;
	pthread_t thread;
	void *result;

	init_target(&target);
	assert_int_equal(pthread_create(&thread, NULL, wait_for_message, &target), 0);
	assert_int_equal(ops_run(&ops->ring, msg_ring, target.ring_fd, 4321, 2, 0), 0);
	assert_int_equal(pthread_join(thread, &result), 0);
	assert_int_equal((intptr_t)result, 4321);
	io_uring_queue_exit(&target);
}

/* A target whose owner collects its work itself sees the message when it does so. */
static void a_deferring_target_gets_it_on_its_next_enter(void **state)
{
	struct ops *ops = *state;
	struct io_uring target;

	harness_init(&target, 8, IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN);
	assert_int_equal(ops_run(&ops->ring, msg_ring, target.ring_fd, 9, 2, 0), 0);
	ops_expect(&target, 2, 9);
	io_uring_queue_exit(&target);
}

/* ---- files --------------------------------------------------------------------------------- */

/* The sender's slot 1 holds a file that begins with 'F', the target has four empty slots. */
static void init_files(struct ops *ops, struct io_uring *target)
{
	int fd = ops_create(ops, "file", "File");
	int source[] = {-1, fd, -1};
	int empty[] = {-1, -1, -1, -1};

	init_target(target);
	assert_int_equal(io_uring_register_files(&ops->ring, source, 3), 0);
	assert_int_equal(io_uring_register_files(target, empty, 4), 0);
	close(fd);
}

static void assert_slot_has_the_file(struct io_uring *ring, int slot)
{
	char byte = 0;

	assert_int_equal(ops_run_flags(ring, IOSQE_FIXED_FILE, read, slot, &byte, 1, 0), 1);
	assert_int_equal(byte, 'F');
}

static void a_file_is_sent_to_a_slot(void **state)
{
	struct ops *ops = *state;
	struct io_uring target;

	init_files(ops, &target);
	assert_int_equal(ops_run(&ops->ring, msg_ring_fd, target.ring_fd, 1, 2, 55, 0), 0);
	ops_expect(&target, 55, 0);
	assert_slot_has_the_file(&target, 2);
	/* The sender keeps it, and neither depends on the other. */
	assert_int_equal(ops_run(&ops->ring, close_direct, 1), 0);
	assert_slot_has_the_file(&target, 2);
	io_uring_queue_exit(&target);
}

static void a_file_is_sent_to_any_free_slot(void **state)
{
	struct ops *ops = *state;
	struct io_uring target;

	init_files(ops, &target);
	for (int i = 0; i < 4; i++) {
		int slot = ops_run(&ops->ring, msg_ring_fd_alloc, target.ring_fd, 1, 66, 0);

		assert_in_range(slot, 0, 3);
		ops_expect(&target, 66, slot);
		assert_slot_has_the_file(&target, slot);
	}
	assert_int_equal(ops_run(&ops->ring, msg_ring_fd_alloc, target.ring_fd, 1, 66, 0), -ENFILE);
	harness_assert_empty(&target);
	io_uring_queue_exit(&target);
}

static void a_file_can_come_silently(void **state)
{
	struct ops *ops = *state;
	struct io_uring target;

	init_files(ops, &target);
	assert_int_equal(ops_run(&ops->ring, msg_ring_fd, target.ring_fd, 1, 0, 55,
				 IORING_MSG_RING_CQE_SKIP),
			 0);
	harness_assert_empty(&target);
	assert_slot_has_the_file(&target, 0);
	io_uring_queue_exit(&target);
}

static void sending_a_file_checks_both_slots(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct io_uring target, bare;
	int to;

	init_files(ops, &target);
	init_target(&bare);
	to = target.ring_fd;
	assert_int_equal(ops_run(ring, msg_ring_fd, to, 0, 2, 55, 0), -EBADF);
	assert_int_equal(ops_run(ring, msg_ring_fd, to, 3, 2, 55, 0), -EBADF);
	assert_int_equal(ops_run(ring, msg_ring_fd, to, 1, 4, 55, 0), -EINVAL);
	assert_int_equal(ops_run(ring, msg_ring_fd, bare.ring_fd, 1, 0, 55, 0), -ENXIO);
	assert_int_equal(ops_run(ring, msg_ring_fd_alloc, bare.ring_fd, 1, 55, 0), -ENFILE);
	/* Not to itself. */
	assert_int_equal(ops_run(ring, msg_ring_fd, ring->ring_fd, 1, 0, 55, 0), -EINVAL);
	assert_int_equal(ops_run(&bare, msg_ring_fd, to, 0, 0, 55, 0), -EBADF);
	harness_assert_empty(&target);
	harness_assert_empty(&bare);
	io_uring_queue_exit(&bare);
	io_uring_queue_exit(&target);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ops_test(data_arrives_as_a_completion),
		ops_test(any_result_can_be_sent),
		ops_test(a_ring_can_write_to_itself),
		ops_test(completion_flags_are_passed),
		ops_test(data_cannot_be_skipped),
		ops_test(the_sender_may_skip_its_completion),
		ops_test(the_target_must_be_a_ring),
		ops_test(a_disabled_target_refuses),
		ops_test(commands_and_flags_are_checked),
		ops_test(a_full_target_grows_a_backlog),
		ops_test(a_waiting_thread_is_woken),
		ops_test(a_deferring_target_gets_it_on_its_next_enter),
		ops_dir_test(a_file_is_sent_to_a_slot),
		ops_dir_test(a_file_is_sent_to_any_free_slot),
		ops_dir_test(a_file_can_come_silently),
		ops_dir_test(sending_a_file_checks_both_slots),
	};

	return harness_run(tests);
}
