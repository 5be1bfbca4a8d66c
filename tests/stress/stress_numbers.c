/* SPDX-License-Identifier: MIT */
/*
 * Descriptors whose numbers stand for one socket now and for another the next moment: closed,
 * opened anew, duplicated onto each other and registered, between any two receives. Each receive is
 * of the socket that its number stood for when it was submitted, also if it waits; what nothing
 * waits on and no number stands for is closed.
 */
#include "stress.h"

#include <poll.h>
#include <sys/socket.h>

enum {
	THREADS = 3,
	RINGS = 2,
	SOCKETS = 5,
	NUMBERS = 8,
	SLOTS = 3, /* of registered files, of each ring */
	STEPS = 30000,
	CANCEL = 1000,
	NONE = -1,
};

struct socket {
	bool there;
	int peer;
	unsigned holders; /* numbers and slots */
	uint8_t sent, received;
	int waits_on; /* the ring where a receive waits; NONE */
	unsigned char byte;
};

struct world {
	struct random random;
	struct asyncring rings[RINGS];
	struct socket sockets[SOCKETS];
	int numbers[NUMBERS]; /* descriptors, NONE: closed */
	int behind[NUMBERS];  /* which socket */
	int slots[RINGS][SLOTS];
};

/* ---- the model ---- */

static void let_go(struct world *world, int which)
{
	struct socket *socket = &world->sockets[which];
	struct pollfd peer = {.fd = socket->peer, .events = POLLRDHUP};

	if (--socket->holders || socket->waits_on != NONE)
		return;
	/* Who drives meanwhile may be about to put what it had. */
	check_equal(poll(&peer, 1, 20000), 1);
	close(socket->peer);
	socket->there = false;
}

static void close_number(struct world *world, unsigned number)
{
	if (world->numbers[number] == NONE)
		return;
	close(world->numbers[number]);
	world->numbers[number] = NONE;
	let_go(world, world->behind[number]);
}

static void empty_slot(struct world *world, unsigned ring, unsigned slot)
{
	int which = world->slots[ring][slot], none = -1;

	if (which == NONE)
		return;
	check_equal(asyncring_register_files_update(&world->rings[ring], slot, &none, 1), 1);
	world->slots[ring][slot] = NONE;
	let_go(world, which);
}

static void open_socket(struct world *world, unsigned number)
{
	unsigned which = 0;
	int ends[2];

	while (which < SOCKETS && world->sockets[which].there)
		which++;
	if (which == SOCKETS)
		return;
	close_number(world, number);
	check_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	world->numbers[number] = ends[0];
	world->behind[number] = (int)which;
	world->sockets[which] =
		(struct socket){.there = true, .peer = ends[1], .holders = 1, .waits_on = NONE};
}

static void duplicate(struct world *world, unsigned from, unsigned to)
{
	int was = world->numbers[to];

	if (world->numbers[from] == NONE || from == to)
		return;
	world->sockets[world->behind[from]].holders++;
	if (was == NONE) {
		world->numbers[to] = fcntl(world->numbers[from], F_DUPFD_CLOEXEC, 0);
		check(world->numbers[to] >= 0);
		world->behind[to] = world->behind[from];
		return;
	}
	check_equal(dup3(world->numbers[from], was, O_CLOEXEC), was);
	let_go(world, world->behind[to]);
	world->behind[to] = world->behind[from];
}

static void register_number(struct world *world, unsigned ring, unsigned slot, unsigned number)
{
	if (world->numbers[number] == NONE)
		return;
	empty_slot(world, ring, slot);
	if (world->numbers[number] == NONE)
		return;
	check_equal(asyncring_register_files_update(&world->rings[ring], slot,
						    &world->numbers[number], 1),
		    1);
	world->slots[ring][slot] = world->behind[number];
	world->sockets[world->behind[number]].holders++;
}

/* ---- requests ---- */

static void expect(struct asyncring *ring, uint64_t user_data, int result)
{
	struct completion completion = stress_next(ring);

	check_equal(completion.user_data, user_data);
	check_equal(completion.res, result);
}

static void arrives(struct socket *socket, struct asyncring *ring, int which)
{
	expect(ring, (uint64_t)which, 1);
	check_equal(socket->byte, socket->received);
	socket->received++;
}

static void begin(struct world *world, unsigned ring, int which, int fd, unsigned flags)
{
	struct socket *socket = &world->sockets[which];
	struct asyncring_sqe *sqe;

	if (socket->waits_on != NONE)
		return;
	sqe = stress_sqe(&world->rings[ring], 0);
	asyncring_prep_recv(sqe, fd, &socket->byte, 1, 0);
	if (random_chance(&world->random, 20))
		sqe->ioprio |= ASYNCRING_RECVSEND_POLL_FIRST;
	stress_name(sqe, (uint64_t)which, flags);
	stress_submit(&world->rings[ring], 1);
	if (socket->sent == socket->received)
		socket->waits_on = (int)ring;
	else
		arrives(socket, &world->rings[ring], which);
}

static void send_byte(struct world *world, int which)
{
	struct socket *socket = &world->sockets[which];
	int ring = socket->waits_on;

	check_equal(send(socket->peer, &socket->sent, 1, MSG_NOSIGNAL), 1);
	socket->sent++;
	if (ring == NONE)
		return;
	arrives(socket, &world->rings[ring], which);
	socket->waits_on = NONE;
}

static void cancel(struct world *world, int which)
{
	struct socket *socket = &world->sockets[which];
	struct asyncring *ring = &world->rings[socket->waits_on == NONE ? 0 : socket->waits_on];
	struct completion first, second;

	if (socket->waits_on == NONE)
		return;
	asyncring_prep_cancel64(stress_sqe(ring, 0), (uint64_t)which, 0);
	ring->sq.sqes[(ring->sq.sqe_tail - 1) & ring->sq.ring_mask].user_data = CANCEL;
	stress_submit(ring, 1);
	first = stress_next(ring);
	second = stress_next(ring);
	check_equal(first.user_data + second.user_data, CANCEL + which);
	check_equal(first.res + second.res, -ECANCELED);
	socket->waits_on = NONE;
}

/* The socket is not waited on any more: is it anybody's? */
static void settle(struct world *world, int which)
{
	struct socket *socket = &world->sockets[which];

	if (!socket->there || socket->holders || socket->waits_on != NONE)
		return;
	socket->holders = 1;
	let_go(world, which);
}

static void step(struct world *world)
{
	struct random *random = &world->random;
	unsigned number = random_below(random, NUMBERS), ring = random_below(random, RINGS);
	unsigned slot = random_below(random, SLOTS);
	int which = (int)random_below(random, SOCKETS);

	switch (random_below(random, 10)) {
	case 0:
		open_socket(world, number);
		break;
	case 1:
		close_number(world, number);
		break;
	case 2:
		duplicate(world, random_below(random, NUMBERS), number);
		break;
	case 3:
		register_number(world, ring, slot, number);
		break;
	case 4:
		empty_slot(world, ring, slot);
		break;
	case 5:
		if (world->sockets[which].there)
			cancel(world, which);
		break;
	case 6:
		if (world->slots[ring][slot] != NONE)
			begin(world, ring, world->slots[ring][slot], (int)slot,
			      ASYNCRING_SQE_FIXED_FILE);
		break;
	case 7:
	case 8:
		if (world->numbers[number] != NONE)
			begin(world, ring, world->behind[number], world->numbers[number], 0);
		break;
	default:
		if (world->sockets[which].there)
			send_byte(world, which);
	}
	settle(world, which);
}

static void end(struct world *world)
{
	for (unsigned i = 0; i < NUMBERS; i++)
		close_number(world, i);
	for (unsigned i = 0; i < RINGS; i++) {
		for (unsigned j = 0; j < SLOTS; j++)
			empty_slot(world, i, j);
	}
	for (int i = 0; i < SOCKETS; i++) {
		if (world->sockets[i].there)
			cancel(world, i);
		settle(world, i);
		check(!world->sockets[i].there);
	}
	for (unsigned i = 0; i < RINGS; i++)
		asyncring_queue_exit(&world->rings[i]);
}

static void *act(void *argument)
{
	struct world *world = argument;
	uint64_t start = stress_now_ns();

	stress_ring(&world->rings[0], 8, 0);
	stress_ring(&world->rings[1], 8,
		    ASYNCRING_SETUP_SINGLE_ISSUER | ASYNCRING_SETUP_DEFER_TASKRUN);
	for (unsigned i = 0; i < NUMBERS; i++)
		world->numbers[i] = NONE;
	for (unsigned i = 0; i < RINGS; i++) {
		check_equal(asyncring_register_files_sparse(&world->rings[i], SLOTS), 0);
		for (unsigned j = 0; j < SLOTS; j++)
			world->slots[i][j] = NONE;
	}
	for (unsigned i = 0; i < STEPS && stress_time_left(start); i++)
		step(world);
	end(world);
	return NULL;
}

static void numbers_come_and_go(void **state)
{
	static struct world worlds[THREADS];
	pthread_t threads[THREADS];

	(void)state;
	for (unsigned i = 0; i < THREADS; i++) {
		worlds[i].random = random_stream(i);
		stress_thread(&threads[i], act, &worlds[i]);
	}
	for (unsigned i = 0; i < THREADS; i++)
		stress_join(threads[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_come_and_go),
	};

	return stress_run(tests);
}
