/* SPDX-License-Identifier: MIT */
/*
 * Registration: one function for each thing that can be registered, around asyncring_register().
 * See user.h for what this side may touch. All may be called by any thread, except those at the
 * end that change struct asyncring.
 */
#include <sys/resource.h>

#include "user.h"

/* ---- files and buffers ---- */

static int register_resources(struct asyncring *ring, unsigned opcode, unsigned nr, unsigned flags,
			      const void *data, const __u64 *tags)
{
	struct asyncring_rsrc_register resources = {
		.nr = nr,
		.flags = flags,
		.data = asyncring__pointer(data),
		.tags = asyncring__pointer(tags),
	};

	return asyncring__register(ring, opcode, &resources, sizeof(resources));
}

static int update_resources(struct asyncring *ring, unsigned opcode, unsigned offset,
			    const void *data, const __u64 *tags, unsigned nr)
{
	struct asyncring_rsrc_update2 update = {
		.offset = offset,
		.data = asyncring__pointer(data),
		.tags = asyncring__pointer(tags),
		.nr = nr,
	};

	return asyncring__register(ring, opcode, &update, sizeof(update));
}

int asyncring_register_buffers(struct asyncring *ring, const struct iovec *iovecs,
			       unsigned nr_iovecs)
{
	return asyncring__register(ring, ASYNCRING_REGISTER_BUFFERS, iovecs, nr_iovecs);
}

int asyncring_register_buffers_tags(struct asyncring *ring, const struct iovec *iovecs,
				    const __u64 *tags, unsigned nr)
{
	return register_resources(ring, ASYNCRING_REGISTER_BUFFERS2, nr, 0, iovecs, tags);
}

int asyncring_register_buffers_sparse(struct asyncring *ring, unsigned nr)
{
	return register_resources(ring, ASYNCRING_REGISTER_BUFFERS2, nr,
				  ASYNCRING_RSRC_REGISTER_SPARSE, NULL, NULL);
}

int asyncring_register_buffers_update_tag(struct asyncring *ring, unsigned off,
					  const struct iovec *iovecs, const __u64 *tags,
					  unsigned nr)
{
	return update_resources(ring, ASYNCRING_REGISTER_BUFFERS_UPDATE, off, iovecs, tags, nr);
}

int asyncring_unregister_buffers(struct asyncring *ring)
{
	return asyncring__register(ring, ASYNCRING_UNREGISTER_BUFFERS, NULL, 0);
}

int asyncring_clone_buffers_offset(struct asyncring *dst, struct asyncring *src,
				   unsigned int dst_off, unsigned int src_off, unsigned int nr,
				   unsigned int flags)
{
	struct asyncring_clone_buffers clone = {
		.flags = flags,
		.src_off = src_off,
		.dst_off = dst_off,
		.nr = nr,
	};

	if (!src)
		return -EFAULT;
	if (src->int_flags & USER_REGISTER_BY_INDEX)
		clone.flags |= ASYNCRING_REGISTER_SRC_REGISTERED;
	clone.src_fd = (__u32)(clone.flags & ASYNCRING_REGISTER_SRC_REGISTERED ? src->enter_ring_fd
									       : src->ring_fd);
	return asyncring__register(dst, ASYNCRING_REGISTER_CLONE_BUFFERS, &clone, 1);
}

int asyncring_clone_buffers(struct asyncring *dst, struct asyncring *src)
{
	return asyncring_clone_buffers_offset(dst, src, 0, 0, 0, 0);
}

/*
 * Tables longer than RLIMIT_NOFILE are refused. As liburing does, the soft limit is raised by @nr
 * then, where the hard limit allows it.
 */
static bool raise_file_limit(unsigned nr)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == limit.rlim_max)
		return false;
	limit.rlim_cur =
		limit.rlim_max - limit.rlim_cur < nr ? limit.rlim_max : limit.rlim_cur + nr;
	return setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

int asyncring_register_files(struct asyncring *ring, const int *files, unsigned nr_files)
{
	int ret = asyncring__register(ring, ASYNCRING_REGISTER_FILES, files, nr_files);

	if (ret == -EMFILE && raise_file_limit(nr_files))
		ret = asyncring__register(ring, ASYNCRING_REGISTER_FILES, files, nr_files);
	return ret;
}

static int register_files2(struct asyncring *ring, unsigned nr, unsigned flags, const int *files,
			   const __u64 *tags)
{
	const unsigned opcode = ASYNCRING_REGISTER_FILES2;
	int ret = register_resources(ring, opcode, nr, flags, files, tags);

	if (ret == -EMFILE && raise_file_limit(nr))
		ret = register_resources(ring, opcode, nr, flags, files, tags);
	return ret;
}

int asyncring_register_files_tags(struct asyncring *ring, const int *files, const __u64 *tags,
				  unsigned nr)
{
	return register_files2(ring, nr, 0, files, tags);
}

int asyncring_register_files_sparse(struct asyncring *ring, unsigned nr)
{
	return register_files2(ring, nr, ASYNCRING_RSRC_REGISTER_SPARSE, NULL, NULL);
}

int asyncring_register_files_update(struct asyncring *ring, unsigned off, const int *files,
				    unsigned nr_files)
{
	struct asyncring_rsrc_update update = {
		.offset = off,
		.data = asyncring__pointer(files),
	};

	return asyncring__register(ring, ASYNCRING_REGISTER_FILES_UPDATE, &update, nr_files);
}

int asyncring_register_files_update_tag(struct asyncring *ring, unsigned off, const int *files,
					const __u64 *tags, unsigned nr_files)
{
	return update_resources(ring, ASYNCRING_REGISTER_FILES_UPDATE2, off, files, tags, nr_files);
}

int asyncring_unregister_files(struct asyncring *ring)
{
	return asyncring__register(ring, ASYNCRING_UNREGISTER_FILES, NULL, 0);
}

int asyncring_register_file_alloc_range(struct asyncring *ring, unsigned off, unsigned len)
{
	struct asyncring_file_index_range range = {.off = off, .len = len};

	return asyncring__register(ring, ASYNCRING_REGISTER_FILE_ALLOC_RANGE, &range, 0);
}

/* ---- notification, identity, restrictions, workers ---- */

int asyncring_register_eventfd(struct asyncring *ring, int fd)
{
	return asyncring__register(ring, ASYNCRING_REGISTER_EVENTFD, &fd, 1);
}

int asyncring_register_eventfd_async(struct asyncring *ring, int fd)
{
	return asyncring__register(ring, ASYNCRING_REGISTER_EVENTFD_ASYNC, &fd, 1);
}

int asyncring_unregister_eventfd(struct asyncring *ring)
{
	return asyncring__register(ring, ASYNCRING_UNREGISTER_EVENTFD, NULL, 0);
}

int asyncring_register_personality(struct asyncring *ring)
{
	return asyncring__register(ring, ASYNCRING_REGISTER_PERSONALITY, NULL, 0);
}

int asyncring_unregister_personality(struct asyncring *ring, int id)
{
	return asyncring__register(ring, ASYNCRING_UNREGISTER_PERSONALITY, NULL, (unsigned)id);
}

int asyncring_register_restrictions(struct asyncring *ring, struct asyncring_restriction *res,
				    unsigned int nr_res)
{
	return asyncring__register(ring, ASYNCRING_REGISTER_RESTRICTIONS, res, nr_res);
}

int asyncring_enable_rings(struct asyncring *ring)
{
	return asyncring__register(ring, ASYNCRING_REGISTER_ENABLE_RINGS, NULL, 0);
}

int asyncring_register_iowq_aff(struct asyncring *ring, size_t cpusz, const cpu_set_t *mask)
{
	if (cpusz > INT32_MAX)
		return -EINVAL;
	return asyncring__register(ring, ASYNCRING_REGISTER_IOWQ_AFF, mask, (unsigned)cpusz);
}

int asyncring_unregister_iowq_aff(struct asyncring *ring)
{
	return asyncring__register(ring, ASYNCRING_UNREGISTER_IOWQ_AFF, NULL, 0);
}

int asyncring_register_iowq_max_workers(struct asyncring *ring, unsigned int *values)
{
	return asyncring__register(ring, ASYNCRING_REGISTER_IOWQ_MAX_WORKERS, values, 2);
}

/* ---- calls, clocks, regions, devices ---- */

int asyncring_register_sync_cancel(struct asyncring *ring, struct asyncring_sync_cancel_reg *reg)
{
	return asyncring__register(ring, ASYNCRING_REGISTER_SYNC_CANCEL, reg, 1);
}

int asyncring_register_sync_msg(struct asyncring_sqe *sqe)
{
	/* The message goes from no ring: the entry names the one it goes to. */
	return asyncring_register((unsigned)-1, ASYNCRING_REGISTER_SEND_MSG_RING, sqe, 1);
}

int asyncring_register_clock(struct asyncring *ring, struct asyncring_clock_register *arg)
{
	return asyncring__register(ring, ASYNCRING_REGISTER_CLOCK, arg, 0);
}

int asyncring_register_region(struct asyncring *ring, struct asyncring_mem_region_reg *reg)
{
	return asyncring__register(ring, ASYNCRING_REGISTER_MEM_REGION, reg, 1);
}

int asyncring_register_wait_reg(struct asyncring *ring, struct asyncring_reg_wait *reg, int nr)
{
	(void)ring;
	(void)reg;
	(void)nr;
	return -EINVAL;
}

int asyncring_register_napi(struct asyncring *ring, struct asyncring_napi *napi)
{
	return asyncring__register(ring, ASYNCRING_REGISTER_NAPI, napi, 1);
}

int asyncring_unregister_napi(struct asyncring *ring, struct asyncring_napi *napi)
{
	return asyncring__register(ring, ASYNCRING_UNREGISTER_NAPI, napi, 1);
}

int asyncring_register_ifq(struct asyncring *ring, struct asyncring_zcrx_ifq_reg *reg)
{
	return asyncring__register(ring, ASYNCRING_REGISTER_ZCRX_IFQ, reg, 1);
}

int asyncring_register_query(struct asyncring_query_hdr *query)
{
	return asyncring_register((unsigned)-1, ASYNCRING_REGISTER_QUERY, query, 0);
}

/* ---- rings by index ---- */

int asyncring_register_ring_fd(struct asyncring *ring)
{
	struct asyncring_rsrc_update update = {.offset = (__u32)-1};
	int ret;

	if (!ring)
		return -EFAULT;
	if (ring->int_flags & USER_REGISTERED)
		return -EEXIST;
	update.data = (__u64)ring->ring_fd;
	ret = asyncring__register(ring, ASYNCRING_REGISTER_RING_FDS, &update, 1);
	if (ret != 1)
		return ret;

	ring->enter_ring_fd = (int)update.offset;
	ring->int_flags |= USER_REGISTERED;
	if (ring->features & ASYNCRING_FEAT_REG_REG_RING)
		ring->int_flags |= USER_REGISTER_BY_INDEX;
	return ret;
}

int asyncring_unregister_ring_fd(struct asyncring *ring)
{
	struct asyncring_rsrc_update update = {0};
	int ret;

	if (!ring)
		return -EFAULT;
	if (!(ring->int_flags & USER_REGISTERED))
		return -EINVAL;
	update.offset = (__u32)ring->enter_ring_fd;
	ret = asyncring__register(ring, ASYNCRING_UNREGISTER_RING_FDS, &update, 1);
	if (ret != 1)
		return ret;

	ring->enter_ring_fd = ring->ring_fd;
	ring->int_flags &= (__u8) ~(USER_REGISTERED | USER_REGISTER_BY_INDEX);
	return ret;
}

int asyncring_close_ring_fd(struct asyncring *ring)
{
	int ret;

	if (!ring)
		return -EFAULT;
	if (!(ring->features & ASYNCRING_FEAT_REG_REG_RING))
		return -EOPNOTSUPP;
	if (!(ring->int_flags & USER_REGISTER_BY_INDEX))
		return -EINVAL;
	if (ring->ring_fd == -1)
		return -EBADF;
	ret = asyncring_close(ring->ring_fd);
	ring->ring_fd = -1;
	return ret < 0 ? ret : 1;
}
