/* SPDX-License-Identifier: MIT */
/*
 * Runs random programs and writes down what happened. Built twice, against the kernel's io_uring
 * and against asyncring; the two must write the same for the same seed, byte for byte.
 *
 *     executor FIRST COUNT     traces of COUNT programs from seed FIRST on
 *     executor --show SEED     the program of one seed, for people
 *
 * Leaves with 77 where there is no io_uring, with 1 when a completion does not come.
 */
#include "prepare.h"

#include "../harness.h"

static struct program program;
static struct world world;
static struct io_uring ring;
static struct scratch scratch[STEPS_MAX];

/* What is known of a step of the batch in flight. */
static struct {
	bool completed;
	int res;
	unsigned flags;
} outcomes[STEPS_MAX];

static uint64_t user_data_of(unsigned batch, unsigned step)
{
	return ((uint64_t)program.seed << 16) | (batch << 8) | step;
}

/* ---- waiting ---- */

static bool chain_is_silent(const struct batch *batch, unsigned first, unsigned last)
{
	for (unsigned i = first; i <= last; i++)
		if (batch->steps[i].sqe_flags & IOSQE_CQE_SKIP_SUCCESS)
			return true;
	return false;
}

/*
 * A chain without silent members is done when each of them has completed. With some, it is done
 * when the last one, which is never silent, has; or when a silent one has said that it failed and
 * thereby ended the chain, for what it cancels is silent too.
 */
static bool chain_is_done(const struct batch *batch, unsigned first, unsigned last)
{
	bool all = true;

	for (unsigned i = first; i <= last; i++) {
		unsigned flags = batch->steps[i].sqe_flags;

		all = all && outcomes[i].completed;
		if (outcomes[i].completed && (flags & IOSQE_CQE_SKIP_SUCCESS) &&
		    !(flags & IOSQE_IO_HARDLINK))
			return true;
	}
	return chain_is_silent(batch, first, last) ? outcomes[last].completed : all;
}

static bool batch_is_done(const struct batch *batch)
{
	for (unsigned first = 0; first < batch->count;) {
		unsigned last = first;

		while (last + 1 < batch->count && program_is_linked(&batch->steps[last]))
			last++;
		if (!chain_is_done(batch, first, last))
			return false;
		first = last + 1;
	}
	return true;
}

static void take_completion(unsigned batch_number, const struct batch *batch,
			    const struct harness_cqe *cqe)
{
	unsigned step = (unsigned)(cqe->user_data & 0xff);

	if (step >= batch->count || cqe->user_data != user_data_of(batch_number, step) ||
	    outcomes[step].completed) {
		printf("  unexpected: user_data 0x%llx res %d flags 0x%x\n",
		       (unsigned long long)cqe->user_data, cqe->res, cqe->flags);
		return;
	}
	outcomes[step].completed = true;
	outcomes[step].res = cqe->res;
	outcomes[step].flags = cqe->flags;
}

static void take_completions(unsigned batch_number, const struct batch *batch)
{
	struct harness_cqe cqe;

	while (harness_peek(&ring, &cqe))
		take_completion(batch_number, batch, &cqe);
}

static void print_outcome(const struct batch *batch, unsigned number)
{
	const struct step *step = &batch->steps[number];
	const struct statx *status = &scratch[number].status;

	if (!outcomes[number].completed)
		return;
	printf("  %u %s res %d flags 0x%x", number, program_action_name(step->action),
	       outcomes[number].res, outcomes[number].flags);
	if (step->action == DO_STATX && outcomes[number].res == 0)
		printf(" size %llu mode %o links %u", (unsigned long long)status->stx_size,
		       status->stx_mode, status->stx_nlink);
	putchar('\n');
}

/* What has come so far says most about what has not. */
static void give_up(const struct batch *batch, int error)
{
	printf("  waiting: %d\n", error);
	for (unsigned i = 0; i < batch->count; i++)
		print_outcome(batch, i);
	fflush(stdout);
	world_destroy(&world);
	exit(1);
}

static void wait_for_batch(unsigned batch_number, const struct batch *batch)
{
	while (!batch_is_done(batch)) {
		struct __kernel_timespec limit = harness_deadline();
		struct io_uring_cqe *cqe;
		int ret = io_uring_wait_cqe_timeout(&ring, &cqe, &limit);

		if (ret && ret != -EINTR)
			give_up(batch, ret);
		take_completions(batch_number, batch);
	}
	/* Whatever else there is would be one too many. */
	io_uring_enter((unsigned)ring.ring_fd, 0, 0, IORING_ENTER_GETEVENTS, NULL);
	take_completions(batch_number, batch);
}

/* ---- one batch ---- */

static void submit_batch(unsigned batch_number, const struct batch *batch)
{
	for (unsigned i = 0; i < batch->count; i++) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

		memset(sqe, 0, program.setup_flags & IORING_SETUP_SQE128 ? 128 : 64);
		prepare_step(sqe, &batch->steps[i], &world, &scratch[i]);
		sqe->user_data = user_data_of(batch_number, i);
	}
	printf("  submitted");
	/* An entry that fails in preparation ends the call, unless SUBMIT_ALL is set. */
	do {
		int ret = io_uring_submit(&ring);

		printf(" %d", ret);
		if (ret <= 0 || (program.setup_flags & IORING_SETUP_SQPOLL))
			break;
	} while (io_uring_sq_ready(&ring));
	putchar('\n');
	/* The SQ thread may not have looked at the entries yet. */
	if (!(program.setup_flags & IORING_SETUP_SQPOLL))
		for (unsigned i = 0; i < batch->count; i++)
			prepare_scribble(&scratch[i]);
}

/* Descriptors that the batch has closed or opened. The numbers themselves are nobody's business. */
static void follow_variables(const struct batch *batch)
{
	for (unsigned i = 0; i < batch->count; i++)
		if (batch->steps[i].action == DO_CLOSE && batch->steps[i].target == VARIABLE &&
		    outcomes[i].completed && outcomes[i].res == 0)
			world.variable[batch->steps[i].group] = -1;
	for (unsigned i = 0; i < batch->count; i++) {
		int *variable = &world.variable[batch->steps[i].group];

		if (batch->steps[i].action != DO_OPEN || !outcomes[i].completed ||
		    outcomes[i].res < 0)
			continue;
		if (*variable >= 0)
			close(*variable);
		*variable = outcomes[i].res;
		outcomes[i].res = 0;
	}
}

static void print_groups(const struct batch *batch)
{
	bool touched[GROUPS] = {false};

	for (unsigned i = 0; i < batch->count; i++)
		touched[batch->steps[i].group] = true;
	for (unsigned i = 0; i < GROUPS; i++)
		if (touched[i])
			world_print_group(stdout, &world, i);
}

static int run_batch(unsigned batch_number)
{
	const struct batch *batch = &program.batches[batch_number];
	unsigned first_free = world_slot(batch->alloc_group, 2);
	int ret = io_uring_register_file_alloc_range(&ring, first_free, 2);

	printf(" batch %u\n", batch_number);
	memset(outcomes, 0, sizeof(outcomes));
	world_fill_memory(&world, program.seed * 16 + batch_number);
	if (!ret && batch->presize)
		ret = ftruncate(world.files[batch->steps[0].group][0], FILE_RANGE) ? -errno : 0;
	if (ret)
		return ret;
	submit_batch(batch_number, batch);
	wait_for_batch(batch_number, batch);
	follow_variables(batch);
	for (unsigned i = 0; i < batch->count; i++)
		print_outcome(batch, i);
	print_groups(batch);
	return 0;
}

/* ---- one program ---- */

static int set_up_ring(void)
{
	struct io_uring_params params = {.flags = program.setup_flags, .sq_thread_idle = 50};
	int ret = io_uring_queue_init_params(program.entries, &ring, &params);

	if (ret == -ENOSYS || ret == -EPERM || ret == -EACCES) {
		fprintf(stderr, "skipped: no io_uring here (%s)\n", strerror(-ret));
		exit(HARNESS_SKIPPED);
	}
	return ret;
}

static int run_program(uint64_t seed)
{
	int ret;

	program_generate(&program, seed);
	printf("seed %llu\n", (unsigned long long)seed);
	ret = set_up_ring();
	if (ret)
		return ret;
	ret = world_create(&world, &program);
	if (!ret)
		ret = world_register(&world, &ring);
	for (unsigned i = 0; !ret && i < program.batch_count; i++)
		ret = run_batch(i);
	for (unsigned i = 0; !ret && i < GROUPS; i++)
		world_print_group(stdout, &world, i);
	io_uring_queue_exit(&ring);
	world_destroy(&world);
	return ret;
}

int main(int argc, char **argv)
{
	uint64_t first, count;

	if (argc == 3 && strcmp(argv[1], "--show") == 0) {
		program_generate(&program, strtoull(argv[2], NULL, 0));
		program_print(stdout, &program);
		return 0;
	}
	if (argc != 3) {
		fprintf(stderr, "usage: %s FIRST COUNT | --show SEED\n", argv[0]);
		return 2;
	}
	first = strtoull(argv[1], NULL, 0);
	count = strtoull(argv[2], NULL, 0);
	umask(022);
	for (uint64_t seed = first; seed < first + count; seed++) {
		int ret = run_program(seed);

		if (ret)
			printf("failed: %d\n", ret);
		fflush(stdout);
	}
	return 0;
}
