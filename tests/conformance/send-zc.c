/* SPDX-License-Identifier: MIT */
/*
 * Description: SEND_ZC and SENDMSG_ZC: a result with F_MORE and then a notification; registered
 * buffers; what is refused. If data is copied after all the notification may say so.
 */
#include "net_helpers.h"

/* The result, with F_MORE, and the notification after it, which ends the request. */
static void expect_both_at(struct io_uring *ring, uint64_t user_data, int res, const char *file,
			   int line)
{
	struct harness_cqe cqe = harness_next_at(ring, file, line);

	_assert_int_equal(cqe.user_data, user_data, file, line);
	_assert_int_equal(cast_to_largest_integral_type(cqe.res),
			  cast_to_largest_integral_type(res), file, line);
	_assert_int_equal(cqe.flags, IORING_CQE_F_MORE, file, line);
	cqe = harness_next_at(ring, file, line);
	_assert_int_equal(cqe.user_data, user_data, file, line);
	_assert_int_equal(cqe.res, 0, file, line);
	_assert_int_equal(cqe.flags, IORING_CQE_F_NOTIF, file, line);
}

#define expect_both(ring, user_data, res) expect_both_at(ring, user_data, res, __FILE__, __LINE__)

/* Read at the other end before the notification is waited for: it may have to be. */
static void check_send(struct io_uring *ring, unsigned sqe_flags, unsigned zc_flags)
{
	struct harness_cqe cqe;
	int fds[2];

	net_tcp_pair(fds);
	ops_prep(ring, 7, sqe_flags, send_zc, fds[0], "hello", 5, 0, zc_flags);
	harness_submit(ring, 1);
	net_expect(fds[1], "hello");
	cqe = harness_next(ring);
	harness_assert_cqe(cqe, 7, 5);
	assert_int_equal(cqe.flags, IORING_CQE_F_MORE);
	cqe = harness_next(ring);
	assert_int_equal(cqe.user_data, 7);
	assert_int_equal(cqe.flags, IORING_CQE_F_NOTIF);
	/* Over loopback the kernel copies too. */
	assert_int_equal((unsigned)cqe.res,
			 zc_flags & IORING_SEND_ZC_REPORT_USAGE ? IORING_NOTIF_USAGE_ZC_COPIED : 0);
	harness_assert_empty(ring);
	net_close_pair(fds);
}

static void a_send_is_answered_twice(void **state)
{
	struct ops *ops = *state;

	check_send(&ops->ring, 0, 0);
	check_send(&ops->ring, 0, IORING_SEND_ZC_REPORT_USAGE);
	check_send(&ops->ring, 0, IORING_RECVSEND_POLL_FIRST);
	check_send(&ops->ring, IOSQE_ASYNC, 0);
}

static void a_datagram_to_an_address(void **state)
{
	struct ops *ops = *state;
	int a = net_bound(SOCK_DGRAM), b = net_bound(SOCK_DGRAM);
	struct sockaddr_in to = net_address_of(b);
	struct iovec vector[] = {{"ab", 2}, {"cd", 2}};
	struct msghdr message = {
		.msg_iov = vector, .msg_iovlen = 2, .msg_name = &to, .msg_namelen = sizeof(to)};
	struct io_uring_sqe *sqe;

	sqe = ops_prep(&ops->ring, 1, 0, send_zc, a, "to you", 6, 0, 0);
	io_uring_prep_send_set_addr(sqe, (struct sockaddr *)&to, sizeof(to));
	harness_submit(&ops->ring, 1);
	net_expect(b, "to you");
	expect_both(&ops->ring, 1, 6);
	ops_prep(&ops->ring, 2, 0, sendmsg_zc, a, &message, 0);
	harness_submit(&ops->ring, 1);
	net_expect(b, "abcd");
	expect_both(&ops->ring, 2, 4);
	close(a);
	close(b);
}

static void waitall_sends_all(void **state)
{
	struct ops *ops = *state;
	size_t size = 4 << 20;
	char *data = malloc(size), *back = malloc(size);
	struct iovec vector[] = {{data, size / 2}, {data + size / 2, size / 2}};
	struct msghdr message = {.msg_iov = vector, .msg_iovlen = 2};
	int room = 8192;
	int fds[2];

	assert_non_null(data);
	assert_non_null(back);
	for (size_t i = 0; i < size; i++)
		data[i] = (char)harness_byte(i);
	net_tcp_pair(fds);
	setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	for (unsigned i = 0; i < 2; i++) {
		if (i)
			ops_prep(&ops->ring, 1, 0, sendmsg_zc, fds[0], &message, MSG_WAITALL);
		else
			ops_prep(&ops->ring, 1, 0, send_zc, fds[0], data, size, MSG_WAITALL, 0);
		harness_submit(&ops->ring, 1);
		harness_assert_empty(&ops->ring);
		net_receive(fds[1], back, size);
		expect_both(&ops->ring, 1, (int)size);
		ops_assert_pattern(back, size, 0);
	}
	net_close_pair(fds);
	free(data);
	free(back);
}

/* ---- registered buffers ---- */

static char *register_buffer(struct io_uring *ring, size_t size)
{
	char *data = aligned_alloc(4096, size);
	struct iovec buffer = {data, size};

	assert_non_null(data);
	for (size_t i = 0; i < size; i++)
		data[i] = (char)harness_byte(i);
	assert_int_equal(io_uring_register_buffers(ring, &buffer, 1), 0);
	return data;
}

static void a_registered_buffer_is_sent(void **state)
{
	struct ops *ops = *state;
	char *data = register_buffer(&ops->ring, 8192);
	struct iovec vector[] = {{data + 1, 10}, {data + 5000, 10}};
	struct msghdr message = {.msg_iov = vector, .msg_iovlen = 2};
	char back[20];
	int fds[2];

	net_tcp_pair(fds);
	ops_prep(&ops->ring, 1, 0, send_zc_fixed, fds[0], data + 100, 20, 0, 0, 0);
	harness_submit(&ops->ring, 1);
	net_receive(fds[1], back, 20);
	ops_assert_pattern(back, 20, 100);
	expect_both(&ops->ring, 1, 20);
	ops_prep(&ops->ring, 2, 0, sendmsg_zc_fixed, fds[0], &message, 0, 0);
	harness_submit(&ops->ring, 1);
	net_receive(fds[1], back, 20);
	ops_assert_pattern(back, 10, 1);
	ops_assert_pattern(back + 10, 10, 5000);
	expect_both(&ops->ring, 2, 20);
	net_close_pair(fds);
	free(data);
}

static void what_is_not_in_the_buffer_is_refused(void **state)
{
	struct ops *ops = *state;
	char *data = register_buffer(&ops->ring, 8192);
	struct iovec vector[] = {{data, 10}, {data + 8190, 10}};
	struct msghdr message = {.msg_iov = vector, .msg_iovlen = 2};
	int fds[2];

	net_tcp_pair(fds);
	ops_prep(&ops->ring, 1, 0, send_zc_fixed, fds[0], data, 8193, 0, 0, 0);
	harness_submit(&ops->ring, 1);
	expect_both(&ops->ring, 1, -EFAULT);
	ops_prep(&ops->ring, 1, 0, send_zc_fixed, fds[0], data - 1, 1, 0, 0, 0);
	harness_submit(&ops->ring, 1);
	expect_both(&ops->ring, 1, -EFAULT);
	ops_prep(&ops->ring, 1, 0, send_zc_fixed, fds[0], data, 1, 0, 0, 1);
	harness_submit(&ops->ring, 1);
	expect_both(&ops->ring, 1, -EFAULT);
	ops_prep(&ops->ring, 1, 0, sendmsg_zc_fixed, fds[0], &message, 0, 0);
	harness_submit(&ops->ring, 1);
	expect_both(&ops->ring, 1, -EFAULT);
	net_close_pair(fds);
	free(data);
}

static void a_vector_in_a_send(void **state)
{
	struct ops *ops = *state;
	struct iovec vector[] = {{"ab", 2}, {"cd", 2}};
	int fds[2];

	net_tcp_pair(fds);
	ops_prep(&ops->ring, 1, 0, send_zc, fds[0], vector, 2, 0, IORING_SEND_VECTORIZED);
	harness_submit(&ops->ring, 1);
	net_expect(fds[1], "abcd");
	expect_both(&ops->ring, 1, 4);
	net_close_pair(fds);
}

/* ---- failures ---- */

/* Each failure at sending is answered twice as well. */
static void a_failure_is_answered_twice(void **state)
{
	struct ops *ops = *state;
	int fds[2];

	net_tcp_pair(fds);
	assert_int_equal(shutdown(fds[0], SHUT_WR), 0);
	ops_prep(&ops->ring, 1, 0, send_zc, fds[0], "x", 1, 0, 0);
	harness_submit(&ops->ring, 1);
	expect_both(&ops->ring, 1, -EPIPE);
	net_close_pair(fds);

	/* No zero copy on these: the request is refused rather than served with one. */
	net_pair(SOCK_STREAM, fds);
	ops_prep(&ops->ring, 2, 0, send_zc, fds[0], "x", 1, 0, 0);
	harness_submit(&ops->ring, 1);
	expect_both(&ops->ring, 2, -EOPNOTSUPP);
	net_close_pair(fds);

	harness_pipe(fds);
	ops_prep(&ops->ring, 3, 0, send_zc, fds[1], "x", 1, 0, 0);
	harness_submit(&ops->ring, 1);
	expect_both(&ops->ring, 3, -ENOTSOCK);
	harness_close_pipe(fds);
	ops_prep(&ops->ring, 4, 0, send_zc, -1, "x", 1, 0, 0);
	harness_submit(&ops->ring, 1);
	expect_both(&ops->ring, 4, -EBADF);
}

static void with_dontwait_a_full_socket_is_eagain(void **state)
{
	struct ops *ops = *state;
	int fds[2];

	net_tcp_pair(fds);
	net_fill(fds[0]);
	ops_prep(&ops->ring, 1, 0, send_zc, fds[0], "x", 1, MSG_DONTWAIT, 0);
	harness_submit(&ops->ring, 1);
	expect_both(&ops->ring, 1, -EAGAIN);
	net_close_pair(fds);
}

/* It has begun when it waits for room, so that there is a notification for it as well. */
static void a_cancelled_send_is_answered_twice(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct harness_cqe cqes[3];
	unsigned count = 0;
	int fds[2];

	net_tcp_pair(fds);
	net_fill(fds[0]);
	ops_prep(ring, 1, 0, send_zc, fds[0], "x", 1, 0, 0);
	harness_submit(ring, 1);
	harness_assert_empty(ring);
	ops_prep(ring, 2, 0, cancel64, 1, 0);
	harness_submit(ring, 1);
	harness_reap(ring, cqes, 3);
	for (unsigned i = 0; i < 3; i++) {
		if (cqes[i].user_data == 2) {
			assert_int_equal(cqes[i].res, 0);
			continue;
		}
		assert_int_equal(cqes[i].user_data, 1);
		assert_int_equal(cqes[i].res, count ? 0 : -ECANCELED);
		assert_int_equal(cqes[i].flags, count ? IORING_CQE_F_NOTIF : IORING_CQE_F_MORE);
		count++;
	}
	assert_int_equal(count, 2);
	harness_assert_empty(ring);
	net_close_pair(fds);
}

static void what_was_submitted_before_is_answered_before(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int fds[2];

	net_tcp_pair(fds);
	for (uint64_t data = 0; data < 3; data++)
		harness_nop(ring, data);
	ops_prep(ring, 3, 0, send_zc, fds[0], "x", 1, 0, 0);
	harness_submit(ring, 4);
	net_expect(fds[1], "x");
	for (uint64_t data = 0; data < 3; data++)
		ops_expect(ring, data, 0);
	expect_both(ring, 3, 1);
	net_close_pair(fds);
}

static void a_failure_breaks_the_chain(void **state)
{
	struct ops *ops = *state;
	struct harness_cqe cqes[4];
	int fds[2];

	net_tcp_pair(fds);
	ops_prep(&ops->ring, 1, IOSQE_IO_LINK, send_zc, fds[0], "x", 1, 0, 0);
	harness_nop(&ops->ring, 2);
	harness_submit(&ops->ring, 2);
	net_expect(fds[1], "x");
	harness_reap(&ops->ring, cqes, 3);
	for (unsigned i = 0; i < 3; i++)
		if (cqes[i].user_data == 2)
			assert_int_equal(cqes[i].res, 0);
	assert_int_equal(shutdown(fds[0], SHUT_WR), 0);
	ops_prep(&ops->ring, 1, IOSQE_IO_LINK, send_zc, fds[0], "x", 1, 0, 0);
	harness_nop(&ops->ring, 2);
	harness_submit(&ops->ring, 2);
	harness_reap(&ops->ring, cqes, 3);
	for (unsigned i = 0; i < 3; i++)
		if (cqes[i].user_data == 2)
			assert_int_equal(cqes[i].res, -ECANCELED);
	net_close_pair(fds);
}

static void stray_fields_are_refused(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct iovec vector = {"x", 1};
	struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
	int fds[2];

	net_tcp_pair(fds);
#define refused(name, member, value, ...)                                                          \
	do {                                                                                       \
		struct harness_cqe cqe;                                                            \
                                                                                                   \
		ops_prep(ring, 0, 0, name, fds[0], __VA_ARGS__)->member = (value);                 \
		cqe = harness_complete(ring);                                                      \
		assert_int_equal(cqe.res, -EINVAL);                                                \
		if (cqe.flags & IORING_CQE_F_MORE)                                                 \
			assert_int_equal(harness_next(ring).flags, IORING_CQE_F_NOTIF);            \
	} while (0)
	refused(send_zc, addr3, 1, "x", 1, 0, 0);
	refused(send_zc, __pad2[0], 1, "x", 1, 0, 0);
	refused(send_zc, ioprio, 1 << 6, "x", 1, 0, 0);
	refused(send_zc, ioprio, IORING_RECV_MULTISHOT, "x", 1, 0, 0);
	refused(send_zc, ioprio, IORING_RECVSEND_BUNDLE, "x", 1, 0, 0);
	refused(send_zc, splice_fd_in, 1 << 16, "x", 1, 0, 0);
	refused(sendmsg_zc, addr3, 1, &message, 0);
	refused(sendmsg_zc, splice_fd_in, 1, &message, 0);
	refused(sendmsg_zc, addr2, 1, &message, 0);
	refused(sendmsg_zc, ioprio, IORING_RECVSEND_BUNDLE, &message, 0);
#undef refused
	/* There are two completions, of which only one could be skipped. */
	assert_int_equal(ops_run_flags(ring, IOSQE_CQE_SKIP_SUCCESS, send_zc, fds[0], "x", 1, 0, 0),
			 -EINVAL);
	net_close_pair(fds);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ops_test(a_send_is_answered_twice),
		ops_test(a_datagram_to_an_address),
		ops_test(waitall_sends_all),
		ops_test(a_registered_buffer_is_sent),
		ops_test(what_is_not_in_the_buffer_is_refused),
		ops_test(a_vector_in_a_send),
		ops_test(a_failure_is_answered_twice),
		ops_test(with_dontwait_a_full_socket_is_eagain),
		ops_test(a_cancelled_send_is_answered_twice),
		ops_test(what_was_submitted_before_is_answered_before),
		ops_test(a_failure_breaks_the_chain),
		ops_test(stray_fields_are_refused),
	};

	return harness_run(tests);
}
