/* SPDX-License-Identifier: MIT */
/*
 * Serving connections with libuv's streams: uv_read_start() on each, and uv_try_write() for the
 * answer, which needs no request and no completion where there is room.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <uv.h>

#include "service.h"

struct connection {
	uv_stream_t *stream;
	char message[BUFFER_SIZE];
};

struct libuv_service {
	uv_loop_t loop;
	struct service_setup setup;
	int domain;
	int served; /* in this turn */
	int error;
	struct connection *connections;
	uv_stream_t *listener;
};

static struct libuv_service *service_of(const uv_handle_t *handle)
{
	return handle->loop->data;
}

static void allocate(uv_handle_t *handle, size_t size, uv_buf_t *buffer)
{
	struct connection *connection = handle->data;

	(void)size;
	*buffer = uv_buf_init(connection->message, BUFFER_SIZE);
}

static void received(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer)
{
	struct libuv_service *service = service_of((uv_handle_t *)stream);
	uv_buf_t answer = uv_buf_init(buffer->base, (unsigned)(length > 0 ? length : 0));

	if (!length)
		return;
	if (length < 0)
		service->error = (int)length;
	else if (service->setup.latency)
		bench_service_note(service->setup.latency, buffer->base);
	else if (uv_try_write(stream, &answer, 1) != length)
		service->error = -EIO;
	service->served++;
}

static void forget(uv_handle_t *handle)
{
	free(handle);
}

/* TCP where the sockets are that, a pipe where they are of the UNIX domain. */
static uv_stream_t *new_stream(struct libuv_service *service)
{
	bool tcp = service->domain == AF_INET;
	uv_stream_t *stream = calloc(1, tcp ? sizeof(uv_tcp_t) : sizeof(uv_pipe_t));

	if (!stream)
		return NULL;
	if (tcp)
		uv_tcp_init(&service->loop, (uv_tcp_t *)stream);
	else
		uv_pipe_init(&service->loop, (uv_pipe_t *)stream, 0);
	return stream;
}

static uv_stream_t *open_stream(struct libuv_service *service, int fd)
{
	uv_stream_t *stream = new_stream(service);
	int error = -ENOMEM;

	if (stream)
		error = service->domain == AF_INET ? uv_tcp_open((uv_tcp_t *)stream, fd)
						   : uv_pipe_open((uv_pipe_t *)stream, fd);
	return error ? NULL : stream;
}

static void connected(uv_stream_t *listener, int status)
{
	struct libuv_service *service = service_of((uv_handle_t *)listener);
	uv_stream_t *stream = new_stream(service);

	if (status || !stream) {
		service->error = status ? status : -ENOMEM;
		return;
	}
	status = uv_accept(listener, stream);
	if (status)
		service->error = status;
	else
		service->served++;
	uv_close((uv_handle_t *)stream, forget);
}

static int domain_of(int fd)
{
	int domain = -1;
	socklen_t size = sizeof(domain);

	getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size);
	return domain;
}

static int start(struct libuv_service *service)
{
	const struct service_setup *setup = &service->setup;

	service->domain = domain_of(setup->count ? setup->connections[0] : setup->listener);
	if (setup->listener >= 0) {
		service->listener = open_stream(service, setup->listener);
		return service->listener ? uv_listen(service->listener, SOMAXCONN, connected)
					 : -EIO;
	}
	for (unsigned i = 0; i < setup->count; i++) {
		struct connection *connection = &service->connections[i];
		int error;

		connection->stream = open_stream(service, setup->connections[i]);
		if (!connection->stream)
			return -EIO;
		connection->stream->data = connection;
		error = uv_read_start(connection->stream, allocate, received);
		if (error)
			return error;
	}
	return 0;
}

static int libuv_open(void **state, const struct service_setup *setup)
{
	struct libuv_service *service = calloc(1, sizeof(*service));
	int error;

	if (!service)
		return -ENOMEM;
	service->connections = calloc(setup->count + 1, sizeof(*service->connections));
	service->setup = *setup;
	error = service->connections ? uv_loop_init(&service->loop) : -ENOMEM;
	if (error)
		return error;
	service->loop.data = service;
	*state = service;
	return start(service);
}

static int libuv_turn(void *state)
{
	struct libuv_service *service = state;

	service->served = 0;
	uv_run(&service->loop, UV_RUN_ONCE);
	return service->error ? service->error : service->served;
}

static void close_handle(uv_handle_t *handle, void *argument)
{
	(void)argument;
	if (!uv_is_closing(handle))
		uv_close(handle, forget);
}

static void libuv_close(void *state)
{
	struct libuv_service *service = state;

	uv_walk(&service->loop, close_handle, NULL);
	uv_run(&service->loop, UV_RUN_DEFAULT);
	uv_loop_close(&service->loop);
	free(service->connections);
	free(service);
}

const struct service bench_service_libuv = {
	.open = libuv_open,
	.turn = libuv_turn,
	.close = libuv_close,
};
