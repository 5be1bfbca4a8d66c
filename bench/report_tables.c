/* SPDX-License-Identifier: MIT */
#include "report.h"

#include <string.h>

/* A cell the middle half of whose rounds lies further apart than this is marked. */
#define NOISY 0.15

static bool is_ours(const struct engine *engine)
{
	return strcmp(engine->name, ENGINE_OURS) == 0;
}

static bool is_peer(const struct engine *engine)
{
	return !is_ours(engine) && strcmp(engine->name, ENGINE_FLOOR) != 0;
}

/* Where ours has figures, or NULL. */
static const struct cell_result *ours_of(const struct run *run, const struct row *row)
{
	for (unsigned i = 0; i < run->column_count; i++) {
		if (is_ours(run->columns[i].engine) && bench_measured(&row->results[i]))
			return &row->results[i];
	}
	return NULL;
}

int bench_best_peer(const struct run *run, const struct row *row, enum figure figure)
{
	const struct cell_result *ours = ours_of(run, row);
	double most = 0;
	int best = -1;

	for (unsigned i = 0; i < run->column_count; i++) {
		const struct cell_result *result = &row->results[i];
		double good;

		if (!is_peer(run->columns[i].engine) || !bench_measured(result))
			continue;
		good = ours ? bench_ratio(ours, result, figure) : -bench_median(result, figure);
		if (best < 0 || good > most) {
			best = (int)i;
			most = good;
		}
	}
	return best;
}

static void print_head(const struct run *run, FILE *out)
{
	fprintf(out, "| %-21s | %18s |", "workload", "best peer, ns");
	for (unsigned i = 0; i < run->column_count; i++) {
		const char *name = run->columns[i].engine->name;
		char marked[32];

		snprintf(marked, sizeof(marked), is_ours(run->columns[i].engine) ? "**%s**" : "%s",
			 name);
		fprintf(out, " %13s |", marked);
	}
	fprintf(out, "\n| %.21s | %.17s: |", "---------------------", "------------------");
	for (unsigned i = 0; i < run->column_count; i++)
		fprintf(out, " %s: |", "------------");
	fputc('\n', out);
}

/* What it needs of what the peer needs; where there is no peer, in nanoseconds. */
static void print_cell(const struct cell_result *result, const struct cell_result *peer,
		       enum figure figure, FILE *out)
{
	double ratio;
	char text[32];

	if (!result->applies) {
		snprintf(text, sizeof(text), "-");
	} else if (!bench_measured(result)) {
		snprintf(text, sizeof(text), "failed");
	} else if (!peer) {
		snprintf(text, sizeof(text), "%.0f ns%s", bench_median(result, figure),
			 bench_spread(result, figure) > NOISY ? "~" : " ");
	} else {
		ratio = bench_ratio(result, peer, figure);
		snprintf(text, sizeof(text), "%.*f%s", ratio < 10 ? 2 : 1, ratio,
			 bench_ratio_spread(result, peer, figure) > NOISY ? "~" : " ");
	}
	fprintf(out, " %13s |", text);
}

static void print_ratios(const struct run *run, enum figure figure, const char *title, FILE *out)
{
	fprintf(out,
		"\n%s per operation, ratio to the best peer (1.00; lower is better), which is the one that "
		"leaves\nasyncring the largest ratio; the floor is the same system calls as asyncring's with "
		"nothing\naround them, and no peer:\n\n",
		title);
	print_head(run, out);
	for (unsigned r = 0; r < run->row_count; r++) {
		const struct row *row = &run->rows[r];
		int best = bench_best_peer(run, row, figure);
		const struct cell_result *peer = best < 0 ? NULL : &row->results[best];
		char text[64] = "-";

		if (peer)
			snprintf(text, sizeof(text), "%s %.0f", run->columns[best].engine->name,
				 bench_median(peer, figure));
		fprintf(out, "| %-21s | %18s |", row->workload->name, text);
		for (unsigned i = 0; i < run->column_count; i++)
			print_cell(&row->results[i], peer, figure, out);
		fputc('\n', out);
	}
}

/* The most threads in any round. */
static void count_threads(const struct cell_result *result, int *idle, int *closed)
{
	*idle = 0;
	*closed = 0;
	for (unsigned i = 0; i < result->rounds; i++) {
		const struct measurement *round = &result->measurements[i];

		if (round->threads_idle > *idle)
			*idle = round->threads_idle;
		if (round->threads_closed > *closed)
			*closed = round->threads_closed;
	}
}

static void print_counters(const struct run *run, unsigned column, FILE *out)
{
	const char *name = run->columns[column].engine->name;

	fprintf(out,
		"\n%s's heap allocations per operation in the steady state (median), and its threads\n"
		"just after the last operation and after the ring is closed (the most):\n\n"
		"| %-21s | %11s | %12s | %13s |\n| %.21s | %.10s: | %.11s: | %.12s: |\n",
		name, "workload", "allocations", "threads idle", "threads after",
		"---------------------", "-----------", "------------", "-------------");
	for (unsigned r = 0; r < run->row_count; r++) {
		const struct cell_result *result = &run->rows[r].results[column];
		int idle, closed;
		char allocations[32] = "not counted";

		if (!bench_measured(result))
			continue;
		count_threads(result, &idle, &closed);
		if (run->allocations_counted)
			snprintf(allocations, sizeof(allocations), "%.4f",
				 bench_median(result, FIGURE_ALLOCATIONS));
		fprintf(out, "| %-21s | %11s | %12d | %13d |\n", run->rows[r].workload->name,
			allocations, idle, closed);
	}
}

static void print_missing(const struct run *run, FILE *out)
{
	for (unsigned i = 0; i < run->column_count; i++) {
		if (run->columns[i].absent)
			fprintf(out, "Absent: engine %s: %s\n", run->columns[i].engine->name,
				run->columns[i].reason.text);
	}
	for (unsigned r = 0; r < run->row_count; r++) {
		const struct row *row = &run->rows[r];

		if (row->absent)
			fprintf(out, "Absent: workload %s: %s\n", row->workload->name,
				row->reason.text);
		for (unsigned i = 0; i < run->column_count; i++) {
			if (row->results[i].error)
				fprintf(out, "Failed: %s over %s: %s\n", row->workload->name,
					run->columns[i].engine->name, row->results[i].message.text);
		}
	}
}

void bench_report_tables(const struct run *run, FILE *out)
{
	const struct machine *machine = &run->machine;

	fprintf(out, "%s, %s, %s, %ld x %s, %ld MiB, %s; load average before: %.2f\n",
		machine->date, machine->kernel, machine->architecture, machine->processors,
		machine->processor, machine->memory_mib, machine->filesystem, machine->load);
	fprintf(out,
		"Medians of %u rounds of %g s. A system call takes %.0f ns. The harness itself takes "
		"%.1f ns\nper operation (one at a time: %.1f ns; of a NOP in a batch: %.1f ns), which is "
		"in every figure.\nOthers used %.0f %% of the machine's CPU time meanwhile.\n",
		run->options->rounds, run->options->seconds, machine->system_call,
		run->harness_deep, run->harness_single, run->harness_nop, run->foreign * 100);
	print_ratios(run, FIGURE_TIME, "Time", out);
	print_ratios(run, FIGURE_CPU, "CPU", out);
	for (unsigned i = 0; i < run->column_count; i++) {
		if (is_ours(run->columns[i].engine) && !run->columns[i].absent)
			print_counters(run, i, out);
	}
	fprintf(out,
		"\nA ratio is the median of the rounds' ratios, each of what was measured in the same "
		"round.\n~ the middle half of these lies more than %.0f %% apart\n",
		NOISY * 100);
	print_missing(run, out);
}
