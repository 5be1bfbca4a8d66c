/* SPDX-License-Identifier: MIT */
#include "report.h"

#include <errno.h>
#include <jansson.h>

static void add_text(json_t *object, const char *key, const char *text)
{
	json_object_set_new(object, key, json_string(text));
}

static void add_integer(json_t *object, const char *key, long long value)
{
	json_object_set_new(object, key, json_integer(value));
}

static void add_real(json_t *object, const char *key, double value)
{
	json_object_set_new(object, key, json_real(value));
}

static json_t *machine_json(const struct machine *machine)
{
	json_t *json = json_object();

	add_text(json, "kernel", machine->kernel);
	add_text(json, "architecture", machine->architecture);
	add_text(json, "processor", machine->processor);
	add_integer(json, "processors", machine->processors);
	add_integer(json, "memory_mib", machine->memory_mib);
	add_text(json, "filesystem", machine->filesystem);
	add_text(json, "compiler", machine->compiler);
	add_real(json, "system_call_ns", machine->system_call);
	add_real(json, "load_before", machine->load);
	return json;
}

static json_t *column_json(const struct column *column)
{
	const struct engine *engine = column->engine;
	json_t *json = json_object();

	add_text(json, "name", engine->name);
	if (engine->version)
		add_text(json, "version", engine->version());
	if (column->absent)
		add_text(json, "absent", column->reason.text);
	return json;
}

static json_t *round_json(const struct measurement *round)
{
	json_t *json = json_object();

	add_integer(json, "operations", (long long)round->operations);
	add_real(json, "seconds", round->seconds);
	add_real(json, "cpu_seconds", round->cpu_seconds);
	add_integer(json, "allocations", (long long)round->allocations);
	add_integer(json, "threads_idle", round->threads_idle);
	add_integer(json, "threads_closed", round->threads_closed);
	return json;
}

/* The median and the ratio to the best peer, and how far the rounds of both are apart. */
static json_t *figure_json(const struct run *run, const struct row *row,
			   const struct cell_result *result, enum figure figure)
{
	int peer = bench_best_peer(run, row, figure);
	json_t *json = json_object();

	add_real(json, "median_ns", bench_median(result, figure));
	add_real(json, "spread", bench_spread(result, figure));
	if (peer >= 0) {
		const struct cell_result *best = &row->results[peer];

		add_real(json, "ratio", bench_ratio(result, best, figure));
		add_real(json, "ratio_spread", bench_ratio_spread(result, best, figure));
	}
	return json;
}

/* In nanoseconds. */
static json_t *latency_json(const struct histogram *latencies)
{
	json_t *json = json_object();

	add_integer(json, "count", (long long)latencies->count);
	add_real(json, "p50", bench_histogram_quantile(latencies, 0.5));
	add_real(json, "p90", bench_histogram_quantile(latencies, 0.9));
	add_real(json, "p99", bench_histogram_quantile(latencies, 0.99));
	add_real(json, "p999", bench_histogram_quantile(latencies, 0.999));
	add_real(json, "max", (double)latencies->longest);
	return json;
}

static json_t *result_json(const struct run *run, const struct row *row, unsigned column)
{
	const struct cell_result *result = &row->results[column];
	json_t *json = json_object();
	json_t *rounds;

	add_text(json, "engine", run->columns[column].engine->name);
	if (result->error) {
		add_text(json, "failed", result->message.text);
		return json;
	}
	json_object_set_new(json, "time", figure_json(run, row, result, FIGURE_TIME));
	json_object_set_new(json, "cpu", figure_json(run, row, result, FIGURE_CPU));
	if (run->allocations_counted)
		add_real(json, "allocations_per_operation",
			 bench_median(result, FIGURE_ALLOCATIONS));
	if (result->latencies.count)
		json_object_set_new(json, "latency", latency_json(&result->latencies));
	rounds = json_array();
	for (unsigned i = 0; i < result->rounds; i++)
		json_array_append_new(rounds, round_json(&result->measurements[i]));
	json_object_set_new(json, "rounds", rounds);
	return json;
}

static json_t *row_json(const struct run *run, const struct row *row)
{
	const struct workload *workload = row->workload;
	json_t *json = json_object();
	json_t *results = json_array();

	add_text(json, "name", workload->name);
	add_text(json, "title", workload->title);
	add_integer(json, "depth", workload->depth);
	add_integer(json, "bytes", workload->length);
	if (row->absent)
		add_text(json, "absent", row->reason.text);
	for (unsigned i = 0; i < run->column_count; i++) {
		if (row->results[i].applies)
			json_array_append_new(results, result_json(run, row, i));
	}
	json_object_set_new(json, "results", results);
	return json;
}

static json_t *run_json(const struct run *run)
{
	json_t *json = json_object();
	json_t *columns = json_array();
	json_t *rows = json_array();

	add_integer(json, "format", 1);
	add_text(json, "date", run->machine.date);
	json_object_set_new(json, "machine", machine_json(&run->machine));
	add_integer(json, "rounds", run->options->rounds);
	add_real(json, "seconds_per_round", run->options->seconds);
	add_integer(json, "latency_rounds", run->options->latency_rounds);
	add_integer(json, "curve_rounds", run->options->curve_rounds);
	add_real(json, "cpu_share_of_others", run->foreign);
	add_real(json, "harness_ns_at_depth_32", run->harness_deep);
	add_real(json, "harness_ns_at_depth_1", run->harness_single);
	add_real(json, "harness_ns_of_nop", run->harness_nop);
	add_real(json, "harness_ns_of_latency", run->harness_latency);
	for (unsigned i = 0; i < run->column_count; i++)
		json_array_append_new(columns, column_json(&run->columns[i]));
	json_object_set_new(json, "engines", columns);
	for (unsigned i = 0; i < run->row_count; i++)
		json_array_append_new(rows, row_json(run, &run->rows[i]));
	json_object_set_new(json, "workloads", rows);
	json_object_set_new(json, "curves", bench_curves_json(run));
	json_object_set_new(json, "facts", bench_facts_json(run));
	return json;
}

int bench_report_json(const struct run *run, const char *path)
{
	json_t *json = run_json(run);
	int error = 0;

	errno = 0;
	if (json_dump_file(json, path, JSON_INDENT(1) | JSON_REAL_PRECISION(6)))
		error = errno ? -errno : -EIO;
	json_decref(json);
	return error;
}
