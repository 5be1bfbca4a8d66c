/* SPDX-License-Identifier: MIT */
/*
 * Description: SEND and RECV: at once, after waiting, all or nothing (MSG_WAITALL), without
 * waiting (MSG_DONTWAIT), to an address, and their flags.
 */
#include "net_helpers.h"

/* Small buffers, so that a send soon has to wait. */
static void small_pair(int fds[2])
{
	int size = 4096;

	net_pair(SOCK_STREAM, fds);
	assert_int_equal(setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
}

static void data_goes_through_at_once(void **state)
{
	struct ops *ops = *state;
	struct harness_cqe cqe;
	char buffer[16] = "";
	int fds[2];

	net_pair(SOCK_STREAM, fds);
	ops_prep(&ops->ring, 1, 0, send, fds[0], "hello", 5, 0);
	ops_prep(&ops->ring, 2, 0, recv, fds[1], buffer, 16, 0);
	harness_submit(&ops->ring, 2);
	for (uint64_t i = 1; i <= 2; i++) {
		assert_true(harness_peek(&ops->ring, &cqe));
		harness_assert_cqe(cqe, i, 5);
		assert_int_equal(cqe.flags, 0);
	}
	assert_string_equal(buffer, "hello");
	net_close_pair(fds);
}

static void check_waiting_recv(struct io_uring *ring, int type_flags, unsigned sqe_flags)
{
	char buffer[16] = "";
	int fds[2];

	net_pair(SOCK_STREAM | type_flags, fds);
	ops_prep(ring, 1, sqe_flags, recv, fds[0], buffer, 16, 0);
	harness_submit(ring, 1);
	harness_assert_empty(ring);
	net_send(fds[1], "late");
	ops_expect(ring, 1, 4);
	assert_string_equal(buffer, "late");
	net_close_pair(fds);
}

static void a_receive_waits(void **state)
{
	struct ops *ops = *state;

	check_waiting_recv(&ops->ring, 0, 0);
	check_waiting_recv(&ops->ring, SOCK_NONBLOCK, 0);
	check_waiting_recv(&ops->ring, 0, IOSQE_ASYNC);
	check_waiting_recv(&ops->ring, SOCK_NONBLOCK, IOSQE_ASYNC);
}

static void check_waiting_send(struct io_uring *ring, unsigned sqe_flags)
{
	size_t filled;
	int fds[2];

	small_pair(fds);
	filled = net_fill(fds[0]);
	ops_prep(ring, 1, sqe_flags, send, fds[0], "end", 3, 0);
	harness_submit(ring, 1);
	harness_assert_empty(ring);
	net_drain(fds[1], filled);
	ops_expect(ring, 1, 3);
	net_expect(fds[1], "end");
	net_close_pair(fds);
}

static void a_send_waits_for_room(void **state)
{
	struct ops *ops = *state;

	check_waiting_send(&ops->ring, 0);
	check_waiting_send(&ops->ring, IOSQE_ASYNC);
}

static void a_receive_and_a_send_wait_on_one_socket(void **state)
{
	struct ops *ops = *state;
	char byte = 0;
	size_t filled;
	int fds[2];

	small_pair(fds);
	filled = net_fill(fds[0]);
	ops_prep(&ops->ring, 1, 0, recv, fds[0], &byte, 1, 0);
	ops_prep(&ops->ring, 2, 0, send, fds[0], "end", 3, 0);
	harness_submit(&ops->ring, 2);
	harness_assert_empty(&ops->ring);
	net_drain(fds[1], filled);
	ops_expect(&ops->ring, 2, 3);
	net_send(fds[1], "r");
	ops_expect(&ops->ring, 1, 1);
	assert_int_equal(byte, 'r');
	net_close_pair(fds);
}

static void two_receives_share_what_comes(void **state)
{
	struct ops *ops = *state;
	struct harness_cqe cqes[2];
	char bytes[2] = "";
	int fds[2];

	net_pair(SOCK_STREAM, fds);
	ops_prep(&ops->ring, 0, 0, recv, fds[0], &bytes[0], 1, 0);
	ops_prep(&ops->ring, 1, 0, recv, fds[0], &bytes[1], 1, 0);
	harness_submit(&ops->ring, 2);
	net_send(fds[1], "ab");
	harness_reap(&ops->ring, cqes, 2);
	assert_int_equal(cqes[0].res, 1);
	assert_int_equal(cqes[1].res, 1);
	assert_int_equal(bytes[0] + bytes[1], 'a' + 'b');
	net_close_pair(fds);
}

static void with_dontwait_nothing_is_eagain(void **state)
{
	struct ops *ops = *state;
	struct harness_cqe cqe;
	char byte;
	int fds[2];

	small_pair(fds);
	net_fill(fds[0]);
	ops_prep(&ops->ring, 1, 0, recv, fds[0], &byte, 1, MSG_DONTWAIT);
	ops_prep(&ops->ring, 2, 0, send, fds[0], "x", 1, MSG_DONTWAIT);
	harness_submit(&ops->ring, 2);
	for (uint64_t i = 1; i <= 2; i++) {
		assert_true(harness_peek(&ops->ring, &cqe));
		harness_assert_cqe(cqe, i, -EAGAIN);
	}
	assert_int_equal(
		ops_run_flags(&ops->ring, IOSQE_ASYNC, recv, fds[0], &byte, 1, MSG_DONTWAIT),
		-EAGAIN);
	net_close_pair(fds);
}

static void poll_first_waits_before_it_tries(void **state)
{
	struct ops *ops = *state;
	char byte = 0;
	int fds[2];

	net_pair(SOCK_STREAM, fds);
	net_send(fds[1], "a");
	ops_prep(&ops->ring, 1, 0, recv, fds[0], &byte, 1, 0)->ioprio = IORING_RECVSEND_POLL_FIRST;
	harness_submit(&ops->ring, 1);
	ops_expect(&ops->ring, 1, 1);
	ops_prep(&ops->ring, 2, 0, recv, fds[0], &byte, 1, 0)->ioprio = IORING_RECVSEND_POLL_FIRST;
	ops_prep(&ops->ring, 3, 0, send, fds[0], "x", 1, 0)->ioprio = IORING_RECVSEND_POLL_FIRST;
	harness_submit(&ops->ring, 2);
	ops_expect(&ops->ring, 3, 1);
	net_send(fds[1], "b");
	ops_expect(&ops->ring, 2, 1);
	assert_int_equal(byte, 'b');
	net_close_pair(fds);
}

/* ---- MSG_WAITALL ---- */

static void waitall_receives_in_parts(void **state)
{
	struct ops *ops = *state;
	char buffer[16] = "";
	int fds[2];

	net_tcp_pair(fds);
	for (unsigned flags = 0; flags <= IOSQE_ASYNC; flags += IOSQE_ASYNC) {
		memset(buffer, 0, sizeof(buffer));
		ops_prep(&ops->ring, 1, flags, recv, fds[0], buffer, 10, MSG_WAITALL);
		harness_submit(&ops->ring, 1);
		net_send(fds[1], "abc");
		harness_assert_empty(&ops->ring);
		net_send(fds[1], "defg");
		harness_assert_empty(&ops->ring);
		net_send(fds[1], "hij");
		ops_expect(&ops->ring, 1, 10);
		assert_string_equal(buffer, "abcdefghij");
	}
	net_close_pair(fds);
}

static void waitall_gives_up_at_the_end(void **state)
{
	struct ops *ops = *state;
	char buffer[16] = "";
	int fds[2];
	int results[2];

	net_pair(SOCK_STREAM, fds);
	ops_prep(&ops->ring, 0, IOSQE_IO_LINK, recv, fds[0], buffer, 10, MSG_WAITALL);
	harness_nop(&ops->ring, 1);
	harness_submit(&ops->ring, 2);
	net_send(fds[1], "abc");
	harness_assert_empty(&ops->ring);
	close(fds[1]);
	ops_collect(&ops->ring, results, 2);
	ops_assert_results(results, 3, -ECANCELED);
	assert_memory_equal(buffer, "abc", 3);
	close(fds[0]);
}

static void waitall_after_a_reset_gives_what_there_was(void **state)
{
	struct ops *ops = *state;
	char buffer[16] = "";
	int fds[2];

	net_tcp_pair(fds);
	net_send(fds[1], "abc");
	ops_prep(&ops->ring, 0, 0, recv, fds[0], buffer, 10, MSG_WAITALL);
	harness_submit(&ops->ring, 1);
	harness_assert_empty(&ops->ring);
	net_reset(fds[1]);
	ops_expect(&ops->ring, 0, 3);
	close(fds[0]);
}

static void waitall_sends_all(void **state)
{
	struct ops *ops = *state;
	size_t size = 1 << 20;
	char *data = malloc(size), *back = malloc(size);
	int fds[2];

	assert_non_null(data);
	assert_non_null(back);
	for (size_t i = 0; i < size; i++)
		data[i] = (char)harness_byte(i);
	small_pair(fds);
	for (unsigned flags = 0; flags <= IOSQE_ASYNC; flags += IOSQE_ASYNC) {
		ops_prep(&ops->ring, 1, flags, send, fds[0], data, size, MSG_WAITALL);
		harness_submit(&ops->ring, 1);
		harness_assert_empty(&ops->ring);
		net_receive(fds[1], back, size);
		ops_expect(&ops->ring, 1, (int)size);
		ops_assert_pattern(back, size, 0);
	}
	net_close_pair(fds);
	free(data);
	free(back);
}

static void waitall_sends_what_it_can_before_the_peer_goes(void **state)
{
	struct ops *ops = *state;
	size_t size = 1 << 20;
	char *data = calloc(1, size);
	struct harness_cqe cqes[2];
	int fds[2];

	assert_non_null(data);
	small_pair(fds);
	ops_prep(&ops->ring, 1, IOSQE_IO_LINK, send, fds[0], data, size, MSG_WAITALL);
	harness_nop(&ops->ring, 2);
	harness_submit(&ops->ring, 2);
	harness_assert_empty(&ops->ring);
	close(fds[1]);
	harness_reap(&ops->ring, cqes, 2);
	assert_int_equal(cqes[0].user_data, 1);
	assert_in_range(cqes[0].res, 1, size - 1);
	harness_assert_cqe(cqes[1], 2, -ECANCELED);
	close(fds[0]);
	free(data);
}

/* Without MSG_WAITALL what fits is sent and that is the result; the chain goes on. */
static void a_short_send_is_a_success(void **state)
{
	struct ops *ops = *state;
	size_t size = 1 << 20;
	char *data = calloc(1, size);
	struct harness_cqe cqes[2];
	int fds[2];

	assert_non_null(data);
	small_pair(fds);
	ops_prep(&ops->ring, 1, IOSQE_IO_LINK, send, fds[0], data, size, 0);
	harness_nop(&ops->ring, 2);
	harness_submit(&ops->ring, 2);
	harness_reap(&ops->ring, cqes, 2);
	assert_int_equal(cqes[0].user_data, 1);
	assert_in_range(cqes[0].res, 1, size - 1);
	harness_assert_cqe(cqes[1], 2, 0);
	net_close_pair(fds);
	free(data);
}

static void a_short_receive_is_a_success(void **state)
{
	struct ops *ops = *state;
	char buffer[16];
	int fds[2];
	int results[2];

	net_pair(SOCK_STREAM, fds);
	net_send(fds[1], "abc");
	ops_prep(&ops->ring, 0, IOSQE_IO_LINK, recv, fds[0], buffer, 16, 0);
	harness_nop(&ops->ring, 1);
	harness_submit(&ops->ring, 2);
	ops_collect(&ops->ring, results, 2);
	ops_assert_results(results, 3, 0);
	/* And so is the end. */
	close(fds[1]);
	ops_prep(&ops->ring, 0, IOSQE_IO_LINK, recv, fds[0], buffer, 16, 0);
	harness_nop(&ops->ring, 1);
	harness_submit(&ops->ring, 2);
	ops_collect(&ops->ring, results, 2);
	ops_assert_results(results, 0, 0);
	close(fds[0]);
}

/* A datagram is whole however short it is: MSG_WAITALL does not wait for another. */
static void waitall_on_datagrams_is_one_datagram(void **state)
{
	struct ops *ops = *state;
	char buffer[16];
	int fds[2];
	int results[2];

	net_pair(SOCK_DGRAM, fds);
	ops_prep(&ops->ring, 0, IOSQE_IO_LINK, recv, fds[0], buffer, 16, MSG_WAITALL);
	harness_nop(&ops->ring, 1);
	harness_submit(&ops->ring, 2);
	net_send(fds[1], "abc");
	ops_collect(&ops->ring, results, 2);
	ops_assert_results(results, 3, -ECANCELED);
	net_close_pair(fds);
}

static void a_cut_off_datagram_fails_only_with_waitall(void **state)
{
	struct ops *ops = *state;
	char buffer[2];
	int fds[2];
	int results[4];

	net_pair(SOCK_DGRAM, fds);
	net_send(fds[1], "abc");
	net_send(fds[1], "def");
	ops_prep(&ops->ring, 0, IOSQE_IO_LINK, recv, fds[0], buffer, 2, 0);
	harness_nop(&ops->ring, 1);
	ops_prep(&ops->ring, 2, IOSQE_IO_LINK, recv, fds[0], buffer, 2, MSG_WAITALL);
	harness_nop(&ops->ring, 3);
	harness_submit(&ops->ring, 4);
	ops_collect(&ops->ring, results, 4);
	ops_assert_results(results, 2, 0, 2, -ECANCELED);
	net_close_pair(fds);
}

/* ---- flags of recv(2) and send(2) ---- */

static void peek_leaves_the_data(void **state)
{
	struct ops *ops = *state;
	char buffer[4];
	int fds[2];

	net_pair(SOCK_STREAM, fds);
	net_send(fds[1], "abc");
	assert_int_equal(ops_run(&ops->ring, recv, fds[0], buffer, 4, MSG_PEEK), 3);
	assert_int_equal(ops_run(&ops->ring, recv, fds[0], buffer, 4, 0), 3);
	net_close_pair(fds);
}

static void trunc_gives_the_true_length(void **state)
{
	struct ops *ops = *state;
	char buffer[2];
	int fds[2];

	net_pair(SOCK_DGRAM, fds);
	net_send(fds[1], "abcde");
	assert_int_equal(ops_run(&ops->ring, recv, fds[0], buffer, 2, MSG_TRUNC), 5);
	net_close_pair(fds);
}

static void out_of_band_data_is_received(void **state)
{
	struct ops *ops = *state;
	char byte = 0;
	int fds[2];

	net_tcp_pair(fds);
	assert_int_equal(ops_run(&ops->ring, recv, fds[0], &byte, 1, MSG_OOB), -EINVAL);
	assert_int_equal(ops_run(&ops->ring, send, fds[1], "!", 1, MSG_OOB), 1);
	assert_int_equal(ops_run(&ops->ring, recv, fds[0], &byte, 1, MSG_OOB), 1);
	assert_int_equal(byte, '!');
	net_close_pair(fds);
}

static void zerolength_transfers(void **state)
{
	struct ops *ops = *state;
	char buffer[4];
	int fds[2], datagrams[2];

	net_pair(SOCK_STREAM, fds);
	net_pair(SOCK_DGRAM, datagrams);
	assert_int_equal(ops_run(&ops->ring, send, fds[0], NULL, 0, 0), 0);
	assert_int_equal(ops_run(&ops->ring, send, datagrams[0], NULL, 0, 0), 0);
	assert_int_equal(ops_run(&ops->ring, recv, datagrams[1], buffer, 4, 0), 0);
	net_send(fds[1], "a");
	assert_int_equal(ops_run(&ops->ring, recv, fds[0], buffer, 0, 0), 0);
	net_close_pair(fds);
	net_close_pair(datagrams);
}

/* ---- SOCK_NONEMPTY ---- */

static void check_nonempty(struct io_uring *ring, int fds[2], unsigned expected)
{
	char buffer[8];

	net_send(fds[1], "abcdef");
	assert_true(harness_wait_readable(fds[0]));
	ops_prep(ring, 1, 0, recv, fds[0], buffer, 4, 0);
	harness_submit(ring, 1);
	net_expect_flags(ring, 1, 4, expected);
	ops_prep(ring, 1, 0, recv, fds[0], buffer, 2, 0);
	harness_submit(ring, 1);
	net_expect_flags(ring, 1, 2, 0);
	net_close_pair(fds);
}

static void the_flag_says_if_there_is_more(void **state)
{
	struct ops *ops = *state;
	int fds[2];

	net_tcp_pair(fds);
	check_nonempty(&ops->ring, fds, IORING_CQE_F_SOCK_NONEMPTY);
	net_pair(SOCK_STREAM, fds);
	check_nonempty(&ops->ring, fds, IORING_CQE_F_SOCK_NONEMPTY);
}

static void on_datagrams_the_flag_is_not_known(void **state)
{
	struct ops *ops = *state;
	char buffer[4];
	int fds[2];

	net_pair(SOCK_DGRAM, fds);
	for (unsigned i = 0; i < 3; i++)
		net_send(fds[1], "abcd");
	for (unsigned i = 0; i < 3; i++) {
		ops_prep(&ops->ring, 1, 0, recv, fds[0], buffer, 4, 0);
		harness_submit(&ops->ring, 1);
		net_expect_flags(&ops->ring, 1, 4, 0);
	}
	net_close_pair(fds);
}

/* ---- addresses ---- */

static void a_send_takes_an_address(void **state)
{
	struct ops *ops = *state;
	int a = net_bound(SOCK_DGRAM), b = net_bound(SOCK_DGRAM);
	struct sockaddr_in address = net_address_of(b);
	struct io_uring_sqe *sqe;

	for (unsigned flags = 0; flags <= IOSQE_ASYNC; flags += IOSQE_ASYNC) {
		address = net_address_of(b);
		sqe = ops_prep(&ops->ring, 1, flags, send, a, "to you", 6, 0);
		io_uring_prep_send_set_addr(sqe, (struct sockaddr *)&address, sizeof(address));
		harness_submit(&ops->ring, 1);
		memset(&address, 0xee, sizeof(address));
		ops_expect(&ops->ring, 1, 6);
		net_expect(b, "to you");
	}
	assert_int_equal(ops_run(&ops->ring, send, a, "x", 1, 0), -EDESTADDRREQ);
	close(a);
	close(b);
}

/* As when it is linked behind another: the address is the application's again after submit. */
static void a_linked_send_keeps_its_address(void **state)
{
	struct ops *ops = *state;
	int a = net_bound(SOCK_DGRAM), b = net_bound(SOCK_DGRAM);
	struct sockaddr_in address = net_address_of(b);
	struct io_uring_sqe *sqe;
	char byte;
	int fds[2];
	int results[2];

	net_pair(SOCK_STREAM, fds);
	ops_prep(&ops->ring, 0, IOSQE_IO_LINK, recv, fds[0], &byte, 1, 0);
	sqe = ops_prep(&ops->ring, 1, 0, send, a, "to you", 6, 0);
	io_uring_prep_send_set_addr(sqe, (struct sockaddr *)&address, sizeof(address));
	harness_submit(&ops->ring, 2);
	memset(&address, 0xee, sizeof(address));
	net_send(fds[1], "x");
	ops_collect(&ops->ring, results, 2);
	ops_assert_results(results, 1, 6);
	net_expect(b, "to you");
	net_close_pair(fds);
	close(a);
	close(b);
}

static void bad_addresses_are_refused(void **state)
{
	struct ops *ops = *state;
	int fd = net_bound(SOCK_DGRAM);
	struct sockaddr_storage address = {.ss_family = AF_INET};
	struct io_uring_sqe *sqe;

	sqe = ops_prep(&ops->ring, 1, 0, send, fd, "x", 1, 0);
	io_uring_prep_send_set_addr(sqe, ops_bad_address(), sizeof(struct sockaddr_in));
	assert_int_equal(harness_result(&ops->ring), -EFAULT);
	sqe = ops_prep(&ops->ring, 1, 0, send, fd, "x", 1, 0);
	io_uring_prep_send_set_addr(sqe, (struct sockaddr *)&address, sizeof(address) + 1);
	assert_int_equal(harness_result(&ops->ring), -EINVAL);
	sqe = ops_prep(&ops->ring, 1, 0, send, fd, "x", 1, 0);
	io_uring_prep_send_set_addr(sqe, (struct sockaddr *)&address, 3);
	assert_int_equal(harness_result(&ops->ring), -EINVAL);
	/* It is looked at before the socket. */
	sqe = ops_prep(&ops->ring, 1, 0, send, -1, "x", 1, 0);
	io_uring_prep_send_set_addr(sqe, ops_bad_address(), sizeof(struct sockaddr_in));
	assert_int_equal(harness_result(&ops->ring), -EFAULT);
	close(fd);
}

/* ---- a vector in SEND ---- */

static void a_send_may_be_vectorized(void **state)
{
	struct ops *ops = *state;
	struct iovec vector[] = {{"abc", 3}, {"", 0}, {"defg", 4}};
	struct io_uring_sqe *sqe;
	int fds[2];

	net_pair(SOCK_STREAM, fds);
	for (unsigned flags = 0; flags <= IOSQE_ASYNC; flags += IOSQE_ASYNC) {
		sqe = ops_prep(&ops->ring, 1, flags, send, fds[0], vector, 3, 0);
		sqe->ioprio = IORING_SEND_VECTORIZED;
		harness_submit(&ops->ring, 1);
		ops_expect(&ops->ring, 1, 7);
		net_expect(fds[1], "abcdefg");
	}
	sqe = ops_prep(&ops->ring, 1, 0, send, fds[0], ops_bad_address(), 3, 0);
	sqe->ioprio = IORING_SEND_VECTORIZED;
	assert_int_equal(harness_result(&ops->ring), -EFAULT);
	net_close_pair(fds);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ops_test(data_goes_through_at_once),
		ops_test(a_receive_waits),
		ops_test(a_send_waits_for_room),
		ops_test(a_receive_and_a_send_wait_on_one_socket),
		ops_test(two_receives_share_what_comes),
		ops_test(with_dontwait_nothing_is_eagain),
		ops_test(poll_first_waits_before_it_tries),
		ops_test(waitall_receives_in_parts),
		ops_test(waitall_gives_up_at_the_end),
		ops_test(waitall_after_a_reset_gives_what_there_was),
		ops_test(waitall_sends_all),
		ops_test(waitall_sends_what_it_can_before_the_peer_goes),
		ops_test(a_short_send_is_a_success),
		ops_test(a_short_receive_is_a_success),
		ops_test(waitall_on_datagrams_is_one_datagram),
		ops_test(a_cut_off_datagram_fails_only_with_waitall),
		ops_test(peek_leaves_the_data),
		ops_test(trunc_gives_the_true_length),
		ops_test(out_of_band_data_is_received),
		ops_test(zerolength_transfers),
		ops_test(the_flag_says_if_there_is_more),
		ops_test(on_datagrams_the_flag_is_not_known),
		ops_test(a_send_takes_an_address),
		ops_test(a_linked_send_keeps_its_address),
		ops_test(bad_addresses_are_refused),
		ops_test(a_send_may_be_vectorized),
	};

	return harness_run(tests);
}
