/* SPDX-License-Identifier: MIT */
/*
 * What is known of a descriptor number: which way data gets in and out of it, so that the path of a
 * cached read makes one system call and asks nothing.
 *
 * Everything here is a hint: numbers are closed and used again without the library being told. A
 * wrong hint may cost time, never correctness (hazard H3).
 */
#ifndef ASYNCRING__HINT_H
#define ASYNCRING__HINT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

enum file_kind {
	FILE_UNKNOWN,
	FILE_CACHED,   /* regular, through the page cache */
	FILE_MEMORY,   /* regular, and its data is in memory by definition (tmpfs, ramfs) */
	FILE_DIRECT,   /* O_DIRECT: even with RWF_NOWAIT preadv2(2) sleeps for the device */
	FILE_POLLABLE, /* pipe, socket, tty, eventfd ...: readiness can be waited for */
	FILE_OTHER,    /* anything else: directories, procfs, block devices through the cache */
};

/* As it is remembered: in one byte. */
struct hint {
	uint8_t kind : 3;      /* enum file_kind */
	bool nowait_reads : 1; /* RWF_NOWAIT is worth trying: it was not yet refused */
	bool nowait_writes : 1;
	/*
	 * Writes that continue each other may be made with one call, whichever of the file's open
	 * descriptions they go through, as long as this is true of all (ops/rw_merge.c).
	 */
	bool merges : 1;
	/* On a file system whose device answers sooner or later, come what may. */
	bool local : 1;
};

_Static_assert(sizeof(struct hint) == 1, "kept in one byte");

/*
 * The hint for @fd, looked up or, the first time and now and then, found out with a few system
 * calls. @questions counts for whoever asks when that is due again.
 */
struct hint asyncring__hint(int fd, uint32_t *questions);

/* As asyncring__hint, but found out anew and remembered. 0 or a negative errno. */
int asyncring__hint_learn(int fd, struct hint *hint);

/*
 * As asyncring__hint_learn, but what is looked at is @copy, a duplicate of @fd: another thread may
 * put another file behind @fd meanwhile. @fd is -1 if nothing is to be remembered. *status receives
 * fstat's answer.
 */
int asyncring__hint_inspect(int copy, int fd, struct hint *hint, struct stat *status);

/* The file system behind @fd refused RWF_NOWAIT (EOPNOTSUPP) for reads or writes. */
void asyncring__hint_no_nowait(int fd, bool write);

/* @fd is being closed or replaced through the library. */
void asyncring__hint_forget(int fd);

#endif
