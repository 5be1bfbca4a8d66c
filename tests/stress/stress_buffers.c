/* SPDX-License-Identifier: MIT */
/*
 * Description: requests of the submitter, of workers and of streams take buffers of one group,
 * which are fewer than the requests; and groups come and go under their users.
 *
 * What must hold: no buffer is in two hands, none is lost, each has what its request has read.
 */
#include "stress.h"

enum { BUFFERS = 8, DEPTH = 24, SIZE = 512, ROUNDS = 3000, CHANGES = 3000, GROUP = 300 };
enum { FILE_SIZE = 64 * 1024 };

static unsigned char memory[BUFFERS][SIZE];
static bool given[BUFFERS]; /* to the library */
static struct asyncring ring;
static struct asyncring_buf_ring *buffers;
static int file, pipe_ends[2];

static unsigned char letter(size_t offset)
{
	return (unsigned char)(offset % 251);
}

static void set_up(void)
{
	static unsigned char content[FILE_SIZE];

	for (size_t i = 0; i < FILE_SIZE; i++)
		content[i] = letter(i);
	file = stress_file(content, FILE_SIZE);
	stress_pipe(pipe_ends);
	check_equal(fcntl(pipe_ends[0], F_SETFL, O_NONBLOCK), 0);
	stress_ring(&ring, 2 * DEPTH, 0);
	memset(given, 0, sizeof(given));
}

static void tear_down(void)
{
	asyncring_queue_exit(&ring);
	stress_close_pipe(pipe_ends);
	close(file);
}

static void give_to_ring(unsigned id)
{
	check(!given[id]);
	given[id] = true;
	asyncring_buf_ring_add(buffers, memory[id], SIZE, (unsigned short)id,
			       asyncring_buf_ring_mask(BUFFERS), 0);
	asyncring_buf_ring_advance(buffers, 1);
}

static void give_singly(unsigned id)
{
	struct asyncring_sqe *sqe = stress_sqe(&ring, 0);

	check(!given[id]);
	given[id] = true;
	asyncring_prep_provide_buffers(sqe, memory[id], SIZE, 1, GROUP, (int)id);
	stress_name(sqe, UINT64_MAX, ASYNCRING_SQE_CQE_SKIP_SUCCESS);
	stress_submit(&ring, 1);
}

/* One that reads from the file is named after its place there, others FILE_SIZE. */
static void start_reads(struct random *random)
{
	unsigned from_pipe = 0;

	for (unsigned i = 0; i < DEPTH; i++) {
		struct asyncring_sqe *sqe = stress_sqe(&ring, 0);
		unsigned offset = random_below(random, FILE_SIZE - SIZE);
		unsigned flags = random_chance(random, 40) ? ASYNCRING_SQE_ASYNC : 0;

		if (random_chance(random, 40)) {
			from_pipe++;
			offset = FILE_SIZE;
			asyncring_prep_read(sqe, pipe_ends[0], NULL, 1, 0);
		} else {
			asyncring_prep_read(sqe, file, NULL, 0, offset);
		}
		stress_name(sqe, offset, flags | ASYNCRING_SQE_BUFFER_SELECT);
		sqe->buf_group = GROUP;
	}
	/* One byte for each, before or after they have begun to wait. */
	if (random_chance(random, 50)) {
		check_equal(write(pipe_ends[1], memory, from_pipe), from_pipe);
		stress_submit(&ring, DEPTH);
	} else {
		stress_submit(&ring, DEPTH);
		check_equal(write(pipe_ends[1], memory, from_pipe), from_pipe);
	}
}

/* Of what those have left who got no buffer. */
static void empty_pipe(void)
{
	unsigned char rest[DEPTH];

	while (read(pipe_ends[0], rest, sizeof(rest)) > 0)
		;
}

static void finish_reads(void (*give)(unsigned id), unsigned *served)
{
	for (unsigned i = 0; i < DEPTH; i++) {
		struct completion cqe = stress_next(&ring);
		unsigned id = cqe.flags >> ASYNCRING_CQE_BUFFER_SHIFT;

		if (cqe.res == -ENOBUFS) {
			check_equal(cqe.flags, 0);
			continue;
		}
		check(cqe.flags & ASYNCRING_CQE_F_BUFFER);
		check(id < BUFFERS && given[id]);
		given[id] = false;
		if (cqe.user_data < FILE_SIZE) {
			check_equal(cqe.res, SIZE);
			for (unsigned j = 0; j < SIZE; j++)
				check_equal(memory[id][j], letter(cqe.user_data + j));
		} else {
			check_equal(cqe.res, 1);
		}
		++*served;
		give(id);
	}
	empty_pipe();
}

static void read_all_the_time(void (*give)(unsigned id), uint64_t stream)
{
	struct random random = random_stream(stream);
	uint64_t start = stress_now_ns();
	unsigned served = 0;

	for (unsigned id = 0; id < BUFFERS; id++)
		give(id);
	for (unsigned i = 0; i < ROUNDS && stress_time_left(start); i++) {
		start_reads(&random);
		finish_reads(give, &served);
	}
	check(served >= BUFFERS);
	for (unsigned id = 0; id < BUFFERS; id++)
		check(given[id]);
}

static void buffers_of_a_ring(void **state)
{
	int error = 0;

	(void)state;
	set_up();
	buffers = asyncring_setup_buf_ring(&ring, BUFFERS, GROUP, 0, &error);
	check_equal(error, 0);
	read_all_the_time(give_to_ring, 1);
	check_equal(asyncring_buf_ring_available(&ring, buffers, GROUP), BUFFERS);
	check_equal(asyncring_free_buf_ring(&ring, buffers, BUFFERS, GROUP), 0);
	tear_down();
}

static void single_buffers(void **state)
{
	(void)state;
	set_up();
	read_all_the_time(give_singly, 2);
	asyncring_prep_remove_buffers(stress_sqe(&ring, 0), BUFFERS + 1, GROUP);
	stress_submit(&ring, 1);
	check_equal(stress_next(&ring).res, BUFFERS);
	tear_down();
}

/* ---- groups that come and go ---- */

static _Atomic bool changes_done;

static void *changer(void *argument)
{
	struct random random = random_stream(3);
	uint64_t start = stress_now_ns();

	(void)argument;
	for (unsigned i = 0; i < CHANGES && stress_time_left(start); i++) {
		unsigned flags = random_below(&random, 4); /* MMAP and INC */
		struct asyncring_buf_ring *fresh;
		int error = 0;

		fresh = asyncring_setup_buf_ring(&ring, BUFFERS, GROUP, flags, &error);
		check_equal(error, 0);
		for (unsigned id = 0; id < BUFFERS; id++)
			asyncring_buf_ring_add(fresh, memory[id], SIZE, (unsigned short)id,
					       asyncring_buf_ring_mask(BUFFERS), (int)id);
		asyncring_buf_ring_advance(fresh, (int)random_below(&random, BUFFERS + 1));
		check_equal(asyncring_free_buf_ring(&ring, fresh, BUFFERS, GROUP), 0);
	}
	atomic_store(&changes_done, true);
	return NULL;
}

static void groups_come_and_go(void **state)
{
	struct random random = random_stream(4);
	pthread_t thread;

	(void)state;
	set_up();
	stress_thread(&thread, changer, NULL);
	while (!atomic_load(&changes_done)) {
		start_reads(&random);
		for (unsigned i = 0; i < DEPTH; i++) {
			struct completion cqe = stress_next(&ring);

			/* A part of a buffer may be gone to others already. */
			if (cqe.res == -ENOBUFS)
				check_equal(cqe.flags, 0);
			else if (cqe.user_data < FILE_SIZE)
				check(cqe.res > 0 && cqe.res <= SIZE);
			else
				check_equal(cqe.res, 1);
		}
		empty_pipe();
	}
	stress_join(thread);
	tear_down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(buffers_of_a_ring),
		cmocka_unit_test(single_buffers),
		cmocka_unit_test(groups_come_and_go),
	};

	return stress_run(tests);
}
