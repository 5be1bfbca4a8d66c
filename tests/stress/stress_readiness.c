/* SPDX-License-Identifier: MIT */
/*
 * Requests that wait for readiness and for time: armed, woken, cancelled, bounded by link timeouts,
 * closed under their feet, from several threads with a ring each of another kind, over files that
 * all rings wait on at once. Each request ends exactly once, and nothing hangs.
 */
#include "stress.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

enum {
	ROUNDS = 40,
	STEPS = 120,
	SLOTS = 48, /* requests in flight on a ring */
	SHARED = 6, /* channels that every ring waits on */
	OWN = 3,    /* and those of one ring, closed and made anew */
	CHANNELS = SHARED + OWN,
	NO_SLOT = 0xffff, /* user_data of those that ask for something */
	THE_END = 0xfffe,
};

enum kind { PLAIN, DEFERRING, POLLED, SPLIT, KINDS };

/* Something is written to one end and comes out of the other. */
struct channel {
	int in, out;
	bool is_socket;
};

struct slot {
	_Atomic bool busy; /* set by the submitter, cleared by who reaps */
	uint32_t generation;
	bool multishot;
};

struct actor {
	struct asyncring ring;
	enum kind kind;
	struct random random;
	struct channel own[OWN];
	struct slot slots[SLOTS];
	_Atomic unsigned busy;
	char sink[SLOTS][16];
};

static struct channel shared[SHARED];
static atomic_bool over;

/* Constant, for an SQ thread reads them when it likes. */
static struct __kernel_timespec times[] = {
	{0, 0}, {0, 100000}, {0, 500000}, {0, 2000000}, {1000, 0},
};

static const unsigned ring_flags[KINDS] = {
	[DEFERRING] = ASYNCRING_SETUP_SINGLE_ISSUER | ASYNCRING_SETUP_DEFER_TASKRUN,
	[POLLED] = ASYNCRING_SETUP_SQPOLL,
};

/* ---- channels ---- */

static void open_channel(struct channel *channel, unsigned which)
{
	int ends[2];

	channel->is_socket = which % 3 == 1;
	if (which % 3 == 2) {
		channel->in = channel->out = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		check(channel->in >= 0);
		return;
	}
	if (channel->is_socket)
		check_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	else
		stress_pipe(ends);
	channel->out = ends[0];
	channel->in = ends[1];
	check_equal(fcntl(channel->in, F_SETFL, O_NONBLOCK), 0);
}

static void close_channel(const struct channel *channel)
{
	close(channel->in);
	if (channel->out != channel->in)
		close(channel->out);
}

static void wake_channel(const struct channel *channel)
{
	uint64_t one = 1;

	/* If it is full that is readiness enough. */
	if (write(channel->in, &one, sizeof(one)) < 0)
		check_equal(errno, EAGAIN);
}

static void *keep_waking(void *argument)
{
	struct random random = random_stream((uintptr_t)argument);

	while (!atomic_load(&over)) {
		wake_channel(&shared[random_below(&random, SHARED)]);
		if (random_chance(&random, 30))
			poll(NULL, 0, 1);
	}
	return NULL;
}

/* ---- what is asked for ---- */

static struct channel *any_channel(struct actor *actor)
{
	unsigned which = random_below(&actor->random, CHANNELS);

	return which < SHARED ? &shared[which] : &actor->own[which - SHARED];
}

static struct __kernel_timespec *any_time(struct actor *actor)
{
	return &times[random_below(&actor->random, ARRAY_SIZE(times))];
}

static uint64_t name_of(const struct actor *actor, unsigned slot)
{
	return (uint64_t)actor->slots[slot].generation << 16 | slot;
}

/* SLOTS: there is none. */
static unsigned free_slot(struct actor *actor)
{
	unsigned slot = random_below(&actor->random, SLOTS);

	for (unsigned i = 0; i < SLOTS; i++, slot = (slot + 1) % SLOTS)
		if (!atomic_load(&actor->slots[slot].busy))
			return slot;
	return SLOTS;
}

static void take_slot(struct actor *actor, struct asyncring_sqe *sqe, unsigned slot, unsigned flags,
		      bool multishot)
{
	actor->slots[slot].generation++;
	actor->slots[slot].multishot = multishot;
	atomic_fetch_add(&actor->busy, 1);
	atomic_store(&actor->slots[slot].busy, true);
	stress_name(sqe, name_of(actor, slot), flags);
}

/* True if it was a multishot one. */
static bool prepare_wait(struct actor *actor, struct asyncring_sqe *sqe, unsigned slot)
{
	const struct channel *channel = any_channel(actor);
	unsigned mask = random_chance(&actor->random, 80) ? POLLIN : POLLPRI;

	switch (random_below(&actor->random, 4)) {
	case 0:
		asyncring_prep_poll_add(sqe, channel->out, mask);
		return false;
	case 1:
		asyncring_prep_poll_multishot(sqe, channel->out, mask);
		return true;
	default:
		if (channel->is_socket)
			asyncring_prep_recv(sqe, channel->out, actor->sink[slot], 16, 0);
		else
			asyncring_prep_read(sqe, channel->out, actor->sink[slot], 16, 0);
		return false;
	}
}

static bool prepare_timeout(struct actor *actor, struct asyncring_sqe *sqe)
{
	unsigned which = random_below(&actor->random, 3);
	static const unsigned clocks[] = {0, ASYNCRING_TIMEOUT_BOOTTIME,
					  ASYNCRING_TIMEOUT_REALTIME};
	unsigned flags = clocks[random_below(&actor->random, ARRAY_SIZE(clocks))];

	if (which == 2)
		flags |= ASYNCRING_TIMEOUT_MULTISHOT;
	asyncring_prep_timeout(sqe, any_time(actor),
			       which ? 1 + random_below(&actor->random, 3) : 0, flags);
	return which == 2;
}

static void prepare_removal(struct actor *actor, struct asyncring_sqe *sqe)
{
	uint64_t name = name_of(actor, random_below(&actor->random, SLOTS));

	switch (random_below(&actor->random, 4)) {
	case 0:
		asyncring_prep_poll_remove(sqe, name);
		break;
	case 1:
		asyncring_prep_timeout_remove(sqe, name, 0);
		break;
	case 2:
		asyncring_prep_timeout_update(sqe, any_time(actor), name, 0);
		break;
	default:
		asyncring_prep_cancel64(sqe, name, 0);
	}
	stress_name(sqe, NO_SLOT, 0);
}

/* The number of SQEs prepared. */
static unsigned prepare_something(struct actor *actor)
{
	unsigned choice = random_below(&actor->random, 10), slot = free_slot(actor), behind;
	struct asyncring_sqe *sqe;
	bool multishot;

	if (choice < 2 || slot == SLOTS) {
		prepare_removal(actor, stress_sqe(&actor->ring, NO_SLOT));
		return 1;
	}
	sqe = stress_sqe(&actor->ring, 0);
	if (choice < 4) {
		multishot = prepare_timeout(actor, sqe);
		take_slot(actor, sqe, slot, 0, multishot);
		return 1;
	}
	multishot = prepare_wait(actor, sqe, slot);
	if (choice < 7) {
		take_slot(actor, sqe, slot, choice == 4 ? ASYNCRING_SQE_ASYNC : 0, multishot);
		return 1;
	}
	take_slot(actor, sqe, slot, 0, multishot);
	behind = free_slot(actor);
	if (behind == SLOTS)
		return 1;
	sqe->flags |= ASYNCRING_SQE_IO_LINK;
	sqe = stress_sqe(&actor->ring, 0);
	asyncring_prep_link_timeout(sqe, any_time(actor), 0);
	take_slot(actor, sqe, behind, 0, false);
	return 2;
}

/* ---- what comes out ---- */

static bool take_in(struct actor *actor, const struct completion *completion)
{
	unsigned slot = completion->user_data & 0xffff;

	if (slot == THE_END)
		return false;
	if (slot == NO_SLOT)
		return true;
	check(slot < SLOTS);
	check(atomic_load(&actor->slots[slot].busy));
	check_equal(completion->user_data, name_of(actor, slot));
	check(completion->res != -EFAULT && completion->res != -EINVAL &&
	      completion->res != -EBADF);
	if (completion->flags & ASYNCRING_CQE_F_MORE) {
		check(actor->slots[slot].multishot);
		return true;
	}
	atomic_store(&actor->slots[slot].busy, false);
	atomic_fetch_sub(&actor->busy, 1);
	return true;
}

/* Not for ever: a timeout of no interval that an update has made endless has always one more. */
static void take_what_is_there(struct actor *actor)
{
	struct asyncring_cqe *cqe;
	unsigned most = 256;

	if (actor->kind == DEFERRING)
		asyncring_get_events(&actor->ring);
	while (most-- && !asyncring_peek_cqe(&actor->ring, &cqe)) {
		struct completion copy = {cqe->user_data, cqe->res, cqe->flags};

		asyncring_cqe_seen(&actor->ring, cqe);
		take_in(actor, &copy);
	}
}

static void *keep_reaping(void *argument)
{
	struct actor *actor = argument;
	struct completion completion;

	do
		completion = stress_next(&actor->ring);
	while (take_in(actor, &completion));
	return NULL;
}

static void look(struct actor *actor)
{
	struct __kernel_timespec moment = {.tv_nsec = 300000};
	struct pollfd readable = {.fd = actor->ring.ring_fd, .events = POLLIN};
	struct asyncring_cqe *cqe;

	if (actor->kind == SPLIT)
		return;
	switch (random_below(&actor->random, 4)) {
	case 0:
		asyncring_wait_cqe_timeout(&actor->ring, &cqe, &moment);
		break;
	case 1:
		poll(&readable, 1, 2);
		break;
	default:
		break;
	}
	take_what_is_there(actor);
}

/* Cancel until everything has ended: by whoever sleeps, or by who polls the ring's descriptor. */
static void end_all(struct actor *actor)
{
	bool polls = random_chance(&actor->random, 50);

	while (atomic_load(&actor->busy)) {
		struct asyncring_sqe *sqe = stress_sqe(&actor->ring, NO_SLOT);

		asyncring_prep_cancel64(sqe, 0, ASYNCRING_ASYNC_CANCEL_ANY);
		stress_name(sqe, NO_SLOT, 0);
		stress_submit(&actor->ring, 1);
		if (actor->kind == SPLIT) {
			sched_yield();
			continue;
		}
		if (polls) {
			struct pollfd readable = {.fd = actor->ring.ring_fd, .events = POLLIN};

			check_equal(poll(&readable, 1, 20000), 1);
			take_what_is_there(actor);
		} else {
			struct completion completion = stress_next(&actor->ring);

			/* Others may have to be asked for. */
			take_in(actor, &completion);
			take_what_is_there(actor);
		}
	}
}

/* ---- the actors ---- */

static void do_steps(struct actor *actor)
{
	for (unsigned step = 0; step < STEPS; step++) {
		unsigned count = 0;

		for (unsigned i = random_below(&actor->random, 4) + 1; i; i--)
			count += prepare_something(actor);
		stress_submit(&actor->ring, count);
		if (random_chance(&actor->random, 40))
			wake_channel(any_channel(actor));
		if (random_chance(&actor->random, 5)) {
			unsigned which = random_below(&actor->random, OWN);

			/* An SQ thread may not have taken yet what names the old descriptors. */
			while (actor->kind == POLLED && asyncring_sq_ready(&actor->ring))
				sched_yield();
			close_channel(&actor->own[which]);
			open_channel(&actor->own[which], which);
		}
		look(actor);
	}
}

static void one_ring(struct actor *actor)
{
	bool leaves_everything = random_chance(&actor->random, 30);
	pthread_t reaper;

	stress_ring(&actor->ring, 16, ring_flags[actor->kind]);
	if (actor->kind == SPLIT)
		stress_thread(&reaper, keep_reaping, actor);
	do_steps(actor);
	if (!leaves_everything)
		end_all(actor);
	if (actor->kind == SPLIT) {
		struct asyncring_sqe *sqe = stress_sqe(&actor->ring, 0);

		asyncring_prep_nop(sqe);
		stress_name(sqe, THE_END, 0);
		stress_submit(&actor->ring, 1);
		stress_join(reaper);
	}
	asyncring_queue_exit(&actor->ring);
	for (unsigned i = 0; i < SLOTS; i++)
		atomic_store(&actor->slots[i].busy, false);
	atomic_store(&actor->busy, 0);
}

static void *act(void *argument)
{
	struct actor *actor = argument;
	uint64_t start = stress_now_ns();

	for (unsigned i = 0; i < OWN; i++)
		open_channel(&actor->own[i], i);
	for (unsigned round = 0; round < ROUNDS && stress_time_left(start); round++)
		one_ring(actor);
	for (unsigned i = 0; i < OWN; i++)
		close_channel(&actor->own[i]);
	return NULL;
}

static void all_kinds_of_rings_at_once(void **state)
{
	static struct actor actors[KINDS];
	pthread_t threads[KINDS], waker;

	(void)state;
	for (unsigned i = 0; i < SHARED; i++)
		open_channel(&shared[i], i);
	stress_thread(&waker, keep_waking, (void *)(uintptr_t)KINDS);
	for (unsigned i = 0; i < KINDS; i++) {
		actors[i].kind = (enum kind)i;
		actors[i].random = random_stream(i);
		stress_thread(&threads[i], act, &actors[i]);
	}
	for (unsigned i = 0; i < KINDS; i++)
		stress_join(threads[i]);
	atomic_store(&over, true);
	stress_join(waker);
	for (unsigned i = 0; i < SHARED; i++)
		close_channel(&shared[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_kinds_of_rings_at_once),
	};

	return stress_run(tests);
}
