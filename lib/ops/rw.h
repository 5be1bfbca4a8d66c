/* SPDX-License-Identifier: MIT */
/* What rw.c and rw_select.c, which picks the buffers for it, share of reads and writes. */
#ifndef ASYNCRING__RW_H
#define ASYNCRING__RW_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "../core/hint.h"
#include "../core/ring.h"
#include "ops.h"

enum {
	TRANSFER_MAX = 0x7ffff000, /* what one call of the kernel's moves at most */
	VECTOR_MAX = 1024,	   /* and so many vectors */
	/*
	 * More than this the submitter does not copy in one submission, as far as it comes in
	 * pieces that are not done later, nor at a higher price, if workers do them.
	 * docs/architecture.md has the figures.
	 */
	INLINE_MAX = 512 * 1024,
	WORTH_A_WORKER = 128 * 1024,
};

/* The operation's part of the request: its owner's. */
struct rw {
	struct iovec single;	    /* the buffer of the forms without a vector */
	const struct iovec *vector; /* &single, the application's array, or our copy of it */
	uint32_t count;		    /* of vector */
	uint32_t flags;		    /* RWF_* */
	int64_t offset;
	uint64_t done; /* bytes moved so far */
	bool write;
	bool vectored;
	bool fixed;
	bool waits;	 /* a call that carried it with others has shown that it is a worker's */
	bool taken;	 /* BUFFER_SELECT: `single` is the request's own buffer */
	uint32_t length; /* BUFFER_SELECT: bytes asked for, 0: as many as there is room for */
};

/* How a transfer is tried without blocking. */
enum inline_way { WAY_NONE, WAY_PLAIN, WAY_NOWAIT };

/*
 * What has come of an attempt that was made in @way. @stream: the offset was left out, because the
 * file is known to have no positions.
 */
enum issue_result asyncring__rw_conclude(struct request *request, const struct hint *hint,
					 enum inline_way way, bool stream, long result);

/* One attempt, as issue() is called; the vectors are known. */
enum issue_result asyncring__rw_attempt(struct request *request, unsigned flags);

/*
 * All bytes asked for. An array of the application's is only looked at after the kernel has just
 * read it in the same submission.
 */
uint64_t asyncring__rw_wanted(const struct rw *rw);

/*
 * Would @length bytes more, in pieces of @piece, keep the submitter for too long? What it has moved
 * counts for its submission.
 */
static inline bool asyncring__rw_too_much(const struct ring *ring, uint64_t piece, uint64_t length)
{
	return piece >= WORTH_A_WORKER && ring->batch.moved + length > INLINE_MAX;
}

static inline void asyncring__rw_moved(struct ring *ring, uint64_t length)
{
	ring->batch.moved += length;
}

/* May the application's thread make plain writes? submit_lock. */
bool asyncring__rw_file_size_unlimited(struct ring *ring);

/* With a registered buffer: get it, and see that all is within. 0 or -EFAULT. */
int asyncring__rw_check_fixed(struct request *request, unsigned issue_flags);

/* Set the result, which is @result only if nothing was moved before. */
enum issue_result asyncring__rw_finish(struct request *request, long result);

/* @error, or -EBADF: that there is no such file comes before what is wrong with a buffer. */
int asyncring__rw_file_first(const struct request *request, int error);

/*
 * What is known of the file. A registered one was looked at when it was duplicated. A hint for a
 * descriptor may be stale: that must not cost more than time, so where a wrong one could block or
 * mislead (transfers at the file's own position, which tell nothing of the file, and @blocking
 * ones, which are made in the way the hint says) it is renewed. If not @blocking submit_lock is
 * held.
 */
struct hint asyncring__rw_hint(const struct request *request, bool blocking);

/* Was it RWF_NOWAIT that was refused? Of flags that nobody knows there is no telling, nor need. */
bool asyncring__rw_refused(const struct rw *rw, long result);

/* RWF_NOWAIT was refused: not to be tried again on this file, nor on its descriptor. */
void asyncring__rw_remember_refusal(const struct request *request);

/* ---- rw_select.c ---- */

/*
 * READV with BUFFER_SELECT: its one vector says how long the buffer may be, and nothing else. 0,
 * -EINVAL, -EFAULT.
 */
int asyncring__rw_prep_select(struct request *request);

/* issue() with BUFFER_SELECT. */
enum issue_result asyncring__rw_issue_selected(struct request *request, unsigned flags);

#endif
