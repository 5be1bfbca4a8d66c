/* SPDX-License-Identifier: MIT */
/*
 * The loop that one writes by hand: epoll_wait(), and for each ready socket recv() and send().
 * What everything else is measured against where connections are served.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine.h"
#include "service.h"

#define EVENTS_AT_ONCE 256

struct epoll_service {
	int epoll_fd;
	int listener;
	struct latency *latency;
};

static int watch(const struct epoll_service *service, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	return epoll_ctl(service->epoll_fd, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

static int epoll_open(void **state, const struct service_setup *setup)
{
	struct epoll_service *service = calloc(1, sizeof(*service));
	int error = 0;

	if (!service)
		return -ENOMEM;
	*state = service;
	service->listener = setup->listener;
	service->latency = setup->latency;
	service->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (service->epoll_fd < 0)
		return -errno;
	if (setup->listener >= 0)
		error = watch(service, setup->listener);
	for (unsigned i = 0; !error && i < setup->count; i++)
		error = watch(service, setup->connections[i]);
	return error;
}

static int serve(const struct epoll_service *service, int fd)
{
	char message[BUFFER_SIZE];
	ssize_t length = recv(fd, message, sizeof(message), MSG_DONTWAIT);

	if (length < 0)
		return errno == EAGAIN ? 0 : -errno;
	if (!length)
		return -ECONNRESET;
	if (service->latency)
		bench_service_note(service->latency, message);
	else if (send(fd, message, (size_t)length, MSG_DONTWAIT | MSG_NOSIGNAL) != length)
		return -EIO;
	return 1;
}

/* One connection a time: another look at the listener shows the next. */
static int take_connection(const struct epoll_service *service)
{
	int fd = accept4(service->listener, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		return -errno;
	close(fd);
	return 1;
}

static int epoll_turn(void *state)
{
	const struct epoll_service *service = state;
	struct epoll_event events[EVENTS_AT_ONCE];
	int served = 0;
	int count = epoll_wait(service->epoll_fd, events, EVENTS_AT_ONCE, -1);

	if (count < 0)
		return errno == EINTR ? 0 : -errno;
	for (int i = 0; i < count; i++) {
		int fd = events[i].data.fd;
		int result =
			fd == service->listener ? take_connection(service) : serve(service, fd);

		if (result < 0)
			return result;
		served += result;
	}
	return served;
}

static void epoll_close(void *state)
{
	struct epoll_service *service = state;

	close(service->epoll_fd);
	free(service);
}

const struct service bench_service_epoll = {
	.open = epoll_open,
	.turn = epoll_turn,
	.close = epoll_close,
};

const struct engine bench_engine_epoll = {
	.name = "epoll",
	.supported = SUPPORTS_CONNECTIONS,
	.service = &bench_service_epoll,
};
