/* SPDX-License-Identifier: MIT */
/* <liburing/io_uring/bpf_filter.h>: what it declares has been declared with all the rest. */
#include "../io_uring.h"
