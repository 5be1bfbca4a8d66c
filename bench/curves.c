/* SPDX-License-Identifier: MIT */
#include "curves.h"

#include <stdio.h>
#include <string.h>

#include "network.h"

/* Points have fewer rounds than cells of the tables: longer ones. */
#define SHARE_OF_SECONDS 2

struct plan {
	const char *name;
	const char *title;
	const char *like; /* the workload that is done */
	const char *x_label;
	unsigned count;
	unsigned depths[POINTS_MAX];
};

#define DEPTHS                                                                                     \
	.x_label = "operations in flight", .count = 8, .depths = {1, 2, 4, 8, 16, 32, 64, 128}
#define CONNECTIONS .x_label = "connections", .count = 5, .depths = {1, 10, 100, 1000, 10000}

static const struct plan plans[] = {
	{
		.name = "cached-random-depth",
		.title = "Cached random 4 KiB reads",
		.like = "cached-random-d32",
		DEPTHS,
	},
	{
		.name = "cold-random-depth",
		.title = "Cold buffered random 4 KiB reads",
		.like = "cold-random-d32",
		DEPTHS,
	},
	{
		.name = "direct-random-depth",
		.title = "O_DIRECT random 4 KiB reads",
		.like = "direct-random-d32",
		DEPTHS,
	},
	{
		.name = "write-sequential-depth",
		.title = "Buffered sequential 4 KiB writes that extend a file",
		.like = "write-sequential-d32",
		DEPTHS,
	},
	{
		.name = "echo-unix-connections",
		.title = "64-byte messages echoed, UNIX stream sockets",
		.like = "echo-unix-64",
		CONNECTIONS,
	},
	{
		.name = "echo-tcp-connections",
		.title = "64-byte messages echoed, TCP over loopback",
		.like = "echo-tcp-64",
		CONNECTIONS,
	},
};

#define PLANS (sizeof(plans) / sizeof(plans[0]))

/* The plan of a curve, or NULL where somebody else measures it. */
static const struct plan *plan_of(const struct curve *curve)
{
	for (unsigned i = 0; i < PLANS; i++) {
		if (strcmp(plans[i].name, curve->name) == 0)
			return &plans[i];
	}
	return NULL;
}

static struct workload workload_of(const struct plan *plan, unsigned depth)
{
	const struct workload *workload = bench_workloads;
	struct workload changed;

	while (strcmp(workload->name, plan->like) != 0)
		workload++;
	changed = *workload;
	changed.depth = depth;
	return changed;
}

static bool applies(const struct column *column, const struct workload *workload)
{
	return !column->absent && bench_workload_fits(workload, column->engine);
}

void bench_curves_choose(struct run *run)
{
	if (!run->options->curve_rounds)
		return;
	for (unsigned i = 0; i < PLANS; i++) {
		if (!bench_options_choose(run->options->workloads, plans[i].name))
			continue;
		run->curves[run->curve_count++] = (struct curve){
			.name = plans[i].name,
			.title = plans[i].title,
			.x_label = plans[i].x_label,
			.y_label = "operations per second",
			.x_log = true,
			.y_log = true,
		};
	}
}

static unsigned steps_of(const struct run *run, const struct plan *plan)
{
	const struct workload workload = workload_of(plan, 1);
	unsigned engines = 0;

	for (unsigned i = 0; i < run->column_count; i++)
		engines += applies(&run->columns[i], &workload);
	return engines * plan->count * run->options->curve_rounds;
}

unsigned bench_curves_steps(const struct run *run)
{
	unsigned steps = 0;

	for (unsigned i = 0; i < run->curve_count; i++) {
		const struct plan *plan = plan_of(&run->curves[i]);

		if (plan)
			steps += steps_of(run, plan);
	}
	return steps;
}

/*
 * An engine that fails here has no point at this depth: whether it can carry the workload out at
 * all is told by the table's row.
 */
static void run_turn(const struct run *run, struct curve *curve, const struct cell *cell,
		     struct progress *progress)
{
	struct measurement measurement;
	char what[64];

	snprintf(what, sizeof(what), "%s %u, round %u of %u", curve->x_label, cell->workload->depth,
		 cell->round + 1, run->options->curve_rounds);
	bench_progress_step(progress, curve->name, cell->engine->name, what);
	bench_cell_measure(cell, &measurement);
	if (!measurement.error)
		bench_curve_add(curve, cell->engine->name, cell->workload->depth,
				(double)measurement.operations / measurement.seconds);
}

static void run_point(const struct run *run, struct curve *curve, const struct workload *workload,
		      const struct file *file, struct progress *progress)
{
	for (unsigned round = 0; round < run->options->curve_rounds; round++) {
		for (unsigned turn = 0; turn < run->column_count; turn++) {
			const struct column *column =
				&run->columns[(turn + round) % run->column_count];
			const struct cell cell = {
				.engine = column->engine,
				.workload = workload,
				.file = file,
				.round = round,
				.seconds = run->options->seconds * SHARE_OF_SECONDS,
			};

			if (applies(column, workload))
				run_turn(run, curve, &cell, progress);
		}
	}
}

/* More connections than the process may have are left out. */
static bool possible(const struct workload *workload)
{
	struct message message;

	return !(SUPPORTS(workload->kind) & SUPPORTS_CONNECTIONS) ||
	       !bench_network_possible(workload, &message);
}

static void run_curve(const struct run *run, struct curve *curve, const struct plan *plan,
		      struct files *files, struct progress *progress)
{
	enum file_id id = workload_of(plan, 1).file;
	const struct file *file = id == FILE_NONE ? NULL : &files->files[id];

	bench_progress_workload(progress, curve->name);
	if (bench_files_make(files, id, &curve->reason)) {
		curve->absent = true;
		bench_progress_skip(progress, steps_of(run, plan));
		return;
	}
	for (unsigned i = 0; i < plan->count; i++) {
		const struct workload workload = workload_of(plan, plan->depths[i]);

		if (possible(&workload))
			run_point(run, curve, &workload, file, progress);
		else
			bench_progress_skip(progress, steps_of(run, plan) / plan->count);
	}
}

void bench_curves_run(struct run *run, struct files *files, struct progress *progress)
{
	for (unsigned i = 0; i < run->curve_count; i++) {
		const struct plan *plan = plan_of(&run->curves[i]);

		if (plan)
			run_curve(run, &run->curves[i], plan, files, progress);
	}
}
