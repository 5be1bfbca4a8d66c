/* SPDX-License-Identifier: MIT */
/*
 * Rings without liburing's application side, for tests that look at the ring memory itself: what a
 * program does that issues the three calls and touches heads, tails and entries on its own.
 *
 * Part of harness.h, which includes it; nothing else should.
 */
#ifndef CONFORMANCE_HARNESS_RAW_H
#define CONFORMANCE_HARNESS_RAW_H

/* A ring as io_uring_setup() gives it, with the pointers that its offsets stand for. */
struct harness_raw {
	int fd;
	struct io_uring_params params;
	char *rings;
	char *sqes;
	size_t rings_size;
	size_t sqes_size;
	unsigned *sq_head;
	unsigned *sq_tail;
	unsigned *sq_mask;
	unsigned *sq_entries;
	unsigned *sq_flags;
	unsigned *sq_dropped;
	unsigned *sq_array; /* NULL with NO_SQARRAY */
	unsigned *cq_head;
	unsigned *cq_tail;
	unsigned *cq_mask;
	unsigned *cq_entries;
	unsigned *cq_flags;
	unsigned *cq_overflow;
	char *cqes;
};

static inline size_t harness_sqe_size(const struct io_uring_params *params)
{
	return params->flags & IORING_SETUP_SQE128 ? 128 : 64;
}

static inline size_t harness_cqe_size(const struct io_uring_params *params)
{
	return params->flags & IORING_SETUP_CQE32 ? 32 : 16;
}

/* Bytes from the start of the ring memory to the end of what lies last in it. */
static inline size_t harness_rings_size(const struct io_uring_params *params)
{
	size_t cqes_end = params->cq_off.cqes + params->cq_entries * harness_cqe_size(params);
	size_t array_end = params->sq_off.array + params->sq_entries * sizeof(unsigned);

	if (params->flags & IORING_SETUP_NO_SQARRAY)
		return cqes_end;
	return cqes_end > array_end ? cqes_end : array_end;
}

/* Set the pointers from params' offsets, for a ring whose memory is at rings and sqes. */
static inline void harness_point(struct harness_raw *raw, void *rings, void *sqes)
{
	const struct io_uring_params *params = &raw->params;
	char *base = rings;

	raw->rings = base;
	raw->sqes = sqes;
	raw->rings_size = harness_rings_size(params);
	raw->sqes_size = params->sq_entries * harness_sqe_size(params);
	raw->sq_head = (unsigned *)(base + params->sq_off.head);
	raw->sq_tail = (unsigned *)(base + params->sq_off.tail);
	raw->sq_mask = (unsigned *)(base + params->sq_off.ring_mask);
	raw->sq_entries = (unsigned *)(base + params->sq_off.ring_entries);
	raw->sq_flags = (unsigned *)(base + params->sq_off.flags);
	raw->sq_dropped = (unsigned *)(base + params->sq_off.dropped);
	raw->sq_array = params->flags & IORING_SETUP_NO_SQARRAY
				? NULL
				: (unsigned *)(base + params->sq_off.array);
	raw->cq_head = (unsigned *)(base + params->cq_off.head);
	raw->cq_tail = (unsigned *)(base + params->cq_off.tail);
	raw->cq_mask = (unsigned *)(base + params->cq_off.ring_mask);
	raw->cq_entries = (unsigned *)(base + params->cq_off.ring_entries);
	raw->cq_flags = (unsigned *)(base + params->cq_off.flags);
	raw->cq_overflow = (unsigned *)(base + params->cq_off.overflow);
	raw->cqes = base + params->cq_off.cqes;
}

/*
 * Reach the memory of a ring that was set up without NO_MMAP: raw->fd and raw->params are filled in
 * by the caller, the rest here. The kernel's is mapped, asyncring hands out addresses.
 */
static inline int harness_map(struct harness_raw *raw)
{
	void *rings, *sqes;

#ifdef TEST_ORACLE
	int protection = PROT_READ | PROT_WRITE;
	int flags = MAP_SHARED | MAP_POPULATE;

	rings = mmap(NULL, harness_rings_size(&raw->params), protection, flags, raw->fd,
		     IORING_OFF_SQ_RING);
	sqes = mmap(NULL, raw->params.sq_entries * harness_sqe_size(&raw->params), protection,
		    flags, raw->fd, IORING_OFF_SQES);
	if (rings == MAP_FAILED || sqes == MAP_FAILED)
		return -errno;
#else
	rings = (void *)(uintptr_t)raw->params.cq_off.user_addr;
	sqes = (void *)(uintptr_t)raw->params.sq_off.user_addr;
	if (!rings || !sqes)
		return -EFAULT;
#endif
	harness_point(raw, rings, sqes);
	return 0;
}

static inline void harness_raw_setup_at(struct harness_raw *raw, unsigned entries,
					const struct io_uring_params *params, const char *file,
					int line)
{
	int ret;

	memset(raw, 0, sizeof(*raw));
	if (params)
		raw->params = *params;
	raw->fd = io_uring_setup(entries, &raw->params);
	if (raw->fd < 0) {
		print_error("io_uring_setup: %s\n", strerror(-raw->fd));
		_fail(file, line);
	}
	ret = harness_map(raw);
	_assert_int_equal(cast_to_largest_integral_type(ret), 0, file, line);
}

/* Set a raw ring up (params may be NULL: no flags) and map it, or the test fails. */
#define harness_raw_setup(raw, entries, params)                                                    \
	harness_raw_setup_at(raw, entries, params, __FILE__, __LINE__)

static inline void harness_raw_close(struct harness_raw *raw)
{
#ifdef TEST_ORACLE
	if (!(raw->params.flags & IORING_SETUP_NO_MMAP)) {
		munmap(raw->rings, raw->rings_size);
		munmap(raw->sqes, raw->sqes_size);
	}
#endif
	harness_close_ring(raw->fd);
}

/* The SQE slot with this number, zeroed. */
static inline struct io_uring_sqe *harness_raw_sqe(struct harness_raw *raw, unsigned slot)
{
	size_t size = harness_sqe_size(&raw->params);

	return memset(raw->sqes + slot * size, 0, size);
}

/* The CQE at this CQ index (masked here). In a mixed ring a 32-byte CQE begins there all the same.
 */
static inline struct io_uring_cqe *harness_raw_cqe(struct harness_raw *raw, unsigned index)
{
	index &= raw->params.cq_entries - 1;
	return (struct io_uring_cqe *)(raw->cqes + index * harness_cqe_size(&raw->params));
}

static inline unsigned harness_load(const unsigned *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static inline void harness_store(unsigned *word, unsigned value)
{
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
}

/* Put SQE slot into the SQ (through the array where there is one) and move the tail. */
static inline void harness_raw_queue(struct harness_raw *raw, unsigned slot)
{
	unsigned tail = *raw->sq_tail;

	if (raw->sq_array)
		raw->sq_array[tail & *raw->sq_mask] = slot;
	harness_store(raw->sq_tail, tail + 1);
}

static inline unsigned harness_raw_ready(struct harness_raw *raw)
{
	return harness_load(raw->cq_tail) - *raw->cq_head;
}

#endif /* CONFORMANCE_HARNESS_RAW_H */
