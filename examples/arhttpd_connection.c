/* SPDX-License-Identifier: MIT */
/*
 * arhttpd: one connection from accept to close.
 *
 * One request receives for as long as the connection lives (multishot), into buffers that are given
 * back as soon as they have been looked at: a connection that waits holds none. Most requests of a
 * client come whole and are parsed where they lie. What is left over, half a request or those that
 * were sent ahead, is kept with the connection; if a client sends far ahead, receiving stops until
 * its requests have been answered.
 *
 * A connection ends by way of STAGE_CLOSING: the socket is shut down, by which all that waits for
 * it completes, and when nothing is in flight any more its slot is emptied. Where the server is the
 * one who ends it, the client first gets the time to read the last answer: a socket that is closed
 * with something unread in it takes back what has not been delivered.
 */
#include "arhttpd.h"

#include "report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* So much may be kept for later. Some more can be on the way when receiving is stopped. */
#define INPUT_ENOUGH (2 * REQUEST_HEAD_MAX)

static struct link connections = {&connections, &connections};
static unsigned count;

unsigned connection_count(void)
{
	return count;
}

/* ---- the end ---- */

static void close_slot(unsigned slot)
{
	struct asyncring_sqe *sqe = loop_request();

	asyncring_prep_close_direct(sqe, slot);
	loop_forget(sqe);
}

static void shut_down(const struct connection *connection, int how)
{
	struct asyncring_sqe *sqe = loop_request();

	asyncring_prep_shutdown(sqe, (int)connection->slot, how);
	sqe->flags |= ASYNCRING_SQE_FIXED_FILE;
	loop_forget(sqe);
}

static void release(struct connection *connection)
{
	body_close_file(connection);
	close_slot(connection->slot);
	link_remove(&connection->all);
	link_remove(&connection->timed);
	free(connection->input);
	free(connection);
	count--;
	accept_more();
}

void connection_close(struct connection *connection)
{
	bool closing = connection->stage == STAGE_CLOSING;

	connection->stage = STAGE_CLOSING;
	deadline_clear(connection);
	if (connection->waits_for_file)
		response_wait_no_more(connection);
	if (!connection->inflight)
		release(connection);
	else if (!closing)
		shut_down(connection, SHUT_RDWR);
}

bool connection_step_ended(struct connection *connection)
{
	connection->inflight--;
	if (connection->stage != STAGE_CLOSING)
		return true;
	connection_close(connection);
	return false;
}

/* ---- receiving ---- */

static void received(struct pending *pending, int result);

static void receive(struct connection *connection)
{
	struct asyncring_sqe *sqe = loop_request();

	asyncring_prep_recv_multishot(sqe, (int)connection->slot, NULL, 0, 0);
	sqe->flags |= ASYNCRING_SQE_FIXED_FILE;
	ring_select_buffer(sqe);
	loop_expect(sqe, &connection->receiving, received);
	connection->armed = true;
	connection->paused = false;
	connection->inflight++;
}

static void stop_receiving(struct connection *connection)
{
	struct asyncring_sqe *sqe;

	if (connection->paused)
		return;
	connection->paused = true;
	if (!connection->armed)
		return;
	sqe = loop_request();
	asyncring_prep_cancel(sqe, &connection->receiving, 0);
	loop_forget(sqe);
}

static void drop_input(struct connection *connection)
{
	free(connection->input);
	connection->input = NULL;
	connection->input_at = connection->input_end = connection->input_size = 0;
}

/* False if there is no memory. */
static bool keep_input(struct connection *connection, const char *bytes, size_t length)
{
	size_t kept = connection->input_end - connection->input_at;

	if (connection->input_at) {
		memmove(connection->input, connection->input + connection->input_at, kept);
		connection->input_at = 0;
		connection->input_end = kept;
	}
	if (connection->input_size - kept < length) {
		size_t size = 2 * (kept + length);
		char *larger = realloc(connection->input, size);

		if (!larger)
			return false;
		connection->input = larger;
		connection->input_size = size;
	}
	memcpy(connection->input + kept, bytes, length);
	connection->input_end += length;
	return true;
}

/* Makes something of LENGTH bytes: how many were used. */
static size_t take_request(struct connection *connection, const char *bytes, size_t length)
{
	int used = request_parse(&connection->request, bytes, length);

	if (!used)
		return 0;
	deadline_clear(connection);
	connection->stage = STAGE_RESPONSE;
	totals.requests++;
	if (used < 0) {
		connection->request.path[0] = 0;
		response_refuse(connection, -used, false);
		return length;
	}
	response_begin(connection);
	return (size_t)used;
}

/* What has come while something else is still unread goes behind it. */
static bool take_bytes(struct connection *connection, const char *bytes, size_t length)
{
	bool fresh = connection->input_at == connection->input_end;

	if (connection->stage == STAGE_LINGER || connection->stage == STAGE_CLOSING)
		return true;
	if (connection->stage == STAGE_REQUEST && fresh) {
		size_t used = take_request(connection, bytes, length);

		if (used == length)
			return true;
		/* The first bytes of a request: it has to come whole in a certain time. */
		if (!used && connection->served)
			deadline_set(connection, DEADLINE_HEADER);
		return keep_input(connection, bytes + used, length - used);
	}
	if (!keep_input(connection, bytes, length))
		return false;
	length = connection->input_end - connection->input_at;
	if (connection->stage == STAGE_REQUEST)
		connection->input_at +=
			take_request(connection, connection->input + connection->input_at, length);
	else if (length > INPUT_ENOUGH)
		stop_receiving(connection);
	return true;
}

/* Receiving is over: because of what, and does it matter? */
static void receiving_ended(struct connection *connection, int result)
{
	connection->armed = false;
	connection->inflight--;
	/* All buffers are in use, or it was taken back, or has posted as much as it may. */
	if (result == -ENOBUFS || result == -ECANCELED || result > 0) {
		if (connection->stage != STAGE_CLOSING && !connection->paused)
			receive(connection);
	} else {
		connection->ended = true;
		/* A client that has nothing more to say is still told what it has asked for. */
		if (result < 0 || connection->stage != STAGE_RESPONSE)
			connection_close(connection);
		return;
	}
	if (connection->stage == STAGE_CLOSING)
		connection_close(connection);
}

static void received(struct pending *pending, int result)
{
	struct connection *connection = container_of(pending, struct connection, receiving);
	const unsigned flags = loop_flags();
	bool kept = true;

	if (flags & ASYNCRING_CQE_F_BUFFER) {
		if (result > 0)
			kept = take_bytes(connection, ring_buffer(flags), (size_t)result);
		ring_give_back(flags);
	}
	if (!(flags & ASYNCRING_CQE_F_MORE))
		receiving_ended(connection, kept ? result : -ENOMEM);
	else if (!kept)
		connection_close(connection);
}

/* ---- stages ---- */

void connection_open(unsigned slot)
{
	struct connection *connection = stopping ? NULL : calloc(1, sizeof(*connection));

	if (!connection) {
		close_slot(slot);
		return;
	}
	connection->slot = slot;
	connection->fd = -1;
	link_append(&connections, &connection->all);
	link_clear(&connection->timed);
	count++;
	totals.connections++;
	deadline_set(connection, DEADLINE_HEADER);
	receive(connection);
}

static void log_answer(const struct connection *connection)
{
	const struct request *request = &connection->request;
	char *path;

	if (!options.verbose)
		return;
	/* By now even the root has a name, that of its index. */
	path = *request->path ? quote(request->path) : copy_string("-");
	printf("%u %s %s %d %lld\n", connection->slot, request->head ? "HEAD" : "GET", path,
	       connection->status, (long long)connection->length);
	free(path);
}

static void linger(struct connection *connection)
{
	drop_input(connection);
	if (connection->ended) {
		connection_close(connection);
		return;
	}
	connection->stage = STAGE_LINGER;
	shut_down(connection, SHUT_WR);
	deadline_set(connection, DEADLINE_LINGER);
	if (!connection->armed)
		receive(connection);
	connection->paused = false;
}

void connection_answered(struct connection *connection)
{
	size_t length = connection->input_end - connection->input_at;

	log_answer(connection);
	connection->served = true;
	if (!connection->request.persistent || stopping) {
		linger(connection);
		return;
	}
	connection->stage = STAGE_REQUEST;
	if (length) {
		connection->input_at +=
			take_request(connection, connection->input + connection->input_at, length);
		length = connection->input_end - connection->input_at;
	}
	if (!length)
		drop_input(connection);
	if (connection->stage == STAGE_REQUEST) {
		if (connection->ended) {
			connection_close(connection);
			return;
		}
		deadline_set(connection, length ? DEADLINE_HEADER : DEADLINE_IDLE);
	}
	if (connection->paused && length <= INPUT_ENOUGH && !connection->ended) {
		connection->paused = false;
		/* If the cancellation has not come through yet, that is where it goes on. */
		if (!connection->armed)
			receive(connection);
	}
}

void connection_expired(struct connection *connection, enum deadline_kind kind)
{
	/* One that has not even begun to ask, as browsers open ahead of need, gets no answer. */
	if (kind != DEADLINE_HEADER || connection->input_at == connection->input_end) {
		connection_close(connection);
		return;
	}
	connection->stage = STAGE_RESPONSE;
	connection->request.head = false;
	connection->request.path[0] = 0;
	response_refuse(connection, 408, false);
}

static void end_connections(bool all)
{
	struct link *link = connections.next;

	while (link != &connections) {
		struct connection *connection = container_of(link, struct connection, all);

		link = link->next;
		if (all || (connection->stage == STAGE_REQUEST &&
			    connection->input_at == connection->input_end))
			connection_close(connection);
	}
}

void connection_end_idle(void)
{
	end_connections(false);
}

void connection_end_all(void)
{
	end_connections(true);
}
