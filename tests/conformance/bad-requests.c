/* SPDX-License-Identifier: MIT */
/*
 * Description: every operation with each field of the SQE that it does not use set to something,
 * and with flags that do not exist. One table says what the kernel answers.
 */
#include "ops_helpers.h"

#include <linux/openat2.h>
#include <sys/xattr.h>

#ifndef IORING_OP_READV_FIXED
#define IORING_OP_READV_FIXED  60
#define IORING_OP_WRITEV_FIXED 61
#endif

enum { NEW_FD = INT_MAX }; /* as an expected result */

/* Things for valid requests to work on; most of it is made anew for every request. */
struct stage {
	struct ops *ops;
	struct io_uring target; /* for messages */
	int file;		/* open, with the attribute "user.a"; also registered in slot 0 */
	int in[2], out[2];	/* pipes; four bytes are in the first */
	char path[PATH_MAX + 8];
	char buffer[64]; /* registered as buffer 0 */
	char *page;
	struct iovec vector;
	struct open_how how;
	struct statx status;
	int slots[2];
};

/* ---- one valid request of each operation --------------------------------------------------- */

static void valid_nop(struct stage *stage, struct io_uring_sqe *sqe)
{
	(void)stage;
	io_uring_prep_nop(sqe);
}

static void valid_read(struct stage *stage, struct io_uring_sqe *sqe)
{
	io_uring_prep_read(sqe, stage->file, stage->buffer, 8, 0);
}

static void valid_write(struct stage *stage, struct io_uring_sqe *sqe)
{
	io_uring_prep_write(sqe, stage->file, stage->buffer, 8, 0);
}

static void valid_readv(struct stage *stage, struct io_uring_sqe *sqe)
{
	io_uring_prep_readv(sqe, stage->file, &stage->vector, 1, 0);
}

static void valid_writev(struct stage *stage, struct io_uring_sqe *sqe)
{
	io_uring_prep_writev(sqe, stage->file, &stage->vector, 1, 0);
}

static void valid_read_fixed(struct stage *stage, struct io_uring_sqe *sqe)
{
	io_uring_prep_read_fixed(sqe, stage->file, stage->buffer, 8, 0, 0);
}

static void valid_write_fixed(struct stage *stage, struct io_uring_sqe *sqe)
{
	io_uring_prep_write_fixed(sqe, stage->file, stage->buffer, 8, 0, 0);
}

static void valid_readv_fixed(struct stage *stage, struct io_uring_sqe *sqe)
{
	io_uring_prep_readv_fixed(sqe, stage->file, &stage->vector, 1, 0, 0, 0);
}

static void valid_writev_fixed(struct stage *stage, struct io_uring_sqe *sqe)
{
	io_uring_prep_writev_fixed(sqe, stage->file, &stage->vector, 1, 0, 0, 0);
}

static void valid_fsync(struct stage *stage, struct io_uring_sqe *sqe)
{
	io_uring_prep_fsync(sqe, stage->file, IORING_FSYNC_DATASYNC);
}

static void valid_sync_file_range(struct stage *stage, struct io_uring_sqe *sqe)
{
	io_uring_prep_sync_file_range(sqe, stage->file, 0, 0, 0);
}

static void valid_fallocate(struct stage *stage, struct io_uring_sqe *sqe)
{
	io_uring_prep_fallocate(sqe, stage->file, 0, 0, 4096);
}

static void valid_ftruncate(struct stage *stage, struct io_uring_sqe *sqe)
{
	io_uring_prep_ftruncate(sqe, stage->file, 100);
}

static void valid_fadvise(struct stage *stage, struct io_uring_sqe *sqe)
{
	io_uring_prep_fadvise(sqe, stage->file, 0, 0, POSIX_FADV_NORMAL);
}

static void valid_madvise(struct stage *stage, struct io_uring_sqe *sqe)
{
	io_uring_prep_madvise(sqe, stage->page, 4096, MADV_NORMAL);
}

static void valid_openat(struct stage *stage, struct io_uring_sqe *sqe)
{
	io_uring_prep_openat(sqe, stage->ops->dir, "file", O_RDONLY | O_CLOEXEC, 0);
}

static void valid_openat2(struct stage *stage, struct io_uring_sqe *sqe)
{
	io_uring_prep_openat2(sqe, stage->ops->dir, "file", &stage->how);
}

static void valid_close(struct stage *stage, struct io_uring_sqe *sqe)
{
	io_uring_prep_close(sqe, stage->out[0]);
}

static void valid_statx(struct stage *stage, struct io_uring_sqe *sqe)
{
	io_uring_prep_statx(sqe, stage->ops->dir, "file", 0, STATX_SIZE, &stage->status);
}

static void valid_renameat(struct stage *stage, struct io_uring_sqe *sqe)
{
	int dir = stage->ops->dir;

	io_uring_prep_renameat(sqe, dir, "file", dir, "new", 0);
}

static void valid_unlinkat(struct stage *stage, struct io_uring_sqe *sqe)
{
	io_uring_prep_unlinkat(sqe, stage->ops->dir, "file", 0);
}

static void valid_mkdirat(struct stage *stage, struct io_uring_sqe *sqe)
{
	io_uring_prep_mkdirat(sqe, stage->ops->dir, "new", 0700);
}

static void valid_symlinkat(struct stage *stage, struct io_uring_sqe *sqe)
{
	io_uring_prep_symlinkat(sqe, "target", stage->ops->dir, "new");
}

static void valid_linkat(struct stage *stage, struct io_uring_sqe *sqe)
{
	int dir = stage->ops->dir;

	io_uring_prep_linkat(sqe, dir, "file", dir, "new", 0);
}

static void valid_fsetxattr(struct stage *stage, struct io_uring_sqe *sqe)
{
	io_uring_prep_fsetxattr(sqe, stage->file, "user.b", "x", 0, 1);
}

static void valid_setxattr(struct stage *stage, struct io_uring_sqe *sqe)
{
	io_uring_prep_setxattr(sqe, "user.b", "x", stage->path, 0, 1);
}

static void valid_fgetxattr(struct stage *stage, struct io_uring_sqe *sqe)
{
	io_uring_prep_fgetxattr(sqe, stage->file, "user.a", stage->buffer, 8);
}

static void valid_getxattr(struct stage *stage, struct io_uring_sqe *sqe)
{
	io_uring_prep_getxattr(sqe, "user.a", stage->buffer, stage->path, 8);
}

static void valid_splice(struct stage *stage, struct io_uring_sqe *sqe)
{
	io_uring_prep_splice(sqe, stage->in[0], -1, stage->out[1], -1, 4, 0);
}

static void valid_tee(struct stage *stage, struct io_uring_sqe *sqe)
{
	io_uring_prep_tee(sqe, stage->in[0], stage->out[1], 4, 0);
}

static void valid_files_update(struct stage *stage, struct io_uring_sqe *sqe)
{
	io_uring_prep_files_update(sqe, stage->slots, 1, 1);
}

static void valid_fixed_fd_install(struct stage *stage, struct io_uring_sqe *sqe)
{
	(void)stage;
	io_uring_prep_fixed_fd_install(sqe, 0, 0);
}

static void valid_cancel(struct stage *stage, struct io_uring_sqe *sqe)
{
	(void)stage;
	io_uring_prep_cancel64(sqe, 4711, 0);
}

static void valid_msg_ring(struct stage *stage, struct io_uring_sqe *sqe)
{
	io_uring_prep_msg_ring(sqe, stage->target.ring_fd, 5, 6, 0);
}

/* ---- the table ----------------------------------------------------------------------------- */

/*
 * What happens when one more field of the valid request is set, of these: ioprio, fd, off, addr,
 * len, the operation's flags (rw_flags and its aliases), buf_index, file_index, addr3, and the
 * attribute mask, which is the last eight bytes.
 *
 *	E	refused when it is prepared: -EINVAL, and the submit ends there
 *	e	refused when it runs: -EINVAL, and the submit goes on
 *	.	ignored: the request gives what it gives without
 *	-	the operation uses the field; its own test is elsewhere
 */
struct row {
	const char *name;
	void (*prepare)(struct stage *stage, struct io_uring_sqe *sqe);
	int want; /* of the valid request */
	const char *answers;
};

enum { FIELDS = 10 };

static const char *const field_names[FIELDS] = {
	"ioprio",	    "fd",	 "off",	       "addr",	"len",
	"flags (rw_flags)", "buf_index", "file_index", "addr3", "attribute mask",
};

/* clang-format off */
#define ROW(name, want, answers) {#name, valid_##name, want, answers}

static const struct row rows[] = {
	/*                              pri fd  off adr len flg buf idx ad3 msk */
	ROW(nop,              0,       "E   .   .   .   .   E   .   .   .   ."),
	ROW(read,             8,       "E   -   -   -   -   -   .   .   .   E"),
	ROW(write,            8,       "E   -   -   -   -   -   .   .   .   E"),
	ROW(readv,            8,       "E   -   -   -   -   -   .   .   .   E"),
	ROW(writev,           8,       "E   -   -   -   -   -   .   .   .   E"),
	ROW(read_fixed,       8,       "E   -   -   -   -   -   -   .   .   E"),
	ROW(write_fixed,      8,       "E   -   -   -   -   -   -   .   .   E"),
	ROW(readv_fixed,      8,       "E   -   -   -   -   -   -   .   .   E"),
	ROW(writev_fixed,     8,       "E   -   -   -   -   -   -   .   .   E"),
	ROW(fsync,            0,       "E   -   -   E   -   E   E   E   .   ."),
	ROW(sync_file_range,  0,       "E   -   -   E   -   e   E   E   .   ."),
	ROW(fallocate,        0,       "E   -   -   -   -   E   E   E   .   ."),
	ROW(ftruncate,        0,       "E   -   -   E   E   E   E   E   E   ."),
	ROW(fadvise,          0,       "E   -   -   -   -   e   E   E   .   ."),
	ROW(madvise,          0,       "E   .   -   -   -   e   E   E   .   ."),
	ROW(openat,           NEW_FD,  "E   -   .   -   -   -   E   -   .   ."),
	ROW(openat2,          NEW_FD,  "E   -   -   -   -   .   E   -   .   ."),
	ROW(close,            0,       "E   -   E   E   E   E   E   -   .   ."),
	ROW(statx,            0,       "E   -   -   -   -   e   E   E   .   ."),
	ROW(renameat,         0,       "E   -   -   -   -   e   E   E   .   ."),
	ROW(unlinkat,         0,       "E   -   E   -   E   E   E   E   .   ."),
	ROW(mkdirat,          0,       "E   -   E   -   -   E   E   E   .   ."),
	ROW(symlinkat,        0,       "E   -   -   -   E   E   E   E   .   ."),
	ROW(linkat,           0,       "E   -   -   -   -   e   E   E   .   ."),
	ROW(fsetxattr,        0,       "E   -   -   -   -   E   .   .   .   ."),
	ROW(setxattr,         0,       "E   .   -   -   -   E   .   .   -   ."),
	ROW(fgetxattr,        1,       "E   -   -   -   -   E   .   .   .   ."),
	ROW(getxattr,         1,       "E   .   -   -   -   E   .   .   -   ."),
	ROW(splice,           4,       "E   -   -   -   -   E   .   -   .   ."),
	ROW(tee,              4,       "E   -   E   E   -   E   .   -   .   ."),
	ROW(files_update,     1,       "E   .   -   -   -   E   .   E   .   ."),
	ROW(fixed_fd_install, NEW_FD,  "E   -   E   E   E   E   E   E   E   ."),
	ROW(cancel,           -ENOENT, "E   .   E   -   .   E   .   E   .   ."),
	ROW(msg_ring,         0,       "E   -   -   -   -   E   E   e   e   ."),
};

#undef ROW
/* clang-format on */

static char answer_for(const struct row *row, unsigned field)
{
	const char *answer = row->answers;

	for (;; answer++) {
		if (*answer == ' ')
			continue;
		assert_int_not_equal(*answer, '\0');
		if (field-- == 0)
			return *answer;
	}
}

static void set_field(struct io_uring_sqe *sqe, unsigned field)
{
	switch (field) {
	case 0:
		sqe->ioprio = 1;
		break;
	case 1:
		sqe->fd = 100000;
		break;
	case 2:
		sqe->off = 1;
		break;
	case 3:
		sqe->addr = 1;
		break;
	case 4:
		sqe->len = 1;
		break;
	case 5:
		sqe->rw_flags |= 0x40000000;
		break;
	case 6:
		sqe->buf_index = 1;
		break;
	case 7:
		sqe->file_index = 1;
		break;
	case 8:
		sqe->addr3 = 1;
		break;
	case 9:
		/* The last eight bytes, where reads and writes now have a mask of attributes. */
		memset((char *)sqe + 56, 0, 8);
		((char *)sqe)[56] = 2;
		break;
	}
}

/* ---- running it ---------------------------------------------------------------------------- */

static void open_stage(struct stage *stage, struct ops *ops)
{
	int files[2];

	memset(stage, 0, sizeof(*stage));
	stage->ops = ops;
	stage->file = ops_create(ops, "file", "0123456789");
	snprintf(stage->path, sizeof(stage->path), "%s/file", ops->path);
	if (fsetxattr(stage->file, "user.a", "1", 1, 0))
		skip(); /* a file system without user attributes */
	assert_int_equal(pipe2(stage->in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(stage->out, O_CLOEXEC), 0);
	assert_int_equal(write(stage->in[1], "abcd", 4), 4);
	stage->vector = (struct iovec){stage->buffer, 8};
	stage->how.flags = O_RDONLY | O_CLOEXEC;
	stage->slots[0] = -1;
	stage->page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(stage->page, MAP_FAILED);
	harness_init(&stage->target, 4, 0);
	files[0] = stage->file;
	files[1] = -1;
	assert_int_equal(io_uring_register_files(&ops->ring, files, 2), 0);
	assert_int_equal(io_uring_register_buffers(&ops->ring, &stage->vector, 1), 0);
}

static void close_stage(struct stage *stage)
{
	struct ops *ops = stage->ops;

	assert_int_equal(io_uring_unregister_buffers(&ops->ring), 0);
	assert_int_equal(io_uring_unregister_files(&ops->ring), 0);
	io_uring_queue_exit(&stage->target);
	munmap(stage->page, 4096);
	harness_close_pipe(stage->in);
	harness_close_pipe(stage->out); /* CLOSE may have closed one end already */
	close(stage->file);
	unlinkat(ops->dir, "new", AT_REMOVEDIR);
	unlinkat(ops->dir, "new", 0);
	unlinkat(ops->dir, "file", 0);
}

/* Returns the result; ended tells whether the submit ended at the request. */
static int submit_before_a_nop(struct io_uring *ring, struct io_uring_sqe *sqe, bool *ended)
{
	int results[2];
	int consumed;

	sqe->user_data = 0;
	ops_prep(ring, 1, 0, nop);
	consumed = io_uring_submit(ring);
	*ended = consumed == 1;
	if (*ended)
		consumed += io_uring_submit(ring);
	assert_int_equal(consumed, 2);
	ops_collect(ring, results, 2);
	assert_int_equal(results[1], 0);
	return results[0];
}

static bool is_wanted(int res, int want)
{
	return want == NEW_FD ? res >= 0 : res == want;
}

static void check_row(struct ops *ops, const struct row *row, int field)
{
	char answer = field < 0 ? '.' : answer_for(row, (unsigned)field);
	struct stage stage;
	struct io_uring_sqe *sqe;
	bool ended;
	int res, want;

	if (answer == '-')
		return;
	want = answer == '.' ? row->want : -EINVAL;
	open_stage(&stage, ops);
	sqe = harness_sqe(&ops->ring);
	row->prepare(&stage, sqe);
	if (field >= 0)
		set_field(sqe, (unsigned)field);
	res = submit_before_a_nop(&ops->ring, sqe, &ended);
	if (!is_wanted(res, want) || ended != (answer == 'E')) {
		print_error("%s with %s: %d%s, but the table says '%c'\n", row->name,
			    field < 0 ? "nothing" : field_names[field], res,
			    ended ? " (the submit ended)" : "", answer);
		fail();
	}
	if (row->want == NEW_FD && res >= 0)
		close(res);
	close_stage(&stage);
}

static void the_valid_requests_are_valid(void **state)
{
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
		check_row(*state, &rows[i], -1);
}

static void unused_fields_are_answered_as_the_table_says(void **state)
{
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		for (int field = 0; field < FIELDS; field++)
			check_row(*state, &rows[i], field);
	}
}

/* ---- what is the same for all -------------------------------------------------------------- */

/* One request with something done to it, which must be refused with this error at preparation. */
static void check_refused(struct ops *ops, const struct row *row, unsigned flags,
			  unsigned personality, int want)
{
	struct stage stage;
	struct io_uring_sqe *sqe;
	bool ended;
	int res;

	open_stage(&stage, ops);
	sqe = harness_sqe(&ops->ring);
	row->prepare(&stage, sqe);
	sqe->flags |= flags;
	sqe->personality = (uint16_t)personality;
	res = submit_before_a_nop(&ops->ring, sqe, &ended);
	if (res != want || !ended) {
		print_error("%s with flags 0x%x, personality %u: %d, not %d\n", row->name, flags,
			    personality, res, want);
		fail();
	}
	close_stage(&stage);
}

static void an_unknown_flag_is_refused(void **state)
{
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
		check_refused(*state, &rows[i], 1 << 7, 0, -EINVAL);
}

static void an_unknown_personality_is_refused(void **state)
{
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
		check_refused(*state, &rows[i], 0, 4711, -EINVAL);
}

/* Buffers can be selected for reading only (for what this test knows). */
static void buffer_selection_is_refused(void **state)
{
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		if (rows[i].prepare != valid_read && rows[i].prepare != valid_readv)
			check_refused(*state, &rows[i], IOSQE_BUFFER_SELECT, 0, -EOPNOTSUPP);
	}
}

static void unknown_opcodes_are_refused(void **state)
{
	static const unsigned opcodes[] = {100, 128, 200, 254, 255};
	struct ops *ops = *state;

	for (unsigned i = 0; i < ARRAY_SIZE(opcodes); i++) {
		struct io_uring_sqe *sqe = harness_sqe(&ops->ring);
		bool ended;

		sqe->opcode = (uint8_t)opcodes[i];
		assert_int_equal(submit_before_a_nop(&ops->ring, sqe, &ended), -EINVAL);
		assert_true(ended);
	}
}

/* Where several things are wrong, the first to be looked at is the answer. */
static void the_opcode_comes_before_the_flags(void **state)
{
	struct ops *ops = *state;
	struct io_uring_sqe *sqe = harness_sqe(&ops->ring);
	bool ended;

	sqe->opcode = 200;
	sqe->flags = IOSQE_BUFFER_SELECT;
	assert_int_equal(submit_before_a_nop(&ops->ring, sqe, &ended), -EINVAL);
	sqe = harness_sqe(&ops->ring);
	sqe->flags = IOSQE_BUFFER_SELECT;
	sqe->ioprio = 1;
	assert_int_equal(submit_before_a_nop(&ops->ring, sqe, &ended), -EOPNOTSUPP);
	sqe = harness_sqe(&ops->ring);
	sqe->flags = IOSQE_BUFFER_SELECT | 1 << 7;
	assert_int_equal(submit_before_a_nop(&ops->ring, sqe, &ended), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ops_dir_test(the_valid_requests_are_valid),
		ops_dir_test(unused_fields_are_answered_as_the_table_says),
		ops_dir_test(an_unknown_flag_is_refused),
		ops_dir_test(an_unknown_personality_is_refused),
		ops_dir_test(buffer_selection_is_refused),
		ops_test(unknown_opcodes_are_refused),
		ops_test(the_opcode_comes_before_the_flags),
	};

	return harness_run(tests);
}
