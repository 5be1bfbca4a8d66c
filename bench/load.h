/* SPDX-License-Identifier: MIT */
/*
 * The other end of the connections: one thread of plain epoll in a process of its own, the same
 * for every engine. On each connection one message, or one connection attempt, is under way at any
 * time, and each answer is compared with what was sent.
 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "workload.h"

struct load {
	enum operation_kind kind; /* OPERATION_ECHO, OPERATION_ACCEPT or OPERATION_WAKE */
	unsigned connections;
	struct sockaddr_storage address; /* where to connect to */
	socklen_t address_length;
};

/* Begins to connect at once. The process's number, or a negative errno. */
pid_t bench_load_start(const struct load *load);

/* Ends it. False if it had given up by itself, because of a wrong answer or a failure. */
bool bench_load_stop(pid_t pid);

#endif
