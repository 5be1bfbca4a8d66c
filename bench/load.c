/* SPDX-License-Identifier: MIT */
#include "load.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "service.h"

#define EVENTS_AT_ONCE 256
#define WAKE_PAUSE_NS  200000L

struct client {
	int fd;
	unsigned received; /* of the answer */
	uint64_t messages; /* sent so far */
	uint64_t began;	   /* when the last of them was sent, if it is known */
};

struct generator {
	const struct load *load;
	int epoll_fd;
	struct client *clients;
};

/* Something begins, and what was under way is over. The clock is read only for who asks. */
static void note_time(const struct generator *generator, struct client *client)
{
	struct round_trips *round_trips = generator->load->round_trips;
	uint64_t now;

	if (!round_trips)
		return;
	now = bench_now();
	if (client->began && atomic_load_explicit(&round_trips->wanted, memory_order_relaxed))
		bench_histogram_add(round_trips->histogram, now - client->began);
	client->began = now;
}

static bool dial(const struct generator *generator, struct client *client)
{
	const struct load *load = generator->load;
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
	int family = load->address.ss_family;
	const int on = 1;

	client->fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (client->fd < 0 ||
	    connect(client->fd, (const struct sockaddr *)&load->address, load->address_length))
		return false;
	if (family == AF_INET)
		setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return !epoll_ctl(generator->epoll_fd, EPOLL_CTL_ADD, client->fd, &event);
}

/* Every message is another one, so that an old answer is not taken for a new one. */
static void compose(const struct generator *generator, const struct client *client,
		    unsigned char *message)
{
	unsigned char first = (unsigned char)(client - generator->clients + client->messages);

	for (unsigned i = 0; i < MESSAGE_SIZE; i++)
		message[i] = (unsigned char)(first + i);
}

static bool say(const struct generator *generator, struct client *client)
{
	unsigned char message[MESSAGE_SIZE];

	note_time(generator, client);
	client->messages++;
	client->received = 0;
	compose(generator, client, message);
	return send(client->fd, message, sizeof(message), MSG_NOSIGNAL) == sizeof(message);
}

static bool hear(const struct generator *generator, struct client *client)
{
	unsigned char message[MESSAGE_SIZE], expected[MESSAGE_SIZE];
	ssize_t count = recv(client->fd, message, sizeof(message) - client->received, MSG_DONTWAIT);

	if (count <= 0)
		return count < 0 && errno == EAGAIN;
	compose(generator, client, expected);
	if (memcmp(message, expected + client->received, (size_t)count) != 0)
		return false;
	client->received += (unsigned)count;
	return client->received < MESSAGE_SIZE || say(generator, client);
}

/* The server has closed it. The reset spares the machine a connection in TIME_WAIT. */
static bool redial(const struct generator *generator, struct client *client)
{
	const struct linger reset = {.l_onoff = 1};

	setsockopt(client->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(client->fd);
	note_time(generator, client);
	return dial(generator, client);
}

static bool respond(const struct generator *generator)
{
	bool (*react)(const struct generator *, struct client *) =
		generator->load->kind == OPERATION_ACCEPT ? redial : hear;
	struct epoll_event events[EVENTS_AT_ONCE];
	bool good = true;

	while (good) {
		int count = epoll_wait(generator->epoll_fd, events, EVENTS_AT_ONCE, -1);

		good = count >= 0 || errno == EINTR;
		for (int i = 0; good && i < count; i++)
			good = react(generator, events[i].data.ptr);
	}
	return false;
}

/* One message now and then, so that the server has gone to sleep before each. */
static bool wake(const struct generator *generator)
{
	const struct timespec pause = {.tv_nsec = WAKE_PAUSE_NS};
	uint64_t message[MESSAGE_SIZE / sizeof(uint64_t)] = {0};

	do {
		nanosleep(&pause, NULL);
		message[0] = bench_now();
	} while (send(generator->clients[0].fd, message, sizeof(message), MSG_NOSIGNAL) ==
		 sizeof(message));
	return false;
}

static bool generate(const struct load *load)
{
	struct generator generator = {
		.load = load,
		.epoll_fd = epoll_create1(EPOLL_CLOEXEC),
		.clients = calloc(load->connections, sizeof(*generator.clients)),
	};
	bool good = generator.epoll_fd >= 0 && generator.clients;

	for (unsigned i = 0; good && i < load->connections; i++)
		good = dial(&generator, &generator.clients[i]);
	if (good && load->kind == OPERATION_WAKE)
		return wake(&generator);
	for (unsigned i = 0; good && load->kind == OPERATION_ECHO && i < load->connections; i++)
		good = say(&generator, &generator.clients[i]);
	return good && respond(&generator);
}

pid_t bench_load_start(const struct load *load)
{
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, "bench-load"); /* for bench/profile */
	_exit(generate(load) ? 0 : 1);
}

bool bench_load_stop(pid_t pid)
{
	int status = 0;

	kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}
