/* SPDX-License-Identifier: MIT */
/*
 * What the tests of network operations share, on top of ops_helpers.h: sockets, and peers that are
 * played by plain system calls. Addresses are this machine's only. All helpers assert, so they
 * belong to the main thread.
 */
#ifndef CONFORMANCE_NET_HELPERS_H
#define CONFORMANCE_NET_HELPERS_H

#include "ops_helpers.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#ifdef TEST_ORACLE
#include "newer-net.h"
#endif

/* ---- sockets ------------------------------------------------------------------------------- */

/* A connected pair of AF_UNIX sockets of this type (flags may be ored in). */
static inline void net_pair(int type, int fds[2])
{
	assert_int_equal(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds), 0);
}

static inline void net_close_pair(int fds[2])
{
	close(fds[0]);
	close(fds[1]);
}

static inline struct sockaddr_in net_loopback(void)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
}

static inline struct sockaddr_in net_address_of(int fd)
{
	struct sockaddr_in address;
	socklen_t length = sizeof(address);

	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
	return address;
}

/* A TCP socket; type_flags are SOCK_NONBLOCK or 0. */
static inline int net_tcp(int type_flags)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | type_flags, 0);

	assert_true(fd >= 0);
	return fd;
}

/* A socket bound to a free port of the loopback address. */
static inline int net_bound(int type)
{
	struct sockaddr_in address = net_loopback();
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

/* A listening TCP socket on a free port. */
static inline int net_listener(int type_flags)
{
	int fd = net_bound(SOCK_STREAM | type_flags);

	assert_int_equal(listen(fd, 64), 0);
	return fd;
}

/* A listening AF_UNIX socket with a name the kernel chose, which goes into *address. */
static inline int net_unix_listener(int backlog, struct sockaddr_un *address, socklen_t *length)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	assert_int_equal(bind(fd, (struct sockaddr *)address, sizeof(sa_family_t)), 0);
	*length = sizeof(*address);
	assert_int_equal(getsockname(fd, (struct sockaddr *)address, length), 0);
	assert_int_equal(listen(fd, backlog), 0);
	return fd;
}

/* A client that is connected to listener. */
static inline int net_connect(int listener)
{
	struct sockaddr_in address = net_address_of(listener);
	int fd = net_tcp(0);

	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

/* Two ends of one TCP connection. */
static inline void net_tcp_pair(int fds[2])
{
	int listener = net_listener(0);
	int one = 1;

	fds[0] = net_connect(listener);
	fds[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(fds[1] >= 0);
	close(listener);
	for (int i = 0; i < 2; i++)
		setsockopt(fds[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

/* Close so that the peer sees a reset instead of an end. */
static inline void net_reset(int fd)
{
	struct linger linger = {.l_onoff = 1};

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
	close(fd);
}

/* Fill the way out of fd; returns the bytes that fitted. The descriptor's flags stay as they are.
 */
static inline size_t net_fill(int fd)
{
	char block[4096] = "";
	size_t total = 0;
	ssize_t sent;

	while ((sent = send(fd, block, sizeof(block), MSG_DONTWAIT | MSG_NOSIGNAL)) > 0)
		total += (size_t)sent;
	while (send(fd, block, 1, MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
		total++;
	return total;
}

/*
 * Take exactly this many bytes from fd. (Not with MSG_WAITALL: the kernel's io_uring interrupts
 * the thread's own calls to do its work, and then such a call is short.)
 */
static inline void net_receive(int fd, void *data, size_t bytes)
{
	char *to = data;

	while (bytes) {
		ssize_t got = recv(fd, to, bytes, 0);

		assert_true(got > 0);
		to += got;
		bytes -= (size_t)got;
	}
}

/* Take this many bytes and forget them. */
static inline void net_drain(int fd, size_t bytes)
{
	char block[4096];

	while (bytes) {
		size_t part = bytes < sizeof(block) ? bytes : sizeof(block);

		net_receive(fd, block, part);
		bytes -= part;
	}
}

/* The peer's end of a conversation, in plain calls. */
static inline void net_send(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static inline void net_expect(int fd, const char *text)
{
	char buffer[256];

	assert_true(strlen(text) <= sizeof(buffer));
	net_receive(fd, buffer, strlen(text));
	assert_memory_equal(buffer, text, strlen(text));
}

/* ---- answers ------------------------------------------------------------------------------- */

/* Wait for the next completion: user_data, result and all flags have to be these. */
#define net_expect_flags(ring, want_user_data, want_res, want_flags)                               \
	do {                                                                                       \
		struct harness_cqe net_cqe = harness_next(ring);                                   \
                                                                                                   \
		harness_assert_cqe(net_cqe, want_user_data, want_res);                             \
		assert_int_equal(net_cqe.flags, want_flags);                                       \
	} while (0)

/* Cancel the request with this user_data, and see both answers, the cancel's with user_data 99. */
static inline void net_cancel_at(struct io_uring *ring, uint64_t user_data, const char *file,
				 int line)
{
	struct io_uring_sqe *sqe = harness_sqe_at(ring, file, line);
	struct harness_cqe cqes[2];
	struct harness_cqe *cancelled;

	io_uring_prep_cancel64(sqe, user_data, 0);
	sqe->user_data = 99;
	harness_submit_at(ring, 1, file, line);
	harness_reap_at(ring, cqes, 2, file, line);
	cancelled = cqes[0].user_data == 99 ? &cqes[1] : &cqes[0];
	_assert_int_equal(cqes[0].user_data + cqes[1].user_data, user_data + 99, file, line);
	_assert_int_equal(cast_to_largest_integral_type(cancelled->res),
			  cast_to_largest_integral_type(-ECANCELED), file, line);
	_assert_int_equal(cancelled->flags & IORING_CQE_F_MORE, 0, file, line);
	cancelled = cqes[0].user_data == 99 ? &cqes[0] : &cqes[1];
	_assert_int_equal(cast_to_largest_integral_type(cancelled->res), 0, file, line);
}

#define net_cancel(ring, user_data) net_cancel_at(ring, user_data, __FILE__, __LINE__)

/* The SQE that prepared has this field changed must be refused with -EINVAL. */
#define net_assert_refused(ring, sqe, member, value)                                               \
	do {                                                                                       \
		(sqe)->member = (value);                                                           \
		assert_int_equal(harness_result(ring), -EINVAL);                                   \
	} while (0)

#endif /* CONFORMANCE_NET_HELPERS_H */
