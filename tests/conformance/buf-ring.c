/* SPDX-License-Identifier: MIT */
/*
 * Description: a ring of provided buffers: buffers come in ring order and as long as they were
 * given, a request that waits has taken none, the head is told, groups are independent, and a group
 * comes and goes while requests wait for it.
 */
#include "buffers_helpers.h"

static void content_must_match(unsigned id, size_t length, size_t offset)
{
	for (size_t i = 0; i < length; i++)
		assert_int_equal((unsigned char)buffers_at(id)[i], harness_byte(offset + i));
}

static void in_ring_order(void **state)
{
	(void)state;
	buffers_fresh_ring(0);
	buffers_add(BUFFERS_PAGE, 5);
	buffers_add(BUFFERS_PAGE, 2);
	buffers_add(BUFFERS_PAGE, 7);
	for (unsigned i = 0; i < 3; i++) {
		static const unsigned ids[] = {5, 2, 7};

		assert_int_equal(buffers_head(BUFFERS_GROUP), i);
		buffers_read(file, 100, i * 1000);
		buffers_assert(harness_complete(&ring), 100, ids[i], 0);
		content_must_match(ids[i], 100, i * 1000);
	}
	buffers_read(file, 100, 0);
	buffers_assert_none(harness_complete(&ring), -ENOBUFS);
}

/* Many times around, so that the free-running indices wrap at 65536 as well. */
static void round_and_round(void **state)
{
	(void)state;
	buffers_fresh_ring(0);
	for (unsigned i = 0; i < 65536 + 3 * BUFFERS_ENTRIES; i++) {
		unsigned id = i % BUFFERS_ENTRIES;

		buffers_add(BUFFERS_PAGE, id);
		buffers_read(file, 1, i % BUFFERS_FILE);
		buffers_assert(harness_complete(&ring), 1, id, 0);
		assert_int_equal((unsigned char)buffers_at(id)[0], harness_byte(i % BUFFERS_FILE));
	}
	assert_int_equal(buffers_head(BUFFERS_GROUP), 3 * BUFFERS_ENTRIES);
}

static void length_of_request_and_of_buffer(void **state)
{
	(void)state;
	buffers_fresh_ring(0);
	buffers_add(100, 0);
	buffers_add(100, 1);
	buffers_add(100, 2);
	memset(memory, 0, 3 * BUFFERS_PAGE);
	buffers_read(file, 0, 0); /* as long as the buffer */
	buffers_assert(harness_complete(&ring), 100, 0, 0);
	buffers_read(file, 200, 0); /* longer: cut down to the buffer */
	buffers_assert(harness_complete(&ring), 100, 1, 0);
	buffers_read(file, 40, 0); /* the rest of the buffer goes unused */
	buffers_assert(harness_complete(&ring), 40, 2, 0);
	assert_int_equal(buffers_at(0)[100], 0);
	assert_int_equal(buffers_at(1)[100], 0);
	assert_int_equal(buffers_at(2)[40], 0);
}

static void at_the_end_of_the_file(void **state)
{
	(void)state;
	buffers_fresh_ring(0);
	buffers_add(BUFFERS_PAGE, 0);
	buffers_add(BUFFERS_PAGE, 1);
	buffers_read(file, 0, BUFFERS_FILE - 10);
	buffers_assert(harness_complete(&ring), 10, 0, 0);
	buffers_read(file, 0, BUFFERS_FILE);
	buffers_assert(harness_complete(&ring), 0, 1, 0);
	assert_int_equal(buffers_head(BUFFERS_GROUP), 2);
}

static void at_the_end_of_a_pipe(void **state)
{
	(void)state;
	buffers_fresh_ring(0);
	buffers_add(BUFFERS_PAGE, 4);
	close(pipe_fds[1]);
	pipe_fds[1] = -1;
	buffers_read(pipe_fds[0], 0, 0);
	buffers_assert(harness_complete(&ring), 0, 4, 0);
	assert_int_equal(buffers_head(BUFFERS_GROUP), 1);
}

static void waiting_takes_nothing(void **state)
{
	(void)state;
	buffers_fresh_ring(0);
	buffers_add(100, 3);
	buffers_read(pipe_fds[0], 50, 0);
	harness_submit(&ring, 1);
	harness_assert_empty(&ring);
	assert_int_equal(buffers_head(BUFFERS_GROUP), 0);
	assert_int_equal(buffers->bufs[0].len, 100);
	/* Somebody else is served with it, and the one who waits with the next. */
	buffers_read(file, 10, 0);
	buffers_assert(harness_complete(&ring), 10, 3, 0);
	buffers_add(100, 6);
	buffers_write("hello");
	buffers_assert(harness_next(&ring), 5, 6, 0);
	assert_memory_equal(buffers_at(6), "hello", 5);
	assert_int_equal(buffers_head(BUFFERS_GROUP), 2);
}

/* Without a buffer a request does not even begin to wait. */
static void nothing_to_wait_with(void **state)
{
	(void)state;
	buffers_fresh_ring(0);
	buffers_read(pipe_fds[0], 50, 0);
	buffers_assert_none(harness_complete(&ring), -ENOBUFS);
	buffers_read(pipe_fds[0], 50, 0)->flags |= IOSQE_ASYNC;
	buffers_assert_none(harness_complete(&ring), -ENOBUFS);
}

static void several_waiting(void **state)
{
	(void)state;
	buffers_fresh_ring(0);
	for (unsigned i = 0; i < 4; i++)
		buffers_add(1, i);
	for (unsigned i = 0; i < 4; i++)
		buffers_read(pipe_fds[0], 0, 0);
	harness_submit(&ring, 4);
	harness_assert_empty(&ring);
	for (unsigned i = 0; i < 4; i++) {
		const char text[] = {(char)('a' + i), 0};

		buffers_write(text);
		buffers_assert(harness_next(&ring), 1, i, 0);
		assert_int_equal(buffers_at(i)[0], 'a' + i);
	}
}

/* The last buffer goes to whom it is ready for first; the other has none left. */
static void one_buffer_for_two(void **state)
{
	int other[2];
	struct harness_cqe cqe;

	(void)state;
	harness_pipe(other);
	buffers_fresh_ring(0);
	buffers_add(100, 0);
	buffers_read(pipe_fds[0], 0, 0)->user_data = 1;
	buffers_read(other[0], 0, 0)->user_data = 2;
	harness_submit(&ring, 2);
	assert_int_equal(write(other[1], "x", 1), 1);
	cqe = harness_next(&ring);
	assert_int_equal(cqe.user_data, 2);
	buffers_assert(cqe, 1, 0, 0);
	buffers_write("y");
	cqe = harness_next(&ring);
	assert_int_equal(cqe.user_data, 1);
	buffers_assert_none(cqe, -ENOBUFS);
	assert_int_equal(buffers_left_in_pipe(), 1);
	harness_close_pipe(other);
}

static void by_a_worker(void **state)
{
	(void)state;
	buffers_fresh_ring(0);
	buffers_add(100, 0);
	buffers_add(100, 1);
	buffers_add(100, 2);
	buffers_read(file, 50, 500)->flags |= IOSQE_ASYNC;
	buffers_assert(harness_complete(&ring), 50, 0, 0);
	content_must_match(0, 50, 500);
	buffers_write("abc");
	buffers_read(pipe_fds[0], 0, 0)->flags |= IOSQE_ASYNC;
	buffers_assert(harness_complete(&ring), 3, 1, 0);
	buffers_read(pipe_fds[0], 0, 0)->flags |= IOSQE_ASYNC;
	harness_submit(&ring, 1);
	buffers_write("defg");
	buffers_assert(harness_next(&ring), 4, 2, 0);
	assert_memory_equal(buffers_at(2), "defg", 4);
	assert_int_equal(buffers_head(BUFFERS_GROUP), 3);
}

static void cancelled_keeps_its_hands_off(void **state)
{
	struct harness_cqe cqes[2];
	struct io_uring_sqe *sqe;

	(void)state;
	buffers_fresh_ring(0);
	buffers_add(100, 0);
	buffers_read(pipe_fds[0], 0, 0)->user_data = 1;
	harness_submit(&ring, 1);
	sqe = harness_sqe(&ring);
	io_uring_prep_cancel64(sqe, 1, 0);
	sqe->user_data = 2;
	harness_submit(&ring, 1);
	harness_reap(&ring, cqes, 2);
	for (unsigned i = 0; i < 2; i++)
		buffers_assert_none(cqes[i], cqes[i].user_data == 1 ? -ECANCELED : 0);
	assert_int_equal(buffers_head(BUFFERS_GROUP), 0);
}

static void unregistered_under_a_waiting_request(void **state)
{
	(void)state;
	buffers_fresh_ring(0);
	buffers_add(100, 0);
	buffers_read(pipe_fds[0], 0, 0);
	harness_submit(&ring, 1);
	assert_int_equal(buffers_unregister(BUFFERS_GROUP), 0);
	harness_assert_empty(&ring);
	buffers_write("a");
	buffers_assert_none(harness_next(&ring), -ENOBUFS);
	assert_int_equal(buffers_left_in_pipe(), 1);
}

static void registered_anew_starts_from_zero(void **state)
{
	(void)state;
	buffers_fresh_ring(0);
	buffers_add(100, 0);
	buffers_read(file, 1, 0);
	buffers_assert(harness_complete(&ring), 1, 0, 0);
	assert_int_equal(buffers_unregister(BUFFERS_GROUP), 0);
	assert_int_equal(buffers_head(BUFFERS_GROUP), -ENOENT);
	buffers_fresh_ring(0);
	assert_int_equal(buffers_head(BUFFERS_GROUP), 0);
	buffers_add(100, 4);
	buffers_read(file, 1, 0);
	buffers_assert(harness_complete(&ring), 1, 4, 0);
}

/* What is read may overwrite the ring: the entry is looked at before, and only then. */
static void into_the_ring_itself(void **state)
{
	(void)state;
	buffers_fresh_ring(0);
	buffers_add_at(buffers, 16, 9);
	buffers_write("################");
	buffers_read(pipe_fds[0], 0, 0);
	buffers_assert(harness_complete(&ring), 16, 9, 0);
	assert_int_equal(buffers_head(BUFFERS_GROUP), 1);
}

static void many_groups(void **state)
{
	static const unsigned groups[] = {0, 1, 63, 64, 255, 256, 300, 32768, 65535};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(groups); i++) {
		struct io_uring_buf_ring *br = buffers_map(BUFFERS_PAGE);

		assert_int_equal(buffers_register((struct buffers_registration){
					 .ring_addr = (uintptr_t)br,
					 .ring_entries = 1,
					 .bgid = (uint16_t)groups[i],
				 }),
				 0);
		io_uring_buf_ring_add(br, buffers_at(0), 10, (unsigned short)(1000 + i), 0, 0);
		io_uring_buf_ring_advance(br, 1);
	}
	for (unsigned i = ARRAY_SIZE(groups); i-- > 0;) {
		struct io_uring_sqe *sqe = buffers_read(file, 0, 0);

		sqe->buf_group = (uint16_t)groups[i];
		buffers_assert(harness_complete(&ring), 10, 1000 + i, 0);
		assert_int_equal(buffers_head(groups[i]), 1);
		assert_int_equal(buffers_unregister(groups[i]), 0);
		assert_int_equal(buffers_unregister(groups[i]), -ENOENT);
	}
}

/* Closing a ring with buffers in it and requests waiting for them. */
static void closed_with_everything_there(void **state)
{
	(void)state;
	buffers_fresh_ring(0);
	buffers_add(100, 0);
	buffers_read(pipe_fds[0], 0, 0);
	harness_submit(&ring, 1);
	io_uring_queue_exit(&ring);
	harness_init(&ring, 8, 0);
	assert_int_equal(buffers_head(BUFFERS_GROUP), -ENOENT);
	buffers_read(file, 1, 0);
	buffers_assert_none(harness_complete(&ring), -ENOBUFS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BUFFERS_TEST(in_ring_order),
		BUFFERS_TEST(round_and_round),
		BUFFERS_TEST(length_of_request_and_of_buffer),
		BUFFERS_TEST(at_the_end_of_the_file),
		BUFFERS_TEST(at_the_end_of_a_pipe),
		BUFFERS_TEST(waiting_takes_nothing),
		BUFFERS_TEST(nothing_to_wait_with),
		BUFFERS_TEST(several_waiting),
		BUFFERS_TEST(one_buffer_for_two),
		BUFFERS_TEST(by_a_worker),
		BUFFERS_TEST(cancelled_keeps_its_hands_off),
		BUFFERS_TEST(unregistered_under_a_waiting_request),
		BUFFERS_TEST(registered_anew_starts_from_zero),
		BUFFERS_TEST(into_the_ring_itself),
		BUFFERS_TEST(many_groups),
		BUFFERS_TEST(closed_with_everything_there),
	};

	return harness_run(tests);
}
