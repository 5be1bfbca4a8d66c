/* SPDX-License-Identifier: MIT */
/*
 * Description: the other side of an echo server: many connections from one process, over plain
 * epoll, that check every byte which comes back.
 *
 * What a connection sends is a function of the seed and the position, so it need not be kept. The
 * order of things does not depend on time; the whole is bounded by an alarm. The first thing that
 * is not as it has to be ends the process with status 1 and a message.
 */
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <arpa/inet.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define CHUNK_MOST     65536U
#define EVENTS_AT_ONCE 256
#define SECONDS_MOST   120U
#define PROBES	       200U

struct peer {
	int fd;
	uint64_t seed;
	uint64_t total, sent, received; /* bytes */
	bool reads;			/* takes what comes back */
	bool half_closes;		/* when all has been sent */
	bool closed_half;
	bool ended; /* the server has closed, after all bytes */
};

static struct sockaddr_storage address;
static socklen_t address_length;
static int epoll_fd;
static struct peer *peers;
static unsigned count;
static uint64_t seed = 1;

__attribute__((noreturn, format(printf, 1, 2))) static void fail(const char *format, ...)
{
	va_list arguments;

	fputs("echo_peers: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	exit(EXIT_FAILURE);
}

/* ---- what is sent ---- */

static uint64_t mix(uint64_t value)
{
	value += 0x9e3779b97f4a7c15u;
	value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9u;
	value = (value ^ value >> 27) * 0x94d049bb133111ebu;
	return value ^ value >> 31;
}

/* The bytes from POSITION on of what the connection with this SEED sends. */
static void generate(uint64_t of_seed, uint64_t position, unsigned char *data, size_t length)
{
	uint64_t word = 0;

	for (size_t i = 0; i < length; i++) {
		uint64_t at = position + i;

		if (i == 0 || at % 8 == 0)
			word = mix(of_seed * 0x100000001b3u + at / 8);
		data[i] = (unsigned char)(word >> at % 8 * 8);
	}
}

/* ---- connections ---- */

static void parse_address(const char *text)
{
	struct sockaddr_in *tcp = (struct sockaddr_in *)&address;
	struct sockaddr_un *local = (struct sockaddr_un *)&address;
	char host[64];
	const char *colon = strrchr(text, ':');

	if (strncmp(text, "unix:", 5) == 0) {
		local->sun_family = AF_UNIX;
		if (strlen(text + 5) >= sizeof(local->sun_path))
			fail("the path is too long: %s", text);
		strcpy(local->sun_path, text + 5);
		address_length = sizeof(*local);
		return;
	}
	if (!colon || (size_t)(colon - text) >= sizeof(host))
		fail("no address: %s", text);
	memcpy(host, text, (size_t)(colon - text));
	host[colon - text] = '\0';
	tcp->sin_family = AF_INET;
	tcp->sin_port = htons((uint16_t)atoi(colon + 1));
	if (inet_pton(AF_INET, host, &tcp->sin_addr) != 1)
		fail("no address: %s", text);
	address_length = sizeof(*tcp);
}

/* Blocking, so that a full backlog only takes its time. */
static int connect_one(void)
{
	int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		fail("socket: %s", strerror(errno));
	while (connect(fd, (struct sockaddr *)&address, address_length) < 0)
		if (errno != EINTR)
			fail("connect: %s", strerror(errno));
	return fd;
}

static void open_peer(struct peer *peer, uint64_t total)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = peer};

	*peer = (struct peer){
		.fd = connect_one(),
		.seed = mix(seed + (uint64_t)(peer - peers)),
		.total = total,
		.reads = true,
	};
	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, peer->fd, &event) < 0)
		fail("epoll_ctl: %s", strerror(errno));
}

static void open_all(unsigned how_many, uint64_t total)
{
	count = how_many;
	peers = calloc(count, sizeof(*peers));
	if (!peers)
		fail("no memory");
	for (unsigned i = 0; i < count; i++)
		open_peer(&peers[i], total);
}

static void close_all(void)
{
	for (unsigned i = 0; i < count; i++)
		if (peers[i].fd >= 0)
			close(peers[i].fd);
	free(peers);
}

/* The other side sees a reset rather than an end. */
static void reset(struct peer *peer)
{
	struct linger linger = {.l_onoff = 1};

	setsockopt(peer->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(peer->fd);
	peer->fd = -1;
}

/* ---- sending and receiving ---- */

static void send_some(struct peer *peer)
{
	unsigned char data[CHUNK_MOST];

	while (peer->sent < peer->total) {
		/* Of all sizes, small ones often. */
		uint64_t random = mix(peer->seed ^ peer->sent);
		size_t length = 1 + random % (random >> 32 & 1 ? 100 : CHUNK_MOST);
		ssize_t result;

		if (length > peer->total - peer->sent)
			length = peer->total - peer->sent;
		generate(peer->seed, peer->sent, data, length);
		result = send(peer->fd, data, length, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (result < 0 && errno == EAGAIN)
			return;
		if (result < 0)
			fail("connection %td: send after %" PRIu64 " bytes: %s", peer - peers,
			     peer->sent, strerror(errno));
		peer->sent += (uint64_t)result;
	}
	if (peer->half_closes && !peer->closed_half) {
		peer->closed_half = true;
		if (shutdown(peer->fd, SHUT_WR) < 0)
			fail("shutdown: %s", strerror(errno));
	}
}

/* Receives at most this much. */
static void receive_some(struct peer *peer, uint64_t most)
{
	unsigned char data[CHUNK_MOST], expected[CHUNK_MOST];

	while (!peer->ended && most > 0) {
		size_t room = most < sizeof(data) ? most : sizeof(data);
		ssize_t result = recv(peer->fd, data, room, MSG_DONTWAIT);

		if (result < 0 && errno == EAGAIN)
			return;
		if (result < 0)
			fail("connection %td: recv after %" PRIu64 " bytes: %s", peer - peers,
			     peer->received, strerror(errno));
		if (result == 0) {
			if (peer->received != peer->sent)
				fail("connection %td ended after %" PRIu64 " of %" PRIu64 " bytes",
				     peer - peers, peer->received, peer->sent);
			peer->ended = true;
			return;
		}
		if (peer->received + (uint64_t)result > peer->sent)
			fail("connection %td: more came back than was sent", peer - peers);
		generate(peer->seed, peer->received, expected, (size_t)result);
		if (memcmp(data, expected, (size_t)result) != 0)
			fail("connection %td: wrong bytes behind %" PRIu64, peer - peers,
			     peer->received);
		peer->received += (uint64_t)result;
		most -= (uint64_t)result;
	}
}

static void advance(struct peer *peer)
{
	send_some(peer);
	if (peer->reads)
		receive_some(peer, UINT64_MAX);
}

static bool echoed(const struct peer *peer)
{
	return peer->received == peer->total;
}

static bool ended(const struct peer *peer)
{
	return peer->ended;
}

/* Until it is true of all peers. */
static void run_until(bool (*condition)(const struct peer *peer))
{
	struct epoll_event events[EVENTS_AT_ONCE];
	unsigned left = 0;

	for (unsigned i = 0; i < count; i++) {
		advance(&peers[i]);
		left += !condition(&peers[i]);
	}
	while (left) {
		int ready = epoll_wait(epoll_fd, events, EVENTS_AT_ONCE, -1);

		for (int i = 0; i < ready; i++) {
			struct peer *peer = events[i].data.ptr;
			bool before = condition(peer);

			advance(peer);
			left -= !before && condition(peer);
		}
	}
}

static void say_ready(void)
{
	puts("ready");
	fflush(stdout);
}

static void wait_for_word(void)
{
	while (getchar() != EOF)
		;
}

/* ---- what there is to be seen ---- */

/* All send and receive at once, and close their half. */
static void echo(uint64_t total)
{
	for (unsigned i = 0; i < count; i++) {
		peers[i].total = total;
		peers[i].half_closes = true;
	}
	run_until(ended);
	printf("%u connections, %" PRIu64 " bytes each\n", count, total);
}

/* All get an answer and stay; told when that is so. Then the server ends them. */
static void hold(uint64_t total)
{
	for (unsigned i = 0; i < count; i++)
		peers[i].total = total;
	run_until(echoed);
	say_ready();
	run_until(ended);
	printf("%u connections ended by the server\n", count);
}

/* All send and read nothing until told to go on: the server, ending, has to give them all first. */
static void unread(uint64_t total)
{
	/* An answer shows that the connection is served already. */
	for (unsigned i = 0; i < count; i++)
		peers[i].total = 1;
	run_until(echoed);
	for (unsigned i = 0; i < count; i++) {
		peers[i].total = total;
		peers[i].reads = false;
		send_some(&peers[i]);
		if (peers[i].sent != total)
			fail("the sockets do not take %" PRIu64 " bytes", total);
	}
	say_ready();
	wait_for_word();
	for (unsigned i = 0; i < count; i++)
		peers[i].reads = true;
	run_until(ended);
	printf("%u connections ended by the server, all bytes sent back\n", count);
}

/* One round trip after the other, by a peer that behaves. */
static void probe(struct peer *peer, unsigned rounds)
{
	for (unsigned i = 0; i < rounds; i++) {
		unsigned char byte;
		unsigned char expected;

		generate(peer->seed, peer->sent, &expected, 1);
		if (send(peer->fd, &expected, 1, MSG_NOSIGNAL) != 1)
			fail("send: %s", strerror(errno));
		if (recv(peer->fd, &byte, 1, 0) != 1 || byte != expected)
			fail("round trip %u beside slow readers fails", i);
		peer->sent++;
		peer->received++;
		peer->total++;
	}
}

/*
 * All but the first send as long as there is room and read nothing, until nothing goes any more
 * while the first makes round trips. Told then; goes on when standard input ends: all read.
 */
static void slow(void)
{
	uint64_t before, after = 0, most = 0;

	for (unsigned i = 1; i < count; i++) {
		peers[i].reads = false;
		peers[i].total = UINT64_MAX;
	}
	do {
		/* Until a whole round of round trips has changed nothing. */
		before = after;
		after = 0;
		for (unsigned i = 1; i < count; i++) {
			send_some(&peers[i]);
			after += peers[i].sent;
		}
		probe(&peers[0], PROBES);
	} while (after != before);
	printf("stuck after %" PRIu64 " bytes\n", after);
	say_ready();
	wait_for_word();
	for (unsigned i = 0; i < count; i++) {
		peers[i].reads = true;
		peers[i].half_closes = true;
		peers[i].total = peers[i].sent;
		if (peers[i].sent > most)
			most = peers[i].sent;
	}
	run_until(ended);
	printf("%u slow connections, %" PRIu64 " bytes at most\n", count - 1, most);
}

/* Each is reset in another stage; the rest has to work. */
static void resets(uint64_t total)
{
	for (unsigned i = 0; i < count; i++) {
		struct peer *peer = &peers[i];

		peer->total = total;
		switch (i % 8) {
		case 0: /* at once */
			reset(peer);
			break;
		case 1: /* with something on its way there */
			send_some(peer);
			reset(peer);
			break;
		case 2: /* having closed its half, with the answer on its way */
			peer->half_closes = true;
			send_some(peer);
			reset(peer);
			break;
		case 3: /* stuck, nothing read */
			peer->total = UINT64_MAX;
			send_some(peer);
			probe(&peers[6 + i / 8 * 8 < count ? 6 + i / 8 * 8 : count - 1], 3);
			reset(peer);
			break;
		case 4: /* stuck, a part read */
			peer->total = UINT64_MAX;
			send_some(peer);
			receive_some(peer, CHUNK_MOST);
			reset(peer);
			break;
		case 5: /* closed, with something unread */
			send_some(peer);
			close(peer->fd);
			peer->fd = -1;
			break;
		default: /* not at all */
			peer->half_closes = true;
			peer->total = 3 + total;
			break;
		}
	}
	for (unsigned i = 0; i < count; i++) {
		if (peers[i].fd >= 0)
			continue;
		open_peer(&peers[i], total);
		peers[i].half_closes = true;
	}
	run_until(ended);
	printf("%u connections after as many resets\n", count);
}

/* Messages of so many bytes, one after the other on each connection; how many for how long. */
static void ping(size_t size, unsigned seconds)
{
	struct epoll_event events[EVENTS_AT_ONCE];
	unsigned char data[CHUNK_MOST] = {0};
	struct timespec start, now;
	uint64_t messages = 0;
	double elapsed;

	if (size > sizeof(data))
		fail("%u bytes at most", CHUNK_MOST);
	for (unsigned i = 0; i < count; i++)
		if (send(peers[i].fd, data, size, MSG_NOSIGNAL) != (ssize_t)size)
			fail("send: %s", strerror(errno));
	clock_gettime(CLOCK_MONOTONIC, &start);
	do {
		int ready = epoll_wait(epoll_fd, events, EVENTS_AT_ONCE, -1);

		for (int i = 0; i < ready; i++) {
			struct peer *peer = events[i].data.ptr;
			ssize_t result = recv(peer->fd, data, size, MSG_DONTWAIT);

			if (result < 0 && errno == EAGAIN)
				continue;
			if (result <= 0)
				fail("recv: %s", result ? strerror(errno) : "the end");
			peer->received += (uint64_t)result;
			if (peer->received < size)
				continue;
			peer->received = 0;
			messages++;
			if (send(peer->fd, data, size, MSG_NOSIGNAL) != (ssize_t)size)
				fail("send: %s", strerror(errno));
		}
		clock_gettime(CLOCK_MONOTONIC, &now);
		elapsed = (double)(now.tv_sec - start.tv_sec) +
			  (double)(now.tv_nsec - start.tv_nsec) / 1e9;
	} while (elapsed < seconds);
	printf("%.0f messages a second, %.0f ns each\n", (double)messages / elapsed,
	       elapsed * 1e9 / (double)messages);
}

static const char usage[] =
	"Usage: echo_peers ADDRESS CONNECTIONS echo BYTES   send, receive, close\n"
	"       echo_peers ADDRESS CONNECTIONS hold BYTES   the same, but stay until the server ends\n"
	"       echo_peers ADDRESS CONNECTIONS unread BYTES read nothing until standard input ends\n"
	"       echo_peers ADDRESS CONNECTIONS slow         the same, send until nothing goes\n"
	"       echo_peers ADDRESS CONNECTIONS resets BYTES reset in all stages\n"
	"       echo_peers ADDRESS CONNECTIONS ping BYTES SECONDS  measure\n"
	"ADDRESS is IPV4:PORT or unix:PATH.\n";

int main(int argc, char **argv)
{
	struct rlimit limit;
	const char *what;
	uint64_t bytes;

	if (argc < 4) {
		fputs(usage, stderr);
		return EXIT_FAILURE;
	}
	what = argv[3];
	bytes = argc > 4 ? strtoull(argv[4], NULL, 10) : 0;
	alarm(SECONDS_MOST);
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	parse_address(argv[1]);
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (epoll_fd < 0)
		fail("epoll_create1: %s", strerror(errno));
	open_all((unsigned)strtoul(argv[2], NULL, 10), 0);
	if (!count)
		fail("no connections");
	if (!strcmp(what, "echo"))
		echo(bytes);
	else if (!strcmp(what, "hold"))
		hold(bytes);
	else if (!strcmp(what, "unread"))
		unread(bytes);
	else if (!strcmp(what, "slow"))
		slow();
	else if (!strcmp(what, "resets"))
		resets(bytes);
	else if (!strcmp(what, "ping") && argc > 5)
		ping(bytes, (unsigned)atoi(argv[5]));
	else
		fail("do not know how to %s", what);
	close_all();
	close(epoll_fd);
	return EXIT_SUCCESS;
}
