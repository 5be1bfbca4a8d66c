/* SPDX-License-Identifier: MIT */
/* The counters of statistics.h. */
#include "statistics.h"

struct statistics asyncring__statistics;
