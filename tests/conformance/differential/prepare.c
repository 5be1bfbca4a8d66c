/* SPDX-License-Identifier: MIT */
/*
 * From a step of a random program to a submission queue entry: one function for each family of
 * operations, and the deliberate damage at the end.
 */
#include "prepare.h"

#include "../harness.h"

/* The descriptor or slot number of the step's target; *slot says which of the two it is. */
static int target_number(const struct step *step, const struct world *world, bool *slot)
{
	*slot = false;
	switch (step->target) {
	case FILE_A:
	case FILE_B:
		return world->files[step->group][step->target - FILE_A];
	case SLOT_A:
	case SLOT_B:
	case DIRECT_0:
	case DIRECT_1:
		*slot = true;
		return (int)world_slot(step->group, step->target - SLOT_A);
	case VARIABLE:
		return world->variable[step->group];
	case DIRECTORY:
		return world->directory;
	case NO_SLOT:
		*slot = true;
		return 500;
	default:
		return 1000000;
	}
}

static int buffer_index(const struct step *step)
{
	if (step->buffer == BUFFER_BEYOND)
		return 2 * GROUPS;
	return (int)(2 * step->group + step->memory / (GROUP_MEMORY / 2) +
		     (step->buffer == BUFFER_OF_ANOTHER ? 2 : 0));
}

static void prepare_transfer(struct io_uring_sqe *sqe, const struct step *step,
			     const struct world *world, struct scratch *scratch, int fd)
{
	unsigned char *data = world_group_memory(world, step->group) + step->memory;
	__u64 offset = (__u64)step->offset;
	int flags = (int)step->flags;
	int index = buffer_index(step);

	for (unsigned i = 0, done = 0; i < step->pieces; done += step->piece_lengths[i++])
		scratch->vector[i] = (struct iovec){data + done, step->piece_lengths[i]};
	switch (step->action) {
	case DO_READ:
		io_uring_prep_read(sqe, fd, data, step->length, offset);
		break;
	case DO_WRITE:
		io_uring_prep_write(sqe, fd, data, step->length, offset);
		break;
	case DO_READ_FIXED:
		io_uring_prep_read_fixed(sqe, fd, data, step->length, offset, index);
		break;
	case DO_WRITE_FIXED:
		io_uring_prep_write_fixed(sqe, fd, data, step->length, offset, index);
		break;
	case DO_READV:
		io_uring_prep_readv2(sqe, fd, scratch->vector, step->pieces, offset, 0);
		break;
	case DO_WRITEV:
		io_uring_prep_writev2(sqe, fd, scratch->vector, step->pieces, offset, 0);
		break;
	case DO_READV_FIXED:
		io_uring_prep_readv_fixed(sqe, fd, scratch->vector, step->pieces, offset, 0, index);
		break;
	default:
		io_uring_prep_writev_fixed(sqe, fd, scratch->vector, step->pieces, offset, 0,
					   index);
		break;
	}
	sqe->rw_flags = flags;
}

static void prepare_range(struct io_uring_sqe *sqe, const struct step *step, int fd)
{
	off_t offset = (off_t)step->offset;

	switch (step->action) {
	case DO_FSYNC:
		io_uring_prep_fsync(sqe, fd, step->flags);
		sqe->off = (__u64)step->offset;
		sqe->len = step->length;
		break;
	case DO_SYNC_RANGE:
		io_uring_prep_sync_file_range(sqe, fd, step->length, (__u64)offset,
					      (int)step->flags);
		break;
	case DO_FALLOCATE:
		io_uring_prep_fallocate(sqe, fd, (int)step->flags, offset, step->length);
		break;
	case DO_TRUNCATE:
		io_uring_prep_ftruncate(sqe, fd, offset);
		break;
	default:
		io_uring_prep_fadvise(sqe, fd, (__u64)offset, step->length, (int)step->flags);
		break;
	}
}

static void prepare_open(struct io_uring_sqe *sqe, const struct step *step,
			 const struct world *world, const struct scratch *scratch)
{
	unsigned slot = step->direct_slot;

	io_uring_prep_openat(sqe, world->directory, scratch->name, (int)step->flags, 0644);
	if (step->action == DO_OPEN)
		return;
	if (slot == SLOT_ALLOC)
		sqe->file_index = IORING_FILE_INDEX_ALLOC;
	else
		sqe->file_index = 1 + (slot < 2 ? world_slot(step->group, 2 + slot) : slot);
}

static void prepare_path(struct io_uring_sqe *sqe, const struct step *step,
			 const struct world *world, struct scratch *scratch)
{
	int dir = world->directory;

	switch (step->action) {
	case DO_STATX:
		io_uring_prep_statx(sqe, dir, scratch->name, 0, STATX_BASIC_STATS,
				    &scratch->status);
		break;
	case DO_RENAME:
		io_uring_prep_renameat(sqe, dir, scratch->name, dir, scratch->other_name, 0);
		break;
	case DO_UNLINK:
		io_uring_prep_unlinkat(sqe, dir, scratch->name, (int)step->flags);
		break;
	case DO_MKDIR:
		io_uring_prep_mkdirat(sqe, dir, scratch->name, 0755);
		break;
	case DO_LINK:
		io_uring_prep_linkat(sqe, dir, scratch->name, dir, scratch->other_name, 0);
		break;
	default:
		io_uring_prep_symlinkat(sqe, scratch->name, dir, scratch->other_name);
		break;
	}
}

static void prepare_close(struct io_uring_sqe *sqe, const struct step *step, int number)
{
	if (step->action == DO_CLOSE)
		io_uring_prep_close(sqe, number);
	else
		io_uring_prep_close_direct(sqe, (unsigned)number);
}

static void prepare_update(struct io_uring_sqe *sqe, const struct step *step, int fd,
			   struct scratch *scratch)
{
	scratch->files[0] = step->target == NO_SLOT ? -1 : fd;
	io_uring_prep_files_update(sqe, scratch->files, 1,
				   (int)world_slot(step->group, 2 + step->direct_slot));
}

static void prepare_action(struct io_uring_sqe *sqe, const struct step *step,
			   const struct world *world, struct scratch *scratch)
{
	bool slot;
	int number = target_number(step, world, &slot);

	switch (step->action) {
	case DO_NOP:
		io_uring_prep_nop(sqe);
		sqe->nop_flags = IORING_NOP_INJECT_RESULT;
		sqe->len = (__u32)step->injected;
		return;
	case DO_OPEN:
	case DO_OPEN_DIRECT:
		prepare_open(sqe, step, world, scratch);
		return;
	case DO_CLOSE:
	case DO_CLOSE_DIRECT:
		prepare_close(sqe, step, number);
		return;
	case DO_UPDATE_FILES:
		prepare_update(sqe, step, number, scratch);
		return;
	case DO_STATX:
	case DO_RENAME:
	case DO_UNLINK:
	case DO_MKDIR:
	case DO_LINK:
	case DO_SYMLINK:
		prepare_path(sqe, step, world, scratch);
		return;
	case DO_FSYNC:
	case DO_SYNC_RANGE:
	case DO_FALLOCATE:
	case DO_TRUNCATE:
	case DO_ADVISE:
		prepare_range(sqe, step, number);
		break;
	default:
		prepare_transfer(sqe, step, world, scratch, number);
		break;
	}
	if (slot)
		sqe->flags |= IOSQE_FIXED_FILE;
}

static void damage(struct io_uring_sqe *sqe, enum mutation mutation)
{
	switch (mutation) {
	case BAD_OPCODE:
		sqe->opcode = 200;
		break;
	case BAD_SQE_FLAG:
		sqe->flags |= 1u << 7;
		break;
	case BAD_IOPRIO:
		sqe->ioprio = 0xffff;
		break;
	case BAD_BUF_INDEX:
		sqe->buf_index = 99;
		break;
	case BAD_OP_FLAGS:
		sqe->rw_flags = 0x40000000;
		break;
	case BAD_LAST_FIELD:
		sqe->splice_fd_in = 0x7fff0000;
		break;
	case BAD_PERSONALITY:
		sqe->personality = 77;
		break;
	case BAD_ADDRESS:
		sqe->addr = 8;
		break;
	case SELECTS_BUFFER:
		sqe->flags |= IOSQE_BUFFER_SELECT;
		break;
	default:
		break;
	}
}

void prepare_step(struct io_uring_sqe *sqe, const struct step *step, const struct world *world,
		  struct scratch *scratch)
{
	memset(scratch, 0, sizeof(*scratch));
	snprintf(scratch->name, sizeof(scratch->name), "%s", world_name(step->group, step->name));
	snprintf(scratch->other_name, sizeof(scratch->other_name), "%s",
		 world_name(step->group, step->other_name));
	prepare_action(sqe, step, world, scratch);
	sqe->flags |= (__u8)step->sqe_flags;
	damage(sqe, step->mutation);
}

void prepare_scribble(struct scratch *scratch)
{
	memset(scratch->vector, 0xff, sizeof(scratch->vector));
	memset(scratch->name, 0xff, sizeof(scratch->name));
	memset(scratch->other_name, 0xff, sizeof(scratch->other_name));
}
