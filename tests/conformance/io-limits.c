/* SPDX-License-Identifier: MIT */
/*
 * Description: many requests through small rings: a hundred thousand in flight at once, each of
 * which must complete exactly once; ring indices that go round many times; the largest ring filled
 * by one call.
 */
#include "rsrc_helpers.h"

#define TOTAL 100000

/* Submit count requests in as many calls as the SQ needs; prepare() fills one. */
static void submit_many(struct io_uring *ring, unsigned count,
			void (*prepare)(struct io_uring_sqe *sqe, unsigned number))
{
	for (unsigned done = 0; done < count;) {
		unsigned batch = 0;

		while (done + batch < count && io_uring_sq_space_left(ring)) {
			prepare(harness_sqe(ring), done + batch);
			batch++;
		}
		harness_submit(ring, batch);
		done += batch;
	}
}

/* ---- waiting reads on many small rings ---- */

#define RINGS	 100
#define PER_RING (TOTAL / RINGS)

static int pipe_now[2];
static unsigned char bytes[RINGS][PER_RING];
static unsigned char *bytes_now;

static void prepare_read(struct io_uring_sqe *sqe, unsigned number)
{
	io_uring_prep_read(sqe, pipe_now[0], &bytes_now[number], 1, 0);
	sqe->user_data = number;
}

/* Every number below PER_RING completes once, with one byte read. */
static void assert_each_completes_once(struct io_uring *ring)
{
	static bool seen[PER_RING];

	memset(seen, 0, sizeof(seen));
	for (unsigned i = 0; i < PER_RING; i++) {
		struct harness_cqe cqe = harness_next(ring);

		assert_int_equal(cqe.res, 1);
		assert_in_range(cqe.user_data, 0, PER_RING - 1);
		assert_false(seen[cqe.user_data]);
		seen[cqe.user_data] = true;
	}
	harness_assert_empty(ring);
}

static void waiting_reads_on_small_rings(void **state)
{
	static struct io_uring rings[RINGS];
	static int pipes[RINGS][2];
	static unsigned char data[PER_RING];

	(void)state;
	memset(data, 'd', sizeof(data));
	for (unsigned i = 0; i < RINGS; i++) {
		harness_init(&rings[i], 8, 0);
		harness_pipe(pipes[i]);
		memcpy(pipe_now, pipes[i], sizeof(pipe_now));
		bytes_now = bytes[i];
		submit_many(&rings[i], PER_RING, prepare_read);
	}
	for (unsigned i = 0; i < RINGS; i++)
		harness_assert_empty(&rings[i]);
	/* All of them are in flight now. */
	for (unsigned i = 0; i < RINGS; i++)
		assert_int_equal(write(pipes[i][1], data, PER_RING), PER_RING);
	for (unsigned i = 0; i < RINGS; i++) {
		assert_each_completes_once(&rings[i]);
		assert_memory_equal(bytes[i], data, PER_RING);
	}
	for (unsigned i = 0; i < RINGS; i++) {
		io_uring_queue_exit(&rings[i]);
		harness_close_pipe(pipes[i]);
	}
}

/* ---- drained nops behind one waiting read ---- */

static void prepare_drained_nop(struct io_uring_sqe *sqe, unsigned number)
{
	io_uring_prep_nop(sqe);
	sqe->flags |= IOSQE_IO_DRAIN;
	sqe->user_data = number;
}

static void drained_requests_on_one_small_ring(void **state)
{
	struct io_uring ring;
	unsigned char byte;
	int fds[2];

	(void)state;
	harness_init(&ring, 64, 0);
	harness_pipe(fds);
	rsrc_start_read(&ring, fds[0], 0, &byte, 1, TOTAL);
	submit_many(&ring, TOTAL, prepare_drained_nop);
	harness_assert_empty(&ring);
	assert_int_equal(write(fds[1], "x", 1), 1);
	assert_int_equal(harness_next(&ring).user_data, TOTAL);
	for (unsigned i = 0; i < TOTAL; i++) {
		struct harness_cqe cqe = harness_next(&ring);

		harness_assert_cqe(cqe, i, 0);
	}
	harness_assert_empty(&ring);
	assert_int_equal(*ring.cq.koverflow, 0);
	io_uring_queue_exit(&ring);
	harness_close_pipe(fds);
}

/* Tear-down with all of them pending is no different from that with one. */
static void tear_down_with_many_in_flight(void **state)
{
	struct io_uring ring;
	int fds[2];

	(void)state;
	harness_init(&ring, 64, 0);
	harness_pipe(fds);
	memcpy(pipe_now, fds, sizeof(pipe_now));
	bytes_now = bytes[0];
	submit_many(&ring, PER_RING, prepare_read);
	harness_assert_empty(&ring);
	io_uring_queue_exit(&ring);
	/* Nobody reads any more once the ring has gone, so the last reader can be told. */
	close(fds[0]);
	assert_true(rsrc_wait_hung_up(fds[1]));
	close(fds[1]);
}

/* ---- indices that go round ---- */

static void indices_go_round(void **state)
{
	const unsigned sizes[] = {1, 2, 4, 8, 32};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
		unsigned batch = sizes[i] > 2 ? sizes[i] - 1 : sizes[i];
		struct io_uring ring;
		unsigned sent = 0, received = 0;

		harness_init(&ring, sizes[i], 0);
		while (received < TOTAL / 10) {
			for (unsigned j = 0; j < batch; j++)
				harness_nop(&ring, sent++);
			harness_submit(&ring, batch);
			for (unsigned j = 0; j < batch; j++) {
				struct harness_cqe cqe = harness_next(&ring);

				harness_assert_cqe(cqe, received, 0);
				received++;
			}
		}
		harness_assert_empty(&ring);
		assert_int_equal(*ring.sq.khead, sent);
		assert_int_equal(*ring.cq.ktail, sent);
		assert_int_equal(*ring.sq.kdropped, 0);
		assert_int_equal(*ring.cq.koverflow, 0);
		io_uring_queue_exit(&ring);
	}
}

/* ---- the largest ring ---- */

static void prepare_nop(struct io_uring_sqe *sqe, unsigned number)
{
	io_uring_prep_nop(sqe);
	sqe->user_data = number;
}

static void largest_ring_filled_by_one_call(void **state)
{
	enum { LARGEST = 32768 };
	struct io_uring ring;

	(void)state;
	harness_init(&ring, LARGEST, 0);
	assert_int_equal(*ring.cq.kring_entries, 2 * LARGEST);
	for (unsigned round = 0; round < 2; round++)
		submit_many(&ring, LARGEST, prepare_nop);
	assert_int_equal(io_uring_cq_ready(&ring), 2 * LARGEST);
	assert_false(*ring.sq.kflags & IORING_SQ_CQ_OVERFLOW);
	/* Not one more. */
	submit_many(&ring, 1, prepare_nop);
	assert_int_equal(io_uring_cq_ready(&ring), 2 * LARGEST);
	assert_true(*ring.sq.kflags & IORING_SQ_CQ_OVERFLOW);
	for (unsigned i = 0; i < 2 * LARGEST; i++) {
		struct harness_cqe cqe = harness_next(&ring);

		harness_assert_cqe(cqe, i % LARGEST, 0);
	}
	struct harness_cqe last = harness_next(&ring);

	harness_assert_cqe(last, 0, 0);
	harness_assert_empty(&ring);
	assert_false(*ring.sq.kflags & IORING_SQ_CQ_OVERFLOW);
	io_uring_queue_exit(&ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(waiting_reads_on_small_rings),
		cmocka_unit_test(drained_requests_on_one_small_ring),
		cmocka_unit_test(tear_down_with_many_in_flight),
		cmocka_unit_test(indices_go_round),
		cmocka_unit_test(largest_ring_filled_by_one_call),
	};

	return harness_run(tests);
}
