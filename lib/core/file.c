/* SPDX-License-Identifier: MIT */
/*
 * Duplicates of the application's descriptors: made, shared, and closed without harm.
 *
 * Hazard H1. close() of any descriptor of a file drops all POSIX record locks (fcntl F_SETLK) the
 * process has on that file, whichever descriptor took them. So before a duplicate of a regular file
 * is closed, F_OFD_GETLK is asked on it: an open-file-description lock conflicts with every POSIX
 * lock, the process's own included. If one stands the duplicate is not closed but parked, and used
 * again for later requests on the same inode with the same open flags. Whenever files are put,
 * parked ones whose locks are gone are closed. A lock of another process is taken for one of ours:
 * parking without need costs a descriptor for a while, closing without need costs a database.
 *
 * Hazard H2. Descriptors are few. Requests of one submission share a duplicate (issue.c), and
 * duplicates get high numbers, out of the way of applications that count on the low ones.
 */
#include "core.h"
#include "fork.h"

enum {
	/* Where the library's own descriptors begin, if the limit allows; never 0, 1 or 2. */
	FIRST_NUMBER = 512,
	FIRST_NUMBER_IN_NEED = 3,
};

static struct {
	pthread_mutex_t lock;
	struct list open;   /* file.node; lock */
	struct list parked; /* file.node; lock */
	/* Is parked not empty? Written under lock; a hint for those who look without it. */
	_Atomic bool any_parked;
} files = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.open = {&files.open, &files.open},
	.parked = {&files.parked, &files.parked},
};

static int duplicate(int fd)
{
	int copy = sys_fcntl(fd, F_DUPFD_CLOEXEC, FIRST_NUMBER);

	if (copy == -EINVAL || copy == -EMFILE)
		copy = sys_fcntl(fd, F_DUPFD_CLOEXEC, FIRST_NUMBER_IN_NEED);
	return copy;
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
 * A duplicate beyond the soft limit: the limit is raised for the moment of the call. A number above
 * the limit stays usable when the limit is back.
 */
static int duplicate_beyond_limit(int fd)
{
	struct rlimit limit, raised;
	int copy = duplicate(fd);

	if (copy != -EMFILE || sys(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &limit) ||
	    limit.rlim_cur >= limit.rlim_max)
		return copy;
	raised = limit;
	raised.rlim_cur = raised.rlim_max;
	pthread_mutex_lock(&files.lock);
	if (!sys(SYS_prlimit64, 0, RLIMIT_NOFILE, &raised, NULL)) {
		copy = duplicate(fd);
		sys(SYS_prlimit64, 0, RLIMIT_NOFILE, &limit, NULL);
	}
	pthread_mutex_unlock(&files.lock);
	return copy;
}

/* Does a lock stand on the file that closing @file might drop? */
static bool locks_stand_on(int fd)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	if (sys_fcntl(fd, F_OFD_GETLK, (long)&lock) < 0)
		return false;
	/* An owner of -1: an open-file-description lock, which does not mind. */
	return lock.l_type != F_UNLCK && lock.l_pid != -1;
}

static bool locks_stand(const struct file *file)
{
	return file->regular && locks_stand_on(file->fd);
}

/* files.lock held. Close the parked files whose locks are gone. */
static void sweep_parked(void)
{
	struct list *node, *following;

	list_for_each_safe (node, following, &files.parked) {
		struct file *file = container_of(node, struct file, node);

		if (locks_stand(file))
			continue;
		list_remove(node);
		sys_close(file->fd);
		asyncring__free(file);
	}
	atomic_store_explicit(&files.any_parked, !list_empty(&files.parked), memory_order_relaxed);
}

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
	struct stat status;

	if (compared >= 0)
		return compared == 0;
	/* A sandbox without kcmp: the same inode opened in the same way comes close. */
	return !sys_fstat(fd, &status) && status.st_dev == file->device &&
	       status.st_ino == file->inode && sys_fcntl(fd, F_GETFL, 0) == file->open_flags;
}

/*
 * A parked duplicate that serves for @fd as well, taken out of the parking place. *error is -EMFILE
 * if there is one, but the kernel does not tell whether its position is that of @fd: then @fd must
 * not be duplicated again, or the parking place would grow with each request.
 */
static struct file *unpark(int fd, const struct stat *status, int open_flags, bool position,
			   int *error)
{
	struct list *node;

	list_for_each (node, &files.parked) {
		struct file *file = container_of(node, struct file, node);

		/* Asked again: the application may have changed them by a descriptor of its own. */
		if (file->device != status->st_dev || file->inode != status->st_ino ||
		    sys_fcntl(file->fd, F_GETFL, 0) != open_flags)
			continue;
		if (position) {
			long compared = compare_open_files(fd, file->fd);

			if (compared < 0)
				*error = -EMFILE;
			if (compared)
				continue;
		}
		list_remove(node);
		list_append(&files.open, node);
		file->open_flags = open_flags;
		atomic_store_explicit(&file->references, 1, memory_order_relaxed);
		*error = 0;
		return file;
	}
	return NULL;
}

/* @file stands for @fd from now on, which becomes its own. */
static void fill(struct file *file, int fd, const struct hint *hint, const struct stat *status,
		 int open_flags)
{
	file->fd = fd;
	file->hint = *hint;
	file->regular = S_ISREG(status->st_mode);
	file->character = S_ISCHR(status->st_mode);
	file->open_flags = open_flags;
	file->device = status->st_dev;
	file->inode = status->st_ino;
	atomic_store_explicit(&file->references, 1, memory_order_relaxed);
	pthread_mutex_lock(&files.lock);
	list_append(&files.open, &file->node);
	pthread_mutex_unlock(&files.lock);
}

static struct file *pin(int fd, bool position, int (*dup)(int), int *error)
{
	struct file *file = NULL;
	struct stat status;
	struct hint hint;
	int open_flags, copy;

	*error = asyncring__hint_learn(fd, &hint, &status, &open_flags);
	if (*error)
		return NULL;
	if (atomic_load_explicit(&files.any_parked, memory_order_relaxed)) {
		pthread_mutex_lock(&files.lock);
		sweep_parked();
		file = unpark(fd, &status, open_flags, position, error);
		pthread_mutex_unlock(&files.lock);
		if (file || *error)
			return file;
	}
	/* Memory first: a duplicate that had to be closed again would take the locks with it. */
	file = asyncring__alloc_zeroed(1, sizeof(*file));
	if (!file) {
		*error = -ENOMEM;
		return NULL;
	}
	copy = dup(fd);
	if (copy < 0) {
		asyncring__free(file);
		*error = copy;
		return NULL;
	}
	fill(file, copy, &hint, &status, open_flags);
	return file;
}

struct file *asyncring__file_pin(int fd, bool position, int *error)
{
	return pin(fd, position, duplicate, error);
}

struct file *asyncring__file_register(int fd, int *error)
{
	return pin(fd, true, duplicate_beyond_limit, error);
}

struct file *asyncring__file_adopt(int fd, int *error)
{
	struct file *file = asyncring__alloc_zeroed(1, sizeof(*file));
	/* Then the number cannot be given up: not for a better one, nor if memory is out. */
	bool locked = locks_stand_on(fd);
	struct stat status;
	struct hint hint;
	int open_flags;

	asyncring__hint_forget(fd);
	*error = asyncring__hint_learn(fd, &hint, &status, &open_flags);
	asyncring__hint_forget(fd);
	if (!*error && !file)
		*error = -ENOMEM;
	if (*error) {
		if (!locked)
			sys_close(fd);
		asyncring__free(file);
		return NULL;
	}
	fill(file, locked ? fd : asyncring__file_move_up(fd), &hint, &status, open_flags);
	return file;
}

void asyncring__file_put(struct file *file)
{
	struct completion *tag;
	struct ring *ring;

	/* Acquire-release: the last holder closes, after everything the others did with it. */
	if (atomic_fetch_sub_explicit(&file->references, 1, memory_order_acq_rel) != 1)
		return;
	tag = file->tag;
	ring = file->ring;
	file->tag = NULL;
	file->ring = NULL;
	pthread_mutex_lock(&files.lock);
	list_remove(&file->node);
	if (locks_stand(file)) {
		list_append(&files.parked, &file->node);
		atomic_store_explicit(&files.any_parked, true, memory_order_relaxed);
		file = NULL;
	} else if (!list_empty(&files.parked))
		sweep_parked();
	pthread_mutex_unlock(&files.lock);
	if (file) {
		sys_close(file->fd);
		asyncring__free(file);
	}
	/* Whoever sees the tag sees the file let go of. */
	if (tag)
		asyncring__cq_post_owned(ring, tag, true);
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
