/* SPDX-License-Identifier: MIT */
/*
 * Description: programs that wait for the ring's descriptor in poll(2) and its kin, take the
 * completions from the ring, and never enter it to ask for any.
 */
#include "raw.h"

#include <sys/select.h>

static struct raw_ring ring;
static int fds[2], set;
static char byte;

static int set_up(void **state)
{
	struct epoll_event event = {.events = EPOLLIN};

	(void)state;
	raw_open(&ring, 0);
	assert_int_equal(pipe(fds), 0);
	set = epoll_create1(EPOLL_CLOEXEC);
	assert_true(set >= 0);
	assert_int_equal(epoll_ctl(set, EPOLL_CTL_ADD, ring.fd, &event), 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	close(set);
	close(fds[0]);
	close(fds[1]);
	raw_close_ring(&ring);
	return 0;
}

static bool by_epoll(int timeout_ms)
{
	struct epoll_event event;

	return epoll_wait(set, &event, 1, timeout_ms) == 1;
}

static bool by_poll(int timeout_ms)
{
	return raw_readable(ring.fd, timeout_ms);
}

static bool by_ppoll(int timeout_ms)
{
	struct pollfd entry = {.fd = ring.fd, .events = POLLIN};
	struct timespec timeout = {.tv_sec = timeout_ms / 1000};

	return ppoll(&entry, 1, &timeout, NULL) == 1;
}

static bool by_select(int timeout_ms)
{
	struct timeval timeout = {.tv_sec = timeout_ms / 1000};
	fd_set read;

	FD_ZERO(&read);
	FD_SET(ring.fd, &read);
	return select(ring.fd + 1, &read, NULL, NULL, &timeout) == 1;
}

static bool (*const ways[])(int timeout_ms) = {by_epoll, by_poll, by_ppoll, by_select};
#define WAYS (sizeof(ways) / sizeof(ways[0]))

/*
 * The descriptor is not readable any more: not at once, because in user space who has posted a
 * completion makes it readable a moment later, and the completion may be taken in between.
 */
static bool quiet(bool (*way)(int timeout_ms))
{
	for (int i = 0; i < 1000; i++) {
		if (!way(0))
			return true;
		usleep(1000);
	}
	return false;
}

/* Completions come by themselves, and taking them makes the descriptor unreadable. */
static void one_by_one(void **state)
{
	struct asyncring_cqe cqe;

	(void)state;
	for (size_t way = 0; way < WAYS; way++) {
		for (unsigned i = 0; i < 20; i++) {
			assert_true(quiet(ways[way]));
			raw_start_read(&ring, fds[0], &byte, i);
			assert_false(ways[way](0));
			assert_int_equal(write(fds[1], "x", 1), 1);
			assert_true(ways[way](1000 * RAW_SECONDS));
			assert_true(ways[way](0));
			assert_true(raw_cqe(&ring, &cqe));
			assert_int_equal(cqe.user_data, i);
			assert_int_equal(cqe.res, 1);
		}
	}
}

/* As long as one is left it stays readable. */
static void a_part_of_them(void **state)
{
	struct asyncring_cqe cqe;

	(void)state;
	for (size_t way = 0; way < WAYS; way++) {
		assert_true(quiet(ways[way]));
		for (unsigned i = 0; i < 3; i++)
			raw_sqe(&ring, ASYNCRING_OP_NOP, -1, i);
		assert_int_equal(raw_enter(ring.fd, 3, 0, 0), 3);
		for (unsigned i = 0; i < 3; i++) {
			assert_true(ways[way](0));
			assert_true(raw_cqe(&ring, &cqe));
		}
		assert_false(ways[way](0));
	}
}

/* Timers and work of threads tell of themselves, too. */
static void whatever_completes(void **state)
{
	struct __kernel_timespec moment = {.tv_nsec = 1000};
	struct asyncring_sqe *sqe;
	struct asyncring_cqe cqe;

	(void)state;
	sqe = raw_sqe(&ring, ASYNCRING_OP_TIMEOUT, -1, 1);
	sqe->addr = (uintptr_t)&moment;
	sqe->len = 1;
	assert_int_equal(raw_enter(ring.fd, 1, 0, 0), 1);
	assert_true(by_epoll(1000 * RAW_SECONDS));
	assert_true(raw_cqe(&ring, &cqe));
	assert_int_equal(cqe.res, -ETIME);
	sqe = raw_sqe(&ring, ASYNCRING_OP_NOP, -1, 2);
	sqe->flags = ASYNCRING_SQE_ASYNC;
	assert_int_equal(raw_enter(ring.fd, 1, 0, 0), 1);
	assert_true(by_epoll(1000 * RAW_SECONDS));
	assert_true(raw_cqe(&ring, &cqe));
	assert_int_equal(cqe.user_data, 2);
	assert_true(quiet(by_epoll));
}

/* With EPOLLET one event for each completion that finds the queue empty. */
static void edges(void **state)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLET};
	struct asyncring_cqe cqe;

	(void)state;
	assert_int_equal(epoll_ctl(set, EPOLL_CTL_MOD, ring.fd, &event), 0);
	by_epoll(0);
	for (unsigned i = 0; i < 20; i++) {
		raw_start_read(&ring, fds[0], &byte, i);
		assert_int_equal(write(fds[1], "x", 1), 1);
		assert_true(by_epoll(1000 * RAW_SECONDS));
		while (!raw_cqe(&ring, &cqe))
			assert_true(by_epoll(1000 * RAW_SECONDS));
		assert_int_equal(cqe.user_data, i);
	}
	event.events = EPOLLIN;
	assert_int_equal(epoll_ctl(set, EPOLL_CTL_MOD, ring.fd, &event), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_by_one),
		cmocka_unit_test(a_part_of_them),
		cmocka_unit_test(whatever_completes),
		cmocka_unit_test(edges),
	};

	raw_begin();
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
