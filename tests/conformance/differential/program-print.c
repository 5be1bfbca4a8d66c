/* SPDX-License-Identifier: MIT */
/*
 * Programs for people: every request of a random program on a line of its own.
 */
#include "program.h"

#include "../harness.h"

static const char *const action_names[ACTIONS] = {
	[DO_NOP] = "nop",
	[DO_READ] = "read",
	[DO_WRITE] = "write",
	[DO_READV] = "readv",
	[DO_WRITEV] = "writev",
	[DO_READ_FIXED] = "read_fixed",
	[DO_WRITE_FIXED] = "write_fixed",
	[DO_READV_FIXED] = "readv_fixed",
	[DO_WRITEV_FIXED] = "writev_fixed",
	[DO_FSYNC] = "fsync",
	[DO_SYNC_RANGE] = "sync_file_range",
	[DO_FALLOCATE] = "fallocate",
	[DO_TRUNCATE] = "ftruncate",
	[DO_ADVISE] = "fadvise",
	[DO_OPEN] = "openat",
	[DO_OPEN_DIRECT] = "openat_direct",
	[DO_CLOSE] = "close",
	[DO_CLOSE_DIRECT] = "close_direct",
	[DO_STATX] = "statx",
	[DO_RENAME] = "renameat",
	[DO_UNLINK] = "unlinkat",
	[DO_MKDIR] = "mkdirat",
	[DO_LINK] = "linkat",
	[DO_SYMLINK] = "symlinkat",
	[DO_UPDATE_FILES] = "files_update",
};

static const char *const target_names[TARGETS] = {
	[FILE_A] = "A",		 [FILE_B] = "B",
	[SLOT_A] = "slot A",	 [SLOT_B] = "slot B",
	[DIRECT_0] = "direct 0", [DIRECT_1] = "direct 1",
	[VARIABLE] = "variable", [DIRECTORY] = "directory",
	[NOT_OPEN] = "not open", [NO_SLOT] = "no slot",
};

static const char *const mutation_names[MUTATIONS] = {
	[INTACT] = "",
	[BAD_OPCODE] = " BAD-OPCODE",
	[BAD_SQE_FLAG] = " BAD-SQE-FLAG",
	[BAD_IOPRIO] = " BAD-IOPRIO",
	[BAD_BUF_INDEX] = " BAD-BUF-INDEX",
	[BAD_OP_FLAGS] = " BAD-OP-FLAGS",
	[BAD_LAST_FIELD] = " BAD-LAST-FIELD",
	[BAD_PERSONALITY] = " BAD-PERSONALITY",
	[BAD_ADDRESS] = " BAD-ADDRESS",
	[SELECTS_BUFFER] = " SELECTS-BUFFER",
};

const char *program_action_name(enum action action)
{
	return action_names[action];
}

bool program_is_linked(const struct step *step)
{
	return step->sqe_flags & (IOSQE_IO_LINK | IOSQE_IO_HARDLINK);
}

static void print_sqe_flags(FILE *out, unsigned flags)
{
	static const struct {
		unsigned flag;
		const char *name;
	} names[] = {
		{IOSQE_IO_DRAIN, "drain"},	  {IOSQE_IO_LINK, "link"},
		{IOSQE_IO_HARDLINK, "hardlink"},  {IOSQE_ASYNC, "async"},
		{IOSQE_CQE_SKIP_SUCCESS, "skip"},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
		if (flags & names[i].flag)
			fprintf(out, " %s", names[i].name);
}

static void print_step(FILE *out, unsigned number, const struct step *step)
{
	fprintf(out, "    %2u %-15s group %u, %s, name %c, other %c, offset %lld, length %u",
		number, action_names[step->action], step->group, target_names[step->target],
		"abcd"[step->name], "abcd"[step->other_name], (long long)step -> offset,
		step -> length);
	fprintf(out, ", memory %u, buffer %d, flags 0x%x, slot %u", step->memory, (int)step->buffer,
		step->flags, step->direct_slot);
	if (step->action == DO_NOP)
		fprintf(out, ", injects %d", step->injected);
	if (step->pieces) {
		fprintf(out, ", pieces");
		for (unsigned i = 0; i < step->pieces; i++)
			fprintf(out, " %u", step->piece_lengths[i]);
	}
	print_sqe_flags(out, step->sqe_flags);
	fprintf(out, "%s\n", mutation_names[step->mutation]);
}

void program_print(FILE *out, const struct program *program)
{
	static const char *const kinds[] = {
		[BATCH_CHAINS] = "chains",
		[BATCH_STRIPES] = "stripes",
		[BATCH_READS] = "reads",
		[BATCH_DRAINED] = "drained",
	};

	fprintf(out, "program %llu: %u entries, setup flags 0x%x\n",
		(unsigned long long)program->seed, program->entries, program->setup_flags);
	for (unsigned i = 0; i < GROUPS; i++)
		fprintf(out, "  group %u: A has %u bytes, B %u\n", i, program->file_sizes[i][0],
			program->file_sizes[i][1]);
	for (unsigned i = 0; i < program->batch_count; i++) {
		const struct batch *batch = &program->batches[i];

		fprintf(out, "  batch %u: %s, group %u may allocate slots\n", i, kinds[batch->kind],
			batch->alloc_group);
		for (unsigned j = 0; j < batch->count; j++)
			print_step(out, j, &batch->steps[j]);
	}
}
