/* SPDX-License-Identifier: MIT */
/*
 * raw_ring: io_uring by the kernel's interface alone, without liburing, libc's syscall(2) or
 * mmap(2) in between, as a program with its own system-call instructions has it. One NOP is sent
 * through a ring; says what came of it: "ok", or the name of the first errno and an exit status
 * of 1.
 */
#include <asyncring/abi.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#if defined(__x86_64__)

static long call6(long number, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}

#elif defined(__aarch64__)

static long call6(long number, long a, long b, long c, long d, long e, long f)
{
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;

	__asm__ volatile("svc 0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
			 : "memory");
	return x0;
}

#endif

static void *map(long fd, size_t size, long offset)
{
	long address = call6(SYS_mmap, 0, (long)size, PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_POPULATE, fd, offset);

	return address < 0 && address > -4096 ? NULL : (void *)address;
}

static int refused(long error)
{
	puts(strerrorname_np((int)-error));
	return 1;
}

int main(void)
{
	const uint64_t mark = 0x6e6f70;
	struct asyncring_params p = {0};
	struct asyncring_sqe *sqes;
	struct asyncring_cqe *cqe;
	unsigned *tail, *head;
	char *rings;
	long fd, done;

	fd = call6(SYS_io_uring_setup, 1, (long)&p, 0, 0, 0, 0);
	if (fd < 0)
		return refused(fd);
	rings = map(fd, p.sq_off.array + p.sq_entries * sizeof(unsigned), ASYNCRING_OFF_SQ_RING);
	sqes = map(fd, p.sq_entries * sizeof(*sqes), ASYNCRING_OFF_SQES);
	if (!rings || !sqes)
		return refused(-ENOMEM);
	sqes[0] = (struct asyncring_sqe){.opcode = ASYNCRING_OP_NOP, .user_data = mark};
	tail = (unsigned *)(void *)(rings + p.sq_off.tail);
	head = (unsigned *)(void *)(rings + p.cq_off.head);
	/* Releases the entry to whoever serves it. */
	__atomic_store_n(tail, 1, __ATOMIC_RELEASE);
	done = call6(SYS_io_uring_enter, fd, 1, 1, ASYNCRING_ENTER_GETEVENTS, 0, 0);
	if (done != 1)
		return refused(done < 0 ? done : -EAGAIN);
	cqe = (struct asyncring_cqe *)(void *)(rings + p.cq_off.cqes);
	if (cqe->user_data != mark || cqe->res)
		return refused(-EBADMSG);
	__atomic_store_n(head, 1, __ATOMIC_RELEASE);
	puts("ok");
	return 0;
}
