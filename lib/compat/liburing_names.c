/* SPDX-License-Identifier: MIT */
/*
 * The functions of a shared liburing under their own names: a program that is linked with it finds
 * these first, and its calls come here without a system call in between. struct io_uring and
 * struct asyncring are the same to the byte, so most names just lead to ours.
 *
 * Those that differ speak of memory: a program gets mappings of its own, as the kernel would have
 * given them.
 *
 * tests/served/names.sh holds this list against the installed liburing.
 */
#include <string.h>
#include <unistd.h>

#include "../core/core.h"
#include "../user/user.h"
#include "preload.h"

/* ---- the same under another name ---- */

#if defined(__x86_64__)
#define LEAP "jmp "
#elif defined(__aarch64__)
#define LEAP "b "
#endif

#define SAME(name)                                                                                 \
	__asm__(".text\n"                                                                          \
		".globl io_uring_" #name "\n"                                                      \
		".type io_uring_" #name ", %function\n"                                            \
		"io_uring_" #name ":\n\t" LEAP "asyncring_" #name "\n"                             \
		".size io_uring_" #name ", . - io_uring_" #name "\n");

SAME(buf_ring_head)
SAME(check_version)
SAME(clone_buffers)
SAME(clone_buffers_offset)
SAME(close_ring_fd)
SAME(enable_rings)
SAME(free_buf_ring)
SAME(free_probe)
SAME(get_events)
SAME(get_probe)
SAME(get_probe_ring)
SAME(major_version)
SAME(memory_size)
SAME(memory_size_params)
SAME(minor_version)
SAME(mlock_size)
SAME(mlock_size_params)
SAME(peek_batch_cqe)
SAME(register_buffers)
SAME(register_buffers_sparse)
SAME(register_buffers_tags)
SAME(register_buffers_update_tag)
SAME(register_clock)
SAME(register_eventfd)
SAME(register_eventfd_async)
SAME(register_file_alloc_range)
SAME(register_files)
SAME(register_files_sparse)
SAME(register_files_tags)
SAME(register_files_update)
SAME(register_files_update_tag)
SAME(register_ifq)
SAME(register_iowq_aff)
SAME(register_iowq_max_workers)
SAME(register_napi)
SAME(register_personality)
SAME(register_probe)
SAME(register_restrictions)
SAME(register_ring_fd)
SAME(register_sync_cancel)
SAME(register_sync_msg)
SAME(register_wait_reg)
SAME(ring_dofork)
SAME(ring_dontfork)
SAME(set_iowait)
SAME(setup_buf_ring)
SAME(sqring_wait)
SAME(submit)
SAME(submit_and_get_events)
SAME(submit_and_wait)
SAME(submit_and_wait_min_timeout)
SAME(submit_and_wait_reg)
SAME(submit_and_wait_timeout)
SAME(unregister_buf_ring)
SAME(unregister_buffers)
SAME(unregister_eventfd)
SAME(unregister_files)
SAME(unregister_iowq_aff)
SAME(unregister_napi)
SAME(unregister_personality)
SAME(unregister_ring_fd)
SAME(wait_cqe_nr)
SAME(wait_cqe_timeout)
SAME(wait_cqes)
SAME(wait_cqes_min_timeout)

/* ---- liburing's own, between its header and its library ---- */

INTERPOSED int __io_uring_get_cqe(struct asyncring *ring, struct asyncring_cqe **cqe,
				  unsigned submit, unsigned wait_nr, sigset_t *mask);
INTERPOSED int __io_uring_sqring_wait(struct asyncring *ring);
INTERPOSED struct asyncring_sqe *io_uring_get_sqe(struct asyncring *ring);

/* No header has ever asked for entries to be submitted here. */
int __io_uring_get_cqe(struct asyncring *ring, struct asyncring_cqe **cqe, unsigned submit,
		       unsigned wait_nr, sigset_t *mask)
{
	if (submit)
		return asyncring_submit_and_wait_timeout(ring, cqe, wait_nr, NULL, mask);
	return mask ? asyncring_wait_cqes(ring, cqe, wait_nr, NULL, mask)
		    : asyncring_wait_cqe_nr(ring, cqe, wait_nr);
}

int __io_uring_sqring_wait(struct asyncring *ring)
{
	return asyncring_sqring_wait(ring);
}

struct asyncring_sqe *io_uring_get_sqe(struct asyncring *ring)
{
	return asyncring_get_sqe(ring);
}

/* ---- the system calls ---- */

INTERPOSED int io_uring_setup(unsigned entries, struct asyncring_params *params);
INTERPOSED int io_uring_enter(unsigned fd, unsigned to_submit, unsigned min_complete,
			      unsigned flags, sigset_t *mask);
INTERPOSED int io_uring_enter2(unsigned fd, unsigned to_submit, unsigned min_complete,
			       unsigned flags, void *arg, size_t size);
INTERPOSED int io_uring_register(unsigned fd, unsigned opcode, const void *arg, unsigned count);

int io_uring_setup(unsigned entries, struct asyncring_params *params)
{
	return (int)serve_setup(entries, params);
}

int io_uring_enter(unsigned fd, unsigned to_submit, unsigned min_complete, unsigned flags,
		   sigset_t *mask)
{
	return (int)serve_enter(fd, to_submit, min_complete, flags, mask, _NSIG / 8);
}

int io_uring_enter2(unsigned fd, unsigned to_submit, unsigned min_complete, unsigned flags,
		    void *arg, size_t size)
{
	return (int)serve_enter(fd, to_submit, min_complete, flags, arg, size);
}

int io_uring_register(unsigned fd, unsigned opcode, const void *arg, unsigned count)
{
	return (int)serve_register(fd, opcode, (void *)(uintptr_t)arg, count);
}

/* ---- memory that the program maps ---- */

INTERPOSED int io_uring_queue_mmap(int fd, struct asyncring_params *params, struct asyncring *ring);
INTERPOSED int io_uring_resize_rings(struct asyncring *ring, struct asyncring_params *params);
INTERPOSED void io_uring_queue_exit(struct asyncring *ring);
INTERPOSED int io_uring_register_buf_ring(struct asyncring *ring, struct asyncring_buf_reg *reg,
					  unsigned flags);
INTERPOSED int io_uring_register_region(struct asyncring *ring,
					struct asyncring_mem_region_reg *reg);

static size_t rings_size(const struct asyncring_params *p)
{
	size_t entries = (size_t)p->cq_entries << asyncring_cqe_shift_from_flags(p->flags);
	size_t size = p->cq_off.cqes + entries * sizeof(struct asyncring_cqe);

	if (!(p->flags & ASYNCRING_SETUP_NO_SQARRAY))
		size = p->sq_off.array + p->sq_entries * sizeof(unsigned);
	return size;
}

static size_t sqes_size(const struct asyncring_params *p)
{
	return ((size_t)p->sq_entries << asyncring_sqe_shift_from_flags(p->flags)) *
	       sizeof(struct asyncring_sqe);
}

static void *map(int fd, size_t size, uint64_t offset)
{
	long address = serve_mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd,
				  (off_t)offset);

	return address < 0 && address > -4096 ? NULL : (void *)address;
}

/* Mappings for the program of what *@told tells the sizes of: their addresses in it; or
	      -ENOMEM. */
static int map_rings(int fd, struct asyncring_params *told)
{
	void *rings = map(fd, rings_size(told), ASYNCRING_OFF_SQ_RING);
	void *sqes = map(fd, sqes_size(told), ASYNCRING_OFF_SQES);

	if (rings && sqes) {
		told->cq_off.user_addr = (uintptr_t)rings;
		told->sq_off.user_addr = (uintptr_t)sqes;
		return 0;
	}
	if (rings)
		sys_munmap(rings, rings_size(told));
	if (sqes)
		sys_munmap(sqes, sqes_size(told));
	return -ENOMEM;
}

static void unmap_rings(const struct asyncring *ring)
{
	sys_munmap(ring->sq.ring_ptr, ring->sq.ring_sz);
	sys_munmap(ring->sq.sqes, ring->sq.sqes_sz);
}

int io_uring_queue_mmap(int fd, struct asyncring_params *params, struct asyncring *ring)
{
	struct asyncring_params told;
	int error;

	if (!ring || !params)
		return -EFAULT;
	told = *params;
	if (told.flags & ASYNCRING_SETUP_NO_MMAP)
		return asyncring_queue_mmap(fd, &told, ring);
	error = map_rings(fd, &told);
	if (error)
		return error;
	asyncring_queue_mmap(fd, &told, ring);
	ring->int_flags |= USER_OWN_MAPPINGS;
	return 0;
}

int io_uring_resize_rings(struct asyncring *ring, struct asyncring_params *params)
{
	struct asyncring_params told;
	struct asyncring old;
	int error;

	if (!ring || !params)
		return -EFAULT;
	old = *ring;
	told = *params;
	error = asyncring_resize_rings(ring, &told);
	if (error)
		return error;
	told.flags = ring->flags; /* sizes depend on them */
	if (old.int_flags & USER_OWN_MAPPINGS) {
		unmap_rings(&old);
		/* Without room for mappings it goes on with the library's own, as it is now. */
		if (map_rings(ring->ring_fd, &told))
			ring->int_flags &= ~(unsigned)USER_OWN_MAPPINGS;
		else
			asyncring__point(ring, &told);
	}
	told.sq_off.user_addr = params->sq_off.user_addr;
	told.cq_off.user_addr = params->cq_off.user_addr;
	told.flags = 0; /* *params is to serve again */
	*params = told;
	return 0;
}

void io_uring_queue_exit(struct asyncring *ring)
{
	struct asyncring gone;

	if (!ring)
		return;
	gone = *ring;
	asyncring_queue_exit(ring);
	if (gone.int_flags & USER_OWN_MAPPINGS)
		unmap_rings(&gone);
}

int io_uring_register_buf_ring(struct asyncring *ring, struct asyncring_buf_reg *reg,
			       unsigned flags)
{
	int error = asyncring_register_buf_ring(ring, reg, flags);

	if (!error)
		serve_hide_addresses(ASYNCRING_REGISTER_PBUF_RING, reg);
	return error;
}

int io_uring_register_region(struct asyncring *ring, struct asyncring_mem_region_reg *reg)
{
	int error = asyncring_register_region(ring, reg);

	if (!error)
		serve_hide_addresses(ASYNCRING_REGISTER_MEM_REGION, reg);
	return error;
}

/* ---- rings come ---- */

INTERPOSED int io_uring_queue_init(unsigned entries, struct asyncring *ring, unsigned flags);
INTERPOSED int io_uring_queue_init_params(unsigned entries, struct asyncring *ring,
					  struct asyncring_params *params);
INTERPOSED int io_uring_queue_init_mem(unsigned entries, struct asyncring *ring,
				       struct asyncring_params *params, void *memory, size_t size);

/* For descriptors.c. */
static int known(int result, const struct asyncring *ring)
{
	if (result >= 0 && ring->ring_fd >= 0)
		descriptors_add_ring(ring->ring_fd);
	return result;
}

/*
 * The mappings are the program's, which may unmap them when it likes: there are libraries that
 * close rings by themselves.
 */
int io_uring_queue_init_params(unsigned entries, struct asyncring *ring,
			       struct asyncring_params *params)
{
	int fd, error;

	if (!ring || !params)
		return -EFAULT;
	if (params->flags & ASYNCRING_SETUP_NO_MMAP)
		return known(asyncring_queue_init_params(entries, ring, params), ring);
	params->flags |= ASYNCRING_SETUP_NO_SQARRAY;
	fd = (int)serve_setup(entries, params);
	if (fd < 0)
		return fd;
	error = io_uring_queue_mmap(fd, params, ring);
	if (error)
		asyncring_close(fd);
	return error;
}

int io_uring_queue_init(unsigned entries, struct asyncring *ring, unsigned flags)
{
	struct asyncring_params params = {.flags = flags};

	return io_uring_queue_init_params(entries, ring, &params);
}

int io_uring_queue_init_mem(unsigned entries, struct asyncring *ring,
			    struct asyncring_params *params, void *memory, size_t size)
{
	return known(asyncring_queue_init_mem(entries, ring, params, memory, size), ring);
}
