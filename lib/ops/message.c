/* SPDX-License-Identifier: MIT */
/* Messages taken over from the application; see message.h. Takes no locks, keeps no state. */
#include "message.h"

#include <errno.h>

#include "../core/core.h"
#include "socket.h"

enum { VECTOR_MAX = 1024 };

static struct message *make(struct request *request, size_t count)
{
	struct message *message =
		asyncring__alloc(sizeof(*message) + count * sizeof(message->vectors[0]));

	if (!message)
		return NULL;
	message->header = (struct message_header){.vector = message->vectors, .count = count};
	message->original = message->left = 0;
	message->limit = 0;
	asyncring__free(request->async_data);
	request->async_data = message;
	return message;
}

/* Cut the vector off where one system call would stop, and add it up. */
static int add_up(struct message *message)
{
	for (size_t i = 0; i < message->header.count; i++) {
		struct iovec *vector = &message->vectors[i];

		if ((ssize_t)vector->iov_len < 0)
			return -EINVAL;
		if (vector->iov_len > SOCKET_TRANSFER_MAX - message->left)
			vector->iov_len = SOCKET_TRANSFER_MAX - message->left;
		message->left += vector->iov_len;
	}
	return 0;
}

static int copy_vector(struct message *message, uint64_t from)
{
	size_t count = message->header.count;

	if (asyncring__copy_in(message->vectors, from, count * sizeof(message->vectors[0])))
		return -EFAULT;
	return add_up(message);
}

/* The vector of a receive that takes provided buffers may say how much of one. */
static int take_limit(struct message *message, uint64_t from)
{
	int error;

	if (message->header.count > 1)
		return -EINVAL;
	error = copy_vector(message, from);
	message->limit = (uint32_t)message->left;
	return error;
}

int asyncring__message_copy(struct request *request, uint64_t from, enum message_purpose purpose)
{
	struct message_header header;
	struct message *message;

	if (asyncring__copy_in(&header, from, sizeof(header)))
		return -EFAULT;
	if (!header.name && purpose != MESSAGE_RECEIVE_LAYOUT)
		header.name_length = 0;
	if (header.name_length < 0)
		return -EINVAL;
	if (header.count > VECTOR_MAX)
		return -EMSGSIZE;
	message = make(request, header.count);
	if (!message)
		return -ENOMEM;
	message->original = from;
	message->header.name = header.name;
	message->header.name_length = header.name_length;
	message->header.control = header.control;
	message->header.control_length = header.control_length;
	if (purpose == MESSAGE_SEND) {
		unsigned length = (unsigned)header.name_length;

		if (length > sizeof(message->name))
			length = sizeof(message->name);
		if (asyncring__message_address(message, (uintptr_t)header.name, length))
			return -EFAULT;
	}
	if (purpose == MESSAGE_RECEIVE_SELECT || purpose == MESSAGE_RECEIVE_LAYOUT)
		return take_limit(message, (uintptr_t)header.vector);
	return copy_vector(message, (uintptr_t)header.vector);
}

int asyncring__message_copy_vector(struct request *request, uint64_t from, unsigned count)
{
	struct message *message;

	if (count > VECTOR_MAX)
		return -EINVAL;
	message = make(request, count);
	return message ? copy_vector(message, from) : -ENOMEM;
}

int asyncring__message_make(struct request *request, const struct iovec *vectors, unsigned count,
			    uint64_t skip)
{
	struct message *message = make(request, count);

	if (!message)
		return -ENOMEM;
	for (unsigned i = 0; i < count; i++)
		message->vectors[i] = vectors[i];
	add_up(message);
	asyncring__message_advance(message, skip);
	return 0;
}

int asyncring__message_address(struct message *message, uint64_t from, unsigned length)
{
	if (asyncring__copy_in(&message->name, from, length))
		return -EFAULT;
	message->header.name = length ? &message->name : NULL;
	message->header.name_length = (int32_t)length;
	return 0;
}

void asyncring__message_advance(struct message *message, uint64_t bytes)
{
	struct message_header *header = &message->header;

	message->left -= bytes;
	while (bytes) {
		struct iovec *first = header->vector;

		if (bytes < first->iov_len) {
			first->iov_base = (char *)first->iov_base + bytes;
			first->iov_len -= bytes;
			break;
		}
		bytes -= first->iov_len;
		header->vector++;
		header->count--;
	}
	header->control = NULL;
	header->control_length = 0;
}

int asyncring__message_answer(const struct message *message, const struct message_header *found)
{
	uint64_t to = message->original;

	if (found->name && asyncring__copy_out(to + offsetof(struct message_header, name_length),
					       &found->name_length, sizeof(found->name_length)))
		return -EFAULT;
	if (asyncring__copy_out(to + offsetof(struct message_header, control_length),
				&found->control_length, sizeof(found->control_length)) ||
	    asyncring__copy_out(to + offsetof(struct message_header, flags), &found->flags,
				sizeof(found->flags)))
		return -EFAULT;
	return 0;
}
