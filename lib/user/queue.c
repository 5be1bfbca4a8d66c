/* SPDX-License-Identifier: MIT */
/*
 * A ring's life on the application side: from parameters to a struct asyncring and back. See
 * user.h for what this side may touch. Everything here needs the ring for itself.
 */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "user.h"

int asyncring__register(struct asyncring *ring, unsigned opcode, const void *arg, unsigned nr)
{
	if (!ring)
		return -EFAULT;
	if (ring->int_flags & USER_REGISTER_BY_INDEX)
		return asyncring_register((unsigned)ring->enter_ring_fd,
					  opcode | ASYNCRING_REGISTER_USE_REGISTERED_RING, arg, nr);
	return asyncring_register((unsigned)ring->ring_fd, opcode, arg, nr);
}

/* ---- sizes ---- */

enum ring_limit {
	SQ_ENTRIES_MAX = 32768,
	CQ_ENTRIES_MAX = 2 * SQ_ENTRIES_MAX,
	RING_WORDS_SIZE = 320, /* heads, tails, masks and flags; the CQEs follow */
	RING_ARRAY_ALIGN = 64,
};

static size_t round_up(size_t size, size_t unit)
{
	return (size + unit - 1) & ~(unit - 1);
}

static size_t page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

/* The power of two that setup will make of @entries; 0 if it will refuse them. */
static unsigned round_entries(unsigned entries, unsigned limit, bool clamp)
{
	unsigned rounded = 1;

	if (entries > limit) {
		if (!clamp)
			return 0;
		entries = limit;
	}
	if (!entries)
		return 0;
	while (rounded < entries)
		rounded <<= 1;
	return rounded;
}

/* Bytes of the two areas of a ring whose memory the application provides. */
struct ring_size {
	size_t sqes;
	size_t rings;
};

/* What asyncring_setup() will write to with NO_MMAP; 0 or -EINVAL. */
static int measure(unsigned entries, const struct asyncring_params *p, struct ring_size *size)
{
	bool clamp = p->flags & ASYNCRING_SETUP_CLAMP;
	unsigned sq_entries = round_entries(entries, SQ_ENTRIES_MAX, clamp);
	unsigned cq_entries = 2 * sq_entries;

	if (p->flags & ASYNCRING_SETUP_CQSIZE)
		cq_entries = round_entries(p->cq_entries, CQ_ENTRIES_MAX, clamp);
	if (!sq_entries || cq_entries < sq_entries)
		return -EINVAL;

	size->sqes = sizeof(struct asyncring_sqe) * sq_entries
		     << asyncring_sqe_shift_from_flags(p->flags);
	size->rings = RING_WORDS_SIZE + (sizeof(struct asyncring_cqe) * cq_entries
					 << asyncring_cqe_shift_from_flags(p->flags));
	if (!(p->flags & ASYNCRING_SETUP_NO_SQARRAY))
		size->rings =
			round_up(size->rings, RING_ARRAY_ALIGN) + sizeof(unsigned) * sq_entries;

	size->sqes = round_up(size->sqes, page_size());
	size->rings = round_up(size->rings, page_size());
	return 0;
}

ssize_t asyncring_memory_size_params(unsigned entries, struct asyncring_params *p)
{
	struct asyncring_params params;
	struct ring_size size;
	int error;

	if (!p)
		return -EFAULT;
	params = *p;
	params.flags |= ASYNCRING_SETUP_NO_SQARRAY; /* as asyncring_queue_init_mem() does */
	error = measure(entries, &params, &size);
	return error ? error : (ssize_t)(size.sqes + size.rings);
}

ssize_t asyncring_memory_size(unsigned entries, unsigned flags)
{
	struct asyncring_params params = {.flags = flags};

	return asyncring_memory_size_params(entries, &params);
}

ssize_t asyncring_mlock_size_params(unsigned entries, struct asyncring_params *p)
{
	ssize_t size = asyncring_memory_size_params(entries, p);

	return size < 0 ? size : 0; /* no memory is locked */
}

ssize_t asyncring_mlock_size(unsigned entries, unsigned flags)
{
	struct asyncring_params params = {.flags = flags};

	return asyncring_mlock_size_params(entries, &params);
}

/* ---- from parameters to a ring ---- */

/* Masks and entry counts are copied: the originals lie where the application may overwrite them. */
int asyncring__point(struct asyncring *ring, const struct asyncring_params *p)
{
	char *rings = (char *)(uintptr_t)p->cq_off.user_addr;
	struct asyncring_sq *sq = &ring->sq;
	struct asyncring_cq *cq = &ring->cq;
	size_t end;

	sq->sqes = (struct asyncring_sqe *)(uintptr_t)p->sq_off.user_addr;
	if (!rings || !sq->sqes)
		return -EFAULT;

	sq->khead = (unsigned *)(rings + p->sq_off.head);
	sq->ktail = (unsigned *)(rings + p->sq_off.tail);
	sq->kring_mask = (unsigned *)(rings + p->sq_off.ring_mask);
	sq->kring_entries = (unsigned *)(rings + p->sq_off.ring_entries);
	sq->kflags = (unsigned *)(rings + p->sq_off.flags);
	sq->kdropped = (unsigned *)(rings + p->sq_off.dropped);
	sq->ring_entries = p->sq_entries;
	sq->ring_mask = p->sq_entries - 1;
	sq->sqes_sz = (unsigned)(sizeof(struct asyncring_sqe) * p->sq_entries
				 << asyncring_sqe_shift_from_flags(ring->flags));

	cq->khead = (unsigned *)(rings + p->cq_off.head);
	cq->ktail = (unsigned *)(rings + p->cq_off.tail);
	cq->kring_mask = (unsigned *)(rings + p->cq_off.ring_mask);
	cq->kring_entries = (unsigned *)(rings + p->cq_off.ring_entries);
	cq->kflags = (unsigned *)(rings + p->cq_off.flags);
	cq->koverflow = (unsigned *)(rings + p->cq_off.overflow);
	cq->cqes = (struct asyncring_cqe *)(rings + p->cq_off.cqes);
	cq->ring_entries = p->cq_entries;
	cq->ring_mask = p->cq_entries - 1;

	end = p->cq_off.cqes + (sizeof(struct asyncring_cqe) * p->cq_entries
				<< asyncring_cqe_shift_from_flags(ring->flags));
	if (!(ring->flags & ASYNCRING_SETUP_NO_SQARRAY)) {
		sq->array = (unsigned *)(rings + p->sq_off.array);
		for (unsigned index = 0; index < p->sq_entries; index++)
			sq->array[index] = index; /* entries are used in ring order */
		end = p->sq_off.array + sizeof(unsigned) * p->sq_entries;
	}
	sq->ring_ptr = cq->ring_ptr = rings;
	sq->ring_sz = cq->ring_sz = end;
	return 0;
}

/* Makes a ring of what setup has answered; everything but the memory's ownership. */
static int adopt(struct asyncring *ring, int fd, const struct asyncring_params *p)
{
	memset(ring, 0, sizeof(*ring));
	ring->flags = p->flags;
	ring->features = p->features;
	ring->ring_fd = ring->enter_ring_fd = fd;
	if (p->flags & ASYNCRING_SETUP_REGISTERED_FD_ONLY) {
		ring->ring_fd = -1;
		ring->int_flags |= USER_REGISTERED | USER_REGISTER_BY_INDEX;
	}
	/* Such rings look for completions only in an enter, or in their submission thread. */
	if ((p->flags & (ASYNCRING_SETUP_IOPOLL | ASYNCRING_SETUP_SQPOLL)) ==
	    ASYNCRING_SETUP_IOPOLL)
		ring->int_flags |= USER_POLL_BY_ENTER;
	return asyncring__point(ring, p);
}

/* Sets a ring up; with NO_MMAP in the @size bytes at @memory. */
static int set_up(unsigned entries, struct asyncring *ring, struct asyncring_params *p,
		  void *memory, const struct ring_size *size)
{
	int fd;

	if (p->flags & ASYNCRING_SETUP_NO_MMAP) {
		p->sq_off.user_addr = asyncring__pointer(memory);
		p->cq_off.user_addr = asyncring__pointer((char *)memory + size->sqes);
	}
	fd = asyncring_setup(entries, p);
	return fd < 0 ? fd : adopt(ring, fd, p);
}

int asyncring_queue_init_params(unsigned entries, struct asyncring *ring,
				struct asyncring_params *p)
{
	struct ring_size size = {0};
	void *memory = NULL;
	int error;

	if (!ring || !p)
		return -EFAULT;
	p->flags |= ASYNCRING_SETUP_NO_SQARRAY;
	if (!(p->flags & ASYNCRING_SETUP_NO_MMAP))
		return set_up(entries, ring, p, NULL, NULL);

	/* The caller wants NO_MMAP but leaves the memory to us. */
	error = measure(entries, p, &size);
	if (error)
		return error;
	memory = mmap(NULL, size.sqes + size.rings, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		return -errno;
	error = set_up(entries, ring, p, memory, &size);
	if (error)
		munmap(memory, size.sqes + size.rings);
	else
		ring->int_flags |= USER_OWN_MEMORY;
	return error;
}

int asyncring_queue_init(unsigned entries, struct asyncring *ring, unsigned flags)
{
	struct asyncring_params params = {.flags = flags};

	return asyncring_queue_init_params(entries, ring, &params);
}

int asyncring_queue_init_mem(unsigned entries, struct asyncring *ring, struct asyncring_params *p,
			     void *buf, size_t buf_size)
{
	struct ring_size size;
	int error;

	if (!ring || !p || !buf)
		return -EFAULT;
	p->flags |= ASYNCRING_SETUP_NO_SQARRAY | ASYNCRING_SETUP_NO_MMAP;
	if ((uintptr_t)buf % page_size())
		return -EINVAL;
	error = measure(entries, p, &size);
	if (error)
		return error;
	if (size.sqes + size.rings > buf_size)
		return -ENOMEM;
	error = set_up(entries, ring, p, buf, &size);
	return error ? error : (int)(size.sqes + size.rings);
}

int asyncring_queue_mmap(int fd, struct asyncring_params *p, struct asyncring *ring)
{
	if (!ring || !p)
		return -EFAULT;
	return adopt(ring, fd, p);
}

int asyncring_resize_rings(struct asyncring *ring, struct asyncring_params *p)
{
	int error;

	if (!ring || !p)
		return -EFAULT;
	if (ring->flags & ASYNCRING_SETUP_NO_MMAP)
		return -EINVAL;
	error = asyncring__register(ring, ASYNCRING_REGISTER_RESIZE_RINGS, p, 1);
	if (!error)
		error = asyncring__point(ring, p);
	p->flags = 0; /* the answer names what cannot be asked for: *p is to serve again */
	return error;
}

/* ---- the end ---- */

/*
 * Makes a ring that is gone answer instead of crash: no room in the one queue, nothing in the
 * other, -EBADF from every call.
 */
static void bury(struct asyncring *ring)
{
	unsigned *zero = &ring->pad2;

	memset(ring, 0, sizeof(*ring));
	ring->sq.khead = ring->sq.ktail = ring->sq.kflags = ring->sq.kdropped = zero;
	ring->cq.khead = ring->cq.ktail = ring->cq.kflags = ring->cq.koverflow = zero;
	ring->ring_fd = ring->enter_ring_fd = -1;
}

void asyncring_queue_exit(struct asyncring *ring)
{
	if (!ring)
		return;
	if (ring->int_flags & USER_REGISTERED)
		asyncring_unregister_ring_fd(ring);
	if (ring->ring_fd >= 0)
		asyncring_close(ring->ring_fd);
	if (ring->int_flags & USER_OWN_MEMORY)
		munmap(ring->sq.sqes, round_up(ring->sq.sqes_sz, page_size()) +
					      round_up(ring->sq.ring_sz, page_size()));
	bury(ring);
}

/* madvise(2) for the pages that hold @size bytes at @start. */
static int advise(void *start, size_t size, int advice)
{
	size_t within = (uintptr_t)start % page_size();

	if (madvise((char *)start - within, round_up(within + size, page_size()), advice))
		return -errno;
	return 0;
}

static int advise_ring(struct asyncring *ring, int advice)
{
	int error;

	if (!ring)
		return -EFAULT;
	if (!ring->sq.ring_ptr || !ring->sq.sqes)
		return -EINVAL;
	error = advise(ring->sq.sqes, ring->sq.sqes_sz, advice);
	return error ? error : advise(ring->sq.ring_ptr, ring->sq.ring_sz, advice);
}

int asyncring_ring_dontfork(struct asyncring *ring)
{
	return advise_ring(ring, MADV_DONTFORK);
}

int asyncring_ring_dofork(struct asyncring *ring)
{
	return advise_ring(ring, MADV_DOFORK);
}
