/* SPDX-License-Identifier: MIT */
/*
 * Description: what a request points to, other than its data, may be gone when submit returns:
 * iovecs, paths, open_how, names and values of attributes. (IORING_FEAT_SUBMIT_STABLE.)
 *
 * Every operation is tried in all the ways in which it may start late: behind a drain, in a chain
 * and in a worker. Its arguments lie in memory that is unmapped after the submit.
 */
#include "ops_helpers.h"

#include <linux/openat2.h>
#include <sys/xattr.h>

enum { SCRATCH = 1 << 16 };

/* What the operations work on, made anew for each of them. */
struct scene {
	struct ops *ops;
	int fd;	       /* of "file", which holds 100 bytes of the pattern */
	char *scratch; /* arguments go here */
	size_t used;
	char data[64]; /* data goes here, and stays */
	struct statx status;
};

static void *keep(struct scene *scene, const void *bytes, size_t size)
{
	char *copy = scene->scratch + scene->used;

	assert_true(scene->used + size <= SCRATCH);
	memcpy(copy, bytes, size);
	scene->used += (size + 15) & ~(size_t)15;
	return copy;
}

static char *text(struct scene *scene, const char *string)
{
	return keep(scene, string, strlen(string) + 1);
}

/* The full name of the file, for the operations that take no directory. */
static char *full_path(struct scene *scene)
{
	char path[PATH_MAX + 8];

	snprintf(path, sizeof(path), "%s/file", scene->ops->path);
	return text(scene, path);
}

static struct iovec *vectors(struct scene *scene)
{
	struct iovec two[] = {{scene->data, 10}, {scene->data + 32, 10}};

	return keep(scene, two, sizeof(two));
}

/* ---- the operations ------------------------------------------------------------------------ */

static void prepare_readv(struct scene *scene, struct io_uring_sqe *sqe)
{
	io_uring_prep_readv(sqe, scene->fd, vectors(scene), 2, 50);
}

static void check_readv(struct scene *scene)
{
	ops_assert_pattern(scene->data, 10, 50);
	ops_assert_pattern(scene->data + 32, 10, 60);
}

static void prepare_writev(struct scene *scene, struct io_uring_sqe *sqe)
{
	memcpy(scene->data, "ten bytes.", 10);
	memcpy(scene->data + 32, "ten more..", 10);
	io_uring_prep_writev(sqe, scene->fd, vectors(scene), 2, 0);
}

static void check_writev(struct scene *scene)
{
	char back[20];

	assert_int_equal(pread(scene->fd, back, 20, 0), 20);
	assert_memory_equal(back, "ten bytes.ten more..", 20);
}

/* With registered buffers the vector is what may go; the buffer is the scene's data. */
static void prepare_readv_fixed(struct scene *scene, struct io_uring_sqe *sqe)
{
	io_uring_prep_readv_fixed(sqe, scene->fd, vectors(scene), 2, 50, 0, 0);
}

static void prepare_writev_fixed(struct scene *scene, struct io_uring_sqe *sqe)
{
	memcpy(scene->data, "ten bytes.", 10);
	memcpy(scene->data + 32, "ten more..", 10);
	io_uring_prep_writev_fixed(sqe, scene->fd, vectors(scene), 2, 0, 0, 0);
}

static void prepare_openat(struct scene *scene, struct io_uring_sqe *sqe)
{
	io_uring_prep_openat(sqe, scene->ops->dir, text(scene, "new"), O_RDWR | O_CREAT, 0600);
}

static void check_new(struct scene *scene)
{
	assert_true(ops_exists(scene->ops, "new"));
}

static void prepare_openat2(struct scene *scene, struct io_uring_sqe *sqe)
{
	struct open_how how = {.flags = O_RDWR | O_CREAT, .mode = 0600, .resolve = RESOLVE_BENEATH};

	io_uring_prep_openat2(sqe, scene->ops->dir, text(scene, "new"),
			      keep(scene, &how, sizeof(how)));
}

static void prepare_statx(struct scene *scene, struct io_uring_sqe *sqe)
{
	io_uring_prep_statx(sqe, scene->ops->dir, text(scene, "file"), 0, STATX_SIZE,
			    &scene->status);
}

static void check_statx(struct scene *scene)
{
	assert_int_equal(scene->status.stx_size, 100);
}

static void prepare_renameat(struct scene *scene, struct io_uring_sqe *sqe)
{
	int dir = scene->ops->dir;

	io_uring_prep_renameat(sqe, dir, text(scene, "file"), dir, text(scene, "new"), 0);
}

static void prepare_unlinkat(struct scene *scene, struct io_uring_sqe *sqe)
{
	io_uring_prep_unlinkat(sqe, scene->ops->dir, text(scene, "file"), 0);
}

static void check_unlinkat(struct scene *scene)
{
	assert_false(ops_exists(scene->ops, "file"));
}

static void prepare_mkdirat(struct scene *scene, struct io_uring_sqe *sqe)
{
	io_uring_prep_mkdirat(sqe, scene->ops->dir, text(scene, "new"), 0700);
}

static void prepare_symlinkat(struct scene *scene, struct io_uring_sqe *sqe)
{
	io_uring_prep_symlinkat(sqe, text(scene, "target"), scene->ops->dir, text(scene, "new"));
}

static void prepare_linkat(struct scene *scene, struct io_uring_sqe *sqe)
{
	int dir = scene->ops->dir;

	io_uring_prep_linkat(sqe, dir, text(scene, "file"), dir, text(scene, "new"), 0);
}

static void prepare_fsetxattr(struct scene *scene, struct io_uring_sqe *sqe)
{
	io_uring_prep_fsetxattr(sqe, scene->fd, text(scene, "user.set"), text(scene, "value"), 0,
				5);
}

static void prepare_setxattr(struct scene *scene, struct io_uring_sqe *sqe)
{
	io_uring_prep_setxattr(sqe, text(scene, "user.set"), text(scene, "value"), full_path(scene),
			       0, 5);
}

static void check_set_attribute(struct scene *scene)
{
	char value[8];

	assert_int_equal(fgetxattr(scene->fd, "user.set", value, 8), 5);
	assert_memory_equal(value, "value", 5);
}

static void prepare_fgetxattr(struct scene *scene, struct io_uring_sqe *sqe)
{
	io_uring_prep_fgetxattr(sqe, scene->fd, text(scene, "user.get"), scene->data, 8);
}

static void prepare_getxattr(struct scene *scene, struct io_uring_sqe *sqe)
{
	io_uring_prep_getxattr(sqe, text(scene, "user.get"), scene->data, full_path(scene), 8);
}

static void check_got_attribute(struct scene *scene)
{
	assert_memory_equal(scene->data, "got", 3);
}

enum { A_DESCRIPTOR = INT_MAX }; /* as an expected result */

struct operation {
	const char *name;
	void (*prepare)(struct scene *scene, struct io_uring_sqe *sqe);
	void (*check)(struct scene *scene);
	int want;
};

static const struct operation operations[] = {
	{"readv", prepare_readv, check_readv, 20},
	{"writev", prepare_writev, check_writev, 20},
	{"readv_fixed", prepare_readv_fixed, check_readv, 20},
	{"writev_fixed", prepare_writev_fixed, check_writev, 20},
	{"openat", prepare_openat, check_new, A_DESCRIPTOR},
	{"openat2", prepare_openat2, check_new, A_DESCRIPTOR},
	{"statx", prepare_statx, check_statx, 0},
	{"renameat", prepare_renameat, check_new, 0},
	{"unlinkat", prepare_unlinkat, check_unlinkat, 0},
	{"mkdirat", prepare_mkdirat, check_new, 0},
	{"symlinkat", prepare_symlinkat, check_new, 0},
	{"linkat", prepare_linkat, check_new, 0},
};

static const struct operation attribute_operations[] = {
	{"fsetxattr", prepare_fsetxattr, check_set_attribute, 0},
	{"setxattr", prepare_setxattr, check_set_attribute, 0},
	{"fgetxattr", prepare_fgetxattr, check_got_attribute, 3},
	{"getxattr", prepare_getxattr, check_got_attribute, 3},
};

/* ---- the ways to start late ---------------------------------------------------------------- */

static void open_scene(struct scene *scene, struct ops *ops)
{
	unsigned char pattern[100];

	memset(scene, 0, sizeof(*scene));
	scene->ops = ops;
	for (size_t i = 0; i < sizeof(pattern); i++)
		pattern[i] = harness_byte(i);
	scene->fd = ops_create(ops, "file", "");
	assert_int_equal(write(scene->fd, pattern, sizeof(pattern)), sizeof(pattern));
	scene->scratch =
		mmap(NULL, SCRATCH, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(scene->scratch, MAP_FAILED);
}

static void close_scene(struct scene *scene)
{
	close(scene->fd);
	unlinkat(scene->ops->dir, "new", AT_REMOVEDIR);
	unlinkat(scene->ops->dir, "new", 0);
	unlinkat(scene->ops->dir, "file", 0);
}

/* Behind a pending read, which the caller releases after the submit, or with flags alone. */
static void run_late(struct ops *ops, const struct operation *operation, unsigned gate_flags,
		     unsigned flags)
{
	bool gated = gate_flags || flags & IOSQE_IO_DRAIN;
	struct scene scene;
	struct iovec whole = {scene.data, sizeof(scene.data)};
	struct io_uring_sqe *sqe;
	int results[2];
	int gate[2];
	char byte;

	open_scene(&scene, ops);
	assert_int_equal(io_uring_register_buffers(&ops->ring, &whole, 1), 0);
	harness_pipe(gate);
	if (gated)
		ops_prep(&ops->ring, 1, gate_flags, read, gate[0], &byte, 1, 0);
	sqe = harness_sqe(&ops->ring);
	operation->prepare(&scene, sqe);
	sqe->flags |= flags;
	sqe->user_data = 0;
	harness_submit(&ops->ring, gated ? 2 : 1);
	assert_int_equal(munmap(scene.scratch, SCRATCH), 0);
	assert_int_equal(write(gate[1], "x", 1), 1);
	ops_collect(&ops->ring, results, gated ? 2 : 1);

	if (operation->want == A_DESCRIPTOR && results[0] >= 0) {
		close(results[0]);
	} else if (results[0] != operation->want) {
		print_error("%s with flags 0x%x behind 0x%x: %d\n", operation->name, flags,
			    gate_flags, results[0]);
		fail();
	}
	operation->check(&scene);
	harness_close_pipe(gate);
	assert_int_equal(io_uring_unregister_buffers(&ops->ring), 0);
	close_scene(&scene);
}

static void for_all_operations(struct ops *ops, unsigned gate_flags, unsigned flags)
{
	for (unsigned i = 0; i < ARRAY_SIZE(operations); i++)
		run_late(ops, &operations[i], gate_flags, flags);
}

static void behind_a_drain(void **state)
{
	for_all_operations(*state, 0, IOSQE_IO_DRAIN);
}

static void behind_a_soft_link(void **state)
{
	for_all_operations(*state, IOSQE_IO_LINK, 0);
}

static void behind_a_hard_link_in_a_worker(void **state)
{
	for_all_operations(*state, IOSQE_IO_HARDLINK, IOSQE_ASYNC);
}

static void in_a_worker(void **state)
{
	for_all_operations(*state, 0, IOSQE_ASYNC);
}

static void straight_away(void **state)
{
	for_all_operations(*state, 0, 0);
}

/* The same for attributes, where the file system has them. */
static void attributes(void **state)
{
	static const struct {
		unsigned gate_flags, flags;
	} ways[] = {
		{0, 0},
		{0, IOSQE_ASYNC},
		{0, IOSQE_IO_DRAIN},
		{IOSQE_IO_LINK, 0},
		{IOSQE_IO_HARDLINK, IOSQE_ASYNC},
	};
	struct ops *ops = *state;

	for (unsigned i = 0; i < ARRAY_SIZE(ways); i++) {
		for (unsigned k = 0; k < ARRAY_SIZE(attribute_operations); k++) {
			int fd = ops_create(ops, "file", "");

			if (fsetxattr(fd, "user.get", "got", 3, 0) && errno == EOPNOTSUPP) {
				close(fd);
				skip();
			}
			close(fd);
			run_late(ops, &attribute_operations[k], ways[i].gate_flags, ways[i].flags);
		}
	}
}

/* A vector of a read that waits for data, in the poller. */
static void while_it_is_polled(void **state)
{
	struct ops *ops = *state;
	struct iovec *vector =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char a[2], b[16];
	int fds[2];

	assert_ptr_not_equal(vector, MAP_FAILED);
	vector[0] = (struct iovec){a, sizeof(a)};
	vector[1] = (struct iovec){b, sizeof(b)};
	harness_pipe(fds);
	ops_prep(&ops->ring, 1, 0, readv, fds[0], vector, 2, 0);
	harness_submit(&ops->ring, 1);
	munmap(vector, 4096);
	assert_int_equal(write(fds[1], "abcde", 5), 5);
	ops_expect(&ops->ring, 1, 5);
	assert_memory_equal(a, "ab", 2);
	assert_memory_equal(b, "cde", 3);
	harness_close_pipe(fds);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ops_dir_test(straight_away),
		ops_dir_test(in_a_worker),
		ops_dir_test(behind_a_drain),
		ops_dir_test(behind_a_soft_link),
		ops_dir_test(behind_a_hard_link_in_a_worker),
		ops_dir_test(attributes),
		ops_test(while_it_is_polled),
	};

	return harness_run(tests);
}
