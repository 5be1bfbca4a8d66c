/* SPDX-License-Identifier: MIT */
/* What recv.c and recv_provided.c share: the arguments of RECV and RECVMSG, and their ends. */
#ifndef ASYNCRING__RECV_H
#define ASYNCRING__RECV_H

#include "message.h"
#include "ops.h"

struct recv {
	uint64_t address; /* of the data, or of a msghdr; the application's */
	/* Our copy of the msghdr, and what is left of it: request->async_data; or NULL. */
	struct message *message;
	/* RECV: bytes left; of a provided buffer at most so many (0: all of it) are used. */
	uint32_t length;
	uint32_t done;	/* bytes received by earlier attempts */
	uint32_t flags; /* MSG_* */
	uint32_t total; /* RECV, multishot: bytes after which it ends; 0: it goes on */
	bool whole;	/* a msghdr */
	bool select;	/* takes provided buffers */
	bool stream;	/* multishot: what comes short has left nothing behind */
	bool asked;	/* `stream` is known */
	bool exhausted; /* bundle, multishot: what comes next goes into the last buffer there was */
};

/* Is there room in any buffer for what a multishot RECVMSG puts before the data? 0, -EOVERFLOW. */
int asyncring__recv_check_layout(const struct message *message);

/* issue() of those that take provided buffers. */
enum issue_result asyncring__recv_provided(struct request *request, unsigned flags);
enum issue_result asyncring__recvmsg_provided(struct request *request, unsigned flags);

/* The request ends; @result is that of the last attempt, @failed breaks the chain. */
enum issue_result asyncring__recv_finish(struct request *request, int64_t result, bool failed);

/* @received bytes have come, but not all that were wanted. */
enum issue_result asyncring__recv_wait_for_rest(struct request *request, int64_t received);

#endif
