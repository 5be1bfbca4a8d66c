/* SPDX-License-Identifier: MIT */
/*
 * arsum_read: reads many files at once, several chunks of each. Reads end in any order; a checksum
 * wants the bytes in theirs, so each file has its chunks in a small ring of slots and takes from
 * its head what has been read.
 */
#include "arsum.h"

#include "loop.h"
#include "report.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define FILES_IN_FLIGHT 16
#define SLOTS		4
#define CHUNK_SIZE	((size_t)128 * 1024)

/* A chunk of a file. */
struct slot {
	struct pending pending;
	struct reader *reader;
	unsigned char *buffer;
	int buffer_index; /* as registered */
	off_t offset;
	size_t length; /* what is to be read */
	size_t filled; /* what has been read so far */
	bool ready;    /* and there will be no more */
};

/* A file that is being read. */
struct reader {
	struct pending pending;
	struct sum *sum; /* NULL if there is no file for this reader any more */
	struct digest *digest;
	struct slot slots[SLOTS];
	unsigned long head, tail; /* chunks from head to tail are in their slots */
	int fd;
	bool seekable; /* else each read goes on where the file stands, one at a time */
	off_t cursor;  /* where the next chunk begins */
	off_t end;     /* INT64_MAX as long as nobody knows */
};

static struct reader readers[FILES_IN_FLIGHT];
static bool registered;
static struct sums *all;
static size_t begun, reported;
static void (*when_finished)(const struct sum *sum);

static void next_file(struct reader *reader);

/* Reports what is ready in the order of the list. */
static void finished(struct sum *sum)
{
	sum->done = true;
	while (reported < all->count && all->list[reported].done)
		when_finished(&all->list[reported++]);
}

static void file_done(struct reader *reader)
{
	struct asyncring_sqe *sqe = loop_request();
	struct sum *sum = reader->sum;

	asyncring_prep_close(sqe, reader->fd);
	loop_forget(sqe);
	digest_finish(reader->digest, sum->text);
	finished(sum);
	next_file(reader);
}

static void slot_read(struct pending *pending, int result);

static void read_slot(struct slot *slot)
{
	struct asyncring_sqe *sqe = loop_request();
	struct reader *reader = slot->reader;
	unsigned char *to = slot->buffer + slot->filled;
	unsigned length = (unsigned)(slot->length - slot->filled);
	__u64 offset = reader->seekable ? (__u64)slot->offset + slot->filled : (__u64)-1;

	if (registered)
		asyncring_prep_read_fixed(sqe, reader->fd, to, length, offset, slot->buffer_index);
	else
		asyncring_prep_read(sqe, reader->fd, to, length, offset);
	loop_expect(sqe, &slot->pending, slot_read);
}

/* True if another chunk can be asked for right now. */
static bool more(const struct reader *reader)
{
	unsigned long limit = reader->end == INT64_MAX ? 1 : SLOTS;

	return !reader->sum->error && reader->cursor < reader->end &&
	       reader->tail - reader->head < limit;
}

static void pump(struct reader *reader)
{
	while (more(reader)) {
		struct slot *slot = &reader->slots[reader->tail++ % SLOTS];
		off_t left = reader->end - reader->cursor;

		slot->offset = reader->cursor;
		slot->length = left < (off_t)CHUNK_SIZE ? (size_t)left : CHUNK_SIZE;
		slot->filled = 0;
		slot->ready = false;
		reader->cursor += (off_t)slot->length;
		read_slot(slot);
	}
	if (reader->head == reader->tail)
		file_done(reader);
}

/* Feeds the digest with what has been read in a row from the head on. */
static void digest_ready(struct reader *reader)
{
	while (reader->head != reader->tail) {
		struct slot *slot = &reader->slots[reader->head % SLOTS];

		if (!slot->ready)
			break;
		if (slot->offset < reader->end)
			digest_update(reader->digest, slot->buffer, slot->filled);
		if (slot->filled < slot->length && reader->end > slot->offset + (off_t)slot->filled)
			reader->end = slot->offset + (off_t)slot->filled;
		reader->head++;
	}
	pump(reader);
}

static void slot_read(struct pending *pending, int result)
{
	struct slot *slot = container_of(pending, struct slot, pending);
	struct reader *reader = slot->reader;

	if (result > 0)
		slot->filled += (size_t)result;
	if (result > 0 && slot->filled < slot->length) {
		read_slot(slot); /* until nothing more comes */
		return;
	}
	if (result < 0)
		reader->sum->error = result;
	slot->ready = true;
	digest_ready(reader);
}

static void opened(struct pending *pending, int result)
{
	struct reader *reader = container_of(pending, struct reader, pending);
	struct stat attributes = {0};

	if (result < 0) {
		reader->sum->error = result;
		finished(reader->sum);
		next_file(reader);
		return;
	}
	reader->fd = result;
	reader->digest = digest_new(reader->sum->algorithm);
	reader->head = reader->tail = 0;
	reader->cursor = 0;
	if (fstat(reader->fd, &attributes) < 0)
		reader->sum->error = -errno;
	reader->seekable = S_ISREG(attributes.st_mode);
	/* What has no size, as files in /proc, is read until it ends. */
	reader->end = reader->seekable && attributes.st_size ? attributes.st_size : INT64_MAX;
	pump(reader);
}

static void next_file(struct reader *reader)
{
	struct asyncring_sqe *sqe;

	reader->sum = NULL;
	if (begun == all->count)
		return;
	reader->sum = &all->list[begun++];
	sqe = loop_request();
	asyncring_prep_openat(sqe, AT_FDCWD, reader->sum->path, O_RDONLY | O_NOCTTY | O_CLOEXEC, 0);
	loop_expect(sqe, &reader->pending, opened);
}

static int set_up_buffers(void)
{
	static struct iovec buffers[FILES_IN_FLIGHT * SLOTS];
	unsigned char *memory = mmap(NULL, FILES_IN_FLIGHT * SLOTS * CHUNK_SIZE,
				     PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return -errno;
	for (size_t i = 0; i < FILES_IN_FLIGHT * SLOTS; i++) {
		struct slot *slot = &readers[i / SLOTS].slots[i % SLOTS];

		buffers[i] = (struct iovec){memory + i * CHUNK_SIZE, CHUNK_SIZE};
		slot->reader = &readers[i / SLOTS];
		slot->buffer = buffers[i].iov_base;
		slot->buffer_index = (int)i;
	}
	/* Registered buffers are cheaper; where they may not be locked, others do as well. */
	registered = loop_register_buffers(buffers, FILES_IN_FLIGHT * SLOTS) == 0;
	return 0;
}

int sums_compute(struct sums *sums, void (*report_one)(const struct sum *sum))
{
	int error;

	all = sums;
	when_finished = report_one;
	error = loop_open(4 * FILES_IN_FLIGHT * SLOTS);
	if (!error)
		error = set_up_buffers();
	if (error)
		return error;
	for (size_t i = 0; i < FILES_IN_FLIGHT; i++)
		next_file(&readers[i]);
	while (!error && loop_outstanding() > 0)
		error = loop_run(NULL);
	loop_close();
	return error;
}
