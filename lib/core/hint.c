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

/* A fresh hint is 0: FILE_UNKNOWN. */
static uint8_t byte_of(struct hint hint)
{
	uint8_t byte;

	memcpy(&byte, &hint, 1);
	return byte;
}

static struct hint hint_of(uint8_t byte)
{
	struct hint hint;

	memcpy(&hint, &byte, 1);
	return hint;
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

/* What is known of a file of that kind to begin with: that nothing was refused yet. */
static struct hint hint_for(enum file_kind kind)
{
	return (struct hint){.kind = kind, .nowait_reads = true, .nowait_writes = true};
}

/* What a regular file on the file system behind @fd is; FILE_UNKNOWN if that cannot be told. */
static struct hint ask_file_system(int fd)
{
	struct statfs fs;
	struct hint hint;

	if (sys_fstatfs(fd, &fs))
		return hint_for(FILE_UNKNOWN);
	switch ((unsigned long)fs.f_type) {
	case TMPFS_MAGIC:
	case RAMFS_MAGIC:
	case HUGETLBFS_MAGIC:
		hint = hint_for(FILE_MEMORY);
		hint.merges = hint.local = true;
		return hint;
	case PROC_SUPER_MAGIC:
	case SYSFS_MAGIC:
	case DEBUGFS_MAGIC:
	case TRACEFS_MAGIC:
	case CGROUP2_SUPER_MAGIC:
	case CGROUP_SUPER_MAGIC:
		return hint_for(FILE_OTHER);
	}
	hint = hint_for(FILE_CACHED);
	hint.nowait_reads = !kernel_reads_premature_zero();
	hint.local = is_local(&fs);
	/* Not what is mounted to write through. */
	hint.merges = hint.local && !(fs.f_flags & ST_SYNCHRONOUS);
	return hint;
}

/*
 * The answer remembered for @device. FILE_MEMORY is not: it means plain calls in the submitter, and
 * if the number stands for another file system by now, one whose files can block for ever (tracefs)
 * would block it. What the other kinds do wrong there costs time only: RWF_NOWAIT is refused, or a
 * worker takes it.
 */
static struct hint classify_file_system(int fd, dev_t device)
{
	static _Atomic uint64_t answers[DEVICES]; /* device << 8 | answer; 0: none. Relaxed. */
	static __thread unsigned questions;
	_Atomic uint64_t *answer = &answers[device % DEVICES];
	uint64_t known = atomic_load_explicit(answer, memory_order_relaxed);
	struct hint hint;

	if (known && known >> 8 == device && ++questions % RELEARN)
		return hint_of((uint8_t)known);
	hint = ask_file_system(fd);
	if (hint.kind == FILE_UNKNOWN)
		return hint_for(FILE_OTHER);
	if (hint.kind != FILE_MEMORY && !(device >> 56))
		atomic_store_explicit(answer, (uint64_t)device << 8 | byte_of(hint),
				      memory_order_relaxed);
	return hint;
}

static struct hint classify_regular(int fd, dev_t device)
{
	int open_flags = sys_fcntl(fd, F_GETFL, 0);
	struct hint hint;

	if (open_flags < 0)
		return hint_for(FILE_OTHER);
	hint = classify_file_system(fd, device);
	if (open_flags & O_DIRECT && hint.kind != FILE_MEMORY) {
		bool local = hint.local;

		hint = hint_for(FILE_DIRECT);
		hint.local = local;
	} else
		hint.merges &= opened_to_merge(open_flags);
	return hint;
}

static struct hint classify(int fd, const struct stat *status)
{
	if (S_ISREG(status->st_mode))
		return classify_regular(fd, status->st_dev);
	if (S_ISBLK(status->st_mode))
		return hint_for(sys_fcntl(fd, F_GETFL, 0) & O_DIRECT ? FILE_DIRECT : FILE_OTHER);
	/* Anonymous inodes (eventfd, timerfd, inotify, ...) have no type at all. */
	if (S_ISFIFO(status->st_mode) || S_ISSOCK(status->st_mode) || S_ISCHR(status->st_mode) ||
	    !(status->st_mode & S_IFMT))
		return hint_for(FILE_POLLABLE);
	return hint_for(FILE_OTHER);
}

int asyncring__hint_inspect(int copy, int fd, struct hint *hint, struct stat *status)
{
	_Atomic uint8_t *known = place(fd);
	int error = sys_fstat(copy, status);

	if (error)
		return error;
	*hint = classify(copy, status);
	if (known) {
		struct hint old = hint_of(atomic_load_explicit(known, memory_order_relaxed));

		/* What the file system has refused it will refuse again. */
		if (old.kind == hint->kind) {
			hint->nowait_reads &= old.nowait_reads;
			hint->nowait_writes &= old.nowait_writes;
		}
		atomic_store_explicit(known, byte_of(*hint), memory_order_relaxed);
	}
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
	struct hint hint;

	/* Acquire, pairs with the exchange in place(). A negative number has no chunk either. */
	if ((unsigned)fd / CHUNK_HINTS < CHUNKS)
		chunk = atomic_load_explicit(&chunks[(unsigned)fd / CHUNK_HINTS],
					     memory_order_acquire);
	if (!chunk || !(++*questions % RELEARN))
		return learn_afresh(fd);
	hint = hint_of(atomic_load_explicit(&chunk->hints[(unsigned)fd % CHUNK_HINTS],
					    memory_order_relaxed));
	return hint.kind == FILE_UNKNOWN ? learn_afresh(fd) : hint;
}

void asyncring__hint_no_nowait(int fd, bool write)
{
	const struct hint refused = {.nowait_reads = !write, .nowait_writes = write};
	_Atomic uint8_t *known = place(fd);

	if (known)
		atomic_fetch_and_explicit(known, (uint8_t)~byte_of(refused), memory_order_relaxed);
}

void asyncring__hint_forget(int fd)
{
	_Atomic uint8_t *known = place(fd);

	if (known)
		atomic_store_explicit(known, FILE_UNKNOWN, memory_order_relaxed);
}
