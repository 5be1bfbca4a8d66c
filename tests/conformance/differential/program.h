/* SPDX-License-Identifier: MIT */
/*
 * Random programs for the differential run: what a seed stands for.
 *
 * A program is a sequence of batches, each submitted by one call and waited for before the next.
 * It is made from its seed alone, before anything runs, and says everything in terms of the world
 * that world.h builds: groups of files, slots and memory. It touches nothing and may be used by any
 * thread.
 *
 * The results of a program are determined, whatever the order in which requests are carried out:
 * requests that are in flight together either belong to different groups, or to disjoint ranges of
 * one file, or do nothing but read; everything else is put in order by links or drains.
 */
#ifndef DIFFERENTIAL_PROGRAM_H
#define DIFFERENTIAL_PROGRAM_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define GROUPS	     6
#define BATCHES_MAX  6
#define STEPS_MAX    48
#define VECTOR_MAX   4
#define GROUP_MEMORY 16384 /* bytes of memory that belong to a group */
#define DIRECT_GROUP 2	   /* its second file is opened with O_DIRECT */
#define BLOCK	     4096  /* what such transfers are aligned to */
#define FILE_RANGE   24000 /* ordinary offsets are below this */

enum action {
	DO_NOP,
	DO_READ,
	DO_WRITE,
	DO_READV,
	DO_WRITEV,
	DO_READ_FIXED,
	DO_WRITE_FIXED,
	DO_READV_FIXED,
	DO_WRITEV_FIXED,
	DO_FSYNC,
	DO_SYNC_RANGE,
	DO_FALLOCATE,
	DO_TRUNCATE,
	DO_ADVISE,
	DO_OPEN,
	DO_OPEN_DIRECT,
	DO_CLOSE,
	DO_CLOSE_DIRECT,
	DO_STATX,
	DO_RENAME,
	DO_UNLINK,
	DO_MKDIR,
	DO_LINK,
	DO_SYMLINK,
	DO_UPDATE_FILES,
	ACTIONS
};

/* What a request is about: a descriptor or a slot of its group, or something that is neither. */
enum target {
	FILE_A,
	FILE_B,
	SLOT_A, /* the same two files as registered files */
	SLOT_B,
	DIRECT_0, /* slots that requests open and close */
	DIRECT_1,
	VARIABLE, /* the descriptor that DO_OPEN and DO_CLOSE of an earlier batch have left */
	DIRECTORY,
	NOT_OPEN, /* a number nobody has */
	NO_SLOT,  /* a slot beyond the table */
	TARGETS
};

/* The names of a group. A and B exist at the start, as files. */
enum name { NAME_A, NAME_B, NAME_C, NAME_D, NAMES };

/* Which registered buffer a fixed request names. */
enum buffer { BUFFER_RIGHT, BUFFER_OF_ANOTHER, BUFFER_BEYOND };

/* What is wrong with a request on purpose. */
enum mutation {
	INTACT,
	BAD_OPCODE,
	BAD_SQE_FLAG,
	BAD_IOPRIO,
	BAD_BUF_INDEX,
	BAD_OP_FLAGS,
	BAD_LAST_FIELD,
	BAD_PERSONALITY,
	BAD_ADDRESS,
	SELECTS_BUFFER,
	MUTATIONS
};

#define SLOT_ALLOC 2 /* value of direct_slot that lets the ring choose */

struct step {
	enum action action;
	enum target target;
	enum name name;
	enum name other_name;
	enum buffer buffer;
	enum mutation mutation;
	unsigned group;
	unsigned sqe_flags;   /* IOSQE_* */
	unsigned flags;	      /* of the operation: open flags, RWF_*, fallocate mode, advice ... */
	unsigned direct_slot; /* for DO_OPEN_DIRECT: 0, 1, SLOT_ALLOC, more: beyond the table */
	int64_t offset;
	uint32_t length;
	uint32_t memory; /* where in the group's memory the data is */
	int injected;	 /* DO_NOP: the result */
	unsigned pieces; /* of vectored requests */
	uint32_t piece_lengths[VECTOR_MAX];
};

enum batch_kind {
	BATCH_CHAINS,  /* chains of different groups */
	BATCH_STRIPES, /* disjoint ranges of one file */
	BATCH_READS,   /* reads of one file, anywhere */
	BATCH_DRAINED, /* one chain after the other */
};

struct batch {
	enum batch_kind kind;
	unsigned alloc_group; /* whose slots a SLOT_ALLOC may take */
	bool presize;	      /* make the striped file as long as FILE_RANGE first */
	unsigned count;
	struct step steps[STEPS_MAX];
};

struct program {
	uint64_t seed;
	unsigned entries;
	unsigned setup_flags; /* IORING_SETUP_* */
	unsigned file_sizes[GROUPS][2];
	unsigned batch_count;
	struct batch batches[BATCHES_MAX];
};

/* Fill in the program of this seed. */
void program_generate(struct program *program, uint64_t seed);

/* Write it out, one line a request, for people. */
void program_print(FILE *out, const struct program *program);

/* A word for an action, as it stands in traces. */
const char *program_action_name(enum action action);

/* Is the step followed by another one of its chain? */
bool program_is_linked(const struct step *step);

#endif /* DIFFERENTIAL_PROGRAM_H */
