/* SPDX-License-Identifier: MIT */
/*
 * arcp_data: the bytes of a regular file. The file is cut into chunks, several of which are in
 * flight at a time; a chunk has a buffer, and is read from the source and then written to the
 * target. With --verify a second round follows, in which each chunk is read from both sides and
 * compared. Holes are left out; the target is brought to its length at the end.
 *
 * The chunks are shared by all files. A file that finds none free waits in a queue, and a chunk
 * that becomes free goes to the longest waiting before its own file gets another.
 */
#include "arcp.h"

#include "progress.h"
#include "report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* By measurement: smaller ones cost more, larger ones gain nothing and take more memory. */
#define CHUNK_SIZE ((size_t)256 * 1024)

/* As many chunks of one file in flight keep it busy; writes to one file are one after another. */
#define CHUNKS_PER_FILE 4

/* One for each file in flight, but enough for a lone large file and not without bound. */
#define CHUNKS_MIN 16
#define CHUNKS_MAX 128

/* The part of a chunk that belongs to one file: source or target. */
struct side {
	struct pending pending;
	struct chunk *chunk;
	unsigned char *buffer;
	int buffer_index; /* as registered */
	size_t filled;
};

struct chunk {
	struct pending pending; /* the write */
	struct side sides[2];	/* source and, for comparison, target */
	unsigned reading;	/* sides not filled yet */
	struct job *job;
	off_t offset;
	size_t length;
	size_t written;
	struct chunk *next;
};

static struct chunk *chunks; /* all of them */
static unsigned char *memory;
static size_t memory_size;
static bool registered;
static struct chunk *free_chunks; /* the one used last comes first: its memory is in the cache */
static struct job *waiting;
static struct job **waiting_end = &waiting;

static void pump(struct job *job);

int data_open(unsigned jobs)
{
	unsigned count = jobs < CHUNKS_MIN ? CHUNKS_MIN : jobs < CHUNKS_MAX ? jobs : CHUNKS_MAX;
	unsigned sides = options.verify ? 2 : 1;
	struct iovec *buffers = allocate(count * sides * sizeof(*buffers));

	memory_size = count * sides * CHUNK_SIZE;
	memory =
		mmap(NULL, memory_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		return -errno;
	chunks = allocate(count * sizeof(*chunks));
	for (unsigned i = 0; i < count; i++) {
		struct chunk *chunk = &chunks[i];

		*chunk = (struct chunk){.next = free_chunks};
		free_chunks = chunk;
		for (unsigned side = 0; side < sides; side++) {
			unsigned index = i * sides + side;

			buffers[index] = (struct iovec){memory + index * CHUNK_SIZE, CHUNK_SIZE};
			chunk->sides[side] = (struct side){
				.chunk = chunk,
				.buffer = buffers[index].iov_base,
				.buffer_index = (int)index,
			};
		}
	}
	/* Registered buffers are cheaper; where they may not be locked, others do as well. */
	registered = loop_register_buffers(buffers, count * sides) == 0;
	free(buffers);
	return 0;
}

void data_close(void)
{
	munmap(memory, memory_size);
	free(chunks);
}

static bool stopped(const struct job *job)
{
	return job->failed || interrupted;
}

static void data_failed(struct job *job, int error, const char *format, const char *first,
			const char *second)
{
	if (!job->failed) /* the first message says it all */
		complain(error, format, first, second);
	job->failed = true;
}

/* Where data begin at or after FROM; END if there are none. */
static off_t next_data(int fd, off_t from, off_t end)
{
	off_t found = lseek(fd, from, SEEK_DATA);

	if (found < 0) /* ENXIO: only a hole is left. Otherwise: holes are not for us to see */
		return errno == ENXIO ? end : from;
	return found < end ? found : end;
}

static off_t next_hole(int fd, off_t from, off_t end)
{
	off_t found = lseek(fd, from, SEEK_HOLE);

	return found < 0 || found > end ? end : found;
}

/* Moves the cursor to the next data and finds their end; for a comparison, to what either side has.
 */
static void skip_hole(struct job *job)
{
	struct transfer *transfer = &job->transfer;
	off_t source = next_data(job->source_fd, transfer->cursor, transfer->end);
	off_t target;

	if (!transfer->verifying) {
		transfer->cursor = source;
		transfer->data_end = next_hole(job->source_fd, source, transfer->end);
		return;
	}
	target = next_data(job->target_fd, transfer->cursor, transfer->end);
	transfer->cursor = source < target ? source : target;
	source = next_hole(job->source_fd, transfer->cursor, transfer->end);
	target = next_hole(job->target_fd, transfer->cursor, transfer->end);
	transfer->data_end = source > target ? source : target;
}

/* True if there is more to hand out right now, which then begins at the cursor. */
static bool more(struct job *job)
{
	struct transfer *transfer = &job->transfer;

	if (stopped(job))
		return false;
	if (transfer->end == OFF_MAX) /* feel the way: the next chunk may find the end */
		return transfer->chunks == 0;
	if (transfer->sparse && transfer->cursor >= transfer->data_end &&
	    transfer->cursor < transfer->end)
		skip_hole(job);
	return transfer->cursor < transfer->end;
}

static void begin_round(struct job *job, bool verifying, off_t end, bool sparse)
{
	job->transfer = (struct transfer){
		.data_end = sparse ? 0 : end,
		.end = end,
		.sparse = sparse,
		.verifying = verifying,
	};
	pump(job);
}

void data_start(struct job *job)
{
	const struct stat *source = &job->attributes;

	/*
	 * Files of size 0 may well have content, namely in /proc: read until the end comes. The
	 * others are copied as long as they were when they were opened.
	 */
	begin_round(job, false, source->st_size ? source->st_size : OFF_MAX,
		    source->st_blocks < source->st_size / 512);
}

/* Looks at the copy's size before its bytes. False if that settles it. */
static bool same_size(struct job *job)
{
	struct stat target;

	if (fstat(job->target_fd, &target) < 0)
		data_failed(job, -errno, "cannot stat %s", job->target, NULL);
	else if (target.st_size != job->transfer.end)
		data_failed(job, 0, "%s and %s differ in size", job->source, job->target);
	return !job->failed;
}

static void round_done(struct job *job)
{
	struct transfer *transfer = &job->transfer;

	if (interrupted)
		job->failed = true;
	if (!job->failed && !transfer->verifying && transfer->sparse &&
	    ftruncate(job->target_fd, transfer->end) < 0)
		data_failed(job, -errno, "error writing %s", job->target, NULL);
	if (!job->failed && options.verify && !transfer->verifying && same_size(job))
		begin_round(job, true, transfer->end, transfer->sparse);
	else
		job_data_done(job);
}

static void release(struct chunk *chunk)
{
	struct job *job = chunk->job, *next = waiting;

	chunk->next = free_chunks;
	free_chunks = chunk;
	job->transfer.chunks--;
	if (next) {
		waiting = next->next;
		if (!waiting)
			waiting_end = &waiting;
		pump(next);
	}
	pump(job);
}

static void chunk_written(struct pending *pending, int result);

static void write_chunk(struct chunk *chunk)
{
	struct side *side = &chunk->sides[0];
	struct asyncring_sqe *sqe = loop_request();
	const void *from = side->buffer + chunk->written;
	unsigned length = (unsigned)(side->filled - chunk->written);
	__u64 offset = (__u64)chunk->offset + chunk->written;

	if (registered)
		asyncring_prep_write_fixed(sqe, chunk->job->target_fd, from, length, offset,
					   side->buffer_index);
	else
		asyncring_prep_write(sqe, chunk->job->target_fd, from, length, offset);
	loop_expect(sqe, &chunk->pending, chunk_written);
}

static void chunk_written(struct pending *pending, int result)
{
	struct chunk *chunk = container_of(pending, struct chunk, pending);

	if (result <= 0) {
		data_failed(chunk->job, result ? result : -EIO, "error writing %s",
			    chunk->job->target, NULL);
		release(chunk);
		return;
	}
	chunk->written += (size_t)result;
	progress_bytes((size_t)result);
	if (chunk->written < chunk->sides[0].filled)
		write_chunk(chunk);
	else
		release(chunk);
}

/* All that there is to read has been read. */
static void chunk_read(struct chunk *chunk)
{
	struct side *source = &chunk->sides[0], *target = &chunk->sides[1];
	struct job *job = chunk->job;
	off_t end = chunk->offset + (off_t)source->filled;

	if (!stopped(job) && source->filled < chunk->length && end < job->transfer.end)
		job->transfer.end = end; /* it ends here, sooner than its size said */
	if (stopped(job) || (source->filled == 0 && !job->transfer.verifying)) {
		release(chunk);
		return;
	}
	if (!job->transfer.verifying) {
		write_chunk(chunk);
		return;
	}
	progress_bytes(source->filled);
	if (source->filled != target->filled ||
	    memcmp(source->buffer, target->buffer, source->filled) != 0)
		data_failed(job, 0, "%s and %s differ", job->source, job->target);
	release(chunk);
}

static void side_read(struct pending *pending, int result);

static void read_side(struct side *side)
{
	struct chunk *chunk = side->chunk;
	struct job *job = chunk->job;
	struct asyncring_sqe *sqe = loop_request();
	int fd = side == &chunk->sides[0] ? job->source_fd : job->target_fd;
	unsigned char *to = side->buffer + side->filled;
	unsigned length = (unsigned)(chunk->length - side->filled);
	__u64 offset = (__u64)chunk->offset + side->filled;

	if (registered)
		asyncring_prep_read_fixed(sqe, fd, to, length, offset, side->buffer_index);
	else
		asyncring_prep_read(sqe, fd, to, length, offset);
	loop_expect(sqe, &side->pending, side_read);
}

static void side_read(struct pending *pending, int result)
{
	struct side *side = container_of(pending, struct side, pending);
	struct chunk *chunk = side->chunk;
	struct job *job = chunk->job;

	if (result < 0)
		data_failed(job, result, "error reading %s",
			    side == &chunk->sides[0] ? job->source : job->target, NULL);
	if (result > 0)
		side->filled += (size_t)result;
	if (result > 0 && side->filled < chunk->length)
		read_side(side); /* until nothing more comes */
	else if (--chunk->reading == 0)
		chunk_read(chunk);
}

static void read_chunk(struct job *job, struct chunk *chunk)
{
	struct transfer *transfer = &job->transfer;
	off_t end = transfer->sparse ? transfer->data_end : transfer->end;
	off_t left = end - transfer->cursor;

	chunk->job = job;
	chunk->offset = transfer->cursor;
	chunk->length = left < (off_t)CHUNK_SIZE ? (size_t)left : CHUNK_SIZE;
	chunk->written = 0;
	transfer->cursor += (off_t)chunk->length;
	transfer->chunks++;
	chunk->reading = transfer->verifying ? 2 : 1;
	for (unsigned side = 0; side < chunk->reading; side++) {
		chunk->sides[side].filled = 0;
		read_side(&chunk->sides[side]);
	}
}

/* Gives the file as many chunks as it can use; the round is over when it can use none. */
static void pump(struct job *job)
{
	struct transfer *transfer = &job->transfer;
	struct chunk *chunk;

	while (transfer->chunks < CHUNKS_PER_FILE && more(job)) {
		chunk = free_chunks;
		if (!chunk) {
			if (transfer->chunks == 0) { /* nothing of its own will come back */
				job->next = NULL;
				*waiting_end = job;
				waiting_end = &job->next;
			}
			return;
		}
		free_chunks = chunk->next;
		read_chunk(job, chunk);
	}
	if (transfer->chunks == 0)
		round_done(job);
}
