/* SPDX-License-Identifier: MIT */
/*
 * Reading and writing the application's memory at addresses taken from SQEs, which may be wild:
 * the kernel is asked to copy, so that a bad address is an answer and not a fault.
 *
 * process_vm_readv/writev on one's own process need no privilege. Where a sandbox refuses them the
 * copy goes through a pipe, whose write and read check addresses just as well, a page at a time.
 *
 * The kernel need not be asked about pages in which the running thread has something on its stack:
 * small things that the application has just put there, a time to wait for say, are mostly in the
 * same.
 */
#include <string.h>
#include <sys/auxv.h>

#include "core.h"

uint64_t asyncring__page_size(void)
{
	return getauxval(AT_PAGESZ);
}

static int copy_through_pipe(void *to, const void *from, size_t length)
{
	int ends[2];
	int result = (int)sys(SYS_pipe2, ends, O_CLOEXEC);

	if (result < 0)
		return result;
	while (length && !result) {
		size_t part = length < PIPE_BUF ? length : PIPE_BUF;

		if (sys_write(ends[1], from, part) != (long)part ||
		    sys_read(ends[0], to, part) != (long)part)
			result = -EFAULT;
		to = (char *)to + part;
		from = (const char *)from + part;
		length -= part;
	}
	sys_close(ends[0]);
	sys_close(ends[1]);
	return result;
}

static int copy(void *to, const void *from, size_t length, long call)
{
	/* The kernel's side of the copy is the first vector, checked as ordinary user memory too.
	 */
	bool in = call == SYS_process_vm_readv;
	struct iovec local = {in ? to : (void *)from, length};
	struct iovec remote = {in ? (void *)from : to, length};
	long done;

	if (!length)
		return 0;
	done = sys(call, sys(SYS_getpid), &local, 1, &remote, 1, 0);
	if (done == -ENOSYS || done == -EPERM)
		return copy_through_pipe(to, from, length);
	return done == (long)length ? 0 : -EFAULT;
}

enum { PAGE = 4096 }; /* the smallest there is */

/* Is [@from, @from + @length) in the page of @local, which is on the stack of this thread? */
static bool is_beside(uint64_t from, size_t length, const void *local)
{
	uint64_t offset = from - ((uintptr_t)local & ~(uintptr_t)(PAGE - 1));

	return offset < PAGE && length <= PAGE - offset;
}

int asyncring__copy_in_unseen(void *to, uint64_t from, size_t length)
{
	return copy(to, (const void *)(uintptr_t)from, length, SYS_process_vm_readv);
}

int asyncring__copy_in(void *to, uint64_t from, size_t length)
{
	if (!is_beside(from, length, __builtin_frame_address(0)))
		return asyncring__copy_in_unseen(to, from, length);
	memcpy(to, (const void *)(uintptr_t)from, length);
	return 0;
}

/* As much as is there in the page for sure, if the first byte is. */
static size_t reach(uint64_t from, size_t room)
{
	size_t part = PAGE - from % PAGE;

	return part < room ? part : room;
}

int asyncring__copy_in_ahead(struct ring *ring, void *to, uint64_t from, size_t length)
{
	struct ahead *ahead = ring->batch.ahead;
	uint64_t offset;

	if (is_beside(from, length, &ahead->last)) {
		memcpy(to, (const void *)(uintptr_t)from, length);
		return 0;
	}
	if (!ahead->wanted)
		return asyncring__copy_in(to, from, length);
	offset = from - ahead->from;
	if (offset >= ahead->length || length > ahead->length - offset) {
		size_t part = reach(from, sizeof(ahead->bytes));

		ahead->length = 0;
		if (part < length)
			return asyncring__copy_in(to, from, length);
		if (asyncring__copy_in_unseen(ahead->bytes, from, part))
			return -EFAULT;
		ahead->from = from;
		ahead->length = part;
		offset = 0;
	}
	memcpy(to, ahead->bytes + offset, length);
	return 0;
}

int asyncring__copy_out(uint64_t to, const void *from, size_t length)
{
	if (!is_beside(to, length, __builtin_frame_address(0)))
		return copy((void *)(uintptr_t)to, from, length, SYS_process_vm_writev);
	memcpy((void *)(uintptr_t)to, from, length);
	return 0;
}

/* Move @length bytes to a buffer twice as large; the old one is freed, also on failure. */
static char *enlarge(char *old, size_t length)
{
	char *larger = asyncring__alloc(length * 2);

	if (larger)
		memcpy(larger, old, length);
	asyncring__free(old);
	return larger;
}

int asyncring__copy_in_string(char **copy, uint64_t from, size_t limit)
{
	size_t length = 0, capacity = 256;
	char *copied = asyncring__alloc(capacity);
	int error = -ENOMEM;

	while (copied) {
		/* None of a page that the string need not reach into. */
		size_t part = reach(from + length, capacity - length);
		const char *end;

		error = asyncring__copy_in_unseen(copied + length, from + length, part);
		if (error)
			break;
		end = memchr(copied + length, '\0', part);
		length += end ? (size_t)(end - (copied + length)) : part;
		if (length >= limit) {
			error = -ENAMETOOLONG;
			break;
		}
		if (end) {
			*copy = copied;
			return 0;
		}
		error = -ENOMEM;
		if (length == capacity) {
			copied = enlarge(copied, capacity);
			capacity *= 2;
		}
	}
	asyncring__free(copied);
	return error;
}

/* ---- is memory there? ---- */

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

/* Make every page present and writable, as the kernel does when it pins registered memory. */
static int populate(uint64_t start, size_t length)
{
	return (int)sys(SYS_madvise, start, length, MADV_POPULATE_WRITE);
}

/*
 * Does the kernel know MADV_POPULATE_WRITE (Linux 5.14)? To others it is an invalid argument, but
 * so is, to those that know it, memory that may not be written: the stack tells the two apart.
 */
static bool can_populate(uint64_t page)
{
	enum { UNKNOWN, YES, NO };
	/* Relaxed: every thread finds the same answer. */
	static _Atomic int answer;
	int known = atomic_load_explicit(&answer, memory_order_relaxed);

	if (known == UNKNOWN) {
		known = populate((uintptr_t)&known & ~(page - 1), page) ? NO : YES;
		atomic_store_explicit(&answer, known, memory_order_relaxed);
	}
	return known == YES;
}

/* Is something mapped everywhere, whatever may be done with it? */
static int check_mapped(uint64_t start, uint64_t end, uint64_t page)
{
	unsigned char present[1024];

	while (start < end) {
		uint64_t step = end - start;

		if (step > sizeof(present) * page)
			step = sizeof(present) * page;
		if (sys(SYS_mincore, start, step, present) == -ENOMEM)
			return -EFAULT;
		start += step;
	}
	return 0;
}

int asyncring__memory_check(uint64_t address, size_t length)
{
	uint64_t page = asyncring__page_size();
	uint64_t start = address & ~(page - 1);
	uint64_t end;

	if (__builtin_add_overflow(address, length, &end) ||
	    __builtin_add_overflow(end, page - 1, &end))
		return -EFAULT;
	end &= ~(page - 1);
	if (can_populate(page))
		return populate(start, end - start) ? -EFAULT : 0;
	return check_mapped(start, end, page);
}
