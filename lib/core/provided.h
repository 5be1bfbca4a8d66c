/* SPDX-License-Identifier: MIT */
/*
 * Provided buffers: groups of buffers an operation with BUFFER_SELECT takes its memory from, given
 * one by one (PROVIDE_BUFFERS) or through a ring in shared memory (REGISTER_PBUF_RING).
 *
 * An operation picks, makes its system call, and then says what came of it:
 *
 *     count = asyncring__buffers_pick(request, issue_flags, vectors, max, wanted, &picked);
 *     ...one system call on the vectors...
 *     flags = asyncring__buffers_commit(request, &picked, bytes);   or asyncring__buffers_return()
 *
 * A buffer is taken only by the commit: a request that has to wait has taken none. Where that
 * cannot be promised, because the caller does not hold submit_lock (a worker), the pick takes it
 * already and the commit only reports. requests name their group with request->buf_index.
 */
#ifndef ASYNCRING__PROVIDED_H
#define ASYNCRING__PROVIDED_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

struct request;
struct ring;

/* What a pick found, for the commit that follows; the caller's, on its stack. */
struct picked_buffers {
	uint16_t group;
	uint16_t first_id; /* of consecutive ring entries the first */
	uint32_t count;	   /* how many vectors were filled in */
	bool taken;	   /* they are gone from the group already */
	bool from_ring;
};

/*
 * Buffers of the request's group, up to @max of them, that together have room for @wanted bytes (0:
 * as the buffers come). One with max 1; several, for bundles, only from a ring. The number of
 * vectors filled in, or -ENOBUFS. @wanted smaller than the buffer shortens the last vector.
 */
int asyncring__buffers_pick(struct request *request, unsigned issue_flags, struct iovec *vectors,
			    unsigned max, uint32_t wanted, struct picked_buffers *picked);

/*
 * @bytes were moved into, or out of, what was picked: the buffers used are taken. The flags for the
 * CQE: CQE_F_BUFFER with the first buffer's id, and CQE_F_BUF_MORE where an incremental buffer has
 * room left.
 */
uint32_t asyncring__buffers_commit(struct request *request, struct picked_buffers *picked,
				   uint64_t bytes);

/* Nothing was moved and the request waits or fails: what was picked stays in the group. */
void asyncring__buffers_return(struct request *request, struct picked_buffers *picked);

#endif
