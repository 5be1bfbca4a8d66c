/* SPDX-License-Identifier: MIT */
/*
 * Description: files that are said to be ready and are not: what waits for them costs next to no
 * CPU time, whether anybody waits on the ring or not, and goes on when they really are.
 */
#include "readiness_helpers.h"

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

enum { SENT = 1 };

static uint64_t cpu_msec(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 +
	       (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000;
}

/* A send to a peer whose queue is full: the sender's own socket can be written to all the time. */
static void start_send(struct io_uring *ring, int fds[2])
{
	static struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct io_uring_sqe *sqe;
	socklen_t length = sizeof(sa_family_t);

	fds[0] = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	fds[1] = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_true(fds[0] >= 0 && fds[1] >= 0);
	assert_int_equal(bind(fds[1], (struct sockaddr *)&address, length), 0);
	length = sizeof(address);
	assert_int_equal(getsockname(fds[1], (struct sockaddr *)&address, &length), 0);
	while (sendto(fds[0], "x", 1, MSG_DONTWAIT, (struct sockaddr *)&address, length) == 1)
		;
	assert_int_equal(errno, EAGAIN);
	sqe = harness_sqe(ring);
	io_uring_prep_send(sqe, fds[0], "y", 1, 0);
	sqe->addr2 = (uintptr_t)&address;
	sqe->addr_len = (uint16_t)length;
	sqe->user_data = SENT;
	harness_submit(ring, 1);
}

static void end_send(struct io_uring *ring, int fds[2])
{
	struct harness_cqe cqe;
	char byte;

	assert_int_equal(recv(fds[1], &byte, 1, 0), 1);
	cqe = harness_next(ring);
	assert_int_equal(cqe.user_data, SENT);
	/* Linux 6.18 answers 0 when a worker of its has sent it after many attempts. */
	assert_in_range(cqe.res, 0, 1);
	close(fds[0]);
	close(fds[1]);
}

static void while_somebody_waits(void **state)
{
	struct ops *ops = *state;
	struct __kernel_timespec time = harness_msec(200);
	struct io_uring_cqe *cqe;
	uint64_t before;
	int fds[2];

	start_send(&ops->ring, fds);
	before = cpu_msec();
	assert_int_equal(io_uring_wait_cqe_timeout(&ops->ring, &cqe, &time), -ETIME);
	assert_in_range(cpu_msec() - before, 0, 100);
	end_send(&ops->ring, fds);
}

static void while_nobody_waits(void **state)
{
	struct ops *ops = *state;
	struct pollfd ring = {.fd = ops->ring.ring_fd, .events = POLLIN};
	uint64_t before;
	int fds[2];

	start_send(&ops->ring, fds);
	before = cpu_msec();
	assert_int_equal(poll(&ring, 1, 200), 0);
	assert_in_range(cpu_msec() - before, 0, 100);
	end_send(&ops->ring, fds);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ops_test(while_somebody_waits),
		ops_test(while_nobody_waits),
	};

	return harness_run(tests);
}
