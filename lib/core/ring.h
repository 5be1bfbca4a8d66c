/* SPDX-License-Identifier: MIT */
/*
 * A ring: its memory, what the application sees of it, and everything the library keeps for it.
 *
 * Lock order (a thread that holds one of these takes only later ones):
 *   1. ring->submit_lock    submission, registered resources, what is drained, armed or parked
 *   2. futex.lock           requests that wait on futexes (engine/futex_thread.c)
 *   3. attendant.lock       the rings nobody waits on (engine/attendant.c)
 *   4. sq_thread.lock       the rings an SQ thread serves (engine/sq_thread.c)
 *   5. pool.lock            queues of requests, workers, lanes (engine/pool.c)
 *   6. worker.lock          what one worker is carrying out
 *   7. ring->control->cq_lock  the completion queue, its waiters, who drives the poller
 *   8. spares.lock          contexts that are kept (engine/kernel_aio.c)
 *   9. files.lock           the list of all pins, parked pins (core/file.c)
 *  10. ring_table.lock      descriptor -> ring
 * No lock is held across a system call that can block for long, except submit_lock: what a
 * submitter does inline it does under its ring's submit_lock. Threads are woken when the lock is
 * released, but for waiters with a signal mask: their eventfds are written under cq_lock, because
 * only the lock keeps the waiter from going away with the descriptor before the write. (That write
 * never blocks, and a ring without such waiters does not make it.) Calls that only ask or arm are
 * made under locks: cancelling compares files and starts the timer that interrupts a worker under
 * pool.lock and worker.lock, so that it strikes the request that was looked at and no later one.
 * Two rings' submit_locks are never held together.
 *
 * Life.  ring->references counts the table's reference, and one for each call in progress. Ring
 * structures are never returned to the system, only reused (ring_table.c), so that a reader may
 * look at one that is just being closed.
 */
#ifndef ASYNCRING__RING_H
#define ASYNCRING__RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <asyncring/abi.h>

#include "../engine/attendant.h"
#include "count_wait.h"
#include "driver.h"
#include "list.h"
#include "lock.h"
#include "pending.h"

struct buffer;
struct buffer_groups;
struct file;
struct kernel_aio;
struct request;
struct result;
struct poller;
struct sq_thread;

/*
 * The words at the head of the ring memory, where the kernel has them too: programs hard-code
 * these offsets (ring_memory.c asserts them). Application and library both write here, so nothing
 * read from here is trusted: indices are masked, and the library keeps its own copies of what it
 * alone advances.
 */
struct ring_words {
	_Alignas(64) _Atomic uint32_t sq_head; /* written by the submitter */
	_Alignas(64) _Atomic uint32_t sq_tail; /* written by the application */
	_Alignas(64) _Atomic uint32_t cq_head; /* written by the application */
	_Alignas(64) _Atomic uint32_t cq_tail; /* written under cq_lock */
	_Alignas(64) uint32_t sq_mask;	       /* these four: for the application only */
	uint32_t cq_mask;
	uint32_t sq_entries;
	uint32_t cq_entries;
	_Atomic uint32_t sq_dropped; /* written by the submitter */
	_Atomic uint32_t sq_flags;   /* ASYNCRING_SQ_*: several writers, or-ed and and-ed */
	_Atomic uint32_t cq_flags;   /* ASYNCRING_CQ_*: written by the application */
	_Atomic uint32_t cq_overflow;
	_Alignas(64) unsigned char cqes[];
};

/*
 * What the two sides of a sleep/wake need, in memory of its own that the application does not
 * know, but shared like the ring's: no pointers, no private futexes.
 */
struct ring_control {
	struct lock cq_lock;
	/* Threads asleep in enter(). cq_lock. */
	uint32_t waiters;
	/* The nearest CQ tail any of them wants; meaningless while waiters is 0. cq_lock. */
	uint32_t wake_tail;
	/* Futex word the waiters sleep on; incremented under cq_lock, then woken without it. */
	_Atomic uint32_t wake_sequence;
};

/*
 * Requests of one submission that are not yet passed on: finished ones whose CQEs are posted
 * together, and those for workers, which are handed over together. submit_lock.
 */
#define BATCH_PINS   8
#define BATCH_PUNTED 16

enum file_size { FILE_SIZE_UNKNOWN, FILE_SIZE_UNLIMITED, FILE_SIZE_LIMITED };

struct batch {
	/*
	 * In a submission, on the submitter's stack; else not valid. The results of requests that
	 * have ended and are gone already, `result_count` of them, all from before those in `done`.
	 */
	struct result *results;
	unsigned result_count;
	unsigned punted_count;
	struct list done; /* completion.node: both references are the submitter's */
	/* request.node: members of chains that may start, those before them having completed. */
	struct list released;
	/* As done: taken back by others of this batch, and completed after them. */
	struct list cancelled;
	unsigned pin_count;
	/*
	 * In a submission, on the submitter's stack; else not valid. While its requests are of one
	 * operation: what has been copied for one of them, and may serve the next.
	 */
	struct ahead *ahead;
	/* In a submission: the submitter is going to wait, and may carry out what is punted. */
	bool waits;
	/* It has to: of something that was handed over no worker was told. */
	bool held;
	/* CQEs were posted of requests that go on, and nobody has been told of them yet. */
	bool announce;
	/* Something was armed that may be due already, and has not been looked at yet. */
	bool look_again;
	/* A worker finishes it: its completions are not the submitter's own (DEFER_TASKRUN). */
	bool on_worker;
	/* RLIMIT_FSIZE as it was found in this batch: enum file_size. */
	uint8_t file_size;
	/* Until then the submitter tries brief requests itself; 0: none yet (pool_brief.c). */
	int64_t brief_until;
	/* Bytes of files that the submitter has copied in this batch (ops/rw.c). */
	uint64_t moved;
	struct request *punted[BATCH_PUNTED]; /* the I/O side's reference goes to the pool */
	/* Pins made in this batch, shared by its requests: one reference each is the batch's. */
	struct {
		int fd;
		bool position; /* has the position of `fd`, not only its inode (file.h) */
		struct file *file;
	} pins[BATCH_PINS];
};

/* Has no request ended in the batch whose completion is still to be posted? */
static inline bool batch_ended_none(const struct batch *batch)
{
	return !batch->result_count && list_empty(&batch->done);
}

/* What is known within a batch is not known in the next. */
static inline void batch_forget(struct batch *batch)
{
	batch->file_size = FILE_SIZE_UNKNOWN;
	batch->moved = 0;
}

/* A part of the application's memory, copied in a submission (asyncring__copy_in_ahead). */
struct ahead {
	uint64_t from;
	size_t length; /* 0: nothing */
	bool wanted;   /* there are several requests */
	unsigned char bytes[1024];
	unsigned char last; /* nearest to the application on its stack */
};

enum ring_limits {
	RING_SQ_ENTRIES_MAX = 32768,
	RING_CQ_ENTRIES_MAX = 65536,
};

/* Registered files or buffers: slot -> object, with a reference for each slot in use. */
struct file_table {
	struct file **slots; /* NULL: no table */
	unsigned count;
	/* Where automatic slot allocation looks: [alloc_start, alloc_end), next at alloc_hint. */
	unsigned alloc_start, alloc_end, alloc_hint;
};

struct buffer_table {
	struct buffer **slots;
	unsigned count;
};

struct restrictions {
	bool registered; /* a list was given: nothing that it does not name is allowed */
	uint64_t register_opcodes;
	uint64_t sqe_opcodes[2];
	uint8_t sqe_flags_allowed;
	uint8_t sqe_flags_required;
};

struct credentials;

#define PERSONALITIES_MAX 128

struct ring {
	/*
	 * The table's reference and one for each call in progress; 0: the structure is unused.
	 * First, because it outlives every use of the structure, as does what follows up to
	 * `flags`: a thread with a stale pointer may look at it.
	 */
	_Atomic uint32_t references;
	/* Set once at close, before anything is torn down. */
	_Atomic bool closing;
	/* Not yet enabled (SETUP_R_DISABLED). Cleared with release, under submit_lock. */
	_Atomic bool disabled;
	/* A drain is not over. Written under submit_lock; drain.c says who reads it without. */
	_Atomic bool drain_active;
	/*
	 * Requests that are not the submitter's alone: drained, linked behind one that is, queued,
	 * running. Incremented under submit_lock at hand-over; decremented as the last thing done
	 * for a completed request, which pairs with the reads in close and in drain.c.
	 */
	_Atomic uint32_t active;
	/* Futex: a closing thread sleeps here until active is 0 and the calls have left. */
	_Atomic uint32_t active_sequence;
	/* Belongs to the process this one was forked from. Set in the child's fork handler. */
	bool inherited;
	/*
	 * Who enters submits: there is no SQ thread, the ring is this process's and not closing.
	 * Set by setup, cleared at close and in the child's fork handler. Relaxed, a hint for who
	 * has neither a reference nor submit_lock.
	 */
	_Atomic bool direct;
	struct lock submit_lock;

	/*
	 * From here to the batch stands first in each group what a call touches whose requests are
	 * all over at once, so that it is in few cache lines.
	 */

	/* ---- constant from setup to close ---- */
	uint32_t flags; /* ASYNCRING_SETUP_* */
	uint32_t sq_entries, cq_entries;
	uint32_t sqe_shift; /* log2 of the SQE stride in bytes */
	uint32_t cqe_shift; /* log2 of the CQE stride in bytes */
	/*
	 * The epoll descriptor the application got; -1 once that is known to be closed. Written by
	 * setup, then under ring_table.lock; others look without.
	 */
	_Atomic int fd;
	struct ring_words *words;
	unsigned char *cqes;
	uint32_t *sq_array; /* NULL with NO_SQARRAY */
	unsigned char *sqes;
	struct ring_control *control;
	/* With SETUP_SQPOLL; from attach until no call can be in progress any more. */
	struct sq_thread *sq_thread;
	/* SINGLE_ISSUER: the thread that may submit and register; 0: not yet enabled. */
	uint64_t owner_thread;

	/* ---- submission: submit_lock ---- */
	/* The true one; words->sq_head is for the application. Atomic for those who only look. */
	_Atomic uint32_t sq_head;
	uint32_t hint_questions; /* see asyncring__hint() */
	/* The last entry that was nothing but its operation (submit.c). */
	struct plain {
		uint64_t beginning; /* how such an entry begins; 0: there was none */
		const struct op *op;
		bool slot; /* its `fd` is one */
	} plain;
	bool drain_disabled;	       /* CQE_SKIP_SUCCESS was used: the two exclude each other */
	bool drain_next;	       /* the request after a chain with a drain is drained too */
	unsigned free_count;	       /* of free_requests, never below batch.result_count */
	struct request *free_requests; /* linked through request.link */
	/* A chain under construction, or NULL. */
	struct request *chain_head, *chain_tail;
	/*
	 * NULL until something has to be waited for; from then on to the end of the ring the same.
	 * Written under submit_lock with release, pairs with the acquire in ring_poller.
	 */
	_Atomic(struct poller *) poller;
	/* NULL until the first request that the kernel is to carry out by itself. submit_lock. */
	struct kernel_aio *kernel_aio;
	/*
	 * The file whose watchers were told of a read last, among what the kernel has finished by
	 * this look (ops/rw_direct.c). For comparison only. submit_lock.
	 */
	const struct file *told_file;
	struct count_wait count_wait;

	/* ---- completion queue: control->cq_lock ---- */
	/* The true one. Relaxed; written without the lock in one case only (writes_alone in cq.c).
	 */
	_Atomic uint32_t cq_tail;
	/* CQEs of timeouts so far, which end every wait, and how many waiters have been told of. */
	uint32_t timeouts, timeouts_told;
	/* What SQ_CQ_OVERFLOW says. Written under cq_lock; enter() looks without. */
	_Atomic bool backlogged;
	struct list backlog;	/* completions that found the CQ full, oldest first */
	struct list fd_waiters; /* struct fd_waiter: sleeping with a signal mask (wait.c) */
	struct driver driver;	/* who drives the poller */
	_Atomic uint32_t
		deferred_slots; /* at most what `deferred` takes in the CQ; as backlogged */
	/* DEFER_TASKRUN: completions from other threads, until the owner asks for them. */
	struct list deferred;
	/* The last enter() with enough completions did not look into the poller. Any thread, a
	 * hint. */
	_Atomic bool looked_away;
	/* Another ring sends messages, which nobody can foresee; only ever set. Relaxed. */
	_Atomic bool messaged;
	/* An eventfd for one of them, 0: none. Whoever exchanges it for 0 owns it (wait.c). */
	_Atomic int spare_event_fd;

	/* ---- notification (notify.c) ---- */
	/* Is the ring's descriptor readable: enum readable_state. Atomic, see notify.c. */
	_Atomic uint32_t readable;
	_Atomic bool edges; /* the descriptor is told of each post; only ever set. Relaxed. */
	bool eventfd_async;
	/* Registered eventfd or NULL. Written under submit_lock and cq_lock; read under either. */
	struct file *eventfd;

	/* ---- submission, as above ---- */
	struct restrictions restrictions;
	struct batch batch;
	struct pending pending; /* armed and parked requests */
	struct list request_blocks;
	/* Requests held back by a drain, in order (request.node). */
	struct list drained;
	unsigned drained_count;
	uint32_t large_vectors; /* so many more vectored requests are summed up first (ops/rw.c) */
	/* Requests given back by other threads: a stack, pushed with release, popped whole. */
	_Atomic(struct request *) returned_requests;

	/*
	 * What keeps the ring alive for the application: descriptors known to be its, and
	 * registrations in threads' tables. When the last goes the ring is closed. ring_table.lock.
	 */
	unsigned names;
	bool lost; /* its last name was closed unseen: the name is the table's to drop */
	/* Registered waits. Written while the ring is disabled. */
	uint64_t wait_region;
	size_t wait_region_size;
	_Atomic bool boottime; /* the clock of waits; else the monotonic one. Relaxed. */
	uint64_t cookie;       /* constant: tells this ring's epoll set from any other */

	/* ---- constant from setup to close ---- */
	int event_fd; /* inside the epoll set: readable while the ring's descriptor is */
	void *memory; /* the one mapping that holds control, words, array and, if ours, SQEs */
	size_t memory_size;
	/* With NO_MMAP, if they can be: words and array, and SQEs, mapped once more. */
	struct borrowed {
		void *memory;
		size_t size;
	} borrowed[2];
	/* After a change of sizes: what is in use instead, but for the words. submit_lock. */
	void *resized_memory;
	size_t resized_size;
	struct list sq_node; /* in sq_thread.rings: sq_thread.lock */
	/* The SQ thread's alone (notify.c). */
	struct sq_turns {
		uint32_t owed; /* turns for which an edge has been owed; 0: none is ... */
		uint32_t due;  /* ... if the CQ's head has got here */
		uint32_t idle; /* turns without work */
	} sq_turns;
	/*
	 * How often the eventfd was signalled. Relaxed: counted before the signal, by whoever makes
	 * it, and looked at by who was told of one (ops/poll.c); the two calls order that.
	 */
	_Atomic uint32_t eventfd_signals;

	/* ---- registered resources: submit_lock ---- */
	struct file_table files;
	struct buffer_table buffers;
	struct buffer_groups *buffer_groups; /* buffer_group.c; NULL: none yet */
	void *region_memory;		     /* of a region that is the library's own */
	size_t region_size;		     /* 0: there is no region */
	struct credentials *personalities[PERSONALITIES_MAX];
	unsigned next_personality;

	struct attended attended; /* engine/attendant.h says what guards it */

	/* Queues of requests that wait for a worker; pool.lock. */
	struct ring_queue {
		struct list requests;
		struct list node; /* in pool's list of rings with work */
		struct ring *ring;
	} queues[2];

	struct list free_node; /* in ring_table.c's list of live or of unused rings: its lock */
};

static inline struct poller *ring_poller(struct ring *ring)
{
	return atomic_load_explicit(&ring->poller, memory_order_acquire);
}

static inline bool ring_defers(const struct ring *ring)
{
	return ring->flags & ASYNCRING_SETUP_DEFER_TASKRUN;
}

/* ---- ring_table.c ---- */

/*
 * A fresh structure with one reference; NULL: out of memory. Without a name it is not to be found,
 * not even by its descriptor's epoll set, until it is complete and gets one. Lost rings are torn
 * down on the way: no lock held.
 */
struct ring *asyncring__ring_alloc(void);
/* Back to the unused ones. True if it was the last ring of the process. */
bool asyncring__ring_free(struct ring *ring);
/* Make @ring findable by @fd, its first name; 0 or -ENOMEM. */
int asyncring__ring_publish(struct ring *ring, int fd);
/* The ring @fd stands for, with a reference, or NULL with the negative errno in *error. */
struct ring *asyncring__ring_get(unsigned fd, int *error);
/*
 * The same with submit_lock held in place of a reference, which will do because a ring is torn down
 * by somebody who takes that lock once it is known to be closing (ring_table.c). NULL also if more
 * has to be asked, or if there is an SQ thread: ring_get tells.
 */
struct ring *asyncring__ring_get_locked(unsigned fd);
/* One more reference, where it is known that there is one. */
void asyncring__ring_hold(struct ring *ring);
void asyncring__ring_put(struct ring *ring);
/*
 * Close @fd and take it out of the table; its name is now the caller's to drop. NULL: no ring's,
 * and not closed. If the process has a duplicate of it that becomes a name of the ring. Names that
 * were closed unseen are dropped. No lock held, no reference.
 */
struct ring *asyncring__ring_close_fd(int fd, int *error);
/* A system call more for a duplicate. */
bool asyncring__ring_is_ring(int fd);
/* As is_ring, also for duplicates the table does not know; costs a system call and more. */
bool asyncring__ring_is_behind(int fd);
/* Something else may have taken the place of @fd, as by dup2(2). No lock held, no reference. */
void asyncring__ring_replaced(int fd);
/* Has the process a ring of its own? */
bool asyncring__rings_live(void);
/* Tear down the rings whose last name was closed unseen. No lock held, no reference. */
void asyncring__rings_release_lost(void);
/* The same with those of which nobody has noticed yet: a system call for each name of a ring. */
void asyncring__rings_end_closed(void);

/*
 * From now on a buffer ring that is registered may be unmapped before its group goes, because rings
 * are closed without anybody being told: its memory is read in a way that finds that out
 * (buffer_group.c).
 */
void asyncring__buffer_rings_unpinned(void);
/* False if the ring is closing: then it has no name to be given any more. */
bool asyncring__ring_add_name(struct ring *ring);
/* True if it was the last: then the ring is closing, and the caller tears it down. */
bool asyncring__ring_drop_name(struct ring *ring);

/* ---- thread.c, setup.c ---- */

/* For the next: the calling thread's number, 0: it has none yet, and the call that gives it one. */
extern __thread uint64_t asyncring__thread_own __attribute__((tls_model("initial-exec")));
uint64_t asyncring__thread_count(void);

/* A number for the calling thread that no other thread of the process ever has; never 0. */
static inline uint64_t asyncring__thread_number(void)
{
	/* Found without a call: it is asked with each message. */
	return asyncring__thread_own ? asyncring__thread_own : asyncring__thread_count();
}

/* One name of the ring goes: with the last one it is torn down before this returns. */
void asyncring__ring_release_name(struct ring *ring);

static inline void ring_lock(struct ring *ring)
{
	lock_acquire(&ring->submit_lock);
}

static inline void ring_unlock(struct ring *ring)
{
	lock_release(&ring->submit_lock);
}

#endif
