/* SPDX-License-Identifier: MIT */
/*
 * Description: all orders of what can happen to a request that waits for readiness, one after the
 * other: after each action come exactly the completions it calls for, and no others.
 *
 * What they are is computed by the little model below: whether there is a byte, which ends are
 * open, which requests wait. The kernel agrees with it in every order.
 */
#include "readiness_orders.h"

struct model {
	struct order *order;
	bool byte, reader_open, writer_open;
	bool waiting[LIMIT + 1]; /* MAIN, SECOND and LIMIT */

	/* Completions that must come now, in any order. */
	struct harness_cqe wanted[8];
	unsigned count;
};

static void want(struct model *model, enum request request, int res, unsigned flags)
{
	model->wanted[model->count++] = (struct harness_cqe){
		.user_data = model->order->base + request,
		.res = res,
		.flags = flags,
	};
}

/* A waiting request ends, and its timeout, if it is still there, with it. */
static void want_end(struct model *model, enum request request, int res)
{
	want(model, request, res, 0);
	model->waiting[request] = false;
	if (request == MAIN && model->waiting[LIMIT]) {
		want(model, LIMIT, -ECANCELED, 0);
		model->waiting[LIMIT] = false;
	}
}

static void take_wanted(struct model *model)
{
	struct order *order = model->order;

	while (model->count) {
		struct harness_cqe cqe;
		unsigned i;

		/* Say which order it is before the harness gives up. */
		if (!io_uring_cq_ready(order->ring)) {
			struct __kernel_timespec limit = harness_deadline();
			struct io_uring_cqe *first;

			order_assert(order, !io_uring_wait_cqe_timeout(order->ring, &first, &limit),
				     "no completion of request %d, res %d",
				     (int)(model->wanted[0].user_data - order->base),
				     model->wanted[0].res);
		}
		cqe = harness_next(order->ring);
		for (i = 0; i < model->count; i++)
			if (model->wanted[i].user_data == cqe.user_data)
				break;
		order_assert(order, i < model->count, "unexpected: request %d res %d flags 0x%x",
			     (int)(cqe.user_data - order->base), cqe.res, cqe.flags);
		order_assert(order,
			     cqe.res == model->wanted[i].res && cqe.flags == model->wanted[i].flags,
			     "request %d: res %d flags 0x%x, not res %d flags 0x%x",
			     (int)(cqe.user_data - order->base), cqe.res, cqe.flags,
			     model->wanted[i].res, model->wanted[i].flags);
		model->wanted[i] = model->wanted[--model->count];
	}
	order_assert(order, !io_uring_cq_ready(order->ring), "one completion too many");
}

static bool is_poll(const struct model *model)
{
	return model->order->setting->kind == POLL || model->order->setting->kind == MULTISHOT;
}

/* What a request would find now: 0 if it has to wait. */
static unsigned mask_now(const struct model *model)
{
	return (model->byte ? POLLIN : 0) | (model->writer_open ? 0 : POLLHUP);
}

/* The request looks at the file and completes if it can. */
static void look(struct model *model, enum request request)
{
	unsigned mask = mask_now(model);

	if (!mask || !model->waiting[request])
		return;
	if (model->order->setting->kind == MULTISHOT) {
		want(model, request, (int)mask, MORE);
	} else if (model->order->setting->kind == POLL) {
		want_end(model, request, (int)mask);
	} else {
		want_end(model, request, model->byte);
		model->byte = false;
	}
}

/*
 * The file has changed: all that wait look at it. Which of two reads is the first is not laid down
 * anywhere: the completion that comes tells.
 */
static void wake(struct model *model)
{
	struct order *order = model->order;
	enum request first = MAIN;

	if (!is_poll(model) && model->byte && model->waiting[MAIN] && model->waiting[SECOND]) {
		struct __kernel_timespec limit = harness_deadline();
		struct io_uring_cqe *cqe;

		order_assert(order, !io_uring_wait_cqe_timeout(order->ring, &cqe, &limit),
			     "neither of two reads completes");
		if (cqe->user_data == order->base + SECOND)
			first = SECOND;
	}
	look(model, first);
	look(model, first == MAIN ? SECOND : MAIN);
}

static bool reader_lives(const struct model *model)
{
	return model->reader_open || model->waiting[MAIN] || model->waiting[SECOND];
}

static void make_ready(struct model *model)
{
	struct order *order = model->order;
	int ret = (int)write(order->writer, "x", 1);

	if (!reader_lives(model)) {
		order_assert(order, ret < 0 && errno == EPIPE, "the file lives: write gave %d",
			     ret);
		return;
	}
	order_assert(order, ret == 1, "write: %s", strerror(errno));
	model->byte = true;
	wake(model);
}

static void end_by(struct model *model, enum request answer, bool found)
{
	want(model, answer, found ? 0 : -ENOENT, 0);
	if (!found)
		return;
	if (answer == FIRING) {
		want(model, LIMIT, -ETIME, 0);
		model->waiting[LIMIT] = false;
	}
	want_end(model, MAIN, -ECANCELED);
}

static void take(struct model *model)
{
	int there = -1;

	assert_int_equal(ioctl(model->order->reader, FIONREAD, &there), 0);
	order_assert(model->order, there == model->byte, "%d bytes in the file, not %d", there,
		     model->byte);
	if (there)
		take_byte(model->order->reader);
	model->byte = false;
}

static void act(struct model *model, enum action action)
{
	struct order *order = model->order;

	order_submit(order, action);
	switch (action) {
	case ARM:
		model->waiting[MAIN] = true;
		model->waiting[LIMIT] = order->setting->limited;
		look(model, MAIN);
		break;
	case DUPLICATE:
		model->waiting[SECOND] = true;
		look(model, SECOND);
		break;
	case READY:
		make_ready(model);
		break;
	case CANCEL:
		end_by(model, CANCELLATION, model->waiting[MAIN]);
		break;
	case REMOVE:
		end_by(model, REMOVAL, is_poll(model) && model->waiting[MAIN]);
		break;
	case FIRE:
		end_by(model, FIRING, model->waiting[LIMIT]);
		break;
	case TAKE:
		take(model);
		break;
	case CLOSE:
		order_close_end(&order->reader);
		model->reader_open = false;
		break;
	case HANGUP:
		order_close_end(&order->writer);
		model->writer_open = false;
		wake(model);
		break;
	default:
		fail();
	}
	take_wanted(model);
}

static void run(struct order *order)
{
	struct model model = {.order = order, .reader_open = true, .writer_open = true};
	int left;

	for (unsigned i = 0; i < order->length; i++)
		act(&model, order->actions[i]);
	/* What the model says is waiting is found, and nothing else. */
	left = model.waiting[MAIN] + model.waiting[SECOND];
	ops_prep(order->ring, order->base, 0, cancel64, 0, IORING_ASYNC_CANCEL_ANY);
	harness_submit(order->ring, 1);
	want(&model, 0, left, 0);
	for (enum request request = MAIN; request <= SECOND; request++)
		if (model.waiting[request])
			want_end(&model, request, -ECANCELED);
	take_wanted(&model);
}

static void all_orders(void **state)
{
	order_run_setting(*state, run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {order_tests(all_orders, 0)};

	return harness_run(tests);
}
