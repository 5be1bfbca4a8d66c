/* SPDX-License-Identifier: MIT */
/*
 * The memory region of a ring (REGISTER_MEM_REGION), and the arguments of waits that lie in it.
 *
 * The region is the application's memory, or memory of the library's whose address is told in the
 * descriptor's user_addr, as that of a ring is. A region for waits can only be registered while the
 * ring is disabled; so whoever waits finds it constant.
 */
#include <asyncring.h>

#include "core.h"
#include "region.h"

/* For a memory of the application's or of ours; fills in the address of ours. */
static int create(struct ring *ring, struct asyncring_region_desc *region)
{
	bool user = region->flags & ASYNCRING_MEM_REGION_TYPE_USER;
	uint64_t end;

	for (size_t i = 0; i < sizeof(region->__resv) / sizeof(region->__resv[0]); i++)
		if (region->__resv[i])
			return -EINVAL;
	if (region->flags & ~(uint32_t)ASYNCRING_MEM_REGION_TYPE_USER)
		return -EINVAL;
	if (user != !!region->user_addr)
		return -EFAULT;
	if (!region->size || region->mmap_offset || region->id)
		return -EINVAL;
	if (region->size / asyncring__page_size() > INT_MAX)
		return -E2BIG;
	if ((region->user_addr | region->size) % asyncring__page_size())
		return -EINVAL;
	if (__builtin_add_overflow(region->user_addr, region->size, &end))
		return -EOVERFLOW;
	if (user)
		return asyncring__memory_check(region->user_addr, region->size);
	ring->region_memory = sys_mmap_anonymous(region->size, MAP_SHARED);
	if (!ring->region_memory)
		return -ENOMEM;
	region->user_addr = (uintptr_t)ring->region_memory;
	return 0;
}

int asyncring__region_register(struct ring *ring, uint64_t arg, unsigned count)
{
	struct asyncring_mem_region_reg reg;
	struct asyncring_region_desc region;
	bool waits;
	int error;

	if (!arg || count != 1)
		return -EINVAL;
	if (ring->region_size)
		return -EBUSY;
	if (asyncring__copy_in(&reg, arg, sizeof(reg)) ||
	    asyncring__copy_in(&region, reg.region_uptr, sizeof(region)))
		return -EFAULT;
	if (reg.__resv[0] || reg.__resv[1] ||
	    reg.flags & ~(uint64_t)ASYNCRING_MEM_REGION_REG_WAIT_ARG)
		return -EINVAL;
	waits = reg.flags & ASYNCRING_MEM_REGION_REG_WAIT_ARG;
	/* Relaxed: written under submit_lock, which is held. */
	if (waits && !atomic_load_explicit(&ring->disabled, memory_order_relaxed))
		return -EINVAL;
	error = create(ring, &region);
	if (error)
		return error;
	ring->region_size = region.size;
	if (asyncring__copy_out(reg.region_uptr, &region, sizeof(region))) {
		asyncring__region_release(ring);
		return -EFAULT;
	}
	if (waits) {
		ring->wait_region = region.user_addr;
		ring->wait_region_size = region.size;
	}
	return 0;
}

int asyncring__region_read_wait(const struct ring *ring, uint64_t offset,
				struct asyncring_reg_wait *wait)
{
	uint64_t end;

	if (offset % sizeof(long) || __builtin_add_overflow(offset, sizeof(*wait), &end) ||
	    end > ring->wait_region_size)
		return -EFAULT;
	return asyncring__copy_in(wait, ring->wait_region + offset, sizeof(*wait));
}

void asyncring__region_release(struct ring *ring)
{
	if (ring->region_memory)
		sys_munmap(ring->region_memory, ring->region_size);
	ring->region_memory = NULL;
	ring->region_size = ring->wait_region_size = 0;
}
