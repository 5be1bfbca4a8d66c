/* SPDX-License-Identifier: MIT */
/*
 * Description: the inline half of the application side, on queues made by hand, where the test
 * plays the library's part: indices that wrap, entries of 128 bytes and completions of 32, fillers
 * of mixed rings, a ring that is gone, and received messages with lengths that lie.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <asyncring.h>

#define ENTRIES	     8
#define NEAR_THE_END 0xfffffffdu /* indices wrap within the first few steps */

/* The memory of a ring, with room for the larger kinds of entries. */
struct queues {
	struct asyncring ring;
	unsigned sq_head, sq_tail, sq_flags;
	unsigned cq_head, cq_tail, cq_flags;
	struct asyncring_sqe sqes[2 * ENTRIES];
	__u64 cqes[4 * ENTRIES];
};

static void make_queues(struct queues *queues, unsigned flags, unsigned index)
{
	struct asyncring *ring = &queues->ring;

	memset(queues, 0, sizeof(*queues));
	queues->sq_head = queues->sq_tail = queues->cq_head = queues->cq_tail = index;
	ring->flags = flags;
	ring->ring_fd = ring->enter_ring_fd = -1;
	ring->sq.khead = &queues->sq_head;
	ring->sq.ktail = &queues->sq_tail;
	ring->sq.kflags = &queues->sq_flags;
	ring->sq.sqes = queues->sqes;
	ring->sq.sqe_head = ring->sq.sqe_tail = index;
	ring->sq.ring_entries = ENTRIES;
	ring->sq.ring_mask = ENTRIES - 1;
	ring->cq.khead = &queues->cq_head;
	ring->cq.ktail = &queues->cq_tail;
	ring->cq.kflags = &queues->cq_flags;
	ring->cq.cqes = (struct asyncring_cqe *)queues->cqes;
	ring->cq.ring_entries = ENTRIES;
	ring->cq.ring_mask = ENTRIES - 1;
}

/* Post a completion of the given flags in the next place (two, with ASYNCRING_CQE_F_32). */
static void post(struct queues *queues, __u64 user_data, __u32 flags)
{
	unsigned index = (queues->cq_tail & (ENTRIES - 1)) << asyncring_cqe_shift(&queues->ring);
	__u64 *words = &queues->cqes[2 * index];

	words[0] = user_data;
	words[1] = (__u64)flags << 32;
	queues->cq_tail += flags & ASYNCRING_CQE_F_32 ? 2 : 1;
}

static void test_entries_wrap(void **state)
{
	struct queues queues;
	struct asyncring_sqe *sqe;

	(void)state;
	make_queues(&queues, 0, NEAR_THE_END);
	memset(queues.sqes, 0xff, sizeof(queues.sqes));
	for (unsigned step = 0; step < ENTRIES; step++) {
		assert_int_equal(asyncring_sq_ready(&queues.ring), step);
		assert_int_equal(asyncring_sq_space_left(&queues.ring), ENTRIES - step);
		sqe = asyncring_get_sqe(&queues.ring);
		assert_ptr_equal(sqe, &queues.sqes[(NEAR_THE_END + step) % ENTRIES]);
		assert_int_equal(sqe->flags, 0);
		assert_int_equal(sqe->ioprio, 0);
		assert_int_equal(sqe->rw_flags, 0);
		assert_int_equal(sqe->buf_index, 0);
		assert_int_equal(sqe->personality, 0);
		assert_int_equal(sqe->file_index, 0);
		assert_int_equal(sqe->addr3, 0);
		assert_int_equal(sqe->__pad2[0], 0);
	}
	assert_null(asyncring_get_sqe(&queues.ring));

	queues.sq_head += 3; /* the library has read three */
	assert_int_equal(asyncring_sq_space_left(&queues.ring), 3);
	assert_non_null(asyncring_get_sqe(&queues.ring));
}

static void test_large_entries(void **state)
{
	struct queues queues;

	(void)state;
	make_queues(&queues, ASYNCRING_SETUP_SQE128, 1);
	assert_ptr_equal(asyncring_get_sqe(&queues.ring), &queues.sqes[2]);
	assert_ptr_equal(asyncring_get_sqe128(&queues.ring), &queues.sqes[4]);

	make_queues(&queues, 0, 0);
	assert_null(asyncring_get_sqe128(&queues.ring));
}

/* In a mixed ring a large entry never wraps: a silent nop fills the last place. */
static void test_mixed_entries(void **state)
{
	struct queues queues;
	struct asyncring_sqe *filler;

	(void)state;
	make_queues(&queues, ASYNCRING_SETUP_SQE_MIXED, 0xffffffff);
	assert_ptr_equal(asyncring_get_sqe128(&queues.ring), &queues.sqes[0]);
	assert_int_equal(asyncring_sq_ready(&queues.ring), 3);
	filler = &queues.sqes[ENTRIES - 1];
	assert_int_equal(filler->opcode, ASYNCRING_OP_NOP);
	assert_int_equal(filler->flags, ASYNCRING_SQE_CQE_SKIP_SUCCESS);

	assert_ptr_equal(asyncring_get_sqe128(&queues.ring), &queues.sqes[2]);
	assert_ptr_equal(asyncring_get_sqe128(&queues.ring), &queues.sqes[4]);
	/* One place is left, which is too little for a large one and enough for a small one. */
	assert_null(asyncring_get_sqe128(&queues.ring));
	assert_int_equal(asyncring_sq_space_left(&queues.ring), 1);
	assert_ptr_equal(asyncring_get_sqe(&queues.ring), &queues.sqes[6]);
	assert_null(asyncring_get_sqe(&queues.ring));

	/* No room for the large one behind the filler: then there is no filler either. */
	make_queues(&queues, ASYNCRING_SETUP_SQE_MIXED, ENTRIES - 1);
	queues.sq_head -= ENTRIES - 2;
	assert_null(asyncring_get_sqe128(&queues.ring));
	assert_int_equal(asyncring_sq_space_left(&queues.ring), 2);
}

static void test_completions_wrap(void **state)
{
	struct queues queues;
	struct asyncring_cqe *cqe;
	unsigned head, seen = 0;

	(void)state;
	make_queues(&queues, 0, NEAR_THE_END);
	for (unsigned step = 0; step < ENTRIES; step++)
		post(&queues, step, 0);
	assert_int_equal(asyncring_cq_ready(&queues.ring), ENTRIES);
	asyncring_for_each_cqe (&queues.ring, head, cqe) {
		assert_int_equal(head, NEAR_THE_END + seen);
		assert_int_equal(cqe->user_data, seen);
		seen++;
	}
	assert_int_equal(seen, ENTRIES);
	assert_int_equal(asyncring_cq_ready(&queues.ring), ENTRIES);

	asyncring_cq_advance(&queues.ring, 0);
	asyncring_cqe_seen(&queues.ring, NULL);
	assert_int_equal(asyncring_cq_ready(&queues.ring), ENTRIES);
	asyncring_cq_advance(&queues.ring, ENTRIES - 1);
	assert_int_equal(asyncring_peek_cqe(&queues.ring, &cqe), 0);
	assert_int_equal(cqe->user_data, ENTRIES - 1);
	asyncring_cqe_seen(&queues.ring, cqe);
	assert_int_equal(asyncring_peek_cqe(&queues.ring, &cqe), -EAGAIN);
	assert_null(cqe);
}

static void test_large_completions(void **state)
{
	struct queues queues;
	struct asyncring_cqe *cqe;

	(void)state;
	make_queues(&queues, ASYNCRING_SETUP_CQE32, ENTRIES - 1);
	post(&queues, 10, 0);
	post(&queues, 11, 0);
	assert_int_equal(asyncring_wait_cqe(&queues.ring, &cqe), 0);
	assert_ptr_equal(cqe, &queues.cqes[4 * (ENTRIES - 1)]);
	assert_int_equal(cqe->user_data, 10);
	asyncring_cqe_seen(&queues.ring, cqe);
	assert_int_equal(asyncring_wait_cqe(&queues.ring, &cqe), 0);
	assert_ptr_equal(cqe, &queues.cqes[0]);
	assert_int_equal(cqe->user_data, 11);
}

/* A 32-byte completion counts for two, and a filler counts but is nobody's completion. */
static void test_mixed_completions(void **state)
{
	struct queues queues;
	struct asyncring_cqe *cqe;
	unsigned head, places = 0, completions = 0;

	(void)state;
	make_queues(&queues, ASYNCRING_SETUP_CQE_MIXED, ENTRIES - 3);
	post(&queues, 1, ASYNCRING_CQE_F_32);
	post(&queues, 0, ASYNCRING_CQE_F_SKIP);
	post(&queues, 2, ASYNCRING_CQE_F_32);
	post(&queues, 3, 0);
	assert_int_equal(asyncring_cq_ready(&queues.ring), 6);
	asyncring_for_each_cqe (&queues.ring, head, cqe) {
		places += asyncring_cqe_nr(cqe);
		if (!(cqe->flags & ASYNCRING_CQE_F_SKIP))
			assert_int_equal(cqe->user_data, ++completions);
	}
	assert_int_equal(completions, 3);
	assert_int_equal(places, 6);

	for (unsigned wanted = 1; wanted <= 3; wanted++) {
		assert_int_equal(asyncring_wait_cqe(&queues.ring, &cqe), 0);
		assert_int_equal(cqe->user_data, wanted);
		asyncring_cqe_seen(&queues.ring, cqe);
	}
	assert_int_equal(asyncring_cq_ready(&queues.ring), 0);
}

static void test_batch(void **state)
{
	struct asyncring_cqe *cqes[ENTRIES];
	struct queues queues;

	(void)state;
	make_queues(&queues, 0, NEAR_THE_END);
	assert_int_equal(asyncring_peek_batch_cqe(&queues.ring, cqes, ENTRIES), 0);
	for (unsigned step = 0; step < 5; step++)
		post(&queues, step, 0);
	assert_int_equal(asyncring_peek_batch_cqe(&queues.ring, cqes, 0), 0);
	assert_int_equal(asyncring_peek_batch_cqe(&queues.ring, cqes, 3), 3);
	assert_int_equal(cqes[2]->user_data, 2);
	assert_int_equal(asyncring_peek_batch_cqe(&queues.ring, cqes, ENTRIES), 5);
	assert_int_equal(cqes[4]->user_data, 4);
}

/* A filler is handed out by no batch: one ends before it, the next passes over it. */
static void test_mixed_batch(void **state)
{
	struct asyncring_cqe *cqes[ENTRIES];
	struct queues queues;

	(void)state;
	make_queues(&queues, ASYNCRING_SETUP_CQE_MIXED, ENTRIES - 3);
	post(&queues, 1, ASYNCRING_CQE_F_32);
	post(&queues, 0, ASYNCRING_CQE_F_SKIP);
	post(&queues, 2, ASYNCRING_CQE_F_32);
	post(&queues, 3, 0);
	assert_int_equal(asyncring_peek_batch_cqe(&queues.ring, cqes, ENTRIES), 1);
	assert_int_equal(cqes[0]->user_data, 1);
	asyncring_cqe_seen(&queues.ring, cqes[0]);
	assert_int_equal(asyncring_cq_ready(&queues.ring), 4);

	assert_int_equal(asyncring_peek_batch_cqe(&queues.ring, cqes, ENTRIES), 2);
	assert_int_equal(cqes[0]->user_data, 2);
	assert_int_equal(cqes[1]->user_data, 3);
	assert_int_equal(asyncring_cq_ready(&queues.ring), 3); /* the filler has been given back */
	asyncring_cqe_seen(&queues.ring, cqes[0]);
	asyncring_cqe_seen(&queues.ring, cqes[1]);
	assert_int_equal(asyncring_peek_batch_cqe(&queues.ring, cqes, ENTRIES), 0);
}

/* What came back can be used for the next call: liburing's programs do. */
static void test_resize_again(void **state)
{
	struct asyncring_params params = {.sq_entries = 16};
	struct asyncring ring;

	(void)state;
	assert_int_equal(
		asyncring_queue_init(ENTRIES, &ring,
				     ASYNCRING_SETUP_SINGLE_ISSUER | ASYNCRING_SETUP_DEFER_TASKRUN),
		0);
	assert_int_equal(asyncring_resize_rings(&ring, &params), 0);
	assert_int_equal(params.flags, 0);
	params.sq_entries = 32;
	assert_int_equal(asyncring_resize_rings(&ring, &params), 0);
	assert_int_equal(ring.sq.ring_entries, 32);
	params.sq_entries = 0;
	assert_int_equal(asyncring_resize_rings(&ring, &params), -EINVAL);
	assert_int_equal(params.flags, 0);
	asyncring_queue_exit(&ring);
}

/* What liburing answers where it does not say so in its manual. */
static void test_answers_of_success(void **state)
{
	struct asyncring_buf_ring *buffers;
	struct asyncring ring;
	int error = -1;

	(void)state;
	assert_int_equal(asyncring_queue_init(ENTRIES, &ring, 0), 0);
	buffers = asyncring_setup_buf_ring(&ring, 4, 1, 0, &error);
	assert_non_null(buffers);
	assert_int_equal(error, 0);
	assert_int_equal(asyncring_free_buf_ring(&ring, buffers, 4, 1), 0);

	assert_int_equal(asyncring_close_ring_fd(&ring), -EINVAL);
	assert_int_equal(asyncring_register_ring_fd(&ring), 1);
	assert_int_equal(asyncring_close_ring_fd(&ring), 1);
	assert_int_equal(asyncring_close_ring_fd(&ring), -EBADF);
	asyncring_queue_exit(&ring);
}

static void test_eventfd_switch(void **state)
{
	struct queues queues;

	(void)state;
	make_queues(&queues, 0, 0);
	assert_true(asyncring_cq_eventfd_enabled(&queues.ring));
	assert_int_equal(asyncring_cq_eventfd_toggle(&queues.ring, true), 0);
	assert_int_equal(queues.cq_flags, 0);
	assert_int_equal(asyncring_cq_eventfd_toggle(&queues.ring, false), 0);
	assert_int_equal(queues.cq_flags, ASYNCRING_CQ_EVENTFD_DISABLED);
	assert_false(asyncring_cq_eventfd_enabled(&queues.ring));
	assert_int_equal(asyncring_cq_eventfd_toggle(&queues.ring, true), 0);
	assert_int_equal(queues.cq_flags, 0);
}

/* A ring that is gone answers; it does not crash. */
static void test_after_exit(void **state)
{
	struct asyncring_cqe *cqe;
	struct asyncring ring;
	unsigned head;

	(void)state;
	assert_int_equal(asyncring_queue_init(ENTRIES, &ring, 0), 0);
	asyncring_queue_exit(&ring);
	assert_null(asyncring_get_sqe(&ring));
	assert_int_equal(asyncring_cq_ready(&ring), 0);
	asyncring_for_each_cqe (&ring, head, cqe)
		fail();
	assert_int_equal(asyncring_peek_cqe(&ring, &cqe), -EAGAIN);
	assert_int_equal(asyncring_wait_cqe(&ring, &cqe), -EBADF);
	assert_int_equal(asyncring_submit_and_wait(&ring, 1), -EBADF);
	assert_int_equal(asyncring_ring_dontfork(&ring), -EINVAL);
	asyncring_queue_exit(&ring);
	asyncring_queue_exit(NULL);
}

static void test_null_arguments(void **state)
{
	struct asyncring_params params = {0};
	struct asyncring ring;
	struct asyncring_cqe *cqe;

	(void)state;
	assert_int_equal(asyncring_queue_init(ENTRIES, NULL, 0), -EFAULT);
	assert_int_equal(asyncring_queue_init_params(ENTRIES, &ring, NULL), -EFAULT);
	assert_int_equal(asyncring_queue_init_mem(ENTRIES, &ring, &params, NULL, 1 << 20), -EFAULT);
	assert_int_equal(asyncring_queue_mmap(3, &params, &ring), -EFAULT);
	assert_int_equal(asyncring_submit(NULL), -EFAULT);
	assert_int_equal(asyncring_get_events(NULL), -EFAULT);
	assert_int_equal(asyncring_wait_cqes(NULL, &cqe, 1, NULL, NULL), -EFAULT);
	assert_int_equal(asyncring_register_files(NULL, NULL, 0), -EFAULT);
	assert_int_equal(asyncring_register_buf_ring(NULL, NULL, 0), -EFAULT);
}

static void test_memory_sizes(void **state)
{
	struct asyncring_params params = {.flags = ASYNCRING_SETUP_CQSIZE, .cq_entries = 4};
	const unsigned large = ASYNCRING_SETUP_SQE128 | ASYNCRING_SETUP_CQE32;

	(void)state;
	assert_int_equal(asyncring_memory_size(0, 0), -EINVAL);
	assert_int_equal(asyncring_memory_size(32769, 0), -EINVAL);
	assert_int_equal(asyncring_memory_size(32769, ASYNCRING_SETUP_CLAMP),
			 asyncring_memory_size(32768, 0));
	assert_int_equal(asyncring_memory_size(5, 0), asyncring_memory_size(8, 0));
	/* 32768 entries of 128 bytes, 65536 completions of 32, and 320 bytes of heads and tails */
	assert_in_range(asyncring_memory_size(32768, large), (6 << 20) + 320, (6 << 20) + 131072);
	assert_int_equal(asyncring_memory_size_params(8, &params), -EINVAL);
	assert_int_equal(asyncring_mlock_size(8, 0), 0);
	assert_int_equal(asyncring_mlock_size(0, 0), -EINVAL);
}

/* A received message as a multishot recvmsg lays it out, with one control message. */
static void test_received_message(void **state)
{
	struct msghdr hdr = {.msg_namelen = 16, .msg_controllen = 64};
	union {
		struct asyncring_recvmsg_out out;
		unsigned char bytes[256];
	} buffer = {.out = {.namelen = 8, .controllen = 48, .payloadlen = 100}};
	const int length = (int)sizeof(struct asyncring_recvmsg_out) + 16 + 64 + 100;
	struct asyncring_recvmsg_out *out;
	struct cmsghdr *first, *second;

	(void)state;
	assert_null(asyncring_recvmsg_validate(&buffer, -1, &hdr));
	assert_null(asyncring_recvmsg_validate(&buffer, 16 + 16 + 64 - 1, &hdr));
	assert_int_equal(asyncring_recvmsg_payload_length(&buffer.out, -1, &hdr), 0);
	assert_int_equal(asyncring_recvmsg_payload_length(&buffer.out, 16 + 16 + 64 - 1, &hdr), 0);
	assert_int_equal(asyncring_recvmsg_payload_length(&buffer.out, 16 + 16 + 64, &hdr), 0);
	out = asyncring_recvmsg_validate(&buffer, length, &hdr);
	assert_ptr_equal(out, &buffer.out);
	assert_ptr_equal(asyncring_recvmsg_name(out), buffer.bytes + 16);
	assert_ptr_equal(asyncring_recvmsg_payload(out, &hdr), buffer.bytes + 16 + 16 + 64);
	assert_int_equal(asyncring_recvmsg_payload_length(out, length, &hdr), 100);

	first = asyncring_recvmsg_cmsg_firsthdr(out, &hdr);
	assert_ptr_equal(first, buffer.bytes + 16 + 16);
	second = (struct cmsghdr *)(buffer.bytes + 16 + 16 + 24);
	first->cmsg_len = 20; /* padded to 24 */
	second->cmsg_len = 24;
	assert_ptr_equal(asyncring_recvmsg_cmsg_nexthdr(out, &hdr, first), second);
	assert_null(asyncring_recvmsg_cmsg_nexthdr(out, &hdr, second));

	/* Lengths that lead out of the control data, or nowhere. */
	second->cmsg_len = 25;
	assert_null(asyncring_recvmsg_cmsg_nexthdr(out, &hdr, first));
	first->cmsg_len = (__typeof__(first->cmsg_len))-1;
	assert_null(asyncring_recvmsg_cmsg_nexthdr(out, &hdr, first));
	first->cmsg_len = 0;
	assert_null(asyncring_recvmsg_cmsg_nexthdr(out, &hdr, first));
	out->controllen = 8;
	assert_null(asyncring_recvmsg_cmsg_firsthdr(out, &hdr));
}

/* Slots travel plus one; "any slot" travels as it is. */
static void test_file_slots(void **state)
{
	struct asyncring_sqe sqe = {0};

	(void)state;
	asyncring_prep_close_direct(&sqe, 0);
	assert_int_equal(sqe.file_index, 1);
	asyncring_prep_openat_direct(&sqe, AT_FDCWD, "name", O_RDONLY, 0, 7);
	assert_int_equal(sqe.file_index, 8);
	asyncring_prep_openat_direct(&sqe, AT_FDCWD, "name", O_RDONLY, 0,
				     ASYNCRING_FILE_INDEX_ALLOC);
	assert_int_equal(sqe.file_index, 0xffffffff);
	asyncring_prep_msg_ring_fd_alloc(&sqe, 3, 4, 5, 0);
	assert_int_equal(sqe.file_index, 0xffffffff);
	assert_int_equal(sqe.addr, ASYNCRING_MSG_SEND_FD);
	assert_int_equal(sqe.addr3, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_entries_wrap),
		cmocka_unit_test(test_large_entries),
		cmocka_unit_test(test_mixed_entries),
		cmocka_unit_test(test_completions_wrap),
		cmocka_unit_test(test_large_completions),
		cmocka_unit_test(test_mixed_completions),
		cmocka_unit_test(test_batch),
		cmocka_unit_test(test_mixed_batch),
		cmocka_unit_test(test_resize_again),
		cmocka_unit_test(test_answers_of_success),
		cmocka_unit_test(test_eventfd_switch),
		cmocka_unit_test(test_after_exit),
		cmocka_unit_test(test_null_arguments),
		cmocka_unit_test(test_memory_sizes),
		cmocka_unit_test(test_received_message),
		cmocka_unit_test(test_file_slots),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
