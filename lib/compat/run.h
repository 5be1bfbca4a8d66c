/* SPDX-License-Identifier: MIT */
/* The parts of the command asyncring-run: run.c. One thread, no library of the program's yet. */
#ifndef ASYNCRING_COMPAT_RUN_H
#define ASYNCRING_COMPAT_RUN_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

/* ---- run_program.c ---- */

/*
 * Find @name as execvp(3) does and look whether it can be served. 0 and its path in @path; or what
 * a shell would exit with (127 not found, 126 cannot be run), the reason having been printed.
 */
int program_find(const char *name, char path[PATH_MAX]);

/* ---- run_check.c ---- */

/* What becomes of io_uring: 0 it works, a negative errno, or the signal that kills for it. */
int check_kernel(void);
/* Can calls be caught that a program makes with instructions of its own? */
bool check_catch(void);
/* --check: what blocks io_uring here, and what would be served. 0 if something would be. */
int check_print(const char *library);

#endif
