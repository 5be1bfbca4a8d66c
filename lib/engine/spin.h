/* SPDX-License-Identifier: MIT */
/*
 * Is it worth staying awake for an event? A thread that sleeps is woken by another processor, which
 * has to be woken itself, from deep down in a virtual machine: some 10 us for either side. Where
 * the next event is nearer than that, looking for it again and again is sooner done with, and
 * spares the one who causes it the waking. Where it is not, the processor's time is lost.
 *
 * So it is tried only after several sleeps in a row that were short, and each time it fails it
 * takes twice as many of them before the next try: what can be lost is bounded, whatever the events
 * are like. Where nothing can come while this thread is awake, because whoever causes the event
 * needs this very processor, it soon stays asleep nearly always.
 *
 * Nothing here is atomic: it is the business of one waiting thread at a time.
 */
#ifndef ASYNCRING__SPIN_H
#define ASYNCRING__SPIN_H

#include <stdbool.h>
#include <stdint.h>

enum {
	SPIN_NS = 20 * 1000,	   /* stay awake for so long at most ... */
	SPIN_LOOKS_MAX = 256,	   /* ... and so many looks */
	SPIN_SHORT_NS = 30 * 1000, /* a sleep, being woken included, that had better not been one */
	SPIN_WANTED_MIN = 4,	   /* short sleeps in a row before a try ... */
	SPIN_WANTED_MAX = 1 << 10, /* ... however often it has failed */
};

struct spin {
	uint32_t short_sleeps; /* in a row, no more than are wanted */
	uint32_t wanted;       /* 0: SPIN_WANTED_MIN */
};

static inline bool spin_is_worth_it(const struct spin *spin)
{
	return spin->wanted && spin->short_sleeps >= spin->wanted;
}

static inline void spin_slept(struct spin *spin, int64_t nanoseconds)
{
	if (!spin->wanted)
		spin->wanted = SPIN_WANTED_MIN;
	if (nanoseconds > SPIN_SHORT_NS)
		spin->short_sleeps = 0;
	else if (spin->short_sleeps < spin->wanted)
		spin->short_sleeps++;
}

/* An event came before the thread had to sleep. */
static inline void spin_paid(struct spin *spin)
{
	if (spin->wanted > SPIN_WANTED_MIN)
		spin->wanted--;
}

static inline void spin_failed(struct spin *spin)
{
	spin->short_sleeps = 0;
	if (spin->wanted < SPIN_WANTED_MAX)
		spin->wanted *= 2;
}

#endif
