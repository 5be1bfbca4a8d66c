/* SPDX-License-Identifier: MIT */
/*
 * Description: all orders of what can happen to a request that waits for readiness, without looking
 * at a completion in between: what is on its way meets what comes next.
 *
 * Who wins such a race is not laid down. That they agree on it is: every request ends exactly once,
 * who was told that it cancelled something did so and nobody else, and no byte is lost.
 */
#include "readiness_orders.h"

/* What came of the requests of one order. */
struct tally {
	struct order *order;
	unsigned submitted, ended; /* requests */
	bool sent[REQUESTS], has_ended[REQUESTS];
	int res[REQUESTS];
	unsigned written, taken;
};

static bool is_poll(const struct tally *tally)
{
	return tally->order->setting->kind == POLL || tally->order->setting->kind == MULTISHOT;
}

/* Has the request ended, and with this result? */
static bool ended(const struct tally *tally, enum request request, int res)
{
	return tally->has_ended[request] && tally->res[request] == res;
}

static void note(struct tally *tally, const struct harness_cqe *cqe)
{
	struct order *order = tally->order;
	uint64_t request = cqe->user_data - order->base;

	order_assert(order, request < REQUESTS && tally->sent[request],
		     "unexpected: request %d res %d flags 0x%x", (int)request, cqe->res,
		     cqe->flags);
	order_assert(order, !tally->has_ended[request], "request %d goes on after its end",
		     (int)request);
	if (cqe->flags & MORE) {
		order_assert(order, order->setting->kind == MULTISHOT && request <= SECOND,
			     "request %d is no multishot", (int)request);
		order_assert(order, cqe->res > 0 && !(cqe->res & ~(POLLIN | POLLHUP)),
			     "request %d shot %d", (int)request, cqe->res);
		return;
	}
	tally->has_ended[request] = true;
	tally->res[request] = cqe->res;
	tally->ended++;
}

static void take_all(struct tally *tally, bool wait)
{
	struct harness_cqe cqe;

	if (!wait && tally->order->setting->ring_flags & IORING_SETUP_DEFER_TASKRUN)
		io_uring_get_events(tally->order->ring);
	while (wait ? tally->ended < tally->submitted : harness_peek(tally->order->ring, &cqe)) {
		if (wait) {
			struct __kernel_timespec limit = harness_deadline();
			struct io_uring_cqe *first;

			order_assert(tally->order,
				     !io_uring_wait_cqe_timeout(tally->order->ring, &first, &limit),
				     "%u of %u requests have ended", tally->ended,
				     tally->submitted);
			cqe = harness_next(tally->order->ring);
		}
		note(tally, &cqe);
	}
}

static void take_byte_if_there(struct tally *tally)
{
	struct order *order = tally->order;
	int flags = fcntl(order->reader, F_GETFL);
	char byte;

	/* A request that waits may be just about to take it: this must not block. */
	assert_int_equal(fcntl(order->reader, F_SETFL, flags | O_NONBLOCK), 0);
	tally->taken += read(order->reader, &byte, 1) == 1;
	assert_int_equal(fcntl(order->reader, F_SETFL, flags), 0);
}

static void act(struct tally *tally, enum action action)
{
	struct order *order = tally->order;
	static const enum request sent[ACTIONS] = {[ARM] = MAIN,
						   [CANCEL] = CANCELLATION,
						   [REMOVE] = REMOVAL,
						   [FIRE] = FIRING,
						   [DUPLICATE] = SECOND};

	if (sent[action])
		tally->sent[sent[action]] = true;
	if (action == ARM && order->setting->limited)
		tally->sent[LIMIT] = true;
	tally->submitted += order_submit(order, action);
	switch (action) {
	case READY:
		tally->written += write(order->writer, "x", 1) == 1;
		break;
	case TAKE:
		take_byte_if_there(tally);
		break;
	case CLOSE:
		order_close_end(&order->reader);
		break;
	case HANGUP:
		order_close_end(&order->writer);
		break;
	case REAP:
		take_all(tally, false);
		break;
	default:
		break;
	}
}

/* Results that are none of what the request can end with. */
static void check_results(const struct tally *tally)
{
	for (enum request request = 0; request < REQUESTS; request++) {
		int res = tally->res[request];
		bool good;

		if (!tally->sent[request])
			continue;
		switch (request) {
		case MAIN:
		case SECOND:
			good = res == -ECANCELED ||
			       (is_poll(tally) ? res > 0 && !(res & ~(POLLIN | POLLHUP))
					       : res == 0 || res == 1);
			break;
		case LIMIT:
			good = res == -ECANCELED || res == -ETIME || res == -EALREADY ||
			       res == -ENOENT;
			break;
		case CANCELLATION:
		case REMOVAL:
		case FIRING:
			good = res == 0 || res == -ENOENT || res == -EALREADY;
			break;
		default:
			good = res >= 0 && res <= 2;
			break;
		}
		order_assert(tally->order, good, "request %d: res %d", (int)request, res);
	}
}

/* Who says that it has cancelled the request, and whether it has been. */
static void check_agreement(const struct tally *tally)
{
	unsigned killers = ended(tally, CANCELLATION, 0) + ended(tally, REMOVAL, 0) +
			   ended(tally, LIMIT, -ETIME);
	bool cancelled = tally->res[MAIN] == -ECANCELED;

	if (killers)
		order_assert(tally->order, cancelled, "cancelled, and yet it ended with %d",
			     tally->res[MAIN]);
	else if (cancelled)
		order_assert(tally->order, tally->res[0] > 0, "nobody cancelled it");
	if (ended(tally, LIMIT, -ETIME))
		order_assert(tally->order, ended(tally, FIRING, 0),
			     "the timeout ran out too early");
	if (tally->sent[SECOND] && tally->res[SECOND] == -ECANCELED)
		order_assert(tally->order, tally->res[0] > 0, "nobody cancelled the second");
}

/* Bytes written are bytes read, by whomever, or still there. */
static void check_bytes(const struct tally *tally)
{
	unsigned got = tally->taken;
	int there = 0;

	if (tally->order->reader < 0)
		return;
	if (!is_poll(tally))
		got += ended(tally, MAIN, 1) + ended(tally, SECOND, 1);
	assert_int_equal(ioctl(tally->order->reader, FIONREAD, &there), 0);
	order_assert(tally->order, tally->written == got + (unsigned)there,
		     "%u bytes written, %u read, %d there", tally->written, got, there);
}

static void run(struct order *order)
{
	struct tally tally = {.order = order};

	for (unsigned i = 0; i < order->length; i++)
		act(&tally, order->actions[i]);
	tally.sent[0] = true;
	tally.submitted++;
	ops_prep(order->ring, order->base, 0, cancel64, 0, IORING_ASYNC_CANCEL_ANY);
	harness_submit(order->ring, 1);
	take_all(&tally, true);
	check_results(&tally);
	check_agreement(&tally);
	check_bytes(&tally);
	harness_assert_empty(order->ring);
}

static void all_orders(void **state)
{
	order_run_setting(*state, run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {order_tests(all_orders, 1u << REAP)};

	return harness_run(tests);
}
