/* SPDX-License-Identifier: MIT */
/*
 * Description: corners of what waits for sockets, streams and futexes: POLL_FIRST with nothing to
 * wait for, DONTWAIT in a multishot request, bundles that reach the end of their group, listeners
 * that are shut down, a chain behind a futex.
 */
#include "net_buffers.h"

#include <linux/futex.h>

#ifndef FUTEX2_SIZE_U32
#define FUTEX2_SIZE_U32 0x02
#define FUTEX2_PRIVATE	128
#endif

enum { GROUP = 3, MORE = IORING_CQE_F_MORE, NONEMPTY = IORING_CQE_F_SOCK_NONEMPTY };

/* What may not wait cannot wait first; and what is no socket is refused before, but by RECV. */
static void poll_first_has_to_be_able_to_wait(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct msghdr message = {0};
	char byte = 'x';
	int fds[2], ends[2];

	net_pair(SOCK_STREAM, fds);
	harness_pipe(ends);
	for (int wait = 0; wait < 2; wait++) {
		int targets[] = {fds[0], ends[0], 10000};
		int wants[] = {-EAGAIN, -ENOTSOCK, -EBADF};

		for (int i = wait; i < 3; i++) {
			int flags = wait ? 0 : MSG_DONTWAIT;

			if (flags || i != 1) {
				ops_prep(ring, 0, 0, recv, targets[i], &byte, 1, flags)->ioprio |=
					IORING_RECVSEND_POLL_FIRST;
				assert_int_equal(harness_result(ring), i == 1 ? -EAGAIN : wants[i]);
			}
			ops_prep(ring, 0, 0, send, targets[i], &byte, 1, flags)->ioprio |=
				IORING_RECVSEND_POLL_FIRST;
			assert_int_equal(harness_result(ring), wants[i]);
			ops_prep(ring, 0, 0, recvmsg, targets[i], &message, (unsigned)flags)
				->ioprio |= IORING_RECVSEND_POLL_FIRST;
			assert_int_equal(harness_result(ring), wants[i]);
		}
	}
	net_close_pair(fds);
	harness_close_pipe(ends);
}

/* Nothing was sent or taken by those. */
static void with_dontwait_a_multishot_ends_when_nothing_is_left(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct net_buffers buffers;
	int fds[2];

	net_pair(SOCK_STREAM, fds);
	net_buffers_init(&buffers, ring, GROUP, 8, 4, 8);
	net_send(fds[1], "abcdef");
	net_prep_select(ring, 1, &buffers, recv_multishot, fds[0], NULL, 0, MSG_DONTWAIT);
	harness_submit(ring, 1);
	net_expect_data(ring, &buffers, 1, "abcd", 0, MORE | NONEMPTY);
	net_expect_data(ring, &buffers, 1, "ef", 1, MORE);
	net_expect_flags(ring, 1, -EAGAIN, 0);
	net_buffers_free(&buffers, ring);
	net_close_pair(fds);
}

/* The last buffer there was when it looked is the end, whatever has been added since. */
static void a_multishot_bundle_ends_with_its_group(void **state)
{
	for (unsigned start = 1; start <= 3; start++) {
		for (unsigned more = 0; more <= 2; more += 2) {
			struct ops *ops = *state;
			struct io_uring *ring = &ops->ring;
			unsigned shots = start == 1 ? 1 : start + more;
			struct net_buffers buffers;
			int fds[2];

			net_pair(SOCK_STREAM, fds);
			net_buffers_init(&buffers, ring, GROUP, 8, 16, start);
			net_prep_select(ring, 1, &buffers, recv_multishot, fds[0], NULL, 0, 0)
				->ioprio |= IORING_RECVSEND_BUNDLE;
			harness_submit(ring, 1);
			for (unsigned i = 0; i < more; i++)
				net_provide(&buffers, start + i);
			for (unsigned i = 0; i < shots; i++) {
				net_send(fds[1], "abc");
				net_expect_data(ring, &buffers, 1, "abc", i,
						i + 1 < shots ? MORE : 0);
			}
			harness_assert_empty(ring);
			net_buffers_free(&buffers, ring);
			net_close_pair(fds);
		}
	}
}

/* A message goes into one buffer, and what does not fit is lost. */
static void messages_do_not_fill_several(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct net_buffers buffers;
	int fds[2];

	net_pair(SOCK_SEQPACKET, fds);
	net_buffers_init(&buffers, ring, GROUP, 4, 4, 4);
	net_send(fds[1], "abcdefgh");
	net_prep_select(ring, 1, &buffers, recv, fds[0], NULL, 0, 0)->ioprio |=
		IORING_RECVSEND_BUNDLE;
	harness_submit(ring, 1);
	net_expect_data(ring, &buffers, 1, "abcd", 0, 0);
	net_buffers_free(&buffers, ring);
	net_close_pair(fds);
}

/* The vector of the first message bounds its buffer, head included. */
static void a_vector_bounds_the_first_message(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct iovec vector = {NULL, 8};
	struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
	struct net_buffers buffers;
	struct harness_cqe cqe;
	int fds[2];

	net_pair(SOCK_DGRAM, fds);
	net_buffers_init(&buffers, ring, GROUP, 4, 64, 4);
	net_prep_select(ring, 1, &buffers, recvmsg_multishot, fds[0], &message, 0);
	harness_submit(ring, 1);
	net_expect_flags(ring, 1, -EFAULT, 0);
	vector.iov_len = sizeof(struct io_uring_recvmsg_out) + 3;
	net_prep_select(ring, 1, &buffers, recvmsg_multishot, fds[0], &message, 0);
	harness_submit(ring, 1);
	for (unsigned i = 0; i < 2; i++) {
		net_send(fds[1], "abcdef");
		cqe = harness_next(ring);
		harness_assert_cqe(cqe, 1, sizeof(struct io_uring_recvmsg_out) + (i ? 6 : 3));
		assert_int_equal(cqe.flags, MORE | NET_BUFFER(i));
	}
	net_cancel(ring, 1);
	net_buffers_free(&buffers, ring);
	net_close_pair(fds);
}

static void a_unix_listener_that_is_shut_down(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct sockaddr_un address;
	socklen_t length;
	int fd = net_unix_listener(4, &address, &length);

	ops_prep(ring, 1, 0, accept, fd, NULL, NULL, 0);
	harness_submit(ring, 1);
	assert_int_equal(shutdown(fd, SHUT_RD), 0);
	ops_expect(ring, 1, -EINVAL);
	assert_int_equal(ops_run(ring, accept, fd, NULL, NULL, 0), -EINVAL);
	close(fd);
}

/* Who waits on a futex and is cancelled has not failed: what stands behind it goes on. */
static void a_chain_behind_a_cancelled_futex_goes_on(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	uint32_t word = 0;
	int results[4];

	harness_skip_unless_opcode(IORING_OP_FUTEX_WAIT);
	ops_prep(ring, 0, IOSQE_IO_LINK, futex_wait, &word, 0, FUTEX_BITSET_MATCH_ANY,
		 FUTEX2_SIZE_U32 | FUTEX2_PRIVATE, 0);
	ops_nop(ring, 1, IOSQE_IO_LINK, 0);
	ops_nop(ring, 2, 0, 0);
	harness_submit(ring, 3);
	ops_prep(ring, 3, 0, cancel64, 0, 0);
	harness_submit(ring, 1);
	ops_collect(ring, results, 4);
	ops_assert_results(results, -ECANCELED, 0, 0, 1);
	/* A wait that fails by itself has. */
	ops_prep(ring, 0, IOSQE_IO_LINK, futex_wait, &word, 1, FUTEX_BITSET_MATCH_ANY,
		 FUTEX2_SIZE_U32 | FUTEX2_PRIVATE, 0);
	ops_nop(ring, 1, 0, 0);
	harness_submit(ring, 2);
	ops_collect(ring, results, 2);
	ops_assert_results(results, -EAGAIN, -ECANCELED);
}

/* With ASYNC, too, what need not wait does not: a read of nothing gives nothing. */
static void asynchronous_reads_of_nothing(void **state)
{
	struct ops *ops = *state;
	struct iovec vector = {&vector, 0};
	int fds[2];

	net_pair(SOCK_STREAM, fds);
	assert_int_equal(ops_run_flags(&ops->ring, IOSQE_ASYNC, readv, fds[0], &vector, 1, 0), 0);
	assert_int_equal(ops_run(&ops->ring, readv, fds[0], &vector, 1, 0), 0);
	net_close_pair(fds);
}

/* A write of nothing to a socket that keeps messages apart is an empty message. */
static void writes_of_nothing_are_messages(void **state)
{
	struct ops *ops = *state;
	char byte;
	int fds[2];

	net_pair(SOCK_DGRAM, fds);
	assert_int_equal(ops_run(&ops->ring, write, fds[0], &byte, 0, 0), 0);
	assert_int_equal(ops_run(&ops->ring, write, fds[0], "x", 1, 0), 1);
	assert_int_equal(recv(fds[1], &byte, 1, MSG_DONTWAIT), 0);
	assert_int_equal(recv(fds[1], &byte, 1, MSG_DONTWAIT), 1);
	net_close_pair(fds);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ops_test(poll_first_has_to_be_able_to_wait),
		ops_test(with_dontwait_a_multishot_ends_when_nothing_is_left),
		ops_test(a_multishot_bundle_ends_with_its_group),
		ops_test(messages_do_not_fill_several),
		ops_test(a_vector_bounds_the_first_message),
		ops_test(a_unix_listener_that_is_shut_down),
		ops_test(a_chain_behind_a_cancelled_futex_goes_on),
		ops_test(asynchronous_reads_of_nothing),
		ops_test(writes_of_nothing_are_messages),
	};

	return harness_run(tests);
}
