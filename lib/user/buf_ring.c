/* SPDX-License-Identifier: MIT */
/*
 * Rings of provided buffers: registration, and memory for those who do not bring their own. See
 * user.h for what this side may touch; filling a ring is inline in asyncring.h.
 */
#include <sys/mman.h>

#include "user.h"

int asyncring_register_buf_ring(struct asyncring *ring, struct asyncring_buf_reg *reg,
				unsigned int flags)
{
	if (!reg)
		return -EFAULT;
	reg->flags |= (__u16)flags;
	return asyncring__register(ring, ASYNCRING_REGISTER_PBUF_RING, reg, 1);
}

int asyncring_unregister_buf_ring(struct asyncring *ring, int bgid)
{
	struct asyncring_buf_reg reg = {.bgid = (__u16)bgid};

	return asyncring__register(ring, ASYNCRING_UNREGISTER_PBUF_RING, &reg, 1);
}

int asyncring_buf_ring_head(struct asyncring *ring, int buf_group, uint16_t *head)
{
	struct asyncring_buf_status status = {.buf_group = (__u32)buf_group};
	int ret = asyncring__register(ring, ASYNCRING_REGISTER_PBUF_STATUS, &status, 1);

	if (ret)
		return ret;
	if (!head)
		return -EFAULT;
	*head = (uint16_t)status.head;
	return 0;
}

static size_t buf_ring_size(unsigned int nentries)
{
	return nentries * sizeof(struct asyncring_buf);
}

/* Memory for the ring, unless the library is to allocate it. 0 or a negative errno. */
static int allocate(struct asyncring_buf_reg *reg)
{
	void *memory;

	if (reg->flags & ASYNCRING_PBUF_RING_MMAP)
		return 0;
	memory = mmap(NULL, buf_ring_size(reg->ring_entries), PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		return -errno;
	reg->ring_addr = asyncring__pointer(memory);
	return 0;
}

struct asyncring_buf_ring *asyncring_setup_buf_ring(struct asyncring *ring, unsigned int nentries,
						    int bgid, unsigned int flags, int *err)
{
	struct asyncring_buf_reg reg = {
		.ring_entries = nentries,
		.bgid = (__u16)bgid,
		.flags = (__u16)flags,
	};
	int ret = allocate(&reg);

	if (!ret) {
		ret = asyncring_register_buf_ring(ring, &reg, 0);
		if (ret && reg.ring_addr)
			munmap((void *)(uintptr_t)reg.ring_addr, buf_ring_size(nentries));
	}
	if (err)
		*err = ret;
	/* Filled with zeros, which is an empty ring. */
	return ret ? NULL : (struct asyncring_buf_ring *)(uintptr_t)reg.ring_addr;
}

int asyncring_free_buf_ring(struct asyncring *ring, struct asyncring_buf_ring *br,
			    unsigned int nentries, int bgid)
{
	int ret = asyncring_unregister_buf_ring(ring, bgid);

	if (!ret)
		munmap(br, buf_ring_size(nentries));
	return ret;
}
