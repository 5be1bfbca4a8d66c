/* SPDX-License-Identifier: MIT */
/*
 * A message taken over from the application: what a msghdr says and its iovec array, and to send,
 * the address; copied, because they may be gone when submit returns. The data is not copied, nor
 * is anything that is written to (name and control data received), nor control data to send: these
 * have to stay until the request ends, as in the kernel.
 *
 * It is request->async_data, and belongs to whoever owns the request.
 */
#ifndef ASYNCRING__MESSAGE_H
#define ASYNCRING__MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

struct request;

/* struct msghdr as the kernel has it; that of the C library may differ in padding. */
struct message_header {
	void *name;
	int32_t name_length;
	struct iovec *vector;
	size_t count;
	void *control;
	size_t control_length;
	uint32_t flags;
};

struct message {
	struct message_header header; /* for the system call, which is given a copy */
	uint64_t original;	      /* the application's msghdr, or 0 */
	uint64_t left;		      /* bytes in the vector, no more than one call moves */
	/* Of a receive into provided buffers: what the only vector said; 0: nothing. */
	uint32_t limit;
	struct sockaddr_storage name; /* the address to send to */
	struct iovec vectors[];
};

enum message_purpose {
	MESSAGE_SEND,
	MESSAGE_RECEIVE,
	MESSAGE_RECEIVE_SELECT, /* into a provided buffer: of the vector only the length counts */
	MESSAGE_RECEIVE_LAYOUT, /* with all that belongs to it: of name and control likewise */
};

/*
 * The message in the msghdr at @from. 0; or -EFAULT, -EINVAL, -EMSGSIZE (too many vectors), -ENOMEM
 * with which preparation refuses it.
 */
int asyncring__message_copy(struct request *request, uint64_t from, enum message_purpose purpose);

/* A message to be sent of the @count vectors at @from, the application's. */
int asyncring__message_copy_vector(struct request *request, uint64_t from, unsigned count);

/* A message of the library's own vectors, without their first @skip bytes. 0 or -ENOMEM. */
int asyncring__message_make(struct request *request, const struct iovec *vectors, unsigned count,
			    uint64_t skip);

/* Let it be sent to the @length bytes of address at @from. 0 or -EFAULT. */
int asyncring__message_address(struct message *message, uint64_t from, unsigned length);

/* @bytes were moved: the vector is what is left, and control data has gone with them. */
void asyncring__message_advance(struct message *message, uint64_t bytes);

/* Tell the application's msghdr what a receive has found out. 0 or -EFAULT. */
int asyncring__message_answer(const struct message *message, const struct message_header *found);

#endif
