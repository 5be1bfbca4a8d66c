/* SPDX-License-Identifier: MIT */
/* What a process has of the machine: memory, descriptors, switches of its threads. */
#ifndef BENCH_FOOTPRINT_H
#define BENCH_FOOTPRINT_H

/* Bytes of memory the process has in use, but for what is a file's. */
double bench_memory(void);

/* Bytes the kernel keeps for itself, of the whole machine: others change them, too. */
double bench_kernel_memory(void);

int bench_descriptors(void);

/* How often threads of the process but this one have been switched to. */
long bench_switches(void);

/*
 * Before anything is measured: this process and its children may have as many descriptors as all of
 * it takes, whatever the shell's limits, or as many as the hard limit allows that it may not raise.
 */
void bench_descriptors_raise(void);

/* How many descriptors the process may have. */
unsigned long bench_descriptors_limit(void);

/* Whether these are enough: 0 or -EMFILE. */
int bench_descriptors_check(unsigned count);

#endif
