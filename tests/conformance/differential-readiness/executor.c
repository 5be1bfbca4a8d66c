/* SPDX-License-Identifier: MIT */
/*
 * Random programs for the readiness half: sockets, pipes, an eventfd, a listener, polls, timeouts,
 * futexes, provided buffers, links and cancellation. Built twice, against the kernel's io_uring and
 * against asyncring; the two must write the same for the same seed, byte for byte.
 *
 *     executor FIRST COUNT            traces of COUNT programs from seed FIRST on
 *     executor FIRST COUNT TRACE      the same, following a trace of the oracle
 *
 * A program is a row of steps, each a submission or something done from outside by a plain call.
 * What comes of a step is written down before the next begins. When that is all is told by time
 * for the oracle (SETTLE_US in the environment, twice in a row without a completion); who follows
 * its trace waits for as many completions as there were, and no longer.
 *
 * What keeps the results determined: in an episode, at the end of which all is cancelled, only one
 * request consumes what comes from a channel, because who of several gets it is not laid down; the
 * completions of a step are sorted by request; CQE_F_SOCK_NONEMPTY is left out.
 *
 * Leaves with 77 where there is no io_uring.
 */
#include "../net_helpers.h"

#include <linux/futex.h>
#ifndef FUTEX2_SIZE_U32
#define FUTEX2_SIZE_U32 0x02
#define FUTEX2_PRIVATE	128
#endif

enum {
	ROUNDS = 5,	   /* episodes in a program */
	STEPS = 7,	   /* in an episode, at most */
	CHAIN_MAX = 4,	   /* requests in a submission */
	GROUPS = 5,	   /* buffer groups: 0 and 1 queues, 2 and 3 rings, 4 there is none */
	BUFFERS = 8,	   /* in a group */
	BUFFER_BYTES = 96, /* memory of each */
	MEMORY = 64,	   /* of each request of a step */
	WORDS = 3,	   /* futexes */
	SEEN_MAX = 512,
};

enum channel { STREAM, PACKETS, DATAGRAMS, TCP, PIPE_IN, PIPE_OUT, EVENT, LISTENER, CHANNELS };

static const char *const channel_names[CHANNELS] = {
	"stream", "packets", "datagrams", "tcp", "pipe in", "pipe out", "eventfd", "listener",
};

static struct {
	struct io_uring ring;
	int ours[CHANNELS], theirs[CHANNELS]; /* ends; -1: closed */
	struct sockaddr_un address;
	socklen_t address_length;
	int accepted[64];
	unsigned accepted_count;
	struct io_uring_buf_ring *rings[GROUPS];
	unsigned ring_tails[GROUPS];
	unsigned char buffers[GROUPS][BUFFERS][BUFFER_BYTES];
	unsigned char memory[CHAIN_MAX][MEMORY];
	struct iovec vectors[CHAIN_MAX][3];
	struct msghdr messages[CHAIN_MAX];
	struct __kernel_timespec times[CHAIN_MAX];
	uint32_t words[WORDS];
	/* The episode. */
	bool consumed[CHANNELS], polled[CHANNELS], filled[CHANNELS];
	unsigned char next_byte;
	bool timer_runs;
	uint64_t serial;   /* of submissions */
	uint64_t stopping; /* the last one that has stopped another */
	struct harness_cqe seen[SEEN_MAX];
	unsigned seen_count;
} world;

static FILE *oracle; /* the trace to follow, or NULL */
static unsigned settle_us;
static uint64_t random_state;

static uint64_t next_random(void)
{
	uint64_t mixed = random_state += 0x9e3779b97f4a7c15u;

	mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9u;
	mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
	return mixed ^ (mixed >> 31);
}

static unsigned below(unsigned limit)
{
	return (unsigned)(next_random() % limit);
}

static bool percent(unsigned chance)
{
	return below(100) < chance;
}

#define pick(...)                                                                                  \
	({                                                                                         \
		const unsigned choices[] = {__VA_ARGS__};                                          \
                                                                                                   \
		choices[below(ARRAY_SIZE(choices))];                                               \
	})

/* ---- completions --------------------------------------------------------------------------- */

static void take_completions(void)
{
	struct harness_cqe cqe;

	while (world.seen_count < SEEN_MAX && harness_peek(&world.ring, &cqe))
		world.seen[world.seen_count++] = cqe;
}

static void settle_by_time(void)
{
	unsigned before = 0;

	/* Short timers run out within a millisecond. */
	unsigned us = world.timer_runs && settle_us < 3000 ? 3000 : settle_us;

	for (unsigned quiet = 0; quiet < 2 && world.seen_count < SEEN_MAX;) {
		struct __kernel_timespec limit = {.tv_nsec = us * 1000};
		struct io_uring_cqe *cqe;

		/* A real wait: with DEFER_TASKRUN some work is not done for less. */
		io_uring_wait_cqe_timeout(&world.ring, &cqe, &limit);
		take_completions();
		quiet = world.seen_count > before ? 0 : quiet + 1;
		before = world.seen_count;
	}
}

/* As many as the oracle saw at this point. */
static void settle_by_trace(void)
{
	unsigned wanted = 0;
	char line[256];

	while (fgets(line, sizeof(line), oracle))
		if (sscanf(line, "    = %u", &wanted) == 1)
			break;
	io_uring_get_events(&world.ring);
	take_completions();
	while (world.seen_count < wanted) {
		struct __kernel_timespec limit = {.tv_sec = harness_timeout_factor()};
		struct io_uring_cqe *cqe;

		if (io_uring_wait_cqe_timeout(&world.ring, &cqe, &limit) == -ETIME)
			break;
		take_completions();
	}
	/* What else goes on shall be over, if time is given. */
	if (settle_us) {
		struct __kernel_timespec limit = {.tv_nsec = settle_us * 1000};
		struct io_uring_cqe *cqe;

		io_uring_wait_cqe_timeout(&world.ring, &cqe, &limit);
	}
	io_uring_get_events(&world.ring);
	take_completions();
}

static int compare_completions(const void *left, const void *right)
{
	const struct harness_cqe *a = left, *b = right;

	if (a->user_data != b->user_data)
		return a->user_data < b->user_data ? -1 : 1;
	/* In the order they came: the array is sorted in place. */
	return a->extra[0] < b->extra[0] ? -1 : 1;
}

static unsigned memory_sum(void)
{
	const unsigned char *bytes = &world.buffers[0][0][0];
	unsigned sum = 0;

	for (size_t i = 0; i < sizeof(world.buffers); i++)
		sum = sum * 31 + bytes[i];
	bytes = &world.memory[0][0];
	for (size_t i = 0; i < sizeof(world.memory); i++)
		sum = sum * 31 + bytes[i];
	return sum;
}

static bool is_descriptor(const struct harness_cqe *cqe)
{
	return cqe->user_data & 1u << 7 && cqe->res >= 0;
}

/* Everything that came of the step. */
static void settle(void)
{
	world.seen_count = 0;
	if (oracle)
		settle_by_trace();
	else
		settle_by_time();
	world.timer_runs = false;
	printf("    = %u\n", world.seen_count);
	for (unsigned i = 0; i < world.seen_count; i++)
		world.seen[i].extra[0] = i;
	qsort(world.seen, world.seen_count, sizeof(world.seen[0]), compare_completions);
	for (unsigned i = 0; i < world.seen_count; i++) {
		struct harness_cqe *cqe = &world.seen[i];

		printf("    %llu.%llu", (unsigned long long)(cqe->user_data >> 8),
		       (unsigned long long)(cqe->user_data & 0x7f));
		if (is_descriptor(cqe)) {
			if (world.accepted_count < ARRAY_SIZE(world.accepted))
				world.accepted[world.accepted_count++] = cqe->res;
			printf(" a descriptor");
		} else {
			printf(" res %d", cqe->res);
		}
		printf(" flags 0x%x\n", cqe->flags & ~(unsigned)IORING_CQE_F_SOCK_NONEMPTY);
	}
	printf("    memory %08x\n", memory_sum());
}

/* ---- the world ----------------------------------------------------------------------------- */

static void close_end(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void open_channel(enum channel channel)
{
	int fds[2] = {-1, -1};

	switch (channel) {
	case STREAM:
		net_pair(SOCK_STREAM, fds);
		break;
	case PACKETS:
		net_pair(SOCK_SEQPACKET, fds);
		break;
	case DATAGRAMS:
		net_pair(SOCK_DGRAM, fds);
		break;
	case TCP:
		net_tcp_pair(fds);
		break;
	case PIPE_IN:
		harness_pipe(fds);
		break;
	case PIPE_OUT:
		harness_pipe(fds);
		world.ours[channel] = fds[1];
		world.theirs[channel] = fds[0];
		return;
	case EVENT:
		fds[0] = eventfd(0, EFD_CLOEXEC);
		fds[1] = dup(fds[0]);
		break;
	default:
		fds[0] = net_unix_listener(4, &world.address, &world.address_length);
		break;
	}
	world.ours[channel] = fds[0];
	world.theirs[channel] = fds[1];
}

static void register_ring(unsigned group, uint16_t flags)
{
	struct io_uring_buf_reg reg = {.ring_entries = BUFFERS, .bgid = (uint16_t)group};

	world.rings[group] = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	reg.ring_addr = (uintptr_t)world.rings[group];
	/* The field is called differently in old headers. */
	memcpy((char *)&reg + 14, &flags, sizeof(flags));
	io_uring_buf_ring_init(world.rings[group]);
	assert_int_equal(io_uring_register_buf_ring(&world.ring, &reg, 0), 0);
}

static void create(void)
{
	static const unsigned modes[] = {0, 0,
					 IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SINGLE_ISSUER,
					 IORING_SETUP_COOP_TASKRUN, IORING_SETUP_SUBMIT_ALL};
	unsigned mode = modes[below(ARRAY_SIZE(modes))];

	memset(&world, 0, sizeof(world));
	printf("  ring 0x%x\n", mode);
	harness_init(&world.ring, 32, mode);
	for (enum channel channel = 0; channel < CHANNELS; channel++)
		open_channel(channel);
	register_ring(2, 0);
	register_ring(3, IOU_PBUF_RING_INC);
}

static void destroy(void)
{
	io_uring_queue_exit(&world.ring);
	for (enum channel channel = 0; channel < CHANNELS; channel++) {
		close_end(&world.ours[channel]);
		close_end(&world.theirs[channel]);
	}
	while (world.accepted_count)
		close(world.accepted[--world.accepted_count]);
	munmap(world.rings[2], 4096);
	munmap(world.rings[3], 4096);
}

/* ---- from outside -------------------------------------------------------------------------- */

static void outside_write(enum channel channel)
{
	unsigned char bytes[80];
	unsigned length = pick(1, 1, 3, 8, 20, 20, 80);
	uint64_t count = 1 + below(3);
	ssize_t done;

	for (unsigned i = 0; i < length; i++)
		bytes[i] = world.next_byte++;
	if (channel == EVENT) {
		done = write(world.theirs[channel], &count, 8);
	} else if (channel == PIPE_IN) {
		done = write(world.theirs[channel], bytes, length);
	} else {
		done = send(world.theirs[channel], bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT);
	}
	printf("  write to %s: %zd\n", channel_names[channel], done < 0 ? -errno : done);
}

static void outside_take(enum channel channel)
{
	static unsigned char bytes[65536];
	ssize_t done;

	fcntl(world.theirs[channel], F_SETFL, O_NONBLOCK);
	done = read(world.theirs[channel], bytes, sizeof(bytes));
	printf("  take from %s: %zd\n", channel_names[channel], done < 0 ? -errno : done);
}

/* Fill the way out, so that what writes there has to wait. */
static void outside_fill(enum channel channel)
{
	static const unsigned char bytes[4096];
	int fd = world.ours[channel], flags = fcntl(fd, F_GETFL);

	fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	while (write(fd, bytes, sizeof(bytes)) > 0)
		continue;
	while (write(fd, bytes, 1) > 0)
		continue;
	fcntl(fd, F_SETFL, flags);
	world.filled[channel] = true;
	printf("  fill %s\n", channel_names[channel]);
}

static void outside_end(enum channel channel)
{
	if (channel != LISTENER && percent(30)) {
		int how = (int)pick(SHUT_RD, SHUT_WR, SHUT_RDWR);

		printf("  shut %s down: %d %d\n", channel_names[channel], how,
		       shutdown(world.theirs[channel], how));
		return;
	}
	if (channel == TCP && percent(50)) {
		struct linger linger = {.l_onoff = 1};

		setsockopt(world.theirs[channel], SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
		printf("  reset");
	}
	printf("  close %s\n", channel_names[channel]);
	close_end(&world.theirs[channel]);
}

static void outside_connect(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int ret = connect(fd, (struct sockaddr *)&world.address, world.address_length);

	printf("  connect: %d\n", ret ? -errno : 0);
	if (world.accepted_count < ARRAY_SIZE(world.accepted))
		world.accepted[world.accepted_count++] = fd;
	else
		close(fd);
}

static void outside_buffers(void)
{
	unsigned group = 2 + below(2), count = 1 + below(3);
	struct io_uring_buf_ring *ring = world.rings[group];
	uint16_t head = 0;

	assert_int_equal(io_uring_buf_ring_head(&world.ring, (int)group, &head), 0);
	printf("  ring %u, head at %u, gets", group, head);
	/* No more than there is room for. */
	if (count > head + BUFFERS - world.ring_tails[group])
		count = head + BUFFERS - world.ring_tails[group];
	for (unsigned i = 0; i < count; i++) {
		unsigned id = world.ring_tails[group]++ % BUFFERS;
		unsigned length = pick(1, 4, 16, 40, BUFFER_BYTES);

		io_uring_buf_ring_add(ring, world.buffers[group][id], length, (uint16_t)id,
				      io_uring_buf_ring_mask(BUFFERS), (int)i);
		printf(" %u:%u", id, length);
	}
	io_uring_buf_ring_advance(ring, (int)count);
	printf("\n");
}

static void outside(void)
{
	enum channel channel = below(CHANNELS);

	if (percent(25)) {
		outside_buffers();
		return;
	}
	if (channel == LISTENER) {
		outside_connect();
		return;
	}
	if (world.theirs[channel] < 0) {
		outside_buffers();
		return;
	}
	if (percent(10) && channel != EVENT)
		outside_end(channel);
	else if (channel == PIPE_OUT || world.filled[channel])
		outside_take(channel);
	else if (percent(10) && channel != EVENT && channel != PIPE_IN && !world.consumed[channel])
		outside_fill(channel);
	else
		outside_write(channel);
}

/* ---- requests ------------------------------------------------------------------------------ */

/* What is being prepared. */
struct step {
	struct io_uring_sqe *sqe;
	unsigned index; /* in its submission */
	bool alone;	/* the only one there */
	bool descriptor;
	bool async; /* as good for a worker of the kernel's, who does others in another way */
};

static unsigned char *memory_of(const struct step *step)
{
	return world.memory[step->index];
}

/* Sockets that data comes from. */
static enum channel receiving_socket(void)
{
	return pick(STREAM, STREAM, PACKETS, DATAGRAMS, TCP);
}

/* True if the request may take what comes from the channel. */
static bool claim(enum channel channel)
{
	if (world.consumed[channel] || world.polled[channel])
		return false;
	world.consumed[channel] = true;
	return true;
}

static void nop(struct step *step)
{
	io_uring_prep_nop(step->sqe);
	step->sqe->nop_flags = IORING_NOP_INJECT_RESULT;
	step->sqe->len = percent(25) ? (unsigned)-EIO : 0;
	printf(" nop %d", (int)step->sqe->len);
}

static void select_buffer(struct step *step)
{
	step->sqe->flags |= IOSQE_BUFFER_SELECT;
	step->async = false;
	step->sqe->buf_group = (uint16_t)pick(0, 0, 1, 2, 2, 2, 3, 3, 3, 4);
	printf(" of group %u", step->sqe->buf_group);
}

static struct msghdr *message_of(const struct step *step, unsigned length)
{
	struct msghdr *message = &world.messages[step->index];
	struct iovec *vectors = world.vectors[step->index];
	unsigned count = length < 8 ? 1 : 1 + below(3), each = length / count;

	for (unsigned i = 0; i < count; i++)
		vectors[i] = (struct iovec){memory_of(step) + i * each, each};
	*message = (struct msghdr){.msg_iov = vectors, .msg_iovlen = count};
	return message;
}

static void receive(struct step *step)
{
	enum channel channel = receiving_socket();
	unsigned length = pick(1, 8, 8, 32, MEMORY);
	unsigned flags = pick(0, 0, 0, MSG_WAITALL, MSG_DONTWAIT, MSG_PEEK, MSG_TRUNC);
	bool select = percent(50), multishot = percent(select ? 50 : 3), message = percent(30);

	if (!claim(channel)) {
		nop(step);
		return;
	}
	if (multishot && percent(95))
		flags &= ~(unsigned)(MSG_WAITALL | MSG_PEEK);
	/* What has come in part into a buffer that is used by and by, the kernel forgets. */
	if (select)
		flags &= ~(unsigned)MSG_WAITALL;
	step->async = true;
	printf(" recv%s%s from %s, length %u, flags 0x%x", message ? "msg" : "",
	       multishot ? " multishot" : "", channel_names[channel], length, flags);
	if (message)
		io_uring_prep_recvmsg(step->sqe, world.ours[channel], message_of(step, length),
				      flags);
	else
		io_uring_prep_recv(step->sqe, world.ours[channel], memory_of(step), length,
				   (int)flags);
	if (message && select)
		world.messages[step->index].msg_iovlen = percent(95);
	if (select) {
		select_buffer(step);
		if (percent(40) && !message)
			step->sqe->len = 0;
		/* Linux 6.18 receives beyond the end of single buffers. */
		if (!message && step->sqe->buf_group >= 2 && percent(25)) {
			step->sqe->ioprio |= IORING_RECVSEND_BUNDLE;
			printf(" bundle");
			/* And more than was asked for, where buffers are used by and by. */
			if (step->sqe->buf_group == 3)
				step->sqe->len = 0;
		}
	}
	if (multishot) {
		step->sqe->ioprio |= IORING_RECV_MULTISHOT;
		step->async = false;
		if (percent(90) && !message)
			step->sqe->len = 0;
	}
	/* Linux 6.18 uses up as much as was lost, too, of what is used by and by. */
	if (select && step->sqe->buf_group == 3)
		step->sqe->msg_flags &= ~(unsigned)MSG_TRUNC;
	if (percent(15)) {
		step->sqe->ioprio |= IORING_RECVSEND_POLL_FIRST;
		printf(" poll first");
	}
	printf(" len %u", step->sqe->len);
}

static void read_stream(struct step *step)
{
	enum channel channel = pick(STREAM, PACKETS, TCP, PIPE_IN, PIPE_IN, EVENT);
	unsigned length = pick(1, 8, 8, 32, MEMORY);
	unsigned kind = below(5);

	if (!claim(channel)) {
		nop(step);
		return;
	}
	step->async = true;
	printf(" read %u from %s, length %u", kind, channel_names[channel], length);
	if (kind == 0) {
		message_of(step, length);
		io_uring_prep_readv(step->sqe, world.ours[channel], world.vectors[step->index],
				    (unsigned)world.messages[step->index].msg_iovlen, 0);
		return;
	}
	io_uring_prep_read(step->sqe, world.ours[channel], memory_of(step), length,
			   percent(50) ? 0 : (uint64_t)-1);
	if (kind == 1 && percent(50))
		step->sqe->rw_flags = RWF_NOWAIT;
	if (kind == 4) {
		io_uring_prep_rw(IORING_OP_READ_MULTISHOT, step->sqe, world.ours[channel], NULL, 0,
				 0);
		printf(" multishot");
		step->async = false;
	}
	if (kind > 2)
		select_buffer(step);
}

/* What is sent is not looked at again: from a socket whose way out may be full. */
static void send_bytes(struct step *step)
{
	enum channel channel = pick(STREAM, PACKETS, DATAGRAMS, TCP, PIPE_OUT, PIPE_OUT, EVENT);
	unsigned length = pick(1, 8, 8, 32, MEMORY), kind = below(4);

	/* What writes there is a worker of the kernel's, at any time. */
	if (channel == EVENT && !step->alone) {
		nop(step);
		return;
	}
	if (channel == EVENT || channel == PIPE_OUT || kind == 0) {
		if (channel == EVENT) {
			memset(memory_of(step), 0, 8);
			memory_of(step)[0] = 1;
		}
		step->async = true;
		printf(" write to %s, length %u", channel_names[channel], length);
		io_uring_prep_write(step->sqe, world.ours[channel], memory_of(step), length, 0);
		return;
	}
	step->async = true;
	printf(" send %u to %s, length %u", kind, channel_names[channel], length);
	if (kind == 1) {
		io_uring_prep_sendmsg(step->sqe, world.ours[channel], message_of(step, length),
				      MSG_NOSIGNAL);
		return;
	}
	io_uring_prep_send(step->sqe, world.ours[channel], memory_of(step), length,
			   (int)(MSG_NOSIGNAL | pick(0, 0, MSG_DONTWAIT, MSG_WAITALL)));
	if (kind == 3 && !world.filled[channel]) {
		select_buffer(step);
		if (percent(30)) {
			step->sqe->ioprio |= IORING_RECVSEND_BUNDLE;
			step->sqe->len = 0;
			printf(" bundle");
		}
	}
}

static void poll_file(struct step *step)
{
	enum channel channel = below(CHANNELS);
	unsigned mask = pick(POLLIN, POLLIN, POLLOUT, POLLIN | POLLOUT, POLLPRI, POLLRDHUP);

	/* A poll that looks when the data has been taken already goes on waiting. */
	if (world.consumed[channel]) {
		nop(step);
		return;
	}
	world.polled[channel] = true;
	printf(" poll %s for 0x%x", channel_names[channel], mask);
	io_uring_prep_poll_add(step->sqe, world.ours[channel], mask);
}

/* Of no length, short, or never over. A short one runs out before the step is over. */
static struct __kernel_timespec *some_time(const struct step *step, bool none)
{
	struct __kernel_timespec *time = &world.times[step->index];

	*time = (struct __kernel_timespec){.tv_sec = 1000};
	if (none && percent(20))
		time->tv_sec = 0;
	else if (!world.timer_runs && percent(25))
		*time = (struct __kernel_timespec){.tv_nsec = 1000000};
	world.timer_runs |= time->tv_sec == 0;
	printf(" in %d.%d", (int)time->tv_sec, (int)time->tv_nsec);
	return time;
}

static uint64_t some_request(void)
{
	/* Of an earlier submission: what runs at the same time would be chance. */
	uint64_t serial = world.serial - 1 - below(world.serial < 6 ? (unsigned)world.serial : 5);

	unsigned index = below(3);

	/* One thing after the other: in which order an expression has its parts done is not laid
	 * down. */
	return serial << 8 | index | (percent(15) ? 1u << 7 : 0);
}

static void stop(struct step *step)
{
	uint64_t target = some_request();
	enum channel channel = below(CHANNELS);
	struct __kernel_timespec *time;

	/* What has been stopped is found by another for a moment, but not always. */
	if (world.stopping == world.serial) {
		nop(step);
		return;
	}
	world.stopping = world.serial;

	switch (below(6)) {
	case 0:
		printf(" remove poll %llx", (unsigned long long)target);
		io_uring_prep_poll_remove(step->sqe, target);
		break;
	case 1:
		printf(" update poll %llx", (unsigned long long)target);
		io_uring_prep_poll_update(step->sqe, target, target,
					  pick(POLLIN, POLLOUT, POLLIN | POLLOUT),
					  IORING_POLL_UPDATE_EVENTS);
		break;
	case 2:
		printf(" cancel %s", channel_names[channel]);
		io_uring_prep_cancel_fd(step->sqe, world.ours[channel],
					percent(50) ? IORING_ASYNC_CANCEL_ALL : 0);
		break;
	case 3:
		printf(" remove timeout %llx", (unsigned long long)target);
		io_uring_prep_timeout_remove(step->sqe, target, 0);
		break;
	case 4:
		printf(" update timeout %llx", (unsigned long long)target);
		time = some_time(step, false);
		io_uring_prep_timeout_update(step->sqe, time, target,
					     percent(40) ? IORING_LINK_TIMEOUT_UPDATE : 0);
		break;
	default:
		printf(" cancel %llx", (unsigned long long)target);
		io_uring_prep_cancel64(step->sqe, target, (int)pick(0, 0, IORING_ASYNC_CANCEL_ALL));
		break;
	}
}

static void timeout(struct step *step)
{
	/* In company it would race with the completions that it counts. */
	unsigned count = step->alone ? pick(0, 1, 2, 3) : 0;
	unsigned flags = pick(0, 0, IORING_TIMEOUT_ETIME_SUCCESS, IORING_TIMEOUT_MULTISHOT,
			      IORING_TIMEOUT_BOOTTIME, IORING_TIMEOUT_REALTIME, 1u << 9,
			      IORING_TIMEOUT_BOOTTIME | IORING_TIMEOUT_REALTIME);
	struct __kernel_timespec *time = some_time(step, !count);

	/* One of a short time that goes on would never be over, and a count would race with it. */
	if (flags == IORING_TIMEOUT_MULTISHOT ? !count : count > 0)
		time->tv_sec = 1000;
	if (percent(5))
		time->tv_nsec = -1;
	printf(" timeout %d %d count %u flags 0x%x", (int)time->tv_sec, (int)time->tv_nsec, count,
	       flags);
	io_uring_prep_timeout(step->sqe, time, count, flags);
}

static void link_timeout(struct step *step)
{
	printf(" link timeout");
	io_uring_prep_link_timeout(step->sqe, some_time(step, false), 0);
}

static void accept_one(struct step *step)
{
	bool multishot = percent(40);

	if (!claim(LISTENER)) {
		nop(step);
		return;
	}
	printf(" accept%s", multishot ? " multishot" : "");
	if (multishot)
		io_uring_prep_multishot_accept(step->sqe, world.ours[LISTENER], NULL, NULL,
					       SOCK_CLOEXEC);
	else
		io_uring_prep_accept(step->sqe, world.ours[LISTENER], NULL, NULL, SOCK_CLOEXEC);
	step->descriptor = true;
}

static void buffers(struct step *step)
{
	unsigned group = pick(0, 0, 1, 1, 2, 4), count = 1 + below(4), first = below(BUFFERS);
	unsigned length = pick(1, 4, 16, 40, BUFFER_BYTES);

	if (percent(20)) {
		printf(" remove %u buffers of %u", count, group);
		io_uring_prep_remove_buffers(step->sqe, (int)count, (int)group);
		return;
	}
	if (group == 4)
		group = 0;
	if (count > BUFFERS - first)
		count = BUFFERS - first;
	/* The buffers of a call lie one behind the other. */
	printf(" provide %u of %u to %u from %u on", count, length, group, first);
	io_uring_prep_provide_buffers(step->sqe, world.buffers[group][first], (int)length,
				      (int)count, (int)group, (int)first);
}

static void futex(struct step *step)
{
	uint32_t *word = &world.words[below(WORDS)];

	if (percent(50)) {
		uint64_t value = percent(80) ? 0 : 1;

		printf(" futex wait %d for %d", (int)(word - world.words), (int)value);
		io_uring_prep_futex_wait(step->sqe, word, value, FUTEX_BITSET_MATCH_ANY,
					 FUTEX2_SIZE_U32 | FUTEX2_PRIVATE, 0);
		return;
	}
	printf(" futex wake %d", (int)(word - world.words));
	io_uring_prep_futex_wake(step->sqe, word, 1 + below(3), FUTEX_BITSET_MATCH_ANY,
				 FUTEX2_SIZE_U32 | FUTEX2_PRIVATE, 0);
}

static void shut_down(struct step *step)
{
	enum channel channel = pick(STREAM, PACKETS, TCP, PIPE_IN);
	unsigned how = percent(90) ? below(3) : 7;

	if (!step->alone) {
		nop(step);
		return;
	}
	printf(" shutdown %s %u", channel_names[channel], how);
	io_uring_prep_shutdown(step->sqe, world.ours[channel], (int)how);
}

static void tell_oneself(struct step *step)
{
	printf(" message");
	io_uring_prep_msg_ring(step->sqe, world.ring.ring_fd, 77, world.serial << 8 | 0x40, 0);
}

static void prepare_any(struct step *step)
{
	static void (*const makers[])(struct step *) = {
		receive,    receive,	receive,      read_stream, read_stream, send_bytes,
		send_bytes, poll_file,	poll_file,    stop,	   stop,	stop,
		timeout,    accept_one, buffers,      buffers,	   buffers,	futex,
		futex,	    shut_down,	tell_oneself, nop,
	};

	makers[below(ARRAY_SIZE(makers))](step);
}

static bool prepare(unsigned index, bool alone, bool linked, bool after_link)
{
	struct step step = {.sqe = harness_sqe(&world.ring), .index = index, .alone = alone};

	printf("  %llu.%u", (unsigned long long)world.serial, index);
	if (after_link && percent(25))
		link_timeout(&step);
	else if (percent(2))
		link_timeout(&step);
	else
		prepare_any(&step);
	if (linked) {
		step.sqe->flags |= percent(70) ? IOSQE_IO_LINK : IOSQE_IO_HARDLINK;
		printf(step.sqe->flags & IOSQE_IO_LINK ? " link" : " hardlink");
	}
	if (alone && step.async && percent(8)) {
		step.sqe->flags |= IOSQE_ASYNC;
		printf(" async");
	}
	if (percent(2)) {
		step.sqe->ioprio |= 0x100;
		printf(" BAD-IOPRIO");
	}
	if (percent(2)) {
		step.sqe->buf_index = 50;
		printf(" BAD-BUF-INDEX");
	}
	if (percent(2)) {
		step.sqe->fd = 10000;
		printf(" BAD-FD");
	}
	if (percent(1)) {
		step.sqe->addr = 8;
		printf(" BAD-ADDRESS");
	}
	step.sqe->user_data = world.serial << 8 | index | (step.descriptor ? 1u << 7 : 0);
	printf("\n");
	return linked;
}

static void submission(void)
{
	unsigned count = pick(1, 1, 1, 2, 3, CHAIN_MAX);
	bool linked = false;

	world.serial++;
	for (unsigned i = 0; i < count; i++) {
		bool after_link = linked;

		linked = i + 1 < count && percent(50);
		linked = prepare(i, count == 1, linked, after_link);
	}
	printf("  submitted");
	do {
		int ret = io_uring_submit(&world.ring);

		printf(" %d", ret);
		if (ret <= 0)
			break;
	} while (io_uring_sq_ready(&world.ring));
	printf("\n");
}

/* ---- programs ------------------------------------------------------------------------------ */

/* Everything ends, and the channels that were closed are there again. */
static void end_episode(void)
{
	for (unsigned round = 0; round < CHAIN_MAX + 1; round++) {
		world.serial++;
		ops_prep(&world.ring, world.serial << 8, 0, cancel64, 0, IORING_ASYNC_CANCEL_ANY);
		printf("  cancel all\n");
		io_uring_submit(&world.ring);
		settle();
	}
	for (enum channel channel = 0; channel < CHANNELS; channel++) {
		world.consumed[channel] = world.polled[channel] = world.filled[channel] = false;
		close_end(&world.ours[channel]);
		close_end(&world.theirs[channel]);
		open_channel(channel);
	}
}

static void run_program(uint64_t seed)
{
	random_state = seed;
	/* Neighbouring seeds shall have nothing in common. */
	random_state = next_random();
	printf("seed %llu\n", (unsigned long long)seed);
	create();
	for (unsigned round = 0; round < ROUNDS; round++) {
		unsigned steps = 2 + below(STEPS - 1);

		for (unsigned i = 0; i < steps; i++) {
			if (percent(50))
				submission();
			else
				outside();
			settle();
		}
		end_episode();
	}
	destroy();
}

int main(int argc, char **argv)
{
	uint64_t first, count;
	const char *text = getenv("SETTLE_US");

	if (argc == 3 && strcmp(argv[1], "--show") == 0)
		return 0; /* the trace says it all */
	if (argc != 3 && argc != 4) {
		fprintf(stderr, "usage: %s FIRST COUNT [TRACE]\n", argv[0]);
		return 2;
	}
	if (text)
		settle_us = (unsigned)strtoul(text, NULL, 10);
	else if (argc == 3)
		settle_us = 300;
	if (argc == 4 && !(oracle = fopen(argv[3], "r")))
		return 2;
	signal(SIGPIPE, SIG_IGN);
	harness_group_setup(NULL);
	alarm(0);
	first = strtoull(argv[1], NULL, 0);
	count = strtoull(argv[2], NULL, 0);
	for (uint64_t seed = first; seed < first + count; seed++) {
		run_program(seed);
		fflush(stdout);
	}
	return 0;
}
