/* SPDX-License-Identifier: MIT */
/*
 * Description: the peer of a TCP connection resets it, before a request or under one that waits,
 * with a link timeout or without: each ends once, with what the socket says.
 */
#include "net_buffers.h"

enum { GROUP = 5, MORE = IORING_CQE_F_MORE, DATA = 1, LIMIT = 2 };

enum kind {
	RECEIVE,
	RECEIVE_SELECT,
	RECEIVE_MULTISHOT,
	RECEIVE_BUNDLE,
	RECEIVE_MESSAGE,
	RECEIVE_MESSAGES,
	READ,
	READ_SELECT,
	READ_MULTISHOT,
	POLL,
	RECEIVING_KINDS,
	SEND = RECEIVING_KINDS,
	SEND_MESSAGE,
	SEND_ZC,
	WRITE,
	KINDS,
};

struct scene {
	struct io_uring *ring;
	struct net_buffers buffers;
	int fds[2]; /* ours, the peer's */
	char block[64];
	struct iovec vector;
	struct msghdr message;
};

static struct __kernel_timespec never = {.tv_sec = 1000};

static void open_scene(struct scene *scene, struct io_uring *ring)
{
	*scene = (struct scene){.ring = ring};
	net_tcp_pair(scene->fds);
	net_buffers_init(&scene->buffers, ring, GROUP, 4, 64, 4);
	scene->vector = (struct iovec){scene->block, sizeof(scene->block)};
	scene->message = (struct msghdr){.msg_iov = &scene->vector, .msg_iovlen = 1};
}

static void close_scene(struct scene *scene)
{
	net_buffers_free(&scene->buffers, scene->ring);
	close(scene->fds[0]);
}

static struct io_uring_sqe *prep(struct scene *scene, enum kind kind)
{
	struct io_uring *ring = scene->ring;
	struct net_buffers *buffers = &scene->buffers;
	struct io_uring_sqe *sqe;
	int fd = scene->fds[0];

	switch (kind) {
	case RECEIVE:
		return ops_prep(ring, DATA, 0, recv, fd, scene->block, 64, 0);
	case RECEIVE_SELECT:
		return net_prep_select(ring, DATA, buffers, recv, fd, NULL, 0, 0);
	case RECEIVE_MULTISHOT:
		return net_prep_select(ring, DATA, buffers, recv_multishot, fd, NULL, 0, 0);
	case RECEIVE_BUNDLE:
		sqe = net_prep_select(ring, DATA, buffers, recv, fd, NULL, 0, 0);
		sqe->ioprio |= IORING_RECVSEND_BUNDLE;
		return sqe;
	case RECEIVE_MESSAGE:
		return ops_prep(ring, DATA, 0, recvmsg, fd, &scene->message, 0);
	case RECEIVE_MESSAGES:
		scene->vector.iov_len = 0;
		return net_prep_select(ring, DATA, buffers, recvmsg_multishot, fd, &scene->message,
				       0);
	case READ:
		return ops_prep(ring, DATA, 0, read, fd, scene->block, 64, 0);
	case READ_SELECT:
		return net_prep_select(ring, DATA, buffers, read, fd, NULL, 64, 0);
	case READ_MULTISHOT:
		return net_prep_select(ring, DATA, buffers, read_multishot, fd, 0, 0, GROUP);
	case POLL:
		return ops_prep(ring, DATA, 0, poll_add, fd, POLLIN);
	case SEND:
		return ops_prep(ring, DATA, 0, send, fd, scene->block, 64, MSG_NOSIGNAL);
	case SEND_MESSAGE:
		return ops_prep(ring, DATA, 0, sendmsg, fd, &scene->message, MSG_NOSIGNAL);
	case SEND_ZC:
		return ops_prep(ring, DATA, 0, send_zc, fd, scene->block, 64, MSG_NOSIGNAL, 0);
	default:
		return ops_prep(ring, DATA, 0, write, fd, scene->block, 64, 0);
	}
}

/* Everything that is readable after a reset. */
enum { RESET_MASK = POLLIN | POLLERR | POLLHUP | 0x2000 /* POLLRDHUP */ };

static int first_result(enum kind kind)
{
	return kind == POLL ? RESET_MASK : -ECONNRESET;
}

/* The error is told once. What comes then is the end. */
static int second_result(enum kind kind)
{
	if (kind >= SEND)
		return -EPIPE;
	if (kind == POLL)
		return RESET_MASK;
	return kind == RECEIVE_MESSAGES ? (int)sizeof(struct io_uring_recvmsg_out) : 0;
}

static void expect_end(struct scene *scene, enum kind kind, bool limited, int want)
{
	struct harness_cqe cqe;
	unsigned notifications = 0, ends = 0, limits = 0;

	while (ends < 1 || limits < limited || notifications < (kind == SEND_ZC)) {
		cqe = harness_next(scene->ring);
		if (cqe.user_data == LIMIT) {
			assert_int_equal(cqe.res, -ECANCELED);
			limits++;
		} else if (cqe.flags & IORING_CQE_F_NOTIF) {
			notifications++;
		} else {
			assert_int_equal(cqe.user_data, DATA);
			assert_int_equal(cqe.res, want);
			/* An end may cost a buffer. */
			if (want >= 0)
				cqe.flags &= ~(unsigned)NET_BUFFER(0);
			assert_int_equal(cqe.flags & ~(unsigned)IORING_CQE_F_SOCK_NONEMPTY,
					 kind == SEND_ZC ? MORE : 0);
			ends++;
		}
	}
	harness_assert_empty(scene->ring);
}

static void submit(struct scene *scene, enum kind kind, bool limited)
{
	struct io_uring_sqe *sqe = prep(scene, kind);

	if (!limited) {
		harness_submit(scene->ring, 1);
		return;
	}
	sqe->flags |= IOSQE_IO_LINK;
	ops_prep(scene->ring, LIMIT, 0, link_timeout, &never, 0);
	harness_submit(scene->ring, 2);
}

static void reset_under(struct io_uring *ring, enum kind kind, bool limited)
{
	struct scene scene;

	open_scene(&scene, ring);
	if (kind >= SEND)
		net_fill(scene.fds[0]);
	submit(&scene, kind, limited);
	harness_assert_empty(ring);
	net_reset(scene.fds[1]);
	expect_end(&scene, kind, limited, first_result(kind));
	close_scene(&scene);
}

static void reset_before(struct io_uring *ring, enum kind kind, bool limited)
{
	struct scene scene;

	open_scene(&scene, ring);
	net_reset(scene.fds[1]);
	assert_true(harness_wait_readable(scene.fds[0]));
	submit(&scene, kind, limited);
	expect_end(&scene, kind, limited, first_result(kind));
	submit(&scene, kind, limited);
	expect_end(&scene, kind, limited, second_result(kind));
	assert_int_equal(ops_run(ring, shutdown, scene.fds[0], SHUT_RDWR), -ENOTCONN);
	close_scene(&scene);
}

static void in_all_ways(struct io_uring *ring, void (*check)(struct io_uring *, enum kind, bool))
{
	sighandler_t saved = signal(SIGPIPE, SIG_IGN);

	for (enum kind kind = 0; kind < KINDS; kind++)
		for (int limited = 0; limited < 2; limited++)
			if (kind != READ_MULTISHOT || harness_has_opcode(IORING_OP_READ_MULTISHOT))
				check(ring, kind, limited);
	signal(SIGPIPE, saved);
}

static void under_a_request_that_waits(void **state)
{
	in_all_ways(&((struct ops *)*state)->ring, reset_under);
}

static void before_the_request(void **state)
{
	in_all_ways(&((struct ops *)*state)->ring, reset_before);
}

static void where_completions_are_deferred(void **state)
{
	struct io_uring ring;

	(void)state;
	harness_init(&ring, 16, IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SINGLE_ISSUER);
	in_all_ways(&ring, reset_under);
	in_all_ways(&ring, reset_before);
	io_uring_queue_exit(&ring);
}

/* What arrived before the reset is lost with it, and the shots that were are valid. */
static void after_some_shots(void **state)
{
	struct io_uring *ring = &((struct ops *)*state)->ring;

	for (int limited = 0; limited < 2; limited++) {
		struct scene scene;

		open_scene(&scene, ring);
		submit(&scene, RECEIVE_MULTISHOT, limited);
		net_send(scene.fds[1], "one");
		net_expect_data(ring, &scene.buffers, DATA, "one", 0, MORE);
		net_send(scene.fds[1], "two");
		net_expect_data(ring, &scene.buffers, DATA, "two", 1, MORE);
		net_reset(scene.fds[1]);
		expect_end(&scene, RECEIVE_MULTISHOT, limited, -ECONNRESET);
		close_scene(&scene);
	}
}

/* In the queue of the listener: it is handed out, once or as one of several. */
static void before_it_is_accepted(void **state)
{
	struct io_uring *ring = &((struct ops *)*state)->ring;

	for (int multishot = 0; multishot < 2; multishot++) {
		int listener = net_listener(0);
		struct harness_cqe cqe;
		char byte;

		net_reset(net_connect(listener));
		if (multishot)
			ops_prep(ring, DATA, 0, multishot_accept, listener, NULL, NULL, 0);
		else
			ops_prep(ring, DATA, 0, accept, listener, NULL, NULL, 0);
		harness_submit(ring, 1);
		cqe = harness_next(ring);
		assert_true(cqe.res >= 0);
		assert_int_equal(cqe.flags, multishot ? MORE : 0);
		assert_int_equal(ops_run(ring, recv, cqe.res, &byte, 1, 0), -ECONNRESET);
		close(cqe.res);
		if (multishot)
			net_cancel(ring, DATA);
		close(listener);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ops_test(under_a_request_that_waits),	  ops_test(before_the_request),
		ops_test(where_completions_are_deferred), ops_test(after_some_shots),
		ops_test(before_it_is_accepted),
	};

	return harness_run(tests);
}
