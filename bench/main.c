/* SPDX-License-Identifier: MIT */
/*
 * asyncring-bench: the order of the whole run. Everything that is measured happens in children of
 * this process (cell.c), which itself has one thread and opens no engine but, for a moment, the
 * one that does nothing.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cell.h"
#include "curves.h"
#include "files.h"
#include "footprint.h"
#include "heap.h"
#include "network.h"
#include "options.h"
#include "progress.h"
#include "report.h"
#include "scaling.h"

static void list(struct run *run)
{
	puts("Engines:");
	for (unsigned i = 0; bench_engines[i]; i++) {
		const struct engine *engine = bench_engines[i];
		bool floor = strcmp(engine->name, ENGINE_FLOOR) == 0;

		printf("  %-22s %s\n", engine->name,
		       engine->absent ? engine->absent
		       : floor	      ? "no peer: the bare system calls that asyncring makes"
				      : "");
	}
	puts("Workloads:");
	for (const struct workload *workload = bench_workloads; workload->name; workload++)
		printf("  %-22s %s\n", workload->name, workload->title);
	puts("Curves:");
	bench_curves_choose(run);
	bench_scaling_choose(run);
	for (unsigned i = 0; i < run->curve_count; i++)
		printf("  %-22s %s\n", run->curves[i].name, run->curves[i].title);
}

static void choose_columns(struct run *run)
{
	for (unsigned i = 0; bench_engines[i]; i++) {
		const struct engine *engine = bench_engines[i];
		struct column *column = &run->columns[run->column_count];
		const struct cell cell = {.engine = engine};
		struct measurement probe;

		if (!bench_options_choose(run->options->engines, engine->name))
			continue;
		run->column_count++;
		column->engine = engine;
		if (engine->absent) {
			column->absent = true;
			snprintf(column->reason.text, sizeof(column->reason.text), "%s",
				 engine->absent);
			continue;
		}
		bench_cell_probe(&cell, &probe);
		column->absent = probe.error != 0;
		column->reason = probe.message;
	}
}

static void choose_rows(struct run *run)
{
	for (const struct workload *workload = bench_workloads; workload->name; workload++) {
		struct row *row = &run->rows[run->row_count];

		if (!bench_options_choose(run->options->workloads, workload->name))
			continue;
		run->row_count++;
		row->workload = workload;
		for (unsigned i = 0; i < run->column_count; i++)
			row->results[i].applies =
				!run->columns[i].absent &&
				bench_workload_fits(workload, run->columns[i].engine);
	}
}

/* What the driver adds to each operation, at the given depth; with or without latencies taken. */
static double harness_cost(enum operation_kind kind, unsigned depth, struct histogram *latencies)
{
	const struct workload workload = {
		.name = "harness",
		.kind = kind,
		.order = ORDER_SCATTERED,
		.depth = depth,
		.wait_for = 1,
		.length = 4096,
	};
	const struct cell cell = {
		.engine = &bench_engine_null,
		.workload = &workload,
		.seconds = 0.02,
		.latencies = latencies,
	};
	struct cell_result *result = calloc(1, sizeof(*result));
	double cost = -1;

	for (unsigned round = 0; result && round < 5; round++) {
		bench_cell_measure(&cell, &result->measurements[round]);
		result->rounds++;
	}
	if (result)
		cost = bench_median(result, FIGURE_TIME);
	free(result);
	return cost;
}

static void give_up(struct cell_result *result, const struct measurement *measurement)
{
	result->error = measurement->error;
	result->message = measurement->message;
}

static void verify_row(const struct run *run, struct row *row, const struct file *file,
		       struct progress *progress)
{
	for (unsigned i = 0; i < run->column_count; i++) {
		const struct cell cell = {
			.engine = run->columns[i].engine,
			.workload = row->workload,
			.file = file,
		};
		struct measurement measurement;

		if (!row->results[i].applies)
			continue;
		bench_progress_step(progress, row->workload->name, cell.engine->name, "verifying");
		bench_cell_verify(&cell, &measurement);
		if (measurement.error)
			give_up(&row->results[i], &measurement);
	}
}

/* One engine's turn in a round whose throughput counts, or, after these, whose latencies do. */
static void run_turn(const struct run *run, const struct cell *cell, struct cell_result *result,
		     struct progress *progress)
{
	unsigned rounds = run->options->rounds;
	bool latency = cell->round >= rounds;
	struct cell round = *cell;
	struct measurement measurement;
	char what[32];

	if (result->error) {
		bench_progress_skip(progress, 1);
		return;
	}
	if (latency) {
		round.latencies = &result->latencies;
		snprintf(what, sizeof(what), "latencies, %u of %u", cell->round - rounds + 1,
			 run->options->latency_rounds);
	} else {
		snprintf(what, sizeof(what), "round %u of %u", cell->round + 1, rounds);
	}
	bench_progress_step(progress, cell->workload->name, cell->engine->name, what);
	bench_cell_measure(&round, &measurement);
	if (measurement.error)
		give_up(result, &measurement);
	else if (!latency)
		result->measurements[result->rounds++] = measurement;
}

/*
 * One round: every engine once. Each round begins with another engine, so that nobody always runs
 * after the same neighbour or always first.
 */
static void run_round(const struct run *run, struct row *row, const struct file *file,
		      unsigned round, struct progress *progress)
{
	for (unsigned turn = 0; turn < run->column_count; turn++) {
		unsigned i = (turn + round) % run->column_count;
		const struct cell cell = {
			.engine = run->columns[i].engine,
			.workload = row->workload,
			.file = file,
			.round = round,
			.seconds = run->options->seconds,
		};

		if (row->results[i].applies)
			run_turn(run, &cell, &row->results[i], progress);
	}
}

static unsigned rounds_of(const struct run *run, const struct row *row)
{
	const struct options *options = run->options;

	return options->rounds +
	       (bench_cell_latencies(row->workload) ? options->latency_rounds : 0);
}

static unsigned applicable(const struct run *run, const struct row *row)
{
	unsigned count = 0;

	for (unsigned i = 0; i < run->column_count; i++)
		count += row->results[i].applies;
	return count;
}

static void run_row(struct run *run, struct row *row, struct files *files,
		    struct progress *progress)
{
	enum file_id id = row->workload->file;
	const struct file *file = id == FILE_NONE ? NULL : &files->files[id];
	unsigned engines = applicable(run, row);

	if (!engines)
		return;
	bench_progress_workload(progress, row->workload->name);
	if ((SUPPORTS(row->workload->kind) & SUPPORTS_CONNECTIONS &&
	     bench_network_possible(row->workload, &row->reason)) ||
	    bench_files_make(files, id, &row->reason) ||
	    (file && bench_file_prepare(file, row->workload->state, &row->reason))) {
		row->absent = true;
		for (unsigned i = 0; i < run->column_count; i++)
			row->results[i].applies = false;
		bench_progress_skip(progress, engines * (rounds_of(run, row) + 1));
		return;
	}
	verify_row(run, row, file, progress);
	for (unsigned round = 0; round < rounds_of(run, row); round++)
		run_round(run, row, file, round, progress);
}

static void run_all(struct run *run)
{
	struct files files = {
		.directory = run->options->directory,
		.tmpfs_directory = run->options->tmpfs_directory,
		.large_size = run->options->large_size,
	};
	struct progress progress;
	unsigned steps = bench_curves_steps(run) + bench_scaling_steps(run);

	for (unsigned i = 0; i < FILE_COUNT; i++)
		files.files[i].fd = -1;
	for (unsigned r = 0; r < run->row_count; r++)
		steps += applicable(run, &run->rows[r]) * (rounds_of(run, &run->rows[r]) + 1);
	bench_progress_begin(&progress, steps);
	for (unsigned r = 0; r < run->row_count; r++)
		run_row(run, &run->rows[r], &files, &progress);
	bench_curves_run(run, &files, &progress);
	bench_scaling_run(run, &files, &progress);
	bench_progress_end(&progress);
}

/* Who shares the machine makes the figures worse, and not evenly. */
static double foreign_share(const struct machine_usage *before, const struct machine_usage *after)
{
	double elapsed = after->elapsed - before->elapsed;
	double own = after->children - before->children;
	double share = elapsed > 0 ? (after->busy - before->busy - own) / elapsed : 0;

	return share > 0 ? share : 0;
}

static bool complete(const struct run *run)
{
	for (unsigned r = 0; r < run->row_count; r++) {
		for (unsigned i = 0; i < run->column_count; i++) {
			if (run->rows[r].results[i].error)
				return false;
		}
	}
	return true;
}

static void carry_out(struct run *run)
{
	struct histogram *latencies = &run->harness_latencies;
	struct machine_usage before, after;

	bench_machine_describe(&run->machine, run->options->directory);
	run->allocations_counted = bench_heap_counts();
	run->harness_deep = harness_cost(OPERATION_READ, 32, NULL);
	run->harness_single = harness_cost(OPERATION_READ, 1, NULL);
	run->harness_nop = harness_cost(OPERATION_NOP, 32, NULL);
	run->harness_latency = harness_cost(OPERATION_READ, 1, latencies) - run->harness_single;
	bench_machine_usage(&before);
	run_all(run);
	bench_machine_usage(&after);
	run->foreign = foreign_share(&before, &after);
}

static bool anything_matches(const struct run *run)
{
	const struct options *options = run->options;

	if (run->column_count && run->row_count + run->curve_count + run->fact_count)
		return true;
	fprintf(stderr, "asyncring-bench: nothing matches '%s' (see --list)\n",
		run->column_count ? options->workloads : options->engines);
	return false;
}

/* There is at least one engine for one of the workloads, curves and facts. */
static bool anything_applies(const struct run *run)
{
	unsigned steps = bench_curves_steps(run) + bench_scaling_steps(run);

	for (unsigned r = 0; r < run->row_count; r++)
		steps += applicable(run, &run->rows[r]);
	if (steps)
		return true;
	for (unsigned i = 0; i < run->column_count; i++) {
		if (run->columns[i].absent)
			fprintf(stderr, "asyncring-bench: engine %s is absent: %s\n",
				run->columns[i].engine->name, run->columns[i].reason.text);
	}
	fprintf(stderr,
		"asyncring-bench: nothing to measure: none of '%s' that is here does any of '%s'\n",
		run->options->engines, run->options->workloads);
	return false;
}

/* What would only come out at the end of a long run. */
static bool places_are_there(const struct run *run)
{
	const struct options *options = run->options;
	FILE *json;

	if (access(options->directory, W_OK | X_OK)) {
		fprintf(stderr, "asyncring-bench: %s: %s\n", options->directory, strerror(errno));
		return false;
	}
	if (!options->json)
		return true;
	json = fopen(options->json, "ae");
	if (!json) {
		fprintf(stderr, "asyncring-bench: %s: %s\n", options->json, strerror(errno));
		return false;
	}
	fclose(json);
	return true;
}

static bool report(const struct run *run)
{
	const char *path = run->options->json;
	int error = path ? bench_report_json(run, path) : 0;

	bench_report_tables(run, stdout);
	if (error)
		fprintf(stderr, "asyncring-bench: %s: %s\n", path, strerror(-error));
	return !error;
}

int main(int argc, char **argv)
{
	struct options options;
	struct run *run;
	int status = 2;

	switch (bench_options_parse(&options, argc, argv)) {
	case OPTIONS_RUN:
		break;
	case OPTIONS_HELP:
		return 0;
	default:
		return 2;
	}
	run = calloc(1, sizeof(*run));
	if (!run) {
		fprintf(stderr, "asyncring-bench: %s\n", strerror(ENOMEM));
		return 1;
	}
	run->options = &options;
	bench_descriptors_raise();
	if (options.list) {
		list(run);
		free(run);
		return 0;
	}
	choose_columns(run);
	choose_rows(run);
	bench_curves_choose(run);
	bench_scaling_choose(run);
	if (!anything_matches(run)) {
		status = 2;
	} else if (!anything_applies(run)) {
		status = 1;
	} else if (places_are_there(run)) {
		carry_out(run);
		status = report(run) && complete(run) ? 0 : 1;
	}
	free(run);
	return status;
}
