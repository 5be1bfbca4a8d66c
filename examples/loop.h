/* SPDX-License-Identifier: MIT */
/*
 * loop: one ring and the functions to call when its requests complete. Whatever has a request in
 * flight embeds a struct pending; the completion calls its DONE function, which starts the next
 * step. A multishot request calls it again and again. One loop per program, one thread.
 *
 *	struct asyncring_sqe *sqe = loop_request();
 *
 *	asyncring_prep_openat(sqe, AT_FDCWD, file->path, O_RDONLY, 0);
 *	loop_expect(sqe, &file->pending, file_opened);
 */
#ifndef EXAMPLES_LOOP_H
#define EXAMPLES_LOOP_H

#include <asyncring.h>

struct pending {
	void (*done)(struct pending *pending, int result);
};

/* The structure of type TYPE whose member MEMBER is *POINTER. */
#define container_of(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

/* Sets up the ring; ENTRIES bounds a batch, not what is in flight. 0 or a negative errno. */
int loop_open(unsigned entries);

/* The ring itself, to register what is not mentioned here. */
struct asyncring *loop_ring(void);

/* Registers COUNT buffers for the *_fixed requests; 0 or a negative errno. */
int loop_register_buffers(const struct iovec *buffers, unsigned count);

/* A request to prepare, never NULL: a full batch is submitted to make room. */
struct asyncring_sqe *loop_request(void);

/* Says who wants to know how the prepared request ended. */
void loop_expect(struct asyncring_sqe *sqe, struct pending *pending,
		 void (*done)(struct pending *pending, int result));

/* Says that nobody wants to know. */
void loop_forget(struct asyncring_sqe *sqe);

/* For a DONE function: the ASYNCRING_CQE_F_* flags of the completion it was called for. */
unsigned loop_flags(void);

/* How many requests have not completed yet, forgotten ones aside. */
unsigned loop_outstanding(void);

/*
 * Submits what was prepared, waits for some completions and calls the DONE function of each
 * that is there. Returns also when TIMEOUT (NULL: none) has passed or a signal came. 0 or a
 * negative errno, after which the loop is of no more use.
 */
int loop_run(struct __kernel_timespec *timeout);

/* The same, waiting for WANTED completions: servers answer the first at once. 0 waits for none. */
int loop_wait(unsigned wanted, struct __kernel_timespec *timeout);

/* Waits for what is in flight and frees the ring. */
void loop_close(void);

#endif
