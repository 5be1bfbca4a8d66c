/* SPDX-License-Identifier: MIT */
/*
 * The other end of the connections: one thread of plain epoll in a process of its own, the same
 * for every engine. On each connection one message, or one connection attempt, is under way at any
 * time, and each answer is compared with what was sent.
 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "histogram.h"
#include "workload.h"

/* In memory that this process shares with the one that is measured. */
struct round_trips {
	atomic_bool wanted; /* set by the server once it is warm, cleared when it has measured */
	struct histogram *histogram; /* written by the generator alone, from what is sent until it
					is answered, or from connect() until the server closes */
};

struct load {
	enum operation_kind kind; /* OPERATION_ECHO, OPERATION_ACCEPT or OPERATION_WAKE */
	unsigned connections;
	struct sockaddr_storage address; /* where to connect to */
	socklen_t address_length;
	struct round_trips *round_trips; /* or NULL */
};

/* Begins to connect at once. The process's number, or a negative errno. */
pid_t bench_load_start(const struct load *load);

/* Ends it. False if it had given up by itself, because of a wrong answer or a failure. */
bool bench_load_stop(pid_t pid);

#endif
