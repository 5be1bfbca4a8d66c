/* SPDX-License-Identifier: MIT */
/*
 * Description: rule 6. Ring memory belongs to the application, which may scribble on it at any
 * time: another thread writes into the SQEs, the SQ array and the words of the ring while they are
 * submitted. Whatever is taken for a request is checked, and each that is taken has one CQE.
 *
 * The scribbler chooses from values that are harmless in every combination. The races are the
 * point, so there is nothing here for ThreadSanitizer.
 */
#include "support.h"

enum { ENTRIES = 64, SIZE = 65536, FILE_SIZE = 8192 };

static struct asyncring_params params;
static int ring_fd;
static struct asyncring_sqe *sqes;
static char *words;
static unsigned char *memory; /* starts with vectors, which requests may read over */
static int file;
static _Atomic bool stop;
static uint64_t seed = 0x9e3779b97f4a7c15ull;

static uint64_t next_random(uint64_t *random)
{
	*random ^= *random << 13;
	*random ^= *random >> 7;
	*random ^= *random << 17;
	return *random;
}

static unsigned *word(unsigned offset)
{
	return (unsigned *)(void *)(words + offset);
}

static void scribble_sqe(volatile struct asyncring_sqe *sqe, uint64_t random)
{
	static const unsigned char opcodes[] = {ASYNCRING_OP_NOP,
						ASYNCRING_OP_READ,
						ASYNCRING_OP_READV,
						ASYNCRING_OP_WRITE,
						ASYNCRING_OP_FSYNC,
						ASYNCRING_OP_READV,
						250};
	static const unsigned char flags[] = {0,
					      ASYNCRING_SQE_ASYNC,
					      ASYNCRING_SQE_IO_LINK,
					      ASYNCRING_SQE_FIXED_FILE,
					      ASYNCRING_SQE_IO_DRAIN,
					      ASYNCRING_SQE_IO_HARDLINK,
					      0x80};
	const uint64_t addresses[] = {(uintptr_t)memory, (uintptr_t)memory + 64, 0, 16, ~0ull};
	static const unsigned lengths[] = {0, 1, 3, 64, 4096, 20000, ~0u};

	switch (random % 7) {
	case 0:
		sqe->opcode = opcodes[(random >> 8) % sizeof(opcodes)];
		break;
	case 1:
		sqe->flags = flags[(random >> 8) % sizeof(flags)];
		break;
	case 2:
		sqe->fd = (random >> 8) % 3 ? file : (int)((random >> 16) % 8 ? 5000 : -1);
		break;
	case 3:
		sqe->addr = addresses[(random >> 8) % 5];
		break;
	case 4:
		sqe->len = lengths[(random >> 8) % 7];
		break;
	case 5:
		sqe->off = (random >> 8) % FILE_SIZE;
		break;
	case 6:
		sqe->buf_index = (unsigned short)(random >> 8 & 1);
		break;
	}
}

static void *scribble(void *argument)
{
	volatile unsigned *array = word(params.sq_off.array);
	uint64_t random = seed;
	struct iovec *vectors = (struct iovec *)(void *)memory;

	(void)argument;
	while (!atomic_load(&stop)) {
		uint64_t number = next_random(&random);

		for (int i = 0; i < 8; i++)
			scribble_sqe(&sqes[(number >> 32) % ENTRIES], next_random(&random));
		array[(number >> 16) % ENTRIES] = number % 50 ? (unsigned)(number % ENTRIES) : ~0u;
		/* The library's copy counts, not these. */
		*(volatile unsigned *)word(params.sq_off.ring_mask) = (unsigned)number;
		*(volatile unsigned *)word(params.cq_off.ring_mask) = (unsigned)number;
		*(volatile unsigned *)word(params.cq_off.ring_entries) = (unsigned)number;
		*(volatile unsigned *)word(params.sq_off.head) = (unsigned)number;
		*(volatile unsigned *)word(params.cq_off.tail) = (unsigned)number;
		vectors[number % 4].iov_base = memory + 128;
		vectors[number % 4].iov_len = number % 3 ? number % 4096 : ~0ull;
	}
	return NULL;
}

/* Completions wait in the queue; take them away. How many, the library's own tail would tell. */
static unsigned reap(void)
{
	struct asyncring_cqe *cqes = (struct asyncring_cqe *)(void *)word(params.cq_off.cqes);
	static unsigned head;
	unsigned taken = 0;

	/* The tail is scribbled on, so look for what is not the mark left here. */
	while (cqes[head % params.cq_entries].flags != 0x5eed) {
		cqes[head % params.cq_entries].flags = 0x5eed;
		head++;
		taken++;
		__atomic_store_n(word(params.cq_off.head), head, __ATOMIC_RELEASE);
	}
	return taken;
}

struct balance {
	unsigned consumed, reaped;
};

static bool balanced(void *argument)
{
	struct balance *balance = argument;

	asyncring_enter((unsigned)ring_fd, 0, 0, ASYNCRING_ENTER_GETEVENTS, NULL);
	balance->reaped += reap();
	return balance->reaped >= balance->consumed;
}

static void rule_6_sqe_read_once(void **state)
{
	unsigned rounds = 20000 / support_slowness(), tail = 0;
	struct balance balance = {0, 0};
	pthread_t scribbler;

	(void)state;
	if (THREAD_SANITIZER)
		skip();
	assert_int_equal(pthread_create(&scribbler, NULL, scribble, NULL), 0);
	for (unsigned round = 0; round < rounds; round++) {
		int result;

		tail += 8;
		__atomic_store_n(word(params.sq_off.tail), tail, __ATOMIC_RELEASE);
		result = asyncring_enter((unsigned)ring_fd, 8, 0, ASYNCRING_ENTER_GETEVENTS, NULL);
		assert_in_range(result, 0, 8);
		/* What was skipped over in the array counts as consumed without a completion. */
		balance.consumed += (unsigned)result;
		balance.reaped += reap();
		tail = *word(params.sq_off.dropped) + balance.consumed;
	}
	atomic_store(&stop, true);
	assert_int_equal(pthread_join(scribbler, NULL), 0);
	assert_true(support_eventually(balanced, &balance));
	assert_int_equal(balance.reaped, balance.consumed);
}

static int setup(void **state)
{
	struct asyncring_cqe *cqes;

	(void)state;
	support_bound(120);
	signal(SIGXFSZ, SIG_IGN);
	/* Behind it a page that ends every transfer that is too long. */
	memory = mmap(NULL, 2 * SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED || mprotect(memory, SIZE, PROT_READ | PROT_WRITE))
		return -1;
	file = support_file("/tmp", FILE_SIZE);
	params.flags = ASYNCRING_SETUP_SUBMIT_ALL;
	ring_fd = asyncring_setup(ENTRIES, &params);
	if (ring_fd < 0)
		return -1;
	sqes = (struct asyncring_sqe *)(uintptr_t)params.sq_off.user_addr;
	words = (char *)(uintptr_t)params.cq_off.user_addr;
	cqes = (struct asyncring_cqe *)(void *)word(params.cq_off.cqes);
	for (unsigned i = 0; i < params.cq_entries; i++)
		cqes[i].flags = 0x5eed;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	asyncring_close(ring_fd);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rule_6_sqe_read_once),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
