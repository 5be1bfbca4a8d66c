/* SPDX-License-Identifier: MIT */
/*
 * One measurement of an engine that serves connections. Only the server is measured: the other end
 * is a process of its own (load.h).
 */
#ifndef BENCH_NETWORK_H
#define BENCH_NETWORK_H

#include "cell.h"

void bench_network_measure(const struct cell *cell, struct measurement *measurement);

/* 0, or a negative errno and a message if the limits of this process are too low for it. */
int bench_network_possible(const struct workload *workload, struct message *message);

#endif
