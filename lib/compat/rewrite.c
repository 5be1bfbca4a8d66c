/* SPDX-License-Identifier: MIT */
/*
 * A call that traps again and again is rewritten: of
 *
 *	mov	$__NR_io_uring_enter, %eax	5 bytes
 *	syscall					2 bytes
 *
 * the first instruction becomes a jump, as long as it is, to a few instructions made for this
 * place, which call the library and jump back behind the second. A trap costs a signal, this a
 * function call and saving the registers that a system call leaves alone.
 *
 * Why it is safe while other threads run there: the two instructions have the same length and are
 * exchanged by one store within an aligned word, so that whoever comes finds one or the other; who
 * has the number in the register already comes to the `syscall`, which stays, and traps as before;
 * and so does who jumps to it from elsewhere. Where they do not lie in an aligned word they are
 * exchanged only if there is no other thread.
 *
 * Only text of a file that is mapped privately is changed, and only in this process. Wherever
 * something is not as expected (other instructions, a system that does not let text be changed, no
 * room in reach) the calls go on to trap.
 *
 * What is called this way may run anywhere, as the handler of the trap may. The table is shared by
 * all threads: an address is written once, by compare and exchange; who counts a place to its last
 * trap, and he alone, rewrites it.
 */
#include <string.h>

#include "../sys.h"
#include "preload.h"

#if defined(__x86_64__)

#include <cpuid.h>
#include <linux/membarrier.h>

enum {
	PLACES = 16,
	TRAPS = 64, /* so many before a place is worth it */
	MOV = 5,    /* bytes of the instruction that is exchanged */
	CALL = 7,   /* of it and the one behind it */
	PAGE = 4096,
};

static struct place {
	/* The address behind `syscall`; 0: free. Relaxed: it is only compared. */
	_Atomic uintptr_t behind;
	_Atomic unsigned traps; /* relaxed: it only counts */
} places[PLACES];

static bool enabled; /* written by the constructor */

/* ---- where a rewritten call comes to ---- */

/* As the handler of the trap, with what the call has in its registers. */
__attribute__((used)) static long serve_rewritten(unsigned fd, unsigned to_submit,
						  unsigned min_complete, unsigned flags,
						  const void *arg, size_t size)
{
	int saved_errno = errno;
	long result;

	count_served(BY_JUMP);
	result = serve_enter(fd, to_submit, min_complete, flags, arg, size);
	errno = saved_errno;
	return result;
}

/*
 * Everything but the result in rax is as it was, as after a system call; rcx and r11 are not kept
 * by that either. The flags are kept by who calls this. The vector registers are saved by XSAVEC,
 * which fills in all of the area's header but the 48 bytes that XRSTOR wants to be zero: SSE, AVX
 * and AVX-512, which need 2432 bytes in its compacted form and no more than three times 63 to
 * align.
 */
extern char rewritten_call[] __attribute__((visibility("hidden")));
__asm__(".text\n"
	".balign 16\n"
	".type rewritten_call, %function\n"
	"rewritten_call:\n"
	"	push	%rbp\n"
	"	mov	%rsp, %rbp\n"
	"	push	%rbx\n"
	"	push	%rdi\n"
	"	push	%rsi\n"
	"	push	%rdx\n"
	"	push	%r10\n"
	"	push	%r8\n"
	"	push	%r9\n"
	"	cld\n"
	"	sub	$2688, %rsp\n"
	"	and	$-64, %rsp\n"
	"	mov	%rsp, %rbx\n"
	"	xor	%eax, %eax\n"
	"	mov	%rax, 528(%rbx)\n"
	"	mov	%rax, 536(%rbx)\n"
	"	mov	%rax, 544(%rbx)\n"
	"	mov	%rax, 552(%rbx)\n"
	"	mov	%rax, 560(%rbx)\n"
	"	mov	%rax, 568(%rbx)\n"
	"	mov	%rdx, %rcx\n"
	"	xor	%edx, %edx\n"
	"	mov	$0xe6, %eax\n"
	"	xsavec	(%rbx)\n"
	"	mov	%rcx, %rdx\n"
	"	mov	%r10, %rcx\n"
	"	call	serve_rewritten\n"
	"	mov	%rax, %rcx\n"
	"	xor	%edx, %edx\n"
	"	mov	$0xe6, %eax\n"
	"	xrstor	(%rbx)\n"
	"	mov	%rcx, %rax\n"
	"	lea	-56(%rbp), %rsp\n"
	"	pop	%r9\n"
	"	pop	%r8\n"
	"	pop	%r10\n"
	"	pop	%rdx\n"
	"	pop	%rsi\n"
	"	pop	%rdi\n"
	"	pop	%rbx\n"
	"	pop	%rbp\n"
	"	ret\n"
	".size rewritten_call, . - rewritten_call\n");

static bool machine_can(void)
{
	const unsigned osxsave = 1u << 27, xsavec = 1u << 1;
	unsigned a, b, c, d;

	return __get_cpuid(1, &a, &b, &c, &d) && c & osxsave &&
	       __get_cpuid_count(0xd, 1, &a, &b, &c, &d) && a & xsavec;
}

/* ---- may it be changed? ---- */

/* One line of /proc/self/maps, as far as it has been read: START-END PERMISSIONS ... */
struct line {
	uintptr_t start, end, *number;
	char permissions[5];
	unsigned used;
	enum { IN_RANGE, IN_PERMISSIONS, IN_REST } part;
};

static void begin_line(struct line *line)
{
	memset(line, 0, sizeof(*line));
	line->number = &line->start;
}

static void add_character(struct line *line, char c)
{
	if (line->part == IN_RANGE && c == '-')
		line->number = &line->end;
	else if (c == ' ' && line->part != IN_REST)
		line->part++;
	else if (line->part == IN_RANGE)
		*line->number = *line->number << 4 | (uintptr_t)(c <= '9' ? c - '0' : c - 'a' + 10);
	else if (line->part == IN_PERMISSIONS && line->used < sizeof(line->permissions) - 1)
		line->permissions[line->used++] = c;
}

/* Is everything from @start to @end private text in one mapping? Neither can be told from the page.
 */
static bool is_text(uintptr_t start, uintptr_t end)
{
	int fd = (int)sys(SYS_openat, AT_FDCWD, "/proc/self/maps", O_RDONLY | O_CLOEXEC, 0);
	bool found = false;
	struct line line;
	char buffer[512];
	long length;

	if (fd < 0)
		return false;
	begin_line(&line);
	while (!found && (length = sys_read(fd, buffer, sizeof(buffer))) > 0)
		for (long i = 0; i < length && !found; i++) {
			if (buffer[i] != '\n') {
				add_character(&line, buffer[i]);
				continue;
			}
			found = line.start <= start && end <= line.end &&
				!strcmp(line.permissions, "r-xp");
			begin_line(&line);
		}
	sys_close(fd);
	return found;
}

/* Has the process no other thread? A directory has a link from each that is in it. */
static bool is_alone(void)
{
	struct stat status;

	return !sys(SYS_newfstatat, AT_FDCWD, "/proc/self/task", &status, 0) &&
	       status.st_nlink == 2 + 1;
}

/* It is text. */
static bool is_expected(const unsigned char *place)
{
	static const unsigned char expected[CALL] = {0xb8, 0xaa, 0x01, 0x00, 0x00, 0x0f, 0x05};

	return !memcmp(place, expected, CALL) && (uintptr_t)place % PAGE <= PAGE - MOV;
}

static bool in_a_word(const unsigned char *place)
{
	return (uintptr_t)place % sizeof(uint64_t) <= sizeof(uint64_t) - MOV;
}

/* ---- changing it ---- */

static bool in_reach(uintptr_t a, uintptr_t b)
{
	const uintptr_t reach = (UINT64_C(1) << 31) - PAGE;

	return (a < b ? b - a : a - b) < reach;
}

/* A page that a jump from @place can come to, and back; NULL: there is none. */
static unsigned char *page_near(uintptr_t place)
{
	const uintptr_t step = UINT64_C(64) << 20, base = place & ~(uintptr_t)(PAGE - 1);

	for (int i = 1; i < 32; i++)
		for (int up = 0; up < 2; up++) {
			uintptr_t wanted = base + (up ? step : -step) * (uintptr_t)i;
			long got;

			if (!in_reach(wanted, place))
				continue;
			got = sys(SYS_mmap, wanted, PAGE, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
			if (got < 0 && got > -4096)
				continue;
			if (in_reach((uintptr_t)got, place))
				return (unsigned char *)got;
			/* The kernel is older than the flag. */
			sys_munmap((void *)got, PAGE);
		}
	return NULL;
}

/* The bytes of a jump at @at to @to. */
static void encode_jump(unsigned char bytes[MOV], uintptr_t at, uintptr_t to)
{
	int32_t distance = (int32_t)(to - (at + MOV));

	bytes[0] = 0xe9;
	memcpy(bytes + 1, &distance, sizeof(distance));
}

/* The instructions that @place jumps to, in a page of their own. */
static unsigned char *make_detour(uintptr_t place)
{
	static const unsigned char code[] = {
		0x48, 0x8d, 0x64, 0x24, 0x80,			/* lea -128(%rsp), %rsp */
		0x9c,						/* pushfq */
		0xff, 0x15, 0x0e, 0x00, 0x00, 0x00,		/* call *target */
		0x9d,						/* popfq */
		0x48, 0x8d, 0xa4, 0x24, 0x80, 0x00, 0x00, 0x00, /* lea 128(%rsp), %rsp */
		0xe9, 0x00, 0x00, 0x00, 0x00,			/* jmp behind the call */
	};
	const uintptr_t target = (uintptr_t)rewritten_call;
	unsigned char *page = page_near(place), *end;

	if (!page)
		return NULL;
	end = page + sizeof(code) - MOV;
	memcpy(page, code, sizeof(code));
	encode_jump(end, (uintptr_t)end, place + CALL);
	memcpy(page + sizeof(code), &target, sizeof(target));
	if (!sys(SYS_mprotect, page, PAGE, PROT_READ | PROT_EXEC))
		return page;
	sys_munmap(page, PAGE);
	return NULL;
}

/* By one store, whatever other threads do. */
static void store_in_word(unsigned char *place, const unsigned char bytes[MOV])
{
	const size_t at = (uintptr_t)place % sizeof(uint64_t);
	_Atomic uint64_t *word = (_Atomic uint64_t *)(void *)(place - at);
	uint64_t old, new;

	/* Should somebody else change text here, a debugger, none of it is lost. */
	old = atomic_load_explicit(word, memory_order_relaxed);
	do {
		new = old;
		memcpy((unsigned char *)&new + at, bytes, MOV);
	} while (!atomic_compare_exchange_weak_explicit(word, &old, new, memory_order_seq_cst,
							memory_order_relaxed));
}

/* The instruction at @place becomes a jump to @to. */
static bool exchange(unsigned char *place, uintptr_t to)
{
	void *page = (void *)((uintptr_t)place & ~(uintptr_t)(PAGE - 1));
	unsigned char jump[MOV];

	if (sys(SYS_mprotect, page, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC))
		return false;
	encode_jump(jump, (uintptr_t)place, to);
	if (in_a_word(place))
		store_in_word(place, jump);
	else
		memcpy(place, jump, MOV);
	sys(SYS_mprotect, page, PAGE, PROT_READ | PROT_EXEC);
	/* All threads fetch it anew. */
	if (!sys(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0))
		sys(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0);
	return true;
}

static void rewrite(uintptr_t behind)
{
	unsigned char *place = (unsigned char *)(behind - CALL), *detour;

	/* The child of a vfork has the memory of a process whose threads it cannot see. */
	if (sys(SYS_getpid) != preload_pid())
		return;
	if (!is_text(behind - CALL, behind) || !is_expected(place))
		return;
	if (!in_a_word(place) && !is_alone())
		return;
	detour = make_detour((uintptr_t)place);
	if (detour && !exchange(place, (uintptr_t)detour))
		sys_munmap(detour, PAGE);
}

void rewrite_init(bool wanted)
{
	enabled = wanted && machine_can();
}

void rewrite_consider(uintptr_t behind)
{
	for (unsigned i = 0; i < PLACES && enabled; i++) {
		struct place *place = &places[i];
		uintptr_t found = atomic_load_explicit(&place->behind, memory_order_relaxed);

		if (!found && atomic_compare_exchange_strong_explicit(&place->behind, &found,
								      behind, memory_order_relaxed,
								      memory_order_relaxed))
			found = behind;
		if (found != behind)
			continue;
		if (atomic_fetch_add_explicit(&place->traps, 1, memory_order_relaxed) == TRAPS)
			rewrite(behind);
		return;
	}
}

#else

void rewrite_init(bool wanted)
{
	(void)wanted;
}

void rewrite_consider(uintptr_t behind)
{
	(void)behind;
}

#endif
