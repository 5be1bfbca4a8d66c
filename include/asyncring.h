/* SPDX-License-Identifier: MIT */
/*
 * libasyncring: the io_uring programming model, served in user space.
 *
 * The application writes requests (submission queue entries, SQEs) to a ring, submits them in
 * batches, and finds their results (completion queue entries, CQEs) in another ring, in the order
 * in which they finish. Whoever knows liburing knows this header: io_uring_X is asyncring_X,
 * IORING_X is ASYNCRING_X, IOSQE_X is ASYNCRING_SQE_X, struct io_uring is struct asyncring, with
 * the same arguments, answers and rules. The manual pages named below are those of liburing and
 * of the kernel.
 *
 * Not everything that is declared has to be served. At run time asyncring_get_probe() tells it of
 * operations, params.features of features, and -EINVAL of setup and register calls;
 * docs/compatibility.md has the whole list, with what differs from the kernel and why.
 *
 *	struct asyncring ring;
 *	struct asyncring_cqe *cqe;
 *
 *	asyncring_queue_init(8, &ring, 0);
 *	asyncring_prep_read(asyncring_get_sqe(&ring), fd, buffer, sizeof(buffer), 0);
 *	asyncring_submit(&ring);
 *	asyncring_wait_cqe(&ring, &cqe);
 *	... cqe->res is what pread(2) would have answered, or a negative errno ...
 *	asyncring_cqe_seen(&ring, cqe);
 *	asyncring_queue_exit(&ring);
 *
 * Errors. Functions that return int answer 0 or a count, or a negative errno; errno itself is left
 * alone. Nothing prints, nothing aborts, nothing calls back into the application.
 *
 * Threads. A ring has a submission side (get_sqe, prep, sqe_set, sq_*, submit*) and a completion
 * side (wait_cqe*, peek*, for_each_cqe, cq_*, cqe_seen). Each side may be used by one thread at a
 * time, the two sides by two threads at once; functions that do both (submit_and_wait and the
 * like) count as both. Different rings are independent. The register functions may be called by
 * any thread at any time, except those few that change struct asyncring itself: queue_init*,
 * queue_exit, register_ring_fd, unregister_ring_fd, close_ring_fd, set_iowait and resize_rings
 * need the ring for themselves. A ring with ASYNCRING_SETUP_SINGLE_ISSUER or _DEFER_TASKRUN
 * answers -EEXIST to submissions, and with the latter to waits, by other threads than its owner.
 *
 * Fork. A ring belongs to the process that made it. In a child its calls fail with a negative
 * errno, at once and without harm to the parent; the child can make rings of its own.
 *
 * Memory. struct asyncring is the caller's and must stay in place from queue_init to queue_exit.
 * The rings themselves are the library's (with ASYNCRING_SETUP_NO_MMAP and queue_init_mem the
 * caller's). How long the memory that a request refers to must stay is said in asyncring/prep.h.
 *
 * Unless its text says so, a function does not block and allocates nothing.
 */
#ifndef ASYNCRING_H
#define ASYNCRING_H

/*
 * AT_FDCWD, cpu_set_t, idtype_t, siginfo_t and sigset_t want these where the compiler is told to
 * keep to ISO C (-std=c11). As in liburing they work if this header comes before those of the C
 * library; else compile with -D_GNU_SOURCE.
 */
#ifndef _XOPEN_SOURCE
#define _XOPEN_SOURCE 700
#endif
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

#if __has_include(<linux/openat2.h>)
#include <linux/openat2.h>
#else
struct open_how {
	uint64_t flags;
	uint64_t mode;
	uint64_t resolve;
};
#endif

#include <asyncring/abi.h>
#include <asyncring/prep.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The library itself is compiled with everything hidden that is not declared here. */
#pragma GCC visibility push(default)

#define ASYNCRING_VERSION_MAJOR 0
#define ASYNCRING_VERSION_MINOR 1

/* --------------------------------------------------------------------------------------------
 * The structures of the application side
 *
 * Their fields may be read; only those marked "public" are meant to be relied upon. The k-pointers
 * point into the ring memory that both sides share. Each word of it has one writer: the
 * application writes the SQ's tail and array, the CQ's head and the CQ's flags, the library writes
 * all others. Heads and tails run freely over all 32 bits and are masked when they index.
 */

/* The submission queue. Owned by the thread that uses the submission side. */
struct asyncring_sq {
	unsigned *khead;	 /* stored (release) by the library when it has read entries */
	unsigned *ktail;	 /* stored (release) by asyncring_submit() */
	unsigned *kring_mask;	 /* deprecated: ring_mask is the trusted copy */
	unsigned *kring_entries; /* deprecated: ring_entries is the trusted copy */
	unsigned *kflags;	 /* ASYNCRING_SQ_*, stored by the library at any time */
	unsigned *kdropped;
	unsigned *array; /* NULL with ASYNCRING_SETUP_NO_SQARRAY */
	struct asyncring_sqe *sqes;

	unsigned sqe_head; /* entries from here to sqe_tail were handed out, not submitted */
	unsigned sqe_tail;

	size_t ring_sz; /* bytes at ring_ptr */
	void *ring_ptr;

	unsigned ring_mask;
	unsigned ring_entries; /* public */

	unsigned sqes_sz; /* bytes at sqes */
	unsigned pad;
};

/* The completion queue. Owned by the thread that uses the completion side. */
struct asyncring_cq {
	unsigned *khead;	 /* stored (release) by asyncring_cq_advance() */
	unsigned *ktail;	 /* stored (release) by the library when it has written entries */
	unsigned *kring_mask;	 /* deprecated */
	unsigned *kring_entries; /* deprecated */
	unsigned *kflags;	 /* ASYNCRING_CQ_*, stored by the application */
	unsigned *koverflow;
	struct asyncring_cqe *cqes;

	size_t ring_sz;
	void *ring_ptr;

	unsigned ring_mask;
	unsigned ring_entries; /* public */

	unsigned pad[2];
};

/*
 * A ring as the application sees it. Filled in by asyncring_queue_init() and its kin; a structure
 * of zeros is not a ring.
 */
struct asyncring {
	struct asyncring_sq sq;
	struct asyncring_cq cq;
	unsigned flags; /* public: ASYNCRING_SETUP_* as granted */
	int ring_fd;	/* public: the descriptor; pollable while completions wait */

	unsigned features; /* public: ASYNCRING_FEAT_* */
	int enter_ring_fd; /* ring_fd, or the index of the registered ring */
	__u8 int_flags;	   /* private to the library */
	__u8 pad[3];
	unsigned pad2;
};

/* The state of one asyncring_for_each_cqe(); private to it. */
struct asyncring_cqe_iter {
	struct asyncring_cqe *cqes;
	unsigned mask;
	unsigned shift;
	unsigned head;
	unsigned tail;
	/* Only then has a CQE to be read before it is known where the next one is. */
	bool mixed;
};

/* --------------------------------------------------------------------------------------------
 * The calls that stand for the system calls
 *
 * Everything else in this header is built on these and the ring memory. They may be called by any
 * thread, also concurrently for one ring, subject to the rules on top.
 */

/*
 * Makes a ring of at least entries submission entries (a power of two up to 32768 after rounding).
 * p is read and filled in; nobody refers to it after the return. See io_uring_setup(2) for the
 * fields. Returns a descriptor, to be given back with asyncring_close(). It can be polled
 * (readable while completions wait), passed to dup(2) and epoll(7), but not read.
 *
 * The answers sq_off.user_addr and cq_off.user_addr are the addresses of the submission entries
 * and of the ring memory, instead of what mmap(2) would give: valid until asyncring_close(), never
 * to be unmapped by the caller.
 *
 * Errors: -EFAULT p is NULL; -EINVAL entries 0 or too many, unknown or incompatible flags, non-zero
 * reserved fields, wq_fd is no ring; -ENXIO wq_fd is no descriptor; -EMFILE, -ENFILE no descriptor
 * is left; -ENOMEM no memory.
 * With ASYNCRING_SETUP_REGISTERED_FD_ONLY the result is an index for
 * ASYNCRING_ENTER_REGISTERED_RING.
 */
int asyncring_setup(unsigned entries, struct asyncring_params *p);

/*
 * Submits up to to_submit entries and then, with ASYNCRING_ENTER_GETEVENTS, waits until
 * min_complete completions can be seen in the completion queue (min_complete 0: does not wait, but
 * brings in what is pending). fd is a ring's descriptor or, with ASYNCRING_ENTER_REGISTERED_RING,
 * an index. sig, if not NULL, is the calling thread's signal mask during the wait. See
 * io_uring_enter(2).
 *
 * Blocks only in the wait, or with ASYNCRING_ENTER_SQ_WAIT until the submission queue has room.
 * Returns the number of entries consumed; an error of the wait shows only if that is 0.
 *
 * Errors: -EBADF, -EOPNOTSUPP fd is no descriptor, no ring; -EINVAL unknown flags; -EBADFD the ring
 * is still disabled; -EEXIST the caller is not the only issuer that the ring was made for; -EINTR a
 * signal came; -EFAULT a bad address; -EBADF also if the ring is closed meanwhile; -EEXIST also if
 * the ring was inherited over fork(2); -ETIME see asyncring_enter2().
 */
int asyncring_enter(unsigned fd, unsigned to_submit, unsigned min_complete, unsigned flags,
		    sigset_t *sig);

/*
 * The same with an argument of sz bytes: with ASYNCRING_ENTER_EXT_ARG a struct
 * asyncring_getevents_arg (signal mask, timeout and minimal wait), with ASYNCRING_ENTER_EXT_ARG_REG
 * as well an offset into the registered wait region; else a signal mask of sz bytes. It is read
 * before the function waits. -ETIME: the time ran out before min_complete completions were there.
 */
int asyncring_enter2(unsigned fd, unsigned to_submit, unsigned min_complete, unsigned flags,
		     void *arg, size_t sz);

/*
 * Registers resources with a ring or asks it something: ASYNCRING_REGISTER_*, described one by one
 * at the functions below and in io_uring_register(2). arg and nr_args depend on opcode; arg is not
 * referred to after the return unless said otherwise. May block while requests that use a replaced
 * resource finish. Errors: -EBADF, -EOPNOTSUPP as above; -EINVAL unknown opcode, bad nr_args or
 * non-zero reserved fields; -EFAULT a bad address; -EEXIST,
 * -EACCES the caller or a restriction does not allow it; and what each opcode adds.
 */
int asyncring_register(unsigned fd, unsigned opcode, const void *arg, unsigned nr_args);

/*
 * What close(2) of a ring's descriptor is to the kernel, and what must be called instead of it.
 * Cancels what can be cancelled, waits for what cannot, and returns when no thread will ever touch
 * the application's memory on behalf of this ring again. Blocks until then. Completions not yet
 * seen are lost. Must not run concurrently with other uses of the descriptor. Errors: -EBADF fd is
 * no descriptor; -EOPNOTSUPP it is not a ring's, and is left alone.
 */
int asyncring_close(int fd);

/* --------------------------------------------------------------------------------------------
 * A ring's life: io_uring_queue_init(3), io_uring_queue_exit(3)
 */

/*
 * Makes a ring of at least entries submission entries, with flags ASYNCRING_SETUP_*, and fills in
 * *ring. The completion queue has twice as many. The ring is made without the SQ's index array
 * (ASYNCRING_SETUP_NO_SQARRAY). Returns 0 or an error of asyncring_setup(); after an error *ring
 * is unusable and needs no asyncring_queue_exit(). -EFAULT: ring is NULL.
 */
int asyncring_queue_init(unsigned entries, struct asyncring *ring, unsigned flags);

/* The same with all parameters; *p is read and filled in, and not referred to afterwards. */
int asyncring_queue_init_params(unsigned entries, struct asyncring *ring,
				struct asyncring_params *p);

/*
 * The same in memory of the caller: buf, page-aligned, of buf_size bytes, at least
 * asyncring_memory_size_params(). The memory is the ring's until asyncring_queue_exit() and must
 * be readable and writable all the time. Returns the number of bytes used, a multiple of the page
 * size, so that the next ring may begin there. -ENOMEM: buf_size is too small. -EINVAL: buf is
 * not aligned. -EFAULT: a pointer is NULL.
 */
int asyncring_queue_init_mem(unsigned entries, struct asyncring *ring, struct asyncring_params *p,
			     void *buf, size_t buf_size);

/*
 * Fills in *ring for a descriptor and parameters that asyncring_setup() has answered. The ring then
 * owns the descriptor. -EFAULT: a pointer is NULL or p holds no addresses.
 */
int asyncring_queue_mmap(int fd, struct asyncring_params *p, struct asyncring *ring);

/*
 * Ends a ring: takes its registered index back and calls asyncring_close() with all that says.
 * Blocks until every request in flight is over. Afterwards nothing of the ring is in use. No other
 * thread may be using the ring; NULL is allowed.
 */
void asyncring_queue_exit(struct asyncring *ring);

/*
 * Keeps the ring memory out of, or puts it back into, the address space of children forked later:
 * madvise(2), MADV_DONTFORK and MADV_DOFORK. -EINVAL: no ring memory; or what madvise(2) answers.
 */
int asyncring_ring_dontfork(struct asyncring *ring);
int asyncring_ring_dofork(struct asyncring *ring);

/*
 * Gives the ring other sizes: p->sq_entries (and p->cq_entries with ASYNCRING_SETUP_CQSIZE);
 * completions and submitted entries that are pending are carried over, and *ring points to the
 * new memory, whose addresses come back in *p; p->flags is 0 afterwards. Submit what get_sqe has
 * handed out first: pointers to entries and to completions are void afterwards. For rings with
 * ASYNCRING_SETUP_DEFER_TASKRUN whose memory is not the application's, -EINVAL for others;
 * -EOVERFLOW: too small for what is pending (the old ring is intact); -ENOMEM.
 */
int asyncring_resize_rings(struct asyncring *ring, struct asyncring_params *p);

/*
 * Bytes of locked memory (RLIMIT_MEMLOCK) that such a ring is charged: 0, as nothing here is
 * locked. -EINVAL for impossible sizes. See io_uring_mlock_size(3).
 */
ssize_t asyncring_mlock_size(unsigned entries, unsigned flags);
ssize_t asyncring_mlock_size_params(unsigned entries, struct asyncring_params *p);

/*
 * Bytes that asyncring_queue_init_mem() needs for such a ring, a multiple of the page size; -EINVAL
 * for impossible sizes.
 */
ssize_t asyncring_memory_size(unsigned entries, unsigned flags);
ssize_t asyncring_memory_size_params(unsigned entries, struct asyncring_params *p);

/* --------------------------------------------------------------------------------------------
 * Submitting: io_uring_submit(3), io_uring_submit_and_wait(3), io_uring_get_events(3)
 *
 * All these hand over every entry from get_sqe that has not been submitted yet. They return the
 * number of entries consumed, which is less than that when an entry was so malformed that the
 * batch ended with it (it is counted and has its completion; the rest goes with the next call), or
 * an error of asyncring_enter() if nothing was consumed. With ASYNCRING_SETUP_SQPOLL they wake the
 * submission thread if need be, and the number is what is pending for it.
 *
 * Requests that can finish at once have their completion in the queue when the call returns.
 */

/* Submits; does not wait, except for as long as inline work takes (copying cached data). */
int asyncring_submit(struct asyncring *ring);

/* Submits, and blocks until wait_nr completions can be seen. */
int asyncring_submit_and_wait(struct asyncring *ring, unsigned wait_nr);

/*
 * Submits, and blocks until wait_nr completions can be seen, ts has passed or a signal comes that
 * sigmask lets through. *cqe_ptr is the first completion, or NULL. ts and sigmask may be NULL and
 * are not referred to after the return. Returns the number consumed, or if that is 0 an error:
 * -ETIME, -EINTR.
 */
int asyncring_submit_and_wait_timeout(struct asyncring *ring, struct asyncring_cqe **cqe_ptr,
				      unsigned wait_nr, struct __kernel_timespec *ts,
				      sigset_t *sigmask);

/*
 * The same with a minimal wait of min_wait microseconds: when that has passed, any completion is
 * enough. -EINVAL: not supported (ASYNCRING_FEAT_MIN_TIMEOUT).
 */
int asyncring_submit_and_wait_min_timeout(struct asyncring *ring, struct asyncring_cqe **cqe_ptr,
					  unsigned wait_nr, struct __kernel_timespec *ts,
					  unsigned min_wait, sigset_t *sigmask);

/* The same with the arguments in entry reg_index of the registered wait region. */
int asyncring_submit_and_wait_reg(struct asyncring *ring, struct asyncring_cqe **cqe_ptr,
				  unsigned wait_nr, int reg_index);

/* Submits, and brings in completions that wait for an enter (overflow, deferred work). */
int asyncring_submit_and_get_events(struct asyncring *ring);

/* Only the second half of that; 0 or an error of asyncring_enter(). */
int asyncring_get_events(const struct asyncring *ring);

/* --------------------------------------------------------------------------------------------
 * Waiting for completions: io_uring_wait_cqe(3), io_uring_wait_cqes(3), io_uring_peek_cqe(3)
 *
 * A completion obtained stays valid and is handed out again until asyncring_cqe_seen() or
 * asyncring_cq_advance() gives its place back; do not touch it afterwards.
 */

/*
 * Blocks until wait_nr completions can be seen, ts has passed or a signal comes that sigmask lets
 * through. *cqe_ptr is the first one, or NULL. Submits nothing. ts and sigmask may be NULL and are
 * not referred to after the return. Returns 0, -ETIME, -EINTR or an error of asyncring_enter().
 */
int asyncring_wait_cqes(struct asyncring *ring, struct asyncring_cqe **cqe_ptr, unsigned wait_nr,
			struct __kernel_timespec *ts, sigset_t *sigmask);

/* The same with a minimal wait of min_ts_usec microseconds, as above. */
int asyncring_wait_cqes_min_timeout(struct asyncring *ring, struct asyncring_cqe **cqe_ptr,
				    unsigned wait_nr, struct __kernel_timespec *ts,
				    unsigned int min_ts_usec, sigset_t *sigmask);

/*
 * wait_cqes without time limit or signal mask. With a wait_nr of 0 it does not wait, and answers
 * -EAGAIN when there is nothing.
 */
int asyncring_wait_cqe_nr(struct asyncring *ring, struct asyncring_cqe **cqe_ptr, unsigned wait_nr);

/* wait_cqes for one completion, without a signal mask. */
int asyncring_wait_cqe_timeout(struct asyncring *ring, struct asyncring_cqe **cqe_ptr,
			       struct __kernel_timespec *ts);

/*
 * Fills cqes with pointers to up to count completions and returns how many; does not wait. Give
 * back as many, on mixed rings the sum of asyncring_cqe_nr(). Fillers there (ASYNCRING_CQE_F_SKIP)
 * are not handed out: the batch ends before one, and the next call passes over it.
 */
unsigned asyncring_peek_batch_cqe(struct asyncring *ring, struct asyncring_cqe **cqes,
				  unsigned count);

/*
 * Whether time spent waiting may count as I/O wait of the machine; here it never does. -EOPNOTSUPP:
 * the ring has no ASYNCRING_FEAT_NO_IOWAIT.
 */
int asyncring_set_iowait(struct asyncring *ring, bool enable_iowait);

/* --------------------------------------------------------------------------------------------
 * Registered files: io_uring_register_files(3)
 *
 * The table holds references of its own: the application may close a descriptor once it is
 * registered. Arrays are not referred to after the return. tags, if not NULL, are user_data of
 * completions that tell when a replaced file is no longer in use; tag 0 is silent. -1 in an array
 * is an empty slot, ASYNCRING_REGISTER_FILES_SKIP in an update leaves a slot as it is.
 *
 * Errors: -EBADF a bad descriptor, or that of a ring; -EBUSY there is a table; -ENXIO there is
 * none; -EINVAL a bad number or range; -EMFILE more than RLIMIT_NOFILE allows; -ENOMEM. As liburing
 * does, the functions that make a table raise the soft limit by its size before they give up, as
 * far as the hard limit allows it.
 */

/* Makes the table. 0. */
int asyncring_register_files(struct asyncring *ring, const int *files, unsigned nr_files);
int asyncring_register_files_tags(struct asyncring *ring, const int *files, const __u64 *tags,
				  unsigned nr);
/* Makes one of nr empty slots. 0. */
int asyncring_register_files_sparse(struct asyncring *ring, unsigned nr);
/* Replaces nr_files slots from off on. The number of slots done. */
int asyncring_register_files_update(struct asyncring *ring, unsigned off, const int *files,
				    unsigned nr_files);
int asyncring_register_files_update_tag(struct asyncring *ring, unsigned off, const int *files,
					const __u64 *tags, unsigned nr_files);
/* Ends the table; files in use by requests stay open for these. 0. */
int asyncring_unregister_files(struct asyncring *ring);
/* Limits ASYNCRING_FILE_INDEX_ALLOC to slots off to off + len - 1. 0; -EOVERFLOW. */
int asyncring_register_file_alloc_range(struct asyncring *ring, unsigned off, unsigned len);

/* --------------------------------------------------------------------------------------------
 * Registered buffers: io_uring_register_buffers(3)
 *
 * The iovec array is not referred to after the return, the memory it describes must stay until the
 * buffer is unregistered or replaced and the last request using it has completed. Tags are as with
 * files. Errors: -EFAULT memory that is not there, or a NULL base with a length; -EBUSY, -ENXIO as
 * above; -EINVAL a bad number or range; -ENOMEM; -EOVERFLOW.
 */

/* Makes the table; a NULL base of length 0 is an empty slot. 0. */
int asyncring_register_buffers(struct asyncring *ring, const struct iovec *iovecs,
			       unsigned nr_iovecs);
int asyncring_register_buffers_tags(struct asyncring *ring, const struct iovec *iovecs,
				    const __u64 *tags, unsigned nr);
int asyncring_register_buffers_sparse(struct asyncring *ring, unsigned nr);
/* Replaces nr slots from off on. The number of slots done. */
int asyncring_register_buffers_update_tag(struct asyncring *ring, unsigned off,
					  const struct iovec *iovecs, const __u64 *tags,
					  unsigned nr);
/* Ends the table. 0. */
int asyncring_unregister_buffers(struct asyncring *ring);
/* Makes src's buffers usable in dst as well; they outlive src. 0; -EBUSY dst has a table. */
int asyncring_clone_buffers(struct asyncring *dst, struct asyncring *src);
/* nr buffers from src_off on to dst_off on; ASYNCRING_REGISTER_DST_REPLACE allows a table. 0. */
int asyncring_clone_buffers_offset(struct asyncring *dst, struct asyncring *src,
				   unsigned int dst_off, unsigned int src_off, unsigned int nr,
				   unsigned int flags);

/* --------------------------------------------------------------------------------------------
 * Notification: io_uring_register_eventfd(3)
 *
 * Each completion adds 1 to the eventfd(2) fd, with _async only those that were not there when
 * submit returned. The library keeps the file; the application may close fd. 0; -EBUSY there is
 * one; -EBADF, -EINVAL fd is no eventfd; -ENXIO there is none.
 */
int asyncring_register_eventfd(struct asyncring *ring, int fd);
int asyncring_register_eventfd_async(struct asyncring *ring, int fd);
int asyncring_unregister_eventfd(struct asyncring *ring);

/* --------------------------------------------------------------------------------------------
 * Identity, restrictions, disabled rings: io_uring_register(2)
 */

/* Saves the caller's credentials; the result is a value for sqe->personality. -ENOMEM. */
int asyncring_register_personality(struct asyncring *ring);
/* Forgets them; running requests keep theirs. 0; -EINVAL: no such id. */
int asyncring_unregister_personality(struct asyncring *ring, int id);
/*
 * On a disabled ring: allows only what the nr_res entries of res name. res is not referred to
 * after the return. 0; -EBADFD the ring is enabled; -EBUSY there are restrictions; -EINVAL.
 */
int asyncring_register_restrictions(struct asyncring *ring, struct asyncring_restriction *res,
				    unsigned int nr_res);
/* Enables a ring made with ASYNCRING_SETUP_R_DISABLED. 0; -EBADFD it is not disabled. */
int asyncring_enable_rings(struct asyncring *ring);

/* --------------------------------------------------------------------------------------------
 * Workers: io_uring_register_iowq_aff(3), io_uring_register_iowq_max_workers(3)
 */

/* Processors that worker threads may run on: cpusz bytes at mask. 0; -EINVAL; -EFAULT. */
int asyncring_register_iowq_aff(struct asyncring *ring, size_t cpusz, const cpu_set_t *mask);
int asyncring_unregister_iowq_aff(struct asyncring *ring);
/*
 * Limits the number of workers: values[ASYNCRING_WQ_BOUND] for files, values[ASYNCRING_WQ_UNBOUND]
 * for what may block for ever; 0 leaves a limit. The earlier limits are written back. 0; -EFAULT.
 */
int asyncring_register_iowq_max_workers(struct asyncring *ring, unsigned int *values);

/* --------------------------------------------------------------------------------------------
 * Rings by index: io_uring_register_ring_fd(3)
 *
 * A registered ring is addressed by a number that is valid in the registering thread only. From
 * then on that thread alone may submit and wait.
 */

/* Registers and uses the number. 1; -EEXIST it is registered; -EBUSY no number is free. */
int asyncring_register_ring_fd(struct asyncring *ring);
/* Back to the descriptor. 1; -EINVAL it is not registered, or has no descriptor any more. */
int asyncring_unregister_ring_fd(struct asyncring *ring);
/* Closes the descriptor of a registered ring, which lives on. 1; -EINVAL; -EBADF: it is closed. */
int asyncring_close_ring_fd(struct asyncring *ring);

/* --------------------------------------------------------------------------------------------
 * Cancelling and messages without a ring entry: io_uring_register_sync_cancel(3)
 */

/*
 * Cancels the requests that *reg describes and blocks, at most for reg->timeout (both fields -1:
 * without limit), until they have completed. reg is not referred to after the return. 0 or more:
 * the number cancelled; -ENOENT, -EALREADY, -EINVAL as asyncring_prep_cancel() completes with;
 * -ETIME; -EINTR.
 */
int asyncring_register_sync_cancel(struct asyncring *ring, struct asyncring_sync_cancel_reg *reg);

/*
 * Carries out a prepared ASYNCRING_OP_MSG_RING entry (ASYNCRING_MSG_DATA only) at once, for any
 * thread, and without a ring that it comes from. Its result, as cqe->res.
 */
int asyncring_register_sync_msg(struct asyncring_sqe *sqe);

/* --------------------------------------------------------------------------------------------
 * Clock, waiting region, and what concerns network devices
 */

/* The clock of waits: CLOCK_MONOTONIC or CLOCK_BOOTTIME. 0; -EINVAL. arg is copied. */
int asyncring_register_clock(struct asyncring *ring, struct asyncring_clock_register *arg);
/*
 * Registers a region of memory, to be used by asyncring_submit_and_wait_reg(). Wait regions: only
 * on a disabled ring. User memory must stay until the ring's end; without it the address of the
 * library's own comes back in the descriptor's user_addr. 0; -EINVAL; -EFAULT; -EBUSY.
 */
int asyncring_register_region(struct asyncring *ring, struct asyncring_mem_region_reg *reg);
/* Older form of the above that kernels no longer have: -EINVAL. */
int asyncring_register_wait_reg(struct asyncring *ring, struct asyncring_reg_wait *reg, int nr);
/* Busy polling of network devices; *napi is filled in with what was in force. 0; -EINVAL. */
int asyncring_register_napi(struct asyncring *ring, struct asyncring_napi *napi);
int asyncring_unregister_napi(struct asyncring *ring, struct asyncring_napi *napi);
/* Zero-copy receive queues. 0; -EINVAL. */
int asyncring_register_ifq(struct asyncring *ring, struct asyncring_zcrx_ifq_reg *reg);
/* Asks what there is, without a ring: a chain of queries, each answered in place. 0; -EFAULT. */
int asyncring_register_query(struct asyncring_query_hdr *query);

/* --------------------------------------------------------------------------------------------
 * What is supported: io_uring_get_probe(3)
 */

/* Fills in *p, which has room for nr operations. 0; -EINVAL nr over 256; -EFAULT. */
int asyncring_register_probe(struct asyncring *ring, struct asyncring_probe *p, unsigned nr);
/* The same in memory from malloc(3), to be given to asyncring_free_probe(); NULL on failure. */
struct asyncring_probe *asyncring_get_probe_ring(struct asyncring *ring);
/* The same without a ring. */
struct asyncring_probe *asyncring_get_probe(void);
/* Frees a probe; NULL is allowed. */
void asyncring_free_probe(struct asyncring_probe *probe);

/* Whether the operation op is supported: 1 or 0. */
static inline int asyncring_opcode_supported(const struct asyncring_probe *p, int op)
{
	if (op < 0 || op > p->last_op)
		return 0;
	return (p->ops[op].flags & ASYNCRING_OP_SUPPORTED) != 0;
}

/* The version of the library that is running, where the macros tell that of the header. */
int asyncring_major_version(void);
int asyncring_minor_version(void);
/* Whether it is older than major.minor. */
bool asyncring_check_version(int major, int minor);

/* --------------------------------------------------------------------------------------------
 * The submission queue: io_uring_get_sqe(3), io_uring_sq_ready(3)
 */

/* By how much the index of an entry is shifted: 1 with 128-byte entries. */
static inline int asyncring_sqe_shift_from_flags(unsigned flags)
{
	return !!(flags & ASYNCRING_SETUP_SQE128);
}

static inline int asyncring_sqe_shift(const struct asyncring *ring)
{
	return asyncring_sqe_shift_from_flags(ring->flags);
}

/*
 * How far the library has read. Pairs with the release store of the head on the library's side:
 * entries below it have been copied and may be overwritten.
 */
static inline unsigned asyncring_load_sq_head(const struct asyncring *ring)
{
	return __atomic_load_n(ring->sq.khead, __ATOMIC_ACQUIRE);
}

/*
 * A free entry with the common fields reset, or NULL when the queue is full (submit, and try
 * again). It goes with the next submit, filled in or not: fill it in.
 */
static inline struct asyncring_sqe *asyncring_get_sqe(struct asyncring *ring)
{
	struct asyncring_sq *sq = &ring->sq;
	unsigned tail = sq->sqe_tail;
	struct asyncring_sqe *sqe;

	if (tail - asyncring_load_sq_head(ring) >= sq->ring_entries)
		return NULL;

	sqe = &sq->sqes[(tail & sq->ring_mask) << asyncring_sqe_shift(ring)];
	sq->sqe_tail = tail + 1;
	asyncring_initialize_sqe(sqe);
	return sqe;
}

/*
 * A free 128-byte entry, on rings with ASYNCRING_SETUP_SQE128 or ASYNCRING_SETUP_SQE_MIXED. On the
 * latter it takes two places side by side, so at the end of the ring a silent NOP is put in the
 * last one first. NULL when there is no room, or on other rings.
 */
static inline struct asyncring_sqe *asyncring_get_sqe128(struct asyncring *ring)
{
	struct asyncring_sq *sq = &ring->sq;
	unsigned used, filler;
	struct asyncring_sqe *sqe;

	if (ring->flags & ASYNCRING_SETUP_SQE128)
		return asyncring_get_sqe(ring);
	if (!(ring->flags & ASYNCRING_SETUP_SQE_MIXED))
		return NULL;

	used = sq->sqe_tail - asyncring_load_sq_head(ring);
	filler = (sq->sqe_tail & sq->ring_mask) == sq->ring_mask;
	if (used + filler + 2 > sq->ring_entries)
		return NULL;
	if (filler) {
		sqe = asyncring_get_sqe(ring);
		asyncring_prep_nop(sqe);
		sqe->flags |= ASYNCRING_SQE_CQE_SKIP_SUCCESS;
	}

	sqe = &sq->sqes[sq->sqe_tail & sq->ring_mask];
	sq->sqe_tail += 2;
	asyncring_initialize_sqe(sqe);
	return sqe;
}

/* What cqe->user_data shall be, as a pointer; the library never follows it. */
static inline void asyncring_sqe_set_data(struct asyncring_sqe *sqe, void *data)
{
	sqe->user_data = asyncring__pointer(data);
}

/* The same as a number. */
static inline void asyncring_sqe_set_data64(struct asyncring_sqe *sqe, __u64 data)
{
	sqe->user_data = data;
}

/* Sets all of sqe->flags: ASYNCRING_SQE_*. */
static inline void asyncring_sqe_set_flags(struct asyncring_sqe *sqe, unsigned flags)
{
	sqe->flags = (__u8)flags;
}

/* The group to take a provided buffer from, for ASYNCRING_SQE_BUFFER_SELECT. */
static inline void asyncring_sqe_set_buf_group(struct asyncring_sqe *sqe, int bgid)
{
	sqe->buf_group = (__u16)bgid;
}

/* Entries handed out and not yet read by the library. */
static inline unsigned asyncring_sq_ready(const struct asyncring *ring)
{
	return ring->sq.sqe_tail - asyncring_load_sq_head(ring);
}

/* Entries that get_sqe can still hand out. */
static inline unsigned asyncring_sq_space_left(const struct asyncring *ring)
{
	return ring->sq.ring_entries - asyncring_sq_ready(ring);
}

/*
 * With ASYNCRING_SETUP_SQPOLL: blocks until get_sqe can succeed. 0, at once on other rings or when
 * there is room; or an error of asyncring_enter().
 */
int asyncring_sqring_wait(struct asyncring *ring);

/* --------------------------------------------------------------------------------------------
 * The completion queue: io_uring_peek_cqe(3), io_uring_cq_advance(3), io_uring_cq_ready(3)
 */

static inline void *asyncring_cqe_get_data(const struct asyncring_cqe *cqe)
{
	return (void *)(uintptr_t)cqe->user_data;
}

static inline __u64 asyncring_cqe_get_data64(const struct asyncring_cqe *cqe)
{
	return cqe->user_data;
}

/* By how much the index of a completion is shifted: 1 on rings whose entries all have 32 bytes. */
static inline unsigned asyncring_cqe_shift_from_flags(unsigned flags)
{
	return !!(flags & ASYNCRING_SETUP_CQE32);
}

static inline unsigned asyncring_cqe_shift(const struct asyncring *ring)
{
	return asyncring_cqe_shift_from_flags(ring->flags);
}

/*
 * How many places the completion takes, for sums given to asyncring_cq_advance(): 2 for a 32-byte
 * one on a ring with ASYNCRING_SETUP_CQE_MIXED, else 1.
 */
static inline unsigned asyncring_cqe_nr(const struct asyncring_cqe *cqe)
{
	return cqe->flags & ASYNCRING_CQE_F_32 ? 2 : 1;
}

/*
 * Whether the descriptor is readable although the queue has just been found empty, and nobody else
 * is going to see that. With deferred completions it may be so rightly, and asking is the program's
 * own decision.
 */
static inline bool asyncring__fd_readable(const struct asyncring *ring)
{
	unsigned flags = __atomic_load_n(ring->sq.kflags, __ATOMIC_RELAXED);

	if (ring->flags & ASYNCRING_SETUP_DEFER_TASKRUN || !(flags & ASYNCRING_SQ_FD_READABLE))
		return false;
	if (!(ring->flags & ASYNCRING_SETUP_SQPOLL))
		return true;
	/*
	 * A submission thread that is awake looks itself. A read-modify-write, not a load: this and
	 * the thread's setting of the flag come one after the other, so that either it is seen here
	 * or the thread, which looks afterwards, sees the head of the queue.
	 */
	flags = __atomic_fetch_or(ring->sq.kflags, 0, __ATOMIC_ACQ_REL);
	return flags & ASYNCRING_SQ_FD_READABLE && flags & ASYNCRING_SQ_NEED_WAKEUP;
}

/*
 * The places in use (not the completions, on a ring with ASYNCRING_SETUP_CQE_MIXED). The acquire
 * pairs with the library's release store of the tail: what lies below it has been written. The
 * head has no other writer than the caller, so a plain load of it will do.
 */
static inline unsigned asyncring_cq_ready(const struct asyncring *ring)
{
	unsigned head = *ring->cq.khead;
	unsigned ready = __atomic_load_n(ring->cq.ktail, __ATOMIC_ACQUIRE) - head;

	if (__builtin_expect(!ready, 0) && asyncring__fd_readable(ring)) {
		asyncring_get_events(ring); /* takes it back */
		ready = __atomic_load_n(ring->cq.ktail, __ATOMIC_ACQUIRE) - head;
	}
	return ready;
}

/* Whether completions wait outside the full queue; asyncring_get_events() brings them in. */
static inline bool asyncring_cq_has_overflow(const struct asyncring *ring)
{
	return __atomic_load_n(ring->sq.kflags, __ATOMIC_RELAXED) & ASYNCRING_SQ_CQ_OVERFLOW;
}

/*
 * Gives nr places back. All completions in them must have been dealt with: the release orders the
 * reads of them before the store that lets the library overwrite them.
 */
static inline void asyncring_cq_advance(struct asyncring *ring, unsigned nr)
{
	if (nr)
		__atomic_store_n(ring->cq.khead, *ring->cq.khead + nr, __ATOMIC_RELEASE);
}

/* Gives one completion's place back; NULL is allowed. */
static inline void asyncring_cqe_seen(struct asyncring *ring, struct asyncring_cqe *cqe)
{
	if (cqe)
		asyncring_cq_advance(ring, asyncring_cqe_nr(cqe));
}

/* The first completion there is, or NULL; the fillers of mixed rings are passed over. */
static inline struct asyncring_cqe *asyncring__first_cqe(struct asyncring *ring,
							 unsigned *nr_available)
{
	for (;;) {
		unsigned head = *ring->cq.khead;
		unsigned available = __atomic_load_n(ring->cq.ktail, __ATOMIC_ACQUIRE) - head;
		struct asyncring_cqe *cqe;

		*nr_available = available;
		if (!available)
			return NULL;
		cqe = &ring->cq.cqes[(head & ring->cq.ring_mask) << asyncring_cqe_shift(ring)];
		if (__builtin_expect(!(cqe->flags & ASYNCRING_CQE_F_SKIP), 1))
			return cqe;
		asyncring_cq_advance(ring, asyncring_cqe_nr(cqe));
	}
}

/*
 * The first completion, without waiting: 0, or -EAGAIN if there is none (then *cqe_ptr is NULL).
 * Enters the library only if the queue is empty and something waits for that.
 */
static inline int asyncring_peek_cqe(struct asyncring *ring, struct asyncring_cqe **cqe_ptr)
{
	unsigned available;

	*cqe_ptr = asyncring__first_cqe(ring, &available);
	return *cqe_ptr ? 0 : asyncring_wait_cqe_nr(ring, cqe_ptr, 0);
}

/* The first completion; blocks until there is one. 0, -EINTR or an error of asyncring_enter(). */
static inline int asyncring_wait_cqe(struct asyncring *ring, struct asyncring_cqe **cqe_ptr)
{
	unsigned available;

	*cqe_ptr = asyncring__first_cqe(ring, &available);
	return *cqe_ptr ? 0 : asyncring_wait_cqe_nr(ring, cqe_ptr, 1);
}

static inline struct asyncring_cqe_iter asyncring_cqe_iter_init(const struct asyncring *ring)
{
	unsigned ready = asyncring_cq_ready(ring);
	struct asyncring_cqe_iter iter;

	iter.cqes = ring->cq.cqes;
	iter.mask = ring->cq.ring_mask;
	iter.shift = asyncring_cqe_shift(ring);
	iter.head = *ring->cq.khead;
	iter.tail = iter.head + ready;
	iter.mixed = ring->flags & ASYNCRING_SETUP_CQE_MIXED;
	return iter;
}

static inline bool asyncring_cqe_iter_next(struct asyncring_cqe_iter *iter,
					   struct asyncring_cqe **cqe)
{
	if (iter->head == iter->tail)
		return false;
	*cqe = &iter->cqes[(iter->head & iter->mask) << iter->shift];
	iter->head += iter->mixed ? asyncring_cqe_nr(*cqe) : 1;
	return true;
}

/*
 * Runs the following statement for each completion that was there at the beginning, with cqe
 * pointing to it and the unsigned variable index holding its index; break works. Nothing is given
 * back: call asyncring_cq_advance() with the number afterwards, on mixed rings with the sum of
 * asyncring_cqe_nr(), where completions with ASYNCRING_CQE_F_SKIP mean nothing but count.
 */
#define asyncring_for_each_cqe(ring, index, cqe)                                                   \
	for (struct asyncring_cqe_iter asyncring__iter = asyncring_cqe_iter_init(ring);            \
	     (index) = asyncring__iter.head, (void)(index),                                        \
				       asyncring_cqe_iter_next(&asyncring__iter, &(cqe));)

/* Whether completions are signalled to the registered eventfd. */
static inline bool asyncring_cq_eventfd_enabled(const struct asyncring *ring)
{
	if (!ring->cq.kflags)
		return true;
	return !(*ring->cq.kflags & ASYNCRING_CQ_EVENTFD_DISABLED);
}

/* Switches that on or off. 0. */
static inline int asyncring_cq_eventfd_toggle(struct asyncring *ring, bool enabled)
{
	unsigned flags;

	if (enabled == asyncring_cq_eventfd_enabled(ring))
		return 0;
	if (!ring->cq.kflags)
		return -EOPNOTSUPP;
	flags = *ring->cq.kflags ^ ASYNCRING_CQ_EVENTFD_DISABLED;
	__atomic_store_n(ring->cq.kflags, flags, __ATOMIC_RELAXED);
	return 0;
}

/* --------------------------------------------------------------------------------------------
 * Rings of provided buffers: io_uring_register_buf_ring(3), io_uring_setup_buf_ring(3)
 *
 * A group of buffers from which requests with ASYNCRING_SQE_BUFFER_SELECT take one when they need
 * it; its id is in the upper half of cqe->flags. The application is the only writer of the ring,
 * one thread at a time. A buffer belongs to the library from asyncring_buf_ring_advance() until a
 * completion names it (without ASYNCRING_CQE_F_BUF_MORE) or the group is gone.
 *
 * With ASYNCRING_PBUF_RING_INC a buffer is used up piece by piece: completions name it with
 * ASYNCRING_CQE_F_BUF_MORE, each piece directly behind the one before, until one without the flag;
 * the entries in the ring are changed on the way. reg->min_left is then the number of bytes with
 * less than which left a buffer is given up.
 */

/*
 * Registers the ring of reg->ring_entries (a power of two up to 32768) at reg->ring_addr, which is
 * page-aligned. flags (ASYNCRING_PBUF_RING_*) are added to reg->flags; *reg is not referred to
 * after the return. 0; -EEXIST the group exists; -EINVAL; -EFAULT; -ENOMEM.
 *
 * The ring's memory is the application's and must stay mapped and writable until the group is
 * unregistered or the ring closed: unlike the kernel the library cannot hold on to its pages. With
 * ASYNCRING_PBUF_RING_MMAP the library allocates it and puts the address into reg->ring_addr, where
 * the kernel would have the ring's descriptor mapped. Then it is the application's to munmap()
 * (ring_entries times 16 bytes), at any time: it outlives the group, and the group it.
 */
int asyncring_register_buf_ring(struct asyncring *ring, struct asyncring_buf_reg *reg,
				unsigned int flags);
/* Ends group bgid. 0; -ENOENT. */
int asyncring_unregister_buf_ring(struct asyncring *ring, int bgid);
/* Where the library is in the ring, in *head. 0; -ENOENT; -EINVAL. */
int asyncring_buf_ring_head(struct asyncring *ring, int buf_group, uint16_t *head);

/*
 * Allocates, registers and empties a buffer ring, also one with ASYNCRING_PBUF_RING_MMAP; give it
 * to asyncring_free_buf_ring(). NULL on failure; *err is the negative errno, or 0.
 */
struct asyncring_buf_ring *asyncring_setup_buf_ring(struct asyncring *ring, unsigned int nentries,
						    int bgid, unsigned int flags, int *err);
/*
 * Ends the group and frees its ring. 0, or an error of asyncring_unregister_buf_ring(): then
 * nothing is freed.
 */
int asyncring_free_buf_ring(struct asyncring *ring, struct asyncring_buf_ring *br,
			    unsigned int nentries, int bgid);

/* What to give asyncring_buf_ring_add() as mask. */
static inline int asyncring_buf_ring_mask(__u32 ring_entries)
{
	return (int)(ring_entries - 1);
}

/* Makes a new ring empty. */
static inline void asyncring_buf_ring_init(struct asyncring_buf_ring *br)
{
	br->tail = 0;
}

/*
 * Puts a buffer of len bytes with the given id buf_offset places behind the tail. Not seen by the
 * library before asyncring_buf_ring_advance(). The memory at addr is the library's from then on.
 */
static inline void asyncring_buf_ring_add(struct asyncring_buf_ring *br, void *addr,
					  unsigned int len, unsigned short bid, int mask,
					  int buf_offset)
{
	struct asyncring_buf *buf = &br->bufs[(br->tail + buf_offset) & mask];

	/* Field by field: resv of the first buffer is the ring's tail. */
	buf->addr = asyncring__pointer(addr);
	buf->len = len;
	buf->bid = bid;
}

/* Hands the next count buffers over; the release orders their contents before the tail. */
static inline void asyncring_buf_ring_advance(struct asyncring_buf_ring *br, int count)
{
	__atomic_store_n(&br->tail, (__u16)(br->tail + count), __ATOMIC_RELEASE);
}

/* Gives cq_count completions back and hands buf_count buffers over. */
static inline void asyncring__buf_ring_cq_advance(struct asyncring *ring,
						  struct asyncring_buf_ring *br, int cq_count,
						  int buf_count)
{
	asyncring_buf_ring_advance(br, buf_count);
	asyncring_cq_advance(ring, (unsigned)cq_count);
}

/* The same with one buffer per completion. */
static inline void asyncring_buf_ring_cq_advance(struct asyncring *ring,
						 struct asyncring_buf_ring *br, int count)
{
	asyncring__buf_ring_cq_advance(ring, br, count, count);
}

/* How many buffers of the group wait to be used, or a negative errno. */
static inline int asyncring_buf_ring_available(struct asyncring *ring,
					       struct asyncring_buf_ring *br, unsigned short bgid)
{
	uint16_t head;
	int ret = asyncring_buf_ring_head(ring, bgid, &head);

	return ret ? ret : (uint16_t)(br->tail - head);
}

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif
