/* SPDX-License-Identifier: MIT */
/*
 * What the tests of provided buffers share: one group in a ring of eight entries, eight buffers of
 * a page each, a file and a pipe to read from.
 *
 * Helpers assert and therefore belong to the main thread, as harness.h says of its own.
 */
#ifndef CONFORMANCE_BUFFERS_HELPERS_H
#define CONFORMANCE_BUFFERS_HELPERS_H

#include "harness.h"

enum {
	BUFFERS_PAGE = 4096,
	BUFFERS_ENTRIES = 8,
	BUFFERS_GROUP = 1,
	BUFFERS_FILE = 10000, /* bytes in the file */
};

/*
 * Argument of REGISTER_PBUF_RING and UNREGISTER_PBUF_RING with all its members, which headers got
 * one after the other.
 */
struct buffers_registration {
	uint64_t ring_addr;
	uint32_t ring_entries;
	uint16_t bgid;
	uint16_t flags;
	uint32_t min_left;
	uint32_t resv[5];
};

static struct io_uring ring;
static struct io_uring_buf_ring *buffers; /* the ring of the group */
static char *memory;			  /* buffer i is page i */
static int file, pipe_fds[2];

static inline int buffers_call(unsigned opcode, const void *arg, unsigned count)
{
	return io_uring_register((unsigned)ring.ring_fd, opcode, (void *)(uintptr_t)arg, count);
}

static inline int buffers_register(struct buffers_registration reg)
{
	return buffers_call(IORING_REGISTER_PBUF_RING, &reg, 1);
}

static inline int buffers_unregister(unsigned group)
{
	struct buffers_registration reg = {.bgid = (uint16_t)group};

	return buffers_call(IORING_UNREGISTER_PBUF_RING, &reg, 1);
}

/* Where the group's ring is, or the error that asking for it gives. */
static inline int buffers_head(unsigned group)
{
	uint16_t head = 0;
	int ret = io_uring_buf_ring_head(&ring, (int)group, &head);

	return ret ? ret : head;
}

static inline void *buffers_map(size_t size)
{
	void *mapped = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(mapped, MAP_FAILED);
	return mapped;
}

static inline char *buffers_at(unsigned id)
{
	return memory + (size_t)id * BUFFERS_PAGE;
}

/* The group as an empty ring. */
static inline void buffers_fresh_ring(unsigned flags)
{
	memset(buffers, 0, BUFFERS_PAGE);
	assert_int_equal(buffers_register((struct buffers_registration){
				 .ring_addr = (uintptr_t)buffers,
				 .ring_entries = BUFFERS_ENTRIES,
				 .bgid = BUFFERS_GROUP,
				 .flags = (uint16_t)flags,
			 }),
			 0);
}

/* Add any memory to the ring. */
static inline void buffers_add_at(void *address, unsigned length, unsigned id)
{
	io_uring_buf_ring_add(buffers, address, length, (unsigned short)id,
			      io_uring_buf_ring_mask(BUFFERS_ENTRIES), 0);
	io_uring_buf_ring_advance(buffers, 1);
}

/* Add the first length bytes of buffer id to the ring. */
static inline void buffers_add(unsigned length, unsigned id)
{
	buffers_add_at(buffers_at(id), length, id);
}

/* PROVIDE_BUFFERS: count pages from buffer id on; the result. */
static inline int buffers_provide(unsigned length, unsigned count, unsigned id)
{
	struct io_uring_sqe *sqe = harness_sqe(&ring);

	io_uring_prep_provide_buffers(sqe, buffers_at(id), (int)length, (int)count, BUFFERS_GROUP,
				      (int)id);
	return harness_result(&ring);
}

static inline int buffers_remove(unsigned count, unsigned group)
{
	struct io_uring_sqe *sqe = harness_sqe(&ring);

	io_uring_prep_remove_buffers(sqe, (int)count, (int)group);
	return harness_result(&ring);
}

/* A read of up to length bytes into a buffer of the group, not yet submitted. */
static inline struct io_uring_sqe *buffers_read(int fd, unsigned length, uint64_t offset)
{
	struct io_uring_sqe *sqe = harness_sqe(&ring);

	io_uring_prep_read(sqe, fd, NULL, length, offset);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = BUFFERS_GROUP;
	return sqe;
}

static inline void buffers_write(const char *text)
{
	assert_int_equal(write(pipe_fds[1], text, strlen(text)), strlen(text));
}

/* Bytes in the pipe that nobody has read. */
static inline int buffers_left_in_pipe(void)
{
	char rest[BUFFERS_PAGE];

	return harness_readable(pipe_fds[0]) ? (int)read(pipe_fds[0], rest, sizeof(rest)) : 0;
}

/* The completion has this result and comes with buffer id and these other flags. */
#define buffers_assert(cqe, want_res, id, other_flags)                                             \
	do {                                                                                       \
		const struct harness_cqe got = (cqe);                                              \
                                                                                                   \
		assert_int_equal(got.res, want_res);                                               \
		assert_int_equal(got.flags, IORING_CQE_F_BUFFER | (other_flags) |                  \
						    (uint32_t)(id) << IORING_CQE_BUFFER_SHIFT);    \
	} while (0)

/* The completion has this result and comes without a buffer, or any other flag. */
#define buffers_assert_none(cqe, want_res)                                                         \
	do {                                                                                       \
		const struct harness_cqe got = (cqe);                                              \
                                                                                                   \
		assert_int_equal(got.res, want_res);                                               \
		assert_int_equal(got.flags, 0);                                                    \
	} while (0)

static inline int buffers_setup(void **state)
{
	(void)state;
	harness_init(&ring, 8, 0);
	buffers = buffers_map(BUFFERS_PAGE);
	memory = buffers_map((BUFFERS_ENTRIES + 1) * BUFFERS_PAGE);
	file = harness_temp_file(BUFFERS_FILE);
	harness_pipe(pipe_fds);
	return 0;
}

static inline int buffers_teardown(void **state)
{
	(void)state;
	io_uring_queue_exit(&ring);
	munmap(buffers, BUFFERS_PAGE);
	munmap(memory, (BUFFERS_ENTRIES + 1) * BUFFERS_PAGE);
	close(file);
	harness_close_pipe(pipe_fds);
	return 0;
}

#define BUFFERS_TEST(name) cmocka_unit_test_setup_teardown(name, buffers_setup, buffers_teardown)

#endif /* CONFORMANCE_BUFFERS_HELPERS_H */
