/* SPDX-License-Identifier: MIT */
/*
 * Description: POLL_ADD, one shot: when it completes and with what mask; pipes and sockets. Other
 * kinds of files are in poll-files.c.
 */
#include "readiness_helpers.h"

#include <sys/epoll.h>
#include <sys/socket.h>

/* What poll(2) says of fd now, if POLLRDHUP were always told as POLLERR and POLLHUP are. */
static int plain_poll(int fd, unsigned mask)
{
	struct pollfd entry = {.fd = fd, .events = (short)(mask | POLLRDHUP)};

	assert_true(poll(&entry, 1, 0) >= 0);
	return entry.revents;
}

/* A descriptor that is ready: the poll completes in submit, with the mask of poll(2). */
static void assert_same_mask_at(struct io_uring *ring, int fd, unsigned mask, int line)
{
	int want = plain_poll(fd, mask);

	start_poll(ring, 1, fd, mask);
	if (!want) {
		harness_assert_empty_at(ring, __FILE__, line);
		expect_pending_at(ring, 1, line);
		return;
	}
	_assert_int_equal(io_uring_cq_ready(ring), 1, __FILE__, line);
	expect_at(ring, 1, want, 0, line);
}

static const unsigned masks[] = {
	0,
	POLLIN,
	POLLOUT,
	POLLPRI,
	POLLERR,
	POLLHUP,
	POLLRDHUP,
	POLLIN | POLLOUT,
	POLLIN | POLLPRI | POLLOUT | POLLRDHUP | POLLRDNORM | POLLWRNORM | POLLRDBAND | POLLWRBAND,
};

static void assert_same_masks_at(struct io_uring *ring, int fd, int line)
{
	for (unsigned i = 0; i < ARRAY_SIZE(masks); i++)
		assert_same_mask_at(ring, fd, masks[i], line);
}

#define assert_same_masks(ring, fd) assert_same_masks_at(ring, fd, __LINE__)

static void masks_of_a_pipe(void **state)
{
	struct ops *ops = *state;
	int fds[2];

	harness_pipe(fds);
	assert_same_masks(&ops->ring, fds[0]);
	assert_same_masks(&ops->ring, fds[1]);
	put_byte(fds[1]);
	assert_same_masks(&ops->ring, fds[0]);
	assert_int_equal(fcntl(fds[1], F_SETPIPE_SZ, 4096) > 0, true);
	assert_int_equal(fcntl(fds[1], F_SETFL, O_NONBLOCK), 0);
	while (write(fds[1], masks, 1) == 1)
		;
	assert_same_masks(&ops->ring, fds[1]);
	close(fds[1]);
	assert_same_masks(&ops->ring, fds[0]);
	close(fds[0]);

	harness_pipe(fds);
	close(fds[0]);
	assert_same_masks(&ops->ring, fds[1]);
	close(fds[1]);
}

static void masks_of_a_socket(void **state)
{
	struct ops *ops = *state;
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_same_masks(&ops->ring, pair[0]);
	put_byte(pair[1]);
	assert_same_masks(&ops->ring, pair[0]);
	assert_int_equal(shutdown(pair[1], SHUT_WR), 0);
	assert_same_masks(&ops->ring, pair[0]);
	assert_same_masks(&ops->ring, pair[1]);
	assert_int_equal(shutdown(pair[0], SHUT_RD), 0);
	assert_same_masks(&ops->ring, pair[0]);
	close(pair[1]);
	assert_same_masks(&ops->ring, pair[0]);
	close(pair[0]);
}

static void masks_of_an_unconnected_socket(void **state)
{
	struct ops *ops = *state;
	int stream = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int datagram = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_true(stream >= 0 && datagram >= 0);
	assert_same_masks(&ops->ring, stream);
	assert_same_masks(&ops->ring, datagram);
	assert_int_equal(listen(stream, 1), 0);
	assert_same_masks(&ops->ring, stream);
	close(stream);
	close(datagram);
}

/* ---- becoming ready ------------------------------------------------------------------------ */

static void it_waits_for_data(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int fds[2];

	harness_pipe(fds);
	start_poll(ring, 1, fds[0], POLLIN);
	harness_assert_empty(ring);
	put_byte(fds[1]);
	expect(ring, 1, POLLIN);
	/* Once is once, and the data has not been touched. */
	put_byte(fds[1]);
	expect_idle(ring);
	take_byte(fds[0]);
	take_byte(fds[0]);
	harness_close_pipe(fds);
}

static void it_waits_for_room(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	char block[4096] = "";
	int fds[2];

	harness_pipe(fds);
	assert_int_equal(fcntl(fds[1], F_SETFL, O_NONBLOCK), 0);
	while (write(fds[1], block, sizeof(block)) == sizeof(block))
		;
	start_poll(ring, 1, fds[1], POLLOUT);
	start_poll(ring, 2, fds[0], POLLIN);
	expect(ring, 2, POLLIN);
	harness_assert_empty(ring);
	for (unsigned i = 0; i < 16; i++)
		assert_int_equal(read(fds[0], block, sizeof(block)), sizeof(block));
	expect(ring, 1, POLLOUT);
	expect_idle(ring);
	harness_close_pipe(fds);
}

/* Errors and hang-ups are told to those who did not ask for them. */
static void it_tells_of_a_hangup(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int fds[2];

	harness_pipe(fds);
	start_poll(ring, 1, fds[0], POLLIN);
	start_poll(ring, 2, fds[0], 0);
	close(fds[1]);
	expect_both(ring, 1, POLLHUP, 2, POLLHUP);
	close(fds[0]);

	harness_pipe(fds);
	start_poll(ring, 1, fds[1], 0);
	close(fds[0]);
	expect(ring, 1, POLLERR);
	close(fds[1]);
	expect_idle(ring);
}

/* What was not asked for does not complete it. */
static void it_ignores_other_events(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	start_poll(ring, 1, pair[0], POLLPRI);
	start_poll(ring, 2, pair[0], POLLRDHUP);
	start_poll(ring, 3, pair[0], POLLIN);
	put_byte(pair[1]);
	expect(ring, 3, POLLIN);
	expect_pending(ring, 2);
	/* The end of the other side's sending is told to everybody, asked for or not. */
	start_poll(ring, 1, pair[0], POLLPRI);
	start_poll(ring, 2, pair[0], POLLRDHUP);
	assert_int_equal(shutdown(pair[1], SHUT_WR), 0);
	expect_both(ring, 1, POLLRDHUP, 2, POLLRDHUP);
	expect_idle(ring);
	close(pair[0]);
	close(pair[1]);
}

static void all_polls_of_a_descriptor_complete(void **state)
{
	enum { POLLS = 32 };
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int results[POLLS];
	int fds[2];

	harness_pipe(fds);
	for (unsigned i = 0; i < POLLS; i++)
		ops_prep(ring, i, 0, poll_add, fds[0], POLLIN);
	harness_submit(ring, POLLS);
	put_byte(fds[1]);
	ops_collect(ring, results, POLLS);
	for (unsigned i = 0; i < POLLS; i++)
		assert_int_equal(results[i], POLLIN);
	expect_idle(ring);
	harness_close_pipe(fds);
}

/* Reading and writing side of one socket, two polls. */
static void both_directions_are_apart(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	start_poll(ring, 1, pair[0], POLLIN);
	start_poll(ring, 2, pair[0], POLLOUT);
	expect(ring, 2, POLLOUT);
	harness_assert_empty(ring);
	put_byte(pair[1]);
	expect(ring, 1, POLLIN);
	start_poll(ring, 3, pair[0], POLLIN | POLLOUT);
	expect(ring, 3, POLLIN | POLLOUT);
	close(pair[0]);
	close(pair[1]);
}

/* The bits that steer epoll are taken, and a poll is for one shot and one edge as it is. */
static void epoll_bits_are_taken(void **state)
{
	static const unsigned bits[] = {EPOLLEXCLUSIVE, EPOLLONESHOT, EPOLLET, EPOLLWAKEUP,
					EPOLLEXCLUSIVE | EPOLLONESHOT | EPOLLET};
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int fds[2];

	harness_pipe(fds);
	for (unsigned i = 0; i < ARRAY_SIZE(bits); i++) {
		start_poll(ring, 1, fds[0], POLLIN | bits[i]);
		harness_assert_empty(ring);
		put_byte(fds[1]);
		expect(ring, 1, POLLIN);
		start_poll(ring, 2, fds[0], POLLIN | bits[i]);
		expect(ring, 2, POLLIN);
		take_byte(fds[0]);
		expect_idle(ring);
	}
	harness_close_pipe(fds);
}

/* Of those that want to be alone at least one is told; the kernel tells the longest waiting one. */
static void exclusive_polls_share(void **state)
{
	enum { POLLS = 3 };
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct harness_cqe cqe;
	int fds[2];

	harness_pipe(fds);
	for (unsigned i = 0; i < POLLS; i++)
		start_poll(ring, i, fds[0], POLLIN | EPOLLEXCLUSIVE);
	for (unsigned told = 0; told < POLLS;) {
		put_byte(fds[1]);
		cqe = harness_next(ring);
		do {
			assert_int_equal(cqe.res, POLLIN);
			assert_in_range(cqe.user_data, 0, POLLS - 1);
			told++;
		} while (harness_peek(ring, &cqe));
		if (harness_kernel())
			assert_int_equal(cqe.user_data, told - 1);
	}
	expect_idle(ring);
	harness_close_pipe(fds);
}

/* ---- how it is asked for ------------------------------------------------------------------- */

static void a_direct_descriptor(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int fds[2], files[2];

	harness_pipe(fds);
	ops_prep(ring, 1, IOSQE_FIXED_FILE, poll_add, 0, POLLIN);
	harness_submit(ring, 1);
	expect(ring, 1, -EBADF);
	files[0] = -1;
	files[1] = fds[0];
	assert_int_equal(io_uring_register_files(ring, files, 2), 0);
	ops_prep(ring, 1, IOSQE_FIXED_FILE, poll_add, 0, POLLIN);
	ops_prep(ring, 2, IOSQE_FIXED_FILE, poll_add, 2, POLLIN);
	ops_prep(ring, 3, IOSQE_FIXED_FILE, poll_add, 1, POLLIN);
	harness_submit(ring, 3);
	expect(ring, 1, -EBADF);
	expect(ring, 2, -EBADF);
	harness_assert_empty(ring);
	put_byte(fds[1]);
	expect(ring, 3, POLLIN);
	take_byte(fds[0]);
	/* Emptying the slot does not end what waits on its file. */
	ops_prep(ring, 4, IOSQE_FIXED_FILE, poll_add, 1, POLLIN);
	harness_submit(ring, 1);
	assert_int_equal(io_uring_unregister_files(ring), 0);
	put_byte(fds[1]);
	expect(ring, 4, POLLIN);
	harness_close_pipe(fds);
}

static void fields_are_checked(void **state)
{
	static const struct {
		const char *name;
		unsigned offset, value, size;
		int res;
	} fields[] = {
		{"ioprio", offsetof(struct io_uring_sqe, ioprio), 1, 2, -EINVAL},
		{"off", offsetof(struct io_uring_sqe, off), 1, 4, -EINVAL},
		{"addr", offsetof(struct io_uring_sqe, addr), 1, 4, -EINVAL},
		{"buf_index", offsetof(struct io_uring_sqe, buf_index), 1, 2, -EINVAL},
		{"personality", offsetof(struct io_uring_sqe, personality), 77, 2, -EINVAL},
		{"len 2", offsetof(struct io_uring_sqe, len), 2, 4, -EINVAL},
		{"len 4", offsetof(struct io_uring_sqe, len), 4, 4, -EINVAL},
		{"level", offsetof(struct io_uring_sqe, len), IORING_POLL_ADD_LEVEL, 4, -EINVAL},
		{"level, multi", offsetof(struct io_uring_sqe, len),
		 IORING_POLL_ADD_LEVEL | IORING_POLL_ADD_MULTI, 4, -EINVAL},
		{"len 16", offsetof(struct io_uring_sqe, len), 16, 4, -EINVAL},
		{"fd", offsetof(struct io_uring_sqe, fd), 99999, 4, -EBADF},
		{"fd -1", offsetof(struct io_uring_sqe, fd), -1u, 4, -EBADF},
		{"file_index", offsetof(struct io_uring_sqe, file_index), 1, 4, POLLIN},
		{"addr3", offsetof(struct io_uring_sqe, addr3), 1, 4, POLLIN},
		{"buffer select", offsetof(struct io_uring_sqe, flags), IOSQE_BUFFER_SELECT, 1,
		 -EOPNOTSUPP},
	};
	struct ops *ops = *state;
	int fds[2];

	harness_pipe(fds);
	put_byte(fds[1]);
	for (unsigned i = 0; i < ARRAY_SIZE(fields); i++) {
		struct io_uring_sqe *sqe = ops_prep(&ops->ring, i, 0, poll_add, fds[0], POLLIN);

		memcpy((char *)sqe + fields[i].offset, &fields[i].value, fields[i].size);
		harness_submit(&ops->ring, 1);
		expect(&ops->ring, i, fields[i].res);
	}
	harness_close_pipe(fds);
}

/* A bad descriptor is found out when the poll runs, and the batch goes on. */
static void a_bad_descriptor_does_not_end_the_batch(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;

	ops_prep(ring, 1, 0, poll_add, -1, POLLIN);
	ops_prep(ring, 2, 0, nop);
	harness_submit(ring, 2);
	expect(ring, 1, -EBADF);
	expect(ring, 2, 0);
	ops_prep(ring, 1, 0, poll_add, 0, POLLIN)->addr = 1;
	ops_prep(ring, 2, 0, nop);
	harness_submit(ring, 1);
	expect(ring, 1, -EINVAL);
	harness_submit(ring, 1);
	expect(ring, 2, 0);
}

static void a_link_waits_for_it(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	char byte = 0;
	int fds[2];

	harness_pipe(fds);
	ops_prep(ring, 1, IOSQE_IO_LINK, poll_add, fds[0], POLLIN);
	ops_prep(ring, 2, IOSQE_IO_LINK, read, fds[0], &byte, 1, 0);
	ops_prep(ring, 3, 0, nop);
	harness_submit(ring, 3);
	harness_assert_empty(ring);
	put_byte(fds[1]);
	expect(ring, 1, POLLIN);
	expect(ring, 2, 1);
	expect(ring, 3, 0);
	assert_int_equal(byte, 'x');
	/* In the middle of a chain it is armed only when its turn comes. */
	ops_prep(ring, 1, IOSQE_IO_LINK, nop);
	ops_prep(ring, 2, IOSQE_IO_LINK, poll_add, fds[0], POLLIN);
	ops_prep(ring, 3, 0, nop);
	harness_submit(ring, 3);
	expect(ring, 1, 0);
	put_byte(fds[1]);
	expect(ring, 2, POLLIN);
	expect(ring, 3, 0);
	harness_close_pipe(fds);
}

static void drain_waits_for_it(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int fds[2];

	harness_pipe(fds);
	ops_prep(ring, 1, 0, poll_add, fds[0], POLLIN);
	ops_prep(ring, 2, IOSQE_IO_DRAIN, nop);
	ops_prep(ring, 3, 0, nop);
	harness_submit(ring, 3);
	harness_assert_empty(ring);
	put_byte(fds[1]);
	expect(ring, 1, POLLIN);
	expect(ring, 2, 0);
	expect(ring, 3, 0);
	harness_close_pipe(fds);
}

/* Silence on success; a cancellation is none. */
static void skip_is_silent_only_about_success(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int fds[2];

	harness_pipe(fds);
	ops_prep(ring, 1, IOSQE_CQE_SKIP_SUCCESS | IOSQE_IO_LINK, poll_add, fds[0], POLLIN);
	ops_prep(ring, 2, 0, nop);
	harness_submit(ring, 2);
	put_byte(fds[1]);
	expect(ring, 2, 0);
	expect_idle(ring);
	take_byte(fds[0]);
	ops_prep(ring, 1, IOSQE_CQE_SKIP_SUCCESS, poll_add, fds[0], POLLIN);
	harness_submit(ring, 1);
	expect_pending(ring, 1);
	harness_close_pipe(fds);
}

static void async_polls_the_same(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int fds[2];

	harness_pipe(fds);
	ops_prep(ring, 1, IOSQE_ASYNC, poll_add, fds[0], POLLIN);
	harness_submit(ring, 1);
	put_byte(fds[1]);
	expect(ring, 1, POLLIN);
	ops_prep(ring, 2, IOSQE_ASYNC, poll_add, fds[0], POLLIN);
	harness_submit(ring, 1);
	expect(ring, 2, POLLIN);
	harness_close_pipe(fds);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ops_test(masks_of_a_pipe),
		ops_test(masks_of_a_socket),
		ops_test(masks_of_an_unconnected_socket),
		ops_test(it_waits_for_data),
		ops_test(it_waits_for_room),
		ops_test(it_tells_of_a_hangup),
		ops_test(it_ignores_other_events),
		ops_test(all_polls_of_a_descriptor_complete),
		ops_test(both_directions_are_apart),
		ops_test(epoll_bits_are_taken),
		ops_test(exclusive_polls_share),
		ops_test(a_direct_descriptor),
		ops_test(fields_are_checked),
		ops_test(a_bad_descriptor_does_not_end_the_batch),
		ops_test(a_link_waits_for_it),
		ops_test(drain_waits_for_it),
		ops_test(skip_is_silent_only_about_success),
		ops_test(async_polls_the_same),
	};

	return harness_run(tests);
}
