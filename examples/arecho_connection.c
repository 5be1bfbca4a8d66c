/* SPDX-License-Identifier: MIT */
/*
 * arecho's connections. A completion only notes what has happened; at the end of the turn each
 * connection that had one takes its next step, so that all it received in a turn goes back in one
 * call.
 *
 * A connection receives until its peer ends or it is told to finish; then it is closed as soon as
 * all has been sent back. While data stays behind, because the peer does not take it, it does not
 * receive. After an error whatever is in flight is cancelled, and the connection closed. There is
 * at most one receive request and one send request at a time, and it is freed when there is none.
 */
#include "arecho.h"
#include "loop.h"
#include "report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/*
 * So many buffers are sent by one call: as many as a multishot receive fills before others have
 * their turn, so that what comes in can go out.
 */
#define VECTORS_MAX 32

/* A copy of what did not go out at once. */
struct copy {
	struct copy *next;
	size_t length;
	char data[];
};

struct connection {
	struct pending receive, send;
	unsigned slot;
	bool receiving, sending;		/* the request is in flight */
	bool cancelled_receive, cancelled_send; /* and has been asked to stop */
	bool ended;				/* nothing more will come in */
	bool broken;				/* nothing more will go out */
	bool is_due, is_starving;
	struct connection *next_due, *next_starving; /* in the lists below */

	/* To be sent: first the copies, from byte copy_sent of the first on, then the buffers. */
	struct copy *copies, **copies_end;
	size_t copy_sent;
	struct buffer *buffers, **buffers_end;
	size_t sending_length;
};

static struct connection **connections; /* by slot */
static unsigned slots;
static unsigned open_connections;
static bool finishing;
static struct statistics statistics;

/* Those that something has happened to. */
static struct connection *due;

/* Those that found no buffer, first come, first served. */
static struct connection *starving, **starving_end = &starving;

static void received(struct pending *pending, int result);
static void sent(struct pending *pending, int result);

static void make_due(struct connection *connection)
{
	if (connection->is_due)
		return;
	connection->is_due = true;
	connection->next_due = due;
	due = connection;
}

/* ---- requests ---- */

/* Registered files: a connection has one descriptor in this process, and it is the ring's. */
static void address(struct asyncring_sqe *sqe, const struct connection *connection)
{
	sqe->fd = (int)connection->slot;
	sqe->flags |= ASYNCRING_SQE_FIXED_FILE;
}

static void receive(struct connection *connection)
{
	struct asyncring_sqe *sqe = loop_request();

	asyncring_prep_recv_multishot(sqe, 0, NULL, 0, 0);
	sqe->flags |= ASYNCRING_SQE_BUFFER_SELECT;
	sqe->buf_group = buffers_group();
	address(sqe, connection);
	loop_expect(sqe, &connection->receive, received);
	connection->receiving = true;
	connection->cancelled_receive = false;
}

/* It ends with -ECANCELED, or has ended in another way already. */
static void cancel(const struct pending *pending)
{
	struct asyncring_sqe *sqe = loop_request();

	asyncring_prep_cancel(sqe, pending, 0);
	loop_forget(sqe);
}

static void stop_receiving(struct connection *connection)
{
	if (connection->receiving && !connection->cancelled_receive)
		cancel(&connection->receive);
	connection->cancelled_receive = true;
}

static void stop_sending(struct connection *connection)
{
	if (connection->sending && !connection->cancelled_send)
		cancel(&connection->send);
	connection->cancelled_send = true;
}

static void expect_sent(struct asyncring_sqe *sqe, struct connection *connection, size_t length)
{
	address(sqe, connection);
	loop_expect(sqe, &connection->send, sent);
	connection->sending = true;
	connection->sending_length = length;
}

/* Waits for room. */
static void send_copy(struct connection *connection)
{
	struct asyncring_sqe *sqe = loop_request();
	const struct copy *copy = connection->copies;
	size_t length = copy->length - connection->copy_sent;

	asyncring_prep_send(sqe, 0, copy->data + connection->copy_sent, length, MSG_NOSIGNAL);
	expect_sent(sqe, connection, length);
}

/* What does not fit stays behind: buffers do not wait for a peer. */
static void send_buffers(struct connection *connection)
{
	/*
	 * Read when the request is submitted. There are no more unsubmitted requests than the ring
	 * has entries, so the place that comes next has been read.
	 */
	static struct {
		struct msghdr header;
		struct iovec vectors[VECTORS_MAX];
	} messages[RING_ENTRIES];
	static unsigned next;
	struct asyncring_sqe *sqe = loop_request();
	struct msghdr *header = &messages[next].header;
	struct iovec *vectors = messages[next].vectors;
	struct buffer *buffer = connection->buffers;
	size_t count = 0, length = 0;

	if (!buffer->next) {
		length = buffer->length;
		asyncring_prep_send(sqe, 0, buffer_data(buffer), length,
				    MSG_NOSIGNAL | MSG_DONTWAIT);
	} else {
		for (; buffer && count < VECTORS_MAX; buffer = buffer->next) {
			vectors[count++] = (struct iovec){buffer_data(buffer), buffer->length};
			length += buffer->length;
		}
		*header = (struct msghdr){.msg_iov = vectors, .msg_iovlen = count};
		next = (next + 1) % RING_ENTRIES;
		asyncring_prep_sendmsg(sqe, 0, header, MSG_NOSIGNAL | MSG_DONTWAIT);
	}
	expect_sent(sqe, connection, length);
}

/* ---- what is to be sent ---- */

static void drop_first_copy(struct connection *connection)
{
	struct copy *copy = connection->copies;

	connection->copies = copy->next;
	connection->copy_sent = 0;
	if (!connection->copies)
		connection->copies_end = &connection->copies;
	free(copy);
}

static void drop_first_buffer(struct connection *connection)
{
	struct buffer *buffer = connection->buffers;

	connection->buffers = buffer->next;
	if (!connection->buffers)
		connection->buffers_end = &connection->buffers;
	buffer_give_back(buffer);
}

static void drop_all(struct connection *connection)
{
	while (connection->copies)
		drop_first_copy(connection);
	while (connection->buffers)
		drop_first_buffer(connection);
}

/*
 * Copies what has not been sent, the first buffer without its first SKIP bytes, and gives the
 * buffers back.
 */
static void keep(struct connection *connection, size_t skip)
{
	for (; connection->buffers; drop_first_buffer(connection), skip = 0) {
		const struct buffer *buffer = connection->buffers;
		size_t length = buffer->length - skip;
		struct copy *copy = malloc(sizeof(*copy) + length);

		if (!copy) {
			report(-ENOMEM, "a connection is cut off", NULL, NULL);
			connection->broken = true;
			return;
		}
		copy->next = NULL;
		copy->length = length;
		memcpy(copy->data, buffer_data(buffer) + skip, length);
		*connection->copies_end = copy;
		connection->copies_end = &copy->next;
	}
}

/* ---- completions ---- */

static void add_buffer(struct connection *connection, unsigned id, int length)
{
	struct buffer *buffer = buffer_take(id, length > 0 ? (unsigned)length : 0);

	if (!buffer->length) {
		buffer_give_back(buffer);
		return;
	}
	*connection->buffers_end = buffer;
	connection->buffers_end = &buffer->next;
}

static void received(struct pending *pending, int result)
{
	struct connection *connection = container_of(pending, struct connection, receive);
	unsigned flags = loop_flags();

	connection->receiving = flags & ASYNCRING_CQE_F_MORE;
	if (flags & ASYNCRING_CQE_F_BUFFER)
		add_buffer(connection, flags >> ASYNCRING_CQE_BUFFER_SHIFT, result);
	if (result > 0) {
		statistics.messages++;
		statistics.bytes += (unsigned)result;
	} else if (result == 0) {
		connection->ended = true;
	} else if (result == -ENOBUFS) {
		connection->is_starving = true;
		connection->next_starving = NULL;
		*starving_end = connection;
		starving_end = &connection->next_starving;
	} else if (result != -ECANCELED) {
		connection->broken = true; /* reset by the peer, or lost */
	}
	make_due(connection);
}

static void sent_copy(struct connection *connection, size_t length)
{
	connection->copy_sent += length;
	if (connection->copy_sent == connection->copies->length)
		drop_first_copy(connection);
}

static void sent_buffers(struct connection *connection, size_t length)
{
	bool stalled = length < connection->sending_length;

	while (connection->buffers && length >= connection->buffers->length) {
		length -= connection->buffers->length;
		drop_first_buffer(connection);
	}
	if (stalled)
		keep(connection, length);
}

static void sent(struct pending *pending, int result)
{
	struct connection *connection = container_of(pending, struct connection, send);

	connection->sending = false;
	/* No room for a single byte: without waiting that is an error. */
	if (result == -EAGAIN)
		result = 0;
	if (result < 0)
		connection->broken = true; /* the peer has gone, or it was cancelled */
	else if (connection->copies)
		sent_copy(connection, (size_t)result);
	else
		sent_buffers(connection, (size_t)result);
	make_due(connection);
}

/* ---- from one state to the next ---- */

/* Whoever is told so still gets to see the data that has come, and then the end. */
static void end_receiving(const struct connection *connection)
{
	struct asyncring_sqe *sqe = loop_request();

	asyncring_prep_shutdown(sqe, 0, SHUT_RD);
	address(sqe, connection);
	loop_forget(sqe);
}

void connection_refuse(unsigned slot)
{
	struct asyncring_sqe *sqe = loop_request();

	asyncring_prep_close_direct(sqe, slot);
	loop_forget(sqe);
}

void connection_open(unsigned slot)
{
	struct connection *connection = slot < slots ? calloc(1, sizeof(*connection)) : NULL;

	if (!connection) {
		report(-ENOMEM, "a connection is refused", NULL, NULL);
		connection_refuse(slot);
		return;
	}
	connection->slot = slot;
	connection->copies_end = &connection->copies;
	connection->buffers_end = &connection->buffers;
	connections[slot] = connection;
	open_connections++;
	statistics.connections++;
	if (open_connections > statistics.most)
		statistics.most = open_connections;
	if (finishing)
		end_receiving(connection);
	make_due(connection);
}

static void close_connection(struct connection *connection)
{
	connections[connection->slot] = NULL;
	open_connections--;
	connection_refuse(connection->slot);
	free(connection);
}

static void take_step(struct connection *connection)
{
	bool quiet, done;

	/* What came in after it had stalled stays behind as well. */
	if (connection->copies && connection->buffers)
		keep(connection, 0);
	if (connection->broken) {
		stop_receiving(connection);
		stop_sending(connection);
		if (!connection->sending)
			drop_all(connection);
	} else if (!connection->sending) {
		if (connection->copies)
			send_copy(connection);
		else if (connection->buffers)
			send_buffers(connection);
	}
	quiet = !connection->receiving && !connection->sending && !connection->is_starving;
	done = connection->ended && !connection->copies && !connection->buffers;
	if (connection->copies)
		stop_receiving(connection);
	else if (quiet && (connection->broken || done))
		close_connection(connection);
	else if (!connection->receiving && !connection->is_starving && !connection->ended &&
		 !connection->broken)
		receive(connection);
}

/* As many of those that wait for buffers as there are buffers try again. */
static void feed(void)
{
	for (unsigned left = buffers_left(); starving && left > 0; left--) {
		struct connection *connection = starving;

		starving = connection->next_starving;
		if (!starving)
			starving_end = &starving;
		connection->is_starving = false;
		make_due(connection);
	}
}

bool connections_advance(void)
{
	buffers_show();
	feed();
	while (due) {
		struct connection *connection = due;

		due = connection->next_due;
		connection->is_due = false;
		take_step(connection);
	}
	buffers_show();
	/*
	 * Those that have just tried again may find nothing to receive and leave their buffers to
	 * the next, which nothing will tell of. (If there are no buffers some are being sent.)
	 */
	return !starving || buffers_left() == 0;
}

/* ---- all of them ---- */

int connections_open(unsigned count)
{
	int error = asyncring_register_files_sparse(loop_ring(), count);

	if (error)
		return error;
	connections = calloc(count, sizeof(struct connection *));
	slots = connections ? count : 0;
	return connections ? 0 : -ENOMEM;
}

void connections_close(void)
{
	free(connections);
}

void connections_finish(void)
{
	finishing = true;
	for (unsigned slot = 0; slot < slots; slot++)
		if (connections[slot])
			end_receiving(connections[slot]);
}

void connections_abort(void)
{
	for (unsigned slot = 0; slot < slots; slot++) {
		if (!connections[slot])
			continue;
		connections[slot]->broken = true;
		make_due(connections[slot]);
	}
}

unsigned connections_count(void)
{
	return open_connections;
}

const struct statistics *connections_statistics(void)
{
	return &statistics;
}
