/* SPDX-License-Identifier: MIT */
/*
 * Description: ring descriptors registered with the calling task, and rings that have no other.
 */
#include "harness.h"

#define SLOTS	     16
#define ANY_SLOT     UINT_MAX
#define VIA_INDEX(o) ((o) | IORING_REGISTER_USE_REGISTERED_RING)

static int register_slot(struct io_uring *through, unsigned slot, int fd)
{
	struct io_uring_rsrc_update update = {.offset = slot, .data = (unsigned)fd};

	return io_uring_register((unsigned)through->ring_fd, IORING_REGISTER_RING_FDS, &update, 1);
}

static int unregister_slot(struct io_uring *through, unsigned slot)
{
	struct io_uring_rsrc_update update = {.offset = slot};

	return io_uring_register((unsigned)through->ring_fd, IORING_UNREGISTER_RING_FDS, &update,
				 1);
}

static int enter_slot(unsigned slot)
{
	return io_uring_enter(slot, 0, 0, IORING_ENTER_REGISTERED_RING, NULL);
}

static void liburing_uses_the_slot(void **state)
{
	struct io_uring ring;

	(void)state;
	harness_init(&ring, 4, 0);
	assert_int_equal(io_uring_register_ring_fd(&ring), 1);
	for (unsigned i = 0; i < 5; i++) {
		harness_nop(&ring, i);
		harness_assert_cqe(harness_complete(&ring), i, 0);
	}
	assert_int_equal(io_uring_unregister_ring_fd(&ring), 1);
	harness_nop(&ring, 7);
	harness_assert_cqe(harness_complete(&ring), 7, 0);
	io_uring_queue_exit(&ring);
}

/* The slot's number is free again when a registered ring is closed. */
static void slots_come_back_when_rings_go(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3 * SLOTS; i++) {
		struct io_uring ring;

		harness_init(&ring, 4, 0);
		assert_int_equal(io_uring_register_ring_fd(&ring), 1);
		assert_int_equal(io_uring_unregister_ring_fd(&ring), 1);
		io_uring_queue_exit(&ring);
	}
}

static void slots_are_chosen_or_given(void **state)
{
	struct io_uring_rsrc_update updates[3];
	struct io_uring ring;

	(void)state;
	harness_init(&ring, 4, 0);
	memset(updates, 0, sizeof(updates));
	for (unsigned i = 0; i < 3; i++)
		updates[i].data = (unsigned)ring.ring_fd;
	updates[0].offset = ANY_SLOT;
	updates[1].offset = 5;
	updates[2].offset = ANY_SLOT;
	assert_int_equal(
		io_uring_register((unsigned)ring.ring_fd, IORING_REGISTER_RING_FDS, updates, 3), 3);
	assert_int_equal(updates[0].offset, 0);
	assert_int_equal(updates[1].offset, 5);
	assert_int_equal(updates[2].offset, 1);
	assert_int_equal(enter_slot(0), 0);
	assert_int_equal(enter_slot(1), 0);
	assert_int_equal(enter_slot(5), 0);
	assert_int_equal(enter_slot(2), -EBADF);

	/* Occupied slots are not replaced. */
	assert_int_equal(register_slot(&ring, 5, ring.ring_fd), -EBUSY);
	assert_int_equal(unregister_slot(&ring, 5), 1);
	assert_int_equal(enter_slot(5), -EBADF);
	assert_int_equal(register_slot(&ring, 5, ring.ring_fd), 1);
	assert_int_equal(unregister_slot(&ring, 0), 1);
	assert_int_equal(unregister_slot(&ring, 1), 1);
	assert_int_equal(unregister_slot(&ring, 5), 1);
	/* An empty slot may be emptied. */
	assert_int_equal(unregister_slot(&ring, 5), 1);
	io_uring_queue_exit(&ring);
}

static void there_are_sixteen_slots(void **state)
{
	struct io_uring ring;

	(void)state;
	harness_init(&ring, 4, 0);
	for (unsigned i = 0; i < SLOTS; i++)
		assert_int_equal(register_slot(&ring, ANY_SLOT, ring.ring_fd), 1);
	assert_int_equal(register_slot(&ring, ANY_SLOT, ring.ring_fd), -EBUSY);
	for (unsigned i = 0; i < SLOTS; i++)
		assert_int_equal(enter_slot(i), 0);
	for (unsigned i = 0; i < SLOTS; i++)
		assert_int_equal(unregister_slot(&ring, i), 1);
	io_uring_queue_exit(&ring);
}

static int register_many(struct io_uring *ring, const void *updates, unsigned count)
{
	return io_uring_register((unsigned)ring->ring_fd, IORING_REGISTER_RING_FDS, updates, count);
}

static void bad_arguments_are_refused(void **state)
{
	struct io_uring_rsrc_update update;
	struct io_uring ring;
	int pipe_fds[2];

	(void)state;
	harness_init(&ring, 4, 0);
	harness_pipe(pipe_fds);
	memset(&update, 0, sizeof(update));
	update.data = (unsigned)ring.ring_fd;
	assert_int_equal(register_many(&ring, &update, 0), -EINVAL);
	assert_int_equal(register_many(&ring, &update, SLOTS + 1), -EINVAL);
	assert_int_equal(register_many(&ring, NULL, 1), -EFAULT);
	update.resv = 1;
	assert_int_equal(register_many(&ring, &update, 1), -EINVAL);
	assert_int_equal(register_slot(&ring, SLOTS, ring.ring_fd), -EINVAL);
	assert_int_equal(register_slot(&ring, 0, 9999), -EBADF);
	assert_int_equal(register_slot(&ring, 0, pipe_fds[0]), -EOPNOTSUPP);
	assert_int_equal(enter_slot(0), -EBADF);

	assert_int_equal(unregister_slot(&ring, SLOTS), -EINVAL);
	update.resv = 0;
	update.data = 1;
	assert_int_equal(
		io_uring_register((unsigned)ring.ring_fd, IORING_UNREGISTER_RING_FDS, &update, 1),
		-EINVAL);
	assert_int_equal(enter_slot(SLOTS), -EINVAL);
	assert_int_equal(enter_slot(UINT_MAX), -EINVAL);
	harness_close_pipe(pipe_fds);
	io_uring_queue_exit(&ring);
}

/* What came before the bad one stays, and is what the call reports. */
static void a_bad_one_ends_a_list(void **state)
{
	struct io_uring_rsrc_update updates[3];
	struct io_uring ring;

	(void)state;
	harness_init(&ring, 4, 0);
	memset(updates, 0, sizeof(updates));
	for (unsigned i = 0; i < 3; i++) {
		updates[i].offset = i;
		updates[i].data = (unsigned)ring.ring_fd;
	}
	updates[1].data = 9999;
	assert_int_equal(register_many(&ring, updates, 3), 1);
	assert_int_equal(enter_slot(0), 0);
	assert_int_equal(enter_slot(2), -EBADF);
	assert_int_equal(unregister_slot(&ring, 0), 1);
	io_uring_queue_exit(&ring);
}

static void *enter_in_thread(void *argument)
{
	unsigned *slot = argument;

	return (void *)(intptr_t)enter_slot(*slot);
}

static void slots_belong_to_the_task(void **state)
{
	struct io_uring ring;
	pthread_t thread;
	unsigned slot = 3;
	void *ret;

	(void)state;
	harness_init(&ring, 4, 0);
	assert_int_equal(register_slot(&ring, slot, ring.ring_fd), 1);
	assert_int_equal(enter_slot(slot), 0);
	assert_int_equal(pthread_create(&thread, NULL, enter_in_thread, &slot), 0);
	pthread_join(thread, &ret);
	assert_true((intptr_t)ret == -EINVAL || (intptr_t)ret == -EBADF);
	assert_int_equal(unregister_slot(&ring, slot), 1);
	io_uring_queue_exit(&ring);
}

/* Nor are they inherited: a child's slots are empty, whatever it does with them. */
static void slots_are_not_inherited(void **state)
{
	struct io_uring ring, other;
	int status = 0, answer;
	pid_t child;

	(void)state;
	harness_init(&ring, 4, 0);
	assert_int_equal(register_slot(&ring, 3, ring.ring_fd), 1);
	assert_int_equal(register_slot(&ring, 4, ring.ring_fd), 1);
	child = fork();
	assert_true(child >= 0);
	if (!child) {
		alarm(HARNESS_SECONDS * harness_timeout_factor()); /* not inherited */
		answer = enter_slot(3);
		if (answer != -EBADF && answer != -EINVAL)
			_exit(1);
		if (io_uring_queue_init(4, &other, 0))
			_exit(2);
		if (enter_slot(3) != -EBADF || unregister_slot(&other, 4) != 1)
			_exit(3);
		if (register_slot(&other, 3, other.ring_fd) != 1 || enter_slot(3))
			_exit(4);
		if (unregister_slot(&other, 3) != 1)
			_exit(5);
		io_uring_queue_exit(&other);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_int_equal(enter_slot(3), 0);
	assert_int_equal(unregister_slot(&ring, 3), 1);
	assert_int_equal(unregister_slot(&ring, 4), 1);
	io_uring_queue_exit(&ring);
}

static void register_calls_take_a_slot_too(void **state)
{
	struct io_uring ring;
	int event_fd = eventfd(0, EFD_CLOEXEC);

	(void)state;
	harness_init(&ring, 4, 0);
	assert_int_equal(register_slot(&ring, 2, ring.ring_fd), 1);
	assert_int_equal(io_uring_register(2, VIA_INDEX(IORING_REGISTER_EVENTFD), &event_fd, 1), 0);
	assert_int_equal(
		io_uring_register((unsigned)ring.ring_fd, IORING_UNREGISTER_EVENTFD, NULL, 0), 0);
	assert_int_equal(io_uring_register(3, VIA_INDEX(IORING_UNREGISTER_EVENTFD), NULL, 0),
			 -EBADF);
	assert_int_equal(io_uring_register(SLOTS, VIA_INDEX(IORING_UNREGISTER_EVENTFD), NULL, 0),
			 -EINVAL);
	assert_int_equal(io_uring_register(2, VIA_INDEX(1000), NULL, 0), -EINVAL);
	assert_int_equal(unregister_slot(&ring, 2), 1);
	close(event_fd);
	io_uring_queue_exit(&ring);
}

/* The slot is a reference of its own: the ring goes on when its descriptor is closed. */
static void a_slot_keeps_the_ring(void **state)
{
	struct io_uring other;
	struct io_uring_sqe *sqe;
	struct harness_raw raw;

	(void)state;
	harness_init(&other, 4, 0);
	harness_raw_setup(&raw, 4, NULL);
	assert_int_equal(register_slot(&other, 4, raw.fd), 1);
	harness_close_ring(raw.fd);
	sqe = harness_raw_sqe(&raw, 0);
	sqe->opcode = IORING_OP_NOP;
	sqe->user_data = 6;
	harness_raw_queue(&raw, 0);
	assert_int_equal(io_uring_enter(4, 1, 1,
					IORING_ENTER_REGISTERED_RING | IORING_ENTER_GETEVENTS,
					NULL),
			 1);
	assert_int_equal(harness_raw_ready(&raw), 1);
	harness_assert_cqe(*harness_raw_cqe(&raw, 0), 6, 0);
#ifdef TEST_ORACLE
	munmap(raw.rings, raw.rings_size);
	munmap(raw.sqes, raw.sqes_size);
#endif
	assert_int_equal(unregister_slot(&other, 4), 1);
	io_uring_queue_exit(&other);
}

/* REGISTERED_FD_ONLY gives a slot instead of a descriptor. */
static void a_ring_without_descriptor(void **state)
{
	size_t size = 16384;
	char *memory =
		mmap(NULL, 2 * size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct io_uring_rsrc_update update;
	struct harness_raw raw;
	unsigned slot, descriptors;

	(void)state;
	assert_true(memory != MAP_FAILED);
	memset(&raw, 0, sizeof(raw));
	raw.params.flags = IORING_SETUP_NO_MMAP | IORING_SETUP_REGISTERED_FD_ONLY;
	raw.params.cq_off.user_addr = (uintptr_t)memory;
	raw.params.sq_off.user_addr = (uintptr_t)memory + size;
	descriptors = harness_fd_count();
	raw.fd = io_uring_setup(8, &raw.params);
	assert_in_range(raw.fd, 0, SLOTS - 1);
	slot = (unsigned)raw.fd;
	/* A ring in user space may need some of its own. */
	if (harness_kernel())
		assert_int_equal(harness_fd_count(), descriptors);
	harness_point(&raw, memory, memory + size);
	for (unsigned i = 0; i < 20; i++) {
		struct io_uring_sqe *sqe = harness_raw_sqe(&raw, i & 7);

		sqe->user_data = i;
		harness_raw_queue(&raw, i & 7);
		assert_int_equal(
			io_uring_enter(slot, 1, 1,
				       IORING_ENTER_REGISTERED_RING | IORING_ENTER_GETEVENTS, NULL),
			1);
		harness_assert_cqe(*harness_raw_cqe(&raw, i), i, 0);
		harness_store(raw.cq_head, i + 1);
	}
	/* Taking it out of its slot is the end of it. */
	update = (struct io_uring_rsrc_update){.offset = slot};
	assert_int_equal(io_uring_register(slot, VIA_INDEX(IORING_UNREGISTER_RING_FDS), &update, 1),
			 1);
	assert_int_equal(enter_slot(slot), -EBADF);
	munmap(memory, 2 * size);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(liburing_uses_the_slot),
		cmocka_unit_test(slots_come_back_when_rings_go),
		cmocka_unit_test(slots_are_chosen_or_given),
		cmocka_unit_test(there_are_sixteen_slots),
		cmocka_unit_test(bad_arguments_are_refused),
		cmocka_unit_test(a_bad_one_ends_a_list),
		cmocka_unit_test(slots_belong_to_the_task),
		cmocka_unit_test(slots_are_not_inherited),
		cmocka_unit_test(register_calls_take_a_slot_too),
		cmocka_unit_test(a_slot_keeps_the_ring),
		cmocka_unit_test(a_ring_without_descriptor),
	};

	return harness_run(tests);
}
