/* SPDX-License-Identifier: MIT */
/*
 * Description: SENDMSG and RECVMSG: vectors, addresses, control messages, what comes back in the
 * msghdr, MSG_WAITALL across vectors, and the error queue.
 */
#include "net_helpers.h"

#include <linux/errqueue.h>

/* A message of two parts. */
struct parts {
	char a[3], b[8];
	struct iovec vector[2];
	struct msghdr message;
};

static void parts_init(struct parts *parts, size_t second)
{
	memset(parts, 0, sizeof(*parts));
	parts->vector[0] = (struct iovec){parts->a, sizeof(parts->a)};
	parts->vector[1] = (struct iovec){parts->b, second};
	parts->message.msg_iov = parts->vector;
	parts->message.msg_iovlen = 2;
}

static void the_parts_are_gathered_and_scattered(void **state)
{
	struct ops *ops = *state;
	struct parts out, in;
	int fds[2];

	net_pair(SOCK_STREAM, fds);
	parts_init(&out, 4);
	parts_init(&in, 8);
	memcpy(out.a, "abc", 3);
	memcpy(out.b, "defg", 4);
	assert_int_equal(ops_run(&ops->ring, sendmsg, fds[0], &out.message, 0), 7);
	assert_int_equal(ops_run(&ops->ring, recvmsg, fds[1], &in.message, 0), 7);
	assert_memory_equal(in.a, "abc", 3);
	assert_memory_equal(in.b, "defg", 4);
	assert_int_equal(in.message.msg_flags, 0);
	net_close_pair(fds);
}

/* Everything but the data is copied by the time submit returns; what comes back is not. */
static void a_waiting_receive_keeps_its_vector(void **state)
{
	struct ops *ops = *state;
	int a = net_bound(SOCK_DGRAM), b = net_bound(SOCK_DGRAM);
	struct sockaddr_in to = net_address_of(b), from;
	struct parts in;

	for (unsigned flags = 0; flags <= IOSQE_ASYNC; flags += IOSQE_ASYNC) {
		parts_init(&in, 8);
		memset(&from, 0, sizeof(from));
		in.message.msg_name = &from;
		in.message.msg_namelen = sizeof(from);
		in.message.msg_flags = 0x1234;
		ops_prep(&ops->ring, 1, flags, recvmsg, b, &in.message, 0);
		harness_submit(&ops->ring, 1);
		harness_assert_empty(&ops->ring);
		memset(in.vector, 0xee, sizeof(in.vector));
		assert_int_equal(sendto(a, "datagram", 8, 0, (struct sockaddr *)&to, sizeof(to)),
				 8);
		ops_expect(&ops->ring, 1, 8);
		assert_memory_equal(in.a, "dat", 3);
		assert_memory_equal(in.b, "agram", 5);
		assert_int_equal(in.message.msg_namelen, sizeof(from));
		assert_int_equal(from.sin_port, net_address_of(a).sin_port);
		assert_int_equal(in.message.msg_flags, 0);
	}
	close(a);
	close(b);
}

static void a_waiting_send_keeps_its_message(void **state)
{
	struct ops *ops = *state;
	int a = net_bound(SOCK_DGRAM), b = net_bound(SOCK_DGRAM);
	struct sockaddr_in to = net_address_of(b);
	struct parts out;
	int results[2];
	char byte;
	int fds[2];

	net_pair(SOCK_STREAM, fds);
	parts_init(&out, 4);
	memcpy(out.a, "abc", 3);
	memcpy(out.b, "defg", 4);
	out.message.msg_name = &to;
	out.message.msg_namelen = sizeof(to);
	ops_prep(&ops->ring, 0, IOSQE_IO_LINK, recv, fds[0], &byte, 1, 0);
	ops_prep(&ops->ring, 1, 0, sendmsg, a, &out.message, 0);
	harness_submit(&ops->ring, 2);
	memset(out.vector, 0xee, sizeof(out.vector));
	memset(&out.message, 0xee, sizeof(out.message));
	memset(&to, 0xee, sizeof(to));
	net_send(fds[1], "x");
	ops_collect(&ops->ring, results, 2);
	ops_assert_results(results, 1, 7);
	net_expect(b, "abcdefg");
	net_close_pair(fds);
	close(a);
	close(b);
}

static void truncation_is_told(void **state)
{
	struct ops *ops = *state;
	struct parts in;
	int fds[2];

	net_pair(SOCK_DGRAM, fds);
	net_send(fds[1], "abcdefghij");
	parts_init(&in, 2);
	assert_int_equal(ops_run(&ops->ring, recvmsg, fds[0], &in.message, 0), 5);
	assert_int_equal(in.message.msg_flags & MSG_TRUNC, MSG_TRUNC);
	net_send(fds[1], "abcdefghij");
	parts_init(&in, 2);
	assert_int_equal(ops_run(&ops->ring, recvmsg, fds[0], &in.message, MSG_TRUNC), 10);
	net_close_pair(fds);
}

/* Room for a name that is too small: the true length comes back. */
static void a_short_name_is_cut_off(void **state)
{
	struct ops *ops = *state;
	int a = net_bound(SOCK_DGRAM), b = net_bound(SOCK_DGRAM);
	struct sockaddr_in to = net_address_of(b);
	unsigned char name[4] = {9, 9, 9, 9};
	struct parts in;

	for (unsigned waiting = 0; waiting < 2; waiting++) {
		memset(name, 9, sizeof(name));
		parts_init(&in, 8);
		in.message.msg_name = name;
		in.message.msg_namelen = 2;
		ops_prep(&ops->ring, 1, 0, recvmsg, b, &in.message, 0);
		if (waiting)
			harness_submit(&ops->ring, 1);
		assert_int_equal(sendto(a, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)), 1);
		if (!waiting)
			harness_submit(&ops->ring, 1);
		ops_expect(&ops->ring, 1, 1);
		assert_int_equal(in.message.msg_namelen, sizeof(to));
		assert_int_equal(name[2], 9);
	}
	close(a);
	close(b);
}

/* ---- control messages ---- */

union descriptor_control {
	struct cmsghdr header;
	char room[CMSG_SPACE(sizeof(int))];
};

static void put_descriptor(struct msghdr *message, union descriptor_control *control, int fd)
{
	memset(control, 0, sizeof(*control));
	message->msg_control = control;
	message->msg_controllen = sizeof(*control);
	control->header.cmsg_len = CMSG_LEN(sizeof(int));
	control->header.cmsg_level = SOL_SOCKET;
	control->header.cmsg_type = SCM_RIGHTS;
	memcpy(CMSG_DATA(&control->header), &fd, sizeof(fd));
}

static void check_descriptor_passing(struct io_uring *ring, bool waiting)
{
	union descriptor_control out_control, in_control;
	struct parts out, in;
	char byte;
	int fds[2], ends[2];
	int received;

	net_pair(SOCK_STREAM, fds);
	harness_pipe(ends);
	parts_init(&out, 1);
	parts_init(&in, 1);
	put_descriptor(&out.message, &out_control, ends[1]);
	in.message.msg_control = &in_control;
	in.message.msg_controllen = sizeof(in_control);

	if (waiting) {
		ops_prep(ring, 2, 0, recvmsg, fds[1], &in.message, MSG_CMSG_CLOEXEC);
		harness_submit(ring, 1);
	}
	ops_prep(ring, 1, 0, sendmsg, fds[0], &out.message, 0);
	harness_submit(ring, 1);
	ops_expect(ring, 1, 4);
	if (!waiting) {
		ops_prep(ring, 2, 0, recvmsg, fds[1], &in.message, MSG_CMSG_CLOEXEC);
		harness_submit(ring, 1);
	}
	ops_expect(ring, 2, 4);

	assert_int_equal(in.message.msg_controllen, CMSG_SPACE(sizeof(int)));
	assert_int_equal(in.message.msg_flags & ~MSG_CMSG_CLOEXEC, 0);
	assert_int_equal(in_control.header.cmsg_type, SCM_RIGHTS);
	memcpy(&received, CMSG_DATA(&in_control.header), sizeof(received));
	assert_int_equal(fcntl(received, F_GETFD), FD_CLOEXEC);
	assert_int_equal(write(received, "p", 1), 1);
	assert_int_equal(read(ends[0], &byte, 1), 1);
	close(received);
	harness_close_pipe(ends);
	net_close_pair(fds);
}

static void descriptors_are_passed(void **state)
{
	struct ops *ops = *state;

	check_descriptor_passing(&ops->ring, false);
	check_descriptor_passing(&ops->ring, true);
}

static void control_data_without_room_is_told(void **state)
{
	struct ops *ops = *state;
	union descriptor_control control;
	struct parts out, in;
	int fds[2];

	net_pair(SOCK_STREAM, fds);
	for (unsigned waiting = 0; waiting < 2; waiting++) {
		parts_init(&out, 1);
		parts_init(&in, 1);
		put_descriptor(&out.message, &control, fds[0]);
		ops_prep(&ops->ring, 1, 0, recvmsg, fds[1], &in.message, 0);
		if (waiting)
			harness_submit(&ops->ring, 1);
		assert_int_equal(sendmsg(fds[0], &out.message, 0), 4);
		if (!waiting)
			harness_submit(&ops->ring, 1);
		ops_expect(&ops->ring, 1, 4);
		assert_int_equal(in.message.msg_flags & MSG_CTRUNC, MSG_CTRUNC);
		assert_int_equal(in.message.msg_controllen, 0);
	}
	net_close_pair(fds);
}

static void bad_control_data_is_refused(void **state)
{
	struct ops *ops = *state;
	union descriptor_control control;
	struct parts out;
	int fds[2];

	net_pair(SOCK_STREAM, fds);
	parts_init(&out, 1);
	put_descriptor(&out.message, &control, -1);
	assert_int_equal(ops_run(&ops->ring, sendmsg, fds[0], &out.message, 0), -EBADF);
	put_descriptor(&out.message, &control, fds[0]);
	control.header.cmsg_len = 1;
	assert_int_equal(ops_run(&ops->ring, sendmsg, fds[0], &out.message, 0), -EINVAL);
	net_close_pair(fds);
}

/* ---- MSG_WAITALL ---- */

static void waitall_fills_the_vector_in_parts(void **state)
{
	struct ops *ops = *state;
	struct parts in;
	int fds[2];

	net_pair(SOCK_STREAM, fds);
	for (unsigned flags = 0; flags <= IOSQE_ASYNC; flags += IOSQE_ASYNC) {
		parts_init(&in, 5);
		ops_prep(&ops->ring, 1, flags, recvmsg, fds[0], &in.message, MSG_WAITALL);
		harness_submit(&ops->ring, 1);
		net_send(fds[1], "a");
		harness_assert_empty(&ops->ring);
		net_send(fds[1], "bcde");
		harness_assert_empty(&ops->ring);
		net_send(fds[1], "fgh");
		ops_expect(&ops->ring, 1, 8);
		assert_memory_equal(in.a, "abc", 3);
		assert_memory_equal(in.b, "defgh", 5);
	}
	net_close_pair(fds);
}

static void waitall_sends_the_vector_in_parts(void **state)
{
	struct ops *ops = *state;
	size_t size = 256 << 10;
	char *data = malloc(2 * size), *back = malloc(2 * size);
	struct iovec vector[] = {{data, size}, {data + size, size}};
	struct msghdr message = {.msg_iov = vector, .msg_iovlen = 2};
	int room = 4096;
	int fds[2];

	assert_non_null(data);
	assert_non_null(back);
	for (size_t i = 0; i < 2 * size; i++)
		data[i] = (char)harness_byte(i);
	net_pair(SOCK_STREAM, fds);
	setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	ops_prep(&ops->ring, 1, 0, sendmsg, fds[0], &message, MSG_WAITALL);
	harness_submit(&ops->ring, 1);
	harness_assert_empty(&ops->ring);
	memset(vector, 0xee, sizeof(vector));
	net_receive(fds[1], back, 2 * size);
	ops_expect(&ops->ring, 1, (int)(2 * size));
	ops_assert_pattern(back, 2 * size, 0);
	net_close_pair(fds);
	free(data);
	free(back);
}

static void waitall_with_a_cut_off_message_fails(void **state)
{
	struct ops *ops = *state;
	struct parts in;
	int results[4];
	int fds[2];

	net_pair(SOCK_DGRAM, fds);
	for (unsigned i = 0; i < 2; i++) {
		net_send(fds[1], "abcdefgh");
		parts_init(&in, 1);
		ops_prep(&ops->ring, 2 * i, IOSQE_IO_LINK, recvmsg, fds[0], &in.message,
			 i ? MSG_WAITALL : 0);
		harness_nop(&ops->ring, 2 * i + 1);
	}
	harness_submit(&ops->ring, 4);
	ops_collect(&ops->ring, results, 4);
	ops_assert_results(results, 4, 0, 4, -ECANCELED);
	net_close_pair(fds);
}

/* ---- the rest ---- */

static void with_dontwait_nothing_is_eagain(void **state)
{
	struct ops *ops = *state;
	struct harness_cqe cqe;
	struct parts in;
	int fds[2];

	net_pair(SOCK_STREAM, fds);
	parts_init(&in, 1);
	ops_prep(&ops->ring, 1, 0, recvmsg, fds[0], &in.message, MSG_DONTWAIT);
	harness_submit(&ops->ring, 1);
	assert_true(harness_peek(&ops->ring, &cqe));
	harness_assert_cqe(cqe, 1, -EAGAIN);
	net_close_pair(fds);
}

static void poll_first_waits_before_it_tries(void **state)
{
	struct ops *ops = *state;
	struct parts in, out;
	int fds[2];

	net_pair(SOCK_STREAM, fds);
	parts_init(&in, 1);
	parts_init(&out, 1);
	memcpy(out.a, "abc", 3);
	ops_prep(&ops->ring, 1, 0, recvmsg, fds[0], &in.message, 0)->ioprio =
		IORING_RECVSEND_POLL_FIRST;
	harness_submit(&ops->ring, 1);
	harness_assert_empty(&ops->ring);
	ops_prep(&ops->ring, 2, 0, sendmsg, fds[1], &out.message, 0)->ioprio =
		IORING_RECVSEND_POLL_FIRST;
	harness_submit(&ops->ring, 1);
	ops_expect(&ops->ring, 2, 4);
	ops_expect(&ops->ring, 1, 4);
	assert_memory_equal(in.a, "abc", 3);
	net_close_pair(fds);
}

static void no_vector_is_no_data(void **state)
{
	struct ops *ops = *state;
	struct msghdr message = {0};
	char byte;
	int fds[2];

	net_pair(SOCK_DGRAM, fds);
	assert_int_equal(ops_run(&ops->ring, sendmsg, fds[0], &message, 0), 0);
	assert_int_equal(recv(fds[1], &byte, 1, MSG_DONTWAIT), 0);
	net_send(fds[1], "x");
	assert_int_equal(ops_run(&ops->ring, recvmsg, fds[0], &message, 0), 0);
	assert_int_equal(message.msg_flags & MSG_TRUNC, MSG_TRUNC);
	net_close_pair(fds);
}

/*
 * A receive from the error queue waits for an error, here the ICMP answer to what is sent. (With
 * data waiting as well the kernel tries in vain for a while and ends it with -EAGAIN.)
 */
static void the_error_queue_is_waited_for(void **state)
{
	struct ops *ops = *state;
	int a = net_bound(SOCK_DGRAM), b = net_bound(SOCK_DGRAM);
	struct sockaddr_in gone = net_address_of(b);
	char control[512];
	struct parts in;
	struct cmsghdr *header;
	int on = 1;

	assert_int_equal(setsockopt(a, IPPROTO_IP, IP_RECVERR, &on, sizeof(on)), 0);
	close(b);
	parts_init(&in, 1);
	in.message.msg_control = control;
	in.message.msg_controllen = sizeof(control);
	ops_prep(&ops->ring, 1, 0, recvmsg, a, &in.message, MSG_ERRQUEUE);
	harness_submit(&ops->ring, 1);
	harness_assert_empty(&ops->ring);
	assert_int_equal(sendto(a, "x", 1, 0, (struct sockaddr *)&gone, sizeof(gone)), 1);
	ops_expect(&ops->ring, 1, 1);
	assert_int_equal(in.a[0], 'x');
	assert_int_equal(in.message.msg_flags & MSG_ERRQUEUE, MSG_ERRQUEUE);
	header = CMSG_FIRSTHDR(&in.message);
	assert_non_null(header);
	assert_int_equal(header->cmsg_type, IP_RECVERR);
	assert_int_equal(((struct sock_extended_err *)(void *)CMSG_DATA(header))->ee_errno,
			 ECONNREFUSED);
	close(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ops_test(the_parts_are_gathered_and_scattered),
		ops_test(a_waiting_receive_keeps_its_vector),
		ops_test(a_waiting_send_keeps_its_message),
		ops_test(truncation_is_told),
		ops_test(a_short_name_is_cut_off),
		ops_test(descriptors_are_passed),
		ops_test(control_data_without_room_is_told),
		ops_test(bad_control_data_is_refused),
		ops_test(waitall_fills_the_vector_in_parts),
		ops_test(waitall_sends_the_vector_in_parts),
		ops_test(waitall_with_a_cut_off_message_fails),
		ops_test(with_dontwait_nothing_is_eagain),
		ops_test(poll_first_waits_before_it_tries),
		ops_test(no_vector_is_no_data),
		ops_test(the_error_queue_is_waited_for),
	};

	return harness_run(tests);
}
