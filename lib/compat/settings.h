/* SPDX-License-Identifier: MIT */
/*
 * What asyncring-run tells the library it loads into programs: one variable of the environment
 * whose value is words with commas between, each of which switches something on.
 */
#ifndef ASYNCRING_COMPAT_SETTINGS_H
#define ASYNCRING_COMPAT_SETTINGS_H

#define SETTINGS_VARIABLE "ASYNCRING_RUN"
#define SETTING_STATS	  "stats"     /* say at the end what was served */
#define SETTING_TRAP_ONLY "trap-only" /* no instruction of the program's is changed */
#define SETTING_UNCAUGHT  "uncaught"  /* no filter of ours: it would not help, or cannot be set */

#define PRELOAD_LIBRARY "libasyncring-run.so"

#endif
