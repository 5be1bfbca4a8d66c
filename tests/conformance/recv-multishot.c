/* SPDX-License-Identifier: MIT */
/*
 * Description: RECV and RECVMSG with provided buffers, one-shot and multishot: what is taken from
 * the group, when a multishot ends, limits, and the layout of a message in its buffer.
 */
#include "net_buffers.h"

#define GROUP 5

/* ---- one-shot ---- */

static void a_receive_takes_a_buffer(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct net_buffers buffers;
	struct harness_cqe cqe;
	int fds[2];

	net_pair(SOCK_STREAM, fds);
	net_buffers_init(&buffers, ring, GROUP, 4, 32, 4);
	net_send(fds[1], "at once");
	net_prep_select(ring, 1, &buffers, recv, fds[0], NULL, 0, 0);
	harness_submit(ring, 1);
	net_expect_data(ring, &buffers, 1, "at once", 0, 0);
	/* Length: at most this much of the buffer. */
	net_send(fds[1], "abcdef");
	net_prep_select(ring, 1, &buffers, recv, fds[0], NULL, 3, 0);
	harness_submit(ring, 1);
	cqe = harness_next(ring);
	harness_assert_cqe(cqe, 1, 3);
	assert_int_equal(cqe.flags, NET_BUFFER(1) | IORING_CQE_F_SOCK_NONEMPTY);
	net_drain(fds[0], 3);
	/* One that waits. */
	net_prep_select(ring, 1, &buffers, recv, fds[0], NULL, 0, 0);
	harness_submit(ring, 1);
	harness_assert_empty(ring);
	net_send(fds[1], "later");
	net_expect_data(ring, &buffers, 1, "later", 2, 0);
	net_buffers_free(&buffers, ring);
	net_close_pair(fds);
}

static void without_a_buffer_it_is_enobufs(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct net_buffers buffers;
	struct io_uring_sqe *sqe;
	int fds[2];

	net_pair(SOCK_STREAM, fds);
	net_buffers_init(&buffers, ring, GROUP, 4, 32, 0);
	net_send(fds[1], "x");
	net_prep_select(ring, 1, &buffers, recv, fds[0], NULL, 0, 0);
	harness_submit(ring, 1);
	net_expect_flags(ring, 1, -ENOBUFS, 0);
	sqe = net_prep_select(ring, 1, &buffers, recv, fds[0], NULL, 0, 0);
	sqe->buf_group = 77;
	harness_submit(ring, 1);
	net_expect_flags(ring, 1, -ENOBUFS, 0);
	net_prep_select(ring, 1, &buffers, recv_multishot, fds[0], NULL, 0, 0);
	harness_submit(ring, 1);
	net_expect_flags(ring, 1, -ENOBUFS, 0);
	net_buffers_free(&buffers, ring);
	net_close_pair(fds);
}

static void a_failed_attempt_takes_no_buffer(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct net_buffers buffers;
	int fds[2];

	net_pair(SOCK_STREAM, fds);
	net_buffers_init(&buffers, ring, GROUP, 4, 32, 1);
	for (unsigned i = 0; i < 3; i++) {
		net_prep_select(ring, 1, &buffers, recv, fds[0], NULL, 0, MSG_DONTWAIT);
		harness_submit(ring, 1);
		net_expect_flags(ring, 1, -EAGAIN, 0);
	}
	/* Nor does one that waits and is cancelled. */
	net_prep_select(ring, 1, &buffers, recv, fds[0], NULL, 0, 0);
	harness_submit(ring, 1);
	net_cancel(ring, 1);
	net_send(fds[1], "data");
	net_prep_select(ring, 1, &buffers, recv, fds[0], NULL, 0, 0);
	harness_submit(ring, 1);
	net_expect_data(ring, &buffers, 1, "data", 0, 0);
	net_buffers_free(&buffers, ring);
	net_close_pair(fds);
}

static void a_message_takes_a_buffer(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct net_buffers buffers;
	struct iovec vector[2] = {{NULL, 3}, {NULL, 3}};
	struct msghdr message = {.msg_iov = vector, .msg_iovlen = 1};
	int fds[2];

	net_pair(SOCK_DGRAM, fds);
	net_buffers_init(&buffers, ring, GROUP, 4, 32, 4);
	net_send(fds[1], "abcdef");
	net_prep_select(ring, 1, &buffers, recvmsg, fds[0], &message, 0);
	harness_submit(ring, 1);
	net_expect_data(ring, &buffers, 1, "abc", 0, 0);
	assert_int_equal(message.msg_flags & MSG_TRUNC, MSG_TRUNC);
	message.msg_iovlen = 0;
	net_send(fds[1], "abcdef");
	net_prep_select(ring, 1, &buffers, recvmsg, fds[0], &message, 0);
	harness_submit(ring, 1);
	net_expect_data(ring, &buffers, 1, "abcdef", 1, 0);
	message.msg_iovlen = 2;
	net_prep_select(ring, 1, &buffers, recvmsg, fds[0], &message, 0);
	harness_submit(ring, 1);
	net_expect_flags(ring, 1, -EINVAL, 0);
	net_buffers_free(&buffers, ring);
	net_close_pair(fds);
}

/* ---- multishot ---- */

static void each_arrival_is_a_completion(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct net_buffers buffers;
	static const char *const words[] = {"one", "two", "three", "four", "five"};
	int fds[2];

	net_pair(SOCK_STREAM, fds);
	net_buffers_init(&buffers, ring, GROUP, 8, 32, 8);
	net_send(fds[1], "zero");
	net_prep_select(ring, 1, &buffers, recv_multishot, fds[0], NULL, 0, 0);
	harness_submit(ring, 1);
	net_expect_data(ring, &buffers, 1, "zero", 0, IORING_CQE_F_MORE);
	for (unsigned i = 0; i < ARRAY_SIZE(words); i++) {
		net_send(fds[1], words[i]);
		net_expect_data(ring, &buffers, 1, words[i], i + 1, IORING_CQE_F_MORE);
	}
	harness_assert_empty(ring);
	/* The end ends it. */
	close(fds[1]);
	net_expect_flags(ring, 1, 0, 0);
	close(fds[0]);
	net_buffers_free(&buffers, ring);
}

static void more_than_a_buffer_takes_several(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct net_buffers buffers;
	int fds[2];

	net_pair(SOCK_STREAM, fds);
	net_buffers_init(&buffers, ring, GROUP, 8, 4, 8);
	net_prep_select(ring, 1, &buffers, recv_multishot, fds[0], NULL, 0, 0);
	harness_submit(ring, 1);
	harness_assert_empty(ring);
	net_send(fds[1], "aaaabbbbcc");
	net_expect_data(ring, &buffers, 1, "aaaa", 0,
			IORING_CQE_F_MORE | IORING_CQE_F_SOCK_NONEMPTY);
	net_expect_data(ring, &buffers, 1, "bbbb", 1,
			IORING_CQE_F_MORE | IORING_CQE_F_SOCK_NONEMPTY);
	net_expect_data(ring, &buffers, 1, "cc", 2, IORING_CQE_F_MORE);
	net_cancel(ring, 1);
	net_buffers_free(&buffers, ring);
	net_close_pair(fds);
}

/* What is left of a stream that the peer has ended, and the end, are taken in one go. */
static void the_end_comes_with_the_rest(void **state)
{
	struct net_buffers buffers;
	struct io_uring ring;
	int fds[2];

	(void)state;
	for (unsigned extra = 0; extra < 2; extra++) {
		harness_init(&ring, 8, IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN);
		net_tcp_pair(fds);
		net_buffers_init(&buffers, &ring, GROUP, 8, 4, 8);
		net_prep_select(&ring, 1, &buffers, recv_multishot, fds[0], NULL, 0, 0);
		harness_submit(&ring, 1);
		net_send(fds[1], extra ? "aaaabbbbcc" : "aaaabbbb");
		assert_int_equal(shutdown(fds[1], SHUT_WR), 0);
		assert_int_equal(io_uring_enter((unsigned)ring.ring_fd, 0, 2 + extra,
						IORING_ENTER_GETEVENTS, NULL),
				 0);
		assert_int_equal(io_uring_cq_ready(&ring), 3 + extra);
		for (unsigned i = 0; i < 3 + extra; i++) {
			bool end = i == 2 + extra;
			struct harness_cqe cqe = harness_next(&ring);

			harness_assert_cqe(cqe, 1, end ? 0 : i < 2 ? 4 : 2);
			/* The kernel takes the end for something that is there, too. */
			cqe.flags &= ~(uint32_t)IORING_CQE_F_SOCK_NONEMPTY;
			if (end)
				assert_int_equal(cqe.flags, 0);
			else
				assert_true(cqe.flags & IORING_CQE_F_MORE);
		}
		net_buffers_free(&buffers, &ring);
		net_close_pair(fds);
		io_uring_queue_exit(&ring);
	}
}

static void it_ends_when_the_buffers_do(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct net_buffers buffers;
	int fds[2];

	net_pair(SOCK_DGRAM, fds);
	net_buffers_init(&buffers, ring, GROUP, 4, 16, 2);
	net_prep_select(ring, 1, &buffers, recv_multishot, fds[0], NULL, 0, 0);
	harness_submit(ring, 1);
	net_send(fds[1], "one");
	net_expect_data(ring, &buffers, 1, "one", 0, IORING_CQE_F_MORE);
	net_send(fds[1], "two");
	net_expect_data(ring, &buffers, 1, "two", 1, IORING_CQE_F_MORE);
	net_send(fds[1], "three");
	net_expect_flags(ring, 1, -ENOBUFS, 0);
	/* The datagram is for the next request. */
	net_provide(&buffers, 3);
	net_prep_select(ring, 2, &buffers, recv, fds[0], NULL, 0, 0);
	harness_submit(ring, 1);
	net_expect_data(ring, &buffers, 2, "three", 3, 0);
	net_buffers_free(&buffers, ring);
	net_close_pair(fds);
}

static void it_goes_on_with_buffers_that_come_back(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct net_buffers buffers;
	int fds[2];

	net_pair(SOCK_STREAM, fds);
	net_buffers_init(&buffers, ring, GROUP, 2, 16, 2);
	net_prep_select(ring, 1, &buffers, recv_multishot, fds[0], NULL, 0, 0);
	harness_submit(ring, 1);
	for (unsigned i = 0; i < 100; i++) {
		net_send(fds[1], "again");
		net_expect_data(ring, &buffers, 1, "again", i % 2, IORING_CQE_F_MORE);
		net_provide(&buffers, i % 2);
	}
	net_cancel(ring, 1);
	net_buffers_free(&buffers, ring);
	net_close_pair(fds);
}

static void a_reset_ends_it(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct net_buffers buffers;
	int fds[2];

	net_tcp_pair(fds);
	net_buffers_init(&buffers, ring, GROUP, 4, 16, 4);
	net_prep_select(ring, 1, &buffers, recv_multishot, fds[0], NULL, 0, 0);
	harness_submit(ring, 1);
	net_send(fds[1], "data");
	net_expect_data(ring, &buffers, 1, "data", 0, IORING_CQE_F_MORE);
	net_reset(fds[1]);
	net_expect_flags(ring, 1, -ECONNRESET, 0);
	close(fds[0]);
	net_buffers_free(&buffers, ring);
}

static void a_full_queue_ends_it(void **state)
{
	struct io_uring_params params = {.flags = IORING_SETUP_CQSIZE, .cq_entries = 2};
	struct net_buffers buffers;
	struct io_uring ring;
	int fds[2];

	(void)state;
	harness_init_params(&ring, 1, &params);
	net_pair(SOCK_DGRAM, fds);
	net_buffers_init(&buffers, &ring, GROUP, 8, 16, 8);
	for (unsigned i = 0; i < 4; i++)
		net_send(fds[1], "data");
	net_prep_select(&ring, 1, &buffers, recv_multishot, fds[0], NULL, 0, 0);
	harness_submit(&ring, 1);
	net_expect_data(&ring, &buffers, 1, "data", 0, IORING_CQE_F_MORE);
	net_expect_data(&ring, &buffers, 1, "data", 1, IORING_CQE_F_MORE);
	net_expect_data(&ring, &buffers, 1, "data", 2, 0);
	harness_assert_empty(&ring);
	net_buffers_free(&buffers, &ring);
	net_close_pair(fds);
	io_uring_queue_exit(&ring);
}

static void what_is_there_already_does_not_wait_with_poll_first(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct net_buffers buffers;
	int fds[2];

	net_pair(SOCK_STREAM, fds);
	net_buffers_init(&buffers, ring, GROUP, 4, 16, 4);
	net_send(fds[1], "here");
	net_prep_select(ring, 1, &buffers, recv_multishot, fds[0], NULL, 0, 0)->ioprio |=
		IORING_RECVSEND_POLL_FIRST;
	harness_submit(ring, 1);
	net_expect_data(ring, &buffers, 1, "here", 0, IORING_CQE_F_MORE);
	net_send(fds[1], "there");
	net_expect_data(ring, &buffers, 1, "there", 1, IORING_CQE_F_MORE);
	net_cancel(ring, 1);
	net_buffers_free(&buffers, ring);
	net_close_pair(fds);
}

/* Completions of what was submitted before come before. */
static void earlier_requests_are_answered_first(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct net_buffers buffers;
	int fds[2];

	net_pair(SOCK_STREAM, fds);
	net_buffers_init(&buffers, ring, GROUP, 4, 16, 4);
	net_send(fds[1], "here");
	harness_nop(ring, 7);
	net_prep_select(ring, 1, &buffers, recv_multishot, fds[0], NULL, 0, 0);
	harness_nop(ring, 8);
	harness_submit(ring, 3);
	harness_assert_cqe(harness_next(ring), 7, 0);
	net_expect_data(ring, &buffers, 1, "here", 0, IORING_CQE_F_MORE);
	harness_assert_cqe(harness_next(ring), 8, 0);
	net_cancel(ring, 1);
	net_buffers_free(&buffers, ring);
	net_close_pair(fds);
}

/* ---- limits: of each receive, and of all together once they have reached it ---- */

static void a_length_limits_each_receive(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct net_buffers buffers;
	int fds[2];

	net_pair(SOCK_STREAM, fds);
	net_buffers_init(&buffers, ring, GROUP, 8, 16, 8);
	net_send(fds[1], "abcdefg");
	net_prep_select(ring, 1, &buffers, recv_multishot, fds[0], NULL, 3, 0);
	harness_submit(ring, 1);
	net_expect_data(ring, &buffers, 1, "abc", 0,
			IORING_CQE_F_MORE | IORING_CQE_F_SOCK_NONEMPTY);
	net_expect_data(ring, &buffers, 1, "def", 1,
			IORING_CQE_F_MORE | IORING_CQE_F_SOCK_NONEMPTY);
	net_expect_data(ring, &buffers, 1, "g", 2, IORING_CQE_F_MORE);
	net_cancel(ring, 1);
	net_buffers_free(&buffers, ring);
	net_close_pair(fds);
}

static void a_total_ends_it(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct net_buffers buffers;
	int fds[2];

	net_pair(SOCK_STREAM, fds);
	net_buffers_init(&buffers, ring, GROUP, 8, 4, 8);
	net_prep_select(ring, 1, &buffers, recv_multishot, fds[0], NULL, 0, 0)->file_index = 6;
	harness_submit(ring, 1);
	harness_assert_empty(ring);
	net_send(fds[1], "abcdefghij");
	net_expect_data(ring, &buffers, 1, "abcd", 0,
			IORING_CQE_F_MORE | IORING_CQE_F_SOCK_NONEMPTY);
	net_expect_data(ring, &buffers, 1, "efgh", 1, IORING_CQE_F_SOCK_NONEMPTY);
	net_expect(fds[0], "ij");
	net_buffers_free(&buffers, ring);
	net_close_pair(fds);
}

static void multishot_needs_a_group_and_takes_what_comes(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct net_buffers buffers;
	struct msghdr message = {0};
	int fds[2];

	net_pair(SOCK_STREAM, fds);
	net_buffers_init(&buffers, ring, GROUP, 4, 16, 4);
	assert_int_equal(ops_run(ring, recv_multishot, fds[0], NULL, 0, 0), -EINVAL);
	assert_int_equal(ops_run(ring, recvmsg_multishot, fds[0], &message, 0), -EINVAL);
	net_prep_select(ring, 1, &buffers, recv_multishot, fds[0], NULL, 0, MSG_WAITALL);
	assert_int_equal(harness_result(ring), -EINVAL);
	net_prep_select(ring, 1, &buffers, recvmsg_multishot, fds[0], &message, MSG_WAITALL);
	assert_int_equal(harness_result(ring), -EINVAL);
	net_assert_refused(
		ring, net_prep_select(ring, 1, &buffers, recvmsg_multishot, fds[0], &message, 0),
		file_index, 1);
	net_buffers_free(&buffers, ring);
	net_close_pair(fds);
}

/* ---- messages ---- */

static void a_message_is_laid_out_in_its_buffer(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct net_buffers buffers;
	int a = net_bound(SOCK_DGRAM), b = net_bound(SOCK_DGRAM);
	struct sockaddr_in to = net_address_of(b), own = net_address_of(a);
	/* Of this only the two lengths count, and it is the application's again. */
	struct msghdr message = {.msg_namelen = sizeof(struct sockaddr_storage),
				 .msg_controllen = 0};
	struct msghdr copy = message;

	net_buffers_init(&buffers, ring, GROUP, 4, 256, 4);
	net_prep_select(ring, 1, &buffers, recvmsg_multishot, b, &message, 0);
	harness_submit(ring, 1);
	memset(&message, 0xee, sizeof(message));
	for (unsigned i = 0; i < 3; i++) {
		struct io_uring_recvmsg_out *out;
		struct harness_cqe cqe;

		assert_int_equal(sendto(a, "payload", 7, 0, (struct sockaddr *)&to, sizeof(to)), 7);
		cqe = harness_next(ring);
		harness_assert_cqe(cqe, 1, (int)(sizeof(*out) + copy.msg_namelen + 7));
		assert_int_equal(cqe.flags, NET_BUFFER(i) | IORING_CQE_F_MORE);
		out = io_uring_recvmsg_validate(net_buffer_of(&buffers, &cqe), cqe.res, &copy);
		assert_non_null(out);
		assert_int_equal(out->namelen, sizeof(own));
		assert_int_equal(out->controllen, 0);
		assert_int_equal(out->payloadlen, 7);
		assert_int_equal(out->flags, 0);
		assert_memory_equal(io_uring_recvmsg_name(out), &own, sizeof(own.sin_port) + 2);
		assert_memory_equal(io_uring_recvmsg_payload(out, &copy), "payload", 7);
		assert_int_equal(io_uring_recvmsg_payload_length(out, cqe.res, &copy), 7);
	}
	net_cancel(ring, 1);
	net_buffers_free(&buffers, ring);
	close(a);
	close(b);
}

static void too_long_a_message_is_cut_off_and_told(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct net_buffers buffers;
	int a = net_bound(SOCK_DGRAM), b = net_bound(SOCK_DGRAM);
	struct sockaddr_in to = net_address_of(b);
	struct msghdr message = {.msg_namelen = 4};
	struct io_uring_recvmsg_out *out;
	struct harness_cqe cqe;

	net_buffers_init(&buffers, ring, GROUP, 4, sizeof(*out) + 4 + 4, 4);
	net_prep_select(ring, 1, &buffers, recvmsg_multishot, b, &message, 0);
	harness_submit(ring, 1);
	assert_int_equal(sendto(a, "payload", 7, 0, (struct sockaddr *)&to, sizeof(to)), 7);
	cqe = harness_next(ring);
	harness_assert_cqe(cqe, 1, (int)(sizeof(*out) + 4 + 4));
	out = io_uring_recvmsg_validate(net_buffer_of(&buffers, &cqe), cqe.res, &message);
	assert_non_null(out);
	assert_int_equal(out->namelen, sizeof(struct sockaddr_in));
	assert_int_equal(out->payloadlen, 4);
	assert_int_equal(out->flags, MSG_TRUNC);
	assert_memory_equal(io_uring_recvmsg_payload(out, &message), "payl", 4);
	net_cancel(ring, 1);
	/* With MSG_TRUNC the true length is told. */
	net_prep_select(ring, 2, &buffers, recvmsg_multishot, b, &message, MSG_TRUNC);
	harness_submit(ring, 1);
	assert_int_equal(sendto(a, "payload", 7, 0, (struct sockaddr *)&to, sizeof(to)), 7);
	cqe = harness_next(ring);
	harness_assert_cqe(cqe, 2, (int)(sizeof(*out) + 4 + 4));
	out = io_uring_recvmsg_validate(net_buffer_of(&buffers, &cqe), cqe.res, &message);
	assert_non_null(out);
	assert_int_equal(out->payloadlen, 7);
	net_cancel(ring, 2);
	net_buffers_free(&buffers, ring);
	close(a);
	close(b);
}

static void control_messages_are_in_the_buffer_too(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct net_buffers buffers;
	int a = net_bound(SOCK_DGRAM), b = net_bound(SOCK_DGRAM);
	struct sockaddr_in to = net_address_of(b);
	struct msghdr message = {.msg_namelen = sizeof(to), .msg_controllen = 64};
	struct io_uring_recvmsg_out *out;
	struct cmsghdr *header;
	struct harness_cqe cqe;
	int on = 1, ttl;

	assert_int_equal(setsockopt(b, IPPROTO_IP, IP_RECVTTL, &on, sizeof(on)), 0);
	net_buffers_init(&buffers, ring, GROUP, 4, 256, 4);
	net_prep_select(ring, 1, &buffers, recvmsg_multishot, b, &message, 0);
	harness_submit(ring, 1);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(sendto(a, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)), 1);
		cqe = harness_next(ring);
		harness_assert_cqe(cqe, 1, (int)(sizeof(*out) + sizeof(to) + 64 + 1));
		out = io_uring_recvmsg_validate(net_buffer_of(&buffers, &cqe), cqe.res, &message);
		assert_non_null(out);
		assert_int_equal(out->controllen, CMSG_SPACE(sizeof(int)));
		header = io_uring_recvmsg_cmsg_firsthdr(out, &message);
		assert_non_null(header);
		assert_int_equal(header->cmsg_type, IP_TTL);
		memcpy(&ttl, CMSG_DATA(header), sizeof(ttl));
		assert_in_range(ttl, 1, 255);
		assert_int_equal(*(char *)io_uring_recvmsg_payload(out, &message), 'x');
	}
	net_cancel(ring, 1);
	net_buffers_free(&buffers, ring);
	close(a);
	close(b);
}

/* No room for the head, names and control data included: the request ends. */
static void a_buffer_too_small_for_the_head_ends_it(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct net_buffers buffers;
	struct msghdr message = {.msg_namelen = 16};
	struct harness_cqe cqe;
	int fds[2];

	net_pair(SOCK_DGRAM, fds);
	net_buffers_init(&buffers, ring, GROUP, 4, sizeof(struct io_uring_recvmsg_out) + 8, 4);
	net_send(fds[1], "x");
	net_prep_select(ring, 1, &buffers, recvmsg_multishot, fds[0], &message, 0);
	harness_submit(ring, 1);
	cqe = harness_next(ring);
	harness_assert_cqe(cqe, 1, -EFAULT);
	assert_int_equal(cqe.flags, 0);
	harness_assert_empty(ring);
	net_buffers_free(&buffers, ring);
	net_close_pair(fds);
}

static void the_end_of_a_stream_ends_messages(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct net_buffers buffers;
	struct msghdr message = {0};
	struct harness_cqe cqe;
	int fds[2];

	net_pair(SOCK_STREAM, fds);
	net_buffers_init(&buffers, ring, GROUP, 4, 64, 4);
	net_prep_select(ring, 1, &buffers, recvmsg_multishot, fds[0], &message, 0);
	harness_submit(ring, 1);
	net_send(fds[1], "data");
	cqe = harness_next(ring);
	harness_assert_cqe(cqe, 1, (int)sizeof(struct io_uring_recvmsg_out) + 4);
	assert_int_equal(cqe.flags, NET_BUFFER(0) | IORING_CQE_F_MORE);
	close(fds[1]);
	cqe = harness_next(ring);
	harness_assert_cqe(cqe, 1, (int)sizeof(struct io_uring_recvmsg_out));
	assert_int_equal(cqe.flags, NET_BUFFER(1));
	close(fds[0]);
	net_buffers_free(&buffers, ring);
}

/* What is behind other work is answered after it, and goes on, whoever starts it. */
static void follow_file_work(unsigned setup_flags)
{
	enum { ROUNDS = 200 };
	int dir = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct net_buffers buffers;
	struct io_uring ring;

	assert_true(dir >= 0);
	harness_init(&ring, 8, setup_flags);
	net_buffers_init(&buffers, &ring, GROUP, 4, 4, 4);
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct harness_cqe cqe;
		unsigned id;
		int fds[2];

		net_pair(SOCK_STREAM, fds);
		if (round % 2)
			net_send(fds[1], "abc");
		ops_prep(&ring, 1, IOSQE_IO_LINK, fsync, dir, 0);
		net_prep_select(&ring, 2, &buffers, recv_multishot, fds[0], NULL, 0, 0);
		harness_submit(&ring, 2);
		if (round % 2 == 0)
			net_send(fds[1], "abc");
		cqe = harness_next(&ring);
		harness_assert_cqe(cqe, 1, 0);
		cqe = harness_next(&ring);
		harness_assert_cqe(cqe, 2, 3);
		assert_int_equal(cqe.flags & IORING_CQE_F_MORE, IORING_CQE_F_MORE);
		id = cqe.flags >> IORING_CQE_BUFFER_SHIFT;
		close(fds[1]);
		cqe = harness_next(&ring);
		harness_assert_cqe(cqe, 2, 0);
		assert_int_equal(cqe.flags & IORING_CQE_F_MORE, 0);
		net_provide(&buffers, id);
		close(fds[0]);
	}
	net_buffers_free(&buffers, &ring);
	io_uring_queue_exit(&ring);
	close(dir);
}

static void it_follows_file_work(void **state)
{
	(void)state;
	follow_file_work(0);
}

static void it_follows_file_work_where_completions_are_deferred(void **state)
{
	(void)state;
	follow_file_work(IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ops_test(a_receive_takes_a_buffer),
		cmocka_unit_test(it_follows_file_work),
		cmocka_unit_test(it_follows_file_work_where_completions_are_deferred),
		ops_test(without_a_buffer_it_is_enobufs),
		ops_test(a_failed_attempt_takes_no_buffer),
		ops_test(a_message_takes_a_buffer),
		ops_test(each_arrival_is_a_completion),
		ops_test(more_than_a_buffer_takes_several),
		cmocka_unit_test(the_end_comes_with_the_rest),
		ops_test(it_ends_when_the_buffers_do),
		ops_test(it_goes_on_with_buffers_that_come_back),
		ops_test(a_reset_ends_it),
		ops_test(a_full_queue_ends_it),
		ops_test(what_is_there_already_does_not_wait_with_poll_first),
		ops_test(earlier_requests_are_answered_first),
		ops_test(a_length_limits_each_receive),
		ops_test(a_total_ends_it),
		ops_test(multishot_needs_a_group_and_takes_what_comes),
		ops_test(a_message_is_laid_out_in_its_buffer),
		ops_test(too_long_a_message_is_cut_off_and_told),
		ops_test(control_messages_are_in_the_buffer_too),
		ops_test(a_buffer_too_small_for_the_head_ends_it),
		ops_test(the_end_of_a_stream_ends_messages),
	};

	return harness_run(tests);
}
