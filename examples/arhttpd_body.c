/* SPDX-License-Identifier: MIT */
/*
 * arhttpd: the bytes of an answer on their way out.
 *
 * A piece of the file is read into a registered buffer, behind what is still to be sent of the
 * head, and a send that is linked to the read takes both in one go: so a small file takes one read
 * and one send, and where the file has become shorter than the head says, the read falls short, the
 * link breaks, and nothing wrong is sent. The send does not wait. If the client does not take all
 * of the piece, the buffer is given back all the same, the connection waits until there is room,
 * and what was left is read once more, from the page cache: so a thousand slow clients hold no
 * buffers, and the same few, still in the processor's cache, serve everybody.
 *
 * Splicing from the file through a pipe to the socket would save the copy. But splice(2) cannot be
 * told not to wait for the disk, so each takes a worker and two changes of threads: measured with
 * one connection on the loopback, that is no faster, at twice the processor time.
 */
#include "arhttpd.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Who has found all chunks in use, in order. */
static struct connection *hungry;
static struct connection **hungry_tail = &hungry;

static void next_piece(struct connection *connection, struct chunk *chunk);

void body_close_file(struct connection *connection)
{
	struct asyncring_sqe *sqe;

	if (connection->fd < 0)
		return;
	sqe = loop_request();
	asyncring_prep_close(sqe, connection->fd);
	loop_forget(sqe);
	connection->fd = -1;
	response_file_closed();
}

/* ---- head only ---- */

static void head_sent(struct pending *pending, int result)
{
	struct connection *connection = container_of(pending, struct connection, stepping);

	deadline_clear(connection);
	if (!connection_step_ended(connection))
		return;
	if (result < (int)connection->head_length)
		connection_close(connection);
	else
		connection_answered(connection);
}

void body_send_head(struct connection *connection)
{
	struct asyncring_sqe *sqe = loop_request();

	/* The head is the connection's own: it can wait with it. */
	asyncring_prep_send(sqe, (int)connection->slot, connection->head, connection->head_length,
			    MSG_WAITALL | MSG_NOSIGNAL);
	sqe->flags |= ASYNCRING_SQE_FIXED_FILE;
	loop_expect(sqe, &connection->stepping, head_sent);
	connection->inflight++;
	deadline_set(connection, DEADLINE_STALL);
}

/* ---- pieces of a file ---- */

static void give_back(struct connection *connection)
{
	struct chunk *chunk = connection->chunk;

	connection->chunk = NULL;
	while (hungry) {
		struct connection *next = hungry;

		hungry = next->next_hungry;
		if (!hungry)
			hungry_tail = &hungry;
		if (connection_step_ended(next)) {
			next_piece(next, chunk);
			return;
		}
	}
	chunk_put(chunk);
}

void body_send(struct connection *connection)
{
	struct chunk *chunk = chunk_take();

	if (chunk) {
		next_piece(connection, chunk);
		return;
	}
	/* It is the step that it waits for, though nothing completes it. */
	connection->inflight++;
	connection->next_hungry = NULL;
	*hungry_tail = connection;
	hungry_tail = &connection->next_hungry;
}

static void writable(struct pending *pending, int result)
{
	struct connection *connection = container_of(pending, struct connection, stepping);

	deadline_clear(connection);
	if (!connection_step_ended(connection))
		return;
	if (result < 0)
		connection_close(connection);
	else
		body_send(connection);
}

static void wait_for_room(struct connection *connection)
{
	struct asyncring_sqe *sqe = loop_request();

	asyncring_prep_poll_add(sqe, (int)connection->slot, POLLOUT);
	sqe->flags |= ASYNCRING_SQE_FIXED_FILE;
	loop_expect(sqe, &connection->stepping, writable);
	connection->inflight++;
	deadline_set(connection, DEADLINE_STALL);
}

/* SENT bytes of the piece are out: first of them what was left of the head. */
static void count_sent(struct connection *connection, unsigned sent)
{
	unsigned of_head = connection->head_length - connection->head_sent;

	if (of_head > sent)
		of_head = sent;
	connection->head_sent += of_head;
	connection->offset += sent - of_head;
	connection->left -= sent - of_head;
}

static void piece_sent(struct pending *pending, int result)
{
	struct connection *connection = container_of(pending, struct connection, stepping);

	give_back(connection);
	if (!connection_step_ended(connection))
		return;
	if (result > 0)
		count_sent(connection, (unsigned)result);
	if (result <= 0 && result != -EAGAIN) {
		connection_close(connection);
	} else if (connection->left == 0 && connection->head_sent == connection->head_length) {
		body_close_file(connection);
		connection_answered(connection);
	} else if (result == (int)connection->piece) {
		body_send(connection);
	} else {
		wait_for_room(connection);
	}
}

/* Only a read that has failed or fallen short says so, and then there is no send. */
static void piece_not_read(struct pending *pending, int result)
{
	struct connection *connection = container_of(pending, struct connection, reading);

	(void)result;
	give_back(connection);
	if (connection_step_ended(connection))
		connection_close(connection);
}

static void next_piece(struct connection *connection, struct chunk *chunk)
{
	unsigned head = connection->head_length - connection->head_sent;
	unsigned length = connection->left < CHUNK_BODY ? (unsigned)connection->left : CHUNK_BODY;
	char *start = chunk->body - head;
	struct asyncring_sqe *sqe;
	int flags = MSG_DONTWAIT | MSG_NOSIGNAL;

	if (connection->left > length)
		flags |= MSG_MORE;
	memcpy(start, connection->head + connection->head_sent, head);
	connection->chunk = chunk;
	connection->piece = head + length;

	ring_make_room(2);
	sqe = loop_request();
	chunk_prepare_read(sqe, chunk, connection->fd, length, connection->offset);
	loop_expect(sqe, &connection->reading, piece_not_read);
	sqe->flags |= ASYNCRING_SQE_IO_LINK | ASYNCRING_SQE_CQE_SKIP_SUCCESS;
	sqe = loop_request();
	asyncring_prep_send(sqe, (int)connection->slot, start, connection->piece, flags);
	sqe->flags |= ASYNCRING_SQE_FIXED_FILE;
	loop_expect(sqe, &connection->stepping, piece_sent);
	connection->inflight++;
}
