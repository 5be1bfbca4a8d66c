/* SPDX-License-Identifier: MIT */
/* Groups of provided buffers for the tests of multishot receives and of bundles. */
#ifndef CONFORMANCE_NET_BUFFERS_H
#define CONFORMANCE_NET_BUFFERS_H

#include "net_helpers.h"

/* A ring of provided buffers: buffer i has id i and lies at memory + i * size. */
struct net_buffers {
	struct io_uring_buf_ring *entries;
	char *memory;
	unsigned count; /* a power of two */
	unsigned size;
	uint16_t group;
};

static inline void net_provide(struct net_buffers *buffers, unsigned id)
{
	io_uring_buf_ring_add(buffers->entries, buffers->memory + (size_t)id * buffers->size,
			      buffers->size, (unsigned short)id,
			      io_uring_buf_ring_mask(buffers->count), 0);
	io_uring_buf_ring_advance(buffers->entries, 1);
}

/* Register group with count buffers of size bytes, of which the first provided are given. */
static inline void net_buffers_init(struct net_buffers *buffers, struct io_uring *ring,
				    uint16_t group, unsigned count, unsigned size,
				    unsigned provided)
{
	struct io_uring_buf_reg reg = {.ring_entries = count, .bgid = group};

	buffers->count = count;
	buffers->size = size;
	buffers->group = group;
	buffers->memory = calloc(count, size);
	buffers->entries = aligned_alloc(4096, 4096);
	assert_non_null(buffers->memory);
	assert_non_null(buffers->entries);
	assert_true(count * sizeof(struct io_uring_buf) <= 4096);
	io_uring_buf_ring_init(buffers->entries);
	reg.ring_addr = (uintptr_t)buffers->entries;
	assert_int_equal(io_uring_register_buf_ring(ring, &reg, 0), 0);
	for (unsigned i = 0; i < provided; i++)
		net_provide(buffers, i);
}

static inline void net_buffers_free(struct net_buffers *buffers, struct io_uring *ring)
{
	assert_int_equal(io_uring_unregister_buf_ring(ring, buffers->group), 0);
	free(buffers->entries);
	free(buffers->memory);
}

/* The buffer a completion names. */
static inline char *net_buffer_of(const struct net_buffers *buffers, const struct harness_cqe *cqe)
{
	unsigned id = cqe->flags >> IORING_CQE_BUFFER_SHIFT;

	assert_int_equal(cqe->flags & IORING_CQE_F_BUFFER, IORING_CQE_F_BUFFER);
	assert_in_range(id, 0, buffers->count - 1);
	return buffers->memory + (size_t)id * buffers->size;
}

/* Flags of a completion that took the buffer with this id. */
#define NET_BUFFER(id) (IORING_CQE_F_BUFFER | (uint32_t)(id) << IORING_CQE_BUFFER_SHIFT)

/* Prepare an operation with BUFFER_SELECT, as ops_prep does. */
#define net_prep_select(ring, data, buffers, prep, ...)                                            \
	({                                                                                         \
		struct io_uring_sqe *net_sqe =                                                     \
			ops_prep(ring, data, IOSQE_BUFFER_SELECT, prep, ##__VA_ARGS__);            \
                                                                                                   \
		net_sqe->buf_group = (buffers)->group;                                             \
		net_sqe;                                                                           \
	})

/* The next completion: this request's, with this text in buffer id, and these flags besides. */
#define net_expect_data(ring, buffers, data, text, id, more_flags)                                 \
	do {                                                                                       \
		struct harness_cqe data_cqe = harness_next(ring);                                  \
                                                                                                   \
		harness_assert_cqe(data_cqe, data, (int)strlen(text));                             \
		assert_int_equal(data_cqe.flags, NET_BUFFER(id) | (more_flags));                   \
		assert_memory_equal(net_buffer_of(buffers, &data_cqe), text, strlen(text));        \
	} while (0)

#endif /* CONFORMANCE_NET_BUFFERS_H */
