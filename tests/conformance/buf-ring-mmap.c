/* SPDX-License-Identifier: MIT */
/*
 * Description: buffer rings whose memory is not the application's (PBUF_RING_MMAP). The kernel
 * hands it out by mmap(2) of the ring's descriptor, this library tells its address in the
 * registration; from then on there is no difference: the application's view of it is its own, may
 * go before the group, and outlives it.
 */
#include "buffers_helpers.h"

enum { MAPPED_GROUP = 5 };

static size_t view_size(unsigned entries)
{
	return entries * sizeof(struct io_uring_buf);
}

static struct buffers_registration mapped(unsigned entries, unsigned flags)
{
	return (struct buffers_registration){
		.ring_entries = entries,
		.bgid = MAPPED_GROUP,
		.flags = (uint16_t)(IOU_PBUF_RING_MMAP | flags),
	};
}

/* Register, and return the application's view. */
static struct io_uring_buf_ring *make(unsigned entries, unsigned flags)
{
	struct buffers_registration reg = mapped(entries, flags);
	void *view;

	assert_int_equal(buffers_call(IORING_REGISTER_PBUF_RING, &reg, 1), 0);
#ifdef TEST_ORACLE
	view = mmap(NULL, view_size(entries), PROT_READ | PROT_WRITE, MAP_SHARED, ring.ring_fd,
		    (off_t)(IORING_OFF_PBUF_RING | MAPPED_GROUP << IORING_OFF_PBUF_SHIFT));
#else
	view = (void *)(uintptr_t)reg.ring_addr;
#endif
	assert_ptr_not_equal(view, MAP_FAILED);
	assert_non_null(view);
	return view;
}

static void add(struct io_uring_buf_ring *view, unsigned entries, unsigned length, unsigned id)
{
	io_uring_buf_ring_add(view, buffers_at(id), length, (unsigned short)id,
			      io_uring_buf_ring_mask(entries), 0);
	io_uring_buf_ring_advance(view, 1);
}

static struct harness_cqe complete(int fd, unsigned length)
{
	buffers_read(fd, length, 0)->buf_group = MAPPED_GROUP;
	return harness_complete(&ring);
}

static void begins_empty_and_works(void **state)
{
	static const unsigned sizes[] = {1, 8, 256, 512, 32768};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct io_uring_buf_ring *view = make(sizes[i], 0);

		for (unsigned j = 0; j < sizes[i]; j++) {
			assert_int_equal(view->bufs[j].addr, 0);
			assert_int_equal(view->bufs[j].len, 0);
		}
		assert_int_equal(view->tail, 0);
		buffers_assert_none(complete(file, 10), -ENOBUFS);
		for (unsigned j = 0; j < 3; j++) {
			add(view, sizes[i], 100, j);
			buffers_assert(complete(file, 10), 10, j, 0);
			assert_int_equal((unsigned char)buffers_at(j)[9], harness_byte(9));
		}
		assert_int_equal(buffers_head(MAPPED_GROUP), 3);
		assert_int_equal(buffers_unregister(MAPPED_GROUP), 0);
		munmap(view, view_size(sizes[i]));
	}
}

static void view_outlives_the_group(void **state)
{
	struct io_uring_buf_ring *view = make(BUFFERS_ENTRIES, 0);

	(void)state;
	add(view, BUFFERS_ENTRIES, 100, 3);
	assert_int_equal(buffers_unregister(MAPPED_GROUP), 0);
	assert_int_equal(view->bufs[0].bid, 3);
	add(view, BUFFERS_ENTRIES, 100, 4);
	assert_int_equal(view->tail, 2);
	/* The next one has nothing to do with it. */
	struct io_uring_buf_ring *other = make(BUFFERS_ENTRIES, 0);
	assert_ptr_not_equal(view, other);
	buffers_assert_none(complete(file, 10), -ENOBUFS);
	add(other, BUFFERS_ENTRIES, 100, 5);
	assert_int_equal(view->bufs[0].bid, 3);
	buffers_assert(complete(file, 10), 10, 5, 0);
	munmap(view, view_size(BUFFERS_ENTRIES));
	munmap(other, view_size(BUFFERS_ENTRIES));
}

static void view_outlives_everything(void **state)
{
	struct io_uring_buf_ring *view = make(BUFFERS_ENTRIES, 0);

	(void)state;
	add(view, BUFFERS_ENTRIES, 100, 3);
	io_uring_queue_exit(&ring);
	assert_int_equal(view->bufs[0].bid, 3);
	add(view, BUFFERS_ENTRIES, 100, 4);
	munmap(view, view_size(BUFFERS_ENTRIES));
	harness_init(&ring, 8, 0);
}

static void group_outlives_the_view(void **state)
{
	struct io_uring_buf_ring *view = make(BUFFERS_ENTRIES, 0);

	(void)state;
	add(view, BUFFERS_ENTRIES, 100, 3);
	add(view, BUFFERS_ENTRIES, 100, 4);
	munmap(view, view_size(BUFFERS_ENTRIES));
	buffers_assert(complete(file, 10), 10, 3, 0);
	buffers_assert(complete(file, 10), 10, 4, 0);
	buffers_assert_none(complete(file, 10), -ENOBUFS);
	assert_int_equal(buffers_unregister(MAPPED_GROUP), 0);
}

static void incrementally(void **state)
{
	struct io_uring_buf_ring *view = make(BUFFERS_ENTRIES, IOU_PBUF_RING_INC);

	(void)state;
	add(view, BUFFERS_ENTRIES, 100, 3);
	buffers_assert(complete(file, 30), 30, 3, IORING_CQE_F_BUF_MORE);
	assert_int_equal(view->bufs[0].len, 70);
	buffers_assert(complete(file, 0), 70, 3, 0);
	munmap(view, view_size(BUFFERS_ENTRIES));
}

static void address_does_not_matter(void **state)
{
	struct buffers_registration reg = mapped(BUFFERS_ENTRIES, 0);

	(void)state;
	reg.ring_addr = 3;
	assert_int_equal(buffers_call(IORING_REGISTER_PBUF_RING, &reg, 1), 0);
#ifndef TEST_ORACLE
	munmap((void *)(uintptr_t)reg.ring_addr, view_size(BUFFERS_ENTRIES));
#endif
	assert_int_equal(buffers_call(IORING_REGISTER_PBUF_RING, &reg, 1), -EEXIST);
	reg.bgid++;
	reg.ring_entries = 65536;
	assert_int_equal(buffers_call(IORING_REGISTER_PBUF_RING, &reg, 1), -EINVAL);
	reg.ring_entries = 5;
	assert_int_equal(buffers_call(IORING_REGISTER_PBUF_RING, &reg, 1), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BUFFERS_TEST(begins_empty_and_works),
		BUFFERS_TEST(view_outlives_the_group),
		BUFFERS_TEST(view_outlives_everything),
		BUFFERS_TEST(group_outlives_the_view),
		BUFFERS_TEST(incrementally),
		BUFFERS_TEST(address_does_not_matter),
	};

	return harness_run(tests);
}
