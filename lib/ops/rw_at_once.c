/* SPDX-License-Identifier: MIT */
/*
 * READ and WRITE without a request: those that ask for nothing but one buffer at an offset, of a
 * file whose hint says how that is tried without blocking. Most are, most are over with that, and
 * they are in a hurry. What has not wholly succeeded is concluded as any other attempt (rw.c), and
 * so is all that is wrong with them told.
 *
 * submit_lock is held.
 */
#include "../core/core.h"
#include "families.h"
#include "rw.h"

#ifndef RWF_NOWAIT
#define RWF_NOWAIT 0x00000008
#endif

static enum inline_way way_of(struct ring *ring, struct hint hint, bool write)
{
	enum inline_way way = WAY_NONE;

	if (hint.kind == FILE_MEMORY)
		way = WAY_PLAIN;
	else if (hint.kind == FILE_CACHED && (write ? hint.nowait_writes : hint.nowait_reads))
		way = WAY_NOWAIT;
	return way == WAY_NONE || !write || asyncring__rw_file_size_unlimited(ring) ? way
										    : WAY_NONE;
}

static long try(int fd, const struct asyncring_sqe *sqe, enum inline_way way, bool write)
{
	const struct iovec vector = {(void *)(uintptr_t)sqe->addr, sqe->len};
	int64_t offset = (int64_t)sqe->off;

	if (way == WAY_PLAIN)
		return write ? sys_pwrite(fd, vector.iov_base, vector.iov_len, offset)
			     : sys_pread(fd, vector.iov_base, vector.iov_len, offset);
	return write ? sys_pwritev2(fd, &vector, 1, offset, RWF_NOWAIT)
		     : sys_preadv2(fd, &vector, 1, offset, RWF_NOWAIT);
}

static inline __attribute__((always_inline)) bool at_once(struct ring *ring,
							  const struct asyncring_sqe *sqe,
							  const struct file *file,
							  struct attempt *attempt, bool write)
{
	struct hint hint;
	long result;

	if (sqe->rw_flags || sqe->attr_type_mask || !sqe->len || sqe->len > TRANSFER_MAX ||
	    (int64_t)sqe->off < 0 || asyncring__rw_too_much(ring, sqe->len, sqe->len))
		return false;
	hint = file ? asyncring__file_hint(file) : asyncring__hint(sqe->fd, &ring->hint_questions);
	attempt->way = way_of(ring, hint, write);
	if (attempt->way == WAY_NONE)
		return false;
	result = try(file ? file->fd : sqe->fd, sqe, attempt->way, write);
	attempt->result = (int32_t)result;
	attempt->made = result != sqe->len;
	if (attempt->made)
		return false;
	asyncring__rw_moved(ring, (uint64_t)result);
	return true;
}

bool asyncring__rw_read_at_once(struct ring *ring, const struct asyncring_sqe *sqe,
				struct file *file, struct attempt *attempt)
{
	return at_once(ring, sqe, file, attempt, false);
}

bool asyncring__rw_write_at_once(struct ring *ring, const struct asyncring_sqe *sqe,
				 struct file *file, struct attempt *attempt)
{
	return at_once(ring, sqe, file, attempt, true);
}

enum issue_result asyncring__rw_resume(struct request *request, const struct attempt *attempt)
{
	/* As far as it matters now: no other kind is tried. */
	const struct hint hint = {.kind = FILE_CACHED};

	return asyncring__rw_conclude(request, &hint, attempt->way, false, attempt->result);
}
