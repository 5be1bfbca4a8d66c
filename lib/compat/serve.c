/* SPDX-License-Identifier: MIT */
/*
 * io_uring's system calls as a program written for the kernel makes them. The library's own calls
 * have the same arguments and answers, but where the kernel expects mmap(2) to follow they tell an
 * address: here the address is taken back, and mmap(2) is served.
 *
 * Pointers come from a program that was not written for this: they are read and written through
 * the core's copies, so that a bad one is -EFAULT.
 */
#include "../core/core.h"
#include "../core/setup.h"
#include "../core/view.h"
#include "preload.h"

/* ---- setup ---- */

long serve_setup(unsigned entries, struct asyncring_params *params)
{
	struct asyncring_params asked, answer;
	int fd;

	if (preload_forked_unseen())
		return -EPERM;
	if (asyncring__copy_in(&asked, (uintptr_t)params, sizeof(asked)))
		return -EFAULT;
	/* Is there room for the answer? A ring that is only an index could not be taken back. */
	if (asyncring__copy_out((uintptr_t)params, &asked, sizeof(asked)))
		return -EFAULT;
	answer = asked;
	fd = asyncring__setup(entries, &answer, RING_FD_FIRST);
	if (fd < 0)
		return fd;
	/* The kernel leaves these fields alone. */
	answer.sq_off.user_addr = asked.sq_off.user_addr;
	answer.cq_off.user_addr = asked.cq_off.user_addr;
	if (asyncring__copy_out((uintptr_t)params, &answer, sizeof(answer))) {
		asyncring_close(fd);
		return -EFAULT;
	}
	if (!(answer.flags & ASYNCRING_SETUP_REGISTERED_FD_ONLY))
		descriptors_add_ring(fd);
	return fd;
}

/* ---- enter ---- */

/*
 * A wait with a signal mask that has SIGSYS in it: the mask is replaced by @copy without. The
 * arguments stay as they are if there is no mask, or none that can be read: enter() says what is
 * wrong with it.
 */
static const void *unblock_in_mask(const void *arg, size_t size, sigset_t *copy)
{
	sigset_t mask;

	if (!arg || size != _NSIG / 8)
		return arg;
	sigemptyset(&mask);
	if (asyncring__copy_in(&mask, (uintptr_t)arg, _NSIG / 8))
		return arg;
	return signals_unblocked(&mask, copy);
}

/* As unblock_in_mask for what EXT_ARG points to. */
static const void *unblock_in_extended(const void *arg, size_t size,
				       struct asyncring_getevents_arg *extended, sigset_t *copy)
{
	if (size != sizeof(*extended) || asyncring__copy_in(extended, (uintptr_t)arg, size))
		return arg;
	extended->sigmask = (uintptr_t)unblock_in_mask((const void *)(uintptr_t)extended->sigmask,
						       extended->sigmask_sz, copy);
	return extended;
}

long serve_enter(unsigned fd, unsigned to_submit, unsigned min_complete, unsigned flags,
		 const void *arg, size_t size)
{
	struct asyncring_getevents_arg extended;
	sigset_t mask;

	/* As in other children. */
	if (preload_forked_unseen())
		return -EEXIST;
	if (flags & ASYNCRING_ENTER_GETEVENTS && arg && !(flags & ASYNCRING_ENTER_EXT_ARG_REG))
		arg = flags & ASYNCRING_ENTER_EXT_ARG
			      ? unblock_in_extended(arg, size, &extended, &mask)
			      : unblock_in_mask(arg, size, &mask);
	return asyncring_enter2(fd, to_submit, min_complete, flags, (void *)(uintptr_t)arg, size);
}

/* ---- register ---- */

static size_t whole_pages(size_t size)
{
	size_t page = asyncring__page_size();

	return (size + page - 1) / page * page;
}

/* The library has told the address of a view; the program makes one of its own. */
static void take_back_buffers(uint64_t arg)
{
	struct asyncring_buf_reg reg;

	if (asyncring__copy_in(&reg, arg, sizeof(reg)) || !(reg.flags & ASYNCRING_PBUF_RING_MMAP))
		return;
	sys_munmap((void *)(uintptr_t)reg.ring_addr,
		   whole_pages(reg.ring_entries * sizeof(struct asyncring_buf)));
	reg.ring_addr = 0;
	asyncring__copy_out(arg, &reg, sizeof(reg));
}

/* Memory of the library's is told of by the offset to map it at. */
static void tell_offset_of_region(uint64_t arg)
{
	struct asyncring_mem_region_reg reg;
	struct asyncring_region_desc region;

	if (asyncring__copy_in(&reg, arg, sizeof(reg)) ||
	    asyncring__copy_in(&region, reg.region_uptr, sizeof(region)) ||
	    region.flags & ASYNCRING_MEM_REGION_TYPE_USER)
		return;
	region.user_addr = 0;
	region.mmap_offset = VIEW_REGION_OFFSET;
	asyncring__copy_out(reg.region_uptr, &region, sizeof(region));
}

static void take_back_addresses(uint64_t arg)
{
	struct asyncring_params params;

	if (asyncring__copy_in(&params, arg, sizeof(params)))
		return;
	params.sq_off.user_addr = params.cq_off.user_addr = 0;
	asyncring__copy_out(arg, &params, sizeof(params));
}

void serve_hide_addresses(unsigned opcode, void *arg)
{
	switch (opcode) {
	case ASYNCRING_REGISTER_PBUF_RING:
		take_back_buffers((uintptr_t)arg);
		break;
	case ASYNCRING_REGISTER_MEM_REGION:
		tell_offset_of_region((uintptr_t)arg);
		break;
	case ASYNCRING_REGISTER_RESIZE_RINGS:
		take_back_addresses((uintptr_t)arg);
		break;
	default:
		break;
	}
}

long serve_register(unsigned fd, unsigned opcode, void *arg, unsigned count)
{
	int result;

	if (preload_forked_unseen())
		return -EEXIST;
	result = asyncring_register(fd, opcode, arg, count);
	if (result >= 0)
		serve_hide_addresses(opcode & ~(unsigned)ASYNCRING_REGISTER_USE_REGISTERED_RING,
				     arg);
	return result;
}

long serve_ring_call(long number, const long a[6])
{
	switch (number) {
	case SYS_io_uring_setup:
		return serve_setup((unsigned)a[0], (struct asyncring_params *)a[1]);
	case SYS_io_uring_enter:
		return serve_enter((unsigned)a[0], (unsigned)a[1], (unsigned)a[2], (unsigned)a[3],
				   (const void *)a[4], (size_t)a[5]);
	case SYS_io_uring_register:
		return serve_register((unsigned)a[0], (unsigned)a[1], (void *)a[2], (unsigned)a[3]);
	default:
		return -ENOSYS;
	}
}

/* ---- mmap ---- */

long serve_mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset)
{
	const struct view view = {
		.address = (uintptr_t)address,
		.length = length,
		.protection = protection,
		.flags = flags,
		.offset = (uint64_t)offset,
	};

	if (!(flags & MAP_ANONYMOUS) && asyncring__ring_is_behind(fd))
		return asyncring__view_map((unsigned)fd, &view);
	return trap_pass_mmap(address, length, protection, flags, fd, offset);
}
