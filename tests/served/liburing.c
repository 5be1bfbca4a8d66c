/* SPDX-License-Identifier: MIT */
/*
 * Description: a program of a shared liburing that does with the memory of its rings what only
 * liburing should do. (The library is opened at run time, so that the program is built without it.)
 */
#include "raw.h"

#include <dlfcn.h>

#include <asyncring.h>

static int (*queue_init)(unsigned entries, struct asyncring *ring, unsigned flags);
static void (*queue_exit)(struct asyncring *ring);
static int (*submit_and_wait)(struct asyncring *ring, unsigned wait);
static struct asyncring_sqe *(*get_sqe)(struct asyncring *ring);
static int (*resize_rings)(struct asyncring *ring, struct asyncring_params *params);

/* The first of that name there is, as a program that is linked with it would find it. */
static void find(void *function, const char *name)
{
	void *found = dlsym(RTLD_DEFAULT, name);

	memcpy(function, &found, sizeof(found));
}

static bool open_liburing(void)
{
	if (!dlopen("liburing.so.2", RTLD_NOW | RTLD_GLOBAL))
		return false;
	find(&queue_init, "io_uring_queue_init");
	find(&queue_exit, "io_uring_queue_exit");
	find(&submit_and_wait, "io_uring_submit_and_wait");
	find(&get_sqe, "io_uring_get_sqe");
	find(&resize_rings, "io_uring_resize_rings");
	return queue_init && queue_exit && submit_and_wait && get_sqe;
}

static void check(struct asyncring *ring)
{
	struct asyncring_sqe *sqe = get_sqe(ring);
	const struct asyncring_cqe *cqe;
	unsigned head = *ring->cq.khead;

	assert_non_null(sqe);
	memset(sqe, 0, sizeof(*sqe));
	sqe->user_data = 7;
	assert_int_equal(submit_and_wait(ring, 1), 1);
	assert_int_equal(__atomic_load_n(ring->cq.ktail, __ATOMIC_ACQUIRE) - head, 1);
	cqe = &ring->cq.cqes[head & *ring->cq.kring_mask];
	assert_int_equal(cqe->user_data, 7);
	assert_int_equal(cqe->res, 0);
	__atomic_store_n(ring->cq.khead, head + 1, __ATOMIC_RELEASE);
}

static void unmapped_and_closed_by_the_program(void **state)
{
	struct asyncring ring;

	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(queue_init(8, &ring, 0), 0);
		check(&ring);
		munmap(ring.sq.sqes, ring.sq.sqes_sz);
		munmap(ring.sq.ring_ptr, ring.sq.ring_sz);
		if (ring.cq.ring_ptr != ring.sq.ring_ptr)
			munmap(ring.cq.ring_ptr, ring.cq.ring_sz);
		assert_int_equal(i % 2 ? raw_close(ring.ring_fd) : close(ring.ring_fd), 0);
	}
	assert_int_equal(queue_init(8, &ring, 0), 0);
	check(&ring);
	queue_exit(&ring);
}

static void unmapped_in_flight(void **state)
{
	struct asyncring_sqe *sqe;
	struct asyncring ring;
	char byte = 0;
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(queue_init(8, &ring, 0), 0);
	sqe = get_sqe(&ring);
	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = ASYNCRING_OP_READ;
	sqe->fd = fds[0];
	sqe->addr = (uintptr_t)&byte;
	sqe->len = 1;
	sqe->off = (uint64_t)-1;
	assert_int_equal(submit_and_wait(&ring, 0), 1);
	munmap(ring.sq.sqes, ring.sq.sqes_sz);
	munmap(ring.sq.ring_ptr, ring.sq.ring_sz);
	assert_int_equal(write(fds[1], "x", 1), 1);
	assert_int_equal(
		raw_call(SYS_io_uring_enter, ring.ring_fd, 0, 1, ASYNCRING_ENTER_GETEVENTS, 0, 0),
		0);
	assert_int_equal(byte, 'x');
	assert_int_equal(close(ring.ring_fd), 0);
	close(fds[0]);
	close(fds[1]);
}

static void resized(void **state)
{
	struct asyncring_params params = {.sq_entries = 64, .cq_entries = 256};
	struct asyncring ring;

	(void)state;
	if (!resize_rings ||
	    queue_init(8, &ring, ASYNCRING_SETUP_SINGLE_ISSUER | ASYNCRING_SETUP_DEFER_TASKRUN))
		skip(); /* an old kernel or liburing */
	check(&ring);
	params.flags = ASYNCRING_SETUP_CQSIZE;
	assert_int_equal(resize_rings(&ring, &params), 0);
	assert_int_equal(*ring.cq.kring_entries, 256);
	for (int i = 0; i < 300; i++)
		check(&ring);
	queue_exit(&ring);
	assert_int_equal(queue_init(8, &ring, 0), 0);
	check(&ring);
	queue_exit(&ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unmapped_and_closed_by_the_program),
		cmocka_unit_test(unmapped_in_flight),
		cmocka_unit_test(resized),
	};

	raw_begin();
	if (!open_liburing()) {
		fprintf(stderr, "skipped: no shared liburing here\n");
		return RAW_SKIPPED;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
