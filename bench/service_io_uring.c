/* SPDX-License-Identifier: MIT */
/*
 * Serving connections with the kernel's io_uring, and, as engine_io_uring.c by the mechanical
 * rename, with libasyncring: one thread owns the ring and runs its deferred work when it waits.
 * Messages come into a ring of provided buffers; each buffer is sent back as it is, and provided
 * anew when it has gone.
 */
#include <errno.h>
#include <liburing.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "service.h"

#define SQ_ENTRIES   4096U
#define CQ_ENTRIES   65536U
#define BUFFERS_MOST 32768U
#define GROUP	     1

enum kind { RECEIVED, SENT, ACCEPTED, CLOSED };

struct ring_service {
	struct io_uring ring;
	struct service_setup setup;
	struct io_uring_buf_ring *provided;
	unsigned buffer_count;
	unsigned returned; /* buffers that are in the ring but not shown yet */
	char *buffers;
};

static struct io_uring_sqe *next_sqe(struct ring_service *service)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&service->ring);

	if (!sqe && io_uring_submit(&service->ring) > 0)
		sqe = io_uring_get_sqe(&service->ring);
	return sqe;
}

static void tag(struct io_uring_sqe *sqe, enum kind kind, unsigned number, unsigned buffer)
{
	io_uring_sqe_set_data64(sqe, (uint64_t)kind << 56 | (uint64_t)buffer << 32 | number);
}

static char *buffer_at(const struct ring_service *service, unsigned buffer)
{
	return service->buffers + (size_t)buffer * BUFFER_SIZE;
}

static void provide(struct ring_service *service, unsigned buffer)
{
	io_uring_buf_ring_add(service->provided, buffer_at(service, buffer), BUFFER_SIZE,
			      (unsigned short)buffer, (int)service->buffer_count - 1,
			      (int)service->returned++);
}

static void show_provided(struct ring_service *service)
{
	if (service->returned)
		io_uring_buf_ring_advance(service->provided, (int)service->returned);
	service->returned = 0;
}

/* The connection's descriptor, or its number among the registered files. */
static void address(const struct ring_service *service, struct io_uring_sqe *sqe, unsigned number)
{
	sqe->fd = service->setup.registered ? (int)number : service->setup.connections[number];
	if (service->setup.registered)
		sqe->flags |= IOSQE_FIXED_FILE;
}

static int receive(struct ring_service *service, unsigned number)
{
	struct io_uring_sqe *sqe = next_sqe(service);

	if (!sqe)
		return -EBUSY;
	if (service->setup.oneshot)
		io_uring_prep_recv(sqe, -1, NULL, BUFFER_SIZE, 0);
	else
		io_uring_prep_recv_multishot(sqe, -1, NULL, 0, 0);
	tag(sqe, RECEIVED, number, 0);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = GROUP;
	address(service, sqe, number);
	return 0;
}

static int answer(struct ring_service *service, unsigned number, unsigned buffer, unsigned length)
{
	struct io_uring_sqe *sqe = next_sqe(service);

	if (!sqe)
		return -EBUSY;
	io_uring_prep_send(sqe, -1, buffer_at(service, buffer), length, MSG_NOSIGNAL);
	tag(sqe, SENT, number, buffer);
	address(service, sqe, number);
	return 0;
}

static int accept_more(struct ring_service *service)
{
	struct io_uring_sqe *sqe = next_sqe(service);

	if (!sqe)
		return -EBUSY;
	if (service->setup.oneshot)
		io_uring_prep_accept(sqe, service->setup.listener, NULL, NULL, SOCK_CLOEXEC);
	else
		io_uring_prep_multishot_accept(sqe, service->setup.listener, NULL, NULL,
					       SOCK_CLOEXEC);
	tag(sqe, ACCEPTED, 0, 0);
	return 0;
}

static int close_accepted(struct ring_service *service, int fd)
{
	struct io_uring_sqe *sqe = next_sqe(service);

	if (!sqe)
		return -EBUSY;
	io_uring_prep_close(sqe, fd);
	tag(sqe, CLOSED, 0, 0);
	return 0;
}

/* ---- completions ---- */

static int received(struct ring_service *service, const struct io_uring_cqe *cqe, unsigned number)
{
	unsigned buffer = cqe->flags >> IORING_CQE_BUFFER_SHIFT;
	int error = 0;

	if (cqe->res <= 0 && cqe->res != -ENOBUFS)
		return cqe->res ? cqe->res : -ECONNRESET;
	if (cqe->res > 0 && service->setup.latency) {
		bench_service_note(service->setup.latency, buffer_at(service, buffer));
		provide(service, buffer);
	} else if (cqe->res > 0) {
		error = answer(service, number, buffer, (unsigned)cqe->res);
	}
	if (!error && !(cqe->flags & IORING_CQE_F_MORE))
		error = receive(service, number);
	return error ? error : cqe->res > 0;
}

/* How many messages or connections this one counts for. */
static int handle(struct ring_service *service, const struct io_uring_cqe *cqe)
{
	unsigned number = (unsigned)cqe->user_data;
	int error = 0;

	switch ((enum kind)(cqe->user_data >> 56)) {
	case RECEIVED:
		return received(service, cqe, number);
	case SENT:
		provide(service, (unsigned)(cqe->user_data >> 32) & 0xffff);
		return cqe->res < 0 ? cqe->res : 0;
	case ACCEPTED:
		if (cqe->res < 0)
			return cqe->res;
		if (!(cqe->flags & IORING_CQE_F_MORE))
			error = accept_more(service);
		if (!error)
			error = close_accepted(service, cqe->res);
		return error ? error : 1;
	case CLOSED:
		return cqe->res;
	}
	return -EINVAL;
}

static int ring_turn(void *state)
{
	struct ring_service *service = state;
	struct io_uring_cqe *cqe;
	unsigned head, seen = 0;
	int served = 0;
	int result = io_uring_submit_and_wait(&service->ring, 1);

	if (result < 0)
		return result == -EINTR ? 0 : result;
	io_uring_for_each_cqe (&service->ring, head, cqe) {
		result = handle(service, cqe);
		if (result < 0)
			return result;
		served += result;
		seen++;
	}
	io_uring_cq_advance(&service->ring, seen);
	show_provided(service);
	return served;
}

/* ---- life ---- */

/* Two for each connection: one that is being sent, and one for what may come meanwhile. */
static int set_up_buffers(struct ring_service *service)
{
	struct io_uring_buf_reg registration = {.bgid = GROUP};
	unsigned count = 16;
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	while (count < 2 * service->setup.count && count < BUFFERS_MOST)
		count *= 2;
	service->buffer_count = count;
	if (posix_memalign((void **)&service->provided, page, count * sizeof(struct io_uring_buf)))
		return -ENOMEM;
	service->buffers = calloc(count, BUFFER_SIZE);
	if (!service->buffers)
		return -ENOMEM;
	io_uring_buf_ring_init(service->provided);
	for (unsigned i = 0; i < count; i++)
		provide(service, i);
	show_provided(service);
	registration.ring_addr = (uintptr_t)service->provided;
	registration.ring_entries = count;
	return io_uring_register_buf_ring(&service->ring, &registration, 0);
}

/* By and by, for until it is closed each connection has two descriptors here. */
static int register_connections(struct ring_service *service)
{
	const unsigned most = 256;
	int *descriptors = service->setup.connections;
	unsigned count = service->setup.count;
	int error = io_uring_register_files_sparse(&service->ring, count);

	for (unsigned i = 0; !error && i < count; i += most) {
		unsigned part = count - i < most ? count - i : most;
		int done = io_uring_register_files_update(&service->ring, i, descriptors + i, part);

		if (done != (int)part)
			return done < 0 ? done : -EIO;
		for (unsigned n = i; n < i + part; n++)
			close(descriptors[n]);
	}
	return error;
}

static int ring_open(void **state, const struct service_setup *setup)
{
	struct io_uring_params params = {
		.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
			 IORING_SETUP_CQSIZE,
		.cq_entries = CQ_ENTRIES,
	};
	struct ring_service *service = calloc(1, sizeof(*service));
	int error;

	if (!service)
		return -ENOMEM;
	service->setup = *setup;
	error = io_uring_queue_init_params(SQ_ENTRIES, &service->ring, &params);
	if (error) {
		free(service);
		return error;
	}
	*state = service;
	error = set_up_buffers(service);
	if (!error && setup->registered)
		error = register_connections(service);
	for (unsigned i = 0; !error && i < setup->count; i++)
		error = receive(service, i);
	if (!error && setup->listener >= 0)
		error = accept_more(service);
	return error;
}

static void ring_close(void *state)
{
	struct ring_service *service = state;

	io_uring_queue_exit(&service->ring);
	free(service->provided);
	free(service->buffers);
	free(service);
}

const struct service bench_service_io_uring = {
	.open = ring_open,
	.turn = ring_turn,
	.close = ring_close,
};
