/* SPDX-License-Identifier: MIT */
/*
 * arhttpd: the ring, with what is registered with it: slots for connections, buffers that receives
 * take as they need them, and buffers that files are read into.
 *
 * Most requests (a receive of what is there, an open, a read of what is cached, a send for which
 * there is room) are done when submitting returns, so a turn first submits and looks, and only if
 * there is nothing to do it asks for what has become ready, which takes a system call. Who is
 * always served at once could keep all others waiting that way, so every few turns it asks anyway.
 */
#include "arhttpd.h"

#include "report.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

enum {
	ENTRIES = 4096,	    /* twice as many completions can be there at a time */
	BUFFER_SIZE = 4096, /* more than the requests of browsers have */
	BUFFERS = 2048,	    /* in use for as long as it takes to look at them: few are enough */
	BUFFER_GROUP = 0,
	CHUNKS = 64, /* in use while a file is read, and sent as far as there is room */
	CHUNK_BUFFER = 0,
	TURNS_IN_A_ROW = 16,
};

static struct asyncring *ring;
static struct asyncring_buf_ring *buffer_ring;
static char *buffers;
static struct chunk chunks[CHUNKS];
static struct chunk *free_chunks;
static unsigned turns;

static void *map(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

static int open_buffers(void)
{
	int error = 0;

	buffers = map((size_t)BUFFERS * BUFFER_SIZE);
	if (!buffers)
		return -errno;
	buffer_ring = asyncring_setup_buf_ring(ring, BUFFERS, BUFFER_GROUP, 0, &error);
	if (!buffer_ring)
		return error;
	for (unsigned i = 0; i < BUFFERS; i++)
		asyncring_buf_ring_add(buffer_ring, buffers + (size_t)i * BUFFER_SIZE, BUFFER_SIZE,
				       (unsigned short)i, asyncring_buf_ring_mask(BUFFERS), (int)i);
	asyncring_buf_ring_advance(buffer_ring, BUFFERS);
	return 0;
}

static int open_chunks(void)
{
	const size_t size = CHUNK_HEAD + CHUNK_BODY;
	struct iovec all = {map(CHUNKS * size), CHUNKS * size};

	if (!all.iov_base)
		return -errno;
	for (unsigned i = 0; i < CHUNKS; i++) {
		chunks[i].body = (char *)all.iov_base + i * size + CHUNK_HEAD;
		chunk_put(&chunks[i]);
	}
	return asyncring_register_buffers(ring, &all, 1);
}

int ring_open(unsigned files)
{
	int error = loop_open(ENTRIES);

	ring = loop_ring();
	if (!error)
		error = asyncring_register_files_sparse(ring, files);
	if (!error)
		error = open_buffers();
	return error ? error : open_chunks();
}

/* A signal came, or there is a shortage that completions will end. */
static bool transient(int error)
{
	return error == -EINTR || error == -ETIME || error == -EAGAIN || error == -EBUSY;
}

void ring_make_room(unsigned count)
{
	while (asyncring_sq_space_left(ring) < count) {
		int result = asyncring_submit(ring);

		if (result < 0 && !transient(result)) {
			report(result, "cannot submit requests", NULL, NULL);
			exit(EXIT_FAILURE);
		}
	}
}

void ring_select_buffer(struct asyncring_sqe *sqe)
{
	sqe->flags |= ASYNCRING_SQE_BUFFER_SELECT;
	sqe->buf_group = BUFFER_GROUP;
}

static char *buffer(unsigned flags)
{
	return buffers + (size_t)(flags >> ASYNCRING_CQE_BUFFER_SHIFT) * BUFFER_SIZE;
}

const char *ring_buffer(unsigned flags)
{
	return buffer(flags);
}

void ring_give_back(unsigned flags)
{
	asyncring_buf_ring_add(buffer_ring, buffer(flags), BUFFER_SIZE,
			       (unsigned short)(flags >> ASYNCRING_CQE_BUFFER_SHIFT),
			       asyncring_buf_ring_mask(BUFFERS), 0);
	asyncring_buf_ring_advance(buffer_ring, 1);
}

int ring_turn(void)
{
	int result = 0;

	if (asyncring_cq_ready(ring) == 0)
		result = asyncring_submit(ring);
	if (asyncring_cq_ready(ring) == 0) {
		turns = 0;
		return loop_wait(1, NULL);
	}
	if (++turns == TURNS_IN_A_ROW) {
		turns = 0;
		result = asyncring_submit_and_get_events(ring);
	}
	return result < 0 && !transient(result) ? result : loop_wait(0, NULL);
}

void ring_close(void)
{
	loop_close();
	munmap(buffer_ring, BUFFERS * sizeof(struct asyncring_buf));
	munmap(buffers, (size_t)BUFFERS * BUFFER_SIZE);
	munmap(chunks[0].body - CHUNK_HEAD, CHUNKS * (size_t)(CHUNK_HEAD + CHUNK_BODY));
}

/* ---- chunks ---- */

struct chunk *chunk_take(void)
{
	struct chunk *chunk = free_chunks;

	if (chunk)
		free_chunks = chunk->next;
	return chunk;
}

void chunk_put(struct chunk *chunk)
{
	/* The one used last comes first: it is still in the processor's cache. */
	chunk->next = free_chunks;
	free_chunks = chunk;
}

void chunk_prepare_read(struct asyncring_sqe *sqe, const struct chunk *chunk, int fd,
			unsigned length, int64_t offset)
{
	asyncring_prep_read_fixed(sqe, fd, chunk->body, length, (uint64_t)offset, CHUNK_BUFFER);
}
