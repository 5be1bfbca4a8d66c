/* SPDX-License-Identifier: MIT */
/*
 * The generator of random programs. See program.h for what keeps their results determined; every
 * rule that serves this end is stated where it is followed.
 */
#include "program.h"

#include "../harness.h"

#include <linux/falloc.h>

/* The state of the generator: pseudo-random numbers and what the program may still do. */
struct generator {
	uint64_t state;
	bool skips;  /* the program uses CQE_SKIP_SUCCESS, which rules drains out */
	bool drains; /* in the batch being made, chains run one after the other */
	bool clean;  /* the chain being made may not fail in preparation */
	bool variable_closed[GROUPS];
	struct batch *batch;
};

/* splitmix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014). */
static uint64_t next_random(struct generator *gen)
{
	uint64_t mixed = gen->state += 0x9e3779b97f4a7c15u;

	mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9u;
	mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
	return mixed ^ (mixed >> 31);
}

/* 0 to limit - 1 */
static unsigned below(struct generator *gen, unsigned limit)
{
	return (unsigned)(next_random(gen) % limit);
}

static bool percent(struct generator *gen, unsigned chance)
{
	return below(gen, 100) < chance;
}

/* ---- parts of a step ---- */

/* Mostly odd and short, sometimes nothing at all, sometimes a few pages. */
static uint32_t random_length(struct generator *gen)
{
	switch (below(gen, 8)) {
	case 0:
		return 0;
	case 1:
		return 4096;
	case 2:
		return below(gen, 8192);
	default:
		return 1 + below(gen, 1500);
	}
}

static int64_t random_offset(struct generator *gen)
{
	switch (below(gen, 20)) {
	case 0:
		return INT64_C(1) << 60; /* beyond what any file system takes */
	case 1:
		return -2;
	case 2:
	case 3:
	case 4:
		return -1; /* the file position */
	case 5:
	case 6:
		return 4096 * (int64_t)below(gen, 6);
	default:
		return below(gen, FILE_RANGE);
	}
}

/* What reads, writes and the like are about: mostly the two files, by number or by slot. */
static enum target random_target(struct generator *gen, const struct step *step)
{
	static const enum target usual[] = {FILE_A,   FILE_A,	FILE_A,	  FILE_B,  FILE_B,
					    SLOT_A,   SLOT_A,	SLOT_B,	  SLOT_B,  DIRECT_0,
					    DIRECT_0, DIRECT_1, VARIABLE, VARIABLE};
	enum target target;

	if (percent(gen, 4))
		return (enum target)(DIRECTORY + below(gen, TARGETS - DIRECTORY));
	target = usual[below(gen, ARRAY_SIZE(usual))];
	/* The number may be another group's file by the time the request runs. */
	if (target == VARIABLE && gen->variable_closed[step->group])
		target = FILE_A;
	return target;
}

static void random_pieces(struct generator *gen, struct step *step)
{
	uint32_t left = step->length;

	step->pieces = 1 + below(gen, VECTOR_MAX);
	for (unsigned i = 0; i < step->pieces; i++) {
		uint32_t piece = i + 1 == step->pieces ? left : below(gen, left + 1);

		step->piece_lengths[i] = piece;
		left -= piece;
	}
	if (percent(gen, 3))
		step->pieces = 0;
}

/* Data must lie in the group's memory; the registered buffers are its halves. */
static void random_memory(struct generator *gen, struct step *step)
{
	step->memory = below(gen, GROUP_MEMORY - step->length + 1);
	if (percent(gen, 70) && step->length <= GROUP_MEMORY / 2)
		step->memory = below(gen, GROUP_MEMORY / 2 - step->length + 1) +
			       below(gen, 2) * (GROUP_MEMORY / 2);
	step->buffer = BUFFER_RIGHT;
	if (!gen->clean && percent(gen, 4))
		step->buffer = percent(gen, 50) ? BUFFER_OF_ANOTHER : BUFFER_BEYOND;
}

static const enum action transfers[] = {
	DO_READ,   DO_READ,	  DO_WRITE,	  DO_WRITE,	  DO_READV,
	DO_WRITEV, DO_READ_FIXED, DO_WRITE_FIXED, DO_READV_FIXED, DO_WRITEV_FIXED,
};

static bool is_write(enum action action)
{
	return action == DO_WRITE || action == DO_WRITEV || action == DO_WRITE_FIXED ||
	       action == DO_WRITEV_FIXED;
}

/*
 * In the group with a file past the page cache most transfers are whole blocks, or they would all
 * be refused; and none is at the file's position, which kernels move or do not move then.
 */
static void make_direct(struct generator *gen, struct step *step)
{
	if (step->offset == -1)
		step->offset = 0;
	if (percent(gen, 25))
		return;
	step->length = (step->length + BLOCK - 1) / BLOCK * BLOCK;
	if (step->offset > 0)
		step->offset -= step->offset % BLOCK;
}

/* A registered buffer's pieces the kernel aligns more strictly than memory's. */
static void make_one_piece(struct step *step)
{
	step->pieces = 1;
	step->piece_lengths[0] = step->length;
}

static void make_transfer(struct generator *gen, struct step *step, enum action action)
{
	step->action = action;
	step->target = random_target(gen, step);
	step->offset = random_offset(gen);
	step->length = random_length(gen);
	if (step->group == DIRECT_GROUP)
		make_direct(gen, step);
	random_memory(gen, step);
	random_pieces(gen, step);
	if (step->group == DIRECT_GROUP) {
		make_one_piece(step);
		if (percent(gen, 75))
			step->memory -= step->memory % BLOCK;
	}
	if (is_write(action) && percent(gen, 10))
		step->flags = percent(gen, 70) ? RWF_APPEND : RWF_DSYNC;
}

/* ---- steps that need more than their defaults ---- */

static void make_nop(struct generator *gen, struct step *step)
{
	static const int results[] = {0, 0, 0, 1, 12345, -EIO, -EAGAIN, -EINVAL};

	step->injected = results[below(gen, ARRAY_SIZE(results))];
}

static void make_range(struct generator *gen, struct step *step)
{
	static const unsigned modes[] = {
		0,
		0,
		FALLOC_FL_KEEP_SIZE,
		FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE,
		FALLOC_FL_ZERO_RANGE,
	};
	static const unsigned advices[] = {
		POSIX_FADV_NORMAL,
		POSIX_FADV_SEQUENTIAL,
		POSIX_FADV_WILLNEED,
		POSIX_FADV_DONTNEED,
		99,
	};

	step->target = random_target(gen, step);
	step->offset = random_offset(gen);
	step->length = random_length(gen);
	if (step->action == DO_FALLOCATE)
		step->flags = modes[below(gen, ARRAY_SIZE(modes))];
	else if (step->action == DO_ADVISE)
		step->flags = advices[below(gen, ARRAY_SIZE(advices))];
	else if (step->action == DO_FSYNC)
		step->flags = percent(gen, 50) ? IORING_FSYNC_DATASYNC : 0;
	else if (step->action == DO_SYNC_RANGE)
		step->flags = percent(gen, 90) ? 2 : 64;
	/* Some of these look at negative offsets in preparation already. */
	if (gen->clean && step->offset < 0)
		step->offset = 0;
}

static void make_open(struct generator *gen, struct step *step)
{
	static const unsigned flags[] = {
		O_RDWR,
		O_RDWR,
		O_RDONLY,
		O_WRONLY,
		O_RDWR | O_CREAT,
		O_RDWR | O_CREAT,
		O_RDWR | O_TRUNC,
		O_RDWR | O_CREAT | O_EXCL,
		O_RDWR | O_APPEND,
		O_RDONLY | O_DIRECTORY,
	};

	step->flags = flags[below(gen, ARRAY_SIZE(flags))];
	if (step->action == DO_OPEN)
		step->flags |= O_CLOEXEC;
	else if (!gen->clean && percent(gen, 3))
		step->flags |= O_CLOEXEC; /* which a slot refuses in preparation */
	step->direct_slot = below(gen, 2);
	if (percent(gen, 4))
		step->direct_slot = 100;
	/* The ring's choice is only determined where one group chooses at a time. */
	if (gen->batch->alloc_group == step->group && percent(gen, 30))
		step->direct_slot = SLOT_ALLOC;
}

static void make_close(struct generator *gen, struct step *step)
{
	step->target = VARIABLE;
	if (percent(gen, 15) || gen->variable_closed[step->group])
		step->target = NOT_OPEN;
	else
		gen->variable_closed[step->group] = true;
}

static void make_close_direct(struct generator *gen, struct step *step)
{
	step->target = (enum target)(DIRECT_0 + below(gen, 2));
	if (percent(gen, 5))
		step->target = NO_SLOT;
}

static void make_update(struct generator *gen, struct step *step)
{
	static const enum target sources[] = {FILE_A, FILE_B, NOT_OPEN, NO_SLOT};

	/* NO_SLOT stands for -1 here: empty the slot. */
	step->target = sources[below(gen, ARRAY_SIZE(sources))];
	step->direct_slot = below(gen, 2);
}

/* ---- any step ---- */

static void mutate(struct generator *gen, struct step *step)
{
	if (gen->clean || !percent(gen, 5))
		return;
	step->mutation = (enum mutation)(1 + below(gen, MUTATIONS - 1));
	/* Reading into a selected buffer is a subject of its own. */
	if (step->mutation == SELECTS_BUFFER &&
	    (step->action == DO_READ || step->action == DO_READV))
		step->mutation = BAD_IOPRIO;
	/* A slot must not be opened, nor a name made, with flags that stand for something else. */
	if (step->mutation == BAD_OP_FLAGS &&
	    (step->action == DO_OPEN || step->action == DO_OPEN_DIRECT))
		step->mutation = BAD_ADDRESS;
}

static enum action random_action(struct generator *gen)
{
	if (percent(gen, 55))
		return transfers[below(gen, ARRAY_SIZE(transfers))];
	if (percent(gen, 25))
		return DO_NOP;
	/* The disk is slow. */
	if (percent(gen, 4))
		return DO_FSYNC;
	return (enum action)(DO_SYNC_RANGE + below(gen, ACTIONS - DO_SYNC_RANGE));
}

static void make_step(struct generator *gen, struct step *step, unsigned group)
{
	enum action action = random_action(gen);

	*step = (struct step){.action = action, .group = group};
	step->name = (enum name)below(gen, NAMES);
	step->other_name = (enum name)below(gen, NAMES);
	switch (action) {
	case DO_NOP:
		make_nop(gen, step);
		break;
	case DO_FSYNC:
	case DO_SYNC_RANGE:
	case DO_FALLOCATE:
	case DO_TRUNCATE:
	case DO_ADVISE:
		make_range(gen, step);
		break;
	case DO_OPEN:
	case DO_OPEN_DIRECT:
		make_open(gen, step);
		break;
	case DO_CLOSE:
		make_close(gen, step);
		break;
	case DO_CLOSE_DIRECT:
		make_close_direct(gen, step);
		break;
	case DO_UPDATE_FILES:
		make_update(gen, step);
		break;
	case DO_UNLINK:
		step->flags = percent(gen, 30) ? AT_REMOVEDIR : 0;
		break;
	case DO_STATX:
	case DO_RENAME:
	case DO_MKDIR:
	case DO_LINK:
	case DO_SYMLINK:
		break;
	default:
		make_transfer(gen, step, action);
		break;
	}
	if (percent(gen, 15))
		step->sqe_flags |= IOSQE_ASYNC;
	mutate(gen, step);
}

/* ---- batches ---- */

/*
 * Link the steps first to last of the batch into one chain. The last one is never silent: its
 * completion, or that of a silent member that has failed, says that the chain has ended.
 */
static void link_chain(struct generator *gen, unsigned first, unsigned last)
{
	for (unsigned i = first; i < last; i++) {
		struct step *step = &gen->batch->steps[i];

		step->sqe_flags |= percent(gen, 60) ? IOSQE_IO_LINK : IOSQE_IO_HARDLINK;
		/* Whether a descriptor was opened or closed must be known: its number is used
		 * again. */
		if (gen->clean && percent(gen, 50) && step->action != DO_OPEN &&
		    step->action != DO_CLOSE)
			step->sqe_flags |= IOSQE_CQE_SKIP_SUCCESS;
	}
	if (gen->drains)
		gen->batch->steps[first].sqe_flags |= IOSQE_IO_DRAIN;
}

static void add_chain(struct generator *gen, unsigned group, unsigned length)
{
	struct batch *batch = gen->batch;
	unsigned first = batch->count;

	/* Preparation errors in silent chains are not worth a model of their own. */
	gen->clean = gen->skips && length > 1 && percent(gen, 60);
	for (unsigned i = 0; i < length; i++)
		make_step(gen, &batch->steps[batch->count++], group);
	link_chain(gen, first, batch->count - 1);
	gen->clean = false;
}

static void make_chains(struct generator *gen, unsigned room)
{
	unsigned first = below(gen, GROUPS);
	unsigned chains = 1 + below(gen, GROUPS);

	for (unsigned i = 0; i < chains && gen->batch->count < room; i++) {
		unsigned length = 1 + below(gen, percent(gen, 60) ? 3 : 8);
		unsigned left = room - gen->batch->count;

		add_chain(gen, (first + i) % GROUPS, length < left ? length : left);
	}
}

static void make_drained(struct generator *gen, unsigned room)
{
	unsigned chains = 1 + below(gen, 10);

	gen->drains = true;
	for (unsigned i = 0; i < chains && gen->batch->count < room; i++) {
		unsigned length = 1 + below(gen, percent(gen, 70) ? 1 : 4);
		unsigned left = room - gen->batch->count;

		add_chain(gen, below(gen, GROUPS), length < left ? length : left);
	}
	gen->drains = false;
}

static enum action random_read(struct generator *gen)
{
	static const enum action reads[] = {DO_READ, DO_READ, DO_READV, DO_READ_FIXED,
					    DO_READV_FIXED};

	return reads[below(gen, ARRAY_SIZE(reads))];
}

/*
 * Neighbouring requests on one file, as a copy makes them: stripe i of the file goes to, or comes
 * from, stripe i of the memory. What is read and written in one batch never overlaps, and the file
 * is long enough before, so that nothing depends on who comes first.
 */
static void make_stripes(struct generator *gen, unsigned room)
{
	unsigned group = below(gen, GROUPS);
	unsigned stripe = percent(gen, 50) ? 1024 : 1 + below(gen, 1300);
	unsigned count = GROUP_MEMORY / stripe < room ? GROUP_MEMORY / stripe : room;
	enum action common = percent(gen, 50) ? DO_READ : DO_WRITE;
	bool mixed = percent(gen, 40);

	count = 1 + below(gen, count < 16 ? count : 16);
	gen->batch->presize = true;
	for (unsigned i = 0; i < count; i++) {
		struct step *step = &gen->batch->steps[gen->batch->count++];

		*step = (struct step){.group = group};
		step->action = mixed ? transfers[below(gen, ARRAY_SIZE(transfers))] : common;
		step->target = percent(gen, 70) ? FILE_A : SLOT_A;
		step->offset = (int64_t)i * stripe;
		step->memory = i * stripe;
		step->length = percent(gen, 85) ? stripe : below(gen, stripe + 1);
		random_pieces(gen, step);
		if (percent(gen, 10))
			step->sqe_flags |= IOSQE_ASYNC;
		if (i + 1 < count && percent(gen, 10))
			step->sqe_flags |= IOSQE_IO_LINK;
	}
}

/* Reads of one file that may overlap in the file, but not in memory; many reach its end. */
static void make_reads(struct generator *gen, unsigned room)
{
	unsigned group = below(gen, GROUPS);
	bool direct = group == DIRECT_GROUP;
	unsigned share = direct ? BLOCK : 1024;
	unsigned count = 1 + below(gen, room < 16 ? room : 16);

	if (count > GROUP_MEMORY / share)
		count = GROUP_MEMORY / share;
	for (unsigned i = 0; i < count; i++) {
		struct step *step = &gen->batch->steps[gen->batch->count++];

		*step = (struct step){.group = group};
		step->action = random_read(gen);
		step->target = percent(gen, 50) ? FILE_A : SLOT_A;
		step->offset = below(gen, FILE_RANGE);
		step->memory = i * share;
		step->length = below(gen, share + 1);
		if (direct) {
			step->target = percent(gen, 50) ? FILE_B : SLOT_B;
			step->offset -= step->offset % BLOCK;
			step->length = BLOCK;
		}
		random_pieces(gen, step);
		if (direct)
			make_one_piece(step);
		if (percent(gen, 20))
			step->sqe_flags |= IOSQE_ASYNC;
	}
}

static void make_batch(struct generator *gen, unsigned room)
{
	unsigned choice = below(gen, 100);

	*gen->batch = (struct batch){.alloc_group = below(gen, GROUPS)};
	memset(gen->variable_closed, 0, sizeof(gen->variable_closed));
	if (choice < 20) {
		gen->batch->kind = BATCH_STRIPES;
		make_stripes(gen, room);
	} else if (choice < 32) {
		gen->batch->kind = BATCH_READS;
		make_reads(gen, room);
	} else if (choice < 55 && !gen->skips) {
		gen->batch->kind = BATCH_DRAINED;
		make_drained(gen, room);
	} else {
		gen->batch->kind = BATCH_CHAINS;
		make_chains(gen, room);
	}
}

void program_generate(struct program *program, uint64_t seed)
{
	static const unsigned setups[] = {
		0,
		0,
		0,
		IORING_SETUP_SUBMIT_ALL,
		IORING_SETUP_SUBMIT_ALL,
		IORING_SETUP_COOP_TASKRUN,
		IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
		IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SUBMIT_ALL,
		IORING_SETUP_SQE128,
		IORING_SETUP_CQE32,
		IORING_SETUP_SQPOLL,
	};
	struct generator gen = {.state = seed};
	unsigned room;

	memset(program, 0, sizeof(*program));
	program->seed = seed;
	program->entries = 4u << below(&gen, 5);
	program->setup_flags = setups[below(&gen, ARRAY_SIZE(setups))];
	for (unsigned i = 0; i < GROUPS; i++)
		for (unsigned j = 0; j < 2; j++)
			program->file_sizes[i][j] =
				below(&gen, percent(&gen, 30) ? 10 : FILE_RANGE);
	gen.skips = percent(&gen, 25);
	room = program->entries < STEPS_MAX ? program->entries : STEPS_MAX;
	program->batch_count = 2 + below(&gen, BATCHES_MAX - 1);
	for (unsigned i = 0; i < program->batch_count; i++) {
		gen.batch = &program->batches[i];
		make_batch(&gen, room);
	}
}
