/* SPDX-License-Identifier: MIT */
/*
 * Results that are no row of the tables: curves, one value for each x and engine, and facts, one
 * value each. Whoever measures them fills them in; report_figures.c writes them all, and the page
 * shows them all by their shape. Values are kept round by round, the median counts.
 */
#ifndef BENCH_FIGURES_H
#define BENCH_FIGURES_H

#include <stdbool.h>

#include "files.h"

#define VALUE_ROUNDS_MAX 15
#define POINTS_MAX	 16
#define SERIES_MAX	 8
#define CURVES_MAX	 24
#define FACTS_MAX	 48

struct values {
	unsigned count;
	double rounds[VALUE_ROUNDS_MAX];
};

struct point {
	double x;
	struct values values;
};

struct series {
	const char *engine; /* its name */
	unsigned count;
	struct point points[POINTS_MAX];
};

struct curve {
	const char *name;
	const char *title;
	const char *note; /* what the axes do not say, or NULL */
	const char *x_label;
	const char *y_label;
	bool x_log;
	bool y_log;
	bool absent; /* the machine does not have what it needs */
	struct message reason;
	unsigned count;
	struct series series[SERIES_MAX];
};

struct fact {
	const char *name;
	const char *title;
	const char *unit;
	struct values values; /* ours */
	bool limited;	      /* there is a figure to reach: at most limit */
	double limit;
	unsigned peers;
	struct {
		const char *engine;
		struct values values;
	} peer[SERIES_MAX];
};

/* One more round's value; what is beyond the room for it is left out. */
void bench_values_add(struct values *values, double value);

/* The same of this engine at this x. */
void bench_curve_add(struct curve *curve, const char *engine, double x, double value);

/* Of no values: 0. */
double bench_values_median(const struct values *values);

#endif
