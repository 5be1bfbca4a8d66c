/* SPDX-License-Identifier: MIT */
/*
 * Hazard H3, the table of what RWF_NOWAIT is worth where:
 *
 *   what                              what happens                       what is done
 *   O_DIRECT                          sleeps for the device              never tried (FILE_DIRECT),
 *                                                                        but by io_submit(2), which
 *                                                                        does not wait for it
 *   O_DIRECT, no NOWAIT there         EOPNOTSUPP                         learnt by the first one
 *   O_DIRECT on tmpfs                 means nothing                      plain calls (FILE_MEMORY)
 *   tmpfs, ramfs                      EOPNOTSUPP (before Linux 6.x)      plain calls (FILE_MEMORY):
 *                                                                        the data is in memory
 *   procfs, sysfs, block devices ...  EOPNOTSUPP or blocks               worker (FILE_OTHER)
 *   ext4, buffered write              EOPNOTSUPP                         learnt by the first one
 *   Linux 5.9, 5.10, regular file     premature 0                        reads never tried
 *   a sandbox                         EPERM, ENOSYS                      learnt like EOPNOTSUPP
 *   the file ends or cache ends       short read                         ops/rw.c looks again
 *   not in the cache                  EAGAIN, and it is being read       worker; always tried, as
 *                                                                        that is well begun
 *   in the cache, and large           copied, however long it takes      worker, beyond a bound
 *   pipe, socket, eventfd             EAGAIN when not ready              wait for readiness
 *
 * One byte for each descriptor number, process-wide, read and written without a lock: whatever a
 * race leaves behind is still only a hint. Every RELEARN-th question is answered afresh, so that a
 * wrong hint does not live for ever. The same goes for the few devices whose file system is
 * remembered, because a device number, too, may come to stand for another one.
 */
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>

#include "core.h"

#ifndef TMPFS_MAGIC
#define TMPFS_MAGIC 0x01021994
#endif
#ifndef RAMFS_MAGIC
#define RAMFS_MAGIC 0x858458f6
#endif
#ifndef HUGETLBFS_MAGIC
#define HUGETLBFS_MAGIC 0x958458f6
#endif
#ifndef XFS_SUPER_MAGIC
#define XFS_SUPER_MAGIC 0x58465342
#endif

enum {
	CHUNK_HINTS = 4096,
	CHUNKS = 1024,
	RELEARN = 4096,
	DEVICES = 16,
	/* One hint in a byte. */
	KIND_MASK = 7,
	NO_NOWAIT_READS = 8,
	NO_NOWAIT_WRITES = 16,
	MERGES = 32,
	LOCAL = 64,
};

struct chunk {
	_Atomic uint8_t hints[CHUNK_HINTS];
};

static _Atomic(struct chunk *) chunks[CHUNKS];

static _Atomic uint8_t *place(int fd)
{
	unsigned index = (unsigned)fd / CHUNK_HINTS;
	struct chunk *chunk, *fresh, *none = NULL;

	if (fd < 0 || index >= CHUNKS)
		return NULL;
	/* Acquire, pairs with the exchange below. */
	chunk = atomic_load_explicit(&chunks[index], memory_order_acquire);
	if (chunk)
		return &chunk->hints[(unsigned)fd % CHUNK_HINTS];
	fresh = asyncring__alloc_zeroed(1, sizeof(*fresh));
	if (!fresh)
		return NULL;
	if (!atomic_compare_exchange_strong_explicit(&chunks[index], &none, fresh,
						     memory_order_acq_rel, memory_order_acquire)) {
		asyncring__free(fresh);
		fresh = none;
	}
	return &fresh->hints[(unsigned)fd % CHUNK_HINTS];
}

static struct hint unpack(uint8_t byte)
{
	return (struct hint){.kind = byte & KIND_MASK,
			     .nowait_reads = !(byte & NO_NOWAIT_READS),
			     .nowait_writes = !(byte & NO_NOWAIT_WRITES),
			     .merges = byte & MERGES,
			     .local = byte & LOCAL};
}

/* Linux 5.9 and 5.10 answer 0, as at the end of the file, where a NOWAIT read should be -EAGAIN. */
static bool kernel_reads_premature_zero(void)
{
	static _Atomic int answer; /* 0: not asked, 1: no, 2: yes */
	int known = atomic_load_explicit(&answer, memory_order_relaxed);
	struct utsname name;

	if (!known) {
		known = 1;
		if (!sys(SYS_uname, &name) &&
		    (!strncmp(name.release, "5.9.", 4) || !strncmp(name.release, "5.10.", 5)))
			known = 2;
		atomic_store_explicit(&answer, known, memory_order_relaxed);
	}
	return known == 2;
}

/*
 * Of these it is known that they have their data on a device of the machine. And that a buffered
 * write that fails has written nothing, and that one that is as long as several does as they would:
 * not of what sends its data elsewhere.
 */
static bool is_local(const struct statfs *fs)
{
	switch ((unsigned long)fs->f_type) {
	case EXT4_SUPER_MAGIC: /* ext2 and ext3, too */
	case XFS_SUPER_MAGIC:
	case BTRFS_SUPER_MAGIC:
	case F2FS_SUPER_MAGIC:
	case OVERLAYFS_SUPER_MAGIC:
		return true;
	}
	return false;
}

/* Not if each write waits for the device, nor if offsets mean nothing. */
static bool opened_to_merge(int flags)
{
	return (flags & O_ACCMODE) != O_RDONLY && !(flags & (O_DSYNC | O_APPEND));
}

/* What a regular file on the file system behind @fd is; FILE_UNKNOWN if that cannot be told. */
static uint8_t ask_file_system(int fd)
{
	struct statfs fs;

	if (sys_fstatfs(fd, &fs))
		return FILE_UNKNOWN;
	switch ((unsigned long)fs.f_type) {
	case TMPFS_MAGIC:
	case RAMFS_MAGIC:
	case HUGETLBFS_MAGIC:
		return FILE_MEMORY | MERGES | LOCAL;
	case PROC_SUPER_MAGIC:
	case SYSFS_MAGIC:
	case DEBUGFS_MAGIC:
	case TRACEFS_MAGIC:
	case CGROUP2_SUPER_MAGIC:
	case CGROUP_SUPER_MAGIC:
		return FILE_OTHER;
	}
	return FILE_CACHED | (kernel_reads_premature_zero() ? NO_NOWAIT_READS : 0) |
	       (is_local(&fs) ? LOCAL : 0) |
	       /* Not what is mounted to write through. */
	       (is_local(&fs) && !(fs.f_flags & ST_SYNCHRONOUS) ? MERGES : 0);
}

/*
 * The answer remembered for @device. FILE_MEMORY is not: it means plain calls in the submitter, and
 * if the number stands for another file system by now, one whose files can block for ever (tracefs)
 * would block it. What the other kinds do wrong there costs time only: RWF_NOWAIT is refused, or a
 * worker takes it.
 */
static uint8_t classify_file_system(int fd, dev_t device)
{
	static _Atomic uint64_t answers[DEVICES]; /* device << 8 | answer; 0: none. Relaxed. */
	static __thread unsigned questions;
	_Atomic uint64_t *answer = &answers[device % DEVICES];
	uint64_t known = atomic_load_explicit(answer, memory_order_relaxed);
	uint8_t kind;

	if (known && known >> 8 == device && ++questions % RELEARN)
		return (uint8_t)known;
	kind = ask_file_system(fd);
	if (kind == FILE_UNKNOWN)
		return FILE_OTHER;
	if ((kind & KIND_MASK) != FILE_MEMORY && !(device >> 56))
		atomic_store_explicit(answer, (uint64_t)device << 8 | kind, memory_order_relaxed);
	return kind;
}

static uint8_t classify(int fd, const struct stat *status)
{
	if (S_ISREG(status->st_mode)) {
		int open_flags = sys_fcntl(fd, F_GETFL, 0);
		uint8_t byte;

		if (open_flags < 0)
			return FILE_OTHER;
		byte = classify_file_system(fd, status->st_dev);
		if (open_flags & O_DIRECT && (byte & KIND_MASK) != FILE_MEMORY)
			return FILE_DIRECT | (byte & LOCAL);
		return opened_to_merge(open_flags) ? byte : byte & ~MERGES;
	}
	if (S_ISBLK(status->st_mode))
		return sys_fcntl(fd, F_GETFL, 0) & O_DIRECT ? FILE_DIRECT : FILE_OTHER;
	/* Anonymous inodes (eventfd, timerfd, inotify, ...) have no type at all. */
	if (S_ISFIFO(status->st_mode) || S_ISSOCK(status->st_mode) || S_ISCHR(status->st_mode) ||
	    !(status->st_mode & S_IFMT))
		return FILE_POLLABLE;
	return FILE_OTHER;
}

int asyncring__hint_inspect(int copy, int fd, struct hint *hint, struct stat *status)
{
	_Atomic uint8_t *known = place(fd);
	int error = sys_fstat(copy, status);
	uint8_t byte;

	if (error)
		return error;
	byte = classify(copy, status);
	if (known) {
		uint8_t old = atomic_load_explicit(known, memory_order_relaxed);

		/* What the file system has refused it will refuse again. */
		if ((old & KIND_MASK) == (byte & KIND_MASK))
			byte |= old & (NO_NOWAIT_READS | NO_NOWAIT_WRITES);
		atomic_store_explicit(known, byte, memory_order_relaxed);
	}
	*hint = unpack(byte);
	return 0;
}

int asyncring__hint_learn(int fd, struct hint *hint)
{
	struct stat status;

	return asyncring__hint_inspect(fd, fd, hint, &status);
}

/* Nothing is known of @fd, or it is time to ask again. */
__attribute__((noinline)) static struct hint learn_afresh(int fd)
{
	struct hint hint = {.kind = FILE_UNKNOWN};

	/* Refusals too are to be met anew: they may have been another file system's. */
	asyncring__hint_forget(fd);
	if (asyncring__hint_learn(fd, &hint))
		hint.kind = FILE_UNKNOWN;
	return hint;
}

struct hint asyncring__hint(int fd, uint32_t *questions)
{
	struct chunk *chunk = NULL;
	uint8_t byte;

	/* Acquire, pairs with the exchange in place(). A negative number has no chunk either. */
	if ((unsigned)fd / CHUNK_HINTS < CHUNKS)
		chunk = atomic_load_explicit(&chunks[(unsigned)fd / CHUNK_HINTS],
					     memory_order_acquire);
	if (!chunk || !(++*questions % RELEARN))
		return learn_afresh(fd);
	byte = atomic_load_explicit(&chunk->hints[(unsigned)fd % CHUNK_HINTS],
				    memory_order_relaxed);
	return (byte & KIND_MASK) == FILE_UNKNOWN ? learn_afresh(fd) : unpack(byte);
}

void asyncring__hint_no_nowait(int fd, bool write)
{
	_Atomic uint8_t *known = place(fd);

	if (known)
		atomic_fetch_or_explicit(known, write ? NO_NOWAIT_WRITES : NO_NOWAIT_READS,
					 memory_order_relaxed);
}

void asyncring__hint_forget(int fd)
{
	_Atomic uint8_t *known = place(fd);

	if (known)
		atomic_store_explicit(known, FILE_UNKNOWN, memory_order_relaxed);
}
