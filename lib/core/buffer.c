/* SPDX-License-Identifier: MIT */
/* Registered buffers. Everything that touches a table needs its ring's submit_lock. */
#include "buffer.h"

#include <asyncring.h>

#include "core.h"
#include "registered_ring.h"
#include "resources.h"

enum { BUFFERS_MAX = 1 << 14, BUFFER_BYTES_MAX = 1 << 30 };

struct buffer *asyncring__buffer_get(struct ring *ring, unsigned index)
{
	struct buffer *buffer = index < ring->buffers.count ? ring->buffers.slots[index] : NULL;

	if (buffer)
		/* Relaxed: the table's reference keeps it alive. */
		atomic_fetch_add_explicit(&buffer->references, 1, memory_order_relaxed);
	return buffer;
}

bool asyncring__buffer_tagged(const struct buffer *buffer)
{
	return buffer->tag != NULL;
}

void asyncring__buffer_put(struct buffer *buffer)
{
	/* Acquire-release: the tag comes after everything the other users did with the buffer. */
	if (atomic_fetch_sub_explicit(&buffer->references, 1, memory_order_acq_rel) != 1)
		return;
	if (buffer->tag)
		asyncring__cq_post_owned(buffer->ring, buffer->tag, true);
	asyncring__free(buffer);
}

int asyncring__buffer_contains(const struct buffer *buffer, uint64_t address, uint64_t length)
{
	uint64_t end;

	if (__builtin_add_overflow(address, length, &end))
		return -EFAULT;
	if (address < buffer->address || end > buffer->address + buffer->length)
		return -EFAULT;
	return 0;
}

/* With one reference and no tag. */
static struct buffer *new_buffer(struct ring *ring, uint64_t address, uint64_t length)
{
	struct buffer *buffer = asyncring__alloc_zeroed(1, sizeof(*buffer));

	if (!buffer)
		return NULL;
	buffer->address = address;
	buffer->length = length;
	buffer->ring = ring;
	atomic_store_explicit(&buffer->references, 1, memory_order_relaxed);
	return buffer;
}

static int check(const struct iovec *vector)
{
	uint64_t address = (uintptr_t)vector->iov_base, end;

	/* The bound that every vector of the kernel's has. */
	if ((ssize_t)vector->iov_len < 0)
		return -EINVAL;
	if (!address)
		return vector->iov_len ? -EFAULT : 0;
	if (!vector->iov_len || vector->iov_len > BUFFER_BYTES_MAX)
		return -EFAULT;
	/* Rounded up to whole pages it must not reach the end of all addresses. */
	if (__builtin_add_overflow(address, vector->iov_len + asyncring__page_size() - 1, &end))
		return -EOVERFLOW;
	return asyncring__memory_check(address, vector->iov_len);
}

static int make_buffer(struct ring *ring, const struct iovec *vector, uint64_t tag,
		       struct buffer **buffer)
{
	struct buffer *made = new_buffer(ring, (uintptr_t)vector->iov_base, vector->iov_len);

	if (!made)
		return -ENOMEM;
	if (tag) {
		made->tag = asyncring__tag_new(tag);
		if (!made->tag) {
			asyncring__buffer_put(made);
			return -ENOMEM;
		}
	}
	*buffer = made;
	return 0;
}

/*
 * The buffer that entry @index of the application's arrays describes; NULL in *buffer: none.
 * @sparse: there is no array of vectors, all entries are empty.
 */
static int read_buffer(struct ring *ring, uint64_t iovecs, uint64_t tags, unsigned index,
		       bool sparse, struct buffer **buffer)
{
	struct iovec vector = {0};
	uint64_t tag = 0;
	int error = 0;

	*buffer = NULL;
	if (!sparse)
		error = asyncring__copy_in(&vector, iovecs + index * sizeof(vector),
					   sizeof(vector));
	if (!error)
		error = check(&vector);
	if (!error && tags)
		error = asyncring__copy_in(&tag, tags + index * sizeof(tag), sizeof(tag));
	if (error)
		return error;
	if (!vector.iov_base)
		return tag ? -EINVAL : 0;
	return make_buffer(ring, &vector, tag, buffer);
}

static void replace(struct buffer **slot, struct buffer *buffer)
{
	struct buffer *old = *slot;

	*slot = buffer;
	if (old)
		asyncring__buffer_put(old);
}

/* A registration that failed is @silent: nobody learns by a tag that it was begun. */
static void drop_table(struct buffer_table *table, bool silent)
{
	for (unsigned i = 0; i < table->count; i++) {
		struct buffer *buffer = table->slots[i];

		if (!buffer)
			continue;
		if (silent) {
			asyncring__free(buffer->tag);
			buffer->tag = NULL;
		}
		asyncring__buffer_put(buffer);
	}
	asyncring__free(table->slots);
	*table = (struct buffer_table){0};
}

static int allocate_table(struct buffer_table *table, unsigned count)
{
	table->slots = asyncring__alloc_zeroed(count, sizeof(struct buffer *));
	table->count = table->slots ? count : 0;
	return table->slots ? 0 : -ENOMEM;
}

int asyncring__buffers_register(struct ring *ring, uint64_t iovecs, uint64_t tags, unsigned count,
				bool sparse)
{
	int error;

	if (ring->buffers.slots)
		return -EBUSY;
	if (!count || count > BUFFERS_MAX)
		return -EINVAL;
	error = allocate_table(&ring->buffers, count);
	for (unsigned i = 0; i < count && !error; i++)
		error = read_buffer(ring, iovecs, tags, i, sparse, &ring->buffers.slots[i]);
	if (error)
		drop_table(&ring->buffers, true);
	return error;
}

int asyncring__buffers_unregister(struct ring *ring)
{
	if (!ring->buffers.slots)
		return -ENXIO;
	drop_table(&ring->buffers, false);
	return 0;
}

int asyncring__buffers_update(struct ring *ring, unsigned offset, uint64_t iovecs, uint64_t tags,
			      unsigned count)
{
	struct buffer **slots = ring->buffers.slots;
	unsigned done, end;
	int error = 0;

	if (!slots)
		return -ENXIO;
	if (__builtin_add_overflow(offset, count, &end) || end > ring->buffers.count)
		return -EINVAL;
	for (done = 0; done < count; done++) {
		struct buffer *buffer;

		error = read_buffer(ring, iovecs, tags, done, false, &buffer);
		if (error)
			break;
		replace(&slots[offset + done], buffer);
	}
	return done ? (int)done : error;
}

/* ---- CLONE_BUFFERS ---- */

/* The range of @source's table to clone, copied for @ring; the source's submit_lock is held. */
static int copy_range(struct ring *ring, const struct ring *source,
		      struct asyncring_clone_buffers *clone, struct buffer_table *copies)
{
	unsigned available = source->buffers.count;
	unsigned end;
	int error;

	if (!clone->nr && (clone->dst_off || clone->src_off))
		return -EINVAL;
	if (!available)
		return -ENXIO;
	if (!clone->nr)
		clone->nr = available;
	else if (clone->nr > available)
		return -EINVAL;
	if (__builtin_add_overflow(clone->nr, clone->src_off, &end) || end > available)
		return -EOVERFLOW;
	error = allocate_table(copies, clone->nr);
	for (unsigned i = 0; i < clone->nr && !error; i++) {
		const struct buffer *buffer = source->buffers.slots[clone->src_off + i];

		if (!buffer)
			continue;
		copies->slots[i] = new_buffer(ring, buffer->address, buffer->length);
		if (!copies->slots[i])
			error = -ENOMEM;
	}
	return error;
}

/* Put @copies into the table of @ring, which grows if need be; submit_lock held. */
static int install_range(struct ring *ring, const struct asyncring_clone_buffers *clone,
			 struct buffer_table *copies)
{
	struct buffer_table *table = &ring->buffers;
	unsigned end;

	if (table->slots && !(clone->flags & ASYNCRING_REGISTER_DST_REPLACE))
		return -EBUSY;
	if (__builtin_add_overflow(clone->nr, clone->dst_off, &end))
		return -EOVERFLOW;
	if (end > BUFFERS_MAX)
		return -EINVAL;
	if (!table->slots || end > table->count) {
		struct buffer_table larger;

		if (allocate_table(&larger, end))
			return -ENOMEM;
		for (unsigned i = 0; table->slots && i < table->count; i++)
			larger.slots[i] = table->slots[i];
		asyncring__free(table->slots);
		*table = larger;
	}
	for (unsigned i = 0; i < clone->nr; i++) {
		replace(&table->slots[clone->dst_off + i], copies->slots[i]);
		copies->slots[i] = NULL;
	}
	return 0;
}

static bool has_buffers(struct ring *ring)
{
	bool has;

	ring_lock(ring);
	has = ring->buffers.slots != NULL;
	ring_unlock(ring);
	return has;
}

static int check_clone(struct ring *ring, const struct asyncring_clone_buffers *clone)
{
	if (clone->flags &
	    ~(uint32_t)(ASYNCRING_REGISTER_SRC_REGISTERED | ASYNCRING_REGISTER_DST_REPLACE))
		return -EINVAL;
	if (!(clone->flags & ASYNCRING_REGISTER_DST_REPLACE) && has_buffers(ring))
		return -EBUSY;
	for (size_t i = 0; i < sizeof(clone->pad) / sizeof(clone->pad[0]); i++)
		if (clone->pad[i])
			return -EINVAL;
	return 0;
}

static int clone_from(struct ring *ring, struct ring *source, struct asyncring_clone_buffers *clone)
{
	struct buffer_table copies = {0};
	int error = -EEXIST;

	ring_lock(source);
	if (!source->owner_thread || source->owner_thread == asyncring__thread_number())
		error = copy_range(ring, source, clone, &copies);
	ring_unlock(source);
	if (!error) {
		ring_lock(ring);
		error = install_range(ring, clone, &copies);
		ring_unlock(ring);
	}
	drop_table(&copies, true);
	return error;
}

int asyncring__buffers_clone(struct ring *ring, uint64_t arg)
{
	struct asyncring_clone_buffers clone;
	struct ring *source;
	int error;

	if (asyncring__copy_in(&clone, arg, sizeof(clone)))
		return -EFAULT;
	error = check_clone(ring, &clone);
	if (error)
		return error;
	if (clone.flags & ASYNCRING_REGISTER_SRC_REGISTERED)
		source = asyncring__registered_ring_get(clone.src_fd, &error);
	else
		source = asyncring__ring_get(clone.src_fd, &error);
	if (!source)
		return error;
	error = clone_from(ring, source, &clone);
	asyncring__ring_put(source);
	return error;
}
