/* SPDX-License-Identifier: MIT */
/*
 * All orders of a few things that can happen to a request that waits for readiness: for
 * readiness-orders.c, which knows each answer, and readiness-races.c, which looks at none until the
 * end.
 *
 * An order is a sequence of different actions with ARM among them, of which the possible ones are
 * all enumerated, depth first. Each begins with a new pipe or socket, in a ring that all of a
 * setting share; user_data tells the requests of one order from those of the one before.
 */
#ifndef CONFORMANCE_READINESS_ORDERS_H
#define CONFORMANCE_READINESS_ORDERS_H

#include "readiness_helpers.h"

#include <sys/ioctl.h>
#include <sys/socket.h>

enum action {
	ARM,	   /* submit the request, with its link timeout if it has one */
	READY,	   /* write a byte */
	CANCEL,	   /* ASYNC_CANCEL of the request */
	FIRE,	   /* have the link timeout run out */
	REMOVE,	   /* POLL_REMOVE of the request */
	TAKE,	   /* read the byte in the ordinary way */
	CLOSE,	   /* close the descriptor that the request waits on */
	HANGUP,	   /* close the other end */
	DUPLICATE, /* submit the same request again, without a timeout */
	REAP,	   /* take the completions that are there */
	ACTIONS,
};

static const char *const action_names[ACTIONS] = {
	[ARM] = "arm",	   [READY] = "ready",	 [CANCEL] = "cancel",
	[FIRE] = "fire",   [REMOVE] = "remove",	 [TAKE] = "take",
	[CLOSE] = "close", [HANGUP] = "hang-up", [DUPLICATE] = "duplicate",
	[REAP] = "reap",
};

enum kind { POLL, MULTISHOT, READ, RECV };

/* What a test is run for. */
struct setting {
	enum kind kind;
	bool limited; /* the request has a link timeout */
	unsigned ring_flags;
	unsigned length;   /* actions in an order */
	unsigned possible; /* bits of the actions there are */
};

/* user_data of the requests of an order, added to its number times 16. */
enum request { MAIN = 1, SECOND, LIMIT, CANCELLATION, REMOVAL, FIRING, REQUESTS };

struct order {
	const struct setting *setting;
	struct io_uring *ring;
	enum action actions[ACTIONS];
	unsigned length;
	uint64_t base; /* of user_data */
	int reader, writer;
	char bytes[2];
	void (*run)(struct order *order);
};

static inline void order_print(const struct order *order)
{
	print_error("order:");
	for (unsigned i = 0; i < order->length; i++)
		print_error(" %s", action_names[order->actions[i]]);
	print_error("\n");
}

#define order_assert(order, condition, ...)                                                        \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			print_error(__VA_ARGS__);                                                  \
			print_error("\n");                                                         \
			order_print(order);                                                        \
			fail();                                                                    \
		}                                                                                  \
	} while (0)

static inline bool order_has(const struct order *order, enum action action)
{
	for (unsigned i = 0; i < order->length; i++)
		if (order->actions[i] == action)
			return true;
	return false;
}

/* May action come next? Each once, and nothing on a descriptor that has been closed. */
static inline bool order_allows(const struct order *order, enum action action)
{
	bool closed = order_has(order, CLOSE), hung_up = order_has(order, HANGUP);

	if (!(order->setting->possible & 1u << action) || order_has(order, action))
		return false;
	switch (action) {
	case ARM:
	case DUPLICATE:
	case TAKE:
		return !closed;
	case READY:
		return !hung_up;
	case REAP:
		return order->length > 0;
	default:
		return true;
	}
}

static inline void order_open(struct order *order)
{
	int fds[2];

	order->base += 16;
	if (order->setting->kind == RECV)
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	else
		harness_pipe(fds);
	order->reader = fds[0];
	order->writer = fds[1];
}

static inline void order_close(struct order *order)
{
	if (order->reader >= 0)
		close(order->reader);
	if (order->writer >= 0)
		close(order->writer);
}

/* Run all orders that begin with the actions there are. */
static inline void order_enumerate(struct order *order)
{
	if (order->length == order->setting->length) {
		if (order_has(order, ARM)) {
			order_open(order);
			order->run(order);
			order_close(order);
		}
		return;
	}
	for (enum action action = 0; action < ACTIONS; action++) {
		if (!order_allows(order, action))
			continue;
		order->actions[order->length++] = action;
		order_enumerate(order);
		order->length--;
	}
}

/* ---- requests ------------------------------------------------------------------------------ */

#define order_prep(order, request, prep, ...)                                                      \
	ops_prep((order)->ring, (order)->base + (request), 0, prep, ##__VA_ARGS__)

static inline struct io_uring_sqe *order_prep_waiting(struct order *order, enum request request)
{
	char *byte = &order->bytes[request == SECOND];

	switch (order->setting->kind) {
	case POLL:
		return order_prep(order, request, poll_add, order->reader, POLLIN);
	case MULTISHOT:
		return order_prep(order, request, poll_multishot, order->reader, POLLIN);
	case READ:
		return order_prep(order, request, read, order->reader, byte, 1, 0);
	case RECV:
		break;
	}
	return order_prep(order, request, recv, order->reader, byte, 1, 0);
}

/* Do what an action that submits something does; returns how many requests it submitted. */
static inline unsigned order_submit(struct order *order, enum action action)
{
	unsigned count = 1;

	switch (action) {
	case ARM:
		if (order->setting->limited) {
			order_prep_waiting(order, MAIN)->flags |= IOSQE_IO_LINK;
			order_prep(order, LIMIT, link_timeout, &never, 0);
			count = 2;
			break;
		}
		order_prep_waiting(order, MAIN);
		break;
	case DUPLICATE:
		order_prep_waiting(order, SECOND);
		break;
	case CANCEL:
		order_prep(order, CANCELLATION, cancel64, order->base + MAIN, 0);
		break;
	case REMOVE:
		order_prep(order, REMOVAL, poll_remove, order->base + MAIN);
		break;
	case FIRE:
		order_prep(order, FIRING, timeout_update, &at_once, order->base + LIMIT,
			   IORING_LINK_TIMEOUT_UPDATE);
		break;
	default:
		return 0;
	}
	harness_submit(order->ring, count);
	return count;
}

static inline void order_close_end(int *fd)
{
	close(*fd);
	*fd = -1;
}

/* Enumerate in a ring of the setting's. */
static inline void order_run_setting(const struct setting *setting, void (*run)(struct order *))
{
	struct io_uring ring;
	struct order order = {.setting = setting, .ring = &ring, .run = run};

	if (setting->kind == RECV)
		harness_skip_unless_opcode(IORING_OP_RECV);
	signal(SIGPIPE, SIG_IGN);
	harness_limit_time(HARNESS_SECONDS);
	harness_init(&ring, 64, setting->ring_flags);
	order_enumerate(&order);
	io_uring_queue_exit(&ring);
}

#define ORDER_UNLIMITED                                                                            \
	(1u << ARM | 1u << READY | 1u << CANCEL | 1u << REMOVE | 1u << TAKE | 1u << CLOSE |        \
	 1u << HANGUP | 1u << DUPLICATE)

#define order_test(function, title, of_kind, flags, with_limit, more)                              \
	{                                                                                          \
		.name = title, .test_func = function, .initial_state = &(struct setting)           \
		{                                                                                  \
			.kind = of_kind, .limited = with_limit, .ring_flags = flags, .length = 5,  \
			.possible = ORDER_UNLIMITED | (with_limit) << FIRE | (more),               \
		}                                                                                  \
	}

#define order_tests_of(function, mode, flags, more)                                                \
	order_test(function, "poll" mode, POLL, flags, 0u, more),                                  \
		order_test(function, "multishot poll" mode, MULTISHOT, flags, 0u, more),           \
		order_test(function, "read" mode, READ, flags, 0u, more),                          \
		order_test(function, "recv" mode, RECV, flags, 0u, more),                          \
		order_test(function, "poll, link timeout" mode, POLL, flags, 1u, more),            \
		order_test(function, "multishot poll, link timeout" mode, MULTISHOT, flags, 1u,    \
			   more),                                                                  \
		order_test(function, "read, link timeout" mode, READ, flags, 1u, more),            \
		order_test(function, "recv, link timeout" mode, RECV, flags, 1u, more)

/* Entries of the test table: function for every setting, with more bits of actions. */
#define order_tests(function, more)                                                                \
	order_tests_of(function, "", 0, more), order_tests_of(function, ", deferred", DEFER, more)

#endif /* CONFORMANCE_READINESS_ORDERS_H */
