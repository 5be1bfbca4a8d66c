/* SPDX-License-Identifier: MIT */
/*
 * arecho's buffers: one piece of memory, divided up, provided to the ring as one group. A buffer is
 * in the ring, or named by a completion nobody has looked at yet, or a connection's.
 */
#include "arecho.h"
#include "loop.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#define GROUP 0

static struct asyncring_buf_ring *provided;
static struct buffer *buffers;
static char *memory;
static unsigned buffer_count, buffer_size;
static unsigned left;	 /* in the ring */
static unsigned unshown; /* written to the ring, which has not been told yet */

int buffers_open(unsigned count, unsigned size)
{
	int error = 0;

	buffer_count = count;
	buffer_size = size;
	buffers = calloc(count, sizeof(*buffers));
	memory = mmap(NULL, (size_t)count * size, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (!buffers || memory == MAP_FAILED)
		return -ENOMEM;
	provided = asyncring_setup_buf_ring(loop_ring(), count, GROUP, 0, &error);
	if (!provided)
		return error;
	for (unsigned id = 0; id < count; id++)
		buffer_give_back(&buffers[id]);
	buffers_show();
	return 0;
}

void buffers_close(void)
{
	asyncring_free_buf_ring(loop_ring(), provided, buffer_count, GROUP);
	munmap(memory, (size_t)buffer_count * buffer_size);
	free(buffers);
}

unsigned short buffers_group(void)
{
	return GROUP;
}

struct buffer *buffer_take(unsigned id, unsigned length)
{
	struct buffer *buffer = &buffers[id];

	left--;
	buffer->next = NULL;
	buffer->length = length;
	return buffer;
}

char *buffer_data(const struct buffer *buffer)
{
	return memory + (size_t)(buffer - buffers) * buffer_size;
}

void buffer_give_back(struct buffer *buffer)
{
	asyncring_buf_ring_add(provided, buffer_data(buffer), buffer_size,
			       (unsigned short)(buffer - buffers),
			       asyncring_buf_ring_mask(buffer_count), (int)unshown);
	unshown++;
}

void buffers_show(void)
{
	asyncring_buf_ring_advance(provided, (int)unshown);
	left += unshown;
	unshown = 0;
}

unsigned buffers_left(void)
{
	return left;
}
