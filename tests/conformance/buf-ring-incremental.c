/* SPDX-License-Identifier: MIT */
/*
 * Description: buffer rings whose buffers are used up piece by piece (PBUF_RING_INC): the same id
 * until there is nothing left, CQE_F_BUF_MORE while there is, and min_left, below which a rest is
 * given up.
 */
#include "buffers_helpers.h"

#define MORE IORING_CQE_F_BUF_MORE

static void register_with_min_left(unsigned min_left)
{
	memset(buffers, 0, BUFFERS_PAGE);
	assert_int_equal(buffers_register((struct buffers_registration){
				 .ring_addr = (uintptr_t)buffers,
				 .ring_entries = BUFFERS_ENTRIES,
				 .bgid = BUFFERS_GROUP,
				 .flags = IOU_PBUF_RING_INC,
				 .min_left = min_left,
			 }),
			 0);
}

static void read_pipe(unsigned length, int res, unsigned id, unsigned more)
{
	buffers_read(pipe_fds[0], length, 0);
	buffers_assert(harness_complete(&ring), res, id, more);
}

static void piece_by_piece(void **state)
{
	(void)state;
	buffers_fresh_ring(IOU_PBUF_RING_INC);
	buffers_add(10, 3);
	buffers_add(10, 4);
	buffers_write("abcdefghijklmn");
	read_pipe(4, 4, 3, MORE);
	assert_int_equal(buffers_head(BUFFERS_GROUP), 0);
	read_pipe(0, 6, 3, 0);
	assert_int_equal(buffers_head(BUFFERS_GROUP), 1);
	read_pipe(0, 4, 4, MORE);
	assert_memory_equal(buffers_at(3), "abcdefghij", 10);
	assert_memory_equal(buffers_at(4), "klmn", 4);
	buffers_write("opqrst");
	read_pipe(6, 6, 4, 0);
	assert_memory_equal(buffers_at(4), "klmnopqrst", 10);
	assert_int_equal(buffers_head(BUFFERS_GROUP), 2);
	buffers_read(pipe_fds[0], 1, 0);
	buffers_assert_none(harness_complete(&ring), -ENOBUFS);
}

/* Byte by byte it is filled exactly. */
static void filled_to_the_last_byte(void **state)
{
	enum { LENGTH = 2048 };

	(void)state;
	buffers_fresh_ring(IOU_PBUF_RING_INC);
	buffers_add(LENGTH, 7);
	for (unsigned i = 0; i < LENGTH; i++) {
		buffers_write("x");
		read_pipe(0, 1, 7, i + 1 < LENGTH ? MORE : 0);
	}
	for (unsigned i = 0; i < LENGTH; i++)
		assert_int_equal(buffers_at(7)[i], 'x');
	assert_int_equal(buffers_at(7)[LENGTH], 0);
	assert_int_equal(buffers_head(BUFFERS_GROUP), 1);
}

/* What is left stands in the ring itself. */
static void entry_tells_the_rest(void **state)
{
	(void)state;
	buffers_fresh_ring(IOU_PBUF_RING_INC);
	buffers_add(10, 2);
	buffers_write("abc");
	read_pipe(0, 3, 2, MORE);
	assert_int_equal(buffers->bufs[0].addr, (uintptr_t)buffers_at(2) + 3);
	assert_int_equal(buffers->bufs[0].len, 7);
	assert_int_equal(buffers->bufs[0].bid, 2);
	buffers_write("abcdefg");
	read_pipe(0, 7, 2, 0);
	assert_int_equal(buffers->bufs[0].len, 0);
}

static void nothing_read(void **state)
{
	(void)state;
	buffers_fresh_ring(IOU_PBUF_RING_INC);
	buffers_add(10, 2);
	buffers_read(pipe_fds[0], 0, 0)->rw_flags = RWF_NOWAIT;
	buffers_assert_none(harness_complete(&ring), -EAGAIN);
	close(pipe_fds[1]);
	pipe_fds[1] = -1;
	/* The end of the stream takes nothing of the buffer, which is named all the same. */
	read_pipe(0, 0, 2, MORE);
	assert_int_equal(buffers_head(BUFFERS_GROUP), 0);
	buffers_read(file, 10, 0);
	buffers_assert(harness_complete(&ring), 10, 2, 0);
}

static void waiting_takes_nothing(void **state)
{
	(void)state;
	buffers_fresh_ring(IOU_PBUF_RING_INC);
	buffers_add(10, 2);
	buffers_read(pipe_fds[0], 4, 0)->user_data = 1;
	harness_submit(&ring, 1);
	buffers_read(file, 6, 0);
	buffers_assert(harness_complete(&ring), 6, 2, MORE);
	buffers_write("abcdefgh");
	buffers_assert(harness_next(&ring), 4, 2, 0);
	assert_memory_equal(buffers_at(2) + 6, "abcd", 4);
	assert_int_equal(buffers_left_in_pipe(), 4);
}

/* A file's share of a buffer is what was asked for, whatever could be read. */
static void files(void **state)
{
	(void)state;
	buffers_fresh_ring(IOU_PBUF_RING_INC);
	buffers_add(1000, 1);
	buffers_add(1000, 2);
	buffers_read(file, 400, 0);
	buffers_assert(harness_complete(&ring), 400, 1, MORE);
	buffers_read(file, 400, BUFFERS_FILE - 100);
	buffers_assert(harness_complete(&ring), 100, 1, MORE);
	assert_int_equal(buffers->bufs[0].len, 200);
	buffers_read(file, 100, BUFFERS_FILE);
	buffers_assert(harness_complete(&ring), 0, 1, MORE);
	assert_int_equal(buffers->bufs[0].len, 100);
	buffers_read(file, 400, 50);
	buffers_assert(harness_complete(&ring), 100, 1, 0);
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal((unsigned char)buffers_at(1)[900 + i], harness_byte(50 + i));
	assert_int_equal(buffers_head(BUFFERS_GROUP), 1);
	buffers_read(file, 0, 0);
	buffers_assert(harness_complete(&ring), 1000, 2, 0);
}

static void by_a_worker(void **state)
{
	(void)state;
	buffers_fresh_ring(IOU_PBUF_RING_INC);
	buffers_add(100, 1);
	buffers_read(file, 40, 10)->flags |= IOSQE_ASYNC;
	buffers_assert(harness_complete(&ring), 40, 1, MORE);
	buffers_read(file, 100, 10)->flags |= IOSQE_ASYNC;
	buffers_assert(harness_complete(&ring), 60, 1, 0);
	for (unsigned i = 0; i < 60; i++)
		assert_int_equal((unsigned char)buffers_at(1)[40 + i], harness_byte(10 + i));
	assert_int_equal(buffers_head(BUFFERS_GROUP), 1);
}

static void rest_that_is_too_small(void **state)
{
	(void)state;
	register_with_min_left(4);
	buffers_add(10, 1);
	buffers_add(10, 2);
	buffers_add(3, 5);
	buffers_write("abcdefghijklmnop");
	read_pipe(6, 6, 1, MORE); /* four are enough */
	read_pipe(1, 1, 1, 0);	  /* three are not */
	assert_int_equal(buffers_head(BUFFERS_GROUP), 1);
	read_pipe(7, 7, 2, 0);
	/* One that is too small from the start serves once. */
	read_pipe(1, 1, 5, 0);
	assert_int_equal(buffers_head(BUFFERS_GROUP), 3);
	buffers_add(10, 6);
	buffers_read(file, 6, 0);
	buffers_assert(harness_complete(&ring), 6, 6, MORE);
	buffers_read(file, 1, 0);
	buffers_assert(harness_complete(&ring), 1, 6, 0);
}

static void min_left_without_increments(void **state)
{
	struct buffers_registration reg = {
		.ring_addr = (uintptr_t)buffers,
		.ring_entries = BUFFERS_ENTRIES,
		.bgid = BUFFERS_GROUP,
		.min_left = 1,
	};

	(void)state;
	assert_int_equal(buffers_register(reg), -EINVAL);
	reg.flags = IOU_PBUF_RING_INC;
	reg.min_left = UINT32_MAX;
	assert_int_equal(buffers_register(reg), 0);
}

static void entries_without_room(void **state)
{
	(void)state;
	buffers_fresh_ring(IOU_PBUF_RING_INC);
	buffers_add(0, 1);
	buffers_write("abc");
	read_pipe(0, 0, 1, MORE);
	assert_int_equal(buffers_head(BUFFERS_GROUP), 0);
	assert_int_equal(buffers_left_in_pipe(), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BUFFERS_TEST(piece_by_piece),
		BUFFERS_TEST(filled_to_the_last_byte),
		BUFFERS_TEST(entry_tells_the_rest),
		BUFFERS_TEST(nothing_read),
		BUFFERS_TEST(waiting_takes_nothing),
		BUFFERS_TEST(files),
		BUFFERS_TEST(by_a_worker),
		BUFFERS_TEST(rest_that_is_too_small),
		BUFFERS_TEST(min_left_without_increments),
		BUFFERS_TEST(entries_without_room),
	};

	return harness_run(tests);
}
