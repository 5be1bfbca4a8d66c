/* SPDX-License-Identifier: MIT */
/*
 * What the unit tests share: bounded waiting, counting what the process has, short ways to run a
 * request, files to work on. What asserts belongs to the main thread (a CMocka assertion leaves by
 * longjmp). SIGALRM is the bound on the whole program.
 */
#ifndef UNIT_SUPPORT_H
#define UNIT_SUPPORT_H

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <asyncring.h>

#include "sys.h"

#ifndef __has_feature
#define __has_feature(feature) 0
#endif
#if defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
#define THREAD_SANITIZER 1
#else
#define THREAD_SANITIZER 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define ADDRESS_SANITIZER 1
#else
#define ADDRESS_SANITIZER 0
#endif

/* Returns false to make an allocation of the library's fail (core/memory.c). */
extern bool (*asyncring__alloc_hook)(size_t size);

/* Set to have workers do what a waiting thread might do in their place (engine/pool_guest.c). */
extern _Atomic bool asyncring__waiters_only_wait;

/* How many times longer everything takes than usual (under a sanitizer), at least 1. */
unsigned support_slowness(void);

/* End the process if it still runs after @seconds (times slowness). */
void support_bound(unsigned seconds);

/* Ask until it is true; false if it has not become so after a long while. */
bool support_eventually(bool (*condition)(void *argument), void *argument);

uint64_t support_now_ns(void);
int support_thread_id(void);

/* Threads, and open descriptors, of this process. */
unsigned support_threads(void);
unsigned support_descriptors(void);

/* Remember what the process has; say later whether it has the same again, and print if not. */
struct support_census {
	unsigned threads, descriptors;
};
struct support_census support_census(void);
bool support_census_restored(const struct support_census *census);

/* See the thread @tid asleep in the kernel; false if it never falls asleep. */
bool support_asleep(int tid);

/* An SQE; asserts that there is one. */
struct asyncring_sqe *support_sqe(struct asyncring *ring);

/* Wait for the next completion, take it, return its result. */
int support_result(struct asyncring *ring, uint64_t *user_data);

/* Submit what was prepared, one request, and return its result. */
int support_run(struct asyncring *ring);

/* An open file of @size bytes in @directory, without a name; byte i is support_byte(i). */
int support_file(const char *directory, size_t size);
unsigned char support_byte(size_t i);
/* Are the @length bytes at @buffer those of the file from @offset on? */
bool support_content(const unsigned char *buffer, size_t length, size_t offset);

/* Is @directory on tmpfs? */
bool support_on_tmpfs(const char *directory);

/* Are files in /tmp on a device, cached, and tried with RWF_NOWAIT first? */
bool support_on_a_device(void);

/*
 * A read or a write at an offset as a sys hook sees it, whichever of the calls for one buffer or
 * for several it is. Not to be copied.
 */
struct support_transfer {
	bool write;
	int fd, flags; /* RWF_* */
	long offset;
	const struct iovec *vector;
	unsigned count;
	struct iovec single;
};
/* False if it is another call. */
bool support_transfer(long number, const long arguments[6], struct support_transfer *transfer);
/* Carry out its first @length bytes; a result like the kernel's. */
long support_transfer_part(const struct support_transfer *transfer, size_t length);

/* Numbers that are the same for the same @seed. */
struct support_random {
	uint64_t state;
};
unsigned support_below(struct support_random *random, unsigned limit);
/* Where the differential tests begin: $ASYNCRING_SEED, or 1. */
uint64_t support_seed(void);

/*
 * A gate in front of a system call of the library's worker threads: closed, it holds every thread
 * that is about to make the call @number, where preadv2 and pwritev2 stand for all calls that read
 * or write at an offset. For use in a sys hook.
 */
struct support_gate {
	_Atomic long number;   /* -1: none */
	_Atomic unsigned held; /* threads that have come to the closed gate */
	_Atomic bool closed;
};
void support_gate_close(struct support_gate *gate, long number);
void support_gate_open(struct support_gate *gate);
/* Called by the hook. Threads other than workers pass. */
void support_gate_pass(struct support_gate *gate, long number);
/* Wait until @count threads have come to the gate. */
bool support_gate_held(struct support_gate *gate, unsigned count);

#endif
