/* SPDX-License-Identifier: MIT */
/*
 * Reading and writing the application's memory at addresses taken from SQEs, which may be wild:
 * the kernel is asked to copy, so that a bad address is an answer and not a fault.
 *
 * process_vm_readv/writev on one's own process need no privilege. Where a sandbox refuses them the
 * copy goes through a pipe, whose write and read check addresses just as well, a page at a time.
 */
#include <string.h>

#include "core.h"

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

int asyncring__copy_in(void *to, uint64_t from, size_t length)
{
	return copy(to, (const void *)(uintptr_t)from, length, SYS_process_vm_readv);
}

int asyncring__copy_out(uint64_t to, const void *from, size_t length)
{
	return copy((void *)(uintptr_t)to, from, length, SYS_process_vm_writev);
}

int asyncring__copy_in_string(char **result, uint64_t from, size_t limit)
{
	enum { PAGE = 4096 }; /* a copy never crosses into a page it does not need */
	size_t length = 0, capacity = 256;
	char *copied = asyncring__alloc(capacity);
	int error;

	if (!copied)
		return -ENOMEM;
	for (;;) {
		uint64_t address = from + length;
		size_t part = PAGE - address % PAGE;
		const char *end;

		if (part > capacity - length)
			part = capacity - length;
		error = asyncring__copy_in(copied + length, address, part);
		if (error)
			break;
		end = memchr(copied + length, '\0', part);
		if (end) {
			error = (size_t)(end - copied) < limit ? 0 : -ENAMETOOLONG;
			break;
		}
		length += part;
		if (length >= limit) {
			error = -ENAMETOOLONG;
			break;
		}
		if (length == capacity) {
			char *larger = asyncring__alloc(capacity * 2);

			if (!larger) {
				error = -ENOMEM;
				break;
			}
			memcpy(larger, copied, length);
			asyncring__free(copied);
			copied = larger;
			capacity *= 2;
		}
	}
	if (error) {
		asyncring__free(copied);
		return error;
	}
	*result = copied;
	return 0;
}

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

/*
 * Linux 5.14's MADV_POPULATE_WRITE makes every page present and writable, as pinning it would;
 * older kernels can at least say whether anything is mapped there.
 */
int asyncring__memory_check(uint64_t address, size_t length)
{
	enum { PAGE = 4096, STEP_PAGES = 1024 };
	uint64_t start = address & ~(uint64_t)(PAGE - 1);
	uint64_t end;
	int error;

	if (__builtin_add_overflow(address, length, &end) ||
	    __builtin_add_overflow(end, PAGE - 1, &end))
		return -EFAULT;
	end &= ~(uint64_t)(PAGE - 1);
	do
		error = (int)sys(SYS_madvise, start, end - start, MADV_POPULATE_WRITE);
	while (error == -EINTR || error == -EAGAIN);
	if (error != -EINVAL)
		return error ? -EFAULT : 0;
	while (start < end) {
		unsigned char present[STEP_PAGES];
		uint64_t step = end - start;

		if (step > (uint64_t)STEP_PAGES * PAGE)
			step = (uint64_t)STEP_PAGES * PAGE;
		if (sys(SYS_mincore, start, step, present))
			return -EFAULT;
		start += step;
	}
	return 0;
}
