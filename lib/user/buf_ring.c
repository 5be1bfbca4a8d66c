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

struct asyncring_buf_ring *asyncring_setup_buf_ring(struct asyncring *ring, unsigned int nentries,
						    int bgid, unsigned int flags, int *err)
{
	struct asyncring_buf_reg reg = {.ring_entries = nentries, .bgid = (__u16)bgid};
	void *memory = mmap(NULL, buf_ring_size(nentries), PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int ret = -errno;

	if (memory != MAP_FAILED) {
		reg.ring_addr = asyncring__pointer(memory);
		ret = asyncring_register_buf_ring(ring, &reg, flags);
		if (!ret)
			return memory; /* zeros, which is an empty ring */
		munmap(memory, buf_ring_size(nentries));
	}
	if (err)
		*err = ret;
	return NULL;
}

int asyncring_free_buf_ring(struct asyncring *ring, struct asyncring_buf_ring *br,
			    unsigned int nentries, int bgid)
{
	int ret = asyncring_unregister_buf_ring(ring, bgid);

	if (!ret)
		munmap(br, buf_ring_size(nentries));
	return ret;
}
