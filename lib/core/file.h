/* SPDX-License-Identifier: MIT */
/*
 * Open files that requests hold on to: registered ones, and pins.
 *
 * A pin is a private duplicate of the application's descriptor. It keeps the open file alive when
 * the application closes its descriptor or the number is used again while a request is still on
 * its way (rule 8). See file.c for hazards H1 (POSIX record locks) and H2 (descriptor limits).
 */
#ifndef ASYNCRING__FILE_H
#define ASYNCRING__FILE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "hint.h"
#include "list.h"

struct completion;
struct ring;

struct file {
	/* Constant while somebody holds a reference. */
	int fd;
	struct hint hint; /* what the duplicate was found to be when it was made */
	bool regular;
	bool socket;
	bool readable, writable; /* is it open for this? */
	bool character; /* a character device: it may have positions, though it is no regular file
			 */
	/* The next duplicate of the same descriptor is likely to get this number, too. */
	bool steady;
	/*
	 * Nobody has looked whether it is the socket it is taken for. Until the request that it was
	 * made for has it in the poller, or has looked; submit_lock of that request's ring.
	 */
	bool presumed;
	/* Of a file that was looked at when the duplicate was made. */
	dev_t device;
	ino_t inode;
	/* Of a registered file with a tag: what to post when it goes, and where; else NULL. */
	struct ring *ring;
	struct completion *tag;
	/*
	 * The ring that waits for the file's readiness, and its watch (engine/poller.c); NULL: none
	 * does. Claimed by compare-exchange; `watch` is under that ring's submit_lock.
	 */
	_Atomic(struct ring *) watcher;
	uint32_t watch;
	/* Reads, writes: RWF_NOWAIT was refused since. Any holder, relaxed: a hint. */
	_Atomic bool nowait_refused[2];
	/* Taken and put by any thread that holds one; the last put (acquire-release) closes. */
	_Atomic uint32_t references;
	/* In the list of files in use, of parked or of unused ones: files.lock. */
	struct list node;
};

/*
 * A pin of @fd with one reference: NULL with the negative errno in *error (-EBADF, -EMFILE,
 * -ENOMEM ...); it may lie beyond the soft limit of descriptors. @position: the caller needs the
 * file's position, so another open file of the same inode will not do.
 */
struct file *asyncring__file_pin(int fd, bool position, int *error);

/*
 * The same where an attempt has shown that @fd is a socket: nothing is asked about it. If it should
 * turn out that it was not, because another thread has put another file there, asyncring__file_look
 * makes good for that, before the pin is put or shared, and while it is presumed.
 */
struct file *asyncring__file_pin_socket(int fd, int *error);
void asyncring__file_look(struct file *file);

/* Another duplicate of @file. */
struct file *asyncring__file_pin_again(const struct file *file, bool position, int *error);

/*
 * A file to register. Unlike pin it may go beyond the soft limit of descriptors, up to the hard
 * one: an application that has registered a file has been promised that it may close its own.
 */
struct file *asyncring__file_register(int fd, int *error);

/* Take over @fd, a descriptor the library has opened itself; it is closed on failure. */
struct file *asyncring__file_adopt(int fd, int *error);

static inline struct file *file_get(struct file *file)
{
	/* Relaxed: the caller's own reference keeps it alive. */
	atomic_fetch_add_explicit(&file->references, 1, memory_order_relaxed);
	return file;
}

/* What the duplicate was found to be, and what was refused since. */
static inline struct hint asyncring__file_hint(const struct file *file)
{
	struct hint hint = file->hint;

	hint.nowait_reads &= !atomic_load_explicit(&file->nowait_refused[0], memory_order_relaxed);
	hint.nowait_writes &= !atomic_load_explicit(&file->nowait_refused[1], memory_order_relaxed);
	return hint;
}

/* Is @fd one of the duplicates made here? No lock held. */
bool asyncring__file_owns(int fd);

/* Is @fd a descriptor of the same open file? */
bool asyncring__file_is(const struct file *file, int fd);

/* Any thread; the last put closes or parks the duplicate and posts the tag. */
void asyncring__file_put(struct file *file);

/*
 * Close the parked duplicates that no lock holds open any more: for those who have a moment to
 * spare. Costs nothing where none is parked. No lock held, for closing may take its time.
 */
void asyncring__files_sweep(void);

/*
 * Move @fd, just opened by the library for itself, out of the low numbers that applications expect
 * to get; the new number, or @fd where that fails or is negative already.
 */
int asyncring__file_move_up(int fd);

/*
 * A descriptor for the library itself, made by @make(@argument): out of the low numbers, and beyond
 * the soft limit if there is none below. A negative errno if it cannot be had.
 */
int asyncring__file_make(int (*make)(int), int argument);

/* For asyncring__file_make(). */
int asyncring__make_eventfd(int flags);
int asyncring__make_epoll(int flags);

#endif
