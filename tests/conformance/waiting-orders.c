/* SPDX-License-Identifier: MIT */
/*
 * Description: all orders of what can happen to a request that waits for something else than a
 * file's readiness: for a futex, a child, a time, a connection. Each is the head of a chain with a
 * link timeout, or not, and a nop behind; after each action come exactly the completions it calls
 * for.
 *
 * (readiness-orders.c does the same for polls, reads and receives.)
 */
#include "net_helpers.h"
#include "readiness_helpers.h"

#include <linux/futex.h>

#ifndef FUTEX2_SIZE_U32
#define FUTEX2_SIZE_U32 0x02
#define FUTEX2_PRIVATE	128
#endif

enum kind { FUTEX, CHILD, TIME, CONNECTION, COUNT, KINDS };

enum action {
	ARM,	/* submit the chain */
	HAPPEN, /* what it waits for: a wake-up, an end, an expiry, a connection, a completion */
	CANCEL, /* ASYNC_CANCEL of the request */
	REMOVE, /* TIMEOUT_REMOVE of it */
	FIRE,	/* have the link timeout run out */
	ACTIONS,
};

enum { MAIN, LIMIT, BEHIND, DOING, REQUESTS };

static const char *const names[ACTIONS] = {"arm", "happen", "cancel", "remove", "fire"};

struct setting {
	enum kind kind;
	bool limited;
	unsigned ring_flags;
};

struct order {
	const struct setting *setting;
	struct io_uring ring;
	enum action actions[ACTIONS];
	unsigned length;
	uint64_t base; /* of user_data */
	bool waiting;  /* the model: the chain's head does */
	bool happened; /* what a later one will find: a child that has ended, a connection */
	struct harness_cqe wanted[REQUESTS];
	unsigned count;
	/* What it waits for. */
	uint32_t word;
	pid_t child;
	int leash; /* closed, it lets the child end */
	siginfo_t info;
	struct sockaddr_un address;
	socklen_t length_of_address;
	int listener, client;
};

#define order_assert(order, condition, ...)                                                        \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			print_error(__VA_ARGS__);                                                  \
			print_error("\norder:");                                                   \
			for (unsigned at = 0; at < (order)->length; at++)                          \
				print_error(" %s", names[(order)->actions[at]]);                   \
			print_error("\n");                                                         \
			fail();                                                                    \
		}                                                                                  \
	} while (0)

/* ---- the model ----------------------------------------------------------------------------- */

static void want(struct order *order, unsigned request, int res)
{
	order->wanted[order->count++] =
		(struct harness_cqe){.user_data = order->base + request, .res = res};
}

/* The chain's head ends with @res; @broken: what is behind it does not run. */
static void want_end(struct order *order, int res, bool broken, int limit_res)
{
	want(order, MAIN, res);
	if (order->setting->limited)
		want(order, LIMIT, limit_res);
	want(order, BEHIND, broken ? -ECANCELED : 0);
	order->waiting = false;
}

static void take_wanted(struct order *order)
{
	while (order->count) {
		struct harness_cqe cqe;
		unsigned i;

		if (!io_uring_cq_ready(&order->ring)) {
			struct __kernel_timespec limit = harness_deadline();
			struct io_uring_cqe *first;

			order_assert(order,
				     !io_uring_wait_cqe_timeout(&order->ring, &first, &limit),
				     "no completion of request %d, res %d",
				     (int)(order->wanted[0].user_data - order->base),
				     order->wanted[0].res);
		}
		cqe = harness_next(&order->ring);
		for (i = 0; i < order->count; i++)
			if (order->wanted[i].user_data == cqe.user_data)
				break;
		order_assert(order, i < order->count, "unexpected: request %d res %d",
			     (int)(cqe.user_data - order->base), cqe.res);
		/* A descriptor is as good as another. */
		if (order->setting->kind == CONNECTION && cqe.res > 0) {
			close(cqe.res);
			cqe.res = order->wanted[i].res > 0 ? order->wanted[i].res : cqe.res;
		}
		order_assert(order, cqe.res == order->wanted[i].res, "request %d: res %d, not %d",
			     (int)(cqe.user_data - order->base), cqe.res, order->wanted[i].res);
		order->wanted[i] = order->wanted[--order->count];
	}
	order_assert(order, !io_uring_cq_ready(&order->ring), "one completion too many");
}

/* ---- the world ----------------------------------------------------------------------------- */

static void open_world(struct order *order)
{
	int ends[2];

	order->base += 16;
	order->waiting = order->happened = false;
	order->client = -1;
	switch (order->setting->kind) {
	case CHILD:
		harness_pipe(ends);
		order->child = fork();
		assert_true(order->child >= 0);
		if (!order->child) {
			char byte;

			close(ends[1]);
			_exit(read(ends[0], &byte, 1) != 0);
		}
		close(ends[0]);
		order->leash = ends[1];
		break;
	case CONNECTION:
		order->listener = net_unix_listener(4, &order->address, &order->length_of_address);
		break;
	default:
		break;
	}
}

static void close_world(struct order *order)
{
	int status;

	if (order->setting->kind == CHILD) {
		if (order->leash >= 0)
			close(order->leash);
		/* It may have been waited for already. */
		waitpid(order->child, &status, 0);
	}
	if (order->setting->kind == CONNECTION) {
		close(order->listener);
		if (order->client >= 0)
			close(order->client);
	}
}

/* ---- actions ------------------------------------------------------------------------------- */

#define order_prep(order, request, more, prep, ...)                                                \
	ops_prep(&(order)->ring, (order)->base + (request), more, prep, ##__VA_ARGS__)

static void prep_main(struct order *order)
{
	switch (order->setting->kind) {
	case FUTEX:
		order_prep(order, MAIN, IOSQE_IO_LINK, futex_wait, &order->word, 0,
			   FUTEX_BITSET_MATCH_ANY, FUTEX2_SIZE_U32 | FUTEX2_PRIVATE, 0);
		break;
	case CHILD:
		order_prep(order, MAIN, IOSQE_IO_LINK, waitid, P_PID, (id_t)order->child,
			   &order->info, WEXITED, 0);
		break;
	case TIME:
		order_prep(order, MAIN, IOSQE_IO_LINK, timeout, &never, 0, 0);
		break;
	case CONNECTION:
		order_prep(order, MAIN, IOSQE_IO_LINK, accept, order->listener, NULL, NULL,
			   SOCK_CLOEXEC);
		break;
	default:
		order_prep(order, MAIN, IOSQE_IO_LINK, timeout, &never, 1, 0);
		break;
	}
}

static void arm(struct order *order)
{
	prep_main(order);
	if (order->setting->limited)
		order_prep(order, LIMIT, IOSQE_IO_LINK, link_timeout, &never, 0);
	order_prep(order, BEHIND, 0, nop);
	harness_submit(&order->ring, 2 + order->setting->limited);
	order->waiting = true;
	if (order->happened) {
		want_end(order, order->setting->kind == CONNECTION, false, -ECANCELED);
		order->happened = false;
	}
}

static void end_child(struct order *order)
{
	close(order->leash);
	order->leash = -1;
	order->happened = !order->waiting;
	if (order->waiting) {
		want_end(order, 0, false, -ECANCELED);
		return;
	}
	/* Seen before what comes next, and left where it is. */
	assert_int_equal(waitid(P_PID, (id_t)order->child, &order->info, WEXITED | WNOWAIT), 0);
}

static void connect_to(struct order *order)
{
	order->client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(order->client, (struct sockaddr *)&order->address,
				 order->length_of_address),
			 0);
	order->happened = !order->waiting;
	if (order->waiting)
		want_end(order, 1, false, -ECANCELED);
}

static void happen(struct order *order)
{
	bool waiting = order->waiting;

	switch (order->setting->kind) {
	case FUTEX:
		order_prep(order, DOING, 0, futex_wake, &order->word, 1, FUTEX_BITSET_MATCH_ANY,
			   FUTEX2_SIZE_U32 | FUTEX2_PRIVATE, 0);
		break;
	case CHILD:
		end_child(order);
		return;
	case TIME:
		order_prep(order, DOING, 0, timeout_update, &at_once, order->base + MAIN, 0);
		break;
	case CONNECTION:
		connect_to(order);
		return;
	default:
		order_prep(order, DOING, 0, nop);
		break;
	}
	harness_submit(&order->ring, 1);
	switch (order->setting->kind) {
	case FUTEX:
		want(order, DOING, waiting);
		break;
	case TIME:
		want(order, DOING, waiting ? 0 : -ENOENT);
		break;
	default:
		want(order, DOING, 0);
		break;
	}
	if (waiting)
		want_end(order, order->setting->kind == TIME ? -ETIME : 0,
			 order->setting->kind == TIME, -ECANCELED);
}

/* Who waits for a futex or a child is counted; and a futex breaks no chain. */
static bool is_counted(const struct order *order)
{
	return order->setting->kind == FUTEX || order->setting->kind == CHILD;
}

static void cancel(struct order *order)
{
	order_prep(order, DOING, 0, cancel64, order->base + MAIN, 0);
	harness_submit(&order->ring, 1);
	want(order, DOING, order->waiting ? is_counted(order) : -ENOENT);
	if (order->waiting)
		want_end(order, -ECANCELED, order->setting->kind != FUTEX, -ECANCELED);
}

static void take_away(struct order *order)
{
	bool found =
		order->waiting && (order->setting->kind == TIME || order->setting->kind == COUNT);

	order_prep(order, DOING, 0, timeout_remove, order->base + MAIN, 0);
	harness_submit(&order->ring, 1);
	want(order, DOING, found ? 0 : -ENOENT);
	if (found)
		want_end(order, -ECANCELED, true, -ECANCELED);
	else if (order->waiting && order->setting->kind == COUNT)
		want_end(order, 0, false, -ECANCELED);
}

static void fire(struct order *order)
{
	bool found = order->waiting && order->setting->limited;

	order_prep(order, DOING, 0, timeout_update, &at_once, order->base + LIMIT,
		   IORING_LINK_TIMEOUT_UPDATE);
	harness_submit(&order->ring, 1);
	want(order, DOING, found ? 0 : -ENOENT);
	if (found)
		want_end(order, -ECANCELED, order->setting->kind != FUTEX,
			 is_counted(order) ? 1 : -ETIME);
	else if (order->waiting && order->setting->kind == COUNT)
		want_end(order, 0, false, -ECANCELED);
}

static void run(struct order *order)
{
	static void (*const actions[ACTIONS])(struct order *) = {arm, happen, cancel, take_away,
								 fire};

	open_world(order);
	for (unsigned i = 0; i < order->length; i++) {
		actions[order->actions[i]](order);
		take_wanted(order);
	}
	if (order->waiting) {
		cancel(order);
		take_wanted(order);
	}
	close_world(order);
}

/* All permutations of some of the actions, with ARM among them. */
static void enumerate(struct order *order, unsigned used)
{
	if (used & 1u << ARM)
		run(order);
	for (enum action action = 0; action < ACTIONS; action++) {
		if (used & 1u << action)
			continue;
		/* The update of a link timeout is a completion, too, and would be counted. */
		if (order->setting->kind == COUNT && order->setting->limited && action == FIRE)
			continue;
		order->actions[order->length++] = action;
		enumerate(order, used | 1u << action);
		order->length--;
	}
}

static void all_orders(void **state)
{
	struct order order = {.setting = *state};

	if (order.setting->kind == FUTEX)
		harness_skip_unless_opcode(IORING_OP_FUTEX_WAIT);
	if (order.setting->kind == CHILD)
		harness_skip_unless_opcode(IORING_OP_WAITID);
	harness_limit_time(HARNESS_SECONDS);
	harness_init(&order.ring, 16, order.setting->ring_flags);
	enumerate(&order, 0);
	io_uring_queue_exit(&order.ring);
}

#define order_test(title, of_kind, with_limit, flags)                                              \
	{                                                                                          \
		.name = title, .test_func = all_orders, .initial_state = &(struct setting)         \
		{                                                                                  \
			.kind = of_kind, .limited = with_limit, .ring_flags = flags,               \
		}                                                                                  \
	}

#define order_tests(title, of_kind)                                                                \
	order_test(title, of_kind, false, 0), order_test(title ", limited", of_kind, true, 0),     \
		order_test(title ", deferred", of_kind, false, DEFER),                             \
		order_test(title ", limited, deferred", of_kind, true, DEFER)

int main(void)
{
	const struct CMUnitTest tests[] = {
		order_tests("futex", FUTEX), order_tests("child", CHILD),
		order_tests("time", TIME),   order_tests("connection", CONNECTION),
		order_tests("count", COUNT),
	};

	return harness_run(tests);
}
