/* SPDX-License-Identifier: MIT */
/*
 * Duplicates of the application's descriptors: made, shared, and closed without harm.
 *
 * Hazard H1. close() of any descriptor of a file drops all POSIX record locks (fcntl F_SETLK) the
 * process has on that file, whichever descriptor took them. So before a duplicate is closed,
 * F_OFD_GETLK is asked on it: an open-file-description lock conflicts with every POSIX lock, the
 * process's own included. If one stands the duplicate is not closed but parked, and used again for
 * later requests on the same inode with the same open flags. Parked ones whose locks are gone are
 * closed when files are put, when a worker has been idle for a while and when a ring is closed. A
 * lock of another process is taken for one of ours: parking without need costs a descriptor for a
 * while, closing without need costs a database. What remains: a lock that is taken between the
 * question and the close is dropped, for the two are not one call.
 *
 * Hazard H2. Descriptors are few. Requests of one submission share a duplicate (issue.c), and
 * duplicates get high numbers, out of the way of applications that count on the low ones, and
 * beyond the soft limit where there are none left below it: the limit is the application's, which
 * does not know of them, and in the kernel what a request holds does not count.
 * One descriptor's duplicates get the same number again and again, if it is free: an epoll set that
 * still has a file under that number need not take it anew (poller.c).
 *
 * fork() waits for files.lock (fork.c), so a child knows every duplicate that was made, but not
 * those just being closed: a close may take long (the last one of a deleted file, a network file
 * system), so it is made without the lock, and a fork at that moment leaves the child a
 * close-on-exec descriptor nobody uses.
 */
#include "core.h"
#include "fork.h"

#include <pthread.h>
#include <string.h>

enum {
	/* Where the library's own descriptors begin, if the limit allows; never 0, 1 or 2. */
	FIRST_NUMBER = 512,
	FIRST_NUMBER_IN_NEED = 3,
	/* Descriptors from here on have no number of their own for their duplicates. */
	HOMES = 32768,
	/* Structures kept for the next pins. */
	UNUSED_MAX = 64,
	/* After that many locks that do not mind a close, one that does is taken for granted. */
	QUESTIONS_MAX = 16,
};

static struct {
	pthread_mutex_t lock;
	struct list open;      /* file.node; lock */
	struct list parked;    /* file.node; lock */
	struct list unused;    /* file.node; lock */
	unsigned unused_count; /* lock */
	/* Is parked not empty? Written under lock; a hint for those who look without it. */
	_Atomic bool any_parked;
} files = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.open = {&files.open, &files.open},
	.parked = {&files.parked, &files.parked},
	.unused = {&files.unused, &files.unused},
};

/* ---- descriptors ---- */

static int duplicate(int fd)
{
	int copy = sys_fcntl(fd, F_DUPFD_CLOEXEC, FIRST_NUMBER);

	if (copy == -EINVAL || copy == -EMFILE)
		copy = sys_fcntl(fd, F_DUPFD_CLOEXEC, FIRST_NUMBER_IN_NEED);
	return copy;
}

/*
 * The number that the duplicates of @fd are to have, 0: none. Beyond all descriptors that ever had
 * one, so that as a rule nobody else is there.
 */
static int home_of(int fd)
{
	/* A power of two. Relaxed: one that is too small costs time, nothing else. */
	static _Atomic int beyond = FIRST_NUMBER;
	int start = atomic_load_explicit(&beyond, memory_order_relaxed);

	if (fd < 0 || fd >= HOMES)
		return 0;
	if (fd >= start) {
		while (fd >= start)
			start *= 2;
		atomic_store_explicit(&beyond, start, memory_order_relaxed);
	}
	return start + fd;
}

static int duplicate_at_home(int fd)
{
	int home = home_of(fd);
	int copy = home ? sys_fcntl(fd, F_DUPFD_CLOEXEC, home) : -EINVAL;

	return copy == -EINVAL || copy == -EMFILE ? duplicate(fd) : copy;
}

int asyncring__file_move_up(int fd)
{
	int moved;

	if (fd < 0)
		return fd;
	moved = duplicate(fd);
	if (moved < 0)
		return fd;
	sys_close(fd);
	return moved;
}

/*
 * What @make(@argument) makes, beyond the soft limit if need be: the limit is raised for the moment
 * of the call. A number above the limit stays usable when the limit is back. A limit that the
 * application sets meanwhile stays, unless it does so between the last look and the call after it.
 * files.lock held: one thread at a time.
 */
static int make_beyond_limit(int (*make)(int), int argument)
{
	struct rlimit limit, raised, before, now;
	int fd = make(argument);

	if (fd != -EMFILE || sys(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &limit) ||
	    limit.rlim_cur >= limit.rlim_max)
		return fd;
	raised = (struct rlimit){.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};
	if (sys(SYS_prlimit64, 0, RLIMIT_NOFILE, &raised, &before))
		return fd;
	fd = make(argument);
	if (!sys(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &now) && now.rlim_cur == raised.rlim_cur &&
	    now.rlim_max == raised.rlim_max)
		sys(SYS_prlimit64, 0, RLIMIT_NOFILE, &before, NULL);
	return fd;
}

int asyncring__file_make(int (*make)(int), int argument)
{
	int fd = make(argument);

	if (fd == -EMFILE) {
		pthread_mutex_lock(&files.lock);
		fd = make_beyond_limit(make, argument);
		pthread_mutex_unlock(&files.lock);
	}
	return asyncring__file_move_up(fd);
}

int asyncring__make_eventfd(int flags)
{
	return (int)sys(SYS_eventfd2, 0, flags);
}

int asyncring__make_epoll(int flags)
{
	return (int)sys(SYS_epoll_create1, flags);
}

/* ---- locks (hazard H1) ---- */

/*
 * Does a lock stand between @start and @end (0: there is no end) that closing @fd might drop? The
 * kernel tells of one lock only, not of the first in the file. If that is an open-file-description
 * lock (an owner of -1), which does not mind, it is asked what there is before and behind it.
 * Nothing else can stand where one for writing stands; beneath one for reading others may hide.
 */
static bool locks_stand_between(int fd, off_t start, off_t end, unsigned *questions)
{
	while (!end || start < end) {
		struct flock lock = {.l_type = F_WRLCK,
				     .l_whence = SEEK_SET,
				     .l_start = start,
				     .l_len = end ? end - start : 0};

		if (!(*questions)--)
			return true;
		if (sys_fcntl(fd, F_OFD_GETLK, (long)&lock) < 0 || lock.l_type == F_UNLCK)
			return false;
		if (lock.l_pid != -1 || lock.l_type == F_RDLCK)
			return true;
		if (lock.l_start > start && locks_stand_between(fd, start, lock.l_start, questions))
			return true;
		if (!lock.l_len)
			return false;
		start = lock.l_start + lock.l_len;
	}
	return false;
}

static bool locks_stand_on(int fd)
{
	unsigned questions = QUESTIONS_MAX;

	return locks_stand_between(fd, 0, 0, &questions);
}

/* Streams are not asked about: nobody locks records of them. */
static bool locks_stand(const struct file *file)
{
	return file->hint.kind != FILE_POLLABLE && locks_stand_on(file->fd);
}

/* ---- structures ---- */

/* Zeroed, one reference, in no list; NULL: out of memory. files.lock held. */
static struct file *new_file(void)
{
	struct list *node = list_take_first(&files.unused);
	struct file *file;

	if (node) {
		files.unused_count--;
		file = container_of(node, struct file, node);
		memset(file, 0, sizeof(*file));
	} else {
		file = asyncring__alloc_zeroed(1, sizeof(*file));
		if (!file)
			return NULL;
	}
	atomic_store_explicit(&file->references, 1, memory_order_relaxed);
	return file;
}

/* @file is in no list, and nobody knows it. files.lock held. */
static void recycle(struct file *file)
{
	if (files.unused_count >= UNUSED_MAX) {
		asyncring__free(file);
		return;
	}
	files.unused_count++;
	list_append(&files.unused, &file->node);
}

void asyncring__files_sweep(void)
{
	struct list *node, *following, free_of_locks;

	if (!atomic_load_explicit(&files.any_parked, memory_order_relaxed))
		return;
	list_init(&free_of_locks);
	pthread_mutex_lock(&files.lock);
	list_for_each_safe (node, following, &files.parked) {
		if (locks_stand(container_of(node, struct file, node)))
			continue;
		list_remove(node);
		list_append(&free_of_locks, node);
	}
	atomic_store_explicit(&files.any_parked, !list_empty(&files.parked), memory_order_relaxed);
	pthread_mutex_unlock(&files.lock);
	while ((node = list_take_first(&free_of_locks))) {
		struct file *file = container_of(node, struct file, node);

		sys_close(file->fd);
		pthread_mutex_lock(&files.lock);
		recycle(file);
		pthread_mutex_unlock(&files.lock);
	}
}

/* ---- pins ---- */

/* 0: the same open file, positive: not the same, negative: the kernel does not tell. */
static long compare_open_files(int fd, int other)
{
	enum { COMPARE_FILES = 0 }; /* KCMP_FILE */
	long pid = sys(SYS_getpid);

	return sys(SYS_kcmp, pid, pid, COMPARE_FILES, fd, other);
}

bool asyncring__file_is(const struct file *file, int fd)
{
	long compared = compare_open_files(file->fd, fd);
	struct stat one, other;

	if (compared >= 0)
		return compared == 0;
	/* A sandbox without kcmp: the same inode opened in the same way comes close. */
	return !sys_fstat(fd, &one) && !sys_fstat(file->fd, &other) && one.st_dev == other.st_dev &&
	       one.st_ino == other.st_ino &&
	       sys_fcntl(fd, F_GETFL, 0) == sys_fcntl(file->fd, F_GETFL, 0);
}

/*
 * A parked duplicate that serves for an open file of @status and @open_flags, or NULL. *error is
 * -EMFILE if there is one, but the kernel does not tell whether its position is that of @fd: then
 * @fd must not be duplicated again, or the parking place would grow with each request. files.lock
 * held.
 */
static struct file *find_parked(int fd, const struct stat *status, int open_flags, bool position,
				int *error)
{
	struct list *node;

	list_for_each (node, &files.parked) {
		struct file *file = container_of(node, struct file, node);
		long compared;

		/* Asked again: the application may have changed them by a descriptor of its own. */
		if (file->device != status->st_dev || file->inode != status->st_ino ||
		    sys_fcntl(file->fd, F_GETFL, 0) != open_flags)
			continue;
		compared = position ? compare_open_files(fd, file->fd) : 0;
		if (!compared) {
			*error = 0;
			return file;
		}
		if (compared < 0)
			*error = -EMFILE;
	}
	return NULL;
}

/*
 * A parked duplicate that serves for @fd as well, taken out of the parking place, or NULL; *error
 * as find_parked sets it. A duplicate made first and looked at, as in make(), could not be closed
 * again. So @fd is looked at, and the flags once more at the end, in case another thread has put
 * another file behind it in between: else the inode of one were taken for that of the other.
 */
static struct file *unpark(int fd, bool position, int *error)
{
	int open_flags = sys_fcntl(fd, F_GETFL, 0);
	struct stat status;
	struct file *file;

	*error = 0;
	if (open_flags < 0 || sys_fstat(fd, &status) || sys_fcntl(fd, F_GETFL, 0) != open_flags)
		return NULL;
	pthread_mutex_lock(&files.lock);
	file = find_parked(fd, &status, open_flags, position, error);
	if (file) {
		list_remove(&file->node);
		list_append(&files.open, &file->node);
		atomic_store_explicit(&file->references, 1, memory_order_relaxed);
		atomic_store_explicit(&files.any_parked, !list_empty(&files.parked),
				      memory_order_relaxed);
	}
	pthread_mutex_unlock(&files.lock);
	return file;
}

static void note(struct file *file, const struct stat *status)
{
	int open_flags;

	file->regular = S_ISREG(status->st_mode);
	file->socket = S_ISSOCK(status->st_mode);
	/* Asked of what is waited for only. */
	open_flags = file->regular ? O_RDWR : sys_fcntl(file->fd, F_GETFL, 0);
	file->readable = (open_flags & O_ACCMODE) != O_WRONLY;
	file->writable = (open_flags & O_ACCMODE) != O_RDONLY;
	file->character = S_ISCHR(status->st_mode);
	file->device = status->st_dev;
	file->inode = status->st_ino;
}

/*
 * Look at what @file->fd, which stands for the application's @fd (-1: for none), is. It can only be
 * given up like a file in use: closing it would take the locks with it.
 */
static struct file *inspect(struct file *file, int fd, int *error)
{
	struct stat status;

	*error = asyncring__hint_inspect(file->fd, fd, &file->hint, &status);
	if (*error) {
		asyncring__file_put(file);
		return NULL;
	}
	note(file, &status);
	return file;
}

/* What has been dealt with as a socket is one, and nothing else has to be known of it. */
static void take_for_socket(struct file *file)
{
	file->socket = file->readable = file->writable = file->presumed = true;
	file->hint = (struct hint){
		.kind = FILE_POLLABLE,
		.nowait_reads = true,
		.nowait_writes = true,
	};
}

enum purpose { FOR_REQUEST, FOR_SOCKET_REQUEST, FOR_WATCH, FOR_TABLE };

static void duplicate_for(struct file *file, enum purpose purpose, int fd)
{
	switch (purpose) {
	case FOR_TABLE:
		file->fd = make_beyond_limit(duplicate, fd);
		file->steady = true;
		break;
	case FOR_WATCH:
		file->fd = make_beyond_limit(duplicate, fd);
		break;
	default:
		file->fd = make_beyond_limit(duplicate_at_home, fd);
		file->steady = file->fd == home_of(fd);
	}
}

/*
 * Memory first, for the same reason. Made and listed in one step for fork(). The duplicate is what
 * is looked at: @fd may be another file by then.
 */
static struct file *make(int fd, enum purpose purpose, int *error)
{
	struct file *file;

	*error = -ENOMEM;
	pthread_mutex_lock(&files.lock);
	file = new_file();
	if (file) {
		duplicate_for(file, purpose, fd);
		if (file->fd >= 0) {
			list_append(&files.open, &file->node);
		} else {
			*error = file->fd;
			recycle(file);
			file = NULL;
		}
	}
	pthread_mutex_unlock(&files.lock);
	if (!file)
		return NULL;
	if (purpose != FOR_SOCKET_REQUEST)
		return inspect(file, fd, error);
	*error = 0;
	take_for_socket(file);
	return file;
}

static struct file *pin(int fd, bool position, enum purpose purpose, int *error)
{
	struct file *file;

	if (atomic_load_explicit(&files.any_parked, memory_order_relaxed)) {
		file = unpark(fd, position, error);
		if (file || *error)
			return file;
	}
	return make(fd, purpose, error);
}

struct file *asyncring__file_pin(int fd, bool position, int *error)
{
	return pin(fd, position, FOR_REQUEST, error);
}

struct file *asyncring__file_pin_socket(int fd, int *error)
{
	return make(fd, FOR_SOCKET_REQUEST, error);
}

void asyncring__file_look(struct file *file)
{
	struct stat status;

	file->presumed = false;
	if (!asyncring__hint_inspect(file->fd, -1, &file->hint, &status))
		note(file, &status);
}

struct file *asyncring__file_pin_again(const struct file *file, bool position, int *error)
{
	return pin(file->fd, position, FOR_WATCH, error);
}

struct file *asyncring__file_register(int fd, int *error)
{
	return pin(fd, true, FOR_TABLE, error);
}

struct file *asyncring__file_adopt(int fd, int *error)
{
	/* Then the number cannot be given up: not for a better one, nor if memory is out. */
	bool locked = locks_stand_on(fd);
	struct file *file;

	pthread_mutex_lock(&files.lock);
	file = new_file();
	pthread_mutex_unlock(&files.lock);
	asyncring__hint_forget(fd);
	if (!file) {
		if (!locked)
			sys_close(fd);
		*error = -ENOMEM;
		return NULL;
	}
	file->fd = locked ? fd : asyncring__file_move_up(fd);
	file->steady = true;
	pthread_mutex_lock(&files.lock);
	list_append(&files.open, &file->node);
	pthread_mutex_unlock(&files.lock);
	return inspect(file, -1, error);
}

void asyncring__file_put(struct file *file)
{
	struct completion *tag;
	struct ring *ring;
	bool park;
	int fd;

	/* Acquire-release: the last holder closes, after everything the others did with it. */
	if (atomic_fetch_sub_explicit(&file->references, 1, memory_order_acq_rel) != 1)
		return;
	fd = file->fd;
	tag = file->tag;
	ring = file->ring;
	park = locks_stand(file);
	pthread_mutex_lock(&files.lock);
	file->tag = NULL;
	file->ring = NULL;
	list_remove(&file->node);
	if (park) {
		list_append(&files.parked, &file->node);
		atomic_store_explicit(&files.any_parked, true, memory_order_relaxed);
	} else {
		recycle(file);
	}
	pthread_mutex_unlock(&files.lock);
	if (!park) {
		sys_close(fd);
		asyncring__files_sweep();
	}
	/* Whoever sees the tag sees the file let go of. */
	if (tag)
		asyncring__cq_post_owned(ring, tag, true);
}

bool asyncring__file_owns(int fd)
{
	struct list *node;
	bool owned = false;

	pthread_mutex_lock(&files.lock);
	list_for_each (node, &files.open)
		owned |= container_of(node, struct file, node)->fd == fd;
	pthread_mutex_unlock(&files.lock);
	return owned;
}

/* ---- fork ---- */

void asyncring__files_before_fork(void)
{
	pthread_mutex_lock(&files.lock);
}

void asyncring__files_after_fork_parent(void)
{
	pthread_mutex_unlock(&files.lock);
}

/* POSIX locks are not inherited, so the child's copies can simply be closed. */
void asyncring__files_after_fork_child(void)
{
	struct list *node;

	list_move_all(&files.open, &files.parked);
	while ((node = list_take_first(&files.open))) {
		struct file *file = container_of(node, struct file, node);

		sys_close(file->fd);
		asyncring__free(file->tag);
		asyncring__free(file);
	}
	atomic_store_explicit(&files.any_parked, false, memory_order_relaxed);
	pthread_mutex_unlock(&files.lock);
}
