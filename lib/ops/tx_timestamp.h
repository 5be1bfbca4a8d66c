/* SPDX-License-Identifier: MIT */
/* What URING_CMD (socket_cmd.c) has done by tx_timestamp.c. */
#ifndef ASYNCRING__TX_TIMESTAMP_H
#define ASYNCRING__TX_TIMESTAMP_H

#include "ops.h"

/* The first issue(): 0 or a negative errno. The socket is one. */
int asyncring__tx_timestamp_prep(struct request *request);

/* This and all others. */
enum issue_result asyncring__tx_timestamp_issue(struct request *request, unsigned flags);

#endif
