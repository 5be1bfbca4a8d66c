/* SPDX-License-Identifier: MIT */
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "content.h"

#define MIB	     (UINT64_C(1) << 20)
#define CHUNK	     ((size_t)MIB)
#define SMALLEST     (16 * MIB)
#define CACHED_SIZE  (256 * MIB)
#define WRITTEN_SIZE (512 * MIB)
#define TMPFS_SIZE   (128 * MIB)

/* STATE_MIXED: of each stretch of so many pages the last tenth is cold. */
#define STRETCH	     40
#define STRETCH_WARM 36

static int fail(struct message *message, int error, const char *what)
{
	snprintf(message->text, sizeof(message->text), "%s: %s", what, strerror(-error));
	return error;
}

static int make_nameless(const char *directory)
{
	char path[4096];
	int fd;

	if (snprintf(path, sizeof(path), "%s/asyncring-bench.XXXXXX", directory) >=
	    (int)sizeof(path))
		return -ENAMETOOLONG;
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	unlink(path);
	return fd;
}

static int write_all(int fd, const char *buffer, size_t length, uint64_t offset)
{
	while (length) {
		ssize_t written = pwrite(fd, buffer, length, (off_t)offset);

		if (written < 0)
			return -errno;
		buffer += written;
		offset += (uint64_t)written;
		length -= (size_t)written;
	}
	return 0;
}

static int fill(int fd, uint64_t size, bool zero)
{
	char *chunk = calloc(1, CHUNK);
	int error = chunk ? 0 : -ENOMEM;

	for (uint64_t offset = 0; !error && offset < size; offset += CHUNK) {
		if (!zero)
			bench_content_fill(chunk, CHUNK, offset);
		error = write_all(fd, chunk, CHUNK, offset);
	}
	free(chunk);
	/* Pages still dirty could not be dropped later, and writing them back would disturb. */
	if (!error && fsync(fd))
		error = -errno;
	return error;
}

/* A small file system, such as a container's 64 MiB /dev/shm, gets smaller files. */
static int fit(uint64_t *size, const char *directory, struct message *message)
{
	struct statfs status;
	uint64_t available;

	if (statfs(directory, &status))
		return fail(message, -errno, directory);
	available = (uint64_t)status.f_bavail * (uint64_t)status.f_bsize;
	while (*size > available / 3)
		*size /= 2;
	if (*size < SMALLEST)
		return fail(message, -ENOSPC, directory);
	return 0;
}

static int check_tmpfs(const char *directory, struct message *message)
{
	struct statfs status;

	if (statfs(directory, &status))
		return fail(message, -errno, directory);
	if (status.f_type == TMPFS_MAGIC)
		return 0;
	snprintf(message->text, sizeof(message->text), "%s is not a tmpfs", directory);
	return -EINVAL;
}

int bench_files_make(struct files *files, enum file_id id, struct message *message)
{
	const uint64_t sizes[FILE_COUNT] = {
		[FILE_CACHED] = CACHED_SIZE,	   [FILE_LARGE] = files->large_size,
		[FILE_FRESH] = WRITTEN_SIZE,	   [FILE_TMPFS] = TMPFS_SIZE,
		[FILE_TMPFS_WRITTEN] = TMPFS_SIZE,
	};
	bool on_tmpfs = id == FILE_TMPFS || id == FILE_TMPFS_WRITTEN;
	const char *directory = on_tmpfs ? files->tmpfs_directory : files->directory;
	struct file *file = &files->files[id];
	int fd, error;

	if (id == FILE_NONE || file->fd >= 0)
		return 0;
	file->size = sizes[id];
	error = on_tmpfs ? check_tmpfs(directory, message) : 0;
	if (!error)
		error = fit(&file->size, directory, message);
	if (error)
		return error;
	fd = make_nameless(directory);
	if (fd < 0)
		return fail(message, fd, directory);
	/* What is written by the workloads gets its contents before each round. */
	if (id != FILE_FRESH && id != FILE_TMPFS_WRITTEN)
		error = fill(fd, file->size, false);
	if (error) {
		close(fd);
		return fail(message, error, "filling a file");
	}
	file->fd = fd;
	return 0;
}

/* Whether the page is to be in the page cache. */
static bool wanted(enum file_state state, size_t page)
{
	return state == STATE_RESIDENT || (state == STATE_MIXED && page % STRETCH < STRETCH_WARM);
}

/* How many of the file's pages are not in the page cache or out of it as they are to be, or an
 * errno. */
static int64_t pages_astray(const struct file *file, enum file_state state)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t count = (size_t)file->size / page;
	unsigned char *map = malloc(count);
	void *pages = mmap(NULL, file->size, PROT_READ, MAP_SHARED, file->fd, 0);
	int64_t astray = 0;

	if (!map || pages == MAP_FAILED) {
		astray = -ENOMEM;
	} else if (mincore(pages, file->size, map)) {
		astray = -errno;
	} else {
		for (size_t i = 0; i < count; i++)
			astray += (map[i] & 1) != wanted(state, i);
	}
	if (pages != MAP_FAILED)
		munmap(pages, file->size);
	free(map);
	return astray;
}

static int read_through(const struct file *file)
{
	char *chunk = malloc(CHUNK);
	int error = chunk ? 0 : -ENOMEM;

	for (uint64_t offset = 0; !error && offset < file->size; offset += CHUNK) {
		if (pread(file->fd, chunk, CHUNK, (off_t)offset) < 0)
			error = -errno;
	}
	free(chunk);
	return error;
}

static int make_resident(const struct file *file, struct message *message)
{
	int error;

	/* Something may have taken a few pages away again since they were last used. */
	if (pages_astray(file, STATE_RESIDENT) == 0)
		return 0;
	error = read_through(file);
	if (error)
		return fail(message, error, "reading the file into the page cache");
	if (pages_astray(file, STATE_RESIDENT) == 0)
		return 0;
	return fail(message, -ENOMEM, "the file does not stay in the page cache");
}

/* Up to one page in a thousand may be where it should not: nobody measures the difference. */
static int check_state(const struct file *file, enum file_state state, struct message *message)
{
	int64_t pages = (int64_t)(file->size / (uint64_t)sysconf(_SC_PAGESIZE));
	int64_t astray = pages_astray(file, state);

	if (astray < 0)
		return fail(message, (int)astray, "mincore");
	if (astray <= pages / 1000)
		return 0;
	snprintf(
		message->text, sizeof(message->text),
		state == STATE_COLD
			? "%lld of the file's %lld pages cannot be dropped from the page cache"
			: "%lld of the file's %lld pages are not cached, or cold, as they should be",
		(long long)astray, (long long)pages);
	return -EBUSY;
}

static int make_cold(const struct file *file, struct message *message)
{
	int error;

	if (fdatasync(file->fd))
		return fail(message, -errno, "fdatasync");
	error = posix_fadvise(file->fd, 0, 0, POSIX_FADV_DONTNEED);
	if (error)
		return fail(message, -error, "posix_fadvise");
	return check_state(file, STATE_COLD, message);
}

/*
 * What is to be cold is dropped and the rest read, stretch by stretch; most of that is there still,
 * from the round before. A description of its own, without readahead: that would fetch what is to
 * stay cold.
 */
static int mix_stretches(const struct file *file)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	int fd = bench_file_reopen(file, O_RDONLY);
	char *buffer = malloc(STRETCH_WARM * page);
	int error = fd < 0 ? fd : buffer ? 0 : -ENOMEM;

	if (!error)
		error = -posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
	for (uint64_t offset = 0; !error && offset < file->size; offset += STRETCH * page) {
		off_t cold = (off_t)(offset + STRETCH_WARM * page);

		if (pread(fd, buffer, STRETCH_WARM * page, (off_t)offset) < 0)
			error = -errno;
		else
			error = -posix_fadvise(fd, cold, (STRETCH - STRETCH_WARM) * page,
					       POSIX_FADV_DONTNEED);
	}
	free(buffer);
	if (fd >= 0)
		close(fd);
	return error;
}

/* Pages that were read together before may only go together: then all of it is dropped first. */
static int make_mixed(const struct file *file, struct message *message)
{
	int error = fdatasync(file->fd) ? -errno : mix_stretches(file);

	if (!error && check_state(file, STATE_MIXED, message)) {
		error = make_cold(file, message);
		if (error)
			return error;
		error = mix_stretches(file);
	}
	if (error)
		return fail(message, error, "reading parts of the file into the page cache");
	return check_state(file, STATE_MIXED, message);
}

int bench_file_prepare(const struct file *file, enum file_state state, struct message *message)
{
	int error;

	switch (state) {
	case STATE_RESIDENT:
		return make_resident(file, message);
	case STATE_COLD:
		return make_cold(file, message);
	case STATE_MIXED:
		return make_mixed(file, message);
	case STATE_EMPTY:
		if (ftruncate(file->fd, 0))
			return fail(message, -errno, "ftruncate");
		return 0;
	case STATE_ZERO:
		error = fill(file->fd, file->size, true);
		return error ? fail(message, error, "filling the file with zeros") : 0;
	}
	return -EINVAL;
}

int bench_file_reopen(const struct file *file, int flags)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", file->fd);
	fd = open(path, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}
