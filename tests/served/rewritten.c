/* SPDX-License-Identifier: MIT */
/*
 * Description: a program that makes the same call from the same place many times, with instructions
 * of its own. In user space that place is rewritten (lib/compat/rewrite.c), of which nothing may be
 * noticed: registers, flags and the stack stay as a system call leaves them, in all threads, in
 * signal handlers and in children; and places that do not lie well work without.
 */
#include "raw.h"

#if defined(__x86_64__)

/* More than it takes for a place to be rewritten. */
enum { MANY = 300, THREADS = 4 };

/*
 * Three places of the same shape: one that lies well, one whose first instruction lies across two
 * words, and one with the two instructions apart.
 */
long place_aligned(long fd, long submit, long wait, long flags);
long place_across(long fd, long submit, long wait, long flags);
long place_apart(long fd, long submit, long wait, long flags);
/* The `syscall` of the first, come to by a jump. */
long place_behind(long fd, long submit, long wait, long flags);
extern const unsigned char code_aligned[], code_across[], code_apart[];

#define BEGIN(name, code)                                                                          \
	".globl " name "\n.type " name ", %function\n" name ":\n"                                  \
	"	mov	%rcx, %r10\n"                                                                        \
	"	xor	%r8d, %r8d\n"                                                                        \
	"	xor	%r9d, %r9d\n" code

__asm__(".text\n" BEGIN("place_aligned", "	jmp	code_aligned\n"
					 ".balign 8\n"
					 ".globl code_aligned\n"
					 "code_aligned:\n"
					 "	mov	$426, %eax\n"
					 "aligned_call:\n"
					 "	syscall\n"
					 "	ret\n")
		BEGIN("place_across", "	jmp	code_across\n"
				      ".balign 8\n"
				      "	.byte	0x90, 0x90, 0x90, 0x90, 0x90\n"
				      ".globl code_across\n"
				      "code_across:\n"
				      "	mov	$426, %eax\n"
				      "	syscall\n"
				      "	ret\n") BEGIN("place_apart", "	jmp	code_apart\n"
								     ".balign 8\n"
								     ".globl code_apart\n"
								     "code_apart:\n"
								     "	mov	$426, %eax\n"
								     "	nop\n"
								     "	syscall\n"
								     "	ret\n")
			BEGIN("place_behind", "	mov	$426, %eax\n"
					      "	jmp	aligned_call\n"));

/* Is it in user space that the calls are served, on a system that lets text be changed? */
static bool is_rewritten(const struct raw_ring *ring)
{
	void *page = (void *)((uintptr_t)code_apart & ~(uintptr_t)4095);

	if (!(ring->params.features & 1u << 31)) /* FEAT_USERSPACE */
		return false;
	return !mprotect(page, 4096, PROT_READ | PROT_WRITE | PROT_EXEC) &&
	       !mprotect(page, 4096, PROT_READ | PROT_EXEC);
}

static void nops(struct raw_ring *ring, long (*place)(long, long, long, long), unsigned count)
{
	struct asyncring_cqe cqe;

	for (unsigned i = 0; i < count; i++) {
		raw_sqe(ring, ASYNCRING_OP_NOP, -1, i);
		assert_int_equal(place(ring->fd, 1, 1, ASYNCRING_ENTER_GETEVENTS), 1);
		assert_true(raw_cqe(ring, &cqe));
		assert_int_equal(cqe.user_data, i);
		assert_int_equal(cqe.res, 0);
	}
}

static void every_place(void **state)
{
	struct raw_ring ring;

	(void)state;
	raw_open(&ring, 0);
	nops(&ring, place_aligned, MANY);
	nops(&ring, place_across, MANY);
	nops(&ring, place_apart, MANY);
	nops(&ring, place_behind, MANY);
	assert_int_equal(place_aligned(-1, 0, 0, 0), -EBADF);
	/* What lies well has become a jump, and what does not as long as there is but one thread.
	 */
	assert_int_equal(*code_aligned, is_rewritten(&ring) ? 0xe9 : 0xb8);
	assert_int_equal(*code_across, is_rewritten(&ring) ? 0xe9 : 0xb8);
	assert_int_equal(*code_apart, 0xb8);
	raw_close_ring(&ring);
}

/* ---- what a system call leaves alone ---- */

/* In words of 64 bits. */
enum {
	GENERAL = 0, /* rbx rbp r12 r13 r14 r15, then rdi rsi rdx r10 r8 r9, the arguments */
	ARGUMENTS = 6,
	VECTORS = 12,  /* xmm3, xmm15 */
	RED_ZONE = 16, /* its first word; the last is filled alike */
	RESULT = 17,   /* not kept, of course */
	RED_ZONE_END = 18,
	FLAGS = 19,
	WORDS = 20,
};

/* Fills the machine from @in, makes the call, and tells what is there then. */
void call_with(const uint64_t in[WORDS], uint64_t out[WORDS]);
/* The same for a vector register as wide as AVX has them; a NOP that was put in is submitted. */
void call_with_wide(const uint64_t in[4], uint64_t out[4], long fd);
extern const unsigned char code_with[];

__asm__(".text\n"
	".globl call_with\n.type call_with, %function\n"
	"call_with:\n"
	"	push	%rbx\n"
	"	push	%rbp\n"
	"	push	%r12\n"
	"	push	%r13\n"
	"	push	%r14\n"
	"	push	%r15\n"
	"	push	%rsi\n"
	"	mov	%rdi, %rax\n"
	"	mov	0(%rax), %rbx\n"
	"	mov	8(%rax), %rbp\n"
	"	mov	16(%rax), %r12\n"
	"	mov	24(%rax), %r13\n"
	"	mov	32(%rax), %r14\n"
	"	mov	40(%rax), %r15\n"
	"	mov	48(%rax), %rdi\n"
	"	mov	56(%rax), %rsi\n"
	"	mov	64(%rax), %rdx\n"
	"	mov	72(%rax), %r10\n"
	"	mov	80(%rax), %r8\n"
	"	mov	88(%rax), %r9\n"
	"	movdqu	96(%rax), %xmm3\n"
	"	movdqu	112(%rax), %xmm15\n"
	"	mov	128(%rax), %r11\n"
	"	mov	%r11, -8(%rsp)\n"
	"	mov	%r11, -128(%rsp)\n"
	"	stc\n"
	"	std\n"
	"	jmp	code_with\n"
	".balign 8\n"
	".globl code_with\n"
	"code_with:\n"
	"	mov	$426, %eax\n"
	"	syscall\n"
	"	mov	-8(%rsp), %rcx\n"
	"	pushfq\n"
	"	cld\n"
	"	mov	8(%rsp), %r11\n"
	"	mov	%rcx, 128(%r11)\n"
	"	mov	%rax, 136(%r11)\n"
	"	mov	-120(%rsp), %rcx\n"
	"	mov	%rcx, 144(%r11)\n"
	"	pop	%rcx\n"
	"	mov	%rcx, 152(%r11)\n"
	"	mov	%rbx, 0(%r11)\n"
	"	mov	%rbp, 8(%r11)\n"
	"	mov	%r12, 16(%r11)\n"
	"	mov	%r13, 24(%r11)\n"
	"	mov	%r14, 32(%r11)\n"
	"	mov	%r15, 40(%r11)\n"
	"	mov	%rdi, 48(%r11)\n"
	"	mov	%rsi, 56(%r11)\n"
	"	mov	%rdx, 64(%r11)\n"
	"	mov	%r10, 72(%r11)\n"
	"	mov	%r8, 80(%r11)\n"
	"	mov	%r9, 88(%r11)\n"
	"	movdqu	%xmm3, 96(%r11)\n"
	"	movdqu	%xmm15, 112(%r11)\n"
	"	pop	%rsi\n"
	"	pop	%r15\n"
	"	pop	%r14\n"
	"	pop	%r13\n"
	"	pop	%r12\n"
	"	pop	%rbp\n"
	"	pop	%rbx\n"
	"	ret\n"
	".globl call_with_wide\n.type call_with_wide, %function\n"
	"call_with_wide:\n"
	"	push	%rsi\n"
	"	vmovdqu	(%rdi), %ymm7\n"
	"	mov	%rdx, %rdi\n"
	"	mov	$1, %esi\n"
	"	mov	$1, %edx\n"
	"	mov	$1, %ecx\n"
	"	call	place_aligned\n"
	"	pop	%rsi\n"
	"	vmovdqu	%ymm7, (%rsi)\n"
	"	vzeroupper\n"
	"	ret\n");

static void the_rest_is_as_it_was(void **state)
{
	const uint64_t carry_and_direction = 0x401;
	uint64_t in[WORDS], out[WORDS], wide_in[4], wide_out[4];
	const uint64_t arguments[6] = {0, 1, 1, ASYNCRING_ENTER_GETEVENTS, 0, 8};
	struct asyncring_cqe cqe;
	struct raw_ring ring;

	(void)state;
	raw_open(&ring, 0);
	for (unsigned i = 0; i < MANY; i++) {
		for (unsigned word = 0; word < WORDS; word++)
			in[word] = (i + 1) * UINT64_C(0x9e3779b97f4a7c15) * (word + 3);
		memcpy(&in[ARGUMENTS], arguments, sizeof(arguments));
		in[ARGUMENTS] = (uint64_t)ring.fd;
		raw_sqe(&ring, ASYNCRING_OP_NOP, -1, i);
		call_with(in, out);
		assert_int_equal(out[RESULT], 1);
		assert_memory_equal(out, in, RED_ZONE * sizeof(*in));
		assert_int_equal(out[RED_ZONE], in[RED_ZONE]);
		assert_int_equal(out[RED_ZONE_END], in[RED_ZONE]);
		assert_int_equal(out[FLAGS] & carry_and_direction, carry_and_direction);
		assert_true(raw_cqe(&ring, &cqe));
		assert_int_equal(cqe.user_data, i);
	}
	assert_int_equal(*code_with, is_rewritten(&ring) ? 0xe9 : 0xb8);
	for (unsigned i = 0; i < MANY && __builtin_cpu_supports("avx"); i++) {
		for (unsigned word = 0; word < 4; word++)
			wide_in[word] = (i + 5) * UINT64_C(0x9e3779b97f4a7c15) * (word + 1);
		raw_sqe(&ring, ASYNCRING_OP_NOP, -1, i);
		call_with_wide(wide_in, wide_out, ring.fd);
		assert_memory_equal(wide_out, wide_in, sizeof(wide_in));
		assert_true(raw_cqe(&ring, &cqe));
	}
	raw_close_ring(&ring);
}

/* ---- by whom it is called ---- */

/* A place of its own, which all threads come to while it is rewritten. */
long place_shared(long fd, long submit, long wait, long flags);

__asm__(BEGIN("place_shared", "	jmp	code_shared\n"
			      ".balign 8\n"
			      "code_shared:\n"
			      "	mov	$426, %eax\n"
			      "	syscall\n"
			      "	ret\n"));

static void *hammer(void *argument)
{
	pthread_barrier_t *barrier = argument;
	struct raw_ring ring;

	raw_open(&ring, 0);
	pthread_barrier_wait(barrier);
	nops(&ring, place_shared, 50 * MANY);
	raw_close_ring(&ring);
	return NULL;
}

static void many_threads(void **state)
{
	pthread_t threads[THREADS];
	pthread_barrier_t barrier;

	(void)state;
	pthread_barrier_init(&barrier, NULL, THREADS);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, hammer, &barrier), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&barrier);
}

static struct raw_ring handlers_ring;

static void submit_in_handler(int signal)
{
	(void)signal;
	nops(&handlers_ring, place_aligned, 3);
}

/* A wait is interrupted by a signal, whose handler calls from the same place. */
static void in_a_handler(void **state)
{
	const struct sigaction action = {.sa_handler = submit_in_handler};
	const struct itimerspec soon = {.it_value.tv_nsec = 5000000,
					.it_interval.tv_nsec = 5000000};
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
	struct raw_ring ring;
	timer_t timer;

	(void)state;
	raw_open(&ring, 0);
	raw_open(&handlers_ring, 0);
	nops(&ring, place_aligned, MANY);
	assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
	assert_int_equal(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
	assert_int_equal(timer_settime(timer, 0, &soon, NULL), 0);
	for (int i = 0; i < 5; i++)
		assert_int_equal(place_aligned(ring.fd, 0, 1, ASYNCRING_ENTER_GETEVENTS), -EINTR);
	assert_int_equal(timer_delete(timer), 0);
	assert_int_equal(signal(SIGUSR1, SIG_DFL) == SIG_ERR, 0);
	nops(&ring, place_aligned, 3);
	raw_close_ring(&ring);
	raw_close_ring(&handlers_ring);
}

static void in_child(void)
{
	struct raw_ring ring;

	alarm(RAW_SECONDS);
	raw_open(&ring, 0);
	nops(&ring, place_aligned, MANY);
	raw_close_ring(&ring);
}

static void children(void **state)
{
	struct raw_ring ring;

	(void)state;
	raw_open(&ring, 0);
	nops(&ring, place_aligned, MANY);
	assert_int_equal(raw_in_child(in_child), 0);
	nops(&ring, place_aligned, MANY);
	raw_close_ring(&ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_place),	cmocka_unit_test(the_rest_is_as_it_was),
		cmocka_unit_test(many_threads), cmocka_unit_test(in_a_handler),
		cmocka_unit_test(children),
	};

	raw_begin();
	return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

int main(void)
{
	fputs("skipped: only x86_64's calls are rewritten\n", stderr);
	return RAW_SKIPPED;
}

#endif
