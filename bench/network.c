/* SPDX-License-Identifier: MIT */
#include "network.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "footprint.h"
#include "heap.h"
#include "load.h"
#include "meter.h"
#include "service.h"

/* Descriptors besides those of connections. */
#define OTHER_DESCRIPTORS 512U
#define BACKLOG		  4096

struct server {
	const struct cell *cell;
	const struct service *service;
	void *state;
	int listener;
	int *connections;
	unsigned count;
	pid_t load;
	struct latency latency;
	struct round_trips *round_trips; /* shared with the load; a null pointer if nobody asks */
};

static int fail(struct measurement *measurement, int error, const char *what)
{
	snprintf(measurement->message.text, sizeof(measurement->message.text), "%s: %s", what,
		 strerror(-error));
	return error;
}

int bench_network_possible(const struct workload *workload, struct message *message)
{
	unsigned long limit = bench_descriptors_limit();

	if (limit >= workload->depth + OTHER_DESCRIPTORS)
		return 0;
	snprintf(message->text, sizeof(message->text),
		 "%u connections need %u descriptors, and this process may have %lu",
		 workload->depth, workload->depth + OTHER_DESCRIPTORS, limit);
	return -EMFILE;
}

/* Where nobody else is: the kernel chooses the name, or the port. */
static int listen_somewhere(struct server *server, struct load *load)
{
	struct sockaddr_in loopback = {.sin_family = AF_INET};
	struct sockaddr *address = (struct sockaddr *)&load->address;
	bool tcp = server->cell->workload->tcp;

	loopback.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	load->address_length = tcp ? sizeof(loopback) : sizeof(sa_family_t);
	if (tcp)
		memcpy(&load->address, &loopback, sizeof(loopback));
	else
		address->sa_family = AF_UNIX;
	server->listener = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (server->listener < 0 || bind(server->listener, address, load->address_length) ||
	    listen(server->listener, BACKLOG))
		return -errno;
	load->address_length = sizeof(load->address);
	return getsockname(server->listener, address, &load->address_length) ? -errno : 0;
}

static int take_connections(struct server *server, unsigned count)
{
	const int on = 1;

	server->connections = calloc(count, sizeof(int));
	if (!server->connections)
		return -ENOMEM;
	while (server->count < count) {
		int fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0)
			return -errno;
		if (server->cell->workload->tcp)
			setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		server->connections[server->count++] = fd;
	}
	return 0;
}

static int share_round_trips(struct server *server)
{
	void *memory = mmap(NULL, sizeof(*server->round_trips), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return -errno;
	server->round_trips = memory;
	server->round_trips->histogram = server->cell->latencies;
	return 0;
}

/* From here on, or up to here, how long things take is noted. */
static void note_latencies(struct server *server, bool wanted)
{
	if (server->round_trips)
		atomic_store_explicit(&server->round_trips->wanted, wanted, memory_order_relaxed);
	server->latency.histogram = wanted ? server->cell->latencies : NULL;
}

static int begin(struct server *server, struct measurement *measurement)
{
	const struct workload *workload = server->cell->workload;
	struct load load = {.kind = workload->kind, .connections = workload->depth};
	bool accepts = workload->kind == OPERATION_ACCEPT;
	struct service_setup setup = {
		.oneshot = workload->oneshot,
		.registered = 2 * workload->depth + OTHER_DESCRIPTORS > bench_descriptors_limit(),
		.latency = workload->kind == OPERATION_WAKE ? &server->latency : NULL,
	};
	int error = listen_somewhere(server, &load);

	if (error)
		return fail(measurement, error, "listening");
	if (server->cell->latencies && workload->kind != OPERATION_WAKE)
		error = share_round_trips(server);
	if (error)
		return fail(measurement, error, "mmap");
	load.round_trips = server->round_trips;
	server->load = bench_load_start(&load);
	if (server->load < 0)
		return fail(measurement, server->load, "starting the other end");
	if (!accepts)
		error = take_connections(server, workload->depth);
	if (error)
		return fail(measurement, error, "accepting the connections");
	setup.connections = server->connections;
	setup.count = server->count;
	setup.listener = accepts ? server->listener : -1;
	error = server->service->open(&server->state, &setup);
	return error ? fail(measurement, error, "starting the service") : 0;
}

/* For so long, and at least so many. */
static int serve(struct server *server, double seconds, uint64_t least, uint64_t *served)
{
	uint64_t end = bench_now() + (uint64_t)(seconds * NANOSECONDS);

	*served = 0;
	do {
		int count = server->service->turn(server->state);

		if (count < 0)
			return count;
		*served += (uint64_t)count;
	} while (bench_now() < end || *served < least);
	return 0;
}

static int measure(struct server *server, struct measurement *measurement)
{
	double cpu, seconds = server->cell->seconds;
	uint64_t allocations, start, ignored;
	/* Every connection has been served, and waits again. */
	int error = serve(server, seconds / 5, 2 * server->count, &ignored);

	if (error)
		return fail(measurement, error, "serving");
	server->latency.nanoseconds = 0;
	note_latencies(server, true);
	allocations = bench_heap_allocations();
	cpu = bench_cpu_seconds();
	start = bench_now();
	error = serve(server, seconds, 1, &measurement->operations);
	measurement->seconds = (double)(bench_now() - start) / NANOSECONDS;
	measurement->cpu_seconds = bench_cpu_seconds() - cpu;
	measurement->allocations = bench_heap_allocations() - allocations;
	note_latencies(server, false);
	measurement->threads_idle = bench_other_threads();
	if (server->cell->workload->kind == OPERATION_WAKE)
		measurement->seconds = (double)server->latency.nanoseconds / NANOSECONDS;
	return error ? fail(measurement, error, "serving") : 0;
}

void bench_network_measure(const struct cell *cell, struct measurement *measurement)
{
	struct server server = {
		.cell = cell,
		.service = cell->engine->service,
		.load = -1,
	};

	measurement->error = begin(&server, measurement);
	if (!measurement->error)
		measurement->error = measure(&server, measurement);
	if (server.load > 0 && !bench_load_stop(server.load)) {
		measurement->error = -EIO;
		snprintf(measurement->message.text, sizeof(measurement->message.text),
			 "an answer was not what had been sent, or a connection was lost");
	}
	if (measurement->error)
		return;
	server.service->close(server.state);
	measurement->threads_closed = bench_other_threads();
}
