/* SPDX-License-Identifier: MIT */
/*
 * Provided buffers: groups of buffers an operation with BUFFER_SELECT takes its memory from, given
 * one by one (PROVIDE_BUFFERS) or through a ring in shared memory (REGISTER_PBUF_RING). Requests
 * name their group with request->buf_index.
 *
 * An operation that only ever makes calls that do not block picks, makes one, and then says what
 * came of it:
 *
 *     count = asyncring__buffers_pick(request, issue_flags, vectors, max, wanted, &picked);
 *     ...one system call on the vectors, which does not block...
 *     flags = asyncring__buffers_commit(request, &picked, bytes);   or asyncring__buffers_return()
 *
 * A buffer is taken only by the commit: a request that has to wait has taken none. Between a pick
 * that found something and the commit or return that must follow, the ring's submit_lock is held;
 * where the caller of issue() does not hold it (a worker), the pick takes it and the other two let
 * go of it. So nothing that takes this lock may be called in between.
 *
 * What may block takes a buffer for good instead (asyncring__buffers_take).
 */
#ifndef ASYNCRING__PROVIDED_H
#define ASYNCRING__PROVIDED_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

struct buffer_group;
struct request;
struct ring;

/* What a pick found, for the commit that follows; the caller's, on its stack. */
struct picked_buffers {
	struct buffer_group *group;
	const struct iovec *vectors; /* bundle: the caller's, as they are until the commit */
	uint32_t count;		     /* how many were filled in */
	uint32_t available;	     /* how many there were; not said of a pick of one */
	uint16_t first_id;	     /* of consecutive ring entries the first */
	bool from_ring;
	bool bundle; /* there was room for several */
	bool locked; /* the pick has taken submit_lock */
};

/*
 * Buffers of the request's group, up to @max of them, that together have room for @wanted bytes (0:
 * as the buffers come). One with max 1; several, for bundles, only from a ring. The number of
 * vectors filled in, -ENOBUFS, or -ENOENT if there is no such group. @wanted smaller than the
 * buffer shortens the last vector.
 */
int asyncring__buffers_pick(struct request *request, unsigned issue_flags, struct iovec *vectors,
			    unsigned max, uint32_t wanted, struct picked_buffers *picked);

/* The same for one buffer, where a group that is not there is an empty one: 1 or -ENOBUFS. */
int asyncring__buffers_pick_one(struct request *request, unsigned issue_flags, struct iovec *vector,
				uint32_t wanted, struct picked_buffers *picked);

/*
 * @bytes were moved into, or out of, what was picked: the buffers used are taken. The flags for the
 * CQE: CQE_F_BUFFER with the first buffer's id, and CQE_F_BUF_MORE where an incremental buffer has
 * room left.
 */
uint32_t asyncring__buffers_commit(struct request *request, struct picked_buffers *picked,
				   uint64_t bytes);

/* Nothing was moved and the request waits or fails: what was picked stays in the group. */
void asyncring__buffers_return(struct request *request, struct picked_buffers *picked);

/*
 * One buffer in *vector, no longer than @wanted (0: all of it), that is the request's from now on,
 * whatever becomes of it: of an incremental buffer the part of that length. The flags of its CQE
 * are set. 0 or -ENOBUFS.
 */
int asyncring__buffers_take(struct request *request, unsigned issue_flags, struct iovec *vector,
			    uint32_t wanted);

#endif
