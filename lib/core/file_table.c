/* SPDX-License-Identifier: MIT */
/* Registered files; file_table.h says what they are. Everything here needs ring->submit_lock. */
#include <asyncring.h>

#include "core.h"

enum { FILES_MAX = 1 << 20, RECENT = 64 };

/* Descriptors duplicated in the current call, so that equal numbers share one duplicate. */
struct recent {
	struct {
		int fd;
		struct file *file; /* a slot's reference keeps it, for the time of the call */
	} seen[RECENT];
};

static struct file **slot_of(struct ring *ring, unsigned slot)
{
	return &ring->files.slots[slot];
}

/* A duplicate of @fd that no other slot shares, because its tag tells of this slot alone. */
static struct file *tagged_file(struct ring *ring, int fd, uint64_t user_data, int *error)
{
	struct completion *tag = asyncring__tag_new(user_data);
	struct file *file;

	if (!tag) {
		*error = -ENOMEM;
		return NULL;
	}
	file = asyncring__file_register(fd, error);
	if (!file) {
		asyncring__free(tag);
		return NULL;
	}
	file->ring = ring;
	file->tag = tag;
	return file;
}

/* A file for the application's descriptor @fd, with a reference; NULL with *error. */
static struct file *file_for(struct ring *ring, int fd, uint64_t tag, struct recent *recent,
			     int *error)
{
	unsigned place = (unsigned)fd % RECENT;
	struct file *file;

	if (!tag && recent && recent->seen[place].file && recent->seen[place].fd == fd)
		return file_get(recent->seen[place].file);
	if (asyncring__ring_is_behind(fd)) {
		*error = -EBADF;
		return NULL;
	}
	if (tag)
		return tagged_file(ring, fd, tag, error);
	file = asyncring__file_register(fd, error);
	if (file && recent) {
		recent->seen[place].fd = fd;
		recent->seen[place].file = file;
	}
	return file;
}

static void empty_slot(struct ring *ring, unsigned slot)
{
	struct file *file = *slot_of(ring, slot);

	if (!file)
		return;
	*slot_of(ring, slot) = NULL;
	ring->files.alloc_hint = slot;
	asyncring__file_put(file);
}

static void fill_slot(struct ring *ring, unsigned slot, struct file *file)
{
	empty_slot(ring, slot);
	*slot_of(ring, slot) = file;
	ring->files.alloc_hint = slot + 1;
}

static void set_alloc_range(struct ring *ring, unsigned start, unsigned length)
{
	ring->files.alloc_start = ring->files.alloc_hint = start;
	ring->files.alloc_end = start + length;
}

static void drop_table(struct ring *ring)
{
	for (unsigned i = 0; i < ring->files.count; i++)
		empty_slot(ring, i);
	asyncring__free(ring->files.slots);
	ring->files = (struct file_table){0};
}

static int read_tag(uint64_t tags, unsigned index, uint64_t *tag)
{
	*tag = 0;
	return tags ? asyncring__copy_in(tag, tags + index * sizeof(*tag), sizeof(*tag)) : 0;
}

static int read_fd(uint64_t fds, unsigned index, int *fd)
{
	return asyncring__copy_in(fd, fds + index * sizeof(*fd), sizeof(*fd));
}

/* On failure nobody learns by a tag that an entry was there. */
static void forget_tags(struct ring *ring)
{
	for (unsigned i = 0; i < ring->files.count; i++) {
		struct file *file = *slot_of(ring, i);

		if (!file)
			continue;
		asyncring__free(file->tag);
		file->tag = NULL;
	}
}

static int register_one(struct ring *ring, unsigned slot, uint64_t fds, uint64_t tags,
			struct recent *recent)
{
	struct file *file;
	uint64_t tag;
	int fd = -1, error;

	error = read_tag(tags, slot, &tag);
	if (!error && fds)
		error = read_fd(fds, slot, &fd);
	if (error)
		return error;
	if (fd == -1)
		return tag ? -EINVAL : 0;
	file = file_for(ring, fd, tag, recent, &error);
	if (file)
		fill_slot(ring, slot, file);
	return error;
}

int asyncring__files_register(struct ring *ring, uint64_t fds, uint64_t tags, unsigned count,
			      bool sparse)
{
	struct recent recent = {0};
	struct rlimit limit;
	int error = 0;

	if (ring->files.slots)
		return -EBUSY;
	if (!count)
		return -EINVAL;
	if (count > FILES_MAX || sys(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &limit) ||
	    count > limit.rlim_cur)
		return -EMFILE;
	ring->files.slots = asyncring__alloc_zeroed(count, sizeof(struct file *));
	if (!ring->files.slots)
		return -ENOMEM;
	ring->files.count = count;
	for (unsigned i = 0; i < count && !error; i++)
		error = register_one(ring, i, sparse ? 0 : fds, tags, &recent);
	if (error) {
		forget_tags(ring);
		drop_table(ring);
		return error;
	}
	set_alloc_range(ring, 0, count);
	return 0;
}

int asyncring__files_unregister(struct ring *ring)
{
	if (!ring->files.slots)
		return -ENXIO;
	drop_table(ring);
	return 0;
}

int asyncring__files_alloc_range(struct ring *ring, uint64_t arg)
{
	struct asyncring_file_index_range range;
	unsigned end;

	if (asyncring__copy_in(&range, arg, sizeof(range)))
		return -EFAULT;
	if (__builtin_add_overflow(range.off, range.len, &end))
		return -EOVERFLOW;
	if (range.resv || end > ring->files.count)
		return -EINVAL;
	set_alloc_range(ring, range.off, range.len);
	return 0;
}

struct file *asyncring__file_table_get(const struct ring *ring, unsigned slot)
{
	return slot < ring->files.count ? ring->files.slots[slot] : NULL;
}

static int find_free_slot(struct ring *ring)
{
	struct file_table *table = &ring->files;
	unsigned length = table->alloc_end - table->alloc_start;
	unsigned hint = table->alloc_hint;

	if (hint < table->alloc_start || hint >= table->alloc_end)
		hint = table->alloc_start;
	for (unsigned i = 0; i < length; i++) {
		unsigned slot = table->alloc_start + (hint - table->alloc_start + i) % length;

		if (!table->slots[slot])
			return (int)slot;
	}
	return -ENFILE;
}

/* The slot that @slot means, or an errno. */
static int choose_slot(struct ring *ring, unsigned slot)
{
	if (slot == FILE_SLOT_ALLOC)
		return ring->files.slots ? find_free_slot(ring) : -ENFILE;
	if (!ring->files.slots)
		return -ENXIO;
	return slot < ring->files.count ? (int)slot : -EINVAL;
}

int asyncring__file_table_install_file(struct ring *ring, struct file *file, unsigned slot)
{
	int chosen = choose_slot(ring, slot);

	if (chosen < 0)
		asyncring__file_put(file);
	else
		fill_slot(ring, (unsigned)chosen, file);
	return chosen;
}

int asyncring__file_table_install(struct ring *ring, int fd, unsigned slot)
{
	int chosen = choose_slot(ring, slot);
	struct file *file;
	int error = 0;

	/* Adopted in any case: only a file knows how to close its descriptor without harm. */
	file = asyncring__file_adopt(fd, &error);
	if (!file)
		return chosen < 0 ? chosen : error;
	if (chosen < 0) {
		asyncring__file_put(file);
		return chosen;
	}
	fill_slot(ring, (unsigned)chosen, file);
	return chosen;
}

int asyncring__file_table_remove(struct ring *ring, unsigned slot)
{
	if (!ring->files.slots)
		return -ENXIO;
	if (slot >= ring->files.count)
		return -EINVAL;
	if (!*slot_of(ring, slot))
		return -EBADF;
	empty_slot(ring, slot);
	return 0;
}

static int update_one(struct ring *ring, unsigned slot, int fd, uint64_t tag, struct recent *recent)
{
	struct file *file;
	int error = 0;

	if (tag && (fd == -1 || fd == ASYNCRING_REGISTER_FILES_SKIP))
		return -EINVAL;
	if (fd == ASYNCRING_REGISTER_FILES_SKIP)
		return 0;
	empty_slot(ring, slot);
	if (fd == -1)
		return 0;
	file = file_for(ring, fd, tag, recent, &error);
	if (file)
		fill_slot(ring, slot, file);
	return error;
}

int asyncring__file_table_update(struct ring *ring, unsigned offset, uint64_t fds, uint64_t tags,
				 unsigned count)
{
	struct recent recent = {0};
	unsigned done, end;
	int error = 0;

	if (__builtin_add_overflow(offset, count, &end))
		return -EOVERFLOW;
	if (!ring->files.slots)
		return -ENXIO;
	if (end > ring->files.count)
		return -EINVAL;
	for (done = 0; done < count; done++) {
		uint64_t tag;
		int fd;

		error = read_tag(tags, done, &tag);
		if (!error)
			error = read_fd(fds, done, &fd);
		/* What a slot held before may be gone with its last slot: no sharing with that. */
		if (!error)
			error = update_one(ring, offset + done, fd, tag, &recent);
		if (error)
			break;
	}
	return done ? (int)done : error;
}

int asyncring__file_table_update_alloc(struct ring *ring, uint64_t fds, unsigned count)
{
	unsigned done;
	int error = 0;

	if (!ring->files.slots)
		return -ENXIO;
	for (done = 0; done < count; done++) {
		struct file *file;
		int fd, slot;

		error = read_fd(fds, done, &fd);
		if (error)
			break;
		file = file_for(ring, fd, 0, NULL, &error);
		if (!file)
			break;
		slot = asyncring__file_table_install_file(ring, file, FILE_SLOT_ALLOC);
		error = slot < 0 ? slot : 0;
		if (!error && asyncring__copy_out(fds + done * sizeof(fd), &slot, sizeof(slot))) {
			empty_slot(ring, (unsigned)slot);
			error = -EFAULT;
		}
		if (error)
			break;
	}
	return done ? (int)done : error;
}
