/* SPDX-License-Identifier: MIT */
/* loop: submits in batches, waits, and calls whoever waits for a completion. */
#include "loop.h"

#include "report.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

static struct asyncring ring;
static unsigned outstanding;
static unsigned current_flags;

/* Being woken up costs more than handling a completion: wait for several where many are due. */
#define WAIT_MAX 16

int loop_open(unsigned entries)
{
	/* One thread submits and reaps: with these flags the ring spares what others would need. */
	return asyncring_queue_init(entries, &ring,
				    ASYNCRING_SETUP_SINGLE_ISSUER | ASYNCRING_SETUP_DEFER_TASKRUN);
}

struct asyncring *loop_ring(void)
{
	return &ring;
}

int loop_register_buffers(const struct iovec *buffers, unsigned count)
{
	return asyncring_register_buffers(&ring, buffers, count);
}

/* A signal came, time is up, or there is a shortage that completions will end. */
static bool transient(int error)
{
	return error == -EINTR || error == -ETIME || error == -EAGAIN || error == -EBUSY;
}

struct asyncring_sqe *loop_request(void)
{
	struct asyncring_sqe *sqe;

	while (!(sqe = asyncring_get_sqe(&ring))) {
		int result = asyncring_submit(&ring);

		if (result < 0 && !transient(result)) {
			report(result, "cannot submit requests", NULL, NULL);
			exit(EXIT_FAILURE);
		}
	}
	return sqe;
}

void loop_expect(struct asyncring_sqe *sqe, struct pending *pending,
		 void (*done)(struct pending *pending, int result))
{
	pending->done = done;
	asyncring_sqe_set_data(sqe, pending);
	outstanding++;
}

void loop_forget(struct asyncring_sqe *sqe)
{
	/* Success posts no completion at all, a failure posts one that nobody owns. */
	asyncring_sqe_set_data(sqe, NULL);
	sqe->flags |= ASYNCRING_SQE_CQE_SKIP_SUCCESS;
}

unsigned loop_flags(void)
{
	return current_flags;
}

unsigned loop_outstanding(void)
{
	return outstanding;
}

int loop_wait(unsigned wanted, struct __kernel_timespec *timeout)
{
	struct asyncring_cqe *cqe;
	/* Not waiting, it asks all the same for what has completed since the last look. */
	int result = wanted ? asyncring_submit_and_wait_timeout(&ring, &cqe, wanted, timeout, NULL)
			    : asyncring_submit_and_get_events(&ring);

	if (result < 0 && !transient(result))
		return result;
	while (asyncring_peek_cqe(&ring, &cqe) == 0) {
		struct pending *pending = asyncring_cqe_get_data(cqe);
		int outcome = cqe->res;

		current_flags = cqe->flags;
		/* The entry goes back first: the function called may need room for new ones. */
		asyncring_cqe_seen(&ring, cqe);
		if (pending) {
			/* A multishot request is outstanding until it says otherwise. */
			if (!(current_flags & ASYNCRING_CQE_F_MORE))
				outstanding--;
			pending->done(pending, outcome);
		}
	}
	return 0;
}

int loop_run(struct __kernel_timespec *timeout)
{
	unsigned wanted = 1 + outstanding / 4;

	return loop_wait(wanted < WAIT_MAX ? wanted : WAIT_MAX, timeout);
}

void loop_close(void)
{
	asyncring_queue_exit(&ring);
}
