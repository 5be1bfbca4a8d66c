/* SPDX-License-Identifier: MIT */
/*
 * Description: bad input around buffer rings: registrations that are refused and with what, groups
 * that are not there, entries and tails that are nonsense, files that cannot be read.
 */
#include "buffers_helpers.h"

#define BAD_POINTER ((void *)8)

static struct buffers_registration good(void)
{
	return (struct buffers_registration){
		.ring_addr = (uintptr_t)buffers,
		.ring_entries = BUFFERS_ENTRIES,
		.bgid = BUFFERS_GROUP,
	};
}

static void number_of_entries(void **state)
{
	static const uint32_t bad[] = {0, 3, 7, 9, 65536, 1u << 31, UINT32_MAX};
	static const uint32_t possible[] = {1, 2, 8, 256, 32768};
	void *large = buffers_map(32768 * sizeof(struct io_uring_buf));
	struct buffers_registration reg = good();

	(void)state;
	reg.ring_addr = (uintptr_t)large;
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		reg.ring_entries = bad[i];
		assert_int_equal(buffers_register(reg), -EINVAL);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(possible); i++) {
		reg.ring_entries = possible[i];
		assert_int_equal(buffers_register(reg), 0);
		assert_int_equal(buffers_unregister(BUFFERS_GROUP), 0);
	}
	munmap(large, 32768 * sizeof(struct io_uring_buf));
}

static void fields_that_must_be_right(void **state)
{
	struct buffers_registration reg = good();

	(void)state;
	reg.flags = 4;
	assert_int_equal(buffers_register(reg), -EINVAL);
	reg = good();
	for (unsigned i = 0; i < ARRAY_SIZE(reg.resv); i++) {
		reg.resv[i] = 1;
		assert_int_equal(buffers_register(reg), -EINVAL);
		assert_int_equal(buffers_call(IORING_UNREGISTER_PBUF_RING, &reg, 1), -EINVAL);
		reg.resv[i] = 0;
	}
	assert_int_equal(buffers_head(BUFFERS_GROUP), -ENOENT);
	assert_int_equal(buffers_call(IORING_REGISTER_PBUF_RING, &reg, 0), -EINVAL);
	assert_int_equal(buffers_call(IORING_REGISTER_PBUF_RING, &reg, 2), -EINVAL);
	assert_int_equal(buffers_call(IORING_REGISTER_PBUF_RING, NULL, 1), -EINVAL);
	assert_int_equal(buffers_call(IORING_REGISTER_PBUF_RING, BAD_POINTER, 1), -EFAULT);
	assert_int_equal(buffers_register(reg), 0);
	/* Ending a group wants nothing but its number. */
	assert_int_equal(buffers_call(IORING_UNREGISTER_PBUF_RING, &reg, 0), -EINVAL);
	assert_int_equal(buffers_call(IORING_UNREGISTER_PBUF_RING, NULL, 1), -EINVAL);
	assert_int_equal(buffers_call(IORING_UNREGISTER_PBUF_RING, BAD_POINTER, 1), -EFAULT);
	reg.flags = IOU_PBUF_RING_MMAP;
	assert_int_equal(buffers_call(IORING_UNREGISTER_PBUF_RING, &reg, 1), -EINVAL);
	reg.flags = 0;
	reg.ring_entries = 5;
	reg.ring_addr = 1;
	assert_int_equal(buffers_call(IORING_UNREGISTER_PBUF_RING, &reg, 1), 0);
}

static void memory_of_the_ring(void **state)
{
	char *pages = buffers_map(2 * BUFFERS_PAGE);
	struct buffers_registration reg = good();

	(void)state;
	reg.ring_addr = 0;
	assert_int_equal(buffers_register(reg), -EFAULT);
	reg.ring_addr = (uintptr_t)buffers + sizeof(struct io_uring_buf);
	assert_int_equal(buffers_register(reg), -EINVAL);
	reg.ring_addr = BUFFERS_PAGE; /* nothing is mapped there */
	assert_int_equal(buffers_register(reg), -EFAULT);

	/* Exactly the page before the one that may not be touched. */
	assert_int_equal(mprotect(pages + BUFFERS_PAGE, BUFFERS_PAGE, PROT_NONE), 0);
	reg.ring_addr = (uintptr_t)pages;
	reg.ring_entries = 2 * BUFFERS_PAGE / sizeof(struct io_uring_buf);
	assert_int_equal(buffers_register(reg), -EFAULT);
	reg.ring_entries /= 2;
	assert_int_equal(buffers_register(reg), 0);
	assert_int_equal(buffers_unregister(BUFFERS_GROUP), 0);
	assert_int_equal(mprotect(pages, BUFFERS_PAGE, PROT_READ), 0);
	assert_int_equal(buffers_register(reg), -EFAULT);
	munmap(pages, 2 * BUFFERS_PAGE);
	assert_int_equal(buffers_register(reg), -EFAULT);
	assert_int_equal(buffers_head(BUFFERS_GROUP), -ENOENT);
}

static void group_that_exists(void **state)
{
	struct buffers_registration bad_address = good();

	(void)state;
	buffers_fresh_ring(0);
	assert_int_equal(buffers_register(good()), -EEXIST);
	bad_address.ring_addr = 1; /* looked at later */
	assert_int_equal(buffers_register(bad_address), -EEXIST);
	assert_int_equal(buffers_unregister(BUFFERS_GROUP), 0);
	assert_int_equal(buffers_provide(100, 1, 0), 0);
	assert_int_equal(buffers_register(good()), -EEXIST);
	/* Of a group of single buffers that is empty a ring can be made. */
	buffers_read(file, 1, 0);
	buffers_assert(harness_complete(&ring), 1, 0, 0);
	buffers_fresh_ring(0);
	assert_int_equal(buffers_provide(100, 1, 0), -EINVAL);
	assert_int_equal(buffers_remove(1, BUFFERS_GROUP), -EINVAL);
}

static void group_that_does_not_exist(void **state)
{
	struct io_uring_sqe *sqe;

	(void)state;
	assert_int_equal(buffers_unregister(77), -ENOENT);
	assert_int_equal(buffers_head(77), -ENOENT);
	sqe = buffers_read(file, 1, 0);
	sqe->buf_group = 77;
	buffers_assert_none(harness_complete(&ring), -ENOBUFS);
	sqe = buffers_read(pipe_fds[0], 1, 0);
	sqe->buf_group = 77;
	buffers_assert_none(harness_complete(&ring), -ENOBUFS);
	/* Single buffers are not ended like a ring, nor have they a head. */
	assert_int_equal(buffers_provide(100, 1, 0), 0);
	assert_int_equal(buffers_unregister(BUFFERS_GROUP), -EINVAL);
	assert_int_equal(buffers_head(BUFFERS_GROUP), -EINVAL);
}

static void status_call(void **state)
{
	struct io_uring_buf_status status = {.buf_group = BUFFERS_GROUP, .head = 12345};

	(void)state;
	buffers_fresh_ring(0);
	assert_int_equal(buffers_call(IORING_REGISTER_PBUF_STATUS, &status, 1), 0);
	assert_int_equal(status.head, 0);
	assert_int_equal(buffers_call(IORING_REGISTER_PBUF_STATUS, &status, 0), -EINVAL);
	assert_int_equal(buffers_call(IORING_REGISTER_PBUF_STATUS, &status, 2), -EINVAL);
	assert_int_equal(buffers_call(IORING_REGISTER_PBUF_STATUS, NULL, 1), -EINVAL);
	assert_int_equal(buffers_call(IORING_REGISTER_PBUF_STATUS, BAD_POINTER, 1), -EFAULT);
	for (unsigned i = 0; i < ARRAY_SIZE(status.resv); i++) {
		status.resv[i] = 1;
		assert_int_equal(buffers_call(IORING_REGISTER_PBUF_STATUS, &status, 1), -EINVAL);
		status.resv[i] = 0;
	}
	status.buf_group = 0x10000 | BUFFERS_GROUP;
	assert_int_equal(buffers_call(IORING_REGISTER_PBUF_STATUS, &status, 1), -ENOENT);
}

/* What cannot be read costs a buffer only where one had to be taken before. */
static void files_that_cannot_be_read(void **state)
{
	(void)state;
	buffers_fresh_ring(0);
	buffers_add(100, 0);
	buffers_read(-1, 10, 0);
	buffers_assert_none(harness_complete(&ring), -EBADF);
	buffers_read(pipe_fds[1], 10, 0);
	buffers_assert_none(harness_complete(&ring), -EBADF);
	buffers_read(pipe_fds[0], 10, 0)->rw_flags = 1 << 20;
	buffers_assert_none(harness_complete(&ring), -EOPNOTSUPP);
	buffers_read(pipe_fds[0], 10, 0)->rw_flags = RWF_NOWAIT;
	buffers_assert_none(harness_complete(&ring), -EAGAIN);
	assert_int_equal(buffers_head(BUFFERS_GROUP), 0);
	buffers_read(pipe_fds[0], 10, 0)->ioprio = 0xffff;
	assert_int_equal(harness_result(&ring), -EINVAL);
	buffers_read(file, 10, 0);
	buffers_assert(harness_complete(&ring), 10, 0, 0);
}

static void addresses_that_are_not_there(void **state)
{
	(void)state;
	buffers_fresh_ring(0);
	buffers_add_at(BAD_POINTER, 100, 1);
	buffers_write("abc");
	buffers_read(pipe_fds[0], 10, 0);
	buffers_assert_none(harness_complete(&ring), -EFAULT);
	assert_int_equal(buffers_head(BUFFERS_GROUP), 0);
	buffers_read(file, 10, 0);
	buffers_assert(harness_complete(&ring), -EFAULT, 1, 0);
	assert_int_equal(buffers_head(BUFFERS_GROUP), 1);
	buffers_add_at(NULL, 100, 2);
	buffers_read(pipe_fds[0], 10, 0);
	buffers_assert_none(harness_complete(&ring), -ENOBUFS);
	assert_int_equal(buffers_left_in_pipe(), 3);
}

static void no_room_in_the_buffer(void **state)
{
	(void)state;
	buffers_fresh_ring(0);
	buffers_add(0, 1);
	buffers_add(0, 2);
	buffers_read(file, 10, 0);
	buffers_assert(harness_complete(&ring), 0, 1, 0);
	buffers_write("abc");
	buffers_read(pipe_fds[0], 10, 0);
	buffers_assert(harness_complete(&ring), 0, 2, 0);
	assert_int_equal(buffers_head(BUFFERS_GROUP), 2);
}

/* A tail that is wrong makes entries of zeros available, and nothing worse. */
static void tail_that_is_nonsense(void **state)
{
	static const uint16_t tails[] = {2, 9, 1000, 32768, 65535};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(tails); i++) {
		buffers_fresh_ring(0);
		buffers_add(100, 3);
		__atomic_store_n(&buffers->tail, tails[i], __ATOMIC_RELEASE);
		buffers_write("a");
		buffers_read(pipe_fds[0], 10, 0);
		buffers_assert(harness_complete(&ring), 1, 3, 0);
		buffers_write("a");
		buffers_read(pipe_fds[0], 10, 0);
		buffers_assert_none(harness_complete(&ring), -ENOBUFS);
		assert_int_equal(buffers_left_in_pipe(), 1);
		assert_int_equal(buffers_head(BUFFERS_GROUP), 1);
		assert_int_equal(buffers_unregister(BUFFERS_GROUP), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BUFFERS_TEST(number_of_entries),	 BUFFERS_TEST(fields_that_must_be_right),
		BUFFERS_TEST(memory_of_the_ring),	 BUFFERS_TEST(group_that_exists),
		BUFFERS_TEST(group_that_does_not_exist), BUFFERS_TEST(status_call),
		BUFFERS_TEST(files_that_cannot_be_read), BUFFERS_TEST(addresses_that_are_not_there),
		BUFFERS_TEST(no_room_in_the_buffer),	 BUFFERS_TEST(tail_that_is_nonsense),
	};

	return harness_run(tests);
}
