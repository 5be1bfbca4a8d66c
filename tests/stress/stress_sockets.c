/* SPDX-License-Identifier: MIT */
/*
 * Description: 10,000 sockets, each with a multishot receive in flight on one ring: they cost no
 * thread, each gets its data, whole and in order, and ends as what befalls it demands: closed, shut
 * down or reset by the peer, cancelled, shut down or taken out of the table of files by ourselves.
 *
 * The peers are a process of their own, so that each process has one descriptor for a connection:
 * here those of the registered files. Where the limit of descriptors is too low there are fewer.
 */
#include "stress.h"

#include "../settle.h"

#include <dirent.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

enum {
	CONNECTIONS = 10000,
	CONNECTIONS_LEAST = 1000, /* fewer prove nothing */
	OTHER_DESCRIPTORS = 700,
	ROUNDS = 3,
	MESSAGE_MOST = 200,
	/* At first too few, later one for each of those that lose their slots. */
	BUFFERS_AT_FIRST = 128,
	BUFFERS = 2048,
	BUFFER_SIZE = 256,
	GROUP = 7,
	AT_ONCE = 256, /* descriptors on their way into the table, requests in a batch */
	SKIPPED = 77,
};

/* What befalls a connection in the end. */
enum fate {
	STAYS,	      /* cancelled with all others */
	CLOSED,	      /* the peer closes it */
	PEER_SHUT,    /* the peer shuts its half down */
	CANCELLED,    /* by its name */
	RESET,	      /* the peer closes it and has not read everything */
	UNREGISTERED, /* its slot is emptied; data and the end come nevertheless */
	SHUT,	      /* its own end is shut down */
	FATES,
};

static const int results[FATES] = {
	[STAYS] = -ECANCELED, [CANCELLED] = -ECANCELED, [RESET] = -ECONNRESET};

#define OTHER (1ull << 32) /* user_data: not a receive */

struct connection {
	uint64_t expected, received; /* bytes */
	bool unregistered;	     /* could not be armed again */
	bool ended;
	int result;
};

static struct connection *connections;
static unsigned count;
static struct asyncring ring;
static struct asyncring_buf_ring *provided;
static char buffers[BUFFERS][BUFFER_SIZE];
static unsigned ended, answered, starved, rearmed;
static uint64_t received;
static int control; /* to the other process */

static enum fate fate_of(unsigned number)
{
	return (enum fate)(number % FATES);
}

/* ---- what is sent ---- */

static uint64_t mix(uint64_t first, uint64_t second)
{
	struct random random = {first * 0x9e3779b97f4a7c15ull ^ second};

	return random_next(&random);
}

static char byte_of(unsigned number, uint64_t position)
{
	return (char)mix(number, position);
}

static unsigned length_of(unsigned number, unsigned round)
{
	return 1 + (unsigned)(mix(round + 1, number) % MESSAGE_MOST);
}

/* ---- the peers ---- */

static void send_message(int fd, unsigned number, uint64_t *position, unsigned length)
{
	char data[MESSAGE_MOST];

	for (unsigned i = 0; i < length; i++)
		data[i] = byte_of(number, *position + i);
	*position += length;
	check_equal(send(fd, data, length, MSG_NOSIGNAL), length);
}

/* To all, or only to those that stay, starting anywhere and in steps that no count divides. */
static void send_round(const int *fds, uint64_t *positions, unsigned round, bool all)
{
	unsigned number = (unsigned)(mix(round, stress_seed) % count);

	for (unsigned i = 0; i < count; i++) {
		number = (number + 7919) % count;
		if (all || fate_of(number) == STAYS)
			send_message(fds[number], number, &positions[number],
				     length_of(number, round));
	}
}

static void meet_fate(int fd, unsigned number, uint64_t *position)
{
	switch (fate_of(number)) {
	case UNREGISTERED:
		send_message(fd, number, position, 1);
		close(fd);
		break;
	case CLOSED:
	case RESET:
		close(fd);
		break;
	case PEER_SHUT:
		check_equal(shutdown(fd, SHUT_WR), 0);
		break;
	default:
		break;
	}
}

/* Does as it is told, until the other process closes the control socket. */
__attribute__((noreturn)) static void be_the_peers(const struct sockaddr_un *address,
						   socklen_t length, int orders)
{
	int *fds = calloc(count, sizeof(*fds));
	uint64_t *positions = calloc(count, sizeof(*positions));
	unsigned round = 0;
	char order;

	check(fds && positions);
	for (unsigned i = 0; i < count; i++) {
		fds[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		check(fds[i] >= 0);
		check_equal(connect(fds[i], (const struct sockaddr *)address, length), 0);
	}
	while (read(orders, &order, 1) == 1) {
		if (order == 'f')
			for (unsigned i = 0; i < count; i++)
				meet_fate(fds[i], i, &positions[i]);
		else
			send_round(fds, positions, round++, order == 'a');
		check_equal(write(orders, &order, 1), 1);
	}
	_exit(0);
}

static void order(char what)
{
	check_equal(write(control, &what, 1), 1);
}

/* It has done what it was told. */
static void await_order(char what)
{
	char answer = 0;

	check_equal(read(control, &answer, 1), 1);
	check_equal(answer, what);
}

/* ---- connections ---- */

/* The i-th that connects is the i-th that is accepted: it goes to slot i. */
static void take_connections(int listener)
{
	int fds[AT_ONCE];

	check_equal(asyncring_register_files_sparse(&ring, count), 0);
	for (unsigned first = 0; first < count; first += AT_ONCE) {
		unsigned part = count - first < AT_ONCE ? count - first : AT_ONCE;

		for (unsigned i = 0; i < part; i++) {
			fds[i] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
			check(fds[i] >= 0);
		}
		check_equal(asyncring_register_files_update(&ring, first, fds, part), part);
		for (unsigned i = 0; i < part; i++)
			close(fds[i]);
	}
}

static void provide(unsigned id)
{
	asyncring_buf_ring_add(provided, buffers[id], BUFFER_SIZE, (unsigned short)id,
			       asyncring_buf_ring_mask(BUFFERS), 0);
	asyncring_buf_ring_advance(provided, 1);
}

/* An entry for a request on this connection; a full queue is submitted. */
static struct asyncring_sqe *next_entry(void)
{
	struct asyncring_sqe *sqe = asyncring_get_sqe(&ring);

	if (!sqe) {
		check(asyncring_submit(&ring) > 0);
		sqe = asyncring_get_sqe(&ring);
	}
	check(sqe);
	return sqe;
}

static void arm(unsigned number)
{
	struct asyncring_sqe *sqe = next_entry();

	asyncring_prep_recv_multishot(sqe, (int)number, NULL, 0, 0);
	stress_name(sqe, number, ASYNCRING_SQE_BUFFER_SELECT | ASYNCRING_SQE_FIXED_FILE);
	sqe->buf_group = GROUP;
}

/* ---- completions ---- */

static void take_data(unsigned number, const char *data, unsigned length)
{
	struct connection *connection = &connections[number];

	for (unsigned i = 0; i < length; i++)
		check_equal(data[i], byte_of(number, connection->received + i));
	connection->received += length;
	received += length;
}

static void take_completion(const struct completion *completion)
{
	unsigned number = (unsigned)completion->user_data;
	unsigned id = completion->flags >> ASYNCRING_CQE_BUFFER_SHIFT;

	if (completion->user_data >= OTHER) {
		check_equal(completion->res, completion->user_data - OTHER);
		answered++;
		return;
	}
	check(!connections[number].ended);
	if (completion->res > 0) {
		check(completion->flags & ASYNCRING_CQE_F_BUFFER);
		take_data(number, buffers[id], (unsigned)completion->res);
	}
	if (completion->flags & ASYNCRING_CQE_F_BUFFER)
		provide(id);
	if (completion->flags & ASYNCRING_CQE_F_MORE)
		return;
	if (completion->res > 0 || completion->res == -ENOBUFS) {
		starved += completion->res == -ENOBUFS;
		rearmed++;
		check(!connections[number].unregistered);
		arm(number);
		return;
	}
	connections[number].ended = true;
	connections[number].result = completion->res;
	ended++;
}

/* Until so many bytes have come, receives have ended and other requests been answered. */
static void run_until(uint64_t bytes, unsigned ends, unsigned answers)
{
	while (received < bytes || ended < ends || answered < answers) {
		struct asyncring_cqe *cqe;
		int result = asyncring_submit_and_wait(&ring, 1);

		check(result >= 0 || result == -EINTR);
		while (asyncring_peek_cqe(&ring, &cqe) == 0) {
			struct completion copy = {cqe->user_data, cqe->res, cqe->flags};

			asyncring_cqe_seen(&ring, cqe);
			take_completion(&copy);
		}
	}
	check_equal(received, bytes);
	check_equal(ended, ends);
	check_equal(answered, answers);
}

/* ---- counting ---- */

static unsigned count_entries(const char *path)
{
	DIR *directory = opendir(path);
	unsigned entries = 0;

	check(directory);
	while (readdir(directory))
		entries++;
	closedir(directory);
	return entries;
}

/* But for this one and a sanitizer's. */
static unsigned count_threads(void)
{
	return count_entries("/proc/self/task") - 2 - 1 - SETTLE_STRANGERS;
}

/* Nobody waits where requests are armed: only for that one thread may be there, and one is enough.
 */
static void check_threads(void)
{
	unsigned threads = count_threads(), most = 1;

	if (ring.flags & ASYNCRING_SETUP_DEFER_TASKRUN)
		most = 0;
	if (threads > most)
		stress_fail(__FILE__, __LINE__, "%u threads for %u connections", threads, count);
}

/* ---- the test ---- */

static void data_for_all(void)
{
	uint64_t bytes = 0;

	for (unsigned round = 0; round < ROUNDS; round++) {
		order('a');
		for (unsigned i = 0; i < count; i++)
			bytes += length_of(i, round);
		run_until(bytes, 0, 0);
		await_order('a');
		check_threads();
	}
	for (unsigned i = 0; i < count; i++)
		for (unsigned round = 0; round < ROUNDS; round++)
			connections[i].expected += length_of(i, round);
}

static unsigned count_fate(enum fate fate)
{
	return (count - (unsigned)fate + FATES - 1) / FATES;
}

/* What it takes here: the rest is up to the peers. */
static void prepare_fates(void)
{
	int nothing = -1;

	for (unsigned i = 0; i < count; i++) {
		struct asyncring_sqe *sqe;

		switch (fate_of(i)) {
		case RESET: /* something the peer will not read */
			sqe = next_entry();
			asyncring_prep_send(sqe, (int)i, "x", 1, MSG_NOSIGNAL);
			stress_name(sqe, OTHER + 1, ASYNCRING_SQE_FIXED_FILE);
			break;
		case CANCELLED:
			sqe = next_entry();
			asyncring_prep_cancel64(sqe, i, 0);
			stress_name(sqe, OTHER, 0);
			break;
		case SHUT:
			sqe = next_entry();
			asyncring_prep_shutdown(sqe, (int)i, SHUT_RD);
			stress_name(sqe, OTHER, ASYNCRING_SQE_FIXED_FILE);
			break;
		case UNREGISTERED:
			check_equal(asyncring_register_files_update(&ring, i, &nothing, 1), 1);
			connections[i].unregistered = true;
			connections[i].expected++;
			break;
		default:
			break;
		}
	}
}

/* Until all receives are in flight: some may just have been without a buffer. */
static void settle(void)
{
	unsigned before;

	do {
		struct asyncring_sqe *sqe = next_entry();

		before = rearmed;
		asyncring_prep_nop(sqe);
		stress_name(sqe, OTHER, 0);
		run_until(received, 0, answered + 1);
	} while (rearmed != before);
}

static void all_fates(void)
{
	unsigned stay = count_fate(STAYS), answers;
	uint64_t bytes = received;
	struct asyncring_sqe *sqe;

	for (unsigned i = BUFFERS_AT_FIRST; i < BUFFERS; i++)
		provide(i);
	settle();
	answers = answered + count_fate(RESET) + count_fate(CANCELLED) + count_fate(SHUT);
	prepare_fates();
	run_until(bytes, count_fate(CANCELLED) + count_fate(SHUT), answers);
	order('f');
	bytes += count_fate(UNREGISTERED);
	run_until(bytes, count - stay, answers);
	await_order('f');
	check_threads();

	/* Those that are left have not suffered. */
	order('s');
	for (unsigned i = 0; i < count; i++) {
		if (fate_of(i) != STAYS)
			continue;
		connections[i].expected += length_of(i, ROUNDS);
		bytes += length_of(i, ROUNDS);
	}
	run_until(bytes, count - stay, answers);
	await_order('s');
	sqe = next_entry();
	asyncring_prep_cancel64(sqe, 0, ASYNCRING_ASYNC_CANCEL_ANY);
	stress_name(sqe, OTHER + stay, 0);
	run_until(bytes, count, answers + 1);
}

static void check_connections(void)
{
	for (unsigned i = 0; i < count; i++) {
		const struct connection *connection = &connections[i];

		if (connection->received != connection->expected ||
		    connection->result != results[fate_of(i)])
			stress_fail(__FILE__, __LINE__,
				    "connection %u, fate %u: %llu of %llu bytes, result %d", i,
				    fate_of(i), (unsigned long long)connection->received,
				    (unsigned long long)connection->expected, connection->result);
	}
}

static void begin(unsigned flags, int listener)
{
	struct asyncring_params params = {.flags = flags | ASYNCRING_SETUP_CQSIZE,
					  .cq_entries = 16384};
	int error = 0;

	connections = calloc(count, sizeof(*connections));
	check(connections);
	ended = answered = starved = rearmed = 0;
	received = 0;
	check_equal(asyncring_queue_init_params(AT_ONCE, &ring, &params), 0);
	provided = asyncring_setup_buf_ring(&ring, BUFFERS, GROUP, 0, &error);
	check_equal(error, 0);
	for (unsigned i = 0; i < BUFFERS_AT_FIRST; i++)
		provide(i);
	take_connections(listener);
}

static bool alone(void)
{
	for (int i = 0; i < 10000 && count_threads() > 0; i++)
		poll(NULL, 0, 1);
	return count_threads() == 0;
}

static void sockets(unsigned flags)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	socklen_t length = sizeof(address);
	unsigned before = count_entries("/proc/self/fd");
	int ends[2], status, listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	pid_t child;

	check(listener >= 0);
	check_equal(bind(listener, (struct sockaddr *)&address, sizeof(sa_family_t)), 0);
	check_equal(getsockname(listener, (struct sockaddr *)&address, &length), 0);
	check_equal(listen(listener, 4096), 0);
	check_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	fflush(NULL);
	child = fork();
	check(child >= 0);
	if (child == 0) {
		close(listener);
		close(ends[0]);
		be_the_peers(&address, length, ends[1]);
	}
	close(ends[1]);
	control = ends[0];

	begin(flags, listener);
	for (unsigned i = 0; i < count; i++)
		arm(i);
	check(asyncring_submit(&ring) >= 0);
	check_threads();
	print_message("%u receives in flight, threads besides this one: %u\n", count,
		      count_threads());
	data_for_all();
	all_fates();
	check_connections();
	print_message("%llu bytes; buffers had run out for %u\n", (unsigned long long)received,
		      starved);

	asyncring_queue_exit(&ring);
	close(control);
	close(listener);
	check_equal(waitpid(child, &status, 0), child);
	check_equal(status, 0);
	check(alone());
	check_equal(count_entries("/proc/self/fd"), before);
	free(connections);
}

static void of_a_plain_ring(void **state)
{
	(void)state;
	sockets(0);
}

static void of_a_ring_that_defers(void **state)
{
	(void)state;
	sockets(ASYNCRING_SETUP_SINGLE_ISSUER | ASYNCRING_SETUP_DEFER_TASKRUN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_a_plain_ring),
		cmocka_unit_test(of_a_ring_that_defers),
	};
	struct rlimit limit;

	check_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = limit.rlim_max;
	check_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	count = CONNECTIONS;
	if (limit.rlim_cur < CONNECTIONS + OTHER_DESCRIPTORS) {
		count = limit.rlim_cur > OTHER_DESCRIPTORS
				? (unsigned)limit.rlim_cur - OTHER_DESCRIPTORS
				: 0;
		printf("only %u connections: this process may have %llu descriptors\n", count,
		       (unsigned long long)limit.rlim_cur);
	}
	if (count < CONNECTIONS_LEAST) {
		puts("skipped");
		return SKIPPED;
	}
	return stress_run(tests);
}
