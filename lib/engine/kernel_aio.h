/* SPDX-License-Identifier: MIT */
/*
 * The kernel's own asynchronous I/O (io_submit(2)) as an engine: transfers to and from the device
 * (O_DIRECT) that no thread has to wait for. A ring has a context of its own, made when its first
 * such request comes; who drives the ring's poller takes its events.
 */
#ifndef ASYNCRING__KERNEL_AIO_H
#define ASYNCRING__KERNEL_AIO_H

#include <stdbool.h>

struct kernel_aio;
struct request;
struct ring;

/* ---- submit_lock held, within a batch ---- */

/* May requests of @ring be queued here? Its context is made if there is none yet. */
bool asyncring__kernel_aio_ready(struct ring *ring);

/*
 * Give @request, which has its file, to the kernel: with others, before the batch is finished, or
 * when there is room. What comes of it asyncring__request_transferred() is told, or
 * asyncring__request_not_taken(). The engine's until then. Only while kernel_aio_ready().
 */
void asyncring__kernel_aio_queue(struct request *request);

/* Is there something queued that can be submitted, or is to end, now? */
bool asyncring__kernel_aio_waiting(const struct ring *ring);

/* Submit what is queued and take what has come of it at once. */
void asyncring__kernel_aio_submit(struct ring *ring);

/*
 * Take what the kernel has finished; true if that was anything. @asked: the application asks for
 * completions, so that none has to be deferred.
 */
bool asyncring__kernel_aio_reap(struct ring *ring, bool asked);

/* ---- at the end of a ring; nothing is in flight any more, or the ring is the parent's ---- */

void asyncring__kernel_aio_release(struct ring *ring);

#endif
