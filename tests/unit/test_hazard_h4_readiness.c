/* SPDX-License-Identifier: MIT */
/*
 * Description: hazard H4. An epoll set takes a file and number once, forgets it when the last
 * descriptor closes, and refuses regular files. So: a ring's descriptor works in any number of
 * sets, and any number of requests may wait for one stream, in one direction or both.
 */
#include "support.h"

#include <poll.h>
#include <sys/epoll.h>

enum { WAITERS = 16 };

static struct asyncring ring;
static char bytes[WAITERS];

static bool readable(int fd)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

	return poll(&poll_fd, 1, 0) == 1;
}

static void watch(int set, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	assert_int_equal(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event), 0);
}

static bool reports(int set)
{
	struct epoll_event event;

	return epoll_wait(set, &event, 1, 0) == 1;
}

static void hazard_h4_ring_in_two_epoll_sets(void **state)
{
	int first = epoll_create1(EPOLL_CLOEXEC), second = epoll_create1(EPOLL_CLOEXEC);
	int copy = fcntl(ring.ring_fd, F_DUPFD_CLOEXEC, 0);
	struct asyncring_cqe *cqe;

	(void)state;
	watch(first, ring.ring_fd);
	watch(first, copy); /* another number: allowed */
	watch(second, ring.ring_fd);
	for (int round = 0; round < 3; round++) {
		assert_false(reports(first));
		assert_false(reports(second));
		asyncring_prep_nop(support_sqe(&ring));
		assert_int_equal(asyncring_submit(&ring), 1);
		assert_true(reports(first));
		assert_true(reports(second));
		assert_true(readable(copy));
		assert_int_equal(support_result(&ring, NULL), 0);
		/* An empty look is what takes the readability back. */
		assert_int_equal(asyncring_peek_cqe(&ring, &cqe), -EAGAIN);
	}
	close(copy);
	asyncring_prep_nop(support_sqe(&ring));
	assert_int_equal(support_run(&ring), 0);
	close(first);
	close(second);
}

static void queue_read(int fd, unsigned i)
{
	struct asyncring_sqe *sqe = support_sqe(&ring);

	asyncring_prep_read(sqe, fd, &bytes[i], 1, 0);
	sqe->user_data = i;
}

/* One byte for each of the requests waiting on @fd; each gets one of them. */
static void feed(int fd)
{
	char data[WAITERS];
	unsigned sum = 0, expected = 0;

	for (unsigned i = 0; i < WAITERS; i++) {
		data[i] = (char)(1 + i);
		expected += 1 + i;
	}
	memset(bytes, 0, sizeof(bytes));
	assert_int_equal(write(fd, data, WAITERS), WAITERS);
	for (unsigned i = 0; i < WAITERS; i++)
		assert_int_equal(support_result(&ring, NULL), 1);
	for (unsigned i = 0; i < WAITERS; i++)
		sum += (unsigned)bytes[i];
	assert_int_equal(sum, expected);
}

static void hazard_h4_many_requests_wait_for_one_pipe(void **state)
{
	int ends[2];

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	for (unsigned i = 0; i < WAITERS; i++)
		queue_read(ends[0], i);
	assert_int_equal(asyncring_submit(&ring), WAITERS);
	assert_int_equal(asyncring_cq_ready(&ring), 0);
	feed(ends[1]);
	close(ends[0]);
	close(ends[1]);
}

static void hazard_h4_descriptors_of_one_file_close_while_requests_wait(void **state)
{
	int ends[2], copy;

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	copy = fcntl(ends[0], F_DUPFD_CLOEXEC, 0);
	for (unsigned i = 0; i < WAITERS; i++)
		queue_read(i % 2 ? ends[0] : copy, i);
	assert_int_equal(asyncring_submit(&ring), WAITERS);
	close(ends[0]);
	close(copy);
	feed(ends[1]);
	close(ends[1]);
}

static void hazard_h4_both_directions_of_a_socket(void **state)
{
	enum { MUCH = 1 << 20 };
	static char much[MUCH];
	uint64_t user_data;
	int pair[2], sent;
	size_t drained = 0;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	fcntl(pair[0], F_SETFL, O_NONBLOCK);
	while (write(pair[0], much, sizeof(much)) > 0)
		;
	fcntl(pair[0], F_SETFL, 0);
	/* Full: the write waits, and so does the read. */
	queue_read(pair[0], 0);
	asyncring_prep_write(support_sqe(&ring), pair[0], much, 1, 0);
	ring.sq.sqes[(ring.sq.sqe_tail - 1) & ring.sq.ring_mask].user_data = 1;
	assert_int_equal(asyncring_submit(&ring), 2);
	assert_int_equal(asyncring_cq_ready(&ring), 0);
	assert_int_equal(write(pair[1], "r", 1), 1);
	assert_int_equal(support_result(&ring, &user_data), 1);
	assert_int_equal(user_data, 0);
	assert_int_equal(bytes[0], 'r');
	while (asyncring_cq_ready(&ring) == 0) {
		ssize_t got = recv(pair[1], much, sizeof(much), MSG_DONTWAIT);

		drained += got > 0 ? (size_t)got : 0;
	}
	sent = support_result(&ring, &user_data);
	assert_int_equal(sent, 1);
	assert_int_equal(user_data, 1);
	assert_true(drained > 0);
	close(pair[0]);
	close(pair[1]);
}

static int setup(void **state)
{
	(void)state;
	support_bound(60);
	return asyncring_queue_init(WAITERS, &ring, 0);
}

static int teardown(void **state)
{
	(void)state;
	asyncring_queue_exit(&ring);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hazard_h4_ring_in_two_epoll_sets),
		cmocka_unit_test(hazard_h4_many_requests_wait_for_one_pipe),
		cmocka_unit_test(hazard_h4_descriptors_of_one_file_close_while_requests_wait),
		cmocka_unit_test(hazard_h4_both_directions_of_a_socket),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
