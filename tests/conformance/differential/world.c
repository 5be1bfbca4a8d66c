/* SPDX-License-Identifier: MIT */
/*
 * Building, describing and tearing down the world of a random program. Everything here is done by
 * plain system calls: it must be right for the traces to mean anything.
 */
#include "world.h"

#include "../harness.h"

static const char *const names[GROUPS][NAMES] = {
	{"0a", "0b", "0c", "0d"}, {"1a", "1b", "1c", "1d"}, {"2a", "2b", "2c", "2d"},
	{"3a", "3b", "3c", "3d"}, {"4a", "4b", "4c", "4d"}, {"5a", "5b", "5c", "5d"},
};

/* How the second file of each group is opened. The first can do everything. */
static const int second_flags[GROUPS] = {
	O_RDWR, O_RDWR, O_RDWR | O_DIRECT, O_RDWR | O_APPEND, O_RDONLY, O_WRONLY,
};

const char *world_name(unsigned group, enum name name)
{
	return names[group][name];
}

unsigned world_slot(unsigned group, unsigned slot)
{
	return group * SLOTS_PER_GROUP + slot;
}

unsigned char *world_group_memory(const struct world *world, unsigned group)
{
	return world->memory + (size_t)group * GROUP_MEMORY;
}

void world_fill_memory(struct world *world, uint64_t pattern)
{
	for (size_t i = 0; i < (size_t)GROUPS * GROUP_MEMORY; i++)
		world->memory[i] = harness_byte((size_t)pattern + i * 5);
}

/* A file of this size under the name, opened with these flags. */
static int make_file(const struct world *world, const char *name, unsigned size, int flags)
{
	static unsigned char content[FILE_RANGE];
	int fd = openat(world->directory, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);
	ssize_t written;

	if (fd < 0)
		return -errno;
	for (unsigned i = 0; i < size; i++)
		content[i] = harness_byte(i + (size_t)(unsigned char)name[0] * 977 +
					  (size_t)(unsigned char)name[1] * 131);
	written = write(fd, content, size);
	close(fd);
	if (written != (ssize_t)size)
		return -EIO;
	fd = openat(world->directory, name, flags | O_CLOEXEC);
	/* Not every file system has it. */
	if (fd < 0 && flags & O_DIRECT)
		fd = openat(world->directory, name, (flags & ~O_DIRECT) | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int world_create(struct world *world, const struct program *program)
{
	memset(world, 0, sizeof(*world));
	snprintf(world->path, sizeof(world->path), "%s/asyncring-test-XXXXXX", harness_base_dir());
	if (!mkdtemp(world->path))
		return -errno;
	world->directory = open(world->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (world->directory < 0)
		return -errno;
	for (unsigned i = 0; i < GROUPS; i++) {
		for (unsigned j = 0; j < 2; j++) {
			int flags = j ? second_flags[i] : O_RDWR;
			int fd = make_file(world, names[i][j], program->file_sizes[i][j], flags);

			if (fd < 0)
				return fd;
			world->files[i][j] = fd;
		}
		world->variable[i] = openat(world->directory, names[i][NAME_A], O_RDWR | O_CLOEXEC);
	}
	world->memory = aligned_alloc(BLOCK, (size_t)GROUPS * GROUP_MEMORY);
	return world->memory ? 0 : -ENOMEM;
}

int world_register(struct world *world, struct io_uring *ring)
{
	int slots[GROUPS * SLOTS_PER_GROUP];
	struct iovec buffers[GROUPS * 2];
	int ret;

	for (unsigned i = 0; i < GROUPS; i++) {
		for (unsigned j = 0; j < SLOTS_PER_GROUP; j++)
			slots[world_slot(i, j)] = j < 3 ? world->files[i][j % 2] : -1;
		for (unsigned j = 0; j < 2; j++) {
			buffers[2 * i + j].iov_base =
				world_group_memory(world, i) + j * (GROUP_MEMORY / 2);
			buffers[2 * i + j].iov_len = GROUP_MEMORY / 2;
		}
	}
	ret = io_uring_register_files(ring, slots, ARRAY_SIZE(slots));
	return ret ? ret : io_uring_register_buffers(ring, buffers, ARRAY_SIZE(buffers));
}

void world_destroy(struct world *world)
{
	for (unsigned i = 0; i < GROUPS; i++) {
		close(world->files[i][0]);
		close(world->files[i][1]);
		if (world->variable[i] >= 0)
			close(world->variable[i]);
	}
	close(world->directory);
	harness_remove_tree(world->path);
	free(world->memory);
}

/* ---- description ---- */

/* FNV-1a (Fowler, Noll, Vo), 64 bits. */
static uint64_t hash_bytes(uint64_t hash, const unsigned char *bytes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		hash = (hash ^ bytes[i]) * 0x100000001b3u;
	return hash;
}

#define HASH_START 0xcbf29ce484222325u

/* The hash of a file's content; of an unreadable or huge one there is none. */
static uint64_t hash_file(int fd)
{
	static unsigned char block[65536];
	uint64_t hash = HASH_START;
	off_t offset = 0;
	ssize_t got;

	while (offset < 1 << 20 && (got = pread(fd, block, sizeof(block), offset)) > 0) {
		hash = hash_bytes(hash, block, (size_t)got);
		offset += got;
	}
	return offset ? hash : 0;
}

static void print_link(FILE *out, const struct world *world, const char *name)
{
	char text[16];
	ssize_t len = readlinkat(world->directory, name, text, sizeof(text));

	fprintf(out, " %s -> %.*s", name, (int)(len > 0 ? len : 0), text);
}

static void print_name(FILE *out, const struct world *world, const char *name)
{
	struct stat status;
	int fd;

	if (fstatat(world->directory, name, &status, AT_SYMLINK_NOFOLLOW))
		return;
	if (S_ISLNK(status.st_mode)) {
		print_link(out, world, name);
		return;
	}
	fprintf(out, " %s %o/%u", name, (unsigned)status.st_mode, (unsigned)status.st_nlink);
	if (!S_ISREG(status.st_mode))
		return;
	fd = openat(world->directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	fprintf(out, " %lld:%016llx", (long long)status.st_size,
		(unsigned long long)(fd < 0 ? 0 : hash_file(fd)));
	if (fd >= 0)
		close(fd);
}

/* The open files too: their names may have gone. */
static void print_file(FILE *out, int fd)
{
	struct stat status;

	if (fstat(fd, &status))
		return;
	fprintf(out, " (%lld:%016llx at %lld)", (long long)status.st_size,
		(unsigned long long)hash_file(fd), (long long)lseek(fd, 0, SEEK_CUR));
}

void world_print_group(FILE *out, const struct world *world, unsigned group)
{
	const unsigned char *memory = world_group_memory(world, group);

	fprintf(out, "  group %u: memory %016llx;", group,
		(unsigned long long)hash_bytes(HASH_START, memory, GROUP_MEMORY));
	for (unsigned i = 0; i < NAMES; i++)
		print_name(out, world, names[group][i]);
	print_file(out, world->files[group][0]);
	print_file(out, world->files[group][1]);
	if (world->variable[group] >= 0)
		print_file(out, world->variable[group]);
	fputc('\n', out);
}
