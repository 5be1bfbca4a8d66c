/* SPDX-License-Identifier: MIT */
/*
 * Description: where rings may be closed unseen a buffer ring may be unmapped while it is
 * registered: what is asked of it then finds no buffer, and until then it serves as any other.
 */
#include "support.h"

#include <sys/socket.h>

#include "core/ring.h"

enum { ENTRIES = 8, GROUP = 3, SIZE = 64, WHOLE = ENTRIES * SIZE };

static struct asyncring ring;
static struct asyncring_buf_ring *buffers;
static unsigned char memory[WHOLE];
static int sockets[2];

static size_t ring_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

/* @count buffers of SIZE bytes; the ring itself is the application's memory. */
static void begin(unsigned count, unsigned flags)
{
	struct asyncring_buf_reg reg = {.ring_entries = ENTRIES, .bgid = GROUP, .flags = flags};

	buffers =
		mmap(NULL, ring_size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(buffers, MAP_FAILED);
	asyncring_buf_ring_init(buffers);
	for (unsigned i = 0; i < count; i++)
		asyncring_buf_ring_add(buffers, memory + (size_t)i * SIZE, SIZE, (unsigned short)i,
				       asyncring_buf_ring_mask(ENTRIES), (int)i);
	asyncring_buf_ring_advance(buffers, (int)count);
	reg.ring_addr = (uintptr_t)buffers;
	assert_int_equal(asyncring_queue_init(ENTRIES, &ring, 0), 0);
	assert_int_equal(asyncring_register_buf_ring(&ring, &reg, 0), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
	memset(memory, 0, sizeof(memory));
}

static void end(void)
{
	asyncring_queue_exit(&ring);
	close(sockets[0]);
	close(sockets[1]);
}

static void send_bytes(size_t from, size_t count)
{
	unsigned char bytes[WHOLE];

	for (size_t i = 0; i < count; i++)
		bytes[i] = support_byte(from + i);
	assert_int_equal(write(sockets[1], bytes, count), count);
}

/* The result of a receive with @ioprio; its flags in *flags. */
static int receive(unsigned ioprio, uint32_t *flags)
{
	struct asyncring_sqe *sqe = support_sqe(&ring);
	struct asyncring_cqe *cqe;
	int result;

	asyncring_prep_recv(sqe, sockets[0], NULL, 0, 0);
	sqe->flags |= ASYNCRING_SQE_BUFFER_SELECT;
	sqe->buf_group = GROUP;
	sqe->ioprio = (uint16_t)ioprio;
	assert_int_equal(asyncring_submit_and_wait(&ring, 1), 1);
	assert_int_equal(asyncring_peek_cqe(&ring, &cqe), 0);
	result = cqe->res;
	*flags = cqe->flags;
	asyncring_cqe_seen(&ring, cqe);
	return result;
}

static unsigned buffer_of(uint32_t flags)
{
	assert_true(flags & ASYNCRING_CQE_F_BUFFER);
	return flags >> ASYNCRING_CQE_BUFFER_SHIFT;
}

static void it_serves_as_any_other(void **state)
{
	uint32_t flags;

	(void)state;
	begin(3, 0);
	send_bytes(0, 3 * SIZE);
	assert_int_equal(receive(0, &flags), SIZE);
	assert_int_equal(buffer_of(flags), 0);
	assert_int_equal(receive(ASYNCRING_RECVSEND_BUNDLE, &flags), 2 * SIZE);
	assert_int_equal(buffer_of(flags), 1);
	assert_true(support_content(memory, 3 * SIZE, 0));
	send_bytes(0, 1);
	assert_int_equal(receive(0, &flags), -ENOBUFS);
	end();
}

static void what_is_left_of_a_buffer_is_written_there(void **state)
{
	uint32_t flags;

	(void)state;
	begin(2, ASYNCRING_PBUF_RING_INC);
	send_bytes(0, 10);
	assert_int_equal(receive(0, &flags), 10);
	assert_int_equal(buffer_of(flags), 0);
	assert_true(flags & ASYNCRING_CQE_F_BUF_MORE);
	assert_int_equal(buffers->bufs[0].addr, (uintptr_t)memory + 10);
	assert_int_equal(buffers->bufs[0].len, SIZE - 10);
	/* The rest of the entry, and the tail that lies over it, are as they were. */
	assert_int_equal(buffers->bufs[0].bid, 0);
	assert_int_equal(buffers->tail, 2);
	send_bytes(10, SIZE - 10);
	assert_int_equal(receive(0, &flags), SIZE - 10);
	assert_false(flags & ASYNCRING_CQE_F_BUF_MORE);
	assert_true(support_content(memory, SIZE, 0));
	end();
}

/* In whichever way buffers are asked for. */
static void there_is_none_in_memory_that_is_gone(void **state)
{
	static const unsigned ways[] = {0, ASYNCRING_RECVSEND_BUNDLE, ASYNCRING_RECV_MULTISHOT};
	uint32_t flags;

	(void)state;
	for (unsigned inc = 0; inc < 2; inc++) {
		begin(ENTRIES - 1, inc ? ASYNCRING_PBUF_RING_INC : 0);
		send_bytes(0, 1);
		assert_int_equal(munmap(buffers, ring_size()), 0);
		for (unsigned i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
			assert_int_equal(receive(ways[i], &flags), -ENOBUFS);
			assert_false(flags & ASYNCRING_CQE_F_BUFFER);
		}
		end();
	}
}

/* One that was armed before finds that out when it is its turn. */
static void it_may_go_while_a_receive_waits(void **state)
{
	struct asyncring_sqe *sqe;
	struct asyncring_cqe *cqe;

	(void)state;
	begin(ENTRIES - 1, 0);
	sqe = support_sqe(&ring);
	asyncring_prep_recv_multishot(sqe, sockets[0], NULL, 0, 0);
	sqe->flags |= ASYNCRING_SQE_BUFFER_SELECT;
	sqe->buf_group = GROUP;
	assert_int_equal(asyncring_submit(&ring), 1);
	assert_int_equal(munmap(buffers, ring_size()), 0);
	send_bytes(0, 1);
	assert_int_equal(asyncring_wait_cqe(&ring, &cqe), 0);
	assert_int_equal(cqe->res, -ENOBUFS);
	assert_false(cqe->flags & ASYNCRING_CQE_F_MORE);
	asyncring_cqe_seen(&ring, cqe);
	end();
}

static int setup(void **state)
{
	(void)state;
	support_bound(30);
	asyncring__buffer_rings_unpinned();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_serves_as_any_other),
		cmocka_unit_test(what_is_left_of_a_buffer_is_written_there),
		cmocka_unit_test(there_is_none_in_memory_that_is_gone),
		cmocka_unit_test(it_may_go_while_a_receive_waits),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
