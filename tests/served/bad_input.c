/* SPDX-License-Identifier: MIT */
/*
 * Description: programs that spoil their own rings: words, indices and entries are scribbled over,
 * pointers are wild, mappings are gone, and the program is replaced or killed with work in flight.
 * Whatever becomes of the ring that is spoiled, another one of the process goes on to work.
 */
#include "raw.h"

static struct raw_ring healthy;

static int set_up(void **state)
{
	(void)state;
	raw_open(&healthy, 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	raw_close_ring(&healthy);
	return 0;
}

static uint32_t seed = 1;

static uint32_t draw(void)
{
	seed = seed * 1664525u + 1013904223u;
	return seed >> 8 ^ seed << 13;
}

/* Mostly what is nearly right, which gets further than what is not. */
static uint32_t draw_word(void)
{
	static const uint32_t tempting[] = {0, 1, 7, 8, 9, 16, 0x7fffffff, 0x80000000, 0xffffffff};

	return draw() % 2 ? tempting[draw() % (sizeof(tempting) / sizeof(tempting[0]))] : draw();
}

static void scribble(struct raw_ring *ring, int fd)
{
	const struct asyncring_sqring_offsets *sq = &ring->params.sq_off;
	const struct asyncring_cqring_offsets *cq = &ring->params.cq_off;
	const uint32_t words[] = {sq->head,  sq->tail,	    sq->ring_mask,    sq->ring_entries,
				  sq->flags, sq->dropped,   cq->head,	      cq->tail,
				  cq->flags, cq->ring_mask, cq->ring_entries, cq->overflow};
	static const uint8_t opcodes[] = {ASYNCRING_OP_NOP,	 ASYNCRING_OP_READ,
					  ASYNCRING_OP_WRITE,	 ASYNCRING_OP_READV,
					  ASYNCRING_OP_POLL_ADD, 200};

	for (unsigned i = 0; i < ring->params.sq_entries; i++) {
		uint32_t *entry = (void *)&ring->sqes[i];

		for (size_t j = 0; j < sizeof(*ring->sqes) / sizeof(*entry); j++)
			entry[j] = draw_word();
		ring->sqes[i].opcode = opcodes[draw() % sizeof(opcodes)];
		ring->sqes[i].fd = fd;
		/* Nothing that is mapped. */
		ring->sqes[i].addr |= UINT64_C(1) << 63;
		*raw_word(ring->sq, sq->array + i * (uint32_t)sizeof(unsigned)) = draw_word();
	}
	for (unsigned i = 0; i < 1 + draw() % 4; i++)
		*raw_word(ring->sq, words[draw() % (sizeof(words) / sizeof(words[0]))]) =
			draw_word();
}

static void spoil(unsigned flags)
{
	struct raw_ring ring;
	int fds[2];

	raw_open(&ring, flags);
	assert_int_equal(pipe(fds), 0);
	for (int i = 0; i < 4; i++) {
		scribble(&ring, fds[draw() % 2]);
		raw_enter(ring.fd, draw_word(), 0, draw() % 2 ? ASYNCRING_ENTER_GETEVENTS : 0);
		raw_readable(ring.fd, 0);
	}
	raw_check(&healthy);
	close(fds[0]);
	close(fds[1]);
	raw_close_ring(&ring);
}

static void rings_scribbled_over(void **state)
{
	static const unsigned flags[] = {0, ASYNCRING_SETUP_SUBMIT_ALL, ASYNCRING_SETUP_CQE32,
					 ASYNCRING_SETUP_SINGLE_ISSUER |
						 ASYNCRING_SETUP_DEFER_TASKRUN};

	(void)state;
	for (int i = 0; i < 400; i++)
		spoil(flags[i % 4]);
}

static void wild_pointers(void **state)
{
	char *read_only = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	void *const wild[] = {(void *)8, (void *)(uintptr_t)-4096, (void *)(UINTPTR_MAX >> 1)};
	struct asyncring_getevents_arg arg = {.ts = 8};
	struct raw_ring ring;
	int fd;

	(void)state;
	assert_ptr_not_equal(read_only, MAP_FAILED);
	/* What can be read is understood, but there is nowhere to answer, and no ring stays. */
	for (int i = 0; i < 3; i++)
		assert_int_equal(raw_setup(8, (void *)read_only), -EFAULT);
	raw_open(&ring, 0);
	for (size_t i = 0; i < sizeof(wild) / sizeof(wild[0]); i++) {
		assert_int_equal(raw_setup(8, wild[i]), -EFAULT);
		for (unsigned opcode = 0; opcode < 40; opcode++)
			assert_true(raw_register(ring.fd, opcode, wild[i], 1) < 0);
		assert_int_equal(raw_call(SYS_io_uring_enter, ring.fd, 0, 1,
					  ASYNCRING_ENTER_GETEVENTS | ASYNCRING_ENTER_EXT_ARG,
					  (long)wild[i], sizeof(arg)),
				 -EFAULT);
		assert_int_equal(raw_call(SYS_io_uring_enter, ring.fd, 0, 1,
					  ASYNCRING_ENTER_GETEVENTS, (long)wild[i], _NSIG / 8),
				 -EFAULT);
		arg.ts = (uintptr_t)wild[i];
		assert_int_equal(raw_call(SYS_io_uring_enter, ring.fd, 0, 1,
					  ASYNCRING_ENTER_GETEVENTS | ASYNCRING_ENTER_EXT_ARG,
					  (long)&arg, sizeof(arg)),
				 -EFAULT);
	}
	raw_check(&ring);
	/* It has no descriptor that would have to be closed, had it come to life. */
	fd = ring.fd;
	raw_close_ring(&ring);
	raw_open(&ring, 0);
	assert_int_equal(ring.fd, fd);
	raw_close_ring(&ring);
	munmap(read_only, 4096);
	raw_check(&healthy);
}

/* Where there is nowhere to answer no ring stays, not even one without a descriptor. */
static void nowhere_to_answer(void **state)
{
	enum { RING_AREA = 4096, TRIES = 40 };
	char *memory = mmap(NULL, 2 * RING_AREA, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	struct asyncring_params *params =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	assert_ptr_not_equal(memory, MAP_FAILED);
	assert_ptr_not_equal(params, MAP_FAILED);
	params->flags = ASYNCRING_SETUP_NO_MMAP | ASYNCRING_SETUP_REGISTERED_FD_ONLY;
	params->sq_off.user_addr = (uintptr_t)memory;
	params->cq_off.user_addr = (uintptr_t)memory + RING_AREA;
	assert_int_equal(mprotect(params, 4096, PROT_READ), 0);
	for (int i = 0; i < TRIES; i++) {
		int error = raw_setup(8, params);

		if (error == -EINVAL)
			skip(); /* an old kernel */
		assert_int_equal(error, -EFAULT);
	}
	munmap(params, 4096);
	munmap(memory, 2 * RING_AREA);
}

static void mappings_gone_in_flight(void **state)
{
	struct raw_ring ring;
	char bytes[2] = "";
	int fds[2];

	(void)state;
	for (int i = 0; i < 50; i++) {
		bytes[0] = 0;
		raw_open(&ring, 0);
		assert_int_equal(pipe(fds), 0);
		raw_start_read(&ring, fds[0], bytes, 1);
		raw_unmap_rings(&ring);
		assert_int_equal(write(fds[1], "x", 1), 1);
		assert_int_equal(raw_enter(ring.fd, 0, 1, ASYNCRING_ENTER_GETEVENTS), 0);
		assert_int_equal(bytes[0], 'x');
		assert_int_equal(close(ring.fd), 0);
		close(fds[0]);
		close(fds[1]);
	}
	raw_check(&healthy);
}

/* ---- in children ---- */

static char self[] = "/proc/self/exe", ask[] = "ask";

static void start_reads(struct raw_ring *ring)
{
	static char bytes[8];
	int fds[2];

	raw_open(ring, 0);
	assert_int_equal(pipe(fds), 0);
	for (unsigned i = 0; i < 8; i++)
		raw_start_read(ring, fds[0], &bytes[i], i);
}

static void replace_itself(void)
{
	char *const arguments[] = {self, ask, NULL};
	struct raw_ring ring;

	start_reads(&ring);
	execv(self, arguments);
	_exit(1);
}

static void kill_itself(void)
{
	struct raw_ring ring;

	start_reads(&ring);
	raise(SIGKILL);
}

static void ended_in_flight(void **state)
{
	(void)state;
	for (int i = 0; i < 20; i++) {
		int status;

		assert_int_equal(raw_in_child(replace_itself), 0);
		status = raw_in_child(kill_itself);
		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), SIGKILL);
		raw_check(&healthy);
	}
}

static int ask_for_a_ring(void)
{
	struct raw_ring ring;

	raw_open(&ring, 0);
	raw_check(&ring);
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rings_scribbled_over), cmocka_unit_test(wild_pointers),
		cmocka_unit_test(nowhere_to_answer),	cmocka_unit_test(mappings_gone_in_flight),
		cmocka_unit_test(ended_in_flight),
	};

	raw_begin();
	if (argc > 1 && !strcmp(argv[1], ask))
		return ask_for_a_ring();
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
