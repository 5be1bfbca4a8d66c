/* SPDX-License-Identifier: MIT */
/*
 * Registered files: a ring's table of direct descriptors. Every call needs ring->submit_lock.
 *
 * A slot holds a reference to a struct file, a duplicate made at registration, so the entry is
 * independent of the application's own descriptor. Entries given in one call with the same number
 * share one duplicate.
 */
#ifndef ASYNCRING__FILE_TABLE_H
#define ASYNCRING__FILE_TABLE_H

#include <stdbool.h>
#include <stdint.h>

struct file;
struct ring;

#define FILE_SLOT_ALLOC (~0u) /* "any free slot" */

/* What @slot holds, without a reference: NULL if empty or out of range. */
struct file *asyncring__file_table_get(const struct ring *ring, unsigned slot);

/*
 * Put the open descriptor @fd into @slot (0-based), replacing what is there, or into a free one.
 * The descriptor becomes the table's on success and is closed on failure. The slot used, or
 * -ENXIO (no table), -EINVAL (out of range), -ENFILE (no free slot), -ENOMEM.
 */
int asyncring__file_table_install(struct ring *ring, int fd, unsigned slot);

/* Put a reference to @file into @slot, as install does; the reference is consumed either way. */
int asyncring__file_table_install_file(struct ring *ring, struct file *file, unsigned slot);

/* Empty @slot: 0, -ENXIO (no table), -EINVAL (out of range), -EBADF (already empty). */
int asyncring__file_table_remove(struct ring *ring, unsigned slot);

/*
 * FILES_UPDATE: for each of the @count descriptors at @fds (the application's memory): -1 empties
 * the slot, FILES_SKIP leaves it. The number done, or the errno of the first that failed.
 * @tags: the application's array of 64-bit tags or 0.
 */
int asyncring__file_table_update(struct ring *ring, unsigned offset, uint64_t fds, uint64_t tags,
				 unsigned count);

/* FILES_UPDATE with FILE_INDEX_ALLOC: each fd gets a free slot, whose number replaces it in @fds.
 */
int asyncring__file_table_update_alloc(struct ring *ring, uint64_t fds, unsigned count);

/* Registration calls (register.c); results as those of the register system call. */
int asyncring__files_register(struct ring *ring, uint64_t fds, uint64_t tags, unsigned count,
			      bool sparse);
int asyncring__files_unregister(struct ring *ring);
int asyncring__files_alloc_range(struct ring *ring, uint64_t arg);

#endif
