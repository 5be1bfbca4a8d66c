/* SPDX-License-Identifier: MIT */
/*
 * One measurement of many timers: armed and cancelled, or armed and fired.
 */
#ifndef BENCH_TIMERS_H
#define BENCH_TIMERS_H

#include "cell.h"

void bench_timers_measure(const struct cell *cell, struct measurement *measurement);

#endif
