/* SPDX-License-Identifier: MIT */
/*
 * Description: SPLICE and TEE: between pipes and files, with offsets and the file position, with
 * registered descriptors, and their errors.
 */
#include "ops_helpers.h"

/* A pipe that holds the text. */
static void filled_pipe(int fds[2], const char *text)
{
	harness_pipe(fds);
	assert_int_equal(write(fds[1], text, strlen(text)), strlen(text));
}

static void assert_pipe_holds(int fd, const char *text)
{
	char buffer[256];

	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(read(fd, buffer, sizeof(buffer)), *text ? (int)strlen(text) : -1);
	assert_memory_equal(buffer, text, strlen(text));
	assert_int_equal(fcntl(fd, F_SETFL, 0), 0);
}

static void splice_from_pipe_to_pipe(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int in[2], out[2];

	filled_pipe(in, "abcdef");
	harness_pipe(out);
	assert_int_equal(ops_run(ring, splice, in[0], -1, out[1], -1, 4, 0), 4);
	assert_pipe_holds(out[0], "abcd");
	/* Less than asked for is what there is. */
	assert_int_equal(ops_run(ring, splice, in[0], -1, out[1], -1, 100, 0), 2);
	assert_pipe_holds(out[0], "ef");
	harness_close_pipe(in);
	harness_close_pipe(out);
}

static void splice_to_and_from_a_file_at_offsets(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int fds[2];
	int fd = harness_temp_file(1000);
	unsigned char buffer[100];

	harness_pipe(fds);
	assert_int_equal(ops_run(ring, splice, fd, 500, fds[1], -1, 100, 0), 100);
	assert_int_equal(read(fds[0], buffer, 100), 100);
	ops_assert_pattern(buffer, 100, 500);

	assert_int_equal(write(fds[1], "text", 4), 4);
	assert_int_equal(ops_run(ring, splice, fds[0], -1, fd, 2000, 4, 0), 4);
	assert_int_equal(ops_file_size(fd), 2004);
	assert_int_equal(pread(fd, buffer, 4, 2000), 4);
	assert_memory_equal(buffer, "text", 4);
	assert_int_equal(lseek(fd, 0, SEEK_CUR), 0);
	harness_close_pipe(fds);
	close(fd);
}

static void splice_without_offsets_moves_the_position(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int fds[2];
	int fd = harness_temp_file(1000);
	unsigned char buffer[100];

	harness_pipe(fds);
	lseek(fd, 300, SEEK_SET);
	assert_int_equal(ops_run(ring, splice, fd, -1, fds[1], -1, 100, 0), 100);
	assert_int_equal(lseek(fd, 0, SEEK_CUR), 400);
	assert_int_equal(read(fds[0], buffer, 100), 100);
	ops_assert_pattern(buffer, 100, 300);
	assert_int_equal(write(fds[1], buffer, 50), 50);
	assert_int_equal(ops_run(ring, splice, fds[0], -1, fd, -1, 50, 0), 50);
	assert_int_equal(lseek(fd, 0, SEEK_CUR), 450);
	harness_close_pipe(fds);
	close(fd);
}

static void splice_ends_at_the_end_of_the_input(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int in[2], out[2];
	int fd = harness_temp_file(10);

	harness_pipe(in);
	harness_pipe(out);
	assert_int_equal(ops_run(ring, splice, fd, 10, out[1], -1, 100, 0), 0);
	assert_int_equal(ops_run(ring, splice, fd, 4, out[1], -1, 100, 0), 6);
	close(in[1]);
	assert_int_equal(ops_run(ring, splice, in[0], -1, out[1], -1, 100, 0), 0);
	close(in[0]);
	harness_close_pipe(out);
	close(fd);
}

static void splice_waits_for_input(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int in[2], out[2];

	harness_pipe(in);
	harness_pipe(out);
	ops_prep(ring, 1, 0, splice, in[0], -1, out[1], -1, 100, 0);
	harness_submit(ring, 1);
	harness_assert_empty(ring);
	assert_int_equal(write(in[1], "abc", 3), 3);
	ops_expect(ring, 1, 3);
	assert_pipe_holds(out[0], "abc");
	assert_int_equal(ops_run(ring, splice, in[0], -1, out[1], -1, 100, SPLICE_F_NONBLOCK),
			 -EAGAIN);
	harness_close_pipe(in);
	harness_close_pipe(out);
}

static void tee_leaves_the_input_where_it_is(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int in[2], out[2];

	filled_pipe(in, "abcdef");
	harness_pipe(out);
	assert_int_equal(ops_run(ring, tee, in[0], out[1], 3, 0), 3);
	assert_int_equal(ops_run(ring, tee, in[0], out[1], 100, 0), 6);
	assert_pipe_holds(out[0], "abcabcdef");
	assert_pipe_holds(in[0], "abcdef");
	assert_int_equal(ops_run(ring, tee, in[0], out[1], 100, SPLICE_F_NONBLOCK), -EAGAIN);
	close(in[1]);
	assert_int_equal(ops_run(ring, tee, in[0], out[1], 100, 0), 0);
	close(in[0]);
	harness_close_pipe(out);
}

static void registered_descriptors_work_on_both_sides(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	unsigned fixed = IOSQE_FIXED_FILE;
	int in[2], out[2];
	int files[2];

	filled_pipe(in, "abcdef");
	harness_pipe(out);
	files[0] = in[0];
	files[1] = out[1];
	assert_int_equal(io_uring_register_files(ring, files, 2), 0);
	assert_int_equal(ops_run(ring, splice, 0, -1, out[1], -1, 2, SPLICE_F_FD_IN_FIXED), 2);
	assert_int_equal(ops_run_flags(ring, fixed, splice, in[0], -1, 1, -1, 1, 0), 1);
	assert_int_equal(ops_run_flags(ring, fixed, splice, 0, -1, 1, -1, 1, SPLICE_F_FD_IN_FIXED),
			 1);
	assert_int_equal(ops_run_flags(ring, fixed, tee, 0, 1, 1, SPLICE_F_FD_IN_FIXED), 1);
	assert_pipe_holds(out[0], "abcde");

	assert_int_equal(ops_run(ring, splice, 2, -1, out[1], -1, 2, SPLICE_F_FD_IN_FIXED), -EBADF);
	assert_int_equal(ops_run_flags(ring, fixed, splice, in[0], -1, 2, -1, 1, 0), -EBADF);
	assert_int_equal(ops_run(ring, tee, 2, out[1], 2, SPLICE_F_FD_IN_FIXED), -EBADF);
	harness_close_pipe(in);
	harness_close_pipe(out);
}

static void nothing_is_a_valid_length(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int in[2], out[2];

	harness_pipe(in);
	harness_pipe(out);
	assert_int_equal(ops_run(ring, splice, in[0], -1, out[1], -1, 0, 0), 0);
	assert_int_equal(ops_run(ring, tee, in[0], out[1], 0, 0), 0);
	/* With no length nothing else is looked at but the descriptors. */
	assert_int_equal(ops_run(ring, splice, in[0], 5, out[1], 5, 0, 0), 0);
	assert_int_equal(ops_run(ring, splice, -1, -1, out[1], -1, 0, 0), -EBADF);
	assert_int_equal(ops_run(ring, tee, -1, out[1], 0, 0), -EBADF);
	harness_close_pipe(in);
	harness_close_pipe(out);
}

static void splice_arguments_are_checked(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int in[2], out[2];
	int fd = harness_temp_file(100);
	int append = ops_create(ops, "log", "data");

	filled_pipe(in, "abcdef");
	harness_pipe(out);
	assert_int_equal(fcntl(append, F_SETFL, O_APPEND), 0);
	assert_int_equal(ops_run(ring, splice, in[0], 0, out[1], -1, 4, 0), -ESPIPE);
	assert_int_equal(ops_run(ring, splice, in[0], -1, out[1], 0, 4, 0), -ESPIPE);
	assert_int_equal(ops_run(ring, splice, fd, -1, fd, -1, 4, 0), -EINVAL);
	assert_int_equal(ops_run(ring, splice, in[0], -1, in[1], -1, 4, 0), -EINVAL);
	assert_int_equal(ops_run(ring, splice, in[0], -1, append, -1, 4, 0), -EINVAL);
	assert_int_equal(ops_run(ring, splice, in[1], -1, out[1], -1, 4, 0), -EBADF);
	assert_int_equal(ops_run(ring, splice, in[0], -1, out[0], -1, 4, 0), -EBADF);
	assert_int_equal(ops_run(ring, splice, -1, -1, out[1], -1, 4, 0), -EBADF);
	assert_int_equal(ops_run(ring, splice, in[0], -1, -1, -1, 4, 0), -EBADF);
	assert_int_equal(ops_run(ring, splice, in[0], -1, fd, -2, 4, 0), -EINVAL);
	assert_int_equal(ops_run(ring, splice, fd, -2, out[1], -1, 4, 0), -EINVAL);
	for (unsigned bit = 4; bit < 31; bit++)
		assert_int_equal(ops_run(ring, splice, in[0], -1, out[1], -1, 4, 1u << bit),
				 -EINVAL);
	assert_pipe_holds(in[0], "abcdef");
	harness_close_pipe(in);
	harness_close_pipe(out);
	close(append);
	close(fd);
}

static void tee_arguments_are_checked(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct io_uring_sqe *sqe;
	int in[2], out[2];
	int fd = harness_temp_file(100);

	filled_pipe(in, "abcdef");
	harness_pipe(out);
	assert_int_equal(ops_run(ring, tee, in[0], in[1], 4, 0), -EINVAL);
	assert_int_equal(ops_run(ring, tee, fd, out[1], 4, 0), -EINVAL);
	assert_int_equal(ops_run(ring, tee, in[0], fd, 4, 0), -EINVAL);
	assert_int_equal(ops_run(ring, tee, in[1], out[1], 4, 0), -EBADF);
	assert_int_equal(ops_run(ring, tee, in[0], -1, 4, 0), -EBADF);
	assert_int_equal(ops_run(ring, tee, -1, out[1], 4, 0), -EBADF);
	assert_int_equal(ops_run(ring, tee, in[0], out[1], 4, 1u << 4), -EINVAL);

	/* Offsets have no place here. */
	sqe = ops_prep(ring, 0, 0, tee, in[0], out[1], 4, 0);
	sqe->off = 1;
	assert_int_equal(harness_result(ring), -EINVAL);
	sqe = ops_prep(ring, 0, 0, tee, in[0], out[1], 4, 0);
	sqe->splice_off_in = 1;
	assert_int_equal(harness_result(ring), -EINVAL);
	assert_pipe_holds(out[0], "");
	harness_close_pipe(in);
	harness_close_pipe(out);
	close(fd);
}

/* Fewer bytes than asked for break a chain, as a short read does. */
static void a_short_splice_breaks_the_chain(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int in[2], out[2];
	int results[2];

	filled_pipe(in, "abc");
	harness_pipe(out);
	ops_prep(ring, 0, IOSQE_IO_LINK, tee, in[0], out[1], 3, 0);
	ops_prep(ring, 1, 0, nop);
	harness_submit(ring, 2);
	ops_collect(ring, results, 2);
	assert_int_equal(results[0], 3);
	assert_int_equal(results[1], 0);

	ops_prep(ring, 0, IOSQE_IO_LINK, tee, in[0], out[1], 4, 0);
	ops_prep(ring, 1, 0, nop);
	harness_submit(ring, 2);
	ops_collect(ring, results, 2);
	assert_int_equal(results[0], 3);
	assert_int_equal(results[1], -ECANCELED);

	ops_prep(ring, 0, IOSQE_IO_LINK, splice, in[0], -1, out[1], -1, 4, 0);
	ops_prep(ring, 1, 0, nop);
	harness_submit(ring, 2);
	ops_collect(ring, results, 2);
	assert_int_equal(results[0], 3);
	assert_int_equal(results[1], -ECANCELED);
	harness_close_pipe(in);
	harness_close_pipe(out);
}

/* A file is copied through a pipe by pairs of linked splices. */
static void a_file_is_copied_through_a_pipe(void **state)
{
	enum { PART = 16384, PARTS = 8 };
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int from = harness_temp_file(PART * PARTS);
	int to = harness_temp_file(0);
	unsigned char *copy = malloc(PART * PARTS);
	int results[2 * PARTS];
	int fds[2];

	assert_non_null(copy);
	harness_pipe(fds);
	for (unsigned i = 0; i < PARTS; i++) {
		unsigned last = i + 1 < PARTS ? IOSQE_IO_LINK : 0;

		ops_prep(ring, 2 * i, IOSQE_IO_LINK, splice, from, PART * i, fds[1], -1, PART, 0);
		ops_prep(ring, 2 * i + 1, last, splice, fds[0], -1, to, PART * i, PART, 0);
	}
	harness_submit(ring, 2 * PARTS);
	ops_collect(ring, results, 2 * PARTS);
	for (unsigned i = 0; i < 2 * PARTS; i++)
		assert_int_equal(results[i], PART);
	assert_int_equal(pread(to, copy, PART * PARTS, 0), PART * PARTS);
	ops_assert_pattern(copy, PART * PARTS, 0);
	harness_close_pipe(fds);
	free(copy);
	close(to);
	close(from);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ops_test(splice_from_pipe_to_pipe),
		ops_test(splice_to_and_from_a_file_at_offsets),
		ops_test(splice_without_offsets_moves_the_position),
		ops_test(splice_ends_at_the_end_of_the_input),
		ops_test(splice_waits_for_input),
		ops_test(tee_leaves_the_input_where_it_is),
		ops_test(registered_descriptors_work_on_both_sides),
		ops_test(nothing_is_a_valid_length),
		ops_dir_test(splice_arguments_are_checked),
		ops_test(tee_arguments_are_checked),
		ops_test(a_short_splice_breaks_the_chain),
		ops_test(a_file_is_copied_through_a_pipe),
	};

	return harness_run(tests);
}
