/* SPDX-License-Identifier: MIT */
/*
 * URING_CMD's SOCKET_OP_TX_TIMESTAMP: the time stamps of what a socket has sent (SO_TIMESTAMPING),
 * one after the other, each in a 32-byte CQE: the key of the message, the kind of the stamp, and
 * the time.
 *
 * They come out of the socket's error queue (recvmsg(2) with MSG_ERRQUEUE). The kernel's io_uring
 * leaves there what is something else, an error of ICMP's or a stamp with a payload; a call can
 * only take what is first, so here they are taken and dropped.
 */
#include "tx_timestamp.h"

#include <time.h>
/* Needs struct timespec. */
#include <linux/errqueue.h>

#include <linux/if_packet.h>
#include <linux/net_tstamp.h>
#include <netinet/in.h>
#include <string.h>

#include "../core/core.h"
#include "message.h"
#include "socket.h"

#ifndef SCM_TIMESTAMPING
#define SCM_TIMESTAMPING 37 /* SO_TIMESTAMPING */
#endif

struct stamp {
	uint32_t key, kind;
	bool hardware;
	uint64_t seconds, nanoseconds;
};

/* Only these have an error queue; elsewhere the call would take data. */
static bool has_error_queue(int fd)
{
	switch (asyncring__socket_option(fd, SO_DOMAIN)) {
	case AF_INET:
	case AF_INET6:
	case AF_PACKET:
		return true;
	}
	return false;
}

static bool is_error(const struct cmsghdr *control)
{
	return (control->cmsg_level == SOL_IP && control->cmsg_type == IP_RECVERR) ||
	       (control->cmsg_level == SOL_IPV6 && control->cmsg_type == IPV6_RECVERR) ||
	       (control->cmsg_level == SOL_PACKET && control->cmsg_type == PACKET_TX_TIMESTAMP);
}

/* The second is the first in hardware's time, when that is known. */
static bool read_time(const struct cmsghdr *control, struct stamp *stamp)
{
	enum { SOFTWARE, UNUSED, HARDWARE, TIMES };
	int64_t times[TIMES][2];

	if (control->cmsg_len < CMSG_LEN(sizeof(times)))
		return false;
	memcpy(times, CMSG_DATA(control), sizeof(times));
	stamp->hardware = times[HARDWARE][0] || times[HARDWARE][1];
	stamp->seconds = (uint64_t)times[stamp->hardware ? HARDWARE : SOFTWARE][0];
	stamp->nanoseconds = (uint64_t)times[stamp->hardware ? HARDWARE : SOFTWARE][1];
	return stamp->seconds || stamp->nanoseconds;
}

static bool read_kind(const struct cmsghdr *control, struct stamp *stamp)
{
	struct sock_extended_err error;

	if (control->cmsg_len < CMSG_LEN(sizeof(error)))
		return false;
	memcpy(&error, CMSG_DATA(control), sizeof(error));
	stamp->key = error.ee_data;
	stamp->kind = error.ee_info;
	return error.ee_origin == SO_EE_ORIGIN_TIMESTAMPING;
}

/* Is what came with @header a stamp? */
static bool read_stamp(const struct message_header *header, struct stamp *stamp)
{
	struct msghdr message = {.msg_control = header->control,
				 .msg_controllen = header->control_length};
	bool timed = false, told = false;

	for (struct cmsghdr *control = CMSG_FIRSTHDR(&message); control;
	     control = CMSG_NXTHDR(&message, control)) {
		if (control->cmsg_level == SOL_SOCKET && control->cmsg_type == SCM_TIMESTAMPING)
			timed = read_time(control, stamp);
		else if (is_error(control))
			told = read_kind(control, stamp);
	}
	return timed && told;
}

/* The next of the error queue: 1 if it is a stamp, 0 if it is not, or a negative errno. */
static int take(int fd, struct stamp *stamp)
{
	_Alignas(struct cmsghdr) char control[512];
	struct message_header header = {.control = control, .control_length = sizeof(control)};
	long result = sys(SYS_recvmsg, fd, &header, MSG_ERRQUEUE | MSG_DONTWAIT);

	if (result < 0)
		return (int)result;
	return read_stamp(&header, stamp);
}

/* In the form of struct asyncring_timespec, and ASYNCRING_TIMESTAMP_* for the flags. */
static void fill_in(struct request *request, const struct stamp *stamp)
{
	struct completion *completion = &request->completion;

	completion->res = (int32_t)stamp->key;
	completion->flags = stamp->kind << ASYNCRING_TIMESTAMP_TYPE_SHIFT |
			    (stamp->hardware ? ASYNCRING_CQE_F_TSTAMP_HW : 0);
	completion->large = true;
	request_extra(request)[0] = stamp->seconds;
	request_extra(request)[1] = stamp->nanoseconds;
}

int asyncring__tx_timestamp_prep(struct request *request)
{
	enum { LARGE = ASYNCRING_SETUP_CQE32 | ASYNCRING_SETUP_CQE_MIXED };

	if (!(request->ring->flags & LARGE))
		return -EINVAL;
	request->poll_events = EPOLLERR;
	/* An error that nobody asks for would make the socket ready for ever: wake-ups count. */
	request->flags |= REQ_MULTISHOT | REQ_POLL_EDGE;
	request->completion.extended = request->ring->flags & ASYNCRING_SETUP_CQE_MIXED;
	return 0;
}

enum issue_result asyncring__tx_timestamp_issue(struct request *request, unsigned flags)
{
	int fd = request_fd(request);
	struct stamp stamp;
	int result = has_error_queue(fd) ? 0 : -EAGAIN;

	while (result >= 0) {
		result = take(fd, &stamp);
		if (result <= 0)
			continue;
		fill_in(request, &stamp);
		if (!(request->flags & REQ_MULTISHOT) ||
		    !asyncring__request_post_large(request, flags))
			return ISSUE_DONE;
		request->completion.flags = 0;
		request->completion.large = false;
	}
	if (result == -EAGAIN)
		return ISSUE_NEED_POLL;
	request_set_result(request, result);
	return ISSUE_DONE;
}
