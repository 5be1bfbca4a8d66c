/* SPDX-License-Identifier: MIT */
#include "scaling.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "footprint.h"
#include "isolate.h"
#include "probe.h"

#define LIMIT 60 /* seconds, of one probe */

/* A curve of one of a probe's values over x. Those of one probe stand together. */
struct curve_plan {
	const char *probe;
	unsigned value;
	const char *name;
	const char *title;
	const char *x_label;
	const char *y_label;
	const char *note;
};

/* At which x a probe is run. */
struct points {
	const char *probe;
	double share; /* as long as a round of a cell */
	unsigned count;
	unsigned x[POINTS_MAX];
	unsigned descriptors; /* that each of x takes; no x is larger than the limit permits */
};

/* One of a probe's values at one x. Those of one probe and x stand together. */
struct fact_plan {
	const char *probe;
	unsigned x;
	unsigned value;
	const char *name;
	const char *title;
	const char *unit;
	bool limited;
	double limit;
};

#define IN_FLIGHT .x_label = "requests in flight"
#define THREADS	  .x_label = "threads, each with a ring of its own"

static const struct curve_plan curve_plans[] = {
	{"flight-polls", 0, "scaling-poll-arm", "Arming a poll among many", IN_FLIGHT,
	 .y_label = "ns each"},
	{"flight-polls", 1, "scaling-poll-cancel", "Cancelling one poll of many by its user data",
	 IN_FLIGHT, .y_label = "ns each"},
	{"flight-polls", 3, "scaling-poll-memory", "Memory of a poll in flight", IN_FLIGHT,
	 .y_label = "bytes each",
	 .note = "Of the process; what the kernel keeps for io_uring is not in it."},
	{"flight-timeouts", 0, "scaling-timeout-arm", "Arming a timeout among many", IN_FLIGHT,
	 .y_label = "ns each"},
	{"flight-timeouts", 1, "scaling-timeout-cancel",
	 "Cancelling one timeout of many by its user data", IN_FLIGHT, .y_label = "ns each"},
	{"files-plain", 0, "scaling-files", "Cached random 4 KiB reads, depth 32, from many files",
	 .x_label = "open files", .y_label = "operations per second"},
	{"files-registered", 0, "scaling-files-registered",
	 "The same, the files registered with the ring", .x_label = "registered files",
	 .y_label = "operations per second"},
	{"submitters-nops", 0, "scaling-threads-nop", "NOPs, batches of 32, from many threads",
	 THREADS, .y_label = "operations per second"},
	{"submitters-reads", 0, "scaling-threads-read",
	 "Cached random 4 KiB reads, batches of 32, from many threads", THREADS,
	 .y_label = "operations per second"},
	{"producers-messages", 0, "scaling-producers", "Messages of many threads to one ring",
	 .x_label = "sending threads", .y_label = "messages per second"},
	{"producers-async", 0, "scaling-async",
	 "NOPs with IOSQE_ASYNC: a pool completes to one ring", .x_label = "in flight",
	 .y_label = "operations per second"},
	{"ring-cycle", 0, "ring-setup", "Making a ring and taking it down", .x_label = "entries",
	 .y_label = "us"},
	{"rings-among", 0, "rings-idle-nop", "A NOP alone, among rings that are idle",
	 .x_label = "rings with a poll armed", .y_label = "ns"},
};

static const struct points points[] = {
	{"flight-polls", 3, 7, {1, 10, 100, 1000, 10000, 100000, 1000000}},
	{"flight-timeouts", 3, 7, {1, 10, 100, 1000, 10000, 100000, 1000000}},
	{"files-plain", 2, 5, {1, 10, 100, 1000, 10000}, 2},
	{"files-registered", 2, 5, {1, 10, 100, 1000, 10000}, 2},
	{"submitters-nops", 2, 7, {1, 2, 4, 8, 16, 32, 64}},
	{"submitters-reads", 2, 7, {1, 2, 4, 8, 16, 32, 64}},
	{"producers-messages", 2, 6, {1, 2, 4, 8, 16, 32}},
	{"producers-async", 2, 6, {1, 2, 4, 8, 16, 32}},
	{"ring-cycle", 1, 4, {8, 128, 1024, 4096}},
	{"rings-among", 1, 4, {1, 10, 100, 1000}},
};

/* No process has a count of its own of this. */
#define KERNEL_TOO                                                                                   \
	"the same with what the kernel keeps for it, by a count of the whole machine, which others " \
	"change too: so it may come out as less"

static const struct fact_plan fact_plans[] = {
	{"rings-many", 1000, 0, "ring-memory",
	 "memory of a ring of 8 entries that was used, of 1,000", "KiB"},
	{"rings-many", 1000, 1, "ring-memory-kernel", KERNEL_TOO, "KiB"},
	{"rings-many", 1000, 2, "ring-descriptors", "descriptors of a ring", ""},
	{"rings-many", 1000, 3, "idle-ring-threads", "threads of 1,000 idle rings", "", true, 0},
	{"rings-many", 1000, 4, "idle-ring-switches",
	 "switches to threads of a process with 1,000 idle rings", "a second", true, 0},
	{"rings-many", 1000, 5, "idle-poll-switches", "the same with a poll armed on each",
	 "a second", true, 0},
	{"flight-polls", 1000000, 3, "request-memory",
	 "memory per request in flight beyond SQE and CQE, a million polls", "bytes", true, 256},
	{"flight-polls", 1000000, 4, "poll-memory-kernel", KERNEL_TOO, "bytes"},
	{"flight-timeouts", 1000000, 3, "timeout-memory",
	 "memory per request in flight, a million timeouts", "bytes", true, 256},
	{"flight-timeouts", 1000000, 4, "timeout-memory-kernel", KERNEL_TOO, "bytes"},
	{"loaded-read", 0, 2, "loaded-read-p50",
	 "cached read while 1,000 cold reads and 100 fsyncs are queued on another ring, median",
	 "us"},
	{"loaded-read", 0, 3, "loaded-read-p99", "the same, 99th percentile", "us"},
	{"loaded-read", 0, 4, "loaded-read-ratio",
	 "cached read beside 1,000 cold reads and 100 fsyncs of another ring, median, times "
	 "that of an idle machine",
	 "", true, 2},
	{"loaded-read", 0, 5, "loaded-read-ratio-p99",
	 "99th percentile, times that of an idle machine", ""},
	{"loaded-read", 1, 2, "loaded-same-ring-p50",
	 "cached read while 1,000 cold reads and 100 fsyncs are queued on the same ring, median",
	 "us"},
	{"loaded-read", 1, 3, "loaded-same-ring-p99", "the same, 99th percentile", "us"},
	{"loaded-read", 1, 4, "loaded-same-ring-ratio",
	 "cached read beside 1,000 cold reads and 100 fsyncs of the same ring, median, times "
	 "that of an idle machine",
	 "", true, 2},
	{"loaded-read", 1, 5, "loaded-same-ring-ratio-p99",
	 "99th percentile, times that of an idle machine", ""},
};

/* A probe that is there for facts alone takes so many times a cell's round. */
#define FACT_SHARE 3

/* Besides those that x takes. */
#define OTHER_DESCRIPTORS 100U

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- a probe, in a process of its own ---- */

struct probe_run {
	struct probe_task task;
	const struct probe *probe;
	int error;
	double values[PROBE_VALUES];
};

static void child(const void *argument, void *memory)
{
	const struct probe_run *asked = argument;
	struct probe_run *run = memory;

	run->error = asked->probe->run(&asked->task, run->values);
}

static const struct probe *find_probe(const struct engine *engine, const char *name)
{
	for (const struct probe *const *list = engine->probes; list && *list; list++) {
		for (const struct probe *probe = *list; probe->name; probe++) {
			if (strcmp(probe->name, name) == 0)
				return probe;
		}
	}
	return NULL;
}

/* The column's probe of this name, or NULL. */
static const struct probe *probe_of(const struct column *column, const char *name)
{
	return column->absent ? NULL : find_probe(column->engine, name);
}

/* False, and the reason told: there are no values. */
static bool run_probe(struct probe_run *run, const char *engine)
{
	struct message message = {""};
	int status;

	/* Both are there, for scaling_run has made them. */
	if (!bench_file_prepare(run->task.cached, STATE_RESIDENT, &message) &&
	    !bench_file_prepare(run->task.large, STATE_COLD, &message)) {
		status = bench_isolate(child, run, run, sizeof(*run), LIMIT);
		if (!status && !run->error)
			return true;
		snprintf(message.text, sizeof(message.text), "%s",
			 status > 0 ? strsignal(status) : strerror(status ? -status : -run->error));
	}
	fprintf(stderr, "\nasyncring-bench: %s of %s, %u: %s\n", run->probe->name, engine,
		run->task.x, message.text);
	return false;
}

/* ---- what is to be measured ---- */

static const struct curve_plan *plan_of_curve(const struct curve *curve)
{
	for (unsigned i = 0; i < COUNT(curve_plans); i++) {
		if (strcmp(curve_plans[i].name, curve->name) == 0)
			return &curve_plans[i];
	}
	return NULL;
}

static const struct fact_plan *plan_of_fact(const struct fact *fact)
{
	for (unsigned i = 0; i < COUNT(fact_plans); i++) {
		if (strcmp(fact_plans[i].name, fact->name) == 0)
			return &fact_plans[i];
	}
	return NULL;
}

void bench_scaling_choose(struct run *run)
{
	const struct options *options = run->options;

	for (unsigned i = 0; options->curve_rounds && i < COUNT(curve_plans); i++) {
		const struct curve_plan *plan = &curve_plans[i];

		if (bench_options_choose(options->workloads, plan->name))
			run->curves[run->curve_count++] = (struct curve){
				.name = plan->name,
				.title = plan->title,
				.note = plan->note,
				.x_label = plan->x_label,
				.y_label = plan->y_label,
				.x_log = true,
				.y_log = true,
			};
	}
	for (unsigned i = 0; options->curve_rounds && i < COUNT(fact_plans); i++) {
		const struct fact_plan *plan = &fact_plans[i];

		if (bench_options_choose(options->workloads, plan->name))
			run->facts[run->fact_count++] = (struct fact){
				.name = plan->name,
				.title = plan->title,
				.unit = plan->unit,
				.limited = plan->limited,
				.limit = plan->limit,
			};
	}
}

static struct curve *chosen_curve(struct run *run, const struct curve_plan *plan)
{
	for (unsigned i = 0; i < run->curve_count; i++) {
		if (plan_of_curve(&run->curves[i]) == plan)
			return &run->curves[i];
	}
	return NULL;
}

static struct fact *chosen_fact(struct run *run, const struct fact_plan *plan)
{
	for (unsigned i = 0; i < run->fact_count; i++) {
		if (plan_of_fact(&run->facts[i]) == plan)
			return &run->facts[i];
	}
	return NULL;
}

/* ---- where the values go ---- */

static void add_to_fact(struct fact *fact, const char *engine, double value)
{
	unsigned i = 0;

	if (strcmp(engine, ENGINE_OURS) == 0) {
		bench_values_add(&fact->values, value);
		return;
	}
	while (i < fact->peers && strcmp(fact->peer[i].engine, engine) != 0)
		i++;
	if (i == SERIES_MAX)
		return;
	if (i == fact->peers) {
		fact->peers++;
		fact->peer[i].engine = engine;
	}
	bench_values_add(&fact->peer[i].values, value);
}

static void keep(struct run *run, const char *engine, const struct probe_run *done)
{
	const char *probe = done->probe->name;

	for (unsigned i = 0; i < COUNT(curve_plans); i++) {
		struct curve *curve = strcmp(curve_plans[i].probe, probe) == 0
					      ? chosen_curve(run, &curve_plans[i])
					      : NULL;

		if (curve)
			bench_curve_add(curve, engine, done->task.x,
					done->values[curve_plans[i].value]);
	}
	for (unsigned i = 0; i < COUNT(fact_plans); i++) {
		struct fact *fact =
			strcmp(fact_plans[i].probe, probe) == 0 && fact_plans[i].x == done->task.x
				? chosen_fact(run, &fact_plans[i])
				: NULL;

		if (fact)
			add_to_fact(fact, engine, done->values[fact_plans[i].value]);
	}
}

/* ---- the run ---- */

/* One probe at one x: each of these once, whatever it is for. */
struct site {
	const char *probe;
	unsigned x;
	double share;
};

#define SITES_MAX 128

static void add_site(struct site *sites, unsigned *count, struct site site)
{
	for (unsigned i = 0; i < *count; i++) {
		if (strcmp(sites[i].probe, site.probe) == 0 && sites[i].x == site.x)
			return;
	}
	if (*count < SITES_MAX)
		sites[(*count)++] = site;
}

/* Rounded down, or it would look more exact than it is. */
static unsigned possible_x(const struct points *at, unsigned x)
{
	unsigned long limit = bench_descriptors_limit();
	unsigned long most = limit > OTHER_DESCRIPTORS ? limit - OTHER_DESCRIPTORS : 0;

	if (!at->descriptors || x <= most / at->descriptors)
		return x;
	most /= at->descriptors;
	return (unsigned)(most >= 100 ? most - most % 100 : most);
}

static unsigned find_sites(const struct run *run, struct site *sites)
{
	unsigned count = 0;

	for (unsigned i = 0; i < run->curve_count; i++) {
		const struct curve_plan *plan = plan_of_curve(&run->curves[i]);

		for (unsigned j = 0; plan && j < COUNT(points); j++) {
			if (strcmp(points[j].probe, plan->probe) != 0)
				continue;
			for (unsigned k = 0; k < points[j].count; k++)
				add_site(sites, &count,
					 (struct site){plan->probe,
						       possible_x(&points[j], points[j].x[k]),
						       points[j].share});
		}
	}
	for (unsigned i = 0; i < run->fact_count; i++) {
		const struct fact_plan *plan = plan_of_fact(&run->facts[i]);

		if (plan)
			add_site(sites, &count, (struct site){plan->probe, plan->x, FACT_SHARE});
	}
	return count;
}

static unsigned steps_of(const struct run *run, const struct site *site)
{
	unsigned engines = 0;

	for (unsigned i = 0; i < run->column_count; i++)
		engines += probe_of(&run->columns[i], site->probe) != NULL;
	return engines * run->options->curve_rounds;
}

unsigned bench_scaling_steps(const struct run *run)
{
	struct site sites[SITES_MAX];
	unsigned steps = 0, count = find_sites(run, sites);

	for (unsigned i = 0; i < count; i++)
		steps += steps_of(run, &sites[i]);
	return steps;
}

static void run_site(struct run *run, const struct files *files, const struct site *site,
		     struct progress *progress)
{
	for (unsigned round = 0; round < run->options->curve_rounds; round++) {
		for (unsigned turn = 0; turn < run->column_count; turn++) {
			const struct column *column =
				&run->columns[(turn + round) % run->column_count];
			struct probe_run probe_run = {
				.task =
					{
						.x = site->x,
						.seconds = run->options->seconds * site->share,
						.directory = files->directory,
						.cached = &files->files[FILE_CACHED],
						.large = &files->files[FILE_LARGE],
					},
				.probe = probe_of(column, site->probe),
			};
			char what[64];

			if (!probe_run.probe)
				continue;
			snprintf(what, sizeof(what), "%u, round %u of %u", site->x, round + 1,
				 run->options->curve_rounds);
			bench_progress_step(progress, site->probe, column->engine->name, what);
			if (run_probe(&probe_run, column->engine->name))
				keep(run, column->engine->name, &probe_run);
		}
	}
}

void bench_scaling_run(struct run *run, struct files *files, struct progress *progress)
{
	struct site sites[SITES_MAX];
	unsigned count = find_sites(run, sites);
	struct message message;

	if (!count)
		return;
	if (bench_files_make(files, FILE_CACHED, &message) ||
	    bench_files_make(files, FILE_LARGE, &message)) {
		bench_progress_skip(progress, bench_scaling_steps(run));
		return;
	}
	for (unsigned i = 0; i < count; i++) {
		if (!i || strcmp(sites[i].probe, sites[i - 1].probe) != 0)
			bench_progress_workload(progress, sites[i].probe);
		run_site(run, files, &sites[i], progress);
	}
}
